//! Small texts that would make large work: each ends within its bounds.

use serde_json::{Value, json};

use super::support::{World, text};
use crate::limits::{BYTES_MAX, CHARACTERS_MAX, DEPTH_MAX, INPUTS_MAX, NODES_MAX, STEPS_MAX};
use crate::{Budget, Cause, Outcome, Type, parse};

fn big(bytes: usize) -> World {
    World::default().with("record.name", Some(Value::from("x".repeat(bytes))))
}

#[test]
fn doubling_ends() {
    // Sixteen characters, each step eight times as long: 2^28 characters.
    let mut text = "'0123456789abcdef'".to_owned();
    for _ in 0..8 {
        text = format!("replace({text},'0','00000000')");
    }
    assert_eq!(World::default().run(&text), Err(Cause::Budget));
    let long = format!("join([{}], '')", vec!["record.name"; 40].join(","));
    assert_eq!(big(2_000).run(&long), Err(Cause::Budget));
}

#[test]
fn padding_is_paid_before_it_is_made() {
    assert_eq!(World::default().run("pad_left('1', 1000000000, '0')"), Err(Cause::Budget));
    assert_eq!(World::default().run("pad_left('1', 9223372036854775807, '€')"), Err(Cause::Budget));
    assert_eq!(World::default().run("size(pad_left('1', 60000, '0'))"), Ok(Outcome::Value(json!(60_000))));
}

#[test]
fn long_lists_end() {
    let tags: Vec<Value> = (0..20_000).map(|n| Value::from(n.to_string())).collect();
    for text in [
        "size(record.tags)",
        "record.tags",
        "record.tags.all(t, true)",
        "sort(record.tags)",
        "'x' in record.tags",
    ] {
        let mut world = World::default().with("record.tags", Some(Value::from(tags.clone())));
        assert_eq!(world.run(text), Err(Cause::Budget), "{text}");
    }
    let short: Vec<Value> = tags.into_iter().take(1_000).collect();
    let mut world = World::default().with("record.tags", Some(Value::from(short)));
    assert_eq!(world.run("record.tags.exists(t, t == '999')"), Ok(Outcome::Value(json!(true))));
    // Reading the list again for each of its items is what nesting would be.
    assert_eq!(world.run("record.tags.filter(t, t in record.tags)"), Err(Cause::Budget));
}

#[test]
fn long_texts_end() {
    for text in
        ["upper(record.name)", "record.name", "record.name + 'x'", "split(record.name, 'x')", "[record.name]"]
    {
        assert_eq!(big(1 << 20).run(text), Err(Cause::Budget), "{text}");
    }
    assert_eq!(big(1 << 20).run("size(record.name)"), Ok(Outcome::Value(json!(1 << 20))));
    assert_eq!(big(1 << 20).run("record.name.startsWith('xx')"), Ok(Outcome::Value(json!(true))));
    assert_eq!(big(3 << 20).run("size(record.name)"), Err(Cause::Budget), "reading is counted");
    assert_eq!(big(1 << 20).run("substring(record.name, 0, 2)"), Ok(Outcome::Value(json!("xx"))));
    // Each is 15 bytes longer in upper case: as the length says that is counted, not as the text is long.
    let mut world = World::default().with("record.name", Some(Value::from("ΐ".repeat(20_000))));
    assert_eq!(world.run("upper(record.name)"), Err(Cause::Budget));
}

#[test]
fn expressions_are_bounded_before_they_are_read() {
    let message = |text: &str| parse(text).expect_err("too large").message;
    let deep = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(message(&deep), "an expression has at most 1000 characters");
    assert_eq!(message(&"x".repeat(1 << 20)), "an expression has at most 1000 characters");
    let nested = |levels: usize| format!("{}1{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse(&nested(DEPTH_MAX as usize)).is_ok());
    assert_eq!(message(&nested(DEPTH_MAX as usize + 1)), "this is nested more than 24 levels deep");
    assert_eq!(message(&"!".repeat(900)), "this is nested more than 24 levels deep");
    assert_eq!(message(&"-".repeat(900)), "this is nested more than 24 levels deep");
    assert_eq!(message(&"[".repeat(900)), "this is nested more than 24 levels deep");
    assert_eq!(message(&"a?a:".repeat(200)), "this is nested more than 24 levels deep");
    let most = NODES_MAX as usize / 2;
    assert!(parse(&vec!["1"; most].join("+")).is_ok());
    assert_eq!(message(&vec!["1"; most + 1].join("+")), "an expression has at most 256 parts");
    assert!(parse(&" ".repeat(CHARACTERS_MAX - 1).replacen(' ', "1", 1)).is_ok());
}

#[test]
fn inputs_are_bounded() {
    let names: Vec<&'static str> = (0..=INPUTS_MAX).map(|n| &*format!("record.f{n}").leak()).collect();
    let mut world = World::default();
    for name in &names {
        world = world.and(name, text(), None);
    }
    let list = |count: usize| format!("[{}]", names[..count].join(","));
    let wanted = Type::list(text());
    assert!(world.compile(&list(INPUTS_MAX), &wanted).is_ok());
    let faults = world.compile(&list(INPUTS_MAX + 1), &wanted).unwrap_err();
    assert_eq!(faults[0].message, "an expression reads at most 32 inputs");
}

#[test]
fn a_budget_counts_down_alike_every_time() {
    let mut world = World::default();
    let program = world.program("record.tags.map(t, upper(t))");
    let left = || {
        let mut budget = Budget::default();
        program.run(&world, &mut budget).unwrap();
        (STEPS_MAX - budget.steps(), BYTES_MAX - budget.bytes())
    };
    assert_eq!(left(), left());
    // Two nodes and two items for the list, two nodes for each item; the list twice, and `VIPNEWS`.
    assert_eq!(left(), (8, 16 + 16 + 7));
    let mut spent = Budget::default();
    assert!(spent.step(usize::MAX).is_err());
    let stop = program.run(&world, &mut spent).unwrap_err();
    assert_eq!(stop.why, Cause::Budget, "what is used up stays used up");
}

#[test]
fn the_largest_that_can_be_written_runs() {
    let count = NODES_MAX as usize / 2;
    let sum = vec!["1"; count].join("+");
    assert_eq!(World::default().run(&sum), Ok(Outcome::Value(json!(count))));
    let levels = DEPTH_MAX as usize - 1;
    let deep = format!("{}record.count{}", "-(".repeat(levels / 2), ")".repeat(levels / 2));
    assert_eq!(World::default().run(&deep), Ok(Outcome::Value(json!(-7))));
    let path = format!("record{}", ".a".repeat(200));
    let fault = &World::default().compile(&path, &text()).unwrap_err()[0];
    assert_eq!(fault.at, 0..406);
}
