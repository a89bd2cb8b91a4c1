//! Batches: deliveries of one system, kind of object and operation that go in one call.
//!
//! Who is waiting when one is admitted goes along; nobody is waited for, and whoever is alone goes alone. Together they
//! take one slot and are charged once, and each stays a delivery of its own: its intent, key, level, shadow and end.
//! Each intent keeps its part of the request and its place; all are durable in one unit before anything is sent.
//!
//! Very many go in a job, where the operation has one and they are on a lane for it: fewer in batches, where it has them,
//! or each by itself.
//!
//! The answer is read for each. Where the whole was refused for one of them, and nothing applied, its halves go on as
//! batches of their own until that one is alone. What nobody knows the fate of is never split: its parts go again
//! together, with the same bytes, as far as nothing moved meanwhile; or each is looked for, as its class says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::{IntentId, Mono};
use connector::{Call, Part, Together};
use dispatch::Permit;
use ledger::{IntentState, Membership, Obligation, ObligationKey};
use store::{Head, Op, Unit};

use crate::spoke::bulk::job_key;
use crate::spoke::draw::looks_first;
use crate::spoke::flight::{ARRIVAL_SLACK, Action, Flight};
use crate::spoke::plan::{Wanted, reason};
use crate::spoke::settle::After;
use crate::spoke::sort::{Sort, is_half, most_for, turn_of};
use crate::spoke::write::begins;
use crate::spoke::{Await, Spoke, Token};
use crate::turn::Turn;

/// A delivery that is to be written, under a permit that others share.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) head: Head,
    pub(crate) permit: Permit,
    pub(crate) obligation: Obligation,
    pub(crate) wanted: Wanted,
}

impl Spoke {
    /// Others that are ready go along with what was just admitted.
    pub(crate) fn along(
        &mut self,
        first: &dispatch::Wanted<Token>,
        permit: &Permit,
        now: Mono,
    ) -> Vec<(Token, Permit)> {
        let Some(dispatcher) = self.dispatcher.as_mut().filter(|_| first.party.is_some()) else {
            return Vec::new();
        };
        dispatcher
            .join(permit, first, now)
            .into_iter()
            .map(|(wanted, permit)| (wanted.token, permit))
            .collect()
    }

    /// Deliveries are admitted: they are judged together.
    pub(crate) fn let_in(
        &mut self,
        first: ObligationKey,
        permit: Permit,
        along: Vec<(Token, Permit)>,
        turn: &Turn<'_>,
    ) {
        for (token, permit) in std::iter::once((Token::Deliver(first), permit)).chain(along) {
            let Token::Deliver(key) = token else {
                self.unused(permit, turn);
                continue;
            };
            match self.heads.remove(&key) {
                Some(head) => {
                    self.draws.remove(&key);
                    self.active.insert(key);
                    self.admitted.push((head, permit));
                }
                None => self.unused(permit, turn),
            }
        }
    }

    /// A delivery is to be written: at once, or, where others share its permit, when all of them are judged.
    pub(crate) fn plan_write(
        &mut self,
        head: Head,
        permit: Permit,
        obligation: Obligation,
        wanted: Wanted,
        turn: &mut Turn<'_>,
    ) {
        let shared = self.dispatcher.as_ref().is_some_and(|dispatcher| dispatcher.is_shared(&permit));
        let one = Gathered { head, permit, obligation, wanted };
        if shared { self.gathered.push(one) } else { self.write_alone(one, turn) }
    }

    fn write_alone(&mut self, one: Gathered, turn: &mut Turn<'_>) {
        let job = self.job_for(&one);
        let mut sort = self.sort_of_one(&one);
        let Gathered { head, permit, obligation, wanted } = one;
        if job {
            // As many jobs run as may: it waits for company. Else it goes by itself, and is nobody's turn.
            if !self.may_take_turn(&permit, &sort) {
                return self.set_apart(head, permit, sort, turn);
            }
            sort = Sort::default();
        }
        let spec = self.operation_for(&obligation.object, &wanted);
        let draw = spec.map(|spec| self.draw_of_write(spec, &obligation.object, &wanted));
        if let Some(draw) = draw.filter(|draw| !permit.covers(draw.buckets, draw.cost)) {
            if job {
                self.sorts.insert(head.key.clone(), sort);
            } else {
                self.keep_sort(&head.key, sort);
            }
            return self.ask_again(head, permit, draw, turn);
        }
        if !self.takes_turn(&permit, &sort) {
            return self.set_apart(head, permit, sort, turn);
        }
        self.write(Gathered { head, permit, obligation, wanted }, turn);
    }

    /// Too few for a job: each goes by itself.
    fn go_singly(&mut self, going: Vec<Gathered>, turn: &mut Turn<'_>) {
        let mut going = going.into_iter();
        if let Some(first) = going.next() {
            self.write_alone(first, turn);
        }
        for Gathered { head, permit, .. } in going {
            self.alone_next(head, permit, turn);
        }
    }

    /// It goes by itself when it goes next. Whatever half it was in is over with that.
    fn alone_next(&mut self, head: Head, permit: Permit, turn: &Turn<'_>) {
        self.sorts.insert(head.key.clone(), Sort::default());
        self.unused(permit, turn);
        let due = head.due;
        self.settled(head, Some(due), turn.now);
    }

    /// Those of one parent stand together: a target that works on parts of a job at once locks fewer of them twice.
    fn by_parent(&self, going: &mut [Gathered]) {
        going.sort_by_cached_key(|one| {
            let spec = self.operation_for(&one.obligation.object, &one.wanted);
            spec.and_then(|spec| turn_of(spec, &one.wanted.whole))
        });
    }

    /// It does not go in this call: it asks again, with what is known of it.
    fn set_apart(&mut self, head: Head, permit: Permit, sort: Sort, turn: &Turn<'_>) {
        self.keep_sort(&head.key, sort);
        self.unused(permit, turn);
        let due = head.due;
        self.settled(head, Some(due), turn.now);
    }

    /// Everything that was admitted is judged: what shares a permit is put together.
    pub(crate) fn form_batches(&mut self, turn: &mut Turn<'_>) {
        let mut parties: BTreeMap<u64, Vec<Gathered>> = BTreeMap::new();
        for one in std::mem::take(&mut self.gathered) {
            parties.entry(one.permit.party()).or_default().push(one);
        }
        for party in parties.into_values() {
            self.form(party, turn);
        }
    }

    /// One call is made under a party's permits: for the most of them that one operation can take.
    fn form(&mut self, party: Vec<Gathered>, turn: &mut Turn<'_>) {
        let mut by_operation: BTreeMap<Option<Arc<str>>, Vec<Gathered>> = BTreeMap::new();
        for one in party {
            let spec = self.operation_for(&one.obligation.object, &one.wanted);
            let together = spec
                .filter(|spec| most_for(spec, one.head.lane).is_some() && !looks_first(spec, &one.wanted));
            by_operation.entry(together.map(|spec| Arc::clone(&spec.name))).or_default().push(one);
        }
        let most = by_operation.iter().filter(|(name, _)| name.is_some()).max_by_key(|(_, ones)| ones.len());
        let most = most.map(|(name, _)| name.clone()).unwrap_or_default();
        let mut going = by_operation.remove(&most).unwrap_or_default();
        let others = by_operation.into_values().flatten();
        // What can go alone only: the first of them goes.
        let rest = if most.is_none() { going.split_off(going.len().min(1)) } else { Vec::new() };
        for one in others.chain(rest) {
            self.leave(one, turn);
        }
        if going.len() < 2 {
            return going.into_iter().for_each(|one| self.write_alone(one, turn));
        }
        let Some(form) = self.form_for(&going) else { return self.go_singly(going, turn) };
        let going = self.that_may_go(going, form, turn);
        if going.len() < 2 {
            return going.into_iter().for_each(|one| self.write_alone(one, turn));
        }
        self.write_batch(going, form, turn);
    }

    /// How they go together: in a job where there are enough of them for one, else in a batch; `None`: each by itself.
    /// What a batch or job was refused for is looked for in batches.
    fn form_for(&self, going: &[Gathered]) -> Option<Together> {
        let first = going.first()?;
        let spec = self.operation_for(&first.obligation.object, &first.wanted)?;
        let Some(job) = spec.bulk.as_ref().and_then(|bulk| bulk.job.as_ref()) else {
            return Some(Together::Batch);
        };
        let fit = going.iter().filter(|one| job.lanes.contains(&one.head.lane)).count();
        let half =
            self.sorts.get(&first.head.key).and_then(|sort| sort.party).is_some_and(|party| is_half(&party));
        match (fit >= job.records_min, &spec.batch) {
            (true, None) => Some(Together::Bulk),
            (true, Some(_)) if !half => Some(Together::Bulk),
            (_, Some(_)) => Some(Together::Batch),
            // As many jobs run as may: they wait for company.
            (false, None) if !self.may_take_turn(&first.permit, &self.sort_of_one(first)) => {
                Some(Together::Bulk)
            }
            (false, None) => None,
        }
    }

    /// It does not go in this call: it asks again, for what it needs.
    fn leave(&mut self, one: Gathered, turn: &Turn<'_>) {
        let sort = self.sort_of_one(&one);
        let spec = self.operation_for(&one.obligation.object, &one.wanted);
        let draw = spec.map(|spec| self.draw_of_write(spec, &one.obligation.object, &one.wanted));
        if let Some(draw) = draw.filter(|draw| !one.permit.covers(draw.buckets, draw.cost)) {
            self.draws.insert(one.head.key.clone(), draw);
        }
        self.set_apart(one.head, one.permit, sort, turn);
    }

    /// Those of them for whom the permit pays, whose parents are free, and of whom there are not too many. Of a job it is
    /// its turn that must be free: it keeps no parents apart.
    fn that_may_go(&mut self, going: Vec<Gathered>, form: Together, turn: &mut Turn<'_>) -> Vec<Gathered> {
        let batch = going.first().and_then(|one| {
            self.operation_for(&one.obligation.object, &one.wanted).and_then(|spec| spec.form(form).cloned())
        });
        let Some(batch) = batch else { return going };
        let draw = self.drawn(Some(&batch.charge));
        let mut may = Vec::with_capacity(going.len());
        for one in going {
            let mut sort = self.sort_of_one(&one);
            if let Some(job) = &batch.job {
                if !job.lanes.contains(&one.head.lane) {
                    self.set_apart(one.head, one.permit, sort, turn);
                    continue;
                }
                let spec = self.operation_for(&one.obligation.object, &one.wanted);
                sort.serial = spec.map(|spec| job_key(&one.obligation.object, &spec.name));
            }
            if !one.permit.covers(draw.buckets, draw.cost) {
                self.keep_sort(&one.head.key, sort);
                self.ask_again(one.head, one.permit, draw, turn);
            } else if may.len() >= batch.records_max || !self.takes_turn(&one.permit, &sort) {
                self.set_apart(one.head, one.permit, sort, turn);
            } else {
                may.push(one);
            }
        }
        may
    }

    /// Renders each one's part and makes all intents durable together; the commit's answer sends them.
    fn write_batch(&mut self, mut going: Vec<Gathered>, form: Together, turn: &mut Turn<'_>) {
        if form == Together::Bulk {
            self.by_parent(&mut going);
        }
        let batch = IntentId::from_parts(turn.now.wall, turn.wide_entropy());
        let mut rendered = Vec::with_capacity(going.len());
        let mut bytes = 0;
        for one in going {
            let id = IntentId::from_parts(turn.now.wall, turn.wide_entropy());
            let part = self.compose(id, &one.obligation, &one.wanted).and_then(|(terms, write)| {
                let call = Call::Write(write);
                let part = self.connector.render_part(&call, &batch.to_string(), form);
                let Call::Write(write) = call else { return Err("not a write".to_owned()) };
                Ok((terms, write, part.map_err(|error| error.to_string())?))
            });
            let (terms, write, mut part) = match part {
                Ok(part) => part,
                // What a job can't say another call may: it goes by itself.
                Err(_) if form == Together::Bulk => {
                    self.alone_next(one.head, one.permit, turn);
                    continue;
                }
                Err(why) => {
                    self.unrendered(one.head, one.permit, &one.obligation, &one.wanted, why, turn);
                    continue;
                }
            };
            bytes += part.record_bytes() + if bytes == 0 { part.frame_bytes() } else { 1 };
            let spec = self.operation_for(&one.obligation.object, &one.wanted);
            let most = spec.and_then(|spec| spec.form(form)).map_or(usize::MAX, |batch| batch.bytes_max);
            if bytes > most && !rendered.is_empty() {
                let sort = self.sort_of_one(&one);
                self.set_apart(one.head, one.permit, sort, turn);
                continue;
            }
            part.limit_timeout(self.timeout_ms_max());
            rendered.push((id, terms, write, part, one));
        }
        if rendered.len() < 2 {
            return rendered.into_iter().for_each(|(.., one)| self.write_alone(one, turn));
        }
        let of = u32::try_from(rendered.len()).unwrap_or(u32::MAX);
        let mut flights = Vec::with_capacity(rendered.len());
        for (place, (id, terms, mut write, part, one)) in (0..).zip(rendered) {
            let mut intent = self.intent(
                id,
                &one.obligation,
                &one.wanted,
                &terms,
                &mut write,
                part.to_bytes(),
                part.timeout_ms(),
                turn.now.wall,
            );
            let job = self.job_spec(&intent.object, &intent.operation);
            if let Some(job) = job.filter(|_| form == Together::Bulk) {
                // What the target takes may be at work for as long as a job lasts.
                intent.processing_max = job.lasts_max;
            }
            intent.batch = Some(Membership { id: batch, place, of });
            flights.push(self.takes_off(one, intent, write, connector::Request::default(), Action::Send));
        }
        self.keep_batch(flights);
    }

    /// All intents of a batch are written in one unit; then it goes.
    pub(crate) fn keep_batch(&mut self, flights: Vec<Flight>) {
        let mut ops: Vec<Op> = flights.iter().map(|flight| Op::PutIntent(flight.intent.clone())).collect();
        ops.extend(flights.iter().filter_map(|flight| self.ends_object(flight)));
        let require = flights.iter().flat_map(begins).collect();
        self.outbox.push((Unit { require, ops }, After::LaunchBatch(flights)));
    }

    /// Their intents are durable: they go, in one request.
    pub(crate) fn launch_batch(&mut self, mut flights: Vec<Flight>, turn: &mut Turn<'_>) {
        flights.iter_mut().for_each(|flight| flight.begins = false);
        flights.sort_by_key(|flight| flight.intent.batch.map(|batch| batch.place));
        let parts: Option<Vec<Part>> =
            flights.iter().map(|flight| Part::from_bytes(&flight.intent.request)).collect();
        let Some(request) = parts.and_then(|parts| Part::join(&parts)) else {
            let why = reason("unreadable", "the stored request can't be read: discard or retry it");
            for flight in flights {
                self.release(flight.permit, turn);
                self.give_to_person(&flight.intent, why.clone(), turn);
            }
            return;
        };
        let arrives = turn.now.wall + Duration::from_millis(request.timeout_ms);
        if flights.iter().any(|flight| !flight.durable || arrives > flight.intent.arrives_until) {
            for flight in &mut flights {
                flight.intent.sends += u32::from(!flight.durable);
                flight.intent.probes = 0;
                flight.intent.arrives_until = arrives + ARRIVAL_SLACK;
                flight.intent.state = IntentState::Open;
                flight.durable = true;
            }
            return self.keep_batch(flights);
        }
        let Some(first) = flights.first_mut() else { return };
        first.permit.use_for(self.draw_of_intent(&first.intent, Action::Send).buckets);
        let first = &first.permit;
        if self.dispatcher.as_ref().is_some_and(|dispatcher| !dispatcher.may_go(first, turn.now.mono)) {
            return flights.into_iter().for_each(|flight| self.wait_out(flight, turn));
        }
        self.send(request, Await::Batch(flights), turn);
    }

    /// The longest an exchange may take here, in milliseconds.
    pub(crate) fn timeout_ms_max(&self) -> u64 {
        u64::try_from(self.settings.connection.request_timeout.as_millis()).unwrap_or(u64::MAX)
    }
}
