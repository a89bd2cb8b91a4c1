//! Moments in every form, and spans.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Form, Span, Unit};

const NOON: i64 = 1_795_348_800_000_000;

#[test]
fn every_form_reads_what_it_writes() {
    for form in [Form::Rfc3339, Form::Ms, Form::S, Form::Number, Form::Tryton, Form::SlashDate] {
        assert_eq!(form.read(&form.write(NOON)), Some(NOON), "{form:?}");
        assert_eq!(form.read(&Value::Null), None, "{form:?}");
        assert_eq!(
            form.read(&json!({"__class__": "datetime", "year": 2026, "month": 13, "day": 1})),
            None,
            "{form:?}"
        );
    }
    assert_eq!(Form::Tryton.read(&Form::Tryton.write(NOON + 521_770)), Some(NOON + 521_770));
}

#[test]
fn vendors_write_moments_in_many_ways() {
    for (form, value, expected) in [
        (Form::Rfc3339, json!("2026-11-22T12:00:00Z"), Some(NOON)),
        (Form::Rfc3339, json!("2026-11-22T13:00:00+01:00"), Some(NOON)),
        (Form::Rfc3339, json!("2026-11-22T12:00:00.000250Z"), Some(NOON + 250)),
        // Without an offset it is UTC: the manifest says where that needs a setting at the vendor.
        (Form::Rfc3339, json!("2026-11-22 12:00:00"), Some(NOON)),
        (Form::Rfc3339, json!("yesterday"), None),
        (Form::Rfc3339, json!(1_795_348_800), None),
        (Form::Ms, json!("1795348800000"), Some(NOON)),
        (Form::Ms, json!(i64::MAX), None),
        (Form::S, json!(1_795_348_800), Some(NOON)),
        (Form::S, json!(1.5), None),
        (Form::Number, json!("00000000000000000007"), Some(7)),
        (Form::Any, json!("7"), Some(7)),
        (Form::Any, json!("2026-11-22T12:00:00Z"), Some(NOON)),
        (Form::Tryton, json!({"__class__": "date", "year": 2026}), None),
        (Form::SlashDate, json!("/Date(1795348800000+0000)/"), Some(NOON)),
        // The zone is how it is shown there.
        (Form::SlashDate, json!("/Date(1795348800000+1300)/"), Some(NOON)),
        (Form::SlashDate, json!("/Date(-1000)/"), Some(-1_000_000)),
        (Form::SlashDate, json!("/Date(-1000-0500)/"), Some(-1_000_000)),
        (Form::SlashDate, json!("/Date(--1)/"), None),
        (Form::SlashDate, json!("/Date(1+2)/"), None),
        (Form::SlashDate, json!("/Date()/"), None),
        (Form::SlashDate, json!(1_795_348_800_000_i64), None),
    ] {
        assert_eq!(form.read(&value), expected, "{form:?} {value}");
    }
    assert_eq!([Unit::Us, Unit::Ms, Unit::S].map(|unit| unit.of_micros(-1)), [-1, -1, -1]);
}

#[test]
fn spans_need_a_unit_and_an_end() {
    let span = |text: &str| serde_json::from_value::<Span>(json!(text)).map(|span| span.0).ok();
    assert_eq!(span("250ms"), Some(Duration::from_millis(250)));
    assert_eq!(span("2h"), Some(Duration::from_secs(7200)));
    assert_eq!(span("30d"), Some(Duration::from_secs(2_592_000)));
    for text in ["", "5", "s", "-5s", "1.5s", "5 weeks", "99999999999999999999s", "99999d"] {
        assert_eq!(span(text), None, "{text}");
    }
}
