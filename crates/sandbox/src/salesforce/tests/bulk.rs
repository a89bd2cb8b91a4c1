//! Bulk jobs: their states, what comes of each row, and what they refuse.

use super::*;
use crate::fault::{Fault, FaultKind};

/// An org whose jobs are over at once.
fn quick(adjust: impl FnOnce(&mut Options)) -> Trial {
    org_with(|options| {
        options.limits.job_ms = 0;
        adjust(options);
    })
}

fn job(org: &mut Trial, operation: &str) -> String {
    let mut body =
        json!({"object": "Contact", "operation": operation, "contentType": "CSV", "lineEnding": "LF"});
    if operation == "upsert" {
        body["externalIdFieldName"] = json!("Concord_Id__c");
    }
    let said = org.call("POST", &format!("{DATA}/jobs/ingest"), &body).is(200);
    assert_eq!(said.text("/state"), "Open");
    said.text("/id").to_owned()
}

fn fill(org: &mut Trial, id: &str, csv: &'static str) -> Said {
    org.headers.push(("content-type", "text/csv".to_owned()));
    let said = org.raw("PUT", &format!("{DATA}/jobs/ingest/{id}/batches"), csv);
    org.headers.clear();
    said
}

fn set(org: &mut Trial, id: &str, state: &str) -> Said {
    org.call("PATCH", &format!("{DATA}/jobs/ingest/{id}"), &json!({"state": state}))
}

fn state(org: &mut Trial, id: &str) -> String {
    org.get(&format!("{DATA}/jobs/ingest/{id}")).is(200).text("/state").to_owned()
}

fn list(org: &mut Trial, id: &str, name: &str) -> String {
    let said = org.get(&format!("{DATA}/jobs/ingest/{id}/{name}/")).is(200);
    String::from_utf8(said.answer.response.body().to_vec()).unwrap()
}

#[test]
fn a_job_does_nothing_before_it_is_closed_and_tells_of_each_row_in_another_order() {
    let mut org = org_with(|options| options.limits.job_ms = 1_000);
    make(&mut org, "Contact", json!({"LastName": "Old", "Phone": "1", "Concord_Id__c": "r1"}));
    let id = job(&mut org, "upsert");
    let csv = "Concord_Id__c,LastName,Phone\nr1,\"New, \"\"x\"\"\",#N/A\nr2,Two,\nr3,,7\n";
    fill(&mut org, &id, csv).is(201);
    assert_eq!(column(&query(&mut org, "SELECT LastName FROM Contact"), "LastName"), ["Old"]);
    assert_eq!(state(&mut org, &id), "Open");
    set(&mut org, &id, "UploadComplete").is(200);
    assert_eq!(state(&mut org, &id), "InProgress");
    refused(&mut org, "GET", &format!("jobs/ingest/{id}/failedResults"), Value::Null, 400, "INVALIDJOBSTATE");
    org.now += 1_000;
    assert_eq!(state(&mut org, &id), "JobComplete");
    let done = list(&mut org, &id, "successfulResults");
    let lines: Vec<&str> = done.lines().collect();
    assert_eq!(lines[0], "\"sf__Id\",\"sf__Created\",\"Concord_Id__c\",\"LastName\",\"Phone\"");
    assert!(lines[1].ends_with("\"true\",\"r2\",\"Two\",\"\""), "{done}");
    assert!(lines[2].ends_with("\"false\",\"r1\",\"New, \"\"x\"\"\",\"#N/A\""), "{done}");
    let failed = list(&mut org, &id, "failedResults");
    assert!(
        failed.contains("REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName--"),
        "{failed}"
    );
    assert_eq!(list(&mut org, &id, "unprocessedrecords").lines().count(), 1);
    let said = query(&mut org, "SELECT LastName, Phone FROM Contact ORDER BY LastName");
    assert_eq!(column(&said, "LastName"), ["New, \"x\"", "Two"]);
    assert_eq!(column(&said, "Phone")[0], "null");
    // It is over: nothing more is put in, and it is not closed twice.
    assert_eq!(fill(&mut org, &id, csv).is(400).text("/0/errorCode"), "INVALIDJOBSTATE");
    assert_eq!(set(&mut org, &id, "UploadComplete").is(400).text("/0/errorCode"), "INVALIDJOBSTATE");
    org.raw("DELETE", &format!("{DATA}/jobs/ingest/{id}"), "").is(204);
    refused(&mut org, "GET", &format!("jobs/ingest/{id}"), Value::Null, 404, "NOT_FOUND");
}

#[test]
fn a_job_that_ends_before_its_time_says_what_it_did_not_come_to() {
    let mut org = quick(|_| {});
    org.world.add_fault(Fault::new(FaultKind::FailedJob { share: 0.5 }).times(1));
    let id = job(&mut org, "insert");
    fill(&mut org, &id, "LastName\nOne\nTwo\n").is(201);
    set(&mut org, &id, "UploadComplete").is(200);
    assert_eq!(state(&mut org, &id), "Failed");
    assert_eq!(list(&mut org, &id, "successfulResults").lines().count(), 2);
    assert_eq!(list(&mut org, &id, "unprocessedrecords"), "\"LastName\"\n\"Two\"\n");
    assert_eq!(org.world.books().faults["failed_job"], 1);
    // Filled twice, or with a field that is not there, it comes to none of them.
    let strict = |options: &mut Options| options.strict_properties = true;
    let mut org = quick(strict);
    for (csv, times) in [("LastName\nOne\n", 2), ("LastName,Nonsense__c\nOne,1\n", 1)] {
        let id = job(&mut org, "insert");
        for _ in 0..times {
            fill(&mut org, &id, csv).is(201);
        }
        set(&mut org, &id, "UploadComplete").is(200);
        assert_eq!(state(&mut org, &id), "Failed");
        assert_eq!(list(&mut org, &id, "unprocessedrecords").lines().count(), 2);
    }
    // One that is given up does nothing.
    let id = job(&mut org, "insert");
    fill(&mut org, &id, "LastName\nOne\n").is(201);
    set(&mut org, &id, "Aborted").is(200);
    assert_eq!(set(&mut org, &id, "UploadComplete").is(400).text("/0/errorCode"), "INVALIDJOBSTATE");
    assert_eq!(query(&mut org, "SELECT Id FROM Contact").body["totalSize"], 0);
}

#[test]
fn rows_are_changed_and_deleted_by_their_ids_and_rules_and_locks_meet_them() {
    let mut org = quick(|_| {});
    let account = make(&mut org, "Account", json!({"Name": "Acme", "Concord_Id__c": "a1"}));
    let contact = make(&mut org, "Contact", json!({"LastName": "One"}));
    let id = job(&mut org, "update");
    let csv = format!("Id,Account.Concord_Id__c\n{contact},a1\n003000000000999AAA,a1\n");
    fill(&mut org, &id, Box::leak(csv.into_boxed_str())).is(201);
    set(&mut org, &id, "UploadComplete").is(200);
    assert!(list(&mut org, &id, "failedResults").contains("INVALID_CROSS_REFERENCE_KEY"));
    assert_eq!(column(&query(&mut org, "SELECT AccountId FROM Contact"), "AccountId"), [account]);
    let id = job(&mut org, "delete");
    fill(&mut org, &id, Box::leak(format!("Id\n{contact}\n").into_boxed_str())).is(201);
    set(&mut org, &id, "UploadComplete").is(200);
    assert_eq!(column(&query(&mut org, "SELECT Id FROM Contact WHERE IsDeleted = true"), "Id"), [contact]);

    org.world.add_fault(Fault::new(FaultKind::Rule { message: "No robots.".into() }).holding("Robot"));
    let id = job(&mut org, "insert");
    fill(&mut org, &id, "LastName\nRobot\nAnn\n").is(201);
    set(&mut org, &id, "UploadComplete").is(200);
    let failed = list(&mut org, &id, "failedResults");
    assert!(failed.contains("FIELD_CUSTOM_VALIDATION_EXCEPTION:No robots.:--"), "{failed}");
    org.world.add_fault(Fault::new(FaultKind::PartialBatch { share: 1.0 }).times(1));
    let id = job(&mut org, "insert");
    fill(&mut org, &id, "LastName\nBob\n").is(201);
    set(&mut org, &id, "UploadComplete").is(200);
    assert!(list(&mut org, &id, "failedResults").contains("UNABLE_TO_LOCK_ROW:"));
    assert_eq!(org.world.books().faults["row_locked"], 1);

    let mut asks = |body: Value, code: &str| refused(&mut org, "POST", "jobs/ingest", body, 400, code);
    asks(json!({"object": "Nothing", "operation": "insert"}), "INVALIDENTITY");
    asks(json!({"object": "Contact", "operation": "undelete"}), "INVALIDJOB");
    asks(json!({"object": "Contact", "operation": "upsert"}), "INVALIDJOB");
    asks(json!({"object": "Contact", "operation": "insert", "lineEnding": "CR"}), "INVALIDJOB");
}
