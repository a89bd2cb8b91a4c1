//! What to say when a type is not the one that is wanted, or a name is one of CEL's that does not exist here.

use canonical::suggest;

use crate::function::FUNCTIONS;
use crate::types::{Kind, Type};

/// How a value of one type becomes one of another.
pub(super) fn to_become(found: &Type, wanted: &Type) -> Option<String> {
    if found.kind.fits(&wanted.kind) {
        let other = match wanted.kind {
            Kind::Text => "\"\"",
            Kind::Int => "0",
            Kind::Bool => "false",
            _ => "…",
        };
        return Some(match found.kind {
            Kind::Null => "null is no value of this type".to_owned(),
            Kind::List(_) if !found.null => "an item may be null: `xs.map(x, coalesce(x, …))`".to_owned(),
            _ => format!(
                "it may be null: ask first, as in `x != null ? x : {other}`, or use `coalesce(x, {other})`"
            ),
        });
    }
    let hint = match (&found.kind, &wanted.kind) {
        (Kind::Int, Kind::Decimal) => {
            "`decimal(x)` makes a decimal of a whole number; literals are written `1.0`"
        }
        (Kind::Decimal, Kind::Int) => "`to_int(x)` makes a whole number of a decimal that is one",
        (Kind::Text, Kind::Int) => "`int(x)` reads a whole number from a text",
        (Kind::Text, Kind::Decimal) => "`decimal(x)` reads a decimal from a text",
        (Kind::Text, Kind::Bool) => "compare it (`x == \"…\"`), or use `bool(x, \"true\", \"false\")`",
        (Kind::Text, Kind::Date) => "`date(x)` or `date(x, \"%d.%m.%Y\")` reads a date from a text",
        (Kind::Text, Kind::Time) => "`time(x)` or `time(x, format, zone)` reads a time from a text",
        (Kind::Int | Kind::Decimal | Kind::Bool, Kind::Text) => "`text(x)` makes a text of it",
        (Kind::Date | Kind::Time, Kind::Text) => "`text(x)` or `format(x, \"%d.%m.%Y\")` makes a text of it",
        (Kind::Time, Kind::Date) => "`date_in(x, \"Europe/Berlin\")` says which day that is, in a zone",
        (Kind::Date, Kind::Time) => "`start_of(x, \"Europe/Berlin\")` is its first moment, in a zone",
        (Kind::List(_), Kind::Text) => "`join(xs, \", \")` makes one text of many, `first(xs)` takes one",
        (Kind::Text, Kind::List(_)) => "`[x]` is a list of one, `split(x, \";\")` makes many of one",
        (Kind::Ref(_), Kind::Text) => "`link(x, \"object\")` gives the id that it has in the other system",
        (Kind::Int, Kind::Bool) => "compare it: `x != 0`",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// What CEL and its neighbours have, and this has not.
const ELSEWHERE: &[(&str, &str)] = &[
    ("string", "`text(x)` makes a text of it"),
    ("double", "there are no floating point numbers: use `decimal(x)`"),
    ("float", "there are no floating point numbers: use `decimal(x)`"),
    ("uint", "there are no unsigned numbers: use `int(x)`"),
    ("bytes", "there are no bytes"),
    ("dyn", "every value has one type"),
    ("type", "every value has one type, which is known before"),
    ("matches", "there are no regular expressions: use `contains`, `startsWith`, `endsWith`, `split`"),
    ("timestamp", "`time(x)` reads a time"),
    ("duration", "there are no durations: use `add_days`, `add_months`, `days_between`"),
    ("now", "the result may depend on nothing but the record: let a system send the time"),
    ("today", "the result may depend on nothing but the record: let a system send the date"),
    ("random", "the result may depend on nothing but the record"),
    ("exists_one", "use `size(xs.filter(x, …)) == 1`"),
    ("optional", "ask with `has(…)`, or use `coalesce(…)`"),
    ("orValue", "use `coalesce(x, …)`"),
    ("lowerAscii", "use `lower(x)`"),
    ("upperAscii", "use `upper(x)`"),
    ("charAt", "use `substring(x, 0, 1)`"),
    ("indexOf", "use `contains`, `split` or `substring`"),
    ("len", "use `size(x)`"),
    ("length", "use `size(x)`"),
    ("concat", "use `+`, or `join([…], \" \")`"),
    ("if", "use `condition ? this : that`"),
];

/// What to say of a function that does not exist.
pub(super) fn of_function(name: &str) -> String {
    let elsewhere = |name| ELSEWHERE.iter().find(|(known, _)| *known == name);
    let here = || FUNCTIONS.iter().map(|function| function.name);
    if let Some((_, hint)) = elsewhere(name) {
        return (*hint).to_owned();
    }
    match suggest::nearest(name, ELSEWHERE.iter().map(|(known, _)| *known)).and_then(elsewhere) {
        Some((known, hint)) if suggest::nearest(name, here()).is_none() => {
            format!("if this is `{known}`: {hint}")
        }
        _ => suggest::hint(name, here()),
    }
}
