//! Self-Refine: an answer, second thoughts, and a better one.
//!
//! After Madaan et al., *Self-Refine: Iterative Refinement with Self-Feedback* (2023).

use adjutant_agent::workflow::Item;
use adjutant_core::Result;

use super::Itself;
use super::reflexion::{Tries, attempts};

/// Answers, has the answer criticised, and answers again with the last answer and the critique at hand.
pub(super) async fn refine(agent: &Itself, task: &Item, rounds: u32) -> Result<Item> {
    attempts(agent, task, rounds, Tries::Improve, &mut Vec::new()).await
}
