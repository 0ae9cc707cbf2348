//! `adjutant.toml` as data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adjutant_agent::definition::document::{Problems, Table};
use adjutant_agent::definition::{Condition, Guardrail, Named, Setting, ToolSearchSettings, read_settings};
use adjutant_core::id::Scope;
use adjutant_core::money::Money;
use adjutant_core::{Code, Error};
use adjutant_durable::Amount;
use adjutant_model::catalogue::Catalogue;
use adjutant_tool::sandbox;
use adjutant_tool::vault::Vault;
use serde_json::{Map, Value};

use super::approvals::{self, ApprovalSettings};
use super::environment::Environment;
use super::layers::{Effective, Overlay};
use super::models::{self, ModelSettings};
use super::policies::PolicySettings;
use super::secrets::SecretSource;
use super::server::ServerSettings;
use super::substitution::substitute;
use super::toml;
use super::tools::{self, ToolSettings};
use super::triggers::{self, TriggerSettings};
use super::unread::Unread;
use super::vault;

/// The longest `adjutant.toml`, in bytes.
pub(super) const LONGEST: u64 = 1 << 20;

/// What a project may spend on a day (UTC), all of its runs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Money, over all model calls whose price is known; no bound where none is given.
    pub money: Option<Money>,
    /// Tokens in and out; no bound where none is given.
    pub tokens: Option<u64>,
}

impl Budget {
    /// What the ledger is given as the bound of a day; none where nothing is bounded.
    pub fn amount(self) -> Option<Amount> {
        (self != Self::default()).then(|| Amount {
            tokens: self.tokens.unwrap_or(u64::MAX),
            nanos: self.money.map_or(i64::MAX, Money::nanos),
        })
    }
}

/// Who answers where nobody names an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reception {
    /// The agent that the project names.
    pub agent: Option<Named>,
    /// Whether a model chooses among the agents where the project names none and none is called like it.
    pub routes: bool,
}

/// What `adjutant.toml` says. Every key is described in `docs/configuration.md`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose project it is, and what it is called.
    pub scope: Scope,
    /// Who answers where nobody names an agent.
    pub reception: Reception,
    /// Whether conversations are given titles by a model, where there is one for such work.
    pub titles: bool,
    /// The file of the store.
    pub store: PathBuf,
    /// What the project may spend on a day.
    pub budget: Budget,
    /// How long people have to answer approvals, and who is told of them.
    pub approvals: ApprovalSettings,
    /// Limits for all agents that do not say otherwise.
    pub limits: Vec<Setting>,
    /// When any agent or workflow has done enough, beside what it says itself.
    pub stop: Option<Condition>,
    /// When agents search for their tools, where they do not say it.
    pub tool_search: ToolSearchSettings,
    /// Guardrails by the names that agents use for them; none for one that could not be read.
    pub guardrails: BTreeMap<String, Option<Guardrail>>,
    /// Values for the variables of all prompts.
    pub variables: Map<String, Value>,
    /// What is known of models without being told.
    pub catalogue: Catalogue,
    /// The project's own list of them, where it has one.
    pub catalogue_file: Option<PathBuf>,
    /// What stands for each role.
    pub models: BTreeMap<String, ModelSettings>,
    /// The tools, by the names that agents use for them.
    pub tools: BTreeMap<String, ToolSettings>,
    /// What sandboxed tools see and take where they say nothing else.
    pub sandbox: sandbox::Config,
    /// Where what is kept encrypted is, whose key also signs.
    pub vault: Vault,
    /// Where secrets are, by the names that tools use for them.
    pub secrets: BTreeMap<String, SecretSource>,
    /// What stands around the policies.
    pub policy: PolicySettings,
    /// What begins runs without a person.
    pub triggers: BTreeMap<String, TriggerSettings>,
    /// How it is served.
    pub server: ServerSettings,
    /// Every setting that can be given, as it holds, and where it comes from.
    pub(super) effective: Vec<Effective>,
}

impl Settings {
    /// Every setting that the environment and flags can give, and every other one that the file has, as it holds and with where it
    /// comes from. What may be a secret is hidden.
    pub fn effective(&self) -> &[Effective] {
        &self.effective
    }

    /// What holds in a folder without `adjutant.toml`.
    pub fn default_in(folder: &Path, environment: &Environment) -> Self {
        let store = folder.join(".adjutant").join("adjutant.db");
        Self {
            scope: Scope::default(),
            reception: Reception::default(),
            titles: true,
            sandbox: tools::default_in(folder, &store),
            store,
            budget: Budget::default(),
            approvals: ApprovalSettings::default(),
            limits: Vec::new(),
            stop: None,
            tool_search: ToolSearchSettings::default(),
            guardrails: BTreeMap::new(),
            variables: Map::new(),
            catalogue: Catalogue::built_in().clone(),
            catalogue_file: None,
            models: BTreeMap::new(),
            tools: BTreeMap::new(),
            vault: vault::default_in(folder, environment),
            secrets: BTreeMap::new(),
            policy: PolicySettings::default(),
            triggers: BTreeMap::new(),
            server: ServerSettings::default(),
            effective: Vec::new(),
        }
    }

    /// Reads the text of `adjutant.toml`. What is wrong is noted and left out; relative paths begin at `folder`.
    pub(super) fn read(
        text: &str,
        folder: &Path,
        environment: &Environment,
        overlay: &Overlay,
        problems: &Problems,
    ) -> (Self, Unread) {
        let mut settings = Self::default_in(folder, environment);
        let Some(mut root) = toml::parse(text, problems) else { return (settings, Unread::all()) };
        overlay.lay(&mut root);
        settings.effective = Effective::all(&root, overlay, problems.file());
        substitute(&mut root, environment, problems);
        let Some(root) = Table::new(&root, "", problems) else { return (settings, Unread::all()) };
        if let Some(project) = root.table("project") {
            settings.reception = read_reception(&project);
            settings.titles = project.flag("titles").unwrap_or(settings.titles);
            settings.scope = read_scope(project);
        }
        if let Some(store) = root.table("store") {
            settings.store = store.text("path").map_or(settings.store, |path| folder.join(path));
            store.finish();
        }
        if let Some(budget) = root.table("budget") {
            settings.budget = read_budget(budget);
        }
        if let Some(search) = root.table("tool_search") {
            settings.tool_search = ToolSearchSettings::read(search, false);
        }
        if let Some(limits) = root.table("limits") {
            settings.limits = read_settings(limits);
        }
        settings.stop = Condition::read_for_all(&root);
        for entry in root.named("guardrails") {
            let table =
                Table::new(&entry.value, root.name_of(&format!("guardrails.{}", entry.key)), problems);
            let read = table.and_then(|table| Guardrail::read(&entry.key, table));
            settings.guardrails.insert(entry.key.clone(), read);
        }
        for entry in root.named("variables") {
            settings.variables.insert(entry.key.clone(), entry.value.to_json());
        }
        if let Some(policy) = root.table("policy") {
            settings.policy = PolicySettings::read(policy);
        }
        settings.secrets = read_secrets(&root, folder);
        if let Some(table) = root.table("approvals") {
            settings.approvals = approvals::read(table, folder, &settings.secrets);
        }
        settings.catalogue_file = root.text("catalogue").map(|name| folder.join(name));
        settings.catalogue = read_catalogue(&root, folder, settings.catalogue);
        settings.models = models::read(&root, folder);
        settings.sandbox = tools::read_defaults(&root, folder, &settings.store);
        settings.vault = vault::read(&root, folder, environment, &settings.secrets);
        settings.tools = tools::read(&root, folder, &settings.secrets, &settings.sandbox, &settings.vault);
        settings.triggers = triggers::read(&root, folder, &settings.secrets);
        if let Some(server) = root.table("server") {
            settings.server = ServerSettings::read(server, folder, &settings.secrets);
        }
        let unread = Unread::of(&root, &settings);
        root.finish();
        (settings, unread)
    }
}

fn read_reception(table: &Table<'_>) -> Reception {
    let place = table.value("agent").map(|node| node.place);
    let agent = table.text("agent").map(|name| Named { name: name.trim().to_owned(), place });
    Reception { agent, routes: table.flag("route").unwrap_or(false) }
}

fn read_scope(table: Table<'_>) -> Scope {
    let default = Scope::default();
    let name = table.text("name").unwrap_or(&default.project);
    let tenant = table.text("tenant").unwrap_or(&default.tenant);
    let scope = Scope::new(tenant, name);
    if let Err(error) = &scope {
        let bad =
            [("name", name), ("tenant", tenant)].into_iter().find(|(_, text)| error.message().contains(text));
        let place = bad.and_then(|(key, _)| table.value(key)).map_or(table.place(), |node| node.place);
        table.problems().report_with(place, error.message(), error.help().unwrap_or_default());
    }
    table.finish();
    scope.unwrap_or(default)
}

/// The list of models with the project's own before it.
fn read_catalogue(root: &Table<'_>, folder: &Path, built_in: Catalogue) -> Catalogue {
    let Some(name) = root.text("catalogue") else { return built_in };
    let read = std::fs::read_to_string(folder.join(name))
        .map_err(|error| {
            Error::new(Code::FileUnreadable, format!("`{name}` cannot be read")).caused_by(&error)
        })
        .and_then(|text| Catalogue::read(&text, name));
    match read {
        Ok(own) => built_in.extended_by(own),
        Err(error) => {
            let place = root.value("catalogue").map_or(root.place(), |node| node.place);
            let help = error.help().unwrap_or("its form is described in docs/configuration.md");
            root.problems().report_with(place, error.to_string(), help);
            built_in
        }
    }
}

fn read_budget(table: Table<'_>) -> Budget {
    let budget = Budget { money: table.money("money"), tokens: table.integer("tokens", 1..=u64::MAX / 2) };
    table.choice("per", &[("day", ())]);
    table.finish();
    budget
}

fn read_secrets(root: &Table<'_>, folder: &Path) -> BTreeMap<String, SecretSource> {
    let entries = root.named("secrets").iter();
    let read = entries.filter_map(|entry| {
        let path = format!("secrets.{}", entry.key);
        Some((entry.key.clone(), SecretSource::of_node(&entry.value, &path, root, folder)?))
    });
    read.collect()
}
