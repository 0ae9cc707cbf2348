//! Asks another model where one does not answer.

use std::sync::Arc;

use adjutant_core::error::{Kind, Retry};
use adjutant_core::json::Json;
use adjutant_core::money::Prices;
use adjutant_core::{Code, Error, Result};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use super::begun::begun;
use crate::delta::{Delta, Deltas, Instead, Tried};
use crate::model::{Call, Model, Note};
use crate::profile::{Abilities, Profile};
use crate::request::Request;
use crate::unseen;

/// A chain of models: the next one is asked where one fails before a part of its answer was delivered.
///
/// It goes by the name of the first, and what it can do is what the first can do; but it takes in what any of them takes in.
/// A model that cannot do what a request asks is passed over with that as the reason, and one that cannot take in what a
/// tool returned is told that there is something.
#[derive(Clone)]
pub struct Fallback {
    chain: Arc<[Arc<dyn Model>]>,
    /// Of the first model, with the senses of all.
    profile: Profile,
}

impl Fallback {
    /// The first model, and those that are asked after it, in order.
    pub fn new(first: &Arc<dyn Model>, others: impl IntoIterator<Item = Arc<dyn Model>>) -> Self {
        let chain: Arc<[_]> = std::iter::once(Arc::clone(first)).chain(others).collect();
        let mut profile = first.profile().clone();
        for model in chain.iter() {
            let Abilities { images, audio, files, .. } = model.profile().abilities;
            profile.abilities.images |= images;
            profile.abilities.audio |= audio;
            profile.abilities.files |= files;
        }
        Self { profile, chain }
    }

    async fn ask(self, request: Request, call: Call) -> Result<Deltas> {
        let mut tried: Vec<Tried> = Vec::new();
        for (index, model) in self.chain.iter().enumerate() {
            let answer = match model.stream(fitting(&request, model.as_ref()), call.clone()).await {
                Ok(deltas) => begun(deltas, &call).await,
                Err(error) => Err(error),
            };
            let error = match answer {
                Ok(deltas) if tried.is_empty() => return Ok(deltas),
                Ok(deltas) => return Ok(after(tried, model.as_ref(), deltas)),
                Err(error) => error,
            };
            if !moves_on(&error) {
                return Err(error);
            }
            if let Some(next) = self.chain.get(index + 1) {
                let (model, next) = (model.id().to_owned(), next.id().to_owned());
                call.note(|| Note::Next { model, error: error.clone(), next });
            }
            tried.push(Tried { model: model.id().to_owned(), error });
        }
        Err(nobody(tried))
    }
}

/// The request as it is put to one model.
fn fitting(request: &Request, model: &dyn Model) -> Request {
    let unseen = unseen::find(&request.messages, &model.profile().abilities);
    Request { messages: unseen::hide(request.messages.clone(), &unseen), ..request.clone() }
}

/// Whether another model may answer what this one did not. Nobody is asked after a call that was cancelled, nor for a
/// request that is wrong in itself.
fn moves_on(error: &Error) -> bool {
    error.code().kind() == Kind::Model && !matches!(error.code(), Code::ModelScript | Code::ModelCassette)
}

/// An answer with the story of those who did not give it.
fn after(tried: Vec<Tried>, model: &dyn Model, deltas: Deltas) -> Deltas {
    let instead = Instead { model: model.id().to_owned(), prices: model.profile().prices, cached: false };
    // A cache or a chain below tells better who answered.
    let mut instead = Some(instead);
    let story = futures::stream::iter(tried.into_iter().map(|tried| Ok(Delta::Tried(tried))));
    let answer = deltas.flat_map(move |delta| {
        let before = match &delta {
            Ok(Delta::Instead(_)) => instead.take().and(None),
            Ok(Delta::Start(_) | Delta::Tried(_)) => None,
            _ => instead.take(),
        };
        futures::stream::iter(before.map(|instead| Ok(Delta::Instead(instead))).into_iter().chain([delta]))
    });
    story.chain(answer).boxed()
}

/// The failure of a whole chain: that of the last model, with what each said.
fn nobody(tried: Vec<Tried>) -> Error {
    let story: Vec<String> =
        tried.iter().map(|tried| format!("`{}`: {}", tried.model, tried.error)).collect();
    let waits = tried.iter().filter_map(|tried| tried.error.retry_after()).min();
    match <[Tried; 1]>::try_from(tried) {
        Ok([only]) => only.error,
        Err(tried) => {
            // A conversation that is too long for the first model can be made shorter; where waiting helps any of them it
            // helps the chain.
            let too_long = tried.first().filter(|first| first.error.code() == Code::ModelContextExceeded);
            let passing = tried.iter().find(|tried| tried.error.code().retry() == Retry::Later);
            let code = too_long
                .or(passing)
                .or(tried.last())
                .map_or(Code::ModelUnavailable, |tried| tried.error.code());
            let attempts =
                tried.iter().map(|tried| tried.error.attempts().unwrap_or(1)).fold(0, u32::saturating_add);
            let error = Error::new(code, format!("no model of the chain answered: {}", story.join("; ")));
            let error = waits.map_or(error.clone(), |wait| error.with_retry_after(wait));
            let exhausted = tried.iter().any(|tried| tried.error.attempts().is_some());
            if exhausted { error.after_attempts(attempts) } else { error }
        }
    }
}

impl Model for Fallback {
    fn id(&self) -> &str {
        self.chain.first().map_or("", |model| model.id())
    }

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn most_prices(&self) -> Option<Prices> {
        let prices = self.chain.iter().map(|model| model.most_prices());
        prices.reduce(|one, other| Some(one?.dearest(other?))).flatten()
    }

    fn stream(&self, request: Request, call: Call) -> BoxFuture<'static, Result<Deltas>> {
        self.clone().ask(request, call).boxed()
    }

    fn preview(&self, request: &Request) -> Result<Json> {
        let preview = |model: &Arc<dyn Model>| model.preview(&fitting(request, model.as_ref()));
        let empty = || Err(Error::new(Code::ModelUnknown, "the chain has no models"));
        // The first one that would be asked at all.
        let first = self.chain.iter().map(preview).find(Result::is_ok);
        first.or_else(|| self.chain.first().map(preview)).unwrap_or_else(empty)
    }
}
