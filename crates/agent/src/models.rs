//! [`Models`]: where agents get their models from.

use std::sync::Arc;

use adjutant_core::{Code, Error, Result};
use adjutant_model::Model;
use adjutant_model::embed::Embedder;
use adjutant_model::react::React;

use crate::definition::Definition;

/// The models that are configured.
pub trait Models: Send + Sync + 'static {
    /// The model of a role (`main`, `fast`) or with an id ([`Model::id`]). Every id that a role leads to must be found
    /// as an id as well: a run that was started with it goes on with it.
    ///
    /// Fails with [`Code::ModelUnknown`](adjutant_core::Code::ModelUnknown), and where its key is not there with
    /// [`Code::ModelKeyMissing`](adjutant_core::Code::ModelKeyMissing).
    fn model(&self, role_or_id: &str) -> Result<Arc<dyn Model>>;

    /// The model of a role (`embed`), or with an id, that makes vectors of texts.
    ///
    /// Fails with [`Code::ModelUnknown`] and the like where there is none; who asks does without.
    fn embedder(&self, role_or_id: &str) -> Result<Arc<dyn Embedder>> {
        Err(Error::new(Code::ModelUnknown, format!("there is no model `{role_or_id}` that makes vectors")))
    }
}

/// A model as an agent asks it: with calls by text, where the agent says so.
pub(crate) fn asked(model: Arc<dyn Model>, definition: &Definition) -> Arc<dyn Model> {
    match definition.react {
        true => Arc::new(React::new(model)),
        false => model,
    }
}
