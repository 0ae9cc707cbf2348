//! Requests of a login: to addresses that may be asked, bounded, and never carried on to another host.

use std::time::Duration;

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::http::{self, Reach};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer, in bytes.
const LONGEST: usize = 256 << 10;

/// How many redirects within a host are followed for a description.
const MOST_REDIRECTS: usize = 3;

/// Which addresses may be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    reach: Reach,
}

impl Rules {
    #[cfg(test)]
    pub(super) fn of(reach: Reach) -> Self {
        Self { reach }
    }

    /// The rules for what a server says. One on this machine may name others on it.
    pub(crate) fn for_server(server: &Url, private: bool) -> Self {
        let reach = match (private, http::is_loopback(server)) {
            (true, _) => Reach::Anything,
            (false, true) => Reach::Loopback,
            (false, false) => Reach::Public,
        };
        Self { reach }
    }

    /// Checks an address. It must be encrypted, unless it leads to this machine.
    pub(super) fn check(self, url: &Url) -> Result<(), String> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a name or a password".to_owned());
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && http::is_loopback(url)) {
            return Err("it is not `https`".to_owned());
        }
        if self.reach == Reach::Public && http::is_loopback(url) {
            return Err("it leads to this machine".to_owned());
        }
        http::check(url, self.reach)
    }
}

/// An answer to a form.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// Asks login servers.
#[derive(Clone, Debug)]
pub(crate) struct Web {
    client: reqwest::Client,
    pub(super) rules: Rules,
}

impl Web {
    pub(crate) fn new(rules: Rules) -> Result<Self> {
        let client = http::guarded_once(rules.reach)
            .map_err(|error| Error::new(Code::Internal, "no HTTP client can be made").caused_by(&error))?;
        Ok(Self { client, rules })
    }

    /// The document at an address; none where there is none (4xx).
    pub(crate) async fn document(&self, url: &Url) -> Result<Option<Value>> {
        let mut place = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            self.rules.check(&place).map_err(|why| refused(&place, &why))?;
            let asked = self.client.get(place.clone()).header(ACCEPT, "application/json").send();
            let response = within(&place, asked).await?;
            let status = response.status();
            if status.is_redirection() {
                let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
                let next = to.and_then(|to| place.join(to).ok());
                place = next
                    .filter(|next| next.origin() == place.origin())
                    .ok_or_else(|| odd(&place, "it leads on to another host"))?;
                continue;
            }
            if status.is_client_error() {
                return Ok(None);
            }
            if !status.is_success() {
                return Err(busy(&place, &format!("it answers {status}")));
            }
            return self.read(&place, response).await.map(Some);
        }
        Err(odd(url, "it leads on and on"))
    }

    /// Sends a form. `basic` is the client and its secret, where they stand in a header.
    pub(super) async fn form(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        basic: Option<(&str, &Secret)>,
    ) -> Result<Answer> {
        let mut request = self
            .client
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish());
        if let Some((client, secret)) = basic {
            // Each is encoded as in a form before they are joined (RFC 6749, 2.3.1).
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encoded(client), Some(encoded(secret.expose())));
        }
        self.post(url, request).await
    }

    /// Sends a JSON document.
    pub(super) async fn json(&self, url: &Url, document: &Value) -> Result<Answer> {
        let request = self.client.post(url.clone()).header(ACCEPT, "application/json").json(document);
        self.post(url, request).await
    }

    async fn post(&self, url: &Url, request: reqwest::RequestBuilder) -> Result<Answer> {
        self.rules.check(url).map_err(|why| refused(url, &why))?;
        let response = within(url, request.send()).await?;
        let status = response.status();
        if status.is_redirection() {
            // The request holds secrets, which belong to nobody else.
            return Err(odd(url, "it leads on to another address"));
        }
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(busy(url, &format!("it answers {status}")));
        }
        // An error may come without words; what a success says is looked at by whoever asked.
        let body = match self.read(url, response).await {
            Err(_) if !status.is_success() => Value::Null,
            body => body?,
        };
        Ok(Answer { status: status.as_u16(), body })
    }

    async fn read(&self, url: &Url, response: reqwest::Response) -> Result<Value> {
        let body = within(url, http::read(response, LONGEST)).await?;
        if body.cut {
            return Err(odd(url, &format!("its answer has more than {LONGEST} bytes")));
        }
        serde_json::from_slice(&body.bytes).map_err(|_| odd(url, "its answer is no JSON"))
    }
}

/// What a request gives in time.
async fn within<T>(url: &Url, asked: impl Future<Output = reqwest::Result<T>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failed(url, &error.without_url())),
        Err(_) => Err(busy(url, &format!("there was no answer within {} s", PATIENCE.as_secs()))),
    }
}

/// An address without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = (url.set_password(None), url.set_username(""));
    url.to_string()
}

fn failed(url: &Url, error: &reqwest::Error) -> Error {
    match http::refusal(error) {
        Some(why) => refused(url, &why),
        None => busy(url, &http::explained(error)),
    }
}

fn busy(url: &Url, why: &str) -> Error {
    Error::new(Code::ToolBusy, format!("`{}` cannot be asked: {why}", shown(url)))
}

fn odd(url: &Url, why: &str) -> Error {
    Error::new(Code::ToolBroken, format!("`{}` is of no use: {why}", shown(url)))
}

fn refused(url: &Url, why: &str) -> Error {
    Error::new(Code::ToolBroken, format!("`{}` is not asked: {why}", shown(url)))
        .with_help("add `private = true` to `auth` in its table, if it stands in a network of your own")
}
