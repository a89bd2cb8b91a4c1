//! `docs/ownership.md`: its worked conflicts are played here, row by row, and come out as the page says.

use canonical::OpenKind;
use canonical::schema::Ownership;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::{Choice, Link, settle};

/// What a block of the page configures, written as in a file of `model/`.
#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
struct Rules {
    schema: Value,
    fields: BTreeMap<Field, Rule>,
    match_keys: Vec<MatchKey>,
    creators: Option<Vec<System>>,
    deleters: Option<Vec<System>>,
    on_delete: Option<OnDelete>,
    counter_writes_max: Option<u32>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
struct Rule {
    owner: Option<System>,
    owners: Vec<Ownership>,
    prefer: Vec<System>,
    on_conflict: OnConflict,
}

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ownership.md");
    std::fs::read_to_string(path).expect("docs/ownership.md")
}

fn yaml<T: DeserializeOwned>(text: &str) -> T {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What stands between two marks, as often as they come.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    text.split(from).skip(1).map(|rest| rest.split_once(to).expect("a closing mark").0).collect()
}

fn kind(property: &Value) -> FieldType {
    match (property["type"].as_str(), property["format"].as_str()) {
        (Some("string"), Some("decimal")) => FieldType::Decimal,
        (Some("string"), _) => FieldType::Text,
        (Some("array"), _) => FieldType::List { set: property["uniqueItems"] == true },
        other => panic!("{other:?}"),
    }
}

/// A time of day, as microseconds.
fn time(text: &str) -> Wall {
    let parts: Vec<i64> = text.split(':').map(|part| part.parse().expect("a time of day")).collect();
    let seconds = parts.iter().zip([3600, 60, 1]).map(|(part, unit)| part * unit).sum::<i64>();
    Wall(seconds * 1_000_000)
}

/// Values as the page writes them.
fn shown(values: &Fields) -> String {
    let parts: Vec<String> = values.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("`{{{}}}`", parts.join(", ").replace("\",\"", "\", \""))
}

/// A hub that delivers at once: what a system is told, stands there.
struct Hub {
    world: World,
    /// The fields that the block is about.
    about: Vec<Field>,
}

impl Hub {
    fn new(ground: &Rules, rules: &Rules) -> Self {
        let mut world = World::new();
        world.routes.retain(|route| route.kind == RouteKind::Sync);
        let properties = ground.schema["properties"].as_object().expect("the page's fields").clone();
        let specs = properties.iter().map(|(name, property)| {
            let rule = rules.fields.get(name.as_str()).cloned().unwrap_or_default();
            let Rule { owner, owners, prefer, on_conflict } = rule;
            (field(name), FieldSpec { owner, owners, prefer, on_conflict, ..FieldSpec::of(kind(property)) })
        });
        let schema = &mut world.schema;
        schema.fields = specs.collect();
        schema.facts.clear();
        schema.match_keys.clone_from(&ground.match_keys);
        let or_ground = |of: fn(&Rules) -> &Option<Vec<System>>| {
            of(rules).as_ref().or(of(ground).as_ref()).cloned().unwrap_or_default()
        };
        schema.creators = or_ground(|rules| &rules.creators);
        schema.deleters = or_ground(|rules| &rules.deleters);
        schema.on_delete = rules.on_delete.unwrap_or_default();
        schema.counter_writes_max = rules.counter_writes_max.unwrap_or(5);
        let about = rules.fields.keys().cloned().collect();
        let mut hub = Self { world, about };
        hub.row("09:00", "crm: `{email: \"ada@x.org\"}`");
        hub
    }

    fn record(&self) -> Option<&Record> {
        self.world.view.records.values().next()
    }

    fn id(of: &str) -> String {
        format!("{of}-1")
    }

    fn shadow(&mut self, of: &System) -> &mut Shadow {
        let record = self.record().expect("a record").id;
        let key = (record, of.clone(), object("people"));
        let blank = Shadow::blank(Tenant::new("acme").unwrap(), record, of.clone(), object("people"));
        let linked = self.world.view.linked.get(&key).cloned().unwrap_or_default();
        let shadow = self.world.view.shadows.entry(key).or_insert_with(|| blank.clone());
        // Of another object that stood there nothing is known of this one.
        if !shadow.is_of(&linked) {
            *shadow = blank;
        }
        shadow
    }

    /// Plays a row. Gives its last three cells.
    fn row(&mut self, at: &str, says: &str) -> [String; 3] {
        let now = time(at);
        let verdict = match says.strip_prefix("a person takes ") {
            Some(which) => Verdict::Accept(Box::new(self.settle(now, which))),
            None => {
                let incoming = self.incoming(now, says);
                let verdict = self.world.decide(&incoming);
                if let Verdict::Accept(accepted) = &verdict {
                    return self.came_to(now, accepted, Some(&incoming));
                }
                verdict
            }
        };
        match verdict {
            Verdict::Accept(accepted) => self.came_to(now, &accepted, None),
            Verdict::Quarantine(reason) => {
                [self.stands(), String::new(), format!("quarantined: `{}`", reason.class)]
            }
            other => panic!("{says}: {other:?}"),
        }
    }

    /// `SYSTEM: {values}`, with `, late, of TIME` or `, changed there TIME`; `SYSTEM: deleted`; `SYSTEM: merged into ID`.
    /// Another object than the usual one is named behind the system.
    fn incoming(&mut self, now: Wall, says: &str) -> Incoming {
        let (who, what) = says.split_once(": ").expect("who says what");
        let (who, id) = who.split_once(' ').map_or((who, Self::id(who)), |(who, id)| (who, id.to_owned()));
        let (values, tail) = match what.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
            Some((values, tail)) => (yaml(values), tail),
            None => (Fields::new(), ""),
        };
        let mut incoming = Incoming { as_of: now, ..said(who, &id, now.0, Value::Object(values)) };
        incoming.matches = match_values(&self.world.schema, &incoming.fields);
        match what {
            "deleted" => incoming.deleted = true,
            _ => incoming.merged_into = what.strip_prefix("merged into ").map(|into| external(who, into)),
        }
        if let Some(of) = tail.strip_prefix(", late, of ") {
            incoming.order = Some(OrderToken(time(of).0));
            (incoming.read, incoming.complete) = (false, false);
        } else if let Some(changed) = tail.strip_prefix(", changed there ") {
            incoming.changed_at = Some(time(changed));
        } else {
            assert_eq!(tail, "", "{says}");
        }
        if self.world.view.links.contains_key(&incoming.about) {
            incoming.known = self.shadow(&system(who)).fields.clone();
        }
        incoming
    }

    fn settle(&mut self, now: Wall, which: &str) -> Accepted {
        let choice = if which == "the record's value" { Choice::Record } else { Choice::Other };
        let routes: Vec<&Route> = self.world.routes.iter().collect();
        let tenant = Tenant::new("acme").unwrap();
        let context = Context {
            tenant: &tenant,
            schema: &self.world.schema,
            routes: &routes,
            now,
            event: EventId::from_parts(now, 1),
            fresh: RecordId::from_parts(now, 1),
            restored_at: None,
        };
        let id = *self.world.view.records.keys().next().expect("a record");
        let (field, view) = (&self.about[0], &mut self.world.view);
        settle(context, view, id, field, &choice, "ann: on the page", "t").unwrap()
    }

    fn came_to(&mut self, now: Wall, accepted: &Accepted, incoming: Option<&Incoming>) -> [String; 3] {
        let systems: BTreeSet<System> = accepted.raises.iter().map(|raise| raise.system.clone()).collect();
        let mut told: Vec<String> = systems.iter().filter_map(|system| self.told(now, system)).collect();
        let mut read = accepted.reread.clone();
        read.extend(incoming.filter(|_| accepted.refetch).map(|incoming| incoming.about.system.clone()));
        read.extend(accepted.wanted.iter().map(|wanted| wanted.system.clone()));
        told.extend(read.iter().map(|system| format!("{system} is read")));
        let recorded: Vec<&str> = accepted.decisions.iter().map(|decision| decision.kind.name()).collect();
        [self.stands(), told.join(", "), recorded.join(", ")]
    }

    /// What the record has of the fields that the block is about.
    fn stands(&self) -> String {
        match self.record() {
            Some(record) if record.alive != Alive::Live => "it is deleted".to_owned(),
            Some(record) => shown(&self.of_block(&record.fields)),
            None => "there is none".to_owned(),
        }
    }

    fn of_block(&self, fields: &Fields) -> Fields {
        let ours = fields.iter().filter(|(name, _)| self.about.iter().any(|f| f.as_str() == *name));
        ours.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Says to a system what it does not have yet, as deliveries do. Gives how the page says so, when there was anything.
    fn told(&mut self, now: Wall, to: &System) -> Option<String> {
        let record = self.record()?.clone();
        if record.alive != Alive::Live {
            return Some(to.to_string());
        }
        let at = external(to.as_str(), &Self::id(to.as_str()));
        let standing = self.world.view.linked.get(&(record.id, to.clone(), object("people"))).cloned();
        let fresh = standing.is_none();
        if fresh {
            self.link(&record, &at, now);
        }
        let held: BTreeSet<&Field> = record.held_at(to).collect();
        let schema = self.world.schema.clone();
        let own = |field: &Field, spec: &FieldSpec| {
            let open = record.open.get(field).is_some_and(|open| open.kind == OpenKind::Proposed);
            spec.owner_in(&record.fields) == Some(to) && !spec.on_conflict.merges() && !open && !fresh
        };
        let words = record.said_to(to, &schema);
        let shadow = self.shadow(to);
        let mut told = Fields::new();
        let open = |(field, spec): &(&Field, &FieldSpec)| !held.contains(field) && !own(field, spec);
        for (field, _) in schema.fields.iter().filter(open) {
            match words.get(field.as_str()) {
                Some(value) if shadow.fields.get(field.as_str()) != Some(value) => {
                    told.insert(field.to_string(), value.clone());
                }
                _ => {}
            }
        }
        if told.is_empty() {
            return None;
        }
        shadow.fields.extend(told.clone());
        (shadow.token, shadow.written_at) = (Some(OrderToken(now.0)), Some(now));
        let told = self.of_block(&told);
        let otherwise = told.iter().any(|(name, value)| record.fields.get(name) != Some(value));
        Some(if otherwise { format!("{to} {}", shown(&told)) } else { to.to_string() })
    }

    fn link(&mut self, record: &Record, at: &ExternalRef, now: Wall) {
        let link = Link {
            tenant: record.tenant.clone(),
            system: at.system.clone(),
            instance: "account-1".into(),
            object: at.object.clone(),
            external_id: at.id.clone(),
            entity: record.entity.clone(),
            record: record.id,
            created_at: now,
        };
        let view = &mut self.world.view;
        view.linked.insert((record.id, at.system.clone(), at.object.clone()), at.id.clone());
        view.links.insert(at.clone(), link);
    }
}

#[test]
fn every_worked_conflict_comes_out_as_the_page_says() {
    let page = page();
    let rules = |block: &str| yaml::<Rules>(between(block, "```yaml\n", "\n```").first().expect("its rules"));
    let ground = rules(between(&page, "<!-- ground -->", "<!-- end -->").first().expect("the ground"));
    let (mut policies, mut wrong) = (BTreeSet::new(), Vec::new());
    for block in between(&page, "<!-- play -->", "<!-- end -->") {
        let rules = rules(block);
        policies.extend(rules.fields.values().map(|rule| rule.on_conflict.name()));
        let mut hub = Hub::new(&ground, &rules);
        let lines: Vec<&str> = block.lines().filter(|line| line.starts_with('|')).skip(2).collect();
        assert!(lines.len() > 1, "{block}");
        let played = lines.iter().map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [has, told, recorded] = hub.row(cells[1], cells[2]);
            format!("| {} | {} | {has} | {told} | {recorded} |", cells[1], cells[2])
        });
        let played: Vec<String> =
            played.map(|line| line.replace("|  |", "| |").replace("|  |", "| |")).collect();
        if lines != played {
            wrong.push(format!("{block}\ncomes to\n\n{}\n", played.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all = [
        OnConflict::Reject,
        OnConflict::Revert,
        OnConflict::Propose,
        OnConflict::Latest,
        OnConflict::Min,
        OnConflict::Max,
        OnConflict::Union,
    ];
    assert_eq!(policies, all.iter().map(|policy| policy.name()).collect());
}

#[test]
fn every_kind_of_decision_is_on_the_page() {
    let page = page();
    for kind in DecisionKind::ALL {
        assert!(page.contains(&format!("`{}`", kind.name())), "{}", kind.name());
    }
}
