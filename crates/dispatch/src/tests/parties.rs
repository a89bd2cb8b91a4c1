//! Parties: who goes along, what they cost together, and who must wait for a turn.

use std::sync::Arc;
use std::time::Duration;

use canonical::Mono;
use ledger::{Class, Lane};

use super::steps::lock;
use super::{bucket, limits};
use crate::{BucketSet, Dispatcher, Limits, Party, Permit, Wanted};

const NOW: Mono = Mono(60_000_000);

fn wish(token: u32, kind: u64) -> Wanted<u32> {
    Wanted {
        token,
        lane: Lane::Standard,
        lock: Some(lock(u8::try_from(token).unwrap())),
        due: Mono(0),
        seq: i64::from(token),
        operation: "write things".to_owned(),
        buckets: BucketSet::ALL,
        cost: 1,
        safe: true,
        poison: false,
        party: Some(Party { kind, most: 4 }),
        serial: None,
    }
}

fn dispatcher(calls: u32) -> Dispatcher<u32> {
    let limits = Limits { concurrency: calls, buckets: vec![bucket("burst", 10, 1, 1000)], ..limits() };
    Dispatcher::new(limits, Mono(0))
}

fn tokens(dispatcher: &Dispatcher<u32>) -> u64 {
    dispatcher.snapshot(NOW).buckets[0].tokens
}

fn admit(dispatcher: &mut Dispatcher<u32>) -> Option<(Vec<u32>, Vec<Permit>)> {
    let (first, permit) = dispatcher.admit(NOW)?;
    let along = dispatcher.join(&permit, &first, NOW);
    let (mut names, mut permits) = (vec![first.token], vec![permit]);
    for (wanted, permit) in along {
        names.push(wanted.token);
        permits.push(permit);
    }
    Some((names, permits))
}

#[test]
fn those_of_a_kind_that_are_ready_go_in_one_call() {
    let mut dispatcher = dispatcher(1);
    for token in 1..=6 {
        dispatcher.offer(wish(token, 7));
    }
    // Not these: another kind, not due, failed before, another price.
    dispatcher.offer(wish(7, 8));
    dispatcher.offer(Wanted { due: NOW + Duration::from_secs(1), ..wish(8, 7) });
    dispatcher.offer(Wanted { poison: true, ..wish(9, 7) });
    dispatcher.offer(Wanted { cost: 2, ..wish(10, 7) });
    // Of one record only the first in its line.
    dispatcher.offer(Wanted { lock: Some(lock(1)), seq: 99, ..wish(11, 7) });
    let (names, permits) = admit(&mut dispatcher).unwrap();
    assert_eq!(names, [1, 2, 3, 4]);
    assert_eq!((dispatcher.in_flight(), tokens(&dispatcher)), (1, 9));
    assert!(
        permits.iter().all(|permit| dispatcher.is_shared(permit) && permit.party() == permits[0].party())
    );
    assert!(admit(&mut dispatcher).is_none(), "its one slot is taken");
    // The slot is free with the last, each record's lock with its own.
    dispatcher.learn(&permits[0], Class::Applied, None, None, Duration::ZERO, NOW);
    let mut permits = permits.into_iter();
    for permit in permits.by_ref().take(3) {
        dispatcher.release(permit, NOW);
        assert_eq!(dispatcher.in_flight(), 1);
    }
    dispatcher.release_keeping_lock(permits.next().unwrap(), NOW);
    assert_eq!(dispatcher.in_flight(), 0);
    let (names, _permits) = admit(&mut dispatcher).unwrap();
    assert_eq!(names, [5, 6, 11]);
}

#[test]
fn a_charge_comes_back_when_none_of_them_called() {
    for used in [None, Some(1)] {
        let mut dispatcher = dispatcher(2);
        (1..=3).for_each(|token| dispatcher.offer(wish(token, 7)));
        let (names, permits) = admit(&mut dispatcher).unwrap();
        assert_eq!((names.len(), tokens(&dispatcher)), (3, 9));
        for (place, permit) in permits.into_iter().enumerate() {
            if used == Some(place) {
                dispatcher.release(permit, NOW)
            } else {
                dispatcher.release_unused(permit, NOW)
            }
        }
        assert_eq!(tokens(&dispatcher), if used.is_some() { 9 } else { 10 });
        assert_eq!(dispatcher.in_flight(), 0);
    }
}

#[test]
fn what_no_two_calls_may_be_about_waits_for_its_turn() {
    let mut dispatcher = dispatcher(4);
    let parent: Arc<str> = Arc::from("account 1");
    let child = |token| Wanted { party: None, serial: Some(Arc::clone(&parent)), ..wish(token, 0) };
    dispatcher.offer(Wanted { party: None, ..wish(1, 0) });
    let (first, permit) = dispatcher.admit(NOW).unwrap();
    assert_eq!(first.token, 1);
    // Found to be about that parent when it was judged.
    assert!(dispatcher.take_turn(&permit, &parent) && dispatcher.take_turn(&permit, &parent));
    (2..=4).for_each(|token| dispatcher.offer(child(token)));
    dispatcher.offer(Wanted { party: None, ..wish(5, 0) });
    assert_eq!(dispatcher.snapshot(NOW).blocked, 3);
    let (other, free) = dispatcher.admit(NOW).unwrap();
    assert_eq!(other.token, 5, "who is about nothing passes");
    assert!(!dispatcher.take_turn(&free, &parent));
    assert!(dispatcher.admit(NOW).is_none() && dispatcher.next_wakeup(NOW).is_none());
    // One after the other, in their order.
    let mut before = permit;
    for token in 2..=4 {
        dispatcher.release(before, NOW);
        let (next, permit) = dispatcher.admit(NOW).unwrap();
        assert_eq!(next.token, token);
        assert!(dispatcher.admit(NOW).is_none());
        before = permit;
    }
    // One that sleeps can be taken back.
    dispatcher.offer(child(6));
    assert!(dispatcher.holds(&6));
    dispatcher.withdraw(&6);
    assert!(!dispatcher.holds(&6));
    dispatcher.release_unused(before, NOW);
    assert!(dispatcher.admit(NOW).is_none());
}

#[test]
fn children_of_one_parent_may_go_together() {
    let mut dispatcher = dispatcher(4);
    let child = |token, parent: &str| Wanted { serial: Some(Arc::from(parent)), ..wish(token, 7) };
    for (token, parent) in [(1, "a"), (2, "a"), (3, "b"), (4, "a"), (5, "b")] {
        dispatcher.offer(child(token, parent));
    }
    let (names, permits) = admit(&mut dispatcher).unwrap();
    assert_eq!(names, [1, 2, 3, 4]);
    assert!(admit(&mut dispatcher).is_none(), "the other child of b waits");
    permits.into_iter().for_each(|permit| dispatcher.release(permit, NOW));
    assert_eq!(admit(&mut dispatcher).unwrap().0, [5]);
}

/// What can only go whole is brought together from wherever it stands; whoever gives which permit back first, nothing
/// stays taken (I19).
#[test]
fn who_is_brought_along_is_counted_with_the_others() {
    for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut dispatcher = dispatcher(1);
        let parent: Arc<str> = Arc::from("account 1");
        dispatcher.offer(wish(1, 7));
        dispatcher.offer(wish(2, 7));
        dispatcher.offer(Wanted { lane: Lane::Critical, due: NOW + Duration::from_secs(1), ..wish(3, 7) });
        dispatcher.offer(Wanted { lane: Lane::Bulk, serial: Some(Arc::clone(&parent)), ..wish(4, 7) });
        let (names, mut permits) = admit(&mut dispatcher).unwrap();
        assert_eq!(names, [1, 2]);
        assert!(dispatcher.bring(&permits[0], &3, NOW).is_none(), "it is not due");
        assert!(dispatcher.holds(&3) && dispatcher.bring(&permits[0], &9, NOW).is_none());
        let (brought, permit) = dispatcher.bring(&permits[0], &4, NOW).unwrap();
        assert_eq!((brought.token, permit.party()), (4, permits[0].party()));
        permits.push(permit);
        assert!(dispatcher.bring(&permits[0], &4, NOW).is_none(), "it is on its way");
        let mut permits: Vec<Option<Permit>> = permits.into_iter().map(Some).collect();
        for place in order {
            assert_eq!(dispatcher.in_flight(), 1);
            dispatcher.release(permits[place].take().unwrap(), NOW);
        }
        assert_eq!(dispatcher.in_flight(), 0);
        // The parent is free, and so is the slot.
        dispatcher.offer(Wanted { serial: Some(parent), ..wish(5, 8) });
        assert_eq!(dispatcher.admit(NOW).unwrap().0.token, 5);
    }
}

/// One alone becomes a party by who is brought to it; who waits for another call's parent is not.
#[test]
fn nobody_is_brought_whose_parent_is_taken() {
    let mut dispatcher = dispatcher(2);
    let parent: Arc<str> = Arc::from("account 1");
    dispatcher.offer(Wanted { party: None, serial: Some(Arc::clone(&parent)), ..wish(1, 0) });
    let (_, busy) = dispatcher.admit(NOW).unwrap();
    dispatcher.offer(wish(2, 7));
    dispatcher.offer(Wanted { serial: Some(parent), ..wish(3, 8) });
    dispatcher.offer(wish(4, 8));
    let (first, permit) = dispatcher.admit(NOW).unwrap();
    assert_eq!((first.token, dispatcher.is_shared(&permit)), (2, false));
    assert!(dispatcher.bring(&permit, &3, NOW).is_none());
    let (_, other) = dispatcher.bring(&permit, &4, NOW).unwrap();
    assert!(dispatcher.is_shared(&permit) && dispatcher.in_flight() == 2);
    dispatcher.release_unused(permit, NOW);
    assert_eq!(dispatcher.in_flight(), 2);
    dispatcher.release_unused(other, NOW);
    dispatcher.release(busy, NOW);
    assert_eq!((dispatcher.in_flight(), tokens(&dispatcher)), (0, 9));
    assert_eq!(dispatcher.admit(NOW).unwrap().0.token, 3);
}

/// A call settles what it did not admit: each with a permit of its own, which takes no slot and costs nothing, and with the
/// lock that was kept for it.
#[test]
fn what_is_kept_without_a_wish_is_settled_under_a_call_of_its_own() {
    let mut dispatcher = dispatcher(1);
    // Two that went together and are waited for; of one record something newer is wanted.
    (1..=2).for_each(|token| dispatcher.offer(wish(token, 7)));
    let (_, permits) = admit(&mut dispatcher).unwrap();
    for permit in permits {
        dispatcher.release_keeping_lock(permit, NOW);
    }
    dispatcher.offer(Wanted { lock: Some(lock(1)), seq: 9, ..wish(11, 7) });
    // One more is found after a restart, and one that nobody keeps.
    assert!(dispatcher.hold(lock(3).0, &lock(3).1, 103));
    dispatcher.offer(Wanted { lock: None, party: None, ..wish(90, 0) });
    let (look, permit) = dispatcher.admit(NOW).unwrap();
    assert_eq!((look.token, dispatcher.in_flight()), (90, 1));
    let before = tokens(&dispatcher);
    let of = |number| lock(u8::try_from(number).unwrap());
    let lent: Vec<Permit> =
        (1..=4).map(|number| dispatcher.lend(&permit, of(number).0, &of(number).1, 100 + number)).collect();
    assert_eq!((dispatcher.in_flight(), tokens(&dispatcher)), (1, before));
    assert!(lent.iter().all(|one| one.party() == permit.party() && dispatcher.is_shared(one)));
    // A lock that a call has is not kept by anybody else.
    assert!(!dispatcher.hold(lock(1).0, &lock(1).1, 5));
    assert!(dispatcher.admit(NOW).is_none(), "the one slot is taken");
    let mut lent = lent.into_iter();
    // One is at its end; one is in doubt and keeps its lock; two are given back.
    dispatcher.release(lent.next().unwrap(), NOW);
    dispatcher.release_keeping_lock(lent.next().unwrap(), NOW);
    lent.for_each(|permit| dispatcher.release(permit, NOW));
    assert_eq!(dispatcher.in_flight(), 1);
    dispatcher.release(permit, NOW);
    assert_eq!(dispatcher.in_flight(), 0);
    // What waited for the first goes; the second's lock is kept.
    let (next, permit) = dispatcher.admit(NOW).unwrap();
    assert_eq!(next.token, 11);
    dispatcher.release(permit, NOW);
    dispatcher.offer(Wanted { lock: Some(lock(2)), ..wish(12, 7) });
    assert!(dispatcher.admit(NOW).is_none());
    dispatcher.unlock(lock(2).0, &lock(2).1);
    assert_eq!(dispatcher.admit(NOW).unwrap().0.token, 12);
}

#[test]
fn a_key_that_is_shut_is_nobody_s_until_it_is_opened() {
    let mut dispatcher = dispatcher(4);
    let key: Arc<str> = Arc::from("jobs");
    let needs = |token| Wanted { party: None, serial: Some(Arc::clone(&key)), ..wish(token, 0) };
    // The call that has it when it is shut keeps it; nobody is woken when that is over.
    dispatcher.offer(needs(1));
    let (_, permit) = dispatcher.admit(NOW).unwrap();
    dispatcher.shut(&key);
    assert!(dispatcher.is_turn_free(&permit, &key));
    dispatcher.offer(needs(2));
    dispatcher.offer(Wanted { party: None, ..wish(3, 0) });
    dispatcher.release(permit, NOW);
    let (other, free) = dispatcher.admit(NOW).unwrap();
    assert_eq!(other.token, 3, "who does not need it passes");
    assert!(!dispatcher.is_turn_free(&free, &key) && !dispatcher.take_turn(&free, &key));
    assert!(dispatcher.admit(NOW).is_none());
    assert!(dispatcher.holds(&2));
    // One that is offered while it is shut sleeps, too; opened, they go one at a time.
    dispatcher.offer(needs(4));
    dispatcher.reopen(&key);
    let (next, permit) = dispatcher.admit(NOW).unwrap();
    assert_eq!(next.token, 2);
    assert!(dispatcher.admit(NOW).is_none());
    // Opened while a call has it: it stays that call's.
    dispatcher.shut(&key);
    dispatcher.reopen(&key);
    assert!(dispatcher.admit(NOW).is_none());
    dispatcher.release(permit, NOW);
    assert_eq!(dispatcher.admit(NOW).unwrap().0.token, 4);
    // What was never shut is open.
    dispatcher.reopen(&Arc::from("nothing"));
}
