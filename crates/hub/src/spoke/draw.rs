//! What calls draw from the system's limits, as its dispatcher counts them.

use canonical::Object;
use connector::{Call, Charge, Part, WriteSpec};
use dispatch::{BucketSet, Permit};
use ledger::{IdempotencyClass, Intent};
use store::Head;

use crate::spoke::Spoke;
use crate::spoke::flight::Action;
use crate::spoke::plan::Wanted;
use crate::turn::Turn;

/// What a call draws, and from which limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Draw {
    pub(crate) buckets: BucketSet,
    pub(crate) cost: u32,
}

impl Default for Draw {
    /// Nothing is known of the call: it counts everywhere.
    fn default() -> Self {
        Self { buckets: BucketSet::ALL, cost: 1 }
    }
}

impl Draw {
    /// Of one of two calls, and which is not known yet.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { buckets: self.buckets | other.buckets, cost: self.cost.max(other.cost) }
    }

    /// Of two calls made under one permit. There is one cost for all limits: where one limit pays for both calls, all
    /// are charged for both, which is too much rather than too little.
    fn and(self, other: Self) -> Self {
        let shared = self.buckets.meets(other.buckets);
        let cost = if shared { self.cost.saturating_add(other.cost) } else { self.cost.max(other.cost) };
        Self { buckets: self.buckets | other.buckets, cost }
    }
}

impl Spoke {
    pub(crate) fn drawn(&self, charge: Option<&Charge>) -> Draw {
        match (charge, &self.dispatcher) {
            (Some(charge), Some(dispatcher)) => {
                Draw { buckets: dispatcher.draw(charge.buckets.iter().map(AsRef::as_ref)), cost: charge.cost }
            }
            _ => Draw::default(),
        }
    }

    /// Of a call that is not a write or probe.
    pub(crate) fn draw_of(&self, call: &Call) -> Draw {
        let charge = self.connector.charge(call);
        // No such call: it will fail when it is rendered.
        self.drawn((charge != Charge::default()).then_some(&charge))
    }

    /// Of a delivery, before it is known what it comes to: an update, unless it was found to be something else.
    pub(crate) fn draw_of_head(&self, head: &Head) -> Draw {
        self.draws.get(&head.key).copied().unwrap_or_else(|| self.draw_of_update(&head.object))
    }

    /// Of an update of a kind of object, the usual write.
    pub(crate) fn draw_of_update(&self, object: &Object) -> Draw {
        let update = self.connector.choose(object, true, None);
        let spec = update.or_else(|| self.connector.choose(object, false, None));
        self.drawn(spec.map(|spec| &spec.charge))
    }

    /// Of what is to be written, with the look before it where there is one.
    pub(crate) fn draw_of_write(&self, spec: &WriteSpec, object: &Object, wanted: &Wanted) -> Draw {
        let write = self.drawn(Some(&spec.charge));
        if looks_first(spec, wanted) { write.and(self.draw_of_probe(&spec.name, object)) } else { write }
    }

    /// Of what an intent needs next.
    pub(crate) fn draw_of_intent(&self, intent: &Intent, action: Action) -> Draw {
        let write = || {
            let spec = self.connector.operation(&intent.operation, &intent.object);
            let batch = spec.and_then(|spec| spec.form(Part::form_of(&intent.request)));
            let batch = batch.filter(|_| intent.batch.is_some());
            self.drawn(batch.map(|batch| &batch.charge).or(spec.map(|spec| &spec.charge)))
        };
        match action {
            Action::Send => write(),
            Action::Probe => self.draw_of_probe(&intent.operation, &intent.object),
        }
    }

    /// Of a doubt's turn: an intent that was never sent goes under the same permit when the look finds nothing.
    pub(crate) fn draw_of_doubt(&self, intent: &Intent, action: Action) -> Draw {
        let draw = self.draw_of_intent(intent, action);
        let sends_too = action == Action::Probe && intent.sends == 0;
        if sends_too { draw.and(self.draw_of_intent(intent, Action::Send)) } else { draw }
    }

    fn draw_of_probe(&self, operation: &str, object: &Object) -> Draw {
        self.drawn(self.connector.probe_charge(operation, object))
    }

    /// The permit does not cover what the delivery came to: it asks again, for what it needs.
    pub(crate) fn ask_again(&mut self, head: Head, permit: Permit, draw: Draw, turn: &Turn<'_>) {
        self.draws.insert(head.key.clone(), draw);
        self.unused(permit, turn);
        let due = head.due;
        self.settled(head, Some(due), turn.now);
    }

    /// Gives back a permit under which no call was made.
    pub(crate) fn unused(&mut self, permit: Permit, turn: &Turn<'_>) {
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.release_unused(permit, turn.now.mono);
        }
    }

    /// Charges a call that goes without a permit of its own.
    pub(crate) fn spend(&mut self, draw: Draw, turn: &Turn<'_>) {
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.spend(draw.buckets, draw.cost, turn.now.mono);
        }
    }
}

/// A create without a key looks first: what it finds is adopted, not made again. So does one whose key may be a second
/// one, or whose mark may be there, after a restore.
pub(crate) fn looks_first(spec: &WriteSpec, wanted: &Wanted) -> bool {
    let searched = matches!(spec.idempotency, IdempotencyClass::SearchFirst { .. });
    let keyed =
        matches!(spec.idempotency, IdempotencyClass::NativeKey { .. } | IdempotencyClass::MarkerField { .. });
    (searched || keyed && wanted.look_first && spec.probe)
        && wanted.external_id.is_none()
        && wanted.exit.is_none()
}
