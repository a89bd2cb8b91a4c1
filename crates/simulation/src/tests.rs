//! The sweep: a crash at every step, for every idempotency class, with answers lost; and seeded storms.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::System;

use crate::scenario::of_attempts;
use crate::testing::{assert_holds, calm, name, run_one};
use crate::{Class, Faults, Options, Simulation, Vendor, batching, configuration, judge, sayings};

fn run(class: Class, options: Options, records: usize, updates: usize, gap: Duration) -> (Simulation, u64) {
    run_one(Vendor::new(class), class, configuration(&[class]), sayings(records, updates, gap), options)
}

#[test]
fn without_faults_everything_arrives_once_in_every_class() {
    for class in Class::ALL {
        let (run, _) = run(class, calm(1), 3, 4, Duration::from_millis(30));
        assert_holds(&run, class.name(), false);
        assert!(run.marked("Delivered") > 0);
    }
}

#[test]
fn i18_the_same_seed_gives_the_same_trace() {
    for seed in 0..5 {
        let storm = || Options {
            faults: Faults { lose: 100, fail_after: 50, throttle: 50, ..Faults::default() },
            crash_at: vec![40, 90],
            ..calm(seed)
        };
        let (first, _) = run(Class::Upsert, storm(), 4, 5, Duration::from_millis(20));
        let (second, _) = run(Class::Upsert, storm(), 4, 5, Duration::from_millis(20));
        assert_eq!(first.trace(), second.trace(), "seed {seed}");
        let (other, _) =
            run(Class::Upsert, Options { seed: seed + 100, ..storm() }, 4, 5, Duration::from_millis(20));
        assert_ne!(first.trace(), other.trace());
    }
}

/// I1 to I4: a crash right before each effect of the run, answers lost or not.
#[test]
fn a_crash_at_every_step_loses_nothing_and_doubles_nothing() {
    for class in Class::ALL {
        for lose in [0, 300] {
            let faults = Faults { lose, ..Faults::default() };
            let options =
                |crash_at| Options { faults, crash_at, heal_after: Duration::from_millis(400), ..calm(7) };
            let (whole, effects) = run(class, options(Vec::new()), 2, 3, Duration::from_millis(25));
            // Timers go on for ever: the interesting part is what happens until all is delivered.
            let steps = effects.min(160);
            assert!(steps > 100, "the run is too short to mean much");
            assert_holds(&whole, class.name(), class == Class::None);
            for step in 1..=steps {
                let (run, _) = run(class, options(vec![step]), 2, 3, Duration::from_millis(25));
                assert_eq!(run.crashes(), 1, "step {step} is beyond the run");
                assert_holds(
                    &run,
                    &format!("{} lose {lose} crash at {step}", class.name()),
                    class == Class::None,
                );
            }
        }
    }
}

/// I10: hours of outage use up no record's attempts: what waited arrives by itself when the target is back, whether it
/// cannot be reached, fails before the effect, or hangs.
#[test]
fn i10_hours_of_outage_leave_no_dead_letter() {
    for class in [Class::Upsert, Class::NativeKey, Class::SearchFirst, Class::Marker] {
        let none = Faults::default();
        for faults in [
            Faults { refuse: 1000, ..none },
            Faults { fail_before: 1000, ..none },
            Faults { refuse: 500, vanish: 500, ..none },
        ] {
            let (heal_after, end_after) = (Duration::from_secs(4 * 3600), Duration::from_secs(5 * 3600));
            let options = Options { faults, heal_after, end_after, ..calm(3) };
            let (run, _) = run(class, options, 3, 1, Duration::from_secs(20));
            let what = format!("{} {faults:?}", class.name());
            assert_holds(&run, &what, false);
            assert_eq!((run.marked("Dead"), run.marked("NeedsPerson")), (0, 0), "{what}: {:?}", run.marks);
        }
    }
}

/// I10: records at which a target breaks are dead letters in the end, and keep no other from it for long: that their
/// tries are trials of the breaker does not make them an outage as long as anybody is served.
#[test]
fn i10_records_that_break_a_target_end_and_hold_up_nobody() {
    const BROKEN: usize = 10;
    for class in [Class::Upsert, Class::SearchFirst] {
        let mut vendor = Vendor::new(class);
        vendor.broken.extend((0..BROKEN).map(|number| format!("thing-{number}")));
        let end_after = Duration::from_secs(8 * 3600);
        // Those come at once, and then one every twenty seconds: too few to close the breaker before the next bad one.
        let mut said = sayings(1_000, 1, Duration::from_secs(20));
        for (at, _) in &mut said {
            *at = at.saturating_sub(Duration::from_secs(20 * BROKEN as u64));
        }
        // The hub starts anew while some are being tried, and when all have ended.
        let options = Options { end_after, crash_at: vec![3_000, 9_000], ..calm(5) };
        let (run, _) = run_one(vendor, class, of_attempts(class, 8), said, options);
        assert_eq!(run.crashes(), 2);
        let what = format!("{}: {:?}", class.name(), run.marks);
        assert!(run.marked("Breaker") > 2, "it never opened: {what}");
        assert_eq!(run.targets[&name(class)].objects.len(), 1_000 - BROKEN, "{what}");
        assert_eq!(run.marked("Dead") + run.marked("NeedsPerson"), BROKEN as u64, "{what}");
        assert_eq!(judge(&run).lost, BROKEN as u64, "{what}");
    }
}

/// I1 to I4: all machines are held, configured and start again right before each effect of the run. Nobody is asked in
/// vain for what was under way, so that not even class `none` leaves a doubt.
#[test]
fn a_change_at_every_step_loses_nothing_and_doubles_nothing() {
    for class in Class::ALL {
        for lose in [0, 300] {
            let faults = Faults { lose, ..Faults::default() };
            let options =
                |renew_at| Options { faults, renew_at, heal_after: Duration::from_millis(400), ..calm(7) };
            let (_, effects) = run(class, options(None), 2, 3, Duration::from_millis(25));
            for step in 1..=effects.min(160) {
                let (run, _) = run(class, options(Some(step)), 2, 3, Duration::from_millis(25));
                assert_eq!(run.marked("Configured"), 1, "step {step} is beyond the run");
                let doubts = class == Class::None && lose > 0;
                assert_holds(&run, &format!("{} lose {lose} change at {step}", class.name()), doubts);
                if lose == 0 {
                    assert_eq!(run.marked("Doubtful"), 0, "{} change at {step}", class.name());
                }
            }
        }
    }
}

/// Storms of clustered crashes and every fault at once.
#[test]
fn seeded_storms_hold() {
    let mut marks: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..40 {
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
                    ..Faults::default()
                },
                crash_at: (0..seed % 5).map(|n| 50 + n * 37 + seed * 3).collect(),
                heal_after: Duration::from_secs(4),
                ..calm(seed)
            };
            let (run, _) = run(class, options, 5, 6, Duration::from_millis(40));
            assert_holds(&run, &format!("{} seed {seed}", class.name()), class == Class::None);
            for (mark, count) in &run.marks {
                *marks.entry(mark.clone()).or_default() += count;
            }
        }
    }
    // What should sometimes happen did.
    for mark in ["Delivered", "Doubtful", "Resolved", "Throttled", "NeedsPerson", "Duplicate", "Retrying"] {
        assert!(marks.get(mark).is_some_and(|count| *count > 0), "{mark} never happened: {marks:?}");
    }
}

/// I12: a target that answers 429 for ten minutes spends no attempts and loses nothing.
#[test]
fn ten_minutes_of_throttling_spend_no_attempt() {
    for class in Class::ALL {
        let options = Options {
            faults: Faults { throttle: 1000, ..Faults::default() },
            heal_after: Duration::from_secs(600),
            end_after: Duration::from_secs(900),
            ..calm(3)
        };
        let (run, _) = run(class, options, 6, 5, Duration::from_secs(2));
        assert_holds(&run, class.name(), false);
        assert_eq!(
            run.marked("Dead") + run.marked("NeedsPerson") + run.marked("Breaker"),
            0,
            "{:?}",
            run.marks
        );
        assert!(run.marked("Throttled") > 0);
    }
}

/// I10: while one target never answers, the others get everything in time, and it gets its share once it is back.
#[test]
fn a_sick_target_delays_no_other() {
    let targets: BTreeMap<System, Vendor> =
        Class::ALL.iter().map(|class| (System::new(class.name()).unwrap(), Vendor::new(*class))).collect();
    let options =
        Options { heal_after: Duration::from_secs(60), end_after: Duration::from_secs(200), ..calm(11) };
    let sick = System::new(Class::Upsert.name()).unwrap();
    let mut run = Simulation::new(
        options,
        configuration(&Class::ALL),
        sayings(5, 8, Duration::from_millis(50)),
        targets,
    );
    run.make_sick(&sick, Faults { refuse: 500, late: 500, ..Faults::default() });
    run.run();
    assert_holds(&run, "beside a sick target", false);
    let last = |class: Class| run.last_effect(&System::new(class.name()).unwrap());
    for class in [Class::NativeKey, Class::SearchFirst, Class::None] {
        assert!(last(class) < 10_000_000, "{} was held up until {} µs", class.name(), last(class));
    }
    assert!(last(Class::Upsert) > 60_000_000, "the sick target was not sick");
}

/// I5: an owner speaks while a create that carries an older value of its field is in doubt. The bytes must not go again.
#[test]
fn i5_a_doubtful_write_is_not_sent_again_over_its_owner() {
    let (mut converged, mut annotated) = (0, 0);
    for seed in 0..12 {
        for class in [Class::Upsert, Class::NativeKey, Class::SearchFirst] {
            let system = System::new(class.name()).unwrap();
            let targets: BTreeMap<System, Vendor> =
                [(system.clone(), Vendor::new(class))].into_iter().collect();
            let options = Options {
                faults: Faults { lose: 1000, ..Faults::default() },
                heal_after: Duration::from_millis(500),
                ..calm(seed)
            };
            let said = sayings(2, 1, Duration::from_millis(5));
            let mut run = Simulation::new(options, configuration(&[class]), said, targets);
            run.annotate_at(Duration::from_millis(900), &system, "from its owner");
            run.run();
            assert_holds(&run, &format!("{} seed {seed}", class.name()), false);
            let notes: Vec<&str> = run.annotated(&system).collect();
            annotated += notes.len();
            let kept = notes.iter().all(|note| *note == "from its owner");
            assert!(kept, "{} seed {seed}: {notes:?}, {:?}", class.name(), run.marks);
            converged += run.marked("Resolved");
        }
    }
    assert!(annotated > 40 && converged > 0, "no doubt was ever resolved: the scenario means nothing");
}

/// I6: a target says what we just wrote, before it answers or long after, while the record moves on: nobody there has
/// edited anything.
#[test]
fn i6_own_writes_are_no_edits_whenever_they_come_back() {
    let mut said = 0;
    for seed in 0..20 {
        for class in [Class::Upsert, Class::NativeKey, Class::SearchFirst] {
            let system = System::new(class.name()).unwrap();
            let targets: BTreeMap<System, Vendor> =
                [(system.clone(), Vendor::new(class))].into_iter().collect();
            let options = Options {
                faults: Faults { lose: 60, late: 60, ..Faults::default() },
                heal_after: Duration::from_secs(1),
                ..calm(seed)
            };
            let sayings = sayings(3, 12, Duration::from_millis(9));
            let mut run = Simulation::new(options, configuration(&[class]), sayings, targets);
            run.make_talkative(&system);
            run.run();
            let what = format!("{} seed {seed}", class.name());
            assert_holds(&run, &what, false);
            let edits = run.marked("Decided rejected") + run.marked("Decided reverted");
            assert_eq!(edits, 0, "{what}: own writes were taken for edits: {:?}", run.marks);
            said += run.marked("Accepted");
        }
    }
    assert!(said > 1000, "the targets said nothing: {said}");
}

/// I1, I3: a create that nothing can look for goes to a person; the person's word ends the doubt, and the newest level
/// goes out once.
#[test]
fn i3_a_person_ends_a_doubt() {
    let system = System::new(Class::None.name()).unwrap();
    for seed in 0..10 {
        let targets: BTreeMap<System, Vendor> =
            [(system.clone(), Vendor::new(Class::None))].into_iter().collect();
        let options = Options {
            faults: Faults { vanish: 1000, ..Faults::default() },
            heal_after: Duration::from_secs(2),
            ..calm(seed)
        };
        let said = sayings(3, 4, Duration::from_millis(20));
        let mut run = Simulation::new(options, configuration(&[Class::None]), said, targets);
        run.retry_at(Duration::from_secs(10), &system);
        run.run();
        assert_eq!(run.marked("OrderDone"), 3, "seed {seed}: {:?}", run.marks);
        assert_holds(&run, &format!("seed {seed}"), false);
    }
}

/// I1, I3: a target keeps a failure under the key. It is asked for once more, says that it repeats itself, and a person
/// looks: nobody makes a second effect, and a new intent brings what was not there.
#[test]
fn i3_a_stored_failure_is_a_persons_after_one_replay() {
    const RECORDS: usize = 5;
    let class = Class::NativeKey;
    for (before, seed) in (0..6).map(|seed| (seed % 2 == 0, seed)) {
        let (keep_before, keep_after) = if before { (1000, 0) } else { (0, 1000) };
        let options = Options {
            faults: Faults { keep_before, keep_after, ..Faults::default() },
            heal_after: Duration::from_secs(2),
            ..calm(seed)
        };
        let targets = [(name(class), Vendor::new(class))].into_iter().collect();
        let said = sayings(RECORDS, 1, Duration::from_millis(20));
        let mut run = Simulation::new(options, configuration(&[class]), said, targets);
        if before {
            // Who has looked, and found nothing.
            run.retry_at(Duration::from_secs(60), &name(class));
        }
        run.run();
        let what = format!("seed {seed}, before the effect: {before}; {:?}", run.marks);
        assert_holds(&run, &what, false);
        let target = &run.targets[&name(class)];
        assert_eq!(target.objects.len(), RECORDS, "{what}");
        assert_eq!(run.marked("NeedsPerson"), RECORDS as u64, "{what}");
        // Once, once more, and, where it was not there, under a new key.
        assert_eq!(target.calls.len(), RECORDS * if before { 3 } else { 2 }, "{what}");
        assert_eq!(run.marked("Breaker"), 0, "{what}");
    }
}

/// I1, I3: the key of a batch keeps a failure: nobody has to look, since each of it can be looked for.
#[test]
fn i3_a_failure_stored_for_a_batch_is_looked_for() {
    let class = Class::NativeKey;
    for seed in 0..6 {
        let (keep_before, keep_after) = if seed % 2 == 0 { (1000, 0) } else { (0, 1000) };
        let options = Options {
            faults: Faults { keep_before, keep_after, ..Faults::default() },
            heal_after: Duration::from_millis(100),
            ..calm(seed)
        };
        let said = sayings(12, 1, Duration::from_millis(1));
        let (run, _) = run_one(Vendor::new(class), class, batching(&[class]), said, options);
        let what = format!("seed {seed}: {:?}", run.marks);
        assert_holds(&run, &what, true);
        assert!(run.marked("NeedsPerson") <= 1, "only who went alone: {what}");
        assert!(run.marked("Resolved") > 4, "nothing was looked for: {what}");
    }
}

/// I1 to I12 and I16 to I19, as far as there is something to judge: an estate through faults, then at rest.
#[test]
fn estates_hold() {
    for seed in 1..=4 {
        let report = crate::run_seed(seed, crate::Mode::Liveness, Duration::from_secs(600));
        assert_eq!(report.violation, None, "seed {seed}");
        assert!(report.accepted > 500, "seed {seed} took in {} messages only", report.accepted);
        assert!(report.faults.values().sum::<u64>() > 60, "seed {seed}: {:?}", report.faults);
    }
}

/// I18: all of an estate comes from its seed.
#[test]
fn i18_an_estate_is_the_same_again() {
    let span = Duration::from_secs(120);
    let first = crate::run_seed(9, crate::Mode::Safety, span);
    assert_eq!(crate::differs(&first, crate::Mode::Safety, span), None);
    let other = crate::run_seed(10, crate::Mode::Safety, span);
    assert_ne!(first.trace, other.trace);
}

/// Bugs that show within a seed or two; `./test --long` hunts all of them.
fn caught(bugs: &[planted::Bug]) {
    for bug in bugs {
        let hunt = crate::hunt(*bug);
        assert!(hunt.caught(), "{bug} should break {}: {hunt:?}", bug.invariant());
    }
}

#[test]
fn planted_bugs_are_caught_as_what_they_are_part_one() {
    use planted::Bug;
    caught(&[
        Bug::AckBeforeSync,
        Bug::BlindCreate,
        Bug::CreatorOwns,
        Bug::SilenceIsSuccess,
        Bug::RetryAfterIgnored,
        Bug::NobodyIsWoken,
    ]);
}

#[test]
fn planted_bugs_are_caught_as_what_they_are_part_two() {
    use planted::Bug;
    caught(&[
        Bug::NewKeyPerAttempt,
        Bug::SendBeforeDurable,
        Bug::LateEchoIsEdit,
        Bug::HoldsNothing,
        Bug::SeenAgainIsNew,
    ]);
}

#[test]
fn planted_bugs_are_caught_as_what_they_are_part_three() {
    use planted::Bug;
    caught(&[
        Bug::UndoUnderOldKey,
        Bug::ArrivalOrder,
        Bug::WritingIsForgotten,
        Bug::OneSystemHears,
        Bug::OpenBreakerLeaks,
        Bug::AnotherDice,
    ]);
}

/// I1, I3 to I6: an old backup of the store is restored while the targets have moved on.
#[test]
fn i3_a_restored_backup_doubles_nothing_and_all_agree_in_the_end() {
    // In the last, a change waits for a person at the target that is always well: nobody's delay (I10).
    for (seed, minutes) in [(1, 15), (2, 15), (68, 17)] {
        let span = Duration::from_secs(minutes * 60);
        let report = crate::run_seed(seed, crate::Mode::Restore, span);
        assert_eq!(
            report.violation,
            None,
            "seed {seed}: {:#?}",
            crate::explain(seed, crate::Mode::Restore, span, 40).timeline
        );
        for mark in ["Restored", "Reread", "Reopened"] {
            assert!(report.marks.contains_key(mark), "seed {seed} had no {mark}: {:?}", report.marks);
        }
    }
}

/// I3: an object that a target tells of before it answers the create is no new record.
#[test]
fn i3_an_object_that_is_told_of_before_its_create_is_answered_is_ours() {
    for seed in 0..20 {
        assert_eq!(crate::overtaken::broken(seed), None, "seed {seed}");
    }
    let hunt = crate::hunt(planted::Bug::OvertakenIsNew);
    assert!(hunt.caught(), "{hunt:?}");
}

/// The same where shadows of before the restore are believed: it must show.
#[test]
fn i6_a_restore_that_trusts_its_shadows_is_caught() {
    let hunt = crate::hunt(planted::Bug::RestoreIsTrusted);
    assert!(hunt.caught(), "{hunt:?}");
}

/// I1: what is hinted at while an object is read is read again.
#[test]
fn i1_what_is_hinted_at_during_a_reading_is_read_again() {
    for seed in 0..40 {
        assert_eq!(crate::hints::broken(seed), None, "seed {seed}");
    }
    let hunt = crate::hunt(planted::Bug::LaterHintIsLost);
    assert!(hunt.caught(), "{hunt:?}");
}
