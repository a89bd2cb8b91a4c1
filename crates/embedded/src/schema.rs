//! Migrations: numbered, forward only, each in one transaction with the number it brings the store to.

use std::path::Path;

use rusqlite::Connection;

use crate::connection::APPLICATION_ID;
use crate::{OpenError, Options, Point};

/// The migrations; the store's schema version is how many of them it has seen.
pub(crate) const MIGRATIONS: &[&str] = &[include_str!("schema/0001.sql")];

/// Brings a store to the newest schema.
pub(crate) fn migrate(
    connection: &Connection,
    folder: &Path,
    migrations: &[&str],
    options: &Options,
) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database { folder: folder.to_owned(), source };
    let application: i64 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
    let version = version(connection).map_err(failed)?;
    let empty: bool = connection
        .query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
        .map_err(failed)?;
    if application != APPLICATION_ID && !(empty && version == 0) {
        return Err(OpenError::Foreign { folder: folder.to_owned() });
    }
    if version > migrations.len() {
        return Err(OpenError::Newer { folder: folder.to_owned(), found: version, known: migrations.len() });
    }
    for (at, text) in migrations.iter().enumerate().skip(version) {
        let number = at + 1;
        connection
            .execute_batch(&format!("BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID};"))
            .and_then(|()| connection.execute_batch(text))
            .map_err(failed)?;
        options.reached(Point::Migration(number));
        connection.execute_batch(&format!("PRAGMA user_version = {number}; COMMIT;")).map_err(failed)?;
    }
    Ok(())
}

/// The schema version of a store.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let number: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}
