//! How like a text is to others, by a model that makes vectors of them.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Amount, Attempt, Done, Effects, Finished, Work, work};
use adjutant_model::embed::{Embedder, Purpose};
use adjutant_model::{Call, token};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;

use super::{Item, Stage};
use crate::models::Models;
use crate::rules::{self, Gate};

/// The scope of one comparison.
const LIKENESS: &str = "likeness";
/// The step that records which model makes the vectors.
const EMBEDDER: &str = "embedder";
/// The step that compares.
const COMPARE: &str = "compare";
/// How long a comparison may take.
const LONGEST: Duration = Duration::from_secs(60);
/// To how many places a likeness is told: what lies behind differs from machine to machine.
const PLACES: f64 = 10_000.0;

impl Stage {
    /// How like a text is to each of others, from -1 to 1: the cosine of the angle between their vectors, which the model of that
    /// role makes. It is recorded, so a replay needs no model; that the model may be asked is decided as for every other.
    ///
    /// Fails with [`Code::ModelUnknown`] where no model has the role, with [`Code::RunDenied`], and as a model does.
    pub async fn likeness(&self, embedder: &str, text: &Item, others: &[String]) -> Result<Vec<f64>> {
        let stage = self.scope(LIKENESS);
        stage.learn(text);
        let agent = &stage.run.agent;
        let models = agent.models.clone().ok_or_else(|| missing(embedder))?;
        let (ctx, role) = (&stage.ctx, embedder.to_owned());
        let look_up = {
            let (models, role) = (Arc::clone(&models), role.clone());
            work(move |_| {
                let found = models.embedder(&role).map_err(|error| unusable(&role, &error));
                std::future::ready(found.and_then(|embedder| Json::of(&embedder.id())))
            })
        };
        let id: String = ctx.effect(EMBEDDER, Effects::pure(), Json::of(&role)?, look_up).await?.to()?;
        let label = Item::made_of(text.value.clone(), [text, &stage.knows()]).label;
        let gate = rules::admit_model(ctx, agent, &stage.run.log, &id, &label).await?;
        let text = text.text();
        let input = Json::of(&json!({ "text": text, "others": others }))?;
        let comparison = Comparison { models, role, id, text, others: others.to_vec(), gate };
        let effects = Effects::pure().timeout(LONGEST).halting();
        let effects = match comparison.most() {
            Some(most) => effects.reserve(most),
            None => effects,
        };
        ctx.effect(COMPARE, effects, input, comparison).await?.to()
    }
}

fn missing(role: &str) -> Error {
    let message = format!("there is no model `{role}` that makes vectors");
    Error::new(Code::ModelUnknown, message).with_help(format!(
        "configure one under `[models.{role}]` in `adjutant.toml`; `adjutant models test {role}` tries it"
    ))
}

/// The error of a model that makes no vectors: with what to do, where there is none.
fn unusable(role: &str, error: &Error) -> Error {
    match error.code() {
        Code::ModelUnknown => missing(role),
        _ => error.clone(),
    }
}

/// The work of one comparison, outside the run.
struct Comparison {
    models: Arc<dyn Models>,
    role: String,
    /// The model that was decided on.
    id: String,
    text: String,
    others: Vec<String>,
    gate: Gate,
}

impl Comparison {
    /// The model that was decided on, by its role or by its id.
    fn embedder(&self) -> Result<Arc<dyn Embedder>> {
        let of_role = self.models.embedder(&self.role).ok().filter(|embedder| embedder.id() == self.id);
        of_role.map_or_else(|| self.models.embedder(&self.id), Ok)
    }

    /// The most that it may take; none where the model is not there, as on a replay.
    fn most(&self) -> Option<Amount> {
        let texts = self.others.iter().chain([&self.text]).map(|text| token::estimate_text(text));
        let input = texts.fold(0, u64::saturating_add);
        Some(amount(self.embedder().ok()?.as_ref(), &Usage { input, ..Usage::default() }))
    }
}

fn amount(embedder: &dyn Embedder, usage: &Usage) -> Amount {
    let nanos = embedder.profile().prices.map_or(0, |prices| prices.cost(usage).nanos());
    Amount { tokens: usage.total(), nanos }
}

/// Makes the vectors, and compares them.
async fn compare(
    embedder: &dyn Embedder,
    text: String,
    others: Vec<String>,
    call: Call,
) -> Result<(Vec<f64>, Usage)> {
    let known = embedder.embed(others, Purpose::Document, call.clone()).await?;
    let asked = embedder.embed(vec![text], Purpose::Query, call).await?;
    let mut usage = known.usage.unwrap_or_default();
    usage += asked.usage.unwrap_or_default();
    let of_text = asked.vectors.into_iter().next().unwrap_or_default();
    let likeness = known.vectors.iter().map(|vector| cosine(vector, &of_text)).collect();
    Ok((likeness, usage))
}

/// The product of two vectors, which is the cosine of the angle between them, as each has the length 1.
fn cosine(one: &[f32], other: &[f32]) -> f64 {
    if one.len() != other.len() {
        return 0.0;
    }
    let product: f64 = one.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    (product.clamp(-1.0, 1.0) * PLACES).round() / PLACES
}

impl Work for Comparison {
    fn attempt(&self, attempt: Attempt) -> BoxFuture<'static, Finished> {
        let (text, others) = (self.text.clone(), self.others.clone());
        let (embedder, gate) = (self.embedder(), self.gate.clone());
        async move {
            let compared = async {
                gate.pass()?;
                let embedder = embedder?;
                let call = Call { cancel: attempt.cancel.clone(), ..Call::default() };
                let (likeness, usage) = compare(embedder.as_ref(), text, others, call).await?;
                Ok((Json::of(&likeness)?, amount(embedder.as_ref(), &usage)))
            };
            match compared.await {
                Ok((likeness, spent)) => Finished { done: Done::Ok(likeness), spent: Some(spent) },
                Err(error) => Finished { done: Done::Err(error), spent: None },
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_one_direction_are_most_alike() {
        assert_eq!(cosine(&[0.6, 0.8], &[0.6, 0.8]), 1.0);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 1.0]), 0.0);
        assert_eq!(cosine(&[1.0, 0.0], &[-1.0, 0.0]), -1.0);
        assert_eq!(cosine(&[1.0], &[0.0, 1.0]), 0.0);
    }
}
