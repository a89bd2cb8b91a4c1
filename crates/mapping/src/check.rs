//! What a field asks of a value: its type's normal form, its choices, its length, its syntax.

use std::borrow::Cow;

use canonical::value::{kind_of, normal};
use canonical::{FieldSpec, FieldType};
use serde_json::Value;

use crate::flaw::{Flaw, Why};
use crate::step::{exact, iso_date};

/// A field's demands.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) kind: FieldType,
    choices: Option<Vec<Value>>,
    chars_max: Option<usize>,
    email: bool,
}

impl Check {
    pub(crate) fn new(spec: &FieldSpec) -> Self {
        Self {
            kind: spec.kind.clone(),
            choices: spec.choices.clone(),
            chars_max: spec.chars_max,
            email: spec.email,
        }
    }

    /// Of what is joined: any text will do.
    pub(crate) fn any_text() -> Self {
        Self { kind: FieldType::Text, choices: None, chars_max: None, email: false }
    }

    /// The closed list of values, where there is one.
    pub(crate) fn choices(&self) -> Option<&[Value]> {
        self.choices.as_deref()
    }

    /// The longest text, in characters, where there is a bound.
    pub(crate) fn chars_max(&self) -> Option<usize> {
        self.chars_max
    }

    /// Whether texts are email addresses.
    pub(crate) fn is_email(&self) -> bool {
        self.email
    }

    /// Whether its lists are sets.
    pub(crate) fn is_set(&self) -> bool {
        matches!(self.kind, FieldType::List { set: true })
    }

    /// A value that is not null, in normal form.
    pub(crate) fn apply(&self, value: Value) -> Result<Value, Flaw> {
        self.unambiguous(&value)?;
        let form = if value.is_string() { Why::Form } else { Why::Kind };
        let value = normal(&self.kind, value).map_err(|misfit| Flaw {
            expected: Cow::Owned(misfit.expected),
            found: misfit.found,
            why: form,
        })?;
        self.rules(value)
    }

    /// A value in normal form, if the field's own rules allow it.
    pub(crate) fn rules(&self, value: Value) -> Result<Value, Flaw> {
        if let Some(choices) = &self.choices
            && !choices.contains(&value)
        {
            return Err(Flaw::new("one of the field's choices", kind_of(&value), Why::Choice));
        }
        if let Value::String(text) = &value {
            if let Some(most) = self.chars_max
                && text.len() > most
                && text.chars().count() > most
            {
                return Err(Flaw::new(
                    format!("a text of at most {most} characters"),
                    "a text",
                    Why::TooLong,
                ));
            }
            if self.email && !is_email(text) {
                return Err(Flaw::new("an email address (name@example.com)", "a text", Why::Email));
            }
        }
        Ok(value)
    }

    /// Refuses what a lenient reader would take with a loss: a date with a time of day, digits in groups.
    fn unambiguous(&self, value: &Value) -> Result<(), Flaw> {
        match (&self.kind, value) {
            (FieldType::Date, Value::String(text)) if iso_date(text).is_none() => {
                Err(Flaw::new(self.kind.to_string(), "a text", Why::Form))
            }
            (FieldType::Decimal, value @ (Value::String(_) | Value::Number(_))) => exact(value).map(|_| ()),
            _ => Ok(()),
        }
    }
}

/// A deliberately simple test: `local@domain`, the domain with a dot, no white space, quotes or commas. Whether
/// mail arrives there is for others to find out.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain =
        |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | ',' | ';' | '<' | '>' | '"');
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    text.len() <= 254
        && (1..=64).contains(&local.len())
        && local.chars().all(plain)
        && domain.contains('.')
        && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    //! The email test.
    use super::is_email;

    #[test]
    fn emails_are_told_by_a_simple_test() {
        for good in ["a@b.co", "ada.lovelace+x@example.com", "ü@exämple.de", "o'neil@a-b.example", "1@2.34"]
        {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}.com", "a".repeat(250));
        for bad in [
            "", "@", "a", "a@", "@b.co", "a@b", "a b@c.de", "a@b@c.de", "a@.de", "a@b.", "a@b..de",
            "a@-b.de", "a@b-.de", "a,b@c.de", "<a@b.de>", "a@b.de\n", "a@b_c.de", &long, &longer,
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
