//! Two systems say different things about one field: who counts, by the field's policy; and what is not settled.

use std::cmp::Ordering;
use std::time::Duration;

use canonical::value::{decimal_of, is_empty};
use canonical::{
    Alive, Field, FieldSpec, FieldType, OnConflict, Open, OpenKind, Provenance, Record, RecordId, System,
    Wall,
};
use serde_json::Value;

use crate::decide::{changed, decision, show};
use crate::raise;
use crate::verdict::{Accepted, Context, Decision, DecisionKind, Incoming};
use crate::view::View;

/// Counter-writes are counted over this window.
const COUNTER_WRITE_WINDOW: Duration = Duration::from_secs(3600);

/// What becomes of a value.
#[derive(Debug, PartialEq)]
pub(crate) enum Judgement {
    /// The record takes this.
    Take(Value),
    /// The record stays as it is.
    Leave,
}

/// A message's word on one field of a record: nobody's echo, and not what the record has.
pub(crate) struct Word<'a> {
    pub(crate) context: Context<'a>,
    pub(crate) incoming: &'a Incoming,
    pub(crate) field: &'a Field,
    pub(crate) spec: &'a FieldSpec,
    pub(crate) value: &'a Value,
}

impl Word<'_> {
    fn source(&self) -> &System {
        &self.incoming.about.system
    }

    /// By the field's policy, what becomes of it. The record's own value is not empty.
    pub(crate) fn judge(&self, record: &mut Record, accepted: &mut Accepted) -> Judgement {
        let owner = self.spec.owner_in(&record.fields).cloned();
        match (self.spec.on_conflict, owner) {
            (OnConflict::Latest, owner) => self.latest(record, owner.as_ref(), accepted),
            (OnConflict::Min | OnConflict::Max | OnConflict::Union, _) => self.brought(record, accepted),
            (_, None) => Judgement::Take(self.value.clone()),
            (OnConflict::Propose, Some(owner)) => self.propose(record, &owner, accepted),
            (OnConflict::Revert, Some(owner)) => self.revert(record, &owner, accepted),
            (OnConflict::Reject, Some(owner)) => {
                let rule = format!("{owner} owns {}: on_conflict reject", self.field);
                self.record(record, DecisionKind::Rejected, rule, accepted);
                Judgement::Leave
            }
        }
    }

    fn record(&self, record: &Record, kind: DecisionKind, rule: String, accepted: &mut Accepted) {
        accepted.decisions.push(Decision {
            tenant: self.context.tenant.clone(),
            record: record.id,
            field: Some(self.field.clone()),
            system: self.source().clone(),
            kind,
            version: record.version,
            rule,
            at: self.context.now,
        });
    }

    fn revert(&self, record: &mut Record, owner: &System, accepted: &mut Accepted) -> Judgement {
        let field = self.field;
        if !raise::reaches(self.context, self.incoming) {
            let rule = format!(
                "{owner} owns {field}: on_conflict revert, but no route writes {} there",
                self.incoming.about.object
            );
            self.record(record, DecisionKind::Rejected, rule, accepted);
        } else if self.writes_back(record, accepted) {
            let rule = format!("{owner} owns {field}: on_conflict revert");
            self.record(record, DecisionKind::Reverted, rule, accepted);
        }
        Judgement::Leave
    }

    /// Whether the record's value may be written over this one. It may not too often: then what stands there is left
    /// alone until somebody has looked who keeps changing it.
    fn writes_back(&self, record: &mut Record, accepted: &mut Accepted) -> bool {
        let (field, source) = (self.field, self.source());
        let frozen = |open: &&mut Open| open.kind == OpenKind::Frozen && open.system == *source;
        if let Some(open) = record.open.get_mut(field).filter(frozen) {
            open.value = self.value.clone();
            let rule = format!("{field} is frozen in {source}: settle it");
            self.record(record, DecisionKind::Rejected, rule, accepted);
            return false;
        }
        if may_counter_write(self.context, record, field) {
            return true;
        }
        let rule = format!(
            "{} counter-writes of {field} within the hour: it stays as {source} has it until somebody looks who keeps \
             changing it there, and settles it",
            self.context.schema.counter_writes_max
        );
        self.open(record, OpenKind::Frozen, rule, accepted);
        false
    }

    /// Opens an item. One about another system's word on the field stays: until it is settled this word is refused. A
    /// proposal makes way, and its proposer is told what counts.
    fn open(&self, record: &mut Record, kind: OpenKind, rule: String, accepted: &mut Accepted) {
        let others = |open: &&Open| open.system != *self.source();
        if let Some(former) = record.open.get(self.field).filter(others).cloned() {
            if former.kind != OpenKind::Proposed {
                let rule = format!("{}'s word on {} is open: settle it", former.system, self.field);
                return self.record(record, DecisionKind::Rejected, rule, accepted);
            }
            let rule = format!("{} proposes after {}", self.source(), former.system);
            self.record(record, DecisionKind::Declined, rule, accepted);
            accepted.tell.insert(former.system);
        }
        let (system, value) = (self.source().clone(), self.value.clone());
        let open = Open { kind, system, value, since: self.context.now };
        record.open.insert(self.field.clone(), open);
        let kind = match kind {
            OpenKind::Frozen => DecisionKind::Frozen,
            OpenKind::Proposed => DecisionKind::Proposed,
            OpenKind::Conflict => DecisionKind::Conflict,
        };
        self.record(record, kind, rule, accepted);
    }

    /// The owner is told; its answer counts.
    fn propose(&self, record: &mut Record, owner: &System, accepted: &mut Accepted) -> Judgement {
        let (field, source) = (self.field, self.source());
        let same = |open: &Open| {
            open.kind == OpenKind::Proposed && open.system == *source && open.value == *self.value
        };
        if record.open.get(field).is_some_and(same) {
            return Judgement::Leave;
        }
        if !raise::leads_to(self.context, owner, record) {
            let rule = format!("{owner} owns {field}: on_conflict propose, but no route leads to {owner}");
            self.record(record, DecisionKind::Rejected, rule, accepted);
        } else if self.writes_back(record, accepted) {
            let rule = format!("{owner} owns {field}: {source} proposes another value");
            self.open(record, OpenKind::Proposed, rule, accepted);
            let opened = record.open.get(field).is_some_and(|open| open.system == *source);
            accepted.tell.extend(opened.then(|| owner.clone()));
        }
        Judgement::Leave
    }

    /// The smaller, the greater, or both: whatever the order in which they come.
    fn brought(&self, record: &mut Record, accepted: &mut Accepted) -> Judgement {
        let known = record.fields.get(self.field.as_str()).cloned().unwrap_or_default();
        let Some(outcome) = bring(self.spec, &known, self.value) else { return Judgement::Leave };
        // Who says less than the outcome is told of it.
        if outcome != *self.value && self.writes_back(record, accepted) {
            accepted.untold = true;
        }
        let rule = format!("on_conflict {}", self.spec.on_conflict.name());
        self.record(record, DecisionKind::Merged, rule, accepted);
        if outcome == known { Judgement::Leave } else { Judgement::Take(outcome) }
    }

    /// What changed last counts.
    fn latest(&self, record: &mut Record, owner: Option<&System>, accepted: &mut Accepted) -> Judgement {
        let (field, source) = (self.field, self.source());
        let there = record.provenance.get(field).cloned();
        // Of one system's own states its order tells.
        if there.as_ref().is_some_and(|there| there.system == *source) {
            return Judgement::Take(self.value.clone());
        }
        match self.later(there.as_ref(), owner) {
            Later::This(rule) => {
                self.record(record, DecisionKind::Merged, rule, accepted);
                Judgement::Take(self.value.clone())
            }
            Later::That(rule) => {
                // It can be told after all.
                let told = |open: &Open| open.kind == OpenKind::Conflict && open.system == *source;
                if record.open.get(field).is_some_and(told) {
                    record.open.remove(field);
                }
                if self.writes_back(record, accepted) {
                    self.record(record, DecisionKind::Stale, rule, accepted);
                    accepted.untold = true;
                }
                Judgement::Leave
            }
            Later::Unclear(why) => {
                let same = |open: &Open| {
                    open.kind == OpenKind::Conflict && open.system == *source && open.value == *self.value
                };
                if !record.open.get(field).is_some_and(same) {
                    self.open(record, OpenKind::Conflict, why, accepted);
                }
                Judgement::Leave
            }
        }
    }

    fn later(&self, there: Option<&Provenance>, owner: Option<&System>) -> Later {
        let (field, source, skew) = (self.field, self.source(), self.context.schema.clock_skew);
        let Some(there) = there else {
            return Later::This("on_conflict latest: nobody is known to have said another value".to_owned());
        };
        let other = &there.system;
        let (Some(this), Some(that)) = (self.incoming.changed_at, there.changed) else {
            let silent = if self.incoming.changed_at.is_none() { source } else { other };
            return Later::Unclear(format!(
                "on_conflict latest: {silent} does not say when {field} changed there: settle it"
            ));
        };
        let ahead = [(source, this), (other, that)].into_iter().find(|(_, at)| *at > self.context.now + skew);
        if let Some((ahead, _)) = ahead {
            return Later::Unclear(format!(
                "on_conflict latest: {ahead} says that it changed in the future: set its clock, then settle it"
            ));
        }
        if this > that + skew {
            return Later::This(format!("on_conflict latest: changed after {other}'s"));
        }
        if that > this + skew {
            return Later::That(format!("on_conflict latest: {other}'s changed after it"));
        }
        let ranked = owner.into_iter().chain(&self.spec.prefer);
        match ranked.into_iter().find(|system| *system == source || *system == other) {
            Some(first) if first == source => {
                Later::This(format!("on_conflict latest: within the clocks' skew, {source} before {other}"))
            }
            Some(_) => {
                Later::That(format!("on_conflict latest: within the clocks' skew, {other} before {source}"))
            }
            None => Later::That(format!("on_conflict latest: within the clocks' skew, {other} was first")),
        }
    }
}

/// Which of two values changed later, and by which rule.
enum Later {
    This(String),
    That(String),
    Unclear(String),
}

/// What two values come to. `None` where they cannot be brought together.
pub(crate) fn bring(spec: &FieldSpec, known: &Value, said: &Value) -> Option<Value> {
    if is_empty(said) {
        return Some(known.clone());
    }
    match spec.on_conflict {
        OnConflict::Union => {
            let (Value::Array(known), Value::Array(said)) = (known, said) else { return None };
            let both = Value::Array(known.iter().chain(said).cloned().collect());
            canonical::value::normal(&spec.kind, both).ok()
        }
        policy => {
            let order = compare(&spec.kind, known, said)?;
            let takes = if policy == OnConflict::Min { Ordering::Greater } else { Ordering::Less };
            Some(if order == takes { said.clone() } else { known.clone() })
        }
    }
}

/// How two values of a type stand to each other. `None` for types without an order.
#[must_use]
pub fn compare(kind: &FieldType, one: &Value, other: &Value) -> Option<Ordering> {
    match kind {
        FieldType::Integer => Some(one.as_i64()?.cmp(&other.as_i64()?)),
        FieldType::Decimal => Some(decimal_of(one)?.cmp(&decimal_of(other)?)),
        FieldType::Date => Some(one.as_str()?.cmp(other.as_str()?)),
        FieldType::Time => {
            Some(Wall::from_rfc3339(one.as_str()?)?.cmp(&Wall::from_rfc3339(other.as_str()?)?))
        }
        _ => None,
    }
}

/// Automatic counter-writes are bounded per record, field and window.
fn may_counter_write(context: Context<'_>, record: &mut Record, field: &Field) -> bool {
    let (since, count) = record.counter_writes.entry(field.clone()).or_insert((context.now, 0));
    if context.now.since(*since) > COUNTER_WRITE_WINDOW {
        (*since, *count) = (context.now, 0);
    }
    if *count >= context.schema.counter_writes_max {
        return false;
    }
    *count += 1;
    true
}

/// A system says what the record has: what was open about it there is no more. `superseded`: it may be how it stood before
/// our own last write there.
pub(crate) fn agrees(word: &Word<'_>, superseded: bool, record: &mut Record, accepted: &mut Accepted) {
    let Some(open) = record.open.get(word.field) else { return };
    if open.system == *word.source() {
        let rule = format!("{} has the record's value again", open.system);
        record.open.remove(word.field);
        word.record(record, DecisionKind::Settled, rule, accepted);
        return;
    }
    // It was told what another proposes, had it, and has its own again.
    let owner = word.spec.owner_in(&record.fields) == Some(word.source());
    let had_it = word.incoming.known.get(word.field.as_str()) == Some(&open.value);
    if open.kind == OpenKind::Proposed && owner && had_it && !superseded {
        decline(word, record, accepted);
    }
}

fn decline(word: &Word<'_>, record: &mut Record, accepted: &mut Accepted) {
    let Some(open) = record.open.remove(word.field) else { return };
    let rule = format!("{} does not take what {} proposes", word.source(), open.system);
    word.record(record, DecisionKind::Declined, rule, accepted);
    accepted.tell.insert(open.system);
}

/// The record takes a value: what was open about the field is answered by it.
pub(crate) fn answered(word: &Word<'_>, value: &Value, record: &mut Record, accepted: &mut Accepted) {
    let Some(open) = record.open.get(word.field) else { return };
    match open.kind {
        OpenKind::Proposed if open.value == *value => {
            let rule = format!("{} takes what {} proposes", word.source(), open.system);
            record.open.remove(word.field);
            word.record(record, DecisionKind::Accepted, rule, accepted);
        }
        OpenKind::Proposed => decline(word, record, accepted),
        OpenKind::Conflict => {
            record.open.remove(word.field);
            let rule = "somebody said it anew".to_owned();
            word.record(record, DecisionKind::Settled, rule, accepted);
        }
        // Whoever keeps changing it there may still do so.
        OpenKind::Frozen if open.value != *value => {}
        OpenKind::Frozen => {
            record.open.remove(word.field);
            let rule = "both have the same now".to_owned();
            word.record(record, DecisionKind::Settled, rule, accepted);
        }
    }
}

/// What a person takes for right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Choice {
    /// What the record has.
    Record,
    /// What the system says that says otherwise.
    Other,
}

/// A person settles what is open about a field. Gives what is to be written, or why it cannot be.
///
/// What the other system says becomes the record's as if somebody had said it: it makes events, moves match keys, and is told
/// to all. Where another system owns the field, it is proposed to that one, whose word is the answer.
///
/// # Errors
/// When nothing is open about it, or it cannot be so.
pub fn settle(
    context: Context<'_>,
    view: &mut View,
    record: RecordId,
    field: &Field,
    choice: &Choice,
    why: &str,
    trace: &str,
) -> Result<Accepted, String> {
    let known = view.records.get(&record).cloned().ok_or_else(|| "there is no such record".to_owned())?;
    let accepted = settled(context, &known, field, choice, why, trace)?;
    show(view, &accepted);
    Ok(accepted)
}

fn settled(
    context: Context<'_>,
    before: &Record,
    field: &Field,
    choice: &Choice,
    why: &str,
    trace: &str,
) -> Result<Accepted, String> {
    if before.alive != Alive::Live {
        return Err("the record does not live any more: there is nothing to settle".to_owned());
    }
    let mut record = before.clone();
    let Some(open) = record.open.remove(field) else {
        return Err(format!("nothing is open about {field}: see concord record explain {}", record.id));
    };
    record.counter_writes.remove(field);
    let mut accepted = Accepted { about: Some(record.id), ..Accepted::default() };
    let spec = context.schema.fields.get(field);
    let owner = spec.filter(|spec| !spec.on_conflict.merges()).and_then(|spec| spec.owner_in(&record.fields));
    let owner = owner.filter(|owner| **owner != open.system).cloned();
    let incoming = Incoming::of_person(&open.system, field, context.now, trace);
    let rule = match (choice, &owner) {
        (Choice::Record, _) => format!("the record's value: {why}"),
        (Choice::Other, None) => format!("{}'s value: {why}", open.system),
        (Choice::Other, Some(owner)) if open.kind == OpenKind::Proposed => {
            return Err(format!(
                "{owner} owns {field} and has been told: correct it there, or take the record's"
            ));
        }
        (Choice::Other, Some(owner)) if !raise::leads_to(context, owner, &record) => {
            return Err(format!("{owner} owns {field}, and no route leads there: correct it in {owner}"));
        }
        (Choice::Other, Some(owner)) => format!("{}'s value is proposed to {owner}: {why}", open.system),
    };
    let settled = decision(context, &incoming, &record, DecisionKind::Settled, &rule);
    accepted.decisions.push(Decision { field: Some(field.clone()), ..settled });
    match (choice, owner) {
        (Choice::Record, _) => drop(accepted.tell.insert(open.system)),
        (Choice::Other, Some(owner)) => {
            let proposed = Open { kind: OpenKind::Proposed, since: context.now, ..open };
            record.open.insert(field.clone(), proposed);
            accepted.tell.insert(owner);
        }
        (Choice::Other, None) => {
            record.fields.insert(field.as_str().to_owned(), open.value);
            let from = Provenance {
                system: open.system,
                event: context.event,
                at: context.now,
                mapping: record.provenance.get(field).map_or(0, |from| from.mapping),
                changed: Some(context.now),
            };
            record.provenance.insert(field.clone(), from);
            changed(context, &incoming, Some(before), record, &mut accepted);
            return Ok(accepted);
        }
    }
    let version = record.version;
    raise::tell(context, &incoming, &record, &mut accepted);
    accepted.record = Some((record, version));
    Ok(accepted)
}
