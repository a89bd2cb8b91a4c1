//! The HTTP binding of `CloudEvents` 1.0: which mode a request is in, and the events it holds.
//!
//! <https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md>

use canonical::CloudEvent;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use web::{Flaw, Problem, kinds};

use crate::options::Limits;

/// Reads every event of a request. Either all are events, or nothing is taken.
///
/// # Errors
/// The problem to answer with; it names each event that is none.
pub(super) fn read(headers: &HeaderMap, raw: &[u8], limits: Limits) -> Result<Vec<CloudEvent>, Problem> {
    let content_type = content_type(headers)?;
    // The batch's prefix contains the other one: it is looked for first.
    let documents = if content_type.starts_with("application/cloudevents-batch") {
        only(&content_type, "application/cloudevents-batch+json")?;
        match json(raw, limits)? {
            Value::Array(items) if items.len() <= limits.events_max => items,
            Value::Array(items) => {
                let detail =
                    format!("the batch has {} events, at most {} are taken", items.len(), limits.events_max);
                return Err(Problem::new(kinds::TOO_LARGE, detail));
            }
            _ => return Err(Problem::new(kinds::MALFORMED, "a batch must be a JSON array of events")),
        }
    } else if content_type.starts_with("application/cloudevents") {
        only(&content_type, "application/cloudevents+json")?;
        vec![json(raw, limits)?]
    } else {
        vec![binary(headers, &content_type, raw, limits)?]
    };
    let batch = content_type.starts_with("application/cloudevents-batch");
    let parent = traceparent(headers);
    let mut events = Vec::with_capacity(documents.len());
    let mut errors = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        match CloudEvent::from_json(document) {
            Ok(mut event) => {
                // The event's own trace is the one that started it; the request's is only its last hop.
                event.traceparent = event.traceparent.or_else(|| parent.clone());
                events.push(event);
            }
            Err(error) => {
                let pointer = if batch { format!("/{index}") } else { String::new() };
                errors.push(Flaw { detail: error.to_string(), pointer });
            }
        }
    }
    match errors.first() {
        None => Ok(events),
        Some(first) => {
            let detail =
                format!("{} of the events cannot be taken, the first: {}", errors.len(), first.detail);
            Err(Problem::new(kinds::MALFORMED, detail).errors(errors))
        }
    }
}

/// The media type in lower case, with its parameters.
fn content_type(headers: &HeaderMap) -> Result<String, Problem> {
    match headers.get(CONTENT_TYPE).map(|value| value.to_str()) {
        None => Ok(String::new()),
        Some(Ok(text)) => Ok(text.trim().to_ascii_lowercase()),
        Some(Err(_)) => Err(Problem::new(kinds::MEDIA_TYPE, "the header `Content-Type` is not text")),
    }
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn only(content_type: &str, wanted: &str) -> Result<(), Problem> {
    if essence(content_type) != wanted {
        let detail =
            format!("`Content-Type` must be `{wanted}`: other event formats than JSON are not taken");
        return Err(Problem::new(kinds::MEDIA_TYPE, detail));
    }
    utf8_only(content_type)
}

fn utf8_only(content_type: &str) -> Result<(), Problem> {
    let mut parameters = content_type.split(';').skip(1).filter_map(|part| part.trim().split_once('='));
    match parameters.find(|(name, _)| name.trim() == "charset") {
        Some((_, charset)) if charset.trim().trim_matches('"') != "utf-8" => {
            Err(Problem::new(kinds::MEDIA_TYPE, "only the charset UTF-8 is taken"))
        }
        _ => Ok(()),
    }
}

fn json(raw: &[u8], limits: Limits) -> Result<Value, Problem> {
    let malformed = |detail: String| Problem::new(kinds::MALFORMED, detail);
    guard::limits::check_json(raw, limits.depth_max, limits.body_bytes_max)
        .map_err(|deep| malformed(deep.to_string()))?;
    let text = std::str::from_utf8(raw)
        .map_err(|error| malformed(format!("the body is not UTF-8 from byte {} on", error.valid_up_to())))?;
    serde_json::from_str(text).map_err(|error| {
        // The parser's own text may quote values.
        let (line, column) = (error.line(), error.column());
        let what = match error.classify() {
            serde_json::error::Category::Eof => "ends too early",
            _ => "is not JSON",
        };
        malformed(format!("the body {what} (line {line}, column {column})"))
    })
}

/// Binary mode: attributes in `ce-` headers, data as the body.
fn binary(headers: &HeaderMap, content_type: &str, raw: &[u8], limits: Limits) -> Result<Value, Problem> {
    let mut document = Map::new();
    let mut errors = Vec::new();
    for name in headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix("ce-") else { continue };
        let mut values = headers.get_all(name).iter();
        let value = values.next().map_or(&[][..], |value| value.as_bytes());
        let read = match (attribute, values.next()) {
            (_, Some(_)) => Err("it is given more than once"),
            ("datacontenttype", _) => Err("the body's type stands in `Content-Type`"),
            ("data" | "data_base64", _) => Err("no attribute has this name"),
            _ => decode(value),
        };
        match read {
            Ok(text) => drop(document.insert(attribute.to_owned(), Value::String(text))),
            Err(what) => errors.push(Flaw { detail: what.to_owned(), pointer: name.as_str().to_owned() }),
        }
    }
    if let Some(first) = errors.first() {
        let detail = format!("header `{}`: {}", first.pointer, first.detail);
        return Err(Problem::new(kinds::MALFORMED, detail).errors(errors));
    }
    if document.is_empty() {
        let detail = "this is no event: send `Content-Type: application/cloudevents+json`, or `ce-` headers with the \
                      attributes";
        return Err(Problem::new(kinds::MALFORMED, detail));
    }
    if !raw.is_empty() {
        let kind = essence(content_type);
        let is_json = kind.is_empty() || kind.ends_with("/json") || kind.ends_with("+json");
        if !is_json {
            return Err(Problem::new(
                kinds::MEDIA_TYPE,
                format!("data of type `{kind}` is not taken: send JSON"),
            ));
        }
        utf8_only(content_type)?;
        document.insert("data".to_owned(), json(raw, limits)?);
    }
    if !content_type.is_empty() {
        document.insert("datacontenttype".to_owned(), Value::String(content_type.to_owned()));
    }
    Ok(Value::Object(document))
}

/// A header's value as an attribute (section 3.1.3.2): unquoted first, then percent-decoded exactly once.
fn decode(value: &[u8]) -> Result<String, &'static str> {
    let mut letters = value.trim_ascii().iter().copied().peekable();
    let quoted = letters.next_if_eq(&b'"').is_some();
    let mut bytes = Vec::with_capacity(value.len());
    let mut ended = !quoted;
    while let Some(letter) = letters.next() {
        match letter {
            b'"' if quoted => {
                ended = letters.next().is_none();
                break;
            }
            b'\\' if quoted => bytes.push(letters.next().ok_or("the quoted text does not end")?),
            b'%' => {
                let digit = |letter: Option<u8>| char::from(letter.unwrap_or(b'?')).to_digit(16);
                let (high, low) = (digit(letters.next()), digit(letters.next()));
                let byte = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                bytes.push(byte.ok_or("a `%` is not followed by two hexadecimal digits")?);
            }
            0x20..=0x7e => bytes.push(letter),
            _ => return Err("it holds bytes outside printable ASCII: percent-encode them"),
        }
    }
    if !ended {
        return Err("the quoted text does not end where the value ends");
    }
    String::from_utf8(bytes).map_err(|_| "its percent-encoded bytes are not UTF-8")
}

fn traceparent(headers: &HeaderMap) -> Option<String> {
    headers.get("traceparent")?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests;
