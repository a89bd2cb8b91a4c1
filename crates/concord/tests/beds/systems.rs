//! The third-party systems of the beds test as child processes: localstripe with the official Stripe client,
//! and Tryton
//! with its JSON-RPC. Installed from PyPI into `target/beds`, on loopback, gone with the test.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::{free_port, request};

/// Where the Python side and the folder's files are.
pub(crate) const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/beds");
/// The password of Tryton's user `admin`, as `beds.py` sets it.
pub(crate) const TRYTON_PASSWORD: &str = "bed-admin-pw";

/// What is installed, and where.
pub(crate) struct Installed {
    /// `target/beds`.
    pub(crate) root: PathBuf,
    python: PathBuf,
    /// `name==version`, one a line.
    pub(crate) packages: String,
}

impl Installed {
    /// Installs the pinned packages once, and makes a Tryton database with a company once.
    pub(crate) fn new() -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("beds");
        let packages = fs::read_to_string(format!("{HERE}/requirements.txt")).unwrap();
        let (venv, python) = (root.join("venv"), root.join("venv/bin/python"));
        let marker = root.join("installed.txt");
        if fs::read_to_string(&marker).ok().as_ref() != Some(&packages) {
            let _ = fs::remove_dir_all(&venv);
            fs::create_dir_all(&root).unwrap();
            run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
            let pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r"];
            run(Command::new(&python).args(pip).arg(format!("{HERE}/requirements.txt")));
            let _ = fs::remove_dir_all(root.join("tryton"));
            fs::write(&marker, &packages).unwrap();
        }
        let installed = Self { root, python, packages };
        let template = installed.template();
        if !template.exists() {
            // Made under another name, so that one that was broken off is made again.
            let making = installed.root.join("tryton-making");
            let _ = fs::remove_dir_all(&making);
            run(installed.command(&["tryton-database"]).arg(&making));
            fs::rename(&making, installed.root.join("tryton")).unwrap();
        }
        installed
    }

    fn template(&self) -> PathBuf {
        self.root.join("tryton/bed.sqlite")
    }

    /// What is where in that database: the ids that mappings name.
    pub(crate) fn ids(&self) -> BTreeMap<String, i64> {
        serde_json::from_slice(&fs::read(self.root.join("tryton/ids.json")).unwrap()).unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(format!("{HERE}/beds.py")).args(words);
        command
    }
}

fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {status:?}");
}

/// A server as a child process; killed when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start(mut command: Command, log: &Path) -> Self {
        let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap())
    }

    /// Waits until it answers.
    fn ready(&mut self, answers: impl Fn() -> bool, log: &Path) {
        for _ in 0..1200 {
            if answers() {
                return;
            }
            if let Some(status) = self.0.try_wait().unwrap() {
                panic!("it ended ({status}): {}", fs::read_to_string(log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it does not answer: {}", fs::read_to_string(log).unwrap_or_default());
    }
}

/// localstripe, and the official Stripe client.
pub(crate) struct Stripe {
    pub(crate) port: u16,
    /// What the client says it is.
    pub(crate) client: String,
    child: Child,
    told: ChildStdin,
    said: BufReader<ChildStdout>,
    dir: PathBuf,
    server: Option<Server>,
}

impl Drop for Stripe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stripe {
    pub(crate) fn start(installed: &Installed, dir: &Path) -> Self {
        let port = free_port();
        let server = Some(Self::serve(installed, dir, port));
        let mut command = installed.command(&["stripe", &port.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let told = child.stdin.take().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let (dir, client) = (dir.to_owned(), String::new());
        let mut stripe = Self { port, client, child, told, said, dir, server };
        stripe.client = stripe.line()["client"].as_str().unwrap().to_owned();
        stripe
    }

    fn serve(installed: &Installed, dir: &Path, port: u16) -> Server {
        let log = dir.join("localstripe.log");
        let mut command = installed.command(&["localstripe"]);
        command.arg(dir).arg(port.to_string());
        let mut server = Server::start(command, &log);
        let key = [("authorization", "Bearer sk_test_12345")];
        server.ready(|| matches!(request(port, "GET", "/v1/customers", &key, b""), Ok((200, _))), &log);
        server
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// Starts its server again, on the same port with the same state. It has forgotten where webhooks go.
    pub(crate) fn up(&mut self, installed: &Installed) {
        self.server = Some(Self::serve(installed, &self.dir, self.port));
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the Stripe client said {line:?}: {error}"))
    }

    /// One call of the official client.
    pub(crate) fn call(&mut self, told: &Value) -> Value {
        writeln!(self.told, "{told}").unwrap();
        let mut answer = self.line();
        assert!(answer["error"].is_null(), "{told}: {answer}");
        answer["ok"].take()
    }

    /// Where webhooks go from now on.
    pub(crate) fn send_webhooks_to(&self, url: &str, secret: &str) {
        let body = format!("url={url}&secret={secret}");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = request(self.port, "POST", "/_config/webhooks/concord", &form, body.as_bytes());
        assert!(matches!(answer, Ok((200, _))), "{answer:?}");
    }
}

/// Tryton on a database of its own.
pub(crate) struct Tryton {
    pub(crate) port: u16,
    dir: PathBuf,
    server: Option<Server>,
    session: String,
}

impl Tryton {
    pub(crate) fn start(installed: &Installed, dir: &Path) -> Self {
        let dir = dir.join("tryton");
        fs::create_dir_all(&dir).unwrap();
        fs::copy(installed.template(), dir.join("bed.sqlite")).unwrap();
        let mut tryton = Self { port: free_port(), dir, server: None, session: String::new() };
        tryton.up(installed);
        tryton
    }

    /// Starts its server, on the same port and the same database as before.
    pub(crate) fn up(&mut self, installed: &Installed) {
        let (port, log) = (self.port, self.dir.join("server.log"));
        let mut command = installed.command(&["tryton"]);
        command.arg(&self.dir).arg(port.to_string());
        let mut server = Server::start(command, &log);
        let probe = json!({"id": 1, "method": "common.server.version", "params": []});
        server.ready(|| post(port, "/rpc/", &probe, "").is_ok(), &log);
        self.server = Some(server);
        let login = json!({"id": 1, "method": "common.db.login", "params": ["admin", {"password": TRYTON_PASSWORD}, "en"]});
        let answer = post(port, "/bed/rpc/", &login, "").unwrap();
        let user = answer["result"][0].as_i64().unwrap();
        let session = format!("admin:{user}:{}", answer["result"][1].as_str().unwrap());
        self.session = format!("Session {}", base64::engine::general_purpose::STANDARD.encode(session));
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// Log-ins that it refused: it answers nothing else with 401 while its sessions live.
    pub(crate) fn refused_logins(&self) -> usize {
        let log = fs::read_to_string(self.dir.join("server.log")).unwrap_or_default();
        log.lines().filter(|line| line.contains("POST /bed/rpc/") && line.contains("\" 401 ")).count()
    }

    /// One call of its JSON-RPC.
    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        let call = json!({"id": 1, "method": method, "params": params});
        let answer = post(self.port, "/bed/rpc/", &call, &self.session);
        let mut answer = answer.unwrap_or_else(|why| panic!("{method} was not answered: {why}"));
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].take()
    }
}

fn post(port: u16, path: &str, body: &Value, session: &str) -> Result<Value, String> {
    let mut headers = vec![("content-type", "application/json")];
    if !session.is_empty() {
        headers.push(("authorization", session));
    }
    match request(port, "POST", path, &headers, body.to_string().as_bytes()) {
        Ok((200, body)) => serde_json::from_str(&whole(&body)).map_err(|error| format!("{error}: {body}")),
        other => Err(format!("{other:?}")),
    }
}

/// The body of an answer, also of one in chunks: Tryton sends long lists that way.
fn whole(body: &str) -> String {
    if body.starts_with('{') {
        return body.to_owned();
    }
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        let Some(chunk) = after.get(..size).filter(|chunk| !chunk.is_empty()) else { break };
        whole.push_str(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    whole
}
