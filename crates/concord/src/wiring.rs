//! The wiring: checked configurations become a running hub. The only place that knows all rooms.
//!
//! A hub has one store and two listeners, and one or several tenants. One tenant has all of it for itself. Several have
//! a [booth](store::fair) each before the store, and a door each behind the listeners.

pub(crate) mod ask;
mod change;
pub(crate) mod consent;
mod credential;
pub(crate) mod keys;
mod owners;
pub(crate) mod reading;
pub(crate) mod secrets;
mod several;
pub(crate) mod single;
mod tenant;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use config::{Configuration, Listeners, Problem};
use embedded::{Embedded, OpenError, Point};
use guard::Secret;
use guard::seal::RootKey;
use runtime::clock::Clock;
use runtime::{Ended, Handle};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use web::{Bounds, Current};

pub(crate) use several::{Several, start_several};
use tenant::{Common, Running, connection};

use crate::commands::check::counted;
use crate::crash::{self, CrashAt};
use crate::exit::Exit;

/// What a hub of one tenant is started with.
pub(crate) struct Plan<'p> {
    /// The configuration folder: paths that are not absolute start there.
    pub(crate) dir: &'p Path,
    /// What it says.
    pub(crate) configuration: Configuration,
    /// The operator's token.
    pub(crate) token: Secret,
    /// Where a test wants the process to end.
    pub(crate) crash: Option<CrashAt>,
}

/// A running hub.
pub(crate) struct Hub {
    tenants: Vec<Running>,
    store: Arc<Embedded>,
    /// Where webhooks and events come in.
    pub(crate) ingress: SocketAddr,
    /// Where operators ask.
    pub(crate) operator: SocketAddr,
    servers: Vec<JoinHandle<()>>,
    end: watch::Sender<bool>,
}

/// Why a folder does not run, as problems of its files.
#[derive(Debug, thiserror::Error)]
#[error("{why} ({}): see above", counted(problems.len(), "error"))]
pub(crate) struct Unusable {
    pub(crate) problems: Vec<Problem>,
    pub(crate) why: &'static str,
}

impl Unusable {
    /// References that lead to nothing, or to what cannot be used.
    pub(crate) fn secrets(problems: Vec<Problem>) -> Self {
        Self { problems, why: "the folder's secrets cannot be used" }
    }
}

/// The two listeners, bound and not served yet.
struct Ports {
    ingress: TcpListener,
    operator: TcpListener,
}

/// Starts a hub of one tenant on the current async runtime.
pub(crate) async fn start(plan: Plan<'_>) -> anyhow::Result<Hub> {
    let Plan { dir, configuration, token, crash } = plan;
    let secrets = configuration
        .resolve_secrets(&|reference| secrets::resolve(dir, reference))
        .map_err(Unusable::secrets)?;
    let root = RootKey::parse(&secrets.root_key).context("the store's root key cannot be used")?;
    // Ports before the store: a hub that cannot listen must not touch anything.
    let ports = Ports::bind(configuration.settings.listeners).await?;
    let store = open(&dir.join(&configuration.settings.store.folder), root.clone(), crash.as_ref())?;
    let common = Common { root, clock: Clock::system(), crash: crash.as_ref(), tenants: 1, owners: None };
    let running = Running::start(dir, configuration, secrets, &token, store.clone(), &common).await?;
    let routers = (running.live.sources(), running.live.console());
    serve(ports, routers, vec![running], store)
}

/// Serves what the tenants answer.
fn serve(
    ports: Ports,
    (sources, console): (Current, Current),
    tenants: Vec<Running>,
    store: Arc<Embedded>,
) -> anyhow::Result<Hub> {
    let Ports { ingress, operator } = ports;
    let (end, ending) = watch::channel(false);
    let (at_ingress, at_operator) = (ingress.local_addr()?, operator.local_addr()?);
    let servers = vec![
        tokio::spawn(web::serve(ingress, sources, Bounds::default(), told(ending.clone()))),
        tokio::spawn(web::serve(operator, console, Bounds::default(), told(ending))),
    ];
    Ok(Hub { tenants, store, ingress: at_ingress, operator: at_operator, servers, end })
}

/// Waits until the servers are told to end.
async fn told(mut ending: watch::Receiver<bool>) {
    // Nobody left to tell is the same as being told.
    let _gone = ending.wait_for(|end| *end).await.is_err();
}

impl Ports {
    async fn bind(listeners: Listeners) -> anyhow::Result<Self> {
        let ingress = bind(listeners.ingress, "ingress").await?;
        let operator = bind(listeners.operator, "operator").await?;
        Ok(Self { ingress, operator })
    }
}

async fn bind(address: SocketAddr, name: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Exit::Conflict.because(format!(
            "the {name} listener cannot have {address} ({error}): stop what uses it, or change `listeners` in \
             concord.yaml"
        ))
    })
}

pub(crate) fn open(folder: &Path, root: RootKey, crash: Option<&CrashAt>) -> anyhow::Result<Arc<Embedded>> {
    let nth = crash.and_then(CrashAt::migration);
    let on_point = nth.map(|nth| -> Arc<dyn Fn(Point) + Send + Sync> {
        let left = std::sync::atomic::AtomicU64::new(nth);
        Arc::new(move |point| {
            let migrating = matches!(point, Point::Migration(_));
            if migrating && left.fetch_sub(1, std::sync::atomic::Ordering::AcqRel) == 1 {
                crash::end();
            }
        })
    });
    let opened = Embedded::open(folder, root, embedded::Options { on_point, ..embedded::Options::default() });
    opened.map_err(|error| match error {
        OpenError::Locked { .. } => Exit::Conflict.because(error.to_string()),
        other => anyhow::Error::new(other),
    })
}

impl Hub {
    /// The handle of the first tenant: figures, and orders.
    pub(crate) fn handle(&self) -> &Handle {
        &self.tenants[0].handle
    }

    /// The tenants that run.
    pub(crate) fn tenants(&self) -> &[Running] {
        &self.tenants
    }

    /// Waits until the hub ends by itself, and says why. It ends when one of its tenants does.
    pub(crate) async fn ended(&self) -> Ended {
        let mut first = JoinSet::new();
        for running in &self.tenants {
            let handle = running.handle.clone();
            first.spawn(async move { handle.ended().await });
        }
        match first.join_next().await {
            Some(Ok(how)) => how,
            Some(Err(_)) | None => {
                Ended::Stopped("the hub lost sight of its tenants: start again".to_owned())
            }
        }
    }

    /// Takes nothing more in, finishes what is under way, and closes the store. What took too long is said.
    pub(crate) async fn stop(self, longest: Duration) -> Option<String> {
        let mut draining = JoinSet::new();
        for running in &self.tenants {
            let handle = running.handle.clone();
            draining.spawn(async move { handle.drain(longest).await.err() });
        }
        let late = draining.join_all().await.into_iter().flatten().map(|late| late.to_string());
        let late: Vec<String> = late.collect();
        self.end.send_replace(true);
        for server in self.servers {
            // A server that failed has nothing left to finish.
            let _failed = server.await.is_err();
        }
        for running in &self.tenants {
            running.live.end();
        }
        let (store, tenants) = (self.store, self.tenants);
        // It waits for threads: not on one of the async runtime's.
        drop(tokio::task::spawn_blocking(move || store.close()).await);
        drop(tenants);
        (!late.is_empty()).then(|| late.join("; "))
    }
}

/// Hears when the process is asked to end (SIGTERM, or Ctrl-C). Made before anything is started: until then, such a
/// signal ends the process where it stands, however ready it says it is.
pub(crate) struct Asked {
    term: Signal,
    int: Signal,
}

impl Asked {
    /// Hears from now on. Needs an async runtime.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    /// Waits until the process is asked, or asked once more.
    pub(crate) async fn comes(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
