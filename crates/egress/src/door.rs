//! One origin that may be called: its base address, its client, its guard, and the exchange itself.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use connector::{Failure, Response};
use guard::address::{AllowList, Host, host};
use http::header::{ACCEPT, CONTENT_LENGTH, HeaderValue, SET_COOKIE, USER_AGENT};
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::BodyExt as _;
use rustls::ClientConfig;
use url::{Position, Url};

use crate::client::{self, Client};
use crate::connection::Timeouts;
use crate::failure::{Trouble, failure};
use crate::gate::{Gate, GatedBody};
use crate::resolve::{Policy, Resolver};

/// An origin with everything needed to call it.
pub(crate) struct Door {
    who: String,
    place: String,
    base: Url,
    scheme: Scheme,
    authority: Authority,
    /// The base address' host, where it is an address: no resolver is asked for one, so it is judged here.
    address: Option<IpAddr>,
    policy: Arc<Policy>,
    client: Client,
    user_agent: HeaderValue,
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
    /// Whether the answer keeps its cookies: whoever asks is egress itself.
    pub(crate) cookies: bool,
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
        let client = client::build(&shared.tls, resolver, timeouts.connect, idle_count_max);
        let user_agent = HeaderValue::from_str(&shared.user_agent)
            .map_err(|_| format!("the user agent {:?} cannot be sent", shared.user_agent))?;
        let unfit = |error: &dyn fmt::Display| format!("base_url {base_url:?}: {error}");
        let scheme = if policy.plain { Scheme::HTTP } else { Scheme::HTTPS };
        let authority = Authority::try_from(base.authority()).map_err(|error| unfit(&error))?;
        let address = match host(base.host_str().unwrap_or_default()).map_err(|error| unfit(&error))? {
            Host::Address(address) => Some(address),
            Host::Name(_) => None,
        };
        let place = format!("{}:{port}", base.host_str().unwrap_or_default());
        let answer_bytes_max = shared.answer_bytes_max;
        let total = timeouts.total;
        Ok(Self {
            who,
            place,
            base,
            scheme,
            authority,
            address,
            policy,
            client,
            user_agent,
            total,
            answer_bytes_max,
        })
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

    /// The same as [`Self::url`], as the client wants it and sends it.
    ///
    /// # Errors
    /// A text for people.
    pub(crate) fn uri(&self, path: &str) -> Result<Uri, String> {
        let base = self.base.path().trim_end_matches('/');
        let whole = if is_plain(path) {
            format!("{base}{path}")
        } else {
            self.url(path)?[Position::BeforePath..Position::AfterQuery].to_owned()
        };
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(whole).map_err(|error| error.to_string())?);
        Uri::from_parts(parts).map_err(|error| error.to_string())
    }

    /// Sends a request and reads the whole answer, within the time and size bounds.
    ///
    /// # Errors
    /// A [`Failure`] that says how far it reached.
    pub(crate) async fn exchange(&self, outgoing: Outgoing) -> Result<Response, Failure> {
        let limit = if outgoing.timeout.is_zero() { self.total } else { outgoing.timeout.min(self.total) };
        let (body, gate) = Gate::body(outgoing.body);
        let cookies = outgoing.cookies;
        let request = self.request(outgoing.method, &outgoing.path, outgoing.headers, body);
        let outcome = match request {
            Ok(request) => match tokio::time::timeout(limit, self.perform(request, cookies)).await {
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
        mut headers: HeaderMap,
        body: GatedBody,
    ) -> Result<Request<GatedBody>, Trouble> {
        let uri = self.uri(path).map_err(Trouble::Unbuildable)?;
        if let Some(address) = self.address {
            self.policy.check(address).map_err(Trouble::Denied)?;
        }
        headers.entry(USER_AGENT).or_insert_with(|| self.user_agent.clone());
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    async fn perform(&self, request: Request<GatedBody>, cookies: bool) -> Result<Response, Trouble> {
        let mut answer = self.client.request(request).await.map_err(Trouble::Http)?;
        let too_large = Trouble::TooLarge { bytes_max: self.answer_bytes_max };
        let announced = announced(answer.headers());
        if announced.is_some_and(|bytes| bytes > self.answer_bytes_max) {
            return Err(too_large);
        }
        let status = answer.status().as_u16();
        let headers = shown(answer.headers(), cookies);
        // Nobody's announcement is trusted with more memory than a usual answer needs.
        let mut body = Vec::with_capacity(announced.unwrap_or_default().min(64 * 1024));
        while let Some(frame) = answer.frame().await {
            // Trailers say nothing to anybody here.
            let Ok(chunk) = frame.map_err(Trouble::Answer)?.into_data() else { continue };
            if body.len() + chunk.len() > self.answer_bytes_max {
                return Err(too_large);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body })
    }
}

/// Whether a path and query mean what they say, byte for byte: nothing to escape, no dot segments, no fragment.
fn is_plain(path: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~/".contains(&byte);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    path.starts_with('/')
        && path.bytes().all(fits)
        && query.bytes().all(|byte| fits(byte) || b".=&:,%".contains(&byte))
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The answer's headers as the rest of Concord sees them: cookies are credentials, and stay here.
fn shown(headers: &HeaderMap, cookies: bool) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| cookies || *name != SET_COOKIE)
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
