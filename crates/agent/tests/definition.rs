//! What authors write, and what they are told when it is wrong.

use std::sync::Arc;

use adjutant_agent::Agent;
use adjutant_agent::definition::{
    CodeMode, ContextWindow, Defaults, Definition, Setting, Source, markdown, money, steps,
};
use adjutant_core::money::Money;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error, Result};
use adjutant_tool::code::Language;
use adjutant_tool::{FunctionTool, Output, Tool};
use schemars::JsonSchema;
use serde_json::json;

const DESK: &str = "---
description: Answers customers.
model: main
tools: [documents, order]
approve: [documents]
limits: { steps: 20, money: 0.50 USD, wall_time: 5m }
variables: { shop: Bluebell, customer: null }
temperature: 0.2
context: { tokens: 32000, compact_at: 70 }
output:
  type: object
  properties: { answer: { type: string } }
---

You run the service desk of {{ shop }}.
The customer is {{ customer }}.
";

fn spec(name: &str) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: "does it".into(),
        parameters: json!({ "type": "object" }),
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    }
}

/// `documents` stands for two tools, `order` for one.
fn lookup(name: &str) -> Result<Vec<ToolSpec>> {
    match name {
        "documents" => Ok(vec![spec("read_file"), spec("search_files")]),
        "order" => Ok(vec![spec("order")]),
        _ => Err(Error::new(Code::ProjectInvalid, format!("there is no tool `{name}`"))),
    }
}

/// All that is wrong with an agent's file, one line for each, with its hint.
fn faults(text: &str) -> Vec<String> {
    let mut errors = match markdown::parse_in_part("agents/desk.md", text) {
        (Some((source, _)), errors) if errors.is_empty() => {
            source.resolve(&Defaults::default(), lookup).err().unwrap_or_default()
        }
        (Some((source, gaps)), mut errors) => {
            errors.extend(source.dangling(&Defaults::default(), gaps, lookup));
            errors
        }
        (None, errors) => errors,
    };
    errors.sort_by_key(|error| error.location().map(|at| (at.line, at.column)));
    errors
        .iter()
        .map(|e| format!("{e}{}", e.help().map(|help| format!(" | {help}")).unwrap_or_default()))
        .collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found = faults(text);
    assert_eq!(found.len(), expected.len(), "{text}\n{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{text}\n{found:#?}\nshould begin with\n{expected}");
    }
}

#[test]
fn a_file_becomes_a_definition() {
    for text in [DESK.to_owned(), DESK.replace('\n', "\r\n"), format!("\u{feff}{DESK}")] {
        let source = markdown::parse("agents/desk.md", &text).unwrap();
        let definition = source.resolve(&Defaults::default(), lookup).unwrap();
        assert_eq!(definition.name, "desk");
        assert_eq!(definition.limits.steps, 20);
        assert_eq!(definition.limits.money, "0.5 USD".parse::<Money>().unwrap());
        assert_eq!(definition.limits.wall_time.as_secs(), 300);
        assert_eq!(definition.limits.errors, 5);
        let names: Vec<_> = definition.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["read_file", "search_files", "order"]);
        assert!(definition.asks_before("read_file") && !definition.asks_before("order"));
        assert_eq!(
            definition.context,
            ContextWindow { tokens: Some(32_000), compact_at: 70, ..ContextWindow::default() }
        );
        let prompt = definition.prompt(json!({ "customer": "Ann" }).as_object().unwrap()).unwrap();
        assert_eq!(prompt, "You run the service desk of Bluebell.\nThe customer is Ann.");
    }
}

#[test]
fn the_builder_and_the_file_make_the_same_value() {
    let file = "---\nname: desk\nmodel: fast\nlimits: { steps: 4, money: 1 USD }\nvariables: { a: 1 }\n---\nHelp with {{ a }}.\n";
    let from_file = markdown::parse("x.md", file).unwrap().resolve(&Defaults::default(), lookup).unwrap();
    let built = Agent::new("desk")
        .model("fast")
        .limit(steps(4))
        .limit(money("1 USD"))
        .variable("a", 1)
        .instructions("Help with {{ a }}.");
    let built = built.definition().unwrap();
    assert_eq!(built, from_file);
    assert_eq!(built.digest().unwrap(), from_file.digest().unwrap());
}

#[test]
fn the_frame_of_the_file() {
    let cases: &[(&str, &[&str])] = &[
        ("", &["agents/desk.md:1:1: the file does not begin with front matter | begin it with a line `---`"]),
        ("You are a desk.", &["agents/desk.md:1:1: the file does not begin with front matter"]),
        (
            "---\nmodel: main\nHelp.",
            &["agents/desk.md:1:1: the front matter that begins here has no end | put a line"],
        ),
        ("---\nmodel: main\n---\n  \n", &["agents/desk.md:4:1: the agent has no prompt | write what it is"]),
        ("---\nmodel: main\n---", &["agents/desk.md:4:1: the agent has no prompt"]),
        ("---\n---\nHelp.", &["agents/desk.md:2:1: `model` is missing | add `model: main`"]),
        (
            "---\n- a\n---\nHelp.",
            &["agents/desk.md:2:1: the file must be a table of keys and values, not a list"],
        ),
        ("---\nmodel: [\n---\nHelp.", &["agents/desk.md:"]),
    ];
    for (text, expected) in cases {
        check(text, expected);
    }
}

#[test]
fn the_keys_of_the_front_matter() {
    let at = |line: &str| format!("---\nmodel: main\n{line}\n---\nHelp.\n");
    let cases: &[(&str, &[&str])] = &[
        ("modle: fast", &["agents/desk.md:3:1: unknown key `modle` | did you mean `model`?"]),
        (
            "weather: fine",
            &[
                "agents/desk.md:3:1: unknown key `weather` | known here are `agents`, `approve`, `approve_within`, `check`, ",
            ],
        ),
        (
            "limits: { stesp: 3 }",
            &["agents/desk.md:3:11: unknown key `limits.stesp` | did you mean `steps`?"],
        ),
        ("model: fast", &["agents/desk.md:3:1: the key `model` stands twice"]),
        (
            "tools: documents",
            &[
                "agents/desk.md:3:8: `tools` must be a list of texts, not the text `documents` | write it as `[documents]`",
            ],
        ),
        (
            "tools: [documents, 7]",
            &["agents/desk.md:3:20: `tools` must be a list of texts, not the number `7`"],
        ),
        ("tools: [order, order]", &["agents/desk.md:3:16: `tools` names `order` twice"]),
        ("tools: [nothing]", &["agents/desk.md:3:9: there is no tool `nothing`"]),
        (
            "approve: [order]",
            &["agents/desk.md:3:11: `approve` names `order`, which is not a tool of this agent"],
        ),
        (
            "tools: [order]\napprove: [ordr]",
            &[
                "agents/desk.md:4:11: `approve` names `ordr`, which is not a tool of this agent | did you mean `order`?",
            ],
        ),
        (
            "limits: 20",
            &["agents/desk.md:3:9: `limits` must be a table of keys and values, not the number `20`"],
        ),
        (
            "limits: { steps: 0 }",
            &[
                "agents/desk.md:3:18: `limits.steps` must be a whole number from 1 to 100000, not the number `0`",
            ],
        ),
        (
            "limits: { steps: many }",
            &[
                "agents/desk.md:3:18: `limits.steps` must be a whole number from 1 to 100000, not the text `many`",
            ],
        ),
        (
            "limits: { money: 0.50 }",
            &[
                "agents/desk.md:3:18: `limits.money` must be an amount of money above zero, not the number `0.5` | write it with its currency: `0.5 USD`",
            ],
        ),
        (
            "limits: { money: 5 EUR }",
            &[
                "agents/desk.md:3:18: `limits.money` must be an amount of money above zero, not the text `5 EUR` | write it as `0.50 USD`",
            ],
        ),
        (
            "limits: { wall_time: 5 }",
            &[
                "agents/desk.md:3:22: `limits.wall_time` must be a duration, not the number `5` | write it as `90s`",
            ],
        ),
        (
            "temperature: hot",
            &["agents/desk.md:3:14: `temperature` must be a number from 0 to 2, not the text `hot`"],
        ),
        (
            "max_output_tokens: -1",
            &["agents/desk.md:3:20: `max_output_tokens` must be a whole number from 1 to"],
        ),
        ("description:", &["agents/desk.md:3:1: `description` has no value"]),
        (
            "description: true",
            &["agents/desk.md:3:14: `description` must be text, not `true` | write it in quotes"],
        ),
        (
            "name: Service Desk",
            &["agents/desk.md:3:7: `Service Desk` cannot be the name of an agent | use 1 to 64"],
        ),
        (
            "output: { type: array }",
            &["agents/desk.md:3:9: the output schema is not valid: it does not describe an object"],
        ),
        (
            "output: { type: object, properties: { a: { type: strin } } }",
            &["agents/desk.md:3:9: the output schema is not valid: "],
        ),
        ("output: text", &["agents/desk.md:3:9: `output` must be a JSON schema, not the text `text`"]),
        ("variables: { my-shop: x }", &["agents/desk.md:3:14: `my-shop` cannot be the name of a variable"]),
        (
            "context: { compact_at: 100 }",
            &["agents/desk.md:3:24: `context.compact_at` must be a whole number from 10 to 95"],
        ),
    ];
    for (line, expected) in cases {
        check(&at(line), expected);
    }
    check("---\nmodel:\n---\nHelp.", &["agents/desk.md:2:1: `model` has no value"]);
    check(
        "---\nmodel: 4\n---\nHelp.",
        &["agents/desk.md:2:8: `model` must be a role or a model id, not the number `4`"],
    );
}

#[test]
fn the_prompt() {
    let with = |prompt: &str| format!("---\nmodel: main\nvariables: {{ shop: x }}\n---\n\n{prompt}\n");
    check(
        &with("Hello {{ shopp }}."),
        &[
            "agents/desk.md:6:10: the prompt uses the variable `shopp`, which nobody declares | did you mean `shop`?",
        ],
    );
    check(
        &with("{{ shop }}\n{{ customer.name }}"),
        &[
            "agents/desk.md:7:4: the prompt uses the variable `customer`, which nobody declares | give it a value under `variables:`",
        ],
    );
    check(
        &with("One\n{% if shop %}"),
        &["agents/desk.md:7:12: the prompt is not a valid template: a `{%`, or the block"],
    );
}

#[test]
fn all_mistakes_are_reported_together() {
    let text = "---\nmodle: main\ntools: order\nlimits: { steps: 0, moeny: 1 USD }\n---\n{{ broken\n";
    check(
        text,
        &[
            "agents/desk.md:2:1: `model` is missing",
            "agents/desk.md:2:1: unknown key `modle`",
            "agents/desk.md:3:8: `tools` must be a list",
            "agents/desk.md:4:18: `limits.steps` must be",
            "agents/desk.md:4:21: unknown key `limits.moeny` | did you mean `money`?",
            "agents/desk.md:6:4: the prompt is not a valid template: a `{{` has no `}}`",
        ],
    );
}

#[test]
fn names_are_looked_up_beside_other_mistakes() {
    check(
        "---\nmodel: main\ntool: [b]\ntools: [bb, order]\napprove: [ordr]\nlimits: { steps: 0, mony: 3 }\ntemperature: hot\n---\n{{ name }} {{ foo.bar }} {{ nmae | upperr }} {{ name is emty }}\n",
        &[
            "agents/desk.md:3:1: unknown key `tool` | did you mean `tools`?",
            "agents/desk.md:4:9: there is no tool `bb`",
            "agents/desk.md:5:11: `approve` names `ordr`, which is not a tool of this agent | did you mean `order`?",
            "agents/desk.md:6:18: `limits.steps` must be",
            "agents/desk.md:6:21: unknown key `limits.mony` | did you mean `money`?",
            "agents/desk.md:7:14: `temperature` must be a number",
            "agents/desk.md:9:4: the prompt uses the variable `name`, which nobody declares",
            "agents/desk.md:9:15: the prompt uses the variable `foo`, which nobody declares",
            "agents/desk.md:9:29: the prompt uses the variable `nmae`, which nobody declares",
            "agents/desk.md:9:36: the prompt cannot be filled in: there is no filter `upperr`",
            "agents/desk.md:9:57: the prompt cannot be filled in: there is no test `emty`",
        ],
    );
}

#[test]
fn what_follows_from_a_mistake_is_not_reported() {
    check(
        "---\nmodel: main\ntool: [order]\napprove: [order]\nvaraibles: { shop: x }\n---\n{{ shop }}\n",
        &[
            "agents/desk.md:3:1: unknown key `tool` | did you mean `tools`?",
            "agents/desk.md:5:1: unknown key `varaibles` | did you mean `variables`?",
        ],
    );
    check(
        "---\nmodel: main\ntools: order\napprove: [order]\nvariables: [shop]\n---\n{{ shop }}\n",
        &["agents/desk.md:3:8: `tools` must be a list", "agents/desk.md:5:12: `variables` must be a table"],
    );
}

#[test]
fn hostile_files_are_bounded() {
    check(&"x".repeat(100 << 20), &["agents/desk.md:1:1: the file is longer than 1048576 bytes"]);
    let huge = format!("---\nmodel: main\ndescription: {}\n---\nHelp.", "x".repeat(300 << 10));
    check(&huge, &["agents/desk.md:1:1: the front matter is longer than 262144 bytes"]);
    let many: String = (0..5_000).map(|n| format!("key{n}: 1\n")).collect();
    assert_eq!(faults(&format!("---\nmodel: main\n{many}---\nHelp.")).len(), 50);
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Answer {
    /// What to tell the customer.
    text: String,
    mood: Option<Mood>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
enum Mood {
    Calm,
    Angry,
}

fn tool(name: &str) -> Arc<dyn Tool> {
    Arc::new(FunctionTool::new(spec(name), |_, _| async { Ok(Output::from("done")) }))
}

#[test]
fn a_builder_brings_its_tools_and_its_answer() {
    let agent = Agent::new("desk")
        .description("Helps.")
        .instructions("Help.")
        .tools([tool("order"), tool("refund")])
        .approve("refund")
        .output::<Answer>()
        .temperature(0.0)
        .build()
        .unwrap();
    let definition = agent.definition().unwrap();
    assert_eq!(definition.tools.len(), 2);
    assert_eq!(agent.own_tools().len(), 2);
    assert_eq!(definition.approve, ["refund"]);
    let output = definition.output.unwrap();
    assert_eq!(output["properties"]["text"]["description"], "What to tell the customer.");
    assert!(!output.to_string().contains("$ref"), "{output}");
}

#[test]
fn a_builder_says_what_is_wrong() {
    let cases: Vec<(Agent, &str)> = vec![
        (Agent::new("desk"), "the agent has no instructions"),
        (Agent::new("My Desk").instructions("Help."), "`My Desk` cannot be the name of an agent"),
        (
            Agent::new("desk").instructions("{{ shop }}"),
            "the prompt uses the variable `shop`, which nobody declares",
        ),
        (
            Agent::new("desk").instructions("{{ shop"),
            "the prompt is not a valid template in line 1, column 4 of the prompt",
        ),
        (Agent::new("desk").instructions("Help.").limit(money("5 EUR")), "`5 EUR` is not an amount of money"),
        (Agent::new("desk").instructions("Help.").temperature(9.0), "the temperature must be from 0 to 2"),
        (
            Agent::new("desk").instructions("Help.").tool(tool("a")).tool(tool("a")),
            "`a` gives a second tool called `a`",
        ),
        (Agent::new("desk").instructions("Help.").approve("x"), "`approve` names `x`, which is not a tool"),
        (Agent::new("desk").instructions("Help.").output::<String>(), "the output schema is not valid"),
        (
            Agent::markdown("desk.md", "---\nmodel: main\ntools: [order]\n---\nHelp.").unwrap(),
            "the agent `desk` names the tool `order`",
        ),
    ];
    for (agent, message) in cases {
        let error = agent.build().unwrap_err();
        assert!(error.message().starts_with(message), "{error}");
    }
}

#[test]
fn defaults_fill_what_an_agent_does_not_say() {
    let mut defaults = Defaults::default();
    defaults.limits.steps = 9;
    defaults.limits.errors = 1;
    defaults.variables = json!({ "shop": "Bluebell", "unused": 1 }).as_object().unwrap().clone();
    let mut source: Source = markdown::parse("desk.md", "---\nmodel: main\n---\n{{ shop }}").unwrap();
    source.limits = vec![Setting::Steps(3)];
    let definition: Definition = source.resolve(&defaults, lookup).unwrap();
    assert_eq!((definition.limits.steps, definition.limits.errors), (3, 1));
    assert_eq!(json!(definition.variables), json!({ "shop": "Bluebell" }));
}

#[test]
fn an_agent_in_code_mode_has_one_tool_for_its_functions() {
    let agent = |code: &str| DESK.replace("temperature: 0.2", code);
    let definition = |code: &str| {
        let source = markdown::parse("agents/desk.md", &agent(code)).unwrap();
        source.resolve(&Defaults::default(), lookup).unwrap()
    };
    let offered = |definition: &Definition| -> Vec<String> {
        definition.offered().map(|tool| tool.name.clone()).collect()
    };
    let all = definition("code: javascript");
    assert_eq!(offered(&all), ["run_program"]);
    let about = &all.tool("run_program").unwrap().description;
    assert!(about.contains("read_file(input?: Record<string, any>): Promise<any>;"), "{about}");
    assert_eq!(all.code.as_ref().unwrap().limits.calls, 100);

    let some = definition(
        "code: { functions: [documents], direct: [read_file], calls: 7, time: 5s, memory: 2000000 }",
    );
    assert_eq!(offered(&some), ["read_file", "order", "run_program"]);
    let code = some.code.as_ref().unwrap();
    assert_eq!(code.functions, ["read_file", "search_files"]);
    assert_eq!((code.limits.calls, code.limits.time_ms, code.limits.memory), (7, 5_000, 2_000_000));
    // What was pinned before code mode was there stays as it was, and so does its digest.
    let without = definition("temperature: 0.2");
    assert!(!serde_json::to_string(&without).unwrap().contains("code"));

    check(&agent("code: python"), &["agents/desk.md:8:7: `code` must be one of `javascript`"]);
    check(&agent("code: 7"), &["agents/desk.md:8:7: `code` must be a language or a table"]);
    check(
        &agent("code: { functions: [documnts], calls: -1, wall: 3s }"),
        &[
            "agents/desk.md:8:21: `code.functions` names `documnts`, which is not a tool of this agent | did you mean",
            "agents/desk.md:8:",
            "agents/desk.md:8:",
        ],
    );
    let same =
        Agent::new("desk").instructions("x").tool(tool("order")).code(CodeMode::new(Language::Javascript));
    assert_eq!(same.definition().unwrap().code.unwrap().functions, ["order"]);
    let taken = Agent::new("desk").instructions("x").tool(tool("run_program")).code(CodeMode::default());
    assert!(taken.definition().unwrap_err().message().contains("has a tool called `run_program`"));
}
