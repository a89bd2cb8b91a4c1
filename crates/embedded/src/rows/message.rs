//! Messages.

use canonical::MessageId;
use intake::{Message, MessageState};
use rusqlite::Row;

use super::{blob, external, message_place, reason_out, trace_out, uuid, wall, wall_or_none};
use crate::book::Desk;
use crate::fault::{Fault, Outcome};

/// States by number.
pub(crate) const fn state_number(state: MessageState) -> i64 {
    match state {
        MessageState::Accepted => 0,
        MessageState::Quarantined => 1,
        MessageState::Parked => 2,
        MessageState::Ready => 3,
        MessageState::Discarded => 4,
    }
}

/// From its number.
pub(crate) fn state(number: i64) -> Outcome<MessageState> {
    match number {
        0 => Ok(MessageState::Accepted),
        1 => Ok(MessageState::Quarantined),
        2 => Ok(MessageState::Parked),
        3 => Ok(MessageState::Ready),
        4 => Ok(MessageState::Discarded),
        other => Err(Fault::corrupt("message", format_args!("unknown state {other}"))),
    }
}

/// The bits of the column `read`.
const READ: i64 = 1;
const LACKING: i64 = 2;

/// What the column `read` says of a message.
pub(crate) fn read_bits(message: &Message) -> i64 {
    (if message.read { READ } else { 0 }) | (if message.lacking { LACKING } else { 0 })
}

/// Reads a message with its position.
pub(crate) fn message(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<(i64, Message)> {
    let (seq, mut message) = shell(row, desk)?;
    let sealed = blob(row, 18)?;
    // What it said may be past its time.
    if !sealed.is_empty() {
        let raw = desk.keys.open(&message.tenant, &message_place(&message.tenant, message.id), sealed);
        message.raw = raw.map_err(|fault| Fault::corrupt(&message.id.to_string(), fault.detail()))?;
    }
    Ok((seq, message))
}

/// The same without what it said.
pub(crate) fn shell(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<(i64, Message)> {
    let message = Message {
        id: MessageId(uuid(row, 1)?),
        tenant: desk.names.tenant(row.get(2)?)?,
        source: desk.names.system(row.get(3)?)?,
        event_id: row.get(6)?,
        about: external(row, [7, 8, 9], desk)?,
        state: state(row.get(4)?)?,
        raw: Vec::new(),
        read: row.get::<_, i64>(5)? & READ != 0,
        lacking: row.get::<_, i64>(5)? & LACKING != 0,
        reason: reason_out(row, 17)?,
        waiting: external(row, [10, 11, 12], desk)?,
        deadline: wall_or_none(row, 13)?,
        received_at: wall(row, 14)?,
        as_of: wall(row, 15)?,
        trace: trace_out(row, 16)?,
    };
    Ok((row.get(0)?, message))
}
