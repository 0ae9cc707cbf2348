//! `adjutant approvals decide`.

use std::time::Duration;

use adjutant::agent::approval::Decision;
use adjutant::{Adjutant, Holds, Verdict};
use adjutant_core::hash::Digest;
use adjutant_core::time::parse_duration;
use adjutant_core::{Code, Error};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::commands::run::drive;
use crate::exit::{Ended, Exit};
use crate::person;
use crate::screen::Output;

/// Answers a call that waits for a person, and drives its run on. The first answer counts; who comes later is told what
/// it was.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("decision").required(true))]
pub(super) struct Arguments {
    /// The call, as the list names it, or the beginning of that.
    #[arg(value_name = "ID")]
    id: String,
    /// Make the call.
    #[arg(long, group = "decision")]
    approve: bool,
    /// Make it with these arguments, and no others; the agent is told.
    #[arg(long, value_name = "JSON", group = "decision", value_parser = object)]
    edit: Option<Value>,
    /// Refuse it.
    #[arg(long, group = "decision")]
    deny: bool,
    /// Do not make it, and let this be its result. What is no JSON is text.
    #[arg(long, value_name = "RESULT", group = "decision")]
    answer: Option<String>,
    /// Why it is refused; the agent hears it.
    #[arg(long, value_name = "TEXT", requires = "deny")]
    reason: Option<String>,
    /// What else is allowed by it: nothing, this tool in this session, or in the whole project.
    #[arg(long = "for", value_name = "REACH", value_enum, default_value = "once")]
    reach: Reach,
    /// An argument that must stay as it is in calls that are allowed by it, such as the recipient. May be given several times.
    #[arg(long = "pin", value_name = "NAME")]
    pins: Vec<String>,
    /// How long it allows them: `8h`, `7d`. Until it is revoked where this is not given.
    #[arg(long, value_name = "DURATION", value_parser = time)]
    within: Option<Duration>,
    /// The digest of the call that was looked at: refused where another one waits by now.
    #[arg(long, value_name = "DIGEST")]
    seen: Option<Digest>,
    /// Who answers; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Only record the answer; whoever drives the run takes it.
    #[arg(long)]
    later: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reach {
    /// This call alone.
    Once,
    /// Calls of this tool in this session, or in this run where it is no turn of one.
    Session,
    /// Calls of this tool in every run of this agent for this person, with the arguments that `--pin` names.
    Project,
}

pub(super) async fn execute(
    arguments: &Arguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let approvals = adjutant.approvals();
    let approval = approvals.find(&arguments.id).await?;
    let decision = match (&arguments.edit, &arguments.answer) {
        (Some(edited), _) => Decision::Edit(edited.clone()),
        (_, Some(text)) => {
            Decision::Answer(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())))
        }
        _ if arguments.approve => Decision::Approve,
        _ => Decision::Deny(arguments.reason.clone()),
    };
    let holds = Holds {
        everywhere: arguments.reach == Reach::Project,
        pinned: arguments.pins.clone(),
        time: arguments.within,
    };
    let is_more = arguments.reach != Reach::Once;
    if !is_more && holds != Holds::default() {
        let message = "`--pin` and `--within` say for which later calls the answer holds, and it holds for this one alone";
        return Err(Error::new(Code::InputInvalid, message)
            .with_help("add `--for session` or `--for project`, or leave them out")
            .into());
    }
    let seen = arguments.seen.or(approval.request.digest);
    let by = person::named(arguments.name.as_deref());
    let verdict = Verdict { decision, by, seen, holds: is_more.then_some(holds) };
    let answer = approvals.decide(&approval.run, &approval.signal, verdict).await?;
    if arguments.later {
        if output.json {
            output.json(&json!({ "id": approval.id, "run": approval.run, "answer": answer }))?;
        } else {
            output.talk(&format!("{}: {}", approval.id, answer.verb()));
        }
        return Ok(Exit::Success);
    }
    drive(adjutant, &adjutant.handle(&approval.run).root().await?, output, project).await
}

fn object(text: &str) -> Result<Value, String> {
    let wrong = "write a JSON object with all arguments: `{\"to\": \"ann\"}`";
    let value: Value = serde_json::from_str(text).map_err(|error| format!("{error}; {wrong}"))?;
    if value.is_object() { Ok(value) } else { Err(wrong.to_owned()) }
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write it as `90m`, `8h` or `7d`".to_owned())
}
