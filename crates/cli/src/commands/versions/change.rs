//! What changes the labels of a name: `label`, `unlabel`, `rollback` and `split`.

use adjutant::Adjutant;
use adjutant::durable::{Change, Changed, Share};
use clap::Args;

use super::short;
use crate::exit::{Ended, Exit};
use crate::person;
use crate::screen::Output;

/// Gives a label to a version; the one that has it loses it. As soon as one is `stable`, new runs of the name use it.
#[derive(Args, Debug)]
pub(super) struct LabelArguments {
    /// The agent or workflow.
    #[arg(value_name = "NAME")]
    name: String,
    /// The version: another label of it, or the beginning of its hash.
    #[arg(value_name = "VERSION")]
    which: String,
    /// The label.
    #[arg(value_name = "LABEL")]
    label: String,
    #[command(flatten)]
    who: Who,
}

/// Takes a label away. Without `stable` and without a split, new runs of the name use the project's files again.
#[derive(Args, Debug)]
pub(super) struct UnlabelArguments {
    /// The agent or workflow.
    #[arg(value_name = "NAME")]
    name: String,
    /// The label.
    #[arg(value_name = "LABEL")]
    label: String,
    #[command(flatten)]
    who: Who,
}

/// Moves `stable` back to the version that it was before. Once more goes back further.
#[derive(Args, Debug)]
pub(super) struct RollbackArguments {
    /// The agent or workflow.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    who: Who,
}

/// Shares new runs among labels. A conversation stays with one of them.
#[derive(Args, Debug)]
pub(super) struct SplitArguments {
    /// The agent or workflow.
    #[arg(value_name = "NAME")]
    name: String,
    /// The labels with their shares, which are 100 together: stable=90 canary=10.
    #[arg(value_name = "LABEL=PERCENT", value_parser = share, required_unless_present = "end")]
    shares: Vec<Share>,
    /// Share them no more: all new runs use `stable`.
    #[arg(long, conflicts_with = "shares")]
    end: bool,
    #[command(flatten)]
    who: Who,
}

#[derive(Args, Debug)]
struct Who {
    /// Who does it; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
}

impl Who {
    fn name(&self) -> String {
        person::named(self.person.as_deref())
    }
}

pub(super) async fn label(arguments: &LabelArguments, adjutant: &Adjutant, output: Output) -> Ended {
    let LabelArguments { name, which, label, who } = arguments;
    tell(&adjutant.versions().label(name, which, label, &who.name()).await?, output)
}

pub(super) async fn unlabel(arguments: &UnlabelArguments, adjutant: &Adjutant, output: Output) -> Ended {
    let UnlabelArguments { name, label, who } = arguments;
    tell(&adjutant.versions().unlabel(name, label, &who.name()).await?, output)
}

pub(super) async fn roll_back(arguments: &RollbackArguments, adjutant: &Adjutant, output: Output) -> Ended {
    tell(&adjutant.versions().roll_back(&arguments.name, &arguments.who.name()).await?, output)
}

pub(super) async fn split(arguments: &SplitArguments, adjutant: &Adjutant, output: Output) -> Ended {
    let SplitArguments { name, shares, who, .. } = arguments;
    tell(&adjutant.versions().split(name, shares.clone(), &who.name()).await?, output)
}

fn tell(changed: &Changed, output: Output) -> Ended {
    match output.json {
        true => output.json(changed)?,
        false => output.talk(&told(changed)),
    }
    Ok(Exit::Success)
}

/// A change in a sentence.
pub(super) fn told(changed: &Changed) -> String {
    let name = &changed.name;
    match &changed.change {
        Change::Label { label, from, to, back } => {
            let back = if *back { ", back" } else { "" };
            let (from, to) = (short(from.as_ref(), "nothing"), short(to.as_ref(), "nothing"));
            format!("{name}: {label} went from {from} to {to}{back}")
        }
        Change::Split { to, .. } if to.is_empty() => format!("{name}: new runs are not split any more"),
        Change::Split { to, .. } => {
            let shares: Vec<_> =
                to.iter().map(|share| format!("{}={}", share.label, share.percent)).collect();
            format!("{name}: new runs are split {}", shares.join(" "))
        }
    }
}

fn share(text: &str) -> Result<Share, String> {
    let read = text.split_once('=').and_then(|(label, percent)| {
        let percent: u8 = percent.trim_end_matches('%').parse().ok()?;
        Some(Share { label: label.to_owned(), percent })
    });
    read.filter(|share| !share.label.is_empty() && share.percent <= 100)
        .ok_or_else(|| "write it as `canary=10`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_label_and_a_percentage() {
        assert_eq!(share("canary=10"), Ok(Share { label: "canary".into(), percent: 10 }));
        assert!(
            ["canary", "=10", "canary=101", "canary=x", "canary=-1"]
                .into_iter()
                .all(|text| share(text).is_err())
        );
    }
}
