//! `adjutant policy check`: what is wrong with the policies, and what is hardly meant.

use std::path::PathBuf;
use std::time::Duration;

use adjutant::policy::cedar::{Finding, Kind, Mode, Policies, Severity};
use clap::Args;
use serde_json::json;

use super::load;
use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::prove::{self, Finding as Proof, MISSING, Solver};
use crate::screen::{Output, Style};

/// How long the solver may take for one question.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reports what is wrong with the policies, with file, line and column, and what is well written and hardly meant: what
/// allows or denies everything, has no effect, or is said by another policy already.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
    /// Fail where something is hardly meant, too.
    #[arg(long)]
    strict: bool,
}

pub(super) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let (project, policies) = load(arguments.place.as_deref(), shared)?;
    let (mut findings, mut open) = (Vec::new(), Vec::new());
    if let Some(written) = project.written_policies()? {
        findings = written.findings();
        open = prove(&written, &mut findings).await?;
    }
    let warned = findings.iter().any(|finding| finding.severity() == Severity::Warning);
    let number = policies.places().count();
    if output.json {
        let mode = if policies.mode() == Mode::Enforce { "enforce" } else { "log_only" };
        output.json(&json!({
            "ok": !(warned && arguments.strict),
            "policies": number,
            "mode": mode,
            "version": policies.version(),
            "findings": findings.iter().map(shown).collect::<Vec<_>>(),
            "unproved": open,
        }))?;
    } else {
        findings.iter().for_each(|finding| tell(finding, output));
        open.iter().for_each(|open| output.talk(&format!("note: {open}")));
        let watched = if policies.mode() == Mode::LogOnly { ", which are only watched" } else { "" };
        output.line(&format!("ok: {}{watched}", count_of(number)))?;
    }
    Ok(if warned && arguments.strict { Exit::Failure } else { Exit::Success })
}

/// Adds what a solver proves to what is seen at a glance. Gives what is not proved, and why.
async fn prove(policies: &Policies, findings: &mut Vec<Finding>) -> Ended<Vec<String>> {
    let Some(mut solver) = Solver::find(PATIENCE) else { return Ok(vec![MISSING.to_owned()]) };
    let mut open = Vec::new();
    for proof in prove::findings(policies, &mut solver).await? {
        let kind = match &proof {
            Proof::AllowsEverything { .. } => Kind::AllowsEverything,
            Proof::DeniesEverything { .. } => Kind::DeniesEverything,
            Proof::NeverAllowed { .. } => Kind::Unreached,
            Proof::NeverHolds { .. } | Proof::NoEffect { .. } => Kind::NoEffect,
            Proof::Shadowed { .. } => Kind::Shadowed,
            Proof::CanFail { .. } => Kind::CanFail,
            Proof::Open { .. } => {
                open.push(proof.to_string());
                continue;
            }
        };
        let policy = proof.policy().map(str::to_owned);
        if kind == Kind::NoEffect && policy.as_deref().is_some_and(|policy| policies.waits_for_tools(policy))
        {
            continue;
        }
        let known = |found: &Finding| found.kind == kind && found.policy == policy && policy.is_some();
        if findings.iter().any(known) {
            continue;
        }
        let place = policies.places().find(|(id, ..)| Some(*id) == policy.as_deref());
        findings.push(Finding {
            file: place.map(|(_, file, _)| file.to_owned()),
            line: place.map(|(.., line)| line),
            kind,
            policy,
            message: proof.to_string(),
            help: None,
        });
    }
    Ok(open)
}

/// Tells a finding on standard error.
pub(in crate::commands) fn tell(finding: &Finding, output: Output) {
    let (word, style) = match finding.severity() {
        Severity::Warning => ("warning", Style::Yellow),
        Severity::Note => ("note", Style::Dim),
    };
    let place = match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        _ => String::new(),
    };
    let about = finding.policy.as_ref().map(|policy| format!(" (`{policy}`)")).unwrap_or_default();
    output.talk(&format!("{}: {place}{}{about}", output.painted(style, word), finding.message));
    if let Some(help) = &finding.help {
        output.talk(&format!("  hint: {help}"));
    }
}

fn shown(finding: &Finding) -> serde_json::Value {
    let mut shown = json!(finding);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("severity".to_owned(), json!(finding.severity()));
    }
    shown
}

fn count_of(number: usize) -> String {
    if number == 1 { "1 policy".to_owned() } else { format!("{number} policies") }
}
