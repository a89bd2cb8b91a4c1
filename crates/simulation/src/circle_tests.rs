//! Records that refer to each other, in both systems: neither could be first, so one reference is late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::{Fields, Object, OrderToken};
use config::{Configuration, Files};
use connector::{Observation, Seen};
use serde_json::{Value, json};

use crate::scenario::{files, loaded};
use crate::testing::{assert_holds, calm, name, run_one};
use crate::{Class, Faults, Options, Simulation, Vendor, Verdict, judge};

const PAIRS: usize = 4;

/// Teams have a lead, who is a person of a team.
fn configuration(class: Class) -> Arc<Configuration> {
    loaded(&folder(class, ["standard", "standard"]))
}

/// With the lanes of teams and of people, of which bulk work waits for the evening.
fn folder(class: Class, lanes: [&str; 2]) -> Files {
    let target = class.name();
    let mut files = files(&[class], &|class: Class| two_kinds(&class.manifest(false)));
    for name in ["model/thing.yaml", "mappings/thing.src.yaml", &format!("mappings/thing.{target}.yaml")] {
        files.remove(name);
    }
    files.put(
        "connectors/source.yaml",
        "connector: source
version: \"1\"
about: A simulated source.
webhook:
  scheme: {preset: hmac}
  id: [id]
  kind: kind
  object_id: object.id
  fields: object
  rules:
    - {match: \"team\", object: teams, seen: state}
    - {match: \"*\", object: people, seen: state}
objects:
  teams:
    shape: {id: id, order: {path: order}}
  people:
    shape: {id: id, order: {path: order}}
",
    );
    let mut routes = "routes:\n".to_owned();
    let kinds = [
        ("Team", "team", "teams", "lead", "Person", "people"),
        ("Person", "person", "people", "team", "Team", "teams"),
    ];
    for ((entity, file, object, field, other, others), lane) in kinds.into_iter().zip(lanes) {
        let late = if entity == "Team" { ", late: true" } else { "" };
        files.put(
            &format!("model/{file}.yaml"),
            format!(
                "entity: {entity}
version: 1
schema:
  type: object
  properties:
    key: {{type: string}}
    value: {{type: integer}}
    {field}: {{type: string, format: record, x-entity: {other}}}
fields:
  key: {{owner: src, pii: none}}
  value: {{owner: src, pii: none}}
  {field}: {{owner: src, pii: none}}
creators: [src]
"
            ),
        );
        for (system, object, direction) in [("src", object, "in"), (target, object, "out")] {
            files.put(
                &format!("mappings/{file}.{system}.yaml"),
                format!(
                    "mapping: {file}.{system}
version: 1
entity: {entity}
system: {system}
object: {object}
fields:
  - {{field: key, path: {}, direction: {direction}}}
  - {{field: value, path: value, direction: {direction}}}
  - {{field: {field}, path: {field}, direction: {direction}, ref: {{entity: {other}, object: {others}{late}}}}}
",
                    if system == "src" { "id" } else { "key" }
                ),
            );
        }
        routes.push_str(&format!(
            "  - {{route: {file}.to.{target}, kind: sync, entity: {entity}, system: {target}, object: {object}, \
             mapping: {file}.{target}, lane: {lane}, on_delete: keep}}\n"
        ));
    }
    files.put("routes/all.yaml", routes);
    let system = format!("systems/{target}.yaml");
    let hours = "bulk_window: {zone: UTC, open: [{from: \"20:00\", to: \"22:00\"}]}\n";
    let with_hours = files.get(&system).unwrap_or_default().to_owned() + hours;
    files.put(&system, with_hours);
    files
}

/// The manifest's one kind of object, as two.
fn two_kinds(manifest: &str) -> String {
    let (head, rest) = manifest.split_once("  items:\n").unwrap();
    let (kind, errors) = rest.split_once("errors:").unwrap();
    let of = |name: &str| format!("  {name}:\n{}", kind.replace("/items", &format!("/{name}")));
    format!("{head}{}{}errors:{errors}", of("teams"), of("people"))
}

/// What the source says of its pairs: people first or teams first, and later another lead.
fn said() -> Vec<(Duration, Observation)> {
    let mut out = Vec::new();
    for pair in 0..PAIRS {
        let (team, first, second) = (format!("t{pair}"), format!("p{pair}"), format!("q{pair}"));
        let number = i64::try_from(pair).unwrap() * 10;
        let person = |id: &str, value: i64| saying("people", id, number + value, ("team", &team));
        let mut those = vec![
            person(&first, 1),
            saying("teams", &team, number + 2, ("lead", &first)),
            // There is no such person yet.
            saying("teams", &team, number + 3, ("lead", &second)),
            person(&second, 4),
        ];
        if pair % 2 == 1 {
            those.swap(0, 1);
        }
        let at = |place: usize| Duration::from_millis((5 + 30 * pair + 400 * place) as u64);
        out.extend(those.into_iter().enumerate().map(|(place, said)| (at(place), said)));
    }
    out.sort_by_key(|(at, _)| *at);
    out
}

fn saying(object: &str, id: &str, value: i64, (field, to): (&str, &str)) -> Observation {
    let fields: Fields = [("id", json!(id)), ("value", json!(value)), (field, json!(to))]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Observation {
        version: None,
        object: Object::new(object).unwrap(),
        external_id: id.to_owned(),
        seen: Seen::State { fields },
        order: Some(OrderToken(value)),
        event_id: Some(format!("{id}/{value}")),
        occurred_at: None,
        changed_at: None,
        trace: None,
    }
}

fn run(class: Class, options: Options) -> (Simulation, u64) {
    run_one(Vendor::new(class), class, configuration(class), said(), options)
}

/// Both references stand in the target as the source has them, by the target's own ids.
fn assert_circles(run: &Simulation, class: Class, what: &str) {
    let target = &run.targets[&name(class)];
    let of = |key: &str| {
        let mut those = target.objects.iter().filter(|(_, item)| item.name_is(key) && !item.gone);
        let (id, item) = those.next().unwrap_or_else(|| panic!("{what}: {key} is not there"));
        assert!(those.next().is_none() || class == Class::None, "{what}: {key} is there twice");
        (Value::String(id.to_string()), item)
    };
    for pair in 0..PAIRS {
        let (team_id, team) = of(&format!("t{pair}"));
        let (second, person) = of(&format!("q{pair}"));
        let (_, first) = of(&format!("p{pair}"));
        assert_eq!(team.fields.get("lead"), Some(&second), "{what}: t{pair}");
        assert_eq!(person.fields.get("team"), Some(&team_id), "{what}: q{pair}");
        assert_eq!(first.fields.get("team"), Some(&team_id), "{what}: p{pair}");
    }
}

#[test]
fn a_circle_is_written_in_two_steps() {
    for class in Class::ALL {
        let (run, _) = run(class, calm(1));
        assert_circles(&run, class, class.name());
        assert_holds(&run, class.name(), false);
        // Nobody waited for it: the team was there before the person that leads it.
        let made: BTreeMap<&str, u64> = run.targets[&name(class)]
            .effects
            .iter()
            .filter(|effect| effect.created)
            .filter_map(|effect| Some((effect.fields.get("key")?.as_str()?, effect.at)))
            .collect();
        for pair in 0..PAIRS {
            let at = |key: &str| made[format!("{key}{pair}").as_str()];
            assert!(at("t") < at("p") && at("t") < at("q"), "{}: {made:?}", class.name());
        }
    }
}

/// I1, I3, I4: the same with a crash before many effects of the run, and answers that are lost.
#[test]
fn a_crash_at_every_step_of_a_circle_loses_no_reference() {
    for class in Class::ALL {
        for lose in [0, 300] {
            let options = |crash_at| Options {
                faults: Faults { lose, ..Faults::default() },
                crash_at,
                heal_after: Duration::from_millis(2500),
                ..calm(7)
            };
            let what = format!("{} lose {lose}", class.name());
            let (_, effects) = run(class, options(Vec::new()));
            for step in (1..=effects.min(160)).step_by(if lose > 0 { 3 } else { 2 }) {
                let (run, _) = run(class, options(vec![step]));
                let what = format!("{what} crash at {step}");
                assert_eq!(run.crashes(), 1, "{what} is beyond the run");
                if class != Class::None {
                    assert_holds(&run, &what, false);
                    assert_circles(&run, class, &what);
                    continue;
                }
                // A team that a person has to look for keeps its people waiting.
                let verdict = judge(&run);
                let lost = if verdict.for_people > 0 { verdict.lost } else { 0 };
                assert!(Verdict { lost: verdict.lost - lost, ..verdict }.holds(), "{what}: {verdict:?}");
            }
        }
    }
}

fn of_key(run: &Simulation, class: Class, key: &str) -> usize {
    run.targets[&name(class)].objects.values().filter(|item| item.name_is(key)).count()
}

/// I10: what waits for a record that the target refuses hears of it at once, and goes on by itself when it is there.
#[test]
fn the_end_of_a_parent_is_its_children_s_and_its_return_too() {
    let class = Class::Upsert;
    let run = |retry: bool| {
        let mut vendor = Vendor::new(class);
        vendor.refused.insert("t0".to_owned());
        let targets = [(name(class), vendor)].into_iter().collect();
        let mut run = Simulation::new(calm(3), configuration(class), said(), targets);
        if retry {
            run.retry_at(Duration::from_secs(30), &name(class));
        }
        run.run();
        run
    };
    let dead = run(false);
    // The team, and both of its people: long before an hour has passed.
    let reasons: Vec<String> =
        dead.dead(&name(class)).into_iter().map(|(class, why)| format!("{class}: {why}")).collect();
    let of = |class: &str| reasons.iter().filter(|why| why.starts_with(class)).count();
    assert_eq!((of("validation"), of("missing_link")), (1, 2), "{reasons:?}");
    assert!(
        reasons
            .iter()
            .any(|why| why.contains("its own delivery by route team.to.upsert is dead (validation)")),
        "{reasons:?}"
    );
    assert_eq!((of_key(&dead, class, "p0"), of_key(&dead, class, "p1")), (0, 1));
    let whole = run(true);
    assert_circles(&whole, class, "the team was tried again, nobody else");
    assert!(whole.dead(&name(class)).is_empty(), "{:?}", whole.dead(&name(class)));
}

/// A deadline stands still while what is waited for is being tried: an outage of many hours kills nothing.
#[test]
fn a_long_outage_is_no_deadline() {
    let class = Class::Upsert;
    let hours = |number: u64| Duration::from_secs(3600 * number);
    let mut vendor = Vendor::new(class);
    vendor.insert("teams", "other".to_owned(), 0);
    let options = Options {
        faults: Faults { refuse: 1000, ..Faults::default() },
        heal_after: hours(5),
        end_after: hours(6),
        ..calm(4)
    };
    let (run, _) = run_one(vendor, class, configuration(class), said(), options);
    assert_eq!(run.marked("Dead"), 0, "{:?}", run.marks);
    assert_circles(&run, class, "five hours");
}

/// What somebody waits for in a higher lane comes in that lane: its own lane's hours do not hold it up.
#[test]
fn a_parent_comes_in_the_lane_of_its_children() {
    let class = Class::Upsert;
    let there = |lanes: [&str; 2], keys: [&str; 2]| {
        let config = loaded(&folder(class, lanes));
        let (run, _) = run_one(Vendor::new(class), class, config, said(), calm(5));
        keys.map(|key| of_key(&run, class, key))
    };
    assert_eq!(there(["bulk", "bulk"], ["t0", "p0"]), [0, 0], "it is midnight");
    assert_eq!(there(["bulk", "critical"], ["t0", "p0"]), [1, 1]);
}
