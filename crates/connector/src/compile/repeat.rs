//! Whether a write says which object it is about, and whether it can be repeated as it claims.
//!
//! A class is a promise about lost answers. What can be seen of it in the request is looked for here: a key that is never
//! sent, or a look for something else, would make two objects of one, and nothing would tell.

use ledger::IdempotencyClass;
use serde_saphyr::Location;

use super::Compiler;
use crate::plan::{Parts, ProbePlan, RequestPlan};
use crate::source::{Serves, WriteSource};
use crate::template::Source;

/// One field of the record.
const fn is_field(source: &Source) -> bool {
    matches!(source, Source::Fields(Some(_)) | Source::Whole(Some(_)))
}

/// What is to be written.
const fn is_content(source: &Source) -> bool {
    matches!(source, Source::Fields(_) | Source::Whole(_))
}

/// What tells one record from another.
const fn is_of_record(source: &Source) -> bool {
    let known = matches!(source, Source::Key | Source::Id | Source::Intent | Source::Known(_));
    known || is_content(source)
}

/// What makes an object that is not there yet.
const fn makes(serves: Serves) -> bool {
    matches!(serves, Serves::Create | Serves::Notify)
}

impl Compiler<'_> {
    /// Looks what of a write's class can be seen in its requests.
    pub(super) fn check_repeat(
        &mut self,
        name: &str,
        source: &WriteSource,
        request: &RequestPlan,
        probe: Option<&ProbePlan>,
    ) {
        let at = source.idempotency.value.class.referenced;
        for (at, what, hint) in source.idempotency.value.faults() {
            self.error(at, what, hint);
        }
        if source.serves.is_empty() {
            let hint = "say what it is for: `for: [create]`, or `[notify]` where only routes name it";
            self.error(at, format!("`{name}` is chosen for nothing: `for` is empty"), hint);
        }
        let class = source.idempotency.value.class();
        match class {
            IdempotencyClass::NativeKey { ttl_s } => self.check_key(name, source, request, ttl_s),
            IdempotencyClass::Upsert => self.check_upsert(name, source, request),
            IdempotencyClass::SearchFirst { .. } if probe.is_none() => self.error(
                at,
                format!("`{name}` is `search_first` and has no `probe`"),
                "say how its effect is found, or choose another class",
            ),
            IdempotencyClass::MarkerField { .. } => self.check_mark(name, source, request, probe),
            IdempotencyClass::SearchFirst { .. } | IdempotencyClass::None => {}
        }
        if let Some(probe) = probe.filter(|_| !matches!(class, IdempotencyClass::MarkerField { .. })) {
            self.check_probe(name, source, request, probe);
        }
        self.check_object(name, source, request);
    }

    /// A native key is sent, and lives.
    fn check_key(&mut self, name: &str, source: &WriteSource, request: &RequestPlan, ttl_s: u64) {
        let at = source.idempotency.value.class.referenced;
        if let Some(ttl) = source.idempotency.value.ttl_s.as_ref().filter(|_| ttl_s == 0) {
            let at = ttl.referenced;
            let hint = "say for how many seconds the vendor keeps a key, such as `ttl_s: 86400`";
            self.error(at, format!("`{name}`: a key that lives for no time is none"), hint);
        }
        // `{key}` will not do: the vendor may keep it as a mark, and two changes of one record would carry the same.
        if !request.mentions(Parts::All, &|one| *one == Source::Intent) {
            self.error(
                at,
                format!("`{name}` is `native_key` and sends no key"),
                "put `{intent}` where the vendor takes it, such as `headers: {idempotency-key: \"{intent}\"}`, or choose another \
                 class",
            );
        }
    }

    /// A create that is repeated without harm names what the vendor tells the object by.
    fn check_upsert(&mut self, name: &str, source: &WriteSource, request: &RequestPlan) {
        // A statement says itself, by its conflict clause, which of the fields tell rows apart.
        let statement = request.is_statement();
        let own = |one: &Source| {
            matches!(one, Source::Key | Source::Intent) || is_field(one) || statement && is_content(one)
        };
        if source.serves.iter().copied().any(makes) && !request.mentions(Parts::All, &own) {
            self.error(
                source.idempotency.value.class.referenced,
                format!("`{name}` is `upsert`, and nothing in it names the object that it makes"),
                "put `{key}` or a `{fields.NAME}` into the path, the query or a key of its own, where the vendor tells objects \
                 apart; or choose another class",
            );
        }
    }

    /// A look looks for the record, and for what was written.
    fn check_probe(&mut self, name: &str, source: &WriteSource, request: &RequestPlan, probe: &ProbePlan) {
        let at = source.probe.as_ref().map_or(Location::UNKNOWN, |probe| place(&probe.request));
        if !probe.request.mentions(Parts::All, &is_of_record) {
            self.error(
                at,
                format!("the probe of `{name}` does not look for the record"),
                "search for `{key}`, where the write leaves it, for a `{fields.NAME}`, or for the object's `{id}`",
            );
            return;
        }
        let other = |one: &Source| *one != Source::Key && is_of_record(one);
        let by_key_alone = probe.request.names_key() && !probe.request.mentions(Parts::All, &other);
        let written = request.mentions(Parts::All, &|one| *one == Source::Key);
        if by_key_alone && !written && source.serves.iter().copied().any(makes) {
            self.error(
                at,
                format!("the probe of `{name}` looks for `{{key}}`, which `{name}` writes nowhere"),
                "put `{key}` into a field of the request, such as `concord_id: \"{key}\"`, and look there",
            );
        }
    }

    /// A write says what it writes, and to which object.
    fn check_object(&mut self, name: &str, source: &WriteSource, request: &RequestPlan) {
        let at = place(&source.request);
        let fills = |serves: &Serves| matches!(serves, Serves::Create | Serves::Update);
        if source.serves.iter().any(fills) && !request.mentions(Parts::All, &is_content) {
            self.error(
                at,
                format!("`{name}` writes nothing of the record"),
                "put `{fields}` into its body, or single ones, `{fields.NAME}`",
            );
        }
        let exists = |serves: &Serves| !makes(*serves);
        let direct = |one: &Source| matches!(one, Source::Id | Source::Key | Source::Known(Some(_)));
        let named = request.mentions(Parts::All, &direct) || request.mentions(Parts::Address, &is_field);
        if let Some(serves) = source.serves.iter().find(|serves| exists(serves))
            && !named
        {
            self.error(
                at,
                format!("`{name}` is for `{}`, and does not say for which object", serves.name()),
                "put `{id}`, the vendor's id, or `{key}` into its path or body",
            );
        }
    }

    /// A create that is found again by its mark writes it, and is looked for by it.
    fn check_mark(
        &mut self,
        name: &str,
        source: &WriteSource,
        request: &RequestPlan,
        probe: Option<&ProbePlan>,
    ) {
        let at = place(&source.request);
        if !request.names_key() {
            self.error(
                at,
                format!("`{name}` is `marker_field` and writes no mark"),
                "put `{key}` into a field of the request, such as `concord_id: \"{key}\"`",
            );
        }
        if !probe.is_some_and(|probe| probe.request.names_key()) {
            self.error(
                at,
                format!("`{name}` is `marker_field`, and no `probe` looks for its mark"),
                "search that field for `{key}`, or choose another class",
            );
        }
        if !source.serves.iter().copied().all(makes) {
            self.error(
                at,
                format!("`{name}` is `marker_field`, and not only for `create` or `notify`"),
                "a mark says that the object was made, not that a change of it arrived; use `upsert` for the others",
            );
        }
    }
}

/// Where a request stands.
pub(super) fn place(request: &crate::source::RequestSource) -> Location {
    match &request.sql {
        Some(sql) => sql.statement.referenced,
        None => request.path.referenced,
    }
}
