//! What clients have used of models.

use std::collections::BTreeMap;

use adjutant::gateway::Used;
use adjutant_core::Result;
use adjutant_core::money::Money;
use adjutant_core::role::Right;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view;
use crate::endpoint::{Call, Found, Nothing, Operation, Routes};

/// The most entries that are given at once.
const MOST: usize = 10_000;

pub(super) fn routes() -> Routes {
    Routes::default().on(
        Operation::get("/api/usage", "listUsage", "What clients have used of models", Right::View)
            .of("Usage")
            .said(
                "By day (UTC), asker and model: what was asked under `/v1` without an agent, up to some seconds ago. What a run has used \
                 stands with the run.",
            ),
        list,
    )
}

/// Which days.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Days {
    /// The first day, such as `2026-12-01`.
    #[serde(default)]
    from: Option<String>,
    /// The last day.
    #[serde(default)]
    until: Option<String>,
}

/// What clients have used.
#[derive(JsonSchema, Serialize)]
struct UsageList {
    /// By day, asker and model.
    usage: Vec<UsageOfDay>,
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

async fn list(call: Call<Nothing, Days>) -> Result<Found<UsageList>> {
    let Days { from, until } = call.query;
    let used = call.caller.adjutant().gateway().used(MOST).await?;
    let within = |day: &str| {
        from.as_deref().is_none_or(|from| from <= day) && until.as_deref().is_none_or(|until| day <= until)
    };
    let reaches = |model: &str| call.caller.who().reaches(&format!("model:{model}"));
    // Each process writes what it has counted for itself.
    let mut sums: BTreeMap<_, Used> = BTreeMap::new();
    for used in used.into_iter().filter(|used| within(&used.day) && reaches(&used.model)) {
        let sum = sums.entry((used.day.clone(), used.who.clone(), used.model.clone())).or_default();
        sum.calls += used.calls;
        sum.tokens += used.tokens;
        sum.nanos = sum.nanos.saturating_add(used.nanos);
        sum.unpriced += used.unpriced;
    }
    let told = sums.into_iter().map(|((day, who, model), used)| UsageOfDay {
        day,
        who,
        model,
        calls: used.calls,
        tokens: used.tokens.into(),
        cost: Money::from_nanos(used.nanos).amount().to_string(),
        unpriced: used.unpriced,
    });
    Ok(Found(UsageList { usage: told.collect() }))
}
