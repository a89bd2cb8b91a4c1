//! Counts what was read: walks the scratch store a page at a time, and writes the list of what is not simply matched.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::sync::Arc;
use std::time::Duration;

use canonical::{System, Wall};
use config::Configuration;
use embedded::Embedded;
use hub::Spoke;
use hub::cutover::{Finding, Tally, Told};
use ledger::Lane;
use store::browse::{Look, MessageFilter, Page, RecordFilter};
use store::retention::OldRow;
use store::{Op, Query, Rows, Unit};

use crate::wiring::ask::{another, commit, find, look};

/// Rows on a page.
const PAGE: usize = 512;
/// Deliveries that are foreseen at once.
const CLAIM: usize = 256;
/// Later than any delivery is due, but those that wait for a person.
const FAR: Duration = Duration::from_secs(365 * 86_400);

/// A count under way.
pub(super) struct Count {
    config: Arc<Configuration>,
    scratch: Arc<Embedded>,
    now: Wall,
    tally: Tally,
    list: BufWriter<File>,
    findings: u64,
}

impl Count {
    pub(super) fn new(config: &Arc<Configuration>, scratch: &Arc<Embedded>, now: Wall, list: File) -> Self {
        let (config, scratch) = (Arc::clone(config), Arc::clone(scratch));
        let (tally, list) = (Tally::new(&config), BufWriter::new(list));
        Self { config, scratch, now, tally, list, findings: 0 }
    }

    /// Counts all of it. Gives the counts, and how many lines the list has.
    pub(super) async fn run(mut self) -> anyhow::Result<(Tally, u64)> {
        self.messages().await?;
        self.records().await?;
        let systems: Vec<System> = self.config.systems.keys().cloned().collect();
        for system in systems {
            self.deliveries(&system).await?;
        }
        let list = self.list.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        list.sync_all()?;
        Ok((self.tally, self.findings))
    }

    fn note(&mut self, finding: Option<Finding>) -> anyhow::Result<()> {
        if let Some(finding) = finding {
            self.findings += 1;
            writeln!(self.list, "{}", serde_json::to_string(&finding)?)?;
        }
        Ok(())
    }

    /// What each object said, the newest first. What was merged needs no message of its own once it is counted.
    async fn messages(&mut self) -> anyhow::Result<()> {
        let tenant = self.config.tenant.clone();
        let mut before = None;
        loop {
            let filter = MessageFilter { before, limit: PAGE, ..MessageFilter::default() };
            let Page::Messages(rows) = look(&*self.scratch, &tenant, Look::Messages(filter)).await? else {
                return Err(another());
            };
            let Some((last, _)) = rows.last() else { return Ok(()) };
            before = Some(*last);
            let told: Vec<Told> =
                rows.into_iter().map(|(_, message)| Told::of(&self.config, message)).collect();
            let forgotten = told.iter().filter_map(Told::merged).map(|id| Op::Forget {
                tenant: tenant.clone(),
                row: OldRow::Payload(id),
                before: self.now + FAR,
            });
            let forgotten = Unit { require: Vec::new(), ops: forgotten.collect() };
            let asks = told.iter().map(Told::ask).collect();
            let query = Query::Intake { tenant: tenant.clone(), asks };
            let Rows::Intake(view) = find(&*self.scratch, query).await? else {
                return Err(another());
            };
            for told in told {
                let finding = self.tally.message(told, &view);
                self.note(finding)?;
            }
            if !forgotten.ops.is_empty() {
                commit(&*self.scratch, vec![forgotten]).await?;
            }
        }
    }

    /// Where each record is, and where it is not.
    async fn records(&mut self) -> anyhow::Result<()> {
        let tenant = self.config.tenant.clone();
        let mut after = None;
        loop {
            let filter = RecordFilter { after, limit: PAGE, ..RecordFilter::default() };
            let Page::Records(rows, next) = look(&*self.scratch, &tenant, Look::Records(filter)).await?
            else {
                return Err(another());
            };
            for (record, links) in &rows {
                let finding = self.tally.record(record, links);
                self.note(finding)?;
            }
            if next.is_none() {
                return Ok(());
            }
            after = next;
        }
    }

    /// What each delivery to a system would come to.
    async fn deliveries(&mut self, system: &System) -> anyhow::Result<()> {
        let Some(seer) = Spoke::seer(Arc::clone(&self.config), system.clone()) else { return Ok(()) };
        for lane in Lane::ALL {
            let mut after = None;
            loop {
                let (tenant, system, due_by) = (self.config.tenant.clone(), system.clone(), self.now + FAR);
                let claim = Query::Claim { tenant, system, lane, after, due_by, limit: CLAIM };
                let Rows::Claim(claimed) = find(&*self.scratch, claim).await? else {
                    return Err(another());
                };
                let Some(last) = claimed.heads.last() else { break };
                after = Some((last.due, last.seq));
                let asks = claimed.heads.iter().map(|head| seer.ask_of(head)).collect();
                let (tenant, system) = (self.config.tenant.clone(), seer.system().clone());
                let Rows::Spoke(rows) = find(&*self.scratch, Query::Spoke { tenant, system, asks }).await?
                else {
                    return Err(another());
                };
                let mut held = Unit::default();
                for row in rows {
                    let Some(obligation) = row.obligation.clone() else { continue };
                    let foreseen = seer.foresee(&obligation, row, self.now);
                    let (finding, hold) = self.tally.delivery(&obligation, foreseen, self.now);
                    held.ops.extend(hold);
                    self.note(finding)?;
                }
                if !held.ops.is_empty() {
                    commit(&*self.scratch, vec![held]).await?;
                }
            }
        }
        Ok(())
    }
}
