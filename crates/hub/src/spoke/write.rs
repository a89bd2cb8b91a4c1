//! Rendering: from what is wanted to a durable intent.

use std::sync::Arc;
use std::time::Duration;

use canonical::{ExternalRef, IntentId, Object, OrderToken, Tenant, Wall};
use connector::{Call, Write, WriteSpec};
use dispatch::Permit;
use ledger::{IdempotencyClass, Intent, IntentState, Level, Obligation, OnExit, State, Subject};
use planted::Bug;
use store::{Head, Op, Require, Unit};

use crate::spoke::Spoke;
use crate::spoke::batch::Gathered;
use crate::spoke::draw::looks_first;
use crate::spoke::flight::{ARRIVAL_SLACK, Action, Flight};
use crate::spoke::plan::{Rest, Wanted};
use crate::spoke::settle::After;
use crate::turn::Turn;
use crate::written::keep;

/// What an intent takes over from its operation.
pub(crate) struct Terms {
    class: IdempotencyClass,
    partial: bool,
    processing_max: Duration,
    looks_first: bool,
}

/// What must hold when an intent begins, so that a merge or a split of records is not overtaken by what was judged before it:
/// the record stands for itself, and what is to be made is not linked by then. What happened to a record is told whatever
/// became of it.
pub(crate) fn begins(flight: &Flight) -> Vec<Require> {
    if flight.begins { needs(&flight.intent) } else { Vec::new() }
}

/// What an intent that is made needs.
pub(super) fn needs(intent: &Intent) -> Vec<Require> {
    if !matches!(intent.obligation.subject, Subject::Record(_)) {
        return Vec::new();
    }
    let mut require = vec![Require::Stands { record: intent.record }];
    if intent.external_id.is_none() {
        let (system, object) = (intent.system.clone(), intent.object.clone());
        require.push(Require::NotYetLinked { record: intent.record, system, object });
    }
    require
}

impl Spoke {
    /// Renders the request and makes its intent durable; the commit's answer sends it.
    pub(crate) fn write(&mut self, one: Gathered, turn: &mut Turn<'_>) {
        let mut id = IntentId::from_parts(turn.now.wall, turn.wide_entropy());
        if planted::is(Bug::UndoUnderOldKey) {
            let bytes =
                serde_json::to_vec(&(one.obligation.record, &one.wanted.difference)).unwrap_or_default();
            let sum =
                bytes.iter().fold(1_u128, |sum, byte| sum.wrapping_mul(257).wrapping_add(u128::from(*byte)));
            id = IntentId(uuid::Uuid::from_u128(sum));
        }
        let rendered = self.render(id, &one.obligation, &one.wanted);
        let (terms, mut write, request) = match rendered {
            Ok(rendered) => rendered,
            Err(why) => {
                return self.unrendered(one.head, one.permit, &one.obligation, &one.wanted, why, turn);
            }
        };
        let action = if terms.looks_first { Action::Probe } else { Action::Send };
        let (bytes, timeout_ms) = (request.to_bytes(), request.timeout_ms);
        let (about, now) = (&one.obligation, turn.now.wall);
        let intent = self.intent(id, about, &one.wanted, &terms, &mut write, bytes, timeout_ms, now);
        let flight = self.takes_off(one, intent, write, request, action);
        let unit = self.first(&flight);
        if planted::is(Bug::SendBeforeDurable) {
            turn.effect(crate::turn::Effect::Send(self.ticket(), flight.request.clone()));
        }
        self.outbox.push((unit, After::Launch(Box::new(flight))));
    }

    /// What is made durable before it goes.
    pub(super) fn first(&self, flight: &Flight) -> Unit {
        let mut unit = Unit { require: begins(flight), ops: vec![Op::PutIntent(flight.intent.clone())] };
        unit.ops.extend(self.ends_object(flight));
        unit
    }

    /// From when it is sent on, that an object is gone which it ends is no word of its system (I6).
    pub(crate) fn ends_object(&self, flight: &Flight) -> Option<Op> {
        let intent = &flight.intent;
        let (system, object) = (self.system.clone(), intent.object.clone());
        let ends = matches!(flight.exit, Some(OnExit::Archive | OnExit::Delete));
        let id = intent.external_id.clone().filter(|_| ends)?;
        Some(buried(&intent.obligation.tenant, &ExternalRef { system, object, id }, None, intent.created_at))
    }

    /// What was rendered, on its way: its intent is durable before it goes. Without a request of its own it goes with
    /// others.
    pub(crate) fn takes_off(
        &mut self,
        one: Gathered,
        intent: Intent,
        write: Write,
        request: connector::Request,
        action: Action,
    ) -> Flight {
        let Gathered { head, permit, obligation, wanted } = one;
        let half = self.take_half(&head.key);
        Flight {
            intent: Intent { fields: Arc::clone(&write.fields), ..intent },
            write,
            request,
            head: Some(head),
            obligation: Some(obligation),
            shadow: Some(wanted.shadow),
            matches: wanted.matches,
            mapping: wanted.mapping,
            exit: wanted.exit,
            permit,
            action,
            durable: action == Action::Send,
            begins: true,
            half,
        }
    }

    /// The intent of what was rendered. `bytes` are its request, or its part of one.
    #[expect(clippy::too_many_arguments, reason = "each is a different part of what is kept")]
    pub(crate) fn intent(
        &self,
        id: IntentId,
        obligation: &Obligation,
        wanted: &Wanted,
        terms: &Terms,
        write: &mut Write,
        bytes: Vec<u8>,
        timeout_ms: u64,
        now: Wall,
    ) -> Intent {
        Intent {
            id,
            obligation: obligation.key.clone(),
            system: self.system.clone(),
            object: obligation.object.clone(),
            record: obligation.record,
            level: Level { ..obligation.wanted },
            operation: write.operation.clone(),
            class: terms.class.clone(),
            call: keep(write).into(),
            request: bytes.into(),
            fields: Arc::default(),
            full: !terms.partial && wanted.association.is_none(),
            external_id: wanted.external_id.clone(),
            scope: self.state.credential_generation.to_string(),
            state: IntentState::Open,
            sends: u32::from(!terms.looks_first),
            probes: 0,
            created_at: now,
            arrives_until: now + Duration::from_millis(timeout_ms) + ARRIVAL_SLACK,
            processing_max: terms.processing_max,
            due: now,
            outcome: None,
            reason: None,
            closed_at: None,
            token: None,
            trace: obligation.trace.clone(),
            lacking: wanted.lacking,
            association: wanted.association.clone(),
            batch: None,
        }
    }

    /// What can't be rendered is for a person: it does not pass with time.
    pub(crate) fn unrendered(
        &mut self,
        head: Head,
        permit: Permit,
        obligation: &Obligation,
        wanted: &Wanted,
        why: String,
        turn: &mut Turn<'_>,
    ) {
        self.unused(permit, turn);
        let refusal = ledger::Refusal { message: why, ..ledger::Refusal::default() };
        let (mapping, version) = &wanted.mapping;
        let fingerprint = ledger::fingerprint(&self.system, "render", &refusal, mapping, *version);
        let reason = ledger::Reason {
            class: "render".to_owned(),
            message: refusal.message,
            fingerprint,
            ..ledger::Reason::default()
        };
        self.come_to_rest(head, obligation, Rest::of(State::Dead, reason), None, turn);
    }

    /// The operation that writes it.
    pub(crate) fn operation_for(&self, object: &Object, wanted: &Wanted) -> Option<&WriteSpec> {
        let linked = wanted.external_id.is_some();
        match (&wanted.operation, wanted.exit) {
            (Some(exit), Some(_)) => self.connector.choose(object, linked, Some(exit)),
            (Some(name), None) => self.connector.operation(name, object),
            (None, _) => self.connector.choose(object, linked, None),
        }
    }

    fn render(
        &self,
        id: IntentId,
        obligation: &Obligation,
        wanted: &Wanted,
    ) -> Result<(Terms, Write, connector::Request), String> {
        let (terms, write) = self.compose(id, obligation, wanted)?;
        let call = Call::Write(write);
        let mut request = self.connector.render(&call).map_err(|error| error.to_string())?;
        request.timeout_ms = request.timeout_ms.min(self.timeout_ms_max());
        let Call::Write(write) = call else { return Err("not a write".to_owned()) };
        Ok((terms, write, request))
    }

    /// The call that writes it.
    pub(crate) fn compose(
        &self,
        id: IntentId,
        obligation: &Obligation,
        wanted: &Wanted,
    ) -> Result<(Terms, Write), String> {
        let object = &obligation.object;
        let linked = wanted.external_id.is_some();
        let Some(spec) = self.operation_for(object, wanted) else {
            let what = wanted.operation.as_deref().unwrap_or(if linked { "update" } else { "create" });
            return Err(format!(
                "connector {} has no operation {what} for {object}: choose another object or add it to the manifest",
                self.connector.name()
            ));
        };
        let partial = spec.partial && linked;
        let write = Write {
            object: object.clone(),
            operation: spec.name.to_string(),
            key: wanted.key.clone(),
            external_id: wanted.external_id.clone(),
            fields: Arc::clone(if partial { &wanted.difference } else { &wanted.whole }),
            whole: Arc::clone(&wanted.whole),
            known: Arc::new(wanted.shadow.fields.clone()),
            expected: wanted.shadow.token.map(|token| token.0.to_string()),
            version: wanted.shadow.version.clone(),
            association: wanted.association.clone(),
            intent: id.to_string(),
        };
        let terms = Terms {
            class: spec.idempotency.clone(),
            partial: spec.partial,
            processing_max: spec.processing_max,
            looks_first: looks_first(spec, wanted),
        };
        Ok((terms, write))
    }
}

/// What is still told of an object that we end makes nothing new, and that it is gone is nobody's word.
pub(crate) fn buried(tenant: &Tenant, object: &ExternalRef, order: Option<OrderToken>, now: Wall) -> Op {
    let grave = intake::Grave { at: now, order }.bytes();
    let (tenant, system, name) = (tenant.clone(), object.system.clone(), intake::Grave::name(object));
    Op::Bury { tenant, system, name, grave, at: now }
}
