//! Reads: SOQL, its pages, the recycle bin, and lists of what was deleted.

use serde_json::{Value, json};

use super::{DATA, column, make, org, query, refused};
use crate::person::Edit;
use crate::request::encode;
use crate::trial::{NOW, Trial};

/// The poll of the shipped manifest: from a stamp on, behind a row.
fn after(org: &mut Trial, since: &str, id: &str) -> Vec<String> {
    let soql = format!(
        "SELECT Id,IsDeleted,LastName,MasterRecordId,SystemModstamp FROM Contact WHERE SystemModstamp >= {since} AND \
         (SystemModstamp > {since} OR Id > '{id}') ORDER BY SystemModstamp, Id"
    );
    column(&query(org, &soql).is(200), "LastName")
}

#[test]
fn a_poll_goes_on_behind_the_last_row_of_a_second() {
    let mut org = org();
    let ids: Vec<String> =
        ["A", "B", "C"].map(|name| make(&mut org, "Contact", json!({"LastName": name}))).into();
    org.now += 900;
    make(&mut org, "Contact", json!({"LastName": "D"}));
    assert_eq!(
        query(&mut org, "SELECT SystemModstamp FROM Contact").is(200).text("/records/0/SystemModstamp"),
        "2026-11-18T11:06:40.000+0000"
    );
    let none = "000000000000000";
    assert_eq!(after(&mut org, "1970-01-01T00:00:00Z", none), ["A", "B", "C", "D"]);
    assert_eq!(after(&mut org, "2026-11-18T11:06:40Z", &ids[1]), ["C", "D"]);
    assert_eq!(after(&mut org, "2026-11-18T11:06:41Z", none), ["D"]);
    // Any save moves the stamp, even of what was there.
    org.now += 5_000;
    org.call("PATCH", &format!("{DATA}/sobjects/Contact/{}", ids[0]), &json!({"LastName": "A"})).is(204);
    assert_eq!(after(&mut org, "2026-11-18T11:06:42Z", none), ["A"]);
    org.now += 1_000;
    org.call("DELETE", &format!("{DATA}/sobjects/Contact/{}", ids[1]), &Value::Null).is(204);
    assert_eq!(after(&mut org, "2026-11-18T11:06:42Z", none), ["A", "B"]);
}

#[test]
fn the_recycle_bin_is_read_by_query_all_only() {
    let mut org = org();
    let id = make(&mut org, "Contact", json!({"LastName": "A"}));
    org.call("DELETE", &format!("{DATA}/sobjects/Contact/{id}"), &Value::Null).is(204);
    let soql = format!("SELECT Id, IsDeleted FROM Contact WHERE Id = '{}'", &id[..15]);
    assert_eq!(org.get(&format!("{DATA}/query?q={}", encode(&soql))).is(200).body["totalSize"], 0);
    let said = query(&mut org, &soql).is(200);
    assert_eq!(
        (said.text("/records/0/Id"), &said.body["records"][0]["IsDeleted"]),
        (id.as_str(), &json!(true))
    );
    refused(&mut org, "GET", &format!("sobjects/Contact/{id}"), Value::Null, 404, "ENTITY_IS_DELETED");
}

#[test]
fn conditions_orders_and_parents() {
    let mut org = org();
    let account = make(&mut org, "Account", json!({"Name": "Acme \"& O'Hara"}));
    for (name, amount, with) in
        [("one", json!(10), true), ("two", json!(null), false), ("three", json!(2.5), true)]
    {
        let body = json!({"Name": name, "StageName": "open", "CloseDate": "2026-12-01", "Amount": amount,
                          "AccountId": if with { json!(account) } else { Value::Null }});
        make(&mut org, "Opportunity", body);
    }
    let mut names = |rest: &str| {
        column(&query(&mut org, &format!("SELECT Name FROM Opportunity {rest}")).is(200), "Name").join(" ")
    };
    assert_eq!(names("WHERE Amount > 2 ORDER BY Amount DESC"), "one three");
    assert_eq!(names("ORDER BY Amount"), "two three one");
    assert_eq!(names("ORDER BY Amount DESC NULLS LAST, Name"), "one three two");
    assert_eq!(names("WHERE Amount = null OR Name = 'ONE' ORDER BY Name"), "one two");
    assert_eq!(names("WHERE Name NOT IN ('one', 'three')"), "two");
    assert_eq!(names("WHERE NOT (Name = 'one' OR Name = 'two')"), "three");
    assert_eq!(names("WHERE Account.Name = 'Acme \"& O\\'Hara' ORDER BY Name LIMIT 1 OFFSET 1"), "three");
    assert_eq!(
        names("WHERE CloseDate <= 2026-12-01 AND IsWon = false AND Name != 'two' ORDER BY Name"),
        "one three"
    );
    let said =
        query(&mut org, "SELECT Account.Name, Account.Id, name FROM opportunity WHERE Name = 'one'").is(200);
    assert_eq!(said.text("/records/0/Account/Name"), "Acme \"& O'Hara");
    assert_eq!((said.text("/records/0/Account/Id"), said.text("/records/0/Name")), (account.as_str(), "one"));
    let said = query(&mut org, "SELECT Account.Name FROM Opportunity WHERE Name = 'two'").is(200);
    assert_eq!(said.body["records"][0]["Account"], Value::Null);
    assert_eq!(
        query(&mut org, "SELECT COUNT() FROM Opportunity WHERE Amount != null").is(200).body["totalSize"],
        2
    );
    assert_eq!(
        query(&mut org, "SELECT Id FROM Organization").is(200).text("/records/0/Id"),
        "00D5e0000000001EAA"
    );
}

#[test]
fn queries_that_mean_nothing_are_refused() {
    let mut org = org();
    for (soql, code) in [
        ("SELECT", "MALFORMED_QUERY"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Vip FROM Contact", "INVALID_FIELD"),
        ("SELECT Boss.Name FROM Contact", "INVALID_FIELD"),
        ("SELECT IsDeleted FROM User", "INVALID_FIELD"),
        ("SELECT Id FROM Contact ORDER BY Vip", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Vip = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE SystemModstamp > '2026-11-18T11:06:40Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE LastName = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Contact OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
    ] {
        let said = query(&mut org, soql).is(400);
        assert_eq!(said.text("/0/errorCode"), code, "{soql}: {}", said.body);
    }
}

#[test]
fn pages_have_two_thousand_rows_and_an_address_for_the_next() {
    let mut org = org();
    for n in 0..2_300 {
        let values = [("LastName".to_owned(), json!(format!("{n:04}")))].into();
        org.world.person(Edit::Create { object_type: "Contact".into(), values }, NOW).unwrap();
    }
    let soql = "SELECT LastName FROM Contact ORDER BY LastName";
    let first = query(&mut org, soql).is(200);
    assert_eq!(
        (first.body["records"].as_array().unwrap().len(), &first.body["totalSize"]),
        (2_000, &json!(2_300))
    );
    assert_eq!(first.body["done"], false);
    let next = first.text("/nextRecordsUrl").to_owned();
    let second = org.get(&next).is(200);
    assert_eq!((column(&second, "LastName")[0].as_str(), &second.body["done"]), ("2000", &json!(true)));
    assert_eq!(second.body.get("nextRecordsUrl"), None);
    // Only ten queries stay open.
    for _ in 0..10 {
        query(&mut org, soql).is(200);
    }
    assert_eq!(org.get(&next).is(400).text("/0/errorCode"), "INVALID_QUERY_LOCATOR");
    org.headers = vec![("sforce-query-options", "batchSize=200".to_owned())];
    assert_eq!(query(&mut org, soql).is(200).body["records"].as_array().unwrap().len(), 200);
}

#[test]
fn deletions_and_changes_are_listed_by_the_minute() {
    let mut org = org();
    let ids: Vec<String> = ["A", "B"].map(|name| make(&mut org, "Contact", json!({"LastName": name}))).into();
    org.call("DELETE", &format!("{DATA}/sobjects/Contact/{}", ids[0]), &Value::Null).is(204);
    org.now += 120_000;
    let span = "start=2026-11-18T11%3A06%3A59%2B00%3A00&end=2026-11-18T11%3A08%3A00Z";
    let said = org.get(&format!("{DATA}/sobjects/Contact/deleted/?{span}")).is(200);
    assert_eq!(
        said.body["deletedRecords"],
        json!([{"id": ids[0], "deletedDate": "2026-11-18T11:06:40.000+0000"}])
    );
    assert_eq!(said.text("/latestDateCovered"), "2026-11-18T11:08:00.000+0000");
    assert_eq!(said.text("/earliestDateAvailable"), "2026-11-03T11:08:40.000+0000");
    assert_eq!(
        org.get(&format!("{DATA}/sobjects/Contact/updated/?{span}")).is(200).body["ids"],
        json!([ids[1]])
    );
    let late = "start=2026-11-18T11%3A07%3A00Z&end=2026-11-18T11%3A08%3A00Z";
    assert_eq!(
        org.get(&format!("{DATA}/sobjects/Contact/deleted/?{late}")).is(200).body["deletedRecords"],
        json!([])
    );
    refused(
        &mut org,
        "GET",
        "sobjects/Contact/deleted/?start=x&end=y",
        Value::Null,
        400,
        "INVALID_REPLICATION_DATE",
    );
    let none = "sobjects/Contact/deleted/?start=2026-11-18T11%3A07%3A00Z&end=2026-11-18T11%3A07%3A30Z";
    refused(&mut org, "GET", none, Value::Null, 400, "INVALID_REPLICATION_DATE");
}
