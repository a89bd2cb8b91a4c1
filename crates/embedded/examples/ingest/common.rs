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

/// A store in a folder under the current one, so that it is on a real disk.
pub(crate) fn open() -> (Arc<Embedded>, Backend, tempfile::TempDir) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let store = open_in(folder.path());
    let backend = Backend::new(Shared(Arc::clone(&store)));
    (store, backend, folder)
}

/// The store in that folder.
pub(crate) fn open_in(folder: &Path) -> Arc<Embedded> {
    let mut key = [3; 32];
    key[0] = 7;
    Embedded::open(folder, RootKey::new(key).unwrap(), Options::default()).unwrap()
}

/// CPU time of this process so far, in microseconds, to the hundredth of a second.
pub(crate) fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks * 10_000.0
}
