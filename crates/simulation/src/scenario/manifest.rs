//! Manifests of the simulated targets: writes by idempotency class, in batches and as jobs; what answers mean.

use super::Class;

impl Class {
    fn writes(self) -> String {
        let update = "      update:
        for: [update]
        idempotency: {class: upsert}
        partial: true
        processing_max: 1s
        request: {method: PATCH, path: \"/items/{id}\", json: \"{fields}\", timeout: 1s}
        answer: {id: {path: id}}
";
        match self {
            Self::Upsert => "      put:
        for: [create, update]
        idempotency: {class: upsert}
        processing_max: 1s
        request: {method: PUT, path: \"/items/{key}\", json: \"{fields}\", timeout: 1s}
        answer: {id: {path: id}, created: {status: 201}}
"
            .replace(", created: {status: 201}", ""),
            Self::NativeKey => "      create:
        for: [create]
        idempotency: {class: native_key, ttl_s: 86400, replayed: {header: idempotent-replayed}}
        processing_max: 1s
        request: {method: POST, path: /items, headers: {idempotency-key: \"{intent}\"}, json: \"{fields}\", timeout: 1s}
        answer: {id: {path: id}}
      update:
        for: [update]
        idempotency: {class: native_key, ttl_s: 86400, replayed: {header: idempotent-replayed}}
        partial: true
        processing_max: 1s
        request: {method: PATCH, path: \"/items/{id}\", headers: {idempotency-key: \"{intent}\"}, json: \"{fields}\", timeout: 1s}
        answer: {id: {path: id}}
"
            .to_owned(),
            Self::SearchFirst => format!(
                "      create:
        for: [create]
        idempotency: {{class: search_first, index_lag_ms: {lag}}}
        processing_max: 1s
        request: {{method: POST, path: /items, json: \"{{fields}}\", timeout: 1s}}
        answer: {{id: {{path: id}}}}
        probe:
          request: {{method: GET, path: /items, query: {{key: \"{{whole.key}}\"}}, timeout: 1s}}
          answer: {{found: items, id: id}}
{update}",
                lag = Self::INDEX_LAG_MS + 100
            ),
            Self::Marker => format!(
                "      create:
        for: [create]
        idempotency: {{class: marker_field, index_lag_ms: {lag}}}
        processing_max: 1s
        request: {{method: POST, path: /items, json: {{\"...\": \"{{fields}}\", mark: \"{{key}}\"}}, timeout: 1s}}
        answer: {{id: {{path: id}}}}
        probe:
          request: {{method: GET, path: /items, query: {{mark: \"{{key}}\"}}, timeout: 1s}}
          answer: {{found: items, id: id}}
{update}",
                lag = Self::INDEX_LAG_MS + 100
            ),
            Self::None => format!(
                "      create:
        for: [create]
        idempotency: {{class: none}}
        processing_max: 1s
        request: {{method: POST, path: /items, json: \"{{fields}}\", timeout: 1s}}
        answer: {{id: {{path: id}}}}
{update}"
            ),
        }
    }

    /// With `batches`, what waits goes together; then there is one call at a time, so that something waits.
    pub(crate) fn manifest(self, batches: bool) -> String {
        let mut writes = self.writes();
        if batches && self == Self::NativeKey {
            // A key stands for a whole batch: what can't go again is looked for, when the search sees it.
            writes =
                writes.replacen("        processing_max: 1s\n", "        processing_max: 2s\n", 1).replacen(
                    "        answer: {id: {path: id}}\n",
                    "        answer: {id: {path: id}}
        probe:
          request: {method: GET, path: /items, query: {key: \"{whole.key}\"}, timeout: 1s}
          answer: {found: items, id: id}\n",
                    1,
                );
        }
        if batches {
            for (operation, how) in [("put", "put"), ("create", "create"), ("update", "patch")] {
                let looks_first = self == Self::SearchFirst && operation == "create";
                if !looks_first {
                    writes = with_batch(&writes, operation, &batch_of("items", how, self, 6));
                }
            }
        }
        format!(
            "connector: {name}
version: \"1\"
about: A simulated target.
limits: {{concurrency: {calls}}}
objects:
  items:
    shape: {{id: id}}
{fetch}    writes:
{writes}{ERRORS}",
            name = self.name(),
            fetch = if batches { FETCH } else { "" },
            calls = if batches { 1 } else { 4 },
        )
        // What comes late comes after that.
        .replace("timeout: 1s", if batches { "timeout: 300ms" } else { "timeout: 1s" })
    }
}

const FETCH: &str = "    fetch: {request: {method: GET, path: \"/items/{id}\", timeout: 1s}}\n";

/// The batch form of an operation: an answer for each in no order; those without a key one for each in its place.
pub(crate) fn batch_of(kind: &str, how: &str, class: Class, records_max: u32) -> String {
    let name = if how == "patch" { "id" } else { "key" };
    let fields = if class == Class::Marker && how == "create" {
        "{\"...\": \"{fields}\", mark: \"{key}\"}"
    } else {
        "\"{fields}\""
    };
    let ordered = class == Class::SearchFirst;
    let key = if class == Class::NativeKey { ", headers: {idempotency-key: \"{intent}\"}" } else { "" };
    let (query, lists) = if ordered {
        (", query: {ordered: \"1\"}", "results: items\n          correlate: position")
    } else {
        (
            "",
            "results: results
          errors: errors
          correlate: {echo: {sent: \"{intent}\", result: trace, error: trace}}",
        )
    };
    format!(
        "        batch:
          records_max: {records_max}
          request: {{method: POST, path: /{kind}/batch{query}{key}, json: {{inputs: \"{{records}}\"}}, timeout: 1s}}
          record: {{how: {how}, trace: \"{{intent}}\", name: \"{{{name}}}\", fields: {fields}}}
          {lists}
          answer: {{id: {{path: id}}}}
          rules:
            - {{when: {{body: {{path: status, equals: 404}}}}, class: not_found}}
            - {{when: {{body: {{path: status, equals: 409}}}}, class: duplicate, existing_id: {{path: id}}}}
            - {{when: {{body: {{path: status, equals: 422}}}}, class: validation}}
            - {{when: {{body: {{path: status, equals: 500}}}}, class: retryable}}
"
    )
}

/// The operation with a batch form, where it is there.
pub(crate) fn with_batch(writes: &str, operation: &str, batch: &str) -> String {
    let head = format!("      {operation}:\n");
    let Some(at) = writes.find(&head) else { return writes.to_owned() };
    let (before, rest) = writes.split_at(at + head.len());
    format!("{before}{batch}{rest}")
}

/// What the vendors' answers mean.
pub(crate) const ERRORS: &str = "errors:
  - {when: {status: [429]}, class: rate_limited, wait: {header: retry-after, default: 1s}}
  - {when: {status: [403], text: [too many]}, class: rate_limited, wait: {default: 1s}}
  - {when: {status: [404]}, class: not_found}
  - {when: {status: [409], text: [in flight]}, class: locked, wait: {default: 500ms}}
  - {when: {status: [409]}, class: duplicate, existing_id: {path: id}}
  - {when: {status: [400, 422]}, class: validation}
";

/// A batch form that begins a job.
pub(crate) fn job_of(batch: &str, kind: &str, records_max: u32) -> String {
    let records = format!("          records_max: {records_max}\n");
    let job = job_block(kind, "") + &records;
    batch
        .replace(&records, &job)
        .replace("        batch:\n", "        bulk:\n")
        .replace(&format!("/{kind}/batch"), &format!("/{kind}/jobs"))
}

fn job_block(kind: &str, query: &str) -> String {
    format!(
        "          job:
            records_min: 3
            lanes: [standard]
            id: id
            status:
              request: {{method: GET, path: \"/{kind}/jobs/{{job}}\", timeout: 300ms}}
              state: status
              done: [finished]
              rejected: [invalid]
              failed: [aborted]
            every: 300ms
            lasts_max: 4s
            results: {{method: GET, path: \"/{kind}/jobs/{{job}}/results\"{query}, timeout: 300ms}}
"
    )
}

/// Batches begin jobs; of classes without a key or an id of ours, what came of each is told by its place.
pub(super) fn as_jobs(manifest: &str, class: Class) -> String {
    let ordered = matches!(class, Class::Marker | Class::None);
    let query = if ordered { ", query: {ordered: \"1\"}" } else { "" };
    let job = job_block("items", query) + "          records_max: 6\n";
    let manifest =
        manifest.replace("          records_max: 6\n", &job).replace("/items/batch", "/items/jobs");
    let manifest = manifest.replace("        batch:\n", "        bulk:\n");
    if !ordered {
        return manifest;
    }
    let echo = "          results: results
          errors: errors
          correlate: {echo: {sent: \"{intent}\", result: trace, error: trace}}";
    manifest.replace(echo, "          results: items\n          correlate: position")
}
