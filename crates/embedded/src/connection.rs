//! Connections: how each is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::fault::Outcome;

/// How long a connection waits for another: only ever for a checkpoint that ends a log.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a checkpoint that ends a log waits for readers, while the writer waits for it.
const CHECKPOINT_WAIT_MAX: Duration = Duration::from_millis(20);
/// Small enough for cheap commits, large enough for a record of some kilobytes.
pub(crate) const PAGE_BYTES: u64 = 4096;
/// Says that a file is Concord's ("CNCD").
pub(crate) const APPLICATION_ID: i64 = 0x434e_4344;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// The one that writes; also sets the file up.
    Write,
    /// One of several that read.
    Read,
    /// Moves the log into the file beside the writer.
    Checkpoint,
}

/// Opens a connection to be used by one thread at a time.
pub(crate) fn connect(path: &Path, purpose: Purpose, cache_bytes: u64) -> Outcome<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if purpose == Purpose::Write {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(path, flags)?;
    let wait = if purpose == Purpose::Checkpoint { CHECKPOINT_WAIT_MAX } else { WAIT_MAX };
    connection.busy_timeout(wait)?;
    // Plans never depend on bound values: without this, a value compared with a column of a partial index's
    // condition makes SQLite prepare the statement again at each call.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if purpose == Purpose::Write {
        connection.pragma_update(None, "page_size", i64::try_from(PAGE_BYTES).unwrap_or(4096))?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    }
    let cache_kib = i64::try_from(cache_bytes / 1024).unwrap_or(i64::MAX);
    // Commits sync the log, until the syncer does; checkpoints are the checkpoint thread's alone; nothing is ever written beside the folder.
    connection.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; \
         PRAGMA foreign_keys = OFF; PRAGMA cache_size = -{cache_kib}; PRAGMA trusted_schema = OFF;"
    ))?;
    if purpose == Purpose::Read {
        connection.execute_batch("PRAGMA query_only = ON;")?;
    }
    Ok(connection)
}
