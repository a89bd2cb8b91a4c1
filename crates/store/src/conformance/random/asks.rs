//! Random questions, of machines and of operators.

use intake::{Ask, DecisionKind, MessageState};
use ledger::{Lane, State};

use super::Dice;
use crate::browse::{
    DecisionFilter, DeliveryFilter, EventFilter, GroupFilter, JobFilter, Look, MessageFilter,
};
use crate::conformance::make::*;
use crate::{Query, SpokeAsk};

impl Dice {
    pub(super) fn query(&mut self) -> Query {
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
        let ending = external(self.system(), self.object(), self.id());
        let ending = self.some(ending);
        let creating = (entity("Contact"), system("erp"), object("customer"));
        let matched = (entity("Contact"), "email".to_owned(), self.id().to_owned());
        Ask {
            event: self.some(event.clone()),
            late: self.some(event.clone()),
            grave: self.some(event),
            records: (0..self.below(2)).map(|_| rec(1)).collect(),
            objects: (0..self.below(3)).map(|_| external(self.system(), self.object(), self.id())).collect(),
            matches: self.some(matched).into_iter().collect(),
            creating: self.some(creating),
            ending,
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

    pub(super) fn look(&mut self) -> Look {
        let before = self.number(20);
        let before = self.some(before);
        let limit = usize::try_from(self.below(6)).unwrap_or_default();
        match self.below(15) {
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
            13 => Look::ChangesAfter { system: self.some(system("crm")), after: before, limit },
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
