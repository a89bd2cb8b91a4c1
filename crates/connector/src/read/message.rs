//! Messages: what one webhook message, feed entry or `CloudEvent` says.

use canonical::{CloudEvent, Object, OrderToken, Wall};
use md5::{Digest as _, Md5};
use serde_json::Value;

use super::{garbled, moment_of, place};
use crate::observation::{Garbled, Observation, Seen};
use crate::path::Path;
use crate::plan::{Kind, WebhookPlan};
use crate::source::Handled;

impl WebhookPlan {
    /// Reads one message; `None` when it is of no interest.
    pub(super) fn read(&self, message: &Value, query: &Value) -> Result<Option<Observation>, Garbled> {
        let kind = self.kind_of(message, query)?;
        let (rule, star) = find(&self.rules, &kind, message)?;
        if rule.seen == Handled::Ignored {
            return Ok(None);
        }
        let object = rule.object_of(star, |path| look(path, message, query))?;
        let external_id = self.external_id(rule, message, query)?;
        let seen = self.seen(rule, message)?;
        let order = match &seen {
            // A hint's own time is not the time of the state that a fetch then finds.
            Seen::Hint => None,
            _ => self.order.as_ref().and_then(|order| order.read(message)),
        };
        let changed_at = match &seen {
            Seen::Hint => None,
            _ => self.order.as_ref().and_then(|order| order.moment(message)),
        };
        Ok(Some(Observation {
            object,
            external_id,
            seen,
            order,
            version: None,
            changed_at,
            event_id: self.event_id(message),
            occurred_at: self.occurred_at.as_ref().and_then(|moment| moment.read(message)).map(Wall),
            trace: self.trace.as_ref().and_then(|path| trace_id(&path.text_at(message)?)),
        }))
    }

    fn kind_of(&self, message: &Value, query: &Value) -> Result<String, Garbled> {
        match &self.kind {
            Some(path) => {
                look(path, message, query).ok_or_else(|| garbled("there is no kind of message", place(path)))
            }
            None => Ok(String::new()),
        }
    }

    /// The place, among the rules, of the one that says what a message means.
    pub(super) fn matched(&self, message: &Value, query: &Value) -> Option<usize> {
        let kind = self.kind_of(message, query).ok()?;
        matched(&self.rules, &kind, message)
    }

    fn external_id(&self, rule: &Kind, message: &Value, query: &Value) -> Result<String, Garbled> {
        if let Some(path) = &rule.id_md5 {
            let address = path.text_at(message).ok_or_else(|| garbled("there is no address", place(path)))?;
            let digest = Md5::digest(address.trim().to_lowercase().as_bytes());
            return Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        let Some(path) = rule.id.as_ref().or(self.object_id.as_ref()) else {
            return Err(garbled(
                "the manifest does not say where the object's id stands",
                "webhook.object_id",
            ));
        };
        look(path, message, query).ok_or_else(|| garbled("there is no id of the object", place(path)))
    }

    fn seen(&self, rule: &Kind, message: &Value) -> Result<Seen, Garbled> {
        // Anybody can send what is not signed: it proves nothing, not even a deletion.
        if !self.spec.scheme.is_signed() {
            return Ok(Seen::Hint);
        }
        match rule.seen {
            Handled::Deleted => Ok(Seen::Deleted),
            Handled::Merged => {
                let path = rule.into.as_ref();
                let into = path.and_then(|path| path.text_at(message));
                let into = into.ok_or_else(|| {
                    garbled("there is no surviving id", path.map(place).unwrap_or_default())
                })?;
                Ok(Seen::Merged { into })
            }
            Handled::State if !self.spec.hint => {
                let path = rule.fields.as_ref().or(self.fields.as_ref());
                let fields = path.map_or(Some(message), |path| path.find(message));
                match fields {
                    Some(Value::Object(fields)) => Ok(Seen::State { fields: fields.clone() }),
                    _ => Err(garbled("there is no object with fields", path.map(place).unwrap_or_default())),
                }
            }
            Handled::State | Handled::Hint | Handled::Ignored => Ok(Seen::Hint),
        }
    }

    /// The id's parts together; `None` when one is missing, so that two messages are never taken for one.
    fn event_id(&self, message: &Value) -> Option<String> {
        let parts = self.id.iter().map(|path| path.text_at(message)).collect::<Option<Vec<_>>>()?;
        if parts.is_empty() { None } else { Some(parts.join(":")) }
    }
}

impl Kind {
    fn object_of(&self, star: &str, look: impl Fn(&Path) -> Option<String>) -> Result<Object, Garbled> {
        let name = match &self.object_path {
            Some(path) => look(path).ok_or_else(|| garbled("there is no name of an object", place(path)))?,
            None => star.to_owned(),
        };
        if let Some(object) = self.objects.get(&name).or(self.object.as_ref()) {
            return Ok(object.clone());
        }
        Object::new(&name).map_err(|_| garbled("the kind of message names no object", "the kind"))
    }
}

/// The first rule that matches, with what its `*` stands for.
fn find<'a, 'k>(rules: &'a [Kind], kind: &'k str, message: &Value) -> Result<(&'a Kind, &'k str), Garbled> {
    rules
        .iter()
        .filter(|rule| rule.only.as_ref().is_none_or(|test| test.holds(message)))
        .find_map(|rule| Some((rule, rule.pattern.matches(kind)?)))
        .ok_or_else(|| {
            garbled(format!("the connector has no rule for messages of kind `{}`", shown(kind)), "the kind")
        })
}

/// The place of the rule that [`find`] finds.
pub(super) fn matched(rules: &[Kind], kind: &str, message: &Value) -> Option<usize> {
    let (found, _) = find(rules, kind, message).ok()?;
    rules.iter().position(|rule| std::ptr::eq(rule, found))
}

/// A kind as it may be shown: it comes from outside.
fn shown(kind: &str) -> String {
    kind.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'))
        .take(80)
        .collect()
}

/// A text in a message, or in the query of the address it came to (`@query.NAME`).
fn look(path: &Path, message: &Value, query: &Value) -> Option<String> {
    match path.as_str().strip_prefix("@query.") {
        Some(name) => crate::path::text_of(query.get(name)?),
        None => path.text_at(message),
    }
}

/// The trace id of a `traceparent`; `None` when it is not one (W3C Trace Context: then it is ignored).
pub(super) fn trace_id(traceparent: &str) -> Option<String> {
    let mut parts = traceparent.split('-');
    let (version, id) = (parts.next()?, parts.next()?);
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let valid = version.len() == 2 && hex(version) && version != "ff" && id.len() == 32 && hex(id);
    (valid && id.bytes().any(|b| b != b'0')).then(|| id.to_owned())
}

/// Reads a `CloudEvent`; `None` when events of its type are ignored.
pub(super) fn cloud_event(rules: &[Kind], event: &CloudEvent) -> Result<Option<Observation>, Garbled> {
    let data = event.data.as_ref().unwrap_or(&Value::Null);
    let (rule, star) = find(rules, &event.kind, data)?;
    if rule.seen == Handled::Ignored {
        return Ok(None);
    }
    let object = rule.object_of(star, |path| path.text_at(data))?;
    let id = match &rule.id {
        Some(path) => path.text_at(data),
        None => event.subject.clone(),
    };
    let place_of_id =
        rule.id.as_ref().map_or_else(|| "subject".to_owned(), |path| format!("data.{}", path.as_str()));
    let external_id = id.ok_or_else(|| garbled("there is no id of the object", place_of_id))?;
    let seen = match rule.seen {
        Handled::Deleted => Seen::Deleted,
        Handled::Hint => Seen::Hint,
        Handled::Merged => {
            let path = rule.into.as_ref();
            let into = path.and_then(|path| path.text_at(data));
            Seen::Merged { into: into.ok_or_else(|| garbled("there is no surviving id", "data"))? }
        }
        Handled::State | Handled::Ignored => {
            let fields = rule.fields.as_ref().map_or(Some(data), |path| path.find(data));
            match fields {
                Some(Value::Object(fields)) => Seen::State { fields: fields.clone() },
                _ => return Err(garbled("`data` must be an object", "data")),
            }
        }
    };
    let time = event.time.as_deref().and_then(moment_of);
    let sequence = event.sequence.as_deref().and_then(|text| text.parse::<i64>().ok());
    Ok(Some(Observation {
        object,
        external_id,
        order: match seen {
            Seen::Hint => None,
            _ => sequence.or(time).map(OrderToken),
        },
        version: None,
        seen,
        // Unique together (CloudEvents 1.0, section 3.1.1).
        event_id: Some(format!("{}#{}", event.source, event.id)),
        occurred_at: time.map(Wall),
        changed_at: None,
        trace: event.traceparent.as_deref().and_then(trace_id),
    }))
}
