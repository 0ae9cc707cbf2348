//! What the fast model does: titles, and the choice of an agent.

use std::time::Duration;

use adjutant_testkit::provider::{Answer, MockProvider, Received};
use serde_json::json;

use crate::sandbox::{Sandbox, sees};

/// A provider of two models: `small`, which names conversations and chooses agents, and `large`, which answers.
fn answers(request: &Received) -> Answer {
    let messages = request.body["messages"].as_array().expect("messages");
    let text = messages
        .iter()
        .rev()
        .find(|message| message["role"] == "user")
        .map(|message| message["content"].to_string());
    match request.body["model"].as_str() {
        Some("small") if request.body["response_format"].is_null() => Answer::text("A Broken Bell"),
        Some("small") => {
            let agent = if text.is_some_and(|text| text.contains("bell")) { "repairs" } else { "sales" };
            Answer::text(json!({"agent": agent, "reason": "It is about a\nbroken bell."}).to_string())
        }
        // The title is there before the answer, so that no wait for it is recorded.
        _ => Answer::text("Bring it in.").after(Duration::from_millis(150)),
    }
}

fn project(base_url: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, description) in [("repairs", "Mends bells {{ as written }}."), ("sales", "Sells bicycles.")] {
        let front = format!("description: \"{description}\"\nmodel: main");
        sandbox.write(&format!("agents/{name}.md"), &format!("---\n{front}\n---\nYou are {name}.\n"));
    }
    let model = |name: &str| {
        format!(
            "provider = \"openai\"\nmodel = \"{name}\"\nbase_url = \"{base_url}\"\nprices = {{ input = 1, output = 1 }}\n"
        )
    };
    let (main, fast) = (model("large"), model("small"));
    sandbox.write("adjutant.toml", &format!("{more}\n[models.main]\n{main}[models.fast]\n{fast}"));
    sandbox
}

async fn mock() -> MockProvider {
    MockProvider::responding(answers).start().await.expect("a port")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_chooses_the_agent_where_the_project_says_so() {
    let provider = mock().await;
    let sandbox = project(&provider.base_url(), "[project]\nroute = true\n");
    sees!(sandbox.run(&["run", "My bell is broken."]), @"
    exit 0
    --- stdout
    Bring it in.
    --- stderr
    repairs answers: It is about a broken bell. (run [run])
    run [run]
    run [run]: answered after 1 turn, 0 tool calls, 30 tokens, 0.00003 USD, [time]
    ");
    // In a conversation only its first words decide.
    sees!(sandbox.run_with_input(&["chat"], "My bell is broken.\nAnd a bicycle?\n"), @"
    exit 0
    --- stdout
    Bring it in.
    Bring it in.
    --- stderr
    session [run]; an empty line or Ctrl-D leaves
    repairs answers: It is about a broken bell. (run [run])
    run [run]: answered after 1 turn, 0 tool calls, 30 tokens, 0.00003 USD, [time]
    run [run]: answered after 1 turn, 0 tool calls, 15 tokens, 0.000015 USD, [time]
    to go on: adjutant chat --session [run]
    ");
    // The choice is a run with its reason; the same task again chooses nobody anew.
    sees!(sandbox.run(&["runs", "list", "--most", "2"]), @"
    exit 0
    --- stdout
    run  agent  state  began  took  session  title  outcome
    [run]  repairs  ended  [moment]  [time]  [run]  And a bicycle?  Bring it in.
    [run]  repairs  ended  [moment]  [time]  [run]  A Broken Bell  Bring it in.
    ");
    let count = provider.count();
    sandbox.run(&["run", "My bell is broken.", "--id", "one"]);
    let asked = provider.count() - count;
    let again = sandbox.run(&["run", "My bell is broken.", "--id", "one"]);
    assert!(asked == 3 && provider.count() == count + 3, "{asked}: {again}");
    provider.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_named_answers_and_nobody_chooses() {
    let provider = mock().await;
    let agents = |sandbox: &Sandbox, arguments: &[&str]| -> Vec<String> {
        let output = sandbox.output(arguments);
        assert!(output.status.success(), "{output:?}");
        let runs = sandbox.json(&["runs"]);
        runs.as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect()
    };
    let sandbox = project(&provider.base_url(), "[project]\nroute = true\n");
    assert_eq!(agents(&sandbox, &["run", "My bell.", "--agent", "sales"]), ["sales"]);
    let sandbox = project(&provider.base_url(), "[project]\nroute = true\nagent = \"sales\"\n");
    assert_eq!(agents(&sandbox, &["run", "My bell."]), ["sales"]);
    let sandbox = project(&provider.base_url(), "[project]\nroute = true\nname = \"sales\"\n");
    assert_eq!(agents(&sandbox, &["run", "My bell."]), ["sales"]);
    // A conversation stays with whom it began.
    let sandbox = project(&provider.base_url(), "[project]\nroute = true\n");
    agents(&sandbox, &["run", "Hello.", "--session", "s"]);
    assert_eq!(agents(&sandbox, &["run", "My bell.", "--session", "s"]), ["sales", "sales", "router"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_chosen_is_said() {
    let provider = mock().await;
    let sandbox = project(&provider.base_url(), "");
    sees!(sandbox.run(&["run", "My bell is broken."]), @"
    exit 2
    --- stderr
    error[input-invalid]: the project has several agents, and none is called like it

    hint: name one of `repairs`, `sales`; or let `[project]` of adjutant.toml name one with `agent`, or have one chosen with `route = true`
    ");
    let sandbox = project(&provider.base_url(), "[project]\nagent = \"sale\"\n");
    sees!(sandbox.run(&["check"]), @r#"
    exit 2
    --- stderr
    error[project-invalid]: there is no agent `sale`
     --> adjutant.toml:2:9
      |
    2 | agent = "sale"
      |         ^

    hint: did you mean `sales`?
    "#);
    let silly = MockProvider::responding(|_| Answer::text("I am a teapot.")).start().await.expect("a port");
    let sandbox = project(&silly.base_url(), "[project]\nroute = true\ntitles = false\n");
    sees!(sandbox.run(&["run", "My bell is broken."]), @"
    exit 1
    --- stderr
    error[run-output-invalid]: no agent could be chosen for this
    cause: the answer does not fit the agent's output schema, also after it was repaired:
    - it is not JSON: expected value at line 1 column 1

    hint: name one: `--agent NAME`, or `agent` of `[project]` in adjutant.toml
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_have_titles() {
    let provider = mock().await;
    let sandbox = project(&provider.base_url(), "[project]\nagent = \"repairs\"\n");
    let talk = |lines: &str, session: &str| sandbox.run_with_input(&["chat", "--session", session], lines);
    talk("My bell is broken.\nSince yesterday.\n", "ann");
    sees!(talk("When is it done?\n", "ann"), @"
    exit 0
    --- stdout
    Bring it in.
    --- stderr
    repairs, session ann; an empty line or Ctrl-D leaves
    it goes on: A Broken Bell
    run [run]: answered after 1 turn, 0 tool calls, 15 tokens, 0.000015 USD, [time]
    to go on: adjutant chat --session ann
    ");
    sees!(sandbox.run(&["chat", "--sessions"]), @"
    exit 0
    --- stdout
    session  agent  turns  last  title
    ann  repairs  3      [moment]  A Broken Bell
    ");
    let count = provider.requests().iter().filter(|request| request["model"] == "small").count();
    assert_eq!(count, 1, "only the first turn has a title made");
    let shown = sandbox.run(&["runs", "show", sandbox.json(&["runs"])[2]["run"].as_str().unwrap()]);
    sees!(shown, @"
    exit 0
    --- stdout
    run [run] repairs, ended, began [moment], took [time]
    A Broken Bell
    session ann
      turn#0/model#0  openai/large, [time], 10 tokens in, 5 out, 0.000015 USD
      title#0  openai/small, [time], 10 tokens in, 5 out, 0.000015 USD
    20 tokens in, 10 out, 0.00003 USD, [time]
    Bring it in.
    ");
    // Without a model for it, nobody is asked and the beginning is the title.
    let sandbox = project(&provider.base_url(), "[project]\nagent = \"repairs\"\ntitles = false\n");
    sandbox.run(&["run", "My bell is broken.\nPlease help."]);
    let run = &sandbox.json(&["runs"])[0];
    assert_eq!(
        (&run["title"], run["outcome"]["Ok"].get("title")),
        (&json!("My bell is broken."), None),
        "{run}"
    );
}
