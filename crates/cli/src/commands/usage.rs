//! `adjutant usage`: what was used of models.

use adjutant::{Days, UsageReport};
use adjutant_core::money::Money;
use clap::Args;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, Table};

/// Tells what was used of models, day by day: by agents and workflows, and by clients that asked a model of the service themselves.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The first day (UTC), such as 2026-12-01.
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// The last day.
    #[arg(long, value_name = "DAY")]
    until: Option<String>,
    /// Whose; otherwise the tenant that adjutant.toml names.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let days = Days::new(arguments.from.as_deref(), arguments.until.as_deref())?;
    let adjutant = place::open_for(false, shared, output)?;
    let adjutant = match &arguments.tenant {
        Some(tenant) => adjutant.of_tenant(tenant)?,
        None => adjutant,
    };
    let report = adjutant.usage(days).await?;
    if output.json {
        output.json(&report)?;
        return Ok(Exit::Success);
    }
    if report == UsageReport::default() {
        output.talk("nothing was used");
        return Ok(Exit::Success);
    }
    output.data(&table(&report).render(output.data_colored))?;
    Ok(Exit::Success)
}

fn table(report: &UsageReport) -> Table {
    let mut table = Table::new(&["day", "agent", "who", "model", "calls", "tokens", "cost"]);
    for used in &report.agents {
        let (calls, tokens) = (used.calls.to_string(), used.tokens.to_string());
        let (user, cost) =
            (used.user.as_deref().unwrap_or_default(), Money::from_nanos(used.nanos).to_string());
        table.row([used.day.as_str(), &used.agent, user, "", &calls, &tokens, &cost]);
    }
    for used in &report.clients {
        let (calls, tokens) = (used.calls.to_string(), used.tokens.total().to_string());
        let cost = Money::from_nanos(used.nanos).to_string();
        table.row([used.day.as_str(), "", &used.who, &used.model, &calls, &tokens, &cost]);
    }
    table
}
