//! After a restore from a backup: what a shadow of before it says is old, and what is seen there for the first time
//! since then may be an edit, or what Concord itself wrote after the backup was taken. Nothing can tell the two apart.
//!
//! So nothing of it is refused as an edit: what another owns stays and is told there again, and where nobody owns the
//! field, what was learned since the restore counts more than what is first seen there now. Either way it is recorded.

use std::time::Duration;

use canonical::{Field, FieldSpec, Record, Wall};
use ledger::Shadow;
use planted::Bug;

use crate::verdict::{Context, Incoming};
use crate::view::View;

/// So long after a restore, an object that is seen for the first time ever may be one of Concord's own.
const UNKNOWN_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// Whether a shadow was neither read nor written since the store was restored.
#[must_use]
pub fn unverified(shadow: &Shadow, restored_at: Option<Wall>) -> bool {
    let known = shadow.seen_at.max(shadow.written_at);
    let before = |known, restored| known <= restored && !planted::is(Bug::RestoreIsTrusted);
    restored_at.is_some_and(|restored| known.is_none_or(|known| before(known, restored)))
}

/// Whether this is the first sight of an object since the restore.
pub(crate) fn first_sight(context: Context<'_>, view: &View, incoming: &Incoming, record: &Record) -> bool {
    let Some(restored) = context.restored_at else {
        return false;
    };
    let key = (record.id, incoming.about.system.clone(), incoming.about.object.clone());
    match view.shadows.get(&key).filter(|shadow| shadow.is_of(&incoming.about.id)) {
        Some(shadow) => unverified(shadow, context.restored_at),
        // An object that is not known at all may have been made after the backup was taken, too, where any is written.
        None => !incoming.seen_paths.is_empty() && context.now <= restored + UNKNOWN_FOR,
    }
}

/// Whether an object that is gone may have gone after the backup was taken, and another one been made in its place: nobody has
/// seen it or written to it since the restore.
pub(crate) fn may_be_replaced(
    context: Context<'_>,
    view: &View,
    incoming: &Incoming,
    record: &Record,
) -> bool {
    let key = (record.id, incoming.about.system.clone(), incoming.about.object.clone());
    let shadow = view.shadows.get(&key).filter(|shadow| shadow.is_of(&incoming.about.id));
    context.restored_at.is_some()
        && shadow.is_none_or(|shadow| unverified(shadow, context.restored_at))
        && !planted::is(Bug::RestoreIsTrusted)
}

/// Whether a differing value of a first sight is left alone: another owns the field, or said something since.
pub(crate) fn stays(context: Context<'_>, record: &Record, field: &Field, spec: &FieldSpec) -> bool {
    let told = record.provenance.get(field).map(|provenance| provenance.at);
    spec.possible_owners().next().is_some() || told.is_some_and(|at| Some(at) > context.restored_at)
}

/// Whether a record may have been told after the backup was taken, and the store forgot: it is new, or heard of for the
/// first time since.
pub(crate) fn may_be_forgotten(context: Context<'_>, before: Option<&Record>) -> bool {
    let Some(restored) = context.restored_at else { return false };
    before.map_or(context.now <= restored + UNKNOWN_FOR, |record| record.updated_at <= restored)
}

/// Whether a state that is newer for its source and changes nothing must be told again: what the systems heard after
/// the backup was taken is not known.
pub(crate) fn tell_again(context: Context<'_>, record: &Record) -> bool {
    context.restored_at.is_some_and(|restored| record.updated_at <= restored)
}
