//! A tenant runs, or it does not: there is nothing in between.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use config::SecretRef;
use store::browse::{Browse, Look, Page, Stats};
use store::{Memory, Query, Receipt, Reply, Rows, Store, StoreError, Unit};

use super::*;

/// A store that takes nothing, and counts the questions after the first refusal.
#[derive(Default)]
struct Full {
    behind: Memory,
    refused: AtomicBool,
    asked: AtomicUsize,
}

impl Store for Full {
    fn find(&self, query: Query, reply: Reply<Rows>) {
        if self.refused.load(Ordering::Relaxed) {
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
        self.behind.find(query, reply);
    }
    fn commit(&self, _: Vec<Unit>, reply: Reply<Vec<Receipt>>) {
        self.refused.store(true, Ordering::Relaxed);
        // The answer is a while in coming: whatever runs already goes on.
        tokio::spawn(async move {
            a_while().await;
            reply(Err(StoreError::Full { detail: "a test".to_owned() }));
        });
    }
}

impl Browse for Full {
    fn look(&self, tenant: Tenant, look: Look, reply: Reply<Page>) {
        self.behind.look(tenant, look, reply);
    }
    fn stats(&self) -> Stats {
        self.behind.stats()
    }
    fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        self.behind.copy_to(path)
    }
}

/// On one thread, tasks that can go on have gone on after this, many times over.
async fn a_while() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

/// Its machines would call its systems, which nobody sees or can stop: not one of them may be at work.
#[tokio::test]
async fn a_tenant_that_is_left_out_does_nothing() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/subscription-business");
    let configuration = config::load_folder(&dir).expect("a folder that can be used").configuration;
    let resolved = configuration.resolve_secrets(&|reference| match reference {
        // A system wants a key that is one; the others take any text.
        SecretRef::File(path) if path.ends_with("netsuite.pem") => {
            Ok(Secret::from(include_str!("../../demo/erp.demo-key.pem")))
        }
        _ => Ok(Secret::from("a secret")),
    });
    let root = RootKey::parse(&Secret::from(crate::commands::key::fresh().unwrap())).unwrap();
    let common = Common { root, clock: Clock::system(), crash: None, tenants: 1, owners: None };
    let store = Arc::new(Full::default());
    let token = Secret::from("a token");
    let started =
        Running::start(&dir, configuration, resolved.unwrap(), &token, store.clone(), &common).await;
    let why = started.err().expect("its start could not be written down");
    assert!(format!("{why:#}").contains("full"), "{why:#}");
    a_while().await;
    assert_eq!(store.asked.load(Ordering::Relaxed), 0, "machines ask the store before they do anything");
}
