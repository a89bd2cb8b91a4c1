//! What is refused at which backlog, and when it goes on.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn system(name: &str) -> System {
    System::new(name).unwrap()
}

fn bounds() -> Bounds {
    Bounds { age_max: Some(60 * MINUTE), open_max: Some(100), total_max: None }
}

fn learnt(pressure: &mut Pressure, bounds: Bounds, open: &[(&str, u64)]) {
    let waiting = |(name, open): &(&str, u64)| (system(name), Waiting { open: *open, ages: [None; 3] });
    pressure.learn(bounds, open.iter().map(waiting).collect());
}

fn aged(pressure: &mut Pressure, name: &str, minutes: [Option<u32>; 3]) {
    let ages = minutes.map(|age| age.map(|age| MINUTE * age));
    pressure.learn(bounds(), [(system(name), Waiting { open: 1, ages })].into());
}

/// Which doors are shut for what takes these routes: reading, posting, pushing.
fn shut(pressure: &Pressure, feeds: &[(&str, Lane)]) -> [bool; 3] {
    let systems: Vec<_> = feeds.iter().map(|(name, lane)| (system(name), *lane)).collect();
    let feeds: Vec<_> = systems.iter().map(|(system, lane)| Feed { system, lane: *lane }).collect();
    [Door::Read, Door::Posted, Door::Pushed].map(|door| pressure.refuses(door, &feeds).is_some())
}

const ERP: &[(&str, Lane)] = &[("erp", Lane::Standard)];

#[test]
fn doors_shut_one_after_the_other_before_the_bound_and_critical_work_last() {
    let urgent = &[("erp", Lane::Critical), ("erp", Lane::Bulk)];
    for (open, standard, critical) in [
        (79, [false, false, false], [false; 3]),
        (80, [true, false, false], [false; 3]),
        (85, [true, true, false], [false; 3]),
        (90, [true, true, true], [false; 3]),
        (99, [true, true, true], [false; 3]),
        (100, [true, true, true], [true; 3]),
        (u64::MAX, [true, true, true], [true; 3]),
    ] {
        let mut pressure = Pressure::default();
        learnt(&mut pressure, bounds(), &[("erp", open)]);
        assert_eq!((shut(&pressure, ERP), shut(&pressure, urgent)), (standard, critical), "{open}");
        assert_eq!(pressure.is_free(), standard == [false; 3]);
    }
}

#[test]
fn doors_open_again_only_when_clearly_less_waits() {
    let mut pressure = Pressure::default();
    for (open, doors) in [
        (100, [true; 3]),
        // One delivered and one raised, again and again, do not make them swing.
        (89, [true; 3]),
        (80, [true; 3]),
        (79, [true, true, false]),
        (74, [true, false, false]),
        (79, [true, false, false]),
        (70, [true, false, false]),
        (69, [false; 3]),
        (79, [false; 3]),
        (80, [true, false, false]),
    ] {
        learnt(&mut pressure, bounds(), &[("erp", open)]);
        assert_eq!(shut(&pressure, ERP), doors, "{open}");
    }
    // What has nothing waiting any more is not told of.
    learnt(&mut pressure, bounds(), &[]);
    assert!(pressure.is_free());
}

/// I10: what one that keeps up is waiting for is taken, however much waits for another.
#[test]
fn i10_a_backlog_refuses_nothing_that_others_wait_for() {
    let mut pressure = Pressure::default();
    learnt(&mut pressure, bounds(), &[("erp", 1_000_000), ("crm", 3), ("mail", 99)]);
    let both = [("erp", Lane::Standard), ("crm", Lane::Standard)];
    assert_eq!(shut(&pressure, &both), [false; 3]);
    assert_eq!(
        shut(&pressure, &[("erp", Lane::Bulk), ("shop", Lane::Bulk)]),
        [false; 3],
        "nothing waits there"
    );
    assert_eq!(shut(&pressure, &[("crm", Lane::Bulk)]), [false; 3]);
    assert_eq!(shut(&pressure, &[("erp", Lane::Bulk), ("mail", Lane::Bulk)]), [true; 3]);
    assert_eq!(shut(&pressure, &[]), [false; 3], "it makes no delivery");
}

/// All together: whatever feeds one that makes it up is refused, and nothing else.
#[test]
fn all_backlogs_together_have_a_bound() {
    let bounds = Bounds { total_max: Some(1000), ..Bounds::default() };
    let mut pressure = Pressure::default();
    let both = [("crm", Lane::Standard), ("erp", Lane::Standard)];
    learnt(&mut pressure, bounds, &[("erp", 790), ("crm", 9)]);
    assert!(pressure.is_free());
    learnt(&mut pressure, bounds, &[("erp", 890), ("crm", 10)]);
    assert_eq!((shut(&pressure, &both), shut(&pressure, ERP)), ([true; 3], [true; 3]));
    assert_eq!(shut(&pressure, &[("crm", Lane::Standard)]), [false; 3], "I10");
    let critical = [("crm", Lane::Critical), ("erp", Lane::Standard)];
    assert_eq!(shut(&pressure, &critical), [false; 3]);
    learnt(&mut pressure, bounds, &[("erp", 990), ("crm", 10)]);
    assert_eq!(shut(&pressure, &critical), [true; 3]);
    // However it is spread, somebody makes it up.
    learnt(&mut pressure, bounds, &[("erp", 250), ("crm", 250), ("mail", 250), ("shop", 250)]);
    assert_eq!(shut(&pressure, ERP), [true; 3]);
    learnt(&mut pressure, bounds, &[("erp", 690), ("crm", 9)]);
    assert!(pressure.is_free());
}

/// By age nothing but reading stops: below in line first, and critical work only for its own line.
#[test]
fn age_stops_reading_lane_by_lane() {
    let read = |pressure: &Pressure| Lane::ALL.map(|lane| shut(pressure, &[("erp", lane)]));
    let (no, yes) = ([false; 3], [true, false, false]);
    for (minutes, doors) in [
        ([None, Some(59), None], [no, no, no]),
        ([None, Some(60), None], [no, yes, yes]),
        ([Some(60), None, None], [yes, yes, yes]),
        // It may wait for the hours of its lane.
        ([Some(1), Some(2), Some(6000)], [no, no, no]),
    ] {
        let mut pressure = Pressure::default();
        aged(&mut pressure, "erp", minutes);
        assert_eq!(read(&pressure), doors, "{minutes:?}");
    }
    let mut pressure = Pressure::default();
    for (age, late) in [(59, false), (60, true), (31, true), (29, false), (59, false)] {
        aged(&mut pressure, "erp", [None, Some(age), None]);
        assert_eq!(read(&pressure)[1], if late { yes } else { no }, "{age}");
    }
    aged(&mut pressure, "erp", [None, Some(100), None]);
    let both = [("erp", Lane::Standard), ("crm", Lane::Standard)];
    assert_eq!(shut(&pressure, &both), no, "I10");
}

#[test]
fn without_bounds_nothing_is_refused() {
    let mut pressure = Pressure::default();
    let waiting = Waiting { open: u64::MAX, ages: [Some(Duration::MAX); 3] };
    pressure.learn(bounds(), [(system("erp"), waiting.clone())].into());
    assert_eq!(shut(&pressure, ERP), [true; 3]);
    pressure.learn(Bounds::default(), [(system("erp"), waiting)].into());
    assert!(pressure.is_free());
}

#[test]
fn the_reason_names_the_target_the_numbers_and_the_setting() {
    let mut pressure = Pressure::default();
    learnt(&mut pressure, bounds(), &[("erp", 93)]);
    let erp = system("erp");
    let cause = pressure.refuses(Door::Pushed, &[Feed { system: &erp, lane: Lane::Bulk }]).unwrap();
    let text = cause.to_string();
    for part in ["93 deliveries to `erp`", "of 100", "`intake.backlog.open_max`"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(cause.name(), "backlog");
}
