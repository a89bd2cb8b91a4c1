//! Idempotency keys (`Idempotency-Key`, an IETF httpapi draft): one key, one request, one answer.
//!
//! In memory, bounded in number and time. What a lost table cannot forget is the events themselves: each has
//! an id, and
//! the hub's own rows refuse an id a second time. After a restart a repeated request is answered `duplicate`
//! per event.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use canonical::{Mono, System};
use http::HeaderMap;
use web::{Problem, kinds};

/// The header.
pub(crate) const HEADER: &str = "idempotency-key";
/// The longest key.
const KEY_BYTES_MAX: usize = 255;

type Key = (System, String);

/// What is remembered.
#[derive(Clone, Default)]
pub(crate) struct Keys {
    table: Arc<Mutex<Table>>,
    count_max: usize,
    keep_for: Duration,
}

#[derive(Default)]
struct Table {
    entries: BTreeMap<Key, Entry>,
    /// Finished ones in the order of their ends, with the number of the entry that ended.
    finished: VecDeque<(Mono, Key, u64)>,
    next: u64,
}

struct Entry {
    number: u64,
    fingerprint: blake3::Hash,
    /// The answer, once there is one.
    answer: Option<Bytes>,
}

/// How a request with a key begins.
pub(crate) enum Begun {
    /// It is the first.
    First(Open),
    /// It was answered: this is the answer.
    Replay(Bytes),
}

/// A request under way. Dropped without an answer, it gives the key back: nothing was acknowledged.
pub(crate) struct Open {
    keys: Keys,
    key: Key,
    number: u64,
}

/// Reads the header: a quoted string as the draft says, or bare as most senders have it.
///
/// # Errors
/// The problem to answer with.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let malformed = |what: &str| Problem::new(kinds::MALFORMED, format!("header `Idempotency-Key` {what}"));
    if values.next().is_some() {
        return Err(malformed("is given more than once"));
    }
    let text = value.to_str().map_err(|_| malformed("is not printable ASCII"))?.trim();
    let key = match text.strip_prefix('"') {
        Some(rest) => unquote(rest).ok_or_else(|| malformed("is not a quoted string"))?,
        None => text.to_owned(),
    };
    let printable = key.bytes().all(|b| (0x20..0x7f).contains(&b));
    if key.is_empty() || key.len() > KEY_BYTES_MAX || !printable {
        return Err(malformed(&format!("must have 1 to {KEY_BYTES_MAX} printable characters")));
    }
    Ok(Some(key))
}

/// The rest of a quoted string after its first quote (RFC 9651, section 3.3.3: `\"` and `\\` are the only escapes).
fn unquote(rest: &str) -> Option<String> {
    let mut out = String::with_capacity(rest.len());
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => return letters.next().is_none().then_some(out),
            '\\' => match letters.next()? {
                escaped @ ('"' | '\\') => out.push(escaped),
                _ => return None,
            },
            plain => out.push(plain),
        }
    }
}

impl Keys {
    /// An empty table.
    pub(crate) fn new(count_max: usize, keep_for: Duration) -> Self {
        Self { table: Arc::default(), count_max, keep_for }
    }

    /// Begins a request.
    ///
    /// # Errors
    /// 409 while the first is under way, 422 when the key was used for something else; 503 when too many are
    /// under way.
    pub(crate) fn begin(
        &self,
        system: &System,
        key: String,
        fingerprint: blake3::Hash,
        now: Mono,
    ) -> Result<Begun, Problem> {
        let key = (system.clone(), key);
        let mut table = self.lock();
        table.forget(now, self.keep_for, self.count_max);
        if let Some(entry) = table.entries.get(&key) {
            return match &entry.answer {
                _ if entry.fingerprint != fingerprint => {
                    Err(Problem::new(kinds::KEY_REUSED, "the key was used for a request with other content"))
                }
                Some(answer) => Ok(Begun::Replay(answer.clone())),
                None => Err(Problem::new(
                    kinds::KEY_IN_FLIGHT,
                    "the first request with this key has no answer yet",
                )),
            };
        }
        if table.entries.len() >= self.count_max {
            let detail = "too many requests with idempotency keys are under way";
            return Err(Problem::new(kinds::BUSY, detail).retry_after(Duration::from_secs(1)));
        }
        table.next += 1;
        let number = table.next;
        table.entries.insert(key.clone(), Entry { number, fingerprint, answer: None });
        Ok(Begun::First(Open { keys: self.clone(), key, number }))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Lets go of what is old, and of the oldest where there are too many.
    fn forget(&mut self, now: Mono, keep_for: Duration, count_max: usize) {
        while let Some((ended, _, _)) = self.finished.front() {
            let old = now.since(*ended) >= keep_for;
            if !old && self.entries.len() < count_max {
                break;
            }
            if let Some((_, key, number)) = self.finished.pop_front()
                && self.entries.get(&key).is_some_and(|entry| entry.number == number)
            {
                self.entries.remove(&key);
            }
        }
    }
}

impl Open {
    /// Keeps the answer.
    pub(crate) fn finish(self, answer: Bytes, now: Mono) {
        let mut table = self.keys.lock();
        if let Some(entry) = table.entries.get_mut(&self.key) {
            entry.answer = Some(answer);
            let (key, number) = (self.key.clone(), self.number);
            table.finished.push_back((now, key, number));
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut table = self.keys.lock();
        let unanswered = |entry: &Entry| entry.number == self.number && entry.answer.is_none();
        if table.entries.get(&self.key).is_some_and(unanswered) {
            table.entries.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests;
