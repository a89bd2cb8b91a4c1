//! What XML can say only by texts and by leaving out: no, and nothing.

use super::first_write;
use std::collections::BTreeMap;

use canonical::{Object, Wall};
use ledger::{Class, Outcome};
use serde_json::json;

use crate::{Call, Connector, Cursor, Manifest, Page, Response, Write};

const MANIFEST: &str = r#"
connector: ministry
version: "1.0.0"
about: A test.
auth: {default: {bearer: {secret: token}}}
answers: {xml: {lists: [person]}}
errors:
  - {when: {body: {path: a.ok, equals: false}}, class: locked}
  - {when: {body: {path: a.code, in: [7]}}, class: rate_limited}
objects:
  people:
    shape: {id: "@id"}
    fetch: {request: {method: GET, path: "/person/{id}"}, at: person.0}
    poll:
      every: 1m
      request: {method: GET, path: /feed, query: {c: "{page}"}}
      items: feed.person
      mark: {path: "@rev", form: number}
      sorting: ascending
      page: {cursor: {start: {method: GET, path: /start, query: {since: "{since}"}}, token: feed.cursor, more: feed.more}}
      size: 2
    writes:
      make:
        for: [create]
        idempotency: {class: search_first, index_lag_ms: 10}
        request: {method: POST, path: /person, json: {ref: "{key}", "...": "{fields}"}}
        answer: {id: {path: person.@id}, created: {path: person.@new}, needs: [person]}
        probe:
          request: {method: GET, path: /find, query: {ref: "{key}"}}
          answer: {found: found.person, empty: nothing, id: "@id"}
"#;

fn connector() -> Connector {
    Manifest::parse("ministry.yaml", MANIFEST).unwrap().with_parameters(&BTreeMap::new()).unwrap()
}

fn answer(body: &str) -> Response {
    Response { status: 200, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

fn people() -> Object {
    Object::new("people").unwrap()
}

fn write() -> Write {
    first_write("people", "make", 1, canonical::Fields::new())
}

fn judged(call: &Call, body: &str) -> Outcome {
    connector().classify(call, &Ok(answer(body)), Wall(0))
}

#[test]
fn a_no_is_a_text() {
    let page = |body: &str| -> Page {
        let mut cursor = Cursor::default();
        let connector = connector();
        let start = Call::List { object: people(), cursor: cursor.clone(), now: Wall(0) };
        cursor = connector.read_page(&start, &answer("<feed><cursor>c0</cursor></feed>")).unwrap().cursor;
        let list = Call::List { object: people(), cursor, now: Wall(0) };
        assert_eq!(connector.classify(&list, &Ok(answer(body)), Wall(0)).class, Class::Applied, "{body}");
        connector.read_page(&list, &answer(body)).unwrap()
    };
    let person = "<person id='1' rev='5'/>";
    for (more, goes_on) in
        [("true", true), ("1", true), ("false", false), ("0", false), ("", false), ("False", false)]
    {
        let read = page(&format!("<feed>{person}<cursor>c2</cursor><more>{more}</more></feed>"));
        assert_eq!((read.observations.len(), read.more), (1, goes_on), "{more}");
        assert!(read.garbled.is_empty(), "{more}: a cursor that ends does not stand still");
    }
    // The same cursor again and no more: that is how a feed ends.
    let over = page("<feed><cursor>c0</cursor><more>false</more></feed>");
    assert!(!over.more && over.garbled.is_empty() && over.observations.is_empty());
    assert_eq!(over.cursor.page, None);
    let locked = judged(&Call::Write(write()), "<a><ok>false</ok></a>");
    assert_eq!(locked.class, Class::Locked);
    assert_eq!(judged(&Call::Write(write()), "<a><ok>0</ok></a>").class, Class::Locked);
    assert_eq!(judged(&Call::Write(write()), "<a><ok>true</ok></a>").class, Class::Uncertain);
    assert_eq!(judged(&Call::Write(write()), "<a><code>7</code></a>").class, Class::RateLimited);
    for (said, created) in [("true", Some(true)), ("0", Some(false)), ("maybe", None)] {
        let made = judged(&Call::Write(write()), &format!("<person id='9' new='{said}'/>"));
        assert_eq!((made.class, made.created), (Class::Applied, created));
    }
}

#[test]
fn nothing_is_an_empty_list_where_the_element_around_it_is_there() {
    let probe = Call::Probe(write());
    for (body, class) in [
        ("<found/>", Class::Absent),
        ("<found></found>", Class::Absent),
        ("<found>\n</found>", Class::Absent),
        ("<found count='0'/>", Class::Absent),
        ("<nothing/>", Class::Absent),
        ("<found><person id='3'/></found>", Class::Applied),
        ("<found><person id='3'/><person id='4'/></found>", Class::Duplicate),
        // None of these says that there is nothing: a create must not follow.
        ("<error/>", Class::Retryable),
        ("<found>try later</found>", Class::Retryable),
        ("<html><body>Maintenance</body></html>", Class::Retryable),
    ] {
        assert_eq!(judged(&probe, body).class, class, "{body}");
    }
    // What a write needs must be there.
    assert_eq!(judged(&Call::Write(write()), "<people/>").class, Class::Uncertain);
}

#[test]
fn the_root_is_one_and_the_first_of_one_is_itself() {
    let fetch = Call::Fetch { object: people(), external_id: "7".to_owned() };
    let seen = connector()
        .read_object(&fetch, &answer("<person id='7'><name>Ann</name></person>"))
        .unwrap()
        .unwrap();
    let crate::Seen::State { fields } = seen.seen else { panic!("{seen:?}") };
    assert_eq!((seen.external_id.as_str(), &fields["name"]), ("7", &json!("Ann")));
}
