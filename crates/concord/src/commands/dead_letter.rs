//! `concord dead-letter`: what needs a person, and the person's decision.

use serde_json::{Value, json};

use crate::arguments::{DeadLetter, Decision, Edit};
use crate::commands::event::{paged, pretty};
use crate::commands::job;
use crate::exit::Exit;
use crate::operator::{Operator, listed};
use crate::output::{Column, Output};
use crate::settings::Settings;

const COLUMNS: [Column; 7] = [
    ("KEY", "/key"),
    ("KIND", "/kind"),
    ("SYSTEM", "/system"),
    ("STATE", "/state"),
    ("GROUP", "/fingerprint"),
    ("SINCE", "/since"),
    ("REASON", "/reason"),
];

const GROUPS: [Column; 9] = [
    ("GROUP", "/fingerprint"),
    ("KIND", "/kind"),
    ("SYSTEM", "/system"),
    ("STATE", "/state"),
    ("COUNT", "/count"),
    ("LAST DAY", "/last_day"),
    ("FIRST", "/first"),
    ("LAST", "/last"),
    ("REASON", "/reason"),
];

/// Lists, shows or decides.
pub(crate) fn run(given: DeadLetter, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    match given {
        DeadLetter::List { system, group, waiting, page } => {
            let mut query = paged(&page);
            if waiting {
                query.push(("waiting", "true".to_owned()));
            }
            for (name, value) in [("system", system), ("fingerprint", group)] {
                query.extend(value.map(|value| (name, value)));
            }
            listed(operator.get(&["dead-letters"], &query)?, &COLUMNS, output);
            Ok(Exit::Done)
        }
        DeadLetter::Groups { group: Some(group), .. } => {
            let group = operator.get(&["dead-letters", "groups", &group], &[])?;
            output.one(&group, |_| pretty(&group));
            Ok(Exit::Done)
        }
        DeadLetter::Groups { group: None, system, closed, page } => {
            let mut query = paged(&page);
            query.extend(system.map(|system| ("system", system)));
            if closed {
                query.push(("closed", "true".to_owned()));
            }
            listed(operator.get(&["dead-letters", "groups"], &query)?, &GROUPS, output);
            Ok(Exit::Done)
        }
        DeadLetter::Get { key } => {
            let letter = operator.get(&["dead-letters", &key], &[])?;
            output.one(&letter, |_| pretty(&letter));
            Ok(Exit::Done)
        }
        DeadLetter::Link { key, to, reason } => {
            let body =
                json!({ "record": to.rsplit_once('/').map_or(to.as_str(), |(_, id)| id), "reason": reason });
            let letter = operator.post(&["dead-letters", &key, "link"], &body)?;
            output.one(&letter, |_| pretty(&letter));
            output.say(&format!("{key}: its object stands for {to} now, and it is taken in again"));
            Ok(Exit::Done)
        }
        DeadLetter::Edit(given) => edit(&operator, &given, output),
        DeadLetter::Retry(decision) => {
            each(&operator, &["dead-letters"], &decision, "retry", "is tried again", output)
        }
        DeadLetter::Discard(decision) => {
            each(&operator, &["dead-letters"], &decision, "discard", "is given up", output)
        }
    }
}

/// Puts values in place of others, and tries again.
fn edit(operator: &Operator, given: &Edit, output: &Output) -> anyhow::Result<Exit> {
    let mut set = serde_json::Map::new();
    for pair in &given.set {
        let Some((path, value)) = pair.split_once('=').filter(|(path, _)| !path.is_empty()) else {
            return Err(Exit::Usage.because(format!("{pair:?}: write --set PATH=VALUE")));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        set.insert(path.to_owned(), value);
    }
    let mut body = json!({ "reason": given.reason, "set": set, "unset": given.unset });
    if let (Some(object), Some(id)) = (&given.object, &given.id) {
        body["object"] = json!(object);
        body["external_id"] = json!(id);
    }
    let letter = operator.post(&["dead-letters", &given.key, "edit"], &body)?;
    output.one(&letter, |_| pretty(&letter));
    output.say(&format!("{} is edited and tried again; what it was is kept", given.key));
    Ok(Exit::Done)
}

/// Decides one after the other; what fails is named, and does not keep the rest from being done.
pub(crate) fn each(
    operator: &Operator,
    path: &[&str],
    decision: &Decision,
    verb: &str,
    done: &str,
    output: &Output,
) -> anyhow::Result<Exit> {
    if let Some(group) = &decision.group {
        return job::plan(operator, &json!({ "action": verb, "scope": { "group": group } }), output);
    }
    let body: Value = json!({ "reason": decision.reason });
    let mut failed = Vec::new();
    for key in &decision.keys {
        let path: Vec<&str> = path.iter().copied().chain([key.as_str(), verb]).collect();
        match operator.post(&path, &body) {
            Ok(_) => output.say(&format!("{key} {done}")),
            Err(error) => failed.push((key, error)),
        }
    }
    match failed.len() {
        0 => Ok(Exit::Done),
        _ if decision.keys.len() == 1 => {
            let (_, error) = failed.swap_remove(0);
            Err(error)
        }
        count => {
            for (key, error) in &failed {
                output.warn(&format!("{key}: {error:#}"));
            }
            let all = decision.keys.len();
            let exit = if count == all { Exit::Failed } else { Exit::Partial };
            Err(exit.because(format!("{count} of {all} could not be done; each is named above")))
        }
    }
}
