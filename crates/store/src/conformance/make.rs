//! Rows for the cases: small, complete, and told apart by a number.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use canonical::{
    Absorbed, Alive, Before, Entity, EventId, ExternalRef, Fact, Field, Fields, IntentId, JobId, Marks,
    MessageId, Object, Open, OpenKind, OrderToken, Provenance, Record, RecordId, RouteId, System, Taken,
    Tenant, Wall,
};
use intake::{Decision, DecisionKind, Link, Message, MessageState, Raise};
use ledger::{
    Class, IdempotencyClass, Intent, IntentState, Lane, Level, Membership, ObligationKey, Reason, Shadow,
    State, Subject,
};
use serde_json::json;
use uuid::Uuid;

use crate::op::{Attempt, Fetch};
use crate::system::{BulkJob, SystemState};
use crate::{Op, Query, SpokeAsk};

/// A wall-clock time: seconds after a fixed day.
#[must_use]
pub fn at(seconds: i64) -> Wall {
    Wall(1_795_000_000_000_000 + seconds * 1_000_000)
}

/// The first tenant.
#[must_use]
pub fn acme() -> Tenant {
    Tenant::new("acme").unwrap()
}

/// Another tenant.
#[must_use]
pub fn other() -> Tenant {
    Tenant::new("globex").unwrap()
}

/// A system.
#[must_use]
pub fn system(name: &str) -> System {
    System::new(name).unwrap()
}

/// A kind of object.
#[must_use]
pub fn object(name: &str) -> Object {
    Object::new(name).unwrap()
}

/// An entity.
#[must_use]
pub fn entity(name: &str) -> Entity {
    Entity::new(name).unwrap()
}

/// A field.
#[must_use]
pub fn field(name: &str) -> Field {
    Field::new(name).unwrap()
}

fn uuid(kind: u128, number: u64) -> Uuid {
    Uuid::from_u128((0x0192_0000_0000_7000_8000_0000_0000_0000 | (kind << 48)) + u128::from(number))
}

/// A record's id.
#[must_use]
pub fn rec(number: u64) -> RecordId {
    RecordId(uuid(1, number))
}

/// An event's id.
#[must_use]
pub fn evt(number: u64) -> EventId {
    EventId(uuid(2, number))
}

/// An intent's id.
#[must_use]
pub fn int(number: u64) -> IntentId {
    IntentId(uuid(3, number))
}

/// A message's id.
#[must_use]
pub fn msg(number: u64) -> MessageId {
    MessageId(uuid(4, number))
}

/// A job's id.
#[must_use]
pub fn job(number: u64) -> JobId {
    JobId(uuid(5, number))
}

/// An object in a system.
#[must_use]
pub fn external(system_name: &str, object_name: &str, id: &str) -> ExternalRef {
    ExternalRef { system: system(system_name), object: object(object_name), id: id.to_owned() }
}

/// A trace of 32 hexadecimal digits.
#[must_use]
pub fn trace(number: u64) -> String {
    format!("{number:032x}")
}

/// Some fields.
#[must_use]
pub fn fields(name: &str) -> Fields {
    let mut fields = Fields::new();
    fields.insert("name".to_owned(), json!(name));
    fields.insert("email".to_owned(), json!(format!("{name}@example.com")));
    fields.insert("tags".to_owned(), json!(["a", "b"]));
    fields.insert("gone".to_owned(), json!(null));
    fields
}

/// A contact.
#[must_use]
pub fn record(number: u64, version: i64) -> Record {
    let provenance = |field_name: &str| {
        let changed = Some(at(version));
        let from =
            Provenance { system: system("crm"), event: evt(number), at: at(version), mapping: 3, changed };
        (field(field_name), from)
    };
    let open = Open { kind: OpenKind::Frozen, system: system("crm"), value: json!("theirs"), since: at(1) };
    let marks = Marks { object: Some(OrderToken(version)), fields: [(field("email"), OrderToken(9))].into() };
    Record {
        tenant: acme(),
        entity: entity("Contact"),
        id: rec(number),
        version,
        schema: 2,
        alive: Alive::Live,
        fields: fields(&format!("n{number}v{version}")),
        provenance: [provenance("name"), provenance("email")].into(),
        marks: [(system("crm"), marks)].into(),
        extensions: [(system("crm"), fields("extension"))].into(),
        counter_writes: [(field("name"), (at(1), 2))].into(),
        open: [(field("name"), open)].into(),
        occurrences: BTreeSet::from(["LeadConverted/1".to_owned()]),
        absorbed: [(rec(900 + number), absorbed(number))].into(),
        created_at: at(1),
        updated_at: at(version),
    }
}

/// What a contact keeps of one that was merged into it.
#[must_use]
pub fn absorbed(number: u64) -> Absorbed {
    Absorbed {
        at: at(2),
        version: 2,
        job: job(number),
        why: "anna: one person".to_owned(),
        objects: vec![Taken {
            object: external("crm", "contacts", "second"),
            of: rec(900 + number),
            second: true,
            ended: false,
        }],
        aliases: [rec(950 + number)].into(),
        hops: 2,
        before: Before { fields: fields("before"), ..Before::default() },
        ended: Some(system("crm")),
    }
}

/// A link of a contact as `contacts`.
#[must_use]
pub fn link(number: u64, system_name: &str, id: &str) -> Link {
    Link {
        tenant: acme(),
        system: system(system_name),
        instance: "org-1".to_owned(),
        object: object("contacts"),
        external_id: id.to_owned(),
        entity: entity("Contact"),
        record: rec(number),
        created_at: at(50),
    }
}

/// A version that was applied.
#[must_use]
pub fn version(kind: &str, name: &str, number: u32) -> crate::Version {
    crate::Version {
        tenant: acme(),
        key: crate::VersionKey { kind: kind.to_owned(), name: name.to_owned(), number },
        digest: format!("digest {number}"),
        meaning: serde_json::json!({ "fields": { "name": "text" } }),
        at: at(i64::from(number)),
    }
}

/// An event of a contact.
#[must_use]
pub fn fact(number: u64, record: u64) -> Fact {
    Fact {
        id: evt(number),
        tenant: acme(),
        kind: "contact.updated".to_owned(),
        entity: entity("Contact"),
        record: rec(record),
        version: 1,
        schema: 1,
        mappings: std::collections::BTreeMap::from([(RouteId::from("n"), 4)]),
        source: system("crm"),
        at: at(1),
        occurrence: None,
        trace: trace(number),
        data: fields("fact"),
    }
}

/// The key of a `sync` obligation.
#[must_use]
pub fn sync_key(route: &str, record: u64) -> ObligationKey {
    ObligationKey { tenant: acme(), route: RouteId::from(route), subject: Subject::Record(rec(record)) }
}

/// The key of a `notify` obligation.
#[must_use]
pub fn notify_key(route: &str, event: u64) -> ObligationKey {
    ObligationKey { tenant: acme(), route: RouteId::from(route), subject: Subject::Event(evt(event)) }
}

/// A raise of a `sync` obligation to `erp`.
#[must_use]
pub fn raise(route: &str, record: u64, version: i64) -> Raise {
    Raise {
        key: sync_key(route, record),
        system: system("erp"),
        object: object("customer"),
        entity: entity("Contact"),
        record: rec(record),
        lane: Lane::Standard,
        version,
        again: false,
        due: at(10),
        at: at(10),
        trace: trace(7),
        replay: None,
    }
}

/// A raise of a `notify` obligation to `erp`.
#[must_use]
pub fn notify(route: &str, event: u64, record: u64) -> Raise {
    Raise { key: notify_key(route, event), ..raise(route, record, 1) }
}

/// A level without generations.
#[must_use]
pub const fn level(version: i64) -> Level {
    Level { version, generation: 0 }
}

/// A settlement in a state, at second 100, for good.
#[must_use]
pub fn settle(key: ObligationKey, version: i64, state: State) -> Op {
    Op::Settle {
        key,
        level: level(version),
        reached: state == State::Delivered,
        state,
        attempts: 2,
        due: at(100),
        waiting: None,
        reason: (state != State::Delivered).then(|| reason("fp1_a")),
        at: at(100),
    }
}

/// A reason of a failure group.
#[must_use]
pub fn reason(fingerprint: &str) -> Reason {
    Reason {
        candidates: vec![rec(9)],
        class: "validation".to_owned(),
        code: Some("E1".to_owned()),
        field: None,
        message: "refused; correct it".to_owned(),
        fingerprint: fingerprint.to_owned(),
    }
}

/// A class for each number.
#[must_use]
pub fn class_of(number: u64) -> IdempotencyClass {
    match number % 5 {
        0 => IdempotencyClass::NativeKey { ttl_s: 9 },
        1 => IdempotencyClass::Upsert,
        2 => IdempotencyClass::SearchFirst { index_lag_ms: 5 },
        3 => IdempotencyClass::MarkerField { index_lag_ms: 6 },
        _ => IdempotencyClass::None,
    }
}

/// A place in a batch.
#[must_use]
pub fn membership(number: u64) -> Membership {
    let place = u32::try_from(number % 3).unwrap_or_default();
    Membership { id: int(1_000 + number), place, of: 3 }
}

/// An open intent of a `sync` obligation to `erp`; an update of an object.
#[must_use]
pub fn intent(number: u64, route: &str, record: u64) -> Intent {
    Intent {
        id: int(number),
        obligation: sync_key(route, record),
        system: system("erp"),
        object: object("customer"),
        record: rec(record),
        level: level(1),
        operation: "upsert".to_owned(),
        class: IdempotencyClass::NativeKey { ttl_s: 3600 },
        call: format!("call {number}").into_bytes().into(),
        request: format!("request {number}").into_bytes().into(),
        fields: Fields::new().into(),
        full: true,
        external_id: Some("17".to_owned()),
        scope: "1".to_owned(),
        state: IntentState::Open,
        sends: 1,
        probes: 0,
        created_at: at(20),
        arrives_until: at(30),
        processing_max: Duration::from_millis(1500),
        due: at(30),
        outcome: None,
        reason: None,
        closed_at: None,
        token: None,
        trace: trace(number),
        lacking: false,
        association: None,
        batch: None,
    }
}

/// A shadow of a contact as `erp`'s `customer`.
#[must_use]
pub fn shadow(record: u64, system_name: &str, object_name: &str) -> Shadow {
    Shadow {
        external_id: Some("17".to_owned()),
        fields: fields("shadow"),
        unknown: BTreeSet::from(["email".to_owned()]),
        associated: BTreeMap::from([("company".to_owned(), BTreeSet::from(["9".to_owned()]))]),
        meanwhile: fields("meanwhile"),
        token: Some(OrderToken(5)),
        version: Some("W/\"5\"".to_owned()),
        written_at: Some(at(5)),
        recent: vec![ledger::Recent { at: at(4), values: BTreeMap::from([("email".to_owned(), u64::MAX)]) }],
        seen_at: None,
        edits: vec![ledger::Edit {
            route: RouteId::from("r"),
            subject: Subject::Record(rec(record)),
            // Of none that is wanted in a case.
            level: level(99),
            values: fields("edited"),
            before: fields("before"),
            why: "ann: a test".to_owned(),
            at: at(6),
        }],
        level: level(1),
        ..Shadow::blank(acme(), rec(record), system(system_name), object(object_name))
    }
}

/// An accepted message of `crm`.
#[must_use]
pub fn message(number: u64) -> Message {
    Message {
        id: msg(number),
        tenant: acme(),
        source: system("crm"),
        event_id: Some(format!("e{number}")),
        about: Some(external("crm", "contacts", "1")),
        state: MessageState::Accepted,
        raw: format!("raw {number}").into_bytes(),
        read: true,
        lacking: false,
        reason: None,
        waiting: None,
        deadline: None,
        received_at: at(1),
        as_of: at(1),
        trace: trace(number),
    }
}

/// A failed attempt of an intent of [`intent`].
#[must_use]
pub fn attempt(number: u64, route: &str, record: u64) -> Attempt {
    Attempt {
        intent: int(number),
        obligation: sync_key(route, record),
        system: system("erp"),
        operation: "upsert".to_owned(),
        probe: false,
        class: Class::Retryable,
        reason: reason("fp1_b"),
        at: at(40),
        took_ms: 12,
    }
}

/// A decision about a contact.
#[must_use]
pub fn decision(record: u64, kind: DecisionKind) -> Decision {
    Decision {
        tenant: acme(),
        record: rec(record),
        field: Some(field("email")),
        system: system("crm"),
        kind,
        version: 1,
        rule: "owner is erp".to_owned(),
        at: at(2),
    }
}

/// A fetch of an object of `crm`.
#[must_use]
pub fn fetch(id: &str, hinted: i64, due: i64) -> Fetch {
    Fetch {
        tenant: acme(),
        external: external("crm", "contacts", id),
        hinted_at: at(hinted),
        due: at(due),
        attempts: 0,
        trace: trace(3),
    }
}

/// A job that runs at a system, with the places of its records.
#[must_use]
pub fn bulk_job(job: &str, places: Vec<u32>) -> BulkJob {
    BulkJob {
        batch: int(1),
        object: object("contacts"),
        operation: "upsert".to_owned(),
        job: job.to_owned(),
        since: at(3),
        at_work: true,
        of: 2,
        places,
    }
}

/// The state of a system.
#[must_use]
pub fn system_state(name: &str) -> SystemState {
    SystemState {
        instance: Some("org-1".to_owned()),
        paused: None,
        credential: Some(vec![1, 2, 3]),
        credential_generation: 4,
        ..SystemState::blank(acme(), system(name))
    }
}

/// A claim of `erp`'s standard lane.
#[must_use]
pub fn claim(due_by: i64, limit: usize) -> Query {
    Query::Claim {
        tenant: acme(),
        system: system("erp"),
        lane: Lane::Standard,
        after: None,
        due_by: at(due_by),
        limit,
    }
}

/// What a spoke asks about a `sync` obligation of [`raise`].
#[must_use]
pub fn spoke_ask(route: &str, record: u64) -> SpokeAsk {
    SpokeAsk {
        key: sync_key(route, record),
        record: rec(record),
        object: object("customer"),
        references: vec![],
    }
}

/// An empty map; saves a type annotation in comparisons.
#[must_use]
pub const fn none<K, V>() -> BTreeMap<K, V> {
    BTreeMap::new()
}
