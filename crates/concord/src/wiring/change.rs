//! A running hub goes on with another configuration: spokes first, then intake and jobs, then the listeners.
//!
//! Listeners stay open and every other system works on. A system whose connector, limits, connection or secrets
//! changed finishes what is under way before it is touched. Until all of these are quiet and the line of the history
//! is durable, everything can be taken back: then they start again as they were. From there on nothing can fail but
//! the process, and a restart finds the new folder.
//!
//! The order loses nothing: a spoke knows a new route before intake raises anything for it, and a system's spoke
//! leaves when nothing leads there any more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use canonical::{System, Tenant};
use config::tenants::Own;
use config::{Checked, Comparison, Configuration, Files, Problem, Secrets, Versioned};
use console::{Changed, Changer, Unchanged};
use egress::{Connection, Egress};
use hub::{MachineId, Spoke};
use ingress::Ingress;
use runtime::clock::Clock;
use runtime::{BoxFuture, Handle, OrderError, Storage};
use store::browse::{Look, Page};
use store::{Applied, Op, Unit};
use tokio::sync::Mutex;
use web::{Current, Exchange, Tokens};

use super::credential::Keeper;
use super::owners::Owners;
use super::{Unusable, ask, connection, keys, secrets};
use crate::folders::rooted;

/// A system that is asked to finish has so much more time than its longest call.
const QUIET_SLACK: Duration = Duration::from_secs(5);
/// How long intake may take to decide what it read by the former configuration.
const INTAKE_WAIT: Duration = Duration::from_secs(10);

/// What a change works on.
pub(super) struct Parts {
    /// The folder that the hub was started with.
    pub(super) dir: PathBuf,
    pub(super) keeper: Keeper,
    pub(super) store: Arc<dyn Storage>,
    pub(super) egress: Arc<Egress>,
    pub(super) handle: Handle,
    pub(super) operators: Tokens,
    /// How many tenants the hub has: what they share is split among them.
    pub(super) tenants: usize,
    /// In a hub of several, where sources find the tenant by the path of its `public_url`: what each has for itself.
    pub(super) owners: Option<Arc<Owners>>,
    /// What the hub was started with: the tenant is reached as that says.
    pub(super) runs: Arc<Configuration>,
}

/// A hub that can be changed.
pub(super) struct Live {
    parts: Parts,
    /// One change at a time.
    now: Mutex<Now>,
    sources: Exchange,
    console: Exchange,
}

/// What runs.
struct Now {
    configuration: Arc<Configuration>,
    secrets: Secrets,
    ingress: Ingress,
}

/// A change under way.
struct Step<'s> {
    live: &'s Arc<Live>,
    now: &'s mut Now,
    next: Arc<Configuration>,
    secrets: Secrets,
    /// Systems that finish what is under way, and start again or leave.
    quiet: BTreeSet<System>,
    /// Systems whose connection has been exchanged: only these are to be taken back.
    exchanged: BTreeSet<System>,
    changed: Changed,
}

impl Live {
    /// A hub as it was started.
    pub(super) fn new(parts: Parts, configuration: Arc<Configuration>, secrets: Secrets) -> Arc<Self> {
        let options = ingress::Options::of(&configuration, &secrets).one_of(parts.tenants);
        let ingress = Ingress::new(options, parts.handle.clone());
        let sources = Exchange::default();
        sources.replace(ingress.router());
        let now = Mutex::new(Now { configuration: Arc::clone(&configuration), secrets, ingress });
        let live = Arc::new(Self { parts, now, sources, console: Exchange::default() });
        live.exchange_console(configuration);
        live
    }

    /// What answers sources.
    pub(super) fn sources(&self) -> Current {
        self.sources.current()
    }

    /// What answers operators.
    pub(super) fn console(&self) -> Current {
        self.console.current()
    }

    /// Nothing is answered any more; the routers let go of the hub.
    pub(super) fn end(&self) {
        self.sources.clear();
        self.console.clear();
    }

    fn exchange_console(self: &Arc<Self>, configuration: Arc<Configuration>) {
        let (handle, operators) = (self.parts.handle.clone(), self.parts.operators.clone());
        let changer = Arc::clone(self) as Arc<dyn Changer>;
        self.console.replace(console::changing_router(handle, configuration, changer, operators));
    }

    async fn change_to(
        self: Arc<Self>,
        (next, files): (Checked, Files),
        comparison: Comparison,
        reason: String,
    ) -> Result<Changed, Unchanged> {
        let mut now = self.now.lock().await;
        if now.configuration.digest != comparison.runs {
            return Err(Unchanged::Stale);
        }
        let known = applied(&*self.parts.store, &next.configuration.tenant).await;
        let known =
            known.map_err(|error| Unchanged::NotNow(format!("the history could not be read: {error:#}")))?;
        let next = Arc::new(next.configuration.keeping(&known));
        let secrets = {
            let (dir, next) = (self.parts.dir.clone(), Arc::clone(&next));
            let resolved = tokio::task::spawn_blocking(move || resolve(&dir, &next)).await;
            resolved.map_err(|_| Unchanged::NotNow("the secrets could not be read".to_owned()))?
        };
        let secrets = secrets.map_err(Unchanged::Secrets)?;
        if secrets.root_key != now.secrets.root_key {
            let why =
                "the root key is another one: what is at rest would not open; give the hub its own key again";
            return Err(Unchanged::Impossible(why.to_owned()));
        }
        self.claim(&next, &secrets, &files)?;
        let mut renewed = comparison.renewed.clone();
        renewed.extend(reconnected(&now.secrets, &secrets, &next));
        let quiet = renewed.union(&comparison.disconnected).cloned().collect();
        let (connected, disconnected) = (comparison.connected.clone(), comparison.disconnected.clone());
        let replaced = secrets.replaces(&now.secrets);
        let changed = Changed { connected, disconnected, renewed, secrets: replaced };
        let exchanged = BTreeSet::new();
        let mut step = Step { live: &self, now: &mut now, next, secrets, quiet, exchanged, changed };
        if let Err(why) = step.prepare(&comparison, reason).await {
            step.take_back().await;
            self.settle(false);
            return Err(why);
        }
        let done = step.carry_out().await;
        self.settle(true);
        if let Err(Unchanged::NotNow(why)) = &done {
            // Changed by half; while the hub is stopping anyway, the first reason stands.
            self.parts.handle.stop(format!("{why}: start again"));
        }
        done
    }

    /// What the tenant is to have for itself must be no other's. That is looked at when a folder is applied, not when
    /// one is planned: whoever has a token plans what he likes, and would feel for what others have.
    fn claim(&self, next: &Configuration, secrets: &Secrets, files: &Files) -> Result<(), Unchanged> {
        let Some(owners) = &self.parts.owners else { return Ok(()) };
        let own = Own::of(&rooted(&self.parts.dir), next, Some(secrets));
        let claimed = owners.claim(&next.tenant, own, |own, others| own.taken(next, files, others));
        claimed.map_err(Unchanged::Taken)
    }

    fn settle(&self, made: bool) {
        if let Some(owners) = &self.parts.owners {
            owners.settle(&self.parts.runs.tenant, made);
        }
    }
}

impl Changer for Live {
    fn folder(&self) -> Result<Files, Vec<Problem>> {
        Files::read(&self.parts.dir)
    }

    fn refuses(&self, next: &Checked, files: &Files) -> Vec<Problem> {
        if self.parts.owners.is_none() {
            return Vec::new();
        }
        config::tenants::moved(&self.parts.runs, &next.configuration, files).into_iter().collect()
    }

    fn change(
        self: Arc<Self>,
        next: Checked,
        files: Files,
        comparison: Comparison,
        reason: String,
    ) -> BoxFuture<Result<Changed, Unchanged>> {
        let live = self;
        Box::pin(async move {
            // On a task of its own: a caller that goes away must not leave half of it done.
            let handle = live.parts.handle.clone();
            let task = tokio::spawn(live.change_to((next, files), comparison, reason));
            task.await.unwrap_or_else(|_| {
                // Systems may be left quiet, or changed by half.
                let why = "a change of the configuration broke off: this is a defect; start again, nothing that was \
                           acknowledged is lost";
                handle.stop(why);
                Err(Unchanged::NotNow(why.to_owned()))
            })
        })
    }
}

impl Step<'_> {
    /// Everything that can fail: systems fall quiet, connections are made, the history is written.
    async fn prepare(&mut self, comparison: &Comparison, reason: String) -> Result<(), Unchanged> {
        self.fall_quiet().await?;
        let systems: Vec<System> = self.changed.connected.union(&self.changed.renewed).cloned().collect();
        for system in systems {
            let connection = self.connection(&system, &self.next, &self.secrets).await?;
            let registered = self.live.parts.egress.register(system.clone(), &connection);
            registered.map_err(|flaw| Unchanged::Impossible(flaw.to_string()))?;
            self.exchanged.insert(system);
        }
        if comparison.is_empty() && self.changed == Changed::default() {
            return Ok(());
        }
        let mut changes: Vec<String> = comparison.changes.iter().map(ToString::to_string).collect();
        if self.changed.secrets {
            changes.push("secrets: other ones under the same references".to_owned());
        }
        let (handle, store) = (&self.live.parts.handle, &*self.live.parts.store);
        let findable = still_findable(store, &self.next).await;
        let findable =
            findable.map_err(|error| Unchanged::NotNow(format!("the history could not be read: {error}")))?;
        note(store, handle.clock(), &self.next, reason, changes, findable)
            .await
            .map_err(|error| Unchanged::NotNow(format!("the history could not be written: {error}")))
    }

    /// Waits until nothing of the systems that are renewed or disconnected is under way.
    async fn fall_quiet(&self) -> Result<(), Unchanged> {
        let mut held = tokio::task::JoinSet::new();
        for system in &self.quiet {
            let longest = self
                .now
                .configuration
                .systems
                .get(system)
                .map(|settings| settings.connection.request_timeout);
            let wait = longest.unwrap_or_default() + QUIET_SLACK;
            let (handle, system) = (self.live.parts.handle.clone(), system.clone());
            held.spawn(async move {
                let held = tokio::time::timeout(wait, handle.hold(&MachineId::Spoke(system.clone()))).await;
                match held {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(Unchanged::NotNow(error.to_string())),
                    Err(_) => Err(Unchanged::NotNow(format!(
                        "calls to {system} were still under way after {} s: nothing was changed; see its state, then \
                         try again",
                        wait.as_secs()
                    ))),
                }
            });
        }
        while let Some(one) = held.join_next().await {
            one.unwrap_or_else(|_| Err(Unchanged::NotNow("a system could not be held".to_owned())))?;
        }
        Ok(())
    }

    async fn connection(
        &self,
        system: &System,
        of: &Configuration,
        secrets: &Secrets,
    ) -> Result<Connection, Unchanged> {
        let parts = &self.live.parts;
        let Some(settings) = of.systems.get(system) else {
            return Err(Unchanged::Impossible(format!("the configuration has no system {system}")));
        };
        let made = connection(settings, secrets, &parts.keeper, &*parts.store).await;
        made.map_err(|error| Unchanged::NotNow(format!("{system}: {error:#}")))
    }

    /// Whoever was held goes on as before. A connection that was not exchanged may be in use: a token that it is just
    /// fetching must not be lost.
    async fn take_back(&self) {
        let parts = &self.live.parts;
        for system in self.changed.renewed.intersection(&self.exchanged) {
            let before = self.connection(system, &self.now.configuration, &self.now.secrets).await;
            if let Ok(connection) = before {
                // It was registered like this before.
                drop(parts.egress.register(system.clone(), &connection));
            }
        }
        for system in &self.changed.connected {
            parts.egress.forget(system);
        }
        for system in &self.quiet {
            let machine = MachineId::Spoke(system.clone());
            self.tell(machine, Arc::clone(&self.now.configuration));
        }
    }

    /// Tells a machine without waiting: one that is still finishing does it afterwards.
    fn tell(&self, machine: MachineId, configuration: Arc<Configuration>) {
        let handle = self.live.parts.handle.clone();
        tokio::spawn(async move { drop(handle.configure(&machine, configuration).await) });
    }

    /// What cannot fail any more, unless the hub is on its way down.
    async fn carry_out(self) -> Result<Changed, Unchanged> {
        let handle = &self.live.parts.handle;
        let stopping = |error: OrderError| {
            Unchanged::NotNow(format!(
                "{error}; the change is in the history, and the next start finds the new folder"
            ))
        };
        for system in &self.changed.connected {
            if let Some(spoke) = Spoke::new(Arc::clone(&self.next), system.clone()) {
                let id = MachineId::Spoke(system.clone());
                let joined = handle.join(id, Box::new(spoke)).await;
                joined.map_err(|error| Unchanged::NotNow(format!("{system} could not join: {error}")))?;
            }
        }
        for machine in handle.machines() {
            let MachineId::Spoke(system) = &machine else { continue };
            if self.next.systems.contains_key(system) {
                handle.configure(&machine, Arc::clone(&self.next)).await.map_err(stopping)?;
            }
        }
        let intake = handle.configure(&MachineId::Intake, Arc::clone(&self.next));
        // What it read before may wait for room on the disk; it is decided as it was read, whenever that is.
        if let Ok(told) = tokio::time::timeout(INTAKE_WAIT, intake).await {
            told.map_err(stopping)?;
        }
        handle.configure(&MachineId::Jobs, Arc::clone(&self.next)).await.map_err(stopping)?;
        handle.configure(&MachineId::Retention, Arc::clone(&self.next)).await.map_err(stopping)?;
        let options = ingress::Options::of(&self.next, &self.secrets).one_of(self.live.parts.tenants);
        self.now.ingress = self.now.ingress.again(options, handle.clone());
        self.live.sources.replace(self.now.ingress.router());
        self.live.exchange_console(Arc::clone(&self.next));
        for system in &self.changed.disconnected {
            handle.leave(&MachineId::Spoke(system.clone()));
            self.live.parts.egress.forget(system);
            handle.telemetry().rest(system);
        }
        self.now.configuration = self.next;
        self.now.secrets = self.secrets;
        Ok(self.changed)
    }
}

/// Systems whose credentials are other ones, under the same references.
fn reconnected(was: &Secrets, is: &Secrets, next: &Configuration) -> BTreeSet<System> {
    let differs = |system: &&System| match (was.systems.get(*system), is.systems.get(*system)) {
        (Some(was), Some(is)) => was.connection != is.connection,
        _ => false,
    };
    next.systems.keys().filter(differs).cloned().collect()
}

fn resolve(dir: &Path, configuration: &Configuration) -> Result<Secrets, Vec<Problem>> {
    configuration.resolve_secrets(&|reference| secrets::resolve(dir, reference))
}

/// Writes a line of the history.
async fn note(
    store: &dyn Storage,
    clock: Clock,
    configuration: &Configuration,
    reason: String,
    changes: Vec<String>,
    findable: BTreeSet<String>,
) -> anyhow::Result<()> {
    let applied = Applied {
        tenant: configuration.tenant.clone(),
        digest: configuration.digest.clone(),
        at: clock.now().wall,
        reason,
        changes,
        findable,
    };
    tracing::info!(
        target: "concord", tenant = %applied.tenant, class = "configuration", digest = applied.digest, detail = applied.reason,
        "another configuration counts from now on"
    );
    let mut ops = hub::versions::kept(configuration, applied.at);
    ops.push(Op::PutApplied(applied));
    let unit = Unit { require: Vec::new(), ops };
    ask::commit(store, vec![unit]).await
}

/// The match keys of a configuration by which all records are found. One that a new version makes of other fields is not among
/// them: records that do not change are found by it from the next start on.
async fn still_findable(
    store: &dyn Storage,
    configuration: &Configuration,
) -> anyhow::Result<BTreeSet<String>> {
    let newest = Look::Applied { before: None, limit: 1 };
    let Page::Applied(last) = ask::look(store, &configuration.tenant, newest).await? else {
        return Err(ask::another());
    };
    let known = last.into_iter().next().map(|(_, row)| row.findable).unwrap_or_default();
    let all = keys::of(configuration).into_iter();
    Ok(all.filter(|key| known.contains(key) || !keys::is_remade(key)).collect())
}

/// A start with another folder than before is a line of the history, too. What was applied under a version stays what it
/// was, whether the hub ran when the folder was changed or not.
pub(super) async fn note_start(
    store: &dyn Storage,
    clock: Clock,
    dir: &Path,
    configuration: &Configuration,
    applied: &[Versioned],
) -> anyhow::Result<()> {
    let newest = Look::Applied { before: None, limit: 1 };
    let Page::Applied(mut last) = ask::look(store, &configuration.tenant, newest).await? else {
        return Err(ask::another());
    };
    let last = last.pop().map(|(_, row)| row);
    let wanted = keys::of(configuration);
    let findable = last.as_ref().map(|last| &last.findable);
    let whole = wanted.is_empty() || findable.is_some_and(|findable| wanted.is_subset(findable));
    if whole && last.as_ref().is_some_and(|last| last.digest == configuration.digest) {
        return Ok(());
    }
    // Only for the places: what counts is what was checked.
    let files = Files::read(dir).unwrap_or_default();
    let problems = config::against(configuration, &files, applied);
    if !problems.is_empty() {
        let why = "the folder is not what was applied under the same versions";
        return Err(Unusable { problems, why }.into());
    }
    for problem in config::unkept(configuration, &files, applied) {
        let (tenant, detail) = (&configuration.tenant, problem.to_string());
        tracing::warn!(target: "concord", class = "version_not_kept", %tenant, detail, "a version of a mapping is not kept");
    }
    let reason = "the hub was started with it".to_owned();
    // A store in which nothing ever counted has no records.
    if !whole && last.is_some() {
        // Until all are there nothing says that they are: a start that breaks off begins again.
        note(store, clock, configuration, reason.clone(), Vec::new(), BTreeSet::new()).await?;
        keys::put_anew(store, configuration).await?;
    }
    note(store, clock, configuration, reason, Vec::new(), wanted).await
}

/// Everything that has a version and counts, or once did.
pub(super) async fn applied(store: &dyn Storage, tenant: &Tenant) -> anyhow::Result<Vec<Versioned>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let Page::Versions(page) = ask::look(store, tenant, Look::Versions { after }).await? else {
            return Err(ask::another());
        };
        after = page.last().map(|last| last.key.clone());
        if after.is_none() {
            return Ok(all);
        }
        all.extend(page.into_iter().filter_map(hub::versions::known));
    }
}
