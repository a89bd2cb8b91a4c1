//! Obligations and their heads.

use canonical::Tenant;
use ledger::{Aside, Lane, Level, Obligation, ObligationKey, Waiting};
use rusqlite::Row;
use store::Head;

use super::{count, from_text, reason_out, record_id, state, subject, trace_out, wall};
use crate::book::Desk;
use crate::fault::Outcome;

/// Held by an operator.
pub(crate) const HELD_BY_OPERATOR: i64 = 1;
/// Held behind an earlier one of its line.
pub(crate) const HELD_BEHIND: i64 = 2;

/// A row with what only the store knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) row: Obligation,
    pub(crate) held: i64,
    pub(crate) tenant: i64,
    pub(crate) route: i64,
    pub(crate) system: i64,
}

fn lane(row: &Row<'_>, column: usize) -> Outcome<Lane> {
    Ok(Lane::from_number(row.get(column)?))
}

fn level(row: &Row<'_>, column: usize) -> Outcome<Level> {
    Ok(Level { version: row.get(column)?, generation: row.get(column + 1)? })
}

fn key(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<ObligationKey> {
    let tenant: Tenant = desk.names.tenant(row.get(1)?)?;
    let route = desk.names.route(row.get(2)?)?;
    Ok(ObligationKey { tenant, route, subject: subject(row.get(3)?, row.get(4)?)? })
}

/// Reads a head.
pub(crate) fn head(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<Head> {
    Ok(Head {
        key: key(row, desk)?,
        seq: row.get(0)?,
        system: desk.names.system(row.get(5)?)?,
        object: desk.names.object(row.get(6)?)?,
        entity: desk.names.entity(row.get(7)?)?,
        record: record_id(row, 8)?,
        lane: lane(row, 9)?,
        due: wall(row, 10)?,
        state: state(row.get(11)?)?,
        attempts: count(row, 12)?,
        raised_at: wall(row, 13)?,
    })
}

/// Reads a whole row.
pub(crate) fn stored(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<Stored> {
    let head = head(row, desk)?;
    let held: i64 = row.get(18)?;
    let waiting = match row.get::<_, Option<i64>>(21)? {
        Some(object) => Some(Waiting::Link {
            record: record_id(row, 20)?,
            object: desk.names.object(object)?,
            until: wall(row, 22)?,
        }),
        None if held & HELD_BY_OPERATOR != 0 => Some(Waiting::Operator),
        None => None,
    };
    let obligation = Obligation {
        key: head.key,
        seq: head.seq,
        system: head.system,
        object: head.object,
        entity: head.entity,
        record: head.record,
        lane: head.lane,
        wanted: level(row, 14)?,
        reached: level(row, 16)?,
        state: head.state,
        attempts: head.attempts,
        due: head.due,
        raised_at: head.raised_at,
        folded: count(row, 19)?,
        waiting,
        reason: reason_out(row, 23)?,
        trace: trace_out(row, 24)?,
        aside: match row.get_ref(25)?.as_str_or_null().map_err(rusqlite::Error::from)? {
            Some(text) => from_text(text, "obligation")?,
            None => Aside::default(),
        },
    };
    Ok(Stored { row: obligation, held, tenant: row.get(1)?, route: row.get(2)?, system: row.get(5)? })
}

/// Reads a whole row without what only the store knows.
pub(crate) fn obligation(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<Obligation> {
    Ok(stored(row, desk)?.row)
}
