//! `concord system`: how connected systems stand, and holding one.

use serde_json::{Value, json};

use crate::arguments::System;
use crate::exit::Exit;
use crate::operator::{Operator, items};
use crate::output::{Column, Output};
use crate::settings::Settings;

const COLUMNS: [Column; 9] = [
    ("SYSTEM", "/system"),
    ("CONNECTOR", "/connector"),
    ("STATE", "/state"),
    ("BREAKER", "/breaker"),
    ("OPEN", "/open"),
    ("PARKED", "/parked"),
    ("UNCERTAIN", "/uncertain"),
    ("DEAD", "/dead"),
    ("OLDEST", "/oldest"),
];

/// Lists, pauses or resumes.
pub(crate) fn run(given: System, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    match given {
        System::List => {
            let rows: Vec<Value> = items(operator.get(&["systems"], &[])?);
            output.rows(&COLUMNS, &rows);
        }
        System::Pause { system, reason } => {
            operator.post(&["systems", &system, "pause"], &json!({ "reason": reason }))?;
            output.say(&format!("{system} is paused: what is for it waits, nothing is dropped"));
        }
        System::Resume { system } => {
            operator.post(&["systems", &system, "resume"], &json!({}))?;
            output.say(&format!("{system} goes on"));
        }
    }
    Ok(Exit::Done)
}
