//! `adjutant tools trust`: what MCP servers offer, and accepting it.

use std::collections::BTreeMap;

use adjutant::Project;
use adjutant::tool::mcp::{Change, Offer, Pin, PinnedTool, Server, changes, suspicions};
use adjutant_core::{Code, Error};
use clap::Args;
use futures::future::join_all;
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit, Failure};
use crate::place;
use crate::screen::{Output, Style, clean, count};
use crate::turn::People;

/// Shows what MCP servers offer and what has changed, and accepts it.
///
/// What is accepted stands in adjutant.lock, which belongs into version control. A tool that its server later describes
/// otherwise is not called until it is accepted again. The servers are started.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The servers, by their names under `[tools]`; all of them where none is named.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Accept without asking.
    #[arg(long)]
    yes: bool,
}

/// A server that was asked, and what is new.
struct Asked<'a> {
    server: &'a Server,
    offer: Offer,
    changes: Vec<Change>,
    /// Whether anything was accepted of it before.
    is_known: bool,
}

impl Asked<'_> {
    fn is_new(&self) -> bool {
        !self.is_known || !self.changes.is_empty()
    }
}

pub(super) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    // A server of which nothing is accepted is what is wrong with the project.
    let (project, errors) = Project::load_in_part(place::find(None, shared)?, place::environment(shared))?;
    let servers = match chosen(&project, &arguments.names) {
        Err(_) if !errors.is_empty() && project.servers().next().is_none() => return Err(errors.into()),
        servers => servers?,
    };
    if servers.is_empty() {
        output.talk("the project has no MCP servers; add one: `[tools.NAME]` with `type = \"mcp\"`");
        return Ok(Exit::Success);
    }
    let secrets = project.secrets();
    let offers = join_all(servers.iter().map(|server| server.offer(secrets.as_ref()))).await;
    let (mut asked, mut failed) = (Vec::new(), Vec::new());
    for (server, offer) in servers.into_iter().zip(offers) {
        match offer {
            Ok(offer) => asked.push(compare(&project, server, offer)),
            Err(error) => {
                let said = server.said().join("\n  ");
                if !said.is_empty() {
                    let name = server.name();
                    output.talk(&format!("the MCP server `{name}` wrote:\n  {}", clean(&said)));
                }
                failed.push(error);
            }
        }
    }
    if !output.json {
        asked.iter().try_for_each(|asked| show(asked, output))?;
    }
    let accepted = settle(&project, &asked, arguments.yes, output).await?;
    if output.json {
        output.json(&asked.iter().map(|asked| told(asked, accepted.is_none())).collect::<Vec<_>>())?;
    }
    match accepted {
        _ if !failed.is_empty() => Err(failed.into()),
        Some(exit) => Ok(exit),
        None => Ok(Exit::Success),
    }
}

/// The servers of these names. Fails with [`Code::NotFound`].
pub(super) fn chosen<'a>(project: &'a Project, names: &[String]) -> Result<Vec<&'a Server>, Error> {
    if names.is_empty() {
        return Ok(project.servers().collect());
    }
    let find = |name: &String| {
        project.servers().find(|server| server.name() == name).ok_or_else(|| {
            let all: Vec<_> = project.servers().map(|server| format!("`{}`", server.name())).collect();
            let help = match all.is_empty() {
                true => "the project has none: add `[tools.NAME]` with `type = \"mcp\"`".to_owned(),
                false => format!("there are {}", all.join(", ")),
            };
            Error::new(Code::NotFound, format!("there is no MCP server `{name}`")).with_help(help)
        })
    };
    names.iter().map(find).collect()
}

fn compare<'a>(project: &Project, server: &'a Server, offer: Offer) -> Asked<'a> {
    let before = project.accepted(server.name());
    let is_known = before.is_some();
    let changes = changes(&before.cloned().unwrap_or_default(), &Pin::from(offer.clone()));
    Asked { server, offer, changes, is_known }
}

/// Shows a server: of a new tool what it is, of a changed one the difference.
fn show(asked: &Asked<'_>, output: Output) -> Ended<()> {
    let offer = &asked.offer;
    let name = asked.server.name();
    let mut tools = count(offer.tools.len() as u64, "tool");
    if !offer.prompts.is_empty() {
        tools.push_str(&format!(", {}", count(offer.prompts.len() as u64, "prompt")));
    }
    let state = match (asked.is_known, asked.changes.is_empty()) {
        (true, true) => "as it was accepted",
        (true, false) => "has changed, and what has is refused until it is accepted",
        (false, _) => "not accepted yet",
    };
    let says = if offer.server.is_empty() { "says nothing of itself" } else { &offer.server };
    output.line(&clean(&format!("{name}: {says}, {tools}, {state}")))?;
    for change in &asked.changes {
        let tool = changed(offer, change);
        match (change.kind, &change.tool, tool) {
            ("new", Some(name), Some(tool)) if change.is_prompt => {
                new(&format!("prompt {name}"), tool, output)?;
            }
            ("new", Some(name), Some(tool)) => {
                let effect = asked.server.effect(name, tool);
                new(&format!("{name} ({})", effect.as_str()), tool, output)?;
            }
            _ => {
                let sign = if change.kind == "gone" { Style::Red } else { Style::Yellow };
                let kind = if change.is_prompt { "prompt " } else { "" };
                let what = format!("{kind}{}", change.tool.as_deref().unwrap_or("the server"));
                output.line(&format!("  {} {}", output.shaded(sign, change.kind), clean(&what)))?;
                for line in &change.lines {
                    difference(line, output)?;
                }
            }
        }
        if let Some(tool) = tool {
            warnings(tool).iter().try_for_each(|warning| warn(warning, output))?;
        }
    }
    for (tool, why) in &offer.unusable {
        warn(&format!("`{tool}` cannot be offered: {why}"), output)?;
    }
    Ok(())
}

/// What a change is about, as it is offered now.
fn changed<'a>(offer: &'a Offer, change: &Change) -> Option<&'a PinnedTool> {
    let all = if change.is_prompt { &offer.prompts } else { &offer.tools };
    change.tool.as_ref().and_then(|name| all.get(name))
}

fn new(what: &str, tool: &PinnedTool, output: Output) -> Ended<()> {
    let new = output.shaded(Style::Green, "new");
    output.line(&format!("  {new} {}", clean(what)))?;
    tool.description.lines().try_for_each(|line| output.line(&format!("      {}", clean(line))))
}

fn difference(line: &str, output: Output) -> Ended<()> {
    let text = clean(line);
    let text = match line.chars().next() {
        Some('+') => output.shaded(Style::Green, &text),
        Some('-') => output.shaded(Style::Red, &text),
        _ => text.into_owned(),
    };
    output.line(&format!("      {text}"))
}

fn warn(text: &str, output: Output) -> Ended<()> {
    let word = output.shaded(Style::Yellow, "warning:");
    output.line(&format!("      {word} {}", clean(text)))
}

/// What is odd about the words of a tool.
fn warnings(tool: &PinnedTool) -> Vec<String> {
    let mut found: Vec<String> = tool.words().into_iter().flat_map(suspicions).collect();
    found.sort();
    found.dedup();
    found
}

/// Accepts what is new, if the person agrees. Gives how to end where it was not accepted.
async fn settle(project: &Project, asked: &[Asked<'_>], yes: bool, output: Output) -> Ended<Option<Exit>> {
    let new: BTreeMap<String, Pin> = asked
        .iter()
        .filter(|asked| asked.is_new())
        .map(|asked| (asked.server.name().to_owned(), Pin::from(asked.offer.clone())))
        .collect();
    if new.is_empty() {
        return Ok(None);
    }
    if !yes {
        let mut people = People::new()?;
        if !people.is_terminal() {
            let message = "nobody is here to accept what the servers offer".to_owned();
            let help = "look at it, then accept it at a terminal or with `--yes`";
            return Err(Failure::from(Error::new(Code::ToolDenied, message).with_help(help)));
        }
        match people.agrees("accept this? ", output).await {
            Err(interrupt) => return Ok(Some(interrupt.into())),
            Ok(true) => {}
            Ok(false) => {
                output.talk("nothing was accepted");
                return Ok(Some(Exit::Failure));
            }
        }
    }
    project.accept(new)?;
    output.talk("accepted: it stands in adjutant.lock");
    Ok(None)
}

fn told(asked: &Asked<'_>, accepted: bool) -> serde_json::Value {
    let change = |change: &Change| {
        let tool = changed(&asked.offer, change);
        json!({ "tool": change.tool, "is_prompt": change.is_prompt, "kind": change.kind, "lines": change.lines,
            "warnings": tool.map(warnings).unwrap_or_default() })
    };
    json!({
        "server": asked.server.name(),
        "says": asked.offer.server,
        "protocol": asked.offer.protocol,
        "tools": asked.offer.tools.len(),
        "unusable": asked.offer.unusable,
        "changes": asked.changes.iter().map(change).collect::<Vec<_>>(),
        "accepted": accepted,
    })
}
