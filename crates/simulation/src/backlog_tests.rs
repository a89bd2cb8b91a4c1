//! Backlogs: a target is away for long, a bound is reached, sources must wait, and go on by themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use canonical::System;
use config::Configuration;
use serde_json::json;
use store::{Query, Rows, Store as _};

use crate::driver::micros;
use crate::scenario::{MAIN, files, loaded};
use crate::testing::{assert_holds, calm, name, run_one};
use crate::{Class, Faults, Options, Simulation, Vendor, sayings};

const MINUTE: Duration = Duration::from_secs(60);
/// So long the target is away.
const AWAY: Duration = Duration::from_secs(20 * 60);

const LISTED: &str = "connector: source
version: \"1\"
about: A simulated source that is read.
objects:
  things:
    shape: {id: id, order: {path: revision, form: number}}
    poll:
      every: 20s
      lookback: 30s
      request: {method: GET, path: /things, query: {since: \"{since|ms}\", \"page?\": \"{page}\"}, timeout: 1s}
      items: items
      mark: {path: at, form: ms}
      sorting: id
      page: {after_id: {}}
      size: 20
";

/// One target; a source that pushes, or one that is read.
fn bounded(backlog: &str, listed: bool) -> Arc<Configuration> {
    let mut files = files(&[Class::Upsert], &|class: Class| class.manifest(false));
    files.put("concord.yaml", format!("{MAIN}intake:\n  backlog: {backlog}\n"));
    if listed {
        files.put("connectors/source.yaml", LISTED);
        files.put(
            "systems/src.yaml",
            "system: src\nconnector: connectors/source.yaml\nconnection: {base_url: \"https://src.example.com\"}\nhistory: all\n",
        );
        files.put(
            "mappings/thing.src.yaml",
            "mapping: thing.src\nversion: 1\nentity: Thing\nsystem: src\nobject: things\nfields:\n  \
             - {field: key, path: key, direction: in}\n  - {field: value, path: value, direction: in}\n",
        );
    }
    loaded(&files)
}

fn src() -> System {
    System::new("src").unwrap()
}

/// A run over a source with so many things to be read, whose target does that until it heals.
fn read_from(things: u64, backlog: &str, away: Faults, options: Options) -> (Simulation, u64) {
    let mut source = Vendor::new(Class::Upsert);
    for thing in 1..=things {
        let id = source.insert("things", format!("thing-{thing}"), thing * 1_000_000);
        let fields =
            [("key".to_owned(), json!(format!("thing-{thing}"))), ("value".to_owned(), json!(thing))];
        source.change(id, &fields.into(), thing * 1_000_000);
    }
    let target = name(Class::Upsert);
    let targets: BTreeMap<System, Vendor> =
        [(src(), source), (target.clone(), Vendor::new(Class::Upsert))].into();
    let mut run = Simulation::new(options, bounded(backlog, true), Vec::new(), targets);
    run.make_sick(&target, away);
    run.make_sick(&src(), Faults::default());
    let effects = run.run();
    assert_eq!(run.stopped(), None);
    (run, effects)
}

fn until(end_after: Duration) -> Options {
    Options { heal_after: AWAY, end_after, ..calm(11) }
}

/// How often the source was asked between two times.
fn reads(run: &Simulation, from: Duration, to: Duration) -> usize {
    run.targets[&src()].calls.iter().filter(|at| (micros(from)..micros(to)).contains(at)).count()
}

/// How many deliveries are open.
fn open(run: &Simulation) -> u64 {
    let (send, answers) = mpsc::channel();
    let query = Query::Backlog { tenant: run.config.tenant.clone() };
    run.store.find(query, Box::new(move |rows| drop(send.send(rows))));
    match answers.try_recv() {
        Ok(Ok(Rows::Backlog(rows))) => rows.iter().map(|row| row.open).sum(),
        other => panic!("not a backlog: {other:?}"),
    }
}

fn arrived(run: &Simulation) -> usize {
    run.targets[&name(Class::Upsert)].objects.len()
}

/// I1, I19: while a target is away, reading stops before the bound, also over a restart, and goes on by itself; every
/// thing arrives.
#[test]
fn i19_reading_stops_before_the_bound_and_goes_on() {
    let away = Faults { refuse: 1000, ..Faults::default() };
    let backlog = "{age_max: 0s, open_max: 200}";
    let (calm, effects) = read_from(600, backlog, away, until(19 * MINUTE));
    let crashing = || vec![effects / 2];
    let (crashed, _) = read_from(600, backlog, away, Options { crash_at: crashing(), ..until(19 * MINUTE) });
    assert_eq!(crashed.crashes(), 1);
    for run in [&calm, &crashed] {
        let (open, what) = (open(run), format!("{:?}", run.marks));
        assert!((160..=200).contains(&open), "{open} are open; {what}");
        assert!(run.marked("Rests") > 0 && run.marked("ReadsOn") == 0, "{what}");
        assert_eq!(arrived(run), 0);
    }
    assert_eq!(reads(&calm, MINUTE, 19 * MINUTE), 0, "it is not asked for what would not be taken");
    for crash_at in [vec![], crashing()] {
        let (run, _) = read_from(600, backlog, away, Options { crash_at, ..until(60 * MINUTE) });
        let what = format!("{:?}", run.marks);
        assert_eq!((arrived(&run), open(&run)), (600, 0), "{what}");
        assert!(run.marked("ReadsOn") > 0 && run.marked("Dead") + run.marked("NeedsPerson") == 0, "{what}");
        assert!(reads(&run, 55 * MINUTE, 60 * MINUTE) > 5, "it is read as ever");
    }
}

/// I10: a target that is at work and does not keep up is read for no more; one that is away says nothing of its pace.
#[test]
fn i10_age_counts_only_while_the_target_is_at_work() {
    let backlog = "{age_max: 1m, open_max: 0, total_max: 0}";
    let throttled = Faults { throttle: 1000, ..Faults::default() };
    let refused = Faults { refuse: 1000, ..Faults::default() };
    for (away, rests) in [(throttled, true), (refused, false)] {
        let (run, _) = read_from(600, backlog, away, until(60 * MINUTE));
        let what = format!("{away:?}: {:?}", run.marks);
        let asked = reads(&run, 3 * MINUTE, 20 * MINUTE);
        assert_eq!(asked == 0, rests, "asked {asked} times; {what}");
        assert_eq!(run.marked("Rests") > 0, rests, "{what}");
        assert!(reads(&run, 55 * MINUTE, 60 * MINUTE) > 5, "it is read as ever; {what}");
        assert_eq!((arrived(&run), open(&run)), (600, 0), "{what}");
    }
}

/// I1, I2: what is pushed is refused before the bound is passed; what was acknowledged arrives, and so does the rest.
#[test]
fn i2_what_is_pushed_waits_at_the_bound_and_nothing_is_lost() {
    let run = |end_after| {
        let options = Options { faults: Faults { refuse: 1000, ..Faults::default() }, ..until(end_after) };
        let said = sayings(60, 1, Duration::from_secs(1));
        let config = bounded("{open_max: 20}", false);
        run_one(Vendor::new(Class::Upsert), Class::Upsert, config, said, options).0
    };
    let acknowledged = |run: &Simulation| run.sayings.iter().filter(|saying| saying.acknowledged).count();
    let waits = run(19 * MINUTE);
    let (told, what) = (acknowledged(&waits), format!("{:?}", waits.marks));
    assert!((18..=20).contains(&told), "{told}; {what}");
    assert_eq!((open(&waits), waits.marked("Refused") > 40), (told as u64, true), "{what}");
    let whole = run(60 * MINUTE);
    assert_eq!((acknowledged(&whole), open(&whole)), (60, 0), "{:?}", whole.marks);
    assert_holds(&whole, "pushed", false);
}
