//! [`Delegation`]: the call of another agent, as a child run.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::id::RunId;
use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::limit::Limit;
use adjutant_core::message::{Message, Part, Role};
use adjutant_core::money::Money;
use adjutant_core::time::format_exact;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Ctx, Effects, Engine, Entry, Record, work};
use adjutant_policy::facts::Past;
use adjutant_policy::narrow::Narrowing;
use adjutant_tool::Output;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::conversation::Conversation;
use crate::definition::{Delegate, Sees, TASK};
use crate::host::AgentHost;
use crate::input::{Input, is_said};
use crate::patience::after;
use crate::purse::{Allowance, Purse, Used};
use crate::reply::Reply;
use crate::returned::Returned;
use crate::routine::{Routine, Scene};
use crate::rules::{self, Log};
use crate::runtime::Runtime;
use crate::summary::{Step, Summary};
use crate::termination::Stop;

/// The name of the steps that look up what a run used.
pub(crate) const USED: &str = "used";

/// The change since which an asked agent is told for whom it works: who has asked, and the user's own words.
const WORDS: &str = "words";

/// The change since which an asked agent knows of every call that was made before, and not of those alone that pinned policies
/// ask about: what is forbidden later may ask about any. It is held to what the task of the asking one needs as well.
const CALLS: &str = "every-call";

/// The scope of what is looked up of those that were given up, and the change since which it is.
const GIVEN_UP: &str = "given_up";

/// How often it is looked whether a run is over that was told to end.
const MOST_LOOKS: u32 = 100;
/// How long between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Asks another agent, which works in a run of its own: a child of the run that asks, within what that has left of its
/// limits, and cancelled with it.
pub(crate) struct Delegation {
    delegate: Delegate,
    spec: ToolSpec,
    digest: Digest,
    /// Where it is looked up what a run used that has no reply.
    engine: Arc<dyn Engine>,
}

impl Delegation {
    pub(crate) fn new(delegate: &Delegate, engine: &Arc<dyn Engine>) -> Result<Self> {
        let (digest, engine) = (delegate.definition.digest()?, Arc::clone(engine));
        Ok(Self { spec: delegate.spec(), digest, delegate: delegate.clone(), engine })
    }

    async fn ask(&self, scene: &Scene<'_>) -> Result<Returned> {
        let Some(share) = scene.take() else {
            let message = "nothing is left of the limits of this run that another agent could work with";
            return Ok(Returned::Failed(
                Error::new(Code::ToolDenied, message).with_help("answer with what you have"),
            ));
        };
        // Runs that were under way before asked without.
        let is_told = scene.ctx().version(WORDS).await?;
        let (past, narrowed) = match is_told && scene.ctx().version(CALLS).await? {
            true => (scene.log().all(), scene.log().narrowings()),
            false => (scene.log().all_concerned(), Vec::new()),
        };
        let narrowed = narrowed.iter().map(|narrowing| Narrowing::clone(narrowing)).collect();
        let admission = self.admission(scene, share, is_told, (past, narrowed))?;
        let mut at_work = AtWork { purse: scene.purse(), run: Some(child(scene.ctx(), self.name())) };
        let outcome = scene.ctx().child(self.name(), &admission).await;
        at_work.run = None;
        let reply = match outcome.and_then(|json| json.to::<Reply>()) {
            Ok(reply) => reply,
            // The run itself is to stop, and the child with it.
            Err(error) if scene.ctx().cancelled().is_some() => return Err(error),
            Err(error) => {
                let run = child(scene.ctx(), self.name());
                let used = used(scene.ctx(), run, &self.engine).await?;
                scene.settle(share, &used);
                scene.log().join(used.past);
                let message = format!("the agent `{}` gave no answer: {error}", self.name());
                return Ok(Returned::Failed(Error::new(Code::ToolFailed, message)));
            }
        };
        let used = Used {
            usage: reply.usage,
            cost: reply.cost,
            active_ms: reply.active_ms,
            past: Vec::new(),
            turns: reply.turns,
        };
        scene.settle(share, &used);
        scene.log().join(reply.past.clone());
        Ok(self.heard(reply, share.idle_ms))
    }

    fn name(&self) -> &str {
        &self.delegate.definition.name
    }

    /// The child run. Its id and where it comes from are set where it is recorded.
    fn admission(
        &self,
        scene: &Scene<'_>,
        share: Allowance,
        is_told: bool,
        (past, narrowed): (Vec<Past>, Vec<Narrowing>),
    ) -> Result<Admission> {
        let arguments = scene.called().arguments.as_object().cloned().unwrap_or_default();
        let input = input(arguments, self.delegate.sees, scene.conversation(), share);
        let input = match is_told {
            true => Input {
                behind: scene.agent().principal.agents.clone(),
                claims: scene.agent().principal.user.clone().unwrap_or_default().claims,
                past,
                narrowed,
                words: words(scene.conversation()),
                message: input.message.labelled(scene.label()),
                ..input
            },
            false => input,
        };
        Ok(Admission {
            user: scene.agent().user.clone(),
            ..Admission::new(RunId::from(""), self.name(), AgentHost::PROGRAM, self.digest, Json::of(&input)?)
        })
    }

    /// What the asking model hears of the reply.
    fn heard(&self, reply: Reply, idle_ms: Option<u64>) -> Returned {
        let name = self.name();
        if let (Stop::LimitReached(Limit::IdleTime), Some(idle)) = (reply.stop, idle_ms) {
            let idle = format_exact(Duration::from_millis(idle));
            let message = format!("the agent `{name}` gave no sign of life for {idle}");
            return Returned::telling(
                Error::new(Code::ToolTimeout, message),
                &reply.label.unwrap_or_default(),
            );
        }
        let cut = match reply.stop {
            Stop::Answered | Stop::Enough => None,
            Stop::LimitReached(_) | Stop::CutOff if !reply.text.trim().is_empty() || reply.data.is_some() => {
                Some(format!("(`{name}`: {}; this is what it had)\n\n", reply.stop.describe()))
            }
            Stop::LimitReached(_)
            | Stop::CutOff
            | Stop::Refused
            | Stop::Filtered
            | Stop::Empty
            | Stop::Blocked
            | Stop::Withheld
            | Stop::HandedOver => {
                let message = format!("the agent `{name}` gave no answer: {}", reply.stop.describe());
                let error = Error::new(Code::ToolFailed, message);
                return Returned::telling(error, &reply.label.unwrap_or_default());
            }
        };
        let mut output = match reply.data {
            Some(data) => Output::json(data),
            None => Output::text(reply.text),
        };
        if let Some(cut) = cut {
            output.content.insert(0, Part::text(cut));
        }
        let source = Label::untrusted_from(format!("agent:{name}"));
        // What an agent says that has read nothing untrusted is as good as what it was asked.
        let label = match reply.label {
            Some(label) if label.is_trusted() => label,
            Some(label) => label.join(&source),
            None => source,
        };
        Returned::Output(output.labelled(label))
    }
}

/// A child at work. Where nobody waits for it any more, as in a branch that was given up, it is cancelled, and what it has used by
/// then is to be looked up.
struct AtWork<'a> {
    purse: &'a Purse,
    run: Option<RunId>,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if let Some(run) = self.run.take() {
            self.purse.give_up(run);
        }
    }
}

/// The child of that name which is started in the scope of `ctx`.
pub(crate) fn child(ctx: &Ctx, name: &str) -> RunId {
    let step = ctx.path().join(name, 0);
    RunId::child(ctx.run(), ctx.segment(), step.as_str())
}

/// Counts what those have used that were given up, once they are over.
pub(crate) async fn settle_given_up(ctx: &Ctx, agent: &Runtime, purse: &Purse, log: &Log) -> Result<()> {
    let given_up = purse.given_up();
    let Some(engine) = agent.engine.as_ref().filter(|_| !given_up.is_empty()) else { return Ok(()) };
    if !ctx.version(GIVEN_UP).await? {
        return Ok(());
    }
    let scope = ctx.scope(GIVEN_UP);
    for run in given_up {
        let input = Json::of(&GivenUp { run: run.clone() })?;
        let used = look_up(&scope, run, engine, input).await?;
        purse.count(&used);
        log.join(used.past);
    }
    Ok(())
}

/// What a child used that gave no reply: it is read from its journal, and recorded.
pub(crate) async fn used(ctx: &Ctx, run: RunId, engine: &Arc<dyn Engine>) -> Result<Used> {
    look_up(ctx, run, engine, Json::null()).await
}

/// The run that was given up, as the input of the step in which it is looked up.
#[derive(Serialize, Deserialize)]
pub(crate) struct GivenUp {
    pub(crate) run: RunId,
}

async fn look_up(ctx: &Ctx, run: RunId, engine: &Arc<dyn Engine>, input: Json) -> Result<Used> {
    let engine = Arc::clone(engine);
    let look = work(move |_| {
        let (run, engine) = (run.clone(), Arc::clone(&engine));
        async move { Json::of(&used_by(&run, engine.as_ref()).await?) }
    });
    ctx.effect(USED, Effects::pure(), input, look).await?.to()
}

/// What a run has used, with those that it has started and not counted itself.
fn used_by<'a>(run: &'a RunId, engine: &'a dyn Engine) -> BoxFuture<'a, Result<Used>> {
    async move {
        let history = match ended(run, engine).await {
            Ok(history) => history,
            // It was never begun, was erased, or is that of the run that this one is a fork of, which has counted it.
            Err(error) if error.code() == Code::NotFound => {
                return Ok(Used { cost: Some(Money::ZERO), ..Used::default() });
            }
            Err(error) => return Err(error),
        };
        let summary = Summary::of(&history)?;
        // What it waited for people counts as well: nobody has told how long it worked.
        let took = summary.updated.since(summary.started);
        let active_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let asked = summary.steps.iter().filter(|step| is_of_a_model(step)).count();
        let mut used = Used {
            usage: summary.usage,
            cost: summary.cost,
            active_ms,
            past: rules::past(&history),
            turns: u32::try_from(asked).unwrap_or(u32::MAX),
        };
        for child in summary.uncounted() {
            let further = used_by(child, engine).await?;
            used.usage += further.usage;
            used.cost = used.cost.zip(further.cost).map(|(sum, cost)| sum + cost);
            used.past.extend(further.past);
            used.turns = used.turns.saturating_add(further.turns);
        }
        Ok(used)
    }
    .boxed()
}

/// Whether a step asked a model itself.
fn is_of_a_model(step: &Step) -> bool {
    step.usage.is_some() && step.run.is_none() && step.key.name() != USED
}

/// The records of a run that is to end, once it has: for a while, since what cannot be cancelled may take long.
async fn ended(run: &RunId, engine: &dyn Engine) -> Result<Vec<Record>> {
    let mut looks = 0;
    loop {
        let history = engine.history(run, 0).await?;
        let is_over = matches!(history.last(), Some(Record { entry: Entry::Ended(_), .. }));
        if is_over || looks == MOST_LOOKS {
            return Ok(history);
        }
        looks += 1;
        after(BETWEEN_LOOKS).await;
    }
}

impl Routine for Delegation {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, scene: Scene<'a>) -> BoxFuture<'a, Result<Returned>> {
        async move { self.ask(&scene).await }.boxed()
    }
}

/// What the agent is started with. What a model has written is no better than all that it has read, so the message has
/// the label of the whole conversation, and of what a program was given that asks.
fn input(mut arguments: Map<String, Value>, sees: Sees, said: &Conversation, share: Allowance) -> Input {
    let task = match arguments.remove(TASK) {
        Some(Value::String(task)) => task,
        other => other.unwrap_or_default().to_string(),
    };
    let mut parts = match sees {
        Sees::Task => Vec::new(),
        Sees::Conversation => before(said.messages().iter().map(AsRef::as_ref)),
    };
    parts.push(Part::text(task));
    let message = Message::new(Role::User, parts).labelled(said.transcript().label().clone());
    Input { allowance: Some(share), ..Input::new(message).with_variables(arguments) }
}

/// What those have said for whom a run works, as far as it is their own.
pub(crate) fn words(said: &Conversation) -> Vec<String> {
    let own = said.transcript().words().filter(|message| message.label.is_trusted());
    own.map(|message| message.text()).filter(|text| !text.is_empty()).collect()
}

/// What was said in a conversation, for an agent that was no part of it.
fn before<'a>(messages: impl Iterator<Item = &'a Message>) -> Vec<Part> {
    let mut parts = said(messages, "The agent that asks you said:\n");
    if !parts.is_empty() {
        parts.insert(0, Part::text("What was said before you were asked:\n\n"));
        parts.push(Part::text("What you are asked to do now:\n"));
    }
    parts
}

/// The words of people and of agents, never their calls; `agent` stands before those of an agent.
pub(crate) fn said<'a>(messages: impl Iterator<Item = &'a Message>, agent: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for message in messages {
        let who = match message.role {
            Role::User => "The person said:\n",
            Role::Assistant => agent,
            Role::System | Role::Tool => continue,
        };
        let said: Vec<Part> = message.parts.iter().filter(|part| is_said(part)).cloned().collect();
        if !said.is_empty() {
            parts.push(Part::text(who));
            parts.extend(said);
            parts.push(Part::text("\n\n"));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{ToolCall, ToolResult};

    use super::*;

    #[test]
    fn only_what_was_said_is_passed_on() {
        let call = ToolCall { id: "1".into(), name: "order".into(), arguments: "{}".into() };
        let result = ToolResult {
            call: "1".into(),
            name: "order".into(),
            content: vec![Part::text("SECRET")],
            data: None,
            is_error: false,
        };
        let messages = [
            Message::system("PROMPT"),
            Message::user("Where is it?"),
            Message::assistant(vec![Part::text("I look."), Part::ToolCall(call)]),
            Message::tool(result),
        ];
        let text = Message::new(Role::User, before(messages.iter())).text();
        assert_eq!(
            text,
            "What was said before you were asked:\n\nThe person said:\nWhere is it?\n\nThe agent that asks you \
             said:\nI look.\n\nWhat you are asked to do now:\n"
        );
        assert!(before([Message::system("PROMPT")].iter()).is_empty());
    }
}
