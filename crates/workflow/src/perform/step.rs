//! Does the steps of a plan.

use std::collections::BTreeMap;
use std::time::Duration;

use adjutant_agent::workflow::{Item, Stage, is_failure};
use adjutant_core::{Code, Error, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::chat;
use super::crew;
use super::events;
use super::gate;
use super::graph::{self, Root};
use super::orchestrate;
use super::values::Values;
use crate::deep::Deep;
use crate::pattern::{self, Choice, Join, Opinion, attempt, majority, parallel};
use crate::plan::{Argument, Branches, Kind, Mapped, Otherwise, Refining, Routing, Shut, Step};

/// What a step comes to.
pub(super) enum Flow {
    /// It has made something, and the next one follows.
    Made(Item),
    /// The workflow is over, with this.
    Ended(Item),
}

impl Flow {
    /// The same with something else made.
    fn map(self, function: impl FnOnce(Item) -> Item) -> Self {
        match self {
            Self::Made(item) => Self::Made(function(item)),
            Self::Ended(item) => Self::Ended(function(item)),
        }
    }
}

/// Does steps one after the other. What they make goes into `values`; the last one's is what they make together.
pub(super) fn sequence<'a>(
    stage: &'a Stage,
    steps: &'a [Step],
    values: &'a mut Values,
) -> BoxFuture<'a, Result<Flow>> {
    let work = async move {
        for step in steps {
            match one(stage, step, values, None).await? {
                Flow::Made(item) => values.made(&step.id, &item),
                ended @ Flow::Ended(_) => return Ok(ended),
            }
        }
        Ok(Flow::Made(values.last()))
    };
    Deep(work.boxed()).boxed()
}

/// Does one step: as often as it may be tried, until its result passes the gate.
pub(super) async fn one(
    stage: &Stage,
    step: &Step,
    values: &Values,
    root: Option<&Root<'_>>,
) -> Result<Flow> {
    let stage = stage.scope(&step.id);
    let Some(when) = &step.when else {
        return tried(&stage, step, values, root).await.map_err(|error| of_step(&step.id, error));
    };
    let (holds, decided_by) = values.decide(&stage, when).await?;
    if !holds {
        return Ok(Flow::Made(Item::made_of(Value::Null, [&decided_by])));
    }
    let made = tried(&stage.under([&decided_by]), step, values, root).await;
    Ok(made.map_err(|error| of_step(&step.id, error))?.map(|item| item.influenced_by([&decided_by])))
}

/// Does one step as often as it may be tried; where it fails all the same, its stand-in takes its place.
pub(super) async fn tried(
    stage: &Stage,
    step: &Step,
    values: &Values,
    root: Option<&Root<'_>>,
) -> Result<Flow> {
    // A time limit is open for as long as the step is.
    let root = root.filter(|_| step.attempts.longest_ms.is_none() && step.cache.is_none());
    // On the heap, since it stands in either branch.
    let attempts = attempt(stage, step.attempts, |stage| passing(stage, step, values, root)).boxed();
    let tried = match &step.cache {
        None => attempts.await,
        Some(cache) => {
            let seen = match &cache.key {
                Some(key) => values.evaluate(stage, key).await?,
                None => values.table(),
            };
            let key = Item::made_of(json!({ "step": step, "seen": seen.value }), [&seen, &values.table()]);
            let longest = Duration::from_millis(cache.longest_ms);
            // What ends the workflow early is no result of the step alone.
            let (key, work) = (key, async { whole(attempts.await?) });
            stage.kept(&key, longest, work).boxed().await.map(Flow::Made)
        }
    };
    match (tried, &step.or_else) {
        (Err(error), Some(instead)) if is_failure(&error) => {
            let instead = values.evaluate(stage, instead).await?;
            Ok(Flow::Made(instead.influenced_by([&stage.failures()])))
        }
        (tried, _) => tried,
    }
}

/// Does one step once, and has its result pass the gate.
async fn passing(stage: Stage, step: &Step, values: &Values, root: Option<&Root<'_>>) -> Result<Flow> {
    let result = match kind(&stage, &step.kind, values, root).await? {
        Flow::Made(result) => result,
        ended @ Flow::Ended(_) => return Ok(ended),
    };
    let Some(gate) = &step.gate else { return Ok(Flow::Made(result)) };
    let Some(why) = gate::shut(&stage, gate, &result, values).await? else { return Ok(Flow::Made(result)) };
    match &gate.otherwise {
        Some(shut) => instead(&stage, shut, (&result, &why), values).await,
        None => {
            stage.failed_for(&why);
            let message = format!("its result did not pass the gate: {}", why.text());
            Err(Error::new(Code::ToolFailed, message))
        }
    }
}

/// What takes the place of a result that did not pass its gate, and why it did not.
pub(super) async fn instead(
    stage: &Stage,
    shut: &Shut,
    (result, why): (&Item, &Item),
    values: &Values,
) -> Result<Flow> {
    let stage = stage.under([why]);
    let mut values = values.with("result", result.clone());
    let made = match shut {
        Shut::End(with) => Flow::Ended(values.evaluate(&stage, with).await?),
        Shut::Steps(steps) => sequence(&stage.scope("otherwise"), steps, &mut values).await?,
    };
    Ok(made.map(|item| item.influenced_by([why])))
}

/// The error of a step, with its name.
fn of_step(id: &str, error: Error) -> Error {
    if !is_failure(&error) {
        return error;
    }
    let named = Error::new(error.code(), format!("{id}: {}", error.message()));
    match error.help() {
        Some(help) => named.with_help(help),
        None => named,
    }
}

/// Calls a tool. What its author has written is trusted, whatever stands beside it.
pub(super) async fn called(
    stage: &Stage,
    tool: &str,
    arguments: &BTreeMap<String, Argument>,
    values: &Values,
) -> Result<Item> {
    let constants = arguments.iter().filter(|(_, argument)| argument.names().is_empty());
    let constants = constants.map(|(name, _)| name);
    let (arguments, items) = values.fields(stage, arguments).await?;
    let constants = constants.filter_map(|name| arguments.get(name)).flat_map(texts).collect::<Vec<_>>();
    stage.apart("do", &items).authored(constants).call(tool, arguments).await
}

/// Does what a step says. Each kind has a future of its own on the heap: steps are nested deeply, and the stack is not.
fn kind<'a>(
    stage: &'a Stage,
    kind: &'a Kind,
    values: &'a Values,
    root: Option<&'a Root<'a>>,
) -> BoxFuture<'a, Result<Flow>> {
    match kind {
        Kind::Agent { agent, task, variables } => async move {
            let task = values.evaluate(stage, task).await?;
            let (variables, items) = values.fields(stage, variables).await?;
            let asked = stage.apart("ask", items.iter().chain([&task]));
            asked.ask_with(agent, &task, variables).await.map(Flow::Made)
        }
        .boxed(),
        Kind::Tool { tool, arguments } => {
            async move { called(stage, tool, arguments, values).await.map(Flow::Made) }.boxed()
        }
        Kind::Person { question, answer } => async move {
            let question = values.fill(stage, question)?;
            person(stage, &question.text(), answer).await.map(Flow::Made)
        }
        .boxed(),
        Kind::Value(argument) => {
            async move { values.evaluate(stage, argument).await.map(Flow::Made) }.boxed()
        }
        Kind::Sleep(millis) => async move {
            stage.ctx().sleep(std::time::Duration::from_millis(*millis)).await?;
            Ok(Flow::Made(values.last()))
        }
        .boxed(),
        Kind::Sequence(steps) => async move { sequence(stage, steps, &mut values.clone()).await }.boxed(),
        Kind::Parallel(branches) => in_parallel(stage, branches, values).boxed(),
        Kind::Map(mapped) => each(stage, mapped, values).boxed(),
        Kind::Route(routing) => route(stage, routing, values).boxed(),
        Kind::Refine(refining) => {
            async move { refine(stage, refining, values).await.map(Flow::Made) }.boxed()
        }
        Kind::Orchestrate(orchestrating) => {
            async move { orchestrate::orchestrate(stage, orchestrating, values).await.map(Flow::Made) }
                .boxed()
        }
        Kind::Crew(crewed) => async move { crew::crew(stage, crewed, values).await.map(Flow::Made) }.boxed(),
        Kind::Chat(chatting) => {
            async move { chat::chat(stage, chatting, values).await.map(Flow::Made) }.boxed()
        }
        Kind::Events(eventful) => {
            async move { events::events(stage, eventful, values).await.map(Flow::Made) }.boxed()
        }
        Kind::Graph(graphed) => {
            async move { graph::graph(stage, graphed, values, root).await.map(Flow::Made) }.boxed()
        }
    }
}

/// The texts in a value.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}

/// Asks a person. An answer of one field is that field.
pub(super) async fn person(stage: &Stage, question: &str, answer: &Value) -> Result<Item> {
    let Some(said) = stage.person(question, answer.clone()).await? else {
        return Err(Error::new(Code::ToolDenied, "the person did not want to answer"));
    };
    let only = match said.value.as_object() {
        Some(fields) if fields.len() == 1 => fields.values().next().cloned(),
        _ => None,
    };
    Ok(match only {
        Some(value) => said.part(value),
        None => said,
    })
}

async fn in_parallel(stage: &Stage, branches: &Branches, values: &Values) -> Result<Flow> {
    let work = branches.branches.iter().map(|(_, steps)| {
        let mut values = values.clone();
        move |stage: Stage| async move { sequence(&stage, steps, &mut values).await }
    });
    let made = parallel(stage, branches.fan, work).await?;
    let made = match together(made) {
        Ok(made) => made,
        Err(ended) => return Ok(Flow::Ended(*ended)),
    };
    if branches.vote || branches.fan.join == Join::Enough(1) {
        return Ok(Flow::Made(left_out(stage, &made, elected(&made))));
    }
    let names = branches.branches.iter().map(|(name, _)| name.clone());
    let table: Map<String, Value> = names
        .zip(&made)
        .map(|(name, item)| (name, item.as_ref().map_or(Value::Null, |item| item.value.clone())))
        .collect();
    Ok(Flow::Made(left_out(stage, &made, Item::made_of(Value::Object(table), made.iter().flatten()))))
}

async fn each(stage: &Stage, mapped: &Mapped, values: &Values) -> Result<Flow> {
    let over = values.evaluate(stage, &mapped.over).await?;
    let Value::Array(members) = &over.value else {
        stage.failed_for(&over);
        let message = format!("`map` needs a list, and got {}", shown(&over.value));
        return Err(Error::new(Code::ToolFailed, message));
    };
    // How many there are is a say in what is done with each.
    let stage = &stage.under([&over]);
    let work = members.iter().enumerate().map(|(index, member)| {
        let item = Item::made_of(member.clone(), [&over]);
        let mut values = values.with(&mapped.item, item.clone()).with("index", Item::new(index));
        values.set("last", item);
        move |stage: Stage| async move { sequence(&stage, &mapped.steps, &mut values).await }
    });
    let made = parallel(stage, mapped.fan, work).await?;
    let made = match together(made) {
        Ok(made) => made,
        Err(ended) => return Ok(Flow::Ended(*ended)),
    };
    if mapped.vote || mapped.fan.join == Join::Enough(1) {
        return Ok(Flow::Made(left_out(stage, &made, elected(&made))));
    }
    let list: Vec<Value> = made.iter().flatten().map(|item| item.value.clone()).collect();
    let list = Item::made_of(Value::Array(list), made.iter().flatten().chain([&over]));
    Ok(Flow::Made(left_out(stage, &made, list)))
}

/// The same, where some were left out: why they failed has a say in what is there.
fn left_out(stage: &Stage, made: &[Option<Item>], whole: Item) -> Item {
    match made.iter().all(Option::is_some) {
        true => whole,
        false => whole.influenced_by([&stage.failures()]),
    }
}

/// What branches have made; what the workflow ends with, where one has ended it.
fn together(made: Vec<Option<Flow>>) -> Result<Vec<Option<Item>>, Box<Item>> {
    let of_one = |flow| match flow {
        Some(Flow::Made(item)) => Ok(Some(item)),
        Some(Flow::Ended(item)) => Err(Box::new(item)),
        None => Ok(None),
    };
    made.into_iter().map(of_one).collect()
}

/// What most have made; all of them had a say in it.
fn elected(made: &[Option<Item>]) -> Item {
    let all: Vec<&Item> = made.iter().flatten().collect();
    let elected = majority(all.iter().map(|item| item.value.clone())).unwrap_or_default();
    match all.as_slice() {
        [only] => (*only).clone(),
        all => Item::made_of(elected, all.iter().copied()),
    }
}

async fn route(stage: &Stage, routing: &Routing, values: &Values) -> Result<Flow> {
    let subject = values.evaluate(stage, &routing.subject).await?;
    // Where it goes is decided by these.
    let conditions = routing.paths.iter().filter_map(|path| path.when.as_ref());
    let mut decided_by = values.named(conditions.flat_map(crate::expression::Expression::names));
    decided_by = decided_by.influenced_by([&subject]);
    let stage = &stage.under([&decided_by]);
    let path = |name: &str| routing.paths.iter().find(|path| path.name == name);
    let go = |stage: Stage, name: String| async move {
        let Some(path) = path(&name) else {
            return Err(Error::new(Code::ToolFailed, format!("there is no path `{name}`")));
        };
        sequence(&stage, &path.steps, &mut values.clone()).await
    };
    let otherwise = |stage: Stage, choice: Choice| {
        let (subject, decided_by) = (subject.clone(), decided_by.clone());
        async move {
            match &routing.otherwise {
                Otherwise::Fail => {
                    stage.failed_for(&decided_by);
                    Err(unsure(&choice, routing.confidence))
                }
                Otherwise::Steps(steps) => sequence(&stage, steps, &mut values.clone()).await,
                Otherwise::Ask => {
                    let names: Vec<_> = routing.paths.iter().map(|path| path.name.as_str()).collect();
                    let question = format!("Where does this belong?\n\n{}", subject.text());
                    let answer = json!({
                        "type": "object",
                        "properties": { "path": { "type": "string", "enum": names } },
                        "required": ["path"],
                    });
                    let chosen = person(&stage, &question, &answer).await?;
                    go(stage.scope("path"), chosen.text()).await
                }
            }
        }
    };
    let classify = |stage: Stage| classify(stage, routing, &subject, values);
    let made = pattern::route(stage, routing.confidence, classify, go, otherwise).await?;
    // What was classified has had a say in what was done.
    Ok(made.map(|item| item.influenced_by([&decided_by])))
}

async fn classify(stage: Stage, routing: &Routing, subject: &Item, values: &Values) -> Result<Choice> {
    if let Some(embedder) = &routing.embedding {
        let paths = routing.paths.iter().map(|path| {
            let described = || vec![path.description.clone()];
            let examples = if path.examples.is_empty() { described() } else { path.examples.clone() };
            (path.name.clone(), examples)
        });
        let stage = stage.apart("compare", [subject]);
        return pattern::by_examples(&stage, embedder, subject, &paths.collect::<Vec<_>>()).await;
    }
    let Some(classifier) = &routing.classifier else {
        for path in &routing.paths {
            if let Some(when) = &path.when
                && values.decide(&stage, when).await?.0
            {
                return Ok(Choice::certain(&path.name));
            }
        }
        return Ok(Choice::none());
    };
    let said = stage.apart("ask", [subject]).ask(classifier, subject).await?;
    let path = said.value.get("path").and_then(Value::as_str).map(str::to_owned);
    let confidence = said.value.get("confidence").and_then(Value::as_f64).unwrap_or_default();
    Ok(Choice { path, confidence })
}

fn unsure(choice: &Choice, least: f64) -> Error {
    let message = match &choice.path {
        Some(path) => format!(
            "it may belong to `{path}`, with a confidence of {:.2}; {least:.2} is wanted",
            choice.confidence
        ),
        None => "it belongs to none of the paths".to_owned(),
    };
    Error::new(Code::ToolFailed, message).with_help("give the route an `otherwise`")
}

async fn refine(stage: &Stage, refining: &Refining, values: &Values) -> Result<Item> {
    let nothing = Item::default();
    // Every review has a say in which draft is the best.
    let said = std::sync::Mutex::new(Item::default());
    let said = &said;
    let make = |stage: Stage, latest: Option<pattern::Reviewed<Item, Item>>| {
        let (draft, review) =
            latest.map_or((nothing.clone(), nothing.clone()), |latest| (latest.draft, latest.review));
        let mut values = values.with("draft", draft).with("review", review);
        async move { whole(sequence(&stage.scope("draft"), &refining.draft, &mut values).await?) }
    };
    // Where nobody scores them, a later draft is better.
    let mut drafts = 0.0;
    let judge = |stage: Stage, draft: Item| {
        drafts += 1.0;
        let later = drafts;
        let mut of_review = values.with("draft", draft.clone());
        of_review.set("last", draft.clone());
        async move {
            let review = whole(sequence(&stage.scope("review"), &refining.review, &mut of_review).await?)?;
            let seen = values.with("draft", draft).with("review", review.clone());
            {
                let mut said = said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *said = Item::made_of(Value::Null, [&*said, &review]);
            }
            let accepted = seen.decide(&stage, &refining.accept).await?.0;
            let score = match &refining.score {
                Some(score) => seen.number(&stage, score).await?,
                None => later,
            };
            Ok((review, Opinion { accepted, score }))
        }
    };
    let refined = pattern::refine(stage, refining.rounds, make, judge).await?;
    Ok(refined.best.draft.influenced_by([&*said.lock().unwrap_or_else(std::sync::PoisonError::into_inner)]))
}

/// What steps within a refinement or a graph have made: these cannot end the workflow.
pub(super) fn whole(flow: Flow) -> Result<Item> {
    match flow {
        Flow::Made(item) | Flow::Ended(item) => Ok(item),
    }
}

/// A value in an error.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    match text.chars().count() > LONGEST {
        true => format!("{}…", text.chars().take(LONGEST).collect::<String>()),
        false => text,
    }
}
