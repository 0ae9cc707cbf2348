//! What stands around the agents of a project while they are made ready.

use adjutant_agent::definition::{Defaults, Definition, Gaps, Source};
use adjutant_core::{Code, Error};

use super::models::{ModelSettings, Models};
use super::settings::Settings;
use super::tools::Toolsets;
use super::unread::Unread;

/// What stands around the agents.
pub(super) struct Around<'a> {
    pub(super) defaults: Defaults,
    pub(super) toolsets: &'a Toolsets,
    pub(super) settings: &'a Settings,
    pub(super) models: &'a Models,
    pub(super) unread: Unread,
}

impl Around<'_> {
    pub(super) fn define(&self, source: &Source) -> Result<Definition, Vec<Error>> {
        let model = &source.model;
        let choice = self.models.choice(&model.name).map_err(|error| source.placed(error, model.place));
        match (source.resolve(&self.defaults, |name| self.toolsets.specs(name)), choice) {
            (Ok(mut definition), Ok(choice)) => {
                // A role may mean another model tomorrow; a run keeps the one that it began with.
                definition.model = choice.id;
                match self.cannot_call(source) {
                    Some(error) => Err(vec![source.placed(error, model.place)]),
                    None => Ok(definition),
                }
            }
            (Ok(_), Err(error)) => Err(vec![error]),
            (Err(errors), choice) => Err(choice.err().into_iter().chain(errors).collect()),
        }
    }

    /// What is wrong with an agent that has tools, and a model of which it is known that it cannot call any.
    fn cannot_call(&self, source: &Source) -> Option<Error> {
        let has_tools = !source.tools.is_empty() || !source.agents.is_empty() || !source.handoffs.is_empty();
        if !has_tools || source.react || source.workflow.is_some() {
            return None;
        }
        let details = self.models.details(&source.model.name).ok()?;
        let message = format!("the model `{}` cannot call tools, and this agent has some", details.choice.id);
        (!details.profile.abilities.tools).then(|| {
            Error::new(Code::ModelUnsupported, message).with_help(
                "write `strategy: react`, with which it calls them by text; use another model; or, if this one can do it after \
                 all, set `abilities = { tools = true }` of the model",
            )
        })
    }

    /// The names of an agent that lead nowhere, where not everything could be read.
    pub(super) fn dangling(&self, source: &Source, gaps: Gaps) -> Vec<Error> {
        let model = &source.model;
        let chosen = if gaps.model || self.hides_model(&model.name) {
            None
        } else {
            self.models.choice(&model.name).err()
        };
        let mut errors: Vec<Error> =
            chosen.into_iter().map(|error| source.placed(error, model.place)).collect();
        errors.extend(source.dangling(&self.defaults, self.unread.gaps(gaps), |name| {
            self.toolsets
                .specs(name)
                .or_else(|error| if self.unread.tools.holds(name) { Ok(Vec::new()) } else { Err(error) })
        }));
        errors
    }

    /// Whether the settings say of a role what could not be read, or what is a mistake there: that it leads to itself.
    fn hides_model(&self, name: &str) -> bool {
        let roles = &self.settings.models;
        let mut name = name;
        for _ in 0..=roles.len() {
            match roles.get(name) {
                Some(ModelSettings::Same(next, _)) => name = next,
                Some(_) => return false,
                None => return self.unread.models.holds(name),
            }
        }
        true
    }
}
