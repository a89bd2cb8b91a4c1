//! XML: bodies that are written from a tree with slots, and answers that are read as if they were JSON.
//!
//! In a manifest: a table with one key is the root. A key is an element's name, `@name` an attribute, `#text` the text
//! beside attributes. A table's elements are written in the order of their names, so that a target which minds their order
//! gets a list: of tables with what follows one after the other. A value fills an element: a scalar is its text, null
//! leaves it empty, an object is elements by their names, a list repeats the element. Values never make attributes.
//!
//! Read, an element is a text, or an object with its attributes as `@name`, its elements by their local names, and its text
//! as `#text`; what stands several times is a list, and so is what the manifest says always is one.

mod disguise;
mod read;

use serde_json::Value;

use crate::body::{Entry, Node};
use crate::path::text_of;
use crate::template::{Flaw, Scope};

pub use disguise::disguised_xml;
pub(crate) use read::XmlPlan;

/// Deepest tree, written or read.
const DEPTH_MAX: usize = 64;

/// Whether this can be an element's or attribute's name in a manifest: one colon may part a prefix.
pub(crate) fn is_name(text: &str) -> bool {
    match text.split_once(':') {
        Some((prefix, local)) => is_plain_name(prefix) && is_plain_name(local),
        None => is_plain_name(text),
    }
}

/// Whether this can be an attribute's name in a manifest: also one that XML itself gives a meaning.
fn is_attribute(text: &str) -> bool {
    let own = text.strip_prefix("xmlns:").or_else(|| text.strip_prefix("xml:"));
    text == "xmlns" || own.is_some_and(is_plain_name) || is_name(text)
}

/// A name of ASCII letters, digits, `_`, `-` and `.`: less than XML takes, and nothing that means anything else.
fn is_plain_name(text: &str) -> bool {
    let start = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    text.bytes().next().is_some_and(start)
        && text.bytes().all(inside)
        && !text.get(..3).is_some_and(|first| first.eq_ignore_ascii_case("xml"))
}

/// What is wrong with a tree as a document, before any value is in it.
pub(crate) fn check(node: &Node) -> Result<(), (String, &'static str)> {
    let Node::Object { spread: None, entries } = node else {
        return Err((String::new(), "a document has one root: write a table with one key"));
    };
    let [root] = entries.as_slice() else {
        return Err((String::new(), "a document has one root: write a table with one key"));
    };
    if root.key().starts_with(['@', '#']) || root.is_optional() {
        return Err((root.key().to_owned(), "the root is an element, and always there"));
    }
    check_element(root, 0)
}

fn check_element(entry: &Entry, depth: usize) -> Result<(), (String, &'static str)> {
    if depth > DEPTH_MAX {
        return Err((entry.key().to_owned(), "it is nested too deep"));
    }
    if !is_name(entry.key()) {
        return Err((entry.key().to_owned(), "this is not an element's name"));
    }
    check_content(entry.node(), depth).map_err(|(place, why)| {
        (if place.is_empty() { entry.key().to_owned() } else { format!("{}.{place}", entry.key()) }, why)
    })
}

fn check_content(node: &Node, depth: usize) -> Result<(), (String, &'static str)> {
    match node {
        Node::Object { entries, .. } => {
            for entry in entries {
                match entry.key().strip_prefix('@') {
                    Some(name) if !is_attribute(name) => {
                        return Err((entry.key().to_owned(), "this is not an attribute's name"));
                    }
                    Some(_) if !is_single(entry.node()) => {
                        return Err((entry.key().to_owned(), "an attribute is a text"));
                    }
                    None if entry.key() == "#text" && !is_single(entry.node()) => {
                        return Err((entry.key().to_owned(), "it is a text"));
                    }
                    Some(_) => {}
                    None if entry.key() == "#text" => {}
                    None => check_element(entry, depth + 1)?,
                }
            }
            Ok(())
        }
        Node::List(nodes) => {
            for (at, node) in nodes.iter().enumerate() {
                let Node::Object { entries, .. } = node else {
                    return Err((at.to_string(), "a list holds tables, whose elements follow one another"));
                };
                if at > 0 && entries.iter().any(|entry| entry.key().starts_with('@')) {
                    return Err((at.to_string(), "attributes stand in the first table of a list"));
                }
                check_content(node, depth).map_err(|(place, why)| {
                    (format!("{at}.{place}").trim_end_matches('.').to_owned(), why)
                })?;
            }
            Ok(())
        }
        Node::Fixed(_) | Node::Slot(_) | Node::Text(_) => Ok(()),
        Node::Records => Err((String::new(), "several records do not go in one XML document")),
    }
}

fn is_single(node: &Node) -> bool {
    matches!(node, Node::Fixed(_) | Node::Slot(_) | Node::Text(_))
}

/// Writes a document.
pub(crate) fn write<'a>(node: &'a Node, scope: &Scope<'a>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let mut text = String::with_capacity(512);
    text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    if let Node::Object { entries, .. } = node {
        for entry in entries {
            write_entry(entry, scope, &mut text)?;
        }
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// One element of a table; nothing, when it may be missing and is.
fn write_entry<'a>(entry: &'a Entry, scope: &Scope<'a>, out: &mut String) -> Result<(), Flaw> {
    let start = out.len();
    match write_named(entry.key(), entry.node(), scope, out) {
        Err(Flaw::Missing { .. }) if entry.is_optional() => {
            out.truncate(start);
            Ok(())
        }
        other => other,
    }
}

fn write_named<'a>(name: &str, node: &'a Node, scope: &Scope<'a>, out: &mut String) -> Result<(), Flaw> {
    match node {
        Node::Slot(slot) => {
            let value = slot.value(scope)?;
            write_value(name, &value, 0, out).map_err(|why| slot.unfit(why))
        }
        Node::Text(template) => {
            let text = template.render(scope)?;
            write_value(name, &Value::String(text), 0, out)
                .map_err(|why| Flaw::Unfit { slot: name.into(), why: why.into() })
        }
        Node::Fixed(bytes) => {
            let value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
            write_value(name, &value, 0, out)
                .map_err(|why| Flaw::Unfit { slot: name.into(), why: why.into() })
        }
        Node::Object { .. } | Node::List(_) => {
            out.push('<');
            out.push_str(name);
            let mut content = String::new();
            let tables: &[Node] = match node {
                Node::List(nodes) => nodes,
                one => std::slice::from_ref(one),
            };
            for table in tables {
                write_table(table, scope, out, &mut content)?;
            }
            close(name, &content, out);
            Ok(())
        }
        Node::Records => Ok(()),
    }
}

/// A table's attributes go to `head`, its elements to `content`.
fn write_table<'a>(
    table: &'a Node,
    scope: &Scope<'a>,
    head: &mut String,
    content: &mut String,
) -> Result<(), Flaw> {
    let Node::Object { spread, entries } = table else { return Ok(()) };
    if let Some(slot) = spread {
        match slot.value(scope) {
            Ok(value) => {
                let fields = value.as_object().into_iter().flatten();
                for (key, value) in fields.filter(|(key, _)| entries.iter().all(|entry| entry.key() != *key))
                {
                    // Its name comes from a value.
                    write_value(key, value, 1, content).map_err(|why| slot.unfit(why))?;
                }
            }
            Err(Flaw::Missing { .. }) => {}
            Err(flaw) => return Err(flaw),
        }
    }
    for entry in entries {
        let attribute = entry.key().strip_prefix('@');
        if attribute.is_none() && entry.key() != "#text" {
            write_entry(entry, scope, content)?;
            continue;
        }
        let text = match single(entry.node(), scope) {
            Ok(text) => text,
            Err(Flaw::Missing { .. }) if entry.is_optional() => continue,
            Err(flaw) => return Err(flaw),
        };
        let unfit = |why: &'static str| Flaw::Unfit { slot: entry.key().into(), why: why.into() };
        match attribute {
            Some(name) => {
                head.extend([" ", name, "=\""]);
                escape(&text, true, head).map_err(unfit)?;
                head.push('"');
            }
            None => escape(&text, false, content).map_err(unfit)?,
        }
    }
    Ok(())
}

/// The text of an attribute, or beside attributes.
fn single<'a>(node: &'a Node, scope: &Scope<'a>) -> Result<String, Flaw> {
    match node {
        Node::Slot(slot) => {
            let value = slot.value(scope)?;
            match text_of(&value) {
                Some(text) => Ok(text),
                None if value.is_null() => Ok(String::new()),
                None => Err(slot.unfit("it is a list or an object, and a text is needed")),
            }
        }
        Node::Text(template) => template.render(scope),
        Node::Fixed(bytes) => {
            let value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
            Ok(text_of(&value).unwrap_or_default())
        }
        Node::Object { .. } | Node::List(_) | Node::Records => Ok(String::new()),
    }
}

/// A value as an element, or as several. Names come from values here: they are names, and no attributes.
fn write_value(name: &str, value: &Value, depth: usize, out: &mut String) -> Result<(), &'static str> {
    if depth > DEPTH_MAX {
        return Err("it is nested too deep for XML");
    }
    if !is_name(name) || (depth > 0 && !is_plain_name(name)) {
        return Err("one of its keys cannot be an element's name");
    }
    if let Value::Array(items) = value {
        return items.iter().try_for_each(|item| match item {
            Value::Array(_) => Err("a list in a list has no form in XML"),
            item => write_value(name, item, depth, out),
        });
    }
    out.push('<');
    out.push_str(name);
    let mut content = String::new();
    match value {
        Value::Object(map) => {
            map.iter().try_for_each(|(key, value)| match is_plain_name(key) {
                true => write_value(key, value, depth + 1, &mut content),
                false => Err("one of its keys cannot be an element's name"),
            })?;
        }
        scalar => escape(&text_of(scalar).unwrap_or_default(), false, &mut content)?,
    }
    close(name, &content, out);
    Ok(())
}

fn close(name: &str, content: &str, out: &mut String) {
    if content.is_empty() {
        out.push_str("/>");
    } else {
        out.extend([">", content, "</", name, ">"]);
    }
}

/// Puts a text there so that it reads as that text and nothing else (XML 1.0, sections 2.2 to 2.4 and 2.11): what a reader
/// would turn into another character is written as a reference.
fn escape(text: &str, attribute: bool, out: &mut String) -> Result<(), &'static str> {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '\'' if attribute => out.push_str("&apos;"),
            '\r' => out.push_str("&#13;"),
            '\n' if attribute => out.push_str("&#10;"),
            '\t' if attribute => out.push_str("&#9;"),
            '\n' | '\t' => out.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                return Err("a control character in it has no form in XML");
            }
            _ => out.push(c),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
