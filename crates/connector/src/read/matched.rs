//! Which rule says what a message means: for fixtures, which must show each of them.

use std::collections::BTreeSet;

use canonical::CloudEvent;
use serde_json::Value;

use super::{form, garbled, message};
use crate::call::Call;
use crate::connector::Connector;
use crate::exchange::Response;
use crate::observation::Garbled;
use crate::plan::WebhookPlan;
use crate::source::Format;

impl WebhookPlan {
    /// The messages of a body.
    pub(super) fn messages(&self, body: Value) -> Result<Vec<Value>, Garbled> {
        match (&self.items, body) {
            (Some(path), body) => match path.find_list(&body) {
                Some(Value::Array(items)) => Ok(items.clone()),
                _ => Err(garbled("there is no list of messages", path.as_str())),
            },
            (None, Value::Array(items)) => Ok(items),
            (None, one) => Ok(vec![one]),
        }
    }
}

impl Connector {
    /// The places of the webhook's rules that its messages match.
    pub(crate) fn matched(&self, query: &str, raw: &[u8]) -> BTreeSet<usize> {
        let Some(plan) = self.plan.webhook.as_ref().filter(|plan| plan.format != Format::CloudEvents) else {
            return BTreeSet::new();
        };
        let query = form::parse(query.as_bytes());
        let messages = self.heard(plan.format, raw).and_then(|body| plan.messages(body));
        messages.iter().flatten().filter_map(|message| plan.matched(message, &query)).collect()
    }

    /// The places of the webhook's rules that the entries of a feed match.
    pub(crate) fn matched_of_feed(&self, call: &Call, response: &Response) -> BTreeSet<usize> {
        let feed = self.object_of(call).and_then(|plan| plan.poll.as_ref()).filter(|poll| poll.events);
        let (Some(poll), Some(webhook)) = (feed, &self.plan.webhook) else { return BTreeSet::new() };
        let Ok(body) = self.success(response) else { return BTreeSet::new() };
        let entries = poll.found(&body).unwrap_or_default();
        entries.iter().filter_map(|entry| webhook.matched(entry, &Value::Null)).collect()
    }

    /// The place, among the rules for `CloudEvents`, of the one that an event matches.
    pub(crate) fn matched_event(&self, event: &CloudEvent) -> Option<usize> {
        let data = event.data.as_ref().unwrap_or(&Value::Null);
        message::matched(&self.plan.cloud_events, &event.kind, data)
    }
}
