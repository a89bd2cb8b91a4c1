//! When two values count as the same although they differ: what keeps lossy rows from echoing for ever.

use std::collections::BTreeSet;

use canonical::value::is_empty;
use canonical::{Field, Fields};
use serde_json::Value;

use crate::mapping::Mapping;
use crate::project::Projection;
use crate::row::{InRow, Origin, OutRow};
use crate::source::{Equal, OnRemoved};
use crate::step::{Step, fold, phone};

impl Mapping {
    /// Whether two values at a written path mean the same: they are equal, both are empty, or they read to the
    /// same canonical value under the row's `equal`, as far as the system can tell them apart ([`Mapping::under`]). So
    /// `"12.50"` is `"12.5"`, and of two codes that one lookup row reads alike neither overwrites the other. `false` for
    /// paths that are not written.
    #[must_use]
    pub fn equal_at(&self, path: &str, one: &Value, other: &Value) -> bool {
        if one == other || (is_empty(one) && is_empty(other)) {
            return true;
        }
        let row = self.inner.by_path.get(path).and_then(|at| self.inner.outs.get(*at));
        let (one, other) = (self.there(path, row, one), self.there(path, row, other));
        if one == other || (is_empty(&one) && is_empty(&other)) {
            return true;
        }
        let Some(row) = row else { return false };
        match (row.meaning(one.clone().into_owned()), row.meaning(other.clone().into_owned())) {
            (Some(one), Some(other)) => row.alike(&one, &other),
            _ => row.equal.is_some_and(|equal| same_text(equal, &one, &other)),
        }
    }

    /// Whether two canonical values of a field that is read mean the same in this system: they are equal, equal
    /// under the row's `equal`, written alike by a row that rounds, or rewritten alike there ([`Mapping::under`]). What
    /// an owner keeps in more detail than the system can hold must not come back from there as an edit.
    #[must_use]
    pub fn equal_on(&self, field: &Field, one: &Value, other: &Value) -> bool {
        if one == other {
            return true;
        }
        let Some(row) = self.inner.by_field.get(field).and_then(|at| self.inner.ins.get(*at)) else {
            return false;
        };
        self.same_by_row(row, one, other) || self.alike_there(row, one, other)
    }

    fn same_by_row(&self, row: &InRow, one: &Value, other: &Value) -> bool {
        let Some(equal) = row.equal else { return false };
        if equal == Equal::Phone {
            return same_phone(&row.steps, one, other);
        }
        if equal != Equal::Rounded {
            // A set is in the order of its texts, which is another one once those do not count as they are.
            return same_text(equal, one, other) || (row.check.is_set() && same_set(equal, one, other));
        }
        match row.twin.and_then(|twin| self.inner.outs.get(twin)) {
            Some(twin) => twin.alike(one, other),
            None => false,
        }
    }

    /// What a value at a written path comes to once all that does not count is taken off it: two values have the same
    /// form where [`Self::equal_at`] holds. For what is remembered as digests.
    #[must_use]
    pub fn form(&self, path: &str, value: &Value) -> Value {
        if is_empty(value) {
            return Value::Null;
        }
        let row = self.inner.by_path.get(path).and_then(|at| self.inner.outs.get(*at));
        let value = self.there(path, row, value).into_owned();
        if is_empty(&value) {
            return Value::Null;
        }
        let Some(row) = row else { return value };
        let Some(meaning) = row.meaning(value.clone()) else {
            return row.equal.map_or_else(|| value.clone(), |equal| formed(equal, value.clone()));
        };
        match row.equal {
            None => meaning,
            Some(Equal::Rounded) => match row.render(meaning.clone()) {
                Ok(Origin::Value(rendered)) => row.meaning(rendered).unwrap_or(meaning),
                _ => meaning,
            },
            Some(equal) => formed(equal, meaning),
        }
    }

    /// The forms of all values of an object that is written.
    #[must_use]
    pub fn forms(&self, written: &Fields) -> Fields {
        written.iter().map(|(path, value)| (path.clone(), self.form(path, value))).collect()
    }

    /// Replaces each projected value that means the same as what the system is seen to hold by the latter, so
    /// that a plain comparison shows only real differences. `seen` is flat, by path, like the projection. What is
    /// seen at a path that is written no more and is to be cleared becomes null.
    pub fn keep_seen(&self, projection: &mut Projection, seen: &Fields) {
        for (path, value) in &mut projection.fields {
            if let Some(held) = seen.get(path)
                && held != value
                && self.equal_at(path, value, held)
            {
                *value = held.clone();
            }
        }
        let cleared = self.inner.removed.iter().filter(|(_, removed)| **removed == OnRemoved::Clear);
        for (path, _) in cleared {
            if seen.get(path).is_some_and(|held| !held.is_null()) {
                projection.fields.insert(path.clone(), Value::Null);
            }
        }
    }
}

impl OutRow {
    /// Whether two canonical values mean the same under this row.
    fn alike(&self, one: &Value, other: &Value) -> bool {
        if one == other {
            return true;
        }
        let rendered = |value: &Value| match self.render(value.clone()) {
            Ok(Origin::Value(value)) => Some(value),
            _ => None,
        };
        match self.equal {
            None => false,
            Some(Equal::Rounded) => rendered(one).is_some_and(|one| Some(one) == rendered(other)),
            Some(Equal::Phone) => same_phone(&self.steps, one, other),
            Some(equal) => same_text(equal, one, other),
        }
    }
}

/// A text without what does not count in it.
pub(crate) fn formed(equal: Equal, value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(match equal {
            Equal::CaseInsensitive => fold(&text),
            Equal::Trimmed => text.trim().to_owned(),
            Equal::Folded => fold(text.trim()),
            Equal::Rounded | Equal::Phone => text,
        }),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| formed(equal, item)).collect()),
        other => other,
    }
}

/// Whether two texts are one telephone number, as the row's steps read them.
fn same_phone(steps: &[Step], one: &Value, other: &Value) -> bool {
    match (phone(steps), one, other) {
        (Some(phone), Value::String(one), Value::String(other)) => phone.alike(one, other),
        _ => false,
    }
}

/// Whether two lists hold the same texts, in whatever order and however often.
fn same_set(equal: Equal, one: &Value, other: &Value) -> bool {
    let texts = |value: &Value| -> Option<BTreeSet<String>> {
        let items = value.as_array()?.iter();
        items.map(|item| formed(equal, item.clone()).as_str().map(str::to_owned)).collect()
    };
    texts(one).is_some_and(|one| Some(one) == texts(other))
}

fn same_text(equal: Equal, one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) => match equal {
            Equal::CaseInsensitive => fold(one) == fold(other),
            Equal::Trimmed => one.trim() == other.trim(),
            Equal::Folded => fold(one.trim()) == fold(other.trim()),
            Equal::Rounded | Equal::Phone => false,
        },
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_text(equal, one, other))
        }
        _ => one == other,
    }
}
