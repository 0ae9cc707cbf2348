//! Agents that follow several lines of work at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adjutant::agent::definition::{Over, Strategy, Tree};
use adjutant::core::label::Readers;
use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use serde_json::json;

fn asked(request: &Request) -> String {
    request.messages.last().map(|message| message.text()).unwrap_or_default()
}

/// Whether the model is asked as the helper that says this of itself.
fn is(request: &Request, says: &str) -> bool {
    request.messages.first().is_some_and(|message| message.text().contains(says))
}

/// What counts how often a model is asked.
type Count = Arc<AtomicUsize>;

/// A model of which the way east, and then up, is the right one. As the agent itself it says what it was asked last.
fn guiding() -> (Scripted, Count) {
    let count = Count::default();
    let counted = Arc::clone(&count);
    let model = Scripted::from_fn(move |request, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        let text = asked(request);
        let results = request.messages.last().is_some_and(|message| message.results().next().is_some());
        Some(if is(request, "in which ways the work") {
            Turn::text(&json!({ "ways": ["go west", "go east", "go up", "go down"] }).to_string())
        } else if is(request, "how likely it leads") {
            let score = match (text.contains("1. go east"), text.contains("2. go up")) {
                (true, true) => json!({ "score": 0.9, "solves": true }),
                (true, false) => json!({ "score": 0.6, "solves": false }),
                (false, _) if text.contains("1. go west") => json!({ "score": 0.0, "solves": false }),
                (false, _) => json!({ "score": 0.3, "solves": false }),
            };
            Turn::text(&score.to_string())
        } else if results {
            Turn::text(&request.messages.last()?.results().next()?.as_text())
        } else if let Some((_, step)) = text.rsplit_once("nothing else of it: go ") {
            Turn::calls([("look", json!({ "where_to": step }))])
        } else {
            Turn::text(&text)
        })
    });
    (model, count)
}

fn guide() -> (Adjutant, Count) {
    let (model, count) = guiding();
    (Adjutant::builder().in_memory().model("main", model).build().unwrap(), count)
}

/// Looks somewhere.
#[tool(pure)]
fn look(where_to: String) -> String {
    format!("there is light {where_to}")
}

/// Opens a door.
#[tool(idempotent)]
fn open(door: String) -> String {
    door
}

fn walker(tree: Tree) -> Agent {
    Agent::new("walker").instructions("You find ways.").strategy(Strategy::Tree(tree))
}

#[tokio::test]
async fn the_best_line_of_thoughts_is_answered_with() {
    let (adjutant, count) = guide();
    let run = adjutant.start(&walker(Tree::USUAL), "Find the way.").await.unwrap();
    let text = run.reply().await.unwrap().text;
    assert!(text.contains("1. go east\n2. go up\n\nNow answer the task"), "{text}");
    // The second level goes on from two of three lines, and ends the search before the third.
    assert_eq!(count.load(Ordering::SeqCst), (1 + 3) + (2 + 6) + 1);
    let children = run.summary().await.unwrap().steps.iter().filter(|step| step.run.is_some()).count();
    assert_eq!(children, 13);
}

#[tokio::test]
async fn a_search_ends_before_it_asks_too_often() {
    let (adjutant, count) = guide();
    let tree = Tree { calls: Some(20), ..Tree::USUAL };
    let agent = walker(tree);
    let text = adjutant.run(&agent, "Find the way.").await.unwrap().text;
    // After the first level, which took 4 calls, 16 are left: enough for the best line.
    assert!(text.contains("1. go east\n2. go up"), "{text}");
    assert_eq!(count.load(Ordering::SeqCst), (1 + 3) + (1 + 3) + 1);
    let (adjutant, count) = guide();
    let agent = walker(Tree { calls: Some(9), ..Tree::USUAL });
    let text = adjutant.run(&agent, "Find the way.").await.unwrap().text;
    assert!(text.ends_with("Find the way."), "one way alone fits, which leads nowhere: {text}");
    assert_eq!(count.load(Ordering::SeqCst), 2 + 1);
    assert_eq!(agent.definition().unwrap().most_model_calls(), Some(9 + 52));
}

#[tokio::test]
async fn what_is_done_in_branches_is_known_to_those_that_go_on() {
    let (adjutant, _) = guide();
    let agent = walker(Tree { over: Over::Actions, ..Tree::USUAL }).tool(look);
    let text = adjutant.run(&agent, "Find the way.").await.unwrap().text;
    let line = "1. go east\nthere is light east\n2. go up\nthere is light up\n\nNow answer";
    assert!(text.contains(line), "{text}");
    let itself = &agent.definition().unwrap().agents[0].definition;
    assert_eq!((itself.name.as_str(), itself.limits.steps), ("walker", 5));
}

#[test]
fn branches_over_actions_change_nothing() {
    let actions = Tree { over: Over::Actions, ..Tree::USUAL };
    let error = walker(actions).tool(look).tool(open).build().unwrap_err();
    assert_eq!(
        error.message(),
        "the tool `open` is idempotent, and a tree search over actions takes pure tools alone"
    );
    let porter = Agent::new("porter").description("Opens doors.").instructions("Open.").tool(open);
    let chief = Agent::new("chief").description("Has doors opened.").instructions("Ask.").agent(&porter);
    let error = walker(actions).agent(&chief).build().unwrap_err();
    assert!(error.message().starts_with("the tool `open` of the agent `porter` is idempotent"), "{error}");
    assert!(walker(Tree::USUAL).tool(open).agent(&chief).build().is_ok());
}

#[test]
fn a_tree_stands_in_the_front_matter() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    std::fs::write(
        folder.path().join("adjutant.toml"),
        "[tools.docs]\ntype = \"files\"\nroot = \".\"\nwrite = true\n",
    )
    .unwrap();
    let read = |strategy: &str| {
        let text = format!("---\nmodel: main\ntools: [docs]\nstrategy: {strategy}\n---\nHelp.\n");
        std::fs::write(folder.path().join("agents/desk.md"), text).unwrap();
        Project::load(folder.path())
    };
    let project = read("{ name: tree, width: 4, calls: 100 }").unwrap();
    let tree = Tree { width: 4, calls: Some(100), ..Tree::USUAL };
    assert_eq!(Strategy::of(project.definition("desk").unwrap()), Some(Strategy::Tree(tree)));
    let error = read("{ name: tree, over: actions }").unwrap_err().swap_remove(0);
    assert!(error.message().contains("` is idempotent, and a tree search over actions"), "{error}");
    let at = error.location().unwrap();
    assert!(at.file.ends_with("agents/desk.md"), "{at:?}");
    assert_eq!((at.line, at.column), (Some(3), Some(9)));
    let error = read("{ name: tree, over: action }").unwrap_err().swap_remove(0);
    assert_eq!(error.help(), Some("did you mean `actions`?"));
}

#[tokio::test]
async fn a_search_goes_on_where_its_process_stopped() {
    let folder = tempfile::tempdir().unwrap();
    for stopped_after in [2, 7, 12] {
        let store = folder.path().join(format!("{stopped_after}.db"));
        let begin = || {
            let (model, count) = guiding();
            (Adjutant::builder().store(&store).model("main", model).build().unwrap(), count)
        };
        let task = || Task::new("Find the way.").id("one");
        let (first, count) = begin();
        let run = first.start(&walker(Tree::USUAL), task()).await.unwrap();
        let updates = run.drive();
        while count.load(Ordering::SeqCst) < stopped_after {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        updates.stop().await.unwrap();
        drop((run, first));
        let (second, later) = begin();
        let text = second.run(&walker(Tree::USUAL), task()).await.unwrap().text;
        assert!(text.contains("1. go east\n2. go up\n\nNow answer the task"), "{text}");
        assert!(later.load(Ordering::SeqCst) < 13, "what was answered is not asked again");
    }
}

#[tokio::test]
async fn what_is_given_up_has_had_its_say() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    let tool = |name: &str, flow: &str| {
        format!(
            "[tools.{name}]\ntype = \"command\"\ncommand = [\"echo\", \"light\"]\ndescription = \"Looks.\"\neffect = \"pure\"\n{flow}\n"
        )
    };
    let tools = [tool("near", ""), tool("far", "flow = { readers = [\"ann\"] }")].concat();
    std::fs::write(folder.path().join("adjutant.toml"), tools).unwrap();
    let strategy = "{ name: tree, over: actions, width: 2, depth: 1 }";
    let agent = format!("---\nmodel: main\ntools: [near, far]\nstrategy: {strategy}\n---\nYou find ways.\n");
    std::fs::write(folder.path().join("agents/desk.md"), agent).unwrap();
    let readers = async |ways: &'static [&'static str]| {
        let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
        let model = Scripted::from_fn(move |request, _| {
            let text = asked(request);
            Some(if is(request, "in which ways the work") {
                Turn::text(&json!({ "ways": ways }).to_string())
            } else if is(request, "how likely it leads") {
                let score = if text.contains("1. near") { 0.9 } else { 0.1 };
                Turn::text(&json!({ "score": score, "solves": true }).to_string())
            } else if let Some((_, step)) = text.rsplit_once("nothing else of it: ") {
                Turn::calls([(step, json!({}))])
            } else {
                Turn::text("Here.")
            })
        });
        let adjutant = Adjutant::builder().in_memory().project(project).model("main", model).build().unwrap();
        adjutant.run("desk", "Find the way.").await.unwrap().label.unwrap().readers
    };
    assert_eq!(readers(&["near"]).await, Readers::Anyone);
    assert_ne!(
        readers(&["near", "far"]).await,
        Readers::Anyone,
        "it was compared with what it was better than"
    );
}
