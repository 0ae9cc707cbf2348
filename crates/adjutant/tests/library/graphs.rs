//! Graphs, as files and in Rust.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adjutant::durable::{Edit, Entry, Record, Wait};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::{Adjutant, Item, Project, Run, Stage, Task, Workflow};
use adjutant::tool::Answer;
use adjutant::workflow::graph::{END, Graph, Merge, START, State, Waits, Writes, history};
use adjutant_core::json::Json;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::workflows::{Counter, arguments, count, made, obey, open, project};

/// A text that is written again until it is long enough, each draft kept.
const DRAFTS: &str = "
steps:
  - graph:
      state:
        text: { start: '= input' }
        drafts: { merge: append }
        rounds: { merge: add }
      begin: write
      nodes:
        write:
          do: { agent: writer, task: '{{ text }}' }
          writes: { text: '= result', drafts: '= result', rounds: 1 }
        review:
          do: { agent: critic, task: '{{ text }}' }
          writes: { drafts: '= result.score' }
      edges:
        - { from: write, to: review }
        - { from: review, to: write, when: 'size(text) < 6' }
        - { from: review, to: end, when: 'size(text) >= 6' }
";

#[tokio::test]
async fn nodes_share_a_state_and_go_round_until_an_edge_leads_out() {
    assert_eq!(
        made(DRAFTS, "x").await,
        r#"{"drafts":["<x>",3,"<<x>>",5,"<<<x>>>",7],"rounds":3,"text":"<<<x>>>"}"#
    );
    let limited = DRAFTS.replace("begin:", "super_steps: 3\n      begin:");
    let error = made(&limited, "x").await;
    assert_eq!(error, "step1: the graph has done 3 super-steps, and `review` would be next");
}

#[tokio::test]
async fn a_node_works_for_each_of_a_list_and_another_waits_for_all() {
    let flow = "
input: { type: array, items: { type: string } }
steps:
  - graph:
      state:
        found: { merge: append }
        longest: { merge: \"= old == null || size(new) > size(old) ? new : old\" }
        counted: {}
        report: {}
      begin: begin_here
      nodes:
        begin_here: { do: { value: null } }
        work:
          do: { agent: writer, task: '{{ index }} {{ item }}' }
          writes: { found: '= result', longest: '= result' }
        count:
          do: { value: '= size(input)' }
          writes: { counted: '= result' }
        slow:
          do: { value: '= counted' }
        report:
          join: all
          do: { value: '= found' }
          writes: { report: '{{ counted }} of {{ found | length }}: {{ longest }}' }
      edges:
        - { from: begin_here, to: count }
        - { from: begin_here, to: work, each: '= input' }
        - { from: count, to: slow }
        - { from: [], to: report }
      output: '= report'
";
    let flow = flow.replace(
        "        - { from: [], to: report }\n",
        "        - { from: work, to: report }\n        - { from: slow, to: report }\n",
    );
    assert_eq!(made(&flow, r#"["a","bbb","cc"]"#).await, "3 of 3: <1 bbb>");
    let error = made(&flow, "[]").await;
    assert_eq!(error, "step1: the graph is at rest, and its node `report` still waits for `work`");
}

#[tokio::test]
async fn another_node_stands_in_for_one_that_fails_and_a_node_may_be_a_graph() {
    let flow = "
steps:
  - graph:
      state: { said: { merge: append } }
      begin: inner
      nodes:
        inner:
          do:
            graph:
              state: { own: { start: 1 } }
              begin: a
              nodes: { a: { do: { value: 2 }, writes: { own: '= own + result' } } }
          writes: { said: '= result.own' }
        risky: { do: { agent: fragile, task: fail }, retry: 1, on_error: mend, writes: { said: never } }
        mend: { do: { value: '{{ error.node }}' }, writes: { said: '= result' } }
        safe: { do: { agent: fragile, task: fail }, or_else: instead, writes: { said: '= result' } }
      edges:
        - { from: inner, to: [risky, safe] }
      output: '= said'
";
    assert_eq!(made(flow, "x").await, r#"[3,"instead","risky"]"#);
    let error = made(
        &flow
            .replace("on_error: mend, ", "")
            .replace("inner, to: [risky", "inner, to: [mend, risky")
            .replace("{{ error.node }}", ""),
        "x",
    )
    .await;
    assert!(
        error.starts_with("step1: branch 2 of 3 failed: node risky: step1: the agent `fragile`"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_graph_is_told_before_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["agents", "workflows"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let wrong = "
steps:
  - graph:
      state: { text: { merge: appendd }, item: {} }
      begin: writ
      nodes:
        write: { do: { value: '= txt' }, writes: { textt: 1 } }
        review: { do: { value: '= error' }, join: al }
        lonely: { do: { value: 1 }, on_eror: write }
        loop_a: { do: { value: 1 } }
        loop_b: { do: { value: 1 } }
      edges:
        - { from: write, to: reviw }
        - { from: write, to: [review, loop_a] }
        - { from: loop_a, to: loop_b }
        - { from: loop_b, to: loop_a }
";
    std::fs::write(folder.path().join("workflows/flow.yaml"), wrong).unwrap();
    let told = |folder: &std::path::Path| -> String {
        let errors = Project::load(folder).unwrap_err();
        let told = errors.iter().map(|error| {
            let at =
                error.location().map(|at| format!("{}:{}", at.line.unwrap_or(0), at.column.unwrap_or(0)));
            format!("{} {} | {}\n", at.unwrap_or_default(), error.message(), error.help().unwrap_or_default())
        });
        told.collect()
    };
    let first = told(folder.path());
    for expected in [
        "4:31 `steps[1].graph.state.text.merge` must be one of `replace`, `append`, `add`, not",
        "4:42 `item` cannot be the name of a field",
        "5:14 the graph has no node `writ` | did you mean `write`?",
        "7:31 there is no value `txt` here | did you mean `text`?",
        "7:52 the graph has no field `textt` | did you mean `text`?",
        "8:32 there is no value `error` here",
        "unknown key `steps[1].graph.nodes.lonely.on_eror` | did you mean `on_error`?",
        "13:30 the graph has no node `reviw` | did you mean `review`?",
        "9:9 nothing leads to the node `lonely` | add an edge that leads there, or take it out",
        "10:9 `loop_a` → `loop_b` → `loop_a` go round for ever: no edge between them has a condition",
    ] {
        assert!(first.contains(expected), "{expected}\n---\n{first}");
    }
}

/// A graph that counts to a number, and keeps what it has counted.
fn counting(most: u64) -> Graph<'static> {
    Graph::new()
        .state("count", Merge::Add)
        .state("seen", Merge::Append)
        .super_steps(100_000)
        .node("count", |_, state: State| async move {
            Ok(Writes::to("count", json!(1)).and("seen", json!(state.get("count").value.as_u64())))
        })
        .edge(START, "count")
        .branch("count", ["count", END], move |state| {
            let is_over = state.get("count").value.as_u64().is_some_and(|number| number >= most);
            vec![if is_over { END } else { "count" }]
        })
}

/// How much is recorded, in bytes.
fn bytes(records: &[Record]) -> usize {
    records.iter().map(|record| format!("{:?}", record.entry).len()).sum()
}

async fn records_of(most: u64) -> Vec<Record> {
    let adjutant = open(&Counter::default());
    let flow = Workflow::new("counting").directed_by(counting(most));
    let run = adjutant.start(&flow, "go").await.unwrap();
    let reply = run.reply().await.unwrap();
    assert_eq!(reply.data.unwrap()["seen"].as_array().unwrap().len() as u64, most);
    run.records().await.unwrap()
}

#[tokio::test]
async fn ten_thousand_super_steps_have_linear_storage() {
    let few = records_of(2_500).await;
    let began = Instant::now();
    let many = records_of(10_000).await;
    let (few_bytes, many_bytes) = (bytes(&few), bytes(&many));
    println!("2,500: {few_bytes} bytes; 10,000: {many_bytes} bytes in {:?}", began.elapsed());
    let segments = many.iter().filter(|record| matches!(record.entry, Entry::RolledOver { .. })).count();
    assert_eq!(segments, 9);
    assert!(many_bytes < few_bytes * 9 / 2, "{few_bytes} bytes become {many_bytes}");
    let states = history(&many);
    assert_eq!(states.len(), 10_001);
    assert_eq!(states[7_000].state["count"], 7_000);
    assert_eq!(states[7_000].state["seen"].as_array().unwrap().len(), 7_000);
}

#[tokio::test]
async fn a_plan_whose_graph_is_long_goes_on_in_the_next_segment() {
    let flow = "
steps:
  - { id: before, value: 7 }
  - graph:
      state: { count: { merge: add } }
      super_steps: 3000
      begin: count
      nodes: { count: { do: { value: 1 }, writes: { count: '= result' } } }
      edges: [{ from: count, to: count, when: count < 2500 }]
  - value: '{{ before }} and {{ last.count }}'
";
    let (_folder, adjutant) = project(flow);
    let run = adjutant.start("flow", "x").await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "7 and 2500");
    assert_eq!(run.records().await.unwrap().last().unwrap().segment, 2);
}

#[tokio::test]
async fn a_segment_ends_while_a_title_is_still_made() {
    let titler = Scripted::from_fn(|_, _| Some(Turn::text("Counting").after(Duration::from_millis(600))));
    let adjutant = Adjutant::builder()
        .in_memory()
        .model("main", Scripted::from_fn(obey))
        .model("fast", titler)
        .build()
        .unwrap();
    let flow = Workflow::new("counting").directed_by(counting(1_200));
    let run = adjutant.start(&flow, "count as far as you can").await.unwrap();
    run.reply().await.unwrap();
    let records = run.records().await.unwrap();
    let at = |found: &dyn Fn(&Entry) -> bool| records.iter().position(|record| found(&record.entry)).unwrap();
    let is_title = |entry: &Entry| entry.key().is_some_and(|key| key.as_str().contains("title"));
    let first = at(&|entry| entry.key().is_some_and(|key| key.as_str() == "/state#0"));
    assert!(at(&is_title) < first + 10, "it is begun beside the work");
    assert_eq!(records.last().unwrap().segment, 1);
    assert_eq!(run.title().await.unwrap().as_deref(), Some("Counting"));
}

#[tokio::test]
async fn a_state_of_the_past_can_be_seen_edited_and_gone_on_from() {
    let (_folder, adjutant) = project(DRAFTS);
    let run = adjutant.start("flow", "x").await.unwrap();
    run.reply().await.unwrap();
    let states = history(&run.records().await.unwrap());
    let seen: Vec<_> = states
        .iter()
        .map(|state| (state.super_step, state.nodes.join(" "), state.state["text"].clone()))
        .collect();
    assert_eq!(seen.len(), 7);
    assert_eq!(seen[0], (0, String::new(), json!("x")));
    assert_eq!(seen[3], (3, "write".to_owned(), json!("<<x>>")));
    let edited = json!({ "super_step": 3, "nodes": ["write"], "set": { "text": "edited", "rounds": 40 } });
    let edit = Edit { key: states[3].step.clone(), outcome: Ok(Json::of(&edited).unwrap()) };
    let forked = run.fork(&states[3].step, vec![edit]).await.unwrap();
    let reply = adjutant.handle(&forked.run).reply().await.unwrap();
    assert_eq!(reply.data, Some(json!({ "drafts": ["<x>", 3, 6], "rounds": 40, "text": "edited" })));
}

#[tokio::test]
async fn a_node_may_be_a_person() {
    let flow = "
steps:
  - graph:
      state: { text: { start: '= input' }, verdict: {} }
      begin: write
      nodes:
        write: { do: { agent: writer, task: '{{ text }}' }, writes: { text: '= result' } }
        ask:
          do: { person: 'Is {{ text }} good?', answer: { good: boolean } }
          writes: { verdict: '= result' }
      edges:
        - { from: write, to: ask }
        - { from: ask, to: write, when: '!verdict' }
      output: '= text'
";
    let (_folder, adjutant) = project(flow);
    let run = adjutant.start("flow", "x").await.unwrap();
    let mut answered = Vec::new();
    let mut updates = run.drive();
    loop {
        // A run that waits again at once need not be seen working in between.
        let pause = Duration::from_millis(10);
        if let Ok(None) = tokio::time::timeout(pause, updates.next()).await {
            break;
        }
        for wait in run.waits().await.unwrap() {
            let Wait::Signal { name, .. } = wait else { continue };
            if answered.contains(&name) {
                continue;
            }
            let answer = Answer::Accept(json!({ "good": answered.len() == 1 }).as_object().cloned());
            run.answer(&name, answer).await.unwrap();
            answered.push(name);
        }
    }
    assert_eq!(run.outcome().await.unwrap().text, "<<x>>");
}

#[tokio::test]
async fn a_graph_in_rust_asks_agents_and_calls_tools() {
    let writer = adjutant::Agent::new("writer").model("main").instructions("Write.");
    let flow = Workflow::new("flow").agent(&writer).tool(count).directed_by(
        Graph::new()
            .state("input", Merge::Replace)
            .state("text", Merge::Replace)
            .state("squares", Merge::Append)
            .agent("write", "writer", "input", "text")
            .node("square", |stage: Stage, state: State| async move {
                let number = usize::try_from(state.item().unwrap().value.as_u64().unwrap()).unwrap();
                Ok(Writes::to("squares", stage.call("count", arguments(number)).await?))
            })
            .node("close", |_, _| async { Ok(Writes::to("squares", "closed")) })
            .waits("close", Waits::All)
            .edge(START, "write")
            .each("write", "square", |_| Item::new(json!([3, 2])))
            .edge("write", "close")
            .edge("square", "close"),
    );
    let reply = open(&Counter::default()).run(&flow, "x").await.unwrap();
    assert_eq!(reply.data, Some(json!({ "input": "x", "squares": [9, 4, "closed"], "text": "<x>" })));
}

#[test]
fn the_form_of_a_graph_in_rust_is_checked() {
    let node = |_: Stage, _: State| async { Ok(Writes::none()) };
    let graph = || Graph::new().node("a", node).edge(START, "a");
    for (graph, expected) in [
        (graph().edge("a", END), ""),
        (graph().edge("a", "aa"), "an edge names the node `aa`, which the graph does not have"),
        (graph().node("b", node), "nothing leads to the node `b`"),
        (graph().edge("a", "a"), "`a` → `a` go round for ever: no edge between them has a condition"),
        (graph().start("x", "y"), "the graph has no field `x` that could begin with a value"),
    ] {
        let told = graph.check().map_or_else(|error| error.message().to_owned(), |()| String::new());
        assert_eq!(told, expected);
    }
}

/// A graph of nodes in rows, each with edges to some of the next row, and some cycles that a counter ends.
fn random(seed: u64) -> Graph<'static> {
    let mut draw = seed;
    let mut draw = move |below: u64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % below
    };
    let mut graph = Graph::new().state("log", Merge::Append).state("sum", Merge::Add).super_steps(60);
    let rows: Vec<u64> = (0..3).map(|_| 1 + draw(3)).collect();
    for (row, width) in rows.iter().enumerate() {
        for place in 0..*width {
            let name = format!("n{row}_{place}");
            let (number, wait) = (usize::try_from(14 + draw(80)).unwrap(), draw(3));
            let logged = name.clone();
            graph = graph.node(&name, move |stage: Stage, state: State| {
                let name = logged.clone();
                async move {
                    let square = stage.call("count", arguments(number)).await?;
                    if wait > 0 {
                        stage.ctx().sleep(Duration::from_millis(wait * 3)).await?;
                    }
                    let item = state.item().map(|item| item.value.clone());
                    Ok(Writes::to("log", json!([[name, item]])).and("sum", square))
                }
            });
            let names: Vec<String> = rows
                .get(row + 1)
                .map_or(Vec::new(), |width| (0..*width).map(|to| format!("n{}_{to}", row + 1)).collect());
            for to in names {
                graph = match draw(4) {
                    0 => graph.each(&name, to, |state| {
                        let items = state.get("sum").value.as_u64().unwrap_or_default() % 3;
                        Item::new(json!((0..items).collect::<Vec<_>>()))
                    }),
                    1 => graph.branch(&name, [to.clone()], move |state| {
                        let is_even = state.get("sum").value.as_u64().is_some_and(|sum| sum % 2 == 0);
                        if is_even { vec![to.clone()] } else { Vec::new() }
                    }),
                    _ => graph.edge(&name, to),
                };
            }
            if row > 0 && draw(2) == 0 {
                let back = format!("n{}_0", row - 1);
                graph = graph.branch(&name, [back.clone()], move |state| {
                    let few = state.get("log").value.as_array().is_none_or(|log| log.len() < 12);
                    if few { vec![back.clone()] } else { Vec::new() }
                });
            }
        }
        if row == 0 {
            for place in 0..*width {
                graph = graph.edge(START, format!("n0_{place}"));
            }
        }
    }
    graph
}

/// What a random graph makes, how often its tool was called, and how often its process was stopped: each time after less than
/// `pause` calls.
async fn outcome(seed: u64, pause: Option<u64>) -> (Value, usize, u64) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs.db");
    let counter = Counter::default();
    let flow = || Workflow::new("random").tool(count).directed_by(random(seed));
    let stops = AtomicU64::new(0);
    loop {
        let model = Scripted::from_fn(obey);
        let adjutant: Adjutant =
            Adjutant::builder().store(&store).model("main", model).resource(counter.clone()).build().unwrap();
        let run: Run = adjutant.start(&flow(), Task::new("go").id("one")).await.unwrap();
        let before = counter.0.load(Ordering::SeqCst);
        let mut updates = run.drive();
        let is_over = loop {
            let update = tokio::time::timeout(Duration::from_millis(2), updates.next()).await;
            match update {
                Ok(Some(update)) => drop(update.unwrap()),
                Ok(None) => break true,
                Err(_) => {}
            }
            let done = (counter.0.load(Ordering::SeqCst) - before) as u64;
            if pause.is_some_and(|pause| done > (seed + stops.load(Ordering::Relaxed)) % pause) {
                break false;
            }
        };
        if is_over {
            let data = run.outcome().await.map(|reply| reply.data.unwrap());
            let value = data.unwrap_or_else(|error| json!(error.message()));
            return (value, counter.0.load(Ordering::SeqCst), stops.load(Ordering::Relaxed));
        }
        stops.fetch_add(1, Ordering::Relaxed);
        updates.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_random_graph_makes_the_same_under_restarts() {
    let (mut longest, mut stops) = (0, 0);
    for seed in 0..12 {
        let (whole, calls, _) = outcome(seed, None).await;
        let (stopped, calls_when_stopped, times) = outcome(seed, Some(4)).await;
        assert_eq!(whole, stopped, "seed {seed}");
        // A call may be under way when the process stops, and is made again: it says of itself that this does no harm.
        assert!(calls_when_stopped >= calls, "seed {seed}");
        longest = longest.max(calls);
        stops += times;
    }
    assert!(longest > 10 && stops > 24, "{longest} calls, {stops} stops");
    println!("{longest} calls at most, {stops} stops");
}
