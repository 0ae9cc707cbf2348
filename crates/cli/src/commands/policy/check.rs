//! `adjutant policy check`: what is wrong with the policies, and what is hardly meant.

use std::path::PathBuf;

use adjutant::policy::cedar::{Finding, Mode, Severity};
use clap::Args;
use serde_json::json;

use super::load;
use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::screen::{Output, Style};

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

pub(super) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let (_, policies) = load(arguments.place.as_deref(), shared)?;
    let findings = policies.findings();
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
        }))?;
    } else {
        findings.iter().for_each(|finding| tell(finding, output));
        let watched = if policies.mode() == Mode::LogOnly { ", which are only watched" } else { "" };
        output.line(&format!("ok: {}{watched}", count_of(number)))?;
    }
    Ok(if warned && arguments.strict { Exit::Failure } else { Exit::Success })
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
