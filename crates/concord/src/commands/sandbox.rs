//! `concord sandbox`: sandbox systems by themselves, for trying things and for tests.

use sandbox::{Handle, Kind, Options, Property, Sandbox, WebhookTarget};
use serde_json::{Value, json};

use crate::arguments::SandboxPorts;
use crate::environment;
use crate::exit::Exit;
use crate::output::Output;
use crate::wiring::Asked;

/// The usual ports, as the example configuration has them.
pub(crate) const PORTS: [(&str, Kind, u16); 3] =
    [("crm", Kind::HubSpot, 4011), ("erp", Kind::NetSuite, 4012), ("marketing", Kind::Mailchimp, 4013)];

/// Objects of the sales system that have the external id `Concord_Id__c`.
const EXTERNAL: [&str; 13] = [
    "Account",
    "Asset",
    "Campaign",
    "Case",
    "Contact",
    "Contract",
    "Lead",
    "Opportunity",
    "OpportunityLineItem",
    "Order",
    "OrderItem",
    "PricebookEntry",
    "Product2",
];
/// Object types of the CRM that are written by a unique key of Concord's.
const KEYED: [&str; 7] = ["contacts", "deals", "products", "leads", "orders", "invoices", "subscriptions"];
/// What the CRM signs with, and the secret part of marketing's webhook address, when the environment has none.
const SIGNING: &str = "hook-secret";
const ADDRESS: &str = "hook-address";

/// Starts sandboxes and waits for Ctrl-C.
pub(crate) fn run(given: &SandboxPorts, output: &Output) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut asked = Asked::listen()?;
        let mut running = Vec::new();
        for (name, kind, port) in wanted(given) {
            let handle = Sandbox::start(kind, options(name, kind, port, given)).await?;
            running.push((name, kind, handle));
        }
        let rows: Vec<Value> = running.iter().map(|(name, kind, handle)| row(name, *kind, handle)).collect();
        output
            .rows(&[("SYSTEM", "/system"), ("PLAYS", "/plays"), ("URL", "/url"), ("ADMIN", "/admin")], &rows);
        output.say("Ctrl-C ends them; they keep nothing");
        asked.comes().await;
        for (_, _, handle) in running {
            handle.stop().await;
        }
        Ok(Exit::Done)
    })
}

fn wanted(given: &SandboxPorts) -> Vec<(&'static str, Kind, u16)> {
    let asked = [
        ("crm", Kind::HubSpot, given.crm),
        ("sales", Kind::Salesforce, given.sales),
        ("erp", Kind::NetSuite, given.erp),
        ("marketing", Kind::Mailchimp, given.marketing),
        ("sink", Kind::Sink, given.sink),
    ];
    let named: Vec<_> =
        asked.iter().filter_map(|(name, kind, port)| Some((*name, *kind, (*port)?))).collect();
    if named.is_empty() { PORTS.to_vec() } else { named }
}

fn options(name: &str, kind: Kind, port: u16, given: &SandboxPorts) -> Options {
    let base = Options { port, seed: given.seed, ..Options::of(kind) };
    let Some(url) = &given.webhooks else { return properties(kind, base) };
    let secret = |variable, usual: &str| environment::variable(variable).unwrap_or_else(|| usual.to_owned());
    let webhook = match kind {
        Kind::HubSpot => {
            let url = ingress::webhook_address(url, name, None);
            Some(WebhookTarget { url, secret: secret("HUBSPOT_CLIENT_SECRET", SIGNING), events: Vec::new() })
        }
        Kind::Mailchimp => {
            let part = secret("MAILCHIMP_WEBHOOK_SECRET", ADDRESS);
            let url = ingress::webhook_address(url, name, Some(&part));
            Some(WebhookTarget { url, secret: String::new(), events: Vec::new() })
        }
        Kind::Salesforce | Kind::NetSuite | Kind::Sink => None,
    };
    properties(kind, Options { webhook, ..base })
}

/// The CRMs know the property by which Concord recognises what it made.
pub(crate) fn properties(kind: Kind, options: Options) -> Options {
    let (name, objects): (&str, &[&str]) = match kind {
        Kind::HubSpot => ("concord_id", &KEYED),
        Kind::Salesforce => ("Concord_Id__c", &EXTERNAL),
        Kind::NetSuite | Kind::Mailchimp | Kind::Sink => return options,
    };
    let keyed = |object: &&str| Property {
        object_type: (*object).to_owned(),
        name: name.to_owned(),
        value_type: "string".to_owned(),
        has_unique_value: true,
        options: Vec::new(),
    };
    Options { properties: objects.iter().map(keyed).collect(), ..options }
}

fn row(name: &str, kind: Kind, handle: &Handle) -> Value {
    json!({
        "system": name,
        "plays": kind.name(),
        "url": handle.url(),
        "admin": format!("{}/_admin/books", handle.url()),
    })
}
