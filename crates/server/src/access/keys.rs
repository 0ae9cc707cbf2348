//! [`Keys`]: with what the service is asked.

use std::sync::Arc;

use adjutant::Adjutant;
use adjutant_core::Result;

use super::caller::Who;
use super::token::Tokens;
use crate::settings::Settings;

/// Finds out whose a credential is: a key of the service's own, or a token of the identity provider that the project names.
pub(crate) struct Keys {
    keys: adjutant::Keys,
    tokens: Option<Tokens>,
}

impl Keys {
    pub(crate) fn new(adjutant: &Adjutant, settings: &Settings) -> Result<Self> {
        let oidc = settings.oidc.clone();
        let tokens = oidc.map(|oidc| Tokens::new(oidc, &settings.private_hosts)).transpose()?;
        Ok(Self { keys: adjutant.keys().clone(), tokens })
    }

    /// Who shows a credential. Fails with [`adjutant_core::Code::KeyRefused`], and with [`adjutant_core::Code::Overloaded`] where the
    /// identity provider would have to be asked and cannot be.
    pub(crate) async fn verify(&self, shown: &str) -> Result<Arc<Who>> {
        if let Some(tokens) = self.tokens.as_ref().filter(|_| Tokens::is_token(shown)) {
            return tokens.verify(shown).await.map(Arc::new);
        }
        let key = self.keys.verify(shown).await?;
        Ok(Arc::new(Who {
            counted_as: key.identity().to_owned(),
            by: format!("{} (key {})", key.name, key.identity()),
            name: key.name.clone(),
            tenant: Arc::clone(&key.scope.tenant),
            role: key.role,
            scopes: key.scopes,
            own_only: false,
            user: None,
            claims: serde_json::Map::new(),
        }))
    }

    /// Writes down when keys were used.
    pub(crate) async fn settle(&self) -> Result<()> {
        self.keys.settle().await
    }
}
