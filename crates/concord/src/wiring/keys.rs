//! Match keys that changed: records are found by their values under the keys of the time when they changed last, so that all
//! of them are gone through before a hub starts with other keys. Nothing may come in meanwhile: it would be taken for new.

use std::collections::BTreeSet;

use canonical::schema::OnRecreate;
use canonical::{RecordId, Tenant};
use config::Configuration;
use runtime::Storage;
use store::browse::{Look, Page, RecordFilter};
use store::{Op, Unit};

use super::ask::{self, another, look};

/// Records of one page, and of one commit.
const PAGE: usize = 1000;

/// Before the version in which a field of a key was made of others.
const REMADE: &str = " made in ";

/// Whether such a version is part of what a key is called.
pub(crate) fn is_remade(key: &str) -> bool {
    key.contains(REMADE)
}

/// All match keys of a configuration, as [`store::Applied::findable`] names them.
pub(crate) fn of(configuration: &Configuration) -> BTreeSet<String> {
    let schemas = configuration.entities.values();
    let keys = schemas.flat_map(|schema| {
        // Deleted records keep theirs where they may come back by them.
        let revives = if schema.on_recreate == OnRecreate::Revive { " revives" } else { "" };
        schema.match_keys.iter().map(move |key| {
            // What stands in a key may be made of what was stored before: then records are kept under what they had.
            let upcaster = configuration.upcaster(&schema.entity);
            let remade = upcaster
                .and_then(|upcaster| key.fields.iter().filter_map(|field| upcaster.remade_in(field)).max());
            let since = remade.map(|version| format!("{REMADE}{version}")).unwrap_or_default();
            format!("{} {}{revives}{since}", schema.entity, key.definition())
        })
    });
    keys.collect()
}

/// Puts the match keys of all records anew.
pub(super) async fn put_anew(store: &dyn Storage, configuration: &Configuration) -> anyhow::Result<()> {
    let tenant = &configuration.tenant;
    let (mut after, mut gone_through) = (None, 0_u64);
    let mut ops = vec![Op::DropMatches(tenant.clone())];
    loop {
        let (page, next) = page(store, tenant, after).await?;
        gone_through += page.len() as u64;
        for mut record in page {
            hub::versions::read(configuration, &mut record);
            let Some(schema) = configuration.entities.get(&record.entity) else { continue };
            ops.extend(intake::kept_keys(schema, &record).into_iter().map(|(key, value)| Op::PutMatch {
                tenant: tenant.clone(),
                entity: record.entity.clone(),
                key,
                value,
                record: record.id,
            }));
        }
        commit(store, std::mem::take(&mut ops)).await?;
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    if gone_through > 0 {
        tracing::info!(
            target: "concord", tenant = %tenant, class = "match_keys", records = gone_through,
            "all records can be found by their match keys"
        );
    }
    Ok(())
}

async fn page(
    store: &dyn Storage,
    tenant: &Tenant,
    after: Option<RecordId>,
) -> anyhow::Result<(Vec<canonical::Record>, Option<RecordId>)> {
    let filter = RecordFilter { after, limit: PAGE, ..RecordFilter::default() };
    match look(store, tenant, Look::Records(filter)).await? {
        Page::Records(rows, next) => Ok((rows.into_iter().map(|(record, _)| record).collect(), next)),
        _ => Err(another()),
    }
}

async fn commit(store: &dyn Storage, ops: Vec<Op>) -> anyhow::Result<()> {
    ask::commit(store, vec![Unit { require: Vec::new(), ops }]).await
}

#[cfg(test)]
mod tests;
