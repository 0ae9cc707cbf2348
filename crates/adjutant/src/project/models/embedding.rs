//! Which model makes vectors behind a name.

use std::collections::HashMap;
use std::sync::Arc;

use adjutant_core::{Code, Error, Result};
use adjutant_model::embed::{Dimensions, Embedder, Known, Options};
use adjutant_model::layer::Layers;

use super::endpoint::Endpoint;
use super::kept::Kept;
use super::registry::{Models, Plan, lock};
use super::settings::LocalModel;

/// The role of the model that makes vectors, unless somebody asks for another.
const EMBED: &str = "embed";

/// The embedders of a project, as far as there are any yet.
#[derive(Default)]
pub(super) struct Embedders {
    /// By role or id: what the program brought.
    pub(super) brought: HashMap<String, Arc<dyn Embedder>>,
    /// By id: those that keep vectors.
    keeping: HashMap<String, Arc<dyn Embedder>>,
}

impl Embedders {
    /// Those of another owner, who keeps vectors of its own.
    pub(super) fn of_another(&self) -> Self {
        Self { brought: self.brought.clone(), keeping: HashMap::new() }
    }
}

impl Models {
    /// Brings an embedder of the program's own. It has that role, whatever the project says, and is found by its id.
    pub fn insert_embedder(&self, role: impl Into<String>, embedder: Arc<dyn Embedder>) {
        let mut embedders = lock(&self.embedders);
        embedders.brought.insert(embedder.id().to_owned(), Arc::clone(&embedder));
        embedders.brought.insert(role.into(), embedder);
    }

    /// The model of a role, usually `embed`, or an id, as one that makes vectors. Its `retry`, `breaker` and `limits` hold; a
    /// fallback has no say, as the vectors of two models cannot be compared.
    ///
    /// Fails like [`get`](Self::get), and with [`Code::ModelUnsupported`] where the model makes no vectors, or none of the
    /// wanted dimensions.
    pub fn embedder(&self, name: &str) -> Result<Arc<dyn Embedder>> {
        if let Some(embedder) = lock(&self.embedders).brought.get(name) {
            return Ok(Arc::clone(embedder));
        }
        let plan = self.plan(name)?.0;
        let id = match &plan {
            Plan::Endpoint(endpoint) => &endpoint.id,
            Plan::Local(local) => &local.id,
            Plan::Offline => return Err(makes_no_vectors("offline")),
            Plan::Program(model) => return Err(makes_no_vectors(model.id())),
        };
        if let Some(embedder) = lock(&self.shared.embedders).get(id) {
            return Ok(Arc::clone(embedder));
        }
        let embedder = match &plan {
            Plan::Endpoint(endpoint) => self.remote(endpoint)?,
            Plan::Local(local) => local.open()?,
            Plan::Offline | Plan::Program(_) => return Err(makes_no_vectors(id)),
        };
        lock(&self.shared.embedders).insert(id.clone(), Arc::clone(&embedder));
        Ok(embedder)
    }

    /// As [`embedder`](Self::embedder), and the vectors of documents are kept in a folder beside the store: the next process need
    /// not have them made again.
    pub fn keeping_embedder(&self, name: &str) -> Result<Arc<dyn Embedder>> {
        let embedder = self.embedder(name)?;
        let mut embedders = lock(&self.embedders);
        let kept = embedders
            .keeping
            .entry(embedder.id().to_owned())
            .or_insert_with(|| Arc::new(Kept::new(embedder, &self.vectors)));
        Ok(Arc::clone(kept))
    }

    fn remote(&self, endpoint: &Endpoint) -> Result<Arc<dyn Embedder>> {
        let config = self.config(endpoint)?;
        let layers = self.layers(endpoint);
        let options = Options {
            dimensions: endpoint.dimensions,
            known: self.known_of(endpoint),
            retry: layers.retry,
            breaker: layers.breaker,
            limits: layers.limits,
        };
        let transport = lock(&self.shared.carriage).transport(config.timeouts, &self.shared.exchanges);
        Ok(Arc::new(endpoint.provider.embedder_over(&config, &options, transport)?))
    }

    /// What the vectors of a model are like; none of a model that is not known to make any, and that nobody asks for them.
    pub(super) fn vectors_of(&self, name: &str, endpoint: &Endpoint) -> Option<Known> {
        let known = self.known_of(endpoint);
        let is_embedder =
            name == EMBED || endpoint.dimensions.is_some() || known.dimensions.usual().is_some();
        is_embedder.then(|| with_dimensions(known, endpoint.dimensions))
    }
}

/// Those of the layers that hold for vectors as well.
pub(super) fn for_vectors(layers: &Layers) -> Layers {
    Layers { cache: None, ..layers.clone() }
}

/// What is known of a model that is asked for so many dimensions.
fn with_dimensions(known: Known, wanted: Option<usize>) -> Known {
    Known { dimensions: wanted.map_or(known.dimensions, Dimensions::Fixed), ..known }
}

fn makes_no_vectors(model: &str) -> Error {
    Error::new(Code::ModelUnsupported, format!("the model `{model}` makes no vectors of texts")).with_help(
        "give the role `embed` a model that does, such as `embed = \"openai/text-embedding-3-small\"`",
    )
}

impl LocalModel {
    /// Why it cannot be asked as a model that talks.
    pub(super) fn does_not_talk(&self) -> Error {
        let message = format!("the model `{}` makes vectors of texts, and answers nothing", self.id);
        Error::new(Code::ModelUnsupported, message)
            .with_help("give the role another model, and this one the role `embed`")
    }

    /// What is known of it before its files are read.
    pub(super) fn known(&self) -> Known {
        with_dimensions(Known::default(), self.dimensions)
    }

    #[cfg(feature = "local-embeddings")]
    fn open(&self) -> Result<Arc<dyn Embedder>> {
        Ok(Arc::new(adjutant_model::embed::Local::open(&self.id, &self.folder, self.dimensions)?))
    }

    #[cfg(not(feature = "local-embeddings"))]
    fn open(&self) -> Result<Arc<dyn Embedder>> {
        let message = format!("the model `{}` cannot be run by this program", self.id);
        Err(Error::new(Code::ModelUnsupported, message).with_help(
            "build it with `--features local-embeddings`, or reach a server that runs the model, such as Ollama",
        ))
    }
}
