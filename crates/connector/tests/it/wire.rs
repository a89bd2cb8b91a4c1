//! The requests of the fixtures, and what the vendor's own client puts on the wire for the same calls.

use std::collections::BTreeMap;
use std::fmt::Debug;

use connector::{AuthKind, ClientPlacement, Manifest, Shown};
use serde_json::{Value, json};

use crate::sdk::{ask, ask_python, asked, header, shown};

/// A vendor's client, and in what it differs.
struct Client<'c> {
    vendor: &'c str,
    /// Runs its script with what is asked.
    script: fn(&Value) -> Value,
    /// Headers that must be the same, where the manifest sends them.
    headers: &'c [&'c str],
    /// Requests that it has no call for, as `GET /path`.
    beyond: &'c [&'c str],
    /// Parts of the query that it can't be told to send, by method.
    unsaid: &'c [(&'c str, &'c str)],
    /// Parts of the query that it sends of itself.
    own: &'c [&'c str],
    /// Where the manifest's path begins otherwise, and how the client's does.
    paths: &'c [(&'c str, &'c str)],
}

impl Default for Client<'_> {
    fn default() -> Self {
        let script = |asked: &Value| ask("wire.cjs", asked);
        Self { vendor: "", script, headers: &[], beyond: &[], unsaid: &[], own: &[], paths: &[] }
    }
}

/// The parts of a path, each as the text that is meant.
fn parts(path: &str) -> Vec<String> {
    let part = |part: &str| {
        let pair = format!("v={}", part.replace('+', "%2B").replace('&', "%26"));
        url::form_urlencoded::parse(pair.as_bytes()).next().unwrap_or_default().1.into_owned()
    };
    path.split('/').map(part).collect()
}

/// What a query or a form says, whatever the order of its parts; lists are written in one way or another.
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = url::form_urlencoded::parse(text.as_bytes())
        .flat_map(|(name, value)| {
            let parts: Vec<String> = value.split(',').map(str::to_owned).collect();
            parts.into_iter().map(move |part| (name.to_string(), part))
        })
        .collect();
    pairs.sort();
    pairs
}

impl Client<'_> {
    /// Where it sends something else than the connector.
    fn differences(&self, one: &Shown, sent: &Value) -> Vec<String> {
        if let Some(unknown) = sent["unknown"].as_str() {
            return vec![format!("the client has no call for {unknown}")];
        }
        let Some(path) = sent["path"].as_str() else {
            return vec![format!("the client sent nothing: {sent}")];
        };
        let mut told = Vec::new();
        let mut differ = |what: &str, ours: &dyn Debug, theirs: &dyn Debug| {
            let (ours, theirs) = (format!("{ours:?}"), format!("{theirs:?}"));
            if ours != theirs {
                told.push(format!("{what} is\n    {ours}, and the client's\n    {theirs}"));
            }
        };
        differ("the method", &one.request.method, &sent["method"].as_str().unwrap());
        let split = |path: &str, without: &[&str]| {
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let mut query = pairs(query);
            // A part without a value says nothing.
            query.retain(|(name, value)| !value.is_empty() && !without.contains(&name.as_str()));
            (parts(path), query)
        };
        let other = |(begins, other): &(&str, &str)| {
            Some(format!("{other}{}", one.request.path.strip_prefix(begins)?))
        };
        let ours = self.paths.iter().find_map(other).unwrap_or_else(|| one.request.path.clone());
        let unsaid: Vec<&str> =
            self.unsaid.iter().filter(|it| it.0 == one.request.method).map(|it| it.1).collect();
        differ("the path", &split(&ours, &unsaid), &split(path, self.own));
        for name in self.headers.iter().filter(|name| header(one, name).is_some()) {
            // A media type says the same with its charset.
            let theirs = sent["headers"][name].as_str().map(|value| match *name {
                "content-type" => value.split(';').next().unwrap_or_default(),
                _ => value,
            });
            differ(&format!("header {name}"), &header(one, name), &theirs);
        }
        let (ours, theirs) = (String::from_utf8_lossy(&one.request.body), sent["body"].as_str().unwrap());
        match header(one, "content-type") {
            Some("application/x-www-form-urlencoded") => differ("the body", &pairs(&ours), &pairs(theirs)),
            Some("text/csv") => differ("the body", &ours, &theirs),
            _ if ours.is_empty() => differ("the body", &"", &theirs.trim_matches(['{', '}'])),
            _ => {
                let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
                differ("the body", &read(&ours), &read(theirs));
            }
        }
        told
    }

    /// Every request of the fixtures is the one that the client makes, but those `beyond` it.
    fn sends_the_same(&self) {
        let shown = shown(self.vendor);
        let at = |one: &Shown| {
            let path = one.request.path.split('?').next().unwrap_or_default();
            format!("{} {path}", one.request.method)
        };
        for known in self.beyond {
            assert!(shown.iter().any(|one| at(one) == *known), "{}: nothing asks {known}", self.vendor);
        }
        let judged: Vec<&Shown> =
            shown.iter().filter(|one| !self.beyond.contains(&at(one).as_str())).collect();
        assert!(judged.len() > 5, "{}: hardly anything is judged", self.vendor);
        let said = (self.script)(&judged.iter().map(|one| asked(self.vendor, one)).collect());
        assert_eq!(said.as_array().map(Vec::len), Some(judged.len()), "{said}");
        let mut told = Vec::new();
        for (one, sent) in judged.iter().zip(said.as_array().unwrap()) {
            let at = format!("{}: {} {}", one.name, one.request.method, one.request.path);
            let problems = self.differences(one, sent).into_iter();
            told.extend(problems.map(|problem| format!("{at}: {problem}")));
        }
        assert!(told.is_empty(), "{}:\n{}", self.vendor, told.join("\n"));
    }
}

#[test]
fn hubspots_client_sends_the_same() {
    // Of its account the client asks by a request that it is told.
    let beyond = &["GET /account-info/v3/details"];
    Client { vendor: "hubspot", beyond, ..Client::default() }.sends_the_same();
}

#[test]
fn mailchimps_client_sends_the_same() {
    Client { vendor: "mailchimp", ..Client::default() }.sends_the_same();
}

#[test]
fn stripes_client_sends_the_same() {
    let headers = &["stripe-version", "content-type", "idempotency-key"];
    Client { vendor: "stripe", headers, ..Client::default() }.sends_the_same();
}

/// jsforce, which Salesforce's own command line uses.
#[test]
fn salesforces_client_sends_the_same() {
    Client { vendor: "salesforce", headers: &["content-type"], ..Client::default() }.sends_the_same();
}

/// Of Frappe's framework, on which ERPNext is built. It speaks version 1 of the API, in which a refusal has another form.
#[test]
fn frappes_client_sends_the_same() {
    Client {
        vendor: "erpnext",
        headers: &["accept", "content-type"],
        // The fields of a DocType are read by another method in version 1.
        beyond: &["GET /api/v2/doctype/Customer/meta"],
        // Both spellings are sent, for Frappe 15 and for later ones; the client sends one of each.
        unsaid: &[("GET", "start"), ("GET", "limit_page_length")],
        own: &["as_dict"],
        paths: &[("/api/v2/document/", "/api/resource/"), ("/api/v2/method/", "/api/method/")],
        ..Client::default()
    }
    .sends_the_same();
}

/// Odoo's own, which speaks JSON-2 from 2.0 on.
#[test]
fn odoos_client_sends_the_same() {
    Client {
        vendor: "odoo",
        script: |asked| ask_python("wire.py", asked),
        headers: &["x-odoo-database"],
        ..Client::default()
    }
    .sends_the_same();
}

/// Microsoft's. It can't be told to ask which row an upsert made (`$select`, `Prefer: return=representation`), which Concord
/// needs to know, nor to look a table up by its entity set's name.
#[test]
fn dataverses_client_sends_the_same() {
    Client {
        vendor: "dataverse",
        script: |asked| ask_python("wire.py", asked),
        headers: &["accept", "content-type", "if-match", "odata-version", "odata-maxversion"],
        beyond: &["GET /api/data/v9.2/WhoAmI", "GET /api/data/v9.2/EntityDefinitions"],
        unsaid: &[("PATCH", "$select")],
        ..Client::default()
    }
    .sends_the_same();
}

/// The judge finds what it is there to find.
#[test]
fn another_request_is_told_apart() {
    let client = Client { vendor: "odoo", headers: &["x-odoo-database"], ..Client::default() };
    let one = shown("odoo").into_iter().find(|one| one.request.path.ends_with("/create")).unwrap();
    let right = json!({
        "method": "POST", "path": one.request.path, "headers": {"x-odoo-database": "acme"},
        "body": String::from_utf8_lossy(&one.request.body),
    });
    assert_eq!(client.differences(&one, &right), Vec::<String>::new());
    for (name, value, expected) in [
        ("method", json!("PUT"), "the method"),
        ("path", json!("/json/2/res%2Fpartner/create"), "the path"),
        ("path", json!(format!("{}?a=b", one.request.path)), "the path"),
        ("headers", json!({"x-odoo-database": "other"}), "header x-odoo-database"),
        ("headers", json!({}), "header x-odoo-database"),
        ("body", json!("{}"), "the body"),
        ("body", json!(""), "the body"),
    ] {
        let mut wrong = right.clone();
        wrong[name] = value;
        let told = client.differences(&one, &wrong);
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?} does not tell {expected}");
    }
    assert_eq!(client.differences(&one, &json!({"trouble": "x", "sent": 0})).len(), 1);
}

/// Of what Intuit publishes for Node only tokens are the vendor's own: where they are asked for, and how.
#[test]
fn intuits_client_asks_for_tokens_in_the_same_way() {
    let manifest = Manifest::parse("quickbooks", Manifest::builtin("quickbooks").unwrap()).unwrap();
    let AuthKind::Oauth2Refresh { token, placement, consent, .. } =
        manifest.outline().unwrap().auth().clone()
    else {
        panic!("no refresh token")
    };
    let said = ask("intuit.cjs", &json!([]));
    assert_eq!(said["token"], token);
    let address = url::Url::parse(said["consent"].as_str().unwrap()).unwrap();
    let asked: BTreeMap<_, _> = address.query_pairs().into_owned().collect();
    let consent = consent.unwrap();
    assert_eq!(address.as_str().split('?').next(), Some(consent.address.as_str()));
    assert_eq!(asked["scope"], consent.scopes.join(" "));
    assert_eq!(asked["response_type"], "code");
    // Who asks stands in a header, and nowhere else.
    assert_eq!(placement, ClientPlacement::Basic);
    let refresh = &said["refresh"];
    assert_eq!(refresh["headers"]["authorization"], "Basic Y2xpZW50OnNlY3JldA==");
    assert_eq!(refresh["headers"]["content-type"], "application/x-www-form-urlencoded");
    let sent = [("grant_type", "refresh_token"), ("refresh_token", "refresh-1")];
    let sent = sent.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(pairs(refresh["body"].as_str().unwrap()), sent);
}
