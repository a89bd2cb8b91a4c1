//! Plans and jobs over the in-memory store: what is covered, what is refused, and that nothing is done twice.

mod reshape;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use canonical::{Now, RecordId};
use ledger::{JobState, Level, Obligation, State};
use store::browse::{self, Browse as _, DeliveryFilter, JobFilter, Look};
use store::conformance::make;
use store::{Memory, Store as _};

use super::*;
use crate::sample::configuration;
use crate::turn::MachineId;

struct Bench {
    config: Arc<Configuration>,
    store: Memory,
    jobs: Jobs,
    /// In microseconds.
    now: u64,
    tickets: u64,
    acks: Vec<(Ticket, Ack)>,
    /// Heads told to spokes.
    told: usize,
    /// Commits, and after how many of them the process dies without an answer.
    commits: u64,
    dies_after: Option<u64>,
    /// So many commits of records find that something moved.
    conflicts: u64,
    /// Events that were made.
    happened: Vec<String>,
}

impl Bench {
    fn new(ops: Vec<Op>) -> Self {
        let config = configuration(None);
        let mut bench = Self {
            jobs: Jobs::new(Arc::clone(&config)),
            config,
            store: Memory::new(),
            now: 0,
            tickets: 0,
            acks: Vec::new(),
            told: 0,
            commits: 0,
            dies_after: None,
            conflicts: 0,
            happened: Vec::new(),
        };
        bench.store.commit(vec![Unit { require: Vec::new(), ops }], Box::new(|answer| drop(answer.unwrap())));
        bench.give(Input::Start);
        bench
    }

    fn clock(&self) -> Now {
        let micros = i64::try_from(self.now).unwrap();
        Now { mono: Mono(self.now), wall: canonical::Wall(make::at(1000).micros() + micros) }
    }

    fn restart(&mut self) {
        self.jobs = Jobs::new(Arc::clone(&self.config));
        self.give(Input::Start);
    }

    fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            self.jobs.handle(input, &mut Turn::new(self.clock(), self.now + self.tickets, &mut effects));
            for effect in effects {
                match effect {
                    Effect::Find(ticket, query) => {
                        inputs.push_back(Input::Found(
                            ticket,
                            Ok(answered(|reply| self.store.find(query, reply))),
                        ));
                    }
                    Effect::Commit(ticket, units) => {
                        let writes = |unit: &Unit| unit.ops.iter().any(|op| matches!(op, Op::PutRecord(_)));
                        if self.conflicts > 0 && units.iter().any(writes) {
                            self.conflicts -= 1;
                            let moved = vec![store::Receipt::Conflict; units.len()];
                            inputs.push_back(Input::Committed(ticket, Ok(moved)));
                            continue;
                        }
                        let receipts = answered(|reply| self.store.commit(units, reply));
                        self.commits += 1;
                        if self.dies_after == Some(self.commits) {
                            // Durable, and nobody was told.
                            self.dies_after = None;
                            return self.restart();
                        }
                        inputs.push_back(Input::Committed(ticket, Ok(receipts)));
                    }
                    Effect::Ack(ticket, ack) => self.acks.push((ticket, ack)),
                    Effect::Tell(MachineId::Spoke(_), Notice::Raised(heads)) => self.told += heads.len(),
                    Effect::Note(crate::Mark::Happened { kind }) => self.happened.push(kind),
                    Effect::Tell(..) | Effect::Note(_) | Effect::Drained => {}
                    other => panic!("not for this machine: {other:?}"),
                }
            }
        }
    }

    fn order(&mut self, order: Order) -> Option<Ack> {
        self.tickets += 1;
        let ticket = Ticket(1000 + self.tickets);
        self.give(Input::Told(Notice::Do(ticket, order)));
        self.acks.iter().find(|(told, _)| *told == ticket).map(|(_, ack)| ack.clone())
    }

    fn plan(&mut self, action: Action, scope: Scope) -> JobId {
        match self.order(Order::Plan { action, scope, by: "ann".to_owned() }) {
            Some(Ack::Planned(id)) => id,
            other => panic!("no plan: {other:?}"),
        }
    }

    fn apply(&mut self, job: JobId, pace: u32) -> Option<Ack> {
        self.order(Order::Apply { job, pace, reason: "ann: a test".to_owned() })
    }

    /// Lets time go on until nothing is to be done.
    fn run(&mut self) {
        for _ in 0..1000 {
            let Some(due) = self.jobs.next_wakeup(self.clock()) else { return };
            self.now = self.now.max(due.0);
            self.give(Input::Tick);
        }
        panic!("it does not come to rest");
    }

    fn job(&self, id: JobId) -> Job {
        let look = Look::Jobs(JobFilter { id: Some(id), limit: 1, before: None });
        match answered(|reply| self.store.look(make::acme(), look, reply)) {
            browse::Page::Jobs(mut rows) => rows.pop().unwrap().1,
            other => panic!("not jobs: {other:?}"),
        }
    }

    fn rows(&self) -> Vec<Obligation> {
        let look = Look::Deliveries(DeliveryFilter { limit: 1000, ..DeliveryFilter::default() });
        match answered(|reply| self.store.look(make::acme(), look, reply)) {
            browse::Page::Deliveries(rows) => rows.into_iter().map(|(_, row)| row).collect(),
            other => panic!("not deliveries: {other:?}"),
        }
    }

    fn apply_ops(&self, ops: Vec<Op>) {
        self.store.commit(vec![Unit { require: Vec::new(), ops }], Box::new(|answer| drop(answer.unwrap())));
    }
}

/// What the store answers at once.
fn answered<T: Send + 'static>(ask: impl FnOnce(store::Reply<T>)) -> T {
    let slot = Arc::new(Mutex::new(None));
    let filled = Arc::clone(&slot);
    ask(Box::new(move |answer| *filled.lock().unwrap() = Some(answer)));
    let answer = slot.lock().unwrap().take();
    answer.unwrap().unwrap()
}

fn erp() -> Scope {
    Scope { target: Some(make::system("erp")), ..Scope::default() }
}

fn group() -> Scope {
    Scope { group: Some("fp1_a".to_owned()), ..Scope::default() }
}

/// So many delivered records, then so many dead ones.
fn some(delivered: u64, dead: u64) -> Vec<Op> {
    let all = delivered + dead;
    let raised = (1..=all).map(|number| Op::Raise(make::raise("r", number, 1)));
    let settled = (1..=all).map(|number| {
        let state = if number <= delivered { State::Delivered } else { State::Dead };
        make::settle(make::sync_key("r", number), 1, state)
    });
    raised.chain(settled).collect()
}

const REPLAY: Action = Action::Replay { anew: false };

#[test]
fn a_plan_says_what_it_would_do_and_does_nothing() {
    let mut bench = Bench::new(some(3, 2));
    let before = bench.rows();
    let id = bench.plan(REPLAY, erp());
    let job = bench.job(id);
    assert_eq!((job.state, job.kept.total, job.planned_by.as_str()), (JobState::Planned, 5, "ann"));
    assert_eq!(job.kept.portions.len(), 1);
    assert_eq!(job.kept.samples.len(), 5);
    bench.run();
    assert_eq!(bench.rows(), before);
}

/// I16: each is raised once, page by page, and the job knows it.
#[test]
fn i16_a_job_sets_each_going_once() {
    let mut bench = Bench::new(some(5, 2));
    let id = bench.plan(REPLAY, erp());
    assert_eq!(bench.apply(id, 2), Some(Ack::Done));
    bench.run();
    let job = bench.job(id);
    assert_eq!((job.state, job.done), (JobState::Done, 7));
    assert_eq!(bench.told, 7);
    assert!(bench.now >= 2_500_000, "two a second: {}", bench.now);
    for row in bench.rows() {
        assert_eq!((row.wanted, row.state), (Level { version: 1, generation: 1 }, State::Pending), "{row:?}");
        assert_eq!(row.aside.job, Some(id));
    }
    assert!(matches!(bench.apply(id, 2), Some(Ack::Refused(_))), "a plan is applied once");
}

/// I16: whichever commit was the last before the process died, nothing is raised twice and nothing is left out.
#[test]
fn i16_a_job_survives_a_crash_after_every_commit() {
    for dies_after in 1..=6 {
        let mut bench = Bench::new(some(5, 2));
        bench.dies_after = Some(dies_after);
        // Whoever was not answered looks, and orders again what is not there.
        bench.order(Order::Plan { action: REPLAY, scope: erp(), by: "ann".to_owned() });
        let planned = bench.jobs.known.keys().next().copied().unwrap();
        if bench.job(planned).state == JobState::Planned {
            // Of what it died in, nobody hears.
            assert_eq!(bench.apply(planned, 2).is_some(), dies_after != 2);
        }
        bench.run();
        assert_eq!(bench.dies_after, None, "it died after commit {dies_after}");
        let job = bench.job(planned);
        assert_eq!((job.state, job.done), (JobState::Done, 7), "{dies_after}");
        for row in bench.rows() {
            assert_eq!(row.wanted.generation, 1, "{dies_after}: {row:?}");
        }
    }
}

/// I3, I16: an event that was delivered goes again only where the target can tell, or when a new intent is asked for.
#[test]
fn i16_events_go_again_only_where_the_target_can_tell() {
    let event = |route: &str, number| {
        let key = make::notify_key(route, number);
        vec![
            Op::PutFact(make::fact(number, number)),
            Op::Raise(make::notify(route, number, number)),
            make::settle(key, 1, State::Delivered),
        ]
    };
    let ops = [event("once", 1), event("told", 2)].concat();
    let mut bench = Bench::new(ops);
    let id = bench.plan(REPLAY, erp());
    let kept = bench.job(id).kept;
    assert_eq!((kept.total, kept.left_out.get("delivered_once")), (1, Some(&1)));
    assert_eq!(bench.apply(id, 10), Some(Ack::Done));
    bench.run();
    let generation = |bench: &Bench, route: &str| {
        let rows = bench.rows();
        rows.iter().find(|row| row.key.route.as_str() == route).unwrap().wanted.generation
    };
    assert_eq!((generation(&bench, "once"), generation(&bench, "told")), (0, 1));
    let anew = bench.plan(Action::Replay { anew: true }, erp());
    assert_eq!(bench.apply(anew, 10), Some(Ack::Done));
    bench.run();
    assert_eq!((generation(&bench, "once"), generation(&bench, "told")), (1, 2));
    assert!(bench.rows().iter().all(|row| row.aside.anew > 0));
}

#[test]
fn a_group_is_tried_again_or_given_up_as_a_job() {
    let mut bench = Bench::new(some(1, 3));
    let doubt = make::settle(make::sync_key("r", 4), 1, State::Uncertain);
    bench.apply_ops(vec![doubt]);
    let id = bench.plan(Action::Retry, group());
    let kept = bench.job(id).kept;
    assert_eq!(
        (kept.total, kept.left_out.get("uncertain")),
        (2, Some(&1)),
        "what is in doubt is looked at one by one"
    );
    assert_eq!(bench.apply(id, 10), Some(Ack::Done));
    bench.run();
    let states = |bench: &Bench| {
        let mut states: Vec<State> = bench.rows().iter().map(|row| row.state).collect();
        states.sort_unstable();
        states
    };
    assert_eq!(states(&bench), [State::Pending, State::Pending, State::Uncertain, State::Delivered]);
    let again: Vec<Op> =
        (2..=3).map(|number| make::settle(make::sync_key("r", number), 1, State::Dead)).collect();
    bench.apply_ops(again);
    let id = bench.plan(Action::Discard, group());
    assert_eq!(bench.apply(id, 10), Some(Ack::Done));
    bench.run();
    assert_eq!(states(&bench), [State::Uncertain, State::Delivered, State::Discarded, State::Discarded]);
    let why = bench.rows().into_iter().find(|row| row.state == State::Discarded).unwrap().reason.unwrap();
    assert_eq!(why.message, format!("ann: a test ({id})"));
}

#[test]
fn what_is_not_what_was_shown_is_refused() {
    let mut bench = Bench::new(some(1, 3));
    let refused = |ack: Option<Ack>, part: &str| match ack {
        Some(Ack::Refused(why)) => assert!(why.contains(part), "{why}"),
        other => panic!("not refused: {other:?}"),
    };
    let empty = Order::Plan { action: REPLAY, scope: Scope::default(), by: "ann".to_owned() };
    refused(bench.order(empty), "empty filter");
    let nothing =
        bench.plan(Action::Retry, Scope { record: Some(RecordId::from_parts(make::at(1), 9)), ..group() });
    refused(bench.apply(nothing, 10), "covers nothing");
    // One has left the group.
    let id = bench.plan(Action::Retry, group());
    bench.apply_ops(vec![Op::Raise(make::raise("r", 2, 2))]);
    refused(bench.apply(id, 10), "has changed");
    // A replay may have less to do, and not more. A record's last change is at the second of its version.
    bench.apply_ops((1..=4).map(|number| Op::PutRecord(make::record(number, 1))).collect());
    let early = Scope { until: Some(make::at(50)), ..Scope::default() };
    let (less, more) = (bench.plan(REPLAY, early.clone()), bench.plan(REPLAY, early));
    assert_eq!(bench.job(less).kept.total, 4);
    bench.apply_ops(vec![Op::PutRecord(make::record(4, 60))]);
    let late = bench.plan(REPLAY, Scope { from: Some(make::at(55)), ..Scope::default() });
    assert_eq!(bench.apply(less, 10), Some(Ack::Done));
    bench.run();
    assert_eq!(bench.job(less).done, 3);
    bench.apply_ops(vec![Op::PutRecord(make::record(2, 70))]);
    refused(bench.apply(late, 10), "has changed");
    refused(bench.apply(more, 0), "pace");
    // Other routes; and too old.
    let id = bench.plan(Action::Discard, group());
    bench.config = configuration(Some(("concord.md", "a note")));
    bench.now += 3_601_000_000;
    refused(bench.apply(id, 10), "older than an hour");
    refused(bench.apply(JobId::from_parts(make::at(1), 1), 10), "no such plan");
}

#[test]
fn a_job_is_held_goes_on_and_is_ended() {
    let mut bench = Bench::new(some(6, 0));
    let id = bench.plan(REPLAY, erp());
    assert_eq!(bench.apply(id, 2), Some(Ack::Done));
    let reason = || "ann: wait".to_owned();
    assert_eq!(bench.order(Order::HoldJob { job: id, reason: reason() }), Some(Ack::Done));
    bench.run();
    let held = bench.job(id);
    assert_eq!(held.state, JobState::Paused);
    assert!(held.done < 6, "{held:?}");
    bench.restart();
    bench.run();
    assert_eq!(bench.job(id).done, held.done, "it is held over a restart");
    assert!(matches!(bench.order(Order::HoldJob { job: id, reason: reason() }), Some(Ack::Refused(_))));
    assert_eq!(bench.order(Order::ResumeJob { job: id, reason: reason() }), Some(Ack::Done));
    assert_eq!(bench.order(Order::CancelJob { job: id, reason: reason() }), Some(Ack::Done));
    bench.run();
    let ended = bench.job(id);
    assert_eq!(ended.state, JobState::Cancelled);
    assert!(ended.done < 6 && ended.ended_at.is_some(), "{ended:?}");
    let orders: Vec<&str> = ended.orders.iter().map(|(_, what)| what.as_str()).collect();
    let told = ["applied: ann: a test", "paused: ann: wait", "running: ann: wait", "cancelled: ann: wait"];
    assert_eq!(orders, told);
    assert!(matches!(bench.order(Order::ResumeJob { job: id, reason: reason() }), Some(Ack::Refused(_))));
}
