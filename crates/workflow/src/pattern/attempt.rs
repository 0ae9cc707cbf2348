//! Attempt: work that is tried again where it fails, and given up where it takes too long.

use std::future::Future;
use std::time::Duration;

use adjutant_agent::workflow::{Stage, is_failure};
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

/// How often something is tried, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// How often it is tried in all.
    pub most: u32,
    /// How long to wait after the first failure, in milliseconds; twice as long after each further one.
    pub wait_ms: u64,
    /// How long one attempt may take, in milliseconds; as long as it likes where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_ms: Option<u64>,
    /// How long its calls may be without any sign of life, in milliseconds; the limit of the run where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
}

impl Default for Attempts {
    /// Once.
    fn default() -> Self {
        Self { most: 1, wait_ms: 0, longest_ms: None, idle_ms: None }
    }
}

/// Whether work was given up that may not be done a second time.
fn is_given_up(stage: &Stage, attempts: Attempts, error: &Error) -> bool {
    (attempts.longest_ms.is_some() || attempts.idle_ms.is_some())
        && error.code() == Code::ToolTimeout
        && !stage.is_repeatable()
}

/// Tries some work, each time in a scope of its own. A [failure](is_failure) is tried again; the last one is that of all.
/// What took too long is tried again only where everything that the workflow may do can be done twice.
pub async fn attempt<T, W, F>(stage: &Stage, attempts: Attempts, mut work: W) -> Result<T>
where
    W: FnMut(Stage) -> F,
    F: Future<Output = Result<T>> + Send,
{
    let mut wait = attempts.wait_ms;
    let mut tried = 0;
    loop {
        // What is tried once needs no scope of its own.
        let scope = if attempts.most > 1 { stage.scope("attempt") } else { stage.clone() };
        let scope = attempts.idle_ms.map_or(scope.clone(), |idle| scope.awake(Duration::from_millis(idle)));
        let done = match attempts.longest_ms {
            Some(longest) => scope.within(Duration::from_millis(longest), work(scope.clone())).await,
            None => work(scope.clone()).await,
        };
        tried += 1;
        match done {
            // What was given up may still have happened.
            Err(error)
                if is_failure(&error) && tried < attempts.most && !is_given_up(stage, attempts, &error) =>
            {
                if wait > 0 {
                    stage.ctx().sleep(Duration::from_millis(wait)).await?;
                    wait = wait.saturating_mul(2);
                }
            }
            done => return done,
        }
    }
}
