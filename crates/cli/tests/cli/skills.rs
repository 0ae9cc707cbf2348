//! `adjutant skills`, and an agent that is shown few of its tools.

use crate::sandbox::{Sandbox, sees};

fn project() -> Sandbox {
    let sandbox = Sandbox::with_agent("skills: [refunds]");
    sandbox.write(
        "skills/refunds/SKILL.md",
        "---\nname: refunds\ndescription: How refunds work. Use it for money back.\nallowed-tools: Bash(git:*)\n---\nFind the order.\n",
    );
    sandbox.write("skills/refunds/rules.md", "Thirty days.\n");
    sandbox
}

#[test]
fn skills_are_listed_and_checked() {
    let sandbox = project();
    sees!(sandbox.run(&["skills", "list"]), @"
    exit 0
    --- stdout
    skill  agents  files  what it is for
    refunds  desk  2      How refunds work. Use it for money back.
    ");
    sees!(sandbox.run(&["skills", "check"]), @"
    exit 0
    --- stdout
    ok: 1 skill
    --- stderr
    note: `allowed-tools` of `refunds` gives no tool and approves none: `tools` and `approve` of an agent do
    ");
    sees!(sandbox.run(&["skills", "check", "skills/refunds", "--json"]), @r#"
    exit 0
    --- stdout
    {"errors":[],"ok":true,"skills":1}
    "#);
    sandbox.write("skills/refunds/SKILL.md", "---\nname: Refunds\n---\n");
    sees!(sandbox.run(&["skills", "check"]), @"
    exit 2
    --- stderr
    error[project-invalid]: `description` is missing
     --> skills/refunds/SKILL.md:2:1
      |
    2 | name: Refunds
      | ^

    hint: say what the skill does and when to use it: models choose it by that

    error[project-invalid]: `Refunds` cannot be the name of a skill
     --> skills/refunds/SKILL.md:2:7
      |
    2 | name: Refunds
      |       ^

    hint: use 1 to 64 characters of a-z, 0-9 and single - between them

    error[project-invalid]: the skill has no instructions
     --> skills/refunds/SKILL.md:4:1

    hint: write how the work is done below the second `---`
    ");
    // The check of the whole project says the same.
    assert_eq!(sandbox.run(&["check"]), sandbox.run(&["skills", "check"]));
}

#[test]
fn a_project_without_skills_says_how_to_write_one() {
    let sandbox = Sandbox::with_agent("");
    sees!(sandbox.run(&["skills", "list"]), @"
    exit 0
    --- stderr
    the project has no skills; write one: skills/NAME/SKILL.md
    ");
    sees!(sandbox.run(&["skills", "check", "nowhere"]), @"
    exit 1
    --- stderr
    error[file-unreadable]: `nowhere` cannot be read: No such file or directory (os error 2)
    ");
}

#[test]
fn an_agent_finds_its_tool() {
    let sandbox =
        Sandbox::with_agent("tools: [probe, time, calculator]\ntool_search: { above: 2, always: [time] }");
    sandbox.program("probe", "#!/bin/sh\necho '{\"sky\": \"blue\"}'\n");
    sandbox.write(
        "adjutant.toml",
        "[tools.probe]\ntype = \"command\"\ndescription = \"Probes the weather.\"\ncommand = [\"./probe\"]\n\
         effect = \"pure\"\nparameters = {}\n",
    );
    sees!(sandbox.run(&["run", "Probe the weather!"]), @r#"
    exit 0
    --- stdout
    **`probe`**: sky: blue

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool search_tools {"query":"Probe the weather!"}
      -> search_tools: 72 B, [time]
    tool probe {}
      -> probe: 14 B, [time]
    run [run]: answered after 3 turns, 2 tool calls, 877 tokens, 0 USD, [time]
    "#);
}
