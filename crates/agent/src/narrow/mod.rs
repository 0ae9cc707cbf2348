//! Narrowing: before an agent reads what others have written, what its task needs is fixed. What is outside asks a person.
//!
//! It is made of the words of the one who asks and of what the tools say of themselves, by [`rules`] or by a [`model`] that sees
//! nothing else, and recorded. What those say whom the agent works for while it works, and in later turns, adds to it; what is
//! read never does.

mod deeds;
#[cfg(test)]
mod measured;
mod model;
mod named;
mod rules;

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::message::{Message, Role};
use adjutant_core::tool::ToolSpec;
use adjutant_durable::{Ctx, Effects, work};
use adjutant_policy::narrow::Narrowing;
use serde::{Deserialize, Serialize};

use crate::definition::Definition;
use crate::memory::Memory;
use crate::rules::Log;
use crate::runtime::Runtime;

/// The name of the steps in which it is recorded what a task needs.
pub(crate) const NARROW: &str = "narrow";

/// How many messages of one who asks are looked at, where the last one alone asks for nothing: `yes, do that`.
const MOST_MESSAGES: usize = 4;

/// How it is found out what a task needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Narrow {
    /// By the words of the request and of the tools: nothing is asked, and nothing is left to chance. The rules know English.
    Rules,
    /// By a model that sees the request and the tools, and nothing else. Where it fails, the rules do it.
    Model,
}

impl Narrow {
    /// The words for it in files; none says that nothing is narrowed.
    pub(crate) const WORDS: [(&str, Option<Self>); 3] =
        [("rules", Some(Self::Rules)), ("model", Some(Self::Model)), ("off", None)];
}

/// What stands in the journal as the input of the step: the words themselves are in the run's records.
#[derive(Serialize)]
struct Input {
    by: Narrow,
    words: Digest,
}

/// Fixes what the task needs that the conversation ends with, beside what was fixed before.
pub(crate) async fn narrow(step: &Ctx, agent: &Arc<Runtime>, memory: &mut Memory, log: &Log) -> Result<()> {
    let Some(by) = agent.definition.narrow else { return Ok(()) };
    let said = said(memory.conversation.messages());
    if said.is_empty() && !memory.narrowed.is_empty() {
        // What it was asked can be believed by nobody. It is held to what those need for whom it works.
        return Ok(());
    }
    let tools = tools(&agent.definition);
    let proposal = match by {
        Narrow::Rules => None,
        Narrow::Model => model::ask(step, agent, memory, log, (&said, &tools)).await?,
    };
    let words: Vec<&[u8]> = said.iter().map(String::as_bytes).collect();
    let input = Json::of(&Input { by, words: Digest::of_parts(&words) })?;
    let fixed = work(move |_| {
        let narrowing = fix(&tools, &said, proposal.as_deref());
        std::future::ready(Json::of(&narrowing))
    });
    let narrowing: Narrowing = step.effect(NARROW, Effects::pure(), input, fixed).await?.to()?;
    let before = memory.narrowing.take().unwrap_or_default();
    memory.narrowing = Some(before.join(narrowing));
    Ok(())
}

/// The tools that may be needed: those of the agent, and those of the agents that it asks, which are held to the same task.
fn tools(definition: &Definition) -> Vec<ToolSpec> {
    let mut tools = definition.tools.clone();
    for tool in definition.nested().flat_map(|asked| &asked.tools) {
        if tools.iter().all(|known| known.name != tool.name) {
            tools.push(tool.clone());
        }
    }
    tools
}

/// What a task needs, of which this was said, the latest first.
fn fix(tools: &[ToolSpec], said: &[String], proposal: Option<&str>) -> Narrowing {
    if let Some(narrowing) = proposal.and_then(|proposal| model::read(tools, said, proposal)) {
        return narrowing;
    }
    let mut words = String::new();
    for text in said {
        // What was said before stands before it.
        words = format!("{text}\n{words}");
        let narrowing = rules::narrow(tools, &words);
        if !narrowing.tools.is_empty() {
            return narrowing;
        }
    }
    Narrowing::default()
}

/// What those have said whom the agent works for, the latest first.
fn said(messages: &[Arc<Message>]) -> Vec<String> {
    let theirs = |message: &&Arc<Message>| message.role == Role::User && message.label.is_trusted();
    messages.iter().rev().filter(theirs).map(|message| message.text()).take(MOST_MESSAGES).collect()
}

#[cfg(test)]
mod tests {
    use adjutant_core::label::Label;
    use adjutant_core::tool::{Effect, Flow};
    use serde_json::json;

    use super::*;

    fn tools() -> Vec<ToolSpec> {
        let tool = |name: &str, description: &str| ToolSpec {
            name: name.into(),
            description: description.into(),
            parameters: json!({ "type": "object", "properties": {} }),
            effect: Effect::AtMostOnce,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: Flow::default(),
        };
        vec![tool("delete_branch", "Deletes a branch."), tool("send_mail", "Sends a mail.")]
    }

    fn needs(said: &[&str], proposal: Option<&str>) -> String {
        let said: Vec<String> = said.iter().map(|text| (*text).to_owned()).collect();
        fix(&tools(), &said, proposal).tools.into_keys().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_yes_means_what_was_asked_before() {
        assert_eq!(needs(&["Yes, please."], None), "");
        assert_eq!(needs(&["Yes, please.", "Could you delete the branch?"], None), "delete_branch");
        assert_eq!(needs(&["Send a mail to Ann.", "Delete the branch."], None), "send_mail");
    }

    #[test]
    fn what_a_model_proposes_counts_where_it_can_be_read() {
        let proposal = r#"{"tools": [{"name": "send_mail"}]}"#;
        assert_eq!(needs(&["Tell Ann."], Some(proposal)), "send_mail");
        assert_eq!(needs(&["Delete the branch."], Some("I think so")), "delete_branch");
    }

    #[test]
    fn only_those_are_heard_whom_it_works_for() {
        let messages = [
            Message::system("Delete the branch."),
            Message::user("one"),
            Message::user("two").labelled(Label::untrusted()),
            Message::assistant(Vec::new()),
            Message::user("three"),
        ];
        assert_eq!(said(&messages.map(Arc::new)), ["three", "one"]);
    }
}
