//! Plan-and-execute: a list of what is to be done, which is revised after each item.
//!
//! After Wang et al., *Plan-and-Solve Prompting* (2023).

use adjutant_agent::definition::Strategy;
use adjutant_agent::workflow::{Item, Stage, is_failure};
use adjutant_core::Result;
use serde_json::Value;

use super::Itself;

/// Something that was done.
struct Done {
    what: String,
    result: Item,
}

/// Makes a list, does its first item, revises the list, and so on until nothing is left or enough was done; then answers.
pub(super) async fn plan(agent: &Itself, task: &Item, most: u32) -> Result<Item> {
    let mut done: Vec<Done> = Vec::new();
    let mut left = todo(agent, &agent.0.scope("plan"), task, &done).await?;
    for _ in 0..most {
        let Some(what) = texts(&left).into_iter().next() else { break };
        let step = agent.0.scope("step");
        let asked =
            format!("{}\n\nDo this now, and nothing else of it: {what}", so_far(task, &done, &texts(&left)));
        let known: Vec<&Item> = knows(task, &done).chain([&left]).collect();
        let result = match agent.does(&step, asked, &known).await {
            Ok(result) => result,
            // The list is revised by what went wrong.
            Err(error) if is_failure(&error) => {
                Item::untrusted(format!("It failed: {error}")).influenced_by([task, &agent.0.failures()])
            }
            Err(error) => return Err(error),
        };
        done.push(Done { what, result });
        left = todo(agent, &step, task, &done).await?;
    }
    let open = texts(&left);
    let mut asked = so_far(task, &done, &[]);
    if !open.is_empty() {
        asked.push_str(&format!("\n\nThis was not done, say so: {}", open.join("; ")));
    }
    asked.push_str("\n\nNow answer the task with what was done.");
    let known: Vec<&Item> = knows(task, &done).collect();
    agent.does(&agent.0.scope("answer"), asked, &known).await
}

/// The list of what is left.
async fn todo(agent: &Itself, stage: &Stage, task: &Item, done: &[Done]) -> Result<Item> {
    let known: Vec<&Item> = knows(task, done).collect();
    let asked = format!("{}\n\nWhat is still to be done?", so_far(task, done, &[]));
    agent.as_helper(stage, Strategy::PLANNER, asked, &known).await
}

fn knows<'a>(task: &'a Item, done: &'a [Done]) -> impl Iterator<Item = &'a Item> {
    [task].into_iter().chain(done.iter().map(|done| &done.result))
}

/// The task, with what was done and what is left of it.
fn so_far(task: &Item, done: &[Done], left: &[String]) -> String {
    let mut text = format!("The task:\n{}", task.text());
    for Done { what, result } in done {
        text.push_str(&format!("\n\n[x] {what}\n{}", result.text()));
    }
    for what in left {
        text.push_str(&format!("\n\n[ ] {what}"));
    }
    text
}

fn texts(list: &Item) -> Vec<String> {
    let items = list.value.get("todo").and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
