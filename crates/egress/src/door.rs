//! One origin that may be called: its base address, its client, its guard, and the exchange itself.

use std::sync::Arc;
use std::time::Duration;

use connector::{Failure, Response};
use guard::address::{AllowList, Host, host};
use http::header::{CONTENT_LENGTH, SET_COOKIE};
use http::{HeaderMap, Method};
use rustls::ClientConfig;
use url::Url;

use crate::client;
use crate::connection::Timeouts;
use crate::failure::{Trouble, failure};
use crate::gate::Gate;
use crate::resolve::{Policy, Resolver};

/// An origin with everything needed to call it.
pub(crate) struct Door {
    who: String,
    place: String,
    base: Url,
    policy: Arc<Policy>,
    client: reqwest::Client,
    total: Duration,
    answer_bytes_max: usize,
}

/// A request with everything but its origin.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Duration,
}

/// What all doors of a process share.
pub(crate) struct Shared {
    pub(crate) tls: ClientConfig,
    pub(crate) user_agent: String,
    pub(crate) answer_bytes_max: usize,
}

impl Door {
    /// Opens an origin.
    ///
    /// # Errors
    /// A text for people: what is wrong with the address.
    pub(crate) fn open(
        who: String,
        base_url: &str,
        allow: &AllowList,
        timeouts: Timeouts,
        idle_count_max: usize,
        shared: &Shared,
    ) -> Result<Self, String> {
        let base = read_base(base_url)?;
        let port = base.port_or_known_default().unwrap_or(443);
        let policy = Arc::new(Policy { allow: allow.clone(), port, plain: base.scheme() == "http" });
        let resolver = Resolver(Arc::clone(&policy));
        let client =
            client::build(&shared.tls, resolver, timeouts.connect, idle_count_max, &shared.user_agent)
                .map_err(|error| format!("its HTTP client cannot be built: {error}"))?;
        let place = format!("{}:{port}", base.host_str().unwrap_or_default());
        let answer_bytes_max = shared.answer_bytes_max;
        Ok(Self { who, place, base, policy, client, total: timeouts.total, answer_bytes_max })
    }

    /// The absolute address of a path, which stays below the base address.
    ///
    /// # Errors
    /// A text for people.
    pub(crate) fn url(&self, path: &str) -> Result<Url, String> {
        if !path.starts_with('/') {
            return Err("the path does not start with `/`".to_owned());
        }
        if path.contains('#') {
            return Err("the path has a `#`".to_owned());
        }
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        // Dot segments are gone now, so what climbed out of the base address shows.
        let base_path = self.base.path().trim_end_matches('/');
        let below = url.path().strip_prefix(base_path).is_some_and(|rest| rest.starts_with('/'));
        if below { Ok(url) } else { Err("the path leads out of the base address".to_owned()) }
    }

    /// Sends a request and reads the whole answer, within the time and size bounds.
    ///
    /// # Errors
    /// A [`Failure`] that says how far it reached.
    pub(crate) async fn exchange(&self, outgoing: Outgoing) -> Result<Response, Failure> {
        let limit = if outgoing.timeout.is_zero() { self.total } else { outgoing.timeout.min(self.total) };
        let (body, gate) = Gate::body(outgoing.body);
        let request = self.request(outgoing.method, &outgoing.path, outgoing.headers, body);
        let outcome = match request {
            Ok(request) => match tokio::time::timeout(limit, self.perform(request)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Trouble::Late { limit_ms: limit.as_millis() }),
            },
            Err(trouble) => Err(trouble),
        };
        outcome.map_err(|trouble| self.failure(&trouble, gate.recall()))
    }

    /// A failure at this door.
    pub(crate) fn failure(&self, trouble: &Trouble, recalled: bool) -> Failure {
        failure(&self.who, &self.place, trouble, recalled)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: reqwest::Body,
    ) -> Result<reqwest::Request, Trouble> {
        let url = self.url(path).map_err(Trouble::Unbuildable)?;
        // No resolver is asked for an address written out, so it is judged here.
        match host(url.host_str().unwrap_or_default()) {
            Ok(Host::Address(address)) => self.policy.check(address).map_err(Trouble::Denied)?,
            Ok(Host::Name(_)) => {}
            Err(error) => return Err(Trouble::Unbuildable(error.to_string())),
        }
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body);
        Ok(request)
    }

    async fn perform(&self, request: reqwest::Request) -> Result<Response, Trouble> {
        let mut answer = self.client.execute(request).await?;
        let too_large = Trouble::TooLarge { bytes_max: self.answer_bytes_max };
        let announced = announced(answer.headers());
        if announced.is_some_and(|bytes| bytes > self.answer_bytes_max) {
            return Err(too_large);
        }
        let status = answer.status().as_u16();
        let headers = shown(answer.headers());
        // Nobody's announcement is trusted with more memory than a usual answer needs.
        let mut body = Vec::with_capacity(announced.unwrap_or_default().min(64 * 1024));
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > self.answer_bytes_max {
                return Err(too_large);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body })
    }
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The answer's headers as the rest of Concord sees them: cookies are credentials, and stay here.
fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| *name != SET_COOKIE)
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

fn read_base(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("base_url {text:?} is no address: {error}"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(format!("base_url {text:?} is not an https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("base_url holds a user or password; put them under `secrets`".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("base_url {text:?} has a `?` or `#`; give the address only"));
    }
    // The parser has already made one form of all spellings of an address; what it left must be readable.
    host(url.host_str().unwrap_or_default()).map_err(|error| format!("base_url {text:?}: {error}"))?;
    Ok(url)
}
