//! Delimited files in other encodings than UTF-8: the same rows, the same places, and errors that name the line to add.

use std::io::Write;
use std::process::Command;

use crate::support::{Folder, Ran};

const TEXT: &str = "id;name\r\n1;M\u{fc}ller\r\n2;\"5 \u{20ac}\r\n\u{201e}x\u{201c}\"\r\n3;too long a name\r\n";

/// Runs a pipeline that reads a file with these options and allows names of nine characters.
fn run(file: &str, bytes: &[u8], options: &str) -> (Folder, Ran) {
    let pipeline = format!(
        "pipeline: p\ntarget: {{dialect: postgres}}\nextract:\n  raw: {{file: {file}, csv: {{delimiter: ';'{options}}}}}\n\
         tables:\n  t:\n    from: raw\n    validate:\n      - {{length: {{name: [1, 9]}}, severity: warn}}\n    load: {{file: t.csv}}\n"
    );
    let folder = Folder::with(&[("p.yaml", &pipeline)]);
    folder.write(file, bytes);
    let ran = folder.pipe(&["run", "p.yaml", "--format", "json"]);
    (folder, ran)
}

fn windows(text: &str) -> Vec<u8> {
    encoding_rs::WINDOWS_1252.encode(text).0.into_owned()
}

fn wide(mark: &[u8], text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    mark.iter().copied().chain(text.encode_utf16().flat_map(order)).collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn rows_and_places_are_the_same_in_every_encoding() {
    let cases = [
        ("a.csv", TEXT.as_bytes().to_vec(), ""),
        ("a.csv", TEXT.as_bytes().to_vec(), ", encoding: utf-8"),
        ("a.csv", windows(TEXT), ", encoding: windows-1252"),
        ("a.csv", windows(TEXT), ", encoding: cp1252"),
        ("a.csv", wide(&[0xff, 0xfe], TEXT, u16::to_le_bytes), ", encoding: utf-16"),
        ("a.csv", wide(&[0xfe, 0xff], TEXT, u16::to_be_bytes), ", encoding: utf-16"),
        ("a.csv", wide(&[], TEXT, u16::to_le_bytes), ", encoding: utf-16"),
        ("a.csv", wide(&[], TEXT, u16::to_be_bytes), ", encoding: utf-16"),
        ("a.csv.gz", packed(&windows(TEXT)), ", encoding: windows-1252"),
        ("a.csv.gz", packed(TEXT.as_bytes()), ""),
    ];
    for (file, bytes, options) in cases {
        let (folder, ran) = run(file, &bytes, options);
        assert_eq!(ran.code, 0, "{file}{options}: {}{}", ran.out, ran.err);
        let rows = folder.read("out/p/t.csv");
        assert_eq!(rows, "id,name\n1,M\u{fc}ller\n2,\"5 \u{20ac}\r\n\u{201e}x\u{201c}\"\n3,too long a name\n", "{file}{options}");
        let sample = &ran.json()["violations"][0]["samples"][0];
        assert_eq!(
            (sample["file"].as_str(), sample["origin"].as_str()),
            (Some(file), Some("line 5")),
            "{file}{options}: {sample}"
        );
    }
}

/// Reads a file that must be refused; returns what is said.
fn refused(bytes: &[u8], options: &str) -> String {
    let (_, ran) = run("a.csv", bytes, options);
    assert_eq!(ran.code, 3, "{options}: {}{}", ran.out, ran.err);
    ran.out + &ran.err
}

#[test]
fn what_cannot_be_read_is_told_with_its_place_and_the_line_to_add() {
    let told = |said: &str, wanted: &[&str]| {
        for words in wanted {
            assert!(said.contains(words), "{words}: {said}");
        }
    };
    told(&refused(&windows(TEXT), ""), &["not UTF-8", "csv: {encoding: windows-1252}", "\"line\": 2"]);
    told(&refused(&wide(&[0xff, 0xfe], TEXT, u16::to_le_bytes), ""), &["not UTF-8", "csv: {encoding: utf-16}"]);
    told(
        &refused(&windows(TEXT), ", encoding: latin-1"),
        &["the byte 0x80 at character 6", "encoding: windows-1252", "\"line\": 3"],
    );
    told(
        &refused(&[windows(TEXT), vec![b'4', b';', 0x81]].concat(), ", encoding: windows-1252"),
        &["the byte 0x81 at character 3", "\"line\": 6"],
    );
    told(
        &refused(&[&[0xef, 0xbb, 0xbf], TEXT.as_bytes()].concat(), ", encoding: windows-1252"),
        &["mark of UTF-8", "Leave `encoding` out"],
    );
    told(
        &refused(&wide(&[0xff, 0xfe], TEXT, u16::to_le_bytes), ", encoding: windows-1252"),
        &["mark of UTF-16", "encoding: utf-16"],
    );
    told(&refused(TEXT.as_bytes(), ", encoding: utf-16"), &["no zero among its first bytes"]);
    // Line breaks within quotes count, and the file is called what its author calls it.
    let ragged = format!("{TEXT}4;x;y\r\n");
    told(&refused(ragged.as_bytes(), ""), &["3 fields instead of 2", "a.csv", "\"line\": 6"]);
    told(
        &refused(&windows(&ragged), ", encoding: windows-1252"),
        &["cannot read `a.csv`", "3 fields instead of 2", "\"line\": 6"],
    );
}

#[test]
fn no_copy_is_left_behind() {
    for (bytes, code) in [(windows(TEXT), 0), ([windows(TEXT), vec![b'4', 0x81]].concat(), 3), (windows("a;a\n"), 3)] {
        let (folder, _) = run("a.csv", &bytes, ", encoding: windows-1252");
        std::fs::create_dir(folder.path().join("copies")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pipe"));
        let ran = command
            .args(["run", "p.yaml"])
            .current_dir(folder.path())
            .env("TMPDIR", folder.path().join("copies"))
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(code), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(std::fs::read_dir(folder.path().join("copies")).unwrap().count(), 0);
    }
}
