//! What an agent is asked where a client sends a whole conversation.

use std::sync::Arc;

use adjutant_core::message::{Message, Part, Role};
use adjutant_core::{Code, Error, Result};

/// What the agent is asked: the last message, and before it, in the same one, what was said up to then, with its pictures and files.
/// Fails where the last message is not one of the user.
pub(super) fn question(messages: &[Arc<Message>]) -> Result<Message> {
    let Some((last, before)) = messages.split_last().filter(|(last, _)| last.role == Role::User) else {
        return Err(Error::new(Code::InputInvalid, "the last message is not one of the user")
            .with_help("an agent answers what a user says"));
    };
    let mut earlier = Earlier::default();
    for message in before {
        earlier.tell(message);
    }
    if earlier.is_empty() {
        return Ok(Message::clone(last));
    }
    let mut parts = earlier.parts;
    let text = format!("{}\n\nWhat is said now:\n\n", earlier.text);
    parts.push(Part::text(text.trim_start_matches('\n')));
    parts.extend(last.parts.iter().cloned());
    Ok(Message::new(Role::User, parts))
}

/// What was said before, as parts of one message.
#[derive(Default)]
struct Earlier {
    parts: Vec<Part>,
    /// What follows the last picture or file.
    text: String,
}

impl Earlier {
    fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.text.is_empty()
    }

    fn tell(&mut self, message: &Message) {
        let who = match message.role {
            Role::System => "Instructions",
            Role::User => "User",
            Role::Assistant => "Assistant",
            Role::Tool => "Tool",
        };
        let mut has_begun = false;
        for part in &message.parts {
            let parts = match part {
                Part::ToolResult(result) => result.content.as_slice(),
                part => std::slice::from_ref(part),
            };
            for part in parts {
                let is_media = matches!(part, Part::Image(_) | Part::Audio(_) | Part::File(_));
                let said = match part {
                    Part::Text { text } if !text.trim().is_empty() => text.clone(),
                    Part::ToolCall(call) => format!("→ {}({})", call.name, call.arguments),
                    _ if is_media => String::new(),
                    // What a model thought is its own.
                    _ => continue,
                };
                if !std::mem::replace(&mut has_begun, true) {
                    let first = if self.is_empty() { "What was said before:" } else { "" };
                    self.text.push_str(&format!("{first}\n\n{who}: "));
                }
                self.text.push_str(&said);
                if is_media {
                    let text = std::mem::take(&mut self.text);
                    self.parts.extend([Part::text(text.trim_start_matches('\n')), part.clone()]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{Media, MediaSource, ToolCall, ToolResult};

    use super::*;

    fn asked(messages: Vec<Message>) -> Result<Message> {
        question(&messages.into_iter().map(Arc::new).collect::<Vec<_>>())
    }

    #[test]
    fn what_was_said_before_stands_before_the_question() {
        let call = ToolCall { id: "a".into(), name: "look".into(), arguments: "{}".into() };
        let said = vec![
            Message::system("be brief"),
            Message::user("hi"),
            Message::assistant(vec![Part::text("hello"), Part::ToolCall(call.clone())]),
            Message::tool(ToolResult::text(&call, "there")),
            Message::user("and now?"),
        ];
        assert_eq!(
            asked(said.clone()).unwrap().text(),
            "What was said before:\n\nInstructions: be brief\n\nUser: hi\n\nAssistant: hello→ look({})\n\nTool: there\n\n\
             What is said now:\n\nand now?"
        );
        assert_eq!(asked(said[4..].to_vec()).unwrap().text(), "and now?");
        assert_eq!(asked(said[..4].to_vec()).unwrap_err().code(), Code::InputInvalid);
    }

    #[test]
    fn pictures_that_were_shown_before_are_shown_again_in_their_places() {
        let source = MediaSource::Url("https://example.com/x.png".into());
        let picture = Part::Image(Media { media_type: "image/png".into(), name: None, source });
        let parts = vec![Part::text("this?"), picture.clone(), Part::text("well?")];
        let asked = asked(vec![Message::new(Role::User, parts), Message::user("and now?")]).unwrap();
        let said = vec![
            Part::text("What was said before:\n\nUser: this?"),
            picture,
            Part::text("well?\n\nWhat is said now:\n\n"),
            Part::text("and now?"),
        ];
        assert_eq!(asked.parts, said);
    }
}
