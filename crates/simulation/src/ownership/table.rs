//! An ownership table per seed: of each field its type, its owner, its policy, and who is heard; and the folder that says so.

use std::sync::Arc;

use canonical::OnConflict;
use config::Configuration;
use serde_json::{Value, json};

use crate::scenario::{ERRORS, folder, loaded};
use crate::vendor::habit::LAG_MAX;

/// The three systems. The first has an order, the second has none, the third writes a text its own way.
pub(super) const SYSTEMS: [&str; 3] = ["alpha", "beta", "gamma"];
/// The one without an order.
pub(super) const BETA: usize = 1;
/// The field that the third writes its own way.
pub(super) const SHOUTED: &str = "title";
/// The one that writes it.
pub(super) const GAMMA: usize = 2;
/// By how much clocks may differ.
pub(super) const SKEW: u64 = 2_000_000;
/// By how much the third system's clock does, in microseconds.
const OFF: u64 = 900_000;
/// The field on which owners depend, where they do.
pub(super) const STATE: &str = "state";
/// States there are.
const STATES: [&str; 3] = ["lead", "customer", "past"];
/// Tags there are.
const TAGS: [&str; 6] = ["blue", "cold", "fast", "green", "new", "old"];

/// Numbers of a seed.
#[derive(Clone, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub(super) fn in_hundred(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    pub(super) fn system(&mut self) -> usize {
        usize::try_from(self.below(3)).unwrap_or(0)
    }

    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T], or: T) -> T {
        let place = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices.get(place).copied().unwrap_or(or)
    }
}

/// The type of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Text,
    Integer,
    Decimal,
    Set,
    Date,
    State,
}

impl Kind {
    /// The value of a number: another number is another value, and the greater one is the greater one.
    pub(super) fn value(self, number: u64) -> Value {
        match self {
            Self::Text => json!(format!("title {number}")),
            Self::State => json!(STATES.get(usize::try_from(number % 3).unwrap_or(0))),
            Self::Integer => json!(number),
            Self::Decimal => json!(format!("{number}.5")),
            Self::Set => {
                // All but none.
                let bits = 1 + number % 63;
                let has = |place: &usize| bits >> place & 1 == 1;
                json!((0..TAGS.len()).filter(has).filter_map(|place| TAGS.get(place)).collect::<Vec<_>>())
            }
            Self::Date => {
                let (year, month, day) = (2026 + number / 336, 1 + number / 28 % 12, 1 + number % 28);
                json!(format!("{year}-{month:02}-{day:02}"))
            }
        }
    }

    const fn schema(self) -> &'static str {
        match self {
            Self::Text | Self::State => "{type: string}",
            Self::Integer => "{type: integer}",
            Self::Decimal => "{type: string, format: decimal}",
            Self::Set => "{type: array, items: {type: string}, uniqueItems: true}",
            Self::Date => "{type: string, format: date}",
        }
    }

    const fn has_order(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal | Self::Date)
    }
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) field: &'static str,
    pub(super) kind: Kind,
    pub(super) owner: Option<usize>,
    pub(super) policy: OnConflict,
    /// Who owns it instead while the record is in a state.
    pub(super) owners: Vec<(&'static str, usize)>,
    /// Whose word on it is read. All three are written.
    pub(super) heard: [bool; 3],
}

impl Rule {
    pub(super) fn hears(&self, system: usize) -> bool {
        self.heard.get(system).copied().unwrap_or(false)
    }

    /// Whether a system's edit is one by somebody who does not own it.
    pub(super) fn is_foreign(&self, system: usize) -> bool {
        self.owner.is_some_and(|owner| owner != system)
    }
}

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) rules: Vec<Rule>,
    /// Who makes records.
    pub(super) creator: usize,
    pub(super) counter_writes_max: u32,
    /// The first system orders its states by when they changed, not by a version.
    pub(super) timed: bool,
    /// How the third system writes a text is said by its connector, else by the mapping's row.
    pub(super) told: bool,
}

impl Table {
    /// The table of a seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice(seed ^ 0x0f_ac_e5);
        let creator = dice.system();
        let kinds = [
            (SHOUTED, Kind::Text),
            ("amount", Kind::Integer),
            ("price", Kind::Decimal),
            ("tags", Kind::Set),
            ("due", Kind::Date),
        ];
        let rules: Vec<Rule> = kinds.map(|(field, kind)| rule(field, kind, creator, &mut dice)).to_vec();
        let latest = rules.iter().any(|rule| rule.policy == OnConflict::Latest);
        Self {
            timed: latest || dice.in_hundred(30),
            counter_writes_max: if dice.in_hundred(20) { 2 } else { 60 },
            creator,
            rules,
            // What was drawn before stays what it was.
            told: seed % 2 == 1,
        }
    }

    /// A table of a seed in which owners depend on the record's state.
    pub(super) fn moving(seed: u64) -> Self {
        let mut dice = Dice(seed ^ 0x0307_e500);
        let creator = dice.system();
        let kinds = [(SHOUTED, Kind::Text), ("amount", Kind::Integer), ("tags", Kind::Set)];
        let mut rules = vec![owned(STATE, Kind::State, &mut dice)];
        rules.extend(kinds.map(|(field, kind)| {
            let mut rule = owned(field, kind, &mut dice);
            rule.owners.push(("customer", dice.system()));
            if dice.in_hundred(50) {
                rule.owners.push(("past", dice.system()));
            }
            rule
        }));
        let counter_writes_max = 60;
        Self { rules, creator, counter_writes_max, timed: dice.in_hundred(30), told: seed % 2 == 1 }
    }

    /// A table in which each field has an owner and all others are refused, but for one that is nobody's.
    pub(super) fn of_owners(dice: &mut Dice) -> Self {
        let creator = dice.system();
        let kinds = [(SHOUTED, Kind::Text), ("amount", Kind::Integer), ("tags", Kind::Set)];
        let mut rules = kinds.map(|(field, kind)| owned(field, kind, dice)).to_vec();
        rules.push(Rule { owner: None, policy: OnConflict::Reject, ..owned("due", Kind::Date, dice) });
        let timed = dice.in_hundred(30);
        Self { rules, creator, counter_writes_max: 60, timed, told: dice.0 % 2 == 1 }
    }

    /// Whether owners depend on the record's state.
    pub(super) fn moves(&self) -> bool {
        self.rules.iter().any(|rule| !rule.owners.is_empty())
    }

    /// How far the clock of a system is off.
    pub(super) const fn clock_off(system: usize) -> i64 {
        if system == GAMMA { OFF.cast_signed() } else { 0 }
    }

    /// Whether others propose something to it.
    pub(super) fn is_asked(&self, system: usize) -> bool {
        self.rules.iter().any(|rule| rule.policy == OnConflict::Propose && rule.owner == Some(system))
    }

    /// The hub that works by it.
    pub(super) fn configuration(&self) -> Arc<Configuration> {
        let mut files = folder();
        for (place, name) in SYSTEMS.iter().enumerate() {
            files.put(&format!("connectors/{name}.yaml"), self.connector(place, name));
            files.put(&format!("mappings/thing.{name}.yaml"), self.mapping(place, name));
            let system = format!(
                "system: {name}\nconnector: connectors/{name}.yaml\nconnection: {{base_url: \
                 \"https://{name}.example.com\"}}\nretry: {{base: 200ms, cap: 5s, attempts_max: 30}}\n\
                 webhook: {{secrets: [{{env: HOOK}}]}}\n"
            );
            files.put(&format!("systems/{name}.yaml"), system);
        }
        files.remove("systems/src.yaml");
        files.put("model/thing.yaml", self.entity());
        let routes = SYSTEMS.map(|name| {
            format!(
                "  - {{route: to.{name}, kind: sync, entity: Thing, system: {name}, object: items, mapping: thing.{name}}}\n"
            )
        });
        files.put("routes/all.yaml", format!("routes:\n{}", routes.concat()));
        loaded(&files)
    }

    fn entity(&self) -> String {
        let (mut schema, mut fields) = (String::new(), String::new());
        for Rule { field, kind, owner, policy, owners, .. } in &self.rules {
            schema += &format!("    {field}: {}\n", kind.schema());
            let owned = owner.and_then(|owner| SYSTEMS.get(owner)).map(|name| format!("owner: {name}, "));
            let policy = match (owner, policy.needs_no_owner()) {
                (None, false) => String::new(),
                _ => format!("on_conflict: {}, ", policy.name()),
            };
            let owners = owners.iter().map(|(state, owner)| {
                let owner = SYSTEMS.get(*owner).copied().unwrap_or_default();
                format!("{{owner: {owner}, when: [{{field: {STATE}, equals: {state}}}]}}")
            });
            let owners: Vec<String> = owners.collect();
            let owners =
                if owners.is_empty() { String::new() } else { format!("owners: [{}], ", owners.join(", ")) };
            fields += &format!("  {field}: {{{}{owners}{policy}pii: none}}\n", owned.unwrap_or_default());
        }
        let creator = SYSTEMS.get(self.creator).copied().unwrap_or_default();
        format!(
            "entity: Thing\nversion: 1\nschema:\n  type: object\n  properties:\n    key: {{type: string}}\n{schema}\
             fields:\n  key: {{owner: {creator}, pii: none}}\n{fields}match_keys:\n  - {{name: key, fields: [key]}}\n\
             creators: [{creator}]\ncounter_writes_max: {}\nclock_skew: {}s\n",
            self.counter_writes_max,
            SKEW / 1_000_000
        )
    }

    fn mapping(&self, place: usize, name: &str) -> String {
        let rows = self.rules.iter().map(|rule| {
            let direction = if rule.hears(place) { "both" } else { "out" };
            let folds = place == GAMMA && rule.field == SHOUTED && !self.told;
            let equal = if folds { ", equal: folded" } else { "" };
            format!("  - {{field: {0}, path: {0}, direction: {direction}{equal}}}\n", rule.field)
        });
        format!(
            "mapping: thing.{name}\nversion: 1\nentity: Thing\nsystem: {name}\nobject: items\nfields:\n  \
             - {{field: key, path: key}}\n{}",
            rows.collect::<String>()
        )
    }

    /// The path, form and unit of the order of a system's states.
    fn order(&self, place: usize) -> &'static str {
        match place {
            BETA => "",
            GAMMA => ", order: {path: changed_ms, form: ms}",
            _ if self.timed => ", order: {path: changed, unit: us}",
            _ => ", order: {path: revision, form: number}",
        }
    }

    pub(super) fn connector(&self, place: usize, name: &str) -> String {
        let order = self.order(place);
        // Who has an order may have replicas that are behind.
        let lag = if place == BETA { String::new() } else { format!(", lag: {}ms", LAG_MAX / 1_000) };
        let rewrites = if place == GAMMA && self.told {
            format!("\n    normalises: {{{SHOUTED}: [trim, upper]}}")
        } else {
            String::new()
        };
        let keyed = "class: native_key, ttl_s: 86400, replayed: {header: idempotent-replayed}";
        let (class, create, key) = if place == GAMMA {
            (keyed, "method: POST, path: /items", ", headers: {idempotency-key: \"{intent}\"}")
        } else {
            ("class: upsert", "method: PUT, path: \"/items/{key}\"", "")
        };
        format!(
            "connector: {name}
version: \"1\"
about: A system that says and is told.
limits: {{concurrency: 4}}
webhook:
  scheme: {{preset: hmac}}
  id: [event]
  kind: kind
  object_id: object.id
  fields: object
  rules:
    - {{match: \"*\", object: items, seen: state}}
objects:
  items:
    shape: {{id: id{order}}}{rewrites}
    fetch: {{request: {{method: GET, path: \"/items/{{id}}\", timeout: 1s}}{lag}}}
    writes:
      create:
        for: [create]
        idempotency: {{{class}}}
        processing_max: 1s
        request: {{{create}{key}, json: \"{{fields}}\", timeout: 1s}}
        answer: {{id: {{path: id}}{order}}}
      update:
        for: [update]
        idempotency: {{{class}}}
        partial: true
        processing_max: 1s
        request: {{method: PATCH, path: \"/items/{{id}}\"{key}, json: \"{{fields}}\", timeout: 1s}}
        answer: {{id: {{path: id}}{order}}}
{ERRORS}"
        )
    }
}

/// A field that somebody owns, and all others are refused.
fn owned(field: &'static str, kind: Kind, dice: &mut Dice) -> Rule {
    let policy = dice.one_of(&[OnConflict::Reject, OnConflict::Revert], OnConflict::Reject);
    Rule { field, kind, owner: Some(dice.system()), policy, owners: Vec::new(), heard: [true; 3] }
}

/// What fits the field's type.
fn rule(field: &'static str, kind: Kind, creator: usize, dice: &mut Dice) -> Rule {
    use OnConflict::{Latest, Max, Min, Propose, Reject, Revert, Union};
    let owner = Some(dice.system()).filter(|_| !dice.in_hundred(25));
    let mut policies = match owner {
        Some(_) => vec![Reject, Revert, Propose],
        None => vec![Reject],
    };
    if kind.has_order() {
        policies.extend([Min, Max]);
    }
    if kind == Kind::Set {
        policies.extend([Union, Union]);
    }
    // Nobody can tell when it changed in a system that does not say so.
    if creator != BETA && owner != Some(BETA) {
        policies.push(Latest);
    }
    let policy = dice.one_of(&policies, Reject);
    let mut heard = [0, 1, 2].map(|place| {
        let must = place == creator || owner == Some(place);
        must || dice.in_hundred(85)
    });
    if policy == Latest
        && let Some(beta) = heard.get_mut(BETA)
    {
        *beta = false;
    }
    Rule { field, kind, owner, policy, owners: Vec::new(), heard }
}
