//! `concord plan`: what a folder would change, before it is applied.

use std::path::Path;

use config::{Checked, Files};
use serde_json::{Map, Value, json};

use crate::arguments::PlanOf;
use crate::commands::check;
use crate::exit::Exit;
use crate::operator::Operator;
use crate::output::{Output, Paint};
use crate::settings::Settings;

/// Plans.
pub(crate) fn run(given: &PlanOf, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let folder = given.folder.as_ref().unwrap_or(&settings.dir);
    let plan = ask(folder, settings, output)?;
    output.one(&plan, |output| shown(&plan, output));
    if refused(&plan) {
        return Err(Exit::Conflict.because("this change cannot be made to a running hub: see above"));
    }
    let changes =
        plan.pointer("/changes").and_then(Value::as_array).is_some_and(|changes| !changes.is_empty());
    Ok(if given.detailed_exit_code && changes { Exit::Differences } else { Exit::Done })
}

/// The hub's plan for a folder, which is checked first.
fn ask(folder: &Path, settings: &Settings, output: &Output) -> anyhow::Result<Value> {
    let (files, _) = read(folder, output)?;
    let files: Map<String, Value> = files.iter().map(|(path, text)| (path.to_owned(), json!(text))).collect();
    Operator::at(settings, folder)?.post(&["configuration", "plan"], &json!({ "files": files }))
}

/// A folder in order; shows what is wrong with another one.
pub(super) fn read(folder: &Path, output: &Output) -> anyhow::Result<(Files, Checked)> {
    let loaded = Files::read(folder).and_then(|files| config::load(&files).map(|checked| (files, checked)));
    loaded.map_err(|problems| {
        check::tell(&problems, output);
        Exit::Failed
            .because(format!("{} cannot be used: see above; what runs goes on as it was", folder.display()))
    })
}

/// Whether it cannot be applied.
fn refused(plan: &Value) -> bool {
    plan.pointer("/refusals").and_then(Value::as_array).is_some_and(|refusals| !refusals.is_empty())
}

/// A plan for people.
fn shown(plan: &Value, output: &Output) -> String {
    let list = |name: &str| plan.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if list("changes").is_empty() {
        return "no changes: the folder is what runs".to_owned();
    }
    let mut lines = Vec::new();
    for change in list("changes") {
        let (sign, paint) = match text(change, "how").as_str() {
            "added" => ("+", Paint::Good),
            "removed" => ("-", Paint::Bad),
            _ => ("~", Paint::Doubt),
        };
        let line = format!("{sign} {} {}", text(change, "kind"), text(change, "name"));
        lines.push(output.paint(paint, &line).into_owned());
        let details = change.get("details").and_then(Value::as_array).into_iter().flatten();
        lines.extend(details.filter_map(Value::as_str).map(|detail| format!("    {detail}")));
    }
    lines.push(String::new());
    lines.extend(list("effects").iter().filter_map(Value::as_str).map(|effect| format!("* {effect}")));
    for refusal in list("refusals") {
        lines.push(String::new());
        lines.push(text(refusal, "shown"));
    }
    if !refused(plan) {
        lines.push(String::new());
        lines.push(format!("apply it with: concord apply --plan {} --reason WHY", text(plan, "plan")));
    }
    lines.join("\n")
}
