//! The older versions of an entity that the folder keeps, and how what was written under them is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::EntitySchema;
use mapping::Upcaster;
use mapping::upcast::StepSource;

use super::compat::{Breach, Numbered, breaches};
use super::meaning::EntityMeaning;

/// An entity's past.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    /// Without examples: those decide nothing.
    pub(crate) steps: Vec<StepSource>,
    /// Older versions, oldest first.
    pub(crate) earlier: Vec<Arc<EntitySchema>>,
    pub(crate) upcaster: Upcaster,
}

impl Past {
    pub(crate) fn new(
        mut steps: Vec<StepSource>,
        earlier: Vec<Arc<EntitySchema>>,
        upcaster: Upcaster,
    ) -> Self {
        steps.iter_mut().for_each(|step| step.examples.clear());
        Self { steps, earlier, upcaster }
    }

    /// What keeps the newest version from following on the newest of the older ones.
    pub(crate) fn breaches(&self, schema: &EntitySchema) -> Vec<Breach> {
        let Some(was) = self.earlier.last() else { return Vec::new() };
        self.breaches_on(was.version, &EntityMeaning::of(was, &[]), schema)
    }

    /// What keeps the newest version from following on that one.
    pub(crate) fn breaches_on(&self, number: u32, was: &EntityMeaning, schema: &EntitySchema) -> Vec<Breach> {
        let is = EntityMeaning::of(schema, &self.steps);
        let carried = self.carried(number, was, &is);
        let (was, is) =
            (Numbered { number, meaning: was }, Numbered { number: schema.version, meaning: &is });
        breaches(was, &carried, is, schema.compatibility)
    }

    /// An older version as it comes out of the steps: what its records are when they are read.
    fn carried(&self, number: u32, was: &EntityMeaning, is: &EntityMeaning) -> EntityMeaning {
        let known: BTreeMap<u32, EntityMeaning> =
            self.earlier.iter().map(|schema| (schema.version, EntityMeaning::of(schema, &[]))).collect();
        let mut out = was.clone();
        for (at, step) in self.steps.iter().enumerate().filter(|(_, step)| step.from >= number) {
            let to = self.steps.get(at + 1).and_then(|next| known.get(&next.from)).unwrap_or(is);
            for row in &step.rows {
                let mut required = row.default.is_some();
                if let Some(was) = &row.was {
                    required |= out.required.remove(was);
                    out.fields.remove(was).map(|field| out.fields.insert(row.field.clone(), field));
                } else if let Some(field) = to.fields.get(&row.field) {
                    // What is made of others is checked; a default only stands where there is nothing.
                    out.fields.entry(row.field.clone()).or_insert_with(|| field.clone());
                }
                if required {
                    out.required.insert(row.field.clone());
                }
            }
        }
        out
    }
}
