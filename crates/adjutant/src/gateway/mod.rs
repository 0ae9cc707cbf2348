//! [`Gateway`]: the project's models for clients that ask them without an agent.
//!
//! A call passes what an agent's call of the same model passes: its layers, the policies, what is forbidden by now, the guardrails
//! of the project and its budget of the day. What it used is counted, by who asked and by model. There is no run, so
//! nothing is recorded of what was said, and nobody can be asked: what a person would have to agree to is refused.

mod account;
mod exchange;
mod passage;

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::json::Json;
use adjutant_core::usage::Usage;
use adjutant_durable::Amount;
use adjutant_model::embed::{Embeddings, Purpose};
use adjutant_model::{Call, Model, Request, token};
use adjutant_store::random;
use jiff::civil::Date;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

pub use account::Used;
pub(crate) use account::named;
pub use exchange::{Exchange, Told};

pub(crate) use account::Account;
pub(crate) use passage::Passage;

use crate::adjutant::Adjutant;
use crate::project::Choice;

/// What is set aside for an answer where nobody says how long it may be, in tokens.
const UNKNOWN_ANSWER: u64 = 4_096;

/// Who asks a model.
#[derive(Clone, Debug, Default)]
pub struct Asker {
    /// What their calls are counted by, such as the name of a key.
    pub name: String,
    /// The person that they ask for, where that is known.
    pub user: Option<String>,
    /// What may be told of that person to policies.
    pub claims: Map<String, Value>,
}

impl Asker {
    /// Whom policies know them as.
    fn user(&self) -> &str {
        self.user.as_deref().unwrap_or(&self.name)
    }
}

/// The models of a project, for clients that ask them without an agent.
#[derive(Clone, Debug)]
pub struct Gateway(Adjutant);

impl Gateway {
    pub(crate) fn new(adjutant: Adjutant) -> Self {
        Self(adjutant)
    }

    /// The models that can be asked, by their roles, `main` first; without those that cannot be made.
    pub fn models(&self) -> Vec<Choice> {
        self.0.project().models().roles().into_iter().flatten().collect()
    }

    /// What stands behind a role or an id. Fails with [`adjutant_core::Code::ModelUnknown`].
    pub fn choice(&self, name: &str) -> Result<Choice> {
        self.0.project().models().choice(name)
    }

    /// Asks a model. It is let go of when the call is cancelled or the exchange is dropped.
    ///
    /// Fails as the model does, with [`adjutant_core::Code::ModelUnsupported`] for what it cannot do, with [`adjutant_core::Code::RunDenied`] where policies or a
    /// guardrail do not let it pass, and with [`adjutant_core::Code::RunBudget`] where the day has no room for it.
    pub async fn ask(&self, asker: &Asker, name: &str, mut request: Request, call: Call) -> Result<Exchange> {
        let (project, passage) = (self.0.project(), self.0.passage());
        let model = project.models().get(name)?;
        let now = self.0.now();
        passage.admit(&project, &self.0.scope().tenant, asker, model.id(), now)?;
        let mut guards = passage.guards(&random::run_id()?.to_string());
        request.messages = guards.said(std::mem::take(&mut request.messages))?;
        model.profile().check(model.id(), &request)?;
        let (account, engine) = (self.0.account(), self.0.engine());
        let (most, limit) = (most(model.as_ref(), &request), project.settings().budget.amount());
        let aside = account.set_aside(engine, most, limit, now).await?;
        let asked = model.stream(request.clone(), call.clone());
        // It is there before anything is sent: who goes away meanwhile is charged.
        let mut exchange = Exchange::new(self.0.clone(), asker, model, request, guards, (aside, call.cancel));
        match asked.await {
            Ok(deltas) => {
                exchange.begins(deltas);
                Ok(exchange)
            }
            Err(error) => {
                exchange.is_refused();
                Err(error)
            }
        }
    }

    /// The body that the provider of a model would be sent, for people to look at. Fails like [`ask`](Self::ask).
    pub fn preview(&self, name: &str, request: &Request) -> Result<Json> {
        self.0.project().models().get(name)?.preview(request)
    }

    /// Makes vectors of texts. Fails as [`ask`](Self::ask) does.
    pub async fn embed(
        &self,
        asker: &Asker,
        name: &str,
        texts: Vec<String>,
        cancel: CancellationToken,
    ) -> Result<(String, Embeddings, Usage)> {
        let (project, passage) = (self.0.project(), self.0.passage());
        let embedder = project.models().embedder(name)?;
        let now = self.0.now();
        passage.admit(&project, &self.0.scope().tenant, asker, embedder.id(), now)?;
        let mut guards = passage.guards(&random::run_id()?.to_string());
        let messages = texts.into_iter().map(|text| Arc::new(adjutant_core::message::Message::user(text)));
        let left = guards.said(messages.collect())?;
        let texts: Vec<String> = left.iter().map(|message| message.text()).collect();
        let account = self.0.account();
        let sent = texts.iter().map(|text| token::estimate_text(text)).sum();
        let price = |tokens: u64| {
            embedder.profile().prices.map(|prices| prices.cost(&Usage { input: tokens, ..Usage::default() }))
        };
        let most = Amount { tokens: sent, nanos: price(sent).map_or(0, adjutant_core::money::Money::nanos) };
        let limit = project.settings().budget.amount();
        let aside = account.set_aside(self.0.engine(), most, limit, now).await?;
        let call = Call { cancel, ..Call::default() };
        match embedder.embed(texts, Purpose::Document, call).await {
            Ok(embeddings) => {
                let usage = embeddings.usage.unwrap_or(Usage { input: sent, ..Usage::default() });
                account.count(aside, (&asker.name, embedder.id()), usage, price(usage.input), now);
                Ok((embedder.id().to_owned(), embeddings, usage))
            }
            Err(error) => {
                account.spare(aside);
                Err(error)
            }
        }
    }

    /// Writes down what was used since the last time, and gives back what was taken from the day and nobody needed.
    pub async fn settle(&self) -> Result<()> {
        self.0.account().settle(self.0.engine().as_ref(), false).await
    }

    /// The same, and gives back all that is left of the day: for those who stop a service.
    pub async fn close(&self) -> Result<()> {
        self.0.account().settle(self.0.engine().as_ref(), true).await
    }

    /// What was used from one day until another, as far as it is written down: by day, asker and model, of each process apart.
    pub(crate) async fn used(&self, from: Option<Date>, until: Option<Date>) -> Result<Vec<Used>> {
        account::used(self.0.engine().as_ref(), from, until).await
    }

    /// The time.
    pub fn now(&self) -> adjutant_core::time::Timestamp {
        self.0.now()
    }

    /// An id for an answer, with which nobody else has one.
    pub fn id(&self) -> Result<String> {
        Ok(random::run_id()?.to_string())
    }
}

/// The most that a call may take.
fn most(model: &dyn Model, request: &Request) -> Amount {
    let input = token::estimate_request(request);
    let profile = model.profile();
    let output =
        request.max_output_tokens.map(u64::from).or(profile.max_output_tokens).unwrap_or(UNKNOWN_ANSWER);
    let prices = model.most_prices().or(profile.prices);
    let nanos = prices.map_or(0, |prices| prices.cost(&Usage { input, output, ..Usage::default() }).nanos());
    Amount { tokens: input.saturating_add(output), nanos }
}
