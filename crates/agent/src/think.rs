//! One call of the model.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::limit::Limit;
use adjutant_core::money::Prices;
use adjutant_core::time::format_duration;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::stream::{Piece, Sink};
use adjutant_durable::{Amount, Attempt, Ctx, Done, Effects, Finished, RetryPolicy, Work};
use adjutant_model::unseen::{self, Unseen};
use adjutant_model::{Call, Collector, Delta, Deltas, Model, Note, Profile, Request, ToolChoice, token};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use serde_json::json;

use crate::answer::Answer;
use crate::context::make_room;
use crate::guard;
use crate::memory::Memory;
use crate::patience::{after, silence, unless};
use crate::room::{Room, dearest};
use crate::rules::{self, Gate, Log};
use crate::runtime::Runtime;

/// The name of the steps in which the model is asked.
pub(crate) const MODEL: &str = "model";

/// A model that fails for a reason that passes is asked again, four times in all.
const RETRY: RetryPolicy = RetryPolicy { attempts: 4, first_wait_ms: 500 };
/// How long a model call may take at least, also when the wall time is nearly over: the last turn needs it.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait at most before a provider that is busy is asked again.
const LONGEST_PATIENCE: Duration = Duration::from_secs(120);
/// What is reserved for an answer where nobody says how long it may be, in tokens.
const UNKNOWN_ANSWER: u64 = 4_096;
/// No call of a model takes more tokens: the largest windows hold a hundredth of it.
const MOST_TOKENS: u64 = 100_000_000;

/// Asks the model what comes next, and takes its answer into the conversation. A conversation that the provider finds
/// too long for the model, whatever was thought of its size, is halved and sent once more.
pub(crate) async fn think(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
) -> Result<Answer> {
    match ask(step, agent, memory, log, 0).await {
        Err(error) if error.code() == Code::ModelContextExceeded => {
            let whole = memory.conversation.tokens();
            make_room(&step.scope("halve"), agent, memory, log, whole / 2).await?;
            match memory.conversation.tokens() < whole {
                true => ask(step, agent, memory, log, 1).await,
                false => Err(error),
            }
        }
        answer => answer,
    }
}

async fn ask(step: &Ctx, agent: &Arc<Runtime>, memory: &mut Memory, log: &Log, count: u32) -> Result<Answer> {
    let read = memory.conversation.transcript().label();
    let gate = rules::admit_model(step, agent, log, &agent.definition.model, read).await?;
    let choice = if memory.tried.last_turn.is_some() { ToolChoice::None } else { ToolChoice::Auto };
    let unseen = unseen::find(memory.conversation.messages(), &agent.model.profile().abilities);
    let request = Asked::new(agent, memory, choice.clone(), unseen.clone()).behind(gate);
    let link = {
        let found = memory.found.clone();
        let held = agent.definition.holds_answers();
        memory.conversation.link(agent.model.id(), choice, agent.enforces_form(), found, unseen, held)?
    };
    let limits = &agent.definition.limits;
    let timeout = limits.wall_time.saturating_sub(memory.tally.active(step.active())).max(SHORTEST_TIMEOUT);
    let room = match memory.tried.last_turn {
        Some(_) => Room::whole(limits, &memory.tally),
        None => Room::before_the_last(limits, &memory.tally),
    };
    let request = request.within(timeout, limits.idle_time).fitting(room);
    let effects = Effects::pure().retry(RETRY).reserve(request.most()).halting();
    let answer = match step.effect(MODEL, effects, link, request).await {
        Err(error) if error.code() == Code::RunLimit => {
            // What is not for want of wall time is for want of any sign of life.
            memory.tally.idle |= memory.tally.active(step.active()) < limits.wall_time;
            Answer::none()
        }
        recorded => Answer::read(&recorded?)?,
    };
    memory.conversation.answer(step.path().join(MODEL, count), &answer);
    memory.tally.turn(&answer);
    Ok(answer)
}

/// What watchers of a run hear of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Show {
    /// The answer while it comes, and what the layers around the model do.
    Everything,
    /// What the layers do: somebody waits for it.
    Layers,
    /// That somebody is there.
    Nothing,
}

/// A request on its way to a model.
pub(crate) struct Asked {
    model: Arc<dyn Model>,
    /// Makes the request: a replay asks for many steps and sends none of them.
    request: Box<dyn Fn() -> Request + Send + Sync>,
    tokens: u64,
    max_output: Option<u64>,
    room: Option<Room>,
    show: Show,
    timeout: Duration,
    idle: Duration,
    /// What a call that is given up for want of time fails with. A limit of the run is the step's answer, and the
    /// run goes on to its last turn; the code of a timeout has the call made again.
    given_up: Code,
    gate: Gate,
}

impl Asked {
    fn new(agent: &Runtime, memory: &Memory, choice: ToolChoice, unseen: Vec<Unseen>) -> Self {
        let messages = memory.conversation.transcript().shared();
        let request = agent.request(&Arc::default(), &memory.found, choice);
        Self {
            gate: Gate::default(),
            model: Arc::clone(&agent.model),
            tokens: memory.conversation.tokens(),
            max_output: request.max_output_tokens.map(u64::from),
            room: None,
            show: if agent.definition.holds_answers() { Show::Layers } else { Show::Everything },
            timeout: SHORTEST_TIMEOUT,
            idle: SHORTEST_TIMEOUT,
            given_up: Code::ModelTimeout,
            request: {
                let mark = agent.definition.mark;
                Box::new(move || {
                    let messages = unseen::hide(messages.to_vec(), &unseen);
                    let messages = if mark { guard::marked(messages) } else { messages };
                    Request { messages, ..request.clone() }
                })
            },
        }
    }

    /// A request that stands alone, and whose answer is nobody's but the runtime's.
    pub(crate) fn alone(model: Arc<dyn Model>, request: Request) -> Self {
        Self {
            gate: Gate::default(),
            model,
            tokens: token::estimate_request(&request),
            max_output: request.max_output_tokens.map(u64::from),
            room: None,
            show: Show::Layers,
            timeout: SHORTEST_TIMEOUT,
            idle: SHORTEST_TIMEOUT,
            given_up: Code::ModelTimeout,
            request: Box::new(move || request.clone()),
        }
    }

    /// The same, of which watchers hear nothing at all.
    pub(crate) fn quietly(model: Arc<dyn Model>, request: Request) -> Self {
        Self { show: Show::Nothing, ..Self::alone(model, request) }
    }

    /// Sets what may keep it from being made.
    pub(crate) fn behind(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// Sets what is left of the limits of the run: the answer is held to it, and the model is not asked where that is too little.
    pub(crate) fn fitting(mut self, room: Room) -> Self {
        self.room = Some(room);
        self
    }

    /// Sets how long the call may take, and how long it may go without a sign of life, as limits of the run.
    fn within(mut self, timeout: Duration, idle: Duration) -> Self {
        (self.timeout, self.idle, self.given_up) = (timeout, idle, Code::RunLimit);
        self
    }

    /// The most that the call may take.
    pub(crate) fn most(&self) -> Amount {
        let Ok(output) = self.output() else { return Amount::default() };
        let nanos = self.prices().map_or(0, |prices| dearest(&prices, self.tokens, output).nanos());
        Amount { tokens: self.tokens.saturating_add(output), nanos }
    }

    /// How long the answer may be, in tokens. Fails with the limit of the run that leaves no room for one.
    fn output(&self) -> Result<u64, Limit> {
        let most = u64::from(self.allowed());
        self.room.map_or(Ok(most), |room| room.answer(self.tokens, most, self.prices().as_ref()))
    }

    /// How long it may be whatever the run has left.
    fn allowed(&self) -> u32 {
        let most = self.max_output.or(self.model.profile().max_output_tokens).unwrap_or(UNKNOWN_ANSWER);
        u32::try_from(most).unwrap_or(u32::MAX)
    }

    fn prices(&self) -> Option<Prices> {
        self.model.most_prices().or(self.model.profile().prices)
    }
}

impl Work for Asked {
    fn decide(&self, _attempt: &Attempt) -> BoxFuture<'static, Result<Option<Json>>> {
        std::future::ready(self.gate.pass()).boxed()
    }

    fn attempt(&self, attempt: Attempt) -> BoxFuture<'static, Finished> {
        let (model, mut request, show) = (Arc::clone(&self.model), (self.request)(), self.show);
        let most = match self.output() {
            Ok(most) => u32::try_from(most).unwrap_or(u32::MAX),
            Err(limit) => return std::future::ready(answered(&Answer::unasked(limit))).boxed(),
        };
        let held_to = (most < self.allowed()).then_some(most);
        request.max_output_tokens = held_to.or(request.max_output_tokens);
        let (timeout, idle, given_up) = (self.timeout, self.idle, self.given_up);
        async move {
            let failed = |code, why: String| Finished { done: Done::Err(Error::new(code, why)), spent: None };
            let cancelled = async {
                attempt.cancel.cancelled().await;
                failed(Code::RunCancelled, "the call of the model was cancelled".to_owned())
            };
            let late = async {
                after(timeout).await;
                let within = format_duration(timeout);
                failed(given_up, format!("the model gave no whole answer within {within}"))
            };
            let silent = async {
                let why = silence(&attempt.sink, idle).await;
                failed(given_up, format!("the model gave {why}"))
            };
            let asked = converse(model.as_ref(), request, &attempt, show, held_to);
            let finished = unless(cancelled, unless(late, unless(silent, asked))).await;
            patient(finished)
        }
        .boxed()
    }
}

/// Waits at most [`LONGEST_PATIENCE`] for a provider that asks to wait longer.
fn patient(finished: Finished) -> Finished {
    match finished.done {
        Done::Err(error) if error.retry_after() > Some(LONGEST_PATIENCE) => {
            Finished { done: Done::Err(error.with_retry_after(LONGEST_PATIENCE)), ..finished }
        }
        _ => finished,
    }
}

async fn converse(
    model: &dyn Model,
    request: Request,
    attempt: &Attempt,
    show: Show,
    held_to: Option<u32>,
) -> Finished {
    let sink = attempt.sink.clone();
    let told = move |note| if show == Show::Nothing { Piece::Text(String::new()) } else { told(note) };
    let call = Call {
        cancel: attempt.cancel.clone(),
        whole: false,
        idempotency_key: Some(attempt.idempotency_key.to_string()),
        listener: Some(Arc::new(move |note| sink.push(told(note)))),
    };
    let deltas = match model.stream(request.clone(), call).await {
        Ok(deltas) => deltas,
        // Nothing was accepted, so nothing is charged.
        Err(error) => return Finished { done: Done::Err(error), spent: Some(Amount::default()) },
    };
    match listen(deltas, &request, &attempt.sink, show, model.profile()).await {
        Ok(answer) => answered(&Answer { held_to, ..answer }),
        Err(error) => Finished { done: Done::Err(error), spent: None },
    }
}

fn answered(answer: &Answer) -> Finished {
    let done = match Json::of(answer) {
        Ok(json) => Done::Ok(json),
        Err(error) => Done::Err(error),
    };
    Finished { done, spent: Some(answer.spent()) }
}

/// What watchers hear of what the layers around a model do; a sign of life in any case.
fn told(note: Note) -> Piece {
    match note {
        Note::Again { error, wait, .. } => {
            Piece::Retrying(error, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
        }
        Note::Alive => Piece::Text(String::new()),
        other => Piece::Progress(other.to_string()),
    }
}

/// Shows an answer while it comes, and gives the whole.
async fn listen(
    mut deltas: Deltas,
    request: &Request,
    sink: &Sink,
    show: Show,
    profile: &Profile,
) -> Result<Answer> {
    let mut collector = Collector::for_request(request);
    while let Some(delta) = deltas.next().await {
        let delta = delta?;
        // Every delta is a sign of life; those that show nothing are an empty text.
        sink.push(match &delta {
            Delta::Text(text) if show == Show::Everything => Piece::Text(text.clone()),
            Delta::Reasoning(text) if show == Show::Everything => Piece::Reasoning(text.clone()),
            _ => Piece::Text(String::new()),
        });
        collector.push(delta);
    }
    let mut response = collector.finish()?;
    if let Some(counted) = response.usage.take_if(|usage| !is_believed(usage)) {
        sink.push(Piece::Progress(format!(
            "the provider counts {} tokens for one call; that is not believed, and an estimate counts instead",
            counted.total()
        )));
        response.unknown.push(json!({ "usage": counted }));
    }
    let estimate = response.usage.is_none().then(|| token::estimate_usage(request, &response.message));
    Ok(Answer { response, estimate, cost: None, unasked: None, held_to: None }.priced(profile.prices))
}

/// Whether one call can have used so much: a report that is wrong must not use up a budget.
fn is_believed(usage: &Usage) -> bool {
    [usage.total(), usage.cached, usage.cache_write, usage.reasoning]
        .iter()
        .all(|tokens| *tokens <= MOST_TOKENS)
}
