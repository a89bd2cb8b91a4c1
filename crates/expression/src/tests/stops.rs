//! What stops an evaluation, and that it says so without a value.

use serde_json::json;

use super::support::{World, run, text};
use crate::{Budget, Cause, Outcome};

#[test]
fn causes() {
    for (text, why) in [
        ("1 / 0", Cause::DivideByZero),
        ("1 % 0", Cause::DivideByZero),
        ("div(1.0, 0.0, 2)", Cause::DivideByZero),
        ("9223372036854775807 + 1", Cause::Range),
        ("-9223372036854775808 - 1", Cause::Range),
        ("9223372036854775807 * 2", Cause::Range),
        ("-(-9223372036854775808)", Cause::Range),
        ("-9223372036854775808 / -1", Cause::Range),
        ("-9223372036854775808 % -1", Cause::Range),
        ("abs(-9223372036854775808)", Cause::Range),
        ("decimal('79228162514264337593543950335') + 1.0", Cause::Range),
        ("decimal('79228162514264337593543950335') * 2.0", Cause::Range),
        ("7922816251426433759354395033.5 + 0.01", Cause::Inexact),
        ("0.00000000000001 * 0.000000000000001", Cause::Inexact),
        ("0.1234567890123456789 * 0.1234567890123456789", Cause::Inexact),
        ("to_int(1.5)", Cause::Inexact),
        ("to_int(9223372036854775808.0)", Cause::Range),
        ("div(7922816251426433759354395033.0, 3.0, 20)", Cause::Range),
        ("round(1.5, -1, 'half_up')", Cause::Range),
        ("round(1.5, 29, 'half_up')", Cause::Range),
        ("int('')", Cause::Form),
        ("int('007')", Cause::Form),
        ("int('-0')", Cause::Form),
        ("int('+5')", Cause::Form),
        ("int(' 5')", Cause::Form),
        ("int('9223372036854775808')", Cause::Range),
        ("decimal('1e3')", Cause::Form),
        ("decimal('1.')", Cause::Form),
        ("decimal('1.2.3')", Cause::Form),
        ("decimal('')", Cause::Form),
        ("decimal('0.12345678901234567890123456789')", Cause::Range),
        ("bool('x', 'Y', 'N')", Cause::Form),
        ("date('22.11.2026')", Cause::Form),
        ("date('2026-11-22T10:00:00')", Cause::Form),
        ("date('31.02.2026', '%d.%m.%Y')", Cause::Form),
        ("time('2026-11-22T10:00:00')", Cause::Form),
        // Twice, and never, on that clock.
        ("time('25.10.2026 02:30', '%d.%m.%Y %H:%M', 'Europe/Berlin')", Cause::Form),
        ("time('29.03.2026 02:30', '%d.%m.%Y %H:%M', 'Europe/Berlin')", Cause::Form),
        ("add_days(date('9999-12-31'), 1)", Cause::Range),
        ("add_days(date('2026-01-01'), 9223372036854775807)", Cause::Range),
        ("from_epoch_ms(9223372036854775807)", Cause::Range),
        ("substring('abc', -1)", Cause::Range),
        ("substring('abc', 2, 1)", Cause::Range),
        ("pad_left('a', -1, '0')", Cause::Range),
        ("pad_left('a', 5, '00')", Cause::Form),
        ("pad_left('a', 5, '')", Cause::Form),
        ("split('a', '')", Cause::Form),
        ("replace('a', '', 'x')", Cause::Form),
        ("lookup('countries', 'name', 'code', 'Atlantis')", Cause::Unmapped),
        ("link(record.other, 'companies')", Cause::Unlinked),
    ] {
        assert_eq!(run(text), Err(why), "{text}");
    }
}

#[test]
fn the_left_side_is_asked_first_and_alone_when_it_decides() {
    assert_eq!(run("false && 1 / 0 == 0"), Ok(Outcome::Value(json!(false))));
    assert_eq!(run("true || 1 / 0 == 0"), Ok(Outcome::Value(json!(true))));
    assert_eq!(run("1 / 0 == 0 || true"), Err(Cause::DivideByZero));
    assert_eq!(run("1 / 0 == 0 && false"), Err(Cause::DivideByZero));
    assert_eq!(run("[1, 0].exists(x, 1 / x == 1)"), Ok(Outcome::Value(json!(true))));
}

#[test]
fn an_input_that_breaks_its_word_is_found() {
    for (path, value) in [
        ("record.name", json!(5)),
        ("record.name", json!(null)),
        ("record.count", json!("7")),
        ("record.count", json!(1.5)),
        ("record.count", json!(9_223_372_036_854_775_808_u64)),
        ("record.amount", json!("12,50")),
        ("record.amount", json!(true)),
        ("record.active", json!("true")),
        ("record.born", json!("1815-12-10T00:00:00")),
        ("record.seen", json!("2026-11-22T10:00:00")),
        ("record.tags", json!("vip")),
        ("record.tags", json!(["vip", null])),
        ("record.tags", json!([1])),
        ("record.account", json!({"id": 1})),
    ] {
        let mut world = World::default().with(path, Some(value.clone()));
        let read = format!("{path} == {path}");
        assert_eq!(world.run(&read), Err(Cause::Kind), "{path} {value}");
    }
}

#[test]
fn a_stop_says_where_and_why() {
    let mut world = World::default();
    let program = world.compile("record.name + text(int(record.name))", &text()).unwrap();
    let stop = program.run(&world, &mut Budget::default()).unwrap_err();
    assert_eq!((stop.at, stop.why), (19, Cause::Form));
    let shown = "a text is not written as it must be here, at character 20";
    assert_eq!(stop.to_string(), shown);
}
