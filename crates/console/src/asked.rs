//! What is asked: parameters, ids in addresses, pages. What cannot be read is named, with what would be right.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path};
use canonical::{Entity, RecordId, System};
use http::request::Parts;
use web::{Flaw, Problem, kinds};

/// Rows of a page that does not say how many.
const ROWS: usize = 50;

/// The parameters of a question.
pub(crate) struct Asked(BTreeMap<String, String>);

/// A part of a list.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Only rows before this position.
    pub(crate) before: Option<i64>,
    /// At most so many.
    pub(crate) limit: usize,
}

impl Part {
    /// Where the next part begins: `None` when this was the last.
    pub(crate) fn next<T>(self, rows: &[(i64, T)]) -> Option<i64> {
        rows.last().filter(|_| rows.len() >= self.limit).map(|(position, _)| *position)
    }
}

/// A parameter that cannot be taken.
pub(crate) fn bad(parameter: &str, detail: impl Into<String>) -> Problem {
    let detail = detail.into();
    let flaw = Flaw { detail: detail.clone(), pointer: parameter.to_owned() };
    Problem::new(kinds::MALFORMED, format!("the parameter `{parameter}`: {detail}")).errors(vec![flaw])
}

/// Refuses a name that found nothing and is not configured: it is a slip. A name that was taken out of the
/// configuration still finds its rows, which is why this is asked after looking.
pub(crate) fn expect<'a>(
    parameter: &str,
    wanted: Option<&str>,
    known: impl Iterator<Item = &'a str>,
) -> Result<(), Problem> {
    let Some(wanted) = wanted else { return Ok(()) };
    let known: Vec<&str> = known.collect();
    if known.contains(&wanted) {
        return Ok(());
    }
    Err(bad(parameter, format!("nothing here has that name; there are {}", known.join(", "))))
}

impl Asked {
    /// Reads a query that may have these parameters, each once.
    ///
    /// # Errors
    /// When it has another one, or one twice.
    pub(crate) fn read(query: Option<&str>, allowed: &[&str]) -> Result<Self, Problem> {
        let mut found = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !allowed.contains(&name.as_ref()) {
                let detail = match allowed {
                    [] => "this address takes no parameters".to_owned(),
                    allowed => format!("there is no such parameter; there are {}", allowed.join(", ")),
                };
                return Err(bad(&name, detail));
            }
            if found.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(bad(&name, "it is given twice; give it once"));
            }
        }
        Ok(Self(found))
    }

    /// A text; one that is empty counts as not given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn system(&self, name: &str) -> Result<Option<System>, Problem> {
        let read =
            |text| System::new(text).map_err(|_| bad(name, "write the name of a system, such as `crm`"));
        self.text(name).map(read).transpose()
    }

    pub(crate) fn entity(&self, name: &str) -> Result<Option<Entity>, Problem> {
        let read =
            |text| Entity::new(text).map_err(|_| bad(name, "write the name of a type, such as `Contact`"));
        self.text(name).map(read).transpose()
    }

    pub(crate) fn record(&self, name: &str) -> Result<Option<RecordId>, Problem> {
        let wanted = "write a record's id: `rec_` and 32 hexadecimal digits";
        self.text(name).map(|text| text.parse().map_err(|_| bad(name, wanted))).transpose()
    }

    /// `true` or `false`; not given means `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(bad(name, "write `true` or `false`")),
        }
    }

    /// Words of a closed list, with commas between them.
    pub(crate) fn words<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
        all: &[&str],
    ) -> Result<Vec<T>, Problem> {
        let words =
            self.text(name).unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
        let wanted =
            || bad(name, format!("write one or more of {}, with commas between them", all.join(", ")));
        words.map(|word| read(word).ok_or_else(wanted)).collect()
    }

    /// After which position: `after`, where 0 is before all.
    pub(crate) fn after(&self) -> Result<Option<i64>, Problem> {
        match self.text("after").map(str::parse::<i64>) {
            None => Ok(None),
            Some(Ok(after)) if after >= 0 => Ok(Some(after)),
            Some(_) => Err(bad("after", "write the number that the last answer gave as `next`, or 0")),
        }
    }

    /// Which part of the list: `before` and `limit`.
    pub(crate) fn part(&self) -> Result<Part, Problem> {
        let max = store::browse::LIST_ROWS_MAX;
        let limit = match self.text("limit").map(str::parse::<usize>) {
            None => ROWS,
            Some(Ok(limit)) if (1..=max).contains(&limit) => limit,
            Some(_) => return Err(bad("limit", format!("write a whole number from 1 to {max}"))),
        };
        let before = match self.text("before").map(str::parse::<i64>) {
            None => None,
            Some(Ok(before)) if before > 0 => Some(before),
            Some(_) => return Err(bad("before", "write the number that the last page gave as `next`")),
        };
        Ok(Part { before, limit })
    }
}

/// The one variable part of an address.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| Problem::new(kinds::MALFORMED, "the address is not UTF-8"))?;
        Ok(Self(text))
    }
}
