//! The agents that a workflow brings along.

use std::collections::BTreeMap;

use adjutant_agent::definition::{Definition, Delegate, Named, Sees, Source};
use adjutant_core::hash::Digest;
use adjutant_core::{Error, Result};

use super::step::{Helper, HelperFrom, Plan};

/// The longest name of an agent, in bytes.
const LONGEST: usize = 64;

/// What an agent is called that a workflow brings along. A name that would be too long ends with what it is known by.
pub(crate) fn named(name: String) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    let known_by = Digest::of(name.as_bytes()).short();
    let begin: String = name.chars().take(LONGEST - known_by.len() - 1).collect();
    format!("{begin}-{known_by}")
}

impl Helper {
    /// The helper as an author would have written it; none where it is made of another agent.
    fn source(&self) -> Option<Source> {
        let HelperFrom::Model(model) = &self.from else { return None };
        let mut source = Source::new(&self.name);
        source.model = Named::new(model);
        // What it is told is no template.
        source.instructions = format!("{{% raw %}}{}{{% endraw %}}", self.instructions);
        source.output.clone_from(&self.output);
        source.tools = self.tools.iter().map(Named::new).collect();
        Some(source)
    }

    /// The helper that is made of another agent.
    fn made_of(&self, mut agent: Definition) -> Definition {
        agent.name.clone_from(&self.name);
        agent.instructions =
            format!("{}\n\n{{% raw %}}{}{{% endraw %}}", agent.instructions, self.instructions);
        agent.output.clone_from(&self.output);
        // It says something, and does nothing: what the agent may do is said of it by its own name.
        (agent.tools, agent.agents, agent.skills) = (Vec::new(), Vec::new(), Vec::new());
        (agent.tool_search, agent.code, agent.extraction) = (None, None, None);
        agent.approve = Vec::new();
        agent
    }
}

impl Plan {
    /// Gives the definition of a workflow the helpers that its plan brings along. `define` makes a definition of one as its author
    /// would have written it.
    ///
    /// Fails with everything that `define` says.
    pub fn equip(
        &self,
        definition: &mut Definition,
        mut define: impl FnMut(&Source) -> Result<Definition, Vec<Error>>,
    ) -> Result<(), Vec<Error>> {
        let mut made: Vec<(&Helper, Definition)> = Vec::new();
        for helper in &self.helpers {
            let mut own = match (&helper.from, helper.source()) {
                (_, Some(source)) => define(&source)?,
                (HelperFrom::Agent(agent) | HelperFrom::Model(agent), None) => {
                    let asked = definition.agents.iter().find(|asked| asked.definition.name == *agent);
                    // What is wrong with it was told where it is named.
                    let Some(asked) = asked else { continue };
                    helper.made_of(asked.definition.clone())
                }
            };
            // What the workflow asks a person about, it asks about whoever of its own does it.
            let asks = definition.approve.iter();
            let asks = asks.filter(|tool| *tool == Definition::EVERY_TOOL || own.tool(tool).is_some());
            if !own.tools.is_empty() {
                own.approve = asks.cloned().collect();
                own.approve_within_ms = definition.approve_within_ms;
            }
            made.push((helper, own));
        }
        let of_the_workflow = definition.agents.iter().map(|asked| &asked.definition);
        let bare: Vec<Definition> = made.iter().map(|(_, own)| own).chain(of_the_workflow).cloned().collect();
        let wrong = |error| vec![error];
        for asked in &mut definition.agents {
            if let Some(asks) = self.co_workers.get(&asked.definition.name) {
                asked.definition = with_co_workers(&asked.definition, asks, &bare).map_err(wrong)?;
            }
        }
        for (helper, own) in &made {
            let own = with_co_workers(own, &helper.asks, &bare).map_err(wrong)?;
            let delegate = Delegate { sees: Sees::Task, definition: own };
            definition.tools.push(delegate.spec());
            definition.agents.push(delegate);
        }
        Ok(())
    }
}

/// An agent with further ones that it may ask. These ask nobody of them in turn, so what is handed on comes to an end.
fn with_co_workers(
    own: &Definition,
    asks: &BTreeMap<String, String>,
    bare: &[Definition],
) -> Result<Definition> {
    let mut own = own.clone();
    for (name, about) in asks {
        let Some(found) = bare.iter().find(|other| other.name == *name) else { continue };
        // Its own file may have named that one already.
        if own.tool(name).is_some() {
            continue;
        }
        let delegate = Delegate::new(Definition { description: about.clone(), ..found.clone() }, Sees::Task)?;
        own.tools.push(delegate.spec());
        own.agents.push(delegate);
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_be_too_long_is_another_one_for_each() {
        let (one, other) = (format!("{}-reader", "x".repeat(90)), format!("{}-writer", "x".repeat(90)));
        assert_eq!(named("flow-reader".to_owned()), "flow-reader");
        for name in [&one, &other] {
            adjutant_agent::definition::check_name(&named(name.clone())).unwrap();
        }
        assert_ne!(named(one), named(other));
    }

    #[test]
    fn what_was_pinned_before_is_written_as_it_was() {
        let flow = "
steps:
  - { value: 1, gate: { judge: { rubric: Good. } } }
  - route: { by: { model: fast }, paths: { a: { description: A., do: { value: 1 } } } }
";
        let plan = serde_json::to_value(crate::plan::parse("flow.yaml", flow).unwrap().plan).unwrap();
        let keys = |value: &serde_json::Value| {
            value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(keys(&plan), names(&["helpers", "steps", "version"]));
        for helper in plan["helpers"].as_array().unwrap() {
            assert_eq!(keys(helper), names(&["from", "instructions", "name", "output"]));
        }
        let route = &plan["steps"][1]["kind"]["route"];
        assert_eq!(keys(route), names(&["classifier", "confidence", "otherwise", "paths", "subject"]));
        assert_eq!(keys(&route["paths"][0]), names(&["description", "name", "steps"]));
    }
}
