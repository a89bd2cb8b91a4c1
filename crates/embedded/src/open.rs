//! Opening: lock, schema, key check, tenants' keys, threads. Nothing here reads the backlog.

use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use canonical::Tenant;
use crossbeam_channel::bounded;
use guard::seal::{KeyId, RootKey, WrappedKey, canary};
use rusqlite::{Connection, OptionalExtension as _};

use crate::checkpoint::{self, Poke};
use crate::connection::{Purpose, connect};
use crate::entropy::Entropy;
use crate::fault::Fault;
use crate::folder::Folder;
use crate::journal::Journal;
use crate::shared::Shared;
use crate::syncer::{self, Log};
use crate::vault::{Keys, Vault};
use crate::{
    COMMITS_WAITING_MAX, Embedded, FINDS_WAITING_MAX, OpenError, Options, Threads, reader, schema, writer,
};

const MIB: u64 = 1 << 20;

pub(crate) fn open(path: &Path, root_key: RootKey, options: Options) -> Result<Embedded, OpenError> {
    let folder = Folder::open(path)?;
    let failed = |fault: Fault| match fault {
        Fault::Sqlite(source) => OpenError::Database { folder: path.to_owned(), source },
        other => OpenError::Unreadable { folder: path.to_owned(), detail: other.detail() },
    };
    let database = folder.database();
    if folder.restoring().exists() && !database.exists() {
        return Err(OpenError::Unrestored { folder: path.to_owned() });
    }
    let of_file = |source| OpenError::Folder { folder: path.to_owned(), source };
    Log::renew(&database).map_err(of_file)?;
    let writing = connect(&database, Purpose::Write, options.page_cache_mb * MIB).map_err(failed)?;
    schema::migrate(&writing, path, schema::MIGRATIONS, &options)?;
    check_key(&writing, path, &root_key)?;
    let vault = Arc::new(Vault::new(root_key, options.data_keys_max));
    load_tenants(&writing, path, &vault)?;

    let reader_cache = (options.page_cache_mb / 4).max(2) * MIB;
    let readers = (0..options.readers.clamp(1, 16)).map(|_| connect(&database, Purpose::Read, reader_cache));
    let readers = readers.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let checkpointing = connect(&database, Purpose::Checkpoint, MIB).map_err(failed)?;
    let reserve = folder.reserve(options.reserve_bytes);
    let journal = Journal::load(&writing, &Keys::new(&writing, Arc::clone(&vault))).map_err(failed)?;
    let shared = Arc::new(Shared::new(options, vault, journal.open()));
    // From here on the syncer syncs what is committed.
    writing.execute_batch("PRAGMA synchronous = NORMAL").map_err(|error| failed(error.into()))?;

    let (commits, calls) = bounded(COMMITS_WAITING_MAX);
    let (finds, jobs) = bounded(FINDS_WAITING_MAX);
    let (pokes, signals) = bounded(2);
    let poke = Poke::new(pokes, shared.options.reserve_bytes);
    let (syncing, work) = syncer::pair(&database, Arc::clone(&shared)).map_err(of_file)?;
    let threads = Threads {
        checkpointer: {
            let (shared, poke) = (Arc::clone(&shared), poke.clone());
            spawn("store-checkpoint", move || checkpoint::run(&checkpointing, &signals, &poke, &shared))?
        },
        writer: {
            let (shared, poke) = (Arc::clone(&shared), poke.clone());
            spawn("store-writer", move || {
                writer::run(&writing, &calls, reserve, journal, &shared, poke, syncing);
            })?
        },
        syncer: {
            let shared = Arc::clone(&shared);
            spawn("store-syncer", move || syncer::run(&work, &shared))?
        },
        readers: readers
            .into_iter()
            .enumerate()
            .map(|(number, connection)| {
                let (shared, jobs) = (Arc::clone(&shared), jobs.clone());
                spawn(&format!("store-reader-{number}"), move || reader::run(&connection, &jobs, &shared))
            })
            .collect::<Result<_, _>>()?,
    };
    let (folder, threads) = (Arc::new(folder), std::sync::Mutex::new(Some(threads)));
    Ok(Embedded { commits, finds, poke, shared, folder, threads })
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    Builder::new().name(name.to_owned()).spawn(work).map_err(|source| OpenError::Threads { source })
}

/// Before anything is read or written under a key: is it this store's? A new store remembers it.
pub(crate) fn check_key(connection: &Connection, path: &Path, root_key: &RootKey) -> Result<(), OpenError> {
    let database = |source| OpenError::Database { folder: path.to_owned(), source };
    let known: Option<Vec<u8>> = connection
        .query_row("SELECT sealed FROM canary", [], |row| row.get(0))
        .optional()
        .map_err(database)?;
    if let Some(known) = known {
        return root_key.check(&known).map_err(|source| OpenError::Key { folder: path.to_owned(), source });
    }
    let nonce = Entropy::new()
        .nonce()
        .map_err(|fault| OpenError::Unreadable { folder: path.to_owned(), detail: fault.detail() })?;
    let made = canary(root_key, nonce);
    connection.execute("INSERT INTO canary (id, sealed) VALUES (1, ?1)", [made]).map_err(database)?;
    Ok(())
}

fn load_tenants(connection: &Connection, path: &Path, vault: &Vault) -> Result<(), OpenError> {
    let database = |source| OpenError::Database { folder: path.to_owned(), source };
    let mut statement = connection
        .prepare(
            "SELECT n.text, t.id, t.wrapped, t.hash_id, t.hash_wrapped FROM tenant_key t JOIN name n ON n.id = t.tenant",
        )
        .map_err(database)?;
    let rows = statement
        .query_map([], |row| {
            let key = WrappedKey { id: KeyId(row.get(1)?), bytes: row.get(2)? };
            let hashing = WrappedKey { id: KeyId(row.get(3)?), bytes: row.get(4)? };
            Ok((row.get::<_, String>(0)?, [key, hashing]))
        })
        .map_err(database)?;
    for row in rows {
        let (name, wrapped) = row.map_err(database)?;
        let tenant = Tenant::new(&name)
            .map_err(|error| OpenError::Unreadable { folder: path.to_owned(), detail: error.to_string() })?;
        let loaded = vault.ring().load_tenant(tenant, &wrapped);
        loaded.map_err(|source| OpenError::TenantKey { folder: path.to_owned(), source })?;
    }
    Ok(())
}
