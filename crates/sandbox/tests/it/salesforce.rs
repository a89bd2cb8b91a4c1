//! `@jsforce/jsforce-node` against the Salesforce-shaped CRM.

use sandbox::{Kind, Options, Property, Sandbox};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::sdk;

#[test]
fn the_official_client_logs_in_upserts_collects_queries_and_pages() {
    let mut options = Options::of(Kind::Salesforce);
    options.strict_properties = true;
    // Several pages of 600 rows.
    options.page_rows = 250;
    options.properties = vec![Property {
        object_type: "Contact".to_owned(),
        name: "Concord_Id__c".to_owned(),
        value_type: "string".to_owned(),
        has_unique_value: true,
        options: Vec::new(),
    }];
    let runtime = Runtime::new().unwrap();
    let org = runtime.block_on(Sandbox::start(Kind::Salesforce, options)).unwrap();
    let said = sdk::run("salesforce.cjs", &org.url());

    // What the client understood.
    assert_eq!(said["refused"], "INVALID_SESSION_ID");
    assert_eq!(said["organization"], "00D5e0000000001EAA");
    assert_eq!(said["identity"], "00D5e0000000001EAA");
    assert_eq!(said["described"], json!({"prefix": "003", "nillable": false, "length": 80}));
    assert_eq!((&said["global"], &said["account"]), (&json!(true), &json!(true)));
    assert_eq!(said["upserts"], json!([true, false, true]));
    assert_eq!(said["many"], json!([true, "REQUIRED_FIELD_MISSING", false]));
    assert_eq!(said["updated"], json!([true, "INVALID_CROSS_REFERENCE_KEY"]));
    assert_eq!(said["read"], json!(["C", "2", true]));
    assert_eq!(said["invalid"]["code"], "REQUIRED_FIELD_MISSING");
    assert!(said["invalid"]["message"].as_str().unwrap().contains("[LastName]"), "{said}");
    assert_eq!(said["rows"], json!([["B", null], ["C", "Acme"]]));
    assert_eq!(said["malformed"], "MALFORMED_QUERY");
    assert_eq!((&said["destroyed"], &said["twice"]), (&json!(true), &json!("ENTITY_IS_DELETED")));
    assert_eq!(said["bin"], json!(["Gone"]));
    assert_eq!(said["paged"], json!([600, 600, "L0599"]));
    let bulk = json!({
        "state": "JobComplete", "processed": 3, "failed": 1, "done": [["r1", "false"], ["r7", "true"]],
        "errors": [["r8", "REQUIRED_FIELD_MISSING"]], "left": [],
    });
    assert_eq!(said["bulk"], bulk);
    assert_eq!(said["bulked"], json!([["C, \"again\"", null]]));
    assert!(said["closed"].as_str().unwrap().contains("was closed"), "{said}");
    assert_eq!(said["aborted"], "Aborted");
    assert_eq!(said["limit"]["limit"], 100_000);

    // What the system's own books say happened.
    let books = org.lock().books();
    assert_eq!((books.objects["Contact"].len(), books.objects["Lead"].len()), (4, 600));
    assert_eq!(books.calls.by_operation["collection_upsert"], 1);
    assert_eq!(said["limit"]["used"], books.calls.total - books.calls.by_operation["token"] - 1);
}
