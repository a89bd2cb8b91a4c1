//! Sources that fall silent: what is expected to be heard of a system, and that nothing is.
//!
//! Nobody misses what never comes: a subscription that a vendor took away, or a listing that fails for days, looks like a
//! quiet day. Each is told once when it falls silent, and once when it is heard again.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{Mono, Now, Object, Wall};

use crate::mark::Mark;
use crate::spoke::Spoke;
use crate::turn::{Hearing, Turn};

/// Of a listing that nothing is said of no page may get through for so many of its periods, and this at least.
const PERIODS: u32 = 10;
const LISTING_MIN: Duration = Duration::from_secs(600);

/// What messages are called where listings have the name of their object.
const MESSAGES: &str = "messages";

/// When it was last heard.
#[derive(Debug)]
struct Heard {
    at: Mono,
    wall: Wall,
    /// It was told that it is silent.
    silent: bool,
}

impl Heard {
    const fn now(now: Now) -> Self {
        Self { at: now.mono, wall: now.wall, silent: false }
    }
}

/// What was heard of one system, since its machine began: before that nobody listened.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    messages: Option<Heard>,
    listings: BTreeMap<Object, Heard>,
}

impl Silence {
    /// How many that should be heard are silent.
    pub(crate) fn count(&self) -> usize {
        self.messages.iter().chain(self.listings.values()).filter(|heard| heard.silent).count()
    }
}

impl Spoke {
    /// From now on it is listened.
    pub(super) fn listen(&mut self, now: Now) {
        let messages = self.settings.heard_within.messages.map(|_| Heard::now(now));
        let listings = self.polls.keys().map(|object| (object.clone(), Heard::now(now))).collect();
        self.silence = Silence { messages, listings };
    }

    /// A page of a listing is durable, or (`None`) a message is.
    pub(crate) fn heard(&mut self, object: Option<&Object>, turn: &mut Turn<'_>) {
        let heard = match object {
            Some(object) => self.silence.listings.get_mut(object),
            None => self.silence.messages.as_mut(),
        };
        let Some(heard) = heard else { return };
        let was = std::mem::replace(heard, Heard::now(turn.now));
        if !was.silent {
            return;
        }
        let what = object.map_or(MESSAGES, Object::as_str).to_owned();
        turn.note(Mark::HeardAgain { system: self.system.clone(), what: what.clone() });
        let why = format!("silent since {}", was.wall);
        self.changed("heard_again", what, why, turn.now);
        self.said_idle = false;
    }

    /// Tells of what should have been heard by now. What is not read on purpose is not missed.
    pub(super) fn look_for_silence(&mut self, turn: &mut Turn<'_>) {
        let (now, mut told) = (turn.now, Vec::new());
        let paused = self.state.paused.is_some();
        let rests: Vec<Object> =
            self.silence.listings.keys().filter(|object| paused || self.rests(object)).cloned().collect();
        for object in rests {
            if let Some(heard) = self.silence.listings.get_mut(&object).filter(|heard| !heard.silent) {
                *heard = Heard::now(now);
            }
        }
        let within = self.settings.heard_within.messages.unwrap_or_default();
        if let Some(heard) = self.silence.messages.as_mut().filter(|heard| is_late(heard, within, now.mono)) {
            heard.silent = true;
            told.push((MESSAGES.to_owned(), heard.wall, within));
        }
        let listings: Vec<Object> = self.silence.listings.keys().cloned().collect();
        for object in listings {
            let within = self.listed_within(&object);
            let heard = self.silence.listings.get_mut(&object);
            if let Some(heard) = heard.filter(|heard| is_late(heard, within, now.mono)) {
                heard.silent = true;
                told.push((object.as_str().to_owned(), heard.wall, within));
            }
        }
        for (what, since, within) in told {
            turn.note(Mark::Silent { system: self.system.clone(), what: what.clone(), since, within });
            let why = format!("not heard since {since}, and expected every {} s", within.as_secs());
            self.changed("silent", what, why, now);
            self.said_idle = false;
        }
    }

    /// When the next of them is missed.
    pub(super) fn silence_wakeup(&self) -> Option<Mono> {
        let of = |heard: &Heard, within: Duration| (!heard.silent).then_some(heard.at + within);
        let messages = self.silence.messages.iter();
        let within = self.settings.heard_within.messages;
        let messages = messages.filter_map(|heard| of(heard, within?));
        let paused = self.state.paused.is_some();
        let listings = self.silence.listings.iter().filter(|(object, _)| !paused && !self.rests(object));
        let listings = listings.filter_map(|(object, heard)| of(heard, self.listed_within(object)));
        messages.chain(listings).min()
    }

    /// How it stands, for people.
    pub(super) fn hearings(&self) -> Vec<Hearing> {
        let messages = self.silence.messages.iter().zip(self.settings.heard_within.messages);
        let messages = messages.map(|(heard, within)| (None, heard, within));
        let listings = self.silence.listings.iter();
        let listings =
            listings.map(|(object, heard)| (Some(object.clone()), heard, self.listed_within(object)));
        let all = messages.chain(listings);
        all.map(|(of, heard, within)| Hearing { of, at: heard.wall, within, silent: heard.silent }).collect()
    }

    fn listed_within(&self, object: &Object) -> Duration {
        self.settings.heard_within.listings.unwrap_or_else(|| {
            let every = self.settings.poll.get(object).copied().unwrap_or_default();
            every.saturating_mul(PERIODS).max(LISTING_MIN)
        })
    }
}

fn is_late(heard: &Heard, within: Duration, now: Mono) -> bool {
    !heard.silent && heard.at + within <= now
}
