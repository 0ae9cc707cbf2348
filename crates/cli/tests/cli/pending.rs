//! Calls that do not end at once: a server asks a person, or works on by itself, and the program is killed meanwhile.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use adjutant_testkit::provider::{Answer, MockProvider};
use serde_json::json;

use crate::sandbox::{Sandbox, sees};

/// A project whose one agent has the tools of a server that takes its time, all of which was accepted.
pub(crate) fn project(revision: &str) -> Sandbox {
    let sandbox = Sandbox::with_agent("tools: [desk]");
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tool/tests/mcp/servers/patient.py");
    sandbox.write("patient.py", &std::fs::read_to_string(server).expect("the server of the tool's tests"));
    sandbox.write("state/.keep", "");
    // Where the tests run as root, the user of the sandbox is another one.
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(sandbox.path("state"), everybody).expect("the folder is ours");
    sandbox.write(
        "adjutant.toml",
        &format!(
            "[tools.desk]\ntype = \"mcp\"\nsandbox = {{ write = [\"state\"] }}\n\
             command = [\"python3\", \"-B\", \"patient.py\", \"{revision}\", \"state\"]\n"
        ),
    );
    let trusted = sandbox.run(&["tools", "trust", "--yes"]);
    assert!(trusted.starts_with("exit 0"), "{trusted}");
    sandbox
}

const BOOK: [&str; 2] = ["run", "Desk book!"];
const GREET: [&str; 2] = ["run", "Desk greet!"];
const BAKE: [&str; 2] = ["run", "Desk bake!"];

/// What the server has noted.
pub(crate) fn noted(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(sandbox.path("state").join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Waits until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn begin(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let mut command = sandbox.command(arguments);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.spawn().expect("the program starts")
}

#[test]
fn a_question_waits_for_a_person() {
    let sandbox = project("2026-07-28");
    sees!(sandbox.run(&BOOK), @r#"
    exit 3
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool desk__book {}
    run [run] waits for a person
      to answer desk__book, which asks: Who is it for?
        adjutant runs answer [run] '{"name": ...}'
        adjutant runs answer [run] --decline
    "#);
    let run = sandbox.newest();
    sees!(sandbox.run(&["runs", "show", &run]), @r#"
    exit 0
    --- stdout
    run [run] desk, waiting, began [moment], took [time]
    Desk book!
      turn#0
        model#0  offline, [time], 93 tokens in, 14 out, 0 USD
        call#0
          desk__book#0  {}, [time]
          answer:turn0.call0#0  desk__book, which asks: Who is it for?, open
    93 tokens in, 14 out, 0 USD, [time]
    --- stderr
    run [run] waits for a person
      to answer desk__book, which asks: Who is it for?
        adjutant runs answer [run] '{"name": ...}'
        adjutant runs answer [run] --decline
    "#);
    sees!(sandbox.run(&["runs", "approve", &run]), @"
    exit 1
    --- stderr
    error[conflict]: nothing in the run `[run]` waits for an approval
    ");
    sees!(sandbox.run(&["runs", "answer", &run, "{\"name\": \"A\", \"seats\": \"two\"}"]), @r#"
    exit 2
    --- stderr
    error[input-invalid]: the answer does not fit what is asked: `/name`: value is shorter than 2 characters; `/seats`: value is not of type "integer"

    hint: what is asked is {name: string, seats?: integer}
    "#);
    sees!(sandbox.run(&["runs", "answer", &run, "Ann"]), @r#"
    exit 2
    --- stderr
    error: invalid value 'Ann' for '[JSON]': expected value at line 1 column 1; write a JSON object with a value for each field: `{"name": "Ann"}`

    For more information, try '--help'.
    "#);
    assert_eq!(noted(&sandbox, "booked"), [""; 0]);
    sees!(sandbox.run(&["runs", "answer", &run, "{\"name\": \"Ann\"}"]), @"
    exit 0
    --- stdout
    **`desk__book`**: book: Ann, 2 seats

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    tool desk__book {}
      -> desk__book: 18 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 256 tokens, 0 USD, [time]
    ");
    assert_eq!(noted(&sandbox, "booked"), ["Ann, 2 seats"]);
    sees!(sandbox.run(&["runs", "show", &run]), @"
    exit 0
    --- stdout
    run [run] desk, ended, began [moment], took [time]
    Desk book!
      turn#0
        model#0  offline, [time], 93 tokens in, 14 out, 0 USD
        call#0
          desk__book#0  {}, [time]
          answer:turn0.call0#0  desk__book, which asks: Who is it for?, [time]
          desk__book#1  {}, [time]
      turn#1/model#0  offline, [time], 123 tokens in, 26 out, 0 USD
    216 tokens in, 40 out, 0 USD, [time]
    **`desk__book`**: book: Ann, 2 seats...
    ");
}

#[test]
fn a_script_sees_the_question_and_answers_it() {
    let sandbox = project("2026-07-28");
    sandbox.run(&BOOK);
    let run = sandbox.newest();
    let waits = &sandbox.json(&["runs", "show", &run])["waits"];
    let question = &waits[0]["signal"]["request"]["question"];
    assert_eq!(question["message"], "Who is it for?", "{waits}");
    assert_eq!(question["wanted"]["values"]["required"][0], "name");
    assert!(sandbox.run(&["runs", "answer", &run, "--decline", "--later"]).starts_with("exit 0"));
    let resumed = sandbox.run(&["runs", "resume", &run]);
    assert!(resumed.contains("the person said decline"), "{resumed}");
    assert_eq!(noted(&sandbox, "booked"), [""; 0]);
}

#[test]
fn a_question_outlives_the_program_and_its_server() {
    // What may be made twice is made once more, and what was answered is not asked again.
    let sandbox = project("2025-11-25");
    assert!(sandbox.run(&GREET).starts_with("exit 3"));
    let greeted = sandbox.run(&["runs", "answer", &sandbox.newest(), "{\"name\": \"Ann\"}"]);
    assert!(greeted.starts_with("exit 0") && greeted.contains("greet: Ann, 2 seats"), "{greeted}");
    assert_eq!(noted(&sandbox, "asked").len(), 2);
    // What must not be made twice waits until a person has looked.
    assert!(sandbox.run(&BOOK).starts_with("exit 3"));
    let run = sandbox.newest();
    sees!(sandbox.run(&["runs", "answer", &run, "{\"name\": \"Bob\"}"]), @r#"
    exit 3
    --- stderr
    tool desk__book {}
    run [run] waits for a person
      to say what came of effect desk__book {"call":"offline_1","name":"desk__book","arguments":{},"resumed":{"state":{"held":{"id":"[key]:1","question":{"from":"the MCP server `desk`","message":"Who is it for?","want...
        (`desk__book`: its server waited for the answer, and the connection to it is gone; it may have done its work)
        adjutant runs resolve [run] /turn#0/call#0/desk__book#1 --attempt 1 --happened '{"result": ...}'
        adjutant runs resolve [run] /turn#0/call#0/desk__book#1 --attempt 1 --retry
        adjutant runs resolve [run] /turn#0/call#0/desk__book#1 --attempt 1 --abort
    "#);
    assert_eq!(noted(&sandbox, "booked"), [""; 0]);
    let booked = sandbox.run(&["runs", "resolve", &run, "desk__book#1", "--retry"]);
    assert!(booked.starts_with("exit 0") && booked.contains("book: Bob, 2 seats"), "{booked}");
    assert_eq!(noted(&sandbox, "booked"), ["Bob, 2 seats"]);
}

#[test]
fn a_task_outlives_the_program() {
    let sandbox = project("2026-07-28");
    let mut program = begin(&sandbox, &BAKE);
    until("it is looked at", || !noted(&sandbox, "looks").is_empty());
    program.kill().unwrap();
    program.wait().unwrap();
    // It is asked what to write on it, and the program is killed once more.
    let asked = sandbox.run(&["runs", "resume"]);
    assert!(asked.starts_with("exit 3") && asked.contains("Who is it for?"), "{asked}");
    let run = sandbox.newest();
    let mut program = begin(&sandbox, &["runs", "answer", &run, "{\"name\": \"Ann\"}"]);
    until("it is told", || !noted(&sandbox, "icing").is_empty());
    program.kill().unwrap();
    program.wait().unwrap();
    sandbox.write("state/oven", "open\n");
    let ready = sandbox.run(&["runs", "resume"]);
    assert!(ready.starts_with("exit 0") && ready.contains("a cake for Ann"), "{ready}");
    assert_eq!(noted(&sandbox, "baked").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_pending_call_is_known_in_the_next_turn() {
    let book = |id| Answer::calls([(id, "desk__book", json!({}))]);
    let said = |text: &str| Answer::text(text);
    let answers = [book("c1"), said("Booked."), said("As I said."), book("c2"), said("No.")];
    let provider = MockProvider::answering(answers).start().await.expect("a port");
    let sandbox = project("2026-07-28");
    let model = format!(
        "[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{}\"\n\n",
        provider.base_url()
    );
    sandbox.write("adjutant.toml", &format!("{model}{}", sandbox.read("adjutant.toml")));
    let last = || {
        let request = provider.requests().pop().expect("a request");
        request["messages"].as_array().expect("messages").iter().map(ToString::to_string).collect::<String>()
    };
    sandbox.run(&["run", "--session", "s", "Book!"]);
    sandbox.run(&["runs", "answer", &sandbox.newest(), "{\"name\": \"Ann\"}"]);
    sandbox.run(&["run", "--session", "s", "And now?"]);
    assert!(last().contains("book: Ann, 2 seats") && !last().contains("not over"), "{}", last());
    // Of a call that is still pending when its run is cancelled, it says so.
    sandbox.run(&["run", "--session", "s", "Book!"]);
    sandbox.run(&["runs", "cancel", &sandbox.newest()]);
    sandbox.run(&["run", "--session", "s", "And now?"]);
    assert!(last().contains("the run ended before the call did"), "{}", last());
    assert_eq!(noted(&sandbox, "booked"), ["Ann, 2 seats"]);
    provider.assert_clean();
}

#[test]
fn a_cancelled_run_cancels_its_task() {
    let sandbox = project("2026-07-28");
    let mut program = begin(&sandbox, &BAKE);
    until("it is looked at", || !noted(&sandbox, "looks").is_empty());
    program.kill().unwrap();
    program.wait().unwrap();
    sees!(sandbox.run(&["runs", "cancel", &sandbox.newest()]), @"
    exit 0
    --- stderr
    run [run]: cancelled, and over
    ");
    assert_eq!(noted(&sandbox, "cancelled"), ["cake-7"]);
}

#[test]
fn a_call_by_hand_is_answered_by_hand() {
    let sandbox = project("2026-07-28");
    sees!(sandbox.run(&["tools", "call", "desk__book"]), @"
    exit 1
    --- stderr
    error[tool-denied]: the MCP server `desk` asks: Who is it for?

    hint: answer at a terminal, or with `--answer JSON`
    ");
    sees!(sandbox.run(&["tools", "call", "desk__book", "{}", "--answer", "{\"seats\": 1}"]), @r#"
    exit 2
    --- stderr
    error[input-invalid]: the answer does not fit what is asked: "name" is missing

    hint: what is asked is {name: string, seats?: integer}
    "#);
    sees!(sandbox.run(&["tools", "call", "desk__book", "{}", "--answer", "{\"name\": \"Ann\"}"]), @"
    exit 0
    --- stdout
    book: Ann, 2 seats
    --- stderr
    answered after [time]
    ");
    assert_eq!(noted(&sandbox, "booked"), ["Ann, 2 seats"]);
}
