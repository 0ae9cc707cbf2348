//! Agents that write programs: through the choke point, over approvals, and over `kill -9`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use adjutant_testkit::provider::{Answer, MockProvider};
use serde_json::json;

use crate::sandbox::{Sandbox, sees};

/// Pays, and writes into a ledger what it does as which step. Without a whole line it was started by a process that died,
/// and does nothing.
const PAY: &str = "#!/bin/sh\nread -r line || exit 1\necho \"begun $ADJUTANT_STEP\" >> ledger\nsleep 0.02\n\
                   echo \"done $ADJUTANT_STEP $line\" >> ledger\necho '{\"paid\": true}'\n";

const ROWS: &str = "#!/bin/sh\nread -r line\ni=0\nprintf '['\nwhile [ $i -lt 400 ]; do [ $i -gt 0 ] && printf ','; \
                    printf '{\"number\":%d,\"name\":\"row %d\",\"amount\":%d}' $i $i $((i * 7 % 100)); i=$((i + 1)); done\n\
                    printf ']'\n";

/// A model that runs this program and then says what it gave.
async fn model(program: &str) -> MockProvider {
    let call = Answer::calls([("c1", "run_program", json!({ "program": program }))]);
    MockProvider::answering([call, Answer::text("That is it.")]).start().await.expect("a port")
}

fn project(provider: &MockProvider, front_matter: &str) -> Sandbox {
    let sandbox = Sandbox::with_agent(front_matter);
    sandbox.program("pay", PAY).program("rows", ROWS);
    let tool = |name: &str, effect: &str, parameters: &str| {
        format!(
            "\n[tools.{name}]\ntype = \"command\"\ndescription = \"It is {name}.\"\ncommand = [\"./{name}\"]\n\
             effect = \"{effect}\"\noutput_limit = 1000000\nparameters = {parameters}\n"
        )
    };
    let amount = "{ amount = { type = \"integer\", description = \"In cents.\" } }";
    sandbox.write(
        "adjutant.toml",
        &format!(
            "[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{}\"\ncontext_window = 100000\n{}{}",
            provider.base_url(),
            tool("pay", "at_most_once", amount),
            tool("rows", "pure", "{}"),
        ),
    );
    sandbox
}

/// What the model was sent last as the result of the program.
fn result(provider: &MockProvider) -> String {
    let requests = provider.requests();
    let messages = requests.last().unwrap()["messages"].as_array().unwrap().clone();
    messages.iter().rfind(|message| message["role"] == "tool").unwrap()["content"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Answers every request with a list of so many numbers.
fn numbers(most: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = json!({ "numbers": (0..most).collect::<Vec<_>>() }).to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = BufReader::new(&stream).lines().map_while(Result::ok).find(String::is_empty);
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let _ = write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n{body}");
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_given_what_no_model_could_read() {
    const NUMBERS: usize = 20_000;
    let source = "const { numbers } = await tools.numbers();\nreturn [numbers.length, numbers.at(-1)];";
    let provider = model(source).await;
    let sandbox = project(&provider, "tools: [series]\ncode: javascript");
    let document = "openapi: 3.1.0\ninfo: { title: Series, version: '1' }\npaths:\n  /numbers:\n    get:\n      \
                    operationId: numbers\n      summary: Gives numbers.\n      responses: { 200: { description: ok } }\n";
    sandbox.write("series.yaml", document);
    let settings = std::fs::read_to_string(sandbox.path("adjutant.toml")).unwrap();
    let port = numbers(NUMBERS);
    let series = format!(
        "{settings}\n[tools.series]\ntype = \"openapi\"\ndocument = \"series.yaml\"\n\
         base_url = \"http://127.0.0.1:{port}\"\n"
    );
    sandbox.write("adjutant.toml", &series);
    sandbox.run(&["run", "How many are there?"]);
    assert_eq!(result(&provider), format!("[{NUMBERS},{}]", NUMBERS - 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_calls_the_tools_and_the_model_reads_what_it_returns() {
    let source = "const rows = await tools.rows();\nconsole.log('rows:', rows.length);\n\
                  const sum = rows.reduce((sum, row) => sum + row.amount, 0);\n\
                  await Promise.all([1, 2, 3].map(amount => tools.pay({ amount })));\nreturn { sum };";
    let provider = model(source).await;
    let sandbox = project(&provider, "tools: [pay, rows]\ncode: javascript");
    sees!(sandbox.run(&["run", "What is the sum?"]), @r#"
    exit 0
    --- stdout
    That is it.
    --- stderr
    run [run]
    tool run_program {"program":"const rows = await tools.rows();\nconsole.log('rows:', rows.length)...
    tool rows {}
      -> rows: 17.3 kB, [time]
    tool pay {"amount":1}
    tool pay {"amount":2}
    tool pay {"amount":3}
      -> pay: 13 B, [time]
      -> pay: 13 B, [time]
      -> pay: 13 B, [time]
      -> run_program: 33 B, [time]
    run [run]: answered after 2 turns, 5 tool calls, 30 tokens, price unknown, [time]
    "#);
    assert_eq!(result(&provider), "rows: 400\nreturned: {\"sum\":19800}");
    let requests = provider.requests();
    let tools = requests[0]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 1, "the model is told of one tool");
    let about = tools[0]["function"]["description"].as_str().unwrap();
    assert!(about.contains("  /** It is pay. */\n  pay(input: {\n    /** In cents. */\n    amount: number;\n  }): Promise<any>;"), "{about}");
    assert!(
        !requests[1].to_string().contains("row 17"),
        "what the program read is not what the model is sent"
    );
    assert_eq!(sandbox.read("ledger").lines().filter(|line| line.starts_with("done")).count(), 3);
    provider.assert_clean();
}

/// The same question by hand, where the model reads every row, and by a program.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_reads_costs_no_tokens() {
    let by_program = model("return (await tools.rows()).reduce((sum, row) => sum + row.amount, 0)").await;
    project(&by_program, "tools: [rows]\ncode: javascript").run(&["run", "What is the sum?"]);
    let call = Answer::calls([("c1", "rows", json!({}))]);
    let by_hand = MockProvider::answering([call, Answer::text("19800")]).start().await.unwrap();
    project(&by_hand, "tools: [rows]").run(&["run", "What is the sum?"]);
    let sent = |provider: &MockProvider| -> usize {
        provider.requests().iter().map(|body| body.to_string().len()).sum()
    };
    let (by_program, by_hand) = (sent(&by_program), sent(&by_hand));
    eprintln!("sent in all: {by_program} bytes with a program, {by_hand} bytes without");
    assert!(by_program * 3 < by_hand, "{by_program} {by_hand}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_told_with_its_line_and_nothing_else_happens() {
    let provider =
        model("const rows = await tools.rows()\nconsole.log(rows.length)\nreturn rows.sum()").await;
    let sandbox = project(&provider, "tools: [pay, rows]\ncode: javascript");
    sandbox.run(&["run", "What is the sum?"]);
    assert_eq!(
        result(&provider),
        "error: program-failed: line 3, column 13: TypeError: not a function\n  return rows.sum()\nit had printed:\n400\n\
         hint: mend the program and run it again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_a_program_asks_the_person_and_a_refusal_can_be_caught() {
    let source = "const said = []\nfor (const amount of [1, 2]) {\n  try { said.push(await tools.pay({ amount })) }\n  \
                  catch (error) { said.push(error.code) }\n}\nreturn said";
    let provider = model(source).await;
    let sandbox = project(&provider, "tools: [pay]\napprove: [pay]\ncode: javascript");
    let first = sandbox.run(&["run", "Pay!"]);
    assert!(first.starts_with("exit 3") && first.contains(r#"to allow pay {"amount":1}"#), "{first}");
    assert!(!sandbox.path("ledger").exists());
    let run = sandbox.newest();
    // The program waits in no process, and goes on in another.
    let second = sandbox.output(&["runs", "approve", &run]);
    let second = sandbox.seen(&second);
    assert!(second.starts_with("exit 3") && second.contains(r#"to allow pay {"amount":2}"#), "{second}");
    let third = sandbox.run(&["runs", "approve", &run, "--deny", "--reason", "too much"]);
    assert!(third.starts_with("exit 0"), "{third}");
    assert_eq!(result(&provider), "[{\"paid\":true},\"tool-denied\"]");
    assert_eq!(sandbox.read("ledger").lines().count(), 2);
}

/// Again and again the program is killed at another moment; in the end each payment was made once.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_survives_kill_9_in_its_middle() {
    const CALLS: usize = 24;
    let source = format!(
        "let sum = 0\nfor (let i = 1; i <= {CALLS}; i++) {{\n  const both = i % 5 ? [i] : [i, ++i]\n  const got = await \
         Promise.all(both.map(amount => tools.pay({{ amount }})))\n  sum += got.length\n  console.log(i)\n}}\nreturn sum"
    );
    let provider = model(&source).await;
    let sandbox = project(&provider, "tools: [pay]\ncode: javascript");
    let ledger = || std::fs::read_to_string(sandbox.path("ledger")).unwrap_or_default();
    let (mut kills, mut unknown) = (0, 0);
    let mut arguments = vec!["run".to_owned(), "Pay them all!".to_owned()];
    let patience = Instant::now() + Duration::from_secs(120);
    loop {
        assert!(Instant::now() < patience, "after {kills} kills: {}", ledger());
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let talk = std::fs::File::create(sandbox.path("talk")).unwrap();
        let mut child = sandbox.command(&words).stdout(Stdio::null()).stderr(talk).spawn().unwrap();
        let before = ledger().lines().count();
        // Sometimes amid a call, sometimes amid an advance, sometimes while it starts.
        let lines = before + 1 + kills % 4;
        let mut due = None;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status.code());
            }
            if due.is_none() && ledger().lines().count() >= lines {
                due = Some(Instant::now() + Duration::from_millis(((kills * 7) % 30) as u64));
            }
            if due.is_some_and(|due| Instant::now() >= due) {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        match status {
            None => kills += 1,
            Some(Some(0)) => break,
            // The last kill may have come after the end.
            Some(Some(1)) if sandbox.read("talk").contains("is over") => break,
            Some(Some(3)) => {
                unknown += 1;
                // What outlived the program writes its last line.
                std::thread::sleep(Duration::from_millis(60));
                arguments = resolve(&sandbox, &ledger());
                continue;
            }
            Some(other) => panic!("it ended with {other:?}: {}", sandbox.read("talk")),
        }
        arguments = ["runs", "resume", &sandbox.newest()].map(str::to_owned).into();
    }
    let mut done: BTreeMap<String, usize> = BTreeMap::new();
    for line in ledger().lines().filter_map(|line| line.strip_prefix("done ")) {
        let (_, amount) = line.split_once(' ').unwrap();
        *done.entry(amount.to_owned()).or_default() += 1;
    }
    eprintln!("{kills} kills, {unknown} outcomes that a person had to look up");
    assert_eq!(done.len(), CALLS, "{done:?}");
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    assert!(kills >= 8 && unknown > 0, "{kills} {unknown}");
    assert_eq!(result(&provider).lines().last(), Some(format!("returned: {CALLS}").as_str()));
    assert_eq!(provider.count(), 2, "the model was asked twice in all");
}

/// The command by which a person says of an effect whose outcome is not known what the ledger knows of it.
fn resolve(sandbox: &Sandbox, ledger: &str) -> Vec<String> {
    let run = sandbox.newest();
    let shown = sandbox.json(&["runs", "show", &run]);
    let waits = shown["waits"].as_array().cloned().unwrap_or_default();
    let step =
        waits.iter().find_map(|wait| wait["unknown"]["key"].as_str()).unwrap_or_else(|| panic!("{shown}"));
    let word: &[&str] = match ledger.contains(&format!("done {step} ")) {
        true => &["--happened", "{\"paid\":true}"],
        false => &["--retry"],
    };
    [&["runs", "resolve", &run, step], word].concat().into_iter().map(str::to_owned).collect()
}

/// The example, with the model that needs no key, against a sum made here.
#[test]
fn the_analyst_answers_from_its_table() {
    let sandbox = Sandbox::new();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/analyst");
    for file in ["adjutant.toml", "agents/analyst.md", "data/sales.csv"] {
        sandbox.write(file, &std::fs::read_to_string(example.join(file)).unwrap());
    }
    sandbox.program("tools/rows", &std::fs::read_to_string(example.join("tools/rows")).unwrap());
    let doctor = sandbox.run(&["doctor"]);
    assert!(doctor.contains("quickjs-ng 0.16.2, in a process of its own"), "{doctor}");
    let table = sandbox.read("data/sales.csv");
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let mut units: BTreeMap<&str, u32> = BTreeMap::new();
    for row in rows.iter().filter(|row| row[0].starts_with("2025")) {
        *units.entry(row[1]).or_default() += row[3].parse::<u32>().unwrap();
    }
    let (region, most) = units.iter().max_by_key(|(_, units)| **units).unwrap();
    let seen = sandbox.run(&["run", "Which region sold the most units in 2025?"]);
    assert!(seen.contains(region) && seen.contains(&most.to_string()), "{region} {most}\n{seen}");
    assert_eq!(seen.matches("tool sales").count(), rows.len() / 1000 + 1, "{seen}");

    let chai = rows.iter().filter(|row| row[2] == "Chai" && row[0].starts_with("2024")).count();
    let seen = sandbox.run(&["run", "How many sales of Chai were there in 2024?"]);
    assert!(seen.contains(&format!("count: {chai}")), "{chai}\n{seen}");

    let matcha: Vec<f64> =
        rows.iter().filter(|row| row[2] == "Matcha").map(|row| row[5].parse().unwrap()).collect();
    let average = matcha.iter().sum::<f64>() / matcha.len() as f64;
    let seen = sandbox.run(&["run", "What is the average revenue of Matcha?"]);
    assert!(
        seen.contains(&format!("average_revenue: {}", (average * 100.0).round() / 100.0)),
        "{average}\n{seen}"
    );
}

/// A model that proposes a tool, and another agent that is given it.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_makes_a_tool_that_a_person_approves() {
    let test = "if (await tool({ numbers: [3, 1, 2] }) !== 2) throw new Error('wrong');";
    let propose = |program: &str| {
        json!({
            "name": "median", "description": "Finds the median of numbers.",
            "parameters": {
                "type": "object", "properties": { "numbers": { "type": "array", "items": { "type": "number" } } },
                "required": ["numbers"], "additionalProperties": false,
            },
            "program": program, "test": test,
        })
    };
    let right =
        "const sorted = [...input.numbers].sort((a, b) => a - b);\nreturn sorted[sorted.length >> 1];";
    let provider = MockProvider::answering([
        Answer::calls([("c1", "propose_tool", propose("return 7"))]),
        Answer::calls([("c2", "propose_tool", propose(right))]),
        Answer::text("There it is."),
        Answer::calls([("c3", "median", json!({ "numbers": [9, 4, 5] }))]),
        Answer::text("It is 5."),
    ])
    .start()
    .await
    .unwrap();
    let sandbox = project(&provider, "tools: [rows]\ncode: { language: javascript, make_tools: true }");
    let seen = sandbox.run(&["run", "Make me a median!"]);
    // A person sees the program and the test, line by line.
    assert!(
        seen.starts_with("exit 3") && seen.contains("      | return sorted[sorted.length >> 1];"),
        "{seen}"
    );
    assert!(
        result(&provider).contains("the test of the tool failed: in the test, line 1"),
        "{}",
        result(&provider)
    );
    assert!(!sandbox.path("tools/library").exists(), "before a person has agreed nothing is there");
    let seen = sandbox.run(&["runs", "approve", &sandbox.newest()]);
    assert!(seen.starts_with("exit 0"), "{seen}");
    assert!(result(&provider).contains("the tool `median` is in the library"), "{}", result(&provider));
    sees!(sandbox.run(&["tools", "library", "list"]), @"
    exit 0
    --- stdout
    tool  version  standing  made by  what it does
    median  1        signed  desk  Finds the median of numbers.
    ");
    assert_eq!(sandbox.read("tools/library/median/program.js"), right);

    sandbox.write("agents/clerk.md", "---\nmodel: main\ntools: [library]\n---\nYou help.\n");
    let seen = sandbox.run(&["run", "--agent", "clerk", "What is the median?"]);
    assert!(seen.starts_with("exit 0") && result(&provider) == "5", "{seen}");

    // Whoever can write to the project, and no further, changes no tool.
    sandbox.write("tools/library/median/program.js", "return 'evil'");
    let seen = sandbox.run(&["check"]);
    assert!(
        seen.starts_with("exit 2") && seen.contains("`median` of the library is not signed as it stands"),
        "{seen}"
    );
    let seen = sandbox.run(&["tools", "library", "sign", "median"]);
    assert!(seen.contains("a person must look at `median` before it is signed"), "{seen}");
    assert!(sandbox.run(&["tools", "library", "sign", "median", "--yes"]).contains("signed: median"));
    assert!(sandbox.run(&["check"]).starts_with("exit 0"));
    assert!(sandbox.run(&["tools", "library", "withdraw", "median"]).contains("withdrawn: median"));
    assert!(sandbox.run(&["tools", "library", "show", "median"]).contains("median version 1 (withdrawn)"));
    provider.assert_clean();
}
