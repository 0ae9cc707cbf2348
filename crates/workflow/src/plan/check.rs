//! What can be said of a plan once the tools that it calls are known.

use adjutant_agent::Definition;
use adjutant_core::{Code, Error};

use super::step::{Kind, Otherwise, Plan, Shut, Step};

impl Plan {
    /// What is wrong with the plan, given the tools of its definition.
    pub fn check(&self, definition: &Definition) -> Vec<Error> {
        let mut errors = Vec::new();
        self.steps.iter().for_each(|step| look(step, definition, None, &mut errors));
        errors
    }
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
    let mut each = |steps: &[Step]| steps.iter().for_each(|step| look(step, definition, within, errors));
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
        Kind::Agent { .. }
        | Kind::Tool { .. }
        | Kind::Person { .. }
        | Kind::Value(_)
        | Kind::Sleep(_)
        | Kind::Orchestrate(_) => {}
    }
    if let Some(Shut::Steps(steps)) = step.gate.as_ref().and_then(|gate| gate.otherwise.as_ref()) {
        each(steps);
    }
}
