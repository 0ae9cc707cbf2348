//! The policies of a project: `policies/*.cedar`, and `[policy]` of `adjutant.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use adjutant_agent::definition::document::Table;
use adjutant_agent::definition::{Code as CodeMode, Definition};
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use adjutant_policy::cedar::{Claim, File, LOCKDOWN, Mode, PACK, Policies, Problem, Schema, Vocabulary};

use super::file;
use super::models::Models;
use super::settings::Settings;
use super::tools::{ToolKind, Toolsets};

/// Where the policies of a project are.
pub(super) const FOLDER: &str = "policies";
/// How the files begin that forbid something at once (`adjutant policy forbid`). They are no policies to work by.
pub const KILL_SWITCH: &str = "kill-";
/// How many files they may have.
const MOST: usize = 200;
/// The largest file, in bytes.
const LARGEST: u64 = 1 << 20;

/// What `[policy]` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySettings {
    /// Whether the policies decide or are only watched.
    pub mode: Mode,
    /// What may be known of a user, by the name of the claim.
    pub claims: BTreeMap<String, Claim>,
    /// Whether everything is off that is not known to be safe.
    pub lockdown: bool,
}

impl PolicySettings {
    /// Reads the table. What is wrong is noted and left out.
    pub(super) fn read(table: Table<'_>) -> Self {
        let mode = table.choice("mode", &Mode::WORDS).unwrap_or_default();
        let mut claims = BTreeMap::new();
        for entry in table.named("claims") {
            let known =
                entry.value.as_text().and_then(|word| Claim::WORDS.iter().find(|(known, _)| *known == word));
            match known {
                Some((_, claim)) => {
                    claims.insert(entry.key.clone(), *claim);
                }
                None => {
                    let words: Vec<_> = Claim::WORDS.iter().map(|(word, _)| format!("`{word}`")).collect();
                    let wanted = format!("one of {}", words.join(", "));
                    table.wrong(&format!("claims.{}", entry.key), &entry.value, &wanted, "");
                }
            }
        }
        let lockdown = table.flag("lockdown").unwrap_or_default();
        table.finish();
        Self { mode, claims, lockdown }
    }
}

/// The policies of a project as they were read.
#[derive(Clone, Debug, Default)]
pub(super) enum Read {
    /// There are none: what an agent may do is what its definition says.
    #[default]
    None,
    /// These.
    Whole(Arc<Policies>),
    /// There are some, and they cannot be read.
    Broken,
}

/// What policies can speak of in a project.
pub(super) fn schema(
    settings: &Settings,
    definitions: &BTreeMap<String, Definition>,
    toolsets: &Toolsets,
    models: &Models,
) -> Schema {
    // Members of crews are agents that no file has, and do things all the same.
    let members = definitions.values().flat_map(Definition::nested).filter(|agent| !agent.tools.is_empty());
    let members = members.map(|agent| agent.name.clone());
    let agents: BTreeSet<String> = definitions.keys().cloned().chain(members).collect();
    let reachable = toolsets.reachable();
    let mut tools: BTreeMap<&str, &ToolSpec> = BTreeMap::new();
    let of_agents = definitions.values().flat_map(|definition| {
        // What those have alone that get its conversation: the way back.
        std::iter::once(definition).chain(&definition.team).flat_map(tools_of)
    });
    for spec in reachable.specs().chain(of_agents) {
        tools.insert(&spec.name, spec);
    }
    let code = toolsets.names().filter(|(name, _)| {
        let kind = settings.tools.get(*name).map(|tool| &tool.kind);
        matches!(kind, Some(ToolKind::Script(_)))
    });
    let mut code: BTreeSet<String> = code.flat_map(|(_, tools)| tools.iter().cloned()).collect();
    code.extend(toolsets.made().map(str::to_owned));
    code.insert(CodeMode::TOOL.to_owned());
    let servers = toolsets.names().filter(|(name, _)| toolsets.servers().contains_key(*name));
    let roles = settings.models.keys().filter_map(|role| models.choice(role).ok()).map(|choice| choice.id);
    let used = definitions.values().map(|definition| definition.model.clone());
    let vocabulary = Vocabulary {
        models: roles.chain(used).collect(),
        agents,
        claims: settings.policy.claims.clone(),
        code,
        servers: servers.map(|(name, tools)| (name.to_owned(), tools.iter().cloned().collect())).collect(),
    };
    Schema::of(tools.into_values(), vocabulary)
}

/// The tools of an agent. An agent that it may ask looks like a tool to its model, and is none to policies.
pub(super) fn tools_of(definition: &Definition) -> impl Iterator<Item = &ToolSpec> {
    definition.tools.iter().filter(|spec| definition.agent_of(&spec.name).is_none())
}

/// The files of the policies, in the order of their names; none where there is no folder.
pub(super) fn files(folder: &Path) -> Result<Vec<File>> {
    let folder = folder.join(FOLDER);
    let unreadable = |error: &std::io::Error| {
        Error::new(Code::FileUnreadable, format!("`{}` cannot be read", folder.display())).caused_by(error)
    };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| unreadable(&error))?.file_name();
        // A name that is no text is not skipped: a forbid may stand in it.
        if Path::new(&name).extension().is_some_and(|extension| extension == "cedar") {
            names.push(name.into_string().map_err(|name| {
                Error::new(Code::FileUnreadable, format!("the name `{}` is no text", name.display()))
            })?);
        }
    }
    if names.len() > MOST {
        let message = format!("`{}` has {} files, more than {MOST}", folder.display(), names.len());
        return Err(Error::new(Code::ProjectInvalid, message).with_help("put several policies into one file"));
    }
    names.sort();
    let read = names.into_iter().map(|name| {
        Ok(File { text: file::read(&folder.join(&name), LARGEST)?, name: format!("{FOLDER}/{name}") })
    });
    read.collect()
}

/// The files that decide in a project: its own, and in a locked one what is added to them. A locked project without
/// policies, or with kill switches alone, has those that a new one begins with.
pub(super) fn deciding(folder: &Path, settings: &PolicySettings) -> Result<Vec<File>> {
    let mut files = files(folder)?;
    if settings.lockdown {
        let built_in = |name: &str, text: &str| File { name: name.to_owned(), text: text.to_owned() };
        let is_switch = |file: &File| {
            let name = file.name.rsplit('/').next();
            name.is_some_and(|name| name.starts_with(KILL_SWITCH))
        };
        if files.iter().all(is_switch) {
            files.push(built_in("default.cedar", PACK));
        }
        files.push(built_in("lockdown.cedar", LOCKDOWN));
    }
    Ok(files)
}

/// Whether a file stands in the project's folder, and is none of those that a lockdown adds.
pub(super) fn is_written(file: &File) -> bool {
    Path::new(&file.name).starts_with(FOLDER)
}

/// Reads the policies of the project in a folder, which the person knows as `shown`.
pub(super) fn read(
    folder: &Path,
    shown: &Path,
    settings: &PolicySettings,
    schema: impl FnOnce() -> Schema,
    errors: &mut Vec<Error>,
) -> Read {
    let files = match deciding(folder, settings) {
        Ok(files) if files.is_empty() => return Read::None,
        Ok(files) => files,
        Err(error) => {
            errors.push(error);
            return Read::Broken;
        }
    };
    // Who locks a project wants no policy to be only watched.
    let mode = if settings.lockdown { Mode::Enforce } else { settings.mode };
    match Policies::parse(&files, mode, &schema()) {
        Ok(policies) => Read::Whole(Arc::new(policies)),
        Err(problems) => {
            errors.extend(problems.into_iter().map(|problem| placed(problem, shown)));
            Read::Broken
        }
    }
}

/// What is known of policies that nobody has read.
pub(super) fn unread(folder: &Path, settings: &PolicySettings) -> Read {
    match deciding(folder, settings) {
        Ok(files) if files.is_empty() => Read::None,
        _ => Read::Broken,
    }
}

/// A problem as an error, its file as the person knows it.
pub(super) fn placed(problem: Problem, shown: &Path) -> Error {
    let file = shown.join(&problem.file).to_string_lossy().into_owned();
    Problem { file, ..problem }.into()
}
