//! Mappings and schemas on the command line: what is said, where, and with which code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end where it stands")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/subscription-business")
}

fn concord(folder: &Path, arguments: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
    command.arg("--dir").arg(folder).args(arguments).env("NO_COLOR", "1");
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A command that does not read it may be gone already.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    child.wait_with_output().unwrap()
}

fn json_of(folder: &Path, arguments: &[&str], stdin: &str) -> Value {
    let output = concord(folder, &[arguments, &["--output", "json"]].concat(), stdin);
    assert!(output.status.success(), "{arguments:?}: {}", talk(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The example's folder with one text in one file replaced.
fn changed(file: &str, from: &str, to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&example(), folder.path());
    let file = folder.path().join(file);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(&file, text.replacen(from, to, 1)).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn mappings_are_tested_with_counts() {
    let rows = json_of(&example(), &["mapping", "test"], "");
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 19);
    assert!(rows.iter().all(|row| row["result"] == "ok" && row["examples"].as_u64() > Some(0)), "{rows:?}");
    let one = json_of(&example(), &["mapping", "test", "account.crm"], "");
    assert_eq!(
        (&one[0]["examples"], &one[0]["rows"], &one[0]["version"]),
        (&json!(4), &json!(12), &json!(1))
    );
    assert!(one[0]["values"].as_u64() > Some(300), "{one}");
    let missing = concord(&example(), &["mapping", "test", "acount.crm"], "");
    assert_eq!(missing.status.code(), Some(5));
    assert!(talk(&missing).contains("did you mean `account.crm`?"), "{}", talk(&missing));
}

#[test]
fn what_fails_is_named_with_its_place_whatever_else_is_wrong() {
    let lookup = "path: lifecyclestage, lookup:";
    let folder =
        changed("mappings/account.crm.yaml", lookup, "path: lifecyclestage, transform: [upper], lookup:");
    fs::write(folder.path().join("routes/erp-and-billing.yaml"), "routes: none").unwrap();
    let output = concord(folder.path(), &["mapping", "test", "account.crm"], "");
    assert_eq!(output.status.code(), Some(1));
    let said = talk(&output);
    assert!(said.contains("mappings/account.crm.yaml:22:58: error: `upper` loses something"), "{said}");
    assert!(said.contains("the example (a customer) does not come out"), "{said}");
    assert!(!said.contains("routes/"), "{said}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.starts_with("MAPPING") && table.contains("failed"), "{table}");
    let other = concord(folder.path(), &["mapping", "test", "contact.crm"], "");
    assert_eq!(other.status.code(), Some(0), "{}", talk(&other));
    fs::write(folder.path().join("mappings/unread.yaml"), "mapping: [").unwrap();
    let other = concord(folder.path(), &["mapping", "test", "contact.crm"], "");
    assert_eq!(other.status.code(), Some(0), "{}", talk(&other));
    let all = concord(folder.path(), &["mapping", "test"], "");
    assert!(all.status.code() == Some(1) && talk(&all).contains("mappings/unread.yaml:1:"), "{}", talk(&all));
    let check = concord(folder.path(), &["check", "."], "");
    assert_eq!(check.status.code(), Some(1));
}

#[test]
fn a_mapping_is_tried_on_a_sample() {
    let file = example().join("mappings/contact.crm.yaml");
    let file = file.to_str().unwrap();
    let sample = r#"{"email": " Ada@Fjord.example ", "firstname": null, "unknown": {"a.b": 1}, "associatedcompanyid": "9"}"#;
    let tried = json_of(Path::new("/"), &["mapping", "try", file], sample);
    assert_eq!(tried["result"]["fields"], json!({"email": "ada@fjord.example"}));
    assert_eq!(tried["result"]["references"]["account"]["external_id"], "9");
    let warned = |what: &str| {
        let warnings = tried["warnings"].as_array().unwrap();
        warnings
            .iter()
            .find(|warning| warning["what"] == what)
            .map_or(json!(null), |found| found["at"].clone())
    };
    assert_eq!(warned("nobody reads these paths"), json!([r"unknown.a\.b"]));
    assert_eq!(warned("nothing is said of these fields"), json!(["first_name"]));
    assert!(warned("the sample lacks these paths").as_array().unwrap().contains(&json!("lastname")));
    assert_eq!(tried["cost"]["rows"], 11);
    assert!(tried["cost"]["cpu_us"].as_f64() > Some(0.0), "{tried}");

    let account = canonical::RecordId::from_parts(canonical::Wall(0), 1);
    let record = json!({"email": "a@b.co", "account": account.to_string(), "nickname": "Ada"}).to_string();
    let tried = json_of(Path::new("/"), &["mapping", "try", file, "--out"], &record);
    assert_eq!(tried["result"]["fields"], json!({"email": "a@b.co"}));
    let said = tried["warnings"].to_string();
    assert!(said.contains(r#"{"at":["nickname"],"what":"nobody writes these fields"}"#), "{said}");
    assert!(said.contains(r#"{"at":["account"],"what":"these references have no link here"}"#), "{said}");

    let table = concord(Path::new("/"), &["mapping", "try", file], r#"{"email": "a@b.co"}"#);
    assert!(table.stdout.starts_with(b"{"), "the result is data");
    assert!(talk(&table).contains("of CPU time"), "{}", talk(&table));
}

#[test]
fn what_cannot_be_tried_says_why_and_shows_no_value() {
    let file = example().join("mappings/contact.crm.yaml");
    let file = file.to_str().unwrap();
    for (sample, code, says) in [
        ("", 64, "is not JSON (line 1, column 0)"),
        (r#"{"email": "secret"#, 64, "is not JSON (line 1, column 17)"),
        ("[1]", 64, "no object"),
        (r#"{"email": "secret"}"#, 1, "cannot read `email` into `email`: expected an email address"),
    ] {
        let output = concord(Path::new("/"), &["mapping", "try", file], sample);
        assert_eq!(output.status.code(), Some(code), "{sample}: {}", talk(&output));
        assert!(talk(&output).contains(says) && !talk(&output).contains("secret"), "{}", talk(&output));
        assert!(output.stdout.is_empty());
    }
    let folder = changed("mappings/contact.crm.yaml", "{field: phone,", "{field: phon,");
    let file = folder.path().join("mappings/contact.crm.yaml");
    let output = concord(Path::new("/"), &["mapping", "try", file.to_str().unwrap()], "{}");
    assert_eq!(output.status.code(), Some(1));
    assert!(talk(&output).contains("did you mean `phone`?"), "{}", talk(&output));
}

#[test]
fn lineage_goes_from_fields_and_from_paths_on_to_targets() {
    let rows = json_of(&example(), &["mapping", "lineage", "email", "--entity", "Contact"], "");
    let first = &rows[0];
    assert_eq!(
        (&first["entity"], &first["field"], &first["direction"], &first["mapping"], &first["version"]),
        (&json!("Contact"), &json!("email"), &json!("both"), &json!("contact.crm"), &json!(1))
    );
    assert_eq!(
        (&first["how"], &first["owner"], &first["pii"]),
        (&json!("trim, lower"), &json!("crm"), &json!("basic"))
    );
    assert!(rows.as_array().unwrap().iter().all(|row| row["entity"] == "Contact"), "{rows}");

    let rows = json_of(&example(), &["mapping", "lineage", "crm:lifecyclestage"], "");
    assert_eq!((&rows[0]["field"], &rows[0]["how"]), (&json!("lifecycle"), &json!("lookup lifecycle")));
    let rows = json_of(&example(), &["mapping", "lineage", "crm:email"], "");
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let place = |row| [text(row, "system"), text(row, "object"), text(row, "path")].join(".");
    let parts: Vec<(String, String)> =
        rows.as_array().unwrap().iter().map(|row| (text(row, "part"), place(row))).collect();
    let parts: Vec<(&str, &str)> =
        parts.iter().map(|(part, place)| (part.as_str(), place.as_str())).collect();
    assert_eq!(
        parts,
        [
            ("path", "crm.contacts.email"),
            ("path", "crm.leads.email"),
            ("onward", "erp.contact.email"),
            ("onward", "marketing.members.email_address"),
        ]
    );
    assert!(!rows[2]["routes"].as_array().unwrap().is_empty(), "{rows}");
    let rows = json_of(&example(), &["mapping", "lineage", "crm:industry"], "");
    assert_eq!((&rows[0]["how"], &rows[0]["field"]), (&json!("extension"), &json!(null)));

    let table = concord(&example(), &["mapping", "lineage", "crm:industry"], "");
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.starts_with("FIELD    DIRECTION  SYSTEM AND PATH"), "{table}");
    assert!(
        table.contains("Account  in         crm.companies.industry  account.crm v1  extension"),
        "{table}"
    );

    // What the table shows is understood, too.
    for (shown, typed) in [
        ("crm.contacts.email", "crm:contacts.email"),
        ("marketing.members.merge_fields.FNAME", "marketing:merge_fields.FNAME"),
    ] {
        assert_eq!(
            json_of(&example(), &["mapping", "lineage", shown], ""),
            json_of(&example(), &["mapping", "lineage", typed], "")
        );
    }
    let rows = json_of(&example(), &["mapping", "lineage", "Lead.email"], "");
    assert_eq!(rows, json_of(&example(), &["mapping", "lineage", "email", "--entity", "Lead"], ""));

    for (of, says) in [
        ("emial", "did you mean `email`?"),
        ("Contact.emial", "did you mean `Contact.email`?"),
        ("cmr:email", "there is no system `cmr`; did you mean `crm`?"),
        ("crm:emial", "no mapping has the path `emial` of `crm`"),
    ] {
        let output = concord(&example(), &["mapping", "lineage", of], "");
        assert_eq!(output.status.code(), Some(5), "{of}");
        assert!(talk(&output).contains(says), "{}", talk(&output));
    }
}

#[test]
fn schemas_are_written_for_files_and_kinds() {
    let text = |of: &str| {
        let output = concord(Path::new("/"), &["schema", of], "");
        assert!(output.status.success(), "{of}: {}", talk(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    for (file, kind) in [
        ("mappings/contact.crm.yaml", "mapping"),
        ("model/contact.yaml", "entity"),
        ("concord.yaml", "concord"),
        ("connectors/own.yaml", "connector"),
        ("connectors/fixtures/own.yaml", "fixtures"),
    ] {
        assert_eq!(text(file), text(kind));
        assert!(text(kind)["$id"].as_str().unwrap().ends_with(&format!("/{kind}.schema.json")));
    }
    let output = concord(Path::new("/"), &["schema", "readme"], "");
    assert_eq!(output.status.code(), Some(5));
    assert!(talk(&output).contains("one of concord, entity, mapping"), "{}", talk(&output));
}
