//! Writes: by id, by external id, in collections; what is refused, and in which words.

use serde_json::{Value, json};

use super::{DATA, custom, make, org, org_with, query, refused};
use crate::fault::{Fault, FaultKind};
use crate::options::{DuplicateRule, Property};
use crate::person::Edit;
use crate::shelf::Values;
use crate::trial::{NOW, Said, Trial};

fn upsert(org: &mut Trial, kind: &str, key: &str, values: &Value) -> Said {
    org.call("PATCH", &format!("{DATA}/sobjects/{kind}/Concord_Id__c/{key}"), values)
}

fn together(org: &mut Trial, kind: &str, records: Value) -> Said {
    let records = records.as_array().unwrap().iter().map(|record| {
        let mut record = record.clone();
        record["attributes"] = json!({"type": kind});
        record
    });
    let body = json!({"allOrNone": false, "records": records.collect::<Vec<_>>()});
    org.call("PATCH", &format!("{DATA}/composite/sobjects/{kind}/Concord_Id__c"), &body)
}

fn values(pairs: Value) -> Values {
    pairs.as_object().unwrap().clone().into_iter().collect()
}

#[test]
fn an_upsert_makes_a_record_once() {
    let mut org = org();
    let body = json!({"LastName": "Hara", "Email": "ann@x.test"});
    let said = upsert(&mut org, "Contact", "rec_1", &body).is(201);
    assert_eq!(said.body["created"], true);
    let id = said.text("/id").to_owned();
    assert_eq!((id.len(), &id[..3]), (18, "003"));
    assert_eq!(said.header("location"), Some(format!("{DATA}/sobjects/Contact/{id}").as_str()));
    let said = upsert(&mut org, "Contact", "REC_1", &json!({"LastName": "O'Hara"})).is(200);
    assert_eq!(
        (said.text("/id"), &said.body["created"]),
        (id.as_str(), &json!(false)),
        "whatever the key's case"
    );
    let read = org.get(&format!("{DATA}/sobjects/Contact/Concord_Id__c/rec_1")).is(200);
    assert_eq!((read.text("/Name"), read.text("/Concord_Id__c")), ("O'Hara", "rec_1"));
    // The key stands in the address only, and so does the id.
    refused(
        &mut org,
        "PATCH",
        "sobjects/Contact/Concord_Id__c/rec_1",
        json!({"Concord_Id__c": "x"}),
        400,
        "INVALID_FIELD",
    );
    refused(
        &mut org,
        "PATCH",
        "sobjects/Contact/Concord_Id__c/rec_1",
        json!({"id": id}),
        400,
        "INVALID_FIELD",
    );
    // No external id: a lead has no such field here, and `Email` is none.
    refused(&mut org, "PATCH", "sobjects/Lead/Concord_Id__c/rec_1", json!({}), 404, "NOT_FOUND");
    refused(&mut org, "PATCH", "sobjects/Contact/Email/a@x.test", json!({}), 404, "NOT_FOUND");
    let books = org.world.books();
    assert_eq!(books.objects["Contact"].len(), 1);
    assert_eq!(books.effects["letters_sent"].values().sum::<u64>(), 1);
    assert_eq!(books.effects["flows_run"].values().sum::<u64>(), 2, "flows run with every save");
    assert_eq!((books.calls.by_operation["upsert"], books.calls.by_operation["read"]), (6, 1));
}

#[test]
fn a_key_that_stands_at_several_is_nobodys() {
    let mut org = org();
    let ids: Vec<String> = (0..2)
        .map(|n| make(&mut org, "Contact", json!({"LastName": n.to_string(), "Old_Id__c": "7"})))
        .collect();
    let said =
        org.call("PATCH", &format!("{DATA}/sobjects/Contact/Old_Id__c/7"), &json!({"LastName": "x"})).is(300);
    let links: Vec<String> = ids.iter().map(|id| format!("{DATA}/sobjects/Contact/{id}")).collect();
    assert_eq!(said.body, json!(links));
    let body = json!({"allOrNone": false, "records": [{"attributes": {"type": "Contact"}, "Old_Id__c": "7", "LastName": "x"}]});
    let said = org.call("PATCH", &format!("{DATA}/composite/sobjects/Contact/Old_Id__c"), &body).is(200);
    assert_eq!(said.text("/0/errors/0/statusCode"), "DUPLICATE_EXTERNAL_ID");
}

#[test]
fn what_a_record_may_not_hold_is_refused_in_the_vendors_words() {
    let mut org = org_with(|options| {
        options.properties.push(custom("Contact", "Vat__c", true));
        options.properties.push(Property {
            value_type: "enumeration".to_owned(),
            options: vec!["gold".to_owned()],
            ..custom("Contact", "Tier__c", false)
        });
        options.strict_properties = true;
    });
    let account = make(&mut org, "Account", json!({"Name": "Acme"}));
    make(&mut org, "Contact", json!({"LastName": "First", "Vat__c": "DE1"}));
    for (body, code, words) in [
        (json!({"FirstName": "Ann"}), "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]"),
        (json!({"LastName": ""}), "REQUIRED_FIELD_MISSING", "[LastName]"),
        (json!({"LastName": "x".repeat(81)}), "STRING_TOO_LONG", "Last Name: data value too large: xx"),
        (
            json!({"LastName": "A", "Email": "a@x"}),
            "INVALID_EMAIL_ADDRESS",
            "Email: invalid email address: a@x",
        ),
        (json!({"LastName": "A", "Birthdate": "1.2.2000"}), "JSON_PARSER_ERROR", "instance of date"),
        (
            json!({"LastName": "A", "HasOptedOutOfEmail": "perhaps"}),
            "JSON_PARSER_ERROR",
            "instance of boolean",
        ),
        (json!({"LastName": "A", "Tier__c": "tin"}), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "tin"),
        (
            json!({"LastName": "A", "Nickname": "x"}),
            "INVALID_FIELD",
            "No such column 'Nickname' on sobject of type Contact",
        ),
        (json!({"LastName": "A", "Other__c": "x"}), "INVALID_FIELD", "Other__c"),
        (json!({"LastName": "A", "Name": "x"}), "INVALID_FIELD_FOR_INSERT_UPDATE", "Name"),
        (
            json!({"LastName": "A", "AccountId": "acme"}),
            "MALFORMED_ID",
            "Account ID: id value of incorrect type: acme",
        ),
        (json!({"LastName": "A", "AccountId": "0035e0000000001AAA"}), "MALFORMED_ID", "incorrect type"),
        (
            json!({"LastName": "A", "AccountId": "0015e0000zzzzzzAAA"}),
            "INVALID_CROSS_REFERENCE_KEY",
            "cross reference",
        ),
        (
            json!({"LastName": "A", "Account": {"Concord_Id__c": "r"}}),
            "INVALID_FIELD",
            "Foreign key external ID: r not found",
        ),
        (
            json!({"LastName": "A", "Vat__c": "de1"}),
            "DUPLICATE_VALUE",
            "duplicate value found: Vat__c duplicates value on record",
        ),
    ] {
        let said = refused(&mut org, "POST", "sobjects/Contact", body, 400, code);
        assert!(said.text("/0/message").contains(words), "{}", said.body);
    }
    assert_eq!(org.world.books().objects["Contact"].len(), 1, "none of them had an effect");
    // Whatever is an id of the record, in either length.
    let id = make(&mut org, "Contact", json!({"LastName": " A ", "AccountId": &account[..15], "Phone": " "}));
    let read = org.get(&format!("{DATA}/sobjects/Contact/{}", &id[..15])).is(200);
    assert_eq!(
        (read.text("/AccountId"), read.text("/LastName"), &read.body["Phone"]),
        (account.as_str(), "A", &Value::Null)
    );
    org.call("DELETE", &format!("{DATA}/sobjects/Account/{account}"), &Value::Null).is(204);
    let body = json!({"LastName": "A", "AccountId": account});
    refused(&mut org, "POST", "sobjects/Contact", body, 400, "ENTITY_IS_DELETED");
    // Its contacts went with it.
    refused(
        &mut org,
        "PATCH",
        &format!("sobjects/Contact/{id}"),
        json!({"LastName": "B"}),
        404,
        "ENTITY_IS_DELETED",
    );
    refused(&mut org, "DELETE", &format!("sobjects/Contact/{id}"), Value::Null, 404, "ENTITY_IS_DELETED");
    refused(&mut org, "PATCH", "sobjects/Contact/0035e0000zzzzzzAAA", json!({}), 404, "NOT_FOUND");
    let said = refused(&mut org, "PATCH", "sobjects/Contact/nobody", json!({}), 404, "NOT_FOUND");
    assert!(said.text("/0/message").contains("nobody"));
}

#[test]
fn a_parent_is_named_by_its_own_external_id_too() {
    let mut org = org();
    let account =
        upsert(&mut org, "Account", "rec_a", &json!({"Name": "Acme"})).is(201).text("/id").to_owned();
    let id = make(&mut org, "Contact", json!({"LastName": "A", "Account": {"Concord_Id__c": "rec_a"}}));
    assert_eq!(org.get(&format!("{DATA}/sobjects/Contact/{id}")).is(200).text("/AccountId"), account);
    org.call("PATCH", &format!("{DATA}/sobjects/Contact/{id}"), &json!({"AccountId": null})).is(204);
    assert_eq!(org.get(&format!("{DATA}/sobjects/Contact/{id}")).is(200).body["AccountId"], Value::Null);
}

#[test]
fn a_collection_has_a_result_for_each_in_order() {
    let mut org = org();
    org.world.add_fault(Fault::new(FaultKind::Rule { message: "No robots.".into() }).holding("Robot"));
    let said = together(
        &mut org,
        "Contact",
        json!([
            {"Concord_Id__c": "r1", "LastName": "Ann"},
            {"Concord_Id__c": "r2"},
            {"Concord_Id__c": "r3", "LastName": "Robot"},
            {"Concord_Id__c": "r1", "LastName": "Ann again"},
            {"LastName": "Keyless"},
            {"Concord_Id__c": "r4", "LastName": "Bob", "AccountId": "x"},
            {"Concord_Id__c": "r5", "LastName": "Cy"},
        ]),
    )
    .is(200);
    let codes: Vec<&str> = said
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["errors"][0]["statusCode"].as_str().unwrap_or("-"))
        .collect();
    let wanted = [
        "-",
        "REQUIRED_FIELD_MISSING",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "DUPLICATE_VALUE",
        "MISSING_ARGUMENT",
        "MALFORMED_ID",
        "-",
    ];
    assert_eq!(codes, wanted, "{}", said.body);
    assert_eq!(said.text("/2/errors/0/message"), "No robots.");
    assert_eq!(said.body[1]["errors"][0]["fields"], json!(["LastName"]));
    assert_eq!((&said.body[0]["created"], &said.body[6]["success"]), (&json!(true), &json!(true)));
    let again = together(
        &mut org,
        "Contact",
        json!([{"Concord_Id__c": "r5", "LastName": "Cyd"}, {"Concord_Id__c": "r6", "LastName": "D"}]),
    )
    .is(200);
    assert_eq!((&again.body[0]["created"], &again.body[1]["created"]), (&json!(false), &json!(true)));
    assert_eq!(again.body[0]["id"], said.body[6]["id"]);
    let books = org.world.books();
    assert_eq!(books.objects["Contact"].len(), 3);
    assert_eq!(books.calls.by_operation["collection_upsert"], 2);
    // One call, whatever it holds.
    assert_eq!(again.header("sforce-limit-info"), Some("api-usage=2/100000"));
}

#[test]
fn a_rule_is_made_by_the_admin_api_and_refuses_single_records_too() {
    let mut org = org();
    let rule = |body: Value| json!({"kind": "rule", "message": "No machines.", "body": body});
    org.call("POST", "/_admin/faults", &rule(json!(""))).is(400);
    org.call("POST", "/_admin/faults", &rule(Value::Null)).is(400);
    org.call("POST", "/_admin/faults", &rule(json!("Robot"))).is(200);
    let (path, code) = ("sobjects/Contact", "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    let said = refused(&mut org, "POST", path, json!({"LastName": "Robot"}), 400, code);
    assert_eq!(said.text("/0/message"), "No machines.");
    let id = make(&mut org, "Contact", json!({"LastName": "Ann"}));
    refused(&mut org, "PATCH", &format!("{path}/{id}"), json!({"FirstName": "Robot"}), 400, code);
    refused(&mut org, "PATCH", &format!("{path}/Concord_Id__c/r1"), json!({"LastName": "Robot"}), 400, code);
    assert_eq!(org.world.books().objects["Contact"].len(), 1);
}

#[test]
fn a_collection_is_refused_as_a_whole_for_what_concerns_all() {
    let mut org = org();
    let many: Vec<Value> =
        (0..201).map(|n| json!({"Concord_Id__c": n.to_string(), "LastName": "x"})).collect();
    assert_eq!(together(&mut org, "Contact", json!(many)).is(400).text("/0/errorCode"), "EXCEEDED_ID_LIMIT");
    assert_eq!(together(&mut org, "Lead", json!([])).is(404).text("/0/errorCode"), "NOT_FOUND");
    let path = "composite/sobjects/Contact/Concord_Id__c";
    refused(&mut org, "PATCH", path, json!({"records": [{"LastName": "x"}]}), 400, "INVALID_INPUT");
    refused(&mut org, "PATCH", path, json!({}), 400, "JSON_PARSER_ERROR");
    assert!(!org.world.books().objects.contains_key("Contact"));
}

#[test]
fn collections_create_update_read_and_delete_by_id() {
    let mut org = org();
    let typed = |kind: &str, mut record: Value| {
        record["attributes"] = json!({"type": kind});
        record
    };
    let body = json!({"records": [typed("Account", json!({"Name": "A"})), typed("Contact", json!({"LastName": "B"}))]});
    let said = org.call("POST", &format!("{DATA}/composite/sobjects"), &body).is(200);
    let (account, contact) = (said.text("/0/id").to_owned(), said.text("/1/id").to_owned());
    let body = json!({"records": [
        typed("Account", json!({"id": account, "Name": "A2"})), typed("Account", json!({"id": "x", "Name": "A3"})),
        typed("Contact", json!({"id": "0035e0000zzzzzzAAA", "LastName": "B2"})),
    ]});
    let said = org.call("PATCH", &format!("{DATA}/composite/sobjects"), &body).is(200);
    assert_eq!(said.body[0], json!({"id": account, "success": true, "errors": []}));
    assert_eq!(said.text("/1/errors/0/statusCode"), "MALFORMED_ID");
    assert_eq!(said.text("/2/errors/0/statusCode"), "INVALID_CROSS_REFERENCE_KEY");
    let read = org
        .get(&format!("{DATA}/composite/sobjects/Account?ids={account},001000000000000&fields=Name"))
        .is(200);
    assert_eq!((read.text("/0/Name"), &read.body[1]), ("A2", &Value::Null));
    let said = org
        .call("DELETE", &format!("{DATA}/composite/sobjects?ids={account},{contact},{account}"), &Value::Null)
        .is(200);
    assert_eq!(said.text("/2/errors/0/statusCode"), "ENTITY_IS_DELETED");
    assert!(org.world.books().objects["Contact"][&contact].archived_ms.is_some());
}

#[test]
fn a_row_is_locked_with_its_parent_until_the_call_is_answered() {
    let mut org = org();
    let account = make(&mut org, "Account", json!({"Name": "Acme"}));
    let other = make(&mut org, "Account", json!({"Name": "Other"}));
    org.world.add_fault(Fault::new(FaultKind::Slow { ms: 500 }).holding("Slow").times(1));
    org.call("PATCH", &format!("{DATA}/sobjects/Account/{account}"), &json!({"Name": "Slow"})).is(204);
    org.now += 499;
    let body = json!({"LastName": "A", "AccountId": account});
    let said = refused(&mut org, "POST", "sobjects/Contact", body.clone(), 400, "UNABLE_TO_LOCK_ROW");
    assert!(said.text("/0/message").ends_with(&account[..15]), "{}", said.body);
    let said = together(&mut org, "Contact", json!([
        {"Concord_Id__c": "r1", "LastName": "A", "AccountId": account}, {"Concord_Id__c": "r2", "LastName": "B", "AccountId": other},
    ])).is(200);
    assert_eq!(said.text("/0/errors/0/statusCode"), "UNABLE_TO_LOCK_ROW");
    assert_eq!(said.body[1]["success"], true, "somebody else's lock is nothing to it");
    org.now += 1;
    make(&mut org, "Contact", body);
    assert_eq!(org.world.books().faults["row_locked"], 2);
}

#[test]
fn a_fault_locks_some_of_a_collection() {
    let mut org = org();
    org.world.add_fault(Fault::new(FaultKind::PartialBatch { share: 1.0 }).times(1));
    let record = json!([{"Concord_Id__c": "r1", "LastName": "A"}]);
    assert_eq!(
        together(&mut org, "Contact", record.clone()).is(200).text("/0/errors/0/statusCode"),
        "UNABLE_TO_LOCK_ROW"
    );
    assert_eq!(together(&mut org, "Contact", record).is(200).body[0]["created"], true);
}

#[test]
fn duplicate_rules_alert_or_block() {
    let rule =
        |field: &str, blocks| DuplicateRule { object_type: "Contact".into(), field: field.into(), blocks };
    let mut org =
        org_with(|options| options.duplicate_rules = vec![rule("Email", false), rule("Phone", true)]);
    let first = make(&mut org, "Contact", json!({"LastName": "A", "Email": "a@x.test", "Phone": "1"}));
    let same = json!({"LastName": "B", "Email": "A@x.test"});
    let said = refused(&mut org, "POST", "sobjects/Contact", same.clone(), 400, "DUPLICATES_DETECTED");
    assert_eq!(said.text("/0/duplicateResut/matchResults/0/matchRecords/0/record/Id"), first);
    org.headers = vec![("sforce-duplicate-rule-header", "allowSave=true".to_owned())];
    let second = make(&mut org, "Contact", same);
    refused(
        &mut org,
        "POST",
        "sobjects/Contact",
        json!({"LastName": "C", "Phone": "1"}),
        400,
        "DUPLICATES_DETECTED",
    );
    // Nobody is the same as itself.
    org.headers.clear();
    org.call("PATCH", &format!("{DATA}/sobjects/Contact/{first}"), &json!({"Phone": "1"})).is(204);
    refused(
        &mut org,
        "PATCH",
        &format!("sobjects/Contact/{second}"),
        json!({"Phone": "1"}),
        400,
        "DUPLICATES_DETECTED",
    );
}

#[test]
fn people_edit_merge_and_delete() {
    let mut org = org();
    let edit = |org: &mut Trial, edit: Edit| org.world.person(edit, NOW + 5_000);
    let create = |kind: &str, pairs: Value| Edit::Create { object_type: kind.into(), values: values(pairs) };
    let keep = edit(&mut org, create("Account", json!({"Name": "Keep"}))).unwrap();
    let gone =
        edit(&mut org, create("Account", json!({"Name": "Gone", "Phone": "1", "Concord_Id__c": "rec_g"})))
            .unwrap();
    let contact = edit(&mut org, create("Contact", json!({"LastName": "A", "AccountId": gone}))).unwrap();
    let error = edit(&mut org, create("Contact", json!({"FirstName": "B"}))).unwrap_err().to_string();
    assert!(error.contains("Required fields are missing"), "{error}");
    let merge = Edit::Merge { object_type: "Account".into(), keep: keep.clone(), gone: gone.clone() };
    assert_eq!(edit(&mut org, merge.clone()).unwrap(), keep);
    edit(&mut org, merge).unwrap_err();
    let rows = query(
        &mut org,
        "SELECT Id, IsDeleted, MasterRecordId, Phone, Concord_Id__c FROM Account ORDER BY Id",
    )
    .is(200);
    let row = |at: usize, name: &str| rows.body["records"][at][name].clone();
    assert_eq!(
        (row(0, "Phone"), row(0, "IsDeleted"), row(0, "Concord_Id__c")),
        (json!("1"), json!(false), Value::Null)
    );
    assert_eq!((row(1, "MasterRecordId"), row(1, "IsDeleted")), (json!(keep), json!(true)));
    let moved = query(&mut org, "SELECT AccountId FROM Contact").is(200);
    assert_eq!(moved.text("/records/0/AccountId"), keep);
    // The loser's key is free again.
    assert_eq!(upsert(&mut org, "Account", "rec_g", &json!({"Name": "New"})).is(201).body["created"], true);
    edit(&mut org, Edit::Delete { object_type: "Contact".into(), id: contact.clone() }).unwrap();
    edit(&mut org, Edit::Delete { object_type: "Contact".into(), id: contact }).unwrap_err();
    let merge = Edit::Merge { object_type: "Campaign".into(), keep: "1".into(), gone: "2".into() };
    edit(&mut org, merge).unwrap_err();
}
