//! How a run ends: limits, a model's stop signals, and the form of the answer.

use std::time::Duration;

use adjutant_agent::definition::{errors, idle_time, money, repeats, steps, tokens, wall_time};
use adjutant_agent::summary::State;
use adjutant_agent::{Agent, Stop, Summary};
use adjutant_core::limit::Limit;
use adjutant_core::money::Prices;
use adjutant_core::tool::Effect;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error};
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_model::{Abilities, Delta, Profile, StopReason, ToolChoice};
use adjutant_tool::{Context, FunctionTool, Output};
use serde_json::{Value, json};

use crate::bench::{Bench, Roles, agent, assert_rebuilt, echo, echoes, pause_for, shown, spec, tape, tool};

/// A model that calls for ever, until it is given its last turn.
fn tireless(call: impl Fn(usize) -> Turn + Send + Sync + 'static) -> Scripted {
    Scripted::from_fn(move |request, place| {
        Some(if request.tool_choice == ToolChoice::None { Turn::text("that is all") } else { call(place) })
    })
}

async fn stop_of(agent: Agent, model: Scripted) -> (Stop, String, u32) {
    let reply = Bench::with(agent, Roles::main(model)).run("go").await.unwrap();
    (reply.stop, reply.text, reply.turns)
}

#[tokio::test]
async fn each_limit_gives_a_last_turn_and_is_named() {
    let used = Usage { input: 60, output: 40, ..Usage::default() };
    let prices = Prices::new(10_000.into(), 10_000.into());
    let profile = Profile { prices: Some(prices), ..Profile::default() };
    let each = |place: usize| echoes(&place.to_string());
    let last = |limit| (Stop::LimitReached(limit), "that is all".to_owned());
    let broken = || agent().tool(tool("broken", |_| Err(Error::new(Code::ToolFailed, "no").into())));
    let cases = [
        (agent().limit(steps(3)), tireless(each), Limit::Steps, 4),
        (agent().limit(tokens(500)), tireless(move |p| each(p).with_usage(used)), Limit::Tokens, 4),
        (
            agent().limit(money("6 USD")),
            tireless(move |p| each(p).with_usage(used)).with_profile(profile),
            Limit::Money,
            5,
        ),
        (
            broken().limit(errors(2)),
            tireless(|p| Turn::calls([("broken", json!({ "text": p.to_string() }))])),
            Limit::Errors,
            3,
        ),
        (agent().limit(repeats(3)), tireless(|_| echoes("again")), Limit::Repeats, 4),
        (agent().limit(repeats(2)), tireless(|p| echoes(["a", "b"][p % 2])), Limit::Repeats, 5),
        (agent().limit(repeats(2)), tireless(|p| echoes(["a", "b", "c"][p % 3])), Limit::Repeats, 7),
        (
            agent().limit(wall_time(Duration::from_millis(60))),
            tireless(move |p| each(p).after(Duration::from_millis(40))),
            Limit::WallTime,
            3,
        ),
    ];
    for (agent, model, limit, turns) in cases {
        let (stop, text, made) = stop_of(agent, model).await;
        assert_eq!((stop, text), last(limit));
        assert_eq!(made, turns, "{limit:?}");
    }
}

#[tokio::test]
async fn the_same_call_with_other_results_is_no_repetition() {
    let count = std::sync::atomic::AtomicU32::new(0);
    let poll = tool("poll", move |_| {
        Ok(Output::text(count.fetch_add(1, std::sync::atomic::Ordering::SeqCst).to_string()))
    });
    let agent = Agent::new("desk").instructions("x").tool(poll).limit(repeats(2));
    let turns = (0..6).map(|_| Turn::calls([("poll", json!({ "text": "" }))])).chain([Turn::text("ready")]);
    let reply = Bench::new(agent, turns).run("go").await.unwrap();
    assert_eq!((reply.stop, reply.turns), (Stop::Answered, 7));
}

#[tokio::test]
async fn a_tool_that_shows_no_sign_of_life_reaches_the_limit_of_idle_time() {
    let lively = FunctionTool::new(spec("lively", Effect::Pure), |_: Value, context: Context| async move {
        for _ in 0..6 {
            pause_for(Duration::from_millis(30)).await;
            context.progress("still here");
        }
        Ok(Output::text("done"))
    });
    let dead = FunctionTool::new(spec("dead", Effect::Pure), |_: Value, _: Context| std::future::pending());
    let agent = Agent::new("desk").instructions("x").tool(lively).tool(dead);
    let model = tireless(|place| Turn::calls([(["lively", "dead"][place], json!({ "text": "" }))]));
    let (stop, _, turns) = stop_of(agent.limit(idle_time(Duration::from_millis(120))), model).await;
    assert_eq!((stop, turns), (Stop::LimitReached(Limit::IdleTime), 3));
}

#[tokio::test]
async fn a_model_that_shows_no_sign_of_life_reaches_the_limit_of_idle_time() {
    let silent = || Turn::text("too late").after(Duration::from_secs(60));
    for (answer, text) in [(Turn::text("that is all"), "that is all"), (silent(), "")] {
        let (model, sent) = tape(move |place| match place {
            0 => echoes("a"),
            1 => silent(),
            _ => answer.clone(),
        });
        let bench = Bench::with(agent().limit(idle_time(Duration::from_millis(100))), Roles::main(model));
        bench.serve();
        let run = bench.begin("go", None).await;
        let reply = bench.end(&run).await.unwrap();
        assert_eq!((reply.stop, reply.text.as_str()), (Stop::LimitReached(Limit::IdleTime), text));
        // It is asked once more, and what is silent is not asked again and again.
        assert_eq!(reply.turns, 3);
        let records = bench.records(&run).await;
        let sent = sent.lock().unwrap().clone();
        assert_rebuilt(&records, &bench.definition(), None, &sent);
        assert_eq!(sent[2].tool_choice, ToolChoice::None);
        let said = shown(&bench.check(&run).await);
        assert_eq!(said[3], "tool: echo: a");
        assert!(said[4].contains("The limit of idle time for this task is reached"), "{said:?}");
        assert_eq!(said.len(), 5 + usize::from(!text.is_empty()));
        let gave_up = Summary::of(&records).unwrap().steps.into_iter().find_map(|step| match step.state {
            State::Failed(error) => Some(error),
            _ => None,
        });
        let gave_up = gave_up.unwrap();
        assert_eq!(
            (gave_up.code(), gave_up.message()),
            (Code::RunLimit, "the model gave no sign of life for 100ms")
        );
    }
}

#[tokio::test]
async fn a_model_that_calls_in_its_last_turn_is_not_heeded() {
    let bench = Bench::new(agent().limit(steps(1)), [echoes("a"), echoes("b")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    let reply = bench.end(&run).await.unwrap();
    assert_eq!((reply.stop, reply.text.as_str()), (Stop::LimitReached(Limit::Steps), ""));
    let messages = bench.check(&run).await;
    let last = messages.last().unwrap().results().next().unwrap().as_text();
    assert!(last.starts_with("tool-denied: tools are no longer available"), "{last}");
}

#[tokio::test]
async fn a_models_stop_signal_ends_the_run() {
    let said = |text: &str, stop| Turn::deltas([Ok(Delta::Text(text.into())), Ok(Delta::End(stop))]);
    for (turn, stop, text) in [
        (said("I must not.", StopReason::Refusal), Stop::Refused, "I must not."),
        (said("half", StopReason::ContentFilter), Stop::Filtered, "half"),
        (said("half", StopReason::MaxTokens), Stop::CutOff, "half"),
        (said("ok", StopReason::StopSequence), Stop::Answered, "ok"),
    ] {
        let reply = Bench::new(agent(), [turn]).run("go").await.unwrap();
        assert_eq!((reply.stop, reply.text.as_str()), (stop, text));
    }
}

#[tokio::test]
async fn an_empty_answer_is_asked_for_once_more() {
    let empty = || Turn::deltas([Ok(Delta::End(StopReason::EndTurn))]);
    let (model, sent) = tape(move |place| if place == 0 { empty() } else { Turn::text("here") });
    let reply = Bench::with(agent(), Roles::main(model)).run("go").await.unwrap();
    assert_eq!((reply.stop, reply.text.as_str()), (Stop::Answered, "here"));
    assert!(sent.lock().unwrap()[1].messages.last().unwrap().text().contains("last answer was empty"));
    let (model, _) = tape(move |_| empty());
    let reply = Bench::with(agent(), Roles::main(model)).run("go").await.unwrap();
    assert_eq!((reply.stop, reply.turns), (Stop::Empty, 2));
}

#[tokio::test]
async fn an_announcement_is_no_answer() {
    let turns =
        [Turn::text("I will look it up:"), echoes("a").expecting_last("announces"), Turn::text("It is a.")];
    let reply = Bench::new(agent(), turns).run("go").await.unwrap();
    assert_eq!((reply.stop, reply.text.as_str()), (Stop::Answered, "It is a."));
}

fn form() -> Value {
    json!({
        "type": "object",
        "properties": { "status": { "type": "string" } },
        "required": ["status"],
        "additionalProperties": false,
    })
}

#[tokio::test]
async fn an_answer_has_the_form_that_is_asked_for() {
    let agent = || agent().output_schema(form());
    let fits = || Turn::text(r#"{"status":"open"}"#);
    let reply = Bench::new(agent(), [fits()]).run("go").await.unwrap();
    assert_eq!(reply.data, Some(json!({ "status": "open" })));
    let repaired = [Turn::text("It is open."), fits().expecting_last("it is not JSON")];
    let reply = Bench::new(agent(), repaired).run("go").await.unwrap();
    assert_eq!((reply.data, reply.turns), (Some(json!({ "status": "open" })), 2));
    let never = [Turn::text("It is open."), Turn::text(r#"{"state":1}"#)];
    let error = Bench::new(agent(), never).run("go").await.unwrap_err();
    assert_eq!(error.code(), Code::RunOutputInvalid);
}

/// The abilities decide where the form stands: in the request, where it is enforced or a tool asks for it, or else in the
/// prompt.
#[tokio::test]
async fn the_form_stands_in_the_prompt_where_nothing_else_can_ask_for_it() {
    for (structured_output, tools, in_prompt) in
        [(true, false, false), (false, true, false), (false, false, true)]
    {
        let abilities = Abilities { structured_output, tools, ..Abilities::default() };
        let turn = Turn::text(r#"{"status":"open"}"#).expecting(move |request| {
            let told = request.messages[0].text().contains(r#""status""#);
            let fits = told == in_prompt && request.output.is_none() == in_prompt;
            if fits { Ok(()) } else { Err("the schema at one place".into()) }
        });
        let profile = Profile { abilities, ..Profile::default() };
        let model = Scripted::new([turn]).with_profile(profile);
        let agent = Agent::new("desk").instructions("You are a desk.").output_schema(form());
        let reply = Bench::with(agent, Roles::main(model)).run("go").await.unwrap();
        assert_eq!(reply.data, Some(json!({ "status": "open" })), "{abilities:?}");
    }
}

#[tokio::test]
async fn what_cannot_begin_is_refused_before_it_is_recorded() {
    use adjutant_agent::{Input, Start, start};
    use adjutant_core::id::RunId;
    let profile =
        Profile { abilities: Abilities { tools: false, ..Abilities::default() }, ..Profile::default() };
    let cases = [
        (
            Agent::new("desk").instructions("Hi {{ name }}").variable("name", Value::Null),
            "main",
            Code::PromptVariable,
        ),
        (Agent::new("desk").instructions("x").model("other"), "main", Code::ModelUnknown),
        (Agent::new("desk").instructions("x").tool(echo()), "plain", Code::ModelUnsupported),
    ];
    for (agent, role, code) in cases {
        let agent = if role == "plain" { agent.model("plain") } else { agent };
        let plain = Scripted::new([]).with_id("plain-1").with_profile(profile.clone());
        let bench = Bench::with(agent, Roles::main(Scripted::new([])).with("plain", plain));
        let start = Start::new(RunId::from_bytes([9; 10]), bench.definition(), Input::text("go"));
        let error = start::start(bench.engine.as_ref(), &bench.models, start).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(bench.engine.runs(10).await.unwrap().is_empty());
    }
}
