//! What can be run: an agent from Rust, or one of the project's by name.

use adjutant_agent::{Agent, Definition};
use adjutant_core::Result;

use crate::adjutant::Adjutant;
use crate::project::Project;

mod sealed {
    /// Only this crate says what can be run.
    pub trait Sealed {}
    impl Sealed for adjutant_agent::Agent {}
    impl Sealed for str {}
    impl Sealed for String {}
}

/// What can be run: an [`Agent`] built in Rust, or the name of one of the project's agents.
pub trait Runnable: sealed::Sealed + Sync {
    /// The agent as data. Its tools are known to `adjutant` afterwards.
    fn definition(&self, adjutant: &Adjutant) -> Result<Definition>;
}

impl Runnable for Agent {
    fn definition(&self, adjutant: &Adjutant) -> Result<Definition> {
        adjutant.add(self)?;
        self.definition_with(adjutant.defaults())
    }
}

impl Runnable for str {
    fn definition(&self, adjutant: &Adjutant) -> Result<Definition> {
        let project = adjutant.project();
        let mut definition = project.definition(self)?.clone();
        // The project was read before the program said which model has which role.
        by_roles(&mut definition, project);
        Ok(definition)
    }
}

/// Names models by their roles again, as the authors of agents do.
fn by_roles(definition: &mut Definition, project: &Project) {
    if let Some(source) = project.agents().find(|source| source.name == definition.name) {
        definition.model.clone_from(&source.model.name);
    }
    definition.agents.iter_mut().for_each(|asked| by_roles(&mut asked.definition, project));
}

impl Runnable for String {
    fn definition(&self, adjutant: &Adjutant) -> Result<Definition> {
        self.as_str().definition(adjutant)
    }
}
