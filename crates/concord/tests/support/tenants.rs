//! A hub's folder with several tenants: the same names, systems and objects in each, and a target of its own.

use std::fs;
use std::sync::Arc;

use super::{Folder, ROOT_KEY, Target, free_port};

/// A hub's folder, and its tenants' in it.
pub(crate) struct Tenants {
    pub(crate) hub: Folder,
    pub(crate) tenants: Vec<Folder>,
}

/// A system in whose name events are posted.
const PORTAL: &str = "system: portal
connector: cloudevents
connection: {base_url: \"https://portal.example.com\"}
";

const PORTAL_MAPPING: &str = "mapping: company.portal
version: 1
entity: Company
system: portal
object: company
fields:
  - {field: name, path: name, direction: in}
  - {field: number, path: number, direction: in}
";

/// A tenant: its name, and the path under which it is reached.
pub(crate) type Named<'a> = (&'a str, &'a str);

impl Tenants {
    /// Each with the target `alpha` at its address.
    pub(crate) fn new(tenants: &[(Named<'_>, std::net::SocketAddr)]) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let (ingress, operator) = (free_port(), free_port());
        let folder = |at: &str| Folder { dir: Arc::clone(&dir), at: dir.path().join(at), ingress, operator };
        let hub = folder("");
        hub.put("root.key", ROOT_KEY);
        let tenants = tenants.iter().map(|((name, path), sink)| {
            let tenant = folder(&format!("tenants/{name}"));
            tenant.put(
                "concord.yaml",
                &format!(
                    "tenant: {name}
public_url: http://127.0.0.1:{ingress}{path}
store: {{folder: ../../data, root_key: {{file: ../../root.key}}}}
listeners: {{ingress: \"127.0.0.1:{ingress}\", operator: \"127.0.0.1:{operator}\"}}
intake:
  rate_per_second: 100000
  burst: 100000
  clients:
    - {{name: poster, system: portal, token: {{file: ./poster.token}}}}
"
                ),
            );
            tenant.put("systems/portal.yaml", PORTAL);
            tenant.put("mappings/company.portal.yaml", PORTAL_MAPPING);
            tenant.put("poster.token", &format!("poster-of-{}", name.len()));
            tenant.fill(&[Target {
                system: "alpha",
                connector: "http",
                object: "alpha",
                address: sink.to_string(),
                more: "",
                paths: ["name", "number", "version"],
            }]);
            tenant
        });
        let tenants = tenants.collect();
        Self { hub, tenants }
    }
}

impl Folder {
    /// The token of its operator.
    pub(crate) fn token(&self) -> String {
        let path = self.path().join(".concord/operator.token");
        fs::read_to_string(path).unwrap().trim().to_owned()
    }
}
