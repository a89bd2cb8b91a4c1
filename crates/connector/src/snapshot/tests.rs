//! When all that is there is listed, and from where changes are read when it is over.

use canonical::{Object, Wall};
use serde_json::{Value, json};

use super::Anew;
use crate::{Call, Connector, Cursor, Manifest, Response};

const TOY: &str = "connector: toy
version: '1'
about: a toy
objects:
  things:
    shape: {id: id}
    poll:
      every: 30s
      lookback: 1m
      keeps: 30d
      expired: [{status: [410]}, {body: {path: code, in: [CURSOR]}}]
      request: {method: GET, path: /changes, query: {since: '{since|rfc3339}', 'page?': '{page}'}}
      items: list
      mark: {path: at, granularity: 1s}
      sorting: ascending
      page: {token: next}
      size: 50
    snapshot:
      request: {method: GET, path: /things, timeout: 20s, query: {'page?': '{page}'}}
      items: list
      page: {token: next}
      size: 50
";

fn connector(yaml: &str) -> Connector {
    Manifest::parse("toy.yaml", yaml).and_then(|manifest| manifest.bind(&[].into(), &[].into())).unwrap()
}

fn things() -> Object {
    Object::new("things").unwrap()
}

fn at(text: &str) -> Wall {
    Wall(crate::moment::read_text(text).unwrap())
}

fn since(text: &str) -> Cursor {
    Cursor { since: Some(text.to_owned()), ..Cursor::default() }
}

#[test]
fn a_mark_that_is_too_old_is_not_gone_on_from() {
    let now = at("2026-11-22T12:00:00Z");
    let toy = connector(TOY);
    let keeps = std::time::Duration::from_secs(30 * 86_400);
    let walking =
        Cursor { snapshot: Some("2026-01-01T00:00:00Z".to_owned()), ..since("2026-01-01T00:00:00Z") };
    let paging = |bound: &str| {
        let page = Some(format!("{}||0|0|t", at(bound).micros()));
        Cursor { page, ..since("2026-01-01T00:00:00Z") }
    };
    let old = Some(Anew::TooOld { keeps });
    for (what, cursor, anew) in [
        ("never listed", Cursor::default(), Some(Anew::First)),
        ("a month and a second", since("2026-10-23T11:59:59Z"), old),
        ("a month", since("2026-10-23T12:00:00Z"), None),
        ("lately", since("2026-11-22T11:59:00Z"), None),
        ("in the middle of an old listing", paging("2026-10-01T00:00:00Z"), old),
        ("in the middle, at changes that are kept", paging("2026-11-20T00:00:00Z"), None),
        ("in the middle of a snapshot", walking, None),
    ] {
        assert_eq!(toy.anew(&things(), &cursor, now), anew, "{what}");
    }
    // A poll that lists from the beginning does so.
    let all = connector(&TOY.replace("      keeps: 30d\n", ""));
    assert_eq!(all.anew(&things(), &Cursor::default(), now), None);
    assert_eq!(all.anew(&things(), &since("2020-01-01T00:00:00Z"), now), None);
    let lately = connector(&TOY.replace("      keeps: 30d\n", "      first: 30d\n"));
    assert_eq!(lately.anew(&things(), &Cursor::default(), now), Some(Anew::First));
}

#[test]
fn the_changes_since_it_began_follow_a_snapshot() {
    let toy = connector(TOY);
    let mut cursor = Connector::begin_anew(&since("2026-01-01T00:00:00Z"));
    let now = at("2026-11-22T12:00:00Z");
    let mut paths = Vec::new();
    for (date, body) in [
        ("Sun, 22 Nov 2026 12:00:05 GMT", json!({"list": [{"id": "1"}], "next": "t2"})),
        ("Sun, 22 Nov 2026 13:00:00 GMT", json!({"list": [{"id": "2"}], "next": "t3"})),
        ("Sun, 22 Nov 2026 14:00:00 GMT", json!({"list": []})),
        ("Sun, 22 Nov 2026 14:00:01 GMT", json!({"list": []})),
    ] {
        let call = Call::List { object: things(), cursor: cursor.clone(), now };
        paths.push(toy.render(&call).unwrap().path);
        let headers = vec![("date".to_owned(), date.to_owned())];
        let response = Response { status: 200, headers, body: body.to_string().into_bytes() };
        let page = toy.read_page(&call, &response).unwrap();
        assert_eq!(page.oldest, None);
        assert_eq!(page.more, paths.len() < 4, "what changed meanwhile is read at once");
        // As it is kept.
        cursor = serde_json::from_str(&serde_json::to_string(&page.cursor).unwrap()).unwrap();
        let old = paths.len() < 3;
        assert_eq!(cursor.snapshot.is_some(), old);
        assert_eq!(
            cursor.since.as_deref(),
            Some(if old { "2026-01-01T00:00:00Z" } else { "2026-11-22T11:59:45Z" })
        );
    }
    // By the vendor's clock, less what the first call may have taken; and the usual look-back on top.
    let changes = "/changes?since=2026-11-22T11%3A58%3A45Z";
    assert_eq!(paths, ["/things", "/things?page=t2", "/things?page=t3", changes]);
}

#[test]
fn a_refused_mark_is_told_from_other_refusals() {
    let toy = connector(TOY);
    let call = |cursor: Cursor| Call::List { object: things(), cursor, now: Wall(0) };
    let says = |cursor: Cursor, status: u16, body: Value| {
        let body = body.to_string().into_bytes();
        toy.is_expired(&call(cursor), &Response { status, headers: Vec::new(), body })
    };
    let old = || since("2026-11-22T11:59:00Z");
    assert!(says(old(), 410, json!({})) && says(old(), 400, json!({"code": "CURSOR"})));
    assert!(!says(old(), 400, json!({"code": "OTHER"})) && !says(old(), 500, json!({})));
    assert!(!says(Connector::begin_anew(&old()), 410, json!({})), "a snapshot has no mark");
}

#[test]
fn what_cannot_work_is_refused() {
    let refused = |from: &str, to: &str| -> Vec<String> {
        assert!(TOY.contains(from), "{from}");
        let errors = Manifest::parse("toy.yaml", &TOY.replacen(from, to, 1)).map(|_| ()).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    let (_, snapshot) = TOY.split_at(TOY.find("    snapshot:").unwrap());
    for (from, to, expected) in [
        (
            snapshot,
            "",
            "toy.yaml:10:14: objects.things.poll: what is older is not listed any more, and nothing lists all that is \
                        there; add a `snapshot` beside `poll`; or leave `keeps` and `expired` out",
        ),
        (
            "keeps: 30d",
            "keeps: 1m",
            "toy.yaml:10:14: objects.things.poll: it reaches further back than the vendor keeps changes; make \
                                     `lookback` shorter than `keeps`",
        ),
        (
            "{path: at, granularity: 1s}",
            "{path: at, form: number}",
            "toy.yaml:10:14: objects.things.poll: its mark is no moment, so that \
                                     it can't go on from when a snapshot began; leave `keeps` and `expired` out",
        ),
        ("[{status: [410]}, ", "[{}, ", "toy.yaml:11:17: a rule that asks nothing takes every answer"),
        (
            "query: {'page?': '{page}'}}",
            "query: {'page?': '{since|ms}'}}",
            "toy.yaml:19:76: there is no `{since}` here; ",
        ),
        (
            "timeout: 20s, query: {'page?': '{page}'}}",
            "timeout: 20s}",
            "toy.yaml:19:36: objects.things.snapshot: nothing says which page \
                                     is asked for; put `{page}` where the vendor takes it, or choose `page: none`",
        ),
    ] {
        let told = refused(from, to);
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:#?}");
    }
}
