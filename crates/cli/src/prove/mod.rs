//! What can be proved of policies, by the solver cvc5 where it is installed.
//!
//! A set of policies is three sets to a solver, one for each [`Level`] of permission, since Cedar knows no asking. What a
//! solver finds is turned into a request as agents make them and decided for real before anybody is shown it.

mod change;
mod compare;
mod example;
mod finding;
mod illustrate;
mod level;
mod looks;
mod sample;
mod solver;
mod space;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use change::{agreed, changes};
pub(crate) use compare::{Comparison, Difference, Relation, compare};
pub(crate) use finding::{Finding, findings};
pub(crate) use illustrate::illustrate;
pub(crate) use solver::{MISSING, Solver};
pub(crate) use words::{in_words, outcome};
