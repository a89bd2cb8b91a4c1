//! What the answer to a batch means for each of its records.
//!
//! Every batch adds up: each record has one outcome, so that sent = applied + refused + unknown. What an answer does
//! not say of a record is unknown, and an answer that says nothing is no success.
//!
//! | answer | each record |
//! |---|---|
//! | none | as for a single write |
//! | throttled, stale token, in trouble, locked | as for a single write: nothing of it was looked at, or nobody knows |
//! | another refusal, its status among `rejects` | `batch_rejected`: nothing was applied; alone: what the refusal says |
//! | another refusal | uncertain |
//! | 2xx | by its own result or error; uncertain without one, with two, or when places do not add up |

use std::collections::BTreeMap;

use canonical::Wall;
use ledger::{Class, Outcome};
use serde_json::Value;

use super::{Answer, refusal};
use crate::call::Call;
use crate::connector::Connector;
use crate::exchange::{Failure, Response};
use crate::path::{Path, text_of};
use crate::plan::{BatchPlan, Correlate};

/// What came of a batch.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdicts {
    /// What the call as a whole says about the target: its health and its limits.
    pub call: Outcome,
    /// What came of each record, in the order of the batch.
    pub each: Vec<Outcome>,
}

/// What an answer says about one record.
enum Said<'a> {
    Nothing,
    Result(&'a Value),
    Error(&'a Value),
    /// More than one thing.
    Contradiction,
}

impl Connector {
    /// Says what came of a batch of these writes, sent in this order. Total: any bytes have a meaning.
    #[must_use]
    pub fn classify_batch(&self, calls: &[Call], answer: &Result<Response, Failure>, now: Wall) -> Verdicts {
        let Some((first, plan)) = calls.first().and_then(|call| Some((call, self.batch_plan(call)?))) else {
            let call = Outcome::because(Class::Permanent, "the connector has no such batch");
            return Verdicts { each: vec![call.clone(); calls.len()], call };
        };
        let response = match answer {
            Err(failure) => {
                let call = self.of_failure(first, failure);
                return Verdicts { each: vec![call.clone(); calls.len()], call };
            }
            Ok(response) => response,
        };
        let whole = Answer::new(response);
        let mut verdicts = match self.refused_whole(plan, calls, first, &whole, now) {
            Some(call) => Verdicts { each: vec![call.clone(); calls.len()], call },
            None => self.each(plan, calls, &whole, now),
        };
        verdicts.call.remaining = self.left_of(&plan.request.charge, response, now);
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
        let status = answer.response.status;
        if (200..300).contains(&status) {
            return None;
        }
        let rule = self.rules(first).find(|rule| rule.matches(answer));
        let mut outcome = match rule {
            // A rule that takes a refusal for done means one record's.
            Some(rule) if rule.class != Class::Applied => self.of_rule(rule, first, answer, now),
            _ => self.of_status(first, answer, now),
        };
        hide_all(&mut outcome, calls);
        let about_content = matches!(
            outcome.class,
            Class::Validation
                | Class::TooLarge
                | Class::Permission
                | Class::Duplicate
                | Class::NotFound
                | Class::Gone
                | Class::Conflict
                | Class::Permanent
        );
        if about_content && calls.len() > 1 {
            outcome.class =
                if plan.rejects.contains(&status) { Class::BatchRejected } else { Class::Uncertain };
            // Which record it is about is not known.
            outcome.external_id = None;
        }
        Some(outcome)
    }

    fn each(&self, plan: &BatchPlan, calls: &[Call], answer: &Answer<'_>, now: Wall) -> Verdicts {
        let said = self.correlate(plan, calls, answer.json());
        let judge = |(call, said): (&Call, Said<'_>)| match said {
            Said::Result(result) => {
                self.of_result(plan, call, &Answer::of_part(answer.response, result), now)
            }
            Said::Error(error) => self.of_error(plan, call, &Answer::of_part(answer.response, error), now),
            Said::Nothing => self.unsaid(answer, "the batch's answer says nothing of this record"),
            Said::Contradiction => {
                self.unsaid(answer, "the batch's answer says more than one thing of this record")
            }
        };
        let each: Vec<Outcome> = calls.iter().zip(said).map(judge).collect();
        // It answered. That the answer says nothing of some is no illness; and under a key it may be a stored one.
        let call = Outcome::of(Class::Applied);
        Verdicts { call, each }
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
    fn correlate<'a>(&self, plan: &BatchPlan, calls: &[Call], body: Option<&'a Value>) -> Vec<Said<'a>> {
        let list = |path: &Option<Path>| -> Option<&'a Vec<Value>> { path.as_ref()?.find(body?)?.as_array() };
        let (results, errors) = (list(&plan.results), list(&plan.errors));
        match &plan.correlate {
            Correlate::Position => match results {
                Some(results) if results.len() == calls.len() => results.iter().map(Said::Result).collect(),
                _ => calls.iter().map(|_| Said::Nothing).collect(),
            },
            Correlate::Echo { sent, result, error } => {
                let results = results.into_iter().flatten();
                let mut named: BTreeMap<String, Said<'a>> = BTreeMap::new();
                for (path, value) in results.filter_map(|value| Some((result.as_ref()?, value))) {
                    for name in names(path, value) {
                        note(&mut named, name, Said::Result(value));
                    }
                }
                for (path, value) in
                    errors.into_iter().flatten().filter_map(|value| Some((error.as_ref()?, value)))
                {
                    for name in names(path, value) {
                        note(&mut named, name, Said::Error(value));
                    }
                }
                // Without a list of results, whoever is in no error was taken, where the list of errors is there.
                let (rest, no_results) = (body.filter(|_| errors.is_some()), plan.results.is_none());
                let of = |call: &Call| {
                    let name = sent.render(&self.scope(call, None, None)).ok()?;
                    named.remove(&name).or_else(|| rest.filter(|_| no_results).map(Said::Result))
                };
                calls.iter().map(of).map(|said| said.unwrap_or(Said::Nothing)).collect()
            }
        }
    }
}

/// The text there, or the texts of the list there.
fn names(path: &Path, value: &Value) -> Vec<String> {
    match path.find(value) {
        Some(Value::Array(items)) => items.iter().filter_map(text_of).collect(),
        Some(one) => text_of(one).into_iter().collect(),
        None => Vec::new(),
    }
}

fn note<'a>(named: &mut BTreeMap<String, Said<'a>>, name: String, said: Said<'a>) {
    let known = named.remove(&name);
    named.insert(name, if known.is_some() { Said::Contradiction } else { said });
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
