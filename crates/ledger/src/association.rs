//! Associations: relations that a target keeps as things of their own, each made and taken back by a call of its own.
//!
//! Which calls bring a path to what is wanted there follows from the shadow. It remembers whom Concord associated, or
//! found there and replaced, and has not taken back since: a move may end in doubt, or a read may be old, and still
//! nobody is left behind.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use canonical::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::shadow::Shadow;

/// What one call about an association does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It is made.
    Associate,
    /// It is taken back.
    Dissociate,
}

/// How a path goes from one object to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moving {
    /// The new one is made, then the old one taken back: at no time is there none.
    #[default]
    AssociateFirst,
    /// The old one is taken back, then the new one made: where the vendor refuses a second one, or where the id of an object
    /// that was merged into another stays a name of that one, so that taking the old one back may end the new one, too.
    DissociateFirst,
    /// The new one takes the place of the old one: the vendor keeps one.
    Replaced,
}

/// One call about an association of a record's object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Association {
    /// The target path that stands for it.
    pub path: String,
    /// The kind of the other object.
    pub to: Object,
    /// The other object's id there.
    pub other: String,
    /// What the call does.
    pub step: Step,
    /// How the path goes from one object to another.
    #[serde(default)]
    pub moving: Moving,
}

impl Shadow {
    /// The calls that bring a path to `wanted`, in their order; none where the target certainly has it. `again`: it is
    /// said whatever is known.
    #[must_use]
    pub fn steps(&self, path: &str, wanted: &Value, moving: Moving, again: bool) -> Vec<(Step, String)> {
        let (wanted, known) = (id_of(wanted), self.fields.get(path).and_then(id_of));
        let certain = !again && known == wanted && !self.unknown.contains(path);
        let mut former: BTreeSet<String> = self.associated.get(path).cloned().unwrap_or_default();
        former.extend(known);
        let Some(wanted) = wanted else {
            return former.into_iter().map(|other| (Step::Dissociate, other)).collect();
        };
        former.remove(&wanted);
        let said_last = moving == Moving::DissociateFirst && !former.is_empty();
        let made = (!certain || said_last).then_some((Step::Associate, wanted));
        let ended = former.into_iter().map(|other| (Step::Dissociate, other));
        match moving {
            Moving::AssociateFirst => made.into_iter().chain(ended).collect(),
            Moving::DissociateFirst => ended.chain(made).collect(),
            Moving::Replaced => made.into_iter().collect(),
        }
    }

    /// Such a call was confirmed.
    pub fn confirm_step(&mut self, done: &Association) {
        let Association { path, other, .. } = done;
        let known = self.fields.get(path).and_then(id_of);
        match done.step {
            Step::Associate => {
                let ends = self.associated.entry(path.clone()).or_default();
                match done.moving {
                    Moving::Replaced => ends.clear(),
                    Moving::AssociateFirst | Moving::DissociateFirst => ends.extend(known),
                }
                ends.insert(other.clone());
                self.unknown.remove(path);
                self.fields.insert(path.clone(), Value::String(other.clone()));
            }
            Step::Dissociate => {
                if let Some(ends) = self.associated.get_mut(path) {
                    ends.remove(other);
                    if ends.is_empty() {
                        self.associated.remove(path);
                    }
                }
                if known.is_none_or(|known| known == *other) {
                    self.unknown.remove(path);
                    self.fields.insert(path.clone(), Value::Null);
                } else if done.moving == Moving::DissociateFirst {
                    // It may have been another name of the one that is to stay.
                    self.unknown.insert(path.clone());
                }
            }
        }
    }

    /// Such a call ended in doubt: it may be there, or may be gone.
    pub fn doubt_step(&mut self, doubtful: &Association) {
        let Association { path, other, .. } = doubtful;
        let known = self.fields.get(path).and_then(id_of);
        if doubtful.step == Step::Associate || known.as_ref() == Some(other) {
            self.unknown.insert(path.clone());
        }
        self.associated.entry(path.clone()).or_default().insert(other.clone());
    }
}

/// An object's id, as text; `None`: none.
fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
