//! Batch endpoints: each input on its own, 207 when some fail.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::objects::{Shown, integration, properties_in, show_object};
use super::{HubSpot, Outcome, Refused, no_content, unrouted};
use crate::call::Call;
use crate::request::{Response, json as answer};
use crate::shelf::text;
use crate::system::{Desk, iso_ms};

/// Inputs a batch may have.
const MOST: usize = 100;

/// One input's result: the object's id and whether it is new.
type Written = (String, bool);

impl HubSpot {
    pub(super) fn batch(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        what: &str,
    ) -> Outcome<Response> {
        let body = call.body().map_err(Refused::invalid)?;
        let inputs = inputs_of(&body)?;
        match what {
            "read" => self.batch_read(desk, call, kind, &body, inputs),
            "archive" => {
                for input in inputs {
                    if let Some(id) = input.get("id").and_then(text) {
                        self.archive(desk, kind, &id, &integration(call, None));
                    }
                }
                Ok(no_content())
            }
            "create" | "update" | "upsert" => {
                self.check_batch(desk, kind, what, inputs)?;
                Ok(self.batch_write(desk, call, kind, what, inputs))
            }
            _ => Err(unrouted(call.request.method(), call.path())),
        }
    }

    /// What fails a whole batch before any input is looked at.
    fn check_batch(&self, desk: &Desk, kind: &str, what: &str, inputs: &[Value]) -> Outcome<()> {
        if what == "create" {
            return Ok(());
        }
        let mut seen = BTreeSet::new();
        for input in inputs {
            let id = input.get("id").and_then(text).ok_or_else(|| {
                Refused::invalid("Invalid input JSON: some required fields were not set: [id]")
            })?;
            if !seen.insert(id.to_lowercase()) {
                return Err(Refused::invalid(format!(
                    "Duplicate IDs found in batch input: [{id}]. IDs must be unique"
                )));
            }
            if let Some(name) = id_property(input) {
                self.check_unique(desk, kind, name)?;
            }
        }
        Ok(())
    }

    fn batch_write(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        what: &str,
        inputs: &[Value],
    ) -> Response {
        let (mut results, mut errors) = (Vec::new(), Vec::new());
        for input in inputs {
            let trace = input.get("objectWriteTraceId").and_then(Value::as_str).map(str::to_owned);
            let struck = call.partial.is_some_and(|share| desk.entropy.chance(share));
            let written = if struck {
                Err(Refused::new(500, "INTERNAL_ERROR", "internal error"))
            } else {
                self.write_input(desk, call, kind, what, input, trace.clone())
            };
            match written {
                Ok((id, new)) => {
                    let Some(object) = desk.shelf.get(kind, &id) else { continue };
                    let mut result = show_object(object, kind, &Shown::All);
                    if what == "upsert" {
                        result["new"] = json!(new);
                    }
                    if let Some(trace) = trace {
                        result["objectWriteTraceId"] = json!(trace);
                    }
                    results.push(result);
                }
                Err(refused) => errors.push(batch_error(refused, input, trace)),
            }
        }
        // The vendor promises no order; callers must correlate by trace id.
        results.reverse();
        let fine = if what == "create" { 201 } else { 200 };
        batch_answer(call, fine, results, errors)
    }

    fn write_input(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        what: &str,
        input: &Value,
        trace: Option<String>,
    ) -> Outcome<Written> {
        let stamp = integration(call, trace);
        let given = properties_in(input)?;
        if what == "create" {
            return Ok((self.create(desk, kind, given, &stamp)?, true));
        }
        let id = input.get("id").and_then(text).unwrap_or_default();
        let name = id_property(input);
        match (self.find(desk, kind, &id, name), name) {
            (Ok(found), _) => {
                self.update(desk, kind, &found, given, &stamp)?;
                Ok((found, false))
            }
            (Err(_), Some(name)) if what == "upsert" => {
                let mut given = given.clone();
                given.entry(name.to_owned()).or_insert_with(|| json!(id));
                Ok((self.create(desk, kind, &given, &stamp)?, true))
            }
            (Err(refused), _) => Err(refused),
        }
    }

    fn batch_read(
        &mut self,
        desk: &mut Desk,
        call: &Call<'_>,
        kind: &str,
        body: &Value,
        inputs: &[Value],
    ) -> Outcome<Response> {
        let name = id_property(body);
        if let Some(name) = name {
            self.check_unique(desk, kind, name)?;
        }
        let shown = Shown::body(kind, body);
        let (mut results, mut missing) = (Vec::new(), Vec::new());
        for id in inputs.iter().filter_map(|input| input.get("id").and_then(text)) {
            let found = self.find(desk, kind, &id, name).ok();
            match found.and_then(|found| desk.shelf.live(kind, &found)) {
                Some(object) => results.push(show_object(object, kind, &shown)),
                None => missing.push(id),
            }
        }
        let mut errors = Vec::new();
        if !missing.is_empty() {
            let message = format!(
                "Could not get some {} objects, they may be deleted or not exist. Check that ids are valid.",
                kind.to_uppercase()
            );
            let mut refused = Refused::new(404, "OBJECT_NOT_FOUND", message);
            refused.context = Some(json!({ "ids": missing }));
            errors.push(refused.body());
        }
        Ok(batch_answer(call, 200, results, errors))
    }
}

fn inputs_of(body: &Value) -> Outcome<&[Value]> {
    let inputs = body.get("inputs").and_then(Value::as_array);
    let inputs = inputs
        .ok_or_else(|| Refused::invalid("Invalid input JSON: some required fields were not set: [inputs]"))?;
    if inputs.len() > MOST {
        return Err(Refused::invalid(format!("The maximum number of inputs in a batch request is {MOST}.")));
    }
    Ok(inputs)
}

fn id_property(value: &Value) -> Option<&str> {
    value.get("idProperty").and_then(Value::as_str).filter(|name| !name.is_empty() && *name != "hs_object_id")
}

fn batch_error(mut refused: Refused, input: &Value, trace: Option<String>) -> Value {
    let mut context = json!({});
    if let Some(id) = input.get("id").and_then(text) {
        context["ids"] = json!([id]);
    }
    if let Some(trace) = trace {
        context["objectWriteTraceId"] = json!([trace]);
    }
    refused.context = Some(context);
    refused.body()
}

fn batch_answer(call: &Call<'_>, fine: u16, results: Vec<Value>, errors: Vec<Value>) -> Response {
    let at = iso_ms(call.now_ms);
    let mut body = json!({"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at});
    if errors.is_empty() {
        return answer(fine, &body);
    }
    body["numErrors"] = json!(errors.len());
    body["errors"] = Value::Array(errors);
    answer(207, &body)
}
