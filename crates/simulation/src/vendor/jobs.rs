//! A job endpoint: inputs are handed over in one request and worked on one after the other, for a while; how the job stands
//! and what came of each is asked later. Jobs may be refused whole, end before their time, never end, or be forgotten
//! while they run on; and what came of them may be there late.

use connector::{Request, Response};
use serde_json::{Value, json};

use super::Vendor;
use crate::outside::response;

/// How long a job takes to start, and how long it works on each input at most, in microseconds.
const START_MAX: u64 = 400_000;
const EACH_MAX: u64 = 250_000;

/// How likely each end of a job is, in thousandths of jobs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moods {
    /// Everything random comes from it.
    pub seed: u64,
    /// It ends half-way: some is done, and it says so.
    pub abort: u64,
    /// It does everything and never says that it has ended.
    pub stick: u64,
    /// It is not known any more after a while, and runs on.
    pub forget: u64,
    /// What came of each can be read so long after its end, in microseconds.
    pub late: u64,
}

/// A job.
#[derive(Clone, Debug)]
pub(super) struct Job {
    kind: String,
    inputs: Vec<Value>,
    /// When it began, and when it works on each.
    since: u64,
    at: Vec<u64>,
    /// The next of them.
    next: usize,
    /// It stops before that one.
    stops: Option<usize>,
    sticks: bool,
    forgotten: bool,
    invalid: bool,
    /// What a bad day does to each.
    dice: Option<u64>,
    results: Vec<Value>,
    errors: Vec<Value>,
    all: Vec<Value>,
}

impl Job {
    fn due(&self) -> Option<u64> {
        let stopped = self.invalid || self.stops.is_some_and(|stops| self.next >= stops);
        self.at.get(self.next).copied().filter(|_| !stopped)
    }

    fn ended_at(&self) -> u64 {
        self.next.checked_sub(1).and_then(|last| self.at.get(last)).copied().unwrap_or(self.since)
    }

    fn state(&self) -> &'static str {
        match () {
            () if self.invalid => "invalid",
            () if self.due().is_some() || self.sticks => "working",
            () if self.next < self.inputs.len() => "aborted",
            () => "finished",
        }
    }
}

impl Vendor {
    /// What becomes of its jobs.
    #[must_use]
    pub fn with_moods(mut self, moods: Moods) -> Self {
        self.moods = moods;
        self
    }

    /// How many jobs were begun.
    #[must_use]
    pub fn jobs_begun(&self) -> usize {
        self.jobs.len()
    }

    /// The most jobs of one operation that were at work at once.
    #[must_use]
    pub fn jobs_at_once(&self) -> usize {
        let end = |job: &Job| job.at.last().copied().unwrap_or(job.since);
        let how = |job: &Job| job.inputs.first().and_then(|input| input.get("how").cloned());
        let beside =
            |one: &Job, job: &Job| job.since <= one.since && one.since < end(job) && how(one) == how(job);
        let running = |one: &Job| self.jobs.values().filter(|job| beside(one, job)).count();
        self.jobs.values().map(running).max().unwrap_or(0)
    }

    /// Takes inputs in, to be worked on.
    pub(super) fn begin(&mut self, kind: &str, request: &Request, now: u64) -> Response {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let inputs = body.get("inputs").and_then(Value::as_array).cloned().unwrap_or_default();
        let dice = self.struck.take();
        if inputs.is_empty() {
            return response(400, &json!({"error": "no inputs"}));
        }
        self.hear(&inputs);
        let number = self.jobs.len() as u64 + 1;
        let mut random = self.moods.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut roll = |below: u64| {
            random = (random ^ (random >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(number);
            (random >> 20) % below.max(1)
        };
        let mut time = now + roll(START_MAX);
        let at = inputs.iter().map(|_| {
            time += 1_000 + roll(EACH_MAX);
            time
        });
        let at = at.collect();
        let moods = self.moods;
        let stops =
            (roll(1000) < moods.abort).then(|| usize::try_from(roll(inputs.len() as u64)).unwrap_or(0));
        let job = Job {
            kind: kind.to_owned(),
            since: now,
            at,
            next: 0,
            stops,
            sticks: roll(1000) < moods.stick,
            forgotten: roll(1000) < moods.forget,
            invalid: self.strict && inputs.iter().any(|input| self.is_refused(input)),
            dice,
            inputs,
            results: Vec::new(),
            errors: Vec::new(),
            all: Vec::new(),
        };
        self.jobs.insert(number, job);
        response(202, &json!({"id": number.to_string(), "status": "new"}))
    }

    /// Everything that jobs did until then, in the order of time.
    pub(crate) fn work(&mut self, now: u64) {
        loop {
            let due = self.jobs.iter().filter_map(|(number, job)| Some((job.due()?, *number))).min();
            let Some((at, number)) = due.filter(|(at, _)| *at <= now) else { return };
            let Some(job) = self.jobs.get_mut(&number) else { return };
            let place = job.next;
            job.next += 1;
            let (kind, input) = (job.kind.clone(), job.inputs.get(place).cloned().unwrap_or_default());
            let fate = job.dice.map_or(0, |dice| dice >> (place * 2 % 64) & 3);
            let answer = if fate == 3 {
                response(500, &json!({"error": "for this one"}))
            } else {
                self.one_of(&kind, &input, at)
            };
            let mut said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if let Some(fields) = said.as_object_mut() {
                fields.insert("trace".to_owned(), input.get("trace").cloned().unwrap_or_default());
                fields.insert("status".to_owned(), json!(answer.status));
            }
            let Some(job) = self.jobs.get_mut(&number) else { return };
            match fate {
                2 => job.all.push(json!({})),
                _ => {
                    job.all.push(said.clone());
                    let list = if answer.status < 300 { &mut job.results } else { &mut job.errors };
                    list.push(said);
                }
            }
        }
    }

    /// How a job stands, or what came of each of its inputs: `jobs/NUMBER` and `jobs/NUMBER/results`.
    pub(super) fn job(&self, path: &str, ordered: bool, now: u64) -> Response {
        let mut parts = path.split('/').skip(1);
        let number = parts.next().and_then(|text| text.parse().ok()).unwrap_or(0);
        let known = self.jobs.get(&number).filter(|job| !job.forgotten || now < job.since + START_MAX);
        let Some(job) = known else { return response(404, &json!({"error": "no such job"})) };
        if parts.next().is_none() {
            return response(200, &json!({"id": number.to_string(), "status": job.state()}));
        }
        if job.state() != "finished" || now < job.ended_at() + self.moods.late {
            return response(503, &json!({"error": "not yet"}));
        }
        if ordered {
            return response(200, &json!({"items": job.all}));
        }
        // Nobody promised an order.
        let results: Vec<&Value> = job.results.iter().rev().collect();
        response(200, &json!({"results": results, "errors": job.errors}))
    }
}
