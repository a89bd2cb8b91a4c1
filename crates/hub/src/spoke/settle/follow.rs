//! What follows a commit: what was decided is taken up, decided again where it conflicted, or
//! kept while the disk is full.

use canonical::Wall;
use ledger::{Intent, Reason};
use store::{Change, Head, Receipt, StoreError};

use super::{Ending, Settlement};
use crate::mark::Mark;
use crate::spoke::Spoke;
use crate::spoke::flight::{Doubt, Flight};
use crate::spoke::orders::Decision;
use crate::turn::{Effect, MachineId, Notice, Ticket, Turn};

/// How long everything waits after the disk was full.
const FULL_WAIT: std::time::Duration = std::time::Duration::from_secs(2);

/// What follows a unit's commit.
#[derive(Debug)]
pub(crate) enum After {
    /// Nothing.
    Nothing,
    /// The system's own state is durable; an operator may wait to hear it.
    System(Option<Ticket>),
    /// What is known of a job is durable: it goes on.
    Bulk(u64),
    /// A person is durably asked to look at an intent.
    Person(Box<(Intent, Reason)>),
    /// What an operator decided about a delivery is durable.
    Ordered(Ticket, Decision, Box<Head>),
    /// A delivery is held back.
    Held(Box<Head>),
    /// A page of what was held is back in line; from there the walk goes on.
    Released(Option<i64>),
    /// A change is in the system's journal.
    Changed(Box<Change>),
    /// An obligation rests, or waits. `again`: it required something, and is judged again at once if that does not hold.
    /// `looks`: an object of the system is to be read. `wakes`: intake has something to judge.
    Rested { head: Head, due: Option<Wall>, again: bool, looks: bool, wakes: bool },
    /// What an obligation's record is linked to is durably wanted, and the obligation waits for it.
    Rereading { head: Head, due: Wall },
    /// An intent is durable: send it.
    Launch(Box<Flight>),
    /// The intents of a batch are durable: send them together.
    LaunchBatch(Vec<Flight>),
    /// An intent is durably doubtful.
    Doubt(Box<Doubt>, Wall),
    /// An intent has ended.
    Settled(Box<Settlement>),
}

impl Spoke {
    /// A commit was answered.
    pub(crate) fn committed(
        &mut self,
        after: Vec<After>,
        result: Result<Vec<Receipt>, StoreError>,
        turn: &mut Turn<'_>,
    ) {
        match result {
            Ok(receipts) => {
                self.hold_until = None;
                for (after, receipt) in after.into_iter().zip(receipts) {
                    match receipt {
                        Receipt::Done(woken) => {
                            self.follow(after, turn);
                            self.spread(woken, turn);
                        }
                        Receipt::Conflict => self.conflicted(after, turn),
                    }
                }
            }
            Err(StoreError::Full { .. }) => {
                self.hold_until = Some(turn.now.mono + FULL_WAIT);
                for after in after {
                    self.set_back(after, turn);
                }
            }
            Err(error) => turn.effect(Effect::Stop(error.to_string())),
        }
    }

    /// Heads that a commit raised or woke: ours go into memory, others' to their spokes, and intake hears of links.
    fn spread(&mut self, woken: Vec<Head>, turn: &mut Turn<'_>) {
        if woken.is_empty() {
            return;
        }
        let (own, others): (Vec<Head>, Vec<Head>) =
            woken.into_iter().partition(|head| head.system == self.system);
        self.raised(own, turn.now);
        for head in others {
            let to = MachineId::Spoke(head.system.clone());
            turn.effect(Effect::Tell(to, Notice::Raised(vec![head])));
        }
    }

    fn follow(&mut self, after: After, turn: &mut Turn<'_>) {
        match after {
            After::Nothing | After::System(None) | After::Person(_) | After::Changed(_) => {}
            After::Bulk(number) => self.offer_look(number, turn.now.mono),
            After::Held(head) => self.held_back(&head),
            After::Released(next) => self.released(next),
            After::System(Some(outside)) => Self::answer(outside, Ok(()), turn),
            After::Ordered(outside, decision, head) => {
                self.decided(decision, &head);
                Self::answer(outside, Ok(()), turn);
            }
            After::Rested { head, due, looks, wakes, .. } => {
                self.fetch_wanted |= looks;
                if wakes {
                    tell_intake(turn);
                }
                self.settled(head, due, turn.now);
            }
            After::Rereading { head, due } => {
                self.rereading(turn);
                self.set_aside(head, due, turn.now);
            }
            After::Launch(flight) => self.launch(*flight, turn),
            After::LaunchBatch(flights) => self.launch_batch(flights, turn),
            After::Doubt(doubt, due) => self.doubt(*doubt, due, turn.now),
            After::Settled(settlement) => self.concluded(*settlement, turn),
        }
    }

    /// An intent's end is durable.
    fn concluded(&mut self, settlement: Settlement, turn: &mut Turn<'_>) {
        let intent = &settlement.intent;
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.unlock(intent.record, &intent.object);
        }
        match &settlement.ending {
            Ending::Delivered => {
                self.fetch_wanted |= settlement.may_be_overwritten();
                let obligation = settlement.obligation.as_ref();
                let (lane, raised, folded) = match (&settlement.head, obligation) {
                    (Some(head), Some(obligation)) => (head.lane, obligation.raised_at, obligation.folded),
                    (_, Some(obligation)) => (obligation.lane, obligation.raised_at, obligation.folded),
                    _ => (ledger::Lane::Standard, intent.created_at, 1),
                };
                turn.note(Mark::Delivered {
                    system: self.system.clone(),
                    object: intent.object.clone(),
                    lane,
                    lag: turn.now.wall.since(raised),
                    folded,
                    trace: intent.trace.clone(),
                });
                if settlement.linked != settlement.outcome.external_id {
                    tell_intake(turn);
                }
            }
            Ending::Dead(why) => turn.note(Mark::Dead {
                system: self.system.clone(),
                class: why.class.clone(),
                message: why.message.clone(),
                trace: intent.trace.clone(),
            }),
            Ending::Refetch { .. } => self.fetch_wanted = true,
            Ending::LinkRot => tell_intake(turn),
            Ending::Converge if settlement.looks_for_ended(&self.connector) => self.fetch_wanted = true,
            _ => {}
        }
        let due = match &settlement.ending {
            Ending::Retry { due, .. } | Ending::Refetch { due } => Some(*due),
            Ending::Found | Ending::LinkRot | Ending::Converge => Some(turn.now.wall),
            Ending::Delivered if intent.lacking => Some(turn.now.wall),
            _ => None,
        };
        match settlement.head {
            Some(mut head) => {
                if matches!(
                    settlement.ending,
                    Ending::Retry { spent: true, .. } | Ending::LinkRot | Ending::Refetch { .. }
                ) {
                    head.attempts += 1;
                }
                self.settled(head, due, turn.now);
            }
            // Recovered after a restart: whatever is still wanted is in the store.
            None => self.look_in_store(),
        }
    }

    pub(crate) fn look_in_store(&mut self) {
        for claim in &mut self.claims {
            claim.behind = true;
        }
    }

    /// Something a unit required does not hold: look again, decide again.
    fn conflicted(&mut self, after: After, turn: &mut Turn<'_>) {
        turn.note(Mark::DecidedAgain);
        match after {
            After::Settled(mut settlement) => {
                settlement.conflicts += 1;
                self.look_again(*settlement, turn);
            }
            // A park whose link has come meanwhile: judge it again at once.
            After::Rested { head, again: true, .. } => self.settled(head, Some(turn.now.wall), turn.now),
            After::Rested { head, due, .. } => self.settled(head, due, turn.now),
            After::Rereading { head, due } => self.set_aside(head, due, turn.now),
            // Its record was merged, or its object linked, since it was judged: judged anew, and nothing was sent.
            After::Launch(flight) => self.not_begun(*flight, turn),
            After::LaunchBatch(flights) => {
                flights.into_iter().for_each(|flight| self.not_begun(flight, turn))
            }
            After::Ordered(outside, decision, head) => {
                self.decided(decision, &head);
                let text = "the delivery moved while this was decided: look at it again".to_owned();
                Self::answer(outside, Err(text), turn);
            }
            // Nothing is required of these.
            After::Nothing
            | After::System(_)
            | After::Bulk(_)
            | After::Person(_)
            | After::Doubt(..)
            | After::Changed(_)
            | After::Released(_) => {}
            After::Held(_) => self.holding -= 1,
        }
    }

    fn not_begun(&mut self, flight: Flight, turn: &mut Turn<'_>) {
        self.stays_in_half(&flight);
        self.unused(flight.permit, turn);
        if let Some(head) = flight.head {
            self.settled(head, Some(turn.now.wall), turn.now);
        }
    }

    /// Nothing of it was written (the disk is full): it waits and is tried again. An outcome is never forgotten.
    fn set_back(&mut self, after: After, turn: &mut Turn<'_>) {
        match after {
            After::Nothing => {}
            After::System(outside) => self.keep_state(outside),
            After::Bulk(number) => self.keep_bulk(number),
            After::Person(about) => self.ask_person(about.0, about.1, turn.now.wall),
            // The store hands it out again.
            After::Held(_) => {
                self.holding -= 1;
                self.look_in_store();
            }
            After::Released(_) => self.not_released(),
            After::Changed(change) => self.write_down(*change),
            After::Ordered(outside, decision, head) => {
                self.decided(decision, &head);
                let text = "the store's disk is full: free space, then order it again".to_owned();
                Self::answer(outside, Err(text), turn);
            }
            After::Rested { head, .. } | After::Rereading { head, .. } => {
                self.settled(head, Some(turn.now.wall), turn.now);
            }
            // It keeps its permit and its record's lock: nothing else of the record goes before it.
            After::Launch(flight) => {
                let unit = self.first(&flight);
                self.outbox.push((unit, After::Launch(flight)));
            }
            After::LaunchBatch(flights) => self.keep_batch(flights),
            After::Doubt(doubt, due) => self.doubt(*doubt, due, turn.now),
            After::Settled(settlement) => {
                let unit = self.unit(&settlement, turn);
                self.outbox.push((unit, After::Settled(settlement)));
            }
        }
    }
}

/// A link was made or has gone: what waited for that is ready.
fn tell_intake(turn: &mut Turn<'_>) {
    turn.effect(Effect::Tell(MachineId::Intake, Notice::Linked));
}
