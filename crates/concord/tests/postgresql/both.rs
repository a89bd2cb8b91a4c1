//! Two tables that follow each other: one found by Concord's id, one by a natural key and with a comparison before each change.

use std::time::Duration;

use super::support::Folder;
use super::support::postgres::Postgres;

const TABLES: &str = r#"
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  NEW.updated_at := greatest(clock_timestamp(), OLD.updated_at + interval '1 microsecond'); RETURN NEW; END $$;
CREATE SCHEMA west; CREATE SCHEMA east;
CREATE TABLE west.people (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), concord_id text UNIQUE, email text, name text, credit numeric(12, 2),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE east.people (
  "Number" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail varchar(200) NOT NULL UNIQUE, label text, balance numeric,
  extra jsonb NOT NULL DEFAULT '{"kept": true}', updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TRIGGER touch BEFORE UPDATE ON west.people FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER touch BEFORE UPDATE ON east.people FOR EACH ROW EXECUTE FUNCTION touch();
CREATE ROLE hub LOGIN PASSWORD 'hub';
GRANT USAGE ON SCHEMA west, east TO hub;
GRANT SELECT, INSERT, UPDATE ON west.people TO hub;
-- Only what is mapped: the rest of the table is not Concord's business.
GRANT SELECT ("Number", mail, label, balance, updated_at), INSERT (mail, label, balance), UPDATE (mail, label, balance)
  ON east.people TO hub;
"#;

fn configuration(port: u16) -> Folder {
    let folder = Folder::new(&[]);
    folder.put("hub.user", "hub");
    folder.put("hub.secret", "hub");
    folder.put(
        "model/person.yaml",
        "entity: Person
version: 1
schema:
  type: object
  properties:
    email: {type: string}
    name: {type: string}
    credit: {type: string, format: decimal}
fields: {email: {pii: none}, name: {pii: none}, credit: {pii: none}}
match_keys:
  - {name: email, fields: [email]}
creators: [west, east]
",
    );
    for (system, table, paths) in [
        ("west", "{schema: west}", ["email", "name", "credit"]),
        ("east", "{schema: east, id: Number, natural: mail, compare: \"yes\"}", ["mail", "label", "balance"]),
    ] {
        folder.put(
            &format!("systems/{system}.yaml"),
            &format!(
                "system: {system}
connector: postgresql
parameters: {{lookback_ms: 10000, processing_max_ms: 1500, tables: {{people: {table}}}}}
connection:
  base_url: postgres://127.0.0.1:{port}/postgres?sslmode=disable
  allow: [\"127.0.0.1:{port}\"]
  secrets: {{user: {{file: ./hub.user}}, password: {{file: ./hub.secret}}}}
poll: {{people: 200ms}}
retry: {{base: 100ms, cap: 500ms}}
history: all
"
            ),
        );
        let [email, name, credit] = paths;
        folder.put(
            &format!("mappings/person.{system}.yaml"),
            &format!(
                "mapping: person.{system}
version: 1
entity: Person
system: {system}
object: people
fields:
  - {{field: email, path: {email}}}
  - {{field: name, path: {name}, on_null: \"null\"}}
  - {{field: credit, path: {credit}}}
"
            ),
        );
    }
    folder.put(
        "routes/all.yaml",
        "routes:
  - {route: person.west, kind: sync, entity: Person, system: west, object: people, mapping: person.west}
  - {route: person.east, kind: sync, entity: Person, system: east, object: people, mapping: person.east}
",
    );
    folder
}

/// Waits until the other statement gives what the one gives.
fn same(server: &Postgres, one: &str, other: &str, folder: &Folder) {
    let mut last = (String::new(), String::new());
    let agreed = super::comes(|| {
        last = (server.sql("postgres", one), server.sql("postgres", other));
        last.0 == last.1
    });
    let apart: Vec<_> = last.0.lines().zip(last.1.lines()).filter(|(one, other)| one != other).collect();
    assert!(agreed, "{apart:#?}\n{}", folder.last_words());
}

#[test]
fn two_tables_follow_each_other_and_come_to_rest() {
    const WEST: &str = "SELECT email, name, credit::numeric FROM west.people ORDER BY email";
    const EAST: &str = "SELECT mail, label, balance::numeric(12, 2) FROM east.people ORDER BY mail";
    let server = Postgres::start(&[]);
    server.sql("postgres", TABLES);
    server.sql(
        "postgres",
        "INSERT INTO west.people (email, name, credit)
           SELECT n || '@example.test', 'west ' || n, n + 0.5 FROM generate_series(1, 40) AS n;
         INSERT INTO east.people (mail, label) VALUES ('e@example.test', 'east');
         -- One that is there and is not told of: by its natural key it is taken over, and no second row comes of it.
         INSERT INTO east.people (mail, label, updated_at) VALUES ('7@example.test', 'east 7', '1960-01-01')",
    );
    let folder = configuration(server.port);
    let mut hub = super::up(&folder);
    same(&server, WEST, EAST, &folder);
    assert_eq!(server.sql("postgres", "SELECT count(*) FROM east.people"), "41");

    // Each side changes another column of the same rows at the same time, again and again: the comparison refuses who did
    // not see the other's, and both changes are kept.
    for round in 0..6 {
        server.sql(
            "postgres",
            &format!("UPDATE west.people SET name = 'w{round} ' || email WHERE credit < 20"),
        );
        server.sql(
            "postgres",
            &format!("UPDATE east.people SET balance = balance + {round}.25 WHERE balance < 20"),
        );
        std::thread::sleep(Duration::from_millis(150));
    }
    server.sql("postgres", "UPDATE east.people SET label = NULL WHERE mail = '3@example.test'");
    same(&server, WEST, EAST, &folder);
    let kept = "SELECT count(*) FROM east.people WHERE label LIKE 'w5 %' AND balance > 15 + 0.5";
    assert_ne!(server.sql("postgres", kept), "0");
    assert_eq!(
        server.sql("postgres", "SELECT label IS NULL FROM east.people WHERE mail = '3@example.test'"),
        "t"
    );
    // What is not mapped is as it was.
    assert_eq!(
        server.sql("postgres", "SELECT count(*) FROM east.people WHERE extra = '{\"kept\": true}'"),
        "41"
    );

    // Nobody answers the other's answer for ever.
    let touched = "SELECT max(w.updated_at), max(e.updated_at) FROM west.people AS w, east.people AS e";
    std::thread::sleep(Duration::from_secs(1));
    let before = server.sql("postgres", touched);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(server.sql("postgres", touched), before, "they do not come to rest");
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{}", folder.last_words());
}
