//! The tools themselves, by the names that agents use.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use adjutant_agent::definition::document::{Place, Problems};
use adjutant_agent::definition::flow;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_store::SystemClock;
use adjutant_tool::command::CommandTool;
use adjutant_tool::library::{Library, Standing, Usable};
use adjutant_tool::mcp::{self, Server};
use adjutant_tool::{Registry, Tool, builtin, openapi};

use super::adapted;
use super::settings::{ToolKind, ToolSettings};
use crate::project::lock::Lock;

/// What needs no table: an agent names it and has it.
const WITHOUT_TABLE: [&str; 3] = ["time", "calculator", "artifacts"];

/// What stands for all tools that agents have made.
const LIBRARY: &str = "library";

/// The tools themselves. One name under `[tools]` can stand for several.
#[derive(Default)]
pub(in crate::project) struct Toolsets {
    registry: Registry,
    names: BTreeMap<String, Vec<String>>,
    servers: BTreeMap<String, Server>,
    /// The servers of which nothing is accepted yet.
    unknown: BTreeSet<String>,
    /// Why a tool that an agent has made is not run.
    refused: BTreeMap<String, Error>,
}

impl Toolsets {
    /// Builds every tool that is written, and those that agents name and that need no writing. What cannot be built is
    /// noted at its table.
    pub(in crate::project) fn build(
        settings: &BTreeMap<String, ToolSettings>,
        used: &BTreeSet<&str>,
        lock: &Lock,
        problems: &Problems,
    ) -> Self {
        let mut sets = Self::default();
        for (name, tool) in settings {
            let built = match &tool.kind {
                ToolKind::Mcp(config) => sets.accepted((**config).clone(), lock),
                kind => build(kind),
            };
            let adapted = built.and_then(|tools| adapt(name, tools, tool));
            let added = adapted.and_then(|tools| sets.add(name, tools));
            if let Err(error) = added {
                problems.add(tool.place, explained(name, &error));
            }
        }
        for name in WITHOUT_TABLE {
            if used.contains(name) && !settings.contains_key(name) {
                let added = without_table(name).and_then(|tools| sets.add(name, tools));
                if let Err(error) = added {
                    problems.add(Place { line: 1, column: 1 }, explained(name, &error));
                }
            }
        }
        sets
    }

    /// The same tools for another tenant. Those that keep something of whoever calls them are its own: `settings` says where. The
    /// others are the same ones, with their limits on concurrent calls.
    pub(in crate::project) fn of_tenant(
        &self,
        settings: &BTreeMap<String, ToolSettings>,
        lock: &Lock,
        library: &Library,
    ) -> Result<Self> {
        let mut own = Self { registry: self.registry.clone(), names: self.names.clone(), ..Self::default() };
        for (name, tool) in settings {
            let built = match &tool.kind {
                ToolKind::Mcp(config) => own.accepted((**config).clone(), lock),
                kind @ ToolKind::Files { write: true, shared: false, .. } => build(kind),
                _ => continue,
            };
            let adapted = built.and_then(|tools| adapt(name, tools, tool));
            let placed =
                adapted.and_then(|tools| tools.into_iter().try_for_each(|tool| own.registry.replace(tool)));
            placed.map_err(|error| explained(name, &error))?;
        }
        let Usable { tools, mut refused } = library.tools()?;
        for tool in tools {
            let name = tool.spec().name.clone();
            if own.registry.get(&name).is_none() {
                own.registry.add(tool)?;
                own.names.entry(LIBRARY.to_owned()).or_default().push(name);
            }
        }
        refused.extend(self.refused.clone());
        Ok(Self { refused, ..own })
    }

    /// Adds functions of the program, each by its own name. Reports those whose name is taken.
    pub(in crate::project) fn add_functions(&mut self, tools: Vec<Arc<dyn Tool>>) -> Vec<Error> {
        let mut errors = Vec::new();
        for tool in tools {
            let name = tool.spec().name.clone();
            if self.names.contains_key(&name) {
                let message =
                    format!("the program brings a tool `{name}`, and the project has one of that name");
                errors
                    .push(Error::new(Code::ProjectInvalid, message).with_help("call one of them otherwise"));
            } else {
                errors.extend(self.add(&name, vec![tool]).err());
            }
        }
        errors
    }

    /// Adds the tools that agents have made, one by one and as a set. What is configured goes before them.
    pub(in crate::project) fn add_library(&mut self, library: &Library) -> Result<()> {
        let Usable { tools, refused } = library.tools()?;
        let free = tools.into_iter().filter(|tool| self.registry.get(&tool.spec().name).is_none());
        let free: Vec<_> = free.collect();
        // One that was withdrawn is missed by those alone who name it; one that was changed, by all who name the library.
        let is_sound =
            library.entries().is_ok_and(|all| all.iter().all(|tool| tool.standing != Standing::Unsigned));
        if (is_sound || !free.is_empty()) && !self.names.contains_key(LIBRARY) {
            self.add(LIBRARY, free)?;
        }
        self.refused = refused;
        Ok(())
    }

    /// The names of the tools that agents have made.
    pub(in crate::project) fn made(&self) -> impl Iterator<Item = &str> {
        self.names.get(LIBRARY).into_iter().flatten().map(String::as_str)
    }

    /// The tools that were accepted of a server. It is not started.
    fn accepted(&mut self, config: mcp::Config, lock: &Lock) -> Result<Vec<Arc<dyn Tool>>> {
        let server = Server::new(config)?;
        let name = server.name().to_owned();
        let tools = match lock.server(&name) {
            Some(pin) => server.tools(pin),
            None => {
                self.unknown.insert(name.clone());
                Vec::new()
            }
        };
        self.servers.insert(name, server);
        Ok(tools)
    }

    fn add(&mut self, name: &str, tools: Vec<Arc<dyn Tool>>) -> Result<()> {
        let mut names = Vec::with_capacity(tools.len());
        for tool in tools {
            names.push(tool.spec().name.clone());
            self.registry.add(tool)?;
        }
        self.names.insert(name.to_owned(), names);
        Ok(())
    }

    /// The specifications of the tools that a name stands for: a name under `[tools]`, or the name of one tool.
    ///
    /// Fails with [`Code::ProjectInvalid`].
    pub(in crate::project) fn specs(&self, name: &str) -> Result<Vec<ToolSpec>> {
        let names = match self.names.get(name) {
            Some(names) => names.as_slice(),
            None => &[name.to_owned()],
        };
        let specs: Vec<_> =
            names.iter().filter_map(|name| self.registry.get(name)).map(|tool| tool.spec().clone()).collect();
        let may_be_none = name == LIBRARY && self.names.contains_key(LIBRARY);
        if specs.is_empty() && !may_be_none { Err(self.unknown(name)) } else { Ok(specs) }
    }

    fn unknown(&self, name: &str) -> Error {
        let refused = self.refused.get(name).or_else(|| self.refused.values().find(|_| name == LIBRARY));
        if let Some(why) = refused {
            return why.clone();
        }
        let belongs = |server: &&String| name == *server || name.starts_with(&format!("{server}__"));
        if let Some(server) = self.unknown.iter().find(belongs) {
            let message = format!("nobody has accepted yet what the MCP server `{server}` offers");
            return Error::new(Code::ProjectInvalid, message)
                .with_help(format!("`adjutant tools trust {server}` shows it, and asks"));
        }
        let error = Error::new(Code::ProjectInvalid, format!("there is no tool `{name}`"));
        let tools = self.registry.specs().map(|spec| spec.name.as_str());
        let candidates = self.names.keys().map(String::as_str).chain(tools).chain(ToolKind::NAMES);
        if ToolKind::NAMES.contains(&name) {
            return error.with_help(format!(
                "add it to `adjutant.toml`: `[tools.{name}]` with `type = \"{name}\"` and what it may reach"
            ));
        }
        match nearest(name, candidates) {
            Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
            None => error.with_help(format!("add it to `adjutant.toml`: `[tools.{name}]`")),
        }
    }

    /// All tools.
    pub(in crate::project) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// All tools, with those that need no table and that no agent names. What is configured goes before them.
    pub(in crate::project) fn reachable(&self) -> Registry {
        let mut registry = self.registry.clone();
        let rest = WITHOUT_TABLE.into_iter().filter_map(|name| without_table(name).ok()).flatten();
        for tool in rest {
            if registry.get(&tool.spec().name).is_none() {
                // It is as good as every tool of its kind that is built; where it were not, no run could have it.
                let _ = registry.add(tool);
            }
        }
        registry
    }

    /// The servers of the Model Context Protocol.
    pub(in crate::project) fn servers(&self) -> &BTreeMap<String, Server> {
        &self.servers
    }

    /// The names that agents may use, and the tools that each stands for.
    pub(in crate::project) fn names(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.names.iter().map(|(name, tools)| (name.as_str(), tools.as_slice()))
    }
}

fn without_table(name: &str) -> Result<Vec<Arc<dyn Tool>>> {
    build(&match name {
        "time" => ToolKind::Time { zone: "UTC".to_owned() },
        "artifacts" => ToolKind::Artifacts,
        _ => ToolKind::Calculator,
    })
}

fn build(kind: &ToolKind) -> Result<Vec<Arc<dyn Tool>>> {
    Ok(match kind {
        ToolKind::Files { root, write: true, .. } => builtin::files(root)?,
        ToolKind::Files { root, write: false, .. } => builtin::files_read(root)?,
        ToolKind::Fetch(config) => vec![builtin::fetch(config.clone())?],
        ToolKind::Database(config) => vec![builtin::query_database(config.clone())?],
        ToolKind::Lookup(lookup) => vec![builtin::lookup(lookup.clone())?],
        ToolKind::Time { zone } => vec![builtin::now(Arc::new(SystemClock), zone)?],
        ToolKind::Calculator => vec![builtin::calculate()],
        ToolKind::Artifacts => builtin::artifacts(),
        ToolKind::Script(config) => vec![builtin::script((**config).clone())?],
        ToolKind::OpenApi(config) => openapi::tools((**config).clone())?,
        ToolKind::Command(config) => vec![Arc::new(CommandTool::new((**config).clone())?)],
        // Its tools are those that were accepted.
        ToolKind::Mcp(_) => Vec::new(),
    })
}

/// The tools of a table with what the table says of them.
fn adapt(name: &str, tools: Vec<Arc<dyn Tool>>, settings: &ToolSettings) -> Result<Vec<Arc<dyn Tool>>> {
    let (prefix, about) = (settings.prefix.as_deref(), settings.description.as_deref());
    let mut specs: Vec<_> = tools.iter().map(|tool| adapted::spec(tool.as_ref(), prefix, about)).collect();
    // The document does not say which of several interfaces it is.
    for spec in specs.iter_mut().filter(|spec| spec.flow.source.as_deref() == Some("api")) {
        spec.flow.source = Some(format!("api:{name}"));
    }
    if !settings.flow.all.is_default() && !specs.is_empty() {
        flow::apply(&settings.flow.all, &mut specs)?;
    }
    for (tool, said) in &settings.flow.tools {
        let names: Vec<_> = specs.iter().map(|spec| spec.name.clone()).collect();
        let Some(spec) = specs.iter_mut().find(|spec| spec.name == *tool) else {
            let error = Error::new(
                Code::ProjectInvalid,
                format!("`flow.tools` names `{tool}`, which is none of its tools"),
            );
            return Err(match nearest(tool, names.iter().map(String::as_str)) {
                Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
                None => error.with_help(format!("its tools are {}", names.join(", "))),
            });
        };
        flow::apply(said, [spec])?;
    }
    Ok(tools.into_iter().zip(specs).map(|(tool, spec)| adapted::adapt(tool, spec)).collect())
}

/// The error of a tool as one about its table.
fn explained(name: &str, error: &Error) -> Error {
    let why: Vec<_> =
        std::iter::once(error.message()).chain(error.causes().iter().map(String::as_str)).collect();
    let explained = Error::new(Code::ProjectInvalid, format!("`tools.{name}`: {}", why.join(": ")));
    match error.help() {
        // The names of a set are its own; only a prefix makes them others.
        Some(_) if error.message().starts_with("there are two tools") => {
            explained.with_help(format!("put a prefix before its names, such as `prefix = \"{name}_\"`"))
        }
        Some(help) => explained.with_help(help),
        None => explained,
    }
}

impl fmt::Debug for Toolsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.names).finish()
    }
}
