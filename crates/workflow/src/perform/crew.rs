//! Has a crew do its tasks, as somebody wrote it in a plan.

use std::collections::BTreeMap;

use adjutant_agent::workflow::{Item, Stage};
use adjutant_core::{Code, Error, Result};
use serde_json::Value;

use super::gate;
use super::step::{instead, whole};
use super::values::Values;
use crate::fit::fits;
use crate::pattern::{Piece, due};
use crate::plan::{Assignment, Crewed, Manager, Member};

/// What is to be said of the result of a task.
enum Verdict {
    /// It will do.
    Passes,
    /// Something else takes its place.
    Replaced(Item),
    /// It goes back, for this reason.
    Back(Item),
}

/// Has the members do the tasks, each as soon as those are done that it needs.
pub(super) async fn crew(stage: &Stage, crewed: &Crewed, values: &Values) -> Result<Item> {
    let needs = crewed.tasks.iter().map(|task| task.needs().map(str::to_owned).collect());
    let needs: Vec<Vec<String>> = needs.collect();
    let pieces: Vec<_> =
        crewed.tasks.iter().zip(&needs).map(|(task, needs)| Piece { id: &task.id, needs }).collect();
    let work = |index: usize, stage, needed| async move {
        match crewed.tasks.get(index) {
            Some(task) => {
                done(stage, crewed, task, values, needed).await.map_err(|error| of_task(task, &error))
            }
            None => Err(Error::new(Code::Internal, "there is no such task")),
        }
    };
    let mut results = BTreeMap::new();
    let ended = |_, made: &Result<Item>| made.as_ref().map(drop).map_err(Error::clone);
    due(stage, crewed.at_a_time, &pieces, &mut results, work, ended).await?;
    let last = crewed.tasks.last().and_then(|task| results.get(&task.id)).cloned().unwrap_or_default();
    let Some(output) = &crewed.output else { return Ok(last) };
    let mut values = values.clone();
    results.into_iter().for_each(|(id, result)| values.set(&id, result));
    values.evaluate(stage, output).await
}

/// The error of a task, with its name.
fn of_task(task: &Assignment, error: &Error) -> Error {
    if !adjutant_agent::workflow::is_failure(error) {
        return error.clone();
    }
    let named = Error::new(error.code(), format!("the task `{}`: {}", task.id, error.message()));
    match error.help() {
        Some(help) => named.with_help(help),
        None => named,
    }
}

/// Has a member do a task, until its result will do or it was done as often as it may be.
async fn done(
    stage: Stage,
    crewed: &Crewed,
    task: &Assignment,
    values: &Values,
    needed: BTreeMap<String, Item>,
) -> Result<Item> {
    let said = to_do(&stage, task, values, &needed)?;
    let (name, chosen) = match (&task.by, &crewed.manager) {
        (Some(by), _) => (by.clone(), Item::default()),
        (None, Some(manager)) => assigned(&stage, crewed, manager, &said).await?,
        (None, None) => {
            return Err(Error::new(Code::ToolFailed, "nobody says which member does it"));
        }
    };
    let Some(member) = crewed.members.get(&name) else {
        return Err(Error::new(Code::ToolFailed, format!("the crew has no member `{name}`")));
    };
    // Who says which member does it has a say in what comes of it, and so has who sends it back.
    let mut decided_by = chosen;
    let mut asked = said.clone();
    for round in 1..=crewed.rounds.max(1) {
        let stage = stage.scope("round").under([&decided_by]);
        let result = worked(&stage, task, (&name, member), &asked).await?;
        let result = typed(task, result);
        match looked_at(&stage, crewed, task, &said, &result, values).await? {
            Verdict::Passes => return Ok(result.influenced_by([&decided_by])),
            Verdict::Replaced(instead) => return Ok(instead.influenced_by([&decided_by])),
            Verdict::Back(why) if round == crewed.rounds.max(1) => {
                stage.failed_for(&why);
                let message = format!("its result will not do, after {round} rounds: {}", why.text());
                return Err(Error::new(Code::ToolFailed, message));
            }
            Verdict::Back(why) => {
                let again = format!(
                    "{}\n\nWhat you have made:\n{}\n\nIt was sent back: {}\nMake it better.",
                    said.text(),
                    result.text(),
                    why.text()
                );
                asked = Item::made_of(again, [&said, &result, &why]);
                decided_by = decided_by.influenced_by([&result, &why]);
            }
        }
    }
    Err(Error::new(Code::Internal, "a task without rounds"))
}

/// What whoever does a task is told of it.
fn to_do(stage: &Stage, task: &Assignment, values: &Values, needed: &BTreeMap<String, Item>) -> Result<Item> {
    let description = values.fill(stage, &task.description)?;
    let mut text = description.text();
    let mut parts = vec![description];
    if let Some(expected) = &task.expected {
        let expected = values.fill(stage, expected)?;
        text.push_str(&format!("\n\nWhat is expected:\n{}", expected.text()));
        parts.push(expected);
    }
    for (id, result) in task.context.iter().filter_map(|id| Some((id, needed.get(id)?))) {
        text.push_str(&format!("\n\nThe result of `{id}`:\n{}", result.text()));
        parts.push(result.clone());
    }
    Ok(Item::made_of(text, &parts))
}

/// The member that the manager names.
async fn assigned(stage: &Stage, crewed: &Crewed, manager: &Manager, said: &Item) -> Result<(String, Item)> {
    let mut text = "The members:".to_owned();
    for (name, member) in &crewed.members {
        text.push_str(&format!("\n- {name}: {}", member.about));
    }
    let text = said.part(format!("{text}\n\nThe task:\n{}", said.text()));
    let choice = stage.apart("assign", [said]).ask(&manager.assigns, &text).await?;
    let name = choice.value.get("member").and_then(Value::as_str).unwrap_or_default();
    Ok((name.to_owned(), choice.influenced_by([said])))
}

/// What a member makes of a task.
async fn worked(
    stage: &Stage,
    task: &Assignment,
    (name, member): (&str, &Member),
    asked: &Item,
) -> Result<Item> {
    let mut text = asked.text();
    if !member.persona.is_empty() {
        text = format!("{}\n\n{text}", member.persona);
    }
    let agent = task.typed.get(name);
    if let (Some(schema), None) = (&task.output, agent) {
        text.push_str(&format!("\n\nAnswer with JSON that fits this schema, and nothing else:\n{schema}"));
    }
    let stage = stage.apart("ask", [asked]);
    stage.ask(agent.unwrap_or(&member.agent), asked.part(text)).await
}

/// A result as data, where the task wants data and a text holds it.
fn typed(task: &Assignment, result: Item) -> Item {
    let (Some(schema), Some(text)) = (&task.output, result.value.as_str()) else { return result };
    if fits(schema, &result.value).is_ok() {
        return result;
    }
    let text = text.trim();
    let fenced = text.strip_prefix("```json").or_else(|| text.strip_prefix("```"));
    let bare = fenced.and_then(|rest| rest.strip_suffix("```")).unwrap_or(text);
    match serde_json::from_str::<Value>(bare) {
        Ok(value) => result.part(value),
        Err(_) => result,
    }
}

/// Holds a result against the form of its task, its gate, and what the manager says.
async fn looked_at(
    stage: &Stage,
    crewed: &Crewed,
    task: &Assignment,
    said: &Item,
    result: &Item,
    values: &Values,
) -> Result<Verdict> {
    if let Some(schema) = &task.output
        && let Err(why) = fits(schema, &result.value)
    {
        return Ok(Verdict::Back(result.part(format!("it does not fit the schema: {why}"))));
    }
    if let Some(gate) = &task.gate
        && let Some(why) = gate::shut(stage, gate, result, values).await?
    {
        return Ok(match &gate.otherwise {
            Some(shut) => Verdict::Replaced(whole(instead(stage, shut, (result, &why), values).await?)?),
            None => Verdict::Back(why),
        });
    }
    let Some(manager) = &crewed.manager else { return Ok(Verdict::Passes) };
    let text = format!("The task:\n{}\n\nThe result:\n{}", said.text(), result.text());
    let text = Item::made_of(text, [said, result]);
    let verdict = stage.apart("review", [&text]).ask(&manager.reviews, &text).await?;
    let reason = verdict.value.get("reason").and_then(Value::as_str).unwrap_or_default();
    match verdict.value.get("passes").and_then(Value::as_bool) {
        Some(true) => Ok(Verdict::Passes),
        Some(false) => {
            Ok(Verdict::Back(Item::made_of(format!("the manager says: {reason}"), [&text, &verdict])))
        }
        None => Err(Error::new(Code::ToolFailed, "the manager has not said whether the result will do")),
    }
}
