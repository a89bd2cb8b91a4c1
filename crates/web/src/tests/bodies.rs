//! Bodies together: what they may take, and what comes back.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;

use super::*;
use crate::body::{Bound, Room};

const BOUND: Bound = Bound { bytes_max: 100_000, within: Duration::from_secs(5) };

struct Chunks(VecDeque<Bytes>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(hyper::body::Frame::data(chunk))))
    }
}

fn chunks(parts: &[&[u8]]) -> Body {
    Body::new(Chunks(parts.iter().map(|part| Bytes::copy_from_slice(part)).collect()))
}

#[tokio::test]
async fn parts_come_together_in_their_order() {
    for (parts, whole) in [
        (&[&b""[..]][..], ""),
        (&[b"one"], "one"),
        (&[b"on", b"", b"e", b"-two"], "one-two"),
        (&[b"", b"x"], "x"),
    ] {
        let read = body::read(&HeaderMap::new(), chunks(parts), BOUND).await.expect("read");
        assert_eq!(read, whole);
    }
}

/// I19
#[tokio::test]
async fn all_bodies_together_are_bounded_and_room_comes_back() {
    let room = Room::new(64 * 1024);
    let headers = HeaderMap::new();
    let big = || Body::from(vec![b'x'; 40 * 1024]);
    let (bytes, held) = body::read_in(&headers, big(), BOUND, &room).await.expect("room");
    assert_eq!(bytes.len(), 40 * 1024);
    let problem = body::read_in(&headers, big(), BOUND, &room).await.expect_err("no room");
    assert_eq!(problem.kind(), kinds::BUSY);
    let (_, small) = body::read_in(&headers, Body::from("x"), BOUND, &room).await.expect("a little room");
    drop((held, small));
    body::read_in(&headers, big(), BOUND, &room).await.expect("room again");
}

/// A body in tiny chunks takes as much room as its bytes, rounded up once.
#[tokio::test]
async fn tiny_chunks_take_no_more_room() {
    let room = Room::new(4 * 1024);
    let parts = vec![&b"x"[..]; 4096];
    let (bytes, _held) = body::read_in(&HeaderMap::new(), chunks(&parts), BOUND, &room).await.expect("room");
    assert_eq!(bytes.len(), 4096);
}
