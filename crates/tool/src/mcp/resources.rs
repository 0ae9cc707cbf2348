//! The resources of a server, as two tools.

use std::sync::Arc;

use adjutant_core::Code;
use adjutant_core::tool::{Effect, ToolSpec};
use futures::future::{BoxFuture, FutureExt};
use rmcp::model::{
    ClientRequest, ListResourcesRequest, PaginatedRequestParams, ReadResourceRequest,
    ReadResourceRequestParams, Resource, ServerResult,
};
use serde_json::{Value, json};

use super::clean;
use super::content::Parts;
use super::server::Server;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::tool::Tool;

/// How many resources of one page are shown.
const MOST: usize = 200;

/// What is done with resources.
#[derive(Clone, Copy)]
enum Act {
    List,
    Read,
}

/// Lists the resources of a server, or reads one. Reading changes nothing, by the protocol.
struct Resources {
    server: Server,
    act: Act,
    spec: ToolSpec,
}

/// The tools for the resources of a server.
pub(super) fn tools(server: &Server) -> [Arc<dyn Tool>; 2] {
    let config = server.config();
    let tool = |act: Act, name: &str, description: String, parameters: Value| {
        let spec = ToolSpec {
            name: super::offer::name(&config.prefix, name),
            description,
            parameters,
            effect: Effect::Pure,
            timeout: config.timeout,
            concurrency: config.concurrency,
            flow: adjutant_core::tool::Flow::outside(format!("mcp:{}", config.name)),
        };
        Arc::new(Resources { server: server.clone(), act, spec }) as Arc<dyn Tool>
    };
    let cursor = "Where to go on: the cursor that the page before ended with.";
    [
        tool(
            Act::List,
            "list_resources",
            format!(
                "Lists the resources of the server `{}`: what it has to read, each with its URI.",
                config.name
            ),
            json!({ "type": "object", "properties": { "cursor": { "type": "string", "description": cursor } },
                "additionalProperties": false }),
        ),
        tool(
            Act::Read,
            "read_resource",
            format!("Reads a resource of the server `{}`.", config.name),
            json!({ "type": "object", "required": ["uri"], "additionalProperties": false,
                "properties": { "uri": { "type": "string", "description": "The URI, as it was listed." } } }),
        ),
    ]
}

impl Tool for Resources {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn reads(&self, arguments: &Value) -> Option<(String, String)> {
        let uri = match self.act {
            Act::Read => arguments.get("uri")?.as_str()?.to_owned(),
            Act::List => return None,
        };
        Some((self.server.config().name.clone(), uri))
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        let text = |key: &str| arguments.get(key).and_then(Value::as_str).map(str::to_owned);
        let request = match self.act {
            Act::List => {
                let page =
                    PaginatedRequestParams::default().with_cursor(text("cursor").filter(|at| !at.is_empty()));
                ClientRequest::ListResourcesRequest(ListResourcesRequest::with_param(page))
            }
            Act::Read => {
                let params = ReadResourceRequestParams::new(text("uri").unwrap_or_default());
                ClientRequest::ReadResourceRequest(ReadResourceRequest::new(params))
            }
        };
        let (server, spec) = (self.server.clone(), self.spec.clone());
        async move {
            let heard = server.ask(request, &context, |_| Ok(())).await;
            let made = server.made(&spec);
            let mut parts = Parts::new(server.config().output_limit);
            match made.answer(heard)? {
                ServerResult::ListResourcesResult(page) => {
                    parts.text(&listed(&page.resources, page.next_cursor.as_deref()));
                }
                ServerResult::ReadResourceResult(read) => {
                    read.contents.iter().for_each(|contents| parts.resource(contents));
                }
                _ => {
                    let why = format!("what `{}` answered is no resource", spec.name);
                    return Err(made.failed(Code::ToolBroken, why));
                }
            }
            Ok(Output { content: parts.finish(), ..Output::default() })
        }
        .boxed()
    }
}

fn listed(resources: &[Resource], next: Option<&str>) -> String {
    let mut lines: Vec<String> = resources.iter().take(MOST).map(line).collect();
    if resources.len() > MOST {
        lines.push(format!("[{} more on this page]", resources.len() - MOST));
    }
    if let Some(next) = next {
        lines.push(format!("[there are more: cursor `{}`]", clean::line(next, 500)));
    }
    if lines.is_empty() { "there are no resources".to_owned() } else { lines.join("\n") }
}

fn line(resource: &Resource) -> String {
    let about = resource.description.as_deref().or(resource.title.as_deref()).unwrap_or(&resource.name);
    let kind = resource
        .mime_type
        .as_deref()
        .map(|kind| format!(" ({})", clean::line(kind, 100)))
        .unwrap_or_default();
    format!("{}{kind}: {}", clean::line(&resource.uri, 500), clean::line(about, 300))
}
