//! A consistent, verified copy of the store while it runs.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use store::StoreError;

use crate::connection::{Purpose, connect};
use crate::fault::{Fault, Outcome};

/// Memory for pages while copying.
const CACHE_BYTES: u64 = 4 << 20;

/// Copies the database to a file that does not exist yet.
pub(crate) fn copy(database: &Path, to: &Path) -> Result<(), StoreError> {
    let refused = |detail: String| StoreError::Refused { detail };
    if to.exists() {
        return Err(refused(format!("{} exists already: name a new file for the copy", to.display())));
    }
    let made = make(database, to).and_then(|()| verify(to));
    let made = made.and_then(|()| sync(to));
    made.map_err(|fault| {
        // Half a copy must not be taken for one.
        drop(std::fs::remove_file(to));
        match fault {
            full if full.is_full() => StoreError::Full { detail: format!("at {}", to.display()) },
            other => refused(format!("no copy was made at {}: {}", to.display(), other.detail())),
        }
    })
}

fn make(database: &Path, to: &Path) -> Outcome<()> {
    let connection = connect(database, Purpose::Checkpoint, CACHE_BYTES)?;
    let name = to.to_str().ok_or_else(|| Fault::Refused("its path is not UTF-8".to_owned()))?;
    connection.execute("VACUUM INTO ?1", [name])?;
    Ok(())
}

fn verify(copy: &Path) -> Outcome<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(copy, flags)?;
    let said: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if said == "ok" { Ok(()) } else { Err(Fault::corrupt("the copy", said)) }
}

/// The file, then the folder that names it.
fn sync(copy: &Path) -> Outcome<()> {
    let failed = |error: std::io::Error| Fault::corrupt("the copy", format_args!("not synced: {error}"));
    std::fs::File::open(copy).and_then(|file| file.sync_all()).map_err(failed)?;
    let folder = copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
