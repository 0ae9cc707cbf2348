//! What can be run: an agent from Rust, or one of the project's by name.

use adjutant_agent::definition::Strategy;
use adjutant_agent::{Agent, Definition};
use adjutant_core::Result;

use adjutant_workflow::Coded;
use adjutant_workflow::plan::{HelperFrom, Plan};

use crate::adjutant::Adjutant;
use crate::project::Project;

mod sealed {
    /// Only this crate says what can be run.
    pub trait Sealed {}
    impl Sealed for adjutant_agent::Agent {}
    impl Sealed for adjutant_workflow::Coded {}
    impl Sealed for str {}
    impl Sealed for String {}
}

/// What can be run: an [`Agent`] or a [workflow](Coded) built in Rust, or the name of one of the project's.
pub trait Runnable: sealed::Sealed + Sync {
    /// The agent as data. Its tools are known to `adjutant` afterwards.
    fn definition(&self, adjutant: &Adjutant) -> Result<Definition>;

    /// What it is called, where it is a name: of such there may be published versions.
    fn named(&self) -> Option<&str> {
        None
    }
}

impl Runnable for Agent {
    fn definition(&self, adjutant: &Adjutant) -> Result<Definition> {
        adjutant.add(self)?;
        self.definition_with(&adjutant.defaults())
    }
}

impl Runnable for Coded {
    fn definition(&self, adjutant: &Adjutant) -> Result<Definition> {
        adjutant.add_workflow(self)?;
        self.definition_with(&adjutant.defaults())
    }
}

impl Runnable for str {
    fn named(&self) -> Option<&str> {
        Some(self)
    }

    fn definition(&self, adjutant: &Adjutant) -> Result<Definition> {
        let project = adjutant.project();
        let mut definition = project.definition(self)?.clone();
        // The project was read before the program said which model has which role.
        by_roles(&mut definition, &project);
        Ok(definition)
    }
}

/// Names models by their roles again, as the authors of agents do.
fn by_roles(definition: &mut Definition, project: &Project) {
    if let Some(source) = project.agents().find(|source| source.name == definition.name) {
        definition.model.clone_from(&source.model.name);
    }
    if Strategy::of(definition).is_some() {
        // Whoever it asks is itself.
        let model = definition.model.clone();
        definition.agents.iter_mut().for_each(|asked| asked.definition.model.clone_from(&model));
    }
    definition.agents.iter_mut().for_each(|asked| by_roles(&mut asked.definition, project));
    definition.team.iter_mut().for_each(|member| by_roles(member, project));
    let helpers =
        definition.workflow.as_ref().and_then(|plan| Plan::read(plan).ok()).map(|plan| plan.helpers);
    let helpers = helpers.unwrap_or_default();
    let model_of = |name: &str| {
        let helper = helpers.iter().find(|helper| helper.name == name)?;
        match &helper.from {
            HelperFrom::Model(model) => Some(model.clone()),
            HelperFrom::Agent(agent) => {
                project.agents().find(|source| source.name == *agent).map(|source| source.model.name.clone())
            }
        }
    };
    for asked in definition.agents.iter_mut().map(|asked| &mut asked.definition) {
        // Those that it may ask of the workflow's own are named by the same plan.
        for co_worker in asked.agents.iter_mut().map(|co_worker| &mut co_worker.definition) {
            if let Some(model) = model_of(&co_worker.name) {
                co_worker.model = model;
            }
        }
        if let Some(model) = model_of(&asked.name) {
            asked.model = model;
        }
    }
}

impl Runnable for String {
    fn named(&self) -> Option<&str> {
        Some(self)
    }

    fn definition(&self, adjutant: &Adjutant) -> Result<Definition> {
        self.as_str().definition(adjutant)
    }
}
