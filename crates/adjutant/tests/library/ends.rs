//! How runs end, and what is recorded of that.

use std::sync::Mutex;

use adjutant::agent::definition::{Completion, Condition};
use adjutant::core::message::{Message, Part, ToolCall};
use adjutant::core::usage::Usage;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use serde_json::json;

use crate::shop::{Till, desk, look_up, pay_cents, saying};

#[tokio::test]
async fn an_end_is_recorded_with_its_condition_its_figures_and_what_was_left() {
    let adjutant = saying([look_up(), pay_cents(5), Turn::text("It is on its way.")]);
    let run = adjutant.start(&desk().limit(steps(1)), "Where is it? And pay.").await.unwrap();
    let reply = run.reply().await.unwrap();
    let ending = reply.ending.unwrap();
    assert_eq!(ending.condition, "stopped by the limit of steps");
    assert_eq!((ending.figures.steps, ending.figures.tool_calls), (2, 2));
    assert_eq!(ending.figures.tokens, reply.usage.total());
    assert_eq!(ending.open, ["`pay` was still to be called"]);
    assert!(ending.to_string().ends_with("; left open: `pay` was still to be called"), "{ending}");
}

#[tokio::test]
async fn an_answer_leaves_nothing_open() {
    let adjutant = saying([look_up(), Turn::text("It is on its way.")]);
    let reply = adjutant.run(&desk(), "Where is it?").await.unwrap();
    let ending = reply.ending.clone().unwrap();
    assert_eq!((ending.condition.as_str(), ending.figures.tool_calls), ("answered", 1));
    assert!(ending.open.is_empty());
    // What earlier versions wrote is read as well.
    let mut older = serde_json::to_value(&reply).unwrap();
    older.as_object_mut().unwrap().remove("ending").unwrap();
    assert_eq!(serde_json::from_value::<Reply>(older).unwrap(), Reply { ending: None, ..reply });
}

/// An Adjutant whose agents say one thing and whose judges another.
fn judged(says: impl IntoIterator<Item = Turn>, judge: impl IntoIterator<Item = Turn>) -> (Adjutant, Agent) {
    // Each of its calls stands alone.
    let judge = Mutex::new(judge.into_iter().collect::<Vec<_>>().into_iter());
    let judge = Scripted::from_fn(move |_, _| judge.lock().unwrap().next());
    let adjutant = Adjutant::builder()
        .in_memory()
        .model("main", Scripted::new(says))
        .model("critic", judge.with_id("scripted-critic"))
        .resource(Till::default())
        .build()
        .unwrap();
    (adjutant, desk().check(Completion::default().judge("critic")))
}

fn verdict(done: bool, missing: &str) -> Turn {
    Turn::text(&json!({ "done": done, "missing": missing }).to_string())
}

#[tokio::test]
async fn an_answer_that_promises_what_was_not_done_goes_back_once() {
    let says = [
        Turn::text("I have paid."),
        pay_cents(5).expecting_last("claims or promises what was not done: the payment"),
        Turn::text("Now I have paid."),
    ];
    let judge = [verdict(false, "the payment").expecting_last("I have paid."), verdict(true, "")];
    let (adjutant, agent) =
        judged(says, judge.map(|turn| turn.with_usage(Usage { input: 100, ..Usage::default() })));
    let reply = adjutant.run(&agent, "Pay 5 cents.").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop), ("Now I have paid.", Stop::Answered));
    assert!(reply.ending.unwrap().open.is_empty());
    assert!(reply.usage.input >= 200, "what the judge takes counts");
}

#[tokio::test]
async fn what_the_second_answer_leaves_open_is_recorded() {
    let says = [Turn::text("I have paid."), Turn::text("I have, really.")];
    let (adjutant, agent) = judged(says, [verdict(false, "the payment"), verdict(false, "the payment")]);
    let reply = adjutant.run(&agent, "Pay 5 cents.").await.unwrap();
    assert_eq!(reply.text, "I have, really.");
    assert_eq!(reply.ending.unwrap().open, ["the payment"]);
}

#[tokio::test]
async fn a_judge_that_gives_no_verdict_holds_nothing_up() {
    let (adjutant, agent) = judged([Turn::text("I have paid.")], [Turn::text("Hm.")]);
    let reply = adjutant.run(&agent, "Pay 5 cents.").await.unwrap();
    assert_eq!(reply.text, "I have paid.");
    assert_eq!(reply.ending.unwrap().open, ["the answer was not checked"]);
}

#[tokio::test]
async fn an_agent_ends_once_it_has_done_enough() {
    let condition = || Condition::any([Condition::tool("pay"), Condition::all([Condition::Steps(9)])]);
    let both = Turn::message(&Message::assistant(vec![
        Part::text("Paid."),
        Part::ToolCall(ToolCall { id: "1".into(), name: "pay".into(), arguments: r#"{"cents":5}"#.into() }),
    ]));
    let adjutant = saying([look_up(), both]);
    let reply = adjutant.run(&desk().stop(condition()), "Pay 5 cents.").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop, reply.turns), ("Paid.", Stop::Enough, 2));
    assert_eq!(reply.ending.unwrap().condition, "`pay` was called");

    // Who has said nothing yet has a last turn.
    let adjutant = saying([pay_cents(5), Turn::text("Done.").expecting_last("You have done enough")]);
    let reply = adjutant.run(&desk().stop(condition()), "Pay 5 cents.").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop), ("Done.", Stop::Enough));
    assert_eq!(reply.ending.unwrap().condition, "`pay` was called");
}

#[tokio::test]
async fn a_call_that_fails_is_not_enough() {
    let fails = Turn::calls([("order", json!({ "number": 7 }))]);
    let adjutant = saying([fails, look_up(), Turn::text("On its way.")]);
    let reply = adjutant.run(&desk().stop(Condition::tool("order")), "Look.").await.unwrap();
    assert_eq!((reply.stop, reply.turns), (Stop::Enough, 3));
}

#[test]
fn conditions_of_a_file_are_told_with_their_places() {
    let read = |stop: &str| {
        let text = format!("---\nmodel: main\ntools: [pay]\nstop: {stop}\n---\nHi.\n");
        Agent::markdown("desk.md", &text).map(|agent| agent.source().stop.clone())
    };
    let stop = read("{ any: [{ tool: pay }, { all: [{ wall_time: 5m }, { contains: READY }] }] }").unwrap();
    let five = Condition::wall_time(std::time::Duration::from_secs(300));
    let both = Condition::all([five, Condition::Contains("READY".into())]);
    assert_eq!(stop, Some(Condition::any([Condition::tool("pay"), both])));
    for (wrong, told) in [
        ("{ tool: pay, steps: 3 }", "desk.md:4:7: `stop` must hold one condition"),
        ("{ any: [{ stesp: 3 }] }", "desk.md:4:17: unknown key `stop.any.stesp` | did you mean `steps`?"),
        ("{ all: [] }", "desk.md:4:14: `stop.all` must be a list of conditions"),
    ] {
        let errors = read(wrong).unwrap_err();
        let all: Vec<_> = errors.iter().map(|e| format!("{e} | {}", e.help().unwrap_or_default())).collect();
        assert!(all.iter().any(|error| error.contains(told)), "{all:#?}");
    }
}

#[tokio::test]
async fn a_condition_names_tools_that_there_are() {
    let error = desk().stop(Condition::tool("pya")).build().unwrap_err();
    assert!(error.message().contains("`stop` names `pya`"), "{error}");
    assert_eq!(error.help(), Some("did you mean `pay`?"));
}

#[tokio::test]
async fn an_agent_ends_when_a_model_judges_that_it_is_good_or_hopeless() {
    let score = |score: u32| Turn::text(&json!({ "reason": "words", "score": score }).to_string());
    let cases = [
        (
            Condition::quality("The order is found.", 0.8),
            [40, 90],
            "`The order is found.` was judged to be 90 of 100",
        ),
        (Condition::confidence_below(0.3), [40, 10], "was judged to be 10 of 100"),
    ];
    for (condition, scores, why) in cases {
        let judge = Mutex::new(scores.map(score).into_iter());
        let judge = Scripted::from_fn(move |_, _| judge.lock().unwrap().next()).with_id("scripted-judge");
        let says =
            [look_up(), look_up(), Turn::text("That is what I have.").expecting_last("You have done enough")];
        let adjutant = Adjutant::builder()
            .in_memory()
            .model("main", Scripted::new(says))
            .model("judge", judge)
            .resource(Till::default())
            .build()
            .unwrap();
        // The judge is asked only where the rest leaves it open.
        let condition = Condition::all([
            Condition::ToolCalls(1),
            Condition::any([Condition::Says("x".into()), condition]),
        ]);
        let reply = adjutant.run(&desk().stop(condition), "Look.").await.unwrap();
        assert_eq!((reply.stop, reply.turns), (Stop::Enough, 3));
        let ending = reply.ending.unwrap();
        assert!(ending.condition.ends_with(why), "{}", ending.condition);
    }
}

#[tokio::test]
async fn a_workflow_ends_with_what_was_made_last_once_it_has_done_enough() {
    let flow = |stop: &str, steps: &str| format!("stop: {stop}\nsteps: {steps}\n");
    let numbered =
        "[{ agent: writer, task: one }, { agent: writer, task: two }, { agent: writer, task: three }]";
    let refine = "[{ refine: { draft: { agent: writer, task: 'd {{ draft }}' }, review: { value: 1 }, accept: 'false', rounds: 9 } }]";
    let cases = [
        ("{ steps: 2 }", numbered, "<two>", "it had 2 steps"),
        ("{ contains: on }", numbered, "<one>", "it said something with `on`"),
        (
            "{ all: [{ tool: writer }, { tool_calls: 2 }] }",
            numbered,
            "<two>",
            "`writer` was called and it had called 2 tools",
        ),
        (
            "{ repeats: 2 }",
            "[{ map: [1, 1, 2], do: { agent: writer, task: same }, at_a_time: 1 }]",
            "<same>",
            "it had done the same 2 times",
        ),
        (
            "{ errors: 2 }",
            "[{ agent: writer, task: a }, { map: [1, 2, 3], do: { agent: fragile, task: fail, or_else: 0 } , at_a_time: 1 }]",
            "<a>",
            "2 calls had failed in a row",
        ),
        // A pattern that gives what it has does so.
        ("{ steps: 3 }", refine, "<d <d <d >>>", "it had 3 steps"),
    ];
    for (stop, steps, text, why) in cases {
        let reply = crate::workflows::run(&flow(stop, steps), "go")
            .await
            .unwrap_or_else(|error| panic!("{stop}: {error}"));
        assert_eq!((reply.text.as_str(), reply.stop), (text, Stop::Enough), "{stop}");
        assert_eq!(reply.ending.unwrap().condition, why, "{stop}");
    }
    let folder = crate::workflows::folder(&flow("{ confidence: 0.3 }", numbered));
    let errors = Project::load(folder.path()).unwrap_err();
    assert!(errors[0].to_string().contains("flow.yaml:1:7: no model judges"), "{errors:?}");
}

#[tokio::test]
async fn a_project_says_when_any_of_its_agents_has_done_enough() {
    let folder =
        crate::workflows::folder("steps: [{ agent: writer, task: one }, { agent: writer, task: two }]\n");
    std::fs::write(
        folder.path().join("adjutant.toml"),
        "[stop]\nany = [{ steps = 1 }, { contains = \"x\" }]\n",
    )
    .unwrap();
    let project = Project::load(folder.path()).unwrap();
    let model = Scripted::from_fn(crate::workflows::obey);
    let adjutant = Adjutant::builder().project(project).model("main", model).build().unwrap();
    let reply = adjutant.run("flow", "go").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop), ("<one>", Stop::Enough));
    std::fs::write(folder.path().join("adjutant.toml"), "[stop]\nsteps = 0\n").unwrap();
    let errors = Project::load(folder.path()).unwrap_err();
    assert!(errors[0].to_string().contains("adjutant.toml"), "{errors:?}");
}
