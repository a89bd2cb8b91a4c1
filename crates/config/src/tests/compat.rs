//! What may follow on a version, by kind of change and mode; and what the modes promise: what is accepted as backward is
//! read, whatever was written.

use canonical::schema::Compatibility;
use canonical::value::{is_empty, normal};
use canonical::{Field, FieldType, Fields};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};

use super::folder::{PERSON, base, shown};
use crate::versions::EntityMeaning;
use crate::versions::compat::{Numbered, breaches};
use crate::{Files, against, load};

/// The change of a schema, and who is kept from reading by it: `b` the newer version, `f` the older one, `!` nobody may ask.
const TABLE: [(&str, &str, &str); 27] = [
    // The same.
    ("{}", "{}", ""),
    // Fields come and go.
    ("{}", "{fields: {b: {type: text, pii: none}}}", ""),
    ("{}", "{fields: {b: {type: text, pii: none}}, required: [b]}", "b"),
    ("{fields: {b: {type: text, pii: none}}}", "{retired: [b]}", ""),
    ("{fields: {b: {type: text, pii: none}}}", "{}", "!"),
    ("{fields: {b: {type: text, pii: none}}, required: [b]}", "{retired: [b]}", "f"),
    ("{retired: [b]}", "{fields: {b: {type: text, pii: none}}, retired: [b]}", ""),
    ("{retired: [b]}", "{fields: {b: {type: text, pii: none}}}", "!"),
    ("{retired: [b]}", "{}", "!"),
    // What is required.
    ("{}", "{required: [a]}", "b"),
    ("{required: [a]}", "{}", "f"),
    // Types.
    ("{fields: {a: {type: integer, pii: none}}}", "{fields: {a: {type: decimal, pii: none}}}", "f"),
    ("{fields: {a: {type: decimal, pii: none}}}", "{fields: {a: {type: integer, pii: none}}}", "b"),
    ("{fields: {a: {type: integer, pii: none}}}", "{fields: {a: {type: boolean, pii: none}}}", "!"),
    ("{fields: {a: {type: set, pii: none}}}", "{fields: {a: {type: list, pii: none}}}", "f"),
    (
        "{fields: {a: {type: reference Account, pii: none}}}",
        "{fields: {a: {type: reference Contact, pii: none}}}",
        "!",
    ),
    ("{fields: {a: {type: date, pii: none}}}", "{fields: {a: {type: any, pii: none}}}", "f"),
    // Values.
    (
        "{fields: {a: {type: text, enum: [x, y], pii: none}}}",
        "{fields: {a: {type: text, enum: [x, y, z], pii: none}}}",
        "f",
    ),
    (
        "{fields: {a: {type: text, enum: [x, y], pii: none}}}",
        "{fields: {a: {type: text, enum: [x], pii: none}}}",
        "b",
    ),
    ("{}", "{fields: {a: {type: text, enum: [x], pii: none}}}", "b"),
    (
        "{fields: {a: {type: text, maxLength: 5, pii: none}}}",
        "{fields: {a: {type: text, maxLength: 9, pii: none}}}",
        "f",
    ),
    (
        "{fields: {a: {type: text, maxLength: 5, pii: none}}}",
        "{fields: {a: {type: text, maxLength: 4, pii: none}}}",
        "b",
    ),
    (
        "{fields: {a: {type: text, enum: [x], pii: none}}}",
        "{fields: {a: {type: text, maxLength: 4, pii: none}}}",
        "f",
    ),
    ("{}", "{fields: {a: {type: text, email: true, pii: none}}}", "b"),
    // How personal it is.
    ("{}", "{fields: {a: {type: text, pii: basic}}}", "f"),
    ("{fields: {a: {type: text, pii: sensitive}}}", "{fields: {a: {type: text, pii: basic}}}", "b"),
    // How a record is found.
    ("{}", "{match_keys: {a: {fields: [a]}}}", ""),
];

/// A meaning with the text field `a`, unless it is said to be something else.
fn meaning(text: &str) -> EntityMeaning {
    let document = crate::document::Document::parse("x.yaml", text).unwrap();
    let mut said = document.root().to_json();
    let a = said.pointer("/fields/a").cloned().unwrap_or(json!({"type": "text", "pii": "none"}));
    let said = said.as_object_mut().unwrap();
    said.entry("fields").or_insert(json!({}))["a"] = a;
    EntityMeaning::read(&json!(said)).unwrap_or_else(|| panic!("{text}"))
}

fn of<'a>(number: u32, meaning: &'a EntityMeaning) -> Numbered<'a> {
    Numbered { number, meaning }
}

#[test]
fn each_kind_of_change_is_judged_by_each_mode() {
    for (was, is, breaks) in TABLE {
        let (one, two) = (meaning(was), meaning(is));
        let refused = |mode| !breaches(of(1, &one), &one, of(2, &two), mode).is_empty();
        let found =
            [Compatibility::None, Compatibility::Backward, Compatibility::Forward, Compatibility::Full]
                .map(refused);
        let always = breaks == "!";
        let (backward, forward) = (breaks == "b" || always, breaks == "f" || always);
        assert_eq!(found, [always, backward, forward, backward || forward], "{was} → {is}");
    }
}

#[test]
fn a_change_that_is_not_read_says_where_why_and_what_to_do() {
    let person = PERSON.replacen(
        "consent: {type: boolean}\n",
        "consent: {type: boolean}\n    age: {type: integer}\n",
        1,
    );
    let mut files = base();
    files.put("model/person.yaml", person.clone());
    let applied = load(&files).unwrap().configuration.versions();
    let next = |part: &str, by: &str| {
        assert!(person.contains(part), "{part}");
        let mut next = files.clone();
        next.put("model/person.yaml", person.replacen(part, by, 1).replacen("version: 1", "version: 2", 1));
        next
    };
    let said = |files: &Files| {
        let checked = load(files).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
        shown(&against(&checked.configuration, files, &applied))
    };
    for (part, by, always, what, hint) in [
        (
            "maxLength: 80",
            "maxLength: 40",
            false,
            "model/person.yaml:7:37: error: `name` holds up to 80 characters, and 40 are read: what version 1 wrote is not read \
             by version 2 (backward)",
            "keep what there was",
        ),
        (
            "required: [name]",
            "required: [name, email]",
            false,
            "model/person.yaml:5:3: error: `email` is required, and was not: what version 1 wrote",
            "`upcast: [{from: 1, rows: [{field: email, default: …}]}]`",
        ),
        (
            "    age: {type: integer}\n",
            "",
            true,
            "model/person.yaml:6:3: error: the field `age` of version 1 is gone, and its name is not retired",
            "add it to `retired`",
        ),
        (
            "age: {type: integer}",
            "age: {type: boolean}",
            true,
            "the field `age` was a whole number and would be true or false",
            "add another field, fill it in an `upcast` from version 1, and retire `age`",
        ),
        (
            "email: {owner: crm}",
            "email: {owner: crm, pii: none}",
            false,
            "`email` was kept as `basic` and would be shown as `none`",
            "keep the stricter class",
        ),
    ] {
        let mut files = next(part, by);
        let text = said(&files);
        assert!(text.contains(what) && text.contains(hint), "{text}");
        files.put(
            "model/person.yaml",
            format!("compatibility: none\n{}", files.get("model/person.yaml").unwrap()),
        );
        assert_eq!(!said(&files).is_empty(), always, "without a mode: {}", said(&files));
    }
    assert_eq!(said(&next("creators: [crm]\n", "creators: [crm]\nretired: [nick]\n")), "");
    let problems = load(&next("creators: [crm]\n", "creators: [crm]\nretired: [age]\n")).unwrap_err();
    assert!(
        shown(&problems).contains("the name `age` is retired, and this field has it"),
        "{}",
        shown(&problems)
    );
}

fn kinds() -> Vec<FieldType> {
    let words =
        ["text", "integer", "decimal", "boolean", "date", "time", "reference Account", "set", "list", "any"];
    words.iter().map(|word| FieldType::from_word(word).unwrap()).collect()
}

/// A value in normal form of a type.
fn value(kind: &FieldType, seed: usize) -> Value {
    let day = 1 + seed % 28;
    let text = ["x", "y", "", "zz", "a longer text", "ada@example.com"][seed % 6];
    let made = match kind {
        FieldType::Text => json!(text),
        FieldType::Integer => json!(seed),
        FieldType::Decimal => json!(format!("{seed}.{}", 1 + seed % 9)),
        FieldType::Boolean => json!(seed.is_multiple_of(2)),
        FieldType::Date => json!(format!("2026-02-{day:02}")),
        FieldType::Time => json!(format!("2026-02-{day:02}T10:00:00Z")),
        FieldType::Reference(_) => json!("rec_1"),
        FieldType::List { .. } => json!([text, "x", "y", "x"]),
        FieldType::Any => json!({ "any": [seed, text] }),
    };
    normal(kind, made).unwrap()
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A field as a version has it, and whether it is required.
fn field() -> impl Strategy<Value = (Value, bool)> {
    let bound = prop::option::of(prop::sample::select(vec![1_usize, 4, 13, 80]));
    let choices = prop::option::weighted(0.3, 1..4_usize);
    let pii = prop::sample::select(vec!["none", "basic", "sensitive"]);
    (prop::sample::select(kinds()), any::<bool>(), choices, bound, pii, any::<bool>()).prop_map(
        |(kind, email, choices, most, pii, required)| {
            let mut out = json!({ "type": kind.word(), "pii": pii });
            if let Some(count) = choices {
                out["enum"] = json!((0..count).map(|seed| value(&kind, seed)).collect::<Vec<_>>());
            }
            if kind == FieldType::Text {
                out["maxLength"] = most.map_or(Value::Null, |most| json!(most));
                out["email"] = json!(email);
            }
            (out, required)
        },
    )
}

/// Two versions of which the second has some fields of the first and some of its own.
fn versions() -> impl Strategy<Value = (EntityMeaning, EntityMeaning)> {
    let one = prop::collection::vec(prop::option::weighted(0.8, field()), NAMES.len());
    let pick = prop::collection::vec((prop::option::weighted(0.8, field()), 0..10_u8), NAMES.len());
    (one, pick).prop_map(|(one, pick)| {
        let two: Vec<_> =
            one.iter().zip(&pick).map(|(old, (new, which))| if *which < 7 { old } else { new }).collect();
        (made(&one.iter().collect::<Vec<_>>()), made(&two))
    })
}

fn made(fields: &[&Option<(Value, bool)>]) -> EntityMeaning {
    let named = || NAMES.iter().zip(fields).filter_map(|(name, field)| Some((*name, field.as_ref()?)));
    let all: serde_json::Map<String, Value> =
        named().map(|(name, (field, _))| (name.to_owned(), field.clone())).collect();
    let required: Vec<&str> = named().filter(|(_, (_, required))| *required).map(|(name, _)| name).collect();
    let retired: Vec<&str> = NAMES.iter().copied().filter(|name| !all.contains_key(*name)).collect();
    EntityMeaning::read(&json!({ "fields": all, "required": required, "retired": retired })).unwrap()
}

/// Whether a value is one that a field may hold. A second opinion: nothing of the judgement is used.
fn holds(meaning: &EntityMeaning, name: &Field, value: &Value) -> bool {
    let spec = &meaning.fields[name];
    let plain = normal(&spec.kind.0, value.clone()).is_ok_and(|normal| normal == *value);
    let text = value.as_str();
    value.is_null()
        || plain
            && spec.choices.as_ref().is_none_or(|choices| choices.contains(value))
            && spec.chars_max.is_none_or(|most| text.is_some_and(|text| text.chars().count() <= most))
            && (!spec.email || text.is_some_and(|text| text.contains('@')))
}

/// Whether a record is one of that version: what it names fits, whatever else there is.
fn valid(meaning: &EntityMeaning, record: &Fields) -> bool {
    let fits = |name: &Field| record.get(name.as_str()).is_none_or(|value| holds(meaning, name, value));
    meaning.fields.keys().all(fits)
        && meaning.required.iter().all(|name| record.get(name.as_str()).is_some_and(|value| !is_empty(value)))
}

/// Records of a version: everything it may hold comes up, absent and empty fields too.
fn records(meaning: &EntityMeaning, count: usize) -> Vec<Fields> {
    let may: Vec<(&Field, Vec<Value>)> = meaning
        .fields
        .iter()
        .map(|(name, spec)| {
            let all = (0..12).map(|seed| value(&spec.kind.0, seed));
            (name, all.filter(|value| holds(meaning, name, value)).collect())
        })
        .collect();
    let record = |seed: usize| -> Fields {
        let mut record = Fields::new();
        for (at, (name, may)) in may.iter().enumerate() {
            match (seed >> (2 * at)) % 4 {
                0 => {}
                1 => drop(record.insert(name.to_string(), Value::Null)),
                _ if may.is_empty() => {}
                _ => drop(record.insert(name.to_string(), may[(seed * 7 + at) % may.len()].clone())),
            }
        }
        record
    };
    (0..count).map(record).filter(|record| valid(meaning, record)).collect()
}

/// Reads a record as a version does: values come into the form of its types, and what it does not name is not looked at.
fn read(meaning: &EntityMeaning, record: &Fields) -> Fields {
    let mut read = record.clone();
    for (name, spec) in &meaning.fields {
        if let Some(value) = read.get_mut(name.as_str())
            && let Ok(plain) = normal(&spec.kind.0, value.clone())
        {
            *value = plain;
        }
    }
    read
}

/// The meaning of the modes: what is accepted is read, whatever was written; and what is refused is not always read.
#[test]
fn what_is_accepted_is_read_whatever_was_written() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut accepted, mut refused, mut unread, mut written) = (0, 0, 0, 0);
    for _ in 0..2_000 {
        let (one, two) = versions().new_tree(&mut runner).unwrap().current();
        for (mode, writer, reader) in
            [(Compatibility::Backward, &one, &two), (Compatibility::Forward, &two, &one)]
        {
            let said = breaches(of(1, &one), &one, of(2, &two), mode);
            let all = records(writer, 64);
            let lost: Vec<&Fields> =
                all.iter().filter(|record| !valid(reader, &read(reader, record))).collect();
            if said.is_empty() {
                accepted += usize::from(one != two);
                written += all.len();
                assert_eq!(lost, Vec::<&Fields>::new(), "{mode:?}\n{one:?}\n{two:?}");
            } else {
                refused += 1;
                unread += usize::from(!lost.is_empty());
            }
        }
    }
    assert!(accepted > 200 && written > 10_000, "{accepted} changes accepted, {written} records read");
    assert!(unread * 2 > refused, "of {refused} that were refused, {unread} would have lost something");
}

/// A schema of that meaning, to be read under.
fn schema(
    template: &canonical::EntitySchema,
    number: u32,
    meaning: &EntityMeaning,
) -> canonical::EntitySchema {
    let fields = meaning.fields.iter().map(|(name, field)| {
        let spec = canonical::FieldSpec {
            choices: field.choices.clone(),
            chars_max: field.chars_max,
            email: field.email,
            pii: field.pii,
            ..canonical::FieldSpec::of(field.kind.0.clone())
        };
        (name.clone(), spec)
    });
    canonical::EntitySchema {
        version: number,
        fields: fields.collect(),
        required: meaning.required.iter().cloned().collect(),
        retired: meaning.retired.clone(),
        match_keys: Vec::new(),
        ..template.clone()
    }
}

/// A step that calls fields otherwise, and fills what is required.
fn step(one: &EntityMeaning, two: &EntityMeaning, pick: u8) -> mapping::upcast::StepSource {
    let mut gone: Vec<&Field> = one.fields.keys().filter(|name| !two.fields.contains_key(*name)).collect();
    let mut rows = Vec::new();
    for (at, (name, spec)) in two.fields.iter().enumerate() {
        let mut may = (0..12).map(|seed| value(&spec.kind.0, seed));
        let default = may.rfind(|value| holds(two, name, value) && !is_empty(value));
        let fits = gone.iter().rposition(|was| spec.kind.0.reads(&one.fields[*was].kind.0));
        let was = fits.filter(|_| !one.fields.contains_key(name)).map(|at| gone.remove(at));
        let default = default.filter(|_| two.required.contains(name) && (pick >> at) & 6 != 0);
        if was.is_some() || default.is_some() {
            rows.push(json!({ "field": name, "was": was, "default": default }));
        }
    }
    serde_json::from_value(json!({ "from": 1, "rows": rows })).unwrap()
}

/// The same fields, some of them under other names, and some of them required that were not.
fn altered(one: &EntityMeaning, pick: u8) -> EntityMeaning {
    let mut two = EntityMeaning { required: [].into(), ..one.clone() };
    for (at, (name, spec)) in one.fields.iter().enumerate() {
        let mut name = name.clone();
        if (pick >> at) & 1 == 1 {
            two.fields.remove(&name);
            two.retired.insert(name.clone());
            name = Field::new(["d", "e", "f"][at]).unwrap();
            two.fields.insert(name.clone(), spec.clone());
        }
        if (pick >> at) & 8 == 8 {
            two.required.insert(name);
        }
    }
    two
}

/// The same through the steps of the newer file: what is accepted with them is read by them.
#[test]
fn what_is_accepted_with_a_step_is_read_by_it() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let template = load(&base()).unwrap().configuration.entities.values().next().unwrap().clone();
    let (mut accepted, mut healed, mut written) = (0, 0, 0);
    for _ in 0..600 {
        let ((one, other), pick) = (versions(), any::<u8>()).new_tree(&mut runner).unwrap().current();
        let two = if pick >= 64 { altered(&one, pick) } else { other };
        let (older, newer) = (schema(&template, 1, &one), schema(&template, 2, &two));
        let step = step(&one, &two, pick);
        if step.rows.is_empty() {
            continue;
        }
        let steps = vec![step];
        let upcaster = mapping::Upcaster::compile(&steps, &newer, &[&older])
            .unwrap_or_else(|errors| panic!("{errors:?}: {steps:?}"));
        let past = crate::versions::Past::new(steps, vec![std::sync::Arc::new(older)], upcaster);
        if !past.breaches(&newer).is_empty() {
            continue;
        }
        accepted += 1;
        healed += usize::from(!breaches(of(1, &one), &one, of(2, &two), Compatibility::Backward).is_empty());
        for record in records(&one, 64) {
            let mut read = record.clone();
            past.upcaster.fields(1, &mut read);
            assert!(valid(&two, &read), "{record:?} is read as {read:?}\n{:?}\n{one:?}\n{two:?}", past.steps);
            written += 1;
        }
    }
    assert!(
        accepted > 50 && healed > 10 && written > 1_000,
        "{accepted} accepted, {healed} healed, {written} read"
    );
}
