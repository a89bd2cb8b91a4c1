//! The example of the repository: loads without a doubt, with all its mapping examples, and with its optional parts.

use std::path::Path;

use canonical::{Object, System};
use ledger::{IdempotencyClass, Lane, RouteKind};

use super::folder::shown;
use crate::{Files, load};

pub(super) fn files() -> Files {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/subscription-business");
    Files::read(&folder).unwrap_or_else(|problems| panic!("{}", shown(&problems)))
}

#[test]
fn the_subscription_business_loads_without_a_doubt() {
    let checked = load(&files()).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    assert_eq!(shown(&checked.warnings), "");
    let configuration = checked.configuration;
    assert_eq!(configuration.systems.len(), 3);
    assert_eq!(configuration.entities.len(), 9);
    let events: Vec<&str> =
        configuration.entities.values().flat_map(|e| &e.facts).map(|rule| rule.event.as_str()).collect();
    for event in [
        "LeadConverted",
        "OpportunityWon",
        "InvoiceIssued",
        "PaymentOverdue",
        "SubscriptionUpdated",
        "CustomerCreated",
        "ContractSigned",
    ] {
        assert!(events.contains(&event), "{event}");
    }
    for lane in Lane::ALL {
        assert!(configuration.routes.iter().any(|route| route.lane == lane), "{lane:?}");
    }
    let crm = &configuration.systems[&System::new("crm").unwrap()];
    let create = crm.connector.choose(&Object::new("companies").unwrap(), false, None).unwrap();
    assert!(matches!(create.idempotency, IdempotencyClass::SearchFirst { .. }));
    let notify = configuration.routes.iter().find(|r| r.kind == RouteKind::Notify).unwrap();
    let system = &configuration.systems[&notify.system];
    let event = system.connector.operation(notify.operation.as_deref().unwrap(), &notify.object).unwrap();
    assert!(matches!(event.idempotency, IdempotencyClass::None));
}

#[test]
fn every_mapping_of_it_has_examples() {
    let files = files();
    for (path, text) in files.iter().filter(|(path, _)| path.starts_with("mappings/")) {
        assert!(text.contains("\nexamples:\n"), "{path}");
    }
}

#[test]
fn its_optional_billing_loads_as_the_comments_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/subscription-business");
    let mut files = files();
    for path in ["systems/billing.yaml", "mappings/account.billing.yaml"] {
        files.put(path, std::fs::read_to_string(folder.join(format!("{path}.off"))).unwrap());
    }
    let routes = files.get("routes/erp-and-billing.yaml").unwrap();
    let optional = routes.lines().skip_while(|line| !line.starts_with("  # - route: account.billing"));
    let optional: String = optional.map(|line| format!("  {}\n", line.trim_start_matches("  # "))).collect();
    files.put("routes/erp-and-billing.yaml", format!("{routes}{optional}"));
    let checked = load(&files).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    assert_eq!(shown(&checked.warnings), "");
    assert_eq!(checked.configuration.systems.len(), 4);
}
