//! The embedded store passes the suite, agrees with the in-memory one, and stands what disks and people do to it.

use std::path::Path;

use guard::seal::RootKey;
use store::Memory;
use store::conformance::{Backend, random};

use super::*;

mod adopt;
mod backup;
mod damage;
mod full;
mod life;

/// A root key for tests.
fn root_key(seed: u8) -> RootKey {
    let mut bytes = [seed; 32];
    bytes[0] = 1;
    bytes[1] = 2;
    RootKey::new(bytes).unwrap()
}

fn options() -> Options {
    Options { readers: 2, page_cache_mb: 2, reserve_bytes: 1 << 20, ..Options::default() }
}

pub(crate) fn open_in(folder: &Path) -> Arc<Embedded> {
    Embedded::open(folder, root_key(7), options()).unwrap()
}

/// Shares the store with a backend of the suite.
struct Handle(Arc<Embedded>);

impl Store for Handle {
    fn find(&self, query: Query, reply: Reply<Rows>) {
        self.0.find(query, reply);
    }
    fn commit(&self, units: Vec<Unit>, reply: Reply<Vec<Receipt>>) {
        self.0.commit(units, reply);
    }
}
impl Browse for Handle {
    fn look(&self, tenant: Tenant, look: Look, reply: Reply<Page>) {
        self.0.look(tenant, look, reply);
    }
    fn stats(&self) -> store::Stats {
        self.0.stats()
    }
    fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        self.0.copy_to(path)
    }
}

pub(crate) fn handle(store: &Arc<Embedded>) -> Backend {
    Backend::new(Handle(Arc::clone(store)))
}

fn backend() -> Backend {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    Backend { store: Arc::new(Handle(store)), keep: Box::new(folder) }
}

store::conformance_suite!(backend);

/// Random sequences give the same answers on both backends.
#[test]
fn agrees_with_the_in_memory_store() {
    for seed in 0..6 {
        random::agree(&Backend::new(Memory::new()), &backend(), seed, 150);
    }
}
