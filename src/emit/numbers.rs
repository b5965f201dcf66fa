//! Numbers as text, without allocating.
//!
//! In: integers, scaled decimals, floating point numbers. Out: their digits, appended. Decimals never pass through floating
//! point; floating point numbers get the fewest digits that read back as the same number. Does not know about databases.

use std::io::Write;

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Appends a signed integer.
pub fn integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(value.unsigned_abs(), out);
}

/// Appends an unsigned integer.
pub fn unsigned(value: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let start = fill(value, &mut digits);
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// Writes the digits at the end of the buffer and returns where they start.
fn fill(mut value: u64, digits: &mut [u8; 20]) -> usize {
    let mut at = digits.len();
    while value >= 10 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        digits[at] = PAIRS[pair];
        digits[at + 1] = PAIRS[pair + 1];
    }
    // A single digit is left, or the zero of an even number of digits, which is only written if it is all there is.
    if value > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + value as u8;
    }
    at
}

/// Appends two digits.
pub fn pair(value: u32, out: &mut Vec<u8>) {
    let at = (value % 100) as usize * 2;
    out.extend_from_slice(&[PAIRS[at], PAIRS[at + 1]]);
}

/// Appends `value / 10^scale` with exactly `scale` digits after the point.
pub fn decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let start = out.len();
    wide(value.unsigned_abs(), out);
    if scale < 0 {
        if value != 0 {
            out.resize(out.len() + usize::from(scale.unsigned_abs()), b'0');
        }
        return;
    }
    let scale = scale.unsigned_abs() as usize;
    if scale == 0 {
        return;
    }
    let length = out.len() - start;
    if length <= scale {
        let missing = scale + 1 - length;
        out.splice(start..start, std::iter::repeat_n(b'0', missing));
    }
    out.insert(out.len() - scale, b'.');
}

fn wide(value: u128, out: &mut Vec<u8>) {
    const CHUNK: u128 = 10_000_000_000_000_000_000;
    if let Ok(small) = u64::try_from(value) {
        return unsigned(small, out);
    }
    wide(value / CHUNK, out);
    let mut digits = [b'0'; 20];
    fill((value % CHUNK) as u64, &mut digits);
    // Nineteen digits, the leading zeros with them.
    out.extend_from_slice(&digits[1..]);
}

/// Appends a double; infinities and NaN in Postgres's words.
pub fn double(value: f64, out: &mut Vec<u8>) {
    let size = value.abs();
    if let Some(word) = special(value.is_nan(), value.is_infinite(), value < 0.0) {
        out.extend_from_slice(word);
    } else if size != 0.0 && !(1e-5..1e15).contains(&size) {
        // Writing to memory cannot fail.
        let _ = write!(out, "{value:e}");
    } else {
        let _ = write!(out, "{value}");
    }
}

/// Appends a single precision number.
pub fn real(value: f32, out: &mut Vec<u8>) {
    let size = value.abs();
    if let Some(word) = special(value.is_nan(), value.is_infinite(), value < 0.0) {
        out.extend_from_slice(word);
    } else if size != 0.0 && !(1e-5..1e7).contains(&size) {
        let _ = write!(out, "{value:e}");
    } else {
        let _ = write!(out, "{value}");
    }
}

fn special(nan: bool, infinite: bool, negative: bool) -> Option<&'static [u8]> {
    match (nan, infinite, negative) {
        (true, _, _) => Some(b"NaN"),
        (_, true, false) => Some(b"Infinity"),
        (_, true, true) => Some(b"-Infinity"),
        _ => None,
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
    fn integers_read_as_the_standard_library_writes_them() {
        for power in 0..19_u32 {
            for near in [-1, 0, 1] {
                for sign in [-1, 1] {
                    let value = sign * (10_i64.pow(power) + near);
                    assert_eq!(shown(|o| integer(value, o)), value.to_string());
                }
            }
        }
        for value in [0, 7, 10, 100, 1000, i64::MAX, i64::MIN] {
            assert_eq!(shown(|o| integer(value, o)), value.to_string());
        }
        assert_eq!(shown(|o| unsigned(u64::MAX, o)), u64::MAX.to_string());
    }

    #[test]
    fn decimals_keep_their_scale() {
        for (value, scale, text) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (-150, 2, "-1.50"),
            (123_456, 3, "123.456"),
            (1, 38, "0.00000000000000000000000000000000000001"),
            (7, -3, "7000"),
        ] {
            assert_eq!(shown(|o| decimal(value, scale, o)), text);
        }
        let nines = 99_999_999_999_999_999_999_999_999_999_999_999_999_i128;
        for value in [nines, -nines, i128::MAX, i128::MIN, 10_i128.pow(19), 10_i128.pow(20) + 7, 10_i128.pow(38)] {
            assert_eq!(shown(|o| decimal(value, 0, o)), value.to_string());
        }
    }

    #[test]
    fn floating_point_numbers_read_back_as_themselves() {
        let tries = [0.0, -0.0, 0.1, 1e15, 1e14, 1e-5, 9.9e-6, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1.0 / 3.0, -123_456.789];
        for value in tries {
            let text = shown(|o| double(value, o));
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
            assert!(text.len() < 26, "{text}");
        }
        assert_eq!(shown(|o| double(f64::NEG_INFINITY, o)), "-Infinity");
        assert_eq!(shown(|o| real(0.1, o)), "0.1");
        assert_eq!(shown(|o| real(f32::NAN, o)), "NaN");
    }
}
