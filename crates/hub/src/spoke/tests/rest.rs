//! What rests without a call.

use canonical::{Fields, Open, OpenKind, Record};
use ledger::{Shadow, State};
use store::conformance::make;
use store::{Op, SpokeRow};

use super::*;
use crate::spoke::plan::{Plan, Rest};

const MODEL: &str = "entity: Contact\nversion: 1\nschema: {type: object, properties: {name: {type: string}}}\n\
                     fields: {name: {owner: erp, on_conflict: propose, pii: none}}\ncreators: [crm]\n";
const MAPPING: &str = "mapping: contact.erp\nversion: 1\nentity: Contact\nsystem: erp\nobject: customer\nfields:\n  \
                       - {field: name, path: name}\n";
const TARGET: &str = "connector: target\nversion: \"1\"\nabout: A target.\nwebhook:\n  scheme: {preset: hmac}\n  id: [id]\n  \
                      kind: kind\n  object_id: object.id\n  fields: object\n  \
                      rules: [{match: \"*\", object: customer, seen: state}]\nobjects:\n  customer:\n    shape: {id: id}\n    \
                      FETCH\n    writes:\n      put:\n        for: [create, update]\n        \
                      idempotency: {class: upsert}\n        \
                      request: {method: PUT, path: \"/customer/{key}\", json: \"{fields}\", timeout: 1s}\n        \
                      answer: {id: {path: id}}\n      post:\n        for: [notify]\n        idempotency: {class: none}\n        \
                      request: {method: POST, path: /notes, json: \"{fields}\", timeout: 1s}\n";

/// What becomes of contact 1, whose name the CRM proposes to the ERP, which has it already.
fn rests(fetch: &str, open: Option<OpenKind>) -> (Spoke, ledger::Obligation, Rest) {
    let target = TARGET.replace("    FETCH\n", fetch);
    let erp = "system: erp\nconnector: connectors/target.yaml\nconnection: {base_url: \"https://erp.example.com\"}\n\
               webhook: {secrets: [{env: ERP}]}\n";
    let config = crate::sample::configuration_with(&[
        ("model/contact.yaml", MODEL),
        ("mappings/contact.erp.yaml", MAPPING),
        ("connectors/target.yaml", &target),
        ("systems/erp.yaml", erp),
        (
            "routes/all.yaml",
            "routes:\n  - {route: r, kind: sync, entity: Contact, system: erp, object: customer, mapping: contact.erp}\n",
        ),
    ]);
    let mut spoke = Spoke::new(config, System::new("erp").unwrap()).unwrap();
    let _asks = turn(&mut spoke, Input::Start);
    let named = |name: &str| -> Fields { [("name".to_owned(), name.into())].into_iter().collect() };
    let proposed = open.map(|kind| {
        let (system, value, since) = (make::system("crm"), "Ada L.".into(), Wall(1));
        (canonical::Field::new("name").unwrap(), Open { kind, system, value, since })
    });
    let fields = if proposed.is_some() { named("Ada") } else { named("Ada L.") };
    let record = Record { fields, open: proposed.into_iter().collect(), ..make::record(1, 1) };
    let shadow = Shadow {
        fields: named("Ada L."),
        unknown: Default::default(),
        external_id: Some("77".to_owned()),
        ..make::shadow(1, "erp", "customer")
    };
    let row = SpokeRow {
        obligation: None,
        record: Some(Arc::new(record)),
        fact: None,
        shadow: Some(shadow),
        link: Some("77".to_owned()),
        links: BTreeMap::new(),
        bringers: BTreeMap::new(),
        next: None,
        intent: None,
    };
    let delivery = store::rules::first(&make::raise("r", 1, 1));
    match spoke.judge(&delivery, row, Wall(5)) {
        Plan::Rest(rest) => (spoke, delivery, rest),
        _ => panic!("it does not rest"),
    }
}

/// A proposal whose value the owner's system has already is answered by the owner: nothing is written that would bring its word,
/// so that the object is read.
#[test]
fn what_is_proposed_and_there_already_is_read() {
    const FETCH: &str = "    fetch: {request: {method: GET, path: \"/customer/{id}\"}}\n";
    for (what, fetch, open, looks) in [
        ("proposed", FETCH, Some(OpenKind::Proposed), true),
        ("it cannot be read", "", Some(OpenKind::Proposed), false),
        ("nothing is proposed", FETCH, None, false),
    ] {
        let (mut spoke, delivery, rest) = rests(fetch, open);
        let class = rest.reason.as_ref().map(|reason| reason.class.as_str());
        assert_eq!((rest.state, class), (State::Skipped, Some("no_change")), "{what}");
        let mut effects = Vec::new();
        let mut then = Turn::new(Now::default(), 1, &mut effects);
        let head = store::rules::head(&delivery);
        spoke.fetch_wanted = false;
        spoke.come_to_rest(head, &delivery, rest, None, &mut then);
        let (units, after): (Vec<_>, Vec<_>) = std::mem::take(&mut spoke.outbox).into_iter().unzip();
        let ops = units.iter().flat_map(|unit| &unit.ops);
        let wanted: Vec<&str> = ops
            .filter_map(|op| match op {
                Op::WantFetch(fetch) => Some(fetch.external.id.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(wanted.first() == Some(&"77"), looks, "{what}: {wanted:?}");
        spoke.committed(after, Ok(vec![store::Receipt::Done(Vec::new())]), &mut then);
        assert_eq!(spoke.fetch_wanted, looks, "{what}");
    }
}

/// I3: a record whose object there is gone, with a duplicate beside it that is not judged yet, gets no third one meanwhile: what
/// waits is woken, and intake told.
#[test]
fn i3_nothing_is_made_while_a_duplicate_may_be_the_records_own() {
    let (mut spoke, delivery, _) = rests("", None);
    let named: Fields = [("name".to_owned(), "Ada L.".into())].into_iter().collect();
    let row = |next: Option<&str>| SpokeRow {
        record: Some(Arc::new(Record { fields: named.clone(), ..make::record(1, 1) })),
        shadow: Some(Shadow { external_id: Some("77".to_owned()), ..make::shadow(1, "erp", "customer") }),
        next: next.map(str::to_owned),
        ..SpokeRow::default()
    };
    assert!(matches!(spoke.judge(&delivery, row(None), Wall(5)), Plan::Write(_)));
    let linked = SpokeRow { link: Some("78".to_owned()), ..row(Some("78")) };
    assert!(!matches!(spoke.judge(&delivery, linked, Wall(5)), Plan::Next(_)));
    let ended = canonical::Alive::Deleted { by: make::system("crm"), at: Wall(1) };
    let ended = Record { fields: named.clone(), alive: ended, ..make::record(1, 1) };
    let ended = SpokeRow { record: Some(Arc::new(ended)), ..row(Some("78")) };
    assert!(matches!(spoke.judge(&delivery, ended, Wall(5)), Plan::Rest(_)), "nothing would be made");
    let Plan::Next(beside) = spoke.judge(&delivery, row(Some("78")), Wall(5)) else {
        panic!("it does not wait")
    };
    let mut effects = Vec::new();
    let mut then = Turn::new(Now::default(), 1, &mut effects);
    let rest = spoke.judged_first(&delivery, beside);
    spoke.come_to_rest(store::rules::head(&delivery), &delivery, rest, Some(Wall(1_000_005)), &mut then);
    let (units, after): (Vec<_>, Vec<_>) = std::mem::take(&mut spoke.outbox).into_iter().unzip();
    let [Op::Settle { state, attempts, reason: Some(why), .. }, Op::WakeMessages { external, .. }] =
        &units[0].ops[..]
    else {
        panic!("{:?}", units[0].ops)
    };
    assert_eq!((external.id.as_str(), *state, *attempts), ("77", State::Pending, delivery.attempts));
    assert!(why.message.contains("78 was a duplicate beside it"), "{}", why.message);
    spoke.committed(after, Ok(vec![store::Receipt::Done(Vec::new())]), &mut then);
    let told =
        |effect: &Effect| matches!(effect, Effect::Tell(crate::turn::MachineId::Intake, Notice::Linked));
    assert!(effects.iter().any(told), "{effects:?}");
}
