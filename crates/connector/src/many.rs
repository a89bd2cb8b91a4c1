//! Several objects of a kind read by their ids in one call.
//!
//! | of an id the answer | it is |
//! |---|---|
//! | holds one object | what a read of it alone would give |
//! | says an error that means `not_found` or `gone` | gone, as by such an answer to a read of it alone |
//! | says nothing, where the manifest takes that for proof (`absent: deleted`), and adds up | gone |
//! | says anything else, or holds it twice, or so that it can't be read | left to a read of it alone, which says why |
//!
//! An answer adds up when all that it holds was asked for, and nothing twice: one that shows an object under another id (merged, or
//! written another way) says nothing of those that it does not show.

use std::collections::BTreeMap;

use canonical::Object;
use ledger::Class;
use serde_json::Value;

use crate::call::Call;
use crate::classify::Answer;
use crate::connector::Connector;
use crate::error::RenderError;
use crate::exchange::{Request, Response};
use crate::observation::{Garbled, Observation, Seen};
use crate::path::text_of;
use crate::plan::{ManyErrors, ManyPlan, ObjectPlan};
use crate::read::{garbled, place};
use crate::source::AbsentOfMany;
use crate::spec::Charge;

#[cfg(test)]
mod tests;

/// How several objects are read in one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManySpec {
    /// Most in one call; two or more.
    pub records_max: usize,
    /// What the call draws from the vendor's limits.
    pub charge: Charge,
}

/// What an answer says of an id.
enum Told {
    /// The object.
    Read(Box<Observation>),
    /// It is gone.
    Gone,
    /// Too much, or nothing of use.
    Unclear,
}

impl Connector {
    /// How several such objects are read in one call; `None`: each is read alone.
    #[must_use]
    pub fn many(&self, object: &Object) -> Option<&ManySpec> {
        self.many_plan(object).map(|plan| &plan.spec)
    }

    pub(crate) fn many_plan(&self, object: &Object) -> Option<&ManyPlan> {
        let plan = self.object(object)?;
        // A read of several tells of no associations: whose are mapped, each is read alone.
        let tells_all = plan.associations.iter().all(|one| one.seen.is_none());
        plan.fetch.as_ref()?.many.as_ref().filter(|_| tells_all)
    }

    /// The call that reads as many of these as go in one, with its request: the first of them, two or more. `None`: not
    /// even two do, and each is to be read alone.
    ///
    /// # Errors
    /// As [`Self::render`]: one of them cannot stand in the request, say.
    pub fn render_many(
        &self,
        object: &Object,
        ids: &[String],
    ) -> Result<Option<(Call, Request)>, RenderError> {
        let Some(plan) = self.many_plan(object) else { return Ok(None) };
        let mut count = ids.len().min(plan.spec.records_max);
        while count >= 2 {
            let taken = ids.get(..count).unwrap_or(ids).to_vec();
            let call = Call::FetchMany { object: object.clone(), ids: taken };
            let request = self.render(&call)?;
            if request.path.len() <= plan.address_max && request.body.len() <= plan.bytes_max {
                return Ok(Some((call, request)));
            }
            count /= 2;
        }
        Ok(None)
    }

    /// Reads the answer to a fetch of several: for each id, in their order, what a fetch of it alone would give; `None`:
    /// that is not known, and it has to be read alone.
    ///
    /// # Errors
    /// When the call is no such fetch, or the answer holds no list of objects.
    pub fn read_many(&self, call: &Call, response: &Response) -> Result<Vec<Option<Observation>>, Garbled> {
        let Call::FetchMany { object, ids } = call else {
            return Err(garbled("the call is not a fetch of several", "the call"));
        };
        let plan = self.object(object);
        let Some((plan, many)) = plan.zip(self.many_plan(object)) else {
            return Err(garbled(format!("several `{object}` cannot be read in one call"), "the call"));
        };
        let body = self.success(response)?;
        let Some(Value::Array(items)) = many.items.find_list(&body) else {
            return Err(garbled("there is no list of objects", place(&many.items)));
        };
        let mut told: BTreeMap<&str, Told> = BTreeMap::new();
        let asked = |id: &str| ids.iter().find(|asked| *asked == id);
        let mut adds_up = true;
        let mut say = |id: &str, what: Told| match asked(id) {
            Some(id) if !told.contains_key(id.as_str()) => {
                told.insert(id, what);
                true
            }
            Some(id) => {
                told.insert(id, Told::Unclear);
                false
            }
            None => false,
        };
        for item in items {
            let Some(found) = many.object.find(item).filter(|found| !found.is_null()) else { continue };
            adds_up &= match (plan.shape.id.text_at(found), read_one(plan, object, found)) {
                (Some(id), Some(observation)) => say(&id, Told::Read(Box::new(observation))),
                (Some(id), None) => say(&id, Told::Unclear),
                (None, _) => false,
            };
        }
        if let Some(errors) = &many.errors {
            for (id, gone) in errors.read(&body, response) {
                adds_up &= say(&id, if gone { Told::Gone } else { Told::Unclear });
            }
        }
        let missing_is_gone = adds_up && many.absent == AbsentOfMany::Deleted;
        let each = ids.iter().map(|id| match told.remove(id.as_str()) {
            Some(Told::Read(observation)) => Some(*observation),
            Some(Told::Gone) => Some(gone(object, id)),
            None if missing_is_gone => Some(gone(object, id)),
            Some(Told::Unclear) | None => None,
        });
        Ok(each.collect())
    }

    /// Whether an answer to a fetch of several is a success with a list of objects.
    pub(crate) fn holds_objects(&self, call: &Call, answer: &Answer<'_>) -> bool {
        let Call::FetchMany { object, .. } = call else { return false };
        let success = (200..300).contains(&answer.response.status);
        let plan = self.many_plan(object).filter(|_| success);
        plan.zip(answer.json())
            .is_some_and(|(plan, body)| plan.items.find_list(body).is_some_and(Value::is_array))
    }
}

fn read_one(plan: &ObjectPlan, object: &Object, found: &Value) -> Option<Observation> {
    plan.read(object, found.clone()).ok()
}

/// An object that is not there.
pub(crate) fn gone(object: &Object, id: &str) -> Observation {
    Observation {
        object: object.clone(),
        external_id: id.to_owned(),
        seen: Seen::Deleted,
        order: None,
        version: None,
        event_id: None,
        occurred_at: None,
        changed_at: None,
        trace: None,
    }
}

impl ManyErrors {
    /// The ids that errors are about, and whether each means that the object is gone.
    fn read(&self, body: &Value, response: &Response) -> Vec<(String, bool)> {
        let errors = self.at.find(body).and_then(Value::as_array);
        let mut read = Vec::new();
        for error in errors.into_iter().flatten() {
            let answer = Answer::of_part(response, error);
            let rule = self.rules.iter().find(|rule| rule.matches(&answer));
            let gone = rule.is_some_and(|rule| matches!(rule.class, Class::NotFound | Class::Gone));
            let ids: Vec<String> = match self.ids.find(error) {
                Some(Value::Array(ids)) => ids.iter().filter_map(text_of).collect(),
                Some(id) => text_of(id).into_iter().collect(),
                None => Vec::new(),
            };
            // Of whom it is said nobody knows: the answer does not add up.
            if ids.is_empty() {
                read.push((String::new(), false));
            }
            read.extend(ids.into_iter().map(|id| (id, gone)));
        }
        read
    }
}
