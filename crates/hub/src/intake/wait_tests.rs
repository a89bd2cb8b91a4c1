//! What waits for a link waits once, however often its source is read meanwhile; and when it is through, what is read counts.

use std::sync::Arc;

use canonical::{ExternalRef, Fields, Mono, Now, Object, OrderToken, System, Tenant, Wall};
use config::Configuration;
use connector::{Observation, Seen};
use intake::{Link, Message, MessageState};
use serde_json::json;
use store::conformance::make;
use store::memory::Memory;
use store::{Op, Store as _};

use super::echo_tests::configured;
use super::item::Item;
use super::{prepare, units};
use crate::turn::{Arrival, Effect, Origin, Turn};

const NOW: Wall = Wall(1_800_000_000_000_000);

struct Bench {
    config: Arc<Configuration>,
    store: Memory,
}

impl Bench {
    fn new(late: bool) -> Self {
        Self { config: configured("{owner: crm, pii: none}", late), store: Memory::new() }
    }

    fn turn<T>(then: impl FnOnce(&mut Turn<'_>) -> T) -> T {
        let mut effects: Vec<Effect> = Vec::new();
        then(&mut Turn::new(Now { mono: Mono(1), wall: NOW }, 7, &mut effects))
    }

    /// What is kept of a deal with that name, which belongs to the account a9, in that version, when a listing or a read shows it.
    fn read(&self, origin: &Origin, name: &str, version: i64) -> Vec<Op> {
        self.read_of(origin, name, Some(OrderToken(version)))
    }

    fn read_of(&self, origin: &Origin, name: &str, order: Option<OrderToken>) -> Vec<Op> {
        self.taken(|turn| self.item(origin, name, "a9", order, turn))
    }

    fn item(
        &self,
        origin: &Origin,
        name: &str,
        account: &str,
        order: Option<OrderToken>,
        turn: &mut Turn<'_>,
    ) -> Item {
        let fields: Fields = json!({"name": name, "account": account}).as_object().unwrap().clone();
        let observation = Observation {
            version: None,
            object: Object::new("deals").unwrap(),
            external_id: "d1".to_owned(),
            seen: Seen::State { fields },
            order,
            event_id: None,
            occurred_at: None,
            changed_at: None,
            trace: None,
        };
        let (source, arrival) = (System::new("crm").unwrap(), Arrival::Read(observation));
        prepare::prepare(&self.config, "", &source, origin, NOW, 1, 0, arrival, turn)
    }

    /// What is kept when that message goes on.
    fn again(&self, message: Message) -> Vec<Op> {
        self.taken(|turn| prepare::again(&self.config, "", message, turn))
    }

    fn taken(&self, item: impl FnOnce(&mut Turn<'_>) -> Item) -> Vec<Op> {
        Self::turn(|turn| {
            let items = vec![item(turn)];
            let (units, receipts) = self.decided(items, &|| (), turn);
            assert!(
                receipts.iter().all(|receipt| matches!(receipt, store::Receipt::Done(_))),
                "{receipts:?}"
            );
            units.into_iter().flat_map(|unit| unit.ops).collect()
        })
    }

    /// Items decided together, with what happens between the look and the commit.
    fn decided(
        &self,
        items: Vec<Item>,
        meanwhile: &dyn Fn(),
        turn: &mut Turn<'_>,
    ) -> (Vec<store::Unit>, Vec<store::Receipt>) {
        let (tell, told) = std::sync::mpsc::channel();
        let asks = items.iter().map(|item| item.ask.clone()).collect();
        let tenant = Tenant::new("acme").unwrap();
        let reply = Box::new(move |rows| tell.send(rows).unwrap());
        self.store.find(store::Query::Intake { tenant, asks }, reply);
        let Ok(store::Rows::Intake(mut view)) = told.recv().unwrap() else { panic!("no view") };
        let mut batch = units::decide_batch(&self.config, &mut view, items, turn);
        let units = batch.units();
        meanwhile();
        let receipts = self.committed(units.clone());
        let again = batch.conclude(receipts.clone(), turn).again;
        if !again.is_empty() {
            assert!(again.iter().all(|item| item.tries < 3), "it goes round and round");
            let (more, end) = self.decided(again, &|| (), turn);
            return (units.into_iter().chain(more).collect(), end);
        }
        (units, receipts)
    }

    fn commit(&self, units: Vec<store::Unit>) {
        let receipts = self.committed(units);
        assert!(receipts.iter().all(|receipt| matches!(receipt, store::Receipt::Done(_))), "{receipts:?}");
    }

    fn committed(&self, units: Vec<store::Unit>) -> Vec<store::Receipt> {
        let (tell, told) = std::sync::mpsc::channel();
        self.store.commit(units, Box::new(move |done| tell.send(done).unwrap()));
        told.recv().unwrap().unwrap()
    }

    /// The account is there.
    fn link(&self) {
        let link = account();
        let record = canonical::Record { entity: link.entity.clone(), ..make::record(9, 1) };
        let ops = vec![Op::PutRecord(record), Op::PutLink(link)];
        self.commit(vec![store::Unit { require: Vec::new(), ops }]);
    }
}

fn account() -> Link {
    Link {
        tenant: Tenant::new("acme").unwrap(),
        system: System::new("crm").unwrap(),
        instance: String::new(),
        object: Object::new("accounts").unwrap(),
        external_id: "a9".to_owned(),
        entity: canonical::Entity::new("Account").unwrap(),
        record: make::rec(9),
        created_at: NOW,
    }
}

fn listed() -> Origin {
    Origin::Polled { object: Object::new("deals").unwrap(), cursor: "c".to_owned() }
}

fn fetched() -> Origin {
    let (system, object) = (System::new("crm").unwrap(), Object::new("deals").unwrap());
    Origin::Fetched { external: ExternalRef { system, object, id: "d1".to_owned() } }
}

fn parked(ops: &[Op]) -> Vec<Message> {
    let kept =
        ops.iter().filter_map(|op| if let Op::PutMessage(message) = op { Some(message) } else { None });
    kept.filter(|message| message.state == MessageState::Parked).cloned().collect()
}

fn merged(ops: &[Op]) -> bool {
    ops.iter().any(|op| matches!(op, Op::PutRecord(_)))
}

/// A listing shows what did not move each time it looks back, and a hint has it read: it waits once, and one message comes to
/// a person when nothing comes of it. Another state of it waits beside the first.
#[test]
fn what_waits_for_a_link_waits_once() {
    let bench = Bench::new(false);
    let first = parked(&bench.read(&listed(), "Ada", 5));
    assert_eq!(first.len(), 1);
    for origin in [listed(), fetched(), listed()] {
        assert_eq!(parked(&bench.read(&origin, "Ada", 5)), []);
    }
    assert_eq!(parked(&bench.read(&listed(), "Bea", 6)).len(), 1);
    // Its deadline passes: it needs a person, and is read no more than before.
    let late = Message { deadline: Some(NOW), ..first[0].clone() };
    let ops = bench.again(late);
    let to_person =
        |op: &Op| matches!(op, Op::PutMessage(message) if message.state == MessageState::Quarantined);
    assert_eq!(ops.iter().filter(|op| to_person(op)).count(), 1);
    assert!(bench.read(&fetched(), "Ada", 5).iter().all(|op| !matches!(op, Op::PutMessage(_))));
}

/// What is through waits no more. The same read again is judged by itself: it may be the answer to a question.
#[test]
fn what_waited_and_is_through_is_judged_when_it_is_read_again() {
    let bench = Bench::new(false);
    let waits = parked(&bench.read(&listed(), "Ada", 5));
    bench.link();
    assert!(merged(&bench.again(waits[0].clone())));
    // So it waits anew where its account is gone again.
    bench.commit(vec![store::Unit { require: Vec::new(), ops: vec![Op::DropLink(account())] }]);
    assert_eq!(parked(&bench.read(&fetched(), "Ada", 5)).len(), 1);
}

/// Of what was taken in without a late reference, only that waits, and that once; all else that is read counts each time.
#[test]
fn a_late_reference_waits_once_and_all_else_counts() {
    let bench = Bench::new(true);
    let ops = bench.read(&listed(), "Ada", 5);
    let waits = parked(&ops);
    assert!(merged(&ops) && waits.len() == 1 && waits[0].lacking);
    for origin in [listed(), fetched()] {
        assert_eq!(parked(&bench.read(&origin, "Ada", 5)), []);
    }
    let ops = bench.read(&listed(), "Bea", 6);
    assert!(merged(&ops) && parked(&ops).len() == 1, "another state of it");
    bench.link();
    let ops = bench.again(waits[0].clone());
    assert!(ops.iter().any(|op| matches!(op, Op::Unsee { event_id, .. } if event_id.starts_with("late/"))));
}

/// A source without an order may say again what it said before something else: that is news. What it says once more as it stands
/// is none.
#[test]
fn what_has_no_order_waits_once_too_and_is_news_when_it_comes_back() {
    for late in [false, true] {
        let bench = Bench::new(late);
        let reads = |name| parked(&bench.read_of(&listed(), name, None)).len();
        assert_eq!([reads("Ada"), reads("Ada"), reads("Ada")], [1, 0, 0]);
        assert_eq!([reads("Bea"), reads("Bea")], [1, 0]);
        assert_eq!([reads("Ada"), reads("Ada")], [1, 0], "it came back");
    }
    let bench = Bench::new(false);
    let waits = parked(&bench.read_of(&listed(), "Ada", None));
    bench.link();
    assert!(merged(&bench.again(waits[0].clone())));
    assert!(!merged(&bench.read_of(&fetched(), "Ada", None)), "it is as it was read");
    assert!(merged(&bench.read_of(&fetched(), "Bea", None)));
}

/// A batch with several states of one object, of which each waits; and a state that comes back after one that did not wait.
#[test]
fn what_has_no_order_is_known_by_what_was_read_of_it_last() {
    let bench = Bench::new(false);
    let kept = |units: Vec<store::Unit>| {
        parked(&units.into_iter().flat_map(|unit| unit.ops).collect::<Vec<_>>()).len()
    };
    let together = |names: &[(&str, &str)]| {
        Bench::turn(|turn| {
            let items = names
                .iter()
                .map(|(name, account)| bench.item(&listed(), name, account, None, turn))
                .collect();
            kept(bench.decided(items, &|| (), turn).0)
        })
    };
    assert_eq!(together(&[("Ada", "a9"), ("Bea", "a9"), ("Bea", "a9")]), 2);
    assert_eq!(together(&[("Ada", "a9"), ("Bea", "a9")]), 2, "it went there and back");
    assert_eq!(together(&[("Bea", "a9")]), 0);
    // Another account is there: what refers to it does not wait, and what waited is told from it.
    let link = Link { external_id: "a1".to_owned(), record: make::rec(8), ..account() };
    let record = canonical::Record { entity: link.entity.clone(), ..make::record(8, 1) };
    let ops = vec![Op::PutRecord(record), Op::PutLink(link)];
    bench.commit(vec![store::Unit { require: Vec::new(), ops }]);
    assert_eq!(together(&[("Bea", "a1")]), 0);
    assert_eq!(together(&[("Bea", "a9")]), 1, "it came back");
}

/// What it waits for may come between the look and the commit: then it is decided again, waits no more, and nothing is known by
/// the name of what waits.
#[test]
fn what_is_decided_again_is_known_as_what_came_of_it() {
    for order in [None, Some(OrderToken(5))] {
        let bench = Bench::new(false);
        let (units, _) = Bench::turn(|turn| {
            let item = bench.item(&listed(), "Ada", "a9", order, turn);
            bench.decided(vec![item], &|| bench.link(), turn)
        });
        let last = &units.last().unwrap().ops;
        assert!(merged(last) && last.iter().all(|op| !matches!(op, Op::Seen { .. })), "{last:?}");
    }
}
