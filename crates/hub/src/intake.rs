//! The intake machine: takes in what sources say, in batches; acknowledges after the commit; tells the spokes.
//!
//! One batch is found, decided and committed at a time; what arrives meanwhile makes the next, so that batches grow
//! with the load and a lone message waits for nobody.

mod backlog;
mod built;
#[cfg(test)]
mod echo_tests;
mod item;
mod offers;
mod orders;
mod prepare;
mod recall;
#[cfg(test)]
mod tests;
mod units;
#[cfg(test)]
mod wait_tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use built::told_by;
use canonical::{Mono, Now, System};
use config::Configuration;
use planted::Bug;
use store::{Query, Receipt, Rows, StoreError};

use crate::turn::{
    Ack, Arrival, Effect, Input, Machine, MachineId, Notice, Order, Origin, Taken, Ticket, Turn,
};
use crate::versions;
use backlog::Backlog;
use item::{Item, Settle};
use offers::{BUSY_RETRY, OpenOffer, busy, refuse};
use units::Batch;

/// Most messages in one batch.
const BATCH_MAX: usize = 512;
/// How often parked messages past their deadline are looked for when nothing else wakes them.
const READY_EVERY: Duration = Duration::from_secs(5);

/// Accepts what sources say.
#[derive(Debug)]
pub struct Intake {
    config: Arc<Configuration>,
    /// Account ids of systems, as their spokes told; part of new links.
    instances: BTreeMap<System, String>,
    next_ticket: u64,
    queue: VecDeque<Item>,
    /// Offers not yet answered.
    offers: BTreeMap<u64, OpenOffer>,
    next_offer: u64,
    step: Step,
    /// Whether parked messages should be looked for.
    ready_wanted: bool,
    ready_due: Mono,
    /// Not before this: the disk is full or the store failed softly.
    hold_until: Option<Mono>,
    orders: BTreeMap<Ticket, (Ticket, Option<canonical::MessageId>, Option<System>)>,
    /// Those who wait to hear that nothing is decided by a former configuration any more.
    configured: Vec<Ticket>,
    /// What must wait for what waits.
    backlog: Backlog,
    /// When spokes were last told that their systems posted something.
    heard: BTreeMap<System, Mono>,
    /// All it is told was so before the hub began.
    history: bool,
    draining: bool,
    drained: bool,
}

#[derive(Debug)]
enum Step {
    Idle,
    Finding(Ticket, Vec<Item>),
    LookingForReady(Ticket),
    Committing(Ticket, Batch),
}

impl Intake {
    /// A machine that knows nothing yet.
    #[must_use]
    pub fn new(config: Arc<Configuration>) -> Self {
        Self {
            config,
            instances: BTreeMap::new(),
            next_ticket: 0,
            queue: VecDeque::new(),
            offers: BTreeMap::new(),
            next_offer: 0,
            step: Step::Idle,
            ready_wanted: true,
            ready_due: Mono(0),
            hold_until: None,
            orders: BTreeMap::new(),
            configured: Vec::new(),
            backlog: Backlog::default(),
            heard: BTreeMap::new(),
            history: false,
            draining: false,
            drained: false,
        }
    }

    /// One for a cutover: what it is told was so before the hub began. It makes no event, and each message is kept.
    #[must_use]
    pub fn of_history(config: Arc<Configuration>) -> Self {
        Self { history: true, ..Self::new(config) }
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// Starts the next batch, when nothing is under way.
    fn advance(&mut self, turn: &mut Turn<'_>) {
        self.look_at_backlog(turn);
        if !matches!(self.step, Step::Idle) {
            return;
        }
        self.settle_configured(turn);
        if self.hold_until.is_some_and(|until| until > turn.now.mono) {
            return;
        }
        self.hold_until = None;
        // Under a steady load the queue is never empty: what is ready gets its turn all the same.
        let overdue = self.ready_due + READY_EVERY <= turn.now.mono && !self.draining && !self.has_stored();
        if !self.queue.is_empty() && !overdue {
            let count = self.batch_len();
            let items: Vec<Item> = self.queue.drain(..count).collect();
            self.backlog.took(items.len());
            let ticket = self.ticket();
            let asks = items.iter().map(|item| item.ask.clone()).collect();
            turn.effect(Effect::Find(ticket, Query::Intake { tenant: self.config.tenant.clone(), asks }));
            self.step = Step::Finding(ticket, items);
        } else if overdue || self.ready_wanted || self.ready_due <= turn.now.mono {
            self.ready_wanted = false;
            self.ready_due = turn.now.mono + READY_EVERY;
            if self.draining {
                return self.settle_drain(turn);
            }
            let ticket = self.ticket();
            let query =
                Query::Ready { tenant: self.config.tenant.clone(), now: turn.now.wall, limit: BATCH_MAX };
            turn.effect(Effect::Find(ticket, query));
            self.step = Step::LookingForReady(ticket);
        } else {
            self.settle_drain(turn);
        }
    }

    /// How many of the queue make the next batch. All of a batch were read by the same configuration, and are decided
    /// by it.
    fn batch_len(&self) -> usize {
        let Some(first) = self.queue.front() else { return 0 };
        // What conflicts again and again is decided by itself: it can only be in its own way.
        if first.tries > TRIES_TOGETHER {
            return 1;
        }
        let same = |item: &&Item| Arc::ptr_eq(&item.config, &first.config);
        self.queue.iter().take(BATCH_MAX).take_while(same).count()
    }

    /// What comes from now on is read by `config`; what was read before is decided as it was read.
    fn configure(&mut self, outside: Ticket, config: Arc<Configuration>, turn: &mut Turn<'_>) {
        self.config = config;
        self.configured.push(outside);
        self.backlog.changed(turn.now.mono);
        self.advance(turn);
    }

    /// Tells those who wait for it that nothing is left of a former configuration.
    fn settle_configured(&mut self, turn: &mut Turn<'_>) {
        if self.configured.is_empty()
            || self.queue.iter().any(|item| !Arc::ptr_eq(&item.config, &self.config))
        {
            return;
        }
        for outside in std::mem::take(&mut self.configured) {
            turn.effect(Effect::Ack(outside, Ack::Done));
        }
    }

    /// Whether messages that were parked are in the queue: they are not looked for before they are decided.
    fn has_stored(&self) -> bool {
        self.queue.iter().any(|item| item.stored && item.offer.is_none())
    }

    fn settle_drain(&mut self, turn: &mut Turn<'_>) {
        if self.draining && !self.drained {
            self.drained = true;
            turn.effect(Effect::Drained);
        }
    }

    fn found(&mut self, ticket: Ticket, rows: Result<Rows, StoreError>, turn: &mut Turn<'_>) {
        if self.backlog.is_asked(ticket) {
            return self.found_backlog(rows, turn);
        }
        match (std::mem::replace(&mut self.step, Step::Idle), rows) {
            (Step::Finding(wanted, items), Ok(Rows::Intake(mut view))) if wanted == ticket => {
                let config = Arc::clone(items.first().map_or(&self.config, |item| &item.config));
                view.records.values_mut().for_each(|record| versions::read(&config, record));
                let mut batch = units::decide_batch(&config, &mut view, items, turn);
                for item in batch.unasked().into_iter().rev() {
                    self.queue.push_front(item);
                }
                let commit = self.ticket();
                if planted::is(Bug::AckBeforeSync) {
                    let how = crate::turn::TakenAs::Accepted;
                    let taken = Taken { message: None, how, raised: Vec::new() };
                    let pushed = self.offers.values().filter(|open| open.origin == Origin::Pushed);
                    pushed.for_each(|open| {
                        turn.effect(Effect::Ack(open.ticket, Ack::Taken(vec![taken.clone()])))
                    });
                }
                turn.effect(Effect::Commit(commit, batch.units()));
                self.step = Step::Committing(commit, batch);
            }
            (Step::LookingForReady(wanted), Ok(Rows::Ready(messages, next))) if wanted == ticket => {
                if let Some(next) = next {
                    self.ready_due = self.ready_due.min(turn.now.mono_of(next));
                }
                self.ready_wanted = messages.len() >= BATCH_MAX;
                for message in messages {
                    let instance = self.instances.get(&message.source).map_or("", String::as_str);
                    let mut item = prepare::again(&self.config, instance, message, turn);
                    if self.history {
                        item.of_history();
                    }
                    self.queue.push_back(item);
                }
                self.advance(turn);
            }
            (Step::Finding(wanted, items), Err(error)) if wanted == ticket => {
                for item in items.into_iter().rev() {
                    self.queue.push_front(item);
                }
                self.trouble(&error, turn);
            }
            (Step::LookingForReady(_), Err(error)) => self.trouble(&error, turn),
            (step, _) => self.step = step,
        }
    }

    fn committed(&mut self, ticket: Ticket, result: Result<Vec<Receipt>, StoreError>, turn: &mut Turn<'_>) {
        if let Some((outside, made, reads)) = self.orders.remove(&ticket) {
            for receipt in result.iter().flatten() {
                if let Receipt::Done(heads) = receipt {
                    spread(heads, turn);
                }
            }
            if let (Some(system), Ok(_)) = (reads, &result) {
                turn.effect(Effect::Tell(MachineId::Spoke(system), Notice::FetchWanted));
            }
            let ack = match (result, made) {
                (Ok(receipts), _) if receipts.contains(&Receipt::Conflict) => {
                    Ack::Refused("it has moved meanwhile: look at it again".to_owned())
                }
                (Ok(_), Some(id)) => {
                    let how = crate::turn::TakenAs::Accepted;
                    Ack::Taken(vec![Taken { message: Some(id), how, raised: Vec::new() }])
                }
                (Ok(_), None) => Ack::Done,
                (Err(error), _) => Ack::Refused(error.to_string()),
            };
            self.ready_wanted = true;
            turn.effect(Effect::Ack(outside, ack));
            return self.advance(turn);
        }
        match (std::mem::replace(&mut self.step, Step::Idle), result) {
            (Step::Committing(wanted, batch), Ok(receipts)) if wanted == ticket => {
                let outcome = batch.conclude(receipts, turn);
                for (offer, index, taken) in outcome.done {
                    self.conclude(offer, index, taken, turn);
                }
                for item in outcome.again.into_iter().rev() {
                    self.queue.push_front(item);
                }
                if outcome.linked {
                    self.ready_wanted = true;
                }
                for outside in outcome.ordered {
                    turn.effect(Effect::Ack(outside, Ack::Done));
                }
                let most = if planted::is(Bug::OneSystemHears) { 1 } else { usize::MAX };
                for (system, heads) in outcome.raised.into_iter().take(most) {
                    turn.effect(Effect::Tell(MachineId::Spoke(system), Notice::Raised(heads)));
                }
                for system in outcome.fetches {
                    turn.effect(Effect::Tell(MachineId::Spoke(system), Notice::FetchWanted));
                }
                self.advance(turn);
            }
            (Step::Committing(wanted, batch), Err(error)) if wanted == ticket => {
                for item in batch.into_items().into_iter().rev() {
                    self.queue.push_front(item);
                }
                self.trouble(&error, turn);
            }
            (step, _) => self.step = step,
        }
    }

    /// The store refused. On a full disk offers are refused until it heals; on a broken one the process stops (I2).
    fn trouble(&mut self, error: &StoreError, turn: &mut Turn<'_>) {
        match error {
            StoreError::Full { .. } => {
                self.hold_until = Some(turn.now.mono + BUSY_RETRY);
                let offers = std::mem::take(&mut self.offers);
                // Nothing of a refused offer was committed unless some of it was: those stay, to be finished.
                for (number, open) in offers {
                    if open.left == open.taken.len() {
                        self.queue.retain(|item| item.offer != Some(number));
                        refuse(open.ticket, &open.origin, &open.source, busy(&error.to_string()), turn);
                    } else {
                        self.offers.insert(number, open);
                    }
                }
            }
            StoreError::Closed if self.draining => {}
            StoreError::Broken { .. }
            | StoreError::Closed
            | StoreError::Corrupt { .. }
            | StoreError::Refused { .. } => {
                turn.effect(Effect::Stop(error.to_string()));
            }
        }
    }

    fn order(&mut self, outside: Ticket, order: Order, turn: &mut Turn<'_>) {
        if let Order::Settle { record, field, choice, reason } = order {
            let Some(source) = self.config.systems.keys().next().cloned() else {
                return turn.effect(Effect::Ack(outside, Ack::Refused("no system is configured".to_owned())));
            };
            let wanted = Settle { outside, record, field, choice, reason };
            self.queue.push_back(Item::settle(&self.config, &source, wanted, turn.now.wall));
            return self.advance(turn);
        }
        let reads = match &order {
            Order::Link { link, reads: true, .. } => Some(link.system.clone()),
            _ => None,
        };
        match orders::order(&self.config.tenant, order, turn) {
            Ok((unit, made)) => {
                let ticket = self.ticket();
                self.orders.insert(ticket, (outside, made, reads));
                turn.effect(Effect::Commit(ticket, vec![unit]));
            }
            Err(why) => turn.effect(Effect::Ack(outside, Ack::Refused(why))),
        }
    }
}

/// Tells the spokes what an order raised or woke.
fn spread(heads: &[store::Head], turn: &mut Turn<'_>) {
    let mut by_system: BTreeMap<System, Vec<store::Head>> = BTreeMap::new();
    for head in heads {
        by_system.entry(head.system.clone()).or_default().push(head.clone());
    }
    for (system, heads) in by_system {
        turn.effect(Effect::Tell(MachineId::Spoke(system), Notice::Raised(heads)));
    }
}

/// So often is an item decided together with others.
const TRIES_TOGETHER: u32 = 3;

impl Machine for Intake {
    fn handle(&mut self, input: Input, turn: &mut Turn<'_>) {
        match input {
            Input::Start | Input::Tick => self.advance(turn),
            Input::Offer(offer) => self.offer(offer, turn),
            Input::Found(ticket, rows) => self.found(ticket, rows, turn),
            Input::Committed(ticket, result) => self.committed(ticket, result, turn),
            Input::Told(Notice::Linked) => {
                self.ready_wanted = true;
                self.advance(turn);
            }
            Input::Told(Notice::Connected(system, instance)) => {
                self.instances.insert(system, instance);
            }
            Input::Told(Notice::AtWork(system, at_work)) => self.backlog.works(system, at_work),
            Input::Told(Notice::Do(ticket, order)) => self.order(ticket, order, turn),
            Input::Drain => {
                self.draining = true;
                self.advance(turn);
            }
            Input::Configure(outside, config) => self.configure(outside, config, turn),
            Input::Hold(outside) => {
                let why = "intake is not held: it decides each message by the configuration that read it";
                turn.effect(Effect::Ack(outside, Ack::Refused(why.to_owned())));
            }
            Input::Told(_) | Input::Answered { .. } | Input::Authorised { .. } | Input::Archived(..) => {}
        }
    }

    fn next_wakeup(&self, now: Now) -> Option<Mono> {
        let backlog = self.backlog.wakeup().filter(|_| !self.draining && self.has_bounds());
        let step = matches!(self.step, Step::Idle).then_some(match self.hold_until {
            Some(until) if until > now.mono => until,
            _ => self.ready_due,
        });
        backlog.into_iter().chain(step).min()
    }
}

/// The arrivals of an offer, for tests and drivers that build one by hand.
impl From<connector::Observation> for Arrival {
    fn from(observation: connector::Observation) -> Self {
        Self::Read(observation)
    }
}
