//! What a whole SELECT of an author reads.
//!
//! In: the text of `sql:`. Out: the relations that it names, each with its place, or diagnostics: anything but one SELECT is refused,
//! and so is whatever would read files, other databases or the engine itself. The engine types and runs the text as it is.
//! Does not know which relations there are.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr as Sql, Ident, ObjectName, Query as Select, SetExpr, Statement, TableFactor, Visit, Visitor};
use sqlparser::dialect::DuckDbDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::tokens::{self, Tokens};
use crate::diagnostics::{Diagnostics, Span, Spanned};

/// A SELECT that may run.
#[derive(Debug, Default)]
pub struct Query {
    /// The relations, as written, each once.
    pub reads: Vec<Spanned<String>>,
    /// The names that its WITH clauses give.
    pub given: Vec<Spanned<String>>,
    /// Whether it ends in an ORDER BY of its own.
    pub ordered: bool,
}

/// Functions that make rows out of their arguments alone.
const ROW_FUNCTIONS: &[&str] = &["generate_series", "generate_subscripts", "json_each", "json_tree", "range", "repeat", "unnest"];

/// Functions that tell or change what is outside of the rows, besides those with telling names.
const FOREIGN: &[&str] =
    &["glob", "query", "query_table", "getenv", "current_setting", "nextval", "currval", "write_log", "force_checkpoint"];

/// Reads the text of a query; with `exact`, its bytes map one to one into `span`.
pub fn read(text: &str, span: Span, exact: bool, out: &mut Diagnostics) -> Option<Query> {
    let (tokens, table) = tokens::tokenize(text, span, exact, out)?;
    let mut parser = Parser::new(&DuckDbDialect {}).with_recursion_limit(500).with_tokens_with_locations(tokens);
    let statement = match statement(&mut parser) {
        Ok(statement) => statement,
        Err(error) => {
            let at = parser.peek_token();
            let known = table.bytes(at.span).filter(|_| exact && at.token != Token::EOF);
            let at = known.map_or(span, |(from, to)| span.slice(from, to - from));
            let message = match error {
                ParserError::RecursionLimitExceeded => "the query nests too deep".to_string(),
                ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
                    let message = message.split(" at Line: ").next().unwrap_or("").replace("EOF", "the end of the query");
                    format!("the query cannot be read: {}", lower(&message))
                }
            };
            out.error("E0448", at, message).help("`sql` is one SELECT, or one WITH ... SELECT, in the engine's dialect.");
            return None;
        }
    };
    let Statement::Query(query) = &statement else {
        out.error("E0448", span, "`sql` is not a SELECT")
            .help("Write one SELECT or WITH ... SELECT over names of extracts and tables; what changes data belongs to `load`.");
        return None;
    };
    let place = Place { span, table: &table, exact };
    let query = Query { ordered: query.order_by.is_some(), ..Query::default() };
    let mut found = Reader { place, out, query, calls: vec![], ok: true };
    // The visitor never breaks off: every fault is told.
    let _ = statement.visit(&mut found);
    let Reader { ok, mut query, .. } = found;
    let given: Vec<String> = query.given.iter().map(|name| name.value.to_lowercase()).collect();
    query.reads.retain(|read| !given.contains(&read.value.to_lowercase()));
    ok.then_some(query)
}

/// Parses one statement, with or without an end mark.
fn statement(parser: &mut Parser) -> Result<Statement, ParserError> {
    let statement = parser.parse_statement()?;
    while parser.consume_token(&Token::SemiColon) {}
    match parser.peek_token().token {
        Token::EOF => Ok(statement),
        other => Err(ParserError::ParserError(format!("Expected: the end of the query, found: {other}"))),
    }
}

fn lower(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

struct Place<'a> {
    span: Span,
    table: &'a Tokens,
    exact: bool,
}

impl Place<'_> {
    fn at(&self, name: &Ident) -> Span {
        match self.table.bytes(name.span) {
            Some((from, to)) if self.exact && from < to => self.span.slice(from, to - from),
            _ => self.span,
        }
    }
}

/// The state of reading one query.
struct Reader<'a> {
    place: Place<'a>,
    out: &'a mut Diagnostics,
    query: Query,
    /// Functions that stand where a relation could: their names are visited as such right after.
    calls: Vec<ObjectName>,
    ok: bool,
}

impl Reader<'_> {
    fn refuse(&mut self, name: &ObjectName, message: String, help: &str) {
        let span = first(name).map_or(self.place.span, |ident| self.place.at(ident));
        self.out.error("E0449", span, message).help(help);
        self.ok = false;
    }

    fn function(&mut self, name: &ObjectName) {
        let word = name.to_string().to_lowercase();
        let word = word.trim_matches('"');
        let foreign =
            ["read_", "duckdb_", "pragma_", "sniff_", "parquet_", "sqlite_", "postgres_", "mysql_", "iceberg_", "delta_"];
        let reaches_out = foreign.iter().any(|prefix| word.starts_with(prefix))
            || word.ends_with("_scan")
            || word.contains('.')
            || FOREIGN.contains(&word);
        if reaches_out {
            let help = "What is read comes in by an `extract`, so that it is counted and checked.";
            self.refuse(name, format!("the function `{word}` may not be called in `sql`"), help);
        }
    }
}

impl Visitor for Reader<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Select) -> ControlFlow<()> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = &table.alias.name;
            self.query.given.push(Spanned::new(name.value.clone(), self.place.at(name)));
        }
        if !matches!(*query.body, SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::SetOperation { .. } | SetExpr::Values(_)) {
            self.out
                .error("E0448", self.place.span, "a part of `sql` is not a SELECT")
                .help("Write `SELECT * FROM x` for `TABLE x`; what changes data belongs to `load`.");
            self.ok = false;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let call = match factor {
            TableFactor::Table { name, args: Some(_), .. } => {
                self.calls.push(name.clone());
                Some(name)
            }
            TableFactor::Function { name, .. } => Some(name),
            _ => None,
        };
        if let Some(name) = call
            && !ROW_FUNCTIONS.contains(&name.to_string().to_lowercase().as_str())
        {
            let help = "Rows come from extracts and tables; `range`, `generate_series` and `unnest` make some of their own.";
            self.refuse(name, format!("the table function `{name}` may not stand in `sql`"), help);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        if self.calls.last() == Some(name) {
            self.calls.pop();
            return ControlFlow::Continue(());
        }
        match (first(name), name.0.len()) {
            (Some(ident), 1) if ident.quote_style != Some('\'') => {
                if !self.query.reads.iter().any(|read| read.value == ident.value) {
                    self.query.reads.push(Spanned::new(ident.value.clone(), self.place.at(ident)));
                }
            }
            (Some(ident), 1) => {
                let message = format!("`sql` may not read the file `{}`", ident.value);
                self.refuse(
                    name,
                    message,
                    "Name the file in an `extract`, so that its rows are counted and checked, and read that.",
                );
            }
            _ => {
                let help = "The relations here are the extracts and tables of this pipeline, by their bare names.";
                self.refuse(name, format!("`{name}` is no relation of this pipeline"), help);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Sql) -> ControlFlow<()> {
        if let Sql::Function(call) = expr {
            self.function(&call.name);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        if !matches!(statement, Statement::Query(_)) {
            self.out
                .error("E0448", self.place.span, "a part of `sql` is not a SELECT")
                .help("What changes data belongs to `load`.");
            self.ok = false;
        }
        ControlFlow::Continue(())
    }
}

fn first(name: &ObjectName) -> Option<&Ident> {
    name.0.first().and_then(|part| part.as_ident())
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::diagnostics::{Diagnostics, SourceMap, Span};

    fn told(text: &str) -> (Vec<String>, Vec<String>) {
        let mut sources = SourceMap::default();
        let span = Span { file: sources.add("test", text), start: 0, end: text.len() as u32 };
        let mut out = Diagnostics::default();
        let query = read(text, span, true, &mut out);
        let errors = out.into_sorted().into_iter().map(|d| format!("{} {}: {}", d.code, sources.snippet(d.span), d.message));
        let reads = query.map(|q| q.reads.into_iter().map(|r| format!("{}={}", r.value, sources.snippet(r.span))).collect());
        (reads.unwrap_or_default(), errors.collect())
    }

    #[test]
    fn every_relation_is_found_wherever_it_stands() {
        for (text, reads) in [
            ("SELECT 1 AS x", vec![]),
            ("SELECT * FROM a JOIN \"b c\" USING (k), a AS again;", vec!["a=a", "b c=\"b c\""]),
            ("WITH w AS (SELECT * FROM a) SELECT * FROM w WHERE x IN (SELECT y FROM b)", vec!["a=a", "b=b"]),
            ("SELECT (SELECT max(x) FROM c) FROM a WHERE EXISTS (FROM b SELECT 1)", vec!["c=c", "a=a", "b=b"]),
            ("SELECT * EXCLUDE (x) FROM a QUALIFY row_number() OVER (PARTITION BY k) = 1", vec!["a=a"]),
            ("SELECT * FROM a UNION ALL SELECT * FROM b EXCEPT SELECT * FROM c", vec!["a=a", "b=b", "c=c"]),
            ("SELECT k, list(x ORDER BY y) FROM a GROUP BY ALL ORDER BY ALL", vec!["a=a"]),
            ("SELECT * FROM range(3) AS r(i), a, LATERAL (SELECT * FROM b WHERE b.x = i)", vec!["a=a", "b=b"]),
            ("SELECT list_transform(xs, x -> x + 1), count(*) FILTER (WHERE z) FROM a, unnest(a.ys)", vec!["a=a"]),
        ] {
            let (found, errors) = told(text);
            assert_eq!(errors, Vec::<String>::new(), "{text}");
            assert_eq!(found, reads, "{text}");
        }
    }

    #[test]
    fn whatever_is_not_one_select_is_refused() {
        for (text, error) in [
            ("DROP TABLE a", "E0448"),
            ("INSERT INTO a VALUES (1)", "E0448"),
            ("SELECT 1; SELECT 2", "E0448"),
            ("SELECT 1; DROP TABLE a", "E0448"),
            ("COPY a TO 'x.csv'", "E0448"),
            ("ATTACH 'x.db'", "E0448"),
            ("WITH w AS (DELETE FROM a RETURNING *) SELECT * FROM w", "E0448"),
            ("SELECT FROM WHERE", "E0448"),
            ("", "E0448"),
            ("SELECT * FROM 'x.csv'", "E0449"),
            ("SELECT * FROM read_csv('x.csv')", "E0449"),
            ("SELECT * FROM read_text('/etc/hosts')", "E0449"),
            ("SELECT * FROM information_schema.tables", "E0449"),
            ("SELECT * FROM main.a", "E0449"),
            ("SELECT * FROM duckdb_settings()", "E0449"),
            ("SELECT getenv('HOME')", "E0449"),
            ("SELECT * FROM a WHERE x = (SELECT content FROM glob('*'))", "E0449"),
            ("SELECT * FROM query('SELECT 1')", "E0449"),
        ] {
            let (_, errors) = told(text);
            assert!(errors.iter().any(|e| e.starts_with(error)), "{text}: {errors:?}");
        }
    }
}
