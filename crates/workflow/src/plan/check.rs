//! What can be said of a plan once the tools that it calls are known.

use std::collections::BTreeMap;

use adjutant_agent::Definition;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error, nearest};
use serde_json::Value;

use super::argument::Argument;
use super::chat::Chatting;
use super::events::Does;
use super::form;
use super::step::{Kind, Otherwise, Plan, Shut, Step};

impl Plan {
    /// What is wrong with the plan, given the tools of its definition.
    pub fn check(&self, definition: &Definition) -> Vec<Error> {
        let mut errors = Vec::new();
        self.steps.iter().for_each(|step| look(step, definition, None, &mut errors));
        errors
    }
}

/// What is wrong with the arguments of a call, as far as that can be said before it is made.
fn misfits(step: &str, tool: &ToolSpec, arguments: &BTreeMap<String, Argument>) -> Vec<Error> {
    let properties = tool.parameters.get("properties").and_then(Value::as_object);
    let Some(properties) = properties else { return Vec::new() };
    let invalid = |message: String, help: String| Error::new(Code::ProjectInvalid, message).with_help(help);
    let required = tool.parameters.get("required").and_then(Value::as_array).into_iter().flatten();
    let missing = required.filter_map(Value::as_str).filter(|name| !arguments.contains_key(*name));
    let mut errors: Vec<Error> = missing
        .map(|name| {
            let message = format!("the step `{step}` calls `{}` without `{name}`", tool.name);
            invalid(message, format!("give it one: `arguments: {{ {name}: .. }}`"))
        })
        .collect();
    let is_closed = tool.parameters.get("additionalProperties") == Some(&Value::Bool(false));
    for (name, argument) in arguments {
        let message = |why: &str| format!("the step `{step}` calls `{}`, {why}", tool.name);
        match properties.get(name) {
            None if is_closed => {
                let help = match nearest(name, properties.keys().map(String::as_str)) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it takes {}", properties.keys().cloned().collect::<Vec<_>>().join(", ")),
                };
                errors.push(invalid(message(&format!("which has no argument `{name}`")), help));
            }
            Some(schema) if !schema.to_string().contains("$ref") => {
                if let Err(why) = form::fits(argument, schema) {
                    let help =
                        "a text that begins with `=` is an expression, which keeps its type".to_owned();
                    errors.push(invalid(message(&format!("whose `{name}` cannot be this: {why}")), help));
                }
            }
            _ => {}
        }
    }
    errors
}

/// Notes what a step does whose result is kept, and that would not happen where it is found.
fn look_at_kept(kept: &str, step: &Step, definition: &Definition, errors: &mut Vec<Error>) {
    let is_pure = |name: &str| {
        let asked = definition.agents.iter().find(|asked| asked.definition.name == name);
        match asked {
            Some(asked) => {
                let all = std::iter::once(&asked.definition).chain(asked.definition.nested());
                all.flat_map(own_tools).all(|tool| tool.effect == Effect::Pure)
            }
            None => definition.tool(name).is_none_or(|tool| tool.effect == Effect::Pure),
        }
    };
    let mut names: Vec<&str> = Vec::new();
    match &step.kind {
        Kind::Agent { agent, .. } => names.push(agent),
        Kind::Tool { tool, .. } => names.push(tool),
        Kind::Orchestrate(orders) => names.extend(orders.workers.iter().map(String::as_str)),
        Kind::Crew(crewed) => names.extend(crewed.members.values().map(|member| member.agent.as_str())),
        Kind::Chat(chatting) => names.extend(chatting.speakers.iter().map(String::as_str)),
        _ => {}
    }
    names.extend(step.gate.as_ref().and_then(|gate| gate.function.as_ref()).map(|one| one.tool.as_str()));
    let mut refuse = |what: String| {
        let message = format!("what the step `{kept}` makes is kept (`cache`), and {what}");
        let help = "keep what only looks things up; put the rest outside of the step";
        errors.push(Error::new(Code::ProjectInvalid, message).with_help(help));
    };
    for name in names.into_iter().filter(|name| !is_pure(name)) {
        refuse(format!(
            "`{name}` does more than to look things up: that would not be done where it is found"
        ));
    }
    let asks = match &step.kind {
        Kind::Person { .. } => true,
        Kind::Chat(chatting) => chatting.speakers.iter().any(|who| who == Chatting::PERSON),
        Kind::Events(eventful) => {
            eventful.steps.values().any(|reaction| matches!(reaction.does, Does::Outside { .. }))
        }
        _ => false,
    };
    if asks {
        refuse("asks a person, who would not be asked where it is found".to_owned());
    }
    if matches!(step.gate.as_ref().and_then(|gate| gate.otherwise.as_ref()), Some(Shut::End(_))) {
        refuse("may end the workflow".to_owned());
    }
    each_within(step, &mut |inner| look_at_kept(kept, inner, definition, errors));
}

/// The tools of an agent that are not other agents.
fn own_tools(definition: &Definition) -> impl Iterator<Item = &ToolSpec> {
    let is_agent = |name: &str| definition.agents.iter().any(|asked| asked.definition.name == name);
    definition.tools.iter().filter(move |tool| !is_agent(&tool.name))
}

/// Looks through a step, within another one that has a time limit, if one has.
fn look(step: &Step, definition: &Definition, within: Option<&str>, errors: &mut Vec<Error>) {
    let within = within.or(step.attempts.longest_ms.map(|_| step.id.as_str()));
    if let (Kind::Tool { tool, .. }, Some(limited)) = (&step.kind, within)
        && definition.tool(tool).is_some_and(|spec| !spec.effect.is_repeatable())
    {
        let message = format!(
            "the step `{limited}` has a `timeout`, and calls `{tool}`, of which it must be known whether it happened"
        );
        let help = format!(
            "give the tool a `timeout` under `[tools.{tool}]`: a person is asked then what came of the call; or put it outside \
             of the step"
        );
        errors.push(Error::new(Code::ProjectInvalid, message).with_help(help));
    }
    if let Kind::Tool { tool, arguments } = &step.kind
        && let Some(spec) = definition.tool(tool)
    {
        errors.extend(misfits(&step.id, spec, arguments));
    }
    let function = step.gate.as_ref().and_then(|gate| gate.function.as_ref());
    if let Some(function) = function
        && let Some(spec) = definition.tool(&function.tool)
    {
        errors.extend(misfits(&step.id, spec, &function.arguments));
    }
    if step.cache.is_some() {
        look_at_kept(&step.id, step, definition, errors);
    }
    each_within(step, &mut |inner| look(inner, definition, within, errors));
}

/// Has a function look at each step that stands directly in one.
fn each_within(step: &Step, function: &mut dyn FnMut(&Step)) {
    let mut each = |steps: &[Step]| steps.iter().for_each(&mut *function);
    match &step.kind {
        Kind::Sequence(steps) => each(steps),
        Kind::Parallel(branches) => branches.branches.iter().for_each(|(_, steps)| each(steps)),
        Kind::Map(mapped) => each(&mapped.steps),
        Kind::Route(routing) => {
            routing.paths.iter().for_each(|path| each(&path.steps));
            if let Otherwise::Steps(steps) = &routing.otherwise {
                each(steps);
            }
        }
        Kind::Refine(refining) => {
            each(&refining.draft);
            each(&refining.review);
        }
        Kind::Graph(graphed) => {
            graphed.nodes.values().for_each(|node| each(std::slice::from_ref(&node.step)));
        }
        Kind::Crew(crewed) => {
            let gates = crewed.tasks.iter().filter_map(|task| task.gate.as_ref()?.otherwise.as_ref());
            for shut in gates {
                if let Shut::Steps(steps) = shut {
                    each(steps);
                }
            }
        }
        Kind::Events(eventful) => {
            for reaction in eventful.steps.values() {
                if let Does::Steps { steps, .. } = &reaction.does {
                    each(steps);
                }
            }
        }
        Kind::Agent { .. }
        | Kind::Tool { .. }
        | Kind::Person { .. }
        | Kind::Value(_)
        | Kind::Sleep(_)
        | Kind::Chat(_)
        | Kind::Orchestrate(_) => {}
    }
    if let Some(Shut::Steps(steps)) = step.gate.as_ref().and_then(|gate| gate.otherwise.as_ref()) {
        each(steps);
    }
}
