//! [`Exchange`]: the answer of a model to a client, while it comes.

use std::collections::VecDeque;
use std::sync::Arc;

use adjutant_agent::DirectGuards;
use adjutant_core::Result;
use adjutant_core::message::{Message, Part};
use adjutant_core::money::Money;
use adjutant_core::usage::Usage;
use adjutant_model::{Collector, Delta, Deltas, Model, Request, Response, token};
use futures::StreamExt;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Asker;
use super::account::Aside;
use crate::adjutant::Adjutant;

/// The answer of a model while it comes. Who lets go of it lets go of the call: the provider is told to stop, and what came up to
/// then is charged by an estimate.
pub struct Exchange {
    adjutant: Adjutant,
    who: String,
    model: Arc<dyn Model>,
    request: Request,
    guards: DirectGuards,
    deltas: Deltas,
    /// None once it is charged.
    aside: Option<Aside>,
    /// What is charged where nobody hears the end.
    heard: Usage,
    collector: Option<Collector>,
    /// What is to be told, where an answer was held back until it was whole.
    held: VecDeque<Delta>,
    told: Option<Told>,
    _cancel: DropGuard,
}

/// What is known of an exchange once it is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The whole answer, as the client may see it.
    pub response: Response,
    /// The tokens; an estimate where the provider does not count.
    pub usage: Usage,
    /// What they cost; none where the price is not known.
    pub cost: Option<Money>,
}

impl Exchange {
    pub(super) fn new(
        adjutant: Adjutant,
        asker: &Asker,
        model: Arc<dyn Model>,
        request: Request,
        guards: DirectGuards,
        (aside, cancel): (Aside, CancellationToken),
    ) -> Self {
        let collector = Collector::for_request(&request);
        let heard = Usage { input: token::estimate_request(&request), ..Usage::default() };
        Self {
            adjutant,
            who: asker.name.clone(),
            model,
            request,
            guards,
            deltas: futures::stream::empty().boxed(),
            aside: Some(aside),
            heard,
            collector: Some(collector),
            held: VecDeque::new(),
            told: None,
            _cancel: cancel.drop_guard(),
        }
    }

    /// The provider begins to answer.
    pub(super) fn begins(&mut self, deltas: Deltas) {
        self.deltas = deltas;
    }

    /// The provider refuses to answer: nothing is charged.
    pub(super) fn is_refused(&mut self) {
        if let Some(aside) = self.aside.take() {
            self.adjutant.account().spare(aside);
        }
    }

    /// The id of the model that is asked.
    pub fn model(&self) -> &str {
        self.model.id()
    }

    /// The tokens that were sent, by an estimate.
    pub fn sent(&self) -> u64 {
        self.heard.input
    }

    /// What is known in the end; none before.
    pub fn told(&self) -> Option<&Told> {
        self.told.as_ref()
    }

    /// The next piece of the answer; none after its end.
    pub async fn next(&mut self) -> Option<Result<Delta>> {
        loop {
            if let Some(held) = self.held.pop_front() {
                return Some(Ok(held));
            }
            let delta = match self.deltas.next().await? {
                Ok(delta) => delta,
                Err(error) => return Some(Err(error)),
            };
            // A sign of life says nothing, and a client would take it for the beginning of a text.
            if matches!(&delta, Delta::Text(piece) | Delta::Reasoning(piece) if piece.is_empty()) {
                continue;
            }
            let ends = matches!(delta, Delta::End(_));
            let passes = self.guards.lets_pass();
            if let Delta::Text(piece) | Delta::Reasoning(piece) | Delta::ToolCall { arguments: piece, .. } =
                &delta
            {
                self.heard.output += token::estimate_text(piece);
            }
            if let Some(collector) = &mut self.collector {
                collector.push(delta.clone());
            }
            if ends {
                match self.finish(passes) {
                    Ok(response) if !passes => self.held = pieces(response),
                    Ok(_) => return Some(Ok(delta)),
                    Err(error) => return Some(Err(error)),
                }
            } else if passes || matches!(delta, Delta::Start(_)) {
                return Some(Ok(delta));
            }
        }
    }

    /// The whole answer.
    pub async fn whole(mut self) -> Result<Told> {
        while let Some(delta) = self.next().await {
            delta?;
        }
        self.told.take().ok_or_else(|| {
            adjutant_core::Error::new(
                adjutant_core::Code::ModelAnswerInvalid,
                "the answer breaks off before its end",
            )
        })
    }

    /// Charges what the whole answer took, and has guardrails look at it.
    fn finish(&mut self, passes: bool) -> Result<Response> {
        let mut response = self.collector.take().unwrap_or_default().finish()?;
        let estimate = || token::estimate_usage(&self.request, &response.message);
        let usage = response.usage.unwrap_or_else(estimate);
        let prices = match &response.instead {
            Some(instead) => instead.prices,
            None => self.model.profile().prices,
        };
        let is_cached = response.instead.as_ref().is_some_and(|instead| instead.cached);
        let cost = if is_cached { Some(Money::ZERO) } else { prices.map(|prices| prices.cost(&usage)) };
        let cost = cost.filter(|_| !response.has_fees());
        let answered = response.instead.as_ref().map_or(self.model.id(), |instead| instead.model.as_str());
        if let Some(aside) = self.aside.take() {
            let counted = if is_cached { Usage::default() } else { usage };
            self.adjutant.account().count(aside, (&self.who, answered), counted, cost, self.adjutant.now());
        }
        if !passes {
            response.message = self.guards.answered(response.message)?;
        }
        self.told = Some(Told { response: response.clone(), usage, cost });
        Ok(response)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(aside) = self.aside.take() {
            let prices = self.model.profile().prices;
            let cost = prices.map(|prices| prices.cost(&self.heard));
            let now = self.adjutant.now();
            self.adjutant.account().count(aside, (&self.who, self.model.id()), self.heard, cost, now);
        }
    }
}

/// An answer as the pieces that tell it.
fn pieces(response: Response) -> VecDeque<Delta> {
    let mut deltas = VecDeque::new();
    let mut index = 0;
    let Message { parts, .. } = response.message;
    for part in parts {
        match part {
            Part::Text { text } => deltas.push_back(Delta::Text(text)),
            Part::Reasoning(reasoning) => {
                deltas.push_back(Delta::Reasoning(reasoning.text.clone()));
                deltas.push_back(Delta::ReasoningDone(reasoning));
            }
            Part::ToolCall(call) => {
                let (id, name) = (Some(call.id), Some(call.name));
                deltas.push_back(Delta::ToolCall { index, id, name, arguments: call.arguments });
                index += 1;
            }
            Part::Native(native) => deltas.push_back(Delta::Native(native)),
            _ => {}
        }
    }
    deltas.extend(response.usage.map(Delta::Usage));
    deltas.push_back(Delta::End(response.stop));
    deltas
}
