//! Orchestrate: a planner breaks a goal into tasks, workers do them, and the planner plans again where some fail.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use adjutant_agent::workflow::{Item, Stage, is_failure};
use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_durable::{Effects, work};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::due::{Piece, due, round};

/// The step that records the ledger after each round.
const LEDGER: &str = "ledger";

/// A task, as the planner gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What it is called.
    pub id: String,
    /// Who does it.
    pub worker: String,
    /// What is to be done.
    pub task: String,
    /// The tasks whose results it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

/// What a planner says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// What is known by now.
    #[serde(default)]
    pub known: Vec<String>,
    /// What is still to be found out.
    #[serde(default)]
    pub to_find_out: Vec<String>,
    /// What is done next.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// Whether to plan again once these tasks are done.
    #[serde(default)]
    pub again: bool,
    /// Whether there is no way on.
    #[serde(default)]
    pub stuck: bool,
    /// What the planner has said, with what is known of it.
    #[serde(skip)]
    pub said: Item,
}

impl Proposal {
    /// Reads what a planner has said. Fails with [`Code::ToolFailed`] where it is something else.
    pub fn read(said: &Item) -> Result<Self> {
        let read = Self::deserialize(&said.value);
        let read = read.map_err(|error| Error::new(Code::ToolFailed, format!("this is no plan: {error}")))?;
        Ok(Self { said: said.clone(), ..read })
    }
}

/// How far the work has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// What is known by now, as the planner sees it.
    pub known: Vec<String>,
    /// What is still to be found out.
    pub to_find_out: Vec<String>,
    /// The tasks that are done.
    pub done: Vec<Finished>,
    /// The tasks that failed.
    pub failed: Vec<Failed>,
    /// The tasks that were planned and not begun, as they need one that failed.
    pub next: Vec<Task>,
    /// Whether there is no way on: the planner says so, or as many rounds are over as there may be.
    pub stuck: bool,
}

/// A task that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// The task.
    pub task: Task,
    /// What came of it.
    pub result: Value,
}

/// A task that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The task.
    pub task: Task,
    /// Why.
    pub error: String,
}

/// How the work goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// How often the planner plans, at most.
    pub rounds: u32,
    /// How many workers work at a time.
    pub at_a_time: usize,
}

impl Default for Orders {
    /// Three rounds, and eight workers at a time.
    fn default() -> Self {
        Self { rounds: 3, at_a_time: 8 }
    }
}

/// What the work has come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Orchestrated {
    /// How far it has come.
    pub ledger: Ledger,
    /// The results of the tasks that are done, by their names.
    pub results: BTreeMap<String, Item>,
}

/// Has `plan` break the goal into tasks, and `work` do each as soon as those are done that it needs: it is given the results of
/// these. Where some fail, or the planner says so, it plans again, given how far the work has come. A plan that cannot be carried
/// out goes back once, with the reason.
///
/// Fails where no plan is one, where not one task was done, and with any error that is no [failure](is_failure).
pub async fn orchestrate<P, Q, W, R>(
    stage: &Stage,
    orders: Orders,
    workers: &[String],
    mut plan: P,
    work: W,
) -> Result<Orchestrated>
where
    P: FnMut(Stage, Orchestrated, Option<String>) -> Q,
    Q: Future<Output = Result<Proposal>>,
    W: Fn(Stage, Task, Item, BTreeMap<String, Item>) -> R,
    R: Future<Output = Result<Item>>,
{
    let mut so_far = Orchestrated::default();
    for round in 1..=orders.rounds.max(1) {
        let stage = stage.scope("round");
        let proposal = sound(&stage, &so_far, workers, &mut plan).await?;
        so_far.ledger.known.clone_from(&proposal.known);
        so_far.ledger.to_find_out.clone_from(&proposal.to_find_out);
        so_far.ledger.stuck = proposal.stuck;
        let is_last = proposal.stuck || proposal.tasks.is_empty();
        if !is_last {
            carry_out(&stage, orders.at_a_time, &proposal, &mut so_far, &work).await?;
        }
        let is_over = is_last || (so_far.ledger.failed.is_empty() && !proposal.again);
        so_far.ledger.stuck |= !is_over && round == orders.rounds.max(1);
        so_far.record(&stage).await?;
        if is_over {
            break;
        }
    }
    match so_far.ledger.failed.first() {
        Some(failed) if so_far.results.is_empty() => {
            let message = format!("not one task was done; {} failed: {}", failed.task.id, failed.error);
            Err(Error::new(Code::ToolFailed, message))
        }
        None if so_far.results.is_empty() => {
            Err(Error::new(Code::ToolFailed, "the planner has given no task"))
        }
        _ => Ok(so_far),
    }
}

/// A plan that can be carried out. One that cannot goes back once.
async fn sound<P, Q>(
    stage: &Stage,
    so_far: &Orchestrated,
    workers: &[String],
    plan: &mut P,
) -> Result<Proposal>
where
    P: FnMut(Stage, Orchestrated, Option<String>) -> Q,
    Q: Future<Output = Result<Proposal>>,
{
    let first = plan(stage.scope("plan"), so_far.clone(), None).await?;
    let Some(mistake) = mistake(&first.tasks, &so_far.ledger, workers) else { return Ok(first) };
    let second = plan(stage.scope("plan"), so_far.clone(), Some(mistake)).await?;
    match self::mistake(&second.tasks, &so_far.ledger, workers) {
        None => Ok(second),
        Some(mistake) => {
            let message = format!("the plan cannot be carried out, nor could the one before: {mistake}");
            Err(Error::new(Code::ToolFailed, message))
        }
    }
}

/// Why tasks cannot be carried out; none where they can.
fn mistake(tasks: &[Task], ledger: &Ledger, workers: &[String]) -> Option<String> {
    let mut known: BTreeSet<&str> = ledger.done.iter().map(|done| done.task.id.as_str()).collect();
    let done = known.clone();
    for task in tasks {
        if !known.insert(&task.id) {
            return Some(format!("there are two tasks called `{}`", task.id));
        }
        if !workers.contains(&task.worker) {
            let near = nearest(&task.worker, workers.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Some(format!(
                "the task `{}` names the worker `{}`, whom there is not{near}",
                task.id, task.worker
            ));
        }
    }
    for task in tasks {
        if let Some(other) = task.after.iter().find(|other| !known.contains(other.as_str())) {
            return Some(format!("the task `{}` comes after `{other}`, which there is not", task.id));
        }
    }
    let pieces: Vec<_> = tasks.iter().map(piece).collect();
    let names: Vec<_> = round(&pieces, done).into_iter().map(|id| format!("`{id}`")).collect();
    (!names.is_empty()).then(|| format!("the tasks {} wait for one another", names.join(", ")))
}

fn piece(task: &Task) -> Piece<'_> {
    Piece { id: &task.id, needs: &task.after }
}

/// Has the workers do tasks, each as soon as those are done that it needs.
async fn carry_out<W, R>(
    stage: &Stage,
    at_a_time: usize,
    proposal: &Proposal,
    so_far: &mut Orchestrated,
    work: &W,
) -> Result<()>
where
    W: Fn(Stage, Task, Item, BTreeMap<String, Item>) -> R,
    R: Future<Output = Result<Item>>,
{
    let Orchestrated { ledger, results } = so_far;
    ledger.failed.clear();
    let task = |index: usize| proposal.tasks.get(index);
    let begin = |index, stage, needed| {
        let work = task(index).map(|task| {
            let said = proposal.said.part(task.task.as_str());
            work(stage, task.clone(), said, needed)
        });
        async move {
            match work {
                Some(work) => work.await,
                None => Err(Error::new(Code::Internal, "there is no such task")),
            }
        }
    };
    let ended = |index, made: &Result<Item>| {
        let Some(task) = task(index).cloned() else { return Ok(()) };
        match made {
            Ok(made) => ledger.done.push(Finished { task, result: made.value.clone() }),
            Err(error) if is_failure(error) => {
                ledger.failed.push(Failed { task, error: error.message().to_owned() });
            }
            Err(error) => return Err(error.clone()),
        }
        Ok(())
    };
    let pieces: Vec<_> = proposal.tasks.iter().map(piece).collect();
    let waiting = due(stage, at_a_time, &pieces, results, begin, ended).await?;
    ledger.next = waiting.into_iter().filter_map(task).cloned().collect();
    Ok(())
}

impl Orchestrated {
    /// Records the ledger, and goes on with what is recorded: a fork may edit it.
    async fn record(&mut self, stage: &Stage) -> Result<()> {
        let ledger = Json::of(&self.ledger)?;
        let input = Json::of(&json!({ "ledger": Digest::of(ledger.as_str().as_bytes()).to_string() }))?;
        let recorded = work(move |_| std::future::ready(Ok(ledger.clone())));
        self.ledger = stage.ctx().effect(LEDGER, Effects::pure(), input, recorded).await?.to()?;
        let mut before = std::mem::take(&mut self.results);
        for done in &self.ledger.done {
            let item = before.remove(&done.task.id).filter(|item| item.value == done.result);
            let item = item.unwrap_or_else(|| Item::new(done.result.clone()));
            self.results.insert(done.task.id.clone(), item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, worker: &str, after: &[&str]) -> Task {
        let after = after.iter().map(|id| (*id).to_owned()).collect();
        Task { id: id.into(), worker: worker.into(), task: "x".into(), after }
    }

    #[test]
    fn what_cannot_be_carried_out_is_told() {
        let workers = ["reader".to_owned()];
        let done = Finished { task: task("old", "reader", &[]), result: Value::Null };
        let ledger = Ledger { done: vec![done], ..Ledger::default() };
        for (tasks, expected) in [
            (vec![task("b", "reader", &["a", "old"]), task("a", "reader", &[])], None),
            (vec![task("old", "reader", &[])], Some("there are two tasks called `old`")),
            (
                vec![task("a", "raeder", &[])],
                Some("the task `a` names the worker `raeder`, whom there is not; did you mean `reader`?"),
            ),
            (vec![task("a", "reader", &["b"])], Some("the task `a` comes after `b`, which there is not")),
            (
                vec![task("a", "reader", &["b"]), task("b", "reader", &["a"]), task("c", "reader", &[])],
                Some("the tasks `a`, `b` wait for one another"),
            ),
        ] {
            assert_eq!(mistake(&tasks, &ledger, &workers).as_deref(), expected);
        }
    }
}
