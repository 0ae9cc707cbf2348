//! What a person says about an OpenAPI document.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use adjutant_core::tool::{Effect, ToolSpec};
use url::Url;

use super::source::Source;

/// How many operations one document gives where none are named: a document with more wants a choice.
pub const MOST_OPERATIONS: usize = 2_000;

/// An OpenAPI document as configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the document is.
    pub document: Source,
    /// The address that is asked, without what the document's paths add; the document's first server where none is given.
    pub base_url: Option<Url>,
    /// The operations by their ids or as `METHOD /path`; all where there is none.
    pub operations: Vec<String>,
    /// What shows the service who asks.
    pub auth: Auth,
    /// Headers of every request.
    pub headers: BTreeMap<String, HeaderText>,
    /// The header that carries the idempotency key of a call. With it, POST and PATCH are idempotent.
    pub idempotency_header: Option<String>,
    /// The effects of operations, by their ids or as `METHOD /path`, that are not those of their methods.
    pub effects: BTreeMap<String, Effect>,
    /// How long one call may take.
    pub timeout: Duration,
    /// How many calls of one operation run at a time.
    pub concurrency: Option<u32>,
    /// The largest answer that is read, in bytes after decompression.
    pub bytes: usize,
    /// How much of an answer the model reads at once, in characters.
    pub characters: usize,
    /// Whether the host may stand in a private network or on this machine. Where a person wrote an address without a
    /// name, it may anyway.
    pub private: bool,
    /// The longest name of a tool, in characters: shorter where a prefix is put before it.
    pub longest_name: usize,
    /// Where answers are kept of which a model read only the beginning, and that cannot be asked for again: they are
    /// those of calls that change something. Nowhere where it is not said; their rest is then lost.
    pub keep: Option<Keep>,
}

/// Where answers are kept whose rest cannot be asked for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The folder that holds those of all sessions, as for a sandbox.
    pub work: PathBuf,
    /// What the tool is called that reads the rest.
    pub tool: String,
}

impl Config {
    /// All operations of a document with the usual limits: 60 seconds, 8 calls at a time, 4 MiB, 20,000 characters an
    /// answer.
    pub fn new(document: Source) -> Self {
        Self {
            document,
            base_url: None,
            operations: Vec::new(),
            auth: Auth::None,
            headers: BTreeMap::new(),
            idempotency_header: None,
            effects: BTreeMap::new(),
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: Some(8),
            bytes: 4 << 20,
            characters: 20_000,
            private: false,
            longest_name: 64,
            keep: None,
        }
    }

    /// The names of the secrets that calls need.
    pub fn secrets(&self) -> Vec<&str> {
        let headers = self.headers.values().filter_map(|text| match text {
            HeaderText::Secret(name) => Some(name.as_str()),
            HeaderText::Text(_) => None,
        });
        self.auth.secret().into_iter().chain(headers).collect()
    }
}

/// What shows a service who asks. Secrets stand here by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Nothing.
    None,
    /// A key that stands at a place of every request.
    Key {
        /// Where it stands.
        place: KeyPlace,
        /// The name of the header, the parameter or the cookie.
        name: String,
        /// The secret.
        secret: String,
    },
    /// A bearer token (RFC 6750).
    Bearer {
        /// The secret.
        secret: String,
    },
    /// A name and a password (RFC 7617).
    Basic {
        /// The name.
        user: String,
        /// The secret: the password.
        secret: String,
    },
    /// A token of OAuth's client credentials grant (RFC 6749, 4.4), kept until shortly before it ends.
    ClientCredentials {
        /// Who gives the token.
        token_url: Url,
        /// Who asks.
        client_id: String,
        /// The secret of the client.
        secret: String,
        /// What is asked for.
        scopes: Vec<String>,
        /// Whether the client shows itself in the body, not in a header.
        in_body: bool,
    },
}

impl Auth {
    /// The name of the secret.
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Key { secret, .. }
            | Self::Bearer { secret }
            | Self::Basic { secret, .. }
            | Self::ClientCredentials { secret, .. } => Some(secret),
        }
    }
}

/// Where an API key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a header.
    Header,
    /// In the query.
    Query,
    /// In a cookie.
    Cookie,
}

/// The text of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderText {
    /// It stands in the configuration.
    Text(String),
    /// It is the secret of that name.
    Secret(String),
}
