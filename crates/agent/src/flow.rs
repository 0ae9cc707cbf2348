//! What an agent knows when it makes a call, out of its conversation: the facts that `policy` holds the arguments against.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use adjutant_core::label::Label;
use adjutant_core::message::{Message, Part, Role, ToolResult};
use adjutant_core::tool::ToolSpec;
use adjutant_policy::Request;
use adjutant_policy::facts::{Action, Origin};
use adjutant_policy::flow::{self, Known, Read};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conversation::Conversation;
use crate::runtime::Runtime;
use crate::transcript::{Transcript, is_in_the_place_of_others, is_said_by_a_person, is_shortened};

/// What an agent knows when it makes a call. It is taken from the conversation where the run is, and looked through where
/// the call is decided: in a recorded step.
#[derive(Clone)]
pub(crate) struct Knowledge {
    transcript: Transcript,
    program: Option<Arc<Carried>>,
    /// What is known besides, of which nothing can be looked through.
    besides: Label,
}

/// A program that makes calls, and what its calls have given it. No model has read that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carried {
    source: String,
    given: Vec<Arc<Given>>,
    /// What the author of a workflow has written into the call.
    authored: Vec<String>,
}

/// What one call has given a program or a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Given {
    /// The tool, or the agent that was asked.
    pub(crate) tool: String,
    /// What it was called with.
    pub(crate) asked: Value,
    /// What it gave.
    pub(crate) value: Value,
    /// What is known of that.
    #[serde(default, skip_serializing_if = "Label::is_default")]
    pub(crate) label: Label,
}

impl Carried {
    /// A program that has been given nothing yet.
    pub(crate) fn new(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }

    /// What a workflow makes a call with, which its own author has written.
    pub(crate) fn of(given: Vec<Arc<Given>>, authored: Vec<String>) -> Self {
        Self { source: String::new(), given, authored }
    }

    /// The same with what a call has given it.
    pub(crate) fn with(&self, tool: &str, asked: &Value, value: Value, label: Label) -> Self {
        let mut carried = self.clone();
        carried.given.push(Arc::new(Given { tool: tool.to_owned(), asked: asked.clone(), value, label }));
        carried
    }

    /// The join of all that it was given.
    fn label(&self) -> Label {
        self.given.iter().fold(Label::default(), |label, given| label.join(&given.label))
    }
}

impl From<&Conversation> for Knowledge {
    fn from(conversation: &Conversation) -> Self {
        Self::of(conversation, None)
    }
}

impl From<&Label> for Knowledge {
    /// Something with this label, and nothing else.
    fn from(label: &Label) -> Self {
        Self { transcript: Transcript::default(), program: None, besides: label.clone() }
    }
}

impl Knowledge {
    /// What is known in a conversation, and by the program that makes the call, if one does.
    pub(crate) fn of(conversation: &Conversation, program: Option<&Arc<Carried>>) -> Self {
        Self {
            transcript: conversation.transcript().clone(),
            program: program.map(Arc::clone),
            besides: Label::default(),
        }
    }

    /// The join of all of it: what is made of it is no better.
    pub(crate) fn label(&self) -> Label {
        let program = self.program.as_deref().map(Carried::label).unwrap_or_default();
        self.transcript.label().join(&program).join(&self.besides)
    }

    /// Where each argument of a call came from; nothing of what is no call.
    pub(crate) fn origins(&self, agent: &Runtime, request: &Request) -> BTreeMap<String, Origin> {
        let name = match &request.action {
            Action::Tool(name) | Action::Agent(name) => name,
            Action::Model(_) | Action::Resource { .. } | Action::Remember(_) | Action::Answer => {
                return BTreeMap::new();
            }
        };
        let Some(spec) = agent.definition.tool(name) else { return BTreeMap::new() };
        let mut known = agent.known.of(&self.transcript, |tool| agent.definition.tool(tool));
        if let Some(program) = &self.program {
            known.written(&program.source);
            program.authored.iter().for_each(|text| known.said(text, &Label::default()));
            let nothing = BTreeSet::new();
            for given in &program.given {
                let issued = agent.definition.tool(&given.tool).map_or(&nothing, |spec| &spec.flow.issued);
                let text = given.value.as_str().unwrap_or_default();
                known.given(&Read {
                    tool: &given.tool,
                    text,
                    data: Some(&given.value),
                    asked: Some(&given.asked),
                    issued,
                    label: &given.label,
                });
            }
        }
        flow::origins(spec, &request.arguments, &known)
    }
}

/// What was known at the last call, so that the next one looks through what is new alone.
#[derive(Default)]
pub(crate) struct Memo(Mutex<Option<Last>>);

struct Last {
    read: Vec<Arc<Message>>,
    known: Known,
}

impl Memo {
    /// What is known in a transcript.
    fn of<'a>(&self, transcript: &Transcript, spec: impl Fn(&str) -> Option<&'a ToolSpec>) -> Known {
        let messages: Vec<_> = said_and_read(transcript).cloned().collect();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = last.take().filter(|last| {
            last.read.len() <= messages.len()
                && last.read.iter().zip(&messages).all(|(a, b)| Arc::ptr_eq(a, b))
        });
        let (before, mut known) = kept.map_or((0, Known::default()), |last| (last.read.len(), last.known));
        // What another agent wrote into the instructions is as good as what that agent has read.
        let input = messages.iter().find(|message| message.role == Role::User && message.step.is_none());
        let instructed = input.map(|input| input.label.clone()).filter(|label| !label.is_trusted());
        let asked = asked(&messages, messages.get(before..).unwrap_or_default());
        for message in messages.iter().skip(before) {
            take(&mut known, message, instructed.as_ref(), &asked, &spec);
        }
        known.taint(transcript.label());
        *last = Some(Last { read: messages, known: known.clone() });
        known
    }
}

/// What people have said, and then everything else that was read.
fn said_and_read(transcript: &Transcript) -> impl Iterator<Item = &Arc<Message>> {
    let read = transcript.messages().iter().filter(|message| !is_said_by_a_person(message));
    transcript.words().chain(read)
}

/// What the calls were made with whose results are among the `new` messages, by their ids.
fn asked(messages: &[Arc<Message>], new: &[Arc<Message>]) -> BTreeMap<String, Value> {
    let answered: BTreeSet<_> =
        new.iter().flat_map(|message| message.results()).map(|result| &result.call).collect();
    let calls = messages.iter().flat_map(|message| message.calls());
    let read = calls.filter(|call| answered.contains(&call.id)).map(|call| {
        let arguments = serde_json::from_str(&call.arguments).ok();
        (call.id.to_string(), arguments.unwrap_or_else(|| Value::String(call.arguments.clone())))
    });
    read.collect()
}

fn take<'a>(
    known: &mut Known,
    message: &Message,
    instructed: Option<&Label>,
    asked: &BTreeMap<String, Value>,
    spec: &impl Fn(&str) -> Option<&'a ToolSpec>,
) {
    match message.role {
        Role::User if is_said_by_a_person(message) => {
            message.parts.iter().filter_map(Part::as_text).for_each(|text| known.said(text, &message.label));
            known.taint(&message.label);
        }
        Role::System => known.said(&message.text(), instructed.unwrap_or(&message.label)),
        Role::Tool => {
            for result in message.results() {
                let tool = spec(&result.name);
                result_of(known, result, tool, asked.get(&result.call.to_string()), &message.label);
            }
        }
        // A summary vouches for nothing, and what it was made of may have mentioned anything.
        Role::User if is_in_the_place_of_others(message) => known.forgotten(&message.label),
        Role::User => known.taint(&message.label),
        // What the model has said is no better than what it has read, and no source of anything.
        Role::Assistant => {}
    }
}

fn result_of(
    known: &mut Known,
    result: &ToolResult,
    tool: Option<&ToolSpec>,
    asked: Option<&Value>,
    label: &Label,
) {
    // What was refused repeats what the model has written, such as the name of a tool, and vouches for none of it.
    if result.is_error && label.is_trusted() {
        return;
    }
    let nothing = BTreeSet::new();
    let issued = tool.map_or(&nothing, |spec| &spec.flow.issued);
    let text = result.as_text();
    if is_shortened(&text) {
        known.forgotten(label);
    }
    known.read(&Read { tool: &result.name, text: &text, data: result.data.as_ref(), asked, issued, label });
}
