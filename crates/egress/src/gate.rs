//! Whether a request was handed to the wire: a body that can be called back until its first byte is taken.
//!
//! A request that has a body cannot have an effect before its body is read: while the gate is unpassed, a failure
//! is known to have reached nothing, and calling it back makes sure that it stays so.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

const WAITING: u8 = 0;
const PASSED: u8 = 1;
const RECALLED: u8 = 2;

/// The switch between a body and the one who waits for its answer.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<AtomicU8>);

/// The body was called back before it was sent.
#[derive(Debug, thiserror::Error)]
#[error("the request was called back before it was sent")]
pub(crate) struct Recalled;

/// A request's body behind a gate.
#[derive(Debug)]
pub(crate) struct GatedBody {
    bytes: Option<Bytes>,
    gate: Gate,
}

impl Gate {
    /// The body for `bytes`, and its gate. Without a body the gate counts as passed: the head alone is the request
    /// then, and nothing tells when it left.
    pub(crate) fn body(bytes: Vec<u8>) -> (GatedBody, Self) {
        let bytes = Some(bytes).filter(|bytes| !bytes.is_empty());
        let gate = Self(Arc::new(AtomicU8::new(if bytes.is_some() { WAITING } else { PASSED })));
        (GatedBody { bytes: bytes.map(Bytes::from), gate: gate.clone() }, gate)
    }

    /// Calls the request back. True when nothing of its body was taken, and now never will be.
    pub(crate) fn recall(&self) -> bool {
        self.turn(RECALLED)
    }

    fn turn(&self, to: u8) -> bool {
        match self.0.compare_exchange(WAITING, to, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(now) => now == to,
        }
    }
}

impl Body for GatedBody {
    type Data = Bytes;
    type Error = Recalled;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Recalled>>> {
        Poll::Ready(
            self.bytes
                .take()
                .map(|bytes| if self.gate.turn(PASSED) { Ok(Frame::data(bytes)) } else { Err(Recalled) }),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests;
