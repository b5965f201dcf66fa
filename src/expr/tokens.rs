//! The tokens of an expression's text, and where each stands.
//!
//! In: the text. Out: what sqlparser parses, a table that turns its lines and columns into spans, and an error for brackets that do not
//! match or nest so deep that no reader, and no recursive pass, could follow.
//! Does not know about the meaning of tokens beyond brackets and operators.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span as Lines, Token, TokenWithSpan, Tokenizer};

use super::dialect::EngineWords;
use crate::diagnostics::{Diagnostics, Span};

/// How deep brackets may nest; later passes recurse that deep.
const DEEPEST: usize = 100;

/// How many operators a chain such as `a + b + c` may have.
const LONGEST: usize = 500;

/// One token that is not white space, by its bytes.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    end: usize,
    /// The bracket that this token stands in.
    outer: Option<usize>,
    /// For a bracket, its other half.
    partner: Option<usize>,
    word: Option<Keyword>,
    cast: bool,
}

/// The table of tokens of one text.
#[derive(Debug, Default)]
pub struct Tokens {
    places: Vec<Place>,
    /// Of each line: the byte where it starts, and the byte of each of its characters where those differ from their number.
    lines: Vec<(usize, Option<Vec<usize>>)>,
    length: usize,
}

/// Splits a text into tokens; reports what cannot be one, and brackets that do not match.
pub fn tokenize(text: &str, span: Span, exact: bool, out: &mut Diagnostics) -> Option<(Vec<TokenWithSpan>, Tokens)> {
    let mut table = Tokens { places: vec![], lines: lines(text), length: text.len() };
    let at = |start: usize, length: usize| if exact { span.slice(start, length) } else { span };
    let tokens = match Tokenizer::new(&EngineWords, text).tokenize_with_location() {
        Ok(tokens) => tokens,
        Err(error) => {
            let start = table.byte(error.location);
            let message = error.message.trim_end_matches([' ', '.', ':']).to_lowercase();
            let diagnostic = out.error("E0310", at(start, text.len().saturating_sub(start).max(1)), message);
            diagnostic.help("A quote inside a text is written twice: 'it''s'.");
            return None;
        }
    };
    let mut open: Vec<(usize, Depth)> = vec![];
    let mut cases: Vec<Depth> = vec![];
    let mut depth = Depth::default();
    for token in &tokens {
        if matches!(token.token, Token::Whitespace(_) | Token::EOF) {
            continue;
        }
        let here = table.places.len();
        let (start, end) = (table.byte(token.span.start), table.byte(token.span.end));
        let word = if let Token::Word(word) = &token.token { Some(word.keyword) } else { None };
        let mut place =
            Place { start, end, outer: open.last().map(|o| o.0), partner: None, word, cast: token.token == Token::DoubleColon };
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                open.push((here, depth));
                depth = depth.inside();
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                let closes = open.last().and_then(|o| table.places.get(o.0).copied());
                let written = closes.and_then(|p| text.get(p.start..p.end)).unwrap_or("");
                let fits =
                    matches!((written, &token.token), ("(", Token::RParen) | ("[", Token::RBracket) | ("{", Token::RBrace));
                match (open.pop(), fits) {
                    (Some((opener, before)), true) => {
                        depth = before;
                        depth.operand = true;
                        // Each subscript is one more level.
                        depth.nested += usize::from(token.token == Token::RBracket);
                        place.partner = Some(opener);
                        place.outer = open.last().map(|o| o.0);
                        if let Some(p) = table.places.get_mut(opener) {
                            p.partner = Some(here);
                        }
                    }
                    (None, _) => {
                        let message = format!("`{}` closes nothing", token.token);
                        out.error("E0310", at(start, 1), message).help("Remove it, or write the bracket that it should close.");
                        return None;
                    }
                    (Some(_), false) => {
                        let message = format!("`{}` does not close the `{written}` before it", token.token);
                        let diagnostic = out.error("E0310", at(start, 1), message);
                        if let (true, Some(p)) = (exact, closes) {
                            diagnostic.label(span.slice(p.start, p.end - p.start), "opened here");
                        }
                        diagnostic.help("Close brackets in the order in which they were opened, the last one first.");
                        return None;
                    }
                }
            }
            Token::Word(word) if word.keyword == Keyword::CASE => {
                cases.push(depth);
                depth = depth.inside();
            }
            Token::Word(word) if word.keyword == Keyword::END => {
                depth = cases.pop().unwrap_or(depth);
                depth.operand = true;
            }
            other => depth.see(other),
        }
        table.places.push(place);
        if depth.too_deep() {
            let diagnostic = out.error("E0312", at(start, end - start), "this expression nests too deep");
            diagnostic
                .help(format!("At most {DEEPEST} brackets may lie within one another, and {LONGEST} operators make a chain."));
            diagnostic.help("A list after IN makes it flat, and so does a part that is computed in a `derive` of its own.");
            return None;
        }
    }
    if let Some(p) = open.pop().and_then(|(opener, _)| table.places.get(opener).copied()) {
        let written = text.get(p.start..p.end).unwrap_or("(");
        let message = format!("`{written}` is never closed");
        out.error("E0310", at(p.start, p.end - p.start), message).help("Write the closing bracket where this part ends.");
        return None;
    }
    Some((tokens, table))
}

/// How deep a tree the tokens so far can make.
#[derive(Clone, Copy, Default)]
struct Depth {
    /// Brackets, and operators with one operand, that the next token lies in.
    below: usize,
    nested: usize,
    /// AND and OR since the last comma, and other operators with two operands since the last of them.
    logical: usize,
    chain: usize,
    /// The chains outside.
    chains_below: usize,
    /// Whether a `-` now would be one between two operands.
    operand: bool,
}

impl Depth {
    fn too_deep(self) -> bool {
        self.below + self.nested > DEEPEST || self.chains() > LONGEST
    }

    fn chains(self) -> usize {
        self.chains_below + self.logical + self.chain
    }

    /// What holds after a bracket or CASE opens.
    fn inside(self) -> Depth {
        Depth { below: self.below + self.nested + 1, chains_below: self.chains(), ..Depth::default() }
    }

    /// What holds after a comma or THEN.
    fn next(self) -> Depth {
        Depth { below: self.below, chains_below: self.chains_below, ..Depth::default() }
    }

    fn see(&mut self, token: &Token) {
        let operand = std::mem::replace(&mut self.operand, false);
        match token {
            Token::Comma => *self = self.next(),
            Token::Word(word) => match word.keyword {
                Keyword::AND | Keyword::OR => {
                    *self = Depth { logical: self.logical + 1, ..*self }.without_chain();
                }
                Keyword::WHEN | Keyword::THEN | Keyword::ELSE => *self = self.next(),
                Keyword::NOT
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::BETWEEN
                | Keyword::LAMBDA => {
                    self.nested += 1;
                }
                Keyword::COLLATE | Keyword::AT | Keyword::INTERVAL | Keyword::NOTNULL => self.nested += 1,
                _ => self.operand = true,
            },
            Token::Period => self.operand = true,
            Token::Plus | Token::Minus if !operand => self.nested += 1,
            Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::DuckIntDiv | Token::Mod | Token::StringConcat => {
                self.chain += 1;
            }
            Token::Eq | Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq => self.chain += 1,
            Token::Number(..) | Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) => self.operand = true,
            _ => self.nested += 1,
        }
    }

    fn without_chain(self) -> Depth {
        Depth { chain: 0, nested: 0, ..self }
    }
}

/// Notes where each line starts, and its characters where they are not all one byte.
fn lines(text: &str) -> Vec<(usize, Option<Vec<usize>>)> {
    let mut start = 0;
    let mut lines = vec![];
    for line in text.split('\n') {
        let bytes = (!line.is_ascii()).then(|| line.char_indices().map(|(at, _)| at).chain([line.len()]).collect());
        lines.push((start, bytes));
        start += line.len() + 1;
    }
    lines
}

impl Tokens {
    /// Returns the byte of a line and column, both counted from one; the end of the text where there is none.
    pub fn byte(&self, location: Location) -> usize {
        let (Some(line), Some(column)) = (location.line.checked_sub(1), location.column.checked_sub(1)) else {
            return self.length;
        };
        let Some((start, bytes)) = self.lines.get(line as usize) else {
            return self.length;
        };
        let within = match bytes {
            Some(bytes) => bytes.get(column as usize).or(bytes.last()).copied().unwrap_or(0),
            None => column as usize,
        };
        (start + within).min(self.length)
    }

    /// Returns the bytes of what sqlparser says in lines and columns, or `None` where it does not know.
    pub fn bytes(&self, lines: Lines) -> Option<(usize, usize)> {
        let known = lines.start.line > 0 && lines.end.line > 0;
        known.then(|| (self.byte(lines.start), self.byte(lines.end)))
    }

    /// Returns the bytes of the token at a byte.
    pub fn token(&self, at: usize) -> Option<(usize, usize)> {
        self.places.get(self.index(at)?).map(|p| (p.start, p.end))
    }

    /// Returns the bracket around the token at a byte, with what stands before it if `keyword`.
    pub fn around(&self, at: usize, keyword: bool) -> Option<(usize, usize)> {
        let open = self.places.get(self.index(at)?)?.outer?;
        let end = self.places.get(self.places.get(open)?.partner?)?.end;
        let first = if keyword { open.checked_sub(1)? } else { open };
        Some((self.places.get(first)?.start, end))
    }

    /// Returns where the token before the one at a byte starts.
    pub fn before(&self, at: usize) -> Option<usize> {
        let index = self.index(at)?.checked_sub(1)?;
        self.places.get(index).map(|p| p.start)
    }

    /// Returns where the first token from a byte on ends.
    pub fn after(&self, end: usize) -> Option<usize> {
        let next = self.places.partition_point(|p| p.start < end);
        self.places.get(next).map(|p| p.end)
    }

    /// Returns the bytes of the last token.
    pub fn last(&self) -> (usize, usize) {
        self.places.last().map_or((0, self.length), |p| (p.start, p.end))
    }

    /// Returns where a call ends whose name is at a byte: after its brackets and the clauses that follow.
    pub fn call_end(&self, name: usize) -> Option<usize> {
        let mut at = self.index(name)?;
        let mut end = self.places.get(at)?.end;
        loop {
            let next = self.places.get(at + 1);
            let clause =
                next.is_some_and(|p| matches!(p.word, Some(Keyword::FILTER | Keyword::OVER | Keyword::WITHIN | Keyword::GROUP)));
            match next {
                Some(p) if clause => (at, end) = (at + 1, p.end),
                Some(p) => match p.partner.filter(|close| *close > at + 1) {
                    Some(close) if end > 0 && !self.is_bracket(at) => {
                        at = close;
                        end = self.places.get(close)?.end;
                    }
                    _ => return Some(end),
                },
                None => return Some(end),
            }
        }
    }

    /// Returns the end of the words that follow a byte, as long as they are among `words`, of at most `most`.
    pub fn words_end(&self, end: usize, words: &[Keyword], most: usize) -> Option<usize> {
        let first = self.places.partition_point(|p| p.start < end);
        let following = self.places.get(first..)?.iter().take(most);
        following.take_while(|p| p.word.is_some_and(|w| words.contains(&w))).last().map(|p| p.end)
    }

    /// Returns the end of the type after `::` after a byte.
    pub fn cast_end(&self, end: usize) -> Option<usize> {
        let first = self.places.partition_point(|p| p.start < end);
        let (colons, name) = (self.places.get(first)?, self.places.get(first + 1)?);
        if !colons.cast {
            return None;
        }
        let (mut at, mut end) = (first + 1, name.end);
        while let Some(close) = self.places.get(at + 1).and_then(|p| p.partner).filter(|close| *close > at + 1) {
            at = close;
            end = self.places.get(close)?.end;
        }
        Some(end)
    }

    fn is_bracket(&self, at: usize) -> bool {
        self.places.get(at).is_some_and(|p| p.partner.is_some())
    }

    fn index(&self, at: usize) -> Option<usize> {
        self.places.partition_point(|p| p.start <= at).checked_sub(1)
    }
}
