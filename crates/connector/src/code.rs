//! The one way out of data: code that stands between a manifest and its vendor, for what no manifest can say.
//!
//! A manifest names it (`code: NAME`), and the binary holds it: what is not among the codes that it was started with is an
//! error of the manifest, at its place. None comes with Concord. Before one is written, the format is to be asked: what two
//! vendors need belongs into it. A connector with code says on its page what it needs it for.

use std::fmt;
use std::sync::OnceLock;

use serde_json::Value;

use crate::exchange::Request;

/// Code for one kind of system. Pure: without I/O, clock, randomness and state, and the same for the same; what it makes is
/// kept, and sent again to the byte.
pub trait Code: fmt::Debug + Send + Sync {
    /// Its name, in lower case: what `code:` says.
    fn name(&self) -> &'static str;

    /// Changes a request that was rendered, before it is kept. Its operation, credential and cost stay as they are.
    ///
    /// # Errors
    /// Why it can't be sent, for people and without values: the delivery is for a person then.
    fn request(&self, request: Request) -> Result<Request, String> {
        Ok(request)
    }

    /// Reads the body of an answer or a webhook as the document through which the manifest's paths lead. `None`: it is
    /// read as the manifest says.
    ///
    /// # Errors
    /// Why it is none, without values: a success that can't be read is none.
    fn document(&self, raw: &[u8]) -> Option<Result<Value, String>> {
        let _ = raw;
        None
    }
}

static CODES: OnceLock<&'static [&'static dyn Code]> = OnceLock::new();

/// Says which codes there are, once, when the binary starts.
///
/// # Errors
/// When it was said before: then those stay.
pub fn provide(codes: &'static [&'static dyn Code]) -> Result<(), &'static str> {
    CODES.set(codes).map_err(|_| "which codes there are was said before")
}

/// The names of all.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    all().iter().map(|code| code.name())
}

pub(crate) fn find(name: &str) -> Option<&'static dyn Code> {
    all().iter().copied().find(|code| code.name() == name)
}

fn all() -> &'static [&'static dyn Code] {
    CODES.get().copied().unwrap_or_default()
}

/// What was found of a manifest's `code`, beside what stays whatever it makes of a request.
pub(crate) fn applied(code: &dyn Code, request: Request) -> Result<Request, String> {
    let (operation, credential, cost) = (request.operation.clone(), request.credential, request.cost);
    Ok(Request { operation, credential, cost, ..code.request(request)? })
}

#[cfg(test)]
mod tests;
