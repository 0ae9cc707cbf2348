//! What a person writes about a server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error, Result};
use url::Url;

use super::oauth;
use crate::command::Variable;
use crate::http::is_loopback;
use crate::sandbox;

/// A server as configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What the server is called here.
    pub name: String,
    /// What stands before the names of its tools.
    pub prefix: String,
    /// How it is reached.
    pub transport: Transport,
    /// How long one call may take.
    pub timeout: Duration,
    /// How long it may take until it is ready.
    pub start_timeout: Duration,
    /// How many calls of one tool run at a time.
    pub concurrency: Option<u32>,
    /// How much text of one result is kept, in bytes.
    pub output_limit: usize,
    /// Whether its resources can be listed and read, by two tools of their own.
    pub resources: bool,
    /// Whether its prompts can be got, by a tool of its own.
    pub prompts: bool,
    /// What happens if a tool is called twice, by the server's own name for it, in place of what the server says;
    /// [`Config::EVERY_TOOL`] stands for those that are not named.
    pub effects: BTreeMap<String, Effect>,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Transport {
    /// It is a process, spoken to by its standard input and output.
    Process(Process),
    /// It is reached over HTTP (the transport that MCP calls streamable).
    Http(Http),
}

/// A server that is a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The environment, besides `PATH` and `HOME`.
    pub environment: BTreeMap<String, Variable>,
    /// Where it runs; the directory of this process where nothing is said.
    pub working_directory: Option<PathBuf>,
    /// The sandbox that it runs in. Without one it has every right that this process has.
    pub sandbox: Option<sandbox::Config>,
}

/// A server that is reached over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// The address of its endpoint.
    pub url: Url,
    /// Headers that every request carries.
    pub headers: BTreeMap<String, Variable>,
    /// The name of the secret that every request carries as a bearer token.
    pub bearer: Option<String>,
    /// How a token is come by that every request carries in its place.
    pub auth: Option<Box<oauth::Config>>,
}

impl Config {
    /// What stands in [`effects`](Self::effects) for every tool that is not named.
    pub const EVERY_TOOL: &str = "*";

    /// How much text of one result is kept where nothing else is said: 64 KiB, about 16,000 tokens.
    pub const DEFAULT_OUTPUT_LIMIT: usize = 64 << 10;

    /// How long a server may take to get ready where nothing else is said. A package runner may load it first.
    pub const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(60);

    /// A server of this name. Its tools are called `NAME__TOOL`.
    pub fn new(name: impl Into<String>, transport: Transport) -> Self {
        let name = name.into();
        Self {
            prefix: format!("{name}__"),
            name,
            transport,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            start_timeout: Self::DEFAULT_START_TIMEOUT,
            concurrency: None,
            output_limit: Self::DEFAULT_OUTPUT_LIMIT,
            resources: true,
            prompts: true,
            effects: BTreeMap::new(),
        }
    }

    /// Checks what can be checked without reaching the server. Fails with [`Code::ToolInvalid`].
    pub(super) fn check(&self) -> Result<()> {
        let invalid = |what: &str, help: &str| {
            Err(Error::new(Code::ToolInvalid, format!("the MCP server `{}` {what}", self.name))
                .with_help(help))
        };
        if self.timeout.is_zero() || self.start_timeout.is_zero() || self.output_limit == 0 {
            return invalid("can never answer", "set its timeouts and its output limit above zero");
        }
        match &self.transport {
            Transport::Process(process)
                if process.command.first().is_none_or(|word| word.trim().is_empty()) =>
            {
                invalid("has no command", "write `command = [\"program\", \"argument\"]`")
            }
            Transport::Http(http) if !matches!(http.url.scheme(), "http" | "https") => {
                invalid("is at no web address", "write `url = \"https://example.org/mcp\"`")
            }
            Transport::Http(http) if http.auth.is_some() && http.bearer.is_some() => invalid(
                "is sent two tokens at once",
                "keep `bearer` for a token that you have, or `auth` for one that is come by",
            ),
            Transport::Http(http) if http.shows_secrets() => invalid(
                "is sent secrets that everybody on the way can read",
                "write `https://` in its `url`, or reach it on this machine",
            ),
            Transport::Http(Http { auth: Some(auth), .. }) => match auth.fault() {
                Some((what, help)) => invalid(what, help),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// What happens if a tool is called twice, where the person said so.
    pub(super) fn effect(&self, tool: &str) -> Option<Effect> {
        self.effects.get(tool).or_else(|| self.effects.get(Self::EVERY_TOOL)).copied()
    }
}

impl Http {
    /// Whether secrets would cross a network as they are.
    fn shows_secrets(&self) -> bool {
        let secret = self.bearer.is_some()
            || self.headers.values().any(|value| matches!(value, Variable::Secret(_) | Variable::Inherit));
        (secret || self.auth.is_some()) && !is_loopback(&self.url) && self.url.scheme() == "http"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(url: &str, bearer: Option<&str>) -> Config {
        let url = Url::parse(url).unwrap();
        let http = Http { url, headers: BTreeMap::new(), bearer: bearer.map(str::to_owned), auth: None };
        Config::new("x", Transport::Http(http))
    }

    #[test]
    fn secrets_do_not_cross_a_network_as_they_are() {
        for (url, bearer, fits) in [
            ("http://example.org/mcp", None, true),
            ("http://example.org/mcp", Some("token"), false),
            ("https://example.org/mcp", Some("token"), true),
            ("http://127.0.0.1:3000/mcp", Some("token"), true),
            ("http://[::1]/mcp", Some("token"), true),
            ("http://localhost.example.org/mcp", Some("token"), false),
            ("file:///etc/passwd", None, false),
        ] {
            assert_eq!(http(url, bearer).check().is_ok(), fits, "{url} {bearer:?}");
        }
    }

    #[test]
    fn a_persons_word_on_effects_counts() {
        let mut config = http("https://example.org", None);
        assert_eq!(config.effect("a"), None);
        config.effects.insert("*".into(), Effect::Pure);
        config.effects.insert("pay".into(), Effect::AtMostOnce);
        assert_eq!(
            (config.effect("a"), config.effect("pay")),
            (Some(Effect::Pure), Some(Effect::AtMostOnce))
        );
    }
}
