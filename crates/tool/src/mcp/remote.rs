//! [`RemoteTool`]: one tool of a server.

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error};
use futures::future::{BoxFuture, FutureExt};
use rmcp::model::{CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, ServerResult};
use serde_json::{Map, Value};

use super::content::Parts;
use super::failure::Made;
use super::offer::{PinnedTool, name};
use super::server::Server;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::tool::Tool;

/// One tool of a server, as it was pinned.
pub(super) struct RemoteTool {
    server: Server,
    /// The server's own name for it.
    tool: String,
    digest: String,
    has_schema: Option<jsonschema::Validator>,
    spec: ToolSpec,
}

impl RemoteTool {
    pub(super) fn new(server: &Server, tool: &str, pinned: &PinnedTool) -> Self {
        let config = server.config();
        let spec = ToolSpec {
            name: name(&config.prefix, tool),
            description: pinned.description.clone(),
            parameters: pinned.parameters.clone(),
            effect: server.effect(tool, pinned),
            timeout: config.timeout,
            concurrency: config.concurrency,
        };
        let has_schema = pinned.output.as_ref().and_then(|schema| {
            let options =
                jsonschema::options().with_pattern_options(jsonschema::PatternOptions::regex()).offline();
            options.build(schema).ok()
        });
        Self {
            server: server.clone(),
            tool: tool.to_owned(),
            digest: pinned.digest.clone(),
            has_schema,
            spec,
        }
    }
}

impl Tool for RemoteTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        let arguments = match arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        let params = CallToolRequestParams::new(self.tool.clone()).with_arguments(arguments);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let (server, spec, schema) = (self.server.clone(), self.spec.clone(), self.has_schema.clone());
        let (tool, digest) = (self.tool.clone(), self.digest.clone());
        async move {
            let check = |offered: Option<&PinnedTool>| unchanged(server.name(), &spec.name, &digest, offered);
            let answer = server.ask(&spec, request, &context, |offer| check(offer.tools.get(&tool))).await;
            let made = server.made(&spec);
            match answer? {
                ServerResult::CallToolResult(result) => {
                    read(&made, schema.as_ref(), result, server.config().output_limit)
                }
                ServerResult::InputRequiredResult(_) => {
                    let why = format!(
                        "`{}` asks a person something before it goes on, which it cannot here",
                        spec.name
                    );
                    Err(made.failed(Code::ToolFailed, why))
                }
                _ => Err(made
                    .lost(Code::ToolBroken, format!("what `{}` answered is no result of a tool", spec.name))),
            }
        }
        .boxed()
    }
}

/// Checks that a tool is offered as it was pinned. The error is for the model, and says nothing in the server's words.
fn unchanged(server: &str, tool: &str, digest: &str, offered: Option<&PinnedTool>) -> Result<(), Error> {
    let why = match offered {
        Some(offered) if offered.digest == digest => return Ok(()),
        Some(_) => format!("its server describes `{tool}` otherwise than when a person accepted it"),
        None => format!("its server does not offer `{tool}` any more"),
    };
    Err(Error::new(Code::ToolQuarantined, why).with_help(format!(
        "do without it; a person can look at the change: `adjutant tools trust {server}`"
    )))
}

/// The result of a call. Structured content that does not fit its own schema is not taken for data.
fn read(
    made: &Made<'_>,
    schema: Option<&jsonschema::Validator>,
    result: CallToolResult,
    most: usize,
) -> Result<Output, Failure> {
    let mut parts = Parts::new(most);
    result.content.iter().for_each(|block| parts.take(block));
    let data = result.structured_content.filter(|data| !data.is_null());
    if let Some(data) = &data
        && parts.is_empty()
    {
        parts.text(&data.to_string());
    }
    if result.is_error == Some(true) {
        let said: String =
            parts.finish().iter().filter_map(|part| part.as_text()).collect::<Vec<_>>().join("\n");
        let why = super::clean::words(&said, most);
        return Err(made.failed(Code::ToolFailed, format!("`{}` failed: {why}", made.name)));
    }
    let fits =
        |data: &Value| schema.is_none_or(|schema| schema.is_valid(data)) && data.to_string().len() <= most;
    let data = data.filter(fits);
    let content = parts.finish().into_iter().map(|part| match part {
        adjutant_core::message::Part::Text { text } => {
            adjutant_core::message::Part::text(made.redactor.text(text))
        }
        other => other,
    });
    Ok(Output { content: content.collect(), data: data.map(|data| redacted(made, data)), label: None })
}

/// Data without the secrets that the server was given.
fn redacted(made: &Made<'_>, data: Value) -> Value {
    let text = data.to_string();
    let clean = made.redactor.text(text.clone());
    if clean == text { data } else { serde_json::from_str(&clean).unwrap_or_default() }
}
