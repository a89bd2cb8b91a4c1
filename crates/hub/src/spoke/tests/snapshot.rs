//! Listings whose mark is too old: all that is there is listed, over ends and failures, and then what changed since.

use std::time::Duration;

use connector::{Cursor, Response};
use serde_json::{Value, json};
use store::{Op, Receipt};

use super::*;
use crate::turn::{Arrival, Offer, Origin};

const SOURCE: &str = "connector: source\nversion: \"1\"\nabout: A source.\nobjects:\n  contacts:\n    shape: {id: id}\n    poll:\n      \
                      every: 1h\n      keeps: 30d\n      expired: [{status: [410]}]\n      \
                      request: {method: GET, path: /changes, query: {since: \"{since|rfc3339}\"}}\n      items: list\n      \
                      mark: {path: at, granularity: 1s}\n      sorting: ascending\n      page: none\n      size: 50\n    snapshot:\n      \
                      request: {method: GET, path: /contacts, timeout: 10s, query: {\"page?\": \"{page}\"}}\n      items: list\n      \
                      page: {token: next}\n      size: 50\n";

const DAY: Duration = Duration::from_secs(86_400);

/// A spoke with a store that holds nothing but a cursor, a vendor of three pages, and an intake that takes everything.
struct Bench {
    spoke: Spoke,
    now: Now,
    cursor: Option<String>,
    paths: Vec<String>,
    /// How many calls are answered before the process ends.
    lives_for: usize,
    /// What the vendor says to whoever asks for changes.
    changes: (u16, Value),
    taken: Vec<String>,
    journal: Vec<String>,
    marks: Vec<&'static str>,
}

impl Bench {
    fn new(since: Option<Duration>) -> Self {
        let now = Now { mono: Mono(0), wall: Wall(1_795_348_800_000_000) };
        let since =
            since.map(|ago| Wall(now.wall.micros() - i64::try_from(ago.as_micros()).unwrap()).to_string());
        let cursor = since.map(|since| Cursor { since: Some(since), ..Cursor::default() });
        Self {
            spoke: Self::spoke(),
            now,
            cursor: cursor.map(|cursor| serde_json::to_string(&cursor).unwrap()),
            paths: Vec::new(),
            lives_for: usize::MAX,
            changes: (200, json!({"list": []})),
            taken: Vec::new(),
            journal: Vec::new(),
            marks: Vec::new(),
        }
    }

    fn spoke() -> Spoke {
        let system = "system: crm\nconnector: connectors/source.yaml\nconnection: {base_url: \"https://crm.example.com\"}\nhistory: all\n";
        let config = crate::sample::configuration_with(&[
            ("connectors/source.yaml", SOURCE),
            ("systems/crm.yaml", system),
        ]);
        Spoke::new(config, System::new("crm").unwrap()).unwrap()
    }

    /// Runs until nothing is to be done now, or the process ends.
    fn run(&mut self, input: Input) -> &mut Self {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front().or_else(|| self.is_due().then_some(Input::Tick)) {
            let mut effects = Vec::new();
            self.spoke.handle(input, &mut Turn::new(self.now, 1, &mut effects));
            for effect in effects {
                match self.perform(effect) {
                    Some(input) => inputs.push_back(input),
                    None if self.lives_for == 0 => return self,
                    None => {}
                }
            }
        }
        self
    }

    fn is_due(&self) -> bool {
        self.spoke.polls.values().any(|poll| poll.wakeup().is_some_and(|due| due <= self.now.mono))
    }

    fn perform(&mut self, effect: Effect) -> Option<Input> {
        Some(match effect {
            Effect::Find(ticket, Query::System { .. }) => {
                let contacts = Object::new("contacts").unwrap();
                let cursors = self.cursor.iter().map(|cursor| (contacts.clone(), cursor.clone())).collect();
                Input::Found(ticket, Ok(Rows::System(None, cursors, None)))
            }
            Effect::Find(ticket, Query::Intents { .. }) => {
                Input::Found(ticket, Ok(Rows::Intents(Vec::new())))
            }
            Effect::Find(ticket, Query::Claim { .. }) => {
                let none = store::Claimed { heads: Vec::new(), next_due: None };
                Input::Found(ticket, Ok(Rows::Claim(none)))
            }
            Effect::Find(ticket, Query::Fetches { .. }) => {
                Input::Found(ticket, Ok(Rows::Fetches(Vec::new(), None)))
            }
            Effect::Commit(ticket, units) => {
                for op in units.iter().flat_map(|unit| &unit.ops) {
                    if let Op::PutChange(change) = op {
                        self.journal.push(format!("{} {}: {}", change.what, change.about, change.why));
                    }
                }
                Input::Committed(ticket, Ok(vec![Receipt::Done(Vec::new()); units.len()]))
            }
            Effect::Send(ticket, request) => {
                self.paths.push(request.path.clone());
                self.lives_for = self.lives_for.checked_sub(1)?;
                if self.lives_for == 0 {
                    return None;
                }
                Input::Answered { ticket, answer: Ok(self.answer(&request.path)), took: Duration::ZERO }
            }
            Effect::Offer(offer) => self.take(offer),
            Effect::Note(Mark::Snapshot { step, .. }) => {
                self.marks.push(step);
                return None;
            }
            Effect::Stop(why) => panic!("{why}"),
            _ => return None,
        })
    }

    fn answer(&self, path: &str) -> Response {
        let (status, body) = match path {
            "/contacts" => (200, json!({"list": [{"id": "1", "name": "Ann"}], "next": "p2"})),
            "/contacts?page=p2" => (200, json!({"list": [{"id": "2", "name": "Bob"}], "next": "p3"})),
            "/contacts?page=p3" => (200, json!({"list": [{"id": "3", "name": "Eve"}]})),
            _ => self.changes.clone(),
        };
        let headers = vec![("date".to_owned(), "Sun, 22 Nov 2026 12:00:10 GMT".to_owned())];
        Response { status, headers, body: body.to_string().into_bytes() }
    }

    fn take(&mut self, offer: Offer) -> Input {
        let Origin::Polled { cursor, .. } = offer.origin else { panic!("{:?}", offer.origin) };
        self.cursor = Some(cursor);
        self.taken.extend(offer.arrivals.into_iter().map(|arrival| match arrival {
            Arrival::Read(seen) => seen.external_id,
            other => panic!("{other:?}"),
        }));
        Input::Told(Notice::Taken(offer.ticket, Ok(())))
    }

    fn since(&self) -> Option<String> {
        let cursor: Cursor = serde_json::from_str(self.cursor.as_deref()?).unwrap();
        assert_eq!(cursor.snapshot, None);
        cursor.since
    }
}

/// A hub that was down for longer than changes are kept lists all that is there, once, and then the changes since that began.
#[test]
fn a_mark_that_is_too_old_leads_to_a_snapshot() {
    let mut bench = Bench::new(Some(31 * DAY));
    bench.run(Input::Start);
    let changes = "/changes?since=2026-11-22T12%3A00%3A00Z";
    assert_eq!(bench.paths, ["/contacts", "/contacts?page=p2", "/contacts?page=p3", changes]);
    assert_eq!(
        (bench.taken.as_slice(), bench.marks.as_slice()),
        (&["1", "2", "3"].map(str::to_owned)[..], &["began", "over"][..])
    );
    assert_eq!(bench.since().as_deref(), Some("2026-11-22T12:00:00Z"));
    let [began, over] = bench.journal.as_slice() else { panic!("{:?}", bench.journal) };
    assert!(began.starts_with("snapshot_began contacts: changes were read up to 2026-10-22T12:00:00Z, and the system keeps them for 720 hours"));
    assert!(over.starts_with("snapshot_over contacts: all that is there was listed"), "{over}");

    let mut bench = Bench::new(Some(29 * DAY));
    bench.run(Input::Start);
    assert_eq!((bench.paths.len(), bench.marks.len()), (1, 0), "{:?}", bench.paths);
    // It is paused for as long: what waited in line does not go with the old mark.
    let pause = |order| Input::Told(Notice::Do(Ticket(900), order));
    bench.run(pause(Order::Pause { reason: "ann".to_owned() }));
    bench.now = Now { mono: bench.now.mono + 31 * DAY, wall: bench.now.wall + 31 * DAY };
    bench.spoke.handle(Input::Tick, &mut Turn::new(bench.now, 1, &mut Vec::new()));
    assert_eq!(bench.spoke.snapshots().len(), 0);
    // Its clock stood still meanwhile: ours counts, or the end of one snapshot would be the beginning of the next.
    bench.run(pause(Order::Resume { reason: "ann".to_owned() }));
    assert_eq!(
        (bench.paths[1].as_str(), bench.paths.len(), bench.taken.len()),
        ("/contacts", 5, 3),
        "{:?}",
        bench.paths
    );
}

/// Wherever the process ends, each page that was taken in is passed, and the end is the same.
#[test]
fn a_snapshot_goes_on_where_it_was() {
    for lives_for in 1..=4 {
        let mut bench = Bench::new(Some(40 * DAY));
        bench.lives_for = lives_for;
        bench.run(Input::Start);
        assert_eq!(bench.paths.len(), lives_for);
        bench.lives_for = usize::MAX;
        bench.spoke = Bench::spoke();
        bench.run(Input::Start);
        // The call whose answer was lost is made again, and no other.
        assert_eq!(bench.paths.len(), 5, "{:?}", bench.paths);
        assert_eq!(bench.taken, ["1", "2", "3"], "{lives_for}");
        assert_eq!(bench.since().as_deref(), Some("2026-11-22T12:00:00Z"));
    }
}

#[test]
fn whoever_refuses_the_mark_is_listed_whole() {
    let mut bench = Bench::new(Some(DAY));
    bench.changes = (410, json!({}));
    bench.run(Input::Start);
    assert_eq!((bench.paths.len(), bench.marks.as_slice()), (1, &["began"][..]));
    bench.changes = (200, json!({"list": []}));
    bench.now = Now {
        mono: bench.now.mono + Duration::from_secs(120),
        wall: bench.now.wall + Duration::from_secs(120),
    };
    bench.run(Input::Tick);
    assert_eq!((bench.taken.len(), bench.marks.as_slice()), (3, &["began", "over"][..]), "{:?}", bench.paths);
}

/// What was never listed is listed whole first, since the changes do not reach back.
#[test]
fn the_first_listing_goes_by_the_snapshot() {
    let mut bench = Bench::new(None);
    bench.run(Input::Start);
    assert_eq!((bench.paths.first().map(String::as_str), bench.taken.len()), (Some("/contacts"), 3));
    assert!(bench.journal[0].contains("do not reach back to the beginning"), "{:?}", bench.journal);
}
