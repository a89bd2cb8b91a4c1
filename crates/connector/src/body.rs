//! Bodies: a JSON tree with slots, written as JSON or as a form.
//!
//! In a manifest: a text that is one slot keeps its value's type; any other text is a template. A key that ends
//! in `?` goes when its value is missing. The key `...` spreads an object's entries; keys that are named beside it
//! win, and `"name?": null` keeps that one out. A key may be a template, too. A text that starts with `sql:` or `soql:` is a statement, in which
//! every slot needs an encoder made for it.

use canonical::Fields;
use serde_json::Value;

use crate::template::{
    Allowed, Direct, Environment, Fault, Flaw, Place, Scope, Slot, Source, Template, texts,
};

/// One node of a body.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Node {
    /// Stands as it is: serialised JSON.
    Fixed(Box<[u8]>),
    /// A value with its type.
    Slot(Slot),
    /// A text with slots.
    Text(Template),
    /// An object.
    Object { spread: Option<Slot>, entries: Vec<Entry> },
    /// A list.
    List(Vec<Node>),
    /// The list of a batch's records: written with a [`HOLE`], which is filled when they are known.
    Records,
}

/// Stands where a batch's records go: a byte that JSON never holds.
pub(crate) const HOLE: u8 = 0;
/// The text that is replaced by them.
const RECORDS: &str = "{records}";

/// One entry of an object.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    key: Box<str>,
    /// The key as JSON, with its colon; empty where it is a template.
    prefix: Box<[u8]>,
    /// A key with slots.
    named: Option<Template>,
    optional: bool,
    node: Node,
}

impl Node {
    /// Reads a body; the error's first part is the place inside it.
    pub(crate) fn parse(value: &Value, environment: &Environment<'_>) -> Result<Self, (String, Fault)> {
        match value {
            Value::String(text) => {
                Self::parse_text(text, environment).map_err(|fault| (String::new(), fault))
            }
            Value::Array(items) => {
                let nodes = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        Self::parse(item, environment).map_err(|e| inside(&index.to_string(), e))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(Self::List(nodes))
            }
            Value::Object(map) => Self::parse_object(map, environment),
            scalar => Ok(Self::fixed(scalar)),
        }
    }

    fn fixed(value: &Value) -> Self {
        Self::Fixed(value.to_string().into_bytes().into())
    }

    fn parse_text(text: &str, environment: &Environment<'_>) -> Result<Self, Fault> {
        if text == RECORDS && environment.allowed == Allowed::Batch {
            return Ok(Self::Records);
        }
        let (place, text) = match (text.strip_prefix("sql:"), text.strip_prefix("soql:")) {
            (Some(statement), _) => (Place::Sql, statement.trim_start()),
            (_, Some(statement)) => (Place::Soql, statement.trim_start()),
            (None, None) => (Place::Json, text),
        };
        let template = Template::parse(text, place, environment)?;
        Ok(match (template.fixed(), template.only_slot()) {
            (Some(text), _) => Self::fixed(&Value::String(text.to_owned())),
            (None, Some(slot)) if place == Place::Json => Self::Slot(slot.clone()),
            _ => Self::Text(template),
        })
    }

    fn parse_object(map: &Fields, environment: &Environment<'_>) -> Result<Self, (String, Fault)> {
        let mut spread = None;
        let mut entries = Vec::new();
        for (key, value) in map {
            let left_out = key.ends_with('?') && value.is_null();
            let node = if left_out {
                Self::Slot(Slot::none(key))
            } else {
                Self::parse(value, environment).map_err(|error| inside(key, error))?
            };
            if key == "..." {
                let Node::Slot(slot) = node else {
                    let fault = Fault::new("`...` needs one slot", "write `\"...\": \"{fields}\"`");
                    return Err((key.clone(), fault));
                };
                if slot.is_never_object() {
                    let what = "`...` takes the entries of an object, and this is none";
                    return Err((key.clone(), Fault::new(what, "write `\"...\": \"{fields}\"`")));
                }
                spread = Some(slot);
                continue;
            }
            let (name, optional) = key.strip_suffix('?').map_or((key.as_str(), false), |name| (name, true));
            let named = Template::parse(name, Place::Json, environment)
                .map_err(|fault| inside(key, (String::new(), fault)))?;
            let (named, prefix) = match named.fixed() {
                Some(name) => (None, Value::String(name.to_owned()).to_string() + ":"),
                None => (Some(named), String::new()),
            };
            entries.push(Entry {
                key: name.into(),
                prefix: prefix.into_bytes().into(),
                named,
                optional,
                node,
            });
        }
        Ok(Self::Object { spread, entries })
    }

    /// Writes it as JSON.
    pub(crate) fn write<'a>(&'a self, scope: &Scope<'a>, out: &mut Vec<u8>) -> Result<(), Flaw> {
        match self {
            Self::Fixed(bytes) => out.extend_from_slice(bytes),
            Self::Slot(slot) => match slot.direct(scope) {
                Some(direct) => {
                    out.push(b'{');
                    write_direct(&direct, &[], out, &mut true);
                    out.push(b'}');
                }
                None => put(out, &*slot.value(scope)?),
            },
            Self::Text(template) => put(out, &template.render(scope)?),
            Self::Records => out.extend_from_slice(&[b'[', HOLE, b']']),
            Self::List(nodes) => {
                out.push(b'[');
                for (index, node) in nodes.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    node.write(scope, out)?;
                }
                out.push(b']');
            }
            Self::Object { spread, entries } => {
                out.push(b'{');
                let mut first = true;
                if let Some(slot) = spread {
                    write_spread(slot, entries, scope, out, &mut first)?;
                }
                for entry in entries {
                    entry.write(scope, out, &mut first)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }

    /// Whether it cannot be written without the vendor's id.
    pub(crate) fn needs_id(&self) -> bool {
        self.rests_on(&|source| *source == Source::Id)
    }

    /// Whether Concord's own id stands in it.
    pub(crate) fn names_key(&self) -> bool {
        match self {
            Self::Fixed(_) | Self::Records => false,
            Self::Slot(slot) => slot.names_key(),
            Self::Text(template) => template.names_key(),
            Self::List(nodes) => nodes.iter().any(Self::names_key),
            Self::Object { entries, .. } => entries.iter().any(|entry| entry.node.names_key()),
        }
    }

    /// Whether the opaque version stands in it.
    pub(crate) fn names_version(&self) -> bool {
        match self {
            Self::Fixed(_) | Self::Records => false,
            Self::Slot(slot) => slot.names_version(),
            Self::Text(template) => template.names_version(),
            Self::List(nodes) => nodes.iter().any(Self::names_version),
            Self::Object { entries, .. } => entries.iter().any(|entry| entry.node.names_version()),
        }
    }

    /// Whether a slot in it mentions such a source.
    pub(crate) fn mentions(&self, of: &dyn Fn(&Source) -> bool) -> bool {
        match self {
            Self::Fixed(_) | Self::Records => false,
            Self::Slot(slot) => slot.mentions(of),
            Self::Text(template) => template.mentions(of),
            Self::List(nodes) => nodes.iter().any(|node| node.mentions(of)),
            Self::Object { spread, entries } => {
                let named = |entry: &Entry| entry.named.as_ref().is_some_and(|named| named.mentions(of));
                spread.as_ref().is_some_and(|slot| slot.mentions(of))
                    || entries.iter().any(|entry| entry.node.mentions(of) || named(entry))
            }
        }
    }

    /// Whether it cannot be written without such a source.
    pub(crate) fn rests_on(&self, of: &dyn Fn(&Source) -> bool) -> bool {
        match self {
            Self::Fixed(_) | Self::Records => false,
            Self::Slot(slot) => slot.rests_on(of),
            Self::Text(template) => template.rests_on(of),
            Self::List(nodes) => nodes.iter().any(|node| node.rests_on(of)),
            Self::Object { entries, .. } => {
                let named = |entry: &Entry| entry.named.as_ref().is_some_and(|named| named.rests_on(of));
                entries.iter().any(|entry| !entry.optional && (entry.node.rests_on(of) || named(entry)))
            }
        }
    }

    /// Places for the records of a batch.
    pub(crate) fn holes(&self) -> usize {
        match self {
            Self::Records => 1,
            Self::Fixed(_) | Self::Slot(_) | Self::Text(_) => 0,
            Self::List(nodes) => nodes.iter().map(Self::holes).sum(),
            Self::Object { entries, .. } => entries.iter().map(|entry| entry.node.holes()).sum(),
        }
    }

    /// Its JSON value.
    fn value<'a>(&'a self, scope: &Scope<'a>) -> Result<Value, Flaw> {
        let mut bytes = Vec::new();
        self.write(scope, &mut bytes)?;
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Writes it as `application/x-www-form-urlencoded`, nested keys as `a[b]`, list items as `a[0]`, null as empty.
    pub(crate) fn write_form<'a>(&'a self, scope: &Scope<'a>, out: &mut Vec<u8>) -> Result<(), Flaw> {
        let value = self.value(scope)?;
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        form_pairs(&mut String::new(), &value, &mut pairs);
        out.extend_from_slice(pairs.finish().as_bytes());
        Ok(())
    }
}

impl Entry {
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) const fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) const fn is_optional(&self) -> bool {
        self.optional
    }

    /// A key with slots; others stand in the prefix.
    fn write_key<'a>(&'a self, scope: &Scope<'a>, out: &mut Vec<u8>) -> Result<(), Flaw> {
        if let Some(named) = &self.named {
            put(out, &named.render(scope)?);
            out.push(b':');
        }
        Ok(())
    }

    fn write<'a>(&'a self, scope: &Scope<'a>, out: &mut Vec<u8>, first: &mut bool) -> Result<(), Flaw> {
        let start = out.len();
        if !*first {
            out.push(b',');
        }
        out.extend_from_slice(&self.prefix);
        match self.write_key(scope, out).and_then(|()| self.node.write(scope, out)) {
            Ok(()) => {
                *first = false;
                Ok(())
            }
            Err(Flaw::Missing { .. }) if self.optional => {
                out.truncate(start);
                Ok(())
            }
            Err(flaw) => Err(flaw),
        }
    }
}

fn write_spread<'a>(
    slot: &'a Slot,
    entries: &[Entry],
    scope: &Scope<'a>,
    out: &mut Vec<u8>,
    first: &mut bool,
) -> Result<(), Flaw> {
    if let Some(direct) = slot.direct(scope) {
        write_direct(&direct, entries, out, first);
        return Ok(());
    }
    if let Some(value) = slot.entries(scope)?
        && let Value::Object(fields) = &*value
    {
        write_direct(&Direct { fields, texts: false }, entries, out, first);
    }
    Ok(())
}

/// Writes the entries of an object, but for those that `named` entries stand for.
fn write_direct(direct: &Direct<'_>, named: &[Entry], out: &mut Vec<u8>, first: &mut bool) {
    for (key, value) in direct.fields {
        if named.iter().any(|entry| *entry.key == **key) {
            continue;
        }
        if !*first {
            out.push(b',');
        }
        *first = false;
        put(out, key);
        out.push(b':');
        match value {
            _ if !direct.texts => put(out, value),
            Value::String(_) => put(out, value),
            Value::Null => out.extend_from_slice(b"\"\""),
            other => put(out, &texts(other)),
        }
    }
}

/// Serialises a value that cannot fail to: JSON values and texts into memory.
fn put<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let done = serde_json::to_writer(&mut *out, value);
    debug_assert!(done.is_ok(), "JSON values serialise into memory");
}

fn inside(key: &str, (place, fault): (String, Fault)) -> (String, Fault) {
    (if place.is_empty() { key.to_owned() } else { format!("{key}.{place}") }, fault)
}

fn form_pairs(name: &mut String, value: &Value, out: &mut url::form_urlencoded::Serializer<'_, String>) {
    let length = name.len();
    let mut child = |key: &str, value: &Value, name: &mut String| {
        if length == 0 {
            name.push_str(key);
        } else {
            name.push('[');
            name.push_str(key);
            name.push(']');
        }
        form_pairs(name, value, out);
        name.truncate(length);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| child(key, value, name)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| child(&index.to_string(), value, name));
        }
        scalar => {
            out.append_pair(name, &crate::path::text_of(scalar).unwrap_or_default());
        }
    }
}
