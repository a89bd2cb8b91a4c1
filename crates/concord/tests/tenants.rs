//! One process, two tenants with the same names in everything: each is served, operated and restarted apart from the
//! other, and what keeps them from standing beside each other is said with its place.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]
#![allow(dead_code, reason = "the support is shared, and not all of it is used here")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use sandbox::{Kind, Options, Sandbox};
use support::command::{concord, json, until};
use support::load::Dice;
use support::tenants::Tenants;
use support::{Folder, request, say_at};

const ACME: (&str, &str) = ("acme", "");
const GLOBEX: (&str, &str) = ("globex", "/globex");

async fn sink() -> sandbox::Handle {
    let mut plain = Options::of(Kind::Sink);
    plain.business_id = "number".into();
    Sandbox::start(Kind::Sink, plain).await.unwrap()
}

fn nowhere() -> std::net::SocketAddr {
    ([127, 0, 0, 1], support::free_port()).into()
}

/// What a target holds: companies, each with its version.
fn held(sink: &sandbox::Handle) -> BTreeMap<String, u64> {
    let lanes = sink.lock().books().lanes;
    let records = lanes.get("alpha").map(|lane| lane.records.clone()).unwrap_or_default();
    let version = |keys: BTreeMap<String, Option<String>>| {
        keys.into_values().flatten().filter_map(|version| version.parse().ok()).max().unwrap_or(0)
    };
    records.into_iter().map(|(number, keys)| (number, version(keys))).collect()
}

/// Ends with this code; gives what was said.
fn ends(folder: &Folder, code: i32, arguments: &[&str]) -> String {
    let output = concord(folder, arguments);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}\n{}", folder.last_words());
    said
}

fn delivered(folder: &Folder) -> usize {
    json(folder, &["delivery", "list", "--state", "delivered"]).as_array().unwrap().len()
}

/// A question of an operator.
fn asked(folder: &Folder, token: Option<&str>, path: &str) -> (u16, String) {
    let bearer = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
    let headers: Vec<(&str, &str)> = token.map(|_| ("authorization", bearer.as_str())).into_iter().collect();
    request(folder.operator, "GET", path, &headers, b"").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tenants_live_in_one_process() {
    let (of_acme, of_globex) = (sink().await, sink().await);
    let all = Tenants::new(&[(ACME, of_acme.addr), (GLOBEX, of_globex.addr)]);
    let [acme, globex] = &all.tenants[..] else { panic!("two") };
    let checked = ends(&all.hub, 0, &["check"]);
    assert!(checked.contains("acme: ") && checked.contains("globex: "), "{checked}");
    let mut hub = all.hub.up(&[]);
    assert!(hub.ready(), "{}", all.hub.last_words());

    // The same company, as each of them knows it.
    assert!(say_at(all.hub.ingress, "", "c1", 1) && say_at(all.hub.ingress, "/globex", "c1", 7));
    until("each has its own", || delivered(acme) == 1 && delivered(globex) == 1).await;
    assert_eq!(held(&of_acme), BTreeMap::from([("c1".to_owned(), 1)]));
    assert_eq!(held(&of_globex), BTreeMap::from([("c1".to_owned(), 7)]));
    for (folder, name) in [(acme, "acme"), (globex, "globex")] {
        let metrics = asked(folder, Some(&folder.token()), "/metrics").1;
        assert!(metrics.contains(&format!("tenant=\"{name}\"")), "{metrics}");
        let strangers = metrics.lines().filter(|line| line.contains("tenant=") && !line.contains(name));
        assert_eq!(strangers.count(), 0, "{metrics}");
        assert!(
            metrics.contains("concord_store_commits_total{")
                && !metrics.contains("concord_store_syncs_total{")
        );
        assert_eq!(json(folder, &["config", "get"])["tenant"], name);
    }
    strangers(&all.hub, globex);
    reached(&all.hub);

    // The hub's own folder is several tenants', and its token opens what is nobody's.
    let said = ends(&all.hub, 64, &["system", "list"]);
    assert!(said.contains("tenants/globex"), "{said}");
    let (status, text) = asked(&all.hub, Some(&all.hub.token()), "/metrics");
    assert!(status == 200 && text.contains("concord_store_syncs"), "{text}");
    assert!(!text.contains("acme") && !text.contains("globex"), "{text}");
    assert_eq!(asked(&all.hub, Some(&all.hub.token()), "/api/v1/status").0, 404);

    assert_eq!(hub.stop(), Some(0), "{}", all.hub.last_words());
    ends(globex, 7, &["system", "list"]);
}

/// Without a tenant's token everything looks alike.
fn strangers(hub: &Folder, globex: &Folder) {
    for path in ["/api/v1/status", "/api/v1/tenants/globex", "/metrics", "/globex/api/v1/status", "/"] {
        for token in [None, Some("guessed"), Some("poster-of-4")] {
            let (status, body) = asked(hub, token, path);
            assert_eq!(status, 401, "{path}: {body}");
            assert!(!body.contains("globex"), "{body}");
        }
    }
    assert_eq!(request(hub.operator, "POST", "/metrics", &[], b"").unwrap().0, 401, "nor does a method");
    assert_eq!(
        asked(globex, Some(&globex.token()), "/globex/api/v1/status").0,
        404,
        "no address names a tenant"
    );
}

/// What a stranger is answered over a connection that it would keep: the request's id, and all but that and the time.
fn stranger(hub: &Folder, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", hub.ingress)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer poster-of-4\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let lines = answer.lines().filter(|line| !line.to_lowercase().starts_with("date:"));
    let answer = lines.collect::<Vec<_>>().join("\n");
    assert!(answer.contains("connection: close"), "{answer}");
    let id = answer.split("x-request-id: req_").nth(1).unwrap().lines().next().unwrap().to_owned();
    let rest = answer.replace(&id, "ID");
    assert!(!rest.contains(&id), "{answer}");
    (id, rest)
}

/// The status and body of an answer to a batch without events.
fn posted(hub: &Folder, path: &str, token: &str) -> (u16, String) {
    let bearer = format!("Bearer {token}");
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/cloudevents-batch+json")];
    request(hub.ingress, "POST", path, &headers, b"[]").unwrap()
}

/// A token for events is one tenant's; what is under no tenant's path is as if nobody knew the caller.
fn reached(hub: &Folder) {
    let post = |path: &str, token: &str| posted(hub, path, token);
    assert_eq!(post("/v1/events", "poster-of-4").0, 202);
    assert_eq!(post("/globex/v1/events", "poster-of-6").0, 202);
    let other = post("/globex/v1/events", "poster-of-4");
    let nobody = post("/initech/v1/events", "poster-of-4");
    assert_eq!((other.0, nobody.0), (401, 401));
    // Whoever is not known is answered as if the tenant were not there, and keeps no connection.
    for (method, rest) in [
        ("POST", "/v1/events"),
        ("PUT", "/v1/events"),
        ("POST", "/v1/webhooks/shopp"),
        ("GET", "/v1/webhooks/shopp"),
        ("POST", "/v1/webhooks/%FF"),
        ("GET", "/v1/webhooks/%FF/%FF"),
        ("DELETE", "/v1/webhooks/shop"),
        ("GET", "/v1/status"),
        ("GET", "/healthz"),
    ] {
        let ids = ["/globex", "/initech", "/globex"].map(|tenant| {
            let (id, answer) = stranger(hub, method, &format!("{tenant}{rest}"));
            (id, answer.replace(tenant, ""))
        });
        assert_eq!(ids[0].1, ids[1].1, "{method} {rest}");
        let [first, _, third] = ids.map(|(id, _)| u128::from_str_radix(&id, 16).unwrap());
        assert!(first.abs_diff(third) > 1 << 64, "no neighbours: {first:x}, {third:x}");
    }
    for path in ["/initech/v1/webhooks/shop", "/globex/v1/webhooks/shopp", "/v1/webhooks/globex"] {
        let (status, body) = request(hub.ingress, "POST", path, &[], b"{}").unwrap();
        assert!(status == 404 && body.contains("unknown-source"), "{path}: {body}");
    }
    assert_eq!(request(hub.ingress, "GET", "/globex/healthz", &[], b"").unwrap().0, 404);
    assert_eq!(request(hub.ingress, "GET", "/healthz", &[], b"").unwrap().0, 200);
}

/// kill -9 in the middle of both: after each start both go on, nothing acknowledged is lost and nothing is in the
/// other's books (I1).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_kill_nine_hurts_neither() {
    let (of_acme, of_globex) = (sink().await, sink().await);
    let all = Tenants::new(&[(ACME, of_acme.addr), (GLOBEX, of_globex.addr)]);
    let mut dice = Dice(11);
    let mut said: BTreeMap<(&str, String), u64> = BTreeMap::new();
    let mut version = 0;
    for round in 0..6 {
        let mut hub = all.hub.up(&[]);
        assert!(hub.ready(), "round {round}:\n{}", all.hub.last_words());
        for _ in 0..(10 + dice.below(30)) {
            version += 1;
            let path = if dice.below(2) == 0 { "" } else { "/globex" };
            let number = format!("c{}", dice.below(5));
            if say_at(all.hub.ingress, path, &number, version) {
                said.insert((path, number), version);
            }
        }
        hub.kill();
    }
    let mut hub = all.hub.up(&[]);
    assert!(hub.ready(), "{}", all.hub.last_words());
    let wanted = |of: &str| -> BTreeMap<String, u64> {
        said.iter()
            .filter(|((path, _), _)| *path == of)
            .map(|((_, number), v)| (number.clone(), *v))
            .collect()
    };
    let last = |sink: &sandbox::Handle, path: &str| {
        // A version that was not acknowledged may have been taken in all the same: then it is the newer one.
        let held = held(sink);
        wanted(path).iter().all(|(number, version)| held.get(number).is_some_and(|held| held >= version))
    };
    // What was on the wire when it was killed is in doubt for a while.
    for _ in 0..600 {
        if last(&of_acme, "") && last(&of_globex, "/globex") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(last(&of_acme, "") && last(&of_globex, "/globex"), "{said:?}\n{}", all.hub.last_words());
    for sink in [&of_acme, &of_globex] {
        assert_eq!(sink.lock().books().lanes["alpha"].backwards, 0);
    }
    // Each version was said to one of them only.
    let (mine, theirs) = (held(&of_acme), held(&of_globex));
    assert!(
        mine.values().all(|version| !theirs.values().any(|other| other == version)),
        "{mine:?} {theirs:?}"
    );
    assert_eq!(hub.stop(), Some(0), "{}", all.hub.last_words());
}

/// What clashes is said with file, line and column, and nothing is started.
#[test]
fn folders_that_clash_are_refused() {
    let all = Tenants::new(&[(ACME, nowhere()), (GLOBEX, nowhere())]);
    let globex = &all.tenants[1];
    let plain = fs::read_to_string(globex.path().join("concord.yaml")).unwrap();
    for (part, by, place, what) in [
        ("/globex\n", "\n", "tenants/globex/concord.yaml:2:13: error", "is reached at the path `/`, too"),
        (
            "tenant: globex",
            "tenant: acme",
            "tenants/globex/concord.yaml:1:9: error",
            "its folder is called `globex`",
        ),
        ("../../data", "./data", "tenants/globex/concord.yaml:3:17: error", "share one store"),
        (
            "{file: ../../root.key}",
            "{env: KEY}",
            "tenants/globex/concord.yaml:3:29: error",
            "share one root key",
        ),
        (
            "./poster.token",
            "../acme/poster.token",
            "tenants/globex/concord.yaml:9:38: error",
            "is also one of the tenant",
        ),
    ] {
        assert!(plain.contains(part), "{part}");
        globex.put("concord.yaml", &plain.replacen(part, by, 1));
        let said = ends(&all.hub, 1, &["check"]);
        assert!(said.contains(place) && said.contains(what), "{part}: {said}");
        let said = ends(&all.hub, 1, &["up"]);
        assert!(said.contains(place), "{said}");
    }
    // Two names of one token: only following them shows it.
    globex.put("concord.yaml", &plain);
    globex.put("poster.token", "poster-of-4");
    ends(&all.hub, 0, &["check"]);
    let said = ends(&all.hub, 1, &["up"]);
    assert!(
        said.contains("tenants/globex/concord.yaml:9:38: error")
            && said.contains("a token belongs to one tenant"),
        "{said}"
    );
    all.hub.put("concord.yaml", &plain);
    let said = ends(&all.hub, 1, &["check"]);
    assert!(said.contains("either one tenant's or a hub's"), "{said}");
}

/// A tenant whose folder is broken keeps no other from starting; one whose path is taken away is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_folder_is_left_out() {
    let of_acme = sink().await;
    let all = Tenants::new(&[(ACME, of_acme.addr), (GLOBEX, nowhere())]);
    let [acme, globex] = &all.tenants[..] else { panic!("two") };
    globex.put("model/company.yaml", "entity: Company\nversoin: 1\n");
    let said = ends(&all.hub, 1, &["check"]);
    assert!(said.contains("tenants/globex/model/company.yaml:2:1: error"), "{said}");
    let mut hub = all.hub.up(&[]);
    assert!(hub.ready(), "{}", all.hub.last_words());
    let words = all.hub.last_words();
    assert!(words.contains("tenants/globex/model/company.yaml:2:1") && words.contains("globex"), "{words}");
    assert!(say_at(all.hub.ingress, "", "c1", 1) && !say_at(all.hub.ingress, "/globex", "c1", 1));
    until("acme is served", || delivered(acme) == 1).await;
    ends(globex, 7, &["system", "list"]);
    // Another path would be another tenant's, or nobody's: a running hub takes none, and does not say which.
    let plain = fs::read_to_string(acme.path().join("concord.yaml")).unwrap();
    for path in ["/globex", "/initech"] {
        let url = format!("public_url: http://127.0.0.1:{}", acme.ingress);
        acme.put("concord.yaml", &plain.replacen(&url, &format!("{url}{path}"), 1));
        let said = ends(acme, 6, &["plan"]);
        assert!(said.contains("concord.yaml:2:13: error: a running hub keeps the paths"), "{said}");
        assert!(!said.replace(path, "").contains("globex"), "{said}");
        ends(acme, 6, &["apply", "--reason", "a test"]);
    }
    assert_eq!(hub.stop(), Some(0));
}

/// A running hub gives no tenant what is another's: its next start would refuse both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_anothers_is_not_applied() {
    let all = Tenants::new(&[(ACME, nowhere()), (GLOBEX, nowhere())]);
    let [acme, globex] = &all.tenants[..] else { panic!("two") };
    let archive = |folder: &Folder, at: &str| {
        let concord = fs::read_to_string(folder.path().join("concord.yaml")).unwrap();
        folder.put("concord.yaml", &format!("{concord}retention: {{archive: {at}}}\n"));
    };
    archive(acme, "../../old/acme");
    let mut hub = all.hub.up(&[]);
    assert!(hub.ready(), "{}", all.hub.last_words());
    let plain = fs::read_to_string(globex.path().join("concord.yaml")).unwrap();
    let refused = |place: &str| {
        let said = ends(globex, 6, &["apply", "--reason", "a test"]);
        assert!(said.contains(place) && said.contains("in use"), "{said}");
        assert!(!said.replace("../acme/", "").replace("old/acme", "").contains("acme"), "{said}");
        assert_eq!(posted(&all.hub, "/globex/v1/events", "poster-of-4").0, 401);
        assert_eq!(posted(&all.hub, "/globex/v1/events", "poster-of-6").0, 202);
    };
    // The same bytes, the same file, the same folder.
    globex.put("poster.token", "poster-of-4");
    refused("concord.yaml:9:38: error");
    globex.put("poster.token", "poster-of-6");
    globex.put("concord.yaml", &plain.replacen("./poster.token", "../acme/poster.token", 1));
    refused("concord.yaml:9:38: error");
    globex.put("concord.yaml", &plain);
    archive(globex, "../../old/../old/acme");
    refused("concord.yaml:10:22: error");
    // What another had and has given up is free; what was refused is held by nobody.
    globex.put("concord.yaml", &format!("{plain}retention: {{archive: ../../old/globex}}\n"));
    ends(globex, 0, &["apply", "--reason", "a test"]);
    acme.put("poster.token", "another");
    ends(acme, 0, &["apply", "--reason", "a test"]);
    globex.put("poster.token", "poster-of-4");
    ends(globex, 0, &["apply", "--reason", "a test"]);
    assert_eq!(posted(&all.hub, "/globex/v1/events", "poster-of-4").0, 202);
    assert_eq!(posted(&all.hub, "/v1/events", "poster-of-4").0, 401);
    acme.put("poster.token", "poster-of-4");
    ends(acme, 6, &["apply", "--reason", "a test"]);
    acme.put("poster.token", "another");
    assert_eq!(hub.stop(), Some(0));
    let mut hub = all.hub.up(&[]);
    assert!(hub.ready(), "what was applied starts: {}", all.hub.last_words());
    assert_eq!(hub.stop(), Some(0));
}

/// A tenant's own `.concord/` is its own trouble: the others start, and what it has for itself is kept for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_cannot_be_had_leaves_its_tenant_out() {
    let all = Tenants::new(&[(ACME, nowhere()), (GLOBEX, nowhere())]);
    let [acme, globex] = &all.tenants[..] else { panic!("two") };
    let archive = |folder: &Folder, at: &str| {
        let concord = fs::read_to_string(folder.path().join("concord.yaml")).unwrap();
        folder.put("concord.yaml", &format!("{concord}retention: {{archive: {at}}}\n"));
    };
    archive(globex, "../../old/globex");
    globex.put(".concord", "no folder");
    let mut hub = all.hub.up(&[]);
    assert!(hub.ready(), "{}", all.hub.last_words());
    let words = all.hub.last_words();
    let line = words.lines().find(|line| line.contains("the tenant is not started")).unwrap();
    assert!(
        line.contains(r#""tenant":"globex""#) && line.contains("globex/.concord cannot be made"),
        "{words}"
    );
    assert_eq!(posted(&all.hub, "/v1/events", "poster-of-4").0, 202);
    assert_eq!(posted(&all.hub, "/globex/v1/events", "poster-of-6").0, 401);
    let plain = fs::read_to_string(acme.path().join("concord.yaml")).unwrap();
    archive(acme, "../../old/globex");
    let said = ends(acme, 6, &["apply", "--reason", "a test"]);
    assert!(said.contains("concord.yaml:10:22: error") && said.contains("in use"), "{said}");
    acme.put("concord.yaml", &plain);
    assert_eq!(hub.stop(), Some(0));

    // It has its token, but cannot say where it is: it is served.
    fs::remove_file(globex.path().join(".concord")).unwrap();
    globex.put(".concord/run.json/in-the-way", "");
    let mut hub = all.hub.up(&[]);
    assert!(hub.ready(), "{}", all.hub.last_words());
    until("both are served", || {
        [("/v1/events", "poster-of-4"), ("/globex/v1/events", "poster-of-6")]
            .iter()
            .all(|(path, token)| posted(&all.hub, path, token).0 == 202)
    })
    .await;
    ends(acme, 0, &["system", "list"]);
    let words = all.hub.last_words();
    let line = words.lines().find(|line| line.contains("its folder does not say where")).unwrap();
    assert!(line.contains(r#""tenant":"globex""#) && line.contains("run.json cannot be written"), "{words}");
    assert_eq!(hub.stop(), Some(0));
}

/// The store is all tenants': it is copied and put back as a whole, by the hub's folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_is_kept_as_a_whole() {
    let (of_acme, of_globex) = (sink().await, sink().await);
    let all = Tenants::new(&[(ACME, of_acme.addr), (GLOBEX, of_globex.addr)]);
    let [acme, globex] = &all.tenants[..] else { panic!("two") };
    let mut hub = all.hub.up(&[]);
    assert!(hub.ready(), "{}", all.hub.last_words());
    assert!(say_at(all.hub.ingress, "", "c1", 1) && say_at(all.hub.ingress, "/globex", "c1", 1));
    until("each has its own", || delivered(acme) == 1 && delivered(globex) == 1).await;
    let backups = tempfile::tempdir().unwrap();
    let place = backups.path().join("one");
    let place = place.to_str().unwrap();
    let said = ends(acme, 6, &["backup", place]);
    assert!(said.contains("share one store"), "{said}");
    for way in ["", "/.", "/../acme", "/model/.."] {
        let named = format!("{}{way}", acme.path().display());
        let said = ends(&all.hub, 6, &["up", &named]);
        assert!(said.contains("share one store"), "{named}: {said}");
    }
    let said = ends(&all.hub, 0, &["backup", place]);
    assert!(said.contains("of acme, globex"), "{said}");
    assert_eq!(hub.stop(), Some(0));
    let into = |folder: &Folder| folder.path().to_str().unwrap().to_owned();
    let said = ends(acme, 6, &["restore", place, "--into", &into(acme), "--replace"]);
    assert!(said.contains("share one store"), "{said}");
    let said = ends(&all.hub, 0, &["restore", place, "--into", &into(&all.hub), "--replace"]);
    assert!(said.contains("shop of globex only pushes"), "{said}");
    let mut hub = all.hub.up(&[]);
    assert!(hub.ready(), "{}", all.hub.last_words());
    assert_eq!((delivered(acme), delivered(globex)), (1, 1), "as of the backup");
    assert_eq!(hub.stop(), Some(0));
}
