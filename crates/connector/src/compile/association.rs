//! Associations of an object: what shows them, and which operations make them and take them back.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::{IdempotencyClass, Step};
use serde_saphyr::Location;

use super::Compiler;
use super::repeat::place;
use crate::association::{AssociationPlan, AssociationSeenPlan, AssociationSpec};
use crate::path::Path;
use crate::plan::{Parts, RequestPlan, WritePlan};
use crate::source::{AssociationSource, ObjectSource, Serves, WriteSource};
use crate::template::Source;

impl WriteSource {
    /// Whether it is about associations.
    pub(super) fn step(&self) -> Option<Step> {
        self.serves.iter().find_map(|serves| serves.step())
    }
}

impl Compiler<'_> {
    /// An object's associations; of those that reads show, the `mapped` ones are read.
    pub(super) fn associations(
        &mut self,
        name: &str,
        source: &ObjectSource,
        mapped: Option<&Vec<String>>,
    ) -> Vec<AssociationPlan> {
        let mut plans = Vec::with_capacity(source.associations.len());
        for (path, association) in &source.associations {
            let at = association.to.referenced;
            let place = Path::parse(path).unwrap_or_else(|why| {
                self.error(at, format!("objects.{name}.associations: `{path}` is no path"), why);
                Path::default()
            });
            if place.as_str().is_empty() {
                self.error(at, format!("objects.{name}.associations: a name is empty"), "give it one");
            }
            if association.seen.is_some() && source.fetch.is_none() {
                let what =
                    format!("objects.{name}: `{path}` says where a read shows it, and nothing reads one");
                self.error(at, what, "add `fetch`, or leave `seen` out");
            }
            let asked = mapped.is_some_and(|mapped| mapped.contains(path));
            plans.push(AssociationPlan {
                spec: AssociationSpec {
                    path: Arc::from(path.as_str()),
                    to: association.to.value.clone(),
                    moving: association.moving,
                    seen: association.seen.is_some(),
                },
                place,
                seen: self.association_seen(association).filter(|_| asked),
            });
        }
        plans
    }

    fn association_seen(&mut self, association: &AssociationSource) -> Option<AssociationSeenPlan> {
        let seen = association.seen.as_ref()?;
        let id = seen.id.as_ref().map(|id| self.path(id)).unwrap_or_default();
        Some(AssociationSeenPlan { at: self.path(&seen.at), id })
    }

    /// The associations that an operation serves: those that it names, or all of its object.
    pub(super) fn served(
        &mut self,
        name: &str,
        source: &WriteSource,
        object: &ObjectSource,
    ) -> Vec<Arc<str>> {
        let all = object.associations.keys().map(String::as_str);
        if source.step().is_none() {
            if let Some(first) = source.associations.iter().flatten().next() {
                let hint = "leave them out, or say `for: [associate]` or `for: [dissociate]`";
                self.error(first.referenced, format!("`{name}` names associations, and is for none"), hint);
            }
            return Vec::new();
        }
        let Some(named) = &source.associations else { return all.map(Arc::from).collect() };
        for one in named.iter().filter(|one| !object.associations.contains_key(&one.value)) {
            let hint = canonical::suggest::hint(&one.value, all.clone());
            self.error(one.referenced, format!("`{name}`: there is no association `{}`", one.value), hint);
        }
        named.iter().map(|one| Arc::from(one.value.as_str())).collect()
    }

    /// What an operation about associations must say, and what it can't have.
    pub(super) fn check_association(&mut self, name: &str, source: &WriteSource, request: &RequestPlan) {
        let Some(step) = source.step() else { return };
        let at = place(&source.request);
        if source.serves.len() > 1 {
            let hint = "write one operation for each";
            self.error(
                at,
                format!("`{name}` is for more than one thing, of which one is about associations"),
                hint,
            );
        }
        if source.idempotency.value.class() != IdempotencyClass::Upsert {
            self.error(
                source.idempotency.value.class.referenced,
                format!("`{name}` is about associations, and not `upsert`"),
                "it is sent again when its answer is lost: associations can be declared where that changes nothing more",
            );
        }
        let mut names = |of: &Source, slot: &str, what: &str| {
            if !request.mentions(Parts::All, &|one| one == of) {
                self.error(
                    at,
                    format!("`{name}` does not say {what}"),
                    format!("put `{{{slot}}}` into its path or body"),
                );
            }
        };
        let verb = if step == Step::Associate { "is associated" } else { "was associated" };
        names(&Source::Id, "id", "which object it is about");
        names(&Source::Other, "other", &format!("with which other one it {verb}"));
        let answer = &source.answer;
        let alone = [
            ("batch", source.batch.is_some() || source.bulk.is_some()),
            ("probe", source.probe.is_some()),
            ("serial_by", source.serial_by.is_some()),
            ("answer.id", answer.id.is_some()),
            ("answer.order", answer.order.is_some()),
            ("answer.version", answer.version.is_some()),
            ("answer.created", answer.created.is_some()),
        ];
        for (part, _) in alone.into_iter().filter(|(_, has)| *has) {
            let hint = "leave it out: one association goes in a call, and its answer says nothing of the object itself";
            self.error(at, format!("`{name}` is about associations, and has `{part}`"), hint);
        }
    }

    /// Each association is made and taken back by some operation, or only read; and what is made has an id by then.
    pub(super) fn check_associations(&mut self, name: &str, source: &ObjectSource, writes: &[WritePlan]) {
        let mut serving: BTreeMap<(&str, Step), &str> = BTreeMap::new();
        for write in writes {
            let Some(step) = write.serves.iter().find_map(|serves| serves.step()) else { continue };
            for path in &write.associations {
                if let Some(other) = serving.insert((path, step), &write.spec.name) {
                    let what = format!(
                        "objects.{name}: `{other}` and `{}` are both for the association `{path}`",
                        write.spec.name
                    );
                    self.error(write.request.at, what, "leave it to one of them");
                }
            }
        }
        let mut made = None;
        for (path, association) in &source.associations {
            let at = association.to.referenced;
            let has = |step| serving.contains_key(&(path.as_str(), step));
            match (has(Step::Associate), has(Step::Dissociate)) {
                (true, true) if made.is_none() => made = Some((path, at)),
                (true, true) => {}
                (false, false) if association.seen.is_some() => {}
                (is_made, _) => {
                    let lacks = if is_made { "takes it back" } else { "makes it" };
                    let verb = if is_made { "dissociate" } else { "associate" };
                    self.error(
                        at,
                        format!("objects.{name}: nothing {lacks}, the association `{path}`"),
                        format!("add an operation `for: [{verb}]`; or say where it is `seen`, where it is only read"),
                    );
                }
            }
        }
        if let Some((path, at)) = made {
            self.check_made(name, path, at, writes);
        }
    }

    /// Of what is made without an id nothing could be associated: it would be made once more.
    fn check_made(&mut self, name: &str, path: &str, at: Location, writes: &[WritePlan]) {
        let nameless = |write: &&WritePlan| write.serves.contains(&Serves::Create) && !write.spec.names;
        if let Some(write) = writes.iter().find(nameless) {
            self.error(
                at,
                format!(
                    "objects.{name}: `{}` makes it and answers no id, so that `{path}` could not follow",
                    write.spec.name
                ),
                "say where its answer names it (`answer: {id: …}`, in its `batch` too)",
            );
        }
    }
}
