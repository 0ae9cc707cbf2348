//! Goals that a planner breaks into tasks.

use adjutant::durable::Entry;
use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::{Adjutant, Project, Run};
use adjutant::workflow::pattern::Ledger;
use serde_json::{Value, json};

use crate::workflows::{folder, obey};

const FLOW: &str = "
steps:
  - orchestrate:
      goal: 'know {{ input }}'
      planner: { model: main }
      workers: [writer, fragile]
      rounds: 2
      synthesis: writer
";

fn task(id: &str, worker: &str, text: &str, after: &[&str]) -> Value {
    json!({ "id": id, "worker": worker, "task": text, "after": after })
}

fn plan(tasks: &[Value], stuck: bool) -> Value {
    json!({ "known": ["it is about bells"], "to_find_out": ["their age"], "tasks": tasks, "again": false, "stuck": stuck })
}

/// A planner whose first plan goes round, whose second has a task that fails, and who then plans that otherwise, or gives up.
fn planner(gives_up: bool) -> impl Fn(&Request, usize) -> Option<Turn> {
    move |request, index| {
        if !request.messages.first()?.text().contains("You break a goal") {
            return obey(request, index);
        }
        let told = request.messages.last()?.text();
        assert!(told.contains("The goal:\nknow bells"), "{told}");
        let plan = if told.contains("\"failed\": [\n") {
            assert!(told.contains("<one>"), "what is done is shown: {told}");
            match gives_up {
                true => plan(&[], true),
                false => plan(&[task("b", "writer", "two again", &["a"])], false),
            }
        } else if told.contains("cannot be carried out: the tasks `a`, `b` wait for one another") {
            let tasks = [
                task("d", "writer", "four", &["b"]),
                task("c", "writer", "three", &["a"]),
                task("b", "fragile", "fail", &["a"]),
                task("a", "writer", "one", &[]),
            ];
            plan(&tasks, false)
        } else {
            plan(&[task("a", "writer", "one", &["b"]), task("b", "writer", "two", &["a"])], false)
        };
        Some(Turn::text(&plan.to_string()))
    }
}

async fn run(gives_up: bool) -> (tempfile::TempDir, Run) {
    let folder = folder(FLOW);
    let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let model = Scripted::from_fn(planner(gives_up));
    let adjutant = Adjutant::builder().project(project).model("main", model).build().unwrap();
    (folder, adjutant.start("flow", "bells").await.unwrap())
}

async fn ledgers(run: &Run) -> Vec<Ledger> {
    let records = run.records().await.unwrap();
    let outcomes = records.into_iter().filter_map(|record| match record.entry {
        Entry::Completed { key, outcome } | Entry::Answered { key, outcome, .. }
            if key.as_str().ends_with("/ledger#0") =>
        {
            Some(outcome.unwrap().to::<Ledger>().unwrap())
        }
        _ => None,
    });
    outcomes.collect()
}

#[tokio::test]
async fn a_goal_is_planned_worked_on_planned_again_and_answered() {
    let (_folder, run) = run(false).await;
    let text = run.reply().await.unwrap().text;
    for part in [
        "The goal:\nknow bells",
        "The result of `a`:\n<one>",
        "The result of `b`:\n<two again\n\nThe result of `a`:\n<one>>",
        "The result of `c`:\n<three\n\nThe result of `a`:\n<one>>",
        "Not known: their age",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
    let ledgers = ledgers(&run).await;
    let ids =
        |ledger: &Ledger| ledger.done.iter().map(|done| done.task.id.clone()).collect::<Vec<_>>().join(" ");
    assert_eq!(ledgers.len(), 2);
    assert_eq!(ids(&ledgers[0]), "a c");
    assert_eq!(ledgers[0].failed.iter().map(|failed| failed.task.id.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(ledgers[0].next.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(), ["d"]);
    assert_eq!(ids(&ledgers[1]), "a c b");
    assert!(!ledgers[1].stuck && ledgers[1].failed.is_empty());
}

#[tokio::test]
async fn what_is_not_done_is_told_where_there_is_no_way_on() {
    let (_folder, run) = run(true).await;
    let text = run.reply().await.unwrap().text;
    assert!(text.contains("Not done: fail, as the agent `fragile` gave no answer"), "{text}");
    assert!(ledgers(&run).await.last().unwrap().stuck);
}
