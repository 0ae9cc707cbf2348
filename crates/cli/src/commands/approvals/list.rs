//! `adjutant approvals list` and `show`.

use adjutant::{Adjutant, Approval};
use adjutant_core::json::Json;
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::tool::Effect;
use clap::Args;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, Table, clean, duration, first_line, local_time};
use crate::turn::{asked, details, time_left};

/// How much of a call stands in the list, in characters.
const LONGEST: usize = 70;

/// Lists the calls that wait for a person, those that have waited longest first.
#[derive(Args, Debug, Default)]
pub(super) struct Arguments {
    /// Only those of this run.
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
}

/// Shows all that matters of one call that waits.
#[derive(Args, Debug)]
pub(super) struct ShowArguments {
    /// The call, as the list names it, or the beginning of that.
    #[arg(value_name = "ID")]
    id: String,
}

pub(super) async fn list(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let mut waiting = adjutant.approvals().waiting().await?;
    if let Some(run) = &arguments.run {
        let run = adjutant.find(run).await?;
        waiting.retain(|approval| approval.run == *run.id());
    }
    if output.json {
        output.json(&waiting)?;
        return Ok(Exit::Success);
    }
    if waiting.is_empty() {
        output.talk("no call waits for a person");
        return Ok(Exit::Success);
    }
    let now = now();
    let mut table = Table::new(&["id", "agent", "waits", "answer by", "state", "call"]);
    for approval in &waiting {
        let Approval { id, agent, since, request, answer, .. } = approval;
        let state = answer.as_ref().map_or("waits", |answer| answer.verb());
        let left = time_left(request, now).unwrap_or_default();
        let call = format!("{} {}", request.tool, request.arguments);
        table.row([id, agent, &duration(now.since(*since)), &left, state, &first_line(&call, LONGEST)]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

pub(super) async fn show(
    arguments: &ShowArguments,
    adjutant: &Adjutant,
    output: Output,
    project: &str,
) -> Ended {
    let approval = adjutant.approvals().find(&arguments.id).await?;
    if output.json {
        output.json(&approval)?;
        return Ok(Exit::Success);
    }
    output.data(&in_words(&approval, now())?)?;
    let id = &approval.id;
    match &approval.answer {
        Some(answer) => output.talk(&format!(
            "{}; the run takes it when somebody drives it: adjutant runs resume {}{project}",
            clean(&answer.told()),
            approval.run
        )),
        None => output.talk(&format!(
            "to allow it:  adjutant approvals decide {id} --approve{project}\n\
             to refuse it: adjutant approvals decide {id} --deny --reason \"...\"{project}"
        )),
    }
    Ok(Exit::Success)
}

/// A call that waits, as a person reads it.
fn in_words(approval: &Approval, now: Timestamp) -> adjutant_core::Result<String> {
    let Approval { request, .. } = approval;
    let mut text = format!("{}\n", clean(&asked(&Json::of(request)?)));
    if let Some(description) = &request.description {
        text.push_str(&format!("  {}: {}\n", clean(&request.tool), clean(&first_line(description, 200))));
    }
    for part in request.parts() {
        text.push_str(&format!("  {} = {}\n", clean(part.name), clean(&part.value.to_string())));
    }
    text.push_str(&details(request));
    if request.effect.is_some_and(Effect::is_repeatable) {
        text.push_str(&format!("  next: {}\n", request.consequence()));
    }
    let user = approval.user.as_ref().map(|user| format!(" for {}", clean(user))).unwrap_or_default();
    text.push_str(&format!(
        "  run {} of {}{user}, since {}",
        approval.run,
        clean(&approval.agent),
        local_time(approval.since)
    ));
    if let Some(left) = time_left(request, now) {
        text.push_str(&format!(", {left}, then it is refused"));
    }
    text.push('\n');
    Ok(text)
}

/// The time now, for people's eyes.
pub(super) fn now() -> Timestamp {
    adjutant::SystemClock.now()
}
