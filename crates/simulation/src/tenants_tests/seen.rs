//! What a tenant can see: the ids it knows, every question about them, and the answers without
//! the store's positions.

use std::collections::BTreeSet;

use canonical::{System, Tenant, Wall};
use ledger::{Lane, ObligationKey, Scope};
use store::browse::*;
use store::conformance::Backend;
use store::{Query, SpokeAsk, Walk};

use super::{CLASSES, START, THINGS};

/// Ids of a tenant.
pub(super) struct Known {
    pub(super) jobs: Vec<canonical::JobId>,
    pub(super) messages: Vec<canonical::MessageId>,
    pub(super) records: Vec<canonical::RecordId>,
    pub(super) deliveries: Vec<(ObligationKey, canonical::RecordId)>,
    pub(super) events: Vec<canonical::EventId>,
    pub(super) groups: Vec<String>,
}

impl Known {
    pub(super) fn of(store: &Backend, tenant: &Tenant) -> Self {
        let mut known = Self {
            jobs: Vec::new(),
            messages: Vec::new(),
            records: Vec::new(),
            deliveries: Vec::new(),
            events: Vec::new(),
            groups: Vec::new(),
        };
        for look in lists() {
            match store.look(tenant, look) {
                Page::Deliveries(rows) => {
                    known.deliveries = rows.into_iter().map(|(_, row)| (row.key, row.record)).collect();
                    let records: BTreeSet<_> = known.deliveries.iter().map(|(_, record)| *record).collect();
                    known.records = records.into_iter().collect();
                }
                Page::Messages(rows) => known.messages = rows.into_iter().map(|(_, row)| row.id).collect(),
                Page::Events(rows) => known.events = rows.into_iter().map(|(_, row)| row.id).collect(),
                Page::Jobs(rows) => known.jobs = rows.into_iter().map(|(_, row, _)| row.id).collect(),
                Page::Groups(rows) => {
                    known.groups = rows.into_iter().map(|(_, row)| row.fingerprint).collect();
                }
                _ => {}
            }
        }
        known
    }
}

const MANY: usize = 1000;

/// Every question of an operator that names no row.
fn lists() -> Vec<Look> {
    let systems: Vec<System> = CLASSES.iter().map(|class| System::new(class.name()).unwrap()).collect();
    vec![
        Look::Deliveries(DeliveryFilter { limit: MANY, ..DeliveryFilter::default() }),
        Look::Events(EventFilter { limit: MANY, ..EventFilter::default() }),
        Look::Messages(MessageFilter { limit: MANY, ..MessageFilter::default() }),
        Look::Changes { system: None, before: None, limit: MANY },
        Look::ChangesAfter { system: None, after: None, limit: MANY },
        Look::Systems,
        Look::Groups(GroupFilter { limit: MANY, ..GroupFilter::default() }),
        Look::Jobs(JobFilter { limit: MANY, ..JobFilter::default() }),
        Look::Applied { before: None, limit: MANY },
        Look::Footprint { entities: vec![canonical::Entity::new("Thing").unwrap()], systems },
    ]
}

/// Every question of an operator about a row that is known.
pub(super) fn about(known: &Known) -> Vec<Look> {
    let mut looks = Vec::new();
    looks.extend(known.deliveries.iter().map(|(key, _)| Look::Delivery(key.clone())));
    looks.extend(known.records.iter().map(|record| Look::Record(*record)));
    looks.extend(known.events.iter().map(|event| Look::Event(*event)));
    looks.extend(known.messages.iter().map(|message| Look::Message(*message)));
    for record in &known.records {
        let of = DeliveryFilter { record: Some(*record), limit: MANY, ..DeliveryFilter::default() };
        looks.push(Look::Deliveries(of));
        let of = EventFilter { record: Some(*record), limit: MANY, ..EventFilter::default() };
        looks.push(Look::Events(of));
    }
    for job in &known.jobs {
        looks.push(Look::Jobs(JobFilter { id: Some(*job), limit: MANY, ..JobFilter::default() }));
    }
    looks
}

/// Every set question that a machine asks, as that tenant, about rows that are known.
pub(super) fn questions(tenant: &Tenant, known: &Known) -> Vec<Query> {
    let (tenant, late) = (|| tenant.clone(), Wall(START + 86_400_000_000));
    let mut all =
        vec![Query::Jobs { tenant: tenant() }, Query::Ready { tenant: tenant(), now: late, limit: MANY }];
    let walk = |scope| {
        let (page, upto) = (ledger::Page::default(), (i64::MAX, i64::MAX));
        Query::Walk(Walk { tenant: tenant(), scope, messages: true, page, upto, limit: MANY })
    };
    all.extend(known.records.iter().map(|id| walk(Scope { record: Some(*id), ..Scope::default() })));
    let group = |name: &String| walk(Scope { group: Some(name.clone()), ..Scope::default() });
    all.extend(known.groups.iter().map(group));
    for class in CLASSES {
        let system = || System::new(class.name()).unwrap();
        all.push(Query::System { tenant: tenant(), system: system() });
        all.push(Query::Intents { tenant: tenant(), system: system() });
        all.push(Query::Held { tenant: tenant(), system: system(), after: 0, limit: MANY });
        all.push(Query::Fetches { tenant: tenant(), system: system(), due_by: late, limit: MANY });
        for lane in [Lane::Critical, Lane::Standard, Lane::Bulk] {
            let (after, due_by, limit) = (None, late, MANY);
            all.push(Query::Claim { tenant: tenant(), system: system(), lane, after, due_by, limit });
        }
        let ask = |(key, record): &(ObligationKey, canonical::RecordId)| SpokeAsk {
            key: ObligationKey { tenant: tenant(), ..key.clone() },
            record: *record,
            object: canonical::Object::new("items").unwrap(),
            references: Vec::new(),
        };
        let asks = known.deliveries.iter().map(ask).collect();
        all.push(Query::Spoke { tenant: tenant(), system: system(), asks });
    }
    let objects = (0..THINGS).map(|number| canonical::ExternalRef {
        system: System::new("src").unwrap(),
        object: canonical::Object::new("things").unwrap(),
        id: format!("thing-{number}"),
    });
    let ask = intake::Ask {
        event: Some((System::new("src").unwrap(), "thing-0/1".to_owned())),
        objects: objects.collect(),
        ..intake::Ask::default()
    };
    all.push(Query::Intake { tenant: tenant(), asks: vec![ask] });
    all
}

/// Everything that a tenant can see, in words.
pub(super) fn seen_by(store: &Backend, tenant: &Tenant) -> Vec<String> {
    let known = Known::of(store, tenant);
    let looks = lists().into_iter().chain(about(&known));
    let mut seen: Vec<String> = looks.map(|look| format!("{:?}", store.look(tenant, look))).collect();
    seen.extend(questions(tenant, &known).into_iter().map(|query| format!("{:?}", store.find(query))));
    seen.into_iter().map(|text| without_positions(&text)).collect()
}

/// Positions count over all tenants: all else must be the same. Numbers after these words are positions, and so are
/// the first of the pairs of a page.
pub(super) fn without_positions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let words = [
        "seq: ",
        "upto: (",
        "seal: ",
        "messages: false, after: ",
        "messages: true, after: ",
        "after: Some((Wall(",
    ];
    while let Some((at, word)) = words.iter().filter_map(|word| Some((rest.find(word)?, *word))).min() {
        let (before, after) = rest.split_at(at + word.len());
        out.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        if word.ends_with('(') {
            // A pair: both are positions, or a time and a position.
            rest = rest.trim_start_matches([')', ',', ' ']);
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        }
    }
    out.push_str(rest);
    for kind in ["Deliveries([(", "Events([(", "Messages([(", "Changes([(", "Groups([(", "Jobs([("] {
        if let Some(at) = out.find(kind) {
            let listed = out.split_off(at + kind.len());
            out += &unnumbered(&listed);
        }
    }
    out
}

/// The rows of a page without their positions.
fn unnumbered(listed: &str) -> String {
    let digits = |text: &str| text.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
    let mut rows = listed.split("), (").map(digits);
    let first = rows.next().unwrap_or_default();
    rows.fold(first, |all, row| all + "), (" + &row)
}
