//! Cutover of three populated systems: what a plan says is what was planted, nothing is written before the hub starts, and
//! then exactly what was said.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]

#[path = "cutover/estate.rs"]
mod estate;
#[path = "cutover/folder.rs"]
mod folder;
mod support;

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use estate::{Estate, Writes};
use serde_json::Value;
use support::Folder;
use support::command::concord;

/// Contacts a side: `CONCORD_TEST_CUTOVER`, a multiple of 800.
#[allow(clippy::disallowed_methods, reason = "how large the test is, is said outside")]
fn side() -> usize {
    std::env::var("CONCORD_TEST_CUTOVER").ok().and_then(|text| text.parse().ok()).unwrap_or(1_600)
}

fn plan(folder: &Folder, more: &[&str]) -> (Option<i32>, String, String) {
    let output = concord(folder, &[&["link", "plan"], more].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A plan, and how much memory making it took.
fn planned(folder: &Folder) -> (Value, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_concord"))
        .arg("--dir")
        .arg(folder.path())
        .args(["link", "plan", "--output", "json", "--detailed-exit-code"])
        .stdout(Stdio::from(File::create(folder.path().join("plan.out")).unwrap()))
        .stderr(Stdio::from(File::create(folder.path().join("plan.err")).unwrap()))
        .spawn()
        .unwrap();
    let mut most = String::new();
    let status = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        most = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .map_or(most, |size| size.trim().to_owned());
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let talk = std::fs::read_to_string(folder.path().join("plan.err")).unwrap();
    assert_eq!(status.code(), Some(2), "it has open items: {talk}");
    (serde_json::from_slice(&std::fs::read(folder.path().join("plan.out")).unwrap()).unwrap(), most)
}

/// Waits until exactly what was foreseen is written, and stays so for a while.
async fn written(estate: &Estate) {
    // A look at large books takes its time.
    let pause = Duration::from_millis(100) * u32::try_from(side().div_ceil(5_000)).unwrap();
    let foreseen = estate.foreseen();
    let mut stands = Duration::ZERO;
    for _ in 0..1_200 {
        tokio::time::sleep(pause).await;
        stands = if estate.writes() == foreseen { stands + pause } else { Duration::ZERO };
        if stands >= Duration::from_secs(3) {
            break;
        }
    }
    assert_eq!(estate.writes(), foreseen, "what was foreseen is written, and nothing else");
    estate.expect_nobody_twice();
}

fn id(plan: &Value) -> String {
    plan["id"].as_str().unwrap().to_owned()
}

/// The report's counts are those that were planted, exactly; the hub then writes what was foreseen, exactly; and nobody is
/// there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_says_what_was_planted_and_what_is_then_written() {
    let estate = Estate::start(side()).await;
    let folder = folder::of(&estate);
    unplanned(&folder, &estate).await;
    #[allow(clippy::disallowed_methods, reason = "how long it takes is printed")]
    let began = std::time::Instant::now();
    let (plan, most) = planned(&folder);
    println!("planned {} contacts a side in {:?}, with {most} at most", side(), began.elapsed());
    let report = &plan["report"];
    estate.expect(report);
    assert_eq!(estate.writes(), Writes::default(), "nothing is written by a plan");
    let list = concord(&folder, &["link", "show", "--output", "jsonl"]);
    estate.expect_list(&String::from_utf8(list.stdout).unwrap());

    let applied = concord(&folder, &["link", "apply", &id(&plan), "--reason", "the cutover"]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    assert_eq!(estate.writes(), Writes::default(), "nothing is written by applying it");
    let again = concord(&folder, &["link", "apply", &id(&plan), "--reason", "twice"]);
    assert_eq!(again.status.code(), Some(6), "{}", String::from_utf8_lossy(&again.stderr));

    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    written(&estate).await;
    println!("the first sync and 3 s of rest after {:?}", began.elapsed());
    settle_one(&folder, &estate).await;
    // A change that is made now takes its way at once.
    estate.rename_somebody();
    support::command::until("the change arrives", || estate.has_heard()).await;
    assert_eq!(hub.stop(), Some(0));
}

/// A hub that is started beside them without a plan takes nothing in, writes nothing, and says what to do.
async fn unplanned(folder: &Folder, estate: &Estate) {
    use support::command::{json, until};
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    let systems = || json(folder, &["system", "list"]).to_string();
    until("all of them wait for a plan", || systems().matches("concord link plan").count() == 3).await;
    assert_eq!(json(folder, &["event", "list"]), serde_json::json!([]), "nothing is taken in");
    assert_eq!(estate.writes(), Writes::default());
    assert_eq!(hub.stop(), Some(0));
}

/// A person says which of two an object is: nothing is made for that one, and its object is brought up to date. The other is
/// made only when a person says that, too.
async fn settle_one(folder: &Folder, estate: &Estate) {
    use support::command::{json, until};
    let letters = json(folder, &["dead-letter", "list", "--system", "erp", "--limit", "1000"]);
    let letters = letters.as_array().unwrap().iter();
    let letter = letters.clone().find(|row| row.to_string().contains("ambiguous_match")).unwrap();
    let key = letter["key"].as_str().unwrap();
    let shown = json(folder, &["dead-letter", "get", key]);
    let text = shown.to_string();
    let (mine, other) = {
        let candidates = shown["reason"]["candidates"].as_array().or_else(|| shown["candidates"].as_array());
        let candidates = candidates.unwrap_or_else(|| panic!("{text}"));
        let id = |candidate: &Value| {
            let id = candidate
                .as_str()
                .or_else(|| candidate["id"].as_str())
                .or_else(|| candidate["record"].as_str());
            id.unwrap_or_else(|| panic!("{text}")).to_owned()
        };
        (id(&candidates[0]), id(&candidates[1]))
    };
    let of = |record: &str| {
        let rows = json(folder, &["delivery", "list", "--record", record, "--system", "erp"]);
        rows.as_array().unwrap().first().cloned().unwrap()
    };
    assert_eq!((&of(&mine)["state"], &of(&other)["state"]), (&"parked".into(), &"parked".into()));
    let done = concord(folder, &["dead-letter", "link", key, "--to", &mine, "--reason", "I know her"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // What it brought home with the link is looked at once more, and is there already.
    let settled = |row: Value| row["state"] == "delivered" || row["class"] == "no_change";
    until("it is brought up to date", || settled(of(&mine))).await;
    let before = estate.foreseen().0[&("erp".to_owned(), "contact".to_owned())];
    let now = || estate.writes().0[&("erp".to_owned(), "contact".to_owned())];
    assert_eq!(now(), (before.0, before.1 + 1), "no second one is made of who is there");
    assert_eq!(of(&other)["state"], "parked");
    let key = of(&other)["key"].as_str().unwrap().to_owned();
    let done = concord(folder, &["dead-letter", "retry", &key, "--reason", "she is not there"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    until("the other is made", || now() == (before.0 + 1, before.1 + 1)).await;
}

/// kill -9 at any moment of planning and applying leaves nothing half: the same command again does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cut_off_is_simply_done_again() {
    let estate = Estate::start(800).await;
    let folder = folder::of(&estate);
    let cut = |arguments: &[&str], after: u64| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_concord"))
            .arg("--dir")
            .arg(folder.path())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(after));
        let _ = child.kill();
        child.wait().unwrap().success()
    };
    for after in [150, 700, 1_500] {
        assert!(!cut(&["link", "plan"], after), "it was done before {after} ms");
        assert_eq!(concord(&folder, &["link", "show"]).status.code(), Some(5), "half a plan is none");
    }
    let id = id(&planned(&folder).0);
    for after in [5, 20, 40, 60, 80, 100, 120, 150, 200] {
        let _ended = cut(&["link", "apply", &id, "--reason", "cut off"], after);
    }
    // One that was cut off may have done all of it, and could not say so any more.
    let last = concord(&folder, &["link", "apply", &id, "--reason", "at last"]);
    let (code, said) = (last.status.code(), String::from_utf8_lossy(&last.stderr));
    assert!(code == Some(0) || code == Some(6) && said.contains("was applied before"), "{said}");
    assert_eq!(estate.writes(), Writes::default());
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    written(&estate).await;
}

/// What does not fit any more is refused with what to do, and a hub that has taken something in is not planned for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_does_not_fit_is_refused() {
    let estate = Estate::start(800).await;
    let folder = folder::of(&estate);
    let missing = concord(&folder, &["link", "apply", "link-0", "--reason", "x"]);
    assert_eq!(missing.status.code(), Some(5));
    let (_, shown, talk) = plan(&folder, &[]);
    assert!(
        shown.contains("What the first sync would write") && talk.contains("nothing was written anywhere")
    );
    let id = id(&serde_json::from_slice(&concord(&folder, &["link", "show", "-o", "json"]).stdout).unwrap());
    let apply = || {
        let output = concord(&folder, &["link", "apply", &id, "--reason", "x"]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let model = std::fs::read_to_string(folder.path().join("model/contact.yaml")).unwrap();
    folder.put("model/contact.yaml", &format!("{model}# another\n"));
    let (code, said) = apply();
    assert!(code == Some(6) && said.contains("the configuration changed"), "{said}");
    folder.put("model/contact.yaml", &model);
    let kept = folder.path().join(".concord/link").join(&id);
    let text = std::fs::read_to_string(kept.join("plan.json")).unwrap();
    let mut old: Value = serde_json::from_str(&text).unwrap();
    old["made_at_us"] = (old["made_at_us"].as_i64().unwrap() - 25 * 3_600_000_000).into();
    std::fs::write(kept.join("plan.json"), old.to_string()).unwrap();
    let (code, said) = apply();
    assert!(code == Some(6) && said.contains("may be applied for 24 hours"), "{said}");
    std::fs::write(kept.join("plan.json"), &text).unwrap();
    let bytes = std::fs::read(kept.join("store.sqlite")).unwrap();
    let mut torn = bytes.clone();
    torn.truncate(bytes.len() - 4_096);
    std::fs::write(kept.join("store.sqlite"), torn).unwrap();
    let (code, said) = apply();
    assert!(code == Some(6) && said.contains("is not what was planned"), "{said}");
    std::fs::write(kept.join("store.sqlite"), bytes).unwrap();
    // No value of any field is in what is shown or kept beside the store.
    let list = std::fs::read_to_string(kept.join("findings.jsonl")).unwrap();
    for part in [&text, &list, &shown, &talk] {
        assert!(!part.contains(estate::DOMAIN), "a value is shown");
    }
    let (code, said) = apply();
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = plan(&folder, &[]);
    assert!(code == Some(6) && said.contains("has taken nothing in"), "{said}");
}
