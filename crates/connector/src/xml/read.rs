//! Reading XML as if it were JSON, within bounds.
//!
//! No document type is taken, and so no entity but the five that XML has: nothing can grow, and nothing is fetched. Depth
//! and the number of parts are bounded; the size is by what egress and ingress take.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use super::DEPTH_MAX;

/// Most elements and attributes of a document.
const PARTS_MAX: usize = 200_000;
/// The attribute that says that an element is null.
const NIL: &str = "nil";

/// How XML is read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct XmlPlan {
    /// The local names of elements that are lists even if there is one of them.
    pub(crate) lists: Vec<String>,
}

/// An element that is being read.
#[derive(Default)]
struct Open {
    name: String,
    fields: Map<String, Value>,
    text: String,
    nil: bool,
}

impl XmlPlan {
    /// Whether bytes look like XML: a vendor may answer JSON, too.
    pub(crate) fn is_for(raw: &[u8]) -> bool {
        let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
        raw.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
    }

    /// The document as a value: `{ROOT: …}`.
    ///
    /// # Errors
    /// What is wrong with it; never its content.
    pub(crate) fn read(&self, raw: &[u8]) -> Result<Value, &'static str> {
        let text = std::str::from_utf8(raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw))
            .map_err(|_| "the XML is not UTF-8")?;
        let mut reader = Reader::from_str(text);
        let (mut open, mut root, mut parts) = (Vec::<Open>::new(), None, 0);
        loop {
            match reader.read_event().map_err(|_| "the XML is not well-formed")? {
                Event::Start(start) => {
                    if open.len() >= DEPTH_MAX {
                        return Err("the XML is nested too deep");
                    }
                    if open.is_empty() && root.is_some() {
                        return Err("the XML has more than one root");
                    }
                    open.push(begin(&start, &mut parts)?);
                }
                Event::Empty(start) => {
                    if open.is_empty() && root.is_some() {
                        return Err("the XML has more than one root");
                    }
                    let element = begin(&start, &mut parts)?;
                    self.end(element, &mut open, &mut root);
                }
                Event::End(_) => {
                    let element = open.pop().ok_or("the XML is not well-formed")?;
                    self.end(element, &mut open, &mut root);
                }
                Event::Text(text) => {
                    put(&text.xml10_content(), &mut open)?;
                }
                Event::CData(data) => {
                    put(&data.xml10_content(), &mut open)?;
                }
                Event::GeneralRef(entity) => {
                    let character = entity.resolve_char_ref().map_err(|_| "the XML is not well-formed")?;
                    match character {
                        Some(character) => put(character.encode_utf8(&mut [0; 4]), &mut open)?,
                        None => {
                            let known = resolve_predefined_entity(&entity);
                            put(known.ok_or("the XML has an entity of its own")?, &mut open)?;
                        }
                    }
                }
                Event::DocType(_) => return Err("the XML has a document type, which is not taken"),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        match (open.is_empty(), root) {
            (true, Some(root)) => Ok(root),
            _ => Err("the XML ends too early"),
        }
    }

    /// An element is over: it goes into the one around it, or is the document.
    fn end(&self, element: Open, open: &mut [Open], root: &mut Option<Value>) {
        let (name, listed) = (element.name.clone(), self.lists.contains(&element.name));
        let value = element.value();
        match open.last_mut() {
            None => *root = Some(Value::Object(Map::from_iter([(name, value)]))),
            Some(around) => match around.fields.get_mut(&name) {
                None if listed => drop(around.fields.insert(name, Value::Array(vec![value]))),
                None => drop(around.fields.insert(name, value)),
                Some(Value::Array(items)) => items.push(value),
                Some(one) => {
                    let first = one.take();
                    *one = Value::Array(vec![first, value]);
                }
            },
        }
    }
}

impl Open {
    fn value(mut self) -> Value {
        if self.nil {
            return Value::Null;
        }
        let bare = self.text.trim();
        if self.fields.is_empty() {
            return Value::String(self.text);
        }
        // Between elements, white space is how the document is laid out.
        if !bare.is_empty() {
            self.fields.insert("#text".to_owned(), Value::String(bare.to_owned()));
        }
        Value::Object(self.fields)
    }
}

fn begin(start: &BytesStart<'_>, parts: &mut usize) -> Result<Open, &'static str> {
    let local = |name: &str| name.rsplit(':').next().unwrap_or(name).to_owned();
    let mut open = Open { name: local(start.name().as_ref()), ..Open::default() };
    count(parts)?;
    for attribute in start.attributes() {
        count(parts)?;
        let attribute = attribute.map_err(|_| "the XML is not well-formed")?;
        let key = attribute.key.as_ref();
        if key == "xmlns" || key.starts_with("xmlns:") {
            continue;
        }
        let name = local(key);
        let text = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|_| "the XML is not well-formed")?;
        if name == NIL && key.contains(':') && matches!(&*text, "true" | "1") {
            open.nil = true;
            continue;
        }
        open.fields.insert(format!("@{name}"), Value::String(text.into_owned()));
    }
    Ok(open)
}

fn count(parts: &mut usize) -> Result<(), &'static str> {
    *parts += 1;
    if *parts > PARTS_MAX { Err("the XML has too many parts") } else { Ok(()) }
}

fn put(text: &str, open: &mut [Open]) -> Result<(), &'static str> {
    match open.last_mut() {
        Some(element) => {
            element.text.push_str(text);
            Ok(())
        }
        None if text.trim().is_empty() => Ok(()),
        None => Err("the XML has text outside of its root"),
    }
}
