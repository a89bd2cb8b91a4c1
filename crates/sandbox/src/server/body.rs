//! Response bodies: in one piece, or in drops.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

pub(super) struct Body {
    rest: Bytes,
    drip: Option<Drip>,
}

struct Drip {
    chunk: usize,
    every: Duration,
    pause: Pin<Box<Sleep>>,
}

impl Body {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { rest: bytes, drip: None }
    }

    pub(super) fn drip(bytes: Bytes, chunk: usize, every: Duration) -> Self {
        Self { rest: bytes, drip: Some(Drip { chunk: chunk.max(1), every, pause: Box::pin(sleep(every)) }) }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let body = self.get_mut();
        if body.rest.is_empty() {
            return Poll::Ready(None);
        }
        let Some(drip) = &mut body.drip else {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut body.rest)))));
        };
        if drip.pause.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        drip.pause = Box::pin(sleep(drip.every));
        let piece = body.rest.split_to(drip.chunk.min(body.rest.len()));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
