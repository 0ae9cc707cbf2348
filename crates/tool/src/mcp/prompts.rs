//! The prompts of a server, as one tool.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error};
use futures::future::{BoxFuture, FutureExt};
use rmcp::model::{ClientRequest, GetPromptRequest, GetPromptRequestParams, Prompt, Role, ServerResult};
use serde_json::{Map, Value, json};

use super::content::Parts;
use super::offer::{Described, Offer, PinnedTool};
use super::server::Server;
use super::{clean, schema};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::tool::Tool;

/// How long the description of one prompt may be in that of the tool, in characters.
const LONGEST_ABOUT: usize = 300;

/// How many prompts the tool names.
const MOST: usize = 100;

/// A prompt as it is pinned: its arguments as the schema of an object of texts.
pub(super) fn pinned(prompt: &Prompt) -> PinnedTool {
    let arguments = prompt.arguments.as_deref().unwrap_or_default();
    let property = |description: Option<&str>| json!({ "type": "string", "description": description.unwrap_or_default() });
    let properties: Map<_, _> = arguments
        .iter()
        .map(|argument| (argument.name.clone(), property(argument.description.as_deref())))
        .collect();
    let required: Vec<_> = arguments
        .iter()
        .filter(|argument| argument.required == Some(true))
        .map(|argument| argument.name.as_str())
        .collect();
    let said = Described {
        title: prompt.title.as_deref(),
        description: prompt.description.as_deref(),
        input: json!({ "type": "object", "properties": properties, "required": required }),
        output: None,
        hints: Map::new(),
    };
    said.examined().unwrap_or_default()
}

/// Gets a prompt of a server. That changes nothing, by the protocol.
struct Prompts {
    server: Server,
    accepted: BTreeMap<String, PinnedTool>,
    spec: ToolSpec,
}

/// The tool for the prompts of a server that were accepted.
pub(super) fn tool(server: &Server, accepted: &BTreeMap<String, PinnedTool>) -> Arc<dyn Tool> {
    let config = server.config();
    let accepted: BTreeMap<_, _> =
        accepted.iter().take(MOST).map(|(name, prompt)| (name.clone(), prompt.clone())).collect();
    let names: Vec<_> = accepted.keys().collect();
    let listed: Vec<_> = accepted.iter().map(|(name, prompt)| format!("- {}", line(name, prompt))).collect();
    let spec = ToolSpec {
        name: super::offer::name(&config.prefix, "get_prompt"),
        description: format!(
            "Gets a prompt of the server `{}`: a text that it keeps for a task. Its prompts:\n{}",
            config.name,
            listed.join("\n")
        ),
        parameters: json!({ "type": "object", "required": ["name"], "additionalProperties": false, "properties": {
            "name": { "type": "string", "enum": names },
            "arguments": { "type": "object", "additionalProperties": { "type": "string" },
                "description": "What the prompt is filled in with." } } }),
        effect: Effect::Pure,
        timeout: config.timeout,
        concurrency: config.concurrency,
        flow: adjutant_core::tool::Flow::outside(format!("mcp:{}", config.name)),
    };
    Arc::new(Prompts { server: server.clone(), accepted, spec })
}

/// A prompt in one line, with its arguments; those in brackets may be left out.
pub(super) fn line(name: &str, prompt: &PinnedTool) -> String {
    let arguments = schema::fields(&prompt.parameters);
    let arguments: Vec<_> =
        arguments.map(|(name, must)| if must { name.to_owned() } else { format!("[{name}]") }).collect();
    let about = clean::line(&prompt.description, LONGEST_ABOUT);
    format!("{}({}): {about}", clean::line(name, LONGEST_ABOUT), arguments.join(", "))
}

impl Tool for Prompts {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        let prompt = arguments.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut params = GetPromptRequestParams::new(prompt.clone());
        params.arguments = arguments.get("arguments").and_then(Value::as_object).cloned();
        let request = ClientRequest::GetPromptRequest(GetPromptRequest::new(params));
        let (server, spec, pinned) =
            (self.server.clone(), self.spec.clone(), self.accepted.get(&prompt).cloned());
        async move {
            let check = |offer: &Offer| unchanged(server.name(), &prompt, pinned.as_ref(), offer);
            let heard = server.ask(request, &context, check).await;
            let made = server.made(&spec);
            let ServerResult::GetPromptResult(got) = made.answer(heard)? else {
                let why = format!("what `{}` answered is no prompt", spec.name);
                return Err(made.failed(Code::ToolBroken, why));
            };
            let mut parts = Parts::new(server.config().output_limit);
            for message in &got.messages {
                if let Role::Assistant = message.role {
                    parts.text("[as the assistant says]");
                }
                parts.take(&message.content);
            }
            Ok(Output { content: parts.finish(), ..Output::default() })
        }
        .boxed()
    }
}

/// Checks that a prompt is offered as it was pinned.
fn unchanged(server: &str, prompt: &str, pinned: Option<&PinnedTool>, offer: &Offer) -> Result<(), Error> {
    let why = match (pinned, offer.prompts.get(prompt)) {
        (Some(pinned), Some(offered)) if offered.digest == pinned.digest => return Ok(()),
        (_, Some(_)) => {
            format!("its server describes the prompt `{prompt}` otherwise than when a person accepted it")
        }
        (_, None) => format!("its server does not offer the prompt `{prompt}` any more"),
    };
    let help = format!("do without it; a person can look at the change: `adjutant tools trust {server}`");
    Err(Error::new(Code::ToolQuarantined, why).with_help(help))
}
