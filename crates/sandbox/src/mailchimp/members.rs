//! Members: upsert by hash, consent, tags, events, and the list by last change.

use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use super::{Mailchimp, Outcome, Refused};
use crate::call::Call;
use crate::request::{Response, empty, hex, json as answer};
use crate::shelf::{Actor, Object, Stamp, Values, text};
use crate::system::{Desk, parse_iso, stamp as time};

const STATUSES: [&str; 5] = ["subscribed", "unsubscribed", "cleaned", "pending", "transactional"];

/// Fields of a member that a caller may set, beside status and merge fields.
const PLAIN: [&str; 6] = ["email_type", "language", "vip", "ip_signup", "ip_opt", "timestamp_signup"];

/// The hash a member is addressed by: given as such, or as the address itself.
pub(super) fn hash_of(who: &str) -> String {
    let lower = who.to_lowercase();
    if lower.contains('@') { hex(&Md5::digest(lower.as_bytes())) } else { lower }
}

fn valid_email(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else { return false };
    !local.is_empty() && domain.contains('.') && !domain.contains('@') && !email.contains(char::is_whitespace)
}

fn integration(call: &Call<'_>) -> Stamp {
    Stamp { actor: Actor::Integration, now_ms: call.now_ms, key: None }
}

fn body_values(call: &Call<'_>) -> Outcome<Values> {
    match call.body().map_err(Refused::unreadable)? {
        Value::Object(map) => Ok(map.into_iter().collect()),
        _ => Err(Refused::unreadable("the body must be an object".to_owned())),
    }
}

fn word<'v>(values: &'v Values, name: &str) -> Option<&'v str> {
    values.get(name).and_then(Value::as_str)
}

/// The status as readers see it: archived members show nothing else.
fn status(member: &Object) -> &str {
    if member.live() { word(&member.values, "status").unwrap_or("pending") } else { "archived" }
}

impl Mailchimp {
    pub(super) fn post(&mut self, desk: &mut Desk, call: &Call<'_>, list: &str) -> Outcome<Response> {
        let mut given = body_values(call)?;
        let email = word(&given, "email_address").unwrap_or_default().to_owned();
        let hash = hash_of(&email);
        if desk.shelf.live(list, &hash).is_some() {
            let detail =
                format!("{email} is already a list member. Use PUT to insert or update list members.");
            return Err(Refused::new(400, "Member Exists", detail));
        }
        if word(&given, "status").is_none() {
            return Err(Refused::field("status", "This value should not be blank."));
        }
        given.remove("status_if_new");
        let hash = self.add(desk, list, given, &integration(call))?;
        self.shown(desk, list, &hash)
    }

    pub(super) fn put(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        list: &str,
        who: &str,
    ) -> Outcome<Response> {
        let mut given = body_values(call)?;
        let hash = hash_of(who);
        if desk.shelf.live(list, &hash).is_some() {
            given.remove("status_if_new");
            let hash = self.change(desk, list, &hash, given, &integration(call))?;
            return self.shown(desk, list, &hash);
        }
        let email = word(&given, "email_address").unwrap_or_default().to_owned();
        if email.is_empty() {
            return Err(Refused::field("email_address", "This value should not be blank."));
        }
        if hash_of(&email) != hash {
            let message = format!("The hash {hash} is not the MD5 of the lower-case address {email}.");
            return Err(Refused::field("email_address", message));
        }
        let Some(first) = given.remove("status_if_new").or_else(|| given.get("status").cloned()) else {
            return Err(Refused::field("status_if_new", "This value should not be blank."));
        };
        given.insert("status".to_owned(), first);
        let hash = self.add(desk, list, given, &integration(call))?;
        self.shown(desk, list, &hash)
    }

    pub(super) fn patch(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        list: &str,
        who: &str,
    ) -> Outcome<Response> {
        let hash = hash_of(who);
        let given = body_values(call)?;
        if desk.shelf.live(list, &hash).is_none() {
            return Err(Refused::missing());
        }
        let hash = self.change(desk, list, &hash, given, &integration(call))?;
        self.shown(desk, list, &hash)
    }

    /// A new member, or one that comes back from the archive.
    pub(super) fn add(
        &mut self,
        desk: &mut Desk,
        list: &str,
        given: Values,
        stamp: &Stamp,
    ) -> Outcome<String> {
        let email = word(&given, "email_address").unwrap_or_default().to_owned();
        if !valid_email(&email) {
            return Err(Refused::field("email_address", "Please provide a valid email address."));
        }
        let hash = hash_of(&email);
        if self.forgotten.contains(&(list.to_owned(), hash.clone())) {
            let detail = format!(
                "{email} was permanently deleted and cannot be re-imported. The contact must re-subscribe to get back on the list."
            );
            return Err(Refused::new(400, "Forgotten Email Not Subscribed", detail));
        }
        let mut values = checked(&given)?;
        let held =
            desk.shelf.get(list, &hash).map(|member| word(&member.values, "status").unwrap_or("").to_owned());
        if let Some(held) = &held {
            consent(held, &values, &email, stamp)?;
        }
        values.insert("email_address".to_owned(), json!(email));
        values.entry("status".to_owned()).or_insert_with(|| json!("subscribed"));
        if held.is_some() {
            desk.shelf.change(list, &hash, values, stamp).map_err(exists)?;
        } else {
            let unique = hash.get(..10).unwrap_or(&hash).to_owned();
            values.insert("unique_email_id".to_owned(), json!(unique));
            values.insert("web_id".to_owned(), json!(desk.fresh_id()));
            values.entry("merge_fields".to_owned()).or_insert_with(|| json!({}));
            values.entry("tags".to_owned()).or_insert_with(|| json!([]));
            desk.shelf.create(list, &hash, values, stamp).map_err(exists)?;
        }
        if desk.shelf.live(list, &hash).is_some_and(|member| status(member) == "subscribed") {
            self.notify(desk, list, "subscribe", &hash, &[], stamp);
        }
        Ok(hash)
    }

    /// New values for a live member; returns its hash, which moves with the address.
    pub(super) fn change(
        &mut self,
        desk: &mut Desk,
        list: &str,
        hash: &str,
        given: Values,
        stamp: &Stamp,
    ) -> Outcome<String> {
        let mut values = checked(&given)?;
        let Some(member) = desk.shelf.live(list, hash) else { return Err(Refused::missing()) };
        let held = member.values.clone();
        let old_email = word(&held, "email_address").unwrap_or_default().to_owned();
        consent(word(&held, "status").unwrap_or(""), &values, &old_email, stamp)?;
        if let Some(Value::Object(added)) = values.get_mut("merge_fields") {
            let mut all = held.get("merge_fields").and_then(Value::as_object).cloned().unwrap_or_default();
            all.extend(std::mem::take(added));
            *added = all;
        }
        // Tags of a PUT or PATCH are ignored for a known member; they have their own endpoint.
        values.remove("tags");
        let email =
            word(&given, "email_address").filter(|email| !email.is_empty()).unwrap_or(&old_email).to_owned();
        if !valid_email(&email) {
            return Err(Refused::field("email_address", "Please provide a valid email address."));
        }
        let moved = hash_of(&email);
        if moved != hash && desk.shelf.get(list, &moved).is_some() {
            return Err(Refused::new(400, "Member Exists", format!("{email} is already a list member.")));
        }
        if email != old_email {
            values.insert("email_address".to_owned(), json!(email));
        }
        let changed = desk.shelf.change(list, hash, values, stamp).map_err(exists)?;
        if moved != hash {
            desk.shelf.rename(list, hash, &moved);
            let extra = [("old_email", json!(old_email)), ("new_email", json!(email))];
            self.notify(desk, list, "upemail", &moved, &extra, stamp);
        }
        match changed.get("status").and_then(Value::as_str) {
            Some("subscribed") => self.notify(desk, list, "subscribe", &moved, &[], stamp),
            Some("unsubscribed") => {
                let extra = [("action", json!("unsub")), ("reason", json!("manual"))];
                self.notify(desk, list, "unsubscribe", &moved, &extra, stamp);
            }
            Some("cleaned") => {
                self.notify(desk, list, "cleaned", &moved, &[("reason", json!("hard"))], stamp)
            }
            _ => {}
        }
        if changed.keys().any(|name| !matches!(name.as_str(), "status" | "email_address" | "tags")) {
            self.notify(desk, list, "profile", &moved, &[], stamp);
        }
        Ok(moved)
    }

    pub(super) fn remove(&mut self, desk: &mut Desk, list: &str, hash: &str, stamp: &Stamp) {
        if desk.shelf.archive(list, hash, stamp) {
            let extra = [("action", json!("delete")), ("reason", json!("manual"))];
            self.notify(desk, list, "unsubscribe", hash, &extra, stamp);
        }
    }

    pub(super) fn archive(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        list: &str,
        who: &str,
    ) -> Outcome<Response> {
        let hash = hash_of(who);
        match desk.shelf.get(list, &hash) {
            None => Err(Refused::missing()),
            Some(member) if !member.live() => {
                let detail = "This list member cannot be removed. Please contact support.";
                Err(Refused::new(405, "Method Not Allowed", detail))
            }
            Some(_) => {
                self.remove(desk, list, &hash, &integration(call));
                Ok(empty(204))
            }
        }
    }

    pub(super) fn forget(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        list: &str,
        who: &str,
    ) -> Outcome<Response> {
        let hash = hash_of(who);
        if desk.shelf.get(list, &hash).is_none() {
            return Err(Refused::missing());
        }
        self.remove(desk, list, &hash, &integration(call));
        self.forgotten.insert((list.to_owned(), hash));
        Ok(empty(204))
    }

    pub(super) fn read(&self, desk: &Desk, list: &str, who: &str) -> Outcome<Response> {
        self.shown(desk, list, &hash_of(who))
    }

    /// Accepts an event; a mail goes out for it while the member may be written to, and can't be called back.
    pub(super) fn event(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        list: &str,
        who: &str,
    ) -> Outcome<Response> {
        let hash = hash_of(who);
        let given = body_values(call)?;
        let member = desk.shelf.live(list, &hash).ok_or_else(Refused::missing)?;
        let name = word(&given, "name").unwrap_or_default();
        if !(2..=30).contains(&name.chars().count()) {
            return Err(Refused::field("name", "The name must have between 2 and 30 characters."));
        }
        let properties = given.get("properties").and_then(Value::as_object);
        if properties.is_some_and(|all| all.values().any(|value| !value.is_string())) {
            return Err(Refused::field("properties", "Schema describes string, other types found instead."));
        }
        let named = |key: &str| properties.and_then(|all| all.get(key)).and_then(text);
        // Without a producer's id, the same event is the one with the same properties.
        let whole = || format!("#{hash}/{name}/{}", json!(properties));
        let id = named("business_id").or_else(|| named("id")).unwrap_or_else(whole);
        let mailable = matches!(status(member), "subscribed" | "transactional");
        desk.log.effect("events_received", &id);
        if mailable {
            desk.log.effect("mails_sent", &id);
        }
        Ok(empty(204))
    }

    pub(super) fn tag(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        list: &str,
        who: &str,
    ) -> Outcome<Response> {
        let hash = hash_of(who);
        let given = body_values(call)?;
        let member = desk.shelf.live(list, &hash).ok_or_else(Refused::missing)?;
        let held = member.values.get("tags").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut tags: Vec<String> = held.iter().filter_map(text).collect();
        for tag in given.get("tags").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = tag.get("name").and_then(Value::as_str) else {
                return Err(Refused::field("tags", "Each tag needs a name."));
            };
            tags.retain(|known| known != name);
            if tag.get("status").and_then(Value::as_str) != Some("inactive") {
                tags.push(name.to_owned());
            }
        }
        tags.sort();
        let patch = Values::from([("tags".to_owned(), json!(tags))]);
        desk.shelf.change(list, &hash, patch, &integration(call)).map_err(exists)?;
        Ok(empty(204))
    }

    pub(super) fn tags(&self, desk: &Desk, list: &str, who: &str) -> Outcome<Response> {
        let member = desk.shelf.get(list, &hash_of(who)).ok_or_else(Refused::missing)?;
        let tags = listed_tags(member);
        Ok(answer(200, &json!({"tags": tags, "total_items": tags.len()})))
    }

    pub(super) fn list(&mut self, desk: &mut Desk, call: &Call<'_>, list: &str) -> Outcome<Response> {
        let wrong = |why: String| Refused::new(400, "Invalid Resource", why);
        let count = usize::try_from(call.count("count", 10, 1000).map_err(wrong)?).unwrap_or(1000);
        let offset = usize::try_from(call.count("offset", 0, 100_000_000).map_err(wrong)?).unwrap_or(0);
        let moment = |name: &str| match call.query(name) {
            None => Ok(None),
            Some(given) => match parse_iso(&given) {
                Some(ms) => Ok(Some(ms)),
                None => Err(Refused::field(name, "This value is not a valid ISO 8601 time.")),
            },
        };
        let (since, before) = (moment("since_last_changed")?, moment("before_last_changed")?);
        let (wanted, unique) = (call.query("status"), call.query("unique_email_id"));
        let second = |member: &Object| member.updated_ms / 1000 * 1000;
        let mut found: Vec<&Object> = desk
            .shelf
            .changed_since(list, since.unwrap_or(0))
            // Times show whole seconds, and the vendor's bound is exclusive.
            .filter(|member| since.is_none_or(|since| second(member) > since))
            .filter(|member| before.is_none_or(|before| second(member) < before))
            .filter(|member| wanted.as_deref().map_or(member.live(), |wanted| status(member) == wanted))
            .filter(|member| {
                unique.as_deref().is_none_or(|unique| word(&member.values, "unique_email_id") == Some(unique))
            })
            .collect();
        if call.query("sort_field").as_deref() == Some("last_changed") {
            found.sort_by_key(|member| second(member));
        }
        if call.query("sort_dir").as_deref() == Some("DESC") {
            found.reverse();
        }
        let members: Vec<Value> =
            found.iter().skip(offset).take(count).map(|member| show(list, member)).collect();
        Ok(answer(200, &json!({"members": members, "list_id": list, "total_items": found.len()})))
    }

    fn shown(&self, desk: &Desk, list: &str, hash: &str) -> Outcome<Response> {
        let member = desk.shelf.get(list, hash).ok_or_else(Refused::missing)?;
        Ok(answer(200, &show(list, member)))
    }
}

/// Consent is the member's: no caller subscribes one who left. People can, for the member asked them to.
fn consent(held: &str, values: &Values, email: &str, stamp: &Stamp) -> Outcome<()> {
    let resubscribes = word(values, "status") == Some("subscribed");
    if stamp.actor == Actor::Person || !resubscribes || !matches!(held, "unsubscribed" | "cleaned") {
        return Ok(());
    }
    let detail = format!(
        "{email} is in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed."
    );
    Err(Refused::new(400, "Member In Compliance State", detail))
}

/// The fields a caller may set, checked.
fn checked(given: &Values) -> Outcome<Values> {
    let mut values = Values::new();
    if let Some(given) = given.get("status") {
        let known = given.as_str().filter(|status| STATUSES.contains(status));
        let known = known.ok_or_else(|| {
            Refused::field("status", format!("Value must be one of: {}, not {given}", STATUSES.join(", ")))
        })?;
        values.insert("status".to_owned(), json!(known));
    }
    if let Some(given) = given.get("merge_fields") {
        let Some(fields) = given.as_object() else {
            return Err(Refused::field("merge_fields", "Schema describes object, other type found instead."));
        };
        values.insert("merge_fields".to_owned(), Value::Object(merge_fields(fields)?));
    }
    for name in PLAIN {
        if let Some(value) = given.get(name) {
            values.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(tags) = given.get("tags").and_then(Value::as_array) {
        values.insert("tags".to_owned(), tags.iter().filter_map(text).map(|name| json!(name)).collect());
    }
    Ok(values)
}

fn merge_fields(given: &Map<String, Value>) -> Outcome<Map<String, Value>> {
    let mut fields = Map::new();
    let mut errors = Vec::new();
    for (name, value) in given {
        match value {
            Value::String(_) | Value::Number(_) | Value::Object(_) => {
                fields.insert(name.clone(), value.clone());
            }
            _ => errors.push((name.clone(), "Schema describes string, other type found instead.".to_owned())),
        }
    }
    if errors.is_empty() {
        return Ok(fields);
    }
    Err(Refused { errors, ..Refused::new(400, "Invalid Resource", "Your merge fields were invalid.") })
}

fn exists(clash: crate::shelf::Clash) -> Refused {
    Refused::new(400, "Member Exists", format!("{} is already a list member.", clash.value))
}

fn listed_tags(member: &Object) -> Vec<Value> {
    let names = member.values.get("tags").and_then(Value::as_array).into_iter().flatten();
    names.enumerate().map(|(at, name)| json!({"id": at + 1, "name": name})).collect()
}

fn show(list: &str, member: &Object) -> Value {
    let second = |ms| json!(time(ms, "%Y-%m-%dT%H:%M:%S+00:00"));
    let tags = listed_tags(member);
    let mut body: Map<String, Value> = member.values.clone().into_iter().collect();
    body.insert("id".to_owned(), json!(member.id));
    body.insert("contact_id".to_owned(), json!(member.id));
    body.insert("status".to_owned(), json!(status(member)));
    body.insert("timestamp_opt".to_owned(), second(member.created_ms));
    body.insert("last_changed".to_owned(), second(member.updated_ms));
    body.insert("list_id".to_owned(), json!(list));
    body.insert("tags_count".to_owned(), json!(tags.len()));
    body.insert("tags".to_owned(), Value::Array(tags));
    Value::Object(body)
}
