//! Messages as the wire has them: turns of the user and of the model, and the instructions beside them.

use std::sync::Arc;

use adjutant_core::id::CallId;
use adjutant_core::message::{Message, Native, Part, Reasoning, Role, ToolCall, ToolResult};
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use super::candidate;
use super::generation::Generation;
use super::media;
use super::tools;

/// What stands for the signature of a call that another model made, as Google's page on thought signatures says for
/// conversations that come from elsewhere (ai.google.dev/gemini-api/docs/thought-signatures).
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Who is spoken to: what was signed by another means nothing to this one.
#[derive(Clone, Debug)]
pub(super) struct Speaker {
    /// The interface.
    pub(super) provider: &'static str,
    /// The model: a signature is bound to it.
    pub(super) model: String,
    pub(super) generation: Generation,
}

/// A turn. Results have one of their own: as many as there were calls must stand in it, and nothing else after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    User,
    Model,
    Results,
}

/// The system instruction; none where nothing is instructed. Fails with `model-unsupported` where it is no text.
pub(super) fn instruction(messages: &[Arc<Message>]) -> Result<Option<Value>> {
    let mut parts = Vec::new();
    for part in
        messages.iter().filter(|message| message.role == Role::System).flat_map(|message| &message.parts)
    {
        match part {
            Part::Text { text } if text.is_empty() => {}
            Part::Text { text } => parts.push(json!({"text": text})),
            other => return Err(misplaced(other, "a system")),
        }
    }
    Ok((!parts.is_empty()).then(|| json!({"parts": parts})))
}

/// The turns. Fails with `model-unsupported` where a part has no place on the wire, or where the model wants another turn
/// after its own, and with `input-invalid` where nobody says anything.
pub(super) fn turns(speaker: &Speaker, messages: &[Arc<Message>]) -> Result<Vec<Value>> {
    let mut turns: Vec<(Turn, Vec<Value>)> = Vec::new();
    let mut add = |turn: Turn, parts: Vec<Value>| match turns.last_mut() {
        _ if parts.is_empty() => {}
        Some((last, before)) if *last == turn => before.extend(parts),
        _ => turns.push((turn, parts)),
    };
    let mut calls: Vec<&CallId> = Vec::new();
    let mut results: Vec<&ToolResult> = Vec::new();
    for message in messages {
        if message.role != Role::Tool {
            add(Turn::Results, speaker.results(&calls, &std::mem::take(&mut results))?);
        }
        match message.role {
            Role::System => {}
            Role::User => {
                add(Turn::User, message.parts.iter().map(user_part).collect::<Result<Vec<_>>>()?.concat());
            }
            Role::Assistant => {
                add(Turn::Model, speaker.answer(message)?);
                calls = message.calls().map(|call| &call.id).collect();
            }
            Role::Tool => match message.parts.iter().find(|part| !matches!(part, Part::ToolResult(_))) {
                Some(other) => return Err(misplaced(other, "a tool")),
                None => results.extend(message.results()),
            },
        }
    }
    add(Turn::Results, speaker.results(&calls, &results)?);
    match turns.last() {
        None => return Err(Error::new(Code::InputInvalid, "the request has no message of a user")),
        Some((Turn::Model, _)) if speaker.generation == Generation::Latest => {
            let message =
                format!("the model `{}` takes no request that ends with its own words", speaker.model);
            return Err(
                Error::new(Code::ModelUnsupported, message).with_help("end it with a message of the user")
            );
        }
        Some(_) => {}
    }
    let role = |turn: Turn| if turn == Turn::Model { "model" } else { "user" };
    Ok(turns.into_iter().map(|(turn, parts)| json!({"role": role(turn), "parts": parts})).collect())
}

impl Speaker {
    /// The parts of an answer of the model.
    ///
    /// A signature stands on the part that it came with: reasoning without text is the signature of the part after it.
    fn answer(&self, message: &Message) -> Result<Vec<Value>> {
        let mut parts = Vec::new();
        let mut signature = None;
        for part in &message.parts {
            let own = match part {
                Part::Reasoning(reasoning) => match self.signature_of(reasoning) {
                    Some(signed) if reasoning.text.is_empty() => {
                        parts.extend(signature.replace(signed).map(alone));
                        continue;
                    }
                    Some(signed) => {
                        json!({"text": reasoning.text, "thought": true, "thoughtSignature": signed})
                    }
                    None => continue,
                },
                Part::Native(Native { provider, value })
                    if provider == self.provider && candidate::is_part(value) =>
                {
                    value.clone()
                }
                // What belongs to another provider means nothing here.
                Part::Native(_) => continue,
                Part::Text { text } if text.is_empty() => continue,
                Part::Text { text } => sign(json!({"text": text}), signature.take()),
                Part::ToolCall(call) => sign(self.call(call), signature.take()),
                other => return Err(misplaced(other, "an assistant")),
            };
            parts.extend(signature.take().map(alone));
            parts.push(own);
        }
        parts.extend(signature.map(alone));
        if self.generation >= Generation::Third
            && let Some(first) = parts.iter_mut().find(|part| part.get("functionCall").is_some())
            && first.get("thoughtSignature").is_none()
        {
            *first = sign(first.take(), Some(NO_SIGNATURE));
        }
        Ok(parts)
    }

    /// A signature that this model made.
    fn signature_of<'a>(&self, reasoning: &'a Reasoning) -> Option<&'a str> {
        let is_own = reasoning.provider.as_deref() == Some(self.provider)
            && reasoning.id.as_ref().is_none_or(|model| *model == self.model);
        reasoning.signature.as_deref().filter(|_| is_own)
    }

    fn call(&self, call: &ToolCall) -> Value {
        let inner = json!({"name": tools::legal_name(&call.name), "args": arguments(&call.arguments)});
        json!({"functionCall": self.with_id(inner, &call.id)})
    }

    /// Older models make no ids, and tell calls apart by their order.
    fn with_id(&self, mut value: Value, id: &CallId) -> Value {
        if let (true, Value::Object(fields)) = (self.generation >= Generation::Third, &mut value) {
            fields.insert("id".to_owned(), id.as_str().into());
        }
        value
    }

    /// Results in the order of their calls, and after them the media that a result has no place for.
    fn results(&self, calls: &[&CallId], results: &[&ToolResult]) -> Result<Vec<Value>> {
        let mut ordered = results.to_vec();
        ordered.sort_by_key(|result| calls.iter().position(|call| **call == result.call));
        let (mut parts, mut beside) = (Vec::with_capacity(ordered.len()), Vec::new());
        for result in ordered {
            let media: Vec<_> = result.content.iter().filter_map(media::of).collect();
            let fits = |media| self.generation >= Generation::Third && media::fits_result(media);
            let (inside, outside): (Vec<_>, Vec<_>) = media.into_iter().partition(|media| fits(media));
            let encode = |media: Vec<_>| media.into_iter().map(media::encode).collect::<Result<Vec<_>>>();
            let mut response = json!({
                "name": tools::legal_name(&result.name),
                "response": {if result.is_error { "error" } else { "output" }: output(result, outside.len())?},
            });
            if let (false, Value::Object(fields)) = (inside.is_empty(), &mut response) {
                fields.insert("parts".to_owned(), encode(inside)?.into());
            }
            parts.push(json!({"functionResponse": self.with_id(response, &result.call)}));
            beside.extend(encode(outside)?);
        }
        parts.extend(beside);
        Ok(parts)
    }
}

/// What a result says: its text, or its data where it has no text.
fn output(result: &ToolResult, outside: usize) -> Result<Value> {
    if let Some(other) =
        result.content.iter().find(|part| part.as_text().is_none() && media::of(part).is_none())
    {
        return Err(misplaced(other, "the result of a tool"));
    }
    let text = result.as_text();
    Ok(match &result.data {
        Some(data) if result.content.is_empty() => data.clone(),
        _ if outside == 0 => text.into(),
        _ if text.is_empty() => format!("{outside} attachment(s), after the results").into(),
        _ => format!("{text}\n({outside} attachment(s), after the results)").into(),
    })
}

/// The arguments as an object, which the wire wants: what is no object is shown as the text that it was.
fn arguments(text: &str) -> Value {
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(arguments) => arguments.into(),
        Err(_) => json!({"invalid_arguments": text}),
    }
}

fn user_part(part: &Part) -> Result<Vec<Value>> {
    match (part, media::of(part)) {
        (_, Some(media)) => Ok(vec![media::encode(media)?]),
        (Part::Text { text }, _) if text.is_empty() => Ok(Vec::new()),
        (Part::Text { text }, _) => Ok(vec![json!({"text": text})]),
        (other, _) => Err(misplaced(other, "a user")),
    }
}

fn sign(mut part: Value, signature: Option<&str>) -> Value {
    if let (Value::Object(fields), Some(signature)) = (&mut part, signature) {
        fields.insert("thoughtSignature".to_owned(), signature.into());
    }
    part
}

/// A signature that came with no other part.
fn alone(signature: &str) -> Value {
    json!({"text": "", "thoughtSignature": signature})
}

fn misplaced(part: &Part, whose: &str) -> Error {
    let what = match part {
        Part::Text { .. } => "text",
        Part::Image(_) => "an image",
        Part::Audio(_) => "audio",
        Part::File(_) => "a file",
        Part::Reasoning(_) => "reasoning",
        Part::ToolCall(_) => "a tool call",
        Part::ToolResult(_) => "a tool result",
        Part::Native(_) => "a part of a provider's own",
    };
    Error::new(Code::ModelUnsupported, format!("gemini cannot carry {what} in {whose} message"))
}

#[cfg(test)]
mod tests;
