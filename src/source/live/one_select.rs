//! Whether a text of T-SQL is one SELECT and nothing else.
//!
//! In: a query as its author wrote it. Out: the word that makes it more than that. Statements of T-SQL need no semicolon between them and the
//! server cannot forbid a transaction to write, so it is told by words: those that begin other statements are reserved, and can only be
//! names in brackets or quotes. Source: Transact-SQL reference, reserved keywords. Does not parse.

/// Reserved words that begin statements or, as INTO, have a SELECT write.
const FORBIDDEN: &[&str] = &[
    "ALTER",
    "BACKUP",
    "BEGIN",
    "CHECKPOINT",
    "CLOSE",
    "COMMIT",
    "CREATE",
    "DBCC",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DENY",
    "DROP",
    "EXEC",
    "EXECUTE",
    "GOTO",
    "GRANT",
    "IF",
    "INSERT",
    "INTO",
    "KILL",
    "LOAD",
    "OPEN",
    "PRINT",
    "RAISERROR",
    "READTEXT",
    "RECONFIGURE",
    "RESTORE",
    "RETURN",
    "REVERT",
    "REVOKE",
    "ROLLBACK",
    "SAVE",
    "SET",
    "SETUSER",
    "SHUTDOWN",
    "TRUNCATE",
    "UPDATE",
    "UPDATETEXT",
    "USE",
    "WAITFOR",
    "WHILE",
    "WRITETEXT",
];

/// Returns what a query holds besides one SELECT, if it does.
pub(super) fn besides(query: &str) -> Option<String> {
    let words = words(query);
    let word = |at: usize| words.get(at).map(|w| w.to_uppercase());
    let first = words.iter().find(|w| *w != "(").map(|w| w.to_uppercase()).unwrap_or_default();
    if first != "SELECT" && first != "WITH" {
        return Some(first);
    }
    (0..words.len()).find_map(|at| {
        let this = word(at)?;
        let next = word(at + 1).unwrap_or_default();
        let wrong = match this.as_str() {
            // How a join or a union is done; and a page of rows.
            "MERGE" => !matches!(next.as_str(), "JOIN" | "UNION"),
            "FETCH" => !matches!(next.as_str(), "NEXT" | "FIRST"),
            ";" => true,
            _ => FORBIDDEN.contains(&this.as_str()),
        };
        wrong.then_some(this)
    })
}

/// The words of a query, its semicolons and opening parentheses, without comments, texts and quoted names.
fn words(query: &str) -> Vec<String> {
    let chars: Vec<char> = query.chars().collect();
    let at = |i: usize| chars.get(i).copied();
    let (mut words, mut i) = (vec![], 0);
    while let Some(c) = at(i) {
        match (c, at(i + 1)) {
            ('-', Some('-')) => {
                while at(i).is_some_and(|c| c != '\n') {
                    i += 1;
                }
            }
            ('/', Some('*')) => i = comment_end(&chars, i),
            ('\'' | '"' | '[', _) => i = quoted_end(&chars, i),
            (';' | '(', _) => {
                words.push(c.to_string());
                i += 1;
            }
            _ if is_word(c) => {
                let start = i;
                while at(i).is_some_and(is_word) {
                    i += 1;
                }
                words.extend(chars.get(start..i).map(|part| part.iter().collect()));
            }
            _ => i += 1,
        }
    }
    words
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '#' | '$')
}

/// Where a comment ends, which may hold others.
fn comment_end(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0_usize, start);
    while i < chars.len() {
        match chars.get(i..i + 2) {
            Some(['/', '*']) => (depth, i) = (depth + 1, i + 2),
            Some(['*', '/']) => (depth, i) = (depth.saturating_sub(1), i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

/// Where a text or a name ends; its own mark twice stands for one of it.
fn quoted_end(chars: &[char], start: usize) -> usize {
    let mark = match chars.get(start) {
        Some('[') => ']',
        Some(other) => *other,
        None => return start,
    };
    let mut i = start + 1;
    while let Some(c) = chars.get(i) {
        i += 1;
        if *c == mark {
            if chars.get(i) != Some(&mark) {
                break;
            }
            i += 1;
        }
    }
    i
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_selects_pass() {
        for good in [
            "SELECT * FROM t ORDER BY id",
            "WITH a AS (SELECT 1 AS x) SELECT [drop], \"delete\", 'update ; x''into' FROM a -- drop; it",
            "(SELECT 1 AS a) UNION ALL SELECT 2 /* insert /* ; */ into */",
            "SELECT a FROM t INNER MERGE JOIN u ON t.i = u.i ORDER BY a OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY",
            "SELECT updated_at, @@VERSION AS v FROM settings WITH (UPDLOCK)",
        ] {
            assert_eq!(besides(good), None, "{good}");
        }
        for (bad, word) in [
            ("SELECT 1 AS a; DROP TABLE t", ";"),
            ("SELECT 1 AS a drop TABLE t", "DROP"),
            ("SELECT a INTO b FROM t", "INTO"),
            ("sp_who", "SP_WHO"),
            ("DELETE FROM t OUTPUT deleted.id", "DELETE"),
            ("WITH a AS (SELECT 1 AS x) MERGE t USING a ON 1 = 1 WHEN MATCHED THEN DELETE", "MERGE"),
            ("SELECT 1 AS a COMMIT", "COMMIT"),
            ("", ""),
        ] {
            assert_eq!(besides(bad).as_deref(), Some(word), "{bad}");
        }
    }
}
