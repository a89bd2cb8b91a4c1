//! What every system shares: a desk with the objects, the log and the outbox, and the part each vendor plays.

use http::Request as HttpRequest;

use bytes::Bytes;

use crate::books::Log;
use crate::call::Call;
use crate::entropy::Entropy;
use crate::fault::Faults;
use crate::options::{Kind, Options, Property};
use crate::person::{Edit, EditError};
use crate::request::Response;
use crate::shelf::{Shelf, text_of};
use crate::webhook::{Batch, Outbox};

/// What a vendor works with.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) options: Options,
    pub(crate) entropy: Entropy,
    pub(crate) shelf: Shelf,
    pub(crate) log: Log,
    pub(crate) faults: Faults,
    pub(crate) outbox: Outbox,
    next_id: u64,
}

/// How long a request stays in service after it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) ticket: u64,
    /// `None`: until the caller goes.
    pub(crate) until_ms: Option<u64>,
}

/// Why a request is turned away before the vendor's own code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A throttle fault.
    Throttled { retry_after_s: Option<u64> },
    /// Too many requests in service.
    Crowded,
    /// An error fault.
    Broken(u16),
}

/// A vendor.
pub(crate) trait System: Send {
    /// Names the operation a request asks for, for the log.
    fn operation(&self, call: &Call<'_>) -> &'static str;

    /// Serves one request with all its effects.
    fn serve(&mut self, desk: &mut Desk, call: &Call<'_>) -> Response;

    /// Says no in the vendor's words.
    fn refuse(&mut self, desk: &mut Desk, refusal: Refusal) -> Response;

    /// Makes a person's edit and returns the object's id.
    fn edit(&mut self, desk: &mut Desk, edit: Edit, now_ms: u64) -> Result<String, EditError>;

    /// Builds the request that carries a batch of events.
    fn webhook(&self, desk: &Desk, batch: &Batch, now_ms: u64) -> Result<HttpRequest<Bytes>, http::Error>;

    /// Kills issued tokens; false when the vendor has only a standing credential.
    fn expire_tokens(&mut self) -> bool;

    /// Refuses the credential, or honours it again.
    fn revoke(&mut self, revoked: bool);

    /// Declares a property; the reason is the error.
    fn define(&mut self, _desk: &mut Desk, _property: Property) -> Result<(), String> {
        Err("this sandbox takes any field: properties are declared in the CRM only".to_owned())
    }

    /// Looks at a request before it is routed; an answer ends it without effect.
    fn before(&mut self, _desk: &mut Desk, _call: &Call<'_>) -> Option<Response> {
        None
    }

    /// Sees the final answer, and how long the request stays in service.
    fn after(&mut self, _desk: &mut Desk, _call: &Call<'_>, _response: &Response, _stay: Option<Stay>) {}

    /// The caller of a request that never ends has gone.
    fn finished(&mut self, _ticket: u64, _now_ms: u64) {}

    /// Books per lane (the sink).
    fn lanes(&self) -> std::collections::BTreeMap<String, crate::books::LaneBook> {
        std::collections::BTreeMap::new()
    }
}

impl Desk {
    pub(crate) fn new(kind: Kind, options: Options) -> Self {
        // Vendors' ids have different sizes; fixed digits keep numeric and text order the same for long.
        let first = match kind {
            Kind::HubSpot => 50_000_000_001,
            Kind::NetSuite => 100_001,
            Kind::Salesforce | Kind::Mailchimp | Kind::Sink => 1_000_001,
        };
        Self {
            entropy: Entropy::new(options.seed),
            shelf: Shelf::new(options.version_property.clone(), options.limits.index_lag_ms)
                .with_habits(options.habits.clone()),
            log: Log::default(),
            faults: Faults::default(),
            outbox: Outbox::default(),
            next_id: first,
            options,
        }
    }

    /// The next free object id.
    pub(crate) fn fresh_id(&mut self) -> String {
        self.fresh_number().to_string()
    }

    /// The next free number for an id.
    pub(crate) fn fresh_number(&mut self) -> u64 {
        let number = self.next_id;
        self.next_id += 1;
        number
    }

    /// The producer-given id of an object, or its own id marked as such.
    pub(crate) fn business_id(&self, kind: &str, id: &str) -> String {
        self.shelf
            .get(kind, id)
            .and_then(|object| text_of(&object.values, &self.options.business_id))
            .unwrap_or_else(|| format!("#{id}"))
    }
}

/// A time as ISO 8601 in UTC with milliseconds.
pub(crate) fn iso_ms(ms: u64) -> String {
    stamp(ms, "%Y-%m-%dT%H:%M:%S%.3fZ")
}

/// A time in a strftime format, UTC.
pub(crate) fn stamp(ms: u64, format: &str) -> String {
    let time =
        i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    time.strftime(format).to_string()
}

/// Milliseconds of an ISO 8601 time with an offset.
pub(crate) fn parse_iso(text: &str) -> Option<u64> {
    let time: jiff::Timestamp = text.trim().replacen(' ', "T", 1).parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}
