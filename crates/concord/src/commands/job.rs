//! `concord replay` and `concord job`: bulk work, planned, applied, watched and held.

use serde_json::{Map, Value, json};

use crate::arguments::{Job, JobApply, JobOrder, Replay, ReplayPlan};
use crate::commands::event::{paged, pretty};
use crate::exit::Exit;
use crate::operator::{Operator, listed};
use crate::output::{Column, Output};
use crate::settings::Settings;

const COLUMNS: [Column; 8] = [
    ("ID", "/id"),
    ("ACTION", "/action"),
    ("STATE", "/state"),
    ("TOTAL", "/total"),
    ("DONE", "/done"),
    ("DELIVERED", "/delivered"),
    ("FAILED", "/failed"),
    ("REASON", "/reason"),
];

const PORTIONS: [Column; 5] = [
    ("SYSTEM", "/system"),
    ("ROUTE", "/route"),
    ("ENTITY", "/entity"),
    ("KIND", "/kind"),
    ("COUNT", "/count"),
];

/// Plans or applies a replay.
pub(crate) fn replay(given: Replay, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    match given {
        Replay::Plan(wanted) => plan(&operator, &asked(&wanted), output),
        Replay::Apply(how) => apply(&operator, &how, output),
    }
}

/// Lists, shows or orders.
pub(crate) fn run(given: Job, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    match given {
        Job::List(page) => {
            listed(operator.get(&["jobs"], &paged(&page))?, &COLUMNS, output);
            Ok(Exit::Done)
        }
        Job::Get { id } => {
            let job = operator.get(&["jobs", &id], &[])?;
            output.one(&job, |_| pretty(&job));
            Ok(Exit::Done)
        }
        Job::Apply(how) => apply(&operator, &how, output),
        Job::Pause(order) => ordered(&operator, &order, "pause", output),
        Job::Resume(order) => ordered(&operator, &order, "resume", output),
        Job::Cancel(order) => ordered(&operator, &order, "cancel", output),
    }
}

/// Has bulk work counted, shows the plan, and says how to go on.
pub(crate) fn plan(operator: &Operator, wanted: &Value, output: &Output) -> anyhow::Result<Exit> {
    let plan = operator.post(&["jobs"], wanted)?;
    output.one(&plan, |_| shown(&plan, output));
    let text = |name: &str| plan.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if plan.get("total").and_then(Value::as_u64) == Some(0) {
        output.say("the plan covers nothing");
    } else {
        output.say(&format!("nothing is done yet; until {} it is started with", text("expires_at")));
        output.say(&format!("  concord job apply {} --reason \"…\"", text("id")));
    }
    Ok(Exit::Done)
}

fn shown(plan: &Value, output: &Output) -> String {
    let cell = |pointer: &str| plan.pointer(pointer).map(ToString::to_string).unwrap_or_default();
    let portions = plan.get("portions").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut text = format!(
        "{}: {} of {} deliveries and messages; at least {} calls; {} s at the usual pace\n",
        cell("/id").trim_matches('"'),
        cell("/action").trim_matches('"'),
        cell("/total"),
        cell("/calls"),
        cell("/seconds"),
    );
    text.push_str(&output.table(&PORTIONS, &portions));
    for row in plan.get("forecasts").and_then(Value::as_array).into_iter().flatten() {
        let said = |name: &str| row.get(name).map(crate::output::shown).unwrap_or_default();
        let through = match row.get("through").and_then(Value::as_str) {
            Some(through) => format!("through at {through}"),
            None => "not through within the bulk hours of the next years".to_owned(),
        };
        let line = format!("\n{}: {} calls; {through}, by {}", said("system"), said("calls"), said("by"));
        text.push_str(&line);
    }
    for (why, count) in plan.get("left_out").and_then(Value::as_object).into_iter().flatten() {
        text.push_str(&format!("\nleft out: {count} {why}"));
    }
    text
}

fn asked(wanted: &ReplayPlan) -> Value {
    let fields = [
        ("from", &wanted.from),
        ("until", &wanted.until),
        ("entity", &wanted.entity),
        ("source", &wanted.source),
        ("target", &wanted.target),
        ("route", &wanted.route),
        ("event", &wanted.event),
        ("group", &wanted.group),
        ("record", &wanted.record),
    ];
    let given =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
    let scope: Map<String, Value> = given.collect();
    json!({ "action": "replay", "scope": scope, "new_intent": wanted.new_intent })
}

fn apply(operator: &Operator, how: &JobApply, output: &Output) -> anyhow::Result<Exit> {
    let body = json!({ "reason": how.reason, "pace": how.pace });
    let job = operator.post(&["jobs", &how.plan, "apply"], &body)?;
    output.one(&job, |_| pretty(&job));
    output.say(&format!("it runs; see how far it is with `concord job get {}`", how.plan));
    Ok(Exit::Done)
}

fn ordered(operator: &Operator, order: &JobOrder, verb: &str, output: &Output) -> anyhow::Result<Exit> {
    let job = operator.post(&["jobs", &order.id, verb], &json!({ "reason": order.reason }))?;
    let state = job.get("state").and_then(Value::as_str).unwrap_or_default();
    output.say(&format!("{} is {state}", order.id));
    Ok(Exit::Done)
}
