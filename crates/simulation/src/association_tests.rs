//! People who are tied to teams by calls of their own: whatever is lost, late or crashes, in the end each is tied to whom the
//! source says, and to nobody else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use canonical::{Fields, Object, OrderToken};
use config::Configuration;
use connector::{Observation, Seen};
use serde_json::{Value, json};

use crate::scenario::{files, loaded};
use crate::testing::{assert_holds, calm, name, run_one};
use crate::{Class, Faults, Options, Simulation, Vendor};

/// What is said of each person's team, one after the other.
const SAID: [&[&str]; 5] =
    [&["a", "b"], &["a", ""], &["a", "b", "a"], &["a", "b", "", "b"], &["", "a", "b", ""]];
const CLASSES: [Class; 4] = [Class::Upsert, Class::NativeKey, Class::SearchFirst, Class::Marker];

const TIES: &str = "      tie:
        for: [associate]
        idempotency: {class: upsert}
        processing_max: 1s
        request: {method: PUT, path: \"/people/{id}/ties/{other}\", timeout: 1s}
      untie:
        for: [dissociate]
        idempotency: {class: upsert}
        processing_max: 1s
        request: {method: DELETE, path: \"/people/{id}/ties/{other}\", timeout: 1s}
";

/// The manifest's one kind of object, as two, of which one can be tied to the other.
fn tied(manifest: &str, moving: &str) -> String {
    let (head, rest) = manifest.split_once("  items:\n").unwrap();
    let (kind, errors) = rest.split_once("errors:").unwrap();
    let of = |name: &str| format!("  {name}:\n{}", kind.replace("/items", &format!("/{name}")));
    let associations = format!("    associations: {{team: {{to: teams, moving: {moving}}}}}\n    writes:\n");
    let people = of("people").replace("    writes:\n", &associations);
    format!("{head}{}{people}{TIES}errors:{errors}", of("teams"))
}

fn configuration(class: Class, moving: &str) -> Arc<Configuration> {
    let target = class.name();
    let mut files = files(&[class], &|class: Class| tied(&class.manifest(false), moving));
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
    for (entity, file, object) in [("Team", "team", "teams"), ("Person", "person", "people")] {
        let person = entity == "Person";
        let (kind, owner) = if person {
            (
                "    team: {type: string, format: record, x-entity: Team}\n",
                "  team: {owner: src, pii: none}\n",
            )
        } else {
            ("", "")
        };
        files.put(
            &format!("model/{file}.yaml"),
            format!(
                "entity: {entity}\nversion: 1\nschema:\n  type: object\n  properties:\n    key: {{type: string}}\n    \
                 value: {{type: integer}}\n{kind}fields:\n  key: {{owner: src, pii: none}}\n  \
                 value: {{owner: src, pii: none}}\n{owner}creators: [src]\n"
            ),
        );
        for (system, direction) in [("src", "in"), (target, "out")] {
            let key = if system == "src" { "id" } else { "key" };
            let team = format!(
                "  - {{field: team, path: team, direction: {direction}, on_null: \"null\", ref: {{entity: Team, object: teams}}}}\n"
            );
            files.put(
                &format!("mappings/{file}.{system}.yaml"),
                format!(
                    "mapping: {file}.{system}\nversion: 1\nentity: {entity}\nsystem: {system}\nobject: {object}\nfields:\n  \
                     - {{field: key, path: {key}, direction: {direction}}}\n  \
                     - {{field: value, path: value, direction: {direction}}}\n{}",
                    if person { team } else { String::new() }
                ),
            );
        }
        routes.push_str(&format!(
            "  - {{route: {file}.to.{target}, kind: sync, entity: {entity}, system: {target}, object: {object}, \
             mapping: {file}.{target}, on_delete: keep}}\n"
        ));
    }
    files.put("routes/all.yaml", routes);
    loaded(&files)
}

fn saying(object: &str, id: &str, value: i64, team: Option<&str>) -> Observation {
    let mut fields: Fields = [("id", json!(id)), ("value", json!(value))]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
    if let Some(team) = team {
        let team = if team.is_empty() { Value::Null } else { json!(team) };
        fields.insert("team".to_owned(), team);
    }
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

/// The changes of a person follow each other so closely that some come while others are under way.
fn said() -> Vec<(Duration, Observation)> {
    let mut out = vec![
        (Duration::from_millis(1), saying("teams", "a", 1, None)),
        (Duration::from_millis(2), saying("teams", "b", 2, None)),
    ];
    for (person, teams) in SAID.iter().enumerate() {
        for (place, team) in teams.iter().enumerate() {
            let value = i64::try_from(10 + person * 10 + place).unwrap();
            let at = Duration::from_millis((5 + 20 * person + (150 + 90 * person) * place) as u64);
            out.push((at, saying("people", &format!("p{person}"), value, Some(team))));
        }
    }
    out.sort_by_key(|(at, _)| *at);
    out
}

fn run(class: Class, moving: &str, options: Options) -> (Simulation, u64) {
    run_one(Vendor::new(class), class, configuration(class, moving), said(), options)
}

fn assert_ties(run: &Simulation, class: Class, what: &str) {
    let target = &run.targets[&name(class)];
    let of = |key: &str| {
        let mut those = target.objects.iter().filter(|(_, item)| item.name_is(key) && !item.gone);
        let found = those.next().unwrap_or_else(|| panic!("{what}: {key} is not there"));
        assert!(those.next().is_none(), "{what}: {key} is there twice (I3)");
        found
    };
    for (person, teams) in SAID.iter().enumerate() {
        let last = teams.last().filter(|team| !team.is_empty());
        let wanted: BTreeSet<String> = last.map(|team| of(team).0.to_string()).into_iter().collect();
        let (_, item) = of(&format!("p{person}"));
        assert_eq!(Vendor::ties(item), wanted, "{what}: p{person}");
    }
}

#[test]
fn each_is_tied_to_whom_the_source_says() {
    for class in CLASSES {
        for moving in ["associate_first", "dissociate_first"] {
            let (run, _) = run(class, moving, calm(1));
            assert_ties(&run, class, &format!("{} {moving}", class.name()));
            assert_holds(&run, class.name(), false);
        }
    }
}

/// I1, I3, I4: the same with a crash before many effects of the run, and answers that are lost, late, or say nothing.
#[test]
fn a_crash_at_every_step_leaves_nobody_tied_to_another() {
    let rough = Faults { lose: 200, late: 100, fail_after: 100, vanish: 50, refuse: 50, ..Faults::default() };
    for (class, moving) in
        CLASSES.into_iter().zip(["associate_first", "dissociate_first"].into_iter().cycle())
    {
        for (faults, each) in [(Faults::default(), 3), (rough, 7)] {
            let options =
                |crash_at| Options { faults, crash_at, heal_after: Duration::from_secs(4), ..calm(11) };
            let (_, effects) = run(class, moving, options(Vec::new()));
            for step in (1..=effects.min(200)).step_by(each) {
                let (run, _) = run(class, moving, options(vec![step]));
                let what = format!("{} {moving} {faults:?} crash at {step}", class.name());
                assert_holds(&run, &what, false);
                assert_ties(&run, class, &what);
            }
        }
    }
}

/// The same over many seeds, without a crash.
#[test]
fn whatever_is_lost_or_late_nobody_is_left_behind() {
    for seed in 0..60 {
        for moving in ["associate_first", "dissociate_first"] {
            let faults = Faults {
                lose: 250,
                late: 150,
                fail_before: 50,
                fail_after: 100,
                vanish: 50,
                ..Faults::default()
            };
            let options = Options { faults, heal_after: Duration::from_secs(6), ..calm(seed) };
            let (run, _) = run(Class::Upsert, moving, options);
            let what = format!("seed {seed} {moving}");
            assert_holds(&run, &what, false);
            assert_ties(&run, Class::Upsert, &what);
        }
    }
}
