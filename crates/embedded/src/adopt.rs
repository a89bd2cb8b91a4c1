//! A store that was filled elsewhere takes the place of one that holds nothing yet: how a cutover's plan is applied.
//!
//! It does so in one step. Whatever ends the process before that leaves the folder as it was, and after it the store is
//! whole; so it can simply be done again.

use std::fs::{self, File};
use std::path::Path;

use guard::seal::RootKey;
use rusqlite::Connection;

use crate::backup::{BackupError, COUNTED, FILES, gather, not_whole, read_only, remove, sync, unusable};
use crate::folder::Folder;
use crate::open;

/// How many rows of records, messages and deliveries a folder's store holds; 0 when there is no store.
///
/// # Errors
/// When there is one and it can't be read.
pub fn rows_in(folder: &Path) -> Result<u64, BackupError> {
    let database = folder.join(FILES[0]);
    if database.exists() { rows_of(&database) } else { Ok(0) }
}

fn rows_of(database: &Path) -> Result<u64, BackupError> {
    let connection = read_only(database)?;
    let mut rows: u64 = 0;
    for table in COUNTED {
        let count: i64 = connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .map_err(not_whole(database))?;
        rows = rows.saturating_add(u64::try_from(count).unwrap_or(0));
    }
    Ok(rows)
}

/// Makes `copy`, a store's file that nobody has open, the store of `folder`.
///
/// # Errors
/// When a hub uses the folder, its store holds anything, the key is another one, or the copy is not whole.
pub fn adopt(copy: &Path, folder: &Path, root_key: &RootKey) -> Result<(), BackupError> {
    let held = Folder::open(folder)?;
    gather(&held.database());
    if rows_in(folder)? > 0 {
        return Err(BackupError::Occupied { folder: folder.to_owned() });
    }
    let key = read_only(copy)?;
    open::check_key(&key, copy, root_key)?;
    drop(key);
    let part = held.adopting();
    fs::copy(copy, &part).map_err(unusable(&part))?;
    // As one file, without a log beside it.
    let whole = not_whole(&part);
    let connection = Connection::open(&part).map_err(&whole)?;
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(&whole)?;
    let said: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(&whole)?;
    if said != "ok" {
        return Err(BackupError::NotWhole { path: copy.to_owned(), why: said });
    }
    connection.close().map_err(|(_, error)| whole(error))?;
    File::open(&part).and_then(|file| file.sync_all()).map_err(unusable(&part))?;
    // The log of the store that goes is of that one; it holds nothing any more.
    for name in FILES.iter().skip(1) {
        remove(&folder.join(name))?;
    }
    fs::rename(&part, held.database()).map_err(unusable(&part))?;
    sync(folder)
}
