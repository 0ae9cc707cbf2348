//! A service that is asked over HTTP.

use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_durable::{Ctx, Effects, RetryPolicy, work};
use adjutant_policy::detect::Hit;
use adjutant_tool::moderation::{Endpoint, Score};

use super::look::Asking;
use crate::runtime::Runtime;

/// The name of the steps in which a service is asked.
pub(crate) const MODERATE: &str = "moderate";

const RETRY: RetryPolicy = RetryPolicy { attempts: 3, first_wait_ms: 500 };
const PATIENCE: Duration = Duration::from_secs(30);

/// Has a service judge a text. Fails where it gives no scores.
pub(super) async fn ask(
    ctx: &Ctx,
    agent: &Runtime,
    asking: &Asking<'_>,
    endpoint: &Endpoint,
    text: &str,
) -> Result<Vec<Hit>> {
    let (endpoint, secrets, length) = (endpoint.clone(), agent.secrets.clone(), text.len());
    let said = text.to_owned();
    let asked = work(move |_| {
        let (endpoint, secrets, said) = (endpoint.clone(), secrets.clone(), said.clone());
        async move { Json::of(&endpoint.judge(&said, secrets.as_deref()).await?) }
    });
    // It leaves the machine, so what came before is on disk by then.
    let effects = Effects::new(Effect::Idempotent).retry(RETRY).timeout(PATIENCE);
    let scores: Vec<Score> = ctx.effect(MODERATE, effects, asking.input()?, asked).await?.to()?;
    let hit = |score: Score| Hit::new(&score.category, score.score, 0..length, "the service says so");
    Ok(scores.into_iter().map(hit).collect())
}
