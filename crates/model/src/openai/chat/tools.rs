//! Tools as the wire has them, and whether the model must call one.

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use super::encode::Dialect;
use super::quirks::{Forcing, Quirks};
use crate::request::{Request, ToolChoice};
use crate::sampling::untold;

/// The fields about tools: none where there are none.
///
/// Fails with `tool-invalid` where a tool is none for the wire, and with `input-invalid` where the model must call a tool
/// that it does not have.
pub(super) fn fields(dialect: &Dialect, request: &Request) -> Result<Map<String, Value>> {
    let Dialect { quirks, provider_tools, .. } = dialect;
    check_choice(request)?;
    let shown: Vec<&ToolSpec> = request.tools.iter().filter(|tool| is_shown(quirks, request, tool)).collect();
    let own = shown.iter().map(|tool| declaration(request, tool)).collect::<Result<Vec<_>>>()?;
    let mut fields = Map::new();
    let all: Vec<Value> = own.into_iter().chain(provider_tools.iter().cloned()).collect();
    if !all.is_empty() {
        fields.insert("tools".into(), all.into());
    }
    if !shown.is_empty() {
        fields.extend(
            choice(quirks.forcing, &request.tool_choice).map(|choice| ("tool_choice".into(), choice)),
        );
        if request.single_call && !quirks.parallel_switch {
            return Err(untold(&dialect.model, "parallel_tool_calls"));
        }
        if (request.single_call || !dialect.parallel_tools) && quirks.parallel_switch {
            fields.insert("parallel_tool_calls".into(), false.into());
        }
    }
    Ok(fields)
}

/// Whether the model is made to call a tool.
pub(super) fn is_forced(request: &Request) -> bool {
    !request.tools.is_empty() && matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Named(_))
}

fn check_choice(request: &Request) -> Result<()> {
    match &request.tool_choice {
        ToolChoice::Named(name) if !request.tools.iter().any(|tool| tool.name == *name) => {
            let message = format!("the model must call `{name}`, which is not among its tools");
            Err(Error::new(Code::InputInvalid, message))
        }
        _ => Ok(()),
    }
}

/// Whether the model is shown a tool: one of several can be forced by showing no other, and where no word forbids a call,
/// there is nothing to call.
fn is_shown(quirks: &Quirks, request: &Request, tool: &ToolSpec) -> bool {
    match (quirks.forcing, &request.tool_choice) {
        (Forcing::ByWord(_) | Forcing::Unread, ToolChoice::Named(name)) => tool.name == *name,
        (Forcing::Unread, ToolChoice::None) => false,
        _ => true,
    }
}

fn choice(forcing: Forcing, choice: &ToolChoice) -> Option<Value> {
    let word = match forcing {
        Forcing::ByWord(word) => word,
        _ => "required",
    };
    match (choice, forcing) {
        (ToolChoice::Auto, _) => None,
        (ToolChoice::None, _) => Some("none".into()),
        (ToolChoice::Named(name), Forcing::ByName | Forcing::WithoutThinking) => {
            Some(json!({"type": "function", "function": {"name": name}}))
        }
        (ToolChoice::Required | ToolChoice::Named(_), _) => Some(word.into()),
    }
}

fn declaration(request: &Request, tool: &ToolSpec) -> Result<Value> {
    if !tool.parameters.is_object() {
        let message =
            format!("the parameters of the tool `{}` are not a JSON schema of an object", tool.name);
        return Err(Error::new(Code::ToolInvalid, message));
    }
    let mut function =
        json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters});
    if let (true, Some(fields)) = (request.strict_tools.contains(&tool.name), function.as_object_mut()) {
        fields.insert("strict".into(), true.into());
    }
    Ok(json!({"type": "function", "function": function}))
}

#[cfg(test)]
mod tests {
    use adjutant_core::tool::Effect;

    use super::*;

    fn tool(name: &str) -> ToolSpec {
        ToolSpec {
            name: name.into(),
            description: "Looks.".into(),
            parameters: json!({"type": "object"}),
            effect: Effect::Pure,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: adjutant_core::tool::Flow::default(),
        }
    }

    fn dialect(quirks: &Quirks, provider_tools: &[Value], parallel_tools: bool) -> Dialect {
        Dialect {
            model: "m".into(),
            quirks: *quirks,
            parallel_tools,
            reasoning_field: None,
            effort: None,
            prompt_cache: crate::provider::PromptCache::Short,
            provider_tools: provider_tools.to_vec(),
            extra: Map::new(),
        }
    }

    #[test]
    fn what_the_server_cannot_be_told_is_refused() {
        let request = Request { tools: [tool("look")].into(), single_call: true, ..Request::default() };
        let asked = |quirks: &Quirks| fields(&dialect(quirks, &[], true), &request);
        assert_eq!(asked(&Quirks::COMMON).unwrap().remove("parallel_tool_calls"), Some(false.into()));
        assert_eq!(asked(&Quirks::TOGETHER).unwrap_err().code(), Code::ModelUnsupported);
    }

    #[test]
    fn arguments_are_held_to_their_schema_where_that_is_asked() {
        let request = Request {
            tools: [tool("look"), tool("find")].into(),
            strict_tools: vec!["find".into()],
            ..Request::default()
        };
        let fields = fields(&dialect(&Quirks::COMMON, &[], true), &request).unwrap();
        let strict = |place: usize| fields["tools"][place]["function"].get("strict").cloned();
        assert_eq!((strict(0), strict(1)), (None, Some(true.into())));
    }

    /// The names of the tools that are shown, and the choice.
    fn shown(quirks: &Quirks, choice: ToolChoice) -> String {
        let request =
            Request { tools: [tool("look"), tool("find")].into(), tool_choice: choice, ..Request::default() };
        let fields = fields(&dialect(quirks, &[], true), &request).unwrap();
        let tools = fields.get("tools").and_then(Value::as_array).into_iter().flatten();
        let names: Vec<&str> = tools.map(|tool| tool["function"]["name"].as_str().unwrap()).collect();
        let choice = fields.get("tool_choice").map_or(String::new(), |choice| {
            choice.as_str().map_or_else(|| format!("={}", choice["function"]["name"]), str::to_owned)
        });
        format!("{} {choice}", names.join(",")).trim().to_owned()
    }

    #[test]
    fn each_server_is_told_in_its_way_what_must_be_called() {
        use ToolChoice::{Auto, Named, None, Required};
        let by_name = ["look,find", "look,find none", "look,find required", "look,find =\"find\""];
        let cases = [
            (Quirks::COMMON, by_name),
            (Quirks::DEEPSEEK, by_name),
            (Quirks::MISTRAL, ["look,find", "look,find none", "look,find any", "find any"]),
            (Quirks::LLAMACPP, ["look,find", "look,find none", "look,find required", "find required"]),
            (Quirks::LMSTUDIO, ["look,find", "look,find none", "look,find required", "find required"]),
            (Quirks::OLLAMA, ["look,find", "", "look,find required", "find required"]),
        ];
        for (quirks, expected) in cases {
            let said = [Auto, None, Required, Named("find".into())].map(|choice| shown(&quirks, choice));
            assert_eq!(said, expected, "{quirks:?}");
        }
    }

    #[test]
    fn one_call_at_a_time_is_asked_for_where_it_can_be() {
        let request = Request { tools: [tool("look")].into(), ..Request::default() };
        let asked = |quirks: &Quirks, request: &Request| {
            let dialect = dialect(quirks, &[json!({"type": "x"})], false);
            fields(&dialect, request).unwrap().remove("parallel_tool_calls")
        };
        assert_eq!(asked(&Quirks::COMMON, &request), Some(false.into()));
        assert_eq!(asked(&Quirks::TOGETHER, &request), None);
        assert_eq!(asked(&Quirks::COMMON, &Request::default()), None);
    }
}
