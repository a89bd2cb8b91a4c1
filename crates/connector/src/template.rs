//! Templates: texts with slots, `/customers/{id}`. A slot names a value and how it is encoded; there is no
//! expression language.
//!
//! A slot is one or more alternatives, the first that has a value counts: `{known.email|md5_lower_hex or id}`.
//! An alternative is a source and, behind `|`, encoders from a closed list. A brace is written `{{`, `}}`.
//! Where a text stands (path, query, header, JSON, SQL) decides how its values are escaped: none can break out.

mod encode;
mod identifier;
mod parse;
mod place;
mod quoted;
mod soql;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use canonical::{Fields, Wall};
use serde_json::Value;

use crate::call::Write;
use crate::path;
use crate::typed::Typed;

pub(crate) use encode::{Encoder, Language, texts};
pub(crate) use parse::{Allowed, Environment, Fault};
pub(crate) use place::{Place, percent};

/// Where a slot's value comes from.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Source {
    /// Known when the manifest was bound: a parameter, a constant of the object.
    Literal(Value),
    /// The object's name.
    Object,
    /// The immutable Concord id.
    Key,
    /// The vendor's id.
    Id,
    /// The vendor's ids of several objects.
    Ids,
    /// The intent's id.
    Intent,
    /// The version expected at the target.
    Expected,
    /// The opaque version that was last shown there.
    Version,
    /// The fields to write, or one of them.
    Fields(Option<Box<str>>),
    /// The whole projection, or one field of it.
    Whole(Option<Box<str>>),
    /// What was last known there, or one field of it.
    Known(Option<Box<str>>),
    /// The lower bound of a listing, in microseconds (or a bare number).
    Since,
    /// The token of the next page.
    Page,
    /// When the call was made, in microseconds.
    Now,
    /// The mapped paths.
    Paths,
    /// The kinds of the others whose associations are mapped.
    Associations,
    /// The id of the other object of an association.
    Other,
    /// Its kind.
    To,
    /// The vendor's id of a job.
    Job,
}

/// A value and how it is encoded.
#[derive(Clone, PartialEq, Debug)]
struct Alternative {
    source: Source,
    encoders: Vec<Encoder>,
}

/// A place to be filled.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Slot {
    written: Box<str>,
    alternatives: Vec<Alternative>,
}

/// All fields of a call, to be written as they are.
pub(crate) struct Direct<'a> {
    pub(crate) fields: &'a Fields,
    /// Each scalar as text: see [`Encoder::Texts`].
    pub(crate) texts: bool,
}

/// What a call offers to slots.
pub(crate) struct Scope<'a> {
    pub(crate) object: &'a str,
    pub(crate) write: Option<&'a Write>,
    pub(crate) id: Option<&'a str>,
    pub(crate) ids: &'a [String],
    pub(crate) since: Option<i64>,
    pub(crate) page: Option<&'a str>,
    pub(crate) now: Wall,
    pub(crate) paths: &'a [String],
    /// The kinds of the others whose associations are read.
    pub(crate) associations: &'a [String],
    pub(crate) types: &'a BTreeMap<String, Typed>,
    pub(crate) job: Option<&'a str>,
}

impl Scope<'_> {
    /// The association that the call is about.
    fn association(&self) -> Option<&ledger::Association> {
        self.write?.association.as_deref()
    }

    /// What constants are written in: it offers nothing.
    pub(crate) fn of_nothing() -> Self {
        static NONE: BTreeMap<String, Typed> = BTreeMap::new();
        Self {
            object: "",
            write: None,
            id: None,
            ids: &[],
            since: None,
            page: None,
            now: Wall(0),
            paths: &[],
            associations: &[],
            types: &NONE,
            job: None,
        }
    }
}

/// Why a slot could not be filled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    /// No alternative has a value.
    Missing { slot: Box<str> },
    /// The value cannot stand there.
    Unfit { slot: Box<str>, why: Cow<'static, str> },
    /// Target paths contradict each other.
    Paths { one: String, other: String },
    /// A target path is none.
    NoPath { path: String, why: &'static str },
}

impl Slot {
    /// One that never has a value.
    pub(crate) fn none(written: &str) -> Self {
        Self { written: written.into(), alternatives: Vec::new() }
    }

    /// The value, typed. `Missing` when no alternative has one.
    pub(crate) fn value<'a>(&'a self, scope: &Scope<'a>) -> Result<Cow<'a, Value>, Flaw> {
        for alternative in &self.alternatives {
            let Some(mut value) = alternative.source.value(scope)? else { continue };
            let mut present = true;
            let several = alternative.source == Source::Ids;
            for encoder in &alternative.encoders {
                let encoded =
                    if several { encoder.apply_to_ids(value, scope) } else { encoder.apply(value, scope) };
                match encoded {
                    Ok(Some(next)) => value = next,
                    Ok(None) => {
                        present = false;
                        value = Cow::Owned(Value::Null);
                        break;
                    }
                    Err(why) => return Err(Flaw::Unfit { slot: self.written.clone(), why }),
                }
            }
            // Where there is a choice, null is no choice; alone it is a value that clears.
            let chosen = self.alternatives.len() == 1 || !value.is_null();
            if present && chosen {
                return Ok(value);
            }
        }
        Err(Flaw::Missing { slot: self.written.clone() })
    }

    /// The object whose entries are spread; nothing where it is missing or null.
    pub(crate) fn entries<'a>(&'a self, scope: &Scope<'a>) -> Result<Option<Cow<'a, Value>>, Flaw> {
        let what = match self.value(scope) {
            Ok(value) => match &*value {
                Value::Object(_) => return Ok(Some(value)),
                Value::Null => return Ok(None),
                Value::String(_) => "it is a text, and an object is needed: `...` takes its entries",
                Value::Array(_) => "it is a list, and an object is needed: `...` takes its entries",
                Value::Bool(_) | Value::Number(_) => "it is no object: `...` takes the entries of one",
            },
            Err(Flaw::Missing { .. }) => return Ok(None),
            Err(flaw) => return Err(flaw),
        };
        Err(self.unfit(what))
    }

    /// Whether it is a text or a number whatever is written, so that there are no entries to spread.
    pub(crate) fn is_never_object(&self) -> bool {
        let fields = |one: &Alternative| {
            matches!(one.source, Source::Fields(_) | Source::Whole(_) | Source::Known(_))
                || matches!(&one.source, Source::Literal(value) if value.is_object())
        };
        !self.alternatives.is_empty() && !self.alternatives.iter().any(fields)
    }

    /// Its value cannot stand where it would go.
    pub(crate) fn unfit(&self, why: &'static str) -> Flaw {
        Flaw::Unfit { slot: self.written.clone(), why: Cow::Borrowed(why) }
    }

    /// The value as text; null and the empty text count as missing.
    fn text<'a>(&'a self, scope: &Scope<'a>) -> Result<Cow<'a, str>, Flaw> {
        let text = match self.value(scope)? {
            Cow::Borrowed(Value::String(text)) => Cow::Borrowed(text.as_str()),
            Cow::Owned(Value::String(text)) => Cow::Owned(text),
            value => match path::text_of(&value) {
                Some(text) => Cow::Owned(text),
                None if value.is_null() => Cow::Borrowed(""),
                None => {
                    let why = Cow::Borrowed("it is a list or an object, and a text is needed");
                    return Err(Flaw::Unfit { slot: self.written.clone(), why });
                }
            },
        };
        if text.is_empty() { Err(Flaw::Missing { slot: self.written.clone() }) } else { Ok(text) }
    }

    /// All fields at once, when they can be written without a copy: unchanged, or each scalar as text.
    pub(crate) fn direct<'a>(&self, scope: &Scope<'a>) -> Option<Direct<'a>> {
        let [Alternative { source, encoders }] = self.alternatives.as_slice() else { return None };
        let fields = match source {
            Source::Fields(None) => &scope.write?.fields,
            Source::Whole(None) => &scope.write?.whole,
            _ => return None,
        };
        let texts = match encoders.as_slice() {
            [] => false,
            [Encoder::Texts] => true,
            _ => return None,
        };
        path::is_flat(fields).then_some(Direct { fields, texts })
    }

    /// Whether it has no value without the vendor's id.
    pub(crate) fn needs_id(&self) -> bool {
        self.rests_on(&|source| *source == Source::Id)
    }

    /// Whether any of its alternatives is Concord's own id.
    pub(crate) fn names_key(&self) -> bool {
        self.alternatives.iter().any(|one| one.source == Source::Key)
    }

    /// Whether any of its alternatives is the opaque version.
    pub(crate) fn names_version(&self) -> bool {
        self.alternatives.iter().any(|one| one.source == Source::Version)
    }

    /// Whether one of its alternatives is such a source.
    pub(crate) fn mentions(&self, of: &dyn Fn(&Source) -> bool) -> bool {
        self.alternatives.iter().any(|one| of(&one.source))
    }

    /// Whether it has no value without such a source.
    pub(crate) fn rests_on(&self, of: &dyn Fn(&Source) -> bool) -> bool {
        !self.alternatives.is_empty() && self.alternatives.iter().all(|one| of(&one.source))
    }

    fn names_job(&self) -> bool {
        self.alternatives.iter().any(|one| one.source == Source::Job)
    }

    fn names_intent(&self) -> bool {
        self.alternatives.iter().any(|one| one.source == Source::Intent)
    }

    /// Whether every alternative ends in an encoder that makes a value safe inside a statement of that language.
    fn is_safe_in(&self, language: Language) -> bool {
        self.alternatives.iter().all(|alternative| {
            if alternative.source == Source::Ids {
                // Each is made safe, and commas put between them.
                let [.., each, Encoder::Comma] = alternative.encoders.as_slice() else { return false };
                return each.is_safe_in(language);
            }
            let constant =
                matches!(alternative.source, Source::Literal(_) | Source::Object | Source::To | Source::Now);
            (constant && language != Language::Statement)
                || alternative.encoders.last().is_some_and(|encoder| encoder.is_safe_in(language))
        })
    }
}

impl Source {
    fn value<'a>(&'a self, scope: &Scope<'a>) -> Result<Option<Cow<'a, Value>>, Flaw> {
        let text = |text: &str| Some(Cow::Owned(Value::String(text.to_owned())));
        Ok(match self {
            Self::Literal(value) => Some(Cow::Borrowed(value)),
            Self::Object => text(scope.object),
            Self::Key => scope.write.and_then(|write| text(&write.key)),
            Self::Id => scope.id.and_then(text),
            Self::Ids if scope.ids.is_empty() => None,
            Self::Ids => {
                let ids = scope.ids.iter().map(|id| Value::String(id.clone())).collect();
                Some(Cow::Owned(Value::Array(ids)))
            }
            Self::Intent => scope.write.and_then(|write| text(&write.intent)),
            Self::Expected => scope.write.and_then(|write| text(write.expected.as_deref()?)),
            Self::Version => scope.write.and_then(|write| text(write.version.as_deref()?)),
            Self::Fields(path) => of_fields(scope.write.map(|write| &*write.fields), path.as_deref())?,
            Self::Whole(path) => of_fields(scope.write.map(|write| &*write.whole), path.as_deref())?,
            Self::Known(path) => of_fields(scope.write.map(|write| &*write.known), path.as_deref())?,
            Self::Since => scope.since.map(|since| Cow::Owned(Value::from(since))),
            Self::Page => scope.page.and_then(text),
            Self::Now => Some(Cow::Owned(Value::from(scope.now.micros()))),
            Self::Job => scope.job.and_then(text),
            Self::Paths => listed(scope.paths),
            Self::Associations => listed(scope.associations),
            Self::Other => scope.association().and_then(|one| text(&one.other)),
            Self::To => scope.association().and_then(|one| text(one.to.as_str())),
        })
    }
}

/// A list of names; none of them is no list.
fn listed(names: &[String]) -> Option<Cow<'static, Value>> {
    let listed = || Value::Array(names.iter().map(|name| Value::String(name.clone())).collect());
    (!names.is_empty()).then(|| Cow::Owned(listed()))
}

fn of_fields<'a>(fields: Option<&'a Fields>, path: Option<&str>) -> Result<Option<Cow<'a, Value>>, Flaw> {
    let Some(fields) = fields else { return Ok(None) };
    let Some(path) = path else {
        let nested =
            path::nest(fields.iter().map(|(key, value)| (key, value.clone()))).map_err(
                |clash| match clash {
                    path::Clash::Inside { one, other } => Flaw::Paths { one, other },
                    path::Clash::NoPath { path, why } => Flaw::NoPath { path, why },
                },
            )?;
        return Ok(Some(Cow::Owned(Value::Object(nested))));
    };
    match fields.get(path) {
        Some(value) => Ok(Some(Cow::Borrowed(value))),
        None => Ok(path::under(fields, path).map(Cow::Owned)),
    }
}

/// A text with slots.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Template {
    place: Place,
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Debug)]
enum Piece {
    /// Stands as it is; already escaped for its place.
    Fixed(Box<str>),
    Slot(Slot),
}

impl Template {
    /// Stands in while errors are collected.
    pub(crate) const fn empty(place: Place) -> Self {
        Self { place, pieces: Vec::new() }
    }

    /// Writes the text, its values escaped for its place.
    pub(crate) fn write<'a>(&'a self, scope: &Scope<'a>, out: &mut String) -> Result<(), Flaw> {
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(text) => out.push_str(text),
                Piece::Slot(slot) => {
                    let text = slot.text(scope)?;
                    self.place
                        .push(&text, out)
                        .map_err(|why| Flaw::Unfit { slot: slot.written.clone(), why: Cow::Borrowed(why) })?;
                }
            }
        }
        Ok(())
    }

    /// The text by itself.
    pub(crate) fn render<'a>(&'a self, scope: &Scope<'a>) -> Result<String, Flaw> {
        let mut out = String::new();
        self.write(scope, &mut out)?;
        Ok(out)
    }

    /// Whether it cannot be filled without the vendor's id.
    pub(crate) fn needs_id(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Slot(slot) if slot.needs_id()))
    }

    /// Whether Concord's own id stands in it.
    pub(crate) fn names_key(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Slot(slot) if slot.names_key()))
    }

    /// Whether the opaque version stands in it.
    pub(crate) fn names_version(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Slot(slot) if slot.names_version()))
    }

    /// Whether a slot in it mentions such a source.
    pub(crate) fn mentions(&self, of: &dyn Fn(&Source) -> bool) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Slot(slot) if slot.mentions(of)))
    }

    /// Whether it cannot be filled without such a source.
    pub(crate) fn rests_on(&self, of: &dyn Fn(&Source) -> bool) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Slot(slot) if slot.rests_on(of)))
    }

    /// Whether a job's id stands in it.
    pub(crate) fn names_job(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Slot(slot) if slot.names_job()))
    }

    /// Whether the intent's id (of a batch: its own) stands in it.
    pub(crate) fn names_intent(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Slot(slot) if slot.names_intent()))
    }

    /// What stands before its first slot.
    pub(crate) fn start(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Fixed(text)) => text,
            Some(Piece::Slot(_)) | None => "",
        }
    }

    /// What stands in it as it is.
    pub(crate) fn fixed_texts(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Fixed(text) => Some(&**text),
            Piece::Slot(_) => None,
        })
    }

    /// The slot, when there is nothing else: then the value keeps its type.
    pub(crate) fn only_slot(&self) -> Option<&Slot> {
        match self.pieces.as_slice() {
            [Piece::Slot(slot)] => Some(slot),
            _ => None,
        }
    }

    /// The text, when there is no slot.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Fixed(text)] => Some(text),
            _ => None,
        }
    }
}
