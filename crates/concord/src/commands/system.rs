//! `concord system`: how connected systems stand, holding them back, and their breakers.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::arguments::{Form, Part, System};
use crate::commands::event::paged;
use crate::exit::Exit;
use crate::operator::{Operator, items, listed};
use crate::output::{Column, Output, shown};
use crate::settings::Settings;

const COLUMNS: [Column; 10] = [
    ("SYSTEM", "/system"),
    ("CONNECTOR", "/connector"),
    ("STATE", "/state"),
    ("BREAKER", "/breaker"),
    ("OPEN", "/open"),
    ("PARKED", "/parked"),
    ("HOLDS", "/holds"),
    ("UNCERTAIN", "/uncertain"),
    ("DEAD", "/dead"),
    ("OLDEST", "/oldest"),
];
const JOURNAL: [Column; 5] =
    [("AT", "/at"), ("SYSTEM", "/system"), ("WHAT", "/what"), ("ABOUT", "/about"), ("WHY", "/why")];
const LANES: [Column; 3] = [("LANE", "/lane"), ("READY", "/ready"), ("CLOSED UNTIL", "/closed_until")];
const LIMITS: [Column; 5] = [
    ("LIMIT", "/limit"),
    ("TOKENS", "/tokens"),
    ("OF", "/size"),
    ("FLOW %", "/flow_pct"),
    ("CLOSED UNTIL", "/closed_until"),
];
const BREAKERS: [Column; 8] = [
    ("OPERATION", "/operation"),
    ("BREAKER", "/state"),
    ("FORCED", "/forced"),
    ("UNTIL", "/until"),
    ("GOOD", "/good"),
    ("SLOW", "/slow"),
    ("ILL", "/ill"),
    ("TYPICAL MS", "/typical_ms"),
];
const HELD: [Column; 4] = [("HELD", "/part"), ("OF", "/of"), ("SINCE", "/since"), ("WHY", "/why")];
const FORCED: [Column; 4] =
    [("FORCED", "/to"), ("OPERATION", "/operation"), ("SINCE", "/since"), ("WHY", "/why")];

const JOBS: [Column; 6] = [
    ("JOB", "/job"),
    ("OBJECT", "/object"),
    ("OPERATION", "/operation"),
    ("RECORDS", "/records"),
    ("SINCE", "/since"),
    ("STATE", "/state"),
];

const SCOPES: [Column; 3] = [("SCOPE", "/scope"), ("GRANTED", "/granted"), ("NEEDED BY", "/operations")];

/// Lists, shows, orders.
pub(crate) fn run(given: System, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    match given {
        System::List => {
            let rows: Vec<Value> = items(operator.get(&["systems"], &[])?);
            output.rows(&COLUMNS, &rows);
        }
        System::Get { system, calls, lane } => {
            let mut query: Vec<(&str, String)> = Vec::new();
            query.extend(calls.map(|calls| ("calls", calls.to_string())));
            query.extend(lane.map(|lane| ("lane", lane)));
            let sheet = operator.get(&["systems", &system], &query)?;
            output.one(&sheet, |output| told(&sheet, output));
        }
        System::Pause { system, part, reason } => {
            let (body, what) = ordered(&system, part, Some(reason));
            operator.post(&["systems", &system, "pause"], &body)?;
            output.say(&format!("{what} is paused: what is for it waits, nothing is dropped"));
        }
        System::Resume { system, part, reason } => {
            let (body, what) = ordered(&system, part, reason);
            operator.post(&["systems", &system, "resume"], &body)?;
            output.say(&format!("{what} goes on"));
        }
        System::Breaker { system, to, operation, reason } => {
            let body = json!({ "to": to, "operation": operation, "reason": reason });
            operator.post(&["systems", &system, "breaker"], &body)?;
            let of = operation
                .map_or_else(|| "every breaker".to_owned(), |name| format!("the breaker of `{name}`"));
            output.say(&match to.as_str() {
                "auto" => format!("{of} of {system} decides by itself again"),
                to => {
                    format!("{of} of {system} is forced {to}, until the same is ordered with `auto`")
                }
            });
        }
        System::Journal { system, follow: true, after, .. } => follow(&operator, system, after, output)?,
        System::Journal { system, page, .. } => {
            let mut query = paged(&page);
            query.extend(system.map(|system| ("system", system)));
            listed(operator.get(&["journal"], &query)?, &JOURNAL, output);
        }
    }
    Ok(Exit::Done)
}

/// How long a hub lets a question wait, in seconds: less than the patience of whoever asks.
const WAIT: u64 = 20;
/// How long a hub that cannot be reached is left alone.
const AGAIN: Duration = Duration::from_secs(2);

/// Writes what changes as it comes, until it is interrupted or nobody reads it any more.
fn follow(
    operator: &Operator,
    system: Option<String>,
    after: Option<u64>,
    output: &Output,
) -> anyhow::Result<()> {
    if output.form() == Form::Json {
        return Err(Exit::Usage.because("--follow writes line after line: use --output jsonl, or none"));
    }
    let (mut after, mut away) = (after.map(|after| after.to_string()), false);
    loop {
        let mut query = vec![("wait", WAIT.to_string())];
        query.extend(after.clone().map(|after| ("after", after)));
        query.extend(system.clone().map(|system| ("system", system)));
        match operator.get(&["feed"], &query) {
            Ok(feed) => {
                if std::mem::take(&mut away) {
                    output.say("the hub answers again");
                }
                for event in feed["events"].as_array().into_iter().flatten() {
                    let read = output.line(&match output.form() {
                        Form::Table => line_of(event),
                        _ => event.to_string(),
                    });
                    if !read {
                        return Ok(());
                    }
                }
                after = Some(shown(&feed["next"]));
            }
            // Before the first answer it is not known where to go on: then what is wrong is said.
            Err(error) if after.is_some() && Exit::of(&error) == Exit::Unreachable => {
                if !std::mem::replace(&mut away, true) {
                    output.say(&format!("{error:#}; going on when it answers"));
                }
                std::thread::sleep(AGAIN);
            }
            Err(error) => return Err(error),
        }
    }
}

/// An event, for people.
fn line_of(event: &Value) -> String {
    let (data, what) = (&event["data"], shown(&event["type"]));
    let what = what.strip_prefix("concord.system.").unwrap_or(&what).replace('_', " ");
    let mut line = format!("{}  {}: {what}", shown(&event["time"]), shown(&event["subject"]));
    for part in ["about", "why"].map(|name| data[name].as_str()).into_iter().flatten() {
        line.push_str(&format!(" ({part})"));
    }
    line
}

/// The order's body, and what it is about in words.
fn ordered(system: &str, part: Part, reason: Option<String>) -> (Value, String) {
    let mut body = Map::new();
    let mut what = system.to_owned();
    for (name, value) in [("entity", part.entity), ("route", part.route), ("record", part.record)] {
        if let Some(value) = value {
            what = format!("{name} {value} of {system}");
            body.insert(name.to_owned(), Value::from(value));
        }
    }
    body.extend(reason.map(|reason| ("reason".to_owned(), Value::from(reason))));
    (Value::Object(body), what)
}

/// One system, for people.
fn told(sheet: &Value, output: &Output) -> String {
    let field = |name: &str| shown(&sheet[name]);
    let mut said = format!(
        "{}: {} ({} {})\n",
        field("system"),
        field("state"),
        field("connector"),
        field("connector_version")
    );
    let mut line = |text: String| said.push_str(&format!("  {text}\n"));
    if let Some(reason) = sheet["paused"].as_str() {
        line(format!("paused: {reason}"));
    }
    if let Some(until) = sheet["closed_until"].as_str() {
        line(format!("the system asked to be left alone until {until}"));
    }
    if let Some(account) = sheet["instance"].as_str() {
        line(format!("account {account}"));
    }
    line(format!(
        "open {}, of these parked {}; uncertain {}, dead {}; oldest {}",
        field("open"),
        field("parked"),
        field("uncertain"),
        field("dead"),
        field("oldest")
    ));
    let most = match (sheet["concurrency"].as_u64(), sheet["concurrency_most"].as_u64()) {
        (Some(now), Some(most)) if now < most => {
            format!("{now} (configured {most}: it throttles, or is slower than usual)")
        }
        _ => field("concurrency"),
    };
    line(format!(
        "on the wire {} of {most}; in memory not due {}, behind the same record {}",
        field("in_flight"),
        field("waiting"),
        field("blocked")
    ));
    if sheet["releasing"] == true {
        line("what was held is going back into line".to_owned());
    }
    let names = |name: &str| -> Option<String> {
        let names: Vec<&str> = sheet[name].as_array()?.iter().filter_map(Value::as_str).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    if let Some(unlisted) = names("unlisted") {
        line(format!(
            "nothing is delivered before its first listing of {unlisted}, which tells what it holds already"
        ));
    }
    if let Some(trouble) = sheet["trouble"].as_str() {
        line(format!("the last try to connect or to read failed: {trouble}"));
    }
    if let Some(resting) = names("resting") {
        line(format!("not read until those who wait for it keep up: {resting}"));
    }
    let silent = sheet["heard"].as_array().into_iter().flatten().filter(|row| row["silent"] == true);
    for row in silent {
        let of = match row["of"].as_str() {
            Some("messages") | None => "no message".to_owned(),
            Some(object) => format!("no page of {object}"),
        };
        line(format!("{of} since {}, expected every {} s", shown(&row["at"]), shown(&row["within_s"])));
    }
    for scope in sheet["scopes"]["surplus"].as_array().into_iter().flatten() {
        line(format!("the scope {} is listed, and nothing needs it", shown(scope)));
    }
    if let Some(forecast) = sheet["forecast"].as_object() {
        let part = |name: &str| shown(forecast.get(name).unwrap_or(&Value::Null));
        line(format!(
            "{} calls on the {} lane take {} s and are through at {}, by {}",
            part("calls"),
            part("lane"),
            part("takes_s"),
            part("through"),
            part("by").replace('_', "-")
        ));
    }
    let tables: [(&str, &[Column]); 6] = [
        ("lanes", &LANES),
        ("limits", &LIMITS),
        ("breakers", &BREAKERS),
        ("held", &HELD),
        ("forced", &FORCED),
        ("jobs", &JOBS),
    ];
    for (name, columns) in tables {
        let rows = sheet[name].as_array().map(Vec::as_slice).unwrap_or_default();
        if !rows.is_empty() {
            said.push_str(&format!("\n{}\n", output.table(columns, rows)));
        }
    }
    let scopes = scopes(&sheet["scopes"]);
    if !scopes.is_empty() {
        said.push_str(&format!("\n{}\n", output.table(&SCOPES, &scopes)));
    }
    said.trim_end().to_owned()
}

/// What the system's vendor must permit, beside what its file says was granted.
fn scopes(sheet: &Value) -> Vec<Value> {
    let needed = sheet["needed"].as_array().into_iter().flatten();
    let row = |one: &Value| {
        let granted = match one["granted"].as_bool() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not said",
        };
        let names = one["operations"].as_array().into_iter().flatten().filter_map(Value::as_str);
        json!({ "scope": one["scope"], "granted": granted, "operations": names.collect::<Vec<_>>().join(", ") })
    };
    needed.map(row).collect()
}
