//! Values of keys on their way to a server of the SQL Server family and back, by the types of its columns.
//!
//! In: a column as the catalog tells it, and texts of the engine. Out: the text that the server reads as that type, and what reads and tells it.
//! What the type cannot hold is told apart here where the server would take it for another value (an empty text for zero, 1.555 for 1.56).
//! Does not know about questions.

/// A column of the target.
pub struct Typed {
    pub name: String,
    /// The type without its sizes; of an alias, the type below it. Empty where it is one of an assembly.
    pub data_type: String,
    /// In bytes, -1 without a limit.
    length: i32,
    digits: u32,
    scale: usize,
    collation: String,
}

/// What a type is, as far as its values are concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Bytes,
    Bit,
    /// Digits, with as many after the point as the scale says.
    Exact,
    Floating,
    Uuid,
    Date,
    Time,
    /// A date with a time; the older types round it in their own way.
    Moment,
    OldMoment,
    Instant,
}

impl Typed {
    /// Reads name, type, bytes, digits, scale and collation.
    pub fn of(row: &[Option<String>]) -> Typed {
        let text = |place: usize| row.get(place).and_then(Option::as_deref).unwrap_or("");
        let collation: String = text(5).chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        Typed {
            name: text(0).to_string(),
            data_type: text(1).to_lowercase(),
            length: text(2).parse().unwrap_or(-1),
            digits: text(3).parse().unwrap_or(0),
            scale: text(4).parse().unwrap_or(0),
            collation,
        }
    }

    fn kind(&self) -> Option<Kind> {
        Some(match self.data_type.as_str() {
            "char" | "varchar" | "nchar" | "nvarchar" if !self.collation.is_empty() => Kind::Text,
            "binary" | "varbinary" => Kind::Bytes,
            "bit" => Kind::Bit,
            "tinyint" | "smallint" | "int" | "bigint" | "decimal" | "numeric" | "money" | "smallmoney" => Kind::Exact,
            "real" | "float" => Kind::Floating,
            "uniqueidentifier" => Kind::Uuid,
            "date" => Kind::Date,
            "time" => Kind::Time,
            "datetime2" => Kind::Moment,
            "datetime" | "smalldatetime" => Kind::OldMoment,
            "datetimeoffset" => Kind::Instant,
            _ => return None,
        })
    }

    /// Whether keys of the type can be asked for.
    pub fn is_known(&self) -> bool {
        self.kind().is_some()
    }

    /// The text that the server reads as the value; nothing where no value of the type is it.
    pub fn sent(&self, text: &str) -> Option<String> {
        match self.kind()? {
            Kind::Text => (!text.contains('\0')).then(|| text.to_string()),
            Kind::Bytes => text.strip_prefix("\\x").map(str::to_string),
            Kind::Bit => match text {
                "true" | "1" => Some("1".to_string()),
                "false" | "0" => Some("0".to_string()),
                _ => None,
            },
            Kind::Exact => exact(text, self.scale),
            Kind::Floating => text.parse::<f64>().is_ok_and(f64::is_finite).then(|| text.to_string()),
            Kind::Uuid => {
                let shaped = text.len() == 36 && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
                shaped.then(|| text.to_string())
            }
            Kind::Time => time(text, Some(self.scale)),
            Kind::Date => {
                let (date, time) = moment(text, Some(0))?;
                (time == "00:00:00").then_some(date)
            }
            Kind::Moment => moment(text, Some(self.scale)).map(|(date, time)| format!("{date}T{time}")),
            Kind::OldMoment => moment(text, None).map(|(date, time)| format!("{date}T{time}")),
            Kind::Instant => moment(text, Some(self.scale)).map(|(date, time)| format!("{date}T{time}+00:00")),
        }
    }

    /// The type with its sizes.
    fn written(&self) -> String {
        let name = self.data_type.as_str();
        match name {
            "char" | "varchar" | "nchar" | "nvarchar" | "binary" | "varbinary" if self.length < 0 => format!("{name}(max)"),
            "nchar" | "nvarchar" => format!("{name}({})", self.length / 2),
            "char" | "varchar" | "binary" | "varbinary" => format!("{name}({})", self.length),
            "decimal" | "numeric" => format!("{name}({}, {})", self.digits, self.scale),
            "time" | "datetime2" | "datetimeoffset" => format!("{name}({})", self.scale),
            _ => name.to_string(),
        }
    }

    /// What reads a text as the type: NULL where it cannot.
    pub fn read(&self, text: &str) -> String {
        let written = self.written();
        match self.kind() {
            // The collation of what is converted is that of the result, and its code page.
            Some(Kind::Text) => format!("TRY_CONVERT({written}, {text} COLLATE {})", self.collation),
            Some(Kind::Bytes) => format!("TRY_CONVERT({written}, {text}, 2)"),
            Some(Kind::OldMoment) => format!("TRY_CONVERT({written}, TRY_CONVERT(datetime2(7), {text}))"),
            _ => format!("TRY_CONVERT({written}, {text})"),
        }
    }

    /// Holds where a text was read without anything cut or replaced.
    pub fn is_whole(&self, text: &str, value: &str) -> String {
        match self.kind() {
            Some(Kind::Text) => format!("{value} = {text} COLLATE {}", self.collation),
            Some(Kind::Bytes) => format!("{value} = TRY_CONVERT(varbinary(max), {text}, 2)"),
            _ => format!("{value} IS NOT NULL"),
        }
    }

    /// What tells a value as a text that the engine reads.
    pub fn told(&self, value: &str) -> String {
        match (self.kind(), self.data_type.as_str()) {
            (Some(Kind::Bytes), _) => format!("CONVERT(nvarchar(max), {value}, 1)"),
            (Some(Kind::Floating), _) => format!("CONVERT(nvarchar(40), {value}, 3)"),
            (_, "money" | "smallmoney") => format!("CONVERT(nvarchar(40), {value}, 2)"),
            (Some(Kind::Date), _) => format!("CONVERT(nvarchar(10), {value}, 23)"),
            (Some(Kind::Moment | Kind::OldMoment), _) => format!("CONVERT(nvarchar(40), CONVERT(datetime2(6), {value}), 121)"),
            // The engine reads no offset behind a space.
            (Some(Kind::Instant), _) => {
                format!("CONVERT(nvarchar(40), CONVERT(datetime2(6), SWITCHOFFSET({value}, '+00:00')), 121) + N'+00'")
            }
            (Some(Kind::Time), _) => format!("CONVERT(nvarchar(16), CONVERT(time(6), {value}), 121)"),
            _ => format!("CONVERT(nvarchar(max), {value})"),
        }
    }
}

/// Digits without zeros at the end of the fraction; nothing where there are more than fit, or where a text is no plain number.
fn exact(text: &str, scale: usize) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let plain = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
    let sign = if text.starts_with('-') { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    (plain && fraction.len() <= scale).then(|| format!("{sign}{whole}{point}{fraction}"))
}

/// `23:59:59.5`, with at most so many digits after the point; nothing for another text.
fn time(text: &str, scale: Option<usize>) -> Option<String> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let shaped = is_shaped(clock, "00:00:00") && fraction.bytes().all(|b| b.is_ascii_digit());
    let point = if fraction.is_empty() { "" } else { "." };
    (shaped && scale.is_none_or(|scale| fraction.len() <= scale)).then(|| format!("{clock}{point}{fraction}"))
}

/// The date and the time of `2024-02-29`, `2024-02-29 12:00:00.5` or `2024-02-29 12:00:00+00`: the engine's clock is that of UTC.
fn moment(text: &str, scale: Option<usize>) -> Option<(String, String)> {
    let text = text.strip_suffix("+00").unwrap_or(text);
    let (date, clock) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let clock = time(clock, scale)?;
    is_shaped(date, "0000-00-00").then(|| (date.to_string(), clock))
}

/// Whether a text has digits where a pattern has zeros, and the pattern's characters elsewhere.
fn is_shaped(text: &str, pattern: &str) -> bool {
    let same = |(a, b): (u8, u8)| if b == b'0' { a.is_ascii_digit() } else { a == b };
    text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(data_type: &str, length: &str, digits: &str, scale: &str) -> Typed {
        let row = ["c", data_type, length, digits, scale, "Latin1_General_CI_AS"];
        Typed::of(&row.map(|value| Some(value.to_string())))
    }

    #[test]
    fn what_a_type_cannot_hold_is_not_sent() {
        let sent = |data_type: &str, scale: &str, text: &str| typed(data_type, "8", "9", scale).sent(text);
        for (data_type, scale, text, wanted) in [
            ("int", "0", "7.000", Some("7")),
            ("int", "0", "-7", Some("-7")),
            ("int", "0", "", None),
            ("int", "0", "7.5", None),
            ("int", "0", "1e3", None),
            ("decimal", "2", "1.550", Some("1.55")),
            ("decimal", "2", "1.555", None),
            ("bit", "0", "true", Some("1")),
            ("bit", "0", "", None),
            ("float", "0", "1e300", Some("1e300")),
            ("float", "0", "inf", None),
            ("uniqueidentifier", "0", "0e984725-c51c-4bf4-9960-e1c80e27aba0", Some("0e984725-c51c-4bf4-9960-e1c80e27aba0")),
            ("uniqueidentifier", "0", "0e984725-c51c-4bf4-9960-e1c80e27aba0more", None),
            ("varbinary", "0", "\\x00FF", Some("00FF")),
            ("varbinary", "0", "00FF", None),
            ("date", "0", "2024-02-29", Some("2024-02-29")),
            ("date", "0", "2024-02-29 00:00:00", Some("2024-02-29")),
            ("date", "0", "2024-02-29 00:00:01", None),
            ("date", "0", "", None),
            ("datetime2", "3", "2024-02-29 12:00:00.5", Some("2024-02-29T12:00:00.5")),
            ("datetime2", "3", "2024-02-29 12:00:00.0005", None),
            ("datetime2", "3", "2024-02-29", Some("2024-02-29T00:00:00")),
            ("datetime", "3", "2024-02-29 12:00:00.0005", Some("2024-02-29T12:00:00.0005")),
            ("datetimeoffset", "7", "2024-02-29 12:00:00.5+00", Some("2024-02-29T12:00:00.5+00:00")),
            ("time", "0", "23:59:59", Some("23:59:59")),
            ("time", "0", "24:00", None),
            ("nvarchar", "0", "a b ", Some("a b ")),
            ("nvarchar", "0", "a\0", None),
        ] {
            assert_eq!(sent(data_type, scale, text).as_deref(), wanted, "{data_type} {text}");
        }
        assert!(!typed("xml", "-1", "0", "0").is_known() && !typed("", "8", "0", "0").is_known());
    }

    #[test]
    fn values_are_told_as_the_engine_reads_them() {
        let told = |data_type: &str| typed(data_type, "8", "9", "3").told("v");
        assert_eq!(told("varbinary"), "CONVERT(nvarchar(max), v, 1)");
        assert_eq!(
            told("datetimeoffset"),
            "CONVERT(nvarchar(40), CONVERT(datetime2(6), SWITCHOFFSET(v, '+00:00')), 121) + N'+00'"
        );
        assert_eq!(told("datetime"), "CONVERT(nvarchar(40), CONVERT(datetime2(6), v), 121)");
        assert_eq!(told("int"), "CONVERT(nvarchar(max), v)");
    }

    #[test]
    fn types_have_their_sizes() {
        assert_eq!(typed("nvarchar", "120", "0", "0").read("x"), "TRY_CONVERT(nvarchar(60), x COLLATE Latin1_General_CI_AS)");
        assert_eq!(typed("varchar", "-1", "0", "0").read("x"), "TRY_CONVERT(varchar(max), x COLLATE Latin1_General_CI_AS)");
        assert_eq!(typed("decimal", "9", "12", "4").read("x"), "TRY_CONVERT(decimal(12, 4), x)");
        assert_eq!(typed("datetimeoffset", "10", "34", "3").read("x"), "TRY_CONVERT(datetimeoffset(3), x)");
        assert_eq!(typed("datetime", "8", "23", "3").read("x"), "TRY_CONVERT(datetime, TRY_CONVERT(datetime2(7), x))");
        assert_eq!(typed("binary", "8", "0", "0").read("x"), "TRY_CONVERT(binary(8), x, 2)");
    }
}
