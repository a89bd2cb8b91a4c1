//! What operators order for many at once: plans that are applied at once, later, or never; jobs that are held, let go
//! on, or ended. When all is well in the end, everything is replayed twice: the second time must change nothing.

use std::collections::BTreeMap;

use canonical::{JobId, RouteId, System};
use hub::{Ack, Input, MachineId, Notice, Order, Ticket};
use ledger::{Action, GroupKind, Job, JobState, Scope, Tally};
use serde_json::Value;
use store::browse::{DeliveryFilter, GroupFilter, JobFilter, Look, Page};

use super::{Happening, Mode, files, system};
use crate::driver::{Event, Simulation};

/// Plans and jobs that are open at the same time, before nothing new is planned.
const OPEN_MAX: usize = 4;
/// So many microseconds after a plan to give up it is decided about.
const DECIDED_AFTER: u64 = 500_000;
/// A slice of time begins at most so many microseconds ago.
const SLICE: u64 = 600_000_000;
/// What a job sets going takes at most so many microseconds each.
const EACH: u64 = 700_000;
/// An order is carried out within so many microseconds.
const SOON: u64 = 5_000_000;
/// The rounds of the last replay.
pub(super) const ROUNDS: [u32; 2] = [1, 2];

/// What is there: per target and object, its kind, name, and what it holds.
type There = BTreeMap<(System, u64), (String, String, bool, BTreeMap<String, Value>)>;

/// What the judges know of bulk work.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    /// When it is told the newest configuration.
    pub(super) told_at: u64,
    /// Orders that were not answered yet.
    asked: BTreeMap<u64, Asked>,
    /// How many a job had set going when it was held, or ended.
    still: BTreeMap<JobId, u64>,
    /// What was there after the first of the last two replays.
    once: Option<There>,
}

/// What was ordered of which.
#[derive(Debug)]
pub(super) enum Asked {
    Apply(JobId),
    GoOn(JobId),
    Still(JobId),
}

impl Bulk {
    /// A job that was held is to go on.
    pub(super) fn goes_on(&mut self, job: JobId) {
        self.still.remove(&job);
    }

    /// The store is another one: what is known of its jobs does not hold.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
        self.still.clear();
    }
}

impl Simulation {
    /// Goes on with what is planned or at work, and plans something new.
    pub(super) fn order_bulk(&mut self) {
        let jobs = self.jobs_and_tallies();
        let open = |job: &Job| job.state.is_open() || job.state == JobState::Planned;
        let open: Vec<Job> = jobs.into_iter().map(|(job, _)| job).filter(open).collect();
        for job in &open {
            self.go_on_with(job);
        }
        if open.len() < OPEN_MAX
            && let Some((action, scope)) = self.some_slice()
        {
            self.remember(&format!("! an operator plans {action:?} {scope:?}"));
            if action == Action::Discard {
                self.at(self.now + DECIDED_AFTER, Event::Happen(Happening::Decide));
            }
            self.order_of_jobs(Order::Plan { action, scope, by: "ann".to_owned() }, None);
        }
    }

    /// What is to be given up is decided about at once: later it is another lot.
    pub(super) fn decide_discards(&mut self) {
        let jobs = self.jobs_and_tallies().into_iter().map(|(job, _)| job);
        let planned = jobs.filter(|job| job.state == JobState::Planned && job.action == Action::Discard);
        for job in planned.collect::<Vec<Job>>() {
            self.go_on_with(&job);
        }
    }

    fn go_on_with(&mut self, job: &Job) {
        let (id, dice) = (job.id, self.between(0, 10));
        let reason = "ann: bulk".to_owned();
        match (job.state, dice) {
            // Of what is given up there is little, and it is soon decided otherwise.
            (JobState::Planned, 0..9) if job.action == Action::Discard => {
                self.order_of_jobs(Order::Apply { job: id, pace: 30, reason }, Some(Asked::Apply(id)));
            }
            (JobState::Planned, 0..6) => {
                // Mostly so slow that somebody may hold it meanwhile.
                let most = if self.between(0, 4) == 0 { 30 } else { 3 };
                let pace = u32::try_from(self.between(1, most)).unwrap_or(1);
                self.order_of_jobs(Order::Apply { job: id, pace, reason }, Some(Asked::Apply(id)));
            }
            (JobState::Running, 0..3) => {
                self.order_of_jobs(Order::HoldJob { job: id, reason }, Some(Asked::Still(id)));
            }
            (JobState::Paused, 0..7) => {
                if let Some(estate) = &mut self.estate {
                    estate.bulk.still.remove(&id);
                }
                self.order_of_jobs(Order::ResumeJob { job: id, reason }, Some(Asked::GoOn(id)));
            }
            (_, 9) => self.order_of_jobs(Order::CancelJob { job: id, reason }, Some(Asked::Still(id))),
            _ => {}
        }
    }

    /// The target that is always well has its own part of it to do, where its things are on the same lane.
    fn busy_with(&mut self, job: &Job) {
        let now = self.now;
        let Some(estate) = &mut self.estate else { return };
        let touches = job.scope.target.as_ref().is_none_or(|target| *target == estate.healthy);
        if touches && estate.healthy.as_str() == files::FINDER {
            let each = EACH + 1_000_000 / u64::from(job.pace.max(1));
            estate.busy_until = estate.busy_until.max(now + (job.kept.total + 30) * each);
        }
    }

    pub(super) fn order_of_jobs(&mut self, order: Order, asked: Option<Asked>) {
        let Some(estate) = &mut self.estate else { return };
        estate.next_order += 1;
        let ticket = estate.next_order;
        estate.bulk.asked.extend(asked.map(|asked| (ticket, asked)));
        let input = Input::Told(Notice::Do(Ticket(ticket), order));
        self.at(self.now + 50, Event::Input(MachineId::Jobs, input));
    }

    /// Some action, on some slice.
    fn some_slice(&mut self) -> Option<(Action, Scope)> {
        let all = Scope::default;
        let place = usize::try_from(self.between(0, files::TARGETS.len() as u64)).ok()?;
        let target = system(files::TARGETS.get(place)?.0);
        let replay = Action::Replay { anew: false };
        Some(match self.between(0, 12) {
            0..5 => return self.some_failures(),
            5 => (replay, Scope { source: Some(system(files::SOURCE)), target: Some(target), ..all() }),
            6 => (replay, Scope { event: Some("ThingClosed".to_owned()), ..all() }),
            7 => {
                let wall = self.clock().wall.micros();
                let back = |micros: u64| canonical::Wall(wall - i64::try_from(micros).unwrap_or(0));
                let from = self.between(SLICE / 10, SLICE);
                let until = self.between(0, from);
                (replay, Scope { from: Some(back(from)), until: Some(back(until)), ..all() })
            }
            8 => (replay, Scope { record: Some(self.some_delivery(&target)?.record), ..all() }),
            9 => (replay, Scope { entity: Some(self.some_delivery(&target)?.entity), ..all() }),
            10 => {
                // A second effect, of what has none.
                let route = RouteId::from(format!("thing.{target}").as_str());
                (Action::Replay { anew: true }, Scope { route: Some(route), ..all() })
            }
            // After a restore somebody looks before anything is tried again.
            _ if self.may_be_restored() => return None,
            _ => (Action::Retry, Scope { target: Some(target), ..all() }),
        })
    }

    fn may_be_restored(&self) -> bool {
        self.estate.as_ref().is_some_and(|estate| estate.mode == Mode::Restore)
    }

    fn some_delivery(&mut self, target: &System) -> Option<ledger::Obligation> {
        let filter = DeliveryFilter { system: Some(target.clone()), limit: 40, ..DeliveryFilter::default() };
        let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(filter)) else { return None };
        let place = self.between(0, rows.len().max(1) as u64);
        rows.into_iter().nth(usize::try_from(place).ok()?).map(|(_, row)| row)
    }

    /// An open group of failures, tried again or given up.
    fn some_failures(&mut self) -> Option<(Action, Scope)> {
        let filter = GroupFilter { open: Some(true), limit: 40, ..GroupFilter::default() };
        let Some(Page::Groups(groups)) = self.page(Look::Groups(filter)) else { return None };
        let place = self.between(0, groups.len().max(1) as u64);
        let (_, group) = groups.into_iter().nth(usize::try_from(place).ok()?)?;
        if group.why.class == "restored" {
            return None;
        }
        let scope = Scope { group: Some(group.fingerprint), ..Scope::default() };
        // What a message says is worth having, unless it is about nobody's object.
        let give_up = match group.kind {
            GroupKind::Message => group.why.class == "not_a_creator",
            GroupKind::Delivery => !self.may_be_restored() && self.between(0, 3) > 0,
        };
        Some((if give_up { Action::Discard } else { Action::Retry }, scope))
    }

    /// Every plan and job, with what became of what it set going.
    pub(super) fn jobs_and_tallies(&self) -> Vec<(Job, Tally)> {
        match self.page(Look::Jobs(JobFilter { limit: 1000, ..JobFilter::default() })) {
            Some(Page::Jobs(rows)) => rows.into_iter().map(|(_, job, tally)| (job, tally)).collect(),
            _ => Vec::new(),
        }
    }

    /// An order is answered.
    pub(crate) fn watch_order(&mut self, ticket: Ticket, ack: &Ack) {
        let Some(asked) = self.estate.as_mut().and_then(|estate| estate.bulk.asked.remove(&ticket.0)) else {
            return;
        };
        match (asked, ack) {
            (Asked::Apply(_), Ack::Refused(why)) if why.contains("make a new one") => self.did("PlanStale"),
            (Asked::GoOn(id), Ack::Done) => {
                if let Some(job) = self.job(id) {
                    self.busy_with(&job);
                }
            }
            (Asked::Apply(id), Ack::Done) => {
                if let Some(job) = self.job(id) {
                    self.busy_with(&job);
                }
                let told = self.estate.as_ref().is_some_and(|estate| self.now > estate.bulk.told_at + SOON);
                let fits = self.job(id).is_some_and(|job| job.configuration == self.config.digest);
                if told && !fits {
                    let what = format!("{id} was applied, although the configuration had changed");
                    self.violated("I16", &id.to_string(), what);
                }
            }
            (Asked::Still(id), Ack::Done) => {
                let done = self.job(id).map(|job| job.done);
                if let Some(estate) = &mut self.estate {
                    estate.bulk.still.extend(done.map(|done| (id, done)));
                }
            }
            _ => {}
        }
    }

    fn job(&self, id: JobId) -> Option<Job> {
        match self.page(Look::Jobs(JobFilter { id: Some(id), limit: 1, ..JobFilter::default() })) {
            Some(Page::Jobs(rows)) => rows.into_iter().next().map(|(_, job, _)| job),
            _ => None,
        }
    }

    /// I12: a job that is held, or was ended, sets nothing going. I16: and none more than it covers.
    pub(super) fn watch_job(&mut self, job: &Job) {
        let still = self.estate.as_ref().and_then(|estate| estate.bulk.still.get(&job.id).copied());
        if still.is_some_and(|still| job.done > still) {
            let what = format!("{} goes on, although it is held: {} set going", job.id, job.done);
            self.violated("I12", &job.id.to_string(), what);
        }
        // What was left out, since it was in doubt, may be so no longer.
        let most = job.kept.total + job.kept.left_out.values().sum::<u64>();
        if job.done > most {
            let what = format!("{} has set {} going, and covers {most} at most", job.id, job.done);
            self.violated("I16", &job.id.to_string(), what);
        }
    }

    /// What is held goes on, now that all is well.
    pub(super) fn finish_bulk(&mut self) {
        for (job, _) in self.jobs_and_tallies() {
            if job.state == JobState::Paused {
                if let Some(estate) = &mut self.estate {
                    estate.bulk.still.remove(&job.id);
                }
                let reason = "ann: all is well".to_owned();
                self.order_of_jobs(Order::ResumeJob { job: job.id, reason }, None);
            }
        }
    }

    /// Everything for every target is replayed once more.
    pub(super) fn replay_all(&mut self, round: u32) {
        if round == ROUNDS[0] {
            self.judge_targets();
        } else {
            let there = self.there();
            if let Some(estate) = &mut self.estate {
                estate.bulk.once = Some(there);
            }
        }
        for (name, _) in files::TARGETS {
            self.at(self.now, Event::Replay { system: system(name), round, anew: false });
        }
    }

    fn there(&self) -> There {
        let mut there = There::new();
        for (name, _) in files::TARGETS {
            let objects = self.targets.get(&system(name)).into_iter().flat_map(|vendor| &vendor.objects);
            there.extend(objects.map(|(id, item)| {
                ((system(name), *id), (item.kind.clone(), item.name.clone(), item.gone, item.fields.clone()))
            }));
        }
        there
    }

    /// I1: jobs come to their end, and all they set going is accounted for. I16: twice is once.
    pub(super) fn judge_bulk(&mut self) {
        for (job, tally) in self.jobs_and_tallies() {
            let about = job.id.to_string();
            if job.state.is_open() {
                let what = format!("{} did not come to its end: {}", job.id, job.state.name());
                self.violated("I1", &about, what);
            }
            let ended = u64::from(tally.delivered + tally.failed + tally.other);
            let going = job.done - job.messages_done;
            if job.action != Action::Discard && !job.action.reshapes() && ended != going {
                let what = format!("{} set {going} deliveries going, and {ended} are accounted for", job.id);
                self.violated("I1", &about, what);
            }
        }
        for (name, _) in files::TARGETS {
            for round in ROUNDS {
                let by = format!("ann: {name} {round}");
                let done = |(job, _): &(Job, Tally)| job.planned_by == by && job.state == JobState::Done;
                if !self.jobs_and_tallies().iter().any(done) {
                    let what = format!("the replay to {name}, round {round}, was not done in time");
                    self.violated("I1", name, what);
                }
            }
        }
        let Some(once) = self.estate.as_mut().and_then(|estate| estate.bulk.once.take()) else { return };
        let twice = self.there();
        let all = once.keys().chain(twice.keys());
        let differs = all.clone().find(|key| once.get(*key) != twice.get(*key)).cloned();
        if let Some(key) = differs {
            let shown = |there: &There| format!("{:?}", there.get(&key));
            let what = format!(
                "replaying twice is not replaying once: {} at {} was {}, and is {}",
                key.1,
                key.0,
                shown(&once),
                shown(&twice)
            );
            let name = twice.get(&key).or_else(|| once.get(&key)).map(|there| there.1.clone());
            self.violated("I16", &name.unwrap_or_default(), what);
        }
    }
}
