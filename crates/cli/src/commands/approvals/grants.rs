//! `adjutant approvals grants` and `revoke`.

use adjutant::Adjutant;
use adjutant::durable::{Grant, Within};
use adjutant_core::time::Timestamp;
use clap::Args;

use super::list::now;
use crate::exit::{Ended, Exit};
use crate::person;
use crate::screen::{Output, Table, local_time};

/// Lists what people have allowed beforehand, the newest first.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Those too that are over or were taken back.
    #[arg(long)]
    all: bool,
}

/// Takes back what was allowed beforehand: the next call asks again.
#[derive(Args, Debug)]
pub(super) struct RevokeArguments {
    /// The grant, as `adjutant approvals grants` names it.
    #[arg(value_name = "GRANT")]
    id: String,
    /// Why; it is recorded.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who takes it back; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

pub(super) async fn list(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let now = now();
    let mut grants = adjutant.approvals().grants().await?;
    grants.retain(|grant| arguments.all || state(grant, now) == "holds");
    if output.json {
        output.json(&grants)?;
        return Ok(Exit::Success);
    }
    if grants.is_empty() {
        output.talk("nothing is allowed beforehand");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["grant", "state", "agent", "tool", "where", "with", "by", "at", "until"]);
    for grant in &grants {
        let within = match &grant.within {
            Within::Session(session) => format!("session {session}"),
            Within::Run(run) => format!("run {run}"),
            Within::Project => "project".to_owned(),
        };
        let pinned =
            grant.pinned.iter().map(|(place, value)| format!("{}={value}", place.trim_start_matches('/')));
        let pinned = pinned.collect::<Vec<_>>().join(" ");
        let until = grant.until.map(local_time).unwrap_or_default();
        table.row([
            grant.id.as_str(),
            &state(grant, now),
            &grant.agent,
            &grant.tool,
            &within,
            &pinned,
            &grant.by,
            &local_time(grant.at),
            &until,
        ]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

pub(super) async fn revoke(arguments: &RevokeArguments, adjutant: &Adjutant, output: Output) -> Ended {
    let by = person::named(arguments.name.as_deref());
    let grant = adjutant.approvals().revoke(&arguments.id, &by, arguments.reason.clone()).await?;
    if output.json {
        output.json(&grant)?;
    } else {
        output.talk(&format!("grant {}: taken back; the next call of `{}` asks again", grant.id, grant.tool));
    }
    Ok(Exit::Success)
}

/// How a grant stands, in a few words.
fn state(grant: &Grant, now: Timestamp) -> String {
    match (&grant.revoked, grant.until) {
        (Some(revoked), _) => format!("taken back by {} at {}", revoked.by, local_time(revoked.at)),
        (None, Some(until)) if until <= now => "over".to_owned(),
        _ => "holds".to_owned(),
    }
}
