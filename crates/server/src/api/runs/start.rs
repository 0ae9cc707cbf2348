//! Runs are started.

use std::time::Duration;

use adjutant::{Task, WhenBusy};
use adjutant_core::id::{RunId, SessionId};
use adjutant_core::message::{Media, MediaSource, Message, Part, Role};
use adjutant_core::role::Right;
use adjutant_core::{Code, Error, Result};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::ACCEPT;
use http::{HeaderName, HeaderValue, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::TAG;
use crate::access::{Caller, Who};
use crate::api::view;
use crate::endpoint::{Accepted, Answer, Call, Found, Nothing, Operation, Routes, Shape, Shapes};
use crate::passage::RUN;
use crate::service::Service;
use crate::stream::{Events, Position};

/// The header of an answer that the same request had before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key by which a request is known to be the same, in bytes.
const LONGEST_KEY: usize = 255;

pub(super) fn routes() -> Routes {
    Routes::default()
        .on(
            Operation::post("/api/runs", "startRun", "Start a run", Right::Run).for_own()
                .of(TAG)
                .said(
                    "It is on record when this answers: it goes on whatever becomes of the client. With `wait` it is answered when \
                     the run is over, with 200, or with 202 where it is not by then. With `Accept: text/event-stream` the answer is \
                     what happens in it, as `GET /api/runs/{run}/events` gives it. With an `Idempotency-Key` the same request again \
                     gives the same run, and the header `Idempotency-Replayed: true` says so. `X-Adjutant-Run` names it.",
                )
                .fails(&[Code::NotFound, Code::Conflict, Code::RunBudget]),
            start,
        )
        .on(
            Operation::post("/api/runs/batch", "startRuns", "Start several runs", Right::Run).for_own()
                .of(TAG)
                .said("Each is started or refused by itself; the answers are in the order of the requests.")
                .fails(&[Code::NotFound, Code::Conflict, Code::RunBudget]),
            start_batch,
        )
}

/// What an agent or a workflow is asked to do, and on what terms.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Start {
    /// The agent or workflow, also with a version: `desk@canary`. The one that the project means where none is named.
    #[serde(default)]
    agent: Option<String>,
    /// What it is asked: text, or a list of parts.
    input: Asked,
    /// Values for the variables of its prompt, checked against what the agent declares.
    #[serde(default)]
    variables: Map<String, Value>,
    /// The conversation that it is a turn of.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    session: Option<String>,
    /// The person for whom it works; the caller vouches for it. Whoever is a person by their token works for themselves.
    #[serde(default)]
    #[schemars(length(min = 1, max = 256))]
    user: Option<String>,
    /// What policies may ask of that person, such as a role; the caller vouches for it.
    #[serde(default)]
    claims: Map<String, Value>,
    /// Another model than the agent's own: a role or a model id.
    #[serde(default)]
    model: Option<String>,
    /// How freely the model chooses its words, in the place of what the agent says.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2))]
    temperature: Option<f32>,
    /// The most tokens of one answer of the model. It does not raise what the agent says.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000_000))]
    max_output_tokens: Option<u32>,
    /// The JSON schema (2020-12) of the answer, for an agent that has no form of its own. It describes an object.
    #[serde(default)]
    output: Option<Map<String, Value>>,
    /// What happens where a turn of the conversation is under way; the service's setting says where this does not. It waits, is refused
    /// (409), cancels that turn and those that wait and begins after them, or does so and does not see them.
    #[serde(default)]
    when_busy: Option<Busy>,
    /// The most that the run, and all that it starts, may spend together, in US dollars, as a decimal number: `"0.50"`.
    #[serde(default)]
    budget: Option<String>,
}

/// What happens when something is said in a conversation whose turn is under way.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Busy {
    /// It waits for its turn.
    Enqueue,
    /// It is refused.
    Reject,
    /// What is under way is cancelled, and seen.
    Interrupt,
    /// What is under way is cancelled, and not seen.
    RollBack,
}

impl From<Busy> for WhenBusy {
    fn from(busy: Busy) -> Self {
        match busy {
            Busy::Enqueue => Self::Enqueue,
            Busy::Reject => Self::Reject,
            Busy::Interrupt => Self::Interrupt,
            Busy::RollBack => Self::RollBack,
        }
    }
}

/// What an agent is asked.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Input")]
enum Asked {
    /// In words.
    Text(String),
    /// In words, images, sounds and files.
    Parts(#[schemars(length(min = 1))] Vec<AskedPart>),
}

/// A part of what an agent is asked.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum AskedPart {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A picture.
    Image {
        /// Such as `image/png`.
        media_type: String,
        /// The bytes in base 64.
        data: String,
    },
    /// A sound.
    Audio {
        /// Such as `audio/wav`.
        media_type: String,
        /// The bytes in base 64.
        data: String,
    },
    /// A document.
    File {
        /// Such as `application/pdf`.
        media_type: String,
        /// What people call it.
        #[serde(default)]
        name: Option<String>,
        /// The bytes in base 64.
        data: String,
    },
}

impl AskedPart {
    fn into_part(self) -> Result<Part> {
        let media = |media_type: String, name, data: String| {
            use base64::Engine as _;
            let is_base64 = base64::engine::general_purpose::STANDARD.decode(&data).is_ok();
            match is_base64 {
                true => Ok(Media { media_type, name, source: MediaSource::Base64(data) }),
                false => Err(Error::new(
                    Code::InputInvalid,
                    format!("the `data` of the `{media_type}` is not base 64"),
                )
                .with_help("use the standard alphabet, with padding (RFC 4648, section 4)")),
            }
        };
        Ok(match self {
            Self::Text { text } => Part::text(text),
            Self::Image { media_type, data } => Part::Image(media(media_type, None, data)?),
            Self::Audio { media_type, data } => Part::Audio(media(media_type, None, data)?),
            Self::File { media_type, name, data } => Part::File(media(media_type, name, data)?),
        })
    }
}

impl Start {
    /// What is to be started, as this caller may.
    fn wanted(self, caller: &Caller) -> Result<Wanted> {
        let agent = caller.adjutant().choose(self.agent.as_deref())?;
        caller.reach(&format!("agent:{}", adjutant::version_of(&agent).0))?;
        let message = match self.input {
            Asked::Text(text) if text.trim().is_empty() => {
                return Err(Error::new(Code::InputInvalid, "`input` has no words"));
            }
            Asked::Text(text) => Message::user(text),
            Asked::Parts(parts) => {
                Message::new(Role::User, parts.into_iter().map(AskedPart::into_part).collect::<Result<_>>()?)
            }
        };
        let mut task = Task::from(message);
        for (name, value) in self.variables {
            task = task.variable(name, value);
        }
        let joins =
            self.session.map(|session| Joins { session: session.as_str().into(), user: self.user.clone() });
        if let Some(joins) = &joins {
            task = task.session(joins.session.clone());
        }
        let usual = caller.adjutant().project().settings().server.when_busy;
        task = task.when_busy(self.when_busy.map_or(usual, WhenBusy::from));
        if let Some(model) = self.model {
            caller.reach(&format!("model:{model}"))?;
            task = task.model(model);
        }
        if let Some(temperature) = self.temperature {
            task = task.temperature(temperature);
        }
        if let Some(most) = self.max_output_tokens {
            task = task.max_output_tokens(most);
        }
        if let Some(output) = self.output {
            task = task.output(output.into());
        }
        if let Some(budget) = self.budget {
            task = task.budget(budget.parse()?);
        }
        let who = caller.who();
        if self.user.is_some() {
            caller.works_for(self.user.as_deref())?;
        }
        let (user, claims) = match &who.user {
            Some(user) if self.claims.is_empty() => (Some(user.clone()), who.claims.clone()),
            Some(_) => {
                return Err(Error::new(Code::Forbidden, "what is claimed of a person stands in their token"));
            }
            None => (self.user, self.claims),
        };
        if let Some(user) = user {
            task = task.user(user);
        }
        for (name, value) in claims {
            task = task.claim(name, value);
        }
        Ok(Wanted { agent, task, joins })
    }
}

/// What is to be started.
struct Wanted {
    agent: String,
    task: Task,
    joins: Option<Joins>,
}

/// A conversation that somebody speaks in.
struct Joins {
    session: SessionId,
    /// The person that they name.
    user: Option<String>,
}

impl Wanted {
    /// Records it, the same for the same key. Who may speak in a conversation depends on who has spoken in it: where somebody else begins
    /// a turn meanwhile, it is looked at again.
    async fn begin(self, caller: &Caller, key: Option<Key>) -> Result<adjutant::Run> {
        let Self { agent, mut task, joins } = self;
        if let Some(key) = key {
            task = task.id(key.of(caller.who()));
        }
        let Some(Joins { session, user }) = joins else { return caller.adjutant().start(&agent, task).await };
        let mut stands = caller.may_join(&session, user.as_deref()).await?;
        loop {
            let task = stands.iter().cloned().fold(task.clone(), Task::after);
            let refused = match caller.adjutant().start(&agent, task).await {
                Err(error) if error.code() == Code::Conflict && stands.is_some() => error,
                started => return started,
            };
            let now = caller.may_join(&session, user.as_deref()).await?;
            if now == stands {
                return Err(refused);
            }
            stands = now;
        }
    }
}

/// How long an answer is waited for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Waiting {
    /// How many seconds to wait for the end of the run; not at all where it is not given.
    #[schemars(range(max = 600))]
    wait: Option<u64>,
}

/// A start, and whether the run was there by then.
struct Started {
    run: RunId,
    replayed: bool,
    how: How,
}

/// What became of a start.
enum How {
    /// It is on record.
    Accepted(Accepted<view::Run>),
    /// It is over.
    Over(Found<view::Run>),
    /// It is watched.
    Watched(Events),
}

impl Started {
    fn of(run: &adjutant::Run, how: How) -> Self {
        Self { run: run.id().clone(), replayed: run.was_there(), how }
    }
}

impl IntoResponse for Started {
    fn into_response(self) -> Response {
        let mut response = match self.how {
            How::Accepted(accepted) => accepted.into_response(),
            How::Over(found) => found.into_response(),
            How::Watched(events) => events.into_response(),
        };
        if let Ok(run) = HeaderValue::from_str(self.run.as_str()) {
            response.headers_mut().insert(RUN, run);
        }
        if self.replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

impl Answer for Started {
    fn shapes(generator: &mut SchemaGenerator) -> Shapes {
        let mut shapes = Accepted::<view::Run>::shapes(generator);
        let body = generator.subschema_for::<view::Run>();
        let about = "The run is over, or this is what happens in it";
        shapes.push(Shape { status: StatusCode::OK, about, body: Some(("application/json", body)) });
        shapes.extend(Events::shapes(generator));
        shapes
    }
}

async fn start(call: Call<Nothing, Waiting, Json<Start>>) -> Result<Started> {
    let key = key(&call)?;
    let wants_events =
        call.header(ACCEPT.as_str())?.is_some_and(|accept| accept.contains("text/event-stream"));
    let Json(start) = call.body;
    let wanted = start.wanted(&call.caller)?;
    call.service.takes_runs()?;
    let run = wanted.begin(&call.caller, key).await?;
    if wants_events {
        let how = How::Watched(Events::of(&call.service, &call.caller, &run, Position::default(), false)?);
        return Ok(Started::of(&run, how));
    }
    waited(&call.service, &run, call.query.wait).await
}

/// A run as it stands once it is over, or once the time to wait for that is, or the service stops.
async fn waited(service: &Service, run: &adjutant::Run, wait: Option<u64>) -> Result<Started> {
    let wait = Duration::from_secs(wait.unwrap_or_default()).min(service.settings().longest_wait);
    if !wait.is_zero() {
        tokio::select! {
            // Whatever the run failed with is told by how it stands.
            _ = run.reply() => {}
            () = tokio::time::sleep(wait) => {}
            // Another process goes on with it.
            () = service.draining().cancelled() => {}
        }
    }
    let info = run.info().await?;
    let (is_over, shown) = (info.outcome.is_some(), view::Run::from(info));
    let how = match is_over {
        true => How::Over(Found(shown)),
        false => How::Accepted(Accepted(format!("/api/runs/{}", run.id()), shown)),
    };
    Ok(Started::of(run, how))
}

/// The key by which a request is known to be the same.
#[derive(Clone)]
struct Key {
    key: String,
    /// Which of several it is that came together.
    number: Option<usize>,
}

impl Key {
    /// The name of the task, which is that of nobody else and of no other key.
    fn of(&self, who: &Who) -> String {
        let (by, number) = (&who.counted_as, self.number.map(|number| number.to_string()));
        format!("api:{}:{by}:{}:{}", by.len(), number.unwrap_or_default(), self.key)
    }
}

fn key<P, Q, B>(call: &Call<P, Q, B>) -> Result<Option<Key>> {
    let key = call.header("idempotency-key")?.map(str::trim);
    match key {
        Some(key) if key.is_empty() || key.len() > LONGEST_KEY => Err(Error::new(
            Code::InputInvalid,
            format!("the header `Idempotency-Key` has 1 to {LONGEST_KEY} characters"),
        )),
        key => Ok(key.map(|key| Key { key: key.to_owned(), number: None })),
    }
}

/// Several runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Batch {
    /// What is to be started.
    #[schemars(length(min = 1, max = 100))]
    runs: Vec<Start>,
}

/// What became of each start of several.
#[derive(JsonSchema, Serialize)]
struct BatchStarted {
    /// In the order of the requests.
    runs: Vec<OneStarted>,
}

/// What became of one start of several.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum OneStarted {
    /// It is on record.
    Run(Box<view::Run>),
    /// It was refused: `code`, `message`, and what helps.
    Error(Value),
}

async fn start_batch(call: Call<Nothing, Nothing, Json<Batch>>) -> Result<Accepted<BatchStarted>> {
    let key = key(&call)?;
    let Json(Batch { runs }) = call.body;
    call.service.takes_runs()?;
    let starts = runs.into_iter().enumerate().map(async |(number, start)| {
        let key = key.clone().map(|key| Key { number: Some(number), ..key });
        let started = async { start.wanted(&call.caller)?.begin(&call.caller, key).await?.info().await };
        Ok(match started.await {
            Ok(info) => OneStarted::Run(Box::new(info.into())),
            // What keeps one from being recorded keeps all.
            Err(error) if error.code().kind() == adjutant_core::error::Kind::Store => return Err(error),
            Err(error) => OneStarted::Error(serde_json::to_value(error).unwrap_or_default()),
        })
    });
    let runs = futures::future::try_join_all(starts).await?;
    Ok(Accepted("/api/runs".to_owned(), BatchStarted { runs }))
}
