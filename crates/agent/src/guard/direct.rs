//! Guardrails on what a client says to a model itself, without an agent, and on what the model answers.

use std::sync::Arc;

use adjutant_core::message::{Message, Part, Role, ToolCall};
use adjutant_core::{Code, Error, Result};
use adjutant_policy::detect::Pseudonyms;

use super::check::{Around, rule};
use super::ruling::{Did, Ruling};
use super::subject::Subject;
use crate::definition::{Check, Guardrail, Point};

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

    /// What the client says, as the guardrails leave it: all of it, since instructions and what a model is said to have answered
    /// before are the client's words as well. Fails with [`Code::RunDenied`] where one does not let it pass.
    pub fn said(&mut self, mut messages: Vec<Arc<Message>>) -> Result<Vec<Arc<Message>>> {
        let (of_users, others): (Vec<_>, Vec<_>) =
            messages.iter_mut().partition(|message| message.role == Role::User);
        self.look_at(of_users, Looks::AtAll)?;
        self.look_at(others, Looks::ForContent)?;
        self.read.clone_from(&messages);
        Ok(messages)
    }

    fn look_at(&mut self, slots: Vec<&mut Arc<Message>>, looks: Looks) -> Result<()> {
        let said: Vec<Message> = slots.iter().map(|message| in_one(message)).collect();
        let Subject::Said(left) = self.look(Point::Input, looks, Subject::Said(said.clone()))? else {
            return Err(Error::new(Code::Internal, "guardrails made something else of messages"));
        };
        for ((slot, left), said) in slots.into_iter().zip(left).zip(said) {
            // What passes stays as the client has cut it.
            if left != said {
                *slot = Arc::new(left);
            }
        }
        Ok(())
    }

    /// What the model says, as the guardrails leave it. Fails with [`Code::RunDenied`] where one does not let it pass.
    pub fn answered(&mut self, message: Message) -> Result<Message> {
        let text = message.text();
        let Subject::Answer { text: left, .. } =
            self.look(Point::Output, Looks::AtAll, Subject::Answer { text: text.clone(), data: None })?
        else {
            return Err(Error::new(Code::Internal, "guardrails made something else of an answer"));
        };
        let left = self.names.restore(&left);
        let message = self.thought_and_called(message)?;
        let calls = |part: Part| match part {
            Part::ToolCall(call) if !self.names.is_empty() => {
                let arguments = self.names.restore(&call.arguments);
                Part::ToolCall(ToolCall { arguments, ..call })
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

    /// An answer whose thoughts and calls the guardrails have looked at, too. A thought in which something is changed is left out: signed
    /// as it is, it cannot be another. A call in which something is changed is made so, where that is a call still.
    fn thought_and_called(&mut self, message: Message) -> Result<Message> {
        if !self.guardrails.iter().any(|guardrail| guardrail.looks_at(Point::Output, None)) {
            return Ok(message);
        }
        let mut parts = Vec::with_capacity(message.parts.len());
        for part in message.parts {
            match part {
                Part::Reasoning(thought) => {
                    if self.beside(&thought.text)? == thought.text {
                        parts.push(Part::Reasoning(thought));
                    }
                }
                Part::ToolCall(call) => {
                    let arguments = self.beside(&call.arguments)?;
                    let is_call = serde_json::from_str::<serde_json::Value>(&arguments).is_ok();
                    if arguments != call.arguments && !is_call {
                        let message = format!("a guardrail does not let the call of `{}` pass", call.name);
                        return Err(Error::new(Code::RunDenied, message));
                    }
                    parts.push(Part::ToolCall(ToolCall { arguments, ..call }));
                }
                part => parts.push(part),
            }
        }
        Ok(Message { parts, ..message })
    }

    /// A text of the answer that is not its words, as the guardrails leave it.
    fn beside(&mut self, text: &str) -> Result<String> {
        let subject = Subject::Answer { text: text.to_owned(), data: None };
        match self.look(Point::Output, Looks::ForContent, subject)? {
            Subject::Answer { text, .. } => Ok(text),
            _ => Err(Error::new(Code::Internal, "guardrails made something else of an answer")),
        }
    }

    fn look(&mut self, point: Point, looks: Looks, subject: Subject) -> Result<Subject> {
        let looking = self.guardrails.iter().filter(|guardrail| {
            guardrail.looks_at(point, None)
                && (looks == Looks::AtAll || is_for_content(&guardrail.check, point))
        });
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

/// What guardrails are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looks {
    /// All of them: it is what they are there for, the words of a user or of an answer.
    AtAll,
    /// Those that look for something that is not to be there, whoever says it. How long, in which language or form something is, and
    /// whether it gives orders, is a question of users' words and of answers alone.
    ForContent,
}

/// Whether a check looks for something that is not to be there. Marked words stand in instructions so that they are found in answers.
fn is_for_content(check: &Check, point: Point) -> bool {
    match check {
        Check::Unicode | Check::Secrets | Check::Personal(_) | Check::Words { .. } => true,
        Check::Canary { .. } => point == Point::Output,
        _ => false,
    }
}

/// A message whose texts that follow each other are one: what is cut in two is read as one.
fn in_one(message: &Message) -> Message {
    let mut parts: Vec<Part> = Vec::with_capacity(message.parts.len());
    for part in &message.parts {
        match (parts.last_mut(), part) {
            (Some(Part::Text { text }), Part::Text { text: more }) => text.push_str(more),
            _ => parts.push(part.clone()),
        }
    }
    Message { parts, ..message.clone() }
}

#[cfg(test)]
mod tests {
    use adjutant_policy::detect::Kind;

    use super::*;
    use crate::definition::Action;

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
    fn whatever_the_client_says_is_looked_at_whoever_is_to_have_said_it() {
        let split = vec![Part::text("the secret"), Part::text(" plan")];
        for message in [
            Message::system("the secret plan"),
            Message::assistant(vec![Part::text("the secret plan")]),
            Message::new(Role::User, split.clone()),
        ] {
            let mut guards = direct([words(Action::Block)]);
            let error = guards.said(vec![Arc::new(message), Arc::new(Message::user("go on"))]).unwrap_err();
            assert_eq!(error.code(), Code::RunDenied);
        }
        let mut guards = direct([words(Action::Mask)]);
        let left = guards.said(vec![Arc::new(Message::new(Role::User, split))]).unwrap();
        assert!(!left[0].text().contains("plan"), "{left:?}");
        let plain = Arc::new(Message::new(Role::User, vec![Part::text("a"), Part::text("b")]));
        assert_eq!(guards.said(vec![Arc::clone(&plain)]).unwrap(), [plain], "what passes is as it was");
    }

    #[test]
    fn what_is_asked_of_users_words_is_not_asked_of_instructions_and_calls() {
        let short = Guardrail::new(Check::Length { least: 1, most: 12 }).on([Point::Input, Point::Output]);
        let mut guards = direct([short.action(Action::Block)]);
        let long = Arc::new(Message::system("be kind, be brief, and never promise anything"));
        assert!(guards.said(vec![Arc::clone(&long), Arc::new(Message::user("hello"))]).is_ok());
        assert!(guards.said(vec![long, Arc::new(Message::user("hello, hello, hello"))]).is_err());
        let arguments = r#"{"to":"somebody far away"}"#.to_owned();
        let call = Part::ToolCall(ToolCall { id: "1".into(), name: "send".into(), arguments });
        assert!(guards.answered(Message::assistant(vec![Part::text("well"), call])).is_ok());
    }

    #[test]
    fn thoughts_and_calls_are_looked_at_as_well() {
        let thought = Part::Reasoning(adjutant_core::message::Reasoning {
            text: "the secret plan".into(),
            ..Default::default()
        });
        let arguments = r#"{"to":"the secret plan"}"#;
        let call =
            Part::ToolCall(ToolCall { id: "1".into(), name: "send".into(), arguments: arguments.into() });
        for part in [thought.clone(), call.clone()] {
            let answer = Message::assistant(vec![part, Part::text("well")]);
            let error = direct([words(Action::Block)]).answered(answer).unwrap_err();
            assert_eq!(error.code(), Code::RunDenied);
        }
        let left = direct([words(Action::Mask)]).answered(Message::assistant(vec![thought, call])).unwrap();
        let sent = left.calls().next().unwrap();
        assert!(left.parts.len() == 1 && !sent.arguments.contains("plan"), "{left:?}");
        assert!(serde_json::from_str::<serde_json::Value>(&sent.arguments).is_ok());
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
