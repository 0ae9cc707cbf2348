//! [`Login`]: what is kept of a login.

use adjutant_core::secret::Secret;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use url::Url;

use super::client::Client;
use super::token::Tokens;

/// The form that is written now.
const VERSION: u32 = 1;

/// What is kept of a login. It is written into the vault and nowhere else, and has no `Debug`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    version: u32,
    /// The server that the token is for. It is sent to no other.
    pub(super) server: String,
    /// The name under which tokens for it are asked for.
    pub(super) resource: String,
    /// Who gave the token, and takes the one that renews it.
    pub(super) issuer: String,
    pub(super) token_url: Url,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revocation_url: Option<Url>,
    pub(super) client: Client,
    /// None where there is no token: it is over, or there is only a wish so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<Tokens>,
    /// What the token was asked to allow.
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    /// What calls needed besides, which the next login asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) wanted: Vec<String>,
}

/// How a login stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nobody is logged in.
    Out,
    /// There is a token, until a moment where that is known. One that can be renewed lasts longer.
    In {
        /// When the token is over.
        until: Option<Timestamp>,
        /// Whether it is renewed by itself.
        renews: bool,
        /// Who gave it.
        issuer: String,
        /// What it allows, where that is known.
        scopes: Vec<String>,
    },
}

impl Login {
    pub(super) fn new(
        server: String,
        resource: String,
        issuer: String,
        token_url: Url,
        client: Client,
    ) -> Self {
        Self {
            version: VERSION,
            server,
            resource,
            issuer,
            token_url,
            revocation_url: None,
            client,
            tokens: None,
            scopes: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// Reads what was kept.
    pub(super) fn read(name: &str, text: &Secret) -> Result<Self> {
        let login: Self = serde_json::from_str(text.expose()).map_err(|_| {
            // The cause would quote what stands there.
            Error::new(
                Code::VaultUnreadable,
                format!("what is kept of the login of `{name}` is not understood"),
            )
            .with_help(format!(
                "log in anew: `adjutant tools logout {name}`, then `adjutant tools login {name}`"
            ))
        })?;
        match login.version {
            VERSION => Ok(login),
            newer => Err(Error::new(
                Code::VaultUnreadable,
                format!(
                    "the login of `{name}` has the form {newer}, which a later version of Adjutant writes"
                ),
            )
            .with_help("use that version, or a later one")),
        }
    }

    /// The text that is kept.
    pub(super) fn text(&self) -> Result<Secret> {
        serde_json::to_string(self)
            .map(Secret::new)
            .map_err(|_| Error::new(Code::Internal, "the login cannot be written"))
    }

    /// How it stands.
    pub(super) fn status(&self) -> Status {
        match &self.tokens {
            None => Status::Out,
            Some(tokens) => Status::In {
                until: tokens.until,
                renews: tokens.refresh.is_some(),
                issuer: self.issuer.clone(),
                scopes: self.scopes.clone(),
            },
        }
    }
}

/// How secrets are written: as they are, since the whole is sealed.
pub(super) mod plain {
    use super::Secret;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

/// The same for those that may be missing.
pub(super) mod plain_option {
    use super::Secret;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        secret: &Option<Secret>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => to.serialize_some(secret.expose()),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Secret::new))
    }
}
