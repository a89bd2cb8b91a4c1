//! Who may create, who may delete, and what becomes of the others' objects then: per seed; and the folder that says so.

use std::sync::Arc;

use canonical::OnConflict;
use config::Configuration;

use super::super::table::{Dice, Kind, Rule, SYSTEMS, Table};
use crate::scenario::{ERRORS, folder, loaded};

/// What becomes of a deleted record's object in a system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Keep,
    Archive,
    Delete,
}

/// The rules of a seed.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) creators: [bool; 3],
    deleters: [bool; 3],
    /// A deletion ends the record, not only its link.
    archives: bool,
    ends: [End; 3],
    /// Says the value, and the key.
    pub(super) owner: usize,
    pub(super) table: Table,
}

impl Rules {
    pub(super) fn of(dice: &mut Dice) -> Self {
        let owner = dice.system();
        let creators = [0, 1, 2].map(|place| place == owner || dice.in_hundred(50));
        let deleters = [0, 1, 2].map(|_| dice.in_hundred(50));
        let ends = [0, 1, 2].map(|_| dice.one_of(&[End::Keep, End::Archive, End::Delete], End::Keep));
        let rule = Rule {
            field: "value",
            kind: Kind::Integer,
            owner: Some(owner),
            policy: OnConflict::Revert,
            owners: Vec::new(),
            heard: [true; 3],
        };
        Self {
            creators,
            deleters,
            archives: dice.in_hundred(75),
            ends,
            owner,
            table: Table {
                rules: vec![rule],
                creator: owner,
                counter_writes_max: 60,
                timed: dice.in_hundred(30),
                told: false,
            },
        }
    }

    pub(super) fn may_create(&self, place: usize) -> bool {
        self.creators.get(place).copied().unwrap_or(false)
    }

    /// Whether a deletion there ends the record.
    pub(super) fn ends_record(&self, place: usize) -> bool {
        self.archives && self.deleters.get(place).copied().unwrap_or(false)
    }

    /// Whether the object there stays when another system ends the record.
    pub(super) fn keeps(&self, place: usize) -> bool {
        self.ends.get(place) == Some(&End::Keep)
    }

    /// The hub that works by them.
    pub(super) fn configuration(&self) -> Arc<Configuration> {
        let mut files = folder();
        let mut routes = "routes:\n".to_owned();
        for (place, name) in SYSTEMS.iter().enumerate() {
            files.put(&format!("connectors/{name}.yaml"), self.connector(place, name));
            files.put(
                &format!("mappings/thing.{name}.yaml"),
                format!(
                    "mapping: thing.{name}\nversion: 1\nentity: Thing\nsystem: {name}\nobject: items\nfields:\n  \
                     - {{field: key, path: key}}\n  - {{field: value, path: value}}\n  - {{field: note, path: note}}\n"
                ),
            );
            files.put(
                &format!("systems/{name}.yaml"),
                format!(
                    "system: {name}\nconnector: connectors/{name}.yaml\nconnection: {{base_url: \
                     \"https://{name}.example.com\"}}\nretry: {{base: 200ms, cap: 5s, attempts_max: 30}}\n\
                     webhook: {{secrets: [{{env: HOOK}}]}}\n"
                ),
            );
            let end = match self.ends.get(place) {
                Some(End::Archive) => "archive",
                Some(End::Delete) => "delete",
                _ => "keep",
            };
            routes += &format!(
                "  - {{route: to.{name}, kind: sync, entity: Thing, system: {name}, object: items, \
                 mapping: thing.{name}, on_delete: {end}}}\n"
            );
        }
        files.remove("systems/src.yaml");
        files.put("model/thing.yaml", self.entity());
        files.put("routes/all.yaml", routes);
        loaded(&files)
    }

    fn entity(&self) -> String {
        let owner = SYSTEMS.get(self.owner).copied().unwrap_or_default();
        format!(
            "entity: Thing\nversion: 1\nschema:\n  type: object\n  properties:\n    key: {{type: string}}\n    \
             value: {{type: integer}}\n    note: {{type: string}}\nfields:\n  key: {{owner: {owner}, on_conflict: revert, pii: none}}\n  \
             value: {{owner: {owner}, on_conflict: revert, pii: none}}\n  note: {{pii: none}}\n\
             match_keys:\n  - {{name: key, fields: [key]}}\ncreators: [{}]\ndeleters: [{}]\non_delete: {}\n\
             counter_writes_max: 60\n",
            named(self.creators),
            named(self.deleters),
            if self.archives { "archive" } else { "unlink" }
        )
    }

    fn connector(&self, place: usize, name: &str) -> String {
        let archive = "      archive:
        for: [archive, delete]
        idempotency: {class: upsert}
        processing_max: 1s
        request: {method: DELETE, path: \"/items/{id}\", timeout: 1s}
        errors:
          - {when: {status: [404]}, class: applied}
";
        let connector = self.table.connector(place, name);
        // What is in doubt can be looked for.
        let answer = "        answer: {id: {path: id}";
        let probe = "        probe:
          request: {method: GET, path: /items, query: {key: \"{whole.key}\"}, timeout: 1s}
          answer: {found: items, id: id}
";
        let connector = connector.replacen(answer, &format!("{probe}{answer}"), 1);
        connector.replace(ERRORS, &format!("{archive}{ERRORS}"))
    }
}

fn named(places: [bool; 3]) -> String {
    let named = SYSTEMS.iter().zip(places).filter(|(_, is)| *is).map(|(name, _)| *name);
    named.collect::<Vec<_>>().join(", ")
}
