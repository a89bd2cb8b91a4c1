//! Crash points: a test names one, and the process ends there as if the power had gone.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use runtime::{CrashHook, CrashPoint};

/// Where to end, and at which passing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CrashAt {
    point: Point,
    nth: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Point {
    AcceptCommitted,
    IntentCommitted,
    EffectAnswered,
    PageCommitted,
    Migration,
}

const POINTS: [(&str, Point); 5] = [
    ("accept_committed", Point::AcceptCommitted),
    ("intent_committed", Point::IntentCommitted),
    ("effect_answered", Point::EffectAnswered),
    ("page_committed", Point::PageCommitted),
    ("migration", Point::Migration),
];

impl FromStr for CrashAt {
    type Err = String;
    /// `POINT` or `POINT:N`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, nth) = text.split_once(':').unwrap_or((text, "1"));
        let point = POINTS.iter().find(|(known, _)| *known == name).map(|(_, point)| *point);
        let nth = nth.parse::<u64>().ok().filter(|nth| *nth > 0);
        match (point, nth) {
            (Some(point), Some(nth)) => Ok(Self { point, nth }),
            _ => {
                let names = POINTS.map(|(name, _)| name).join(", ");
                Err(format!("{text:?} is no crash point: write POINT or POINT:N, with one of {names}"))
            }
        }
    }
}

impl CrashAt {
    /// Which passing of the point inside a migration, if that is the one.
    pub(crate) fn migration(&self) -> Option<u64> {
        (self.point == Point::Migration).then_some(self.nth)
    }

    /// What the runtime calls at each of its points.
    pub(crate) fn hook(&self) -> Option<CrashHook> {
        let wanted = self.point;
        let left = AtomicU64::new(self.nth);
        (wanted != Point::Migration).then(|| -> CrashHook {
            Arc::new(move |passed: &CrashPoint| {
                let here = match passed {
                    CrashPoint::AcceptCommitted => Point::AcceptCommitted,
                    CrashPoint::PageCommitted => Point::PageCommitted,
                    CrashPoint::IntentCommitted(_) => Point::IntentCommitted,
                    CrashPoint::EffectAnswered { .. } => Point::EffectAnswered,
                };
                if here == wanted && left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    end();
                }
            })
        })
    }
}

/// No destructor runs, nothing is flushed.
pub(crate) fn end() -> ! {
    std::process::abort()
}

#[cfg(test)]
mod tests {
    //! Points are read by name.
    use super::CrashAt;

    #[test]
    fn points_are_read() {
        assert!("effect_answered:3".parse::<CrashAt>().unwrap().hook().is_some());
        let migration: CrashAt = "migration".parse().unwrap();
        assert_eq!(migration.migration(), Some(1));
        assert!(migration.hook().is_none());
        for wrong in ["", "somewhere", "migration:0", "migration:x"] {
            assert!(wrong.parse::<CrashAt>().unwrap_err().contains("accept_committed"), "{wrong}");
        }
    }
}
