//! A system's own work: fetches, its state.

use canonical::ExternalRef;
use rusqlite::Row;
use store::{Fetch, SystemState};

use super::{count, from_text, trace_out, wall};
use crate::book::Desk;
use crate::fault::Outcome;

/// Reads a fetch with its position.
pub(crate) fn fetch(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<(i64, Fetch)> {
    let external = ExternalRef {
        system: desk.names.system(row.get(2)?)?,
        object: desk.names.object(row.get(3)?)?,
        id: row.get(4)?,
    };
    let fetch = Fetch {
        tenant: desk.names.tenant(row.get(1)?)?,
        external,
        hinted_at: wall(row, 5)?,
        due: wall(row, 6)?,
        attempts: count(row, 7)?,
        trace: trace_out(row, 8)?,
    };
    Ok((row.get(0)?, fetch))
}

/// Reads a system's state.
pub(crate) fn system(row: &Row<'_>, desk: &mut Desk<'_>) -> Outcome<SystemState> {
    Ok(SystemState {
        tenant: desk.names.tenant(row.get(0)?)?,
        system: desk.names.system(row.get(1)?)?,
        instance: row.get(2)?,
        paused: row.get(3)?,
        credential: row.get(4)?,
        credential_generation: row.get(5)?,
        closed: from_text(&row.get::<_, String>(6)?, "system")?,
        standing: from_text(&row.get::<_, String>(7)?, "system")?,
        jobs: from_text(&row.get::<_, String>(8)?, "system")?,
        first_listings: from_text(&row.get::<_, String>(9)?, "system")?,
    })
}
