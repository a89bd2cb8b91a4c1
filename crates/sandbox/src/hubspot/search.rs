//! Search over the index, which lags behind the writes and shows at most 10,000 results per query.

use serde_json::{Value, json};

use super::objects::{Shown, property_of, show};
use super::property::{modified, moment};
use super::{HubSpot, Outcome, Refused};
use crate::call::Call;
use crate::request::{Response, json as answer};
use crate::shelf::{View, text};
use crate::system::Desk;

const MOST_GROUPS: usize = 5;
const MOST_FILTERS: usize = 6;
const MOST_RESULTS: usize = 10_000;

/// One filter of a group.
#[derive(Debug)]
struct Filter {
    property: String,
    operator: String,
    value: Option<String>,
    high: Option<String>,
    values: Vec<String>,
}

impl HubSpot {
    pub(super) fn search(&mut self, desk: &mut Desk, call: &Call<'_>, kind: &str) -> Outcome<Response> {
        let body = call.body().map_err(Refused::invalid)?;
        let groups = groups(&body)?;
        let (sort, descending) = sort(&body)?;
        let limit = number(&body, "limit", 10)?.max(1);
        let after = number(&body, "after", 0)?;
        if limit > 200 {
            return Err(Refused::invalid("The maximum page size is 200."));
        }
        if after + limit > MOST_RESULTS {
            return Err(Refused::invalid(format!(
                "Search supports at most {MOST_RESULTS} results per query: after {after} and limit {limit} go beyond."
            )));
        }
        let words = body.get("query").and_then(Value::as_str).map(str::to_lowercase);
        let since = since(&groups, kind);
        let mut hits: Vec<View<'_>> = desk
            .shelf
            .changed_since(kind, since)
            .filter_map(|object| desk.shelf.indexed(object, call.now_ms))
            .filter(|view| {
                groups.is_empty()
                    || groups.iter().any(|group| group.iter().all(|filter| filter.holds(*view, kind)))
            })
            .filter(|view| words.as_ref().is_none_or(|words| mentions(*view, words)))
            .collect();
        hits.sort_by(|left, right| {
            let order = compare(
                property_of(*left, kind, &sort).as_deref().unwrap_or(""),
                property_of(*right, kind, &sort).as_deref().unwrap_or(""),
            );
            let order = if descending { order.reverse() } else { order };
            order.then_with(|| left.id.cmp(right.id))
        });
        let shown = Shown::body(kind, &body);
        let results: Vec<Value> =
            hits.iter().skip(after).take(limit).map(|view| show(*view, kind, &shown, None)).collect();
        let next = after + results.len();
        let mut body = json!({"total": hits.len(), "results": results});
        if next < hits.len() {
            body["paging"] = json!({"next": {"after": next.to_string()}});
        }
        Ok(answer(200, &body))
    }
}

impl Filter {
    fn read(filter: &Value) -> Outcome<Self> {
        let word = |name: &str| filter.get(name).and_then(text);
        let (Some(property), Some(operator)) = (word("propertyName"), word("operator")) else {
            return Err(Refused::invalid("Each filter needs propertyName and operator."));
        };
        let values: Vec<String> =
            filter.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(text).collect();
        let read = Self { property, operator, value: word("value"), high: word("highValue"), values };
        let complete = match read.operator.as_str() {
            "HAS_PROPERTY" | "NOT_HAS_PROPERTY" => true,
            "IN" | "NOT_IN" => !read.values.is_empty(),
            "BETWEEN" => read.value.is_some() && read.high.is_some(),
            "EQ" | "NEQ" | "LT" | "LTE" | "GT" | "GTE" | "CONTAINS_TOKEN" => read.value.is_some(),
            other => return Err(Refused::invalid(format!("operator {other} does not exist"))),
        };
        if complete {
            return Ok(read);
        }
        Err(Refused::invalid(format!("operator {} on {} lacks its value", read.operator, read.property)))
    }

    fn holds(&self, view: View<'_>, kind: &str) -> bool {
        let held = property_of(view, kind, &self.property);
        let Some(held) = held else {
            return matches!(self.operator.as_str(), "NOT_HAS_PROPERTY" | "NEQ" | "NOT_IN");
        };
        let against = |value: &Option<String>| value.as_deref().map(|value| compare(&held, value));
        let first = against(&self.value);
        let listed = || self.values.iter().any(|value| compare(&held, value).is_eq());
        match self.operator.as_str() {
            "HAS_PROPERTY" => true,
            "EQ" => first.is_some_and(|order| order.is_eq()),
            "NEQ" => first.is_some_and(|order| order.is_ne()),
            "LT" => first.is_some_and(|order| order.is_lt()),
            "LTE" => first.is_some_and(|order| order.is_le()),
            "GT" => first.is_some_and(|order| order.is_gt()),
            "GTE" => first.is_some_and(|order| order.is_ge()),
            "BETWEEN" => {
                first.is_some_and(|order| order.is_ge())
                    && against(&self.high).is_some_and(|order| order.is_le())
            }
            "IN" => listed(),
            "NOT_IN" => !listed(),
            "CONTAINS_TOKEN" => {
                let token = self.value.as_deref().unwrap_or("").trim_matches('*').to_lowercase();
                held.to_lowercase().contains(&token)
            }
            _ => false,
        }
    }
}

/// As times where one side is written as a time, as numbers where both are numbers, else as text without case.
fn compare(left: &str, right: &str) -> std::cmp::Ordering {
    let dated = |text: &str| text.len() >= 19 && text.contains('T');
    if (dated(left) || dated(right))
        && let (Some(left), Some(right)) = (moment(left), moment(right))
    {
        return left.cmp(&right);
    }
    match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => left.total_cmp(&right),
        _ => left.to_lowercase().cmp(&right.to_lowercase()),
    }
}

/// The earliest change any group can match, so that a cursor does not read everything.
fn since(groups: &[Vec<Filter>], kind: &str) -> u64 {
    let bound = |group: &Vec<Filter>| {
        group
            .iter()
            .filter(|filter| {
                filter.property == modified(kind)
                    && matches!(filter.operator.as_str(), "GT" | "GTE" | "BETWEEN" | "EQ")
            })
            .filter_map(|filter| filter.value.as_deref().and_then(moment))
            .max()
            .unwrap_or(0)
    };
    groups.iter().map(bound).min().unwrap_or(0)
}

fn groups(body: &Value) -> Outcome<Vec<Vec<Filter>>> {
    let given = body.get("filterGroups").and_then(Value::as_array).cloned().unwrap_or_default();
    if given.len() > MOST_GROUPS {
        return Err(Refused::invalid(format!("A search can have at most {MOST_GROUPS} filterGroups.")));
    }
    let mut groups = Vec::new();
    for group in &given {
        let filters = group.get("filters").and_then(Value::as_array).cloned().unwrap_or_default();
        if filters.len() > MOST_FILTERS {
            return Err(Refused::invalid(format!("A filterGroup can have at most {MOST_FILTERS} filters.")));
        }
        groups.push(filters.iter().map(Filter::read).collect::<Outcome<Vec<_>>>()?);
    }
    Ok(groups)
}

fn sort(body: &Value) -> Outcome<(String, bool)> {
    let sorts = body.get("sorts").and_then(Value::as_array).cloned().unwrap_or_default();
    match sorts.as_slice() {
        [] => Ok(("createdate".to_owned(), false)),
        [Value::String(name)] => {
            Ok(name.strip_prefix('-').map_or_else(|| (name.clone(), false), |name| (name.to_owned(), true)))
        }
        [one] => {
            let name = one.get("propertyName").and_then(text);
            let name = name.ok_or_else(|| Refused::invalid("A sort needs propertyName."))?;
            Ok((name, one.get("direction").and_then(Value::as_str) == Some("DESCENDING")))
        }
        _ => Err(Refused::invalid("A search can have at most one sort.")),
    }
}

fn number(body: &Value, name: &str, default: usize) -> Outcome<usize> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => match text(value) {
            Some(text) if text.is_empty() => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| Refused::invalid(format!("{name} must be a whole number, not {text:?}"))),
            None => Err(Refused::invalid(format!("{name} must be a whole number"))),
        },
    }
}

fn mentions(view: View<'_>, words: &str) -> bool {
    view.values.values().filter_map(Value::as_str).any(|value| value.to_lowercase().contains(words))
}
