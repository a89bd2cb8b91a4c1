//! One listener for several tenants: each request goes to the router of its tenant, and to no other.
//!
//! Which tenant a request belongs to is said by the request alone: by its path, or by its token. What belongs to none
//! is answered without a look at any of them. A connection belongs to the tenant of its last request, and takes one of
//! that tenant's [places](crate::Shares): a tenant that has none left is told so, and its connection is closed.
//!
//! A connection of a stranger has no place, and is closed after an answer, so that it cannot be kept: whether or not the
//! tenant that was asked for is there.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONNECTION, HeaderValue};
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};
use telemetry::{Refused, Registry};
use tower::ServiceExt as _;

use crate::access::Tokens;
use crate::ids;
use crate::problem::{Problem, kinds};
use crate::routes::with_id;
use crate::server::Current;
use crate::shares::{Seat, Shares};

/// When a tenant that has no place left should come again.
const AGAIN: Duration = Duration::from_secs(1);
/// The part with which addresses begin behind a tenant's own path.
const BEGINS: &str = "/v1/";

/// One tenant behind a listener.
pub struct Door {
    /// What answers for it.
    pub router: Current,
    /// What is told when it has no place left.
    pub telemetry: Arc<Registry>,
}

/// The place that a connection has.
#[derive(Clone, Default, Debug)]
pub(crate) struct Place(Arc<Mutex<Option<Seat>>>);

struct Front {
    doors: Vec<Door>,
    shares: Arc<Shares>,
    nobody: Router,
    /// Whether a tenant's answer is one that nobody would give, too.
    strange: fn(StatusCode) -> bool,
}

/// Requests find their tenant by the path before `/v1/`, which is taken off. `places` are connections.
pub fn by_path(doors: Vec<(String, Door)>, nobody: Router, places: usize) -> Router {
    let (paths, doors): (Vec<String>, Vec<Door>) = doors.into_iter().unzip();
    let paths: BTreeMap<String, usize> = paths.into_iter().zip(0..).collect();
    let front = Front::new(doors, nobody, places, strange);
    front.router(move |request| {
        let (own, rest) = split(request.uri().path())?;
        let tenant = paths.get(own).copied();
        let rest = match request.uri().query() {
            Some(query) => format!("{rest}?{query}"),
            None => rest.to_owned(),
        };
        // Also where there is no such tenant: then nobody answers, as a tenant would that knows none of it.
        *request.uri_mut() = Uri::from(PathAndQuery::try_from(rest).ok()?);
        tenant
    })
}

/// Requests find their tenant by their token. `places` are connections.
pub fn by_token(doors: Vec<(Tokens, Door)>, nobody: Router, places: usize) -> Router {
    let (tokens, doors): (Vec<Tokens>, Vec<Door>) = doors.into_iter().unzip();
    // Who is let in has a token.
    let front = Front::new(doors, nobody, places, |_| false);
    front.router(move |request| {
        let mut found = None;
        // All are looked at: the time taken does not tell whose it is.
        for (tenant, tokens) in tokens.iter().enumerate() {
            if tokens.know(request.headers()) {
                found = Some(tenant);
            }
        }
        found
    })
}

/// What a tenant answers to whoever it does not know is what nobody answers.
fn strange(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
}

/// A path as the tenant's own part and the rest. The first `/v1/` divides them: no tenant's path has it.
fn split(path: &str) -> Option<(&str, &str)> {
    let at = path.find(BEGINS)?;
    path.split_at_checked(at)
}

impl Front {
    fn new(doors: Vec<Door>, nobody: Router, places: usize, strange: fn(StatusCode) -> bool) -> Self {
        let shares = Shares::new(places, doors.len());
        Self { doors, shares, nobody, strange }
    }

    fn router(self, find: impl Fn(&mut Request) -> Option<usize> + Send + Sync + 'static) -> Router {
        let (front, find) = (Arc::new(self), Arc::new(find));
        Router::new().fallback_service(tower::service_fn(move |mut request: Request| {
            let (front, tenant) = (Arc::clone(&front), find(&mut request));
            async move { Ok::<_, Infallible>(front.answer(tenant, request).await) }
        }))
    }

    async fn answer(&self, tenant: Option<usize>, request: Request<Body>) -> Response {
        let Some((tenant, door)) = tenant.and_then(|tenant| Some((tenant, self.doors.get(tenant)?))) else {
            return closing(ended(self.nobody.clone().oneshot(request).await));
        };
        // A request that came without a connection of ours (a test's) has its place as long as it lasts.
        let place = request.extensions().get::<Place>().cloned().unwrap_or_default();
        if !place.take(&self.shares, tenant) {
            door.telemetry.note_refused(None, Refused::Busy);
            let detail = "too many connections are open: use those that are open again, or fewer";
            let id = ids::next();
            let refused = Problem::new(kinds::BUSY, detail).retry_after(AGAIN).answer(Some(&id));
            return closing(with_id(refused, &id));
        }
        let router = door.router.borrow().clone();
        let response = ended(router.oneshot(request).await);
        drop(place);
        if (self.strange)(response.status()) { closing(response) } else { response }
    }
}

impl Place {
    /// Has a place of that tenant, or says that none is left.
    fn take(&self, shares: &Arc<Shares>, tenant: usize) -> bool {
        let mut seat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seat.as_ref().is_some_and(|seat| seat.tenant() == tenant) {
            return true;
        }
        // The one before is given back first: a connection has one place, whoever comes over it.
        *seat = None;
        *seat = shares.take(tenant);
        seat.is_some()
    }
}

/// The last answer over its connection.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn ended(answer: Result<Response, Infallible>) -> Response {
    match answer {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
