//! `concord event`: what happened.

use serde_json::Value;

use crate::arguments::{Event, Mask, Page};
use crate::exit::Exit;
use crate::operator::{Operator, listed};
use crate::output::{Column, Output};
use crate::settings::Settings;

const COLUMNS: [Column; 7] = [
    ("AT", "/at"),
    ("EVENT", "/id"),
    ("KIND", "/kind"),
    ("RECORD", "/record"),
    ("VERSION", "/version"),
    ("SOURCE", "/source"),
    ("CHANGED", "/changed"),
];

/// Lists or shows events.
pub(crate) fn run(given: Event, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    match given {
        Event::List { kind, entity, record, source, page } => {
            let mut query = paged(&page);
            for (name, value) in [("kind", kind), ("entity", entity), ("record", record), ("source", source)]
            {
                query.extend(value.map(|value| (name, value)));
            }
            listed(operator.get(&["events"], &query)?, &COLUMNS, output);
        }
        Event::Get { id, mask } => {
            let event = operator.get(&["events", &id], &unmasked(&mask))?;
            output.one(&event, |_| pretty(&event));
        }
    }
    Ok(Exit::Done)
}

/// A page's part of the query.
pub(crate) fn paged(page: &Page) -> Vec<(&'static str, String)> {
    let mut query = vec![("limit", page.limit.to_string())];
    query.extend(page.before.map(|before| ("before", before.to_string())));
    query
}

/// The mask's part of the query.
pub(crate) fn unmasked(mask: &Mask) -> Vec<(&'static str, String)> {
    mask.unmask.then(|| ("unmask", "true".to_owned())).into_iter().collect()
}

/// A document that is for people as it is.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}
