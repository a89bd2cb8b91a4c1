//! What was applied, read beside whoever uses the store: so that a folder can be checked against it at any time.

use std::path::Path;

use canonical::Tenant;
use rusqlite::{Connection, OpenFlags};
use store::Version;

use crate::connection::APPLICATION_ID;
use crate::fault::{Fault, Outcome};
use crate::folder::DATABASE_FILE;
use crate::reader::footprint::version;

const ALL: &str = "SELECT v.kind, v.name, v.number, v.digest, v.at, v.meaning FROM version v JOIN name n ON n.id = v.tenant \
    WHERE n.text = ?1 ORDER BY v.kind, v.name, v.number";

/// The versions of schemas and mappings that count for a tenant, or once did. Empty where nothing is stored yet.
///
/// # Errors
/// Why the store in `folder` cannot be read, in words for people.
pub fn applied_versions(folder: &Path, tenant: &Tenant) -> Result<Vec<Version>, String> {
    let database = folder.join(DATABASE_FILE);
    if !database.exists() {
        return Ok(Vec::new());
    }
    read(&database, tenant).map_err(|fault| fault.detail())
}

fn read(database: &Path, tenant: &Tenant) -> Outcome<Vec<Version>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(Fault::corrupt("store.sqlite", "it is no store of Concord"));
    }
    let mut statement = connection.prepare(ALL)?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(version(tenant, row)?);
    }
    Ok(found)
}
