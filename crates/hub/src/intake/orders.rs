//! What persons order of intake: units that need no look at what else is known. To settle a field is an item of the queue
//! instead, so that no message of the record is decided beside it.

use canonical::{MessageId, Wall};
use intake::{Decision, DecisionKind, Link, Message, MessageState};
use store::{Fetch, Op, Require, Unit};

use super::prepare::reason;
use crate::turn::{Order, Turn};

/// The unit of an operator's order to intake, and the message that it makes.
pub(super) fn order(
    tenant: &canonical::Tenant,
    order: Order,
    turn: &mut Turn<'_>,
) -> Result<(Unit, Option<MessageId>), String> {
    let tenant = tenant.clone();
    let now = turn.now.wall;
    let op = match order {
        Order::Retake { message, reason: why } => {
            let reason = Some(reason("retried", why));
            Op::MessageState { tenant, id: message, state: MessageState::Ready, reason, at: now }
        }
        Order::DiscardMessage { message, reason: why } => Op::MessageState {
            tenant,
            id: message,
            state: MessageState::Discarded,
            reason: Some(reason("discarded", why)),
            at: now,
        },
        Order::Correct { message, corrected, reason: why } => {
            let id = MessageId::from_parts(now, turn.wide_entropy());
            return Ok((correction(message, *corrected, &why, id, now), Some(id)));
        }
        Order::Link { link, version, message, reads, reason } => {
            let fetch = reads.then(|| fetch_of(&link, now, turn));
            let mut unit = linked(*link, version, message, &reason, now);
            unit.ops.extend(fetch.map(Op::WantFetch));
            return Ok((unit, None));
        }
        Order::Unlink { link, version, reason } => {
            let decision = by_hand(&link, version, DecisionKind::Unlinked, &reason, now);
            let require = vec![Require::RecordAt { record: link.record, version }];
            let ops = store::unlinked(*link, now).into_iter().chain([decision]).collect();
            return Ok((Unit { require, ops }, None));
        }
        other => return Err(format!("intake does not take this order: {other:?}")),
    };
    Ok((Unit { require: Vec::new(), ops: vec![op] }, None))
}

/// The unit that links an object by hand.
fn linked(link: Link, version: i64, message: Option<MessageId>, why: &str, now: Wall) -> Unit {
    let tenant = link.tenant.clone();
    let mut require = vec![
        Require::RecordAt { record: link.record, version },
        Require::Unlinked { tenant: tenant.clone(), external: link.external() },
        Require::NotYetLinked {
            record: link.record,
            system: link.system.clone(),
            object: link.object.clone(),
        },
    ];
    let mut ops = vec![by_hand(&link, version, DecisionKind::Linked, why, now), Op::PutLink(link)];
    if let Some(id) = message {
        require.push(Require::Quarantined { tenant: tenant.clone(), message: id });
        let reason = Some(reason("linked", why.to_owned()));
        ops.push(Op::MessageState { tenant, id, state: MessageState::Ready, reason, at: now });
    }
    Unit { require, ops }
}

fn fetch_of(link: &Link, now: Wall, turn: &mut Turn<'_>) -> Fetch {
    let (tenant, external) = (link.tenant.clone(), link.external());
    let trace = format!("{:032x}", turn.wide_entropy());
    Fetch { tenant, external, hinted_at: now, due: now, attempts: 0, trace }
}

fn by_hand(link: &Link, version: i64, kind: DecisionKind, why: &str, now: Wall) -> Op {
    Op::PutDecision(Decision {
        tenant: link.tenant.clone(),
        record: link.record,
        field: None,
        system: link.system.clone(),
        kind,
        version,
        rule: format!("{}: {why}", link.object),
        at: now,
    })
}

/// What came stays as it is, given up for the correction; the correction is taken in as what came would have been.
fn correction(original: MessageId, corrected: Message, why: &str, id: MessageId, now: Wall) -> Unit {
    let require = vec![Require::Quarantined { tenant: corrected.tenant.clone(), message: original }];
    let goes_on = Some(reason("corrected", format!("{why} (goes on as {id})")));
    let corrects = Some(reason("corrected", format!("{why} (corrects {original})")));
    let message = Message {
        id,
        state: MessageState::Ready,
        // The id at the source, and the hash that tells its repetition, are the original's.
        event_id: None,
        read: true,
        lacking: false,
        reason: corrects,
        waiting: None,
        deadline: None,
        received_at: now,
        ..corrected
    };
    let tenant = message.tenant.clone();
    let given_up =
        Op::MessageState { tenant, id: original, state: MessageState::Discarded, reason: goes_on, at: now };
    Unit { require, ops: vec![given_up, Op::PutMessage(message)] }
}
