//! Merges at a vendor: one of its objects goes on as another. The link follows; the record stays what it is.

use canonical::ExternalRef;
use ledger::Reason;

use crate::decide::{decision, link_for};
use crate::grave::Grave;
use crate::identity::survivor;
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
            let message = format!(
                "{about} was merged into {into} there, but they stand for two records here, {record} and {other}: \
                 see which of them is right, and merge them"
            );
            return Verdict::Quarantine(Reason {
                class: "merged_there".to_owned(),
                message,
                candidates: vec![record, other],
                ..Reason::default()
            });
        }
        Some(_) => {}
        None => {
            let following = Incoming { about: into.clone(), ..incoming.clone() };
            accepted.link = Some(link_for(context, &following, record));
        }
    }
    let Some(known) = view.records.get(&record) else { return Verdict::Accept(Box::new(accepted)) };
    let rule = "its object was merged into another one there: the link follows";
    accepted.decisions.push(decision(context, incoming, known, DecisionKind::Repointed, rule));
    // What the object that is left holds is not what was written to the one that is gone.
    accepted.untold = true;
    Verdict::Accept(Box::new(accepted))
}
