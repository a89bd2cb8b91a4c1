//! Rendering: a call becomes a request.

use canonical::Wall;

use crate::call::{Call, Cursor};
use crate::connector::Connector;
use crate::error::RenderError;
use crate::exchange::Request;
use crate::listing;
use crate::plan::{BodyPlan, PagePlan, Pair, PollPlan, RequestPlan};
use crate::template::{Flaw, Scope};

/// The media type of CSV; UTF-8 unless said (RFC 7111).
const CSV: &str = "text/csv";

impl Connector {
    /// Renders a call. The same call always gives the same bytes.
    ///
    /// # Errors
    /// When the manifest has no such object or operation, a value the request needs is missing, or a value cannot
    /// stand where it would go. None of these passes with time: the delivery is for a person.
    pub fn render(&self, call: &Call) -> Result<Request, RenderError> {
        let plan = self.request_plan(call).ok_or_else(|| self.unknown(call))?;
        let poll = match call {
            Call::List { object, cursor, now } => {
                let poll = self.object(object).and_then(|plan| plan.listing(cursor));
                poll.map(|poll| (poll, cursor, *now))
            }
            _ => None,
        };
        let token = poll.and_then(|(poll, cursor, _)| listing::token(poll, cursor));
        let scope = self.scope(call, poll, token.as_deref());
        let mut request = plan.render(&scope)?;
        if let (Some((poll, ..)), Some(link)) = (poll, token)
            && let PagePlan::Link(plan) = &poll.page
            && let Some(address) = listing::address(&link, plan)
        {
            request.path = address;
        }
        match self.plan.code {
            Some(code) => {
                let operation = request.operation.clone();
                let refused = |why| RenderError::Code { operation, code: code.name(), why };
                crate::code::applied(code, request).map_err(refused)
            }
            None => Ok(request),
        }
    }

    /// What a call offers to slots.
    pub(crate) fn scope<'a>(
        &'a self,
        call: &'a Call,
        poll: Option<(&PollPlan, &Cursor, Wall)>,
        token: Option<&'a str>,
    ) -> Scope<'a> {
        let plan = self.object_of(call);
        let (object, write, id) = match call {
            Call::Write(write) | Call::Probe(write) => {
                (write.object.as_str(), Some(write), write.external_id.as_deref())
            }
            Call::Fetch { object, external_id } => (object.as_str(), None, Some(external_id.as_str())),
            Call::List { object, .. }
            | Call::FetchMany { object, .. }
            | Call::Describe { object }
            | Call::Job { object, .. } => (object.as_str(), None, None),
            Call::Identity => ("", None, None),
        };
        let job = match call {
            Call::Job { job, .. } => Some(job.as_str()),
            _ => None,
        };
        let ids = match call {
            Call::FetchMany { ids, .. } => ids.as_slice(),
            _ => &[],
        };
        let (since, now) = match poll {
            Some((poll, cursor, now)) => (Some(listing::since(poll, cursor, now)), now),
            None => (None, Wall(0)),
        };
        Scope {
            object,
            write,
            id,
            ids,
            since,
            page: token,
            now,
            paths: plan.map(|plan| plan.paths.as_slice()).unwrap_or_default(),
            associations: plan.map(|plan| plan.asked.as_slice()).unwrap_or_default(),
            types: match plan {
                Some(plan) => &plan.types,
                None => Self::no_types(),
            },
            job,
        }
    }

    pub(crate) fn unknown(&self, call: &Call) -> RenderError {
        let (object, operation) = match call {
            Call::Write(write) => (write.object.as_str(), write.operation.clone()),
            Call::Probe(write) => (write.object.as_str(), format!("{}.probe", write.operation)),
            Call::List { object, cursor, .. } => {
                let name = if cursor.snapshot.is_some() { "snapshot" } else { "list" };
                (object.as_str(), name.to_owned())
            }
            Call::Fetch { object, .. } => (object.as_str(), "fetch".to_owned()),
            Call::FetchMany { object, .. } => (object.as_str(), "fetch.many".to_owned()),
            Call::Identity => ("", "identity".to_owned()),
            Call::Describe { object } => (object.as_str(), "describe".to_owned()),
            Call::Job { object, operation, .. } => (object.as_str(), format!("{operation}.job")),
        };
        let connector = self.name().to_owned();
        match self.object_of(call) {
            None if *call != Call::Identity => RenderError::Object {
                connector,
                object: object.to_owned(),
                known: self.objects().map(canonical::Object::as_str).collect::<Vec<_>>().join(", "),
            },
            None => RenderError::Identity { connector },
            Some(plan) => {
                let reads = [
                    ("list", plan.poll.is_some()),
                    ("snapshot", plan.snapshot.is_some()),
                    ("fetch", plan.fetch.is_some()),
                    ("fetch.many", plan.fetch.as_ref().is_some_and(|fetch| fetch.many.is_some())),
                    ("describe", plan.describe.is_some()),
                ];
                let reads = reads.into_iter().filter(|(_, has)| *has).map(|(name, _)| name);
                let writes = plan.writes.iter().map(|write| &*write.spec.name);
                let known = reads.chain(writes).collect::<Vec<_>>().join(", ");
                let known = if known.is_empty() { "none".to_owned() } else { known };
                RenderError::Operation { connector, object: object.to_owned(), operation, known }
            }
        }
    }
}

impl RequestPlan {
    pub(crate) fn render(&self, scope: &Scope<'_>) -> Result<Request, RenderError> {
        let mut path = String::with_capacity(64);
        self.path.write(scope, &mut path).map_err(|flaw| self.refused(flaw, "the path"))?;
        let mut separator = '?';
        for pair in &self.query {
            let start = path.len();
            path.push(separator);
            path.push_str(&pair.name);
            path.push('=');
            match pair.write(scope, &mut path) {
                Ok(true) => separator = '&',
                Ok(false) => path.truncate(start),
                Err(flaw) => return Err(self.refused(flaw, "the query")),
            }
        }
        let mut headers = Vec::with_capacity(self.headers.len() + 1);
        let mut body = Vec::new();
        if !matches!(self.body, BodyPlan::None) {
            body.reserve(1024);
        }
        match &self.body {
            BodyPlan::None | BodyPlan::Xml { .. } | BodyPlan::GraphQl { .. } | BodyPlan::Sql(_) => {}
            // Its lines are put in when all of them are known.
            BodyPlan::Csv(_) => headers.push(("content-type".to_owned(), CSV.to_owned())),
            BodyPlan::Json { node, content_type } => {
                node.write(scope, &mut body).map_err(|flaw| self.refused(flaw, "the body"))?;
                headers.push(("content-type".to_owned(), content_type.to_string()));
            }
            BodyPlan::Form(node) => {
                node.write_form(scope, &mut body).map_err(|flaw| self.refused(flaw, "the body"))?;
                headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
            }
        }
        self.further(scope, &mut headers, &mut body)?;
        for pair in &self.headers {
            let mut value = String::new();
            match pair.write(scope, &mut value) {
                Ok(true) => headers.push((pair.name.to_string(), value)),
                Ok(false) => {}
                Err(flaw) => return Err(self.refused(flaw, "a header")),
            }
        }
        Ok(Request {
            method: self.method.to_owned(),
            path,
            headers,
            body,
            credential: self.credential,
            operation: self.operation.to_string(),
            timeout_ms: u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX),
            cost: self.charge.cost,
        })
    }

    /// The bodies that few vendors take.
    fn further(
        &self,
        scope: &Scope<'_>,
        headers: &mut Vec<(String, String)>,
        body: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        let written = match &self.body {
            BodyPlan::Xml { node, content_type } => {
                headers.push(("content-type".to_owned(), content_type.to_string()));
                crate::xml::write(node, scope, body)
            }
            BodyPlan::GraphQl { head, variables } => {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
                body.extend_from_slice(head);
                let written = variables.write(scope, body);
                body.push(b'}');
                written
            }
            BodyPlan::Sql(statement) => {
                let written = statement.write(scope, body);
                return written.map_err(|flaw| self.refused(flaw, "the statement"));
            }
            BodyPlan::None | BodyPlan::Json { .. } | BodyPlan::Form(_) | BodyPlan::Csv(_) => Ok(()),
        };
        written.map_err(|flaw| self.refused(flaw, "the body"))
    }

    pub(crate) fn refused(&self, flaw: Flaw, place: &str) -> RenderError {
        let (operation, place) = (self.operation.to_string(), place.to_owned());
        match flaw {
            Flaw::Missing { slot } => RenderError::Missing { operation, slot: slot.into(), place },
            Flaw::Unfit { slot, why } => {
                RenderError::Unfit { operation, slot: slot.into(), place, why: why.into_owned() }
            }
            Flaw::Paths { one, other } => RenderError::Paths { one, other },
            Flaw::NoPath { path, why } => RenderError::NoPath { path, why },
        }
    }
}

impl Pair {
    /// Writes the value; `false` when it is missing and may be.
    fn write<'a>(&'a self, scope: &Scope<'a>, out: &mut String) -> Result<bool, Flaw> {
        match self.value.write(scope, out) {
            Ok(()) => Ok(true),
            Err(Flaw::Missing { .. }) if self.optional => Ok(false),
            Err(flaw) => Err(flaw),
        }
    }
}
