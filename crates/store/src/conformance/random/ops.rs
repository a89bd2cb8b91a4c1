//! Random requirements and operations.

use canonical::Alive;
use intake::{DecisionKind, Link, Message, MessageState, Raise};
use ledger::{Intent, IntentState, Lane, Level, State, Waiting};
use serde_json::json;

use super::Dice;
use crate::conformance::bulk;
use crate::conformance::make::*;
use crate::epoch::{Epoch, Reread};
use crate::retention::{OldRow, Retained};
use crate::{Attempt, Decided, Fetch, Op, Require, SystemState};

impl Dice {
    pub(super) fn require(&mut self) -> Require {
        let record = rec(self.below(4));
        let (name, kind) = (system(self.system()), object(self.object()));
        match self.below(8) {
            5 => {
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
            _ => Require::ShadowAt { record, system: name, object: kind, revision: self.number(3) },
        }
    }

    pub(super) fn op(&mut self) -> Op {
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
                Op::PutJob(ledger::Job { state, ..bulk::plan(self.below(2)) })
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
        match self.below(10) {
            9 => Op::WakeMessages {
                tenant: acme(),
                external: external(self.system(), self.object(), self.id()),
                at: self.time(),
            },
            8 => Op::Unsee { tenant: acme(), source: system(self.system()), event_id: self.id().to_owned() },
            7 => Op::PutVersion(crate::Version {
                meaning: serde_json::json!({ "fields": self.number(3) }),
                ..version("entity", "Contact", 1 + u32::from(self.maybe()))
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
            2 => Op::DoneFetch {
                tenant,
                external: wanted,
                started: self.time(),
                lag: std::time::Duration::from_secs(self.below(3)),
            },
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
}
