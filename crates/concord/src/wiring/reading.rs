//! Reading populated systems into a store of its own: the machines of every day, of which none delivers.
//!
//! Listing after listing has the machines to itself, so that what comes of them does not depend on who answers first.
//! Limits, admission, credentials and the guard of addresses are those of a running hub.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use canonical::{System, Tenant};
use config::{Configuration, Secrets};
use egress::Egress;
use embedded::Embedded;
use guard::seal::RootKey;
use hub::cutover::{Listing, Order};
use hub::{Description, Intake, Machine, MachineId, Spoke};
use runtime::clock::Clock;
use runtime::{Handle, Runtime, Wire};
use store::browse::{Browse, Look, Page, Stats};
use store::{Op, Query, Receipt, Reply, Rows, Store, StoreError, Unit};
use telemetry::Registry;
use tokio::time::Instant;

use super::ask::find;
use super::credential::Keeper;
use super::tenant::connect;
use crate::exit::Exit;

/// How often it is looked how far a listing is.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A system that gives nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(600);
/// What is under way at a listing's end is finished within this.
const DRAIN: Duration = Duration::from_secs(30);

/// What is read, and where to.
pub(crate) struct Reading<'r> {
    pub(crate) dir: &'r Path,
    pub(crate) configuration: &'r Arc<Configuration>,
    pub(crate) secrets: &'r Secrets,
    pub(crate) root: RootKey,
    pub(crate) clock: Clock,
    /// Where it goes.
    pub(crate) scratch: Arc<Embedded>,
    /// The hub's own store: it gets credentials that rotate meanwhile, and nothing else.
    pub(crate) own: Arc<Embedded>,
}

/// How far it is.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// Which of all listings, from 1 on, and of how many.
    pub(crate) step: (usize, usize),
    /// The listing; `None`: what is left of all.
    pub(crate) listing: Option<Listing>,
    /// Objects that its listing has named.
    pub(crate) named: u64,
    /// Why it does not go on just now.
    pub(crate) trouble: Option<String>,
}

impl Reading<'_> {
    /// Reads all that is in order. `tell` hears how far it is, now and then.
    ///
    /// # Errors
    /// When a system pauses, or gives nothing for too long.
    pub(crate) async fn run(&self, order: &Order, mut tell: impl FnMut(&Progress)) -> anyhow::Result<()> {
        let keeper = Keeper::new(self.configuration.tenant.clone(), self.root.clone());
        let egress = connect(self.configuration, self.secrets, &keeper, &*self.own).await?;
        let egress = Arc::new(egress);
        let count = order.read.len() + 1;
        let steps = order.read.iter().map(Some).chain([None]);
        for (number, listing) in steps.enumerate() {
            let handle = self.start(listing, &egress, &keeper)?;
            let step = (number + 1, count);
            let read = self.follow(&handle, listing, step, &mut tell).await;
            // A listing that is looked at once more may not answer in time: what it was to say is read by the hub.
            if let Err(late) = handle.drain(DRAIN).await {
                tracing::debug!(target: "concord", detail = late.to_string(), "a listing was cut off");
            }
            read?;
        }
        Ok(())
    }

    /// The machines for one listing, or for what is left of all.
    fn start(
        &self,
        listing: Option<&Listing>,
        egress: &Arc<Egress>,
        keeper: &Keeper,
    ) -> anyhow::Result<Handle> {
        let read = listing.map(|listing| (&listing.system, &listing.object));
        let config = Arc::new(self.configuration.for_cutover(read));
        let intake: Box<dyn Machine> = Box::new(Intake::of_history(Arc::clone(&config)));
        let mut machines = vec![(MachineId::Intake, intake)];
        let systems = config.systems.keys();
        for system in systems.filter(|system| listing.is_none_or(|listing| listing.system == **system)) {
            let spoke = Spoke::reader(Arc::clone(&config), system.clone());
            let spoke = spoke.context("a system has no configuration")?;
            machines.push((MachineId::Spoke(system.clone()), Box::new(spoke)));
        }
        let store = Beside { scratch: Arc::clone(&self.scratch), own: Arc::clone(&self.own) };
        let options = runtime::Options {
            tenant: config.tenant.clone(),
            machines,
            store: Arc::new(store),
            network: Arc::new(Wire::new(Arc::clone(egress), self.clock, keeper.sealer())),
            telemetry: Arc::new(Registry::new(&config.tenant)),
            clock: self.clock,
            limits: runtime::Limits::default(),
            crash: None,
            folder: self.dir.to_owned(),
        };
        Ok(Runtime::start(options)?)
    }

    /// Waits until the listing was at its end and all that it named is read.
    async fn follow(
        &self,
        handle: &Handle,
        listing: Option<&Listing>,
        step: (usize, usize),
        tell: &mut impl FnMut(&Progress),
    ) -> anyhow::Result<()> {
        let systems: Vec<&System> = match listing {
            Some(listing) => vec![&listing.system],
            None => self.configuration.systems.keys().collect(),
        };
        let (mut moved, mut known) = (Instant::now(), (0, 0));
        loop {
            let mut progress = Progress { step, listing: listing.cloned(), named: 0, trouble: None };
            let mut open = false;
            for system in &systems {
                let described = handle.describe(system, None).await;
                let described = described.map_err(|why| anyhow::anyhow!("{system} cannot be read: {why}"))?;
                paused(system, &described)?;
                let of =
                    described.listings.iter().filter(|of| listing.is_some_and(|one| one.object == of.object));
                progress.named += of.clone().map(|of| of.read).sum::<u64>();
                open |= listing.is_some() && !of.clone().any(|of| of.passed);
                progress.trouble = progress.trouble.or(described.trouble);
            }
            let at_rest = open || self.is_at_rest(&systems).await?;
            tell(&progress);
            if !open && at_rest {
                return Ok(());
            }
            let now = (progress.named, self.scratch.stats().units);
            if now != known {
                (moved, known) = (Instant::now(), now);
            }
            if moved.elapsed() > PATIENCE {
                let which = listing
                    .map_or_else(|| "what is left".to_owned(), |of| format!("{}/{}", of.system, of.object));
                let why = progress.trouble.unwrap_or_else(|| "nothing was said".to_owned());
                let minutes = PATIENCE.as_secs() / 60;
                return Err(Exit::Unreachable.because(format!(
                    "{which} gave nothing for {minutes} minutes ({why}): see that system, then plan again"
                )));
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                ended = handle.ended() => anyhow::bail!("the reading ended by itself ({ended:?}): plan again"),
            }
        }
    }

    /// Whether nothing is to be fetched any more, and nothing that waited can be taken in.
    async fn is_at_rest(&self, systems: &[&System]) -> anyhow::Result<bool> {
        let (tenant, now) = (&self.configuration.tenant, self.clock.now().wall);
        for system in systems {
            let (tenant, system) = (tenant.clone(), (*system).clone());
            let query = Query::Fetches { tenant, system, due_by: now, limit: 1 };
            if !matches!(find(&*self.scratch, query).await?, Rows::Fetches(due, None) if due.is_empty()) {
                return Ok(false);
            }
        }
        let ready = find(&*self.scratch, Query::Ready { tenant: tenant.clone(), now, limit: 1 }).await?;
        Ok(matches!(ready, Rows::Ready(messages, _) if messages.is_empty()))
    }
}

fn paused(system: &System, described: &Description) -> anyhow::Result<()> {
    match &described.state.paused {
        None => Ok(()),
        Some(why) => Err(Exit::Conflict.because(format!("{system} is paused: {why}; then plan again"))),
    }
}

/// The scratch store. A credential that rotated is first made durable in the hub's own: the system does not take the
/// former one any more, whatever becomes of the plan.
struct Beside {
    scratch: Arc<Embedded>,
    own: Arc<Embedded>,
}

impl Store for Beside {
    fn find(&self, query: Query, reply: Reply<Rows>) {
        self.scratch.find(query, reply);
    }

    fn commit(&self, units: Vec<Unit>, reply: Reply<Vec<Receipt>>) {
        let rotates = |unit: &Unit| unit.ops.iter().any(|op| matches!(op, Op::PutCredential { .. }));
        if !units.iter().any(rotates) {
            return self.scratch.commit(units, reply);
        }
        let (scratch, also) = (Arc::clone(&self.scratch), units.clone());
        let then = move |kept: Result<Vec<Receipt>, StoreError>| match kept {
            Ok(_) => scratch.commit(also, reply),
            Err(error) => reply(Err(error)),
        };
        self.own.commit(units, Box::new(then));
    }
}

impl Browse for Beside {
    fn look(&self, tenant: Tenant, look: Look, reply: Reply<Page>) {
        Browse::look(&*self.scratch, tenant, look, reply);
    }

    fn stats(&self) -> Stats {
        self.scratch.stats()
    }

    fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        self.scratch.copy_to(path)
    }
}

#[cfg(test)]
mod tests {
    //! A credential that rotates while a plan is made is the hub's own; nothing else is.
    use store::SystemState;

    use super::*;
    use crate::wiring::ask::commit;

    #[tokio::test]
    async fn only_what_rotates_goes_to_the_hubs_own_store() {
        let dir = tempfile::tempdir().unwrap();
        let root = RootKey::parse(&guard::Secret::from(crate::commands::key::fresh().unwrap())).unwrap();
        let open = |name: &str| {
            let options = embedded::Options { reserve_bytes: 0, ..embedded::Options::default() };
            Embedded::open(&dir.path().join(name), root.clone(), options).unwrap()
        };
        let beside = Beside { scratch: open("scratch"), own: open("own") };
        let (tenant, crm) = (Tenant::new("acme").unwrap(), System::new("crm").unwrap());
        let mut state = SystemState::blank(tenant.clone(), crm.clone());
        state.instance = Some("1".to_owned());
        let unit = |op: Op| vec![Unit { require: Vec::new(), ops: vec![op] }];
        commit(&beside, unit(Op::PutSystem(state))).await.unwrap();
        let (credential, generation) = (Some(vec![7]), 2);
        let (of, system) = (tenant.clone(), crm.clone());
        commit(&beside, unit(Op::PutCredential { tenant: of, system, credential, generation }))
            .await
            .unwrap();
        let ask = || Query::System { tenant: tenant.clone(), system: crm.clone() };
        for (store, instance) in [(&beside.scratch, Some("1".to_owned())), (&beside.own, None)] {
            let Rows::System(Some(state), ..) = find(&**store, ask()).await.unwrap() else {
                panic!("no state")
            };
            assert_eq!((state.credential, state.credential_generation), (Some(vec![7]), 2));
            assert_eq!(state.instance, instance);
        }
    }
}
