//! Tools that run on OpenAI's side.

use adjutant_core::{Code, Error, Result};
use serde_json::Value;

/// What a tool of the provider's own would want from us while the model waits: these are called by the model, but run or
/// approved by whoever asks, and nothing here does that. Which ones is said in OpenAI's guides of each.
///
/// Fails with `model-unsupported` for such a tool. One that is not known is passed on.
pub(super) fn check(tool: &Value) -> Result<()> {
    let kind = tool.get("type").and_then(Value::as_str).unwrap_or_default();
    let (what, help) = match kind {
        "function"
        | "custom"
        | "computer"
        | "computer_use"
        | "computer_use_preview"
        | "local_shell"
        | "apply_patch" => ("is run by whoever asks the model", "write it as a tool of the project"),
        "shell" if text(tool, "/environment/type") == Some("local") => (
            "is run by whoever asks the model",
            "give it an environment of the provider's, or write a tool of the project",
        ),
        "tool_search" if text(tool, "/execution") == Some("client") => {
            ("is run by whoever asks the model", "leave `execution` out")
        }
        "mcp" if !runs_unasked(tool) => {
            ("asks whoever asks the model before each call", "set `require_approval = \"never\"`")
        }
        _ => return Ok(()),
    };
    let message = format!("the provider tool `{kind}` {what}, and cannot be answered here");
    Err(Error::new(Code::ModelUnsupported, message).with_help(help))
}

/// Whether a server of tools runs without approvals, at least where its author says so for some.
fn runs_unasked(tool: &Value) -> bool {
    text(tool, "/require_approval") == Some("never") || tool.pointer("/require_approval/never").is_some()
}

fn text<'a>(tool: &'a Value, pointer: &str) -> Option<&'a str> {
    tool.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tool_that_nobody_would_answer_is_refused() {
        let cases = [
            (json!({"type": "web_search"}), true),
            (json!({"type": "code_interpreter", "container": {"type": "auto"}}), true),
            (json!({"type": "shell", "environment": {"type": "container_auto"}}), true),
            (json!({"type": "tool_search"}), true),
            (json!({"type": "mcp", "server_label": "a", "require_approval": "never"}), true),
            (json!({"type": "something_new"}), true),
            (json!({"type": "shell", "environment": {"type": "local"}}), false),
            (json!({"type": "tool_search", "execution": "client"}), false),
            (json!({"type": "mcp", "server_label": "a"}), false),
            (json!({"type": "mcp", "server_label": "a", "require_approval": "always"}), false),
            (
                json!({"type": "mcp", "server_label": "a", "require_approval": {"never": {"tool_names": ["x"]}}}),
                true,
            ),
            (json!({"type": "custom", "name": "x"}), false),
            (json!({"type": "function", "name": "x"}), false),
            (json!({"type": "computer_use_preview"}), false),
        ];
        for (tool, passes) in cases {
            assert_eq!(check(&tool).is_ok(), passes, "{tool}");
        }
        let error = check(&json!({"type": "mcp"})).unwrap_err();
        assert_eq!(error.code(), Code::ModelUnsupported);
        assert!(error.help().unwrap().contains("require_approval"), "{error:?}");
    }
}
