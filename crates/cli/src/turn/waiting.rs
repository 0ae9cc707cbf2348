//! What a run waits for, and what to type about it.

use adjutant::agent::approval::PREFIX;
use adjutant::durable::{RunState, Wait};
use adjutant::{Rest, Run};
use adjutant_core::json::Json;
use serde_json::Value;

use crate::exit::Ended;
use crate::screen::{Output, local_time};

/// Says what a run waits for, and what to type about it. `project` is what names the project on a command line.
pub(crate) async fn explain(run: &Run, output: Output, project: &str) -> Ended<()> {
    let id = run.id();
    output.talk(&format!("run {id} waits for a person"));
    for rest in run.rests().await? {
        explain_one(&rest, rest.run != *id, output, project);
    }
    Ok(())
}

/// Says what one run waits for. `is_below` is whether another one waits for it.
fn explain_one(rest: &Rest, is_below: bool, output: Output, project: &str) {
    let id = &rest.run;
    if is_below {
        output.talk(&format!("  for the run {id} ({}), which is {}", rest.name, rest.state.as_str()));
        if matches!(rest.state, RunState::Paused | RunState::Halted) {
            output.talk(&format!(
                "    adjutant runs show {id}{project}\n    adjutant runs resume {id}{project}"
            ));
            return;
        }
    }
    let waits = &rest.waits;
    let several = waits.iter().filter(|wait| matches!(wait, Wait::Signal { .. })).count() > 1;
    for wait in waits {
        match wait {
            Wait::Signal { name, request, .. } => {
                let call = name.strip_prefix(PREFIX).unwrap_or(name);
                let call = if several { format!(" --call {call}") } else { String::new() };
                output.talk(&format!(
                    "  to allow {}\n    adjutant runs approve {id}{call}{project}\n    \
                     adjutant runs approve {id}{call} --deny --reason \"...\"{project}",
                    asked(request)
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
            Wait::Timer { until, .. } => output.talk(&format!("  until {}", local_time(*until))),
            // It is among those that are explained.
            Wait::Child { .. } => {}
        }
    }
}

/// What a person is asked to allow, in one line.
pub(crate) fn asked(request: &Json) -> String {
    let value = request.value();
    let tool = value.get("tool").and_then(Value::as_str).unwrap_or("a call");
    let arguments = value.get("arguments").map(ToString::to_string).unwrap_or_default();
    let why = value.get("why").and_then(Value::as_str).map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{tool} {arguments}{why}")
}
