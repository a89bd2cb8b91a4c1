//! Waiting for what a delivery refers to: as long as what brings it there goes on, and an hour beyond that.
//!
//! A delivery that waits is judged again when the link comes, when what brings it there ends, and at its deadline. That it waits
//! is written down only while that is still so: whatever came between judgement and park wakes nobody, so that it is judged anew.
//! The deadline counts from the first wait, however often it is judged, or from the end of what would have brought the link.
//! Given up it keeps what it waited for: when the link comes after all, it goes on by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{Object, RecordId, Wall};
use ledger::{Obligation, Reason, State, Waiting};
use mapping::{Mapping, MissingLink};
use store::Require;

use crate::spoke::Spoke;
use crate::spoke::plan::{Plan, Rest, reason};

/// How long a delivery waits for an object that nothing brings there.
const LINK_WAIT: Duration = Duration::from_secs(3600);

/// What brings records to the system, as kinds of objects.
pub(crate) type Bringers = BTreeMap<(RecordId, Object), Obligation>;

impl Spoke {
    /// It refers to what the target does not have yet.
    pub(crate) fn wait_for(
        &self,
        missing: &MissingLink,
        bringers: &Bringers,
        mapping: &Mapping,
        now: Wall,
        waiter: &Obligation,
    ) -> Plan {
        let MissingLink { field, entity, object, record, .. } = missing;
        let refers =
            format!("{field} refers to {entity} {record}, which is not in {} as {object}", self.system);
        let waits = format!("waits for {entity} {record} to be linked there");
        self.wait(&refers, waits, (*record, object.clone()), bringers, mapping, now, waiter)
    }

    /// An event about a record that is not there itself yet.
    pub(crate) fn wait_for_itself(
        &self,
        record: RecordId,
        bringers: &Bringers,
        mapping: &Mapping,
        now: Wall,
        waiter: &Obligation,
    ) -> Plan {
        let object = waiter.object.clone();
        let refers = format!("its own object is not in {} as {object}", self.system);
        let waits = "waits for its own object to be linked there".to_owned();
        self.wait(&refers, waits, (record, object), bringers, mapping, now, waiter)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different fact about the delivery")]
    fn wait(
        &self,
        refers: &str,
        waits: String,
        awaited: (RecordId, Object),
        bringers: &Bringers,
        mapping: &Mapping,
        now: Wall,
        waiter: &Obligation,
    ) -> Plan {
        let bringer = bringers.get(&awaited);
        let until = deadline(waiter, bringer, now);
        let (record, object) = awaited;
        let rest = |state, reason, until| {
            let system = self.system.clone();
            let waiting = Some(Waiting::Link { record, object: object.clone(), until });
            let require = vec![Require::NotYetLinked { record, system, object: object.clone() }];
            Rest { waiting, require, ..Rest::of(state, reason) }
        };
        match stands(bringer, until <= now) {
            Standing::Over(why) => {
                let text = format!("{refers}: {why}. It goes on by itself when it is there");
                Plan::Rest(rest(State::Dead, self.failure("missing_link", text, mapping), until))
            }
            Standing::Alive(bringer) => {
                // The deadline stands still while somebody works at it.
                let until = if until <= now { now + LINK_WAIT } else { until };
                let hasten = (waiter.lane < bringer.lane).then(|| (bringer.key.clone(), waiter.lane));
                let mut rest = Rest { hasten, ..rest(State::Parked, reason("parked", waits), until) };
                // Its end wakes who is parked by then.
                let (key, level, state) = (bringer.key.clone(), bringer.wanted, bringer.state);
                rest.require.push(Require::Wanted { key, level, state });
                Plan::Rest(rest)
            }
            Standing::Open => Plan::Rest(rest(State::Parked, reason("parked", waits), until)),
        }
    }
}

/// Until when it waits: an hour from its first wait, and from the end of what would have brought it.
fn deadline(waiter: &Obligation, bringer: Option<&Obligation>, now: Wall) -> Wall {
    let first = match &waiter.waiting {
        Some(Waiting::Link { until, .. }) => *until,
        _ => now + LINK_WAIT,
    };
    let came_to_nothing =
        |row: &&Obligation| matches!(row.state, State::Skipped | State::Delivered | State::Superseded);
    // What rests is due since it rests.
    bringer.filter(came_to_nothing).map_or(first, |ended| first.max(ended.due + LINK_WAIT))
}

/// What it waits for, and since when, where it is judged again for another reason.
pub(crate) fn still(waiter: &Obligation) -> Option<Waiting> {
    waiter.waiting.clone().filter(|waiting| matches!(waiting, Waiting::Link { .. }))
}

/// How what brings an object stands, for those that wait.
enum Standing<'a> {
    /// It goes on.
    Alive(&'a Obligation),
    /// It does not go on by itself, or nothing is known to bring it; it may come all the same.
    Open,
    /// It does not come, and why.
    Over(String),
}

fn stands(bringer: Option<&Obligation>, late: bool) -> Standing<'_> {
    let Some(bringer) = bringer else {
        let why = "nothing has brought it there within an hour: see why it does not come";
        return if late { Standing::Over(why.to_owned()) } else { Standing::Open };
    };
    let class = bringer.reason.as_ref().map_or("", |reason: &Reason| reason.class.as_str());
    let route = &bringer.key.route;
    match bringer.state {
        State::Pending | State::Retrying | State::Parked | State::Uncertain => Standing::Alive(bringer),
        State::Dead => {
            Standing::Over(format!("its own delivery by route {route} is dead ({class}): see to that first"))
        }
        State::Discarded | State::Erased => {
            Standing::Over(format!("its own delivery by route {route} was given up: retry that first"))
        }
        // A record that is outside a filter, or lacks a field, may come in the next moment.
        State::Skipped | State::Delivered | State::Superseded if late => {
            let how = bringer.state.name();
            let class = if class.is_empty() { String::new() } else { format!(" ({class})") };
            Standing::Over(format!("its own delivery by route {route} ended as {how}{class}, without a link"))
        }
        State::Skipped | State::Delivered | State::Superseded => Standing::Open,
    }
}
