//! Refine: one makes, another judges, until it is good enough.

use std::future::Future;

use adjutant_agent::workflow::{Stage, is_failure};
use adjutant_core::{Code, Result};
use serde::{Deserialize, Serialize};

/// When refining ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounds {
    /// After so many drafts, accepted or not.
    pub most: u32,
    /// After so many drafts in a row that were no better than the best.
    pub patience: u32,
}

impl Default for Rounds {
    /// Four drafts, and two that were no better.
    fn default() -> Self {
        Self { most: 4, patience: 2 }
    }
}

/// What a judge says of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opinion {
    /// Whether it is good enough.
    pub accepted: bool,
    /// How good it is; more is better.
    pub score: f64,
}

/// A draft, and what was said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reviewed<T, R> {
    /// The draft.
    pub draft: T,
    /// What the judge has written of it.
    pub review: R,
    /// What that comes to.
    pub opinion: Opinion,
}

/// What refining has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Refined<T, R> {
    /// The best draft.
    pub best: Reviewed<T, R>,
    /// How many there were.
    pub drafts: u32,
    /// Why there were no more.
    pub ended: Ended,
}

/// Why refining has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The draft was accepted.
    Accepted,
    /// It did not get better.
    NoImprovement,
    /// There were as many drafts as there may be, or a limit of the run was reached.
    Limit,
    /// A later draft could not be made or judged; the best one is from before.
    Failed,
}

/// Makes a draft, has it judged, and makes another out of what was said, until one is accepted, they get no better, or there
/// were enough of them. The best draft is kept, also where a later one is worse.
///
/// `make` is given the latest draft with what was said of it; `judge` is given the draft. Fails where the first draft cannot be
/// made or judged, and with any error that is no [failure](is_failure).
pub async fn refine<T, R, M, N, J, K>(
    stage: &Stage,
    rounds: Rounds,
    mut make: M,
    mut judge: J,
) -> Result<Refined<T, R>>
where
    T: Clone,
    R: Clone,
    M: FnMut(Stage, Option<Reviewed<T, R>>) -> N,
    N: Future<Output = Result<T>>,
    J: FnMut(Stage, T) -> K,
    K: Future<Output = Result<(R, Opinion)>>,
{
    let mut best: Option<Reviewed<T, R>> = None;
    let mut last = None;
    let (mut drafts, mut stale) = (0, 0);
    loop {
        let round = stage.scope("round");
        let reviewed = async {
            let draft = make(round.clone(), last.take()).await?;
            let (review, opinion) = judge(round.clone(), draft.clone()).await?;
            Ok(Reviewed { draft, review, opinion })
        };
        let reviewed = match (reviewed.await, best.take()) {
            (Ok(reviewed), kept) => {
                best = kept;
                reviewed
            }
            (Err(error), Some(best)) if is_failure(&error) => {
                return Ok(Refined { best, drafts, ended: Ended::Failed });
            }
            (Err(error), Some(best)) if error.code() == Code::RunLimit => {
                return Ok(Refined { best, drafts, ended: Ended::Limit });
            }
            (Err(error), _) => return Err(error),
        };
        drafts += 1;
        let is_better = best.as_ref().is_none_or(|best| is_better(reviewed.opinion, best.opinion));
        stale = if is_better { 0 } else { stale + 1 };
        last = Some(reviewed.clone());
        let kept = match best.take() {
            Some(kept) if !is_better => kept,
            _ => reviewed,
        };
        let ended = match kept.opinion.accepted {
            true => Some(Ended::Accepted),
            false if drafts >= rounds.most.max(1) => Some(Ended::Limit),
            false if stale >= rounds.patience.max(1) => Some(Ended::NoImprovement),
            false => None,
        };
        if let Some(ended) = ended {
            return Ok(Refined { best: kept, drafts, ended });
        }
        best = Some(kept);
    }
}

/// Whether an opinion is better than another: accepted before not accepted, then the score.
fn is_better(one: Opinion, other: Opinion) -> bool {
    match (one.accepted, other.accepted) {
        (true, false) => true,
        (false, true) => false,
        _ => one.score > other.score,
    }
}
