//! What may be where after a round, by the rules of who may create and delete alone. The hub is not asked.

use super::super::table::{BETA, Dice};
use super::ROUNDS;
use super::rules::Rules;

/// What people do to one thing, within seconds.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Round {
    /// It is made there, in the same moment where there are several.
    Create(Vec<usize>),
    /// Somebody edits it there.
    Touch(usize),
    /// It is deleted there; right before that somebody edits it, perhaps.
    Delete { at: usize, touched: bool },
    /// It is deleted in two systems in the same moment.
    DeleteBoth(usize, usize),
    /// It is deleted in one system and edited in another in the same moment.
    Race { deletes: usize, touches: usize },
    /// A second object that somebody made there, and that stands for nothing, is merged with it: into it, or it into that.
    Merge { at: usize, into_stray: bool },
    /// Somebody makes a second object of it there, and later deletes the first; in that moment it is edited elsewhere, perhaps.
    Twin { at: usize, touches: Option<usize> },
    /// It is taken out of the bin where it was deleted.
    Restore(usize),
    /// It is deleted, and out of the bin again right after that.
    Flicker(usize),
}

/// Whether something is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum There {
    Yes,
    No,
    /// Two things happened in different systems within the time in which each is seen: nobody can know which was first.
    Either,
}

/// How a thing may stand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ending {
    /// The record lives.
    pub(super) lives: bool,
    /// It has an object in each system.
    pub(super) there: [There; 3],
    /// Where the deletion was that ended it.
    pub(super) ended_at: Option<usize>,
}

impl Ending {
    const NEVER: Self = Self { lives: false, there: [There::No; 3], ended_at: None };
    const EVERYWHERE: Self = Self { lives: true, there: [There::Yes; 3], ended_at: None };

    pub(super) fn at(&self, place: usize) -> There {
        self.there.get(place).copied().unwrap_or(There::No)
    }

    fn without(&self, place: usize) -> Self {
        let mut out = self.clone();
        if let Some(there) = out.there.get_mut(place) {
            *there = There::No;
        }
        out
    }

    /// Where it is not, it may be.
    fn perhaps(&self) -> Self {
        let there = self.there.map(|there| if there == There::No { There::Either } else { there });
        Self { there, ..self.clone() }
    }

    /// It was deleted there.
    fn deleted(&self, rules: &Rules, at: usize) -> Self {
        let left = self.without(at);
        if !rules.ends_record(at) || !self.lives {
            return left;
        }
        let there = [0, 1, 2].map(|place| if rules.keeps(place) { left.at(place) } else { There::No });
        Self { lives: false, there, ended_at: Some(at) }
    }

    /// All that may come of a round.
    pub(super) fn after(&self, rules: &Rules, round: &Round) -> Vec<Self> {
        match *round {
            Round::Create(_) => vec![Self::EVERYWHERE],
            // A new version is delivered everywhere: what a non-deleter threw away comes back with it. A newer word of a
            // creator brings a tombstone back; another's does not.
            Round::Touch(at) => match self.lives || rules.may_create(at) {
                true => vec![Self::EVERYWHERE],
                false => vec![self.clone()],
            },
            Round::Restore(_) => vec![Self::EVERYWHERE],
            Round::Delete { at, touched: false } => vec![self.deleted(rules, at)],
            // Its end may be seen, and then what was thrown away elsewhere comes back with the record; or it is not.
            Round::Flicker(_) => vec![self.perhaps()],
            // The edit may be seen before its object is gone, or not: with it comes back what was thrown away elsewhere.
            Round::Delete { at, touched: true } => vec![self.perhaps().deleted(rules, at)],
            Round::DeleteBoth(one, other) => {
                vec![
                    self.deleted(rules, one).deleted(rules, other),
                    self.deleted(rules, other).deleted(rules, one),
                ]
            }
            Round::Race { deletes, touches } if rules.ends_record(deletes) => {
                let mut out = vec![self.perhaps().deleted(rules, deletes)];
                // Which came first nobody can know: the edit may be the newer word that brings it back.
                out.extend(rules.may_create(touches).then_some(Self::EVERYWHERE));
                out
            }
            // What is delivered there finds it still, or brings it back.
            Round::Race { deletes, .. } => {
                let mut after = Self::EVERYWHERE;
                if let Some(there) = after.there.get_mut(deletes) {
                    *there = There::Either;
                }
                vec![after]
            }
            Round::Merge { .. } => vec![self.clone()],
            // The second one goes on as its own.
            Round::Twin { touches: Some(_), .. } => vec![Self::EVERYWHERE],
            Round::Twin { touches: None, .. } => vec![self.perhaps()],
        }
    }
}

/// Rounds of one thing, and how it may stand after the last.
pub(super) fn history(rules: &Rules, dice: &mut Dice) -> (Vec<Round>, Vec<Ending>) {
    let mut rounds = Vec::new();
    let mut endings = vec![Ending::NEVER];
    for _ in 0..ROUNDS {
        // Where it may stand in two ways, its history is at its end.
        let [now] = endings.as_slice() else { break };
        let Some(round) = next(now, rules, dice) else { break };
        endings = now.after(rules, &round);
        rounds.push(round);
    }
    (rounds, endings)
}

fn next(now: &Ending, rules: &Rules, dice: &mut Dice) -> Option<Round> {
    let has: Vec<usize> = (0..3).filter(|place| now.at(*place) == There::Yes).collect();
    let unclear = (0..3).any(|place| now.at(place) == There::Either);
    if !now.lives {
        let back = now.ended_at.filter(|at| rules.may_create(*at) && dice.in_hundred(40));
        if let Some(at) = back {
            return Some(Round::Restore(at));
        }
        if !has.is_empty() || unclear {
            // A second thing with its key can't be made where the first one was kept.
            return has.first().filter(|_| dice.in_hundred(70)).map(|_| Round::Touch(dice.one_of(&has, 0)));
        }
        let creators: Vec<usize> = (0..3).filter(|place| rules.may_create(*place)).collect();
        let mut makers = vec![dice.one_of(&creators, 0)];
        // Also where it may not be: that object becomes the record's all the same.
        makers.extend((0..3).filter(|_| dice.in_hundred(40)));
        makers.sort_unstable();
        makers.dedup();
        return Some(Round::Create(makers));
    }
    let one = has.first().map(|_| dice.one_of(&has, 0))?;
    let others: Vec<usize> = has.iter().copied().filter(|place| *place != one).collect();
    let other = others.first().map(|_| dice.one_of(&others, 0));
    let outsider = !rules.may_create(one);
    Some(match (dice.below(12), other) {
        (10.., _) => Round::Twin { at: one, touches: other.filter(|_| dice.in_hundred(70)) },
        (0..2, _) => Round::Touch(one),
        (2..4, _) => Round::Delete { at: one, touched: false },
        (4, _) => Round::Delete { at: one, touched: true },
        (5, Some(other)) => Round::DeleteBoth(one, other),
        (6..8, Some(other)) => Round::Race { deletes: one, touches: other },
        // Where the end counts, who may not create could not bring it back. And of a system without an order its word of an
        // end is proof, whenever it comes: whether the object was restored before, it does not say.
        (8, _) if one != BETA && (!outsider || !rules.ends_record(one)) => Round::Flicker(one),
        (8.., _) if outsider => Round::Merge { at: one, into_stray: dice.in_hundred(50) },
        _ => Round::Delete { at: one, touched: dice.in_hundred(50) },
    })
}
