//! Binary forms, right ones and broken ones. What a real server sends is tested in `crates/concord/tests/postgresql`.

use serde_json::{Value, json};
use tokio_postgres::types::Type;

use super::{numeric, shown};

/// `numeric_send` of these digits to the base 10 000.
fn sent(weight: i16, sign: u16, scale: i16, digits: &[i16]) -> Vec<u8> {
    let count = i16::try_from(digits.len()).unwrap();
    let words = [count, weight, sign.cast_signed(), scale].into_iter().chain(digits.iter().copied());
    words.flat_map(i16::to_be_bytes).collect()
}

#[test]
fn numerics_keep_their_digits() {
    for (raw, text) in [
        (sent(0, 0, 0, &[]), "0"),
        (sent(0, 0, 2, &[]), "0.00"),
        (sent(0, 0, 2, &[12, 5000]), "12.50"),
        (sent(1, 0x4000, 0, &[1, 2]), "-10002"),
        (sent(1, 0, 0, &[1]), "10000"),
        (sent(-1, 0x4000, 4, &[1]), "-0.0001"),
        (sent(-2, 0, 7, &[1000]), "0.0000100"),
        (sent(0, 0xC000, 0, &[]), "NaN"),
        (sent(0, 0xF000, 32, &[]), "-Infinity"),
    ] {
        assert_eq!(numeric(&raw).as_deref(), Some(text));
    }
}

#[test]
fn what_is_cut_off_is_no_value() {
    let array = [
        &1_i32.to_be_bytes()[..],
        &[0; 4],
        &25_i32.to_be_bytes(),
        &2_i32.to_be_bytes(),
        &[0; 4],
        b"\0\0\0\x01a",
    ];
    let whole = [
        (Type::NUMERIC, sent(0, 0, 2, &[12, 5000])),
        (Type::INT8, vec![0; 8]),
        (Type::UUID, vec![0; 16]),
        (Type::TIMESTAMPTZ, vec![0; 8]),
        (Type::JSONB, b"\x01{}".to_vec()),
        (Type::TEXT_ARRAY, array.concat()),
    ];
    for (kind, raw) in whole {
        let from = usize::from(kind == Type::TEXT_ARRAY) * 4;
        for length in from..raw.len() {
            // A list of two with one item is broken as a whole, too.
            assert!(shown(&kind, &raw[..length]).is_err(), "{kind} of {length} bytes");
        }
    }
    assert!(shown(&Type::TEXT, &[0xff]).is_err());
    assert!(shown(&Type::NUMERIC, &sent(0, 0x1234, 0, &[1])).is_err());
    assert!(shown(&Type::BYTEA, b"x").is_err());
}

#[test]
fn the_ends_of_the_calendar_are_words() {
    let at = |micros: i64| shown(&Type::TIMESTAMPTZ, &micros.to_be_bytes()).unwrap();
    assert_eq!(at(0), json!("2000-01-01T00:00:00Z"));
    assert_eq!(at(-1), json!("1999-12-31T23:59:59.999999Z"));
    assert_eq!(at(i64::MAX), json!("infinity"));
    assert_eq!(at(i64::MIN), json!("-infinity"));
    let on = |days: i32| shown(&Type::DATE, &days.to_be_bytes()).unwrap();
    assert_eq!(on(59), json!("2000-02-29"));
    assert_eq!(on(i32::MAX), json!("infinity"));
    assert_eq!(on(i32::MIN), json!("-infinity"));
    assert_eq!(shown(&Type::FLOAT4, &0.1_f32.to_be_bytes()).unwrap(), json!(0.1));
    assert_eq!(shown(&Type::BPCHAR, b"ab  ").unwrap(), Value::from("ab"));
}
