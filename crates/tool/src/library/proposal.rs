//! [`Proposal`]: a tool that an agent proposes.

use std::time::Duration;

use adjutant_core::time::Timestamp;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::Validator;
use crate::code::{Advance, End, Fault, Language, Limits, Program};

/// A tool that an agent proposes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// What models are to call it.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON schema of its arguments: an object.
    pub parameters: Value,
    /// The body of a function of `input` that returns the result.
    pub program: String,
    /// A program that calls `tool(input)` and throws where the result is wrong.
    pub test: String,
}

/// What the runtime itself calls its tools: a tool of such a name would stand in the way of every agent that has it.
const RESERVED: [&str; 6] =
    ["run_program", "propose_tool", "search_tools", "load_skill", "list_artifacts", "read_artifact"];

impl Proposal {
    /// Whether it could be a tool. Fails with [`Code::ToolArguments`], for the model.
    pub fn check(&self) -> Result<()> {
        let wrong = |why: String| Err(Error::new(Code::ToolArguments, why));
        let mut letters = self.name.bytes();
        let begins = letters.next().is_some_and(|byte| byte.is_ascii_lowercase());
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !begins || self.name.len() > 64 || !letters.all(fits) {
            return wrong(format!("`{}` is no name: write 1 to 64 of a-z, 0-9 and _", self.name));
        }
        if RESERVED.contains(&self.name.as_str()) {
            return wrong(format!("`{}` is the name of a tool that agents have already", self.name));
        }
        if self.description.trim().is_empty() || self.test.trim().is_empty() {
            return wrong("a tool needs a description and a test".to_owned());
        }
        if !self.test.contains("tool(") {
            return wrong("the test does not call `tool(input)`".to_owned());
        }
        if self.parameters.get("type").and_then(Value::as_str) != Some("object") {
            return wrong("`parameters` must be a JSON schema of the type `object`".to_owned());
        }
        Validator::new(&spec(&self.name, &self.description, &self.parameters))
            .map(drop)
            .map_err(|error| Error::new(Code::ToolArguments, error.to_string()))
    }

    /// The program that tests it.
    pub fn trial(&self) -> Program {
        program(&self.program, &self.test)
    }

    /// What came of the test. Fails with [`Code::ProgramFailed`], for the model.
    pub fn tested(&self, advance: &Advance) -> Result<()> {
        let why = match &advance.end {
            Some(End::Value(Value::Bool(false))) => "it returned `false`".to_owned(),
            Some(End::Value(_)) => return Ok(()),
            Some(End::Fault(fault)) => self.placed(fault),
            Some(End::Limit(limit)) => format!("it reached the limit of {}", limit.as_str()),
            None => "it did not end".to_owned(),
        };
        Err(Error::new(Code::ProgramFailed, format!("the test of the tool failed: {why}"))
            .with_help("mend the tool or its test, and propose it again"))
    }

    /// A fault of the trial as one of the tool or of its test, which follows it after one more line.
    fn placed(&self, fault: &Fault) -> String {
        let lines = u32::try_from(self.program.lines().count()).unwrap_or(u32::MAX);
        match fault.line {
            Some(line) if line > lines + 2 => {
                format!("in the test, {}", Fault { line: Some(line - lines - 2), ..fault.clone() })
            }
            _ => format!("in the tool, {}", moved(fault)),
        }
    }
}

/// A fault with its line counted from the first of the tool's own program.
pub(super) fn moved(fault: &Fault) -> Fault {
    Fault { line: fault.line.map(|line| line.saturating_sub(1).max(1)), ..fault.clone() }
}

/// What a tool of the library is as a tool.
pub(super) fn spec(name: &str, description: &str, parameters: &Value) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: parameters.clone(),
        effect: Effect::Pure,
        timeout: Duration::from_secs(60),
        concurrency: Some(4),
        flow: adjutant_core::tool::Flow::inside("program"),
    }
}

/// The program of a tool, with what follows it. The tool begins on the second line, and calls nothing.
pub(super) fn program(tool: &str, then: &str) -> Program {
    Program {
        language: Language::Javascript,
        source: format!("const tool = async (input) => {{\n{tool}\n}};\n{then}"),
        functions: Vec::new(),
        // Neither the tool nor its test shall depend on when it runs.
        now: Timestamp(0),
        limits: Limits { calls: 0, source: 1 << 20, ..Limits::default() },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn proposal() -> Proposal {
        Proposal {
            name: "median".into(),
            description: "Finds the median.".into(),
            parameters: json!({ "type": "object", "properties": { "numbers": { "type": "array" } } }),
            program: "return 1".into(),
            test: "return await tool({ numbers: [1] }) === 1".into(),
        }
    }

    #[test]
    fn what_could_be_no_tool_is_refused() {
        assert!(proposal().check().is_ok());
        let refused = |change: fn(&mut Proposal)| {
            let mut proposal = proposal();
            change(&mut proposal);
            proposal.check().unwrap_err().message().to_owned()
        };
        assert!(refused(|p| p.name = "../evil".into()).contains("is no name"));
        assert!(refused(|p| p.name = String::new()).contains("is no name"));
        assert!(refused(|p| p.name = "run_program".into()).contains("agents have already"));
        assert!(refused(|p| p.description = " ".into()).contains("needs a description"));
        assert!(refused(|p| p.test = "return true".into()).contains("does not call"));
        assert!(refused(|p| p.parameters = json!([1])).contains("must be a JSON schema"));
        assert!(refused(|p| p.parameters = json!({ "type": "object", "properties": 7 })).contains("schema"));
    }

    #[test]
    fn only_a_test_that_ends_well_is_passed() {
        let ended = |end| proposal().tested(&Advance { end: Some(end), ..Advance::default() });
        assert!(ended(End::Value(json!(true))).is_ok() && ended(End::Value(json!(null))).is_ok());
        assert!(ended(End::Value(json!(false))).is_err());
        assert!(proposal().tested(&Advance::default()).is_err());
        for (line, place) in
            [(2, "in the tool, line 1"), (4, "in the test, line 1"), (5, "in the test, line 2")]
        {
            let fault = Fault { kind: "Error".into(), message: "no".into(), line: Some(line), column: None };
            let told = ended(End::Fault(fault)).unwrap_err();
            assert_eq!(told.message(), format!("the test of the tool failed: {place}: Error: no"));
        }
    }
}
