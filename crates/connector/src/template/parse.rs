//! Reading templates: from text to pieces, with constants folded in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::quoted::Shape;
use super::{Alternative, Encoder, Flaw, Language, Piece, Place, Scope, Slot, Source, Template, percent};

/// What is known when a manifest is bound.
pub(crate) struct Environment<'a> {
    /// The parameters' values.
    pub(crate) parameters: &'a BTreeMap<String, Value>,
    /// The object's constants.
    pub(crate) values: &'a BTreeMap<String, String>,
    /// Which sources the call offers.
    pub(crate) allowed: Allowed,
}

/// What kind of call a template serves: that decides which sources it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Allowed {
    /// A write or a probe.
    Write,
    /// What makes or takes back an association.
    Association,
    /// What stands around the records of a batch.
    Batch,
    /// A listing.
    List,
    /// A fetch.
    Fetch,
    /// A listing of all that is there.
    Snapshot,
    /// A fetch of several.
    Many,
    /// A look at a job.
    Job,
    /// What is about an object as a kind: constants, and its name.
    Object,
    /// Only parameters and constants.
    Constants,
}

/// What is wrong with a template, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) hint: String,
}

impl Fault {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl Allowed {
    const fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Write => &[
                "parameter.NAME",
                "value.NAME",
                "object",
                "key",
                "id",
                "intent",
                "expected",
                "version",
                "fields",
                "fields.PATH",
                "whole",
                "whole.PATH",
                "known",
                "known.PATH",
            ],
            Self::Association => {
                &["parameter.NAME", "value.NAME", "object", "key", "id", "intent", "other", "to"]
            }
            Self::Batch => &["parameter.NAME", "value.NAME", "object", "intent"],
            Self::List => &["parameter.NAME", "value.NAME", "object", "since", "page", "now", "paths"],
            Self::Fetch => &["parameter.NAME", "value.NAME", "object", "id", "paths", "associations"],
            Self::Snapshot => &["parameter.NAME", "value.NAME", "object", "page", "paths"],
            Self::Many => &["parameter.NAME", "value.NAME", "object", "ids", "paths"],
            Self::Job => &["parameter.NAME", "value.NAME", "object", "job"],
            Self::Object => &["parameter.NAME", "value.NAME", "object"],
            Self::Constants => &["parameter.NAME", "value.NAME"],
        }
    }
}

impl Template {
    /// Reads a template for a place. In paths and queries, `sql:`, `soql:` and `odata:` before it say which
    /// language's statement it is.
    pub(crate) fn parse(text: &str, place: Place, environment: &Environment<'_>) -> Result<Self, Fault> {
        let (language, text) = Language::of(text, place);
        let mut shape = Shape::default();
        let mut pieces = Vec::new();
        let mut fixed = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            place.push_fixed(&rest[..at], &mut fixed);
            shape.fixed(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if rest.starts_with(brace) {
                fixed.push_str(brace);
                rest = &rest[1..];
                continue;
            }
            if brace == "}" {
                return Err(Fault::new(
                    "a `}` without its `{`",
                    "write `}}` for a brace that is meant as text",
                ));
            }
            let Some(end) = rest.find('}') else {
                return Err(Fault::new(
                    "a `{` without its `}`",
                    "write `{{` for a brace that is meant as text",
                ));
            };
            let slot = Slot::parse(&rest[..end], environment)?;
            rest = &rest[end + 1..];
            shape.slot(&slot);
            if let Some(language) = language.filter(|language| !slot.is_safe_in(*language)) {
                let (name, hint) = language.told();
                return Err(Fault::new(
                    format!("`{{{}}}` in {name} has no encoder that keeps its value in place", slot.written),
                    hint,
                ));
            }
            match slot.constant(place, language)? {
                Some(text) => fixed.push_str(&text),
                None => {
                    flush(&mut fixed, &mut pieces);
                    pieces.push(Piece::Slot(slot));
                }
            }
        }
        place.push_fixed(rest, &mut fixed);
        shape.fixed(rest);
        flush(&mut fixed, &mut pieces);
        // In a header a quote ends nothing that matters: it is one value in any case.
        if let Some(written) = shape.first_quoted().filter(|_| language.is_none() && place != Place::Header) {
            return Err(Fault::new(
                format!(
                    "`{{{written}}}` stands between quotes, and a value with a quote in it would end them"
                ),
                "begin a statement with `sql:`, `soql:` or `odata:`, and take the quotes away; elsewhere end the slot with \
                 `|word`, `|integer`, `|guid` or the like, or with `|text` where nobody reads quotes",
            ));
        }
        Ok(Self { place, pieces })
    }
}

fn flush(fixed: &mut String, pieces: &mut Vec<Piece>) {
    if !fixed.is_empty() {
        pieces.push(Piece::Fixed(std::mem::take(fixed).into()));
    }
}

impl Slot {
    /// Reads what stands between the braces.
    pub(crate) fn parse(text: &str, environment: &Environment<'_>) -> Result<Self, Fault> {
        let alternatives = text
            .split(" or ")
            .map(|part| Alternative::parse(part.trim(), environment))
            .collect::<Result<Vec<_>, Fault>>()?;
        // A parameter that was not given offers nothing; the slot stays, so that its absence has a name.
        Ok(Self { written: text.trim().into(), alternatives: alternatives.into_iter().flatten().collect() })
    }

    /// Its escaped text, when it does not depend on a call and stands in a text.
    fn constant(&self, place: Place, language: Option<Language>) -> Result<Option<String>, Fault> {
        let [Alternative { source: Source::Literal(value), encoders }] = self.alternatives.as_slice() else {
            return Ok(None);
        };
        if place == Place::Json && (encoders.is_empty() || !value.is_string()) {
            // Keeps its type where it stands alone; texts around it are put together when it is rendered.
            return Ok(None);
        }
        let scope = Scope::of_nothing();
        if encoders.contains(&Encoder::Segments) {
            return self.segments(value, place).map(Some);
        }
        let mut out = String::new();
        let filled = self.text(&scope).and_then(|text| {
            place
                .push(&text, &mut out)
                .map_err(|why| Flaw::Unfit { slot: self.written.clone(), why: why.into() })
        });
        match filled {
            Ok(()) => Ok(Some(out)),
            // An empty constant leaves a gap in a statement; elsewhere the slot stays, so that an optional
            // entry goes.
            Err(Flaw::Missing { .. }) if language.is_some() => Ok(Some(String::new())),
            Err(Flaw::Missing { .. }) => Ok(None),
            Err(Flaw::Unfit { why, .. }) => Err(Fault::new(
                format!("the value of `{{{}}}` cannot stand in {}", self.written, place.name()),
                why,
            )),
            Err(Flaw::Paths { one, other }) => {
                Err(Fault::new(format!("`{one}` and `{other}` contradict"), ""))
            }
            Err(Flaw::NoPath { path, why }) => Err(Fault::new(format!("`{path}` is no target path"), why)),
        }
    }

    fn segments(&self, value: &Value, place: Place) -> Result<String, Fault> {
        let fault = |why: &str| Fault::new(format!("the value of `{{{}}}` is not a path", self.written), why);
        if place != Place::Path {
            return Err(fault("`|segments` belongs in a path only"));
        }
        let text = value.as_str().unwrap_or_default().trim_matches('/');
        let mut out = String::new();
        if text.is_empty() {
            return Ok(out);
        }
        for (index, segment) in text.split('/').enumerate() {
            if matches!(segment, "" | "." | "..") {
                return Err(fault("write names with single slashes between them, such as `api/things`"));
            }
            if index > 0 {
                out.push('/');
            }
            percent(segment, &mut out);
        }
        Ok(out)
    }
}

impl Alternative {
    fn parse(text: &str, environment: &Environment<'_>) -> Result<Option<Self>, Fault> {
        let mut parts = text.split('|').map(str::trim);
        let source = source(parts.next().unwrap_or_default(), environment)?;
        let mut encoders = Vec::new();
        for name in parts {
            let Some(name) = argued(name, environment)? else { return Ok(None) };
            let encoder = Encoder::parse(&name).ok_or_else(|| {
                let word = name.split(':').next().unwrap_or_default();
                let hint = canonical::suggest::hint(word, Encoder::NAMES);
                Fault::new(format!("there is no encoder `{name}`"), hint)
            })?;
            encoders.push(encoder);
        }
        Ok(source.map(|source| Self { source, encoders }))
    }
}

/// An encoder with its argument: `epoch:parameter.timestamps` takes it from that parameter. `None` when that was not given:
/// then the alternative offers nothing.
fn argued<'a>(encoder: &'a str, environment: &Environment<'_>) -> Result<Option<Cow<'a, str>>, Fault> {
    let Some((name, parameter)) =
        encoder.split_once(':').filter(|(_, named)| named.starts_with("parameter."))
    else {
        return Ok(Some(Cow::Borrowed(encoder)));
    };
    Ok(source(parameter, environment)?.and_then(|source| match source {
        Source::Literal(Value::String(argument)) => Some(Cow::Owned(format!("{name}:{argument}"))),
        _ => None,
    }))
}

fn source(text: &str, environment: &Environment<'_>) -> Result<Option<Source>, Fault> {
    let (head, path) = match text.split_once('.') {
        Some((head, path)) => (head, Some(path)),
        None => (text, None),
    };
    let allowed = environment.allowed.sources();
    let unknown = || {
        Fault::new(
            format!("there is no `{{{text}}}` here"),
            canonical::suggest::hint(text, allowed.iter().copied()),
        )
    };
    let known = allowed.iter().any(|name| name.split('.').next() == Some(head));
    if !known {
        return Err(unknown());
    }
    let own = |path: &str| -> Box<str> { path.into() };
    Ok(Some(match (head, path) {
        ("parameter", Some(name)) => {
            let Some(value) = environment.parameters.get(name) else {
                let names = environment.parameters.keys().map(String::as_str);
                return Err(Fault::new(
                    format!("there is no parameter `{name}`"),
                    canonical::suggest::hint(name, names),
                ));
            };
            if value.is_null() {
                return Ok(None);
            }
            Source::Literal(value.clone())
        }
        ("value", Some(name)) => match environment.values.get(name) {
            Some(value) => Source::Literal(Value::String(value.clone())),
            None => {
                let names = environment.values.keys().map(String::as_str);
                return Err(Fault::new(
                    format!("there is no value `{name}`"),
                    canonical::suggest::hint(name, names),
                ));
            }
        },
        ("object", None) => Source::Object,
        ("key", None) => Source::Key,
        ("id", None) => Source::Id,
        ("ids", None) => Source::Ids,
        ("intent", None) => Source::Intent,
        ("expected", None) => Source::Expected,
        ("version", None) => Source::Version,
        ("fields", path) => Source::Fields(path.map(own)),
        ("whole", path) => Source::Whole(path.map(own)),
        ("known", path) => Source::Known(path.map(own)),
        ("since", None) => Source::Since,
        ("page", None) => Source::Page,
        ("now", None) => Source::Now,
        ("paths", None) => Source::Paths,
        ("job", None) => Source::Job,
        ("associations", None) => Source::Associations,
        ("other", None) => Source::Other,
        ("to", None) => Source::To,
        _ => return Err(unknown()),
    }))
}
