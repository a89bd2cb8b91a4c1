//! A shelf with a key in the query, pages with numbers and `ETag`s that must be shown again with each change, with a real hub:
//! nothing is overwritten that was not read, and the key stands nowhere but in what is sent.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end where it stands")]

#[path = "support/desk.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod desk;
mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Folder, MODEL, say};

const KEY: &str = "key-0815-of-the-shelf";

const SHELF: &str = r#"connector: shelf
version: "1"
about: A shelf.
auth: {default: {query: {name: api_key, secret: key}}}
objects:
  companies:
    shape: {id: id, order: {path: n, form: number}, version: {header: etag}}
    fetch: {request: {method: GET, path: "/companies/{id}"}}
    poll:
      every: 1s
      lookback: 0s
      request: {method: GET, path: /companies, query: {since: "{since|s}", page: "{page}"}}
      items: items
      mark: {path: at, form: s}
      sorting: ascending
      page: {number: {done: last}}
      size: 2
    writes:
      add:
        for: [create]
        idempotency: {class: native_key, ttl_s: 86400}
        request: {method: POST, path: /companies, headers: {idempotency-key: "{intent}"}, json: "{fields}"}
        answer: {id: {path: id}, version: {header: etag}}
      change:
        for: [update]
        partial: true
        idempotency: {class: none}
        request: {method: PUT, path: "/companies/{id}", headers: {if-match: "{version}"}, json: "{fields}"}
"#;

/// What stands on the shelf, and what was asked of it.
#[derive(Default)]
struct Books {
    /// Id → the company, and how often it changed.
    companies: BTreeMap<u64, (Value, u64)>,
    asked: Vec<String>,
    stale: usize,
    blind: usize,
}

impl Books {
    fn put(&mut self, id: u64, fields: &Value) -> String {
        let (company, times) =
            self.companies.entry(id).or_insert_with(|| (json!({"id": id, "at": 1_700_000_000}), 0));
        *times += 1;
        company["n"] = json!(times);
        for (name, value) in fields.as_object().unwrap() {
            company[name] = value.clone();
        }
        format!("etag: W/\"{id}-{times}\"\r\n")
    }

    /// As it answers: it repeats the address in every body.
    fn answer(&mut self, asked: &desk::Asked) -> (u16, String, String) {
        self.asked.push(asked.line.clone());
        let (method, path) = asked.line.split_once(' ').unwrap();
        let url = url::Url::parse("http://shelf.test").unwrap().join(path).unwrap();
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let refuse = |status| (status, String::new(), json!({"message": format!("no: {path}")}).to_string());
        if query.get("api_key").is_none_or(|key| key != KEY) {
            return refuse(401);
        }
        let id: Option<u64> = url.path().strip_prefix("/companies/").and_then(|id| id.parse().ok());
        match (method, id) {
            ("GET", None) => {
                let page: usize = query["page"].parse().unwrap();
                let all: Vec<&Value> = self.companies.values().map(|(company, _)| company).collect();
                let items: Vec<&&Value> = all.iter().skip((page - 1) * 2).take(2).collect();
                let last = all.len() <= page * 2;
                (200, String::new(), json!({"items": items, "last": last, "asked": path}).to_string())
            }
            ("GET", Some(id)) => match self.companies.get(&id) {
                Some((company, times)) => (200, format!("ETag: W/\"{id}-{times}\"\r\n"), company.to_string()),
                None => refuse(404),
            },
            ("POST", None) => {
                let id = self.companies.len() as u64 + 1;
                let etag = self.put(id, &serde_json::from_str(&asked.body).unwrap());
                (201, etag, json!({"id": id, "asked": path}).to_string())
            }
            ("PUT", Some(id)) => {
                let times = self.companies.get(&id).map_or(0, |(_, times)| *times);
                let shown = asked.headers.lines().find_map(|line| line.strip_prefix("if-match: "));
                match shown {
                    None => {
                        self.blind += 1;
                        refuse(428)
                    }
                    Some(shown) if shown.trim() != format!("w/\"{id}-{times}\"") => {
                        self.stale += 1;
                        refuse(412)
                    }
                    Some(_) => {
                        // It does not say which version it made of it.
                        self.put(id, &serde_json::from_str(&asked.body).unwrap());
                        (200, String::new(), json!({"asked": path}).to_string())
                    }
                }
            }
            _ => refuse(405),
        }
    }

    fn revision(&self, number: &str) -> Option<u64> {
        let mut found = self.companies.values().filter(|(company, _)| company["number"] == number);
        let (company, _) = found.next()?;
        assert!(found.next().is_none(), "two of {number}");
        company["revision"].as_u64()
    }
}

fn folder(address: &str) -> Folder {
    let folder = Folder::new(&[]);
    folder.put("connectors/shelf.yaml", SHELF);
    folder.put("key.secret", KEY);
    folder.put("model/company.yaml", &MODEL.replace("creators: [shop]", "creators: [shop, shelf]"));
    folder.put(
        "systems/shelf.yaml",
        &format!(
            "system: shelf
connector: connectors/shelf.yaml
connection:
  base_url: http://{address}
  allow: [\"{address}\"]
  secrets: {{key: {{file: ./key.secret}}}}
retry: {{base: 100ms, cap: 1s, attempts_max: 20}}
history: all
"
        ),
    );
    folder.put(
        "mappings/company.shelf.yaml",
        "mapping: company.shelf
version: 1
entity: Company
system: shelf
object: companies
fields:
  - {field: name, path: name}
  - {field: number, path: number}
  - {field: revision, path: revision}
",
    );
    folder.put(
        "routes/all.yaml",
        "routes:
  - {route: company.shelf, kind: sync, entity: Company, system: shelf, object: companies, mapping: company.shelf}
",
    );
    folder
}

fn until(folder: &Folder, what: &str, holds: impl Fn() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it never happened that {what}:\n{}", folder.last_words());
}

#[test]
fn nothing_is_overwritten_unread_and_the_key_is_shown_nowhere() {
    let books = Arc::new(Mutex::new(Books::default()));
    {
        let mut books = books.lock().unwrap();
        for id in 1..=5 {
            books.put(id, &json!({"name": "old", "number": format!("old{id}"), "revision": 0}));
        }
    }
    let served = Arc::clone(&books);
    let address = desk::serve_with(move |asked| served.lock().unwrap().answer(asked));
    let folder = folder(&address);
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    let at = |number: &str| books.lock().unwrap().revision(number);

    // What is made anew: its version is that of the answer, then one out of date, which is refused and read again.
    for version in 1..=3 {
        assert!(say(folder.ingress, "new", version));
        until(&folder, &format!("version {version} arrives"), || at("new") == Some(version));
    }
    // What was there, and was found in pages of two: no list shows versions, so that each is read before it is changed.
    let pages = |books: &Books| books.asked.iter().filter(|line| line.contains("page=3")).count();
    until(&folder, "all pages are read", || pages(&books.lock().unwrap()) > 0);
    for id in 1..=5 {
        assert!(say(folder.ingress, &format!("old{id}"), 7));
    }
    until(&folder, "all are changed", || (1..=5).all(|id| at(&format!("old{id}")) == Some(7)));

    let last_words = folder.last_words();
    assert_eq!(hub.stop(), Some(0), "no clean stop:\n{last_words}");
    let books = books.lock().unwrap();
    assert_eq!((books.companies.len(), books.blind), (6, 0), "{:?}\n{last_words}", books.asked);
    assert!(books.stale > 0, "no version was ever out of date: {:?}", books.asked);
    assert!(books.asked.iter().all(|line| line.contains(&format!("api_key={KEY}"))), "{:?}", books.asked);
    assert!(!std::fs::read_to_string(folder.log()).unwrap().contains(KEY), "{last_words}");
}
