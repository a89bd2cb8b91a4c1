//! Listings against a model of a vendor whose objects change while they are listed: nothing stays unseen.

use std::collections::BTreeMap;

use canonical::{Object, Wall};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Call, Connector, Cursor, Manifest, Response, Seen};

/// A vendor with objects by id: when each changed last, and how often.
#[derive(Default, Debug)]
struct Vendor {
    clock_s: i64,
    objects: BTreeMap<u64, (i64, u64)>,
    /// Each change that there was: id, when, the how manieth.
    log: Vec<(u64, i64, u64)>,
}

const START_S: i64 = 1_795_348_800;

/// How the model lists.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Ascending,
    AscendingExclusive,
    /// What shares a mark is passed by id.
    AscendingById,
    /// …or by the addresses that the vendor gives, each of which holds mark and id of the last object before.
    AscendingByLink,
    /// …or by a token that stands in such an address.
    AscendingLinkToken,
    /// …or by that token alone.
    AscendingToken,
    /// …or by such addresses in a `Link` header.
    AscendingLinkHeader,
    /// …or by pages with numbers; whether there are more is told by full pages, or by a flag.
    AscendingByNumber,
    AscendingByNumberUntilDone,
    ById,
    /// The log of changes, by the vendor's own cursor, which is a place in it.
    ByCursor,
}

impl Kind {
    fn manifest(self) -> String {
        let (sorting, page, exclusive) = match self {
            Self::Ascending => ("ascending", "{offset: {}}", false),
            Self::AscendingExclusive => ("ascending", "{offset: {}}", true),
            Self::AscendingById => ("ascending", "{after_id: {}}", false),
            Self::AscendingByLink => ("ascending", "{link: next}", false),
            Self::AscendingLinkToken => {
                ("ascending", "{link_token: {path: links.next, parameter: 'page[cursor]'}}", true)
            }
            Self::AscendingToken => ("ascending", "{token: token}", true),
            Self::AscendingLinkHeader => ("ascending", "{link_header: {}}", false),
            Self::AscendingByNumber => ("ascending", "{number: {first: 0}}", false),
            Self::AscendingByNumberUntilDone => ("ascending", "{number: {done: done}}", true),
            Self::ById => ("id", "{after_id: {}}", false),
            Self::ByCursor => (
                "ascending",
                "{cursor: {start: {method: GET, path: /start, query: {since: '{since|s}'}}, token: next, more: more}}",
                false,
            ),
        };
        format!(
            "connector: model\nversion: '1'\nabout: a model\nobjects:\n  things:\n    shape: {{id: id, order: {{path: n, form: number}}}}\n    poll:\n      every: 1m\n      lookback: 0s\n      request: {{method: GET, path: /things, query: {{since: '{{since|s}}', 'page?': '{{page}}'}}}}\n      items: items\n      mark: {{path: at, form: s, granularity: 1s, exclusive: {exclusive}}}\n      sorting: {sorting}\n      page: {page}\n      size: 3\n"
        )
    }

    /// One page, as the vendor answers it.
    fn page(self, vendor: &Vendor, path: &str) -> Response {
        let url = url::Url::parse("http://x.test").unwrap().join(path).unwrap();
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let since: i64 = query["since"].parse().unwrap();
        if self == Self::ByCursor {
            return vendor.logged(url.path(), since, query.get("page").map(String::as_str));
        }
        let token = query.get("page").map_or((0, 0), |page| page.split_once('/').map_or((0, 0), two));
        let page: u64 = query.get("page").map_or(0, |page| page.parse().unwrap_or_default());
        let mut found: Vec<(u64, i64, u64)> = vendor
            .objects
            .iter()
            .filter(|(id, (at, _))| match self {
                Self::AscendingExclusive | Self::AscendingByNumberUntilDone => *at > since,
                Self::AscendingLinkToken | Self::AscendingToken => {
                    *at > since && (*at, i64::try_from(**id).unwrap()) > token
                }
                Self::ById => *at >= since && **id > page,
                Self::AscendingById => *at > since || (*at == since && **id > page),
                Self::AscendingByLink | Self::AscendingLinkHeader => *at >= since && place(*at, **id) > page,
                _ => *at >= since,
            })
            .map(|(id, (at, n))| (*id, *at, *n))
            .collect();
        if self != Self::ById {
            found.sort_by_key(|(id, at, _)| (*at, *id));
        }
        let by_offset = matches!(self, Self::Ascending | Self::AscendingExclusive);
        let skip = usize::try_from(match self {
            Self::AscendingByNumber => page * 3,
            Self::AscendingByNumberUntilDone => (page - 1) * 3,
            _ if by_offset => page,
            _ => 0,
        })
        .unwrap();
        let items: Vec<Value> =
            found.iter().skip(skip).take(3).map(|(id, at, n)| json!({"id": id, "at": at, "n": n})).collect();
        let mut body = json!({ "items": items, "done": found.len() <= skip + 3 });
        let mut link = None;
        if let (Some((id, at, _)), true) = (found.get(2), found.len() > 3) {
            let page = place(*at, *id);
            match self {
                Self::AscendingByLink => {
                    body["next"] = json!(format!("https://x.test/things?since={since}&page={page}"));
                }
                Self::AscendingLinkToken => {
                    let next = format!("https://x.test/things?size=3&page%5Bcursor%5D={at}%2F{id}");
                    body["links"] = json!({ "next": next });
                }
                Self::AscendingLinkHeader => {
                    link = Some(format!(
                        "</things>; rel=first, <https://x.test/things?since={since}&page={page}>; title=\"a, b\"; rel=\"last next\""
                    ));
                }
                Self::AscendingToken => body["token"] = json!(format!("{at}/{id}")),
                _ => {}
            }
        }
        let mut response = vendor.answer(&body);
        response.headers.extend(link.map(|link| ("link".to_owned(), link)));
        response
    }
}

fn two((at, id): (&str, &str)) -> (i64, i64) {
    (at.parse().unwrap(), id.parse().unwrap())
}

/// Where an object stands in the vendor's order.
fn place(at: i64, id: u64) -> u64 {
    u64::try_from(at).unwrap() * 1000 + id
}

/// Lists to the end, with changes between the pages; notes the newest state seen of each object.
fn list(
    connector: &Connector,
    kind: Kind,
    vendor: &mut Vendor,
    cursor: Cursor,
    changes: &mut dyn Iterator<Item = Vec<(u64, i64)>>,
    seen: &mut BTreeMap<u64, u64>,
) -> Cursor {
    let object = Object::new("things").unwrap();
    let mut cursor = cursor;
    for _ in 0..10_000 {
        let call = Call::List { object: object.clone(), cursor, now: Wall(0) };
        let request = connector.render(&call).unwrap();
        let response = kind.page(vendor, &request.path);
        let page = connector.read_page(&call, &response).unwrap();
        assert!(page.garbled.is_empty());
        for observation in page.observations {
            let Seen::State { .. } = observation.seen else { panic!("a state") };
            let newest = seen.entry(observation.external_id.parse().unwrap()).or_default();
            *newest = (*newest).max(u64::try_from(observation.order.unwrap().0).unwrap());
        }
        cursor = page.cursor;
        if !page.more {
            return cursor;
        }
        vendor.change(&changes.next().unwrap_or_default());
    }
    panic!("the listing does not end");
}

impl Vendor {
    /// Time passes (or not), then an object changes.
    fn change(&mut self, changes: &[(u64, i64)]) {
        for (id, passed_s) in changes {
            self.clock_s += passed_s;
            let object = self.objects.entry(*id).or_default();
            *object = (self.clock_s, object.1 + 1);
            self.log.push((*id, self.clock_s, object.1));
        }
    }

    /// A page of the log, or the token to begin with. Every other page is empty, and more follows.
    fn logged(&self, path: &str, since: i64, token: Option<&str>) -> Response {
        if path == "/start" {
            let place = self.log.iter().take_while(|(_, at, _)| *at < since).count();
            return self.answer(&json!({ "next": format!("{place}-0") }));
        }
        let (place, empty) = token.unwrap().split_once('-').unwrap();
        let (place, shown): (usize, usize) = (place.parse().unwrap(), if empty == "1" { 3 } else { 0 });
        let item = |(id, at, n): &(u64, i64, u64)| json!({"id": id, "at": at, "n": n});
        let items: Vec<Value> = self.log.iter().skip(place).take(shown).map(item).collect();
        let next = place + items.len();
        let more = shown == 0 || next < self.log.len();
        let next = format!("{next}-{}", u8::from(shown == 0));
        self.answer(&json!({"items": items, "next": next, "more": more}))
    }

    fn answer(&self, body: &Value) -> Response {
        let date =
            Wall(self.clock_s * 1_000_000).timestamp().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        Response {
            status: 200,
            headers: vec![("date".to_owned(), date)],
            body: body.to_string().into_bytes(),
        }
    }
}

fn changes() -> impl Strategy<Value = Vec<(u64, i64)>> {
    proptest::collection::vec((1_u64..24, prop_oneof![3 => Just(0_i64), 1 => 1_i64..4]), 0..5)
}

#[test]
fn a_link_that_leads_elsewhere_ends_nothing_and_is_not_followed() {
    let manifest = Manifest::parse("model", &Kind::AscendingByLink.manifest()).unwrap();
    let connector = manifest.with_parameters(&BTreeMap::new()).unwrap();
    let call = Call::List { object: Object::new("things").unwrap(), cursor: Cursor::default(), now: Wall(0) };
    let body = json!({"items": [{"id": 1, "at": 5, "n": 1}], "next": "https://x.test/admin?page=2"});
    let response = Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() };
    let error = connector.read_page(&call, &response).unwrap_err();
    assert_eq!(error.to_string(), "the next page's address does not lie below /things at next");
}

#[test]
fn a_cursor_that_stands_still_ends_the_listing_and_is_told() {
    let manifest = Manifest::parse("model", &Kind::ByCursor.manifest()).unwrap();
    let connector = manifest.with_parameters(&BTreeMap::new()).unwrap();
    let since = Some("2026-11-22T12:00:00Z".to_owned());
    let (mut cursor, mut told) = (Cursor { since: since.clone(), ..Cursor::default() }, Vec::new());
    for calls in 1..10 {
        let call = Call::List { object: Object::new("things").unwrap(), cursor, now: Wall(0) };
        let body = json!({"items": [{"id": 1, "at": START_S + 9, "n": 1}], "next": "7", "more": true});
        let response = Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() };
        let page = connector.read_page(&call, &response).unwrap();
        told.extend(page.garbled);
        cursor = page.cursor;
        if !page.more {
            // A token, a page, and the same token again: the mark stays where it was.
            assert_eq!((calls, told.len(), &cursor), (2, 1, &Cursor { since, ..Cursor::default() }));
            return;
        }
    }
    panic!("the listing does not end");
}

#[test]
fn a_cursor_goes_with_no_feed_that_is_newest_first() {
    let manifest = Kind::ByCursor.manifest().replace("sorting: ascending", "sorting: descending");
    let error = Manifest::parse("model", &manifest).err().unwrap().remove(0).to_string();
    assert!(error.contains("`page` does not go with `sorting: descending`"), "{error}");
}

#[test]
fn a_vendor_that_gives_the_same_page_again_is_passed_and_told() {
    let manifest = Manifest::parse("model", &Kind::AscendingById.manifest()).unwrap();
    let connector = manifest.with_parameters(&BTreeMap::new()).unwrap();
    // Its marks are finer than it shows: all of the second come again, whatever id is asked for.
    let same: Vec<Value> = (1..=3).map(|id| json!({"id": id, "at": START_S, "n": 1})).collect();
    let later = json!({"id": 9, "at": START_S + 5, "n": 1});
    let (mut cursor, mut seen, mut told) = (Cursor::default(), Vec::new(), Vec::new());
    for _ in 0..10 {
        let call = Call::List { object: Object::new("things").unwrap(), cursor, now: Wall(0) };
        let request = connector.render(&call).unwrap();
        let past = request.path.contains(&format!("since={}", START_S + 1));
        let items = if past { vec![later.clone()] } else { same.clone() };
        let body = json!({ "items": items }).to_string().into_bytes();
        let page = connector.read_page(&call, &Response { status: 200, headers: Vec::new(), body }).unwrap();
        seen.extend(page.observations.into_iter().map(|observation| observation.external_id));
        told.extend(page.garbled.into_iter().map(|(_, why, _)| why));
        cursor = page.cursor;
        if !page.more {
            assert_eq!(seen.last().map(String::as_str), Some("9"));
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains("more objects share the mark 2026-11-22T12:00:00Z"), "{told:?}");
            return;
        }
    }
    panic!("the listing does not end");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_last_state_is_seen_however_objects_move_between_pages(
        kind in prop_oneof![
            Just(Kind::Ascending), Just(Kind::AscendingExclusive), Just(Kind::AscendingById),
            Just(Kind::AscendingByLink), Just(Kind::AscendingLinkToken), Just(Kind::AscendingToken),
            Just(Kind::ById), Just(Kind::ByCursor), Just(Kind::AscendingLinkHeader), Just(Kind::AscendingByNumber),
            Just(Kind::AscendingByNumberUntilDone)
        ],
        before in proptest::collection::vec((1_u64..24, prop_oneof![3 => Just(0_i64), 1 => 1_i64..4]), 0..30),
        during in proptest::collection::vec(changes(), 0..20),
        between in changes(),
    ) {
        let manifest = Manifest::parse("model", &kind.manifest()).unwrap();
        let connector = manifest.with_parameters(&BTreeMap::new()).unwrap();
        let mut vendor = Vendor { clock_s: START_S, ..Vendor::default() };
        vendor.change(&before);
        let mut seen = BTreeMap::new();
        let mut during = during.into_iter();
        let mut cursor = Cursor::default();
        for _ in 0..3 {
            // The next listing starts in a later second: within one, only the look-back helps.
            cursor = list(&connector, kind, &mut vendor, cursor, &mut during, &mut seen);
            vendor.clock_s += 1;
            vendor.change(&between);
        }
        vendor.clock_s += 1;
        list(&connector, kind, &mut vendor, cursor, &mut std::iter::empty(), &mut seen);
        for (id, (_, n)) in &vendor.objects {
            prop_assert_eq!(seen.get(id), Some(n), "object {} under {:?}", id, kind);
        }
    }
}

#[test]
fn a_next_page_without_its_token_is_no_end() {
    let manifest = Manifest::parse("model", &Kind::AscendingLinkToken.manifest()).unwrap();
    let connector = manifest.with_parameters(&BTreeMap::new()).unwrap();
    let call = Call::List { object: Object::new("things").unwrap(), cursor: Cursor::default(), now: Wall(0) };
    let read = |next: &str| {
        let body = json!({"items": [{"id": 1, "at": START_S, "n": 1}], "links": {"next": next}});
        let response = Response { status: 200, headers: vec![], body: body.to_string().into_bytes() };
        connector.read_page(&call, &response).map(|page| page.more).map_err(|garbled| garbled.to_string())
    };
    let lost = "the address of the next page has no parameter `page[cursor]` at the next page";
    for next in
        ["https://x.test/things", "/things?page=2", "/things?page%5Bcursor%5D=", "/things#?page[cursor]=a"]
    {
        assert_eq!(read(next), Err(lost.to_owned()), "{next}");
    }
    // Relative, and unescaped.
    assert_eq!(read("?page[cursor]=a%2Fb"), Ok(true));
    assert_eq!(read(""), Ok(false));
}

#[test]
fn a_page_that_moved_under_its_numbers_is_read_again() {
    let manifest = Manifest::parse("model", &Kind::AscendingByNumber.manifest()).unwrap();
    let connector = manifest.with_parameters(&BTreeMap::new()).unwrap();
    let item = |id: u64| json!({"id": id, "at": START_S, "n": 1});
    let mut cursor = Cursor::default();
    let mut asked = Vec::new();
    // Seven of one second, in pages of three. While the second page is asked for, object 1 goes elsewhere: 4 is now on the
    // first page, and would never be seen.
    let pages: [(u64, &[u64]); 9] = [
        (0, &[1, 2, 3]),
        (0, &[1, 2, 3]),
        (1, &[5, 6, 7]),
        (0, &[2, 3, 4]),
        (0, &[2, 3, 4]),
        (1, &[5, 6, 7]),
        (0, &[2, 3, 4]),
        (2, &[]),
        (1, &[5, 6, 7]),
    ];
    let mut seen = Vec::new();
    for (expected, ids) in pages {
        let call = Call::List { object: Object::new("things").unwrap(), cursor, now: Wall(0) };
        let path = connector.render(&call).unwrap().path;
        let number = path.split_once("page=").and_then(|(_, rest)| rest.split('&').next());
        asked.push(number.unwrap().parse::<u64>().unwrap());
        let items: Vec<Value> = ids.iter().map(|id| item(*id)).collect();
        let body = json!({ "items": items }).to_string().into_bytes();
        let page = connector.read_page(&call, &Response { status: 200, headers: Vec::new(), body }).unwrap();
        assert_eq!(asked.last(), Some(&expected), "{asked:?}");
        seen.extend(page.observations.into_iter().map(|one| one.external_id));
        cursor = page.cursor;
        if !page.more {
            break;
        }
    }
    assert!(cursor.page.is_none() && asked.len() == pages.len(), "{asked:?}");
    assert!(seen.contains(&"4".to_owned()));
}

#[test]
fn a_vendor_that_knows_no_numbers_is_told_and_passed() {
    for (sorting, calls_max) in [("ascending", 40), ("descending", 3)] {
        let yaml =
            Kind::AscendingByNumber.manifest().replace("sorting: ascending", &format!("sorting: {sorting}"));
        let connector = Manifest::parse("model", &yaml).unwrap().with_parameters(&BTreeMap::new()).unwrap();
        let (mut cursor, mut told) = (Cursor::default(), Vec::new());
        let items: Vec<Value> = (1..=3).map(|id| json!({"id": id, "at": START_S, "n": 1})).collect();
        let mut calls = 0;
        loop {
            calls += 1;
            assert!(calls <= calls_max, "{sorting} does not end");
            let call = Call::List { object: Object::new("things").unwrap(), cursor, now: Wall(0) };
            let path = connector.render(&call).unwrap().path;
            let past = path.contains(&format!("since={}", START_S + 1));
            let body = json!({ "items": if past { Vec::new() } else { items.clone() } });
            let response = Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() };
            let page = connector.read_page(&call, &response).unwrap();
            told.extend(page.garbled.into_iter().map(|(_, why, _)| why));
            cursor = page.cursor;
            if !page.more {
                break;
            }
        }
        assert_eq!(told.len(), 1, "{sorting}: {told:?}");
    }
}

#[test]
fn what_a_page_cannot_be_is_told_with_its_place() {
    let with = |page: &str| {
        let yaml = Kind::AscendingByNumber.manifest().replace("{number: {first: 0}}", page);
        let errors = Manifest::parse("model", &yaml).err().unwrap_or_default();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    for (page, said) in [
        ("{number: {more: a, done: b}}", "`more` and `done` say the same of a page"),
        ("{offset: {more: a, done: b}}", "`more` and `done` say the same of a page"),
        ("{cursor: {start: {method: GET, path: /s}, token: a}}", "does not say when it is at its end"),
        ("{link_header: {below: things}}", "is not the start of a path"),
        ("{number: {frist: 1}}", "did you mean `first`?"),
        ("{link_heder: {}}", "link_header"),
        ("{number: {done: a..b}}", "is not a path"),
    ] {
        let errors = with(page);
        assert!(errors.contains(said), "{page}: {errors}");
        assert!(errors.starts_with("model:"), "{page}: {errors}");
    }
    assert_eq!(with("{link_header: {header: X-Next, below: /}}"), "");
}
