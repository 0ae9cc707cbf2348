//! The steps of a run, by what people call them.

use adjutant_core::id::StepKey;
use adjutant_core::{Code, Error, Result};

use crate::run::Run;

impl Run {
    /// The step that is meant: by its whole path, or by the end of it where no other step ends so.
    ///
    /// Fails with [`Code::NotFound`] when there is none, and with [`Code::InputInvalid`] when there are several.
    pub async fn step(&self, typed: &str) -> Result<StepKey> {
        let steps = self.summary().await?.steps;
        let exact = StepKey::parse(typed);
        if steps.iter().any(|step| step.key == exact) {
            return Ok(exact);
        }
        let ending = exact.as_str();
        let mut found: Vec<&StepKey> = steps
            .iter()
            .map(|step| &step.key)
            .filter(|key| !ending.is_empty() && key.as_str().ends_with(ending))
            .collect();
        found.dedup();
        match found.as_slice() {
            [only] => Ok((*only).clone()),
            [] => Err(Error::new(Code::NotFound, format!("the run `{}` has no step `{typed}`", self.id()))
                .with_help(format!("`adjutant runs show {}` lists its steps", self.id()))),
            [first, second, ..] => {
                Err(Error::new(Code::InputInvalid, format!("several steps end with `{typed}`"))
                    .with_help(format!("type more of it: `{first}` or `{second}`, for example")))
            }
        }
    }

    /// The step that is meant, or the first step of the scope that is meant, such as `turn#3`. Fails as [`step`](Self::step) does.
    pub async fn first_step(&self, typed: &str) -> Result<StepKey> {
        let unknown = match self.step(typed).await {
            Err(error) if error.code() == Code::NotFound => error,
            found => return found,
        };
        let steps = self.summary().await?.steps;
        let ending = StepKey::parse(typed);
        let around = |key: &StepKey| {
            let scopes = std::iter::successors(Some(key.scope()), |scope| Some(scope.scope()));
            scopes
                .take_while(|scope| *scope != StepKey::root())
                .find(|scope| scope.as_str().ends_with(ending.as_str()))
        };
        let mut found: Vec<(StepKey, &StepKey)> =
            steps.iter().filter_map(|step| Some((around(&step.key)?, &step.key))).collect();
        // Of each scope the first step, as the steps are in order.
        found.dedup_by(|later, first| later.0 == first.0);
        match found.as_slice() {
            [(_, first)] if !typed.trim().is_empty() => Ok((*first).clone()),
            [(first, _), (second, _), ..] => {
                Err(Error::new(Code::InputInvalid, format!("several scopes end with `{typed}`"))
                    .with_help(format!("type more of it: `{first}` or `{second}`, for example")))
            }
            _ => Err(unknown),
        }
    }
}
