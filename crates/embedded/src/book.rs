//! A connection with its prepared statements and names: what a thread that owns a connection works with.

use std::ops::ControlFlow;

use std::sync::Arc;

use rusqlite::{Connection, Params, Row, Statement};

use crate::fault::Outcome;
use crate::names::Names;
use crate::sql::{Sql, TEXTS};
use crate::vault::{Keys, Vault};

/// One connection, one thread.
pub(crate) struct Book<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) desk: Desk<'c>,
    // By the statement's number: no text is hashed or compared on the hot path.
    slots: Vec<Option<Statement<'c>>>,
}

/// What reading a row needs besides the row.
pub(crate) struct Desk<'c> {
    pub(crate) names: Names<'c>,
    pub(crate) keys: Keys<'c>,
}

impl<'c> Book<'c> {
    pub(crate) fn new(connection: &'c Connection, vault: Arc<Vault>) -> Self {
        let slots = TEXTS.iter().map(|_| None).collect();
        let desk = Desk { names: Names::new(connection), keys: Keys::new(connection, vault) };
        Self { connection, desk, slots }
    }

    /// Runs a statement that gives no rows; gives how many it changed.
    pub(crate) fn run(&mut self, sql: Sql, params: impl Params) -> Outcome<usize> {
        Ok(statement(&mut self.slots, self.connection, sql)?.execute(params)?)
    }

    /// The first row, if there is one.
    pub(crate) fn one<T>(
        &mut self,
        sql: Sql,
        params: impl Params,
        read: impl FnOnce(&Row<'_>, &mut Desk<'c>) -> Outcome<T>,
    ) -> Outcome<Option<T>> {
        let mut rows = statement(&mut self.slots, self.connection, sql)?.query(params)?;
        match rows.next()? {
            Some(row) => read(row, &mut self.desk).map(Some),
            None => Ok(None),
        }
    }

    /// All rows.
    pub(crate) fn all<T>(
        &mut self,
        sql: Sql,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>, &mut Desk<'c>) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        let mut found = Vec::new();
        self.each(sql, params, |row, desk| {
            found.push(read(row, desk)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Row after row, until told to stop.
    pub(crate) fn each(
        &mut self,
        sql: Sql,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>, &mut Desk<'c>) -> Outcome<ControlFlow<()>>,
    ) -> Outcome<()> {
        let mut rows = statement(&mut self.slots, self.connection, sql)?.query(params)?;
        while let Some(row) = rows.next()? {
            if read(row, &mut self.desk)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn statement<'s, 'c>(
    slots: &'s mut [Option<Statement<'c>>],
    connection: &'c Connection,
    sql: Sql,
) -> Outcome<&'s mut Statement<'c>> {
    let slot = &mut slots[sql as usize];
    match slot {
        Some(prepared) => Ok(prepared),
        None => Ok(slot.insert(connection.prepare(TEXTS[sql as usize])?)),
    }
}
