//! What was applied under a version stays what it was, over stops and starts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]

mod support;

use sandbox::{Kind, Options, Sandbox};
use support::command::{concord, json};
use support::{Folder, Target};

async fn sink() -> sandbox::Handle {
    let mut plain = Options::of(Kind::Sink);
    plain.business_id = "number".into();
    Sandbox::start(Kind::Sink, plain).await.unwrap()
}

fn folder(sink: &sandbox::Handle) -> Folder {
    Folder::new(&[Target {
        system: "alpha",
        connector: "http",
        object: "alpha",
        address: sink.addr.to_string(),
        more: "",
        paths: ["name", "number", "version"],
    }])
}

/// Runs a command that must end with this code; gives what it said on both streams.
fn ends(folder: &Folder, code: i32, arguments: &[&str]) -> String {
    let output = concord(folder, arguments);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}\n{}", folder.last_words());
    said
}

/// Puts another text in place of a part of a file, which must be there.
fn replace(folder: &Folder, path: &str, part: &str, by: &str) {
    let text = std::fs::read_to_string(folder.path().join(path)).unwrap();
    assert!(text.contains(part), "{part} is not in {path}: {text}");
    folder.put(path, &text.replacen(part, by, 1));
}

fn up(folder: &Folder) -> support::Hub {
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    hub
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_applied_stays_what_it_was_over_a_restart() {
    let sink = sink().await;
    let folder = folder(&sink);
    let mut hub = up(&folder);
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());

    // What decides nothing may change.
    replace(
        &folder,
        "model/company.yaml",
        "name: {type: string}",
        "name: {description: Its name., type: string}",
    );
    ends(&folder, 0, &["check"]);
    let mut hub = up(&folder);
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());

    replace(&folder, "model/company.yaml", "type: string}", "type: string, maxLength: 60}");
    replace(&folder, "mappings/company.alpha.yaml", "path: name", "path: label");
    let places = [
        "model/company.yaml:2:10: error: the entity `Company` changed and still says `version: 1`: + fields.name.maxLength: 60",
        "= write `version: 2`: records and events name the version they were written under",
        "mappings/company.alpha.yaml:2:10: error: the mapping `company.alpha` changed and still says `version: 1`: ",
        "+ mapping.fields[name, label]",
    ];
    let all = |said: &str| places.iter().for_each(|place| assert!(said.contains(place), "{place}: {said}"));
    all(&ends(&folder, 1, &["check"]));
    let refused = ends(&folder, 1, &["up"]);
    all(&refused);
    assert!(
        refused.contains("the folder is not what was applied under the same versions (2 errors)"),
        "{refused}"
    );

    // With other versions it is what counts from now on.
    replace(&folder, "model/company.yaml", "version: 1", "version: 2");
    replace(&folder, "mappings/company.alpha.yaml", "version: 1", "version: 2");
    folder.put(
        "mappings/company.alpha.yaml",
        &(std::fs::read_to_string(folder.path().join("mappings/company.alpha.yaml")).unwrap()
            + "removed: {name: leave}\n"),
    );
    ends(&folder, 0, &["check"]);
    let mut hub = up(&folder);
    // While the hub runs, too.
    ends(&folder, 0, &["check"]);
    replace(&folder, "mappings/company.alpha.yaml", "path: label", "path: title");
    let said = ends(&folder, 1, &["check"]);
    assert!(said.contains("= write `version: 3`"), "{said}");
    let said = ends(&folder, 6, &["plan"]);
    assert!(said.contains("mappings/company.alpha.yaml:2:10: error:"), "{said}");

    // The way back is what it was.
    replace(&folder, "mappings/company.alpha.yaml", "path: title", "path: name");
    replace(&folder, "mappings/company.alpha.yaml", "version: 2", "version: 1");
    replace(&folder, "mappings/company.alpha.yaml", "removed: {name: leave}\n", "");
    ends(&folder, 0, &["apply", "--reason", "names as they were"]);
    // A number that was passed over is not one of what counted.
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
    let mut hub = up(&folder);
    let history = json(&folder, &["config", "history"]);
    assert_eq!(history.as_array().unwrap().len(), 4, "{history:#}");
    assert_eq!(hub.stop(), Some(0), "{}", folder.last_words());
}
