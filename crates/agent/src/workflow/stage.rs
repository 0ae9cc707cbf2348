//! [`Stage`]: what the code of a workflow works with.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adjutant_core::error::Audience;
use adjutant_core::event::EventKind;
use adjutant_core::hash::Digest;
use adjutant_core::id::CallId;
use adjutant_core::json::Json;
use adjutant_core::limit::Limits;
use adjutant_core::message::{Message, ToolCall};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Ctx, Effects};
use adjutant_tool::{Answer, Question, Wanted};
use futures::future::{Either, select};
use serde_json::{Map, Value, json};

use super::item::Item;
use super::progress::Progress;
use crate::act;
use crate::code::told;
use crate::conversation::Conversation;
use crate::definition::{Definition, Strategy, TASK};
use crate::flow::{Carried, Given};
use crate::guard::Watch;
use crate::lesson::Lesson;
use crate::memory::Memory;
use crate::purse::Purse;
use crate::question;
use crate::returned::{Called, Returned};
use crate::routine::Around;
use crate::rules::{self, Log, Queue};
use crate::runtime::Runtime;

/// The scope of one call of a workflow.
const CALL: &str = "call";

/// The steps in which what was made before is looked up, and in which what was made is kept.
const FOUND: &str = "found";
const KEPT: &str = "kept";

/// The scope of one question of a workflow to a person.
const PERSON: &str = "person";

/// What the code of a workflow works with: it asks agents, calls tools, asks people, and waits. Everything passes the
/// choke point of the run. Cheap to clone; a clone is the same.
///
/// A stage knows what came of all that was asked through it, and what is asked next counts as made of that. One that is made
/// by [`apart`](Self::apart) knows what it is given and nothing else.
#[derive(Clone)]
pub struct Stage {
    pub(super) ctx: Ctx,
    pub(super) run: Arc<Performance>,
    purse: Arc<Purse>,
    known: Arc<Mutex<Item>>,
    /// What has decided that it comes to this.
    control: Item,
    /// What the author of the workflow has written into the next call.
    authored: Arc<[String]>,
    /// How long its calls may be without any sign of life, where that is less than the limit of the run.
    idle: Option<Duration>,
}

/// What the stages of a run share.
pub(super) struct Performance {
    pub(super) agent: Arc<Runtime>,
    pub(super) conversation: Conversation,
    pub(super) log: Arc<Log>,
    pub(super) watch: Watch,
    pub(super) queue: Queue,
    pub(super) calls: AtomicU32,
    /// What the calls tell that have failed.
    pub(super) failures: Mutex<Item>,
    /// What earlier turns of the session have learned.
    pub(super) lessons: Arc<[Lesson]>,
    /// What the session keeps of this one.
    pub(super) kept: Mutex<Vec<Lesson>>,
    /// What is left to do.
    pub(super) open: Mutex<Vec<String>>,
    /// The values that were given for the variables of the prompt.
    pub(super) variables: Map<String, Value>,
    /// What the run knows besides, for its next segment.
    pub(super) memory: Memory,
    /// What the next segment begins with, once the workflow has asked for one.
    pub(super) rolling: Mutex<Option<Box<Memory>>>,
    /// What was done, for the condition under which it has done enough.
    pub(super) progress: Mutex<Progress>,
}

impl Stage {
    pub(super) fn new(ctx: Ctx, run: Arc<Performance>, purse: Arc<Purse>) -> Self {
        let (known, control, authored) = (Arc::default(), Item::default(), Arc::default());
        Self { ctx, run, purse, known, control, authored, idle: None }
    }

    /// The context of the run, in the scope of this stage.
    pub fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    /// The definition that the run is pinned to.
    pub fn definition(&self) -> &Definition {
        &self.run.agent.definition
    }

    /// The values that the run was started with, by the names of the variables of its prompt; nothing after a roll-over.
    pub fn variables(&self) -> &Map<String, Value> {
        &self.run.variables
    }

    /// The message that the run was started with.
    pub fn message(&self) -> Option<&Message> {
        let messages = self.run.conversation.messages().iter();
        messages.rev().find(|message| message.role == adjutant_core::message::Role::User).map(AsRef::as_ref)
    }

    /// A stage in a scope of its own. Give each concurrent branch one, so that a step added to one renumbers no other.
    #[must_use]
    pub fn scope(&self, name: &str) -> Self {
        Self { ctx: self.ctx.scope(name), ..self.clone() }
    }

    /// A stage in a scope of its own that knows these items and nothing else: what is asked there counts as made of them.
    #[must_use]
    pub fn apart<'a>(&self, name: &str, items: impl IntoIterator<Item = &'a Item>) -> Self {
        let known = Arc::new(Mutex::new(Item::made_of(Value::Null, items)));
        Self { known, ..self.scope(name) }
    }

    /// The same, where these items have decided that it comes to what is done here: it counts as made of them, too, also in stages
    /// [apart](Self::apart). A condition on what a stranger wrote is a way in which they have a say.
    #[must_use]
    pub fn under<'a>(&self, items: impl IntoIterator<Item = &'a Item>) -> Self {
        let control = Item::made_of(Value::Null, items).influenced_by([&self.control]);
        Self { control, ..self.clone() }
    }

    /// The same, where these texts of the next call are the author's own: they are trusted, whatever stands beside them.
    #[must_use]
    pub fn authored(&self, texts: impl IntoIterator<Item = String>) -> Self {
        Self { authored: texts.into_iter().collect(), ..self.clone() }
    }

    /// The same, whose calls are given up once they show no sign of life for so long: no word of a model, no progress of a tool
    /// ([`Context::progress`](adjutant_tool::Context::progress)). The limit of the run holds where it is shorter.
    #[must_use]
    pub fn awake(&self, longest: Duration) -> Self {
        Self { idle: Some(self.idle.map_or(longest, |idle| idle.min(longest))), ..self.clone() }
    }

    /// What was made before under this key, also by other runs of the workflow, and not longer ago than that; otherwise what `work`
    /// makes, which is kept. What is asked from now on counts as made of it.
    ///
    /// The key should hold all that `work` looks at. What other users have made is never found, nor what another version of the
    /// workflow, or of the agents and tools that it uses, has made.
    pub async fn kept(
        &self,
        key: &Item,
        longest: Duration,
        work: impl Future<Output = Result<Item>>,
    ) -> Result<Item> {
        let agent = &self.run.agent;
        // What it may spend changes nothing of what it makes.
        let definition = Definition { limits: Limits::default(), ..agent.definition.clone() }.digest()?;
        // Tools may answer differently by what is claimed of a user.
        let claims = agent.principal.user.as_ref().map(|user| &user.claims);
        let user = Json::of(&json!({ "id": agent.user, "claims": claims }))?;
        let made_of = Json::of(&key.value)?;
        let digest =
            Digest::of_parts(&[definition.as_bytes(), user.as_str().as_bytes(), made_of.as_str().as_bytes()]);
        let (input, results) = (Json::of(&json!({ "key": digest.to_string() }))?, agent.results.clone());
        let results = results.map(|results| results.with_age(longest));
        let found = {
            let results = results.clone();
            let look = adjutant_durable::work(move |_| {
                let results = results.clone();
                async move {
                    let Some(results) = results else { return Ok(Json::null()) };
                    Json::of(&results.read::<Item>(digest).await)
                }
            });
            self.ctx.effect(FOUND, Effects::pure(), input.clone(), look).await?.to::<Option<Item>>()?
        };
        if let Some(found) = found {
            let found = found.influenced_by([key]);
            self.learn(&found);
            return Ok(found);
        }
        let made = work.await?;
        let kept = made.clone();
        let keep = adjutant_durable::work(move |_| {
            let (results, kept) = (results.clone(), kept.clone());
            async move {
                // What cannot be kept is made again the next time.
                let is_kept = match results {
                    Some(results) => results.write(digest, &kept).await.is_ok(),
                    None => false,
                };
                Json::of(&is_kept)
            }
        });
        self.ctx.effect(KEPT, Effects::pure(), input, keep).await?;
        Ok(made)
    }

    /// Whether everything that the workflow may do can be done twice: its tools, and those of all agents that it asks.
    pub fn is_repeatable(&self) -> bool {
        let all = std::iter::once(self.definition()).chain(self.definition().nested());
        all.flat_map(|definition| &definition.tools).all(|tool| tool.effect.is_repeatable())
    }

    /// Says that so many [parts](Self::part) will be taken, so that each has an equal share of what is left of the limits.
    pub fn expect(&self, parts: usize) {
        self.purse.expect(parts);
    }

    /// Says that so many parts of those that were [expected](Self::expect) will not be taken.
    pub fn expect_less(&self, parts: usize) {
        self.purse.expect_less(parts);
    }

    /// A stage with a share of what is left of the limits, until it is [given back](Self::settle). Fails with
    /// [`Code::RunLimit`] where nothing is left.
    pub fn part(&self) -> Result<Self> {
        let left = self.definition().limits.wall_time.saturating_sub(self.purse.active(self.ctx.active()));
        let purse = self.purse.part(left).ok_or_else(nothing_left)?;
        Ok(Self { purse: Arc::new(purse), ..self.clone() })
    }

    /// Counts what a part of this stage has used, and puts back the rest of its share. What is under way there must be over.
    /// One that is never settled is counted as used up.
    pub fn settle(&self, part: &Self) {
        self.purse.join(&part.purse);
    }

    /// Whether something has failed because nothing is left of the limits, and not for a reason of its own.
    pub fn is_over(&self, error: &Error) -> bool {
        error.code() == Code::RunLimit || (is_failure(error) && self.purse.is_spent())
    }

    /// How often the models of those were asked that it has asked, here and in [parts](Self::part) that were settled.
    pub fn model_calls(&self) -> u64 {
        self.purse.spent().turns
    }

    /// Notes that what is asked from now on was made of this, too.
    pub fn learn(&self, item: &Item) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Item::made_of(Value::Null, [&*known, item]);
    }

    /// All that what is asked here counts as made of.
    pub(super) fn knows(&self) -> Item {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Item::made_of(Value::Null, [&*known, &self.control])
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.run.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_strategic(&self) -> bool {
        Strategy::of(self.definition()).is_some()
    }

    /// Fails with [`Code::RunLimit`] where the workflow may do no more.
    fn check_limits(&self, calls: u32) -> Result<()> {
        let limits = &self.definition().limits;
        // An agent with a strategy asks itself, and each time it is looked at whether that has done enough.
        if let Some(condition) = self.definition().stop.as_ref().filter(|_| !self.is_strategic())
            && let Some(why) = self.progress().enough(condition, &self.purse, self.ctx.active())
        {
            return Err(Error::new(Code::RunLimit, format!("the workflow has done enough: {why}")));
        }
        let reached = if calls >= limits.steps {
            format!("the workflow has made {} calls, which is its limit of steps", limits.steps)
        } else if self.purse.active(self.ctx.active()) >= limits.wall_time {
            let time = adjutant_core::time::format_exact(limits.wall_time);
            format!("the workflow has worked for {time}, which is its limit of wall time")
        } else {
            return Ok(());
        };
        Err(Error::new(Code::RunLimit, reached).with_help("set its `limits` higher"))
    }

    /// Asks an agent of the workflow, which works in a run of its own. What it gives is its answer: data where it has an output
    /// schema, otherwise a text.
    ///
    /// Fails as [`call`](Self::call) does.
    pub async fn ask(&self, agent: &str, task: impl Into<Item>) -> Result<Item> {
        self.ask_with(agent, task, Map::new()).await
    }

    /// As [`ask`](Self::ask), with values for the variables of the agent's prompt.
    pub async fn ask_with(
        &self,
        agent: &str,
        task: impl Into<Item>,
        mut variables: Map<String, Value>,
    ) -> Result<Item> {
        let task = task.into();
        self.learn(&task);
        variables.insert(TASK.to_owned(), Value::String(task.text()));
        self.call(agent, variables).await
    }

    /// Calls a tool of the workflow.
    ///
    /// What came of it may be a [failure](is_failure): the tool failed, or the call was refused. Any other error must end the
    /// run; [`Code::RunLimit`] is one, where the workflow may do no more.
    pub async fn call(&self, tool: &str, arguments: Map<String, Value>) -> Result<Item> {
        let number = self.run.calls.fetch_add(1, Ordering::Relaxed);
        self.check_limits(number)?;
        let scope = self.ctx.scope(CALL);
        let arguments = Value::Object(arguments);
        let call = ToolCall {
            id: CallId::from(scope.path().as_str().trim_start_matches('/')),
            name: tool.to_owned(),
            arguments: arguments.to_string(),
        };
        let agent = &self.run.agent;
        let reach = rules::reach(&agent.definition, agent.policies.as_deref(), tool);
        let place = self.run.queue.join([reach]).pop();
        let program = Arc::new(Carried::of(self.knows().given, self.authored.to_vec()));
        let around = Around {
            conversation: &self.run.conversation,
            purse: &self.purse,
            whole: true,
            log: &self.run.log,
            slots: None,
            watch: &self.run.watch,
            program: Some(&program),
            by_hand: None,
            idle: self.idle,
        };
        // Where it is given up, what it was asked with is why: it may have taken its time because of that.
        let mut open = Open { stage: self, is_over: false };
        let returned = act::call(scope, agent, &call, place, around).await?;
        open.is_over = true;
        let (value, label) = (told::value(&returned), told::label(&returned));
        let item = Item::given(Given { tool: tool.to_owned(), asked: arguments, value, label });
        let failed = !matches!(returned, Returned::Output(_));
        if self.definition().stop.is_some() && !self.is_strategic() {
            let made = Item::made_of(item.value.clone(), [&item, &self.knows()]);
            self.progress().made(&call, made, failed, self.definition().limits.repeats)?;
        }
        match returned {
            Returned::Output(_) => {
                self.learn(&item);
                Ok(item)
            }
            // Why a call failed tells of what it was about.
            Returned::Failed(error) | Returned::Telling(error, _) | Returned::Idle(error) => {
                self.failed_for(&item);
                Err(error)
            }
            Returned::Pending(_) => {
                Err(Error::new(Code::Internal, "the choke point has answered before the call was over"))
            }
        }
    }

    /// All that the calls of the run tell that have failed up to now: what is made of a failure, or in its place, is made of this.
    pub fn failures(&self) -> Item {
        self.run.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What earlier turns of the session have [learned](Self::keep), the oldest first.
    pub fn lessons(&self) -> Vec<Item> {
        self.run.lessons.iter().map(Lesson::item).collect()
    }

    /// Keeps the latest of these lessons for the next turns of the session, in the place of those that it had.
    pub fn keep(&self, lessons: &[Item]) {
        *self.run.kept.lock().unwrap_or_else(PoisonError::into_inner) = Lesson::kept(lessons);
    }

    /// Says what the workflow leaves undone: its reply tells it.
    pub fn leave_open(&self, open: impl IntoIterator<Item = String>) {
        self.run.open.lock().unwrap_or_else(PoisonError::into_inner).extend(open);
    }

    /// Notes that something has failed for this reason: what is made in its place is made of this, too.
    pub fn failed_for(&self, reason: &Item) {
        let mut failures = self.run.failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures = Item::made_of(Value::Null, [&*failures, reason]).condensed("failures");
    }

    /// Asks a person something, and waits for as long as it takes. `schema` is a flat object of what an answer holds. None
    /// where the person declines.
    pub async fn person(&self, message: &str, schema: Value) -> Result<Option<Item>> {
        let scope = self.ctx.scope(PERSON);
        let name = self.definition().name.clone();
        let called = Called {
            call: CallId::from(scope.path().as_str().trim_start_matches('/')),
            name: name.clone(),
            arguments: json!({}),
            resumed: None,
            edited: None,
        };
        let question = Question { from: name, message: message.to_owned(), wanted: Wanted::Values(schema) };
        Ok(match question::ask(&scope, &called, &question, 0).await? {
            Answer::Accept(values) => Some(Item::new(Value::Object(values.unwrap_or_default()))),
            Answer::Decline | Answer::Cancel => None,
        })
    }

    /// Waits for somebody outside to signal `name`, with any JSON. `request` is what they are shown. What comes is not trusted.
    pub async fn signal(&self, name: &str, request: &Value) -> Result<Item> {
        let payload = self.ctx.signal(name, Json::from(request.clone())).await?;
        let item = Item::from_outside(&format!("signal:{name}"), payload.value().clone());
        self.learn(&item);
        Ok(item)
    }

    /// Waits for some work, and gives it up after a time: what is under way there is cancelled. Fails with
    /// [`Code::ToolTimeout`].
    pub async fn within<T>(
        &self,
        longest: Duration,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let work = std::pin::pin!(work);
        let timer = std::pin::pin!(self.ctx.sleep(longest));
        match select(work, timer).await {
            Either::Left((done, _)) => done,
            Either::Right((woken, _)) => {
                woken?;
                let message = format!("it took longer than {}", adjutant_core::time::format_exact(longest));
                Err(Error::new(Code::ToolTimeout, message))
            }
        }
    }

    /// Records an event for those who watch.
    pub fn emit(&self, event: &EventKind) -> Result<()> {
        self.ctx.emit(event)
    }

    /// Begins a new segment of the run, so that nothing ever replays a long journal: the workflow is called again with `state`.
    /// Only with nothing of its own under way, and what this fails with must be handed on. Never returns `Ok`.
    pub fn roll_over(&self, state: Json) -> Result<Infallible> {
        let memory = super::perform::parting(&self.run, state)?;
        *self.run.rolling.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(memory));
        Err(Error::new(
            Code::Internal,
            "the run begins a new segment, and its workflow has gone on meanwhile",
        ))
    }
}

/// A call under way.
struct Open<'a> {
    stage: &'a Stage,
    is_over: bool,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.stage.failed_for(&self.stage.knows());
        }
    }
}

/// Whether an error is a failure of what a workflow has asked for, which it may handle: another way can be tried. Any other
/// is one of the run itself, which must end.
pub fn is_failure(error: &Error) -> bool {
    error.code().audience() == Audience::Model
}

fn nothing_left() -> Error {
    Error::new(Code::RunLimit, "nothing is left of the limits of the workflow")
        .with_help("set its `limits` higher")
}
