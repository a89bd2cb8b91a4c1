//! What is kept of new records: the same as readers say, only of what is certain, and bounded.

use ledger::{IntentState, State};
use store::conformance::make::*;

use super::*;
use crate::Embedded;
use crate::reader::Job;
use crate::tests::{handle, open_in};

/// A store whose answers from memory are compared with those of its readers.
struct Case {
    store: Arc<Embedded>,
    _folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: open_in(folder.path()), _folder: folder }
    }

    fn commit(&self, require: Vec<Require>, ops: Vec<Op>) {
        let receipts = handle(&self.store).commit(vec![Unit { require, ops }]);
        assert!(matches!(receipts[..], [Receipt::Done(_)]), "{receipts:?}");
    }

    /// Whether a delivery's question is answered from memory. What is answered is what a reader says.
    fn knows(&self, target: &str, number: u64) -> bool {
        let ask = SpokeAsk {
            key: sync_key(target, number),
            record: rec(number),
            object: object("customer"),
            references: vec![(field("parent"), object("account"))],
        };
        let (tenant, system) = (acme(), system(target));
        let known = {
            let lately = self.store.shared.lately();
            lately.spoke(&tenant, &system, std::slice::from_ref(&ask), &self.store.shared.open())
        };
        let (send, answer) = std::sync::mpsc::channel();
        let query = Query::Spoke { tenant, system, asks: vec![ask] };
        let reply = Answering::new(Box::new(move |rows| send.send(rows).unwrap()));
        self.store.finds.send(Job::Find(query, reply)).unwrap();
        let Ok(Rows::Spoke(read)) = answer.recv().unwrap() else { panic!("another answer") };
        match known {
            Some((rows, _)) => {
                assert_eq!(rows, read, "{target}");
                true
            }
            None => false,
        }
    }

    /// A record begins, with deliveries to two systems.
    fn begin(&self, number: u64) {
        let source = link(number, "crm", &format!("c{number}"));
        let require = vec![
            Require::RecordAt { record: rec(number), version: 0 },
            Require::Unlinked { tenant: acme(), external: source.external() },
        ];
        let mut seen = shadow(number, "crm", "contacts");
        seen.revision = 0;
        let raised = ["erp", "billing"].map(|target| raised(target, number, 1));
        let mut ops = vec![Op::PutLink(source), Op::PutRecord(record(number, 1)), Op::PutShadow(seen)];
        ops.extend(raised);
        self.commit(require, ops);
    }

    fn deliver(&self, target: &str, number: u64, version: i64) {
        let mut own = link(number, target, &format!("{target}{number}-{version}"));
        own.object = object("customer");
        let require = vec![Require::Unlinked { tenant: acme(), external: own.external() }];
        let ended = ledger::Intent { state: IntentState::Closed, ..sent(target, number) };
        let settled = settle(sync_key(target, number), version, State::Delivered);
        let shadow = Op::PutShadow(shadow(number, target, "customer"));
        self.commit(require, vec![Op::PutLink(own), shadow, Op::PutIntent(ended), settled]);
    }
}

fn raised(target: &str, number: u64, version: i64) -> Op {
    Op::Raise(intake::Raise { system: system(target), ..raise(target, number, version) })
}

fn sent(target: &str, number: u64) -> Intent {
    Intent { system: system(target), ..intent(number, target, number) }
}

#[test]
fn i4_a_new_record_is_answered_as_readers_would_until_its_deliveries_rest() {
    let case = Case::new();
    case.begin(1);
    assert!(case.knows("erp", 1) && case.knows("billing", 1));
    case.commit(vec![], vec![Op::PutIntent(sent("erp", 1))]);
    assert!(case.knows("erp", 1) && case.knows("billing", 1));
    case.commit(vec![], vec![Op::PutRecord(record(1, 2)), raised("erp", 1, 2), raised("billing", 1, 2)]);
    assert!(case.knows("erp", 1) && case.knows("billing", 1));
    case.deliver("erp", 1, 1);
    assert!(!case.knows("erp", 1), "its link and its shadow moved");
    assert!(case.knows("billing", 1));
    case.deliver("erp", 1, 2);
    case.deliver("billing", 1, 2);
    assert!(!case.knows("erp", 1) && !case.knows("billing", 1), "everything rests");
}

#[test]
fn i4_what_is_not_certain_is_left_to_readers() {
    let case = Case::new();
    case.commit(vec![], vec![Op::PutRecord(record(1, 1)), raised("erp", 1, 1)]);
    assert!(!case.knows("erp", 1), "nobody said that it was not there before");
    case.begin(2);
    let mut merged = record(2, 2);
    merged.alive = Alive::Merged { into: rec(1) };
    assert!(case.knows("erp", 2));
    case.commit(vec![], vec![Op::PutRecord(merged)]);
    assert!(!case.knows("erp", 2), "another record stands for it");
    case.begin(3);
    assert!(case.knows("erp", 3));
    let mut refers = record(3, 2);
    refers.fields.insert("parent".to_owned(), rec(1).to_string().into());
    case.commit(vec![], vec![Op::PutRecord(refers)]);
    assert!(!case.knows("erp", 3), "it refers to another record");
    case.begin(4);
    case.commit(vec![], vec![Op::PutLink(link(5, "crm", "c4"))]);
    assert!(!case.knows("erp", 4), "its object was taken from it, or may have been");
    case.begin(6);
    case.store.close();
    assert!(case.store.shared.lately().young.is_empty());
}

#[test]
fn i2_an_answer_names_the_group_that_moved_its_record_last() {
    let case = Case::new();
    case.begin(1);
    case.begin(2);
    let group = |number: u64| {
        let ask = SpokeAsk {
            key: sync_key("erp", number),
            record: rec(number),
            object: object("customer"),
            references: vec![],
        };
        let lately = case.store.shared.lately();
        lately.spoke(&acme(), &system("erp"), &[ask], &case.store.shared.open()).unwrap().1
    };
    let (first, second) = (group(1), group(2));
    assert!(first < second);
    case.commit(vec![], vec![Op::PutIntent(sent("billing", 1))]);
    assert!(group(1) > second);
    assert_eq!(group(2), second);
}

#[test]
fn i19_what_is_kept_is_bounded() {
    let mut lately = Lately::default();
    for number in 0..20_000 {
        let record = Arc::new(record(number, 1));
        lately.learn(number, vec![Said::Record { record, new: true }]);
    }
    let row = ROW_BYTES + weight(&record(1, 1).fields);
    assert!(lately.young.len() + lately.old.len() <= 2 * GENERATION_BYTES / row);
    assert!(lately.young.contains_key(&rec(19_999)) && !lately.old.contains_key(&rec(0)));
    // Records that grow weigh what they have become.
    let mut lately = Lately::default();
    for number in 0..1_000 {
        lately.learn(number, vec![Said::Record { record: Arc::new(record(number, 1)), new: true }]);
    }
    for number in 0..1_000 {
        let mut grown = record(number, 2);
        grown.fields.insert("story".to_owned(), "x".repeat(20_000).into());
        lately.learn(number, vec![Said::Record { record: Arc::new(grown), new: false }]);
    }
    let kept = lately.young.values().chain(lately.old.values()).map(|of| bytes_of(&of.record));
    let kept: usize = kept.sum();
    assert!(kept <= 2 * GENERATION_BYTES + 40_000, "{kept}");
}
