//! Code mode of an agent: whether it writes programs, and what they may do.

use std::collections::BTreeMap;

use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code as ErrorCode, Error, nearest};
use adjutant_tool::code::{Language, Limits, stubs};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::document::{Content, Table};
use super::source::Named;

/// Code mode as an author writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CodeMode {
    /// What programs are written in.
    pub language: Language,
    /// The tools that programs can call; all of the agent where none are named.
    pub functions: Option<Vec<Named>>,
    /// The tools that the model can also call itself.
    pub direct: Vec<Named>,
    /// How much a program may take.
    pub limits: Limits,
    /// Whether the agent may propose tools for the project's library.
    pub make_tools: bool,
}

/// Code mode as a run knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Code {
    /// What programs are written in.
    pub language: Language,
    /// The names of the tools that programs can call.
    pub functions: Vec<String>,
    /// The names of those among them that the model can also call itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub direct: Vec<String>,
    /// How much a program may take.
    #[serde(default)]
    pub limits: Limits,
    /// Whether the agent may propose tools for the project's library.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub make_tools: bool,
}

impl Code {
    /// The name of the tool that runs programs.
    pub const TOOL: &str = "run_program";

    /// The name of the tool that proposes tools.
    pub const PROPOSE: &str = "propose_tool";

    /// Whether the model is told of a tool as one that it can call itself.
    pub(super) fn offers(&self, tool: &str) -> bool {
        self.direct.iter().any(|name| name == tool) || !self.functions.iter().any(|name| name == tool)
    }
}

impl CodeMode {
    /// Programs in JavaScript; see [`new`](Self::new).
    pub fn javascript() -> Self {
        Self::new(Language::Javascript)
    }

    /// Programs that can call all tools of the agent, within the default limits. The model calls no tool itself.
    pub fn new(language: Language) -> Self {
        Self { language, ..Self::default() }
    }

    /// Says which tools programs can call; the model is offered the others as ever.
    #[must_use]
    pub fn functions<T: Into<String>>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        self.functions = Some(tools.into_iter().map(Named::new).collect());
        self
    }

    /// Says which of these tools the model can also call itself.
    #[must_use]
    pub fn direct<T: Into<String>>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        self.direct = tools.into_iter().map(Named::new).collect();
        self
    }

    /// Sets how much a program may take.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Lets the agent propose tools for the project's library. A person is asked about each.
    #[must_use]
    pub fn make_tools(mut self) -> Self {
        self.make_tools = true;
        self
    }

    /// Reads `code`: a language, or a table.
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        const LANGUAGES: &[(&str, Language)] = &Language::ALL;
        let node = table.value("code")?;
        match &node.content {
            Content::Text(_) => table.choice("code", LANGUAGES).map(Self::new),
            Content::Table(_) => {
                let inner = table.table("code")?;
                let mut mode = Self::new(inner.choice("language", LANGUAGES).unwrap_or_default());
                let named = |key| -> Option<Vec<Named>> {
                    let texts = inner.texts(key)?.into_iter();
                    Some(
                        texts
                            .map(|(name, place)| Named { name: name.to_owned(), place: Some(place) })
                            .collect(),
                    )
                };
                mode.functions = named("functions");
                mode.direct = named("direct").unwrap_or_default();
                mode.limits = read_limits(&inner);
                mode.make_tools = inner.flag("make_tools").unwrap_or_default();
                inner.finish();
                Some(mode)
            }
            _ => {
                table.wrong("code", node, "a language or a table", "write `code: javascript`");
                None
            }
        }
    }

    /// Looks up the names of tools, each of which may stand for several. A name of no tool is handed to `note`, unless
    /// it may be one that could not be read.
    pub(super) fn resolve(
        &self,
        tools: &[ToolSpec],
        expanded: &BTreeMap<&str, Vec<String>>,
        is_whole: bool,
        mut note: impl FnMut(Error, &Named),
    ) -> Code {
        let mut find = |key: &str, named: &[Named]| {
            let mut found = Vec::new();
            for wanted in named {
                match expanded.get(wanted.name.as_str()) {
                    Some(names) => found.extend(names.iter().cloned()),
                    None if tools.iter().any(|tool| tool.name == wanted.name) => {
                        found.push(wanted.name.clone());
                    }
                    None if is_whole => note(unknown(key, &wanted.name, tools, expanded), wanted),
                    None => {}
                }
            }
            found
        };
        let functions = match &self.functions {
            Some(named) => find("functions", named),
            None => tools.iter().map(|tool| tool.name.clone()).collect(),
        };
        let direct = find("direct", &self.direct);
        Code { language: self.language, functions, direct, limits: self.limits, make_tools: self.make_tools }
    }
}

fn read_limits(table: &Table<'_>) -> Limits {
    let usual = Limits::default();
    let time = table.duration("time").and_then(|time| u64::try_from(time.as_millis()).ok());
    Limits {
        calls: table.integer("calls", 0..=10_000).unwrap_or(usual.calls),
        parallel: table.integer("parallel", 1..=256).unwrap_or(usual.parallel),
        instructions: table.integer("instructions", 10_000..=1 << 50).unwrap_or(usual.instructions),
        memory: table.integer("memory", 1 << 20..=1 << 34).unwrap_or(usual.memory),
        output: table.integer("output", 100..=1_000_000).unwrap_or(usual.output),
        source: table.integer("source", 100..=1_000_000).unwrap_or(usual.source),
        time_ms: time.unwrap_or(usual.time_ms),
    }
}

fn unknown(key: &str, typed: &str, tools: &[ToolSpec], expanded: &BTreeMap<&str, Vec<String>>) -> Error {
    let message = format!("`code.{key}` names `{typed}`, which is not a tool of this agent");
    let error = Error::new(ErrorCode::ProjectInvalid, message);
    let names = tools.iter().map(|tool| tool.name.as_str()).chain(expanded.keys().copied());
    match nearest(typed, names) {
        Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
        None => error.with_help(format!("add it under `tools:`, or take it out of `code.{key}`")),
    }
}

impl Code {
    /// What the model is told: the tool that runs programs, and the one that proposes tools. `tools` are those of the agent.
    pub(super) fn specs(&self, tools: &[ToolSpec]) -> Vec<ToolSpec> {
        let propose = self.make_tools.then(propose);
        std::iter::once(self.spec(tools)).chain(propose).collect()
    }

    fn spec(&self, tools: &[ToolSpec]) -> ToolSpec {
        let functions = tools.iter().filter(|tool| self.functions.contains(&tool.name));
        let stubs = stubs(self.language, functions);
        let limits = &self.limits;
        let how = match self.language {
            Language::Javascript => format!(
                "Runs a JavaScript program that you write, and returns what it returns and prints. Use it to call \
                 tools as functions: what they give stays in the program, and you read only what you `return` or \
                 `console.log`. So fetch, filter, count, sort and join in the program, and return the little that you \
                 need.\n\n\
                 The program is the body of an async function: write `return` and `await` at its top. Calls that do \
                 not need each other run at the same time with `await Promise.all([...])`. A call that fails throws a \
                 `ToolError` with `code` and `message`. A tool gives its data as JSON values, or a string. There is \
                 nothing else: no imports, files, network, timers, `process`. `Date` stands still. At most {} calls, \
                 {} bytes returned. When the program fails, you read the line and what is wrong: mend it and run it \
                 again; calls that were made are made again then.",
                limits.calls, limits.output
            ),
        };
        ToolSpec {
            name: Self::TOOL.to_owned(),
            description: format!("{how}\n\n```typescript\n{stubs}\n```"),
            parameters: json!({
                "type": "object",
                "properties": { "program": { "type": "string", "description": "The whole program." } },
                "required": ["program"],
                "additionalProperties": false,
            }),
            effect: Effect::Pure,
            timeout: limits.time(),
            concurrency: None,
            flow: adjutant_core::tool::Flow::inside("program"),
        }
    }
}

/// What the model is told of the tool that proposes tools.
fn propose() -> ToolSpec {
    let text = |about: &str| json!({ "type": "string", "description": about });
    ToolSpec {
        name: Code::PROPOSE.to_owned(),
        description: "Proposes a tool for the library of the project, for what you have had to compute more than once. It \
                      is a JavaScript function of its arguments alone: it can call no tools. Its test is run; then a person reads \
                      both and decides. From then on agents can be given the tool."
            .to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {
                "name": text("1 to 64 of a-z, 0-9 and _, beginning with a letter."),
                "description": text("What it does, for those who choose tools."),
                "parameters": { "type": "object", "description": "The JSON schema of its arguments: an object." },
                "program": text("The body of an async function of `input` that returns the result."),
                "test": text("A program that calls `await tool(input)`, and throws where the result is wrong. Cover the edges."),
            },
            "required": ["name", "description", "parameters", "program", "test"],
            "additionalProperties": false,
        }),
        effect: Effect::Idempotent,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None, flow: adjutant_core::tool::Flow::default(),
}
}
