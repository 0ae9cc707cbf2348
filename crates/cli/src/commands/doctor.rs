//! `adjutant doctor`: what is configured, what is reachable, what is missing, and how to get it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use adjutant::model::provider::Probed;
use adjutant::project::{Choice, Key, ToolKind};
use adjutant::tool::code::{self, Interpreter};
use adjutant::tool::mcp::oauth::Status;
use adjutant::tool::mcp::{Change, Pin, Server, changes};
use adjutant::tool::openapi;
use adjutant::tool::sandbox::Isolation;
use adjutant::{Adjutant, Project};
use adjutant_core::Error;
use clap::Args;
use serde::Serialize;

use super::{login, models, program};
use crate::arguments::Shared;
use crate::exit::{Ended, Exit, Failure};
use crate::place;
use crate::screen::{Output, Style, clean, count};

/// How long a provider may take to tell its models.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says what is configured, what can be reached, what is missing, and how to get it.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Ok,
    Note,
    Missing,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    health: Health,
    what: String,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { health: Health::Ok, what: what.into(), found: found.into(), help: None }
    }

    fn note(what: impl Into<String>, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { health: Health::Note, what: what.into(), found: found.into(), help: Some(help.into()) }
    }

    fn missing(what: impl Into<String>, error: &Error) -> Self {
        let help = error.help().map(str::to_owned);
        Self { health: Health::Missing, what: what.into(), found: error.to_string(), help }
    }
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let mut findings = vec![Finding::ok("version", env!("CARGO_PKG_VERSION"))];
    match place::load(arguments.place.as_deref(), shared) {
        Ok(project) => examine(project, &mut findings).await,
        Err(Failure::Errors(errors)) => {
            findings.extend(errors.iter().map(|error| Finding::missing("project", error)));
        }
        Err(failure) => return Err(failure),
    }
    if output.json {
        output.json(&findings)?;
    } else {
        findings.iter().try_for_each(|finding| tell(finding, output))?;
    }
    let is_well = findings.iter().all(|finding| finding.health != Health::Missing);
    Ok(if is_well { Exit::Success } else { Exit::Failure })
}

async fn examine(project: Project, findings: &mut Vec<Finding>) {
    let agents: Vec<_> = project.agents().map(|agent| agent.name.clone()).collect();
    findings.push(Finding::ok("project", project.folder().display().to_string()));
    findings.push(match agents.is_empty() {
        false => Finding::ok("agents", agents.join(", ")),
        true => {
            Finding::note("agents", "none", "write one: `agents/desk.md`, with front matter and a prompt")
        }
    });
    for choice in project.models().roles() {
        findings.push(match choice {
            Ok(choice) => model(&project, &choice).await,
            Err(error) => Finding::missing("model", &error),
        });
    }
    findings.extend(secrets(&project));
    findings.extend(programs(&project));
    findings.extend(futures::future::join_all(project.servers().map(|found| server(&project, found))).await);
    findings.extend(project.servers().filter_map(|server| account(&project, server)));
    findings.extend(services(&project).await);
    findings.extend(sandbox(&project));
    findings.extend(interpreter(&project).await);
    let path = project.settings().store.clone();
    findings.push(store(project, &path).await);
}

async fn model(project: &Project, choice: &Choice) -> Finding {
    let what = format!("model {}", choice.name);
    if let Key::Missing(_, error) = &choice.key {
        return Finding::missing(what, error);
    }
    let Some(url) = &choice.base_url else {
        return match choice.notice() {
            Some(notice) => Finding::note(what, &choice.id, notice),
            None => Finding::ok(what, format!("{}, built in", choice.id)),
        };
    };
    let found = format!("{} at {url}, key {}", choice.id, models::key(&choice.key));
    let probing = project.models().probe(&choice.name);
    match tokio::time::timeout(PATIENCE, probing).await {
        Ok(Ok(Some(Probed::Listed))) => Finding::ok(what, format!("{found}; it answers and knows the model")),
        Ok(Ok(Some(Probed::Unlisted))) => Finding::note(
            what,
            format!("{found}; it answers, and its list does not have the model"),
            format!("`adjutant models test {}` shows whether it can be asked", choice.name),
        ),
        Ok(Ok(_)) => Finding::ok(what, format!("{found}; it answers and has no list of models")),
        Ok(Err(error)) => Finding::missing(what, &error),
        Err(_) => Finding {
            health: Health::Missing,
            what,
            found: format!("{found}; no answer within {} s", PATIENCE.as_secs()),
            help: Some("start the server, or correct `base_url`".to_owned()),
        },
    }
}

fn secrets(project: &Project) -> Vec<Finding> {
    let places = project.secret_places();
    let named: Vec<_> = places.named().collect();
    let finding = |(name, source): (&str, &adjutant::project::SecretSource)| {
        let what = format!("secret {name}");
        match places.at(source) {
            Ok(_) => Finding::ok(what, format!("found in {source}")),
            Err(error) => Finding::missing(what, &error),
        }
    };
    named.into_iter().map(finding).collect()
}

/// The programs and the files that tools are made of.
fn programs(project: &Project) -> Vec<Finding> {
    let tools = project.settings().tools.iter();
    tools
        .filter_map(|(name, tool)| {
            let what = format!("tool {name}");
            let there = |path: &Path, help: &str| match path.exists() {
                true => Finding::ok(&what, path.display().to_string()),
                false => Finding {
                    health: Health::Missing,
                    what: what.clone(),
                    found: format!("`{}` is not there", path.display()),
                    help: Some(help.to_owned()),
                },
            };
            Some(match &tool.kind {
                ToolKind::Files { root, .. } => there(root, "make the folder, or correct `root`"),
                ToolKind::Database(config) => there(&config.path, "make the file, or correct `path`"),
                ToolKind::Lookup(lookup) => there(&lookup.database.path, "make the file, or correct `path`"),
                ToolKind::Command(config) => match program::locate(&config.command) {
                    Ok(path) => Finding::ok(&what, path.display().to_string()),
                    Err(error) => Finding::missing(&what, &error),
                },
                ToolKind::Fetch(config) => Finding::ok(&what, format!("may ask {}", config.hosts.join(", "))),
                // These are asked themselves, below.
                ToolKind::Mcp(_) | ToolKind::OpenApi(_) => return None,
                ToolKind::Time { .. } | ToolKind::Calculator | ToolKind::Artifacts => {
                    Finding::ok(&what, "built in")
                }
                ToolKind::Script(config) => match config.sandbox.isolation {
                    Isolation::Sandbox => Finding::ok(&what, "runs what the model writes, in a sandbox"),
                    Isolation::Unsafe => Finding::note(
                        &what,
                        "runs what the model writes, with every right of this user",
                        "leave out `sandbox = \"unsafe\"`, unless this machine can be lost",
                    ),
                },
            })
        })
        .collect()
}

/// An MCP server: whether it answers, and whether it offers what was accepted.
async fn server(project: &Project, server: &Server) -> Finding {
    let name = server.name();
    let what = format!("tool {name}");
    let trust = format!("`adjutant tools trust {name}` shows it, and asks");
    let offer = match server.offer(project.secrets().as_ref()).await {
        Ok(offer) => offer,
        Err(error) => {
            let mut finding = Finding::missing(what, &error);
            let said = server.said();
            if !said.is_empty() {
                finding.help = Some(format!("it wrote:\n           {}", clean(&said.join("\n           "))));
            }
            return finding;
        }
    };
    let tools = count(offer.tools.len() as u64, "tool");
    let found = clean(&format!("{}, MCP {}, {tools}", offer.server, offer.protocol)).into_owned();
    let found =
        if server.has_every_right() { format!("{found}, with every right of this user") } else { found };
    let unusable = count(offer.unusable.len() as u64, "more tool");
    let found =
        if offer.unusable.is_empty() { found } else { format!("{found}, {unusable} that cannot be used") };
    match project.accepted(name) {
        None => Finding::note(what, format!("{found}, which nobody has accepted yet"), trust),
        Some(pin) => match changes(pin, &Pin::from(offer)).as_slice() {
            [] => Finding::ok(what, found),
            changed => {
                let (number, which) = (count(changed.len() as u64, "change"), differences(changed));
                Finding::note(what, format!("{found}, {number} since it was accepted: {which}"), trust)
            }
        },
    }
}

/// What has changed of a server, and what comes of it.
fn differences(changes: &[Change]) -> String {
    /// How many are named.
    const MOST: usize = 5;
    let shown = changes.iter().take(MOST).map(|change| {
        let what = match (&change.tool, change.is_prompt) {
            (Some(name), true) => format!("prompt `{name}`"),
            (Some(name), false) => format!("`{name}`"),
            (None, _) => "the server".to_owned(),
        };
        let then = match change.kind {
            "new" => "new, and not offered to agents",
            "gone" => "gone",
            _ => "changed, and refused",
        };
        format!("{what} is {then}")
    });
    let more = changes.len().saturating_sub(MOST);
    let more = (more > 0).then(|| format!("{more} more"));
    clean(&shown.chain(more).collect::<Vec<_>>().join("; ")).into_owned()
}

/// The login of an MCP server, where somebody is logged in. That nobody is, the server's own finding says.
fn account(project: &Project, server: &Server) -> Option<Finding> {
    let what = format!("login {}", server.name());
    match server.account()?.status(project.secrets().as_ref()) {
        Ok(Status::Out) => None,
        Ok(status) => Some(Finding::ok(what, clean(&login::said(&status)).into_owned())),
        Err(error) => Some(Finding::missing(what, &error)),
    }
}

/// The services of OpenAPI documents: whether somebody answers, whatever it is. Nobody is told who asks.
async fn services(project: &Project) -> Vec<Finding> {
    let tools = project.settings().tools.iter();
    let asked = tools.filter_map(|(name, tool)| match &tool.kind {
        ToolKind::OpenApi(config) => Some(async move {
            let what = format!("tool {name}");
            let tools_of =
                project.toolsets().find(|(set, _)| *set == name).map_or(0, |(_, tools)| tools.len());
            let tools = count(tools_of as u64, "tool");
            match tokio::time::timeout(PATIENCE, openapi::probe(config)).await {
                Ok(Ok((url, status))) => Finding::ok(what, format!("{tools}, {url} answers ({status})")),
                Ok(Err(error)) => Finding::missing(what, &error),
                Err(_) => Finding {
                    health: Health::Missing,
                    what,
                    found: format!("{tools}, no answer within {} s", PATIENCE.as_secs()),
                    help: Some("start the service, or correct `base_url`".to_owned()),
                },
            }
        }),
        _ => None,
    });
    futures::future::join_all(asked).await
}

/// What of a sandbox holds on this machine, where a tool runs in one.
fn sandbox(project: &Project) -> Vec<Finding> {
    let used = project.settings().tools.values().filter_map(|tool| match &tool.kind {
        ToolKind::Script(config) => Some(&config.sandbox),
        ToolKind::Command(config) => config.sandbox.as_ref(),
        _ => None,
    });
    let used: Vec<_> = used.filter(|sandbox| sandbox.isolation == Isolation::Sandbox).collect();
    if used.is_empty() {
        return Vec::new();
    }
    let mut sandbox = project.settings().sandbox.clone();
    sandbox.hosts = used.iter().flat_map(|sandbox| sandbox.hosts.clone()).collect();
    sandbox.hosts.sort();
    sandbox.hosts.dedup();
    match adjutant::tool::sandbox::examine(&sandbox) {
        Ok(found) => {
            let finding = |found: adjutant::tool::sandbox::Finding| match found.holds {
                true => Finding::ok("sandbox", found.what),
                false => Finding::note("sandbox", found.what, found.help.unwrap_or_default()),
            };
            found.into_iter().map(finding).collect()
        }
        Err(error) => vec![Finding::missing("sandbox", &error)],
    }
}

/// Whether the programs of agents can be interpreted, where there are agents that write some.
async fn interpreter(project: &Project) -> Option<Finding> {
    let mut agents = project.agents().filter_map(|agent| project.definition(&agent.name).ok());
    let language = agents.find_map(|agent| agent.code.as_ref())?.language;
    Some(match code::examine(&Interpreter::own(), language).await {
        Ok(engine) => Finding::ok("interpreter", format!("{engine}, in a process of its own")),
        Err(error) => Finding::missing("interpreter", &error),
    })
}

async fn store(project: Project, path: &Path) -> Finding {
    if !path.exists() {
        return Finding::ok("store", format!("{}, not made yet", path.display()));
    }
    let runs = match Adjutant::of(project) {
        Ok(adjutant) => adjutant.runs(usize::MAX).await,
        Err(error) => Err(error),
    };
    match runs {
        Ok(runs) => {
            let open = runs.iter().filter(|info| info.outcome.is_none()).count();
            let runs = count(runs.len() as u64, "run");
            Finding::ok("store", format!("{}, {runs}, {open} of them not over", path.display()))
        }
        Err(error) => Finding::missing("store", &error),
    }
}

fn tell(finding: &Finding, output: Output) -> Ended<()> {
    let word = match finding.health {
        Health::Ok => output.shaded(Style::Green, "ok     "),
        Health::Note => output.shaded(Style::Yellow, "note   "),
        Health::Missing => output.shaded(Style::Red, "missing"),
    };
    output.line(&format!("{word}  {}: {}", finding.what, finding.found))?;
    match &finding.help {
        Some(help) => output.line(&format!("         hint: {help}")),
        None => Ok(()),
    }
}
