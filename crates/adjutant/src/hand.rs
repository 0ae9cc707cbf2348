//! Calling a tool by hand.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::id::StepKey;
use adjutant_core::time::format_duration;
use adjutant_core::{Code, Error, Result};
use adjutant_store::random;
use adjutant_tool::artifact::Work;
use adjutant_tool::{Answer, Context, Failure, Output, Question, Resources, Resumed, Tool, Until};

use crate::project::Project;

/// A tool that watches its deadline itself says more about why it took so long; it is given so long to say it.
const GRACE: Duration = Duration::from_secs(2);

/// How long giving up a call that is not over may take.
const FAREWELL: Duration = Duration::from_secs(10);

/// Calls a tool of a project as an agent would, without a run around it: nothing is recorded, and every call has an
/// idempotency key of its own. What the call asks a person, `ask` answers; what it leaves to be done elsewhere is waited for.
///
/// Fails with [`Code::ToolUnknown`], [`Code::ToolArguments`], [`Code::ToolTimeout`], with what `ask` fails with, and with
/// what the tool says.
pub async fn call_tool(
    project: &Project,
    name: &str,
    arguments: &str,
    progress: impl Fn(String) + Send + Sync + 'static,
    mut ask: impl AsyncFnMut(&Question) -> Result<Answer>,
) -> Result<Output> {
    let tools = project.tools();
    let arguments = tools.arguments(name, arguments)?;
    let _slot = tools.slot(name).await?;
    let tool =
        tools.get(name).ok_or_else(|| Error::new(Code::ToolUnknown, format!("there is no tool `{name}`")))?;
    let context = Context::new(random::run_id()?, StepKey::root().join(name, 0), "by-hand".into())
        .with_scope(project.settings().scope.clone())
        .with_secrets(project.secrets())
        .with_resources(&Resources::new().with(Work::new(&project.settings().sandbox)))
        .with_progress(Arc::new(progress));
    let mut resumed = None;
    loop {
        let pending = match attempt(tool.as_ref(), arguments.clone(), resumed.take(), &context).await {
            Ok(output) => return Ok(output),
            Err(Failure::Pending(pending)) => *pending,
            Err(Failure::Model(error) | Failure::Run(error)) => return Err(error),
            Err(Failure::Unknown(why)) => {
                let why = format!("it is not known whether the call happened: {why}");
                return Err(Error::new(Code::ToolOutcomeUnknown, why));
            }
        };
        let answer = match &pending.until {
            Until::Answered(question) => {
                ask(question).await.and_then(|answer| question.fitting(answer)).map(Some)
            }
            Until::Later { after_ms, note } => {
                note.iter().for_each(|note| context.progress(note));
                tokio::time::sleep(Duration::from_millis(*after_ms)).await;
                Ok(None)
            }
        };
        match answer {
            Ok(answer) => resumed = Some(Resumed { state: pending.state, answer }),
            Err(error) => {
                let given_up = tool.abandon(pending.state, context.clone());
                let _ = tokio::time::timeout(FAREWELL, given_up).await;
                return Err(error);
            }
        }
    }
}

/// Makes the call, or goes on with it.
async fn attempt(
    tool: &dyn Tool,
    arguments: serde_json::Value,
    resumed: Option<Resumed>,
    context: &Context,
) -> Result<Output, Failure> {
    let spec = tool.spec();
    let context = context.clone().with_deadline(std::time::Instant::now() + spec.timeout);
    let call = match resumed {
        Some(resumed) => tool.resume(arguments, resumed, context),
        None => tool.call(arguments, context),
    };
    tokio::time::timeout(spec.timeout + GRACE, call).await.unwrap_or_else(|_| {
        let why = format!("the tool `{}` took longer than {}", spec.name, format_duration(spec.timeout));
        let error = Error::new(Code::ToolTimeout, why);
        Err(Failure::Model(error.with_help("give it more time with `timeout` in its table")))
    })
}
