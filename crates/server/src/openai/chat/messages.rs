//! Messages of a client as ours.

use std::collections::HashMap;

use adjutant_core::message::{Message, Part, Reasoning, Role, ToolCall, ToolResult};
use serde_json::Value;

use crate::openai::content::{check_detail, file, image, no_uploads};
use crate::wire::{Carried, Fault, Node, checked, of_bytes, open};

/// The conversation.
pub(super) fn messages(list: &Node<'_>) -> Result<Vec<Message>, Fault> {
    let mut names: HashMap<String, String> = HashMap::new();
    let mut messages = Vec::new();
    for message in list.items()? {
        let role = message.need("role")?;
        const ROLES: &[(&str, Option<Role>)] = &[
            ("system", Some(Role::System)),
            ("developer", Some(Role::System)),
            ("user", Some(Role::User)),
            ("assistant", Some(Role::Assistant)),
            ("tool", Some(Role::Tool)),
            ("function", None),
        ];
        let read = match role.word(ROLES)? {
            Some(Role::System) => Message::new(Role::System, texts_of(&message)?),
            Some(Role::User) => Message::new(Role::User, said(&message)?),
            Some(Role::Assistant) => {
                let read = assistant(&message)?;
                names.extend(read.calls().map(|call| (call.id.to_string(), call.name.clone())));
                read
            }
            Some(Role::Tool) => Message::tool(result(&message, &names)?),
            None => return Err(role.wrong("unsupported_value", "`function` was replaced by `tool`")),
        };
        messages.push(read);
    }
    checked(messages, "messages")
}

/// Fails where a speaker has a name: other providers know none, and who speaks must not be lost.
fn no_name(message: &Node<'_>) -> Result<(), Fault> {
    match message.get("name") {
        None => Ok(()),
        Some(name) => Err(name
            .wrong(
                "unsupported_value",
                format!("`{}` is not taken: speakers have no names here", name.place()),
            )
            .with_help("say in the text who speaks")),
    }
}

fn texts_of(message: &Node<'_>) -> Result<Vec<Part>, Fault> {
    no_name(message)?;
    message.only(&["role", "content", "name"])?;
    let content = message.need("content")?;
    texts(&content)
}

/// A text, or a list of texts.
fn texts(content: &Node<'_>) -> Result<Vec<Part>, Fault> {
    if let Value::String(text) = content.value() {
        return Ok(vec![Part::text(text.as_str())]);
    }
    content
        .items()?
        .map(|part| {
            part.need("type")?.word(&[("text", ())])?;
            // The mark for a cache is taken over by the model's own setting, as everywhere.
            part.only(&["type", "text", "cache_control", "prompt_cache_breakpoint"])?;
            Ok(Part::text(part.need("text")?.text()?))
        })
        .collect()
}

fn said(message: &Node<'_>) -> Result<Vec<Part>, Fault> {
    no_name(message)?;
    message.only(&["role", "content", "name"])?;
    let content = message.need("content")?;
    if let Value::String(text) = content.value() {
        return Ok(vec![Part::text(text.as_str())]);
    }
    content.items()?.map(|part| said_part(&part)).collect()
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Image,
    Audio,
    File,
}

fn said_part(part: &Node<'_>) -> Result<Part, Fault> {
    const KINDS: &[(&str, Kind)] = &[
        ("text", Kind::Text),
        ("image_url", Kind::Image),
        ("input_audio", Kind::Audio),
        ("file", Kind::File),
    ];
    const MARKS: [&str; 2] = ["cache_control", "prompt_cache_breakpoint"];
    match part.need("type")?.word(KINDS)? {
        Kind::Text => {
            part.only(&["type", "text", MARKS[0], MARKS[1]])?;
            Ok(Part::text(part.need("text")?.text()?))
        }
        Kind::Image => {
            part.only(&["type", "image_url", MARKS[0], MARKS[1]])?;
            let of = part.need("image_url")?;
            of.only(&["url", "detail"])?;
            check_detail(&of)?;
            image(&of.need("url")?)
        }
        Kind::Audio => {
            part.only(&["type", "input_audio", MARKS[0], MARKS[1]])?;
            let of = part.need("input_audio")?;
            of.only(&["data", "format"])?;
            let media_type = of.need("format")?.word(&[("wav", "audio/wav"), ("mp3", "audio/mpeg")])?;
            let data = of.need("data")?;
            Ok(Part::Audio(of_bytes(&data, data.text()?, media_type.to_owned(), None)?))
        }
        Kind::File => {
            part.only(&["type", "file", MARKS[0], MARKS[1]])?;
            let of = part.need("file")?;
            of.only(&["file_data", "filename", "file_id"])?;
            if let Some(id) = of.get("file_id") {
                return Err(no_uploads(&id));
            }
            let name = of.get("filename").map(|name| name.text().map(str::to_owned)).transpose()?;
            file(&of.need("file_data")?, name)
        }
    }
}

/// What the model said: reasoning first, as it was thought first, then its words, then its calls.
fn assistant(message: &Node<'_>) -> Result<Message, Fault> {
    no_name(message)?;
    message.only(&[
        "role",
        "content",
        "name",
        "refusal",
        "tool_calls",
        "annotations",
        "audio",
        "function_call",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
    ])?;
    for gone in ["audio", "function_call"] {
        if let Some(gone) = message.get(gone) {
            return Err(
                gone.wrong("unsupported_value", format!("`{}` cannot be sent to a model", gone.place()))
            );
        }
    }
    let mut parts = thoughts(message)?;
    if let Some(content) = message.get("content") {
        match content.value() {
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => parts.push(Part::text(text.as_str())),
            _ => {
                for part in content.items()? {
                    let field = part.need("type")?.word(&[("text", "text"), ("refusal", "refusal")])?;
                    parts.push(Part::text(part.need(field)?.text()?));
                }
            }
        }
    }
    if let Some(refusal) = message.get("refusal") {
        parts.push(Part::text(refusal.text()?));
    }
    if let Some(calls) = message.get("tool_calls") {
        for of in calls.items()? {
            of.only(&["id", "type", "function", "index"])?;
            of.need("type")?.word(&[("function", ())])?;
            let function = of.need("function")?;
            function.only(&["name", "arguments"])?;
            parts.push(Part::ToolCall(ToolCall {
                id: of.need("id")?.text()?.into(),
                name: function.need("name")?.text()?.to_owned(),
                arguments: function.need("arguments")?.text()?.to_owned(),
            }));
        }
    }
    Ok(Message::assistant(parts))
}

/// What the model thought: in details, where it is sealed, else as plain text.
fn thoughts(message: &Node<'_>) -> Result<Vec<Part>, Fault> {
    if let Some(details) = message.get("reasoning_details") {
        return details.items()?.map(|detail| thought(&detail)).collect();
    }
    let plain = message.get("reasoning_content").or_else(|| message.get("reasoning"));
    let text = plain.map(|text| text.text()).transpose()?.filter(|text| !text.is_empty());
    Ok(text
        .map(|text| Part::Reasoning(Reasoning { text: text.to_owned(), ..Reasoning::default() }))
        .into_iter()
        .collect())
}

fn thought(detail: &Node<'_>) -> Result<Part, Fault> {
    let field = |name: &str| -> Result<String, Fault> {
        Ok(detail.get(name).map(|text| text.text()).transpose()?.unwrap_or_default().to_owned())
    };
    let shown = field("text")?;
    let sealed =
        match detail.need("type")?.word(&[("reasoning.text", true), ("reasoning.encrypted", false)])? {
            true => field("signature")?,
            false => field("data")?,
        };
    match open(&sealed, &shown) {
        Some(Carried::Reasoning(reasoning)) => Ok(Part::Reasoning(reasoning)),
        Some(Carried::Native(native)) => Ok(Part::Native(native)),
        // Whose it is nobody can tell, so only its words are of use.
        None => Ok(Part::Reasoning(Reasoning { text: shown, ..Reasoning::default() })),
    }
}

fn result(message: &Node<'_>, names: &HashMap<String, String>) -> Result<ToolResult, Fault> {
    message.only(&["role", "content", "tool_call_id", "name"])?;
    let id = message.need("tool_call_id")?;
    let call = id.text()?;
    let name = names.get(call).ok_or_else(|| {
        id.wrong(
            "invalid_value",
            format!("`{}` is `{call}`, and no message before it makes that call", id.place()),
        )
    })?;
    let content = texts(&message.need("content")?)?;
    let content = content.into_iter().filter(|part| part.as_text() != Some("")).collect();
    Ok(ToolResult { call: call.into(), name: name.clone(), content, data: None, is_error: false })
}
