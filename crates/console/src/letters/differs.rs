//! What differs between deliveries that fail and those of the same route that get through: a few of each are looked
//! at, and what is true of most of the one and of few of the other is told. A hint where to look, not a proof; names
//! of fields are told, never values.

use std::collections::btree_map::{BTreeMap, Entry};

use canonical::RecordId;
use canonical::value::is_empty;
use ledger::{Group, Obligation, State};
use serde::Serialize;
use store::browse::{DeliveryFilter, LIST_ROWS_MAX, RecordSheet};
use web::Problem;

use crate::desk::Desk;

/// Looked at of each kind, the newest.
const LOOKED_AT: usize = 20;
/// Differences told, the greatest.
const TOLD_MAX: usize = 8;

/// A comparison.
#[derive(Serialize)]
pub(crate) struct Compared {
    /// How many that fail were looked at.
    failed: usize,
    /// How many that got through, among the newest deliveries.
    delivered: usize,
    /// What is true of most of the one and of few of the other.
    what: Vec<Difference>,
}

#[derive(Serialize)]
struct Difference {
    what: String,
    /// Of how many that fail it is true.
    failed: usize,
    /// Of how many that got through.
    delivered: usize,
}

/// Compares; `None` when there is nothing to compare with.
pub(super) async fn compare(desk: &Desk, group: &Group) -> Result<Option<Compared>, Problem> {
    let filter = DeliveryFilter {
        fingerprint: Some(group.fingerprint.clone()),
        states: vec![State::Dead, State::Uncertain],
        limit: LOOKED_AT,
        ..DeliveryFilter::default()
    };
    let failing: Vec<Obligation> = desk.deliveries(filter).await?.into_iter().map(|(_, row)| row).collect();
    // One page of the newest of all, so that the look is bounded however rare they are.
    let newest = DeliveryFilter { limit: LIST_ROWS_MAX, ..DeliveryFilter::default() };
    let through = |row: &Obligation| {
        row.state == State::Delivered
            && row.system == group.system
            && group.route.as_ref().is_none_or(|route| row.key.route == *route)
    };
    let delivered: Vec<Obligation> = desk.deliveries(newest).await?.into_iter().map(|(_, row)| row).collect();
    let delivered: Vec<Obligation> = delivered.into_iter().filter(through).take(LOOKED_AT).collect();
    if failing.is_empty() || delivered.is_empty() {
        return Ok(None);
    }
    let (bad, good) = (traits(desk, &failing).await?, traits(desk, &delivered).await?);
    let mut what: Vec<Difference> = Vec::new();
    for name in bad.keys().chain(good.keys().filter(|name| !bad.contains_key(*name))) {
        let of = |counts: &BTreeMap<String, usize>| counts.get(name).copied().unwrap_or(0);
        let difference = Difference { what: name.clone(), failed: of(&bad), delivered: of(&good) };
        if difference.weight(failing.len(), delivered.len()) >= 50 {
            what.push(difference);
        }
    }
    what.sort_by_key(|one| std::cmp::Reverse(one.weight(failing.len(), delivered.len())));
    what.truncate(TOLD_MAX);
    Ok(Some(Compared { failed: failing.len(), delivered: delivered.len(), what }))
}

impl Difference {
    /// How far the shares are apart, in hundredths.
    fn weight(&self, failed: usize, delivered: usize) -> usize {
        (self.failed * 100 / failed).abs_diff(self.delivered * 100 / delivered)
    }
}

/// What is true of how many.
async fn traits(desk: &Desk, rows: &[Obligation]) -> Result<BTreeMap<String, usize>, Problem> {
    let mut counts = BTreeMap::new();
    let mut sheets: BTreeMap<RecordId, Vec<String>> = BTreeMap::new();
    for row in rows {
        let known = match sheets.entry(row.record) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let sheet = desk.record(row.record).await?;
                place.insert(sheet.map(|sheet| of(desk, &sheet, row)).unwrap_or_default())
            }
        };
        for name in known {
            *counts.entry(name.clone()).or_insert(0) += 1;
        }
    }
    Ok(counts)
}

fn of(desk: &Desk, sheet: &RecordSheet, row: &Obligation) -> Vec<String> {
    let record = &sheet.record;
    let mut found = Vec::new();
    if let Some(schema) = desk.configuration.entities.get(&record.entity) {
        let blank = |field: &&canonical::Field| record.fields.get(field.as_str()).is_none_or(is_empty);
        found.extend(schema.fields.keys().filter(blank).map(|field| format!("{field} is blank")));
    }
    if let Some(fact) = sheet.facts.first() {
        found.push(format!("last changed by {}", fact.source));
    }
    if !sheet.links.iter().any(|link| link.system == row.system && link.object == row.object) {
        found.push(format!("not linked in {} yet", row.system));
    }
    if record.version == 1 {
        found.push("never changed since it was made".to_owned());
    }
    found
}
