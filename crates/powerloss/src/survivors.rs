//! What is left of unsynced changes when the power fails.

use crate::generator::Generator;

/// What is left of the changes that were not synced when the power fails. What was synced is always left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// Nothing.
    Nothing,
    /// All changes before one that is chosen at random, over all files; that one may be torn.
    Prefix {
        /// Seed of the choice.
        seed: u64,
    },
    /// Each sector for itself holds any of the contents that it had since the last sync: writes are torn, reordered
    /// within a file and between files.
    Sectors {
        /// Seed of the choices.
        seed: u64,
    },
}

impl Survivors {
    /// One of the three, by a seed.
    pub fn random(seed: u64) -> Self {
        let mut generator = Generator::new(seed);
        match generator.below(3) {
            0 => Self::Nothing,
            1 => Self::Prefix { seed: generator.number() },
            _ => Self::Sectors { seed: generator.number() },
        }
    }
}

/// Chooses among what something held at the times of its changes.
pub(crate) enum Chooser {
    Oldest,
    Until(u64),
    Any(Generator),
}

impl Chooser {
    /// `first` and `last` are the numbers of the first and the last change that could be lost.
    pub(crate) fn new(survivors: Survivors, first: u64, last: u64) -> Self {
        match survivors {
            Survivors::Nothing => Self::Oldest,
            Survivors::Prefix { seed } => {
                let changes = last.saturating_sub(first) + 2;
                Self::Until((first + Generator::new(seed).below(changes)).saturating_sub(1))
            }
            Survivors::Sectors { seed } => Self::Any(Generator::new(seed)),
        }
    }

    /// Chooses one of several states, oldest first, each with the number of the change that led to it. The first is
    /// what was synced.
    pub(crate) fn choose<'a, T>(&mut self, states: &'a [(u64, T)]) -> Option<&'a T> {
        let index = match self {
            Self::Oldest => 0,
            Self::Until(last) => states.iter().rposition(|(change, _)| change <= last).unwrap_or(0),
            Self::Any(generator) => usize::try_from(generator.below(states.len() as u64)).unwrap_or_default(),
        };
        states.get(index).map(|(_, state)| state)
    }

    /// Chooses whether a single change survived.
    pub(crate) fn survives(&mut self, change: u64) -> bool {
        self.choose(&[(0, false), (change, true)]).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_prefix_and_may_be_empty_or_all() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut chooser = Chooser::new(Survivors::Prefix { seed }, 5, 8);
            let kept: Vec<u64> = (5..=8).filter(|change| chooser.survives(*change)).collect();
            assert!(kept.iter().zip(5..).all(|(change, expected)| *change == expected), "{kept:?}");
            seen.insert(kept.len());
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn nothing_is_nothing() {
        let mut chooser = Chooser::new(Survivors::Nothing, 1, 9);
        assert_eq!(chooser.choose(&[(0, "old"), (3, "new")]), Some(&"old"));
    }
}
