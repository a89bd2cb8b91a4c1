//! Writing a manifest, with what a person must still answer.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::document::Document;
use super::resource::{Change, List, Paging, Resource};
use super::sent::Sent;
use super::server::Server;
use super::way::Ways;

/// The longest line of a request.
const LINE_MAX: usize = 140;

/// Text that is put together line by line; writing to memory does not fail.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn line(&mut self, indent: usize, text: &str) {
        // A text takes whatever is written to it.
        let _written = writeln!(self.0, "{:indent$}{text}", "");
    }

    pub(super) fn blank(&mut self) {
        self.0.push('\n');
    }
}

/// A text as YAML writes it.
pub(super) fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// Texts as YAML writes a list of them.
pub(super) fn list_of(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

/// The names of parameters in paths that are not an item's id, in order.
pub(super) fn parameters(resources: &[Resource]) -> BTreeSet<String> {
    let collections = resources.iter().map(|one| one.collection.as_str());
    collections.flat_map(slots).map(word).collect()
}

fn slots(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// A parameter's name as manifests have them.
pub(super) fn word(name: &str) -> String {
    let mut word = String::new();
    for one in name.chars() {
        if one.is_ascii_uppercase() && !word.is_empty() && !word.ends_with('_') {
            word.push('_');
        }
        word.push(if one.is_ascii_alphanumeric() { one.to_ascii_lowercase() } else { '_' });
    }
    word
}

/// A document's path as a template.
fn template(prefix: &str, path: &str, id: Option<&str>) -> String {
    let parts =
        path.split('/').map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) if Some(name) == id => "{id}".to_owned(),
            Some(name) => format!("{{parameter.{}}}", word(name)),
            None => part.to_owned(),
        });
    format!("{prefix}{}", parts.collect::<Vec<_>>().join("/"))
}

pub(super) fn manifest(
    name: &str,
    document: &Document,
    server: &Server,
    ways: &Ways<'_>,
    resources: &[Resource],
) -> String {
    let mut page = Page::default();
    page.line(0, &format!("# {}, made from its OpenAPI document.", one_line(document.title(), name)));
    page.line(0, "#");
    page.line(0, "# An OpenAPI document says what requests look like. It does not say what happens when one is sent twice, when its answer");
    page.line(0, "# is lost, or when somebody else uses up the limit. Each OPEN is such a question: answer it from the vendor's");
    page.line(0, "# documents, or by trying (`concord connector try`), and say after a fact where it is from: [doc], [seen], [unverified].");
    page.line(0, "# `concord connector show` says what follows from the answers.");
    page.line(0, &format!("connector: {name}"));
    page.line(0, "version: \"0.1.0\"");
    let about = format!(
        "{} {}",
        one_line(document.title(), "OPEN: what it is; the document says"),
        document.version()
    );
    page.line(0, &format!("about: {}", quoted(about.trim())));
    if let Some(url) = document.page() {
        page.line(0, &format!("docs: [{}]", quoted(url)));
    }
    if !server.varies.is_empty() {
        page.line(
            0,
            &format!(
                "# OPEN: the server's address varies ({}): a system's `base_url` says it.",
                server.varies.join(", ")
            ),
        );
    }
    let parameters = parameters(resources);
    if !parameters.is_empty() || !server.parameters.is_empty() {
        page.blank();
        page.line(0, "parameters:");
        for (parameter, default) in &server.parameters {
            page.line(2, &format!("{parameter}:"));
            page.line(4, "about: \"OPEN: a part of every path; what it is\"");
            page.line(4, "kind: text");
            match default {
                Some(default) => page.line(4, &format!("default: {}", quoted(default))),
                None => page.line(4, "required: true"),
            }
        }
        for parameter in
            parameters.iter().filter(|one| server.parameters.iter().all(|(name, _)| name != *one))
        {
            page.line(2, &format!("{parameter}:"));
            page.line(4, "about: \"OPEN: what it is, and where a person finds it\"");
            page.line(4, "kind: text");
            page.line(4, "required: true");
        }
    }
    page.blank();
    ways.write(&mut page, resources);
    page.blank();
    page.line(0, "# OPEN: what the vendor allows, by whose count (account, token, endpoint), and which header says what is left. Until");
    page.line(0, "# then only its 429 is heard.");
    page.line(0, "# limits:");
    page.line(0, "#   every_call: [calls]");
    page.line(0, "#   buckets: {calls: {size: 100, per: 10s, remaining: x-ratelimit-remaining}}");
    page.blank();
    page.line(
        0,
        "# OPEN: a request that says which account this is: it guards links against a swapped account.",
    );
    page.line(0, "# identity: {request: {method: GET, path: /me}, path: account.id}");
    page.blank();
    page.line(0, "# OPEN: signed webhooks, if there are any; see `concord schema connector` and the manifest of a vendor like this one.");
    for webhook in document.webhooks().take(20) {
        page.line(0, &format!("# The document names the message `{}`.", one_line(webhook, "")));
    }
    page.blank();
    page.line(0, "# Where refusals name what is wrong: the first place that holds something counts.");
    page.line(0, "refusal:");
    page.line(2, "code: [code, error.code, errors.0.code, type]");
    page.line(2, "field: [field, error.field, errors.0.field, errors.0.pointer]");
    page.line(2, "message: [detail, message, error.message, errors.0.message, error, title]");
    page.blank();
    page.line(0, "# What no rule matches is judged by its status: 400 and 422 validation, 401 auth_expired, 403 permission, 404 not_found,");
    page.line(0, "# 409 conflict, 429 rate_limited, 5xx uncertain for writes. OPEN: where this vendor means something else.");
    page.line(0, "errors: []");
    page.blank();
    page.line(0, "objects:");
    for resource in resources {
        object(&mut page, &server.prefix, resource);
    }
    page.0
}

pub(super) fn one_line(text: &str, or: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { or.to_owned() } else { text }
}

/// What a request needs, as its last part.
fn scopes(resource: &Resource, operation: &str) -> Option<String> {
    resource.scopes.get(operation).map(|needed| format!("scopes: {}", list_of(needed)))
}

/// A request of its parts, on as many lines as it takes.
fn request(page: &mut Page, indent: usize, parts: impl IntoIterator<Item = Option<String>>) {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let line = format!("request: {{{}}}", parts.join(", "));
    if indent + line.chars().count() <= LINE_MAX {
        return page.line(indent, &line);
    }
    for (at, part) in parts.iter().enumerate() {
        let end = if at + 1 == parts.len() { "}" } else { "," };
        match at {
            0 => page.line(indent, &format!("request: {{{part}{end}")),
            _ => page.line(indent + 2, &format!("{part}{end}")),
        }
    }
}

fn object(page: &mut Page, prefix: &str, resource: &Resource) {
    let inside = |path: &str| match &resource.wrapped {
        Some(wrapped) => format!("{wrapped}.{path}"),
        None => path.to_owned(),
    };
    page.line(2, &format!("{}:", resource.object));
    for header in &resource.headers {
        page.line(
            4,
            &format!("# OPEN: the header `{header}` must be there; add it to the requests (`headers`)."),
        );
    }
    page.line(4, "shape:");
    let (id, sure) = &resource.id;
    if !sure {
        page.line(6, "# OPEN: where the id stands; the document does not say.");
    }
    page.line(6, &format!("id: {}", quoted(id)));
    match (&resource.changed, &resource.version) {
        (None, Some(version)) => {
            page.line(6, "# OPEN: does it grow with each change, and never fall? Then it tells old states from new ones.");
            page.line(6, &format!("order: {{path: {}, form: number}}", quoted(version)));
        }
        (Some(changed), _) => {
            page.line(6, "# OPEN: does it move with each change, and never back? Then it tells old states from new ones.");
            page.line(6, &format!("order: {{path: {}}}", quoted(changed)));
        }
        (None, None) => {
            page.line(6, "# OPEN: what orders its states: `order: {path: updated_at}` or a version.")
        }
    }
    if !resource.fields.is_empty() {
        let names: Vec<String> = resource.fields.iter().map(|(name, _)| quoted(name)).collect();
        page.line(4, &format!("paths: [{}]", names.join(", ")));
    }
    if let (true, Some((item, parameter))) = (resource.fetch, &resource.item) {
        page.line(4, "fetch:");
        let path = format!("method: GET, path: {}", quoted(&template(prefix, item, Some(parameter))));
        request(page, 6, [Some(path), scopes(resource, "fetch")]);
        if let Some(wrapped) = &resource.wrapped {
            page.line(6, &format!("at: {}", quoted(wrapped)));
        }
    }
    let collection = template(prefix, &resource.collection, None);
    poll(page, resource, &collection);
    writes(page, resource, prefix, &collection, &inside(id));
}

fn poll(page: &mut Page, resource: &Resource, collection: &str) {
    let Some(list) = &resource.list else { return };
    let (Some((since, moment)), Some(changed)) = (&list.since, &resource.changed) else {
        page.line(
            4,
            &format!(
                "# OPEN: GET {collection} lists, and no parameter is known that asks for what changed since."
            ),
        );
        page.line(4, "# With one, write `poll`; without one, changes come by webhooks only.");
        return;
    };
    page.line(4, "poll:");
    page.line(6, "every: 60s");
    page.line(6, "# OPEN: how late a change can show behind a younger one.");
    page.line(6, "lookback: 2m");
    page.line(6, "request:");
    page.line(8, "method: GET");
    page.line(8, &format!("path: {}", quoted(collection)));
    page.line(8, "query:");
    let form = if *moment { "rfc3339" } else { "s" };
    page.line(10, &format!("{}: \"{{since|{form}}}\"", quoted(&format!("{since}?"))));
    if let Some(size) = &list.size.0 {
        page.line(10, &format!("{}: \"{}\"", quoted(size), list.size.1));
    }
    let sent = match &list.page {
        Paging::Token(parameter, _) | Paging::AfterId(parameter) => Some((format!("{parameter}?"), "{page}")),
        Paging::Offset(parameter) | Paging::Numbered(parameter) => Some((parameter.clone(), "{page}")),
        Paging::None => None,
    };
    if let Some((parameter, slot)) = sent {
        page.line(10, &format!("{}: \"{slot}\"", quoted(&parameter)));
    }
    if let Some(needed) = resource.scopes.get("list") {
        page.line(8, &format!("scopes: {}", list_of(needed)));
    }
    if let Some(items) = &list.items {
        page.line(6, &format!("items: {}", quoted(items)));
    }
    page.line(6, &format!("mark: {{path: {}}}", quoted(changed)));
    page.line(6, "# OPEN: by what it is sorted, so that nothing slips through while objects change: `ascending` by the mark, `descending`, `id`.");
    let sorting = match &list.page {
        Paging::AfterId(_) => "id",
        Paging::Offset(_) | Paging::Numbered(_) => "ascending",
        // The mark moves only when the last page is read.
        Paging::Token(..) | Paging::None => "descending",
    };
    page.line(6, &format!("sorting: {sorting}"));
    paging(page, list);
    page.line(6, &format!("size: {}", list.size.1));
    page.line(6, "# OPEN: what this listing never shows (deletions, for one).");
    page.line(6, "blind: [\"OPEN: whether deletions show\"]");
}

fn paging(page: &mut Page, list: &List) {
    match &list.page {
        Paging::Token(_, next) => page.line(6, &format!("page: {{token: {}}}", quoted(next))),
        Paging::Offset(_) => page.line(6, "page: {offset: {}}"),
        Paging::AfterId(_) => page.line(6, "page: {after_id: {}}"),
        Paging::Numbered(parameter) => {
            page.line(6, &format!("# OPEN: the number of the first page (`{parameter}`), and what says that more follow, if anything does."));
            page.line(6, "page: {number: {first: 1}}");
        }
        Paging::None => {
            page.line(6, "# OPEN: how a listing goes on. Only the first page is read.");
            page.line(6, "page: none");
        }
    }
}

fn writes(page: &mut Page, resource: &Resource, prefix: &str, collection: &str, id: &str) {
    if resource.create.is_none() && resource.update.is_none() && resource.delete.is_none() {
        return;
    }
    page.line(4, "writes:");
    if let Some(change) = &resource.create {
        create(page, resource, change, collection, id);
    }
    let Some((item, parameter)) = &resource.item else { return };
    let path = quoted(&template(prefix, item, Some(parameter)));
    if let Some((method, change)) = &resource.update {
        page.line(6, "update:");
        page.line(8, "for: [update]");
        page.line(8, "idempotency: {class: upsert}");
        if *method == "PATCH" {
            page.line(8, "# Only what differs is sent. OPEN: does null clear a field?");
            page.line(8, "partial: true");
        }
        processing(page, change);
        let body = change.sent.written(resource.wraps.as_deref());
        let needed = scopes(resource, "update");
        request(page, 8, [Some(format!("method: {method}, path: {path}")), Some(body), needed]);
    }
    if let Some(change) = &resource.delete {
        page.line(6, "delete:");
        page.line(8, "for: [delete]");
        page.line(8, "idempotency: {class: upsert}");
        processing(page, &Change { sent: Sent::Json(None), ..*change });
        request(page, 8, [Some(format!("method: DELETE, path: {path}")), scopes(resource, "delete")]);
        page.line(8, "# Gone is gone.");
        page.line(8, "errors: [{when: {status: [404, 410]}, class: applied}]");
    }
}

fn create(page: &mut Page, resource: &Resource, change: &Change, collection: &str, id: &str) {
    page.line(6, "create:");
    page.line(8, "for: [create]");
    let headers = match &resource.once {
        Some(header) => {
            page.line(
                8,
                &format!(
                    "# OPEN: how long does the vendor keep a key under the header `{header}`? Then write"
                ),
            );
            page.line(8, "# `{class: native_key, ttl_s: SECONDS}`, and what says that an answer was stored under it (`replayed`).");
            page.line(8, "# Until then every lost answer goes to a person.");
            page.line(8, "idempotency: {class: none}");
            Some(format!("headers: {{{}: \"{{intent}}\"}}", quoted(header)))
        }
        None => {
            page.line(8, "# OPEN: what happens when it is sent twice? `none` leaves every lost answer to a person. Better, in this order:");
            page.line(8, "# `upsert` by a key of ours; `native_key` with an Idempotency-Key header; `search_first` or `marker_field`");
            page.line(8, "# with a `probe` that looks for Concord's id (`{key}`) in a field made for it.");
            page.line(8, "idempotency: {class: none}");
            None
        }
    };
    processing(page, change);
    let body = change.sent.written(resource.wraps.as_deref());
    let needed = scopes(resource, "create");
    request(
        page,
        8,
        [Some(format!("method: POST, path: {}", quoted(collection))), headers, Some(body), needed],
    );
    let created = change.status.unwrap_or(201);
    if resource.located {
        page.line(8, "# Its `Location` names what was made.");
        page.line(8, &format!("answer: {{id: {{header: location}}, created: {{status: {created}}}}}"));
        return;
    }
    if !change.answers {
        page.line(8, "# OPEN: where the answer names what was made; the document does not say.");
    }
    page.line(8, &format!("answer: {{id: {{path: {}}}, created: {{status: {created}}}}}", quoted(id)));
}

fn processing(page: &mut Page, change: &Change) {
    if let Some(question) = change.sent.question() {
        page.line(8, &format!("# OPEN: {question}"));
    }
    if change.status == Some(202) {
        page.line(
            8,
            "# OPEN: its success is 202: it is accepted, and done later. What says that it was done?",
        );
    }
    page.line(8, "# OPEN: how long it may go on working after a request arrived, at most.");
    page.line(8, "processing_max: 60s");
}
