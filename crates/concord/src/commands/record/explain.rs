//! What `concord record explain` shows people.

use std::fmt::Write as _;

use serde_json::Value;

use crate::output::{Column, Output, Paint, shown};

const FIELDS: [Column; 8] = [
    ("FIELD", "/field"),
    ("VALUE", "/value"),
    ("OWNER", "/owner"),
    ("POLICY", "/on_conflict"),
    ("SAID BY", "/source"),
    ("AT", "/at"),
    ("MAPPING", "/mapping"),
    ("OPEN", "/open/kind"),
];
const SYSTEMS: [Column; 5] = [
    ("SYSTEM", "/system"),
    ("PATH", "/path"),
    ("VALUE", "/value"),
    ("KNOWN", "/known"),
    ("WRITTEN", "/written_at"),
];
const DECISIONS: [Column; 5] =
    [("AT", "/at"), ("WHAT", "/kind"), ("SYSTEM", "/system"), ("VERSION", "/version"), ("WHY", "/rule")];

/// All fields in a table, or all about one.
pub(super) fn text(why: &Value, one: bool, output: &Output) -> String {
    let at = |pointer: &str| shown(why.pointer(pointer).unwrap_or(&Value::Null));
    let head = format!("{} {}", at("/entity"), at("/record"));
    let mut text =
        format!("{}  version {}, {}", output.paint(Paint::Strong, &head), at("/version"), at("/alive"));
    text.push_str(&super::reshape::story(why));
    let fields = rows(why, "/fields");
    let record = at("/record");
    if one {
        fields.iter().for_each(|field| about(field, &record, output, &mut text));
        return text;
    }
    let _fits = write!(text, "\n\n{}", output.table(&FIELDS, fields));
    let open: Vec<&Value> = fields.iter().filter(|field| !at_of(field, "/open").is_null()).collect();
    for field in open {
        let _fits = write!(text, "\n\n{}", unsettled(field, &record, output));
    }
    let decided: Vec<Value> = fields
        .iter()
        .flat_map(|field| rows(field, "/decisions").iter().map(|row| with_field(field, row)))
        .collect();
    if !decided.is_empty() {
        let columns: Vec<Column> = [("FIELD", "/field")].into_iter().chain(DECISIONS).collect();
        let title = output.paint(Paint::Strong, "What was not simply merged");
        let _fits = write!(text, "\n\n{title}\n{}", output.table(&columns, &decided));
    }
    section("About the record", &DECISIONS, rows(why, "/decisions"), output, &mut text);
    let list = |pointer: &str| {
        let names = rows(why, pointer).iter().map(shown).collect::<Vec<_>>();
        if names.is_empty() { "any".to_owned() } else { names.join(", ") }
    };
    let deleters = if rows(why, "/deleters").is_empty() { "nobody".to_owned() } else { list("/deleters") };
    let _fits = write!(text, "\n\nMay create it: {}. Whose deletions count: {deleters}.", list("/creators"));
    text
}

/// Everything about one field.
fn about(field: &Value, record: &str, output: &Output, text: &mut String) {
    let at = |pointer: &str| shown(at_of(field, pointer));
    let known = |pointer: &str| !at_of(field, pointer).is_null();
    let _fits = write!(text, "\n\n{}  {}", output.paint(Paint::Strong, &at("/field")), at("/value"));
    let owner = if known("/owner") { at("/owner") } else { "nobody: the newest word counts".to_owned() };
    let when = if known("/owner_when") { format!(", while {}", at("/owner_when")) } else { String::new() };
    let _fits = write!(text, "\n  owner      {owner}{when}; another's edit: {}", at("/on_conflict"));
    if known("/source") {
        let _fits = write!(
            text,
            "\n  said by    {} at {}, event {}, read by {}",
            at("/source"),
            at("/at"),
            at("/event"),
            at("/mapping")
        );
    } else {
        text.push_str("\n  said by    nobody");
    }
    if known("/watermark") {
        let _fits = write!(
            text,
            "\n  watermark  {} of {}: what is older changes nothing",
            at("/watermark"),
            at("/source")
        );
    }
    let _fits = write!(
        text,
        "\n  reverts    {} within the hour, {} at most",
        at("/counter_writes"),
        at("/counter_writes_max")
    );
    if known("/open") {
        let _fits = write!(text, "\n\n{}", unsettled(field, record, output));
    }
    section("What each system has", &SYSTEMS, rows(field, "/systems"), output, text);
    section("What was not simply merged", &DECISIONS, rows(field, "/decisions"), output, text);
}

/// What is not settled about a field, and what to do.
fn unsettled(field: &Value, record: &str, output: &Output) -> String {
    let at = |pointer: &str| shown(at_of(field, pointer));
    let text = match at("/open/kind").as_str() {
        "frozen" => "keeps being changed there, and is left alone",
        "proposed" => "is proposed to the owner, which has not answered",
        _ => "says otherwise, and nobody can tell which is newer",
    };
    let head = format!("{} is open since {}: ", at("/field"), at("/open/since"));
    format!(
        "{}{} has {}, which {text}.\n  Settle it: concord record settle {record} --field {} --take record|other --reason …",
        output.paint(Paint::Strong, &head),
        at("/open/system"),
        at("/open/value"),
        at("/field")
    )
}

fn section(title: &str, columns: &[Column], rows: &[Value], output: &Output, text: &mut String) {
    if !rows.is_empty() {
        let _fits =
            write!(text, "\n\n{}\n{}", output.paint(Paint::Strong, title), output.table(columns, rows));
    }
}

fn with_field(field: &Value, row: &Value) -> Value {
    let mut row = row.clone();
    if let Some(map) = row.as_object_mut() {
        map.insert("field".to_owned(), at_of(field, "/field").clone());
    }
    row
}

fn at_of<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn rows<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
