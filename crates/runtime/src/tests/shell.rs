//! The hub's own machines on the driver, on paused time: a drain while a request hangs, a start after one that was
//! never answered, a target that cannot be reached for a while.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use config::Configuration;
use connector::{FailureKind, Reached};
use hub::{Arrival, Intake, Jobs, Spoke, TakenAs};
use simulation::Class;
use store::browse::{DeliveryFilter, Look, Page};

use super::*;

/// A target that keeps what it is sent, by address: hangs, or cannot be reached, while it is told to.
pub(super) struct Moody {
    /// What it answers.
    answer: &'static [u8],
    /// Before the effect: the connection is refused.
    away: AtomicBool,
    /// After the effect: no answer, until it is told otherwise or the request has timed out.
    hangs: AtomicBool,
    calls: Mutex<Vec<Request>>,
    held: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Network for Moody {
    fn send(self: Arc<Self>, _: System, request: Request) -> BoxFuture<Result<Response, Failure>> {
        Box::pin(async move {
            self.calls.lock().expect("not poisoned").push(request.clone());
            let failed =
                |reached, kind| Err(Failure { reached, kind, detail: "as told".to_owned(), wait: None });
            if self.away.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(5)).await;
                return failed(Reached::NotSent, FailureKind::Connect);
            }
            self.held.lock().expect("not poisoned").insert(request.path.clone(), request.body.clone());
            let mut waited = 0;
            while self.hangs.load(Ordering::Relaxed) {
                if waited >= request.timeout_ms {
                    return failed(Reached::MaybeSent, FailureKind::Timeout);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
                waited += 10;
            }
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            Ok(Response { status: 200, headers, body: self.answer.to_vec() })
        })
    }

    fn authorise(self: Arc<Self>, _: System) -> BoxFuture<Result<Fresh, AuthoriseError>> {
        Box::pin(async { Err(AuthoriseError::Refused("nobody asks for a token here".to_owned())) })
    }
}

impl Moody {
    pub(super) fn answering(answer: &'static [u8]) -> Self {
        let (away, hangs, calls, held) = Default::default();
        Self { answer, away, hangs, calls, held }
    }

    pub(super) fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::Relaxed);
    }

    pub(super) fn writes(&self) -> Vec<Request> {
        let calls = self.calls.lock().expect("not poisoned");
        calls.iter().filter(|request| request.method != "GET").cloned().collect()
    }
}

/// A hub with one source and one target, which knows records by key.
pub(super) struct Shell {
    config: Arc<Configuration>,
    store: Arc<Memory>,
    pub(super) network: Arc<Moody>,
}

impl Shell {
    fn new() -> Self {
        let network = Moody::answering(b"{\"id\": \"1\"}");
        Self::of(simulation::configuration(&[Class::Upsert]), Arc::new(network))
    }

    pub(super) fn of(config: Arc<Configuration>, network: Arc<Moody>) -> Self {
        Self { config, store: Arc::new(Memory::new()), network }
    }

    pub(super) fn start(&self) -> Handle {
        let intake: Box<dyn Machine> = Box::new(Intake::new(Arc::clone(&self.config)));
        let jobs: Box<dyn Machine> = Box::new(Jobs::new(Arc::clone(&self.config)));
        let mut machines = vec![(MachineId::Intake, intake), (MachineId::Jobs, jobs)];
        for system in self.config.systems.keys() {
            let spoke = Spoke::new(Arc::clone(&self.config), system.clone()).expect("it is configured");
            machines.push((MachineId::Spoke(system.clone()), Box::new(spoke) as Box<dyn Machine>));
        }
        let start = Wall(1_800_000_000_000_000);
        Runtime::start(Options {
            tenant: self.config.tenant.clone(),
            machines,
            store: self.store.clone(),
            network: self.network.clone(),
            telemetry: Arc::new(telemetry::Registry::new(&self.config.tenant)),
            clock: Clock::starting_at(start),
            limits: Limits::default(),
            crash: None,
            folder: ".".into(),
        })
        .expect("starts")
    }

    /// The source tells about one thing, for the so-manieth time.
    pub(super) async fn say(&self, hub: &Handle, times: usize) {
        let said = simulation::sayings(1, times, Duration::ZERO);
        let (_, newest) = said.last().expect("it says something");
        let source = System::new("src").expect("a name");
        let taken = hub.offer(&source, vec![Arrival::Read(newest.clone())], 100).await.expect("taken");
        assert_eq!(taken.first().map(|taken| &taken.how), Some(&TakenAs::Accepted));
    }

    async fn states(&self, hub: &Handle) -> Vec<&'static str> {
        let all = DeliveryFilter { limit: 10, ..DeliveryFilter::default() };
        match hub.look(Look::Deliveries(all)).await {
            Ok(Page::Deliveries(rows)) => rows.iter().map(|(_, row)| row.state.name()).collect(),
            other => panic!("not deliveries: {other:?}"),
        }
    }

    pub(super) async fn until(&self, hub: &Handle, state: &str) {
        for _ in 0..10_000 {
            if self.states(hub).await == [state] {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it is never {state}: {:?}", self.states(hub).await);
    }

    pub(super) async fn sent(&self, count: usize) {
        for _ in 0..10_000 {
            if self.network.writes().len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{count} requests were never sent");
    }
}

/// A drain waits for the answer of a request that is on the wire, and keeps what it says.
#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_is_on_the_wire() {
    let shell = Shell::new();
    let hub = shell.start();
    shell.network.hangs.store(true, Ordering::Relaxed);
    shell.say(&hub, 1).await;
    shell.sent(1).await;
    let draining = tokio::spawn({
        let hub = hub.clone();
        async move { hub.drain(Duration::from_secs(20)).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!draining.is_finished(), "a request is on the wire");
    shell.network.hangs.store(false, Ordering::Relaxed);
    assert_eq!(draining.await.expect("no panic"), Ok(()));
    let again = shell.start();
    assert_eq!(shell.states(&again).await, ["delivered"], "its end was kept");
    assert_eq!(shell.network.writes().len(), 1, "and it is not sent again");
}

/// I1, I3: a request that is never answered does not hold a drain up for ever, and after a start the same bytes go again
/// under the same key.
#[tokio::test(start_paused = true)]
async fn i3_what_was_never_answered_is_taken_up_at_the_next_start() {
    let shell = Shell::new();
    let hub = shell.start();
    shell.network.hangs.store(true, Ordering::Relaxed);
    shell.say(&hub, 1).await;
    shell.sent(1).await;
    let left = hub.drain(Duration::from_millis(200)).await.expect_err("it hangs").left;
    assert!(left.iter().any(|machine| matches!(machine, MachineId::Spoke(_))), "{left:?}");
    shell.network.hangs.store(false, Ordering::Relaxed);
    let again = shell.start();
    shell.until(&again, "delivered").await;
    let writes = shell.network.writes();
    assert!(writes.len() >= 2, "it was in doubt: {writes:?}");
    assert!(writes.iter().all(|write| (&write.path, &write.body) == (&writes[0].path, &writes[0].body)));
    assert_eq!(shell.network.held.lock().expect("not poisoned").len(), 1, "one object there");
}

/// A timeout is a doubt, and the doubt ends by itself once the target answers again.
#[tokio::test(start_paused = true)]
async fn a_time_out_is_a_doubt_that_ends() {
    let shell = Shell::new();
    let hub = shell.start();
    shell.network.hangs.store(true, Ordering::Relaxed);
    shell.say(&hub, 1).await;
    shell.sent(1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_ne!(shell.states(&hub).await, ["delivered"], "nobody has said so");
    shell.network.hangs.store(false, Ordering::Relaxed);
    shell.until(&hub, "delivered").await;
    assert_eq!(hub.drain(Duration::from_secs(5)).await, Ok(()));
}

/// I1, I12: a target that is away is tried again and again, ever more rarely, sources are heard meanwhile, and when it is back
/// it gets the newest state, once.
#[tokio::test(start_paused = true)]
async fn i1_a_target_that_comes_back_gets_what_it_missed() {
    let shell = Shell::new();
    let hub = shell.start();
    shell.network.away.store(true, Ordering::Relaxed);
    for times in 1..=5 {
        shell.say(&hub, times).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    let tries = shell.network.writes().len();
    assert!((2..60).contains(&tries), "{tries} tries in 20 s");
    shell.network.away.store(false, Ordering::Relaxed);
    shell.until(&hub, "delivered").await;
    let writes = shell.network.writes();
    let after = writes.get(tries..).unwrap_or_default();
    assert_eq!(after.len(), 1, "one write says all that was missed: {after:?}");
    let body = String::from_utf8_lossy(&after[0].body).into_owned();
    assert!(body.contains("\"value\":5"), "the newest: {body}");
    assert_eq!(hub.drain(Duration::from_secs(5)).await, Ok(()));
}
