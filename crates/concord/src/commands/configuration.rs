//! `concord config`: what runs, and what counted before.

use serde_json::Value;

use crate::arguments::ConfigOf;
use crate::exit::Exit;
use crate::operator::{Operator, listed};
use crate::output::Output;
use crate::settings::Settings;

/// Shows.
pub(crate) fn run(given: ConfigOf, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    match given {
        ConfigOf::Get => {
            let runs = operator.get(&["configuration"], &[])?;
            output.one(&runs, |_| shown(&runs));
        }
        ConfigOf::History(page) => {
            let mut query = vec![("limit", page.limit.to_string())];
            query.extend(page.before.map(|before| ("before", before.to_string())));
            let columns =
                [("AT", "/at"), ("DIGEST", "/digest"), ("WHO AND WHY", "/reason"), ("CHANGES", "/changes")];
            listed(short(operator.get(&["configuration", "history"], &query)?, output), &columns, output);
        }
    }
    Ok(Exit::Done)
}

fn shown(runs: &Value) -> String {
    let lines = ["tenant", "digest", "systems", "entities", "mappings", "routes"].map(|name| {
        let value = runs.get(name).unwrap_or(&Value::Null);
        format!("{name:<9} {}", crate::output::shown(value))
    });
    lines.join("\n")
}

/// For people, a digest's beginning is enough.
fn short(mut answer: Value, output: &Output) -> Value {
    if output.form() == crate::arguments::Form::Table {
        for row in answer.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
            let digest = row.get("digest").and_then(Value::as_str).and_then(|digest| digest.get(..12));
            if let Some(digest) = digest.map(str::to_owned) {
                row["digest"] = Value::String(digest);
            }
        }
    }
    answer
}
