//! Items of a client as messages.

use std::collections::HashMap;

use adjutant_core::message::{Message, Native, Part, Reasoning, Role, ToolCall, ToolResult};
use serde_json::{Map, Value, json};

use crate::openai::content::{check_detail, file, image, no_uploads};
use crate::wire::{Carried, Fault, Node, by_address, checked, open};

/// What OpenAI's own items are stamped with.
const OWN: &str = "openai-responses";

/// The messages that items are. Where something was said before, they may answer calls that stand there.
pub(super) fn read(items: &[Value], goes_on: bool) -> Result<Vec<Message>, Fault> {
    let body = Value::from(Map::from_iter([("input".to_owned(), Value::from(items.to_vec()))]));
    let body = Node::body(&body);
    let mut reader = Reader::default();
    for item in body.need("input")?.items()? {
        reader.take(&item, goes_on)?;
    }
    match goes_on {
        true => Ok(reader.messages),
        false => checked(reader.messages, "input"),
    }
}

#[derive(Default)]
struct Reader {
    messages: Vec<Message>,
    /// The names of the tools that were called, by the ids of the calls.
    names: HashMap<String, String>,
}

#[derive(Clone, Copy)]
enum Kind {
    Message,
    Call,
    Result,
    Reasoning,
    Reference,
}

impl Reader {
    fn take(&mut self, item: &Node<'_>, goes_on: bool) -> Result<(), Fault> {
        const KINDS: &[(&str, Kind)] = &[
            ("message", Kind::Message),
            ("function_call", Kind::Call),
            ("function_call_output", Kind::Result),
            ("reasoning", Kind::Reasoning),
            ("item_reference", Kind::Reference),
        ];
        // A message may leave out that it is one.
        let kind = match item.get("type") {
            Some(kind) => kind.word(KINDS)?,
            None => Kind::Message,
        };
        match kind {
            Kind::Message => self.message(item),
            Kind::Call => self.call(item),
            Kind::Result => self.result(item, goes_on),
            Kind::Reasoning => self.reasoning(item),
            Kind::Reference => {
                let id = item.need("id")?;
                Err(id.wrong("invalid_value", format!("there is no item `{}`", id.text()?)))
            }
        }
    }

    fn message(&mut self, item: &Node<'_>) -> Result<(), Fault> {
        item.only(&["type", "role", "content", "id", "status", "phase"])?;
        const ROLES: &[(&str, Role)] = &[
            ("user", Role::User),
            ("assistant", Role::Assistant),
            ("system", Role::System),
            ("developer", Role::System),
        ];
        let role = item.need("role")?.word(ROLES)?;
        let content = item.need("content")?;
        let parts = match content.value() {
            Value::String(text) => vec![Part::text(text.as_str())],
            _ => content.items()?.map(|part| part_of(&part, role)).collect::<Result<_, _>>()?,
        };
        match role {
            Role::Assistant => {
                parts.into_iter().for_each(|part| self.made(part));
                if let Some(phase) = item.get("phase") {
                    let value = json!({"phase": phase.text()?});
                    self.made(Part::Native(Native { provider: OWN.to_owned(), value }));
                }
            }
            _ => self.messages.push(Message::new(role, parts)),
        }
        Ok(())
    }

    /// What the model made belongs to one message until somebody else speaks.
    fn made(&mut self, part: Part) {
        match self.messages.last_mut().filter(|message| message.role == Role::Assistant) {
            Some(message) => message.parts.push(part),
            None => self.messages.push(Message::assistant(vec![part])),
        }
    }

    fn call(&mut self, item: &Node<'_>) -> Result<(), Fault> {
        item.only(&["type", "id", "call_id", "name", "arguments", "status"])?;
        let call = ToolCall {
            id: item.need("call_id")?.text()?.into(),
            name: item.need("name")?.text()?.to_owned(),
            arguments: item.need("arguments")?.text()?.to_owned(),
        };
        self.names.insert(call.id.to_string(), call.name.clone());
        self.made(Part::ToolCall(call));
        Ok(())
    }

    fn result(&mut self, item: &Node<'_>, goes_on: bool) -> Result<(), Fault> {
        item.only(&["type", "id", "call_id", "output", "status"])?;
        let id = item.need("call_id")?;
        let name = match self.names.get(id.text()?) {
            Some(name) => name.clone(),
            // The name stands in what was said before, where the caller finds it.
            None if goes_on => String::new(),
            None => {
                let message =
                    format!("`{}` is `{}`, and no item before it makes that call", id.place(), id.text()?);
                return Err(id.wrong("invalid_value", message));
            }
        };
        let output = item.need("output")?;
        let content = match output.value() {
            Value::String(text) if text.is_empty() => Vec::new(),
            Value::String(text) => vec![Part::text(text.as_str())],
            _ => output.items()?.map(|part| part_of(&part, Role::Tool)).collect::<Result<_, _>>()?,
        };
        let result = ToolResult { call: id.text()?.into(), name, content, data: None, is_error: false };
        self.messages.push(Message::tool(result));
        Ok(())
    }

    fn reasoning(&mut self, item: &Node<'_>) -> Result<(), Fault> {
        item.only(&["type", "id", "summary", "content", "encrypted_content", "status"])?;
        let mut texts: Vec<String> = Vec::new();
        for name in ["summary", "content"] {
            if let (Some(list), true) = (item.get(name), texts.is_empty()) {
                for part in list.items()? {
                    texts.push(part.need("text")?.text()?.to_owned());
                }
            }
        }
        let text = texts.join("\n\n");
        let encrypted = item.get("encrypted_content").map(|text| text.text()).transpose()?;
        self.made(match encrypted.map(|sealed| (sealed, open(sealed, &text))) {
            Some((_, Some(Carried::Reasoning(reasoning)))) => Part::Reasoning(reasoning),
            Some((_, Some(Carried::Native(native)))) => Part::Native(native),
            Some((encrypted, None)) => Part::Reasoning(Reasoning {
                text,
                provider: Some(OWN.to_owned()),
                id: item.get("id").map(|id| id.text().map(str::to_owned)).transpose()?,
                encrypted: Some(encrypted.to_owned()),
                signature: None,
            }),
            None if text.is_empty() => return Ok(()),
            None => Part::Reasoning(Reasoning { text, ..Reasoning::default() }),
        });
        Ok(())
    }
}

/// A part of what somebody says.
fn part_of(part: &Node<'_>, role: Role) -> Result<Part, Fault> {
    const MARKS: [&str; 2] = ["cache_control", "prompt_cache_breakpoint"];
    let given: &[(&str, &str)] = match role {
        Role::System => &[("input_text", "text")],
        Role::Assistant => &[("output_text", "text"), ("refusal", "refusal"), ("input_text", "text")],
        Role::User | Role::Tool => &[
            ("input_text", "text"),
            ("input_image", "image"),
            ("input_file", "file"),
            ("output_text", "text"),
        ],
    };
    match part.need("type")?.word(given)? {
        "image" => {
            part.only(&["type", "image_url", "detail", "file_id", MARKS[0], MARKS[1]])?;
            if let Some(id) = part.get("file_id") {
                return Err(no_uploads(&id));
            }
            check_detail(part)?;
            image(&part.need("image_url")?)
        }
        "file" => {
            part.only(&["type", "filename", "file_data", "file_url", "file_id", MARKS[0], MARKS[1]])?;
            if let Some(id) = part.get("file_id") {
                return Err(no_uploads(&id));
            }
            let name = part.get("filename").map(|name| name.text().map(str::to_owned)).transpose()?;
            match part.get("file_url") {
                Some(url) => Ok(Part::File(by_address(&url, name, "application/pdf")?)),
                None => file(&part.need("file_data")?, name),
            }
        }
        field => {
            part.only(&["type", field, "annotations", "logprobs", MARKS[0], MARKS[1]])?;
            Ok(Part::text(part.need(field)?.text()?))
        }
    }
}

/// The id of the item that an item refers to, and of the response that it is of; none where it refers to nothing.
pub(super) fn referred(item: &Value) -> Option<(String, String)> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let id = text("id").filter(|_| text("type") == Some("item_reference"))?;
    let (_, rest) = id.split_once('_')?;
    let (response, _) = rest.rsplit_once('_')?;
    Some((id.to_owned(), response.to_owned()))
}

/// An item of a client as lists of items have it: with an id and a kind, and its text as a part.
pub(super) fn listed(mut item: Value, id: String) -> Value {
    let Some(fields) = item.as_object_mut() else { return item };
    fields.entry("type").or_insert_with(|| "message".into());
    fields.entry("id").or_insert_with(|| id.into());
    fields.entry("status").or_insert_with(|| "completed".into());
    let is_of_model = fields.get("role").is_some_and(|role| role == "assistant");
    if let Some(Value::String(text)) = fields.get("content") {
        let part = match is_of_model {
            true => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
            false => json!({"type": "input_text", "text": text}),
        };
        fields.insert("content".into(), json!([part]));
    }
    item
}
