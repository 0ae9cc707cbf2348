//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    approvals, audit, chat, check, config, doctor, health, keys, models, new, policy, run, runs, scan,
    secrets, serve, skills, store, tools, triggers, usage, versions, workflows,
};
use crate::screen::ColorChoice;

/// Runs LLM agents that survive: every step is recorded, so a run that is killed goes on where it was.
#[derive(Debug, Parser)]
#[command(name = "adjutant", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Shared {
    /// The project: a folder, or one agent's Markdown file. Otherwise the current folder, or the nearest one above it
    /// that has an adjutant.toml.
    #[arg(
        long,
        global = true,
        value_name = "PROJECT",
        env = "ADJUTANT_PROJECT",
        help_heading = "Everywhere"
    )]
    pub(crate) project: Option<PathBuf>,
    /// Give a setting in the place of the file and the environment, such as `--set server.listen=127.0.0.1:9000`. May be given several
    /// times; `adjutant config show --all` lists what can be set.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = setting, help_heading = "Everywhere")]
    pub(crate) settings: Vec<(String, String)>,
    /// Write JSON to standard output, and errors as one object `{"errors": [..]}` to standard error.
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    /// When to use colour; NO_COLOR in the environment turns it off too.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    pub(crate) color: ColorChoice,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(new::Arguments),
    Run(run::Arguments),
    Chat(chat::Arguments),
    Approvals(approvals::Arguments),
    Runs(runs::Arguments),
    Serve(serve::Arguments),
    Health(health::Arguments),
    Models(models::Arguments),
    Tools(tools::Arguments),
    Skills(skills::Arguments),
    Workflows(workflows::Arguments),
    Versions(versions::Arguments),
    Triggers(triggers::Arguments),
    Keys(keys::Arguments),
    Audit(audit::Arguments),
    Usage(usage::Arguments),
    Secrets(secrets::Arguments),
    Store(store::Arguments),
    Scan(scan::Arguments),
    Policy(policy::Arguments),
    Check(check::Arguments),
    Config(config::Arguments),
    Doctor(doctor::Arguments),
    /// Writes the reference of all commands as Markdown.
    #[command(hide = true)]
    Reference,
}

/// Reads a setting as it is typed.
fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write it as `KEY=VALUE`".to_owned()),
    }
}

/// What the exit codes mean, as the help and the reference say it.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done; an answer that was declined or held back counts, `--json` tells it as `reply.stop`
  1    the command or the run failed, or the run ended without an answer
  2    what was typed, or a file of the project, is wrong
  3    the run waits for a person: an approval, an answer, or an effect whose outcome is not known
  4    the run answered, but a limit ended it
  130  interrupted, or cancelled
  143  told to end by a signal (SIGTERM); a run that was under way goes on with `adjutant runs resume`";
