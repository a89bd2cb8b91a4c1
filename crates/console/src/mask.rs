//! Masking: whatever its schema does not declare free of personal data is hidden, unless asked for with the right to
//! see it (I15).

use canonical::{Entity, Field, Fields, Object, PiiClass, System};
use config::Configuration;
use serde_json::Value;
use web::{Caller, Problem, Scope};

use crate::asked::Asked;

/// What stands in place of a hidden value.
pub(crate) const MASKED: &str = "[masked]";

/// Whether personal values are shown in one answer.
pub(crate) struct Mask<'c> {
    configuration: &'c Configuration,
    open: bool,
}

impl<'c> Mask<'c> {
    /// As asked by `unmask`. That personal values were asked for goes into the log, with who and where.
    ///
    /// # Errors
    /// When the caller's token may not see them.
    pub(crate) fn asked(
        configuration: &'c Configuration,
        asked: &Asked,
        caller: &Caller,
        what: &str,
    ) -> Result<Self, Problem> {
        let open = asked.flag("unmask")?;
        if open {
            caller.must(Scope::Pii)?;
            let (tenant, caller) = (&configuration.tenant, &caller.name);
            tracing::info!(target: "concord", %tenant, class = "unmasked", caller, about = what, "personal values are shown");
        }
        Ok(Self { configuration, open })
    }

    /// Hides all there is to hide.
    pub(crate) const fn closed(configuration: &'c Configuration) -> Self {
        Self { configuration, open: false }
    }

    /// How personal a field is; one that no schema knows is.
    pub(crate) fn class(&self, entity: &Entity, field: &str) -> PiiClass {
        let schema = self.configuration.entities.get(entity);
        schema.and_then(|schema| schema.fields.get(field)).map_or(PiiClass::Basic, |spec| spec.pii)
    }

    /// Whether this answer hides the field.
    pub(crate) fn hides(&self, entity: &Entity, field: &str) -> bool {
        !self.open && self.class(entity, field) > PiiClass::None
    }

    /// Fields of an entity, as they may be shown.
    pub(crate) fn fields(&self, entity: &Entity, fields: &Fields) -> Fields {
        let shown =
            |(name, value): (&String, &Value)| (name.clone(), hidden(value, self.hides(entity, name)));
        fields.iter().map(shown).collect()
    }

    /// One field's value, as it may be shown.
    pub(crate) fn value(&self, entity: &Entity, field: &str, value: &Value) -> Value {
        hidden(value, self.hides(entity, field))
    }

    /// Values that no schema describes.
    pub(crate) fn undeclared(&self, fields: &Fields) -> Fields {
        fields.iter().map(|(name, value)| (name.clone(), hidden(value, !self.open))).collect()
    }

    /// A value at a path of a target's object: shown when every field it is made from may be.
    pub(crate) fn at_target(
        &self,
        entity: &Entity,
        (system, object): (&System, &Object),
        path: &str,
        value: &Value,
    ) -> Value {
        let mut fed = false;
        for mapping in self.configuration.mappings.values() {
            if mapping.system() != system || mapping.object() != object || mapping.entity() != entity {
                continue;
            }
            // What is kept as an extension has no field that says how personal it is.
            let arrows = mapping.lineage().into_iter().filter(|arrow| !arrow.is_extension());
            for arrow in arrows.filter(|arrow| arrow.path == path) {
                if arrow.field.is_some_and(|field: &Field| self.hides(entity, field.as_str())) {
                    return hidden(value, true);
                }
                fed = true;
            }
        }
        hidden(value, !self.open && !fed)
    }

    /// An object's id at a system. Most are numbers; some systems use an address.
    pub(crate) fn external_id(&self, id: &str) -> String {
        if !self.open && id.contains('@') { MASKED.to_owned() } else { id.to_owned() }
    }
}

/// A reason without ids that are addresses: it may name objects, and some systems know theirs by one (I15).
pub(crate) fn without_addresses(text: &str) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let word = |word: &str| match word.split_once('@') {
        None => word.to_owned(),
        Some((before, after)) => {
            let kept = before.rfind(['/', '(', '"', '`']).map_or("", |at| before.get(..=at).unwrap_or(""));
            let ends = after.trim_end_matches([',', '.', ':', ';', ')', '"', '`']);
            format!("{kept}{MASKED}{}", after.get(ends.len()..).unwrap_or(""))
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// That something is empty is not personal: it says what was cleared.
fn hidden(value: &Value, hide: bool) -> Value {
    if hide && !value.is_null() { Value::from(MASKED) } else { value.clone() }
}
