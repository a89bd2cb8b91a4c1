//! The default store: SQLite in one folder, used by one process.
//!
//! One thread writes, in groups; one makes what was written durable, and then answers; a few threads read; one moves the
//! log into the file beside them (checkpoints). What may be personal is sealed under a key per subject, and raw messages under a key per tenant and
//! day, so that erasure is the deletion of a key. Opening never scans the backlog.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use canonical::Tenant;
use crossbeam_channel::Sender;
use guard::seal::{KeyringError, RootKey, RootKeyError};
use store::browse::{Look, Page};
use store::{Browse, Query, Receipt, Reply, Rows, Stats, Store, StoreError, Unit};

pub mod adopt;
pub mod backup;
mod book;
mod checkpoint;
mod connection;
mod copy;
mod entropy;
mod fault;
mod folder;
mod journal;
mod lately;
mod names;
mod open;
mod quick;
mod reader;
mod recent;
mod rows;
mod schema;
mod shared;
mod sql;
mod syncer;
mod vault;
mod versions;
mod writer;

use checkpoint::Poke;
use folder::Folder;
use shared::{Answering, Shared};
pub use versions::applied_versions;

/// Commits waiting for the writer; more wait in their callers.
const COMMITS_WAITING_MAX: usize = 4096;
/// Questions waiting for a reader; more wait in their callers.
const FINDS_WAITING_MAX: usize = 4096;

/// How a store is set up.
#[derive(Clone)]
pub struct Options {
    /// Threads that read: 1 to 16.
    pub readers: usize,
    /// Memory for the writer's pages, in MiB; each reader has a quarter of it, at least 2.
    pub page_cache_mb: u64,
    /// Space kept in reserve, so that a full disk still takes how sends ended.
    pub reserve_bytes: u64,
    /// The largest the store may grow, in pages of 4 KiB; without, what the disk holds.
    pub max_pages: Option<u64>,
    /// Unwrapped data keys kept in memory.
    pub data_keys_max: usize,
    /// Called at named points, so that tests can end the process there.
    pub on_point: Option<Arc<dyn Fn(Point) + Send + Sync>>,
}

/// Points at which a crash is of interest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Point {
    /// Inside the migration to this schema version: its statements are done, its transaction is not.
    Migration(usize),
    /// A group of commits is applied and not yet committed.
    BeforeSync,
    /// A group of commits is synced and nobody was told.
    AfterSync,
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses the folder.
    #[error(
        "the store folder {} is in use by {}: stop that one first, or give this one another folder",
        folder.display(),
        process.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
    )]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The process that holds it, as far as is known.
        process: Option<u32>,
    },
    /// The folder can't be used.
    #[error("the store folder {} can't be used ({source}): check that it exists and may be written", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The root key is not this store's.
    #[error("the store in {} does not open: {source}", folder.display())]
    Key {
        /// The folder.
        folder: PathBuf,
        /// Which keys.
        source: RootKeyError,
    },
    /// A tenant's key is damaged.
    #[error("the store in {} does not open: {source}; restore it from a backup", folder.display())]
    TenantKey {
        /// The folder.
        folder: PathBuf,
        /// Whose, and why.
        source: KeyringError,
    },
    /// Written by a newer program.
    #[error(
        "the store in {} has schema version {found}, this program knows {known}: use the newer program; there is no way back",
        folder.display()
    )]
    Newer {
        /// The folder.
        folder: PathBuf,
        /// The store's schema version.
        found: usize,
        /// The newest this program knows.
        known: usize,
    },
    /// The file is somebody else's.
    #[error("the file in the store folder {} is not a store of Concord: give an empty folder", folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// A restore was interrupted: starting now would begin an empty store, and make everything anew.
    #[error(
        "the store in {} is not whole: a restore was interrupted; run `concord restore --replace` again with the same backup",
        folder.display()
    )]
    Unrestored {
        /// The folder.
        folder: PathBuf,
    },
    /// SQLite said no.
    #[error("the store in {} does not open ({source}): check the disk and the folder's owner", folder.display())]
    Database {
        /// The folder.
        folder: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A stored row that is needed at once can't be read, or the system gives no random numbers.
    #[error("the store in {} does not open: {detail}", folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What, and why.
        detail: String,
    },
    /// No thread could be started.
    #[error("the store's threads can't be started ({source}): raise the limit of threads")]
    Threads {
        /// What the system said.
        source: std::io::Error,
    },
}

/// The embedded store.
pub struct Embedded {
    commits: Sender<writer::Call>,
    finds: Sender<reader::Job>,
    poke: Poke,
    shared: Arc<Shared>,
    folder: Arc<Folder>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    writer: JoinHandle<()>,
    syncer: JoinHandle<()>,
    readers: Vec<JoinHandle<()>>,
    checkpointer: JoinHandle<()>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 3,
            page_cache_mb: 16,
            reserve_bytes: 128 << 20,
            max_pages: None,
            data_keys_max: 32_768,
            on_point: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("readers", &self.readers)
            .field("page_cache_mb", &self.page_cache_mb)
            .field("reserve_bytes", &self.reserve_bytes)
            .field("max_pages", &self.max_pages)
            .field("data_keys_max", &self.data_keys_max)
            .finish_non_exhaustive()
    }
}

impl Options {
    fn reached(&self, point: Point) {
        if let Some(on_point) = &self.on_point {
            on_point(point);
        }
    }
}

impl Embedded {
    /// Opens the store in a folder, and makes both when they are missing.
    ///
    /// # Errors
    /// [`OpenError`] says which folder, why, and what to do.
    pub fn open(folder: &Path, root_key: RootKey, options: Options) -> Result<Arc<Self>, OpenError> {
        open::open(folder, root_key, options).map(Arc::new)
    }

    /// The folder it is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Does what is waiting, empties the log, and ends; whatever comes later is answered with
    /// [`StoreError::Closed`]. The folder is free once this was dropped.
    pub fn close(&self) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(threads) = threads else { return };
        let here = std::thread::current().id();
        let answering = [&threads.syncer, &threads.writer].into_iter().any(|one| one.thread().id() == here);
        let (commits, finds, poke) = (self.commits.clone(), self.finds.clone(), self.poke.clone());
        let folder = Arc::clone(&self.folder);
        let end = move || {
            threads.end(&commits, &finds, &poke);
            drop(folder);
        };
        if answering {
            // The other of the two may wait for the very thread that asks. It goes on, and the folder is kept until all is
            // done.
            drop(std::thread::Builder::new().name("store-closing".to_owned()).spawn(end));
        } else {
            end();
        }
    }
}

impl Threads {
    fn end(self, commits: &Sender<writer::Call>, finds: &Sender<reader::Job>, poke: &Poke) {
        // A thread that has ended already has dropped its end: then there is nobody to tell.
        drop(commits.send(writer::Call::Close));
        join(self.writer);
        join(self.syncer);
        for _ in &self.readers {
            drop(finds.send(reader::Job::Close));
        }
        self.readers.into_iter().for_each(join);
        poke.close();
        join(self.checkpointer);
    }
}

/// Waits for a thread's end, unless it is the one that asks: a reply may drop the last handle of the store.
fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != std::thread::current().id() {
        // A thread that panicked has answered what it held as it unwound.
        drop(thread.join());
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}

impl Store for Embedded {
    fn find(&self, query: Query, reply: Reply<Rows>) {
        let reply = match lately::answer(&query, reply, &self.shared) {
            None => return,
            Some(reply) => reply,
        };
        // A closed channel drops the job, which answers it.
        drop(self.finds.send(reader::Job::Find(query, Answering::new(reply))));
    }

    fn commit(&self, units: Vec<Unit>, reply: Reply<Vec<Receipt>>) {
        let job = writer::Job { units, reply: Answering::new(reply) };
        drop(self.commits.send(writer::Call::Commit(job)));
    }
}

impl Browse for Embedded {
    fn look(&self, tenant: Tenant, look: Look, reply: Reply<Page>) {
        drop(self.finds.send(reader::Job::Look(tenant, look, Answering::new(reply))));
    }

    fn stats(&self) -> Stats {
        self.shared.stats()
    }

    fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        copy::copy(&self.folder.database(), path)
    }
}

#[cfg(test)]
mod tests;
