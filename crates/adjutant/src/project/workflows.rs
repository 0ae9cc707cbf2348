//! The workflows of a project that were written as files, and what they look like.

use adjutant_agent::definition::Source;
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_workflow::Handoffs;
use adjutant_workflow::plan::Plan;

use super::load::Project;

/// A workflow, or who hands a conversation over to whom, as it can be drawn.
#[derive(Debug)]
pub enum Drawing {
    /// The steps of a workflow.
    Plan(Box<Plan>),
    /// Who hands over to whom.
    Handoffs(Handoffs),
}

impl Drawing {
    /// As a flowchart in Mermaid.
    pub fn mermaid(&self) -> String {
        match self {
            Self::Plan(plan) => plan.mermaid(),
            Self::Handoffs(handoffs) => handoffs.mermaid(),
        }
    }

    /// As a picture in SVG.
    pub fn svg(&self) -> String {
        match self {
            Self::Plan(plan) => plan.svg(),
            Self::Handoffs(handoffs) => handoffs.svg(),
        }
    }
}

impl Project {
    /// The workflows that were written as files, in the order of their names.
    pub fn workflows(&self) -> impl Iterator<Item = (&Source, Plan)> {
        self.agents().filter_map(|source| Some((source, Plan::read(source.workflow.as_ref()?).ok()?)))
    }

    /// The workflow of that name. Fails with [`Code::NotFound`].
    pub fn workflow(&self, name: &str) -> Result<(&Source, Plan)> {
        let mut names = Vec::new();
        for (source, plan) in self.workflows() {
            if source.name == name {
                return Ok((source, plan));
            }
            names.push(source.name.as_str());
        }
        let error = Error::new(Code::NotFound, format!("there is no workflow `{name}`"));
        Err(match nearest(name, names) {
            Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
            None => error.with_help("`adjutant workflows list` lists those that there are"),
        })
    }

    /// What there is to draw of a workflow, or of an agent that has handoffs. Fails with [`Code::NotFound`].
    pub fn drawing(&self, name: &str) -> Result<Drawing> {
        match self.definition(name).ok().and_then(Handoffs::of) {
            Some(handoffs) => Ok(Drawing::Handoffs(handoffs)),
            None => Ok(Drawing::Plan(Box::new(self.workflow(name)?.1))),
        }
    }
}
