//! A small script language for scenarios. One line is one step: `AT COMMAND… -> EXPECTED`, times in milliseconds.
//!
//! - `offer NAME [critical|bulk] [op=create] [lock=r1] [due=MS] [seq=N] [cost=N] [draw=BUCKET,…] [safe]
//!   [poison]`
//! - `admit`: everything that may go now, in order
//! - `answer NAME CLASS [wait=MS] [left=BUCKET:N[:MS]] [for=BUCKET,…] [took=MS]`, `release NAME`, `unused NAME`, `keep
//!   NAME`, `end NAME CLASS …` (answer, release)
//! - `spend COST`, `unlock r1`, `hold r1 NAME`, `withdraw NAME`, `pause`, `resume`, `close MS [BUCKET]`, `force OP|all open|closed|auto`,
//!   `lane NAME MS` (closed until then)
//! - `wake`, `events`, `tokens`, `lines`: what it then says

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{Mono, Object, RecordId, Wall};
use ledger::{Class, Lane};

use crate::{BreakerState, BucketSet, Change, Dispatcher, Forced, Limits, Party, Permit, Wanted};

/// Runs a script; each step must say what the line expects after `->`, or nothing.
#[track_caller]
pub(super) fn check(limits: Limits, script: &str) {
    let mut stage = Stage { dispatcher: Dispatcher::new(limits, Mono(0)), permits: BTreeMap::new() };
    let mut got = Vec::new();
    let mut expected = Vec::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (step, expect) = line.split_once("->").unwrap_or((line, ""));
        let words: Vec<&str> = step.split_whitespace().collect();
        let now = ms(words[0]);
        let said = stage.step(now, words[1], &words[2..]);
        let step = words.join(" ");
        let arrow = if said.is_empty() { String::new() } else { format!(" -> {said}") };
        got.push(format!("{step}{arrow}"));
        let expect = expect.split_whitespace().collect::<Vec<_>>().join(" ");
        expected.push(if expect.is_empty() { step } else { format!("{step} -> {expect}") });
    }
    assert_eq!(got.join("\n"), expected.join("\n"));
}

struct Stage {
    dispatcher: Dispatcher<String>,
    permits: BTreeMap<String, Permit>,
}

impl Stage {
    fn step(&mut self, now: Mono, command: &str, words: &[&str]) -> String {
        let first = words.first().copied().unwrap_or_default();
        match command {
            "offer" => self.dispatcher.offer(self.wanted(words)),
            "admit" => return self.admit(now),
            "answer" | "release" | "unused" | "keep" | "end" if !self.permits.contains_key(first) => {
                return format!("{first} is not in flight");
            }
            "answer" => self.answer(now, words),
            "release" => self.release(now, first),
            "unused" => {
                let permit = self.permits.remove(first).unwrap();
                self.dispatcher.release_unused(permit, now);
            }
            "keep" => {
                let permit = self.permits.remove(first).unwrap();
                self.dispatcher.release_keeping_lock(permit, now);
            }
            "end" => {
                self.answer(now, words);
                self.release(now, first);
            }
            "unlock" => self.dispatcher.unlock(record(first), &object()),
            "hold" => return self.dispatcher.hold(record(first), &object(), words[1].to_owned()).to_string(),
            "withdraw" => self.dispatcher.withdraw(&first.to_owned()),
            "pause" => self.dispatcher.pause("by hand"),
            "resume" => self.dispatcher.resume(),
            "spend" => self.dispatcher.spend(BucketSet::ALL, first.parse().unwrap(), now),
            "close" => self.dispatcher.close_until(words.get(1).copied(), ms(first)),
            "force" => {
                let forced =
                    [Forced::Open, Forced::Closed].into_iter().find(|forced| forced.name() == words[1]);
                self.dispatcher.force((first != "all").then_some(first), forced, now);
            }
            "lane" => {
                let lane = Lane::ALL.into_iter().find(|lane| lane.name() == first).unwrap();
                self.dispatcher.close_lane(lane, Some(ms(words[1])));
            }
            "wake" => return self.dispatcher.next_wakeup(now).map_or("none".into(), in_ms),
            "events" => return self.events(),
            "tokens" => {
                let buckets = self.dispatcher.snapshot(now).buckets;
                return join(buckets.iter().map(|bucket| format!("{}={}", bucket.name, bucket.tokens)));
            }
            "lines" => return self.lines(now),
            _ => panic!("no such command: {command}"),
        }
        String::new()
    }

    fn wanted(&self, words: &[&str]) -> Wanted<String> {
        let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let number = |key: &str, default: i64| value(key).map_or(default, |text| text.parse().unwrap());
        let lane = Lane::ALL.into_iter().find(|lane| words.contains(&lane.name())).unwrap_or_default();
        Wanted {
            token: words[0].to_owned(),
            lane,
            lock: value("lock=").map(|name| (record(name), object())),
            due: value("due=").map_or(Mono(0), ms),
            seq: number("seq=", 0),
            operation: value("op=").unwrap_or("upsert").to_owned(),
            buckets: value("draw=").map_or(BucketSet::ALL, |names| self.dispatcher.draw(names.split(','))),
            cost: u32::try_from(number("cost=", 1)).unwrap(),
            safe: words.contains(&"safe"),
            poison: words.contains(&"poison"),
            party: value("party=").map(|kind| Party { kind: kind.parse().unwrap(), most: 4 }),
            serial: value("turn=").map(Into::into),
        }
    }

    fn admit(&mut self, now: Mono) -> String {
        let mut names = Vec::new();
        while let Some((wanted, permit)) = self.dispatcher.admit(now) {
            names.push(wanted.token.clone());
            self.permits.insert(wanted.token, permit);
        }
        if names.is_empty() { "nothing".into() } else { names.join(" ") }
    }

    fn answer(&mut self, now: Mono, words: &[&str]) {
        let class = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(words[1]);
        let class = <Class as serde::Deserialize>::deserialize(class).unwrap();
        let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let wait = value("wait=").map(|text| Duration::from_millis(text.parse().unwrap()));
        let left = value("left=").map(|text| {
            let parts: Vec<&str> = text.split(':').collect();
            let reset = parts.get(2).map(|text| Duration::from_millis(text.parse().unwrap()));
            (parts[0], parts[1].parse().unwrap(), reset)
        });
        let permit = self.permits.get_mut(words[0]).unwrap();
        if let Some(names) = value("for=") {
            permit.use_for(self.dispatcher.draw(names.split(',')));
        }
        let took = value("took=").map_or(5, |text| text.parse().unwrap());
        self.dispatcher.learn(permit, class, wait, left, Duration::from_millis(took), now);
    }

    fn release(&mut self, now: Mono, name: &str) {
        let permit = self.permits.remove(name).unwrap();
        self.dispatcher.release(permit, now);
    }

    fn events(&mut self) -> String {
        let said = join(self.dispatcher.events().into_iter().map(|change| match change {
            Change::BreakerOpened { operation } => format!("open:{operation}"),
            Change::BreakerHalfOpen { operation } => format!("half-open:{operation}"),
            Change::BreakerClosed { operation } => format!("closed:{operation}"),
            Change::BucketClosed { until } => format!("cool-down:{}", in_ms(until)),
            Change::BucketReopened => "reopened".into(),
        }));
        if said.is_empty() { "nothing".into() } else { said }
    }

    fn lines(&self, now: Mono) -> String {
        let view = self.dispatcher.snapshot(now);
        let mut said = format!(
            "in_flight={} ready={:?} waiting={} blocked={}",
            view.in_flight, view.ready, view.waiting, view.blocked
        );
        for breaker in view.breakers.iter().filter(|breaker| breaker.state != BreakerState::Closed) {
            said.push_str(&format!(" {}:{}", breaker.operation, breaker.state.name()));
        }
        said.extend(view.paused.map(|reason| format!(" paused:{reason}")));
        said.extend(view.closed_until.map(|until| format!(" closed:{}", in_ms(until))));
        said
    }
}

/// `r1` names record 1.
fn record(name: &str) -> RecordId {
    RecordId::from_parts(Wall(0), name[1..].parse().unwrap())
}

fn object() -> Object {
    Object::new("contacts").unwrap()
}

fn ms(text: &str) -> Mono {
    Mono((text.parse::<f64>().unwrap() * 1000.0) as u64)
}

/// Rounded up to a microsecond's three digits, without needless zeros.
fn in_ms(at: Mono) -> String {
    format!("{}", at.0 as f64 / 1000.0)
}

fn join(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" ")
}
