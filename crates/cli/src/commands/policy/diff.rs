//! `adjutant policy diff`: whether other policies allow more.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{load, proposed};
use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::prove::{Comparison, Difference, MISSING, Relation, Solver, compare, in_words, outcome};
use crate::screen::{Output, Style};

/// Says whether proposed policies allow more or less than those of the project, with a request that shows it. With the solver
/// cvc5 that is proved; without it, made-up requests are decided by both.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// What is proposed: a folder with a whole set, or a file that is added to the set of the project.
    #[arg(value_name = "PROPOSED")]
    proposed: PathBuf,
    /// Compare with the policies of this folder in place of those of the project.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Fail unless it is proved that nothing more is allowed.
    #[arg(long)]
    strict: bool,
    /// The most seconds that the solver may take for one question.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience: u64,
}

pub(super) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let (project, now) = load(None, shared)?;
    let schema = project.policy_schema();
    let new = proposed::read(&arguments.proposed, Some(&now), &schema)?;
    let from = match &arguments.from {
        Some(from) => Some(proposed::read(from, None, &schema)?),
        None => None,
    };
    let mut solver = Solver::find(Duration::from_secs(arguments.patience));
    if solver.is_none() {
        output.talk(&format!("note: {MISSING}; made-up requests are decided by both instead"));
    }
    let compared = compare(from.as_ref().unwrap_or(&now), &new, solver.as_mut(), &[]).await?;
    if output.json {
        output.json(&compared)?;
    } else {
        tell(&compared, output)?;
    }
    let safe = matches!(compared.relation, Relation::Equal | Relation::LessPermissive);
    Ok(if arguments.strict && !safe { Exit::Failure } else { Exit::Success })
}

fn tell(compared: &Comparison, output: Output) -> Ended<()> {
    let more = compared.differences.iter().any(|difference| difference.more);
    let less = compared.differences.iter().any(|difference| !difference.more);
    output.line(match (compared.relation, more, less) {
        (Relation::Equal, ..) => "equal: proved to allow the same",
        (Relation::MorePermissive, ..) => "more permissive: proved to allow all that was allowed, and more",
        (Relation::LessPermissive, ..) => "less permissive: proved to allow nothing new, and less",
        (Relation::Incomparable, ..) => {
            "incomparable: allows some that was not allowed, and not all that was"
        }
        (Relation::Unknown, true, _) => "allows more; whether it allows less, too, is not proved",
        (Relation::Unknown, _, true) => "allows less; whether it allows more, too, is not proved",
        (Relation::Unknown, ..) => "no difference was found; that there is none is not proved",
    })?;
    for difference in &compared.differences {
        show(difference, output)?;
    }
    for open in &compared.open {
        output.talk(&format!("{}: not proved: {open}", output.shaded(Style::Yellow, "warning")));
    }
    Ok(())
}

fn show(difference: &Difference, output: Output) -> Ended<()> {
    let change = if difference.more { "allows more" } else { "allows less" };
    output.line(&format!(
        "\n{change} of `{}`: not the same is allowed {}",
        difference.action,
        difference.level.words()
    ))?;
    let Some(example) = &difference.example else {
        return output.line("  the solver's example is one that no agent could make, so none is shown");
    };
    for line in in_words(&example.request) {
        output.foreign(&format!("  {line}\n"))?;
    }
    let by = |policies: &[String]| match policies {
        [] => String::new(),
        some => format!(" ({})", some.join(", ")),
    };
    output.foreign(&format!(
        "  before: {}{}; proposed: {}{}\n",
        outcome(&example.before.outcome),
        by(&example.before.policies),
        outcome(&example.after.outcome),
        by(&example.after.policies)
    ))?;
    let written = serde_json::to_string(&example.request).unwrap_or_default();
    output.foreign(&format!("  as `policy decide` takes it: {written}\n"))
}
