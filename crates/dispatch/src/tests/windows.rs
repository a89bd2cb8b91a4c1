//! The hours of a lane, across midnight, weekends and the change of the clock.

use std::time::Duration;

use canonical::Wall;
use jiff::Timestamp;
use jiff::civil::{Weekday, time};

use crate::{Span, Windows};

fn at(text: &str) -> Wall {
    Wall(text.parse::<Timestamp>().unwrap().as_microsecond())
}

fn said(at: Option<Wall>) -> String {
    at.map_or("-".to_owned(), |at| Timestamp::from_microsecond(at.micros()).unwrap().to_string())
}

/// Nights from Monday to Friday, and the whole of Saturday and Sunday, in Berlin.
fn nights() -> Windows {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    let night = Span {
        days: vec![Monday, Tuesday, Wednesday, Thursday, Friday],
        from: time(22, 0, 0, 0),
        to: time(6, 0, 0, 0),
    };
    let weekend = Span { days: vec![Saturday, Sunday], from: time(0, 0, 0, 0), to: time(0, 0, 0, 0) };
    Windows::new("Europe/Berlin", vec![night, weekend]).unwrap()
}

#[test]
fn it_opens_and_closes_by_the_clock_on_the_wall() {
    let windows = nights();
    // 2026-11-26 is a Thursday; Berlin is an hour ahead of UTC.
    assert_eq!(said(windows.closed_until(at("2026-11-26T12:00:00Z"))), "2026-11-26T21:00:00Z");
    assert_eq!(windows.closed_until(at("2026-11-26T21:00:00Z")), None);
    assert_eq!(said(windows.open_until(at("2026-11-26T21:00:00Z"))), "2026-11-27T05:00:00Z");
    assert_eq!(windows.closed_until(at("2026-11-27T04:59:59Z")), None);
    assert_eq!(said(windows.closed_until(at("2026-11-27T05:00:00Z"))), "2026-11-27T21:00:00Z");
    assert_eq!(windows.open_until(at("2026-11-27T12:00:00Z")), None);
}

#[test]
fn windows_that_touch_are_one() {
    // Friday's night runs into Saturday, Sunday follows, and Monday's night is another.
    assert_eq!(said(nights().open_until(at("2026-11-27T22:00:00Z"))), "2026-11-29T23:00:00Z");
}

#[test]
fn a_change_of_the_clock_moves_the_window_with_people() {
    let night = Span { days: Vec::new(), from: time(2, 30, 0, 0), to: time(4, 0, 0, 0) };
    let windows = Windows::new("Europe/Berlin", vec![night]).unwrap();
    // On 2026-03-29 the clock goes from 2:00 to 3:00; 2:30 does not come, 3:30 stands for it.
    assert_eq!(said(windows.closed_until(at("2026-03-28T12:00:00Z"))), "2026-03-29T01:30:00Z");
    assert_eq!(said(windows.open_until(at("2026-03-29T01:30:00Z"))), "2026-03-29T02:00:00Z");
    assert_eq!(said(windows.closed_until(at("2026-03-29T12:00:00Z"))), "2026-03-30T00:30:00Z");
}

#[test]
fn work_goes_on_from_window_to_window() {
    let windows = nights();
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    // Thursday noon: eight hours of the night to Friday, the rest from Friday night on.
    assert_eq!(said(windows.through(at("2026-11-26T12:00:00Z"), hours(8))), "2026-11-27T05:00:00Z");
    assert_eq!(said(windows.through(at("2026-11-26T12:00:00Z"), hours(9))), "2026-11-27T22:00:00Z");
    assert_eq!(said(windows.through(at("2026-11-26T22:00:00Z"), hours(1))), "2026-11-26T23:00:00Z");
}

#[test]
fn no_such_zone() {
    assert_eq!(Windows::new("Europe/Nowhere", Vec::new()), None);
}
