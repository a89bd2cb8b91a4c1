//! Groups of failures, kept up with what they count; jobs, what they order, and walks over what they cover.

use intake::{MessageState, Raise, Replay};
use ledger::{
    Action, Group, Job, JobState, Kept, Lane, Level, Obligation, ObligationKey, Page, Sample, Scope, State,
    Tally,
};

use super::Backend;
use super::make::*;
use crate::browse::{self, GroupFilter, JobFilter, Look};
use crate::op::Decided;
use crate::{Op, Query, Receipt, Require, Rows, SpokeAsk, Unit, Walk, Walked};

fn row(backend: &Backend, key: ObligationKey) -> Obligation {
    let ask = SpokeAsk { key, record: rec(1), object: object("customer"), references: vec![] };
    match backend.find(Query::Spoke { tenant: acme(), system: system("erp"), asks: vec![ask] }) {
        Rows::Spoke(mut rows) => rows.pop().and_then(|row| row.obligation).unwrap(),
        other => panic!("not a spoke's rows: {other:?}"),
    }
}

fn groups(backend: &Backend, filter: GroupFilter) -> Vec<Group> {
    match backend.look(&acme(), Look::Groups(GroupFilter { limit: 9, ..filter })) {
        browse::Page::Groups(rows) => rows.into_iter().map(|(_, group)| group).collect(),
        other => panic!("not groups: {other:?}"),
    }
}

fn group(backend: &Backend, name: &str) -> Group {
    let fingerprint = Some(name.to_owned());
    groups(backend, GroupFilter { fingerprint, ..<_>::default() }).pop().unwrap()
}

fn settled(number: u64, version: i64, state: State, why: Option<&str>, seconds: i64) -> Op {
    Op::Settle {
        key: sync_key("r", number),
        level: level(version),
        reached: state == State::Delivered,
        state,
        attempts: 2,
        due: at(seconds),
        waiting: None,
        reason: why.map(reason),
        at: at(seconds),
    }
}

fn counts(group: &Group) -> (u64, u64, u64, u64, u64) {
    (group.waiting, group.again, group.seen, group.through, group.given_up)
}

/// A group counts what needs a person, what goes again, and what came out; the last one closes it, and the same
/// failure opens it again.
pub fn groups_count_as_deliveries_come_and_go(backend: &Backend) {
    backend.apply(vec![Op::Raise(raise("r", 1, 1)), Op::Raise(raise("r", 2, 1))]);
    backend.apply(vec![settled(1, 1, State::Dead, Some("fp1_x"), 100)]);
    backend.apply(vec![settled(2, 1, State::Uncertain, Some("fp1_x"), 110)]);
    let both = group(backend, "fp1_x");
    assert_eq!(counts(&both), (2, 0, 2, 0, 0));
    assert_eq!((both.first_seen, both.last_seen, both.closed_at), (at(100), at(110), None));
    assert_eq!(both.sample, Sample::Delivery(sync_key("r", 2)));
    assert_eq!((both.system.as_str(), both.entity.clone()), ("erp", Some(entity("Contact"))));
    assert_eq!(both.trend.hours(at(111)).iter().sum::<u32>(), 2);
    // A newer version sets one going; it gets through. The other fails once more on a retry, then is given up.
    backend.apply(vec![Op::Raise(Raise { at: at(120), ..raise("r", 1, 2) })]);
    assert_eq!(counts(&group(backend, "fp1_x")), (1, 1, 2, 0, 0));
    backend.apply(vec![settled(1, 2, State::Delivered, None, 130)]);
    assert_eq!(counts(&group(backend, "fp1_x")), (1, 0, 2, 1, 0));
    backend.apply(vec![settled(2, 1, State::Pending, Some(""), 140)]);
    backend.apply(vec![settled(2, 1, State::Dead, Some("fp1_x"), 150)]);
    assert_eq!(counts(&group(backend, "fp1_x")), (1, 0, 3, 1, 0));
    backend.apply(vec![settled(2, 1, State::Discarded, Some(""), 160)]);
    let closed = group(backend, "fp1_x");
    assert_eq!((counts(&closed), closed.closed_at), ((0, 0, 3, 1, 1), Some(at(160))));
    assert_eq!(groups(backend, GroupFilter { open: Some(true), ..<_>::default() }), []);
    backend.apply(vec![Op::Raise(raise("r", 3, 1)), settled(3, 1, State::Dead, Some("fp1_x"), 170)]);
    let again = group(backend, "fp1_x");
    assert_eq!((again.reopened, again.reopened_at, again.closed_at), (1, Some(at(170)), None));
    assert_eq!((counts(&again), again.first_seen), ((1, 0, 4, 1, 1), at(100)));
    assert_eq!(groups(backend, GroupFilter { open: Some(true), ..<_>::default() }), [again]);
}

/// Another cause is another group; one that fails without a name gets one; other systems' groups are left out.
pub fn groups_are_told_apart(backend: &Backend) {
    backend.apply(vec![Op::Raise(raise("r", 1, 1)), settled(1, 1, State::Dead, Some("fp1_x"), 100)]);
    backend.apply(vec![Op::Raise(Raise { at: at(101), ..raise("r", 1, 2) })]);
    backend.apply(vec![settled(1, 2, State::Dead, Some("fp1_y"), 110)]);
    assert_eq!(counts(&group(backend, "fp1_x")), (0, 0, 1, 0, 0));
    assert_eq!(counts(&group(backend, "fp1_y")), (1, 0, 1, 0, 0));
    backend.apply(vec![Op::Raise(raise("r", 2, 1)), settled(2, 1, State::Dead, Some(""), 120)]);
    let named = row(backend, sync_key("r", 2)).reason.unwrap().fingerprint;
    assert!(named.starts_with("fp1_"), "{named}");
    assert_eq!(counts(&group(backend, &named)), (1, 0, 1, 0, 0));
    let of = |name: &str| groups(backend, GroupFilter { system: Some(system(name)), ..<_>::default() }).len();
    assert_eq!((of("erp"), of("crm"), of("nowhere")), (3, 0, 0));
    let page = Look::Groups(GroupFilter { limit: 2, ..<_>::default() });
    assert!(matches!(backend.look(&acme(), page), browse::Page::Groups(rows) if rows.len() == 2));
    let others = Look::Groups(GroupFilter { limit: 2, ..<_>::default() });
    assert!(matches!(backend.look(&other(), others), browse::Page::Groups(rows) if rows.is_empty()));
}

/// Quarantined messages are counted like deliveries, from quarantine to the end of their next try.
pub fn groups_count_messages(backend: &Backend) {
    let quarantined = |number| intake::Message {
        state: MessageState::Quarantined,
        reason: Some(reason("fp1_m")),
        received_at: at(50),
        ..message(number)
    };
    backend.apply(vec![Op::PutMessage(quarantined(1)), Op::PutMessage(quarantined(2))]);
    let both = group(backend, "fp1_m");
    assert_eq!((counts(&both), both.kind.name()), ((2, 0, 2, 0, 0), "message"));
    assert_eq!((both.system.as_str(), both.sample), ("crm", Sample::Message(msg(2))));
    let moved = |number, state, seconds| Op::MessageState {
        tenant: acme(),
        id: msg(number),
        state,
        reason: (state != MessageState::Accepted).then(|| reason("")),
        at: at(seconds),
    };
    backend.apply(vec![moved(1, MessageState::Ready, 60), moved(2, MessageState::Ready, 61)]);
    assert_eq!(counts(&group(backend, "fp1_m")), (0, 2, 2, 0, 0));
    backend.apply(vec![moved(1, MessageState::Accepted, 62), Op::PutMessage(quarantined(2))]);
    let now = group(backend, "fp1_m");
    assert_eq!(
        (counts(&now), now.last_seen),
        ((1, 0, 3, 1, 0), at(62)),
        "no earlier than what happened before it"
    );
    backend.apply(vec![moved(2, MessageState::Discarded, 70)]);
    let closed = group(backend, "fp1_m");
    assert_eq!((counts(&closed), closed.closed_at), ((0, 0, 3, 1, 1), Some(at(70))));
}

/// A plan.
#[must_use]
pub fn plan(number: u64) -> Job {
    Job {
        id: job(number),
        tenant: acme(),
        action: Action::Retry,
        scope: Scope { group: Some("fp1_x".to_owned()), ..Scope::default() },
        state: JobState::Planned,
        kept: Kept::default(),
        configuration: "c".to_owned(),
        planned_by: "anna".to_owned(),
        planned_at: at(1),
        reason: None,
        pace: 10,
        started_at: None,
        ended_at: None,
        done: 0,
        messages_done: 0,
        page: Page::default(),
        orders: vec![],
        reshape: None,
        revision: 0,
    }
}

fn live(backend: &Backend) -> Vec<Job> {
    match backend.find(Query::Jobs { tenant: acme() }) {
        Rows::Jobs(jobs) => jobs,
        other => panic!("not jobs: {other:?}"),
    }
}

fn jobs(backend: &Backend, filter: JobFilter) -> Vec<(i64, Job, Tally)> {
    match backend.look(&acme(), Look::Jobs(JobFilter { limit: 9, ..filter })) {
        browse::Page::Jobs(rows) => rows,
        other => panic!("not jobs: {other:?}"),
    }
}

/// Jobs are compared and set; plans and what is at work are found; a plan may be dropped, a job not.
pub fn jobs_are_compared_and_set(backend: &Backend) {
    let put = |job: Job, revision| Unit {
        require: vec![Require::JobAt { job: job.id, revision }],
        ops: vec![Op::PutJob(job)],
    };
    assert_eq!(backend.commit(vec![put(plan(1), 0), put(plan(2), 0)]).len(), 2);
    assert_eq!(backend.commit(vec![put(plan(1), 0)]), [Receipt::Conflict]);
    let running = Job { state: JobState::Running, done: 3, ..plan(1) };
    assert_eq!(backend.commit(vec![put(running.clone(), 1)]), [Receipt::Done(vec![])]);
    assert_eq!(live(backend), [Job { revision: 2, ..running.clone() }, Job { revision: 1, ..plan(2) }]);
    backend.apply(vec![Op::DropJob(job(1)), Op::DropJob(job(2)), Op::DropJob(job(3))]);
    assert_eq!(live(backend), [Job { revision: 2, ..running.clone() }]);
    let done = Job { state: JobState::Done, ..running };
    assert_eq!(backend.commit(vec![put(done.clone(), 2)]), [Receipt::Done(vec![])]);
    assert_eq!(live(backend), []);
    let all = jobs(backend, JobFilter::default());
    assert_eq!(all.len(), 1);
    assert_eq!((&all[0].1, all[0].2), (&Job { revision: 3, ..done }, Tally::default()));
    assert_eq!(jobs(backend, JobFilter { id: Some(job(1)), ..<_>::default() }), all);
    assert_eq!(jobs(backend, JobFilter { before: Some(all[0].0), ..<_>::default() }), []);
    assert_eq!(jobs(backend, JobFilter { id: Some(job(9)), ..<_>::default() }), []);
    let others = Look::Jobs(JobFilter { limit: 9, ..<_>::default() });
    assert!(matches!(backend.look(&other(), others), browse::Page::Jobs(rows) if rows.is_empty()));
}

/// I16: a job's decision is about what is dead, or quarantined, and about nothing else: made twice it is made once.
pub fn decisions_of_jobs_are_about_what_is_dead(backend: &Backend) {
    let decided = |again| Decided { again, job: job(1), reason: reason(""), failed_by: at(150), at: at(200) };
    let decide = |number, again| Op::Decide { key: sync_key("r", number), decided: decided(again) };
    backend.apply((1..=3).map(|number| Op::Raise(raise("r", number, 1))).collect());
    backend.apply((1..=2).map(|number| settled(number, 1, State::Dead, Some("fp1_x"), 100)).collect());
    assert_eq!(
        backend.apply(vec![decide(1, true), decide(2, false), decide(3, true), decide(9, true)]).len(),
        1
    );
    let again = row(backend, sync_key("r", 1));
    assert_eq!((again.state, again.attempts, again.lane), (State::Pending, 0, Lane::Bulk));
    assert_eq!((again.due, again.aside.job), (at(200), Some(job(1))));
    assert_eq!(row(backend, sync_key("r", 2)).state, State::Discarded);
    let untouched = row(backend, sync_key("r", 3));
    assert_eq!(
        (untouched.state, untouched.lane, untouched.aside.job),
        (State::Pending, Lane::Standard, None)
    );
    assert_eq!(backend.apply(vec![decide(1, true), decide(1, false), decide(2, true)]), [], "a second time");
    assert_eq!(row(backend, sync_key("r", 1)), again);
    assert_eq!(counts(&group(backend, "fp1_x")), (0, 1, 2, 0, 1));
    backend
        .apply(vec![settled(1, 1, State::Delivered, None, 210), settled(2, 1, State::Delivered, None, 220)]);
    backend.commit(vec![Unit { require: vec![], ops: vec![Op::PutJob(plan(1))] }]).clear();
    let tally = jobs(backend, JobFilter::default())[0].2;
    assert_eq!(
        tally,
        Tally { delivered: 1, failed: 0, other: 4 },
        "what it set going, and what it found moved"
    );

    // What died after the job began, nobody was shown.
    backend.apply(vec![Op::Raise(raise("r", 4, 1)), settled(4, 1, State::Dead, Some("fp1_x"), 160)]);
    assert_eq!(backend.apply(vec![decide(4, false)]), []);
    assert_eq!(row(backend, sync_key("r", 4)).state, State::Dead);

    let quarantined =
        intake::Message { state: MessageState::Quarantined, reason: Some(reason("fp1_m")), ..message(1) };
    backend.apply(vec![Op::PutMessage(quarantined), Op::PutMessage(message(2))]);
    let about = |number| Op::DecideMessage { tenant: acme(), id: msg(number), decided: decided(true) };
    backend.apply(vec![about(1), about(2), about(9)]);
    let ready = Query::Ready { tenant: acme(), now: at(300), limit: 9 };
    match backend.find(ready) {
        Rows::Ready(rows, None) => assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [msg(1)]),
        other => panic!("not what is ready: {other:?}"),
    }
}

/// I16: a replay raises the generation, marks it as to be said anew, and is counted for its job.
pub fn replays_raise_generations(backend: &Backend) {
    let replay = |number, anew| {
        Op::Raise(Raise {
            lane: Lane::Bulk,
            replay: Some(Replay { job: job(1), anew }),
            ..raise("r", number, 1)
        })
    };
    backend.apply((1..=3).map(|number| Op::Raise(raise("r", number, 1))).collect());
    backend.apply(vec![settled(1, 1, State::Delivered, None, 90), settled(2, 1, State::Skipped, None, 90)]);
    assert_eq!(backend.apply(vec![replay(1, false), replay(2, true), replay(3, false)]).len(), 3);
    let once = row(backend, sync_key("r", 1));
    let wanted = Level { version: 1, generation: 1 };
    assert_eq!((once.state, once.wanted, once.lane), (State::Pending, wanted, Lane::Bulk));
    assert_eq!((once.aside.resay, once.aside.anew, once.aside.job), (1, 0, Some(job(1))));
    let anew = row(backend, sync_key("r", 2)).aside;
    assert_eq!((anew.resay, anew.anew), (1, 1));
    let open = row(backend, sync_key("r", 3));
    assert_eq!((open.lane, open.wanted, open.folded), (Lane::Standard, wanted, 2), "it keeps its turn");
    backend.apply(vec![Op::Raise(raise("r", 4, 1)), settled(4, 1, State::Dead, Some("fp1_y"), 90)]);
    backend.apply(vec![replay(4, false)]);
    assert_eq!(row(backend, sync_key("r", 4)).lane, Lane::Bulk, "also what never got through");
    // Twice before it is delivered is still one delivery.
    backend.apply(vec![replay(1, false)]);
    let reached = |number, generation, state| Op::Settle {
        key: sync_key("r", number),
        level: Level { version: 1, generation },
        reached: state == State::Delivered,
        state,
        attempts: 0,
        due: at(200),
        waiting: None,
        reason: (state == State::Dead).then(|| reason("fp1_x")),
        at: at(200),
    };
    backend.apply(vec![
        reached(1, 2, State::Delivered),
        reached(2, 1, State::Dead),
        reached(3, 1, State::Skipped),
    ]);
    assert_eq!(row(backend, sync_key("r", 1)).aside.job, None);
    backend.apply(vec![Op::PutJob(plan(1))]);
    assert_eq!(jobs(backend, JobFilter::default())[0].2, Tally { delivered: 1, failed: 1, other: 1 });
}

fn walked(backend: &Backend, walk: Walk) -> Walked {
    match backend.find(Query::Walk(walk)) {
        Rows::Walk(walked) => walked,
        other => panic!("not a walk: {other:?}"),
    }
}

/// Everything a walk covers, in steps of `limit`.
fn whole(backend: &Backend, scope: &Scope, messages: bool, upto: (i64, i64), limit: usize) -> Vec<String> {
    let mut page = Page::default();
    let mut found = Vec::new();
    for _ in 0..100 {
        let walk = Walk { tenant: acme(), scope: scope.clone(), messages, page, upto, limit };
        let step = walked(backend, walk);
        assert!(step.deliveries.len() + step.messages.len() <= limit);
        found.extend(step.deliveries.iter().map(|row| format!("{}/{:?}", row.key.route, row.key.subject)));
        found.extend(step.messages.iter().map(|message| message.id.to_string()));
        match step.next {
            Some(next) => page = next,
            None => return found,
        }
    }
    panic!("the walk does not end: {found:?}")
}

/// A walk goes by position, through everything that fits and nothing else, in steps of any size.
pub fn walks_cover_what_fits(backend: &Backend) {
    let all = (i64::MAX, i64::MAX);
    assert_eq!(whole(backend, &Scope::default(), true, all, 3), Vec::<String>::new());
    let theirs = Raise { system: system("marketing"), ..raise("m", 1, 1) };
    backend.apply(vec![
        Op::PutFact(fact(7, 1)),
        // A record's last change is at the second of its version.
        Op::PutRecord(record(1, 1)),
        Op::PutRecord(record(2, 40)),
        Op::Raise(raise("r", 1, 1)),
        Op::Raise(raise("r", 2, 1)),
        Op::Raise(theirs),
        Op::Raise(notify("n", 7, 1)),
        settled(2, 1, State::Dead, Some("fp1_x"), 100),
        Op::PutMessage(intake::Message {
            state: MessageState::Quarantined,
            reason: Some(reason("fp1_x")),
            ..message(1)
        }),
        Op::PutMessage(intake::Message {
            state: MessageState::Quarantined,
            reason: Some(reason("fp1_z")),
            ..message(2)
        }),
        Op::PutMessage(message(3)),
    ]);
    let key = |route: &str, subject: ledger::Subject| format!("{route}/{subject:?}");
    let record = |number| ledger::Subject::Record(rec(number));
    let (one, two) = (key("r", record(1)), key("r", record(2)));
    let (other, event) = (key("m", record(1)), key("n", ledger::Subject::Event(evt(7))));
    let messages = [msg(1).to_string(), msg(2).to_string()];
    for limit in [1, 2, 50] {
        let found = |scope: Scope, with_messages| whole(backend, &scope, with_messages, all, limit);
        let deliveries = [&one, &two, &other, &event].map(Clone::clone);
        assert_eq!(found(Scope::default(), false), deliveries);
        assert_eq!(found(Scope::default(), true), [deliveries.as_slice(), messages.as_slice()].concat());
        let group = Scope { group: Some("fp1_x".to_owned()), ..Scope::default() };
        assert_eq!(found(group, true), [two.clone(), messages[0].clone()]);
        let record = Scope { record: Some(rec(1)), ..Scope::default() };
        assert_eq!(found(record, true), [one.clone(), other.clone(), event.clone()]);
        let target = Scope { target: Some(system("marketing")), ..Scope::default() };
        assert_eq!(found(target, false), [other.clone()]);
        assert_eq!(found(Scope { route: Some("n".into()), ..Scope::default() }, false), [event.clone()]);
        let kind = |kind: &str| Scope { event: Some(kind.to_owned()), ..Scope::default() };
        assert_eq!(found(kind(&fact(7, 1).kind), true), [event.clone()]);
        assert_eq!(found(kind("NoSuchThing"), false), Vec::<String>::new());
        let source = |name: &str| Scope { source: Some(system(name)), ..Scope::default() };
        let caused = fact(7, 1).source;
        assert_eq!(found(source(caused.as_str()), false), [one.clone(), other.clone(), event.clone()]);
        assert_eq!(found(source("marketing"), false), Vec::<String>::new());
        let times = Scope { from: Some(at(20)), until: Some(at(41)), ..Scope::default() };
        assert_eq!(found(times, true), [two.clone()]);
        let entity = Scope { entity: Some(entity("Lead")), ..Scope::default() };
        assert_eq!(found(entity, true), Vec::<String>::new());
        let upto = whole(backend, &Scope::default(), true, (2, 1), limit);
        assert_eq!(upto, [one.clone(), two.clone(), messages[0].clone()]);
    }
    let others = Walk {
        tenant: super::make::other(),
        scope: Scope::default(),
        messages: false,
        page: Page::default(),
        upto: all,
        limit: 9,
    };
    assert_eq!(walked(backend, others), Walked::default());
}
