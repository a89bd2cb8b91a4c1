//! What the process tests share: a configuration folder, the hub as a child process, a source that offers until it
//! is acknowledged.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]

pub(crate) mod answers;
pub(crate) mod command;
pub(crate) mod load;
pub(crate) mod postgres;
pub(crate) mod tenants;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

pub(crate) const SECRET: &str = "a-test-secret-of-24-bytes-or-more";

/// A free port that nobody else takes: it is below those that systems give out by themselves, and each test process
/// keeps those it was given for as long as it runs, by the UDP port of the same number.
pub(crate) fn free_port() -> u16 {
    static KEPT: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock().unwrap();
    let start = u16::try_from(std::process::id() % 1_200).unwrap() * 10;
    for port in (12_000..24_000).cycle().skip(start.into()).take(12_000) {
        if let Ok(claim) = UdpSocket::bind(("127.0.0.1", port))
            && TcpListener::bind(("127.0.0.1", port)).is_ok()
        {
            kept.push(claim);
            return port;
        }
    }
    panic!("no port is free");
}

/// A configuration folder with one signed source (`shop`, entity `Company`) and the given targets.
pub(crate) struct Folder {
    /// Removed with the last folder in it.
    dir: Arc<tempfile::TempDir>,
    /// In there.
    at: PathBuf,
    pub(crate) ingress: u16,
    pub(crate) operator: u16,
}

/// One target of the folder.
pub(crate) struct Target<'a> {
    pub(crate) system: &'a str,
    pub(crate) connector: &'a str,
    pub(crate) object: &'a str,
    /// `host:port`.
    pub(crate) address: String,
    /// Further lines of the system's file.
    pub(crate) more: &'a str,
    /// Target path of each field: name, number, version.
    pub(crate) paths: [&'a str; 3],
}

impl Folder {
    /// Without files.
    pub(crate) fn empty() -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let at = dir.path().to_owned();
        Self { dir, at, ingress: free_port(), operator: free_port() }
    }

    pub(crate) fn new(targets: &[Target<'_>]) -> Self {
        let folder = Self::empty();
        let (ingress, operator) = (folder.ingress, folder.operator);
        folder.put(
            "concord.yaml",
            &format!(
                "tenant: acme
public_url: http://127.0.0.1:{ingress}
store: {{folder: ./data, root_key: {{file: ./root.key}}}}
listeners: {{ingress: \"127.0.0.1:{ingress}\", operator: \"127.0.0.1:{operator}\"}}
intake: {{rate_per_second: 100000, burst: 100000}}
"
            ),
        );
        folder.put("root.key", ROOT_KEY);
        folder.fill(targets);
        folder
    }

    /// Puts everything but `concord.yaml` and the root key in place.
    fn fill(&self, targets: &[Target<'_>]) {
        let folder = self;
        folder.put("shop.secret", SECRET);
        folder.put("token.secret", "pat-sandbox");
        folder.put("model/company.yaml", MODEL);
        folder.put(
            "systems/shop.yaml",
            "system: shop
connector: webhook
connection: {base_url: \"https://shop.example.com\"}
webhook: {secrets: [{file: ./shop.secret}]}
",
        );
        folder.put(
            "mappings/company.shop.yaml",
            "mapping: company.shop
version: 1
entity: Company
system: shop
object: companies
fields:
  - {field: name, path: name, direction: in}
  - {field: number, path: id, direction: in}
  - {field: revision, path: version, direction: in}
",
        );
        let mut routes = "routes:\n".to_owned();
        for target in targets {
            let Target { system, connector, object, address, more, paths: [name, number, revision] } = target;
            folder.put(
                &format!("systems/{system}.yaml"),
                &format!(
                    "system: {system}
connector: {connector}
connection:
  base_url: http://{address}
  allow: [\"{address}\"]
{more}"
                ),
            );
            folder.put(
                &format!("mappings/company.{system}.yaml"),
                &format!(
                    "mapping: company.{system}
version: 1
entity: Company
system: {system}
object: {object}
fields:
  - {{field: name, path: {name}, direction: out}}
  - {{field: number, path: {number}, direction: out}}
  - {{field: revision, path: {revision}, direction: out{transform}}}
",
                    transform = if *connector == "hubspot" { ", transform: [number]" } else { "" }
                ),
            );
            routes.push_str(&format!(
                "  - {{route: company.{system}, kind: sync, entity: Company, system: {system}, object: {object}, \
                 mapping: company.{system}}}\n"
            ));
        }
        folder.put("routes/all.yaml", &routes);
    }

    pub(crate) fn put(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        &self.at
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path().join("hub.log")
    }

    /// Starts the hub; its talk goes to `hub.log`.
    pub(crate) fn up(&self, more: &[&str]) -> Hub {
        self.up_with(more, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn up_with(&self, more: &[&str], environment: &[(&str, &Path)]) -> Hub {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_concord"))
            .arg("up")
            .arg(self.path())
            .args(more)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Hub { child, ingress: self.ingress }
    }

    /// The same, with a disk of so many bytes for its store, which nobody else sees. `None` where a process may not have
    /// mounts of its own.
    #[allow(dead_code, reason = "not every test fills a disk")]
    pub(crate) fn up_on_a_disk_of(&self, bytes: u64) -> Option<Hub> {
        // Root may have mounts of its own where nobody may be root in a namespace of his own.
        let may = |how: &&str| {
            let status = Command::new("unshare").args([how, "true"]).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        let how = ["-rm", "-m"].into_iter().find(may)?;
        let data = self.path().join("data");
        fs::create_dir_all(&data).unwrap();
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mounts = "mount -t tmpfs -o size=$1 tmpfs \"$2\" && shift 2 && exec \"$@\"";
        let child = Command::new("unshare")
            .args([how, "sh", "-c", mounts, "sh", &bytes.to_string()])
            .arg(data)
            .args([env!("CARGO_BIN_EXE_concord"), "up"])
            .arg(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Some(Hub { child, ingress: self.ingress })
    }

    /// The hub's last words, for failure messages.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

const ROOT_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";

pub(crate) const MODEL: &str = "entity: Company
version: 1
schema:
  type: object
  properties:
    name: {type: string}
    number: {type: string}
    revision: {type: integer}
fields:
  name: {owner: shop, pii: none}
  number: {owner: shop, pii: none}
  revision: {owner: shop, pii: none}
match_keys:
  - {name: number, fields: [number]}
creators: [shop]
";

/// The hub as a child process; killed when dropped.
pub(crate) struct Hub {
    child: Child,
    ingress: u16,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Hub {
    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it answers, or has ended.
    pub(crate) fn ready(&mut self) -> bool {
        for _ in 0..400 {
            if self.ended().is_some() {
                return false;
            }
            if matches!(request(self.ingress, "GET", "/readyz", &[], b""), Ok((200, _))) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        false
    }

    /// Asks it to stop and waits for its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        for _ in 0..400 {
            if let Some(status) = self.ended() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        None
    }
}

/// One HTTP exchange on a connection of its own.
pub(crate) fn request(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<(u16, String)> {
    exchange(port, method, path, headers, body).map(|(status, _, body)| (status, body))
}

/// The same, with the head of the answer.
fn exchange(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<(u16, String, String)> {
    let address = ([127, 0, 0, 1], port).into();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("no status"))?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    Ok((status, head.to_lowercase(), body.to_owned()))
}

/// Seconds since 1970.
#[allow(clippy::disallowed_methods, reason = "a test signs with the time of day")]
pub(crate) fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Headers of a signed message.
pub(crate) fn signed(body: &[u8], at: u64, secret: &str) -> [(&'static str, String); 3] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.").as_bytes());
    mac.update(body);
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    [
        ("x-timestamp", at.to_string()),
        ("x-signature", signature),
        ("content-type", "application/json".to_owned()),
    ]
}

/// Says one version of one company; true once it is acknowledged.
pub(crate) fn say(port: u16, number: &str, version: u64) -> bool {
    say_at(port, "", number, version)
}

/// The same to the tenant that is reached under a path.
pub(crate) fn say_at(port: u16, under: &str, number: &str, version: u64) -> bool {
    matches!(told(port, under, number, version), Ok((200..=299, _, _)))
}

/// What a company is said to be, and the whole answer: status, head, body.
pub(crate) fn told(
    port: u16,
    under: &str,
    number: &str,
    version: u64,
) -> std::io::Result<(u16, String, String)> {
    let body = format!(
        "{{\"event_id\":\"{number}-{version}\",\"id\":\"{number}\",\"version\":{version},\"name\":\"Company {number} v{version}\"}}"
    );
    let headers = signed(body.as_bytes(), now_s(), SECRET);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = format!("{under}/v1/webhooks/shop?object=companies");
    exchange(port, "POST", &path, &headers, body.as_bytes())
}

/// What a source has had acknowledged: company → newest version.
pub(crate) type Said = BTreeMap<String, u64>;
