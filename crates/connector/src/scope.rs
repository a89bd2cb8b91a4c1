//! What a vendor must permit: which scopes or permissions the operations need, and whether those that were granted are
//! enough, or too many.
//!
//! A manifest names them with its requests, in the vendor's words. What was granted is what a system's file says, or
//! what the vendor tells with a token. Nothing here keeps a call from being made: the vendor decides, and its refusal
//! is judged as ever.

use canonical::Object;

use crate::call::Call;
use crate::connector::Connector;
use crate::plan::{Pattern, RequestPlan};
use crate::template::{Scope, Template};

/// The manifest's part about all scopes.
#[derive(Debug)]
pub(crate) struct ScopesPlan {
    pub(crate) given: Box<str>,
    pub(crate) always: Vec<Template>,
    pub(crate) covers: Vec<(Pattern, Vec<String>)>,
    pub(crate) beside: Vec<Pattern>,
    pub(crate) told: Vec<Pattern>,
}

/// What a system is used for, as far as permissions tell it apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use<'a> {
    /// Whatever is asked of it.
    Any,
    /// Asking which account it is.
    Identity,
    /// It pushes changes of that object.
    Webhook(&'a Object),
    /// Changes of that object are listed.
    List(&'a Object),
    /// Objects of that kind are read by their ids.
    Fetch(&'a Object),
    /// The fields of such objects are asked for.
    Describe(&'a Object),
    /// A write operation, with all that belongs to it: looking for its effect, batches, jobs.
    Write(&'a Object, &'a str),
}

/// One scope that an operation needs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Needed {
    /// The operation, such as `contacts/upsert`.
    pub operation: String,
    /// Any of these is enough; never empty.
    pub any_of: Vec<String>,
}

impl Needed {
    /// In words: `a`, or `a or b`.
    #[must_use]
    pub fn words(&self) -> String {
        self.any_of.join(" or ")
    }
}

/// A granted scope that nothing needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Surplus {
    /// No operation that is used needs it.
    Unused,
    /// It stands for more than is used: these would be enough.
    Wider(Vec<String>),
    /// No operation of the connector knows it at all.
    Unknown,
}

impl Connector {
    /// Whether the manifest says which scopes operations need.
    #[must_use]
    pub fn tells_scopes(&self) -> bool {
        self.plan.scopes.is_some()
    }

    /// Where at the vendor scopes are given; empty where the manifest says none.
    #[must_use]
    pub fn scopes_given(&self) -> &str {
        self.plan.scopes.as_ref().map_or("", |scopes| &scopes.given)
    }

    /// What a use needs, each scope once, in the manifest's order. Nothing where the connector has no such operation.
    #[must_use]
    pub fn needed(&self, of: Use<'_>) -> Vec<Needed> {
        let mut found = Vec::new();
        match of {
            Use::Any => {
                let always = self.plan.scopes.iter().flat_map(|scopes| &scopes.always);
                put(&mut found, "every request", "", always);
            }
            Use::Identity => {
                let identity = self.plan.identity.iter();
                identity.for_each(|identity| put(&mut found, "identity", "", &identity.request.scopes));
            }
            Use::Webhook(object) => {
                let webhook = self.plan.webhook.iter();
                webhook.for_each(|webhook| put(&mut found, "webhook", object.as_str(), &webhook.scopes));
            }
            Use::List(object) => {
                let listings = self.object(object).into_iter().flat_map(|plan| plan.listings());
                for request in listings.flat_map(|listing| listing.requests()) {
                    put_request(&mut found, object, &request.operation, request);
                }
            }
            Use::Fetch(object) => {
                let fetch = self.object(object).and_then(|plan| plan.fetch.as_ref());
                for request in fetch.into_iter().flat_map(|fetch| fetch.requests()) {
                    put_request(&mut found, object, "fetch", request);
                }
            }
            Use::Describe(object) => {
                let describe = self.object(object).and_then(|plan| plan.describe.as_ref());
                describe.iter().for_each(|plan| put_request(&mut found, object, "describe", &plan.request));
            }
            Use::Write(object, operation) => {
                let write = self.object(object).and_then(|plan| plan.write(operation));
                for request in write.into_iter().flat_map(|write| write.requests()) {
                    put_request(&mut found, object, &request.operation, request);
                }
            }
        }
        found
    }

    /// What one call needs, with what every request needs.
    #[must_use]
    pub fn needed_by(&self, call: &Call) -> Vec<Needed> {
        let mut found = self.needed(Use::Any);
        if let Some(request) = self.request_plan(call) {
            let object = match call {
                Call::Write(write) | Call::Probe(write) => write.object.as_str(),
                Call::List { object, .. }
                | Call::Fetch { object, .. }
                | Call::FetchMany { object, .. }
                | Call::Describe { object }
                | Call::Job { object, .. } => object.as_str(),
                Call::Identity => "",
            };
            put(&mut found, &request.operation, object, &request.scopes);
        }
        found
    }

    /// Whether one of the granted scopes is enough for what is needed: itself, or one that covers it.
    #[must_use]
    pub fn is_granted(&self, needed: &Needed, granted: &[String]) -> bool {
        let named = granted.iter().any(|scope| needed.any_of.contains(scope));
        named || granted.iter().any(|scope| needed.any_of.iter().any(|wanted| self.covers(scope, wanted)))
    }

    /// Whether what the vendor tells of a token would name one of these, had it been granted.
    #[must_use]
    pub fn is_told(&self, needed: &Needed) -> bool {
        let told = self.plan.scopes.as_ref().map_or(&[][..], |scopes| &scopes.told);
        needed.any_of.iter().all(|scope| told.iter().any(|pattern| pattern.matches(scope).is_some()))
    }

    /// Those of a token's scopes that are scopes indeed: what else a vendor says there is nobody's business.
    #[must_use]
    pub fn told(&self, scopes: Vec<String>) -> Vec<String> {
        let told = self.plan.scopes.as_ref().map_or(&[][..], |plan| &plan.told);
        scopes
            .into_iter()
            .filter(|scope| told.iter().any(|pattern| pattern.matches(scope).is_some()))
            .collect()
    }

    /// Why a granted scope is one too many for what is needed; `None`: it is not.
    #[must_use]
    pub fn surplus(
        &self,
        scope: &str,
        granted: &[String],
        needed: &[Needed],
        known: &[Needed],
    ) -> Option<Surplus> {
        let beside = self.plan.scopes.as_ref().map_or(&[][..], |scopes| &scopes.beside);
        let named = |list: &[Needed]| list.iter().any(|one| one.any_of.iter().any(|name| name == scope));
        if named(needed) || beside.iter().any(|pattern| pattern.matches(scope).is_some()) {
            return None;
        }
        let others: Vec<String> = granted.iter().filter(|other| *other != scope).cloned().collect();
        let mut instead: Vec<String> = needed
            .iter()
            .filter(|one| !self.is_granted(one, &others))
            .filter_map(|one| one.any_of.iter().find(|wanted| self.covers(scope, wanted)).cloned())
            .collect();
        instead.sort();
        instead.dedup();
        let covers_some = known.iter().any(|one| one.any_of.iter().any(|wanted| self.covers(scope, wanted)));
        Some(match instead.is_empty() {
            false => Surplus::Wider(instead),
            true if named(known) || covers_some => Surplus::Unused,
            true => Surplus::Unknown,
        })
    }

    /// Whether a wider scope stands for another.
    fn covers(&self, wide: &str, wanted: &str) -> bool {
        let rules = self.plan.scopes.as_ref().map_or(&[][..], |scopes| &scopes.covers);
        rules.iter().any(|(pattern, narrower)| {
            let Some(same) = pattern.matches(wide) else { return false };
            narrower.iter().any(|name| match name.split_once('*') {
                // A `*` that the wider one does not have stands for anything.
                Some((before, after)) if pattern.after.is_none() => {
                    wanted.len() >= before.len() + after.len()
                        && wanted.starts_with(before)
                        && wanted.ends_with(after)
                }
                Some((before, after)) => wanted == format!("{before}{same}{after}"),
                None => wanted == name,
            })
        })
    }
}

fn put_request(found: &mut Vec<Needed>, object: &Object, operation: &str, request: &RequestPlan) {
    put(found, &format!("{object}/{operation}"), object.as_str(), &request.scopes);
}

fn put<'p>(
    found: &mut Vec<Needed>,
    operation: &str,
    object: &str,
    scopes: impl IntoIterator<Item = &'p Template>,
) {
    let scope = Scope { object, ..Scope::of_nothing() };
    for template in scopes {
        // A constant that is empty here names no scope.
        let Ok(text) = template.render(&scope) else { continue };
        let any_of: Vec<String> =
            text.split(" or ").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let needed = Needed { operation: operation.to_owned(), any_of };
        if !needed.any_of.is_empty() && !found.contains(&needed) {
            found.push(needed);
        }
    }
}

#[cfg(test)]
mod tests;
