//! The proof finds what is wrong, and only that: each way of being wrong is planted once.

use std::collections::BTreeMap;

use sandbox::Books;
use serde_json::{Value, json};

use super::{Findings, Outage, prove, quantile};
use crate::demo::diary::{Diary, Key, Kind, Often, Place, Policy, Stray};
use crate::demo::timeline::Read;
use crate::demo::views::View;

const VIEWS: [View; 3] = [
    View {
        kind: Kind::Account,
        place: Place::Crm,
        object: "companies",
        id: "business_id",
        fields: &[("phone", "phone", Read::Text), ("credit_hold", "credit_hold", Read::Truth)],
        when: None,
    },
    View {
        kind: Kind::Account,
        place: Place::Erp,
        object: "customer",
        id: "number",
        fields: &[("phone", "phone", Read::Text), ("credit_hold", "hold", Read::Truth)],
        when: None,
    },
    View {
        kind: Kind::Invoice,
        place: Place::Erp,
        object: "invoice",
        id: "number",
        fields: &[("account", "entity", Read::Ref("customer"))],
        when: None,
    },
];

/// A history: when, who, what changed.
type Steps<'s> = &'s [(u64, &'s str, Value)];

fn object(id: &str, steps: Steps<'_>) -> Value {
    let mut values = serde_json::Map::new();
    let mut history = Vec::new();
    for (index, (at_ms, actor, changed)) in steps.iter().enumerate() {
        values.extend(changed.as_object().unwrap().clone());
        let action = if index == 0 { "create" } else { "update" };
        history.push(json!({"at_ms": at_ms, "actor": actor, "action": action, "changed": changed, "version": null, "key": null}));
    }
    json!({"id": id, "values": values, "created_ms": 0, "updated_ms": 0, "archived_ms": null, "history": history})
}

fn books(objects: Value, effects: Value) -> Books {
    let calls =
        json!({"total": 0, "by_operation": {}, "by_status": {}, "per_second": {}, "peak_concurrency": 0});
    let webhooks =
        json!({"events": 0, "unheard": 0, "sent": 0, "acked": 0, "failed": 0, "given_up": 0, "pending": 0});
    serde_json::from_value(json!({
        "account": "1", "objects": objects, "duplicates": [], "backwards": [], "effects": effects, "calls": calls,
        "webhooks": webhooks, "faults": {}, "lanes": {},
    }))
    .unwrap()
}

fn acc() -> Key {
    Key::new(Kind::Account, "ACC-1")
}

/// The CRM says a phone number at 10 and another at 20; the ERP says no credit hold at 15.
fn diary() -> Diary {
    let mut diary = Diary::default();
    diary.say(&acc(), "phone", Place::Crm, Some("1"), 10);
    diary.say(&acc(), "phone", Place::Crm, Some("2"), 20);
    diary.say(&acc(), "credit_hold", Place::Erp, Some("false"), 15);
    diary
}

fn crm() -> Value {
    let steps: Steps<'_> = &[
        (10, "person", json!({"business_id": "ACC-1", "phone": "1"})),
        (18, "integration", json!({"credit_hold": "false"})),
        (20, "person", json!({"phone": "2"})),
    ];
    json!({"companies": {"7": object("7", steps)}})
}

fn judged(diary: &Diary, crm: Value, erp: Steps<'_>) -> Findings {
    let erp = json!({"customer": {"3": object("3", erp)}});
    let all = BTreeMap::from([(Place::Crm, books(crm, json!({}))), (Place::Erp, books(erp, json!({})))]);
    prove(diary, &all, &VIEWS, &[])
}

fn erp_with(rest: Steps<'_>) -> Vec<(u64, &'static str, Value)> {
    let mut steps = vec![
        (13, "integration", json!({"number": "ACC-1", "phone": "1"})),
        (15, "person", json!({"hold": false})),
    ];
    for (at, who, what) in rest {
        let who = if *who == "person" { "person" } else { "integration" };
        steps.push((*at, who, what.clone()));
    }
    steps
}

#[test]
fn a_good_world_is_found_good() {
    let found = judged(&diary(), crm(), &erp_with(&[(24, "integration", json!({"phone": "2"}))]));
    assert_eq!(found.complaints, Vec::<String>::new());
    assert_eq!((found.expected, found.delivered, found.superseded, found.lost), (3, 3, 0, 0));
    assert_eq!((found.records, found.agreeing), (1, 1));
    assert_eq!(found.calm_ms, [3, 3, 4]);
}

#[test]
fn a_newer_value_stands_for_those_before_it() {
    let steps = [
        (25, "integration", json!({"number": "ACC-1", "phone": "2"})),
        (26, "person", json!({"hold": false})),
    ];
    let found = judged(&diary(), crm(), &steps);
    assert_eq!((found.delivered, found.superseded, found.lost), (2, 1, 0));
}

#[test]
fn what_never_arrives_is_lost() {
    let found = judged(&diary(), crm(), &erp_with(&[]));
    assert_eq!(found.lost, 1);
    assert_eq!(found.agreeing, 0);
    let nothing = BTreeMap::from([(Place::Crm, books(crm(), json!({})))]);
    assert!(prove(&diary(), &nothing, &VIEWS, &[]).lost > 0);
}

#[test]
fn an_older_value_after_a_newer_one_is_out_of_order() {
    let rest = [
        (24, "integration", json!({"phone": "2"})),
        (26, "integration", json!({"phone": "1"})),
        (28, "integration", json!({"phone": "2"})),
    ];
    assert_eq!(judged(&diary(), crm(), &erp_with(&rest)).out_of_order, 1);
}

#[test]
fn writing_over_the_owner_is_a_violation() {
    let mut crm = crm();
    let bad = json!({"at_ms": 30, "actor": "integration", "action": "update", "changed": {"phone": "9"}, "version": null, "key": null});
    crm["companies"]["7"]["history"].as_array_mut().unwrap().push(bad);
    let found = judged(&diary(), crm, &erp_with(&[(24, "integration", json!({"phone": "2"}))]));
    assert_eq!(found.ownership_violations, 1);
}

#[test]
fn a_stray_that_travels_is_a_violation_and_one_that_is_reverted_is_not() {
    let mut diary = diary();
    diary.strays.push(Stray {
        key: acc(),
        field: "credit_hold",
        place: Place::Crm,
        at_ms: 30,
        value: "true".to_owned(),
        policy: Policy::Revert,
    });
    let rest = [(24, "integration", json!({"phone": "2"}))];
    let with = |more: &[(u64, &str, &str)]| {
        let mut crm = crm();
        for (at, who, value) in more {
            let step = json!({"at_ms": at, "actor": who, "action": "update", "changed": {"credit_hold": value}, "version": null, "key": null});
            crm["companies"]["7"]["history"].as_array_mut().unwrap().push(step);
        }
        crm
    };
    let good =
        judged(&diary, with(&[(30, "person", "true"), (33, "integration", "false")]), &erp_with(&rest));
    assert_eq!((good.ownership_violations, good.agreeing), (0, 1), "{:?}", good.complaints);
    let standing = judged(&diary, with(&[(30, "person", "true")]), &erp_with(&rest));
    assert_eq!(standing.agreeing, 0, "a revert that never came");

    let steps =
        erp_with(&[(24, "integration", json!({"phone": "2"})), (35, "integration", json!({"hold": true}))]);
    let bad = judged(&diary, with(&[(30, "person", "true"), (33, "integration", "false")]), &steps);
    assert!(bad.ownership_violations > 0);
}

#[test]
fn a_refused_edit_may_stand_until_its_owner_speaks() {
    let mut diary = diary();
    let stray = |at_ms| Stray {
        key: acc(),
        field: "phone",
        place: Place::Erp,
        at_ms,
        value: "9".to_owned(),
        policy: Policy::Reject,
    };
    let steps =
        erp_with(&[(24, "integration", json!({"phone": "2"})), (30, "person", json!({"phone": "9"}))]);
    diary.strays.push(stray(30));
    assert_eq!(judged(&diary, crm(), &steps).agreeing, 1);
    diary.say(&acc(), "phone", Place::Crm, Some("3"), 40);
    assert_eq!(judged(&diary, crm(), &steps).agreeing, 0);
}

#[test]
fn two_live_objects_of_one_business_id_are_a_duplicate() {
    let steps: Steps<'_> = &[(10, "person", json!({"business_id": "ACC-1", "phone": "2"}))];
    let mut crm = crm();
    crm["companies"]["8"] = object("8", steps);
    let found = judged(&diary(), crm, &erp_with(&[(24, "integration", json!({"phone": "2"}))]));
    assert_eq!(found.duplicate_effects, 1);
}

#[test]
fn side_effects_happen_once() {
    let mut diary = Diary::default();
    let often = |least, most| Often { least, most };
    let told = [("a", often(1, 1)), ("b", often(1, 1)), ("c", often(0, 2))];
    diary.told = told.into_iter().map(|(id, often)| ((Place::Marketing, id.to_owned()), often)).collect();
    let effects = json!({"events_received": {"a": 2, "c": 2}});
    let all = BTreeMap::from([(Place::Marketing, books(json!({}), effects))]);
    let found = prove(&diary, &all, &[], &[]);
    assert_eq!((found.duplicate_effects, found.lost, found.expected), (1, 1, 2), "{:?}", found.complaints);
}

#[test]
fn references_are_compared_by_business_id() {
    let mut diary = diary();
    let invoice = Key::new(Kind::Invoice, "INV-1");
    diary.say(&invoice, "account", Place::Erp, Some("ACC-1"), 50);
    let good = erp_with(&[(24, "integration", json!({"phone": "2"}))]);
    for (customer, agreeing) in [("3", 2), ("4", 1)] {
        let steps: Steps<'_> = &[(50, "person", json!({"number": "INV-1", "entity": {"id": customer}}))];
        let erp = json!({"customer": {"3": object("3", &good)}, "invoice": {"5": object("5", steps)}});
        let all =
            BTreeMap::from([(Place::Crm, books(crm(), json!({}))), (Place::Erp, books(erp, json!({})))]);
        assert_eq!(prove(&diary, &all, &VIEWS, &[]).agreeing, agreeing);
    }
}

#[test]
fn what_waited_out_an_outage_is_timed_apart() {
    let outage = Outage { place: Place::Erp, from_ms: 19, until_ms: 23 };
    let erp =
        json!({"customer": {"3": object("3", &erp_with(&[(24, "integration", json!({"phone": "2"}))]))}});
    let all = BTreeMap::from([(Place::Crm, books(crm(), json!({}))), (Place::Erp, books(erp, json!({})))]);
    let found = prove(&diary(), &all, &VIEWS, &[outage]);
    assert_eq!(found.outage_ms, BTreeMap::from([(Place::Erp, vec![4])]));
    assert_eq!((found.calm_ms, found.beside_ms), (vec![3, 3], vec![]));
}

#[test]
fn who_left_is_not_kept_up_to_date_and_who_never_came_is_not_there() {
    let views = [View { when: Some(("plan", &["pro"])), ..VIEWS[1] }];
    let run = |plans: &[(u64, &str)], erp: Value| {
        let mut diary = diary();
        for (at, plan) in plans {
            diary.say(&acc(), "plan", Place::Crm, Some(plan), *at);
        }
        let all = BTreeMap::from([(Place::Erp, books(erp, json!({})))]);
        prove(&diary, &all, &views, &[])
    };
    let old = json!({"customer": {"3": object("3", &erp_with(&[]))}});
    let left = run(&[(10, "pro"), (12, "free")], old.clone());
    assert_eq!((left.lost, left.agreeing), (0, 1), "{:?}", left.complaints);
    let stays = run(&[(10, "pro")], old.clone());
    assert_eq!((stays.lost, stays.agreeing), (1, 0));
    let never = run(&[(10, "free")], old);
    assert_eq!(never.agreeing, 0);
    let late = run(&[(10, "free"), (22, "pro")], json!({}));
    assert!(late.lost > 0, "due since it entered");
}

#[test]
fn quantiles() {
    assert_eq!(quantile(&[], 0.5), None);
    assert_eq!(quantile(&[1, 2, 3, 4], 0.5), Some(2));
    assert_eq!(quantile(&[1, 2, 3, 4], 0.99), Some(4));
    assert_eq!(quantile(&[5], 0.0), Some(5));
}
