//! Ties between objects: things of their own, each made and undone by a call of its own. Made twice it is the same one.

use std::collections::BTreeSet;

use connector::Response;
use serde_json::{Value, json};

use super::Vendor;
use crate::outside::response;

/// Where an object keeps whom it is tied to.
const TIES: &str = "ties";

impl Vendor {
    /// `PUT` or `DELETE` of `ID/ties/OTHER`.
    pub(super) fn tie(&mut self, method: &str, name: &str) -> Option<Response> {
        let (id, other) = name.split_once("/ties/")?;
        let item = id.parse().ok().and_then(|id: u64| self.objects.get_mut(&id)).filter(|item| !item.gone);
        let Some(item) = item else {
            return Some(response(404, &json!({"error": "no such object"})));
        };
        let known = item.fields.get(TIES).and_then(Value::as_array).into_iter().flatten();
        let mut ties: BTreeSet<String> = known.filter_map(Value::as_str).map(str::to_owned).collect();
        if method == "PUT" {
            ties.insert(other.to_owned())
        } else {
            ties.remove(other)
        };
        item.fields.insert(TIES.to_owned(), json!(ties));
        Some(response(200, &json!({})))
    }

    /// Whom an object is tied to.
    #[cfg(test)]
    pub(crate) fn ties(item: &super::Item) -> BTreeSet<String> {
        let known = item.fields.get(TIES).and_then(Value::as_array).into_iter().flatten();
        known.filter_map(Value::as_str).map(str::to_owned).collect()
    }
}
