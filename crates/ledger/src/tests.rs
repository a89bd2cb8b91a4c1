//! What the tests of this crate share, and the tests of its small rooms.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use canonical::{Fields, IntentId, Object, RecordId, RouteId, System, Tenant, Wall};
use serde_json::json;

use crate::{
    Class, FINGERPRINT_VERSION, IdempotencyClass, Intent, IntentState, Lane, Level, Obligation,
    ObligationKey, Outcome, Recovery, Refusal, Shadow, State, Subject, fingerprint, recover,
};

/// When the intents of the tests are made durable.
pub(crate) const MADE: Wall = Wall(1_800_000_000_000_000);
/// Send at once, a request timeout of 10 s, 20 s of processing: quiet from `MADE` + 30 s.
pub(crate) const QUIET: Duration = Duration::from_secs(30);
pub(crate) const KEYED: IdempotencyClass = IdempotencyClass::NativeKey { ttl_s: 600 };
pub(crate) const SEARCHED: IdempotencyClass = IdempotencyClass::SearchFirst { index_lag_ms: 15_000 };

pub(crate) const MARKED: IdempotencyClass = IdempotencyClass::MarkerField { index_lag_ms: 15_000 };

pub(crate) fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// A create that was sent once.
pub(crate) fn create(class: IdempotencyClass) -> Intent {
    let record = RecordId::from_parts(MADE, 7);
    let mut fields = Fields::new();
    fields.insert("email".into(), json!("Ada.Lovelace@example.org"));
    fields.insert("name".into(), json!("Ada Lovelace"));
    fields.insert("phones".into(), json!(["+44 20 7946 0000", 442_079]));
    Intent {
        id: IntentId::from_parts(MADE, 1),
        obligation: ObligationKey {
            tenant: Tenant::new("acme").unwrap(),
            route: RouteId::from("contacts-to-erp"),
            subject: Subject::Record(record),
        },
        system: System::new("erp").unwrap(),
        object: Object::new("customers").unwrap(),
        record,
        level: Level { version: 3, generation: 0 },
        operation: "create".into(),
        class,
        call: Arc::default(),
        request: Arc::default(),
        fields: fields.into(),
        full: true,
        external_id: None,
        scope: "g1".into(),
        state: IntentState::Open,
        sends: 1,
        probes: 0,
        created_at: MADE,
        arrives_until: MADE + seconds(10),
        processing_max: seconds(20),
        due: MADE,
        outcome: None,
        reason: None,
        closed_at: None,
        token: None,
        trace: "t".into(),
        lacking: false,
        association: None,
        batch: None,
    }
}

#[track_caller]
fn check_recover(intent: &Intent, scope: &str, now: Duration, expect: &str) {
    let got = match recover(intent, scope, MADE + now) {
        Recovery::Resend { not_before } => format!("resend at {}", not_before.since(MADE).as_secs()),
        Recovery::Probe { not_before } => format!("probe at {}", not_before.since(MADE).as_secs()),
        Recovery::Person(reason) => {
            assert!(
                reason.message.contains("erp") && reason.message.contains("create"),
                "{}",
                reason.message
            );
            "person".to_owned()
        }
    };
    assert_eq!(got, expect);
}

#[test]
fn recovery_follows_the_idempotency_class() {
    let at_once = seconds(1);
    check_recover(&create(KEYED), "g1", at_once, "resend at 30");
    check_recover(&create(IdempotencyClass::Upsert), "g1", at_once, "resend at 30");
    check_recover(&create(SEARCHED), "g1", at_once, "probe at 45");
    check_recover(&create(IdempotencyClass::None), "g1", at_once, "person");
}

#[test]
fn recovery_long_after_does_not_wait_again() {
    check_recover(&create(KEYED), "g1", seconds(100), "resend at 100");
    check_recover(&create(SEARCHED), "g1", seconds(100), "probe at 100");
}

#[test]
fn a_key_is_trusted_for_half_its_life_and_under_its_own_credential() {
    check_recover(&create(KEYED), "g1", seconds(300), "resend at 300");
    check_recover(&create(KEYED), "g1", seconds(301), "probe at 301");
    check_recover(&create(KEYED), "g2", seconds(1), "probe at 30");
    // An upsert's key is the record's own id: no credential or age changes it.
    check_recover(&create(IdempotencyClass::Upsert), "g2", seconds(9000), "resend at 9000");
    // The key would be dead by the time the bytes have settled.
    check_recover(&create(IdempotencyClass::NativeKey { ttl_s: 40 }), "g1", seconds(1), "probe at 30");

    let keyed = create(KEYED);
    assert!(keyed.key_lives("g1", MADE + seconds(300)));
    assert!(!keyed.key_lives("g1", MADE + seconds(301)));
    assert!(!keyed.key_lives("g2", MADE));
    assert!(create(SEARCHED).key_lives("g2", MADE + seconds(9000)));
}

#[test]
fn what_was_never_sent_need_not_settle_down() {
    let unsent = |class| Intent { sends: 0, ..create(class) };
    check_recover(&unsent(SEARCHED), "g1", seconds(1), "probe at 1");
    // Under a key, only a create that looks first was never sent.
    check_recover(&unsent(KEYED), "g1", seconds(1), "probe at 1");
    check_recover(&unsent(IdempotencyClass::None), "g1", seconds(1), "person");
}

#[test]
fn i12_a_stored_wait_survives_a_restart() {
    let mut intent = create(IdempotencyClass::Upsert);
    intent.due = MADE + seconds(500);
    check_recover(&intent, "g1", seconds(1), "resend at 30");
    intent.state = IntentState::Doubtful;
    check_recover(&intent, "g1", seconds(1), "resend at 500");
}

#[test]
fn fingerprints_group_causes() {
    let erp = System::new("erp").unwrap();
    let refusal = Refusal {
        status: Some(422),
        code: Some("bad_country".into()),
        field: Some("country".into()),
        message: "Ruritania is no country".into(),
    };
    let of = |refusal: &Refusal, version| fingerprint(&erp, "validation", refusal, "contact.erp", version);
    let print = of(&refusal, 1);
    assert!(print.starts_with(&format!("fp{FINGERPRINT_VERSION}_")));

    let other_words = Refusal { message: "Atlantis is no country".into(), ..refusal.clone() };
    assert_eq!(of(&other_words, 1), print);
    assert_ne!(of(&refusal, 2), print);
    let other_field = Refusal { field: Some("region".into()), ..refusal.clone() };
    assert_ne!(of(&other_field, 1), print);
    // Parts do not run together.
    let shifted = Refusal { code: Some("bad_countryc".into()), field: Some("ountry".into()), ..refusal };
    assert_ne!(of(&shifted, 1), print);
}

#[test]
fn levels_cover_and_join() {
    let level = |version, generation| Level { version, generation };
    assert!(level(3, 1).covers(level(3, 0)));
    assert!(!level(3, 0).covers(level(2, 1)));
    assert_eq!(level(3, 0).join(level(2, 1)), level(3, 1));
    assert_eq!(level(3, 1).to_string(), "v3+1");
}

#[test]
fn names_and_numbers_come_back() {
    for lane in Lane::ALL {
        assert_eq!(Lane::from_number(lane.number()), lane);
    }
    for name in ["pending", "retrying", "uncertain", "parked", "dead", "delivered", "superseded", "skipped"] {
        assert_eq!(State::from_name(name).unwrap().name(), name);
    }
    assert_eq!(State::from_name("lost"), None);
}

#[test]
fn what_is_unknown_joins_every_difference() {
    let intent = create(KEYED);
    let mut shadow =
        Shadow::blank(intent.tenant().clone(), intent.record, intent.system.clone(), intent.object.clone());
    let none = BTreeSet::new();
    assert_eq!(shadow.difference(&intent.fields, &none), *intent.fields);
    shadow.confirm(&intent.fields);
    assert!(shadow.difference(&intent.fields, &none).is_empty());

    let open = BTreeSet::from(["email".to_owned()]);
    assert_eq!(shadow.difference(&intent.fields, &open).keys().collect::<Vec<_>>(), ["email"]);
    shadow.doubt(&intent.fields);
    assert_eq!(shadow.difference(&intent.fields, &none), *intent.fields);
    shadow.confirm(&intent.fields);
    assert!(shadow.difference(&intent.fields, &none).is_empty());
}

#[test]
fn throttling_and_ends_cost_no_attempt() {
    let spends: Vec<&str> =
        ALL.iter().filter(|class| class.spends_attempt()).map(|class| class.name()).collect();
    assert_eq!(spends, ["conflict", "locked", "uncertain", "retryable"]);
}

#[test]
fn outcomes_survive_storage() {
    let outcome = Outcome::because(Class::Retryable, "connection refused");
    let text = serde_json::to_string(&outcome).unwrap();
    assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
}

pub(crate) const ALL: [Class; 18] = [
    Class::Applied,
    Class::Absent,
    Class::RateLimited,
    Class::QuotaExhausted,
    Class::AuthExpired,
    Class::AuthRevoked,
    Class::Permission,
    Class::Validation,
    Class::TooLarge,
    Class::Duplicate,
    Class::NotFound,
    Class::Gone,
    Class::Conflict,
    Class::Locked,
    Class::BatchRejected,
    Class::Uncertain,
    Class::Retryable,
    Class::Permanent,
];

fn ordered(subject: u128, generation: i64) -> crate::Edit {
    crate::Edit {
        route: RouteId::from("told"),
        subject: Subject::Event(canonical::EventId::from_parts(MADE, subject)),
        level: Level { version: 1, generation },
        values: Fields::new(),
        before: Fields::new(),
        why: "ann: a test".into(),
        at: Wall(1),
    }
}

fn dead(edit: &crate::Edit) -> Obligation {
    let tenant = Tenant::new("acme").unwrap();
    Obligation {
        key: ObligationKey { tenant, route: edit.route.clone(), subject: edit.subject },
        seq: 1,
        system: System::new("erp").unwrap(),
        object: Object::new("customer").unwrap(),
        entity: canonical::Entity::new("Contact").unwrap(),
        record: RecordId::from_parts(MADE, 1),
        lane: Lane::Standard,
        wanted: edit.level,
        reached: Level::default(),
        state: State::Dead,
        attempts: 1,
        due: Wall(1),
        raised_at: Wall(1),
        folded: 1,
        waiting: None,
        reason: None,
        trace: String::new(),
        aside: crate::Aside::default(),
    }
}

/// What was ordered and not said is never dropped for another order.
#[test]
fn edits_that_wait_are_kept() {
    let (tenant, system) = (Tenant::new("acme").unwrap(), System::new("erp").unwrap());
    let record = RecordId::from_parts(MADE, 1);
    let mut shadow = Shadow::blank(tenant, record, system, Object::new("customer").unwrap());
    for subject in 1..=8 {
        assert!(!shadow.is_crowded());
        assert!(shadow.edit(ordered(subject, 1), |_| false));
    }
    assert!(shadow.is_crowded());
    let before = shadow.clone();
    assert!(!shadow.edit(ordered(9, 1), |_| false));
    assert_eq!(shadow, before);
    assert!(shadow.edit(ordered(9, 1), |known| *known == ordered(3, 1)));
    assert!(!shadow.edits.contains(&ordered(3, 1)) && shadow.edits.contains(&ordered(1, 1)));
}

#[test]
fn an_edit_is_past_when_nobody_will_say_it() {
    let edit = ordered(1, 1);
    let row = dead(&edit);
    assert!(!edit.is_past(Some(&row)), "it may be tried again");
    assert!(!edit.is_past(Some(&Obligation { state: State::Pending, ..row.clone() })));
    assert!(edit.is_past(None));
    assert!(edit.is_past(Some(&Obligation { state: State::Discarded, ..row.clone() })));
    assert!(edit.is_past(Some(&Obligation { reached: edit.level, ..row.clone() })));
    assert!(edit.is_past(Some(&Obligation { wanted: Level { version: 2, generation: 1 }, ..row })));
}
