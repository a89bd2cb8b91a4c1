//! Lines as they come out, and what does not come out.

use std::sync::{Arc, Mutex};

use super::*;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What comes out while `say` runs.
pub(crate) fn lines(format: LogFormat, filter: &str, say: impl FnOnce()) -> String {
    let sink = Sink::default();
    let to = sink.clone();
    let subscriber = tracing_subscriber::registry()
        .with(layer_filter(filter).expect("a filter"))
        .with(layer(format, false, move || to.clone()));
    tracing::subscriber::with_default(subscriber, say);
    let bytes = sink.0.lock().expect("not poisoned").clone();
    String::from_utf8(bytes).expect("text")
}

#[test]
fn json_is_one_object_per_line() {
    let text = lines(LogFormat::Json, "info", || {
        tracing::warn!(system = "crm", attempts = 3, ok = false, "delivery\ndead");
        tracing::info!("next");
    });
    let rows: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("json")).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["level"], "WARN");
    assert_eq!(rows[0]["message"], "delivery\ndead");
    assert_eq!(rows[0]["system"], "crm");
    assert_eq!(rows[0]["attempts"], 3);
    assert_eq!(rows[0]["ok"], false);
    assert!(rows[0]["time"].as_str().expect("time").ends_with('Z'));
}

#[test]
fn pretty_keeps_one_line_per_event() {
    let text = lines(LogFormat::Pretty, "info", || {
        tracing::warn!(system = "crm", detail = "a b", "forged\n2026 INFO all is well");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(r#" WARN forged 2026 INFO all is well system=crm detail="a b""#), "{text}");
}

/// I15
#[test]
fn secrets_and_persons_do_not_come_out() {
    for format in [LogFormat::Json, LogFormat::Pretty] {
        let text = lines(format, "info", || {
            tracing::info!(
                access_token = "abc",
                detail = "member ann@example.com refused, Bearer s3cr3t",
                api_key = 42,
                "call 0049301234567"
            );
        });
        for leaked in ["abc", "ann@", "s3cr3t", "42", "0049301234567"] {
            assert!(
                !text.contains(&format!("{leaked}\"")) && !text.contains(&format!("={leaked}")),
                "{text}"
            );
        }
        assert!(!text.contains("ann@example.com") && !text.contains("s3cr3t"), "{text}");
        assert!(text.contains("[redacted]"), "{text}");
    }
}

/// A trace id looks like a token, and is what people search for.
#[test]
fn ids_that_concord_makes_stay() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let text = lines(LogFormat::Json, "debug", || tracing::debug!(trace, "delivered"));
    assert!(text.contains(trace), "{text}");
}

/// No line per delivery at the default level.
#[test]
fn deliveries_are_silent_by_default_and_dead_letters_are_not() {
    let registry = crate::Registry::new(&canonical::Tenant::new("acme").expect("a name"));
    let system = canonical::System::new("erp").expect("a name");
    let speak = || {
        registry.note(&hub::Mark::Delivered {
            system: system.clone(),
            object: canonical::Object::new("customer").expect("a name"),
            lane: ledger::Lane::Standard,
            lag: std::time::Duration::from_millis(3),
            folded: 1,
            trace: "0af7651916cd43dd8448eb211c80319c".to_owned(),
        });
        registry.note(&hub::Mark::Dead {
            system: system.clone(),
            class: "validation".to_owned(),
            message: "field `terms`: not one of the choices; for ann@example.com".to_owned(),
            trace: "0af7651916cd43dd8448eb211c80319c".to_owned(),
        });
    };
    let text = lines(LogFormat::Json, "info", speak);
    assert_eq!(text.lines().count(), 1, "{text}");
    let row: Value = serde_json::from_str(&text).expect("json");
    assert_eq!(row["level"], "WARN");
    assert_eq!(row["system"], "erp");
    assert_eq!(row["class"], "validation");
    assert_eq!(row["trace"], "0af7651916cd43dd8448eb211c80319c");
    assert!(row["detail"].as_str().expect("detail").contains("`terms`"), "{text}");
    assert!(!text.contains("ann@"), "{text}");
}

#[test]
fn a_bad_filter_says_what_would_be_right() {
    let error = layer_filter("info,=,").expect_err("not a filter").to_string();
    assert!(error.contains("info,=,") && error.contains("egress=debug"), "{error}");
}

#[test]
fn the_list_of_plain_fields_is_sorted_for_its_search() {
    assert!(PLAIN.is_sorted());
}
