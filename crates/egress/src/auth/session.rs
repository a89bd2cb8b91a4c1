//! Log-in for a session, which then stands in headers of each request. Tryton's is one of them.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector::{AuthKind, Login, LoginEncoding, LoginMethod, Phrase, Response, value_at};
use guard::Secret;
use http::HeaderMap;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{Grant, Secrets, TokenAnswer, TokenRequest, header_value, refusal};

/// Whose session it is, and how it is got.
pub(crate) struct Session {
    pub(crate) path: String,
    /// What carries it.
    pub(crate) header: HeaderName,
    login: Login,
    user: String,
    /// By the names under which the log-in's phrases have them.
    secrets: BTreeMap<String, Secret>,
}

impl Session {
    pub(super) fn identity(&self) -> &str {
        &self.user
    }

    pub(super) fn read(auth: &AuthKind, secrets: &Secrets<'_>) -> Result<Self, String> {
        let login = match auth {
            AuthKind::Session(login) => (**login).clone(),
            AuthKind::SessionJsonrpc { path, method, user, password, language, life_s } => {
                jsonrpc(path, method, user, password, language, *life_s)
            }
            _ => return Err("it is not a session".to_owned()),
        };
        let mut known = BTreeMap::new();
        for name in auth.secrets() {
            known.insert(name.to_owned(), Secret::from(secrets.text(name)?.trim_end_matches(['\n', '\r'])));
        }
        let header = HeaderName::from_bytes(login.header.to_ascii_lowercase().as_bytes())
            .map_err(|_| format!("{:?} is not a header's name", login.header))?;
        let user = secrets.text(&login.user)?.trim().to_owned();
        Ok(Self { path: login.path.clone(), header, login, user, secrets: known })
    }

    /// # Errors
    /// A text for people.
    pub(super) fn request(&self) -> Result<TokenRequest, String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, text) in &self.login.headers {
            let header = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes())
                .map_err(|_| format!("{name:?} is not a header's name"))?;
            headers.insert(header, header_value(&self.filled(text, None)?, name)?);
        }
        let body = match (&self.login.json, &self.login.form) {
            (Some(json), _) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                self.json(json)?.to_string().into_bytes()
            }
            (None, Some(form)) => {
                let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(CONTENT_TYPE, kind);
                let mut pairs = Serializer::new(String::new());
                for (name, text) in form {
                    pairs.append_pair(name, &self.filled(text, None)?);
                }
                pairs.finish().into_bytes()
            }
            (None, None) => Vec::new(),
        };
        let method = match self.login.method {
            LoginMethod::Post => Method::POST,
            LoginMethod::Get => Method::GET,
        };
        let cookies = self.login.also.values().any(|text| text.contains("{cookies}"));
        Ok(TokenRequest { method, cookies, headers, body })
    }

    /// Each text filled by itself, and written by the JSON writer: no secret can change what is around it.
    fn json(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => Value::String(self.filled(text, None)?),
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.json(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let one = |(key, item): (&String, &Value)| Ok::<_, String>((key.clone(), self.json(item)?));
                Value::Object(map.iter().map(one).collect::<Result<_, _>>()?)
            }
            scalar => scalar.clone(),
        })
    }

    fn filled(&self, text: &str, answer: Option<(&Value, &Response)>) -> Result<String, String> {
        let nothing = || "its log-in grants no session; check user and password".to_owned();
        Phrase::parse(text).map_err(str::to_owned)?.fill(|name| {
            let (kind, rest) = name.split_once('.').unwrap_or((name, ""));
            match (kind, answer) {
                ("secret", _) => self.secret(rest).map(str::to_owned),
                ("basic", _) => {
                    let (user, password) = rest.split_once('.').unwrap_or((rest, ""));
                    Ok(STANDARD.encode(format!("{}:{}", self.secret(user)?, self.secret(password)?)))
                }
                ("cookies", Some((_, response))) => {
                    let pairs: Vec<&str> = cookies(response).collect();
                    if pairs.is_empty() { Err(nothing()) } else { Ok(pairs.join("; ")) }
                }
                ("answer", Some((body, _))) => match value_at(rest, body) {
                    Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
                    Some(Value::Number(number)) => Ok(number.to_string()),
                    _ => Err(nothing()),
                },
                ("header", Some((_, response))) => {
                    let found = response.header(&rest.to_ascii_lowercase()).filter(|text| !text.is_empty());
                    found.map(str::to_owned).ok_or_else(nothing)
                }
                _ => Err(format!("there is no `{{{name}}}` in a log-in")),
            }
        })
    }

    /// Whether anything of the answer's body is needed.
    fn reads_body(&self) -> bool {
        let mut texts = self.login.also.values().chain([&self.login.credential]);
        texts.any(|text| text.contains("{answer."))
    }

    fn secret(&self, name: &str) -> Result<&str, String> {
        let secret = self.secrets.get(name).and_then(Secret::expose_text);
        secret.ok_or_else(|| format!("secret `{name}` is missing or not text"))
    }

    /// What else stands in each request.
    fn also(&self, body: &Value, answer: &Response) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let one = |(name, text): (&String, &String)| {
            let header = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes())
                .map_err(|_| format!("{name:?} is not a header's name"))?;
            Ok((header, header_value(&self.filled(text, Some((body, answer)))?, name)?))
        };
        self.login.also.iter().map(one).collect()
    }

    /// Errors may come inside a success. Each further try with wrong credentials may lengthen the server's lock, so that only
    /// 429 and server errors are worth another one.
    pub(super) fn read_answer(&self, answer: &Response) -> TokenAnswer {
        if !(200..300).contains(&answer.status) {
            return refusal(answer, "");
        }
        let body: Value = match serde_json::from_slice(&answer.body) {
            Ok(body) => body,
            // Its session may stand in a header.
            Err(_) if !self.reads_body() => Value::Null,
            Err(_) => {
                let why = "its log-in answers something that is not JSON; check the path";
                return TokenAnswer::Refused(why.to_owned());
            }
        };
        let error = self.login.error.as_ref().and_then(|path| value_at(path, &body));
        if let Some(error) = error.filter(|error| !error.is_null() && **error != Value::Bool(false)) {
            let kind = error.as_str().or_else(|| error.get(0)?.as_str()).unwrap_or_default();
            let kind: String = kind.chars().filter(|c| c.is_ascii_alphanumeric()).take(60).collect();
            let kind = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
            return TokenAnswer::Refused(format!(
                "its log-in answers an error{kind}; check user and password"
            ));
        }
        let credential = match self.filled(&self.login.credential, Some((&body, answer))) {
            Ok(credential) => credential,
            Err(why) => return TokenAnswer::Refused(why),
        };
        let credential = match self.login.encode {
            LoginEncoding::Plain => credential,
            LoginEncoding::Base64 => STANDARD.encode(credential),
        };
        let lives =
            self.login.expires_in.as_ref().and_then(|path| super::oauth::seconds(value_at(path, &body)?));
        let life = lives.unwrap_or(Duration::from_secs(self.login.life_s));
        match header_value(&format!("{}{credential}", self.login.prefix), "session") {
            Ok(authorization) => match self.also(&body, answer) {
                Ok(also) => {
                    let hidden = cookies(answer).filter_map(|pair| Some(pair.split_once('=')?.1));
                    let hidden = hidden.map(Secret::from).collect();
                    TokenAnswer::Granted(Grant { also, hidden, ..Grant::of(authorization, life) })
                }
                Err(why) => TokenAnswer::Refused(why),
            },
            Err(why) => TokenAnswer::Refused(why),
        }
    }
}

/// The cookies that an answer sets, as they are given back: name and value alone (RFC 6265 section 4.2). One that is set empty is
/// taken away.
fn cookies(answer: &Response) -> impl Iterator<Item = &str> {
    let set = answer.headers.iter().filter(|(name, _)| name == "set-cookie");
    let pairs = set.map(|(_, text)| text.split_once(';').map_or(text.as_str(), |(pair, _)| pair).trim());
    pairs.filter(|pair| {
        pair.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty())
    })
}

/// The log-in of a JSON-RPC server (Tryton), in the general form.
fn jsonrpc(path: &str, method: &str, user: &str, password: &str, language: &str, life_s: u64) -> Login {
    let plain = |text: &str| text.replace('{', "{{").replace('}', "}}");
    let secret = |name: &str| format!("{{secret.{name}}}");
    Login {
        path: path.to_owned(),
        headers: BTreeMap::new(),
        json: Some(json!({
            "id": 0,
            "method": plain(method),
            "params": [secret(user), { "password": secret(password) }, plain(language)],
        })),
        form: None,
        method: LoginMethod::Post,
        also: BTreeMap::new(),
        header: "authorization".to_owned(),
        prefix: "Session ".to_owned(),
        credential: format!("{}:{{answer.result.0}}:{{answer.result.1}}", secret(user)),
        encode: LoginEncoding::Base64,
        expires_in: None,
        life_s,
        error: Some("error".to_owned()),
        user: user.to_owned(),
    }
}
