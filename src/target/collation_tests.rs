//! What is read of names; which texts are equal is seen where the engine runs the forms.

use super::*;

#[test]
fn names_say_what_is_told_apart() {
    let flags = |name: &str| {
        Collation::parse(name).map(|c| {
            let told = [
                (c.binary, "binary"),
                (c.case, "case"),
                (c.accent, "accent"),
                (c.kana, "kana"),
                (c.width, "width"),
                (c.old, "old"),
            ];
            let told: Vec<&str> = told.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
            format!("{}: {}", c.language, told.join(" "))
        })
    };
    for (name, expected) in [
        ("SQL_Latin1_General_CP1_CI_AS", "LATIN1_GENERAL: accent old"),
        ("SQL_Latin1_General_Pref_CP1_CI_AS", "LATIN1_GENERAL: accent old"),
        ("SQL_Latin1_General_CP850_CS_AS", "LATIN1_GENERAL: case accent old"),
        ("latin1_general_ci_ai", "LATIN1_GENERAL: old"),
        ("Latin1_General_BIN2", "LATIN1_GENERAL: binary old"),
        ("Latin1_General_100_CS_AI_KS_WS_SC_UTF8", "LATIN1_GENERAL: case kana width"),
        ("Japanese_XJIS_140_CI_AS_VSS", "JAPANESE_XJIS: accent"),
        ("Danish_Norwegian_CS_AS", "DANISH_NORWEGIAN: case accent old"),
    ] {
        assert_eq!(flags(name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(flags("default"), None);
    assert_eq!(Collation::usual(), Collation::parse(USUAL).unwrap());
}
