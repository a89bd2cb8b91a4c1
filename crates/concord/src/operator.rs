//! The operator API of a running hub, as the command line asks it: found by folder or address, errors with
//! exit codes.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use guard::Secret;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use crate::exit::Exit;
use crate::folders::{self, Folder};
use crate::output::{Column, Output};
use crate::place::Place;
use crate::settings::Settings;

/// Longest wait for an answer.
const TOTAL: Duration = Duration::from_secs(30);
/// The same where the hub first finishes what is under way.
const PATIENT: Duration = Duration::from_secs(300);

/// A hub's operator API.
pub(crate) struct Operator {
    base: Url,
    token: Option<Secret>,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    total: Duration,
}

impl Operator {
    /// The hub that the settings mean: by `--url`, else the one that runs in the folder.
    pub(crate) fn of(settings: &Settings) -> anyhow::Result<Self> {
        Self::waiting(settings, &settings.dir, TOTAL)
    }

    /// The hub that runs in `folder`, else the one that the settings mean; with patience for what takes long.
    pub(crate) fn at(settings: &Settings, folder: &Path) -> anyhow::Result<Self> {
        let runs_there = Place::of(folder).run()?.is_some();
        Self::waiting(settings, if runs_there { folder } else { &settings.dir }, PATIENT)
    }

    fn waiting(settings: &Settings, dir: &Path, total: Duration) -> anyhow::Result<Self> {
        if settings.url.is_none()
            && let Folder::Hub(names) = folders::look(dir)?
        {
            return Err(several(dir, &names));
        }
        let place = Place::of(dir);
        let base = match &settings.url {
            Some(url) => url.clone(),
            None => match place.run()? {
                Some(run) => format!("http://{}", run.operator),
                None => return Err(nobody(dir, &place)),
            },
        };
        let base = Url::parse(base.trim_end_matches('/'))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| Exit::Usage.because(format!("{base:?} is no address: write http://HOST:PORT")))?;
        let token = settings.token.as_deref().map(Secret::from);
        // The folder's token is for the folder's hub: it is not sent to an address named otherwise.
        let token = if settings.url.is_some() { token } else { token.or(place.token()?) };
        let client = egress::operator(total).map_err(anyhow::Error::msg)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { base, token, client, runtime, total })
    }

    /// Asks.
    pub(crate) fn get(&self, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, query, None)
    }

    /// Orders.
    pub(crate) fn post(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, &[], Some(body))
    }

    fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.client.request(method, url.as_str());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_text().unwrap_or_default());
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = self.runtime.block_on(async {
            let response = request.send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        });
        let (status, bytes) = answer.map_err(|error| self.unreachable(&error))?;
        if !status.is_success() {
            return Err(refused(status, &bytes));
        }
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes)
            .with_context(|| format!("{} did not answer with JSON: is it a hub?", self.base))
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let why = if error.is_timeout() {
            format!("does not answer within {} s", self.total.as_secs())
        } else {
            format!("cannot be reached ({})", innermost(error))
        };
        Exit::Unreachable
            .because(format!("the hub at {} {why}: is `concord up` running? Try again", self.base))
    }
}

/// A hub's folder is several tenants': none of them is meant.
fn several(dir: &Path, names: &[String]) -> anyhow::Error {
    let folders: Vec<String> =
        names.iter().map(|name| format!("--dir {}", folders::of_tenant(dir, name).display())).collect();
    Exit::Usage.because(format!(
        "{} has several tenants: name one of them ({})",
        dir.display(),
        folders.join(", ")
    ))
}

fn nobody(dir: &Path, place: &Place) -> anyhow::Error {
    Exit::Unreachable.because(format!(
        "no hub runs in {} (there is no {}): start one with `concord up`, or name another folder with --dir, or an \
         address with --url",
        dir.display(),
        place.run_file().display()
    ))
}

/// An answer that is an error, in the words of its problem document (RFC 9457).
fn refused(status: StatusCode, bytes: &[u8]) -> anyhow::Error {
    let problem: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let said = match (text("title"), text("detail")) {
        (Some(title), Some(detail)) if title != detail => format!("{title}: {detail}"),
        (Some(text), _) | (None, Some(text)) => text.to_owned(),
        (None, None) => format!("the hub answered {status}"),
    };
    // Places in a folder are said as a compiler would.
    let places = problem.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let shown =
        places.iter().filter_map(|flaw| flaw.get("detail")?.as_str()).filter(|text| text.contains("error: "));
    let said = shown.fold(said, |said, place| format!("{said}\n{place}"));
    let exit = match status.as_u16() {
        // The folder is wrong, not the command line.
        422 if text("type").is_some_and(|kind| kind.ends_with("/unusable-folder")) => Exit::Failed,
        400 | 422 => Exit::Usage,
        401 => {
            return Exit::NotPermitted.because(format!(
                "{said}: set CONCORD_TOKEN, or run where the folder's own token can be read (--dir)"
            ));
        }
        403 => Exit::NotPermitted,
        404 => Exit::NotFound,
        409 | 412 => Exit::Conflict,
        408 | 429 | 502..=504 => Exit::Unreachable,
        _ => Exit::Failed,
    };
    exit.because(said)
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The rows of an answer.
pub(crate) fn items(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(items) => items,
        Value::Object(mut map) => match map.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Shows a page of a list, and how to see the next.
pub(crate) fn listed(answer: Value, columns: &[Column], output: &Output) {
    let next = answer.get("next").and_then(Value::as_i64);
    output.rows(columns, &items(answer));
    if let Some(next) = next {
        output.say(&format!("more with --before {next}"));
    }
}
