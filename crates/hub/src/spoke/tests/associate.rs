//! Associations: what goes first, what follows, and what each end leaves known.

use canonical::{Fields, Record};
use ledger::{Association, Obligation, Shadow, State, Step};
use serde_json::{Value, json};
use store::conformance::make;
use store::{Op, SpokeRow};

use super::*;
use crate::spoke::plan::{Plan, Wanted};

const MODEL: &str = "entity: Contact\nversion: 1\nschema: {type: object, properties: {name: {type: string}, \
                     firm: {type: string, format: record, x-entity: Contact}}}\n\
                     fields: {name: {owner: crm, pii: none}, firm: {owner: crm, pii: none}}\ncreators: [crm]\n";
const MAPPING: &str = "mapping: contact.erp\nversion: 1\nentity: Contact\nsystem: erp\nobject: customer\nfields:\n  \
                       - {field: name, path: name, direction: out}\n  \
                       - {field: firm, path: firm, direction: out, on_null: \"null\", ref: {entity: Contact, object: customer}}\n";
const READ: &str = "mapping: contact.crm\nversion: 1\nentity: Contact\nsystem: crm\nobject: contacts\nfields:\n  \
                    - {field: name, path: name, direction: in}\n  \
                    - {field: firm, path: firm, direction: in, ref: {entity: Contact, object: contacts}}\n";
const TARGET: &str = "connector: target\nversion: \"1\"\nabout: A target.\nobjects:\n  customer:\n    shape: {id: id}\n    \
                      associations: {firm: {to: customer}}\n    writes:\n      \
                      put: {for: [create, update], idempotency: {class: upsert}, request: {method: PUT, path: \"/c/{key}\", \
                      json: \"{fields}\", timeout: 1s}, answer: {id: {path: id}}}\n      \
                      join: {for: [associate], idempotency: {class: upsert}, request: {method: PUT, path: \"/c/{id}/f/{other}\", \
                      timeout: 1s}}\n      \
                      part: {for: [dissociate], idempotency: {class: upsert}, request: {method: DELETE, \
                      path: \"/c/{id}/f/{other}\", timeout: 1s}}\n";

fn spoke() -> Spoke {
    let config = crate::sample::configuration_with(&[
        ("model/contact.yaml", MODEL),
        ("mappings/contact.erp.yaml", MAPPING),
        ("mappings/contact.crm.yaml", READ),
        ("connectors/target.yaml", TARGET),
        (
            "routes/all.yaml",
            "routes:\n  - {route: r, kind: sync, entity: Contact, system: erp, object: customer, mapping: contact.erp}\n",
        ),
    ]);
    let mut spoke = Spoke::new(config, System::new("erp").unwrap()).unwrap();
    let _asks = turn(&mut spoke, Input::Start);
    spoke
}

fn fields(value: Value) -> Fields {
    value.as_object().unwrap().clone()
}

/// Contact 1, whose firm is record 2 or 3, linked there as 77; those as `f2` and `f3`.
fn row(firm: Option<u64>, shadow: Option<Shadow>) -> SpokeRow {
    let firm = firm.map_or(Value::Null, |number| json!(make::rec(number).to_string()));
    let links =
        [2, 3].map(|number| ((make::rec(number), Object::new("customer").unwrap()), format!("f{number}")));
    SpokeRow {
        record: Some(Arc::new(Record {
            fields: fields(json!({"name": "Ada", "firm": firm})),
            ..make::record(1, 1)
        })),
        link: shadow.as_ref().and_then(|shadow| shadow.external_id.clone()),
        shadow,
        links: links.into(),
        ..SpokeRow::default()
    }
}

fn blank(spoke: &Spoke) -> Shadow {
    let object = Object::new("customer").unwrap();
    Shadow { external_id: Some("77".to_owned()), ..spoke.blank(make::rec(1), &object) }
}

fn judged(spoke: &Spoke, delivery: &Obligation, row: SpokeRow) -> Option<Box<Wanted>> {
    match spoke.judge(delivery, row, Wall(5)) {
        Plan::Write(wanted) => Some(wanted),
        Plan::Rest(rest) => {
            assert_eq!((rest.state, rest.reached), (State::Skipped, true), "{:?}", rest.reason);
            None
        }
        _ => panic!("neither written nor at rest"),
    }
}

/// What goes next, and whether something follows.
fn next(spoke: &Spoke, row: SpokeRow) -> String {
    let delivery = store::rules::first(&make::raise("r", 1, 1));
    let Some(wanted) = judged(spoke, &delivery, row) else { return "nothing".to_owned() };
    let what = match wanted.association.as_deref() {
        Some(Association { step: Step::Associate, other, .. }) => format!("+{other}"),
        Some(Association { other, .. }) => format!("-{other}"),
        None => serde_json::to_string(&*wanted.difference).unwrap(),
    };
    assert!(wanted.association.is_some() || !wanted.whole.contains_key("firm"), "it is no field there");
    format!("{what}{}", if wanted.lacking { " …" } else { "" })
}

#[test]
fn the_object_goes_first_and_its_association_follows() {
    let spoke = spoke();
    assert_eq!(next(&spoke, row(Some(2), None)), r#"{"name":"Ada"} …"#);
    assert_eq!(next(&spoke, row(None, None)), r#"{"name":"Ada"}"#, "nothing to take back");
    let mut shadow = blank(&spoke);
    shadow.confirm(&fields(json!({"name": "Ada"})));
    assert_eq!(next(&spoke, row(None, Some(shadow.clone()))), "nothing");
    assert_eq!(next(&spoke, row(Some(2), Some(shadow.clone()))), "+f2");

    shadow.fields.insert("firm".to_owned(), json!("f2"));
    assert_eq!(next(&spoke, row(Some(2), Some(shadow.clone()))), "nothing");
    assert_eq!(next(&spoke, row(Some(3), Some(shadow.clone()))), "+f3 …");
    assert_eq!(next(&spoke, row(None, Some(shadow.clone()))), "-f2");
    shadow.fields.insert("name".to_owned(), json!("Bea"));
    assert_eq!(next(&spoke, row(Some(3), Some(shadow))), r#"{"name":"Ada"} …"#, "fields first");
}

/// Until everything is said the delivery goes on; a replay says each once more.
#[test]
fn a_replay_says_each_once() {
    let mut spoke = spoke();
    let mut shadow = blank(&spoke);
    shadow.confirm(&fields(json!({"name": "Ada", "firm": "f2"})));
    let mut delivery = store::rules::first(&make::raise("r", 1, 1));
    delivery.wanted.generation += 1;
    delivery.aside.resay = delivery.wanted.generation;
    let mut said = Vec::new();
    for _ in 0..5 {
        let Some(wanted) = judged(&spoke, &delivery, row(Some(2), Some(shadow.clone()))) else { break };
        said.push(wanted.association.as_ref().map_or("fields", |one| one.path.as_str()).to_owned());
        let lacking = wanted.lacking;
        let unit = ends(&mut spoke, &delivery, *wanted, ledger::Outcome::of(ledger::Class::Applied));
        shadow = kept(&unit, shadow);
        let reached = unit.ops.iter().find_map(|op| match op {
            Op::Settle { reached, state, .. } => Some((*reached, *state)),
            _ => None,
        });
        let expected = if lacking { (false, State::Pending) } else { (true, State::Delivered) };
        assert_eq!(reached, Some(expected));
        if !lacking {
            break;
        }
    }
    assert_eq!(said, ["fields", "firm"]);
}

/// I3: a doubt that is not resolved leaves the path unknown, and the other one remembered.
#[test]
fn i3_what_may_have_been_associated_is_taken_back() {
    let mut spoke = spoke();
    let mut shadow = blank(&spoke);
    shadow.confirm(&fields(json!({"name": "Ada"})));
    let delivery = store::rules::first(&make::raise("r", 1, 1));
    let wanted = judged(&spoke, &delivery, row(Some(2), Some(shadow.clone()))).unwrap();
    let mut flight = flight(&mut spoke, &delivery, *wanted);
    flight.intent.sends = 1;
    let mut effects = Vec::new();
    let ending = crate::spoke::settle::Ending::Converge;
    let outcome = ledger::Outcome::of(ledger::Class::Uncertain);
    spoke.end(flight, outcome, ending, None, &mut Turn::new(Now::default(), 1, &mut effects));
    let unit = spoke.outbox.pop().unwrap().0;
    shadow = kept(&unit, shadow);
    assert!(shadow.unknown.contains("firm") && shadow.associated["firm"].contains("f2"));
    assert_eq!(next(&spoke, row(Some(2), Some(shadow.clone()))), "+f2");
    assert_eq!(next(&spoke, row(Some(3), Some(shadow.clone()))), "+f3 …");
    assert_eq!(next(&spoke, row(None, Some(shadow))), "-f2");
}

/// An answer that finds nothing says nothing of where the object is: another one is never made for it.
#[test]
fn i3_who_is_not_found_is_not_made_anew() {
    let mut spoke = spoke();
    let mut shadow = blank(&spoke);
    shadow.confirm(&fields(json!({"name": "Ada"})));
    let delivery = store::rules::first(&make::raise("r", 1, 1));
    let wanted = judged(&spoke, &delivery, row(Some(2), Some(shadow.clone()))).unwrap();
    let unit = ends(&mut spoke, &delivery, *wanted, ledger::Outcome::of(ledger::Class::NotFound));
    assert!(!unit.ops.iter().any(|op| matches!(op, Op::DropLink(_))), "{unit:?}");
    let why = unit.ops.iter().find_map(|op| match op {
        Op::Settle { state: State::Dead, reason: Some(why), .. } => Some(why.message.as_str()),
        _ => None,
    });
    let said = "erp answers `not_found` where customer/77 is to associate customer/f2: look whether both are there, then retry";
    assert_eq!(why, Some(said));
}

fn flight(spoke: &mut Spoke, delivery: &Obligation, wanted: Wanted) -> crate::spoke::flight::Flight {
    let head = store::rules::head(delivery);
    spoke.dispatcher.as_mut().unwrap().offer(dispatch::Wanted {
        token: Token::Deliver(head.key.clone()),
        lane: head.lane,
        lock: None,
        due: canonical::Mono(0),
        seq: 0,
        operation: "customer".to_owned(),
        buckets: dispatch::BucketSet::default(),
        cost: 1,
        safe: true,
        poison: false,
        party: None,
        serial: None,
    });
    let (_, permit) = spoke.dispatcher.as_mut().unwrap().admit(canonical::Mono(0)).unwrap();
    let one = crate::spoke::batch::Gathered { head, permit, obligation: delivery.clone(), wanted };
    let mut effects = Vec::new();
    spoke.write(one, &mut Turn::new(Now::default(), 1, &mut effects));
    match spoke.outbox.pop() {
        Some((_, crate::spoke::settle::After::Launch(flight))) => *flight,
        other => panic!("{other:?}"),
    }
}

/// What the end of it commits.
fn ends(
    spoke: &mut Spoke,
    delivery: &Obligation,
    wanted: Wanted,
    mut outcome: ledger::Outcome,
) -> store::Unit {
    let flight = flight(spoke, delivery, wanted);
    if flight.intent.external_id.is_none() {
        outcome.external_id = Some("77".to_owned());
    }
    let mut effects = Vec::new();
    let mut turn = Turn::new(Now::default(), 1, &mut effects);
    let next = ledger::settle(spoke.settling(&flight, &mut turn), &outcome);
    spoke.act(flight, outcome, next, Duration::ZERO, &mut turn);
    spoke.outbox.pop().unwrap().0
}

fn kept(unit: &store::Unit, before: Shadow) -> Shadow {
    let shadow = unit.ops.iter().find_map(|op| match op {
        Op::PutShadow(shadow) => Some(shadow.clone()),
        _ => None,
    });
    shadow.map_or(before, |shadow| Shadow { revision: shadow.revision + 1, ..shadow })
}
