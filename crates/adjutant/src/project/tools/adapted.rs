//! A tool under another name.

use std::sync::Arc;

use adjutant_core::tool::ToolSpec;
use adjutant_tool::{Context, Failure, Need, Output, Reconciled, Resumed, Tool};
use futures::future::BoxFuture;
use serde_json::Value;

/// A tool of a set, with the set's prefix and with what the project says of the set.
struct Adapted {
    spec: ToolSpec,
    tool: Arc<dyn Tool>,
}

/// Puts a prefix before a tool's name and adds to its description, or leaves it as it is where there is nothing to say.
pub(super) fn adapt(tool: Arc<dyn Tool>, prefix: Option<&str>, about: Option<&str>) -> Arc<dyn Tool> {
    if prefix.is_none() && about.is_none() {
        return tool;
    }
    let mut spec = tool.spec().clone();
    if let Some(prefix) = prefix {
        spec.name.insert_str(0, prefix);
    }
    if let Some(about) = about {
        let end = if spec.description.ends_with('.') { "" } else { "." };
        spec.description.push_str(&format!("{end} About these: {}", about.trim()));
    }
    Arc::new(Adapted { spec, tool })
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
