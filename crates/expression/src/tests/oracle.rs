//! The `cel` crate as a second opinion, on what both languages have.
//!
//! Where they differ on purpose is not generated: `&&` and `||` with a left side that may fail (CEL goes on),
//! decimals (CEL has doubles), null and missing inputs (CEL has neither as a type).

use std::collections::HashMap;
use std::sync::Arc;

use cel::{Context, Program, Value as Cel};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::{World, of, text};
use super::tape::{Made, Only, Tape};
use crate::{Cause, Kind, Outcome, Type};

/// By hand: from JSON, whole numbers above zero would become unsigned ones, which compare with no others.
fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => Cel::Int(number.as_i64().expect("a whole number")),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(to_cel).collect())),
        other => panic!("{other} has no place here"),
    }
}

fn from_cel(value: &Cel) -> Value {
    match value {
        Cel::Bool(flag) => json!(flag),
        Cel::Int(number) => json!(number),
        Cel::String(text) => json!(**text),
        Cel::List(items) => Value::Array(items.iter().map(from_cel).collect()),
        other => panic!("{other:?} has no place here"),
    }
}

type Record = Vec<(&'static str, Value)>;

fn theirs(text: &str, record: &Record) -> Result<Value, String> {
    let program = Program::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let fields: HashMap<String, Cel> =
        record.iter().map(|(name, value)| ((*name).to_owned(), to_cel(value))).collect();
    let mut context = Context::default();
    context.add_variable_from_value("record", fields);
    program.execute(&context).map(|value| from_cel(&value)).map_err(|error| error.to_string())
}

fn ours(text: &str, record: &Record, wanted: &Type) -> Option<Result<Value, Cause>> {
    let mut world = World::default();
    for (name, value) in record {
        world = world.with(&format!("record.{name}"), Some(value.clone()));
    }
    let program = match world.compile(text, wanted) {
        Ok(program) => program,
        Err(faults) => {
            assert!(faults.iter().all(|fault| fault.message.contains("at most")), "{}", faults[0].show(text));
            return None;
        }
    };
    match program.run(&world, &mut crate::Budget::default()) {
        Ok(Outcome::Value(value)) => Some(Ok(value)),
        Ok(Outcome::Missing) => panic!("{text}: everything is there"),
        Err(stop) => Some(Err(stop.why)),
    }
}

fn records() -> impl Strategy<Value = Record> {
    let word = || prop_oneof!["[a-zä€ ]{0,6}", Just("a".to_owned())];
    (any::<bool>(), any::<bool>(), any::<i64>(), -9..9_i64, word(), word(), vec(word(), 0..5)).prop_map(
        |(active, sleeping, count, least, name, city, tags)| {
            vec![
                ("active", json!(active)),
                ("sleeping", json!(sleeping)),
                ("count", json!(count)),
                ("least", json!(least)),
                ("name", json!(name)),
                ("city", json!(city)),
                ("tags", json!(tags)),
            ]
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn both_say_the_same(which in 0..5_usize, tape in vec(any::<u8>(), 0..100), record in records()) {
        let (made, wanted) = [
            (Made::Bool, of(Kind::Bool)),
            (Made::Int, of(Kind::Int)),
            (Made::Text, text()),
            (Made::Texts, Type::list(text())),
            (Made::Ints, Type::list(of(Kind::Int))),
        ][which].clone();
        let text = Tape::new(&tape, Only::Shared).make(made, 4);
        let Some(ours) = ours(&text, &record, &wanted) else { return Ok(()) };
        match (ours, theirs(&text, &record)) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs, "{}", text),
            (Err(Cause::Range | Cause::DivideByZero), Err(_)) => {}
            // A bound that CEL does not have.
            (Err(Cause::Budget), _) => {}
            (ours, theirs) => prop_assert!(false, "{text}: we say {ours:?}, they say {theirs:?}"),
        }
    }
}

#[test]
fn the_second_opinion_can_differ() {
    let record = vec![("count", json!(2))];
    assert_eq!(theirs("record.count + 1", &record), Ok(json!(3)));
    assert!(theirs("1 / 0", &record).is_err());
    assert_ne!(theirs("size('ab')", &record), Ok(json!(3)));
}
