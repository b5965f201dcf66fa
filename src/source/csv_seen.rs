//! What the values of a delimited column could be: counted one by one, by the patterns that the engine uses for all of them.
//!
//! In: texts. Out: how many of them are booleans, whole numbers, decimals, dates and timestamps. It may take a time for one that the engine
//! refuses, never the other way round. Does not know which type follows.

/// The counts of one column.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    values: u64,
    booleans: u64,
    wholes: u64,
    decimals: u64,
    /// The most digits before and behind the point.
    before: u64,
    after: u64,
    dates: u64,
    timestamps: u64,
}

impl Seen {
    /// Looks at one more value.
    pub fn add(&mut self, text: &str) {
        self.values += 1;
        let bytes = text.as_bytes();
        match bytes.first() {
            Some(b't' | b'f') => self.booleans += u64::from(text == "true" || text == "false"),
            Some(b'-' | b'0'..=b'9') => {
                if let Some((before, after)) = digits(bytes) {
                    self.decimals += 1;
                    self.before = self.before.max(before);
                    self.after = self.after.max(after);
                    self.wholes += u64::from(!bytes.contains(&b'.') && text.parse::<i64>().is_ok());
                } else if is_date(bytes) {
                    self.dates += 1;
                } else if is_timestamp(bytes) {
                    self.timestamps += 1;
                }
            }
            _ => {}
        }
    }

    /// In the order in which the engine counts them.
    pub fn numbers(&self) -> [u64; 8] {
        [self.values, self.booleans, self.wholes, self.decimals, self.before, self.after, self.dates, self.timestamps]
    }
}

/// The digits before and behind the point of a number without leading zeros.
fn digits(bytes: &[u8]) -> Option<(u64, u64)> {
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let before = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let after = match bytes.get(before..)? {
        [] => 0,
        [b'.', fraction @ ..] if !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit) => fraction.len(),
        _ => return None,
    };
    (before == 1 || before > 1 && bytes.first() != Some(&b'0')).then_some((before as u64, after as u64))
}

/// `2024-02-29`
fn is_date(bytes: &[u8]) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return false };
    let number = |digits: &[u8]| digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + u32::from(d - b'0')));
    let (Some(year), Some(month), Some(day)) = (number(&[y1, y2, y3, y4]), number(&[m1, m2]), number(&[d1, d2])) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// `2024-02-29 12:00:00.5`, also with a `T`.
fn is_timestamp(bytes: &[u8]) -> bool {
    let Some((date, [b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2, fraction @ ..])) = bytes.split_at_checked(10) else {
        return false;
    };
    let below = |tens: u8, ones: u8, limit: u8| {
        tens.is_ascii_digit() && ones.is_ascii_digit() && (tens - b'0') * 10 + (ones - b'0') < limit
    };
    let fraction_fits = match fraction {
        [] => true,
        [b'.', digits @ ..] => (1..=6).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_date(date) && below(*h1, *h2, 25) && below(*m1, *m2, 60) && below(*s1, *s2, 61) && fraction_fits
}

#[cfg(test)]
mod tests {
    use super::Seen;

    fn counted(texts: &[&str]) -> [u64; 8] {
        let mut seen = Seen::default();
        texts.iter().for_each(|text| seen.add(text));
        seen.numbers()
    }

    #[test]
    fn values_are_counted_as_the_engine_counts_them() {
        assert_eq!(counted(&["true", "false", "True", "t"]), [4, 2, 0, 0, 0, 0, 0, 0]);
        assert_eq!(counted(&["0", "-0", "12", "-9223372036854775808", "9223372036854775808"]), [5, 0, 4, 5, 19, 0, 0, 0]);
        assert_eq!(counted(&["1.50", "-0.125", "10"]), [3, 0, 1, 3, 2, 3, 0, 0]);
        assert_eq!(
            counted(&["007", "1.", ".5", "-", "", "+1", "1e3", "0x1", " 1", "1.2.3", "--1", "\u{0663}"]),
            [12, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(counted(&["2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"]), [4, 0, 0, 0, 0, 0, 4, 0]);
        assert_eq!(
            counted(&["2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-04-31", "2024-1-01", "20240101x"]),
            [7, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(counted(&["2024-02-29 23:59:59", "2024-02-29T00:00:00.123456"]), [2, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(
            counted(&[
                "2024-02-29 23:60:00",
                "2024-02-30 00:00:00",
                "2024-02-29 00:00:00.",
                "2024-02-29 00:00:00.1234567",
                "2024-02-29 1:00:00"
            ]),
            [5, 0, 0, 0, 0, 0, 0, 0]
        );
    }
}
