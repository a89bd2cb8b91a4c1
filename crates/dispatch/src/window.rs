//! Windows: the hours, in a time zone, in which a lane may go. By the wall clock of people, daylight saving included.

use canonical::Wall;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A window that opens again is looked for so many days ahead: more than a week, so that one of a single weekday is
/// found, too, when the clock skips it.
const DAYS_AHEAD: i32 = 15;

/// The hours of a lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Windows {
    zone: TimeZone,
    spans: Vec<Span>,
}

/// Hours of some weekdays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// The weekdays on which it begins; none stands for all.
    pub days: Vec<Weekday>,
    /// When it begins.
    pub from: Time,
    /// When it ends: on the same day, or where that is not later than `from`, on the next.
    pub to: Time,
}

impl Windows {
    /// Hours in a time zone, by its IANA name. `None`: no such zone is known.
    #[must_use]
    pub fn new(zone: &str, spans: Vec<Span>) -> Option<Self> {
        Some(Self { zone: TimeZone::get(zone).ok()?, spans })
    }

    /// Until when it is closed; `None` while it is open, or when no span ever opens.
    #[must_use]
    pub fn closed_until(&self, now: Wall) -> Option<Wall> {
        let mut next: Option<Wall> = None;
        for (from, to) in self.around(now) {
            if from <= now && now < to {
                return None;
            }
            if from > now {
                next = Some(next.map_or(from, |next| next.min(from)));
            }
        }
        next
    }

    /// Until when it is open; `None` while it is closed. Windows that touch count as one.
    #[must_use]
    pub fn open_until(&self, now: Wall) -> Option<Wall> {
        let mut end = now;
        let mut spans: Vec<(Wall, Wall)> = self.around(now).collect();
        spans.sort();
        for (from, to) in spans {
            if from <= end && to > end {
                end = to;
            }
        }
        (end > now).then_some(end)
    }

    /// When work that takes so long, begun now, is through, if it only goes on while it is open. `None`: not within
    /// the year.
    #[must_use]
    pub fn through(&self, now: Wall, takes: std::time::Duration) -> Option<Wall> {
        let (mut at, mut left) = (now, takes);
        // A window a day and more.
        for _ in 0..1_000 {
            if let Some(opens) = self.closed_until(at) {
                at = opens;
            }
            let Some(end) = self.open_until(at) else { return Some(at + left) };
            if at + left <= end {
                return Some(at + left);
            }
            left = left.saturating_sub(end.since(at));
            at = end;
        }
        None
    }

    /// Windows that may hold this instant or come after it.
    fn around(&self, now: Wall) -> impl Iterator<Item = (Wall, Wall)> {
        let today = Timestamp::from_microsecond(now.micros()).ok().map(|at| self.zone.to_datetime(at).date());
        let days = today.into_iter().flat_map(|today| {
            (-1..=DAYS_AHEAD).filter_map(move |ahead| today.checked_add(ahead.days()).ok())
        });
        days.flat_map(move |day| self.spans.iter().filter_map(move |span| self.on(span, day)))
    }

    /// The window that a span opens on a day. An hour that the clock skips is taken as the one after it.
    fn on(&self, span: &Span, day: Date) -> Option<(Wall, Wall)> {
        if !span.days.is_empty() && !span.days.contains(&day.weekday()) {
            return None;
        }
        let last = if span.to <= span.from { day.checked_add(1.day()).ok()? } else { day };
        Some((self.instant(day.to_datetime(span.from))?, self.instant(last.to_datetime(span.to))?))
    }

    fn instant(&self, civil: DateTime) -> Option<Wall> {
        let zoned = self.zone.to_ambiguous_zoned(civil).compatible().ok()?;
        Some(Wall(zoned.timestamp().as_microsecond()))
    }
}
