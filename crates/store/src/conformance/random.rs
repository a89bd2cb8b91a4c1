//! Random units and questions, the same for two backends: every answer must be equal.
//!
//! Few names and small numbers, so that operations meet: the same record, route, object and key again and again.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Alive, Wall};
use intake::{Ask, DecisionKind, Link, Message, MessageState, Raise};
use ledger::{Intent, IntentState, Lane, Level, ObligationKey, State, Waiting};
use serde_json::json;

use super::Backend;
use super::make::*;
use crate::browse::{
    DecisionFilter, DeliveryFilter, EventFilter, GroupFilter, JobFilter, Look, MessageFilter,
};
use crate::epoch::{Epoch, Reread};
use crate::op::{Attempt, Decided, Fetch, SystemState};
use crate::retention::{OldRow, Retained};
use crate::{Op, Query, Require, SpokeAsk, Unit};

/// Applies `steps` random commits to both and compares every receipt, and after each some answers.
///
/// # Panics
/// At the first answer that differs, with the step.
pub fn agree(left: &Backend, right: &Backend, seed: u64, steps: usize) {
    let mut dice = Dice { state: seed, ended: BTreeSet::new() };
    for step in 0..steps {
        let units: Vec<Unit> = (0..=dice.below(3)).map(|_| dice.unit()).collect();
        let told = format!("seed {seed}, step {step}: {units:#?}");
        assert_eq!(left.commit(units.clone()), right.commit(units), "receipts differ at {told}");
        for _ in 0..3 {
            let query = dice.query();
            assert_eq!(left.find(query.clone()), right.find(query.clone()), "{query:?} differs after {told}");
        }
        let look = dice.look();
        let pages = (left.look(&acme(), look.clone()), right.look(&acme(), look.clone()));
        assert_eq!(pages.0, pages.1, "{look:?} differs after {told}");
    }
}

/// A seeded generator (splitmix64).
struct Dice {
    state: u64,
    /// Intents that were put as closed: they are not put again as newly rendered ones.
    ended: BTreeSet<u64>,
}

impl Dice {
    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn number(&mut self, bound: i64) -> i64 {
        i64::try_from(self.below(bound.unsigned_abs())).unwrap_or_default()
    }

    fn maybe(&mut self) -> bool {
        self.below(2) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let at = usize::try_from(self.below(from.len() as u64)).unwrap_or_default();
        from[at].clone()
    }

    fn some<T>(&mut self, value: T) -> Option<T> {
        self.maybe().then_some(value)
    }

    fn time(&mut self) -> Wall {
        at(self.number(40))
    }

    fn system(&mut self) -> &'static str {
        self.pick(&["crm", "erp"])
    }

    fn object(&mut self) -> &'static str {
        self.pick(&["contacts", "customer"])
    }

    fn id(&mut self) -> &'static str {
        self.pick(&["a", "b", "c"])
    }

    fn unit(&mut self) -> Unit {
        let require = if self.below(3) == 0 { vec![self.require()] } else { vec![] };
        let ops = (0..self.below(5)).map(|_| self.op()).collect();
        Unit { require, ops }
    }

    fn require(&mut self) -> Require {
        let record = rec(self.below(4));
        let (name, kind) = (system(self.system()), object(self.object()));
        match self.below(9) {
            8 => {
                let id = self.id();
                Require::LinkedTo { record, external: external(name.as_str(), kind.as_str(), id) }
            }
            6 => Require::Stands { record },
            7 => Require::NoOpenIntent { record },
            0 => Require::Unseen { tenant: acme(), source: name, event_id: self.id().to_owned() },
            1 => Require::RecordAt { record, version: self.number(3) },
            2 => {
                let id = self.id();
                Require::Unlinked { tenant: acme(), external: external(name.as_str(), kind.as_str(), id) }
            }
            3 => Require::NotYetLinked { record, system: name, object: kind },
            4 => Require::ShadowAt { record, system: name, object: kind, revision: self.number(3) },
            _ => Require::MatchFree {
                tenant: acme(),
                entity: entity("Contact"),
                key: "email".to_owned(),
                value: self.id().to_owned(),
                record,
            },
        }
    }

    fn op(&mut self) -> Op {
        match self.below(22) {
            0..4 => Op::Raise(self.raise()),
            4..8 => self.settle(),
            8..10 => self.link(),
            10..12 => Op::PutIntent(self.intent()),
            12 => self.record(),
            13 => self.match_key(),
            14 => Op::PutMessage(self.message()),
            15..17 => self.small(),
            17 => self.decided(),
            18 => self.forget(),
            _ => self.work(),
        }
    }

    fn key(&mut self) -> ObligationKey {
        let route = self.pick(&["r", "s"]);
        let number = self.below(4);
        if self.maybe() { sync_key(route, number) } else { notify_key(route, number) }
    }

    fn raise(&mut self) -> Raise {
        let key = self.key();
        // A row's own columns never change between raises: they follow from its key.
        let record = match key.subject {
            ledger::Subject::Record(record) => record,
            ledger::Subject::Event(_) => rec(1),
        };
        let name = if key.route.as_str() == "r" { "erp" } else { "crm" };
        Raise {
            key,
            system: system(name),
            object: object("customer"),
            entity: entity("Contact"),
            record,
            lane: self.pick(&Lane::ALL),
            version: 1 + self.number(3),
            again: self.below(6) == 0,
            due: self.time(),
            at: self.time(),
            trace: trace(self.below(9)),
            replay: Some(intake::Replay { job: job(self.below(2)), anew: self.maybe() })
                .filter(|_| self.below(4) == 0),
        }
    }

    fn settle(&mut self) -> Op {
        match self.below(16) {
            0 => return Op::Hold { key: self.key(), reason: reason("held"), at: self.time() },
            1 => return Op::Release { key: self.key(), at: self.time() },
            2 => {
                let lane = self.pick(&[Lane::Critical, Lane::Standard, Lane::Bulk]);
                return Op::Hasten { key: self.key(), lane, at: self.time() };
            }
            _ => {}
        }
        let states = [
            State::Pending,
            State::Retrying,
            State::Uncertain,
            State::Parked,
            State::Parked,
            State::Dead,
            State::Delivered,
            State::Delivered,
            State::Superseded,
            State::Skipped,
            State::Discarded,
            State::Erased,
        ];
        let link =
            Waiting::Link { record: rec(self.below(4)), object: object(self.object()), until: self.time() };
        let waiting = self.pick(&[link.clone(), link, Waiting::Operator]);
        let state = self.pick(&states);
        Op::Settle {
            key: self.key(),
            level: Level { version: self.number(5), generation: self.number(2) },
            reached: self.maybe(),
            state,
            attempts: 3,
            due: self.time(),
            waiting: (state == State::Parked).then_some(waiting).filter(|_| self.below(4) > 0),
            reason: self.some(reason("fp1_a")),
            at: self.time(),
        }
    }

    fn link(&mut self) -> Op {
        let made = Link {
            object: object(self.object()),
            instance: self.pick(&["org-1", "org-2"]).to_owned(),
            created_at: self.time(),
            ..link(self.below(4), self.system(), self.id())
        };
        if self.below(4) == 0 { Op::DropLink(made) } else { Op::PutLink(made) }
    }

    fn intent(&mut self) -> Intent {
        let number = self.below(20);
        let states = [IntentState::Open, IntentState::Doubtful, IntentState::Closed];
        let state = if self.ended.contains(&number) { self.pick(&states[1..]) } else { self.pick(&states) };
        if state == IntentState::Closed {
            self.ended.insert(number);
        }
        // What an intent is about follows from its number; its state moves.
        Intent {
            obligation: sync_key("r", number % 4),
            class: class_of(number),
            batch: number.is_multiple_of(3).then(|| membership(number)),
            external_id: number.is_multiple_of(2).then(|| "x".to_owned()),
            state,
            sends: 1 + u32::from(self.maybe()),
            due: self.time(),
            reason: self.some(reason("fp1_c")),
            closed_at: self.some(at(3)),
            call: vec![7; usize::try_from(self.below(50)).unwrap_or_default()].into(),
            ..intent(number, "r", number % 4)
        }
    }

    fn record(&mut self) -> Op {
        let mut made = record(self.below(4), 1 + self.number(3));
        made.fields.insert("account".to_owned(), json!(rec(self.below(4)).to_string()));
        made.alive = match self.below(4) {
            0 => Alive::Merged { into: rec(self.below(4)) },
            1 => Alive::Deleted { by: system("crm"), at: self.time() },
            _ => Alive::Live,
        };
        Op::PutRecord(made)
    }

    fn match_key(&mut self) -> Op {
        let (tenant, entity, key) = (acme(), entity("Contact"), "email".to_owned());
        let (value, record) = (self.id().to_owned(), rec(self.below(4)));
        if self.below(20) == 0 {
            Op::DropMatches(tenant)
        } else if self.below(3) == 0 {
            Op::DropMatch { tenant, entity, key, value, record }
        } else {
            Op::PutMatch { tenant, entity, key, value, record }
        }
    }

    fn message(&mut self) -> Message {
        let states =
            [MessageState::Accepted, MessageState::Parked, MessageState::Parked, MessageState::Quarantined];
        let waiting = external(self.system(), self.object(), self.id());
        let state = self.pick(&states);
        // One that is put as accepted is new, or was accepted before.
        let number = if state == MessageState::Accepted { 5 + self.below(3) } else { self.below(5) };
        Message {
            state,
            reason: self.some(reason("fp1_m")),
            waiting: self.some(waiting),
            deadline: Some(self.time()).filter(|_| self.maybe()),
            raw: vec![1; usize::try_from(self.below(30)).unwrap_or_default()],
            received_at: at(self.number(4) * 86_400),
            ..message(number)
        }
    }

    fn decided(&mut self) -> Op {
        let decided = Decided {
            again: self.maybe(),
            job: job(self.below(2)),
            reason: reason(""),
            failed_by: self.time(),
            at: self.time(),
        };
        match self.below(5) {
            0..2 => Op::Decide { key: self.key(), decided },
            2 => Op::DecideMessage { tenant: acme(), id: msg(self.below(5)), decided },
            3 => Op::DropJob(job(self.below(2))),
            _ => {
                let state = self.pick(&[ledger::JobState::Planned, ledger::JobState::Running]);
                Op::PutJob(ledger::Job { state, ..super::bulk::plan(self.below(2)) })
            }
        }
    }

    /// Not intents: how long they stay after their end is each backend's own.
    fn forget(&mut self) -> Op {
        let row = match self.below(7) {
            6 => return Op::PutRetained(acme(), Retained { payloads: self.number(9), ..<_>::default() }),
            0 => OldRow::Payload(msg(self.below(8))),
            1 => OldRow::Message(msg(self.below(8))),
            2 => OldRow::Event(evt(self.below(4))),
            3 => OldRow::Delivery(self.key()),
            4 => OldRow::Attempt(1 + self.number(9)),
            _ => OldRow::Decision(rec(self.below(4)), 1 + self.number(3)),
        };
        Op::Forget { tenant: acme(), row, before: at(self.number(4) * 43_200) }
    }

    fn small(&mut self) -> Op {
        match self.below(8) {
            7 => Op::PutVersion(crate::Version {
                meaning: serde_json::json!({ "fields": self.number(3) }),
                ..super::make::version("entity", "Contact", 1 + u32::from(self.maybe()))
            }),
            6 => Op::Bury {
                tenant: acme(),
                system: system(self.system()),
                name: self.id().to_owned(),
                grave: [u8::from(self.maybe()); 32],
                at: self.time(),
            },
            0 => Op::Seen {
                tenant: acme(),
                source: system(self.system()),
                event_id: self.id().to_owned(),
                hash: [u8::from(self.maybe()); 32],
                at: self.time(),
            },
            1 => Op::PutFact(fact(self.below(4), 1)),
            2 => Op::PutDecision(decision(
                self.below(4),
                self.pick(&[DecisionKind::Stale, DecisionKind::Frozen]),
            )),
            3 => Op::PutAttempt(Attempt { took_ms: self.below(99), ..attempt(1, "r", self.below(4)) }),
            4 => Op::MessageState {
                tenant: acme(),
                id: msg(self.below(5)),
                state: self.pick(&[MessageState::Ready, MessageState::Accepted, MessageState::Discarded]),
                reason: self.some(reason("fp1_d")),
                at: self.time(),
            },
            _ => {
                let (record, name, kind) = (self.below(4), self.system(), self.object());
                Op::PutShadow(shadow(record, name, kind))
            }
        }
    }

    fn work(&mut self) -> Op {
        let wanted = external(self.system(), "contacts", self.id());
        let tenant = acme();
        match self.below(11) {
            0 | 1 => Op::WantFetch(Fetch {
                external: wanted,
                trace: trace(self.below(9)),
                ..fetch("a", self.number(40), self.number(40))
            }),
            2 => Op::DoneFetch { tenant, external: wanted, started: self.time() },
            3 => Op::DelayFetch { tenant, external: wanted, due: self.time(), attempts: 2 },
            4 => Op::PutCursor {
                tenant,
                system: system(self.system()),
                object: object(self.object()),
                cursor: self.id().to_owned(),
                at: self.time(),
            },
            5 => Op::PutCredential {
                tenant,
                system: system(self.system()),
                credential: self.some(vec![7]),
                generation: self.number(4),
            },
            6 => Op::PutEpoch(Epoch {
                number: self.number(3),
                taken_at: self.time(),
                restored_at: self.time(),
            }),
            7 => Op::PutReread {
                tenant,
                system: system(self.system()),
                epoch: self.number(3),
                reread: Reread { read_at: Some(self.time()), open_at: None },
            },
            8 => Op::WantFetchOf {
                tenant,
                record: rec(self.below(4)),
                objects: vec![(system(self.system()), object(self.object()))],
                at: self.time(),
                trace: trace(self.below(9)),
            },
            9 => Op::PutApplied(crate::Applied {
                tenant,
                digest: self.id().to_owned(),
                at: self.time(),
                reason: "anna".to_owned(),
                changes: Vec::new(),
                findable: std::collections::BTreeSet::new(),
            }),
            _ => Op::PutSystem(SystemState {
                paused: self.some("anna".to_owned()),
                credential_generation: self.number(4),
                closed: self.some((Some("burst".to_owned()), at(9))).into_iter().collect(),
                jobs: self.some(bulk_job("7", vec![1, 3])).into_iter().collect(),
                ..system_state(self.system())
            }),
        }
    }

    fn query(&mut self) -> Query {
        let (tenant, name) = (acme(), system(self.system()));
        match self.below(11) {
            10 => Query::Whole { tenant, records: (0..4).map(rec).collect() },
            9 => Query::Held { tenant, system: name, after: self.number(9), limit: 3 },
            0..2 => Query::Intake { tenant, asks: (0..self.below(4)).map(|_| self.ask()).collect() },
            2..4 => {
                let asks = (0..self.below(4)).map(|_| self.spoke_ask()).collect();
                Query::Spoke { tenant, system: name, asks }
            }
            4..6 => {
                let after = (self.time(), self.number(9));
                Query::Claim {
                    tenant,
                    system: name,
                    lane: self.pick(&Lane::ALL),
                    after: self.some(after),
                    due_by: self.time(),
                    limit: usize::try_from(self.below(5)).unwrap_or_default(),
                }
            }
            6 => Query::Intents { tenant, system: name },
            7 => Query::Fetches { tenant, system: name, due_by: self.time(), limit: 2 },
            _ if self.maybe() => Query::System { tenant, system: name },
            _ => Query::Ready { tenant, now: self.time(), limit: 3 },
        }
    }

    fn ask(&mut self) -> Ask {
        let event = (system(self.system()), self.id().to_owned());
        let creating = (entity("Contact"), system("erp"), object("customer"));
        let matched = (entity("Contact"), "email".to_owned(), self.id().to_owned());
        Ask {
            event: self.some(event.clone()),
            grave: self.some(event),
            records: (0..self.below(2)).map(|_| rec(1)).collect(),
            objects: (0..self.below(3)).map(|_| external(self.system(), self.object(), self.id())).collect(),
            matches: self.some(matched).into_iter().collect(),
            creating: self.some(creating),
        }
    }

    fn spoke_ask(&mut self) -> SpokeAsk {
        let reference = (field("account"), object(self.object()));
        SpokeAsk {
            key: self.key(),
            record: rec(self.below(4)),
            object: object(self.object()),
            references: self.some(reference).into_iter().collect(),
        }
    }

    fn look(&mut self) -> Look {
        let before = self.number(20);
        let before = self.some(before);
        let limit = usize::try_from(self.below(6)).unwrap_or_default();
        match self.below(14) {
            8 => Look::Jobs(JobFilter { id: self.some(job(0)), before, limit }),
            9 => Look::Groups(GroupFilter {
                system: self.some(system("erp")),
                open: self.some(true),
                limit: 9,
                ..GroupFilter::default()
            }),
            0 | 1 => Look::Deliveries(self.delivery_filter(before, limit)),
            2 => Look::Delivery(self.key()),
            3 => Look::Events(EventFilter { record: Some(rec(1)), before, limit, ..EventFilter::default() }),
            4 => Look::Messages(MessageFilter {
                source: self.some(system("crm")),
                states: if self.maybe() { vec![] } else { vec![MessageState::Parked, MessageState::Ready] },
                before,
                limit,
            }),
            5 => Look::Record(rec(self.below(4))),
            6 => Look::RecordByLink {
                system: system(self.system()),
                object: None,
                external_id: self.id().to_owned(),
            },
            7 => Look::Applied { before, limit },
            10 => Look::Changes { system: None, before, limit },
            11 => {
                Look::Footprint { entities: vec![record(1, 1).entity], systems: vec![system(self.system())] }
            }
            12 => Look::Decisions(DecisionFilter {
                kinds: if self.maybe() { vec![] } else { vec![DecisionKind::Frozen] },
                system: self.some(system("crm")),
                before,
                limit,
            }),
            _ => Look::Systems,
        }
    }

    fn delivery_filter(&mut self, before: Option<i64>, limit: usize) -> DeliveryFilter {
        let sets = [
            vec![],
            vec![State::Dead],
            vec![State::Parked, State::Retrying],
            vec![State::Pending],
            vec![State::Delivered, State::Dead],
        ];
        let (name, record) = (system(self.system()), rec(self.below(4)));
        DeliveryFilter {
            system: self.some(name),
            states: self.pick(&sets),
            record: Some(record).filter(|_| self.below(3) == 0),
            route: Some("r".to_owned()).filter(|_| self.below(3) == 0),
            fingerprint: Some("fp1_a".to_owned()).filter(|_| self.below(3) == 0),
            before,
            limit,
        }
    }
}

/// How often each operation comes up in so many random units, by name.
#[must_use]
pub fn coverage(seed: u64, steps: usize) -> BTreeMap<String, usize> {
    let mut dice = Dice { state: seed, ended: BTreeSet::new() };
    let mut counts = BTreeMap::new();
    for _ in 0..steps {
        for op in dice.unit().ops {
            let name = format!("{op:?}");
            let name = name.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
            *counts.entry(name).or_insert(0) += 1;
        }
    }
    counts
}
