//! A model of a chain that cannot be asked.

use adjutant_core::json::Json;
use adjutant_core::{Error, Result};
use adjutant_model::{Call, Deltas, Model, Profile, Request};
use futures::FutureExt;
use futures::future::BoxFuture;

/// Stands in a chain of fallbacks for a model that cannot be asked, because its key is missing or such. It says so when
/// its turn comes, and the chain moves on.
pub(super) struct Absent {
    pub(super) id: String,
    pub(super) error: Error,
    pub(super) profile: Profile,
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
