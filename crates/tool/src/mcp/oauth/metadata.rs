//! What servers say of themselves: where it stands, and what of it is believed. Pure.

use serde_json::Value;
use url::Url;

use super::web::Rules;
use crate::mcp::clean;

/// How many login servers, scopes or methods are read of one document.
const MOST: usize = 100;

/// What a server with tools says of itself (RFC 9728).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// What tokens are asked for.
    pub(super) resource: String,
    /// Who gives them.
    pub(super) issuers: Vec<String>,
    /// What they must allow for the server to be of use.
    pub(super) scopes: Vec<String>,
}

/// What a login server says of itself (RFC 8414, OpenID Connect Discovery).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Issuer {
    pub(super) issuer: String,
    pub(super) authorization: Option<Url>,
    pub(super) token: Url,
    pub(super) registration: Option<Url>,
    pub(super) revocation: Option<Url>,
    pub(super) scopes: Vec<String>,
    /// How clients may show themselves; what is not said is `client_secret_basic` (RFC 8414, 2).
    pub(super) methods: Option<Vec<String>>,
    /// Whether PKCE with SHA-256 is understood.
    pub(super) pkce: bool,
    /// Whether each answer names its issuer (RFC 9207).
    pub(super) names_itself: bool,
    /// Whether the address of a document may be the id of a client.
    pub(super) takes_documents: bool,
}

/// Where a server may describe itself: for its path, then for its host.
pub(super) fn resource_places(server: &Url) -> Vec<Url> {
    let root = well_known(server, "oauth-protected-resource", "");
    match path(server) {
        "" => vec![root],
        path => vec![well_known(server, "oauth-protected-resource", path), root],
    }
}

/// Where a login server may describe itself.
pub(super) fn issuer_places(issuer: &Url) -> Vec<Url> {
    let path = path(issuer);
    let mut places = vec![
        well_known(issuer, "oauth-authorization-server", path),
        well_known(issuer, "openid-configuration", path),
    ];
    if !path.is_empty() {
        let mut appended = bare(issuer);
        appended.set_path(&format!("{path}/.well-known/openid-configuration"));
        places.push(appended);
    }
    places
}

/// The name of a server as tokens are asked for it: without a fragment, and without the slash of an empty path.
pub(super) fn canonical(server: &Url) -> String {
    let mut url = server.clone();
    url.set_fragment(None);
    let text = url.to_string();
    match url.path() == "/" && url.query().is_none() {
        true => text.trim_end_matches('/').to_owned(),
        false => text,
    }
}

/// The login server of a server that describes nothing, as it was before there were descriptions (MCP 2025-03-26): the
/// host itself.
pub(super) fn origin(server: &Url) -> String {
    server.origin().ascii_serialization()
}

impl Resource {
    /// Reads a description. Gives what is wrong with it, where that is of another server.
    pub(super) fn read(document: &Value, server: &Url) -> Result<Self, String> {
        let resource = document.get("resource").and_then(Value::as_str).unwrap_or_default();
        if !Url::parse(resource).is_ok_and(|resource| covers(&resource, server)) {
            return Err(format!("it is about `{}`, not about `{}`", shown(resource), canonical(server)));
        }
        let issuers = texts(document, "authorization_servers").unwrap_or_default();
        let scopes = texts(document, "scopes_supported").unwrap_or_default();
        Ok(Self { resource: resource.to_owned(), issuers, scopes })
    }
}

/// Whether what is said of an address holds for a server: it is the same, or one above it.
fn covers(resource: &Url, server: &Url) -> bool {
    let (above, below) = (path(resource), path(server));
    let is_within = below.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let same_query = resource.query().is_none() || resource.query() == server.query();
    resource.origin() == server.origin() && resource.fragment().is_none() && is_within && same_query
}

impl Issuer {
    /// Reads a description. Gives what is wrong with it: a name that is not the one it was asked for as, and addresses
    /// that may not be asked.
    pub(super) fn read(document: &Value, issuer: &str, rules: Rules) -> Result<Self, String> {
        let said = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
        // Not normalised: a name that only looks alike is another's (RFC 8414, 3.3).
        if said != issuer {
            return Err(format!("it calls itself `{}`, not `{}`", shown(said), shown(issuer)));
        }
        let place = |key: &str| -> Result<Option<Url>, String> {
            let Some(text) = document.get(key).and_then(Value::as_str) else { return Ok(None) };
            let url = Url::parse(text).map_err(|_| format!("its `{key}` is no address"))?;
            rules.check(&url).map_err(|why| format!("its `{key}` is refused: {why}"))?;
            Ok(Some(url))
        };
        let flag = |key: &str| document.get(key).and_then(Value::as_bool).unwrap_or(false);
        let pkce = texts(document, "code_challenge_methods_supported").unwrap_or_default();
        Ok(Self {
            issuer: said.to_owned(),
            authorization: place("authorization_endpoint")?,
            token: place("token_endpoint")?.ok_or("it has no `token_endpoint`")?,
            registration: place("registration_endpoint")?,
            revocation: place("revocation_endpoint")?,
            scopes: texts(document, "scopes_supported").unwrap_or_default(),
            methods: texts(document, "token_endpoint_auth_methods_supported"),
            pkce: pkce.iter().any(|method| method == "S256"),
            names_itself: flag("authorization_response_iss_parameter_supported"),
            takes_documents: flag("client_id_metadata_document_supported"),
        })
    }
}

fn well_known(url: &Url, name: &str, path: &str) -> Url {
    let mut place = bare(url);
    place.set_path(&format!("/.well-known/{name}{path}"));
    place
}

/// The address without what comes after its path.
fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn path(url: &Url) -> &str {
    url.path().trim_end_matches('/')
}

fn texts(document: &Value, key: &str) -> Option<Vec<String>> {
    let list = document.get(key)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).take(MOST).map(str::to_owned).collect())
}

fn shown(text: &str) -> String {
    clean::line(text, 200)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::Reach;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn texts(urls: &[Url]) -> Vec<&str> {
        urls.iter().map(Url::as_str).collect()
    }

    #[test]
    fn descriptions_stand_where_the_protocol_says() {
        let resource = |server| texts(&resource_places(&url(server))).join(" ");
        assert_eq!(
            resource("https://a.b/x/mcp?y#z"),
            "https://a.b/.well-known/oauth-protected-resource/x/mcp https://a.b/.well-known/oauth-protected-resource"
        );
        assert_eq!(resource("https://a.b:8/"), "https://a.b:8/.well-known/oauth-protected-resource");
        assert_eq!(
            texts(&issuer_places(&url("https://a.b/t1"))),
            [
                "https://a.b/.well-known/oauth-authorization-server/t1",
                "https://a.b/.well-known/openid-configuration/t1",
                "https://a.b/t1/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            texts(&issuer_places(&url("https://a.b/"))),
            [
                "https://a.b/.well-known/oauth-authorization-server",
                "https://a.b/.well-known/openid-configuration",
            ]
        );
        assert_eq!(canonical(&url("HTTPS://A.b/#x")), "https://a.b");
        assert_eq!(canonical(&url("https://a.b/mcp/")), "https://a.b/mcp/");
    }

    #[test]
    fn a_description_of_another_server_is_not_believed() {
        for (resource, server, fits) in [
            ("https://a.b/mcp", "https://a.b/mcp", true),
            ("https://a.b", "https://a.b/mcp", true),
            ("https://a.b/mcp/", "https://a.b/mcp", true),
            ("https://a.b/mc", "https://a.b/mcp", false),
            ("https://a.b/mcp/admin", "https://a.b/mcp", false),
            ("https://evil.b/mcp", "https://a.b/mcp", false),
            ("http://a.b/mcp", "https://a.b/mcp", false),
            ("https://a.b:444/mcp", "https://a.b/mcp", false),
            ("", "https://a.b/mcp", false),
        ] {
            let document = json!({ "resource": resource, "authorization_servers": ["https://i"] });
            assert_eq!(Resource::read(&document, &url(server)).is_ok(), fits, "{resource} {server}");
        }
    }

    #[test]
    fn a_login_server_is_who_it_says_and_is_asked_where_it_may() {
        let good = json!({
            "issuer": "https://i", "authorization_endpoint": "https://i/a", "token_endpoint": "https://i/t",
            "code_challenge_methods_supported": ["plain", "S256"],
        });
        let read = |document: &Value| Issuer::read(document, "https://i", Rules::of(Reach::Public));
        assert!(read(&good).unwrap().pkce);
        for (key, value, why) in [
            ("issuer", json!("https://i/"), "it calls itself `https://i/`, not `https://i`"),
            ("token_endpoint", Value::Null, "it has no `token_endpoint`"),
            ("token_endpoint", json!("file:///etc/passwd"), "its `token_endpoint` is refused"),
            ("token_endpoint", json!("http://i/t"), "its `token_endpoint` is refused"),
            ("token_endpoint", json!("https://169.254.169.254/t"), "its `token_endpoint` is refused"),
            ("token_endpoint", json!("https://a:b@i/t"), "its `token_endpoint` is refused"),
            ("token_endpoint", json!("http://127.0.0.1/t"), "its `token_endpoint` is refused"),
            (
                "authorization_endpoint",
                json!("javascript:alert(1)"),
                "its `authorization_endpoint` is refused",
            ),
            ("registration_endpoint", json!("/r"), "its `registration_endpoint` is no address"),
        ] {
            let mut document = good.clone();
            document[key] = value;
            let found = read(&document).unwrap_err();
            assert!(found.starts_with(why), "{key}: {found}");
        }
    }
}
