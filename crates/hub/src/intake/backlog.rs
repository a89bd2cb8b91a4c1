//! How much waits for the systems, and what must wait because of it. The store is asked now and then, never for each
//! message; what it answers costs the same however much waits (I19).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use canonical::{Mono, Object, System};
use config::Configuration;
use intake::{Bounds, Cause, Door, Feed, Pressure, Waiting};
use store::{Query, Rows, StoreError};

use super::Intake;
use crate::mark::Mark;
use crate::turn::{Arrival, Busy, Effect, MachineId, Notice, Offer, Origin, Ticket, Turn};

/// How often it is looked at while nothing has to wait, and while something has.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LOOK_SOON: Duration = Duration::from_secs(1);
/// It is looked at earlier when a small part of the smallest bound was taken in since, in messages: so many may come
/// after a step is passed, and what is being decided just then.
const LOOK_AFTER: (u64, u64) = (16, 1024);
const LOOK_PART: u64 = 64;
/// When to offer again what has to wait: backlogs are not gone within seconds.
const RETRY: Duration = Duration::from_secs(30);

/// What is known of the backlogs.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pressure: Pressure,
    /// Systems whose spokes are at work: what waits for them waits for their pace.
    at_work: BTreeSet<System>,
    asked: Option<Ticket>,
    due: Mono,
    /// Messages taken in since it was looked at.
    taken: u64,
    /// What is not read, as the spokes were told.
    resting: BTreeMap<System, BTreeSet<Object>>,
}

impl Backlog {
    pub(super) fn wakeup(&self) -> Option<Mono> {
        self.asked.is_none().then_some(self.due)
    }

    pub(super) fn is_asked(&self, ticket: Ticket) -> bool {
        self.asked == Some(ticket)
    }

    pub(super) fn took(&mut self, messages: usize) {
        self.taken += messages as u64;
    }

    pub(super) fn works(&mut self, system: System, at_work: bool) {
        if at_work {
            self.at_work.insert(system);
        } else {
            self.at_work.remove(&system);
        }
    }

    /// It is looked at as soon as may be: the bounds or the routes are others.
    pub(super) fn changed(&mut self, now: Mono) {
        self.due = self.due.min(now);
    }
}

impl Intake {
    /// Whether there is anything to look for.
    pub(super) fn has_bounds(&self) -> bool {
        self.bounds() != Bounds::default() || !self.backlog.pressure.is_free()
    }

    /// As they are configured; 0 is none.
    fn bounds(&self) -> Bounds {
        let backlog = &self.config.settings.intake.backlog;
        let some = |max: u64| (max > 0).then_some(max);
        Bounds {
            age_max: Some(backlog.age_max.0).filter(|age| !age.is_zero()),
            open_max: some(backlog.open_max),
            total_max: some(backlog.total_max),
        }
    }

    /// It is looked at after so many messages, however soon that is.
    fn look_after(&self) -> u64 {
        let bounds = self.bounds();
        let smallest = bounds.open_max.into_iter().chain(bounds.total_max).min();
        smallest.map_or(LOOK_AFTER.1, |max| (max / LOOK_PART).clamp(LOOK_AFTER.0, LOOK_AFTER.1))
    }

    /// Asks how much waits, when it is time.
    pub(super) fn look_at_backlog(&mut self, turn: &mut Turn<'_>) {
        let due = self.backlog.due <= turn.now.mono || self.backlog.taken >= self.look_after();
        if !due || self.backlog.asked.is_some() || self.draining || !self.has_bounds() {
            return;
        }
        let ticket = self.ticket();
        self.backlog.asked = Some(ticket);
        self.backlog.taken = 0;
        turn.effect(Effect::Find(ticket, Query::Backlog { tenant: self.config.tenant.clone() }));
    }

    pub(super) fn found_backlog(&mut self, rows: Result<Rows, StoreError>, turn: &mut Turn<'_>) {
        self.backlog.asked = None;
        self.backlog.due = turn.now.mono + LOOK_SOON;
        let rows = match rows {
            Ok(Rows::Backlog(rows)) => rows,
            Ok(_) => return,
            Err(error) => return self.trouble(&error, turn),
        };
        let at_work = &self.backlog.at_work;
        let waiting = rows.into_iter().map(|row| {
            let works = at_work.contains(&row.system);
            let age = |due| turn.now.wall.since(due);
            let ages = row.due.map(|due| due.filter(|_| works).map(age));
            (row.system, Waiting { open: row.open, ages })
        });
        let waiting = waiting.collect();
        let bounds = self.bounds();
        self.backlog.pressure.learn(bounds, waiting);
        if self.backlog.pressure.is_free() {
            self.backlog.due = turn.now.mono + LOOK_EVERY;
        }
        self.say_what_rests(turn);
    }

    /// Tells spokes what not to read, where that is another than they were told.
    fn say_what_rests(&mut self, turn: &mut Turn<'_>) {
        let backlog = &mut self.backlog;
        if backlog.pressure.is_free() && backlog.resting.is_empty() {
            return;
        }
        for (system, settings) in self.config.systems.iter().filter(|(_, settings)| !settings.poll.is_empty())
        {
            let before = backlog.resting.remove(system).unwrap_or_default();
            let mut rests = BTreeSet::new();
            for object in settings.poll.keys() {
                let feeds = feeds(&self.config, system, [object]);
                let cause = backlog.pressure.refuses(Door::Read, &feeds);
                if let Some(cause) = &cause {
                    rests.insert(object.clone());
                    if before.contains(object) {
                        continue;
                    }
                    let (source, object, why) = (system.clone(), object.clone(), cause.to_string());
                    turn.note(Mark::Rests { source, object, cause: cause.name(), why });
                } else if before.contains(object) {
                    turn.note(Mark::ReadsOn { source: system.clone(), object: object.clone() });
                }
            }
            if rests != before {
                let notice = Notice::Rest(rests.clone());
                turn.effect(Effect::Tell(MachineId::Spoke(system.clone()), notice));
            }
            if !rests.is_empty() {
                backlog.resting.insert(system.clone(), rests);
            }
        }
        // A system that is not part of the hub any more, or is not read any more, is told nothing.
        backlog
            .resting
            .retain(|system, _| self.config.systems.get(system).is_some_and(|of| !of.poll.is_empty()));
    }

    /// Why an offer must wait for the backlogs; `None`: it need not. What a spoke has read is taken: it stops reading
    /// before, and of what was acknowledged the rest must come in.
    pub(super) fn must_wait(&self, offer: &Offer) -> Option<Cause> {
        if self.backlog.pressure.is_free() || offer.origin != Origin::Pushed {
            return None;
        }
        let door = if offer.posted { Door::Posted } else { Door::Pushed };
        let objects = offer.arrivals.iter().filter_map(|arrival| match arrival {
            Arrival::Read(observation) => Some(&observation.object),
            Arrival::Stated(stated) => Some(&stated.about.object),
            Arrival::Garbled { .. } => None,
        });
        self.backlog.pressure.refuses(door, &feeds(&self.config, &offer.source, objects))
    }
}

/// To whom what a source says of these kinds of object may go.
fn feeds<'a>(
    config: &'a Configuration,
    source: &System,
    objects: impl IntoIterator<Item = &'a Object>,
) -> Vec<Feed<'a>> {
    let objects: BTreeSet<&Object> = objects.into_iter().collect();
    let entities = objects.into_iter().filter_map(|object| config.inbound(source, object));
    let routes = entities.flat_map(|(mapping, _)| config.routes_of(mapping.entity()));
    let others = routes.filter(|route| route.system != *source);
    let feeds: BTreeSet<Feed<'_>> =
        others.map(|route| Feed { system: &route.system, lane: route.lane }).collect();
    feeds.into_iter().collect()
}

impl From<Cause> for Busy {
    fn from(cause: Cause) -> Self {
        Self { why: cause.to_string(), retry_after: RETRY, backlog: true }
    }
}
