//! Every request of the fixtures against the document that its vendor publishes, and the place of every operation.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use connector::{Call, Connector, Cursor, Fixtures, Manifest, Request, Shown, Write};
use serde_json::{Value, json};

use crate::cut::{cut, lines};
use crate::document::Document;

/// A document, and what of it needs a word.
struct Vendor {
    name: &'static str,
    /// Where it is from: repository, commit, file, licence.
    source: [&'static str; 4],
    /// Schemas whose objects have names that only an account knows, or that the document gives to requests although they
    /// are those of answers: neither closed, nor is anything in them required.
    open: &'static [&'static str],
    /// Scopes that the document calls otherwise than the vendor's own list of them.
    misnamed: &'static [(&'static str, &'static str)],
    /// Values without which a write can't be rendered.
    fields: fn() -> Value,
    /// Methods and paths that the document does not have, each with the reason.
    beyond: &'static [(&'static str, &'static str)],
}

/// The id of what is asked for, where it matters only that it is one.
const EXTERNAL: &str = "4711";

const KLAVIYO: Vendor = Vendor {
    name: "klaviyo",
    source: ["klaviyo/openapi", "f0a30ba41254904dc410d84ca497df68f8872276", "openapi/stable.json", "MIT"],
    open: &[],
    misnamed: &[],
    fields: || json!({"metric": "Seen", "profile.email": "ann@example.test", "properties.a": 1, "email": "a@example.test", "subscriptions.sms": {"marketing": {"consent": "SUBSCRIBED"}}}),
    beyond: &[],
};

const MARKETO: Vendor = Vendor {
    name: "marketo",
    source: [
        "AdobeDocs/marketo-apis",
        "3d7e81722300e551728dcd16306a0585735baf6c",
        "static/swagger-mapi.json",
        "Apache-2.0",
    ],
    // Opportunities are there as custom objects, with the `seq` and the id that only answers have.
    open: &["Lead", "Company", "CustomObject"],
    misnamed: &[("Read-Write Named Opportunity", "Read-Write Opportunity")],
    fields: || json!({"email": "ann@example.test"}),
    beyond: &[],
};

const STRIPE: Vendor = Vendor {
    name: "stripe",
    source: ["stripe/openapi", "e0123a38b40c8d840b4c0469ac0ee1650b6bfea3", "openapi/spec3.json", "MIT"],
    open: &[],
    misnamed: &[],
    fields: || json!({"customer": EXTERNAL, "address.city": "Oslo"}),
    beyond: &[],
};

impl Vendor {
    fn file(&self) -> PathBuf {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/documents");
        PathBuf::from(folder).join(format!("{}.json", self.name))
    }

    fn source(&self) -> Value {
        let [repository, commit, file, licence] = self.source;
        json!({"repository": repository, "commit": commit, "file": file, "licence": licence})
    }

    fn fixtures(&self) -> (Connector, Vec<Shown>) {
        let manifest = Manifest::parse(self.name, Manifest::builtin(self.name).unwrap()).unwrap();
        let fixtures = Fixtures::parse(self.name, Fixtures::builtin(self.name).unwrap()).unwrap();
        (fixtures.connector(&manifest).unwrap(), fixtures.requests(&manifest).unwrap())
    }

    /// The requests of every operation with every object that the manifest names, whatever is in them.
    fn every_request(&self, connector: &Connector) -> Vec<(String, Request)> {
        let mut calls = Vec::new();
        for object in connector.objects() {
            let external_id = EXTERNAL.to_owned();
            calls.extend(connector.poll(object).map(|_| Call::List {
                object: object.clone(),
                cursor: Cursor::default(),
                now: canonical::Wall(1_795_348_800_000_000),
            }));
            let fetch = Call::Fetch { object: object.clone(), external_id: external_id.clone() };
            calls.extend(connector.can_fetch(object).then_some(fetch));
            calls.extend(connector.many(object).map(|_| Call::FetchMany {
                object: object.clone(),
                ids: vec![external_id.clone(), "4712".to_owned()],
            }));
            calls.extend(connector.has_snapshot(object).then(|| Call::List {
                object: object.clone(),
                cursor: Cursor { snapshot: Some(String::new()), ..Cursor::default() },
                now: canonical::Wall(1_795_348_800_000_000),
            }));
            for (spec, _) in connector.writes(object) {
                let fields: canonical::Fields = serde_json::from_value((self.fields)()).unwrap();
                let write = Write {
                    object: object.clone(),
                    operation: spec.name.to_string(),
                    key: "rec_0192a7c0ffee70008000000000000001".to_owned(),
                    external_id: Some(external_id.clone()),
                    fields: fields.clone().into(),
                    whole: fields.clone().into(),
                    known: fields.into(),
                    expected: Some("1".to_owned()),
                    version: Some("1".to_owned()),
                    association: None,
                    intent: "int_0192a7c0ffee70008000000000000002".to_owned(),
                };
                let probe = connector.probe_charge(&spec.name, object).map(|_| Call::Probe(write.clone()));
                calls.extend(probe);
                calls.push(Call::Write(write));
            }
        }
        let rendered = calls.iter().map(|call| {
            let request = connector.render(call).unwrap_or_else(|error| panic!("{call:?}: {error}"));
            (format!("{} of {}", request.operation, self.name), request)
        });
        rendered.collect()
    }

    fn is_beyond(&self, request: &Request) -> bool {
        let path = request.path.split('?').next().unwrap_or_default();
        let asked = format!("{} {path}", request.method);
        self.beyond.iter().any(|(known, _)| *known == asked)
    }

    /// Makes the extract anew of the whole document, when told to: `CONCORD_CUT_DOCUMENT=NAME=FILE`.
    #[expect(clippy::disallowed_methods, reason = "a person asks for an extract")]
    fn cut_anew(&self) {
        let Ok(told) = std::env::var("CONCORD_CUT_DOCUMENT") else { return };
        let Some(file) = told.strip_prefix(self.name).and_then(|rest| rest.strip_prefix('=')) else { return };
        let whole = Document::raw(serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap());
        let (connector, shown) = self.fixtures();
        let every = self.every_request(&connector);
        let requests = shown.iter().map(|one| &one.request).chain(every.iter().map(|(_, request)| request));
        let found: Vec<_> = requests.filter_map(|one| whole.find(&one.method, &one.path)).collect();
        fs::write(self.file(), lines(&cut(&whole, &found, self.source()))).unwrap();
    }

    /// Where the scopes that the manifest names are not those of the document.
    fn scopes(&self, shown: &Shown, operation: &Value) -> Option<String> {
        let named = |text: &str| {
            let misnamed = self.misnamed.iter().find(|(wrong, _)| *wrong == text);
            misnamed.map_or(text, |(_, right)| right).to_owned()
        };
        let texts = |key: &str| -> Option<BTreeSet<String>> {
            let list = operation[key].as_array()?.iter();
            Some(list.filter_map(|one| one.as_str().map(named)).collect())
        };
        let needed: BTreeSet<String> = shown.needed.iter().flat_map(|one| one.any_of.clone()).collect();
        if let Some(all) = texts("x-scopes") {
            return (needed != all).then(|| format!("the scopes are {all:?}, and not {needed:?}"));
        }
        let any = texts("x-any-of-scopes")?;
        let fits = !needed.is_empty() && needed.is_subset(&any);
        (!fits).then(|| format!("one of the scopes {any:?} is needed, and not {needed:?}"))
    }

    /// Where calls go faster than the document allows: in any window, wherever it begins.
    fn pace(connector: &Connector, shown: &Shown, operation: &Value) -> Option<String> {
        let limit = |key: &str| -> Option<u64> {
            operation["x-ratelimit"][key].as_str()?.split('/').next()?.parse().ok()
        };
        let (second, minute) = (limit("burst")?, limit("steady")?);
        let charge = connector.charge(&shown.call);
        let paced = connector.limits().buckets.iter().any(|bucket| {
            let within =
                bucket.size <= second && bucket.size + bucket.refill * 60_000 / bucket.per_ms <= minute;
            charge.buckets.contains(&bucket.name) && within
        });
        (!paced).then(|| format!("it may go faster than {second} a second and {minute} a minute"))
    }

    /// Holds the manifest to it.
    fn judge(&self) {
        self.cut_anew();
        let root: Value = serde_json::from_str(&fs::read_to_string(self.file()).unwrap()).unwrap();
        assert_eq!(root["x-source"], self.source(), "the extract is of another document: cut it anew");
        let document = Document::new(root, self.open);
        let (connector, shown) = self.fixtures();
        let (mut told, mut used) = (Vec::new(), BTreeSet::new());
        for one in &shown {
            let at = format!("{}: {} {}", one.name, one.request.method, one.request.path);
            let Some(operation) = document.find(&one.request.method, &one.request.path) else {
                if !self.is_beyond(&one.request) {
                    told.push(format!("{at}: the document has no such operation"));
                }
                continue;
            };
            used.insert((operation.template.to_owned(), operation.method.to_lowercase()));
            let problems = document.check(&operation, &one.request);
            told.extend(
                problems
                    .into_iter()
                    .chain(self.scopes(one, operation.body))
                    .chain(Self::pace(&connector, one, operation.body))
                    .map(|one| format!("{at}: {one}")),
            );
        }
        assert!(used.len() > 5, "hardly anything was judged: {used:?}");
        for (what, request) in self.every_request(&connector) {
            match document.find(&request.method, &request.path) {
                // A word that stands in the place of an id is a path that is not there.
                Some(operation) if operation.values.values().all(|value| value == EXTERNAL) => {
                    used.insert((operation.template.to_owned(), operation.method.to_lowercase()));
                }
                _ if self.is_beyond(&request) => {}
                _ => told.push(format!("{what}: there is no {} {}", request.method, request.path)),
            }
        }
        for (template, item) in document.root()["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                if !used.contains(&(template.clone(), method.clone())) {
                    told.push(format!("nothing makes {method} {template}: cut the extract anew"));
                }
            }
        }
        assert!(told.is_empty(), "{}:\n{}", self.name, told.join("\n"));
    }
}

#[test]
fn klaviyo_takes_what_is_sent() {
    KLAVIYO.judge();
}

#[test]
fn marketo_takes_what_is_sent() {
    MARKETO.judge();
}

#[test]
fn stripe_takes_what_is_sent() {
    STRIPE.judge();
}

/// The judge finds what it is there to find.
#[test]
fn a_wrong_request_is_told_apart() {
    let root = serde_json::from_str(&fs::read_to_string(KLAVIYO.file()).unwrap()).unwrap();
    let document = Document::new(root, KLAVIYO.open);
    let (_, shown) = KLAVIYO.fixtures();
    let right = shown.iter().find(|one| one.request.path == "/api/profile-import").unwrap();
    let wrong = |change: &dyn Fn(&mut Request)| {
        let mut request = right.request.clone();
        change(&mut request);
        let operation = document.find(&request.method, &request.path).unwrap();
        document.check(&operation, &request).join("; ")
    };
    let body = |from: &'static str, to: &'static str| {
        move |request: &mut Request| {
            let text = String::from_utf8(request.body.clone()).unwrap();
            assert!(text.contains(from), "{text}");
            request.body = text.replace(from, to).into_bytes();
        }
    };
    assert_eq!(wrong(&|_| {}), "");
    for (change, expected) in [
        (&body("first_name", "firstname") as &dyn Fn(&mut Request), "firstname"),
        (&body("\"type\":\"profile\"", "\"type\":\"person\""), "person"),
        (&body("\"attributes\"", "\"attribute\""), "attribute"),
        (&|request: &mut Request| request.path.push_str("?fields=email"), "the query has `fields`"),
        (&|request: &mut Request| request.body.clear(), "it has no body"),
        (
            &|request: &mut Request| request.headers.retain(|(name, _)| name != "revision"),
            "header revision is missing",
        ),
        (&|request: &mut Request| request.headers.retain(|(name, _)| name != "content-type"), "the body is "),
    ] {
        let told = wrong(change);
        assert!(told.contains(expected), "{told:?} does not tell {expected:?}");
    }
    assert!(document.find("POST", "/api/profile-imports").is_none());
    assert!(document.find("PUT", "/api/profile-import").is_none());
}
