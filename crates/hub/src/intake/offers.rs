//! Offers: what sources bring together, taken in or refused whole, and answered once all of it is durable.

use std::time::Duration;

use canonical::{System, Wall};

use super::item::Item;
use super::{Intake, prepare};
use crate::mark::Mark;
use crate::turn::{Ack, Busy, Effect, MachineId, Notice, Offer, Origin, Taken, Ticket, Turn};

/// From so many messages waiting in memory on, offers are refused (I19). Their bytes are bounded where offers are made.
const QUEUE_MAX: usize = 8192;
/// How soon an offer refused for pressure should come again.
pub(super) const BUSY_RETRY: Duration = Duration::from_secs(2);

/// While a source posts, its spoke is told of it this often at least.
const HEARD_EVERY: Duration = Duration::from_secs(10);

/// An offer of which something is still undecided.
#[derive(Debug)]
pub(super) struct OpenOffer {
    pub(super) ticket: Ticket,
    pub(super) origin: Origin,
    pub(super) source: System,
    as_of: Wall,
    pub(super) left: usize,
    pub(super) taken: Vec<Option<Taken>>,
    /// Its cursor or the end of its fetch is kept, or on its way to be.
    closed: bool,
}

impl Intake {
    pub(super) fn offer(&mut self, offer: Offer, turn: &mut Turn<'_>) {
        let full =
            self.queue.len() >= QUEUE_MAX || self.hold_until.is_some_and(|until| until > turn.now.mono);
        if full || (self.draining && offer.origin == Origin::Pushed) {
            let why = if self.draining { "the hub is stopping" } else { "intake is full or the disk is" };
            let cause = if self.draining { "stopping" } else { "full" };
            turn.note(Mark::Refused { source: offer.source.clone(), cause });
            return refuse(offer.ticket, &offer.origin, &offer.source, busy(why), turn);
        }
        if let Some(cause) = self.must_wait(&offer) {
            turn.note(Mark::Refused { source: offer.source.clone(), cause: cause.name() });
            return refuse(offer.ticket, &offer.origin, &offer.source, cause.into(), turn);
        }
        self.next_offer += 1;
        let number = self.next_offer;
        let count = offer.arrivals.len();
        let mut open = OpenOffer {
            ticket: offer.ticket,
            origin: offer.origin.clone(),
            source: offer.source.clone(),
            as_of: offer.as_of,
            left: count,
            taken: vec![None; count],
            closed: offer.origin == Origin::Pushed,
        };
        if count == 0 && offer.origin == Origin::Pushed {
            turn.effect(Effect::Ack(offer.ticket, Ack::Taken(Vec::new())));
            return;
        }
        if count == 0 {
            // A page without news still moves the cursor; a fetch without object still ends.
            self.queue.push_back(self.close(number, &mut open));
        }
        let (source, watched) = (offer.source, offer.watched);
        for (index, arrival) in offer.arrivals.into_iter().enumerate() {
            let instance = self.instances.get(&source).map_or("", String::as_str);
            let mut item = prepare::prepare(
                &self.config,
                instance,
                &source,
                &open.origin,
                offer.as_of,
                number,
                index,
                arrival,
                turn,
            );
            item.watched = watched;
            if self.history {
                item.of_history();
            }
            // A page of one is kept with its cursor; of a longer one, the cursor is kept when all of it is.
            if count == 1 && !open.closed {
                open.closed = true;
                item.origin = Some(open.origin.clone());
            }
            self.queue.push_back(item);
        }
        self.offers.insert(number, open);
        self.advance(turn);
    }

    /// What keeps an offer's cursor, or ends its fetch: nothing of it may be lost from here on (I1).
    fn close(&self, number: u64, open: &mut OpenOffer) -> Item {
        open.closed = true;
        open.left = 1;
        Item::bare(&self.config, number, &open.source, open.as_of, open.origin.clone())
    }

    /// One arrival is durable; when it was the offer's last, the offerer is told.
    pub(super) fn conclude(&mut self, offer: u64, index: usize, taken: Taken, turn: &mut Turn<'_>) {
        let Some(open) = self.offers.get_mut(&offer) else { return };
        if let Some(slot) = open.taken.get_mut(index) {
            *slot = Some(taken);
        }
        open.left = open.left.saturating_sub(1);
        if open.left > 0 {
            return;
        }
        if let Some(mut open) = self.offers.remove(&offer) {
            if !open.closed {
                let item = self.close(offer, &mut open);
                self.queue.push_back(item);
                self.offers.insert(offer, open);
                return;
            }
            turn.note(Mark::Accepted { source: open.source.clone(), count: open.taken.len() });
            match open.origin {
                Origin::Pushed => {
                    self.say_heard(&open.source, turn);
                    let taken = open.taken.into_iter().flatten().collect();
                    turn.effect(Effect::Ack(open.ticket, Ack::Taken(taken)));
                }
                Origin::Polled { .. } | Origin::Fetched { .. } => {
                    let notice = Notice::Taken(open.ticket, Ok(()));
                    turn.effect(Effect::Tell(MachineId::Spoke(open.source), notice));
                }
            }
        }
    }
}

impl Intake {
    /// Tells a spoke that its system is heard, where somebody waits for that; not for each message.
    fn say_heard(&mut self, source: &System, turn: &mut Turn<'_>) {
        let settings = self.config.systems.get(source);
        let Some(within) = settings.and_then(|settings| settings.heard_within.messages) else { return };
        let again = (within / 10).min(HEARD_EVERY);
        if self.heard.get(source).is_some_and(|told| turn.now.mono.since(*told) < again) {
            return;
        }
        self.heard.insert(source.clone(), turn.now.mono);
        turn.effect(Effect::Tell(MachineId::Spoke(source.clone()), Notice::Heard));
    }
}

pub(super) fn busy(why: &str) -> Busy {
    Busy { why: why.to_owned(), retry_after: BUSY_RETRY, backlog: false }
}

/// Tells an offerer that nothing was taken.
pub(super) fn refuse(ticket: Ticket, origin: &Origin, source: &System, busy: Busy, turn: &mut Turn<'_>) {
    match origin {
        Origin::Pushed => turn.effect(Effect::Ack(ticket, Ack::Busy(busy))),
        Origin::Polled { .. } | Origin::Fetched { .. } => {
            turn.effect(Effect::Tell(MachineId::Spoke(source.clone()), Notice::Taken(ticket, Err(busy))));
        }
    }
}
