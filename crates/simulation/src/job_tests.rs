//! Bulk jobs: a crash at every step, storms, jobs that are refused, end early, never end or are forgotten; and that they
//! are worth it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::jobs::rounds;
use crate::testing::{self, assert_holds, name, run_one};
use crate::{Class, Faults, Moods, Options, Simulation, Vendor, by_jobs, judge, sayings};

/// What goes as jobs: a create that looks for each record by itself has no batch.
const CLASSES: [Class; 4] = [Class::Upsert, Class::NativeKey, Class::Marker, Class::None];

/// Jobs take their time.
fn calm(seed: u64) -> Options {
    Options { end_after: Duration::from_secs(400), ..testing::calm(seed) }
}

fn run_with(
    vendor: Vendor,
    class: Class,
    options: Options,
    records: usize,
    updates: usize,
) -> (Simulation, u64) {
    let said = rounds(records, updates, Duration::from_millis(900));
    run_one(vendor, class, by_jobs(class), said, options)
}

fn vendor(class: Class, moods: Moods) -> Vendor {
    Vendor::new(class).with_moods(moods)
}

#[test]
fn many_go_as_jobs_and_a_few_alone() {
    for class in CLASSES {
        let (run, _) = run_with(vendor(class, Moods::default()), class, calm(1), 24, 3);
        assert_holds(&run, class.name(), false);
        let target = &run.targets[&name(class)];
        let what = format!("{}: {:?}", class.name(), run.marks);
        let (began, ended) = (run.marked("BulkBegan"), run.marked("BulkEnded"));
        assert!(began > 3 && began == ended && target.jobs_begun() as u64 == began, "{what}");
        // One after the other, and nothing was sent twice or given to a person.
        assert_eq!(
            (target.jobs_at_once(), run.marked("Doubtful"), run.marked("NeedsPerson")),
            (1, 0, 0),
            "{what}"
        );
        // Submissions, looks and results together are fewer than what they bring.
        let written = target.calls.len() - looks(&run, class);
        assert!(written * 3 < target.effects.len(), "{written} for {}; {what}", target.effects.len());
        // A record alone waits for nobody.
        let (slow, _) = {
            let targets = [(name(class), vendor(class, Moods::default()))].into_iter().collect();
            let said = sayings(5, 2, Duration::from_secs(1));
            let mut run = Simulation::new(calm(1), by_jobs(class), said, targets);
            let effects = run.run();
            (run, effects)
        };
        assert_eq!(slow.marked("BulkBegan"), 0, "{}", class.name());
        assert_holds(&slow, class.name(), false);
    }
}

/// Looks at jobs, of all calls.
fn looks(run: &Simulation, class: Class) -> usize {
    run.targets[&name(class)].looks
}

/// I1, I3, I8: a job survives a restart at any moment: it was submitted once, and what came of each is read after it.
#[test]
fn i3_a_job_survives_a_restart() {
    for class in CLASSES {
        let (whole, effects) = run_with(vendor(class, Moods::default()), class, calm(3), 8, 1);
        assert!(whole.marked("BulkBegan") > 0, "{}: {:?}", class.name(), whole.marks);
        let mut survived = 0;
        for step in (1..=effects).step_by(2) {
            let options = Options { crash_at: vec![step], ..calm(3) };
            let (run, _) = run_with(vendor(class, Moods::default()), class, options, 8, 1);
            let what = format!("{} crash at {step}: {:?}", class.name(), run.marks);
            assert_eq!(run.crashes(), 1, "{what}");
            assert_holds(&run, &what, class == Class::None);
            let target = &run.targets[&name(class)];
            // Only a crash between the submission and its answer leaves a doubt about a job.
            let began = run.marked("BulkBegan");
            if run.marked("BulkEnded") == began && target.jobs_begun() as u64 == began && began > 0 {
                survived += u64::from(run.marked("Doubtful") == 0);
            }
            assert!(target.jobs_at_once() <= 1 || run.marked("Doubtful") > 0, "{what}");
        }
        assert!(survived * 4 > effects, "{}: {survived} of {effects} / 2", class.name());
    }
}

/// I1 to I4: a crash right before each effect of the run, answers lost or not, records that fail in part.
#[test]
fn a_crash_at_every_step_of_a_job_loses_nothing_and_doubles_nothing() {
    for class in CLASSES {
        for (lose, partial) in [(250, 0), (80, 600)] {
            let faults = Faults { lose, partial, ..Faults::default() };
            let options =
                |crash_at| Options { faults, crash_at, heal_after: Duration::from_secs(3), ..calm(7) };
            let (whole, effects) =
                run_with(vendor(class, Moods::default()), class, options(Vec::new()), 7, 2);
            let what = format!("{} lose {lose} partial {partial}", class.name());
            assert_holds(&whole, &what, class == Class::None);
            assert!(whole.marked("BulkBegan") > 0 || class == Class::None, "{what}: no job");
            for step in (1..=effects.min(200)).step_by(4) {
                let (run, _) = run_with(vendor(class, Moods::default()), class, options(vec![step]), 7, 2);
                assert_holds(&run, &format!("{what} crash at {step}"), class == Class::None);
            }
        }
    }
}

/// I1 to I4: storms of crashes, every fault at once, and jobs that end as badly as they can.
#[test]
fn seeded_storms_of_jobs_hold() {
    let mut marks: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..24 {
        for class in CLASSES {
            let options = Options {
                faults: Faults {
                    vanish: 30,
                    refuse: 40,
                    lose: 60,
                    fail_before: 40,
                    fail_after: 40,
                    late: 60,
                    throttle: 30,
                    partial: 150,
                    ..Faults::default()
                },
                crash_at: (0..seed % 5).map(|n| 60 + n * 41 + seed * 3).collect(),
                heal_after: Duration::from_secs(8),
                ..calm(seed)
            };
            let moods = Moods { seed, abort: 150, stick: 60, forget: 60, late: (seed % 3) * 700_000 };
            let (run, _) = run_with(vendor(class, moods), class, options, 9, 5);
            assert_holds(&run, &format!("{} seed {seed}", class.name()), class == Class::None);
            for (mark, count) in &run.marks {
                *marks.entry(mark.clone()).or_default() += count;
            }
        }
    }
    for mark in
        ["BulkBegan", "BulkEnded", "Batch", "Delivered", "Doubtful", "Resolved", "Throttled", "Retrying"]
    {
        assert!(marks.get(mark).is_some_and(|count| *count > 0), "{mark} never happened: {marks:?}");
    }
}

/// I3, I4, I8: however a job ends, each of its records is where it belongs, and none is there twice.
#[test]
fn jobs_that_end_badly_leave_nothing_behind() {
    let moods = |seed| Moods { seed, ..Moods::default() };
    for class in CLASSES {
        for seed in 0..6 {
            for (what, moods) in [
                ("aborted", Moods { abort: 700, ..moods(seed) }),
                ("stuck", Moods { stick: 500, ..moods(seed) }),
                ("forgotten", Moods { forget: 500, ..moods(seed) }),
                ("late", Moods { late: 2_500_000, ..moods(seed) }),
            ] {
                let options = Options { end_after: Duration::from_secs(1500), ..calm(seed) };
                let (run, _) = run_with(vendor(class, moods), class, options, 8, 3);
                let what = format!("{} {what} seed {seed}", class.name());
                assert_holds(&run, &what, class == Class::None);
                assert!(run.marked("BulkEnded") > 0, "{what}");
                if what.contains("late") {
                    // A look that tells nothing is no failure of a delivery.
                    assert_eq!(
                        (run.marked("Doubtful"), run.marked("Retrying")),
                        (0, 0),
                        "{what}: {:?}",
                        run.marks
                    );
                }
            }
        }
    }
}

/// I10: one record that the target refuses ends alone, whether its job is refused whole, or only the one.
#[test]
fn i10_a_poison_record_of_a_job_ends_alone() {
    for class in CLASSES {
        for strict in [true, false] {
            let mut target = vendor(class, Moods::default());
            if strict {
                target = target.strict();
            }
            target.refused.insert("thing-7".to_owned());
            let (run, _) = run_with(target, class, calm(5), 12, 1);
            let what = format!("{} strict {strict}: {:?}", class.name(), run.marks);
            assert_eq!(run.targets[&name(class)].objects.len(), 11, "{what}");
            assert_eq!((run.marked("Dead"), run.marked("NeedsPerson")), (1, 0), "{what}");
            assert_eq!(run.marked("Split") > 0, strict, "{what}");
            assert_eq!(judge(&run).lost, 1, "{what}");
        }
    }
}

/// A connector that begins jobs no more, or a configuration that renews the spoke: what runs is finished, or in doubt.
#[test]
fn a_renewed_spoke_goes_on_with_its_jobs() {
    for class in CLASSES {
        let (_, effects) = run_with(vendor(class, Moods::default()), class, calm(4), 8, 1);
        for step in (1..effects).step_by(3) {
            let options = Options { renew_at: Some(step), ..calm(4) };
            let (run, _) = run_with(vendor(class, Moods::default()), class, options, 8, 1);
            let what = format!("{} renewed at {step}", class.name());
            assert_holds(&run, &what, false);
            // Nothing was cut off, so that nothing is in doubt.
            assert_eq!(
                (run.marked("Doubtful"), run.marked("NeedsPerson")),
                (0, 0),
                "{what}: {:?}",
                run.marks
            );
            assert_eq!(run.targets[&name(class)].jobs_at_once(), 1, "{what}");
        }
    }
}

/// I3: while a job runs, nobody decides about what it holds: not before a restart, and not after it.
#[test]
fn i3_nobody_decides_about_what_a_job_holds() {
    for class in CLASSES {
        // Somewhere among these the hub dies while a job runs.
        let mut ran_on = 0;
        for crash_at in [0, 70, 80, 90, 100, 110] {
            let crash_at = if crash_at == 0 { Vec::new() } else { vec![crash_at] };
            let targets = [(name(class), vendor(class, Moods::default()))].into_iter().collect();
            let said = rounds(8, 1, Duration::from_millis(900));
            let options = Options { crash_at, ..calm(3) };
            let mut run = Simulation::new(options, by_jobs(class), said, targets);
            // A job runs, or is just looked at again.
            for at in [400, 600, 800] {
                run.skip_at(Duration::from_millis(at), &name(class));
            }
            run.run();
            let what = format!("{}: {:?}", class.name(), run.marks);
            let refused = run.marked("BulkBegan") > 0 && run.marked("OrderRefused") > 0;
            assert!(refused || run.crashes() > 0, "{what}");
            ran_on += usize::from(refused && run.crashes() > 0);
            // What waits for a job to end may be passed over.
            let verdict = judge(&run);
            let person = if class == Class::None { verdict.for_people } else { 0 };
            assert_eq!(verdict.duplicates + verdict.backwards, 0, "{what}");
            assert!(verdict.lost <= run.marked("OrderDone") + person, "{verdict:?} {what}");
        }
        assert!(ran_on > 0, "{}: no job outlived the hub", class.name());
    }
}

/// What a planted bug makes of jobs: lost, doubled, backwards.
fn harm(bug: planted::Bug, class: Class, moods: Moods, crash: bool) -> (u64, u64, u64) {
    let (mut lost, mut doubled, mut backwards) = (0, 0, 0);
    for seed in 0..12 {
        let crash_at = if crash { vec![60 + seed * 7, 140 + seed * 5] } else { Vec::new() };
        let options = Options { crash_at, ..calm(seed) };
        let moods = Moods { seed, ..moods };
        planted::plant(Some(bug));
        let (run, _) = run_with(vendor(class, moods), class, options.clone(), 8, 4);
        planted::plant(None);
        let verdict = judge(&run);
        lost += verdict.lost;
        doubled += verdict.duplicates;
        backwards += verdict.backwards;
        let (sound, _) = run_with(vendor(class, moods), class, options, 8, 4);
        assert_holds(&sound, &format!("{} seed {seed} without {bug}", class.name()), false);
    }
    (lost, doubled, backwards)
}

/// I8: a job that was only begun is not done.
#[test]
fn i8_a_job_taken_for_done_when_it_began_is_caught() {
    let (lost, _, _) =
        harm(planted::Bug::SubmittedIsDone, Class::Upsert, Moods { abort: 500, ..Moods::default() }, false);
    assert!(lost > 0, "nothing was missing");
    assert!(crate::hunt(planted::Bug::SubmittedIsDone).caught());
}

/// I3: a restart that forgets what runs does it twice.
#[test]
fn i3_a_restart_that_forgets_running_jobs_is_caught() {
    let (_, doubled, _) = harm(planted::Bug::RunningJobForgotten, Class::Marker, Moods::default(), true);
    assert!(doubled > 0, "nothing was there twice");
    assert!(crate::hunt(planted::Bug::RunningJobForgotten).caught());
}
