//! The agents that a workflow brings along.

use adjutant_agent::definition::{Definition, Delegate, Named, Sees, Source};
use adjutant_core::{Error, Result};

use super::step::{Helper, HelperFrom, Plan};

impl Helper {
    /// The helper as an author would have written it; none where it is made of another agent.
    fn source(&self) -> Option<Source> {
        let HelperFrom::Model(model) = &self.from else { return None };
        let mut source = Source::new(&self.name);
        source.model = Named::new(model);
        // What it is told is no template.
        source.instructions = format!("{{% raw %}}{}{{% endraw %}}", self.instructions);
        source.output = Some(self.output.clone());
        Some(source)
    }

    /// The helper that is made of another agent.
    fn made_of(&self, mut agent: Definition) -> Definition {
        agent.name.clone_from(&self.name);
        agent.instructions =
            format!("{}\n\n{{% raw %}}{}{{% endraw %}}", agent.instructions, self.instructions);
        agent.output = Some(self.output.clone());
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
        for helper in &self.helpers {
            let made = match (&helper.from, helper.source()) {
                (_, Some(source)) => define(&source)?,
                (HelperFrom::Agent(agent) | HelperFrom::Model(agent), None) => {
                    let asked = definition.agents.iter().find(|asked| asked.definition.name == *agent);
                    // What is wrong with it was told where it is named.
                    let Some(asked) = asked else { continue };
                    helper.made_of(asked.definition.clone())
                }
            };
            let delegate = Delegate { sees: Sees::Task, definition: made };
            definition.tools.push(delegate.spec());
            definition.agents.push(delegate);
        }
        Ok(())
    }
}
