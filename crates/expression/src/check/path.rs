//! Names and paths: what an item is called, and where an input stands.

use std::rc::Rc;

use super::{Checked, Checker, Known};
use crate::fault::Fault;
use crate::limits::INPUTS_MAX;
use crate::names::{Input, Key};
use crate::program::Op;
use crate::tree::{self, Literal, What};
use crate::types::Type;

impl Checker<'_> {
    /// A name, or what is selected from one.
    pub(super) fn path(&mut self, node: &tree::Node, known: Known) -> Option<Checked> {
        if let What::Name(name) = &node.what
            && let Some(item) = self.item.as_ref().filter(|item| item.name == *name)
        {
            return Some(Checked::new(node.at.start, Op::Item, item.ty.clone()));
        }
        let (input, place) = self.input(node)?;
        let ty = Type { null: input.ty.null && !known.has(place), ..input.ty.clone() };
        // A narrowed input is read by its narrow type: a null there was excluded before.
        let mut checked = Checked::new(node.at.start, Op::Input(input.slot, input.ty), ty);
        checked.input = Some(place);
        checked.choices = input.choices.map(Rc::new);
        Some(checked)
    }

    /// What stands at a path, and its place among the inputs that are used.
    pub(super) fn input(&mut self, node: &tree::Node) -> Option<(Input, usize)> {
        let mut keys = Vec::new();
        self.keys(node, &mut keys)?;
        let input = match self.names.input(&keys) {
            Ok(input) => input,
            Err(unknown) => {
                let hint = unknown.hint.or_else(|| self.item_hint(node));
                self.fault(Fault { at: node.at.clone(), message: unknown.message, hint });
                return None;
            }
        };
        if let Some(place) = self.uses.iter().position(|slot| *slot == input.slot) {
            return Some((input, place));
        }
        if self.uses.len() == INPUTS_MAX {
            let message = format!("an expression reads at most {INPUTS_MAX} inputs");
            self.fault(Fault::new(&node.at, message).hint("say it in several rows"));
            return None;
        }
        self.uses.push(input.slot);
        Some((input, self.uses.len() - 1))
    }

    fn item_hint(&self, node: &tree::Node) -> Option<String> {
        let item = self.item.as_ref().filter(|_| matches!(node.what, What::Name(_)))?;
        Some(format!("the item is called `{}` here", item.name))
    }

    /// The keys of a path, the root first.
    fn keys(&mut self, node: &tree::Node, keys: &mut Vec<Key>) -> Option<()> {
        match &node.what {
            What::Name(name) => {
                if let Some(item) = self.item.as_ref().filter(|item| item.name == *name) {
                    let message = format!("`{name}` is {}: nothing can be selected from it", item.ty);
                    self.fault(Fault::new(&node.at, message));
                    return None;
                }
                keys.push(Key::Name(name.clone()));
            }
            What::Select(of, name) => {
                self.keys(of, keys)?;
                keys.push(Key::Name(name.clone()));
            }
            What::Index(of, key) => {
                self.keys(of, keys)?;
                keys.push(match &key.what {
                    What::Literal(Literal::Text(name)) => Key::Name(name.clone()),
                    What::Literal(Literal::Int(place)) if u32::try_from(*place).is_ok() => {
                        Key::Place(u32::try_from(*place).unwrap_or_default())
                    }
                    _ => {
                        let message = "a path is written out: brackets hold a name or a position";
                        let hint = "object[\"unit price\"], object.lines[0]";
                        self.fault(Fault::new(&key.at, message).hint(hint));
                        return None;
                    }
                });
            }
            _ => {
                let message = "nothing can be selected from this";
                let hint =
                    "paths start at a root, such as `record.name`; `first(xs)` takes an item of a list";
                self.fault(Fault::new(&node.at, message).hint(hint));
                return None;
            }
        }
        Some(())
    }
}
