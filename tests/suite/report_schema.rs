//! The JSON of a run against its schema, `src/report/schema.json`: every case, and what a wrong specification and a missing file give.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cases::Case;
use crate::support::{Folder, pipe_in, root};

/// Judges a value by the part of JSON Schema that the schema uses; `seen` gathers the places in the schema that were met.
fn judge(value: &Value, rule: &Value, schema: &Value, at: &str, seen: &mut BTreeSet<String>) -> Vec<String> {
    let mut wrong = vec![];
    if let Some(name) = rule["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").expect("a definition");
        assert!(!schema["$defs"][name].is_null(), "no definition {name}");
        wrong.extend(judge(value, &schema["$defs"][name], schema, at, seen));
    }
    for key in rule.as_object().unwrap().keys() {
        let known = [
            "$schema",
            "$ref",
            "$defs",
            "title",
            "description",
            "type",
            "enum",
            "required",
            "properties",
            "additionalProperties",
            "items",
            "minimum",
        ];
        assert!(known.contains(&key.as_str()), "the validator does not know {key}");
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_u64() || n.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds: Vec<&str> = match &rule["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    if !kinds.is_empty() && !kinds.contains(&kind) {
        wrong.push(format!("{at} is {kind}, not {kinds:?}"));
    }
    if let Some(values) = rule["enum"].as_array()
        && !values.contains(value)
    {
        wrong.push(format!("{at} is {value}, which is none of {values:?}"));
    }
    if let (Some(least), Some(number)) = (rule["minimum"].as_i64(), value.as_i64())
        && number < least
    {
        wrong.push(format!("{at} is below {least}"));
    }
    if let Value::Object(fields) = value {
        for required in rule["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(required.as_str().unwrap()) {
                wrong.push(format!("{at} has no {required}"));
            }
        }
        for (name, field) in fields {
            let place = format!("{at}.{name}");
            match (&rule["properties"][name], &rule["additionalProperties"]) {
                (Value::Object(known), _) => {
                    seen.insert(format!("{name}: {}", Value::Object(known.clone())));
                    wrong.extend(judge(field, &Value::Object(known.clone()), schema, &place, seen));
                }
                (_, Value::Bool(false)) => wrong.push(format!("{place} is not in the schema")),
                (_, Value::Object(any)) => wrong.extend(judge(field, &Value::Object(any.clone()), schema, &place, seen)),
                _ => {}
            }
        }
    }
    if let (Value::Array(items), Value::Object(rule)) = (value, &rule["items"]) {
        let rule = Value::Object(rule.clone());
        wrong.extend(items.iter().enumerate().flat_map(|(i, item)| judge(item, &rule, schema, &format!("{at}[{i}]"), seen)));
    }
    wrong
}

fn schema() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("src/report/schema.json")).unwrap()).unwrap()
}

#[test]
fn every_result_follows_the_schema_and_the_schema_says_no_more() {
    let schema = schema();
    let mut seen = BTreeSet::new();
    let mut wrong = vec![];
    for case in Case::all() {
        for arguments in [&["--dry-run", "--format", "json"][..], &["--format", "json"][..]] {
            let found = judge(&case.run(arguments).json(), &schema, &schema, "result", &mut seen);
            wrong.extend(found.into_iter().map(|w| format!("{}: {w}", case.name)));
        }
    }
    let broken = Folder::with(&[
        ("wrong.yaml", "extract: {a: {rows: [{i: 1}]}}\ntables: {t: {from: a, load: [{file: b.csv}, {file: b.csv}]}}"),
        ("lost.yaml", "extract: {a: {file: a.csv}}\ntables: {t: {from: a}}"),
    ]);
    for (name, status) in [("wrong.yaml", "spec_error"), ("lost.yaml", "error")] {
        let result = broken.pipe(&["run", name, "--format", "json"]).json();
        assert_eq!(result["status"], status);
        wrong.extend(judge(&result, &schema, &schema, name, &mut seen));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The example of the repository has violations with consequences, which small cases have not.
    let result = pipe_in(&root(), &["run", "sales.yaml", "--dry-run", "--format", "json"]).json();
    wrong.extend(judge(&result, &schema, &schema, "sales", &mut seen));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let objects = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    let named = objects.flat_map(|o| o["properties"].as_object().into_iter().flatten());
    let unmet: Vec<String> = named.map(|(name, rule)| format!("{name}: {rule}")).filter(|place| !seen.contains(place)).collect();
    assert!(unmet.is_empty(), "no result has {unmet:?}");
}

#[test]
fn a_result_that_strays_from_the_schema_is_noticed() {
    let schema = schema();
    let folder = Folder::with(&[("p.yaml", "extract: {a: {rows: [{id: 1}]}}\ntables: {t: {from: a, validate: [{rows: 2}]}}")]);
    let result = folder.pipe(&["run", "p.yaml", "--dry-run", "--format", "json"]).json();
    let faults = |value: &Value| judge(value, &schema, &schema, "result", &mut BTreeSet::new()).len();
    assert_eq!(faults(&result), 0);
    assert_eq!(result["violations"].as_array().map(Vec::len), Some(1));
    let mut renamed = result.clone();
    let count = renamed["violations"][0].as_object_mut().unwrap().remove("count").unwrap();
    renamed["violations"][0]["failures"] = count;
    assert_eq!(faults(&renamed), 2, "a key is gone, another is new");
    let mut retyped = result.clone();
    retyped["ledger"][0]["in"] = "1".into();
    assert_eq!(faults(&retyped), 1);
    let mut other = result;
    other["status"] = "fine".into();
    assert_eq!(faults(&other), 1);
}

#[test]
fn the_schema_is_printed() {
    let ran = Folder::with(&[]).pipe(&["explain", "report"]);
    assert_eq!((ran.code, serde_json::from_str::<Value>(&ran.out).unwrap()), (0, schema()));
}
