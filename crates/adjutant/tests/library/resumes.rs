//! Crews, conversations, events and routes within one another, in runs that are stopped anywhere.

use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::{Adjutant, Project, Reply, Task};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::crews::{Heard, crew};
use crate::routes::meaning;
use crate::workflows::folder;

const FLOW: &str = "
steps:
  - map: '= [1, 2]'
    as: number
    do:
      - crew:
          process: hierarchical
          members: { reader: { role: a reader, delegates: true }, writer: { role: a writer } }
          tasks:
            - { id: find, description: 'Find {{ number }}' }
            - { id: ask, description: 'Please delegate {{ number }}', by: reader, at_the_same_time: true }
            - { id: tell, description: Tell it }
          output: '{{ find }} {{ ask }} {{ tell }}'
      - chat: { speakers: [writer, critic], next: model, until: turns >= 2, output: '= last' }
  - id: counted
    events:
      first: { all: '= last' }
      steps:
        each: { on: all, emits: { kind: one, each: '= event' } }
        work: { on: one, workers: 2, do: { agent: writer, task: '{{ event }}' }, emits: { kind: done } }
        join: { on: { done: 2 }, emits: { kind: end, data: '= events.done' } }
  - route:
      subject: An invoice.
      by: { embedding: embed }
      paths:
        billing: { examples: [My invoice.], do: { value: { all: '= counted', path: billing } } }
        bells: { examples: [My bell.], do: { value: bells } }
";

/// The crew's model, which also leads conversations.
fn everybody(heard: &Heard) -> impl Fn(&Request, usize) -> Option<Turn> + Send + Sync + 'static {
    let crew = crew(heard);
    move |request, index| {
        if request.messages.first()?.text().contains("You lead a conversation") {
            let next =
                if request.messages.last()?.text().contains("\n\nwriter:") { "critic" } else { "writer" };
            return Some(Turn::text(&json!({ "reason": "now", "next": next }).to_string()));
        }
        crew(request, index)
    }
}

fn open(folder: &tempfile::TempDir, heard: &Heard) -> Adjutant {
    let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    project.models().insert_embedder("embed", meaning());
    Adjutant::builder().project(project).model("main", Scripted::from_fn(everybody(heard))).build().unwrap()
}

/// Runs it, and stops after so many updates; then goes on in another process, as far as the run knows. None where it was over
/// before.
async fn stopped(after: usize) -> Option<Reply> {
    let (folder, heard) = (folder(FLOW), Heard::default());
    std::fs::write(folder.path().join("agents/critic.md"), "---\nmodel: main\n---\nYou are a critic.\n")
        .unwrap();
    let task = || Task::new("go").id("one");
    let first = open(&folder, &heard);
    let run = first.start("flow", task()).await.unwrap();
    let mut updates = run.drive();
    for _ in 0..after {
        updates.next().await.as_ref()?;
    }
    updates.stop().await.unwrap();
    drop((run, first));
    Some(open(&folder, &heard).run("flow", task()).await.unwrap())
}

/// What was made; of two that work at the same time, either may be done first.
fn in_order(reply: &Reply) -> Value {
    let mut data = reply.data.clone().unwrap();
    let all = data["all"].as_array_mut().unwrap();
    all.sort_by_key(Value::to_string);
    data
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_of_it_is_the_same_wherever_it_stops() {
    let whole = stopped(0).await.unwrap();
    let data = in_order(&whole);
    assert_eq!(data["path"], "billing");
    assert_eq!(data["all"].as_array().unwrap().len(), 2, "{data}");
    assert!(whole.label.unwrap().is_trusted());
    let mut after = 1;
    while let Some(reply) = stopped(after).await {
        assert_eq!(in_order(&reply), data, "stopped after {after} updates");
        after += 43;
    }
    assert!(after > 100, "{after}");
}
