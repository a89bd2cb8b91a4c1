//! Merging and splitting records as jobs: what is waited for, what is refused, and that it is done once, whenever the process
//! dies.

use std::collections::BTreeMap;

use canonical::{Alive, Record};
use intake::Whole;
use ledger::{Intent, IntentState, Side};
use store::conformance::make::*;

use super::*;

/// Two contacts: both in the CRM, the second in the ERP, with a delivery that waits and one that died.
fn two() -> Vec<Op> {
    let named = |number, name: &str| {
        let record = record(number, 3);
        let fields = [("name".to_owned(), name.into())].into_iter().collect();
        Record { schema: 1, fields, absorbed: BTreeMap::new(), open: BTreeMap::new(), ..record }
    };
    let customer = intake::Link { object: object("customer"), ..link(2, "erp", "77") };
    vec![
        Op::PutRecord(named(1, "Ada")),
        Op::PutRecord(named(2, "Ada B.")),
        Op::PutLink(link(1, "crm", "one")),
        Op::PutLink(link(2, "crm", "two")),
        Op::PutLink(customer),
        Op::PutShadow(shadow(2, "erp", "customer")),
        Op::Raise(raise("r", 2, 3)),
    ]
}

impl Bench {
    fn reshape(&mut self, action: Action, prefer: BTreeMap<canonical::Field, Side>) -> Result<JobId, String> {
        let (keep, gone) = (rec(1), rec(2));
        match self.order(Order::Reshape { action, keep, gone, prefer, by: "ann".to_owned() }) {
            Some(Ack::Planned(id)) => Ok(id),
            Some(Ack::Refused(why)) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    fn both(&self) -> (Whole, Whole) {
        let query = Query::Whole { tenant: make::acme(), records: vec![rec(1), rec(2)] };
        let Rows::Whole(both) = answered(|reply| self.store.find(query, reply)) else { panic!("not whole") };
        let mut both = both.into_iter().map(Option::unwrap);
        (both.next().unwrap(), both.next().unwrap())
    }

    fn decisions(&self, record: canonical::RecordId) -> Vec<intake::Decision> {
        match answered(|reply| self.store.look(make::acme(), Look::Record(record), reply)) {
            browse::Page::Record(sheet) => sheet.unwrap().decisions,
            other => panic!("not a record: {other:?}"),
        }
    }

    fn refused(&mut self, id: JobId) -> String {
        match self.apply(id, 10) {
            Some(Ack::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_plan_of_a_merge_says_what_it_would_do_and_does_nothing() {
    let mut bench = Bench::new(two());
    let before = bench.both();
    let id = bench.reshape(Action::Merge, BTreeMap::new()).unwrap();
    let job = bench.job(id);
    let shown = job.reshape.unwrap().shown;
    assert_eq!((job.state, job.action, job.kept.total), (JobState::Planned, Action::Merge, 1));
    assert_eq!(shown.fields.len(), 1);
    assert_eq!(shown.writes.len(), 1);
    assert_eq!(
        (shown.writes[0].external_id.as_deref(), &shown.writes[0].fields[..]),
        (Some("77"), &["name".to_owned()][..])
    );
    let told: Vec<_> = shown.events.iter().map(|event| (event.kind.as_str(), event.told.len())).collect();
    assert_eq!(told, [("contact.updated", 2), ("contact.merged", 0)]);
    assert_eq!((shown.by_hand.len(), shown.irreversible.len()), (1, 4));
    bench.run();
    assert_eq!(bench.both(), before);
}

/// I8, I16: one unit, its own deliveries at rest, and said once.
#[test]
fn i16_a_merge_is_done_once_and_a_split_takes_it_back() {
    let mut bench = Bench::new(two());
    let id = bench.reshape(Action::Merge, BTreeMap::new()).unwrap();
    assert_eq!(bench.apply(id, 1), Some(Ack::Done));
    bench.run();
    let (keep, gone) = bench.both();
    assert_eq!((keep.record.version, gone.record.version), (4, 4));
    assert_eq!(gone.record.alive, Alive::Merged { into: rec(1) });
    assert_eq!(keep.links.len(), 2);
    assert_eq!(gone.links.iter().map(|link| link.external_id.as_str()).collect::<Vec<_>>(), ["two"]);
    assert_eq!((keep.shadows.len(), &keep.shadows[0].external_id), (1, &gone.shadows[0].external_id));
    assert_eq!(gone.obligations[0].state, State::Superseded);
    assert_eq!((keep.obligations[0].state, keep.obligations[0].wanted.version), (State::Pending, 4));
    let job = bench.job(id);
    assert_eq!((job.state, job.done), (JobState::Done, 1));
    let why = &keep.record.absorbed[&rec(2)].why;
    assert!(why.contains("ann: a test") && why.contains(&id.to_string()), "{why}");
    assert!(bench.refused(id).contains("ended"), "a plan is applied once");
    for record in [rec(1), rec(2)] {
        let kinds: Vec<_> = bench.decisions(record).iter().map(|decision| decision.kind.name()).collect();
        assert!(kinds.contains(&"absorbed"), "{kinds:?}");
    }
    assert!(bench.reshape(Action::Merge, BTreeMap::new()).unwrap_err().contains("already"));

    let id = bench.reshape(Action::Split, BTreeMap::new()).unwrap();
    assert_eq!(bench.apply(id, 1), Some(Ack::Done));
    bench.run();
    let (keep, gone) = bench.both();
    assert_eq!((keep.record.version, gone.record.version), (5, 5));
    assert_eq!((gone.record.alive, gone.links.len(), keep.links.len()), (Alive::Live, 2, 1));
    assert_eq!((&keep.record.fields["name"], &gone.record.fields["name"]), (&"Ada".into(), &"Ada B.".into()));
    assert_eq!((gone.obligations[0].state, gone.obligations[0].wanted.version), (State::Pending, 5));
}

/// I3: what is on its way about either is waited for, and the job says so.
#[test]
fn a_merge_waits_for_what_is_on_its_way() {
    let mut bench = Bench::new(two());
    let id = bench.reshape(Action::Merge, BTreeMap::new()).unwrap();
    bench.apply_ops(vec![Op::PutIntent(intent(5, "r", 2))]);
    assert_eq!(bench.apply(id, 1), Some(Ack::Done));
    for _ in 0..5 {
        bench.now = bench.jobs.next_wakeup(bench.clock()).unwrap().0;
        bench.give(Input::Tick);
    }
    let job = bench.job(id);
    let waits = job.reshape.unwrap().waits.unwrap();
    assert!(job.state == JobState::Running && waits.contains("erp"), "{waits}");
    assert!(job.revision <= 3, "it is not written down again and again: {}", job.revision);
    assert_eq!(bench.both().1.record.alive, Alive::Live);
    // A restart goes on with it.
    bench.restart();
    bench.apply_ops(vec![Op::PutIntent(Intent { state: IntentState::Closed, ..intent(5, "r", 2) })]);
    bench.run();
    assert_eq!(bench.both().1.record.alive, Alive::Merged { into: rec(1) });
    assert_eq!(bench.job(id).reshape.unwrap().waits, None);
}

#[test]
fn a_stale_plan_is_refused_and_one_that_was_applied_is_decided_anew() {
    let mut bench = Bench::new(two());
    let id = bench.reshape(Action::Merge, BTreeMap::new()).unwrap();
    let moved = |bench: &Bench| {
        let (keep, _) = bench.both();
        let version = keep.record.version + 1;
        let fields = [("name".to_owned(), format!("Ada {version}").into())].into_iter().collect();
        bench.apply_ops(vec![Op::PutRecord(Record { version, fields, ..keep.record })]);
    };
    moved(&bench);
    let why = bench.refused(id);
    assert!(why.contains(&rec(1).to_string()) && why.contains("make a new one"), "{why}");
    let id = bench.reshape(Action::Merge, BTreeMap::new()).unwrap();
    bench.apply_ops(vec![Op::PutIntent(intent(5, "r", 2))]);
    assert_eq!(bench.apply(id, 1), Some(Ack::Done));
    moved(&bench);
    bench.apply_ops(vec![Op::PutIntent(Intent { state: IntentState::Closed, ..intent(5, "r", 2) })]);
    bench.run();
    let (keep, _) = bench.both();
    assert_eq!((keep.record.version, &keep.record.fields["name"]), (6, &"Ada 5".into()));
    assert_eq!(keep.record.absorbed[&rec(2)].before.fields["name"], "Ada 5");
    // A record that ended meanwhile is not merged.
    let mut bench = Bench::new(two());
    let id = bench.reshape(Action::Merge, BTreeMap::new()).unwrap();
    bench.apply_ops(vec![Op::PutIntent(intent(5, "r", 2))]);
    assert_eq!(bench.apply(id, 1), Some(Ack::Done));
    let gone = bench.both().1.record;
    let alive = Alive::Deleted { by: system("crm"), at: at(5) };
    bench.apply_ops(vec![
        Op::PutRecord(Record { version: 4, alive, ..gone }),
        Op::PutIntent(Intent { state: IntentState::Closed, ..intent(5, "r", 2) }),
    ]);
    bench.run();
    let job = bench.job(id);
    assert_eq!((job.state, job.done), (JobState::Cancelled, 0));
    assert!(job.orders.last().unwrap().1.contains("was deleted by crm"), "{:?}", job.orders);
}

/// Where something goes on moving it is decided anew less and less often, at most ten seconds apart.
#[test]
fn who_is_always_overtaken_tries_less_and_less_often() {
    let mut bench = Bench::new(two());
    let id = bench.reshape(Action::Merge, BTreeMap::new()).unwrap();
    bench.conflicts = 12;
    assert_eq!(bench.apply(id, 1), Some(Ack::Done));
    let mut waits = Vec::new();
    while bench.conflicts > 0 {
        let due = bench.jobs.next_wakeup(bench.clock()).unwrap();
        waits.push(due.0.saturating_sub(bench.now));
        bench.now = bench.now.max(due.0);
        bench.give(Input::Tick);
    }
    assert!(waits.iter().all(|wait| (50_000..=10_000_000).contains(wait)), "{waits:?}");
    assert!(
        waits.iter().take(6).zip(waits.iter().skip(2)).all(|(before, after)| before < after),
        "{waits:?}"
    );
    assert!(waits.iter().skip(8).all(|wait| *wait >= 5_000_000), "{waits:?}");
    bench.run();
    assert_eq!(bench.job(id).state, JobState::Done);
}

/// What has happened is told when it is durable, once, whatever was overtaken before.
#[test]
fn what_happened_by_a_merge_is_told() {
    let mut bench = Bench::new(two());
    for (action, kind) in [(Action::Merge, "contact.merged"), (Action::Split, "contact.split")] {
        let id = bench.reshape(action, BTreeMap::new()).unwrap();
        bench.conflicts = 2;
        bench.happened.clear();
        assert_eq!(bench.apply(id, 1), Some(Ack::Done));
        assert_eq!(bench.happened, Vec::<String>::new(), "it was overtaken");
        bench.run();
        assert_eq!(bench.job(id).state, JobState::Done);
        assert!(bench.happened.iter().filter(|told| *told == kind).count() == 1, "{:?}", bench.happened);
    }
}

#[test]
fn what_cannot_be_is_refused_with_why() {
    let mut bench = Bench::new(two());
    let owned = BTreeMap::from([(field("name"), Side::Gone)]);
    let why = bench.reshape(Action::Merge, owned).unwrap_err();
    assert!(why.contains("crm owns name"), "{why}");
    assert!(bench.reshape(Action::Split, BTreeMap::new()).unwrap_err().contains("was not merged"));
    let (keep, gone) = (rec(1), rec(9));
    let none =
        Order::Reshape { action: Action::Merge, keep, gone, prefer: BTreeMap::new(), by: "ann".into() };
    let Some(Ack::Refused(why)) = bench.order(none) else { panic!("not refused") };
    assert!(why.contains(&format!("no record {gone}")), "{why}");
}

/// I16: whichever commit was the last before the process died, it is done once.
#[test]
fn i16_a_merge_and_a_split_survive_a_crash_after_every_commit() {
    for dies_after in 1..=3 {
        for action in [Action::Merge, Action::Split] {
            let mut bench = Bench::new(two());
            if action == Action::Split {
                let id = bench.reshape(Action::Merge, BTreeMap::new()).unwrap();
                assert_eq!(bench.apply(id, 1), Some(Ack::Done));
                bench.run();
            }
            let before = bench.both();
            bench.commits = 0;
            bench.dies_after = Some(dies_after);
            let (keep, gone) = (rec(1), rec(2));
            bench.order(Order::Reshape { action, keep, gone, prefer: BTreeMap::new(), by: "ann".to_owned() });
            let planned = bench.jobs.known.keys().next_back().copied().unwrap();
            if bench.job(planned).state == JobState::Planned {
                assert_eq!(bench.apply(planned, 1).is_some(), dies_after != 2);
            }
            bench.run();
            assert_eq!(bench.dies_after, None, "it died after commit {dies_after}");
            let job = bench.job(planned);
            assert_eq!((job.state, job.done), (JobState::Done, 1), "{dies_after}");
            let (keep, gone) = bench.both();
            let greater = before.0.record.version.max(before.1.record.version);
            let grown = if action == Action::Merge { &keep } else { &gone };
            assert_eq!(grown.record.version, greater + 1, "{dies_after}");
            let since =
                |record| bench.decisions(record).iter().filter(|decision| decision.field.is_none()).count();
            assert_eq!(since(rec(1)), if action == Action::Merge { 1 } else { 2 }, "{dies_after}");
        }
    }
}

/// The second version of the model, in which a field has another name.
const RENAMED: [(&str, &str); 4] = [
    (
        "model/contact@1.yaml",
        "entity: Contact\nversion: 1\nschema: {type: object, properties: {name: {type: string}}}\n\
         fields: {name: {owner: crm, pii: none}}\ncreators: [crm]\n",
    ),
    (
        "model/contact.yaml",
        "entity: Contact\nversion: 2\nschema: {type: object, properties: {title: {type: string}}}\n\
         fields: {title: {owner: crm, pii: none}}\ncreators: [crm]\nretired: [name]\n\
         upcast: [{from: 1, rows: [{field: title, was: name}]}]\n",
    ),
    (
        "mappings/contact.crm.yaml",
        "mapping: contact.crm\nversion: 2\nentity: Contact\nsystem: crm\nobject: contacts\nfields:\n  \
         - {field: title, path: name, direction: in}\n",
    ),
    (
        "mappings/contact.erp.yaml",
        "mapping: contact.erp\nversion: 2\nentity: Contact\nsystem: erp\nobject: customer\nfields:\n  \
         - {field: title, path: name, direction: out}\n",
    ),
];

impl Bench {
    /// The hub takes the newer configuration.
    fn renamed(&mut self) {
        self.config = crate::sample::configuration_with(&RENAMED);
        self.restart();
    }

    fn done(&mut self, action: Action) {
        let id = self.reshape(action, BTreeMap::new()).unwrap();
        assert_eq!(self.apply(id, 1), Some(Ack::Done));
        self.run();
        assert_eq!(self.job(id).state, JobState::Done);
    }
}

/// Records that were written under an older version of the schema are merged and split as the newer one reads them.
#[test]
fn what_was_written_under_an_older_version_is_merged_and_split_under_the_newer_one() {
    for merged_before in [true, false] {
        let mut bench = Bench::new(two());
        if merged_before {
            bench.done(Action::Merge);
            bench.renamed();
        } else {
            bench.renamed();
            bench.done(Action::Merge);
            let (keep, gone) = bench.both();
            assert_eq!((keep.record.schema, gone.record.schema), (2, 2));
            let titles = [&keep, &gone].map(|whole| whole.record.fields.get("title").cloned());
            assert_eq!(titles, [Some("Ada".into()), Some("Ada B.".into())], "by the newer name");
        }
        bench.done(Action::Split);
        for (whole, name) in <[Whole; 2]>::from(bench.both()).into_iter().zip(["Ada", "Ada B."]) {
            let record = whole.record;
            let known = (record.schema, record.fields.get("title"), record.fields.get("name"));
            assert_eq!(known, (2, Some(&name.into()), None), "merged before: {merged_before}");
        }
    }
}
