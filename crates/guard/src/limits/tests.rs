//! Depth and size of JSON, judged without parsing.

use super::*;

#[test]
fn depth_counts_open_brackets_outside_texts() {
    assert_eq!(check_json(br#"{"a":[1]}"#, 2, 100), Ok(()));
    assert_eq!(check_json(br#"{"a":[1]}"#, 1, 100), Err(TooMuch::Depth { depth_max: 1, at: 5 }));
    assert_eq!(check_json(br#"{"a":"[[[[{{{{"}"#, 1, 100), Ok(()), "brackets in texts do not nest");
    assert_eq!(check_json(br#"["\"[[[\\","[["]"#, 1, 100), Ok(()), "escaped quotes do not end a text");
    assert_eq!(check_json(br#"["\\",[1]]"#, 1, 100), Err(TooMuch::Depth { depth_max: 1, at: 6 }));
    assert_eq!(check_json(b"[],[],[]", 1, 100), Ok(()), "siblings do not add up");
    assert_eq!(check_json(b"", 0, 0), Ok(()));
    assert_eq!(check_json(b"]]]]", 0, 10), Ok(()), "not JSON: left to the parser");
}

#[test]
fn a_million_brackets_are_refused_at_the_first_too_many() {
    let deep = vec![b'['; 1_000_000];
    assert_eq!(check_json(&deep, 64, usize::MAX), Err(TooMuch::Depth { depth_max: 64, at: 64 }));
}

#[test]
fn size_is_judged_first() {
    assert_eq!(check_json(&[b' '; 11], 1, 10), Err(TooMuch::Bytes { bytes: 11, bytes_max: 10 }));
    assert_eq!(check_json(&[b' '; 10], 1, 10), Ok(()));
}

proptest::proptest! {
    /// Whatever serde_json accepts, the depth found here is the depth of the tree.
    #[test]
    fn agrees_with_a_real_parser(texts in proptest::collection::vec(".{0,12}", 1..6), depth in 1_usize..12) {
        let mut value = serde_json::Value::from(texts);
        for step in 1..depth {
            value = if step % 2 == 0 { serde_json::json!([value]) } else { serde_json::json!({"k\"{": value}) };
        }
        let bytes = serde_json::to_vec(&value).unwrap();
        proptest::prop_assert_eq!(check_json(&bytes, depth, usize::MAX), Ok(()));
        proptest::prop_assert!(check_json(&bytes, depth - 1, usize::MAX).is_err());
    }
}
