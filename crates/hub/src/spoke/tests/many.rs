//! Objects that are read together: how many calls it takes, and what a refusal, a loss or a hint meanwhile leads to.

use std::time::Duration;

use canonical::ExternalRef;
use connector::{Failure, FailureKind, Reached, Request, Response, Seen};
use serde_json::{Value, json};
use store::conformance::make;
use store::{Fetch, Op, Receipt};

use super::*;
use crate::turn::{Arrival, Origin};

const SOURCE: &str = "connector: source\nversion: \"1\"\nabout: A source.\nlimits: {concurrency: 4}\nwebhook:\n  \
                      scheme: {preset: hmac}\n  id: [id]\n  kind: kind\n  object_id: object.id\n  fields: object\n  \
                      rules: [{match: \"*\", object: contacts, seen: hint}]\nobjects:\n  contacts:\n    shape: {id: id}\n    fetch:\n      \
                      request: {method: GET, path: \"/contacts/{id}\"}\n      many:\n        records_max: 100\n        \
                      request: {method: POST, path: /contacts/read, json: {ids: \"{ids}\"}}\n        items: found\n        \
                      errors: {at: errors, ids: ids, rules: [{when: {body: {path: none, equals: true}}, class: not_found}]}\n";

type Vendor = fn(&[String]) -> Result<Response, Failure>;

/// A spoke with a store that holds nothing but fetches, a vendor, and an intake that takes everything.
struct Bench {
    spoke: Spoke,
    now: Now,
    due: BTreeMap<String, Fetch>,
    vendor: Vendor,
    /// The ids of each call.
    calls: Vec<Vec<String>>,
    /// Answers that do not come yet.
    held: Option<Vec<(Ticket, Vec<String>)>>,
    /// What intake took, with the time of the read.
    taken: Vec<(String, Arrival, Wall)>,
}

fn ok(body: &Value) -> Result<Response, Failure> {
    Ok(Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() })
}

/// One object, or a list of them.
fn there(ids: &[String]) -> Result<Response, Failure> {
    let one = |id: &String| json!({"id": id, "name": "Ann"});
    match ids {
        [id] => ok(&one(id)),
        ids => ok(&json!({"found": ids.iter().rev().map(one).collect::<Vec<_>>()})),
    }
}

fn asked(request: &Request) -> Vec<String> {
    match request.path.strip_prefix("/contacts/") {
        Some("read") => {
            serde_json::from_value(serde_json::from_slice::<Value>(&request.body).unwrap()["ids"].take())
                .unwrap()
        }
        Some(id) => vec![id.to_owned()],
        None => panic!("{}", request.path),
    }
}

impl Bench {
    fn new(ids: usize, vendor: Vendor) -> Self {
        let now = Now { mono: Mono(0), wall: Wall(1_000_000_000) };
        let mut bench = Self {
            spoke: Self::spoke(),
            now,
            due: BTreeMap::new(),
            vendor,
            calls: Vec::new(),
            held: None,
            taken: Vec::new(),
        };
        (0..ids).for_each(|id| bench.hint(&format!("{id:04}")));
        bench
    }

    fn spoke() -> Spoke {
        let config = configuration(Some(("connectors/source.yaml", SOURCE)));
        Spoke::new(config, System::new("crm").unwrap()).unwrap()
    }

    fn hint(&mut self, id: &str) {
        let object = Object::new("contacts").unwrap();
        let external = ExternalRef { system: make::system("crm"), object, id: id.to_owned() };
        let (at, tenant) = (self.now.wall, self.spoke.config.tenant.clone());
        let fetch = Fetch { tenant, external, hinted_at: at, due: at, attempts: 0, trace: String::new() };
        self.due.insert(id.to_owned(), fetch);
    }

    fn run(&mut self, input: Input) -> &mut Self {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            self.spoke.handle(input, &mut Turn::new(self.now, 1, &mut effects));
            for effect in effects {
                inputs.extend(self.perform(effect));
            }
        }
        self
    }

    fn perform(&mut self, effect: Effect) -> Option<Input> {
        Some(match effect {
            Effect::Find(ticket, query) => Input::Found(ticket, Ok(self.find(&query))),
            Effect::Commit(ticket, units) => {
                for op in units.iter().flat_map(|unit| &unit.ops) {
                    if let Op::DelayFetch { external, due, attempts, .. } = op {
                        let row = self.due.get_mut(&external.id).unwrap();
                        (row.due, row.attempts) = (*due, *attempts);
                    }
                }
                Input::Committed(ticket, Ok(vec![Receipt::Done(Vec::new()); units.len()]))
            }
            Effect::Send(ticket, request) => {
                let ids = asked(&request);
                self.calls.push(ids.clone());
                if let Some(held) = &mut self.held {
                    held.push((ticket, ids));
                    return None;
                }
                Input::Answered { ticket, answer: (self.vendor)(&ids), took: Duration::ZERO }
            }
            Effect::Offer(mut offer) => {
                let Origin::Fetched { external } = &offer.origin else { panic!("{:?}", offer.origin) };
                // As the store ends a fetch: a hint since the read began leaves it due.
                if self.due.get(&external.id).is_some_and(|row| row.hinted_at <= offer.as_of) {
                    self.due.remove(&external.id);
                }
                self.taken.push((external.id.clone(), offer.arrivals.pop().unwrap(), offer.as_of));
                Input::Told(Notice::Taken(offer.ticket, Ok(())))
            }
            Effect::Stop(why) => panic!("{why}"),
            _ => return None,
        })
    }

    fn find(&self, query: &Query) -> Rows {
        match query {
            Query::System { .. } => Rows::System(None, BTreeMap::new(), None),
            Query::Intents { .. } => Rows::Intents(Vec::new()),
            Query::Claim { .. } => Rows::Claim(store::Claimed { heads: Vec::new(), next_due: None }),
            Query::Fetches { due_by, limit, .. } => {
                let (mut due, later): (Vec<_>, Vec<_>) =
                    self.due.values().cloned().partition(|row| row.due <= *due_by);
                due.truncate(*limit);
                Rows::Fetches(due, later.iter().map(|row| row.due).min())
            }
            other => panic!("{other:?}"),
        }
    }

    fn pass(&mut self, time: Duration) -> &mut Self {
        self.now = Now { mono: self.now.mono + time, wall: self.now.wall + time };
        self.run(Input::Tick)
    }

    /// Until nothing is due any more, five minutes at most.
    fn settle(&mut self) -> &mut Self {
        for _ in 0..300 {
            if self.due.is_empty() {
                return self;
            }
            self.pass(Duration::from_secs(1));
        }
        panic!("{} are not read", self.due.len());
    }

    fn answer_held(&mut self) -> &mut Self {
        for (ticket, ids) in self.held.take().unwrap() {
            let answer = (self.vendor)(&ids);
            self.run(Input::Answered { ticket, answer, took: Duration::ZERO });
        }
        self
    }

    fn sizes(&self) -> Vec<usize> {
        self.calls.iter().map(Vec::len).collect()
    }

    /// How often each was taken as a state, and those that were taken as something else.
    fn states(&self) -> (usize, Vec<&str>) {
        let is_state = |arrival: &Arrival| matches!(arrival, Arrival::Read(seen) if matches!(seen.seen, Seen::State { .. }));
        let others = self.taken.iter().filter(|(_, arrival, _)| !is_state(arrival));
        let others: Vec<&str> = others.map(|(id, ..)| id.as_str()).collect();
        (self.taken.len() - others.len(), others)
    }
}

/// One admission for a hundred, whoever is left goes together, and who is alone goes by the single read.
#[test]
fn what_is_due_together_is_read_in_one_call() {
    let mut bench = Bench::new(1_001, there);
    bench.run(Input::Start);
    assert_eq!(bench.sizes(), [vec![100; 10], vec![1]].concat());
    assert_eq!((bench.states(), bench.due.len()), ((1_001, vec![]), 0));

    let mut few = Bench::new(3, there);
    few.held = Some(Vec::new());
    few.run(Input::Start);
    few.hint("9999");
    few.run(Input::Told(Notice::FetchWanted));
    // Nobody waits for company, and a call is one flight.
    assert_eq!(few.calls, [vec!["0000", "0001", "0002"], vec!["9999"]]);
    assert_eq!(few.spoke.dispatcher.as_ref().unwrap().in_flight(), 2);
    few.answer_held();
    assert_eq!((few.states(), few.due.len()), ((4, vec![]), 0));
    assert_eq!(few.spoke.dispatcher.as_ref().unwrap().in_flight(), 0);
}

/// What one of them is refused for keeps none of the others from being read, and costs few calls.
#[test]
fn one_bad_id_is_found_by_halves() {
    fn refuses(ids: &[String]) -> Result<Response, Failure> {
        let bad = ids.iter().any(|id| id == "0066");
        if bad { Ok(Response { status: 400, headers: Vec::new(), body: b"{}".to_vec() }) } else { there(ids) }
    }
    let mut bench = Bench::new(100, refuses);
    bench.run(Input::Start);
    assert_eq!((bench.states(), bench.due.len()), ((99, vec!["0066"]), 0));
    assert!(bench.calls.len() <= 15, "{:?}", bench.sizes());
    assert_eq!(bench.calls.iter().filter(|ids| **ids == ["0066"]).count(), 1);
}

/// What the answer says that it is gone, is; what it says nothing of is read alone.
#[test]
fn whoever_is_missing_in_the_answer_is_read_alone() {
    fn misses(ids: &[String]) -> Result<Response, Failure> {
        match ids {
            [id] => there(std::slice::from_ref(id)),
            _ => ok(
                &json!({"found": [{"id": "0000", "name": "Ann"}], "errors": [{"none": true, "ids": ["0001"]}]}),
            ),
        }
    }
    let mut bench = Bench::new(4, misses);
    bench.run(Input::Start);
    assert_eq!((bench.states(), bench.due.len()), ((3, vec!["0001"]), 0));
    let gone = bench.taken.iter().find(|(id, ..)| id == "0001").map(|(_, arrival, _)| arrival);
    let Some(Arrival::Read(gone)) = gone else { panic!("{gone:?}") };
    assert!(matches!(gone.seen, Seen::Deleted) && gone.order.is_none());
    assert_eq!(bench.calls[1..], [["0002"], ["0003"]]);
}

/// After a failure fewer go together: what there is no answer for because of one of them ends alone.
#[test]
fn what_has_no_answer_is_tried_again_in_smaller_calls() {
    fn breaks(ids: &[String]) -> Result<Response, Failure> {
        if ids.len() > 1 && ids.iter().any(|id| id == "0007") {
            return ok(&json!({"message": "later"}));
        }
        there(ids)
    }
    let mut bench = Bench::new(100, breaks);
    bench.run(Input::Start);
    assert_eq!((bench.sizes(), bench.taken.len()), (vec![100], 0));
    assert!(bench.due.values().all(|row| row.attempts == 1), "together, and counted");
    bench.settle();
    assert_eq!(bench.states(), (100, vec![]));
    assert!(
        bench.sizes()[1..].iter().all(|size| *size <= 50) && bench.calls.len() < 20,
        "{:?}",
        bench.sizes()
    );
}

/// A lost answer is asked for again; an end and a new beginning in the middle lose nothing.
#[test]
fn nothing_is_lost_with_an_answer_or_with_the_spoke() {
    fn lost(_: &[String]) -> Result<Response, Failure> {
        let (reached, kind) = (Reached::MaybeSent, FailureKind::Timeout);
        Err(Failure { reached, kind, detail: "no answer".to_owned(), wait: None })
    }
    let mut bench = Bench::new(150, lost);
    bench.run(Input::Start);
    assert_eq!((bench.taken.len(), bench.due.len()), (0, 150));
    bench.vendor = there;
    bench.held = Some(Vec::new());
    bench.pass(Duration::from_secs(90));
    bench.spoke = Bench::spoke();
    bench.held = None;
    bench.run(Input::Start).settle();
    assert_eq!(bench.states(), (150, vec![]));

    // Throttled: no try is counted, so that as many go again.
    fn throttled(_: &[String]) -> Result<Response, Failure> {
        Ok(Response {
            status: 429,
            headers: vec![("retry-after".to_owned(), "3".to_owned())],
            body: Vec::new(),
        })
    }
    let mut bench = Bench::new(100, throttled);
    bench.run(Input::Start);
    bench.vendor = there;
    bench.settle();
    assert_eq!((bench.sizes(), bench.states()), (vec![100, 100], (100, vec![])));
}

/// I4: each is as old as the call; a hint that comes during the call is read again.
#[test]
fn i4_a_hint_during_the_call_is_read_again() {
    let mut bench = Bench::new(3, there);
    bench.held = Some(Vec::new());
    bench.run(Input::Start);
    let began = bench.now.wall;
    bench.pass(Duration::from_secs(5));
    bench.hint("0001");
    bench.run(Input::Told(Notice::FetchWanted)).answer_held();
    assert!(bench.taken[..3].iter().all(|(.., at)| *at == began));
    bench.settle();
    assert_eq!(bench.calls, [vec!["0000", "0001", "0002"], vec!["0001"]]);
    assert_eq!(bench.taken.last().map(|(id, _, at)| (id.as_str(), *at > began)), Some(("0001", true)));
}
