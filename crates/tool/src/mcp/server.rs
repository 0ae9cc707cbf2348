//! [`Server`]: a server under supervision.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::secret::{Secret, Secrets};
use adjutant_core::time::format_duration;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error, Result};
use rmcp::model::ClientRequest;
use tokio::sync::Mutex;

use super::config::{Config, Http, Transport};
use super::connection::{Connection, Handshake, Unready};
use super::failure::{Made, Missed};
use super::flight::{Heard, Held};
use super::oauth::{self, Account, Keeper, Sent};
use super::offer::{Offer, Pin, PinnedTool};
use super::process::{self, Said};
use super::remote::RemoteTool;
use super::stdio::Pipes;
use super::{http, prompts, resources};
use crate::command::{Redactor, Variable};
use crate::context::{Context, deadline_after};
use crate::sandbox;
use crate::tool::Tool;

/// A connection that lasted so long was a good one: what happens after it is no series of failures.
const GOOD: Duration = Duration::from_secs(60);

/// How long a server rests after its second failure in a row; twice as long after each further one.
const FIRST_REST: Duration = Duration::from_millis(500);

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// How much rest a call waits for. Where there is more, the model is told to come back later.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many calls of a server are held at a time while people answer its questions.
const MOST_HELD: usize = 64;

/// A server, with one connection that all its tools share. It is started, or reached, when it is first needed, and
/// again when it has died. Clones are the same one; when the last is gone, its process is killed.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    config: Config,
    said: Said,
    state: Mutex<State>,
    /// The calls that wait for a person, the oldest first.
    held: std::sync::Mutex<VecDeque<(String, Held)>>,
    redactor: std::sync::Mutex<Redactor>,
    /// The tokens that the server was sent lately.
    sent: Sent,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    /// How often it has failed in a row.
    failures: u32,
    /// When it may be started again.
    rests_until: Option<Instant>,
    /// Why it failed last.
    why: String,
}

impl Server {
    /// A server that is not started yet. Fails with [`Code::ToolInvalid`] when the configuration contradicts itself.
    pub fn new(config: Config) -> Result<Self> {
        config.check()?;
        let (said, state, redactor) = (Said::default(), Mutex::default(), std::sync::Mutex::default());
        let (held, sent) = (std::sync::Mutex::default(), Sent::default());
        Ok(Self(Arc::new(Inner { config, said, state, held, redactor, sent })))
    }

    /// What the server is called here.
    pub fn name(&self) -> &str {
        &self.0.config.name
    }

    /// The login of the server, where one is needed.
    pub fn account(&self) -> Option<Account> {
        match &self.0.config.transport {
            Transport::Http(http) => http.auth.as_ref().map(|auth| Account::new(self.name(), http, auth)),
            Transport::Process(_) => None,
        }
    }

    /// What happens if a tool is called twice: what the person says of it, otherwise what the server hints.
    pub fn effect(&self, tool: &str, pinned: &PinnedTool) -> Effect {
        self.0.config.effect(tool).unwrap_or_else(|| pinned.effect())
    }

    /// Makes tools of what was accepted of the server. Nothing is started.
    pub fn tools(&self, pin: &Pin) -> Vec<Arc<dyn Tool>> {
        let mut tools: Vec<Arc<dyn Tool>> = Vec::with_capacity(pin.tools.len());
        for (name, pinned) in &pin.tools {
            tools.push(Arc::new(RemoteTool::new(self, name, pinned)));
        }
        let mut ours: Vec<Arc<dyn Tool>> = Vec::new();
        if pin.resources && self.0.config.resources {
            ours.extend(resources::tools(self));
        }
        if !pin.prompts.is_empty() && self.0.config.prompts {
            ours.push(prompts::tool(self, &pin.prompts));
        }
        // A tool of the server's own goes before ours.
        ours.retain(|ours| tools.iter().all(|tool| tool.spec().name != ours.spec().name));
        tools.extend(ours);
        tools
    }

    /// Asks the server what it offers, starting it if it does not run.
    ///
    /// Fails with [`Code::ToolBroken`] when it cannot be started or asked, and with [`Code::ToolBusy`] while it rests.
    pub async fn offer(&self, secrets: &dyn Secrets) -> Result<Offer> {
        let within = self.0.config.start_timeout;
        let asked = async {
            let connection = self.connection(&|name| secrets.get(name)).await?;
            connection.offer().await
        };
        match tokio::time::timeout(within, asked).await {
            Ok(offer) => offer.map(|offer| offer.as_ref().clone()).map_err(|error| self.explained(&error)),
            Err(_) => Err(self.late(within)),
        }
    }

    /// The sandbox that it runs in; none for one that is a process outside, and for one over HTTP.
    fn sandbox(&self) -> Option<&sandbox::Config> {
        match &self.0.config.transport {
            Transport::Process(process) => process.sandbox.as_ref(),
            Transport::Http(_) => None,
        }
    }

    /// Whether it is a process of this machine that no sandbox holds.
    pub fn has_every_right(&self) -> bool {
        matches!(self.0.config.transport, Transport::Process(_)) && self.sandbox().is_none()
    }

    /// The last lines that the server wrote to standard error, the oldest first.
    pub fn said(&self) -> Vec<String> {
        self.0.said.lines()
    }

    pub(super) fn config(&self) -> &Config {
        &self.0.config
    }

    /// What is known of a call of a tool.
    pub(super) fn made<'a>(&self, spec: &'a ToolSpec) -> Made<'a> {
        Made {
            name: &spec.name,
            is_repeatable: spec.effect.is_repeatable(),
            timeout: self.0.config.timeout,
            said: self.0.said.last(),
            redactor: self.redactor(),
        }
    }

    pub(super) fn redactor(&self) -> Redactor {
        let redactor = self.0.redactor.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        redactor.and(self.0.sent.all().into_iter())
    }

    /// Until when a call may take.
    pub(super) fn deadline(&self, context: &Context) -> Instant {
        let timeout = deadline_after(self.0.config.timeout);
        context.deadline().map_or(timeout, |deadline| deadline.min(timeout))
    }

    /// Makes a request for a tool. `check` looks at what the server offers; only then is it asked.
    pub(super) async fn ask(
        &self,
        request: ClientRequest,
        context: &Context,
        check: impl Fn(&Offer) -> Result<()>,
    ) -> Result<Heard, Missed> {
        let deadline = self.deadline(context);
        let ready = async {
            let connection = self.connection(&|name| context.secret(name)).await?;
            check(connection.offer().await?.as_ref())?;
            Ok(connection)
        };
        let cancelled = context.cancelled();
        // Until here nothing has happened, whatever the tool does.
        let connection: Arc<Connection> = tokio::select! {
            biased;
            ready = ready => ready.map_err(|error: Error| Missed::Unmade(self.explained(&error)))?,
            () = cancelled.cancelled() => {
                return Err(Missed::Unmade(Error::new(Code::RunCancelled, "the call was cancelled before it was made")));
            }
            () = tokio::time::sleep_until(deadline.into()) => {
                return Err(Missed::Unmade(self.late(self.0.config.timeout)));
            }
        };
        connection.ask(request, context, deadline).await.map_err(Missed::Unanswered)
    }

    /// Holds a call while a person answers what the server asks, and names it. One that nobody answers for long gives way to
    /// newer ones.
    pub(super) fn hold(&self, context: &Context, held: Held) -> String {
        let id = format!("{}:{}", context.idempotency_key(), context.attempt());
        let mut all = self.0.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while all.len() >= MOST_HELD {
            all.pop_front();
        }
        all.push_back((id.clone(), held));
        id
    }

    /// The call that is held under this name, if the server still waits for the answer.
    pub(super) fn take_held(&self, id: &str) -> Option<Held> {
        let mut all = self.0.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = all.iter().position(|(other, _)| other == id)?;
        all.remove(place).map(|(_, held)| held).filter(Held::is_wanted)
    }

    /// The connection, made anew where there is none.
    async fn connection(&self, secret: &(dyn Fn(&str) -> Result<Secret> + Sync)) -> Result<Arc<Connection>> {
        let mut state = self.0.state.lock().await;
        if let Some(connection) = state.connection.take_if(|connection| connection.is_over()) {
            state.ended(&connection, self.0.said.last());
        }
        if let Some(connection) = &state.connection {
            return Ok(Arc::clone(connection));
        }
        state.rest().await?;
        let opened = tokio::time::timeout(self.0.config.start_timeout, self.open(secret)).await;
        match opened.unwrap_or_else(|_| Err(self.late(self.0.config.start_timeout))) {
            Ok(connection) => {
                let connection = Arc::new(connection);
                state.connection = Some(Arc::clone(&connection));
                Ok(connection)
            }
            Err(error) => {
                // Nothing is wrong with the server, and whoever has logged in need not wait.
                if error.code() != Code::ToolUnauthorized {
                    state.failed(error.message().to_owned());
                }
                Err(error)
            }
        }
    }

    /// Starts the server, or reaches it, and makes the handshake. One that is confused by the newest is asked once more, in
    /// the older way.
    async fn open(&self, secret: &(dyn Fn(&str) -> Result<Secret> + Sync)) -> Result<Connection> {
        match self.begin(secret, Handshake::Newest).await? {
            Err(unready) if unready.is_confused => {
                let opened = self.begin(secret, Handshake::Older).await?;
                opened.map_err(|unready| unready.error)
            }
            opened => opened.map_err(|unready| unready.error),
        }
    }

    /// Begins a conversation. The inner error is that of the handshake.
    async fn begin(
        &self,
        secret: &(dyn Fn(&str) -> Result<Secret> + Sync),
        handshake: Handshake,
    ) -> Result<Result<Connection, Unready>> {
        match &self.0.config.transport {
            Transport::Process(config) => {
                let environment = values(&config.environment, secret)?;
                let redactor = self.hide(&config.environment, &environment, None);
                let said = self.0.said.clone();
                let (process, input, output) =
                    process::start(self.name(), config, &environment, redactor, said.clone()).await?;
                Ok(Connection::open(Pipes::new(process, input, output, said), handshake).await)
            }
            Transport::Http(config) => {
                let headers = values(&config.headers, secret)?;
                let bearer = config.bearer.as_deref().map(secret).transpose()?;
                self.hide(&config.headers, &headers, bearer.as_ref());
                let keeper = match &config.auth {
                    Some(auth) => Some(self.keeper(config, auth, headers.clone(), secret).await?),
                    None => None,
                };
                let transport = http::transport(self.name(), config, headers, bearer.as_ref(), keeper)?;
                Ok(Connection::open(transport, handshake).await)
            }
        }
    }

    /// Whoever has the token for each request. There is one, or a person must log in: then nobody is asked.
    async fn keeper(
        &self,
        http: &Http,
        auth: &oauth::Config,
        headers: Vec<(String, Secret)>,
        secret: &(dyn Fn(&str) -> Result<Secret> + Sync),
    ) -> Result<Keeper> {
        let keeper = Keeper::open(self.name(), http, auth, headers, secret, self.0.sent.clone())?;
        keeper.token().await?;
        Ok(keeper)
    }

    /// Remembers which values the server must not say again.
    fn hide(
        &self,
        variables: &BTreeMap<String, Variable>,
        values: &[(String, Secret)],
        bearer: Option<&Secret>,
    ) -> Redactor {
        let is_secret = |name: &String| matches!(variables.get(name), Some(Variable::Secret(_)));
        let secrets = values.iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.clone());
        let redactor = Redactor::new(secrets.chain(bearer.cloned()));
        *self.0.redactor.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = redactor.clone();
        redactor
    }

    /// An error as one about this server. What the server wrote last often says why.
    fn explained(&self, error: &Error) -> Error {
        if !matches!(error.code(), Code::ToolBroken | Code::ToolBusy) {
            return error.clone();
        }
        let mut why = format!("the MCP server `{}`: {}", self.name(), error.message());
        for cause in error.causes() {
            why.push_str(&format!(": {cause}"));
        }
        if let Some(last) = self.0.said.last() {
            why.push_str(&format!("; its last words: {last}"));
        }
        let explained = Error::new(error.code(), self.redactor().text(why));
        match error.help() {
            Some(help) => explained.with_help(help),
            None if self.sandbox().is_some() => explained.with_help(
                "`adjutant doctor` shows what the server wrote; it runs in a sandbox, and finds there what `sandbox` in its \
                 table says",
            ),
            None => explained.with_help("`adjutant doctor` shows what the server wrote"),
        }
    }

    fn late(&self, within: Duration) -> Error {
        let why =
            format!("the MCP server `{}` was not ready within {}", self.name(), format_duration(within));
        Error::new(Code::ToolTimeout, why).with_help("give it more time with `start_timeout` in its table")
    }
}

impl State {
    /// Notes that a connection is over.
    fn ended(&mut self, connection: &Connection, last: Option<String>) {
        if connection.age() >= GOOD {
            self.failures = 0;
        }
        let last = last.map(|last| format!(": {last}")).unwrap_or_default();
        let what = if connection.is_hung() { "it answered nothing any more" } else { "it ended" };
        self.failed(format!("{what}{last}"));
    }

    fn failed(&mut self, why: String) {
        self.why = why;
        self.rests_until = rest_after(self.failures).map(|rest| Instant::now() + rest);
        self.failures = self.failures.saturating_add(1);
    }

    /// Waits until the server may be started again. Fails with [`Code::ToolBusy`] when that is too long.
    async fn rest(&self) -> Result<()> {
        let left =
            self.rests_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if left > PATIENCE {
            let why =
                format!("it has failed {} times in a row, the last time since {}", self.failures, self.why);
            let help = format!("it is started again in {} at the earliest", format_duration(left));
            return Err(Error::new(Code::ToolBusy, why).with_help(help));
        }
        tokio::time::sleep(left).await;
        Ok(())
    }
}

/// The values that a person wrote, with the secrets among them.
pub(super) fn values(
    variables: &BTreeMap<String, Variable>,
    secret: &(dyn Fn(&str) -> Result<Secret> + Sync),
) -> Result<Vec<(String, Secret)>> {
    let value = |name: &str, variable: &Variable| match variable {
        Variable::Text(text) => Ok(Some(Secret::new(text))),
        Variable::Inherit => Ok(std::env::var(name).ok().map(Secret::new)),
        Variable::Secret(named) => secret(named).map(Some),
    };
    let found = variables.iter().map(|(name, variable)| Ok((name.clone(), value(name, variable)?)));
    let found: Vec<_> = found.collect::<Result<_>>()?;
    Ok(found.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

/// How long a server rests that has failed so often in a row before; not at all after its first failure.
fn rest_after(failures: u32) -> Option<Duration> {
    let doublings = failures.checked_sub(1)?;
    Some(FIRST_REST.saturating_mul(1 << doublings.min(16)).min(LONGEST_REST))
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.0.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_fails_again_and_again_rests_longer() {
        let rests: Vec<_> =
            (0..10).map(|failures| rest_after(failures).map(|rest| rest.as_millis())).collect();
        assert_eq!(rests[..4], [None, Some(500), Some(1000), Some(2000)]);
        assert_eq!(rest_after(100), Some(LONGEST_REST));
    }
}
