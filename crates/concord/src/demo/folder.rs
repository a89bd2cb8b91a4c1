//! The demonstration's configuration folder: the example of the repository, with the sandboxes' addresses and a
//! quicker pace.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use connector::Manifest;

use crate::commands::key;
use crate::place::write_secret;

macro_rules! example {
    ($($path:literal),* $(,)?) => {
        /// The example's files.
        const FILES: &[(&str, &str)] =
            &[$(($path, include_str!(concat!("../../../../examples/subscription-business/", $path)))),*];
    };
}

example![
    "concord.yaml",
    "lookups/consent.csv",
    "lookups/currencies.csv",
    "lookups/deal_stage.csv",
    "lookups/lead_status.csv",
    "lookups/lifecycle.csv",
    "lookups/order_status.csv",
    "mappings/account.crm.yaml",
    "mappings/account.erp.yaml",
    "mappings/contact.crm.yaml",
    "mappings/contact.erp.yaml",
    "mappings/contact.marketing.yaml",
    "mappings/contract.erp.yaml",
    "mappings/invoice.crm.yaml",
    "mappings/invoice.erp.yaml",
    "mappings/invoice.marketing.yaml",
    "mappings/lead.crm.yaml",
    "mappings/opportunity.crm.yaml",
    "mappings/opportunity.erp.yaml",
    "mappings/order.crm.yaml",
    "mappings/order.erp.yaml",
    "mappings/product.crm.yaml",
    "mappings/product.erp.yaml",
    "mappings/subscription.crm.yaml",
    "mappings/subscription.erp.yaml",
    "mappings/subscription.marketing.yaml",
    "model/account.yaml",
    "model/contact.yaml",
    "model/contract.yaml",
    "model/invoice.yaml",
    "model/lead.yaml",
    "model/opportunity.yaml",
    "model/order.yaml",
    "model/product.yaml",
    "model/subscription.yaml",
    "routes/crm.yaml",
    "routes/erp-and-billing.yaml",
    "routes/marketing.yaml",
    "systems/crm.yaml",
    "systems/erp.yaml",
    "systems/marketing.yaml",
];

/// The key that signs assertions to the sandbox ERP. It opens nothing else.
const ERP_KEY: &str = include_str!("erp.demo-key.pem");

/// The addresses in the example, in the order of [`Addresses`].
const WRITTEN: [&str; 5] =
    ["127.0.0.1:4000", "127.0.0.1:4001", "127.0.0.1:4011", "127.0.0.1:4012", "127.0.0.1:4013"];

/// What is changed in the example: file, what stands there, what is put there. The sandboxes answer within moments,
/// so that the demonstration need not wait as long as it would have to for a vendor.
const QUICKER: [(&str, &str, &str); 9] = [
    ("systems/crm.yaml", "  companies: 30s\n  contacts: 30s\n  deals: 30s\n  leads: 30s\n", CRM_POLLS),
    (
        "systems/crm.yaml",
        "window: 30s, open_for: 5s, open_for_max: 2m",
        "window: 5s, open_for: 500ms, open_for_max: 2s",
    ),
    ("systems/crm.yaml", "retry: {base: 500ms, cap: 5m", "retry: {base: 200ms, cap: 2s"),
    ("systems/erp.yaml", ERP_POLLS_WRITTEN, ERP_POLLS),
    ("systems/erp.yaml", "retry: {base: 1s, cap: 10m", "retry: {base: 200ms, cap: 2s"),
    ("systems/marketing.yaml", "  members: 30s\n", "  members: 5s\n"),
    ("systems/crm.yaml", "connect: 2s, request: 10s", "connect: 1s, request: 2s"),
    ("systems/erp.yaml", "connect: 2s, request: 30s", "connect: 1s, request: 2s"),
    ("systems/marketing.yaml", "connect: 2s, request: 10s", "connect: 1s, request: 2s"),
];

const CRM_POLLS: &str = "  companies: 4s\n  contacts: 4s\n  deals: 4s\n  leads: 10s\n  orders: 5s\n  invoices: 5s\n  \
                         subscriptions: 5s\n  products: 5s\n";
const ERP_POLLS_WRITTEN: &str = "  customer: 3s\n  contact: 5s\n  salesOrder: 3s\n  invoice: 3s\n  \
                                 customrecord_subscription: 3s\n  serviceSaleItem: 30s\n";
const ERP_POLLS: &str = "  customer: 1s\n  contact: 1s\n  salesOrder: 1s\n  invoice: 1s\n  \
                         customrecord_subscription: 1s\n  serviceSaleItem: 1s\n";

/// What is changed in the connectors: how long a vendor may take to finish what it was sent, how long its index may
/// lag, and how far a poll looks back for it.
const SANDBOXED: [(&str, &[(&str, &str)]); 3] = [
    (
        "hubspot",
        &[
            ("processing_max: 30s", "processing_max: 2s"),
            ("index_lag_ms: 10000", "index_lag_ms: 1500"),
            ("lookback: 2m", "lookback: 6s"),
            ("burst: {size: 190, per: 10s", "burst: {size: 4000, per: 10s"),
        ],
    ),
    ("netsuite", &[("processing_max: 60s", "processing_max: 2s"), ("lookback: 1m", "lookback: 3s")]),
    ("mailchimp", &[("processing_max: 30s", "processing_max: 2s"), ("lookback: 1m", "lookback: 6s")]),
];

/// Where everything listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) ingress: SocketAddr,
    pub(crate) operator: SocketAddr,
    pub(crate) crm: SocketAddr,
    pub(crate) erp: SocketAddr,
    pub(crate) marketing: SocketAddr,
}

/// Secrets that hub and sandboxes share.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) crm_token: String,
    pub(crate) crm_signing: String,
    pub(crate) erp_client: String,
    pub(crate) marketing_key: String,
    pub(crate) marketing_address: String,
}

impl Credentials {
    /// Fresh ones.
    pub(crate) fn fresh() -> anyhow::Result<Self> {
        Ok(Self {
            crm_token: format!("pat-demo-{}", key::fresh()?),
            crm_signing: key::fresh()?,
            erp_client: format!("demo-{}", &key::fresh()?[..16]),
            marketing_key: format!("{}-us1", &key::fresh()?[..32]),
            marketing_address: key::fresh()?[..32].to_owned(),
        })
    }
}

/// Writes the folder.
pub(crate) fn write(dir: &Path, at: Addresses, with: &Credentials) -> anyhow::Result<()> {
    for (path, text) in FILES {
        let text = fit(path, text, at)?;
        put(dir, path, &text)?;
    }
    for (name, changes) in SANDBOXED {
        put(dir, &format!("connectors/{name}.yaml"), &sandboxed(name, changes)?)?;
    }
    let secrets = dir.join("secrets");
    fs::create_dir_all(&secrets)
        .with_context(|| format!("the folder {} cannot be made", secrets.display()))?;
    let texts = [
        ("root.key", key::fresh()?),
        ("order_desk_token", key::fresh()?),
        ("hubspot_token", with.crm_token.clone()),
        ("hubspot_client_secret", with.crm_signing.clone()),
        ("netsuite_client_id", with.erp_client.clone()),
        ("netsuite_certificate_id", "demo-certificate".to_owned()),
        ("netsuite.pem", ERP_KEY.trim_end().to_owned()),
        ("mailchimp_api_key", with.marketing_key.clone()),
        ("mailchimp_webhook_secret", with.marketing_address.clone()),
    ];
    texts.iter().try_for_each(|(name, text)| write_secret(&secrets.join(name), text))
}

/// A file of the example as the demonstration needs it.
fn fit(path: &str, text: &str, at: Addresses) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for (file, from, to) in QUICKER.iter().filter(|(file, _, _)| *file == path) {
        anyhow::ensure!(
            text.contains(from),
            "the example's {file} has changed: {from:?} is not in it any more"
        );
        text = text.replace(from, to);
    }
    let addresses = [at.ingress, at.operator, at.crm, at.erp, at.marketing];
    for (written, address) in WRITTEN.iter().zip(addresses) {
        text = text.replace(written, &address.to_string());
    }
    if let Some(name) = path.strip_prefix("systems/").and_then(|_| text.split_once("\nconnector: ")) {
        let connector = name.1.lines().next().unwrap_or_default().to_owned();
        text = text.replace(
            &format!("\nconnector: {connector}\n"),
            &format!("\nconnector: connectors/{connector}.yaml\n"),
        );
    }
    Ok(from_files(&text))
}

/// Secrets come from files: the demonstration sets no variables.
fn from_files(text: &str) -> String {
    let mut parts = text.split("{env: ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}') {
            // A comment that explains the form.
            Some((name, rest)) if name == "NAME" => out.push_str(&format!("{{env: {name}}}{rest}")),
            Some((name, rest)) => out.push_str(&format!("{{file: ./secrets/{}}}{rest}", name.to_lowercase())),
            None => out.push_str(part),
        }
    }
    out
}

/// A connector that comes with Concord, as quick as a sandbox allows.
fn sandboxed(name: &str, changes: &[(&str, &str)]) -> anyhow::Result<String> {
    let mut text =
        Manifest::builtin(name).with_context(|| format!("there is no connector {name}"))?.to_owned();
    for (from, to) in changes {
        anyhow::ensure!(
            text.contains(from),
            "the connector {name} has changed: {from:?} is not in it any more"
        );
        text = text.replace(from, to);
    }
    Ok(format!(
        "# The connector `{name}` that comes with Concord, with the short times of a sandbox on the same machine.\n{text}"
    ))
}

fn put(dir: &Path, path: &str, text: &str) -> anyhow::Result<()> {
    let path = dir.join(path);
    let parent = path.parent().unwrap_or(dir);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, text))
        .with_context(|| format!("the file {} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    //! The folder is the whole example, and can be used.
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{Addresses, Credentials, FILES, write};

    fn listed(dir: &Path, under: &str, into: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let name = format!("{under}{}", entry.file_name().into_string().unwrap());
            if entry.path().is_dir() {
                listed(&entry.path(), &format!("{name}/"), into);
            } else if name.ends_with(".yaml") || name.ends_with(".csv") {
                into.insert(name);
            }
        }
    }

    #[test]
    fn every_file_of_the_example_is_here() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/subscription-business");
        let mut there = BTreeSet::new();
        listed(&example, "", &mut there);
        let here: BTreeSet<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(here, there);
    }

    #[test]
    fn the_folder_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let at = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let addresses = Addresses {
            ingress: at(5001),
            operator: at(5002),
            crm: at(5003),
            erp: at(5004),
            marketing: at(5005),
        };
        write(folder.path(), addresses, &Credentials::fresh().unwrap()).unwrap();
        let checked = config::load_folder(folder.path()).unwrap_or_else(|problems| {
            panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        assert_eq!(checked.warnings, []);
        let configuration = checked.configuration;
        assert_eq!(configuration.settings.listeners.operator, at(5002));
        for system in configuration.systems.values() {
            assert!(
                system.connection.base_url.starts_with("http://127.0.0.1:500"),
                "{}",
                system.connection.base_url
            );
        }
        let resolve =
            |reference: &config::SecretRef| crate::wiring::secrets::resolve(folder.path(), reference);
        assert!(configuration.resolve_secrets(&resolve).is_ok());
    }
}
