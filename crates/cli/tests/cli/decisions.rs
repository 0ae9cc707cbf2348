//! `adjutant approvals`: calls that wait for a person, over all runs.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::sandbox::Sandbox;

/// A project whose agent files a note by a program, and asks a person before; `more` is added to adjutant.toml.
fn project(more: &str) -> Sandbox {
    let sandbox = Sandbox::with_agent("tools: [note]\napprove: [note]");
    sandbox.program("note", "#!/bin/sh\ncat >> filed\necho '{\"filed\": true}'\n");
    sandbox.write(
        "adjutant.toml",
        &format!(
            "{more}\n[tools.note]\ntype = \"command\"\ndescription = \"Files a note.\"\ncommand = [\"./note\"]\n\
             effect = \"at_most_once\"\n[tools.note.parameters]\ntext = \"What to note.\"\n"
        ),
    );
    sandbox
}

const ASK: [&str; 2] = ["run", "Please file a note: \"buy milk\""];

fn waiting(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.json(&["approvals"]).as_array().unwrap().clone()
}

/// The id of the only call that waits.
fn only(sandbox: &Sandbox) -> String {
    let waiting = waiting(sandbox);
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    waiting[0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_waits_is_listed_shown_and_answered_once() {
    let sandbox = project("");
    sandbox.run(&ASK);
    let id = only(&sandbox);
    let listed = sandbox.run(&["approvals"]);
    assert!(listed.contains("desk") && listed.contains("left") && listed.contains("note {"), "{listed}");
    let shown = sandbox.run(&["approvals", "show", &id[..8]]);
    for part in ["Files a note.", "text = ", "cannot be taken back", "then it is refused", "decide"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let decided = sandbox.run(&["approvals", "decide", &id, "--approve", "--as", "ann", "--later"]);
    assert!(decided.starts_with("exit 0") && decided.contains("allowed"), "{decided}");
    assert!(!sandbox.path("filed").exists());
    // The second is told who was first, also before anybody has driven the run.
    let late = sandbox.run(&["approvals", "decide", &id, "--deny", "--as", "bob"]);
    assert!(late.starts_with("exit 1") && late.contains("too late: ann has allowed it"), "{late}");
    let resumed = sandbox.run(&["runs", "resume"]);
    assert!(resumed.starts_with("exit 0") && sandbox.read("filed").contains("buy milk"), "{resumed}");
    let later = sandbox.run(&["approvals", "decide", &id, "--deny", "--as", "bob"]);
    assert!(later.starts_with("exit 1") && later.contains("ann has allowed it"), "{later}");
    assert!(waiting(&sandbox).is_empty());
}

#[test]
fn a_person_changes_a_call_or_answers_for_the_tool() {
    let sandbox = project("");
    sandbox.run(&ASK);
    let id = only(&sandbox);
    let misfit = sandbox.run(&["approvals", "decide", &id, "--edit", r#"{"words": 1}"#]);
    assert!(misfit.contains("error[tool-arguments]") && !sandbox.path("filed").exists(), "{misfit}");
    let edited =
        sandbox.run(&["approvals", "decide", &id, "--edit", r#"{"text": "buy bread"}"#, "--as", "ann"]);
    assert!(edited.starts_with("exit 0") && edited.contains("ann has changed the call"), "{edited}");
    assert!(sandbox.read("filed").contains("buy bread") && !sandbox.read("filed").contains("milk"));
    sandbox.run(&ASK);
    let answered = sandbox.run(&["approvals", "decide", &only(&sandbox), "--answer", "\"filed by hand\""]);
    assert!(answered.starts_with("exit 0") && answered.contains("filed by hand"), "{answered}");
    assert_eq!(sandbox.read("filed").matches("buy").count(), 1);
}

#[test]
fn the_beginning_of_a_run_is_enough_to_name_its_call() {
    let sandbox = project("");
    // Runs that are named have the same ids each time; of some, two begin with the same letter.
    let mut ids: Vec<String> = Vec::new();
    let twins = loop {
        let number = ids.len().to_string();
        sandbox.run(&[&ASK[..], &["--id", &number]].concat());
        let waiting = waiting(&sandbox);
        let all = waiting.iter().map(|call| call["id"].as_str().unwrap().to_owned());
        ids = all.collect();
        let twins = ids.iter().filter(|id| ids.iter().filter(|other| other[..1] == id[..1]).count() > 1);
        let twins: Vec<String> = twins.cloned().collect();
        if !twins.is_empty() {
            break twins;
        }
    };
    let letter = &twins[0][..1];
    for command in [&["approvals", "show", letter] as &[&str], &["runs", "approve", letter]] {
        let refused = sandbox.output(command);
        let told = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(twins.iter().all(|id| told.contains(id.split(':').next().unwrap())), "{told}");
    }
    assert!(sandbox.run(&["approvals", "list", "--run", letter]).contains("several runs begin with"));
    assert!(sandbox.run(&["approvals", "list", "--run", "zzzz"]).contains("there is no run `zzzz`"));
    let (run, place) = twins[0].split_once(':').unwrap();
    let length = (1..).find(|length| run[..*length] != twins[1][..*length]).unwrap();
    let short = format!("{}:{place}", &run[..length]);
    let decided = sandbox.run(&["approvals", "decide", &short, "--approve"]);
    assert!(decided.starts_with("exit 0"), "{decided}");
}

#[test]
fn an_answer_to_a_call_that_was_seen_is_to_no_other() {
    let sandbox = project("");
    sandbox.run(&ASK);
    let id = only(&sandbox);
    let other = "0".repeat(64);
    let refused = sandbox.run(&["approvals", "decide", &id, "--approve", "--seen", &other]);
    assert!(refused.starts_with("exit 1") && refused.contains("another call"), "{refused}");
    let digest = waiting(&sandbox)[0]["request"]["digest"].as_str().unwrap().to_owned();
    let allowed = sandbox.run(&["approvals", "decide", &id, "--approve", "--seen", &digest]);
    assert!(allowed.starts_with("exit 0"), "{allowed}");
}

#[test]
fn what_is_allowed_beforehand_is_listed_and_taken_back() {
    let sandbox = project("");
    sandbox.run(&ASK);
    let unbound = sandbox.run(&["approvals", "decide", &only(&sandbox), "--approve", "--for", "project"]);
    assert!(unbound.starts_with("exit 2") && unbound.contains("--pin"), "{unbound}");
    let nothing = sandbox.run(&[
        "approvals",
        "decide",
        &only(&sandbox),
        "--approve",
        "--for",
        "session",
        "--pin",
        "to",
    ]);
    assert!(nothing.contains("no argument `to`"), "{nothing}");
    let once = ["--approve", "--for", "project", "--pin", "text", "--as", "ann"];
    let id = only(&sandbox);
    sandbox.run(&[&["approvals", "decide", &id], &once[..]].concat());
    // The same note is filed without a question, another is not.
    assert!(sandbox.run(&ASK).starts_with("exit 0"));
    assert!(sandbox.run(&["run", "Please file a note: \"buy bread\""]).starts_with("exit 3"));
    let grants = sandbox.json(&["approvals", "grants"]);
    let grant = grants[0]["id"].as_str().unwrap();
    assert_eq!(grants[0]["by"], "ann");
    let revoked = sandbox.run(&["approvals", "revoke", grant, "--as", "bob", "--reason", "too wide"]);
    assert!(revoked.starts_with("exit 0"), "{revoked}");
    for name in ["eve", "bob"] {
        let again = sandbox.run(&["approvals", "revoke", grant, "--as", name]);
        assert!(again.starts_with("exit 1") && again.contains("bob has taken the grant"), "{again}");
        assert!(again.contains("back already: too wide"), "{again}");
    }
    assert!(sandbox.run(&ASK).starts_with("exit 3"));
    assert!(sandbox.run(&["approvals", "grants", "--all"]).contains("taken back by bob"));
}

#[test]
fn what_nobody_answers_in_time_is_refused() {
    let sandbox = project("[approvals]\nexpires = \"5s\"");
    sandbox.run(&ASK);
    let id = only(&sandbox);
    std::thread::sleep(Duration::from_millis(5_200));
    let late = sandbox.run(&["approvals", "decide", &id, "--approve"]);
    assert!(late.starts_with("exit 1") && late.contains("expired"), "{late}");
    let resumed = sandbox.run(&["runs", "resume"]);
    assert!(resumed.contains("nobody answered the request for approval"), "{resumed}");
    assert!(!sandbox.path("filed").exists());
}

#[test]
fn a_paused_run_that_waits_goes_on_by_one_resume() {
    let sandbox = project("");
    sandbox.run(&ASK);
    let run = sandbox.newest();
    sandbox.run(&["runs", "pause", &run]);
    let resumed = sandbox.run(&["runs", "resume", &run]);
    assert!(resumed.contains("to allow note"), "{resumed}");
    assert!(sandbox.run(&["runs", "approve", &run]).starts_with("exit 0"));
}

#[test]
fn somebody_outside_is_told_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (told, hears) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut text = String::new();
            let mut chunk = [0; 4096];
            while !text.ends_with('}') {
                let read = stream.read(&mut chunk).unwrap();
                text.push_str(&String::from_utf8_lossy(&chunk[..read]));
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
            told.send(text).unwrap();
        }
    });
    let sandbox = project(&format!(
        "[secrets]\nhook = {{ file = \"key\" }}\n[approvals]\nwebhook = \"http://{address}/approvals\"\n\
         secret = \"hook\"\ncommand = [\"./tell\"]"
    ));
    sandbox.write("key", "sesame");
    sandbox.program("tell", "#!/bin/sh\ncat >> heard\necho \" $ADJUTANT_NOTICE_ID\" >> heard\n");
    sandbox.run(&ASK);
    let text = hears.recv_timeout(Duration::from_secs(10)).unwrap();
    for part in
        ["POST /approvals", "webhook-id: ", "webhook-timestamp: ", "webhook-signature: v1,", "buy milk"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let body: Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
    assert!(text.contains(&format!("webhook-id: {}", body["id"].as_str().unwrap())), "{text}");
    assert!(sandbox.read("heard").contains(body["id"].as_str().unwrap()));
    // Driven on, the run tells nobody anew.
    assert!(sandbox.run(&["runs", "resume"]).starts_with("exit 3"));
    assert!(hears.recv_timeout(Duration::from_millis(300)).is_err());
    assert_eq!(sandbox.read("heard").lines().count(), 1);
}

#[test]
fn an_approval_survives_kills() {
    let sandbox = project("");
    sandbox.program(
        "note",
        "#!/bin/sh\necho \"$ADJUTANT_IDEMPOTENCY_KEY\" >> filed\necho '{\"filed\": true}'\n",
    );
    sandbox.write("adjutant.toml", &sandbox.read("adjutant.toml").replace("at_most_once", "idempotent"));
    // The run is killed before, while and after it comes to ask.
    for delay in [0, 20, 60, 200] {
        let mut child = sandbox.command(&ASK).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        let _ = child.kill();
        child.wait().unwrap();
    }
    // On a machine that is busy, none of these has come so far as to be recorded.
    assert!(sandbox.run(&ASK).starts_with("exit 3"));
    sandbox.run(&["runs", "resume", "--all"]);
    let asked = waiting(&sandbox);
    assert!(!asked.is_empty());
    for (number, call) in asked.iter().enumerate() {
        let id = call["id"].as_str().unwrap();
        assert!(!sandbox.path("filed").exists() || sandbox.read("filed").lines().count() <= number * 5);
        // Whoever answers is killed too; the answer is there or it is not, and is never half of one.
        for delay in [0, 10, 30, 60, 100] {
            let decide = ["approvals", "decide", id, "--approve", "--as", "ann"];
            let mut child =
                sandbox.command(&decide).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(delay));
            let _ = child.kill();
            child.wait().unwrap();
        }
        sandbox.run(&["approvals", "decide", id, "--approve", "--as", "ann"]);
        sandbox.run(&["runs", "resume", call["run"].as_str().unwrap()]);
    }
    assert!(waiting(&sandbox).is_empty());
    let runs = sandbox.json(&["runs"]);
    assert!(runs.as_array().unwrap().iter().all(|run| run["state"] == "ended"), "{runs}");
    // Done again after a crash, perhaps, but as the same call: one for each run.
    let filed = sandbox.read("filed");
    let keys: std::collections::BTreeSet<&str> = filed.lines().collect();
    assert_eq!(keys.len(), asked.len(), "{filed}");
}

#[test]
fn a_person_takes_a_run_and_hands_it_back() {
    let sandbox = project("");
    sandbox.run(&ASK);
    let run = sandbox.newest();
    let early = sandbox.run(&["runs", "edit", &run, "--say", "hello"]);
    assert!(early.contains("nobody has taken"), "{early}");
    let taken = sandbox.run(&["runs", "take", &run, "--as", "ann"]);
    // The call that waits comes first.
    assert!(taken.starts_with("exit 3") && taken.contains("to allow note"), "{taken}");
    assert!(taken.contains("noted; it is in the hands of ann between two of its turns"), "{taken}");
    let early = sandbox.run(&["runs", "edit", &run, "--say", "hello"]);
    assert!(early.starts_with("exit 1") && early.contains("nobody has taken the run"), "{early}");
    assert!(early.contains("the call that waits for an approval comes first"), "{early}");
    let denied = sandbox.run(&["runs", "approve", &run, "--deny", "--reason", "I do it"]);
    assert!(denied.contains("for ann, who has taken it"), "{denied}");
    let said = sandbox.run(&["runs", "edit", &run, "--say", "Ann does it herself.", "--as", "ann"]);
    assert!(said.starts_with("exit 0"), "{said}");
    let listed = sandbox.run(&["runs", "edit", &run]);
    assert!(listed.contains("Ann does it herself.") && listed.contains("calls note"), "{listed}");
    let rewritten = sandbox.run(&["runs", "edit", &run, "--replace", "0", "--with", "x"]);
    assert!(rewritten.starts_with("exit 2") && rewritten.contains("prompt"), "{rewritten}");
    let unknown = sandbox.run(&["runs", "call", &run, "nte", "{}", "--as", "ann"]);
    assert!(unknown.starts_with("exit 1\n--- stderr\nerror[tool-unknown]: "), "{unknown}");
    let misfit = sandbox.run(&["runs", "call", &run, "note", r#"{"words": 1}"#, "--as", "ann"]);
    assert!(misfit.starts_with("exit 1\n--- stderr\nerror[tool-arguments]: "), "{misfit}");
    // Her own call asks as the agent's would, and comes first.
    let call = sandbox.run(&["runs", "call", &run, "note", r#"{"text": "bread"}"#, "--as", "ann"]);
    assert!(call.starts_with("exit 3") && call.contains("to allow note"), "{call}");
    for deed in [["edit", "--say"], ["hand-back", "--say"]] {
        let seen = sandbox.run(&["runs", deed[0], &run, deed[1], "hello", "--as", "bob"]);
        assert!(seen.starts_with("exit 1"), "{seen}");
        assert!(
            seen.contains("the call that ann makes in the run") && seen.contains("runs approve"),
            "{seen}"
        );
    }
    assert!(sandbox.run(&["runs", "take", &run, "--as", "bob"]).contains("ann has taken the run"));
    assert!(sandbox.run(&["runs", "approve", &run]).contains("for ann, who has taken it"));
    assert!(sandbox.read("filed").contains("bread"));
    let back = sandbox.run(&["runs", "hand-back", &run, "--as", "ann"]);
    assert!(back.starts_with("exit 0"), "{back}");
    let over = sandbox.run(&["runs", "take", &run]);
    assert!(over.contains("is over"), "{over}");
}

#[test]
fn what_was_said_in_earlier_turns_stays() {
    let sandbox = project("");
    sandbox.run(&["run", "hello", "--session", "s"]);
    sandbox.run(&["run", "Please file a note: \"buy milk\"", "--session", "s"]);
    let run = sandbox.newest();
    sandbox.run(&["runs", "take", &run]);
    sandbox.run(&["runs", "approve", &run]);
    let earlier = sandbox.run(&["runs", "edit", &run, "--replace", "1", "--with", "x"]);
    assert!(
        earlier.starts_with("exit 2") && earlier.contains("message 1 was said in an earlier turn"),
        "{earlier}"
    );
    assert!(earlier.contains("only what was said in the turn that runs"), "{earlier}");
    let own = sandbox.run(&["runs", "edit", &run, "--replace", "3", "--with", "File nothing."]);
    assert!(own.starts_with("exit 0"), "{own}");
    assert!(sandbox.run(&["runs", "edit", &run]).contains("File nothing."));
}
