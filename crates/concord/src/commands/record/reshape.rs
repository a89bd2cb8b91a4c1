//! `concord record merge` and `concord record split`: a plan, shown; it is applied as every other one is.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::operator::Operator;
use crate::output::{Column, Output, Paint, shown};

const FIELDS: [Column; 4] =
    [("FIELD", "/field"), ("RECORD", "/record"), ("TAKES", "/takes"), ("WHY", "/why")];
const OBJECTS: [Column; 3] = [("OBJECT", "/object"), ("BECOMES", "/becomes"), ("OF", "/record")];
const WRITES: [Column; 5] =
    [("SYSTEM", "/system"), ("OBJECT", "/object"), ("ID", "/id"), ("ROUTE", "/route"), ("FIELDS", "/fields")];
const EVENTS: [Column; 3] = [("EVENT", "/event"), ("OF", "/record"), ("TOLD", "/told")];

const PARTS: [(&str, &str, &[Column]); 4] = [
    ("Values that change", "/reshape/fields", &FIELDS),
    ("Objects", "/reshape/objects", &OBJECTS),
    ("What is written, at most", "/reshape/writes", &WRITES),
    ("Events", "/reshape/events", &EVENTS),
];

/// Plans a merge.
pub(super) fn merge(
    operator: &Operator,
    keep: &str,
    gone: &str,
    prefer: &[String],
    output: &Output,
) -> anyhow::Result<()> {
    let mut chosen = Map::new();
    for given in prefer {
        let Some((field, side)) = given.split_once('=') else {
            let text = format!("{given:?}: write it like note=keep or note=gone");
            return Err(Exit::Usage.because(text));
        };
        chosen.insert(field.to_owned(), json!(side));
    }
    let wanted = json!({"action": "merge", "keep": keep, "gone": gone, "prefer": chosen});
    plan(operator, &wanted, output)
}

/// Plans a split.
pub(super) fn split(operator: &Operator, gone: &str, output: &Output) -> anyhow::Result<()> {
    plan(operator, &json!({"action": "split", "gone": gone}), output)
}

fn plan(operator: &Operator, wanted: &Value, output: &Output) -> anyhow::Result<()> {
    let plan = operator.post(&["jobs"], wanted)?;
    output.one(&plan, |output| text(&plan, output));
    let at = |pointer: &str| shown(plan.pointer(pointer).unwrap_or(&Value::Null));
    output.say(&format!("nothing is done yet; until {} it is started with", at("/expires_at")));
    output.say(&format!("  concord job apply {} --reason \"…\"", at("/id")));
    Ok(())
}

fn text(plan: &Value, output: &Output) -> String {
    let at = |pointer: &str| shown(plan.pointer(pointer).unwrap_or(&Value::Null));
    let (keep, gone) = (at("/reshape/keep"), at("/reshape/gone"));
    let what = match at("/action").as_str() {
        "split" => format!("{gone} is split from {keep}"),
        _ => format!("{gone} is merged into {keep}, and stays as an alias for ever"),
    };
    let mut text = format!("{}: {}", at("/id"), output.paint(Paint::Strong, &what));
    for (title, pointer, columns) in PARTS {
        let rows: Vec<Value> = listed(plan, pointer).iter().map(flat).collect();
        if !rows.is_empty() {
            let table = output.table(columns, &rows);
            let _fits = write!(text, "\n\n{}\n{table}", output.paint(Paint::Strong, title));
        }
    }
    let told =
        [("For a person to do", "/reshape/by_hand"), ("What nothing takes back", "/reshape/irreversible")];
    for (title, pointer) in told {
        let lines = listed(plan, pointer);
        if !lines.is_empty() {
            let _fits = write!(text, "\n\n{}", output.paint(Paint::Strong, title));
        }
        for line in lines {
            let _fits = write!(text, "\n  {}", shown(line));
        }
    }
    text
}

/// Lists in a cell, as words.
fn flat(row: &Value) -> Value {
    let mut row = row.clone();
    for value in row.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Value::Array(items) = value {
            let words: Vec<String> = items.iter().map(shown).collect();
            *value = Value::String(if words.is_empty() { "-".to_owned() } else { words.join(", ") });
        }
    }
    row
}

fn listed<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// What is said of a record that was merged, and of those that were merged into this one.
pub(super) fn story(sheet: &Value) -> String {
    let mut text = String::new();
    let asked = sheet.pointer("/asked_for");
    // The one that was asked for comes first, once.
    let others = listed(sheet, "/absorbed").iter();
    let others =
        others.filter(|row| asked.is_none_or(|asked| asked.pointer("/record") != row.pointer("/record")));
    for row in asked.into_iter().chain(others) {
        let at = |pointer: &str| shown(row.pointer(pointer).unwrap_or(&Value::Null));
        let _fits = write!(
            text,
            "\n{} was merged into {} at {}: {}",
            at("/record"),
            at("/into"),
            at("/at"),
            at("/why")
        );
        for object in listed(row, "/duplicates") {
            let _fits = write!(text, "\n  {} is a duplicate there", shown(object));
        }
    }
    text
}
