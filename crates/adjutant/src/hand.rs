//! Calling a tool by hand.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::id::StepKey;
use adjutant_core::time::format_duration;
use adjutant_core::{Code, Error, Result};
use adjutant_store::random;
use adjutant_tool::{Context, Failure, Output};

use crate::project::Project;

/// A tool that watches its deadline itself says more about why it took so long; it is given so long to say it.
const GRACE: Duration = Duration::from_secs(2);

/// Calls a tool of a project as an agent would, without a run around it: nothing is recorded, and every call has an
/// idempotency key of its own.
///
/// Fails with [`Code::ToolUnknown`], [`Code::ToolArguments`], [`Code::ToolTimeout`], and with what the tool says.
pub async fn call_tool(
    project: &Project,
    name: &str,
    arguments: &str,
    progress: impl Fn(String) + Send + Sync + 'static,
) -> Result<Output> {
    let tools = project.tools();
    let arguments = tools.arguments(name, arguments)?;
    let _slot = tools.slot(name).await?;
    let tool =
        tools.get(name).ok_or_else(|| Error::new(Code::ToolUnknown, format!("there is no tool `{name}`")))?;
    let timeout = tool.spec().timeout;
    let context = Context::new(random::run_id()?, StepKey::root().join(name, 0), "by-hand".into())
        .with_scope(project.settings().scope.clone())
        .with_secrets(project.secrets())
        .with_progress(Arc::new(progress))
        .with_deadline(std::time::Instant::now() + timeout);
    match tokio::time::timeout(timeout + GRACE, tool.call(arguments, context)).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(Failure::Model(error) | Failure::Run(error))) => Err(error),
        Ok(Err(Failure::Unknown(why))) => Err(Error::new(
            Code::ToolOutcomeUnknown,
            format!("it is not known whether the call happened: {why}"),
        )),
        Err(_) => Err(Error::new(
            Code::ToolTimeout,
            format!("the tool `{name}` took longer than {}", format_duration(timeout)),
        )
        .with_help("give it more time with `timeout` in its table")),
    }
}
