//! `concord record`: all that is known of one record, why it is so, and what is to count.

mod explain;
mod reshape;

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::arguments::{ByHand, Record};
use crate::commands::event::{paged, unmasked};
use crate::exit::Exit;
use crate::operator::{Operator, listed};
use crate::output::{Column, Output, Paint, shown};
use crate::settings::Settings;

/// What is a violation when nothing else is asked for.
const VIOLATIONS: &str = "rejected,reverted,frozen,proposed,declined,conflict";

const DECISIONS: [Column; 6] = [
    ("AT", "/at"),
    ("WHAT", "/kind"),
    ("RECORD", "/record"),
    ("FIELD", "/field"),
    ("SYSTEM", "/system"),
    ("WHY", "/rule"),
];

/// Shows, explains or settles.
pub(crate) fn run(given: Record, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    match given {
        Record::Get { id, fresh, mask } => {
            let mut query: Vec<(&str, String)> = unmasked(&mask).into_iter().collect();
            query.extend(fresh.map(|system| ("fresh", system)));
            let sheet = sheet(&operator, &id, query)?;
            output.one(&sheet, |output| sheet_text(&sheet, output));
        }
        Record::Explain { id, field, mask } => {
            let id = record_id(&operator, &id)?;
            let mut query: Vec<(&str, String)> = unmasked(&mask).into_iter().collect();
            let one = field.is_some();
            query.extend(field.map(|field| ("field", field)));
            let why = operator.get(&["records", &id, "explain"], &query)?;
            output.one(&why, |output| explain::text(&why, one, output));
        }
        Record::Settle { id, field, take, reason } => {
            let id = record_id(&operator, &id)?;
            let body = json!({"field": field, "take": take, "reason": reason});
            operator.post(&["records", &id, "settle"], &body)?;
            let why = operator.get(&["records", &id, "explain"], &[("field", field)])?;
            output.one(&why, |output| explain::text(&why, true, output));
        }
        Record::Link(given) => by_hand(&operator, &given, "link", output)?,
        Record::Unlink(given) => by_hand(&operator, &given, "unlink", output)?,
        Record::Merge(given) => {
            let (keep, gone) = (record_id(&operator, &given.keep)?, record_id(&operator, &given.gone)?);
            reshape::merge(&operator, &keep, &gone, &given.prefer, output)?;
        }
        Record::Split(given) => reshape::split(&operator, bare(&given.gone), output)?,
        Record::Violations { kind, system, page } => {
            let kinds = if kind.is_empty() { VIOLATIONS.to_owned() } else { kind.join(",") };
            let mut query = paged(&page);
            query.push(("kind", kinds));
            query.extend(system.map(|system| ("system", system)));
            listed(operator.get(&["decisions"], &query)?, &DECISIONS, output);
        }
    }
    Ok(Exit::Done)
}

/// Links or unlinks.
fn by_hand(operator: &Operator, given: &ByHand, verb: &str, output: &Output) -> anyhow::Result<()> {
    let parts = given.object.split_once(':').and_then(|(system, rest)| {
        let (object, id) = rest.split_once('/')?;
        Some((system, object, id))
    });
    let Some((system, object, id)) = parts else {
        let text = format!("{:?}: write it like crm:contacts/17", given.object);
        return Err(Exit::Usage.because(text));
    };
    let body = json!({"system": system, "object": object, "external_id": id, "reason": given.reason});
    let sheet = operator.post(&["records", bare(&given.record), verb], &body)?;
    output.one(&sheet, |output| sheet_text(&sheet, output));
    Ok(())
}

/// Everything about a record, by its id or an object's.
fn sheet(operator: &Operator, id: &str, mut query: Vec<(&str, String)>) -> anyhow::Result<Value> {
    match id.split_once(':') {
        Some((system, external)) => {
            query.extend([("system", system.to_owned()), ("external_id", external.to_owned())]);
            operator.get(&["records"], &query)
        }
        None => operator.get(&["records", bare(id)], &query),
    }
}

/// The id of a record that is named by it, with or without its type, or by an object.
fn record_id(operator: &Operator, id: &str) -> anyhow::Result<String> {
    if !id.contains(':') {
        return Ok(bare(id).to_owned());
    }
    let found = sheet(operator, id, Vec::new())?;
    Ok(shown(found.pointer("/record/id").unwrap_or(&Value::Null)))
}

fn bare(id: &str) -> &str {
    id.rsplit_once('/').map_or(id, |(_, id)| id)
}

const PARTS: [(&str, &str, &[Column]); 6] = [
    (
        "Read just now",
        "/fresh",
        &[
            ("SYSTEM", "/system"),
            ("OBJECT", "/object"),
            ("STATE", "/state"),
            ("KNOWN AT", "/known_at"),
            ("WHY", "/why"),
        ],
    ),
    (
        "Links",
        "/links",
        &[("SYSTEM", "/system"), ("OBJECT", "/object"), ("ID", "/id"), ("INSTANCE", "/instance")],
    ),
    (
        "Shadows: what each system has",
        "/shadows",
        &[
            ("SYSTEM", "/system"),
            ("OBJECT", "/object"),
            ("FIELD", "/field"),
            ("VALUE", "/value"),
            ("KNOWN", "/known"),
        ],
    ),
    (
        "Deliveries",
        "/deliveries",
        &[
            ("DELIVERY", "/key"),
            ("SYSTEM", "/system"),
            ("STATE", "/state"),
            ("WANTED", "/wanted"),
            ("REACHED", "/reached"),
        ],
    ),
    ("Timeline", "/timeline", &[("AT", "/at"), ("WHAT", "/what"), ("WHO", "/who"), ("DETAIL", "/detail")]),
    (
        "Attempts",
        "/attempts",
        &[("AT", "/at"), ("SYSTEM", "/system"), ("CLASS", "/class"), ("DETAIL", "/detail")],
    ),
];

fn sheet_text(sheet: &Value, output: &Output) -> String {
    let mut text = String::new();
    let at = |pointer: &str| shown(sheet.pointer(pointer).unwrap_or(&Value::Null));
    let head = format!("{} {}", at("/record/entity"), at("/record/id"));
    let _fits = write!(
        text,
        "{}  version {}, {}",
        output.paint(Paint::Strong, &head),
        at("/record/version"),
        at("/record/alive")
    );
    text.push_str(&reshape::story(sheet));
    if let Some(fields) = sheet.pointer("/record/fields").and_then(Value::as_object) {
        for (name, value) in fields {
            let from = at(&format!("/record/provenance/{name}/system"));
            let _fits =
                write!(text, "\n  {name:<24} {:<40} {}", shown(value), output.paint(Paint::Faint, &from));
        }
    }
    for (title, pointer, columns) in PARTS {
        let rows = sheet.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !rows.is_empty() {
            let _fits =
                write!(text, "\n\n{}\n{}", output.paint(Paint::Strong, title), output.table(columns, rows));
        }
    }
    text
}
