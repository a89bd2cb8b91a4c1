//! What the answer to a batch means for each of its records, and what came of a job.
//!
//! Every batch adds up: each record has one outcome, so that sent = applied + refused + unknown. What an answer does
//! not say of a record is unknown, and an answer that says nothing is no success.
//!
//! | answer | each record |
//! |---|---|
//! | none | as for a single write |
//! | throttled, stale token | as for a single write: nothing of it was looked at |
//! | locked, in trouble | the same with its status among `rejects`; else uncertain |
//! | another refusal, its status among `rejects` | `batch_rejected`: nothing was applied; alone: what the refusal says |
//! | another refusal | uncertain |
//! | 2xx in which `refused` holds | as another status |
//! | another 2xx | by its own result or error; uncertain without one, with two, or when places do not add up; where it begins a job: not known yet, uncertain without the job's id |
//!
//! A request that begins a job which another request fills holds no record: whatever it answers, nothing was applied.
//! Then what is uncertain above is `retryable`, and a refusal is `batch_rejected`, whatever its status. What a job ended
//! before it came to is `batch_rejected`, too.

use std::collections::{BTreeMap, BTreeSet};

use canonical::Wall;
use ledger::{Class, Outcome};
use serde_json::Value;

use super::{Answer, refusal};
use crate::batch::Together;
use crate::call::Call;
use crate::connector::Connector;
use crate::exchange::{Failure, Response};
use crate::path::{Path, text_of};
use crate::plan::{BatchPlan, Correlate};

/// What came of a batch.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdicts {
    /// The vendor's id of the job that it began: what comes of each is not known before that is done.
    pub job: Option<String>,
    /// What the call as a whole says about the target: its health and its limits.
    pub call: Outcome,
    /// What came of each record, in the order of the batch.
    pub each: Vec<Outcome>,
}

/// Where records were in what was sent: of a job some may have been settled before.
pub(super) struct Seats {
    /// Of each call, its place.
    pub(super) places: Vec<usize>,
    /// How many were sent.
    pub(super) of: usize,
}

impl Seats {
    fn all(of: usize) -> Self {
        Self { places: (0..of).collect(), of }
    }
}

/// In what stand those that were taken, those that were refused, and those that a job did not come to: one answer, or
/// several.
#[derive(Clone, Copy, Default)]
pub(super) struct Lists<'a> {
    pub(super) results: Option<&'a Value>,
    pub(super) errors: Option<&'a Value>,
    pub(super) unprocessed: Option<&'a Value>,
}

impl<'a> Lists<'a> {
    const fn of(body: Option<&'a Value>) -> Self {
        Self { results: body, errors: body, unprocessed: None }
    }
}

/// What an answer says about one record.
#[derive(Clone, Copy)]
enum Said<'a> {
    Nothing,
    Result(&'a Value),
    Error(&'a Value),
    /// The job ended before it came to it.
    Unprocessed,
    /// More than one thing.
    Contradiction,
}

impl Connector {
    /// Says what came of a batch of these writes, sent in this order. Total: any bytes have a meaning.
    #[must_use]
    pub fn classify_batch(
        &self,
        calls: &[Call],
        form: Together,
        answer: &Result<Response, Failure>,
        now: Wall,
    ) -> Verdicts {
        let mut verdicts = self.judge_batch(calls, form, answer, now);
        let plan = calls.first().and_then(|call| self.batch_plan(call, form));
        let empty = plan.and_then(|plan| plan.job.as_ref()).is_some_and(|job| job.upload.is_some());
        if empty && verdicts.job.is_none() {
            // Nothing of them was sent.
            for class in verdicts.each.iter_mut().chain([&mut verdicts.call]).map(|one| &mut one.class) {
                *class = if *class == Class::Uncertain { Class::Retryable } else { *class };
            }
        }
        verdicts
    }

    fn judge_batch(
        &self,
        calls: &[Call],
        form: Together,
        answer: &Result<Response, Failure>,
        now: Wall,
    ) -> Verdicts {
        let plan = calls.first().and_then(|call| Some((call, self.batch_plan(call, form)?)));
        let Some((first, plan)) = plan else {
            // What was sent may have been applied.
            let call = Outcome::because(Class::Uncertain, "the connector has no such batch any more");
            return Verdicts { job: None, each: vec![call.clone(); calls.len()], call };
        };
        let response = match answer {
            Err(failure) => {
                let call = self.of_failure(first, failure);
                return Verdicts { job: None, each: vec![call.clone(); calls.len()], call };
            }
            Ok(response) => response,
        };
        let whole = self.answer(response);
        let mut verdicts = match self.refused_whole(plan, calls, first, &whole, now) {
            Some(call) => {
                let class = of_each(plan, calls, call.class, response.status);
                let open = class == Class::Uncertain && call.class != Class::Uncertain;
                let whole = (open && is_definite(call.class)).then_some(call.class);
                let each = Outcome { class, whole, ..call.clone() };
                // How the target is says the refusal itself.
                let call = Outcome { class: if open { call.class } else { class }, ..call };
                Verdicts { job: None, each: vec![each; calls.len()], call }
            }
            None => match &plan.job {
                Some(job) => self.began(job, calls, &whole),
                None => Verdicts {
                    job: None,
                    // It answered. That the answer says nothing of some is no illness; and under a key it may be a
                    // stored one.
                    call: Outcome::of(Class::Applied),
                    each: self.each(
                        plan,
                        calls,
                        &Seats::all(calls.len()),
                        &Lists::of(whole.json()),
                        &whole,
                        now,
                    ),
                },
            },
        };
        verdicts.call.remaining = self.left_of(&plan.request.charge, response, now);
        let replayed = self.is_replayed(first, response);
        for outcome in verdicts.each.iter_mut().chain([&mut verdicts.call]) {
            outcome.replayed = replayed;
        }
        verdicts
    }

    /// The answer, where it is no success: it is about all of them.
    fn refused_whole(
        &self,
        plan: &BatchPlan,
        calls: &[Call],
        first: &Call,
        answer: &Answer<'_>,
        now: Wall,
    ) -> Option<Outcome> {
        let said = plan.refused.as_ref().zip(answer.json()).is_some_and(|(test, body)| test.holds(body));
        if (200..300).contains(&answer.response.status) && !said {
            return None;
        }
        let rule = self.rules(first).find(|rule| rule.matches(answer));
        let mut outcome = match rule {
            // A rule that takes a refusal for done means one record's.
            Some(rule) if rule.class != Class::Applied => self.of_rule(rule, first, answer, now),
            _ => self.of_status(first, answer, now),
        };
        hide_all(&mut outcome, calls);
        if calls.len() > 1 {
            // Which record it is about is not known.
            outcome.external_id = None;
        }
        Some(outcome)
    }

    pub(super) fn each(
        &self,
        plan: &BatchPlan,
        calls: &[Call],
        seats: &Seats,
        lists: &Lists<'_>,
        answer: &Answer<'_>,
        now: Wall,
    ) -> Vec<Outcome> {
        let said = self.correlate(plan, calls, seats, lists);
        let judge = |(call, said): (&Call, Said<'_>)| match said {
            Said::Result(result) => {
                self.of_result(plan, call, &Answer::of_part(answer.response, result), now)
            }
            Said::Error(error) => self.of_error(plan, call, &Answer::of_part(answer.response, error), now),
            Said::Unprocessed => {
                Outcome::because(Class::BatchRejected, "its job ended before it came to this record")
            }
            Said::Nothing => self.unsaid(answer, "the batch's answer says nothing of this record"),
            Said::Contradiction => {
                self.unsaid(answer, "the batch's answer says more than one thing of this record")
            }
        };
        calls.iter().zip(said).map(judge).collect()
    }

    fn of_result(&self, plan: &BatchPlan, call: &Call, answer: &Answer<'_>, now: Wall) -> Outcome {
        match plan.rules.iter().find(|rule| rule.matches(answer)) {
            Some(rule) => self.of_rule(rule, call, answer, now),
            None => self.written(&plan.answer, call, answer),
        }
    }

    fn of_error(&self, plan: &BatchPlan, call: &Call, answer: &Answer<'_>, now: Wall) -> Outcome {
        match plan.rules.iter().find(|rule| rule.matches(answer)) {
            Some(rule) => self.of_rule(rule, call, answer, now),
            None => self.refused(Class::Validation, call, answer, None),
        }
    }

    fn unsaid(&self, answer: &Answer<'_>, say: &str) -> Outcome {
        let mut outcome = Outcome::because(Class::Uncertain, say);
        outcome.refusal.status = Some(answer.response.status);
        outcome
    }

    /// What the answer says about each.
    fn correlate<'a>(
        &self,
        plan: &BatchPlan,
        calls: &[Call],
        seats: &Seats,
        lists: &Lists<'a>,
    ) -> Vec<Said<'a>> {
        let list = |path: &Option<Path>, body: Option<&'a Value>| path.as_ref()?.find(body?)?.as_array();
        let (results, errors) = (list(&plan.results, lists.results), list(&plan.errors, lists.errors));
        let none = if plan.results.is_some() { &plan.results } else { &plan.errors };
        let unprocessed = list(none, lists.unprocessed);
        match &plan.correlate {
            Correlate::Position => match results {
                Some(results) if results.len() == seats.of => {
                    let seat = |place: &usize| results.get(*place).map_or(Said::Nothing, Said::Result);
                    seats.places.iter().map(seat).collect()
                }
                _ => calls.iter().map(|_| Said::Nothing).collect(),
            },
            Correlate::Place(error) => {
                let sent = seats.places.iter().map(|place| Some(place.to_string())).collect();
                by_echo(plan, sent, (None, results), (Some(error), errors), (lists.results, unprocessed))
            }
            Correlate::Echo { sent, result, error } => {
                let echo = |call: &Call| sent.render(&self.scope(call, None, None)).ok();
                let sent = calls.iter().map(echo).collect();
                let (result, error) = ((result.as_ref(), results), (error.as_ref(), errors));
                by_echo(plan, sent, result, error, (lists.results, unprocessed))
            }
        }
    }
}

/// Where a name stands in each of a list.
type Named<'p, 'a> = (Option<&'p Path>, Option<&'a Vec<Value>>);

/// What is said of each, by the names that were sent. `whole` is the answer about all, then what a job did not come to.
fn by_echo<'a>(
    plan: &BatchPlan,
    sent: Vec<Option<String>>,
    (result, results): Named<'_, 'a>,
    (error, errors): Named<'_, 'a>,
    (whole, unprocessed): (Option<&'a Value>, Option<&'a Vec<Value>>),
) -> Vec<Said<'a>> {
    let known: BTreeSet<&str> = sent.iter().flatten().map(String::as_str).collect();
    let mut echoes = Echoes { accounted: known.len() == sent.len(), ..Echoes::default() };
    echoes.note(&known, results, result, Said::Result);
    echoes.note(&known, errors, error, Said::Error);
    echoes.note(&known, unprocessed, error.or(result), |_| Said::Unprocessed);
    // Without a list of results, whoever is in no error was taken: where the list of errors is there, and each error is
    // somebody's.
    let missing = plan.results.is_none() && errors.is_some() && echoes.accounted;
    let all = whole.filter(|_| missing);
    let twice = |name: &str| sent.iter().flatten().filter(|other| *other == name).count() > 1;
    let of = |name: &Option<String>| match name {
        None => Said::Nothing,
        Some(name) if twice(name) => Said::Contradiction,
        Some(name) => {
            let rest = all.map_or(Said::Nothing, Said::Result);
            echoes.named.get(name.as_str()).copied().unwrap_or(rest)
        }
    };
    sent.iter().map(of).collect()
}

/// What is said, by what is echoed of a record.
#[derive(Default)]
struct Echoes<'a> {
    named: BTreeMap<String, Said<'a>>,
    /// Whether all that is said is said of a record that was sent, and of one only.
    accounted: bool,
}

impl<'a> Echoes<'a> {
    fn note(
        &mut self,
        known: &BTreeSet<&str>,
        list: Option<&'a Vec<Value>>,
        path: Option<&Path>,
        say: fn(&'a Value) -> Said<'a>,
    ) {
        for value in list.into_iter().flatten() {
            let names = path.map(|path| names(path, value)).unwrap_or_default();
            self.accounted &= !names.is_empty() && names.iter().all(|name| known.contains(name.as_str()));
            for name in names {
                let said = if self.named.contains_key(&name) { Said::Contradiction } else { say(value) };
                self.named.insert(name, said);
            }
        }
    }
}

/// What a refusal of the whole means for each of several. That nothing of it was applied must be said of batches: the
/// same answer to a single write says nothing of those before the one that it is about.
fn of_each(plan: &BatchPlan, calls: &[Call], class: Class, status: u16) -> Class {
    if calls.len() < 2 {
        return class;
    }
    let empty = plan.job.as_ref().is_some_and(|job| job.upload.is_some());
    match (class, empty || plan.rejects.contains(&status)) {
        (class, true) if is_definite(class) => Class::BatchRejected,
        (class, false) if is_definite(class) => Class::Uncertain,
        (Class::Locked | Class::Retryable, false) => Class::Uncertain,
        (class, _) => class,
    }
}

/// Whether it is a refusal that the same bytes would meet again.
const fn is_definite(class: Class) -> bool {
    matches!(
        class,
        Class::Validation
            | Class::TooLarge
            | Class::Permission
            | Class::Duplicate
            | Class::NotFound
            | Class::Gone
            | Class::Conflict
            | Class::Permanent
    )
}

/// The text there, or the texts of the list there.
fn names(path: &Path, value: &Value) -> Vec<String> {
    match path.find(value) {
        Some(Value::Array(items)) => items.iter().filter_map(text_of).collect(),
        Some(one) => text_of(one).into_iter().collect(),
        None => Vec::new(),
    }
}

/// What is said of all is kept with each: it must hold no value of any (I15).
fn hide_all(outcome: &mut Outcome, calls: &[Call]) {
    let refusal = &mut outcome.refusal;
    for call in calls {
        refusal.message = refusal::message(&refusal.message, call);
    }
    let shows = |text: &String| calls.iter().all(|call| refusal::message(text, call) == *text);
    refusal.code = refusal.code.take().filter(shows);
    refusal.field = refusal.field.take().filter(shows);
}
