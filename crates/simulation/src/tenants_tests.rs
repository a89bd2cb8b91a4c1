//! Tenants apart: two tenants' machines over one store, with the same names, objects, events and failures. What one of
//! them does, at random and with ids of the other, changes nothing of the other and shows it nothing.

mod seen;
mod world;

use std::sync::Arc;
use std::time::Duration;

use canonical::Tenant;
use guard::seal::RootKey;
use store::browse::{Look, Page};
use store::conformance::Backend;
use store::{Browse, Memory, Query, Receipt, Reply as Answer, Rows, Stats, Store, StoreError, Unit};

use crate::driver::micros;
use crate::scenario::Class;
use seen::{Known, about, questions, seen_by};
use world::World;

const START: i64 = 1_767_225_600_000_000;
const END: Duration = Duration::from_secs(40);
const THINGS: usize = 5;
const CLASSES: [Class; 2] = [Class::Upsert, Class::SearchFirst];

/// Runs tenants over a store; gives them as they are in the end.
fn run(store: &Backend, mut worlds: Vec<World>) -> Vec<World> {
    while let Some(next) = worlds.iter_mut().min_by_key(|world| world.next_at()) {
        if next.next_at() > micros(END) {
            break;
        }
        next.step(store);
    }
    worlds
}

/// What differs first, with what came before it.
#[track_caller]
fn assert_same(with: &[String], without: &[String], what: &str) {
    let differs = with.iter().zip(without).position(|(one, other)| one != other);
    if let Some(at) = differs {
        panic!(
            "{what}: line {at}\nwith the other tenant: {}\nwithout it:            {}",
            with[at], without[at]
        );
    }
    assert_eq!(with.len(), without.len(), "{what}");
}

/// The other's rows cannot be told from rows that are not there.
fn sees_nothing(store: &Backend, who: &Tenant, of: &Tenant) {
    let theirs = Known::of(store, of);
    assert!(!theirs.records.is_empty() && !theirs.messages.is_empty(), "there is nothing to be seen");
    for look in about(&theirs) {
        let found = store.look(who, look.clone());
        let nothing = match &found {
            Page::Deliveries(rows) => rows.is_empty(),
            Page::Delivery(row) => row.is_none(),
            Page::Events(rows) => rows.is_empty(),
            Page::Messages(rows) => rows.is_empty(),
            Page::Record(sheet) => sheet.is_none(),
            Page::Jobs(rows) => rows.is_empty(),
            _ => false,
        };
        assert!(nothing, "{who} sees of {of}: {look:?}: {found:?}");
    }
    let ids: Vec<String> = theirs.records.iter().map(ToString::to_string).collect();
    let ids: Vec<String> = ids.into_iter().chain(theirs.messages.iter().map(ToString::to_string)).collect();
    // What somebody ordered names the ids that it was ordered by.
    let ordered = |query: &Query| matches!(query, Query::Jobs { .. } | Query::System { .. });
    for query in questions(who, &theirs).into_iter().filter(|query| !ordered(query)) {
        let found = format!("{:?}", store.find(query.clone()));
        let shown = ids.iter().find(|id| found.contains(id.as_str()));
        assert_eq!(shown, None, "{who} is told of {of}: {query:?}: {found}");
    }
}

fn isolated(make: &dyn Fn() -> Backend, seeds: std::ops::Range<u64>) {
    let (mut decided, mut dead, mut jobs) = (0, 0, 0);
    for seed in seeds {
        let alone = make();
        let without = run(&alone, vec![World::new("globex", seed, None)]).remove(0);
        let both = make();
        let worlds = vec![World::new("acme", seed + 1_000, Some("globex")), World::new("globex", seed, None)];
        let mut worlds = run(&both, worlds);
        let (with, other) = (worlds.remove(1), worlds.remove(0));
        assert_same(&with.diary, &without.diary, &format!("seed {seed}: what it heard and did"));
        assert_eq!(with.effects(), without.effects(), "seed {seed}: what its targets saw");
        let seen = |store: &Backend| seen_by(store, &with.tenant);
        assert_same(&seen(&both), &seen(&alone), &format!("seed {seed}: what it sees in the end"));
        sees_nothing(&both, &other.tenant, &with.tenant);
        sees_nothing(&both, &with.tenant, &other.tenant);
        let count = |word: &str| other.diary.iter().filter(|line| line.contains(word)).count();
        decided += count("Ack(Ticket(2") + count("Refused(\"");
        dead += count("Dead {");
        jobs += count("Planned(");
    }
    assert!(decided > 10 && dead > 0 && jobs > 0, "too little was done: {decided} {dead} {jobs}");
}

/// Random work of one tenant changes and shows nothing of another, in memory.
#[test]
fn tenants_are_apart_in_memory() {
    isolated(&|| Backend::new(Memory::new()), 0..12);
}

/// The same in the embedded store.
#[test]
fn tenants_are_apart_in_the_embedded_store() {
    isolated(
        &|| {
            let folder = tempfile::tempdir().unwrap();
            let mut key = [7; 32];
            key[0] = 1;
            let options = embedded::Options { readers: 1, page_cache_mb: 2, ..embedded::Options::default() };
            let store = embedded::Embedded::open(folder.path(), RootKey::new(key).unwrap(), options).unwrap();
            Backend { store: Arc::new(Shared(store)), keep: Box::new(folder) }
        },
        0..3,
    );
}

/// What the suite's backends are.
struct Shared(Arc<embedded::Embedded>);

impl Store for Shared {
    fn find(&self, query: Query, reply: Answer<Rows>) {
        self.0.find(query, reply);
    }
    fn commit(&self, units: Vec<Unit>, reply: Answer<Vec<Receipt>>) {
        self.0.commit(units, reply);
    }
}

impl Browse for Shared {
    fn look(&self, tenant: Tenant, look: Look, reply: Answer<Page>) {
        self.0.look(tenant, look, reply);
    }
    fn stats(&self) -> Stats {
        self.0.stats()
    }
    fn copy_to(&self, path: &std::path::Path) -> Result<(), StoreError> {
        self.0.copy_to(path)
    }
}
