//! What the measurements share: a store in a folder of its own, the process' CPU time.

use std::path::Path;
use std::sync::Arc;

use canonical::Tenant;
use embedded::{Embedded, Options};
use guard::seal::RootKey;
use store::browse::{Look, Page};
use store::conformance::Backend;
use store::{Browse, Query, Receipt, Reply, Rows, Store, StoreError, Unit};

struct Shared(Arc<Embedded>);

impl Store for Shared {
    fn find(&self, query: Query, reply: Reply<Rows>) {
        self.0.find(query, reply);
    }
    fn commit(&self, units: Vec<Unit>, reply: Reply<Vec<Receipt>>) {
        self.0.commit(units, reply);
    }
}
impl Browse for Shared {
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

/// The store in that folder, twice.
pub(crate) fn backend(folder: &Path) -> (Arc<Embedded>, Backend) {
    let store = open_in(folder);
    let backend = Backend::new(Shared(Arc::clone(&store)));
    (store, backend)
}

/// The store in that folder.
pub(crate) fn open_in(folder: &Path) -> Arc<Embedded> {
    let mut key = [3; 32];
    key[0] = 7;
    Embedded::open(folder, RootKey::new(key).unwrap(), Options::default()).unwrap()
}

/// CPU time of this process' threads so far, in microseconds.
pub(crate) fn cpu_us() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let of = |thread: std::fs::DirEntry| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<f64>().unwrap()
    };
    threads.map(|thread| of(thread.unwrap())).sum::<f64>() / 1000.0
}
