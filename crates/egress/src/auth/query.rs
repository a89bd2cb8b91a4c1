//! A credential in the query: where a vendor takes its key as a parameter of the address.
//!
//! The address with the key is made right before it is sent and is kept nowhere. What comes back is cleaned of the key:
//! vendors repeat the address that was asked, in links to next pages above all.

use connector::Response;
use guard::Secret;
use guard::veil::Veil;
use url::form_urlencoded::byte_serialize;

use crate::veils::over;

/// A shorter key could stand anywhere in an answer by chance, and is left there.
const KEY_BYTES_MIN: usize = 8;

/// A parameter with its key.
pub(crate) struct Parameter {
    /// `name=key`, escaped.
    pair: Secret,
    veil: Veil,
}

impl Parameter {
    pub(crate) fn new(name: &str, key: &str) -> Self {
        // An end of line behind a secret is what most editors leave in a file.
        let key = key.trim_end_matches(['\n', '\r']);
        let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
        let pair = Secret::from(format!("{}={}", escaped(name), escaped(key)));
        Self { pair, veil: Veil::over([key], KEY_BYTES_MIN) }
    }

    /// The path and query with it.
    pub(crate) fn put(&self, path: &str) -> String {
        let pair = self.pair.expose_text().unwrap_or_default();
        let separator = match path.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        format!("{path}{separator}{pair}")
    }

    /// An answer without the key.
    pub(crate) fn clean(&self, answer: Response) -> Response {
        over(&self.veil, answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_goes_last_and_escaped() {
        let parameter = Parameter::new("api key", "a&b=c d/e\n");
        for (path, expected) in [
            ("/v1", "/v1?api%20key=a%26b%3Dc%20d%2Fe"),
            ("/v1?", "/v1?api%20key=a%26b%3Dc%20d%2Fe"),
            ("/v1?x=1", "/v1?x=1&api%20key=a%26b%3Dc%20d%2Fe"),
        ] {
            assert_eq!(parameter.put(path), expected);
        }
    }

    #[test]
    fn no_form_of_the_key_comes_back() {
        let parameter = Parameter::new("key", "top secret/7");
        let answer = Response {
            status: 200,
            headers: vec![("link".to_owned(), "</v1?page=2&key=top%20secret%2F7>; rel=\"next\"".to_owned())],
            body: br#"{"a":"/v1?key=top+secret%2F7","b":"top secret/7","c":"top secret\/7","d":"top"}"#
                .to_vec(),
        };
        let cleaned = parameter.clean(answer);
        assert_eq!(cleaned.headers[0].1, "</v1?page=2&key=[redacted]>; rel=\"next\"");
        let body = String::from_utf8(cleaned.body).unwrap();
        assert_eq!(body, r#"{"a":"/v1?key=[redacted]","b":"[redacted]","c":"[redacted]","d":"top"}"#);
    }

    #[test]
    fn a_key_too_short_to_tell_from_chance_is_left() {
        let answer = Response { status: 200, headers: Vec::new(), body: b"12345".to_vec() };
        assert_eq!(Parameter::new("key", "123").clean(answer).body, b"12345");
    }
}
