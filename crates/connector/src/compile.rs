//! From a manifest as written to a plan: every name, path and template is resolved here, and every mistake named.

mod association;
mod batch;
mod credential;
mod describe;
mod gauge;
mod habit;
mod job;
mod listing;
mod many;
mod object;
mod order;
mod paging;
mod parameters;
mod proof;
mod repeat;
mod request;
mod rules;
mod scope;
mod snapshot;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use canonical::Object;
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use crate::error::ManifestError;
use crate::path::{Path, text_of};
use crate::phrase::Phrase;
use crate::plan::{Gauge, IdentityPlan, Plan, Rule};
use crate::proof::Login;
use crate::source::{AnswersSource, ManifestSource};
use crate::spec::{AuthKind, Bucket, Limits};
use crate::template::{Allowed, Environment, Fault, Place, Template};
use crate::xml::XmlPlan;

/// The parameter that chooses among a manifest's ways to authenticate.
pub(crate) const AUTH_PARAMETER: &str = "auth";

/// Parameters that every connector takes, in milliseconds: they stand for all operations, instead of what the
/// manifest
/// says. For systems that differ from the vendor's usual, and for tests.
pub(crate) const TUNING: [&str; 5] =
    ["index_lag_ms", "lookback_ms", "processing_max_ms", "read_lag_ms", "timeout_ms"];

/// The parameter that, when `false`, keeps records from going together in one request.
pub(crate) const BATCH_PARAMETER: &str = "batch";

/// The parameter that, when `false`, keeps the account from being asked for: for servers that cannot answer.
pub(crate) const IDENTITY_PARAMETER: &str = "identity";

/// Binds a manifest to parameters.
pub(crate) fn bind(
    file: &str,
    source: &ManifestSource,
    given: &BTreeMap<String, Value>,
    paths: &BTreeMap<Object, Vec<String>>,
    sample: bool,
) -> Result<Plan, Vec<ManifestError>> {
    let mut compiler = Compiler::new(file, source);
    compiler.parameters = compiler.parameters(given, sample);
    let plan = compiler.plan(paths);
    if compiler.errors.is_empty() { Ok(plan) } else { Err(compiler.errors) }
}

/// Collects what is wrong while it resolves.
pub(crate) struct Compiler<'a> {
    file: &'a str,
    pub(crate) source: &'a ManifestSource,
    pub(crate) parameters: BTreeMap<String, Value>,
    /// The constants of the object being resolved.
    pub(crate) values: BTreeMap<String, String>,
    /// The keys that its paths lead through.
    names: BTreeSet<String>,
    pub(crate) errors: Vec<ManifestError>,
    /// How often something was wrong, also what was told before.
    pub(crate) faults: usize,
}

impl<'a> Compiler<'a> {
    fn new(file: &'a str, source: &'a ManifestSource) -> Self {
        Self {
            file,
            source,
            parameters: BTreeMap::new(),
            values: BTreeMap::new(),
            names: BTreeSet::new(),
            errors: Vec::new(),
            faults: 0,
        }
    }

    /// Notes an error at a place.
    pub(crate) fn error(&mut self, at: Location, what: impl Into<String>, hint: impl Into<String>) {
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        let error = ManifestError {
            file: self.file.to_owned(),
            line: at.line(),
            column: at.column(),
            what: what.into(),
            hint,
        };
        self.faults += 1;
        // An object's kind is resolved once per object: the same mistake is told once.
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Notes an error about the whole.
    pub(crate) fn whole(&mut self, what: impl Into<String>, hint: impl Into<String>) {
        self.error(Location::UNKNOWN, what, hint);
    }

    pub(crate) fn fault(&mut self, at: Location, place: &str, fault: Fault) {
        let what = if place.is_empty() { fault.what } else { format!("{place}: {}", fault.what) };
        self.error(at, what, fault.hint);
    }

    /// Splits a path, with the object's constants filled in.
    pub(crate) fn path(&mut self, text: &Spanned<String>) -> Path {
        let mut filled = text.value.clone();
        if filled.contains('{') {
            self.fill(&mut filled, text.referenced);
        }
        let path = Path::parse(&filled).unwrap_or_else(|why| {
            self.error(text.referenced, format!("`{}` is not a path: {why}", text.value), "");
            Path::default()
        });
        self.names.extend(path.keys().map(str::to_owned));
        match &self.source.answers {
            AnswersSource::Json => path,
            AnswersSource::Xml(xml) => path.in_xml(&xml.lists),
        }
    }

    pub(crate) fn path_or_root(&mut self, text: Option<&Spanned<String>>) -> Path {
        text.map(|text| self.path(text)).unwrap_or_default()
    }

    /// The code that it names; its requests each go by themselves, since parts of a batch are joined later.
    fn code(&mut self) -> Option<&'static dyn crate::Code> {
        let source = self.source;
        let name = source.code.as_ref()?;
        let kinds = source.kinds.values().chain(source.objects.values());
        if kinds
            .flat_map(|kind| kind.writes.values())
            .any(|write| write.batch.is_some() || write.bulk.is_some())
        {
            let what = format!(
                "`{}` has `code`, and an operation of it a `batch` or `bulk`",
                source.connector.value
            );
            self.error(name.referenced, what, "leave one of the two out: code sees each request by itself");
        }
        let found = crate::code::find(&name.value);
        if found.is_none() {
            let what = format!("this binary has no code `{}`", name.value);
            self.error(name.referenced, what, canonical::suggest::hint(&name.value, crate::code::names()));
        }
        found
    }

    fn plan(&mut self, paths: &BTreeMap<Object, Vec<String>>) -> Plan {
        let source = self.source;
        self.check_name();
        let (limits, gauges) = self.limits();
        let asked = self.parameters.get(IDENTITY_PARAMETER) != Some(&Value::Bool(false));
        let identity = source.identity.as_ref().filter(|_| asked).map(|identity| IdentityPlan {
            request: self.request("identity", &identity.request, Allowed::Constants),
            path: self.path(&identity.path),
            scopes: identity.scopes.as_ref().map(|path| self.path(path)),
        });
        let (objects, any_object) = self.objects(paths);
        let webhook =
            source.webhook.as_ref().map(|webhook| self.webhook(webhook, &objects, any_object.is_some()));
        let cloud_events = source
            .cloud_events
            .iter()
            .flatten()
            .map(|rule| self.kind(rule, &objects, any_object.is_some()))
            .collect();
        Plan {
            name: Arc::from(source.connector.value.as_str()),
            version: Arc::from(source.version.as_str()),
            auth: self.auth(),
            limits,
            gauges,
            identity,
            webhook,
            code: self.code(),
            xml: match &source.answers {
                AnswersSource::Json => None,
                AnswersSource::Xml(xml) => Some(XmlPlan { lists: xml.lists.clone() }),
            },
            scopes: source.scopes.as_ref().map(|scopes| self.scopes(scopes)),
            cloud_events,
            objects,
            any_object,
            refusal: self.refusal(&source.refusal),
            errors: self.all_rules(),
            names: std::mem::take(&mut self.names),
        }
    }

    /// The manifest's rules, and a look at the order of all lists of them, as they are written.
    fn all_rules(&mut self) -> Vec<Rule> {
        let source = self.source;
        self.check_order(&source.errors);
        for object in source.kinds.values().chain(source.objects.values()) {
            self.check_order(&object.errors);
            for write in object.writes.values() {
                self.check_order(&write.errors);
                write.batch.iter().chain(&write.bulk).for_each(|batch| self.check_order(&batch.rules));
            }
        }
        self.rules(&source.errors)
    }

    fn check_name(&mut self) {
        let name = &self.source.connector;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        if name.value.is_empty() || !name.value.bytes().all(plain) {
            self.error(
                name.referenced,
                format!("`{}` is not a connector's name", name.value),
                "use lower-case letters, digits, `_` and `-`",
            );
        }
    }

    /// The name of the chosen way to authenticate.
    fn way(&self) -> &str {
        self.parameters.get(AUTH_PARAMETER).and_then(Value::as_str).unwrap_or("default")
    }

    fn auth(&mut self) -> AuthKind {
        let source = self.source;
        if source.auth.is_empty() {
            return AuthKind::None;
        }
        self.check_ways();
        let chosen = self.way().to_owned();
        let Some(auth) = source.auth.get(&chosen) else {
            let hint = canonical::suggest::hint(&chosen, source.auth.keys().map(String::as_str));
            self.whole(format!("there is no way to authenticate called `{chosen}`"), hint);
            return AuthKind::None;
        };
        let mut kind = auth.value.clone();
        match &mut kind {
            AuthKind::SessionJsonrpc { path, .. } => self.fill(path, auth.referenced),
            AuthKind::Oauth2ClientCredentials { token, assertion, scopes, audience, .. } => {
                let claimed = assertion.as_mut().and_then(|assertion| assertion.audience.as_mut());
                let texts = [token].into_iter().chain(scopes).chain(audience).chain(claimed);
                texts.for_each(|text| self.fill(text, auth.referenced));
            }
            AuthKind::Oauth2JwtBearer { token, assertion, scopes, .. } => {
                let texts = [token].into_iter().chain(scopes).chain(&mut assertion.audience);
                texts.for_each(|text| self.fill(text, auth.referenced));
            }
            AuthKind::Oauth2Refresh { token, consent, .. } => {
                let consent = consent.iter_mut().flat_map(|consent| {
                    [&mut consent.address]
                        .into_iter()
                        .chain(&mut consent.scopes)
                        .chain(consent.more.values_mut())
                });
                let texts: Vec<&mut String> = [token].into_iter().chain(consent).collect();
                texts.into_iter().for_each(|text| self.fill(text, auth.referenced));
            }
            AuthKind::Hmac(signing) => {
                if let Some((what, hint)) = signing.flaw() {
                    self.error(auth.referenced, format!("hmac.{what}"), hint);
                }
            }
            AuthKind::Session(login) => self.login(login, auth.referenced),
            AuthKind::Header { name, .. } => self.fill(name, auth.referenced),
            AuthKind::Query { name, .. } => {
                self.fill(name, auth.referenced);
                self.check_query_credential(name, auth.referenced);
            }
            AuthKind::Oauth1 { realm, .. } => {
                realm.iter_mut().for_each(|text| self.fill(text, auth.referenced));
            }
            AuthKind::None | AuthKind::Bearer { .. } | AuthKind::Basic { .. } => {}
        }
        kind
    }

    /// Fills parameters into the phrases of a log-in, and looks what else is in them.
    fn login(&mut self, login: &mut Login, at: Location) {
        self.fill(&mut login.path, at);
        let parameters = &self.parameters;
        let known = |name: &str| parameters.get(name.strip_prefix("parameter.")?).and_then(text_of);
        let fill = |text: &mut String| {
            if let Ok(phrase) = Phrase::parse(text) {
                *text = phrase.partly(known);
            }
        };
        let texts = login.headers.values_mut().chain(login.also.values_mut());
        texts.chain(login.form.iter_mut().flat_map(BTreeMap::values_mut)).for_each(fill);
        login.json.iter_mut().for_each(|json| each_text(json, &fill));
        fill(&mut login.credential);
        if let Some((what, hint)) = login.flaw() {
            self.error(at, format!("session.{what}"), hint);
        }
    }

    /// Fills parameters and constants into a text.
    fn fill(&mut self, text: &mut String, at: Location) {
        let environment =
            Environment { parameters: &self.parameters, values: &self.values, allowed: Allowed::Constants };
        // Constants stand as they are, an empty one as nothing: the same rules as in a statement.
        match Template::parse(text, Place::Sql, &environment) {
            Ok(template) => match template.fixed() {
                Some(fixed) => *text = fixed.to_owned(),
                None => self.error(at, format!("`{text}` needs a parameter that has no value"), "set it"),
            },
            Err(fault) => self.fault(at, "", fault),
        }
    }

    fn limits(&mut self) -> (Limits, Vec<Gauge>) {
        let source = &self.source.limits;
        let mut limits = Limits { concurrency: source.concurrency, buckets: Vec::new() };
        let mut gauges = Vec::new();
        for (name, bucket) in &source.buckets {
            let (name, at, bucket): (Arc<str>, _, _) =
                (Arc::from(name.as_str()), bucket.referenced, &bucket.value);
            let per_ms = u64::try_from(bucket.per.0.as_millis()).unwrap_or(u64::MAX);
            if bucket.size == 0 || per_ms == 0 {
                self.error(
                    at,
                    format!("limits.buckets.{name}: `size` and `per` must be greater than nothing"),
                    "",
                );
            }
            limits.buckets.push(Bucket {
                name: Arc::clone(&name),
                size: bucket.size,
                refill: bucket.refill.unwrap_or(bucket.size),
                per_ms,
                shared: bucket.shared,
                told: bucket.told,
                every_call: source.every_call.iter().any(|every| every.value == *name),
            });
            gauges.extend(self.gauge(name, at, bucket));
        }
        (limits, gauges)
    }
}

/// Changes each text of a value.
fn each_text(value: &mut Value, change: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(map) => map.values_mut().for_each(|item| each_text(item, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
