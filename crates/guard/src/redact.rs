//! What may be shown of requests and answers in logs, errors and traces (I15).
//!
//! Headers are shown by an allow-list, never by a list of bad names: a vendor's next token header is hidden
//! before anyone has heard of it. Bodies keep their shape and lose their values.

use std::fmt::Write as _;

use serde_json::Value;

use crate::secret::REDACTED;

/// Headers whose values say how a call went and carry no secret and no person.
const SHOWN_HEADERS: [&str; 20] = [
    "accept",
    "accept-encoding",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "host",
    "idempotent-replayed",
    "ratelimit",
    "ratelimit-limit",
    "ratelimit-policy",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "server",
    "stripe-should-retry",
    "traceparent",
    "user-agent",
];

/// Prefixes of shown headers: the vendors' quota headers.
const SHOWN_PREFIXES: [&str; 3] = ["x-ratelimit-", "x-rate-limit-", "x-hubspot-ratelimit-"];

/// Parts of key names whose values are credentials; compared without case, `_` and `-`.
const SECRET_KEYS: [&str; 16] = [
    "accesskey",
    "apikey",
    "assertion",
    "authorization",
    "bearer",
    "clientsecret",
    "cookie",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "session",
    "signature",
    "token",
];

/// The longest text of a body that is looked at; the rest is only counted.
const BODY_SHOWN_BYTES_MAX: usize = 64 * 1024;

/// The value of a header as it may be shown.
#[must_use]
pub fn header<'a>(name: &str, value: &'a str) -> &'a str {
    let name = name.to_ascii_lowercase();
    let shown = SHOWN_HEADERS.binary_search(&name.as_str()).is_ok()
        || SHOWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if shown { value } else { REDACTED }
}

/// Whether a key names a credential, in any vendor's spelling (`client_secret`, `Api-Key`, `accessToken`).
#[must_use]
pub fn is_secret_key(key: &str) -> bool {
    let plain: String =
        key.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_KEYS.iter().any(|part| plain.contains(part))
}

/// The shape of a JSON body, without its values: keys, nesting and sizes stay, contents go.
///
/// It needs no schema, so it is safe for any vendor's body: texts become `[text N]` (N characters), numbers
/// `[number]`, credentials `[redacted]`; `true`, `false` and `null` stay. Keys that do not look like field
/// names (an address used as a key) become `[key]`. What is not JSON becomes `[N bytes, not JSON]`.
#[must_use]
pub fn json(body: &[u8]) -> String {
    if body.len() > BODY_SHOWN_BYTES_MAX {
        return format!("[{} bytes, too long to show]", body.len());
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => {
            let mut shown = String::with_capacity(body.len());
            shape(&value, &mut shown);
            shown
        }
        Err(_) => format!("[{} bytes, not JSON]", body.len()),
    }
}

fn shape(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(_) => out.push_str("\"[number]\""),
        Value::String(text) => quoted(out, format_args!("[text {}]", text.chars().count())),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                shape(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (key, field)) in fields.iter().enumerate() {
                separate(out, index);
                quoted(out, format_args!("{}", if is_field_name(key) { key } else { "[key]" }));
                out.push(':');
                if is_secret_key(key) && !field.is_null() {
                    quoted(out, format_args!("{REDACTED}"));
                } else {
                    shape(field, out);
                }
            }
            out.push('}');
        }
    }
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn quoted(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ok = write!(out, "\"{text}\"").is_ok();
}

fn is_field_name(key: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'$');
    // A run of digits is a telephone or account number rather than a name.
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    key.len() <= 64 && key.bytes().all(plain) && digits <= 5
}

/// A vendor's error text with what could be a person or a credential taken out.
///
/// Words that hold an `@`, that are long and mixed like a token, or that carry six or more digits become
/// `[redacted]`, and so does what stands behind a credential's name (`token=…`, `Bearer …`). The text is cut
/// at `chars_max` characters. Names written as plain words cannot be told from other words: where a field's
/// class forbids showing it, show the error's code instead of its text.
#[must_use]
pub fn text(raw: &str, chars_max: usize) -> String {
    let mut out = String::new();
    let mut hide_next = false;
    for word in raw.split_inclusive(|c: char| c.is_whitespace() || c == ',' || c == ';') {
        let core = word.trim_end_matches(|c: char| c.is_whitespace() || c == ',' || c == ';');
        let tail = &word[core.len()..];
        let hide = hide_next && !core.is_empty() || is_personal(core);
        hide_next = if core.is_empty() { hide_next } else { introduces_secret(core) };
        let named = core.split_once(['=', ':']).filter(|(key, rest)| is_secret_key(key) && !rest.is_empty());
        match named {
            _ if hide => out.push_str(REDACTED),
            Some((key, _)) => {
                out.push_str(key);
                out.push('=');
                out.push_str(REDACTED);
            }
            None => out.push_str(core),
        }
        out.push_str(tail);
    }
    if out.chars().count() > chars_max {
        out = out.chars().take(chars_max).collect();
        out.push('…');
    }
    out
}

fn introduces_secret(word: &str) -> bool {
    let word = word.trim_end_matches(['=', ':']);
    word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic")
}

fn is_personal(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let token_like = word.len() >= 20
        && digits >= 2
        && letters >= 4
        && word.bytes().all(|b| b.is_ascii_graphic())
        && !word.contains('/');
    word.contains('@') || digits >= 6 || token_like
}

#[cfg(test)]
mod tests;
