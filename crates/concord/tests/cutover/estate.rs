//! Three systems with years of work in them, and what is wrong with it: planted, and so known.

use std::collections::BTreeMap;

use sandbox::shelf::{Action, Actor, Values};
use sandbox::{Edit, Handle, Kind, Limits, Options, Property, Sandbox};
use serde_json::{Value, json};

/// The audience.
pub(crate) const LIST: &str = "57afe96172";
/// Part of every address: a value.
pub(crate) const DOMAIN: &str = "planted.example";

/// Of so many, one is dirty.
const CLEAN: usize = 20;
/// Kinds of dirt among contacts, and among accounts.
const KINDS: (usize, usize) = (10, 4);
/// A contact that is not at home in the CRM, named by the kind of its dirt.
const ONLY_CRM: usize = 0;
const ONLY_ERP: usize = 1;
const ONLY_MARKETING: usize = 2;
/// Its address in the ERP is written otherwise, and it has no code there.
const WRITTEN_OTHERWISE: usize = 3;
/// The CRM has another telephone number, which the ERP owns.
const OTHER_PHONE: usize = 4;
/// Marketing has another last name, which the CRM owns.
const OTHER_NAME: usize = 5;
/// In the ERP it has neither code nor address.
const NO_KEY: usize = 6;
/// In the ERP its address has a slip, and it has no code.
const NEAR: usize = 7;
/// Twice in the ERP.
const TWICE: usize = 8;
/// In the ERP it has the code of another one, who is only in the CRM.
const AMBIGUOUS: usize = 9;

/// Writes of the hub, by system and object: objects that were made, and changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Writes(pub(crate) BTreeMap<(String, String), (u64, u64)>);

/// The systems.
pub(crate) struct Estate {
    pub(crate) crm: Handle,
    pub(crate) erp: Handle,
    pub(crate) marketing: Handle,
    /// Contacts a side.
    side: usize,
}

fn dirt(index: usize, kinds: usize) -> Option<usize> {
    index.is_multiple_of(CLEAN).then(|| index / CLEAN % kinds)
}

fn values<const N: usize>(pairs: [(&str, Value); N]) -> Values {
    pairs
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[allow(clippy::disallowed_methods, reason = "the systems' own clock")]
fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Makes objects in the past, one after the other.
struct Past<'h> {
    of: &'h Handle,
    at_ms: u64,
}

impl<'h> Past<'h> {
    fn new(of: &'h Handle) -> Self {
        Self { of, at_ms: now_ms() - 300 * 86_400_000 }
    }

    fn put(&mut self, object: &str, values: Values) -> String {
        self.at_ms += 1_500;
        let edit = Edit::Create { object_type: object.to_owned(), values };
        self.of.lock().person(edit, self.at_ms).unwrap()
    }
}

impl Estate {
    pub(crate) async fn start(side: usize) -> Self {
        assert!(side.is_multiple_of(800), "each kind of dirt as often as the others");
        let start = |kind: Kind| {
            let limits = Limits {
                burst: 0,
                daily: 0,
                search_per_second: 0,
                index_lag_ms: 0,
                concurrency: 0,
                service_ms: 0,
                ..Limits::of(kind)
            };
            let keyed = |object: &str| Property {
                object_type: object.to_owned(),
                name: "concord_id".to_owned(),
                value_type: "string".to_owned(),
                has_unique_value: object == "contacts",
                options: Vec::new(),
            };
            let properties =
                if kind == Kind::HubSpot { vec![keyed("contacts"), keyed("companies")] } else { Vec::new() };
            Sandbox::start(kind, Options { limits, properties, ..Options::of(kind) })
        };
        let crm = start(Kind::HubSpot).await.unwrap();
        let erp = start(Kind::NetSuite).await.unwrap();
        let marketing = start(Kind::Mailchimp).await.unwrap();
        let estate = Self { crm, erp, marketing, side };
        estate.fill();
        estate
    }

    const fn accounts(&self) -> usize {
        self.side / 2
    }

    fn fill(&self) {
        let (mut crm, mut erp) = (Past::new(&self.crm), Past::new(&self.erp));
        let mut marketing = Past::new(&self.marketing);
        let (mut companies, mut customers) = (BTreeMap::new(), BTreeMap::new());
        for index in 0..self.accounts() {
            let dirt = dirt(index, KINDS.1);
            let (number, name) = (json!(format!("A-{index}")), json!(format!("Account {index}")));
            let company = || values([("number", number.clone()), ("name", name.clone())]);
            if dirt != Some(1) {
                companies.insert(index, crm.put("companies", company()));
            }
            if dirt == Some(2) {
                crm.put("companies", company());
            }
            if dirt != Some(0) {
                let name = if dirt == Some(3) { json!(format!("Account {index} Ltd")) } else { name };
                let customer = values([("custentity_number", number), ("companyName", name)]);
                customers.insert(index, erp.put("customer", customer));
            }
        }
        for index in 0..self.side {
            let dirt = dirt(index, KINDS.0);
            let account = index % self.accounts();
            // One that both have.
            let account = if account.is_multiple_of(CLEAN) { account + 1 } else { account };
            let code = json!(format!("C-{index}"));
            let email = format!("person{index}@{DOMAIN}");
            let (first, last) = (json!(format!("First{index}")), json!(format!("Last{index}")));
            let phone = json!(format!("+49 30 {index}"));
            if !matches!(dirt, Some(ONLY_ERP | ONLY_MARKETING)) {
                let phone =
                    if dirt == Some(OTHER_PHONE) { json!(format!("+49 40 {index}")) } else { phone.clone() };
                let (code, email) = (code.clone(), json!(email));
                crm.put(
                    "contacts",
                    values([
                        ("code", code),
                        ("email", email),
                        ("firstname", first.clone()),
                        ("lastname", last.clone()),
                        ("phone", phone),
                        ("associatedcompanyid", json!(companies[&account])),
                    ]),
                );
            }
            if !matches!(dirt, Some(ONLY_CRM | ONLY_MARKETING)) {
                let address = match dirt {
                    Some(WRITTEN_OTHERWISE) => json!(format!(" {} ", email.to_uppercase())),
                    Some(NO_KEY) => Value::Null,
                    Some(NEAR) => json!(email.replace("person", "persom")),
                    _ => json!(email),
                };
                let code = match dirt {
                    Some(WRITTEN_OTHERWISE | NO_KEY | NEAR) => Value::Null,
                    // Of the one of this block who is only in the CRM.
                    Some(AMBIGUOUS) => json!(format!("C-{}", index - CLEAN * (AMBIGUOUS - ONLY_CRM))),
                    _ => code,
                };
                let contact = values([
                    ("custentity_code", code),
                    ("email", address),
                    ("firstName", first.clone()),
                    ("lastName", last.clone()),
                    ("phone", phone),
                    ("company", json!({"id": customers[&account]})),
                ]);
                erp.put("contact", contact.clone());
                if dirt == Some(TWICE) {
                    erp.put("contact", contact);
                }
            }
            if !matches!(dirt, Some(ONLY_CRM | ONLY_ERP)) {
                let last = if dirt == Some(OTHER_NAME) { json!(format!("Other{index}")) } else { last };
                marketing.put(
                    LIST,
                    values([
                        ("email_address", json!(email)),
                        ("status", json!("subscribed")),
                        ("merge_fields", json!({"FNAME": first, "LNAME": last})),
                    ]),
                );
            }
        }
    }

    /// So many contacts have each kind of dirt, and so many accounts.
    const fn each(&self) -> (u64, u64) {
        ((self.side / CLEAN / KINDS.0) as u64, (self.accounts() / CLEAN / KINDS.1) as u64)
    }

    /// Every count of a report.
    pub(crate) fn expect(&self, report: &Value) {
        let ((n, m), side, accounts) = (self.each(), self.side as u64, self.accounts() as u64);
        let sides = |system: &str, object: &str| {
            let sides = report["sides"].as_array().unwrap().iter();
            sides.clone().find(|side| side["system"] == system && side["object"] == object).unwrap().clone()
        };
        let counted = |side: &Value| {
            [
                "read",
                "matched",
                "alone",
                "ambiguous",
                "duplicates",
                "refused",
                "unreadable",
                "waiting",
                "gone",
            ]
            .map(|name| side[name].as_u64().unwrap())
        };
        let got = [
            ("crm", "companies"),
            ("erp", "customer"),
            ("crm", "contacts"),
            ("erp", "contact"),
            ("marketing", "members"),
        ]
        .map(|(system, object)| counted(&sides(system, object)));
        let wanted = [
            [accounts, accounts - 2 * m, m, 0, m, 0, 0, 0, 0],
            [accounts - m, accounts - 2 * m, m, 0, 0, 0, 0, 0, 0],
            [side - 2 * n, side - 3 * n, n, 0, 0, 0, 0, 0, 0],
            // Alone: only there, without a key, and nearly the same.
            [side - n, side - 6 * n, 3 * n, n, n, 0, 0, 0, 0],
            [side - 2 * n, side - 3 * n, 0, 0, 0, n, 0, 0, 0],
        ];
        assert_eq!(got, wanted, "{report:#}");
        self.expect_agreed(report);
        self.expect_missing(report);
        self.expect_conflicts(report);
        self.expect_first_sync(report);
    }

    fn expect_agreed(&self, report: &Value) {
        let ((n, m), side, accounts) = (self.each(), self.side as u64, self.accounts() as u64);
        let got = rows(&report["agreed"], &["entity", "system", "key"]);
        let wanted = [
            ("Account crm number", accounts - 2 * m),
            ("Account erp number", accounts - 2 * m),
            ("Contact crm code", side - 3 * n),
            ("Contact erp code", side - 7 * n),
            ("Contact erp email", n),
            ("Contact marketing email", side - 3 * n),
        ];
        assert_eq!(got, table(&wanted));
        let got = rows(&report["held"], &["system", "class"]);
        let wanted = [
            ("crm duplicate_there", m),
            ("erp ambiguous_match", n),
            ("erp duplicate_there", n),
            ("marketing not_a_creator", n),
        ];
        assert_eq!(got, table(&wanted));
    }

    fn expect_missing(&self, report: &Value) {
        let ((n, m), side, accounts) = (self.each(), self.side as u64, self.accounts() as u64);
        let got = rows(&report["spread"], &["entity", "systems"]);
        let wanted = [
            (r#"Account ["crm","erp"]"#, accounts - 2 * m),
            (r#"Account ["crm"]"#, m),
            (r#"Account ["erp"]"#, m),
            (r#"Contact ["crm","erp","marketing"]"#, side - 6 * n),
            (r#"Contact ["crm","marketing"]"#, 3 * n),
            (r#"Contact ["crm"]"#, n),
            (r#"Contact ["erp"]"#, 3 * n),
        ];
        assert_eq!(got, table(&wanted));
        let got = rows(&report["missing"], &["entity", "system"]);
        let wanted = [
            ("Account crm", m),
            ("Account erp", m),
            ("Contact crm", 3 * n),
            ("Contact erp", 4 * n),
            ("Contact marketing", 4 * n),
        ];
        assert_eq!(got, table(&wanted));
    }

    fn expect_conflicts(&self, report: &Value) {
        let (n, m) = self.each();
        let got = rows(&report["conflicts"], &["entity", "field", "system", "owner", "wins", "policy"]);
        let wanted = [
            ("Account name erp crm crm reject", m),
            ("Contact email erp crm crm reject", n),
            ("Contact last_name marketing crm crm reject", n),
            ("Contact phone crm erp erp reject", n),
        ];
        assert_eq!(got, table(&wanted));
    }

    fn expect_first_sync(&self, report: &Value) {
        let n = self.each().0;
        for sync in report["first_sync"].as_array().unwrap() {
            let key = (text(&sync["system"]), text(&sync["object"]));
            let key = if key.1 == "members" { (key.0, LIST.to_owned()) } else { key };
            let (creates, updates) = self.foreseen().0.get(&key).copied().unwrap_or_default();
            assert_eq!((&sync["creates"], &sync["updates"]), (&json!(creates), &json!(updates)), "{sync:#}");
            assert_eq!(sync["fails"], json!({}), "{sync:#}");
            let held = if key.1 == "contact" { 2 * n } else { 0 };
            assert_eq!(sync["held"], json!(held), "the candidates of an ambiguous object are not made there");
        }
    }

    /// What is written once a plan is applied.
    pub(crate) fn foreseen(&self) -> Writes {
        let (n, m) = self.each();
        let of = [
            ("crm", "companies", (m, 0)),
            ("crm", "contacts", (2 * n, n)),
            ("erp", "customer", (m, m)),
            ("erp", "contact", (2 * n, n)),
            ("marketing", LIST, (3 * n, n)),
        ];
        Writes(of.map(|(system, object, counts)| ((system.to_owned(), object.to_owned()), counts)).into())
    }

    /// What the hub has written, by the systems' own books.
    pub(crate) fn writes(&self) -> Writes {
        let mut writes = Writes::default();
        for (system, handle) in [("crm", &self.crm), ("erp", &self.erp), ("marketing", &self.marketing)] {
            for (kind, objects) in handle.lock().books().objects {
                let mut counts = (0, 0);
                for entry in objects.values().flat_map(|object| &object.history) {
                    match entry.action {
                        _ if entry.actor != Actor::Integration => {}
                        Action::Create => counts.0 += 1,
                        _ => counts.1 += 1,
                    }
                }
                if counts != (0, 0) {
                    writes.0.insert((system.to_owned(), kind), counts);
                }
            }
        }
        writes
    }

    /// A line for each that is not simply matched.
    pub(crate) fn expect_list(&self, list: &str) {
        let (n, m) = self.each();
        let mut got: BTreeMap<String, u64> = BTreeMap::new();
        for line in list.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            *got.entry(text(&line["kind"])).or_default() += 1;
            if line["kind"] == "ambiguous" {
                assert_eq!(line["candidates"].as_array().unwrap().len(), 2, "{line}");
            }
        }
        let wanted = [
            ("ambiguous", n),
            ("conflict", 3 * n + m),
            ("duplicate", n + m),
            // In one or two of three systems, or in one of two.
            ("missing", 7 * n + 2 * m),
            ("plan", 1),
            ("refused", n),
        ];
        assert_eq!(got, table(&wanted));
    }

    /// Nobody has become two: an address is there as often as it was planted.
    pub(crate) fn expect_nobody_twice(&self) {
        let twice = |handle: &Handle, object: &str, path: &str| {
            let mut seen: BTreeMap<String, u64> = BTreeMap::new();
            let books = handle.lock().books_without_history();
            for held in books.objects.get(object).into_iter().flat_map(BTreeMap::values) {
                if let Some(email) =
                    held.values.get(path).and_then(Value::as_str).filter(|email| !email.is_empty())
                {
                    *seen.entry(email.trim().to_lowercase()).or_default() += 1;
                }
            }
            seen.values().filter(|count| **count > 1).count() as u64
        };
        assert_eq!(twice(&self.crm, "contacts", "email"), 0);
        assert_eq!(twice(&self.erp, "contact", "email"), self.each().0, "those that were planted twice");
        assert_eq!(twice(&self.marketing, LIST, "email_address"), 0);
    }

    /// A person of the CRM gives somebody another name.
    pub(crate) fn rename_somebody(&self) {
        let books = self.crm.lock().books_without_history();
        let somebody =
            books.objects["contacts"].values().find(|held| held.values["code"] == json!("C-1")).unwrap();
        let changed = values([("lastname", json!("Changed"))]);
        let edit =
            Edit::Update { object_type: "contacts".to_owned(), id: somebody.id.clone(), values: changed };
        self.crm.person(edit).unwrap();
    }

    /// Whether the others know it.
    pub(crate) fn has_heard(&self) -> bool {
        let erp = self.erp.lock().books_without_history();
        let contact = erp.objects["contact"]
            .values()
            .any(|held| held.values.get("lastName") == Some(&json!("Changed")));
        let marketing = self.marketing.lock().books_without_history();
        let name = |held: &sandbox::shelf::Object| held.values["merge_fields"]["LNAME"] == json!("Changed");
        contact && marketing.objects[LIST].values().any(name)
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn rows(rows: &Value, names: &[&str]) -> BTreeMap<String, u64> {
    let key = |row: &Value| names.iter().map(|name| text(&row[*name])).collect::<Vec<_>>().join(" ");
    rows.as_array().unwrap().iter().map(|row| (key(row), row["count"].as_u64().unwrap())).collect()
}

fn table(rows: &[(&str, u64)]) -> BTreeMap<String, u64> {
    rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}
