//! What a person writes about the login of a server.

use url::Url;

use crate::vault::Vault;

/// How a token for a server is come by. Nothing but the vault must be said: the rest is found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// In whose name the server is asked.
    pub grant: Grant,
    /// The client, where one was registered by hand.
    pub client_id: Option<String>,
    /// The name of the secret that belongs to the client.
    pub client_secret: Option<String>,
    /// The address of a document that describes the client, where the login server takes such an address for an id.
    pub client_metadata: Option<Url>,
    /// What is asked for; otherwise what the server says that it needs.
    pub scopes: Vec<String>,
    /// Who gives the tokens, exactly as that server writes its name; otherwise whom the server names first.
    pub issuer: Option<String>,
    /// The port on this machine that the browser comes back to; otherwise a free one.
    pub redirect_port: Option<u16>,
    /// Whether addresses in private networks may be asked.
    pub private: bool,
    /// Where tokens are kept.
    pub vault: Vault,
}

/// In whose name a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// In that of a person, who logs in with a browser.
    Person,
    /// In that of this program, which has a client id and a secret.
    Client,
}

impl Config {
    /// A login of a person, of which everything is found out.
    pub fn new(vault: Vault) -> Self {
        Self {
            grant: Grant::Person,
            client_id: None,
            client_secret: None,
            client_metadata: None,
            scopes: Vec::new(),
            issuer: None,
            redirect_port: None,
            private: false,
            vault,
        }
    }

    /// What contradicts itself, and what to do about it.
    pub(in crate::mcp) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let has_document = self.client_metadata.as_ref();
        if self.grant == Grant::Client && (self.client_id.is_none() || self.client_secret.is_none()) {
            return Some((
                "asks in the name of a client and does not say of which",
                "add `client_id` and `client_secret` to its `auth`",
            ));
        }
        if self.client_secret.is_some() && self.client_id.is_none() {
            return Some(("has the secret of a client and not its id", "add `client_id` to its `auth`"));
        }
        if has_document.is_some_and(|url| url.scheme() != "https" || url.path() == "/") {
            return Some((
                "describes its client at an address that cannot be an id",
                "write `client_metadata = \"https://example.org/client.json\"`",
            ));
        }
        None
    }
}
