//! Intents.

use std::sync::Arc;
use std::time::Duration;

use canonical::{IntentId, OrderToken, RecordId, Tenant};
use ledger::{IdempotencyClass, Intent, IntentState, Level, Membership, ObligationKey};
use rusqlite::Row;
use uuid::Uuid;

use super::{
    class, count, intent_place, reason_out, record_id, refused, subject, trace_out, unreadable, uuid, wall,
    wall_or_none,
};
use crate::book::{Book, Desk};
use crate::fault::{Fault, Outcome};
use crate::vault::Keys;
use crate::writer::seal::Sealer;

/// Idempotency classes by number, with their one value.
pub(crate) fn class_parts(class: &IdempotencyClass) -> (i64, i64) {
    let value = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    match class {
        IdempotencyClass::NativeKey { ttl_s } => (0, value(*ttl_s)),
        IdempotencyClass::Upsert => (1, 0),
        IdempotencyClass::SearchFirst { index_lag_ms } => (2, value(*index_lag_ms)),
        IdempotencyClass::None => (3, 0),
        IdempotencyClass::MarkerField { index_lag_ms } => (4, value(*index_lag_ms)),
    }
}

fn idempotency(number: i64, value: i64) -> Outcome<IdempotencyClass> {
    let value = value.unsigned_abs();
    match number {
        0 => Ok(IdempotencyClass::NativeKey { ttl_s: value }),
        1 => Ok(IdempotencyClass::Upsert),
        2 => Ok(IdempotencyClass::SearchFirst { index_lag_ms: value }),
        3 => Ok(IdempotencyClass::None),
        4 => Ok(IdempotencyClass::MarkerField { index_lag_ms: value }),
        other => Err(Fault::corrupt("intent", format_args!("unknown idempotency class {other}"))),
    }
}

/// A place in a batch, as kept with a closed intent: the batch's id, the place, how many there were.
pub(crate) fn batch_in(batch: &Membership) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(batch.id.0.as_bytes());
    bytes[16..20].copy_from_slice(&batch.place.to_le_bytes());
    bytes[20..].copy_from_slice(&batch.of.to_le_bytes());
    bytes
}

fn batch_out(bytes: &[u8]) -> Outcome<Membership> {
    let parts = || {
        let (id, rest) = bytes.split_first_chunk::<16>()?;
        let (place, of) = rest.split_first_chunk::<4>()?;
        let of = u32::from_le_bytes(of.try_into().ok()?);
        Some(Membership { id: IntentId(Uuid::from_bytes(*id)), place: u32::from_le_bytes(*place), of })
    };
    parts().ok_or_else(|| cut("place of an intent in its batch"))
}

/// Adds an open intent to a block: whose it is, of which record, its id, and the rest sealed under the record's key.
pub(crate) fn standing(
    block: &mut Vec<u8>,
    intent: &Intent,
    book: &mut Book<'_>,
    sealer: &mut Sealer,
) -> Outcome<()> {
    let mut plain = Vec::with_capacity(1024 + intent.call.len() + intent.request.len());
    let what = serde_json::to_vec(intent).map_err(|error| refused("intent", &error))?;
    push(&mut plain, &what)?;
    push(&mut plain, &intent.call)?;
    push(&mut plain, &intent.request)?;
    let place = intent_place(intent.tenant(), intent.id);
    let sealed = sealer.of_record(book, intent.tenant(), intent.record, &place, &plain)?;
    push(block, intent.tenant().as_str().as_bytes())?;
    block.extend_from_slice(intent.record.as_bytes());
    block.extend_from_slice(intent.id.0.as_bytes());
    push(block, &sealed)
}

/// An intent in a block, still sealed.
pub(crate) struct Entry {
    tenant: Tenant,
    pub(crate) record: RecordId,
    pub(crate) id: IntentId,
    sealed: Vec<u8>,
}

/// The intents of a block.
pub(crate) fn entries(block: &[u8]) -> Outcome<Vec<Entry>> {
    let (mut rest, mut found) = (block, Vec::new());
    while !rest.is_empty() {
        found.push(entry(&mut rest).ok_or_else(|| cut("block of intents"))?);
    }
    Ok(found)
}

impl Entry {
    /// The intent.
    pub(crate) fn open(&self, keys: &Keys<'_>) -> Outcome<Intent> {
        let name = format!("intent {} of {}", self.id, self.record);
        let corrupt = |fault: Fault| Fault::corrupt(&name, fault.detail());
        let plain = keys.open(&self.tenant, &intent_place(&self.tenant, self.id), &self.sealed);
        let plain = plain.map_err(corrupt)?;
        let mut parts = plain.as_slice();
        let mut part = || pull(&mut parts).ok_or_else(|| cut(&name));
        let what: Intent = serde_json::from_slice(part()?).map_err(|error| unreadable(&name, &error))?;
        Ok(Intent { call: part()?.into(), request: part()?.into(), ..what })
    }
}

fn cut(what: &str) -> Fault {
    Fault::corrupt(what, "is cut off")
}

fn push(bytes: &mut Vec<u8>, part: &[u8]) -> Outcome<()> {
    let length = u32::try_from(part.len());
    let length =
        length.map_err(|_| Fault::Refused("an intent of more than 4 GiB can't be kept".to_owned()))?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(part);
    Ok(())
}

fn pull<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (part, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(part)
}

fn entry(bytes: &mut &[u8]) -> Option<Entry> {
    let tenant = Tenant::new(std::str::from_utf8(pull(bytes)?).ok()?).ok()?;
    let (record, rest) = bytes.split_first_chunk()?;
    let (id, rest) = rest.split_first_chunk()?;
    *bytes = rest;
    let (record, id) = (RecordId(Uuid::from_bytes(*record)), IntentId(Uuid::from_bytes(*id)));
    Some(Entry { tenant, record, id, sealed: pull(bytes)?.to_vec() })
}

/// Reads an intent that is closed.
pub(crate) fn intent(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<Intent> {
    let id = IntentId(uuid(row, 1)?);
    let tenant = desk.names.tenant(row.get(2)?)?;
    let route = desk.names.route(row.get(3)?)?;
    Ok(Intent {
        id,
        obligation: ObligationKey { tenant, route, subject: subject(row.get(4)?, row.get(5)?)? },
        system: desk.names.system(row.get(6)?)?,
        object: desk.names.object(row.get(7)?)?,
        record: record_id(row, 0)?,
        level: Level { version: row.get(8)?, generation: row.get(9)? },
        operation: desk.names.text(row.get(10)?)?.as_ref().to_owned(),
        class: idempotency(row.get(11)?, row.get(12)?)?,
        call: Arc::default(),
        request: Arc::default(),
        fields: Arc::default(),
        full: row.get(13)?,
        external_id: row.get(14)?,
        scope: row.get(15)?,
        state: IntentState::Closed,
        sends: count(row, 16)?,
        probes: count(row, 17)?,
        created_at: wall(row, 18)?,
        arrives_until: wall(row, 19)?,
        processing_max: Duration::from_nanos(row.get::<_, i64>(20)?.unsigned_abs()),
        due: wall(row, 21)?,
        outcome: row.get::<_, Option<i64>>(22)?.map(class).transpose()?,
        reason: reason_out(row, 23)?,
        closed_at: wall_or_none(row, 24)?,
        token: row.get::<_, Option<i64>>(25)?.map(OrderToken),
        trace: trace_out(row, 26)?,
        lacking: false,
        association: None,
        batch: row.get::<_, Option<Vec<u8>>>(27)?.map(|bytes| batch_out(&bytes)).transpose()?,
    })
}
