//! The driver under scripted machines, on paused time.

mod answers;
mod bounds;
mod change;
mod code;
mod ending;
mod shell;
mod time;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use canonical::{Mono, Now, System, Tenant, Wall};
use connector::{Credential, Failure, Request, Response};
use hub::{Effect, Input, Machine, MachineId, Ticket, Turn};
use store::memory::Memory;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::{AuthoriseError, BoxFuture, CrashHook, Fresh, Handle, Limits, Network, Options, Runtime};

/// A machine made of two functions.
struct Script<H, W> {
    handle: H,
    wakeup: W,
}

impl<H, W> Machine for Script<H, W>
where
    H: FnMut(Input, &mut Turn<'_>) + Send,
    W: Fn(Now) -> Option<Mono> + Send,
{
    fn handle(&mut self, input: Input, turn: &mut Turn<'_>) {
        (self.handle)(input, turn);
    }
    fn next_wakeup(&self, now: Now) -> Option<Mono> {
        (self.wakeup)(now)
    }
}

fn script(handle: impl FnMut(Input, &mut Turn<'_>) + Send + 'static) -> Box<dyn Machine> {
    Box::new(Script { handle, wakeup: |_| None })
}

/// A machine that reports every input, as text, and does what it is told at the start.
fn recorder(first: Vec<Effect>) -> (Box<dyn Machine>, mpsc::UnboundedReceiver<String>) {
    let (tell, told) = unbounded();
    let mut first = Some(first);
    let machine = script(move |input, turn| {
        if matches!(input, Input::Start) {
            turn.effects.extend(first.take().into_iter().flatten());
        }
        let _gone = tell.send(format!("{input:?}")).is_err();
    });
    (machine, told)
}

#[expect(clippy::disallowed_methods, reason = "a test's own record")]
fn unbounded<T>() -> (mpsc::UnboundedSender<T>, mpsc::UnboundedReceiver<T>) {
    mpsc::unbounded_channel()
}

/// A network that answers from a list, or as told.
#[derive(Default)]
struct Canned {
    answers: Mutex<VecDeque<Result<Response, Failure>>>,
    rotated: Option<Vec<u8>>,
    refused: Option<String>,
    adopted: Arc<Mutex<Vec<i64>>>,
    delay: Duration,
}

impl Network for Canned {
    fn send(self: Arc<Self>, _: System, request: Request) -> BoxFuture<Result<Response, Failure>> {
        Box::pin(async move {
            tokio::time::sleep(self.delay).await;
            assert_ne!(request.operation, "panic", "the network fails");
            let answer = self.answers.lock().expect("not poisoned").pop_front();
            answer.unwrap_or_else(|| Ok(Response { status: 200, ..Response::default() }))
        })
    }

    fn authorise(self: Arc<Self>, _: System) -> BoxFuture<Result<Fresh, AuthoriseError>> {
        Box::pin(async move {
            if let Some(why) = &self.refused {
                return Err(AuthoriseError::Refused(why.clone()));
            }
            let adopted = Arc::clone(&self.adopted);
            let adopt = Box::new(move || adopted.lock().expect("not poisoned").push(7));
            Ok(Fresh { scope: 7, rotated: self.rotated.clone(), adopt })
        })
    }
}

struct Stage {
    store: Arc<Memory>,
    network: Arc<Canned>,
    limits: Limits,
    crash: Option<CrashHook>,
    folder: std::path::PathBuf,
}

impl Default for Stage {
    fn default() -> Self {
        let store = Arc::new(Memory::new());
        Self { store, network: Arc::default(), limits: Limits::default(), crash: None, folder: ".".into() }
    }
}

impl Stage {
    fn start(&self, machines: Vec<(MachineId, Box<dyn Machine>)>) -> Handle {
        Runtime::start(Options {
            tenant: tenant(),
            machines,
            store: self.store.clone(),
            network: self.network.clone(),
            telemetry: Arc::new(telemetry::Registry::new(&tenant())),
            clock: Clock::starting_at(Wall(1_000_000)),
            limits: self.limits,
            crash: self.crash.clone(),
            folder: self.folder.clone(),
        })
        .expect("starts")
    }
}

fn tenant() -> Tenant {
    Tenant::new("acme").expect("a name")
}

fn crm() -> System {
    System::new("crm").expect("a name")
}

fn spoke() -> MachineId {
    MachineId::Spoke(crm())
}

fn request(operation: &str) -> Request {
    Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        credential: Credential::Connection,
        operation: operation.to_owned(),
        timeout_ms: 1000,
        cost: 1,
    }
}

const fn ticket(number: u64) -> Ticket {
    Ticket(number)
}
