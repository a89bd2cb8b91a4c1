//! Classifying: what an answer, or its absence, means.
//!
//! The operation's rules come first, then the object's, then the manifest's; the first that matches counts. What no
//! rule matches is judged by what HTTP says:
//!
//! | answer | class |
//! |---|---|
//! | 2xx with GraphQL errors | validation without `data`; else uncertain (write) or retryable (read) |
//! | 2xx | applied, if all that the manifest declares is in it; else uncertain (write) or retryable (read) |
//! | 400, 422 and other 4xx | validation; 401 auth_expired; 403 permission; 404 not_found; 410 gone; 409, 412 conflict; 413, 414 too_large; 423 locked; 429 rate_limited; 408 as 5xx |
//! | 5xx, 408 | uncertain (write), retryable (read) |
//! | 1xx, 3xx | permanent: a redirect is not followed |
//! | nothing of the request was sent | retryable; permanent when the address is forbidden or no credential is there |
//! | it may have been sent | uncertain (write), retryable (read) |

mod batch;
mod job;
mod reason;
mod refusal;
mod success;
#[cfg(test)]
mod tests;
mod wait;

pub(crate) use wait::retry_after;

use std::cell::OnceCell;

use canonical::Wall;
use ledger::{Class, Outcome, Wait};
use serde_json::Value;

use crate::call::Call;
use crate::connector::Connector;
use crate::exchange::{Failure, FailureKind, Reached, Response};
use crate::graphql;
use crate::plan::{BodyPlan, HeaderPlan, Rule};
use crate::source::{CallKind, Transport};
use crate::spec::Charge;
use crate::xml::XmlPlan;

pub use batch::Verdicts;
pub use job::Stands;
pub use reason::{Level, Reason};
pub(crate) use wait::http_date;

/// How much of a body is searched for texts.
const TEXT_SEARCHED_MAX: usize = 16 * 1024;

/// An answer with its body read at most once.
pub(crate) struct Answer<'a> {
    pub(crate) response: &'a Response,
    /// How its body is read where it is XML.
    xml: Option<&'a XmlPlan>,
    /// What reads it before that.
    code: Option<&'static dyn crate::Code>,
    json: OnceCell<Option<Value>>,
    text: OnceCell<String>,
}

impl<'a> Answer<'a> {
    fn new(response: &'a Response, xml: Option<&'a XmlPlan>, code: Option<&'static dyn crate::Code>) -> Self {
        Self { response, xml, code, json: OnceCell::new(), text: OnceCell::new() }
    }

    /// A part of an answer's body, judged by itself.
    pub(crate) fn of_part(response: &'a Response, part: &Value) -> Self {
        let text = part.to_string().to_lowercase();
        Self {
            response,
            xml: None,
            code: None,
            json: OnceCell::from(Some(part.clone())),
            text: OnceCell::from(text),
        }
    }

    /// Whether the body is read as XML.
    pub(crate) fn is_xml(&self) -> bool {
        self.xml.is_some() && XmlPlan::is_for(&self.response.body)
    }

    /// The body as JSON, or as what stands for it.
    pub(crate) fn json(&self) -> Option<&Value> {
        self.json
            .get_or_init(|| {
                let body = self.response.body.as_slice();
                if let Some(read) = self.code.and_then(|code| code.document(body)) {
                    return read.ok();
                }
                match self.xml.filter(|_| XmlPlan::is_for(body)) {
                    Some(plan) => plan.read(body).ok(),
                    None if body.is_empty() => None,
                    None => serde_json::from_slice(body).ok(),
                }
            })
            .as_ref()
    }

    fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let body = &self.response.body[..self.response.body.len().min(TEXT_SEARCHED_MAX)];
            String::from_utf8_lossy(body).to_lowercase()
        })
    }
}

impl Call {
    pub(crate) const fn kind(&self) -> CallKind {
        match self {
            Self::Write(_) => CallKind::Write,
            Self::Probe(_) => CallKind::Probe,
            Self::List { .. } => CallKind::List,
            Self::Fetch { .. } | Self::FetchMany { .. } => CallKind::Fetch,
            Self::Identity => CallKind::Identity,
            Self::Describe { .. } => CallKind::Describe,
            Self::Job { .. } => CallKind::Job,
        }
    }
}

impl Connector {
    /// An answer, read as the manifest says.
    pub(crate) fn answer<'a>(&'a self, response: &'a Response) -> Answer<'a> {
        Answer::new(response, self.plan.xml.as_ref(), self.plan.code)
    }

    /// Says what came of a call. Total: any bytes have a meaning.
    #[must_use]
    pub fn classify(&self, call: &Call, answer: &Result<Response, Failure>, now: Wall) -> Outcome {
        match answer {
            Ok(response) => {
                let answer = self.answer(response);
                let mut outcome = self.of_answer(call, &answer, now);
                outcome.remaining = self.remaining(call, response, now);
                outcome.replayed = self.is_replayed(call, response);
                outcome
            }
            Err(failure) => self.of_failure(call, failure),
        }
    }

    /// Whether it is the answer to an earlier request with the same key, given again.
    fn is_replayed(&self, call: &Call, response: &Response) -> bool {
        let plan = self.write_plan(call).filter(|_| call.kind() == CallKind::Write);
        plan.and_then(|plan| plan.replayed.as_ref()).is_some_and(|header| header.stands_in(response))
    }

    /// The rules for a call, in their order.
    fn rules<'a>(&'a self, call: &Call) -> impl Iterator<Item = &'a Rule> {
        self.placed_rules(call).map(|(_, _, rule)| rule)
    }

    fn of_failure(&self, call: &Call, failure: &Failure) -> Outcome {
        let transport = transport(failure.kind);
        let write = call.kind() == CallKind::Write;
        let ruled = transport.and_then(|t| self.rules(call).find(|rule| rule.transport.contains(&t)));
        let class = match (ruled, failure.kind, failure.reached) {
            (Some(rule), ..) => rule.class,
            (None, _, Reached::MaybeSent) if write => Class::Uncertain,
            (None, FailureKind::NoToken, _) => Class::AuthExpired,
            (None, FailureKind::Blocked | FailureKind::Misconfigured, _) => Class::Permanent,
            (None, FailureKind::TooLarge, _) => Class::Permanent,
            (None, ..) => Class::Retryable,
        };
        let mut outcome = Outcome::because(class, refusal::message(&failure.detail, call));
        outcome.refusal.code = Some(failure.kind.name().to_owned());
        // Without a token nothing was tried.
        outcome.unreached = failure.reached == Reached::NotSent && failure.kind != FailureKind::NoToken;
        outcome
    }

    pub(crate) fn of_answer(&self, call: &Call, answer: &Answer<'_>, now: Wall) -> Outcome {
        let status = answer.response.status;
        // A success of which only a part failed is no failure of all: what it says of each is read with them.
        if self.holds_objects(call, answer) && self.errors_inside(call, answer).is_none() {
            return Outcome::of(Class::Applied);
        }
        if let Some(rule) = self.rules(call).find(|rule| rule.matches(answer)) {
            return self.of_rule(rule, call, answer, now);
        }
        if (200..300).contains(&status) {
            return match self.errors_inside(call, answer) {
                Some(class) => self.refused(class, call, answer, None),
                None => self.of_success(call, answer),
            };
        }
        self.of_status(call, answer, now)
    }

    /// What a success with errors in it means, as GraphQL servers give it.
    pub(crate) fn errors_inside(&self, call: &Call, answer: &Answer<'_>) -> Option<Class> {
        let asked = self.request_plan(call).is_some_and(|plan| matches!(plan.body, BodyPlan::GraphQl { .. }));
        answer.json().filter(|_| asked).and_then(|body| graphql::refused(body, call.kind()))
    }

    fn of_status(&self, call: &Call, answer: &Answer<'_>, now: Wall) -> Outcome {
        let class = by_status(answer.response.status, call.kind());
        let mut outcome = self.refused(class, call, answer, None);
        outcome.wait = self.asked_wait(class, answer, now);
        outcome
    }

    fn of_rule(&self, rule: &Rule, call: &Call, answer: &Answer<'_>, now: Wall) -> Outcome {
        if rule.class == Class::Applied {
            let mut outcome = Outcome::of(Class::Applied);
            if let Call::Write(write) | Call::Probe(write) = call {
                outcome.external_id.clone_from(&write.external_id);
            }
            return outcome;
        }
        let mut outcome = self.refused(rule.class, call, answer, rule.say.as_deref());
        outcome.external_id =
            rule.existing_id.as_ref().zip(answer.json()).and_then(|(plan, body)| plan.read(body));
        outcome.wait = match &rule.wait {
            Some(plan) => plan.read(answer, now),
            None => self.asked_wait(rule.class, answer, now),
        };
        outcome
    }

    /// `Retry-After`, where the class is one that waits.
    fn asked_wait(&self, class: Class, answer: &Answer<'_>, now: Wall) -> Option<Wait> {
        let waits = matches!(
            class,
            Class::RateLimited
                | Class::QuotaExhausted
                | Class::Locked
                | Class::Uncertain
                | Class::Retryable
                | Class::Conflict
        );
        if waits { retry_after(answer.response, now).map(Wait::For) } else { None }
    }

    /// What the answer's headers say is left of the limits that the call draws from: the scarcest.
    fn remaining(&self, call: &Call, response: &Response, now: Wall) -> Option<(String, u64, Option<Wait>)> {
        if self.plan.gauges.is_empty() {
            return None;
        }
        self.left_of(&self.request_plan(call)?.charge, response, now)
    }

    fn left_of(
        &self,
        charge: &Charge,
        response: &Response,
        now: Wall,
    ) -> Option<(String, u64, Option<Wait>)> {
        let mut scarcest: Option<(String, u64, Option<Wait>)> = None;
        for gauge in self.plan.gauges.iter().filter(|gauge| charge.buckets.contains(&gauge.bucket)) {
            let Some(left) = response.header(&gauge.header).and_then(|text| gauge.left(text)) else {
                continue;
            };
            if scarcest.as_ref().is_none_or(|(_, least, _)| left < *least) {
                let reset = gauge.reset.as_ref().and_then(|plan| plan.read_header(response, now));
                scarcest = Some((gauge.bucket.to_string(), left, reset));
            }
        }
        scarcest
    }
}

/// The kind of failure as rules name it.
const fn transport(kind: FailureKind) -> Option<Transport> {
    Some(match kind {
        FailureKind::Dns => Transport::Dns,
        FailureKind::Connect => Transport::Connect,
        FailureKind::Tls => Transport::Tls,
        FailureKind::Timeout => Transport::Timeout,
        FailureKind::Reset => Transport::Reset,
        FailureKind::TooLarge => Transport::TooLarge,
        FailureKind::Blocked | FailureKind::Misconfigured | FailureKind::NoToken => return None,
    })
}

impl Rule {
    pub(crate) fn matches(&self, answer: &Answer<'_>) -> bool {
        let response = answer.response;
        if !self.transport.is_empty() || !(self.status.is_empty() || self.status.contains(&response.status)) {
            return false;
        }
        if self.header.as_ref().is_some_and(|header| !header.stands_in(response)) {
            return false;
        }
        if self.json.is_some_and(|wanted| wanted != answer.json().is_some()) {
            return false;
        }
        if let Some(test) = &self.body
            && !answer.json().is_some_and(|body| test.holds(body))
        {
            return false;
        }
        self.text.is_empty() || self.text.iter().any(|text| answer.text().contains(text.as_str()))
    }
}

impl HeaderPlan {
    pub(crate) fn new(name: &str, equals: Option<&str>) -> Self {
        Self { name: name.to_ascii_lowercase().into(), equals: equals.map(Into::into) }
    }

    fn stands_in(&self, response: &Response) -> bool {
        let value = response.header(&self.name);
        value.is_some_and(|value| self.equals.as_deref().is_none_or(|wanted| wanted == value))
    }
}

impl FailureKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Blocked => "blocked",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::TooLarge => "too_large",
            Self::Misconfigured => "misconfigured",
            Self::NoToken => "no_token",
        }
    }
}

/// What HTTP itself says.
fn by_status(status: u16, kind: CallKind) -> Class {
    let unknown = if kind == CallKind::Write { Class::Uncertain } else { Class::Retryable };
    match status {
        401 => Class::AuthExpired,
        403 => Class::Permission,
        404 if kind == CallKind::Probe => Class::Absent,
        404 => Class::NotFound,
        408 | 500.. => unknown,
        409 | 412 => Class::Conflict,
        410 => Class::Gone,
        413 | 414 => Class::TooLarge,
        423 => Class::Locked,
        429 => Class::RateLimited,
        400..=499 => Class::Validation,
        _ => Class::Permanent,
    }
}
