//! What to do about one admitted obligation, judged on the newest version of its record.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use canonical::value::is_empty;
use canonical::{Alive, EntitySchema, ExternalRef, Fields, Object, Record, RecordId, Wall};
use dispatch::Permit;
use ledger::{Lane, Obligation, ObligationKey, OnExit, Reason, Route, RouteKind, Shadow, State, Waiting};
use mapping::Mapping;
use planted::Bug;
use store::{Head, Require, SpokeRow};

use crate::mark::Mark;
use crate::spoke::Spoke;
use crate::spoke::rest::JUDGED_WITHIN;
use crate::spoke::wait::Bringers;
use crate::turn::Turn;

/// What the judgement came to.
#[expect(clippy::large_enum_variant, reason = "one plan at a time, moved once")]
pub(crate) enum Plan {
    /// Nothing to do any more.
    Gone,
    /// An intent that was not known of is open: it is finished first.
    Unfinished(Box<ledger::Intent>),
    /// Its object is read first.
    Reread,
    /// Its object there is gone, and another one was a duplicate beside it: whether that is its own now is judged first.
    Next(Beside),
    /// It rests without a call.
    Rest(Rest),
    /// It is to be written.
    Write(Box<Wanted>),
}

/// Two objects of one record, of which one is gone.
pub(crate) struct Beside {
    /// The one that the record had.
    pub(crate) gone: String,
    /// The other one.
    pub(crate) next: String,
}

/// An obligation that comes to rest, or waits, without a call.
pub(crate) struct Rest {
    pub(crate) state: State,
    pub(crate) reached: bool,
    pub(crate) reason: Option<Reason>,
    pub(crate) waiting: Option<Waiting>,
    pub(crate) require: Vec<Require>,
    /// Something that it waits for is to come sooner: its key, in this lane.
    pub(crate) hasten: Option<(ObligationKey, Lane)>,
    /// The object there is to be read.
    pub(crate) look: Option<ExternalRef>,
    /// This object there is gone, and what was a duplicate beside it is to be judged.
    pub(crate) beside: Option<ExternalRef>,
}

impl Rest {
    /// Where it stands, short of what is wanted, and why: nothing else follows.
    pub(crate) const fn of(state: State, reason: Reason) -> Self {
        let reason = Some(reason);
        Self {
            state,
            reached: false,
            reason,
            waiting: None,
            require: Vec::new(),
            hasten: None,
            look: None,
            beside: None,
        }
    }
}

/// What is to be written.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The manifest's operation; `None`: the connector chooses by whether the object is linked.
    pub(crate) operation: Option<String>,
    /// The exit that it carries out.
    pub(crate) exit: Option<OnExit>,
    /// Upsert key or marker.
    pub(crate) key: String,
    /// The object's id there.
    pub(crate) external_id: Option<String>,
    /// The whole projection.
    pub(crate) whole: Arc<Fields>,
    /// What the target does not certainly have of it.
    pub(crate) difference: Arc<Fields>,
    pub(crate) shadow: Shadow,
    pub(crate) matches: Vec<(String, String)>,
    pub(crate) mapping: (String, u32),
    /// It may be there already although nothing says so.
    pub(crate) look_first: bool,
    /// References follow when what they lead to is linked there, or associations when the object is there.
    pub(crate) lacking: bool,
    /// The one association that it is about; `None`: it writes fields.
    pub(crate) association: Option<Box<ledger::Association>>,
}

pub(crate) fn reason(class: &str, message: impl Into<String>) -> Reason {
    Reason { class: class.to_owned(), message: message.into(), ..Reason::default() }
}

fn rest(state: State, reached: bool, reason: Reason) -> Plan {
    Plan::Rest(Rest { reached, ..Rest::of(state, reason) })
}

/// What a person ordered to be said at this level, in place of what the record says (I5).
fn amend(fields: &mut canonical::Fields, shadow: &Shadow, obligation: &Obligation) {
    if let Some(values) = shadow.ordered(obligation) {
        fields.extend(values.clone());
    }
}

fn skip(class: &str, message: impl Into<String>) -> Plan {
    rest(State::Skipped, true, reason(class, message))
}

impl Spoke {
    /// Judges one row and does what follows.
    pub(crate) fn plan(&mut self, head: Head, permit: Permit, row: SpokeRow, turn: &mut Turn<'_>) {
        let Some(obligation) = row.obligation.clone() else {
            self.unused(permit, turn);
            return self.settled(head, None, turn.now);
        };
        // An operator's word may have come while it was looked up.
        if self.holds_back(&head, turn.now.wall) {
            self.unused(permit, turn);
            self.active.remove(&head.key);
            self.raised_again.remove(&head.key);
            return;
        }
        match self.judge(&obligation, row, turn.now.wall) {
            Plan::Gone => {
                self.unused(permit, turn);
                self.settled(head, None, turn.now);
            }
            Plan::Unfinished(intent) => {
                // Known to the store and not to memory: it waits for what `recovered` or a person decides.
                self.unused(permit, turn);
                let why =
                    reason("uncertain", format!("intent {} is still in doubt: see the delivery", intent.id));
                let known = self.doubts.contains_key(&intent.id);
                let state = if known { State::Retrying } else { State::Uncertain };
                let due = known.then(|| turn.now.wall + Duration::from_secs(1));
                self.come_to_rest(
                    head,
                    &obligation,
                    Rest { waiting: super::wait::still(&obligation), ..Rest::of(state, why) },
                    due,
                    turn,
                );
            }
            Plan::Reread => {
                self.unused(permit, turn);
                self.reread(head, &obligation, turn);
            }
            Plan::Next(beside) => {
                self.unused(permit, turn);
                let rest = self.judged_first(&obligation, beside);
                self.come_to_rest(head, &obligation, rest, Some(turn.now.wall + JUDGED_WITHIN), turn);
            }
            Plan::Rest(resting) => {
                self.unused(permit, turn);
                if let (State::Uncertain, Some(why)) = (resting.state, &resting.reason) {
                    let message = why.message.clone();
                    turn.note(Mark::NeedsPerson { system: self.system.clone(), message });
                }
                self.come_to_rest(head, &obligation, resting, None, turn);
            }
            Plan::Write(wanted) => match self.version_first(&obligation, &wanted) {
                Some((resting, wait)) => {
                    self.unused(permit, turn);
                    let due = Some(turn.now.wall + wait);
                    self.come_to_rest(head, &obligation, resting, due, turn);
                }
                None => self.plan_write(head, permit, obligation, *wanted, turn),
            },
        }
    }

    pub(super) fn judge(&self, obligation: &Obligation, row: SpokeRow, now: Wall) -> Plan {
        if !obligation.state.is_open() || obligation.waiting == Some(Waiting::Operator) {
            return Plan::Gone;
        }
        if let Some(intent) = row.intent {
            return Plan::Unfinished(Box::new(intent));
        }
        let Some(route) = self.config.route(&obligation.key.route) else {
            return skip("no_route", "the configuration no longer has its route");
        };
        let Some(mapping) = self.mapping_for(route, &row) else {
            return skip("no_mapping", "the configuration no longer has its mapping");
        };
        let Some(schema) = self.config.entities.get(&route.entity) else {
            return skip("no_entity", "the configuration no longer has its entity");
        };
        // Its own state is nobody's any more. What happened to it is told all the same.
        if let (RouteKind::Sync, Some(survivor)) = (route.kind, &row.record)
            && survivor.id != obligation.record
        {
            let why = format!("the record was merged into {}: that one is delivered", survivor.id);
            return rest(State::Superseded, false, reason("merged", why));
        }
        if let Some(first) = self.after_restore(obligation, route, mapping, &row) {
            return first;
        }
        let Some(record) = row.record else {
            return skip("erased", "the record is gone");
        };
        let gone = row.shadow.as_ref().and_then(|shadow| shadow.external_id.clone());
        let beside = gone.zip(row.next).map(|(gone, next)| Beside { gone, next });
        let link = row.link.as_deref();
        let shadow = self.fitting_shadow(obligation.record, &obligation.object, row.shadow, |shadow| {
            shadow.external_id.as_deref() == link
        });
        let look_first = self.looks_after_restore(&record, Some(&shadow));
        let shadow = self.as_far_as_known(shadow);
        let links = |_: &canonical::Entity, object: &canonical::Object, id: &canonical::RecordId| {
            row.links.get(&(*id, object.clone())).cloned()
        };
        match route.kind {
            RouteKind::Notify => {
                let Some(fact) = row.fact else { return skip("erased", "the event is gone") };
                let mut fields = record.fields.clone();
                fields.extend(fact.data.clone());
                let projection = match mapping.project(&fields, &links) {
                    Ok(projection) => projection,
                    Err(error) => return self.unfit(&error, mapping),
                };
                if let Some(missing) = projection.missing.first() {
                    return self.wait_for(missing, &row.bringers, mapping, now, obligation);
                }
                if let Some(operation) = &route.operation
                    && row.link.is_none()
                    && self.connector.operation(operation, &route.object).is_some_and(|spec| spec.linked)
                {
                    return self.wait_for_itself(record.id, &row.bringers, mapping, now, obligation);
                }
                if let Some(once) = self.said_once(obligation, route) {
                    return once;
                }
                let mut projection = projection;
                amend(&mut projection.fields, &shadow, obligation);
                let whole = Arc::new(projection.fields);
                Plan::Write(Box::new(Wanted {
                    operation: route.operation.clone(),
                    exit: None,
                    key: fact.id.to_string(),
                    external_id: row.link,
                    difference: Arc::clone(&whole),
                    whole,
                    shadow,
                    matches: Vec::new(),
                    mapping: (mapping.id().to_owned(), mapping.version()),
                    look_first: self.looks_for_event(&fact),
                    lacking: false,
                    association: None,
                }))
            }
            RouteKind::Sync => self.judge_sync(
                obligation,
                route,
                mapping,
                schema,
                &record,
                shadow,
                row.link,
                &links,
                &row.bringers,
                beside,
                now,
                look_first,
            ),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different fact about the delivery")]
    fn judge_sync(
        &self,
        obligation: &Obligation,
        route: &Route,
        mapping: &Mapping,
        schema: &EntitySchema,
        record: &Record,
        shadow: Shadow,
        link: Option<String>,
        links: &dyn Fn(&canonical::Entity, &canonical::Object, &canonical::RecordId) -> Option<String>,
        bringers: &Bringers,
        beside: Option<Beside>,
        now: Wall,
        look_first: bool,
    ) -> Plan {
        // What is made now would be a third one.
        if let Some(second) =
            record.second_objects(&self.system, &obligation.object).next().filter(|_| link.is_none())
        {
            let text = format!(
                "its object there is gone, and {second} is a second one of it that came with a merged record: link that one \
                 (concord record unlink, concord record link), or delete it there, then retry"
            );
            return rest(State::Dead, false, self.failure("duplicate_there", text, mapping));
        }
        if matches!(&record.alive, Alive::Deleted { by, .. } if *by == self.system) {
            return skip("outside", "it was deleted there");
        }
        let stands = record.alive == Alive::Live;
        let passes = stands && route.filter.iter().all(|condition| condition.holds(&record.fields));
        if !passes {
            return self.leaves(route, record, shadow, link, mapping, stands);
        }
        let lacking =
            schema.required.iter().find(|field| record.fields.get(field.as_str()).is_none_or(is_empty));
        if let Some(field) = lacking {
            return skip("incomplete", format!("the record has no {field} yet, which its schema requires"));
        }
        if let Some(beside) = beside.filter(|_| link.is_none() && !planted::is(Bug::TwinIsForgotten)) {
            return Plan::Next(beside);
        }
        let mut projection = match mapping.project(&record.said_to(&self.system, schema), links) {
            Ok(projection) => projection,
            Err(error) => return self.unfit(&error, mapping),
        };
        let all_again = self.says_all_again(obligation, &shadow);
        // What is said all over again is said once: then it waits for them, too.
        let patient = link.is_none() || !all_again;
        if let Some(missing) = projection.missing.iter().find(|missing| !missing.late || !patient) {
            return self.wait_for(missing, bringers, mapping, now, obligation);
        }
        let late = std::mem::take(&mut projection.missing);
        mapping.keep_seen(&mut projection, &shadow.fields);
        amend(&mut projection.fields, &shadow, obligation);
        let relations = self.take_relations(&obligation.object, &mut projection.fields);
        // A replay says all of it, whatever is known to be there.
        let mut difference = if all_again {
            projection.fields.clone()
        } else {
            shadow.difference(&projection.fields, &BTreeSet::new())
        };
        // No write carries a field to its owner (I5): there the owner's value stands. Nor does one touch what is not
        // settled there.
        let mut own = BTreeSet::new();
        if link.is_some() || !relations.is_empty() {
            own.extend(self.own_paths(mapping, schema, Some(record)));
            own.extend(self.held_paths(mapping, record));
            own.extend(late.iter().map(|missing| missing.path.as_str()));
        }
        let steps = Self::steps(&relations, &shadow, &own, all_again);
        if link.is_some() {
            difference.retain(|path, _| !own.contains(path.as_str()));
            if difference.is_empty() && steps.is_empty() {
                return match late.first() {
                    Some(missing) => self.wait_for(missing, bringers, mapping, now, obligation),
                    None => self.nothing_to_say(record, schema, mapping, link),
                };
            }
            let plain = |path: &&&str| self.connector.association(&obligation.object, path).is_none();
            for path in own.iter().filter(plain) {
                match shadow.fields.get(*path) {
                    Some(value) => projection.fields.insert((*path).to_owned(), value.clone()),
                    None => projection.fields.remove(*path),
                };
            }
        }
        let follows = steps.len() + late.len();
        let apart = link.is_some() && difference.is_empty();
        let wanted = Wanted {
            operation: None,
            exit: None,
            key: record.id.to_string(),
            external_id: link,
            difference: Arc::new(difference),
            whole: Arc::new(projection.fields),
            shadow,
            matches: intake::match_values(schema, &record.fields),
            mapping: (mapping.id().to_owned(), mapping.version()),
            look_first,
            lacking: follows > usize::from(apart),
            association: None,
        };
        Plan::Write(Box::new(match steps.into_iter().next().filter(|_| apart) {
            Some(first) => self.apart(wanted, first),
            None => wanted,
        }))
    }

    /// An event that was delivered goes again only where the target can tell that it is the same, or where a second
    /// effect was asked for (I3, I16).
    fn said_once(&self, obligation: &Obligation, route: &Route) -> Option<Plan> {
        let delivered = obligation.reached.version >= obligation.wanted.version;
        if !delivered || obligation.aside.anew > obligation.reached.generation {
            return None;
        }
        let operation = route.operation.as_deref();
        let spec = operation.and_then(|name| self.connector.operation(name, &route.object));
        if spec.is_some_and(crate::jobs::repeats) {
            return None;
        }
        let why =
            "it was delivered, and the target could not tell a second one from it: ask for a new intent";
        Some(skip("delivered_once", why))
    }

    /// The mapping that renders a row: an event's is of the version that it was raised for.
    pub(crate) fn mapping_for(&self, route: &Route, row: &SpokeRow) -> Option<&Arc<Mapping>> {
        let version = row.fact.as_ref().and_then(|fact| fact.mappings.get(&route.id)).copied();
        self.config.mapping_told(route, version)
    }

    /// A shadow that knows nothing yet.
    pub(crate) fn blank(&self, record: RecordId, object: &Object) -> Shadow {
        Shadow::blank(self.config.tenant.clone(), record, self.system.clone(), object.clone())
    }

    /// The shadow, where it fits; else a blank one: of a shadow of another object, or of one that is no longer linked,
    /// nothing holds but its revision, and what persons ordered.
    pub(crate) fn fitting_shadow(
        &self,
        record: RecordId,
        object: &Object,
        shadow: Option<Shadow>,
        fits: impl FnOnce(&Shadow) -> bool,
    ) -> Shadow {
        match shadow {
            Some(shadow) if fits(&shadow) => shadow,
            other => {
                let (revision, edits) =
                    other.map(|shadow| (shadow.revision, shadow.edits)).unwrap_or_default();
                Shadow { revision, edits, ..self.blank(record, object) }
            }
        }
    }

    /// A record that the mapping can't bring over.
    fn unfit(&self, error: &mapping::ProjectError, mapping: &Mapping) -> Plan {
        rest(State::Dead, false, self.failure("misfit", error.to_string(), mapping))
    }

    pub(crate) fn failure(&self, class: &str, message: String, mapping: &Mapping) -> Reason {
        let refusal = ledger::Refusal { message, ..ledger::Refusal::default() };
        let fingerprint = ledger::fingerprint(&self.system, class, &refusal, mapping.id(), mapping.version());
        Reason { class: class.to_owned(), message: refusal.message, fingerprint, ..Reason::default() }
    }

    /// A record that left the filter, or is deleted.
    fn leaves(
        &self,
        route: &Route,
        record: &Record,
        shadow: Shadow,
        link: Option<String>,
        mapping: &Mapping,
        stands: bool,
    ) -> Plan {
        let exit = route.exit(stands);
        let why = if stands { "the record is outside the route's filter" } else { "the record is deleted" };
        let (Some(external_id), Some(operation)) = (link, exit.operation()) else {
            return skip("outside", why);
        };
        let mut whole = shadow.fields.clone();
        let _relations = self.take_relations(mapping.object(), &mut whole);
        Plan::Write(Box::new(Wanted {
            operation: Some(operation.to_owned()),
            exit: Some(exit),
            key: record.id.to_string(),
            external_id: Some(external_id),
            difference: Arc::default(),
            whole: Arc::new(whole),
            shadow,
            matches: Vec::new(),
            mapping: (mapping.id().to_owned(), mapping.version()),
            look_first: false,
            lacking: false,
            association: None,
        }))
    }
}
