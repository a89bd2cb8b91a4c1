//! `concord retention`: what is kept for how long, and a round at once.

use serde_json::{Value, json};

use crate::arguments::Retention;
use crate::exit::Exit;
use crate::operator::Operator;
use crate::output::{Column, Output};
use crate::settings::Settings;

const KINDS: [Column; 5] =
    [("KIND", "/kind"), ("KEEPS", "/keeps"), ("ROWS", "/rows"), ("OLDEST", "/oldest"), ("PAST", "/past")];

/// Shows or orders.
pub(crate) fn run(given: Retention, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    let sheet = match given {
        Retention::Get => operator.get(&["retention"], &[])?,
        Retention::Run { reason } => {
            let sheet = operator.post(&["retention", "run"], &json!({ "reason": reason }))?;
            output.say("a round begins; see how far it is with `concord retention get`");
            sheet
        }
    };
    output.one(&sheet, |output| shown(&sheet, output));
    Ok(Exit::Done)
}

fn shown(sheet: &Value, output: &Output) -> String {
    let kinds = sheet.get("kinds").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |pointer: &str| sheet.pointer(pointer).and_then(Value::as_str);
    let round = match (text("/round/part"), text("/round/ended_at")) {
        (Some(part), _) => format!("at work on {part}"),
        (None, Some(ended)) => format!("last over at {ended}"),
        (None, None) => "none yet".to_owned(),
    };
    let removed = sheet.get("removed").and_then(Value::as_object).into_iter().flatten();
    let removed: Vec<String> = removed.map(|(kind, count)| format!("{kind} {count}")).collect();
    let removed = if removed.is_empty() { "nothing".to_owned() } else { removed.join(", ") };
    let archive = text("/archive").unwrap_or("none");
    let table = output.table(&KINDS, &kinds);
    format!("{table}\n\nround:   {round}\nremoved: {removed}\narchive: {archive}")
}
