//! A plan, for people and for scripts.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use super::kept::{Kept, LoadRow, Place};
use crate::arguments::Form;
use crate::output::{Column, Output, Paint};

/// Examples in a cell.
const SHOWN_EXAMPLES: usize = 2;

const SIDES: [Column; 12] = [
    ("SYSTEM", "/system"),
    ("OBJECT", "/object"),
    ("ENTITY", "/entity"),
    ("READ", "/read"),
    ("MATCHED", "/matched"),
    ("ALONE", "/alone"),
    ("AMBIGUOUS", "/ambiguous"),
    ("DUPLICATE", "/duplicates"),
    ("REFUSED", "/refused"),
    ("UNREADABLE", "/unreadable"),
    ("WAITING", "/waiting"),
    ("GONE", "/gone"),
];
const AGREED: [Column; 4] =
    [("ENTITY", "/entity"), ("SYSTEM", "/system"), ("KEY", "/key"), ("OBJECTS", "/count")];
const SPREAD: [Column; 3] = [("ENTITY", "/entity"), ("IN", "/systems"), ("RECORDS", "/count")];
const MISSING: [Column; 4] =
    [("ENTITY", "/entity"), ("NOT IN", "/system"), ("RECORDS", "/count"), ("EXAMPLES", "/examples")];
const CONFLICTS: [Column; 8] = [
    ("ENTITY", "/entity"),
    ("FIELD", "/field"),
    ("SAID BY", "/system"),
    ("OWNER", "/owner"),
    ("WINS", "/wins"),
    ("POLICY", "/policy"),
    ("RECORDS", "/count"),
    ("EXAMPLES", "/examples"),
];
const HELD: [Column; 5] = [
    ("SYSTEM", "/system"),
    ("WHY", "/class"),
    ("FIELD", "/field"),
    ("OBJECTS", "/count"),
    ("EXAMPLES", "/examples"),
];
const SYNCS: [Column; 10] = [
    ("SYSTEM", "/system"),
    ("OBJECT", "/object"),
    ("ENTITY", "/entity"),
    ("CREATES", "/creates"),
    ("UPDATES", "/updates"),
    ("LATER", "/waits"),
    ("HELD", "/held"),
    ("LEAVE", "/leaves"),
    ("NOTHING", "/nothing"),
    ("FAIL", "/fails"),
];
const PATHS: [Column; 4] =
    [("SYSTEM", "/system"), ("OBJECT", "/object"), ("PATH", "/path"), ("OBJECTS", "/count")];
const LOADS: [Column; 5] = [
    ("SYSTEM", "/system"),
    ("CALLS", "/calls"),
    ("AT LEAST", "/takes"),
    ("BY", "/by"),
    ("THROUGH", "/through"),
];

/// Shows a plan: tables, one document, or its list with the document as the last line.
pub(super) fn tell(place: &Place, kept: &Kept, output: &Output) -> anyhow::Result<()> {
    let value = serde_json::to_value(kept)?;
    match output.form() {
        Form::Table => output.data(&tables(kept, &value, output)),
        Form::Json => output.one(&value, |_| String::new()),
        Form::Jsonl => {
            for line in BufReader::new(place.findings(&kept.id)?).lines() {
                output.data(&line?);
            }
            output.data(&json!({ "kind": "plan", "plan": value }).to_string());
        }
    }
    for object in &kept.blind {
        output.warn(&format!(
            "{object} was not read, and new objects would be made there: whatever it holds already would be there twice"
        ));
    }
    match &kept.applied {
        Some(applied) => output.say(&format!("it was applied at {}: {}", applied.at, applied.reason)),
        None => {
            let (dir, id, findings) = (place.dir().display(), &kept.id, kept.findings);
            output.say(&format!(
                "nothing was written anywhere. {findings} lines of what is not simply matched: \
                 `concord --dir {dir} link show {id} --output jsonl`. Once it is read, and within 24 hours:\n  \
                 concord --dir {dir} link apply {id} --reason \"…\""
            ));
        }
    }
    Ok(())
}

fn tables(kept: &Kept, value: &Value, output: &Output) -> String {
    let rows = |name: &str| {
        let rows = value.pointer(&format!("/report/{name}")).and_then(Value::as_array);
        let mut rows = rows.cloned().unwrap_or_default();
        rows.iter_mut().for_each(few_examples);
        rows
    };
    let mut parts =
        vec![format!("{} of {}, from {}", output.paint(Paint::Strong, &kept.id), kept.tenant, kept.made_at)];
    let mut part = |title: &str, columns: &[Column], rows: &[Value], none: &str| {
        parts.push(output.paint(Paint::Strong, &format!("\n{title}")).into_owned());
        parts.push(if rows.is_empty() { none.to_owned() } else { output.table(columns, rows) });
    };
    part("What was read, and what it stands for", &SIDES, &rows("sides"), "nothing");
    part("Matched objects, by the key they agree by", &AGREED, &rows("agreed"), "none");
    part("Records, by the systems that have them", &SPREAD, &rows("spread"), "none");
    part("Records that a system does not have", &MISSING, &rows("missing"), "none");
    part("Values that differ, and whose counts", &CONFLICTS, &conflicts(&rows("conflicts")), "none");
    part("What needs a person; it stays unlinked until then", &HELD, &rows("held"), "nothing");
    part("What the first sync would write", &SYNCS, &syncs(&rows("first_sync")), "nothing");
    part("Updates, by what changes", &PATHS, &paths(&rows("first_sync")), "none");
    let loads: Vec<Value> = kept.load.iter().map(load).collect();
    part("What that comes to, on the bulk lane", &LOADS, &loads, "nothing");
    parts.join("\n")
}

/// Ids are long: the document has some more.
fn few_examples(row: &mut Value) {
    if let Some(examples) = row.get_mut("examples").and_then(Value::as_array_mut) {
        examples.truncate(SHOWN_EXAMPLES);
    }
}

/// Who owns and who wins, in words.
fn conflicts(rows: &[Value]) -> Vec<Value> {
    let worded = |row: &Value| {
        let mut row = row.clone();
        if row.get("wins").is_none_or(Value::is_null) {
            row["wins"] = json!("both");
        }
        if row.get("empty") == Some(&Value::Bool(true)) {
            let system = row.get("system").and_then(Value::as_str).unwrap_or_default();
            row["system"] = json!(format!("{system} (empty)"));
        }
        row
    };
    rows.iter().map(worded).collect()
}

/// Why there is nothing to do, and why some would fail, in a cell each.
fn syncs(rows: &[Value]) -> Vec<Value> {
    let counts = |value: Option<&Value>| {
        let counts = value.and_then(Value::as_object).into_iter().flatten();
        json!(counts.map(|(why, count)| format!("{count} {why}")).collect::<Vec<_>>())
    };
    let shown = |row: &Value| {
        let mut shown = row.clone();
        shown["nothing"] = counts(row.get("nothing"));
        shown["fails"] = counts(row.get("fails"));
        shown
    };
    rows.iter().map(shown).collect()
}

fn paths(rows: &[Value]) -> Vec<Value> {
    let of = |row: &Value| {
        let (system, object) = (row["system"].clone(), row["object"].clone());
        let paths = row.get("paths").and_then(Value::as_array).cloned().unwrap_or_default();
        paths.into_iter().map(move |path| {
            json!({ "system": system, "object": object, "path": path["path"], "count": path["count"] })
        })
    };
    rows.iter().flat_map(of).collect()
}

fn load(row: &LoadRow) -> Value {
    let (takes, by) = match &row.by {
        Some(by) => (json!(time(row.seconds)), by.clone()),
        None => (Value::Null, format!("its answers, {} at once", row.at_once)),
    };
    json!({ "system": row.system, "calls": row.calls, "takes": takes, "by": by, "through": row.through })
}

/// Seconds, as people write them.
pub(super) fn time(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
