//! [`Talk`]: a model or an agent that answers, as one thing that gives pieces of an answer.

use adjutant::gateway::Exchange;
use adjutant::model::{Call, Delta, Request, Response};
use adjutant_core::money::Money;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};

use super::agent::AgentTalk;
use super::intake::Given;
use super::reply::Tells;

/// What stands before the name of an agent where a model is named.
const AGENT: &str = "agent/";

/// Who is to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A model of the project, by its role or id.
    Model(String),
    /// An agent or workflow of the project.
    Agent(String),
}

impl Target {
    /// Whom a client means by the name of a model.
    pub(crate) fn of(name: &str) -> Self {
        match name.strip_prefix(AGENT) {
            Some(agent) => Self::Agent(agent.to_owned()),
            None => Self::Model(name.to_owned()),
        }
    }
}

/// What is asked, whatever the format.
pub(crate) struct Asks {
    /// Who is to answer.
    pub(crate) target: Target,
    /// What.
    pub(crate) request: Request,
    /// Whom the client asks for.
    pub(crate) user: Option<String>,
    /// The conversation that an agent's run is a turn of; none where all that was said stands in the request.
    pub(crate) session: Option<String>,
    /// Whether the client wants to see the answer while it comes.
    pub(crate) streamed: bool,
}

/// Somebody who answers.
pub(crate) enum Talk {
    /// A model.
    Model(Box<Exchange>),
    /// An agent.
    Agent(Box<AgentTalk>),
}

/// An answer once it is whole.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// The answer, with what was used where nobody else says it.
    pub(crate) response: Response,
    /// What it cost, where that is known.
    pub(crate) cost: Option<Money>,
    /// Who answered.
    pub(crate) model: Option<String>,
    /// The run, where an agent answered.
    pub(crate) run: Option<String>,
}

impl Heard {
    /// What the headers tell of it.
    pub(crate) fn tells(&self) -> Tells {
        Tells { model: self.model.clone(), run: self.run.clone(), cost: self.cost }
    }
}

impl Talk {
    /// Asks. Fails where the caller may not ask them, and as they fail.
    pub(crate) async fn begin(given: &Given, asks: Asks) -> Result<Self> {
        match asks.target {
            Target::Model(name) => {
                reaches(given, &name)?;
                no_models(given)?;
                let gateway = given.caller.adjutant().gateway();
                let asker = given.asker(asks.user);
                let call = Call { whole: !asks.streamed, ..Call::default() };
                let exchange = gateway.ask(&asker, &name, asks.request, call).await?;
                Ok(Self::Model(Box::new(exchange)))
            }
            Target::Agent(name) => {
                given.caller.reach(&format!("agent:{}", adjutant::version_of(&name).0))?;
                let user = given.caller.who().user.clone().or(asks.user);
                let talk = AgentTalk::begin(given, &name, &asks.request, user, asks.session).await?;
                Ok(Self::Agent(Box::new(talk)))
            }
        }
    }

    /// The next piece of the answer; none after its end.
    pub(crate) async fn next(&mut self) -> Option<Result<Delta>> {
        match self {
            Self::Model(exchange) => exchange.next().await,
            Self::Agent(agent) => agent.next().await,
        }
    }

    /// The whole answer.
    pub(crate) async fn whole(mut self) -> Result<Heard> {
        while let Some(delta) = self.next().await {
            delta?;
        }
        self.heard()
            .ok_or_else(|| Error::new(Code::ModelAnswerInvalid, "the answer breaks off before its end"))
    }

    /// The whole answer, once its end was given.
    pub(crate) fn heard(&self) -> Option<Heard> {
        match self {
            Self::Model(exchange) => {
                let told = exchange.told()?;
                let response = Response { usage: Some(told.usage), ..told.response.clone() };
                let answered = response.instead.as_ref().map_or(exchange.model(), |instead| &instead.model);
                let model = Some(answered.to_owned());
                Some(Heard { response, cost: told.cost, model, run: None })
            }
            Self::Agent(agent) => agent.heard(),
        }
    }

    /// What is known before the answer, for headers.
    pub(crate) fn tells(&self) -> Tells {
        let (model, run) = match self {
            Self::Model(exchange) => (Some(exchange.model().to_owned()), None),
            Self::Agent(agent) => (None, Some(agent.run().to_owned())),
        };
        Tells { model, run, cost: None }
    }

    /// The tokens that were sent, by an estimate.
    pub(crate) fn sent(&self) -> u64 {
        match self {
            Self::Model(exchange) => exchange.sent(),
            Self::Agent(_) => 0,
        }
    }
}

/// Fails where the caller reaches only what is done for them: a model that is asked directly knows no rules of an agent's.
pub(crate) fn no_models(given: &Given) -> Result<()> {
    given.caller.oversee().map_err(|error| error.with_help("ask an agent: `agent/NAME`"))
}

/// Fails unless what the caller is confined to includes a model, by the name that is used or by its id.
pub(crate) fn reaches(given: &Given, name: &str) -> Result<()> {
    let by_name = given.caller.reach(&format!("model:{name}"));
    if by_name.is_ok() {
        return Ok(());
    }
    match given.caller.adjutant().gateway().choice(name) {
        Ok(choice) => given.caller.reach(&format!("model:{}", choice.id)),
        // Who is confined learns nothing of what else there is.
        Err(_) => by_name,
    }
}

/// What was used where an agent says it of its whole run.
pub(super) fn used(usage: Usage) -> Option<Usage> {
    (usage != Usage::default()).then_some(usage)
}
