//! What is missed, when, and that it is told once.

use canonical::{Mono, Object};
use config::HeardWithin;
use store::Op;

use super::*;
use crate::mark::Mark;

fn at(seconds: u64) -> Now {
    let micros = seconds * 1_000_000;
    Now { wall: Wall(i64::try_from(micros).unwrap()), mono: Mono(micros) }
}

fn customers() -> Object {
    Object::new("customer").unwrap()
}

/// Messages are expected every minute, a listing every five.
fn spoke() -> Spoke {
    let mut spoke = Spoke::new(configuration(None), System::new("erp").unwrap()).unwrap();
    let within = |seconds| Some(Duration::from_secs(seconds));
    spoke.settings.heard_within = HeardWithin { messages: within(60), listings: within(300) };
    spoke
        .polls
        .insert(customers(), Poll::new(Duration::from_secs(30), connector::Cursor::default(), Mono(0)));
    spoke.listen(at(0));
    spoke
}

/// What is told at that time: (what, of what), and what of it goes into the journal.
fn told(
    spoke: &mut Spoke,
    now: Now,
    act: impl FnOnce(&mut Spoke, &mut Turn<'_>),
) -> Vec<(&'static str, String)> {
    let mut effects = Vec::new();
    act(spoke, &mut Turn::new(now, 1, &mut effects));
    let marks = effects.into_iter().filter_map(|effect| match effect {
        Effect::Note(Mark::Silent { what, .. }) => Some(("silent", what)),
        Effect::Note(Mark::HeardAgain { what, .. }) => Some(("heard_again", what)),
        _ => None,
    });
    let marks: Vec<_> = marks.collect();
    let ops = std::mem::take(&mut spoke.outbox).into_iter().flat_map(|(unit, _)| unit.ops);
    let journal = ops.filter_map(|op| match op {
        Op::PutChange(change) => Some((change.what, change.about)),
        _ => None,
    });
    let journal: Vec<_> = journal.collect();
    let noted: Vec<_> = marks.iter().map(|(what, of)| ((*what).to_owned(), of.clone())).collect();
    assert_eq!(journal, noted, "each is in the journal");
    marks
}

fn look(spoke: &mut Spoke, seconds: u64) -> Vec<(&'static str, String)> {
    told(spoke, at(seconds), |spoke, turn| spoke.look_for_silence(turn))
}

#[test]
fn silence_is_told_once_and_its_end_once() {
    let mut spoke = spoke();
    assert_eq!(spoke.silence_wakeup(), Some(at(60).mono));
    assert_eq!(look(&mut spoke, 59), []);
    assert_eq!(look(&mut spoke, 60), [("silent", "messages".to_owned())]);
    assert_eq!(look(&mut spoke, 299), [], "once");
    assert_eq!(spoke.silence_wakeup(), Some(at(300).mono), "the listing is next");
    assert_eq!(look(&mut spoke, 300), [("silent", "customer".to_owned())]);
    assert_eq!((spoke.silence.count(), spoke.silence_wakeup()), (2, None));
    let silent: Vec<bool> = spoke.hearings().iter().map(|hearing| hearing.silent).collect();
    assert_eq!(silent, [true, true]);
    let again = told(&mut spoke, at(400), |spoke, turn| spoke.heard(None, turn));
    assert_eq!(again, [("heard_again", "messages".to_owned())]);
    let again = told(&mut spoke, at(400), |spoke, turn| spoke.heard(Some(&customers()), turn));
    assert_eq!(again, [("heard_again", "customer".to_owned())]);
    assert_eq!((spoke.silence.count(), spoke.silence_wakeup()), (0, Some(at(460).mono)));
}

#[test]
fn what_is_heard_in_time_is_not_told_of() {
    let mut spoke = spoke();
    for seconds in [50, 100, 150] {
        assert_eq!(told(&mut spoke, at(seconds), |spoke, turn| spoke.heard(None, turn)), []);
        assert_eq!(look(&mut spoke, seconds + 59), []);
    }
}

/// A pause is somebody's will: its end begins the time anew. Messages are missed all the same, since they would be taken.
#[test]
fn what_is_not_read_on_purpose_is_not_missed() {
    let mut spoke = spoke();
    spoke.state.paused = Some("ann".to_owned());
    assert_eq!(look(&mut spoke, 1_000), [("silent", "messages".to_owned())]);
    spoke.state.paused = None;
    assert_eq!(look(&mut spoke, 1_299), []);
    assert_eq!(look(&mut spoke, 1_300), [("silent", "customer".to_owned())]);
}

/// Where nothing is said, nobody waits for messages, and a listing has ten of its periods, and ten minutes at least.
#[test]
fn unless_said_a_listing_has_its_time() {
    let mut spoke = spoke();
    spoke.settings.heard_within = HeardWithin::default();
    spoke.settings.poll.insert(customers(), Duration::from_secs(30));
    spoke.listen(at(0));
    assert_eq!(spoke.silence_wakeup(), Some(at(600).mono));
    spoke.settings.poll.insert(customers(), Duration::from_secs(120));
    assert_eq!(spoke.silence_wakeup(), Some(at(1_200).mono));
    assert_eq!(look(&mut spoke, 1_200), [("silent", "customer".to_owned())]);
}
