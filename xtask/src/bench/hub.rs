//! The hub under load: a configuration folder with one verified source, three targets and three different mappings.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::drive::SECRET;
use super::process::{Part, free_port, get};

/// Where the source posts.
pub(crate) const INTAKE_PATH: &str = "/v1/webhooks/shop?object=contacts";

/// A running hub and its folder.
pub(crate) struct Hub {
    pub(crate) part: Part,
    operator: u16,
    folder: TempDir,
}

impl Hub {
    /// How often the store has synced, as the hub's own metrics say.
    pub(crate) fn syncs(&self) -> Result<u64> {
        let metrics = ask(self.folder.path(), self.operator, "/metrics")?;
        let line = metrics.lines().find(|line| line.starts_with("concord_store_syncs_total"));
        let value = line.and_then(|line| line.split_whitespace().nth(1)).context("no metric of syncs")?;
        Ok(value.parse::<f64>()? as u64)
    }
}

/// A further target, which may be ill.
pub(crate) struct Further {
    /// Its name, and that of its lane.
    pub(crate) lane: &'static str,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    pub(crate) port: u16,
    /// Whether it wants a token.
    pub(crate) token: bool,
}

/// Starts it, with the three plain targets and `further` ones.
pub(crate) fn start(binary: &Path, sink: u16, further: &[Further]) -> Result<Hub> {
    let folder = tempfile::tempdir()?;
    let (ingress, operator) = (free_port()?, free_port()?);
    lay(folder.path(), files(ingress, operator, sink, further))?;
    let mut command = Command::new(binary);
    command.arg("--quiet").arg("up").arg(folder.path()).stdout(Stdio::null());
    let part = Part::of(ingress, &mut command)?;
    Ok(Hub { part, operator, folder })
}

/// Writes a configuration folder.
pub(crate) fn lay(folder: &Path, files: Vec<(impl AsRef<Path>, String)>) -> Result<()> {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().context("a parent")?)?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// Asks the operator's side of the hub that runs in a folder.
pub(crate) fn ask(folder: &Path, operator: u16, path: &str) -> Result<String> {
    let token = fs::read_to_string(folder.join(".concord/operator.token"))?;
    get(operator, path, &[("authorization", &format!("Bearer {}", token.trim()))])
}

const MODEL: &str = "entity: Contact
version: 1
schema:
  type: object
  properties:
    given_name: {type: string}
    family_name: {type: string}
    email: {type: string, format: email}
    phone: {type: string}
    city: {type: string}
    country: {type: string}
    company: {type: string}
    plan: {type: string, enum: [basic, gold]}
    seats: {type: integer}
    note: {type: string}
    seq: {type: integer}
    due: {type: integer}
fields:
  given_name: {owner: shop}
  family_name: {owner: shop}
  email: {owner: shop}
  phone: {owner: shop}
  plan: {owner: shop, pii: none}
match_keys:
  - {name: email, fields: [email], fold: true}
creators: [shop]
";

const SHARED_ROWS: &str = "  - {field: seq, path: seq, direction: out}
  - {field: due, path: due, direction: out}
  - {field: note, path: note, direction: out}
  - {field: seats, path: seats, direction: out}
";

fn files(ingress: u16, operator: u16, sink: u16, further: &[Further]) -> Vec<(String, String)> {
    let mut files = vec![
        (
            "concord.yaml".to_owned(),
            format!(
                "tenant: bench
public_url: http://127.0.0.1:{ingress}
store: {{folder: ./data, root_key: {{file: ./root.key}}}}
listeners: {{ingress: \"127.0.0.1:{ingress}\", operator: \"127.0.0.1:{operator}\"}}
intake: {{rate_per_second: 1000000, burst: 1000000}}
"
            ),
        ),
        (
            "root.key".to_owned(),
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n".to_owned(),
        ),
        ("shop.secret".to_owned(), SECRET.to_owned()),
        ("model/contact.yaml".to_owned(), MODEL.to_owned()),
        (
            "systems/shop.yaml".to_owned(),
            "system: shop
connector: webhook
connection: {base_url: \"https://shop.example.com\"}
webhook: {secrets: [{file: ./shop.secret}]}
"
            .to_owned(),
        ),
    ];
    let mut source = "mapping: contact.shop
version: 1
entity: Contact
system: shop
object: contacts
fields:
"
    .to_owned();
    let all = [
        "given_name",
        "family_name",
        "email",
        "phone",
        "city",
        "country",
        "company",
        "plan",
        "seats",
        "note",
        "seq",
        "due",
    ];
    for field in all {
        source.push_str(&format!("  - {{field: {field}, path: {field}, direction: in}}\n"));
    }
    files.push(("mappings/contact.shop.yaml".to_owned(), source));
    let mut routes = "routes:\n".to_owned();
    // Three different shapes: plain, nested, joined and folded.
    let rows = [
        (
            "a",
            "  - {field: given_name, path: first, direction: out}
  - {field: family_name, path: last, direction: out}
  - {field: email, path: mail, direction: out, transform: [lower]}
  - {field: phone, path: phone, direction: out}
",
        ),
        (
            "b",
            "  - {field: email, path: properties.email, direction: out, transform: [trim, lower]}
  - {field: city, path: properties.address.city, direction: out}
  - {field: country, path: properties.address.country, direction: out}
  - {field: company, path: properties.company, direction: out, transform: [upper]}
",
        ),
        (
            "c",
            "  - {field: email, path: EMAIL, direction: out}
  - {field: plan, path: PLAN, direction: out, transform: [upper]}
  - {field: given_name, path: FNAME, direction: out}
  - {field: family_name, path: LNAME, direction: out}
",
        ),
    ];
    let plain = rows.map(|(lane, own)| (Further { lane, scheme: "http", port: sink, token: false }, own));
    let plain_row = "  - {field: email, path: mail, direction: out}\n";
    let targets = plain.iter().map(|(target, own)| (target, *own));
    for (target, own) in targets.chain(further.iter().map(|target| (target, plain_row))) {
        let Further { lane, scheme, port, token } = target;
        let (secrets, parameters) = match token {
            true => (
                ", secrets: {client_id: {file: ./shop.secret}, client_secret: {file: ./shop.secret}, \
                 refresh_token: {file: ./shop.secret}}",
                "parameters: {auth: oauth}\n",
            ),
            false => ("", ""),
        };
        files.push((
            format!("systems/{lane}.yaml"),
            format!(
                "system: {lane}
connector: http
connection: {{base_url: \"{scheme}://127.0.0.1:{port}\", allow: [\"127.0.0.1:{port}\"]{secrets}}}
limits: {{concurrency: 32}}
{parameters}"
            ),
        ));
        files.push((
            format!("mappings/contact.{lane}.yaml"),
            format!(
                "mapping: contact.{lane}
version: 1
entity: Contact
system: {lane}
object: {lane}
fields:
{own}{SHARED_ROWS}"
            ),
        ));
        routes.push_str(&format!(
            "  - {{route: contact.{lane}, kind: sync, entity: Contact, system: {lane}, object: {lane}, \
             mapping: contact.{lane}}}\n"
        ));
    }
    files.push(("routes/all.yaml".to_owned(), routes));
    files
}
