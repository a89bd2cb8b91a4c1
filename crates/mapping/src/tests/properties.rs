//! Properties over generated values.

use canonical::value::normal;
use canonical::{Decimal, Field};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::support::{compile, fields, normalise, project, schema};
use crate::Mapping;
use crate::path::{Found, Path};
use crate::step::fold;

fn text() -> BoxedStrategy<Value> {
    "\\PC{1,20}".prop_filter("not empty", |text| !text.trim().is_empty()).prop_map(Value::from).boxed()
}

fn decimal(digits: u32, scale: u32) -> BoxedStrategy<Value> {
    let most = 10_i128.pow(digits) - 1;
    (-most..=most, 0..=scale)
        .prop_map(|(mantissa, scale)| {
            canonical::value::decimal(Decimal::from_i128_with_scale(mantissa, scale))
        })
        .boxed()
}

fn date() -> BoxedStrategy<Value> {
    (1..=9999_i16, 1..=12_i8, 1..=28_i8).prop_map(|(y, m, d)| json!(format!("{y:04}-{m:02}-{d:02}"))).boxed()
}

/// Instants of the years 1 to 9998, to the microsecond.
fn time() -> BoxedStrategy<Value> {
    (-62_100_000_000_000_000_i64..=253_300_000_000_000_000)
        .prop_map(|micros| json!(canonical::jiff::Timestamp::from_microsecond(micros).unwrap().to_string()))
        .boxed()
}

fn items() -> BoxedStrategy<Value> {
    btree_set("[a-zà-ü0-9]([a-z ]{0,8}[a-z])?", 1..6).prop_map(|items| json!(items)).boxed()
}

fn one_of(values: &[&'static str]) -> BoxedStrategy<Value> {
    proptest::sample::select(values.to_vec()).prop_map(Value::from).boxed()
}

/// Rows whose writing is undone by reading, each with its field and such values as it can hold.
pub(super) fn invertible() -> Vec<(&'static str, &'static str, BoxedStrategy<Value>)> {
    let integer = || any::<i64>().prop_map(Value::from).boxed();
    vec![
        ("text", "", text()),
        ("text", "transform: [{prefix: {text: 'p:'}}, {suffix: {text: ' €'}}]", text()),
        ("text", "transform: [text]", any::<i64>().prop_map(|n| json!(n.to_string())).boxed()),
        ("integer", "", integer()),
        ("integer", "transform: [number]", integer()),
        ("decimal", "", decimal(28, 28)),
        ("decimal", "transform: [decimal]", decimal(28, 28)),
        ("decimal", "transform: [{prefix: {text: 'EUR '}}, {decimal: {scale: 6}}]", decimal(28, 6)),
        ("decimal", "transform: [{decimal: {minor_units: 3, as: text}}]", decimal(25, 3)),
        ("decimal", "transform: [{decimal: {minor_units: 2}}]", decimal(16, 2)),
        ("decimal", "transform: [{decimal: {as: number}}]", decimal(14, 10)),
        (
            "boolean",
            "transform: [{boolean: {true: 1, false: 'no'}}]",
            any::<bool>().prop_map(Value::from).boxed(),
        ),
        ("date", "transform: [date]", date()),
        ("date", "transform: [{date: {format: '%d.%m.%Y'}}]", date()),
        ("date", "transform: [{date: {format: epoch_ms}}]", date()),
        ("time", "", time()),
        ("time", "transform: [{time: {format: rfc3339, zone: America/New_York}}]", time()),
        ("time", "transform: [{time: {format: '%Y/%m/%d %H:%M:%S%.f %:z', zone: Asia/Kolkata}}]", time()),
        ("time", "transform: [{time: {format: '%Y/%m/%d %H:%M:%S%.f', zone: UTC}}]", time()),
        ("tags", "transform: [{list: {separator: ';'}}]", items()),
        ("lines", "transform: [{list: {separator: ';'}}]", items()),
        ("stage", "lookup: {table: stages, from: crm, to: canonical}", one_of(&["lead", "customer", "lost"])),
        ("stage", "lookup: {table: many, from: crm, to: canonical}", one_of(&["lead", "customer"])),
        (
            "boolean",
            "transform: [text], lookup: {table: flags, from: crm, to: canonical}",
            any::<bool>().prop_map(Value::from).boxed(),
        ),
    ]
}

/// Rows that lose something both ways and say what is equal.
pub(super) fn lossy() -> Vec<(&'static str, &'static str, BoxedStrategy<Value>)> {
    vec![
        ("text", "transform: [trim], equal: trimmed", text()),
        ("text", "transform: [lower], equal: case_insensitive", text()),
        ("text", "transform: [upper], equal: case_insensitive", text()),
        ("text", "transform: [title], equal: case_insensitive", text()),
        ("text", "transform: [trim, upper], equal: folded", text()),
        ("decimal", "transform: [{decimal: {scale: 2, round: half_even}}], equal: rounded", decimal(20, 10)),
        (
            "decimal",
            "transform: [{decimal: {minor_units: 2, round: half_up}}], equal: rounded",
            decimal(15, 10),
        ),
        ("time", "transform: [{time: {format: epoch_s}}], equal: rounded", time()),
        ("time", "transform: [{time: {format: epoch_ms, as: text}}], equal: rounded", time()),
        ("time", "transform: [{time: {format: '%Y-%m-%d %H:%M%:z'}}], equal: rounded", time()),
        (
            "time",
            "transform: [{time: {format: '%Y-%m-%d %H:%M:%S', zone: Europe/Berlin, ambiguous: later}}], equal: rounded",
            (1_600_000_000_i64..1_900_000_000)
                .prop_map(|s| json!(canonical::jiff::Timestamp::from_second(s).unwrap().to_string()))
                .boxed(),
        ),
    ]
}

pub(super) fn check<T: std::fmt::Debug>(strategy: &BoxedStrategy<T>, test: impl Fn(T)) {
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(strategy, |value| {
        test(value);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// A row between `field` and the nested path `a.b`.
fn row(field: &str, options: &str) -> Mapping {
    let comma = if options.is_empty() { "" } else { ", " };
    compile(&format!("- {{field: {field}, path: a.b{comma}{options}}}"))
}

/// What a record's value is after it was written and read.
fn there_and_back(mapping: &Mapping, field: &str, value: &Value) -> Value {
    let written = project(mapping, json!({ field: value })).unwrap_or_else(|error| panic!("{error}"));
    let object = json!({"a": {"b": written.fields["a.b"]}});
    let mut patch = normalise(mapping, object).unwrap_or_else(|misfit| panic!("{misfit}"));
    patch.fields.remove(field).unwrap_or(Value::Null)
}

#[test]
fn writing_and_reading_an_invertible_row_is_the_identity() {
    for (field, options, values) in invertible() {
        let mapping = row(field, options);
        check(&values, |value| {
            assert_eq!(there_and_back(&mapping, field, &value), value, "{field} {options}")
        });
    }
}

#[test]
fn writing_and_reading_a_lossy_row_is_the_identity_under_its_equal() {
    for (field, options, values) in lossy() {
        let mapping = row(field, options);
        let name = Field::new(field).unwrap();
        check(&values, |value| {
            let back = there_and_back(&mapping, field, &value);
            assert!(mapping.equal_on(&name, &value, &back), "{field} {options}: {value} came back as {back}");
            let again = there_and_back(&mapping, field, &back);
            assert!(
                mapping.equal_on(&name, &value, &again),
                "{field} {options}: {value}, {back}, then {again}"
            );
        });
    }
}

/// Any JSON, with the texts and keys that rows look for among it.
fn any_json() -> BoxedStrategy<Value> {
    let odd = [
        "",
        " ",
        "2026-11-22",
        "2026-11-22T10:00:00Z",
        "12.50",
        "-0",
        "true",
        "Lead",
        "a@b.co",
        "tel:1",
        "NaN",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        proptest::sample::select(odd.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::btree_map("[a-d0]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
    .boxed()
}

/// Every row of the lists above as one-way rows from and to a place of its own.
fn everything() -> Vec<(&'static str, Mapping)> {
    let more = [
        ("email", "on_missing: 'null'"),
        ("short", "on_empty: 'null'"),
        ("any", "on_null: 'null'"),
        ("tags", ""),
        ("account", "ref: {entity: Account, object: companies}, on_null: fail"),
        ("stage", "lookup: {table: stages, from: crm, to: canonical, on_unmapped: pass}"),
        ("text", "transform: [{prefix: {text: 'tel:'}}]"),
        ("time", "transform: [{time: {format: '%d.%m.%Y %H:%M:%S', zone: Europe/Berlin}}], equal: rounded"),
    ];
    let listed = invertible().into_iter().chain(lossy()).map(|(field, options, _)| (field, options));
    listed.chain(more).map(|(field, options)| (field, row(field, options))).collect()
}

#[test]
fn reading_anything_gives_normal_values_or_a_misfit() {
    let (all, schema) = (everything(), schema());
    check(&any_json(), |value| {
        let objects = [json!({"a": {"b": value}}), json!({ "a": value }), json!({"x": value})];
        for (field, mapping) in &all {
            for object in &objects {
                let Ok(patch) = mapping.normalise(object.as_object().unwrap()) else { continue };
                for (name, found) in patch.fields {
                    let kind = &schema.fields[name.as_str()].kind;
                    assert_eq!(normal(kind, found.clone()), Ok(found), "{field}");
                }
            }
        }
    });
}

#[test]
fn writing_anything_gives_values_or_an_error() {
    let all = everything();
    check(&any_json(), |value| {
        for (field, mapping) in &all {
            let record = fields(json!({ *field: value }));
            if let Ok(projection) = mapping.project(&record, &|_, _, _| Some("1".to_owned())) {
                for path in projection.fields.keys() {
                    assert!(mapping.out_paths().any(|known| known == path), "{path}");
                }
                assert!(mapping.equal_at("a.b", &json!(1), &json!(1)));
            }
            let _ =
                (mapping.equal_at("a.b", &value, &json!("x")), mapping.equal_at("a.b", &json!(1), &value));
        }
    });
}

#[test]
fn i15_messages_never_show_a_value() {
    let all = everything();
    let letters = "Zq[A-Z]{8}".prop_map(|word| (word.clone(), json!(word)));
    let digits = (700_000_000_001_i64..700_999_999_999).prop_map(|n| (n.to_string(), json!(n)));
    let marker = prop_oneof![letters, digits];
    let shaped = (marker, 0..9_u8).prop_map(|((mark, value), shape)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = match shape {
            0 => value,
            1 => json!(format!("{text}@")),
            2 => json!(format!("2026-11-22T{text}")),
            3 => json!([value]),
            4 => json!({ "c": value }),
            5 => json!(format!("12.{text}x")),
            6 => json!(format!("tel {text}")),
            7 => json!(format!(" {text};{text} ")),
            _ => json!(vec![text; 40]),
        };
        (mark, value)
    });
    let seen = std::cell::Cell::new(0);
    check(&shaped.boxed(), |(mark, value)| {
        for (field, mapping) in &all {
            for object in [json!({"a": {"b": value}}), json!({ "a": value })] {
                if let Err(misfit) = mapping.normalise(object.as_object().unwrap()) {
                    let said = format!("{misfit} {misfit:?} {}", misfit.fingerprint());
                    assert!(!said.contains(&mark), "{said}");
                    seen.set(seen.get() + 1);
                }
            }
            if let Err(error) =
                mapping.project(&fields(json!({ *field: value })), &|_, _, _| Some(mark.clone()))
            {
                let said = format!("{error} {error:?} {}", error.fingerprint());
                assert!(!said.contains(&mark), "{said}");
                seen.set(seen.get() + 1);
            }
        }
    });
    assert!(seen.get() > 10_000, "only {} errors were looked at", seen.get());
}

#[test]
fn decimals_are_never_changed_in_silence() {
    let plain = [
        row("decimal", "direction: out, transform: [{decimal: {as: number}}]"),
        row("decimal", "direction: out, transform: [{decimal: {scale: 4}}]"),
        row("decimal", "direction: out, transform: [{decimal: {minor_units: 4}}]"),
    ];
    check(&decimal(28, 12), |value| {
        let exact: Decimal = value.as_str().unwrap().parse().unwrap();
        for (i, mapping) in plain.iter().enumerate() {
            let Ok(projection) = project(mapping, json!({ "decimal": value })) else { continue };
            let written = &projection.fields["a.b"];
            let shown = written.as_str().map_or_else(|| written.to_string(), str::to_owned);
            let read = Decimal::from_str_exact(&shown).unwrap();
            let unit = if i == 2 { Decimal::from(10_000) } else { Decimal::ONE };
            assert_eq!(exact.checked_mul(unit), Some(read), "{value} as {written}");
        }
    });
}

#[test]
fn folding_ends_all_differences_of_case() {
    check(&"\\PC{0,16}".boxed(), |text| {
        let folded = fold(&text);
        assert_eq!(folded, fold(&text.to_lowercase()), "{text:?}");
        assert_eq!(folded, fold(&text.to_uppercase()), "{text:?}");
    });
    for c in '\0'..=char::MAX {
        let text = c.to_string();
        assert_eq!(fold(&text), fold(&text.to_lowercase()), "{c:?}");
        assert_eq!(fold(&text), fold(&text.to_uppercase()), "{c:?}");
    }
}

#[test]
fn any_key_can_be_written_as_a_path() {
    check(&vec("\\PC{1,6}", 1..5).boxed(), |keys| {
        let text =
            keys.iter().map(|key| key.replace('\\', r"\\").replace('.', r"\.")).collect::<Vec<_>>().join(".");
        let path = Path::parse(&text).unwrap();
        assert_eq!(path.keys().collect::<Vec<_>>(), keys);
        let object = keys.iter().rev().fold(json!("here"), |inner, key| json!({ key: inner }));
        assert!(
            matches!(path.find(object.as_object().unwrap()), Found::Value(Value::String(text)) if text == "here")
        );
    });
}
