//! Records that are merged, or split again: a plan shows what it would do, its job does it in one unit with its own row.
//!
//! What is on its way about either of the two is waited for. What else moves meanwhile is looked at anew by the same rules: the
//! plan was refused if either record had moved before it was applied.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use canonical::{EventId, Field, JobId, RecordId, System};
use intake::{Context, Reshaped, Whole};
use ledger::{Action, Job, JobState, Reshape, Route, Scope, Shown, Side, State, Unfit};
use store::{Fetch, Op, Query, Require};

use super::draft::{Draft, started};
use super::{Await, Jobs, Known, refuse};
use crate::intake::told_by;
use crate::mark::Mark;
use crate::turn::{Effect, MachineId, Notice, Ticket, Turn};

/// How soon it is looked again whether what is on its way has arrived.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How soon it is decided anew where something moved: at first, and at most.
const DECIDE_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

impl Jobs {
    pub(super) fn plan_reshape(
        &mut self,
        outside: Ticket,
        action: Action,
        (keep, gone): (RecordId, RecordId),
        prefer: BTreeMap<Field, Side>,
        by: String,
        turn: &mut Turn<'_>,
    ) {
        if !action.reshapes() {
            return refuse(outside, "only a merge or a split is about two records", turn);
        }
        self.drop_old(turn);
        let scope = Scope { record: Some(gone), ..Scope::default() };
        let mut job = self.blank(action, scope, by, turn);
        let (versions, shown) = ((0, 0), Shown::default());
        job.reshape = Some(Box::new(Reshape { keep, gone, prefer, versions, shown, waits: None }));
        self.draft(Draft::plan(outside, job), turn);
    }

    /// Asks for the two records of a draft.
    pub(super) fn look_at_both(&mut self, draft: Draft, turn: &mut Turn<'_>) {
        let Some(reshape) = &draft.job.reshape else {
            return refuse(draft.outside, "the plan names no records: make a new one", turn);
        };
        let (tenant, records) = (draft.job.tenant.clone(), vec![reshape.keep, reshape.gone]);
        self.ask(Query::Whole { tenant, records }, Await::Look(Box::new(draft)), turn);
    }

    /// The records of a draft, as they stand.
    pub(super) fn seen(&mut self, draft: Draft, both: Vec<Option<Whole>>, turn: &mut Turn<'_>) {
        let Draft { outside, mut job, apply, .. } = draft;
        if self.draining {
            return refuse(outside, "the hub is stopping: order it again when it is back", turn);
        }
        let why = format!("{}: a plan", job.planned_by);
        let (both, reshaped) = match self.judge(&job, both, &why, turn) {
            Ok(judged) => judged,
            Err(why) => return refuse(outside, &why, turn),
        };
        let versions = (both.0.record.version, both.1.record.version);
        let Some((pace, reason)) = apply else {
            job.kept.total = 1;
            job.scope.entity = Some(both.0.record.entity.clone());
            if let Some(reshape) = &mut job.reshape {
                reshape.versions = versions;
                reshape.shown = reshaped.shown;
            }
            self.known.insert(job.id, Known::new(job.clone(), turn.now.mono, true));
            let unit = store::Unit { require: Vec::new(), ops: vec![Op::PutJob(job.clone())] };
            return self.commit(unit, Await::Planned(outside, job.id), turn);
        };
        // It may have been applied, or cancelled, while they were looked at.
        let Some(known) = self.known.get_mut(&job.id) else {
            return refuse(outside, "the plan is gone: make a new one", turn);
        };
        if known.busy {
            return refuse(outside, "something else is being ordered of it: look at it again", turn);
        }
        let fits =
            known.job.may_start(&self.config.digest, turn.now.wall).and_then(|()| still(&job, versions));
        if let Err(unfit) = fits {
            return refuse(outside, &unfit.to_string(), turn);
        }
        known.busy = true;
        known.due = turn.now.mono;
        let mut job = known.job.clone();
        started(&mut job, pace, &reason, turn.now.wall);
        self.keep(job, Vec::new(), Some(outside), turn);
    }

    /// What it comes to now. Both records, the one that stays first.
    fn judge(
        &self,
        job: &Job,
        both: Vec<Option<Whole>>,
        why: &str,
        turn: &mut Turn<'_>,
    ) -> Result<((Whole, Whole), Reshaped), String> {
        let Some(reshape) = &job.reshape else { return Err("it names no records".to_owned()) };
        let mut both = both.into_iter();
        let mut next = |id: RecordId| {
            let mut whole = both.next().flatten().ok_or_else(|| format!("there is no record {id}"))?;
            crate::versions::read(&self.config, &mut whole.record);
            Ok::<_, String>(whole)
        };
        let (keep, gone) = (next(reshape.keep)?, next(reshape.gone)?);
        let entity = &keep.record.entity;
        let Some(schema) = self.config.entities.get(entity) else {
            return Err(format!("the configuration no longer has {entity}"));
        };
        let routes: Vec<&Route> = self.config.routes_of(entity).iter().map(|route| &**route).collect();
        let now = turn.now.wall;
        let context = Context {
            tenant: &self.config.tenant,
            schema,
            routes: &routes,
            now,
            event: EventId::from_parts(now, turn.wide_entropy()),
            fresh: RecordId::from_parts(now, turn.wide_entropy()),
            restored_at: None,
        };
        let trace = format!("{:032x}", turn.wide_entropy());
        let (there, other) = (self.there(&keep), self.there(&gone));
        let order = intake::Order {
            keep: &keep,
            gone: &gone,
            there: [&there, &other],
            prefer: &reshape.prefer,
            job: job.id,
            why,
            trace: &trace,
        };
        let carried = |route: &Route, record: &canonical::Record| self.carried(schema, route, record);
        let reshaped = match job.action {
            Action::Split => intake::split(context, order, &carried)?,
            _ => intake::merge(context, order, &carried)?,
        };
        Ok(((keep, gone), reshaped))
    }

    /// What a record's objects are known to have.
    fn there(&self, whole: &Whole) -> intake::There {
        let mut out = intake::There::new();
        for shadow in &whole.shadows {
            let is_own =
                |link: &&intake::Link| link.system == shadow.system && shadow.is_of(&link.external_id);
            let Some((mapping, _)) = self.config.inbound(&shadow.system, &shadow.object) else { continue };
            if !whole.links.iter().any(|link| is_own(&link)) {
                continue;
            }
            let mut memory = shadow.fields.clone();
            memory.retain(|path, _| !shadow.unknown.contains(path));
            out.entry(shadow.system.clone()).or_default().extend(mapping.recall(&memory));
        }
        out
    }

    /// What a route writes of a record: what its mapping carries there, without what its target owns.
    fn carried(
        &self,
        schema: &canonical::EntitySchema,
        route: &Route,
        record: &canonical::Record,
    ) -> BTreeSet<Field> {
        let Some(mapping) = self.config.mapping_of(route) else { return BTreeSet::new() };
        let rows = mapping.lineage().into_iter().filter(|row| row.direction.writes());
        let fields = rows.filter_map(|row| row.field.cloned());
        let owns = |field: &Field| {
            let spec = schema.fields.get(field).filter(|spec| !spec.on_conflict.merges());
            spec.and_then(|spec| spec.owner_in(&record.fields)) == Some(&route.system)
        };
        fields.filter(|field| !owns(field)).collect()
    }

    /// The records of a job that was applied: what is on its way is waited for; then it is done.
    pub(super) fn both_found(&mut self, id: JobId, both: Vec<Option<Whole>>, turn: &mut Turn<'_>) {
        // They are found again after the next start.
        if self.draining {
            return;
        }
        let Some(known) = self.known.get(&id) else { return };
        let mut job = known.job.clone();
        let why = format!("{} ({})", job.reason.as_deref().unwrap_or_default(), job.id);
        let open: BTreeSet<&System> =
            both.iter().flatten().flat_map(|whole| &whole.open).map(|(_, system)| system).collect();
        if !open.is_empty() {
            let systems: Vec<&str> = open.iter().map(|system| system.as_str()).collect();
            let waits = format!("what is on its way to {}, or in doubt there", systems.join(", "));
            return self.wait(job, waits, turn);
        }
        match self.judge(&job, both, &why, turn) {
            Ok(((keep, gone), reshaped)) => {
                let require = required(&keep, &gone, &reshaped);
                let happened = reshaped.facts.iter().map(|fact| Mark::Happened { kind: fact.kind.clone() });
                let marks = happened.collect();
                let ops = self.written(&job, reshaped, turn);
                job.state = JobState::Done;
                job.done = 1;
                if let Some(reshape) = &mut job.reshape {
                    reshape.waits = None;
                }
                job.ended_at = Some(turn.now.wall);
                self.keep_if(job, require, ops, None, marks, turn);
            }
            Err(why) => {
                job.state = JobState::Cancelled;
                job.ordered(&format!("nothing was done: {why}"), turn.now.wall);
                job.ended_at = Some(turn.now.wall);
                self.keep(job, Vec::new(), None, turn);
            }
        }
    }

    /// It is looked again. What it waits for is written down when it is another thing than before.
    fn wait(&mut self, mut job: Job, waits: String, turn: &mut Turn<'_>) {
        let Some(known) = self.known.get_mut(&job.id) else { return };
        known.due = turn.now.mono + LOOK_AGAIN;
        match &mut job.reshape {
            Some(reshape) if reshape.waits.as_ref() != Some(&waits) => {
                reshape.waits = Some(waits);
                self.keep(job, Vec::new(), None, turn);
            }
            _ => known.busy = false,
        }
    }

    /// Something that it rests on moved while it was written. Where that goes on it is tried less and less often.
    pub(super) fn decide_anew(&mut self, job: &Job, turn: &mut Turn<'_>) {
        turn.note(Mark::DecidedAgain);
        let entropy = turn.entropy();
        if let Some(known) = self.known.get_mut(&job.id) {
            known.busy = false;
            known.due = turn.now.mono + decided_again_after(known.conflicts, entropy);
            known.conflicts = known.conflicts.saturating_add(1);
        }
    }

    /// The operations of what was decided.
    fn written(&self, job: &Job, reshaped: Reshaped, turn: &Turn<'_>) -> Vec<Op> {
        let (tenant, at) = (&self.config.tenant, turn.now.wall);
        let entity = reshaped.records.first().map(|(record, _)| record.entity.clone());
        let trace = reshaped.facts.first().map(|fact| fact.trace.clone()).unwrap_or_default();
        let mut ops: Vec<Op> = Vec::new();
        // Who stands for whom comes first: links wake what waits for an alias.
        ops.extend(reshaped.records.into_iter().map(|(record, _)| Op::PutRecord(record)));
        if let Some(entity) = entity {
            for (record, (key, value)) in reshaped.matches_dropped {
                let (tenant, entity) = (tenant.clone(), entity.clone());
                ops.push(Op::DropMatch { tenant, entity, key, value, record });
            }
            for (record, (key, value)) in reshaped.matches_added {
                let (tenant, entity) = (tenant.clone(), entity.clone());
                ops.push(Op::PutMatch { tenant, entity, key, value, record });
            }
        }
        ops.extend(reshaped.links.into_iter().map(Op::PutLink));
        ops.extend(reshaped.shadows.into_iter().map(|(shadow, _)| Op::PutShadow(shadow)));
        ops.extend(reshaped.facts.into_iter().map(|mut fact| {
            fact.mappings = told_by(&self.config, &reshaped.raises, fact.id);
            Op::PutFact(fact)
        }));
        ops.extend(reshaped.raises.into_iter().map(Op::Raise));
        let into = job.reshape.as_ref().map(|reshape| reshape.keep.to_string()).unwrap_or_default();
        for (key, level) in reshaped.superseded {
            let message = format!("the record was merged into {into}: that one is delivered");
            let reason = Some(ledger::Reason { class: "merged".to_owned(), message, ..<_>::default() });
            let (state, waiting) = (State::Superseded, None);
            ops.push(Op::Settle {
                key,
                level,
                reached: false,
                state,
                attempts: 0,
                due: at,
                waiting,
                reason,
                at,
            });
        }
        ops.extend(reshaped.decisions.into_iter().map(Op::PutDecision));
        for external in reshaped.wanted {
            let system = self.config.systems.get(&external.system);
            if system.is_some_and(|system| system.connector.can_fetch(&external.object)) {
                let (tenant, trace, attempts) = (tenant.clone(), trace.clone(), 0);
                ops.push(Op::WantFetch(Fetch { tenant, external, hinted_at: at, due: at, attempts, trace }));
            }
        }
        ops
    }

    /// After a split objects are to be read.
    pub(super) fn read_again(&self, job: &Job, turn: &mut Turn<'_>) {
        if job.action == Action::Split && job.state == JobState::Done {
            for system in self.config.systems.keys() {
                turn.effect(Effect::Tell(MachineId::Spoke(system.clone()), Notice::FetchWanted));
            }
        }
    }
}

/// Half to all of a doubling ceiling.
fn decided_again_after(conflicts: u32, entropy: u64) -> Duration {
    let ceiling = DECIDE_AGAIN.0.saturating_mul(1 << conflicts.min(10)).min(DECIDE_AGAIN.1);
    let half = u64::try_from(ceiling.as_micros() / 2).unwrap_or(u64::MAX).max(1);
    Duration::from_micros(half + entropy % half)
}

/// Whether both records are what the plan was shown of.
fn still(job: &Job, now: (i64, i64)) -> Result<(), Unfit> {
    let Some(reshape) = &job.reshape else { return Ok(()) };
    if reshape.versions.0 != now.0 {
        return Err(Unfit::Moved(reshape.keep));
    }
    if reshape.versions.1 != now.1 {
        return Err(Unfit::Moved(reshape.gone));
    }
    Ok(())
}

/// Everything that it was decided on.
fn required(keep: &Whole, gone: &Whole, reshaped: &Reshaped) -> Vec<Require> {
    let mut require = Vec::new();
    for whole in [keep, gone] {
        let record = whole.record.id;
        require.push(Require::RecordAt { record, version: whole.record.version });
        require.push(Require::NoOpenIntent { record });
    }
    for link in &reshaped.links {
        let external = link.external();
        let holder = |whole: &&Whole| whole.links.iter().any(|own| own.external() == external);
        let Some(holder) = [keep, gone].into_iter().find(holder) else { continue };
        require.push(Require::LinkedTo { record: holder.record.id, external });
        if link.record != holder.record.id {
            let (record, system, object) = (link.record, link.system.clone(), link.object.clone());
            // An alias is linked as its survivor is: that one's own links are required above.
            let alias = matches!(gone.record.alive, canonical::Alive::Merged { .. });
            require.extend((!alias).then_some(Require::NotYetLinked { record, system, object }));
        }
    }
    for (shadow, revision) in &reshaped.shadows {
        let (record, revision) = (shadow.record, *revision);
        let (system, object) = (shadow.system.clone(), shadow.object.clone());
        require.push(Require::ShadowAt { record, system, object, revision });
    }
    require
}
