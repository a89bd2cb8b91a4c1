//! Groups of dead letters: alike failures counted together.

use std::collections::BTreeMap;

use canonical::Wall;
use ledger::Reason;
use serde::Serialize;

use super::{MESSAGES_AT_ONCE, MESSAGES_SEARCHED_MAX, Wanted};
use crate::asked::Part;
use crate::desk::Desk;
use crate::keys;
use crate::rows::{Why, time};

/// Deliveries counted at most, the newest.
const DELIVERIES_COUNTED_MAX: usize = 10_000;

/// The groups, the largest first.
#[derive(Serialize)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    /// False when there were more dead letters than are counted for one answer; the newest were.
    groups_complete: bool,
}

/// Alike dead letters.
#[derive(Serialize)]
struct Group {
    kind: &'static str,
    system: String,
    /// Of the newest.
    #[serde(flatten)]
    why: Why,
    count: u64,
    /// The oldest `since`.
    first: String,
    /// The newest `since`.
    last: String,
    /// The key of the newest.
    sample: String,
}

#[derive(Default)]
struct Tally(BTreeMap<(&'static str, String, String, String), Count>);

struct Count {
    why: Why,
    count: u64,
    first: Wall,
    last: Wall,
    sample: String,
}

impl Tally {
    /// One more; the newest come first.
    fn add(
        &mut self,
        kind: &'static str,
        system: &str,
        reason: Option<&Reason>,
        since: Wall,
        key: impl Fn() -> String,
    ) {
        let (class, group) = reason.map_or(("", ""), |reason| (&reason.class, &reason.fingerprint));
        let place = (kind, system.to_owned(), class.to_owned(), group.to_owned());
        let blank = || Count { why: Why::of(reason), count: 0, first: since, last: since, sample: key() };
        let count = self.0.entry(place).or_insert_with(blank);
        count.count += 1;
        count.first = count.first.min(since);
        count.last = count.last.max(since);
    }
}

/// Counts what is wanted.
pub(super) async fn groups(desk: &Desk, wanted: &Wanted) -> Result<Groups, web::Problem> {
    let mut tally = Tally::default();
    let mut complete = true;
    if wanted.deliveries {
        let mut part = Part { before: None, limit: store::browse::LIST_ROWS_MAX };
        for counted in (0..).step_by(part.limit) {
            if counted >= DELIVERIES_COUNTED_MAX {
                complete = false;
                break;
            }
            let rows = desk.deliveries(wanted.deliveries(part)).await?;
            for (_, row) in &rows {
                let key = || keys::shown(&row.key);
                tally.add("delivery", row.system.as_str(), row.reason.as_ref(), row.raised_at, key);
            }
            part.before = part.next(&rows);
            if part.before.is_none() {
                break;
            }
        }
    }
    if wanted.messages {
        let mut part = Part { before: None, limit: MESSAGES_AT_ONCE };
        for counted in (0..).step_by(part.limit) {
            if counted >= MESSAGES_SEARCHED_MAX {
                complete = false;
                break;
            }
            let rows = desk.messages(wanted.messages(part)).await?;
            for (_, message) in rows.iter().filter(|(_, message)| wanted.takes(message)) {
                let key = || message.id.to_string();
                tally.add(
                    "message",
                    message.source.as_str(),
                    message.reason.as_ref(),
                    message.received_at,
                    key,
                );
            }
            part.before = part.next(&rows);
            if part.before.is_none() {
                break;
            }
        }
    }
    Ok(Groups { groups: shown(tally), groups_complete: complete })
}

fn shown(tally: Tally) -> Vec<Group> {
    let group = |((kind, system, ..), count): ((&'static str, String, String, String), Count)| Group {
        kind,
        system,
        why: count.why,
        count: count.count,
        first: time(count.first),
        last: time(count.last),
        sample: count.sample,
    };
    let mut groups: Vec<Group> = tally.0.into_iter().map(group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}
