//! What a person allows, and the tool made of it.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::label::Label;
use adjutant_core::tool::Flow;
use adjutant_core::{Code, Error, Result};
use url::Url;

use super::{page, request};
use crate::generated::specification;
use crate::{Effect, Failure, FunctionTool, Tool};

/// What `fetch` may ask, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The hosts: `example.org` is that host, `*.example.org` every host below it.
    pub hosts: Vec<String>,
    /// The largest page, in bytes as they are after decompression.
    pub bytes: usize,
    /// How much text one answer holds, in characters.
    pub characters: usize,
    /// How many redirects are followed.
    pub redirects: usize,
    /// How long one call may take.
    pub timeout: Duration,
    /// Whether this machine itself may be asked. For tests and for services of one's own.
    pub loopback: bool,
}

impl Config {
    /// The hosts with the usual limits: 4 MiB, 40,000 characters an answer, 5 redirects, 30 seconds, no loopback.
    pub fn new(hosts: Vec<String>) -> Self {
        let timeout = Duration::from_secs(30);
        Self { hosts, bytes: 4 << 20, characters: 40_000, redirects: 5, timeout, loopback: false }
    }

    /// Checks an address before anything is asked. Fails with [`Code::ToolFailed`].
    pub(super) fn check(&self, url: &Url) -> Result<()> {
        let refuse =
            |why: &str| Err(Error::new(Code::ToolFailed, format!("`{}` is refused: {why}", shown(url))));
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("only http and https are allowed");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it holds a user name");
        }
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        if self.hosts.iter().any(|allowed| covers(allowed, host)) {
            return Ok(());
        }
        let hosts: Vec<_> = self.hosts.iter().map(|host| format!("`{host}`")).collect();
        refuse("its host is not allowed")
            .map_err(|error| error.with_help(format!("the hosts are {}", hosts.join(", "))))
    }
}

/// Whether a host of the list is that host, or stands for it.
fn covers(allowed: &str, host: &str) -> bool {
    match allowed.strip_prefix("*.") {
        Some(domain) => {
            let below = host.len().checked_sub(domain.len() + 1).and_then(|end| host.split_at_checked(end));
            below.is_some_and(|(_, end)| {
                end.starts_with('.') && end.trim_start_matches('.').eq_ignore_ascii_case(domain)
            })
        }
        None => allowed.eq_ignore_ascii_case(host),
    }
}

/// An address in a message: short, and without what may be secret in it.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = (url.set_password(None), url.set_username(""));
    url.to_string().chars().take(200).collect()
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    /// The address, with http:// or https://.
    url: String,
    /// From which character of the text to read, to go on with a page that was cut off.
    #[serde(default)]
    from: u64,
}

/// The tool `fetch`. Fails with [`Code::ToolInvalid`] when no host is allowed, or one is no host.
pub fn fetch(config: Config) -> Result<Arc<dyn Tool>> {
    let invalid =
        |why: String| Error::new(Code::ToolInvalid, format!("the tool `fetch` cannot be used: {why}"));
    if config.hosts.is_empty() {
        return Err(invalid("no host is allowed".to_owned()).with_help("list the hosts that it may ask"));
    }
    for host in &config.hosts {
        let plain = host.strip_prefix("*.").unwrap_or(host);
        let is_host =
            url::Host::parse(plain).is_ok_and(|parsed| parsed.to_string().eq_ignore_ascii_case(plain));
        if !is_host || plain.contains('*') {
            return Err(
                invalid(format!("`{host}` is no host")).with_help("write `example.org` or `*.example.org`")
            );
        }
    }
    let description = format!(
        "Reads a web page or a document as text, or downloads a file. Allowed hosts: {}.",
        config.hosts.join(", ")
    );
    let mut spec = specification::<Question>("fetch", &description, Effect::Idempotent, None, Some(8));
    spec.timeout = config.timeout;
    spec.flow = Flow::outside("web");
    let config = Arc::new(config);
    Ok(Arc::new(FunctionTool::new(spec, move |arguments, context| {
        let config = Arc::clone(&config);
        async move {
            let question: Question = crate::generated::read(arguments)?;
            let work = async {
                let answer = request::get(&config, &question.url).await?;
                let host = answer.url.host_str().unwrap_or_default();
                let label = Label::untrusted_from(format!("web:{host}"));
                page::present(&config, &answer, question.from).map(|page| page.labelled(label))
            };
            let cancelled = context.cancelled();
            tokio::select! {
                () = cancelled.cancelled() => Err(Failure::Run(crate::builtin::blocking::stopped())),
                result = tokio::time::timeout(config.timeout, work) => match result {
                    Ok(result) => result.map_err(Failure::from),
                    Err(_) => Err(Failure::Model(Error::new(Code::ToolTimeout, "the page did not come in time"))),
                },
            }
        }
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_hosts_are_asked() {
        let config = Config::new(vec!["example.org".into(), "*.example.com".into()]);
        let allowed = [
            "http://example.org/a",
            "https://EXAMPLE.org",
            "https://a.b.example.com/",
            "https://example.org./",
        ];
        let refused = [
            "https://example.com/",
            "https://badexample.com/",
            "https://example.org.evil.net/",
            "ftp://example.org/",
            "file:///etc/passwd",
            "https://me:secret@example.org/",
            "http://127.0.0.1/",
            "https://xexample.com",
        ];
        for url in allowed {
            config.check(&url.parse().unwrap()).unwrap();
        }
        for url in refused {
            let error = config.check(&url.parse().unwrap()).unwrap_err();
            assert!(error.message().contains("is refused"), "{error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }

    #[test]
    fn hosts_that_are_none_are_refused() {
        for hosts in
            [vec![], vec!["https://example.org".to_owned()], vec!["*".to_owned()], vec!["a.*.org".to_owned()]]
        {
            assert_eq!(fetch(Config::new(hosts)).err().unwrap().code(), Code::ToolInvalid);
        }
    }
}
