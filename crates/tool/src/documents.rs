//! [`Documents`]: JSON documents of servers, from addresses that may be asked.

use adjutant_core::{Code, Error, Result};
use serde_json::Value;
use url::Url;

use crate::mcp::oauth::{Rules, Web};

/// Fetches JSON documents from addresses that may be asked: those of the public internet, by `https`, as they are resolved when they
/// are connected to. Each takes only so long and is only so large, and none leads on to another host.
#[derive(Clone, Debug)]
pub struct Documents {
    web: Web,
}

impl Documents {
    /// Fetches what a server has, or says that others have. One on this machine may name others on it; where `private` is set, it may stand
    /// in a private network.
    pub fn new(server: &Url, private: bool) -> Result<Self> {
        Ok(Self { web: Web::new(Rules::for_server(server, private))? })
    }

    /// A document. Fails where the address may not be asked, where there is none, and with what it was answered with.
    pub async fn get(&self, url: &Url) -> Result<Value> {
        let found = self.web.document(url).await?;
        found.ok_or_else(|| Error::new(Code::NotFound, format!("there is nothing at `{url}`")))
    }
}
