//! Reading: pages, objects, messages and the account's identity.

mod form;
mod matched;
mod message;

use canonical::{CloudEvent, Object, Wall};
use ledger::Class;
use serde_json::Value;

use crate::call::Call;
use crate::classify::http_date;
use crate::connector::Connector;
use crate::exchange::Response;
use crate::listing::{self, Held};
use crate::moment::read_text;
use crate::observation::{Garbled, Observation, Page, Seen};
use crate::path::Path;
use crate::plan::{ObjectPlan, PagePlan, PollPlan, Shape, VersionPlan};
use crate::source::{Absent, Format, Sorting};
use crate::xml::XmlPlan;

/// A webhook's messages: each read, or garbled with its bytes.
type Messages = Vec<Result<Observation, (Garbled, Vec<u8>)>>;

pub(crate) fn garbled(what: impl Into<String>, place: impl Into<String>) -> Garbled {
    Garbled { what: what.into(), place: place.into() }
}

impl Connector {
    /// Reads a verified webhook: one observation per message of interest, in their order. `query` is the query of
    /// the address it was sent to, without `?`.
    ///
    /// # Errors
    /// When the body as a whole cannot be read. A message that cannot be read stands in the list with its bytes.
    pub fn read_webhook(
        &self,
        content_type: Option<&str>,
        query: &str,
        raw: &[u8],
    ) -> Result<Messages, Garbled> {
        let Some(plan) = &self.plan.webhook else {
            return Err(garbled(format!("connector `{}` takes no webhooks", self.name()), "the message"));
        };
        let body = self.heard(plan.format, raw)?;
        if plan.format == Format::CloudEvents {
            return Ok(self.read_cloud_events(content_type, body));
        }
        let query = form::parse(query.as_bytes());
        let messages = plan.messages(body)?;
        let read = messages.into_iter().filter_map(|message| match plan.read(&message, &query) {
            Ok(None) => None,
            Ok(Some(observation)) => Some(Ok(observation)),
            Err(why) => Some(Err((why, message.to_string().into_bytes()))),
        });
        Ok(read.collect())
    }

    /// The body of a webhook's request.
    pub(super) fn heard(&self, format: Format, raw: &[u8]) -> Result<Value, Garbled> {
        Ok(match format {
            Format::Form => form::parse(raw),
            Format::Json => self.document(raw)?,
            Format::CloudEvents => json(raw)?,
        })
    }

    fn read_cloud_events(&self, _content_type: Option<&str>, body: Value) -> Messages {
        let documents = match body {
            Value::Array(items) => items,
            one => vec![one],
        };
        let mut read = Messages::new();
        for document in documents {
            let raw = document.to_string().into_bytes();
            let event = match CloudEvent::from_json(document) {
                Ok(event) => event,
                Err(error) => {
                    read.push(Err((garbled(error.to_string(), "the CloudEvent"), raw)));
                    continue;
                }
            };
            match message::cloud_event(&self.plan.cloud_events, &event) {
                Ok(Some(observation)) => read.push(Ok(observation)),
                Ok(None) => {}
                Err(why) => read.push(Err((why, raw))),
            }
        }
        read
    }

    /// The body of a 2xx answer, as JSON or as what stands for it.
    pub(crate) fn success(&self, response: &Response) -> Result<Value, Garbled> {
        if !(200..300).contains(&response.status) {
            return Err(garbled(format!("the answer is {}, not a success", response.status), "status"));
        }
        self.document(&response.body)
    }

    fn document(&self, raw: &[u8]) -> Result<Value, Garbled> {
        if let Some(read) = self.plan.code.and_then(|code| code.document(raw)) {
            return read.map_err(|why| garbled(why, "the body"));
        }
        match self.plan.xml.as_ref().filter(|_| XmlPlan::is_for(raw)) {
            Some(plan) => plan.read(raw).map_err(|why| garbled(why, "the body")),
            None => json(raw),
        }
    }

    /// Reads a `CloudEvent`: its `type` says which object and what happened, its `subject` is the object's id,
    /// `sequence` (else `time`) its order, `data` its fields.
    ///
    /// # Errors
    /// When the type is of no object here, or a part is missing.
    pub fn read_cloud_event(&self, event: &CloudEvent) -> Result<Observation, Garbled> {
        if self.plan.cloud_events.is_empty() {
            return Err(garbled(
                format!("connector `{}` takes no CloudEvents", self.name()),
                "the CloudEvent",
            ));
        }
        message::cloud_event(&self.plan.cloud_events, event)?
            .ok_or_else(|| garbled("events of this type are ignored by the connector", "type"))
    }

    /// Reads a page of a listing and says where it goes on.
    ///
    /// # Errors
    /// When the call is no listing, or the answer holds no list. Items that cannot be read are in the page.
    pub fn read_page(&self, call: &Call, response: &Response) -> Result<Page, Garbled> {
        let Call::List { object, cursor, now } = call else {
            return Err(garbled("the call is not a listing", "the call"));
        };
        let plan = self.object(object);
        let Some((plan, poll)) = plan.and_then(|plan| Some((plan, plan.listing(cursor)?))) else {
            let done = if cursor.snapshot.is_some() { "listed whole" } else { "polled" };
            return Err(garbled(format!("object `{object}` is not {done}"), "the call"));
        };
        let body = self.success(response)?;
        let starting = listing::starting(poll, cursor);
        if let Some(plan) = starting
            && plan.token.text_at(&body).is_none()
        {
            return Err(garbled("there is no token to begin with", place(&plan.token)));
        }
        let items: &[Value] = match poll.found(&body) {
            _ if starting.is_some() => &[],
            Some(items) => items,
            None => return Err(garbled("there is no list", place(&poll.items))),
        };
        if let Some((what, place)) = listing::lost(poll, response, &body) {
            return Err(garbled(what, place));
        }
        let mut page = Page::default();
        let (mut mark, mut oldest) = (None, None);
        let mut marks = (None, None);
        let (mut first_id, mut last_id) = (None, None);
        for (index, item) in items.iter().enumerate() {
            let own = poll.mark.read(item);
            marks = (marks.0.or(own), own.or(marks.1));
            mark = mark.max(own);
            oldest = oldest.into_iter().chain(own).min();
            let found = poll.object.find(item).unwrap_or(&Value::Null);
            last_id = plan.shape.id.text_at(found).or(last_id);
            first_id = first_id.or_else(|| last_id.clone());
            match self.item(object, plan, poll, item, found) {
                Ok(Some(observation)) => page.observations.push(observation),
                Ok(None) => {}
                Err(why) => page.garbled.push((index, why.to_string(), item.to_string().into_bytes())),
            }
        }
        let date = response.header("date").and_then(http_date);
        let held = Held { count: items.len(), mark, first_id, last_id, response, body: &body, date };
        let next = listing::next(poll, cursor, *now, &held);
        if let Some(mark) = next.hidden {
            let shown =
                if poll.mark.form.is_time() { canonical::Wall(mark).to_string() } else { mark.to_string() };
            let why = match &poll.page {
                PagePlan::Cursor(_) => format!(
                    "the vendor's cursor of the listing from {shown} on stood still and said that more follows; the next \
                     listing begins at the same mark"
                ),
                PagePlan::Number { .. } if poll.sorting == Sorting::Descending => {
                    "the vendor gives the same page under every number: what is behind it was not read"
                        .to_owned()
                }
                _ => format!(
                    "more objects share the mark {shown} than the vendor lists; the rest of them was not read: run a \
                     snapshot"
                ),
            };
            page.garbled.push((items.len(), why, Vec::new()));
        }
        if poll.sorting == Sorting::Descending && marks.0 > marks.1 {
            // Oldest first, as everywhere else. (A feed that is oldest first already stays so: localstripe's is.)
            page.observations.reverse();
        }
        page.oldest = oldest.filter(|_| poll.mark.form.is_time()).map(canonical::Wall);
        page.cursor = match plan.poll.as_ref().filter(|_| cursor.snapshot.is_some()) {
            Some(changes) => {
                // It began before it was answered.
                let slowest = i64::try_from(poll.request.timeout.as_micros()).unwrap_or(i64::MAX);
                // A clock that is further off than changes are kept would make the end of a snapshot the beginning of the next.
                let fits = |date: &i64| changes.spec.keeps.is_none_or(|keeps| Wall(*date) + keeps > *now);
                let told = date.filter(fits);
                let began = told.unwrap_or(now.micros()).saturating_sub(slowest).max(0);
                crate::snapshot::after(changes, cursor, next.cursor, next.more, began)
            }
            None => next.cursor,
        };
        // The changes since it began follow it at once.
        page.more = next.more || cursor.snapshot.is_some();
        Ok(page)
    }

    fn item(
        &self,
        object: &Object,
        plan: &ObjectPlan,
        poll: &PollPlan,
        item: &Value,
        found: &Value,
    ) -> Result<Option<Observation>, Garbled> {
        if poll.events {
            let Some(webhook) = &self.plan.webhook else {
                return Err(garbled("the connector has no rules for events", "webhook"));
            };
            // The feed tells of all objects; each is read by its own listing.
            return Ok(webhook.read(item, &Value::Null)?.filter(|observation| observation.object == *object));
        }
        let mut observation = plan.read(object, found.clone())?;
        if poll.spec.hint && matches!(observation.seen, Seen::State { .. }) {
            observation.seen = Seen::Hint;
            observation.order = None;
        }
        Ok(Some(observation))
    }

    /// Reads the answer to a fetch. What means "not found" or "gone" for an id (a 404, a 410, or the vendor's own
    /// words in a 200) is proof that the object is gone; an answer under another id says that it was merged.
    /// `None` does not occur today: an answer that says nothing is an error.
    ///
    /// # Errors
    /// When the call is no fetch, or the answer is neither the object nor its absence.
    pub fn read_object(&self, call: &Call, response: &Response) -> Result<Option<Observation>, Garbled> {
        let Call::Fetch { object, external_id } = call else {
            return Err(garbled("the call is not a fetch", "the call"));
        };
        let plan = self.object(object);
        let Some((plan, fetch)) = plan.and_then(|plan| Some((plan, plan.fetch.as_ref()?))) else {
            return Err(garbled(format!("object `{object}` cannot be read by id"), "the call"));
        };
        let gone = || crate::many::gone(object, external_id);
        // The vendor's own way of saying it counts as much as a 404 by id.
        let meant = self.of_answer(call, &self.answer(response), Wall(0)).class;
        if matches!(meant, Class::NotFound | Class::Gone) {
            return Ok(Some(gone()));
        }
        let found = fetch.at.take(self.success(response)?).filter(|value| !value.is_null());
        let Some(found) = found else {
            return match fetch.absent {
                Absent::Deleted => Ok(Some(gone())),
                Absent::Unknown => Err(garbled(
                    "the object is not shown; it may be gone or hidden from us",
                    place(&fetch.at),
                )),
            };
        };
        let associated = plan.associated(&found);
        let mut observation = plan.read(object, found)?;
        if let Seen::State { fields } = &mut observation.seen {
            for (path, value) in associated {
                crate::association::put(fields, path, value);
            }
        }
        if let Some(version @ VersionPlan::Header(_)) = &plan.shape.version {
            observation.version = version.read(response, &Value::Null);
        }
        if observation.external_id != *external_id {
            let into = std::mem::replace(&mut observation.external_id, external_id.clone());
            // When the other one changed, and which place that has in its order, says nothing of this one's.
            observation = Observation {
                seen: Seen::Merged { into },
                order: None,
                version: None,
                changed_at: None,
                ..observation
            };
        }
        Ok(Some(observation))
    }

    /// Reads the account's id out of the answer to [`Call::Identity`].
    ///
    /// # Errors
    /// When there is none.
    pub fn identity(&self, response: &Response) -> Result<String, Garbled> {
        let Some(plan) = &self.plan.identity else {
            return Err(garbled(format!("connector `{}` cannot ask for it", self.name()), "identity"));
        };
        let body = self.success(response)?;
        plan.path.text_at(&body).ok_or_else(|| garbled("there is no account id", plan.path.as_str()))
    }

    /// The scopes that the answer to [`Call::Identity`] says are granted; `None`: it does not say.
    #[must_use]
    pub fn granted(&self, response: &Response) -> Option<Vec<String>> {
        let path = self.plan.identity.as_ref()?.scopes.as_ref()?;
        let body = self.success(response).ok()?;
        match path.find(&body)? {
            Value::String(text) => {
                Some(text.split([' ', ',']).filter(|s| !s.is_empty()).map(str::to_owned).collect())
            }
            Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            _ => None,
        }
    }
}

impl ObjectPlan {
    /// An object as it looks in answers, its declared fields in canonical form.
    pub(crate) fn read(&self, object: &Object, value: Value) -> Result<Observation, Garbled> {
        let mut observation = self.shape.read(object, value)?;
        if let Seen::State { fields } = &mut observation.seen {
            for (name, kind) in &self.types {
                if let Some(value) = fields.get_mut(name) {
                    *value = kind.read(value.take());
                }
            }
        }
        Ok(observation)
    }
}

impl Shape {
    /// An object as it looks in answers.
    fn read(&self, object: &Object, value: Value) -> Result<Observation, Garbled> {
        let external_id =
            self.id.text_at(&value).ok_or_else(|| garbled("there is no id", place(&self.id)))?;
        let order = self.order.as_ref().and_then(|order| order.read(&value));
        let version = self.version.as_ref().and_then(|version| version.read_body(&value));
        let changed_at = self.order.as_ref().and_then(|order| order.moment(&value));
        // A vendor may show what was merged away as deleted, too: that it was merged says more.
        let seen = if let Some(into) = self.merged_into.as_ref().and_then(|path| path.text_at(&value)) {
            Seen::Merged { into }
        } else if self.deleted.as_ref().is_some_and(|test| test.holds(&value)) {
            Seen::Deleted
        } else {
            Seen::State { fields: self.fields_of(value)? }
        };
        Ok(Observation {
            object: object.clone(),
            external_id,
            seen,
            order,
            version,
            event_id: None,
            occurred_at: None,
            changed_at,
            trace: None,
        })
    }

    fn fields_of(&self, value: Value) -> Result<canonical::Fields, Garbled> {
        let fields = self.fields.take(value);
        match fields.map(|fields| if self.typed { crate::typed::plain(fields) } else { fields }) {
            Some(Value::Object(mut map)) => {
                if let Some(booleans) = &self.booleans {
                    for (_, value) in map.iter_mut().filter(|(name, _)| !booleans.contains(name.as_str())) {
                        if *value == Value::Bool(false) {
                            *value = Value::Null;
                        }
                    }
                }
                Ok(map)
            }
            _ => Err(garbled("there is no object with fields", place(&self.fields))),
        }
    }
}

fn json(raw: &[u8]) -> Result<Value, Garbled> {
    serde_json::from_slice(raw).map_err(|error| {
        // The reader's message names kinds and positions, never content.
        let place = format!("line {}, column {}", error.line(), error.column());
        let what = match error.classify() {
            serde_json::error::Category::Eof => "the JSON ends too early",
            _ => "it is not JSON, or nested too deep",
        };
        garbled(what, place)
    })
}

pub(crate) fn place(path: &Path) -> String {
    if path.as_str().is_empty() { "the root".to_owned() } else { path.as_str().to_owned() }
}

/// A moment as text, in whatever of the usual forms.
pub(crate) fn moment_of(text: &str) -> Option<i64> {
    read_text(text)
}
