//! The door to databases against a real one: what values look like, how refusals are told, how far failures reached.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{System, Tenant};
use connector::{AuthKind, Failure, FailureKind, Reached, Request, Response};
use egress::{Connection, Egress, Options, Timeouts};
use guard::Secret;
use serde_json::{Value, json};

use super::support::postgres::Postgres;

const CA: &str = include_str!("../../../egress/tests/data/ca.test.pem");
const SERVER: &str = include_str!("../../../egress/tests/data/server.test.pem");
const SERVER_KEY: &str = include_str!("../../../egress/tests/data/server.test-key.pem");

fn db() -> System {
    System::new("db").unwrap()
}

fn egress(ca: Option<&str>) -> Egress {
    let options = Options { extra_ca_pem: ca.map(|pem| pem.as_bytes().to_vec()), ..Options::default() };
    Egress::new(Tenant::new("acme").unwrap(), options).unwrap()
}

fn connection(base_url: &str, user: &str, password: &str) -> Connection {
    let auth =
        AuthKind::Basic { user: Some(user.to_owned()), user_secret: None, secret: "password".to_owned() };
    Connection {
        base_url: base_url.to_owned(),
        auth,
        secrets: BTreeMap::from([("password".to_owned(), Secret::from(password))]),
        allow: serde_json::from_str(r#"["127.0.0.1"]"#).unwrap(),
        timeouts: Timeouts { connect: Duration::from_secs(2), total: Duration::from_secs(5) },
        concurrency: 2,
    }
}

fn plain(server: &Postgres, database: &str) -> String {
    format!("postgres://127.0.0.1:{}/{database}?sslmode=disable", server.port)
}

fn asked(statement: &str, binds: Value, timeout_ms: u64) -> Request {
    Request {
        method: Request::SQL.to_owned(),
        path: "/".to_owned(),
        body: json!({"statement": statement, "binds": binds}).to_string().into_bytes(),
        operation: "test".to_owned(),
        timeout_ms,
        cost: 1,
        ..Request::default()
    }
}

async fn ask(egress: &Egress, statement: &str, binds: Value) -> Result<Response, Failure> {
    egress.send(&db(), asked(statement, binds, 3_000)).await
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

async fn row(egress: &Egress, statement: &str, binds: Value) -> Value {
    let response = ask(egress, statement, binds).await.unwrap();
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    body(&response)["rows"][0].clone()
}

#[tokio::test]
async fn values_keep_what_they_are() {
    let server = Postgres::start(&[]);
    server.sql("postgres", "CREATE TYPE mood AS ENUM ('glad'); CREATE DOMAIN price AS numeric(10, 2)");
    let egress = egress(None);
    egress.register(db(), &connection(&plain(&server, "postgres"), "admin", "of-a-test")).unwrap();
    for (expression, shown) in [
        ("true", json!(true)),
        ("7::smallint", json!(7)),
        ("9007199254740993::bigint", json!(9_007_199_254_740_993_i64)),
        ("(-9223372036854775808)::bigint", json!(i64::MIN)),
        ("0.1::real", json!(0.1)),
        ("'-Infinity'::float8", json!("-Infinity")),
        ("0::numeric", json!("0")),
        ("0.00::numeric", json!("0.00")),
        ("12.50::numeric", json!("12.50")),
        ("-0.0001::numeric", json!("-0.0001")),
        ("10000::numeric", json!("10000")),
        (
            "123456789012345678901234567890.000000000000000001::numeric",
            json!("123456789012345678901234567890.000000000000000001"),
        ),
        ("1e-20::numeric", json!("0.00000000000000000001")),
        ("1e20::numeric", json!("100000000000000000000")),
        ("'NaN'::numeric", json!("NaN")),
        ("1.5::price", json!("1.50")),
        ("'glad'::mood", json!("glad")),
        ("'ab'::char(5)", json!("ab")),
        ("'2026-11-22 12:00:00.000001+02'::timestamptz", json!("2026-11-22T10:00:00.000001Z")),
        ("'1999-12-31 23:59:59'::timestamp", json!("1999-12-31T23:59:59")),
        ("'0001-01-01'::timestamptz", json!("0001-01-01T00:00:00Z")),
        ("'infinity'::timestamptz", json!("infinity")),
        ("'1999-12-31'::date", json!("1999-12-31")),
        ("'2000-02-29'::date", json!("2000-02-29")),
        ("'-infinity'::date", json!("-infinity")),
        ("'6A9B6C1E-0000-4000-8000-000000000001'::uuid", json!("6a9b6c1e-0000-4000-8000-000000000001")),
        (r#"'{"a": [1, null]}'::jsonb"#, json!({"a": [1, null]})),
        (r#"'[1]'::json"#, json!([1])),
        (r#"ARRAY['a', NULL, 'b, "c"']"#, json!(["a", null, "b, \"c\""])),
        ("'{}'::text[]", json!([])),
        ("ARRAY[1.10, 2]::numeric[]", json!(["1.10", "2"])),
        ("NULL::text", Value::Null),
    ] {
        let found = row(&egress, &format!("SELECT {expression} AS value"), json!([])).await;
        assert_eq!(found["value"], shown, "{expression}");
    }
    for expression in [r"'\x00'::bytea", "'1 day'::interval", "ARRAY[[1], [2]]", "'[1,2)'::int4range"] {
        let answer = ask(&egress, &format!("SELECT {expression} AS odd"), json!([])).await.unwrap();
        assert_eq!(answer.status, 422, "{expression}");
        let said = body(&answer)["message"].as_str().unwrap().to_owned();
        assert!(said.contains("column `odd`") && said.contains("view"), "{said}");
    }
    // What is bound is a value, whatever it holds.
    let evil = "'; DROP TABLE x; -- $1 \\";
    let bound = json!([{"type": "text", "value": evil}, {"type": "any", "value": "7"}, {"type": "bigint", "value": 9}]);
    let found = row(&egress, "SELECT $1 AS a, 1 + $2 AS b, $3 AS c", bound).await;
    assert_eq!(found, json!({"a": evil, "b": 8, "c": 9}));
}

#[tokio::test]
async fn refusals_are_told_without_values() {
    let server = Postgres::start(&[]);
    server.sql(
        "postgres",
        "CREATE TABLE parents (id bigint PRIMARY KEY);
         CREATE TABLE things (id bigint PRIMARY KEY, name text NOT NULL CHECK (name <> 'no'), number int,
           parent bigint REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
         INSERT INTO things VALUES (1, 'one', 1);
         CREATE ROLE reader LOGIN PASSWORD 'reads'; GRANT SELECT (id) ON things TO reader;
         CREATE TABLE secrets (id bigint); ALTER TABLE secrets ENABLE ROW LEVEL SECURITY; GRANT SELECT ON secrets TO reader",
    );
    let egress = egress(None);
    let at = plain(&server, "postgres");
    egress.register(db(), &connection(&at, "admin", "of-a-test")).unwrap();
    let text = |value: &str| json!([{"type": "any", "value": value}]);
    for (statement, binds, status, sqlstate, named) in [
        ("INSERT INTO things VALUES (1, $1)", text("ann@example.test"), 409, "23505", "things_pkey"),
        ("INSERT INTO things VALUES (2, $1)", text("no"), 400, "23514", "things_name_check"),
        ("INSERT INTO things (id, number) VALUES (2, $1)", text("7"), 400, "23502", "name"),
        (
            "INSERT INTO things (id, name, number) VALUES (2, 'x', $1)",
            text("ann@example.test"),
            400,
            "22P02",
            "",
        ),
        // Checked when the transaction ends, behind the rows: refused all the same.
        (
            "INSERT INTO things VALUES (3, 'x', 1, $1) RETURNING id",
            text("99"),
            400,
            "23503",
            "things_parent_fkey",
        ),
        ("SELECT nope FROM things WHERE name = $1", text("x"), 400, "42703", ""),
        ("SELECT 1 FROM nowhere WHERE 'x' = $1", text("x"), 400, "42P01", ""),
    ] {
        let answer = ask(&egress, statement, binds).await.unwrap();
        let said = body(&answer);
        assert_eq!(
            (answer.status, said["sqlstate"].as_str()),
            (status, Some(sqlstate)),
            "{statement}: {said}"
        );
        assert_eq!(said["sqlstate_class"], json!(sqlstate[..2]));
        let shown = said.to_string();
        assert!(
            shown.contains(named) && !shown.contains("ann@example.test") && !shown.contains("(1)"),
            "{shown}"
        );
    }
    assert_eq!(row(&egress, "SELECT count(*) AS n FROM things", json!([])).await["n"], 1);

    // The time is over: the server ends the statement by itself, and says so when it is asked in time.
    let late = egress.send(&db(), asked("SELECT pg_sleep(60)", json!([]), 300)).await;
    let told = late.as_ref().map(|answer| body(answer)["sqlstate"].clone());
    let ended = told.as_ref().is_ok_and(|state| state == "57014")
        || late
            .as_ref()
            .is_err_and(|late| (late.kind, late.reached) == (FailureKind::Timeout, Reached::MaybeSent));
    assert!(ended, "{late:?}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
    assert_eq!(server.sql("postgres", sleeping), "0");

    // A role that may not.
    egress.register(db(), &connection(&at, "reader", "reads")).unwrap();
    assert_eq!(row(&egress, "SELECT id FROM things", json!([])).await["id"], 1);
    for statement in ["SELECT name FROM things", "DELETE FROM things", "SELECT id FROM secrets"] {
        let answer = ask(&egress, statement, json!([])).await.unwrap();
        assert_eq!((answer.status, body(&answer)["sqlstate"].as_str()), (403, Some("42501")), "{statement}");
    }
    // It may ask which database this is.
    let identity = connector::Manifest::builtin("postgresql").unwrap();
    let manifest = connector::Manifest::parse("postgresql", identity).unwrap();
    let bound = manifest.with_parameters(&BTreeMap::from([("tables".to_owned(), json!({}))])).unwrap();
    let answer = egress.send(&db(), bound.render(&connector::Call::Identity).unwrap()).await.unwrap();
    let account = bound.identity(&answer).unwrap();
    let expected =
        "SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = 'postgres')
                    FROM pg_control_system()";
    assert_eq!(account, server.sql("postgres", expected));
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_and_nothing_was_sent() {
    let server = Postgres::start(&["max_connections=5", "superuser_reserved_connections=2"]);
    server.sql("postgres", "CREATE ROLE plain LOGIN PASSWORD 'pw'");
    let egress = egress(None);
    for (database, user, password, status, sqlstate) in [
        ("postgres", "plain", "wrong", 401, "28P01"),
        ("postgres", "nobody", "pw", 401, "28P01"),
        ("nope", "plain", "pw", 400, "3D000"),
    ] {
        egress.register(db(), &connection(&plain(&server, database), user, password)).unwrap();
        let answer = ask(&egress, "SELECT 1", json!([])).await.unwrap();
        assert_eq!((answer.status, body(&answer)["sqlstate"].as_str()), (status, Some(sqlstate)), "{user}");
    }
    // All of the server's connections are taken.
    let others: Vec<Egress> = (0..3).map(|_| self::egress(None)).collect();
    for other in &others {
        other.register(db(), &connection(&plain(&server, "postgres"), "plain", "pw")).unwrap();
        assert_eq!(ask(other, "SELECT 1", json!([])).await.unwrap().status, 200);
    }
    egress.register(db(), &connection(&plain(&server, "postgres"), "plain", "pw")).unwrap();
    let full = ask(&egress, "SELECT 1", json!([])).await.unwrap_err();
    assert_eq!((full.kind, full.reached), (FailureKind::Connect, Reached::NotSent), "{full}");
    assert!(full.detail.contains("53300"), "{full}");
}

#[tokio::test]
async fn connections_are_few_used_again_and_made_anew() {
    let mut server = Postgres::start(&[]);
    server.sql("postgres", "CREATE TABLE things (id bigint PRIMARY KEY)");
    let egress = std::sync::Arc::new(egress(None));
    egress.register(db(), &connection(&plain(&server, "postgres"), "admin", "of-a-test")).unwrap();
    let asked = (0..20).map(|_| {
        let egress = std::sync::Arc::clone(&egress);
        tokio::spawn(async move {
            row(&egress, "SELECT pg_backend_pid() AS pid, pg_sleep(0.02)::text AS s", json!([])).await
        })
    });
    let mut pids = std::collections::BTreeSet::new();
    for answer in asked.collect::<Vec<_>>() {
        pids.insert(answer.await.unwrap()["pid"].as_i64().unwrap());
    }
    assert!(pids.len() <= 2, "{pids:?}");

    // Killed between two statements: the next one takes a new connection.
    let kill =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'concord'";
    assert_eq!(server.sql("postgres", kill), pids.len().to_string());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let next = row(&egress, "SELECT pg_backend_pid() AS pid", json!([])).await["pid"].as_i64().unwrap();
    assert!(!pids.contains(&next));

    // Killed in the middle: what became of it is not known, and nothing is sent twice.
    let statement = "WITH slept AS (SELECT pg_sleep(1)) INSERT INTO things SELECT 1 FROM slept";
    let middle = tokio::spawn({
        let egress = std::sync::Arc::clone(&egress);
        async move { ask(&egress, statement, json!([])).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.sql("postgres", kill);
    let answer = middle.await.unwrap().unwrap();
    assert_eq!((answer.status, body(&answer)["sqlstate"].as_str()), (503, Some("57P01")));

    // The server is away: nobody is there, and nothing was sent. It comes back: all is well.
    server.crash();
    let away = ask(&egress, "SELECT 1", json!([])).await.unwrap_err();
    assert_eq!((away.kind, away.reached), (FailureKind::Connect, Reached::NotSent), "{away}");
    server.up();
    assert_eq!(row(&egress, "SELECT count(*) AS n FROM things", json!([])).await["n"], 0);
}

#[tokio::test]
async fn tls_is_checked_and_goes_without_saying() {
    let server = Postgres::start(&[]);
    let certificate = server.put("server.crt", SERVER);
    let key = server.put("server.key", SERVER_KEY);
    for (name, value) in [("ssl_cert_file", certificate.display()), ("ssl_key_file", key.display())] {
        server.sql("postgres", &format!("ALTER SYSTEM SET {name} = '{value}'"));
    }
    let at = format!("postgres://127.0.0.1:{}/postgres", server.port);
    let encrypted = connection(&at, "admin", "of-a-test");
    let known = egress(Some(CA));
    known.register(db(), &encrypted).unwrap();
    // Without TLS on the other side nothing is said, the password least of all.
    let none = ask(&known, "SELECT 1", json!([])).await.unwrap_err();
    assert_eq!((none.kind, none.reached), (FailureKind::Tls, Reached::NotSent), "{none}");

    server.sql("postgres", "ALTER SYSTEM SET ssl = on");
    server.sql("postgres", "SELECT pg_reload_conf()");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let used = row(&known, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", json!([])).await;
    assert_eq!(used["ssl"], true);
    let unknown = egress(None);
    unknown.register(db(), &encrypted).unwrap();
    let refused = ask(&unknown, "SELECT 1", json!([])).await.unwrap_err();
    assert_eq!((refused.kind, refused.reached), (FailureKind::Tls, Reached::NotSent), "{refused}");
    assert!(refused.detail.contains("certificate"), "{refused}");
}
