//! Rows: how each type is written into columns and read back.

use canonical::{ExternalRef, IntentId, MessageId, RecordId, Tenant, Wall};
use guard::seal::Place;
use ledger::{Class, Reason, State, Subject};
use rusqlite::Row;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use uuid::Uuid;

use crate::fault::{Fault, Outcome};

pub(crate) mod intent;
pub(crate) mod message;
pub(crate) mod obligation;
pub(crate) mod record;
pub(crate) mod shadow;
pub(crate) mod work;

/// Sealed documents begin with this byte: JSON as of the first schema.
const DOCUMENT_FORM: u8 = 1;

/// States by number; appended to, never reordered.
const STATES: [State; 10] = [
    State::Pending,
    State::Retrying,
    State::Parked,
    State::Uncertain,
    State::Dead,
    State::Delivered,
    State::Superseded,
    State::Skipped,
    State::Discarded,
    State::Erased,
];
/// Outcome classes by number; appended to, never reordered.
const CLASSES: [Class; 18] = [
    Class::Applied,
    Class::Absent,
    Class::RateLimited,
    Class::QuotaExhausted,
    Class::AuthExpired,
    Class::AuthRevoked,
    Class::Permission,
    Class::Validation,
    Class::TooLarge,
    Class::Duplicate,
    Class::NotFound,
    Class::Gone,
    Class::Conflict,
    Class::Locked,
    Class::BatchRejected,
    Class::Uncertain,
    Class::Retryable,
    Class::Permanent,
];

pub(crate) fn state_number(state: State) -> i64 {
    place_in(&STATES, &state)
}

pub(crate) fn state(number: i64) -> Outcome<State> {
    at_place(&STATES, number, "state")
}

pub(crate) fn class_number(class: Class) -> i64 {
    place_in(&CLASSES, &class)
}

pub(crate) fn class(number: i64) -> Outcome<Class> {
    at_place(&CLASSES, number, "class")
}

fn place_in<T: PartialEq>(all: &[T], one: &T) -> i64 {
    // Each list is complete: a test walks them.
    all.iter().position(|other| other == one).and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)
}

fn at_place<T: Copy>(all: &[T], number: i64, what: &str) -> Outcome<T> {
    let found = usize::try_from(number).ok().and_then(|at| all.get(at));
    found.copied().ok_or_else(|| Fault::corrupt(what, format_args!("unknown number {number}")))
}

/// A subject as stored: kind and id.
pub(crate) fn subject_parts(subject: &Subject) -> (i64, &[u8; 16]) {
    match subject {
        Subject::Record(record) => (0, record.as_bytes()),
        Subject::Event(event) => (1, event.as_bytes()),
    }
}

pub(crate) fn subject(kind: i64, id: [u8; 16]) -> Outcome<Subject> {
    match kind {
        0 => Ok(Subject::Record(RecordId(Uuid::from_bytes(id)))),
        1 => Ok(Subject::Event(canonical::EventId(Uuid::from_bytes(id)))),
        other => Err(Fault::corrupt("obligation", format_args!("unknown kind {other}"))),
    }
}

/// A trace as stored: the sixteen bytes of 32 lower-case hexadecimal digits, anything else as text.
pub(crate) fn trace_in(trace: &str) -> ToSqlOutput<'_> {
    match from_hex(trace.as_bytes()) {
        Some(bytes) => ToSqlOutput::Owned(Value::Blob(bytes.to_vec())),
        None => ToSqlOutput::Borrowed(ValueRef::Text(trace.as_bytes())),
    }
}

pub(crate) fn trace_out(row: &Row<'_>, column: usize) -> Outcome<String> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            let mut text = String::with_capacity(2 * bytes.len());
            for byte in bytes {
                text.push(char::from(DIGITS[usize::from(byte >> 4)]));
                text.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
            Ok(text)
        }
        ValueRef::Text(text) => Ok(String::from_utf8_lossy(text).into_owned()),
        other => Err(Fault::corrupt("trace", format_args!("holds {}", other.data_type()))),
    }
}

fn from_hex(text: &[u8]) -> Option<[u8; 16]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 16];
    if text.len() != 32 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

pub(crate) fn reason_in(reason: Option<&Reason>) -> Outcome<Option<String>> {
    reason.map(|reason| to_text(reason, "reason")).transpose()
}

pub(crate) fn reason_out(row: &Row<'_>, column: usize) -> Outcome<Option<Reason>> {
    row.get_ref(column)?
        .as_str_or_null()
        .map_err(rusqlite::Error::from)?
        .map(|text| from_text(text, "reason"))
        .transpose()
}

pub(crate) fn wall(row: &Row<'_>, column: usize) -> Outcome<Wall> {
    Ok(Wall(row.get(column)?))
}

pub(crate) fn wall_or_none(row: &Row<'_>, column: usize) -> Outcome<Option<Wall>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Wall))
}

pub(crate) fn record_id(row: &Row<'_>, column: usize) -> Outcome<RecordId> {
    Ok(RecordId(uuid(row, column)?))
}

pub(crate) fn uuid(row: &Row<'_>, column: usize) -> Outcome<Uuid> {
    Ok(Uuid::from_bytes(row.get(column)?))
}

pub(crate) fn count(row: &Row<'_>, column: usize) -> Outcome<u32> {
    Ok(row.get(column)?)
}

/// The blob in a column, in place.
pub(crate) fn blob<'r>(row: &'r Row<'_>, column: usize) -> Outcome<&'r [u8]> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => Ok(bytes),
        other => Err(Fault::corrupt("sealed", format_args!("holds {}", other.data_type()))),
    }
}

/// A document that is to be sealed: its form, then JSON.
pub(crate) fn document(value: &impl serde::Serialize, what: &str) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(DOCUMENT_FORM);
    serde_json::to_writer(&mut bytes, value).map_err(|error| refused(what, &error))?;
    Ok(bytes)
}

/// The document in an opened value. JSON's errors tell where, and may quote: only the place is passed on.
pub(crate) fn from_document<'d, T: serde::Deserialize<'d>>(bytes: &'d [u8], what: &str) -> Outcome<T> {
    match bytes.split_first() {
        Some((&DOCUMENT_FORM, json)) => {
            serde_json::from_slice(json).map_err(|error| unreadable(what, &error))
        }
        Some((form, _)) => {
            Err(Fault::corrupt(what, format_args!("is of form {form}, newer than this program")))
        }
        None => Err(Fault::corrupt(what, "is empty")),
    }
}

pub(crate) fn to_text(value: &impl serde::Serialize, what: &str) -> Outcome<String> {
    serde_json::to_string(value).map_err(|error| refused(what, &error))
}

pub(crate) fn from_text<'d, T: serde::Deserialize<'d>>(text: &'d str, what: &str) -> Outcome<T> {
    serde_json::from_str(text).map_err(|error| unreadable(what, &error))
}

fn refused(what: &str, error: &serde_json::Error) -> Fault {
    Fault::Refused(format!(
        "{what} can't be written as JSON (line {}, column {})",
        error.line(),
        error.column()
    ))
}

fn unreadable(what: &str, error: &serde_json::Error) -> Fault {
    Fault::corrupt(
        what,
        format_args!("not the JSON it should be (line {}, column {})", error.line(), error.column()),
    )
}

/// Where the sealed values stand.
pub(crate) fn record_place(tenant: &Tenant, record: RecordId) -> Place {
    Place::new(&[tenant.as_str().as_bytes(), b"record", record.as_bytes()])
}

pub(crate) fn fact_place(tenant: &Tenant, event: canonical::EventId) -> Place {
    Place::new(&[tenant.as_str().as_bytes(), b"fact", event.as_bytes()])
}

pub(crate) fn message_place(tenant: &Tenant, message: MessageId) -> Place {
    Place::new(&[tenant.as_str().as_bytes(), b"message", message.as_bytes()])
}

pub(crate) fn intent_place(tenant: &Tenant, intent: IntentId) -> Place {
    Place::new(&[tenant.as_str().as_bytes(), b"intent", intent.as_bytes()])
}

pub(crate) fn shadow_place(tenant: &Tenant, record: RecordId, system: &str, object: &str) -> Place {
    Place::new(&[
        tenant.as_str().as_bytes(),
        b"shadow",
        record.as_bytes(),
        system.as_bytes(),
        object.as_bytes(),
    ])
}

/// An object in a system from three columns; `None` when the last is null.
pub(crate) fn external(
    row: &Row<'_>,
    columns: [usize; 3],
    desk: &mut crate::book::Desk<'_>,
) -> Outcome<Option<ExternalRef>> {
    let [system, object, id] = columns;
    let Some(id) = row.get::<_, Option<String>>(id)? else { return Ok(None) };
    let system = desk.names.system(row.get(system)?)?;
    let object = desk.names.object(row.get(object)?)?;
    Ok(Some(ExternalRef { system, object, id }))
}
