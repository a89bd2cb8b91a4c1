//! Queries: what lives, or with what lies in the recycle bin; pages of 2,000 rows with an address for the next.

use std::cmp::Ordering;
use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::schema::Holds;
use super::soql::{Condition, Literal, Operator, Query};
use super::{Outcome, Refused, Salesforce, id};
use crate::call::Call;
use crate::request::{Response, json as answer};
use crate::shelf::Object;
use crate::system::{Desk, parse_iso};

/// Rows in an answer that may be asked for, at least and at most [doc]. Wide rows come in fewer all the same [seen].
const PAGE: (usize, usize) = (200, 2_000);
/// Queries of one user that are kept open; with one more the oldest is forgotten [doc].
const OPEN: usize = 10;
/// The farthest that OFFSET goes [doc].
const OFFSET_MAX: usize = 2_000;

/// Queries whose rows are not all read.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    open: VecDeque<Cursor>,
    made: u64,
}

#[derive(Debug)]
struct Cursor {
    name: String,
    kind: String,
    fields: Vec<String>,
    rows: Vec<String>,
}

impl Salesforce {
    pub(super) fn query(&mut self, desk: &mut Desk, call: &Call<'_>, all: bool) -> Outcome<Response> {
        let soql = call.query("q").unwrap_or_default();
        let malformed = |why: String| Refused::new(400, "MALFORMED_QUERY", why);
        let query = Query::parse(&soql).map_err(malformed)?;
        let kind = self.schema.object(&query.object).ok_or_else(|| {
            let message = format!("sObject type '{}' is not supported.", query.object);
            Refused::new(400, "INVALID_TYPE", message)
        })?;
        if query.offset > OFFSET_MAX {
            let message = format!("Maximum SOQL offset allowed is {OFFSET_MAX}");
            return Err(Refused::new(400, "NUMBER_OUTSIDE_VALID_RANGE", message));
        }
        self.vet(desk, &kind, &query)?;
        let mut hits: Vec<&Object> = Vec::new();
        // Records show whole seconds, the shelf counts milliseconds.
        for record in desk.shelf.changed_since(&kind, query.since() / 1000 * 1000) {
            if (all || record.live()) && self.holds(desk, &kind, record, query.condition.as_ref())? {
                hits.push(record);
            }
        }
        self.sort(desk, &kind, &query, &mut hits)?;
        let rows = hits.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX));
        let rows: Vec<String> = rows.map(|record| record.id.clone()).collect();
        if query.fields.is_empty() {
            return Ok(answer(200, &json!({"totalSize": rows.len(), "done": true, "records": []})));
        }
        self.cursors.made += 1;
        let name = format!("0r8{:015}", self.cursors.made);
        let cursor = Cursor { name, kind, fields: query.fields, rows };
        let body = self.page(desk, call, &cursor, 0)?;
        if body.get("nextRecordsUrl").is_some() {
            self.cursors.open.push_back(cursor);
            if self.cursors.open.len() > OPEN {
                self.cursors.open.pop_front();
            }
        }
        Ok(answer(200, &body))
    }

    pub(super) fn next_page(&mut self, desk: &mut Desk, call: &Call<'_>, locator: &str) -> Outcome<Response> {
        let open = locator.rsplit_once('-').and_then(|(name, at)| {
            let cursor = self.cursors.open.iter().find(|cursor| cursor.name == name)?;
            Some((cursor, at.parse::<usize>().ok()?))
        });
        let (cursor, at) =
            open.ok_or_else(|| Refused::new(400, "INVALID_QUERY_LOCATOR", "invalid query locator"))?;
        self.page(desk, call, cursor, at).map(|body| answer(200, &body))
    }

    fn page(&self, desk: &Desk, call: &Call<'_>, cursor: &Cursor, at: usize) -> Outcome<Value> {
        let wanted = call.header("sforce-query-options").and_then(|options| {
            options
                .split(',')
                .find_map(|option| option.trim().strip_prefix("batchSize=")?.parse::<usize>().ok())
        });
        let size = wanted.unwrap_or(PAGE.1).clamp(PAGE.0, PAGE.1).min(desk.options.page_rows.max(1));
        let records =
            cursor.rows.iter().skip(at).take(size).filter_map(|id| desk.shelf.get(&cursor.kind, id));
        let records: Outcome<Vec<Value>> =
            records.map(|record| self.row(desk, call, cursor, record)).collect();
        let end = at + size;
        let done = end >= cursor.rows.len();
        let mut body = json!({"totalSize": cursor.rows.len(), "done": done, "records": records?});
        if !done {
            let version = call.segments().get(2).map(ToString::to_string).unwrap_or_default();
            body["nextRecordsUrl"] = json!(format!("/services/data/{version}/query/{}-{end}", cursor.name));
        }
        Ok(body)
    }

    /// One row: the fields in the query, parents as objects of their own.
    fn row(&self, desk: &Desk, call: &Call<'_>, cursor: &Cursor, record: &Object) -> Outcome<Value> {
        let mut row = match self.shown(desk, call, &cursor.kind, record, Some(Vec::new()))? {
            Value::Object(row) => row,
            _ => Map::new(),
        };
        for path in &cursor.fields {
            self.put(desk, call, (&cursor.kind, record), path, &mut row)?;
        }
        Ok(Value::Object(row))
    }

    /// Puts the value at a path into a row.
    fn put(
        &self,
        desk: &Desk,
        call: &Call<'_>,
        (kind, record): (&str, &Object),
        path: &str,
        row: &mut Map<String, Value>,
    ) -> Outcome<()> {
        let Some((relation, rest)) = path.split_once('.') else {
            let (name, value) = self.column(desk, kind, record, path)?;
            row.insert(name, value);
            return Ok(());
        };
        let parent = self.parent(desk, kind, record, relation)?;
        let shown = match &parent {
            Some((kind, parent)) => self.shown(desk, call, kind, parent, Some(Vec::new()))?,
            None => Value::Null,
        };
        let place = row.entry(relation.to_owned()).or_insert(shown);
        match (parent, place.as_object_mut()) {
            (Some((kind, parent)), Some(inner)) => self.put(desk, call, (&kind, parent), rest, inner),
            _ => Ok(()),
        }
    }

    /// The live parent of a record by the name of the relation.
    fn parent<'d>(
        &self,
        desk: &'d Desk,
        kind: &str,
        record: &Object,
        relation: &str,
    ) -> Outcome<Option<(String, &'d Object)>> {
        let Some((field, target)) = self.schema.relation(kind, relation) else {
            let message = format!(
                "Didn't understand relationship '{relation}' in field path. If you are attempting to use \
                                   a custom relationship, be sure to append the '__r' after the custom relationship name."
            );
            return Err(Refused::new(400, "INVALID_FIELD", message));
        };
        let id = record.values.get(&field.name).and_then(Value::as_str);
        Ok(id.and_then(|id| desk.shelf.live(target, id)).map(|parent| (target.to_owned(), parent)))
    }

    /// A value at a path, with what its field holds.
    fn at(&self, desk: &Desk, kind: &str, record: &Object, path: &str) -> Outcome<Value> {
        match path.split_once('.') {
            None => self.column(desk, kind, record, path).map(|(_, value)| value),
            Some((relation, rest)) => match self.parent(desk, kind, record, relation)? {
                Some((kind, parent)) => self.at(desk, &kind, parent, rest),
                None => Ok(Value::Null),
            },
        }
    }

    /// Refuses a query whose fields are not there or can't be compared so, whether it finds anything or not.
    fn vet(&self, desk: &Desk, kind: &str, query: &Query) -> Outcome<()> {
        let blank = desk.shelf.all("Organization").next();
        let paths = query.fields.iter().chain(query.order.iter().map(|order| &order.field));
        for path in paths {
            self.holding(kind, path)?;
            if let (Some(blank), false) = (blank, path.contains('.')) {
                self.column(desk, kind, blank, path)?;
            }
        }
        query.condition.as_ref().map_or(Ok(()), |condition| self.vet_condition(kind, condition))
    }

    fn vet_condition(&self, kind: &str, condition: &Condition) -> Outcome<()> {
        match condition {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().try_for_each(|part| self.vet_condition(kind, part))
            }
            Condition::Not(part) => self.vet_condition(kind, part),
            Condition::Compare { field, value, .. } => self.comparable(kind, field, value),
            Condition::In { field, values, .. } => {
                values.iter().try_for_each(|value| self.comparable(kind, field, value))
            }
        }
    }

    fn comparable(&self, kind: &str, field: &str, value: &Literal) -> Outcome<()> {
        let filter = |wanted: &str, quoted: &str| {
            let message = format!(
                "value of filter criterion for field '{field}' must be of type {wanted} and should {quoted}be enclosed in \
                 quotes"
            );
            Err(Refused::new(400, "INVALID_FIELD", message))
        };
        match (self.holding(kind, field)?, value) {
            (_, Literal::Null) => Ok(()),
            (None, Literal::Text(text)) if id::read(text).is_none() => {
                Err(Refused::new(400, "INVALID_QUERY_FILTER_OPERATOR", format!("invalid ID field: {text}")))
            }
            (None, Literal::Text(_)) => Ok(()),
            (None, _) => filter("ID", ""),
            (Some(Holds::Moment), Literal::Moment(_))
            | (Some(Holds::Date), Literal::Day(_))
            | (Some(Holds::Flag), Literal::Flag(_))
            | (Some(Holds::Number), Literal::Number(_)) => Ok(()),
            (Some(Holds::Moment), _) => filter("dateTime", "not "),
            (Some(Holds::Date), _) => filter("date", "not "),
            (Some(Holds::Flag), _) => filter("boolean", "not "),
            (Some(Holds::Number), _) => filter("double", "not "),
            (Some(_), Literal::Text(_)) => Ok(()),
            (Some(_), _) => filter("string", ""),
        }
    }

    /// What the field at a path holds; `None` for ids.
    fn holding(&self, kind: &str, path: &str) -> Outcome<Option<Holds>> {
        if let Some((relation, rest)) = path.split_once('.') {
            let message = format!("Didn't understand relationship '{relation}' in field path.");
            let (_, target) = self
                .schema
                .relation(kind, relation)
                .ok_or_else(|| Refused::new(400, "INVALID_FIELD", message))?;
            return self.holding(target, rest);
        }
        if path.eq_ignore_ascii_case("Id") {
            return Ok(None);
        }
        let field = self.schema.field(kind, path).ok_or_else(|| {
            let message = format!("No such column '{path}' on entity '{kind}'.");
            Refused::new(400, "INVALID_FIELD", message)
        })?;
        Ok((!matches!(field.holds, Holds::Reference(_))).then_some(field.holds))
    }

    fn holds(
        &self,
        desk: &Desk,
        kind: &str,
        record: &Object,
        condition: Option<&Condition>,
    ) -> Outcome<bool> {
        let Some(condition) = condition else { return Ok(true) };
        let holds = |part: &Condition| self.holds(desk, kind, record, Some(part));
        match condition {
            Condition::All(parts) => {
                for part in parts {
                    if !holds(part)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Any(parts) => {
                for part in parts {
                    if holds(part)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(part) => Ok(!holds(part)?),
            Condition::In { field, values, negated } => {
                let held = self.at(desk, kind, record, field)?;
                let among = values.iter().any(|value| compare(&held, value) == Some(Ordering::Equal));
                Ok(among != *negated)
            }
            Condition::Compare { field, operator, value } => {
                let order = compare(&self.at(desk, kind, record, field)?, value);
                Ok(match operator {
                    Operator::Equal => order == Some(Ordering::Equal),
                    Operator::Unequal => order != Some(Ordering::Equal),
                    Operator::Less => order == Some(Ordering::Less),
                    Operator::LessOrEqual => order.is_some_and(Ordering::is_le),
                    Operator::Greater => order == Some(Ordering::Greater),
                    Operator::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
                })
            }
        }
    }

    fn sort(&self, desk: &Desk, kind: &str, query: &Query, hits: &mut Vec<&Object>) -> Outcome<()> {
        let mut keyed = Vec::new();
        for record in hits.drain(..) {
            let keys: Outcome<Vec<Value>> =
                query.order.iter().map(|order| self.at(desk, kind, record, &order.field)).collect();
            keyed.push((keys?, record));
        }
        keyed.sort_by(|(left, _), (right, _)| {
            let pairs = left.iter().zip(right).zip(&query.order);
            pairs.fold(Ordering::Equal, |found, ((left, right), order)| {
                found.then_with(|| {
                    let nulls = right.is_null().cmp(&left.is_null());
                    let nulls = if order.nulls_last { nulls.reverse() } else { nulls };
                    let values = by_value(left, right);
                    nulls.then(if order.descending { values.reverse() } else { values })
                })
            })
        });
        hits.extend(keyed.into_iter().map(|(_, record)| record));
        Ok(())
    }
}

/// A value of a record beside one of the query; `None` where one of them is null and the other is not.
fn compare(held: &Value, value: &Literal) -> Option<Ordering> {
    match (held, value) {
        (Value::Null, Literal::Null) => Some(Ordering::Equal),
        (Value::Bool(held), Literal::Flag(value)) => Some(held.cmp(value)),
        (Value::Number(held), Literal::Number(value)) => held.as_f64().map(|held| held.total_cmp(value)),
        (Value::String(held), Literal::Moment(at)) => parse_iso(held).map(|held| held.cmp(at)),
        (Value::String(held), Literal::Day(day)) => Some(held.as_str().cmp(day)),
        (Value::String(held), Literal::Text(text)) => match (id::read(held), id::read(text)) {
            (Some(held), Some(text)) => Some(held.cmp(&text)),
            // Texts are the same whatever their case [doc].
            _ => Some(held.to_lowercase().cmp(&text.to_lowercase())),
        },
        _ => None,
    }
}

fn by_value(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => {
            left.as_f64().unwrap_or_default().total_cmp(&right.as_f64().unwrap_or_default())
        }
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ => Ordering::Equal,
    }
}
