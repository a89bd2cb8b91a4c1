//! Obligations: raising, settling, waking, claiming.

use canonical::Wall;
use intake::Raise;
use ledger::{Lane, Level, Obligation, ObligationKey, Reason, State, Waiting};

use super::Backend;
use super::make::*;
use crate::{Backlog, Claimed, Head, Op, Query, Rows, SpokeAsk};

fn row(backend: &Backend, key: ObligationKey) -> Obligation {
    let ask = SpokeAsk { key, record: rec(1), object: object("customer"), references: vec![] };
    let query = Query::Spoke { tenant: acme(), system: system("erp"), asks: vec![ask] };
    match backend.find(query) {
        Rows::Spoke(mut rows) => rows.pop().and_then(|row| row.obligation).unwrap(),
        other => panic!("not a spoke's rows: {other:?}"),
    }
}

fn claimed(backend: &Backend, query: Query) -> Claimed {
    match backend.find(query) {
        Rows::Claim(claimed) => claimed,
        other => panic!("not a claim: {other:?}"),
    }
}

fn keys(heads: &[Head]) -> Vec<ObligationKey> {
    heads.iter().map(|head| head.key.clone()).collect()
}

/// A first raise makes a row; further ones fold in without touching the spoke's columns (I4: wanted only goes up).
pub fn raises_fold_and_keep_their_turn(backend: &Backend) {
    let heads = backend.apply(vec![Op::Raise(raise("r", 1, 1))]);
    let first = row(backend, sync_key("r", 1));
    assert_eq!(heads, [crate::rules::head(&first)]);
    let fresh = Obligation { seq: first.seq, ..crate::rules::first(&raise("r", 1, 1)) };
    assert_eq!(first, fresh);
    assert!(first.seq > 0);

    let retrying = Op::Settle {
        key: sync_key("r", 1),
        level: level(1),
        reached: false,
        state: State::Retrying,
        attempts: 3,
        due: at(500),
        waiting: None,
        reason: Some(reason("fp1_a")),
        at: at(90),
    };
    assert_eq!(backend.apply(vec![retrying]), [], "a retry is the spoke's to remember");
    let later = Raise { due: at(95), at: at(95), trace: trace(8), ..raise("r", 1, 3) };
    assert_eq!(backend.apply(vec![Op::Raise(later)]).len(), 1);
    backend.apply(vec![Op::Raise(Raise { at: at(96), ..raise("r", 1, 2) })]);
    let now = row(backend, sync_key("r", 1));
    assert_eq!(now.wanted, level(3));
    assert_eq!((now.state, now.attempts, now.due, now.raised_at), (State::Retrying, 3, at(500), at(10)));
    assert_eq!((now.folded, now.trace.as_str()), (2, trace(8).as_str()));
    assert_eq!(now.reason, Some(reason("fp1_a")));
    backend.apply(vec![Op::Raise(Raise { again: true, ..raise("r", 1, 3) })]);
    assert_eq!(row(backend, sync_key("r", 1)).wanted, Level { version: 3, generation: 1 });
}

/// A resting row opens for what is not covered, and only for that.
pub fn rest_opens_for_more_only(backend: &Backend) {
    for state in [State::Delivered, State::Skipped, State::Superseded, State::Dead, State::Uncertain] {
        let route = state.name();
        backend.apply(vec![Op::Raise(raise(route, 1, 2))]);
        assert_eq!(backend.apply(vec![settle(sync_key(route, 1), 2, state)]), []);
        let rest = row(backend, sync_key(route, 1));
        assert_eq!((rest.state, rest.attempts, rest.due), (state, 2, at(100)));
        for version in 1..=2 {
            assert_eq!(backend.apply(vec![Op::Raise(raise(route, 1, version))]), [], "{route}");
            assert_eq!(row(backend, sync_key(route, 1)), rest);
        }
        let newer = Raise { due: at(200), at: at(200), ..raise(route, 1, 3) };
        assert_eq!(backend.apply(vec![Op::Raise(newer)]).len(), 1, "{route}");
        let open = row(backend, sync_key(route, 1));
        assert_eq!(
            (open.state, open.attempts, open.due, open.raised_at),
            (State::Pending, 0, at(200), at(200))
        );
        assert_eq!((open.reason, open.folded, open.seq), (None, 1, rest.seq));
        let judged = |state| settle(sync_key(route, 1), 3, state);
        backend.apply(vec![judged(state), Op::Raise(Raise { again: true, ..raise(route, 1, 3) })]);
        let again = row(backend, sync_key(route, 1));
        assert_eq!(
            (again.state, again.wanted),
            (State::Pending, Level { version: 3, generation: 1 }),
            "{route}"
        );
    }
}

/// What a person gave up opens for a newer version only; what was erased never.
pub fn discarded_and_erased_stay(backend: &Backend) {
    for (state, opens) in [(State::Discarded, true), (State::Erased, false)] {
        let route = state.name();
        backend.apply(vec![Op::Raise(raise(route, 1, 1)), settle(sync_key(route, 1), 1, state)]);
        assert_eq!(backend.apply(vec![Op::Raise(Raise { again: true, ..raise(route, 1, 1) })]), []);
        let still = row(backend, sync_key(route, 1));
        assert_eq!((still.state, still.wanted), (state, Level { version: 1, generation: 1 }));
        let heads = backend.apply(vec![Op::Raise(raise(route, 1, 2))]);
        assert_eq!(heads.len(), usize::from(opens), "{route}");
        assert_eq!(row(backend, sync_key(route, 1)).state == State::Pending, opens, "{route}");
    }
}

/// What an operator holds is not handed out, whatever is raised, until it is settled otherwise.
pub fn operator_parking_holds(backend: &Backend) {
    let parked = |version| Op::Settle {
        key: sync_key("r", 1),
        level: level(version),
        reached: false,
        state: State::Parked,
        attempts: 0,
        due: at(10),
        waiting: Some(Waiting::Operator),
        reason: None,
        at: at(10),
    };
    backend.apply(vec![Op::Raise(raise("r", 1, 1)), parked(1)]);
    assert_eq!(backend.apply(vec![Op::Raise(raise("r", 1, 2))]), []);
    assert_eq!(backend.apply(vec![Op::PutLink(link(1, "erp", "a"))]), []);
    assert_eq!(claimed(backend, claim(1000, 10)), Claimed::default());
    let held = row(backend, sync_key("r", 1));
    assert_eq!((held.state, held.wanted, held.folded), (State::Parked, level(2), 2));
    let heads = backend.apply(vec![settle(sync_key("r", 1), 2, State::Pending)]);
    assert_eq!(keys(&heads), [sync_key("r", 1)], "let go by its operator");
    assert_eq!(claimed(backend, claim(1000, 10)).heads.len(), 1);
}

/// What an operator holds keeps its attempts and folds what is raised; released, it goes on with all of it. Only what is
/// open is held, and only what is held is released.
pub fn operators_hold_and_release(backend: &Backend) {
    let why = Reason { class: "held".to_owned(), message: "anna: an audit".to_owned(), ..Reason::default() };
    let hold = |key: &ObligationKey| Op::Hold { key: key.clone(), reason: why.clone(), at: at(400) };
    let release = |key: &ObligationKey| Op::Release { key: key.clone(), at: at(500) };
    let held = |after, limit| {
        let query = Query::Held { tenant: acme(), system: system("erp"), after, limit };
        match backend.find(query) {
            Rows::Held(heads) => heads,
            other => panic!("{other:?}"),
        }
    };
    let all: Vec<ObligationKey> = (1..=4).map(|record| sync_key("r", record)).collect();
    backend.apply((1..=4).map(|record| Op::Raise(raise("r", record, 1))).collect());
    backend.apply(vec![settle(all[3].clone(), 1, State::Dead)]);
    assert_eq!(backend.apply(vec![release(&all[0])]), [], "nothing holds it");
    assert_eq!(backend.apply(all.iter().map(hold).collect()), []);
    assert_eq!(keys(&held(0, 9)), all[..3], "the dead one is at rest");
    assert_eq!(keys(&held(held(0, 1)[0].seq, 1)), all[1..2]);
    assert_eq!(claimed(backend, claim(1000, 10)), Claimed::default());
    assert_eq!(backend.apply(vec![Op::Raise(raise("r", 1, 2)), hold(&all[0])]), []);
    let heads = backend.apply(vec![release(&all[0]), release(&all[3])]);
    assert_eq!(keys(&heads), all[..1]);
    let open = row(backend, all[0].clone());
    assert_eq!((open.state, open.wanted, open.folded, open.due), (State::Pending, level(2), 2, at(500)));
    assert_eq!((open.waiting, open.reason), (None, None));
    assert_eq!(keys(&held(0, 9)), all[1..3]);
    assert_eq!(row(backend, all[1].clone()).reason, Some(why.clone()));
    assert_eq!(row(backend, all[3].clone()).state, State::Dead);

    // What was known of it before is known again.
    let looked = Reason { class: "looked".to_owned(), message: "ben".to_owned(), ..Reason::default() };
    let again = Op::Settle {
        key: all[0].clone(),
        level: level(2),
        reached: false,
        state: State::Pending,
        attempts: 0,
        due: at(500),
        waiting: None,
        reason: Some(looked),
        at: at(500),
    };
    backend.apply(vec![again, hold(&all[0]), release(&all[0])]);
    assert_eq!(row(backend, all[0].clone()).reason.map(|reason| reason.class), Some("looked".to_owned()));
}

/// A held `notify` delivery keeps its line waiting; released, the line goes on in order.
pub fn held_notifies_keep_their_line(backend: &Backend) {
    let hold = |key: &ObligationKey| Op::Hold { key: key.clone(), reason: Reason::default(), at: at(400) };
    let (first, second) = (notify_key("n", 1), notify_key("n", 2));
    backend.apply(vec![Op::Raise(notify("n", 1, 1)), Op::Raise(notify("n", 2, 1))]);
    assert_eq!(backend.apply(vec![hold(&first)]), []);
    assert_eq!(claimed(backend, claim(1000, 10)).heads, []);
    assert_eq!(keys(&backend.apply(vec![Op::Release { key: first.clone(), at: at(500) }])), [first]);
    assert_eq!(backend.apply(vec![hold(&second)]), []);
    assert_eq!(claimed(backend, claim(1000, 10)).heads.len(), 1);
}

/// The lane is the most urgent of the levels covered; one that was reached no longer counts.
pub fn lanes_go_up_while_open(backend: &Backend) {
    let lane = |lane, version| Op::Raise(Raise { lane, ..raise("r", 1, version) });
    let now = || row(backend, sync_key("r", 1)).lane;
    backend.apply(vec![lane(Lane::Bulk, 1)]);
    assert_eq!(now(), Lane::Bulk);
    backend.apply(vec![lane(Lane::Critical, 2)]);
    backend.apply(vec![lane(Lane::Standard, 3)]);
    assert_eq!(now(), Lane::Critical);
    backend.apply(vec![settle(sync_key("r", 1), 3, State::Dead), lane(Lane::Bulk, 4)]);
    assert_eq!(now(), Lane::Critical, "the dead level is still to be reached");
    backend.apply(vec![settle(sync_key("r", 1), 4, State::Delivered), lane(Lane::Bulk, 5)]);
    assert_eq!(now(), Lane::Bulk);
    assert_eq!(backend.apply(vec![lane(Lane::Standard, 5)]).len(), 1);
    assert_eq!(now(), Lane::Standard, "the same level, now more urgent");
}

/// A settlement of an older level leaves the row open, due at once (I4, I1: nothing newer is lost).
pub fn settling_an_older_level_puts_back(backend: &Backend) {
    for state in [State::Delivered, State::Dead, State::Skipped, State::Parked] {
        let route = state.name();
        backend.apply(vec![Op::Raise(raise(route, 1, 1)), Op::Raise(raise(route, 1, 2))]);
        let heads = backend.apply(vec![settle(sync_key(route, 1), 1, state)]);
        let open = row(backend, sync_key(route, 1));
        assert_eq!(heads, [crate::rules::head(&open)], "{route}");
        assert_eq!((open.state, open.attempts, open.due), (State::Pending, 0, at(100)));
        assert_eq!((open.reason, open.waiting), (None, None));
        let reached = if state == State::Delivered { level(1) } else { level(0) };
        assert_eq!(open.reached, reached);
    }
    // One that waits for a link goes on counting from its first wait.
    backend.apply(vec![Op::Raise(raise("w", 2, 2))]);
    backend.apply(vec![parked("w", 2, 9, 900).remove(1)]);
    let waits = row(backend, sync_key("w", 2));
    assert_eq!((waits.state, waits.due), (State::Pending, at(20)));
    assert!(matches!(waits.waiting, Some(Waiting::Link { until, .. }) if until == at(900)), "{waits:?}");
}

/// A settlement of a row that is not there changes nothing.
pub fn settling_nothing_is_harmless(backend: &Backend) {
    assert_eq!(backend.apply(vec![settle(sync_key("r", 1), 1, State::Delivered)]), []);
    assert_eq!(claimed(backend, claim(1000, 10)), Claimed::default());
}

fn parked(route: &str, record: u64, on: u64, until: i64) -> Vec<Op> {
    let waiting = Waiting::Link { record: rec(on), object: object("contacts"), until: at(until) };
    let park = Op::Settle {
        key: sync_key(route, record),
        level: level(1),
        reached: false,
        state: State::Parked,
        attempts: 1,
        due: at(until),
        waiting: Some(waiting),
        reason: Some(reason("")),
        at: at(20),
    };
    vec![Op::Raise(raise(route, record, 1)), park]
}

/// A link wakes the deliveries parked for it, in their order, due at once; others sleep on until their deadline.
pub fn links_wake_in_order(backend: &Backend) {
    backend.apply(parked("a", 3, 9, 900));
    backend.apply(parked("b", 2, 9, 800));
    backend.apply(parked("c", 4, 8, 700));
    assert_eq!(claimed(backend, claim(600, 10)), Claimed { heads: vec![], next_due: Some(at(700)) });
    assert_eq!(backend.apply(vec![Op::PutLink(link(9, "crm", "x"))]), [], "another system's link");
    let heads = backend.apply(vec![Op::Raise(raise("d", 5, 1)), Op::PutLink(link(9, "erp", "x"))]);
    assert_eq!(keys(&heads), [sync_key("d", 5), sync_key("a", 3), sync_key("b", 2)]);
    let woken = row(backend, sync_key("a", 3));
    assert_eq!((woken.state, woken.due, woken.attempts), (State::Pending, at(50), 1));
    assert_eq!((woken.waiting, woken.reason), (None, None));
    assert_eq!(heads[1], crate::rules::head(&row(backend, sync_key("a", 3))));
    let due = claimed(backend, claim(750, 10)).heads;
    assert_eq!(keys(&due), [sync_key("d", 5), sync_key("a", 3), sync_key("b", 2), sync_key("c", 4)]);
}

/// What died for want of a link goes on when the link comes, from its first attempt; a person's end stands.
pub fn links_wake_the_dead(backend: &Backend) {
    let dead = |route, record| {
        let mut ops = parked(route, record, 9, 900);
        if let Some(Op::Settle { state, due, .. }) = ops.last_mut() {
            (*state, *due) = (State::Dead, at(30));
        }
        ops
    };
    backend.apply(dead("a", 1));
    backend.apply(dead("b", 2));
    backend.apply(vec![settle(sync_key("b", 2), 1, State::Discarded)]);
    assert_eq!(claimed(backend, claim(2000, 10)), Claimed::default());
    let heads = backend.apply(vec![Op::PutLink(link(9, "erp", "x"))]);
    assert_eq!(keys(&heads), [sync_key("a", 1)]);
    let woken = row(backend, sync_key("a", 1));
    assert_eq!((woken.state, woken.due, woken.attempts), (State::Pending, at(50), 0));
    assert_eq!((woken.waiting, woken.reason), (None, None));
    assert_eq!(row(backend, sync_key("b", 2)).state, State::Discarded);
}

/// What is parked for what a delivery would have brought is judged again when that ends; its deadline stands.
pub fn an_end_rouses_what_waits_for_it(backend: &Backend) {
    for (on, state) in [(9, State::Dead), (19, State::Discarded)] {
        backend.apply(vec![Op::Raise(raise("r", on, 1))]);
        backend.apply(parked("b", on + 1, on, 900));
        let mut ops = parked("c", on + 2, on, 900);
        if let Some(Op::Settle { waiting: Some(Waiting::Link { object: kind, .. }), .. }) = ops.last_mut() {
            *kind = object("customer");
        }
        backend.apply(ops);
        // Another delivery of the record itself, which would make a second object of it.
        let mut own = parked("own", on, on, 900);
        if let Some(Op::Settle { waiting: Some(Waiting::Link { object: kind, .. }), .. }) = own.last_mut() {
            *kind = object("customer");
        }
        backend.apply(own);
        assert_eq!(backend.apply(vec![settle(sync_key("r", on), 1, State::Retrying)]), []);
        let heads = backend.apply(vec![settle(sync_key("r", on), 1, state)]);
        assert_eq!(keys(&heads), [sync_key("c", on + 2)]);
        let roused = row(backend, sync_key("c", on + 2));
        assert_eq!(roused.state, State::Pending);
        assert_eq!(row(backend, sync_key("own", on)).state, State::Parked);
        let hastened = Op::Hasten { key: sync_key("own", on), lane: Lane::Critical, at: at(60) };
        backend.apply(vec![hastened]);
        let own = row(backend, sync_key("own", on));
        assert_eq!((own.state, own.lane), (State::Parked, Lane::Critical));
        assert!(
            matches!(roused.waiting, Some(Waiting::Link { until, .. }) if until == at(900)),
            "{roused:?}"
        );
        assert_eq!(backend.apply(vec![settle(sync_key("r", on), 1, state)]), [], "once");
    }
}

/// What something waits for in a higher lane takes that lane, whatever it waits for itself.
pub fn hastening_is_for_what_is_open(backend: &Backend) {
    let hasten = |route, record, lane| Op::Hasten { key: sync_key(route, record), lane, at: at(70) };
    let lane = |route, record| row(backend, sync_key(route, record)).lane;
    backend.apply(vec![Op::Raise(Raise { lane: Lane::Bulk, ..raise("a", 1, 1) })]);
    assert_eq!(keys(&backend.apply(vec![hasten("a", 1, Lane::Standard)])), [sync_key("a", 1)]);
    assert_eq!(backend.apply(vec![hasten("a", 1, Lane::Bulk)]), [], "never down");
    assert_eq!(lane("a", 1), Lane::Standard);
    backend.apply(parked("b", 2, 9, 900));
    assert_eq!(keys(&backend.apply(vec![hasten("b", 2, Lane::Critical)])), [sync_key("b", 2)]);
    assert_eq!((lane("b", 2), row(backend, sync_key("b", 2)).due), (Lane::Critical, at(70)));
    backend.apply(vec![Op::Raise(raise("c", 3, 1)), settle(sync_key("c", 3), 1, State::Dead)]);
    assert_eq!(backend.apply(vec![hasten("c", 3, Lane::Critical), hasten("none", 4, Lane::Critical)]), []);
    assert_eq!(lane("c", 3), Lane::Standard);
}

/// Events of one route and record go one after the other: the next when the one before rests.
pub fn notify_keeps_order(backend: &Backend) {
    let raised = |event, record| backend.apply(vec![Op::Raise(notify("n", event, record))]);
    assert_eq!(keys(&raised(1, 1)), [notify_key("n", 1)]);
    assert_eq!(keys(&raised(2, 1)), []);
    assert_eq!(keys(&raised(3, 1)), []);
    assert_eq!(keys(&raised(4, 2)), [notify_key("n", 4)], "another record");
    assert_eq!(
        keys(&backend.apply(vec![Op::Raise(notify("m", 3, 1))])),
        [notify_key("m", 3)],
        "another route"
    );
    let due = || keys(&claimed(backend, claim(1000, 10)).heads);
    assert_eq!(due(), [notify_key("n", 1), notify_key("n", 4), notify_key("m", 3)]);
    let retry = settle(notify_key("n", 1), 1, State::Retrying);
    assert_eq!(backend.apply(vec![retry]), [], "a retry keeps the others waiting");
    let heads = backend.apply(vec![settle(notify_key("n", 2), 1, State::Discarded)]);
    assert_eq!(heads, [], "one in the middle leaves the line");
    let heads = backend.apply(vec![settle(notify_key("n", 1), 1, State::Delivered)]);
    assert_eq!(keys(&heads), [notify_key("n", 3)]);
    assert_eq!(due(), [notify_key("n", 3), notify_key("n", 4), notify_key("m", 3)]);
}

/// An earlier one that is taken up again goes before the later ones that are still open.
pub fn notify_reopened_goes_first(backend: &Backend) {
    for event in 1..=3 {
        backend.apply(vec![Op::Raise(notify("n", event, 1))]);
    }
    let dead = backend.apply(vec![settle(notify_key("n", 1), 1, State::Dead)]);
    assert_eq!(keys(&dead), [notify_key("n", 2)], "a dead letter blocks only itself (I10)");
    let heads = backend.apply(vec![settle(notify_key("n", 1), 1, State::Pending)]);
    assert_eq!(keys(&heads), [notify_key("n", 1)], "an operator's retry");
    assert_eq!(keys(&claimed(backend, claim(1000, 10)).heads), [notify_key("n", 1)]);
    let heads = backend.apply(vec![settle(notify_key("n", 1), 1, State::Delivered)]);
    assert_eq!(keys(&heads), [notify_key("n", 2)]);
    backend.apply(vec![settle(notify_key("n", 2), 1, State::Dead)]);
    let heads = backend.apply(vec![Op::Raise(Raise { again: true, ..notify("n", 1, 1) })]);
    assert_eq!(keys(&heads), [notify_key("n", 1)]);
    assert_eq!(keys(&claimed(backend, claim(1000, 10)).heads), [notify_key("n", 1)]);
}

/// Claims walk a cursor of (due, seq): everything once, in order, by pages of any size.
pub fn claims_page_through_in_order(backend: &Backend) {
    let mut expected: Vec<(Wall, i64)> = Vec::new();
    for number in 0..23 {
        let due = at(i64::try_from(number % 5).unwrap());
        let heads = backend.apply(vec![Op::Raise(Raise { due, ..raise("r", number, 1) })]);
        expected.extend(heads.iter().map(|head| (head.due, head.seq)));
    }
    expected.sort_unstable();
    for limit in [1, 4, 23, 100] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let query = Query::Claim {
                tenant: acme(),
                system: system("erp"),
                lane: Lane::Standard,
                after,
                due_by: at(3),
                limit,
            };
            let page = claimed(backend, query).heads;
            found.extend(page.iter().map(|head| (head.due, head.seq)));
            let Some(last) = page.last() else { break };
            after = Some((last.due, last.seq));
        }
        let due: Vec<_> = expected.iter().copied().filter(|(due, _)| *due <= at(3)).collect();
        assert_eq!(found, due, "limit {limit}");
    }
}

/// A claim sees its own tenant, system and lane only.
pub fn claims_keep_lanes_systems_and_tenants_apart(backend: &Backend) {
    let mut foreign = raise("r", 2, 1);
    foreign.key.tenant = other();
    backend.apply(vec![
        Op::Raise(raise("r", 1, 1)),
        Op::Raise(foreign),
        Op::Raise(Raise { system: system("marketing"), ..raise("r", 3, 1) }),
        Op::Raise(Raise { lane: Lane::Bulk, ..raise("r", 4, 1) }),
    ]);
    assert_eq!(keys(&claimed(backend, claim(1000, 10)).heads), [sync_key("r", 1)]);
}

/// When nothing more is due, a claim says when the next will be; what cannot be claimed does not count.
pub fn claims_say_when_to_look_again(backend: &Backend) {
    let due = |record, due| Op::Raise(Raise { due: at(due), ..raise("r", record, 1) });
    backend.apply(vec![
        due(1, 10),
        due(2, 30),
        due(3, 20),
        Op::Raise(Raise { due: at(15), ..notify("n", 1, 9) }),
    ]);
    backend.apply(vec![Op::Raise(Raise { due: at(12), ..notify("n", 2, 9) })]);
    assert_eq!(claimed(backend, claim(5, 10)), Claimed { heads: vec![], next_due: Some(at(10)) });
    let found = claimed(backend, claim(10, 10));
    assert_eq!((keys(&found.heads), found.next_due), (vec![sync_key("r", 1)], Some(at(15))));
    let found = claimed(backend, claim(30, 2));
    assert_eq!((found.heads.len(), found.next_due), (2, None), "there may be more that is due");
    let found = claimed(backend, claim(30, 10));
    assert_eq!((found.heads.len(), found.next_due), (4, None));
}

/// A backlog counts everything that is open, and says of each lane since when its line waits: held and parked ones,
/// and those behind another, are in no line.
pub fn backlogs_are_counted_and_dated(backend: &Backend) {
    let waits = || match backend.find(Query::Backlog { tenant: acme() }) {
        Rows::Backlog(rows) => rows,
        rows => panic!("not a backlog: {rows:?}"),
    };
    assert_eq!(waits(), []);
    let due = |record, due, lane| Raise { due: at(due), lane, ..raise("r", record, 1) };
    let mut foreign = due(9, 1, Lane::Critical);
    foreign.key.tenant = other();
    backend.apply(vec![
        Op::Raise(due(1, 30, Lane::Standard)),
        Op::Raise(due(2, 20, Lane::Standard)),
        Op::Raise(due(3, 50, Lane::Bulk)),
        Op::Raise(Raise { system: system("marketing"), ..due(4, 70, Lane::Critical) }),
        Op::Raise(foreign),
    ]);
    backend.apply(vec![Op::Raise(Raise { due: at(60), ..notify("n", 1, 5) })]);
    backend.apply(vec![Op::Raise(Raise { due: at(2), ..notify("n", 2, 5) })]);
    let row = |name, open, due: [Option<i64>; 3]| Backlog {
        system: system(name),
        open,
        due: due.map(|due| due.map(at)),
    };
    let marketing = row("marketing", 1, [Some(70), None, None]);
    assert_eq!(waits(), [row("erp", 5, [None, Some(20), Some(50)]), marketing.clone()]);
    // What an operator holds is open and in no line; what tries again is in line for later; what rests is gone.
    let settle = |record, state, due, waiting| Op::Settle {
        key: sync_key("r", record),
        level: level(1),
        reached: state == State::Delivered,
        state,
        attempts: 1,
        due: at(due),
        waiting,
        reason: None,
        at: at(90),
    };
    backend.apply(vec![
        settle(2, State::Parked, 20, Some(Waiting::Operator)),
        settle(1, State::Retrying, 65, None),
        settle(3, State::Delivered, 50, None),
    ]);
    assert_eq!(waits(), [row("erp", 4, [None, Some(60), None]), marketing]);
}
