//! Associations: relations between objects that are no fields, and which calls make them and take them back.

use std::collections::BTreeSet;
use std::sync::Arc;

use canonical::{Fields, Object};
use ledger::{Association, Moving, Step};
use serde_json::{Map, Value};

use crate::connector::Connector;
use crate::path::Path;
use crate::plan::ObjectPlan;
use crate::source::Serves;
use crate::spec::WriteSpec;

/// An association that objects of a kind can have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssociationSpec {
    /// The path that mappings know it by.
    pub path: Arc<str>,
    /// The kind of the other object.
    pub to: Object,
    /// How it goes from one object to another.
    pub moving: Moving,
    /// Whether a read of one object by its id shows it.
    pub seen: bool,
}

/// The same, with where it is read.
#[derive(Debug)]
pub(crate) struct AssociationPlan {
    pub(crate) spec: AssociationSpec,
    /// The path's keys: where a read puts it.
    pub(crate) place: Path,
    /// Where the others are listed; `None`: no mapping asks for them, or nothing shows them.
    pub(crate) seen: Option<AssociationSeenPlan>,
}

#[derive(Debug)]
pub(crate) struct AssociationSeenPlan {
    pub(crate) at: Path,
    pub(crate) id: Path,
}

impl AssociationSpec {
    /// A call about it.
    #[must_use]
    pub fn by(&self, step: Step, other: &str) -> Association {
        let (path, to) = (self.path.to_string(), self.to.clone());
        Association { path, to, other: other.to_owned(), step, moving: self.moving }
    }
}

impl Connector {
    /// The associations that such an object can have.
    pub fn associations(&self, object: &Object) -> impl Iterator<Item = &AssociationSpec> {
        self.object(object).into_iter().flat_map(|plan| plan.associations.iter().map(|one| &one.spec))
    }

    /// The association of that path.
    #[must_use]
    pub fn association(&self, object: &Object, path: &str) -> Option<&AssociationSpec> {
        self.associations(object).find(|one| &*one.path == path)
    }

    /// The write operation that makes or takes back that association; `None`: nothing does.
    #[must_use]
    pub fn associating(&self, object: &Object, path: &str, step: Step) -> Option<&WriteSpec> {
        let serves = match step {
            Step::Associate => Serves::Associate,
            Step::Dissociate => Serves::Dissociate,
        };
        let writes = &self.object(object)?.writes;
        let mut fitting = writes.iter().filter(|write| write.serves.contains(&serves));
        fitting.find(|write| write.associations.iter().any(|one| **one == *path)).map(|write| &write.spec)
    }

    /// What an operation says of an association: its path, and the other object's id.
    ///
    /// # Errors
    /// When the operation is about no association, or not about that one, in words for people.
    pub fn association_by(
        &self,
        object: &Object,
        operation: &str,
        path: &str,
        other: &str,
    ) -> Result<Association, String> {
        let step = self.step_of(object, operation);
        let step = step.ok_or_else(|| format!("`{operation}` of `{object}` is about no association"))?;
        let spec = self.association(object, path);
        let spec =
            spec.filter(|_| self.associating(object, path, step).is_some_and(|by| *by.name == *operation));
        let spec = spec.ok_or_else(|| {
            let known = self.associations(object).map(|one| &*one.path);
            format!(
                "`{operation}` of `{object}` has no association `{path}`; {}",
                canonical::suggest::hint(path, known)
            )
        })?;
        Ok(spec.by(step, other))
    }

    /// What an operation does about associations; `None`: it writes fields.
    #[must_use]
    pub fn step_of(&self, object: &Object, operation: &str) -> Option<Step> {
        let write = self.object(object)?.write(operation)?;
        write.serves.iter().find_map(|serves| serves.step())
    }
}

impl Serves {
    /// What it does about associations.
    pub(crate) const fn step(self) -> Option<Step> {
        match self {
            Self::Associate => Some(Step::Associate),
            Self::Dissociate => Some(Step::Dissociate),
            Self::Create | Self::Update | Self::Archive | Self::Delete | Self::Unsubscribe | Self::Notify => {
                None
            }
        }
    }
}

impl ObjectPlan {
    /// What a read object is associated with, as far as it says so for certain: a path and the one id there, or null where
    /// there is none. Where there are several, nobody knows which one counts: that says nothing.
    pub(crate) fn associated(&self, object: &Value) -> Vec<(&Path, Value)> {
        let mut said = Vec::new();
        for one in &self.associations {
            let Some(seen) = &one.seen else { continue };
            let items = match seen.at.find(object) {
                Some(Value::Array(items)) => items.as_slice(),
                Some(Value::Null) | None => &[],
                Some(_) => continue,
            };
            let ids: Option<BTreeSet<String>> = items.iter().map(|item| seen.id.text_at(item)).collect();
            match ids.map(|ids| ids.into_iter().collect::<Vec<_>>()).as_deref() {
                Some([]) => said.push((&one.place, Value::Null)),
                Some([id]) => said.push((&one.place, Value::String(id.clone()))),
                _ => {}
            }
        }
        said
    }
}

/// Puts a value at a path of fields.
pub(crate) fn put(fields: &mut Fields, path: &Path, value: Value) {
    let mut keys = path.keys().peekable();
    let mut at = fields;
    while let Some(key) = keys.next() {
        if keys.peek().is_none() {
            at.insert(key.to_owned(), value);
            return;
        }
        let next = at.entry(key).or_insert(Value::Null);
        if !next.is_object() {
            *next = Value::Object(Map::new());
        }
        let Value::Object(map) = next else { return };
        at = map;
    }
}
