//! The intake machine by hand: what is asked and committed when, with the answers held back.

use std::time::Duration;

use canonical::{Mono, Now, System, Wall};
use connector::Observation;
use hub::{Arrival, Effect, Input, Intake, Machine as _, Offer, Origin, Ticket, Turn};
use store::{Op, Query, Receipt, Rows, Unit};

use crate::{Class, configuration, sayings};

/// An intake machine whose effects wait to be answered.
struct Hand {
    intake: Intake,
    turns: u64,
    now: Mono,
    /// How often parked messages were asked for.
    looks: u32,
}

impl Hand {
    fn new() -> Self {
        let mut hand =
            Self { intake: Intake::new(configuration(&[Class::Upsert])), turns: 0, now: Mono(0), looks: 0 };
        assert!(hand.tell(Input::Start).is_empty());
        hand
    }

    fn tell(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.turns += 1;
        let now = Now { mono: self.now, wall: Wall(1_800_000_000_000_000) };
        self.intake.handle(input, &mut Turn::new(now, self.turns, &mut effects));
        effects.retain(|effect| !matches!(effect, Effect::Note(_)));
        // Nothing waits.
        effects.retain(|effect| !matches!(effect, Effect::Find(_, Query::Backlog { .. })));
        // No parked messages.
        if let Some(Effect::Find(ticket, Query::Ready { .. })) = effects.last() {
            let ticket = *ticket;
            self.looks += 1;
            effects.pop();
            effects.extend(self.tell(Input::Found(ticket, Ok(Rows::Ready(vec![], None)))));
        }
        effects
    }

    fn offer(&mut self, ticket: u64, origin: Origin, said: &[Observation]) -> Vec<Effect> {
        let (source, as_of) = (System::new("src").unwrap(), Wall(1_800_000_000_000_000));
        let arrivals = said.iter().cloned().map(Arrival::Read).collect();
        self.tell(Input::Offer(Offer {
            ticket: Ticket(ticket),
            origin,
            source,
            as_of,
            arrivals,
            watched: false,
            posted: false,
        }))
    }

    /// Answers a look-up as an empty store would; gives the commit that follows, and what else.
    fn looked_up(&mut self, effects: &[Effect]) -> (Ticket, Vec<Unit>, Vec<Effect>) {
        let [Effect::Find(ticket, _)] = effects else { panic!("{effects:?}") };
        let mut effects = self.tell(Input::Found(*ticket, Ok(Rows::Intake(Box::default()))));
        let Effect::Commit(ticket, units) = effects.remove(0) else { panic!("{effects:?}") };
        (ticket, units, effects)
    }

    fn committed(&mut self, ticket: Ticket, receipts: Vec<Receipt>) -> Vec<Effect> {
        self.tell(Input::Committed(ticket, Ok(receipts)))
    }
}

fn done() -> Receipt {
    Receipt::Done(vec![])
}

fn keeps_cursor(units: &[Unit]) -> bool {
    units.iter().flat_map(|unit| &unit.ops).any(|op| matches!(op, Op::PutCursor { .. }))
}

fn things(records: usize) -> Vec<Observation> {
    sayings(records, 1, Duration::ZERO).into_iter().map(|(_, said)| said).collect()
}

/// I1: the cursor of a page moves when all of the page is durable, also when a part of it has to be decided again.
#[test]
fn i1_a_cursor_moves_after_all_of_its_page() {
    let said = things(2);
    let origin = Origin::Polled { object: said[0].object.clone(), cursor: "next".to_owned() };
    let mut hand = Hand::new();
    let found = hand.offer(1, origin.clone(), &said);
    let (ticket, units, _) = hand.looked_up(&found);
    assert!(units.len() == 2 && !keeps_cursor(&units));
    let again = hand.committed(ticket, vec![done(), Receipt::Conflict]);
    let (ticket, units, _) = hand.looked_up(&again);
    assert!(units.len() == 1 && !keeps_cursor(&units));
    let last = hand.committed(ticket, vec![done()]);
    let (ticket, units, _) = hand.looked_up(&last);
    assert!(keeps_cursor(&units), "{units:?}");
    let told = hand.committed(ticket, vec![done()]);
    assert!(matches!(told.first(), Some(Effect::Tell(..))), "{told:?}");
    // A page of one, and one without news, take a single commit; the cursor is the tenant's own.
    for said in [&said[..1], &[]] {
        let found = hand.offer(2, origin.clone(), said);
        let (ticket, units, _) = hand.looked_up(&found);
        let cursor = units.iter().flat_map(|unit| &unit.ops).find_map(|op| match op {
            Op::PutCursor { tenant, .. } => Some(tenant.as_str()),
            _ => None,
        });
        assert_eq!((units.len(), cursor), (1, Some("acme")));
        hand.committed(ticket, vec![done()]);
    }
}

/// I1: what was parked and is ready gets its turn also while new messages never cease.
#[test]
fn i1_parked_messages_do_not_starve_under_load() {
    let said = things(9);
    let mut hand = Hand::new();
    let mut found = hand.offer(1, Origin::Pushed, &said[..1]);
    let before = hand.looks;
    for (ticket, said) in (2..).zip(&said[1..]) {
        hand.now = hand.now + Duration::from_secs(3);
        // The next is there before the last is done.
        assert!(hand.offer(ticket, Origin::Pushed, std::slice::from_ref(said)).is_empty());
        let (commit, _, _) = hand.looked_up(&found);
        found = hand.committed(commit, vec![done()]);
        found.retain(|effect| matches!(effect, Effect::Find(..)));
    }
    assert!(hand.looks >= before + 2, "{} looks in 24 s", hand.looks - before);
}
