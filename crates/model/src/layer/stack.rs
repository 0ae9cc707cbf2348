//! The layers around a model, put together.

use std::fmt;
use std::sync::Arc;

use adjutant_core::hash::Digest;
use adjutant_core::time::format_duration;

use super::breaker::{self, Breaker};
use super::cache::{Answers, Cache};
use super::limit::{self, Limit};
use super::retry::{self, Retry};
use super::tally::Counted;
use crate::model::Model;

/// The layers around one model. A chain of fallbacks stands around all of them: see [`Fallback`](super::Fallback).
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// Answers that were given before, and what tells this model from others that may be asked the same.
    pub cache: Option<(Arc<dyn Answers>, Digest)>,
    /// When the model is left alone.
    pub breaker: breaker::Policy,
    /// How often it is asked again.
    pub retry: retry::Policy,
    /// What it may be asked.
    pub limits: limit::Policy,
}

impl Layers {
    /// The model within the layers, from the inside out: an attempt keeps the limits, a failed one is made again, a model
    /// that fails in spite of that is left alone, and what was answered before is not asked at all.
    pub fn around(&self, model: Arc<dyn Model>) -> Arc<dyn Model> {
        let mut model: Arc<dyn Model> = Arc::new(Counted(model));
        if !self.limits.is_open() {
            model = Arc::new(Limit::new(model, self.limits));
        }
        // Also where it is asked but once: an error then says that this was all.
        model = Arc::new(Retry::new(model, self.retry));
        if self.breaker.failures > 0 {
            model = Arc::new(Breaker::new(model, self.breaker));
        }
        if let Some((answers, owner)) = &self.cache {
            model = Arc::new(Cache::new(model, Arc::clone(answers), *owner));
        }
        model
    }
}

/// One line a layer, from the outside in.
impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        if self.cache.is_some() {
            lines.push("cache: an answer to exactly the same request is given again".to_owned());
        }
        if self.breaker.failures > 0 {
            let (failures, rest) = (self.breaker.failures, format_duration(self.breaker.rest));
            lines.push(format!("breaker: left alone for {rest} after {failures} failures in a row"));
        }
        if self.retry.attempts > 1 {
            let retry::Policy { attempts, first_wait, longest_wait } = self.retry;
            let (first, longest) = (format_duration(first_wait), format_duration(longest_wait));
            lines.push(format!(
                "retry: asked {attempts} times in all, after {first} first and {longest} at most"
            ));
        }
        let limits = [
            self.limits.concurrency.map(|number| format!("{number} calls at once")),
            self.limits.requests_per_minute.map(|number| format!("{number} calls a minute")),
            self.limits.tokens_per_minute.map(|number| format!("{number} tokens a minute")),
        ];
        let limits: Vec<String> = limits.into_iter().flatten().collect();
        if !limits.is_empty() {
            lines.push(format!("limits: {}", limits.join(", ")));
        }
        f.write_str(&lines.join("\n"))
    }
}
