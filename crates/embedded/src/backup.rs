//! Backups of a store's folder, and putting one back. Neither reads anything that is sealed: a backup needs no key, and
//! is worth nothing without it.
//!
//! A copy is made beside a running hub: it is one state of the store, and no write waits for it (the log grows until it
//! is done). Putting one back needs the folder for itself, checks the key before anything is moved, and writes an epoch
//! into the copy before it takes the store's place, so that no restored store is ever taken for one that knows how things
//! stand.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use canonical::Wall;
use guard::seal::{KeyId, RootKey};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use store::{Epoch, StoreError};

use crate::connection::APPLICATION_ID;
use crate::folder::Folder;
use crate::{OpenError, Options, copy, open, schema};

/// Files that together are the store.
pub(crate) const FILES: [&str; 3] = ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"];
/// Tables whose rows are counted.
pub(crate) const COUNTED: [&str; 8] =
    ["record", "link", "fact", "message", "obligation", "intent", "shadow", "seen"];
/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// What is in a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    /// Its size in bytes.
    pub bytes: u64,
    /// The BLAKE3 hash of the file, in hexadecimal.
    pub blake3: String,
    /// The schema version.
    pub schema: usize,
    /// Rows, by table.
    pub rows: BTreeMap<String, u64>,
    /// Whose rows.
    pub tenants: Vec<String>,
    /// The root key without which nothing personal of it can be read.
    pub root_key: KeyId,
    /// How often this store was restored before.
    pub epoch: i64,
}

/// Why a backup was not made, or not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no store.
    #[error("there is no store in {}: nothing was copied", folder.display())]
    NoStore {
        /// The folder.
        folder: PathBuf,
    },
    /// The copy failed.
    #[error(transparent)]
    Copy(#[from] StoreError),
    /// The file can't be read or written.
    #[error("{} cannot be used ({source})", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not a whole copy of a store.
    #[error("{} is not a whole copy of a store ({why}): take another backup", path.display())]
    NotWhole {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The clock is wrong.
    #[error(
        "the clock here says a time before the backup was taken ({taken_at}): set it, then restore again"
    )]
    Clock {
        /// When the backup was taken.
        taken_at: Wall,
    },
    /// The folder has a store already.
    #[error("the folder {} has a store already: nothing was changed", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder, the key or the schema does not fit.
    #[error(transparent)]
    Open(#[from] OpenError),
}

pub(crate) fn unusable(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError + '_ {
    move |source| BackupError::File { path: path.to_owned(), source }
}

pub(crate) fn not_whole(path: &Path) -> impl Fn(rusqlite::Error) -> BackupError + '_ {
    move |error| BackupError::NotWhole { path: path.to_owned(), why: error.to_string() }
}

/// Copies the store of a folder to a new file, whether a hub runs on it or not, and syncs the copy. It is checked page
/// by page.
///
/// # Errors
/// [`BackupError`]; a copy that failed is removed.
pub fn copy_store(folder: &Path, to: &Path) -> Result<(), BackupError> {
    let database = folder.join(FILES[0]);
    if !database.exists() {
        return Err(BackupError::NoStore { folder: folder.to_owned() });
    }
    Ok(copy::copy(&database, to)?)
}

/// The store's size on disk now, in bytes: about what a copy comes to, at most.
#[must_use]
pub fn store_bytes(folder: &Path) -> u64 {
    FILES.iter().filter_map(|name| fs::metadata(folder.join(name)).ok()).map(|meta| meta.len()).sum()
}

/// Reads what is in a copy. Walks all of it.
///
/// # Errors
/// When it is no store, or damaged.
pub fn inspect(file: &Path) -> Result<Copied, BackupError> {
    let (bytes, blake3) = hash(file)?;
    let connection = read_only(file)?;
    let whole = not_whole(file);
    let said: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(&whole)?;
    if said != "ok" {
        return Err(BackupError::NotWhole { path: file.to_owned(), why: said });
    }
    let schema = schema::version(&connection).map_err(&whole)?;
    let mut rows = BTreeMap::new();
    for table in COUNTED {
        let count: i64 = connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .map_err(&whole)?;
        rows.insert(table.to_owned(), u64::try_from(count).unwrap_or(0));
    }
    let tenants = "SELECT n.text FROM tenant_key t JOIN name n ON n.id = t.tenant ORDER BY n.text";
    let tenants = connection
        .prepare(tenants)
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(&whole)?;
    let epoch = newest_epoch(&connection).map_err(&whole)?;
    Ok(Copied { bytes, blake3, schema, rows, tenants, root_key: key_of(&connection, file)?, epoch })
}

/// Size and hash of a file, without looking into it.
///
/// # Errors
/// When it can't be read.
pub fn hash(path: &Path) -> Result<(u64, String), BackupError> {
    let mut file = File::open(path).map_err(unusable(path))?;
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk).map_err(unusable(path))?;
        if read == 0 {
            return Ok((bytes, hasher.finalize().to_hex().to_string()));
        }
        hasher.update(chunk.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
}

pub(crate) fn read_only(file: &Path) -> Result<Connection, BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(not_whole(file))?;
    let application: i64 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(not_whole(file))?;
    if application == APPLICATION_ID {
        return Ok(connection);
    }
    Err(BackupError::NotWhole { path: file.to_owned(), why: "it is no store of Concord".to_owned() })
}

fn key_of(connection: &Connection, file: &Path) -> Result<KeyId, BackupError> {
    let canary: Option<Vec<u8>> = connection
        .query_row("SELECT sealed FROM canary", [], |row| row.get(0))
        .optional()
        .map_err(not_whole(file))?;
    canary.as_deref().and_then(|sealed| KeyId::of(sealed).ok()).ok_or_else(|| BackupError::NotWhole {
        path: file.to_owned(),
        why: "its key check is missing".to_owned(),
    })
}

fn newest_epoch(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(number), 0) FROM epoch", [], |row| row.get(0))
}

/// A copy that is to be put back.
#[derive(Clone, Copy, Debug)]
pub struct PutBack<'a> {
    /// The copy. It stays as it is.
    pub copy: &'a Path,
    /// The folder that is to be a store's.
    pub folder: &'a Path,
    /// The root key at hand.
    pub root_key: &'a RootKey,
    /// When the backup was taken.
    pub taken_at: Wall,
    /// Now.
    pub now: Wall,
    /// Where a store that is there goes, as a new folder beside it; `None`: then nothing is done.
    pub aside: Option<&'a str>,
}

/// Puts a copy back as the store of a folder, and mints an epoch. The copy takes the store's place in one step, when it
/// is complete; whatever fails before that leaves the folder as it was.
///
/// # Errors
/// When a hub uses the folder, it has a store and that is not to go aside, the key is another one, or the copy is not
/// whole.
pub fn put_back(what: PutBack<'_>) -> Result<Epoch, BackupError> {
    // What was stored until now is old by that time: a clock that is behind would make some of it new.
    if what.now <= what.taken_at {
        return Err(BackupError::Clock { taken_at: what.taken_at });
    }
    let folder = Folder::open(what.folder)?;
    let occupied = FILES.iter().any(|name| what.folder.join(name).exists());
    if occupied && what.aside.is_none() {
        return Err(BackupError::Occupied { folder: what.folder.to_owned() });
    }
    let part = folder.restoring();
    // While there is no store, what an earlier try left keeps a start from making an empty one.
    let guards = part.exists() && !folder.database().exists();
    let clear =
        || if guards { File::create(&part).map(drop).map_err(unusable(&part)) } else { remove(&part) };
    // A journal of an earlier try would be played into this one.
    for beside in ["-journal", "-wal", "-shm"] {
        let mut name = part.clone().into_os_string();
        name.push(beside);
        remove(Path::new(&name))?;
    }
    clear()?;
    let made = prepare(&what, &part, &folder.database());
    let epoch = made.inspect_err(|_| drop(clear()))?;
    if let Some(aside) = what.aside.filter(|_| occupied) {
        gather(&folder.database());
        let aside = what.folder.join(aside);
        private(&aside).map_err(unusable(&aside))?;
        for name in FILES {
            let from = what.folder.join(name);
            if from.exists() {
                fs::rename(&from, aside.join(name)).map_err(unusable(&from))?;
            }
        }
    }
    // Between the two a start is refused (`Unrestored`).
    fs::rename(&part, folder.database()).map_err(unusable(&part))?;
    sync(what.folder)?;
    Ok(epoch)
}

/// Brings what is in the log into the file, as far as possible, so that the store is one file when it is moved.
pub(crate) fn gather(database: &Path) {
    if database.exists()
        && let Ok(connection) = Connection::open(database)
    {
        drop(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        drop(connection.close());
    }
}

/// Makes a folder that nobody else may look into: names and ids of objects are not sealed.
fn private(path: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

fn prepare(what: &PutBack<'_>, part: &Path, known: &Path) -> Result<Epoch, BackupError> {
    // The key before all bytes are copied.
    let key = read_only(what.copy)?;
    open::check_key(&key, what.copy, what.root_key)?;
    let stored = newest_epoch(&key).map_err(not_whole(what.copy))?;
    drop(key);
    fs::copy(what.copy, part).map_err(unusable(part))?;
    let whole = not_whole(part);
    let connection = Connection::open(part).map_err(&whole)?;
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(&whole)?;
    schema::migrate(&connection, part, schema::MIGRATIONS, &Options::default())?;
    // The store that goes aside may have been restored more often.
    let before = read_only(known).ok().and_then(|connection| newest_epoch(&connection).ok()).unwrap_or(0);
    let number = stored.max(before) + 1;
    let epoch = Epoch { number, taken_at: what.taken_at, restored_at: what.now };
    let row = (number, what.taken_at.micros(), what.now.micros());
    connection
        .execute("INSERT INTO epoch (number, taken_at, restored_at) VALUES (?1, ?2, ?3)", row)
        .map_err(&whole)?;
    connection.close().map_err(|(_, error)| whole(error))?;
    File::open(part).and_then(|file| file.sync_all()).map_err(unusable(part))?;
    Ok(epoch)
}

pub(crate) fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unusable(path)(error)),
        _ => Ok(()),
    }
}

pub(crate) fn sync(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unusable(folder))
}
