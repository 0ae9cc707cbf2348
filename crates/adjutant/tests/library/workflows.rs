//! Workflows, as files and in Rust.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adjutant::Code;
use adjutant::agent::workflow::is_failure;
use adjutant::durable::Wait;
use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::{
    Adjutant, Agent, Item, Offline, Project, Reply, Stage, Task, ToolError, Workflow, pattern, steps, tool,
};
use adjutant::tool::Answer;
use adjutant::workflow::pattern::{Ended, Fan, Join, Opinion, Rounds, parallel, refine};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::events::asked;

/// A model that answers by what its instructions begin with.
pub(super) fn obey(request: &Request, _: usize) -> Option<Turn> {
    let system = request.messages.first()?.text();
    let task = request.messages.iter().rfind(|message| message.results().next().is_none())?.text();
    Some(Turn::text(&match system.split([' ', '.']).next()? {
        "Write" => format!("<{task}>"),
        // Longer texts are better.
        "Judge" => json!({ "score": task.len(), "advice": "longer" }).to_string(),
        "You" if system.contains("You choose") => {
            let path = if task.contains("money") { "billing" } else { "other" };
            let confidence = if task.contains("perhaps") { 0.2 } else { 0.9 };
            json!({ "reason": "words", "path": path, "confidence": confidence }).to_string()
        }
        "You" => json!({ "reason": "too short", "passes": task.len() > 200 }).to_string(),
        "Fail" if task.contains("fail") => {
            return Some(Turn::error(adjutant::Error::new(Code::ModelRequestRefused, "no")));
        }
        "Fail" => task,
        other => panic!("{other}"),
    }))
}

const WRITER: &str = "---\nmodel: main\n---\nWrite.\n";
const CRITIC: &str = "---\nmodel: main\noutput:\n  type: object\n  properties: { score: { type: integer }, advice: { type: string } }\n  \
                      required: [score, advice]\n---\nJudge.\n";
const FRAGILE: &str = "---\nmodel: main\n---\nFail.\n";

/// The folder of a project with these agents and one workflow, `flow`.
pub(super) fn folder(workflow: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["agents", "workflows"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    for (name, text) in [("writer", WRITER), ("critic", CRITIC), ("fragile", FRAGILE)] {
        std::fs::write(folder.path().join(format!("agents/{name}.md")), text).unwrap();
    }
    std::fs::write(folder.path().join("workflows/flow.yaml"), workflow).unwrap();
    folder
}

/// A project with these agents and one workflow, `flow`.
pub(super) fn project(workflow: &str) -> (tempfile::TempDir, Adjutant) {
    let folder = folder(workflow);
    let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let adjutant =
        Adjutant::builder().project(project).model("main", Scripted::from_fn(obey)).build().unwrap();
    (folder, adjutant)
}

pub(super) async fn run(workflow: &str, input: &str) -> Result<Reply, adjutant::Error> {
    let (_folder, adjutant) = project(workflow);
    adjutant.run("flow", input).await
}

/// What a workflow makes: its text, or what is wrong.
pub(super) async fn made(workflow: &str, input: &str) -> String {
    match run(workflow, input).await {
        Ok(reply) => reply.data.map_or(reply.text, |data| data.to_string()),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn steps_see_what_was_made_before_them() {
    let flow = "
steps:
  - id: outline
    agent: writer
    task: 'outline {{ input }}'
  - agent: writer
  - value: { first: '= outline', last: '= last', words: '{{ outline }} and {{ last }}', size: '= size(outline)' }
";
    assert_eq!(
        made(flow, "bells").await,
        r#"{"first":"<outline bells>","last":"<<outline bells>>","size":15,"words":"<outline bells> and <<outline bells>>"}"#
    );
}

#[tokio::test]
async fn branches_are_joined_as_is_said() {
    let branches = |join: &str| {
        format!(
            "
steps:
  - parallel:
      good: {{ agent: writer, task: 'a {{{{ input }}}}' }}
      bad: {{ agent: fragile, task: 'fail {{{{ input }}}}' }}
    {join}
"
        )
    };
    assert_eq!(made(&branches("join: rest"), "x").await, r#"{"bad":null,"good":"<a x>"}"#);
    assert_eq!(made(&branches("join: any"), "x").await, "<a x>");
    let error = made(&branches("join: all"), "x").await;
    assert!(
        error.starts_with("step1: branch 2 of 2 failed: step1: the agent `fragile` gave no answer"),
        "{error}"
    );
    let vote = "
steps:
  - parallel:
      a: { value: 1 }
      b: { value: 2 }
      c: { value: 2 }
    join: vote
";
    assert_eq!(made(vote, "x").await, "2");
}

#[tokio::test]
async fn each_item_of_a_list_is_worked_on() {
    let flow = "
input: { type: array, items: { type: string } }
steps:
  - map: '= input'
    as: name
    at_a_time: 2
    do: { agent: writer, task: '{{ index }} {{ name }}' }
output: { all: '= last' }
";
    assert_eq!(made(flow, r#"["a","b","c"]"#).await, r#"{"all":["<0 a>","<1 b>","<2 c>"]}"#);
    let error = made(flow, "a text").await;
    assert!(error.starts_with("the input does not fit: it is no JSON"), "{error}");
    let error = made(flow, "[1]").await;
    assert!(error.starts_with("the input does not fit: /0"), "{error}");
}

#[tokio::test]
async fn a_gate_ends_leads_elsewhere_or_fails() {
    let gate = |gate: &str| {
        format!(
            "steps:\n  - agent: writer\n    gate: {{ {gate} }}\n  - value: 'went on with {{{{ last }}}}'\n"
        )
    };
    assert_eq!(made(&gate("when: size(result) > 2"), "x").await, "went on with <x>");
    assert_eq!(
        made(&gate("when: size(result) > 9, end: 'too short: {{ result }}'"), "x").await,
        "too short: <x>"
    );
    let elsewhere = "when: size(result) > 9, otherwise: { value: 'mended {{ result }}' }";
    assert_eq!(made(&gate(elsewhere), "x").await, "went on with mended <x>");
    let error = made(&gate("when: size(result) > 9"), "x").await;
    assert_eq!(error, "step1: its result did not pass the gate: `size(result) > 9` does not hold");
    let error = made(&gate("schema: { type: object }"), "x").await;
    assert!(error.contains("it does not fit the schema"), "{error}");
    let error = made(&gate("judge: { rubric: It is long. }"), "x").await;
    assert!(error.ends_with("the judge says: too short"), "{error}");
}

#[tokio::test]
async fn the_way_is_chosen_by_a_model_that_is_sure_enough() {
    let flow = |otherwise: &str| {
        format!(
            "
steps:
  - route:
      by: {{ model: main }}
      {otherwise}
      paths:
        billing: {{ description: About money., do: {{ value: 'billing: {{{{ input }}}}' }} }}
        other: {{ description: Anything else., do: {{ value: 'other: {{{{ input }}}}' }} }}
"
        )
    };
    let to_steps = flow("otherwise: { value: 'unsure' }");
    assert_eq!(made(&to_steps, "my money").await, "billing: my money");
    assert_eq!(made(&to_steps, "a bell").await, "other: a bell");
    assert_eq!(made(&to_steps, "perhaps a bell").await, "unsure");
    let error = made(&flow(""), "perhaps a bell").await;
    assert!(error.contains("with a confidence of 0.20; 0.50 is wanted"), "{error}");
}

#[tokio::test]
async fn a_person_chooses_where_the_model_is_not_sure() {
    let flow = "
steps:
  - route:
      by: { model: main }
      otherwise: ask
      paths:
        billing: { description: About money., do: { value: billing } }
        other: { description: Anything else., do: { value: other } }
";
    let (_folder, adjutant) = project(flow);
    let run = adjutant.start("flow", "perhaps").await.unwrap();
    let updates = run.drive();
    for wait in asked(&run).await {
        let Wait::Signal { name, .. } = wait else { continue };
        let answer = Answer::Accept(json!({ "path": "billing" }).as_object().cloned());
        run.answer(&name, answer).await.unwrap();
    }
    assert_eq!(run.reply().await.unwrap().text, "billing");
    drop(updates);
}

#[tokio::test]
async fn a_draft_is_refined_until_it_is_good_enough() {
    let refine = |accept: &str, rounds: u32| {
        format!(
            "
steps:
  - refine:
      draft: {{ agent: writer, task: '{{{{ draft or input }}}}' }}
      review: {{ agent: critic, task: '{{{{ draft }}}}' }}
      accept: {accept}
      score: review.score
      rounds: {rounds}
"
        )
    };
    assert_eq!(made(&refine("review.score >= 7", 9), "x").await, "<<<x>>>");
    assert_eq!(made(&refine("review.score >= 70", 2), "x").await, "<<x>>");
}

#[tokio::test]
async fn what_fails_is_tried_again_and_has_a_stand_in() {
    let flow = "
steps:
  - agent: fragile
    task: fail
    retry: { times: 2 }
    or_else: 'instead of {{ input }}'
";
    let (_folder, adjutant) = project(flow);
    let run = adjutant.start("flow", "x").await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "instead of x");
    let steps = run.summary().await.unwrap().steps;
    assert_eq!(steps.iter().filter(|step| step.run.is_some()).count(), 3);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("agents")).unwrap();
    std::fs::create_dir_all(folder.path().join("workflows")).unwrap();
    std::fs::write(folder.path().join("agents/writer.md"), WRITER).unwrap();
    let wrong = "
steps:
  - agent: writter
    task: 'about {{ inptu }}'
  - id: two
    value: '= size(lst) > 1'
  - agent: writer
    tool: x
  - vlaue: 3
  - map: '= input'
  - value: '= (1 +'
";
    std::fs::write(folder.path().join("workflows/flow.yaml"), wrong).unwrap();
    let errors = Project::load(folder.path()).unwrap_err();
    let told: Vec<String> = errors
        .iter()
        .map(|error| {
            let at =
                error.location().map(|at| format!("{}:{}", at.line.unwrap_or(0), at.column.unwrap_or(0)));
            format!("{} {} | {}", at.unwrap_or_default(), error.message(), error.help().unwrap_or_default())
        })
        .collect();
    let told = told.join("\n");
    for expected in [
        "3:12 there is no agent `writter` | did you mean `writer`?",
        "4:11 there is no value `inptu` here | did you mean `input`?",
        "6:12 there is no value `lst` here | did you mean `last`?",
        "7:5 `steps[3]` does two things: `agent` and `tool` | make two steps of it",
        "`steps[4]` says nothing that is done",
        "unknown key `steps[4].vlaue` | did you mean `value`?",
        "`steps[5].do` is missing",
        "`(1 +` is no expression in CEL",
    ] {
        assert!(told.contains(expected), "{expected}\n---\n{told}");
    }
}

/// Counts what it was asked to do.
#[tool(idempotent)]
pub(super) fn count(number: usize, counter: &Counter) -> Result<usize, ToolError> {
    counter.0.fetch_add(1, Ordering::SeqCst);
    match number {
        13 => Err(ToolError::new("unlucky")),
        number => Ok(number * number),
    }
}

#[derive(Clone, Default)]
pub(super) struct Counter(pub(super) Arc<AtomicUsize>);

pub(super) fn open(counter: &Counter) -> Adjutant {
    Adjutant::builder()
        .in_memory()
        .model("main", Scripted::from_fn(obey))
        .resource(counter.clone())
        .build()
        .unwrap()
}

pub(super) fn arguments(number: usize) -> serde_json::Map<String, Value> {
    json!({ "number": number }).as_object().cloned().unwrap()
}

#[tokio::test]
async fn a_workflow_in_rust_composes_the_patterns() {
    let squares = Workflow::new("squares").tool(count).run(|stage, _| async move {
        let branches = (11..16)
            .map(|number| move |stage: Stage| async move { stage.call("count", arguments(number)).await });
        let made = parallel(&stage, Fan::join(Join::Rest(3)).at_a_time(2), branches).await?;
        let values: Vec<_> = made.iter().flatten().map(|item| item.value.clone()).collect();
        Ok(Item::made_of(Value::Array(values), made.iter().flatten()))
    });
    let whole = Workflow::new("whole").workflow(&squares).tool(count).run(|stage, input| async move {
        let refined = refine(
            &stage,
            Rounds { most: 5, patience: 2 },
            |stage, latest: Option<pattern::Reviewed<Item, ()>>| async move {
                let number = latest.map_or(Some(2), |latest| latest.draft.value.as_u64()).unwrap_or(2);
                stage.call("count", arguments(usize::try_from(number).unwrap())).await
            },
            |_, draft: Item| async move {
                let score = draft.value.as_f64().unwrap_or_default();
                Ok(((), Opinion { accepted: score > 100.0, score }))
            },
        )
        .await?;
        assert_eq!(refined.ended, Ended::Accepted);
        let squares = stage.ask("squares", &input).await?;
        Ok(Item::made_of(json!({ "best": refined.best.draft.value, "squares": squares.value }), [&squares]))
    });
    let counter = Counter::default();
    let reply = open(&counter).run(&whole, "go").await.unwrap();
    assert_eq!(reply.data, Some(json!({ "best": 256, "squares": [121, 144, 196, 225] })));
    assert_eq!(counter.0.load(Ordering::SeqCst), 8);
    assert_eq!(
        reply.label.map(|label| label.is_trusted()),
        Some(false),
        "nobody vouches for what the tool gives"
    );
}

#[tokio::test]
async fn a_failure_can_be_handled_and_a_limit_holds() {
    let careful = Workflow::new("careful").tool(count).limit(steps(2)).run(|stage, _| async move {
        let mut failures = Vec::new();
        for number in [13, 1, 2] {
            match stage.call("count", arguments(number)).await {
                Ok(_) => {}
                Err(error) if is_failure(&error) => failures.push(error.message().to_owned()),
                Err(error) => return Err(error),
            }
        }
        Ok(Item::new(failures.join("; ")))
    });
    let error = open(&Counter::default()).run(&careful, "go").await.unwrap_err();
    assert_eq!(error.code(), Code::RunLimit);
    assert_eq!(error.message(), "the workflow has made 2 calls, which is its limit of steps");
    let reply = open(&Counter::default()).run(&careful.limit(steps(3)), "go").await.unwrap();
    assert_eq!(reply.text, "unlucky");
}

#[tokio::test]
async fn a_workflow_goes_on_where_its_process_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs.db");
    let counter = Counter::default();
    let open = || {
        let model = Scripted::from_fn(obey);
        Adjutant::builder().store(&store).model("main", model).resource(counter.clone()).build().unwrap()
    };
    let slow = || {
        Workflow::new("slow").tool(count).run(|stage, _| async move {
            let mut sum = 0;
            for number in 1..=3 {
                sum += stage.call("count", arguments(number)).await?.value.as_u64().unwrap_or_default();
                stage.ctx().sleep(Duration::from_millis(150)).await?;
            }
            Ok(Item::new(sum))
        })
    };
    let task = || Task::new("go").id("one");
    let first = open();
    let run = first.start(&slow(), task()).await.unwrap();
    let updates = run.drive();
    while counter.0.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    updates.stop().await.unwrap();
    drop((run, first));
    let reply = open().run(&slow(), task()).await.unwrap();
    assert_eq!(reply.data, Some(json!(14)));
    assert_eq!(counter.0.load(Ordering::SeqCst), 3, "nothing is done twice");
}

/// A workflow of the sample project, run by the model that every machine has.
fn samples() -> Adjutant {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/workflows");
    let project = Project::load(folder).unwrap_or_else(|errors| panic!("{errors:#?}"));
    Adjutant::builder().in_memory().project(project).model("main", Offline::new()).build().unwrap()
}

async fn sample(workflow: &str, input: &str) -> Reply {
    samples().run(workflow, input).await.unwrap()
}

/// What a sample makes whose person gives these answers, and what that person was shown.
async fn sample_with(workflow: &str, input: &str, answers: &[Value]) -> (Reply, Vec<String>) {
    let run = samples().start(workflow, input).await.unwrap();
    let (mut answers, mut shown, mut answered) = (answers.iter(), Vec::new(), Vec::new());
    let mut updates = run.drive();
    loop {
        let look = Duration::from_millis(50);
        if let Ok(None) = tokio::time::timeout(look, updates.next()).await {
            return (run.outcome().await.unwrap(), shown);
        }
        for wait in run.waits().await.unwrap() {
            let Wait::Signal { name, request, .. } = wait else { continue };
            if answered.contains(&name) {
                continue;
            }
            let Some(answer) = answers.next() else { continue };
            shown.push(request.to_string());
            run.answer(&name, Answer::Accept(answer.as_object().cloned())).await.unwrap();
            answered.push(name);
        }
    }
}

#[tokio::test]
async fn the_samples_work_on_real_input() {
    let digest = sample("digest", "go").await.text;
    assert!(digest.contains("- warranty.md: ") && digest.contains("two years"), "{digest}");
    assert_eq!(digest.matches("\n- ").count() + 1, 11, "each document is there: {digest}");
    let review = sample("review", "checkout.diff").await.text;
    assert!(review.contains("checkout.py"), "{review}");
    let answer = sample("router", "How long is the return period?").await.text;
    assert!(answer.contains("30 days") || answer.contains("14 days"), "{answer}");
    assert!(sample("router", "Hello").await.text.starts_with("Thank you"));
    let summary = sample("summary", "warranty.md").await.text;
    assert!(summary.contains("The law gives you two years"), "{summary}");
}

#[tokio::test]
async fn several_speak_in_one_conversation_until_a_rule_ends_it() {
    use adjutant::workflow::pattern::{Conversation, Said, chat, in_turn};

    let writer = Agent::new("writer").instructions("Write.");
    let other = Agent::new("other").instructions("Write.");
    let group = Workflow::new("group").agent(&writer).agent(&other).run(|stage, input| async move {
        let next = |_, said: Conversation| async move {
            Ok((said.turns_of("other") < 2).then(|| in_turn(&["writer", "other"], &said)).flatten())
        };
        let speak = |stage: Stage, who: String, said: Conversation| async move {
            stage.ask(&who, Item::made_of(said.said().len(), [&said.as_item()])).await
        };
        let opening = vec![Said { who: "ann".into(), what: input }];
        let said = chat(&stage, 9, opening, next, speak).await?;
        Ok(said.as_item())
    });
    let reply = open(&Counter::default()).run(&group, "Go on.").await.unwrap();
    assert_eq!(reply.text, "ann: Go on.\n\nwriter: <1>\n\nother: <2>\n\nwriter: <3>\n\nother: <4>");
}

#[tokio::test]
async fn events_are_worked_on_by_the_steps_that_wait_for_them() {
    use adjutant::workflow::pattern::{Event, Events};

    let split = |_: Stage, event: Event| async move {
        let most = event.data.text().parse::<usize>().unwrap_or_default();
        Ok((1..=most).map(|number| Event::new("number", event.data.part(number))).collect())
    };
    let square = |stage: Stage, event: Event| async move {
        let number = usize::try_from(event.data.value.as_u64().unwrap_or_default()).unwrap_or_default();
        Ok(vec![Event::new("square", stage.call("count", arguments(number)).await?)])
    };
    let sum = |_: Stage, events: Vec<Event>| async move {
        let sum: u64 = events.iter().filter_map(|event| event.data.value.as_u64()).sum();
        Ok(vec![Event::end(Item::made_of(sum, events.iter().map(|event| &event.data)))])
    };
    let workflow = |wanted: usize| {
        Workflow::new("events").tool(count).run(move |stage, input| async move {
            let events = Events::new()
                .on("split", "start", 1, split)
                .on("square", "number", 2, square)
                .collect("sum", [("square", wanted)], 1, sum);
            events.run(&stage, Event::new("start", input)).await
        })
    };
    let counter = Counter::default();
    assert_eq!(open(&counter).run(&workflow(4), "4").await.unwrap().data, Some(json!(30)));
    assert_eq!(counter.0.load(Ordering::SeqCst), 4);
    let error = open(&counter).run(&workflow(5), "4").await.unwrap_err();
    assert_eq!(error.message(), "no step has the events that it waits for");
}

#[tokio::test]
async fn steps_may_be_nested_as_deeply_as_a_file_may_say() {
    let around = [
        ("{ sequence: [", "] }"),
        ("{ parallel: { a: [", "] }, join: any }"),
        ("{ route: { paths: { a: { when: 'true', do: ", " } } } }"),
        ("{ refine: { draft: ", ", review: { value: 1 }, accept: 'true' } }"),
    ];
    // The innermost step is on the sixteenth level.
    let depth = 15;
    let begin: String = (0..depth).map(|level| around[level % 4].0).collect();
    let end: String = (0..depth).rev().map(|level| around[level % 4].1).collect();
    let flow = format!("steps: [{begin}{{ value: '{{{{ input }}}}!' }}{end}]\n");
    assert_eq!(made(&flow, "deep").await, "deep!");
    let too_deep = format!("steps: [{}{{ value: 1 }}{}]", "{ sequence: [".repeat(17), "] }".repeat(17));
    let errors = adjutant::workflow::plan::parse("flow.yaml", &too_deep).unwrap_err();
    assert!(errors[0].message().contains("nested more than 16 deep"), "{errors:?}");
}

#[tokio::test]
async fn patterns_in_rust_are_nested_as_deeply_as_anybody_likes() {
    fn nest(stage: Stage, depth: usize) -> futures::future::BoxFuture<'static, adjutant::Result<Item>> {
        Box::pin(async move {
            if depth == 0 {
                return stage.call("count", arguments(3)).await;
            }
            let made = parallel(&stage, Fan::default(), [move |stage: Stage| nest(stage, depth - 1)]).await?;
            Ok(made.into_iter().flatten().next().unwrap_or_default())
        })
    }
    let deep = Workflow::new("deep").tool(count).run(|stage, _| nest(stage, 50));
    assert_eq!(open(&Counter::default()).run(&deep, "go").await.unwrap().data, Some(json!(9)));
}

/// Reads what a stranger wrote.
#[tool(pure)]
fn mail() -> &'static str {
    "evil"
}

#[tokio::test]
async fn what_a_stranger_wrote_has_a_say_where_it_decides_the_way() {
    let label = |flow: &'static str| async move {
        let parsed = adjutant::workflow::plan::parse("flow.yaml", flow).unwrap();
        let planned = adjutant::workflow::Planned::new(parsed.plan);
        let workflow = Workflow::new("flow").tool(mail).tool(count).directed_by(planned);
        let reply = open(&Counter::default()).run(&workflow, "go").await.unwrap();
        reply.label.unwrap().is_trusted()
    };
    assert!(label("steps: [{ value: 1 }]").await);
    for flow in [
        "steps: [{ id: read, tool: mail }, { when: \"read == 'evil'\", value: 1 }]",
        "steps: [{ id: read, tool: mail }, { id: no, when: \"read != 'evil'\", value: 1 }, { value: '= [no]' }]",
        "steps: [{ id: read, tool: mail }, { route: { subject: go, paths: { a: { when: \"read == 'evil'\", do: { value: 1 } } } } }]",
        "steps: [{ id: read, tool: mail }, { map: '= [1, 2].filter(n, size(read) > n)', do: { value: 1 } }]",
        "steps: [{ tool: mail, gate: { when: 'size(result) > 9', otherwise: { value: 1 } } }]",
    ] {
        assert!(!label(flow).await, "{flow}");
    }
}

#[tokio::test]
async fn a_call_that_must_not_be_made_twice_has_its_own_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("workflows")).unwrap();
    std::fs::write(
        folder.path().join("adjutant.toml"),
        "[tools.pay]\ntype = \"command\"\ncommand = [\"true\"]\ndescription = \"Pays.\"\neffect = \"at_most_once\"\n",
    )
    .unwrap();
    let write = |flow: &str| {
        std::fs::write(folder.path().join("workflows/flow.yaml"), flow).unwrap();
        Project::load(folder.path()).map(|_| ())
    };
    write("steps: [{ tool: pay }]\n").unwrap();
    for wrong in [
        "steps: [{ tool: pay, timeout: 1s }]\n",
        "steps: [{ id: all, timeout: 1s, parallel: { a: [{ sequence: [{ tool: pay }] }] } }]\n",
    ] {
        let errors = write(wrong).unwrap_err();
        assert!(errors[0].message().contains("has a `timeout`, and calls `pay`"), "{errors:?}");
    }
}

#[tokio::test]
async fn a_call_that_was_given_up_counts_for_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("policies")).unwrap();
    std::fs::write(
        folder.path().join("policies/once.cedar"),
        "@id(\"asked\") permit (principal, action == Action::\"run.answer\", resource);\n\
         @id(\"once\") permit (principal, action == Action::\"dawdle\", resource) when { context.session.count.dawdle < 1 };\n",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("adjutant.toml"),
        "[tools.dawdle]\ntype = \"command\"\ncommand = [\"sleep\", \"9\"]\ndescription = \"Dawdles.\"\neffect = \"idempotent\"\n",
    )
    .unwrap();
    std::fs::create_dir_all(folder.path().join("workflows")).unwrap();
    let flow = "
steps:
  - { tool: dawdle, timeout: 2s, or_else: given up }
  - { tool: dawdle, or_else: refused }
";
    std::fs::write(folder.path().join("workflows/flow.yaml"), flow).unwrap();
    let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let adjutant =
        Adjutant::builder().in_memory().project(project).model("main", Offline::new()).build().unwrap();
    assert_eq!(adjutant.run("flow", "go").await.unwrap().text, "refused");
}

#[tokio::test]
async fn a_call_that_fails_is_a_failure_whoever_may_read_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("workflows")).unwrap();
    std::fs::write(
        folder.path().join("adjutant.toml"),
        "[tools.secret]\ntype = \"command\"\ncommand = [\"false\"]\ndescription = \"Reads.\"\neffect = \"pure\"\nflow = { readers = [\"ann\"] }\n",
    )
    .unwrap();
    let flow = "steps: [{ tool: secret, or_else: instead }]\n";
    std::fs::write(folder.path().join("workflows/flow.yaml"), flow).unwrap();
    let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let adjutant =
        Adjutant::builder().in_memory().project(project).model("main", Offline::new()).build().unwrap();
    let reply = adjutant.run("flow", "go").await.unwrap();
    assert_eq!(reply.text, "instead");
    let label = reply.label.unwrap();
    assert!(!label.is_trusted() && label.readers != adjutant::core::label::Readers::Anyone, "{label:?}");
}

#[tokio::test]
async fn an_orchestrated_research_finds_each_answer_where_it_stands() {
    let questions = "How long is the return period? How long does the warranty hold? Who pays the shipping?";
    let report = sample("research", questions).await.text;
    for (task, document) in [("task1", "returns.md"), ("task2", "warranty.md"), ("task3", "shipping.md")] {
        let part =
            report.split("## ").find(|part| part.starts_with(task)).unwrap_or_else(|| panic!("{report}"));
        let (_, rest) = report.split_once(part).unwrap();
        assert!(
            part.contains(document) || rest.starts_with(document) || report.contains(document),
            "{report}"
        );
    }
    assert!(
        report.contains("30 days") && report.contains("2 years") && report.contains("12.90 EUR"),
        "{report}"
    );
}

#[tokio::test]
async fn a_handoff_desk_hands_each_to_who_can_help_and_one_to_a_person() {
    let returns = sample("triage", "How long is the return period?").await;
    assert_eq!(returns.handed_to.map(|standing| standing.agent).as_deref(), Some("returns"));
    assert!(returns.text.contains("30 days"), "{}", returns.text);
    let billing = sample("triage", "How can I pay by invoice?").await;
    assert_eq!(billing.handed_to.map(|standing| standing.agent).as_deref(), Some("billing"));
    let answer = json!({ "answer": "Of course, at noon." });
    let (person, shown) = sample_with("triage", "I want to speak to a person, please", &[answer]).await;
    assert!(
        shown[0].contains("speak to a person") && person.text.contains("at noon"),
        "{shown:?} {}",
        person.text
    );
}

#[tokio::test]
async fn a_notice_goes_round_until_a_person_lets_it_go_out() {
    let change = json!({ "decision": "change", "wish": "Say that bells are free." });
    let send = json!({ "decision": "send", "wish": "" });
    let (notice, shown) = sample_with("release", "warranty.md", &[change.clone(), send]).await;
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(!shown[0].contains("bells are free") && shown[0].contains("May this go out?"), "{shown:?}");
    assert!(notice.text.contains("two years"), "{}", notice.text);
    let drop = json!({ "decision": "drop", "wish": "" });
    assert_eq!(sample_with("release", "warranty.md", &[drop]).await.0.text, "Nothing goes out.");
    assert_eq!(sample("release", "nowhere.md").await.text, "There is no document nowhere.md.");
}
