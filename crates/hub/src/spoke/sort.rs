//! With whom a delivery goes, before it is known what it comes to and after: with others of its kind of object, in batches or
//! jobs; and what no other call may be about meanwhile.

use std::sync::Arc;

use canonical::{Fields, IntentId, Object};
use connector::{BatchSpec, Part, Together, WriteSpec};
use dispatch::{Party, Permit};
use ledger::{Intent, Lane, ObligationKey, Subject};
use store::Head;

use crate::spoke::Spoke;
use crate::spoke::batch::Gathered;
use crate::spoke::bulk::job_key;
use crate::spoke::draw::looks_first;
use crate::spoke::flight::{Action, Doubt};
use crate::spoke::plan::Wanted;

/// The kind of party of a delivery of which it is not known yet what it comes to. Operations are counted from 1 << 62
/// on; below that are batches.
const ANY: u64 = 0;
/// Kinds of halves are counted from here on.
const HALVES: u64 = 1 << 63;

/// What is known of a delivery before it is admitted: with whom it may go, and what no other call may be about.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sort {
    pub(crate) party: Option<Party>,
    pub(crate) serial: Option<Arc<str>>,
}

impl Spoke {
    /// With whom a delivery may go: with any of its kind of object, until it was found what it comes to.
    pub(crate) fn sort_of(&self, head: &Head) -> Sort {
        if let Some(sort) = self.sorts.get(&head.key) {
            return sort.clone();
        }
        let most = |spec: Option<&WriteSpec>| most_for(spec?, head.lane);
        let party = match head.key.subject {
            Subject::Record(_) => {
                let [create, update] =
                    [false, true].map(|linked| most(self.connector.choose(&head.object, linked, None)));
                create.max(update).map(|most| Party { kind: ANY, most })
            }
            Subject::Event(_) => {
                let route = self.config.route(&head.key.route);
                let spec = route
                    .and_then(|route| self.connector.operation(route.operation.as_deref()?, &route.object));
                spec.and_then(|spec| party_for(spec, head.lane))
            }
        };
        Sort { party, serial: None }
    }

    /// With whom an intent in doubt goes again, and what no other call may be about meanwhile.
    pub(crate) fn sort_of_doubt(&self, doubt: &Doubt) -> Sort {
        if doubt.action == Action::Probe {
            return Sort::default();
        }
        let whole = doubt.intent.batch.map(|batch| Party {
            kind: number(batch.id),
            most: usize::try_from(batch.of).unwrap_or(usize::MAX),
        });
        let Intent { operation, object, request, .. } = &doubt.intent;
        let job = whole.filter(|_| Part::form_of(request) == Together::Bulk);
        let job = job.map(|_| job_key(object, operation));
        let spec = self.connector.operation(operation, object);
        let serial = job.or_else(|| turn_of(spec?, &doubt.write.whole));
        Sort { party: doubt.half.or(whole), serial }
    }

    pub(super) fn sort_of_one(&self, one: &Gathered) -> Sort {
        let spec = self.operation_for(&one.obligation.object, &one.wanted);
        spec.map(|spec| sort_for(spec, &one.obligation.object, &one.wanted, one.head.lane))
            .unwrap_or_default()
    }

    /// Whether it may go in a job, before it is known what it comes to.
    pub(crate) fn may_go_in_job(&self, head: &Head) -> bool {
        let of = |linked| self.connector.choose(&head.object, linked, None);
        matches!(head.key.subject, Subject::Record(_))
            && [of(false), of(true)].into_iter().flatten().any(|spec| bulk_for(spec, head.lane).is_some())
    }

    /// Whether it goes with others in jobs alone.
    pub(super) fn job_for(&self, one: &Gathered) -> bool {
        let spec = self.operation_for(&one.obligation.object, &one.wanted);
        let spec = spec.filter(|spec| !looks_first(spec, &one.wanted) && spec.batch.is_none());
        spec.and_then(|spec| bulk_for(spec, one.head.lane)).is_some()
    }

    /// What is known now of a delivery that does not go yet. It stays in the half that it was put into: nothing of the
    /// batch's refusal is over before each of it has gone in a smaller one.
    pub(super) fn keep_sort(&mut self, key: &ObligationKey, sort: Sort) {
        let half = self.sorts.get(key).and_then(|sort| sort.party).filter(is_half);
        self.sorts.insert(key.clone(), Sort { party: half.or(sort.party), ..sort });
    }

    /// The half of a rejected batch that a delivery was put into. It goes now.
    pub(crate) fn take_half(&mut self, key: &ObligationKey) -> Option<Party> {
        self.sorts.remove(key)?.party.filter(is_half)
    }

    /// A party that nobody else is of, yet.
    pub(crate) fn new_party(&mut self, most: usize) -> Party {
        self.halves += 1;
        Party { kind: HALVES | self.halves, most }
    }

    pub(super) fn may_take_turn(&self, permit: &Permit, sort: &Sort) -> bool {
        match (&self.dispatcher, &sort.serial) {
            (Some(dispatcher), Some(key)) => dispatcher.is_turn_free(permit, key),
            _ => true,
        }
    }

    /// Whether no other call is about the same parent: none is, as long as this one lasts.
    pub(super) fn takes_turn(&mut self, permit: &Permit, sort: &Sort) -> bool {
        match (&mut self.dispatcher, &sort.serial) {
            (Some(dispatcher), Some(key)) => dispatcher.take_turn(permit, key),
            _ => true,
        }
    }
}

pub(crate) const fn is_half(party: &Party) -> bool {
    party.kind >= HALVES
}

/// With whom it goes, now that it is known what it comes to.
fn sort_for(spec: &WriteSpec, object: &Object, wanted: &Wanted, lane: Lane) -> Sort {
    let party = if looks_first(spec, wanted) { None } else { party_for(spec, lane) };
    // What goes in jobs alone waits for the next one.
    let serial = match bulk_for(spec, lane).filter(|_| party.is_some() && spec.batch.is_none()) {
        Some(_) => Some(job_key(object, &spec.name)),
        None => turn_of(spec, &wanted.whole),
    };
    Sort { party, serial }
}

/// The job in which what is on that lane may go.
fn bulk_for(spec: &WriteSpec, lane: Lane) -> Option<&BatchSpec> {
    let fits = |bulk: &&BatchSpec| bulk.job.as_ref().is_some_and(|job| job.lanes.contains(&lane));
    spec.bulk.as_ref().filter(fits)
}

/// How many of what is on that lane may go together at most.
pub(super) fn most_for(spec: &WriteSpec, lane: Lane) -> Option<usize> {
    let forms = spec.batch.iter().chain(bulk_for(spec, lane));
    forms.map(|form| form.records_max).max()
}

fn party_for(spec: &WriteSpec, lane: Lane) -> Option<Party> {
    let kind = spec.name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let most = most_for(spec, lane)?;
    Some(Party { kind: (kind >> 2) | 1 << 62, most })
}

/// What no other call may be about meanwhile: the parent, where the vendor locks its row.
pub(super) fn turn_of(spec: &WriteSpec, whole: &Fields) -> Option<Arc<str>> {
    match whole.get(&**spec.serial_by.as_ref()?)? {
        serde_json::Value::String(text) if !text.is_empty() => Some(Arc::from(text.as_str())),
        serde_json::Value::Number(number) => Some(Arc::from(number.to_string())),
        _ => None,
    }
}

/// A batch's number among kinds of parties.
fn number(batch: IntentId) -> u64 {
    (batch.0.as_u64_pair().1 >> 2).max(1)
}
