//! Answers of a hub without what differs from run to run: ids, times, and what is gone the next moment.

use std::collections::BTreeSet;

use serde_json::Value;

/// Series without their values, and the values of those that count what happened; those of time are left out.
pub(crate) fn counted(metrics: &str) -> BTreeSet<String> {
    // Whoever finds an address may knock there, and those who live there hear it: requests are counted as they come.
    let timed = ["_bucket", "_sum", "store_", "concord_http_", "_in_flight", "_held"];
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    lines.filter(|line| !timed.iter().any(|part| line.contains(part))).map(str::to_owned).collect()
}

/// Takes out of an answer what differs from run to run: ids, times, digests, and what is gone the next moment.
pub(crate) fn plain(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !GONE.contains(&key.as_str()) && !key.ends_with("_ms"));
            map.values_mut().for_each(plain);
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        Value::String(text) => *text = without_ids(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What is measured, or shows a moment.
const GONE: [&str; 7] = ["now", "next", "request_id", "trend", "round", "marks", "releasing"];

/// Words in which a digit stands among many letters are ids, times or digests.
pub(crate) fn without_ids(text: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '.' | '~' | '+');
    let mut out = String::new();
    let mut word = String::new();
    let end = |word: &mut String, out: &mut String| {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        if word.len() >= 16 && digits >= 4 {
            out.push('#')
        } else {
            out.push_str(word)
        }
        word.clear();
    };
    for c in text.chars() {
        if part(c) {
            word.push(c);
        } else {
            end(&mut word, &mut out);
            out.push(c);
        }
    }
    end(&mut word, &mut out);
    // How long a call took is said in the timeline.
    match (out.find(" took "), out.find(" ms: ")) {
        (Some(from), Some(to)) if from < to => format!("{} took #{}", &out[..from], &out[to..]),
        _ => out,
    }
}
