//! Messages of a client as ours.

use std::collections::HashMap;

use adjutant_core::message::{Message, Part, Role, ToolCall, ToolResult};

use super::blocks;
use crate::wire::{Fault, Node, checked};

/// The conversation.
pub(super) fn messages(list: &Node<'_>) -> Result<Vec<Message>, Fault> {
    let mut names = HashMap::new();
    let mut messages = Vec::new();
    for message in list.items()? {
        message.only(&["role", "content"])?;
        let roles = [("user", Role::User), ("assistant", Role::Assistant), ("system", Role::System)];
        let role = message.need("role")?.word(&roles)?;
        let content = message.need("content")?;
        match role {
            Role::Assistant => {
                let parts =
                    if content.value().is_string() { blocks::texts(&content)? } else { made(&content)? };
                let calls = parts.iter().filter_map(|part| match part {
                    Part::ToolCall(call) => Some((call.id.to_string(), call.name.clone())),
                    _ => None,
                });
                names.extend(calls);
                messages.push(Message::assistant(parts));
            }
            Role::User if !content.value().is_string() => said(&content, &names, &mut messages)?,
            role => messages.push(Message::new(role, blocks::texts(&content)?)),
        }
    }
    checked(messages, "messages")
}

/// What the model made.
fn made(content: &Node<'_>) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    for block in content.items()? {
        match block.need("type")?.text()? {
            "tool_use" => {
                block.only(&["type", "id", "name", "input", "cache_control", "caller"])?;
                parts.push(Part::ToolCall(ToolCall {
                    id: block.need("id")?.text()?.into(),
                    name: block.need("name")?.text()?.to_owned(),
                    arguments: serde_json::Value::from(block.need("input")?.fields()?.clone()).to_string(),
                }));
            }
            _ => blocks::made(&block, &mut parts)?,
        }
    }
    Ok(parts)
}

/// What the user says. Results of calls, which stand in the user's turn here, are messages of their own.
fn said(
    content: &Node<'_>,
    names: &HashMap<String, String>,
    messages: &mut Vec<Message>,
) -> Result<(), Fault> {
    let mut parts = Vec::new();
    for block in content.items()? {
        match block.need("type")?.text()? {
            "tool_result" => {
                if !parts.is_empty() {
                    messages.push(Message::new(Role::User, std::mem::take(&mut parts)));
                }
                messages.push(Message::tool(result(&block, names)?));
            }
            _ => parts.push(blocks::said(&block)?),
        }
    }
    if !parts.is_empty() {
        messages.push(Message::new(Role::User, parts));
    }
    Ok(())
}

fn result(block: &Node<'_>, names: &HashMap<String, String>) -> Result<ToolResult, Fault> {
    block.only(&["type", "tool_use_id", "content", "is_error", "cache_control"])?;
    let id = block.need("tool_use_id")?;
    let name = names.get(id.text()?).ok_or_else(|| {
        let message = format!(
            "`{}` is `{}`, and no message before it makes that call",
            id.place(),
            id.text().unwrap_or_default()
        );
        id.wrong("invalid_value", message)
    })?;
    let content = match block.get("content") {
        None => Vec::new(),
        Some(content) if content.value().is_string() => blocks::texts(&content)?,
        Some(content) => content.items()?.map(|part| blocks::said(&part)).collect::<Result<_, _>>()?,
    };
    Ok(ToolResult {
        call: id.text()?.into(),
        name: name.clone(),
        content,
        data: None,
        is_error: block.get("is_error").map(|wish| wish.flag()).transpose()?.unwrap_or(false),
    })
}
