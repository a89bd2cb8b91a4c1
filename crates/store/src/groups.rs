//! How rows come into groups of failures and leave them; how the deliveries of jobs are counted. In one place: every
//! backend calls these with a row before and after it moved.

use canonical::{JobId, Wall};
use intake::{Message, MessageState};
use ledger::{Group, GroupKind, Left, Member, Obligation, Place, Reason, Sample, State, Tally, name_of};

/// One change of one group.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// What the group counts.
    pub kind: GroupKind,
    /// The group's name.
    pub fingerprint: String,
    /// What happens.
    pub what: What,
}

/// What happens in a group.
#[derive(Clone, PartialEq, Debug)]
pub enum What {
    /// One comes in, or fails in it once more.
    Enter(Box<Member>, Option<Place>),
    /// One goes again.
    Retry,
    /// One leaves.
    Leave(Place, Left),
}

/// Carries a step out on the group as it stands; `None` when it is not there yet. Leaving what is not there makes
/// nothing.
#[must_use]
pub fn apply(group: Option<Group>, step: &Step, at: Wall) -> Option<Group> {
    match (&step.what, group) {
        (What::Enter(member, from), group) => {
            let mut group = group.unwrap_or_else(|| Group::first(member, at));
            group.enter(member, *from, at);
            Some(group)
        }
        (What::Retry, Some(mut group)) => {
            group.retry(at);
            Some(group)
        }
        (What::Leave(from, how), Some(mut group)) => {
            group.leave(*from, *how, at);
            Some(group)
        }
        (_, None) => None,
    }
}

/// Sets the group of a row that was settled: it fails in one, is over it, or is still on its way.
pub(crate) fn mark(row: &mut Obligation) {
    match row.state {
        State::Dead | State::Uncertain => {
            let name = name_of(&row.system, row.reason.as_ref().unwrap_or(&Reason::default()));
            let why = row
                .reason
                .get_or_insert_with(|| Reason { class: row.state.name().to_owned(), ..Reason::default() });
            why.fingerprint.clone_from(&name);
            row.aside.failed = Some(name);
        }
        State::Pending | State::Retrying | State::Parked => return,
        State::Delivered | State::Superseded | State::Skipped | State::Discarded | State::Erased => {
            row.aside.failed = None;
        }
    }
    row.aside.job = None;
}

/// Whether a person passed it over: it did not get through.
fn was_passed_over(row: &Obligation) -> bool {
    row.reason.as_ref().is_some_and(|reason| reason.class == ledger::PASSED_OVER)
}

/// What a delivery's move means for groups. Mostly nothing.
#[must_use]
pub fn of_delivery(before: &Obligation, after: &Obligation) -> Vec<Step> {
    if before.aside.failed.is_none() && after.aside.failed.is_none() {
        return Vec::new();
    }
    let place = |row: &Obligation| {
        row.aside.failed.as_ref()?;
        let waits = matches!(row.state, State::Dead | State::Uncertain);
        Some(if waits { Place::Waiting } else { Place::Again })
    };
    let left = match after.state {
        _ if after.aside.failed.is_some() => Left::Elsewhere,
        State::Discarded | State::Erased => Left::GivenUp,
        State::Skipped if was_passed_over(after) => Left::GivenUp,
        _ => Left::Through,
    };
    let member = || Member {
        tenant: after.key.tenant.clone(),
        system: after.system.clone(),
        sample: Sample::Delivery(after.key.clone()),
        why: after.reason.clone().unwrap_or_default(),
        entity: Some(after.entity.clone()),
        object: Some(after.object.clone()),
        route: Some(after.key.route.clone()),
    };
    let stood = (before.aside.failed.as_deref(), place(before));
    let stands = (after.aside.failed.as_deref(), place(after));
    // A failure that is settled as it stood is no new one.
    let same = before.state == after.state && before.attempts == after.attempts && stood == stands;
    if same { Vec::new() } else { steps(GroupKind::Delivery, stood, stands, left, member) }
}

/// A message as it is to be kept: one that needs a person is in a group, and one that goes again remembers it.
#[must_use]
pub fn marked(before: Option<(MessageState, Option<&Reason>)>, mut message: Message) -> Message {
    let name = match (message.state, before) {
        (MessageState::Quarantined, _) => {
            name_of(&message.source, message.reason.as_ref().unwrap_or(&Reason::default()))
        }
        (MessageState::Ready | MessageState::Parked, Some((_, Some(why)))) => why.fingerprint.clone(),
        _ => return message,
    };
    if !name.is_empty() {
        let blank = || Reason { class: message.state.name().to_owned(), ..Reason::default() };
        message.reason.get_or_insert_with(blank).fingerprint = name;
    }
    message
}

/// What a message's move means for groups. Mostly nothing.
#[must_use]
pub fn of_message(before: Option<(MessageState, Option<&Reason>)>, after: &Message) -> Vec<Step> {
    let stood = before.map_or((None, None), |(state, why)| in_group(state, why));
    let stands = in_group(after.state, after.reason.as_ref());
    if stood.0.is_none() && stands.0.is_none() {
        return Vec::new();
    }
    let left = match after.state {
        MessageState::Accepted => Left::Through,
        MessageState::Discarded => Left::GivenUp,
        MessageState::Quarantined | MessageState::Parked | MessageState::Ready => Left::Elsewhere,
    };
    let member = || Member {
        tenant: after.tenant.clone(),
        system: after.source.clone(),
        sample: Sample::Message(after.id),
        why: after.reason.clone().unwrap_or_default(),
        entity: None,
        object: after.about.as_ref().map(|about| about.object.clone()),
        route: None,
    };
    steps(GroupKind::Message, stood, stands, left, member)
}

fn in_group(state: MessageState, why: Option<&Reason>) -> (Option<&str>, Option<Place>) {
    let place = match state {
        MessageState::Quarantined => Place::Waiting,
        MessageState::Parked | MessageState::Ready => Place::Again,
        MessageState::Accepted | MessageState::Discarded => return (None, None),
    };
    match why.map(|why| why.fingerprint.as_str()).filter(|name| !name.is_empty()) {
        Some(name) => (Some(name), Some(place)),
        None => (None, None),
    }
}

fn steps(
    kind: GroupKind,
    (was, stood): (Option<&str>, Option<Place>),
    (is, stands): (Option<&str>, Option<Place>),
    left: Left,
    member: impl FnOnce() -> Member,
) -> Vec<Step> {
    let step = |name: &str, what| Step { kind, fingerprint: name.to_owned(), what };
    let mut steps = Vec::new();
    if was == is {
        match (is, stood, stands) {
            (Some(name), from, Some(Place::Waiting)) => {
                steps.push(step(name, What::Enter(Box::new(member()), from)));
            }
            (Some(name), Some(Place::Waiting), Some(Place::Again)) => steps.push(step(name, What::Retry)),
            _ => {}
        }
        return steps;
    }
    if let (Some(name), Some(from)) = (was, stood) {
        steps.push(step(name, What::Leave(from, left)));
    }
    if let (Some(name), Some(Place::Waiting)) = (is, stands) {
        steps.push(step(name, What::Enter(Box::new(member()), None)));
    }
    steps
}

/// Whose job's delivery came to rest, or was taken over, and what that adds to the job's tally.
#[must_use]
pub fn of_job(before: &Obligation, after: &Obligation) -> Option<(JobId, Tally)> {
    let job = before.aside.job.filter(|job| after.aside.job != Some(*job))?;
    let mut tally = Tally::default();
    match after.state {
        _ if after.aside.job.is_some() => tally.other = 1,
        State::Delivered => tally.delivered = 1,
        State::Dead | State::Uncertain => tally.failed = 1,
        _ => tally.other = 1,
    }
    Some((job, tally))
}

/// Two tallies together.
#[must_use]
pub const fn sum(one: Tally, other: Tally) -> Tally {
    Tally {
        delivered: one.delivered + other.delivered,
        failed: one.failed + other.failed,
        other: one.other + other.other,
    }
}
