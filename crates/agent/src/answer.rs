//! [`Answer`]: what a model step records.

use adjutant_core::json::Json;
use adjutant_core::limit::Limit;
use adjutant_core::message::{Message, Part};
use adjutant_core::money::{Money, Prices};
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::Amount;
use adjutant_model::{Response, StopReason};
use serde::{Deserialize, Serialize};

/// What a model step records: the whole response, and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The whole response.
    pub response: Response,
    /// An estimate of the tokens, where the provider does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Usage>,
    /// What its tokens cost; none where their price is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// The limit that left no room for the call, where the model was not asked at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unasked: Option<Limit>,
    /// How many tokens it might have, where the limits of the run left less than its agent allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_to: Option<u32>,
}

impl Answer {
    /// Reads what is recorded. A text alone, which a person may have put in its place, is an answer of this text.
    pub fn read(recorded: &Json) -> Result<Self> {
        let invalid = match recorded.to::<Self>() {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match recorded.to::<String>() {
            Ok(text) => Ok(Self::of_parts(vec![Part::text(text)])),
            Err(_) => Err(Error::new(
                Code::InputInvalid,
                format!("this is not the answer of a model: {}", invalid.message()),
            )
            .with_help("give a text, or the whole recorded answer with its changes")),
        }
    }

    fn of_parts(parts: Vec<Part>) -> Self {
        let response = Response {
            message: Message::assistant(parts),
            usage: None,
            stop: StopReason::EndTurn,
            model: None,
            request_id: None,
            tried: Vec::new(),
            instead: None,
            unknown: Vec::new(),
        };
        Self { response, estimate: None, cost: Some(Money::ZERO), unasked: None, held_to: None }
    }

    /// A text that no model was asked for.
    pub(crate) fn of_text(text: &str) -> Self {
        Self::of_parts(vec![Part::text(text)])
    }

    /// What stands for the answer of a model that was not asked, since a limit leaves no room for it.
    pub(crate) fn unasked(limit: Limit) -> Self {
        Self { unasked: Some(limit), ..Self::of_parts(Vec::new()) }
    }

    /// What stands for the answer of a model that gave none in time.
    pub(crate) fn none() -> Self {
        Self { cost: None, ..Self::of_parts(Vec::new()) }
    }

    /// The same with what it cost: by the prices of who answered, and nothing where it was answered before.
    pub(crate) fn priced(self, asked: Option<Prices>) -> Self {
        let cost = match &self.response.instead {
            Some(instead) if instead.cached => Some(Money::ZERO),
            Some(instead) => instead.prices.map(|prices| prices.cost(&self.usage())),
            None => asked.map(|prices| prices.cost(&self.usage())),
        };
        Self { cost, ..self }
    }

    /// What it cost in all; none where that is not known: the price of its tokens, or fees of the provider's own tools.
    pub fn whole_cost(&self) -> Option<Money> {
        self.cost.filter(|_| !self.response.has_fees())
    }

    /// What the budgets are charged.
    pub(crate) fn spent(&self) -> Amount {
        let is_cached = self.response.instead.as_ref().is_some_and(|instead| instead.cached);
        let tokens = if is_cached { 0 } else { self.usage().total() };
        Amount { tokens, nanos: self.cost.map_or(0, Money::nanos) }
    }

    /// The tokens used: as the provider counted them, otherwise the estimate.
    pub fn usage(&self) -> Usage {
        self.response.usage.or(self.estimate).unwrap_or_default()
    }

    /// The message as it goes into the transcript; none where the model said nothing.
    ///
    /// An answer that was refused or held back calls no tools, whatever came before it was.
    pub fn message(&self) -> Option<Message> {
        let mut message = self.response.message.clone();
        if self.is_withheld() {
            message.parts.retain(|part| !matches!(part, Part::ToolCall(_)));
        }
        let says = |part: &Part| match part {
            Part::Text { text } => !text.trim().is_empty(),
            Part::Reasoning(_) => false,
            _ => true,
        };
        message.parts.iter().any(says).then_some(message)
    }

    /// Whether the model declined, or its provider held the answer back.
    pub fn is_withheld(&self) -> bool {
        matches!(self.response.stop, StopReason::Refusal | StopReason::ContentFilter)
    }

    /// The text of the answer.
    pub fn text(&self) -> String {
        self.response.message.text()
    }
}
