//! Effects, performed. Each answer goes back to the machine that asked, as an input.

use std::sync::Arc;

use canonical::{Mono, System};
use connector::{Failure, FailureKind, Reached, Request, Response};
use hub::retention::Archive;
use hub::{Effect, Input, MachineId, Ticket};
use ledger::IntentState;
use store::rules::{Urgency, urgency};
use store::{Op, Receipt, StoreError, Unit};

use crate::archive;
use crate::credential;
use crate::options::CrashPoint;
use crate::ports::AuthoriseError;
use crate::shared::{Ended, Shared};

/// Performs one effect of machine `of`.
pub(crate) fn perform(of: &MachineId, effect: Effect, shared: &Arc<Shared>) {
    match effect {
        Effect::Find(ticket, query) => {
            let (to, of) = (Arc::clone(shared), of.clone());
            let reply = Box::new(move |rows| {
                to.post(&of, Input::Found(ticket, rows));
            });
            shared.store.find(query, reply);
        }
        Effect::Commit(ticket, units) => commit(of, ticket, units, shared),
        Effect::Send(ticket, request) => send(of, ticket, request, shared),
        Effect::Authorise(ticket) => authorise(of, ticket, shared),
        Effect::Archive(ticket, archive) => keep(of, ticket, archive, shared),
        Effect::Ack(ticket, ack) => shared.outside.answer(ticket, ack),
        Effect::Offer(offer) => {
            shared.post(&MachineId::Intake, Input::Offer(offer));
        }
        Effect::Tell(whom, notice) => {
            if !shared.post(&whom, Input::Told(notice)) {
                // The rows are durable: whoever drives that machine later finds them.
                let tenant = &shared.tenant;
                tracing::debug!(target: "concord", %tenant, machine = ?whom, "nobody drives the machine that is told");
            }
        }
        Effect::Note(mark) => shared.telemetry.note(&mark),
        Effect::Stop(reason) => shared.end(Ended::Stopped(reason)),
        Effect::Drained => shared.drained(of),
    }
}

fn commit(of: &MachineId, ticket: Ticket, units: Vec<Unit>, shared: &Arc<Shared>) {
    let (to, of) = (Arc::clone(shared), of.clone());
    let point = shared.crash.as_ref().and_then(|_| crash_point(&of, &units));
    let urgency = units.iter().map(urgency).max().unwrap_or(Urgency::Outcome);
    let settled = shared.watches.settled(&units);
    let reply = Box::new(move |receipts: Result<Vec<Receipt>, StoreError>| {
        match &receipts {
            Ok(receipts) => {
                to.watches.tell(settled, receipts);
                if urgency == Urgency::Intake && to.fullness.clear() {
                    let tenant = &to.tenant;
                    tracing::info!(target: "concord", %tenant, class = "disk", "the store's disk has room again; everything goes on");
                }
                let any = receipts.iter().any(|receipt| matches!(receipt, Receipt::Done(_)));
                if let (Some(hook), Some(point), true) = (&to.crash, &point, any) {
                    hook(point);
                }
            }
            Err(error @ StoreError::Full { .. }) => {
                if to.fullness.refuse(to.clock.now().mono) {
                    let detail = error.to_string();
                    let tenant = &to.tenant;
                    tracing::warn!(target: "concord", %tenant, class = "disk", detail, "no room: nothing new is taken in");
                }
            }
            Err(_) => {}
        }
        to.post(&of, Input::Committed(ticket, receipts));
    });
    shared.store.commit(units, reply);
}

/// Writes a file of the archive, beside the tasks that must not wait.
fn keep(of: &MachineId, ticket: Ticket, archive: Archive, shared: &Arc<Shared>) {
    let (to, of) = (Arc::clone(shared), of.clone());
    tokio::task::spawn_blocking(move || {
        let written = archive::write(&to.folder, &archive);
        to.post(&of, Input::Archived(ticket, written));
    });
}

/// The crash point that a commit is, once it is durable.
fn crash_point(of: &MachineId, units: &[Unit]) -> Option<CrashPoint> {
    let mut ops = units.iter().flat_map(|unit| &unit.ops);
    match of {
        MachineId::Intake => ops
            .any(|op| matches!(op, Op::PutMessage(_) | Op::Seen { .. }))
            .then_some(CrashPoint::AcceptCommitted),
        MachineId::Spoke(system) => ops
            .any(|op| matches!(op, Op::PutIntent(intent) if intent.state == IntentState::Open))
            .then(|| CrashPoint::IntentCommitted(system.clone())),
        MachineId::Retention => None,
        MachineId::Jobs => {
            ops.any(|op| matches!(op, Op::PutJob(job) if job.done > 0)).then_some(CrashPoint::PageCommitted)
        }
    }
}

fn send(of: &MachineId, ticket: Ticket, request: Request, shared: &Arc<Shared>) {
    let mut answer =
        Answer { to: Arc::clone(shared), of: of.clone(), ticket, since: shared.clock.now().mono, due: true };
    let MachineId::Spoke(system) = of.clone() else {
        return answer.give(Err(misconfigured("only a spoke may send requests")));
    };
    let network = Arc::clone(&shared.network);
    let point = shared
        .crash
        .as_ref()
        .map(|_| CrashPoint::EffectAnswered { system: system.clone(), operation: request.operation.clone() });
    tokio::spawn(async move {
        let got = network.send(system, request).await;
        if let (Some(hook), Some(point), Ok(_)) = (&answer.to.crash, &point, &got) {
            hook(point);
        }
        answer.give(got);
    });
}

/// The answer that a machine is owed for a request: it comes also when the task that carries the request dies, since
/// a machine would wait for it for ever.
struct Answer {
    to: Arc<Shared>,
    of: MachineId,
    ticket: Ticket,
    since: Mono,
    due: bool,
}

impl Answer {
    fn give(&mut self, answer: Result<Response, Failure>) {
        self.due = false;
        let took = self.to.clock.now().mono.since(self.since);
        self.to.post(&self.of, Input::Answered { ticket: self.ticket, answer, took });
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.due {
            let detail =
                "the request was given up inside the hub; whether it arrived is not known".to_owned();
            self.give(Err(Failure {
                reached: Reached::MaybeSent,
                kind: FailureKind::Reset,
                detail,
                wait: None,
            }));
        }
    }
}

fn misconfigured(detail: &str) -> Failure {
    Failure {
        reached: Reached::NotSent,
        kind: FailureKind::Misconfigured,
        detail: detail.to_owned(),
        wait: None,
    }
}

fn authorise(of: &MachineId, ticket: Ticket, shared: &Arc<Shared>) {
    let (to, of) = (Arc::clone(shared), of.clone());
    let MachineId::Spoke(system) = of.clone() else {
        let result = Err(misconfigured("only a spoke has a credential"));
        to.post(&of, Input::Authorised { ticket, result });
        return;
    };
    tokio::spawn(async move {
        let result = fresh_token(&system, &to).await;
        to.post(&of, Input::Authorised { ticket, result });
    });
}

/// Gets a token; makes a rotated credential durable; only then puts the token to use.
async fn fresh_token(system: &System, shared: &Arc<Shared>) -> Result<Result<i64, String>, Failure> {
    let fresh = match Arc::clone(&shared.network).authorise(system.clone()).await {
        Ok(fresh) => fresh,
        Err(AuthoriseError::Refused(why)) => return Ok(Err(why)),
        Err(AuthoriseError::Failed(failure)) => return Err(failure),
    };
    credential::keep(system, fresh.scope, fresh.rotated, shared).await?;
    (fresh.adopt)();
    Ok(Ok(fresh.scope))
}
