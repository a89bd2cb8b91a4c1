//! A spoke that only reads, and what one that delivers would do: for a cutover, before anything is delivered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use canonical::{Entity, Mono, Object, System, Wall};
use config::Configuration;
use dispatch::{Binds, Dispatcher};
use ledger::{IdempotencyClass, Lane, Obligation, OnExit, State, Waiting};
use store::{SpokeAsk, SpokeRow};

use crate::spoke::Spoke;
use crate::spoke::plan::Plan;
use crate::turn::Listed;

/// What a delivery would come to, were it judged now. Holds no values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Foreseen {
    /// No call: why, as a class (`no_change`, `incomplete`, …).
    Nothing(String),
    /// A new object.
    Create,
    /// Another value at these paths of the object that is there.
    Update(BTreeSet<String>),
    /// It waits until a record that it refers to is there.
    Waits {
        /// Of that type.
        on: Entity,
        /// Then a new object is made.
        creates: bool,
    },
    /// The object has to leave.
    Leave(OnExit),
    /// It would fail: the class, and the field.
    Fails(String, Option<String>),
}

/// Calls of one kind of object that are counted together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Load {
    /// The kind of object.
    pub object: Object,
    /// New ones.
    pub creates: u64,
    /// Changed ones.
    pub updates: u64,
}

/// How many calls a load comes to, at least, and when they would be through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    /// Calls, those that look first included; what goes together counts once.
    pub calls: u64,
    /// How long they take, were there no other work.
    pub takes: Duration,
    /// When they are through, within the hours of the bulk lane.
    pub through: Option<Wall>,
    /// What binds; `None`: no rate limit does, so it takes as long as the answers do.
    pub by: Option<String>,
    /// Calls at once, at most.
    pub at_once: usize,
}

impl Spoke {
    /// A machine that connects, lists and fetches as ever and delivers nothing, whatever is raised for its system.
    #[must_use]
    pub fn reader(config: Arc<Configuration>, system: System) -> Option<Self> {
        Some(Self { reads_only: true, ..Self::new(config, system)? })
    }

    /// One that is not driven: it is only asked what it would do.
    #[must_use]
    pub fn seer(config: Arc<Configuration>, system: System) -> Option<Self> {
        let spoke = Self::reader(config, system)?;
        let dispatcher = Some(Dispatcher::new(spoke.settings.limits.clone(), Mono::default()));
        Some(Self { dispatcher, ..spoke })
    }

    /// How far its listings are.
    pub(super) fn listings(&self) -> Vec<Listed> {
        let listing = self.polls.iter().map(|(object, poll)| Listed {
            object: object.clone(),
            read: poll.read(),
            passed: poll.has_passed(),
        });
        listing.collect()
    }

    /// Whose it is.
    #[must_use]
    pub const fn system(&self) -> &System {
        &self.system
    }

    /// What must be known to foresee a delivery.
    #[must_use]
    pub fn ask_of(&self, head: &store::Head) -> SpokeAsk {
        self.ask(head)
    }

    /// What a delivery would come to, were it judged now.
    #[must_use]
    pub fn foresee(&self, obligation: &Obligation, row: SpokeRow, now: Wall) -> Foreseen {
        let linked = row.link.is_some();
        let class = |reason: Option<ledger::Reason>| reason.map(|reason| reason.class).unwrap_or_default();
        match self.judge(obligation, row, now) {
            Plan::Gone => Foreseen::Nothing("gone".to_owned()),
            Plan::Unfinished(_) | Plan::Reread | Plan::Next(_) => {
                Foreseen::Nothing("looked_at_first".to_owned())
            }
            Plan::Rest(rest) => match (rest.state, rest.waiting) {
                (State::Parked, Some(Waiting::Link { object, .. })) => {
                    Foreseen::Waits { on: self.entity_of(obligation, &object), creates: !linked }
                }
                (State::Dead | State::Uncertain, _) => {
                    let field = rest.reason.as_ref().and_then(|reason| reason.field.clone());
                    Foreseen::Fails(class(rest.reason), field)
                }
                _ => Foreseen::Nothing(class(rest.reason)),
            },
            Plan::Write(wanted) => match (wanted.exit, wanted.external_id) {
                (Some(exit), _) => Foreseen::Leave(exit),
                (None, None) => Foreseen::Create,
                (None, Some(_)) => Foreseen::Update(wanted.difference.keys().cloned().collect()),
            },
        }
    }

    /// The type of the records that become a kind of object which a delivery's mapping refers to.
    fn entity_of(&self, obligation: &Obligation, object: &Object) -> Entity {
        let route = self.config.route(&obligation.key.route);
        let mapping = route.and_then(|route| self.config.mapping_of(route));
        let mut references = mapping.into_iter().flat_map(|mapping| mapping.references());
        let found = references.find(|reference| *reference.object == *object);
        found.map_or_else(|| obligation.entity.clone(), |reference| reference.entity.clone())
    }

    /// What so many deliveries would come to at the system, on the bulk lane. Of one that was not driven: by its limits
    /// alone, since it has no answers to go by.
    #[must_use]
    pub fn expect(&self, loads: &[Load], now: Wall) -> Expected {
        let (mut calls, mut takes, mut by) = (0, Duration::ZERO, (Duration::ZERO, Binds::Unknown));
        for load in loads {
            for (count, linked) in [(load.creates, false), (load.updates, true)] {
                let Some(spec) = self.connector.choose(&load.object, linked, None).filter(|_| count > 0)
                else {
                    continue;
                };
                let bulk = spec.bulk.as_ref().and_then(|bulk| Some((bulk, bulk.job.as_ref()?)));
                let bulk = bulk.filter(|(_, job)| count >= job.records_min as u64);
                let (part, charge) = match (bulk, &spec.batch) {
                    (Some((bulk, job)), _) => {
                        (count.div_ceil(bulk.records_max as u64) * job.calls_min, &bulk.charge)
                    }
                    (None, Some(batch)) => (count.div_ceil(batch.records_max as u64), &batch.charge),
                    (None, None) => (count, &spec.charge),
                };
                let mut draws = vec![(part, self.drawn(Some(charge)))];
                if !linked && matches!(spec.idempotency, IdempotencyClass::SearchFirst { .. }) {
                    let probe = self.connector.probe_charge(&spec.name, &load.object);
                    draws.push((count, self.drawn(probe)));
                }
                for (part, draw) in draws {
                    calls += part;
                    let Some(dispatcher) = &self.dispatcher else { continue };
                    let (buckets, cost) = (draw.buckets, draw.cost);
                    let found = dispatcher.forecast(part, cost, buckets, Lane::Bulk, Mono::default());
                    takes += found.takes;
                    if found.takes > by.0 {
                        by = (found.takes, found.by);
                    }
                }
            }
        }
        let through = match &self.settings.bulk_window {
            Some(windows) => windows.through(now, takes),
            None => Some(now + takes),
        };
        let by = match by.1 {
            Binds::Limit(name) => Some(name),
            Binds::Concurrency | Binds::CoolDown | Binds::Unknown => None,
        };
        Expected { calls, takes, through, by, at_once: self.settings.limits.concurrency as usize }
    }
}
