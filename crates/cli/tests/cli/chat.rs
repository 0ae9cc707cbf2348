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
    run  agent  state  began  took  session  title  outcome
    [run]  desk  ended  [moment]  [time]  ann  And now?   Still Ann.
    [run]  desk  ended  [moment]  [time]  ann  Who am I?  You are Ann.
    [run]  desk  ended  [moment]  [time]  ann  I am Ann.  Hello, Ann.
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piped_line_is_a_message_and_never_an_answer() {
    let answers = [Answer::calls([("c1", "note", json!({}))]), Answer::text("Filed.")];
    let (provider, sandbox) = talk(answers, "tools: [note]\napprove: [note]").await;
    sees!(sandbox.run_with_input(&["chat", "--session", "s"], "File it!\ny\n"), @r#"
    exit 3
    --- stderr
    desk, session s; an empty line or Ctrl-D leaves
    run [run] waits for a person
      to allow note {} (the agent's definition asks for it)
        adjutant runs approve [run]
        adjutant runs approve [run] --deny --reason "..."
    to go on: adjutant chat --session s
    "#);
    let open = sandbox.newest();
    // The next conversation begins with the turn that is open, and so does the next turn.
    sees!(sandbox.run_with_input(&["chat", "--session", "s"], "y\n"), @r#"
    exit 3
    --- stderr
    desk, session s; an empty line or Ctrl-D leaves
    it goes on: File it!
    run [run] of this session is not over; it goes on
    run [run] waits for a person
      to allow note {} (the agent's definition asks for it)
        adjutant runs approve [run]
        adjutant runs approve [run] --deny --reason "..."
    to go on: adjutant chat --session s
    "#);
    sees!(sandbox.run(&["run", "--session", "s", "And now?"]), @r#"
    exit 3
    --- stderr
    run [run]
    run [run] waits for the run [run] of the same session, which needs an approval
    run [run] waits for a person
      to allow note {} (the agent's definition asks for it)
        adjutant runs approve [run]
        adjutant runs approve [run] --deny --reason "..."
      and then this one: adjutant runs resume [run]
    "#);
    let behind = sandbox.newest();
    assert_ne!(behind, open);
    sees!(sandbox.run(&["runs", "cancel", &open]), @"
    exit 0
    --- stderr
    run [run]: cancelled, and over
    ");
    sees!(sandbox.run(&["runs", "resume", &behind]), @"
    exit 0
    --- stdout
    Filed.
    --- stderr
    run [run] (desk)
    run [run]: answered after 1 turn, 0 tool calls, 15 tokens, price unknown, [time]
    ");
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reply_is_a_line_of_json() {
    let call = Answer::calls([("c1", "note", json!({}))]);
    let (provider, sandbox) = talk([Answer::text("Hello."), call], "tools: [note]\napprove: [note]").await;
    let mut chat = sandbox.shell("printf 'Hi\\nFile it!\\nmore\\n' | $ADJUTANT chat --json");
    let output = chat.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", sandbox.seen(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let replies: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(replies.len(), 2, "{text}");
    assert_eq!(replies[0]["reply"]["text"], "Hello.");
    assert_eq!(replies[1]["waits"][0]["signal"]["request"]["tool"], "note", "{text}");
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_no_text_is_refused() {
    let (_provider, sandbox) = talk([Answer::text("Hello.")], "").await;
    let output = sandbox.shell("printf 'Hi\\n\\377\\376\\nmore\\n' | $ADJUTANT chat").output().unwrap();
    sees!(sandbox.seen(&output), @"
    exit 2
    --- stdout
    Hello.
    --- stderr
    desk, session [run]; an empty line or Ctrl-D leaves
    run [run]: answered after 1 turn, 0 tool calls, 15 tokens, price unknown, [time]
    error[input-invalid]: line 2 of standard input is not UTF-8 text

    hint: convert it, for example with `iconv -t UTF-8`
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_a_failure() {
    let (_provider, sandbox) = talk(["", "", ""].map(Answer::text), "").await;
    let seen = sandbox.run(&["run", "Hi"]);
    assert!(seen.starts_with("exit 1"), "{seen}");
    assert!(seen.contains("the run ended without an answer: the model gave none"), "{seen}");
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
