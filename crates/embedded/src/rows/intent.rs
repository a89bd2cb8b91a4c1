//! Intents.

use std::time::Duration;

use canonical::{Fields, IntentId, OrderToken};
use ledger::{IdempotencyClass, Intent, IntentState, Level, ObligationKey};
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::{
    blob, body_place, class, count, reason_out, record_id, subject, trace_out, uuid, wall, wall_or_none,
};
use crate::book::Desk;
use crate::fault::{Fault, Outcome};

/// States by number.
pub(crate) const fn state_number(state: IntentState) -> i64 {
    match state {
        IntentState::Open => 0,
        IntentState::Doubtful => 1,
        IntentState::Closed => 2,
    }
}

fn state(number: i64) -> Outcome<IntentState> {
    match number {
        0 => Ok(IntentState::Open),
        1 => Ok(IntentState::Doubtful),
        2 => Ok(IntentState::Closed),
        other => Err(Fault::corrupt("intent", format_args!("unknown state {other}"))),
    }
}

/// Idempotency classes by number, with their one value.
pub(crate) fn class_parts(class: &IdempotencyClass) -> (i64, i64) {
    let value = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    match class {
        IdempotencyClass::NativeKey { ttl_s } => (0, value(*ttl_s)),
        IdempotencyClass::Upsert => (1, 0),
        IdempotencyClass::SearchFirst { index_lag_ms } => (2, value(*index_lag_ms)),
        IdempotencyClass::None => (3, 0),
    }
}

fn idempotency(number: i64, value: i64) -> Outcome<IdempotencyClass> {
    let value = value.unsigned_abs();
    match number {
        0 => Ok(IdempotencyClass::NativeKey { ttl_s: value }),
        1 => Ok(IdempotencyClass::Upsert),
        2 => Ok(IdempotencyClass::SearchFirst { index_lag_ms: value }),
        3 => Ok(IdempotencyClass::None),
        other => Err(Fault::corrupt("intent", format_args!("unknown idempotency class {other}"))),
    }
}

/// Call and request in one value: the call's length, then both.
pub(crate) fn body(intent: &Intent) -> Vec<u8> {
    let mut body = Vec::with_capacity(4 + intent.call.len() + intent.request.len());
    body.extend_from_slice(&u32::try_from(intent.call.len()).unwrap_or(u32::MAX).to_le_bytes());
    body.extend_from_slice(&intent.call);
    body.extend_from_slice(&intent.request);
    body
}

fn parts(body: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (length, rest) = body.split_first_chunk()?;
    let (call, request) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some((call.to_vec(), request.to_vec()))
}

/// Reads an intent with its sealed body.
pub(crate) fn intent(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<Intent> {
    let id = IntentId(uuid(row, 1)?);
    let tenant = desk.names.tenant(row.get(2)?)?;
    let (call, request) = match row.get_ref(28)? {
        ValueRef::Null => (Vec::new(), Vec::new()),
        _ => {
            let corrupt = |fault: Fault| Fault::corrupt(&format!("body of intent {id}"), fault.detail());
            let opened =
                desk.keys.open(&tenant, &body_place(&tenant, id), blob(row, 28)?).map_err(corrupt)?;
            parts(&opened).ok_or_else(|| Fault::corrupt(&format!("body of intent {id}"), "is cut off"))?
        }
    };
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
        call,
        request,
        fields: Fields::new(),
        full: row.get(13)?,
        external_id: row.get(14)?,
        scope: row.get(15)?,
        state: state(row.get(16)?)?,
        sends: count(row, 17)?,
        probes: count(row, 18)?,
        created_at: wall(row, 19)?,
        arrives_until: wall(row, 20)?,
        processing_max: Duration::from_nanos(row.get::<_, i64>(21)?.unsigned_abs()),
        due: wall(row, 22)?,
        outcome: row.get::<_, Option<i64>>(23)?.map(class).transpose()?,
        reason: reason_out(row, 24)?,
        closed_at: wall_or_none(row, 25)?,
        token: row.get::<_, Option<i64>>(26)?.map(OrderToken),
        trace: trace_out(row, 27)?,
    })
}
