//! Webhooks: verify over the raw bytes, read, offer, acknowledge.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use connector::{Echoed, Garbled, Handshake, WebhookSpec};
use guard::Secret;
use guard::signature::{RawRequest, Refusal, Scheme, Verified, verify};
use http::StatusCode;
use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use hub::Arrival;
use subtle::{Choice, ConstantTimeEq as _};
use telemetry::Refused;
use web::{Problem, RequestId, kinds};

use crate::app::{App, Pusher};
use crate::front::unknown_source;
use crate::trace;

/// Of requests that are not authentic, the first and every so-many-th are logged.
const FORGED_LOGGED_EVERY: u64 = 100;

/// What of an address names a source, if it is text.
type Address<T> = Result<Path<T>, PathRejection>;

/// `POST /v1/webhooks/{path}`
pub(crate) async fn plain(
    State(app): State<Arc<App>>,
    id: RequestId,
    path: Address<String>,
    request: Request,
) -> Result<Response, Problem> {
    let path = app.address(path)?;
    take(&app, &id, &path, None, request).await
}

/// `POST /v1/webhooks/{path}/{secret}`: of sources that do not sign.
pub(crate) async fn secret(
    State(app): State<Arc<App>>,
    id: RequestId,
    parts: Address<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let (path, secret) = app.address(parts)?;
    take(&app, &id, &path, Some(&secret), request).await
}

/// `GET` of the same address: vendors that check it want a 200.
pub(crate) async fn greet(
    State(app): State<Arc<App>>,
    path: Address<String>,
    request: Request,
) -> Result<Response, Problem> {
    let path = app.address(path)?;
    greeting(&app, &path, None, &request)
}

/// The same with a secret.
pub(crate) async fn greet_secret(
    State(app): State<Arc<App>>,
    parts: Address<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let (path, secret) = app.address(parts)?;
    greeting(&app, &path, Some(&secret), &request)
}

fn greeting(app: &App, path: &str, secret: Option<&str>, request: &Request) -> Result<Response, Problem> {
    let (pusher, spec) = app.pusher(path)?;
    pusher.address(spec, secret)?;
    let echoed = spec.handshake.of_query(request.uri().query().unwrap_or_default());
    match &spec.handshake {
        Handshake::Get200 => Ok(StatusCode::OK.into_response()),
        Handshake::None | Handshake::Echo(_) => {
            echoed.map(echo).ok_or_else(|| Problem::new(kinds::METHOD, "this source only posts"))
        }
    }
}

/// A challenge comes back as it was. No browser makes a page of it.
fn echo(echoed: Echoed) -> Response {
    let headers = [(CONTENT_TYPE, echoed.content_type), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (StatusCode::OK, headers, echoed.body).into_response()
}

async fn take(
    app: &App,
    id: &RequestId,
    path: &str,
    secret: Option<&str>,
    request: Request,
) -> Result<Response, Problem> {
    let (pusher, spec) = app.pusher(path)?;
    app.paced(&pusher.system, &pusher.pace)?;
    let (parts, raw) = request.into_parts();
    let challenge = spec.handshake.of_query(parts.uri.query().unwrap_or_default());
    if let Some(challenge) = challenge {
        return pusher.address(spec, secret).map(|()| echo(challenge));
    }
    let (raw, _room) = app.body(&pusher.system, &parts, raw).await?;
    if let Some(challenge) = spec.handshake.of_body(&raw) {
        return pusher.address(spec, secret).map(|()| echo(challenge));
    }
    let verified = pusher
        .address(spec, secret)
        .and_then(|()| app.authentic(pusher, spec, &parts, &raw))
        .inspect_err(|problem| app.not_authentic(pusher, problem, id, &raw))?;
    let arrivals = read(app, pusher, &parts, &raw, verified);
    if !arrivals.is_empty() {
        let offered = app.hub.offer(&pusher.system, arrivals, raw.len()).await;
        offered.map_err(|busy| app.busy(&pusher.system, busy))?;
    }
    // What was quarantined is acknowledged too: it is kept, and sending it again changes nothing.
    Ok(StatusCode::from_u16(spec.ack).unwrap_or(StatusCode::OK).into_response())
}

/// Everything a verified message says. What can't be read arrives as it is, to be kept for a person.
fn read(app: &App, pusher: &Pusher, parts: &Parts, raw: &Bytes, verified: Verified) -> Vec<Arrival> {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let whole =
        |why: Garbled| vec![Arrival::Garbled { why, raw: raw.to_vec(), event_id: verified.id.clone() }];
    let form =
        content_type.is_some_and(|kind| kind.trim_start().starts_with("application/x-www-form-urlencoded"));
    if !form
        && let Err(deep) = guard::limits::check_json(raw, app.limits.depth_max, app.limits.body_bytes_max)
    {
        return whole(Garbled { what: deep.to_string(), place: "the body".to_owned() });
    }
    let query = parts.uri.query().unwrap_or_default();
    // The message's own trace is the one that started it; the request's is only its last hop.
    let hop = trace::of(&parts.headers);
    match pusher.connector.read_webhook(content_type, query, raw) {
        Ok(messages) => messages
            .into_iter()
            .map(|message| match message {
                Ok(mut observation) => {
                    observation.trace = observation.trace.or_else(|| hop.clone());
                    Arrival::Read(observation)
                }
                Err((why, raw)) => Arrival::Garbled { why, raw, event_id: None },
            })
            .collect(),
        Err(why) => whole(why),
    }
}

impl App {
    fn pusher(&self, path: &str) -> Result<(&Pusher, &WebhookSpec), Problem> {
        let pusher = self.sources.get(path);
        let found = pusher.and_then(|pusher| Some((pusher, pusher.connector.webhook()?)));
        found.ok_or_else(|| self.unknown())
    }

    /// An address that is no text is nobody's, and is answered as any other that is nobody's.
    fn address<T>(&self, parts: Address<T>) -> Result<T, Problem> {
        parts.map(|Path(parts)| parts).map_err(|_| self.unknown())
    }

    fn unknown(&self) -> Problem {
        self.refused(None, Refused::Unknown);
        unknown_source()
    }

    /// Judges the signature over what arrived. A signed time may agree with either clock: after a jump of the
    /// system's nobody can tell which of the two is the source's, and a repeat is known by its id whatever its time.
    fn authentic(
        &self,
        pusher: &Pusher,
        spec: &WebhookSpec,
        parts: &Parts,
        raw: &Bytes,
    ) -> Result<Verified, Problem> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("{}{path}", self.public_url);
        let headers: Vec<(&str, &[u8])> =
            parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let request = RawRequest { method: parts.method.as_str(), uri: &uri, headers: &headers, body: raw };
        let judge = |now| verify(&spec.scheme, &request, &pusher.secrets, now);
        let judged = judge(self.hub.now().wall).or_else(|refusal| match refusal {
            Refusal::Stale { .. } | Refusal::Ahead { .. } => judge(self.hub.clock().others_wall()),
            other => Err(other),
        });
        judged.map_err(|refusal| {
            let kind = match refusal {
                Refusal::Stale { .. } | Refusal::Ahead { .. } => kinds::STALE,
                _ => kinds::FORGED,
            };
            Problem::new(kind, refusal.to_string())
        })
    }

    /// Counted always, logged sometimes: with the body's hash, never its content.
    fn not_authentic(&self, pusher: &Pusher, problem: &Problem, id: &RequestId, raw: &[u8]) {
        let reason = if problem.kind() == kinds::STALE { Refused::Stale } else { Refused::Forged };
        self.refused(Some(&pusher.system), reason);
        let before = pusher.forged.fetch_add(1, Ordering::Relaxed);
        if before.is_multiple_of(FORGED_LOGGED_EVERY) {
            let (tenant, system) = (self.hub.tenant(), &pusher.system);
            let (class, request, count) = (reason.name(), &id.0, before + 1);
            let body = blake3::hash(raw).to_hex();
            let body_blake3 = &body[..16];
            tracing::warn!(
                target: "concord", %tenant, %system, class, request, body_blake3, count,
                "a webhook is not authentic"
            );
        }
    }
}

impl Pusher {
    /// Judges the secret part of the address: a source that does not sign must know it, others have none.
    fn address(&self, spec: &WebhookSpec, given: Option<&str>) -> Result<(), Problem> {
        match (&spec.scheme, given) {
            (Scheme::None(_), Some(given)) if known(&self.secrets, given) => Ok(()),
            (Scheme::None(_), Some(_)) => {
                Err(Problem::new(kinds::FORGED, "the secret part of the address is not one of this source's"))
            }
            (Scheme::None(_), None) => Err(Problem::new(
                kinds::FORGED,
                "this source does not sign: its address ends with a secret part",
            )),
            (_, None) => Ok(()),
            (_, Some(_)) => {
                Err(Problem::new(kinds::UNKNOWN_SOURCE, "this source's address has no further part"))
            }
        }
    }
}

/// Every secret is compared, in constant time.
fn known(secrets: &[Secret], given: &str) -> bool {
    let mut any = Choice::from(0);
    for secret in secrets {
        let same = secret.expose().ct_eq(given.as_bytes());
        any |= same & Choice::from(u8::from(!secret.is_empty()));
    }
    any.into()
}
