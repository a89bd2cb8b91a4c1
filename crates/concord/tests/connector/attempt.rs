//! `concord connector try` against a vendor that says too much, and one that speaks XML.

use std::fs;

use super::{concord, data, desk, folder_of, talk};

const CHATTY: &str = "\
connector: desk
version: '1'
about: A desk.
auth: {default: {header: {name: x-key, secret: id}}}
refusal: {message: [message]}
errors:
  - {when: {text: [too busy]}, class: rate_limited}
objects:
  people:
    shape: {id: id}
    fetch: {request: {method: GET, path: '/people/{id}'}}
";

#[test]
fn what_a_vendor_repeats_of_a_credential_or_of_anybody_is_not_shown() {
    let address = desk::serve(|asked| {
        let key = asked.headers.lines().find_map(|line| line.strip_prefix("x-key: ")).unwrap_or_default();
        if asked.line.ends_with("/9") {
            return (400, r#"{"message": "Too busy for Grace Hopper"}"#.to_owned());
        }
        let said = format!("contact of Grace Hopper exists, key {} not valid", key.trim());
        (422, format!(r#"{{"message": "{said}", "by": {{"ada@example.org": 1, "Jane Doe": 2}}}}"#))
    });
    let folder = folder_of(CHATTY, &address, "id: {file: key.txt}");
    fs::write(folder.path().join("key.txt"), "topsecretkey").unwrap();
    let fetch = ["connector", "try", "desk", "fetch", "people", "7"];
    for more in [[].as_slice(), &["-o", "json"], &["--fixture"]] {
        let tried = concord(folder.path(), &[&fetch[..], more].concat(), "");
        let all = format!("{}{}", String::from_utf8_lossy(&tried.stdout), talk(&tried));
        for hidden in ["topsecret", "Grace", "Hopper", "ada@", "Jane"] {
            assert!(!all.contains(hidden), "{hidden} in {all}");
        }
        assert!(all.contains("person1@example.test"), "{all}");
    }
    // As they are, but for the credential.
    let tried = concord(folder.path(), &[&fetch[..], &["--values", "-o", "json"]].concat(), "");
    let shown = data(&tried);
    assert_eq!(shown["outcome"]["message"], "contact of Grace Hopper exists, key [redacted] not valid");
    assert!(shown["answer"]["body"].to_string().contains("ada@example.org"), "{shown}");
    assert!(!shown.to_string().contains("topsecret"), "{shown}");
    // Concord's own words stay as they are.
    let own = concord(folder.path(), &["connector", "try", "desk", "list", "people"], "");
    assert!(talk(&own).contains("has no operation `list`"), "{}", talk(&own));
    // Without its words the answer would mean something else: there is no such case.
    let call = ["connector", "try", "desk", "fetch", "people", "9", "--fixture"];
    let refused = concord(folder.path(), &call, "");
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0), "{}", talk(&refused));
    let why = "the case would mean `validation`, and what was seen means `rate_limited`";
    assert!(talk(&refused).contains(why), "{}", talk(&refused));
}

const MINISTRY: &str = "\
connector: desk
version: '1'
about: A ministry that speaks XML.
auth: {default: {bearer: {secret: id}}}
answers: {xml: {lists: [person]}}
identity: {request: {method: GET, path: /whoami}, path: me.@office}
refusal: {code: [error.@code], message: [error.text]}
objects:
  people:
    shape: {id: '@id', order: {path: '@rev', form: number}}
    fetch: {request: {method: GET, path: '/person/{id}'}, at: person}
    writes:
      make:
        for: [create]
        idempotency: {class: upsert}
        request: {method: POST, path: /person, xml: {person: {ref: '{key}', '...': '{fields}'}}}
        answer: {id: {path: person.@id}}
";

#[test]
fn xml_keeps_its_elements_and_becomes_a_case_that_holds() {
    let address = desk::serve(|asked| match asked.line.as_str() {
        "GET /whoami" => (200, "<me office='Ministry 77123'/>".to_owned()),
        "GET /person/none" => (404, "<error code='E4'><text>no Grace here</text></error>".to_owned()),
        _ => (
            200,
            "<m:person xmlns:m='urn:m' id='p77123' rev='5'><name>Grace &amp; Ann</name></m:person>"
                .to_owned(),
        ),
    });
    let folder = folder_of(MINISTRY, &address, "id: {file: secret.txt}");
    let call = |more: &[&str], stdin: &str| {
        concord(folder.path(), &[&["connector", "try", "desk"], more].concat(), stdin)
    };
    let shown = data(&call(&["fetch", "people", "p77123", "-o", "json"], ""));
    let body = shown["answer"]["body"].as_str().unwrap();
    assert_eq!(
        body,
        "<m:person xmlns:m=\"urn:m\" id=\"a11111\" rev=\"5\"><name>Aaaaa &amp; Aaa</name></m:person>"
    );
    let write = r#"{"name": "Grace"}"#;
    let calls = [
        (["fetch", "people", "p77123"].as_slice(), ""),
        (&["fetch", "people", "none"], ""),
        (&["identity"], ""),
        (&["write", "people", "--send"], write),
    ];
    let mut fixtures = "cases:\n".to_owned();
    for (call_of, stdin) in calls {
        let seen = call(&[call_of, &["--fixture"]].concat(), stdin);
        let case = String::from_utf8(seen.stdout.clone()).unwrap();
        assert!(case.starts_with("  - name: ") && !case.contains("Grace"), "{case} {}", talk(&seen));
        fixtures.push_str(&case);
        fixtures.push('\n');
    }
    let file = folder.path().join("connectors/fixtures/desk.yaml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, &fixtures).unwrap();
    let tested = concord(folder.path(), &["connector", "test", "desk", "-o", "json"], "");
    assert!(tested.status.success(), "{}\n{fixtures}", talk(&tested));
    assert_eq!(fixtures.matches("class: applied").count(), 3, "{fixtures}");
}

#[test]
fn a_fault_of_the_model_is_not_in_the_way_of_a_look_at_a_vendor() {
    let address = desk::serve(|_| (200, r#"{"id": "7"}"#.to_owned()));
    let folder = folder_of(CHATTY, &address, "id: {file: secret.txt}");
    fs::create_dir_all(folder.path().join("model")).unwrap();
    fs::write(folder.path().join("model/guest.yaml"), "entity: Guest\nversoin: 1\n").unwrap();
    let fetch = ["connector", "try", "desk", "fetch", "people", "7"];
    let tried = concord(folder.path(), &fetch, "");
    assert!(tried.status.success(), "{}", talk(&tried));
    assert!(talk(&tried).contains("outside of its systems and connectors"), "{}", talk(&tried));
    // What is about the system itself still is.
    fs::write(folder.path().join("systems/desk.yaml"), "system: desk\nconector: http\n").unwrap();
    let refused = concord(folder.path(), &fetch, "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(talk(&refused).contains("conector"), "{}", talk(&refused));
}

#[test]
fn what_has_no_line_says_none() {
    let folder = folder_of(CHATTY, "127.0.0.1:1", "id: {file: secret.txt}");
    let checked = data(&concord(folder.path(), &["connector", "check", "--strict", "-o", "json"], ""));
    let problems = checked[0]["problems"].as_array().unwrap();
    assert!(!problems.is_empty() && problems.iter().all(|one| one["line"] != 0), "{checked}");
    assert!(problems.iter().any(|one| one["line"].is_null() && one["column"].is_null()), "{checked}");
}

const CAREFUL: &str = "\
connector: desk
version: '1'
about: A desk.
auth: {default: {header: {name: x-key, secret: id}}}
objects:
  people:
    shape: {id: id, order: {path: rev, form: number}, version: {header: etag}}
    fetch: {request: {method: GET, path: '/people/{id}'}}
    writes:
      put:
        for: [update]
        idempotency: {class: upsert}
        request: {method: PUT, path: '/people/{id}', headers: {if-match: '{version}'}, json: {'...': '{fields}', 'rev?': '{expected}'}}
        answer: {needs: ['']}
      note:
        for: [archive]
        idempotency: {class: none}
        request: {method: POST, path: '/people/{id}/notes', json: {'...': '{fields}'}}
";

#[test]
fn a_write_that_compares_can_be_tried() {
    let address = desk::serve(|_| (200, "{}".to_owned()));
    let folder = folder_of(CAREFUL, &address, "id: {file: key.txt}");
    fs::write(folder.path().join("key.txt"), "topsecretkey").unwrap();
    let write = ["connector", "try", "desk", "write", "people", "--id", "7", "-o", "json"];
    let given = ["--opaque", "W/\"3\"", "--expected", "12"];
    let shown = data(&concord(folder.path(), &[&write[..], &given].concat(), r#"{"name": "Ann"}"#));
    assert_eq!(shown["request"]["headers"]["if-match"], "W/\"3\"");
    assert_eq!(shown["request"]["body"], serde_json::json!({"name": "Ann", "rev": "12"}));
    // Without the version there is nothing to compare with, and the request says so.
    let none = concord(folder.path(), &write, "{}");
    assert_eq!(none.status.code(), Some(1), "{}", talk(&none));
    // What would be compared by nothing is no condition.
    for option in ["--opaque", "--expected"] {
        let note = [&write[..], &["--operation", "note", option, "1"]].concat();
        let refused = concord(folder.path(), &note, "{}");
        assert_eq!(refused.status.code(), Some(64), "{}", talk(&refused));
        assert!(talk(&refused).contains("so that nothing would be compared"), "{}", talk(&refused));
    }
}

const FIRMS: &str = "\
connector: desk
version: '1'
about: A desk where people belong to firms.
auth: {default: {bearer: {secret: id}}}
objects:
  people:
    shape: {id: id}
    associations: {firm: {to: firms}}
    writes:
      make:
        for: [create]
        idempotency: {class: upsert}
        request: {method: PUT, path: '/people/{key}', json: '{fields}'}
        answer: {id: {path: id}}
      join:
        for: [associate]
        idempotency: {class: upsert}
        request: {method: PUT, path: '/people/{id}/{to}/{other}'}
      part:
        for: [dissociate]
        idempotency: {class: upsert}
        request: {method: DELETE, path: '/people/{id}/{to}/{other}'}
";

#[test]
fn an_association_is_tried_and_becomes_a_case() {
    let address = desk::serve(|asked| match asked.line.as_str() {
        "PUT /people/77123/firms/88234" => (200, "{}".to_owned()),
        other => (500, format!("{{\"asked\": \"{other}\"}}")),
    });
    let folder = folder_of(FIRMS, &address, "id: {file: secret.txt}");
    let call = |more: &[&str]| {
        let write = ["connector", "try", "desk", "write", "people", "--id", "77123"];
        concord(folder.path(), &[&write, more].concat(), "")
    };
    let join = ["--operation", "join", "--association", "firm", "--other", "88234"];
    let seen = call(&[&join[..], &["--send", "--fixture"]].concat());
    let case = String::from_utf8(seen.stdout.clone()).unwrap();
    assert!(case.contains("association:") && case.contains("path: firm"), "{case} {}", talk(&seen));
    assert!(!case.contains("77123") && !case.contains("88234"), "{case}");
    let file = folder.path().join("connectors/fixtures/desk.yaml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, format!("cases:\n{case}\n")).unwrap();
    let tested = concord(folder.path(), &["connector", "test", "desk", "-o", "json"], "");
    assert!(tested.status.success(), "{}\n{case}", talk(&tested));

    let refused = call(&["--operation", "join", "--association", "firms", "--other", "88234"]);
    assert!(talk(&refused).contains("`join` of `people` has no association `firms`"), "{}", talk(&refused));
    let shown = concord(folder.path(), &["connector", "show", "desk"], "");
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("association   people: firm, with firms (made)"), "{shown}");
}
