//! A model of a chain that cannot be asked.

use adjutant_core::error::Kind;
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use adjutant_model::{Abilities, Call, Deltas, Model, Profile, Request};
use futures::FutureExt;
use futures::future::BoxFuture;

/// Stands in a chain of fallbacks for a model that cannot be asked, because its key is missing or such. It says so when
/// its turn comes, and the chain moves on.
pub(super) struct Absent {
    id: String,
    error: Error,
    profile: Profile,
}

impl Absent {
    pub(super) fn new(id: &str, error: Error) -> Self {
        // A setting that is missing is no reason to end a run whose other models answer.
        let error = match error.code().kind() {
            Kind::Model => error,
            _ => Error::new(Code::ModelKeyMissing, format!("the model `{id}` cannot be asked"))
                .caused_by(&error),
        };
        // It takes in nothing, so that nobody is told that the chain could.
        let abilities = Abilities { images: false, ..Abilities::default() };
        Self { id: id.to_owned(), error, profile: Profile { abilities, ..Profile::default() } }
    }
}

impl Model for Absent {
    fn id(&self) -> &str {
        &self.id
    }

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn stream(&self, _: Request, _: Call) -> BoxFuture<'static, Result<Deltas>> {
        std::future::ready(Err(self.error.clone())).boxed()
    }

    fn preview(&self, _: &Request) -> Result<Json> {
        Err(self.error.clone())
    }
}
