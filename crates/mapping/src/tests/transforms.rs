//! Every transform, both ways, by tables.

use serde_json::{Value, json};

use super::support::{read, write};

fn reads(field: &str, options: &str, table: Vec<(Value, Value)>) {
    for (from, to) in table {
        assert_eq!(read(field, options, from.clone()), to, "{field} {options} reads {from}");
    }
}

fn writes(field: &str, options: &str, table: Vec<(Value, Value)>) {
    for (from, to) in table {
        assert_eq!(write(field, options, from.clone()), to, "{field} {options} writes {from}");
    }
}

#[test]
fn plain_rows_read_each_kind_and_refuse_the_others() {
    let samples = [
        json!("text"),
        json!(7),
        json!(1.5),
        json!(true),
        json!("2026-11-22"),
        json!("2026-11-22T10:00:00+01:00"),
        json!(["b", "a", "b"]),
        json!({"k": 1}),
    ];
    // For each sample: `=` as it is, the code of the misfit, or what is read.
    for (field, expected) in [
        ("text", r#"= kind kind kind = = kind kind"#),
        ("integer", r#"form = kind kind form form kind kind"#),
        ("decimal", r#"form "7" "1.5" kind form form kind kind"#),
        ("boolean", r#"form kind kind = form form kind kind"#),
        ("date", r#"form kind kind kind = form kind kind"#),
        ("time", r#"form kind kind kind form "2026-11-22T09:00:00Z" kind kind"#),
        ("tags", r#"form kind kind kind form form ["a","b"] kind"#),
        ("lines", r#"form kind kind kind form form = kind"#),
        ("any", r#"= = = = = = = ="#),
    ] {
        let words: Vec<&str> = expected.split(' ').collect();
        assert_eq!(words.len(), samples.len(), "{field}");
        for (sample, word) in samples.iter().zip(words) {
            let wanted = match word {
                "=" => sample.clone(),
                "kind" | "form" => json!(format!("misfit {word}")),
                value => serde_json::from_str(value).unwrap(),
            };
            assert_eq!(read(field, "on_empty: keep", sample.clone()), wanted, "{field} from {sample}");
        }
    }
}

#[test]
fn field_rules_are_kept() {
    reads(
        "email",
        "",
        vec![
            (json!("ada@example.com"), json!("ada@example.com")),
            (json!("ada"), json!("misfit email")),
            (json!(" ada@example.com"), json!("misfit email")),
        ],
    );
    reads(
        "short",
        "",
        vec![
            (json!("äöüßé"), json!("äöüßé")),
            (json!("abcdef"), json!("misfit too_long")),
            (json!("x".repeat(1_000_000)), json!("misfit too_long")),
        ],
    );
    reads("stage", "", vec![(json!("lead"), json!("lead")), (json!("Lead"), json!("misfit choice"))]);
    reads("text", "", vec![(json!("x".repeat(1_000_000)), json!("x".repeat(1_000_000)))]);
    reads(
        "integer",
        "",
        vec![
            (json!(i64::MAX), json!(i64::MAX)),
            (json!(i64::MIN), json!(i64::MIN)),
            (json!(u64::MAX), json!("misfit kind")),
            (json!(3.0), json!(3)),
            (json!(1e300), json!("misfit kind")),
        ],
    );
}

#[test]
fn trim_and_case_pass_either_way() {
    let text = [" Ada  Lovelace ", "ÄRGER straße", "ǆ İ", "\u{a0}x\u{2003}"];
    let table: [(&str, [&str; 4]); 4] = [
        ("trim", ["Ada  Lovelace", "ÄRGER straße", "ǆ İ", "x"]),
        ("lower", [" ada  lovelace ", "ärger straße", "ǆ i̇", "\u{a0}x\u{2003}"]),
        ("upper", [" ADA  LOVELACE ", "ÄRGER STRASSE", "Ǆ İ", "\u{a0}X\u{2003}"]),
        ("title", [" Ada  Lovelace ", "Ärger Straße", "Ǆ İ", "\u{a0}X\u{2003}"]),
    ];
    for (name, expected) in table {
        let options = format!("transform: [{name}]");
        for (from, to) in text.iter().zip(expected) {
            assert_eq!(read("text", &options, json!(from)), json!(to), "{name} reads {from:?}");
            assert_eq!(write("text", &options, json!(from)), json!(to), "{name} writes {from:?}");
        }
        assert_eq!(read("text", &options, json!(1)), json!("misfit kind"));
    }
    assert_eq!(read("text", "transform: [title]", json!("jean-luc o'neil")), json!("Jean-Luc O'neil"));
}

#[test]
fn edges_come_off_and_go_on() {
    let options = "transform: [{prefix: {text: 'tel:'}}]";
    reads(
        "text",
        options,
        vec![
            (json!("tel:123"), json!("123")),
            (json!("tel:tel:1"), json!("tel:1")),
            (json!("123"), json!("misfit form")),
            (json!("tel:"), json!("nothing")),
        ],
    );
    writes("text", options, vec![(json!("123"), json!("tel:123"))]);
    reads(
        "text",
        "transform: [{suffix: {text: ' €', optional: true}}]",
        vec![(json!("5 €"), json!("5")), (json!("5"), json!("5"))],
    );
    writes("text", "transform: [{suffix: {text: ' €'}}]", vec![(json!("5"), json!("5 €"))]);
}

#[test]
fn split_takes_one_part() {
    let part = |index: usize, limit: &str| {
        format!("transform: [{{split: {{separator: ' ', index: {index}{limit}}}}}]")
    };
    for (index, limit, expected) in [
        (0, "", "Ludwig"),
        (1, "", "van"),
        (3, "", "nothing"),
        (1, ", limit: 2", "van Beethoven"),
        (0, ", limit: 2", "Ludwig"),
    ] {
        assert_eq!(
            read("text", &part(index, limit), json!("Ludwig van Beethoven")),
            json!(expected),
            "{index}{limit}"
        );
        assert_eq!(
            write("text", &part(index, limit), json!("Ludwig van Beethoven")),
            json!(expected),
            "{index}{limit}"
        );
    }
    assert_eq!(read("text", &part(0, ""), json!(" leading")), json!("nothing"), "an empty part says nothing");
}

#[test]
fn numbers_are_digits_there_and_whole_numbers_here() {
    reads(
        "integer",
        "transform: [number]",
        vec![
            (json!("42"), json!(42)),
            (json!("-42"), json!(-42)),
            (json!("0"), json!(0)),
            (json!(42), json!(42)),
            (json!("9223372036854775807"), json!(i64::MAX)),
            (json!("9223372036854775808"), json!("misfit form")),
            (json!("007"), json!("misfit form")),
            (json!("-0"), json!("misfit form")),
            (json!("+5"), json!("misfit form")),
            (json!("4.0"), json!("misfit form")),
            (json!("1,000"), json!("misfit form")),
            (json!(" 1"), json!("misfit form")),
            (json!("٣"), json!("misfit form")),
            (json!(true), json!("misfit kind")),
        ],
    );
    reads("integer", "transform: [trim, number]", vec![(json!(" 1 "), json!(1))]);
    writes("integer", "transform: [number]", vec![(json!(-42), json!("-42"))]);
}

#[test]
fn text_is_a_whole_number_there_and_digits_here() {
    reads(
        "text",
        "transform: [text]",
        vec![
            (json!(42), json!("42")),
            (json!(u64::MAX), json!(u64::MAX.to_string())),
            (json!("42"), json!("42")),
            (json!("a"), json!("misfit form")),
            (json!(1.5), json!("misfit kind")),
        ],
    );
    writes(
        "text",
        "transform: [text]",
        vec![
            (json!("42"), json!(42)),
            (json!("-7"), json!(-7)),
            (json!(u64::MAX.to_string()), json!(u64::MAX)),
            (json!("007"), json!("error form")),
            (json!("abc"), json!("error form")),
        ],
    );
}

#[test]
fn decimals_are_exact_or_refused() {
    reads(
        "decimal",
        "transform: [decimal]",
        vec![
            (json!("12.50"), json!("12.5")),
            (json!(12.5), json!("12.5")),
            (json!(12), json!("12")),
            (json!("-0.00"), json!("0")),
            (json!(".5"), json!("0.5")),
            (json!("1_000"), json!("misfit form")),
            (json!("1,5"), json!("misfit form")),
            (json!("1e3"), json!("misfit form")),
            (json!("."), json!("misfit form")),
            (json!("NaN"), json!("misfit form")),
            (json!(0.1234567890123456), json!("misfit inexact")),
            (json!("1234567890123456789012345678"), json!("1234567890123456789012345678")),
            (json!("12345678901234567890123456789012345"), json!("misfit range")),
        ],
    );
    writes("decimal", "transform: [decimal]", vec![(json!("12.5"), json!("12.5"))]);
    writes(
        "decimal",
        "transform: [{decimal: {scale: 2}}]",
        vec![
            (json!("12.5"), json!("12.50")),
            (json!("12"), json!("12.00")),
            (json!("12.345"), json!("error inexact")),
            (json!("1234567890123456789012345678"), json!("1234567890123456789012345678")),
        ],
    );
    writes(
        "decimal",
        "transform: [{decimal: {as: number}}]",
        vec![
            (json!("12.5"), json!(12.5)),
            (json!("12"), json!(12)),
            (json!("-3"), json!(-3)),
            (json!("0.1"), json!(0.1)),
            (json!("123456789012345.67"), json!("error inexact")),
            (json!("12345678901234567890"), json!("error inexact")),
        ],
    );
    for (how, expected) in [("half_even", ["2.34", "2.36"]), ("half_up", ["2.35", "2.36"])] {
        let options = format!("transform: [{{decimal: {{scale: 2, round: {how}}}}}]");
        assert_eq!(write("decimal", &options, json!("2.345")), json!(expected[0]), "{how}");
        assert_eq!(write("decimal", &options, json!("2.355")), json!(expected[1]), "{how}");
    }
}

#[test]
fn minor_units_count_cents() {
    let cents = "transform: [{decimal: {minor_units: 2}}]";
    reads(
        "decimal",
        cents,
        vec![
            (json!(1250), json!("12.5")),
            (json!("1250"), json!("12.5")),
            (json!(-1), json!("-0.01")),
            (json!(0), json!("0")),
            (json!(12.5), json!("misfit form")),
            (json!(i64::MAX), json!("92233720368547758.07")),
        ],
    );
    writes(
        "decimal",
        cents,
        vec![
            (json!("12.5"), json!(1250)),
            (json!("-0.01"), json!(-1)),
            (json!("0.001"), json!("error inexact")),
            (json!("92233720368547758.07"), json!(i64::MAX)),
            (json!("92233720368547758.08"), json!("error inexact")),
            (json!("1234567890123456789012345678"), json!("error range")),
        ],
    );
    writes(
        "decimal",
        "transform: [{decimal: {minor_units: 2, as: text}}]",
        vec![(json!("12.5"), json!("1250"))],
    );
    writes(
        "decimal",
        "transform: [{decimal: {minor_units: 2, round: half_even}}]",
        vec![(json!("0.005"), json!(0)), (json!("0.015"), json!(2))],
    );
    reads("decimal", "transform: [{decimal: {minor_units: 0}}]", vec![(json!(500), json!("500"))]);
}

#[test]
fn booleans_have_two_values_there() {
    reads(
        "boolean",
        "transform: [boolean]",
        vec![
            (json!("true"), json!(true)),
            (json!("false"), json!(false)),
            (json!(true), json!("misfit kind")),
            (json!("TRUE"), json!("misfit form")),
        ],
    );
    let flag = "transform: [{boolean: {true: 'Y', false: 'N'}}]";
    reads(
        "boolean",
        flag,
        vec![(json!("Y"), json!(true)), (json!("N"), json!(false)), (json!("y"), json!("misfit form"))],
    );
    writes("boolean", flag, vec![(json!(true), json!("Y")), (json!(false), json!("N"))]);
    let bits = "transform: [{boolean: {true: 1, false: 0}}]";
    reads(
        "boolean",
        bits,
        vec![(json!(1), json!(true)), (json!(0), json!(false)), (json!(2), json!("misfit kind"))],
    );
    writes("boolean", bits, vec![(json!(true), json!(1)), (json!(false), json!(0))]);
}

#[test]
fn lists_are_one_text_there() {
    let list = "transform: [{list: {separator: ';'}}]";
    reads(
        "tags",
        list,
        vec![
            (json!("b;a;b"), json!(["a", "b"])),
            (json!(" a ; ;ü"), json!(["a", "ü"])),
            (json!("a"), json!(["a"])),
            (json!(";"), json!("nothing")),
            (json!(["a"]), json!("misfit kind")),
        ],
    );
    reads("lines", list, vec![(json!("b;a;b"), json!(["b", "a", "b"]))]);
    writes(
        "tags",
        list,
        vec![
            (json!(["a", "b"]), json!("a;b")),
            (json!(["a;b"]), json!("error separator")),
            (json!(["a", " b"]), json!("error form")),
            (json!(["a", ""]), json!("error form")),
            (json!([1]), json!("error kind")),
        ],
    );
    reads("lines", "transform: [lower, {list: {separator: ';'}}]", vec![(json!("B;A"), json!(["b", "a"]))]);
}

#[test]
fn transforms_run_in_order_and_back() {
    let both = "direction: both, transform: [{prefix: {text: 'EUR '}}, {decimal: {scale: 2}}]";
    assert_eq!(read("decimal", both, json!("EUR 12.50")), json!("12.5"));
    assert_eq!(write("decimal", both, json!("12.5")), json!("EUR 12.50"));
    let out = "direction: out, transform: [{decimal: {scale: 2}}, {prefix: {text: 'EUR '}}]";
    assert_eq!(write("decimal", out, json!("12.5")), json!("EUR 12.50"));
}
