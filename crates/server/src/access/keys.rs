//! [`Keys`]: with what the service is asked.

use std::sync::Arc;

use adjutant::Adjutant;
use adjutant_core::Result;

use super::caller::Who;

/// Finds out whose a credential is.
pub(crate) struct Keys(adjutant::Keys);

impl Keys {
    pub(crate) fn new(adjutant: &Adjutant) -> Self {
        Self(adjutant.keys().clone())
    }

    /// Who shows a credential. Fails with [`adjutant_core::Code::KeyRefused`].
    pub(crate) async fn verify(&self, shown: &str) -> Result<Arc<Who>> {
        let key = self.0.verify(shown).await?;
        Ok(Arc::new(Who {
            counted_as: key.id.clone(),
            name: key.name.clone(),
            tenant: Arc::clone(&key.scope.tenant),
            role: key.role,
            scopes: key.scopes,
            user: None,
            claims: serde_json::Map::new(),
        }))
    }

    /// Writes down when keys were used.
    pub(crate) async fn settle(&self) -> Result<()> {
        self.0.settle().await
    }
}
