//! What Concord wrote is known when it comes back, however the vendor writes it: as it is, late, superseded, or in one
//! message with a real edit (I6).

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::{ExternalRef, Fields, Mono, Now, Object, OrderToken, Record, RecordId, System, Wall};
use config::{Configuration, Files};
use connector::{Observation, Seen};
use intake::{Decision, Link, View};
use ledger::Shadow;
use serde_json::{Value, json};
use store::{Op, Store as _};

use super::prepare;
use super::units;
use crate::turn::{Arrival, Effect, Origin, Turn};

const NOW: Wall = Wall(1_800_000_000_000_000);

/// A CRM that owns everything, and an ERP that writes texts in capitals, with blanks around, rounds and moves times.
fn configuration() -> Arc<Configuration> {
    where_name_is("{owner: crm, pii: none}")
}

/// The same, with another owner of the name.
fn where_name_is(owned_name: &str) -> Arc<Configuration> {
    configured(owned_name, false)
}

/// The same, where a deal waits for its account, or does not.
pub(super) fn configured(owned_name: &str, late: bool) -> Arc<Configuration> {
    let row = "object: accounts}";
    configured_by(
        owned_name,
        |_, text| {
            if late { text.replace(row, "object: accounts, late: true}") } else { text }
        },
    )
}

/// The same, with files that are changed.
pub(super) fn configured_by(owned_name: &str, change: impl Fn(&str, String) -> String) -> Arc<Configuration> {
    let mut files = Files::new();
    let field = |name: &str, kind: &str| format!("    {name}: {kind}\n");
    let schema: String = [
        field("name", "{type: string}"),
        field("code", "{type: string}"),
        field("amount", "{type: string, format: decimal}"),
        field("since", "{type: string, format: date-time}"),
        field("account", "{type: string, format: record, x-entity: Account}"),
    ]
    .concat();
    let rest = ["code", "amount", "since", "account"];
    let rest = rest.map(|name| format!("  {name}: {{owner: crm, pii: none}}\n")).concat();
    let owned = format!("  name: {owned_name}\n{rest}");
    for (path, text) in [
        (
            "concord.yaml",
            "tenant: acme\npublic_url: https://hub.example.com/\nstore: {folder: ./data, root_key: {file: ./root.key}}\n\
             listeners: {ingress: \"127.0.0.1:4000\", operator: \"127.0.0.1:4001\"}\n"
                .to_owned(),
        ),
        (
            "model/deal.yaml",
            format!(
                "entity: Deal\nversion: 1\nschema:\n  type: object\n  properties:\n{schema}fields:\n{owned}creators: [crm]\n"
            ),
        ),
        (
            "model/account.yaml",
            "entity: Account\nversion: 1\nschema: {type: object, properties: {name: {type: string}}}\n\
             fields: {name: {owner: crm, pii: none}}\ncreators: [crm]\n"
                .to_owned(),
        ),
        ("connectors/source.yaml", connector("source", "deals", "accounts")),
        ("connectors/target.yaml", connector("target", "orders", "customers")),
        (
            "systems/crm.yaml",
            "system: crm\nconnector: connectors/source.yaml\nconnection: {base_url: \"https://crm.example.com\"}\n\
             webhook: {secrets: [{env: CRM}]}\n"
                .to_owned(),
        ),
        (
            "systems/erp.yaml",
            "system: erp\nconnector: connectors/target.yaml\nconnection: {base_url: \"https://erp.example.com\"}\n\
             webhook: {secrets: [{env: ERP}]}\n"
                .to_owned(),
        ),
        ("mappings/deal.crm.yaml", mapping("crm", "deals", "accounts", "in")),
        ("mappings/deal.erp.yaml", mapping("erp", "orders", "customers", "both")),
        ("mappings/account.crm.yaml", account("crm", "accounts", "in")),
        ("mappings/account.erp.yaml", account("erp", "customers", "both")),
        (
            "routes/all.yaml",
            "routes:\n  - {route: deals, kind: sync, entity: Deal, system: erp, object: orders, mapping: deal.erp}\n  \
             - {route: accounts, kind: sync, entity: Account, system: erp, object: customers, mapping: account.erp}\n"
                .to_owned(),
        ),
    ] {
        files.put(path, change(path, text));
    }
    let shown = |problems: Vec<config::Problem>| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    Arc::new(config::load(&files).unwrap_or_else(|problems| panic!("{}", shown(problems))).configuration)
}

fn connector(name: &str, one: &str, other: &str) -> String {
    let object = |name: &str| {
        format!(
            "  {name}:\n    shape: {{id: id, order: {{path: order, form: number}}}}\n    writes:\n      put:\n        \
             for: [create, update]\n        idempotency: {{class: upsert}}\n        processing_max: 1s\n        \
             request: {{method: PUT, path: \"/{name}/{{key}}\", json: \"{{fields}}\", timeout: 1s}}\n        \
             answer: {{id: {{path: id}}}}\n"
        )
    };
    format!(
        "connector: {name}\nversion: \"1\"\nabout: A system.\nwebhook:\n  scheme: {{preset: hmac}}\n  id: [id]\n  \
         kind: kind\n  object_id: object.id\n  fields: object\n  rules: [{{match: \"*\", object: {one}, seen: state}}]\n\
         objects:\n{}{}",
        object(one),
        object(other)
    )
}

fn mapping(system: &str, object: &str, accounts: &str, direction: &str) -> String {
    let rows = [
        "field: name, path: name, equal: folded",
        "field: code, path: code, equal: trimmed",
        "field: amount, path: amount, transform: [{decimal: {scale: 1, round: half_up}}], equal: rounded",
        "field: since, path: since, transform: [time]",
    ];
    let rows: String = rows.iter().map(|row| format!("  - {{{row}, direction: {direction}}}\n")).collect();
    format!(
        "mapping: deal.{system}\nversion: 1\nentity: Deal\nsystem: {system}\nobject: {object}\nfields:\n{rows}  \
         - {{field: account, path: account, ref: {{entity: Account, object: {accounts}}}, direction: {direction}}}\n"
    )
}

fn account(system: &str, object: &str, direction: &str) -> String {
    format!(
        "mapping: account.{system}\nversion: 1\nentity: Account\nsystem: {system}\nobject: {object}\nfields:\n  \
         - {{field: name, path: name, direction: {direction}}}\n"
    )
}

fn rec(number: u128) -> RecordId {
    RecordId::from_parts(Wall(1_000_000), number << 16)
}

fn external(object: &str, id: &str) -> ExternalRef {
    let system = System::new("erp").unwrap();
    ExternalRef { system, object: Object::new(object).unwrap(), id: id.to_owned() }
}

pub(super) fn fields(value: Value) -> Fields {
    value.as_object().unwrap().clone()
}

/// What the record says, and how the ERP had it after an earlier write.
pub(super) fn record() -> Value {
    json!({"name": "Grace", "code": "n", "amount": "7.5", "since": "2026-05-01T10:00:00Z", "account": rec(3).to_string()})
}
pub(super) fn written() -> Value {
    json!({"name": "Ada", "code": "x", "amount": "2.3", "since": "2026-01-01T10:00:00Z", "account": "c2"})
}

/// The record 1 stands for order o1 there; accounts 2 and 3 for customers c2 and c3.
pub(super) fn view(shadow: Shadow) -> View {
    let tenant = canonical::Tenant::new("acme").unwrap();
    let erp = System::new("erp").unwrap();
    let mut view = View { tenant: Some(tenant.clone()), ..View::default() };
    for (number, object, id, entity) in
        [(1, "orders", "o1", "Deal"), (2, "customers", "c2", "Account"), (3, "customers", "c3", "Account")]
    {
        let about = external(object, id);
        let link = Link {
            tenant: tenant.clone(),
            system: erp.clone(),
            instance: String::new(),
            object: about.object.clone(),
            external_id: id.to_owned(),
            entity: canonical::Entity::new(entity).unwrap(),
            record: rec(number),
            created_at: Wall(1),
        };
        view.links.insert(about, link);
    }
    let made = store_record(&tenant);
    view.records.insert(made.id, made);
    view.shadows.insert((rec(1), erp, Object::new("orders").unwrap()), shadow);
    view
}

fn store_record(tenant: &canonical::Tenant) -> Record {
    Record {
        tenant: tenant.clone(),
        entity: canonical::Entity::new("Deal").unwrap(),
        id: rec(1),
        version: 4,
        schema: 1,
        alive: canonical::Alive::Live,
        fields: fields(record()),
        provenance: BTreeMap::new(),
        marks: BTreeMap::new(),
        extensions: BTreeMap::new(),
        counter_writes: BTreeMap::new(),
        open: BTreeMap::new(),
        occurrences: Default::default(),
        absorbed: Default::default(),
        created_at: Wall(1),
        updated_at: Wall(2),
    }
}

pub(super) fn shadow(there: Value) -> Shadow {
    let tenant = canonical::Tenant::new("acme").unwrap();
    let (system, object) = (System::new("erp").unwrap(), Object::new("orders").unwrap());
    let mut shadow = Shadow::blank(tenant, rec(1), system, object);
    shadow.external_id = Some("o1".to_owned());
    shadow.fields = fields(there);
    shadow.revision = 3;
    shadow
}

/// What is decided when the ERP says that.
fn decided(shadow: Shadow, says: Value) -> Vec<Decision> {
    decided_of(&configuration(), view(shadow), says)
}

pub(super) fn decided_of(config: &Arc<Configuration>, known: View, says: Value) -> Vec<Decision> {
    let ops = taken_in(config, known, says, 50).into_iter();
    ops.filter_map(|op| if let Op::PutDecision(decision) = op { Some(decision) } else { None }).collect()
}

/// What is kept when it says that in a version.
pub(super) fn taken_in(config: &Arc<Configuration>, mut known: View, says: Value, version: i64) -> Vec<Op> {
    let mut effects: Vec<Effect> = Vec::new();
    let mut turn = Turn::new(Now { mono: Mono(1), wall: NOW }, 7, &mut effects);
    let observation = Observation {
        object: Object::new("orders").unwrap(),
        external_id: "o1".to_owned(),
        seen: Seen::State { fields: fields(says) },
        order: Some(OrderToken(version)),
        version: None,
        event_id: Some("e1".to_owned()),
        occurred_at: None,
        changed_at: None,
        trace: None,
    };
    let source = System::new("erp").unwrap();
    let arrival = Arrival::Read(observation);
    let item = prepare::prepare(config, "", &source, &Origin::Pushed, NOW, 1, 0, arrival, &mut turn);
    let mut batch = units::decide_batch(config, &mut known, vec![item], &mut turn);
    batch.units().into_iter().flat_map(|unit| unit.ops).collect()
}

/// A proposal that means to the owner what it has already is answered by its next word: it had it, and says its own. What means
/// another thing stays open until the owner was told.
#[test]
fn what_is_proposed_and_means_the_same_there_is_declined() {
    let config = where_name_is("{owner: erp, on_conflict: propose, pii: none}");
    for (proposes, kinds) in [(" ADA ", vec!["declined"]), ("Bea", vec![])] {
        let mut known = view(shadow(written()));
        let open = canonical::Open {
            kind: canonical::OpenKind::Proposed,
            system: System::new("crm").unwrap(),
            value: proposes.into(),
            since: Wall(1),
        };
        let record = known.records.get_mut(&rec(1)).unwrap();
        record.fields.insert("name".to_owned(), "Ada".into());
        record.open.insert(canonical::Field::new("name").unwrap(), open);
        let found = decided_of(&config, known, written());
        let found: Vec<_> = found.iter().map(|decision| decision.kind.name()).collect();
        assert_eq!(found, kinds, "{proposes}");
    }
}

pub(super) fn refused(decisions: &[Decision]) -> Vec<String> {
    decisions.iter().filter_map(|decision| decision.field.as_ref().map(ToString::to_string)).collect()
}

/// The same as was written, as vendors write it.
pub(super) fn reformatted() -> Value {
    json!({"name": " ADA ", "code": " x ", "amount": "2.30", "since": "2026-01-01T12:00:00+02:00", "account": "c2"})
}

#[test]
fn what_stands_there_still_is_no_edit_however_it_is_written() {
    assert_eq!(refused(&decided(shadow(written()), written())), Vec::<String>::new());
    assert_eq!(refused(&decided(shadow(written()), reformatted())), Vec::<String>::new());
    assert_eq!(refused(&decided(shadow(reformatted()), written())), Vec::<String>::new());
}

#[test]
fn what_was_written_lately_and_is_superseded_is_no_edit_however_it_is_written() {
    let config = configuration();
    let object = Object::new("orders").unwrap();
    let (mapping, _) = config.outbound(&System::new("erp").unwrap(), &object).unwrap();
    let mut later = shadow(
        json!({"name": "Bea", "code": "y", "amount": "9", "since": "2026-03-01T10:00:00Z", "account": "c3"}),
    );
    later.remember(&mapping.forms(&fields(written())), Wall(NOW.0 - 1_000_000));
    assert_eq!(refused(&decided(later.clone(), written())), Vec::<String>::new());
    assert_eq!(refused(&decided(later, reformatted())), Vec::<String>::new());
}

#[test]
fn an_edit_among_what_is_known_is_an_edit() {
    for name in ["name", "code", "amount", "since"] {
        let mut says = reformatted();
        says[name] = match name {
            "amount" => json!("2.4"),
            "since" => json!("2026-01-01T10:00:01Z"),
            _ => json!("somebody's"),
        };
        assert_eq!(refused(&decided(shadow(written()), says)), [name]);
    }
    // Another customer than the one that was written, and than the record's.
    let there = json!({"name": "Ada", "code": "x", "amount": "2.3", "since": "2026-01-01T10:00:00Z", "account": "c3"});
    let says = json!({"name": "Ada", "code": "x", "amount": "2.3", "since": "2026-01-01T10:00:00Z", "account": "c2"});
    assert_eq!(refused(&decided(shadow(there), says)), ["account"]);
}

/// What is seen while a write is on its way is judged then. Read once more in the same version, when nobody knows any more
/// what stands there, it is no other word; another value is, and so is the same in a later version: an edit back to it.
#[test]
fn i6_what_was_judged_while_a_write_was_on_its_way_is_judged_once() {
    let config = configuration();
    let orders = (rec(1), System::new("erp").unwrap(), Object::new("orders").unwrap());
    let mut known = view(shadow(written()));
    let writes = fields(json!({"name": "Bea"}));
    let mut write = connector::Write {
        version: None,
        association: None,
        object: orders.2.clone(),
        operation: "put".to_owned(),
        key: rec(1).to_string(),
        external_id: Some("o1".to_owned()),
        fields: writes.clone().into(),
        whole: Arc::default(),
        known: Arc::default(),
        expected: None,
        intent: "1".to_owned(),
    };
    let call = crate::written::keep(&mut write).into();
    let intent = ledger::Intent { call, ..store::conformance::make::intent(1, "orders", 1) };
    known.intents.insert(orders, intent);
    let mut edited = written();
    edited["name"] = json!("Zoe");
    // What was known there before is not judged now: it may be an edit back to it, which a later look tells.
    let kept_of = |ops: Vec<Op>| {
        ops.into_iter().find_map(|op| if let Op::PutShadow(kept) = op { Some(kept) } else { None }).unwrap()
    };
    let same = taken_in(&config, known.clone(), written(), 50);
    assert!(kept_of(same).meanwhile.is_empty());
    let ops = taken_in(&config, known, edited.clone(), 50);
    assert!(ops.iter().any(|op| matches!(op, Op::PutDecision(_))), "it is judged");
    let mut kept = kept_of(ops);
    assert_eq!((&kept.fields["name"], &kept.meanwhile), (&json!("Ada"), &fields(json!({"name": "Zoe"}))));

    kept.confirm(&writes);
    kept.doubt(&writes);
    let refused_in = |says: &Value, version| {
        let ops = taken_in(&config, view(kept.clone()), says.clone(), version).into_iter();
        let decisions =
            ops.filter_map(|op| if let Op::PutDecision(decision) = op { Some(decision) } else { None });
        refused(&decisions.collect::<Vec<_>>())
    };
    assert_eq!(refused_in(&edited, 50), Vec::<String>::new());
    assert_eq!(refused_in(&edited, 51), ["name"]);
    edited["name"] = json!("Eve");
    assert_eq!(refused_in(&edited, 50), ["name"]);
}

fn seen(id: &str, order: i64, seen: Seen) -> Observation {
    Observation {
        version: None,
        object: Object::new("orders").unwrap(),
        external_id: id.to_owned(),
        seen,
        order: Some(OrderToken(order)),
        event_id: Some(format!("{id}-{order}")),
        occurred_at: None,
        changed_at: None,
        trace: None,
    }
}

/// What one batch says of one record never stands in its own way: all of it is taken in by one commit.
#[test]
fn a_merge_there_and_what_is_left_are_taken_in_together() {
    let (config, store) = (configuration(), store::memory::Memory::new());
    let tenant = canonical::Tenant::new("acme").unwrap();
    let known = view(shadow(written()));
    let mut ops: Vec<Op> = known.links.into_values().map(Op::PutLink).collect();
    ops.extend([Op::PutRecord(store_record(&tenant)), Op::PutShadow(shadow(written()))]);
    store.commit(vec![store::Unit { require: Vec::new(), ops }], Box::new(|done| assert!(done.is_ok())));
    let state = |values: Value| Seen::State { fields: fields(values) };
    let batches = [
        vec![seen("o1", 50, Seen::Merged { into: "o2".to_owned() }), seen("o2", 51, state(written()))],
        // A deletion that only unlinks, and a sight of the same object beside it.
        vec![seen("o2", 52, Seen::Deleted), seen("o2", 53, state(written()))],
    ];
    for said in batches {
        let mut effects: Vec<Effect> = Vec::new();
        let mut turn = Turn::new(Now { mono: Mono(1), wall: NOW }, 7, &mut effects);
        let source = System::new("erp").unwrap();
        let items: Vec<_> = said
            .into_iter()
            .enumerate()
            .map(|(place, said)| {
                let arrival = Arrival::Read(said);
                prepare::prepare(&config, "", &source, &Origin::Pushed, NOW, 1, place, arrival, &mut turn)
            })
            .collect();
        let asks = items.iter().map(|item| item.ask.clone()).collect();
        let (tell, told) = std::sync::mpsc::channel();
        let reply = Box::new(move |rows| tell.send(rows).unwrap());
        store.find(store::Query::Intake { tenant: tenant.clone(), asks }, reply);
        let Ok(store::Rows::Intake(mut view)) = told.recv().unwrap() else { panic!("no view") };
        let mut batch = units::decide_batch(&config, &mut view, items, &mut turn);
        let (tell, told) = std::sync::mpsc::channel();
        store.commit(batch.units(), Box::new(move |done| tell.send(done).unwrap()));
        let receipts = told.recv().unwrap().unwrap();
        assert!(receipts.iter().all(|receipt| matches!(receipt, store::Receipt::Done(_))), "{receipts:?}");
    }
}
