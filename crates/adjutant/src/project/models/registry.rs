//! Which model stands behind a name.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::id::Scope;
use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_model::cassette::UNKNOWN;
use adjutant_model::catalogue::Catalogue;
use adjutant_model::embed::{self, Embedder};
use adjutant_model::layer::cache::{Answers, Cache};
use adjutant_model::layer::{Fallback, Kept, Layers, breaker, limit, retry};
use adjutant_model::offline::Offline;
use adjutant_model::provider::{Config, Probed, Provider};
use adjutant_model::transport::{Renewal, Timeouts};
use adjutant_model::{Model, Profile};

use super::absent::Absent;
use super::carriage::Carriage;
use super::embedding::{Embedders, for_vectors};
use super::endpoint::{Endpoint, Header};
use super::known;
use super::settings::{LocalModel, ModelSettings};
use crate::project::environment::Environment;
use crate::project::secrets::{ProjectSecrets, SecretSource};
use crate::project::settings::Settings;

/// The role that an agent's model has unless its author says otherwise.
const MAIN: &str = "main";
/// Overrides the role `main`: a model id or another role.
const VARIABLE: &str = "ADJUTANT_MODEL";
/// OpenAI's model where nothing but a key is known.
const DEFAULT_OPENAI: &str = "gpt-4.1-mini";
/// Stands for a key where none is needed. It is too short to be taken for one that must be hidden.
const NO_KEY: &str = "played";
/// How often one role may lead to another.
const LONGEST_CHAIN: usize = 16;

/// The models of a project, by role and by id. A model is built when it is first asked for; so a key that is missing
/// matters only to those who use it.
pub struct Models {
    settings: BTreeMap<String, ModelSettings>,
    catalogue: Catalogue,
    environment: Environment,
    secrets: Arc<ProjectSecrets>,
    /// By role or id: what the program brought.
    brought: Mutex<HashMap<String, Arc<dyn Model>>>,
    pub(super) shared: Arc<Shared>,
    /// By id: those that give kept answers again, each around the model that is asked where there is none.
    keeping: Mutex<HashMap<String, Keeping>>,
    pub(super) embedders: Mutex<Embedders>,
    /// The folder of the answers that are kept.
    answers: PathBuf,
    /// The folder of the vectors that are kept.
    pub(super) vectors: PathBuf,
}

/// What is the providers' and not a tenant's: connections, limits, breakers. It holds nothing of what is said.
#[derive(Default)]
pub(super) struct Shared {
    /// By id: what was asked for before.
    built: Mutex<HashMap<String, Arc<dyn Model>>>,
    /// By id: the same of embedders.
    pub(super) embedders: Mutex<HashMap<String, Arc<dyn Embedder>>>,
    pub(super) carriage: Mutex<Carriage>,
    pub(super) exchanges: Arc<AtomicU64>,
}

/// A model without and with the answers that are kept of it.
struct Keeping {
    alone: Arc<dyn Model>,
    keeping: Arc<dyn Model>,
}

/// What was decided for a name, without building it or reaching out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The role or id that was asked for.
    pub name: String,
    /// The id of the model.
    pub id: String,
    /// Whose model it is; `offline` for the built-in one.
    pub provider: String,
    /// Where requests go; none for a model on this machine that needs no server.
    pub base_url: Option<String>,
    /// Whether there is a key.
    pub key: Key,
    /// What decided it.
    pub origin: Origin,
}

/// Everything about a model that can be said without asking it.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// What was decided.
    pub choice: Choice,
    /// What it can do, and what it costs.
    pub profile: Profile,
    /// The layers around it, from the outside in, a line each.
    pub layers: Vec<String>,
    /// Who is asked where it does not answer.
    pub fallback: Vec<String>,
    /// Those of the fallback whose price is not known: no budget in money holds once one of them answers.
    pub unpriced: Vec<String>,
    /// How long its provider may take; none for a model without a provider.
    pub timeouts: Option<Timeouts>,
    /// What its vectors are like, if it makes vectors. The rest of its profile means nothing then.
    pub embedding: Option<embed::Known>,
}

impl Details {
    fn of(choice: Choice, profile: &Profile) -> Self {
        Self {
            choice,
            profile: profile.clone(),
            layers: Vec::new(),
            fallback: Vec::new(),
            unpriced: Vec::new(),
            timeouts: None,
            embedding: None,
        }
    }
}

/// Whether there is a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The server wants none, or nobody said where one is.
    None,
    /// It is there.
    Found(SecretSource),
    /// It is said where it should be, and it is not there.
    Missing(SecretSource, Error),
}

/// What decided which model it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An environment variable.
    Variable(&'static str),
    /// `adjutant.toml`.
    Project,
    /// The name itself is a model id.
    Id,
    /// The program that embeds Adjutant brought it.
    Program,
    /// Nothing: it is what there is without any setting.
    Default,
}

impl Choice {
    /// What a person must know before the model answers: that it is no LLM, where nobody chose it.
    pub fn notice(&self) -> Option<String> {
        (self.origin == Origin::Default).then(|| {
            "no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a \
             real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`"
                .to_owned()
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "{name} in the environment"),
            Self::Project => f.write_str("adjutant.toml"),
            Self::Id => f.write_str("its id"),
            Self::Program => f.write_str("the program"),
            Self::Default => f.write_str("the default"),
        }
    }
}

pub(super) enum Plan {
    Offline,
    Endpoint(Box<Endpoint>),
    Local(LocalModel),
    Program(Arc<dyn Model>),
}

impl Models {
    pub(in crate::project) fn new(
        settings: &Settings,
        environment: Environment,
        secrets: Arc<ProjectSecrets>,
    ) -> Self {
        Self {
            settings: settings.models.clone(),
            catalogue: settings.catalogue.clone(),
            environment,
            secrets,
            brought: Mutex::default(),
            shared: Arc::default(),
            keeping: Mutex::default(),
            embedders: Mutex::default(),
            answers: kept_in("answers", &settings.store, &settings.scope),
            vectors: kept_in("vectors", &settings.store, &settings.scope),
        }
    }

    /// The same models for another owner, with answers and vectors of its own. Connections, limits and breakers are those of the
    /// providers, so they stay the same ones.
    pub(in crate::project) fn of(&self, scope: &Scope, store: &Path) -> Self {
        Self {
            settings: self.settings.clone(),
            catalogue: self.catalogue.clone(),
            environment: self.environment.clone(),
            secrets: Arc::clone(&self.secrets),
            brought: Mutex::new(lock(&self.brought).clone()),
            shared: Arc::clone(&self.shared),
            keeping: Mutex::default(),
            embedders: Mutex::new(lock(&self.embedders).of_another()),
            answers: kept_in("answers", store, scope),
            vectors: kept_in("vectors", store, scope),
        }
    }

    /// Takes over what an earlier reading of the project has of providers: models that are asked in the same way stay the same ones,
    /// with their connections, limits and breakers. So do those that the program brought.
    pub(crate) fn take_over(&self, earlier: &Self) {
        let brought = lock(&earlier.brought).clone();
        lock(&self.brought).extend(brought);
        let brought = lock(&earlier.embedders).brought.clone();
        lock(&self.embedders).brought.extend(brought);
        if Arc::ptr_eq(&self.shared, &earlier.shared) {
            return;
        }
        let carriage = lock(&earlier.shared.carriage).clone();
        *lock(&self.shared.carriage) = carriage;
        let (models, embedders) =
            (lock(&earlier.shared.built).clone(), lock(&earlier.shared.embedders).clone());
        let same = |id: &str| self.asks_as(earlier, id);
        lock(&self.shared.built).extend(models.into_iter().filter(|(id, _)| same(id)));
        lock(&self.shared.embedders).extend(embedders.into_iter().filter(|(id, _)| same(id)));
    }

    /// Whether a model is asked in the same way by both.
    fn asks_as(&self, earlier: &Self, id: &str) -> bool {
        let endpoint = |models: &Self| match models.by_id(id, &Origin::Id) {
            Ok(Plan::Endpoint(endpoint)) => {
                Some((models.profile(&endpoint), models.known_of(&endpoint), endpoint))
            }
            _ => None,
        };
        endpoint(self).is_some_and(|now| endpoint(earlier).is_some_and(|then| now == then))
    }

    /// Brings a model of the program's own. It has that role, whatever the project and the environment say, and is
    /// found by its id.
    pub fn insert(&self, role: impl Into<String>, model: Arc<dyn Model>) {
        let mut brought = lock(&self.brought);
        brought.insert(model.id().to_owned(), Arc::clone(&model));
        brought.insert(role.into(), model);
    }

    /// The model of a role or an id.
    ///
    /// Fails with [`Code::ModelUnknown`] for a name that nobody gave a model, with [`Code::ModelKeyMissing`] when the
    /// key is not where it should be, and with [`Code::InputInvalid`] for an address that is none.
    pub fn get(&self, name: &str) -> Result<Arc<dyn Model>> {
        let (plan, _) = self.plan(name)?;
        let endpoint = match plan {
            Plan::Program(model) => return Ok(model),
            Plan::Offline => return Ok(self.offline()),
            Plan::Local(local) => return Err(local.does_not_talk()),
            Plan::Endpoint(endpoint) => endpoint,
        };
        let model = self.keeping(&endpoint)?;
        if endpoint.fallback.is_empty() {
            return Ok(model);
        }
        let others = endpoint.fallback.iter().map(|name| self.next(name));
        Ok(Arc::new(Fallback::new(&model, others)))
    }

    /// A model that is asked where another does not answer; its own fallbacks are not asked.
    fn next(&self, name: &str) -> Arc<dyn Model> {
        let model = self.plan(name).and_then(|(plan, _)| match plan {
            Plan::Program(model) => Ok(model),
            Plan::Offline => Ok(self.offline()),
            Plan::Local(local) => Err(local.does_not_talk()),
            Plan::Endpoint(endpoint) => self.keeping(&endpoint),
        });
        model.unwrap_or_else(|error| Arc::new(Absent::new(name, error)))
    }

    /// A model of a provider within all its layers. What it was asked before, by this owner, it answers out of what was kept.
    fn keeping(&self, endpoint: &Endpoint) -> Result<Arc<dyn Model>> {
        let alone = self.alone(endpoint)?;
        let Some((answers, owner)) = self.layers(endpoint).cache else { return Ok(alone) };
        let mut keeping = lock(&self.keeping);
        if let Some(known) = keeping.get(&endpoint.id).filter(|known| Arc::ptr_eq(&known.alone, &alone)) {
            return Ok(Arc::clone(&known.keeping));
        }
        let model: Arc<dyn Model> = Arc::new(Cache::new(Arc::clone(&alone), answers, owner));
        keeping.insert(endpoint.id.clone(), Keeping { alone, keeping: Arc::clone(&model) });
        Ok(model)
    }

    /// A model of a provider within the layers that hold for all who ask it, always the same one.
    fn alone(&self, endpoint: &Endpoint) -> Result<Arc<dyn Model>> {
        // Held until it is there: of two who ask at once, one would have limits of its own.
        let mut built = lock(&self.shared.built);
        if let Some(model) = built.get(&endpoint.id) {
            return Ok(Arc::clone(model));
        }
        let config = self.config(endpoint)?;
        let transport = lock(&self.shared.carriage).transport(config.timeouts, &self.shared.exchanges);
        let remote = endpoint.provider.model_over(&config, transport)?;
        let layers = Layers { cache: None, ..self.layers(endpoint) };
        let model = layers.around(Arc::new(remote));
        built.insert(endpoint.id.clone(), Arc::clone(&model));
        Ok(model)
    }

    /// The layers around a model.
    pub(super) fn layers(&self, endpoint: &Endpoint) -> Layers {
        let carriage = lock(&self.shared.carriage).clone();
        let cache = endpoint.cache.filter(|_| carriage.keeps_answers()).map(|age| {
            let answers: Arc<dyn Answers> = Arc::new(Kept::new(&self.answers, age));
            (answers, self.owner(endpoint))
        });
        if carriage.is_live() {
            let Endpoint { breaker, retry, limits, .. } = *endpoint;
            return Layers { cache, breaker, retry, limits };
        }
        // What is played back is what was, and comes at once.
        Layers {
            cache,
            breaker: breaker::Policy { failures: 0, ..endpoint.breaker },
            retry: retry::Policy { first_wait: Duration::ZERO, ..endpoint.retry },
            limits: limit::Policy::default(),
        }
    }

    /// What tells the answers of a model from those of others: who gives them, and how it is asked.
    fn owner(&self, endpoint: &Endpoint) -> Digest {
        let address = self.base_url(endpoint).unwrap_or_default();
        let options = format!("{:?}", self.options(endpoint));
        Digest::of_parts(&[
            endpoint.provider.name.as_bytes(),
            address.as_bytes(),
            endpoint.model.as_bytes(),
            options.as_bytes(),
        ])
    }

    /// Sets how requests reach providers, for all models that are asked from now on.
    pub fn carry(&self, carriage: Carriage) {
        *lock(&self.shared.carriage) = carriage;
        lock(&self.shared.built).clear();
        lock(&self.shared.embedders).clear();
    }

    /// Forgets every answer that was kept. Fails with `file-unreadable`.
    pub fn forget_answers(&self) -> Result<()> {
        Kept::clear(&self.answers)
    }

    /// Everything about the model of a role or an id, without asking it. Fails like [`choice`](Self::choice).
    pub fn details(&self, name: &str) -> Result<Details> {
        let choice = self.choice(name)?;
        let (plan, _) = self.plan(name)?;
        Ok(match plan {
            Plan::Offline => Details::of(choice, self.offline().profile()),
            Plan::Program(model) => Details::of(choice, model.profile()),
            Plan::Local(local) => {
                Details { embedding: Some(local.known()), ..Details::of(choice, &Profile::default()) }
            }
            Plan::Endpoint(endpoint) => {
                let embedding = self.vectors_of(name, &endpoint);
                let layers = self.layers(&endpoint);
                let layers = if embedding.is_some() { for_vectors(&layers) } else { layers };
                let fallback = if embedding.is_some() { Vec::new() } else { endpoint.fallback.clone() };
                Details {
                    unpriced: fallback.iter().filter(|name| !self.has_price(name)).cloned().collect(),
                    layers: layers.to_string().lines().map(str::to_owned).collect(),
                    fallback,
                    timeouts: Some(endpoint.timeouts),
                    embedding,
                    ..Details::of(choice, &self.profile(&endpoint))
                }
            }
        })
    }

    /// Asks the provider of a model for its list of models, which costs nothing; none for a model without a provider. Fails
    /// like [`get`](Self::get) and like [`Provider::probe`].
    pub async fn probe(&self, name: &str) -> Result<Option<Probed>> {
        let Plan::Endpoint(endpoint) = self.plan(name)?.0 else { return Ok(None) };
        let config = self.config(&endpoint)?;
        let transport = lock(&self.shared.carriage).transport(config.timeouts, &self.shared.exchanges);
        endpoint.provider.probe(&config, transport.as_ref()).await.map(Some)
    }

    /// Whether it is known what a model costs, wherever its key is.
    fn has_price(&self, name: &str) -> bool {
        self.plan(name).is_ok_and(|(plan, _)| match plan {
            Plan::Program(model) => model.profile().prices.is_some(),
            Plan::Offline => self.offline().profile().prices.is_some(),
            Plan::Endpoint(endpoint) => self.profile(&endpoint).prices.is_some(),
            Plan::Local(_) => false,
        })
    }

    fn profile(&self, endpoint: &Endpoint) -> Profile {
        known::profile(&self.catalogue, endpoint, self.is_at_home(endpoint))
    }

    /// What is known of a model as one that makes vectors.
    pub(super) fn known_of(&self, endpoint: &Endpoint) -> embed::Known {
        known::embedding(&self.catalogue, endpoint, self.is_at_home(endpoint))
    }

    /// Whether requests go to the provider's own address.
    fn is_at_home(&self, endpoint: &Endpoint) -> bool {
        let Some(base) = self.moved_to(endpoint) else { return true };
        let home = endpoint.provider.address(&self.options(endpoint));
        home.is_ok_and(|home| base.trim().trim_end_matches('/') == home.trim_end_matches('/'))
    }

    /// What stands behind a role or an id. Fails with [`Code::ModelUnknown`].
    pub fn choice(&self, name: &str) -> Result<Choice> {
        let (plan, origin) = self.plan(name)?;
        let (id, provider, base_url, key) = match plan {
            Plan::Offline => (Provider::OFFLINE.to_owned(), Provider::OFFLINE.to_owned(), None, Key::None),
            Plan::Program(model) => (model.id().to_owned(), "program".to_owned(), None, Key::None),
            Plan::Local(local) => (local.id, "local".to_owned(), None, Key::None),
            Plan::Endpoint(endpoint) => {
                let key = match self.key_source(&endpoint) {
                    None => Key::None,
                    Some((source, required)) => match self.secrets.at(&source) {
                        Ok(_) => Key::Found(source),
                        Err(error) if required => Key::Missing(source, error),
                        Err(_) => Key::None,
                    },
                };
                let base_url =
                    self.base_url(&endpoint).unwrap_or_else(|_| endpoint.provider.base_url.to_owned());
                (endpoint.id.clone(), endpoint.provider.name.to_owned(), Some(base_url), key)
            }
        };
        Ok(Choice { name: name.to_owned(), id, provider, base_url, key, origin })
    }

    /// Every role, `main` first, with what stands behind it.
    pub fn roles(&self) -> Vec<Result<Choice>> {
        let others = self.settings.keys().map(String::as_str).filter(|role| *role != MAIN);
        std::iter::once(MAIN).chain(others).map(|role| self.choice(role)).collect()
    }

    pub(super) fn plan(&self, name: &str) -> Result<(Plan, Origin)> {
        let (mut name, mut origin) = (name.to_owned(), Origin::Id);
        for _ in 0..LONGEST_CHAIN {
            if let Some(model) = lock(&self.brought).get(&name) {
                return Ok((Plan::Program(Arc::clone(model)), Origin::Program));
            }
            let is_main = name == MAIN;
            if is_main
                && origin != Origin::Variable(VARIABLE)
                && let Some(chosen) = self.environment.get(VARIABLE)
            {
                (name, origin) = (chosen.trim().to_owned(), Origin::Variable(VARIABLE));
                continue;
            }
            let keep = |origin: Origin| if origin == Origin::Id { Origin::Project } else { origin };
            match self.settings.get(&name) {
                Some(ModelSettings::Same(next, _)) => (name, origin) = (next.clone(), keep(origin)),
                Some(ModelSettings::Offline) => return Ok((Plan::Offline, keep(origin))),
                Some(ModelSettings::Local(local)) => return Ok((Plan::Local(local.clone()), keep(origin))),
                Some(ModelSettings::Endpoint(endpoint)) => {
                    return Ok((Plan::Endpoint(endpoint.clone()), keep(origin)));
                }
                None if is_main => return self.unconfigured(),
                None => return Ok((self.by_id(&name, &origin)?, origin)),
            }
        }
        Err(Error::new(Code::ModelUnknown, format!("the role `{name}` leads back to itself")))
    }

    /// What `main` is where nobody says anything.
    fn unconfigured(&self) -> Result<(Plan, Origin)> {
        let openai = Provider::named("openai");
        let variables =
            openai.iter().flat_map(|provider| [provider.key_variable(), provider.base_url_variable]);
        match variables.flatten().find(|variable| self.environment.get(variable).is_some()) {
            Some(variable) => {
                let plan = self.by_id(&format!("openai/{DEFAULT_OPENAI}"), &Origin::Id)?;
                Ok((plan, Origin::Variable(variable)))
            }
            None => Ok((Plan::Offline, Origin::Default)),
        }
    }

    fn by_id(&self, id: &str, origin: &Origin) -> Result<Plan> {
        if id == Provider::OFFLINE {
            return Ok(Plan::Offline);
        }
        let configured = self.settings.values().find_map(|settings| match settings {
            ModelSettings::Endpoint(endpoint) if endpoint.id == id => Some(Plan::Endpoint(endpoint.clone())),
            ModelSettings::Local(local) if local.id == id => Some(Plan::Local(local.clone())),
            _ => None,
        });
        if let Some(plan) = configured {
            return Ok(plan);
        }
        let known = id.split_once('/').filter(|(_, model)| !model.is_empty());
        let known = known.and_then(|(provider, model)| Some((Provider::named(provider)?, model)));
        match known {
            Some((provider, model)) => Ok(Plan::Endpoint(Box::new(Endpoint::new(provider, model)))),
            None => Err(self.unknown(id, origin)),
        }
    }

    fn unknown(&self, name: &str, origin: &Origin) -> Error {
        let whence = match origin {
            Origin::Variable(variable) => format!(", which {variable} asks for"),
            _ => String::new(),
        };
        let error = Error::new(Code::ModelUnknown, format!("there is no model `{name}`{whence}"));
        if let Some((provider, model)) = name.split_once('/') {
            if provider == Provider::OFFLINE {
                return error.with_help(format!("it is called `{}` alone", Provider::OFFLINE));
            }
            return match nearest(provider, Provider::names()) {
                Some(meant) if !model.is_empty() => error.with_help(format!("did you mean `{meant}/{model}`?")),
                _ => error.with_help(format!(
                    "an id begins with one of {}; another server is added to `adjutant.toml` with its `base_url`",
                    Provider::names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                )),
            };
        }
        let roles = self.settings.keys().map(String::as_str).chain([MAIN, Provider::OFFLINE]);
        match nearest(name, roles) {
            Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
            None => error.with_help(format!(
                "give the role a model in `adjutant.toml`: `[models.{name}]`, or write an id such as `openai/{DEFAULT_OPENAI}`"
            )),
        }
    }

    /// Where the key is, and whether the model is of no use without it.
    fn key_source(&self, endpoint: &Endpoint) -> Option<(SecretSource, bool)> {
        if let Some(source) = &endpoint.key {
            return Some((source.clone(), true));
        }
        // A key goes only to whom it belongs: an address in a project's file gets no key that the file does not name. And
        // where the file names other secrets, these are what it means.
        if endpoint.base_url.is_some() || !endpoint.credentials.is_empty() {
            return None;
        }
        let variables = endpoint.provider.key_variables;
        let found = variables.iter().find(|variable| self.environment.get(variable).is_some());
        let variable = found.or(variables.first())?;
        let moved = endpoint
            .provider
            .base_url_variable
            .is_some_and(|variable| self.environment.get(variable).is_some());
        // Where other secrets will do, the provider says what is missing.
        let alone = endpoint.provider.credentials.is_empty();
        Some((SecretSource::Environment((*variable).to_owned()), alone && !moved))
    }

    fn base_url(&self, endpoint: &Endpoint) -> Result<String> {
        self.base_url_with(endpoint, &self.options(endpoint))
    }

    fn base_url_with(&self, endpoint: &Endpoint, options: &BTreeMap<String, String>) -> Result<String> {
        match self.moved_to(endpoint) {
            Some(address) => Ok(address.trim().to_owned()),
            None => endpoint.provider.address(options),
        }
    }

    /// Where the provider is, if not at its own address.
    fn moved_to<'a>(&'a self, endpoint: &'a Endpoint) -> Option<&'a str> {
        let variable = || self.environment.get(endpoint.provider.base_url_variable?);
        endpoint.base_url.as_deref().or_else(variable)
    }

    /// The address without what only those know who recorded the exchanges.
    fn base_url_played_back(&self, endpoint: &Endpoint) -> Result<String> {
        let mut options = self.options(endpoint);
        let settings = endpoint.provider.options.iter();
        for setting in settings.filter(|setting| endpoint.provider.is_in_address(setting.key)) {
            options.entry(setting.key.to_owned()).or_insert_with(|| UNKNOWN.to_owned());
        }
        self.base_url_with(endpoint, &options)
    }

    /// What the project says that the provider needs to be told, completed by the environment.
    fn options(&self, endpoint: &Endpoint) -> BTreeMap<String, String> {
        let mut options = endpoint.options.clone();
        for setting in endpoint.provider.options {
            let told = || setting.variables.iter().find_map(|variable| self.environment.get(variable));
            if !options.contains_key(setting.key)
                && let Some(value) = told()
            {
                options.insert(setting.key.to_owned(), value.trim().to_owned());
            }
        }
        options
    }

    /// The secrets beside the key. From the environment they are taken only where requests go to the provider itself,
    /// like the key, and never beside others: those of one account belong together.
    fn credentials(&self, endpoint: &Endpoint) -> Result<BTreeMap<String, Secret>> {
        let from_environment = endpoint.base_url.is_none() && endpoint.credentials.is_empty();
        let mut credentials = BTreeMap::new();
        for setting in endpoint.provider.credentials {
            let variables = setting.variables.iter().filter(|_| from_environment);
            let mut found = variables.filter(|variable| self.environment.get(variable).is_some());
            let found = || found.next().map(|variable| SecretSource::Environment((*variable).to_owned()));
            if let Some(source) = endpoint.credentials.get(setting.key).cloned().or_else(found) {
                let secret = self.secrets.at(&source).map_err(|error| key_missing(endpoint, &error))?;
                credentials.insert(setting.key.to_owned(), secret);
            }
        }
        Ok(credentials)
    }

    pub(super) fn config(&self, endpoint: &Endpoint) -> Result<Config> {
        let is_live = lock(&self.shared.carriage).is_live();
        let base_url = match is_live {
            true => self.base_url(endpoint)?,
            false => self.base_url_played_back(endpoint)?,
        };
        let mut config = Config::new(&endpoint.id, base_url, &endpoint.model);
        config.options = self.options(endpoint);
        config.effort = endpoint.effort;
        config.prompt_cache = endpoint.prompt_cache;
        config.provider_tools.clone_from(&endpoint.provider_tools);
        config.timeouts = endpoint.timeouts;
        config.profile = self.profile(endpoint);
        config.extra = endpoint.extra.clone();
        config.reasoning_field.clone_from(&endpoint.reasoning_field);
        for (name, header) in &endpoint.headers {
            match header {
                Header::Plain(value) => drop(config.plain_headers.insert(name.clone(), value.clone())),
                Header::Written(value) => drop(config.headers.insert(name.clone(), value.clone())),
                // Where it is found, it is added with all that is secret.
                Header::Secret(_) => {}
            }
        }
        match is_live {
            true => self.identify(endpoint, &mut config)?,
            // Nobody is asked, so nobody asks who it is.
            false => config.key = Some(Secret::new(NO_KEY)),
        }
        Ok(config)
    }

    /// Adds all that is secret.
    fn identify(&self, endpoint: &Endpoint, config: &mut Config) -> Result<()> {
        config.credentials = self.credentials(endpoint)?;
        if let Some((source, required)) = self.key_source(endpoint) {
            config.key = match self.secrets.at(&source) {
                Ok(key) => Some(key),
                Err(error) if required => return Err(key_missing(endpoint, &error)),
                Err(_) => None,
            };
        }
        if let (Some((source, _)), true) = (self.key_source(endpoint), config.key.is_some())
            && !matches!(source, SecretSource::Environment(_))
        {
            // A token from a command or a file may be a new one by now.
            let secrets = Arc::clone(&self.secrets);
            config.renew = Some(Renewal::new(move || secrets.again(&source)));
        }
        for (name, header) in &endpoint.headers {
            if let Header::Secret(source) = header {
                let value = self.secrets.at(source).map_err(|error| key_missing(endpoint, &error))?;
                config.headers.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    fn offline(&self) -> Arc<dyn Model> {
        let mut built = lock(&self.shared.built);
        let model = built.entry(Provider::OFFLINE.to_owned()).or_insert_with(|| Arc::new(Offline::new()));
        Arc::clone(model)
    }
}

/// Where something is kept: beside the store, and by whose it is.
fn kept_in(name: &str, store: &Path, scope: &Scope) -> PathBuf {
    store.with_file_name(name).join(&*scope.tenant).join(&*scope.project)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key_missing(endpoint: &Endpoint, cause: &Error) -> Error {
    let message = format!("the key for the model `{}` is missing: {}", endpoint.id, cause.message());
    let help = cause.help().map_or_else(String::new, |help| format!("{help}, or "));
    Error::new(Code::ModelKeyMissing, message)
        .with_help(format!("{help}choose another model: `ADJUTANT_MODEL=offline` needs no key"))
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Models").field("settings", &self.settings).finish_non_exhaustive()
    }
}
