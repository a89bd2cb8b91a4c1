//! Conditions of filters and events: known fields, fitting values.

use canonical::value::normal;
use canonical::{Condition, EntitySchema, FieldSpec};
use serde_json::Value;

use crate::check::Checks;
use crate::document::Document;
use mapping::suggest;

impl Checks {
    /// Checks conditions at a path and brings their values into normal form.
    pub(super) fn conditions(
        &mut self,
        document: &Document,
        path: &[&str],
        conditions: &mut [Condition],
        schema: &EntitySchema,
    ) {
        for (i, condition) in conditions.iter_mut().enumerate() {
            let at = i.to_string();
            let path: Vec<&str> = path.iter().copied().chain([at.as_str()]).collect();
            let under = |key: &'static str| path.iter().copied().chain([key]).collect::<Vec<_>>();
            let Some(spec) = schema.fields.get(&condition.field) else {
                let what = format!("{} has no field `{}`", schema.entity, condition.field);
                let hint = suggest::hint(condition.field.as_str(), schema.fields.keys().map(|f| f.as_str()));
                self.problems.push(document.problem(&under("field"), what).hint(hint));
                continue;
            };
            let tests = [&condition.equals, &condition.not].into_iter().flatten().count();
            if tests == 0 && condition.one_of.is_none() && condition.present.is_none() {
                let what = "this condition tests nothing";
                let hint = "add `equals`, `one_of`, `not` or `present` (for null: `present: false`)";
                self.problems.push(document.problem(&path, what).hint(hint));
            }
            for (key, value) in [("equals", &mut condition.equals), ("not", &mut condition.not)] {
                if let Some(value) = value {
                    self.fits(document, &under(key), value, spec);
                }
            }
            for (j, value) in condition.one_of.iter_mut().flatten().enumerate() {
                let item = j.to_string();
                let path: Vec<&str> = under("one_of").into_iter().chain([item.as_str()]).collect();
                self.fits(document, &path, value, spec);
            }
        }
    }

    /// Checks that a value is one the field can have.
    pub(super) fn fits(&mut self, document: &Document, path: &[&str], value: &mut Value, spec: &FieldSpec) {
        match normal(&spec.kind, value.clone()) {
            Err(misfit) => {
                self.problems.push(document.problem(path, format!("this can never be: {misfit}")));
            }
            Ok(normal) => {
                *value = normal;
                let Some(choices) = spec.choices.as_ref().filter(|choices| !choices.contains(value)) else {
                    return;
                };
                let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let words: Vec<String> = choices.iter().map(shown).collect();
                let what = format!("the field never has the value `{}`", shown(value));
                let hint = suggest::hint(&shown(value), words.iter().map(String::as_str));
                self.problems.push(document.problem(path, what).hint(hint));
            }
        }
    }
}
