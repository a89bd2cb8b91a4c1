//! Batches: a crash at every step, storms, whole refusals, answers in part; and calls that wait for their turn.

use std::collections::BTreeMap;
use std::time::Duration;

use connector::Observation;
use serde_json::json;

use crate::batches::{self, bursts};
use crate::testing::{assert_holds, calm, name, run_one};
use crate::{
    Class, Faults, Options, Simulation, Vendor, batching, batching_in_turn, configuration, in_turn, judge,
    sayings,
};

fn run_with(
    vendor: Vendor,
    class: Class,
    options: Options,
    records: usize,
    updates: usize,
) -> (Simulation, u64) {
    let said = bursts(records, updates, Duration::from_millis(500));
    run_one(vendor, class, batching(&[class]), said, options)
}

fn run(class: Class, options: Options, records: usize, updates: usize) -> (Simulation, u64) {
    run_with(Vendor::new(class), class, options, records, updates)
}

#[test]
fn what_waits_goes_together_and_a_lone_one_alone() {
    for class in Class::ALL {
        let (run, _) = run(class, calm(1), 12, 3);
        assert_holds(&run, class.name(), false);
        assert!(run.marked("Batch") > 0, "{}: {:?}", class.name(), run.marks);
        // One call for several: far fewer calls than deliveries.
        let target = &run.targets[&name(class)];
        let alone = if class == Class::SearchFirst { 24 } else { 0 };
        assert!(target.calls.len() < target.effects.len() / 2 + alone, "{}: {:?}", class.name(), run.marks);
        // Nothing waits for company.
        let targets = [(name(class), Vendor::new(class))].into_iter().collect();
        let mut slow =
            Simulation::new(calm(1), batching(&[class]), sayings(6, 2, Duration::from_secs(1)), targets);
        slow.run();
        assert_eq!(slow.marked("Batch"), 0, "{}", class.name());
        assert_holds(&slow, class.name(), false);
    }
}

/// I1 to I4: a crash right before each effect of the run, answers lost or not, or in part.
#[test]
fn a_crash_at_every_step_of_a_batch_loses_nothing_and_doubles_nothing() {
    for class in Class::ALL {
        let part = matches!(class, Class::Upsert | Class::SearchFirst | Class::Marker);
        for (lose, partial) in [(0, 0), (300, 0), (100, if part { 600 } else { 0 })] {
            let faults = Faults { lose, partial, ..Faults::default() };
            let options =
                |crash_at| Options { faults, crash_at, heal_after: Duration::from_millis(900), ..calm(7) };
            let (whole, effects) = run(class, options(Vec::new()), 4, 2);
            let what = format!("{} lose {lose} partial {partial}", class.name());
            assert_holds(&whole, &what, class == Class::None);
            assert!(lose > 0 || whole.marked("Batch") > 0, "{what}: no batch");
            for step in 1..=effects.min(130) {
                let (run, _) = run(class, options(vec![step]), 4, 2);
                assert_eq!(run.crashes(), 1, "step {step} is beyond the run");
                assert_holds(&run, &format!("{what} crash at {step}"), class == Class::None);
            }
        }
    }
}

/// Things of two parents.
fn of_two_parents(records: usize, updates: usize, apart: Duration) -> Vec<(Duration, Observation)> {
    let mut said = bursts(records, updates, apart);
    for (place, (_, observation)) in said.iter_mut().enumerate() {
        if let connector::Seen::State { fields } = &mut observation.seen {
            fields.insert("note".to_owned(), json!(format!("parent {}", place % records % 2)));
        }
    }
    said
}

/// I1 to I4, I10: the same where calls about one parent wait for each other: what goes under one key comes together
/// again, or is looked for.
#[test]
fn a_crash_at_every_step_of_batches_that_wait_for_parents_holds() {
    for class in [Class::NativeKey, Class::Upsert, Class::Marker] {
        let run = |crash_at, seed| {
            let faults = Faults { lose: 200, throttle: 80, ..Faults::default() };
            let heal_after = Duration::from_secs(1);
            let options =
                Options { faults, crash_at, heal_after, end_after: Duration::from_secs(400), ..calm(seed) };
            let targets = [(name(class), Vendor::new(class))].into_iter().collect();
            let said = of_two_parents(6, 2, Duration::from_millis(300));
            let mut run = Simulation::new(options, batching_in_turn(class), said, targets);
            let effects = run.run();
            (run, effects)
        };
        let (whole, effects) = run(Vec::new(), 11);
        assert_holds(&whole, class.name(), false);
        for step in (1..=effects.min(150)).step_by(2) {
            let (run, _) = run(vec![step], 11);
            assert_holds(&run, &format!("{} crash at {step}", class.name()), false);
        }
        for seed in 0..12 {
            let (run, _) = run(vec![40 + seed, 90 + seed], seed);
            assert_holds(&run, &format!("{} seed {seed}", class.name()), false);
        }
    }
}

/// I1 to I4: storms of crashes and every fault at once, batches that are answered in part, and whole refusals.
#[test]
fn seeded_storms_of_batches_hold() {
    let mut marks: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..30 {
        for class in Class::ALL {
            let options = Options {
                faults: Faults {
                    vanish: 30,
                    refuse: 40,
                    lose: 80,
                    fail_before: 40,
                    fail_after: 40,
                    late: 60,
                    throttle: 30,
                    partial: 150,
                    ..Faults::default()
                },
                crash_at: (0..seed % 5).map(|n| 50 + n * 37 + seed * 3).collect(),
                heal_after: Duration::from_secs(4),
                ..calm(seed)
            };
            let (run, _) = run(class, options, 8, 6);
            // What nobody answers for, and nothing can look for, is a person's.
            assert_holds(&run, &format!("{} seed {seed}", class.name()), class == Class::None);
            for (mark, count) in &run.marks {
                *marks.entry(mark.clone()).or_default() += count;
            }
        }
    }
    for mark in ["Batch", "Delivered", "Doubtful", "Resolved", "Throttled", "Retrying"] {
        assert!(marks.get(mark).is_some_and(|count| *count > 0), "{mark} never happened: {marks:?}");
    }
}

/// I10: one record that a target refuses keeps nobody else from it, whether it refuses the whole batch or the one.
#[test]
fn i10_a_poison_record_ends_alone() {
    for class in [Class::Upsert, Class::NativeKey, Class::Marker, Class::None] {
        for strict in [true, false] {
            let mut vendor = Vendor::new(class);
            if strict {
                vendor = vendor.strict();
            }
            vendor.refused.insert("thing-7".to_owned());
            let (run, _) = run_with(vendor, class, calm(5), 12, 1);
            let what = format!("{} strict {strict}: {:?}", class.name(), run.marks);
            let target = &run.targets[&name(class)];
            assert_eq!(target.objects.len(), 11, "{what}");
            assert_eq!((run.marked("Dead"), run.marked("NeedsPerson")), (1, 0), "{what}");
            assert_eq!(run.marked("Split") > 0, strict, "{what}");
            assert_eq!(judge(&run).lost, 1, "{what}");
            // Six records at most: two halves, and again, and again.
            assert!(target.calls.len() <= 14, "{} calls; {what}", target.calls.len());
        }
    }
}

/// I10: a poison record ends alone also where halves must wait for their turn while others keep coming.
#[test]
fn i10_halves_stay_halves_while_they_wait() {
    for class in [Class::Upsert, Class::NativeKey, Class::Marker] {
        let mut vendor = Vendor::new(class).strict();
        vendor.refused.insert("thing-7".to_owned());
        let targets = [(name(class), vendor)].into_iter().collect();
        let said = bursts(12, 10, Duration::from_millis(60));
        // Halves are told to wait, too.
        let faults = Faults { throttle: 60, ..Faults::default() };
        let options = Options { faults, heal_after: Duration::from_secs(60), ..calm(3) };
        let mut run = Simulation::new(options, batching_in_turn(class), said, targets);
        run.run();
        let what = format!("{}: {:?}", class.name(), run.marks);
        assert_eq!(run.targets[&name(class)].objects.len(), 11, "{what}");
        assert_eq!(judge(&run).lost, 1, "{what}");
        // Each level of the poison record is found by as many halves as it takes, and no more.
        let (dead, split) = (run.marked("Dead"), run.marked("Split"));
        assert!((1..=10).contains(&dead) && split > 0 && split <= 3 * dead, "{what}");
    }
}

/// I3, I9: what is there already is read before it is adopted; of a batch each by a call that it was admitted for.
#[test]
fn i9_what_a_batch_finds_there_is_adopted_one_by_one() {
    let mut vendor = Vendor::new(Class::None).unique();
    for place in 0..8 {
        let id = vendor.insert("items", format!("thing-{place}"), 0);
        vendor.change(id, &BTreeMap::from([("key".to_owned(), json!(format!("thing-{place}")))]), 0);
    }
    let (run, _) = run_with(vendor, Class::None, calm(4), 12, 2);
    let what = format!("{:?}", run.marks);
    assert_holds(&run, "adopted", false);
    assert_eq!(run.targets[&name(Class::None)].objects.len(), 12, "{what}");
    assert_eq!((run.marked("Dead"), run.marked("NeedsPerson"), run.marked("Resolved")), (0, 0, 8), "{what}");
    assert_eq!(run.calls_at_once(&name(Class::None)), 1, "{what}");
}

/// I3, I4: a batch whose fate is unknown is never split: its parts go again as they were, or are looked for.
#[test]
fn i3_a_batch_whose_fate_is_unknown_goes_again_whole() {
    for class in Class::ALL {
        for seed in 0..12 {
            // The effect is there, and no answer comes.
            let mut vendor = Vendor::new(class).strict();
            vendor.refused.insert("thing-3".to_owned());
            let faults = Faults { lose: 700, ..Faults::default() };
            let options = Options { faults, heal_after: Duration::from_secs(2), ..calm(seed) };
            let (run, _) = run_with(vendor, class, options, 8, 1);
            let verdict = judge(&run);
            let what = format!("{} seed {seed}: {verdict:?} {:?}", class.name(), run.marks);
            assert_eq!(verdict.duplicates + verdict.backwards + run.targets[&name(class)].torn, 0, "{what}");
            let person = if class == Class::None { verdict.for_people } else { 0 };
            assert!(verdict.lost <= 1 + person, "{what}");
        }
    }
}

/// No two calls are about one parent at once, and all get their turn.
#[test]
fn calls_about_one_parent_wait_for_their_turn() {
    for class in Class::ALL {
        for seed in 0..4 {
            let faults = Faults { lose: 60, fail_before: 60, refuse: 40, ..Faults::default() };
            let run = |config| {
                let targets = [(name(class), Vendor::new(class))].into_iter().collect();
                let options = Options { faults, heal_after: Duration::from_secs(2), ..calm(seed) };
                let said = sayings(10, 2, Duration::from_millis(1));
                let mut run = Simulation::new(options, config, said, targets);
                run.run();
                assert_holds(&run, &format!("{} seed {seed}", class.name()), class == Class::None);
                run.calls_at_once(&name(class))
            };
            let free = run(configuration(&[class]));
            assert!(free > 1, "{} seed {seed}: never more than one", class.name());
            // A look is about no parent: it may go beside a call.
            let looks = matches!(class, Class::SearchFirst | Class::Marker);
            let most = run(in_turn(class));
            assert!(most == 1 || looks, "{} seed {seed}: {most} at once", class.name());
        }
    }
}

/// How much a planted bug loses in storms of batches.
fn harm(bug: planted::Bug, class: Class, faults: Faults) -> u64 {
    let mut lost = 0;
    for seed in 0..12 {
        planted::plant(Some(bug));
        let options = Options { faults, heal_after: Duration::from_secs(3), ..calm(seed) };
        let (run, _) = run(class, options.clone(), 8, 5);
        planted::plant(None);
        lost += judge(&run).lost;
        let (sound, _) = self::run(class, options, 8, 5);
        assert_holds(&sound, &format!("{} seed {seed} without {bug}", class.name()), false);
    }
    lost
}

/// I8: a batch that was taken in part is not done.
#[test]
fn i8_a_part_taken_for_the_whole_is_caught() {
    let faults = Faults { partial: 500, ..Faults::default() };
    let lost = harm(planted::Bug::PartIsWhole, Class::Upsert, faults);
    assert!(lost > 0, "nothing was missing");
}

/// I4: what may still arrive overtakes what is sent anew, in parts or newer, before it has rested.
#[test]
fn i4_what_is_sent_anew_in_doubt_is_caught() {
    assert!((0..12).all(|seed| batches::broken(seed).is_none()), "something goes backwards as it is");
    for bug in [planted::Bug::SplitInDoubt, planted::Bug::NoRestInDoubt] {
        planted::plant(Some(bug));
        let caught = (0..12).any(|seed| batches::broken(seed).is_some());
        planted::plant(None);
        assert!(caught, "nothing went backwards with {bug}");
    }
}
