//! A tool under another name.

use std::sync::Arc;

use adjutant_core::tool::ToolSpec;
use adjutant_tool::{Context, Failure, Need, Output, Reconciled, Resumed, Tool};
use futures::future::BoxFuture;
use serde_json::Value;

/// A tool with what the project says of it.
struct Adapted {
    spec: ToolSpec,
    tool: Arc<dyn Tool>,
}

/// The tool with this specification in the place of its own.
pub(super) fn adapt(tool: Arc<dyn Tool>, spec: ToolSpec) -> Arc<dyn Tool> {
    if *tool.spec() == spec { tool } else { Arc::new(Adapted { spec, tool }) }
}

/// What a tool says of itself, with a prefix before its name and with more in its description, where there is more to say.
pub(super) fn spec(tool: &dyn Tool, prefix: Option<&str>, about: Option<&str>) -> ToolSpec {
    let mut spec = tool.spec().clone();
    if let Some(prefix) = prefix {
        spec.name.insert_str(0, prefix);
    }
    if let Some(about) = about {
        let end = if spec.description.ends_with('.') { "" } else { "." };
        spec.description.push_str(&format!("{end} About these: {}", about.trim()));
    }
    spec
}

impl Tool for Adapted {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        self.tool.call(arguments, context)
    }

    fn reconcile(
        &self,
        arguments: Value,
        context: Context,
    ) -> BoxFuture<'static, Result<Reconciled, Failure>> {
        self.tool.reconcile(arguments, context)
    }

    fn resume(
        &self,
        arguments: Value,
        resumed: Resumed,
        context: Context,
    ) -> BoxFuture<'static, Result<Output, Failure>> {
        self.tool.resume(arguments, resumed, context)
    }

    fn abandon(&self, state: Value, context: Context) -> BoxFuture<'static, ()> {
        self.tool.abandon(state, context)
    }

    fn needs(&self) -> &[Need] {
        self.tool.needs()
    }
}
