//! Checkpoints beside commits: a thread of its own moves the log into the file, so that no commit waits for it.
//!
//! PASSIVE checkpoints run while the writer goes on. Under an endless stream of commits the log is never wholly
//! moved, and grows; past [`LOG_PAGES_MAX`] one checkpoint makes the writer wait for the short rest (RESTART). When
//! nothing is written any more, the log is moved and emptied (TRUNCATE).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use rusqlite::Connection;

use crate::connection::PAGE_BYTES;
use crate::fault::{Fault, Outcome};
use crate::shared::Shared;

/// Pages in the log that call for a checkpoint: 16 MB, or an eighth of the reserve, which must hold them all.
const PAGES_PER_CHECKPOINT: u64 = 2_048;
/// A longer log is cut: 64 MB.
const LOG_PAGES_MAX: i64 = 8_192;
/// After so long without a commit the log is emptied.
const IDLE: Duration = Duration::from_millis(1_500);

/// Tells the checkpoint thread what was written.
#[derive(Clone)]
pub(crate) struct Poke {
    groups: Arc<AtomicU64>,
    pages: u64,
    call: Sender<Signal>,
}

/// What it may be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    /// Something was written.
    Work {
        /// Enough for a checkpoint.
        enough: bool,
    },
    /// The disk is full: empty the log now.
    MakeRoom,
    /// The last one.
    Close,
}

impl Poke {
    pub(crate) fn new(call: Sender<Signal>, reserve_bytes: u64) -> Self {
        let of_reserve = (reserve_bytes / PAGE_BYTES / 8).max(32);
        Self { groups: Arc::new(AtomicU64::new(0)), pages: PAGES_PER_CHECKPOINT.min(of_reserve), call }
    }

    /// A group was written; the log now holds so many pages that were not moved yet.
    pub(crate) fn wrote(&self, unmoved: u64) {
        let before = self.groups.fetch_add(1, Ordering::Relaxed);
        // The first after a rest too: it starts the wait for the next rest.
        if before == 0 || unmoved >= self.pages {
            self.send(Signal::Work { enough: unmoved >= self.pages });
        }
    }

    pub(crate) fn make_room(&self) {
        self.send(Signal::MakeRoom);
    }

    pub(crate) fn close(&self) {
        // The thread always drains it; one that has ended needs no telling.
        self.call.send(Signal::Close).unwrap_or_default();
    }

    fn send(&self, signal: Signal) {
        match self.call.try_send(signal) {
            // It has one to work on already, or has ended.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

/// Works until told to close; the last checkpoint leaves an empty log.
pub(crate) fn run(connection: &Connection, signals: &Receiver<Signal>, poke: &Poke, shared: &Shared) {
    let mut unmoved = true;
    let mut groups_before = 0;
    loop {
        let signal =
            if unmoved { signals.recv_timeout(IDLE) } else { signals.recv().map_err(RecvTimeoutError::from) };
        let done = match signal {
            Ok(Signal::Work { enough }) => {
                unmoved = true;
                if !enough {
                    continue;
                }
                beside(connection, shared)
            }
            Ok(Signal::MakeRoom) => emptied(connection, shared),
            Err(RecvTimeoutError::Timeout) => {
                let groups = poke.groups.load(Ordering::Relaxed);
                if groups != groups_before {
                    groups_before = groups;
                    continue;
                }
                poke.groups.store(0, Ordering::Relaxed);
                (groups_before, unmoved) = (0, false);
                emptied(connection, shared)
            }
            Ok(Signal::Close) | Err(RecvTimeoutError::Disconnected) => {
                note(emptied(connection, shared), shared);
                return;
            }
        };
        note(done, shared);
    }
}

/// Moves what can be moved without anybody waiting; cuts the log when it has grown too long.
fn beside(connection: &Connection, shared: &Shared) -> Outcome<()> {
    let log = checkpoint(connection, "PASSIVE", shared)?;
    if log > LOG_PAGES_MAX {
        checkpoint(connection, "RESTART", shared)?;
    }
    Ok(())
}

/// Moves everything, first without anybody waiting, then the short rest, and empties the log.
fn emptied(connection: &Connection, shared: &Shared) -> Outcome<()> {
    checkpoint(connection, "PASSIVE", shared)?;
    checkpoint(connection, "TRUNCATE", shared)?;
    Ok(())
}

/// Gives the pages in the log before it.
fn checkpoint(connection: &Connection, kind: &str, shared: &Shared) -> Outcome<i64> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA wal_checkpoint({kind})"))?;
    let log: i64 = statement.query_row([], |row| row.get(1))?;
    shared.counters.checkpoints.fetch_add(1, Ordering::Relaxed);
    if log > 0 {
        // The log before, the file after.
        shared.counters.syncs.fetch_add(2, Ordering::Relaxed);
    }
    shared.counters.log_pages.store(log.max(0).unsigned_abs(), Ordering::Relaxed);
    Ok(log)
}

fn note(done: Outcome<()>, shared: &Shared) {
    let Err(fault) = done else { return };
    let busy = matches!(
        &fault,
        Fault::Sqlite(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::DatabaseBusy
    );
    // Full: tried again with the next signal, when the reserve was given up. Busy: with the next signal.
    if !busy && !fault.is_full() {
        shared.break_down(&format!("checkpoint: {}", fault.detail()));
    }
}
