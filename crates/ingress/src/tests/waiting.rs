//! `?wait=delivered:SYSTEM`: the answer says what has become of it there, and waits no longer than asked.

use std::sync::Mutex;
use std::time::Duration;

use super::*;

const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json");

/// A target that takes so long, and answers a write with this status.
struct Target {
    after: Mutex<Duration>,
    status: Mutex<u16>,
}

impl Network for Target {
    fn send(
        self: Arc<Self>,
        _: System,
        request: runtime::Request,
    ) -> BoxFuture<Result<runtime::Response, runtime::Failure>> {
        Box::pin(async move {
            let write = request.method == "PUT";
            let (after, status) = (*self.after.lock().expect("sound"), *self.status.lock().expect("sound"));
            if write {
                tokio::time::sleep(after).await;
            }
            let body = json!({"account": "a-1", "detail": "no"}).to_string().into_bytes();
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            Ok(runtime::Response { status: if write { status } else { 200 }, headers, body })
        })
    }

    fn authorise(self: Arc<Self>, _: System) -> BoxFuture<Result<Fresh, runtime::AuthoriseError>> {
        Box::pin(std::future::pending())
    }
}

/// The folder with a target: `erp` gets contacts.
pub(super) fn with_target(change: impl FnOnce(&mut Files)) -> Configuration {
    let mut files = Files::new();
    for (path, text) in FILES {
        files.put(path, *text);
    }
    files.put(
        "systems/erp.yaml",
        "system: erp\nconnector: http\nconnection: {base_url: \"https://erp.example.com\"}\n",
    );
    files.put(
        "mappings/contact.erp.yaml",
        "mapping: contact.erp\nversion: 1\nentity: Contact\nsystem: erp\nobject: people\nfields:\n  \
         - {field: email, path: email, direction: out}\n  - {field: score, path: score, direction: out}\n",
    );
    files.put(
        "routes/all.yaml",
        "routes:\n  - {route: contact.erp, kind: sync, entity: Contact, system: erp, mapping: contact.erp}\n",
    );
    change(&mut files);
    match config::load(&files) {
        Ok(checked) => checked.configuration,
        Err(problems) => {
            panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn stage(after: Duration, status: u16) -> (Stage, Arc<Target>) {
    let configuration = Arc::new(with_target(|_| {}));
    let target = Arc::new(Target { after: Mutex::new(after), status: Mutex::new(status) });
    let store = Arc::new(Memory::new());
    let tenant = configuration.tenant.clone();
    let erp = System::new("erp").expect("a name");
    let spoke = hub::Spoke::new(Arc::clone(&configuration), erp.clone()).expect("configured");
    let hub = Runtime::start(runtime::Options {
        telemetry: Arc::new(telemetry::Registry::new(&tenant)),
        tenant,
        machines: vec![
            (MachineId::Intake, Box::new(hub::Intake::new(Arc::clone(&configuration)))),
            (MachineId::Spoke(erp), Box::new(spoke)),
        ],
        store: store.clone(),
        network: target.clone(),
        clock: Clock::starting_at(START),
        limits: runtime::Limits::default(),
        crash: None,
        folder: ".".into(),
    })
    .expect("starts");
    let ingress = Ingress::new(Options::of(&configuration, &secrets()), hub.clone());
    (Stage { hub, store, ingress }, target)
}

impl Stage {
    async fn post(&self, query: &str, id: &str, subject: &str, sequence: u64) -> Answer {
        let request = Request::post(format!("/v1/events{query}"))
            .header("authorization", "Bearer feed-token")
            .header(STRUCTURED.0, STRUCTURED.1);
        let body = cloud_event(id, subject, sequence).to_string();
        self.ask(request.body(Body::from(body)).expect("a request")).await
    }
}

fn told(answer: &Answer) -> Value {
    answer.body["results"][0]["deliveries"].clone()
}

fn delivery(state: &str, reached: bool, reason: Value) -> Value {
    json!([{"system": "erp", "route": "contact.erp", "state": state, "reached": reached, "reason": reason}])
}

#[tokio::test(start_paused = true)]
async fn the_answer_waits_for_the_target_and_no_longer() {
    let (stage, _target) = stage(Duration::from_millis(700), 200);
    let before = stage.hub.now().mono;
    let answer = stage.post("?wait=delivered:erp", "1", "a", 1).await;
    assert_eq!((answer.status.as_u16(), told(&answer)), (200, delivery("delivered", true, Value::Null)));
    let waited = stage.hub.now().mono.since(before);
    assert!(waited >= Duration::from_millis(700) && waited < Duration::from_millis(900), "{waited:?}");
    let plain = stage.post("", "2", "b", 1).await;
    assert_eq!((plain.status.as_u16(), told(&plain)), (202, Value::Null), "nobody waits who does not ask");
}

#[tokio::test(start_paused = true)]
async fn what_has_not_arrived_in_time_is_said_to_be_on_its_way() {
    let (stage, _target) = stage(Duration::from_secs(5), 200);
    let before = stage.hub.now().mono;
    let answer = stage.post("?wait=delivered:erp&timeout=500ms", "1", "a", 1).await;
    assert_eq!((answer.status.as_u16(), told(&answer)), (202, delivery("pending", false, Value::Null)));
    let waited = stage.hub.now().mono.since(before);
    assert!(waited >= Duration::from_millis(500) && waited < Duration::from_millis(700), "{waited:?}");
    assert_eq!(answer.body["results"][0]["outcome"], "accepted", "and it is taken in all the same");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_refuses_is_named_by_its_class_without_values() {
    let (stage, _target) = stage(Duration::ZERO, 422);
    let answer = stage.post("?wait=delivered:erp", "1", "a", 1).await;
    assert_eq!((answer.status.as_u16(), told(&answer)), (202, delivery("dead", false, json!("validation"))));
}

#[tokio::test(start_paused = true)]
async fn what_goes_nowhere_is_not_waited_for() {
    let (stage, _target) = stage(Duration::ZERO, 200);
    let first = stage.post("?wait=delivered:erp", "1", "a", 1).await;
    assert_eq!(first.status, 200);
    let before = stage.hub.now().mono;
    let again = stage.post("?wait=delivered:erp", "1", "a", 1).await;
    assert_eq!((again.status.as_u16(), &told(&again)[0]["state"]), (202, &json!("unknown")));
    let mail = stage.post("?wait=delivered:mail", "2", "b", 1).await;
    assert_eq!((mail.status.as_u16(), &told(&mail)[0]["state"]), (202, &json!("none")));
    assert!(stage.hub.now().mono.since(before) < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_waited_for_is_refused_before_anything_is_taken() {
    let (stage, _target) = stage(Duration::ZERO, 200);
    for query in ["?wait=delivered:epr", "?wait=erp", "?wait=delivered:erp&timeout=1h", "?wiat=delivered:erp"]
    {
        let answer = stage.post(query, "1", "a", 1).await;
        assert_eq!(answer.status, 400, "{query}");
    }
    assert_eq!(stage.facts().await, 0);
}

/// I19: those who wait are bounded; one too many is refused before anything of it is taken, and nobody's place is lost.
#[tokio::test(start_paused = true)]
async fn i19_those_who_wait_are_bounded() {
    let (stage, _target) = stage(Duration::from_secs(60), 200);
    let held: Vec<_> = std::iter::from_fn(|| stage.hub.watch()).collect();
    assert_eq!(held.len(), 256);
    let answer = stage.post("?wait=delivered:erp", "1", "a", 1).await;
    assert_eq!(answer.status, 503);
    assert_eq!(stage.facts().await, 0);
    drop(held);
    let answer = stage.post("?wait=delivered:erp&timeout=1s", "1", "a", 1).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let held: Vec<_> = std::iter::from_fn(|| stage.hub.watch()).collect();
    assert_eq!(held.len(), 256, "who has waited waits no more");
}
