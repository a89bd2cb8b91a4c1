//! One system's line: its doors, its way to prove who calls, and the token in use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use canonical::System;
use connector::{Consent, Credential, Failure, FailureKind, Reached, Request, Response};
use guard::Secret;
use http::Method;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue,
};
use http::header::{PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE};

use crate::auth::{
    Asked, Authorised, Consented, Flow, Grant, Moment, Prover, Refresh, Secrets, TokenAnswer, TokenRequest,
};
use crate::connection::Connection;
use crate::door::{Door, Outgoing, Shared};
use crate::egress::AuthoriseError;
use crate::failure::Trouble;
use crate::veils::{Credentials, Veils};

/// Headers that egress and its HTTP client own: a request that brings one would smuggle or impersonate.
const OWN_HEADERS: [HeaderName; 9] = [
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    COOKIE,
    HOST,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The longest a token request may take.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a request to a system with signatures is not sent.
const UNTIMED: &str = "each of its requests is signed, and this one came without time and nonce";

pub(crate) struct Line {
    system: System,
    door: Door,
    /// Where tokens are asked for, when not at `door`.
    token_door: Option<Door>,
    token_path: String,
    prover: Prover,
    credentials: Credentials,
    /// See [`Authorised::scope`].
    scope: i64,
    state: Mutex<State>,
    /// One attempt at a time.
    pub(crate) flight: Arc<tokio::sync::Mutex<()>>,
}

/// What changes with every token.
#[derive(Default)]
pub(crate) struct State {
    granted: u64,
    in_use: Option<Grant>,
    /// Got and not yet adopted. Until then no other is asked for: a refresh token is spent only once.
    pub(crate) pending: Option<Authorised>,
    /// The newest refresh token that may be used.
    refresh: Option<Secret>,
    /// What hides the credentials in use.
    veils: Arc<Veils>,
    /// How many attempts have ended, and how the last one did.
    pub(crate) attempts: u64,
    pub(crate) last: Option<Result<Authorised, AuthoriseError>>,
}

impl Line {
    /// Opens a line.
    ///
    /// # Errors
    /// A text for people.
    pub(crate) fn open(system: &System, connection: &Connection, shared: &Shared) -> Result<Self, String> {
        let prover = Prover::read(&connection.auth, &Secrets(&connection.secrets))?;
        let open = |who: String, base: &str, idle: usize| {
            Door::open(who, base, &connection.allow, connection.timeouts, idle, shared)
        };
        let door = open(format!("system {system}"), &connection.base_url, connection.concurrency)?;
        let mut token_door = None;
        let mut token_path = String::new();
        let mut refresh = None;
        let mut scope = 0;
        if let Prover::Flow(flow) = &prover {
            refresh = flow.first_refresh();
            scope = scope_of(&connection.base_url, flow.identity());
            token_path = flow.endpoint().to_owned();
            if !token_path.starts_with('/') {
                let (base, path) = split_endpoint(&token_path)?;
                token_door = Some(open(format!("system {system}, token endpoint"), &base, 1)?);
                token_path = path;
            }
            token_door.as_ref().unwrap_or(&door).url(&token_path)?;
        }
        let credentials = Credentials::of(connection);
        let veils = Arc::new(credentials.veils(&[], None));
        let state = Mutex::new(State { refresh, veils, ..State::default() });
        Ok(Self {
            system: system.clone(),
            door,
            token_door,
            token_path,
            prover,
            credentials,
            scope,
            state,
            flight: Arc::default(),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether each request is signed, which takes a moment of its own.
    pub(crate) const fn signs(&self) -> bool {
        matches!(self.prover, Prover::Signed(_))
    }

    /// Sends a request with what completes it. What is answered holds nothing of it.
    pub(crate) async fn send(&self, request: Request, moment: Option<Moment>) -> Result<Response, Failure> {
        let answered = self.send_bare(request, moment).await;
        let veils = Arc::clone(&self.state().veils);
        answered.map(|answer| veils.answer(answer)).map_err(|failure| veils.failure(failure))
    }

    async fn send_bare(&self, request: Request, moment: Option<Moment>) -> Result<Response, Failure> {
        if request.method == Request::SQL {
            let why = "it is an SQL statement, and the system's address is no database's (`postgres://HOST/DATABASE`)";
            return Err(self.unbuildable(why.to_owned()));
        }
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| self.unbuildable(format!("{:?} is not a method", request.method)))?;
        let mut headers = self.headers(request.headers)?;
        if request.credential == Credential::Connection {
            self.prove(&mut headers)?;
            if let Prover::Signed(signer) = &self.prover {
                let moment = moment.ok_or_else(|| self.unbuildable(UNTIMED.to_owned()))?;
                let signed = self
                    .door
                    .uri(&request.path)
                    .and_then(|uri| signer.headers(&method, &uri, &headers, &request.body, moment));
                for (name, value) in signed.map_err(|why| self.unbuildable(why))? {
                    headers.insert(name, value);
                }
            }
        }
        let timeout = Duration::from_millis(request.timeout_ms);
        let outgoing = |path| Outgoing { method, path, headers, body: request.body, timeout, cookies: false };
        match &self.prover {
            Prover::Query(parameter) if request.credential == Credential::Connection => {
                let answer = self.door.exchange(outgoing(parameter.put(&request.path))).await;
                answer.map(|answer| parameter.clean(answer))
            }
            _ => self.door.exchange(outgoing(request.path)).await,
        }
    }

    fn headers(&self, given: Vec<(String, String)>) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::with_capacity(given.len() + 2);
        for (name, value) in given {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| self.unbuildable(format!("{name:?} is not a header's name")))?;
            if OWN_HEADERS.contains(&header) {
                return Err(self.unbuildable(format!("header `{name}` is not the connector's to set")));
            }
            let value = HeaderValue::try_from(value)
                .map_err(|_| self.unbuildable(format!("the value of header `{name}` cannot be sent")))?;
            headers.append(header, value);
        }
        Ok(headers)
    }

    fn prove(&self, headers: &mut HeaderMap) -> Result<(), Failure> {
        match &self.prover {
            // A signature is made last, over all of the request.
            // A parameter goes into the address.
            Prover::Nothing | Prover::Signed(_) | Prover::Query(_) => {}
            Prover::Fixed(name, value) => {
                headers.insert(name, value.clone());
            }
            Prover::Flow(flow) => {
                let state = self.state();
                let grant = state.in_use.as_ref().ok_or_else(|| self.no_token("none was asked for yet"))?;
                headers.insert(flow.header(), grant.authorization.clone());
                headers.extend(grant.also.iter().cloned());
            }
        }
        Ok(())
    }

    /// One attempt to get a token.
    pub(crate) async fn attempt(&self, moment: Moment) -> Result<Authorised, AuthoriseError> {
        let Prover::Flow(flow) = &self.prover else {
            return Err(AuthoriseError::Failed(self.unbuildable("it has no token to ask for".to_owned())));
        };
        let refresh = self.state().refresh.clone();
        let answer = self.ask(flow, refresh.as_ref(), moment).await?;
        let read = match flow.read(refresh.as_ref(), &answer) {
            granted @ TokenAnswer::Granted(_) => granted,
            // Said once more, without what it repeats of the credentials.
            _ => flow.read(refresh.as_ref(), &self.veiled(answer.clone())),
        };
        match read {
            TokenAnswer::Granted(grant) => Ok(self.grant(grant)),
            TokenAnswer::Refused(why) => Err(AuthoriseError::Refused(format!(
                "system {}: it grants no credential: {why}",
                self.system
            ))),
            TokenAnswer::Later(why) => {
                let wait = answer.retry_after(moment.now);
                Err(AuthoriseError::Failed(Failure { wait, ..self.no_token(&why) }))
            }
        }
    }

    /// What a person opens to give consent.
    pub(crate) fn ask_consent(&self, redirect: &str, entropy: [[u8; 32]; 2]) -> Result<Asked, String> {
        let (flow, consent) = self.consent()?;
        let at = match consent.address.starts_with('/') {
            true => self.door.url(&consent.address)?,
            false => {
                let (base, path) = split_endpoint(&consent.address)?;
                url::Url::parse(&format!("{base}{path}")).map_err(|error| error.to_string())?
            }
        };
        Asked::new(consent, at, flow.identity(), redirect, entropy)
    }

    /// Makes a code a refresh token. It is given once, and is not used in here.
    pub(crate) async fn exchange(
        &self,
        asked: &Asked,
        code: &Secret,
        moment: Moment,
    ) -> Result<Consented, AuthoriseError> {
        let unbuildable = |why: String| AuthoriseError::Failed(self.unbuildable(why));
        let (flow, _) = self.consent().map_err(unbuildable)?;
        let answer = self.call(flow.code_request(asked, code).map_err(unbuildable)?).await?;
        let read = match flow.read_code(&answer) {
            granted @ TokenAnswer::Granted(_) => granted,
            _ => flow.read_code(&self.veiled(answer.clone())),
        };
        match read {
            TokenAnswer::Granted(Grant { rotated: Some(refresh), scopes, .. }) => Ok(Consented { refresh, scopes }),
            TokenAnswer::Granted(_) => Err(AuthoriseError::Refused(
                "it grants no refresh token; ask for access while nobody is there (`consent: {scopes: …, more: …}`)".to_owned(),
            )),
            TokenAnswer::Refused(why) => Err(AuthoriseError::Refused(why)),
            TokenAnswer::Later(why) => {
                let wait = answer.retry_after(moment.now);
                Err(AuthoriseError::Failed(Failure { wait, ..self.no_token(&why) }))
            }
        }
    }

    fn veiled(&self, answer: Response) -> Response {
        let veils = Arc::clone(&self.state().veils);
        veils.refusal(answer)
    }

    fn consent(&self) -> Result<(&Refresh, &Consent), String> {
        match &self.prover {
            Prover::Flow(Flow::Refresh(flow)) => {
                let consent = flow.consent.as_deref();
                consent.map(|consent| (flow, consent)).ok_or_else(|| {
                    "its connector does not say where consent is given; add `consent:` to its `oauth2_refresh`".to_owned()
                })
            }
            _ => {
                Err("it is not authorised by a person's consent: its connector has no refresh token"
                    .to_owned())
            }
        }
    }

    async fn ask(
        &self,
        flow: &Flow,
        refresh: Option<&Secret>,
        moment: Moment,
    ) -> Result<Response, AuthoriseError> {
        let door = self.token_door.as_ref().unwrap_or(&self.door);
        let url = door.url(&self.token_path).map_err(|why| AuthoriseError::Failed(self.unbuildable(why)))?;
        let request = flow
            .request(moment, refresh, url.as_str())
            .map_err(|why| AuthoriseError::Failed(self.unbuildable(why)))?;
        self.call(request).await
    }

    async fn call(&self, request: TokenRequest) -> Result<Response, AuthoriseError> {
        let door = self.token_door.as_ref().unwrap_or(&self.door);
        let outgoing = Outgoing {
            method: request.method,
            path: self.token_path.clone(),
            headers: request.headers,
            body: request.body,
            timeout: TOKEN_TIMEOUT,
            cookies: request.cookies,
        };
        door.exchange(outgoing).await.map_err(AuthoriseError::Failed)
    }

    fn grant(&self, grant: Grant) -> Authorised {
        let mut state = self.state();
        state.granted += 1;
        let authorised = Authorised { number: state.granted, scope: self.scope, grant };
        state.pending = Some(authorised.clone());
        authorised
    }

    /// Puts a token to use, unless a newer one is.
    pub(crate) fn adopt(&self, authorised: &Authorised) {
        let mut state = self.state();
        if state.pending.as_ref().is_some_and(|pending| pending.number == authorised.number) {
            state.pending = None;
            let grant = &authorised.grant;
            let hidden: Vec<Secret> =
                grant.rotated.iter().chain(&state.refresh).chain(&grant.hidden).cloned().collect();
            let veils = self.credentials.veils(&hidden, Some(&grant.authorization));
            state.veils = Arc::new(veils);
            if let Some(rotated) = &grant.rotated {
                state.refresh = Some(rotated.clone());
            }
            state.in_use = Some(grant.clone());
        }
    }

    /// The scopes of the token in use, where its answer named them.
    pub(crate) fn scopes(&self) -> Option<Vec<String>> {
        self.state().in_use.as_ref()?.scopes.clone()
    }

    fn unbuildable(&self, why: String) -> Failure {
        self.door.failure(&Trouble::Unbuildable(why), true)
    }

    fn no_token(&self, why: &str) -> Failure {
        let detail = format!("system {}: no token: {why}", self.system);
        Failure { reached: Reached::NotSent, kind: FailureKind::NoToken, detail, wait: None }
    }
}

fn scope_of(base_url: &str, identity: &str) -> i64 {
    let digest = blake3::hash(format!("{base_url}\n{identity}").as_bytes());
    let mut number = [0; 8];
    number.copy_from_slice(&digest.as_bytes()[..8]);
    i64::from_le_bytes(number) & i64::MAX
}

/// Origin and path of an absolute token endpoint.
fn split_endpoint(text: &str) -> Result<(String, String), String> {
    let wrong = || format!("token endpoint {text:?} is neither a path (`/…`) nor an https address");
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    if url.scheme() != "https" {
        return Err(wrong());
    }
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    Ok((url.origin().ascii_serialization(), path))
}
