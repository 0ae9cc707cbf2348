//! On which terms an agent is asked.

use std::collections::BTreeSet;

use adjutant::{Adjutant, Project, Task, version_of};
use adjutant_core::money::Money;
use adjutant_core::{Code, Error, Result};
use clap::Args;
use serde_json::Value;

use crate::screen::Output;

/// On which terms an agent is asked.
#[derive(Args, Clone, Debug)]
pub(crate) struct Terms {
    /// The agent; otherwise the one that adjutant.toml names, the only one, or, with `route = true` there, the one that a
    /// model chooses. `NAME@canary` is a version of it, by a label or the beginning of its hash; `NAME@files` is what the files
    /// say.
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// A value for a variable of the prompt. JSON is read as JSON, anything else as text.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, Value)>,
    /// The conversation that the question is a turn of; any name will do.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) session: Option<String>,
    /// The person whose data the run handles; `adjutant runs erase --user` goes by it.
    #[arg(long, value_name = "NAME", value_parser = name)]
    user: Option<String>,
    /// What is known of that person, for the policies to ask for, such as role=manager. JSON is read as JSON, anything else as
    /// text.
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = variable, requires = "user")]
    claims: Vec<(String, Value)>,
    /// Another model than the agent's: a role or a model id, such as openai/gpt-4.1-mini.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// The most that the run may spend, such as "0.50 USD".
    #[arg(long, value_name = "MONEY", value_parser = money)]
    budget: Option<Money>,
}

impl Terms {
    /// Checks what is claimed of the user, before anybody is asked anything. Fails where a claim is given twice, or the
    /// policies do not know it.
    pub(crate) fn check(&self, project: &Project) -> Result<()> {
        let mut seen = BTreeSet::new();
        if let Some(name) = self.claims.iter().map(|(name, _)| name).find(|name| !seen.insert(*name)) {
            return Err(Error::new(Code::InputInvalid, format!("the claim `{name}` is given twice"))
                .with_help(
                    "give it once; a claim that is a list is written as JSON: `teams=[\"north\", \"south\"]`",
                ));
        }
        let Some(policies) = project.policies()? else { return Ok(()) };
        policies.schema().check_claims(self.claims.iter().map(|(name, value)| (name, value)))
    }

    /// The question on these terms.
    pub(crate) fn task(&self, question: impl Into<String>) -> Task {
        let mut task = Task::new(question);
        for (name, value) in &self.variables {
            task = task.variable(name, value.clone());
        }
        for (name, value) in &self.claims {
            task = task.claim(name, value.clone());
        }
        if let Some(session) = &self.session {
            task = task.session(session.as_str());
        }
        if let Some(user) = &self.user {
            task = task.user(user);
        }
        if let Some(model) = &self.model {
            task = task.model(model);
        }
        if let Some(budget) = self.budget {
            task = task.budget(budget);
        }
        task
    }

    /// Warns where money is to be bounded and nobody knows what the model costs.
    pub(crate) fn warn(&self, adjutant: &Adjutant, agent: &str, output: Output) {
        let project = adjutant.project();
        if self.budget.is_none() && project.settings().budget.money.is_none() {
            return;
        }
        let model = match (&self.model, project.definition(version_of(agent).0)) {
            (Some(model), _) => model,
            (None, Ok(definition)) => &definition.model,
            (None, Err(_)) => return,
        };
        // A model that cannot be had is told of when it is asked.
        let Ok(model) = project.models().get(model) else { return };
        if model.most_prices().is_none() {
            output.talk(&format!(
                "warning: what `{}` costs is not known, so no budget in money holds; give its `prices` in adjutant.toml, or \
                 set a limit in `tokens`",
                model.id()
            ));
        }
    }

    /// The same in another conversation.
    pub(crate) fn in_session(&self, session: &str) -> Self {
        Self { session: Some(session.to_owned()), ..self.clone() }
    }
}

fn variable(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
            Ok((name.trim().to_owned(), value))
        }
        _ => Err("write it as `name=value`".to_owned()),
    }
}

/// A name that somebody gives: any text with something in it.
pub(crate) fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("the name is empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn money(text: &str) -> Result<Money, String> {
    let money: Money = text.parse().map_err(|error: Error| match error.help() {
        Some(help) => format!("{}; {help}", error.message()),
        None => error.message().to_owned(),
    })?;
    if money == Money::ZERO {
        Err("with nothing to spend no model can be asked".to_owned())
    } else {
        Ok(money)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_variable_is_json_or_text() {
        assert_eq!(variable("shop=Bluebell").unwrap(), ("shop".to_owned(), json!("Bluebell")));
        assert_eq!(variable("count=3").unwrap(), ("count".to_owned(), json!(3)));
        assert_eq!(variable("a=b=c").unwrap(), ("a".to_owned(), json!("b=c")));
        assert!(variable("shop").is_err());
        assert!(variable("=x").is_err());
    }
}
