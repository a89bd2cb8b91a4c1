//! `@hubspot/api-client` against the CRM.

use sandbox::{Kind, Options, Sandbox};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::sdk;

#[test]
fn the_official_client_creates_upserts_searches_and_verifies() {
    let mut options = Options::of(Kind::HubSpot);
    options.limits.index_lag_ms = 300;
    options.strict_properties = true;
    let runtime = Runtime::new().unwrap();
    let crm = runtime.block_on(Sandbox::start(Kind::HubSpot, options)).unwrap();
    let said = sdk::run("hubspot.cjs", &crm.url());

    // What the client understood.
    assert_eq!(said["portal"], 48_200_001);
    assert_eq!(said["conflict"]["code"], 409);
    assert!(said["conflict"]["message"].as_str().unwrap().contains(said["contact"].as_str().unwrap()));
    assert_eq!(said["upserts"], json!({"t1": true, "t2": false, "t3": true}));
    assert_eq!(said["partial"], json!({"numErrors": 1, "results": 1, "trace": "t5"}));
    assert_eq!(said["tooEarly"], 0);
    assert_eq!(said["found"], json!(["Beta"]));
    assert_eq!(said["paged"], 3);
    assert_eq!(said["unauthorized"], 401);
    assert_eq!(said["archivedRead"], 404);
    assert_eq!(said["signature"], json!({"v3": true, "v1": true, "forged": false}));
    assert_eq!(said["events"], json!(["company.creation", "company.propertyChange"]));

    // What the system's own books say happened.
    let books = crm.lock().books();
    let companies = &books.objects["companies"];
    assert_eq!(companies.len(), 4);
    assert!(books.duplicates.is_empty());
    let alpha = companies.values().find(|one| one.values["business_id"] == "b-1").unwrap();
    assert_eq!(alpha.values["name"], "Alpha II");
    let keys: Vec<_> = alpha.history.iter().map(|write| write.key.as_deref().unwrap_or("-")).collect();
    assert_eq!(keys, ["t1", "t2", "-"]);
    assert!(books.webhooks.acked >= 1);
}
