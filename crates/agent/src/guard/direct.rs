//! Guardrails on what a client says to a model itself, without an agent, and on what the model answers.

use std::sync::Arc;

use adjutant_core::message::{Message, Part, Role};
use adjutant_core::{Code, Error, Result};
use adjutant_policy::detect::Pseudonyms;

use super::check::{Around, rule};
use super::ruling::{Did, Ruling};
use super::subject::Subject;
use crate::definition::{Guardrail, Point};

/// The guardrails of one exchange between a client and a model.
///
/// Those that ask a model or a service need a run, in whose records their verdicts stand; where one of them must agree, nothing
/// passes here.
#[derive(Clone, Debug)]
pub struct Direct {
    guardrails: Arc<[Guardrail]>,
    seed: String,
    names: Pseudonyms,
    read: Vec<Arc<Message>>,
}

impl Direct {
    /// These guardrails. `seed` tells the pseudonyms of this exchange from those of others.
    pub fn new(guardrails: Arc<[Guardrail]>, seed: impl Into<String>) -> Self {
        Self { guardrails, seed: seed.into(), names: Pseudonyms::default(), read: Vec::new() }
    }

    /// Whether an answer can be shown before it is whole: nothing looks at it, and nothing is to be put back into it.
    pub fn lets_pass(&self) -> bool {
        self.names.is_empty()
            && !self.guardrails.iter().any(|guardrail| guardrail.looks_at(Point::Output, None))
    }

    /// What the client says, as the guardrails leave it. Fails with [`Code::RunDenied`] where one does not let it pass.
    pub fn said(&mut self, messages: Vec<Arc<Message>>) -> Result<Vec<Arc<Message>>> {
        if self.guardrails.iter().any(|guardrail| guardrail.looks_at(Point::Input, None)) {
            let given: Vec<usize> = (0..messages.len())
                .filter(|place| messages.get(*place).is_some_and(|message| message.role == Role::User))
                .collect();
            let said =
                given.iter().filter_map(|place| messages.get(*place)).map(|message| Message::clone(message));
            let Subject::Said(left) = self.look(Point::Input, Subject::Said(said.collect()))? else {
                return Err(Error::new(Code::Internal, "guardrails made something else of messages"));
            };
            let mut messages = messages;
            for (place, message) in given.into_iter().zip(left) {
                if let Some(slot) = messages.get_mut(place) {
                    *slot = Arc::new(message);
                }
            }
            self.read.clone_from(&messages);
            return Ok(messages);
        }
        self.read.clone_from(&messages);
        Ok(messages)
    }

    /// What the model says, as the guardrails leave it. Fails with [`Code::RunDenied`] where one does not let it pass.
    pub fn answered(&mut self, message: Message) -> Result<Message> {
        let text = message.text();
        let Subject::Answer { text: left, .. } =
            self.look(Point::Output, Subject::Answer { text: text.clone(), data: None })?
        else {
            return Err(Error::new(Code::Internal, "guardrails made something else of an answer"));
        };
        let left = self.names.restore(&left);
        let calls = |part: Part| match part {
            Part::ToolCall(call) if !self.names.is_empty() => {
                let arguments = self.names.restore(&call.arguments);
                Part::ToolCall(adjutant_core::message::ToolCall { arguments, ..call })
            }
            part => part,
        };
        if left == text {
            let parts = message.parts.into_iter().map(calls).collect();
            return Ok(Message { parts, ..message });
        }
        // What was changed is one text, in the place of the first; what was thought may hold what was taken out.
        let mut words = Some(left).filter(|left| !left.is_empty());
        let kept = message.parts.into_iter().filter_map(|part| match part {
            Part::Text { .. } => words.take().map(Part::text),
            Part::Reasoning(_) => None,
            part => Some(calls(part)),
        });
        Ok(Message { parts: kept.collect(), ..message })
    }

    fn look(&mut self, point: Point, subject: Subject) -> Result<Subject> {
        let looking = self.guardrails.iter().filter(|guardrail| guardrail.looks_at(point, None));
        let (pure, others): (Vec<_>, Vec<_>) =
            looking.cloned().partition(|guardrail| guardrail.check.is_pure());
        if let Some(strict) = others.iter().find(|guardrail| !guardrail.lenient) {
            let message = format!("the guardrail `{}` must be asked, and can be only in a run", strict.name);
            return Err(Error::new(Code::RunDenied, message).with_help("ask an agent: `agent/NAME`"));
        }
        let around = Around {
            seed: self.seed.clone(),
            canary: String::new(),
            read: self.read.clone(),
            names: self.names.clone(),
        };
        let Ruling { verdicts, changed, names } = rule(&pure, &subject, &around);
        self.names.extend(names);
        let stopped = verdicts.iter().find(|verdict| verdict.did == Did::Blocked);
        if let Some(stopped) = stopped {
            let told = pure.iter().find(|guardrail| guardrail.name == stopped.guardrail);
            let told = told.and_then(|guardrail| guardrail.tell.clone());
            let usual = || format!("the guardrail `{}` does not let it pass", stopped.guardrail);
            return Err(Error::new(Code::RunDenied, told.unwrap_or_else(usual)));
        }
        Ok(changed.unwrap_or(subject))
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::ToolCall;
    use adjutant_policy::detect::Kind;

    use super::*;
    use crate::definition::{Action, Check};

    fn direct(guardrails: impl IntoIterator<Item = Guardrail>) -> Direct {
        Direct::new(guardrails.into_iter().collect(), "seed")
    }

    fn say(direct: &mut Direct, text: &str) -> Result<String> {
        let messages = vec![Arc::new(Message::system("be kind")), Arc::new(Message::user(text))];
        direct.said(messages).map(|left| left[1].text())
    }

    fn words(action: Action) -> Guardrail {
        let check = Check::Words { words: vec!["secret plan".into()], topics: Default::default() };
        Guardrail::new(check).on([Point::Input, Point::Output]).action(action)
    }

    #[test]
    fn what_must_not_pass_does_not() {
        let mut guards = direct([words(Action::Block)]);
        assert_eq!(say(&mut guards, "hello").unwrap(), "hello");
        assert_eq!(say(&mut guards, "the secret plan").unwrap_err().code(), Code::RunDenied);
        let answer = Message::assistant(vec![Part::text("a secret plan")]);
        assert_eq!(guards.answered(answer).unwrap_err().code(), Code::RunDenied);
        assert!(!guards.lets_pass());
    }

    #[test]
    fn what_is_masked_is_masked_on_both_sides() {
        let mut guards = direct([words(Action::Mask)]);
        assert!(!say(&mut guards, "the secret plan").unwrap().contains("secret plan"));
        let call = ToolCall { id: "1".into(), name: "look".into(), arguments: "{}".into() };
        let thought = Part::Reasoning(adjutant_core::message::Reasoning {
            text: "the secret plan".into(),
            ..Default::default()
        });
        let answer =
            Message::assistant(vec![thought, Part::text("a secret plan"), Part::ToolCall(call.clone())]);
        let left = guards.answered(answer).unwrap();
        assert!(!left.text().contains("secret plan") && left.parts.len() == 2, "{left:?}");
        assert_eq!(left.calls().next(), Some(&call));
    }

    #[test]
    fn pseudonyms_are_put_back() {
        let check = Check::Personal(vec![Kind::Email]);
        let mut guards = direct([Guardrail::new(check).on([Point::Input]).action(Action::Pseudonymise)]);
        assert!(guards.lets_pass());
        let said = say(&mut guards, "write to ann@example.com").unwrap();
        assert!(!said.contains("ann@example.com"), "{said}");
        assert!(!guards.lets_pass());
        let name = said.strip_prefix("write to ").unwrap();
        let answer = Message::assistant(vec![Part::text(format!("I wrote to {name}"))]);
        assert_eq!(guards.answered(answer).unwrap().text(), "I wrote to ann@example.com");
    }
}
