//! Rows of a script on their way into a server, by a bulk load instead of JSON.
//!
//! In: a script's `INSERT ... SELECT ... FROM OPENJSON(...) WITH (...)` and lines of JSON. Out: a table of the session with the types of the WITH
//! clause, the driver's rows for it, and the same INSERT reading from there: so the server converts as it would from JSON.
//! Does not connect.

use tiberius::TokenRow;

use super::value::Kind;
use crate::error::Error;

/// The table that rows are bulk-loaded into, on their way to where their statement takes them.
pub const LOADED: &str = "#pipe_rows";

/// A statement of a script that takes rows from JSON, as three: what makes room for the rows, the bulk load, and what takes them from there.
pub struct Load {
    pub create: String,
    pub kinds: Vec<Kind>,
    pub insert: String,
}

impl Load {
    /// Takes a statement apart.
    pub fn read(statement: &str) -> Result<Load, Error> {
        let parts = || {
            let (head, rest) = statement.split_once("\nFROM OPENJSON(")?;
            let (_, with) = rest.split_once(" WITH (")?;
            let mut kinds = vec![];
            // c1 int '$[0]', c2 decimal(38, 2) '$[1]'
            for column in with.strip_suffix(") AS r;")?.split("]'").filter(|c| !c.is_empty()) {
                let column = column.trim_start_matches(", ").split_once(" '$[")?.0;
                kinds.push(Kind::read(column.split_once(' ')?.1)?);
            }
            Some((head, kinds))
        };
        let Some((head, kinds)) = parts() else {
            return Err(Error::new("X0519", "the script cannot be played: its rows have a type that is not known".to_string())
                .help("Run the pipeline again to have it written anew."));
        };
        let columns: Vec<String> =
            kinds.iter().enumerate().map(|(i, kind)| format!("c{} {} NULL", i + 1, kind.column())).collect();
        Ok(Load {
            create: format!("DROP TABLE IF EXISTS {LOADED};\nCREATE TABLE {LOADED} ({});", columns.join(", ")),
            insert: format!("{head}\nFROM {LOADED} AS r;\nDROP TABLE {LOADED};"),
            kinds,
        })
    }
}

/// Reads a row of JSON.
pub fn row(line: &[u8], kinds: &[Kind]) -> Option<TokenRow<'static>> {
    let line = line.trim_ascii_end();
    let cells: Vec<serde_json::Value> = serde_json::from_slice(line.strip_suffix(b",").unwrap_or(line)).ok()?;
    if cells.len() != kinds.len() {
        return None;
    }
    let mut row = TokenRow::with_capacity(cells.len());
    for (kind, cell) in kinds.iter().zip(cells) {
        row.push(kind.value(cell)?);
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_with_json_becomes_a_bulk_load() {
        let load = Load::read(
            "INSERT INTO #pipe_stage_1 ([a], [b], [c])\nSELECT r.c1, r.c2, CONVERT(varbinary(max), r.c3, 2)\n\
             FROM OPENJSON(N'[]') WITH (c1 int '$[0]', c2 decimal(38, 2) '$[1]', c3 nvarchar(max) '$[2]') AS r;",
        )
        .unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(
            load.create,
            "DROP TABLE IF EXISTS #pipe_rows;\nCREATE TABLE #pipe_rows (c1 int NULL, c2 decimal(38, 2) NULL, c3 nvarchar(max) NULL);"
        );
        assert_eq!(
            load.insert,
            "INSERT INTO #pipe_stage_1 ([a], [b], [c])\nSELECT r.c1, r.c2, CONVERT(varbinary(max), r.c3, 2)\nFROM #pipe_rows AS r;\nDROP TABLE #pipe_rows;"
        );
        assert_eq!(row(b"[1, 2.50, null],\n", &load.kinds).map(|r| r.len()), Some(3));
        assert!(row(b"[1, 2.50]\n", &load.kinds).is_none() && row(b"[1, 2.505, null]\n", &load.kinds).is_none());
        assert!(Load::read("INSERT INTO #x (a)\nSELECT 1").is_err());
    }
}
