//! One YAML file of the folder: its text, its tree, and problems that point into it.

use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;

use crate::passage;
use crate::problem::{Problem, is_credential};
use crate::shape::Shape;
use crate::tree::{Node, Span, Yaml};
use crate::typed::{self, Fault};
use crate::words::is_variable;

/// A file that could be read as YAML.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    file: Arc<str>,
    text: Arc<str>,
    root: Arc<Node>,
}

/// A place in a file that something checked later may be wrong about.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    document: Document,
    span: Span,
}

impl Document {
    /// Reads a file's text.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, Problem> {
        match Node::parse(text) {
            Ok(root) => Ok(Self { file: file.into(), text: text.into(), root: Arc::new(root) }),
            Err(unreadable) => Err(match unreadable.span {
                Some(span) => Problem::at(file, text, span, None, unreadable.what).hint(unreadable.hint),
                None => Problem::of_file(file, unreadable.what, unreadable.hint),
            }),
        }
    }

    /// From the folder.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    /// Checks the file against its published schema, then reads it as typed: all that the schema can name, else the
    /// first that the types refuse.
    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self, shape: Shape) -> Result<T, Vec<Problem>> {
        let (clear, vague): (Vec<_>, Vec<_>) =
            shape.faults(&self.root).into_iter().partition(|found| found.clear);
        if !clear.is_empty() {
            return Err(clear.into_iter().map(|found| self.of_fault(found.fault)).collect());
        }
        let typed = typed::read(&self.root).map_err(|fault| vec![self.of_fault(fault)])?;
        if vague.is_empty() {
            Ok(typed)
        } else {
            Err(vague.into_iter().map(|found| self.of_fault(found.fault)).collect())
        }
    }

    fn of_fault(&self, fault: Fault) -> Problem {
        let mut problem = self.at_span(fault.span.unwrap_or(self.root.span), fault.what);
        problem.hint = fault.hint;
        problem
    }

    /// A problem with the value at a path; with the nearest thing above it that is there.
    pub(crate) fn problem(&self, path: &[&str], what: impl Into<String>) -> Problem {
        self.at_span(self.span(path), what)
    }

    /// A problem with some characters of the text at a path; with all of it where nobody can tell which those are.
    pub(crate) fn within(&self, path: &[&str], part: &Range<u32>, what: impl Into<String>) -> Problem {
        let whole = self.span(path);
        let value = path.iter().try_fold(&*self.root, |node, key| node.get(key)).map(|node| &node.value);
        let part = match value {
            Some(Yaml::Text(value)) => passage::find(&self.text, whole, value, part),
            _ => None,
        };
        self.at_span(part.unwrap_or(whole), what)
    }

    /// A problem with the key at a path.
    pub(crate) fn key_problem(&self, path: &[&str], what: impl Into<String>) -> Problem {
        self.at_span(self.key_span(path), what)
    }

    /// The place of the value at a path, for later.
    pub(crate) fn place(&self, path: &[&str]) -> Place {
        Place { document: self.clone(), span: self.span(path) }
    }

    fn at_span(&self, span: Span, what: impl Into<String>) -> Problem {
        Problem::at(&self.file, &self.text, span, secret_column(&self.root, span.line, false), what)
    }

    fn span(&self, path: &[&str]) -> Span {
        let mut node: &Node = &self.root;
        let mut span = node.span;
        for key in path {
            // Where the rest is missing, the key of what is there is meant, not its first content.
            if let Some(entry) = node.entry(key) {
                span = entry.span;
                node = &entry.node;
            } else if let Some(item) = node.get(key) {
                span = item.span;
                node = item;
            } else {
                return span;
            }
        }
        match node.value {
            Yaml::Map(_) | Yaml::List(_) => span,
            _ => node.span,
        }
    }

    fn key_span(&self, path: &[&str]) -> Span {
        let Some((last, above)) = path.split_last() else { return self.root.span };
        let parent = above.iter().try_fold(&*self.root, |node, key| node.get(key));
        parent.and_then(|node| node.entry(last)).map_or_else(|| self.span(path), |entry| entry.span)
    }
}

impl Place {
    /// A problem there.
    pub(crate) fn problem(&self, what: impl Into<String>) -> Problem {
        self.document.at_span(self.span, what)
    }
}

/// The column from which a line holds a credential that was written out instead of referred to.
fn secret_column(node: &Node, line: u32, under: bool) -> Option<u32> {
    match &node.value {
        Yaml::Map(entries) => entries.iter().find_map(|entry| {
            let refers = match (&entry.node.value, entry.key.as_str()) {
                (Yaml::Text(name), "env") => is_variable(name),
                (_, key) => key == "file",
            };
            secret_column(&entry.node, line, !refers && (under || is_credential(&entry.key)))
        }),
        Yaml::List(items) => items.iter().find_map(|item| secret_column(item, line, under)),
        Yaml::Null => None,
        _ => (under && node.span.line == line).then_some(node.span.column),
    }
}
