//! What the rules say of columns; whether they say it of values is seen where the engine runs them.

use super::*;
use crate::contract::Generated;
use crate::diagnostics::SourceMap;

fn span() -> Span {
    Span { file: SourceMap::default().add("test", ""), start: 0, end: 0 }
}

fn column(data_type: DataType, type_name: Option<&str>) -> Column {
    Column {
        name: "c".into(),
        span: span(),
        data_type,
        type_name: type_name.map(str::to_string),
        not_null: false,
        default: None,
        generated: Generated::No,
        collation: None,
    }
}

fn rules(column: &Column) -> Vec<(&'static str, String)> {
    AzureSql.column_checks(column).iter().map(|d| (d.check.rule(), d.check.allowed())).collect()
}

#[test]
fn each_type_has_its_limits() {
    let allowed = |data_type, name| rules(&column(data_type, name)).into_iter().map(|(_, a)| a).collect::<Vec<_>>().join("; ");
    assert_eq!(
        allowed(DataType::Varchar(3), None),
        "text without the character U+0000; at most 3 characters, those beyond U+FFFF counted twice"
    );
    assert_eq!(
        allowed(DataType::Varchar(3), Some("varchar")),
        "text without the character U+0000; characters of code page 1252; at most 3 bytes"
    );
    assert_eq!(allowed(DataType::Timestamp(Some(3)), Some("datetime")), "a date from 1753 to 9999");
    assert_eq!(allowed(DataType::Timestamp(None), None), "a date from the year 1 to 9999");
    assert_eq!(allowed(DataType::Integer, None), "");
}
