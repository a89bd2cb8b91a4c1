//! Bodies, read whole within bounds of size and time, and of memory over all of them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Problem, kinds};

/// Bytes per permit of a [`Room`].
const UNIT_BYTES: usize = 1024;
/// When to send again after there was no room.
const RETRY: Duration = Duration::from_secs(1);

/// Bounds of one body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    /// Most bytes.
    pub bytes_max: usize,
    /// Longest wait for the last of them.
    pub within: Duration,
}

/// Room for all bodies of a listener together (I19): what has arrived counts, not what was announced, so that only
/// bytes that were really sent take room.
#[derive(Clone, Debug)]
pub struct Room(Arc<Semaphore>);

/// A body's part of the room, given back when dropped.
#[derive(Debug, Default)]
pub struct Held {
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Room {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes_max / UNIT_BYTES).min(Semaphore::MAX_PERMITS))))
    }
}

impl Held {
    /// Takes what `more` bytes need beyond what is held. False when there is no room.
    fn grow(&mut self, more: usize, room: &Room) -> bool {
        let before = self.bytes.div_ceil(UNIT_BYTES);
        self.bytes += more;
        let needed = u32::try_from(self.bytes.div_ceil(UNIT_BYTES) - before).unwrap_or(u32::MAX);
        if needed == 0 {
            return true;
        }
        let Ok(got) = Arc::clone(&room.0).try_acquire_many_owned(needed) else { return false };
        match &mut self.permit {
            Some(permit) => permit.merge(got),
            None => self.permit = Some(got),
        }
        true
    }
}

/// Reads a body. One that announces too much is refused before any of it is read; one that turns out too long, or
/// does not end in time, is given up where it stands: never more than the bound is in memory.
///
/// # Errors
/// The problem to answer with.
pub async fn read(headers: &HeaderMap, body: Body, bound: Bound) -> Result<Bytes, Problem> {
    bounded(headers, body, bound, None).await.map(|(bytes, _)| bytes)
}

/// The same, within the room that all bodies share. What was taken of it stays taken while the second part lives.
///
/// # Errors
/// The problem to answer with.
pub async fn read_in(
    headers: &HeaderMap,
    body: Body,
    bound: Bound,
    room: &Room,
) -> Result<(Bytes, Held), Problem> {
    bounded(headers, body, bound, Some(room)).await
}

async fn bounded(
    headers: &HeaderMap,
    body: Body,
    bound: Bound,
    room: Option<&Room>,
) -> Result<(Bytes, Held), Problem> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > bound.bytes_max as u64) {
        return Err(too_large(bound));
    }
    match tokio::time::timeout(bound.within, whole(body, bound, room)).await {
        Ok(result) => result,
        Err(_) => {
            let detail = format!("the body did not end within {} s", bound.within.as_secs());
            Err(Problem::new(kinds::SLOW, detail))
        }
    }
}

async fn whole(mut body: Body, bound: Bound, room: Option<&Room>) -> Result<(Bytes, Held), Problem> {
    let mut held = Held::default();
    let mut first = Bytes::new();
    // Copied together as they come: thousands of tiny chunks would otherwise cost far more than their bytes.
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(kinds::MALFORMED, "the body broke off before its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > bound.bytes_max {
            return Err(too_large(bound));
        }
        if room.is_some_and(|room| !held.grow(data.len(), room)) {
            return Err(Problem::new(kinds::BUSY, "too many bodies are being read").retry_after(RETRY));
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok((if rest.is_empty() { first } else { rest.freeze() }, held))
}

fn too_large(bound: Bound) -> Problem {
    Problem::new(kinds::TOO_LARGE, format!("at most {} bytes are accepted", bound.bytes_max))
}
