//! How requests prove who sends them, as far as a document says it: which of its schemes it asks for, and with which scopes.

use serde_json::Value;

use super::document::Document;
use super::resource::Resource;
use super::text::{Page, list_of, one_line, quoted, word};

/// What a document asks for.
pub(super) struct Ways<'d> {
    document: &'d Document,
    /// The scheme that is `default`.
    chosen: Option<&'d str>,
    /// What of it must be asked.
    questions: Vec<String>,
}

impl<'d> Ways<'d> {
    pub(super) fn of(document: &'d Document) -> Self {
        let known = |name: &str| {
            let mut schemes = document.security_schemes();
            schemes.any(|(found, scheme)| found == name && kind_of(scheme, &[]).is_some())
        };
        let mut questions = Vec::new();
        let asked = document.security(None).or_else(|| first_of_operations(document));
        let chosen = match asked {
            Some(asked) => {
                // Of an alternative with several, all are needed at once.
                let single = |one: &'d Value| match one.as_object()?.keys().collect::<Vec<_>>().as_slice() {
                    [name] => Some(name.as_str()),
                    _ => None,
                };
                let names: Vec<&str> = asked.iter().filter_map(single).collect();
                let chosen = names.iter().copied().find(|name| known(name));
                if chosen.is_none()
                    && asked.iter().any(|one| one.as_object().is_some_and(|one| !one.is_empty()))
                {
                    let all: Vec<String> = asked
                        .iter()
                        .filter_map(Value::as_object)
                        .map(|one| {
                            one.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
                        })
                        .collect();
                    questions.push(format!(
                        "the document asks for {}, which is not known here.",
                        all.join(", or ")
                    ));
                }
                chosen
            }
            None => {
                let names: Vec<&str> =
                    document.security_schemes().map(|(name, _)| name).filter(|name| known(name)).collect();
                if names.len() > 1 {
                    questions.push(
                        "the document does not say which of these it asks for: the first is a guess."
                            .to_owned(),
                    );
                }
                names.first().copied()
            }
        };
        Self { document, chosen, questions }
    }

    /// The scopes that an operation needs, of the scheme that is used.
    pub(super) fn scopes(&self, operation: &Value) -> Vec<String> {
        let asked = self.document.security(Some(operation)).into_iter().flatten();
        let of = asked.filter_map(|one| one[self.chosen?].as_array()).next();
        of.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(super) fn write(&self, page: &mut Page, resources: &[Resource]) {
        let mut scopes: Vec<String> =
            resources.iter().flat_map(|one| one.scopes.values().flatten().cloned()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        page.line(0, "auth:");
        for question in &self.questions {
            page.line(2, &format!("# OPEN: {question}"));
        }
        if self.chosen.is_none() {
            if self.document.security_schemes().next().is_none() {
                page.line(2, "# OPEN: the document names no way to authenticate.");
            }
            page.line(2, "default: none");
        }
        for (name, scheme) in self.document.security_schemes() {
            let way = if Some(name) == self.chosen { "default".to_owned() } else { word(name) };
            match kind_of(scheme, &scopes) {
                Some(kind) => {
                    page.line(2, &format!("# `{}` of the document.", one_line(name, "")));
                    page.line(2, &format!("{way}: {kind}"));
                }
                None => page.line(
                    2,
                    &format!(
                        "# OPEN: `{}` of the document is a way that is not known here.",
                        one_line(name, "")
                    ),
                ),
            }
        }
        if !scopes.is_empty() {
            page.blank();
            page.line(0, "scopes: {given: \"OPEN: where at the vendor they are granted\"}");
        }
    }
}

/// What the first operation asks for that says so itself.
fn first_of_operations(document: &Document) -> Option<&Vec<Value>> {
    let methods = super::document::METHODS;
    let mut all = document.paths().flat_map(|(_, path)| methods.iter().filter_map(|method| path.get(method)));
    all.find_map(|operation| operation["security"].as_array().filter(|asked| !asked.is_empty()))
}

fn kind_of(scheme: &Value, scopes: &[String]) -> Option<String> {
    let token = |flow: &Value| flow["tokenUrl"].as_str().map(address);
    match (scheme["type"].as_str()?, scheme["scheme"].as_str().unwrap_or_default()) {
        ("apiKey", _) if scheme["in"] == "header" => {
            let name = scheme["name"].as_str()?.to_lowercase();
            Some(format!("{{header: {{name: {}, secret: key}}}}", quoted(&name)))
        }
        ("apiKey", _) if scheme["in"] == "query" => {
            Some(format!("{{query: {{name: {}, secret: key}}}}", quoted(scheme["name"].as_str()?)))
        }
        ("http", scheme) if scheme.eq_ignore_ascii_case("bearer") => {
            Some("{bearer: {secret: token}}".to_owned())
        }
        ("http", scheme) if scheme.eq_ignore_ascii_case("basic") => {
            Some("{basic: {user_secret: user, secret: password}}".to_owned())
        }
        ("oauth2", _) => {
            let flows = &scheme["flows"];
            let client = "client_id: client_id, client_secret: client_secret";
            if let Some(url) = token(&flows["clientCredentials"]) {
                let asked =
                    if scopes.is_empty() { String::new() } else { format!(", scopes: {}", list_of(scopes)) };
                return Some(format!(
                    "{{oauth2_client_credentials: {{token: {}, {client}{asked}}}}}",
                    quoted(&url)
                ));
            }
            let flow = &flows["authorizationCode"];
            let url = token(flow)?;
            // A person gives consent there.
            let consent = flow["authorizationUrl"].as_str().map_or_else(String::new, |at| {
                let asked =
                    if scopes.is_empty() { String::new() } else { format!(", scopes: {}", list_of(scopes)) };
                format!(",\n      consent: {{address: {}{asked}}}", quoted(&address(at)))
            });
            Some(format!(
                "{{oauth2_refresh: {{token: {}, {client}, refresh_token: refresh_token{consent}}}}}",
                quoted(&url)
            ))
        }
        _ => None,
    }
}

/// Only `https`, or a path of the server.
fn address(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(parsed) if parsed.scheme() == "https" => url.to_owned(),
        Ok(parsed) => parsed.path().to_owned(),
        Err(_) => format!("/{}", url.trim_start_matches('/')),
    }
}
