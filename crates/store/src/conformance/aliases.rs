//! Records that were merged into another: who stands for whom, and what that means for links, match keys and what waits.

use canonical::{Alive, Record, RecordId};
use intake::Whole;
use ledger::{IntentState, State, Waiting};
use serde_json::json;

use super::Backend;
use super::make::*;
use crate::query::SpokeAsk;
use crate::{Op, Query, Require, Rows};

fn merged(number: u64, into: u64) -> Op {
    Op::PutRecord(Record { alive: Alive::Merged { into: rec(into) }, ..record(number, 4) })
}

/// Only what was merged does not stand for itself; after a split it does again.
pub fn who_stands_for_itself(backend: &Backend) {
    let stands = |number| backend.holds(Require::Stands { record: rec(number) });
    assert!(stands(1), "what nobody knows");
    backend.apply(vec![Op::PutRecord(record(1, 3))]);
    assert!(stands(1));
    backend.apply(vec![merged(1, 2)]);
    assert!(!stands(1) && stands(2));
    backend.apply(vec![Op::PutRecord(record(1, 5))]);
    assert!(stands(1));
}

/// What is open or in doubt is, whatever it is about; what is closed is not.
pub fn what_is_open_is_required(backend: &Backend) {
    let quiet = |number| backend.holds(Require::NoOpenIntent { record: rec(number) });
    assert!(quiet(1));
    backend.apply(vec![Op::Raise(raise("r", 1, 1)), Op::PutIntent(intent(1, "r", 1))]);
    assert!(!quiet(1) && quiet(2));
    let doubtful = ledger::Intent { state: IntentState::Doubtful, ..intent(1, "r", 1) };
    backend.apply(vec![Op::PutIntent(doubtful)]);
    assert!(!quiet(1));
    let closed = ledger::Intent { state: IntentState::Closed, ..intent(1, "r", 1) };
    let both = vec![Require::NoOpenIntent { record: rec(1) }];
    backend.apply(vec![Op::PutIntent(closed)]);
    assert!(quiet(1));
    let receipts = backend.commit(vec![
        crate::Unit { require: vec![], ops: vec![Op::PutIntent(intent(2, "r", 1))] },
        crate::Unit { require: both, ops: vec![Op::PutRecord(record(1, 1))] },
    ]);
    assert_eq!(receipts, [crate::Receipt::Done(vec![]), crate::Receipt::Conflict], "in the same commit");
}

/// An alias is linked where the record is that stands for it; a match key is one's own, too, where an alias has it.
pub fn an_alias_is_linked_as_its_survivor(backend: &Backend) {
    let free = |number| {
        let (system, object) = (system("crm"), object("contacts"));
        backend.holds(Require::NotYetLinked { record: rec(number), system, object })
    };
    backend.apply(vec![merged(1, 2), merged(2, 3), Op::PutRecord(record(3, 5))]);
    assert!(free(1) && free(3));
    backend.apply(vec![Op::PutLink(link(3, "crm", "x"))]);
    assert!(!free(1) && !free(2) && !free(3));
    // A further object stays with the alias, and is no link of the survivor.
    backend.apply(vec![Op::DropLink(link(3, "crm", "x")), Op::PutLink(link(1, "crm", "y"))]);
    assert!(!free(1) && free(2) && free(3));
    let to = |number, id: &str| {
        backend.holds(Require::LinkedTo { record: rec(number), external: external("crm", "contacts", id) })
    };
    assert!(to(1, "y") && !to(1, "x") && !to(3, "y") && !to(2, "y"));
}

/// A link of a survivor wakes what waits for any of its aliases, and nothing else.
pub fn a_link_wakes_who_waits_for_an_alias(backend: &Backend) {
    let wait = |route: &str, number: u64, for_record: u64| {
        let waiting = Waiting::Link { record: rec(for_record), object: object("contacts"), until: at(900) };
        vec![
            Op::Raise(raise(route, number, 1)),
            Op::Settle {
                key: sync_key(route, number),
                level: level(1),
                reached: false,
                state: State::Parked,
                attempts: 0,
                due: at(900),
                waiting: Some(waiting),
                reason: None,
                at: at(1),
            },
        ]
    };
    backend.apply(vec![merged(1, 2), merged(2, 3), Op::PutRecord(record(3, 5))]);
    for (route, number, of) in [("a", 11, 1), ("b", 12, 3), ("c", 13, 9), ("d", 14, 2)] {
        backend.apply(wait(route, number, of));
    }
    let heads = backend.apply(vec![Op::PutLink(link(3, "erp", "x"))]);
    let woken: Vec<_> = heads.iter().map(|head| head.key.clone()).collect();
    assert_eq!(woken, [sync_key("b", 12), sync_key("a", 11), sync_key("d", 14)]);
}

/// What refers to an alias refers to what the survivor has there; where it has nothing, to what the alias has.
pub fn references_lead_to_the_survivor_first(backend: &Backend) {
    let mut referring = record(8, 1);
    referring.fields.insert("account".to_owned(), json!(rec(1).to_string()));
    let in_erp = |number, id: &str| intake::Link { object: object("customer"), ..link(number, "erp", id) };
    backend.apply(vec![
        merged(1, 2),
        Op::PutRecord(record(2, 1)),
        Op::PutRecord(referring),
        Op::PutLink(in_erp(1, "second")),
        Op::PutLink(in_erp(2, "first")),
    ]);
    let found = || {
        let references = vec![(field("account"), object("customer"))];
        let ask = SpokeAsk { references, ..spoke_ask("r", 8) };
        let query = Query::Spoke { tenant: acme(), system: system("erp"), asks: vec![ask] };
        let Rows::Spoke(rows) = backend.find(query) else { panic!("not rows of a spoke") };
        rows[0].links.get(&(rec(1), object("customer"))).cloned()
    };
    let own = || {
        let asks = vec![spoke_ask("r", 1)];
        let query = Query::Spoke { tenant: acme(), system: system("erp"), asks };
        let Rows::Spoke(mut rows) = backend.find(query) else { panic!("not rows of a spoke") };
        rows.remove(0).link
    };
    assert_eq!((found().as_deref(), own().as_deref()), (Some("first"), Some("first")));
    backend.apply(vec![Op::DropLink(in_erp(2, "first"))]);
    assert_eq!((found().as_deref(), own().as_deref()), (Some("second"), Some("second")));
}

/// Records by themselves, with everything that hangs on them.
pub fn a_record_is_seen_whole(backend: &Backend) {
    backend.apply(vec![
        merged(1, 2),
        Op::PutRecord(record(2, 7)),
        Op::PutLink(link(2, "marketing", "m")),
        Op::PutLink(link(2, "crm", "c")),
        Op::PutShadow(shadow(2, "marketing", "contacts")),
        Op::PutShadow(shadow(2, "crm", "contacts")),
        Op::Raise(raise("r", 2, 7)),
        Op::Raise(raise("s", 2, 7)),
        Op::Raise(raise("r", 1, 7)),
        Op::PutFact(fact(5, 2)),
        Op::Raise(notify("n", 5, 2)),
        Op::PutIntent(intent(9, "r", 2)),
        Op::PutIntent(intent(8, "s", 2)),
        Op::PutIntent(intent(7, "r", 1)),
        Op::PutIntent(ledger::Intent { state: IntentState::Closed, ..intent(6, "r", 2) }),
    ]);
    let ask = |tenant, numbers: &[u64]| -> Vec<Option<Whole>> {
        let records: Vec<RecordId> = numbers.iter().map(|number| rec(*number)).collect();
        match backend.find(Query::Whole { tenant, records }) {
            Rows::Whole(found) => found,
            other => panic!("{other:?}"),
        }
    };
    let found = ask(acme(), &[2, 1, 99]);
    let [Some(two), Some(one), None] = &found[..] else { panic!("{found:?}") };
    assert_eq!(two.record, record(2, 7));
    assert_eq!(two.links, [link(2, "crm", "c"), link(2, "marketing", "m")]);
    let shadows =
        ["crm", "marketing"].map(|name| ledger::Shadow { revision: 1, ..shadow(2, name, "contacts") });
    assert_eq!(two.shadows, shadows);
    let keys: Vec<_> = two.obligations.iter().map(|row| row.key.clone()).collect();
    assert_eq!(keys, [sync_key("r", 2), sync_key("s", 2)]);
    let open: Vec<_> = two.open.iter().map(|(id, to)| (*id, to.as_str())).collect();
    assert_eq!(open, [(intent(8, "s", 2).id, "erp"), (intent(9, "r", 2).id, "erp")]);
    assert_eq!((one.record.id, one.record.alive.clone()), (rec(1), Alive::Merged { into: rec(2) }));
    assert_eq!(one.open.len(), 1);
    assert_eq!(ask(other(), &[2]), [None]);
}
