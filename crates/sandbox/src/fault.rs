//! Faults: what goes wrong, when, how often, and for which requests. Seeded draws choose, so a run repeats.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::entropy::Entropy;

/// One fault in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Only requests with this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only requests whose path contains this text.
    #[serde(default)]
    pub path: Option<String>,
    /// Only requests whose body holds this text: with `error_before` and 400 a record that is refused, and with it
    /// every batch that it is in.
    #[serde(default)]
    pub body: Option<String>,
    /// Probability per matching request or event, 0 to 1.
    #[serde(default = "always")]
    pub chance: f64,
    /// Fires at most this often, then is over.
    #[serde(default)]
    pub count: Option<u64>,
    /// In force from this time.
    #[serde(default)]
    pub from_ms: Option<u64>,
    /// In force before this time.
    #[serde(default)]
    pub until_ms: Option<u64>,
}

/// What goes wrong. In JSON: `{"kind": "slow", "ms": 500}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The port refuses connections; scope and chance do not apply. Set over HTTP it needs an end, since the admin
    /// API is away too.
    Refuse,
    /// The connection is cut on arrival, without effect.
    Reset,
    /// The answer comes this much later.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// No answer ever comes.
    Hang {
        /// Whether the request takes effect all the same.
        #[serde(default)]
        effect: bool,
    },
    /// The body trickles.
    Drip {
        /// Bytes per piece.
        #[serde(default = "one")]
        chunk: usize,
        /// Milliseconds between pieces.
        every_ms: u64,
    },
    /// 429 in the vendor's words, without effect.
    Throttle {
        /// `Retry-After`, if one is sent.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// A bare 403 without JSON, as Mailchimp answers under load; without effect.
    Overload,
    /// A 5xx before the effect.
    ErrorBefore {
        /// The status.
        #[serde(default = "internal")]
        status: u16,
    },
    /// A 5xx after the effect.
    ErrorAfter {
        /// The status.
        #[serde(default = "internal")]
        status: u16,
    },
    /// The effect stands, the connection is cut before the answer.
    LostAnswer,
    /// The connection is cut at once, or answered with 504; the effect comes later.
    LateEffect {
        /// How much later.
        ms: u64,
        /// Whether a 504 is sent in place of a cut.
        #[serde(default)]
        answer: bool,
    },
    /// Some records of a batch fail, the rest take effect.
    PartialBatch {
        /// Probability per record, 0 to 1.
        #[serde(default = "half")]
        share: f64,
    },
    /// A job that is closed ends before its time (the Salesforce-shaped CRM).
    FailedJob {
        /// After this share of its records, 0 to 1.
        #[serde(default = "half")]
        share: f64,
    },
    /// A rule of the customer's own refuses each record that holds the fault's `body`, with these words; other records
    /// of a collection take effect. The Salesforce-shaped CRM has such rules.
    Rule {
        /// What the rule says.
        message: String,
    },
    /// Issued access tokens die before the request is looked at. A system with a standing credential answers
    /// 401 once.
    ExpireTokens,
    /// A webhook event is sent again after this time.
    WebhookDuplicate {
        /// Milliseconds until the second.
        #[serde(default)]
        ms: u64,
    },
    /// A webhook event is held back, so that later ones overtake it.
    WebhookReorder {
        /// Milliseconds held.
        ms: u64,
    },
    /// A webhook event is never sent.
    WebhookDrop,
}

/// Faults in force, and how often each kind fired.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    active: BTreeMap<u64, Fault>,
    next: u64,
    fired: BTreeMap<&'static str, u64>,
}

/// What the faults make of one request.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) delay_ms: u64,
    pub(crate) drip: Option<(usize, u64)>,
    pub(crate) partial: Option<f64>,
    pub(crate) failed_job: Option<f64>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) expire: bool,
    pub(crate) end: Option<End>,
}

/// A rule that refuses the records which hold a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) holds: String,
    pub(crate) message: String,
}

/// How a request ends when a fault decides it; the first that fires wins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    Refused,
    Reset,
    Hang { effect: bool },
    Throttle { retry_after_s: Option<u64> },
    Overload,
    ErrorBefore(u16),
    ErrorAfter(u16),
    LostAnswer,
    Late { ms: u64, answer: bool },
}

/// What the faults make of one webhook event.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) dropped: bool,
    pub(crate) held_ms: u64,
    pub(crate) again_ms: Option<u64>,
}

impl Fault {
    /// A fault for every request, without end.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            method: None,
            path: None,
            body: None,
            chance: 1.0,
            count: None,
            from_ms: None,
            until_ms: None,
        }
    }

    /// Only for requests with this method whose path contains this text.
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path = Some(path.to_owned());
        self
    }

    /// Only for requests whose body holds this text.
    #[must_use]
    pub fn holding(mut self, text: &str) -> Self {
        self.body = Some(text.to_owned());
        self
    }

    /// At most this often.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// With this probability.
    #[must_use]
    pub fn chance(mut self, chance: f64) -> Self {
        self.chance = chance;
        self
    }

    /// Until this time.
    #[must_use]
    pub fn until(mut self, until_ms: u64) -> Self {
        self.until_ms = Some(until_ms);
        self
    }

    fn due(&self, now_ms: u64) -> bool {
        self.from_ms.is_none_or(|from| now_ms >= from)
            && self.until_ms.is_none_or(|until| now_ms < until)
            && self.count != Some(0)
    }

    fn over(&self, now_ms: u64) -> bool {
        self.count == Some(0) || self.until_ms.is_some_and(|until| now_ms >= until)
    }

    fn covers(&self, method: &str, path: &str, body: &[u8]) -> bool {
        let holds =
            |text: &str| text.is_empty() || body.windows(text.len()).any(|part| part == text.as_bytes());
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path.as_deref().is_none_or(|wanted| path.contains(wanted))
            && self.body.as_deref().is_none_or(holds)
            // Only a batch can fail in part.
            && (!matches!(self.kind, FaultKind::PartialBatch { .. }) || path.contains("/batch") || path.contains("/composite/"))
            && (!matches!(self.kind, FaultKind::FailedJob { .. }) || closes_job(method, body))
    }
}

impl FaultKind {
    /// The name used in JSON and in the counts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Slow { .. } => "slow",
            Self::Hang { .. } => "hang",
            Self::Drip { .. } => "drip",
            Self::Throttle { .. } => "throttle",
            Self::Overload => "overload",
            Self::ErrorBefore { .. } => "error_before",
            Self::ErrorAfter { .. } => "error_after",
            Self::LostAnswer => "lost_answer",
            Self::LateEffect { .. } => "late_effect",
            Self::PartialBatch { .. } => "partial_batch",
            Self::FailedJob { .. } => "failed_job",
            Self::Rule { .. } => "rule",
            Self::ExpireTokens => "expire_tokens",
            Self::WebhookDuplicate { .. } => "webhook_duplicate",
            Self::WebhookReorder { .. } => "webhook_reorder",
            Self::WebhookDrop => "webhook_drop",
        }
    }

    fn of_webhooks(&self) -> bool {
        matches!(self, Self::WebhookDuplicate { .. } | Self::WebhookReorder { .. } | Self::WebhookDrop)
    }

    fn end(&self) -> Option<End> {
        Some(match self {
            Self::Refuse => End::Refused,
            Self::Reset => End::Reset,
            Self::Hang { effect } => End::Hang { effect: *effect },
            Self::Throttle { retry_after_s } => End::Throttle { retry_after_s: *retry_after_s },
            Self::Overload => End::Overload,
            Self::ErrorBefore { status } => End::ErrorBefore(*status),
            Self::ErrorAfter { status } => End::ErrorAfter(*status),
            Self::LostAnswer => End::LostAnswer,
            Self::LateEffect { ms, answer } => End::Late { ms: *ms, answer: *answer },
            _ => return None,
        })
    }
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> u64 {
        self.next += 1;
        self.active.insert(self.next, fault);
        self.next
    }

    pub(crate) fn remove(&mut self, id: u64) -> bool {
        self.active.remove(&id).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    pub(crate) fn active(&self) -> impl Iterator<Item = (u64, &Fault)> {
        self.active.iter().map(|(id, fault)| (*id, fault))
    }

    pub(crate) fn fired(&self) -> &BTreeMap<&'static str, u64> {
        &self.fired
    }

    pub(crate) fn note(&mut self, kind: &'static str) {
        *self.fired.entry(kind).or_default() += 1;
    }

    /// Whether the port refuses connections now.
    pub(crate) fn refusing(&self, now_ms: u64) -> bool {
        self.active.values().any(|fault| fault.kind == FaultKind::Refuse && fault.due(now_ms))
    }

    /// Draws what happens to one request.
    pub(crate) fn plan(
        &mut self,
        (method, path, body): (&str, &str, &[u8]),
        now_ms: u64,
        entropy: &mut Entropy,
    ) -> Plan {
        let mut plan = Plan::default();
        if self.active.is_empty() {
            return plan;
        }
        for fault in self.active.values_mut() {
            let is_end = fault.kind.end().is_some();
            if fault.kind.of_webhooks() || !fault.due(now_ms) || (is_end && plan.end.is_some()) {
                continue;
            }
            let refuse = fault.kind == FaultKind::Refuse;
            if !refuse && (!fault.covers(method, path, body) || !entropy.chance(fault.chance)) {
                continue;
            }
            match &fault.kind {
                FaultKind::Slow { ms } => plan.delay_ms += ms,
                FaultKind::Drip { chunk, every_ms } => plan.drip = Some(((*chunk).max(1), *every_ms)),
                FaultKind::PartialBatch { share } => plan.partial = Some(*share),
                FaultKind::FailedJob { share } => plan.failed_job = Some(*share),
                FaultKind::Rule { message } => plan
                    .rules
                    .push(Rule { holds: fault.body.clone().unwrap_or_default(), message: message.clone() }),
                FaultKind::ExpireTokens => plan.expire = true,
                other => plan.end = other.end(),
            }
            fault.count = fault.count.map(|count| count.saturating_sub(1));
            *self.fired.entry(fault.kind.name()).or_default() += 1;
        }
        self.active.retain(|_, fault| !fault.over(now_ms));
        plan
    }

    /// Draws what happens to one webhook event.
    pub(crate) fn parcel(&mut self, now_ms: u64, entropy: &mut Entropy) -> Parcel {
        let mut parcel = Parcel::default();
        for fault in self.active.values_mut().filter(|fault| fault.kind.of_webhooks()) {
            if !fault.due(now_ms) || !entropy.chance(fault.chance) {
                continue;
            }
            match fault.kind {
                FaultKind::WebhookDuplicate { ms } => parcel.again_ms = Some(ms),
                FaultKind::WebhookReorder { ms } => parcel.held_ms += ms,
                _ => parcel.dropped = true,
            }
            fault.count = fault.count.map(|count| count.saturating_sub(1));
            *self.fired.entry(fault.kind.name()).or_default() += 1;
        }
        parcel
    }
}

/// Whether a request closes a job.
fn closes_job(method: &str, body: &[u8]) -> bool {
    method == "PATCH" && body.windows(14).any(|part| part == b"UploadComplete")
}

fn always() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}

fn one() -> usize {
    1
}

fn internal() -> u16 {
    500
}
