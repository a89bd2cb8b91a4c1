//! A record's timeline: facts, decisions, obligations, intents and attempts, in the order of time.

use canonical::Wall;
use serde::Serialize;
use store::browse::RecordSheet;

use crate::keys;
use crate::rows::time;

/// One thing that happened.
#[derive(Serialize)]
pub(crate) struct Moment {
    at: String,
    /// `fact`, `decision`, `obligation`, `intent` or `attempt`.
    kind: &'static str,
    /// What happened: an event's kind, a decision, `wanted`, `sending`, `closed`, an outcome.
    what: String,
    /// The system it came from or went to.
    who: String,
    /// For people; no values.
    detail: String,
    /// The id of the event or intent, or the key of the delivery; null for decisions.
    id: Option<String>,
    trace: Option<String>,
}

/// Of moments at one time, causes come before effects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Fact,
    Decision,
    Obligation,
    Intent,
    Attempt,
    Closed,
}

impl Rank {
    const fn kind(self) -> &'static str {
        match self {
            Self::Fact => "fact",
            Self::Decision => "decision",
            Self::Obligation => "obligation",
            Self::Intent | Self::Closed => "intent",
            Self::Attempt => "attempt",
        }
    }
}

/// Puts everything in the order of time.
pub(super) fn timeline(found: &RecordSheet) -> Vec<Moment> {
    let mut moments: Vec<(Wall, Rank, Moment)> = Vec::new();
    facts(found, &mut moments);
    deliveries(found, &mut moments);
    // Within a time and rank the store's order stands, turned around: it gives the newest first.
    moments.reverse();
    moments.sort_by_key(|(at, rank, _)| (*at, *rank));
    moments.into_iter().map(|(_, _, moment)| moment).collect()
}

fn facts(found: &RecordSheet, into: &mut Vec<(Wall, Rank, Moment)>) {
    for fact in &found.facts {
        let changed: Vec<&str> = fact.data.keys().map(String::as_str).collect();
        let detail = format!("version {}: {}", fact.version, changed.join(", "));
        let id = Some(fact.id.to_string());
        into.push(moment(
            fact.at,
            Rank::Fact,
            fact.kind.clone(),
            fact.source.as_str(),
            detail,
            id,
            Some(&fact.trace),
        ));
    }
    for decision in &found.decisions {
        let about = decision.field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default();
        let detail = format!("{about}{} (version {})", decision.rule, decision.version);
        let what = decision.kind.name().to_owned();
        into.push(moment(decision.at, Rank::Decision, what, decision.system.as_str(), detail, None, None));
    }
}

fn deliveries(found: &RecordSheet, into: &mut Vec<(Wall, Rank, Moment)>) {
    for row in &found.obligations {
        let detail =
            format!("{} of {} by {}; now {}", row.wanted, row.object, row.key.route, row.state.name());
        let (system, id) = (row.system.as_str(), Some(keys::shown(&row.key)));
        into.push(moment(
            row.raised_at,
            Rank::Obligation,
            "wanted".to_owned(),
            system,
            detail,
            id,
            Some(&row.trace),
        ));
    }
    for intent in &found.intents {
        let (system, id) = (intent.system.as_str(), || Some(intent.id.to_string()));
        let detail = format!("{} {} with {}", intent.operation, intent.object, intent.level);
        into.push(moment(
            intent.created_at,
            Rank::Intent,
            "sending".to_owned(),
            system,
            detail,
            id(),
            Some(&intent.trace),
        ));
        let Some(closed) = intent.closed_at else { continue };
        let what = intent.outcome.map_or("closed", ledger::Class::name).to_owned();
        let said = intent.reason.as_ref().map(|reason| format!(": {}", reason.message)).unwrap_or_default();
        let detail = format!("{} {} with {}{said}", intent.operation, intent.object, intent.level);
        into.push(moment(closed, Rank::Closed, what, system, detail, id(), Some(&intent.trace)));
    }
    for attempt in &found.attempts {
        let detail = format!(
            "{}{} took {} ms: {}",
            if attempt.probe { "probe of " } else { "" },
            attempt.operation,
            attempt.took_ms,
            attempt.reason.message
        );
        let (what, id) = (attempt.class.name().to_owned(), Some(attempt.intent.to_string()));
        into.push(moment(attempt.at, Rank::Attempt, what, attempt.system.as_str(), detail, id, None));
    }
}

fn moment(
    at: Wall,
    rank: Rank,
    what: String,
    who: &str,
    detail: String,
    id: Option<String>,
    trace: Option<&String>,
) -> (Wall, Rank, Moment) {
    let trace = trace.filter(|trace| !trace.is_empty()).cloned();
    let moment = Moment { at: time(at), kind: rank.kind(), what, who: who.to_owned(), detail, id, trace };
    (at, rank, moment)
}
