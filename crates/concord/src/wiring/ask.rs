//! Asking a store, and waiting for what it says.

use anyhow::Context as _;
use canonical::Tenant;
use store::browse::{Browse, Look, Page};
use store::{Query, Rows, Store, Unit};
use tokio::sync::oneshot;

/// The store is dropped with its answer owed: it is closing, or its thread has ended.
const NO_ANSWER: &str = "the store does not answer";

/// Asks for what a machine would.
pub(crate) async fn find(store: &(impl Store + ?Sized), query: Query) -> anyhow::Result<Rows> {
    let (tell, told) = oneshot::channel();
    store.find(query, Box::new(move |rows| drop(tell.send(rows))));
    Ok(told.await.context(NO_ANSWER)??)
}

/// Asks for a page of a list.
pub(crate) async fn look(
    store: &(impl Browse + ?Sized),
    tenant: &Tenant,
    look: Look,
) -> anyhow::Result<Page> {
    let (tell, told) = oneshot::channel();
    store.look(tenant.clone(), look, Box::new(move |page| drop(tell.send(page))));
    Ok(told.await.context(NO_ANSWER)??)
}

/// Changes it, durably.
pub(crate) async fn commit(store: &(impl Store + ?Sized), units: Vec<Unit>) -> anyhow::Result<()> {
    let (tell, told) = oneshot::channel();
    store.commit(units, Box::new(move |receipts| drop(tell.send(receipts))));
    told.await.context(NO_ANSWER)??;
    Ok(())
}

/// A page or rows of another kind than was asked for.
pub(crate) fn another() -> anyhow::Error {
    anyhow::anyhow!("the store answers another question than was asked: this is a defect")
}
