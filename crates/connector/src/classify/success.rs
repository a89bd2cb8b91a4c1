//! Successes: a 2xx is one only if all that the manifest declares is in it.

use ledger::{Class, Outcome};
use serde_json::Value;

use super::Answer;
use crate::call::Call;
use crate::connector::Connector;
use crate::listing;
use crate::plan::{AnswerPlan, CreatedPlan, IdPlan, ProbePlan, WritePlan};

impl Connector {
    pub(super) fn of_success(&self, call: &Call, answer: &Answer<'_>) -> Outcome {
        match (call, self.write_plan(call)) {
            (Call::Write(_), Some(plan)) => self.written(&plan.answer, call, answer),
            (Call::Probe(_), Some(WritePlan { probe: Some(probe), .. })) => self.probed(probe, call, answer),
            (Call::List { object, cursor, .. }, _) => {
                let poll = self.object(object).and_then(|plan| plan.listing(cursor));
                let holds = poll.zip(answer.json()).is_some_and(|(poll, body)| {
                    match listing::starting(poll, cursor) {
                        Some(plan) => plan.token.text_at(body).is_some(),
                        None => poll.found(body).is_some(),
                    }
                });
                self.read(holds, call, answer)
            }
            (Call::Describe { object }, _) => {
                let plan = self.object(object).and_then(|plan| plan.describe.as_ref());
                let holds = plan.zip(answer.json()).is_some_and(|(plan, body)| plan.holds(body));
                self.read(holds, call, answer)
            }
            (Call::Job { .. }, _) => self.read(self.is_about_job(call, answer), call, answer),
            (Call::FetchMany { .. }, _) => self.read(self.holds_objects(call, answer), call, answer),
            (Call::Fetch { .. } | Call::Identity, _) => self.read(answer.json().is_some(), call, answer),
            _ => self.refused(Class::Permanent, call, answer, Some("the connector has no such operation")),
        }
    }

    fn read(&self, readable: bool, call: &Call, answer: &Answer<'_>) -> Outcome {
        if readable {
            return Outcome::of(Class::Applied);
        }
        self.refused(
            Class::Retryable,
            call,
            answer,
            Some("the answer is a success without the content asked for"),
        )
    }

    pub(super) fn written(&self, expected: &AnswerPlan, call: &Call, answer: &Answer<'_>) -> Outcome {
        if expected.needs_body() && answer.json().is_none() {
            let say =
                "the answer is a success with no JSON body, so it does not show that anything was written";
            return self.refused(Class::Uncertain, call, answer, Some(say));
        }
        let body = answer.json().unwrap_or(&Value::Null);
        if let Some((results, errors)) = &expected.batch {
            let count =
                |path: &crate::path::Path| path.find(body).and_then(Value::as_array).map_or(0, Vec::len);
            let (done, failed) = (count(results), count(errors));
            if failed == 1 && done == 0 {
                return self.refused(
                    Class::Validation,
                    call,
                    answer,
                    Some("the batch's one record was refused"),
                );
            }
            if (done, failed) != (1, 0) {
                let say = format!("sent 1 record, and the answer holds {done} results and {failed} errors");
                return self.refused(Class::Uncertain, call, answer, Some(&say));
            }
        }
        if let Some(missing) = expected.needs.iter().find(|path| path.find(body).is_none()) {
            let say = format!("the answer is a success without `{}`", missing.as_str());
            return self.refused(Class::Uncertain, call, answer, Some(&say));
        }
        let mut outcome = Outcome::of(Class::Applied);
        if let Some(id) = &expected.id {
            outcome.external_id = self.id_of(id, call, answer, body);
            if outcome.external_id.is_none() {
                let say = "the answer is a success without the object's id";
                return self.refused(Class::Uncertain, call, answer, Some(say));
            }
        }
        outcome.token = expected.order.as_ref().and_then(|order| order.read(body));
        outcome.version = expected.version.as_ref().and_then(|version| version.read(answer.response, body));
        outcome.created = created(expected, answer, body);
        outcome
    }

    fn id_of(&self, plan: &IdPlan, call: &Call, answer: &Answer<'_>, body: &Value) -> Option<String> {
        match plan {
            IdPlan::Path(path) => path.text_at(body),
            IdPlan::Header(name) => {
                let value = answer.response.header(name)?;
                let value = value.split(['?', '#']).next()?.trim_end_matches('/');
                let id = value.rsplit('/').next()?;
                if id.is_empty() { None } else { Some(id.to_owned()) }
            }
            IdPlan::Known(template) => template.render(&self.scope(call, None, None)).ok(),
        }
    }

    fn probed(&self, plan: &ProbePlan, call: &Call, answer: &Answer<'_>) -> Outcome {
        let Some(body) = answer.json() else {
            return self.refused(
                Class::Retryable,
                call,
                answer,
                Some("the answer is a success with no JSON body"),
            );
        };
        let found = match &plan.found {
            None => body,
            Some(path) => match path.find_list(body) {
                Some(Value::Array(items)) => match items.as_slice() {
                    [] => return Outcome::of(Class::Absent),
                    [one] => one,
                    many => {
                        let say = format!("{} objects carry this key; merge them there", many.len());
                        return self.refused(Class::Duplicate, call, answer, Some(&say));
                    }
                },
                Some(Value::Null) => return Outcome::of(Class::Absent),
                None if plan.says_nothing(body) => return Outcome::of(Class::Absent),
                _ => {
                    let say = format!("the answer is a success without the list `{}`", path.as_str());
                    return self.refused(Class::Retryable, call, answer, Some(&say));
                }
            },
        };
        let Some(id) = plan.id.text_at(found) else {
            return self.refused(Class::Retryable, call, answer, Some("what was found has no id"));
        };
        let mut outcome = Outcome::of(Class::Applied);
        outcome.external_id = Some(id);
        outcome.token = plan.order.as_ref().and_then(|order| order.read(found));
        outcome.version = plan.version.as_ref().and_then(|version| version.read(answer.response, found));
        outcome
    }
}

fn created(plan: &AnswerPlan, answer: &Answer<'_>, body: &Value) -> Option<bool> {
    match plan.created.as_ref()? {
        // In CSV all values are texts.
        CreatedPlan::Path(path) => path.flag(body).or_else(|| path.find(body)?.as_str()?.parse().ok()),
        CreatedPlan::Status(status) => Some(answer.response.status == *status),
    }
}
