//! Parallel: branches that work at the same time, and what it takes for all of them to be done.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use adjutant_agent::workflow::{Stage, is_failure};
use adjutant_core::{Code, Error, Result};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::deep::Deep;

/// The scope of one branch.
const BRANCH: &str = "branch";

/// How branches work beside one another, and when they are done together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fan {
    /// How many work at a time.
    pub at_a_time: usize,
    /// When they are done.
    pub join: Join,
}

/// When branches are done together. Those that are still under way then are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// When all have succeeded; the first failure is that of all.
    All,
    /// When all have ended; those that failed are left out, and so many must have succeeded.
    Rest(usize),
    /// When so many have succeeded, of which the others may fail. With 1, the first that passes.
    Enough(usize),
}

impl Default for Fan {
    /// Eight at a time, and all must succeed.
    fn default() -> Self {
        Self { at_a_time: 8, join: Join::All }
    }
}

impl Fan {
    /// When branches are done.
    #[must_use]
    pub fn join(join: Join) -> Self {
        Self { join, ..Self::default() }
    }

    /// Lets so many work at a time.
    #[must_use]
    pub fn at_a_time(self, at_a_time: usize) -> Self {
        Self { at_a_time, ..self }
    }
}

/// Has branches work at the same time, each in a scope and with a share of the limits of its own. What they made stands in the
/// order of the branches; nothing stands for one that failed or was given up.
///
/// Fails as [`Join`] says, and with any error of a branch that is no [failure](is_failure).
pub async fn parallel<T, W, F>(
    stage: &Stage,
    fan: Fan,
    branches: impl IntoIterator<Item = W>,
) -> Result<Vec<Option<T>>>
where
    W: FnOnce(Stage) -> F,
    F: Future<Output = Result<T>>,
{
    let branches: Vec<W> = branches.into_iter().collect();
    let count = branches.len();
    stage.expect(count);
    let begun = Begun { stage, count, taken: AtomicUsize::new(0) };
    let taken = &begun.taken;
    // Their scopes are numbered in the order of the branches, whichever begins first.
    let work: Vec<_> = branches
        .into_iter()
        .enumerate()
        .map(|(index, branch)| {
            let scope = stage.scope(BRANCH);
            Deep(Box::pin(async move {
                taken.fetch_add(1, Ordering::Relaxed);
                let part = match scope.part() {
                    Ok(part) => part,
                    Err(error) => return (index, Err(error)),
                };
                let made = branch(part.clone()).await;
                scope.settle(&part);
                (index, made)
            }))
        })
        .collect();
    let mut open = futures::stream::iter(work).buffer_unordered(fan.at_a_time.max(1));
    let mut made: Vec<Option<T>> = std::iter::repeat_with(|| None).take(count).collect();
    let (mut succeeded, mut failed) = (0_usize, Vec::new());
    while let Some((index, done)) = open.next().await {
        match done {
            Ok(done) => {
                if let Some(slot) = made.get_mut(index) {
                    *slot = Some(done);
                }
                succeeded += 1;
                if matches!(fan.join, Join::Enough(enough) if succeeded >= enough) {
                    break;
                }
            }
            Err(error) if is_failure(&error) && fan.join != Join::All => failed.push((index, error)),
            Err(error) => return Err(of_branch(index, count, &error)),
        }
    }
    drop(open);
    let wanted = match fan.join {
        Join::All => count,
        Join::Rest(least) | Join::Enough(least) => least,
    };
    match failed.first() {
        Some((index, error)) if succeeded < wanted => {
            let message = format!("{succeeded} of {count} branches succeeded, and {wanted} must");
            Err(of_branch(*index, count, error).with_help(message))
        }
        None if succeeded < wanted => {
            let message = format!("there are {count} branches, and {wanted} must succeed");
            Err(Error::new(Code::ToolFailed, message))
        }
        _ => Ok(made),
    }
}

/// Branches that are expected to take a share each. Those that never begin leave theirs to whoever comes after.
struct Begun<'a> {
    stage: &'a Stage,
    count: usize,
    taken: AtomicUsize,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.stage.expect_less(self.count.saturating_sub(self.taken.load(Ordering::Relaxed)));
    }
}

/// The error of a branch, with which one it was.
fn of_branch(index: usize, count: usize, error: &Error) -> Error {
    if !is_failure(error) {
        return error.clone();
    }
    let message = format!("branch {} of {count} failed: {}", index + 1, error.message());
    let explained = Error::new(error.code(), message);
    match error.help() {
        Some(help) => explained.with_help(help),
        None => explained,
    }
}

/// What most of the votes are for; of several that have equally many, the one that was voted for first. None without votes.
pub fn majority<T: PartialEq>(votes: impl IntoIterator<Item = T>) -> Option<T> {
    let mut counted: Vec<(T, usize)> = Vec::new();
    for vote in votes {
        match counted.iter_mut().find(|(known, _)| *known == vote) {
            Some((_, count)) => *count += 1,
            None => counted.push((vote, 1)),
        }
    }
    let most = counted.iter().map(|(_, count)| *count).max()?;
    counted.into_iter().find(|(_, count)| *count == most).map(|(vote, _)| vote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_wins_and_the_first_of_equals() {
        assert_eq!(majority(["a", "b", "b"]), Some("b"));
        assert_eq!(majority(["b", "a", "a", "b"]), Some("b"));
        assert_eq!(majority::<&str>([]), None);
    }
}
