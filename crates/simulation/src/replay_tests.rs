//! Replays: twice is once (I16), also when the hub dies at any step of it.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::System;
use ledger::{JobState, Obligation, State};
use store::browse::{DeliveryFilter, Look, Page};

use crate::{Class, Faults, Options, Simulation, Vendor, configuration, judge, sayings};

/// When the source has said everything, and all of it is delivered.
const SETTLED: Duration = Duration::from_secs(3);
const RECORDS: usize = 5;

fn run(class: Class, options: Options, rounds: u32) -> (Simulation, u64) {
    let system = System::new(class.name()).unwrap();
    let targets: BTreeMap<System, Vendor> = [(system.clone(), Vendor::new(class))].into_iter().collect();
    let sayings = sayings(RECORDS, 2, Duration::from_millis(25));
    let mut run = Simulation::new(options, configuration(&[class]), sayings, targets);
    for round in 0..rounds {
        run.replay_at(SETTLED + Duration::from_millis(300) * round, &system, round, false);
    }
    let effects = run.run();
    assert_eq!(run.stopped(), None);
    (run, effects)
}

fn options(crash_at: Vec<u64>) -> Options {
    Options {
        seed: 11,
        crash_at,
        faults: Faults::default(),
        heal_after: Duration::ZERO,
        end_after: Duration::from_secs(15),
        renew_at: None,
    }
}

fn rows(run: &Simulation) -> Vec<Obligation> {
    match run.page(Look::Deliveries(DeliveryFilter { limit: 1000, ..DeliveryFilter::default() })) {
        Some(Page::Deliveries(rows)) => rows.into_iter().map(|(_, row)| row).collect(),
        other => panic!("not deliveries: {other:?}"),
    }
}

/// What a target holds in the end, by the record's own name.
fn held(run: &Simulation) -> BTreeMap<String, String> {
    let objects = run.targets.values().flat_map(|target| target.objects.values());
    objects.map(|item| (item.name.clone(), format!("{:?}", item.fields))).collect()
}

fn effects(run: &Simulation) -> usize {
    run.targets.values().map(|target| target.effects.len()).sum()
}

/// Everything is said again exactly as often as it was ordered, and nothing of it is made twice.
#[track_caller]
fn assert_replayed(run: &Simulation, rounds: usize, what: &str) {
    let verdict = judge(run);
    assert!(verdict.holds(), "{what}: {verdict:?}");
    let jobs = run.jobs();
    let done: Vec<_> = jobs.iter().filter(|job| job.state == JobState::Done).collect();
    assert_eq!(done.len(), rounds, "{what}: {jobs:?}");
    for job in done {
        assert_eq!((job.done, job.kept.total), (RECORDS as u64, RECORDS as u64), "{what}: {job:?}");
    }
    for row in rows(run) {
        assert_eq!(row.wanted.generation, i64::try_from(rounds).unwrap(), "{what}: {row:?}");
        assert_eq!((row.state, row.reached), (State::Delivered, row.wanted), "{what}: {row:?}");
        assert_eq!(row.aside.job, None, "{what}");
    }
}

/// I16: replaying the same slice twice comes to what replaying it once comes to, and to what was there before.
#[test]
fn i16_a_replay_twice_is_a_replay_once() {
    for class in Class::ALL {
        let (never, _) = run(class, options(Vec::new()), 0);
        let (once, _) = run(class, options(Vec::new()), 1);
        let (twice, _) = run(class, options(Vec::new()), 2);
        assert_replayed(&never, 0, class.name());
        assert_replayed(&once, 1, class.name());
        assert_replayed(&twice, 2, class.name());
        assert_eq!((held(&once), held(&twice)), (held(&never), held(&never)), "{}", class.name());
        assert_eq!(effects(&once), effects(&never) + RECORDS, "{}: each is said again", class.name());
    }
}

/// I1, I3, I16: a job survives a crash at any of its steps, and does nothing twice.
#[test]
fn i16_a_replay_survives_a_crash_at_every_step() {
    for class in [Class::Upsert, Class::SearchFirst] {
        let (never, before) = run(class, options(Vec::new()), 0);
        let (whole, _) = run(class, options(Vec::new()), 1);
        assert_replayed(&whole, 1, class.name());
        // Timers go on for ever: what comes before the replay is the other sweep's.
        let first = before.min(120);
        for step in first..first + 130 {
            let (run, _) = run(class, options(vec![step]), 1);
            assert_replayed(&run, 1, &format!("{} crash at {step}", class.name()));
            assert_eq!(held(&run), held(&never), "{} crash at {step}", class.name());
        }
    }
}
