//! Counts a row and the words that it has in one number, so that the first row of a group brings its texts along: fetching them by a join
//! would read all rows, and hold all groups, once more.
//!
//! In: values of a relation that carries numbers. Out: a number in the order of the rows, and the values as they follow from it. Does not
//! know about groups.

use std::collections::{BTreeMap, BTreeSet};

use super::carried::{Carried, Carry};
use super::judge::source;
use super::session::{Session, quote};
use crate::diagnostics::Span;
use crate::error::Error;
use crate::expr::{BinaryOp, Expr, ExprKind};
use crate::relation::{ROW, number_of};
use crate::types::DataType;

/// The most combinations of words: what a number has besides the row.
const MOST: u64 = 1 << 20;

/// What a number of the engine's holds.
const ROOM: u64 = i64::MAX as u64;

/// Values that follow from one number.
pub struct Packed {
    digits: BTreeMap<String, Digit>,
    /// How many combinations of words there are: the number divided by it is that of the row.
    combinations: u64,
    values: Vec<(String, String, Carry)>,
}

/// A column's word, counted from one; zero is NULL.
struct Digit {
    words: BTreeSet<String>,
    /// How many combinations the columns have that come after it.
    after: u64,
}

impl Packed {
    /// Packs values of a relation and the number of their row; `None` where they are made of anything but words, or do not fit.
    pub fn of(input: &Carried, values: &[(String, Expr)], session: &Session) -> Result<Option<Packed>, Error> {
        let mut packed = Packed { digits: BTreeMap::new(), combinations: 1, values: vec![] };
        for (name, value) in values {
            let Some((column, mut carry)) = input.follows(value).filter(|(_, carry)| !carry.counted) else { return Ok(None) };
            if !packed.digits.contains_key(column) {
                let digit = Digit { words: carry.words.clone(), after: packed.combinations };
                packed.combinations *= carry.words.len() as u64 + 1;
                packed.digits.insert(column.to_string(), digit);
            }
            if packed.combinations > MOST {
                return Ok(None);
            }
            carry.counted = true;
            packed.values.push((name.clone(), column.to_string(), carry));
        }
        let last = session.number(&format!("SELECT max({}) FROM {}", quote(ROW), source(&input.relation)?))?;
        Ok((last < ROOM / packed.combinations - 1).then_some(packed))
    }

    /// The number, in the order of the rows.
    pub fn number(&self, span: Span) -> Expr {
        let count = |n: u64| Expr::number(n, span);
        self.digits.iter().fold(
            Expr::column(ROW, span).binary(BinaryOp::Multiply, count(self.combinations)),
            |sum, (column, digit)| {
                // By itself it is a byte, and so would be whatever it is multiplied with.
                let code = Expr::call("enum_code", vec![Expr::column(number_of(column), span)], span).cast(DataType::BigInt);
                let code = Expr::call("coalesce", vec![code.binary(BinaryOp::Add, count(1)), count(0)], span);
                sum.binary(BinaryOp::Add, code.binary(BinaryOp::Multiply, count(digit.after)))
            },
        )
    }

    /// The number of the row, from the one that it is packed in.
    pub fn row(&self, number: &Expr) -> Expr {
        number.clone().binary(BinaryOp::IntegerDivide, Expr::number(self.combinations, number.span))
    }

    /// The values' names and texts from the number that they are packed in, and the numbers that the texts follow from.
    pub fn values(&self, number: &Expr) -> Vec<(String, Expr, Expr, Carry)> {
        let span = number.span;
        let value = |(name, column, carry): &(String, String, Carry)| {
            let digit = self.digits.get(column)?;
            let words = digit.words.iter().map(|word| Expr::text(word, span)).collect();
            let counted = number
                .clone()
                .binary(BinaryOp::IntegerDivide, Expr::number(digit.after, span))
                .binary(BinaryOp::Modulo, Expr::number(digit.words.len() + 1, span));
            let list = Box::new(Expr::new(ExprKind::List(words), span));
            // A list has nothing at zero.
            let word = Expr::new(ExprKind::Subscript(list, Box::new(counted.clone())), span);
            Some((name.clone(), carry.made_of(&word), counted, carry.clone()))
        };
        self.values.iter().filter_map(value).collect()
    }
}
