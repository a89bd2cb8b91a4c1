//! One key, one request, one answer.

use super::*;

fn crm() -> System {
    System::new("crm").expect("a name")
}

fn begin(keys: &Keys, key: &str, content: &str, now: u64) -> Result<Begun, Problem> {
    keys.begin(&crm(), key.to_owned(), blake3::hash(content.as_bytes()), Mono(now * 1_000_000))
}

fn first(keys: &Keys, key: &str, content: &str, now: u64) -> Open {
    match begin(keys, key, content, now) {
        Ok(Begun::First(open)) => open,
        Ok(Begun::Replay(_)) => panic!("replayed"),
        Err(problem) => panic!("{problem:?}"),
    }
}

fn status(result: Result<Begun, Problem>) -> u16 {
    result.err().map_or(200, |problem| problem.status().as_u16())
}

fn keys() -> Keys {
    Keys::new(3, Duration::from_secs(60))
}

#[test]
fn the_draft_s_cases() {
    let keys = keys();
    let open = first(&keys, "k", "a", 0);
    assert_eq!(status(begin(&keys, "k", "a", 0)), 409, "under way");
    assert_eq!(status(begin(&keys, "k", "b", 0)), 422, "other content, even under way");
    open.finish(Bytes::from_static(b"answer"), Mono(0));
    assert!(matches!(begin(&keys, "k", "a", 1), Ok(Begun::Replay(answer)) if answer == "answer"));
    assert_eq!(status(begin(&keys, "k", "b", 1)), 422);
    let erp = System::new("erp").expect("a name");
    let other = keys.begin(&erp, "k".to_owned(), blake3::hash(b"b"), Mono(0));
    assert!(matches!(other, Ok(Begun::First(_))), "keys belong to their system");
}

#[test]
fn a_request_that_was_not_acknowledged_gives_its_key_back() {
    let keys = keys();
    drop(first(&keys, "k", "a", 0));
    drop(first(&keys, "k", "b", 0));
}

#[test]
fn keys_are_forgotten_in_time_and_bounded_in_number() {
    let keys = keys();
    first(&keys, "old", "a", 0).finish(Bytes::new(), Mono(0));
    assert!(matches!(begin(&keys, "old", "a", 59), Ok(Begun::Replay(_))));
    first(&keys, "old", "b", 60).finish(Bytes::new(), Mono(60_000_000));
    for key in ["x", "y", "z"] {
        first(&keys, key, "a", 61).finish(Bytes::new(), Mono(61_000_000));
    }
    drop(first(&keys, "old", "c", 62));
    let _open: Vec<Open> = ["1", "2", "3"].map(|key| first(&keys, key, "a", 62)).into();
    assert_eq!(status(begin(&keys, "4", "a", 62)), 503, "what is under way is never forgotten");
}

#[test]
fn a_key_is_quoted_or_bare() {
    let read = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, value.parse().expect("a value"));
        key(&headers)
    };
    assert_eq!(read("\"8e03978e\"").expect("fine"), read("8e03978e").expect("fine"));
    assert_eq!(read(r#""a\"b\\c""#).expect("fine").as_deref(), Some(r#"a"b\c"#));
    assert_eq!(key(&HeaderMap::new()).expect("fine"), None);
    for wrong in ["", "\"", "\"a", "\"a\"b", r#""a\n""#, "\"\"", &"x".repeat(256)] {
        assert_eq!(read(wrong).expect_err(wrong).status(), 400, "{wrong}");
    }
}
