//! What of an object's fields is other than it was.

use std::fmt;

use super::{Described, FieldSeen};

/// One difference between two descriptions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Drift {
    /// A field is new.
    Added(FieldSeen),
    /// A field is gone.
    Removed(FieldSeen),
    /// A field is another than it was.
    Changed {
        /// Before.
        was: FieldSeen,
        /// Now.
        is: FieldSeen,
    },
}

impl Drift {
    /// The path of the field.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Added(field) | Self::Removed(field) | Self::Changed { is: field, .. } => &field.path,
        }
    }
}

impl Described {
    /// What is other here than it was before, in the order of paths. The order of fields and of values does not count.
    #[must_use]
    pub fn drift(&self, before: &Self) -> Vec<Drift> {
        let mut found = Vec::new();
        for was in &before.fields {
            match self.fields.iter().find(|field| field.path == was.path) {
                None => found.push(Drift::Removed(was.clone())),
                Some(is) if differs(was, is) => {
                    found.push(Drift::Changed { was: was.clone(), is: is.clone() });
                }
                Some(_) => {}
            }
        }
        let new = self.fields.iter().filter(|field| before.fields.iter().all(|was| was.path != field.path));
        found.extend(new.cloned().map(Drift::Added));
        found.sort_by(|one, other| one.path().cmp(other.path()));
        found
    }
}

fn differs(was: &FieldSeen, is: &FieldSeen) -> bool {
    let sorted = |field: &FieldSeen| {
        let mut field = field.clone();
        field.values.iter_mut().for_each(|values| values.sort());
        field.aliases.sort();
        field
    };
    sorted(was) != sorted(is)
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(field) => write!(f, "{} is new ({})", field.path, field.kind.name()),
            Self::Removed(field) => write!(f, "{} is gone", field.path),
            Self::Changed { was, is } => {
                let mut parts: Vec<String> = Vec::new();
                let mut moved = |name: &str, was: String, is: String| {
                    if was != is {
                        parts.push(format!("{name} {was} → {is}"));
                    }
                };
                moved("type", word(&was.vendor_type, was), word(&is.vendor_type, is));
                moved("required", said(was.required), said(is.required));
                moved("writable", said(was.writable), said(is.writable));
                moved("characters", said(was.chars_max), said(is.chars_max));
                moved("custom", said(was.custom), said(is.custom));
                let less = |one: &FieldSeen, other: &FieldSeen| -> Vec<String> {
                    let other = other.values.clone().unwrap_or_default();
                    let values = one.values.iter().flatten().filter(|value| !other.contains(value));
                    values.map(|value| format!("`{value}`")).collect()
                };
                let (gone, new) = (less(was, is), less(is, was));
                parts.extend((!gone.is_empty()).then(|| format!("without {}", gone.join(", "))));
                parts.extend((!new.is_empty()).then(|| format!("with {}", new.join(", "))));
                if parts.is_empty() {
                    parts.push("it is named otherwise, or its list of values opened or closed".to_owned());
                }
                write!(f, "{}: {}", is.path, parts.join("; "))
            }
        }
    }
}

fn word(vendor: &str, field: &FieldSeen) -> String {
    if vendor.is_empty() { field.kind.name().to_owned() } else { vendor.to_owned() }
}

fn said<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "unsaid".to_owned(), |value| value.to_string())
}
