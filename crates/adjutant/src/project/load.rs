//! [`Project`]: a folder that is read as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adjutant_agent::definition::document::Problems;
use adjutant_agent::definition::{Defaults, Definition, Gaps, Source};
use adjutant_agent::rules::Forbids;
use adjutant_core::json::Json;
use adjutant_core::limit::Limits;
use adjutant_core::secret::Secrets;
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_policy::cedar::{Policies, Schema};
use adjutant_tool::Registry;
use adjutant_tool::Tool;
use adjutant_tool::library::Library;
use adjutant_tool::mcp::{Pin, Server};
use adjutant_tool::skill::Skill;

use super::agents::Agents;
use super::around::Around;
use super::cases::{self, Case};
use super::colleagues;
use super::environment::Environment;
use super::file;
use super::forbids::Current;
use super::layers::Overlay;
use super::layout::Layout;
use super::loader::Loader;
use super::lock::Lock;
use super::models::{Key, Models};
use super::policies;
use super::secrets::ProjectSecrets;
use super::settings::{self, Settings};
use super::skills::{self, Skills};
use super::tools::{ToolKind, Toolsets};
use super::triggers;
use super::unread::Unread;

/// The file that makes a folder a project.
pub(super) const FILE: &str = "adjutant.toml";
/// Where its agents are.
pub(super) const AGENTS: &str = "agents";
/// Where its workflows are.
const WORKFLOWS: &str = "workflows";

/// A project: its settings, its agents, their tools and models. It is read as a whole; so what is wrong with one file
/// is known before the first run.
#[derive(Debug)]
pub struct Project {
    pub(super) folder: PathBuf,
    pub(super) settings: Settings,
    pub(super) agents: BTreeMap<String, Source>,
    pub(super) definitions: BTreeMap<String, Definition>,
    pub(super) toolsets: Toolsets,
    pub(super) skills: Skills,
    pub(super) lock: Lock,
    pub(super) library: Library,
    pub(super) models: Models,
    pub(super) policies: policies::Read,
    /// Whether it is a folder, whose files may change.
    pub(super) has_files: bool,
    pub(super) secrets: Arc<ProjectSecrets>,
    /// How it was read; none of one that has no files.
    pub(super) reading: Option<Reading>,
    /// What tells one reading from another; tenants share that of the project they are of.
    pub(super) number: Arc<()>,
    /// Whether it is that of a tenant other than its own.
    pub(super) is_of_tenant: bool,
    /// The agent whose file was named, where one was.
    pub(super) named: Option<String>,
}

/// How a project was read.
#[derive(Clone)]
pub(super) struct Reading {
    path: PathBuf,
    environment: Environment,
    tools: Vec<Arc<dyn Tool>>,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Project {
    /// Reads a project with the environment of this process: a folder, or one Markdown file with an agent.
    ///
    /// A folder needs no `adjutant.toml` if it has `agents/*.md`. A single file belongs to the project around it, that
    /// is to an `adjutant.toml` beside it or beside its folder `agents`.
    ///
    /// Reports everything that is wrong, in all files, each error with its file, line and column.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Vec<Error>> {
        Self::load_with(path, Environment::process())
    }

    /// Reads a project with another environment.
    pub fn load_with(path: impl AsRef<Path>, environment: Environment) -> Result<Self, Vec<Error>> {
        let (project, errors) = Self::load_in_part(path, environment)?;
        if errors.is_empty() { Ok(project) } else { Err(errors) }
    }

    /// Reads as much of a project as is right, and says what is wrong with the rest: enough to look at its runs, and to
    /// end them. Fails where there is no project at all.
    pub fn load_in_part(
        path: impl AsRef<Path>,
        environment: Environment,
    ) -> Result<(Self, Vec<Error>), Vec<Error>> {
        Self::read(path.as_ref(), environment, Vec::new())
    }

    /// Reads a project whose agents and workflows may name functions of this program as tools:
    /// `Project::with_tool(refund).load("helpdesk")`.
    pub fn with_tool(tool: impl Into<Arc<dyn Tool>>) -> Loader {
        Loader::default().with_tool(tool)
    }

    /// Reads as much of a project as is right, with further tools by their own names.
    pub(super) fn read(
        path: &Path,
        environment: Environment,
        tools: Vec<Arc<dyn Tool>>,
    ) -> Result<(Self, Vec<Error>), Vec<Error>> {
        let layout = Layout::of(path).map_err(|error| vec![error])?;
        let reading =
            Reading { path: path.to_owned(), environment: environment.clone(), tools: tools.clone() };
        let mut errors = Vec::new();
        let overlay = Overlay::of(&environment);
        let (settings, mut unread, problems) = read_settings(&layout, &environment, &overlay, &mut errors)?;
        let lock = Lock::read(&layout.folder, &layout.shown).map_err(|error| errors.push(error)).ok();
        let mut in_agents = Vec::new();
        let agents = match &layout.agent {
            None => {
                let (folder, shown) = (layout.folder.join(AGENTS), layout.shown.join(AGENTS));
                let mut agents = Agents::read_all(&folder, &shown, &mut in_agents);
                let (folder, shown) = (layout.folder.join(WORKFLOWS), layout.shown.join(WORKFLOWS));
                agents.read_workflows(&folder, &shown, &mut in_agents);
                agents
            }
            Some((path, shown)) => {
                let mut agents = Agents::default();
                agents.read(path, shown, &mut in_agents);
                agents.read_asked(path, shown, &mut in_agents);
                agents
            }
        };

        let named = layout.agent.as_ref().and_then(|_| agents.first.clone());
        let used: BTreeSet<&str> =
            agents.all().flat_map(|agent| &agent.tools).map(|tool| tool.name.as_str()).collect();
        let is_locked = lock.is_some();
        let lock = lock.unwrap_or_else(|| Lock::empty(&layout.folder));
        let secrets = Arc::new(ProjectSecrets::new(
            settings.secrets.clone(),
            environment.clone(),
            layout.folder.clone(),
            settings.vault.clone(),
        ));
        let library = Library::new(
            &layout.folder,
            settings.vault.clone(),
            Arc::<ProjectSecrets>::clone(&secrets) as Arc<dyn Secrets>,
        );
        let mut toolsets = Toolsets::build(&settings.tools, &used, &lock, &problems);
        errors.extend(toolsets.add_functions(tools));
        errors.extend(toolsets.add_library(&library).err());
        let built: BTreeSet<&str> = toolsets.names().map(|(name, _)| name).collect();
        unread.tools.extend(settings.tools.keys().map(String::as_str).filter(|name| !built.contains(name)));
        if !is_locked {
            // What was accepted of them is what could not be read.
            unread.tools.extend(toolsets.servers().keys().map(String::as_str));
        }
        if layout.agent.is_none() {
            check_reception(&settings, &agents, &problems);
            triggers::check(&settings.triggers, &agents, &problems);
        }
        let mut reported: Vec<Error> =
            problems.into_errors().into_iter().map(|error| overlay.told(error)).collect();
        reported.append(&mut errors);
        let mut errors = reported;

        let skills = skills::read_all(
            &layout.folder.join(skills::FOLDER),
            &layout.shown.join(skills::FOLDER),
            &mut errors,
        );

        let models = Models::new(&settings, environment, Arc::clone(&secrets));
        let mut definitions = BTreeMap::new();
        let around = Around {
            defaults: defaults(&settings, &skills),
            settings: &settings,
            toolsets: &toolsets,
            models: &models,
            unread,
        };
        // Where what stands around them is not whole, no agent is either.
        if errors.is_empty() {
            definitions = colleagues::define(&agents.whole, |source| around.define(source), &mut in_agents);
        } else {
            in_agents
                .extend(agents.whole.values().flat_map(|source| around.dangling(source, Gaps::default())));
        }
        for (source, gaps) in &agents.parts {
            in_agents.extend(around.dangling(source, *gaps));
        }
        in_agents.extend(colleagues::strangers(&agents));
        in_agents.sort_by_key(|error| error.location().map(|at| (at.file.clone(), at.line, at.column)));
        errors.append(&mut in_agents);
        // Where a tool could not be read, its name in a policy is no mistake.
        let policies = match errors.is_empty() {
            true => {
                let schema = || policies::schema(&settings, &definitions, &toolsets, &models);
                policies::read(&layout.folder, &layout.shown, &settings.policy, schema, &mut errors)
            }
            false => policies::unread(&layout.folder, &settings.policy),
        };
        let (folder, agents) = (layout.folder, agents.whole);
        Ok((
            Self {
                folder,
                settings,
                agents,
                definitions,
                toolsets,
                skills,
                lock,
                library,
                models,
                policies,
                has_files: true,
                secrets,
                reading: Some(reading),
                number: Arc::default(),
                is_of_tenant: false,
                named,
            },
            errors,
        ))
    }

    /// A project of which nothing is written: no agents, no tools, the default settings, and the models that
    /// `environment` gives. It is what a program has that brings its agents itself.
    pub fn without_files(environment: Environment) -> Result<Self> {
        let folder = std::path::absolute(".").map_err(|error| {
            Error::new(Code::FileUnreadable, "the current folder cannot be read").caused_by(&error)
        })?;
        let settings = Settings::default_in(&folder, &environment);
        let secrets = Arc::new(ProjectSecrets::new(
            BTreeMap::new(),
            environment.clone(),
            folder.clone(),
            settings.vault.clone(),
        ));
        Ok(Self {
            models: Models::new(&settings, environment, Arc::clone(&secrets)),
            toolsets: Toolsets::build(
                &settings.tools,
                &BTreeSet::new(),
                &Lock::empty(&folder),
                &Problems::new(FILE),
            ),
            skills: Skills::new(),
            lock: Lock::empty(&folder),
            library: Library::new(
                &folder,
                settings.vault.clone(),
                Arc::<ProjectSecrets>::clone(&secrets) as Arc<dyn Secrets>,
            ),
            agents: BTreeMap::new(),
            definitions: BTreeMap::new(),
            policies: policies::Read::None,
            has_files: false,
            folder,
            settings,
            secrets,
            reading: None,
            number: Arc::default(),
            is_of_tenant: false,
            named: None,
        })
    }

    /// The agents and workflows by their names, ready to be pinned.
    pub(crate) fn definitions(&self) -> &BTreeMap<String, Definition> {
        &self.definitions
    }

    /// Whether the two were read at different times.
    pub(crate) fn is_another_reading_of(&self, other: &Self) -> bool {
        !Arc::ptr_eq(&self.number, &other.number)
    }

    /// Reads the same project as it is now: from the same place, with the same environment and functions of the program.
    ///
    /// Reports everything that is wrong, as [`load`](Self::load) does.
    pub fn again(&self) -> Result<Self, Vec<Error>> {
        let Some(Reading { path, environment, tools }) = self.reading.clone() else {
            return Err(vec![Error::new(Code::Conflict, "there is no project that could be read again")]);
        };
        let (project, errors) = Self::read(&path, environment, tools)?;
        if errors.is_empty() { Ok(project) } else { Err(errors) }
    }

    /// The files beside the project's own that its settings name, and that are read with them.
    pub(crate) fn further_files(&self) -> Vec<PathBuf> {
        let documents = self.settings.tools.values().filter_map(|tool| match &tool.kind {
            ToolKind::OpenApi(config) => Some(config.document.path.clone()),
            _ => None,
        });
        let named = self.reading.as_ref().map(|reading| reading.path.clone()).filter(|path| path.is_file());
        documents.chain(self.settings.catalogue_file.clone()).chain(named).collect()
    }

    /// The folder, absolute. Relative paths in `adjutant.toml` begin here.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What `adjutant.toml` says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The agents as they are written, in the order of their names.
    pub fn agents(&self) -> impl Iterator<Item = &Source> {
        self.agents.values()
    }

    /// The agent of that name, ready to be pinned: with its tools looked up and the id of its model.
    ///
    /// Fails with [`Code::NotFound`].
    pub fn definition(&self, agent: &str) -> Result<&Definition> {
        self.definitions.get(agent).ok_or_else(|| self.no_such_agent(agent))
    }

    /// The agent to talk to where nobody names one: that of the file that was opened, the one that the project names, the
    /// only one there is, or the one called like the project.
    ///
    /// Fails with [`Code::NotFound`] when there are none, and with [`Code::InputInvalid`] when there are several; then a
    /// model may choose where the project says so (`route` of `[project]`).
    pub fn default_agent(&self) -> Result<&Definition> {
        let named = |name: &str| self.definitions.get(name);
        let meant = self.settings.reception.agent.as_ref().map(|agent| agent.name.as_str());
        if let Some(meant) = self.named.as_deref().or(meant).and_then(named) {
            return Ok(meant);
        }
        let named = named(&self.settings.scope.project);
        let mut all = self.definitions.values();
        match (all.next(), all.next(), named) {
            (Some(only), None, _) => Ok(only),
            (Some(_), Some(_), Some(named)) => Ok(named),
            (None, ..) => Err(Error::new(Code::NotFound, "the project has no agents")
                .with_help("write one: `agents/desk.md`, with front matter and a prompt")),
            (Some(_), Some(_), None) => Err(Error::new(
                Code::InputInvalid,
                "the project has several agents, and none is called like it",
            )
            .with_help(format!(
                "name one of {}; or let `[project]` of {FILE} name one with `agent`, or have one chosen with `route = true`",
                self.names()
            ))),
        }
    }

    /// Every tool that the settings or the agents name.
    pub fn tools(&self) -> &Registry {
        self.toolsets.registry()
    }

    /// Every tool that a run may have been started with: those that need no table are there also when no agent names
    /// them any more.
    pub fn reachable_tools(&self) -> Registry {
        self.toolsets.reachable()
    }

    /// The names under `[tools]` and the tools that each stands for.
    pub fn toolsets(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.toolsets.names()
    }

    /// The servers of the Model Context Protocol, by their names under `[tools]`. None is started yet.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.toolsets.servers().values()
    }

    /// What was accepted of a server, by `adjutant.lock`.
    pub fn accepted(&self, server: &str) -> Option<&Pin> {
        self.lock.server(server)
    }

    /// Accepts what servers offer, and writes it into `adjutant.lock`. It counts when the project is read anew.
    ///
    /// Fails with [`Code::FileUnreadable`] when the file cannot be written, and with [`Code::Conflict`] for a tenant other than the
    /// project's own: it holds for all of them.
    pub fn accept(&self, offers: BTreeMap<String, Pin>) -> Result<()> {
        if self.is_of_tenant {
            let message = format!(
                "the tenant `{}` cannot accept for all others what servers offer",
                self.settings.scope.tenant
            );
            return Err(Error::new(Code::Conflict, message)
                .with_help("accept it for the project: `adjutant tools trust`"));
        }
        self.lock.accept(offers, |name| self.toolsets.servers().contains_key(name))
    }

    /// The tools that agents have made.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// The skills that could be read, by their names.
    pub fn skills(&self) -> impl Iterator<Item = &Skill> {
        self.skills.values().flatten()
    }

    /// The models, by role and id.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// The policies; none where the project has none, and the definitions of its agents decide.
    ///
    /// Fails with [`Code::ProjectInvalid`] where there are some that cannot be read: then nothing is allowed.
    pub fn policies(&self) -> Result<Option<&Arc<Policies>>> {
        match &self.policies {
            policies::Read::None => Ok(None),
            policies::Read::Whole(policies) => Ok(Some(policies)),
            policies::Read::Broken => Err(Error::new(Code::ProjectInvalid, "the policies cannot be read")
                .with_help("`adjutant check` says what is wrong with them")),
        }
    }

    /// The policies that stand in the project's own files, without those that a lockdown adds: what their author can be told
    /// about. None where there are no files.
    ///
    /// Fails with [`Code::ProjectInvalid`] where they cannot be read.
    pub fn written_policies(&self) -> Result<Option<Arc<Policies>>> {
        let Some(policies) = self.policies()? else { return Ok(None) };
        if !self.settings.policy.lockdown {
            return Ok(Some(Arc::clone(policies)));
        }
        let files: Vec<_> =
            policies.files().iter().filter(|file| policies::is_written(file)).cloned().collect();
        if files.is_empty() {
            return Ok(None);
        }
        let read = Policies::parse(&files, self.settings.policy.mode, policies.schema());
        read.map(|written| Some(Arc::new(written))).map_err(|problems| {
            problems.into_iter().next().map_or_else(
                || Error::new(Code::ProjectInvalid, "the policies cannot be read"),
                |problem| policies::placed(problem, &self.folder),
            )
        })
    }

    /// What the policies forbid as their files are at each moment; none of what has no files.
    pub(crate) fn forbids(&self) -> Option<Arc<dyn Forbids>> {
        let schema = self.policy_schema();
        let current = || Current::new(self.folder.clone(), self.settings.policy.clone(), schema);
        self.has_files.then(|| Arc::new(current()) as Arc<dyn Forbids>)
    }

    /// The policies as a run of an agent pins them: with the tools that it brings itself.
    ///
    /// Fails with [`Code::ProjectInvalid`] where they cannot be read.
    pub(crate) fn pinned_policies(&self, definition: &Definition) -> Result<Option<Json>> {
        let Some(policies) = self.policies()? else { return Ok(None) };
        let mut pinned = policies.pinned();
        let all = std::iter::once(definition).chain(definition.nested());
        let more = all.flat_map(policies::tools_of).filter(|spec| !policies.schema().has(&spec.name));
        let more: Vec<_> = more.collect();
        if !more.is_empty() {
            pinned.schema.extend(more);
            pinned.open().map_err(|problems| {
                problems.into_iter().next().map_or_else(
                    || Error::new(Code::ProjectInvalid, "the policies do not fit the agent's tools"),
                    |problem| policies::placed(problem, &self.folder),
                )
            })?;
        }
        Json::of(&pinned).map(Some)
    }

    /// The cases that stand beside the policies, in the order of the files. `shown` is how the person knows the folder.
    ///
    /// Fails with everything that is wrong with them.
    pub fn policy_cases(&self, shown: &Path, policies: &Policies) -> Result<Vec<Case>, Vec<Error>> {
        cases::read_all(&self.folder, shown, policies, &self.reachable_tools())
    }

    /// What policies can speak of here.
    pub fn policy_schema(&self) -> Schema {
        policies::schema(&self.settings, &self.definitions, &self.toolsets, &self.models)
    }

    /// The secrets, for tools.
    pub fn secrets(&self) -> Arc<dyn Secrets> {
        Arc::<ProjectSecrets>::clone(&self.secrets) as Arc<dyn Secrets>
    }

    /// The secrets with their places, for those who report on them.
    pub fn secret_places(&self) -> &ProjectSecrets {
        &self.secrets
    }

    /// What is well written and still will not work here and now: a key or a secret that is not where it should be.
    pub fn check(&self) -> Vec<Error> {
        let mut errors = Vec::new();
        let mut seen = BTreeSet::new();
        for definition in self.definitions.values().filter(|definition| seen.insert(&definition.model)) {
            match self.models.choice(&definition.model) {
                Ok(choice) => {
                    if let Key::Missing(..) = choice.key {
                        errors.extend(self.models.get(&definition.model).err());
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        let tls = self.settings.server.tls.iter().flat_map(|tls| [&tls.certificate, &tls.key]);
        errors.extend(tls.filter(|path| !path.is_file()).map(|path| {
            let message = format!("`{}`, which `server.tls` names, is not there", path.display());
            Error::new(Code::FileUnreadable, message).with_help("put it there, or correct the path")
        }));
        for (name, source) in self.secrets.named() {
            if let Err(error) = self.secrets.at(source) {
                let message = format!("the secret `{name}` cannot be had: {}", error.message());
                let explained = Error::new(error.code(), message);
                errors.push(match error.help() {
                    Some(help) => explained.with_help(help),
                    None => explained,
                });
            }
        }
        errors
    }

    fn no_such_agent(&self, name: &str) -> Error {
        let error = Error::new(Code::NotFound, format!("there is no agent `{name}`"));
        match nearest(name, self.agents.keys().map(String::as_str)) {
            Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
            None if self.agents.is_empty() => {
                error.with_help("the project has no agents: write `agents/desk.md`")
            }
            None => error.with_help(format!("there are {}", self.names())),
        }
    }

    fn names(&self) -> String {
        self.agents.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }
}

fn read_settings(
    layout: &Layout,
    environment: &Environment,
    overlay: &Overlay,
    errors: &mut Vec<Error>,
) -> Result<(Settings, Unread, Problems), Vec<Error>> {
    let path = layout.folder.join(FILE);
    let problems = Problems::new(layout.shown.join(FILE).to_string_lossy());
    errors.extend(overlay.unknown());
    if !path.exists() && layout.agent.is_none() && !layout.folder.join(AGENTS).is_dir() {
        let message =
            format!("`{}` is no project: it has neither `{FILE}` nor `{AGENTS}/`", layout.shown.display());
        return Err(vec![Error::new(Code::NotFound, message).with_help("`adjutant new` makes one")]);
    }
    // Where there is no file, what the environment says holds all the same.
    let text = if path.exists() { file::read(&path, settings::LONGEST) } else { Ok(String::new()) };
    match text {
        Ok(text) => {
            let (settings, unread) = Settings::read(&text, &layout.folder, environment, overlay, &problems);
            Ok((settings, unread, problems))
        }
        Err(error) => {
            errors.push(error);
            Ok((Settings::default_in(&layout.folder, environment), Unread::all(), problems))
        }
    }
}

/// Notes where the project names an agent that it does not have.
fn check_reception(settings: &Settings, agents: &Agents, problems: &Problems) {
    let Some(named) = &settings.reception.agent else { return };
    let names = || agents.all().map(|agent| agent.name.as_str());
    if let Some(place) = named.place
        && !names().any(|name| name == named.name)
    {
        let help = match nearest(&named.name, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "name one of {}",
                names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ),
        };
        problems.report_with(place, format!("there is no agent `{}`", named.name), help);
    }
}

pub(super) fn defaults(settings: &Settings, skills: &Skills) -> Defaults {
    let mut limits = Limits::default();
    settings.limits.iter().for_each(|setting| setting.apply(&mut limits));
    Defaults {
        limits,
        stop: settings.stop.clone(),
        variables: settings.variables.clone(),
        skills: skills.clone(),
        tool_search: settings.tool_search.clone(),
        guardrails: settings.guardrails.clone(),
    }
}
