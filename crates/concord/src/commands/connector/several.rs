//! How several records of an operation go together, for people: batches, jobs, their limits, and lost answers.

use connector::{BatchSpec, JobSpec, WriteSpec};
use ledger::{IdempotencyClass, Lane};
use serde_json::{Value, json};

use super::show::spoken;
use crate::output::shown;

/// Batches of an operation; `null`: there are none.
pub(super) fn batch(spec: &WriteSpec) -> Value {
    spec.batch.as_ref().map_or(Value::Null, |batch| {
        json!({ "records_max": batch.records_max, "bytes_max": batch.bytes_max, "lost": lost_batch(spec) })
    })
}

/// Its jobs; `null`: there are none.
pub(super) fn job(spec: &WriteSpec) -> Value {
    let found = spec.bulk.as_ref().and_then(|bulk| Some((bulk, bulk.job.as_ref()?)));
    found.map_or(Value::Null, |(bulk, job)| of_job(spec, bulk, job))
}

fn of_job(spec: &WriteSpec, bulk: &BatchSpec, job: &JobSpec) -> Value {
    json!({
        "records_min": job.records_min,
        "records_max": bulk.records_max,
        "bytes_max": bulk.bytes_max,
        "at_once": job.at_once,
        "lanes": job.lanes.iter().copied().map(Lane::name).collect::<Vec<_>>(),
        "lasts_max_s": job.lasts_max.as_secs(),
        "lost": lost_job(spec, job),
    })
}

/// What becomes of a batch whose answer is lost.
fn lost_batch(spec: &WriteSpec) -> &'static str {
    match spec.idempotency {
        IdempotencyClass::NativeKey { .. } => "the call is sent again as it was, or each is looked for",
        IdempotencyClass::Upsert => "what nothing has moved meanwhile is sent again",
        IdempotencyClass::MarkerField { .. } | IdempotencyClass::SearchFirst { .. } => "each is looked for",
        IdempotencyClass::None => "a person looks at each",
    }
}

/// What becomes of a job about which an answer is lost.
fn lost_job(spec: &WriteSpec, job: &JobSpec) -> String {
    let lasts = spoken(job.lasts_max);
    let begin = if job.filled {
        "until it is closed nothing of it is worked on: it is given up, and its records go again; then it is asked how it stands"
    } else {
        "where nobody knows whether it began, nothing of it goes again before it must be over; else it is asked how it stands"
    };
    let rest = match spec.idempotency {
        IdempotencyClass::Upsert => "is sent again as a job",
        IdempotencyClass::NativeKey { .. }
        | IdempotencyClass::MarkerField { .. }
        | IdempotencyClass::SearchFirst { .. } => "is looked for, each by itself",
        IdempotencyClass::None => "is for a person",
    };
    format!("{begin}; what is still in doubt after {lasts} {rest}")
}

/// Both as lines of a page: a name, and what is said of it, without the object.
pub(super) fn lines(write: &Value) -> Vec<(&'static str, String)> {
    let (batch, job, operation) = (&write["batch"], &write["job"], shown(&write["operation"]));
    let mut lines = Vec::new();
    if !batch.is_null() {
        let (most, bytes) = (shown(&batch["records_max"]), shown(&batch["bytes_max"]));
        let lost = shown(&batch["lost"]);
        lines.push((
            "batch",
            format!(
                "{operation}: at most {most} records and {bytes} bytes in a call. Its answer is lost: {lost}"
            ),
        ));
    }
    if !job.is_null() {
        let of = |name: &str| shown(&job[name]);
        let lanes = job["lanes"].as_array().into_iter().flatten().map(shown).collect::<Vec<_>>().join(", ");
        lines.push((
            "job",
            format!(
                "{operation}: {} to {} records and {} bytes in one, {} at once, of the lane {lanes}. An answer is lost: {}",
                of("records_min"),
                of("records_max"),
                of("bytes_max"),
                of("at_once"),
                of("lost")
            ),
        ));
    }
    lines
}
