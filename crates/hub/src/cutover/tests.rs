//! The order of reading, machines of which none delivers, and systems that wait for a plan.

mod first;
mod tally;

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::{Mono, Now, OrderToken, System};
use config::{Configuration, Files};
use connector::{Observation, Seen};
use ledger::Lane;
use serde_json::json;
use store::conformance::make;
use store::{Op, Query, Rows};

use super::order;
use crate::Intake;
use crate::spoke::Spoke;
use crate::turn::{Ack, Arrival, Effect, Input, Machine, Notice, Offer, Order, Origin, Ticket, Turn};

const LISTED: &str = "connector: listed\nversion: \"1\"\nabout: A system.\nobjects:\n";
const OBJECT: &str = "    shape: {id: id, order: {path: changed, unit: ms}}\n    poll:\n      every: 60s\n      lookback: 1m\n      \
    request: {method: GET, path: /x, query: {since: \"{since|ms}\", skip: \"{page}\"}, timeout: 1s}\n      items: items\n      \
    mark: {path: changed, form: ms}\n      sorting: ascending\n      page: {offset: {}}\n      size: 10\n    writes:\n      \
    put:\n        for: [create, update]\n        idempotency: {class: upsert}\n        processing_max: 1s\n        \
    request: {method: PUT, path: \"/x/{key}\", json: \"{fields}\", timeout: 1s}\n        answer: {id: {path: id}}\n";

fn files() -> Files {
    let mut files = Files::new();
    files.put(
        "concord.yaml",
        "tenant: acme\npublic_url: https://hub.example.com/\nstore: {folder: ./data, root_key: {file: ./root.key}}\n\
         listeners: {ingress: \"127.0.0.1:4000\", operator: \"127.0.0.1:4001\"}\n",
    );
    let connector: String =
        ["accounts", "people"].iter().map(|object| format!("  {object}:\n{OBJECT}")).collect();
    files.put("connectors/listed.yaml", format!("{LISTED}{connector}"));
    for (system, poll) in [("crm", "accounts: 60s, people: 60s"), ("erp", "accounts: 60s, people: 60s")] {
        files.put(
            &format!("systems/{system}.yaml"),
            format!(
                "system: {system}\nconnector: connectors/listed.yaml\nconnection: {{base_url: \
                 \"https://{system}.example.com\"}}\npoll: {{{poll}}}\n"
            ),
        );
    }
    files.put(
        "systems/shop.yaml",
        "system: shop\nconnector: webhook\nconnection: {base_url: \"https://shop.example.com\"}\n\
         webhook: {secrets: [{env: SHOP}]}\n",
    );
    // By name the type that refers comes first, and so does the system that may not create.
    files.put(
        "model/account.yaml",
        "entity: Team\nversion: 1\nschema: {type: object, properties: {name: {type: string}}}\n\
         fields: {name: {owner: erp, pii: none}}\nmatch_keys: [{name: name, fields: [name]}]\ncreators: [erp]\n",
    );
    files.put(
        "model/person.yaml",
        "entity: Person\nversion: 1\nschema: {type: object, properties: {mail: {type: string}, name: {type: string}, \
         team: {type: string, format: record, x-entity: Team}}}\n\
         fields: {mail: {owner: crm, pii: basic}, name: {owner: crm, pii: basic}, team: {pii: none}}\n\
         match_keys: [{name: mail, fields: [mail], fold: true}]\n",
    );
    let mut routes = "routes:\n".to_owned();
    for (entity, system, object, rows) in [
        ("Team", "crm", "accounts", "[{field: name, path: name}]"),
        ("Team", "erp", "accounts", "[{field: name, path: name}]"),
        ("Person", "crm", "people", "[{field: mail, path: mail}, {field: name, path: name}]"),
        (
            "Person",
            "erp",
            "people",
            "[{field: mail, path: mail, on_empty: null}, {field: name, path: name, on_empty: null}]",
        ),
        ("Person", "shop", "people", "[{field: mail, path: mail, direction: in}]"),
    ] {
        let name = format!("{}.{system}", entity.to_lowercase());
        files.put(
            &format!("mappings/{name}.yaml"),
            format!(
                "mapping: {name}\nversion: 1\nentity: {entity}\nsystem: {system}\nobject: {object}\nfields: {rows}\n"
            ),
        );
        if system != "shop" {
            routes.push_str(&format!(
                "  - {{route: {name}, kind: sync, entity: {entity}, system: {system}, object: {object}, mapping: {name}}}\n"
            ));
        }
    }
    files.put("routes/all.yaml", routes);
    files
}

fn loaded(files: &Files) -> Arc<Configuration> {
    let shown = |problems: Vec<config::Problem>| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    Arc::new(config::load(files).unwrap_or_else(|problems| panic!("{}", shown(problems))).configuration)
}

fn configuration() -> Arc<Configuration> {
    loaded(&files())
}

/// A type is read before those that refer to it, and first where it may be created; then where most of it is owned.
#[test]
fn what_others_need_is_read_first() {
    let order = order(&configuration());
    let names = |listings: &[super::Listing]| {
        listings.iter().map(|of| format!("{} {}/{}", of.entity, of.system, of.object)).collect::<Vec<_>>()
    };
    assert_eq!(
        names(&order.read),
        ["Team erp/accounts", "Team crm/accounts", "Person crm/people", "Person erp/people"]
    );
    assert_eq!(names(&order.unlisted), ["Person shop/people"], "what only pushes cannot be read");
}

/// Only the listing is read, nothing waits for a backlog, and what is raised is on the bulk lane; the digest is the folder's.
#[test]
fn the_configuration_for_reading_is_the_folders_but_for_what_is_read() {
    let whole = configuration();
    let listing = &order(&whole).read[0];
    let one = whole.for_cutover(Some((&listing.system, &listing.object)));
    let polled: Vec<_> = one.systems.values().flat_map(|system| system.poll.keys()).collect();
    assert_eq!(polled, [&listing.object]);
    assert!(one.routes.iter().all(|route| route.lane == Lane::Bulk));
    assert!(one.routes_of(&listing.entity).iter().all(|route| route.lane == Lane::Bulk));
    assert_eq!(one.digest, whole.digest);
    assert!(whole.for_cutover(None).systems.values().all(|system| system.poll.is_empty()));
}

fn turn(machine: &mut dyn Machine, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    let now = Now { mono: Mono(1_000_000), wall: make::at(1_000) };
    machine.handle(input, &mut Turn::new(now, 7, &mut effects));
    effects
}

fn asked(effects: &[Effect]) -> Vec<(Ticket, Query)> {
    let found = effects.iter().filter_map(|effect| match effect {
        Effect::Find(ticket, query) => Some((*ticket, query.clone())),
        _ => None,
    });
    found.collect()
}

/// A reader connects, lists and says how far it is. It never asks for a delivery, whatever is raised for it, and leaves what
/// may have been sent to whoever delivers.
#[test]
fn a_reader_delivers_nothing() {
    let erp = System::new("erp").unwrap();
    let mut reader = Spoke::reader(configuration(), erp.clone()).unwrap();
    let ticket = asked(&turn(&mut reader, Input::Start))[0].0;
    let known = Rows::System(None, BTreeMap::new(), None);
    let mut all = turn(&mut reader, Input::Found(ticket, Ok(known)));
    let head = store::rules::head(&store::rules::first(&make::raise("person.erp", 1, 1)));
    all.extend(turn(&mut reader, Input::Told(Notice::Raised(vec![head; 3]))));
    all.extend(turn(&mut reader, Input::Tick));
    let queries = asked(&all);
    let delivers = queries.iter().find(|(_, query)| {
        matches!(
            query,
            Query::Claim { .. } | Query::Spoke { .. } | Query::Intents { .. } | Query::Held { .. }
        )
    });
    assert!(delivers.is_none(), "{delivers:?}");
    let sent: Vec<_> = all.iter().filter(|effect| matches!(effect, Effect::Send(..))).collect();
    assert_eq!(sent.len(), 2, "its two listings: {sent:?}");
    assert!(sent.iter().all(|effect| format!("{effect:?}").contains("GET")), "{sent:?}");
    let said = turn(&mut reader, Input::Told(Notice::Do(Ticket(9), Order::Describe { forecast: None })));
    let Some(Effect::Ack(_, Ack::Described(described))) = said.first() else { panic!("{said:?}") };
    assert_eq!(described.listings.len(), 2);
    assert!(described.listings.iter().all(|listing| !listing.passed && listing.read == 0));
}

/// What is read for a cutover was so before the hub began: it makes a record and its deliveries, no event, and the message is
/// kept until it is reported. The same read of every day makes an event and keeps nothing.
#[test]
fn what_was_so_before_is_no_event() {
    for history in [true, false] {
        let config = configuration();
        let mut intake = if history { Intake::of_history(config) } else { Intake::new(config) };
        let mut open = asked(&turn(&mut intake, Input::Start));
        let observation = Observation {
            version: None,
            object: make::object("people"),
            external_id: "1".to_owned(),
            seen: Seen::State { fields: [("mail".to_owned(), json!("a@x"))].into_iter().collect() },
            order: Some(OrderToken(5)),
            event_id: None,
            occurred_at: None,
            changed_at: None,
            trace: None,
        };
        let origin = Origin::Polled { object: make::object("people"), cursor: String::new() };
        let offer = Offer {
            ticket: Ticket(1),
            origin,
            source: make::system("crm"),
            as_of: make::at(999),
            arrivals: vec![Arrival::Read(observation)],
            watched: false,
            posted: false,
        };
        open.extend(asked(&turn(&mut intake, Input::Offer(offer))));
        let mut units = None;
        // Whatever else it looks for has nothing to say.
        while let (None, Some((ticket, query))) = (&units, open.pop()) {
            let rows = match query {
                Query::Ready { .. } => Rows::Ready(Vec::new(), None),
                Query::Backlog { .. } => Rows::Backlog(Vec::new()),
                _ => Rows::Intake(Box::default()),
            };
            let effects = turn(&mut intake, Input::Found(ticket, Ok(rows)));
            open.extend(asked(&effects));
            units = effects.into_iter().find_map(|effect| match effect {
                Effect::Commit(_, units) => Some(units),
                _ => None,
            });
        }
        let ops: Vec<Op> = units.expect("it is decided").into_iter().flat_map(|unit| unit.ops).collect();
        let has = |what: fn(&Op) -> bool| ops.iter().any(what);
        assert!(has(|op| matches!(op, Op::PutRecord(_))) && has(|op| matches!(op, Op::Raise(_))), "{ops:?}");
        assert_eq!(has(|op| matches!(op, Op::PutFact(_))), !history, "{history}");
        assert_eq!(has(|op| matches!(op, Op::PutMessage(_))), history, "{history}");
    }
}

/// Calls are counted as they would go, and where no rate limit binds it is said how many go at once.
#[test]
fn a_load_is_counted_in_calls() {
    let seer = Spoke::seer(configuration(), make::system("erp")).unwrap();
    let load = |object: &str, creates, updates| crate::spoke::Load {
        object: make::object(object),
        creates,
        updates,
    };
    let expected = seer.expect(&[load("people", 5, 7), load("accounts", 1, 0)], make::at(1));
    assert_eq!((expected.calls, &expected.by), (13, &None));
    assert!(expected.at_once > 0);
    let mut files = files();
    let connector = files.get("connectors/listed.yaml").unwrap().replace(
        "objects:\n",
        "limits:\n  every_call: [minute]\n  buckets: {minute: {size: 10, per: 60s}}\nobjects:\n",
    );
    files.put("connectors/listed.yaml", connector);
    let seer = Spoke::seer(loaded(&files), make::system("erp")).unwrap();
    let expected = seer.expect(&[load("people", 50, 50)], make::at(1));
    assert_eq!((expected.calls, expected.by.as_deref()), (100, Some("minute")));
    assert!(expected.takes > std::time::Duration::from_secs(9 * 60), "{:?}", expected.takes);
    assert_eq!(expected.through, Some(make::at(1) + expected.takes));
}
