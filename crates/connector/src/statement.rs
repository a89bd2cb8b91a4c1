//! Statements for databases: a text with names in it, and the values that are bound to it.
//!
//! No value ever stands in the text. Its slots are names (of schemas, tables, columns), which are quoted; values go beside
//! it, each with its type, as `{"statement": "… $1 …", "binds": [{"type": "text", "value": …}]}`.

use crate::body::Node;
use crate::source::BindType;
use crate::template::{Flaw, Scope, Source, Template};

/// A statement, ready to be filled.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) text: Template,
    pub(crate) binds: Vec<Bind>,
}

/// A value that is bound.
#[derive(Debug)]
pub(crate) struct Bind {
    pub(crate) kind: BindType,
    pub(crate) node: Node,
    /// When it is missing it is null.
    pub(crate) optional: bool,
}

impl Statement {
    /// Writes the body of the request.
    pub(crate) fn write<'a>(&'a self, scope: &Scope<'a>, out: &mut Vec<u8>) -> Result<(), Flaw> {
        let text = serde_json::Value::String(self.text.render(scope)?);
        out.extend_from_slice(b"{\"statement\":");
        out.extend_from_slice(text.to_string().as_bytes());
        out.extend_from_slice(b",\"binds\":[");
        for (index, bind) in self.binds.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"type\":\"");
            out.extend_from_slice(bind.kind.name().as_bytes());
            out.extend_from_slice(b"\",\"value\":");
            bind.write(scope, out)?;
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
        Ok(())
    }

    /// Whether it cannot be written without the system's own id.
    pub(crate) fn needs_id(&self) -> bool {
        self.binds.iter().any(|bind| !bind.optional && bind.node.needs_id())
    }

    /// Whether a slot in it mentions such a source.
    pub(crate) fn mentions(&self, of: &dyn Fn(&Source) -> bool) -> bool {
        self.text.mentions(of) || self.binds.iter().any(|bind| bind.node.mentions(of))
    }

    /// Whether it cannot be written without such a source.
    pub(crate) fn rests_on(&self, of: &dyn Fn(&Source) -> bool) -> bool {
        self.text.rests_on(of) || self.binds.iter().any(|bind| !bind.optional && bind.node.rests_on(of))
    }

    /// Whether Concord's own id is bound to it.
    pub(crate) fn names_key(&self) -> bool {
        self.binds.iter().any(|bind| bind.node.names_key())
    }

    /// Whether the opaque version is bound to it.
    pub(crate) fn names_version(&self) -> bool {
        self.binds.iter().any(|bind| bind.node.names_version())
    }
}

impl Bind {
    fn write<'a>(&'a self, scope: &Scope<'a>, out: &mut Vec<u8>) -> Result<(), Flaw> {
        let start = out.len();
        match self.node.write(scope, out) {
            Err(Flaw::Missing { .. }) if self.optional => {
                out.truncate(start);
                out.extend_from_slice(b"null");
                Ok(())
            }
            written => written,
        }
    }
}

/// The highest `$N` in a statement's text.
pub(crate) fn highest(text: &str) -> usize {
    let numbers = text.split('$').skip(1).map(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest[..digits].parse().unwrap_or(0)
    });
    numbers.max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
