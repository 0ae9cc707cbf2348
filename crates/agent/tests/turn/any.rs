//! Whatever a model, its tools and people do: the transcript is valid, the journal gives back every request, and a
//! run that changes hands in the middle ends as it would have ended anyway.

use std::sync::Arc;
use std::time::Duration;

use adjutant_agent::approval::Answer;
use adjutant_agent::definition::{ContextWindow, errors, repeats, steps};
use adjutant_agent::{Agent, start};
use adjutant_core::message::{Message, Role, transcript_fault};
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error};
use adjutant_durable::{Wait, waits};
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_model::{Delta, Request, StopReason};
use adjutant_tool::{Context, Failure, FunctionTool, Output};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::{Bench, Roles, assert_rebuilt, pause_for, spec, tape};

/// What a tool does.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answer,
    Long,
    Fail,
    Panic,
    Stop,
}

/// What a model writes.
#[derive(Clone, Debug)]
enum Says {
    Text,
    Nothing,
    Colon,
    Calls(Vec<Call>),
    Refusal,
    Cut,
    Busy,
    TooLong,
}

#[derive(Clone, Debug)]
enum Call {
    Tool(Does),
    Approved(Does),
    Unknown,
    BadArguments,
}

/// What somebody does meanwhile.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Nothing,
    Steers,
    Cancels,
    /// The process stops, and another takes over.
    Stops,
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        6 => Just(Does::Answer),
        2 => Just(Does::Long),
        2 => Just(Does::Fail),
        1 => Just(Does::Panic),
        1 => Just(Does::Stop),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => does().prop_map(Call::Tool),
        2 => does().prop_map(Call::Approved),
        1 => Just(Call::Unknown),
        1 => Just(Call::BadArguments),
    ]
}

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        2 => Just(Says::Text),
        1 => Just(Says::Nothing),
        1 => Just(Says::Colon),
        10 => prop::collection::vec(call(), 1..4).prop_map(Says::Calls),
        1 => Just(Says::Refusal),
        1 => Just(Says::Cut),
        1 => Just(Says::Busy),
        1 => Just(Says::TooLong),
    ]
}

fn turn(says: &Says, place: usize) -> Turn {
    let ended = |text: &str, stop| Turn::deltas([Ok(Delta::Text(text.into())), Ok(Delta::End(stop))]);
    match says {
        Says::Text => Turn::text("all done"),
        Says::Nothing => Turn::deltas([Ok(Delta::End(StopReason::EndTurn))]),
        Says::Colon => Turn::text("I look it up:"),
        Says::Refusal => ended("I must not", StopReason::Refusal),
        Says::Cut => ended("half an", StopReason::MaxTokens),
        Says::Busy => Turn::error(Error::new(Code::ModelRequestRefused, "no")),
        Says::TooLong => Turn::error(Error::new(Code::ModelContextExceeded, "too long")),
        Says::Calls(calls) => {
            let calls = calls.iter().enumerate().map(|(index, call)| {
                let text = |does: &Does| json!({ "text": format!("{does:?} {place} {index}") });
                match call {
                    Call::Tool(does) => ("t", text(does)),
                    Call::Approved(does) => ("asked", text(does)),
                    Call::Unknown => ("unheard_of", json!({})),
                    Call::BadArguments => ("t", json!({ "txt": [] })),
                }
            });
            Turn::calls(calls)
        }
    }
}

fn worker(name: &str, effect: Effect) -> FunctionTool {
    FunctionTool::new(spec(name, effect), |arguments: Value, _: Context| async move {
        let text = arguments["text"].as_str().unwrap().to_owned();
        match text.split_once(' ').unwrap().0 {
            "Answer" => Ok(Output::text(text)),
            "Long" => Ok(Output::text(format!("{text} {}", "x".repeat(3_000)))),
            "Fail" => Err(Failure::Model(Error::new(Code::ToolFailed, text))),
            "Stop" => Err(Failure::Run(Error::new(Code::ToolInvalid, text))),
            _ => panic!("{text}"),
        }
    })
}

fn agent(window: u64) -> Agent {
    Agent::new("desk")
        .instructions("You are a desk.")
        .tool(worker("t", Effect::Pure))
        .tool(worker("asked", Effect::Idempotent))
        .approve("asked")
        .limit(steps(8))
        .limit(errors(4))
        .limit(repeats(3))
        .context(ContextWindow { tokens: Some(window), keep_turns: 2, ..ContextWindow::default() })
}

struct Case {
    script: Vec<Says>,
    window: u64,
    meanwhile: Meanwhile,
    after: usize,
    approve: bool,
}

/// Runs a case to its end. Returns what the model was sent and what came of it.
async fn run(case: &Case) -> (Vec<Request>, Result<String, Code>) {
    let script = case.script.clone();
    let (model, sent) =
        tape(move |place| script.get(place).map_or(Turn::text("the end"), |says| turn(says, place)));
    let fast = Scripted::from_fn(|_, _| Some(Turn::text("a summary"))).with_id("fast-1");
    let roles = Roles::main(model).with("fast", fast);
    let mut bench = Bench::with(agent(case.window), roles);
    let run = bench.begin("go", None).await;
    bench.serve();
    let mut done = false;
    loop {
        let info = bench.engine.info(&run).await.unwrap();
        if info.outcome.is_some() {
            break;
        }
        assert!(info.halted.is_none(), "{:?}", info.halted);
        let records = bench.records(&run).await;
        for wait in waits(&run, &records) {
            if let Wait::Signal { name, .. } = wait {
                // It may have been answered and be over by now.
                let answer = Answer { approve: case.approve, ..Answer::default() };
                let _ = start::approve(bench.engine.as_ref(), &run, &name, &answer).await;
            }
        }
        if !done && records.len() >= case.after {
            done = true;
            match case.meanwhile {
                Meanwhile::Nothing => {}
                Meanwhile::Steers => {
                    let _ = start::steer(bench.engine.as_ref(), &run, "1", &Message::user("faster")).await;
                }
                Meanwhile::Cancels => {
                    let _ = start::cancel(bench.engine.as_ref(), &run, "enough").await;
                }
                Meanwhile::Stops => {
                    let (engine, models) = (Arc::clone(&bench.engine), bench.models.clone());
                    drop(bench);
                    bench = Bench::on(engine, agent(case.window), models);
                    bench.serve();
                }
            }
        }
        pause_for(Duration::from_millis(1)).await;
    }
    let result = bench.end(&run).await.map(|reply| reply.text).map_err(|error| error.code());
    bench.check(&run).await;
    let records = bench.records(&run).await;
    let sent = sent.lock().unwrap().clone();
    for request in &sent {
        let messages: Vec<Message> = request.messages.iter().map(|message| (**message).clone()).collect();
        assert_eq!(transcript_fault(&messages), None);
        assert!(messages.iter().any(|m| m.role == Role::User && m.text() == "go"), "the task is never lost");
    }
    if !matches!(case.meanwhile, Meanwhile::Cancels) {
        assert_rebuilt(&records, &bench.definition(), None, &sent);
    }
    (sent, result)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(
        script in prop::collection::vec(says(), 0..12),
        window in prop_oneof![Just(100_000u64), Just(2_500u64)],
        meanwhile in prop_oneof![
            Just(Meanwhile::Nothing), Just(Meanwhile::Steers), Just(Meanwhile::Cancels), Just(Meanwhile::Stops)
        ],
        after in 1usize..30,
        approve in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let case = Case { script, window, meanwhile, after, approve };
        let (_, result) = runtime.block_on(run(&case));
        if let Meanwhile::Stops = case.meanwhile {
            let (_, undisturbed) = runtime.block_on(run(&Case { meanwhile: Meanwhile::Nothing, ..case }));
            prop_assert_eq!(result, undisturbed);
        }
    }
}
