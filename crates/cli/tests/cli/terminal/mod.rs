//! The program in front of a person: on a terminal, with keys.

mod approvals;
mod screen;

use adjutant_testkit::provider::{Answer, Fault, MockProvider};
use serde_json::{Value, json};

use self::screen::Terminal;
use crate::pending;
use crate::sandbox::Sandbox;

/// What the line editor shows where a message is typed.
const PROMPT: &str = "you>";
/// Keys.
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const LEFT: &str = "\x1b[D";
const UP: &str = "\x1b[A";
const ENTER: &str = "\r";

/// A project on a provider that gives these answers. Its tool `note` writes into a file, `wait` waits for one.
async fn desk(answers: impl IntoIterator<Item = Answer>, more: &str) -> (MockProvider, Sandbox) {
    let provider = MockProvider::answering(answers).start().await.expect("a port");
    let sandbox = Sandbox::with_agent(more);
    sandbox.program("wait", "#!/bin/sh\necho waiting >&2\nwhile ! test -e go; do sleep 0.02; done\n");
    sandbox.write(
        "adjutant.toml",
        &format!(
            "[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{}\"\n\n\
             [tools.note]\ntype = \"command\"\ndescription = \"Files a note.\"\ncommand = [\"touch\", \"filed\"]\n\
             effect = \"at_most_once\"\nparameters = {{}}\n\n\
             [tools.wait]\ntype = \"command\"\ndescription = \"Waits.\"\ncommand = [\"./wait\"]\n\
             effect = \"pure\"\nparameters = {{}}\n",
            provider.base_url()
        ),
    );
    (provider, sandbox)
}

/// An answer that begins, and never ends.
fn endless(text: &str) -> Answer {
    Answer::text(text).with(Fault::Stall(2))
}

fn last_said(provider: &MockProvider) -> Vec<Value> {
    let request = provider.requests().pop().expect("a request");
    request["messages"].as_array().expect("messages").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_edited_and_remembered() {
    let (provider, sandbox) = desk(["First.", "Second."].map(Answer::text), "").await;
    let mut terminal = Terminal::open(&sandbox, 80, &["chat", "--session", "s"]);
    terminal.shows(PROMPT);
    terminal.types("Hllo");
    terminal.types(&LEFT.repeat(3));
    terminal.types("e");
    terminal.types(ENTER);
    terminal.shows("First.");
    assert_eq!(last_said(&provider)[1]["content"], "Hello");
    terminal.shows_times(PROMPT, 2);
    terminal.types(UP);
    terminal.shows_times("Hello", 2);
    terminal.types(ENTER);
    terminal.shows("Second.");
    assert_eq!(last_said(&provider)[3]["content"], "Hello");
    terminal.shows_times(PROMPT, 3);
    terminal.types(CTRL_D);
    assert_eq!(terminal.ends(), Some(0));
    assert!(terminal.contents().contains("to go on: adjutant chat --session s"), "{}", terminal.contents());
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_before_ctrl_c_is_heard_by_the_next_turn() {
    let (provider, sandbox) = desk([endless("Let me think"), Answer::text("Here again.")], "").await;
    let mut terminal = Terminal::open(&sandbox, 80, &["chat"]);
    terminal.shows(PROMPT);
    terminal.types("Think!\r");
    terminal.shows("Let me");
    terminal.types("Be quick\r");
    terminal.shows("(the agent hears it at its next turn)");
    terminal.types(CTRL_C);
    terminal.shows_times(PROMPT, 2);
    terminal.types("And now?\r");
    terminal.shows("Here again.");
    let said: Vec<_> = last_said(&provider).iter().map(|message| message["content"].clone()).collect();
    assert_eq!(said, ["You help.", "Think!", "Be quick", "And now?"]);
    terminal.shows_times(PROMPT, 3);
    terminal.types(CTRL_D);
    assert_eq!(terminal.ends(), Some(0));
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_cancels_the_turn_and_keeps_the_conversation() {
    let (provider, sandbox) = desk([endless("Let me think"), Answer::text("Here again.")], "").await;
    let mut terminal = Terminal::open(&sandbox, 80, &["chat"]);
    terminal.shows(PROMPT);
    terminal.types("Think!\r");
    terminal.shows("Let me");
    terminal.types(CTRL_C);
    terminal.shows("run-cancelled");
    terminal.shows_times(PROMPT, 2);
    terminal.types("Are you there?\r");
    terminal.shows("Here again.");
    terminal.shows_times(PROMPT, 3);
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), Some(0));
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_a_run_that_can_go_on() {
    let (_provider, sandbox) = desk([endless("Let me think"), Answer::text("Done.")], "").await;
    let mut terminal = Terminal::open(&sandbox, 80, &["run", "Think!"]);
    terminal.shows("Let me");
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), Some(130));
    let contents = terminal.contents();
    assert!(contents.contains("is recorded\n  to go on:  adjutant runs resume"), "{contents}");
    let mut terminal = Terminal::open(&sandbox, 80, &["runs", "resume"]);
    terminal.shows("Done.");
    assert_eq!(terminal.ends(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_to_end_leaves_a_run_that_can_go_on() {
    let (_provider, sandbox) = desk([endless("Let me think"), Answer::text("Done.")], "").await;
    let mut terminal = Terminal::open(&sandbox, 80, &["chat", "--session", "s"]);
    terminal.shows(PROMPT);
    terminal.types("Think!\r");
    terminal.shows("Let me");
    terminal.signal("TERM");
    assert_eq!(terminal.ends(), Some(143));
    let contents = terminal.contents();
    assert!(contents.contains("to go on:  adjutant runs resume"), "{contents}");
    assert!(contents.contains("to go on: adjutant chat --session s"), "{contents}");
    // The conversation begins with the turn that is open.
    let mut terminal = Terminal::open(&sandbox, 80, &["chat", "--session", "s"]);
    terminal.shows("Done.");
    terminal.shows(PROMPT);
    terminal.signal("TERM");
    assert_eq!(terminal.ends(), Some(143));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_does_not_wait() {
    // The call may not be broken off before it has had its time to end.
    let call = Answer::calls([("c1", "slow", json!({}))]);
    let (_provider, sandbox) = desk([call, Answer::text("Done.")], "tools: [slow]").await;
    let toml = sandbox.read("adjutant.toml");
    let slow = "[tools.slow]\ntype = \"command\"\ndescription = \"Takes its time.\"\ncommand = [\"./wait\"]\n\
                effect = \"at_most_once\"\nparameters = {}\n";
    sandbox.write("adjutant.toml", &format!("{toml}\n{slow}"));
    let mut terminal = Terminal::open(&sandbox, 80, &["chat", "--session", "s"]);
    terminal.shows(PROMPT);
    terminal.types("Wait!\r");
    terminal.shows("     waiting");
    terminal.types(CTRL_C);
    terminal.shows("cancelled: the person pressed Ctrl-C");
    terminal.types(CTRL_C);
    assert_eq!(terminal.ends(), Some(130));
    assert!(terminal.contents().contains("adjutant chat --session s"), "{}", terminal.contents());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_meanwhile_is_heard() {
    let call = Answer::calls([("c1", "wait", json!({}))]);
    let (provider, sandbox) = desk([call, Answer::text("In a hurry.")], "tools: [wait]").await;
    let mut terminal = Terminal::open(&sandbox, 80, &["chat"]);
    terminal.shows(PROMPT);
    terminal.types("Wait!\r");
    terminal.shows("     waiting");
    terminal.types("Hurry up!\r");
    terminal.shows("(the agent hears it at its next turn)");
    sandbox.write("go", "");
    terminal.shows("In a hurry.");
    let said = last_said(&provider);
    assert_eq!(said.last().expect("messages")["content"], "Hurry up!");
    terminal.shows_times(PROMPT, 2);
    terminal.types(ENTER);
    assert_eq!(terminal.ends(), Some(0));
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_and_answers() {
    let call = |id| Answer::calls([(id, "note", json!({}))]);
    let answers = [call("c1"), Answer::text("Not filed."), call("c2"), Answer::text("Filed.")];
    let (provider, sandbox) = desk(answers, "tools: [note]\napprove: [note]").await;
    let mut terminal = Terminal::open(&sandbox, 80, &["run", "File it!"]);
    terminal.shows("[y]es, [n]o, or the reason why not:");
    terminal.types("not today\r");
    terminal.shows("Not filed.");
    assert_eq!(terminal.ends(), Some(0));
    assert!(last_said(&provider).last().unwrap().to_string().contains("not today"));
    assert!(!sandbox.path("filed").exists());

    let mut terminal = Terminal::open(&sandbox, 80, &["chat"]);
    terminal.shows(PROMPT);
    terminal.types("File it!\r");
    terminal.shows("[y]es, [n]o, or the reason why not:");
    terminal.types("y\r");
    terminal.shows("Filed.");
    assert!(sandbox.path("filed").exists());
    terminal.shows_times(PROMPT, 2);
    terminal.types(CTRL_D);
    assert_eq!(terminal.ends(), Some(0));
    provider.assert_clean();
}

#[test]
fn a_person_is_asked_by_a_server_and_answers() {
    for revision in ["2025-11-25", "2026-07-28"] {
        let sandbox = pending::project(revision);
        let mut terminal = Terminal::open(&sandbox, 120, &["run", "Desk book!"]);
        terminal.shows("the MCP server `desk` asks: Who is it for?");
        terminal.shows("name (The name): string (/decline, /cancel):");
        terminal.types("A\r");
        terminal.shows("seats: integer, otherwise 2 (/decline, /cancel):");
        terminal.types("\r");
        terminal.shows("does not fit");
        terminal.shows_times("name (The name)", 2);
        terminal.types("Ann\r");
        terminal.shows_times("seats: integer", 2);
        terminal.types("7\r");
        terminal.shows("book: Ann, 7 seats");
        assert_eq!(terminal.ends(), Some(0));
        assert_eq!(pending::noted(&sandbox, "booked"), ["Ann, 7 seats"]);

        let mut terminal = Terminal::open(&sandbox, 120, &["tools", "call", "desk__sign"]);
        terminal.shows("open https://example.org/sign");
        terminal.types("/decline\r");
        terminal.shows("the person said decline");
        assert_eq!(terminal.ends(), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn markdown_is_shown_as_it_comes() {
    let text =
        "# Title\n\nThis is **very bold** and wraps at the end of a line that is too long.\n\n- one\n- two\n";
    let (_provider, sandbox) = desk([Answer::text(text)], "").await;
    let mut terminal = Terminal::open(&sandbox, 40, &["run", "Write!"]);
    assert_eq!(terminal.ends(), Some(0));
    let contents = terminal.contents();
    let lines: Vec<_> = contents.lines().map(str::trim_end).collect();
    let begin = lines.iter().position(|line| line.contains("This is")).expect("the text");
    assert_eq!(
        lines[begin..begin + 2],
        ["This is very bold and wraps at the end", "of a line that is too long."]
    );
    assert!(terminal.bold().contains("very bold"), "{}", terminal.bold());
    assert!(!contents.contains("**"), "{contents}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_called_by_hand_when_a_person_allows_it() {
    let (_provider, sandbox) = desk([], "tools: [note]\napprove: [note]").await;
    for (answer, exit) in [("n", 1), ("y", 0)] {
        let mut terminal = Terminal::open(&sandbox, 80, &["tools", "call", "note"]);
        terminal.shows("allow note {}\n[y]es or [n]o:");
        terminal.types(&format!("{answer}\r"));
        assert_eq!(terminal.ends(), Some(exit), "{}", terminal.contents());
        assert_eq!(sandbox.path("filed").exists(), exit == 0);
    }
}
