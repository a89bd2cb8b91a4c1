//! A transactional outbox in a real PostgreSQL: transactions that overlap and commit late, kills of the hub and of the database,
//! and each event told once, in the order of the commits of its aggregate.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end where it stands")]

mod support;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::command::json;
use support::postgres::Postgres;
use support::{Folder, request};

const ROLES: &str = "CREATE ROLE relay LOGIN PASSWORD 'reads';
GRANT SELECT ON outbox TO relay;
CREATE ROLE app LOGIN PASSWORD 'writes';
GRANT SELECT, INSERT, UPDATE ON orders, outbox TO app;";

fn server() -> Postgres {
    let server = Postgres::start(&["max_connections=30"]);
    server.sql("postgres", "CREATE DATABASE shop");
    for setup in [
        include_str!("../../../docs/outbox.sql"),
        include_str!("../../../examples/outbox-app/tables.sql"),
        ROLES,
    ] {
        let loaded = server.psql("shop").arg("-c").arg(setup).stdout(Stdio::null()).status().unwrap();
        assert!(loaded.success());
    }
    server
}

fn folder(port: u16) -> Folder {
    let folder = Folder::new(&[]);
    std::fs::remove_file(folder.path().join("routes/all.yaml")).unwrap();
    folder.put("relay.user", "relay");
    folder.put("relay.secret", "reads");
    folder.put(
        "model/order.yaml",
        "entity: Order
version: 1
schema: {type: object, properties: {number: {type: string}, step: {type: integer}, state: {type: string}}}
fields: {number: {owner: app, pii: none}, step: {owner: app, pii: none}, state: {owner: app, pii: none}}
creators: [app]
deleters: [app]
",
    );
    folder.put(
        "systems/app.yaml",
        &format!(
            "system: app
connector: outbox
parameters: {{aggregates: {{orders: {{type: Order}}}}}}
connection:
  base_url: postgres://127.0.0.1:{port}/shop?sslmode=disable
  allow: [\"127.0.0.1:{port}\"]
  secrets: {{user: {{file: ./relay.user}}, password: {{file: ./relay.secret}}}}
  timeouts: {{connect: 1s, request: 5s}}
poll: {{orders: 200ms}}
history: all
"
        ),
    );
    folder.put(
        "mappings/order.app.yaml",
        "mapping: order.app
version: 1
entity: Order
system: app
object: orders
fields:
  - {field: number, path: id, direction: in}
  - {field: step, path: changes, direction: in}
  - {field: state, path: state, direction: in}
",
    );
    folder
}

/// One session that keeps its transaction open while others come and go.
struct Session {
    child: Child,
    input: ChildStdin,
}

impl Session {
    fn begin(server: &Postgres) -> Self {
        let mut child = server.psql("shop").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let mut session = Self { child, input };
        session.run("BEGIN");
        session
    }

    fn run(&mut self, statement: &str) {
        writeln!(self.input, "{statement};").unwrap();
        self.input.flush().unwrap();
    }

    fn commit(mut self) {
        self.run("COMMIT");
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}

/// An order takes a step, and says so, in whatever transaction runs.
fn step(order: &str, step: u32) -> String {
    format!(
        "INSERT INTO orders VALUES ('{order}', 'moved', {step}) ON CONFLICT (id) DO UPDATE SET changes = {step};
         SELECT outbox_put('Order', '{order}', 'OrderMoved', '{{\"id\": \"{order}\", \"changes\": {step}}}')"
    )
}

fn comes(mut holds: impl FnMut() -> bool) -> bool {
    (0..600).any(|_| {
        let held = holds();
        if !held {
            std::thread::sleep(Duration::from_millis(100));
        }
        held
    })
}

/// What happened to orders: of each the steps that were told, in the order in which they were.
fn told(folder: &Folder) -> BTreeMap<String, Vec<i64>> {
    let mut told: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    let mut numbers: BTreeMap<String, String> = BTreeMap::new();
    let token = std::fs::read_to_string(folder.path().join(".concord/operator.token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let ask = |path: &str| -> Value {
        let headers = [("authorization", bearer.as_str())];
        let (status, body) = request(folder.operator, "GET", path, &headers, b"").unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    };
    let events = ask("/api/v1/events?limit=1000");
    for event in events["items"].as_array().unwrap() {
        let whole = ask(&format!("/api/v1/events/{}", event["id"].as_str().unwrap()));
        let subject = whole["subject"].as_str().unwrap().to_owned();
        let version: i64 = whole["sequence"].as_str().unwrap().parse().unwrap();
        if let Some(number) = whole["data"]["number"].as_str() {
            numbers.insert(subject.clone(), number.to_owned());
        }
        let step = whole["data"]["step"].as_i64().unwrap();
        told.entry(subject).or_default().push((version, step));
    }
    let named = told.into_iter().map(|(subject, mut steps)| {
        steps.sort_unstable();
        (numbers[&subject].clone(), steps.into_iter().map(|(_, step)| step).collect())
    });
    named.collect()
}

#[test]
fn what_commits_late_is_told_in_the_order_of_commits() {
    let server = server();
    let folder = folder(server.port);
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());

    // The older transaction draws the smaller numbers, of the transaction and of its row, and commits last.
    let mut older = Session::begin(&server);
    older.run(&step("late", 1));
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xid IS NOT NULL";
    assert!(comes(|| server.sql("shop", waits) == "1"));
    server.sql("shop", &step("early", 1));
    // Its turn comes when the older one is over: till then nobody can tell what else stands before it.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(told(&folder), BTreeMap::new());
    older.commit();
    let both = BTreeMap::from([("early".to_owned(), vec![1]), ("late".to_owned(), vec![1])]);
    assert!(comes(|| told(&folder) == both), "{:?}\n{}", told(&folder), folder.last_words());

    // The older transaction is the second to change the same order: it waited for the younger one.
    let mut older = Session::begin(&server);
    older.run(&step("elsewhere", 1));
    assert!(comes(|| server.sql("shop", waits) == "1"));
    server.sql("shop", &step("same", 1));
    older.run(&step("same", 2));
    older.commit();
    assert!(comes(|| told(&folder).get("same") == Some(&vec![1, 2])), "{:?}", told(&folder));
    hub.stop();
}

#[test]
fn each_event_is_told_once_through_kills_of_the_hub_and_the_database() {
    let mut server = server();
    let folder = folder(server.port);
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    let round = |server: &Postgres, number: u32| {
        let orders: Vec<String> = (0..20).map(|order| step(&format!("o{order}"), number)).collect();
        server.sql("shop", &orders.join(";\n"));
        // What was not committed is not told.
        let undone = server.ask("shop", &format!("BEGIN; {}; ROLLBACK", step("o0", 900 + number)));
        assert!(undone.is_ok());
    };
    for number in 1..=12 {
        round(&server, number);
        if number % 4 == 1 {
            hub.kill();
            hub = folder.up(&[]);
            assert!(hub.ready(), "{}", folder.last_words());
        }
        if number % 6 == 3 {
            server.crash();
            server.up();
        }
    }
    // The same event once more, as an application does that does not know whether it had committed.
    let id = server.sql("shop", "SELECT id FROM outbox WHERE aggregateid = 'o1' ORDER BY seq LIMIT 1");
    server.sql("shop", &format!("SELECT outbox_put('Order', 'o1', 'OrderMoved', '{{}}', '{id}')"));
    server.sql("shop", &step("last", 1));
    let expected = |order: &Vec<i64>| *order == (1..=12).collect::<Vec<i64>>();
    let whole = || {
        let all = told(&folder);
        all.len() == 21 && all.iter().all(|(order, steps)| order == "last" || expected(steps))
    };
    assert!(comes(whole), "{:?}\n{}", told(&folder), folder.last_words());
    let quarantined = json(&folder, &["dead-letter", "list"]);
    assert_eq!(quarantined.as_array().map(Vec::len), Some(0), "{quarantined:#}");
    let systems: Value = json(&folder, &["system", "list"]);
    assert!(
        systems.as_array().unwrap().iter().any(|row| row["system"] == "app" && row["state"] == "running")
    );
    hub.stop();
}

/// The example's application, which may crash behind a step.
fn app(server: &Postgres, arguments: &[&str]) -> bool {
    let binary =
        std::path::Path::new(env!("CARGO_BIN_EXE_concord")).with_file_name("examples").join("outbox-app");
    assert!(binary.exists(), "build it: cargo build -p concord --example outbox-app");
    let database = format!("host=127.0.0.1 port={} dbname=shop user=app password=writes", server.port);
    let status = Command::new(binary).arg(database).args(arguments).stderr(Stdio::null()).status();
    status.unwrap().success()
}

/// An application that crashes between every two of its steps: what it had committed is told once, and nothing else is.
#[test]
fn no_event_is_lost_and_none_is_invented() {
    let server = server();
    let folder = folder(server.port);
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    let changes = ["place", "pay", "cancel"];
    let crashes = ["begin", "order", "event", "commit"];
    for round in 0..24_u32 {
        let order = format!("o{}", round % 6);
        let change = changes[(round / 6) as usize % 3];
        let id = format!("00000000-0000-4000-8000-{round:012}");
        let asked = [change, order.as_str(), "--event", id.as_str()];
        let crash = [&asked[..], &["--crash", crashes[round as usize % 4]]].concat();
        assert!(!app(&server, &crash), "it was to crash");
        // Two of three are asked for again, under the same id; what of the others was committed stays.
        if round % 3 != 0 {
            assert!(app(&server, &asked) && app(&server, &asked), "the second time nothing is left to do");
        }
        if round % 8 == 3 {
            hub.kill();
            hub = folder.up(&[]);
            assert!(hub.ready(), "{}", folder.last_words());
        }
    }
    let books = || -> BTreeMap<String, Vec<i64>> {
        let rows = server.sql("shop", "SELECT id, changes FROM orders WHERE changes > 0");
        let rows = rows.lines().filter_map(|line| line.split_once('|'));
        rows.map(|(id, changes)| (id.to_owned(), (1..=changes.parse().unwrap()).collect())).collect()
    };
    let events = server.sql("shop", "SELECT count(*) FROM outbox");
    let committed: usize = books().values().map(Vec::len).sum();
    assert_eq!(events, committed.to_string(), "the application's own books agree with its outbox");
    // 16 were asked for again; of the 8 others those that crashed behind the commit were made.
    assert_eq!(committed, 16 + 2);
    assert!(comes(|| told(&folder) == books()), "{:?}\n{:?}", told(&folder), books());
    hub.stop();
}
