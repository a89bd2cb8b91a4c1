//! `concord connector describe`: the fields of an object of a real system, and what of the folder's mappings does not fit
//! them.

use config::Files;
use connector::{Call, Described, FieldSeen};
use ledger::Class;
use runtime::clock::Clock;
use serde_json::{Value, json};

use super::attempt::{known, load, system, tell_credential};
use super::scopes;
use crate::arguments::{ConnectorDescribe, Form};
use crate::commands::check::{counted, document, tell};
use crate::exit::Exit;
use crate::output::{Column, Output, Paint};
use crate::settings::Settings;
use crate::wiring::single::Single;

const COLUMNS: [Column; 8] = [
    ("FIELD", "/path"),
    ("TYPE", "/kind"),
    ("THERE CALLED", "/vendor_type"),
    ("REQUIRED", "/required"),
    ("WRITABLE", "/writable"),
    ("CHARACTERS", "/chars_max"),
    ("VALUES", "/values_shown"),
    ("MAPPED BY", "/mapped_shown"),
];
/// Most values of a choice in the table.
const VALUES_SHOWN: usize = 4;

/// Asks, shows, compares.
pub(super) fn run(given: &ConnectorDescribe, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let dir = given.folder.as_ref().unwrap_or(&settings.dir);
    let configuration = load(dir, output)?;
    let of = system(&configuration, &given.system, dir)?;
    let object = known(&given.object, &of.connector)?;
    if !of.connector.can_describe(&object) {
        return Err(Exit::NotFound.because(format!(
            "the connector `{}` does not say how the fields of `{object}` are asked for; add `describe:` to its manifest",
            of.connector.name()
        )));
    }
    let described = ask(dir, &configuration, of, &object, output)?;
    // What was loaded a moment ago; a file that changed since is told at its new place.
    let files = Files::read(dir).unwrap_or_default();
    let mapped = config::mapped(&configuration, &files, &of.system, &object, &described);
    let problems = config::fits(&configuration, &files, &of.system, &object, &described);
    let rows: Vec<Value> =
        described.fields.iter().zip(mapped).map(|(field, (_, names))| row(field, &names, output)).collect();
    match output.form() {
        Form::Json => output.one(
            &json!({
                "system": of.system, "object": object, "fields": rows,
                "problems": problems.iter().map(document).collect::<Vec<_>>(),
            }),
            |_| String::new(),
        ),
        Form::Table | Form::Jsonl => output.rows(&COLUMNS, &rows),
    }
    if output.form() != Form::Json {
        tell(&problems, output);
    }
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let doubts = problems.len() - errors;
    if errors > 0 {
        return Err(Exit::Failed.because(format!(
            "the mappings of `{object}` do not fit {}: {}",
            of.system,
            counted(errors, "error")
        )));
    }
    let ok = output.paint_talk(Paint::Good, "ok");
    let doubted = if doubts > 0 { format!("; {}", counted(doubts, "warning")) } else { String::new() };
    output.say(&format!("{ok}: {}{doubted}", counted(rows.len(), "field")));
    Ok(if given.detailed_exit_code && doubts > 0 { Exit::Differences } else { Exit::Done })
}

fn ask(
    dir: &std::path::Path,
    configuration: &config::Configuration,
    of: &config::SystemConfig,
    object: &canonical::Object,
    output: &Output,
) -> anyhow::Result<Described> {
    let clock = Clock::system();
    let call = Call::Describe { object: object.clone() };
    let request = of.connector.render(&call).map_err(|error| Exit::Failed.because(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let single = runtime.block_on(Single::open(dir, configuration, of, clock))?;
    tell_credential(&single, &of.system, output);
    let answer = runtime.block_on(single.send(request))?;
    let outcome = of.connector.classify(&call, &answer, clock.others_wall());
    let response = match &answer {
        Ok(response) if outcome.class == Class::Applied => response,
        Ok(response) => {
            scopes::tell(&scopes::told(&of.connector, &call, &answer, single.scopes()), output);
            return Err(Exit::Failed.because(format!(
                "{} answers {} ({}): {}; see it with `concord connector try {} describe {object}`",
                of.system,
                response.status,
                outcome.class.name(),
                outcome.refusal.message,
                of.system
            )));
        }
        Err(failure) => return Err(Exit::Unreachable.because(format!("there is no answer: {failure}"))),
    };
    of.connector
        .read_fields(&call, response)
        .map_err(|garbled| Exit::Failed.because(format!("the answer of {}: {garbled}", of.system)))
}

/// A field as data, with what only the table shows.
fn row(field: &FieldSeen, mapped: &[String], output: &Output) -> Value {
    let mut row = json!({
        "path": field.path, "kind": field.kind.name(), "vendor_type": field.vendor_type, "required": field.required,
        "writable": field.writable, "chars_max": field.chars_max, "values": field.values, "custom": field.custom,
        "mapped_by": mapped,
    });
    if output.form() == Form::Table {
        let values = field.values.as_deref().unwrap_or_default();
        let mut shown = values.iter().take(VALUES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
        if values.len() > VALUES_SHOWN {
            shown.push_str(&format!(" and {} more", values.len() - VALUES_SHOWN));
        }
        row["values_shown"] = json!(shown);
        row["mapped_shown"] = json!(mapped.join(", "));
    }
    row
}
