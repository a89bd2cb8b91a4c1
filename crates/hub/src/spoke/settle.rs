//! Settling: the unit that ends an intent.

mod follow;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use canonical::{Mono, OrderToken, Wall};
use dispatch::Dispatcher;
use intake::Link;
use ledger::{
    IdempotencyClass, Intent, IntentState, Level, OnExit, Outcome, Reason, RouteKind, Shadow, State, Subject,
};
use store::{Attempt, Fetch, Head, Op, Query, Require, SpokeAsk, SpokeRow, Unit};

use crate::spoke::associate;
use crate::spoke::flight::Flight;
use crate::spoke::write::buried;
use crate::spoke::{Await, Spoke, Token};
use crate::turn::Turn;
pub(crate) use follow::After;

/// How often a settlement may conflict before its link is taken for somebody else's.
const CONFLICTS_MAX: u32 = 3;

/// How an intent ends.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// The target has the level.
    Delivered,
    /// The object is there, with older values: link it, then update it.
    Found,
    /// Certainly not applied: again, anew.
    Retry { due: Wall, spent: bool },
    /// A person must look.
    Person(Reason),
    /// Never.
    Dead(Reason),
    /// The object is not where the link points.
    LinkRot,
    /// Somebody else wrote, or it is not there: it is read, and tried again then.
    Refetch { due: Wall },
    /// It is not sent again, because something moved since it was rendered: whatever became of it, the newest level
    /// goes next.
    Converge,
}

/// An intent's end, on its way to the store; kept to be built again when its unit conflicts.
#[derive(Debug)]
pub(crate) struct Settlement {
    pub(crate) intent: ledger::Intent,
    pub(crate) head: Option<Head>,
    obligation: Option<ledger::Obligation>,
    shadow: Option<Shadow>,
    exit: Option<OnExit>,
    outcome: Outcome,
    ending: Ending,
    attempt: Option<Attempt>,
    conflicts: u32,
    /// Already linked there, as read again after a conflict.
    linked: Option<String>,
}

impl Settlement {
    pub(crate) fn new(
        flight: Flight,
        outcome: Outcome,
        ending: Ending,
        attempt: Option<Attempt>,
        dispatcher: Option<&mut Dispatcher<Token>>,
        now: Mono,
    ) -> Self {
        // The slot is free at once; the record's lock stays until the end is durable.
        if let Some(dispatcher) = dispatcher {
            dispatcher.release_keeping_lock(flight.permit, now);
        }
        let linked = flight.intent.external_id.clone();
        Self {
            intent: flight.intent,
            head: flight.head,
            obligation: flight.obligation,
            shadow: flight.shadow,
            exit: flight.exit,
            outcome,
            ending,
            attempt,
            conflicts: 0,
            linked,
        }
    }

    /// Whether an exit that is not carried out after all may have been.
    fn looks_for_ended(&self, connector: &connector::Connector) -> bool {
        matches!(self.ending, Ending::Converge)
            && matches!(self.exit, Some(OnExit::Archive | OnExit::Delete))
            && connector.can_fetch(&self.intent.object)
    }

    /// Whether it is of a replay that is not over.
    fn resays(&self) -> bool {
        let of = |row: &ledger::Obligation| row.aside.resay > row.reached.generation;
        self.obligation.as_ref().is_some_and(of)
    }

    fn may_be_overwritten(&self) -> bool {
        may_be_overwritten(&self.intent, self.outcome.token, self.shadow.as_ref())
    }
}

/// Whether the answer to an intent may be that to an earlier send with the same key: somebody may have edited since.
fn may_be_replayed(intent: &Intent) -> bool {
    matches!(intent.class, IdempotencyClass::NativeKey { .. }) && intent.sends > 1
}

/// Whether something else may stand there by now than what was written with that version: the object was seen at a newer one
/// while the write was on its way, or, where nothing tells versions, was seen at all. What it said then could be from before
/// the write or after it.
pub(crate) fn may_be_overwritten(
    intent: &Intent,
    wrote: Option<OrderToken>,
    shadow: Option<&Shadow>,
) -> bool {
    let seen = shadow.is_some_and(|shadow| match wrote {
        Some(wrote) => shadow.token.is_some_and(|seen| seen > wrote),
        None => shadow.seen_at.is_some_and(|seen| seen >= intent.created_at),
    });
    seen || may_be_replayed(intent)
}

impl Spoke {
    /// Builds the unit that ends an intent. Without its shadow (after a restart or a conflict) it is read first.
    pub(crate) fn settle(&mut self, settlement: Settlement, turn: &mut Turn<'_>) {
        let touches = match settlement.ending {
            Ending::Delivered | Ending::Found | Ending::LinkRot | Ending::Person(_) | Ending::Converge => {
                true
            }
            Ending::Dead(_) => settlement.intent.sends > 1,
            Ending::Retry { .. } | Ending::Refetch { .. } => false,
        };
        if touches && settlement.shadow.is_none() {
            return self.look_again(settlement, turn);
        }
        let unit = self.unit(&settlement, turn);
        self.outbox.push((unit, After::Settled(Box::new(settlement))));
    }

    fn look_again(&mut self, settlement: Settlement, turn: &mut Turn<'_>) {
        let intent = &settlement.intent;
        let ask = SpokeAsk {
            key: intent.obligation.clone(),
            record: intent.record,
            object: intent.object.clone(),
            references: Vec::new(),
        };
        let (tenant, system) = (self.config.tenant.clone(), self.system.clone());
        let query = Query::Spoke { tenant, system, asks: vec![ask] };
        self.find(query, Await::Resettle(Box::new(settlement)), turn);
    }

    /// The view for a settlement that conflicted, or had none.
    pub(crate) fn resettle(&mut self, mut settlement: Settlement, row: SpokeRow, turn: &mut Turn<'_>) {
        let intent = &settlement.intent;
        settlement.linked = row.link.clone();
        let there = settlement.outcome.external_id.as_deref().or(intent.external_id.as_deref());
        settlement.shadow = Some(self.fitting_shadow(intent.record, &intent.object, row.shadow, |shadow| {
            there.is_none_or(|id| shadow.is_of(id))
        }));
        settlement.obligation = row.obligation.or(settlement.obligation);
        let made = settlement.outcome.external_id.as_deref().filter(|_| intent.external_id.is_none());
        if let (Some(made), Some(linked)) = (made, row.link.as_deref())
            && made != linked
            && matches!(settlement.ending, Ending::Delivered | Ending::Found)
        {
            let message = format!(
                "{} made {}/{made} of it, but {}/{linked} was there by then and stands for the record: \
                 merge the two there, then retry",
                self.system, intent.object, intent.object
            );
            settlement.ending = Ending::Dead(super::plan::reason("duplicate", message));
        }
        if settlement.conflicts > CONFLICTS_MAX {
            let message = format!(
                "{} answered with an object that is linked to another record: merge the two by hand, then retry",
                self.system
            );
            settlement.ending = Ending::Dead(super::plan::reason("duplicate", message));
        }
        let unit = self.unit(&settlement, turn);
        self.outbox.push((unit, After::Settled(Box::new(settlement))));
    }

    fn unit(&self, settlement: &Settlement, turn: &Turn<'_>) -> Unit {
        let now = turn.now.wall;
        let mut unit = Unit::default();
        let mut intent = settlement.intent.clone();
        intent.outcome = Some(settlement.outcome.class);
        intent.token = settlement.outcome.token;
        intent.state = IntentState::Closed;
        intent.closed_at = Some(now);
        intent.reason = settlement.attempt.as_ref().map(|attempt| attempt.reason.clone());
        let attempts = settlement.head.as_ref().map_or(0, |head| head.attempts);
        let (state, reached, due, reason, attempts) = match &settlement.ending {
            Ending::Delivered if intent.lacking => (State::Pending, false, now, None, attempts),
            Ending::Delivered => (State::Delivered, true, now, None, attempts),
            Ending::Found | Ending::Converge => (State::Pending, false, now, None, attempts),
            Ending::Retry { due, spent } => {
                let failed = *spent || settlement.outcome.class.is_illness();
                let state = if failed { State::Retrying } else { State::Pending };
                (state, false, *due, intent.reason.clone(), attempts + u32::from(*spent))
            }
            Ending::Person(why) => {
                intent.state = IntentState::Doubtful;
                intent.closed_at = None;
                intent.reason = Some(why.clone());
                (State::Uncertain, false, now, Some(why.clone()), attempts)
            }
            Ending::Dead(why) => (State::Dead, false, now, Some(why.clone()), attempts),
            Ending::LinkRot => (State::Retrying, false, now, intent.reason.clone(), attempts + 1),
            Ending::Refetch { due } => (State::Retrying, false, *due, intent.reason.clone(), attempts + 1),
        };
        let level = intent.level;
        self.effects_there(settlement, &intent, &mut unit, now);
        if intent.state == IntentState::Closed {
            intent.call = Arc::default();
            intent.request = Arc::default();
        }
        let key = intent.obligation.clone();
        unit.ops.push(Op::PutIntent(intent));
        unit.ops.extend(settlement.attempt.clone().map(Op::PutAttempt));
        let waiting = None;
        unit.ops.push(Op::Settle { key, level, reached, state, attempts, due, waiting, reason, at: now });
        unit
    }

    /// What an ending means for link and shadow.
    fn effects_there(&self, settlement: &Settlement, intent: &ledger::Intent, unit: &mut Unit, now: Wall) {
        let Some(old) = &settlement.shadow else { return };
        let sync = matches!(intent.obligation.subject, Subject::Record(_));
        let external_id = settlement.outcome.external_id.clone().or_else(|| intent.external_id.clone());
        let mut shadow = old.clone();
        match &settlement.ending {
            Ending::Delivered if sync => {
                if !(may_be_replayed(intent) && self.was_read_since(intent, old)) {
                    associate::confirm(&mut shadow, intent);
                }
                let crossed = settlement.may_be_overwritten() && self.connector.can_fetch(&intent.object);
                if crossed || may_be_replayed(intent) {
                    associate::doubt(&mut shadow, intent, &intent.fields);
                }
                if settlement.resays() {
                    self.doubt_relations(intent, old, &mut shadow);
                }
                if crossed && let Some(id) = &external_id {
                    unit.ops.push(self.want_fetch(intent, id.clone(), now));
                }
                if settlement.outcome.token.is_none() && !intent.fields.is_empty() {
                    shadow.remember(&self.forms(intent, &intent.fields), now);
                }
                shadow.token = settlement.outcome.token.max(old.token);
                // Without a new one the old one is out of date: the next change is refused there, and the object read again.
                if settlement.outcome.version.is_some() {
                    shadow.version.clone_from(&settlement.outcome.version);
                }
                if shadow.token != old.token {
                    shadow.meanwhile.clear();
                }
                shadow.written_at = Some(now);
                shadow.level = Level { ..intent.level };
                shadow.external_id.clone_from(&external_id);
                // Of what is archived the shadow stays, too.
                if matches!(settlement.exit, Some(OnExit::Archive | OnExit::Delete)) {
                    let known = shadow.external_id.clone().or(settlement.linked.clone());
                    if let Some(link) = self.link(intent, known, now) {
                        unit.ops.push(buried(&link.tenant, &link.external(), settlement.outcome.token, now));
                        unit.ops.push(Op::DropLink(link));
                    }
                } else if settlement.linked != external_id {
                    self.relink(settlement, intent, external_id, unit, now);
                }
            }
            Ending::Found if sync => {
                let recent = std::mem::take(&mut shadow.recent);
                let associated = std::mem::take(&mut shadow.associated);
                let (revision, edits) = (old.revision, std::mem::take(&mut shadow.edits));
                shadow = Shadow { revision, recent, edits, ..self.blank(intent.record, &intent.object) };
                if intent.association.is_some() {
                    shadow.associated = associated;
                    associate::doubt(&mut shadow, intent, &intent.fields);
                }
                // What an earlier send of it left there.
                shadow.remember(&self.forms(intent, &intent.fields), now);
                shadow.external_id.clone_from(&external_id);
                shadow.version.clone_from(&settlement.outcome.version);
                if settlement.linked != external_id {
                    self.relink(settlement, intent, external_id, unit, now);
                }
            }
            Ending::LinkRot if sync => {
                // Its shadow stays as long as nothing takes its place: late sights of what is gone are judged by it.
                let link = self.link(intent, settlement.linked.clone(), now);
                unit.ops.extend(link.into_iter().flat_map(|link| store::unlinked(link, now)));
                shadow.external_id = shadow.external_id.take().or_else(|| settlement.linked.clone());
                shadow.written_at = Some(now);
            }
            // An earlier send of it may have been applied: what it said is not known there any more.
            Ending::Person(_) | Ending::Converge if sync => {
                // It was to go, and is not any more: whether it has gone, a look tells.
                if let Some(id) = external_id.filter(|_| settlement.looks_for_ended(&self.connector)) {
                    unit.ops.push(self.want_fetch(intent, id, now));
                }
                associate::doubt(&mut shadow, intent, &intent.fields);
                shadow.remember(&self.forms(intent, &intent.fields), now);
            }
            Ending::Dead(_) if sync && intent.sends > 1 => {
                associate::doubt(&mut shadow, intent, &intent.fields);
                shadow.remember(&self.forms(intent, &intent.fields), now);
            }
            Ending::Refetch { .. } => {
                unit.ops.extend(external_id.map(|id| self.want_fetch(intent, id, now)));
                unit.ops.extend(self.want_other(intent, now));
                return;
            }
            _ => return,
        }
        unit.require.push(Require::ShadowAt {
            record: intent.record,
            system: self.system.clone(),
            object: intent.object.clone(),
            revision: old.revision,
        });
        unit.ops.push(Op::PutShadow(shadow));
    }

    /// Its object is to be read.
    fn want_fetch(&self, intent: &ledger::Intent, id: String, now: Wall) -> Op {
        self.want_fetch_of(intent, intent.object.clone(), id, now)
    }

    /// So is the other end of its association, where it can be.
    fn want_other(&self, intent: &ledger::Intent, now: Wall) -> Option<Op> {
        let one = intent.association.as_deref()?;
        let reads = self.connector.can_fetch(&one.to) && self.config.inbound(&self.system, &one.to).is_some();
        reads.then(|| self.want_fetch_of(intent, one.to.clone(), one.other.clone(), now))
    }

    fn want_fetch_of(&self, intent: &ledger::Intent, object: canonical::Object, id: String, now: Wall) -> Op {
        let system = self.system.clone();
        Op::WantFetch(Fetch {
            tenant: intent.obligation.tenant.clone(),
            external: canonical::ExternalRef { system, object, id },
            hinted_at: now,
            due: now,
            attempts: 0,
            trace: intent.trace.clone(),
        })
    }

    fn relink(
        &self,
        settlement: &Settlement,
        intent: &ledger::Intent,
        external_id: Option<String>,
        unit: &mut Unit,
        now: Wall,
    ) {
        let Some(link) = self.link(intent, external_id, now) else { return };
        match self.link(intent, settlement.linked.clone(), now) {
            Some(old) => unit.ops.extend(store::unlinked(old, now)),
            // Somebody's object may have been taken for the record's while ours was made: then there are two.
            None => unit.require.push(Require::NotYetLinked {
                record: intent.record,
                system: self.system.clone(),
                object: intent.object.clone(),
            }),
        }
        unit.require.push(Require::Unlinked { tenant: link.tenant.clone(), external: link.external() });
        unit.ops.push(Op::PutLink(link));
    }

    /// What was written, as it is known again when it comes back.
    pub(crate) fn forms(&self, intent: &ledger::Intent, written: &canonical::Fields) -> canonical::Fields {
        let route = self.config.route(&intent.obligation.route);
        match route.and_then(|route| self.config.mapping_of(route)) {
            Some(mapping) => mapping.forms(written),
            None => written.clone(),
        }
    }

    fn link(&self, intent: &ledger::Intent, external_id: Option<String>, now: Wall) -> Option<Link> {
        let route = self.config.route(&intent.obligation.route)?;
        if route.kind != RouteKind::Sync {
            return None;
        }
        Some(Link {
            tenant: intent.obligation.tenant.clone(),
            system: self.system.clone(),
            instance: self.state.instance.clone().unwrap_or_default(),
            object: intent.object.clone(),
            external_id: external_id?,
            entity: route.entity.clone(),
            record: intent.record,
            created_at: now,
        })
    }
}
