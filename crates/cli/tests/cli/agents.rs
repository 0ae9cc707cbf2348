//! Agents that ask other agents.

use crate::sandbox::{Sandbox, sees};

/// A desk that asks a clerk, who files notes when a person agrees.
fn project() -> Sandbox {
    let sandbox = Sandbox::with_agent("agents: [clerk]");
    sandbox.write(
        "agents/clerk.md",
        "---\nmodel: main\ndescription: Files notes.\ntools: [note]\napprove: [note]\n---\nYou file notes.\n",
    );
    sandbox.program("note", "#!/bin/sh\ncat >> filed\necho '{\"filed\": true}'\n");
    sandbox.write(
        "adjutant.toml",
        "[project]\nname = \"desk\"\n[tools.note]\ntype = \"command\"\ndescription = \"Files a note.\"\n\
         command = [\"./note\"]\neffect = \"at_most_once\"\n[tools.note.parameters]\ntext = \"What to note.\"\n",
    );
    sandbox
}

#[test]
fn an_agent_asks_another_which_asks_a_person() {
    let sandbox = project();
    sees!(sandbox.run(&["run", "Ask the clerk to file a note about milk"]), @r#"
    exit 3
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool clerk {"task":"Ask the clerk to file a note about milk"}
    run [run] waits for a person
      for the run [run] (clerk), which is waiting
      to allow note {"text":"Ask the clerk to file a note about milk"} (the agent's definition asks for it)
        adjutant runs approve [run]
        adjutant runs approve [run] --deny --reason "..."
    "#);
    assert!(!sandbox.path("filed").exists());
    let runs = sandbox.json(&["runs"]);
    let asked = runs.as_array().unwrap().iter().find(|run| run["name"] == "desk").unwrap();
    let run = asked["run"].as_str().unwrap().to_owned();
    sees!(sandbox.run(&["runs", "show", &run]), @r#"
    exit 0
    --- stdout
    run [run] desk, waiting, began [moment], took [time]
    Ask the clerk to file a note about milk
      turn#0
        model#0  offline, [time], 103 tokens in, 24 out, 0 USD
        call#0
          decide#0  {"task":"Ask the clerk to file a note about milk"}, [time]
          within#0/clerk#0  run [run], open
            turn#0
              model#0  offline, [time], 65 tokens in, 24 out, 0 USD
              call#0/approve:turn0.call0#0  note {"text":"Ask the clerk to file a note about milk"} (the..., open
    103 tokens in, 24 out, 0 USD, [time]
    --- stderr
    run [run] waits for a person
      for the run [run] (clerk), which is waiting
      to allow note {"text":"Ask the clerk to file a note about milk"} (the agent's definition asks for it)
        adjutant runs approve [run]
        adjutant runs approve [run] --deny --reason "..."
    "#);
    // The run that was asked for need not be the one that waits.
    sees!(sandbox.run(&["runs", "approve", &run]), @r#"
    exit 0
    --- stdout
    **`clerk`, task `Ask the clerk to file a note about milk`**

    > **`note`, text `Ask the clerk to file a note about milk`**: filed: true
    > _I am the built-in offline model: rules, no LLM._

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    tool clerk {"task":"Ask the clerk to file a note about milk"}
    clerk: tool note {"text":"Ask the clerk to file a note about milk"}
    clerk:   -> note: 14 B, [time]
      -> clerk: 122 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 588 tokens, 0 USD, [time]
    "#);
    assert!(sandbox.path("filed").exists());
    sees!(sandbox.run(&["runs", "show", &run]), @r#"
    exit 0
    --- stdout
    run [run] desk, ended, began [moment], took [time]
    Ask the clerk to file a note about milk
      turn#0
        model#0  offline, [time], 103 tokens in, 24 out, 0 USD
        call#0
          decide#0  {"task":"Ask the clerk to file a note about milk"}, [time]
          within#0/clerk#0  run [run], [time], 169 tokens in, 59 out, 0 USD
            turn#0
              model#0  offline, [time], 65 tokens in, 24 out, 0 USD
              call#0
                approve:turn0.call0#0  note {"text":"Ask the clerk to file a note about milk"} (the..., [time]
                note#0  {"text":"Ask the clerk to file a note about milk"}, [time]
            turn#1/model#0  offline, [time], 104 tokens in, 35 out, 0 USD
          clerk#0  {"task":"Ask the clerk to file a note about milk"}, [time]
      turn#1/model#0  offline, [time], 169 tokens in, 64 out, 0 USD
    441 tokens in, 147 out, 0 USD, [time]
    **`clerk`, task `Ask the clerk to file a note about milk`**...
    "#);
    sees!(sandbox.run(&["runs", "list"]), @"
    exit 0
    --- stdout
    run  agent  state  began  took  session  title  outcome
    [run]  clerk for [run]  ended  [moment]  [time]  **`note`, text `Ask the clerk to file a note about milk`**: ...
    [run]  desk  ended  [moment]  [time]  Ask the clerk to file a note about milk  **`clerk`, task `Ask the clerk to file a note about milk`**...
    ");
}

#[test]
fn a_conversation_that_is_handed_over_stays_there() {
    let sandbox = Sandbox::with_agent("handoffs: [clerk]");
    sandbox.write("agents/clerk.md", "---\nmodel: main\ndescription: Files notes.\n---\nYou file notes.\n");
    sandbox.write("adjutant.toml", "[project]\nname = \"desk\"\nagent = \"desk\"\n");
    sees!(sandbox.run(&["run", "--session", "ann", "Hand off to clerk, please"]), @r#"
    exit 0
    --- stdout
    I have no tools here, and without them I know nothing.

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool hand_off_to_clerk {"needs":"clerk","reason":"Hand off to clerk, please"}
      -> hand_off_to_clerk: 63 B, [time]
    `desk` hands the conversation over to `clerk`
    run [run]: answered after 1 turn, 1 tool call, 238 tokens, 0 USD, [time]
    "#);
    sandbox.run(&["run", "--session", "ann", "And now?"]);
    let runs = sandbox.json(&["runs"]);
    let latest = runs.as_array().unwrap().iter().find(|run| run["name"] == "desk").unwrap();
    let run = latest["run"].as_str().unwrap().to_owned();
    sees!(sandbox.run(&["runs", "show", &run]), @r#"
    exit 0
    --- stdout
    run [run] desk, ended, began [moment], took [time]
    And now?
    session ann
      standing#0
        decide#0  {"action":{"agent":"clerk"},"approved":true}, [time]
        clerk#0  run [run], [time], 98 tokens in, 30 out, 0 USD
          turn#0/model#0  offline, [time], 98 tokens in, 30 out, 0 USD
        made#0/made#0  "0340acfe2166c1232164b911a3faf9043c210db9751d3aa155cc93889f0..., [time], 0 tokens in, 0 out, 0 USD
    98 tokens in, 30 out, 0 USD, [time]
    Out of what I was given:...
    `clerk` has the conversation now
    "#);
}

#[test]
fn an_end_at_a_limit_is_shown_with_its_figures() {
    let sandbox = Sandbox::with_agent("tools: [calculator]\nlimits: { steps: 1 }");
    sandbox.run(&["run", "What is 6 * 7?"]);
    let runs = sandbox.json(&["runs"]);
    let run = runs[0]["run"].as_str().unwrap().to_owned();
    sees!(sandbox.run(&["runs", "show", &run]), @r#"
    exit 0
    --- stdout
    run [run] desk, ended, began [moment], took [time]
    What is 6 * 7?
      turn#0
        model#0  offline, [time], 128 tokens in, 18 out, 0 USD
        call#0/calculate#0  {"expression":"6 * 7"}, [time]
        note#0  {"last_turn":"steps"}, [time]
      turn#1/model#0  offline, [time], 206 tokens in, 27 out, 0 USD
    334 tokens in, 45 out, 0 USD, [time]
    **`calculate`, expression `6 * 7`**: 42...
    ended: stopped by the limit of steps; 2 steps, 1 tool call, 379 tokens, 0 USD, [time]
    "#);
}
