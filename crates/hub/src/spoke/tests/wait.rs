//! What waits for a link: that nothing which comes between judgement and park is missed, and until when.

use ledger::{Level, Obligation, State, Waiting};
use mapping::MissingLink;
use store::conformance::make;
use store::memory::Memory;
use store::{Op, Receipt, Store, Unit};

use super::*;
use crate::spoke::plan::{Plan, Rest};
use crate::spoke::wait::Bringers;

fn answered<T: Send + 'static>(ask: impl FnOnce(store::Reply<T>)) -> T {
    let (tell, told) = std::sync::mpsc::channel();
    ask(Box::new(move |answer| drop(tell.send(answer))));
    told.recv().unwrap().unwrap()
}

fn erp() -> Spoke {
    let mut spoke = Spoke::new(configuration(None), System::new("erp").unwrap()).unwrap();
    let _asks = turn(&mut spoke, Input::Start);
    spoke
}

/// Contact 2 waits for contact 1.
fn waits(spoke: &Spoke, bringer: Option<Obligation>, waiter: &Obligation, now: Wall) -> Rest {
    let missing = MissingLink {
        field: canonical::Field::new("parent").unwrap(),
        entity: Entity::new("Contact").unwrap(),
        object: make::object("customer"),
        record: make::rec(1),
        path: "parent".to_owned(),
        late: false,
    };
    let bringers: Bringers =
        bringer.into_iter().map(|row| ((make::rec(1), make::object("customer")), row)).collect();
    let route = spoke.config.route(&waiter.key.route).unwrap();
    let mapping = spoke.config.mapping_of(route).unwrap();
    match spoke.wait_for(&missing, &bringers, mapping, now, waiter) {
        Plan::Rest(rest) => rest,
        _ => panic!("it does not wait"),
    }
}

fn until(rest: &Rest) -> Wall {
    match rest.waiting {
        Some(Waiting::Link { until, .. }) => until,
        _ => panic!("it waits for no link"),
    }
}

/// What would have brought the link may end, and the link may come, after it was judged that something waits for them and before
/// that is written down. Neither would wake it then: it is judged again at once.
#[test]
fn what_ends_or_comes_between_judgement_and_park_is_not_missed() {
    let settled = |state| Op::Settle {
        key: make::sync_key("r", 1),
        level: Level { version: 1, generation: 0 },
        reached: false,
        state,
        attempts: 0,
        due: make::at(60),
        waiting: None,
        reason: None,
        at: make::at(60),
    };
    let link = intake::Link { object: make::object("customer"), ..make::link(1, "erp", "x") };
    for (between, parks) in [
        (vec![], true),
        (vec![settled(State::Dead)], false),
        (vec![settled(State::Discarded)], false),
        (vec![Op::PutLink(link)], false),
    ] {
        let (mut spoke, store) = (erp(), Memory::new());
        let apply = |units: Vec<Unit>| answered(|reply| store.commit(units, reply));
        let unit = |ops| Unit { require: Vec::new(), ops };
        apply(vec![unit(vec![Op::Raise(make::raise("r", 1, 1)), Op::Raise(make::raise("r", 2, 1))])]);
        let row = |number| store::rules::first(&make::raise("r", number, 1));
        let (bringer, waiter) = (row(1), row(2));
        let rest = waits(&spoke, Some(bringer), &waiter, make::at(59));
        assert_eq!(rest.state, State::Parked);

        apply(vec![unit(between.clone())]);
        let mut effects = Vec::new();
        let now = Now { wall: make::at(61), ..Now::default() };
        let mut then = Turn::new(now, 1, &mut effects);
        let head = store::rules::head(&waiter);
        spoke.active.insert(head.key.clone());
        spoke.come_to_rest(head, &waiter, rest, None, &mut then);
        let (units, after): (Vec<_>, Vec<_>) = std::mem::take(&mut spoke.outbox).into_iter().unzip();
        let receipts = apply(units);
        assert_eq!(matches!(receipts.as_slice(), [Receipt::Done(_)]), parks, "{between:?}");
        spoke.committed(after, Ok(receipts), &mut then);
        // What is judged again is offered again.
        assert_eq!(spoke.heads.contains_key(&waiter.key), !parks, "{between:?}");
    }
}

/// It waits an hour from its first wait, and an hour from the end of what would have brought it, however often it is judged.
#[test]
fn the_hour_of_a_wait_counts_from_its_first_and_from_the_end_of_what_was_to_bring_it() {
    let spoke = erp();
    let hour = std::time::Duration::from_secs(3600);
    let first = store::rules::first(&make::raise("r", 2, 1));
    let begun = waits(&spoke, None, &first, make::at(100));
    assert_eq!((begun.state, until(&begun)), (State::Parked, make::at(100) + hour));
    let waiter = Obligation { waiting: begun.waiting, ..first };
    let again = waits(&spoke, None, &waiter, make::at(900));
    assert_eq!((again.state, until(&again)), (State::Parked, make::at(100) + hour));
    assert_eq!(crate::spoke::wait::still(&waiter), waiter.waiting);

    let bringer = store::rules::first(&make::raise("r", 1, 1));
    let late = make::at(100) + hour;
    let alive = waits(&spoke, Some(bringer.clone()), &waiter, late);
    assert_eq!((alive.state, until(&alive)), (State::Parked, late + hour));
    // It came to nothing a minute ago.
    let ended = Wall(late.micros() - 60_000_000);
    let over = Obligation { state: State::Skipped, due: ended, ..bringer };
    let open = waits(&spoke, Some(over.clone()), &waiter, late);
    assert_eq!((open.state, until(&open)), (State::Parked, ended + hour));
    let dead = waits(&spoke, Some(over), &waiter, ended + hour);
    assert_eq!(dead.state, State::Dead);
    assert_eq!(waits(&spoke, None, &waiter, late).state, State::Dead);
}

/// What was put into a half of a rejected batch stays in it when its record moved before it could begin: else whom the batch was
/// rejected for would be looked for from the start.
#[test]
fn a_half_is_kept_over_a_conflict_at_its_begin() {
    use crate::spoke::flight::{Action, Flight};
    use crate::spoke::settle::After;
    let mut spoke = erp();
    let raise = intake::Raise { due: Wall(0), ..make::raise("r", 1, 1) };
    let head = store::rules::head(&store::rules::first(&raise));
    let key = head.key.clone();
    spoke.hold(head.clone(), Now::default());
    let (_, permit) = spoke.dispatcher.as_mut().unwrap().admit(Now::default().mono).unwrap();
    let half = spoke.new_party(2);
    let sort = crate::spoke::sort::Sort { party: Some(half), serial: None };
    spoke.sorts.insert(key.clone(), sort);
    let taken = spoke.take_half(&key);
    assert!(taken.is_some() && spoke.sorts.is_empty());
    let flight = Flight {
        intent: make::intent(1, "r", 1),
        write: super::start::write(),
        request: connector::Request::default(),
        head: Some(head),
        obligation: None,
        shadow: None,
        matches: Vec::new(),
        mapping: Default::default(),
        exit: None,
        permit,
        action: Action::Send,
        durable: true,
        begins: true,
        half: taken,
    };
    assert_eq!(flight.intent.obligation, key);
    let mut effects = Vec::new();
    let mut then = Turn::new(Now::default(), 1, &mut effects);
    spoke.committed(vec![After::Launch(Box::new(flight))], Ok(vec![Receipt::Conflict]), &mut then);
    assert!(spoke.heads.contains_key(&key), "it is offered again");
    assert_eq!(spoke.take_half(&key).map(|party| party.kind), Some(half.kind));
}

/// I4: an event that a person has tried again is back in its line: later ones of its record that wait in memory do not go before
/// it, whenever they are due. Those of other records, routes and states of the record stay.
#[test]
fn i4_an_event_that_is_tried_again_goes_before_the_later_ones() {
    use store::conformance::make;
    let mut spoke = Spoke::new(configuration(None), System::new("erp").unwrap()).unwrap();
    let _asks = turn(&mut spoke, Input::Start);
    let head = |raise, seq| {
        let raise = intake::Raise { due: Wall(0), ..raise };
        Head { seq, ..store::rules::head(&store::rules::first(&raise)) }
    };
    let later = [make::notify("once", 2, 1), make::notify("once", 3, 1)];
    let others = [make::notify("once", 4, 2), make::notify("twice", 5, 1), make::raise("r", 1, 1)];
    for (raise, seq) in later.into_iter().chain(others).zip(2..) {
        spoke.hold(head(raise, seq), Now::default());
    }
    assert_eq!(spoke.heads.len(), 5);
    // There is no room for it just now.
    spoke.claims.iter_mut().for_each(|claim| claim.behind = true);
    spoke.raised(vec![head(make::notify("once", 1, 1), 1)], Now::default());
    let mut held: Vec<i64> = spoke.heads.values().map(|head| head.seq).collect();
    held.sort_unstable();
    assert_eq!(held, [4, 5, 6]);
    let waits = |event| {
        let token = Token::Deliver(make::notify_key("once", event));
        spoke.dispatcher.as_ref().unwrap().holds(&token)
    };
    assert_eq!([2, 3, 4].map(waits), [false, false, true]);
    assert!(spoke.claims.iter().all(|claim| claim.behind), "the store is asked for what goes first");
}
