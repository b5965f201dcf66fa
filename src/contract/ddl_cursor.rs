//! The tokens of one statement and a place among them.
//!
//! In: a statement's text. Out: names, words, groups and expressions, each with its place in the file; a piece that cannot be
//! read is a [`Trouble`]. The only user of the SQL crate's tokens and parser for schema files.
//! Does not know what any statement means.

use sqlparser::ast;
use sqlparser::dialect::{Dialect, MsSqlDialect, PostgreSqlDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

use super::ddl::Flavor;
use super::ddl_names::{LIMIT, clip};
use crate::diagnostics::{FileId, Span, Spanned};

/// Why and where a piece of a statement cannot be read.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) span: Span,
    /// What should stand there instead.
    pub(super) expected: String,
}

pub(super) type Read<T> = Result<T, Trouble>;

/// A token and its bytes in the file.
#[derive(Clone, Debug)]
pub(super) struct Lexeme {
    token: TokenWithSpan,
    start: u32,
    end: u32,
}

/// A name with or without a schema.
#[derive(Clone, Debug)]
pub(super) struct Qualified {
    pub(super) schema: Option<String>,
    pub(super) name: Spanned<String>,
}

/// A run of tokens that is read from the left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    /// The whole file.
    text: &'a str,
    file: FileId,
    flavor: Flavor,
    lexemes: &'a [Lexeme],
    /// Where this run ends, for complaints about what is missing.
    end: u32,
}

/// Splits the bytes `start..end` of a file into tokens, without spaces and comments.
pub(super) fn tokenize(text: &str, file: FileId, flavor: Flavor, (start, end): (usize, usize)) -> Read<Vec<Lexeme>> {
    let source = text.get(start..end).unwrap_or("");
    let dialect = flavor.dialect();
    let tokens = Tokenizer::new(&*dialect, source).tokenize_with_location().map_err(|error| Trouble {
        span: Span { file, start: start as u32, end: end as u32 },
        expected: error.message.to_lowercase(),
    })?;
    // The crate counts lines and characters; the file is walked once beside them to turn these into bytes.
    let (mut line, mut column, mut byte) = (1u64, 1u64, start);
    let mut rest = source.chars();
    let mut seek = |to: sqlparser::tokenizer::Location| {
        while (line, column) < (to.line, to.column) {
            let Some(c) = rest.next() else { break };
            byte += c.len_utf8();
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        byte as u32
    };
    let mut lexemes = vec![];
    for token in tokens {
        let start = seek(token.span.start);
        let end = seek(token.span.end);
        if !matches!(token.token, Token::Whitespace(_) | Token::EOF) {
            lexemes.push(Lexeme { token, start, end });
        }
    }
    Ok(lexemes)
}

impl Flavor {
    fn dialect(self) -> Box<dyn Dialect> {
        match self {
            Flavor::Postgres => Box::new(PostgreSqlDialect {}),
            Flavor::Tsql => Box::new(MsSqlDialect {}),
        }
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, file: FileId, flavor: Flavor, lexemes: &'a [Lexeme]) -> Cursor<'a> {
        Cursor { text, file, flavor, lexemes, end: lexemes.last().map_or(0, |l| l.end) }
    }

    pub(super) fn flavor(&self) -> Flavor {
        self.flavor
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lexemes.is_empty()
    }

    fn token(&self, ahead: usize) -> Option<&'a Token> {
        self.lexemes.get(ahead).map(|l| &l.token.token)
    }

    /// Returns all that is left of this run.
    pub(super) fn span(&self) -> Span {
        let start = self.lexemes.first().map_or(self.end, |l| l.start);
        Span { file: self.file, start, end: self.lexemes.last().map_or(self.end, |l| l.end) }
    }

    /// Returns the text of all that is left of this run.
    pub(super) fn source(&self) -> &'a str {
        let span = self.span();
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// Makes the complaint that something else should stand here.
    pub(super) fn trouble(&self, expected: impl Into<String>) -> Trouble {
        let span = self.span();
        let end = self.lexemes.first().map_or(self.end, |l| l.end);
        Trouble { span: Span { end, ..span }, expected: expected.into() }
    }

    /// Goes past one token.
    pub(super) fn skip(&mut self) {
        self.lexemes = self.lexemes.get(1..).unwrap_or(&[]);
    }

    /// Goes past one group, or else one token.
    pub(super) fn skip_one(&mut self) {
        if self.group().is_err() {
            self.skip_opening();
        }
    }

    /// Returns the part of this run that lies before `rest`, which must be what is left of it.
    pub(super) fn until(&self, rest: &Cursor<'a>) -> Cursor<'a> {
        let taken = self.lexemes.len().saturating_sub(rest.lexemes.len());
        Cursor { lexemes: self.lexemes.get(..taken).unwrap_or(&[]), end: rest.span().start, ..*self }
    }

    fn skip_many(&mut self, n: usize) {
        self.lexemes = self.lexemes.get(n..).unwrap_or(&[]);
    }

    /// Returns the unquoted word at `ahead` in upper case.
    pub(super) fn word(&self, ahead: usize) -> Option<String> {
        match self.token(ahead) {
            Some(Token::Word(Word { value, quote_style: None, .. })) => Some(value.to_ascii_uppercase()),
            _ => None,
        }
    }

    /// Tells whether these words stand here.
    pub(super) fn at(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(i, word)| self.lexemes.get(i).is_some_and(|l| is_word(l, word)))
    }

    /// Goes past these words if they stand here.
    pub(super) fn accept(&mut self, words: &[&str]) -> bool {
        let found = self.at(words);
        if found {
            self.skip_many(words.len());
        }
        found
    }

    /// Goes past this sign if it stands here.
    pub(super) fn accept_token(&mut self, token: &Token) -> bool {
        let found = self.token(0) == Some(token);
        if found {
            self.skip();
        }
        found
    }

    pub(super) fn at_group(&self) -> bool {
        self.token(0) == Some(&Token::LParen)
    }

    /// Reads a name; Postgres folds those without quotes to lower case and cuts them at its limit.
    pub(super) fn identifier(&mut self) -> Read<Spanned<String>> {
        let Some(Token::Word(word)) = self.token(0) else {
            return Err(self.trouble("a name"));
        };
        let span = self.trouble("").span;
        self.skip();
        Ok(Spanned::new(fold(word, self.flavor), span))
    }

    /// Reads a name with as many schemas and databases before it as there are.
    pub(super) fn qualified(&mut self) -> Read<Qualified> {
        let mut found = Qualified { schema: None, name: self.identifier()? };
        while self.accept_token(&Token::Period) {
            // T-SQL's `database..table` leaves the schema out.
            let schema = if self.accept_token(&Token::Period) { None } else { Some(found.name.value) };
            found = Qualified { schema, name: self.identifier()? };
        }
        Ok(found)
    }

    /// Reads a text literal.
    pub(super) fn text_literal(&mut self) -> Read<String> {
        let value = match self.token(0) {
            Some(Token::SingleQuotedString(s) | Token::NationalStringLiteral(s) | Token::EscapedStringLiteral(s)) => s.clone(),
            _ => return Err(self.trouble("a text in quotes")),
        };
        self.skip();
        Ok(value)
    }

    /// Reads a group in parentheses and returns what it holds.
    pub(super) fn group(&mut self) -> Read<Cursor<'a>> {
        if !self.at_group() {
            return Err(self.trouble("`(`"));
        }
        let mut depth = 0usize;
        for (i, lexeme) in self.lexemes.iter().enumerate() {
            match lexeme.token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inner = Cursor { lexemes: self.lexemes.get(1..i).unwrap_or(&[]), end: lexeme.start, ..*self };
                self.skip_many(i + 1);
                return Ok(inner);
            }
        }
        Err(Trouble { span: Span { end: self.end, ..self.span() }, expected: "a `)` for this `(`".into() })
    }

    /// Goes past a group if one stands here.
    pub(super) fn skip_group(&mut self) {
        if self.at_group() {
            let _ = self.group();
        }
    }

    /// Splits this run at the commas outside of its groups.
    pub(super) fn commas(&self) -> Vec<Cursor<'a>> {
        let mut rest = *self;
        let mut parts = vec![];
        while !rest.is_empty() {
            parts.push(rest.take_until(|c| c.token(0) == Some(&Token::Comma)));
            rest.skip();
        }
        parts
    }

    /// Takes the tokens before the first one outside of groups where `stop` holds.
    pub(super) fn take_until(&mut self, stop: impl Fn(&Cursor<'a>) -> bool) -> Cursor<'a> {
        let all = *self;
        while !self.is_empty() && !stop(self) {
            self.skip_one();
        }
        all.until(self)
    }

    /// Goes past one sign or word, also past brackets, whose commas do not split.
    fn skip_opening(&mut self) {
        if self.token(0) != Some(&Token::LBracket) {
            return self.skip();
        }
        let mut depth = 0usize;
        while let Some(token) = self.token(0) {
            match token {
                Token::LBracket => depth += 1,
                Token::RBracket => depth -= 1,
                _ => {}
            }
            self.skip();
            if depth == 0 {
                return;
            }
        }
    }

    /// Parses all that is left of this run as an expression.
    pub(super) fn expression(&self) -> Option<ast::Expr> {
        let dialect = self.flavor.dialect();
        // Postgres writes `TRIM(BOTH FROM c)`, of which the parser knows only `TRIM(BOTH c)`.
        let side = |i: usize| self.lexemes.get(i).is_some_and(|l| ["BOTH", "LEADING", "TRAILING"].iter().any(|w| is_word(l, w)));
        let kept = |(i, l): &(usize, &Lexeme)| !(is_word(l, "FROM") && i.checked_sub(1).is_some_and(side));
        let tokens = self.lexemes.iter().enumerate().filter(kept).map(|(_, l)| l.token.clone()).collect();
        let mut parser = Parser::new(&*dialect).with_tokens_with_locations(tokens);
        let parsed = parser.parse_expr().ok()?;
        (parser.peek_token_ref().token == Token::EOF).then_some(parsed)
    }
}

/// Tells whether a token is this word, without quotes.
fn is_word(lexeme: &Lexeme, word: &str) -> bool {
    matches!(&lexeme.token.token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(word))
}

/// Returns a name as the target keeps it.
pub(super) fn fold(word: &Word, flavor: Flavor) -> String {
    match (flavor, word.quote_style) {
        (Flavor::Postgres, None) => clip(&word.value.to_ascii_lowercase(), LIMIT).to_string(),
        (Flavor::Postgres, Some(_)) => clip(&word.value, LIMIT).to_string(),
        (Flavor::Tsql, _) => word.value.clone(),
    }
}
