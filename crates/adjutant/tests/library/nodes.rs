//! What a step or a node of a graph may have beside its work: types of what it writes, results that are kept, patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use adjutant::workflow::{Planned, plan};

use crate::workflows::{folder, made};

/// A graph with one typed field that its one node writes.
fn typed(merge: &str, kind: &str, written: &str) -> String {
    format!(
        "
steps:
  - graph:
      state: {{ x: {{ merge: {merge}, type: {kind} }} }}
      begin: a
      nodes: {{ a: {{ do: {{ value: '= input' }}, writes: {{ x: {written} }} }} }}
"
    )
}

#[tokio::test]
async fn a_field_holds_what_its_type_says_and_nothing_else() {
    let result = "'= result'";
    for (merge, kind, written, becomes) in [
        ("replace", "string", result, r#"{"x":"7"}"#),
        ("append", "string", result, r#"{"x":["7"]}"#),
        ("replace", "integer", "'= int(result)'", r#"{"x":7}"#),
        ("add", "number", "'= double(result) / 2.0'", r#"{"x":3.5}"#),
        ("replace", "list", "'= [result]'", r#"{"x":["7"]}"#),
        ("replace", "{ type: object, required: [n] }", "'= {\"n\": result}'", r#"{"x":{"n":"7"}}"#),
    ] {
        assert_eq!(made(&typed(merge, kind, written), "7").await, becomes, "{merge} {kind}");
    }
    for (merge, kind, why) in [
        ("replace", "integer", r#""7" is not of type "integer""#),
        ("append", "integer", r#""7" is not of type "integer""#),
        ("replace", "{ type: string, maxLength: 0 }", r#""7" is longer than 0 characters"#),
    ] {
        let error = made(&typed(merge, kind, result), "7").await;
        assert_eq!(error, format!("step1: the field `x` cannot hold this: {why}"), "{merge} {kind}");
    }
}

/// What is wrong with a workflow, each mistake without its file.
fn mistakes(flow: &str) -> Vec<String> {
    let folder = folder(flow);
    let errors = Project::load(folder.path()).map(drop).unwrap_err();
    let text = |error: &adjutant::Error| {
        let text = error.to_string();
        text.split_once("flow.yaml:").map_or(text.clone(), |(_, mistake)| mistake.to_owned())
    };
    errors.iter().map(text).collect()
}

#[test]
fn what_cannot_fit_is_told_before_it_runs() {
    for (merge, kind, written, why) in [
        (
            "replace",
            "integer",
            "'{{ result }}'",
            "6:60: `x` cannot hold this: it is of type \"string\", not \"integer\"",
        ),
        ("replace", "integer", "seven", "6:60: `x` cannot hold this: \"seven\" is not of type \"integer\""),
        ("append", "integer", "[1, two]", "6:60: `x` cannot hold this: \"two\" is not of type \"integer\""),
        (
            "replace",
            "list",
            "{ a: '= result' }",
            "6:60: `x` cannot hold this: it is of type \"object\", not \"array\"",
        ),
        ("replace", "boolean", "'= 1 + 1'", "6:60: `x` cannot hold this: 2 is not of type \"boolean\""),
        ("replace", "strin", "'= result'", "4:43: `steps[1].graph.state.x.type` must be one of `string`"),
    ] {
        let found = mistakes(&typed(merge, kind, written));
        assert!(found[0].starts_with(why), "{found:?}");
    }
    let started = typed("replace", "integer", "1").replace("type: integer", "type: integer, start: one");
    assert!(mistakes(&started)[0].contains("`start` cannot hold this"), "{:?}", mistakes(&started));
    let round = "
steps:
  - graph:
      begin: a
      nodes: { a: { do: { value: 1 } }, b: { do: { value: 2 } } }
      edges: [{ from: a, to: b }, { from: b, to: a, when: true }, { from: b, to: end, when: '1 > 2' }]
";
    assert!(mistakes(round)[0].contains("go round for ever"), "{:?}", mistakes(round));
}

#[derive(Clone, Default)]
struct Looks(Arc<AtomicUsize>);

/// Looks something up.
#[tool(pure)]
async fn look(what: String, looks: &Looks) -> Result<String, ToolError> {
    let number = looks.0.fetch_add(1, Ordering::SeqCst);
    if what == "nothing" {
        return Err(ToolError::new("there is nothing"));
    }
    Ok(format!("{what} {number}"))
}

/// Writes something down.
#[tool(idempotent)]
async fn note(what: String) -> Result<String, ToolError> {
    Ok(what)
}

fn planned(text: &str) -> Workflow {
    let parsed = plan::parse("kept.yaml", text).unwrap_or_else(|errors| panic!("{errors:?}"));
    Workflow::new("kept").tool(look).directed_by(Planned::new(parsed.plan))
}

#[tokio::test]
async fn what_is_kept_is_found_by_later_runs_with_the_same_values() {
    let folder = tempfile::tempdir().unwrap();
    let looks = Looks::default();
    let open = || {
        let builder = Adjutant::builder().store(folder.path().join("runs.db")).model("main", Offline::new());
        builder.resource(looks.clone()).build().unwrap()
    };
    let flow = |cache: &str| {
        format!(
            "steps: [{{ tool: look, arguments: {{ what: '= input' }}, cache: {cache} }}, {{ value: '= last' }}]\n"
        )
    };
    let run = async |cache: &str, task: Task| {
        open().run(&planned(&flow(cache)), task).await.map(|reply| reply.text)
    };
    assert_eq!(run("1h", Task::new("a")).await.unwrap(), "a 0");
    assert_eq!(run("1h", Task::new("a")).await.unwrap(), "a 0", "it was kept");
    assert_eq!(run("1h", Task::new("b")).await.unwrap(), "b 1", "of another value nothing was");
    assert_eq!(run("1h", Task::new("a").user("ann")).await.unwrap(), "a 2", "nor for another person");
    assert_eq!(run("2h", Task::new("a")).await.unwrap(), "a 3", "nor for another step");
    assert_eq!(
        run("2h", Task::new("a").budget("1 USD".parse().unwrap())).await.unwrap(),
        "a 3",
        "money is no difference"
    );
    let by_size = "{ for: 1h, key: '= size(input)' }";
    assert_eq!(run(by_size, Task::new("c")).await.unwrap(), "c 4");
    assert_eq!(run(by_size, Task::new("d")).await.unwrap(), "c 4", "it is found by what its author says");
    let short = "1ms";
    assert_eq!(run(short, Task::new("e")).await.unwrap(), "e 5");
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(run(short, Task::new("e")).await.unwrap(), "e 6", "it was too long ago");
    for number in 7..9 {
        assert!(run("1h", Task::new("nothing")).await.is_err(), "a failure is not kept");
        assert_eq!(looks.0.load(Ordering::SeqCst), number + 1);
    }
    // What was recorded is read, whatever was kept meanwhile.
    open().erase_user("ann", "admin").await.unwrap();
    assert_eq!(run("1h", Task::new("a")).await.unwrap(), "a 9", "and whoever is erased leaves nothing");
}

#[test]
fn only_what_looks_things_up_is_kept() {
    let check = |step: &str| {
        let parsed = plan::parse("kept.yaml", &format!("steps: [{step}]\n")).unwrap();
        let writer = Agent::new("writer").instructions("Write.").tool(note);
        let workflow = Workflow::new("kept").tool(look).tool(note).agent(&writer);
        let workflow = workflow.directed_by(Planned::new(parsed.plan.clone()));
        let definition = workflow.definition_with(&Default::default()).unwrap();
        parsed.plan.check(&definition).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(check("{ tool: look, arguments: { what: x }, cache: 1h }"), "");
    for (step, why) in [
        ("{ tool: note, arguments: { what: x }, cache: 1h }", "`note` does more than to look things up"),
        ("{ sequence: [{ agent: writer }], cache: 1h }", "`writer` does more than to look things up"),
        ("{ sequence: [{ person: Who? }], cache: 1h }", "asks a person"),
        ("{ value: 1, gate: { when: 'false', end: 2 }, cache: 1h }", "may end the workflow"),
    ] {
        assert!(check(step).contains(why), "{}", check(step));
    }
}

/// Says that it is at work as often as it is told, and then nothing any more.
#[tool(pure)]
async fn drowsy(signs: u32, context: &Context) -> Result<u32, ToolError> {
    for _ in 0..signs {
        tokio::time::sleep(Duration::from_millis(60)).await;
        context.progress("at work");
    }
    match signs % 2 {
        0 => Ok(signs),
        _ => std::future::pending().await,
    }
}

#[tokio::test]
async fn a_step_that_shows_no_sign_of_life_is_given_up_and_tried_again() {
    let model = Scripted::from_fn(|request: &adjutant::model::Request, _| {
        let quiet = request.messages.last()?.text().contains("quiet");
        Some(Turn::text("spoken").after(Duration::from_secs(if quiet { 600 } else { 0 })))
    });
    let adjutant = Adjutant::builder().in_memory().model("main", model).build().unwrap();
    let writer = Agent::new("writer").instructions("Write.");
    let run = async |step: &str| {
        let parsed =
            plan::parse("idle.yaml", &format!("steps: [{step}]\n")).unwrap_or_else(|e| panic!("{e:?}"));
        let workflow =
            Workflow::new("idle").tool(drowsy).agent(&writer).directed_by(Planned::new(parsed.plan));
        adjutant.run(&workflow, "go").await.map_or_else(|error| error.to_string(), |reply| reply.text)
    };
    // It is at work for longer than it may be silent.
    assert_eq!(run("{ tool: drowsy, arguments: { signs: 6 }, idle: 200ms }").await, "6");
    let silent = run("{ tool: drowsy, arguments: { signs: 1 }, idle: 200ms, retry: 1 }").await;
    assert!(silent.contains("no sign of life for 200ms"), "{silent}");
    assert_eq!(run("{ agent: writer, task: speak, idle: 200ms }").await, "spoken");
    let silent = run("{ agent: writer, task: quiet, idle: 200ms, or_else: 'nobody speaks' }").await;
    assert_eq!(silent, "nobody speaks");
    let silent = run("{ agent: writer, task: quiet, idle: 200ms }").await;
    assert!(silent.contains("the agent `writer` gave no sign of life for 200ms"), "{silent}");
}

#[test]
fn what_a_tool_is_called_with_is_looked_at_before_it_runs() {
    let check = |step: &str| {
        let parsed = plan::parse("calls.yaml", &format!("steps: [{step}]\n")).unwrap();
        let workflow = Workflow::new("calls").tool(drowsy).directed_by(Planned::new(parsed.plan.clone()));
        let definition = workflow.definition_with(&Default::default()).unwrap();
        parsed.plan.check(&definition).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(check("{ tool: drowsy, arguments: { signs: 2 } }"), "");
    assert_eq!(check("{ tool: drowsy, arguments: { signs: '= size(input)' } }"), "");
    for (arguments, why) in [
        ("{}", "calls `drowsy` without `signs`"),
        ("{ signs: two }", "whose `signs` cannot be this: \"two\" is not of type"),
        ("{ signs: 2, sign: 1 }", "which has no argument `sign`"),
        ("{ signs: '{{ input }}' }", "whose `signs` cannot be this: it is of type \"string\""),
    ] {
        let found = check(&format!("{{ tool: drowsy, arguments: {arguments} }}"));
        assert!(found.contains(why), "{found}");
    }
}

/// Says whether a text is long enough.
#[tool(pure)]
async fn long_enough(text: String, least: usize) -> Result<bool, ToolError> {
    match text.is_empty() {
        true => Err(ToolError::new("there is no text")),
        false => Ok(text.len() >= least),
    }
}

#[tokio::test]
async fn a_gate_may_be_a_function() {
    let run = async |value: &str, gate: &str| {
        let text = format!(
            "steps: [{{ value: '{value}', gate: {{ tool: long_enough, arguments: {{ text: '= result', least: 3 }}{gate} }} }}]\n"
        );
        let parsed = plan::parse("gates.yaml", &text).unwrap_or_else(|errors| panic!("{errors:?}"));
        let workflow = Workflow::new("gates").tool(long_enough).directed_by(Planned::new(parsed.plan));
        let adjutant = Adjutant::builder().in_memory().model("main", Offline::new()).build().unwrap();
        adjutant
            .run(&workflow, "go")
            .await
            .map_or_else(|error| error.message().to_owned(), |reply| reply.text)
    };
    assert_eq!(run("bell", "").await, "bell");
    assert_eq!(run("be", ", end: too short").await, "too short");
    let shut = "step1: its result did not pass the gate: `long_enough`";
    assert_eq!(run("be", "").await, format!("{shut} does not let it pass"));
    assert!(run("", "").await.starts_with(&format!("{shut} says: ")), "{}", run("", "").await);
}
