//! Quantiles against exact ones, and subtraction.

use super::*;

#[test]
fn a_quantile_is_at_most_an_eighth_too_long() {
    for micros in [1_u64, 2, 3, 7, 8, 9, 100, 1_000, 12_345, 1_000_000, 59_999_999, 3_600_000_000] {
        let cells = LagCells::new();
        cells.add(Duration::from_micros(micros));
        let shown = cells.read().quantile(0.5).expect("one time");
        let exact = Duration::from_micros(micros);
        assert!(shown >= exact, "{shown:?} is under {exact:?}");
        assert!(shown <= exact.mul_f64(1.1251) + Duration::from_micros(1), "{shown:?} is far over {exact:?}");
    }
}

#[test]
fn quantiles_split_a_ramp() {
    let cells = LagCells::new();
    for ms in 1..=1000 {
        cells.add(Duration::from_millis(ms));
    }
    let lags = cells.read();
    let p50 = lags.quantile(0.5).expect("times").as_secs_f64();
    let p99 = lags.quantile(0.99).expect("times").as_secs_f64();
    assert!((0.5..0.57).contains(&p50), "{p50}");
    assert!((0.99..1.12).contains(&p99), "{p99}");
    assert_eq!(lags.count(), 1000);
}

#[test]
fn an_interval_is_the_difference() {
    let cells = LagCells::new();
    cells.add(Duration::from_secs(5));
    let before = cells.read();
    cells.add(Duration::from_millis(1));
    let interval = cells.read().since(&before);
    assert_eq!(interval.count(), 1);
    assert!(interval.quantile(1.0).expect("one") < Duration::from_millis(2));
    assert_eq!(before.since(&cells.read()).count(), 0, "never below zero");
    assert_eq!(before.with(&interval), cells.read());
}

#[test]
fn extremes_stay_inside() {
    let cells = LagCells::new();
    cells.add(Duration::ZERO);
    cells.add(Duration::MAX);
    assert_eq!(cells.read().count(), 2);
    assert_eq!(Lags::default().quantile(0.5), None);
}
