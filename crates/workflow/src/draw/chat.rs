//! Draws conversations of several.

use super::diagram::{Diagram, Flow, Form, Loose};
use crate::plan::{Argument, Chatting, Next};

impl Diagram {
    /// Draws a conversation: who says who speaks, and the speakers.
    pub(super) fn chat(&mut self, chatting: &Chatting, group: usize) -> Flow {
        let inner = Some(group);
        let next = match &chatting.next {
            Next::Round => "in turn".to_owned(),
            Next::Chosen(_) => "next chosen by a model".to_owned(),
            Next::Rule(Argument::Expression(rule)) => format!("next: {}", rule.source()),
            Next::Rule(_) => "next by a rule".to_owned(),
        };
        let choice = self.node(&[&next], Form::Choice, inner);
        for speaker in &chatting.speakers {
            let who = match speaker.as_str() {
                Chatting::PERSON => "person".to_owned(),
                agent => format!("agent {agent}"),
            };
            let node = self.node(&[&who], Form::Work, inner);
            self.arrow(choice, node, "", false);
            self.arrow(node, choice, "", true);
        }
        let over = match &chatting.until {
            Some(until) => format!("until {}", until.source()),
            None => format!("after {} turns", chatting.turns),
        };
        Flow { heads: vec![Loose::of(choice)], tails: vec![Loose { node: choice, label: over }] }
    }
}
