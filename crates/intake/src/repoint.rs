//! Merges at a vendor: one of its objects goes on as another. The link follows; the record stays what it is.

use canonical::ExternalRef;
use ledger::Reason;
use planted::Bug;

use crate::decide::{decision, link_for};
use crate::grave::Grave;
use crate::identity::survivor;
use crate::second;
use crate::verdict::{Accepted, Context, DecisionKind, Incoming, Verdict};
use crate::view::View;

/// Decides on a message that says that its object was merged into another.
pub(crate) fn repoint(context: Context<'_>, view: &View, incoming: &Incoming, into: &ExternalRef) -> Verdict {
    let about = &incoming.about;
    let buried = Some(Grave { at: incoming.as_of, order: incoming.version() });
    // Whoever stands for both has to be seen as it is now.
    let wanted = incoming.fetchable.then(|| into.clone());
    let Some(lost) = view.links.get(about) else {
        return Verdict::Accept(Box::new(Accepted { wanted, buried, ..Accepted::default() }));
    };
    let record = survivor(view, lost.record);
    let mut accepted =
        Accepted { about: Some(record), unlink: Some(lost.clone()), wanted, buried, ..Accepted::default() };
    match view.links.get(into).map(|link| survivor(view, link.record)) {
        Some(other) if other != record => {
            let entity = &context.schema.entity;
            let message = format!(
                "{about} was merged into {into} there, but they stand for two records here, {record} and {other}: see that \
                 they are one, merge them (concord record merge {entity}/{other} {entity}/{record}), then retry this message"
            );
            return Verdict::Quarantine(Reason {
                class: "merged_there".to_owned(),
                message,
                candidates: vec![record, other],
                ..Reason::default()
            });
        }
        Some(_) => {}
        None if planted::is(Bug::MergedLinkStays) => {}
        None => {
            let following = Incoming { about: into.clone(), ..incoming.clone() };
            // A second object of the record stays one.
            let first = (record, about.system.clone(), about.object.clone());
            let second = lost.record != record && view.linked.contains_key(&first);
            accepted.link = Some(link_for(context, &following, if second { lost.record } else { record }));
        }
    }
    let Some(known) = view.records.get(&record) else { return Verdict::Accept(Box::new(accepted)) };
    second::repointed(context, view, known, (about, into), &mut accepted);
    let rule = "its object was merged into another one there: the link follows";
    accepted.decisions.push(decision(context, incoming, known, DecisionKind::Repointed, rule));
    // What the object that is left holds is not what was written to the one that is gone.
    accepted.untold = true;
    Verdict::Accept(Box::new(accepted))
}
