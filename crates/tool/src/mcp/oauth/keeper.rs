//! [`Keeper`]: the token for each request.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};

use super::challenge::{Challenge, scopes};
use super::client::{Choice, Client, choose};
use super::config::{Config, Grant};
use super::discovery::discover;
use super::login::Login;
use super::metadata::canonical;
use super::token::{self, Given, Refused, Tokens};
use super::web::{Rules, Web};
use crate::mcp::config::Http;
use crate::mcp::http;
use crate::vault::{Locked, OpenVault};

/// How many tokens are remembered, so that the server does not say them again.
const REMEMBERED: usize = 8;

/// The tokens that were sent lately.
#[derive(Clone, Default)]
pub(in crate::mcp) struct Sent(Arc<Mutex<Vec<Secret>>>);

impl Sent {
    /// All of them.
    pub(in crate::mcp) fn all(&self) -> Vec<Secret> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, token: &Secret) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !sent.contains(token) {
            if sent.len() >= REMEMBERED {
                sent.remove(0);
            }
            sent.push(token.clone());
        }
    }
}

/// Has the token for each request to one server. The vault is asked each time: another process may have renewed the
/// token, and whoever logs out is out at once. Clones are the same one.
#[derive(Clone)]
pub(in crate::mcp) struct Keeper(Arc<Inner>);

struct Inner {
    name: String,
    http: Http,
    config: Config,
    headers: Vec<(String, Secret)>,
    secret: Option<Secret>,
    vault: OpenVault,
    web: Web,
    sent: Sent,
}

impl Keeper {
    /// The keeper of a server; `headers` are those that each request carries.
    pub(in crate::mcp) fn open(
        name: &str,
        http: &Http,
        config: &Config,
        headers: Vec<(String, Secret)>,
        secret: &(dyn Fn(&str) -> Result<Secret> + Sync),
        sent: Sent,
    ) -> Result<Self> {
        let rules = Rules::for_server(&http.url, config.private);
        Ok(Self(Arc::new(Inner {
            name: name.to_owned(),
            http: http.clone(),
            config: config.clone(),
            headers,
            secret: config.client_secret.as_deref().map(secret).transpose()?,
            vault: config.vault.open(secret)?,
            web: Web::new(rules)?,
            sent,
        })))
    }

    /// The token for a request. Fails with [`Code::ToolUnauthorized`] where a person must log in first.
    pub(in crate::mcp) async fn token(&self) -> Result<Secret> {
        let login = self.0.kept(self.0.vault.read(&self.0.name)?)?;
        let now = self.0.config.vault.now();
        let fresh = login.and_then(|login| login.tokens).filter(|tokens| !tokens.is_stale(now));
        match fresh {
            Some(tokens) => Ok(self.noted(tokens.access)),
            None => self.renewed(None, Vec::new()).await,
        }
    }

    /// Another token in place of one that the server refused.
    pub(in crate::mcp) async fn another(&self, refused: &Secret) -> Result<Secret> {
        self.renewed(Some(refused.clone()), Vec::new()).await
    }

    /// Another token in place of one that does not allow enough. Only a client of its own right gets it by itself.
    pub(in crate::mcp) async fn stronger(&self, weak: &Secret, challenge: &Challenge) -> Result<Secret> {
        match self.0.config.grant {
            Grant::Client => self.renewed(Some(weak.clone()), challenge.scopes.clone()).await,
            Grant::Person => Err(self.0.wanting(challenge).await?),
        }
    }

    /// What a server means that refuses each token.
    pub(in crate::mcp) fn refused(&self) -> Error {
        self.0.over("the server refuses its token")
    }

    /// Renews the token in a task of its own: one that is given up half-way would lose a token that was used up.
    async fn renewed(&self, refused: Option<Secret>, more: Vec<String>) -> Result<Secret> {
        let inner = Arc::clone(&self.0);
        let task = tokio::spawn(async move { inner.renew(refused.as_ref(), &more).await });
        let token = task
            .await
            .map_err(|error| Error::new(Code::Internal, "no token can be renewed").caused_by(&error))?;
        token.map(|token| self.noted(token))
    }

    fn noted(&self, token: Secret) -> Secret {
        self.0.sent.note(&token);
        token
    }
}

impl Inner {
    /// What is kept, if it is for this server and this client: a token goes to nobody else.
    fn kept(&self, text: Option<Secret>) -> Result<Option<Login>> {
        let Some(text) = text else { return Ok(None) };
        let login = Login::read(&self.name, &text)?;
        let fits = login.server == canonical(&self.http.url)
            && self.config.issuer.as_ref().is_none_or(|issuer| *issuer == login.issuer)
            && self.config.client_id.as_ref().is_none_or(|id| *id == login.client.id);
        Ok(fits.then_some(login))
    }

    async fn renew(&self, refused: Option<&Secret>, more: &[String]) -> Result<Secret> {
        let locked = self.vault.lock(&self.name).await?;
        let login = self.kept(locked.read()?)?;
        let now = self.config.vault.now();
        // Another may have renewed it while this one waited.
        if let Some(tokens) = login.as_ref().and_then(|login| login.tokens.as_ref())
            && Some(&tokens.access) != refused
            && !tokens.is_stale(now)
        {
            return Ok(tokens.access.clone());
        }
        match (self.config.grant, login) {
            (Grant::Client, login) => self.client_token(&locked, login, more).await,
            (Grant::Person, None) => Err(self.out()),
            (Grant::Person, Some(login)) => self.refresh(&locked, login, refused.is_some()).await,
        }
    }

    /// Renews the token of a person.
    async fn refresh(&self, locked: &Locked<'_>, mut login: Login, is_refused: bool) -> Result<Secret> {
        let Some(tokens) = login.tokens.clone() else { return Err(self.out()) };
        let is_good = !is_refused && !tokens.is_over(self.config.vault.now());
        let Some(refresh) = &tokens.refresh else {
            return if is_good { Ok(tokens.access) } else { Err(self.over("its token has ended")) };
        };
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.expose()),
            ("resource", &login.resource),
        ];
        let basic = token::shown(&login.client, &mut form);
        let answer = match self.web.form(&login.token_url, &form, basic).await {
            Ok(answer) => answer,
            // It is still good for a while.
            Err(error) if is_good && error.code() == Code::ToolBusy => return Ok(tokens.access),
            Err(error) => return Err(error),
        };
        match token::read(&answer, self.config.vault.now(), Some(refresh)) {
            Ok(given) => {
                let token = given.tokens.access.clone();
                take(&mut login, given);
                locked.write(&login.text()?)?;
                Ok(token)
            }
            Err(Refused::Over(why)) => {
                login.tokens = None;
                locked.write(&login.text()?)?;
                Err(self.over(&why))
            }
            Err(Refused::Wrong(why)) => Err(refused_by(&login.issuer, &why)),
        }
    }

    /// Fetches a token in the name of the client (RFC 6749, 4.4).
    async fn client_token(
        &self,
        locked: &Locked<'_>,
        kept: Option<Login>,
        more: &[String],
    ) -> Result<Secret> {
        let challenge = http::challenge(&self.http, self.headers.clone()).await?;
        let found = discover(&self.web, &self.http.url, &self.config, &challenge).await?;
        let (id, secret) = (self.config.client_id.as_deref(), self.secret.as_ref());
        let client: Client = match choose(&self.config, secret, &found.issuer) {
            Ok(Choice::Known(client)) if id.is_some() => client,
            Ok(_) => return Err(Error::new(Code::ToolInvalid, "a client without an id asks for a token")),
            Err(why) => return Err(refused_by(&found.issuer.issuer, why)),
        };
        let before = kept.map(|login| login.scopes).unwrap_or_default();
        let wished = match more.is_empty() {
            true => found.scopes,
            false => united(&[&found.scopes, &before, more]),
        };
        let scope = wished.join(" ");
        let mut form = vec![("grant_type", "client_credentials"), ("resource", &found.resource)];
        if !scope.is_empty() {
            form.push(("scope", &scope));
        }
        let basic = token::shown(&client, &mut form);
        let answer = self.web.form(&found.issuer.token, &form, basic).await?;
        let given = token::read(&answer, self.config.vault.now(), None);
        let given = given.map_err(|refused| refused_by(&found.issuer.issuer, refused.why()))?;
        let token = given.tokens.access.clone();
        let server = canonical(&self.http.url);
        let mut login = Login::new(server, found.resource, found.issuer.issuer, found.issuer.token, client);
        login.revocation_url = found.issuer.revocation;
        // The secret of the client is where the project says, and need not be here too.
        login.client.secret = None;
        login.scopes = wished;
        take(&mut login, given);
        locked.write(&login.text()?)?;
        Ok(token)
    }

    /// Notes what a login does not allow, so that the next one asks for it.
    async fn wanting(&self, challenge: &Challenge) -> Result<Error> {
        let locked = self.vault.lock(&self.name).await?;
        let Some(mut login) = self.kept(locked.read()?)? else { return Ok(self.out()) };
        login.wanted = united(&[&login.wanted, &challenge.scopes]);
        locked.write(&login.text()?)?;
        let needs = match challenge.scopes.is_empty() {
            true => String::new(),
            false => format!(": it needs `{}`", crate::mcp::clean::line(&challenge.scopes.join(" "), 200)),
        };
        let why = format!("the login of the MCP server `{}` does not allow this{needs}", self.name);
        Ok(Error::new(Code::ToolUnauthorized, why)
            .with_help(format!("`adjutant tools login {}` asks for it", self.name)))
    }

    fn out(&self) -> Error {
        Error::new(Code::ToolUnauthorized, format!("nobody is logged in to the MCP server `{}`", self.name))
            .with_help(format!("`adjutant tools login {}`", self.name))
    }

    fn over(&self, why: &str) -> Error {
        let why = format!("the login of the MCP server `{}` is over: {why}", self.name);
        let help = match self.config.grant {
            Grant::Person => format!("`adjutant tools login {}`", self.name),
            Grant::Client => {
                "check `auth` in its table: `client_id`, `client_secret` and `scopes`".to_owned()
            }
        };
        Error::new(Code::ToolUnauthorized, why).with_help(help)
    }
}

/// Takes what was given into a login.
pub(super) fn take(login: &mut Login, given: Given) {
    let Given { tokens, scopes } = given;
    login.scopes = scopes.unwrap_or_else(|| std::mem::take(&mut login.scopes));
    login.tokens = Some(Tokens { ..tokens });
}

/// All scopes of several lists, each once.
pub(super) fn united(lists: &[&[String]]) -> Vec<String> {
    scopes(&lists.concat().join(" "))
}

/// The error of a login server that gives no token.
pub(super) fn refused_by(issuer: &str, why: &str) -> Error {
    let why = format!("the login server `{issuer}` gives no token: {why}");
    Error::new(Code::ToolUnauthorized, why)
        .with_help("check `auth` in the server's table: `client_id`, `client_secret` and `scopes`")
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("name", &self.0.name).finish_non_exhaustive()
    }
}
