//! Ids of what was deleted or changed in a span of time.

use serde_json::{Value, json};

use super::{Outcome, Refused, Salesforce, moment};
use crate::call::Call;
use crate::request::{Response, json as answer};
use crate::system::{Desk, parse_iso};

/// How far back deletions are told [doc].
const BACK_MS: u64 = 15 * 86_400_000;
const MINUTE_MS: u64 = 60_000;

impl Salesforce {
    /// `sobjects/X/deleted/?start=…&end=…`.
    pub(super) fn deleted(&self, desk: &Desk, call: &Call<'_>, kind: &str) -> Outcome<Response> {
        let (from, until) = span(call)?;
        let gone = desk.shelf.all(kind).filter_map(|record| {
            let at = record.archived_ms.filter(|at| (from..until).contains(at))?;
            Some(json!({"id": record.id, "deletedDate": moment(at)}))
        });
        let earliest = call.now_ms.saturating_sub(BACK_MS);
        Ok(answer(
            200,
            &json!({
                "deletedRecords": gone.collect::<Vec<Value>>(), "earliestDateAvailable": moment(earliest),
                "latestDateCovered": moment(until),
            }),
        ))
    }

    /// `sobjects/X/updated/?start=…&end=…`.
    pub(super) fn updated(&self, desk: &Desk, call: &Call<'_>, kind: &str) -> Outcome<Response> {
        let (from, until) = span(call)?;
        let changed =
            desk.shelf.changed_since(kind, from).filter(|record| record.live() && record.updated_ms < until);
        let ids: Vec<&str> = changed.map(|record| record.id.as_str()).collect();
        Ok(answer(200, &json!({"ids": ids, "latestDateCovered": moment(until)})))
    }
}

/// Seconds are ignored [doc].
fn span(call: &Call<'_>) -> Outcome<(u64, u64)> {
    let at = |name: &str| {
        let ms = call.query(name).and_then(|text| parse_iso(&text)).map(|ms| ms / MINUTE_MS * MINUTE_MS);
        ms.ok_or_else(|| Refused::new(400, "INVALID_REPLICATION_DATE", format!("{name} is no date and time")))
    };
    let (from, until) = (at("start")?, at("end")?.min(call.now_ms / MINUTE_MS * MINUTE_MS));
    if from < call.now_ms.saturating_sub(2 * BACK_MS) || from >= until {
        let message = "startDate before org replication enabled date, or not before endDate";
        return Err(Refused::new(400, "INVALID_REPLICATION_DATE", message));
    }
    Ok((from, until))
}
