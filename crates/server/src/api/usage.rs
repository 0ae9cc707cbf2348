//! What was used of models.

use adjutant::Days;
use adjutant_core::Code;
use adjutant_core::Result;
use adjutant_core::money::Money;
use adjutant_core::role::Right;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view;
use crate::endpoint::{Call, Found, Nothing, Operation, Routes};

pub(super) fn routes() -> Routes {
    Routes::default().on(
        Operation::get("/api/usage", "listUsage", "What was used of models", Right::View).for_own()
            .of("Usage")
            .said(
                "By day (UTC). `usage` is what clients asked under `/v1` without an agent, by key or person and model, up to some seconds \
                 ago. `agents` is what the runs of agents and workflows took, by name and person; it stays when the runs are forgotten.",
            )
            .fails(&[Code::InputInvalid]),
        list,
    )
}

/// Which days.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The first day, such as `2026-12-01`.
    #[serde(default)]
    from: Option<String>,
    /// The last day.
    #[serde(default)]
    until: Option<String>,
}

/// What was used.
#[derive(JsonSchema, Serialize)]
struct UsageList {
    /// By clients: by day, asker and model.
    usage: Vec<UsageOfDay>,
    /// By the runs of agents and workflows: by day, name and person.
    agents: Vec<AgentUsageOfDay>,
}

/// What was used of one model by one asker on one day.
#[derive(JsonSchema, Serialize)]
struct UsageOfDay {
    /// The day (UTC).
    day: String,
    /// Who asked: the name of a key, or a person.
    who: String,
    /// The model.
    model: String,
    /// How many calls.
    calls: u64,
    /// The tokens.
    tokens: view::Usage,
    /// What they cost in US dollars, as a decimal number, as far as the price is known.
    cost: String,
    /// How many calls have no known price.
    unpriced: u64,
}

/// What the runs of one agent or workflow took on one day, for one person.
#[derive(JsonSchema, Serialize)]
struct AgentUsageOfDay {
    /// The day (UTC).
    day: String,
    /// The agent or workflow. What it has others do counts for those.
    agent: String,
    /// For whom; none where it was for nobody in particular, or is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// How many calls.
    calls: u64,
    /// The tokens, sent and received.
    tokens: u64,
    /// What they cost in US dollars, as a decimal number, as far as the price is known.
    cost: String,
}

async fn list(call: Call<Nothing, Which>) -> Result<Found<UsageList>> {
    let Which { from, until } = call.query;
    let report = call.caller.adjutant().usage(Days::new(from.as_deref(), until.as_deref())?).await?;
    let who = call.caller.who();
    let cost = |nanos| Money::from_nanos(nanos).amount().to_string();
    let clients = report.clients.into_iter().filter(|used| who.reaches(&format!("model:{}", used.model)));
    // Models are not theirs to ask who reach their own alone; whoever has their name is somebody else.
    let clients = clients.filter(|_| !who.own_only);
    let agents = report.agents.into_iter();
    let agents = agents.filter(|used| who.sees(&used.agent, used.user.as_deref()));
    Ok(Found(UsageList {
        usage: clients
            .map(|used| UsageOfDay {
                cost: cost(used.nanos),
                day: used.day,
                who: used.who,
                model: used.model,
                calls: used.calls,
                tokens: used.tokens.into(),
                unpriced: used.unpriced,
            })
            .collect(),
        agents: agents
            .map(|used| AgentUsageOfDay {
                cost: cost(used.nanos),
                day: used.day,
                agent: used.agent,
                user: used.user,
                calls: used.calls,
                tokens: used.tokens,
            })
            .collect(),
    }))
}
