//! The SuiteQL endpoint and the paging it shares with record lists.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::suiteql::{Column, Datum, Order, Query};
use super::{NetSuite, Outcome, Refused};
use crate::call::Call;
use crate::request::{Response, typed};
use crate::shelf::{Object, text};
use crate::system::{Desk, parse_iso, stamp};

const COLLECTION_TYPE: &str = "application/vnd.oracle.resource+json; type=collection";

/// Virtual tables and the record types they cover.
const UNIONS: [(&str, &[&str]); 2] = [
    ("transaction", &["salesOrder", "invoice", "creditMemo", "customerPayment", "opportunity"]),
    ("item", &["inventoryItem", "nonInventorySaleItem", "serviceSaleItem"]),
];

/// A record list's `q`, as far as the sandbox reads it: `field IS "value"` and `field ON_OR_AFTER "time"`,
/// joined by AND.
#[derive(Debug)]
pub(super) struct ListFilter(Vec<(String, bool, String)>);

impl ListFilter {
    pub(super) fn read(q: &str) -> Outcome<Self> {
        let wrong = || {
            let detail = format!(
                "Invalid search query {q:?}: use field IS \"value\" or field ON_OR_AFTER \"time\", joined by AND."
            );
            Refused::invalid("INVALID_PARAMETER", detail, "q")
        };
        let mut all = Vec::new();
        for part in q.split(" AND ") {
            let (field, rest) = part.trim().split_once(' ').ok_or_else(wrong)?;
            let (operator, value) = rest.trim().split_once(' ').ok_or_else(wrong)?;
            let after = match operator {
                "IS" | "EQUAL" => false,
                "ON_OR_AFTER" => true,
                _ => return Err(wrong()),
            };
            all.push((field.to_lowercase(), after, value.trim().trim_matches('"').to_owned()));
        }
        Ok(Self(all))
    }

    pub(super) fn holds(&self, object: &Object) -> bool {
        self.0.iter().all(|(field, after, value)| match (datum(object, "", field), after) {
            (Datum::Time(held), true) => parse_iso(value).is_some_and(|bound| held >= bound),
            (Datum::Text(held), false) => held.eq_ignore_ascii_case(value),
            _ => false,
        })
    }
}

impl NetSuite {
    pub(super) fn query(&mut self, desk: &mut Desk, call: &Call<'_>) -> Outcome<Response> {
        if !call.header("prefer").is_some_and(|prefer| prefer.contains("transient")) {
            let detail = "SuiteQL needs the header 'Prefer: transient'.";
            return Err(Refused::new(400, "INVALID_HEADER", detail));
        }
        let body = call.body().map_err(|why| Refused::invalid("INVALID_CONTENT", why, ""))?;
        let sql = body.get("q").and_then(Value::as_str).unwrap_or_default();
        let invalid = |why: String| {
            Refused::new(
                400,
                "INVALID_PARAMETER",
                format!("Invalid search query. Detailed unprocessed description follows. {why}"),
            )
        };
        let query = Query::parse(sql).map_err(invalid)?;
        let since = query.since();
        let mut hits: Vec<(&str, &Object)> = Vec::new();
        let kinds = self.tables(&query.table).map_err(invalid)?;
        for kind in &kinds {
            let found = desk.shelf.changed_since(kind, since).filter(|object| object.live());
            hits.extend(
                found
                    .filter(|object| query.holds(&|name| datum(object, kind, name)))
                    .map(|object| (kind.as_str(), object)),
            );
        }
        sort(&mut hits, &query.order);
        let item = |(kind, object): &(&str, &Object)| row(&query.columns, kind, object);
        page(call, hits.len(), |range| hits.iter().skip(range.start).take(range.len()).map(item).collect())
    }

    /// Record types a table name stands for.
    fn tables(&self, table: &str) -> Result<Vec<String>, String> {
        if let Some((_, kinds)) = UNIONS.iter().find(|(name, _)| *name == table) {
            return Ok(kinds.iter().map(|kind| (*kind).to_owned()).collect());
        }
        match self.spelling.get(table) {
            Some(kind) => Ok(vec![kind.clone()]),
            // A custom record type exists before its first record.
            None if table.starts_with("customrecord") => Ok(Vec::new()),
            None => Err(format!("Search error occurred: Record '{table}' was not found.")),
        }
    }
}

/// One page of `total` things, as every collection of the vendor looks.
pub(super) fn page(
    call: &Call<'_>,
    total: usize,
    items: impl Fn(Range<usize>) -> Vec<Value>,
) -> Outcome<Response> {
    let wrong = |why| Refused::invalid("INVALID_PARAMETER", why, "");
    let limit = call.count("limit", 1000, 1000).map_err(wrong)?.max(1);
    let offset = call.count("offset", 0, 100_000_000).map_err(wrong)?;
    let (limit, offset) = (usize::try_from(limit).unwrap_or(1000), usize::try_from(offset).unwrap_or(0));
    let items = items(offset..offset + limit);
    let more = offset + items.len() < total;
    let link = |rel: &str, offset: usize| json!({"rel": rel, "href": format!("{}{}?limit={limit}&offset={offset}", call.origin(), call.path())});
    let mut links = vec![link("self", offset)];
    if more {
        links.push(link("next", offset + limit));
    }
    let body = json!({
        "links": links, "count": items.len(), "hasMore": more, "items": items, "offset": offset,
        "totalResults": total,
    });
    Ok(typed(200, COLLECTION_TYPE, body.to_string()))
}

/// A column of a record. Times have whole seconds; references show their id, flags `T` or `F`.
fn datum(object: &Object, kind: &str, name: &str) -> Datum {
    match name {
        "id" | "internalid" => return Datum::Text(object.id.clone()),
        "lastmodifieddate" | "lastmodified" => return Datum::Time(object.updated_ms / 1000 * 1000),
        "createddate" | "datecreated" | "created" => return Datum::Time(object.created_ms / 1000 * 1000),
        "itemtype" => return item_type(kind).map_or(Datum::Null, |name| Datum::Text(name.to_owned())),
        "recordtype" => return Datum::Text(kind.to_lowercase()),
        _ => {}
    }
    let value =
        object.values.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    match value {
        None | Some(Value::Null | Value::Array(_)) => Datum::Null,
        Some(Value::Bool(flag)) => Datum::Text(if *flag { "T" } else { "F" }.to_owned()),
        Some(Value::Object(map)) => map.get("id").and_then(text).map_or(Datum::Null, Datum::Text),
        Some(value) => text(value).map_or(Datum::Null, Datum::Text),
    }
}

/// How the one table of items tells their types apart.
fn item_type(kind: &str) -> Option<&'static str> {
    match kind {
        "inventoryItem" => Some("InvtPart"),
        "nonInventorySaleItem" => Some("NonInvtPart"),
        "serviceSaleItem" => Some("Service"),
        _ => None,
    }
}

fn sort(hits: &mut [(&str, &Object)], order: &[Order]) {
    hits.sort_by(|(left_kind, left), (right_kind, right)| {
        for Order { column, descending } in order {
            let found = datum(left, left_kind, column).compare(&datum(right, right_kind, column));
            let found = if *descending { found.reverse() } else { found };
            if found.is_ne() {
                return found;
            }
        }
        std::cmp::Ordering::Equal
    });
}

fn row(columns: &[Column], kind: &str, object: &Object) -> Value {
    let mut row = Map::new();
    row.insert("links".to_owned(), json!([]));
    let mut put = |name: &str, datum: Datum, format: Option<&str>| {
        let shown = match datum {
            // Empty columns are left out, as the vendor does.
            Datum::Null => return,
            Datum::Time(ms) => match format {
                Some(format) => super::suiteql::write_time(ms, format),
                None => stamp(ms, "%Y-%m-%dT%H:%M:%SZ"),
            },
            Datum::Text(text) => text,
        };
        row.insert(name.to_owned(), json!(shown));
    };
    for column in columns {
        match column {
            Column::All => {
                for name in ["id", "createddate", "lastmodifieddate"]
                    .into_iter()
                    .map(str::to_owned)
                    .chain(object.values.keys().map(|name| name.to_lowercase()))
                {
                    let value = datum(object, kind, &name);
                    put(&name, value, None);
                }
            }
            Column::One { name, format, label } => put(label, datum(object, kind, name), format.as_deref()),
        }
    }
    Value::Object(row)
}
