//! Booths keep every promise of a store; nobody waits behind another's crowd; nobody sees another's numbers.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use super::*;
use crate::browse::EventFilter;
use crate::conformance::make::*;
use crate::conformance::{Backend, random};
use crate::{Memory, Op};

/// Positions as they are.
struct Plain;

impl Cover for Plain {
    fn hide(&self, position: i64) -> i64 {
        position
    }
    fn find(&self, shown: i64) -> i64 {
        shown
    }
    fn counts(&self) -> bool {
        true
    }
}

/// Positions in another order.
struct Odd;

impl Cover for Odd {
    fn hide(&self, position: i64) -> i64 {
        position ^ 0x5555_5555
    }
    fn find(&self, shown: i64) -> i64 {
        shown ^ 0x5555_5555
    }
}

fn over(memory: &Arc<Memory>, count: usize) -> Vec<Booth<Memory>> {
    booths(
        Arc::clone(memory),
        (0..count).map(|_| Arc::new(Plain) as Arc<dyn Cover>).collect(),
        Bounds::default(),
    )
}

fn backend() -> Backend {
    let bounds = Bounds { commits: Most { count: 1, weight: 1 }, finds: 1, looks: 1 };
    let covers: Vec<Arc<dyn Cover>> = vec![Arc::new(Plain), Arc::new(Plain)];
    Backend::new(booths(Arc::new(Memory::new()), covers, bounds).remove(1))
}

crate::conformance_suite!(backend);

#[test]
fn a_booth_answers_as_the_store_behind_it() {
    random::agree(&backend(), &Backend::new(Memory::new()), 11, 300);
}

fn put(number: u64) -> Vec<Unit> {
    vec![Unit { require: Vec::new(), ops: vec![Op::PutRecord(record(number, 1))] }]
}

/// Who was answered, in that order.
type Answered = Arc<Mutex<Vec<(usize, u64)>>>;

fn commit(booths: &[Booth<Memory>], who: usize, number: u64, answered: &Answered) {
    let answered = Arc::clone(answered);
    let push = move |_| answered.lock().unwrap_or_else(PoisonError::into_inner).push((who, number));
    booths[who].commit(put(number), Box::new(push));
}

/// A tenant with ten thousand commits at once: another's next one finds at most 64 of them before it, at any moment.
#[test]
fn i10_a_flood_of_commits_keeps_nobody_waiting() {
    let memory = Arc::new(Memory::holding());
    let booths = over(&memory, 2);
    let answered = Answered::default();
    (0..10_000).for_each(|number| commit(&booths, 0, number, &answered));
    assert_eq!(memory.held(), 64, "so many go on, the rest waits in the booth");
    for round in 0..50 {
        let before = answered.lock().unwrap().len();
        commit(&booths, 1, 20_000 + round, &answered);
        assert_eq!(memory.held(), 65, "it goes on at once");
        memory.sync();
        let answered = answered.lock().unwrap();
        let at = answered.iter().position(|one| *one == (1, 20_000 + round)).unwrap();
        assert!(at - before <= 64, "{at} after {before}");
    }
    while memory.sync() > 0 {}
    let answered = answered.lock().unwrap();
    let flood: Vec<u64> = answered.iter().filter(|(who, _)| *who == 0).map(|(_, number)| *number).collect();
    assert_eq!(flood, (0..10_000).collect::<Vec<_>>(), "all of the flood went through, in its order");
}

/// Two who flood take turns: neither is ever more than one ahead once both wait.
#[test]
fn who_waits_goes_in_turn() {
    let mut turns = Turns::new(3, Most { count: 4, weight: 100 });
    let enter = |turns: &mut Turns<usize>, tenant, count: usize| {
        (0..count).for_each(|number| turns.enter(Turn { tenant, weight: 1 }, number));
    };
    enter(&mut turns, 0, 50);
    enter(&mut turns, 2, 50);
    let mut under_way: Vec<Turn> = Vec::new();
    let mut passed = [0_usize; 3];
    for _ in 0..80 {
        while let Some((turn, number)) = turns.take() {
            assert_eq!(number, passed[turn.tenant], "in order");
            passed[turn.tenant] += 1;
            under_way.push(turn);
        }
        assert!(passed[0].abs_diff(passed[2]) <= 1, "{passed:?}");
        turns.done(under_way.remove(0));
    }
    enter(&mut turns, 1, 1);
    let (turn, _) = turns.take().expect("a newcomer does not wait for those under way");
    assert_eq!(turn.tenant, 1);
}

/// Random crowds: whatever the others do, what a modest tenant enters goes on before each of them got two more.
#[test]
fn at_random_nobody_is_passed_twice_by_the_same() {
    let mut state = 42_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    for _ in 0..200 {
        let tenants = 2 + below(4);
        let most = Most { count: 1 + below(4), weight: 1 + below(20) };
        let mut turns = Turns::new(tenants, most);
        let mut under_way: Vec<Turn> = Vec::new();
        for step in 0..300 {
            for tenant in 1..tenants {
                (0..below(4)).for_each(|_| turns.enter(Turn { tenant, weight: 1 + below(30) }, false));
            }
            if step % 7 == 0 && !under_way.iter().any(|turn| turn.tenant == 0) {
                turns.enter(Turn { tenant: 0, weight: 1 }, true);
                let mut passed = vec![0; tenants];
                loop {
                    let (turn, modest) = turns.take().expect("the modest one may always go");
                    under_way.push(turn);
                    passed[turn.tenant] += 1;
                    if modest {
                        break;
                    }
                }
                assert!(passed.iter().all(|count| *count <= 1), "{passed:?}");
            }
            while let Some((turn, _)) = turns.take() {
                under_way.push(turn);
            }
            for tenant in 0..tenants {
                let own: Vec<usize> =
                    under_way.iter().filter(|turn| turn.tenant == tenant).map(|turn| turn.weight).collect();
                let fits = own.len() <= most.count && own.iter().sum::<usize>() <= most.weight;
                assert!(own.len() <= 1 || fits, "{own:?} of {most:?}");
            }
            if !under_way.is_empty() {
                let one = below(under_way.len());
                turns.done(under_way.swap_remove(one));
            }
        }
    }
}

/// A page's positions are another tenant's business: those that are shown lead on all the same, and tell nothing.
#[test]
fn positions_are_hidden_and_lead_on() {
    let memory = Arc::new(Memory::new());
    let booth =
        booths(Arc::clone(&memory), vec![Arc::new(Odd), Arc::new(Plain)], Bounds::default()).remove(0);
    let shown = Backend::new(booth);
    for number in 1..=5 {
        let ops = vec![Op::PutRecord(record(number, 1)), Op::PutFact(fact(number, number))];
        shown.apply(ops);
    }
    let page = |before| {
        let filter = EventFilter { before, limit: 2, ..EventFilter::default() };
        match shown.look(&acme(), Look::Events(filter)) {
            Page::Events(rows) => rows.into_iter().map(|(at, fact)| (at, fact.id)).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let rows = page(before);
        assert!(rows.iter().all(|(at, _)| *at > 1_000_000), "hidden: {rows:?}");
        seen.extend(rows.iter().map(|(_, id)| *id));
        match rows.last() {
            Some((at, _)) => before = Some(*at),
            None => break,
        }
    }
    assert_eq!(seen, (1..=5).rev().map(evt).collect::<Vec<_>>());
}

/// Counts that come from positions are not told, whether or not another tenant has rows.
#[test]
fn what_cannot_be_counted_apart_is_not_counted() {
    let booths = booths(Arc::new(Memory::new()), vec![Arc::new(Odd) as Arc<dyn Cover>], Bounds::default());
    let shown = Backend::new(booths.into_iter().next().unwrap());
    shown.apply(vec![Op::PutFact(fact(1, 1))]);
    let before = at(0);
    let horizons = crate::retention::Horizons {
        messages: before,
        seen: before,
        events: before,
        deliveries: before,
        groups: before,
        jobs: before,
    };
    let Page::Retention(kept, _) = shown.look(&acme(), Look::Retention(horizons)) else {
        panic!("not what is kept")
    };
    let told: Vec<&str> = kept.iter().filter(|kept| kept.rows.is_some()).map(|kept| kept.kind).collect();
    assert_eq!(told, ["deliveries", "groups", "jobs"]);
}

/// Figures are one's own, and nobody copies what holds the others' rows.
#[test]
fn figures_are_ones_own() {
    let memory = Arc::new(Memory::new());
    let booths = over(&memory, 2);
    let answered = Answered::default();
    (0..5).for_each(|number| commit(&booths, 0, number, &answered));
    let (tell, told) = mpsc::channel();
    booths[1].find(Query::Jobs { tenant: other() }, Box::new(move |rows| drop(tell.send(rows))));
    told.recv().unwrap().unwrap();
    let (busy, quiet) = (booths[0].stats(), booths[1].stats());
    assert_eq!((busy.commits, busy.units, busy.finds), (5, 5, 0));
    assert_eq!((quiet.commits, quiet.units, quiet.finds), (0, 0, 1));
    assert!(memory.stats().disk.is_some() && busy.disk.is_none(), "syncs are for all together");
    assert!(booths[0].copy_to(Path::new("copy")).is_err());
}

/// A store whose commits of record 13 are a defect of its own.
struct Panics(Memory);

impl Store for Panics {
    fn find(&self, query: Query, reply: Reply<Rows>) {
        self.0.find(query, reply);
    }
    fn commit(&self, units: Vec<Unit>, reply: Reply<Vec<Receipt>>) {
        assert_ne!(units, put(13), "a defect");
        self.0.commit(units, reply);
    }
}

impl Browse for Panics {
    fn look(&self, tenant: Tenant, look: Look, reply: Reply<Page>) {
        self.0.look(tenant, look, reply);
    }
    fn stats(&self) -> Stats {
        self.0.stats()
    }
    fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        self.0.copy_to(path)
    }
}

/// A panic below ends the task that it came to, and no other: what waits, and what comes, goes on.
#[test]
fn a_panic_below_stops_only_its_own_task() {
    let covers: Vec<Arc<dyn Cover>> = vec![Arc::new(Plain), Arc::new(Plain)];
    let booths = booths(Arc::new(Panics(Memory::new())), covers, Bounds::default());
    let answered = Answered::default();
    let say = |who: usize, number: u64| {
        let answered = Arc::clone(&answered);
        let push = move |_| answered.lock().unwrap().push((who, number));
        booths[who].commit(put(number), Box::new(push));
    };
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| say(0, 13)));
    assert!(broken.is_err());
    say(1, 1);
    say(0, 2);
    assert_eq!(*answered.lock().unwrap(), [(1, 1), (0, 2)]);
}
