//! Records that are merged and split again while the hub works: nothing is lost, nothing is made twice, and in the end every
//! object has what its own source says, also when the hub dies at any step, or when objects are being made just then.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{Alive, System};
use ledger::{Action, JobState, State};
use store::browse::{DeliveryFilter, Look, Page};

use crate::{Class, Faults, Mode, Options, Simulation, Vendor, Verdict, configuration, judge, sayings};

const RECORDS: usize = 4;
const PAIR: (&str, &str) = ("thing-1", "thing-2");
/// When the source has said everything, and all of it is delivered.
const SETTLED: Duration = Duration::from_secs(3);

fn options(seed: u64, crash_at: Vec<u64>, faults: Faults) -> Options {
    let (heal_after, end_after) = (Duration::from_secs(8), Duration::from_secs(60));
    Options { seed, crash_at, faults, heal_after, end_after, renew_at: None }
}

/// Merged at a time, and split again so much later.
fn run(class: Class, options: Options, merge: Duration, split: Duration) -> (Simulation, u64) {
    let system = System::new(class.name()).unwrap();
    let targets: BTreeMap<System, Vendor> = [(system, Vendor::new(class))].into_iter().collect();
    // While they are one, both are said to have changed.
    let mut said = sayings(RECORDS, 4, Duration::from_millis(40));
    for (at, saying) in said.iter_mut().skip(2 * RECORDS) {
        if saying.external_id == PAIR.0 || saying.external_id == PAIR.1 {
            *at += merge;
        }
    }
    said.sort_by_key(|(at, _)| *at);
    let mut run = Simulation::new(options, configuration(&[class]), said, targets);
    run.reshape_at(merge, PAIR, false);
    run.reshape_at(merge + split, PAIR, true);
    let effects = run.run();
    assert_eq!(run.stopped(), None);
    (run, effects)
}

/// In the end both records stand, each with what its own object says, and every target has each of them once.
#[track_caller]
fn assert_two_again(run: &Simulation, verdict: &Verdict, what: &str) {
    assert!(verdict.holds(), "{what}: {verdict:?}");
    for action in [Action::Merge, Action::Split] {
        let jobs = run.jobs();
        let done = jobs.iter().filter(|job| job.action == action && job.state == JobState::Done).count();
        assert_eq!(done, 1, "{what}: {jobs:?}");
    }
    for name in [PAIR.0, PAIR.1] {
        let sheet = run.of_source(name).unwrap();
        assert_eq!(sheet.record.alive, Alive::Live, "{what}");
        assert!(sheet.record.absorbed.is_empty(), "{what}");
        assert_eq!(sheet.record.fields["key"], name, "{what}");
        assert_eq!(sheet.links.len(), 2, "{what}: {:?}", sheet.links);
    }
    assert_quiet(run, what);
    let open = DeliveryFilter {
        states: vec![State::Pending, State::Retrying, State::Parked, State::Uncertain, State::Dead],
        limit: 100,
        ..DeliveryFilter::default()
    };
    let Some(Page::Deliveries(rows)) = run.page(Look::Deliveries(open)) else { panic!("not deliveries") };
    assert!(rows.is_empty(), "{what}: {rows:?}");
}

/// While a record is an alias nothing is sent in its name: not what was on its way when it became one, and nothing new.
#[track_caller]
fn assert_quiet(run: &Simulation, what: &str) {
    let jobs = run.jobs();
    let done = |action| {
        let mut ends = jobs.iter().filter(|job| job.action == action && job.state == JobState::Done);
        ends.next().and_then(|job| job.ended_at).unwrap()
    };
    let (from, until) = (done(Action::Merge), done(Action::Split));
    for intent in &run.of_source(PAIR.1).unwrap().intents {
        let over = intent.closed_at.is_some_and(|closed| closed <= from);
        assert!(over || intent.created_at >= until, "{what}: merged {from:?}, split {until:?}: {intent:?}");
    }
}

/// Both records have objects at the target by then: the second one's rests while they are one.
#[test]
fn what_is_merged_and_split_again_is_as_it_was() {
    for class in Class::ALL {
        let (run, _) = run(class, options(3, Vec::new(), Faults::default()), SETTLED, Duration::from_secs(2));
        assert_two_again(&run, &judge(&run), class.name());
    }
}

/// I1, I3, I8, I16: the hub dies at any step of it.
#[test]
fn i16_a_merge_and_a_split_survive_a_crash_at_every_step() {
    for class in [Class::Upsert, Class::Marker] {
        let at = |crash_at| options(3, crash_at, Faults::default());
        let (_, all) = run(class, at(Vec::new()), SETTLED, Duration::from_millis(900));
        let first = all.min(110);
        for step in first..first + 150 {
            let (run, _) = run(class, at(vec![step]), SETTLED, Duration::from_millis(900));
            assert_two_again(&run, &judge(&run), &format!("{} crash at {step}", class.name()));
        }
    }
}

/// I3, I4, I8: they are merged just while their objects are being made at the target, and answers get lost.
#[test]
fn i3_a_merge_does_not_meet_what_is_being_made() {
    for class in [Class::Upsert, Class::NativeKey, Class::SearchFirst, Class::Marker] {
        for turn in 0..40_u64 {
            let faults = Faults { lose: 15, late: 10, slow: 25, fail_after: 5, ..Faults::default() };
            let merge = Duration::from_millis(45 + 17 * turn);
            let (run, _) = run(class, options(turn, Vec::new(), faults), merge, Duration::from_secs(9));
            // An object that stood for the one and then for the other had the values of both.
            let verdict = Verdict { backwards: 0, ..judge(&run) };
            assert_two_again(&run, &verdict, &format!("{} in turn {turn}", class.name()));
        }
    }
}

/// I3, I4: a send is judged before the merge, and its intent would be durable after it. Or the other way round.
#[test]
fn i4_a_merge_and_a_send_do_not_cross() {
    let class = Class::Upsert;
    let mut crossed = 0;
    for turn in 0..160_u64 {
        // The page is written right after the person applied the plan, at the second look.
        let edit = SETTLED + Duration::from_millis(158) + Duration::from_micros(150 * turn);
        let mut said = sayings(RECORDS, 3, Duration::from_millis(40));
        for (at, _) in
            said.iter_mut().filter(|(at, saying)| at.as_millis() > 320 && saying.external_id == PAIR.1)
        {
            *at = edit;
        }
        said.sort_by_key(|(at, _)| *at);
        let system = System::new(class.name()).unwrap();
        let targets: BTreeMap<System, Vendor> = [(system, Vendor::new(class))].into_iter().collect();
        let options = options(turn, Vec::new(), Faults::default());
        let mut run = Simulation::new(options, configuration(&[class]), said, targets);
        run.reshape_at(SETTLED, PAIR, false);
        run.reshape_at(SETTLED + Duration::from_secs(2), PAIR, true);
        run.run();
        assert_eq!(run.stopped(), None);
        crossed += run.marked("DecidedAgain");
        assert_two_again(&run, &judge(&run), &format!("in turn {turn}"));
    }
    assert!(crossed > 0, "nothing crossed: the times have moved");
}

/// I1 to I8, I16: in an estate with all its faults people take two records for one, and take it back.
#[test]
fn estates_in_which_people_merge_hold() {
    let (mut merged, mut split) = (0, 0);
    for seed in 0..2 {
        let report = crate::run_seed(seed, Mode::Merging, Duration::from_secs(600));
        let mark = |name: &str| report.marks.get(name).copied().unwrap_or(0);
        merged += mark("PeopleMerged");
        split += mark("PeopleSplit");
        if let Some(violation) = report.violation {
            let told = crate::explain(seed, Mode::Merging, Duration::from_secs(600), 6000).timeline;
            panic!("seed {seed}: {violation:?}\n{}", told.join("\n"));
        }
    }
    assert!(merged >= 2 && split >= 2, "{merged} merged, {split} split");
}
