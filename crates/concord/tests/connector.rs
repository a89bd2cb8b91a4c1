//! Connectors on the command line: what is shown, what is found wrong and where, and calls to the sandbox.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end where it stands")]

#[path = "connector/consented.rs"]
mod consented;
#[path = "support/desk.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod desk;

#[path = "connector/attempt.rs"]
mod attempt;
#[path = "connector/described.rs"]
mod described;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn concord(folder: &Path, arguments: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
    command.arg("--dir").arg(folder).args(arguments).env("NO_COLOR", "1").env("CRM_TOKEN", "pat-sandbox");
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A command that does not read it may be gone already.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    child.wait_with_output().unwrap()
}

fn data(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", talk(output)))
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with a connector of its own: HubSpot's, as `shop`.
fn own() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("connectors/fixtures")).unwrap();
    let text = fs::read_to_string(repository().join("connectors/hubspot.yaml")).unwrap();
    let text = text.replacen("connector: hubspot", "connector: shop", 1);
    fs::write(folder.path().join("connectors/shop.yaml"), text).unwrap();
    let fixtures = repository().join("connectors/fixtures/hubspot.yaml");
    fs::copy(fixtures, folder.path().join("connectors/fixtures/shop.yaml")).unwrap();
    folder
}

fn change(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn every_connector_that_comes_with_concord_is_listed_shown_and_passes_strictly() {
    let folder = tempfile::tempdir().unwrap();
    let listed = concord(folder.path(), &["connector", "list", "-o", "json"], "");
    let rows = data(&listed);
    let names: Vec<&str> =
        rows.as_array().unwrap().iter().map(|row| row["connector"].as_str().unwrap()).collect();
    assert!(names.contains(&"hubspot") && names.contains(&"stripe"), "{names:?}");
    let checked =
        concord(folder.path(), &[&["connector", "check", "--strict"], names.as_slice()].concat(), "");
    assert!(checked.status.success(), "{}", talk(&checked));
    for name in names {
        let shown = concord(folder.path(), &["connector", "show", name], "");
        assert!(shown.status.success() && !shown.stdout.is_empty(), "{name}: {}", talk(&shown));
    }
}

#[test]
fn what_goes_together_is_told_with_its_limits_and_lost_answers() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = data(&concord(folder.path(), &["connector", "show", "salesforce", "-o", "json"], ""));
    let writes = sheet["writes"].as_array().unwrap();
    let upsert = writes.iter().find(|it| it["object"] == "Contact" && it["operation"] == "upsert").unwrap();
    assert_eq!(upsert["batch"]["records_max"], 200);
    assert_eq!((&upsert["in_a_job"], &upsert["job"]["bytes_max"]), (&json!(5000), &json!(8_000_000)));
    assert_eq!(upsert["job"]["lanes"], json!(["bulk"]));
    let page = concord(folder.path(), &["connector", "show", "salesforce"], "");
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("upsert: at most 200 records and "), "{page}");
    assert!(page.contains("to 5000 records and 8000000 bytes in one, "), "{page}");
    let lost = "until it is closed nothing of it is worked on: it is given up, and its records go again";
    assert!(page.contains(lost) && page.contains("is sent again as a job"), "{page}");
    // What has neither says nothing of either.
    let sheet = data(&concord(folder.path(), &["connector", "show", "quickbooks", "-o", "json"], ""));
    assert!(
        sheet["writes"].as_array().unwrap().iter().all(|it| it["batch"].is_null() && it["job"].is_null())
    );
}

#[test]
fn what_a_connector_does_when_an_answer_is_lost_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = data(&concord(folder.path(), &["connector", "show", "hubspot", "-o", "json"], ""));
    let writes = sheet["writes"].as_array().unwrap();
    let create = writes.iter().find(|write| write["object"] == "companies" && write["operation"] == "create");
    let create = create.unwrap();
    assert_eq!(create["class"], "search_first");
    assert_eq!(create["lost"], "looked for after 40 s, then made if it is not there");
    assert_eq!(sheet["secrets"], json!(["token"]));
}

#[test]
fn what_a_vendor_makes_of_values_and_has_once_only_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = data(&concord(folder.path(), &["connector", "show", "hubspot", "-o", "json"], ""));
    let email = json!([{ "object": "contacts", "path": "email", "to": "trimmed, in lower case" }]);
    assert_eq!(sheet["normalises"], email);
    assert_eq!(sheet["natural_keys"], json!([{ "object": "contacts", "paths": ["email"] }]));
    let page = concord(folder.path(), &["connector", "show", "hubspot"], "");
    let page = String::from_utf8(page.stdout).unwrap();
    for line in ["keeps         contacts: email trimmed, in lower case", "once only     contacts: email"] {
        assert!(page.lines().any(|shown| shown == line), "{line}: {page}");
    }
}

#[test]
fn a_wrong_key_has_its_place_and_a_hint() {
    let folder = own();
    change(&folder.path().join("connectors/shop.yaml"), "idempotency:", "idempotencyy:");
    let checked = concord(folder.path(), &["connector", "check"], "");
    assert_eq!(checked.status.code(), Some(1));
    let told = talk(&checked);
    assert!(told.contains("shop.yaml:") && told.contains("did you mean `idempotency`?"), "{told}");
    assert!(told.contains("^"), "{told}");
}

#[test]
fn a_case_that_does_not_hold_is_named_with_what_differs() {
    let folder = own();
    let fixtures = folder.path().join("connectors/fixtures/shop.yaml");
    change(&fixtures, "firstname: \"\"", "firstname: none");
    change(&fixtures, "external_id: \"501\"", "external_id: \"502\"");
    let tested = concord(folder.path(), &["connector", "test", "shop", "-o", "json"], "");
    assert_eq!(tested.status.code(), Some(1));
    let problems = &data(&tested)[0]["problems"];
    assert_eq!(
        problems,
        &json!([
            "body /inputs/0/properties/firstname: expected `\"none\"`, found `\"\"`",
            "answer 1 (200): external_id: expected `502`, found `501`",
        ])
    );
    let told = talk(&concord(folder.path(), &["connector", "check", "shop"], ""));
    assert!(told.contains("fixtures/shop.yaml:7:"), "{told}");
}

#[test]
fn what_no_case_shows_fails_only_where_that_is_asked_for() {
    let folder = own();
    let fixtures = folder.path().join("connectors/fixtures/shop.yaml");
    fs::write(&fixtures, "cases: []\n").unwrap();
    let loose = concord(folder.path(), &["connector", "check"], "");
    assert!(loose.status.success(), "{}", talk(&loose));
    assert!(
        talk(&loose).contains("warning: no case shows the operation `contacts/upsert`"),
        "{}",
        talk(&loose)
    );
    assert_eq!(concord(folder.path(), &["connector", "check", "--strict"], "").status.code(), Some(1));
    fs::remove_file(&fixtures).unwrap();
    assert_eq!(concord(folder.path(), &["connector", "check", "--strict"], "").status.code(), Some(1));
    assert_eq!(concord(folder.path(), &["connector", "test", "shop"], "").status.code(), Some(5));
}

/// The sandbox's CRM as a process, and a folder with a system that is it.
struct Crm {
    sandbox: Child,
    folder: tempfile::TempDir,
}

impl Drop for Crm {
    fn drop(&mut self) {
        drop(self.sandbox.kill());
        drop(self.sandbox.wait());
    }
}

fn crm() -> Crm {
    let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
    command.args(["sandbox", "--crm", "0", "-o", "jsonl"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut sandbox = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(sandbox.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    let url = told["url"].as_str().unwrap().to_owned();
    let address = url.trim_start_matches("http://");
    let folder = own();
    let write = |file: &str, text: String| {
        let file = folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write(
        "concord.yaml",
        "tenant: acme\npublic_url: http://127.0.0.1:1\nstore: {folder: ./data, root_key: {file: ./root.key}}\n\
         listeners: {ingress: \"127.0.0.1:0\", operator: \"127.0.0.1:0\"}\n"
            .to_owned(),
    );
    write(
        "systems/crm.yaml",
        format!(
            "system: crm\nconnector: connectors/shop.yaml\nconnection:\n  base_url: {url}\n  allow: [\"{address}\"]\n  \
             secrets: {{token: {{env: CRM_TOKEN}}}}\n"
        ),
    );
    Crm { sandbox, folder }
}

#[test]
fn an_answer_without_the_account_is_no_success() {
    let crm = crm();
    let folder = crm.folder.path();
    change(&folder.join("connectors/shop.yaml"), "path: portalId", "path: account");
    let tried = concord(folder, &["connector", "try", "crm", "identity", "-o", "json"], "");
    assert_eq!(tried.status.code(), Some(1), "{}", talk(&tried));
    assert!(talk(&tried).contains("there is no account id at account"), "{}", talk(&tried));
    let sheet = data(&tried);
    assert_eq!(
        (&sheet["reads"], &sheet["unread"]),
        (&Value::Null, &json!("there is no account id at account"))
    );
    let case = concord(folder, &["connector", "try", "crm", "identity", "--fixture"], "");
    assert!(!case.status.success() && case.stdout.is_empty(), "{}", talk(&case));
    assert!(talk(&case).contains("mend the manifest first"), "{}", talk(&case));
}

#[test]
fn one_call_to_a_real_system_is_shown_without_values_and_explained() {
    let crm = crm();
    let folder = crm.folder.path();
    let fields = r#"{"email": "ann.smith@acme.com", "firstname": "Ann"}"#;
    let write = ["connector", "try", "crm", "write", "contacts", "-o", "json"];
    // Shown first.
    let shown = data(&concord(folder, &write, fields));
    assert_eq!((&shown["sent"], &shown["request"]["operation"]), (&json!(false), &json!("upsert")));
    assert_eq!(shown["request"]["body"]["inputs"][0]["properties"]["email"], "ann.smith@acme.com");
    // Nothing was made: the listing is empty. Then it is.
    let list = ["connector", "try", "crm", "list", "contacts", "-o", "json"];
    assert_eq!(data(&concord(folder, &list, ""))["reads"]["observations"], json!([]));
    let sent = concord(folder, &[&write[..], &["--send"]].concat(), fields);
    assert!(sent.status.success(), "{}", talk(&sent));
    let sent = data(&sent);
    assert_eq!((&sent["outcome"]["class"], &sent["outcome"]["created"]), (&json!("applied"), &json!(true)));
    assert_eq!(sent["judged_by"], "a success, judged by what `answer` and `shape` name");
    let told = sent["answer"].to_string();
    assert!(told.contains("person1@example.test") && !told.contains("ann.smith"), "{told}");
    // The sandbox counts its ids from here.
    let fetch = ["connector", "try", "crm", "fetch", "contacts", "50000000001", "-o", "json"];
    assert_eq!(data(&concord(folder, &fetch, ""))["reads"]["seen"]["state"]["email"], "person1@example.test");
    let plain = concord(folder, &[&fetch[..], &["--values"]].concat(), "");
    assert!(data(&plain)["reads"].to_string().contains("ann.smith@acme.com"));
    // Several in one call: one that is there, and one that is not.
    let both = ["connector", "try", "crm", "fetch", "contacts", "50000000001", "12345", "-o", "json"];
    let both = data(&concord(folder, &both, ""));
    assert_eq!(both["request"]["operation"], "fetch.many");
    assert_eq!(both["judged_by"], "a success, judged by what `answer` and `shape` name");
    let reads = &both["reads"];
    assert_eq!(
        (&reads[0]["seen"]["state"]["email"], &reads[1]["seen"]),
        (&json!("person1@example.test"), &json!("deleted"))
    );
    // What is refused is explained by the rule.
    let refused =
        concord(folder, &["connector", "try", "crm", "fetch", "contacts", "12345", "-o", "json"], "");
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(data(&refused)["judged_by"], "no rule matches: by what HTTP says of the status");
}

#[test]
fn what_was_seen_becomes_a_case_that_holds() {
    let crm = crm();
    let folder = crm.folder.path();
    let fields = r#"{"email": "ann.smith@acme.com", "firstname": "Ann"}"#;
    let call = ["connector", "try", "crm", "write", "contacts", "--send", "--fixture"];
    let mut seen = vec![concord(folder, &call, fields)];
    let calls = [
        ["fetch", "contacts", "12345"].as_slice(),
        &["fetch", "contacts", "50000000001", "12345"],
        &["identity"],
        &["list", "contacts"],
    ];
    for call in calls {
        seen.push(concord(folder, &[&["connector", "try", "crm"], call, &["--fixture"]].concat(), ""));
    }
    let mut fixtures = "cases:\n".to_owned();
    for output in &seen {
        let case = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(case.starts_with("  - name: "), "{case} {}", talk(output));
        assert!(!case.contains("ann.smith") && !case.contains("Ann\n"), "{case}");
        fixtures.push_str(&case);
        fixtures.push('\n');
    }
    fs::write(folder.join("connectors/fixtures/shop.yaml"), &fixtures).unwrap();
    let tested = concord(folder, &["connector", "test", "shop", "-o", "json"], "");
    assert!(tested.status.success(), "{}\n{fixtures}", talk(&tested));
    assert_eq!(data(&tested).as_array().unwrap().len(), 5);
}

#[test]
fn what_cannot_be_tried_says_why() {
    let folder = own();
    let refused = concord(folder.path(), &["connector", "try", "crm", "identity"], "");
    assert_eq!(refused.status.code(), Some(1), "{}", talk(&refused));
    let crm = crm();
    let wrong = concord(crm.folder.path(), &["connector", "try", "crn", "identity"], "");
    assert_eq!(wrong.status.code(), Some(5));
    assert!(talk(&wrong).contains("did you mean `crm`?"), "{}", talk(&wrong));
    let object = concord(crm.folder.path(), &["connector", "try", "crm", "list", "contact"], "");
    assert!(talk(&object).contains("did you mean `contacts`?"), "{}", talk(&object));
    let mut gone = crm;
    gone.sandbox.kill().unwrap();
    gone.sandbox.wait().unwrap();
    let none = concord(gone.folder.path(), &["connector", "try", "crm", "identity"], "");
    assert_eq!(none.status.code(), Some(7), "{}", talk(&none));
}

const OPENAPI: &str = r#"
openapi: 3.0.3
info: {title: Acme API, version: "1"}
servers: [{url: "https://api.example.test/v1"}]
components: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}
paths:
  /contacts:
    post: {responses: {"201": {description: made}}}
  /contacts/{id}:
    get: {responses: {"200": {description: one}}}
  /search: {post: {responses: {"200": {description: found}}}}
"#;

#[test]
fn a_document_becomes_a_connector_and_nothing_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let new = ["connector", "new", "-", "--name", "acme", "-o", "json"];
    let made = concord(folder.path(), &new, OPENAPI);
    assert!(made.status.success(), "{}", talk(&made));
    let made = data(&made);
    assert_eq!(made["objects"], json!([{ "object": "contacts", "operations": "fetch, create" }]));
    assert_eq!(made["left_out"], json!(["/search"]));
    assert!(made["questions"].as_u64() > Some(5), "{made}");
    let checked = concord(folder.path(), &["connector", "check"], "");
    assert!(checked.status.success(), "{}", talk(&checked));
    assert!(talk(&checked).contains("questions are open: this is the first"), "{}", talk(&checked));
    let strict = concord(folder.path(), &["connector", "check", "--strict"], "");
    assert_eq!(strict.status.code(), Some(1), "{}", talk(&strict));
    let tested = concord(folder.path(), &["connector", "test", "acme"], "");
    assert!(tested.status.success(), "{}", talk(&tested));
    let before = fs::read_to_string(folder.path().join("connectors/acme.yaml")).unwrap();
    let again = concord(folder.path(), &new, OPENAPI);
    assert_eq!(again.status.code(), Some(6), "{}", talk(&again));
    assert_eq!(fs::read_to_string(folder.path().join("connectors/acme.yaml")).unwrap(), before);
    let named = concord(folder.path(), &["connector", "new", "-", "--name", "../acme"], OPENAPI);
    assert_eq!(named.status.code(), Some(64), "{}", talk(&named));
}

/// A folder with one system behind `address`, of a connector whose text is given.
fn folder_of(connector: &str, address: &str, secrets: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let file = folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write(
        "concord.yaml",
        "tenant: acme\npublic_url: http://127.0.0.1:1\nstore: {folder: ./data, root_key: {file: ./root.key}}\n\
         listeners: {ingress: \"127.0.0.1:0\", operator: \"127.0.0.1:0\"}\n",
    );
    write("connectors/desk.yaml", connector);
    write("secret.txt", "hush");
    write(
        "systems/desk.yaml",
        &format!(
            "system: desk\nconnector: connectors/desk.yaml\nconnection:\n  base_url: http://{address}\n  allow: \
             [\"{address}\"]\n  secrets: {{{secrets}}}\n"
        ),
    );
    folder
}

#[test]
fn the_scopes_that_operations_need_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = data(&concord(folder.path(), &["connector", "show", "hubspot", "-o", "json"], ""));
    let needed = sheet["scopes"]["needed"].as_array().unwrap();
    let of = |object: &str, operation: &str| -> Vec<&str> {
        let found = needed.iter().filter(|one| one["object"] == object && one["operation"] == operation);
        found.map(|one| one["scope"].as_str().unwrap()).collect()
    };
    assert_eq!(of("contacts", "upsert"), ["crm.objects.contacts.write"]);
    assert_eq!(of("contacts", "list"), ["crm.objects.contacts.read"]);
    assert_eq!(of("companies", "create.probe"), ["crm.objects.companies.read"]);
    let page = concord(folder.path(), &["connector", "show", "klaviyo"], "");
    let page = String::from_utf8(page.stdout).unwrap();
    let line =
        page.lines().find(|line| line.starts_with("data-privacy:write")).unwrap_or_else(|| panic!("{page}"));
    assert!(line.contains("delete") && line.contains("profiles"), "{line}");
    assert!(page.contains("scopes are granted at: Settings → API keys"), "{page}");
    let none = data(&concord(folder.path(), &["connector", "show", "http", "-o", "json"], ""));
    assert_eq!(none["scopes"], Value::Null);
}

#[test]
fn what_a_token_says_of_its_scopes_is_compared_with_the_call() {
    let connector = "\
connector: desk
version: '1'
about: A desk.
auth: {default: {oauth2_client_credentials: {token: /token, client_id: id, client_secret: id}}}
scopes: {given: the app, always: [api], told: [api, read]}
objects:
  people:
    shape: {id: id}
    fetch: {request: {method: GET, path: '/people/{id}', scopes: [read]}}
";
    let address = desk::serve(|asked| match asked.line.as_str() {
        "POST /token" => {
            (200, r#"{"access_token": "t", "expires_in": 60, "scope": "api ann@acme.test"}"#.to_owned())
        }
        _ => (200, r#"{"id": "7"}"#.to_owned()),
    });
    let folder = folder_of(connector, &address, "id: {file: secret.txt}");
    let tried =
        concord(folder.path(), &["connector", "try", "desk", "fetch", "people", "7", "-o", "json"], "");
    assert!(tried.status.success(), "{}", talk(&tried));
    // What is told there and is no scope (Marketo gives the user's address) stays where it is.
    assert_eq!(
        data(&tried)["scopes"],
        json!({ "granted": ["api"], "missing": ["read"], "given": "the app" })
    );
    let told = talk(&tried);
    assert!(told.contains("the scope `read`, which this call needs, is not among them"), "{told}");
}
