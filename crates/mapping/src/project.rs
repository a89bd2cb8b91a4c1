//! Writing: from a record to the system's form.

use canonical::{Entity, Field, Fields, Object, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::flaw::{Flaw, ProjectError};
use crate::mapping::Mapping;
use crate::row::{Origin, OutRow, Said, Source};
use crate::source::RefUse;

/// A record in a system's form.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Projection {
    /// Path to value, flat: what is not there is left as it is in the system, null is cleared.
    pub fields: Fields,
    /// References that have no link in the system yet. Their paths are not in `fields`.
    pub missing: Vec<MissingLink>,
}

/// A referenced record that the system does not have yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MissingLink {
    /// The field that refers to it.
    pub field: Field,
    /// Its type.
    pub entity: Entity,
    /// The system's kind of object it would be.
    pub object: Object,
    /// The record.
    pub record: RecordId,
    /// The path that it would stand at.
    pub path: String,
    /// The object is written without it, and it follows when its link is there.
    pub late: bool,
}

/// Finds the id that a record has in the system.
pub(crate) type Links<'a> = &'a dyn Fn(&Entity, &Object, &RecordId) -> Option<String>;

impl Mapping {
    /// Brings a record's fields into the system's form. `links` answers the id that a record has there.
    ///
    /// # Errors
    /// With the first row whose value cannot be written exactly.
    pub fn project(&self, record: &Fields, links: Links<'_>) -> Result<Projection, ProjectError> {
        let mut projection = Projection::default();
        for (path, value) in &self.inner.constants {
            projection.fields.insert(path.as_str().to_owned(), value.clone());
        }
        for row in &self.inner.outs {
            let said = row.put(record, links, &mut projection.missing);
            let said = said.map_err(|flaw| flaw.writing(row.path.as_str(), &row.field))?;
            if let Said::Value(value) = said {
                projection.fields.insert(row.path.as_str().to_owned(), value);
            }
        }
        Ok(projection)
    }
}

impl OutRow {
    fn put(&self, record: &Fields, links: Links<'_>, missing: &mut Vec<MissingLink>) -> Result<Said, Flaw> {
        let value = match self.origin(record, links, missing)? {
            None => return Ok(Said::Keep),
            Some(Origin::Missing) => return self.policies.missing(),
            Some(Origin::Null) => return self.policies.null(),
            Some(Origin::Empty) => return Ok(self.policies.empty()),
            Some(Origin::Value(value)) => value,
        };
        let value = match &self.source {
            Source::Link(used) => {
                let record = record_id(&value)?;
                match links(&used.entity, &used.object, &record) {
                    Some(id) => Value::String(id),
                    None => {
                        let RefUse { entity, object, late } = used.clone();
                        let (field, path) = (self.field.clone(), self.path.as_str().to_owned());
                        missing.push(MissingLink { field, entity, object, record, path, late });
                        return Ok(Said::Keep);
                    }
                }
            }
            _ => value,
        };
        Ok(match self.render(value)? {
            Origin::Value(value) => Said::Value(value),
            Origin::Empty => self.policies.empty(),
            Origin::Missing | Origin::Null => Said::Value(Value::Null),
        })
    }
}

fn record_id(value: &Value) -> Result<RecordId, Flaw> {
    let flaw = || Flaw::of("the id of a record", value);
    value.as_str().ok_or_else(flaw)?.parse().map_err(|_| flaw())
}
