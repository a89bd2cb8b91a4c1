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
        let fields: Fields = json!({"name": name, "account": "a9"}).as_object().unwrap().clone();
        let observation = Observation {
            version: None,
            object: Object::new("deals").unwrap(),
            external_id: "d1".to_owned(),
            seen: Seen::State { fields },
            order: Some(OrderToken(version)),
            event_id: None,
            occurred_at: None,
            changed_at: None,
            trace: None,
        };
        self.taken(|turn| {
            let (source, arrival) = (System::new("crm").unwrap(), Arrival::Read(observation));
            prepare::prepare(&self.config, "", &source, origin, NOW, 1, 0, arrival, turn)
        })
    }

    /// What is kept when that message goes on.
    fn again(&self, message: Message) -> Vec<Op> {
        self.taken(|turn| prepare::again(&self.config, "", message, turn))
    }

    fn taken(&self, item: impl FnOnce(&mut Turn<'_>) -> Item) -> Vec<Op> {
        Self::turn(|turn| {
            let item = item(turn);
            let (tell, told) = std::sync::mpsc::channel();
            let (tenant, asks) = (Tenant::new("acme").unwrap(), vec![item.ask.clone()]);
            let reply = Box::new(move |rows| tell.send(rows).unwrap());
            self.store.find(store::Query::Intake { tenant, asks }, reply);
            let Ok(store::Rows::Intake(mut view)) = told.recv().unwrap() else { panic!("no view") };
            let found = units::decide_batch(&self.config, &mut view, vec![item], turn).units();
            self.commit(found.clone());
            found.into_iter().flat_map(|unit| unit.ops).collect()
        })
    }

    fn commit(&self, units: Vec<store::Unit>) {
        let (tell, told) = std::sync::mpsc::channel();
        self.store.commit(units, Box::new(move |done| tell.send(done).unwrap()));
        let receipts = told.recv().unwrap().unwrap();
        assert!(receipts.iter().all(|receipt| matches!(receipt, store::Receipt::Done(_))), "{receipts:?}");
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
