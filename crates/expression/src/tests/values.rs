//! What expressions give: one line each.

use serde_json::{Value, json};

use super::support::{World, run, ty, value};
use crate::Outcome;

fn gives(cases: &[(&str, Value)]) {
    for (text, wanted) in cases {
        assert_eq!(value(text), *wanted, "{text}");
    }
}

#[test]
fn operators() {
    gives(&[
        ("1 + 2 * 3", json!(7)),
        ("(1 + 2) * 3", json!(9)),
        ("10 - 2 - 3", json!(5)),
        ("7 / 2", json!(3)),
        ("-7 / 2", json!(-3)),
        ("-7 % 3", json!(-1)),
        ("7 % -3", json!(1)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("9223372036854775807", json!(i64::MAX)),
        ("--5", json!(5)),
        ("-record.count", json!(-7)),
        ("!true || true", json!(true)),
        ("true || false && false", json!(true)),
        ("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3 && 1 != 2", json!(true)),
        ("'a' < 'b' && 'a' + 'b' == 'ab'", json!(true)),
        ("1.50 == 1.5", json!(true)),
        ("record.amount * 2.0 + 0.10", json!("2501.1")),
        ("record.amount - record.amount", json!("0")),
        ("-0.0", json!("0")),
        ("-1.50", json!("-1.5")),
        ("true ? 1 : 2", json!(1)),
        ("false ? 1 : false ? 2 : 3", json!(3)),
        ("record.stage in ['won', 'lost']", json!(true)),
        ("null in [record.nickname]", json!(true)),
        ("record.nickname == null", json!(true)),
        ("record.nickname == record.email", json!(false)),
        ("record.born < date('1900-01-01')", json!(true)),
        ("['a'] == ['a'] && ['a'] != ['b']", json!(true)),
        ("[] == record.tags", json!(false)),
        ("false == false", json!(true)),
    ]);
}

#[test]
fn texts() {
    gives(&[
        (r#""a\"b" + 'c\'d'"#, json!("a\"bc'd")),
        (r"'\u20AC\U0001F600\n\t\\'", json!("€😀\n\t\\")),
        ("size('a€😀')", json!(3)),
        ("upper('straße')", json!("STRASSE")),
        ("lower('ÀÉ')", json!("àé")),
        ("lower('ΟΔΟΣ')", json!("οδος")),
        ("title('o\\'neill  smith-jones')", json!("O'neill  Smith-Jones")),
        ("substring('a€😀x', 1, 3)", json!("€😀")),
        ("substring('abc', 0, 99)", json!("abc")),
        ("substring('abc', 5)", json!("")),
        ("substring('abc', 3)", json!("")),
        ("replace('aaa', 'aa', 'b')", json!("ba")),
        ("split('a,,b', ',')", json!(["a", "", "b"])),
        ("split('', ',')", json!([""])),
        ("split(upper('a,b'), ',')", json!(["A", "B"])),
        ("trim(upper(' a '))", json!("A")),
        ("join(['a', '', null, 'b'], ', ')", json!("a, b")),
        ("join([], ', ')", json!("")),
        ("pad_left('12345', 3, '0')", json!("12345")),
        ("pad_left('1', 3, '€')", json!("€€1")),
        ("digits('٣4')", json!("4")),
        ("text(-5)", json!("-5")),
        ("text(true)", json!("true")),
        ("text(record.born)", json!("1815-12-10")),
        ("text(record.seen)", json!("2026-11-22T10:00:00Z")),
    ]);
}

#[test]
fn decimals() {
    gives(&[
        ("round(2.345, 2, 'half_up')", json!("2.35")),
        ("round(-2.345, 2, 'half_up')", json!("-2.35")),
        ("round(2.355, 2, 'half_even')", json!("2.36")),
        ("round(2.5, 0, 'half_even')", json!("2")),
        ("div(1.0, 3.0, 10)", json!("0.3333333333")),
        ("div(2.0, 3.0, 2)", json!("0.67")),
        ("div(1.0, 8.0, 2)", json!("0.12")),
        ("div(1.0, 8.0, 2, 'half_up')", json!("0.13")),
        ("div(-1.0, 8.0, 2, 'half_up')", json!("-0.13")),
        ("div(-1.0, 8.0, 2)", json!("-0.12")),
        ("div(100.0, 0.001, 0)", json!("100000")),
        // A quotient cut to 28 digits first would end in a half that it is not.
        ("div(0.4999999999999999999999999999, 1.0, 0, 'half_up')", json!("0")),
        ("max(1.5, 2.5)", json!("2.5")),
        ("min(date('2026-01-02'), date('2026-01-01'))", json!("2026-01-01")),
        ("abs(-3)", json!(3)),
        ("to_int(1000000.000)", json!(1_000_000)),
        ("decimal(5) + 0.5", json!("5.5")),
        ("decimal('-12.500')", json!("-12.5")),
    ]);
}

#[test]
fn dates_and_times() {
    gives(&[
        ("date('2026-11-22')", json!("2026-11-22")),
        ("time('2026-11-22T11:00:00+01:00')", json!("2026-11-22T10:00:00Z")),
        ("time('22.11.2026 11:00 +0100', '%d.%m.%Y %H:%M %z')", json!("2026-11-22T10:00:00Z")),
        ("time('22.11.2026 11:00', '%d.%m.%Y %H:%M', '+01:00')", json!("2026-11-22T10:00:00Z")),
        ("format(record.seen, '%H:%M')", json!("10:00")),
        ("format(record.seen, '%d.%m.%Y %H:%M', 'America/New_York')", json!("22.11.2026 05:00")),
        ("start_of(date('2026-07-01'), 'Europe/Berlin')", json!("2026-06-30T22:00:00Z")),
        // Midnight does not exist there on that day: the first moment is one o'clock.
        ("start_of(date('2018-11-04'), 'America/Sao_Paulo')", json!("2018-11-04T03:00:00Z")),
        ("add_days(record.born, -10)", json!("1815-11-30")),
        ("add_months(date('2024-03-31'), -1)", json!("2024-02-29")),
        ("days_between(date('2026-01-02'), date('2026-01-01'))", json!(-1)),
        ("days_between(date('0001-01-01'), date('9999-12-31'))", json!(3_652_058)),
        ("weekday(date('2026-11-23'))", json!(1)),
        ("epoch_ms(time('1969-12-31T23:59:59.9995Z'))", json!(-1)),
        ("from_epoch_ms(-1)", json!("1969-12-31T23:59:59.999Z")),
        ("year(record.born) * 10000 + month(record.born) * 100 + day(record.born)", json!(18_151_210)),
    ]);
}

#[test]
fn lists() {
    gives(&[
        ("record.tags.map(t, t + '!')", json!(["vip!", "news!"])),
        ("record.tags.map(t, size(t))", json!([3, 4])),
        ("record.tags.filter(t, t != 'vip').map(t, record.name + t)", json!(["Ada Lovelacenews"])),
        ("[1, 2, 3].exists(x, x > 2) && ![1].exists(x, x > 2)", json!(true)),
        ("[].all(x, x == 1) && ![].exists(x, x == 1)", json!(true)),
        ("sort([3, 1, 2])", json!([1, 2, 3])),
        ("sort([1.5, 1.25])", json!(["1.25", "1.5"])),
        ("distinct([1.50, 1.5, 2.0])", json!(["1.5", "2"])),
        ("distinct([null, 'a', null])", json!([null, "a"])),
        ("first(['b', 'a'])", json!("b")),
        ("first([])", Value::Null),
        ("size([1, 2])", json!(2)),
        ("[date('2026-01-01')]", json!(["2026-01-01"])),
    ]);
}

#[test]
fn tables_and_links() {
    gives(&[
        ("lookup('countries', 'name', 'code', 'Atlantis', 'XX')", json!("XX")),
        ("lookup('countries', 'name', 'code', 'Atlantis', null)", Value::Null),
        ("lookup('countries', 'name', 'code', 'France', null)", json!("FR")),
        ("record.parent != null ? link(record.parent, 'companies') : null", json!("C-18")),
        ("object['hs-x'].y + object.lines[0].sku", json!("deepA-1")),
    ]);
}

#[test]
fn what_was_never_said_ends_it_only_where_it_is_read() {
    assert_eq!(run("record.phone"), Ok(Outcome::Missing));
    assert_eq!(run("coalesce(record.phone, 'none')"), Ok(Outcome::Missing));
    assert_eq!(run("record.phone == null"), Ok(Outcome::Missing));
    assert_eq!(run("record.tags.map(t, coalesce(record.phone, t))"), Ok(Outcome::Missing));
    assert_eq!(value("has(record.phone)"), json!(false));
    assert_eq!(value("has(record.nickname)"), json!(false));
    assert_eq!(value("has(record.phone) ? record.phone : 'none'"), json!("none"));
    assert_eq!(value("record.active ? record.name : record.phone"), json!("Ada Lovelace"));
    assert_eq!(value("true || record.phone == 'x'"), json!(true));
    assert_eq!(value("coalesce(record.name, record.phone)"), json!("Ada Lovelace"));
}

#[test]
fn types_are_inferred() {
    for (text, wanted) in [
        ("record.email", "text?"),
        ("coalesce(record.email, '')", "text"),
        ("coalesce(record.email, record.nickname)", "text?"),
        ("true ? null : 1", "int?"),
        ("null", "null"),
        ("[1, null]", "list(int?)"),
        ("[]", "list()"),
        ("first(record.tags)", "text?"),
        ("record.tags.map(t, size(t) == 3)", "list(bool)"),
        ("lookup('countries', 'name', 'code', 'x', null)", "text?"),
        ("div(1.0, 2.0, 1)", "decimal"),
    ] {
        assert_eq!(ty(text), wanted, "{text}");
    }
}

#[test]
fn inputs_are_named_once() {
    let mut world = World::default();
    let program = world.program("record.name + record.stage + record.name");
    assert_eq!(program.uses(), [0, 12]);
}

#[test]
fn tables_are_known_before_anything_is() {
    let text = "size(['a'].map(x, lookup('one', 'a', 'b', x))) > 0 ? upper(lookup('two', 'a', 'b', nobody.knows)) : ''";
    let ast = crate::parse(text).unwrap();
    assert_eq!(ast.tables().into_iter().collect::<Vec<_>>(), ["one", "two"]);
    let none = crate::parse("lookup(record.name, 'a') + other('three')").unwrap();
    assert!(none.tables().is_empty());
}

#[test]
fn types_are_read_as_they_are_written() {
    for text in crate::Type::NAMES.into_iter().chain(["text?", "list(int?)", "list(text)?", "time?"]) {
        assert_eq!(crate::Type::parse(text).map(|ty| ty.to_string()).as_deref(), Some(text));
    }
    for text in ["", "txt", "text??", "list", "list(list(text))", "ref(Account)", "null", "Text", "list(text"]
    {
        assert_eq!(crate::Type::parse(text), None, "{text}");
    }
}

#[test]
fn whole_numbers_are_read_as_fields_read_them() {
    let mut world = World::default().with("record.count", Some(json!(5.0)));
    assert_eq!(world.run("record.count + 1"), Ok(Outcome::Value(json!(6))));
}
