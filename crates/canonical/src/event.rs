//! Events: immutable facts, as CloudEvents 1.0 (<https://github.com/cloudevents/spec>).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{EventId, RecordId, RouteId};
use crate::name::{Entity, System, Tenant};
use crate::time::Wall;
use crate::value::Fields;

/// What happened to one record: stored once, delivered by `notify` routes, shown in timelines.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Fact {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub tenant: Tenant,
    /// `contact.updated`, or a declared domain event such as `OpportunityWon`.
    pub kind: String,
    /// The record it is about.
    pub entity: Entity,
    /// The record it is about.
    pub record: RecordId,
    /// The record's version after it.
    pub version: i64,
    /// The version of the entity's schema that it was made under.
    pub schema: u32,
    /// By which version of its mapping each `notify` route tells it that it was raised for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mappings: BTreeMap<RouteId, u32>,
    /// The system whose message caused it.
    pub source: System,
    /// When it happened, as far as the source said; else when it was merged.
    pub at: Wall,
    /// For domain events: unique per occurrence, so that a flapping source makes one event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<String>,
    /// The W3C trace id that follows the change across systems (32 hex digits).
    pub trace: String,
    /// The fields that changed, with their new values; for domain events the declared ones.
    pub data: Fields,
}

impl Fact {
    /// The same, in the JSON format of CloudEvents 1.0 (structured mode).
    #[must_use]
    pub fn cloud_event(&self) -> CloudEvent {
        CloudEvent {
            id: self.id.to_string(),
            source: format!("/concord/{}/{}", self.tenant, self.source),
            kind: format!("concord.{}", self.kind),
            subject: Some(format!("{}/{}", self.entity, self.record)),
            time: Some(self.at.to_string()),
            datacontenttype: Some("application/json".to_owned()),
            dataschema: Some(format!("urn:concord:{}:{}:{}", self.tenant, self.entity, self.schema)),
            // Sequences compare as text (sequence extension), hence the padding.
            sequence: Some(format!("{:020}", self.version)),
            partitionkey: Some(self.record.to_string()),
            traceparent: Some(format!("00-{}-{}-01", self.trace, &self.trace[..16.min(self.trace.len())])),
            data: Some(Value::Object(self.data.clone())),
        }
    }
}

/// A CloudEvent 1.0 with the attributes and extensions that Concord reads and writes.
#[derive(Clone, PartialEq, Debug)]
pub struct CloudEvent {
    /// Unique within `source`.
    pub id: String,
    /// A URI reference: who says it.
    pub source: String,
    /// The `type` attribute.
    pub kind: String,
    /// What it is about, within the source.
    pub subject: Option<String>,
    /// RFC 3339.
    pub time: Option<String>,
    /// Media type of `data`.
    pub datacontenttype: Option<String>,
    /// Absolute URI of the schema of `data`.
    pub dataschema: Option<String>,
    /// Extension `sequence`: order within the source, compared as text.
    pub sequence: Option<String>,
    /// Extension `partitionkey`.
    pub partitionkey: Option<String>,
    /// Extension `traceparent`: the starting trace.
    pub traceparent: Option<String>,
    /// The payload. `Some(Null)` differs from `None`.
    pub data: Option<Value>,
}

/// Why a text is not a CloudEvent that Concord takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventEnvelopeError {
    /// A required attribute is missing or empty.
    #[error("the CloudEvents attribute `{0}` is required and missing or empty")]
    Missing(&'static str),
    /// An attribute is not a text.
    #[error("the CloudEvents attribute `{0}` must be a text")]
    NotText(String),
    /// Another version than 1.0.
    #[error("`specversion` must be \"1.0\", found {0:?}")]
    Version(String),
    /// Not a JSON object.
    #[error("a CloudEvent in the JSON format must be a JSON object")]
    NotObject,
    /// Both `data` and `data_base64`, or a binary payload.
    #[error("`data_base64` is not taken: send JSON in `data`")]
    Binary,
}

impl CloudEvent {
    /// Reads the JSON format (structured mode, or one element of a batch).
    ///
    /// # Errors
    /// When a required attribute is missing, the version is not 1.0, or the payload is binary.
    pub fn from_json(document: Value) -> Result<Self, EventEnvelopeError> {
        let Value::Object(mut map) = document else { return Err(EventEnvelopeError::NotObject) };
        if map.contains_key("data_base64") {
            return Err(EventEnvelopeError::Binary);
        }
        let data = map.remove("data");
        let mut text = |name: &str| match map.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(EventEnvelopeError::NotText(name.to_owned())),
        };
        match text("specversion")? {
            Some(version) if version == "1.0" => {}
            Some(version) => return Err(EventEnvelopeError::Version(version)),
            None => return Err(EventEnvelopeError::Missing("specversion")),
        }
        Ok(Self {
            id: text("id")?.ok_or(EventEnvelopeError::Missing("id"))?,
            source: text("source")?.ok_or(EventEnvelopeError::Missing("source"))?,
            kind: text("type")?.ok_or(EventEnvelopeError::Missing("type"))?,
            subject: text("subject")?,
            time: text("time")?,
            datacontenttype: text("datacontenttype")?,
            dataschema: text("dataschema")?,
            sequence: text("sequence")?,
            partitionkey: text("partitionkey")?,
            traceparent: text("traceparent")?,
            data,
        })
    }

    /// Writes the JSON format.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut map = Fields::new();
        let mut put = |name: &str, value: Option<&String>| {
            if let Some(value) = value {
                map.insert(name.to_owned(), Value::String(value.clone()));
            }
        };
        put("id", Some(&self.id));
        put("source", Some(&self.source));
        put("specversion", Some(&"1.0".to_owned()));
        put("type", Some(&self.kind));
        put("subject", self.subject.as_ref());
        put("time", self.time.as_ref());
        put("datacontenttype", self.datacontenttype.as_ref());
        put("dataschema", self.dataschema.as_ref());
        put("sequence", self.sequence.as_ref());
        put("partitionkey", self.partitionkey.as_ref());
        put("traceparent", self.traceparent.as_ref());
        if let Some(data) = &self.data {
            map.insert("data".to_owned(), data.clone());
        }
        Value::Object(map)
    }
}
