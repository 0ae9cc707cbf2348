//! What a run waits for, and what to type about it.

use adjutant::agent::approval::PREFIX;
use adjutant::agent::question;
use adjutant::agent::takeover::Taken;
use adjutant::durable::{RunState, Wait};
use adjutant::tool::Wanted;
use adjutant::{Rest, Run};
use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use serde_json::Value;

use crate::exit::Ended;
use crate::screen::{Output, clean, local_time};

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
        if let Wait::Signal { name, request, .. } = wait
            && let Ok(request) = request.to::<question::Request>()
        {
            explain_question(id, name, &request, several, output, project);
            continue;
        }
        if let Wait::Signal { request, .. } = wait
            && let Ok(taken) = request.to::<Taken>()
        {
            output.talk(&format!(
                "  for {}, who has taken it\n    adjutant runs edit {id} --say \"...\"{project}\n    \
                 adjutant runs call {id} TOOL '{{..}}'{project}\n    adjutant runs hand-back {id}{project}",
                clean(&taken.taken_by)
            ));
            continue;
        }
        match wait {
            Wait::Signal { name, request, .. } if is_event(name) => {
                let shown = match request.value().is_null() {
                    true => String::new(),
                    false => format!(": {}", request.as_str()),
                };
                output.talk(&format!(
                    "  for the event `{name}` from outside{}\n    adjutant runs signal {id} {name} '{{..}}'{project}",
                    clean(&shown)
                ));
            }
            Wait::Signal { name, request, .. } => {
                let call = name.strip_prefix(PREFIX).unwrap_or(name);
                let call = if several { format!(" --call {call}") } else { String::new() };
                output.talk(&format!(
                    "  to allow {}{}\n    adjutant runs approve {id}{call}{project}\n    \
                     adjutant runs approve {id}{call} --deny --reason \"...\"{project}",
                    asked(request),
                    texts(request)
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
            // The time that an approval has is told with it.
            Wait::Timer { key, .. } if is_expiry(key, waits) => {}
            Wait::Timer { until, .. } => output.talk(&format!("  until {}", local_time(*until))),
            // It is among those that are explained.
            Wait::Child { .. } => {}
        }
    }
}

/// Whether a signal is an event from outside: under a name with a colon a person is asked.
pub(crate) fn is_event(name: &str) -> bool {
    !name.contains(':')
}

/// Whether a timer is the time that somebody has to answer.
fn is_expiry(timer: &StepKey, waits: &[Wait]) -> bool {
    waits.iter().any(|wait| {
        matches!(wait, Wait::Signal { key, name, .. } if name.starts_with(PREFIX) && key.scope() == timer.scope())
    })
}

/// Says what a call asks, and what to type to answer.
fn explain_question(
    id: &RunId,
    name: &str,
    request: &question::Request,
    several: bool,
    output: Output,
    project: &str,
) {
    let call = name.strip_prefix(question::PREFIX).unwrap_or(name);
    let call = if several { format!(" --call {call}") } else { String::new() };
    let answer = match &request.question.wanted {
        Wanted::Visit(_) => String::new(),
        Wanted::Values(_) => {
            let fields = request.question.fields();
            let fields = fields
                .filter(|(name, schema)| request.question.requires(name) || schema.get("default").is_none());
            // It is to be typed into a shell: a name that would be more there than a name is left to the person.
            let plain =
                |name: &str| name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '));
            let fields = fields.map(|(name, _)| if plain(name) { name } else { "..." });
            let fields: Vec<_> = fields.map(|name| format!("\"{name}\": ...")).collect();
            format!(" '{{{}}}'", fields.join(", "))
        }
    };
    output.talk(&format!(
        "  to answer {}\n    adjutant runs answer {id}{answer}{call}{project}\n    \
         adjutant runs answer {id}{call} --decline{project}",
        question_asked(request)
    ));
}

/// What a call asks, in one line.
fn question_asked(request: &question::Request) -> String {
    let question = &request.question;
    let wanted = match &question.wanted {
        Wanted::Visit(address) => format!(" (at {address})"),
        Wanted::Values(_) => String::new(),
    };
    clean(&format!("{}, which asks: {}{wanted}", request.tool, question.message.replace('\n', " ")))
        .into_owned()
}

/// The arguments of several lines as a person reads them, such as a program: each below its name, and each line begun so
/// that it cannot pass for something else.
pub(crate) fn texts(request: &Json) -> String {
    let value = request.value();
    let arguments = value.get("arguments").and_then(Value::as_object).into_iter().flatten();
    let long = arguments
        .filter_map(|(name, value)| Some((name, value.as_str().filter(|text| text.contains('\n'))?)));
    let mut shown = String::new();
    for (name, text) in long {
        shown.push_str(&format!("\n    {}:", clean(name)));
        text.lines().for_each(|line| shown.push_str(&format!("\n      | {}", clean(line))));
    }
    shown
}

/// What a person is asked, in one line.
pub(crate) fn asked(request: &Json) -> String {
    if let Ok(request) = request.to::<question::Request>() {
        return question_asked(&request);
    }
    if let Ok(taken) = request.to::<Taken>() {
        return format!("in the hands of {}", clean(&taken.taken_by));
    }
    let value = request.value();
    let Some(tool) = value.get("tool").and_then(Value::as_str) else {
        return clean(&value.to_string()).into_owned();
    };
    let arguments = value.get("arguments").map(ToString::to_string).unwrap_or_default();
    let why = value.get("why").and_then(Value::as_str).map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{tool} {arguments}{why}")
}
