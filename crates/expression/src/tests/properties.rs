//! What holds for all texts and all values.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::{World, of, text};
use super::tape::{Made, Only, Tape};
use crate::{Budget, Cause, FUNCTIONS, Fault, Kind, Outcome, Type, parse};

/// A text that no message holds unless it holds a value.
const SECRET: &str = "Zw8ü";

fn maybe(value: BoxedStrategy<Value>) -> BoxedStrategy<Option<Value>> {
    prop_oneof![1 => Just(None), 2 => Just(Some(Value::Null)), 7 => value.prop_map(Some)].boxed()
}

fn word() -> BoxedStrategy<Value> {
    prop_oneof![
        "\\PC{0,12}",
        Just("Germany".to_owned()),
        Just("-5".to_owned()),
        Just("22.11.2026".to_owned()),
        Just("2026-11-22 10:00:00".to_owned()),
        Just(SECRET.to_owned()),
    ]
    .prop_map(Value::from)
    .boxed()
}

fn decimal() -> BoxedStrategy<Value> {
    (any::<i64>(), 0..=28_u32)
        .prop_map(|(mantissa, scale)| {
            canonical::value::decimal(canonical::Decimal::from_i128_with_scale(mantissa.into(), scale))
        })
        .boxed()
}

fn date() -> BoxedStrategy<Value> {
    let day = (0..=9999_i16, 1..=12_i8, 1..=28_i8);
    day.prop_map(|(y, m, d)| json!(jiff::civil::date(y, m, d).to_string())).boxed()
}

fn time() -> BoxedStrategy<Value> {
    (-62_100_000_000_000_i64..=253_300_000_000_000)
        .prop_map(|ms| json!(jiff::Timestamp::from_millisecond(ms).unwrap().to_string()))
        .boxed()
}

/// Values of the declared types, of which any may be missing, and those that may be null are.
fn worlds() -> impl Strategy<Value = World> {
    let int = || any::<i64>().prop_map(Value::from).boxed();
    let there =
        |value: BoxedStrategy<Value>| prop_oneof![1 => Just(None), 19 => value.prop_map(Some)].boxed();
    let values = vec![
        ("record.name", there(word())),
        ("record.nickname", maybe(word())),
        ("record.email", maybe(word())),
        ("record.count", there(int())),
        ("record.rank", maybe(int())),
        ("record.amount", there(decimal())),
        ("record.discount", maybe(decimal())),
        ("record.active", there(any::<bool>().prop_map(Value::from).boxed())),
        ("record.born", there(date())),
        ("record.seen", there(time())),
        ("record.tags", there(vec(word(), 0..6).prop_map(Value::from).boxed())),
    ];
    let (paths, values): (Vec<&'static str>, Vec<_>) = values.into_iter().unzip();
    values.prop_map(move |values| {
        let start = World::default().with("record.city", Some(json!(SECRET)));
        paths.iter().zip(values).fold(start, |world, (path, value)| world.with(path, value))
    })
}

fn kinds() -> impl Strategy<Value = (Made, Type)> {
    proptest::sample::select(vec![
        (Made::Bool, of(Kind::Bool)),
        (Made::Int, of(Kind::Int)),
        (Made::Decimal, of(Kind::Decimal)),
        (Made::Text, text()),
        (Made::Date, of(Kind::Date)),
        (Made::Time, of(Kind::Time)),
        (Made::Texts, Type::list(text())),
        (Made::Ints, Type::list(of(Kind::Int))),
    ])
}

fn is_of(value: &Value, kind: Made) -> bool {
    match (kind, value) {
        (Made::Bool, Value::Bool(_)) => true,
        (Made::Int, Value::Number(number)) => number.is_i64(),
        (Made::Decimal, Value::String(text)) => text.parse::<canonical::Decimal>().is_ok(),
        (Made::Text, Value::String(_)) => true,
        (Made::Date, Value::String(text)) => text.parse::<jiff::civil::Date>().is_ok(),
        (Made::Time, Value::String(text)) => text.parse::<jiff::Timestamp>().is_ok() && text.ends_with('Z'),
        (Made::Texts, Value::Array(items)) => items.iter().all(Value::is_string),
        (Made::Ints, Value::Array(items)) => items.iter().all(Value::is_i64),
        _ => false,
    }
}

fn within(fault: &Fault, text: &str) -> bool {
    let characters = u32::try_from(text.chars().count()).unwrap();
    fault.at.start <= fault.at.end && fault.at.end <= characters && !fault.show(text).is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// What is well typed compiles; what compiles meets no value of another type, and gives one of its own.
    #[test]
    fn types_are_sound((made, wanted) in kinds(), tape in vec(any::<u8>(), 0..120), mut world in worlds()) {
        let text = Tape::new(&tape, Only::All).make(made, 4);
        let program = match world.compile(&text, &wanted) {
            Ok(program) => program,
            Err(faults) => {
                let limit = faults.iter().all(|fault| fault.message.contains("at most"));
                prop_assert!(limit, "{}", faults[0].show(&text));
                return Ok(());
            }
        };
        prop_assert!(program.ty().fits(&wanted));
        match program.run(&world, &mut Budget::default()) {
            Ok(Outcome::Missing) => {}
            Ok(Outcome::Value(value)) => prop_assert!(is_of(&value, made), "{text}: {value}"),
            Err(stop) => {
                prop_assert!(stop.why != Cause::Kind, "{text}: {stop}");
                let shown = format!("{stop} {stop:?}");
                prop_assert!(!shown.contains(SECRET));
                prop_assert!((stop.at as usize) < text.chars().count());
            }
        }
    }

    /// Any text at all is read, or refused at a place within it.
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
        if let Err(fault) = parse(&text) {
            prop_assert!(within(&fault, &text));
        }
    }

    /// Words of the language in any order are read, or refused; what can be read is compiled, or refused.
    #[test]
    fn any_words_are_compiled_or_refused(words in vec(words(), 0..30)) {
        let text = words.join(" ");
        let faults = match World::default().compile(&text, &text_or_null()) {
            Ok(program) => {
                let stop = program.run(&World::default(), &mut Budget::default());
                prop_assert!(!matches!(stop, Err(stop) if stop.why == Cause::Kind));
                return Ok(());
            }
            Err(faults) => faults,
        };
        prop_assert!(!faults.is_empty());
        for fault in &faults {
            prop_assert!(within(fault, &text), "{text}: {fault:?}");
        }
    }

    /// A quotient is the nearest number of so many digits, and exactly half goes where it was told.
    #[test]
    fn quotients_are_nearest(above in any::<i32>(), below in any::<i32>(), digits in 0..6_u32) {
        prop_assume!(below != 0);
        let mut world = World::default()
            .with("record.amount", Some(json!(format!("{above}"))))
            .with("record.discount", Some(json!(format!("{below}"))));
        let text = format!("div(record.amount, coalesce(record.discount, 1.0), {digits}, 'half_up')");
        let Ok(Outcome::Value(Value::String(found))) = world.run(&text) else { panic!("{text}") };
        let found: canonical::Decimal = found.parse().unwrap();
        let (above, below) = (i128::from(above), i128::from(below));
        let units = found.mantissa() * 10_i128.pow(digits - found.scale());
        let off = (above * 10_i128.pow(digits) - units * below).abs() * 2;
        prop_assert!(off <= below.abs());
        if off == below.abs() {
            prop_assert!(units.abs() * below.abs() > above.abs() * 10_i128.pow(digits));
        }
    }
}

fn text_or_null() -> Type {
    text().or_null()
}

fn words() -> BoxedStrategy<String> {
    let signs = "|| && == != < <= > >= in + - * / % ! ? : . , ( ) [ ] 1 1.5 'a' true null record object name";
    let mut all: Vec<String> = signs.split(' ').map(str::to_owned).collect();
    all.extend(FUNCTIONS.iter().map(|function| format!("{}(", function.name)));
    all.extend(
        ["record.name", "record.email", "record.tags", "record.count", ".map(t,", "t"].map(str::to_owned),
    );
    proptest::sample::select(all).boxed()
}
