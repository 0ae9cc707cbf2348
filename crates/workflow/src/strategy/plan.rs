//! Plan-and-execute: a list of what is to be done, which is revised after each item.
//!
//! After Wang et al., *Plan-and-Solve Prompting* (2023).

use adjutant_agent::definition::Strategy;
use adjutant_agent::workflow::{Item, Stage, is_failure};
use adjutant_core::{Code, Result};
use serde_json::{Value, json};

use super::Itself;

/// The key of the list in what the helper says.
const ITEMS: &str = "todo";

/// Something that was done.
struct Done {
    what: String,
    result: Item,
}

/// The change since which the list is a step of its own.
const LIST: &str = "todo-list";

/// Makes a list, does its first item, revises the list, and so on until nothing is left or enough was done; then answers.
pub(super) async fn plan(agent: &Itself, task: &Item, most: u32) -> Result<Item> {
    let mut work = Work {
        agent,
        task,
        is_shown: agent.0.ctx().version(LIST).await?,
        done: Vec::new(),
        left: Item::default(),
    };
    match work.go_through(most).await {
        // What is done is not lost where nobody may go on, or say what is left.
        Err(error) if (is_failure(&error) || error.code() == Code::RunLimit) && !work.done.is_empty() => {}
        gone => gone?,
    }
    work.answer().await
}

/// Work on a list, as far as it has come.
struct Work<'a> {
    agent: &'a Itself,
    task: &'a Item,
    is_shown: bool,
    done: Vec<Done>,
    /// The list of what is left.
    left: Item,
}

impl Work<'_> {
    async fn go_through(&mut self, most: u32) -> Result<()> {
        self.revise(&self.agent.0.scope("plan")).await?;
        for _ in 0..most {
            let Some(what) = texts(&self.left).into_iter().next() else { break };
            let step = self.agent.0.scope("step");
            let asked =
                format!("{}\n\nDo this now, and nothing else of it: {what}", self.so_far(&texts(&self.left)));
            let known: Vec<&Item> = self.knows().chain([&self.left]).collect();
            let result = match self.agent.does(&step, asked, &known).await {
                Ok(result) => result,
                // The list is revised by what went wrong.
                Err(error) if is_failure(&error) && !(self.is_shown && self.agent.0.is_over(&error)) => {
                    Item::untrusted(format!("It failed: {error}"))
                        .influenced_by([self.task, &self.agent.0.failures()])
                        .influenced_by(self.list())
                }
                Err(error) => return Err(error),
            };
            self.done.push(Done { what, result });
            // Where there is no room to revise it, the list is as it was, without what is done.
            let rest: Vec<String> = texts(&self.left).into_iter().skip(1).collect();
            self.left = self.left.part(json!({ ITEMS: rest }));
            self.revise(&step).await?;
        }
        Ok(())
    }

    /// Has it thought over what is left, and shows that.
    async fn revise(&mut self, stage: &Stage) -> Result<()> {
        let known: Vec<&Item> = self.knows().collect();
        let asked = format!("{}\n\nWhat is still to be done?", self.so_far(&[]));
        let mut left = self.agent.as_helper(stage, Strategy::PLANNER, asked, &known).await?;
        if self.is_shown {
            let done = self.done.iter().map(|done| done.what.clone()).collect();
            let open = stage.todo(done, texts(&left)).await?;
            left = left.part(json!({ ITEMS: open }));
        }
        self.left = left;
        Ok(())
    }

    /// Answers with what was done. Where nothing is left of the limits, that itself is the answer.
    async fn answer(&self) -> Result<Item> {
        let open = texts(&self.left);
        self.agent.0.leave_open(open.clone());
        let mut asked = self.so_far(&[]);
        if !open.is_empty() {
            asked.push_str(&format!("\n\nThis was not done, say so: {}", open.join("; ")));
        }
        asked.push_str("\n\nNow answer the task with what was done.");
        let failures = self.agent.0.failures();
        let ended = self.is_shown.then_some(&failures);
        let known: Vec<&Item> = self.knows().chain(self.list()).chain(ended).collect();
        match self.agent.does(&self.agent.0.scope("answer"), asked, &known).await {
            Err(error)
                if self.agent.0.is_over(&error)
                    && !self.done.is_empty()
                    && self.agent.0.definition().output.is_none() =>
            {
                Ok(Item::made_of(self.so_far(&open), known))
            }
            answered => answered,
        }
    }

    fn knows(&self) -> impl Iterator<Item = &Item> {
        [self.task].into_iter().chain(self.done.iter().map(|done| &done.result))
    }

    /// The list, where it counts what it has decided; runs that were under way before go on as they did.
    fn list(&self) -> Option<&Item> {
        self.is_shown.then_some(&self.left)
    }

    /// The task, with what was done and what is left of it.
    fn so_far(&self, left: &[String]) -> String {
        let mut text = format!("The task:\n{}", self.task.text());
        for Done { what, result } in &self.done {
            text.push_str(&format!("\n\n[x] {what}\n{}", result.text()));
        }
        for what in left {
            text.push_str(&format!("\n\n[ ] {what}"));
        }
        text
    }
}

/// What a list says.
fn texts(list: &Item) -> Vec<String> {
    let items = list.value.get(ITEMS).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
