//! The choke point: every tool call of every agent goes through [`act`].

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_core::error::Audience;
use adjutant_core::event::EventKind;
use adjutant_core::hash::Digest;
use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::message::{Message, ToolCall};
use adjutant_core::time::Timestamp;
use adjutant_core::tool::SEARCH_TOOLS;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Ctx, Effects, work};
use adjutant_policy::facts::Action;
use adjutant_policy::{Outcome, Request, Verdict};
use adjutant_tool::Output;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::answer::Answer;
use crate::approval::{self, Answered, Edited};
use crate::definition::{Condition, Extraction};
use crate::delegation;
use crate::flow::Knowledge;
use crate::guard::{self, Watch};
use crate::handoff;
use crate::hands::Hand;
use crate::memory::Memory;
use crate::pending;
use crate::permitted::Permitted;
use crate::purse::Purse;
use crate::returned::{Called, Returned};
use crate::routine::{Around, Routine, Scene};
use crate::rules::{self, Considered, Log, Place, Queue, Ruling};
use crate::runtime::Runtime;
use crate::search;

/// The name of the steps that stand for a call that was not made.
pub(crate) const REFUSE: &str = "refuse";

/// The name of the steps that stand for a call that a person answered in the tool's place.
pub(crate) const INSTEAD: &str = "instead";

/// Marks runs in which calls that wait for a person keep no others from being made.
const APART: &str = "waits-apart";

/// Marks runs in which a request for approval names no policies where none asks. Older ones named those that permit.
const ASKING: &str = "policies-that-ask";

/// Marks runs in which guardrails look at the arguments that people write, as they do at those of the model.
const EDITS: &str = "edits-guarded";

/// How many calls of one answer are made; a model that wants more has lost its way.
const MOST_CALLS: usize = 128;

/// What came of one call.
struct Deed {
    step: StepKey,
    message: Message,
    /// Tells this call with this result from others.
    digest: Digest,
    failed: bool,
    idle: bool,
    /// Whether its work was steps of the run.
    within: bool,
    /// What it names of the tools that the model is to be shown.
    named: Vec<String>,
}

/// Makes the calls of an answer, several at a time, and takes their results into the conversation in the order of
/// the calls. Each call has exactly one result. Returns whether there were any.
pub(crate) async fn act(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    watch: &Watch,
    answer: &Answer,
) -> Result<bool> {
    let Some(message) = answer.message() else { return Ok(false) };
    let is_last_turn = memory.tried.last_turn.is_some();
    let asks = |call: &&ToolCall| {
        (call.name == Extraction::TOOL && agent.definition.extraction.is_some())
            || agent.definition.agents.iter().any(|asked| asked.definition.name == call.name)
    };
    let purse = Purse::new(&agent.definition.limits, &memory.tally, message.calls().filter(asks).count());
    let parallel = agent.definition.limits.parallel.max(1) as usize;
    let slots = Semaphore::new(parallel);
    let slots = Some(&slots);
    let around = Around {
        conversation: &memory.conversation,
        purse: &purse,
        whole: false,
        log,
        slots,
        watch,
        program: None,
        by_hand: None,
        idle: None,
    };
    let (before, began) = (step.asked(), step.now());
    let queue = Queue::default();
    let reach = |call: &ToolCall| rules::reach(&agent.definition, agent.policies.as_deref(), &call.name);
    let places = queue.join(message.calls().map(reach));
    // Older runs made no call before one in front of it was over, with the time that a person took.
    let apart = places.len() <= parallel || step.version(APART).await?;
    let at_a_time = if apart { places.len().max(1) } else { parallel };
    let hands_over = |call: &ToolCall| handoff::hands_over(&agent.definition, &call.name);
    let first = message.calls().position(hands_over);
    let bar_handoff = |index: usize, call: &ToolCall| {
        let barred = hands_over(call) && first != Some(index);
        barred.then(|| "an answer hands the conversation over once".to_owned())
    };
    // Collected before they run: their scopes are numbered in the order of the calls. All of them come to an end,
    // also when one stops the run, so that none is left in the middle.
    let calls = message.calls().zip(places).enumerate();
    let calls: Vec<_> = calls
        .map(|(index, (call, place))| {
            let barred = bar(is_last_turn, index).or_else(|| bar_handoff(index, call));
            perform(step.scope("call"), agent, call, barred, place, around)
        })
        .collect();
    let deeds: Vec<Result<Deed>> = futures::stream::iter(calls).buffered(at_a_time).collect().await;
    let deeds: Vec<Deed> = deeds.into_iter().collect::<Result<_>>()?;

    let ends = agent.definition.stop.as_ref().map(Condition::tools).unwrap_or_default();
    for name in deeds
        .iter()
        .filter(|deed| !deed.failed)
        .flat_map(|deed| deed.message.results())
        .map(|result| &result.name)
    {
        if ends.contains(&name.as_str()) && !memory.tally.called.contains(name) {
            memory.tally.called.push(name.clone());
        }
    }
    if is_last_turn {
        let names = message.calls().map(|call| format!("`{}` was still to be called", call.name));
        memory.open.extend(names);
    }
    memory.handing = deeds.iter().find_map(|deed| handoff::made(&agent.definition, &deed.message));
    let counted: Vec<_> = deeds.iter().map(|deed| (deed.digest, deed.failed)).collect();
    delegation::settle_given_up(step, agent, &purse, log).await?;
    let spent = purse.spent();
    memory.tally.asked(&spent);
    memory.tally.beside(spent.beside, step.now().since(began));
    memory.tally.idle |= deeds.iter().any(|deed| deed.idle);
    memory.tally.calls(&counted, agent.definition.limits.repeats);
    let counts = agent.policies.is_some() || deeds.iter().any(|deed| deed.within);
    let made = if counts { step.asked() - before } else { deeds.len() as u64 };
    memory.recorded += u32::try_from(made).unwrap_or(u32::MAX);
    for deed in deeds {
        memory.conversation.result(deed.step, deed.message);
        let joining = search::joining(&agent.definition, &memory.found, deed.named);
        memory.conversation.grow(agent.weight(&joining));
        memory.found.extend(joining);
    }
    Ok(!counted.is_empty())
}

/// Why the call at this place of an answer may not be made, whatever it is.
fn bar(is_last_turn: bool, place: usize) -> Option<String> {
    match (is_last_turn, place >= MOST_CALLS) {
        (true, _) => Some("tools are no longer available: a limit of the run is reached".to_owned()),
        (_, true) => Some(format!("an answer may make {MOST_CALLS} calls at most")),
        _ => None,
    }
}

/// A call that may be made, and how.
enum Admitted {
    /// As work outside, in one step.
    Effect(Permitted),
    /// As part of the run.
    Routine(Arc<dyn Routine>, Called),
    /// Not at all: a person has answered in its place.
    Instead(Called, Output),
}

/// Makes one call, or refuses it.
async fn perform(
    ctx: Ctx,
    agent: &Arc<Runtime>,
    call: &ToolCall,
    barred: Option<String>,
    place: Place<'_>,
    around: Around<'_>,
) -> Result<Deed> {
    let (called, step, returned) = settle(ctx, agent, call, barred, Some(place), around).await?;
    let within = matches!(agent.tools.get(&called.name), Some(Hand::Routine(_)));
    Ok(Deed { within, ..deed(step, &called, &returned) })
}

/// Makes one call in a scope of its own, or refuses it, for what stands between the model and the choke point.
pub(crate) async fn call(
    ctx: Ctx,
    agent: &Arc<Runtime>,
    call: &ToolCall,
    place: Option<Place<'_>>,
    around: Around<'_>,
) -> Result<Returned> {
    settle(ctx, agent, call, None, place, around).await.map(|(_, _, returned)| returned)
}

/// Makes one call of a person who has taken the run, in a scope of its own: through the choke point, as the agent's own.
/// Gives the step that has recorded it, and the message with its result.
pub(crate) async fn by_hand(
    ctx: Ctx,
    agent: &Arc<Runtime>,
    call: &ToolCall,
    around: Around<'_>,
) -> Result<(StepKey, Message)> {
    let (called, step, returned) = settle(ctx, agent, call, None, None, around).await?;
    let message = returned.message(step.clone(), &called);
    Ok((step, message))
}

/// What came of one call, and the step that has recorded it.
async fn settle(
    ctx: Ctx,
    agent: &Arc<Runtime>,
    call: &ToolCall,
    barred: Option<String>,
    place: Option<Place<'_>>,
    around: Around<'_>,
) -> Result<(Called, StepKey, Returned)> {
    let admitted = admit(&ctx, agent, call, barred, place.as_ref(), around).await?;
    // Taken only now: a call that waits for a person keeps no other from being made.
    let _slot = match around.slots {
        Some(slots) => slots.acquire().await.ok(),
        None => None,
    };
    let at = ctx.now();
    let made = admitted.is_ok();
    let counts = match &admitted {
        Ok(Admitted::Effect(Permitted { called, .. }) | Admitted::Routine(_, called)) => Some(called.clone()),
        _ => None,
    };
    let mut under_way = UnderWay { log: around.log, called: counts, at };
    let (called, step, returned) = match admitted {
        Ok(Admitted::Effect(permitted)) => pending::carry_out(&ctx, permitted, around.purse).await?,
        Ok(Admitted::Routine(routine, called)) => {
            ctx.emit(&EventKind::ToolCalled(call.clone()))?;
            let returned = routine.call(Scene::new(&ctx, agent, &called, around)).await?;
            let name = called.name.clone();
            record(&ctx, &name, 0, called, returned).await?
        }
        Ok(Admitted::Instead(called, output)) => {
            record(&ctx, INSTEAD, 0, called, Returned::Output(output)).await?
        }
        Err(error) => record(&ctx, REFUSE, 0, Called::raw(call), Returned::Failed(error)).await?,
    };
    if under_way.called.take().is_some() {
        around.log.made(&called, at, &returned);
    }
    match made {
        true => guard::result(&ctx, agent, (called, step, returned), around.conversation, around.watch).await,
        false => Ok((called, step, returned)),
    }
}

/// A call under way. Where nobody waits for it any more, as in a branch that was given up, it counts as made: it may have happened.
struct UnderWay<'a> {
    log: &'a Log,
    /// None once it is known what came of it.
    called: Option<Called>,
    at: Timestamp,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(called) = self.called.take() {
            let given_up = Returned::Failed(Error::new(Code::ToolTimeout, "the call was given up"));
            self.log.made(&called, self.at, &given_up);
        }
    }
}

/// Records what came of a call otherwise than by work outside. So many steps of this name stand before.
pub(crate) async fn record(
    ctx: &Ctx,
    name: &str,
    before: u32,
    called: Called,
    returned: Returned,
) -> Result<(Called, StepKey, Returned)> {
    let input = Json::of(&called)?;
    let done = work(move |_| std::future::ready(Json::of(&returned)));
    let recorded = ctx.effect(name, Effects::pure(), input, done).await?;
    Ok((called, ctx.path().join(name, before), Returned::read(&recorded)))
}

/// Decides whether a call may be made: the agent must have been given the tool, the arguments must fit, the policies must
/// permit it, and a person must agree where they or the agent's definition ask for that. `barred` says why none may be
/// made at all. The inner error is for the model, the outer one stops the run.
async fn admit(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    call: &ToolCall,
    barred: Option<String>,
    place: Option<&Place<'_>>,
    around: Around<'_>,
) -> Result<Result<Admitted>> {
    if let Some(why) = barred {
        return Ok(Err(Error::new(Code::ToolDenied, why)));
    }
    let (hand, called) = match check(agent, call, around.watch) {
        Ok(checked) => checked,
        Err(error) => return Ok(Err(error)),
    };
    let mut called = match guarded(ctx, agent, called, around).await? {
        Ok(called) => called,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(place) = place {
        place.turn().await;
    }
    let considered = considered(agent, &called, around);
    let ruling = judge(ctx, agent, &hand, &considered, around).await?;
    if let Some(place) = place {
        place.decided();
    }
    let verdict = ruling.as_ref().map(|ruling| &ruling.verdict);
    let asks = match verdict {
        Some(verdict) if verdict.outcome == Outcome::Deny => return Ok(Err(rules::denied(verdict))),
        Some(verdict) if verdict.outcome == Outcome::Ask => Some(verdict.reason.as_str()),
        _ => None,
    };
    if let Some(masked) = ruling.as_ref().and_then(|ruling| ruling.masked.clone()) {
        called.arguments = Value::Object(masked);
    }
    let by_definition = agent.definition.asks_before(&called.name);
    let asks = asks.or_else(|| by_definition.then_some("the agent's definition asks for it"));
    let approved = match asks {
        Some(why) => {
            if let Some(place) = place {
                place.all_decided().await;
            }
            let unknown = BTreeMap::new();
            let named = match verdict {
                Some(verdict) if verdict.outcome == Outcome::Ask => verdict.policies.as_slice(),
                Some(verdict) if !verdict.policies.is_empty() && !ctx.version(ASKING).await? => {
                    verdict.policies.as_slice()
                }
                _ => &[],
            };
            let asked = approval::Asked {
                called: &called,
                why,
                policies: named,
                origins: ruling.as_ref().map_or(&unknown, |ruling| &ruling.request.origins),
                read: around.conversation.transcript().label(),
                each_time: false,
            };
            match approval::ask(ctx, agent, &asked).await? {
                Answered::Approved(reason) => {
                    match agreed(ctx, agent, &hand, called, around).await? {
                        Ok(agreed) => called = agreed,
                        Err(denying) => return Ok(Err(rules::denied(&denying))),
                    }
                    Some(reason)
                }
                Answered::Edited(edited) => match edit(ctx, agent, &hand, &called, &edited, around).await? {
                    Ok(changed) => {
                        called = changed;
                        Some(edited.reason)
                    }
                    Err(error) => return Ok(Err(error)),
                },
                Answered::Instead(output) => return Ok(Ok(Admitted::Instead(called, output))),
                Answered::Denied(denied) => return Ok(Err(denied)),
            }
        }
        None => None,
    };
    Ok(Ok(match hand {
        Hand::Tool(tool) => {
            let allowed = || match &verdict {
                Some(verdict) => json!({ "allowed_by": "policies", "policies": verdict.policies }).into(),
                None => json!({ "allowed_by": "definition" }).into(),
            };
            let considered =
                Considered { approved: approved.is_some(), ..self::considered(agent, &called, around) };
            let request = Arc::new(attempted(ctx, agent, considered, ruling.as_ref(), around));
            let decision = approved.or_else(|| (!tool.spec().effect.is_repeatable()).then(allowed));
            Admitted::Effect(Permitted {
                agent: Arc::clone(agent),
                tool,
                called,
                decision,
                effect: None,
                whole: around.whole,
                idle: around.idle,
                request,
            })
        }
        Hand::Routine(routine) => Admitted::Routine(routine, called),
    }))
}

/// What the policies say of a call, and of what it reads: of two the stricter. None where there are no policies.
async fn judge(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    hand: &Hand,
    considered: &Considered,
    around: Around<'_>,
) -> Result<Option<Ruling>> {
    let known = Knowledge::of(around.conversation, around.program);
    let decide = |considered| rules::decide(ctx, agent, considered, known.clone(), around.log);
    let Some(ruling) = decide(considered.clone()).await? else { return Ok(None) };
    let arguments = ruling.masked.as_ref().unwrap_or(&considered.arguments).clone();
    let read = match hand {
        Hand::Tool(tool) => tool.reads(&Value::Object(arguments.clone())),
        Hand::Routine(_) => None,
    };
    let Some((server, uri)) = read else { return Ok(Some(ruling)) };
    let resource = Considered { action: Action::Resource { server, uri }, arguments, ..considered.clone() };
    Ok(Some(match decide(resource).await? {
        Some(of_resource) => Ruling {
            verdict: ruling.verdict.stricter(of_resource.verdict),
            masked: of_resource.masked.or(ruling.masked),
            ..ruling
        },
        None => ruling,
    }))
}

/// A call as the policies are asked about it.
fn considered(agent: &Runtime, called: &Called, around: Around<'_>) -> Considered {
    Considered {
        action: rules::action(&agent.definition, &called.name),
        arguments: called.arguments.as_object().cloned().unwrap_or_default(),
        approved: false,
        written_by: called.edited.clone().or_else(|| around.by_hand.map(str::to_owned)),
    }
}

/// Checks a call against the definition and the tool's schema.
fn check(agent: &Runtime, call: &ToolCall, watch: &Watch) -> Result<(Hand, Called)> {
    let given = agent.definition.tool(&call.name).and_then(|spec| agent.tools.get(&spec.name));
    let hand = given.ok_or_else(|| unknown(agent, &call.name))?;
    // What is part of the run, as another agent is, needs to know no more than the model does.
    let restored = matches!(hand, Hand::Tool(_)).then(|| guard::restored(call, watch));
    let call = restored.as_ref().unwrap_or(call);
    let arguments = agent.tools.arguments(&call.name, &call.arguments)?;
    let called =
        Called { call: call.id.clone(), name: call.name.clone(), arguments, resumed: None, edited: None };
    Ok((hand, called))
}

/// What is known of a call when it is about to be made, for those who may forbid it by then: what was known when it was
/// decided, and what has become of it since.
fn attempted(
    ctx: &Ctx,
    agent: &Runtime,
    considered: Considered,
    ruling: Option<&Ruling>,
    around: Around<'_>,
) -> Request {
    match ruling {
        Some(ruling) => {
            let mut request = Request {
                arguments: considered.arguments,
                approved: considered.approved,
                session: around.log.session(),
                ..ruling.request.clone()
            };
            if let Some(by) = &considered.written_by {
                rules::vouch(&mut request, by);
            }
            request
        }
        None => {
            let label = Knowledge::of(around.conversation, around.program).label();
            let request = rules::request(ctx, agent, &considered, &label);
            Request { session: around.log.session(), ..request }
        }
    }
}

/// A call that a person has agreed to, decided again now that they have: a person can agree to what asks, and not to what is
/// forbidden by then, and what is to be masked is masked whoever agrees. The inner error denies it.
async fn agreed(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    hand: &Hand,
    called: Called,
    around: Around<'_>,
) -> Result<Result<Called, Verdict>> {
    let considered = Considered { approved: true, ..considered(agent, &called, around) };
    Ok(match judge(ctx, agent, hand, &considered, around).await? {
        Some(ruling) if ruling.verdict.outcome == Outcome::Deny => Err(ruling.verdict),
        Some(Ruling { masked: Some(masked), .. }) => {
            Ok(Called { arguments: Value::Object(masked), ..called })
        }
        _ => Ok(called),
    })
}

/// The call as a person has changed it. It is checked as any other, and decided again.
async fn edit(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    hand: &Hand,
    called: &Called,
    edited: &Edited,
    around: Around<'_>,
) -> Result<Result<Called>> {
    let refused = |why: String| {
        let message = format!("{} changed the call, and {why}", edited.by);
        Err(Error::new(Code::ToolDenied, message).with_help("make the call again, or find another way"))
    };
    let arguments = match agent.tools.arguments(&called.name, &edited.arguments.to_string()) {
        Ok(arguments) => arguments,
        Err(error) => return Ok(refused(format!("it does not fit: {error}"))),
    };
    let mut changed = Called { arguments, edited: Some(edited.by.clone()), ..called.clone() };
    if guard::looks_at_arguments(agent, &changed.name) && ctx.version(EDITS).await? {
        changed = match guarded(ctx, agent, changed, around).await? {
            Ok(left) => left,
            Err(error) => return Ok(refused(error.message().to_owned())),
        };
    }
    Ok(match agreed(ctx, agent, hand, changed, around).await? {
        Ok(agreed) => Ok(agreed),
        Err(denying) => refused(format!("the policies deny that: {}", rules::why(&denying))),
    })
}

/// A call with its arguments as guardrails leave them; they must fit still. The inner error is for the model.
async fn guarded(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    called: Called,
    around: Around<'_>,
) -> Result<Result<Called>> {
    let left = guard::arguments(ctx, agent, &called, around.conversation, around.watch).await?;
    Ok(left.and_then(|arguments| match arguments == called.arguments {
        true => Ok(called),
        false => {
            let arguments = agent.tools.arguments(&called.name, &arguments.to_string())?;
            Ok(Called { arguments, ..called })
        }
    }))
}

fn unknown(agent: &Runtime, name: &str) -> Error {
    const MOST_NAMED: usize = 50;
    let shown: String = name.chars().take(100).collect();
    let tools = &agent.definition.tools;
    let names: Vec<_> = tools.iter().take(MOST_NAMED).map(|tool| format!("`{}`", tool.name)).collect();
    let help = match names.is_empty() {
        true => "you have no tools; answer without them".to_owned(),
        false if agent.definition.tool_search.is_some() => {
            format!("find the right one with `{SEARCH_TOOLS}`")
        }
        false => format!("your tools are {}", names.join(", ")),
    };
    Error::new(Code::ToolUnknown, format!("you have no tool `{shown}`")).with_help(help)
}

/// What the model hears of the outcome of a call's step; an error stops the run.
pub(crate) fn heard(outcome: Result<Json>) -> Result<Returned> {
    match outcome {
        Ok(recorded) => Ok(Returned::read(&recorded)),
        Err(error) if error.code().audience() == Audience::Model => Ok(Returned::Failed(error)),
        Err(error) => Err(error),
    }
}

fn deed(step: StepKey, called: &Called, returned: &Returned) -> Deed {
    let message = returned.message(step.clone(), called);
    let result: String = message.results().map(adjutant_core::message::ToolResult::as_text).collect();
    let arguments = Json::from(called.arguments.clone());
    let digest =
        Digest::of_parts(&[called.name.as_bytes(), arguments.as_str().as_bytes(), result.as_bytes()]);
    Deed {
        step,
        message,
        digest,
        failed: returned.is_error(),
        idle: matches!(returned, Returned::Idle(_)),
        within: false,
        named: search::named(&called.name, returned),
    }
}
