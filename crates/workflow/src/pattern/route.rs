//! Route: what comes in is classified, and goes one of several ways.

use std::future::Future;

use adjutant_agent::workflow::{Item, Stage};
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

/// Chooses the path that has the example which a subject is most like, by the vectors of the model of that role, such as `embed`. How
/// like that is, from 0 to 1, is the confidence. No path where there are no examples, or the
/// subject is empty.
///
/// Fails as [`Stage::likeness`] does.
pub async fn by_examples(
    stage: &Stage,
    embedder: &str,
    subject: &Item,
    paths: &[(String, Vec<String>)],
) -> Result<Choice> {
    let examples: Vec<(&str, &String)> = paths
        .iter()
        .flat_map(|(path, examples)| examples.iter().map(move |example| (path.as_str(), example)))
        .collect();
    let texts: Vec<String> = examples.iter().map(|(_, example)| (*example).clone()).collect();
    // Of nothing there is no vector.
    if texts.is_empty() || subject.text().trim().is_empty() {
        return Ok(Choice::none());
    }
    let likeness = stage.likeness(embedder, subject, &texts).await?;
    let mut best = Choice { path: None, confidence: 0.0 };
    for ((path, _), alike) in examples.iter().zip(likeness) {
        // Of several that are equally like, the first.
        if best.path.is_none() || alike > best.confidence {
            best = Choice { path: Some((*path).to_owned()), confidence: alike.max(0.0) };
        }
    }
    Ok(best)
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
