//! Form bodies with nested names, as webhooks send them: `data[merges][FNAME]=Ann`.

use canonical::Fields;
use serde_json::Value;

/// Deepest nesting of a name; deeper ones are cut there.
const DEPTH_MAX: usize = 16;

/// Most pairs that are read; a vendor sends a few dozen.
const PAIRS_MAX: usize = 2_000;

/// Reads a form into nested objects. Repeated names keep the last value; what is not UTF-8 is replaced.
pub(super) fn parse(raw: &[u8]) -> Value {
    let mut root = Value::Object(Fields::new());
    for (name, value) in url::form_urlencoded::parse(raw).take(PAIRS_MAX) {
        let mut keys = name.split('[').map(|key| key.strip_suffix(']').unwrap_or(key)).take(DEPTH_MAX);
        let Some(first) = keys.next() else { continue };
        let mut at = entry(&mut root, first);
        for key in keys {
            at = entry(at, key);
        }
        *at = Value::String(value.into_owned());
    }
    root
}

/// The place of a key, made if it is not there; a text in the way gives way to the deeper name.
fn entry<'a>(at: &'a mut Value, key: &str) -> &'a mut Value {
    if !at.is_object() {
        *at = Value::Object(Fields::new());
    }
    &mut at[key]
}
