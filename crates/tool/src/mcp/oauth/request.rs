//! What the browser is sent with, and what it brings back. Pure but for chance.

use adjutant_core::Result;
use adjutant_core::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::{Url, form_urlencoded};

use crate::mcp::clean;
use crate::vault::random;

/// The longest text that is read as what the browser brought back, in bytes.
const LONGEST: usize = 16 << 10;

/// What a login server is asked for in the browser.
pub(super) struct Request<'a> {
    pub(super) endpoint: &'a Url,
    pub(super) client: &'a str,
    pub(super) redirect: &'a Url,
    pub(super) resource: &'a str,
    pub(super) scopes: &'a [String],
}

/// What only this process knows of a request: it shows that the answer belongs to it, and the token to the answer.
pub(super) struct Proof {
    state: String,
    /// PKCE (RFC 7636).
    pub(super) verifier: Secret,
}

impl Proof {
    pub(super) fn new() -> Result<Self> {
        let text = |bytes: [u8; 32]| URL_SAFE_NO_PAD.encode(bytes);
        Ok(Self { state: text(random()?), verifier: Secret::new(text(random()?)) })
    }

    fn challenge(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, self.verifier.expose().as_bytes());
        URL_SAFE_NO_PAD.encode(digest)
    }

    /// The address for the browser.
    pub(super) fn address(&self, request: &Request<'_>) -> Url {
        let mut url = request.endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", request.client)
            .append_pair("redirect_uri", request.redirect.as_str())
            .append_pair("state", &self.state)
            .append_pair("code_challenge", &self.challenge())
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", request.resource);
        if !request.scopes.is_empty() {
            url.query_pairs_mut().append_pair("scope", &request.scopes.join(" "));
            if request.scopes.iter().any(|scope| scope == "offline_access") {
                // Without being asked again, OpenID providers do not give it (OpenID Connect Core, 11).
                url.query_pairs_mut().append_pair("prompt", "consent");
            }
        }
        url
    }

    /// Whether a text is an answer to this request, whatever it says.
    pub(super) fn knows(&self, answer: &str) -> bool {
        field(answer, "state").is_some_and(|state| state == self.state)
    }

    /// Reads what the browser was sent back with: the whole address, or its query. Gives the code.
    ///
    /// The issuer is compared before anything else of the answer is believed (RFC 9207, 2.4).
    pub(super) fn code(&self, answer: &str, issuer: &str, names_itself: bool) -> Result<Secret, String> {
        if !self.knows(answer) {
            return Err("what the browser brought back does not belong to this login".to_owned());
        }
        match field(answer, "iss") {
            Some(named) if named != issuer => {
                let named = clean::line(&named, 200);
                return Err(format!("the answer is of `{named}`, and `{issuer}` was asked"));
            }
            None if names_itself => {
                return Err(format!("the answer does not say that it is of `{issuer}`, as it promises to"));
            }
            _ => {}
        }
        if let Some(error) = field(answer, "error") {
            let why = field(answer, "error_description").unwrap_or_default();
            let said = clean::line(&format!("{error} {why}"), 300);
            return Err(format!("`{issuer}` did not let you in: {said}"));
        }
        match field(answer, "code").filter(|code| !code.is_empty()) {
            Some(code) => Ok(Secret::new(code)),
            None => Err(format!("the answer of `{issuer}` holds no code")),
        }
    }
}

/// A field of the query of an address, or of a query alone. One that stands there twice is none.
fn field(answer: &str, name: &str) -> Option<String> {
    let answer = answer.trim();
    if answer.len() > LONGEST {
        return None;
    }
    let query = answer.split_once('?').map_or(answer, |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let value = values.next()?.1.into_owned();
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://i";

    fn proof() -> Proof {
        // The verifier of RFC 7636, appendix B.
        Proof { state: "s t".into(), verifier: Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") }
    }

    #[test]
    fn the_browser_is_sent_with_everything() {
        let (endpoint, redirect) =
            (Url::parse("https://i/a?tenant=1").unwrap(), Url::parse("http://127.0.0.1:7/callback").unwrap());
        let scopes = ["r".to_owned(), "offline_access".to_owned()];
        let request = Request {
            endpoint: &endpoint,
            client: "c",
            redirect: &redirect,
            resource: "https://a.b/mcp",
            scopes: &scopes,
        };
        assert_eq!(
            proof().address(&request).as_str(),
            "https://i/a?tenant=1&response_type=code&client_id=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2Fcallback\
             &state=s+t&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
             &resource=https%3A%2F%2Fa.b%2Fmcp&scope=r+offline_access&prompt=consent"
        );
    }

    #[test]
    fn only_the_right_answer_gives_a_code() {
        let check = |answer: &str, names_itself: bool, expected: Result<&str, &str>| {
            let code = proof().code(answer, ISSUER, names_itself);
            let found = code.as_ref().map(Secret::expose).map_err(String::as_str);
            assert_eq!(found, expected, "{answer}");
        };
        let alien = "what the browser brought back does not belong to this login";
        check("http://127.0.0.1:7/callback?code=x&state=s+t", false, Ok("x"));
        check(" state=s%20t&code=x&iss=https%3A%2F%2Fi\n", true, Ok("x"));
        check("code=x", false, Err(alien));
        check("code=x&state=other", false, Err(alien));
        check("code=x&state=s+t&state=s+t", false, Err(alien));
        check(
            "code=x&state=s+t&iss=https://evil",
            false,
            Err("the answer is of `https://evil`, and `https://i` was asked"),
        );
        check(
            "code=x&state=s+t&iss=https://i/",
            false,
            Err("the answer is of `https://i/`, and `https://i` was asked"),
        );
        check(
            "code=x&state=s+t",
            true,
            Err("the answer does not say that it is of `https://i`, as it promises to"),
        );
        check(
            "error=access_denied&error_description=N%0ao%1b&state=s+t",
            false,
            Err("`https://i` did not let you in: access_denied N o"),
        );
        check(
            "error=evil&state=s+t&iss=https://evil",
            false,
            Err("the answer is of `https://evil`, and `https://i` was asked"),
        );
        check("state=s+t", false, Err("the answer of `https://i` holds no code"));
        check(&format!("code=x&state=s+t&pad={}", "x".repeat(20_000)), false, Err(alien));
    }

    #[test]
    fn no_two_proofs_are_alike() {
        let (a, b) = (Proof::new().unwrap(), Proof::new().unwrap());
        assert!(a.state != b.state && a.verifier != b.verifier && a.verifier.expose() != a.state);
        assert_eq!(a.verifier.expose().len(), 43);
    }
}
