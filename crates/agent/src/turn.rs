//! The way of one turn: perceive, plan, act, remember, and so on until it is time to answer.

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::event::EventKind;
use adjutant_core::json::Json;
use adjutant_core::message::Message;
use adjutant_durable::Ctx;
use adjutant_model::react::React;
use adjutant_policy::detect::mask;

use crate::act::act;
use crate::context::fit;
use crate::conversation::{Conversation, Earlier};
use crate::ending::{Ending, Figures};
use crate::guard::{self, Agreement, Blocked, Watch};
use crate::handoff::{self, Handing, Passed, Standing};
use crate::input::{self, Input};
use crate::memory::Memory;
use crate::narrow::narrow;
use crate::note::{MADE, Note, say, tell};
use crate::promise::{self, Checked};
use crate::reply::Reply;
use crate::rules::{self, Log, Released};
use crate::runtime::Runtime;
use crate::score;
use crate::takeover;
use crate::termination::{Facts, Next, Stop, decide, reached};
use crate::think::think;
use crate::title::Titling;

/// After so many steps a run begins a new segment, so that nothing ever replays a long journal. A segment begins with
/// all that was said, so shorter ones cost storage; replaying this many takes about 14 ms (`docs/performance.md`).
const SEGMENT: u32 = 2_000;

/// What a segment of a run begins with.
#[derive(Clone, Debug)]
pub enum Begin {
    /// The run's input, and what was said in its session before.
    First(Box<Input>, Option<Arc<Earlier>>),
    /// What the segment before knew at its end, and what was said in the session before the run.
    Next(Json, Option<Arc<Earlier>>),
}

/// Runs one turn of a session: from what somebody says to the agent's reply.
///
/// A limit, a refusal or an answer that is cut off ends it with a reply that says so. It fails with
/// [`Code::RunCancelled`](adjutant_core::Code::RunCancelled) when it is told to stop, with
/// [`Code::RunOutputInvalid`](adjutant_core::Code::RunOutputInvalid) when the answer has the wrong form, and with the
/// error of a model or a tool that nothing said to the model could mend.
pub async fn turn(ctx: &Ctx, agent: &Arc<Runtime>, begin: Begin) -> Result<Reply> {
    let earlier = earlier(&begin);
    let log = Arc::new(remembered(agent, &begin, earlier.as_deref())?);
    rules::prepare(ctx, agent, &log).await?;
    let watch = watch(&begin, earlier.as_deref(), &log)?;
    let (begin, blocked) = let_in(ctx, agent, begin, &watch).await?;
    let mut titling = entitle(ctx, agent, &begin, blocked.is_none(), &log)?;
    let mut agreement = Agreement::new(ctx, agent, first(&begin), &watch);
    // Once, at the beginning: a later segment goes on with what came of it.
    let standing = standing(agent, &begin, earlier.as_deref());
    let mut memory = perceive(ctx, agent, begin)?;
    if let Some(blocked) = blocked {
        return Ok(held_back(ctx, memory, &log, &watch, blocked));
    }
    rules::begin(ctx, agent, &log, memory.conversation.transcript().label()).await?;
    if memory.narrowing.is_none() {
        narrow(ctx, agent, &mut memory, &log).await?;
    }
    log.narrow(memory.narrowing.as_ref());
    if let Some(standing) = standing {
        let step = ctx.scope("standing");
        let going = handoff::go_on(&step, agent, &mut memory, &log, &standing);
        let (passed, blocked) = agreement.beside(going).await?;
        let passed = passed?;
        if let Some(blocked) = blocked {
            memory.call(titling.finish(ctx).await);
            return Ok(held_back(ctx, memory, &log, &watch, blocked));
        }
        if let Some(leaving) = leave(&step, agent, &mut memory, &log, &watch, passed).await? {
            memory.call(titling.finish(ctx).await);
            return Ok(left(ctx, memory, &log, &watch, leaving));
        }
    }
    loop {
        let step = ctx.scope("turn");
        fit(&step, agent, &mut memory, &log).await?;
        let thinking = titling.beside(think(&step, agent, &mut memory, &log));
        let (answer, blocked) = agreement.beside(thinking).await?;
        let answer = answer?;
        if let Some(blocked) = blocked {
            memory.call(titling.finish(ctx).await);
            return Ok(held_back(ctx, memory, &log, &watch, blocked));
        }
        let acted = act(&step, agent, &mut memory, &log, &watch, &answer).await?;
        if let Some(handing) = memory.handing.take() {
            let passed = handoff::pass_on(&step, agent, &mut memory, &log, handing).await?;
            if let Some(leaving) = leave(&step, agent, &mut memory, &log, &watch, passed).await? {
                memory.call(titling.finish(ctx).await);
                return Ok(left(ctx, memory, &log, &watch, leaving));
            }
        }
        let heard = listen(&step, agent, &mut memory, &log, &watch).await?;
        memory.judged(&watch);
        if heard {
            memory.handed.clear();
            narrow(&step, agent, &mut memory, &log).await?;
            log.narrow(memory.narrowing.as_ref());
        }
        let active = memory.tally.active(ctx.active());
        memory.enough = match acted || memory.tried.last_turn.is_some() {
            true => score::enough(&step, agent, &mut memory, &log, (active, &answer.text())).await?,
            false => None,
        };
        let facts = Facts {
            enough: memory.enough.is_some(),
            answer: &answer,
            acted,
            heard,
            tried: memory.tried,
            limit: reached(&agent.definition.limits, &memory.tally, active),
            form: agent.form.as_ref(),
            malformed: React::fault(&answer.response).filter(|_| agent.definition.react),
        };
        let is_room = facts.limit.is_none();
        match decide(&facts)? {
            Next::Continue => {}
            Next::Tell(note) => nudge(&step, &mut memory, note).await?,
            Next::LastTurn(limit) => {
                ctx.emit(&EventKind::LimitReached { limit })?;
                nudge(&step, &mut memory, Note::LastTurn(limit)).await?;
            }
            Next::End(stop, data) => {
                if data.is_none() && agent.form.is_some() {
                    memory.open.push("the answer does not have its form".to_owned());
                }
                let said = (answer.text(), data);
                let back = match stop {
                    Stop::Answered if is_room => {
                        hold_against(&step, agent, &mut memory, &log, &said.0).await?
                    }
                    _ => None,
                };
                let parting = match back {
                    Some(note) => Parting::Again(note),
                    None => part(&step, agent, &mut memory, &log, &watch, stop, said).await?,
                };
                match parting {
                    Parting::Again(note) => nudge(&step, &mut memory, note).await?,
                    Parting::With(text, data, stop) => {
                        memory.call(titling.finish(ctx).await);
                        return Ok(reply(ctx, text, memory, &log, stop, data));
                    }
                    Parting::Blocked(blocked) => {
                        memory.call(titling.finish(ctx).await);
                        return Ok(held_back(ctx, memory, &log, &watch, blocked));
                    }
                }
            }
        }
        remember(ctx, &mut titling, &mut memory, &log, &watch).await?;
    }
}

/// How a run parts with what its model has said last.
pub(crate) enum Parting {
    /// Not yet: the model is told something.
    Again(Note),
    /// With this text, this data, and for this reason.
    With(String, Option<serde_json::Value>, Stop),
    /// A guardrail holds it back.
    Blocked(Blocked),
}

/// Has the last words of the model looked at by the guardrails and decided by the policies. Where they may not go out, the
/// model is told so once.
pub(crate) async fn part(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    watch: &Watch,
    stop: Stop,
    said: (String, Option<serde_json::Value>),
) -> Result<Parting> {
    let left = guard::answer(step, agent, said, &memory.conversation, watch).await?;
    memory.judged(watch);
    let (text, data) = match left {
        Ok(left) => left,
        Err(blocked) => return Ok(Parting::Blocked(blocked)),
    };
    Ok(match rules::release(step, agent, &text, &memory.conversation, log).await? {
        Released::Withheld(why) if memory.tried.withheld || memory.tried.last_turn.is_some() => {
            Parting::With(format!("The answer was withheld: {why}"), None, Stop::Withheld)
        }
        Released::Withheld(why) => Parting::Again(Note::Withheld(why)),
        Released::Instead(text) => Parting::With(text, None, stop),
        Released::As(kinds) if kinds.is_empty() => Parting::With(text, data, stop),
        Released::As(kinds) => {
            let kinds = mask::kinds(&kinds);
            let data = data.map(|data| mask::value(&data, &kinds));
            Parting::With(mask::text(&text, &kinds), data, stop)
        }
    })
}

/// Holds an answer against what was done. What the model is told, where it is not given yet; each answer but the first
/// is given, and what it leaves open is noted.
async fn hold_against(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    answer: &str,
) -> Result<Option<Note>> {
    match promise::check(step, agent, memory, log, answer).await? {
        Checked::Whole => {}
        Checked::Missing(missing) if !memory.tried.undone => return Ok(Some(Note::Undone(missing))),
        Checked::Missing(missing) => memory.open.push(missing),
        Checked::Unjudged => memory.open.push("the answer was not checked".to_owned()),
    }
    Ok(None)
}

/// How a run ends in which others have answered, or are to.
enum Leaving {
    /// With this text, this data, and for this reason; and who has the conversation then.
    With(String, Option<serde_json::Value>, Stop, Option<Box<Standing>>),
    /// The run that has started it hands on.
    To(Handing),
    /// A guardrail holds back what they have answered.
    Blocked(Blocked),
}

/// Takes what became of a handoff: none where the agent goes on.
async fn leave(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    watch: &Watch,
    passed: Passed,
) -> Result<Option<Leaving>> {
    let over = match passed {
        Passed::Not(note) => return nudge(step, memory, note).await.map(|()| None),
        Passed::Away(handing) => return Ok(Some(Leaving::To(handing))),
        Passed::Over(over) => over,
    };
    let step = step.scope(MADE);
    say(&step, &mut memory.conversation, &over.text, over.label).await?;
    let said = (over.text, over.data);
    Ok(match part(&step, agent, memory, log, watch, over.stop, said).await? {
        Parting::With(text, data, stop) => Some(Leaving::With(text, data, stop, over.standing.map(Box::new))),
        Parting::Blocked(blocked) => Some(Leaving::Blocked(blocked)),
        Parting::Again(note) => {
            nudge(&step, memory, note).await?;
            None
        }
    })
}

/// The reply of a run that ends so.
fn left(ctx: &Ctx, memory: Memory, log: &Log, watch: &Watch, leaving: Leaving) -> Reply {
    match leaving {
        Leaving::With(text, data, stop, handed_to) => {
            let handed_to = handed_to.map(|standing| *standing);
            Reply { handed_to, ..reply(ctx, text, memory, log, stop, data) }
        }
        Leaving::To(handing) => {
            let reply = reply(ctx, String::new(), memory, log, Stop::HandedOver, None);
            Reply { handing: Some(handing), ..reply }
        }
        Leaving::Blocked(blocked) => held_back(ctx, memory, log, watch, blocked),
    }
}

/// Who has the conversation that the run is a turn of, where this agent has handed it over.
fn standing(agent: &Runtime, begin: &Begin, earlier: Option<&Earlier>) -> Option<(Standing, usize)> {
    let is_first = matches!(begin, Begin::First(..)) && agent.handed.is_none();
    let standing = earlier.filter(|_| is_first)?.standing.clone()?;
    (standing.0.by.last() == Some(&agent.definition.name)).then_some(standing)
}

/// Has a title made of what begins a conversation, where the run was started so.
pub(crate) fn entitle<'a>(
    ctx: &'a Ctx,
    agent: &'a Arc<Runtime>,
    begin: &Begin,
    goes_on: bool,
    log: &'a Log,
) -> Result<Titling<'a>> {
    match (begin, &agent.titler) {
        (Begin::First(input, None), Some(titler)) if goes_on => {
            Titling::new(ctx, agent, titler, &input.message, log)
        }
        _ => Ok(Titling::none()),
    }
}

/// What guardrails have learned before, in the session and in the segment before.
pub(crate) fn watch(begin: &Begin, earlier: Option<&Earlier>, log: &Arc<Log>) -> Result<Watch> {
    let mut names = earlier.map(|earlier| earlier.names.clone()).unwrap_or_default();
    if let Begin::Next(recorded, _) = begin {
        names.extend(Memory::read(recorded)?.names);
    }
    Ok(Watch::new(names, Arc::clone(log)))
}

/// Has guardrails look at what the run was started with, before anybody else does.
pub(crate) async fn let_in(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    begin: Begin,
    watch: &Watch,
) -> Result<(Begin, Option<Blocked>)> {
    let (input, earlier) = match begin {
        Begin::First(input, earlier) => (input, earlier),
        next @ Begin::Next(..) => return Ok((next, None)),
    };
    let left = guard::begin(ctx, agent, input.message.clone(), watch).await?;
    let (message, blocked) = match left {
        Ok(message) => (message, None),
        Err(blocked) => (guard::held_back(&blocked), Some(blocked)),
    };
    Ok((Begin::First(Box::new(Input { message, ..*input }), earlier), blocked))
}

/// The message that the run was started with, where this is its first segment.
pub(crate) fn first(begin: &Begin) -> Option<Message> {
    match begin {
        Begin::First(input, _) => Some(input.message.clone()),
        Begin::Next(..) => None,
    }
}

/// Begins with what the run was started with, or goes on from where the segment before ended.
pub(crate) fn perceive(ctx: &Ctx, agent: &Runtime, begin: Begin) -> Result<Memory> {
    let (input, earlier) = match begin {
        Begin::First(input, earlier) => (input, earlier),
        Begin::Next(recorded, earlier) => {
            let mut memory = Memory::read(&recorded)?;
            memory.conversation.restore(earlier.as_deref())?;
            return Ok(memory);
        }
    };
    let mut instructions = agent.definition.prompt(&input.variables)?;
    if let Some(form) = agent.form.as_ref().filter(|_| !agent.enforces_form()) {
        instructions = format!("{instructions}\n\n{}", form.instructions());
    }
    let instructions = guard::prompt(ctx, agent, instructions);
    let mut conversation =
        Conversation::begin(&instructions, earlier.as_deref(), input.message, agent.overhead(&[]))?;
    conversation.entrust(input.words);
    let mut memory = Memory::new(conversation);
    memory.given = input.past;
    memory.narrowed = input.narrowed;
    Ok(memory)
}

/// What was said before the run in its session.
pub(crate) fn earlier(begin: &Begin) -> Option<Arc<Earlier>> {
    match begin {
        Begin::First(_, earlier) | Begin::Next(_, earlier) => earlier.clone(),
    }
}

/// What was done before, as far as a policy asks about it.
pub(crate) fn remembered(agent: &Runtime, begin: &Begin, earlier: Option<&Earlier>) -> Result<Log> {
    let (given, own, narrowed) = match begin {
        Begin::First(input, _) => (input.past.clone(), Vec::new(), input.narrowed.clone()),
        Begin::Next(recorded, _) => {
            let memory = Memory::read(recorded)?;
            (memory.given, memory.past, memory.narrowed)
        }
    };
    let concerned = rules::concerned(agent.policies.as_deref());
    let before = earlier.map(|earlier| earlier.past.as_ref()).unwrap_or_default();
    let before: Vec<_> = before.iter().chain(&given).cloned().collect();
    let log = Log::new(concerned, &before, own).within(narrowed);
    Ok(if agent.principal.agents.len() > 1 { log.for_another() } else { log })
}

/// Takes in what people said to the run meanwhile.
async fn listen(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    watch: &Watch,
) -> Result<bool> {
    let sent = step.inbox().await?.messages;
    let messages: Vec<_> = sent.iter().filter_map(input::heard).collect();
    if !messages.is_empty() {
        let messages = guard::hear(step, agent, messages, watch).await?;
        memory.conversation.hear(step.path().join("inbox", 0), messages);
    }
    // Whoever takes it first has it; the others find it taken.
    if let Some(taking) = sent.iter().find_map(takeover::taking) {
        takeover::hold(step, agent, memory, log, watch, taking).await?;
    }
    Ok(!sent.is_empty())
}

/// Tells the model something, and that it was told.
async fn nudge(step: &Ctx, memory: &mut Memory, note: Note) -> Result<()> {
    match &note {
        Note::LastTurn(limit) => memory.tried.last_turn = Some(*limit),
        Note::Misfit(_) => memory.tried.repair = true,
        Note::Empty | Note::Unfinished => memory.tried.nudge = true,
        Note::Malformed(_) => memory.tried.malformed = true,
        Note::Withheld(_) => memory.tried.withheld = true,
        Note::Undone(_) => memory.tried.undone = true,
        Note::Taken(_) | Note::Back(..) | Note::HandedBack(..) | Note::Kept(..) => {}
    }
    tell(step, &mut memory.conversation, note).await
}

/// Begins a new segment when this one has grown long.
async fn remember(
    ctx: &Ctx,
    titling: &mut Titling<'_>,
    memory: &mut Memory,
    log: &Log,
    watch: &Watch,
) -> Result<()> {
    memory.recorded += 2;
    if memory.recorded < SEGMENT {
        return Ok(());
    }
    memory.call(titling.finish(ctx).await);
    memory.conversation.close_segment()?;
    memory.past = log.own();
    memory.names = watch.names();
    match ctx.roll_over(Json::of(memory)?).await? {}
}

/// The reply in the place of what a guardrail does not let pass.
pub(crate) fn held_back(ctx: &Ctx, mut memory: Memory, log: &Log, watch: &Watch, blocked: Blocked) -> Reply {
    memory.judged(watch);
    let reply = reply(ctx, blocked.why.clone(), memory, log, Stop::Blocked, None);
    Reply { blocked: Some(blocked), ..reply }
}

pub(crate) fn reply(
    ctx: &Ctx,
    text: String,
    memory: Memory,
    log: &Log,
    stop: Stop,
    data: Option<serde_json::Value>,
) -> Reply {
    let tally = memory.tally;
    let active = tally.active(ctx.active());
    let condition = memory.enough.filter(|_| stop == Stop::Enough).unwrap_or_else(|| stop.describe());
    let ending = Ending { condition, figures: Figures::of(&tally, active), open: memory.open };
    Reply {
        version: Reply::VERSION,
        text,
        data,
        stop,
        usage: tally.usage,
        cost: tally.known_cost(),
        turns: tally.turns,
        active_ms: u64::try_from(active.as_millis()).unwrap_or(u64::MAX),
        title: memory.title,
        rest: memory.conversation.rest().to_vec(),
        past: log.reported(),
        blocked: None,
        ending: Some(ending),
        handed_to: None,
        handing: None,
        lessons: Vec::new(),
        label: Some(memory.conversation.transcript().label().clone()),
    }
}
