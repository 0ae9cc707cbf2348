//! Orchestrates as somebody wrote it in a plan.

use std::collections::BTreeMap;

use adjutant_agent::workflow::{Item, Stage};
use adjutant_core::Result;
use serde_json::{Map, Value};

use super::values::Values;
use crate::pattern::{self, Ledger, Orchestrated, Proposal, Task};
use crate::plan::Orchestrating;

/// Has a planner and workers reach a goal; what they make is what is made of their results in the end.
pub(super) async fn orchestrate(
    stage: &Stage,
    orchestrating: &Orchestrating,
    values: &Values,
) -> Result<Item> {
    let goal = &values.evaluate(stage, &orchestrating.goal).await?;
    let plan = |stage: Stage, so_far: Orchestrated, mistake: Option<String>| async move {
        let task = to_plan(&stage, orchestrating, goal, &so_far.ledger, mistake.as_deref());
        let known: Vec<&Item> = so_far.results.values().chain([goal]).collect();
        let task = Item::made_of(task, known.iter().copied());
        Proposal::read(&stage.apart("ask", known).ask(&orchestrating.planner, &task).await?)
    };
    let work = |stage: Stage, task: Task, said: Item, needed: BTreeMap<String, Item>| async move {
        let mut text = said.text();
        for (id, result) in &needed {
            text.push_str(&format!("\n\nThe result of `{id}`:\n{}", result.text()));
        }
        let known: Vec<&Item> = needed.values().chain([&said, goal]).collect();
        let asked = Item::made_of(text, known.iter().copied());
        stage.apart("ask", known).ask(&task.worker, &asked).await
    };
    let made = pattern::orchestrate(stage, orchestrating.orders, &orchestrating.workers, plan, work).await?;
    let results = made.results.iter().map(|(id, item)| (id.clone(), item.value.clone()));
    let table = Item::made_of(Value::Object(results.collect::<Map<_, _>>()), made.results.values());
    let Some(synthesis) = &orchestrating.synthesis else { return Ok(table) };
    let mut text = format!("The goal:\n{}", goal.text());
    for (id, result) in &made.results {
        text.push_str(&format!("\n\nThe result of `{id}`:\n{}", result.text()));
    }
    for failed in &made.ledger.failed {
        text.push_str(&format!("\n\nNot done: {}, as {}", failed.task.task, failed.error));
    }
    for open in &made.ledger.to_find_out {
        text.push_str(&format!("\n\nNot known: {open}"));
    }
    let asked = Item::made_of(text, [goal, &table]);
    stage.apart("synthesis", [&asked]).ask(synthesis, &asked).await
}

/// What the planner is told.
fn to_plan(
    stage: &Stage,
    orchestrating: &Orchestrating,
    goal: &Item,
    ledger: &Ledger,
    mistake: Option<&str>,
) -> String {
    let mut text = format!("The goal:\n{}\n\nThe workers:", goal.text());
    for worker in &orchestrating.workers {
        let agents = stage.definition().agents.iter();
        let known = agents.map(|agent| &agent.definition).find(|definition| definition.name == *worker);
        let description = known.map(|definition| definition.description.as_str()).unwrap_or_default();
        text.push_str(&format!("\n- {worker}: {description}"));
    }
    if *ledger != Ledger::default() {
        let ledger = serde_json::to_string_pretty(ledger).unwrap_or_default();
        text.push_str(&format!("\n\nHow far it has come:\n{ledger}"));
    }
    if let Some(mistake) = mistake {
        text.push_str(&format!("\n\nYour last plan cannot be carried out: {mistake}. Make another."));
    }
    text
}
