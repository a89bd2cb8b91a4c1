//! Room on the disk (I2): intake stops first, then sends; a reserve keeps room for outcomes; it heals by itself.

use rusqlite::Connection;
use store::rules::Urgency;

use crate::connection::PAGE_BYTES;
use crate::fault::{Fault, Outcome};
use crate::folder::Reserve;

/// How much is taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Level {
    /// Everything; the reserve is full.
    All,
    /// No new work; half the reserve is given up.
    NoIntake,
    /// How sends ended only; the reserve is given up.
    Outcomes,
}

/// The room there is, as far as is known.
pub(super) struct Room {
    level: Level,
    reserve: Reserve,
    max_pages: Option<u64>,
}

impl Room {
    pub(super) const fn new(reserve: Reserve, max_pages: Option<u64>) -> Self {
        Self { level: Level::NoIntake, reserve, max_pages }
    }

    /// Takes up the reserve.
    pub(super) fn start(&mut self, connection: &Connection) -> Outcome<()> {
        if self.grow(connection) {
            return Ok(());
        }
        let wanted = (self.reserve.bytes() + self.slack()) >> 20;
        Err(Fault::Refused(format!("there is no room for the reserve: {wanted} MiB must be free")))
    }

    pub(super) fn is_free(&self) -> bool {
        self.level == Level::All
    }

    pub(super) fn takes(&self, urgency: Urgency) -> bool {
        match self.level {
            Level::All => true,
            Level::NoIntake => urgency < Urgency::Intake,
            Level::Outcomes => urgency < Urgency::Send,
        }
    }

    /// Less is taken, and part of the reserve is given up. Says whether there was anything left to give up.
    pub(super) fn shrink(&mut self, connection: &Connection) -> bool {
        let (next, halves) = match self.level {
            Level::All => (Level::NoIntake, 1),
            Level::NoIntake => (Level::Outcomes, 0),
            Level::Outcomes => return false,
        };
        self.level = next;
        // The file may be unreadable by now: then there is nothing to give up, and the next commit says so.
        drop(self.reserve.keep_halves(halves));
        self.set_page_limit(connection, self.reserve_pages() / 2 * (2 - halves));
        true
    }

    /// Takes everything again when the reserve fits back in, with some slack. Says whether.
    pub(super) fn grow(&mut self, connection: &Connection) -> bool {
        if !self.pages_fit(connection) || self.reserve.fill(self.slack()).is_err() {
            return false;
        }
        self.set_page_limit(connection, 0);
        self.level = Level::All;
        true
    }

    /// What must be free besides the reserve, so that the disk is not just about full again.
    fn slack(&self) -> u64 {
        self.reserve.bytes() / 2
    }

    fn reserve_pages(&self) -> u64 {
        self.reserve.bytes() / PAGE_BYTES
    }

    fn set_page_limit(&self, connection: &Connection, more: u64) {
        let Some(max) = self.max_pages else { return };
        // It gives the limit in force; one below the pages in use stays at those.
        let sql = format!("PRAGMA max_page_count = {}", max + more);
        drop(connection.query_row(&sql, [], |row| row.get::<_, i64>(0)));
    }

    /// Whether the pages in use leave some of the limit free.
    fn pages_fit(&self, connection: &Connection) -> bool {
        let Some(max) = self.max_pages else { return true };
        let pragma = |name: &str| {
            let value = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
            value.map_or(u64::MAX, i64::unsigned_abs)
        };
        let used = pragma("page_count").saturating_sub(pragma("freelist_count"));
        used.saturating_add(max / 64) < max
    }
}
