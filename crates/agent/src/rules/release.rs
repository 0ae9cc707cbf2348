//! What is no call of a tool and is decided all the same: which model is asked, and whether an answer may go out.

use std::sync::Arc;

use adjutant_core::label::Label;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::Ctx;
use adjutant_policy::facts::Action;
use adjutant_policy::{Outcome, Verdict};
use serde_json::{Map, Value};

use super::decision::{Considered, Ruling, decide, why};
use super::log::Log;
use crate::approval::{self, Answered, Asked};
use crate::conversation::Conversation;
use crate::flow::Knowledge;
use crate::returned::Called;
use crate::runtime::Runtime;

/// Whether an answer may go out.
pub(crate) enum Released {
    /// As it is, or with these kinds of things masked.
    As(Vec<String>),
    /// In other words, those of a person.
    Instead(String),
    /// It may not, for this reason.
    Withheld(String),
}

/// Why a model may not be asked with something of this label; none where it may.
pub(super) async fn refusal(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    model: &str,
    label: &Label,
    log: &Log,
) -> Result<Option<String>> {
    let action = Action::Model(model.to_owned());
    Ok(match settle(ctx, agent, action, Map::new(), label.into(), log).await? {
        Released::As(_) | Released::Instead(_) => None,
        Released::Withheld(why) => Some(why),
    })
}

/// Decides whether an answer may go out to whom the run works for. What an agent answers that works for another one goes
/// to that, not out.
pub(crate) async fn release(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    text: &str,
    conversation: &Conversation,
    log: &Log,
) -> Result<Released> {
    if agent.principal.agents.len() > 1 {
        return Ok(Released::As(Vec::new()));
    }
    settle(ctx, agent, Action::Answer, words(text), conversation.into(), log).await
}

/// An answer as what is decided about it.
fn words(text: &str) -> Map<String, Value> {
    Map::from_iter([("text".to_owned(), Value::from(text))])
}

async fn settle(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    action: Action,
    arguments: Map<String, Value>,
    known: Knowledge,
    log: &Log,
) -> Result<Released> {
    let name = match &action {
        Action::Answer => "answer".to_owned(),
        Action::Model(id) => id.clone(),
        _ => return Err(Error::new(Code::Internal, "this is decided at the choke point of calls")),
    };
    let considered = Considered { action, arguments, approved: false, written_by: None };
    let asked = Value::Object(considered.arguments.clone());
    let read = known.label();
    let Some(ruling) = decide(ctx, agent, considered.clone(), known.clone(), log).await? else {
        return Ok(Released::As(Vec::new()));
    };
    Ok(match &ruling.verdict.outcome {
        Outcome::Allow => Released::As(Vec::new()),
        Outcome::Redact(kinds) => Released::As(kinds.clone()),
        Outcome::Deny => Released::Withheld(why(&ruling.verdict)),
        Outcome::Ask => {
            let called = Called { call: "".into(), name, arguments: asked, resumed: None, edited: None };
            let asked = Asked {
                called: &called,
                why: &ruling.verdict.reason,
                policies: &ruling.verdict.policies,
                origins: &ruling.request.origins,
                read: &read,
                each_time: false,
            };
            match approval::ask(ctx, agent, &asked).await? {
                Answered::Approved(_) => {
                    let agreed = Considered { approved: true, ..considered };
                    match decide(ctx, agent, agreed, known, log).await?.map(|ruling| ruling.verdict) {
                        Some(verdict) if verdict.outcome == Outcome::Deny => {
                            Released::Withheld(why(&verdict))
                        }
                        Some(Verdict { outcome: Outcome::Redact(kinds), .. }) => Released::As(kinds),
                        _ => Released::As(Vec::new()),
                    }
                }
                Answered::Edited(edited) => {
                    let Some(text) = edited.arguments.get("text").and_then(Value::as_str) else {
                        let why = format!("{} has changed what cannot be changed", edited.by);
                        return Ok(Released::Withheld(why));
                    };
                    let arguments = words(text);
                    let agreed = Considered { approved: true, arguments, ..considered };
                    match decide(ctx, agent, agreed, known, log).await? {
                        Some(ruling) if ruling.verdict.outcome == Outcome::Deny => {
                            Released::Withheld(why(&ruling.verdict))
                        }
                        Some(Ruling { masked: Some(masked), .. }) => {
                            let masked = masked.get("text").and_then(Value::as_str).unwrap_or_default();
                            Released::Instead(masked.to_owned())
                        }
                        _ => Released::Instead(text.to_owned()),
                    }
                }
                Answered::Instead(output) => Released::Instead(output.as_text()),
                Answered::Denied(denied) => Released::Withheld(denied.message().to_owned()),
            }
        }
    })
}
