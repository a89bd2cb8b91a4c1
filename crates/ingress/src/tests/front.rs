//! Several tenants behind the listener: whether the process takes messages.

use std::path::Path;
use std::sync::Mutex;

use store::browse::{Browse, Stats};
use store::{Query, Receipt, Reply, Rows, Store, StoreError, Unit};
use telemetry::Registry;
use web::{Door, fixed};

use super::*;

/// A store that keeps questions without an answer.
#[derive(Default)]
struct Mute(Mutex<Vec<Reply<Rows>>>);

impl Store for Mute {
    fn find(&self, _: Query, reply: Reply<Rows>) {
        self.0.lock().expect("not poisoned").push(reply);
    }
    fn commit(&self, _: Vec<Unit>, reply: Reply<Vec<Receipt>>) {
        reply(Err(StoreError::Closed));
    }
}

impl Browse for Mute {
    fn look(&self, _: Tenant, _: Look, reply: Reply<Page>) {
        reply(Err(StoreError::Closed));
    }
    fn stats(&self) -> Stats {
        Stats::default()
    }
    fn copy_to(&self, _: &Path) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }
}

/// A tenant that is not answered by its store.
fn stuck(name: &str) -> Handle {
    let tenant = Tenant::new(name).expect("a name");
    Runtime::start(runtime::Options {
        telemetry: Arc::new(Registry::new(&tenant)),
        tenant,
        machines: Vec::new(),
        store: Arc::new(Mute::default()),
        network: Arc::new(Unplugged),
        clock: Clock::starting_at(START),
        limits: runtime::Limits::default(),
        crash: None,
        folder: ".".into(),
    })
    .expect("starts")
}

/// What `/readyz` says before these tenants, and how long it took on the test's clock.
async fn asked(hubs: Vec<Handle>) -> (u16, std::time::Duration) {
    let named = hubs.into_iter().enumerate().map(|(number, hub)| {
        let door = Door { router: fixed(axum::Router::new()), telemetry: Arc::clone(hub.telemetry()) };
        (format!("/{number}"), door, hub)
    });
    let nobody = Arc::new(Registry::of_nobody());
    let router = crate::front(named.collect(), Clock::starting_at(START), nobody, 16);
    let before = tokio::time::Instant::now();
    let request = Request::get("/readyz").body(Body::empty()).expect("a request");
    let response = router.oneshot(request).await.expect("infallible");
    (response.status().as_u16(), before.elapsed())
}

/// Who waits for an answer waits for the best of them, and never for one after the other.
#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_stuck_keeps_no_other_from_being_ready() {
    let (well, ill) = (Stage::new(), || vec![stuck("globex"), stuck("initech"), stuck("umbrella")]);
    let mut hubs = ill();
    hubs.push(well.hub.clone());
    assert_eq!(asked(hubs).await, (200, std::time::Duration::ZERO));
    let (_, alone) = asked(vec![stuck("globex")]).await;
    assert_eq!(asked(ill()).await, (503, alone), "as long as for one of them");
}
