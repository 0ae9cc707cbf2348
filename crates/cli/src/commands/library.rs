//! `adjutant tools library`: the tools that agents have made.

use adjutant::tool::library::{Entry, Standing};
use adjutant_core::{Code, Error};
use clap::{Args, Subcommand};

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, Style, Table, clean, first_line, local_time};
use crate::turn::People;

/// Shows the tools that agents have made, signs them, and withdraws them.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists them, also those that are not run.
    List,
    /// Shows one: where it comes from, its program and its test.
    Show(Named),
    /// Signs one as it stands, after it was changed or withdrawn. Shows it, and asks.
    Sign(SignArguments),
    /// Withdraws one: it stays to be looked at, and is not run any more.
    Withdraw(Named),
}

#[derive(Args, Debug)]
struct Named {
    /// The tool.
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Args, Debug)]
struct SignArguments {
    /// The tool.
    #[arg(value_name = "NAME")]
    name: String,
    /// Sign without asking.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    // What is wrong with one of them is no reason not to look at it.
    let (project, _) = place::load_in_part(shared)?;
    let library = project.library();
    match &arguments.command {
        Command::List => list(&library.entries()?, output),
        Command::Show(named) => show(&library.entry(&named.name)?, output),
        Command::Withdraw(named) => {
            library.withdraw(&named.name)?;
            output.line(&format!("withdrawn: {}", clean(&named.name)))?;
            Ok(Exit::Success)
        }
        Command::Sign(sign) => {
            let entry = library.entry(&sign.name)?;
            if !sign.yes {
                output.raw_talk(&format!("{}\n", text(&entry)));
                if let Some(exit) = ask(&sign.name, output).await? {
                    return Ok(exit);
                }
            }
            library.sign_shown(entry)?;
            output.line(&format!("signed: {}", clean(&sign.name)))?;
            Ok(Exit::Success)
        }
    }
}

fn list(entries: &[Entry], output: Output) -> Ended {
    if output.json {
        output.json(&entries)?;
        return Ok(Exit::Success);
    }
    if entries.is_empty() {
        output.talk("no agent has made a tool yet; one with `code: { make_tools: true }` may propose some");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["tool", "version", "standing", "made by", "what it does"]);
    for Entry { manifest, standing, .. } in entries {
        table.row([
            &manifest.name,
            &manifest.version.to_string(),
            word(*standing),
            &manifest.made.agent,
            &first_line(&manifest.description, 60),
        ]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Signed => "signed",
        Standing::Unsigned => "unsigned",
        Standing::Withdrawn => "withdrawn",
    }
}

fn show(entry: &Entry, output: Output) -> Ended {
    if output.json {
        output.json(entry)?;
    } else {
        output.data(&format!("{}\n", text(entry)))?;
    }
    Ok(Exit::Success)
}

/// A tool for a person who is to judge it. None of it can pass for something else on a terminal.
fn text(entry: &Entry) -> String {
    let Entry { manifest, program, test, standing } = entry;
    let made = &manifest.made;
    let text = format!(
        "{} version {} ({})\n{}\nmade by {} with {} in {} {}, approved {}\nparameters: {}\n\nprogram, of `input`:\n{}\n\ntest:\n{}",
        manifest.name,
        manifest.version,
        word(*standing),
        manifest.description,
        made.agent,
        made.model,
        made.run,
        made.step,
        local_time(made.at),
        manifest.parameters,
        indented(program),
        indented(test),
    );
    clean(&text).into_owned()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// Asks the person. Fails with [`Code::ToolDenied`] when nobody is there or the answer is not yes; gives how to end when
/// they leave instead.
async fn ask(name: &str, output: Output) -> Ended<Option<Exit>> {
    let mut people = People::new()?;
    if !people.is_terminal() {
        return Err(Error::new(
            Code::ToolDenied,
            format!("a person must look at `{name}` before it is signed"),
        )
        .with_help("sign it at a terminal, or with `--yes`")
        .into());
    }
    let sign = output.painted(Style::Yellow, "sign");
    match people.agrees(&format!("{sign} {}? ", clean(name)), output).await {
        Err(interrupt) => Ok(Some(interrupt.into())),
        Ok(true) => Ok(None),
        Ok(false) => Err(Error::new(Code::ToolDenied, format!("`{name}` was not signed")).into()),
    }
}
