//! The outbox of webhooks: events gathered into batches, retried with backoff, bounded, and never sent by itself:
//! a driver takes what is due, sends it, and tells how it went.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use crate::books::WebhookBook;
use crate::fault::Parcel;
use crate::options::{Limits, WebhookTarget};

/// Events kept while the receiver is away; beyond it new ones are lost and counted.
const QUEUE: usize = 200_000;
/// Requests on their way at once, as HubSpot sends them.
const IN_FLIGHT: usize = 10;
/// Longest pause between attempts.
const BACKOFF_MAX_MS: u64 = 60_000;

/// A webhook request for the driver to send.
#[derive(Debug)]
pub struct Delivery {
    /// Give it back to [`World::webhook_answered`](crate::World::webhook_answered).
    pub id: u64,
    /// The whole request, with an absolute URI.
    pub request: http::Request<Bytes>,
}

/// Events that travel in one request.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Value>,
    /// Attempts made before this one.
    pub(crate) attempt: u32,
    /// A look whether the URL answers at all, in place of events.
    pub(crate) validation: bool,
}

/// Whether the URL may get events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Standing {
    #[default]
    Unchecked,
    Valid,
}

/// Events waiting and on their way.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    target: Option<WebhookTarget>,
    standing: Standing,
    events: BTreeMap<(u64, u64), Value>,
    waiting: BTreeMap<(u64, u64), Batch>,
    sent: BTreeMap<u64, Batch>,
    sequence: u64,
    book: WebhookBook,
}

impl Outbox {
    pub(crate) fn target(&self) -> Option<&WebhookTarget> {
        self.target.as_ref()
    }

    /// Sends to a new target from now on. With `validate`, a GET must be answered with 2xx before any event is sent,
    /// and events before that are not kept, as the subscription does not exist yet.
    pub(crate) fn aim(&mut self, target: Option<WebhookTarget>, validate: bool, now_ms: u64) {
        self.waiting.retain(|_, batch| !batch.validation);
        self.standing = if validate { Standing::Unchecked } else { Standing::Valid };
        if validate && target.is_some() {
            let batch = Batch { events: Vec::new(), attempt: 0, validation: true };
            self.wait(now_ms, batch);
        }
        self.target = target;
    }

    /// Takes an event of some type, as the faults decided.
    pub(crate) fn emit(&mut self, kind: &str, event: &Value, parcel: Parcel, now_ms: u64, delay_ms: u64) {
        self.book.events += 1;
        let heard = self.standing == Standing::Valid
            && self.target.as_ref().is_some_and(|target| {
                target.events.is_empty() || target.events.iter().any(|wanted| wanted == kind)
            });
        if !heard {
            self.book.unheard += 1;
            return;
        }
        if parcel.dropped || self.events.len() >= QUEUE {
            self.book.given_up += 1;
            return;
        }
        let due_ms = now_ms + delay_ms + parcel.held_ms;
        self.queue(due_ms, event.clone());
        if let Some(again_ms) = parcel.again_ms {
            self.queue(due_ms + again_ms, event.clone());
        }
    }

    /// Batches to send now, each at most `most` events.
    pub(crate) fn take_due(&mut self, now_ms: u64, most: usize) -> Vec<(u64, Batch)> {
        if self.target.is_none() {
            return Vec::new();
        }
        let mut due = Vec::new();
        while self.sent.len() < IN_FLIGHT {
            let retry = self.waiting.first_key_value().map(|(key, _)| *key).filter(|(at, _)| *at <= now_ms);
            let batch = match retry.and_then(|key| self.waiting.remove(&key)) {
                Some(batch) => batch,
                None => match self.gather(now_ms, most) {
                    Some(batch) => batch,
                    None => break,
                },
            };
            self.sequence += 1;
            self.book.sent += 1;
            self.sent.insert(self.sequence, batch.clone());
            due.push((self.sequence, batch));
        }
        due
    }

    /// Books how a request went; `None` is no answer.
    pub(crate) fn answered(
        &mut self,
        id: u64,
        status: Option<u16>,
        now_ms: u64,
        limits: &Limits,
        jitter: u64,
    ) {
        let Some(mut batch) = self.sent.remove(&id) else { return };
        if status.is_some_and(|status| (200..300).contains(&status)) {
            self.book.acked += 1;
            if batch.validation {
                self.standing = Standing::Valid;
            }
            return;
        }
        self.book.failed += 1;
        batch.attempt += 1;
        // A validation is repeated for as long as the target stands: there is no caller to tell.
        if batch.attempt >= limits.webhook_attempts && !batch.validation {
            self.book.given_up += batch.events.len() as u64;
            return;
        }
        let doubled = limits.webhook_backoff_ms.max(1) << (batch.attempt - 1).min(16);
        let pause = doubled.min(BACKOFF_MAX_MS);
        self.wait(now_ms + pause + jitter % (pause / 4 + 1), batch);
    }

    /// When [`Outbox::take_due`] has something next; `None` while nothing waits or too much is on its way.
    pub(crate) fn next_due(&self) -> Option<u64> {
        if self.target.is_none() || self.sent.len() >= IN_FLIGHT {
            return None;
        }
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        let retry = self.waiting.first_key_value().map(|((at, _), _)| *at);
        event.into_iter().chain(retry).min()
    }

    /// Moves with every change of what waits.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn book(&self) -> WebhookBook {
        let under_way: usize =
            self.waiting.values().chain(self.sent.values()).map(|batch| batch.events.len()).sum();
        WebhookBook { pending: (self.events.len() + under_way) as u64, ..self.book.clone() }
    }

    fn queue(&mut self, due_ms: u64, event: Value) {
        self.sequence += 1;
        self.events.insert((due_ms, self.sequence), event);
    }

    fn wait(&mut self, due_ms: u64, batch: Batch) {
        self.sequence += 1;
        self.waiting.insert((due_ms, self.sequence), batch);
    }

    fn gather(&mut self, now_ms: u64, most: usize) -> Option<Batch> {
        let mut events = Vec::new();
        while events.len() < most {
            match self.events.first_key_value() {
                Some(((due_ms, _), _)) if *due_ms <= now_ms => {}
                _ => break,
            }
            events.extend(self.events.pop_first().map(|(_, event)| event));
        }
        (!events.is_empty()).then_some(Batch { events, attempt: 0, validation: false })
    }
}
