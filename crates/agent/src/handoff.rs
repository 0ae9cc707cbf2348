//! Handoff: the conversation moves to another agent, which answers the person from then on.
//!
//! The run of a turn is always that of the agent which the session began with. Who has the conversation works as a child of it, so
//! the limits, the policies and the chain of those for whom it works hold as for any agent that is asked; its answer is the
//! answer of the turn, word for word. Who has the conversation after a turn stands in its [`Reply`], and nowhere else: the next
//! turn begins with it. A child never starts another one in its own place; it ends and says to whom it hands over, so that one
//! place counts the handoffs of a turn.

use std::sync::Arc;

use adjutant_core::event::EventKind;
use adjutant_core::id::RunId;
use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::message::{Message, Part, Role};
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Ctx};
use adjutant_policy::Outcome;
use adjutant_policy::facts::Action;
use adjutant_policy::narrow::Narrowing;
use adjutant_tool::{Answer, Output, Question, Wanted};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::compact;
use crate::definition::{Definition, Handoff, Passes};
use crate::delegation::{self, child, used, words};
use crate::flow::Knowledge;
use crate::host::AgentHost;
use crate::input::Input;
use crate::memory::Memory;
use crate::note::Note;
use crate::purse::{Purse, Used};
use crate::question;
use crate::reply::Reply;
use crate::returned::Returned;
use crate::room::Room;
use crate::routine::{Routine, Scene};
use crate::rules::{self, Considered, Log};
use crate::runtime::Runtime;
use crate::termination::Stop;

/// About how many tokens a summary has that goes with a handoff.
const SUMMARY_TOKENS: u64 = 600;

/// To whom an agent hands over, and what it says to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handing {
    /// The agent; [`Handoff::PERSON`] where a person has answered.
    #[serde(rename = "handed_to")]
    pub to: String,
    /// What they need to know; what the person has answered.
    pub note: String,
}

/// Who has the conversation after a turn, where that is not the agent which it began with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Who.
    pub agent: String,
    /// The agents for which it works, the nearest first.
    pub by: Vec<String>,
    /// What went with the handoff of what was said.
    pub context: Passes,
    /// What it was told.
    pub note: String,
    /// The summary that went with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What is known of what it was told: the join of all that those have read who handed it over.
    #[serde(default, skip_serializing_if = "Label::is_default")]
    pub label: Label,
}

/// How a run came to have the conversation of another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handed {
    /// The agent which the session began with.
    pub first: String,
    /// Those that have had the conversation since somebody said something.
    pub before: Vec<String>,
    /// How often it may still be handed over in this turn.
    pub left: u32,
}

/// What became of a handoff.
pub(crate) enum Passed {
    /// Somebody else has answered.
    Over(Box<Over>),
    /// The run that has started this one hands on.
    Away(Handing),
    /// The agent goes on, and is told this.
    Not(Note),
}

/// An answer that was given in the place of an agent.
pub(crate) struct Over {
    pub(crate) text: String,
    pub(crate) data: Option<Value>,
    pub(crate) stop: Stop,
    pub(crate) label: Label,
    /// Who has the conversation now; the agent itself where none has.
    pub(crate) standing: Option<Standing>,
}

/// The tool by which an agent hands over to one other, to a person, or back.
struct HandOff {
    spec: ToolSpec,
    /// None for the way back.
    handoff: Option<Handoff>,
}

/// The routines by which an agent hands over.
pub(crate) fn routines(definition: &Definition) -> Vec<Arc<dyn Routine>> {
    let made = |spec: &ToolSpec| match definition.handoff(&spec.name) {
        Some(handoff) => Some(HandOff { spec: spec.clone(), handoff: Some(handoff.clone()) }),
        None => (spec.name == Handoff::BACK).then(|| HandOff { spec: spec.clone(), handoff: None }),
    };
    definition.tools.iter().filter_map(made).map(|made| Arc::new(made) as Arc<dyn Routine>).collect()
}

impl HandOff {
    async fn hand_over(&self, scene: &Scene<'_>) -> Result<Returned> {
        let text = |key: &str| scene.called().arguments.get(key).and_then(Value::as_str).unwrap_or_default();
        let note = format!("{}\n{}", text("reason"), text("needs"));
        let handed = scene.agent().handed.as_ref();
        let to = match &self.handoff {
            Some(handoff) if handoff.is_to_a_person() => {
                return ask_person(scene, text("needs"), handoff.returns).await;
            }
            Some(handoff) => handoff.agent.clone(),
            None => handed.map(|handed| handed.first.clone()).unwrap_or_default(),
        };
        if let Some(why) = handed.and_then(|handed| handed.refuses(&to)) {
            let error = Error::new(Code::ToolDenied, why).with_help("answer yourself, or find another way");
            return Ok(Returned::Failed(error));
        }
        output(&Handing { to, note })
    }
}

impl Routine for HandOff {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, scene: Scene<'a>) -> BoxFuture<'a, Result<Returned>> {
        async move { self.hand_over(&scene).await }.boxed()
    }
}

impl Handed {
    /// Why the conversation does not go on to this agent; none where it does.
    fn refuses(&self, to: &str) -> Option<String> {
        // Who had it first can always have it back.
        if to == self.first {
            return None;
        }
        if self.before.iter().any(|before| before == to) {
            return Some(format!(
                "`{to}` has had the conversation in this turn, and nobody has said anything since"
            ));
        }
        (self.left == 0)
            .then(|| "the conversation was handed over as often in this turn as it may be".to_owned())
    }
}

/// Asks a person. What they say is the answer of the turn, or goes back to the agent.
async fn ask_person(scene: &Scene<'_>, asks: &str, returns: bool) -> Result<Returned> {
    let schema = json!({
        "type": "object",
        "properties": { "answer": { "type": "string", "minLength": 1, "description": "The answer." } },
        "required": ["answer"],
    });
    let from = scene.agent().definition.name.clone();
    let question = Question { from, message: asks.to_owned(), wanted: Wanted::Values(schema) };
    let answer = question::ask(scene.ctx(), scene.called(), &question, 0).await?;
    let said = match &answer {
        Answer::Accept(Some(values)) => values.get("answer").and_then(Value::as_str),
        Answer::Accept(None) | Answer::Decline | Answer::Cancel => None,
    };
    match said {
        Some(said) if returns => Ok(Returned::Output(Output::text(said))),
        Some(said) => output(&Handing { to: Handoff::PERSON.to_owned(), note: said.to_owned() }),
        None => {
            let error = Error::new(Code::ToolFailed, "the person has not answered");
            Ok(Returned::Failed(error.with_help("go on without, or say what is missing")))
        }
    }
}

fn output(handing: &Handing) -> Result<Returned> {
    let value = Json::of(handing)?.value();
    Ok(Returned::Output(Output::json(value)))
}

/// Whether a tool hands the conversation over, or back.
pub(crate) fn hands_over(definition: &Definition, tool: &str) -> bool {
    definition.handoff(tool).is_some() || (tool == Handoff::BACK && definition.tool(tool).is_some())
}

/// The handoff that the result of a call makes, if it does.
pub(crate) fn made(definition: &Definition, result: &Message) -> Option<Handing> {
    let result = result.results().find(|result| !result.is_error && hands_over(definition, &result.name))?;
    serde_json::from_value(result.data.clone()?).ok()
}

/// Has the agent go on to which this one has handed over, and those to which that one hands over in turn.
pub(crate) async fn pass_on(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    handing: Handing,
) -> Result<Passed> {
    if agent.handed.is_some() && handing.to != Handoff::PERSON {
        return Ok(Passed::Away(handing));
    }
    if handing.to == Handoff::PERSON {
        return Ok(Passed::Over(Box::new(Over {
            text: handing.note,
            data: None,
            stop: Stop::Answered,
            label: Label::default(),
            standing: None,
        })));
    }
    let by = agent.principal.agents.clone();
    go(step, agent, memory, log, (handing, by, Label::default())).await
}

/// Has the agent answer that has the conversation since an earlier turn; `since` says from which message on it was there.
pub(crate) async fn go_on(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    (standing, since): &(Standing, usize),
) -> Result<Passed> {
    let considered = Considered { approved: true, ..Considered::new(Action::Agent(standing.agent.clone())) };
    let known = Knowledge::of(&memory.conversation, None);
    if let Some(ruling) = rules::decide(step, agent, considered, known, log).await?
        && ruling.verdict.outcome == Outcome::Deny
    {
        let why = rules::why(&ruling.verdict);
        return Ok(Passed::Not(Note::Kept(standing.agent.clone(), why, Label::default())));
    }
    let messages: Vec<_> = memory.conversation.messages().iter().filter(|m| m.role != Role::System).collect();
    let (now, before) =
        messages.split_last().map_or((None, Vec::new()), |(now, before)| (Some(*now), before.to_vec()));
    let since = match standing.context {
        Passes::All => 0,
        Passes::Last(most) => latest(before.iter().take(*since).map(AsRef::as_ref), most),
        Passes::Summary | Passes::None => *since,
    };
    let mut parts = summary(standing);
    parts.extend(said(before.into_iter().skip(since).map(AsRef::as_ref)));
    parts.push(told(standing));
    parts.push(Part::text("\n\nThe person says now:\n"));
    parts.extend(now.iter().flat_map(|message| message.parts.iter().cloned()));
    memory.handed.push(standing.agent.clone());
    match ask(step, agent, memory, log, standing, parts).await? {
        Ok(reply) => match &reply.handing {
            Some(handing) => {
                let by = chain(standing);
                let (handing, label) = (handing.clone(), standing.label.join(&told_by(&reply)));
                took(step, agent, memory, log, (handing, by, label)).await
            }
            None => Ok(Passed::Over(Box::new(over(reply, standing.clone())))),
        },
        Err(why) => Ok(Passed::Not(Note::Kept(standing.agent.clone(), why, Label::untrusted()))),
    }
}

/// What is known of what an agent has said that hands on.
fn told_by(reply: &Reply) -> Label {
    reply.label.clone().unwrap_or_else(Label::untrusted)
}

/// Who works for whom once this one hands over.
fn chain(standing: &Standing) -> Vec<String> {
    std::iter::once(&standing.agent).chain(&standing.by).cloned().collect()
}

/// Takes a handoff that an agent has made which has the conversation: back, or on to the next.
async fn took(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    (handing, by, label): (Handing, Vec<String>, Label),
) -> Result<Passed> {
    if handing.to == agent.definition.name {
        let from = by.first().cloned().unwrap_or_default();
        return Ok(Passed::Not(Note::HandedBack(from, handing.note, label)));
    }
    go(step, agent, memory, log, (handing, by, label)).await
}

/// Starts those that get the conversation, one after the other, until one of them answers.
async fn go(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    (mut handing, mut by, mut label): (Handing, Vec<String>, Label),
) -> Result<Passed> {
    loop {
        let to = handing.to.clone();
        if let Some(why) = handed(agent, memory).refuses(&to) {
            return Ok(Passed::Not(Note::Kept(to, why, Label::default())));
        }
        memory.handoffs = memory.handoffs.saturating_add(1);
        memory.handed.push(to.clone());
        let scope = step.scope("handoff");
        scope.emit(&EventKind::HandedOver { by: by.first().cloned().unwrap_or_default(), to: to.clone() })?;
        let context = context_of(agent, by.first(), &to);
        let mut standing =
            Standing { agent: to, by, context, note: handing.note, summary: None, label: label.clone() };
        let mut parts = match context {
            Passes::All => said(memory.conversation.messages().iter().map(AsRef::as_ref)),
            Passes::Summary => {
                standing.summary = summarised(&scope, agent, memory, log).await?;
                summary(&standing)
            }
            Passes::None => Vec::new(),
            Passes::Last(most) => {
                let all = || memory.conversation.messages().iter().map(AsRef::as_ref);
                said(all().skip(latest(all(), most)))
            }
        };
        parts.push(told(&standing));
        let reply = match ask(&scope, agent, memory, log, &standing, parts).await? {
            Ok(reply) => reply,
            Err(why) => return Ok(Passed::Not(Note::Kept(standing.agent, why, Label::untrusted()))),
        };
        let Some(next) = reply.handing.clone() else {
            return Ok(Passed::Over(Box::new(over(reply, standing))));
        };
        label = label.join(&told_by(&reply));
        if next.to == agent.definition.name {
            return Ok(Passed::Not(Note::HandedBack(standing.agent, next.note, label)));
        }
        (handing, by) = (next, chain(&standing));
    }
}

/// How far the handoffs of the turn are.
fn handed(agent: &Runtime, memory: &Memory) -> Handed {
    Handed {
        first: agent.definition.name.clone(),
        before: memory.handed.clone(),
        left: agent.definition.limits.handoffs.saturating_sub(memory.handoffs),
    }
}

/// What one agent passes on to another of what was said.
fn context_of(agent: &Runtime, from: Option<&String>, to: &str) -> Passes {
    let definition = &agent.definition;
    let all = std::iter::once(definition).chain(&definition.team);
    let by = all.filter(|one| Some(&one.name) == from).flat_map(|one| &one.handoffs);
    by.filter(|handoff| handoff.agent == to).map(|handoff| handoff.context).next().unwrap_or_default()
}

/// Where the latest messages begin that were said, so many of them.
fn latest<'a>(messages: impl Iterator<Item = &'a Message>, most: u32) -> usize {
    let is_said = |message: &Message| {
        matches!(message.role, Role::User | Role::Assistant) && !message.text().trim().is_empty()
    };
    let places: Vec<usize> =
        messages.enumerate().filter(|(_, message)| is_said(message)).map(|(place, _)| place).collect();
    let first = places.len().saturating_sub(most as usize);
    places.get(first).copied().unwrap_or_default()
}

/// A summary of all that was said; none where it cannot be made: what the agent says that hands over is there all the same.
async fn summarised(
    scope: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
) -> Result<Option<String>> {
    let count = memory.conversation.messages().len();
    let room = Room::before_the_last(&agent.definition.limits, &memory.tally);
    match compact::summarise(scope, agent, &memory.conversation, log, (count, SUMMARY_TOKENS), room).await {
        Ok(summary) => {
            memory.tally.spend(&summary);
            Ok(Some(summary.text()))
        }
        Err(error) if error.code() == Code::RunCancelled => Err(error),
        Err(_) => Ok(None),
    }
}

/// Has the agent that has the conversation answer, in a run of its own. The inner error is why it has not.
async fn ask(
    scope: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    standing: &Standing,
    parts: Vec<Part>,
) -> Result<Result<Reply, String>> {
    let name = standing.agent.as_str();
    let Some(member) = agent.definition.team.iter().find(|member| member.name == name) else {
        return Ok(Err("there is no such agent here".to_owned()));
    };
    let limits = &agent.definition.limits;
    let purse = Purse::new(limits, &memory.tally, 1);
    let left = limits.wall_time.saturating_sub(purse.active(scope.active()));
    let Some(share) = purse.take(left) else {
        return Ok(Err("nothing is left of the limits of this turn".to_owned()));
    };
    let narrowed = log.narrowings().iter().map(|narrowing| Narrowing::clone(narrowing)).collect();
    let message = Message::new(Role::User, parts)
        .labelled(memory.conversation.transcript().label().join(&standing.label));
    let input = Input {
        allowance: Some(share),
        behind: standing.by.clone(),
        claims: agent.principal.user.clone().unwrap_or_default().claims,
        past: log.all(),
        narrowed,
        words: words(&memory.conversation),
        handed: Some(handed(agent, memory)),
        ..Input::new(message)
    };
    let admission = Admission {
        user: agent.user.clone(),
        ..Admission::new(RunId::from(""), name, AgentHost::PROGRAM, member.digest()?, Json::of(&input)?)
    };
    let began = scope.now();
    let outcome = scope.child(name, &admission).await.and_then(|json| json.to::<Reply>());
    let (used, reply) = match outcome {
        Ok(reply) => {
            let used = Used {
                usage: reply.usage,
                cost: reply.cost,
                active_ms: reply.active_ms,
                past: reply.past.clone(),
                turns: reply.turns,
            };
            (used, Ok(reply))
        }
        // The run itself is to stop, and the child with it.
        Err(error) if scope.cancelled().is_some() => return Err(error),
        Err(error) => {
            let used = match &agent.engine {
                Some(engine) => used(scope, child(scope, name), engine).await?,
                None => Used::default(),
            };
            (used, Err(format!("it gave no answer: {error}")))
        }
    };
    purse.settle(share, &used);
    log.join(used.past);
    let spent = purse.spent();
    memory.tally.asked(&spent);
    memory.tally.beside(spent.beside, scope.now().since(began));
    memory.recorded += 2;
    Ok(reply.and_then(|reply| match reply.stop {
        Stop::Answered | Stop::Enough | Stop::HandedOver | Stop::LimitReached(_) | Stop::CutOff => Ok(reply),
        Stop::Refused | Stop::Filtered | Stop::Empty | Stop::Blocked | Stop::Withheld => {
            Err(format!("it gave no answer: {}", reply.stop.describe()))
        }
    }))
}

fn over(reply: Reply, standing: Standing) -> Over {
    let source = Label::untrusted_from(format!("agent:{}", standing.agent));
    // As with an agent that is asked: one that has read nothing untrusted is as good as what it was told.
    let label = match reply.label {
        Some(label) if label.is_trusted() => label,
        Some(label) => label.join(&source),
        None => source,
    };
    Over { text: reply.text, data: reply.data, stop: reply.stop, label, standing: Some(standing) }
}

/// What the agent that gets the conversation is told by whom it has it from.
fn told(standing: &Standing) -> Part {
    let by = standing.by.first().map(String::as_str).unwrap_or_default();
    Part::text(format!(
        "The agent `{by}` has handed this conversation over to you, and says:\n{}",
        standing.note
    ))
}

fn summary(standing: &Standing) -> Vec<Part> {
    let summary = standing.summary.iter();
    summary.map(|text| Part::text(format!("What was said before, in short:\n{}\n\n", text.trim()))).collect()
}

/// What was said, for an agent that was no part of it.
fn said<'a>(messages: impl Iterator<Item = &'a Message>) -> Vec<Part> {
    let mut parts = delegation::said(messages, "The person was told:\n");
    if !parts.is_empty() {
        parts.insert(0, Part::text("What was said before:\n\n"));
    }
    parts
}
