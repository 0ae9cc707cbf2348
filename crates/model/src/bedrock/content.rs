//! Parts of messages as content blocks: `ContentBlock` in the service description.

use adjutant_core::message::{Native, Part, Reasoning, ToolCall, ToolResult};
use adjutant_core::{Code, Error, Result};
use serde_json::{Value, json};

use super::media::Names;
use super::traits::Traits;
use super::{NAME, call, media};
use crate::call_id;

/// Stands where a block must be and nothing was said: the interface refuses texts without a visible character.
const NOTHING: &str = "(nothing)";

/// What of an answer goes back as it came: the provider's own calls of its own tools, and what it found.
const NATIVE: [&str; 3] = ["toolUse", "toolResult", "citationsContent"];

/// A text; none where there is nothing to see.
pub(super) fn text(said: &str) -> Option<Value> {
    (!said.trim().is_empty()).then(|| json!({"text": said}))
}

/// A block that says that there is nothing.
pub(super) fn nothing() -> Value {
    json!({"text": NOTHING})
}

/// A part of the instructions.
pub(super) fn system(part: &Part) -> Result<Option<Value>> {
    match part {
        Part::Text { text: said } => Ok(text(said)),
        other => Err(misplaced(other, "a system")),
    }
}

/// A part of what a person says.
pub(super) fn user(part: &Part, names: &mut Names) -> Result<Option<Value>> {
    match part {
        Part::Text { text: said } => Ok(text(said)),
        Part::Image(image) => media::image(image).map(Some),
        Part::Audio(audio) => media::audio(audio).map(Some),
        Part::File(file) => media::file(file, names).map(Some),
        other => Err(misplaced(other, "a user")),
    }
}

/// A part of what a model said; none for what belongs to another provider or model.
pub(super) fn assistant(part: &Part, traits: &Traits) -> Result<Option<Value>> {
    match part {
        Part::Text { text: said } => Ok(text(said)),
        Part::Reasoning(thought) => Ok(reasoning(thought).filter(|_| traits.reasoning_back)),
        Part::ToolCall(call) => Ok(Some(tool_use(call))),
        Part::Native(Native { provider, value }) => {
            let is_own = provider == NAME && NATIVE.iter().any(|member| value.get(member).is_some());
            Ok(is_own.then(|| value.clone()))
        }
        other => Err(misplaced(other, "an assistant")),
    }
}

/// Reasoning goes back with its signature or encrypted; without either the interface has no use for it.
fn reasoning(thought: &Reasoning) -> Option<Value> {
    let inner = match thought {
        Reasoning { provider: Some(provider), .. } if provider != NAME => return None,
        Reasoning { provider: None, .. } => return None,
        Reasoning { encrypted: Some(bytes), .. } => json!({"redactedContent": bytes}),
        Reasoning { text, signature: Some(signature), .. } => {
            json!({"reasoningText": {"text": text, "signature": signature}})
        }
        _ => return None,
    };
    Some(json!({"reasoningContent": inner}))
}

fn tool_use(made: &ToolCall) -> Value {
    let input = call::input(&made.arguments);
    json!({"toolUse": {"toolUseId": call_id::plain(&made.id), "name": call::name(&made.name), "input": input}})
}

/// The result of a call.
pub(super) fn tool(part: &Part, traits: &Traits, names: &mut Names) -> Result<Value> {
    let Part::ToolResult(result) = part else { return Err(misplaced(part, "a tool")) };
    let mut content = match (&result.data, result.content.is_empty()) {
        (Some(data), true) => vec![json!({"text": data.to_string()})],
        _ => result_content(result, traits, names)?,
    };
    let says_error = result.is_error && traits.results.status;
    if result.is_error && !says_error {
        content.insert(0, json!({"text": "error:"}));
    }
    if content.is_empty() {
        content.push(nothing());
    }
    let mut block = json!({"toolUseId": call_id::plain(&result.call), "content": content});
    if let (true, Some(fields)) = (says_error, block.as_object_mut()) {
        fields.insert("status".into(), "error".into());
    }
    Ok(json!({"toolResult": block}))
}

fn result_content(result: &ToolResult, traits: &Traits, names: &mut Names) -> Result<Vec<Value>> {
    let mut content = Vec::new();
    for part in &result.content {
        let block = match part {
            Part::Text { text: said } => text(said),
            Part::Image(_) | Part::File(_) if !traits.results.media => {
                let what = format!("{} in the result of a tool for this model", kind(part));
                return Err(unsupported(&what, "have the tool answer with text"));
            }
            Part::Image(image) => Some(media::image(image)?),
            Part::File(file) => Some(media::file(file, names)?),
            other => return Err(misplaced(other, "a tool")),
        };
        content.extend(block);
    }
    Ok(content)
}

fn unsupported(what: &str, help: &str) -> Error {
    Error::new(Code::ModelUnsupported, format!("Bedrock cannot carry {what}")).with_help(help)
}

fn misplaced(part: &Part, whose: &str) -> Error {
    let message = format!("Bedrock cannot carry {} in {whose} message", kind(part));
    Error::new(Code::ModelUnsupported, message)
}

fn kind(part: &Part) -> &'static str {
    match part {
        Part::Text { .. } => "text",
        Part::Image(_) => "an image",
        Part::Audio(_) => "audio",
        Part::File(_) => "a file",
        Part::Reasoning(_) => "reasoning",
        Part::ToolCall(_) => "a tool call",
        Part::ToolResult(_) => "a tool result",
        Part::Native(_) => "a part of a provider's own",
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{Media, MediaSource};

    use super::*;

    fn media(media_type: &str) -> Media {
        let source = MediaSource::Base64("AA==".into());
        Media { media_type: media_type.into(), name: Some("a.x".into()), source }
    }

    fn made() -> ToolCall {
        ToolCall { id: "c 1".into(), name: "look".into(), arguments: r#"{"a":1}"#.into() }
    }

    fn claude() -> Traits {
        Traits::of("anthropic.claude-sonnet-5")
    }

    #[test]
    fn what_a_model_said_goes_back() {
        let thought = |provider: Option<&str>, signature: Option<&str>, encrypted: Option<&str>| {
            Part::Reasoning(Reasoning {
                text: "hm".into(),
                provider: provider.map(str::to_owned),
                id: None,
                signature: signature.map(str::to_owned),
                encrypted: encrypted.map(str::to_owned),
            })
        };
        let native = |provider: &str, value: Value| Part::Native(Native { provider: provider.into(), value });
        let search = json!({"toolUse": {"toolUseId": "t", "type": "server_tool_use"}});
        let id = call_id::plain(&"c 1".into()).into_owned();
        let cases = [
            (Part::text("a"), Some(json!({"text": "a"}))),
            (Part::text(" \n"), None),
            (
                thought(Some("bedrock"), Some("s"), None),
                Some(json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}})),
            ),
            (
                thought(Some("bedrock"), None, Some("AA==")),
                Some(json!({"reasoningContent": {"redactedContent": "AA=="}})),
            ),
            (thought(Some("bedrock"), None, None), None),
            (thought(Some("anthropic"), Some("s"), None), None),
            (thought(None, None, None), None),
            (
                Part::ToolCall(made()),
                Some(json!({"toolUse": {"toolUseId": id, "name": "look", "input": {"a": 1}}})),
            ),
            (native("bedrock", search.clone()), Some(search)),
            (native("bedrock", json!({"image": {}})), None),
            (native("openai", json!({"toolUse": {}})), None),
        ];
        for (part, expected) in cases {
            assert_eq!(assistant(&part, &claude()).unwrap(), expected, "{part:?}");
        }
        let llama = Traits::of("meta.llama4-scout-17b-instruct-v1:0");
        assert_eq!(assistant(&thought(Some("bedrock"), Some("s"), None), &llama), Ok(None));
    }

    #[test]
    fn results_say_what_came_of_a_call() {
        let result = |content: Vec<Part>, data: Option<Value>, is_error: bool| {
            Part::ToolResult(ToolResult { content, data, is_error, ..ToolResult::text(&made(), "") })
        };
        let llama = Traits::of("meta.llama4-scout-17b-instruct-v1:0");
        let image = json!({"image": {"format": "png", "source": {"bytes": "AA=="}}});
        let document = json!({"document": {"format": "pdf", "name": "a", "source": {"bytes": "AA=="}}});
        let cases = [
            (claude(), result(vec![Part::text("ok")], None, false), json!([{"text": "ok"}]), None),
            (claude(), result(vec![], None, false), json!([{"text": "(nothing)"}]), None),
            (claude(), result(vec![], Some(json!({"a": 1})), false), json!([{"text": "{\"a\":1}"}]), None),
            (claude(), result(vec![Part::text("no")], None, true), json!([{"text": "no"}]), Some("error")),
            (
                claude(),
                result(vec![Part::text(" ")], None, true),
                json!([{"text": "(nothing)"}]),
                Some("error"),
            ),
            (
                llama,
                result(vec![Part::text("no")], None, true),
                json!([{"text": "error:"}, {"text": "no"}]),
                None,
            ),
            (
                claude(),
                result(
                    vec![Part::Image(media("image/png")), Part::File(media("application/pdf"))],
                    None,
                    false,
                ),
                json!([image, document]),
                None,
            ),
        ];
        for (traits, part, content, status) in cases {
            let block = tool(&part, &traits, &mut Names::default()).unwrap();
            assert_eq!(block["toolResult"]["content"], content, "{part:?}");
            assert_eq!(block["toolResult"]["status"].as_str(), status, "{part:?}");
            assert_eq!(block["toolResult"]["toolUseId"], *call_id::plain(&"c 1".into()));
        }
        let error =
            tool(&result(vec![Part::Image(media("image/png"))], None, false), &llama, &mut Names::default());
        let error = error.unwrap_err();
        assert_eq!(error.code(), Code::ModelUnsupported);
        assert_eq!(error.message(), "Bedrock cannot carry an image in the result of a tool for this model");
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let image = || Part::Image(media("image/png"));
        let audio =
            ToolResult { content: vec![Part::Audio(media("audio/wav"))], ..ToolResult::text(&made(), "") };
        let names = || Names::default();
        let cases = [
            (system(&image()).map(drop), "an image in a system message"),
            (user(&Part::ToolCall(made()), &mut names()).map(drop), "a tool call in a user message"),
            (assistant(&image(), &claude()).map(drop), "an image in an assistant message"),
            (tool(&image(), &claude(), &mut names()).map(drop), "an image in a tool message"),
            (tool(&Part::ToolResult(audio), &claude(), &mut names()).map(drop), "audio in a tool message"),
        ];
        for (refused, what) in cases {
            let error = refused.unwrap_err();
            assert_eq!(error.code(), Code::ModelUnsupported);
            assert_eq!(error.message(), format!("Bedrock cannot carry {what}"));
        }
    }
}
