//! Rounds over the in-memory store: what goes, in which steps, over restarts, with an archive, on a full disk.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use canonical::Now;
use intake::{Message, MessageState};
use ledger::State;
use store::browse::{self, Browse as _, Look, MessageFilter};
use store::conformance::make;
use store::{Memory, Op, Store as _, Unit};

use super::forget::GONE_AT_ONCE;
use super::*;
use crate::sample::configuration;

const KEEPS: &str = "tenant: acme\npublic_url: https://hub.example.com/\n\
    store: {folder: ./data, root_key: {file: ./root.key}}\n\
    listeners: {ingress: \"127.0.0.1:4000\", operator: \"127.0.0.1:4001\"}\n\
    retention: {messages: 100s, seen: 200s, deliveries: 100s, events: 100s, groups: 100s, jobs: 100s";

struct Bench {
    store: Memory,
    config: Arc<Configuration>,
    machine: Retention,
    /// In microseconds.
    now: u64,
    tickets: u64,
    acks: Vec<Ack>,
    marks: Vec<Mark>,
    archives: Vec<Archive>,
    /// What the next archives come to.
    fails: VecDeque<String>,
    /// Every commit is so large at most.
    largest: usize,
    commits: u64,
    /// After so many commits the process dies without an answer.
    dies_after: Option<u64>,
    /// Comes while rows are on their way out; their commit fails then.
    meanwhile: Option<Arc<Configuration>>,
}

impl Bench {
    fn new(archive: &str, ops: Vec<Op>) -> Self {
        let config = configuration(Some(("concord.yaml", &format!("{KEEPS}{archive}}}\n"))));
        let mut bench = Self {
            store: Memory::new(),
            machine: Retention::new(Arc::clone(&config)),
            config,
            now: 0,
            tickets: 0,
            acks: Vec::new(),
            marks: Vec::new(),
            archives: Vec::new(),
            fails: VecDeque::new(),
            largest: 0,
            commits: 0,
            dies_after: None,
            meanwhile: None,
        };
        for op in ops {
            bench.put(op);
        }
        bench.give(Input::Start);
        bench
    }

    fn put(&self, op: Op) {
        let units = vec![Unit { require: Vec::new(), ops: vec![op] }];
        self.store.commit(units, Box::new(|answer| drop(answer.unwrap())));
    }

    fn clock(&self) -> Now {
        let micros = i64::try_from(self.now).unwrap();
        Now { mono: Mono(self.now), wall: Wall(make::at(1000).micros() + micros) }
    }

    fn restart(&mut self) {
        self.machine = Retention::new(Arc::clone(&self.config));
        self.give(Input::Start);
    }

    fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            self.machine.handle(input, &mut Turn::new(self.clock(), self.now + self.tickets, &mut effects));
            for effect in effects {
                match effect {
                    Effect::Find(ticket, query) => {
                        let rows = answered(|reply| self.store.find(query, reply));
                        inputs.push_back(Input::Found(ticket, rows));
                    }
                    Effect::Commit(ticket, units) => {
                        let goes = |op: &Op| matches!(op, Op::Forget { .. });
                        if units.iter().flat_map(|unit| &unit.ops).any(goes)
                            && let Some(config) = self.meanwhile.take()
                        {
                            self.config = Arc::clone(&config);
                            inputs.push_back(Input::Configure(Ticket(7), config));
                            let full = StoreError::Full { detail: "a test".to_owned() };
                            inputs.push_back(Input::Committed(ticket, Err(full)));
                            continue;
                        }
                        self.largest = self.largest.max(units.iter().map(|unit| unit.ops.len()).sum());
                        let receipts = answered(|reply| self.store.commit(units, reply));
                        self.commits += 1;
                        if self.dies_after == Some(self.commits) {
                            self.dies_after = None;
                            return self.restart();
                        }
                        inputs.push_back(Input::Committed(ticket, receipts));
                    }
                    Effect::Archive(ticket, archive) => {
                        let written = match self.fails.pop_front() {
                            Some(why) => Err(why),
                            None => {
                                self.archives.push(archive);
                                Ok(90)
                            }
                        };
                        inputs.push_back(Input::Archived(ticket, written));
                    }
                    Effect::Ack(_, ack) => self.acks.push(ack),
                    Effect::Note(mark) => self.marks.push(mark),
                    Effect::Drained => {}
                    other => panic!("not for this machine: {other:?}"),
                }
            }
        }
    }

    /// Lets so many seconds go by.
    fn pass(&mut self, seconds: u64) {
        let end = self.now + seconds * 1_000_000;
        for _ in 0..100_000 {
            match self.machine.next_wakeup(self.clock()).filter(|due| due.0 <= end) {
                Some(due) => {
                    self.now = self.now.max(due.0);
                    self.give(Input::Tick);
                }
                None => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("it does not come to rest");
    }

    fn messages(&self) -> Vec<Message> {
        let filter = MessageFilter { limit: 1000, ..MessageFilter::default() };
        match answered(|reply| self.store.look(make::acme(), Look::Messages(filter), reply)).unwrap() {
            browse::Page::Messages(rows) => rows.into_iter().map(|(_, message)| message).collect(),
            other => panic!("not messages: {other:?}"),
        }
    }

    fn said(&self) -> usize {
        self.messages().iter().filter(|message| !message.raw.is_empty()).count()
    }

    fn state(&self) -> Retained {
        match answered(|reply| self.store.find(Query::Retained { tenant: make::acme() }, reply)).unwrap() {
            Rows::Retained(state) => state,
            other => panic!("not its state: {other:?}"),
        }
    }

    fn order(&mut self) -> Ack {
        self.tickets += 1;
        let order = Order::Sweep { reason: "ann: space".to_owned() };
        self.give(Input::Told(Notice::Do(Ticket(1000 + self.tickets), order)));
        self.acks.pop().expect("an answer")
    }
}

fn answered<T: Send + 'static>(ask: impl FnOnce(store::Reply<T>)) -> Result<T, StoreError> {
    let kept = Arc::new(Mutex::new(None));
    let given = Arc::clone(&kept);
    ask(Box::new(move |answer| *given.lock().unwrap() = Some(answer)));
    let answer = kept.lock().unwrap().take();
    answer.expect("memory answers at once")
}

/// Messages received so many seconds after the first moment, 1000.
fn messages(count: u64, state: MessageState, received: i64) -> Vec<Op> {
    let one = |number| {
        let received_at = make::at(1000 + received);
        Op::PutMessage(Message { state, received_at, ..make::message(number) })
    };
    (1..=count).map(one).collect()
}

/// A round takes away what is past its time in small commits, and rests in between; the hashes follow later.
#[test]
fn rounds_take_small_steps() {
    let mut bench = Bench::new("", messages(500, MessageState::Accepted, 0));
    bench.pass(90);
    assert_eq!(
        (bench.said(), bench.commits > 0),
        (500, true),
        "a round without anything old says that it was over"
    );
    bench.pass(40);
    assert_eq!(bench.said(), 0);
    assert_eq!(bench.messages().len(), 500, "with their hashes");
    assert!(bench.largest <= GONE_AT_ONCE + 1, "{}", bench.largest);
    assert_eq!(bench.state().removed.get("payload"), Some(&500));
    let counted: usize = bench
        .marks
        .iter()
        .filter_map(|mark| match mark {
            Mark::Forgotten { kind: "payload", count } => Some(*count),
            _ => None,
        })
        .sum();
    assert_eq!(counted, 500);
    bench.pass(110);
    assert_eq!(bench.messages().len(), 1, "the newest stays");
}

/// What is open is never taken away, however old (I1).
#[test]
fn i1_open_rows_stay() {
    let mut ops = messages(3, MessageState::Quarantined, 0);
    ops.push(Op::PutRecord(make::record(1, 1)));
    for (event, state) in [(1, State::Dead), (2, State::Uncertain), (3, State::Parked), (4, State::Delivered)]
    {
        ops.push(Op::PutFact(make::fact(event, 1)));
        ops.push(Op::Raise(make::notify("once", event, 1)));
        ops.push(make::settle(make::notify_key("once", event), 1, state));
    }
    ops.push(Op::PutFact(make::fact(5, 1)));
    ops.push(Op::Raise(make::notify("once", 5, 1)));
    let mut bench = Bench::new("", ops);
    bench.pass(2000);
    assert_eq!(bench.said(), 3);
    let look = Look::Record(make::rec(1));
    let page = answered(|reply| bench.store.look(make::acme(), look, reply)).unwrap();
    let browse::Page::Record(Some(sheet)) = page else { panic!("the record is gone: {page:?}") };
    let left: Vec<_> = sheet.obligations.iter().map(|row| row.key.clone()).collect();
    assert_eq!(left, [1, 2, 3, 5].map(|event| make::notify_key("once", event)));
    assert_eq!(sheet.facts.len(), 4, "each with its event");
}

/// A crash after any commit loses nothing of the way, and takes nothing twice.
#[test]
fn rounds_go_on_over_restarts() {
    for dies_after in 1..12 {
        let mut bench = Bench::new("", messages(500, MessageState::Accepted, 0));
        bench.dies_after = Some(dies_after);
        bench.pass(600);
        assert_eq!(bench.messages().len(), 1, "died after {dies_after}");
        assert_eq!(bench.state().removed.get("payload"), Some(&500), "died after {dies_after}");
    }
}

/// Rows go only after the file with them is durable; a file that fails is written again, and nothing goes before.
#[test]
fn archives_come_first() {
    let mut bench = Bench::new(", archive: ./kept", messages(450, MessageState::Accepted, 0));
    bench.fails = VecDeque::from(vec!["no room".to_owned(); 3]);
    bench.pass(190);
    assert_eq!((bench.archives.len(), bench.said()), (0, 450));
    assert!(bench.marks.iter().any(|mark| matches!(mark, Mark::ArchiveFailed { .. })));
    bench.pass(300);
    assert_eq!(bench.said(), 0);
    let lines: usize = bench.archives.iter().map(|archive| archive.lines.len()).sum();
    assert_eq!(lines, 450);
    let first = bench.archives.first().expect("a file");
    assert!(first.name.starts_with("messages-") && first.name.ends_with(".jsonl.gz"), "{}", first.name);
    assert_eq!(first.folder, PathBuf::from("./kept"));
}

/// A full disk is no reason to stop: what goes makes room.
#[test]
fn i2_a_full_disk_is_waited_for() {
    let mut bench = Bench::new("", messages(300, MessageState::Accepted, 0));
    bench.store.refuse(Some(StoreError::Full { detail: "a test".to_owned() }));
    bench.pass(200);
    assert_eq!(bench.said(), 0, "what goes is taken from the reserve");
    bench.store.refuse(None);
}

/// A person may ask for a round at once; who and why is kept.
#[test]
fn a_round_can_be_ordered() {
    let mut bench = Bench::new("", messages(50, MessageState::Accepted, -500));
    bench.pass(1);
    assert_eq!(bench.said(), 50, "the first round has its time");
    assert_eq!(bench.order(), Ack::Done);
    bench.pass(2);
    assert_eq!(bench.messages().len(), 1);
    let orders = bench.state().orders;
    assert_eq!(orders.iter().map(|(_, why)| why.as_str()).collect::<Vec<_>>(), ["ann: space"]);
    bench.give(Input::Drain);
    assert!(matches!(bench.order(), Ack::Refused(_)));
}

/// Another configuration counts from the next page on.
#[test]
fn another_policy_counts_at_once() {
    let mut bench = Bench::new("", messages(50, MessageState::Accepted, -50));
    let longer = KEEPS.replace("messages: 100s, seen: 200s", "messages: 9000s, seen: 9000s");
    let config = configuration(Some(("concord.yaml", &format!("{longer}}}\n"))));
    bench.give(Input::Configure(Ticket(7), config));
    assert_eq!(bench.acks.pop(), Some(Ack::Done));
    bench.pass(600);
    assert_eq!(bench.said(), 50);
}

/// What is found more than once before it goes is in the archive once.
#[test]
fn long_histories_are_archived_once() {
    let mut ops = vec![Op::PutRecord(make::record(1, 1))];
    ops.extend((1..=450).map(|number| Op::PutFact(make::fact(number, 1))));
    ops.extend((1..=450).map(|number| {
        let rule = format!("rule {number}");
        Op::PutDecision(intake::Decision { rule, ..make::decision(1, intake::DecisionKind::Stale) })
    }));
    let mut bench = Bench::new(", archive: ./kept", ops);
    bench.pass(600);
    let removed = bench.state().removed;
    assert_eq!((removed.get("event"), removed.get("decision")), (Some(&449), Some(&450)), "the newest stays");
    let lines: Vec<&String> = bench.archives.iter().flat_map(|archive| archive.lines.iter()).collect();
    let once: std::collections::BTreeSet<&String> = lines.iter().copied().collect();
    assert_eq!((lines.len(), once.len()), (899, 899));
}

/// An archive that is wanted while rows are on their way out holds those that did not go.
#[test]
fn an_archive_that_comes_meanwhile_misses_nothing() {
    let mut bench = Bench::new("", messages(450, MessageState::Accepted, 0));
    bench.meanwhile = Some(configuration(Some(("concord.yaml", &format!("{KEEPS}, archive: ./kept}}\n")))));
    bench.pass(600);
    assert_eq!((bench.said(), bench.meanwhile.is_none()), (0, true));
    let lines: usize = bench.archives.iter().map(|archive| archive.lines.len()).sum();
    assert_eq!(lines, 450);
}

/// An order that comes just before the hub stops is answered.
#[test]
fn orders_are_answered_at_the_end() {
    let mut machine = Retention::new(configuration(None));
    let mut effects = Vec::new();
    let mut turn = Turn::new(Now { mono: Mono(0), wall: make::at(1) }, 1, &mut effects);
    machine.handle(Input::Start, &mut turn);
    let order = Order::Sweep { reason: "ann: space".to_owned() };
    machine.handle(Input::Told(Notice::Do(Ticket(9), order)), &mut turn);
    machine.handle(Input::Drain, &mut turn);
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Ack(Ticket(9), Ack::Refused(_)))),
        "{effects:?}"
    );
}

/// What is decided late goes with the next round, not with its hash.
#[test]
fn messages_decided_late_are_passed_once_more() {
    let mut ops = messages(300, MessageState::Accepted, 0);
    ops.insert(
        5,
        Op::PutMessage(Message {
            received_at: make::at(1000),
            state: MessageState::Quarantined,
            ..make::message(900)
        }),
    );
    let mut bench = Bench::new("", ops);
    bench.pass(150);
    assert_eq!(bench.said(), 1);
    let state = MessageState::Discarded;
    bench.put(Op::MessageState {
        tenant: make::acme(),
        id: make::msg(900),
        state,
        reason: None,
        at: make::at(1150),
    });
    bench.restart();
    bench.pass(40);
    assert!(bench.messages().len() > 1, "the hashes are still there");
    assert_eq!(bench.said(), 0);
}
