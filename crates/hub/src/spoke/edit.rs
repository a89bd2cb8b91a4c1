//! Edit and retry: a person has other values for a dead delivery. They count for the level that is wanted of it then, which
//! is raised by a generation; what the record says stays, and is said again with its next version. What would have been
//! said is kept beside what was ordered, with who and why, and the decision is recorded on the record (I5).

use canonical::Fields;
use intake::{Decision, DecisionKind, Raise};
use ledger::{Edit, Level, Obligation, ObligationKey, State};
use store::{Head, Op, Query, Require, SpokeAsk, SpokeRow, Unit};

use super::orders::Decision as Ordered;
use super::settle::After;
use super::{Await, Spoke};
use crate::turn::{Delivery, Ticket, Turn};

impl Spoke {
    /// Looks how the delivery stands.
    pub(super) fn order_edit(
        &mut self,
        outside: Ticket,
        delivery: Delivery,
        values: Fields,
        why: String,
        turn: &mut Turn<'_>,
    ) {
        let ask = self.edit_ask(delivery);
        self.ask_for_edit(vec![ask], (outside, values, why), turn);
    }

    fn edit_ask(&self, Delivery { key, record, object }: Delivery) -> SpokeAsk {
        let references = self.config.route(&key.route).and_then(|route| self.config.mapping_of(route));
        let references = references.map_or_else(Vec::new, |mapping| {
            mapping.references().map(|of| (of.field.clone(), of.object.clone())).collect()
        });
        SpokeAsk { key, record, object, references }
    }

    fn ask_for_edit(
        &mut self,
        asks: Vec<SpokeAsk>,
        (outside, values, why): (Ticket, Fields, String),
        turn: &mut Turn<'_>,
    ) {
        let (tenant, system) = (self.config.tenant.clone(), self.system.clone());
        self.find(Query::Spoke { tenant, system, asks }, Await::Edit(outside, values, why), turn);
    }

    /// The edit fits the delivery as it stands, or is refused with what to do instead. Where the object has as many as
    /// are kept, `rows` beyond the first are the deliveries of those.
    pub(super) fn edit(
        &mut self,
        outside: Ticket,
        values: Fields,
        why: String,
        rows: Vec<SpokeRow>,
        turn: &mut Turn<'_>,
    ) {
        // Of those deliveries some may be gone: that they were asked for is told by the number of rows.
        let asked = rows.len() > 1;
        let mut rows = rows.into_iter();
        let Some(row) = rows.next() else { return };
        let others: Vec<Obligation> = rows.filter_map(|row| row.obligation).collect();
        if let (false, Some(own), Some(shadow)) = (asked, &row.obligation, &row.shadow)
            && shadow.is_crowded()
        {
            let own_ask = std::iter::once(own.key.clone());
            let keys = own_ask.chain(shadow.edits.iter().map(|edit| ObligationKey {
                tenant: own.key.tenant.clone(),
                route: edit.route.clone(),
                subject: edit.subject,
            }));
            let delivery = |key| Delivery { key, record: own.record, object: own.object.clone() };
            let asks = keys.map(|key| self.edit_ask(delivery(key))).collect();
            return self.ask_for_edit(asks, (outside, values, why), turn);
        }
        match self.edited(values, &why, row, &others, turn) {
            Ok((unit, head)) => {
                self.outbox.push((unit, After::Ordered(outside, Ordered::Retry, Box::new(head))))
            }
            Err(text) => Self::answer(outside, Err(text), turn),
        }
    }

    fn edited(
        &self,
        values: Fields,
        why: &str,
        row: SpokeRow,
        others: &[Obligation],
        turn: &Turn<'_>,
    ) -> Result<(Unit, Head), String> {
        let Some(obligation) = row.obligation.clone() else {
            return Err("there is no such delivery".to_owned());
        };
        if let Some(text) = self.refusal(&obligation, Ordered::Retry) {
            return Err(text);
        }
        if obligation.state != State::Dead || row.intent.is_some() {
            let text = "only a dead delivery can be edited: one that is in doubt, or waits, is decided as it was rendered";
            return Err(text.to_owned());
        }
        let before = self.fitting(&obligation, &values, &row)?;
        let now = turn.now.wall;
        let level =
            Level { version: obligation.wanted.version, generation: obligation.wanted.generation + 1 };
        let link = row.link.as_deref();
        let revision = row.shadow.as_ref().map_or(0, |shadow| shadow.revision);
        let mut shadow = self.fitting_shadow(obligation.record, &obligation.object, row.shadow, |shadow| {
            shadow.external_id.as_deref() == link
        });
        let mut unit = Unit::default();
        unit.require.push(Require::ShadowAt {
            record: obligation.record,
            system: self.system.clone(),
            object: obligation.object.clone(),
            revision,
        });
        // Of another level, or of what was decided meanwhile, nothing was ordered.
        unit.require.push(Require::Wanted {
            key: obligation.key.clone(),
            level: obligation.wanted,
            state: obligation.state,
        });
        unit.ops.extend(self.recorded(&obligation, &values, why, now));
        let edit = Edit {
            route: obligation.key.route.clone(),
            subject: obligation.key.subject,
            level,
            values,
            before,
            why: why.to_owned(),
            at: now,
        };
        let is_past = |known: &Edit| {
            known.is_of(&obligation) || known.is_past(others.iter().find(|row| known.is_of(row)))
        };
        if !shadow.edit(edit, is_past) {
            let text = "as many edits as are kept of one object still wait to be said: see to those deliveries first";
            return Err(text.to_owned());
        }
        unit.ops.push(Op::PutShadow(shadow));
        let head = store::rules::head(&obligation);
        unit.ops.push(Op::Raise(Raise {
            key: obligation.key,
            system: obligation.system,
            object: obligation.object,
            entity: obligation.entity,
            record: obligation.record,
            lane: obligation.lane,
            version: obligation.wanted.version,
            again: true,
            due: now,
            at: now,
            trace: obligation.trace,
            replay: None,
        }));
        Ok((unit, head))
    }

    /// Whether the delivery may say this; gives what it would say at those paths.
    fn fitting(&self, obligation: &Obligation, values: &Fields, row: &SpokeRow) -> Result<Fields, String> {
        let route = self.config.route(&obligation.key.route);
        let mapping = route.and_then(|route| self.mapping_for(route, row));
        let schema = self.config.entities.get(&obligation.entity);
        let (Some(mapping), Some(schema), Some(record)) = (mapping, schema, &row.record) else {
            return Err("its route, mapping or record is gone: discard it".to_owned());
        };
        let known: Vec<&str> = mapping.out_paths().collect();
        if let Some(other) = values.keys().find(|path| !known.contains(&path.as_str())) {
            return Err(format!(
                "the mapping {} writes nothing at {other}: it writes {}",
                mapping.id(),
                known.join(", ")
            ));
        }
        let mut open = self.held_paths(mapping, record);
        let proposed: Vec<_> =
            record.proposed_to(&self.system, schema).map(|(field, _)| field.clone()).collect();
        open.extend(super::paths::paths_of(mapping, |field| proposed.contains(field)));
        if let Some(path) = values.keys().find(|path| open.contains(path.as_str())) {
            return Err(format!(
                "{path} carries a field that is not settled: settle it first (concord record settle)"
            ));
        }
        let own = self.own_paths(mapping, schema, Some(record));
        if let Some(path) = values.keys().find(|path| own.contains(path.as_str())) {
            return Err(format!(
                "{path} carries a field that {} owns: no delivery writes it (I5); correct it there",
                self.system
            ));
        }
        let mut fields = record.fields.clone();
        fields.extend(row.fact.iter().flat_map(|fact| fact.data.clone()));
        let links = |_: &canonical::Entity, object: &canonical::Object, id: &canonical::RecordId| {
            row.links.get(&(*id, object.clone())).cloned()
        };
        let projection = mapping.project(&fields, &links).map_err(|misfit| {
            format!("the mapping cannot bring the record over ({misfit}): correct the record or the mapping")
        })?;
        let said = projection.fields.into_iter().filter(|(path, _)| values.contains_key(path));
        Ok(said.collect())
    }

    /// The decision, by field where a path is one field's.
    fn recorded(&self, obligation: &Obligation, values: &Fields, why: &str, now: canonical::Wall) -> Vec<Op> {
        let mapping =
            self.config.route(&obligation.key.route).and_then(|route| self.config.mapping_of(route));
        let lineage = mapping.map(|mapping| mapping.lineage()).unwrap_or_default();
        let decision = |path: &String| {
            let field = lineage.iter().find(|row| row.path == path && row.direction.writes());
            Op::PutDecision(Decision {
                tenant: self.config.tenant.clone(),
                record: obligation.record,
                field: field.and_then(|row| row.field.cloned()),
                system: self.system.clone(),
                kind: DecisionKind::Edited,
                version: obligation.wanted.version,
                rule: format!("{why} (route {}, path {path})", obligation.key.route),
                at: now,
            })
        };
        values.keys().map(decision).collect()
    }
}
