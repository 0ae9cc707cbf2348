//! What a run waits for, and what to type about it.

use adjutant::Run;
use adjutant::durable::Wait;
use adjutant_core::json::Json;
use serde_json::Value;

use crate::exit::Ended;
use crate::screen::{Output, local_time};

/// Says what a run waits for, and what to type about it. `project` is what names the project on a command line.
pub(crate) async fn explain(run: &Run, output: Output, project: &str) -> Ended<()> {
    let id = run.id();
    output.talk(&format!("run {id} waits for a person"));
    for wait in run.waits().await? {
        match wait {
            Wait::Signal { name, request, .. } => {
                output.talk(&format!(
                    "  to allow {}\n    adjutant runs approve {id} --call {name}{project}\n    \
                     adjutant runs approve {id} --call {name} --deny --reason \"...\"{project}",
                    asked(&request)
                ));
            }
            Wait::Unknown { key, operation, reason } => {
                output.talk(&format!(
                    "  to say what came of `{operation}`: {reason}\n    \
                     adjutant runs resolve {id} {key} --happened '{{\"result\": ...}}'{project}\n    \
                     adjutant runs resolve {id} {key} --retry{project}\n    \
                     adjutant runs resolve {id} {key} --abort{project}"
                ));
            }
            Wait::Timer { until, .. } => output.talk(&format!("  until {}", local_time(until))),
            Wait::Child { run, .. } => output.talk(&format!("  for the run {run}")),
        }
    }
    Ok(())
}

/// What a person is asked to allow, in one line.
pub(crate) fn asked(request: &Json) -> String {
    let value = request.value();
    let tool = value.get("tool").and_then(Value::as_str).unwrap_or("a call");
    let arguments = value.get("arguments").map(ToString::to_string).unwrap_or_default();
    let why = value.get("why").and_then(Value::as_str).map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{tool} {arguments}{why}")
}
