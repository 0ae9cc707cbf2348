//! What stands for a tool that a run was started with and that is not there any more.

use std::sync::Arc;

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error};
use adjutant_tool::{Context, Failure, FunctionTool, Tool};
use serde_json::Value;

/// A tool that is as it was pinned, so that what was recorded of it is replayed as it was, and that does nothing more:
/// the model hears that it is gone, and who watches the run hears how to bring it back.
pub(crate) fn tool(pinned: ToolSpec) -> Arc<dyn Tool> {
    let name = pinned.name.clone();
    let spec = ToolSpec { concurrency: None, ..pinned };
    FunctionTool::new(spec, move |_: Value, context: Context| {
        let name = name.clone();
        async move {
            context.progress(format!(
                "the run was started with the tool `{name}`, which is not configured any more; the agent goes on \
                 without it until it is brought back"
            ));
            let error = Error::new(Code::ToolUnknown, format!("the tool `{name}` is no longer available"));
            Err::<adjutant_tool::Output, _>(Failure::Model(
                error.with_help("do not call it again; go on without it, and say what could not be done"),
            ))
        }
    })
    .into()
}
