//! From an HTTP client's error to what the hub needs to know: how far it got, of what kind, and what to do.

use std::error::Error as StdError;
use std::io;

use connector::{Failure, FailureKind, Reached};

use crate::client::Slow;
use crate::resolve::{Denied, Unresolved};

/// Why an exchange gave no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The HTTP client says so, before the answer began.
    Http(hyper_util::client::legacy::Error),
    /// The answer broke off.
    Answer(hyper::Error),
    /// The guard says so, before anything was resolved.
    Denied(Denied),
    /// The time is up.
    Late {
        /// The limit, in milliseconds.
        limit_ms: u128,
    },
    /// The answer does not end within its bound.
    TooLarge {
        /// The bound.
        bytes_max: usize,
    },
    /// The request cannot be built.
    Unbuildable(String),
}

/// A [`Failure`] of `who` (`system crm`) at `place` (`api.example.test:443`). `recalled` says that the request was
/// certainly not sent.
pub(crate) fn failure(who: &str, place: &str, trouble: &Trouble, recalled: bool) -> Failure {
    let (kind, unsent, what) = match trouble {
        Trouble::Denied(why) => {
            (FailureKind::Blocked, true, format!("the address may not be dialled: {why}"))
        }
        Trouble::Late { limit_ms } if recalled => (
            FailureKind::Timeout,
            true,
            format!("no connection was ready within {limit_ms} ms; nothing was sent"),
        ),
        Trouble::Late { limit_ms } => (
            FailureKind::Timeout,
            false,
            format!("no complete answer within {limit_ms} ms; it may have been carried out"),
        ),
        Trouble::TooLarge { bytes_max } => (
            FailureKind::TooLarge,
            false,
            format!("the answer is larger than {bytes_max} bytes; ask for smaller pages or raise the cap"),
        ),
        Trouble::Unbuildable(why) => {
            (FailureKind::Misconfigured, true, format!("the request cannot be built: {why}"))
        }
        Trouble::Http(error) => http(error, error.is_connect()),
        Trouble::Answer(error) => http(error, false),
    };
    let reached = if unsent || recalled { Reached::NotSent } else { Reached::MaybeSent };
    Failure { reached, kind, detail: format!("{who} at {place}: {what}"), wait: None }
}

/// Kind, whether it is certain that nothing was sent, and a text for people. `connecting`: no connection stood yet.
pub(crate) fn http(error: &(dyn StdError + 'static), connecting: bool) -> (FailureKind, bool, String) {
    if let Some(why) = find::<Denied>(error) {
        return (FailureKind::Blocked, true, format!("the address may not be dialled: {why}"));
    }
    if let Some(why) = find::<Unresolved>(error) {
        return (FailureKind::Dns, true, format!("{why}; check the host in its base_url"));
    }
    if let Some(why) = find::<rustls::Error>(error) {
        let what = format!("no TLS connection: {why}; check the host's certificate, or list its CA");
        return (FailureKind::Tls, connecting, what);
    }
    if connecting {
        let why = find::<Slow>(error).map_or_else(|| cause(error), ToString::to_string);
        return (FailureKind::Connect, true, format!("no connection: {why}; check that the system is up"));
    }
    let what = format!("the connection broke before the answer was complete: {}", cause(error));
    (FailureKind::Reset, false, what)
}

/// The innermost cause: outer layers only repeat that sending failed, with the address.
fn cause(error: &(dyn StdError + 'static)) -> String {
    let mut innermost: &dyn StdError = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    if std::ptr::addr_eq(innermost, error) { "no reason is given".to_owned() } else { innermost.to_string() }
}

/// Looks for an error of a type in the chain, also where an I/O error wraps it.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next: Option<&'a (dyn StdError + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        // An I/O error's source is the source of what it wraps, which would skip a layer.
        let wrapped = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| current.source());
    }
    None
}
