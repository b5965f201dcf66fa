//! Rows on their way out, in the form of PostgreSQL's binary COPY, so that every kind of database sends the same bytes for the same values.
//!
//! In: the driver's values, row by row. Out: bytes. Nothing goes by way of text or floating point, and what this form cannot hold is an
//! error that names the columns. Source: PostgreSQL 15 manual, COPY (binary format). Does not know about statements.

use tiberius::numeric::Numeric;
use tiberius::time::{Date, DateTime2, Time};
use tiberius::{ColumnData, Row};

use crate::error::Error;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// The number of columns of the row that is none.
const END: i16 = -1;
/// From the year 1 to 2000, where the form's clock starts.
const DAYS: i64 = 730_119;
const DAY: i64 = 86_400_000_000;

/// Collects rows.
pub struct Copy {
    bytes: Vec<u8>,
    rows: u64,
}

/// Why a value cannot be sent.
enum Unsent {
    /// Its time has a digit beyond microseconds; the type that leaves it out.
    Fine(&'static str),
    Kind(&'static str),
}

impl Copy {
    pub fn new() -> Copy {
        Copy { bytes: HEADER.to_vec(), rows: 0 }
    }

    /// How many bytes wait to be taken.
    pub fn waiting(&self) -> usize {
        self.bytes.len()
    }

    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    pub fn end(&mut self) {
        self.bytes.extend(END.to_be_bytes());
    }

    pub fn add(&mut self, row: &Row) -> Result<(), Error> {
        self.rows += 1;
        self.bytes.extend((row.len() as i16).to_be_bytes());
        let mut unsent = vec![];
        for (column, value) in row.cells() {
            let at = self.bytes.len();
            self.bytes.extend((-1_i32).to_be_bytes());
            match self.value(value) {
                Ok(true) => {
                    let length = (self.bytes.len() - at - 4) as i32;
                    if let Some(place) = self.bytes.get_mut(at..at + 4) {
                        place.copy_from_slice(&length.to_be_bytes());
                    }
                }
                Ok(false) => {}
                Err(why) => unsent.push((column.name().to_string(), why)),
            }
        }
        if unsent.is_empty() { Ok(()) } else { Err(self.refused(&unsent)) }
    }

    fn refused(&self, unsent: &[(String, Unsent)]) -> Error {
        let names: Vec<String> = unsent.iter().map(|(name, _)| format!("`{name}`")).collect();
        let columns = format!("column{} {}, row {}", if names.len() > 1 { "s" } else { "" }, names.join(", "), self.rows);
        let pins = |of: &dyn Fn(&'static str) -> &'static str| {
            let pin = |(name, why): &(String, Unsent)| match why {
                Unsent::Fine(data_type) | Unsent::Kind(data_type) => format!("{name}: {}", of(data_type)),
            };
            unsent.iter().map(pin).collect::<Vec<_>>().join(", ")
        };
        if let Some((_, Unsent::Kind(kind))) = unsent.iter().find(|(_, why)| matches!(why, Unsent::Kind(_))) {
            return Error::new("X0604", format!("{columns}: values of type `{kind}` are not read"))
                .help("Convert them in a `query`: `SELECT CONVERT(nvarchar(max), c) AS c ...`.");
        }
        Error::new("X0604", format!("{columns}: the time has a seventh digit after the second, and six can be held")).help(
            format!(
                "Have the server round it, `columns: {{{}}}`, or read it in the server's own words, `columns: {{{}}}`.",
                pins(&|data_type| data_type),
                pins(&|_| "text")
            ),
        )
    }

    /// Appends the bytes of a value; none for NULL, and then it is false.
    fn value(&mut self, value: &ColumnData) -> Result<bool, Unsent> {
        Ok(match value {
            ColumnData::Bit(v) => self.put(v.map(|v| [u8::from(v)])),
            ColumnData::U8(v) => self.put(v.map(|v| i16::from(v).to_be_bytes())),
            ColumnData::I16(v) => self.put(v.map(i16::to_be_bytes)),
            ColumnData::I32(v) => self.put(v.map(i32::to_be_bytes)),
            ColumnData::I64(v) => self.put(v.map(i64::to_be_bytes)),
            ColumnData::F32(v) => self.put(v.map(f32::to_be_bytes)),
            ColumnData::F64(v) => self.put(v.map(f64::to_be_bytes)),
            ColumnData::String(v) => self.put(v.as_ref().map(|v| v.as_bytes())),
            // A mark of the byte order is none of the document.
            ColumnData::Xml(v) => self.put(v.as_ref().map(|v| v.as_ref().as_ref().trim_start_matches('\u{feff}').as_bytes())),
            ColumnData::Guid(v) => self.put(v.as_ref().map(|v| v.as_bytes())),
            ColumnData::Binary(v) => self.put(v.as_ref()),
            ColumnData::Numeric(v) => self.put(v.map(numeric)),
            ColumnData::Date(v) => self.put(v.map(|v| (days(v) as i32).to_be_bytes())),
            ColumnData::Time(v) => {
                let time = v.map(|v| micros(v, "time")).transpose()?;
                self.put(time.map(i64::to_be_bytes))
            }
            ColumnData::DateTime2(v) => {
                let time = v.map(|v| instant(v, "timestamp")).transpose()?;
                self.put(time.map(i64::to_be_bytes))
            }
            ColumnData::DateTimeOffset(v) => {
                // The time is in UTC, whatever the offset behind it.
                let time = v.map(|v| instant(v.datetime2(), "timestamptz")).transpose()?;
                self.put(time.map(i64::to_be_bytes))
            }
            // Statements ask for `datetime2` instead.
            ColumnData::DateTime(_) | ColumnData::SmallDateTime(_) => return Err(Unsent::Kind("datetime")),
        })
    }

    fn put(&mut self, part: Option<impl AsRef<[u8]>>) -> bool {
        part.map(|part| self.bytes.extend(part.as_ref())).is_some()
    }
}

fn days(date: Date) -> i64 {
    i64::from(date.days()) - DAYS
}

fn micros(time: Time, rounded: &'static str) -> Result<i64, Unsent> {
    let (count, scale) = (time.increments(), u32::from(time.scale()));
    match scale {
        0..=6 => Ok((count * 10_u64.pow(6 - scale)) as i64),
        _ if count % 10 == 0 => Ok((count / 10) as i64),
        _ => Err(Unsent::Fine(rounded)),
    }
}

fn instant(moment: DateTime2, rounded: &'static str) -> Result<i64, Unsent> {
    Ok(days(moment.date()) * DAY + micros(moment.time(), rounded)?)
}

/// Writes digits to the base 10,000, of which the first stands for `10000 ^ weight`.
fn numeric(number: Numeric) -> Vec<u8> {
    let scale = usize::from(number.scale());
    let digits = format!("{:0width$}", number.value().unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let padded = format!("{}{whole}{fraction}{}", "0".repeat((4 - whole.len() % 4) % 4), "0".repeat((4 - scale % 4) % 4));
    let groups: Vec<i16> =
        padded.as_bytes().chunks(4).map(|group| group.iter().fold(0, |n, digit| n * 10 + i16::from(digit - b'0'))).collect();
    let weight = whole.len().div_ceil(4) as i16 - 1;
    let sign = if number.value() < 0 { 0x4000 } else { 0 };
    [groups.len() as i16, weight, sign, scale as i16].into_iter().chain(groups).flat_map(i16::to_be_bytes).collect()
}
