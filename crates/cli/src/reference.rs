//! The reference of all commands, made from what clap knows of them: `docs/cli.md`.

use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};

use crate::arguments::{Arguments, EXIT_CODES};
use crate::exit::{Ended, Exit};
use crate::screen::Output;

/// Prints the reference.
pub(crate) fn execute(output: Output) -> Ended {
    output.data(&reference())?;
    Ok(Exit::Success)
}

/// The whole reference as Markdown.
fn reference() -> String {
    let mut root = Arguments::command();
    root.build();
    let mut text = format!(
        "# The command line\n\n{}\n\nThis page is made from the program itself: \
         `UPDATE=1 cargo xtask test -p adjutant-cli` writes it anew.\n\n",
        plain(root.get_about())
    );
    text.push_str(
        "Data goes to standard output and talk to standard error, so the output of every command can be piped. A run \
         is named by its id, or by the first characters of it where no other run begins with them.\n\n## Exit codes\n\n\
         | code | meaning |\n|---|---|\n",
    );
    for line in EXIT_CODES.lines().skip(1) {
        let (code, meaning) = line.trim().split_once(' ').unwrap_or((line, ""));
        let _ = writeln!(text, "| {code} | {} |", meaning.trim());
    }
    text.push_str("\n## What every command takes\n\n");
    let shared: Vec<&Arg> = root.get_arguments().filter(|arg| arg.is_global_set()).collect();
    describe(&shared, &mut text);
    for command in root.get_subcommands() {
        section(command, &mut text);
    }
    text
}

fn section(command: &Command, text: &mut String) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut command = command.clone();
    let usage = command.render_usage().to_string();
    let _ = writeln!(text, "\n## `{name}`\n\n{}\n", plain(command.get_long_about().or(command.get_about())));
    let _ = writeln!(text, "```text\n{}\n```", usage.trim_start_matches("Usage: "));
    let own: Vec<&Arg> = command.get_arguments().filter(|arg| !is_everywhere(arg)).collect();
    if !own.is_empty() {
        text.push('\n');
        describe(&own, text);
    }
    command.get_subcommands().for_each(|command| section(command, text));
}

fn is_everywhere(arg: &Arg) -> bool {
    arg.is_global_set() || matches!(arg.get_id().as_str(), "help" | "version")
}

fn describe(arguments: &[&Arg], text: &mut String) {
    text.push_str("| argument | what it does |\n|---|---|\n");
    for arg in arguments {
        let help = plain(arg.get_long_help().or(arg.get_help()));
        let mut notes = String::new();
        let values: Vec<_> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        if !values.is_empty() && arg.get_action().takes_values() {
            let _ = write!(notes, " One of {}.", values.join(", "));
        }
        if let Some(default) = arg.get_default_values().first().filter(|_| arg.get_action().takes_values()) {
            let _ = write!(notes, " Default: `{}`.", default.to_string_lossy());
        }
        if let Some(name) = arg.get_env() {
            let _ = write!(notes, " Environment: `{}`.", name.to_string_lossy());
        }
        let _ = writeln!(text, "| `{}` | {help}{notes} |", shape(arg).replace('|', "\\|"));
    }
}

/// How the argument is typed.
fn shape(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let value = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut shape = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, None) => return value,
    };
    if arg.get_action().takes_values() {
        let _ = write!(shape, " <{value}>");
    }
    shape
}

fn plain(text: Option<&StyledStr>) -> String {
    let text = text.map(|text| text.to_string().trim().replace('\n', " ")).unwrap_or_default();
    // clap takes the last period away.
    if text.is_empty() || text.ends_with('.') { text } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_program_says() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
        let text = reference();
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            std::fs::write(&path, &text).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(page == text, "docs/cli.md is stale: run `UPDATE=1 cargo xtask test -p adjutant-cli`");
    }

    #[test]
    fn every_argument_says_what_it_does() {
        Arguments::command().debug_assert();
        fn check(command: &Command) {
            assert!(command.get_about().is_some(), "`{}` says nothing", command.get_name());
            for arg in command.get_arguments() {
                assert!(
                    arg.get_help().is_some(),
                    "`{}` of `{}` says nothing",
                    arg.get_id(),
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }
}
