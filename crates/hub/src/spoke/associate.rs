//! Associations: what of a projection is no field at the target is said apart, by intents of its own, when the object is
//! there: one association for each, in the order that brings every path to what is wanted.
//!
//! As long as something follows, an intent is `lacking`: the obligation goes on when it has ended, also over a restart, and
//! what follows is judged anew. An answer about an association says nothing of where the object itself is.

use std::collections::BTreeSet;
use std::sync::Arc;

use canonical::{Fields, Object, Wall};
use connector::AssociationSpec;
use ledger::{Association, Intent, Next, Obligation, Shadow, Step};
use serde_json::Value;

use crate::spoke::Spoke;
use crate::spoke::flight::Flight;
use crate::spoke::plan::{Wanted, reason};
use crate::spoke::settle::Ending;

/// What is wanted at the paths that are associations.
pub(crate) type Relations<'a> = Vec<(&'a AssociationSpec, Value)>;

impl Spoke {
    /// Takes out of a projection what is no field there.
    pub(crate) fn take_relations(&self, object: &Object, fields: &mut Fields) -> Relations<'_> {
        let associations = self.connector.associations(object);
        associations.filter_map(|spec| Some((spec, fields.remove(&*spec.path)?))).collect()
    }

    /// The calls that bring them to what is wanted, but for paths that are not to be touched.
    pub(crate) fn steps(
        relations: &Relations<'_>,
        shadow: &Shadow,
        untouched: &BTreeSet<&str>,
        again: bool,
    ) -> Vec<Association> {
        let touched = relations.iter().filter(|(spec, _)| !untouched.contains(&*spec.path));
        touched
            .flat_map(|(spec, value)| {
                let steps = shadow.steps(&spec.path, value, spec.moving, again);
                steps.into_iter().map(|(step, other)| spec.by(step, &other))
            })
            .collect()
    }

    /// Whether a replay is to say everything again. Where associations follow, what came before them was said again
    /// already when it stands at the level that is wanted.
    pub(crate) fn says_all_again(&self, obligation: &Obligation, shadow: &Shadow) -> bool {
        let resays = obligation.aside.resay > obligation.reached.generation;
        let follows = || self.connector.associations(&obligation.object).next().is_some();
        resays && !(shadow.level == obligation.wanted && follows())
    }

    /// The first of what is to be said apart: `plain` is what is to be written besides, of which nothing is left to say.
    pub(crate) fn apart(&self, plain: Wanted, first: Association) -> Wanted {
        let object = self.connector.associating(plain.shadow_object(), &first.path, first.step);
        let said = Arc::new(says(&first, &plain.shadow));
        Wanted {
            operation: Some(object.map_or_else(|| verb(first.step).to_owned(), |spec| spec.name.to_string())),
            difference: Arc::clone(&said),
            whole: said,
            association: Some(Box::new(first)),
            ..plain
        }
    }

    /// What an answer that no association can mean leads to, where it would lead to another object being made or taken for
    /// this one; `None`: to what it says.
    pub(crate) fn misread(
        &self,
        flight: &Flight,
        next: &Next,
        outcome: &ledger::Outcome,
        now: Wall,
    ) -> Option<Ending> {
        let one = flight.intent.association.as_deref()?;
        let class = match next {
            // Its own object may be gone, or the other one: both are read, so that whoever ended one is heard first.
            Next::LinkRot if flight.head.is_none() => return Some(Ending::Converge),
            Next::LinkRot => match self.look_for_lost(flight, outcome, now) {
                Some(ending) => return Some(ending),
                None => "not_found",
            },
            Next::Adopt { .. } => "duplicate",
            _ => return None,
        };
        let own = flight.intent.external_id.as_deref().unwrap_or_default();
        let message = format!(
            "{} answers `{class}` where {}/{own} is to {} {}/{}: look whether both are there, then retry",
            self.system,
            flight.intent.object,
            verb(one.step),
            one.to,
            one.other
        );
        let mut why = reason(class, message.clone());
        let refusal = ledger::Refusal { message, ..ledger::Refusal::default() };
        let (mapping, version) = &flight.mapping;
        why.fingerprint = ledger::fingerprint(&self.system, class, &refusal, mapping, *version);
        Some(Ending::Dead(why))
    }

    /// What a replay said first was said at this level: the associations that follow are said again, too.
    pub(crate) fn doubt_relations(&self, intent: &Intent, old: &Shadow, shadow: &mut Shadow) {
        if !intent.lacking || old.level == intent.level {
            return;
        }
        let said = intent.association.as_deref().map(|one| one.path.as_str());
        for spec in self.connector.associations(&intent.object) {
            if said != Some(&*spec.path) && shadow.fields.contains_key(&*spec.path) {
                shadow.unknown.insert(spec.path.to_string());
            }
        }
    }
}

impl Wanted {
    fn shadow_object(&self) -> &Object {
        &self.shadow.object
    }
}

const fn verb(step: Step) -> &'static str {
    match step {
        Step::Associate => "associate",
        Step::Dissociate => "dissociate",
    }
}

/// What stands at the path when that is done, as far as it changes.
fn says(one: &Association, shadow: &Shadow) -> Fields {
    let value = match one.step {
        Step::Associate => Value::String(one.other.clone()),
        Step::Dissociate if shadow.fields.get(&one.path) == Some(&Value::String(one.other.clone())) => {
            Value::Null
        }
        // One that is left over: what stands at the path stays.
        Step::Dissociate => return Fields::new(),
    };
    std::iter::once((one.path.clone(), value)).collect()
}

/// What an intent says was confirmed.
pub(crate) fn confirm(shadow: &mut Shadow, intent: &Intent) {
    match &intent.association {
        Some(one) => shadow.confirm_step(one),
        None => shadow.confirm(&intent.fields),
    }
}

/// What an intent says is in doubt.
pub(crate) fn doubt(shadow: &mut Shadow, intent: &Intent, said: &Fields) {
    match &intent.association {
        Some(one) => shadow.doubt_step(one),
        None => shadow.doubt(said),
    }
}
