//! What a person at a terminal answers to a call that waits for them.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use adjutant_testkit::provider::{Answer, MockProvider};
use serde_json::json;

use super::screen::Terminal;
use super::{CTRL_C, CTRL_D, PROMPT, last_said};
use crate::sandbox::Sandbox;

/// What stands where an answer is typed.
const CHOICES: &str = "(? for more) [y]es, [n]o, or the reason why not:";

/// A project whose agent files texts and asks a person before. Its model gives these answers.
async fn office(answers: impl IntoIterator<Item = Answer>, more: &str) -> (MockProvider, Sandbox) {
    let provider = MockProvider::answering(answers).start().await.expect("a port");
    let sandbox = Sandbox::with_agent("tools: [file]\napprove: [file]");
    sandbox.program("file", "#!/bin/sh\ncat >> filed\necho >> filed\necho done\n");
    sandbox.write(
        "adjutant.toml",
        &format!(
            "{more}\n[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{}\"\n\n\
             [tools.file]\ntype = \"command\"\ndescription = \"Files a text.\"\ncommand = [\"./file\"]\n\
             effect = \"at_most_once\"\n[tools.file.parameters]\ntext = \"The text.\"\n",
            provider.base_url()
        ),
    );
    (provider, sandbox)
}

fn file(id: &str, text: &str) -> Answer {
    Answer::calls([(id, "file", json!({ "text": text }))])
}

/// What was filed, call by call.
fn filed(sandbox: &Sandbox) -> Vec<String> {
    let path = sandbox.path("filed");
    if !path.exists() {
        return Vec::new();
    }
    let read = std::fs::read_to_string(path).expect("it can be read");
    let texts = read.lines().filter(|line| !line.is_empty()).map(|line| {
        let arguments: serde_json::Value = serde_json::from_str(line).expect("the arguments");
        arguments["text"].as_str().expect("a text").to_owned()
    });
    texts.collect()
}

/// The call that waits, as `adjutant approvals` names it.
fn waiting(sandbox: &Sandbox) -> String {
    sandbox.json(&["approvals"])[0]["id"].as_str().expect("a call waits").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_made_as_it_is_or_is_refused_with_a_word() {
    let answers = [file("c1", "a"), Answer::text("Filed."), file("c2", "b"), Answer::text("Not filed.")];
    let (provider, sandbox) = office(answers, "").await;
    let mut terminal = Terminal::open(&sandbox, 100, &["run", "File it!"]);
    terminal.shows("allow file {\"text\":\"a\"}");
    terminal.shows("next: ");
    terminal.shows(CHOICES);
    terminal.types("?\r");
    terminal.shows("answer in the place of the tool");
    terminal.types("y\r");
    terminal.shows("Filed.");
    assert_eq!(terminal.ends(), Some(0));
    let mut terminal = Terminal::open(&sandbox, 100, &["run", "File it!"]);
    terminal.shows(CHOICES);
    terminal.types("b is not for the files\r");
    terminal.shows("Not filed.");
    assert_eq!(terminal.ends(), Some(0));
    assert!(last_said(&provider).last().unwrap().to_string().contains("b is not for the files"));
    assert_eq!(filed(&sandbox), ["a"]);
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_changed_in_a_line_or_in_an_editor() {
    let answers = [file("c1", "a"), Answer::text("One."), file("c2", "a"), Answer::text("Two.")];
    let (provider, mut sandbox) = office(answers, "").await;
    let mut terminal = Terminal::open(&sandbox, 100, &["run", "File it!"]);
    terminal.shows(CHOICES);
    for (wrong, told) in [("no json", "that is no JSON"), (r#"{"txt": 1}"#, "txt")] {
        terminal.types("e\r");
        terminal.shows("new arguments:");
        terminal.types(&format!("{wrong}\r"));
        terminal.shows(told);
    }
    terminal.shows_times(CHOICES, 3);
    terminal.types("e\r");
    terminal.shows_times("new arguments:", 3);
    terminal.types("{\"text\": \"b\"}\r");
    terminal.shows("One.");
    assert_eq!(terminal.ends(), Some(0));
    assert!(last_said(&provider).last().unwrap().to_string().contains("changed the call"));
    sandbox.program("editor", "#!/bin/sh\nsed -i 's/\"a\"/\"c\"/' \"$2\"\n");
    let editor = format!("{} --wait", sandbox.path("editor").display());
    sandbox.set("EDITOR", &editor);
    let mut terminal = Terminal::open(&sandbox, 100, &["run", "File it!"]);
    terminal.shows(CHOICES);
    terminal.types("e\r");
    terminal.shows("Two.");
    assert_eq!(terminal.ends(), Some(0));
    assert_eq!(filed(&sandbox), ["b", "c"]);
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_answers_in_the_place_of_the_tool() {
    let (provider, sandbox) = office([file("c1", "a"), Answer::text("Good.")], "").await;
    let mut terminal = Terminal::open(&sandbox, 100, &["run", "File it!"]);
    terminal.shows(CHOICES);
    terminal.types("a\r");
    terminal.shows("the result:");
    terminal.types("I have filed it myself\r");
    terminal.shows("Good.");
    assert_eq!(terminal.ends(), Some(0));
    assert!(last_said(&provider).last().unwrap().to_string().contains("I have filed it myself"));
    assert!(filed(&sandbox).is_empty());
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_allowed_for_the_session_is_not_asked_again() {
    let answers = [
        file("c1", "a"),
        Answer::text("One."),
        file("c2", "a"),
        Answer::text("Two."),
        file("c3", "b"),
        Answer::text("Three."),
        file("c4", "c"),
        Answer::text("Four."),
    ];
    let (provider, sandbox) = office(answers, "").await;
    let mut terminal = Terminal::open(&sandbox, 100, &["chat", "--session", "s"]);
    terminal.shows(PROMPT);
    terminal.types("File it!\r");
    terminal.shows(CHOICES);
    // The same text again needs no answer; another does.
    terminal.types("s text\r");
    terminal.shows("One.");
    terminal.shows_times(PROMPT, 2);
    terminal.types("Again!\r");
    terminal.shows("Two.");
    terminal.shows_times(PROMPT, 3);
    assert_eq!(terminal.contents().matches(CHOICES).count(), 1);
    terminal.types("The other!\r");
    terminal.shows_times(CHOICES, 2);
    terminal.types("s\r");
    terminal.shows("Three.");
    terminal.shows_times(PROMPT, 4);
    terminal.types("And another!\r");
    terminal.shows("Four.");
    assert_eq!(terminal.contents().matches(CHOICES).count(), 2);
    terminal.shows_times(PROMPT, 5);
    terminal.types(CTRL_D);
    assert_eq!(terminal.ends(), Some(0));
    assert_eq!(filed(&sandbox), ["a", "a", "b", "c"]);
    let grants = sandbox.json(&["approvals", "grants"]);
    assert_eq!(grants.as_array().map(Vec::len), Some(2), "{grants}");
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_second_is_told_who_was_first() {
    let (provider, sandbox) = office([file("c1", "a"), Answer::text("Not filed.")], "").await;
    let mut terminal = Terminal::open(&sandbox, 120, &["run", "File it!"]);
    terminal.shows(CHOICES);
    let id = waiting(&sandbox);
    let decide =
        ["approvals", "decide", &id, "--deny", "--reason", "too late today", "--as", "ann", "--later"];
    assert!(sandbox.run(&decide).starts_with("exit 0"));
    terminal.types("y\r");
    terminal.shows("ann has refused it (too late today)");
    terminal.shows("Not filed.");
    assert_eq!(terminal.ends(), Some(0));
    assert!(filed(&sandbox).is_empty());
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_expires_while_it_is_put_is_refused() {
    let answers = [file("c1", "a"), Answer::text("Nobody was there.")];
    let (provider, sandbox) = office(answers, "[approvals]\nexpires = \"3s\"").await;
    let mut terminal = Terminal::open(&sandbox, 120, &["run", "File it!"]);
    terminal.shows(CHOICES);
    std::thread::sleep(std::time::Duration::from_millis(3_500));
    terminal.types("y\r");
    terminal.shows("Nobody was there.");
    assert_eq!(terminal.ends(), Some(0));
    let contents = terminal.contents();
    assert!(contents.contains("in time") || contents.contains("expired"), "{contents}");
    assert!(filed(&sandbox).is_empty());
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_left_open_still_waits() {
    let (provider, sandbox) = office([file("c1", "a"), Answer::text("Filed.")], "").await;
    for (key, exit) in [(CTRL_D, 3), (CTRL_C, 130)] {
        let command: &[&str] = if exit == 3 { &["run", "File it!"] } else { &["runs", "resume"] };
        let mut terminal = Terminal::open(&sandbox, 100, command);
        terminal.shows(CHOICES);
        terminal.types(key);
        assert_eq!(terminal.ends(), Some(exit), "{}", terminal.contents());
    }
    assert!(sandbox.run(&["approvals", "decide", &waiting(&sandbox), "--approve"]).starts_with("exit 0"));
    assert_eq!(filed(&sandbox), ["a"]);
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_is_told_of_each_call_that_waits() {
    let (provider, sandbox) = office([file("c1", "a"), Answer::text("Filed."), file("c2", "b")], "").await;
    sandbox.run(&["runs"]);
    let mut watch =
        sandbox.command(&["approvals", "watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert!(sandbox.run(&["run", "File it!"]).starts_with("exit 3"));
    let told = next();
    let id = waiting(&sandbox);
    assert_eq!(
        (told["waits"]["id"].as_str(), &told["waits"]["request"]["arguments"]),
        (Some(&*id), &json!({ "text": "a" }))
    );
    assert!(sandbox.run(&["approvals", "decide", &id, "--approve"]).starts_with("exit 0"));
    assert_eq!(next(), json!({ "over": id }));
    let interrupted = std::process::Command::new("kill").args(["-INT", &watch.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    assert_eq!(watch.wait().unwrap().code(), Some(130));
    sandbox.run(&["run", "File the other!"]);
    let seen = sandbox.run(&["approvals", "watch", "--most", "1"]);
    assert!(seen.starts_with("exit 0") && seen.contains("waits  [run]:"), "{seen}");
    assert!(seen.contains("file {\"text\":\"b\"}"), "{seen}");
    provider.assert_clean();
}
