//! Route: what comes in is classified, and goes one of several ways.

use std::future::Future;

use adjutant_agent::workflow::Stage;
use adjutant_core::Result;
use serde::{Deserialize, Serialize};

/// Which way something goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The name of the path; none where none fits.
    pub path: Option<String>,
    /// How sure whoever chose is, from 0 to 1.
    pub confidence: f64,
}

impl Choice {
    /// A path that there is no doubt about.
    pub fn certain(path: impl Into<String>) -> Self {
        Self { path: Some(path.into()), confidence: 1.0 }
    }

    /// No path.
    pub fn none() -> Self {
        Self { path: None, confidence: 1.0 }
    }

    /// The path, where it was chosen with at least this much confidence.
    pub fn above(&self, least: f64) -> Option<&str> {
        self.path.as_deref().filter(|_| self.confidence >= least)
    }
}

/// Has `classify` choose a path, and goes it; where none was chosen with enough confidence, `otherwise` does what it likes
/// with the choice, such as asking a person.
///
/// Fails with what any of them fails with.
pub async fn route<T, C, D, G, H, O, P>(
    stage: &Stage,
    least: f64,
    classify: C,
    go: G,
    otherwise: O,
) -> Result<T>
where
    C: FnOnce(Stage) -> D,
    D: Future<Output = Result<Choice>>,
    G: FnOnce(Stage, String) -> H,
    H: Future<Output = Result<T>>,
    O: FnOnce(Stage, Choice) -> P,
    P: Future<Output = Result<T>>,
{
    let choice = classify(stage.scope("classify")).await?;
    match choice.above(least) {
        Some(path) => go(stage.scope("path"), path.to_owned()).await,
        None => otherwise(stage.scope("otherwise"), choice).await,
    }
}
