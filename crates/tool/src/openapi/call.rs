//! The tools themselves.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use adjutant_core::secret::Secret;
use adjutant_core::time::format_duration;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error, Result};
use futures::future::{BoxFuture, FutureExt};
use reqwest::header::{ACCEPT, HeaderName};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;
use url::Url;

use super::answer::{self, ALL, Answer, Show};
use super::auth::{self, Credentials};
use super::config::{Auth, Config, HeaderText};
use super::document::Document;
use super::exchange::{self, Lost};
use super::hidden;
use super::inputs::{self, Inputs};
use super::kept::{self, Reader};
use super::operation::{self, Operation};
use super::part::{Part, Rest};
use super::request::{self, Request, Target};
use super::schema::words;
use super::source;
use crate::command::Redactor;
use crate::context::{Context, deadline_after};
use crate::failure::Failure;
use crate::http::{self, Reach};
use crate::output::Output;
use crate::tool::Tool;

/// How long the description of a tool may be, in characters.
const LONGEST_DESCRIPTION: usize = 1_000;
/// The longest wait that a service can ask for; whoever asks for a longer one is told to the model.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// How often a call that a service put off is made within one call, where nothing else may make it again.
const MOST_TRIES: u32 = 3;

/// Reads the document of a configuration and makes a tool of each operation that it wants.
///
/// This blocks while the document is read, and where it is not here yet, while it is fetched. Fails with
/// [`Code::FileUnreadable`] and [`Code::ToolInvalid`].
pub fn tools(config: Config) -> Result<Vec<Arc<dyn Tool>>> {
    let document = config.document.load(config.private)?;
    of_document(&document, config)
}

fn of_document(document: &Document, config: Config) -> Result<Vec<Arc<dyn Tool>>> {
    let base = base(document, &config)?;
    let operations = operation::chosen(document, &config)?;
    let names_them = !config.operations.is_empty();
    let mut built = Vec::with_capacity(operations.len());
    for operation in &operations {
        if let Some(elsewhere) = elsewhere(operation, &base) {
            if names_them {
                let why = format!("`{}` is served by `{elsewhere}`, not by `{base}`", operation.key());
                return Err(Error::new(Code::ToolInvalid, why)
                    .with_help("give it a table of its own with that `base_url`"));
            }
            continue;
        }
        built.push((operation, spec(operation, document, &config)?));
    }
    let service = Arc::new(Service::new(base, config)?);
    let tools = built.into_iter().map(|(operation, (spec, inputs))| {
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap_or(Method::GET);
        let target = Target { method, base: service.base.clone(), path: operation.path.to_owned() };
        let carries_key = operation.carries_key(&service.config);
        let call = Call { what: operation.key(), effect: spec.effect, target, inputs, carries_key };
        Arc::new(OperationTool { spec, call: Arc::new(call), service: Arc::clone(&service) }) as Arc<dyn Tool>
    });
    let mut tools: Vec<_> = tools.collect();
    let changes = tools.iter().any(|tool| tool.spec().effect != Effect::Pure);
    if let Some(keep) = service.config.keep.as_ref().filter(|_| changes) {
        tools.push(Arc::new(Reader::new(keep, &service.config)));
    }
    Ok(tools)
}

/// The address that is asked.
fn base(document: &Document, config: &Config) -> Result<Url> {
    let invalid = |why: String| {
        Error::new(Code::ToolInvalid, why)
            .with_help("write `base_url = \"https://...\"`, the address before the paths")
    };
    let url = match &config.base_url {
        Some(url) => url.clone(),
        None => {
            let server =
                document.root().get("servers").and_then(Value::as_array).and_then(|list| list.first());
            let text = server.and_then(server_url).unwrap_or_else(|| "/".to_owned());
            let joined = match &config.document.url {
                Some(from) => from.join(&text),
                None => Url::parse(&text),
            };
            joined.map_err(|_| {
                invalid(format!("`{}` does not say which server it is about", document.name()))
            })?
        }
    };
    let shown = || {
        let mut plain = url.clone();
        let _ = (plain.set_password(None), plain.set_username(""));
        plain.to_string()
    };
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(invalid(format!("the address `{}` holds more than a host and a path", shown())));
    }
    let reach = reach(&url, config);
    http::check(&url, reach).map_err(|why| {
        let error = invalid(format!("the address `{}` is refused: {why}", shown()));
        error.with_help("write it as `base_url`, or add `private = true`, if it is meant")
    })?;
    Ok(url)
}

fn reach(base: &Url, config: &Config) -> Reach {
    source::reach(base, config.base_url.is_some(), config.private)
}

/// The address of a server, with the default values of its variables.
fn server_url(server: &Value) -> Option<String> {
    let mut url = server.get("url")?.as_str()?.to_owned();
    for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten() {
        let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), default);
    }
    Some(url)
}

/// The other host that serves an operation, if one does.
fn elsewhere(operation: &Operation<'_>, base: &Url) -> Option<String> {
    let url = server_url(operation.server()?)?;
    let joined = base.join(&url).ok()?;
    (joined.origin() != base.origin()).then(|| words(&url, 200))
}

fn spec(operation: &Operation<'_>, document: &Document, config: &Config) -> Result<(ToolSpec, Inputs)> {
    let inputs = inputs::of(document, operation, config)?;
    let text =
        |key: &str| operation.node.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let mut said: Vec<String> = Vec::new();
    for text in [text("summary"), text("description")].into_iter().flatten() {
        let is_new = said.first().is_none_or(|first| !text.starts_with(first.as_str()));
        if !is_new {
            said.clear();
        }
        said.push(text.to_owned());
    }
    if said.is_empty() {
        said.push(operation.key());
    }
    if operation.node.get("deprecated") == Some(&Value::Bool(true)) {
        said.insert(0, "Deprecated.".to_owned());
    }
    let spec = ToolSpec {
        name: operation.name.clone(),
        description: words(&said.join("\n"), LONGEST_DESCRIPTION),
        parameters: inputs.schema.clone(),
        effect: operation.effect(config),
        timeout: config.timeout,
        concurrency: config.concurrency,
        flow: adjutant_core::tool::Flow::outside("api"),
    };
    Ok((spec, inputs))
}

/// Asks the address of a configuration without saying who asks, and gives it with the status that it answers.
///
/// Fails with [`Code::ToolInvalid`] and [`Code::ToolBusy`].
pub async fn probe(config: &Config) -> Result<(Url, String)> {
    let base = match &config.base_url {
        Some(url) => url.clone(),
        None => base(&config.document.load(config.private)?, config)?,
    };
    let service = Service::new(base.clone(), Config { auth: Auth::None, ..config.clone() })?;
    let client = service.client().await?;
    let request = Request {
        method: Method::GET,
        url: base.clone(),
        headers: reqwest::header::HeaderMap::new(),
        body: None,
    };
    match exchange::send(client, request, 1 << 10).await {
        Ok(answer) => Ok((base, answer.status.to_string())),
        Err(Lost::Refused(why)) => Err(service.refused(&why)),
        Err(Lost::NotSent(why) | Lost::Sent(why)) => {
            Err(Error::new(Code::ToolBusy, format!("`{base}` cannot be reached: {why}")))
        }
    }
}

/// What all tools of one document share.
struct Service {
    config: Config,
    base: Url,
    credentials: Credentials,
    client: OnceCell<reqwest::Client>,
}

impl Service {
    fn new(base: Url, config: Config) -> Result<Self> {
        if let Auth::ClientCredentials { token_url, .. } = &config.auth {
            let reach = source::reach(token_url, true, config.private);
            http::check(token_url, reach)
                .map_err(|why| Error::new(Code::ToolInvalid, format!("`token_url` is refused: {why}")))?;
        }
        for name in config.headers.keys().chain(config.idempotency_header.as_ref()) {
            HeaderName::try_from(name.as_str()).map_err(|_| {
                Error::new(Code::ToolInvalid, format!("`{name}` cannot be the name of a header"))
            })?;
        }
        Ok(Self { credentials: Credentials::new(config.auth.clone()), base, config, client: OnceCell::new() })
    }

    /// Made with the first call: most projects have more tools than a run calls.
    async fn client(&self) -> Result<&reqwest::Client> {
        let made = self.client.get_or_try_init(|| async { http::guarded(reach(&self.base, &self.config)) });
        made.await
            .map_err(|error| Error::new(Code::ToolBroken, "no connections can be made").caused_by(&error))
    }

    fn refused(&self, why: &str) -> Error {
        let host = self.base.host_str().unwrap_or_default();
        Error::new(Code::ToolInvalid, format!("`{host}` is not asked: {why}"))
            .with_help("add `private = true` to the tool's table, if it stands in a network of your own")
    }

    /// What shows who asks, and the headers that every request has. Gives what is secret in it.
    async fn dress(&self, request: &mut Request, context: &Context) -> Result<Vec<Secret>, Failure> {
        let mut secrets = Vec::new();
        for (name, text) in &self.config.headers {
            // It was checked when the tools were made.
            let Ok(name) = HeaderName::try_from(name.as_str()) else { continue };
            match text {
                HeaderText::Text(text) => auth::set(&mut request.headers, name, text)?,
                HeaderText::Secret(secret) => {
                    let secret = context.secret(secret)?;
                    auth::set(&mut request.headers, name, secret.expose())?;
                    secrets.push(secret);
                }
            }
        }
        secrets.extend(self.credentials.apply(request, self.client().await?, context).await?);
        Ok(secrets)
    }
}

/// What is known of the calls of one operation.
struct Call {
    /// `METHOD /path`.
    what: String,
    effect: Effect,
    target: Target,
    inputs: Inputs,
    carries_key: bool,
}

struct OperationTool {
    spec: ToolSpec,
    call: Arc<Call>,
    service: Arc<Service>,
}

impl fmt::Debug for OperationTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationTool").field("what", &self.call.what).finish_non_exhaustive()
    }
}

impl Tool for OperationTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        let (call, service) = (Arc::clone(&self.call), Arc::clone(&self.service));
        async move {
            let sent = AtomicBool::new(false);
            let timeout = service.config.timeout;
            let deadline = deadline_after(timeout);
            let deadline = context.deadline().map_or(deadline, |earlier| earlier.min(deadline));
            let cancelled = context.cancelled();
            tokio::select! {
                () = cancelled.cancelled() => {
                    let error = Error::new(Code::RunCancelled, "the call was cancelled");
                    Err(call.given_up(error, &sent))
                }
                () = tokio::time::sleep_until(deadline.into()) => {
                    let why = format!("`{}` did not answer within {}", call.what, format_duration(timeout));
                    Err(call.given_up(Error::new(Code::ToolTimeout, why), &sent))
                }
                outcome = call.make(&service, &arguments, &context, deadline, &sent) => outcome,
            }
        }
        .boxed()
    }
}

impl Call {
    /// The failure of a call that was not waited for to its end.
    fn given_up(&self, error: Error, sent: &AtomicBool) -> Failure {
        match !self.effect.is_repeatable() && sent.load(Ordering::SeqCst) {
            true => Failure::Unknown(error.to_string()),
            false => error.into(),
        }
    }

    async fn make(
        &self,
        service: &Service,
        arguments: &Value,
        context: &Context,
        deadline: Instant,
        sent: &AtomicBool,
    ) -> Result<Output, Failure> {
        let none = Map::new();
        let arguments = arguments.as_object().unwrap_or(&none);
        let wanted = self.inputs.part.as_ref().and_then(|name| arguments.get(name)).and_then(Value::as_str);
        let part = wanted.map(Part::read).transpose()?.unwrap_or_default();
        let prepared = self.prepare(service, arguments, context)?;
        let mut renewed = false;
        let mut tries = 1;
        loop {
            let mut request = prepared.clone();
            let secrets = service.dress(&mut request, context).await?;
            let redactor = Redactor::new(secrets.into_iter());
            let client = service.client().await?;
            sent.store(true, Ordering::SeqCst);
            let answer = match exchange::send(client, request, service.config.bytes).await {
                Ok(answer) => answer,
                Err(lost) => return Err(self.lost(service, &lost, &redactor)),
            };
            if answer.status == StatusCode::UNAUTHORIZED && service.credentials.can_renew() && !renewed {
                renewed = true;
                service.credentials.forget().await;
                continue;
            }
            // The service did nothing. The run itself makes such a call again, unless it may be made only once.
            if !self.effect.is_repeatable()
                && answer.status == StatusCode::TOO_MANY_REQUESTS
                && tries < MOST_TRIES
            {
                let wait = answer.wait().flatten().unwrap_or(Duration::from_secs(u64::from(tries)));
                if wait <= LONGEST_WAIT && Instant::now() + wait < deadline {
                    sent.store(false, Ordering::SeqCst);
                    context.progress(format!("the service asks to wait {}", format_duration(wait)));
                    tokio::time::sleep(wait).await;
                    tries += 1;
                    continue;
                }
            }
            return self
                .shown(service, &answer, &part, context, &redactor)
                .await
                .map(|output| hidden::output(output, &redactor))
                .map_err(|failure| hidden::failure(failure, &redactor));
        }
    }

    fn prepare(
        &self,
        service: &Service,
        arguments: &Map<String, Value>,
        context: &Context,
    ) -> Result<Request> {
        let mut request = request::prepare(&self.target, &self.inputs, arguments)?;
        request
            .headers
            .entry(ACCEPT)
            .or_insert(reqwest::header::HeaderValue::from_static("application/json, */*;q=0.5"));
        if let Some(name) = service.config.idempotency_header.as_deref().filter(|_| self.carries_key)
            && let Ok(name) = HeaderName::try_from(name)
        {
            auth::set(&mut request.headers, name, context.idempotency_key())?;
        }
        Ok(request)
    }

    /// What a model reads of an answer. One that cannot be asked for again is kept, if there is a rest of it.
    async fn shown(
        &self,
        service: &Service,
        answer: &Answer,
        part: &Part,
        context: &Context,
        redactor: &Redactor,
    ) -> Result<Output, Failure> {
        let characters = if context.wants_whole() { ALL } else { service.config.characters };
        let show = |rest| Show { part, characters, rest };
        if self.inputs.part.is_some() {
            return self.outcome(service, answer, &show(Rest::Again)).map(|(output, _)| output);
        }
        let keep = service.config.keep.as_ref().filter(|_| self.effect != Effect::Pure);
        let Some(keep) = keep else {
            return self.outcome(service, answer, &show(Rest::Lost)).map(|(output, _)| output);
        };
        let name = kept::name(context);
        let (output, cut) = self.outcome(service, answer, &show(Rest::Kept(&name)))?;
        if !cut {
            return Ok(output);
        }
        match kept::keep(keep, context, &name, answer, redactor).await {
            Ok(()) => Ok(output),
            // The call was made: that its answer cannot be kept makes it no failure.
            Err(_) => self.outcome(service, answer, &show(Rest::Lost)).map(|(output, _)| output),
        }
    }

    /// What came of an answer, and whether there is a rest of it.
    fn outcome(
        &self,
        service: &Service,
        answer: &Answer,
        show: &Show<'_>,
    ) -> Result<(Output, bool), Failure> {
        let status = answer.status;
        if status.is_success() || status.is_redirection() {
            return Ok(answer.output(show)?);
        }
        if status == StatusCode::UNAUTHORIZED {
            return Err(Failure::Run(self.unauthorised(service, answer)));
        }
        let error = answer::refused(&format!("`{}`", self.what), answer);
        if let Some(wait) = answer.wait() {
            return Err(Failure::Model(match wait {
                Some(wait) if wait > LONGEST_WAIT => error
                    .with_help(format!("the service asks to wait {}; go another way", format_duration(wait))),
                wait => {
                    let busy =
                        Error::new(Code::ToolBusy, error.message()).with_help("the same call may work later");
                    let busy = wait.map_or(busy.clone(), |wait| busy.with_retry_after(wait));
                    // It was waited for here already.
                    if self.effect.is_repeatable() { busy } else { busy.after_attempts(MOST_TRIES) }
                }
            }));
        }
        // Something between us and the service, or the service itself half-way, says that it does not know.
        if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED && !self.effect.is_repeatable() {
            return Err(Failure::Unknown(error.to_string()));
        }
        Err(Failure::Model(error))
    }

    fn unauthorised(&self, service: &Service, answer: &Answer) -> Error {
        let why = format!("`{}` answered {}", self.what, answer.problem());
        let help = match service.config.auth.secret() {
            Some(secret) => format!(
                "the service refuses the secret `{secret}`: put a good one where `[secrets]` says it is"
            ),
            None => "the service wants to know who asks: add `auth` to the tool's table".to_owned(),
        };
        Error::new(Code::ToolInvalid, why).with_help(help)
    }

    fn lost(&self, service: &Service, lost: &Lost, redactor: &Redactor) -> Failure {
        match lost {
            Lost::Refused(why) => Failure::Run(service.refused(why)),
            Lost::NotSent(why) => {
                let host = service.base.host_str().unwrap_or_default();
                let why = redactor.text(format!("`{host}` cannot be reached: {why}"));
                Failure::Model(Error::new(Code::ToolBusy, why))
            }
            Lost::Sent(why) => {
                let why = redactor.text(format!("the answer to `{}` was lost: {why}", self.what));
                match self.effect.is_repeatable() {
                    true => Failure::Model(Error::new(Code::ToolBusy, why)),
                    false => Failure::Unknown(why),
                }
            }
        }
    }
}
