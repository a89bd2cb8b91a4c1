//! I15: secrets and personal values cannot be printed.

use super::*;

#[derive(Debug)]
struct Holder {
    #[expect(dead_code, reason = "only its printed form matters here")]
    token: Secret,
    #[expect(dead_code, reason = "only its printed form matters here")]
    email: Redacted<String>,
}

#[test]
fn i15_printing_shows_nothing() {
    let holder =
        Holder { token: Secret::from("sk_live_marker"), email: Redacted::new("marker@example.test".into()) };
    let shown = format!("{holder:?} {holder:#?} {} {}", Secret::from("marker"), Redacted::new("marker"));
    assert!(!shown.contains("marker"), "{shown}");
    assert!(shown.contains(REDACTED));
}

#[test]
fn equality_is_by_content() {
    assert_eq!(Secret::from("a"), Secret::new(b"a".to_vec()));
    assert_ne!(Secret::from("a"), Secret::from("b"));
    assert_ne!(Secret::from("a"), Secret::from("aa"));
    assert!(Secret::from("").is_empty());
    assert_eq!(Secret::new(vec![0xff]).expose_text(), None);
}
