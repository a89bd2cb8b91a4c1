//! Parameters: what a system sets, checked against what the manifest asks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{AUTH_PARAMETER, BATCH_PARAMETER, Compiler, IDENTITY_PARAMETER, TUNING};
use crate::source::{ParameterKind, ParameterSource};

impl Compiler<'_> {
    /// The parameters' values. With `sample`, a required one that is missing gets a stand-in, so that a manifest
    /// can be checked by itself.
    pub(super) fn parameters(
        &mut self,
        given: &BTreeMap<String, Value>,
        sample: bool,
    ) -> BTreeMap<String, Value> {
        let declared = &self.source.parameters;
        let reserved = |name: &str| {
            matches!(name, AUTH_PARAMETER | BATCH_PARAMETER | IDENTITY_PARAMETER) || TUNING.contains(&name)
        };
        for name in given.keys().filter(|name| !declared.contains_key(*name) && !reserved(name)) {
            let known =
                declared.keys().map(String::as_str).chain([AUTH_PARAMETER, BATCH_PARAMETER]).chain(TUNING);
            let hint = canonical::suggest::hint(name, known);
            self.whole(
                format!("connector `{}` has no parameter `{name}`", self.source.connector.value),
                hint,
            );
        }
        let mut values = BTreeMap::new();
        for (name, parameter) in declared {
            let value = given.get(name).filter(|value| !value.is_null()).or(parameter.default.as_ref());
            let value = match value {
                // A manifest's own default may be empty, to say "nothing".
                Some(value) if parameter.default.as_ref() == Some(value) && value.as_str() == Some("") => {
                    value.clone()
                }
                Some(value) => self.checked(name, parameter, value),
                None if parameter.required && sample => stand_in(parameter),
                None if parameter.required => {
                    self.whole(
                        format!("parameter `{name}` is required ({})", parameter.about),
                        format!("set it under `parameters` to {}", expected(parameter.kind)),
                    );
                    // Said once is enough: what needs it is checked with a stand-in.
                    stand_in(parameter)
                }
                None => Value::Null,
            };
            values.insert(name.clone(), value);
        }
        for (name, kind) in [
            (AUTH_PARAMETER, ParameterKind::Text),
            (BATCH_PARAMETER, ParameterKind::Boolean),
            (IDENTITY_PARAMETER, ParameterKind::Boolean),
        ] {
            let Some(value) = given.get(name) else { continue };
            if !fits(kind, value) {
                let found = canonical::value::kind_of(value);
                self.whole(format!("parameter `{name}` must be {}, found {found}", expected(kind)), "");
            }
            values.insert(name.to_owned(), value.clone());
        }
        for name in TUNING {
            let Some(value) = given.get(name) else { continue };
            if value.as_u64().is_none() {
                let found = canonical::value::kind_of(value);
                self.whole(
                    format!("parameter `{name}` must be a whole number of milliseconds, found {found}"),
                    "",
                );
            }
            values.insert(name.to_owned(), value.clone());
        }
        values
    }

    /// A duration that the system sets for all operations.
    pub(super) fn tuned(&self, name: &str) -> Option<Duration> {
        self.parameters.get(name).and_then(Value::as_u64).map(Duration::from_millis)
    }

    fn checked(&mut self, name: &str, parameter: &ParameterSource, value: &Value) -> Value {
        if !fits(parameter.kind, value) {
            let found = canonical::value::kind_of(value);
            self.whole(format!("parameter `{name}` must be {}, found {found}", expected(parameter.kind)), "");
        } else if !parameter.choices.is_empty() && !parameter.choices.contains(value) {
            let choices: Vec<String> = parameter.choices.iter().filter_map(crate::path::text_of).collect();
            let word = crate::path::text_of(value).unwrap_or_default();
            let hint = canonical::suggest::hint(&word, choices.iter().map(String::as_str));
            self.whole(format!("parameter `{name}` cannot be `{word}`"), hint);
        }
        value.clone()
    }
}

fn fits(kind: ParameterKind, value: &Value) -> bool {
    match (kind, value) {
        (ParameterKind::Text, Value::String(text)) => !text.is_empty(),
        (ParameterKind::Integer, Value::Number(number)) => number.is_i64(),
        (ParameterKind::Boolean, Value::Bool(_)) => true,
        (ParameterKind::List, Value::Array(items)) => items.iter().all(Value::is_string),
        (ParameterKind::Map, Value::Object(map)) => map.values().all(Value::is_string),
        (ParameterKind::Constants, Value::Object(map)) => {
            map.values().all(|of| of.as_object().is_some_and(|of| of.values().all(Value::is_string)))
        }
        _ => false,
    }
}

const fn expected(kind: ParameterKind) -> &'static str {
    match kind {
        ParameterKind::Text => "a text that is not empty",
        ParameterKind::Integer => "a whole number",
        ParameterKind::Boolean => "`true` or `false`",
        ParameterKind::List => "a list of texts",
        ParameterKind::Map => "a table of texts",
        ParameterKind::Constants => {
            "a table of tables of texts, such as `{customers: {id: number}, orders: {}}`"
        }
    }
}

fn stand_in(parameter: &ParameterSource) -> Value {
    if let Some(choice) = parameter.choices.first() {
        return choice.clone();
    }
    match parameter.kind {
        ParameterKind::Text => Value::String("x".to_owned()),
        ParameterKind::Integer => Value::from(1),
        ParameterKind::Boolean => Value::Bool(false),
        ParameterKind::List => Value::Array(Vec::new()),
        ParameterKind::Map => Value::Object(canonical::Fields::new()),
        // One that takes what goes without saying.
        ParameterKind::Constants => serde_json::json!({"x": {}}),
    }
}
