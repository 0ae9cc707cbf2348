//! Finding out who gives tokens for a server.

use adjutant_core::{Code, Error, Result};
use serde_json::Value;
use url::Url;

use super::challenge::Challenge;
use super::config::{Config, Grant};
use super::metadata::{Issuer, Resource, canonical, issuer_places, origin, resource_places};
use super::web::Web;
use crate::mcp::clean;

/// Who gives tokens for a server, and for what they are asked.
pub(super) struct Found {
    pub(super) resource: String,
    pub(super) issuer: Issuer,
    /// What a token should allow, if nothing else is wished.
    pub(super) scopes: Vec<String>,
}

/// Finds out who gives tokens for a server: by what it said when it refused a request, otherwise by what it says at the
/// places that the protocol names.
pub(super) async fn discover(
    web: &Web,
    server: &Url,
    config: &Config,
    challenge: &Challenge,
) -> Result<Found> {
    let resource = match resource(web, server, challenge).await? {
        Some(resource) => resource,
        // Before there were descriptions, the host of a server gave its tokens.
        None => Resource {
            resource: canonical(server),
            issuers: vec![config.issuer.clone().unwrap_or_else(|| origin(server))],
            scopes: Vec::new(),
        },
    };
    let name = chosen(&resource, config)?;
    let issuer = issuer(web, &name).await?;
    if config.grant == Grant::Person && !issuer.pkce {
        let why = format!("the login server `{name}` does not say that it understands PKCE with S256");
        return Err(Error::new(Code::ToolBroken, why).with_help(
            "without it, others on this machine could take the login; its operator can turn it on",
        ));
    }
    let scopes = [&config.scopes, &challenge.scopes, &resource.scopes];
    let mut scopes = scopes.into_iter().find(|scopes| !scopes.is_empty()).cloned().unwrap_or_default();
    let offline = "offline_access".to_owned();
    if config.grant == Grant::Person && issuer.scopes.contains(&offline) && !scopes.contains(&offline) {
        scopes.push(offline);
    }
    Ok(Found { resource: resource.resource, issuer, scopes })
}

/// What the server says of itself; none where it says nothing.
async fn resource(web: &Web, server: &Url, challenge: &Challenge) -> Result<Option<Resource>> {
    let read = |place: &Url, document: &Value| {
        Resource::read(document, server).map_err(|why| described(place, &why))
    };
    if let Some(text) = &challenge.metadata {
        let place = Url::parse(text).map_err(|_| {
            let why =
                format!("the server describes itself at `{}`, which is no address", clean::line(text, 200));
            Error::new(Code::ToolBroken, why)
        })?;
        let document = web.document(&place).await?;
        let document = document.ok_or_else(|| described(&place, "there is none"))?;
        return read(&place, &document).map(Some);
    }
    first(web, resource_places(server), read).await
}

async fn issuer(web: &Web, name: &str) -> Result<Issuer> {
    let wrong = |why: String| {
        Error::new(Code::ToolBroken, format!("the login server `{}` {why}", clean::line(name, 200)))
    };
    let url = Url::parse(name).map_err(|_| wrong("has no address".to_owned()))?;
    web.rules.check(&url).map_err(|why| {
        wrong(format!("is not asked: {why}"))
            .with_help("add `private = true` to `auth` in its table, if it stands in a network of your own")
    })?;
    let read = |place: &Url, document: &Value| {
        Issuer::read(document, name, web.rules).map_err(|why| described(place, &why))
    };
    first(web, issuer_places(&url), read).await?.ok_or_else(|| {
        wrong("does not describe itself".to_owned())
            .with_help("write `issuer` into `auth` in its table, if another one gives the tokens")
    })
}

/// The first of several places at which something of use stands; otherwise what was wrong at the first that had any.
async fn first<T>(
    web: &Web,
    places: Vec<Url>,
    read: impl Fn(&Url, &Value) -> Result<T>,
) -> Result<Option<T>> {
    let mut wrong = None;
    for place in &places {
        // Some servers answer everything with a page.
        let found = match web.document(place).await {
            Ok(None) => continue,
            Ok(Some(document)) => read(place, &document),
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => return Ok(Some(found)),
            Err(error) if error.code() == Code::ToolBusy => return Err(error),
            Err(error) => wrong = wrong.or(Some(error)),
        }
    }
    wrong.map_or(Ok(None), Err)
}

/// Which login server is asked.
fn chosen(resource: &Resource, config: &Config) -> Result<String> {
    let named = || resource.issuers.iter().map(|name| format!("`{}`", clean::line(name, 200)));
    match (&config.issuer, resource.issuers.first()) {
        (Some(wanted), _) if resource.issuers.is_empty() || resource.issuers.contains(wanted) => {
            Ok(wanted.clone())
        }
        (Some(wanted), _) => {
            let why = format!("the server does not take tokens of `{wanted}`");
            let help = format!("it names {}; correct `issuer`", named().collect::<Vec<_>>().join(", "));
            Err(Error::new(Code::ToolInvalid, why).with_help(help))
        }
        (None, Some(first)) => Ok(first.clone()),
        (None, None) => Err(Error::new(Code::ToolBroken, "the server names no login server")
            .with_help("write `issuer` into `auth` in its table")),
    }
}

fn described(place: &Url, why: &str) -> Error {
    Error::new(Code::ToolBroken, format!("the description at `{place}` is of no use: {why}"))
}
