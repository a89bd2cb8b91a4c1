//! What a vendor rewrites is its connector's word, and counts for every mapping: no row here says `equal`.

use std::sync::Arc;

use canonical::{Object, System, Wall};
use config::Configuration;
use ledger::Shadow;
use serde_json::{Value, json};

use super::echo_tests::{configured_by, decided_of, fields, reformatted, refused, shadow, view, written};

/// An ERP that keeps names in capitals, cut to twelve characters, and trims, rounds and cuts times; with who has the name.
fn configuration(owned_name: &str, normalises: &str) -> Arc<Configuration> {
    configured_by(owned_name, |path, text| match path {
        "connectors/target.yaml" => {
            text.replace("  orders:\n", &format!("  orders:\n    normalises: {normalises}\n"))
        }
        "mappings/deal.erp.yaml" => text
            .replace(", equal: folded", "")
            .replace(", equal: trimmed", "")
            .replace(", transform: [{decimal: {scale: 1, round: half_up}}], equal: rounded", ""),
        _ => text,
    })
}

const OWNED: &str = "{owner: crm, pii: none}";
const REVERTED: &str = "{owner: crm, on_conflict: revert, pii: none}";
const REWRITES: &str =
    "{\"*\": trim, name: [upper, {length: 12}], amount: {decimals: 1}, since: {to: seconds}}";

fn edits(config: &Arc<Configuration>, shadow: Shadow, says: Value) -> Vec<String> {
    refused(&decided_of(config, view(shadow), says))
}

#[test]
fn what_the_vendor_makes_of_our_value_is_no_edit() {
    for owned in [OWNED, REVERTED] {
        let config = configuration(owned, REWRITES);
        assert_eq!(edits(&config, shadow(written()), reformatted()), Vec::<String>::new());
        assert_eq!(edits(&config, shadow(reformatted()), written()), Vec::<String>::new());
        // Without the vendor's word the same is somebody's edit.
        let plain = configuration(owned, "{\"*\": as_is}");
        assert_eq!(edits(&plain, shadow(written()), reformatted()), ["code", "name"]);
    }
}

#[test]
fn more_than_the_vendor_makes_of_it_is_an_edit() {
    let config = configuration(OWNED, REWRITES);
    for (name, edited) in
        [("name", "Adah"), ("code", "y"), ("amount", "2.4"), ("since", "2026-01-01T10:00:01Z")]
    {
        let mut says = reformatted();
        says[name] = edited.into();
        assert_eq!(edits(&config, shadow(written()), says), [name]);
    }
}

/// I5: what the vendor cut does not come back as the record's value: neither where we wrote it, nor where nothing is known
/// of what stands there (it was linked, or a write was in doubt).
#[test]
fn i5_what_was_cut_there_is_not_said_to_the_owner() {
    for owned in [OWNED, REVERTED] {
        let config = configuration(owned, REWRITES);
        let long = "Ada Augusta King, Countess of Lovelace";
        let mut told = written();
        told["name"] = long.into();
        let mut says = reformatted();
        says["name"] = json!("ADA AUGUSTA");
        assert_eq!(edits(&config, shadow(told.clone()), says.clone()), Vec::<String>::new(), "{owned}");
        let mut known = view(shadow(json!({})));
        let record = known.records.values_mut().next().unwrap();
        record.fields = fields(told.clone());
        record.fields.insert("account".to_owned(), says["account"].clone());
        let mut alone = json!({"name": says["name"]});
        assert!(decided_of(&config, known.clone(), alone.clone()).is_empty(), "{owned}");
        alone["name"] = json!("ADA BYRON");
        let found = super::echo_tests::taken_in(&config, known, alone, 50);
        let moved = found.iter().any(|op| match op {
            store::Op::PutRecord(record) => record.fields["name"] == json!("ADA BYRON"),
            store::Op::PutDecision(decision) => decision.field.is_some(),
            _ => false,
        });
        assert!(moved, "{owned}: another name is heard");
    }
}

#[test]
fn what_was_written_lately_is_known_by_what_is_left_of_it() {
    let config = configuration(OWNED, REWRITES);
    let object = Object::new("orders").unwrap();
    let (mapping, _) = config.outbound(&System::new("erp").unwrap(), &object).unwrap();
    let there =
        json!({"name": "Bea", "code": "y", "amount": "9", "since": "2026-03-01T10:00:00Z", "account": "c3"});
    let mut later = shadow(there);
    let mut told = written();
    told["name"] = json!(" Ada Augusta King");
    later.remember(&mapping.forms(&fields(told)), Wall(1_799_999_999_000_000));
    let mut says = reformatted();
    says["name"] = json!("ADA AUGUSTA");
    assert_eq!(edits(&config, later.clone(), says.clone()), Vec::<String>::new());
    says["name"] = json!("ADA AUGUSTUS");
    assert_eq!(edits(&config, later, says), ["name"]);
}
