//! The routes, and what their handlers share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use canonical::System;
use connector::Connector;
use guard::Secret;
use http::request::Parts;
use hub::Busy;
use runtime::Handle;
use telemetry::Refused;
use web::body::{self, Bound, Held, Room};
use web::{Access, Problem, Route, Routes, Scope, kinds};

use crate::keys::Keys;
use crate::options::{Limits, Options};
use crate::pace::Pace;
use crate::{events, health, webhook};

/// The public listener's routes.
pub struct Ingress {
    router: Router,
    inventory: Vec<Route>,
    memory: Memory,
}

/// What outlives a change of the configuration.
#[derive(Clone)]
struct Memory {
    /// Idempotency keys, so that a request that is sent again is known.
    keys: Keys,
    /// What all bodies together may take, those that are being read included.
    room: Room,
}

/// What handlers share.
pub(crate) struct App {
    pub(crate) hub: Handle,
    pub(crate) public_url: String,
    pub(crate) limits: Limits,
    pub(crate) sources: BTreeMap<String, Pusher>,
    pub(crate) speakers: BTreeMap<System, Speaker>,
    /// The systems that a post may wait for.
    pub(crate) systems: BTreeSet<System>,
    pub(crate) keys: Keys,
    /// What all bodies together may take.
    pub(crate) room: Room,
}

/// A source that pushes, at work.
pub(crate) struct Pusher {
    pub(crate) system: System,
    pub(crate) connector: Arc<Connector>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) pace: Pace,
    /// How many of its requests were refused as not authentic: the first and every hundredth are logged.
    pub(crate) forged: std::sync::atomic::AtomicU64,
}

/// A system in whose name events are posted.
pub(crate) struct Speaker {
    pub(crate) connector: Arc<Connector>,
    pub(crate) pace: Pace,
}

impl Ingress {
    /// Builds the routes.
    #[must_use]
    pub fn new(options: Options, hub: Handle) -> Self {
        let limits = options.limits;
        let keys = Keys::new(limits.keys_max, limits.keys_for);
        Self::with(options, hub, Memory { keys, room: Room::new(limits.bodies_bytes_max) })
    }

    /// Builds the routes anew for another configuration: what was remembered of requests is kept.
    #[must_use]
    pub fn again(&self, options: Options, hub: Handle) -> Self {
        Self::with(options, hub, self.memory.clone())
    }

    fn with(options: Options, hub: Handle, memory: Memory) -> Self {
        let (limits, now) = (options.limits, hub.now().mono);
        let pace = || Pace::new(limits.rate_per_second, limits.burst, now);
        let sources = options.sources.into_iter().map(|(path, source)| {
            let (system, connector, secrets) = (source.system, source.connector, source.secrets);
            (
                path,
                Pusher {
                    system,
                    connector,
                    secrets,
                    pace: pace(),
                    forged: std::sync::atomic::AtomicU64::new(0),
                },
            )
        });
        let speakers = options.speakers.into_iter();
        let app = Arc::new(App {
            hub: hub.clone(),
            public_url: options.public_url,
            limits,
            sources: sources.collect(),
            speakers: speakers
                .map(|(system, connector)| (system, Speaker { connector, pace: pace() }))
                .collect(),
            systems: options.systems,
            keys: memory.keys.clone(),
            room: memory.room.clone(),
        });
        let routes = Routes::new(hub, options.tokens)
            .post("/v1/webhooks/{path}", Access::Signed, webhook::plain)
            .post("/v1/webhooks/{path}/{secret}", Access::Signed, webhook::secret)
            .get("/v1/webhooks/{path}", Access::Signed, webhook::greet)
            .get("/v1/webhooks/{path}/{secret}", Access::Signed, webhook::greet_secret)
            .post("/v1/events", Access::Token(Scope::Ingest), events::post)
            .get("/healthz", Access::Open("says only that the process answers"), health::alive)
            .get(
                "/readyz",
                Access::Open("says only whether messages are taken; load balancers ask it"),
                health::ready,
            );
        let inventory = routes.inventory().to_vec();
        Self { router: routes.build(app), inventory, memory }
    }

    /// The router, for [`web::serve`].
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Every route, with who may call it.
    #[must_use]
    pub fn inventory(&self) -> &[Route] {
        &self.inventory
    }
}

impl App {
    /// Counts a refusal.
    pub(crate) fn refused(&self, source: Option<&System>, reason: Refused) {
        self.hub.telemetry().note_refused(source, reason);
    }

    /// One more request of a source, if its rate allows.
    pub(crate) fn paced(&self, source: &System, pace: &Pace) -> Result<(), Problem> {
        pace.take(self.hub.now().mono).map_err(|wait| {
            self.refused(Some(source), Refused::RateLimited);
            let limits = self.limits;
            let detail = format!(
                "source `{source}` may send {} requests per second, {} at once",
                limits.rate_per_second, limits.burst
            );
            Problem::new(kinds::RATE_LIMITED, detail).retry_after(wait)
        })
    }

    /// The hub took nothing.
    pub(crate) fn busy(&self, source: &System, busy: Busy) -> Problem {
        let (reason, kind) =
            if busy.backlog { (Refused::Backlog, kinds::BACKLOG) } else { (Refused::Busy, kinds::BUSY) };
        self.refused(Some(source), reason);
        Problem::new(kind, busy.why).retry_after(busy.retry_after)
    }

    /// Reads a body within all bounds. Its room is taken while the second part lives.
    pub(crate) async fn body(
        &self,
        source: &System,
        parts: &Parts,
        raw: Body,
    ) -> Result<(Bytes, Held), Problem> {
        let bound = Bound { bytes_max: self.limits.body_bytes_max, within: self.limits.body_within };
        let read = body::read_in(&parts.headers, raw, bound, &self.room).await;
        read.map_err(|problem| self.unread(source, problem))
    }

    /// Counts why a body could not be read.
    pub(crate) fn unread(&self, source: &System, problem: Problem) -> Problem {
        let reason = match problem.kind() {
            kind if kind == kinds::TOO_LARGE => Refused::TooLarge,
            kind if kind == kinds::SLOW => Refused::Slow,
            kind if kind == kinds::BUSY => Refused::Busy,
            _ => Refused::Malformed,
        };
        self.refused(Some(source), reason);
        problem
    }
}
