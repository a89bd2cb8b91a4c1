//! The store's folder: who may use it, what is in it, and the space kept in reserve.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use fs4::fs_std::FileExt as _;

use crate::OpenError;

const LOCK_FILE: &str = "lock";
pub(crate) const DATABASE_FILE: &str = "store.sqlite";
const RESTORING_FILE: &str = "store.sqlite.restoring";
const ADOPTING_FILE: &str = "store.sqlite.adopting";
const RESERVE_FILE: &str = "reserve";

/// A folder that this process alone uses, until it is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    // Held for its lock: the system releases it with the process, however that ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is missing, and takes its lock.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Folder { folder: path.to_owned(), source };
        // Names and ids of objects are not sealed: nobody else looks into a folder that is made here.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(unusable)?;
        if !lock.try_lock_exclusive().map_err(unusable)? {
            let mut holder = String::new();
            // Only for the message: without it the error still says what to do.
            drop(lock.read_to_string(&mut holder));
            let process = holder.trim().parse().ok();
            return Err(OpenError::Locked { folder: path.to_owned(), process });
        }
        lock.set_len(0).and_then(|()| lock.rewind()).map_err(unusable)?;
        writeln!(lock, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE_FILE)
    }

    /// A restored database before it takes its place.
    pub(crate) fn restoring(&self) -> PathBuf {
        self.path.join(RESTORING_FILE)
    }

    /// A database that was filled elsewhere, before it takes its place.
    pub(crate) fn adopting(&self) -> PathBuf {
        self.path.join(ADOPTING_FILE)
    }

    /// The reserve, not yet filled.
    pub(crate) fn reserve(&self, bytes: u64) -> Reserve {
        Reserve { path: self.path.join(RESERVE_FILE), bytes }
    }
}

/// A file that only takes up space, so that there is some when the disk is full.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
}

impl Reserve {
    /// Takes the space up, with `slack` besides to see that the disk is not just about full again.
    pub(crate) fn fill(&self, slack: u64) -> std::io::Result<()> {
        if self.bytes == 0 {
            return Ok(());
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
        let filled = file.allocate(self.bytes + slack).and_then(|()| file.set_len(self.bytes));
        if filled.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unsupported) {
            // A file system that can't reserve space: then there is no reserve, and all the rest works.
            return Ok(());
        }
        if filled.is_err() {
            // Half a reserve would keep from outcomes what they need now.
            file.set_len(0)?;
        }
        filled
    }

    /// Gives space back: keeps one half, or with 0 nothing.
    pub(crate) fn keep_halves(&self, halves: u64) -> std::io::Result<()> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
        file.set_len(self.bytes / 2 * halves)
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
}
