//! The wiring: a checked configuration becomes a running hub. The only place that knows all rooms.

mod change;
mod credential;
pub(crate) mod secrets;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use config::{Configuration, Problem, Secrets, SystemConfig};
use egress::{Connection, Egress, Timeouts};
use embedded::{Embedded, OpenError, Point};
use guard::Secret;
use guard::seal::RootKey;
use hub::{Intake, Jobs, Machine, MachineId, Retention, Spoke};
use runtime::clock::Clock;
use runtime::{Ended, Handle, Runtime, Wire};
use telemetry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use web::{Bounds, Scope, Token, Tokens};

use credential::Keeper;

use crate::crash::{self, CrashAt};
use crate::exit::Exit;

/// What a hub is started with.
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
    handle: Handle,
    store: Arc<Embedded>,
    live: Arc<change::Live>,
    /// Where webhooks and events come in.
    pub(crate) ingress: SocketAddr,
    /// Where operators ask.
    pub(crate) operator: SocketAddr,
    servers: Vec<JoinHandle<()>>,
    end: watch::Sender<bool>,
}

/// Why a folder does not run, as problems of its files.
#[derive(Debug, thiserror::Error)]
#[error("{} of the folder's secrets cannot be used", .0.len())]
pub(crate) struct Unresolved(pub(crate) Vec<Problem>);

/// Starts a hub on the current async runtime.
pub(crate) async fn start(plan: Plan<'_>) -> anyhow::Result<Hub> {
    let Plan { dir, configuration, token, crash } = plan;
    let secrets =
        configuration.resolve_secrets(&|reference| secrets::resolve(dir, reference)).map_err(Unresolved)?;
    let root = RootKey::parse(&secrets.root_key).context("the store's root key cannot be used")?;
    let configuration = Arc::new(configuration);
    let listeners = configuration.settings.listeners;
    // Ports before the store: a hub that cannot listen must not touch anything.
    let ingress = bind(listeners.ingress, "ingress").await?;
    let operator = bind(listeners.operator, "operator").await?;

    let store = open(&dir.join(&configuration.settings.store.folder), root.clone(), crash.as_ref())?;
    let clock = Clock::system();
    let keeper = Keeper::new(configuration.tenant.clone(), root);
    let egress = Arc::new(connect(&configuration, &secrets, &keeper, &store).await?);
    let seal = keeper.sealer();
    let telemetry = Arc::new(Registry::new(&configuration.tenant));
    let handle = Runtime::start(runtime::Options {
        tenant: configuration.tenant.clone(),
        machines: machines(&configuration),
        store: store.clone(),
        network: Arc::new(Wire::new(Arc::clone(&egress), clock, seal)),
        telemetry,
        clock,
        limits: runtime::Limits::default(),
        crash: crash.as_ref().and_then(CrashAt::hook),
        folder: dir.to_owned(),
    })?;
    change::note_start(&handle, store.as_ref(), &configuration).await?;
    let (end, ending) = watch::channel(false);
    let (at_ingress, at_operator) = (ingress.local_addr()?, operator.local_addr()?);
    let operators =
        Tokens::new(vec![Token::new("operator", &token, [Scope::Read, Scope::Operate, Scope::Pii])]);
    let dir = dir.to_owned();
    let parts =
        change::Parts { dir, keeper, store: store.clone(), egress, handle: handle.clone(), operators };
    let live = change::Live::new(parts, configuration, secrets);
    let servers = vec![
        tokio::spawn(web::serve(ingress, live.sources(), Bounds::default(), told(ending.clone()))),
        tokio::spawn(web::serve(operator, live.console(), Bounds::default(), told(ending))),
    ];
    Ok(Hub { handle, store, live, ingress: at_ingress, operator: at_operator, servers, end })
}

/// Waits until the servers are told to end.
async fn told(mut ending: watch::Receiver<bool>) {
    // Nobody left to tell is the same as being told.
    let _gone = ending.wait_for(|end| *end).await.is_err();
}

async fn bind(address: SocketAddr, name: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Exit::Conflict.because(format!(
            "the {name} listener cannot have {address} ({error}): stop what uses it, or change `listeners` in \
             concord.yaml"
        ))
    })
}

fn open(folder: &Path, root: RootKey, crash: Option<&CrashAt>) -> anyhow::Result<Arc<Embedded>> {
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

/// The way out, with every system's connection and the newest of each credential.
async fn connect(
    configuration: &Configuration,
    secrets: &Secrets,
    keeper: &Keeper,
    store: &Embedded,
) -> anyhow::Result<Egress> {
    let egress = Egress::new(configuration.tenant.clone(), egress::Options::default())?;
    for (system, settings) in &configuration.systems {
        let connection = connection(settings, secrets, keeper, store).await?;
        egress.register(system.clone(), &connection)?;
    }
    Ok(egress)
}

/// How a system is reached, with the newest of its credential.
async fn connection(
    settings: &SystemConfig,
    secrets: &Secrets,
    keeper: &Keeper,
    store: &Embedded,
) -> anyhow::Result<Connection> {
    let system = &settings.system;
    let mut values = secrets.systems.get(system).map(|of| of.connection.clone()).unwrap_or_default();
    if let connector::AuthKind::Oauth2Refresh { refresh_token, .. } = settings.connector.auth()
        && let Some(configured) = values.get(refresh_token)
        && let Some(newest) = keeper.newest(system, configured, store).await?
    {
        values.insert(refresh_token.clone(), newest);
    }
    Ok(Connection {
        base_url: settings.connection.base_url.clone(),
        auth: settings.connector.auth().clone(),
        secrets: values,
        allow: settings.connection.allow.clone(),
        timeouts: Timeouts {
            connect: settings.connection.connect_timeout,
            total: settings.connection.request_timeout,
        },
        concurrency: settings.limits.concurrency as usize,
    })
}

fn machines(configuration: &Arc<Configuration>) -> Vec<(MachineId, Box<dyn Machine>)> {
    let intake: Box<dyn Machine> = Box::new(Intake::new(Arc::clone(configuration)));
    let jobs: Box<dyn Machine> = Box::new(Jobs::new(Arc::clone(configuration)));
    let retention: Box<dyn Machine> = Box::new(Retention::new(Arc::clone(configuration)));
    let mut machines =
        vec![(MachineId::Intake, intake), (MachineId::Jobs, jobs), (MachineId::Retention, retention)];
    for system in configuration.systems.keys() {
        if let Some(spoke) = Spoke::new(Arc::clone(configuration), system.clone()) {
            machines.push((MachineId::Spoke(system.clone()), Box::new(spoke)));
        }
    }
    machines
}

impl Hub {
    /// The handle: figures, and orders.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits until the hub ends by itself, and says why.
    pub(crate) async fn ended(&self) -> Ended {
        self.handle.ended().await
    }

    /// Takes nothing more in, finishes what is under way, and closes the store. What took too long is said.
    pub(crate) async fn stop(self, longest: Duration) -> Option<String> {
        let late = self.handle.drain(longest).await.err();
        self.end.send_replace(true);
        for server in self.servers {
            // A server that failed has nothing left to finish.
            let _failed = server.await.is_err();
        }
        self.live.end();
        let store = self.store;
        // It waits for threads: not on one of the async runtime's.
        drop(tokio::task::spawn_blocking(move || store.close()).await);
        late.map(|late| late.to_string())
    }
}

/// Waits until the process is asked to end (SIGTERM, or Ctrl-C).
pub(crate) async fn asked_to_end() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}
