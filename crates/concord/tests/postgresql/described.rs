//! The columns of a table, as `concord connector describe` reads them from a real server.

use serde_json::{Value, json};

use super::support::command::concord;
use super::{Folder, TARGET, configuration, server};

const MORE: &str = r#"
CREATE TYPE copies.mood AS ENUM ('glad', 'sad');
CREATE DOMAIN copies.price AS numeric(10, 2);
ALTER TABLE copies.people ADD COLUMN mood copies.mood, ADD COLUMN price copies.price, ADD COLUMN "a.b" char(3),
  ADD COLUMN twice bigint GENERATED ALWAYS AS (big * 2) STORED, ADD COLUMN must text NOT NULL, ADD COLUMN secret text;
REVOKE ALL ON copies.people FROM writer;
GRANT SELECT (number, concord_id, name, mood, price, "a.b", twice, must, updated_at, deleted_at),
  INSERT (concord_id, name, mood, price, "a.b", must), UPDATE (name, mood, price, "a.b", must) ON copies.people TO writer;
"#;

fn field(fields: &Value, path: &str) -> Value {
    let found = fields.as_array().unwrap().iter().find(|field| field["path"] == path);
    found.cloned().unwrap_or_else(|| panic!("there is no {path} in {fields}"))
}

fn asked(folder: &Folder, system: &str, object: &str) -> (Option<i32>, Value, String) {
    let ran = concord(folder, &["connector", "describe", system, object, "--output", "json"]);
    let said = serde_json::from_slice(&ran.stdout).unwrap_or_default();
    (ran.status.code(), said, String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[test]
fn the_columns_that_a_role_may_use_are_described_and_mappings_held_to_them() {
    let target = server(TARGET);
    target.sql("shop", MORE);
    let folder = configuration(target.port, target.port);
    let (code, said, talk) = asked(&folder, "copy_db", "people");
    let fields = &said["fields"];
    for (path, kind, vendor, required, writable) in [
        ("number", "integer", "bigint", false, false),
        // Concord writes it: no mapping has to.
        ("concord_id", "text", "text", false, true),
        ("name", "text", "character varying", true, true),
        ("mood", "choice", "enum", false, true),
        ("price", "decimal", "numeric", false, true),
        (r"a\.b", "text", "character", false, true),
        ("twice", "integer", "bigint", false, false),
        ("must", "text", "text", true, true),
        ("updated_at", "time", "timestamp with time zone", false, false),
    ] {
        let found = field(fields, path);
        let shown = [&found["kind"], &found["vendor_type"], &found["required"], &found["writable"]];
        assert_eq!(shown, [&json!(kind), &json!(vendor), &json!(required), &json!(writable)], "{path}");
    }
    assert_eq!(field(fields, "name")["chars_max"], 200);
    assert_eq!(field(fields, r"a\.b")["chars_max"], 3);
    assert_eq!(field(fields, "mood")["values"], json!(["glad", "sad"]));
    // What the role may not use is not there, and what is mapped to it does not fit.
    assert!(fields.as_array().unwrap().iter().all(|field| field["path"] != "secret"), "{fields}");
    assert_eq!(code, Some(1), "{talk}");
    let told: Vec<&str> =
        said["problems"].as_array().unwrap().iter().filter_map(|one| one["what"].as_str()).collect();
    assert!(told.iter().any(|what| what.contains("no field `credit`")), "{told:?}");
    assert!(told.iter().any(|what| what.contains("`must`")), "{told:?}");

    target.sql("shop", "DROP TABLE copies.firms");
    let (code, _, talk) = asked(&folder, "copy_db", "firms");
    assert!(code == Some(1) && talk.contains("does not exist"), "{code:?}: {talk}");
    target.sql("shop", "REVOKE ALL ON copies.people FROM writer");
    let (code, _, talk) = asked(&folder, "copy_db", "people");
    assert!(code == Some(1) && talk.contains("permission denied"), "{code:?}: {talk}");
}
