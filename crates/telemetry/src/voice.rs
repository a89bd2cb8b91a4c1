//! What the log says of a mark. One line per delivery would drown the rest: what is routine is counted, and told
//! only at debug level; what a person must hear of is a warning with its system, class and trace.

use guard::redact;
use hub::Mark;
use tracing::{debug, info, warn};

/// The longest text of a mark that a line carries, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// Writes what there is to say of a tenant.
pub(crate) fn tell(tenant: &str, mark: &Mark) {
    // Formatting costs; most marks are silent.
    match mark {
        Mark::Merged { entity, source, trace } => {
            debug!(target: "concord", tenant, %entity, %source, trace, "merged");
        }
        Mark::Delivered { system, object, lane, lag, trace, .. } => {
            let (lane, lag_ms) = (lane.name(), u64::try_from(lag.as_millis()).unwrap_or(u64::MAX));
            debug!(target: "concord", tenant, %system, %object, lane, lag_ms, trace, "delivered");
        }
        Mark::Quarantined { source, class, message } => {
            warn!(target: "concord", tenant, system = %source, class, detail = shown(message), "message quarantined");
        }
        Mark::Dead { system, class, message, trace } => {
            warn!(target: "concord", tenant, %system, class, trace, detail = shown(message), "delivery dead");
        }
        Mark::NeedsPerson { system, message } => {
            let detail = shown(message);
            warn!(target: "concord", tenant, %system, class = "uncertain", detail, "a delivery in doubt needs a person");
        }
        Mark::Paused { system, reason } => {
            warn!(target: "concord", tenant, %system, class = "paused", detail = shown(reason), "system paused");
        }
        Mark::Resumed { system, reason } => {
            info!(target: "concord", tenant, %system, class = "resumed", detail = shown(reason), "system goes on");
        }
        Mark::Ordered { system, what, about, why } => {
            warn!(target: "concord", tenant, %system, class = what, about, detail = shown(why), "an operator ordered");
        }
        Mark::Job { action, state, done } => {
            info!(target: "concord", tenant, action, state, done, "job moved")
        }
        Mark::Forgotten { kind, count } => {
            debug!(target: "concord", tenant, kind, count, "past its time, and gone")
        }
        Mark::ArchiveFailed { why } => {
            let detail = shown(why);
            warn!(target: "concord", tenant, class = "archive", detail, "nothing goes before the archive can be written");
        }
        Mark::RetentionFailed { why } => {
            let detail = shown(why);
            warn!(target: "concord", tenant, class = "retention", detail, "what is past its time could not be taken away");
        }
        Mark::Breaker { system, operation, state: state @ "open" } => {
            warn!(target: "concord", tenant, %system, class = "breaker", operation, state, "breaker opened");
        }
        Mark::Breaker { system, operation, state } => {
            info!(target: "concord", tenant, %system, operation, state, "breaker moved");
        }
        Mark::Authorised { system, ok: false } => {
            warn!(target: "concord", tenant, %system, class = "auth", "no token was given");
        }
        Mark::Unconnected { system, why } => {
            let detail = shown(why);
            warn!(target: "concord", tenant, %system, class = "unconnected", detail, "no connection; trying again");
        }
        Mark::PollFailed { system, object, class, why } => {
            let (class, detail) = (class.name(), shown(why));
            info!(target: "concord", tenant, %system, %object, class, detail, "listing failed; trying again");
        }
        Mark::Rests { source, object, cause, why } => {
            let detail = shown(why);
            warn!(target: "concord", tenant, %source, %object, class = cause, detail, "it is not read for now");
        }
        Mark::Silent { system, what, since, within } => {
            let (since, within_s) = (since.to_string(), within.as_secs());
            warn!(
                target: "concord", tenant, %system, class = "silent", of = what, since, within_s,
                "it is not heard, and should have been"
            );
        }
        Mark::HeardAgain { system, what } => {
            info!(target: "concord", tenant, %system, class = "silent", of = what, "it is heard again");
        }
        Mark::ReadsOn { source, object } => {
            info!(target: "concord", tenant, %source, %object, class = "backlog", "it is read again");
        }
        Mark::FirstListing { system, object, step: "fails", why } => {
            let detail = shown(why);
            warn!(
                target: "concord", tenant, %system, %object, class = "first_listing", detail,
                "its first listing fails, and nothing is delivered there before it is read; trying again"
            );
        }
        Mark::FirstListing { system, object, step: "over", .. } => {
            info!(target: "concord", tenant, %system, %object, class = "first_listing", "it was listed for the first time");
        }
        Mark::FirstListing { system, object, .. } => {
            info!(
                target: "concord", tenant, %system, %object, class = "first_listing",
                "it was never listed: nothing is delivered there before that is done"
            );
        }
        Mark::Rereading { system } => {
            info!(
                target: "concord", tenant, %system, class = "restored",
                "the store was restored from a backup: listings are read again, and nothing is delivered before"
            );
        }
        Mark::Reopened { system, whole: true } => {
            info!(target: "concord", tenant, %system, class = "restored", "everything was read again; delivering");
        }
        Mark::Reopened { system, whole: false } => {
            warn!(
                target: "concord", tenant, %system, class = "restored",
                "not everything was read again in time; delivering all the same"
            );
        }
        Mark::BulkBegan { system, operation, records } => {
            info!(target: "concord", tenant, %system, operation, records, "a job began there");
        }
        Mark::BulkEnded { system, operation, how: how @ "done", records, took } => {
            info!(target: "concord", tenant, %system, operation, how, records, took_s = took.as_secs(), "a job is over there");
        }
        Mark::BulkEnded { system, operation, how, records, took } => {
            let took_s = took.as_secs();
            warn!(target: "concord", tenant, %system, operation, how, records, took_s, "a job there did not end well: see its deliveries");
        }
        Mark::LinkRot { system } => {
            info!(target: "concord", tenant, %system, "a link pointed at nothing and was dropped");
        }
        Mark::Throttled { system } => debug!(target: "concord", tenant, %system, "throttled"),
        Mark::Retrying { system, class } => {
            debug!(target: "concord", tenant, %system, class = class.name(), "retrying")
        }
        Mark::Doubtful { system, class } => {
            debug!(target: "concord", tenant, %system, idempotency = class, "in doubt")
        }
        _ => {}
    }
}

fn shown(text: &str) -> String {
    redact::text(text, TEXT_CHARS_MAX)
}
