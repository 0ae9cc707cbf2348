//! Starting runs of agents, and speaking to them.
//!
//! Ids come in as arguments: nothing here is random, and who sends the same again under the same id is understood.

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, SessionId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::message::Message;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{
    Admission, Admitted, After, Amount, Chosen, Deed, Engine, Letter, Mail, Resolution, WhenBusy,
};
use adjutant_model::{Model, Request};
use adjutant_tool::Answer;
use serde_json::{Map, Value};

use crate::approval;
use crate::definition::Definition;
use crate::host::{AgentHost, EMBEDDER};
use crate::input::{self, Input};
use crate::models::Models;
use crate::question;
use crate::subtask::Subtask;
use crate::takeover;
use crate::title;

/// A run that is to be started.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its id: starting the same id twice starts one run.
    pub run: RunId,
    /// The agent.
    pub definition: Definition,
    /// What goes in.
    pub input: Input,
    /// The conversation that it is a turn of.
    pub session: Option<SessionId>,
    /// The person whose data it handles.
    pub user: Option<String>,
    /// Who has it started; none where nobody said.
    pub by: Option<String>,
    /// The most that it and all that it starts may take together.
    pub budget: Option<Amount>,
    /// Whether a model gives it a title, where it begins a conversation and there is a model for that.
    pub titled: bool,
    /// The policies that decide what it and all that it starts may do, as they are kept; none where its definition alone
    /// decides.
    pub policies: Option<Json>,
    /// The published version that the definition is, which is pinned already; none where it is yet to be.
    pub version: Option<Chosen>,
    /// What happens where a turn of the conversation is under way.
    pub when_busy: WhenBusy,
    /// How the conversation stood when somebody looked whether this may be a turn of it.
    pub after: Option<After>,
}

impl Start {
    /// A run with nothing optional.
    pub fn new(run: RunId, definition: Definition, input: Input) -> Self {
        Self {
            run,
            definition,
            input,
            session: None,
            user: None,
            by: None,
            budget: None,
            titled: true,
            policies: None,
            version: None,
            when_busy: WhenBusy::default(),
            after: None,
        }
    }
}

/// Starts a run: checks what goes in, pins the definition, and has the run recorded. When this returns, the run is on
/// disk and will not be lost.
///
/// Fails, before anything is recorded, with what would make the run fail at once: a variable of the prompt that has no
/// value, a model that is not configured or lacks its key or what the agent needs of it, a message that a person
/// cannot say.
pub async fn start(engine: &dyn Engine, models: &dyn Models, start: Start) -> Result<Admitted> {
    engine.start(admission(engine, models, start).await?).await
}

/// What [`start`] has recorded, for those who have it recorded together with something else. What it refers to is kept.
///
/// Fails as `start` does.
pub async fn admission(engine: &dyn Engine, models: &dyn Models, start: Start) -> Result<Admission> {
    let Start {
        run,
        definition,
        input,
        session,
        user,
        by,
        budget,
        titled,
        policies,
        version,
        when_busy,
        after,
    } = start;
    input::check(&input.message)?;
    definition.prompt(&input.variables)?;
    let mut definition = match version {
        Some(_) => definition,
        None => pin(definition, models, &input.message)?,
    };
    let title = title::beginning(&input.message);
    if titled && title.is_some() {
        let titler = Subtask::Title.model(models, || models.model(&definition.model))?;
        definition.titled_by = titler.map(|model| model.id().to_owned());
    }
    if let Some(policies) = policies {
        govern(&mut definition, engine.put_definition(policies).await?);
    }
    for asked in definition.nested() {
        engine.put_definition(sorted(asked)?).await?;
    }
    let name = definition.name.clone();
    let definition = engine.put_definition(sorted(&definition)?).await?;
    Ok(Admission {
        session,
        user,
        by,
        budget,
        title,
        version,
        when_busy,
        after,
        ..Admission::new(run, name, AgentHost::PROGRAM, definition, Json::of(&input)?)
    })
}

/// Puts an agent and all that it asks under the same policies.
fn govern(definition: &mut Definition, policies: Digest) {
    definition.policies = Some(policies);
    let asked = definition.agents.iter_mut().map(|asked| &mut asked.definition);
    asked.chain(&mut definition.team).for_each(|agent| govern(agent, policies));
}

/// Fixes what the definition leaves to the configuration: which model a role means, and how much it takes in. So a
/// run goes on as it began, whatever is configured later.
///
/// Fails with [`Code::ModelUnknown`], [`Code::ModelKeyMissing`] or [`Code::ModelUnsupported`].
pub fn pin(mut definition: Definition, models: &dyn Models, first: &Message) -> Result<Definition> {
    let model = crate::models::asked(models.model(&definition.model)?, &definition);
    suits(model.as_ref(), &definition, first)?;
    definition.context.tokens = definition.context.tokens.or(model.profile().context_window);
    if let Some(search) = &mut definition.tool_search {
        search.embedder = models.embedder(EMBEDDER).ok().map(|embedder| embedder.id().to_owned());
    }
    if let Some(judge) = definition.check.as_mut().and_then(|check| check.judge.as_mut()) {
        models.model(judge)?.id().clone_into(judge);
    }
    let name = std::mem::replace(&mut definition.model, model.id().to_owned());
    definition.role = Some(name).filter(|name| *name != definition.model);
    for asked in definition.agents.iter_mut().map(|asked| &mut asked.definition).chain(&mut definition.team) {
        // What it is asked is known later; what it needs in any case is known now.
        *asked = pin(asked.clone(), models, &Message::user(""))?;
    }
    Ok(definition)
}

/// Checks that a model can do what an agent needs of it. Fails with [`Code::ModelUnsupported`].
pub(crate) fn suits(model: &dyn Model, definition: &Definition, first: &Message) -> Result<()> {
    // What a workflow has, no model calls.
    let tools = if definition.workflow.is_none() { definition.tools.clone() } else { Vec::new() };
    let request = Request {
        tools: tools.into(),
        max_output_tokens: definition.max_output_tokens,
        ..Request::new([first.clone()])
    };
    model.profile().check(model.id(), &request)
}

/// The JSON that the digest of a definition is made of: with sorted keys.
pub fn sorted(definition: &Definition) -> Result<Json> {
    let value = serde_json::to_value(definition).map_err(|error| {
        Error::new(Code::Internal, "the definition cannot be written as JSON").caused_by(&error)
    })?;
    Ok(value.into())
}

/// Somebody who speaks to runs.
#[derive(Clone, Copy)]
pub struct Voice<'a> {
    engine: &'a dyn Engine,
    by: Option<&'a str>,
}

impl<'a> Voice<'a> {
    /// That of somebody who is known by a name, or is not.
    pub fn of(engine: &'a dyn Engine, by: Option<&'a str>) -> Self {
        Self { engine, by }
    }

    /// Sends mail by which somebody does something.
    async fn does(self, what: &'static str, details: Value, run: &RunId, mail: Mail) -> Result<bool> {
        let details = match details {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        let deed = Deed { by: self.by.map(str::to_owned), what, details };
        self.engine.send(run, mail.told_as(deed)).await
    }
}

impl<'a> From<&'a dyn Engine> for Voice<'a> {
    fn from(engine: &'a dyn Engine) -> Self {
        Self::of(engine, None)
    }
}

/// Says something to a running agent: it reads it at the next turn of its model. `id` makes a second copy of the same
/// message recognisable.
///
/// Fails with [`Code::InputInvalid`] for what a person cannot say, and with [`Code::Conflict`] when the run is over.
pub async fn steer<'a>(voice: impl Into<Voice<'a>>, run: &RunId, id: &str, message: &Message) -> Result<()> {
    input::check(message)?;
    let payload = Json::of(message)?;
    let mail = Mail::new(format!("message:{id}"), Letter::Message { payload });
    voice.into().does("run.told", Value::Null, run, mail).await.map(drop)
}

/// Takes a run: between two of its turns it stops, and waits for what `by` does in the agent's place. `id` is new each
/// time. Fails with [`Code::Conflict`] when the run is over.
pub async fn take(engine: &dyn Engine, run: &RunId, id: &str, by: &str, reason: Option<&str>) -> Result<()> {
    let letter = Letter::Message { payload: takeover::letter(by, reason) };
    let mail = Mail::new(format!("take:{id}"), letter);
    Voice::of(engine, Some(by)).does("run.taken", Value::Null, run, mail).await.map(drop)
}

/// Does something in the place of an agent whose run somebody has taken. Fails with [`Code::Conflict`] where something was
/// done before that the run has not taken in yet.
pub async fn act(engine: &dyn Engine, run: &RunId, signal: &str, done: &takeover::Done) -> Result<()> {
    signal_once(engine, run, signal, Json::of(done)?, None).await
}

/// Tells a run to stop for good. What is under way is told so; the session stays usable.
pub async fn cancel<'a>(voice: impl Into<Voice<'a>>, run: &RunId, reason: &str) -> Result<()> {
    let mail = Mail::new("cancel", Letter::Cancel { reason: reason.to_owned() });
    voice.into().does("run.cancelled", Value::Null, run, mail).await.map(drop)
}

/// Tells a run to stop between two steps, and to stay stopped. `id` is new for each pause.
pub async fn pause<'a>(voice: impl Into<Voice<'a>>, run: &RunId, id: &str, reason: &str) -> Result<()> {
    let mail = Mail::new(format!("pause:{id}"), Letter::Pause { reason: reason.to_owned() });
    voice.into().does("run.paused", Value::Null, run, mail).await.map(drop)
}

/// Tells a run to go on, after a pause or after it halted. `id` is new each time.
pub async fn resume<'a>(voice: impl Into<Voice<'a>>, run: &RunId, id: &str) -> Result<()> {
    let mail = Mail::new(format!("resume:{id}"), Letter::Resume);
    voice.into().does("run.resumed", Value::Null, run, mail).await.map(drop)
}

/// Answers a request for approval. The first answer counts; a later one changes nothing.
pub async fn approve(
    engine: &dyn Engine,
    run: &RunId,
    signal: &str,
    answer: &approval::Answer,
) -> Result<()> {
    signal_once(engine, run, signal, Json::of(answer)?, None).await
}

/// Answers a question. The answer must [fit](adjutant_tool::Question::fitting); the first one counts.
pub async fn answer<'a>(
    voice: impl Into<Voice<'a>>,
    run: &RunId,
    signal: &str,
    answer: &Answer,
) -> Result<()> {
    let Voice { engine, by } = voice.into();
    let deed =
        Deed { by: by.map(str::to_owned), what: "question.answered", details: named("signal", signal) };
    signal_once(engine, run, signal, Json::of(answer)?, Some(deed)).await
}

/// Sends a run an event from outside, which a workflow waits for under that name, by now or later. `id` is new for each event.
///
/// Fails with [`Code::InputInvalid`] where the name is one under which a person is asked.
pub async fn signal<'a>(
    voice: impl Into<Voice<'a>>,
    run: &RunId,
    id: &str,
    name: &str,
    payload: Json,
) -> Result<()> {
    if [approval::PREFIX, question::PREFIX, takeover::PREFIX].iter().any(|prefix| name.starts_with(prefix)) {
        return Err(Error::new(Code::InputInvalid, format!("`{name}` waits for a person, not for an event"))
            .with_help("`adjutant runs approve` and `adjutant runs answer` are for people"));
    }
    let mail = Mail::new(format!("event:{id}"), Letter::Signal { name: name.to_owned(), payload });
    voice.into().does("run.signalled", named("signal", name).into(), run, mail).await.map(drop)
}

async fn signal_once(
    engine: &dyn Engine,
    run: &RunId,
    signal: &str,
    payload: Json,
    deed: Option<Deed>,
) -> Result<()> {
    let letter = Letter::Signal { name: signal.to_owned(), payload };
    let mail = Mail { deed, ..Mail::new(format!("signal:{signal}"), letter) };
    match engine.send(run, mail).await? {
        true => Ok(()),
        false => {
            Err(Error::new(Code::Conflict, format!("`{signal}` of the run `{run}` was answered already"))
                .with_help("the first answer counts; `adjutant runs cancel` stops the run"))
        }
    }
}

/// Says what is known of a call, of which the record at offset `record` says that its outcome is not known. Fails with
/// [`Code::Conflict`] when somebody has said it already.
pub async fn resolve<'a>(
    voice: impl Into<Voice<'a>>,
    run: &RunId,
    record: u64,
    key: StepKey,
    resolution: Resolution,
) -> Result<()> {
    let message = format!("somebody has said already what came of the step `{key}`");
    let said = match resolution {
        Resolution::Happened(_) => "happened",
        Resolution::Retry => "retry",
        Resolution::Abort => "abort",
    };
    let mut details = named("step", key.as_str());
    details.insert("said".to_owned(), said.into());
    match voice
        .into()
        .does("effect.resolved", details.into(), run, Mail::resolve(record, key, resolution))
        .await?
    {
        true => Ok(()),
        false => Err(Error::new(Code::Conflict, message)
            .with_help("the first answer counts; `adjutant runs cancel` stops the run")),
    }
}

fn named(name: &str, value: &str) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value.into())])
}
