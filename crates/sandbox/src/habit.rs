//! What a system makes of the texts that it is given, before it keeps them: vendors trim, lower and cut.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::shelf::Values;

/// One thing that is done to a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Habit {
    /// Object type, such as `companies`.
    pub object_type: String,
    /// Dotted path of the text; `*` for all.
    pub property: String,
    /// What is done.
    pub does: Deed,
}

/// What is done to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// White space around it goes.
    Trim,
    /// Its letters become small ones.
    Lower,
    /// Its letters become capitals.
    Upper,
    /// So many characters of it are kept.
    Cut(usize),
}

impl Habit {
    /// Of one property of an object type.
    pub fn new(object_type: &str, property: &str, does: Deed) -> Self {
        Self { object_type: object_type.to_owned(), property: property.to_owned(), does }
    }

    fn keeps(&self, path: &str, text: &str) -> Option<String> {
        (self.property == "*" || self.property == path).then(|| match self.does {
            Deed::Trim => text.trim().to_owned(),
            Deed::Lower => text.to_lowercase(),
            Deed::Upper => text.to_uppercase(),
            Deed::Cut(most) => text.chars().take(most).collect(),
        })
    }
}

/// The values as they are kept. A text of which nothing is left is none.
pub(crate) fn kept(habits: &[Habit], kind: &str, values: Values) -> Values {
    let of: Vec<&Habit> = habits.iter().filter(|habit| habit.object_type == kind).collect();
    if of.is_empty() {
        return values;
    }
    values.into_iter().map(|(name, value)| (name.clone(), value_kept(&of, &name, value))).collect()
}

fn value_kept(habits: &[&Habit], path: &str, value: Value) -> Value {
    match value {
        Value::String(text) => {
            let kept = habits.iter().fold(text, |text, habit| habit.keeps(path, &text).unwrap_or(text));
            if kept.is_empty() { Value::Null } else { Value::String(kept) }
        }
        Value::Object(inner) => {
            let kept = |(name, value): (String, Value)| {
                let value = value_kept(habits, &format!("{path}.{name}"), value);
                (name, value)
            };
            Value::Object(inner.into_iter().map(kept).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Deed, Habit, kept};
    use crate::shelf::Values;

    #[test]
    fn texts_are_kept_as_the_system_likes_them() {
        let habits = [
            Habit::new("companies", "*", Deed::Trim),
            Habit::new("companies", "name", Deed::Cut(4)),
            Habit::new("companies", "merge.code", Deed::Upper),
            Habit::new("contacts", "*", Deed::Lower),
        ];
        let given: Values = [
            ("name".to_owned(), json!(" größer ")),
            ("number".to_owned(), json!(" 7 ")),
            ("rest".to_owned(), json!("  ")),
            ("count".to_owned(), json!(5)),
            ("merge".to_owned(), json!({"code": " ab"})),
        ]
        .into();
        let expected =
            json!({"name": "größ", "number": "7", "rest": null, "count": 5, "merge": {"code": "AB"}});
        assert_eq!(json!(kept(&habits, "companies", given.clone())), expected);
        assert_eq!(kept(&habits, "deals", given.clone()), given);
    }
}
