//! The recipe for a connector: nothing but the blocks of docs/howto/add-a-connector.md, run as they stand, connect a
//! service that nothing else in the repository knows; then both directions work, and a lost answer makes no double.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end where it stands")]

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

mod support;

use support::{free_port, now_s, request, signed};

/// What a block of the page is for.
enum Block {
    /// The beginning of a file.
    File(String, String),
    /// More of one.
    Append(String, String),
    /// Commands.
    Shell(String),
}

/// The blocks of the page, in their order.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let body = body.join("\n") + "\n";
        blocks.push(match info.split_once(' ').map(|(_, how)| how.split_once('=').unwrap()) {
            Some(("file", path)) => Block::File(path.to_owned(), body),
            Some(("append", path)) => Block::Append(path.to_owned(), body),
            _ if info == "sh" => Block::Shell(body),
            _ => panic!("what is this block for? {info}"),
        });
    }
    blocks
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Stage {
    folder: tempfile::TempDir,
    /// The kennel, ingress, operator, and the desk, which lives with the kennel: what the page calls 4700 to 4703.
    ports: [u16; 4],
    _kennel: Running,
}

impl Stage {
    fn begin() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipe/kennel.py");
        let mut command = Command::new("python3");
        command.arg(script).arg("0").stdout(Stdio::piped());
        let mut kennel = command.spawn().unwrap_or_else(|error| panic!("python3 is needed: {error}"));
        let mut line = String::new();
        BufReader::new(kennel.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap();
        let ports = [port, free_port(), free_port(), port];
        Self { folder: tempfile::tempdir().unwrap(), ports, _kennel: Running(kennel) }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn ported(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (named, port) in ["4700", "4701", "4702", "4703"].iter().zip(self.ports) {
            text = text.replace(&format!("127.0.0.1:{named}"), &format!("127.0.0.1:{port}"));
        }
        text
    }

    fn put(&self, path: &str, text: &str, append: bool) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(append || !path.exists(), "{} is begun twice", path.display());
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(self.ported(text).as_bytes()).unwrap();
    }

    fn shell(&self, commands: &str) {
        let program = Path::new(env!("CARGO_BIN_EXE_concord")).parent().unwrap();
        let commands = format!("PATH=\"$CONCORD:$PATH\"\n{commands}");
        let mut command = Command::new("sh");
        command.args(["-eux", "-c", &commands]).current_dir(self.folder.path()).env("CONCORD", program);
        let output = command.env("NO_COLOR", "1").output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{commands}\n{out}\n{err}");
    }

    /// The kennel's books.
    fn kennel(&self, path: &str) -> Value {
        let (status, body) = request(self.ports[0], "GET", path, &[], b"").unwrap();
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }
}

/// What holds within a time.
fn until<T>(what: &str, found: impl FnMut() -> Option<T>) -> T {
    until_or(what, found, String::new)
}

/// The same; where it does not, `words` are shown.
fn until_or<T>(what: &str, mut found: impl FnMut() -> Option<T>, words: impl Fn() -> String) -> T {
    for _ in 0..600 {
        if let Some(found) = found() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("it never happened that {what}\n{}", words());
}

#[test]
fn the_page_alone_connects_a_system_that_nobody_knows() {
    let stage = Stage::begin();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/howto/add-a-connector.md");
    for block in blocks(&fs::read_to_string(page).unwrap()) {
        match block {
            Block::File(path, text) => stage.put(&path, &text, false),
            Block::Append(path, text) => stage.put(&path, &text, true),
            Block::Shell(commands) => stage.shell(&commands),
        }
    }
    let before = stage.kennel("/_test/books");
    let made_by_hand = before["guests"].as_array().unwrap().len();

    let mut up = Command::new(env!("CARGO_BIN_EXE_concord"));
    let log = fs::File::create(stage.path("up.log")).unwrap();
    up.arg("up").arg(stage.folder.path()).stdout(Stdio::null()).stderr(log);
    let _hub = Running(up.spawn().unwrap());
    let words = || fs::read_to_string(stage.path("up.log")).unwrap();
    let ingress = stage.ports[1];
    until("the hub is ready", || {
        let ready = request(ingress, "GET", "/readyz", &[], b"");
        matches!(ready, Ok((200, _))).then_some(())
    });
    stage.kennel(&format!("/_test/hooks?url=http://127.0.0.1:{ingress}/v1/webhooks/kennel"));

    // Out: the answer to the create is lost, after its effect.
    stage.kennel("/_test/lose?count=1");
    let body = br#"{"event_id": "e-1", "id": "s-1", "version": 1, "name": "Nora"}"#;
    let headers = signed(body, now_s(), "shop-secret-of-at-least-24-bytes");
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (status, said) = request(ingress, "POST", "/v1/webhooks/shop?object=guests", &headers, body).unwrap();
    assert_eq!(status, 200, "{said} {}", words());
    let desk = |field: &str, value: &str| {
        let books = stage.kennel("/_test/books");
        let guests = books["desk"].as_array().unwrap().clone();
        guests.iter().any(|guest| guest["name"] == "Nora" && guest[field] == value).then_some(())
    };
    until("the desk hears of Nora", || desk("name", "Nora"));
    let number = until("Nora is at the kennel", || {
        let books = stage.kennel("/_test/books");
        let guests = books["guests"].as_array().unwrap().clone();
        guests
            .iter()
            .find(|guest| guest["name"] == "Nora")
            .map(|guest| guest["no"].as_str().unwrap().to_owned())
    });

    // In: a person there says how large she is; a webhook hints at it, signed.
    stage.kennel(&format!("/_test/edit?no={number}&field=size&value=large"));
    until_or("the desk hears how large she is", || desk("size", "large"), words);
    let books = stage.kennel("/_test/books");
    let noras = books["guests"].as_array().unwrap().iter().filter(|guest| guest["name"] == "Nora").count();
    assert_eq!(noras, 1, "{books}");
    assert_eq!(books["guests"].as_array().unwrap().len(), made_by_hand + 1, "{books}");

    // A forged message is refused.
    let forged = [("kennel-signature", "t=1,k1=00"), ("content-type", "application/json")];
    let (status, _) = request(ingress, "POST", "/v1/webhooks/kennel", &forged, b"{}").unwrap();
    assert_eq!(status, 401);
}
