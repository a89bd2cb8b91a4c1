//! `concord apply`: the running hub goes on with a changed folder.

use serde_json::{Value, json};

use crate::arguments::Apply;
use crate::commands::plan;
use crate::exit::Exit;
use crate::operator::Operator;
use crate::output::Output;
use crate::settings::Settings;

/// Applies.
pub(crate) fn run(given: &Apply, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let folder = given.folder.as_ref().unwrap_or(&settings.dir);
    let (_, checked) = plan::read(folder, output)?;
    let mut body = json!({"digest": checked.configuration.digest, "reason": given.reason});
    if let Some(plan) = &given.plan {
        body["plan"] = json!(plan);
    }
    if given.resync {
        body["resync"] = json!(true);
    }
    output.detail("calls of changed systems are finished first");
    let done = Operator::at(settings, folder)?.post(&["configuration", "apply"], &body)?;
    output.one(&done, |_| shown(&done));
    for row in done.get("resync").and_then(Value::as_array).into_iter().flatten() {
        output.say(&resync(row));
    }
    Ok(Exit::Done)
}

/// How what a route says is said again.
fn resync(row: &Value) -> String {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let total = row.get("total").and_then(Value::as_u64).unwrap_or(0);
    match row.get("plan").and_then(Value::as_str) {
        Some(plan) => format!(
            "route {}: {total} deliveries would be said again: concord job apply {plan} --reason \"…\"",
            text("route")
        ),
        None => format!(
            "route {}: not planned ({}): concord replay plan --route {}",
            text("route"),
            text("not"),
            text("route")
        ),
    }
}

fn shown(done: &Value) -> String {
    let names = |key: &str| -> Vec<&str> {
        done.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    if done.get("changed") != Some(&Value::Bool(true)) {
        return "no changes: the folder is what runs".to_owned();
    }
    let changes = done.get("changes").and_then(Value::as_array).map_or(0, Vec::len);
    let mut line = format!("applied: {changes} {}", if changes == 1 { "change" } else { "changes" });
    for (key, word) in
        [("connected", "connected"), ("disconnected", "disconnected"), ("renewed", "started again")]
    {
        let systems = names(key);
        if !systems.is_empty() {
            line.push_str(&format!("; {word}: {}", systems.join(", ")));
        }
    }
    if done.get("secrets") == Some(&Value::Bool(true)) {
        line.push_str("; secrets were replaced");
    }
    line
}
