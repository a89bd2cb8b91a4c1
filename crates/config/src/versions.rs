//! Versions of entities' schemas and of mappings: what was applied under a version stays what it was.
//!
//! What counts of a file is its *meaning*: comments, examples, words for people and the order in which things are
//! written are no part of it. Whoever remembers what was applied hands it in ([`Versioned`]); nothing here reads a store.

pub(crate) mod compat;
mod differ;
mod kept;
mod meaning;
mod past;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::compare::Places;
use crate::configuration::Configuration;
use crate::files::Files;
use crate::problem::Problem;
pub(crate) use kept::told;
pub use kept::unkept;
pub(crate) use meaning::EntityMeaning;
pub(crate) use past::Past;

/// Of what there are versions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum VersionKind {
    /// An entity's schema.
    Entity,
    /// A mapping.
    Mapping,
}

impl VersionKind {
    /// Its name, as stored and shown, and as the key that names one in its file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Mapping => "mapping",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Entity, Self::Mapping].into_iter().find(|kind| kind.name() == name)
    }

    /// A stored meaning as this release would write it, so that keys that came later make no difference.
    fn reread(self, meaning: &Value) -> Value {
        let read = match self {
            Self::Entity => EntityMeaning::read(meaning).map(|meaning| meaning.value()),
            Self::Mapping => mapping::meaning::reread(meaning),
        };
        read.unwrap_or_else(|| meaning.clone())
    }
}

/// One version of something.
#[derive(Clone, PartialEq, Debug)]
pub struct Versioned {
    /// Of what.
    pub kind: VersionKind,
    /// The entity's or mapping's name.
    pub name: String,
    /// Counts up, not necessarily by one.
    pub number: u32,
    /// Over the meaning: the same on every machine.
    pub digest: String,
    /// What of the file decides what is stored and said.
    pub meaning: Value,
}

impl Configuration {
    /// Everything in it that has a version.
    #[must_use]
    pub fn versions(&self) -> Vec<Versioned> {
        let entities = self.entities.values().map(|schema| {
            let steps = self.pasts.get(&schema.entity).map_or(&[][..], |past| &past.steps);
            let meaning = EntityMeaning::of(schema, steps).value();
            Versioned::new(VersionKind::Entity, schema.entity.to_string(), schema.version, meaning)
        });
        let mappings = self.mappings.values().map(|mapping| {
            let name = mapping.id().to_owned();
            Versioned::new(VersionKind::Mapping, name, mapping.version(), mapping.meaning())
        });
        entities.chain(mappings).collect()
    }

    /// Older versions that the folder keeps. Their steps are not known: what is newer has its own.
    fn kept(&self) -> impl Iterator<Item = Versioned> {
        let earlier = self.pasts.values().flat_map(|past| &past.earlier);
        earlier.map(|schema| {
            let meaning = EntityMeaning::of(schema, &[]).value();
            Versioned::new(VersionKind::Entity, schema.entity.to_string(), schema.version, meaning)
        })
    }
}

impl Versioned {
    fn new(kind: VersionKind, name: String, number: u32, meaning: Value) -> Self {
        let digest = format!("blake3:{}", blake3::hash(meaning.to_string().as_bytes()).to_hex());
        Self { kind, name, number, digest, meaning }
    }
}

/// What was applied, by kind and name.
pub(crate) struct History<'a>(BTreeMap<(VersionKind, &'a str), BTreeMap<u32, &'a Versioned>>);

impl<'a> History<'a> {
    pub(crate) fn of(applied: impl IntoIterator<Item = &'a Versioned>) -> Self {
        let mut all = Self(BTreeMap::new());
        for one in applied {
            let versions = all.0.entry((one.kind, one.name.as_str())).or_default();
            // Of two words the first stands, as it does in the store.
            versions.entry(one.number).or_insert(one);
        }
        all
    }
}

/// What in a folder is not what was applied under the same version, each with its place.
///
/// An earlier version may be put back: it is what it was. `applied` may hold the same version twice; the first counts.
#[must_use]
pub fn against(next: &Configuration, files: &Files, applied: &[Versioned]) -> Vec<Problem> {
    judge(next, &Places::of(files), &History::of(applied))
}

pub(crate) fn judge(next: &Configuration, places: &Places, history: &History<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for own in next.versions() {
        let Some(known) = history.0.get(&(own.kind, own.name.as_str())) else { continue };
        let newest = known.keys().next_back().copied().unwrap_or_default();
        match known.get(&own.number) {
            Some(same) if same.digest == own.digest => {}
            Some(other) => problems.extend(changed(&own, other, newest, places)),
            None if newest > own.number => problems.push(lower(&own, newest, places)),
            None => problems
                .extend(known.get(&newest).map(|was| unfit(&own, was, next, places)).into_iter().flatten()),
        }
    }
    problems.extend(next.kept().filter_map(|own| {
        let known = history.0.get(&(own.kind, own.name.as_str()))?;
        altered(&own, known.get(&own.number)?, places)
    }));
    problems
}

/// What keeps a new version of a schema from following on the one that was applied last.
fn unfit(own: &Versioned, was: &Versioned, next: &Configuration, places: &Places) -> Vec<Problem> {
    let schema = next.entities.values().find(|schema| schema.entity.as_str() == own.name);
    let past = schema.and_then(|schema| next.pasts.get(&schema.entity));
    let (VersionKind::Entity, Some(schema), Some(past)) = (own.kind, schema, past) else { return Vec::new() };
    let Some(before) = EntityMeaning::read(&was.meaning) else { return Vec::new() };
    let breaches = past.breaches_on(was.number, &before, schema).into_iter();
    let problem = |breach: compat::Breach| {
        let at: Vec<&str> = breach.at.iter().map(String::as_str).collect();
        places.at("entity", &own.name, &at, breach.what, breach.hint)
    };
    breaches.map(problem).collect()
}

/// The file says something else than what was applied.
fn changed(own: &Versioned, applied: &Versioned, newest: u32, places: &Places) -> Option<Problem> {
    let was = own.kind.reread(&applied.meaning);
    let differ = differ::differences(&was, &own.kind.reread(&own.meaning));
    if differ.is_empty() {
        return None;
    }
    let (kind, name, number) = (own.kind.name(), &own.name, own.number);
    let what =
        format!("the {kind} `{name}` changed and still says `version: {number}`: {}", differ::shown(&differ));
    let why = match own.kind {
        VersionKind::Entity => "records and events name the version they were written under",
        VersionKind::Mapping => "deliveries and dead letters name the version they were rendered with",
    };
    let hint = format!("write `version: {}`: {why}", newest + 1);
    Some(places.key(kind, name, "version", what, hint))
}

/// An older version that is kept is not what was applied.
fn altered(own: &Versioned, applied: &Versioned, places: &Places) -> Option<Problem> {
    let without_steps = |meaning: &Value| {
        let mut meaning = own.kind.reread(meaning);
        if let Some(map) = meaning.as_object_mut() {
            map.remove("upcast");
        }
        meaning
    };
    let differ = differ::differences(&without_steps(&applied.meaning), &without_steps(&own.meaning));
    let (name, number) = (&own.name, own.number);
    let what = format!(
        "version {number} of `{name}` is kept otherwise than it was applied: {}",
        differ::shown(&differ)
    );
    let hint = "put it back as it was: what was written under it is read by it";
    (!differ.is_empty()).then(|| places.kept(name, number, what, hint.to_owned()))
}

/// The file has a number that was passed over.
fn lower(own: &Versioned, newest: u32, places: &Places) -> Problem {
    let (kind, name, number) = (own.kind.name(), &own.name, own.number);
    let what = format!(
        "the {kind} `{name}` says `version: {number}`, which was never applied, and version {newest} was"
    );
    let hint = format!("write `version: {}`: versions count up", newest + 1);
    places.key(kind, name, "version", what, hint)
}
