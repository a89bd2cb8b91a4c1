//! Intents.

use std::time::Duration;

use canonical::{Fields, IntentId, OrderToken};
use ledger::{IdempotencyClass, Intent, IntentState, Level, ObligationKey};
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::{
    blob, call_place, class, count, reason_out, record_id, request_place, subject, trace_out, uuid, wall,
    wall_or_none,
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

/// Reads an intent with its sealed parts.
pub(crate) fn intent(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<Intent> {
    let id = IntentId(uuid(row, 1)?);
    let tenant = desk.names.tenant(row.get(2)?)?;
    let call = desk.keys.open(&tenant, &call_place(&tenant, id), blob(row, 29)?);
    let call = call.map_err(|fault| Fault::corrupt(&format!("call of {id}"), fault.detail()))?;
    let request = match row.get_ref(30)? {
        ValueRef::Null => Vec::new(),
        _ => desk
            .keys
            .open(&tenant, &request_place(&tenant, id), blob(row, 30)?)
            .map_err(|fault| Fault::corrupt(&format!("request of {id}"), fault.detail()))?,
    };
    let route = desk.names.route(row.get(3)?)?;
    Ok(Intent {
        id,
        obligation: ObligationKey { tenant, route, subject: subject(row.get(4)?, row.get(5)?)? },
        system: desk.names.system(row.get(6)?)?,
        object: desk.names.object(row.get(7)?)?,
        record: record_id(row, 8)?,
        level: Level { version: row.get(9)?, generation: row.get(10)? },
        operation: desk.names.text(row.get(11)?)?.as_ref().to_owned(),
        class: idempotency(row.get(12)?, row.get(13)?)?,
        call,
        request,
        fields: Fields::new(),
        full: row.get(14)?,
        external_id: row.get(15)?,
        scope: row.get(16)?,
        state: state(row.get(17)?)?,
        sends: count(row, 18)?,
        probes: count(row, 19)?,
        created_at: wall(row, 20)?,
        arrives_until: wall(row, 21)?,
        processing_max: Duration::from_nanos(row.get::<_, i64>(22)?.unsigned_abs()),
        due: wall(row, 23)?,
        outcome: row.get::<_, Option<i64>>(24)?.map(class).transpose()?,
        reason: reason_out(row, 25)?,
        closed_at: wall_or_none(row, 26)?,
        token: row.get::<_, Option<i64>>(27)?.map(OrderToken),
        trace: trace_out(row, 28)?,
    })
}
