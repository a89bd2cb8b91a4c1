//! `concord record get`: all that is known of one record, for people who ask why.

use std::fmt::Write as _;

use serde_json::Value;

use crate::arguments::Record;
use crate::commands::event::unmasked;
use crate::exit::Exit;
use crate::operator::Operator;
use crate::output::{Column, Output, Paint, shown};
use crate::settings::Settings;

/// Shows a record.
pub(crate) fn run(given: Record, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let Record::Get { id, fresh, mask } = given;
    let operator = Operator::of(settings)?;
    let sheet = match id.split_once(':') {
        Some((system, external)) => {
            let mut query = vec![("system", system.to_owned()), ("external_id", external.to_owned())];
            query.extend(unmasked(&mask));
            query.extend(fresh.map(|system| ("fresh", system)));
            operator.get(&["records"], &query)?
        }
        None => {
            let mut query: Vec<(&str, String)> = unmasked(&mask).into_iter().collect();
            query.extend(fresh.map(|system| ("fresh", system)));
            operator.get(&["records", &id], &query)?
        }
    };
    output.one(&sheet, |output| sheet_text(&sheet, output));
    Ok(Exit::Done)
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
