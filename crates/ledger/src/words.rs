//! Reasons in words: what happened, where, and what to do. No field values, whatever the target quotes (I15).

use serde_json::Value;

use crate::fingerprint::fingerprint;
use crate::intent::{IdempotencyClass, Intent};
use crate::obligation::Reason;
use crate::outcome::{Class, Outcome, Refusal};

/// Longest quote of a target's own words, in characters.
const QUOTE_MAX: usize = 300;
/// Longest code or field name kept, in characters.
const NAME_MAX: usize = 128;
/// Values shorter than this are not looked for in a quote: they are parts of ordinary words.
const VALUE_MIN: usize = 3;
/// What stands in a quote for what was taken out.
const HIDDEN: &str = "[…]";

/// Why an intent in doubt goes to a person when its operation declares no way to look.
#[must_use]
pub fn unprobed(intent: &Intent) -> Reason {
    let outcome = Outcome::of(Class::Uncertain);
    doubt(intent, &outcome)
}

/// May have been applied, and neither a resend nor a look can tell.
pub(crate) fn doubt(intent: &Intent, outcome: &Outcome) -> Reason {
    let mut text = format!("{} may or may not have carried out {}", intent.system, what(intent));
    let why = match (&intent.class, outcome.class) {
        (_, Class::Uncertain | Class::Absent) => "",
        (_, Class::Applied) => "; it says that the object is there, but not under which id",
        (_, Class::Duplicate) => "; it names more than one object, or one without its id",
        (_, Class::Permission) => "; the credential may not look",
        _ => "; looking or sending again failed",
    };
    text.push_str(why);
    if matches!(intent.class, IdempotencyClass::None) {
        text.push_str("; the operation cannot be repeated safely");
    }
    quote(&mut text, intent, &outcome.refusal);
    let keyed = matches!(intent.class, IdempotencyClass::NativeKey { .. });
    if keyed && outcome.refusal.status.is_some_and(|status| status >= 500) {
        text.push_str(". The target may be repeating an error it stored under the idempotency key");
    }
    text.push_str(&look_there(intent));
    reason(intent, Class::Uncertain, &outcome.refusal, text)
}

/// The target keeps a failure under the key, and gives it again whenever it is asked.
pub(crate) fn stored(intent: &Intent, outcome: &Outcome) -> Reason {
    let mut text = format!(
        "{} repeats the failure that it stored under the idempotency key of {}, and will as long as it knows the key; \
         it may or may not have carried it out",
        intent.system,
        what(intent)
    );
    quote(&mut text, intent, &outcome.refusal);
    text.push_str(&look_there(intent));
    reason(intent, Class::Uncertain, &outcome.refusal, text)
}

/// What a person does about a doubt: a new intent, but after a check only.
fn look_there(intent: &Intent) -> String {
    format!(
        ". Look in {} whether it is there: if so, discard this delivery with that reason; if not, retry it, which uses \
         a new key",
        intent.system
    )
}

/// Refused for good.
pub(crate) fn refused(intent: &Intent, outcome: &Outcome) -> Reason {
    let (system, what) = (&intent.system, what(intent));
    let (mut text, advice) = match outcome.class {
        Class::Validation => (
            format!("{system} refused the content of {what}"),
            "Correct the value where it is owned, or the mapping, then retry".to_owned(),
        ),
        Class::TooLarge => (
            format!("{what} is larger than {system} accepts"),
            "Shorten the value where it is owned, or map less of it, then retry".to_owned(),
        ),
        Class::Permission => (
            format!("the credential for {system} may not carry out {what}"),
            format!("Grant the right in {system}, then retry"),
        ),
        Class::Duplicate => (
            format!("{system} says that what {what} would make exists already, without saying which it is"),
            format!("Find it in {system}, link it to the record or remove it, then retry"),
        ),
        Class::NotFound => (
            format!("{system} does not know the address of {what}, or an object it refers to"),
            format!("Check that what it refers to exists in {system}, and the connector's paths, then retry"),
        ),
        _ => (
            format!("{system} refused {what} for good"),
            format!("Remove the cause in {system} or in the mapping, then retry"),
        ),
    };
    quote(&mut text, intent, &outcome.refusal);
    text.push_str(&format!(". {advice}"));
    reason(intent, outcome.class, &outcome.refusal, text)
}

/// Certainly not applied, and attempts are used up. `before` are the attempts before the last.
pub(crate) fn exhausted(intent: &Intent, outcome: &Outcome, before: u32) -> Reason {
    let (system, what, attempts) = (&intent.system, what(intent), before.saturating_add(1));
    let (why, advice) = match outcome.class {
        Class::Conflict => ("somebody else wrote to the object each time", "Stop the other writer"),
        Class::Locked => ("the object was locked each time", "Find who holds the lock"),
        Class::Absent => ("no send of it arrived", "Check the connection and the system's health"),
        _ => ("the system failed each time", "Check the system's health"),
    };
    let plural = if attempts == 1 { "" } else { "s" };
    let mut text = format!("{system} did not carry out {what} in {attempts} attempt{plural}: {why}");
    quote(&mut text, intent, &outcome.refusal);
    text.push_str(&format!(". {advice}, then retry: the newest state is sent"));
    reason(intent, outcome.class, &outcome.refusal, text)
}

/// The credential is no longer taken.
pub(crate) fn revoked(intent: &Intent, outcome: &Outcome) -> Reason {
    let system = &intent.system;
    let mut text = format!("{system} no longer takes Concord's credential, so that the system is paused");
    quote(&mut text, intent, &outcome.refusal);
    text.push_str(&format!(
        ". Renew the credential, then run `concord system resume {system}`; nothing is lost meanwhile"
    ));
    reason(intent, outcome.class, &outcome.refusal, text)
}

fn what(intent: &Intent) -> String {
    format!("`{}` of {}", intent.operation, intent.object)
}

/// Grouped by route, until the caller, who knows the mapping and its version, puts a finer fingerprint in.
fn reason(intent: &Intent, class: Class, refusal: &Refusal, message: String) -> Reason {
    let name = |text: &Option<String>| text.as_deref().map(|text| short(&without_addresses(text), NAME_MAX));
    Reason {
        candidates: Vec::new(),
        class: class.name().to_owned(),
        code: name(&refusal.code),
        field: name(&refusal.field),
        message,
        fingerprint: fingerprint(&intent.system, class.name(), refusal, intent.obligation.route.as_str(), 0),
    }
}

/// Adds status, code, field and the target's own words, as far as there are any.
fn quote(text: &mut String, intent: &Intent, refusal: &Refusal) {
    let mut facts = Vec::new();
    if let Some(status) = refusal.status {
        facts.push(format!("HTTP {status}"));
    }
    if let Some(code) = &refusal.code {
        facts.push(format!("code {}", short(&without_addresses(code), NAME_MAX)));
    }
    if let Some(field) = &refusal.field {
        facts.push(format!("field {}", short(&without_addresses(field), NAME_MAX)));
    }
    if !facts.is_empty() {
        text.push_str(&format!(" ({})", facts.join(", ")));
    }
    let said = short(&without_values(&refusal.message, intent), QUOTE_MAX);
    let said = said.trim().trim_end_matches('.');
    if !said.is_empty() {
        text.push_str(&format!(": {said}"));
    }
}

fn short(text: &str, max: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= max {
        return text.chars().map(clean).collect();
    }
    text.chars().take(max).map(clean).chain(['…']).collect()
}

/// The connector redacts; this is the second net: what the intent writes, and anything like an e-mail address.
fn without_values(text: &str, intent: &Intent) -> String {
    let mut values = Vec::new();
    for value in intent.fields.values() {
        leaves(value, &mut values);
    }
    // The longest first: a value may be part of another.
    values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let mut text = without_addresses(text);
    for value in values {
        text = without(&text, &value);
    }
    text
}

fn leaves(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.trim().to_owned()),
        Value::Number(number) => into.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, into)),
        Value::Object(map) => map.values().for_each(|item| leaves(item, into)),
        Value::Null | Value::Bool(_) => {}
    }
    if into.last().is_some_and(|text| text.chars().count() < VALUE_MIN) {
        into.pop();
    }
}

/// `text` without `value`, letter case of ASCII aside.
fn without(text: &str, value: &str) -> String {
    let (low, sought) = (text.to_ascii_lowercase(), value.to_ascii_lowercase());
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    // ASCII lower case keeps byte positions.
    while let Some(at) = low[from..].find(&sought) {
        kept.push_str(&text[from..from + at]);
        kept.push_str(HIDDEN);
        from += at + sought.len();
    }
    kept.push_str(&text[from..]);
    kept
}

fn without_addresses(text: &str) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let hide = |word: &str| if word.contains('@') { HIDDEN.to_owned() } else { word.to_owned() };
    text.split(' ').map(hide).collect::<Vec<_>>().join(" ")
}
