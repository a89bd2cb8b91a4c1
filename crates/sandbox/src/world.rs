//! One outside system, pure: a request and the time go in, an answer comes out. Faults, webhooks and books included.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::admin;
use crate::books::{self, Books};
use crate::call::Call;
use crate::fault::{End, Fault, Plan};
use crate::hubspot::HubSpot;
use crate::mailchimp::Mailchimp;
use crate::netsuite::NetSuite;
use crate::options::{Kind, Limits, Options, Property, WebhookTarget};
use crate::person::{Edit, EditError};
use crate::request::{Answer, Manner, Request, Response, empty, typed};
use crate::salesforce::Salesforce;
use crate::sink::Sink;
use crate::system::{Desk, Refusal, Stay, System};
use crate::webhook::Delivery;

/// One outside system.
pub struct World {
    kind: Kind,
    desk: Desk,
    system: Box<dyn System>,
    in_service: BTreeMap<u64, Option<u64>>,
    tickets: u64,
    late: BTreeMap<(u64, u64), Request>,
    changes: u64,
}

/// What happened to a request, before it is put on the wire.
struct Decided {
    response: Response,
    manner: Manner,
    /// Whether the answer belongs to the caller's idempotency key.
    keep: bool,
}

impl World {
    /// A fresh system.
    pub fn new(kind: Kind, options: Options) -> Self {
        let mut desk = Desk::new(kind, options);
        let mut system: Box<dyn System> = match kind {
            Kind::HubSpot => Box::new(HubSpot::new(&mut desk)),
            Kind::Salesforce => Box::new(Salesforce::new(&mut desk)),
            Kind::NetSuite => Box::new(NetSuite::new(&mut desk)),
            Kind::Mailchimp => Box::new(Mailchimp::new(&mut desk)),
            Kind::Sink => Box::new(Sink::new(&desk)),
        };
        for property in desk.options.properties.clone() {
            // A fresh shelf has no objects that could break a declaration.
            drop(system.define(&mut desk, property));
        }
        let target = desk.options.webhook.clone();
        let mut world = Self {
            kind,
            desk,
            system,
            in_service: BTreeMap::new(),
            tickets: 0,
            late: BTreeMap::new(),
            changes: 0,
        };
        world.set_webhook(target, 0);
        world
    }

    /// Which system this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Serves one request that arrived at `now_ms` (milliseconds since 1970), faults and quotas applied.
    pub fn serve(&mut self, request: &Request, now_ms: u64) -> Answer {
        self.advance(now_ms);
        let before = self.changes + self.desk.outbox.sequence();
        if admin::is_for(request.uri().path()) {
            let response = admin::serve(self, request, now_ms);
            let manner = Manner::Whole { after_ms: 0 };
            let wake = before != self.changes + self.desk.outbox.sequence();
            return Answer { response, manner, ticket: None, wake };
        }
        let path = request.uri().path();
        let about = (request.method().as_str(), path, request.body().as_ref());
        let plan = self.desk.faults.plan(about, now_ms, &mut self.desk.entropy);
        let expired = plan.expire && !self.system.expire_tokens();
        let rules = &plan.rules;
        let call = Call {
            request,
            now_ms,
            partial: plan.partial,
            failed_job: plan.failed_job,
            rules,
            late: false,
            expired,
        };
        let operation = self.system.operation(&call);
        let decided = self.decide(&call, &plan);
        let stay = self.stay(decided.manner, decided.response.body().len(), now_ms);
        if decided.keep {
            self.system.after(&mut self.desk, &call, &decided.response, stay);
        }
        if decided.manner != Manner::Refused {
            let seen = matches!(decided.manner, Manner::Whole { .. } | Manner::Drip { .. });
            let status = if seen { decided.response.status().as_u16() } else { 0 };
            self.desk.log.call(now_ms, operation, status);
        }
        let ticket = stay.map(|stay| stay.ticket);
        let wake = before != self.changes + self.desk.outbox.sequence();
        Answer { response: decided.response, manner: decided.manner, ticket, wake }
    }

    /// The caller of a request with this ticket has gone. A planned answer keeps its place in service, as the vendor
    /// works on; only a request that would never end makes room.
    pub fn finished(&mut self, ticket: u64, now_ms: u64) {
        if self.in_service.get(&ticket).is_some_and(Option::is_none) {
            self.in_service.remove(&ticket);
            self.system.finished(ticket, now_ms);
        }
    }

    /// Lets time pass: late effects that are due happen now.
    pub fn advance(&mut self, now_ms: u64) {
        while let Some(entry) = self.late.first_entry() {
            let (due_ms, _) = *entry.key();
            if due_ms > now_ms {
                break;
            }
            let request = entry.remove();
            let call = Call {
                request: &request,
                now_ms: due_ms,
                partial: None,
                failed_job: None,
                rules: &[],
                late: true,
                expired: false,
            };
            if self.system.before(&mut self.desk, &call).is_none() {
                let response = self.system.serve(&mut self.desk, &call);
                self.system.after(&mut self.desk, &call, &response, None);
            }
        }
    }

    /// When [`World::advance`] or [`World::take_webhooks`] has something to do next.
    pub fn next_wakeup(&self) -> Option<u64> {
        let late = self.late.first_key_value().map(|((due_ms, _), _)| *due_ms);
        late.into_iter().chain(self.desk.outbox.next_due()).min()
    }

    /// Whether the port refuses connections now.
    pub fn refusing(&self, now_ms: u64) -> bool {
        self.desk.faults.refusing(now_ms)
    }

    /// Counts that the port went away for a while.
    pub(crate) fn port_refused(&mut self) {
        self.desk.faults.note("refuse");
    }

    /// Webhook requests to send now; answer each with [`World::webhook_answered`].
    pub fn take_webhooks(&mut self, now_ms: u64) -> Vec<Delivery> {
        let most = if self.kind == Kind::HubSpot { 100 } else { 1 };
        let mut deliveries = Vec::new();
        for (id, batch) in self.desk.outbox.take_due(now_ms, most) {
            match self.system.webhook(&self.desk, &batch, now_ms) {
                Ok(request) => deliveries.push(Delivery { id, request }),
                Err(_) => self.webhook_answered(id, None, now_ms),
            }
        }
        deliveries
    }

    /// Books how a webhook request went: the status, or `None` when no answer came.
    pub fn webhook_answered(&mut self, id: u64, status: Option<u16>, now_ms: u64) {
        let jitter = self.desk.entropy.next();
        self.desk.outbox.answered(id, status, now_ms, &self.desk.options.limits, jitter);
    }

    /// Sends webhooks to this target from now on; `None` stops them. Mailchimp's is looked up with GET first.
    pub fn set_webhook(&mut self, target: Option<WebhookTarget>, now_ms: u64) {
        self.changes += 1;
        self.desk.outbox.aim(target, self.kind == Kind::Mailchimp, now_ms);
    }

    /// Puts a fault in force and returns its number.
    pub fn add_fault(&mut self, fault: Fault) -> u64 {
        self.changes += 1;
        self.desk.faults.add(fault)
    }

    /// Ends a fault; false when there is none of that number.
    pub fn remove_fault(&mut self, id: u64) -> bool {
        self.changes += 1;
        self.desk.faults.remove(id)
    }

    /// Ends all faults.
    pub fn clear_faults(&mut self) {
        self.changes += 1;
        self.desk.faults.clear();
    }

    /// Faults in force by number.
    pub fn faults(&self) -> BTreeMap<u64, Fault> {
        self.desk.faults.active().map(|(id, fault)| (id, fault.clone())).collect()
    }

    /// Makes a person's edit, webhooks included, and returns the object's id.
    ///
    /// # Errors
    /// When there is no such object, or the vendor's own screens would refuse the edit.
    pub fn person(&mut self, edit: Edit, now_ms: u64) -> Result<String, EditError> {
        self.advance(now_ms);
        self.system.edit(&mut self.desk, edit, now_ms)
    }

    /// Declares a property (CRM).
    ///
    /// # Errors
    /// A reason, when live objects already share a value of a property to be unique, or the system has none.
    pub fn define_property(&mut self, property: Property) -> Result<(), String> {
        self.system.define(&mut self.desk, property)
    }

    /// Issued access tokens die; asking again brings new ones. False when the system has only a standing credential.
    pub fn expire_tokens(&mut self) -> bool {
        self.system.expire_tokens()
    }

    /// Refuses the credential itself, or honours it again.
    pub fn revoke_credential(&mut self, revoked: bool) {
        self.system.revoke(revoked);
    }

    /// Quotas, delays and lags in force.
    pub fn limits(&self) -> &Limits {
        &self.desk.options.limits
    }

    /// Changes quotas, delays and lags.
    pub fn set_limits(&mut self, limits: Limits) {
        self.desk.shelf.lag_ms = limits.index_lag_ms;
        self.desk.options.limits = limits;
    }

    /// A copy of everything the oracle may ask, histories included.
    pub fn books(&self) -> Books {
        self.read_books(true)
    }

    /// The books without histories: cheaper where many objects are held.
    pub fn books_without_history(&self) -> Books {
        self.read_books(false)
    }

    /// The most calls in any window of this length, of one operation or of all (I9).
    pub fn busiest(&self, window_ms: u64, operation: Option<&str>) -> u64 {
        self.desk.log.busiest(window_ms, operation)
    }

    /// When calls came and what they asked, oldest first; the last million at most.
    pub fn call_times(&self) -> Vec<(u64, &'static str)> {
        self.desk.log.times().collect()
    }

    fn read_books(&self, history: bool) -> Books {
        let desk = &self.desk;
        Books {
            account: desk.options.account.clone(),
            objects: desk.shelf.copy(history),
            duplicates: books::duplicates(&desk.shelf, &desk.options.business_id),
            backwards: books::backwards(&desk.shelf),
            effects: desk.log.effects(),
            calls: desk.log.calls(),
            webhooks: desk.outbox.book(),
            faults: desk.faults.fired().iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
            lanes: self.system.lanes(),
        }
    }

    fn decide(&mut self, call: &Call<'_>, plan: &Plan) -> Decided {
        let after_ms = plan.delay_ms + self.desk.options.limits.service_ms;
        let manner = match plan.drip {
            Some((chunk, every_ms)) => Manner::Drip { after_ms, chunk, every_ms },
            None => Manner::Whole { after_ms },
        };
        let cut = |response| Decided { response, manner: Manner::Reset { after_ms }, keep: false };
        match &plan.end {
            Some(End::Refused) => {
                return Decided { response: empty(503), manner: Manner::Refused, keep: false };
            }
            Some(End::Reset) => return cut(empty(503)),
            _ => {}
        }
        if self.crowded(call.now_ms) {
            let response = self.system.refuse(&mut self.desk, Refusal::Crowded);
            return Decided { response, manner: Manner::Whole { after_ms: 0 }, keep: false };
        }
        let refused = |response| Decided { response, manner, keep: false };
        match plan.end {
            Some(End::Throttle { retry_after_s }) => {
                refused(self.system.refuse(&mut self.desk, Refusal::Throttled { retry_after_s }))
            }
            Some(End::Overload) => {
                refused(typed(403, "text/html", "<html><body><h1>Forbidden</h1></body></html>"))
            }
            Some(End::ErrorBefore(status)) => {
                let response = self.system.refuse(&mut self.desk, Refusal::Broken(status));
                Decided { response, manner, keep: true }
            }
            Some(End::Late { ms, answer }) => {
                self.changes += 1;
                self.late.insert((call.now_ms + ms, self.changes), call.request.clone());
                let response = self.system.refuse(&mut self.desk, Refusal::Broken(504));
                if answer { refused(response) } else { cut(response) }
            }
            Some(End::Hang { effect: false }) => {
                Decided { response: empty(503), manner: Manner::Never, keep: false }
            }
            _ => self.take_effect(call, plan, manner),
        }
    }

    fn take_effect(&mut self, call: &Call<'_>, plan: &Plan, manner: Manner) -> Decided {
        let known = self.system.before(&mut self.desk, call);
        let keep = known.is_none();
        let response = match known {
            Some(response) => response,
            None => self.system.serve(&mut self.desk, call),
        };
        let after_ms = match manner {
            Manner::Whole { after_ms } | Manner::Drip { after_ms, .. } => after_ms,
            _ => 0,
        };
        match plan.end {
            Some(End::Hang { .. }) => Decided { response, manner: Manner::Never, keep },
            Some(End::LostAnswer) => Decided { response, manner: Manner::Reset { after_ms }, keep },
            Some(End::ErrorAfter(status)) => {
                let response = self.system.refuse(&mut self.desk, Refusal::Broken(status));
                Decided { response, manner, keep }
            }
            _ => Decided { response, manner, keep },
        }
    }

    /// Whether one more request would be too many; counts it among the most if not.
    fn crowded(&mut self, now_ms: u64) -> bool {
        if !self.in_service.is_empty() {
            self.in_service.retain(|_, end| end.is_none_or(|end| end > now_ms));
        }
        let busy = self.in_service.len() as u64;
        let limit = self.desk.options.limits.concurrency;
        if limit > 0 && busy >= limit {
            return true;
        }
        self.desk.log.peak = self.desk.log.peak.max(busy + 1);
        false
    }

    fn stay(&mut self, manner: Manner, length: usize, now_ms: u64) -> Option<Stay> {
        let until_ms = match manner {
            Manner::Whole { after_ms: 0 } | Manner::Reset { after_ms: 0 } | Manner::Refused => return None,
            Manner::Whole { after_ms } | Manner::Reset { after_ms } => Some(now_ms + after_ms),
            Manner::Drip { after_ms, chunk, every_ms } => {
                Some(now_ms + after_ms + length.div_ceil(chunk) as u64 * every_ms)
            }
            Manner::Never => None,
        };
        self.tickets += 1;
        self.in_service.insert(self.tickets, until_ms);
        Some(Stay { ticket: self.tickets, until_ms })
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("World")
            .field("kind", &self.kind)
            .field("desk", &self.desk)
            .finish_non_exhaustive()
    }
}
