//! How a vendor checks that an address is ours, before it sends messages there.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::path::Path;

/// The longest challenge that is answered, in bytes.
const CHALLENGE_BYTES_MAX: usize = 2048;

/// How a vendor checks that an address is ours.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handshake {
    /// Not at all.
    #[default]
    None,
    /// It asks with GET and wants a 200.
    #[serde(rename = "get_200")]
    Get200,
    /// It sends a challenge and wants it back.
    Echo(Echo),
}

/// Where a challenge stands, and how it is answered. One of `query` and `body`.
///
/// A challenge carries nothing else: what holds one is no message, and needs no signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    /// A parameter of the address, of a GET or a POST, such as `hub.challenge`.
    #[serde(default)]
    pub query: Option<String>,
    /// A place in a posted JSON body, such as `challenge`.
    #[serde(default)]
    pub body: Option<String>,
    /// Answered as `{"NAME": …}`; absent: as the text alone.
    #[serde(default)]
    pub json: Option<String>,
}

/// The answer to a challenge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Echoed {
    /// The media type.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Handshake {
    /// The answer to a challenge in the query of an address; `None`: there is none in it.
    #[must_use]
    pub fn of_query(&self, query: &str) -> Option<Echoed> {
        let Self::Echo(echo) = self else { return None };
        let name = echo.query.as_ref()?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let (_, challenge) = pairs.find(|(found, _)| found == name.as_str())?;
        echo.answer(Value::String(challenge.into_owned()))
    }

    /// The answer to a challenge in a posted body; `None`: there is none in it.
    #[must_use]
    pub fn of_body(&self, body: &[u8]) -> Option<Echoed> {
        let Self::Echo(echo) = self else { return None };
        let path = echo.body.as_ref()?;
        // Most messages are longer than any challenge, and are not looked at for one.
        if body.len() > 2 * CHALLENGE_BYTES_MAX {
            return None;
        }
        let body: Value = serde_json::from_slice(body).ok()?;
        echo.answer(Path::parse(path).ok()?.find_filled(&body)?.clone())
    }

    /// What is wrong with it, and what would be right.
    pub(crate) fn flaw(&self) -> Option<(String, &'static str)> {
        let Self::Echo(echo) = self else { return None };
        match (&echo.query, &echo.body) {
            (None, None) => Some((
                "echo: it does not say where the challenge stands".to_owned(),
                "name `query` or `body`",
            )),
            (Some(_), Some(_)) => Some((
                "echo: a challenge stands in `query` or in `body`, and both are named".to_owned(),
                "keep the one that the vendor uses",
            )),
            (None, Some(path)) => Path::parse(path)
                .err()
                .map(|why| (format!("echo: `{path}` is not a path: {why}"), "such as `challenge`")),
            (Some(name), None) if name.is_empty() => Some((
                "echo: the parameter of the challenge has no name".to_owned(),
                "such as `hub.challenge`",
            )),
            (Some(_), None) => None,
        }
    }
}

impl Echo {
    /// A text or number that is plain and short; anything else is no challenge.
    fn answer(&self, challenge: Value) -> Option<Echoed> {
        let text = crate::path::text_of(&challenge).filter(|_| !challenge.is_boolean())?;
        let fits = (1..=CHALLENGE_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if !fits {
            return None;
        }
        Some(match &self.json {
            Some(name) => {
                let body = serde_json::json!({ name.as_str(): challenge }).to_string();
                Echoed { content_type: "application/json", body }
            }
            // No browser takes it for a page: what is echoed is anybody's text.
            None => Echoed { content_type: "text/plain; charset=utf-8", body: text },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(json: &str) -> Handshake {
        serde_json::from_str(json).unwrap()
    }

    fn body(echoed: Option<Echoed>) -> Option<String> {
        echoed.map(|echoed| echoed.body)
    }

    #[test]
    fn a_challenge_comes_back_as_it_was() {
        let query = echo(r#"{"echo": {"query": "hub.challenge"}}"#);
        let answered = query.of_query("hub.mode=subscribe&hub.challenge=11%2B58%20a%3Cb%3E").unwrap();
        assert_eq!((answered.content_type, &*answered.body), ("text/plain; charset=utf-8", "11+58 a<b>"));
        for without in ["", "challenge=1", "hub.challenge=", "hub.challenge=a%0Ab"] {
            assert_eq!(query.of_query(without), None, "{without}");
        }
        assert_eq!(query.of_query(&format!("hub.challenge={}", "a".repeat(2049))), None);
        assert_eq!(query.of_body(br#"{"challenge": "a"}"#), None);

        let posted = echo(r#"{"echo": {"body": "event.challenge"}}"#);
        assert_eq!(body(posted.of_body(br#"{"event": {"challenge": "x1"}}"#)), Some("x1".to_owned()));
        assert_eq!(body(posted.of_body(br#"{"event": {"challenge": 12}}"#)), Some("12".to_owned()));
        for without in [
            r#"{"event": {}}"#,
            r#"{"event": {"challenge": {}}}"#,
            r#"{"event": {"challenge": true}}"#,
            "x",
            "",
        ] {
            assert_eq!(posted.of_body(without.as_bytes()), None, "{without}");
        }
        let json = echo(r#"{"echo": {"body": "challenge", "json": "challenge"}}"#);
        let answered = json.of_body(br#"{"challenge": "a\"b"}"#).unwrap();
        assert_eq!((answered.content_type, &*answered.body), ("application/json", r#"{"challenge":"a\"b"}"#));
        assert_eq!((Handshake::None.of_query("a=b"), Handshake::Get200.of_body(b"{}")), (None, None));
    }

    #[test]
    fn what_cannot_be_a_challenge_is_told() {
        for (json, said) in [
            (r#"{"echo": {}}"#, "does not say where"),
            (r#"{"echo": {"query": "a", "body": "b"}}"#, "both are named"),
            (r#"{"echo": {"query": ""}}"#, "has no name"),
            (r#"{"echo": {"body": "a..b"}}"#, "is not a path"),
        ] {
            assert!(echo(json).flaw().unwrap().0.contains(said), "{json}");
        }
        assert_eq!(echo(r#"{"echo": {"query": "challenge"}}"#).flaw(), None);
    }
}
