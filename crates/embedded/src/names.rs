//! Interned names: tenants, systems, objects, entities, routes and the like are small integers in rows.
//!
//! A name's number never changes. Each connection keeps its own map; what it does not know it looks up once. The
//! writer also gives new numbers, and forgets those of a transaction that was rolled back.

use std::sync::Arc;

use canonical::{Entity, Object, RouteId, System, Tenant};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::fault::{Fault, Outcome};
use crate::quick::QuickMap;

/// The names a connection knows.
pub(crate) struct Names<'c> {
    connection: &'c Connection,
    ids: QuickMap<Arc<str>, i64>,
    entries: QuickMap<i64, Entry>,
    fresh: Vec<i64>,
}

struct Entry {
    text: Arc<str>,
    typed: Typed,
}

/// A name in the types it was asked for: made once, then shared.
#[derive(Default)]
struct Typed {
    tenant: Option<Tenant>,
    system: Option<System>,
    object: Option<Object>,
    entity: Option<Entity>,
    route: Option<RouteId>,
}

macro_rules! typed {
    ($($name:ident: $kind:ident,)*) => {$(
        /// The name of that number.
        pub(crate) fn $name(&mut self, id: i64) -> Outcome<$kind> {
            let entry = self.entry(id)?;
            if let Some(known) = &entry.typed.$name {
                return Ok(known.clone());
            }
            let made = $kind::new(&entry.text).map_err(|error| Fault::corrupt(&format!("name {id}"), error))?;
            entry.typed.$name = Some(made.clone());
            Ok(made)
        }
    )*};
}

impl<'c> Names<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, ids: QuickMap::default(), entries: QuickMap::default(), fresh: Vec::new() }
    }

    typed! { tenant: Tenant, system: System, object: Object, entity: Entity, }

    /// The route of that number.
    pub(crate) fn route(&mut self, id: i64) -> Outcome<RouteId> {
        let entry = self.entry(id)?;
        Ok(entry.typed.route.get_or_insert_with(|| RouteId::from(&*entry.text)).clone())
    }

    /// The text of that number.
    pub(crate) fn text(&mut self, id: i64) -> Outcome<Arc<str>> {
        Ok(Arc::clone(&self.entry(id)?.text))
    }

    /// The number of a name, if it has one.
    pub(crate) fn find(&mut self, text: &str) -> Outcome<Option<i64>> {
        if let Some(id) = self.ids.get(text) {
            return Ok(Some(*id));
        }
        let mut statement = self.connection.prepare_cached("SELECT id FROM name WHERE text = ?1")?;
        let found: Option<i64> = statement.query_row([text], |row| row.get(0)).optional()?;
        if let Some(id) = found {
            self.keep(id, text);
        }
        Ok(found)
    }

    /// The number of a name, a new one when it has none. For the writer.
    pub(crate) fn intern(&mut self, text: &str) -> Outcome<i64> {
        if let Some(id) = self.find(text)? {
            return Ok(id);
        }
        let mut statement = self.connection.prepare_cached("INSERT INTO name (text) VALUES (?1)")?;
        let id = statement.insert(params![text])?;
        self.keep(id, text);
        self.fresh.push(id);
        Ok(id)
    }

    /// How many numbers this transaction has given so far.
    pub(crate) fn mark(&self) -> usize {
        self.fresh.len()
    }

    /// The transaction went back to where it stood at the mark.
    pub(crate) fn rolled_back(&mut self, mark: usize) {
        for id in self.fresh.drain(mark..) {
            if let Some(entry) = self.entries.remove(&id) {
                self.ids.remove(&entry.text);
            }
        }
    }

    /// The transaction was committed.
    pub(crate) fn committed(&mut self) {
        self.fresh.clear();
    }

    fn entry(&mut self, id: i64) -> Outcome<&mut Entry> {
        if !self.entries.contains_key(&id) {
            let mut statement = self.connection.prepare_cached("SELECT text FROM name WHERE id = ?1")?;
            let text: Option<String> = statement.query_row([id], |row| row.get(0)).optional()?;
            let text = text.ok_or_else(|| Fault::corrupt(&format!("name {id}"), "is used and missing"))?;
            self.keep(id, &text);
        }
        self.entries.get_mut(&id).ok_or_else(|| Fault::corrupt(&format!("name {id}"), "is missing"))
    }

    fn keep(&mut self, id: i64, text: &str) {
        let text: Arc<str> = Arc::from(text);
        self.ids.insert(Arc::clone(&text), id);
        self.entries.insert(id, Entry { text, typed: Typed::default() });
    }
}
