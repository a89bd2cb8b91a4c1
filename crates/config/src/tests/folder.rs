//! A small folder that is right, to be broken by other tests; and what loading it gives.

use std::time::Duration;

use canonical::{Entity, Field, FieldType, Object, RouteId, System};
use ledger::{Lane, OnExit};

use crate::{Files, SecretRef, load};

pub(super) const CONCORD: &str = "\
tenant: acme
public_url: https://hub.example.com/
store:
  folder: ./data
  root_key: {file: ./root.key}
listeners:
  ingress: 127.0.0.1:4000
  operator: 127.0.0.1:4001
intake:
  clients:
    - {name: shop, system: crm, token: {env: SHOP_TOKEN}}
";

pub(super) const PERSON: &str = "\
entity: Person
version: 1
schema:
  type: object
  required: [name]
  properties:
    name: {type: string, maxLength: 80}
    email: {type: string, format: email}
    level: {type: string, enum: [basic, gold]}
    balance: {type: string, format: decimal}
    consent: {type: boolean}
    parent: {type: string, format: record, x-entity: Person}
fields:
  name: {owner: crm, pii: basic}
  email: {owner: crm}
  level: {owner: erp, on_conflict: revert, pii: none}
match_keys:
  - {name: email, fields: [email], fold: true}
creators: [crm]
events:
  - event: BecameGold
    when: [{field: level, equals: gold}]
    occurrence: [level]
    carries: [email]
";

pub(super) const CRM: &str = "\
system: crm
connector: connectors/own.yaml
connection:
  base_url: https://crm.example.com/
  secrets:
    token: {env: CRM_TOKEN}
webhook:
  secrets: [{env: CRM_HOOK}]
poll:
  people: 30s
";

pub(super) const ERP: &str = "\
system: erp
connector: connectors/own.yaml
connection:
  base_url: http://127.0.0.1:4012
  secrets: {token: {file: secrets/erp.token}}
  allow: [\"127.0.0.1:4012\"]
  timeouts: {connect: 1s}
limits:
  concurrency: 2
  buckets:
    burst: {size: 5}
    daily: {size: 1000, refill: 1000, per: 1d}
lanes: {critical: 5, standard: 3, bulk: 1}
retry: {base: 500ms, attempts_max: 4}
breaker: {open_for: 10s}
";

pub(super) const PERSON_CRM: &str = "\
mapping: person.crm
version: 1
entity: Person
system: crm
object: people
fields:
  - {field: name, path: name}
  - {field: email, path: email}
  - {field: level, path: level}
  - {field: consent, path: consent}
examples:
  - name: a person
    from: {name: Ada, email: ada@example.com}
    canonical: {name: Ada, email: ada@example.com}
    to: {name: Ada, email: ada@example.com}
";

pub(super) const PERSON_ERP: &str = "\
mapping: person.erp
version: 3
entity: Person
system: erp
object: people
fields:
  - {field: name, path: label}
  - {field: level, path: class, lookup: {table: levels, from: erp, to: level}}
  - {field: balance, path: balance, direction: out, transform: [{decimal: {scale: 2}}]}
  - {field: parent, path: boss, ref: {entity: Person, object: people}}
";

pub(super) const ROUTES: &str = "\
routes:
  - route: person.crm
    kind: sync
    entity: Person
    system: crm
    mapping: person.crm
  - route: person.erp
    kind: sync
    entity: Person
    system: erp
    object: people
    mapping: person.erp
    lane: critical
    filter: [{field: consent, equals: true}]
    on_exit: archive
  - route: gold.erp
    kind: notify
    entity: Person
    events: [BecameGold, person.created]
    system: erp
    mapping: person.erp
    operation: event
    lane: bulk
";

pub(super) const LEVELS: &str = "erp,level\nA,gold\nB,basic\n";

/// A manifest of the folder: a plain JSON system with signed webhooks.
pub(super) const OWN: &str = "\
connector: own
version: \"1\"
about: A system of our own.
auth:
  default: {bearer: {secret: token}}
limits:
  concurrency: 4
  buckets:
    burst: {size: 100, per: 10s, shared: true}
  every_call: [burst]
scopes:
  given: Settings → API
  covers: {\"*:admin\": [\"*:read\", \"*:write\"]}
webhook:
  scheme: {preset: hmac}
  id: [id]
  kind: kind
  object_id: object.id
  fields: object
  rules:
    - {match: \"person.deleted\", object: people, seen: deleted}
    - {match: \"person.*\", object: people, seen: state}
objects:
  people:
    shape:
      id: id
      order: {path: changed_at}
    fetch:
      request: {method: GET, path: \"/people/{id}\", scopes: [\"people:read\"]}
    poll:
      every: 1m
      request:
        method: GET
        path: /people
        query: {since?: \"{since}\"}
      items: people
      mark: {path: changed_at}
      sorting: ascending
      page: none
      size: 100
    writes:
      upsert:
        for: [create, update]
        idempotency: {class: upsert}
        partial: true
        request: {method: PUT, path: \"/people/{key}\", json: \"{fields}\", scopes: [\"people:write\"]}
        answer: {id: {path: id}}
      archive:
        for: [archive]
        idempotency: {class: upsert}
        request: {method: DELETE, path: \"/people/{key}\"}
      event:
        for: [notify]
        idempotency: {class: none}
        request: {method: POST, path: \"/people/{key}/events\", json: \"{fields}\", scopes: [\"events:write\"]}
";

/// The folder that is right.
pub(super) fn base() -> Files {
    let mut files = Files::new();
    for (path, text) in [
        ("concord.yaml", CONCORD),
        ("connectors/own.yaml", OWN),
        ("lookups/levels.csv", LEVELS),
        ("mappings/person.crm.yaml", PERSON_CRM),
        ("mappings/person.erp.yaml", PERSON_ERP),
        ("model/person.yaml", PERSON),
        ("routes/people.yaml", ROUTES),
        ("systems/crm.yaml", CRM),
        ("systems/erp.yaml", ERP),
    ] {
        files.put(path, text);
    }
    files
}

/// All problems, as shown.
pub(super) fn shown(problems: &[crate::Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn system(name: &str) -> System {
    System::new(name).unwrap()
}

#[test]
fn the_small_folder_loads_without_a_doubt() {
    let checked = load(&base()).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    assert_eq!(shown(&checked.warnings), "");
    let configuration = checked.configuration;
    assert_eq!(configuration.tenant.as_str(), "acme");
    assert_eq!(configuration.settings.public_url, "https://hub.example.com");
    assert_eq!(configuration.settings.intake.body_bytes_max, 1024 * 1024);
    let names: Vec<&str> = configuration.routes.iter().map(|route| route.id.as_str()).collect();
    assert_eq!(names, ["gold.erp", "person.crm", "person.erp"]);

    let schema = configuration.entity(&Entity::new("Person").unwrap()).unwrap();
    let field = |name: &str| &schema.fields[&Field::new(name).unwrap()];
    assert_eq!(field("balance").kind, FieldType::Decimal);
    assert_eq!(field("parent").kind, FieldType::Reference(Entity::new("Person").unwrap()));
    assert_eq!(field("level").on_conflict, canonical::OnConflict::Revert);
    assert_eq!(field("level").owner, Some(system("erp")));
    assert_eq!(field("balance").pii, canonical::PiiClass::Basic, "what is not classified is personal");
    assert_eq!(field("name").chars_max, Some(80));
    assert!(field("email").email);
}

#[test]
fn systems_get_their_connectors_limits_changed_by_their_files() {
    let configuration = load(&base()).unwrap().configuration;
    let crm = &configuration.systems[&system("crm")];
    assert_eq!(crm.limits.concurrency, 4);
    assert_eq!(crm.limits.lane_weights, [8, 4, 1]);
    assert_eq!(crm.limits.buckets.len(), 1);
    assert_eq!(crm.connection.base_url, "https://crm.example.com");
    assert_eq!(crm.poll[&Object::new("people").unwrap()], Duration::from_secs(30));
    assert_eq!(crm.webhook.as_ref().unwrap().path, "crm");
    assert_eq!(crm.retry.attempts_max, 12);

    let erp = &configuration.systems[&system("erp")];
    assert_eq!(erp.limits.concurrency, 2);
    assert_eq!(erp.limits.lane_weights, [5, 3, 1]);
    let buckets: Vec<_> =
        erp.limits.buckets.iter().map(|b| (b.name.as_str(), b.size, b.refill, b.per)).collect();
    let second = Duration::from_secs(1);
    assert_eq!(buckets, [("burst", 5, 100, second * 10), ("daily", 1000, 1000, second * 86_400)]);
    assert_eq!(erp.limits.breaker.open_for, second * 10);
    assert_eq!((erp.retry.base, erp.retry.attempts_max), (second / 2, 4));
    assert_eq!(erp.poll[&Object::new("people").unwrap()], second * 60, "the connector's own pace");
    assert_eq!((erp.connection.connect_timeout, erp.connection.request_timeout), (second, second * 30));
    assert_eq!(erp.connection.secrets["token"], SecretRef::File("secrets/erp.token".into()));
}

#[test]
fn what_the_hub_asks_is_prepared() {
    let configuration = load(&base()).unwrap().configuration;
    let (crm, people) = (system("crm"), Object::new("people").unwrap());
    let (mapping, schema) = configuration.inbound(&crm, &people).unwrap();
    assert_eq!((mapping.id(), schema.entity.as_str()), ("person.crm", "Person"));
    assert!(configuration.inbound(&crm, &Object::new("other").unwrap()).is_none());
    assert_eq!(configuration.inbound_objects(&crm).collect::<Vec<_>>(), [&people]);
    assert_eq!(configuration.routes_of(&Entity::new("Person").unwrap()).len(), 3);
    assert!(configuration.routes_of(&Entity::new("Other").unwrap()).is_empty());
    let to_erp: Vec<&str> = configuration.routes_to(&system("erp")).iter().map(|r| r.id.as_str()).collect();
    assert_eq!(to_erp, ["gold.erp", "person.erp"]);
    let route = configuration.route(&RouteId::from("person.erp")).unwrap();
    assert_eq!(
        (route.lane, route.on_exit, route.object.as_str()),
        (Lane::Critical, OnExit::Archive, "people")
    );
    assert_eq!(configuration.mapping_of(route).unwrap().version(), 3);
    assert_eq!(configuration.outbound(&system("erp"), &people).unwrap().0.id(), "person.erp");
}

#[test]
fn a_configuration_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&load(&base()).unwrap());
}

#[test]
fn the_digest_follows_every_byte() {
    let digest = |files: &Files| load(files).unwrap().configuration.digest;
    let mut files = base();
    let before = digest(&files);
    assert_eq!(before, digest(&base()));
    files.put("lookups/levels.csv", LEVELS.replace("A,gold", "Z,gold"));
    assert_ne!(before, digest(&files));
}

#[test]
fn a_folder_on_disk_is_read_and_strays_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in base().iter() {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::write(folder.path().join("README.md"), "read me").unwrap();
    std::fs::create_dir(folder.path().join(".git")).unwrap();
    assert_eq!(Files::read(folder.path()).unwrap(), base());

    std::fs::write(folder.path().join("model/lead.yml"), "entity: Lead").unwrap();
    std::fs::create_dir(folder.path().join("routes/old")).unwrap();
    std::fs::write(folder.path().join("systems/bad.yaml"), b"system: \xff\n").unwrap();
    std::fs::write(folder.path().join("systems/big.yaml"), " ".repeat(2_000_000)).unwrap();
    std::fs::rename(folder.path().join("lookups"), folder.path().join("lookup")).unwrap();
    let problems = crate::load_folder(folder.path()).unwrap_err();
    assert_eq!(
        shown(&problems),
        "lookup: error: this folder is not read\n  = did you mean `lookups`?\n\
         model/lead.yml: error: files in model/ end in .yaml, so this one is not read\n  = rename or move it\n\
         routes/old: error: folders in here are not read\n  = move its files to routes/\n\
         systems/bad.yaml: error: line 1 is not UTF-8 (byte 8 of the file)\n  = save the file as UTF-8\n\
         systems/big.yaml: error: the file has 2000000 bytes, at most 1048576 are read\n  = split it"
    );
    let nowhere = shown(&crate::load_folder(&folder.path().join("nowhere")).unwrap_err());
    assert!(nowhere.contains("cannot be read: "), "{nowhere}");
}

#[test]
fn what_a_vendor_must_permit_stands_beside_what_it_granted() {
    let permits = |crm: &str| {
        let mut files = base();
        files.put("systems/crm.yaml", crm);
        let configuration =
            load(&files).unwrap_or_else(|problems| panic!("{}", shown(&problems))).configuration;
        assert_eq!(configuration.permits(&system("nobody")), None);
        configuration.permits(&system("crm")).unwrap()
    };
    let of = |permits: &crate::Permits| -> Vec<(String, Vec<String>, Option<bool>)> {
        let needed = permits.needed.iter();
        needed.map(|one| (one.scope.clone(), one.operations.clone(), one.granted)).collect()
    };
    let unsaid = permits(CRM);
    assert_eq!((unsaid.given.as_str(), unsaid.surplus.len()), ("Settings → API", 0));
    let row = |scope: &str, operation: &str, granted| (scope.to_owned(), vec![operation.to_owned()], granted);
    assert_eq!(
        of(&unsaid),
        [row("people:read", "people/fetch", None), row("people:write", "people/upsert", None),]
    );
    let said = CRM.replace("connection:\n", "connection:\n  scopes: [\"people:read\", \"events:write\"]\n");
    assert_ne!(said, CRM);
    let said = permits(&said);
    assert_eq!(
        of(&said),
        [row("people:read", "people/fetch", Some(true)), row("people:write", "people/upsert", Some(false)),]
    );
    assert_eq!(said.surplus, ["events:write"]);
    let wide = permits(&CRM.replace("connection:\n", "connection:\n  scopes: [\"people:admin\"]\n"));
    assert!(wide.needed.iter().all(|one| one.granted == Some(true)), "{wide:?}");
}

/// What makes and takes back an association is needed where a mapping writes one.
#[test]
fn associations_need_what_their_operations_need() {
    let operation = |name: &str, serves: &str, method: &str| {
        format!(
            "      {name}:\n        for: [{serves}]\n        idempotency: {{class: upsert}}\n        request: {{method: {method}, \
             path: \"/people/{{id}}/{{to}}/{{other}}\", scopes: [\"people:{name}\"]}}\n"
        )
    };
    let own = OWN.replace("    writes:\n", "    associations: {friend: {to: people}}\n    writes:\n");
    let own = format!(
        "{own}{}{}",
        operation("join", "associate", "PUT"),
        operation("part", "dissociate", "DELETE")
    );
    let row = "  - {field: parent, path: friend, direction: out, ref: {entity: Person, object: people}}\n";
    let needed = |mapping: &str| {
        let mut files = base();
        files.put("connectors/own.yaml", &own);
        files.put("mappings/person.crm.yaml", mapping);
        let configuration =
            load(&files).unwrap_or_else(|problems| panic!("{}", shown(&problems))).configuration;
        let needed = configuration.permits(&system("crm")).unwrap().needed;
        needed.into_iter().map(|one| one.scope).collect::<Vec<_>>()
    };
    assert_eq!(needed(PERSON_CRM), ["people:read", "people:write"]);
    let with = PERSON_CRM.replace("examples:\n", &format!("{row}examples:\n"));
    assert_eq!(needed(&with), ["people:join", "people:part", "people:read", "people:write"]);
}
