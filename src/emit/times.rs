//! Dates and times as ISO 8601 text with Postgres's words for what ISO lacks: `BC` and `infinity`.
//!
//! In: days and microseconds since 1970, in the proleptic Gregorian calendar. Out: their text, appended.
//! Does not know about zones: an instant is written in UTC.

use super::numbers;

const DAY: i64 = 86_400_000_000;

/// Appends a date: `2024-02-29`, `12024-02-29`, `0044-03-15 BC`, `infinity`.
pub fn date(days: i32, out: &mut Vec<u8>) {
    match days {
        i32::MAX => out.extend_from_slice(b"infinity"),
        // The engine's lowest is one above the type's lowest.
        i32::MIN | -2_147_483_647 => out.extend_from_slice(b"-infinity"),
        _ => {
            let before_christ = day(i64::from(days), out);
            era(before_christ, out);
        }
    }
}

/// Appends a time of day: `23:59:59.999999`, without the zeros at the end.
pub fn time(micros: i64, out: &mut Vec<u8>) {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    numbers::pair((seconds / 3600) as u32, out);
    out.push(b':');
    numbers::pair((seconds / 60 % 60) as u32, out);
    out.push(b':');
    numbers::pair((seconds % 60) as u32, out);
    if fraction > 0 {
        out.push(b'.');
        let (mut rest, mut unit) = (fraction, 100_000);
        while rest > 0 {
            out.push(b'0' + (rest / unit) as u8);
            rest %= unit;
            unit /= 10;
        }
    }
}

/// Appends a timestamp; a zoned one ends in `+00`.
pub fn timestamp(micros: i64, zoned: bool, out: &mut Vec<u8>) {
    match micros {
        i64::MAX => out.extend_from_slice(b"infinity"),
        i64::MIN | -9_223_372_036_854_775_807 => out.extend_from_slice(b"-infinity"),
        _ => {
            let before_christ = day(micros.div_euclid(DAY), out);
            out.push(b' ');
            time(micros.rem_euclid(DAY), out);
            if zoned {
                out.extend_from_slice(b"+00");
            }
            era(before_christ, out);
        }
    }
}

/// Appends year, month and day; tells whether the year is one before Christ.
fn day(days: i64, out: &mut Vec<u8>) -> bool {
    // Years that begin in March have their leap day at the end, and 400 of them always have as many days.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let shown = if year > 0 { year } else { 1 - year };
    for limit in [1_000, 100, 10] {
        if shown < limit {
            out.push(b'0');
        }
    }
    numbers::integer(shown, out);
    out.push(b'-');
    numbers::pair(month as u32, out);
    out.push(b'-');
    numbers::pair(day as u32, out);
    year <= 0
}

fn era(before_christ: bool, out: &mut Vec<u8>) {
    if before_christ {
        out.extend_from_slice(b" BC");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = vec![];
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_of_all_eras() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (-719_162, "0001-01-01"),
            (-719_163, "0001-12-31 BC"),
            (2_932_897, "10000-01-01"),
            (i32::MAX, "infinity"),
            (-i32::MAX, "-infinity"),
        ] {
            assert_eq!(shown(|o| date(days, o)), text);
        }
    }

    #[test]
    fn times_end_without_zeros() {
        assert_eq!(shown(|o| time(0, o)), "00:00:00");
        assert_eq!(shown(|o| time(86_400_000_000, o)), "24:00:00");
        assert_eq!(shown(|o| time(3_723_000_120, o)), "01:02:03.00012");
        assert_eq!(shown(|o| timestamp(-1, false, o)), "1969-12-31 23:59:59.999999");
        assert_eq!(shown(|o| timestamp(500_000, true, o)), "1970-01-01 00:00:00.5+00");
        assert_eq!(shown(|o| timestamp(-62_135_596_800_000_001, true, o)), "0001-12-31 23:59:59.999999+00 BC");
        assert_eq!(shown(|o| timestamp(i64::MAX, true, o)), "infinity");
    }
}
