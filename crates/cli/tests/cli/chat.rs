//! Conversations, as a program types them.

use adjutant_testkit::provider::{Answer, MockProvider};
use serde_json::json;

use crate::sandbox::{Sandbox, sees};

async fn talk(answers: impl IntoIterator<Item = Answer>, more: &str) -> (MockProvider, Sandbox) {
    let provider = MockProvider::answering(answers).start().await.expect("a port");
    let sandbox = Sandbox::with_agent(more);
    sandbox.write(
        "adjutant.toml",
        &format!(
            "[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{}\"\n\n\
             [tools.note]\ntype = \"command\"\ndescription = \"Files a note.\"\ncommand = [\"echo\", \"filed\"]\n\
             effect = \"at_most_once\"\nparameters = {{}}\n",
            provider.base_url()
        ),
    );
    (provider, sandbox)
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_know_what_was_said() {
    let answers = ["Hello, Ann.", "You are Ann.", "Still Ann."].map(Answer::text);
    let (provider, sandbox) = talk(answers, "").await;
    sees!(sandbox.run_with_input(&["chat", "--session", "ann"], "I am Ann.\n\nWho am I?\n"), @"
    exit 0
    --- stdout
    Hello, Ann.
    You are Ann.
    --- stderr
    desk, session ann; an empty line or Ctrl-D leaves
    run [run]: answered after 1 turn, 0 tool calls, 15 tokens, price unknown, [time]
    run [run]: answered after 1 turn, 0 tool calls, 15 tokens, price unknown, [time]
    to go on: adjutant chat --session ann
    ");
    sees!(sandbox.run(&["run", "--session", "ann", "And now?"]), @"
    exit 0
    --- stdout
    Still Ann.
    --- stderr
    run [run]
    run [run]: answered after 1 turn, 0 tool calls, 15 tokens, price unknown, [time]
    ");
    let last = provider.requests().pop().unwrap();
    let said: Vec<_> =
        last["messages"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect();
    assert_eq!(said, ["You help.", "I am Ann.", "Hello, Ann.", "Who am I?", "You are Ann.", "And now?"]);
    provider.assert_clean();
    sees!(sandbox.run(&["runs"]), @"
    exit 0
    --- stdout
    run  agent  state  began  took  session  outcome
    [run]  desk  ended  [moment]  [time]  ann  Still Ann.
    [run]  desk  ended  [moment]  [time]  ann  You are Ann.
    [run]  desk  ended  [moment]  [time]  ann  Hello, Ann.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_in_the_conversation() {
    let call = || Answer::calls([("c1", "note", json!({}))]);
    let again = Answer::calls([("c2", "note", json!({}))]);
    let answers = [call(), Answer::text("Filed."), again, Answer::text("Not filed.")];
    let (provider, sandbox) = talk(answers, "tools: [note]\napprove: [note]").await;
    sees!(sandbox.run_with_input(&["chat"], "File it!\ny\nAgain!\nnot twice\n"), @"
    exit 0
    --- stdout
    Filed.
    Not filed.
    --- stderr
    desk, session [run]; an empty line or Ctrl-D leaves
    allow note {} (the agent's definition asks for it)
    [y]es, [n]o, or the reason why not: 
    tool note {}
      -> note: 5 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 30 tokens, price unknown, [time]
    allow note {} (the agent's definition asks for it)
    [y]es, [n]o, or the reason why not: 
    tool note {}
      -> note failed: tool-denied: a person refused the call: not twice...
    run [run]: answered after 2 turns, 1 tool call, 30 tokens, price unknown, [time]
    to go on: adjutant chat --session [run]
    ");
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_nobody_answers_waits() {
    let answers = [Answer::calls([("c1", "note", json!({}))]), Answer::text("Filed.")];
    let (provider, sandbox) = talk(answers, "tools: [note]\napprove: [note]").await;
    sees!(sandbox.run_with_input(&["chat", "--session", "s"], "File it!\n"), @r#"
    exit 3
    --- stderr
    desk, session s; an empty line or Ctrl-D leaves
    allow note {} (the agent's definition asks for it)
    [y]es, [n]o, or the reason why not: 
    run [run] waits for a person
      to allow note {} (the agent's definition asks for it)
        adjutant runs approve [run]
        adjutant runs approve [run] --deny --reason "..."
    to go on: adjutant chat --session s
    "#);
    // The next conversation begins with the turn that is open.
    sees!(sandbox.run_with_input(&["chat", "--session", "s"], "y\n"), @"
    exit 0
    --- stdout
    Filed.
    --- stderr
    desk, session s; an empty line or Ctrl-D leaves
    run [run] of this session is not over; it goes on
    allow note {} (the agent's definition asks for it)
    [y]es, [n]o, or the reason why not: 
    tool note {}
      -> note: 5 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 30 tokens, price unknown, [time]
    to go on: adjutant chat --session s
    ");
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_ends_the_turn_and_not_the_conversation() {
    let answers = [Answer::status(400, "bad thing"), Answer::text("Better.")];
    let (_provider, sandbox) = talk(answers, "").await;
    sees!(sandbox.run_with_input(&["chat"], "One\nTwo\n"), @"
    exit 0
    --- stdout
    Better.
    --- stderr
    desk, session [run]; an empty line or Ctrl-D leaves
    error[model-request-refused]: the provider at `[address]` answered with status 400: bad thing (request `req_mock`)
    run [run]: answered after 1 turn, 0 tool calls, 15 tokens, price unknown, [time]
    to go on: adjutant chat --session [run]
    ");
}
