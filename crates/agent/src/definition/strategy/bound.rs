//! How often models are asked at most: known before a run begins.

use adjutant_core::limit::Limits;

use super::helper::STEPS;
use super::settings::Strategy;
use super::tree::{Over, Tree};
use crate::definition::pinned::Definition;

/// How often a helper is asked at most.
const SMALL: u64 = turns(STEPS);

/// How many turns a model has at most with so many steps: one more at a limit, and one where an answer may not go out that came just
/// before.
const fn turns(steps: u32) -> u64 {
    steps as u64 + 2
}

impl Strategy {
    /// How often models are asked at most, where one run of the agent asks its own `each` times.
    pub fn most_model_calls(self, each: u64) -> u64 {
        let (whole, small) = match self {
            Self::Vote { of } => (u64::from(of), 0),
            // Nobody judges the last one.
            Self::Refine { rounds: most } | Self::Reflexion { attempts: most } => {
                (u64::from(most.max(1)), u64::from(most.max(1)) - 1)
            }
            // One answer at the end, and a list at the beginning and after each item.
            Self::Plan { steps } => (u64::from(steps) + 1, u64::from(steps) + 1),
            Self::Tree(tree) => return tree.most_before_the_answer(each).saturating_add(each),
        };
        whole.saturating_mul(each).saturating_add(small.saturating_mul(SMALL))
    }
}

impl Tree {
    /// How often models are asked at most to find in which ways one line of work could go on.
    pub fn most_to_propose(self) -> u64 {
        SMALL
    }

    /// How often models are asked at most for one branch, where one run of the agent asks its own `each` times.
    pub fn most_for_a_branch(self, each: u64) -> u64 {
        match self.over {
            Over::Thoughts => SMALL,
            Over::Actions => SMALL.saturating_add(each),
        }
    }

    fn most_before_the_answer(self, each: u64) -> u64 {
        let branches = u64::from(self.width).saturating_mul(self.most_for_a_branch(each));
        let grown = 1 + u64::from(self.depth.saturating_sub(1)).saturating_mul(self.keep.into());
        let most = branches.saturating_add(self.most_to_propose()).saturating_mul(grown);
        self.calls.map_or(most, |calls| most.min(calls.into()))
    }
}

impl Definition {
    /// How often models are asked at most by one run of it: by itself, and by the helpers of its strategy. None for a workflow,
    /// which says it in its own steps.
    ///
    /// Agents that it asks by a tool are not counted, which have limits of their own, nor are a title, summaries of what grows too
    /// long, and those who judge. A call that is made again because a provider has failed is one.
    pub fn most_model_calls(&self) -> Option<u64> {
        let of = |limits: &Limits| turns(limits.steps);
        match (&self.workflow, Strategy::of(self)) {
            (None, _) => Some(of(&self.limits)),
            (Some(_), None) => None,
            (Some(_), Some(strategy)) => {
                let itself = self.agents.iter().find(|asked| asked.definition.name == self.name)?;
                Some(strategy.most_model_calls(of(&itself.definition.limits)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_strategy_knows_how_often_it_asks_at_most() {
        let tree = Tree { width: 3, keep: 2, depth: 3, ..Tree::USUAL };
        let actions = Tree { over: Over::Actions, ..tree };
        for (strategy, most) in [
            (Strategy::Vote { of: 5 }, 50),
            (Strategy::Refine { rounds: 3 }, 38),
            (Strategy::Reflexion { attempts: 1 }, 10),
            (Strategy::Plan { steps: 4 }, 70),
            // The first level has one line, each further one two.
            (Strategy::Tree(tree), 5 * (4 + 3 * 4) + 10),
            (Strategy::Tree(actions), 5 * (4 + 3 * 14) + 10),
            (Strategy::Tree(Tree { calls: Some(30), ..actions }), 40),
        ] {
            assert_eq!(strategy.most_model_calls(10), most, "{strategy:?}");
        }
    }
}
