//! What stands for what after each round, by what people did alone. The hub is not asked.

use super::super::table::Dice;
use super::ROUNDS;

/// What people do about two records, within seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Round {
    /// They are edited.
    Edits,
    /// Somebody says at a vendor that one's object there is the other's; in a second system, too, perhaps the other way round.
    There(Vec<(usize, usize)>),
    /// Somebody says here that one is the other; and at a vendor at the same moment, perhaps.
    Here { lost: usize, there: Option<(usize, usize)> },
    /// They are two after all.
    Split,
}

/// Which objects stand for what.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Standing {
    /// The two are one.
    pub(super) one: bool,
    /// Whose record stays: known unless two things were said at the same moment.
    pub(super) stays: Option<usize>,
    /// Whose object is left in each system; none: both are.
    pub(super) left: [Option<usize>; 3],
}

impl Standing {
    /// Whose object speaks for a system, if the record that stays is that one's.
    pub(super) fn speaks(&self, place: usize, stays: usize) -> usize {
        self.left.get(place).copied().flatten().unwrap_or(stays)
    }

    /// Whether both objects are there.
    pub(super) fn has_both(&self, place: usize) -> bool {
        self.left.get(place).is_some_and(Option::is_none)
    }

    fn merged_there(&mut self, (place, lost): (usize, usize)) {
        if let Some(left) = self.left.get_mut(place) {
            *left = Some(1 - lost);
        }
    }

    fn after(&self, round: &Round) -> Self {
        let mut next = self.clone();
        match round {
            Round::Edits => {}
            Round::There(merges) => {
                merges.iter().for_each(|merge| next.merged_there(*merge));
                if !self.one {
                    let mut lost: Vec<usize> = merges.iter().map(|(_, lost)| *lost).collect();
                    lost.dedup();
                    // A person is told to merge the record of the object that is gone into the other's.
                    next.stays = if let [lost] = lost.as_slice() { Some(1 - lost) } else { None };
                }
                next.one = true;
            }
            Round::Here { lost, there } => {
                next.one = true;
                next.stays = Some(1 - lost);
                there.iter().for_each(|merge| next.merged_there(*merge));
            }
            Round::Split => next = Self::default(),
        }
        next
    }
}

/// Rounds of one pair, and how it stands after the last.
pub(super) fn history(dice: &mut Dice) -> (Vec<Round>, Standing) {
    let (mut rounds, mut now) = (Vec::new(), Standing::default());
    for _ in 0..ROUNDS {
        let round = next(&now, dice);
        now = now.after(&round);
        rounds.push(round);
    }
    (rounds, now)
}

fn side(dice: &mut Dice) -> usize {
    usize::from(dice.in_hundred(50))
}

fn next(now: &Standing, dice: &mut Dice) -> Round {
    let both: Vec<usize> = (0..now.left.len()).filter(|place| now.has_both(*place)).collect();
    let place = dice.one_of(&both, 0);
    if dice.in_hundred(25) || both.is_empty() {
        return Round::Edits;
    }
    let there = (place, side(dice));
    if now.one {
        // Objects that were merged at a vendor stay one.
        if both.len() == now.left.len() && dice.in_hundred(60) {
            return Round::Split;
        }
        return Round::There(vec![there]);
    }
    match dice.below(10) {
        0..5 => Round::There(vec![there]),
        5..7 => Round::There(vec![there, ((place + 1) % now.left.len(), side(dice))]),
        _ => Round::Here { lost: side(dice), there: Some(there).filter(|_| dice.in_hundred(30)) },
    }
}
