//! What the tests of the loop share: an engine in memory, scripted models and tools made of functions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant_agent::definition::Definition;
use adjutant_agent::rules::Forbids;
use adjutant_agent::{Agent, AgentHost, Earlier, Input, Models, Reply, Start, history, start};
use adjutant_core::id::{RunId, Scope, SessionId};
use adjutant_core::json::Json;
use adjutant_core::message::{Message, ToolResult, transcript_fault};
use adjutant_core::secret::Secrets;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Engine, Entry, Observed, Record, RunState, Serve};
use adjutant_model::embed::Embedder;
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_model::{Model, Request};
use adjutant_policy::cedar::{Claim, File, Mode, Pinned, Schema, Vocabulary};
use adjutant_store::Store;
use adjutant_tool::code::Interpreter;
use adjutant_tool::{Context, Failure, FunctionTool, Output, Registry, Tool};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Models by role and id.
#[derive(Clone, Default)]
pub(crate) struct Roles {
    models: BTreeMap<String, Arc<dyn Model>>,
    embedder: Option<Arc<dyn Embedder>>,
}

impl Roles {
    pub(crate) fn main(model: impl Model) -> Self {
        Self::default().with("main", model)
    }

    pub(crate) fn with(mut self, role: &str, model: impl Model) -> Self {
        let model: Arc<dyn Model> = Arc::new(model);
        self.models.insert(model.id().to_owned(), Arc::clone(&model));
        self.models.insert(role.to_owned(), model);
        self
    }

    /// With a model that makes vectors.
    pub(crate) fn with_embedder(mut self, embedder: impl Embedder) -> Self {
        self.embedder = Some(Arc::new(embedder));
        self
    }
}

impl Models for Roles {
    fn model(&self, role_or_id: &str) -> Result<Arc<dyn Model>> {
        let found = self.models.get(role_or_id).cloned();
        found.ok_or_else(|| Error::new(Code::ModelUnknown, format!("there is no model `{role_or_id}`")))
    }

    fn embedder(&self, role_or_id: &str) -> Result<Arc<dyn Embedder>> {
        let found = self.embedder.clone().filter(|known| role_or_id == "embed" || role_or_id == known.id());
        found.ok_or_else(|| Error::new(Code::ModelUnknown, format!("there is no model `{role_or_id}`")))
    }
}

/// What interprets programs: an example of this crate, which is built with its tests.
fn interpreter() -> Interpreter {
    let test = std::env::current_exe().unwrap();
    Interpreter::at(test.ancestors().nth(2).unwrap().join("examples/interpreter"))
}

/// An engine with one agent.
pub(crate) struct Bench {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) host: Arc<AgentHost>,
    pub(crate) agent: Agent,
    pub(crate) models: Roles,
    /// What decides what its runs may do.
    pub(crate) policies: Option<Pinned>,
    stop: CancellationToken,
    next: AtomicU32,
}

impl Bench {
    pub(crate) fn new(agent: Agent, turns: impl IntoIterator<Item = Turn>) -> Self {
        Self::with(agent, Roles::main(Scripted::new(turns)))
    }

    pub(crate) fn with(agent: Agent, models: Roles) -> Self {
        let store = Store::in_memory().unwrap();
        Self::on(store.engine(Scope::default()), agent, models)
    }

    /// A second host, as after a crash, may be put on the engine of a first.
    pub(crate) fn on(engine: Arc<dyn Engine>, agent: Agent, models: Roles) -> Self {
        Self::governed(engine, agent, models, None)
    }

    /// With what may be forbidden while its runs are under way.
    pub(crate) fn governed(
        engine: Arc<dyn Engine>,
        agent: Agent,
        models: Roles,
        forbids: Option<Arc<dyn Forbids>>,
    ) -> Self {
        let mut host = AgentHost::new(Arc::clone(&engine), Arc::new(models.clone()), Registry::new())
            .with_interpreter(interpreter());
        if let Some(forbids) = forbids {
            host = host.with_forbids(forbids);
        }
        host.add(&agent).unwrap();
        let stop = CancellationToken::new();
        Self { engine, host: Arc::new(host), agent, models, policies: None, stop, next: AtomicU32::new(0) }
    }

    /// With secrets that its runs may use.
    pub(crate) fn holding(mut self, secrets: impl Secrets) -> Self {
        let models = Arc::new(self.models.clone());
        let host =
            AgentHost::new(Arc::clone(&self.engine), models, Registry::new()).with_secrets(Arc::new(secrets));
        host.add(&self.agent).unwrap();
        self.host = Arc::new(host);
        self
    }

    /// Has its runs decided by these policies, which can speak of the tools of its agents.
    pub(crate) fn under(mut self, policies: &str) -> Self {
        let definition = self.definition();
        let agents: Vec<_> = std::iter::once(&definition).chain(definition.nested()).collect();
        let vocabulary = Vocabulary {
            agents: agents.iter().map(|agent| agent.name.clone()).collect(),
            claims: [("role".to_owned(), Claim::String)].into(),
            ..Vocabulary::default()
        };
        let schema = Schema::of(agents.iter().flat_map(|agent| &agent.tools), vocabulary);
        let files = vec![File { name: "test.cedar".to_owned(), text: policies.to_owned() }];
        let pinned = Pinned { files, mode: Mode::Enforce, schema };
        if let Err(problems) = pinned.open() {
            panic!("{problems:#?}");
        }
        self.policies = Some(pinned);
        self
    }

    pub(crate) fn definition(&self) -> Definition {
        self.agent.definition().unwrap()
    }

    pub(crate) async fn begin(&self, text: &str, session: Option<&str>) -> RunId {
        self.begin_for(None, text, session).await
    }

    /// Begins a run that handles the data of a person.
    pub(crate) async fn begin_for(&self, user: Option<&str>, text: &str, session: Option<&str>) -> RunId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let run = RunId::from_bytes([u8::try_from(number).unwrap(), 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let mut start = Start::new(run.clone(), self.definition(), Input::text(text));
        start.session = session.map(SessionId::from);
        start.user = user.map(str::to_owned);
        start.policies = self.policies.as_ref().map(|policies| Json::of(policies).unwrap());
        start::start(self.engine.as_ref(), &self.models, start).await.unwrap();
        run
    }

    /// Drives runs until the bench is dropped.
    pub(crate) fn serve(&self) {
        let host: Arc<AgentHost> = Arc::clone(&self.host);
        in_background(self.engine.serve(host, Serve::All, self.stop.clone()));
    }

    /// Waits for the end of a run.
    pub(crate) async fn end(&self, run: &RunId) -> Result<Reply> {
        let mut watch = self.engine.watch(run, 0);
        let waiting = async {
            while let Some(observed) = watch.next().await {
                match observed.unwrap() {
                    Observed::Record(record) => {
                        if let Entry::Ended(outcome) = record.entry {
                            return outcome.map(|json| json.to().unwrap());
                        }
                    }
                    Observed::State(RunState::Halted) => {
                        return Err(self.engine.info(run).await.unwrap().halted.unwrap());
                    }
                    _ => {}
                }
            }
            panic!("the watch ended before the run did");
        };
        in_time(waiting).await
    }

    /// Waits until the run stands so.
    pub(crate) async fn until_state(&self, run: &RunId, state: RunState) {
        let mut states = self.engine.states(run);
        let waiting = async { while states.next().await.expect("the run goes on").unwrap() != state {} };
        in_time(waiting).await;
    }

    /// Waits until a record of the run is as wanted.
    pub(crate) async fn until(&self, run: &RunId, wanted: impl Fn(&Record) -> bool) {
        let mut watch = self.engine.watch(run, 0);
        let waiting = async {
            while let Some(observed) = watch.next().await {
                if let Observed::Record(record) = observed.unwrap()
                    && wanted(&record)
                {
                    return;
                }
            }
            panic!("the run ended before");
        };
        in_time(waiting).await;
    }

    pub(crate) async fn run(&self, text: &str) -> Result<Reply> {
        self.serve();
        let run = self.begin(text, None).await;
        let reply = self.end(&run).await;
        self.check(&run).await;
        reply
    }

    pub(crate) async fn records(&self, run: &RunId) -> Vec<Record> {
        self.engine.history(run, 0).await.unwrap()
    }

    /// What was said in a run without a session before it, after a check that the transcript is valid.
    pub(crate) async fn check(&self, run: &RunId) -> Vec<Message> {
        let transcript = history::transcript(&self.records(run).await, None).unwrap();
        let messages: Vec<Message> =
            transcript.messages().iter().map(|message| (**message).clone()).collect();
        assert_eq!(transcript_fault(&messages), None, "{messages:#?}");
        messages
    }
}

#[expect(clippy::disallowed_methods, reason = "tests stand outside the code of a run")]
pub(crate) async fn in_time<T>(waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it comes in time")
}

#[expect(clippy::disallowed_methods, reason = "tests stand outside the code of a run")]
pub(crate) async fn pause_for(duration: Duration) {
    tokio::time::sleep(duration).await;
}

#[expect(clippy::disallowed_methods, reason = "tests stand outside the code of a run")]
fn in_background(serving: impl Future<Output = Result<()>> + Send + 'static) {
    tokio::spawn(serving);
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A tool that takes a text.
pub(crate) fn spec(name: &str, effect: Effect) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: format!("Does {name}."),
        parameters: json!({
            "type": "object",
            "properties": { "text": { "type": "string" } },
            "required": ["text"],
            "additionalProperties": false,
        }),
        effect,
        timeout: Duration::from_secs(10),
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    }
}

/// A pure tool that answers at once.
pub(crate) fn tool(
    name: &str,
    answer: impl Fn(&str) -> Result<Output, Failure> + Send + Sync + 'static,
) -> FunctionTool {
    let answer = Arc::new(answer);
    FunctionTool::new(spec(name, Effect::Pure), move |arguments: Value, _: Context| {
        let answer = Arc::clone(&answer);
        async move { answer(arguments["text"].as_str().unwrap()) }
    })
}

/// A tool that repeats what it is told.
pub(crate) fn echo() -> FunctionTool {
    tool("echo", |text| Ok(Output::text(format!("echo: {text}"))))
}

/// An effect class with a list of what was done.
pub(crate) fn deed(effect: Effect) -> (Arc<dyn Tool>, Arc<Mutex<Vec<String>>>) {
    let done = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&done);
    let tool = FunctionTool::new(spec("deed", effect), move |arguments: Value, _: Context| {
        list.lock().unwrap().push(arguments["text"].as_str().unwrap().to_owned());
        async { Ok(Output::text("done")) }
    });
    (tool.into(), done)
}

/// A turn that calls `echo` with a text.
pub(crate) fn echoes(text: &str) -> Turn {
    Turn::calls([("echo", json!({ "text": text }))])
}

pub(crate) fn agent() -> Agent {
    Agent::new("desk").instructions("You are a desk.").tool(echo())
}

/// The texts of messages, results included, each with its role.
pub(crate) fn shown(messages: &[Message]) -> Vec<String> {
    messages
        .iter()
        .map(|message| {
            let calls: Vec<_> =
                message.calls().map(|call| format!("{}{}", call.name, call.arguments)).collect();
            let results: Vec<_> = message.results().map(ToolResult::as_text).collect();
            let role = format!("{:?}", message.role).to_lowercase();
            format!("{role}: {}{}{}", message.text(), calls.join(" "), results.join(" "))
        })
        .collect()
}

/// A model that plays a turn for each new request, in the order of their coming, whatever is in them; and what it was
/// sent. The same request again, as after a crash, is played the same turn.
pub(crate) fn tape(
    play: impl Fn(usize) -> Turn + Send + Sync + 'static,
) -> (Scripted, Arc<Mutex<Vec<Request>>>) {
    let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
    let list = Arc::clone(&seen);
    let model = Scripted::from_fn(move |request, _| {
        let mut seen = list.lock().unwrap();
        // Requests of the same length are compared; in a long run those are few.
        let same = |known: &Request| known.messages.len() == request.messages.len() && known == request;
        let place = seen.iter().position(same).unwrap_or_else(|| {
            seen.push(request.clone());
            seen.len() - 1
        });
        Some(play(place))
    });
    (model, seen)
}

/// Whether the journal alone gives back every request that was sent.
pub(crate) fn assert_rebuilt(
    records: &[Record],
    definition: &Definition,
    earlier: Option<&Earlier>,
    sent: &[Request],
) {
    let rebuilt = history::requests(records, earlier, definition).unwrap();
    assert_eq!(rebuilt.len(), sent.len());
    for (rebuilt, sent) in rebuilt.iter().zip(sent) {
        assert_eq!(rebuilt.request.messages, sent.messages);
        assert_eq!(rebuilt.request, *sent);
    }
    if let (Some(last), Some(sent)) = (rebuilt.last(), sent.last()) {
        let alone = history::request(records, earlier, definition, last.segment, &last.key);
        assert_eq!(alone.unwrap(), *sent);
    }
}
