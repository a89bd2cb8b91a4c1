//! `concord connector try`: one call to one real system, and what the manifest makes of the answer.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use canonical::{Fields, Object, RecordId, System};
use config::{Configuration, Files, SystemConfig};
use connector::{Call, Connector, Cursor, Failure, Request, Response, Write};
use guard::disguise::Disguise;
use ledger::{Class, Outcome};
use mapping::suggest;
use runtime::clock::Clock;
use serde_json::{Value, json};

use super::scopes;
use crate::arguments::{ConnectorTry, TryCall, TryWrite};
use crate::commands::check::{counted, tell as tell_problems};
use crate::commands::mapping::sample;
use crate::exit::Exit;
use crate::output::{Output, Paint, shown};
use crate::wiring::consent::Kept;
use crate::wiring::single::Single;

/// Headers that say nothing about anybody.
const TELLING: [&str; 10] = [
    "content-type",
    "content-length",
    "retry-after",
    "date",
    "idempotent-replayed",
    "idempotency-key",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "sforce-limit-info",
];
/// Those of them that say nothing about what the answer means.
const IDLE: [&str; 3] = ["content-type", "content-length", "date"];

/// Sends one call, or shows the request of a write.
pub(super) fn run(given: &ConnectorTry, dir: &Path, output: &Output) -> anyhow::Result<Exit> {
    let configuration = load_systems(dir, output)?;
    let settings = system(&configuration, &given.system, dir)?;
    let clock = Clock::system();
    let (call, send) = call(&given.call, &settings.connector, clock)?;
    let request =
        settings.connector.render(&call).map_err(|error| Exit::Failed.because(error.to_string()))?;
    if !send {
        let sheet = json!({ "request": of_request(&request), "sent": false });
        output.one(&sheet, |_| page(&sheet));
        output.say("not sent: look at it, then add --send");
        return Ok(Exit::Done);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let single = runtime.block_on(Single::open(dir, &configuration, settings, clock))?;
    tell_credential(&single, &settings.system, output);
    let began = clock.now().mono;
    let answer = runtime.block_on(single.send(request.clone()))?;
    let took = clock.now().mono.since(began);
    let scopes = scopes::told(&settings.connector, &call, &answer, single.scopes());
    let now = clock.others_wall();
    let outcome = settings.connector.classify(&call, &answer, now);
    if given.fixture {
        return fixture(&settings.connector, &call, &answer, &outcome, output);
    }
    // What is read of a refusal means nothing: the hub does not look there either.
    let reading = answer.as_ref().ok().filter(|_| outcome.class == Class::Applied);
    let read = reading.map(|response| settings.connector.shown(&call, response));
    let (read, unread) = match read {
        Some(Ok(read)) => (read, None),
        Some(Err(why)) => (None, Some(why.to_string())),
        None => (None, None),
    };
    let mut disguise = disguise(&settings.connector, &outcome);
    let message = if given.values {
        outcome.refusal.message.clone()
    } else {
        message(&settings.connector, &call, &answer, &outcome, &mut disguise)
    };
    let of_answer = answer.as_ref().ok().map(|response| {
        let shown =
            if given.values { response.body.clone() } else { disguised_body(&response.body, &mut disguise) };
        of_response(response, given.values, &body(&shown))
    });
    let mut show = |value: &Value| if given.values { value.clone() } else { disguise.document(value) };
    let sheet = json!({
        "request": of_request(&request),
        "sent": true,
        "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "answer": of_answer,
        "no_answer": answer.as_ref().err().map(|failure| failure.detail.clone()),
        "outcome": of_outcome(&outcome, &message, &mut show),
        "judged_by": settings.connector.reason(&call, &answer).to_string(),
        "reads": read.as_ref().map(&mut show),
        "unread": unread,
        "scopes": scopes,
    });
    output.one(&sheet, |_| page(&sheet));
    tell(&sheet, &outcome, output);
    if let Some(why) = unread {
        let found = "the answer is a success, and what was asked for can't be read from it";
        return Err(Exit::Failed.because(format!("{found}: {why}")));
    }
    Ok(match (&answer, outcome.class) {
        (Err(_), _) => Exit::Unreachable,
        (Ok(_), Class::Applied | Class::Absent) => Exit::Done,
        (Ok(_), _) => Exit::Failed,
    })
}

/// Which credential is used, where a person's consent may have given another than what is configured.
pub(super) fn tell_credential(single: &Single, system: &System, output: &Output) {
    match single.kept() {
        Kept::Nothing => {}
        Kept::Token(..) => output.say(&format!("{system} is asked with what `concord connector authorise` kept")),
        Kept::Unread(why) => output.warn(&format!(
            "what `concord connector authorise` may have kept for {system} can't be read ({why}): the configured secret is \
             used, and may be refused where the hub is not"
        )),
    }
}

/// Doubts about the folder are for `check`: what is being built has many.
pub(super) fn load(dir: &Path, output: &Output) -> anyhow::Result<Configuration> {
    config::load_folder(dir).map(|checked| checked.configuration).map_err(|problems| {
        tell_problems(&problems, output);
        Exit::Failed.because(format!("{} cannot be used: see above", dir.display()))
    })
}

/// The same for a call to one system: faults of the model, the mappings and the routes are not in its way.
pub(super) fn load_systems(dir: &Path, output: &Output) -> anyhow::Result<Configuration> {
    let read = Files::read(dir).map(|files| (config::load(&files), files));
    if let Ok((Err(problems), files)) = &read {
        let mut systems = Files::new();
        let needed = |path: &str| {
            path == "concord.yaml" || path.starts_with("systems/") || path.starts_with("connectors/")
        };
        files.iter().filter(|(path, _)| needed(path)).for_each(|(path, text)| {
            systems.put(path, text);
        });
        if let Ok(checked) = config::load(&systems) {
            let errors = counted(problems.iter().filter(|problem| problem.is_error()).count(), "error");
            output.warn(&format!(
                "the folder has {errors} outside of its systems and connectors: see `concord check`"
            ));
            return Ok(checked.configuration);
        }
    }
    load(dir, output)
}

/// The system of that name.
pub(super) fn system<'c>(
    configuration: &'c Configuration,
    name: &str,
    dir: &Path,
) -> anyhow::Result<&'c SystemConfig> {
    let found = System::new(name).ok().and_then(|system| configuration.systems.get(&system));
    found.ok_or_else(|| {
        let hint = suggest::hint(name, configuration.systems.keys().map(System::as_str));
        Exit::NotFound.because(format!("{} has no system `{name}`; {hint}", dir.display()))
    })
}

/// The call, and whether it is sent.
fn call(given: &TryCall, connector: &Connector, clock: Clock) -> anyhow::Result<(Call, bool)> {
    Ok(match given {
        TryCall::Identity => (Call::Identity, true),
        TryCall::List { object, since, page } => {
            let cursor = Cursor { since: since.clone(), page: page.clone(), ..Cursor::default() };
            (Call::List { object: known(object, connector)?, cursor, now: clock.now().wall }, true)
        }
        TryCall::Snapshot { object, page } => {
            let cursor = Cursor { page: page.clone(), snapshot: Some(String::new()), ..Cursor::default() };
            (Call::List { object: known(object, connector)?, cursor, now: clock.now().wall }, true)
        }
        TryCall::Fetch { object, ids } => {
            let object = known(object, connector)?;
            let call = match ids.as_slice() {
                [id] => Call::Fetch { object, external_id: id.clone() },
                _ => Call::FetchMany { object, ids: ids.clone() },
            };
            (call, true)
        }
        TryCall::Describe { object } => (Call::Describe { object: known(object, connector)? }, true),
        TryCall::Write(given) => (Call::Write(write(given, connector, clock)?), given.send),
        TryCall::Probe(given) => (Call::Probe(write(given, connector, clock)?), true),
    })
}

/// The object of that name.
pub(super) fn known(name: &str, connector: &Connector) -> anyhow::Result<Object> {
    let found = Object::new(name).ok().filter(|object| connector.has_object(object));
    found.ok_or_else(|| {
        let hint = suggest::hint(name, connector.objects().map(Object::as_str));
        Exit::NotFound.because(format!("the connector {} has no object `{name}`; {hint}", connector.name()))
    })
}

fn write(given: &TryWrite, connector: &Connector, clock: Clock) -> anyhow::Result<Write> {
    let object = known(&given.object, connector)?;
    let linked = given.id.is_some();
    let chosen = || connector.choose(&object, linked, None).map(|spec| spec.name.to_string());
    let operation = given.operation.clone().or_else(chosen).ok_or_else(|| {
        let need = if linked { "changes" } else { "makes" };
        Exit::NotFound.because(format!("nothing of the connector {} {need} `{object}`", connector.name()))
    })?;
    let association = match (&given.association, &given.other) {
        (Some(path), Some(other)) => {
            let one = connector.association_by(&object, &operation, path, other);
            Some(one.map_err(|why| Exit::NotFound.because(why))?.into())
        }
        _ => None,
    };
    // Of an association no fields are read.
    let fields: Arc<Fields> = Arc::new(if association.is_some() { Fields::new() } else { sample()? });
    let wide = || {
        let mut bytes = [0; 16];
        match getrandom::fill(&mut bytes) {
            Ok(()) => Ok(u128::from_le_bytes(bytes)),
            Err(error) => {
                Err(Exit::Failed.because(format!("the operating system gives no randomness: {error}")))
            }
        }
    };
    let now = clock.now().wall;
    let write = Write {
        object,
        operation,
        key: match &given.key {
            Some(key) => key.clone(),
            None => RecordId::from_parts(now, wide()?).to_string(),
        },
        external_id: given.id.clone(),
        whole: Arc::clone(&fields),
        fields,
        known: Arc::default(),
        expected: given.expected.clone(),
        version: given.opaque.clone(),
        association,
        intent: canonical::IntentId::from_parts(now, wide()?).to_string(),
    };
    compared(given, connector, &write)?;
    Ok(write)
}

/// A version that nothing compares is no condition, whatever was meant.
fn compared(given: &TryWrite, connector: &Connector, write: &Write) -> anyhow::Result<()> {
    let request = |write: Write| connector.render(&Call::Write(write)).ok();
    let options = [
        ("--expected", given.expected.is_some(), Write { expected: None, ..write.clone() }),
        ("--opaque", given.opaque.is_some(), Write { version: None, ..write.clone() }),
    ];
    let whole = request(write.clone());
    for (option, _, without) in options.into_iter().filter(|(_, is_given, _)| *is_given) {
        if whole.is_some() && request(without) == whole {
            let (name, object) = (&write.operation, &write.object);
            return Err(Exit::Usage.because(format!(
                "{option}: `{name}` of `{object}` is sent without it, so that nothing would be compared; see \
                 `concord connector show {}`",
                connector.name()
            )));
        }
    }
    Ok(())
}

/// What of an answer may stay as it is: words that the manifest looks for, what an observation says besides values, and
/// the vendor's code and field.
fn disguise(connector: &Connector, outcome: &Outcome) -> Disguise {
    let seen = ["hint", "deleted"].map(str::to_owned);
    let objects = connector.objects().map(|object| object.as_str().to_owned());
    let refusal = outcome.refusal.code.iter().chain(&outcome.refusal.field).cloned();
    Disguise::keeping(connector.words().into_iter().chain(seen).chain(objects).chain(refusal))
        .naming(connector.names())
}

/// The vendor's words without anybody's values, and Concord's own as they are: what would be said of the disguised answer.
fn message(
    connector: &Connector,
    call: &Call,
    answer: &Result<Response, Failure>,
    outcome: &Outcome,
    disguise: &mut Disguise,
) -> String {
    let Ok(response) = answer else { return outcome.refusal.message.clone() };
    let call = disguised_call(call, disguise);
    let body = disguised_body(&response.body, disguise);
    let answer = Ok(Response { body, ..response.clone() });
    let again = connector.classify(&call, &answer, canonical::Wall(0));
    // Where the disguise hides what the manifest looks for, nothing of what was said is told apart.
    if again.class == outcome.class { again.refusal.message } else { disguise.text(&outcome.refusal.message) }
}

/// What was seen as a case of fixtures.
fn fixture(
    connector: &Connector,
    call: &Call,
    answer: &Result<Response, Failure>,
    outcome: &Outcome,
    output: &Output,
) -> anyhow::Result<Exit> {
    let response = match answer {
        Ok(response) => response,
        Err(failure) => return Err(Exit::Unreachable.because(format!("there is no answer: {failure}"))),
    };
    let mut disguise = disguise(connector, outcome);
    let call = disguised_call(call, &mut disguise);
    let response = disguised(response, &mut disguise);
    let name = format!("seen: {} {}", response.status, outcome.class.name());
    let case = connector::case(&name, connector, &call, &response, Some(outcome.class))
        .map_err(|why| Exit::Failed.because(why.to_string()))?;
    output.data(case.trim_end());
    output.say("look whether anything in it is somebody's before you keep it");
    Ok(Exit::Done)
}

fn disguised(response: &Response, disguise: &mut Disguise) -> Response {
    let body = disguised_body(&response.body, disguise);
    let kept = response.headers.iter().filter(|(name, _)| tells(name) && !IDLE.contains(&name.as_str()));
    let headers = kept.cloned().collect();
    Response { status: response.status, headers, body }
}

fn disguised_body(body: &[u8], disguise: &mut Disguise) -> Vec<u8> {
    match serde_json::from_slice::<Value>(body) {
        Ok(body) => disguise.document(&body).to_string().into_bytes(),
        Err(_) => connector::disguised_xml(body, disguise)
            .unwrap_or_else(|| disguise.text(&String::from_utf8_lossy(body)).into_bytes()),
    }
}

fn disguised_call(call: &Call, disguise: &mut Disguise) -> Call {
    let mut write = |write: &Write| {
        let mut fields = |fields: &Fields| -> Arc<Fields> {
            Arc::new(fields.iter().map(|(name, value)| (name.clone(), disguise.document(value))).collect())
        };
        let (whole, changed, known) = (fields(&write.whole), fields(&write.fields), fields(&write.known));
        let external_id = write.external_id.as_ref().map(|id| disguise.text(id));
        let association = write.association.as_ref().map(|one| {
            let other = disguise.text(&one.other);
            ledger::Association { other, ..(**one).clone() }.into()
        });
        Write { whole, fields: changed, known, external_id, association, ..write.clone() }
    };
    match call {
        Call::Write(one) => Call::Write(write(one)),
        Call::Probe(one) => Call::Probe(write(one)),
        Call::Fetch { object, external_id } => {
            Call::Fetch { object: object.clone(), external_id: disguise.text(external_id) }
        }
        Call::FetchMany { object, ids } => {
            let ids = ids.iter().map(|id| disguise.text(id)).collect();
            Call::FetchMany { object: object.clone(), ids }
        }
        other => other.clone(),
    }
}

fn tells(header: &str) -> bool {
    TELLING.contains(&header) || header.contains("ratelimit") || header.contains("rate-limit")
}

fn body(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(body) => body,
        Err(_) if bytes.is_empty() => Value::Null,
        Err(_) => json!(String::from_utf8_lossy(bytes)),
    }
}

/// What the one who tries it has written himself.
fn of_request(request: &Request) -> Value {
    let headers: BTreeMap<_, _> = request.headers.iter().cloned().collect();
    json!({
        "operation": request.operation, "method": request.method, "path": request.path, "headers": headers,
        "body": body(&request.body),
    })
}

fn of_response(response: &Response, values: bool, body: &Value) -> Value {
    let headers = response.headers.iter().map(|(name, value)| {
        let value = if values || tells(name) { json!(value) } else { json!("…") };
        (name.clone(), value)
    });
    json!({
        "status": response.status, "bytes": response.body.len(), "headers": headers.collect::<BTreeMap<_, _>>(),
        "body": body,
    })
}

fn of_outcome(outcome: &Outcome, message: &str, show: &mut impl FnMut(&Value) -> Value) -> Value {
    let left = outcome.remaining.as_ref().map(|(bucket, left, _)| json!({ "limit": bucket, "left": left }));
    json!({
        "class": outcome.class.name(),
        "external_id": outcome.external_id.as_ref().map(|id| show(&json!(id))),
        "created": outcome.created,
        "token": outcome.token.map(|token| token.0),
        "version": outcome.version.as_ref().map(|version| show(&json!(version))),
        "wait": outcome.wait.map(|wait| match wait {
            ledger::Wait::For(wait) => format!("{} s", wait.as_secs_f64()),
            ledger::Wait::Until(until) => format!("until {until}"),
        }),
        "code": outcome.refusal.code,
        "field": outcome.refusal.field,
        "message": Some(message).filter(|message| !message.is_empty()),
        "replayed": outcome.replayed,
        "left": left,
    })
}

/// The exchange as people read it.
fn page(sheet: &Value) -> String {
    let mut lines = Vec::new();
    let request = &sheet["request"];
    lines.push(format!("{} {}", shown(&request["method"]), shown(&request["path"])));
    put_part(request, &mut lines);
    let answer = &sheet["answer"];
    if !answer.is_null() {
        lines.push(String::new());
        lines.push(format!(
            "{} in {} ms, {} bytes",
            shown(&answer["status"]),
            shown(&sheet["took_ms"]),
            shown(&answer["bytes"])
        ));
        put_part(answer, &mut lines);
    }
    if !sheet["reads"].is_null() {
        lines.push(String::new());
        lines.push("read as".to_owned());
        lines.push(pretty(&sheet["reads"]));
    }
    lines.join("\n")
}

fn put_part(part: &Value, lines: &mut Vec<String>) {
    for (name, value) in part["headers"].as_object().into_iter().flatten() {
        lines.push(format!("{name}: {}", shown(value)));
    }
    match &part["body"] {
        Value::Null => {}
        Value::String(text) => lines.push(text.clone()),
        body => lines.push(pretty(body)),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// What it was taken for, and why.
fn tell(sheet: &Value, outcome: &Outcome, output: &Output) {
    let good = matches!(outcome.class, Class::Applied | Class::Absent);
    let paint = if good { Paint::Good } else { Paint::Bad };
    let class = output.paint_talk(paint, outcome.class.name()).into_owned();
    let told = &sheet["outcome"];
    let parts = ["external_id", "created", "token", "version", "wait", "code", "field", "message"];
    let named = parts.iter().filter(|part| !told[**part].is_null());
    let named: Vec<String> = named.map(|part| format!("{part} {}", shown(&told[*part]))).collect();
    let more = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
    output.always(&format!("{class}{more}: {}", shown(&sheet["judged_by"])));
    if let Some(why) = sheet["no_answer"].as_str() {
        output.always(why);
    }
    if !told["left"].is_null() {
        output.say(&format!(
            "{} calls are left of `{}`",
            shown(&told["left"]["left"]),
            shown(&told["left"]["limit"])
        ));
    }
    scopes::tell(&sheet["scopes"], output);
}
