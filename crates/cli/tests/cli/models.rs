//! Models that cannot be reached, refuse, are slow, or lie.

use std::time::Duration;

use adjutant_testkit::provider::{Answer, Fault, MockProvider};

use crate::sandbox::{Sandbox, sees};

/// A project whose model is at this address.
fn project(base_url: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::with_agent("");
    sandbox.write(
        "adjutant.toml",
        &format!("[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{base_url}\"\n{more}"),
    );
    sandbox
}

async fn against(answers: impl IntoIterator<Item = Answer>) -> (MockProvider, Sandbox) {
    let provider = MockProvider::answering(answers).start().await.expect("a port");
    let sandbox = project(&provider.base_url(), "");
    (provider, sandbox)
}

#[test]
fn a_missing_key_is_said_before_anything_is_recorded() {
    let mut sandbox = Sandbox::with_agent("");
    sandbox.set("ADJUTANT_MODEL", "openai/gpt-4.1-mini");
    sees!(sandbox.run(&["run", "Hello!"]), @"
    exit 1
    --- stderr
    error[model-key-missing]: the key for the model `openai/gpt-4.1-mini` is missing: the environment variable `OPENAI_API_KEY` is not set

    hint: set it: `export OPENAI_API_KEY=...`, or choose another model: `ADJUTANT_MODEL=offline` needs no key
    ");
    sees!(sandbox.run(&["runs"]), @"
    exit 0
    --- stderr
    there are no runs yet
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_answers() {
    let (provider, sandbox) = against([Answer::text("Hello, **you**.")]).await;
    sees!(sandbox.run(&["run", "Hello!"]), @"
    exit 0
    --- stdout
    Hello, **you**.
    --- stderr
    run [run]
    run [run]: answered after 1 turn, 0 tool calls, 15 tokens, price unknown, [time]
    ");
    sees!(sandbox.run(&["runs", "show", &sandbox.newest(), "--requests"]), @r#"
    exit 0
    --- stdout
    {
      "messages": [
        {
          "content": "You help.",
          "role": "system"
        },
        {
          "content": "Hello!",
          "role": "user"
        }
      ],
      "model": "mock",
      "stream": true,
      "stream_options": {
        "include_usage": true
      }
    }
    --- stderr
    /turn#0/model#0 to openai/mock
    "#);
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key() {
    let (_provider, sandbox) = against([Answer::status(401, "Incorrect API key provided")]).await;
    sees!(sandbox.run(&["run", "Hello!"]), @"
    exit 1
    --- stderr
    run [run]
    halted: the provider at `[address]` answered with status 401: Incorrect API key provided (request `req_mock`)
    error[model-key-refused]: the provider at `[address]` answered with status 401: Incorrect API key provided (request `req_mock`)

    hint: check the key, and that it belongs to this provider
    to go on: adjutant runs resume [run]
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down() {
    let nowhere = MockProvider::nowhere().await.unwrap();
    let sandbox = project(&nowhere, "");
    sees!(sandbox.run(&["run", "Hello!"]), @"
    exit 1
    --- stderr
    run [run]
    the provider at `[address]` cannot be reached; trying again in [time]
    the provider at `[address]` cannot be reached; trying again in [time]
    the provider at `[address]` cannot be reached; trying again in [time]
    halted: the provider at `[address]` cannot be reached: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    error[model-unreachable]: the provider at `[address]` cannot be reached
    cause: error sending request
    cause: client error (Connect)
    cause: tcp connect error
    cause: Connection refused (os error 111)

    hint: start the server at `[address]`, or set another `base_url`
    to go on: adjutant runs resume [run]
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_slow() {
    let slow = Answer::text("late").with(Fault::SlowFirstByte(Duration::from_secs(60)));
    let provider = MockProvider::with(move |_| slow.clone()).start().await.unwrap();
    let sandbox = project(&provider.base_url(), "timeouts = { first_byte = \"200ms\" }\n");
    sees!(sandbox.run(&["run", "Hello!"]), @"
    exit 1
    --- stderr
    run [run]
    the provider at `[address]` did not begin to answer within [time]; trying again in [time]
    the provider at `[address]` did not begin to answer within [time]; trying again in [time]
    the provider at `[address]` did not begin to answer within [time]; trying again in [time]
    halted: the provider at `[address]` did not begin to answer within [time]
    error[model-timeout]: the provider at `[address]` did not begin to answer within [time]

    hint: to go on: adjutant runs resume [run]
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_lies() {
    let lying =
        Answer::text("x").with(Fault::Body("text/html".to_owned(), "<html>Welcome!</html>".to_owned()));
    let provider = MockProvider::with(move |_| lying.clone()).start().await.unwrap();
    let sandbox = project(&provider.base_url(), "");
    sees!(sandbox.run(&["run", "Hello!"]), @"
    exit 1
    --- stderr
    run [run]
    the provider at `[address]` answered with `text/html` and not with a completion: <html>Welcome!</html>; trying again in [time]
    the provider at `[address]` answered with `text/html` and not with a completion: <html>Welcome!</html>; trying again in [time]
    the provider at `[address]` answered with `text/html` and not with a completion: <html>Welcome!</html>; trying again in [time]
    halted: the provider at `[address]` answered with `text/html` and not with a completion: <html>Welcome!</html>
    error[model-answer-invalid]: the provider at `[address]` answered with `text/html` and not with a completion: <html>Welcome!</html>

    hint: check `base_url`: most servers want it to end with `/v1`
    to go on: adjutant runs resume [run]
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    let broken = Answer::text("Hello, I am about to").with(Fault::Cut(2));
    let (provider, sandbox) = against([broken, Answer::text("Hello, whole.")]).await;
    sees!(sandbox.run(&["run", "Hello!"]), @"
    exit 0
    --- stdout
    Hello, whole.
    --- stderr
    run [run]
    the connection to the provider at `[address]` broke within the answer; trying again in [time]
    run [run]: answered after 1 turn, 0 tool calls, 15 tokens, price unknown, [time]
    ");
    assert_eq!(provider.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_gives_one_last_turn() {
    let provider = MockProvider::stepping(50, serde_json::json!({})).start().await.unwrap();
    let sandbox = project(&provider.base_url(), "[tools.clock]\ntype = \"time\"\n");
    sandbox
        .write("agents/desk.md", "---\nmodel: main\ntools: [clock]\nlimits: { steps: 2 }\n---\nYou help.\n");
    sees!(sandbox.run(&["run", "Hello!"]), @"
    exit 4
    --- stderr
    run [run]
    tool now {}
      -> now: [size], [time]
    tool now {}
      -> now: [size], [time]
    the limit of steps is reached: one last turn without tools
    tool now {}
      -> now failed: tool-denied: tools are no longer available: a limit of the run is reached
    run [run]: stopped by the limit of steps after 3 turns, 3 tool calls, 45 tokens, price unknown, [time]; left open: `now` was still to be called
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_a_refused_key_from_a_provider_that_answers() {
    let provider = MockProvider::answering([]).key("sk-right").start().await.expect("a port");
    let mut sandbox = project(&provider.base_url(), "key = { env = \"KEY\" }\n");
    sandbox.set("KEY", "sk-wrong-1234");
    let told = sandbox.run(&["doctor"]);
    assert!(told.contains("missing  model main: the provider at") && told.contains("status 401"), "{told}");
    assert!(!told.contains("sk-wrong-1234"), "{told}");
    sandbox.set("KEY", "sk-right");
    let told = sandbox.run(&["doctor"]);
    assert!(told.contains("it answers and knows the model"), "{told}");
    assert_eq!(provider.count(), 0, "no model was asked");
}
