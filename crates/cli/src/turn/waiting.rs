//! What a run waits for, and what to type about it.

use adjutant::Run;
use adjutant::agent::approval::PREFIX;
use adjutant::durable::Wait;
use adjutant_core::json::Json;
use serde_json::Value;

use crate::exit::Ended;
use crate::screen::{Output, local_time};

/// Says what a run waits for, and what to type about it. `project` is what names the project on a command line.
pub(crate) async fn explain(run: &Run, output: Output, project: &str) -> Ended<()> {
    let id = run.id();
    output.talk(&format!("run {id} waits for a person"));
    let waits = run.waits().await?;
    let several = waits.iter().filter(|wait| matches!(wait, Wait::Signal { .. })).count() > 1;
    for wait in waits {
        match wait {
            Wait::Signal { name, request, .. } => {
                let call = name.strip_prefix(PREFIX).unwrap_or(&name);
                let call = if several { format!(" --call {call}") } else { String::new() };
                output.talk(&format!(
                    "  to allow {}\n    adjutant runs approve {id}{call}{project}\n    \
                     adjutant runs approve {id}{call} --deny --reason \"...\"{project}",
                    asked(&request)
                ));
            }
            Wait::Unknown { key, attempt, operation, reason, .. } => {
                let step = format!("{key} --attempt {attempt}");
                output.talk(&format!(
                    "  to say what came of {operation}\n    ({reason})\n    \
                     adjutant runs resolve {id} {step} --happened '{{\"result\": ...}}'{project}\n    \
                     adjutant runs resolve {id} {step} --retry{project}\n    \
                     adjutant runs resolve {id} {step} --abort{project}"
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
