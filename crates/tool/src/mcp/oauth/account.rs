//! [`Account`]: logging in to a server and out of it.

use adjutant_core::secret::{Secret, Secrets};
use adjutant_core::{Code, Error, Result};
use url::Url;

use super::challenge::Challenge;
use super::client::{self, Choice, Client, choose};
use super::config::{Config, Grant};
use super::discovery::{Found, discover};
use super::keeper::{Keeper, Sent, refused_by, take, united};
use super::login::{Login, Status};
use super::metadata::{Issuer, canonical};
use super::request::{Proof, Request};
use super::token;
use super::web::{Rules, Web};
use crate::mcp::config::Http;
use crate::mcp::http;
use crate::mcp::server::values;
use crate::vault::OpenVault;

/// The login of one server.
#[derive(Clone, Debug)]
pub struct Account {
    name: String,
    http: Http,
    config: Config,
}

impl Account {
    pub(in crate::mcp) fn new(name: &str, http: &Http, config: &Config) -> Self {
        Self { name: name.to_owned(), http: http.clone(), config: config.clone() }
    }

    /// In whose name the server is asked.
    pub fn grant(&self) -> Grant {
        self.config.grant
    }

    /// The port that a person wants the browser to come back to.
    pub fn redirect_port(&self) -> Option<u16> {
        self.config.redirect_port
    }

    /// How the login stands. Nobody is asked. Fails with [`Code::VaultUnreadable`].
    pub fn status(&self, secrets: &dyn Secrets) -> Result<Status> {
        let login = self.kept(&self.vault(secrets)?)?;
        Ok(login.map_or(Status::Out, |login| login.status()))
    }

    /// Gets a token in the name of the client, where that is what the configuration says.
    pub async fn fetch(&self, secrets: &dyn Secrets) -> Result<Status> {
        let secret = |name: &str| secrets.get(name);
        let headers = values(&self.http.headers, &secret)?;
        let sent = Sent::default();
        Keeper::open(&self.name, &self.http, &self.config, headers, &secret, sent)?.token().await?;
        self.status(secrets)
    }

    /// Begins a login: finds out whom to ask, and makes the address for the browser, which comes back to `redirect`.
    ///
    /// Fails with [`Code::ToolBroken`] and [`Code::ToolBusy`] when the servers cannot be asked or say nonsense, and with
    /// [`Code::ToolUnauthorized`] when they take no client.
    pub async fn begin(&self, secrets: &dyn Secrets, redirect: &Url) -> Result<Attempt> {
        let secret = |name: &str| secrets.get(name);
        let vault = self.vault(secrets)?;
        let web = Web::new(Rules::for_server(&self.http.url, self.config.private))?;
        let challenge: Challenge = http::challenge(&self.http, values(&self.http.headers, &secret)?).await?;
        let found = discover(&web, &self.http.url, &self.config, &challenge).await?;
        let Found { resource, issuer, scopes } = found;
        let Some(endpoint) = &issuer.authorization else {
            return Err(refused_by(&issuer.issuer, "it has no page to log in at"));
        };
        let scopes = self.with_wanted(scopes, &vault, &issuer);
        let own = self.config.client_secret.as_deref().map(secret).transpose()?;
        let client = match choose(&self.config, own.as_ref(), &issuer) {
            Ok(Choice::Known(client)) => client,
            Ok(Choice::Register(url)) => register(&web, &url, &issuer, redirect, &scopes).await?,
            Err(why) => {
                let why = format!("the login server `{}` needs a client: {why}", issuer.issuer);
                return Err(Error::new(Code::ToolUnauthorized, why).with_help(format!(
                    "register one there by hand, with the address `{redirect}`, and write its `client_id` into `auth`"
                )));
            }
        };
        let proof = Proof::new()?;
        let request =
            Request { endpoint, client: &client.id, redirect, resource: &resource, scopes: &scopes };
        let address = proof.address(&request);
        let account = self.clone();
        Ok(Attempt {
            account,
            vault,
            web,
            issuer,
            client,
            resource,
            scopes,
            redirect: redirect.clone(),
            proof,
            address,
        })
    }

    /// Logs out: the token is taken back where the login server does that, and removed. Gives whether there was one.
    pub async fn end(&self, secrets: &dyn Secrets) -> Result<bool> {
        let vault = self.vault(secrets)?;
        let locked = vault.lock(&self.name).await?;
        // What cannot be read can be removed all the same.
        let text = locked.read().unwrap_or_default();
        let login = text.and_then(|text| Login::read(&self.name, &text).ok());
        let was_there = locked.remove()?;
        if let Some(login) = login {
            // It is good for nothing here any more, whatever comes of this.
            let _ = self.revoke(&login, secrets).await;
        }
        Ok(was_there)
    }

    async fn revoke(&self, login: &Login, secrets: &dyn Secrets) -> Result<()> {
        let (Some(url), Some(tokens)) = (&login.revocation_url, &login.tokens) else { return Ok(()) };
        let (token, hint) = match &tokens.refresh {
            Some(refresh) => (refresh, "refresh_token"),
            None => (&tokens.access, "access_token"),
        };
        let mut client = login.client.clone();
        if let Some(name) = &self.config.client_secret {
            client.secret = Some(secrets.get(name)?);
        }
        let mut form = vec![("token", token.expose()), ("token_type_hint", hint)];
        let basic = token::shown(&client, &mut form);
        let web = Web::new(Rules::for_server(&self.http.url, self.config.private))?;
        web.form(url, &form, basic).await.map(drop)
    }

    fn vault(&self, secrets: &dyn Secrets) -> Result<OpenVault> {
        self.config.vault.open(&|name| secrets.get(name))
    }

    fn kept(&self, vault: &OpenVault) -> Result<Option<Login>> {
        let Some(text) = vault.read(&self.name)? else { return Ok(None) };
        let login = Login::read(&self.name, &text)?;
        Ok((login.server == canonical(&self.http.url)).then_some(login))
    }

    /// What is asked for, with what calls needed since the last login, and with what that one allowed.
    fn with_wanted(&self, scopes: Vec<String>, vault: &OpenVault, issuer: &Issuer) -> Vec<String> {
        // A login that cannot be read is about to be replaced.
        let before = self.kept(vault).ok().flatten();
        match before.filter(|login| login.issuer == issuer.issuer && !login.wanted.is_empty()) {
            Some(login) => united(&[&scopes, &login.scopes, &login.wanted]),
            None => scopes,
        }
    }
}

async fn register(
    web: &Web,
    url: &Url,
    issuer: &Issuer,
    redirect: &Url,
    scopes: &[String],
) -> Result<Client> {
    let answer = web.json(url, &client::registration(issuer, redirect, scopes)).await?;
    client::registered(&answer, issuer).map_err(|why| {
        Error::new(
            Code::ToolUnauthorized,
            format!("the login server `{}` is of no use: {why}", issuer.issuer),
        )
        .with_help(
            "register a client there by hand, and write its `client_id` into `auth` in the server's table",
        )
    })
}

/// A login that was begun. It is over when this is dropped.
pub struct Attempt {
    account: Account,
    vault: OpenVault,
    web: Web,
    issuer: Issuer,
    client: Client,
    resource: String,
    scopes: Vec<String>,
    redirect: Url,
    proof: Proof,
    address: Url,
}

impl Attempt {
    /// The address that a person opens in a browser.
    pub fn address(&self) -> &Url {
        &self.address
    }

    /// Who asks the person to log in.
    pub fn issuer(&self) -> &str {
        &self.issuer.issuer
    }

    /// Whether a text is the answer to this login, whatever it says: the address that the browser was sent to, or its
    /// query.
    pub fn knows(&self, answer: &str) -> bool {
        self.proof.knows(answer)
    }

    /// Ends the login with what the browser was sent back with, and keeps the token.
    ///
    /// Fails with [`Code::ToolUnauthorized`] when the login server did not agree, and when the answer is not its own.
    pub async fn finish(&self, answer: &str) -> Result<Status> {
        let code: Secret = self
            .proof
            .code(answer, &self.issuer.issuer, self.issuer.names_itself)
            .map_err(|why| Error::new(Code::ToolUnauthorized, why).with_help(self.again()))?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", self.redirect.as_str()),
            ("code_verifier", self.proof.verifier.expose()),
            ("resource", &self.resource),
        ];
        let basic = token::shown(&self.client, &mut form);
        let answer = self.web.form(&self.issuer.token, &form, basic).await?;
        let config = &self.account.config;
        let given = token::read(&answer, config.vault.now(), None)
            .map_err(|refused| refused_by(&self.issuer.issuer, refused.why()))?;
        let mut login = Login::new(
            canonical(&self.account.http.url),
            self.resource.clone(),
            self.issuer.issuer.clone(),
            self.issuer.token.clone(),
            self.client.clone(),
        );
        login.revocation_url.clone_from(&self.issuer.revocation);
        login.scopes.clone_from(&self.scopes);
        take(&mut login, given);
        self.vault.lock(&self.account.name).await?.write(&login.text()?)?;
        Ok(login.status())
    }

    fn again(&self) -> String {
        format!("`adjutant tools login {}` begins anew", self.account.name)
    }
}
