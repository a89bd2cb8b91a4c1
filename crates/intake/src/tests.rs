//! Tests of the decision: identity, order, ownership, echoes, facts.

mod conflict;
mod ended;
mod identity;
mod late;
mod page;
mod reference;
mod reshape;
mod restored;
mod silent;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use canonical::schema::{FactRule, MatchKey, OnDelete, OnRecreate};
use canonical::{
    Alive, Condition, Entity, EntitySchema, EventId, ExternalRef, Field, FieldSpec, FieldType, Fields,
    Object, OnConflict, OrderToken, Record, RecordId, RouteId, System, Tenant, Wall,
};
use ledger::{Lane, OnExit, Route, RouteKind, Shadow};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Accepted, Context, DecisionKind, Incoming, Verdict, View, decide, match_values};

fn system(name: &str) -> System {
    System::new(name).unwrap()
}
fn field(name: &str) -> Field {
    Field::new(name).unwrap()
}
fn object(name: &str) -> Object {
    Object::new(name).unwrap()
}

fn spec(kind: FieldType, owner: Option<&str>, on_conflict: OnConflict) -> FieldSpec {
    let owner = owner.map(system);
    FieldSpec { owner, on_conflict, ..FieldSpec::of(kind) }
}

/// Contact: the CRM owns the name, the ERP the credit hold (reverted), marketing the consent (rejected); the note is
/// nobody's.
pub(crate) fn schema() -> EntitySchema {
    let fields = [
        ("name", spec(FieldType::Text, Some("crm"), OnConflict::Reject)),
        ("email", spec(FieldType::Text, Some("crm"), OnConflict::Revert)),
        ("hold", spec(FieldType::Boolean, Some("erp"), OnConflict::Revert)),
        ("consent", spec(FieldType::Text, Some("marketing"), OnConflict::Reject)),
        ("note", spec(FieldType::Text, None, OnConflict::Reject)),
        (
            "account",
            spec(FieldType::Reference(Entity::new("Account").unwrap()), Some("crm"), OnConflict::Reject),
        ),
        ("closed_at", spec(FieldType::Time, Some("crm"), OnConflict::Reject)),
    ];
    EntitySchema {
        entity: Entity::new("Contact").unwrap(),
        version: 1,
        fields: fields.into_iter().map(|(name, spec)| (field(name), spec)).collect(),
        required: Vec::new(),
        match_keys: vec![MatchKey {
            name: "email".into(),
            fields: vec![field("email")],
            fold: true,
            normalise: vec![],
            when: vec![],
        }],
        retired: std::collections::BTreeSet::new(),
        compatibility: canonical::schema::Compatibility::Backward,
        rules: Vec::new(),
        creators: vec![system("crm"), system("erp")],
        deleters: vec![system("crm")],
        on_delete: OnDelete::Archive,
        on_recreate: Default::default(),
        facts: vec![FactRule {
            event: "ConsentGiven".into(),
            when: vec![Condition {
                field: field("consent"),
                equals: Some(json!("yes")),
                one_of: None,
                not: None,
                present: None,
            }],
            occurrence: vec![field("closed_at")],
            carries: vec![field("email")],
        }],
        document: Value::Null,
        counter_writes_max: 2,
        clock_skew: std::time::Duration::from_secs(5),
    }
}

fn route(id: &str, to: &str, kind: RouteKind) -> Route {
    Route {
        id: RouteId::from(id),
        kind,
        entity: Entity::new("Contact").unwrap(),
        events: if kind == RouteKind::Notify { vec!["ConsentGiven".into()] } else { Vec::new() },
        system: system(to),
        object: object("people"),
        mapping: format!("contact.{to}"),
        operation: None,
        lane: Lane::Standard,
        filter: Vec::new(),
        on_exit: OnExit::Keep,
        on_delete: OnExit::Keep,
    }
}

struct World {
    schema: EntitySchema,
    routes: Vec<Route>,
    view: View,
    turn: u128,
}

impl World {
    fn new() -> Self {
        let mut routes: Vec<Route> =
            ["crm", "erp", "marketing"].map(|to| route(&format!("to-{to}"), to, RouteKind::Sync)).into();
        routes.push(route("tell", "marketing", RouteKind::Notify));
        Self { schema: schema(), routes, view: View::default(), turn: 0 }
    }

    fn decide(&mut self, incoming: &Incoming) -> Verdict {
        self.turn += 1;
        let routes: Vec<&Route> = self.routes.iter().collect();
        let now = Wall(incoming.as_of.0);
        let context = Context {
            tenant: &Tenant::new("acme").unwrap(),
            schema: &self.schema,
            routes: &routes,
            now,
            event: EventId::from_parts(now, self.turn << 16),
            fresh: RecordId::from_parts(now, self.turn << 16),
            restored_at: self.view.restored_at,
        };
        decide(context, &mut self.view, incoming)
    }

    fn accept(&mut self, incoming: &Incoming) -> Accepted {
        match self.decide(incoming) {
            Verdict::Accept(accepted) => *accepted,
            other => panic!("expected acceptance, got {other:?}"),
        }
    }

    fn only(&self) -> &Record {
        assert_eq!(self.view.records.len(), 1);
        self.view.records.values().next().unwrap()
    }

    /// What `incoming` would read as from the shadow there.
    fn remember(&mut self, from: &str, id: &str, known: Value) {
        let record = self.view.links[&external(from, id)].record;
        let mut shadow = Shadow::blank(Tenant::new("acme").unwrap(), record, system(from), object("people"));
        shadow.external_id = Some(id.into());
        shadow.fields = fields(known);
        self.view.shadows.insert((record, system(from), object("people")), shadow);
    }
}

fn fields(value: Value) -> Fields {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

fn external(from: &str, id: &str) -> ExternalRef {
    ExternalRef { system: system(from), object: object("people"), id: id.into() }
}

/// A read of an object: complete, as it stands.
fn said(from: &str, id: &str, order: i64, values: Value) -> Incoming {
    let fields = fields(values);
    Incoming {
        about: external(from, id),
        instance: "account-1".into(),
        deleted: false,
        merged_into: None,
        matches: match_values(&schema(), &fields),
        seen_paths: fields.clone(),
        written: Arc::new(fields.keys().map(|name| field(name)).collect()),
        fields,
        references: Vec::new(),
        late: std::collections::BTreeSet::new(),
        rest: false,
        extensions: Fields::new(),
        order: Some(OrderToken(order)),
        stamped: false,
        etag: None,
        as_of: Wall(order * 1_000),
        occurred_at: None,
        changed_at: None,
        read: true,
        complete: true,
        fetchable: true,
        patient: false,
        waited: false,
        mapping: 1,
        known: Fields::new(),
        writing: Fields::new(),
        lately: Fields::new(),
        judged: Fields::new(),
        lately_paths: BTreeSet::new(),
        silent: false,
        trace: "0af7651916cd43dd8448eb211c80319c".into(),
    }
}

fn raised(accepted: &Accepted) -> Vec<String> {
    accepted.raises.iter().map(|raise| raise.key.route.to_string()).collect()
}

#[test]
fn a_new_object_makes_a_record_a_link_a_fact_and_raises_the_others() {
    let mut world = World::new();
    let accepted = world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "ada@example.com"})));
    let (record, before) = accepted.record.clone().unwrap();
    assert_eq!((record.version, before), (1, 0));
    assert_eq!(accepted.link.as_ref().unwrap().external_id, "1");
    assert_eq!(accepted.facts[0].kind, "contact.created");
    assert_eq!(raised(&accepted), ["to-erp", "to-marketing"]);
    assert_eq!(accepted.matches_added, [("email".to_owned(), "ada@example.com\u{1f}".to_owned())]);
}

#[test]
fn no_changed_field_no_version_no_event() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "Ada"})));
    let again = world.accept(&said("crm", "1", 1, json!({"name": "Ada"})));
    assert!(again.record.is_none() && again.facts.is_empty() && again.raises.is_empty());
    // A newer watermark stands, but under the old version.
    let later = world.accept(&said("crm", "1", 2, json!({"name": "Ada"})));
    let (record, before) = later.record.unwrap();
    assert_eq!((record.version, before), (1, 1));
    assert!(later.facts.is_empty() && later.raises.is_empty());
}

#[test]
fn i4_older_data_only_fills_fields_never_seen() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 10, json!({"name": "New"})));
    let old = world.accept(&said("crm", "1", 5, json!({"name": "Old", "note": "found"})));
    let (record, _) = old.record.unwrap();
    assert_eq!(record.fields["name"], "New");
    assert_eq!(record.fields["note"], "found");
    assert!(old.decisions.iter().any(|decision| decision.kind == DecisionKind::Stale));
}

#[test]
fn a_pushed_tie_is_a_hint_and_a_read_tie_is_taken() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 10, json!({"name": "A"})));
    let mut pushed = said("crm", "1", 10, json!({"name": "B"}));
    pushed.read = false;
    let tie = world.accept(&pushed);
    assert!(tie.refetch && tie.record.is_none());
    let read = world.accept(&said("crm", "1", 10, json!({"name": "B"})));
    assert_eq!(read.record.unwrap().0.fields["name"], "B");
}

#[test]
fn i5_an_owners_value_is_not_overwritten_and_the_edit_is_recorded() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "a@x.org"})));
    world.accept(&said("erp", "9", 1, json!({"email": "a@x.org", "hold": false})));
    world.remember("erp", "9", json!({"name": "Ada", "email": "a@x.org"}));
    let mut edit = said("erp", "9", 2, json!({"name": "Bad", "email": "a@x.org", "hold": true}));
    edit.known = fields(json!({"name": "Ada", "email": "a@x.org", "hold": false}));
    let accepted = world.accept(&edit);
    let (record, _) = accepted.record.clone().unwrap();
    assert_eq!(record.fields["name"], "Ada");
    assert_eq!(record.fields["hold"], true, "the ERP owns the hold");
    let kinds: Vec<_> = accepted.decisions.iter().map(|d| (d.field.clone().unwrap(), d.kind)).collect();
    assert_eq!(kinds, [(field("name"), DecisionKind::Rejected)]);
}

#[test]
fn revert_says_it_again_to_the_editor_until_it_freezes() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "a@x.org"})));
    world.accept(&said("erp", "9", 1, json!({"email": "a@x.org"})));
    let mut outcomes = Vec::new();
    for n in 0..4 {
        let mut edit = said("erp", "9", 2 + n, json!({"email": format!("wrong{n}@x.org")}));
        edit.known = fields(json!({"email": "a@x.org"}));
        let accepted = world.accept(&edit);
        let again = accepted.raises.iter().any(|raise| raise.key.route.as_str() == "to-erp" && raise.again);
        outcomes.push((accepted.decisions[0].kind, again));
        // The shadow shows what is there now: the difference is what will be written back.
        let (shadow, _) = accepted.shadow.unwrap();
        assert_eq!(shadow.fields["email"], format!("wrong{n}@x.org"));
    }
    let reverted = (DecisionKind::Reverted, true);
    let frozen = (DecisionKind::Frozen, false);
    assert_eq!(outcomes, [reverted, reverted, frozen, (DecisionKind::Rejected, false)]);
    assert_eq!(world.only().fields["email"], "a@x.org");
}

#[test]
fn i6_what_we_know_there_is_no_edit_and_what_we_write_is_no_edit() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "Old", "email": "a@x.org"})));
    world.accept(&said("erp", "9", 1, json!({"email": "a@x.org"})));
    world.accept(&said("crm", "1", 2, json!({"name": "New", "email": "a@x.org"})));
    // The ERP still shows the old name: our delivery has not arrived. Nobody edited anything.
    let mut lagging = said("erp", "9", 2, json!({"name": "Old", "email": "a@x.org"}));
    lagging.known = fields(json!({"name": "Old"}));
    assert!(world.accept(&lagging).decisions.is_empty());
    // It shows what an open intent is writing.
    let mut arriving = said("erp", "9", 3, json!({"name": "Midway", "email": "a@x.org"}));
    arriving.writing = fields(json!({"name": "Midway"}));
    assert!(world.accept(&arriving).decisions.is_empty());
    // It shows something else: a real edit is never swallowed.
    let mut edited = said("erp", "9", 4, json!({"name": "Edited", "email": "a@x.org"}));
    edited.known = fields(json!({"name": "Old"}));
    edited.writing = fields(json!({"name": "Midway"}));
    assert_eq!(world.accept(&edited).decisions[0].kind, DecisionKind::Rejected);
}

#[test]
fn a_blank_owner_value_accepts_the_first_that_is_not_blank() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "Ada", "email": "a@x.org"})));
    let accepted = world.accept(&said("erp", "9", 1, json!({"email": "a@x.org", "consent": "yes"})));
    assert_eq!(accepted.record.unwrap().0.fields["consent"], "yes");
    let owner = world.accept(&said("marketing", "m", 1, json!({"email": "a@x.org", "consent": "no"})));
    assert_eq!(owner.record.unwrap().0.fields["consent"], "no");
}

#[test]
fn identity_links_by_match_key_and_quarantines_two_matches() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"email": "a@x.org"})));
    let matched = world.accept(&said("erp", "9", 1, json!({"email": " A@X.org "})));
    assert!(matched.link.is_some());
    assert_eq!(world.view.records.len(), 1);
    // A second object with the same key in the same system is a duplicate there.
    let Verdict::Duplicate { reason, first } =
        world.decide(&said("erp", "10", 2, json!({"email": "a@x.org"})))
    else {
        panic!("not a duplicate")
    };
    assert_eq!((reason.class.as_str(), first.id.as_str()), ("duplicate_there", "9"));
    world.accept(&said("crm", "2", 3, json!({"email": "b@x.org"})));
    let key = (schema().entity, "email".to_owned(), "a@x.org\u{1f}".to_owned());
    let both: Vec<RecordId> = world.view.records.keys().copied().collect();
    world.view.matches.insert(key, both);
    let Verdict::Quarantine(reason) = world.decide(&said("marketing", "m", 4, json!({"email": "a@x.org"})))
    else {
        panic!("not quarantined")
    };
    assert_eq!((reason.class.as_str(), reason.candidates.len()), ("ambiguous_match", 2));
    // What to do about it is said as it is typed.
    let both: Vec<String> = reason.candidates.iter().map(|id| format!("Contact/{id}")).collect();
    assert!(
        reason.message.contains(&format!("concord record merge {}", both.join(" "))),
        "{}",
        reason.message
    );
}

#[test]
fn only_creators_create_and_an_open_create_is_waited_for() {
    let mut world = World::new();
    let Verdict::Quarantine(reason) = world.decide(&said("marketing", "m", 1, json!({"email": "a@x.org"})))
    else {
        panic!("not quarantined")
    };
    assert_eq!(reason.class, "not_a_creator");
    world.view.creates_open.insert((schema().entity, system("crm"), object("people")), 1);
    let mut unlinked = said("crm", "1", 1, json!({"name": "Ada"}));
    assert_eq!(world.decide(&unlinked), Verdict::Wait);
    unlinked.patient = true;
    assert!(world.accept(&unlinked).record.is_some());
}

#[test]
fn another_account_is_not_the_one_that_was_linked() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"name": "Ada"})));
    let mut other = said("crm", "1", 2, json!({"name": "Eve"}));
    other.instance = "account-2".into();
    let Verdict::Quarantine(reason) = world.decide(&other) else { panic!("not quarantined") };
    assert_eq!(reason.class, "other_account");
}

#[test]
fn a_reference_waits_for_its_link() {
    let mut world = World::new();
    let parent = ExternalRef { system: system("crm"), object: object("companies"), id: "c1".into() };
    let mut child = said("crm", "1", 1, json!({"name": "Ada"}));
    child.references.push((field("account"), parent.clone()));
    assert_eq!(world.decide(&child), Verdict::Park { waiting: parent.clone() });
    let mut link = world.accept(&said("crm", "2", 1, json!({"name": "x"}))).link.unwrap();
    link.object = object("companies");
    link.external_id = "c1".into();
    world.view.links.insert(parent, link.clone());
    let accepted = world.accept(&child);
    assert_eq!(accepted.record.unwrap().0.fields["account"], link.record.to_string());
}

#[test]
fn deletions_need_a_deleter_and_tombstones_do_not_resurrect() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 5, json!({"name": "Ada", "email": "a@x.org"})));
    world.accept(&said("erp", "9", 5, json!({"email": "a@x.org"})));
    let mut gone = said("erp", "9", 6, json!({}));
    gone.deleted = true;
    let refused = world.accept(&gone);
    assert!(refused.record.is_none() && refused.unlink.is_some());
    assert_eq!(refused.decisions[0].kind, DecisionKind::Rejected);
    let mut gone = said("crm", "1", 6, json!({}));
    gone.deleted = true;
    let deleted = world.accept(&gone);
    assert_eq!(deleted.facts[0].kind, "contact.deleted");
    assert!(matches!(world.only().alive, Alive::Deleted { .. }));
    assert_eq!(raised(&deleted), ["to-erp", "to-marketing"]);
}

#[test]
fn a_flapping_source_makes_one_domain_event_per_occurrence() {
    let mut world = World::new();
    world.accept(&said("crm", "1", 1, json!({"email": "a@x.org", "closed_at": "2026-01-01T00:00:00Z"})));
    let mut seen = Vec::new();
    for (order, consent) in [(1, "yes"), (2, "no"), (3, "yes"), (4, "no"), (5, "yes")] {
        let accepted =
            world.accept(&said("marketing", "m", order, json!({"email": "a@x.org", "consent": consent})));
        seen.extend(accepted.facts.iter().filter(|fact| fact.kind == "ConsentGiven").cloned());
        assert_eq!(raised(&accepted).contains(&"tell".to_owned()), order == 1);
    }
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].data, fields(json!({"email": "a@x.org"})));
}

proptest! {
    /// I4, I5: whatever the order in which reads of one object arrive, the record ends at the newest, and the owner's
    /// fields hold what the owner said last.
    #[test]
    fn any_order_of_arrival_ends_at_the_newest(
        mut said_at in proptest::collection::vec((0_usize..3, 1_i64..50), 1..40)
    ) {
        let mut world = World::new();
        world.accept(&said("crm", "1", 0, json!({"name": "v0", "email": "a@x.org"})));
        let mut newest: BTreeMap<usize, i64> = BTreeMap::new();
        said_at.dedup();
        for (who, order) in said_at {
            let (from, id) = [("crm", "1"), ("erp", "9"), ("marketing", "m")][who];
            let value = format!("{from}-{order}");
            let hold = order % 2 == 0;
            let mut incoming = said(from, id, order, json!({
                "name": value, "email": "a@x.org", "hold": hold, "consent": value,
            }));
            incoming.known = Fields::new();
            let before = world.only().version;
            world.decide(&incoming);
            prop_assert!(world.only().version >= before && world.only().version <= before + 1);
            let top = newest.entry(who).or_insert(order);
            *top = (*top).max(order);
        }
        let record = world.only();
        if let Some(order) = newest.get(&0) {
            prop_assert_eq!(&record.fields["name"], &json!(format!("crm-{order}")));
        }
        if let Some(order) = newest.get(&1) {
            prop_assert_eq!(&record.fields["hold"], &json!(order % 2 == 0));
        }
        if let Some(order) = newest.get(&2) {
            prop_assert_eq!(&record.fields["consent"], &json!(format!("marketing-{order}")));
        }
    }
}
