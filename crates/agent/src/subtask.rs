//! [`Subtask`]: small work around an answer, and which model does it.

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_model::Model;
use adjutant_model::provider::Provider;

use crate::models::Models;

/// Small work around an answer that is given to a model. Which model does it is said here and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subtask {
    /// Summarises the older part of a conversation that outgrows its window.
    Summary,
    /// Gives a run a title.
    Title,
    /// Chooses the agent for what somebody asks.
    Route,
    /// Judges a text by the rubric of a guardrail.
    Judge,
    /// Extracts values out of what cannot be trusted.
    Extract,
    /// Finds out what a task needs.
    Narrow,
}

/// Who does a subtask where no model has its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Otherwise {
    /// The model of the agent that it is done for; the role `main` where it is done for none.
    TheAgents,
    /// No model: it is done without one, and costs nothing.
    Nobody,
}

impl Subtask {
    /// The role of the model that does it.
    pub fn role(self) -> &'static str {
        match self {
            Self::Summary | Self::Title | Self::Route | Self::Extract | Self::Narrow => "fast",
            Self::Judge => "judge",
        }
    }

    fn otherwise(self) -> Otherwise {
        match self {
            Self::Summary | Self::Route | Self::Judge | Self::Extract | Self::Narrow => Otherwise::TheAgents,
            // Nobody asked for it, so it is paid from no purse but the one that was set up for such work.
            Self::Title => Otherwise::Nobody,
        }
    }

    /// The model that does it, where `agents` finds the one of the agent; none where it is done without one. Fails like
    /// `agents`.
    pub fn model(
        self,
        models: &dyn Models,
        agents: impl FnOnce() -> Result<Arc<dyn Model>>,
    ) -> Result<Option<Arc<dyn Model>>> {
        match (models.model(self.role()), self.otherwise()) {
            // The built-in model works by rules, and no rule names a talk better than its own beginning.
            (Ok(model), Otherwise::Nobody) => Ok(Some(model).filter(|model| model.id() != Provider::OFFLINE)),
            (Ok(model), Otherwise::TheAgents) => Ok(Some(model)),
            (Err(_), Otherwise::TheAgents) => agents().map(Some),
            (Err(_), Otherwise::Nobody) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use adjutant_core::{Code, Error};
    use adjutant_model::offline::Offline;
    use adjutant_model::scripted::Scripted;

    use super::*;

    struct Roles(BTreeMap<&'static str, Arc<dyn Model>>);

    impl Models for Roles {
        fn model(&self, role: &str) -> Result<Arc<dyn Model>> {
            self.0.get(role).cloned().ok_or_else(|| Error::new(Code::ModelUnknown, "there is none"))
        }
    }

    #[test]
    fn each_is_done_by_whom_it_is_meant_for() {
        let named = |name: &str| Arc::new(Scripted::new([]).with_id(name)) as Arc<dyn Model>;
        let fast: Roles = Roles(BTreeMap::from([("fast", named("small"))]));
        let offline = Roles(BTreeMap::from([("fast", Arc::new(Offline::new()) as Arc<dyn Model>)]));
        let none = Roles(BTreeMap::new());
        let cases = [
            (Subtask::Summary, &fast, Some("small")),
            (Subtask::Summary, &offline, Some("offline")),
            (Subtask::Summary, &none, Some("own")),
            (Subtask::Title, &fast, Some("small")),
            (Subtask::Title, &offline, None),
            (Subtask::Title, &none, None),
            (Subtask::Route, &fast, Some("small")),
            (Subtask::Route, &none, Some("own")),
            (Subtask::Judge, &fast, Some("own")),
            (Subtask::Narrow, &fast, Some("small")),
            (Subtask::Narrow, &none, Some("own")),
        ];
        for (subtask, models, expected) in cases {
            let model = subtask.model(models, || Ok(named("own"))).unwrap();
            assert_eq!(model.as_ref().map(|model| model.id()), expected, "{subtask:?}");
        }
    }
}
