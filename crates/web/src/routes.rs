//! Routes with declared access: there is no way to add one without saying who may call it.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::HeaderMap;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use runtime::Handle;
use runtime::clock::Clock;
use telemetry::Registry;

use crate::access::{Scope, Tokens};
use crate::ids;
use crate::problem::{Problem, kinds};

pub use crate::access::RequestId;

/// Who may call a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Anybody; the text says why that is right.
    Open(&'static str),
    /// Whoever signs as the source that the route names, or knows its secret address. The handler verifies it over
    /// the raw bytes.
    Signed,
    /// Whoever has a token with this scope. Checked before the handler runs and before the body is read.
    Token(Scope),
}

/// A route as declared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its pattern.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

/// A router under construction, with its inventory.
pub struct Routes<S> {
    router: Router<S>,
    inventory: Vec<Route>,
    desk: Arc<Desk>,
    closed: bool,
}

/// What every request passes.
struct Desk {
    clock: Clock,
    telemetry: Arc<Registry>,
    /// Whose, in log lines: nobody's for what is before all tenants.
    tenant: String,
    tokens: Tokens,
}

/// One route's part of it.
#[derive(Clone)]
struct Gate {
    desk: Arc<Desk>,
    pattern: &'static str,
    scope: Option<Scope>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes but the texts of problems, and answers to what is not there.
    #[must_use]
    pub fn new(hub: Handle, tokens: Tokens) -> Self {
        let (clock, telemetry) = (hub.clock(), Arc::clone(hub.telemetry()));
        Self::over(clock, telemetry, hub.tenant().to_string(), tokens)
    }

    /// The same before all tenants: nothing behind it is any tenant's.
    #[must_use]
    pub fn of_nobody(clock: Clock, telemetry: Arc<Registry>, tokens: Tokens) -> Self {
        Self::over(clock, telemetry, String::new(), tokens)
    }

    fn over(clock: Clock, telemetry: Arc<Registry>, tenant: String, tokens: Tokens) -> Self {
        let desk = Arc::new(Desk { clock, telemetry, tenant, tokens });
        let routes = Self { router: Router::new(), inventory: Vec::new(), desk, closed: false };
        routes.get("/problems/{slug}", Access::Open("texts that explain errors, without data"), problem_page)
    }

    /// A route for GET.
    #[must_use]
    pub fn get<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.add("GET", path, access, on(MethodFilter::GET, handler))
    }

    /// A route for POST.
    #[must_use]
    pub fn post<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.add("POST", path, access, on(MethodFilter::POST, handler))
    }

    fn add(
        mut self,
        method: &'static str,
        path: &'static str,
        access: Access,
        with: MethodRouter<S>,
    ) -> Self {
        let scope = match access {
            Access::Token(scope) => Some(scope),
            Access::Open(_) | Access::Signed => None,
        };
        let gate = Gate { desk: Arc::clone(&self.desk), pattern: path, scope };
        self.router = self.router.route(path, with.route_layer(from_fn_with_state(gate, pass)));
        self.inventory.push(Route { method, path, access });
        self
    }

    /// Without a token that is known, what is not there looks like what a token is needed for.
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.closed = true;
        self
    }

    /// Every route there is.
    #[must_use]
    pub fn inventory(&self) -> &[Route] {
        &self.inventory
    }

    /// The router.
    pub fn build(self, state: S) -> Router {
        let desk = self.desk;
        let behind = self.closed.then(|| Arc::clone(&desk));
        let unless_stranger = move |otherwise: fn() -> Problem| {
            let behind = behind.clone();
            move |headers: HeaderMap| async move {
                let stranger = behind.and_then(|desk| desk.tokens.caller(&headers).err());
                stranger.unwrap_or_else(otherwise)
            }
        };
        self.router
            .fallback(unless_stranger(|| Problem::new(kinds::NOT_FOUND, "no route has this address")))
            .method_not_allowed_fallback(unless_stranger(|| {
                Problem::new(kinds::METHOD, "see the header `Allow`")
            }))
            .layer(from_fn_with_state(desk, enter))
            .with_state(state)
    }
}

/// The outermost layer: gives the request its id, and every answer the id and the headers that all answers have.
async fn enter(State(desk): State<Arc<Desk>>, mut request: Request, next: Next) -> Response {
    let id = ids::next();
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let allow = response.headers().get(ALLOW).cloned();
        if problem.kind().status >= 500 && problem.kind() != kinds::BUSY {
            let tenant = &desk.tenant;
            tracing::error!(target: "concord", tenant, request = id, detail = ?problem, "a request could not be answered");
        }
        response = problem.allow(allow).answer(Some(&id));
    }
    with_id(response, &id)
}

/// An answer with the headers that all answers have.
pub(crate) fn with_id(mut response: Response, id: &str) -> Response {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A route's own layer: checks the token, counts, measures.
async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Desk { clock, telemetry, .. } = &*gate.desk;
    let since = clock.now().mono;
    let admitted = match gate.scope {
        None => Ok(()),
        Some(scope) => gate.desk.tokens.caller(request.headers()).and_then(|caller| {
            caller.must(scope)?;
            request.extensions_mut().insert(caller);
            Ok(())
        }),
    };
    let response = match admitted {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            telemetry.note_refused(None, telemetry::Refused::Unauthorised);
            problem.into_response()
        }
    };
    let took = clock.now().mono.since(since);
    telemetry.note_request(gate.pattern, response.status().as_u16(), took);
    response
}

async fn problem_page(slug: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let kind = slug.ok().and_then(|Path(slug)| kinds::ALL.iter().find(|kind| kind.slug == slug));
    let kind = kind.ok_or_else(|| Problem::new(kinds::NOT_FOUND, "there is no problem of that name"))?;
    let text = format!("{} ({})\n\n{}\n", kind.title, kind.status, kind.help);
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}
