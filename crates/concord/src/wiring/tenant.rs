//! One tenant of a hub: its machines on their tasks, its way out, and the routers that answer for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use canonical::Tenant;
use config::{Configuration, Secrets, SystemConfig};
use egress::{Connection, Egress, Timeouts};
use guard::Secret;
use guard::seal::RootKey;
use hub::{Intake, Jobs, Machine, MachineId, Retention, Spoke};
use runtime::clock::Clock;
use runtime::{Handle, Runtime, Storage, Wire};
use telemetry::Registry;
use web::{Scope, Token, Tokens};

use super::change;
use super::credential::Keeper;
use super::owners::Owners;
use crate::crash::CrashAt;

/// What all tenants of a hub have in common.
pub(super) struct Common<'c> {
    pub(super) root: RootKey,
    pub(super) clock: Clock,
    pub(super) crash: Option<&'c CrashAt>,
    /// How many tenants there are: what they share is split among them.
    pub(super) tenants: usize,
    /// In a hub of several: what each has for itself.
    pub(super) owners: Option<Arc<Owners>>,
}

/// A tenant that runs.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(super) live: Arc<change::Live>,
    /// Who may operate it.
    pub(super) operators: Tokens,
}

impl Running {
    /// Starts a tenant's machines over `store`.
    pub(super) async fn start(
        dir: &Path,
        configuration: Configuration,
        secrets: Secrets,
        token: &Secret,
        store: Arc<dyn Storage>,
        common: &Common<'_>,
    ) -> anyhow::Result<Self> {
        let applied = change::applied(&*store, &configuration.tenant).await?;
        let configuration = Arc::new(configuration.keeping(&applied));
        let clock = common.clock;
        let keeper = Keeper::new(configuration.tenant.clone(), common.root.clone());
        let egress = Arc::new(connect(&configuration, &secrets, &keeper, &*store).await?);
        // Before its machines run: a tenant that is left out must not be at work.
        change::note_start(&*store, clock, dir, &configuration, &applied).await?;
        let seal = keeper.sealer();
        let handle = Runtime::start(runtime::Options {
            tenant: configuration.tenant.clone(),
            machines: machines(&configuration),
            store: Arc::clone(&store),
            network: Arc::new(Wire::new(Arc::clone(&egress), clock, seal)),
            telemetry: Arc::new(Registry::new(&configuration.tenant)),
            clock,
            limits: runtime::Limits::default().one_of(common.tenants),
            crash: common.crash.and_then(CrashAt::hook),
            folder: dir.to_owned(),
        })?;
        let operators = operators(token);
        let parts = change::Parts {
            dir: dir.to_owned(),
            keeper,
            store,
            egress,
            handle: handle.clone(),
            operators: operators.clone(),
            tenants: common.tenants,
            owners: common.owners.clone(),
            runs: Arc::clone(&configuration),
        };
        let live = change::Live::new(parts, configuration, secrets);
        Ok(Self { handle, live, operators })
    }

    pub(crate) fn tenant(&self) -> &Tenant {
        self.handle.tenant()
    }
}

/// Who holds the folder's token may do everything within its tenant.
pub(super) fn operators(token: &Secret) -> Tokens {
    Tokens::new(vec![Token::new("operator", token, [Scope::Read, Scope::Operate, Scope::Pii])])
}

/// The way out, with every system's connection and the newest of each credential.
pub(super) async fn connect(
    configuration: &Configuration,
    secrets: &Secrets,
    keeper: &Keeper,
    store: &dyn Storage,
) -> anyhow::Result<Egress> {
    let egress = Egress::new(configuration.tenant.clone(), egress::Options::default())?;
    for (system, settings) in &configuration.systems {
        let connection = connection(settings, secrets, keeper, store).await?;
        egress.register(system.clone(), &connection)?;
    }
    Ok(egress)
}

/// How a system is reached, with the newest of its credential.
pub(super) async fn connection(
    settings: &SystemConfig,
    secrets: &Secrets,
    keeper: &Keeper,
    store: &dyn Storage,
) -> anyhow::Result<Connection> {
    let system = &settings.system;
    let mut values = secrets.systems.get(system).map(|of| of.connection.clone()).unwrap_or_default();
    if let connector::AuthKind::Oauth2Refresh { refresh_token, .. } = settings.connector.auth()
        && let Some(configured) = values.get(refresh_token)
        && let Some(newest) = keeper.newest(system, configured, store).await?
    {
        values.insert(refresh_token.clone(), newest);
    }
    Ok(reached(settings, values, settings.limits.concurrency as usize))
}

/// How a system is reached with these secrets, by so many calls at once.
pub(super) fn reached(
    settings: &SystemConfig,
    secrets: BTreeMap<String, Secret>,
    concurrency: usize,
) -> Connection {
    Connection {
        base_url: settings.connection.base_url.clone(),
        auth: settings.connector.auth().clone(),
        secrets,
        allow: settings.connection.allow.clone(),
        timeouts: Timeouts {
            connect: settings.connection.connect_timeout,
            total: settings.connection.request_timeout,
        },
        concurrency,
    }
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

#[cfg(test)]
mod tests;
