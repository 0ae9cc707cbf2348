//! The JSON schema of workflow files, by which editors complete and check them: `docs/workflow.schema.json`.
//!
//! It says what stands where. What only the reader can tell, such as names that are not there, is not in it.

mod several;

use serde_json::{Map, Value, json};

/// What a step does, each with its form and the keys that may stand beside it.
const VERBS: [(&str, &[&str]); 16] = [
    ("agent", &["task", "variables"]),
    ("workflow", &["task", "variables"]),
    ("tool", &["arguments"]),
    ("person", &["answer"]),
    ("value", &[]),
    ("sleep", &[]),
    ("sequence", &[]),
    ("parallel", &["join", "least", "at_a_time"]),
    ("map", &["as", "do", "join", "least", "at_a_time"]),
    ("route", &[]),
    ("refine", &[]),
    ("orchestrate", &[]),
    ("graph", &[]),
    ("crew", &[]),
    ("chat", &[]),
    ("events", &[]),
];

/// What any step may have.
const EVERY: [&str; 8] = ["id", "when", "retry", "timeout", "idle", "cache", "gate", "or_else"];

/// The schema as it is published.
pub fn text() -> String {
    format!("{:#}\n", schema())
}

/// The schema.
fn schema() -> Value {
    let mut root = table(
        &["steps"],
        &[
            ("name", text_of("What it is called; like its file where nothing is said.")),
            ("description", text_of("What it is for: agents that may ask it choose it by that.")),
            ("model", text_of("The model that judges and routers use which name none.")),
            ("limits", json!({ "type": "object" })),
            (
                "stop",
                json!({ "type": "object", "description": "When it has done enough: one condition, or `any` or `all` of a list." }),
            ),
            ("approve", texts("The tools whose calls ask a person first.")),
            (
                "input",
                json!({ "type": "object", "description": "The JSON schema of the input, where that is data." }),
            ),
            ("steps", reference("steps")),
            ("output", described("value", "What it gives; what its last step made where nothing is said.")),
        ],
    );
    let definitions = json!({
        "value": { "description": "A text, which is a template; an expression in CEL, after `=`; or lists and tables of such." },
        "condition": { "type": ["string", "boolean"], "description": "An expression in CEL." },
        "duration": { "type": "string", "examples": ["90s", "5m", "1h 30m"] },
        "values": { "type": "object", "additionalProperties": reference("value") },
        "steps": { "oneOf": [reference("step"), { "type": "array", "items": reference("step"), "minItems": 1 }] },
        "step": step(),
        "retry": retry(),
        "gate": gate(),
        "helper": table(&[], &[("model", text_of("A model.")), ("agent", text_of("An agent."))]),
        "chooser": table(
            &[],
            &[
                ("model", text_of("A model.")),
                ("agent", text_of("An agent.")),
                ("embedding", text_of("The role of the model whose vectors choose, such as `embed`.")),
            ],
        ),
        "route": route(),
        "path": path(),
        "refine": refine(),
        "orchestrate": orchestrate(),
        "graph": graph(),
        "field": field(),
        "node": node(),
        "edge": edge(),
        "crew": several::crew(),
        "member": several::member(),
        "assignment": several::assignment(),
        "chat": several::chat(),
        "events": several::events(),
        "reaction": several::reaction(),
        "emission": several::emission(),
    });
    if let Some(root) = root.as_object_mut() {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".to_owned(), json!("A workflow of Adjutant"));
        root.insert("$defs".to_owned(), definitions);
    }
    root
}

/// A table of these keys and no others.
fn table(required: &[&str], properties: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> =
        properties.iter().map(|(key, schema)| ((*key).to_owned(), schema.clone())).collect();
    let mut table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let (false, Some(table)) = (required.is_empty(), table.as_object_mut()) {
        table.insert("required".to_owned(), json!(required));
    }
    table
}

fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

fn described(definition: &str, description: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{definition}"), "description": description })
}

fn text_of(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn texts(description: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": description })
}

fn whole(least: u64, description: &str) -> Value {
    json!({ "type": "integer", "minimum": least, "description": description })
}

fn at_a_time() -> Value {
    whole(1, "How many work at the same time; 8 where nothing is said.")
}

fn step() -> Value {
    let mut step = table(
        &[],
        &[
            (
                "id",
                json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$", "description": "What later steps call what it made." }),
            ),
            ("when", described("condition", "When it is done; otherwise it makes `null`.")),
            ("retry", reference("retry")),
            ("timeout", described("duration", "How long one attempt may take.")),
            ("idle", described("duration", "How long it may go without a sign of life.")),
            ("cache", cache()),
            ("idle", described("duration", "How long it may go without a sign of life.")),
            ("cache", cache()),
            ("gate", reference("gate")),
            ("or_else", described("value", "What it makes where it fails all the same.")),
            ("agent", text_of("Asks an agent, which works in a run of its own.")),
            ("workflow", text_of("Asks a workflow, which works in a run of its own.")),
            ("task", described("value", "What it is asked; `last` where nothing is said.")),
            ("variables", described("values", "Values for the variables of its prompt.")),
            ("tool", text_of("Calls a tool of the project.")),
            ("arguments", described("values", "The arguments of the call.")),
            ("person", text_of("Asks a person, and waits for as long as it takes.")),
            (
                "answer",
                json!({ "type": "object", "description": "What they answer: names, each with a type, a schema, or the words to choose from." }),
            ),
            ("value", described("value", "Makes a value of others.")),
            ("sleep", described("duration", "Waits.")),
            ("sequence", described("steps", "Does steps one after the other.")),
            (
                "parallel",
                json!({ "type": "object", "additionalProperties": reference("steps"), "minProperties": 1, "description": "Does named branches at the same time." }),
            ),
            ("map", described("value", "Does the same for each item of this list.")),
            ("as", text_of("What the steps call the item; `item` where nothing is said.")),
            ("do", described("steps", "What is done with each.")),
            (
                "join",
                json!({ "oneOf": [{ "enum": ["all", "any", "rest", "vote"] }, { "type": "integer", "minimum": 1 }], "description": "When they are done together." }),
            ),
            ("least", whole(0, "How many must have succeeded, with `join: rest`.")),
            ("at_a_time", at_a_time()),
            ("route", reference("route")),
            ("refine", reference("refine")),
            ("orchestrate", reference("orchestrate")),
            ("graph", reference("graph")),
            ("crew", reference("crew")),
            ("chat", reference("chat")),
            ("events", reference("events")),
        ],
    );
    let verbs = VERBS.iter().map(|(verb, _)| json!({ "required": [verb] }));
    let beside = VERBS.iter().map(|(verb, beside)| {
        let keys: Vec<&str> = [*verb].into_iter().chain(EVERY).chain(beside.iter().copied()).collect();
        json!({ "if": { "required": [verb] }, "then": { "propertyNames": { "enum": keys } } })
    });
    if let Some(step) = step.as_object_mut() {
        step.insert("oneOf".to_owned(), verbs.collect());
        step.insert("allOf".to_owned(), beside.collect());
    }
    step
}

fn retry() -> Value {
    let times = whole(0, "How often it is tried again.");
    let wait = described("duration", "How long to wait before; twice as long each time.");
    json!({
        "oneOf": [{ "type": "integer", "minimum": 0 }, table(&[], &[("times", times), ("wait", wait)])],
        "description": "How often it is tried again after a failure.",
    })
}

fn gate() -> Value {
    let judge = [
        ("rubric", text_of("What it judges by, in words.")),
        ("model", text_of("The model that judges.")),
        ("agent", text_of("The agent that judges.")),
    ];
    let gate = [
        ("schema", json!({ "type": "object", "description": "A JSON schema that the result must fit." })),
        ("when", described("condition", "What must hold; it sees `result`.")),
        ("tool", text_of("A tool that must let it pass.")),
        ("arguments", described("values", "What that tool is called with; they see `result`.")),
        ("judge", table(&["rubric"], &judge)),
        ("end", described("value", "Ends the workflow with this where it does not pass.")),
        ("otherwise", described("steps", "What is done where it does not pass.")),
    ];
    table(&[], &gate)
}

fn route() -> Value {
    let otherwise = json!({ "oneOf": [{ "enum": ["ask", "fail"] }, reference("steps")], "description": "What is done where no path is chosen." });
    let confidence = json!({ "type": "number", "minimum": 0, "maximum": 1, "description": "How sure the choice must be." });
    let paths = json!({ "type": "object", "additionalProperties": reference("path"), "minProperties": 1 });
    let route = [
        ("subject", described("value", "What is classified; `last` where nothing is said.")),
        ("by", described("chooser", "Who chooses; without it, the first path whose `when` holds is gone.")),
        ("confidence", confidence),
        ("otherwise", otherwise),
        ("paths", paths),
    ];
    table(&["paths"], &route)
}

fn path() -> Value {
    let path = [
        ("description", text_of("What belongs there: a model chooses by that.")),
        ("examples", texts("Texts that belong there: vectors choose by these.")),
        ("when", described("condition", "When it is gone, where conditions decide.")),
        ("do", reference("steps")),
    ];
    table(&["do"], &path)
}

fn refine() -> Value {
    let refine = [
        ("draft", described("steps", "What makes a draft; it sees the latest `draft` and `review`.")),
        ("review", described("steps", "What judges it; it sees `draft`.")),
        ("accept", described("condition", "Whether it is good enough.")),
        ("score", described("condition", "How good it is: a number.")),
        ("rounds", whole(1, "How many drafts there are at most; 4 where nothing is said.")),
        (
            "patience",
            whole(1, "After how many drafts in a row that were no better it ends; 2 where nothing is said."),
        ),
    ];
    table(&["draft", "review", "accept"], &refine)
}

fn orchestrate() -> Value {
    let planner = json!({ "oneOf": [{ "type": "string" }, reference("helper")], "description": "Who breaks the goal into tasks: an agent, or a model." });
    let orchestrate = [
        ("goal", described("value", "What is to be reached; `last` where nothing is said.")),
        ("planner", planner),
        ("workers", texts("The agents that do the tasks.")),
        ("rounds", whole(1, "How often it plans at most; 3 where nothing is said.")),
        ("at_a_time", at_a_time()),
        ("synthesis", text_of("The agent that makes the answer of all results.")),
    ];
    table(&["workers"], &orchestrate)
}

fn graph() -> Value {
    let named = |definition: &str| json!({ "type": "object", "additionalProperties": reference(definition) });
    let graph = [
        ("state", named("field")),
        ("nodes", named("node")),
        ("edges", json!({ "type": "array", "items": reference("edge") })),
        ("begin", text_of("The node that works first.")),
        ("super_steps", whole(1, "After how many super-steps it fails; 100 where nothing is said.")),
        ("at_a_time", at_a_time()),
        (
            "output",
            described("value", "What it makes of its state; a table of all fields where nothing is said."),
        ),
    ];
    table(&["nodes", "begin"], &graph)
}

fn cache() -> Value {
    json!({
        "oneOf": [
            reference("duration"),
            table(&["for"], &[("for", reference("duration")), ("key", described("value", "What it is found by."))]),
        ],
        "description": "How long what it makes is kept for the same values, also for other runs.",
    })
}

fn field() -> Value {
    let merge = json!({
        "oneOf": [{ "enum": ["replace", "append", "add"] }, { "type": "string", "pattern": "^\\s*=" }],
        "description": "How what is written goes into it; or an expression over `old` and `new`, after `=`.",
    });
    let kind = json!({
        "oneOf": [{ "enum": ["string", "number", "integer", "boolean", "list", "table"] }, { "type": "object" }],
        "description": "What it may hold, or its members where it is appended to: a word, or a JSON schema.",
    });
    table(
        &[],
        &[("merge", merge), ("type", kind), ("start", described("value", "What it is at the beginning."))],
    )
}

fn node() -> Value {
    let node = [
        ("do", described("steps", "What it does; it sees the fields of the state.")),
        ("writes", described("values", "What it writes, by the names of fields; it sees `result`.")),
        (
            "join",
            json!({ "enum": ["any", "all"], "description": "Whether it waits for all nodes that have an edge to it." }),
        ),
        ("on_error", text_of("The node that works next where this one fails.")),
        ("retry", reference("retry")),
        ("timeout", described("duration", "How long one attempt may take.")),
        ("idle", described("duration", "How long it may go without a sign of life.")),
        ("cache", cache()),
        ("gate", reference("gate")),
        ("or_else", described("value", "What its result is where it fails all the same.")),
    ];
    table(&["do"], &node)
}

fn edge() -> Value {
    let to = json!({ "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }], "description": "The node that works next, several, or `end`." });
    let edge = [
        ("from", text_of("The node that must have worked.")),
        ("to", to),
        ("when", described("condition", "When it leads on.")),
        ("each", described("value", "The list for each of whose members it leads on.")),
    ];
    table(&["from", "to"], &edge)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use adjutant_agent::definition::document::{Problems, parse_yaml};

    use super::*;
    use crate::plan::parse;

    /// A key that no reader knows, and that is near to none.
    const ODD: &str = "zzqqzzqq";

    /// The keys that the reader knows of the table in which the odd key stands.
    fn known(steps: &str) -> BTreeSet<String> {
        let file = format!("steps:\n  - {steps}\n");
        let errors = parse("flow.yaml", &file).unwrap_err();
        let told: Vec<_> = errors.iter().filter(|error| error.message().contains(ODD)).collect();
        assert_eq!(told.len(), 1, "{file}{errors:#?}");
        keys(told[0].help().unwrap())
    }

    fn keys(help: &str) -> BTreeSet<String> {
        help.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn properties(schema: &Value) -> BTreeSet<String> {
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn every_key_that_the_reader_knows_is_in_the_schema() {
        let schema = schema();
        let definitions = &schema["$defs"];
        let odd = format!("{ODD}: 1");
        let errors = parse("flow.yaml", &format!("steps: {{ value: 1 }}\n{odd}\n")).unwrap_err();
        assert_eq!(keys(errors[0].help().unwrap()), properties(&schema), "the file");
        for (steps, expected) in [
            (format!("{{ value: 1, retry: {{ {odd} }} }}"), &definitions["retry"]["oneOf"][1]),
            (format!("{{ value: 1, gate: {{ {odd} }} }}"), &definitions["gate"]),
            (
                format!("{{ value: 1, gate: {{ judge: {{ {odd} }} }} }}"),
                &definitions["gate"]["properties"]["judge"],
            ),
            (format!("{{ route: {{ {odd} }} }}"), &definitions["route"]),
            (format!("{{ route: {{ by: {{ {odd} }}, paths: {{}} }} }}"), &definitions["chooser"]),
            (
                format!("{{ route: {{ by: {{ embedding: embed, {odd} }}, paths: {{}} }} }}"),
                &definitions["chooser"],
            ),
            (format!("{{ route: {{ paths: {{ a: {{ {odd} }} }} }} }}"), &definitions["path"]),
            (
                format!(
                    "{{ refine: {{ draft: {{ value: 1 }}, review: {{ value: 1 }}, accept: true, {odd} }} }}"
                ),
                &definitions["refine"],
            ),
            (format!("{{ orchestrate: {{ {odd} }} }}"), &definitions["orchestrate"]),
            (format!("{{ graph: {{ {odd} }} }}"), &definitions["graph"]),
            (format!("{{ graph: {{ state: {{ a: {{ {odd} }} }} }} }}"), &definitions["field"]),
            (format!("{{ graph: {{ nodes: {{ a: {{ {odd} }} }} }} }}"), &definitions["node"]),
            (format!("{{ graph: {{ edges: [{{ {odd} }}] }} }}"), &definitions["edge"]),
            (format!("{{ crew: {{ {odd} }} }}"), &definitions["crew"]),
            (format!("{{ crew: {{ members: {{ a: {{ {odd} }} }} }} }}"), &definitions["member"]),
            (format!("{{ crew: {{ tasks: [{{ {odd} }}] }} }}"), &definitions["assignment"]),
            (format!("{{ chat: {{ {odd} }} }}"), &definitions["chat"]),
            (format!("{{ chat: {{ next: {{ {odd} }} }} }}"), &definitions["helper"]),
            (format!("{{ events: {{ {odd} }} }}"), &definitions["events"]),
            (format!("{{ events: {{ steps: {{ a: {{ {odd} }} }} }} }}"), &definitions["reaction"]),
            (
                format!("{{ events: {{ steps: {{ a: {{ from_outside: {{ {odd} }} }} }} }} }}"),
                &definitions["reaction"]["properties"]["from_outside"],
            ),
            (
                format!("{{ events: {{ steps: {{ a: {{ emits: {{ {odd} }} }} }} }} }}"),
                &definitions["emission"],
            ),
        ] {
            assert_eq!(known(&steps), properties(expected), "{steps}");
        }
        let verbs: BTreeSet<String> = VERBS.iter().map(|(verb, _)| (*verb).to_owned()).collect();
        let all: BTreeSet<String> = VERBS
            .iter()
            .flat_map(|(verb, beside)| {
                let besides = match *verb {
                    "parallel" => "join: rest, ",
                    "map" => "join: rest, do: { value: 1 }, ",
                    _ => "",
                };
                let value = if *verb == "sleep" { "5s" } else { "x" };
                let known = known(&format!("{{ {verb}: {value}, {besides}{odd} }}"));
                let expected = EVERY.iter().chain(*beside).map(|key| (*key).to_owned());
                let expected: BTreeSet<String> = expected.chain(verbs.iter().cloned()).collect();
                assert_eq!(known, expected, "{verb}");
                known
            })
            .collect();
        assert_eq!(all, properties(&definitions["step"]));
    }

    /// What a schema has against a document; nothing where it fits.
    fn against(text: &str) -> Vec<String> {
        let problems = Problems::new("flow.yaml");
        let document = parse_yaml(text, 0, &problems).unwrap().to_json();
        let validator = crate::fit::validator(&schema()).unwrap();
        validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    #[test]
    fn the_examples_of_the_documentation_fit() {
        let page = include_str!("../../../docs/workflows.md");
        let mut examples = 0;
        let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        // Some are of agents.
        for block in blocks.filter(|block| !block.starts_with("# agents/")) {
            let file = match block.starts_with('-') {
                true => format!("steps:\n{block}"),
                false => block.to_owned(),
            };
            assert_eq!(against(&file), Vec::<String>::new(), "{file}");
            // Some name values of steps before them.
            let errors = parse("flow.yaml", &file).err().unwrap_or_default();
            assert!(errors.iter().all(|error| error.message().contains("there is no value")), "{errors:#?}");
            examples += 1;
        }
        assert!(examples >= 4, "{examples}");
    }

    #[test]
    fn what_the_reader_refuses_for_its_form_does_not_fit() {
        for wrong in [
            "steps: { vlaue: 1 }",
            "steps: { value: 1, agent: x }",
            "steps: { value: 1, task: x }",
            "steps: []",
            "steps: { graph: { nodes: { a: { do: { value: 1 }, join: some } }, begin: a } }",
            "step: { value: 1 }",
        ] {
            assert!(parse("flow.yaml", wrong).is_err(), "{wrong}");
            assert!(!against(wrong).is_empty(), "{wrong}");
        }
    }

    #[test]
    fn the_schema_that_is_published_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/workflow.schema.json");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, text()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text(), "UPDATE=1 writes it anew");
    }
}
