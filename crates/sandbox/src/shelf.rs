//! The objects a system holds, with the history of every write that took effect. The oracle reads from here.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::habit::{self, Habit};

/// Field values of an object by name.
pub type Values = BTreeMap<String, Value>;

/// Who caused a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// A caller of the vendor's API.
    Integration,
    /// A person in the vendor's own screens (played through [`Edit`](crate::Edit)).
    Person,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The object came into being.
    Create,
    /// Fields changed, or were written with the values they had.
    Update,
    /// The object left the live set.
    Archive,
    /// The object came back.
    Restore,
}

/// One write that took effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// When, in milliseconds of the world's time.
    pub at_ms: u64,
    /// By whom.
    pub actor: Actor,
    /// What it did.
    pub action: Action,
    /// Fields whose value differs now, with the new value; null where a field was cleared. Empty: a write of what
    /// was there already.
    pub changed: Values,
    /// The producer's version the write carried, if any.
    pub version: Option<String>,
    /// The caller's idempotency or trace key, if any.
    pub key: Option<String>,
}

/// One object, live or archived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The vendor's id.
    pub id: String,
    /// Current values.
    pub values: Values,
    /// When it was created.
    pub created_ms: u64,
    /// When it last changed.
    pub updated_ms: u64,
    /// When it left the live set; `None` while live.
    pub archived_ms: Option<u64>,
    /// Every write that took effect, oldest first.
    pub history: Vec<Applied>,
    /// What the search index may still show; kept only while an index lag is set.
    #[serde(skip)]
    past: Vec<Past>,
}

/// Who writes, when, under which key.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    pub(crate) actor: Actor,
    pub(crate) now_ms: u64,
    pub(crate) key: Option<String>,
}

/// Another live object has this value in a unique property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clash {
    pub(crate) property: String,
    pub(crate) value: String,
    pub(crate) holder: String,
}

/// What a reader sees of an object: its values now, or as the index knows them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'s> {
    pub(crate) id: &'s str,
    pub(crate) values: &'s Values,
    pub(crate) created_ms: u64,
    pub(crate) updated_ms: u64,
}

/// Objects by type and id, with the unique properties indexed.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    kinds: BTreeMap<String, Rack>,
    unique: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
    version_path: String,
    habits: Vec<Habit>,
    pub(crate) lag_ms: u64,
}

#[derive(Debug, Default)]
struct Rack {
    objects: BTreeMap<String, Object>,
    recent: BTreeSet<(u64, String)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Past {
    at_ms: u64,
    updated_ms: u64,
    values: Arc<Values>,
}

impl Object {
    pub(crate) fn live(&self) -> bool {
        self.archived_ms.is_none()
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { id: &self.id, values: &self.values, created_ms: self.created_ms, updated_ms: self.updated_ms }
    }

    fn remember(&mut self, now_ms: u64, lag_ms: u64) {
        if lag_ms == 0 {
            self.past.clear();
            return;
        }
        let shown = self.past.iter().rposition(|past| past.at_ms + lag_ms <= now_ms).unwrap_or(0);
        self.past.drain(..shown);
        let values = Arc::new(self.values.clone());
        self.past.push(Past { at_ms: now_ms, updated_ms: self.updated_ms, values });
    }
}

impl Shelf {
    pub(crate) fn new(version_path: String, lag_ms: u64) -> Self {
        Self { version_path, lag_ms, ..Self::default() }
    }

    /// The same, for a system that makes that of the texts it is given.
    pub(crate) fn with_habits(mut self, habits: Vec<Habit>) -> Self {
        self.habits = habits;
        self
    }

    /// Makes a property unique among live objects; the ids that already share a value are the error.
    pub(crate) fn declare_unique(&mut self, kind: &str, property: &str) -> Result<(), Clash> {
        let mut index = BTreeMap::new();
        for object in self.all(kind).filter(|object| object.live()) {
            let Some(value) = text_of(&object.values, property) else { continue };
            if let Some(holder) = index.insert(fold(&value), object.id.clone()) {
                return Err(Clash { property: property.to_owned(), value, holder });
            }
        }
        self.unique.entry(kind.to_owned()).or_default().insert(property.to_owned(), index);
        Ok(())
    }

    pub(crate) fn is_unique(&self, kind: &str, property: &str) -> bool {
        self.unique.get(kind).is_some_and(|properties| properties.contains_key(property))
    }

    /// The live object that holds `value` in a unique property.
    pub(crate) fn holder(&self, kind: &str, property: &str, value: &str) -> Option<&str> {
        self.unique.get(kind)?.get(property)?.get(&fold(value)).map(String::as_str)
    }

    pub(crate) fn get(&self, kind: &str, id: &str) -> Option<&Object> {
        self.kinds.get(kind)?.objects.get(id)
    }

    pub(crate) fn live(&self, kind: &str, id: &str) -> Option<&Object> {
        self.get(kind, id).filter(|object| object.live())
    }

    pub(crate) fn all(&self, kind: &str) -> impl Iterator<Item = &Object> {
        self.kinds.get(kind).into_iter().flat_map(|rack| rack.objects.values())
    }

    /// Objects with ids after `id`, in id order.
    pub(crate) fn after<'s>(&'s self, kind: &str, id: &str) -> impl Iterator<Item = &'s Object> {
        let bounds = (std::ops::Bound::Excluded(id.to_owned()), std::ops::Bound::Unbounded);
        self.kinds
            .get(kind)
            .into_iter()
            .flat_map(move |rack| rack.objects.range(bounds.clone()).map(|(_, object)| object))
    }

    /// Objects last changed at or after `since_ms`, oldest change first.
    pub(crate) fn changed_since(&self, kind: &str, since_ms: u64) -> impl Iterator<Item = &Object> {
        self.kinds.get(kind).into_iter().flat_map(move |rack| {
            rack.recent.range((since_ms, String::new())..).filter_map(|(_, id)| rack.objects.get(id))
        })
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    /// The object as the search index shows it at `now_ms`; `None` while it is too new, and once archived.
    pub(crate) fn indexed<'s>(&self, object: &'s Object, now_ms: u64) -> Option<View<'s>> {
        if !object.live() {
            return None;
        }
        if self.lag_ms == 0 || object.past.is_empty() {
            return Some(object.view());
        }
        let past = object.past.iter().rev().find(|past| past.at_ms + self.lag_ms <= now_ms)?;
        Some(View {
            id: &object.id,
            values: &past.values,
            created_ms: object.created_ms,
            updated_ms: past.updated_ms,
        })
    }

    pub(crate) fn create(
        &mut self,
        kind: &str,
        id: &str,
        values: Values,
        stamp: &Stamp,
    ) -> Result<(), Clash> {
        let mut values = habit::kept(&self.habits, kind, values);
        if !self.habits.is_empty() {
            values.retain(|_, value| !value.is_null());
        }
        self.check(kind, id, &values)?;
        self.index(kind, id, &Values::new(), &values);
        let rack = self.kinds.entry(kind.to_owned()).or_default();
        let history = vec![applied(Action::Create, values.clone(), &values, &self.version_path, stamp)];
        let mut object = Object {
            id: id.to_owned(),
            values,
            created_ms: stamp.now_ms,
            updated_ms: stamp.now_ms,
            archived_ms: None,
            history,
            past: Vec::new(),
        };
        object.remember(stamp.now_ms, self.lag_ms);
        rack.recent.insert((stamp.now_ms, id.to_owned()));
        rack.objects.insert(id.to_owned(), object);
        Ok(())
    }

    /// Applies a patch (null clears) and returns what differs now. An archived object is restored. Unknown
    /// ids change nothing.
    pub(crate) fn change(
        &mut self,
        kind: &str,
        id: &str,
        patch: Values,
        stamp: &Stamp,
    ) -> Result<Values, Clash> {
        let Some(object) = self.get(kind, id) else { return Ok(Values::new()) };
        let patch = habit::kept(&self.habits, kind, patch);
        let restored = !object.live();
        let before = if restored { Values::new() } else { object.values.clone() };
        let mut values = object.values.clone();
        let changed = apply(&mut values, patch);
        self.check(kind, id, &values)?;
        self.index(kind, id, &before, &values);
        let action = if restored { Action::Restore } else { Action::Update };
        let entry = applied(action, changed.clone(), &values, &self.version_path, stamp);
        let lag_ms = self.lag_ms;
        let Some(rack) = self.kinds.get_mut(kind) else { return Ok(changed) };
        let Some(object) = rack.objects.get_mut(id) else { return Ok(changed) };
        object.values = values;
        object.archived_ms = None;
        object.history.push(entry);
        if restored || !changed.is_empty() {
            rack.recent.remove(&(object.updated_ms, object.id.clone()));
            object.updated_ms = stamp.now_ms;
            rack.recent.insert((object.updated_ms, object.id.clone()));
            object.remember(stamp.now_ms, lag_ms);
        }
        Ok(changed)
    }

    /// Moves the time of an object's last change, and nothing else.
    pub(crate) fn touch(&mut self, kind: &str, id: &str, now_ms: u64) {
        let Some(rack) = self.kinds.get_mut(kind) else { return };
        let Some(object) = rack.objects.get_mut(id) else { return };
        rack.recent.remove(&(object.updated_ms, object.id.clone()));
        object.updated_ms = now_ms;
        rack.recent.insert((object.updated_ms, object.id.clone()));
    }

    /// Takes an object out of the live set and frees its unique values; false when it was not live.
    pub(crate) fn archive(&mut self, kind: &str, id: &str, stamp: &Stamp) -> bool {
        let Some(object) = self.live(kind, id) else { return false };
        let values = object.values.clone();
        self.index(kind, id, &values, &Values::new());
        let entry = applied(Action::Archive, Values::new(), &values, &self.version_path, stamp);
        let Some(rack) = self.kinds.get_mut(kind) else { return false };
        let Some(object) = rack.objects.get_mut(id) else { return false };
        object.archived_ms = Some(stamp.now_ms);
        rack.recent.remove(&(object.updated_ms, object.id.clone()));
        object.updated_ms = stamp.now_ms;
        rack.recent.insert((object.updated_ms, object.id.clone()));
        object.history.push(entry);
        true
    }

    /// Gives an object another id, with its history.
    pub(crate) fn rename(&mut self, kind: &str, old: &str, new: &str) {
        let Some(values) = self.live(kind, old).map(|object| object.values.clone()) else { return };
        self.index(kind, old, &values, &Values::new());
        self.index(kind, new, &Values::new(), &values);
        let Some(rack) = self.kinds.get_mut(kind) else { return };
        let Some(mut object) = rack.objects.remove(old) else { return };
        rack.recent.remove(&(object.updated_ms, old.to_owned()));
        object.id = new.to_owned();
        rack.recent.insert((object.updated_ms, new.to_owned()));
        rack.objects.insert(new.to_owned(), object);
    }

    /// A copy for the oracle, with or without histories.
    pub(crate) fn copy(&self, history: bool) -> BTreeMap<String, BTreeMap<String, Object>> {
        let strip = |object: &Object| {
            let history = if history { object.history.clone() } else { Vec::new() };
            Object {
                history,
                past: Vec::new(),
                values: object.values.clone(),
                id: object.id.clone(),
                ..*object
            }
        };
        self.kinds
            .iter()
            .map(|(kind, rack)| {
                (kind.clone(), rack.objects.iter().map(|(id, object)| (id.clone(), strip(object))).collect())
            })
            .collect()
    }

    fn check(&self, kind: &str, id: &str, values: &Values) -> Result<(), Clash> {
        for (property, index) in self.unique.get(kind).into_iter().flatten() {
            let Some(value) = text_of(values, property) else { continue };
            if let Some(holder) = index.get(&fold(&value)).filter(|holder| *holder != id) {
                return Err(Clash { property: property.clone(), value, holder: holder.clone() });
            }
        }
        Ok(())
    }

    fn index(&mut self, kind: &str, id: &str, before: &Values, after: &Values) {
        let Some(properties) = self.unique.get_mut(kind) else { return };
        for (property, index) in properties {
            if let Some(value) = text_of(before, property) {
                index.remove(&fold(&value));
            }
            if let Some(value) = text_of(after, property) {
                index.insert(fold(&value), id.to_owned());
            }
        }
    }
}

/// The value at a dotted path, walked through nested objects.
pub(crate) fn at_path<'v>(values: &'v Values, path: &str) -> Option<&'v Value> {
    if let Some(value) = values.get(path) {
        return Some(value);
    }
    let mut parts = path.split('.');
    let first = values.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// The non-empty text of a string, number or boolean at a dotted path.
pub(crate) fn text_of(values: &Values, path: &str) -> Option<String> {
    at_path(values, path).and_then(text).filter(|text| !text.is_empty())
}

/// A string as it is, a number or boolean printed; `None` for anything else.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn fold(value: &str) -> String {
    value.trim().to_lowercase()
}

fn apply(values: &mut Values, patch: Values) -> Values {
    let mut changed = Values::new();
    for (name, value) in patch {
        if value.is_null() {
            if values.remove(&name).is_some() {
                changed.insert(name, Value::Null);
            }
        } else if values.get(&name) != Some(&value) {
            changed.insert(name.clone(), value.clone());
            values.insert(name, value);
        }
    }
    changed
}

fn applied(action: Action, changed: Values, values: &Values, version_path: &str, stamp: &Stamp) -> Applied {
    let version = text_of(values, version_path);
    Applied { at_ms: stamp.now_ms, actor: stamp.actor, action, changed, version, key: stamp.key.clone() }
}
