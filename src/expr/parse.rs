//! From an author's SQL text to an expression.
//!
//! In: the text of one expression in the engine's scalar dialect, and where it stands. Out: the closed tree of `expr`, each node with its
//! place, or diagnostics that point at the token at fault. Target constraints parsed elsewhere enter through [`lower`].
//! Does not know about columns: names stay as written.

use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::dialect::EngineWords;
use super::lower::Lowerer;
use super::tokens::{self, Tokens};
use super::{Expr, OrderBy};
use crate::diagnostics::{Diagnostics, Span};

pub use super::functions::{is_aggregate, is_fleeting, is_quick};

/// Where an expression stands, and in whose words it is written.
pub struct Place<'a> {
    /// The text that holds the expression.
    pub span: Span,
    /// The tokens of the text if they map one to one into `span`.
    tokens: Option<&'a Tokens>,
    /// Whether an author wrote it in the engine's dialect; otherwise it is a target's own, such as a CHECK constraint.
    pub authored: bool,
}

impl Place<'static> {
    /// Makes the place of a target's expression, of which every part is at `span`.
    pub fn target(span: Span) -> Place<'static> {
        Place { span, tokens: None, authored: false }
    }
}

impl Place<'_> {
    pub(super) fn tokens(&self) -> Option<&Tokens> {
        self.tokens
    }

    /// Returns the span of a range of bytes of the text.
    pub(super) fn slice(&self, (start, end): (usize, usize)) -> Span {
        if self.tokens.is_some() { self.span.slice(start, end.saturating_sub(start)) } else { self.span }
    }
}

/// Parses a text that must be one expression.
///
/// With `exact`, byte offsets in `text` map one to one into `span`, and every node gets its own part of it; otherwise all have `span`.
pub fn expression(text: &str, span: Span, exact: bool, out: &mut Diagnostics) -> Option<Expr> {
    parsed(text, span, exact, out, |parser| parser.parse_expr(), |ast, place, out| lower(&ast, place, out))
}

/// Parses sort keys: `ts desc, id asc nulls first`.
pub fn order_by(text: &str, span: Span, exact: bool, out: &mut Diagnostics) -> Option<Vec<OrderBy>> {
    parsed(
        text,
        span,
        exact,
        out,
        |parser| parser.parse_comma_separated(Parser::parse_order_by_expr),
        |keys, place, out| Lowerer { place, out }.order_by(&keys),
    )
}

/// Turns a parsed expression into the closed tree; reports every form that has no place in it.
pub fn lower(ast: &ast::Expr, place: &Place, out: &mut Diagnostics) -> Option<Expr> {
    Lowerer { place, out }.expr(ast)
}

fn parsed<A, T>(
    text: &str,
    span: Span,
    exact: bool,
    out: &mut Diagnostics,
    parse: impl Fn(&mut Parser) -> Result<A, ParserError>,
    lower: impl Fn(A, &Place, &mut Diagnostics) -> Option<T>,
) -> Option<T> {
    if text.trim().is_empty() {
        out.error("E0310", span, "the expression is empty")
            .help("Write a column's name, a literal or a formula; NULL for no value.");
        return None;
    }
    let (found, table) = tokens::tokenize(text, span, exact, out)?;
    let place = Place { span, tokens: exact.then_some(&table), authored: true };
    let at = |token: &TokenWithSpan| place.slice(table.bytes(token.span).unwrap_or(table.last()));
    if let Some((token, message, help)) = found.iter().find_map(foreign) {
        out.error("E0310", at(token), message).help(help);
        return None;
    }
    let statement = first_word(&found).filter(|(_, word)| {
        matches!(
            word,
            Keyword::SELECT
                | Keyword::WITH
                | Keyword::INSERT
                | Keyword::UPDATE
                | Keyword::DELETE
                | Keyword::DROP
                | Keyword::CREATE
        )
    });
    if let Some((token, _)) = statement.filter(|_| found.iter().filter(|t| !is_blank(t)).count() > 1) {
        let message = "a whole statement stands where one expression is expected".to_string();
        out.error("E0310", at(token), message).help("A SELECT over tables belongs to the clause `sql:`.");
        return None;
    }
    let mut parser = Parser::new(&EngineWords).with_recursion_limit(2_000).with_tokens_with_locations(found);
    match parse(&mut parser) {
        Ok(ast) => {
            let next = parser.peek_token();
            if next.token != Token::EOF {
                trailing(&next, at(&next), out);
                return None;
            }
            lower(ast, &place, out)
        }
        Err(ParserError::RecursionLimitExceeded) => {
            out.error("E0312", span, "this expression nests too deep").help("Compute a part of it in a `derive` of its own.");
            None
        }
        Err(ParserError::TokenizerError(message) | ParserError::ParserError(message)) => {
            let (message, location) = split_location(&message);
            let start = location.map(|l| table.byte(l)).filter(|start| *start < text.len());
            let bytes = start.and_then(|start| table.token(start)).unwrap_or(table.last());
            syntax_error(&message, text.get(bytes.0..bytes.1).unwrap_or(""), place.slice(bytes), out);
            None
        }
    }
}

/// Names an operator of another language that stands in the text, and what SQL has for it.
fn foreign(token: &TokenWithSpan) -> Option<(&TokenWithSpan, String, String)> {
    let (written, help) = match &token.token {
        Token::DoubleEq => ("==", "Write `=`: SQL compares with one equals sign."),
        Token::Overlap => ("&&", "Write `AND`."),
        Token::ExclamationMark | Token::DoubleExclamationMark => ("!", "Write `NOT`."),
        Token::SemiColon => (";", "One expression stands here, without an end mark."),
        Token::Backslash => ("\\", "Only texts in single quotes may hold it."),
        Token::Char('`') => ("`", "Write names that need quotes in double quotes: \"order date\"."),
        Token::Char(c @ ('“' | '”' | '„' | '‘' | '’' | '´')) => {
            let help = format!("Write 'text' in straight single quotes instead of {c}.");
            return Some((token, format!("`{c}` is a typographic quote"), help));
        }
        _ => return None,
    };
    Some((token, format!("`{written}` is not an operator of SQL expressions"), help.to_string()))
}

fn is_blank(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_) | Token::EOF)
}

fn first_word(tokens: &[TokenWithSpan]) -> Option<(&TokenWithSpan, Keyword)> {
    let token = tokens.iter().find(|t| !is_blank(t))?;
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some((token, word.keyword)),
        _ => None,
    }
}

/// Reports what follows a complete expression.
fn trailing(token: &TokenWithSpan, span: Span, out: &mut Diagnostics) {
    let found = &token.token;
    let diagnostic = out.error("E0310", span, format!("unexpected `{found}` after the end of the expression"));
    diagnostic.help(match found {
        Token::Comma => "One expression stands here; a list of them is written [a, b].",
        Token::Word(word) if word.keyword == Keyword::AS => "An expression has no alias here: its key is the column's name.",
        Token::Word(word) if word.keyword == Keyword::FROM => "A SELECT over tables belongs to the clause `sql:`.",
        Token::Word(_) => {
            "Text is written in single quotes, and names with spaces in double quotes of their own: `'\"order date\"'`."
        }
        Token::SingleQuotedString(_) => "Texts are joined by `||`; a quote inside a text is written twice: 'it''s'.",
        _ => "Remove it, or write the operator that is missing before it.",
    });
}

fn syntax_error(message: &str, found: &str, span: Span, out: &mut Diagnostics) {
    let expected = message.strip_prefix("Expected: ").and_then(|m| m.split_once(", found: "));
    let expected = expected
        .map(|(e, found)| (if e.contains(" after IS") { "NULL, TRUE, FALSE or DISTINCT FROM after IS" } else { e }, found));
    let at_end = expected.is_some_and(|(_, found)| found == "EOF");
    let message = match expected {
        Some((expected, _)) if at_end => format!("expected {expected}, found the end of the expression"),
        Some((expected, _)) => format!("expected {expected}, found `{found}`"),
        None => {
            let mut letters = message.chars();
            letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
        }
    };
    let diagnostic = out.error("E0310", span, message.trim_end_matches(['.', ' ']));
    match (expected, found) {
        (Some((expected, _)), _) if expected.contains("END") => {
            diagnostic.help("CASE WHEN condition THEN value ELSE value END has its END.")
        }
        (Some((expected, _)), ",") if expected.contains("an expression") => {
            diagnostic.help("Something is missing before this comma.")
        }
        (_, _) if at_end => diagnostic.help("Complete the expression: something must follow its last word."),
        _ => diagnostic,
    };
}

/// Splits ` at Line: 1, Column: 5` off a message of the parser.
fn split_location(message: &str) -> (String, Option<Location>) {
    let Some((text, place)) = message.rsplit_once(" at Line: ") else {
        return (message.to_string(), None);
    };
    let Some((line, column)) = place.split_once(", Column: ") else {
        return (message.to_string(), None);
    };
    match (line.trim().parse(), column.trim().parse()) {
        (Ok(line), Ok(column)) => (text.to_string(), Some(Location { line, column })),
        _ => (message.to_string(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, expression, lower, order_by};
    use crate::diagnostics::{Diagnostics, SourceMap, Span};
    use crate::expr::{Expr, ExprKind, Literal};

    fn place(text: &str) -> (SourceMap, Span) {
        let mut sources = SourceMap::default();
        let file = sources.add("test", format!("key: {text}"));
        (sources, Span { file, start: 5, end: 5 + text.len() as u32 })
    }

    /// Returns what was parsed, and each diagnostic as its code, the text it points at and its message.
    fn parse(text: &str) -> (Option<Expr>, Vec<(&'static str, String, String)>) {
        let (sources, span) = place(text);
        let mut out = Diagnostics::default();
        let expr = expression(text, span, true, &mut out);
        let told = out.into_sorted().into_iter().map(|d| (d.code, sources.snippet(d.span).to_string(), d.message)).collect();
        (expr, told)
    }

    #[test]
    fn every_part_knows_its_place() {
        for (text, parts) in [
            ("a + b * c", vec!["a + b * c", "a", "b * c", "b", "c"]),
            ("(a + 1)::text || é.b", vec!["(a + 1)::text || é.b", "(a + 1)::text", "(a + 1)", "a", "1", "é.b"]),
            ("'é' = upper( trim(b) )", vec!["'é' = upper( trim(b) )", "'é'", "upper( trim(b) )", "trim(b)", "b"]),
            ("count(x) filter (where y) > 1", vec!["count(x) filter (where y) > 1", "count(x) filter (where y)", "x", "y", "1"]),
            ("not a is null", vec!["not a is null", "a is null", "a"]),
            ("x in (1, -2)", vec!["x in (1, -2)", "x", "1", "-2"]),
            ("list[1].f", vec!["list[1].f", "list[1]", "list", "1"]),
            ("d + interval '1' day", vec!["d + interval '1' day", "d", "interval '1' day"]),
            ("case when a then [b] end", vec!["case when a then [b] end", "a", "[b]", "b"]),
        ] {
            let (sources, span) = place(text);
            let expr = expression(text, span, true, &mut Diagnostics::default()).expect(text);
            let mut found = vec![];
            expr.walk(&mut |part| found.push(sources.snippet(part.span)));
            assert_eq!(found, parts, "{text}");
        }
    }

    #[test]
    fn errors_point_at_the_word_at_fault() {
        for (text, code, at, message) in [
            ("a, b", "E0310", ",", "unexpected `,` after the end of the expression"),
            ("a; DROP TABLE x", "E0310", ";", "`;` is not an operator of SQL expressions"),
            ("a == b", "E0310", "==", "`==` is not an operator of SQL expressions"),
            ("(a + b", "E0310", "(", "`(` is never closed"),
            ("f(a]", "E0310", "]", "`]` does not close the `(` before it"),
            ("a +", "E0310", "+", "expected an expression, found the end of the expression"),
            ("f(é,,b)", "E0310", ",", "expected an expression, found `,`"),
            ("case when a then b", "E0310", "b", "expected END, found the end of the expression"),
            ("'abc", "E0310", "'abc", "unterminated string literal"),
            ("", "E0310", "", "the expression is empty"),
            ("select a from t", "E0310", "select", "a whole statement stands where one expression is expected"),
            ("1 + (select 2)", "E0311", "select 2", "expression form not supported: a subquery"),
            ("x = $1", "E0311", "$1", "expression form not supported: the parameter `$1`"),
            ("f(*)", "E0311", "f(*)", "expression form not supported: `*` outside count(*)"),
            ("cast(a as intger)", "E0313", "cast(a as intger)", "type `intger` is not known"),
        ] {
            let (expr, told) = parse(text);
            assert_eq!(expr, None, "{text}");
            assert_eq!(told, [(code, at.to_string(), message.to_string())], "{text}");
        }
        assert_eq!(parse("a = NULL").1, [("W0310", "NULL".to_string(), "`= NULL` is never true".to_string())]);
    }

    #[test]
    fn hostile_sizes_are_refused_in_no_time() {
        for (open, inner, close) in
            [("(", "1", ")"), ("f(", "1", ")"), ("[", "1", "]"), ("NOT ", "a", ""), ("- ", "1", ""), ("", "1", " + 1")]
                .into_iter()
                .chain([
                    ("CASE WHEN ", "a", " THEN 1 END"),
                    ("a -> ", "a", ""),
                    ("CASE ", "a", ""),
                    ("", "a", "[1]"),
                    ("", "a", " IS NULL"),
                ])
                .chain([
                    ("{'a': ", "1", "}"),
                    ("a OR ", "b", ""),
                    ("CAST(", "a", " AS text)"),
                    ("", "a", "::text"),
                    ("INTERVAL ", "1", ""),
                ])
        {
            let text = format!("{}{inner}{}", open.repeat(100_000), close.repeat(100_000));
            let (expr, told) = parse(&text);
            assert!(expr.is_none(), "{open}{close}");
            assert_eq!(told.len(), 1, "{open}{close}");
            assert_eq!(told[0].0, "E0312", "{open}{close}");
        }
    }

    #[test]
    fn deep_and_long_expressions_are_read() {
        let chain = format!("a{}", " + 1".repeat(500));
        let nested = format!("{}a{}", "f(".repeat(100), ")".repeat(100));
        let list = format!("a IN ({})", vec!["'x'"; 200_000].join(", "));
        let text = format!("'{}'", "x".repeat(1_000_000));
        for long in [chain, nested, list, text] {
            assert!(parse(&long).0.is_some());
        }
    }

    #[test]
    fn sort_keys_are_read_with_their_directions() {
        let (_, span) = place("ts desc, id asc nulls first, lower(x)");
        let keys = order_by("ts desc, id asc nulls first, lower(x)", span, true, &mut Diagnostics::default()).unwrap_or_default();
        let read: Vec<_> = keys.iter().map(|k| (k.descending, k.nulls_first)).collect();
        assert_eq!(read, [(true, None), (false, Some(true)), (false, None)]);
    }

    #[test]
    fn stored_constraints_are_read_as_they_were_meant() {
        let dialect = sqlparser::dialect::PostgreSqlDialect {};
        let (_, span) = place("");
        let read = |text: &str| {
            let ast = sqlparser::parser::Parser::new(&dialect).try_with_sql(text).and_then(|mut p| p.parse_expr()).expect(text);
            lower(&ast, &Place::target(span), &mut Diagnostics::default()).expect(text).kind
        };
        match read("((kind)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))") {
            ExprKind::InList { list, negated: false, .. } => {
                let texts: Vec<_> = list.into_iter().map(|e| e.kind).collect();
                assert_eq!(texts, ["a", "b"].map(|t| ExprKind::Literal(Literal::Text(t.to_string()))));
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(read(r"name ~~ 'a\_%'::text"), ExprKind::Like { escape: Some('\\'), .. }));
        assert!(
            matches!(read("name ~* 'a'"), ExprKind::Call(call) if call.function == "regexp_matches" && call.arguments.len() == 3)
        );
    }
}
