//! Requests: paths, queries, headers and bodies as templates.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::Compiler;
use crate::body::Node;
use crate::csv::CsvBody;
use crate::exchange::Credential;
use crate::graphql::{self, Mismatch};
use crate::plan::{BodyPlan, Pair, RequestPlan};
use crate::source::{BindSource, CsvSource, GraphQlSource, LineEnd, Method, RequestSource, SqlSource, Tree};
use crate::spec::Charge;
use crate::statement::{Bind, Statement};
use crate::template::{Allowed, Environment, Place, Template};

/// How long an exchange may take unless the manifest says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

impl Compiler<'_> {
    pub(super) fn request(
        &mut self,
        operation: &str,
        source: &RequestSource,
        allowed: Allowed,
    ) -> RequestPlan {
        if let Some(sql) = &source.sql {
            return self.statement(operation, source, sql, allowed);
        }
        if source.method == Method::Sql || source.path.referenced == Location::UNKNOWN {
            self.whole(
                format!("`{operation}` has a request without `method` or `path`"),
                "add them: `{method: GET, path: /things}`; or `sql`, for a database",
            );
        }
        let path = self.template(&source.path, Place::Path, allowed);
        let written = source.path.value.strip_prefix("odata:").unwrap_or(&source.path.value);
        self.check_path(source, written, &path);
        self.check_query(source);
        let pairs = |compiler: &mut Self, from: &BTreeMap<String, Spanned<String>>, place| {
            from.iter().map(|(name, value)| compiler.pair(name, value, place, allowed)).collect::<Vec<_>>()
        };
        let query = pairs(self, &source.query, Place::Query);
        let mut headers = pairs(self, &self.source.headers, Place::Header);
        headers.extend(pairs(self, &source.headers, Place::Header));
        RequestPlan {
            at: source.path.defined,
            operation: Arc::from(operation),
            method: source.method.name(),
            path,
            query,
            headers,
            body: self.body(source, allowed),
            credential: if source.anonymous { Credential::Anonymous } else { Credential::Connection },
            timeout: self.tuned("timeout_ms").or(source.timeout.map(|span| span.0)).unwrap_or(TIMEOUT),
            charge: self.charge(source),
            scopes: self.needed(&source.scopes),
        }
    }

    /// A statement for a database: it has neither address nor headers.
    fn statement(
        &mut self,
        operation: &str,
        source: &RequestSource,
        sql: &SqlSource,
        allowed: Allowed,
    ) -> RequestPlan {
        let plain = source.method == Method::Sql
            && source.path.referenced == Location::UNKNOWN
            && source.query.is_empty()
            && source.headers.is_empty()
            && source.json.is_none()
            && source.form.is_none()
            && source.xml.is_none()
            && source.graphql.is_none()
            && source.csv.is_none();
        let at = sql.statement.referenced;
        if !plain {
            let hint = "remove `method`, `path`, `query`, `headers`, `json` and `form`";
            self.error(at, "a statement is the whole request", hint);
        }
        let text = self.template(&sql.statement, Place::Statement, allowed);
        let count = crate::statement::highest(&sql.statement.value);
        if count != sql.binds.len() {
            self.error(
                at,
                format!("the statement names {count} values (`$1`, …), and {} are bound", sql.binds.len()),
                "bind one for each, in their order",
            );
        }
        let bind = |bind: &BindSource| Bind {
            kind: bind.kind,
            node: self.node(&bind.value, allowed),
            optional: bind.optional,
        };
        let binds = sql.binds.iter().map(bind).collect();
        RequestPlan {
            at: sql.statement.defined,
            operation: Arc::from(operation),
            method: source.method.name(),
            path: self.template(&source.path, Place::Path, allowed),
            query: Vec::new(),
            headers: Vec::new(),
            body: BodyPlan::Sql(Statement { text, binds }),
            credential: Credential::Connection,
            timeout: self.tuned("timeout_ms").or(source.timeout.map(|span| span.0)).unwrap_or(TIMEOUT),
            charge: self.charge(source),
            scopes: self.needed(&source.scopes),
        }
    }

    pub(super) fn template(&mut self, text: &Spanned<String>, place: Place, allowed: Allowed) -> Template {
        let environment = Environment { parameters: &self.parameters, values: &self.values, allowed };
        Template::parse(&text.value, place, &environment).unwrap_or_else(|fault| {
            self.fault(text.referenced, "", fault);
            Template::empty(place)
        })
    }

    fn pair(&mut self, name: &str, value: &Spanned<String>, place: Place, allowed: Allowed) -> Pair {
        let (name, optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        let escaped = match place {
            Place::Query => {
                let mut out = String::new();
                crate::template::percent(name, &mut out);
                // OData's own names begin with it, and it means nothing else in a query.
                out.replace("%24", "$")
            }
            _ => name.to_ascii_lowercase(),
        };
        let template = self.template(value, place, allowed);
        if place == Place::Header {
            self.check_header(name, value, &template);
        }
        Pair { name: escaped.into(), optional, value: template }
    }

    fn body(&mut self, source: &RequestSource, allowed: Allowed) -> BodyPlan {
        let places = [
            source.json.as_ref().map(|body| body.referenced),
            source.form.as_ref().map(|body| body.referenced),
            source.xml.as_ref().map(|body| body.referenced),
            source.graphql.as_ref().map(|body| body.referenced),
            source.csv.as_ref().map(|body| body.referenced),
        ];
        let mut written = places.into_iter().flatten();
        let Some(first) = written.next() else { return BodyPlan::None };
        if let Some(other) = written.next() {
            self.error(
                other,
                "a request has one body: `json`, `form`, `xml`, `graphql` or `csv`",
                "remove one",
            );
        }
        if source.method == Method::Get {
            self.error(first, "a GET has no body", "put the values into `query`");
        }
        let content_type = |usual: &str| source.content_type.as_deref().unwrap_or(usual).into();
        if let Some(csv) = &source.csv {
            return self.csv(csv, allowed);
        }
        match (&source.json, &source.form, &source.xml, &source.graphql) {
            (Some(json), ..) => {
                let content_type = content_type("application/json");
                BodyPlan::Json { node: self.node(json, allowed), content_type }
            }
            (_, Some(form), ..) => BodyPlan::Form(self.node(form, allowed)),
            (_, _, Some(xml), _) => self.xml(xml, content_type("application/xml"), allowed),
            (_, _, _, Some(graphql)) => self.graphql(graphql, allowed),
            (None, None, None, None) => BodyPlan::None,
        }
    }

    fn csv(&mut self, source: &Spanned<CsvSource>, allowed: Allowed) -> BodyPlan {
        if allowed != Allowed::Job {
            self.error(
                source.referenced,
                "`csv` is the records of a job",
                "only the `upload` of a `job` has it; write `json` or `form` here",
            );
        }
        let source = &source.value;
        BodyPlan::Csv(CsvBody {
            null: source.null_as.as_str().into(),
            crlf: source.line_end == LineEnd::Crlf,
        })
    }

    fn xml(&mut self, body: &Spanned<Tree>, content_type: Box<str>, allowed: Allowed) -> BodyPlan {
        let before = self.errors.len();
        let node = self.node(body, allowed);
        if self.errors.len() == before
            && let Err((place, why)) = crate::xml::check(&node)
        {
            let what = if place.is_empty() { why.to_owned() } else { format!("{place}: {why}") };
            self.error(body.value.place(&place).unwrap_or(body.referenced), what, "");
        }
        BodyPlan::Xml { node, content_type }
    }

    fn graphql(&mut self, source: &Spanned<GraphQlSource>, allowed: Allowed) -> BodyPlan {
        let (whole, source) = (source.referenced, &source.value);
        let at = source.query.referenced;
        let given = source.variables.keys().map(|name| name.trim_end_matches('?').to_owned()).collect();
        match graphql::check(&source.query.value, &given) {
            None => {}
            Some(Mismatch::NoOperation) => {
                self.error(at, "the text begins with no operation", "write `query`, `mutation` or `{`")
            }
            Some(Mismatch::NotGiven(name)) => {
                let hint = canonical::suggest::hint(&name, given.iter().map(String::as_str));
                self.error(at, format!("the text uses the variable `${name}`, which is not given"), hint);
            }
            Some(Mismatch::NotUsed(name)) => self.error(
                whole,
                format!("the variable `{name}` is given, and the text does not use it"),
                format!("use it as `${name}`, or remove it"),
            ),
            Some(Mismatch::Slot(slot)) => self.error(
                at,
                format!("the text holds `{{{slot}}}`, and is sent as it stands: no value gets into it"),
                format!("write `$name` there, and give `variables: {{name: \"{{{slot}}}\"}}`"),
            ),
        }
        let mut head = b"{\"query\":".to_vec();
        head.extend(Value::from(source.query.value.trim()).to_string().into_bytes());
        if let Some(operation) = &source.operation {
            head.extend(b",\"operationName\":");
            head.extend(Value::from(operation.as_str()).to_string().into_bytes());
        }
        head.extend(b",\"variables\":");
        let variables = Value::Object(source.variables.clone().into_iter().collect());
        let environment = Environment { parameters: &self.parameters, values: &self.values, allowed };
        let variables = Node::parse(&variables, &environment).unwrap_or_else(|(place, fault)| {
            self.fault(whole, &place, fault);
            Node::Fixed(b"{}".as_slice().into())
        });
        BodyPlan::GraphQl { head: head.into(), variables }
    }

    pub(super) fn node(&mut self, body: &Spanned<Tree>, allowed: Allowed) -> Node {
        let environment = Environment { parameters: &self.parameters, values: &self.values, allowed };
        Node::parse(&body.value.value, &environment).unwrap_or_else(|(place, fault)| {
            self.fault(body.value.place(&place).unwrap_or(body.referenced), &place, fault);
            Node::Fixed(b"null".as_slice().into())
        })
    }

    fn charge(&mut self, source: &RequestSource) -> Charge {
        let manifest = self.source;
        let names = source.limits.as_ref().unwrap_or(&manifest.limits.every_call);
        let buckets = &manifest.limits.buckets;
        for name in names.iter().filter(|name| !buckets.contains_key(&name.value)) {
            let hint = canonical::suggest::hint(&name.value, buckets.keys().map(String::as_str));
            self.error(name.referenced, format!("there is no limit `{}`", name.value), hint);
        }
        Charge {
            buckets: names.iter().map(|name| Arc::from(name.value.as_str())).collect(),
            cost: source.cost.unwrap_or(1),
        }
    }
}
