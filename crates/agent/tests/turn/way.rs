//! The way of a turn: what the model is sent, and what the run makes of its answers.

use crate::bench::{Bench, agent, echoes, shown};
use adjutant_agent::Stop;
use adjutant_agent::definition::steps;
use adjutant_core::limit::Limit;
use adjutant_model::scripted::Turn;

#[tokio::test]
async fn a_question_is_answered() {
    let bench = Bench::new(agent(), [Turn::text("It is on its way.")]);
    let reply = bench.run("Where is it?").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop, reply.turns), ("It is on its way.", Stop::Answered, 1));
    assert!(reply.usage.total() > 0);
    assert_eq!(reply.cost, None, "the price of the scripted model is not known");
}

#[tokio::test]
async fn calls_are_made_and_their_results_read() {
    let bench = Bench::new(agent(), [echoes("a"), echoes("b").expecting_last("echo: a"), Turn::text("ab")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "ab");
    assert_eq!(
        shown(&bench.check(&run).await),
        [
            "system: You are a desk.",
            "user: go",
            r#"assistant: echo{"text":"a"}"#,
            "tool: echo: a",
            r#"assistant: echo{"text":"b"}"#,
            "tool: echo: b",
            "assistant: ab",
        ]
    );
}

#[tokio::test]
async fn the_limit_of_steps_gives_a_last_turn_without_tools() {
    let last = Turn::text("I have a.").expecting(|request| {
        let note = request.messages.last().unwrap().text();
        let is_last =
            request.tool_choice == adjutant_model::ToolChoice::None && note.contains("limit of steps");
        if is_last { Ok(()) } else { Err("the last turn".into()) }
    });
    let bench = Bench::new(agent().limit(steps(1)), [echoes("a"), last]);
    let reply = bench.run("go").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop), ("I have a.", Stop::LimitReached(Limit::Steps)));
    assert_eq!(reply.turns, 2);
}
