//! Numbers as JSON writes them: how many digits they need, and their exact value as a decimal.
//!
//! In: the bytes of a valid JSON number. Nothing here goes by way of floating point. Does not know about shapes or columns.

use crate::types::DataType;

/// The most digits that a decimal holds.
const DIGITS: u32 = 38;

/// What all numbers at one place need.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    /// Some were written with a fraction or an exponent.
    fraction: bool,
    /// Some whole number is outside of 64 bits.
    beyond: bool,
    /// Digits before the point.
    whole: u32,
    /// Digits behind the point, as written.
    scale: u32,
    /// Digits behind the point without zeros at the end.
    exact: u32,
}

impl Numbers {
    pub(super) fn add(&mut self, written: &[u8]) {
        let digits = written.strip_prefix(b"-").unwrap_or(written);
        if digits.iter().all(u8::is_ascii_digit) {
            self.whole = self.whole.max(u32::try_from(digits.len()).unwrap_or(u32::MAX));
            // Eighteen digits always fit.
            self.beyond |= digits.len() > 18 && integer(written).is_none();
            return;
        }
        self.fraction = true;
        let parts = Parts::new(written);
        let (significant, zeros) = parts.significant();
        let clamp = |n: i64| u32::try_from(n.max(0)).unwrap_or(u32::MAX);
        self.scale = self.scale.max(clamp(parts.exponent.saturating_neg()));
        if significant > 0 {
            self.whole = self.whole.max(clamp(parts.exponent.saturating_add(significant)));
            self.exact = self.exact.max(clamp(parts.exponent.saturating_add(zeros).saturating_neg()));
        }
    }

    pub(super) fn merge(&mut self, other: &Numbers) {
        self.fraction |= other.fraction;
        self.beyond |= other.beyond;
        self.whole = self.whole.max(other.whole);
        self.scale = self.scale.max(other.scale);
        self.exact = self.exact.max(other.exact);
    }

    /// Returns the narrowest type that holds every value exactly; text if none does.
    pub(super) fn data_type(&self) -> DataType {
        if !self.fraction {
            return match (self.beyond, self.whole) {
                (false, _) => DataType::BigInt,
                (true, 0..=DIGITS) => DataType::Decimal(Some((DIGITS as u8, 0))),
                (true, _) => DataType::Text,
            };
        }
        // Zeros at the end are kept, as authors expect of money, unless only without them the values fit.
        match [self.scale, self.exact].into_iter().find(|scale| self.whole.saturating_add(*scale) <= DIGITS) {
            Some(scale) => {
                let precision = (self.whole.max(1) + scale).min(DIGITS);
                DataType::Decimal(Some((precision as u8, scale as u8)))
            }
            None => DataType::Text,
        }
    }
}

/// Reads a whole number.
pub(super) fn integer(written: &[u8]) -> Option<i64> {
    std::str::from_utf8(written).ok()?.parse().ok()
}

/// Reads a number as a count of units of `10^-scale`; `None` if it is not a whole count, or too large.
pub(super) fn decimal(written: &[u8], scale: i8) -> Option<i128> {
    let parts = Parts::new(written);
    let shift = parts.exponent.saturating_add(i64::from(scale));
    let all = (parts.whole.len() + parts.fraction.len()) as i64;
    // Digits beyond the scale must be zeros.
    let taken = usize::try_from(all + shift.min(0)).unwrap_or(0);
    let mut value: i128 = 0;
    let mut short: u64 = 0;
    for (i, digit) in parts.whole.iter().chain(parts.fraction).enumerate() {
        let digit = digit - b'0';
        if i >= taken {
            if digit != 0 {
                return None;
            }
        } else if i < 18 {
            short = short * 10 + u64::from(digit);
        } else {
            let before = if i == 18 { i128::from(short) } else { value };
            value = before.checked_mul(10)?.checked_add(i128::from(digit))?;
        }
    }
    if taken <= 18 {
        value = i128::from(short);
    }
    if shift > 0 && value != 0 {
        value = value.checked_mul(10i128.checked_pow(u32::try_from(shift).ok()?)?)?;
    }
    Some(if parts.negative { -value } else { value })
}

/// A number's digits: `whole` and `fraction` in a row, times ten to the `exponent`.
struct Parts<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Parts<'a> {
    fn new(written: &'a [u8]) -> Parts<'a> {
        let digits = written.strip_prefix(b"-").unwrap_or(written);
        let (mantissa, power) = split(digits, |b| b == b'e' || b == b'E');
        let (whole, fraction) = split(mantissa, |b| b == b'.');
        let exponent = exponent(power).saturating_sub_unsigned(fraction.len() as u64);
        Parts { negative: digits.len() < written.len(), whole, fraction, exponent }
    }

    /// Counts the digits from the first to the last that is not a zero, with the zeros behind; and those zeros.
    fn significant(&self) -> (i64, i64) {
        let digits = || self.whole.iter().chain(self.fraction);
        let all = (self.whole.len() + self.fraction.len()) as i64;
        let leading = digits().take_while(|d| **d == b'0').count() as i64;
        let trailing = digits().rev().take_while(|d| **d == b'0').count() as i64;
        (all - leading, trailing)
    }
}

fn split(bytes: &[u8], at: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    match bytes.iter().position(|b| at(*b)) {
        Some(i) => (bytes.get(..i).unwrap_or_default(), bytes.get(i + 1..).unwrap_or_default()),
        None => (bytes, &[]),
    }
}

fn exponent(power: &[u8]) -> i64 {
    let (negative, digits) = match power {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let size = digits.iter().fold(0i64, |n, d| n.saturating_mul(10).saturating_add(i64::from(d - b'0')));
    // Far beyond every decimal, and far from overflow.
    let size = size.min(1 << 40);
    if negative { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(numbers: &[&str]) -> String {
        let mut all = Numbers::default();
        numbers.iter().for_each(|n| all.add(n.as_bytes()));
        all.data_type().to_string()
    }

    #[test]
    fn types_hold_every_value() {
        assert_eq!(kind(&["1", "-9223372036854775808"]), "bigint");
        assert_eq!(kind(&["9223372036854775808"]), "decimal(38,0)");
        assert_eq!(kind(&["123456789012345678901234567890123456789"]), "text");
        assert_eq!(kind(&["0.62", "72"]), "decimal(4,2)");
        assert_eq!(kind(&["1.10", "-100"]), "decimal(5,2)");
        assert_eq!(kind(&["0.5"]), "decimal(2,1)");
        assert_eq!(kind(&["1e5"]), "decimal(6,0)");
        assert_eq!(kind(&["1.5E-3"]), "decimal(5,4)");
        assert_eq!(kind(&["1e38"]), "text");
        assert_eq!(kind(&["1e-38"]), "decimal(38,38)");
        assert_eq!(kind(&["1e-39"]), "text");
        assert_eq!(kind(&["0.0", "0e999999999999999999999", "0e-99999999999999999999999"]), "decimal(1,0)");
        assert_eq!(kind(&["1.00000000000000000000000000000000000000000000"]), "decimal(1,0)");
        assert_eq!(kind(&["99999999999999999999999999999999999999", "0.1"]), "text");
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal(b"-1.10", 2), Some(-110));
        assert_eq!(decimal(b"72", 2), Some(7200));
        assert_eq!(decimal(b"1.5E-3", 4), Some(15));
        assert_eq!(decimal(b"120e-1", 0), Some(12));
        assert_eq!(decimal(b"0e999999999", 3), Some(0));
        assert_eq!(decimal(b"0.05", 1), None);
        assert_eq!(decimal(b"1.000000000000000000000000000000000000000000000", 0), Some(1));
        assert_eq!(decimal(b"12345678901234567890.123456789012345678", 18), Some(12345678901234567890123456789012345678));
        assert_eq!(decimal(b"123456789012345678", 0), Some(123456789012345678));
        assert_eq!(decimal(b"1234567890123456789", 0), Some(1234567890123456789));
    }
}
