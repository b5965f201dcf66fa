//! From an author's SQL text to an expression.
//!
//! In: the text of one expression in the engine's scalar dialect, and where it stands. Out: the closed tree of `expr`, each node with its
//! place, or diagnostics that point at the token at fault. Target constraints parsed elsewhere enter through [`lower`].
//! Does not know about columns: names stay as written.

use std::any::TypeId;

use sqlparser::ast;
use sqlparser::dialect::{Dialect, DuckDbDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::lower::Lowerer;
use super::tokens::{self, Tokens};
use super::{Expr, OrderBy};
use crate::diagnostics::{Diagnostics, Span};

pub use super::functions::is_aggregate;

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
        out.error("E0310", span, "the expression is empty").help("Write a column's name, a literal or a formula; NULL for no value.");
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
        matches!(word, Keyword::SELECT | Keyword::WITH | Keyword::INSERT | Keyword::UPDATE | Keyword::DELETE | Keyword::DROP | Keyword::CREATE)
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
        Token::Word(_) => "Text is written in single quotes, and names with spaces in double quotes.",
        Token::SingleQuotedString(_) => "Texts are joined by `||`; a quote inside a text is written twice: 'it''s'.",
        _ => "Remove it, or write the operator that is missing before it.",
    });
}

fn syntax_error(message: &str, found: &str, span: Span, out: &mut Diagnostics) {
    let expected = message.strip_prefix("Expected: ").and_then(|m| m.split_once(", found: "));
    let expected = expected.map(|(e, found)| (if e.contains(" after IS") { "NULL, TRUE, FALSE or DISTINCT FROM after IS" } else { e }, found));
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
        (Some((expected, _)), _) if expected.contains("END") => diagnostic.help("CASE WHEN condition THEN value ELSE value END has its END."),
        (Some((expected, _)), ",") if expected.contains("an expression") => diagnostic.help("Something is missing before this comma."),
        (_, _) if at_end => diagnostic.help("Complete the expression: something must follow its last word."),
        _ => diagnostic,
    };
}

/// Splits ` at Line: 1, Column: 5` off a message of the parser.
fn split_location(message: &str) -> (String, Option<Location>) {
    let Some((text, place)) = message.rsplit_once(" at Line: ") else { return (message.to_string(), None) };
    let Some((line, column)) = place.split_once(", Column: ") else { return (message.to_string(), None) };
    match (line.trim().parse(), column.trim().parse()) {
        (Ok(line), Ok(column)) => (text.to_string(), Some(Location { line, column })),
        _ => (message.to_string(), None),
    }
}

/// The engine's scalar dialect: DuckDB's, with the words that begin a form never taken for a column.
#[derive(Debug)]
pub(super) struct EngineWords;

impl Dialect for EngineWords {
    fn dialect(&self) -> TypeId {
        TypeId::of::<DuckDbDialect>()
    }

    fn is_identifier_start(&self, c: char) -> bool {
        DuckDbDialect.is_identifier_start(c)
    }

    fn is_identifier_part(&self, c: char) -> bool {
        DuckDbDialect.is_identifier_part(c)
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"'
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        DuckDbDialect.identifier_quote_style(identifier)
    }

    fn is_reserved_for_identifier(&self, word: Keyword) -> bool {
        matches!(word, Keyword::CASE | Keyword::CAST | Keyword::TRY_CAST | Keyword::NOT | Keyword::EXISTS | Keyword::EXTRACT)
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<ast::Expr, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::EscapedStringLiteral(_) => Some(parser.parse_value().map(ast::Expr::Value)),
            _ => None,
        }
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        // `a || b + c` joins a to the sum.
        let joins = parser.peek_token_ref().token == Token::StringConcat;
        joins.then(|| Ok(self.prec_value(sqlparser::dialect::Precedence::Pipe)))
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_assignment_operator(&self) -> bool {
        true
    }

    fn supports_dictionary_syntax(&self) -> bool {
        true
    }

    fn support_map_literal_syntax(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }
}
