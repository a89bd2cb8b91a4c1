//! What a database answered, as an answer like all others: a status and a JSON body.
//!
//! | status | the body |
//! |---|---|
//! | 200 | `{"rows": [{COLUMN: VALUE}, …], "count": N}`: N rows were given or changed |
//! | 400, 401, 403, 409 | the statement was refused, and nothing of it was kept: `{"sqlstate": "23505", "sqlstate_class": "23", "message": …}`, with `constraint`, `column`, `table` where the server names them |
//! | 422 | a column of a type that is not read: `{"message": …}` |
//! | 503 | the server is in trouble; in the middle of a statement it is not known what was kept |
//!
//! The server's DETAIL and HINT stay out: they hold values.

use connector::Response;
use serde_json::{Map, Value, json};
use tokio_postgres::error::DbError;

/// The answer with rows.
pub(super) fn rows(rows: Vec<Map<String, Value>>, count: u64) -> Response {
    let body = json!({ "rows": rows, "count": count });
    Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// The answer that cannot be shown.
pub(super) fn unreadable(why: &str) -> Response {
    let body = json!({ "message": why });
    Response { status: 422, headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// The server's refusal.
pub(super) fn refused(said: &DbError) -> Response {
    let code = said.code().code();
    let class = code.get(..2).unwrap_or_default();
    let mut body = Map::new();
    body.insert("sqlstate".to_owned(), code.into());
    body.insert("sqlstate_class".to_owned(), class.into());
    body.insert("message".to_owned(), message(class, said.message()).into());
    let named = [("constraint", said.constraint()), ("column", said.column()), ("table", said.table())];
    for (key, name) in named.into_iter().filter_map(|(key, name)| Some((key, name?))) {
        body.insert(key.to_owned(), name.into());
    }
    Response { status: status(code), headers: Vec::new(), body: Value::Object(body).to_string().into_bytes() }
}

/// What HTTP would say.
fn status(code: &str) -> u16 {
    match code {
        "42501" => 403,
        "23505" => 409,
        // Cancelled by a user or by `statement_timeout`: a plain refusal, unlike the rest of its class.
        "57014" => 400,
        _ => match code.get(..2).unwrap_or_default() {
            "28" => 401,
            // Connections, resources, operators, the system outside, inner errors, corrupted files.
            "08" | "53" | "57" | "58" | "XX" | "F0" => 503,
            _ => 400,
        },
    }
}

/// The server's words. Those about a value that does not fit its column (class 22) quote it: it goes.
fn message(class: &str, said: &str) -> String {
    let said = said.lines().next().unwrap_or_default();
    if class != "22" {
        return said.to_owned();
    }
    match (said.find('"'), said.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}[value]{}", &said[..first], &said[last + 1..])
        }
        // A value with a line of its own ends the first line within the quotes.
        (Some(first), _) => format!("{}[value]", &said[..first]),
        _ => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{message, status};

    #[test]
    fn values_that_do_not_fit_are_not_told() {
        for (said, shown) in [
            (
                r#"invalid input syntax for type integer: "ann@example.test""#,
                "invalid input syntax for type integer: [value]",
            ),
            (
                r#"value "99" is out of range for type smallint"#,
                "value [value] is out of range for type smallint",
            ),
            ("invalid input syntax for type date: \"a\nb\"", "invalid input syntax for type date: [value]"),
            (r#"invalid input value for enum mood: "a"b""#, "invalid input value for enum mood: [value]"),
            ("value too long for type character varying(3)", "value too long for type character varying(3)"),
        ] {
            assert_eq!(message("22", said), shown);
        }
        let unique = r#"duplicate key value violates unique constraint "people_email_key""#;
        assert_eq!(message("23", unique), unique);
    }

    #[test]
    fn what_is_the_servers_trouble_is_no_refusal() {
        for (code, expected) in [
            ("23505", 409),
            ("23503", 400),
            ("42501", 403),
            ("42P01", 400),
            ("28P01", 401),
            ("57014", 400),
            ("57P01", 503),
            ("57P02", 503),
            ("53100", 503),
            ("08006", 503),
            ("XX000", 503),
            ("40001", 400),
        ] {
            assert_eq!(status(code), expected, "{code}");
        }
    }
}
