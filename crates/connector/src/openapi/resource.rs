//! Resources: a collection and its items, as most REST documents have them.

use std::collections::BTreeMap;

use canonical::Object;
use serde_json::{Map, Value, json};

use super::document::{Document, METHODS, is};
use super::sent::Sent;
use super::way::Ways;

/// One kind of object.
#[derive(Debug, Default)]
pub(super) struct Resource {
    /// Its name here.
    pub(super) object: String,
    /// The collection's path, as the document has it.
    pub(super) collection: String,
    /// An item's path, and the parameter that is its id.
    pub(super) item: Option<(String, String)>,
    /// Where the id stands in an item; `false`: that is a guess.
    pub(super) id: (String, bool),
    /// Where the item stands in an answer about one.
    pub(super) wrapped: Option<String>,
    /// What an item's fields are wrapped in when it is sent.
    pub(super) wraps: Option<String>,
    pub(super) create: Option<Change>,
    /// A header of the create that takes an idempotency key.
    pub(super) once: Option<String>,
    /// Whether the create's answer names what was made in a header only.
    pub(super) located: bool,
    /// `PATCH` or `PUT`.
    pub(super) update: Option<(&'static str, Change)>,
    pub(super) delete: Option<Change>,
    pub(super) fetch: bool,
    pub(super) list: Option<List>,
    /// When an item was changed last.
    pub(super) changed: Option<String>,
    /// A number that counts its changes.
    pub(super) version: Option<String>,
    /// Some of its fields, each with a value.
    pub(super) fields: Vec<(String, Value)>,
    /// What its operations need, by their names.
    pub(super) scopes: BTreeMap<&'static str, Vec<String>>,
    /// Headers that must be there, and what they are is not known.
    pub(super) headers: Vec<String>,
}

/// A request that changes something.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) sent: Sent,
    /// The status of its success.
    pub(super) status: Option<u16>,
    /// Whether the success has a body that is known.
    pub(super) answers: bool,
}

impl Change {
    fn of(document: &Document, operation: &Value, object: &str) -> Self {
        let success = document.success(operation);
        Self {
            sent: Sent::of(document, operation, object).0,
            status: success.and_then(|(status, _)| status),
            answers: document.answered(operation).is_some(),
        }
    }
}

/// How a collection is listed.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Where the items stand.
    pub(super) items: Option<String>,
    /// The parameter that asks for what changed since, and whether it is a moment.
    pub(super) since: Option<(String, bool)>,
    pub(super) page: Paging,
    /// The parameter with the size of a page, and the size.
    pub(super) size: (Option<String>, u64),
}

/// How a listing goes on.
#[derive(Debug, Default)]
pub(super) enum Paging {
    /// A parameter, and where its value stands in the answer.
    Token(String, String),
    Offset(String),
    AfterId(String),
    /// Pages have numbers, which a manifest cannot say.
    Numbered(String),
    #[default]
    None,
}

const CHANGED: [&str; 14] = [
    "updated_at",
    "updatedAt",
    "updated_on",
    "updated",
    "modified_at",
    "modifiedAt",
    "modified",
    "modified_on",
    "last_modified",
    "lastModified",
    "last_modified_at",
    "lastModifiedAt",
    "lastModifiedDateTime",
    "date_modified",
];
/// What counts changes.
const VERSIONS: [&str; 5] = ["version", "revision", "rev", "lock_version", "lockVersion"];
/// What stands beside the one thing that an answer is about.
const AROUND: [&str; 15] = [
    "meta",
    "metadata",
    "links",
    "_links",
    "included",
    "success",
    "status",
    "ok",
    "code",
    "message",
    "error",
    "errors",
    "warnings",
    "request_id",
    "requestId",
];
const TOKENS: [&str; 7] =
    ["cursor", "page_token", "pageToken", "next_token", "nextToken", "after", "continuation_token"];
const NEXT: [&str; 9] = [
    "next_cursor",
    "nextCursor",
    "next_page_token",
    "nextPageToken",
    "next_token",
    "nextToken",
    "cursor",
    "next",
    "after",
];
const SIZES: [&str; 7] = ["limit", "per_page", "perPage", "page_size", "pageSize", "size", "count"];
/// Some fields, to begin with.
const FIELDS_MAX: usize = 8;

/// All of a document, by their names; and the paths of which nothing was made.
pub(super) fn all(document: &Document, ways: &Ways<'_>) -> (Vec<Resource>, Vec<String>) {
    let paths: BTreeMap<&str, &Value> = document.paths().collect();
    let mut found: BTreeMap<String, Resource> = BTreeMap::new();
    let mut left_out = Vec::new();
    for (path, operations) in &paths {
        let Some((collection, parameter)) = item_of(path) else { continue };
        let slashed = format!("{collection}/");
        let at_collection = paths.get_key_value(collection).or_else(|| paths.get_key_value(slashed.as_str()));
        let Some(object) = name_of(collection, &found) else { continue };
        let collection = at_collection.map_or(collection, |(path, _)| *path);
        let mut resource =
            Resource { object: object.clone(), collection: collection.to_owned(), ..Resource::default() };
        resource.item = Some(((*path).to_owned(), parameter.to_owned()));
        resource.look_at_item(document, operations, parameter);
        if let Some((_, operations)) = at_collection {
            resource.look_at_collection(document, operations);
        }
        if resource.operations().is_empty() {
            continue;
        }
        resource.look_at_needs(document, ways, operations, at_collection.map(|(_, operations)| *operations));
        found.insert(object, resource);
    }
    let used: Vec<(String, Option<String>)> = found
        .values()
        .map(|one| (one.collection.clone(), one.item.as_ref().map(|(path, _)| path.clone())))
        .collect();
    for (path, operations) in &paths {
        let has_any = METHODS.iter().any(|method| operations.get(method).is_some());
        let is_used = used.iter().any(|(one, item)| one == path || item.as_deref() == Some(path));
        if has_any && !is_used {
            left_out.push((*path).to_owned());
        }
    }
    (found.into_values().collect(), left_out)
}

/// The collection of an item's path, and the parameter that is the item's id.
fn item_of(path: &str) -> Option<(&str, &str)> {
    let (collection, last) = path.trim_end_matches('/').rsplit_once('/')?;
    let parameter = last.strip_prefix('{')?.strip_suffix('}')?;
    let named = collection.rsplit('/').next()?;
    (!named.is_empty() && !named.contains('{')).then_some((collection, parameter))
}

/// A name for a collection: its last word, or its last two where that is taken.
fn name_of(collection: &str, taken: &BTreeMap<String, Resource>) -> Option<String> {
    let words: Vec<&str> =
        collection.split('/').filter(|word| !word.is_empty() && !word.contains('{')).collect();
    let mut name = String::new();
    for word in words.iter().rev() {
        let kept: String =
            word.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '_' }).collect();
        name = if name.is_empty() { kept } else { format!("{kept}_{name}") };
        if !taken.contains_key(&name) && Object::new(&name).is_ok() {
            return Some(name);
        }
    }
    None
}

impl Resource {
    /// The names of its operations.
    pub(super) fn operations(&self) -> Vec<&'static str> {
        let polls = self.list.as_ref().is_some_and(|list| list.since.is_some()) && self.changed.is_some();
        [
            ("list", polls),
            ("fetch", self.fetch),
            ("create", self.create.is_some()),
            ("update", self.update.is_some()),
            ("delete", self.delete.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, there)| there.then_some(name))
        .collect()
    }

    fn look_at_item(&mut self, document: &Document, operations: &Value, parameter: &str) {
        self.fetch = operations.get("get").is_some();
        self.update = [("patch", "PATCH"), ("put", "PUT")].into_iter().find_map(|(key, method)| {
            operations.get(key).map(|one| (method, Change::of(document, one, &self.object)))
        });
        self.delete = operations.get("delete").map(|one| Change::of(document, one, &self.object));
        let read =
            ["get", "patch", "put"].iter().find_map(|method| document.answered(operations.get(method)?));
        let (wrapped, properties) = unwrapped(document, read);
        self.wrapped = wrapped;
        self.look_at(&properties, parameter);
    }

    fn look_at(&mut self, properties: &Map<String, Value>, parameter: &str) {
        // `/issues/{issue_number}` names an item by its `number`, whatever its `id` is.
        let last =
            parameter.rsplit(|one: char| one == '_' || one.is_ascii_uppercase()).next().unwrap_or_default();
        let last = if last.len() < 2 || parameter.ends_with("Id") { "id" } else { last };
        let known = [parameter, last, "id", "uuid", "key", "code"];
        let id = known.iter().copied().find(|name| properties.contains_key(*name)).or_else(|| {
            // `{keeper.id}` is its `keeperId`.
            let names = properties.keys().map(String::as_str);
            names.into_iter().find(|name| bare(name) == bare(parameter))
        });
        self.id = (id.unwrap_or("id").to_owned(), id.is_some());
        let counts = |name: &&&str| properties.get(**name).is_some_and(|one| is(one, "integer"));
        self.version = VERSIONS.iter().find(counts).map(|name| (*name).to_owned());
        let changed = CHANGED.iter().find(|name| properties.get(**name).is_some_and(|one| is(one, "string")));
        self.changed = changed.map(|name| (*name).to_owned());
        let plain = properties.iter().filter(|(name, schema)| {
            let own =
                schema["readOnly"] != true && **name != self.id.0 && Some(*name) != self.changed.as_ref();
            own && Some(*name) != self.version.as_ref() && !is(schema, "object") && !is(schema, "array")
        });
        self.fields = plain.map(|(name, schema)| (name.clone(), value_of(schema))).take(FIELDS_MAX).collect();
    }

    fn look_at_collection(&mut self, document: &Document, operations: &Value) {
        if let Some(create) = operations.get("post") {
            let change = Change::of(document, create, &self.object);
            let headers = document.headers(operations, create);
            let is_key = |name: &str| bare(name).contains("idempotency");
            self.once = headers.iter().find(|(name, _)| is_key(name)).map(|(name, _)| name.to_lowercase());
            let location = document.success(create).is_some_and(|(_, answer)| {
                let names = answer["headers"].as_object().into_iter().flatten();
                names.into_iter().any(|(name, _)| name.eq_ignore_ascii_case("location"))
            });
            self.located = location && !change.answers;
            self.create = Some(change);
            let (wraps, properties) = unwrapped(document, Sent::of(document, create, &self.object).1);
            self.wraps = wraps;
            if self.fields.is_empty() {
                self.look_at(&properties, "id");
            }
        }
        if let Some(list) = operations.get("get") {
            self.list = Some(list_of(document, operations, list));
        }
    }
}

impl Resource {
    /// Which scopes its operations need, and which headers.
    fn look_at_needs(
        &mut self,
        document: &Document,
        ways: &Ways<'_>,
        item: &Value,
        collection: Option<&Value>,
    ) {
        let update = self
            .update
            .as_ref()
            .map_or("put", |(method, _)| if *method == "PATCH" { "patch" } else { "put" });
        let of = [
            ("list", collection, "get"),
            ("create", collection, "post"),
            ("fetch", Some(item), "get"),
            ("update", Some(item), update),
            ("delete", Some(item), "delete"),
        ];
        let operations = self.operations();
        for (name, path, method) in of {
            let Some((path, operation)) = path.and_then(|path| Some((path, path.get(method)?))) else {
                continue;
            };
            if !operations.contains(&name) {
                continue;
            }
            let scopes = ways.scopes(operation);
            if !scopes.is_empty() {
                self.scopes.insert(name, scopes);
            }
            for (header, required) in document.headers(path, operation) {
                let header = header.to_lowercase();
                if required && self.once.as_ref() != Some(&header) && !self.headers.contains(&header) {
                    self.headers.push(header);
                }
            }
        }
    }
}

/// A name without what writers of names differ in.
fn bare(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|one| one.to_ascii_lowercase()).collect()
}

/// A value that a schema takes.
fn value_of(schema: &Value) -> Value {
    if let Some(one) = schema["enum"].get(0) {
        return one.clone();
    }
    match schema["format"].as_str() {
        Some("date-time") => return json!("2026-01-02T03:04:05Z"),
        Some("date") => return json!("2026-01-02"),
        Some("email") => return json!("person1@example.test"),
        _ => {}
    }
    if is(schema, "boolean") {
        json!(true)
    } else if is(schema, "integer") {
        json!(5)
    } else if is(schema, "number") {
        json!(1.5)
    } else {
        json!("text")
    }
}

/// The properties of an object, which may be the only thing inside another: `{"data": {…}}`.
fn unwrapped(document: &Document, schema: Option<&Value>) -> (Option<String>, Map<String, Value>) {
    let Some(schema) = schema else { return (None, Map::new()) };
    let properties = document.properties(schema);
    // One object among other things is a part of it, and what is of its own kind is another of them.
    let own: Vec<(&String, &Value)> =
        properties.iter().filter(|(name, _)| !AROUND.contains(&name.as_str())).collect();
    match (own.as_slice(), properties.contains_key("id")) {
        ([(one, inner)], false) if is(inner, "object") && !document.leads_back(schema, one) => {
            let (name, inner) = ((*one).clone(), document.properties(inner));
            (Some(name), inner)
        }
        _ => (None, properties),
    }
}

/// Whether a parameter asks for what changed since: `updated_since`, `filter[updated][gte]`.
fn asks_since(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    lower == "since"
        || holds(&["updated", "modified", "changed"])
            && holds(&["since", "after", "gte", "[gt]", "_gt", "min", "from"])
}

/// Where an answer says what the next page is asked with: at its root, or in one of its objects.
fn next_of(document: &Document, properties: &Map<String, Value>) -> Option<String> {
    let at = |of: &Map<String, Value>| NEXT.iter().find(|name| of.contains_key(**name)).copied();
    at(properties).map(str::to_owned).or_else(|| {
        let objects = properties.iter().filter(|(_, one)| is(one, "object"));
        objects.into_iter().find_map(|(name, one)| Some(format!("{name}.{}", at(&document.properties(one))?)))
    })
}

fn list_of(document: &Document, path: &Value, operation: &Value) -> List {
    let query = document.query(path, operation);
    let named =
        |names: &[&str]| names.iter().find_map(|name| query.iter().find(|(found, _)| found == name)).copied();
    let schema = document.answered(operation);
    let properties = schema.map(|schema| document.properties(schema)).unwrap_or_default();
    let items = properties.iter().find(|(_, one)| is(one, "array")).map(|(name, _)| name.clone());
    let since = query.iter().find(|(name, _)| asks_since(name));
    let since = since.map(|(name, schema)| ((*name).to_owned(), !is(schema, "integer")));
    let next = next_of(document, &properties);
    let page = if let Some((name, _)) = named(&["starting_after", "after_id", "startingAfter"]) {
        Paging::AfterId(name.to_owned())
    } else if let (Some((name, _)), Some(next)) = (named(&TOKENS), next) {
        Paging::Token(name.to_owned(), next)
    } else if let Some((name, _)) = named(&["offset", "skip", "start"]) {
        Paging::Offset(name.to_owned())
    } else if let Some((name, _)) = named(&["page", "page_number", "pageNumber"]) {
        Paging::Numbered(name.to_owned())
    } else {
        Paging::None
    };
    let size = named(&SIZES);
    let most = size.and_then(|(_, schema)| schema["maximum"].as_u64().or_else(|| schema["default"].as_u64()));
    List {
        items,
        since,
        page,
        size: (size.map(|(name, _)| name.to_owned()), most.unwrap_or(100).clamp(1, 1000)),
    }
}
