//! Requests and answers as they may be.

use std::sync::Arc;

use adjutant::model::{Delta, Effort, OutputSchema, Request, Response, Sampling, StopReason, ToolChoice};
use adjutant_core::message::{Media, MediaSource, Message, Native, Part, Reasoning, ToolCall, ToolResult};
use adjutant_core::tool::{Effect, Flow, ToolSpec};
use adjutant_core::usage::Usage;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::vendor::Vendor;

pub(super) fn vendors() -> impl Strategy<Value = Vendor> {
    select(vec![Vendor::Chat, Vendor::Responses, Vendor::Messages])
}

fn text() -> impl Strategy<Value = String> {
    "[a-zäß€😀\"\\\\\n ]{0,8}[a-z😀]"
}

fn object() -> serde_json::Value {
    json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false})
}

fn tool(name: &str) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: format!("It does {name}."),
        parameters: object(),
        effect: Effect::AtMostOnce,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: Flow::default(),
    }
}

fn media() -> impl Strategy<Value = Part> {
    let bytes = |kind: &str| Media {
        media_type: kind.into(),
        name: None,
        source: MediaSource::Base64("AAEC".into()),
    };
    let url = MediaSource::Url("https://h/a.png".into());
    let pdf = Media { name: Some("a.pdf".into()), ..bytes("application/pdf") };
    select(vec![
        Part::Image(bytes("image/png")),
        Part::Image(Media { media_type: "image/png".into(), name: None, source: url }),
        Part::File(pdf),
    ])
}

/// Reasoning as a vendor's own models make it.
fn thought(vendor: Vendor) -> BoxedStrategy<Vec<Part>> {
    match vendor {
        Vendor::Chat => Just(Vec::new()).boxed(),
        Vendor::Responses => (text(), "[A-Za-z]{4}")
            .prop_map(|(text, encrypted)| {
                vec![Part::Reasoning(Reasoning {
                    text,
                    provider: Some("openai-responses".into()),
                    id: Some("rs_1".into()),
                    encrypted: Some(encrypted),
                    signature: None,
                })]
            })
            .boxed(),
        Vendor::Messages => (text(), "[A-Za-z]{4}", any::<bool>())
            .prop_map(|(text, secret, shown)| {
                let provider = Some("anthropic".to_owned());
                vec![Part::Reasoning(match shown {
                    true => Reasoning { text, provider, signature: Some(secret), ..Reasoning::default() },
                    false => Reasoning { provider, encrypted: Some(secret), ..Reasoning::default() },
                })]
            })
            .boxed(),
    }
}

/// The user says something, the model calls tools, which answer, and says something.
fn exchange(vendor: Vendor, number: usize) -> impl Strategy<Value = Vec<Message>> {
    let calls = vec((text(), text(), any::<bool>()), 0..3);
    (text(), proptest::option::of(media()), thought(vendor), calls, text()).prop_map(
        move |(said, media, thought, calls, answer)| {
            let mut messages = vec![Message::new(
                adjutant_core::message::Role::User,
                std::iter::once(Part::text(said)).chain(media).collect(),
            )];
            let made: Vec<(ToolCall, String, bool)> = calls
                .into_iter()
                .enumerate()
                .map(|(place, (argument, result, failed))| {
                    let id = format!("call_{number}_{place}");
                    let arguments = json!({"a": argument}).to_string();
                    (ToolCall { id: id.as_str().into(), name: "look".into(), arguments }, result, failed)
                })
                .collect();
            if !made.is_empty() {
                let calls = made.iter().map(|(call, ..)| Part::ToolCall(call.clone()));
                messages.push(Message::assistant(thought.iter().cloned().chain(calls).collect()));
            }
            for (call, result, failed) in &made {
                let result = ToolResult::text(call, result.as_str());
                // The other two have no mark for a failure.
                let is_error = *failed && vendor == Vendor::Messages;
                messages.push(Message::tool(ToolResult { is_error, ..result }));
            }
            messages.push(Message::assistant(vec![Part::text(answer)]));
            messages
        },
    )
}

pub(super) fn request(vendor: Vendor) -> BoxedStrategy<Request> {
    let messages = (proptest::option::of(text()), exchange(vendor, 0), exchange(vendor, 1), text());
    let messages = messages.prop_map(|(system, first, second, last)| {
        let system = system.map(Message::system);
        let all = system.into_iter().chain(first).chain(second).chain([Message::user(last)]);
        all.map(Arc::new).collect::<Vec<_>>()
    });
    let choices =
        vec![ToolChoice::Auto, ToolChoice::None, ToolChoice::Required, ToolChoice::Named("look".into())];
    let wishes = (select(choices), any::<bool>(), any::<bool>(), proptest::option::of(1_u32..100_000));
    let words = (proptest::option::of(0_u32..=10), proptest::option::of(0_u32..=10), vec("[a-z]{1,3}", 0..3));
    let effort = proptest::option::of(select(efforts(vendor)));
    (messages, wishes, words, effort, any::<bool>(), any::<bool>(), any::<i32>())
        .prop_map(
            move |(
                messages,
                (choice, single, strict, most),
                (warmth, top, stop),
                effort,
                tools,
                form,
                seed,
            )| {
                let forced = matches!(choice, ToolChoice::Required | ToolChoice::Named(_));
                let by_messages = vendor == Vendor::Messages;
                // A model of Anthropic's that thinks takes no temperature and cannot be made to call.
                let thinks = effort.filter(|_| !(by_messages && tools && forced));
                let free = !by_messages || thinks.is_none();
                let tenth = |number: u32| f32::from(u8::try_from(number).unwrap()) / 10.0;
                let is_chat = vendor == Vendor::Chat;
                Request {
                    messages,
                    tools: if tools { [tool("look"), tool("find")].into() } else { Arc::default() },
                    tool_choice: if tools { choice.clone() } else { ToolChoice::Auto },
                    // Where no tool may be called, nothing says how many may.
                    single_call: single && tools && !(by_messages && choice == ToolChoice::None),
                    strict_tools: if strict && tools && !by_messages {
                        vec!["find".into()]
                    } else {
                        Vec::new()
                    },
                    output: form.then(|| OutputSchema {
                        name: "answer".into(),
                        schema: object(),
                        strict: true,
                    }),
                    max_output_tokens: most.or(by_messages.then_some(64_000)),
                    temperature: warmth.filter(|_| free).map(tenth),
                    sampling: Sampling {
                        top_p: top.map(tenth),
                        seed: is_chat.then_some(i64::from(seed)),
                        presence_penalty: is_chat.then_some(-0.5),
                        ..Sampling::default()
                    },
                    effort: thinks,
                    stop: if vendor == Vendor::Responses { Vec::new() } else { stop },
                    ..Request::default()
                }
            },
        )
        .boxed()
}

/// The steps that the model behind the interface has.
fn efforts(vendor: Vendor) -> Vec<Effort> {
    match vendor {
        Vendor::Messages => vec![Effort::Low, Effort::Medium, Effort::High, Effort::Max],
        _ => vec![Effort::Off, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::Max],
    }
}

fn made() -> impl Strategy<Value = Part> {
    let signed = (text(), proptest::option::of("[a-z]{1,4}"), proptest::option::of("[a-z]{1,4}")).prop_map(
        |(text, signature, encrypted)| {
            let provider = Some("bedrock".to_owned());
            Part::Reasoning(Reasoning { text, provider, id: None, signature, encrypted })
        },
    );
    prop_oneof![
        text().prop_map(Part::text),
        text().prop_map(|text| Part::Reasoning(Reasoning { text, ..Reasoning::default() })),
        signed,
        text().prop_map(|text| Part::Native(Native { provider: "gemini".into(), value: json!({"a": text}) })),
    ]
}

/// An answer in the order in which every format has it: what was thought, what was said, what is called.
pub(super) fn response() -> impl Strategy<Value = Response> {
    let stops = vec![StopReason::EndTurn, StopReason::MaxTokens, StopReason::ContentFilter];
    let usage = (0_u64..1_000, 0_u64..1_000, 0_u64..1_000);
    (vec(made(), 0..4), proptest::option::of(text()), vec((text(), "[a-z]{1,6}"), 0..3), select(stops), usage)
        .prop_map(|(thoughts, said, calls, stop, (input, output, cached))| {
            let mut parts: Vec<Part> = thoughts.into_iter().filter(|part| part.as_text().is_none()).collect();
            parts.extend(said.map(Part::text));
            let calls = calls.into_iter().enumerate().map(|(place, (argument, name))| {
                let arguments = json!({"a": argument}).to_string();
                ToolCall { id: format!("call_{place}").as_str().into(), name, arguments }
            });
            let before = parts.len();
            parts.extend(calls.map(Part::ToolCall));
            let stop = if parts.len() > before { StopReason::ToolCalls } else { stop };
            let usage = Usage { input: input + cached, output, cached, ..Usage::default() };
            Response {
                message: Message::assistant(parts),
                usage: Some(usage),
                stop,
                model: Some("main".into()),
                request_id: None,
                tried: Vec::new(),
                instead: None,
                unknown: Vec::new(),
            }
        })
}

/// The pieces in which an answer may come.
pub(super) fn pieces(response: &Response) -> Vec<Delta> {
    let mut deltas = vec![Delta::Start(adjutant::model::Start::default())];
    let mut index = 0;
    for part in &response.message.parts {
        match part {
            Part::Text { text } => deltas.extend(cut(text).map(Delta::Text)),
            Part::Reasoning(reasoning) => {
                deltas.extend(cut(&reasoning.text).map(Delta::Reasoning));
                let text = String::new();
                deltas.push(Delta::ReasoningDone(Reasoning { text, ..reasoning.clone() }));
            }
            Part::ToolCall(call) => {
                let piece = |id, name, arguments| Delta::ToolCall { index, id, name, arguments };
                // The name comes first at some servers, and the id last.
                deltas.push(piece(None, Some(call.name.clone()), String::new()));
                deltas.extend(cut(&call.arguments).map(|arguments| piece(None, None, arguments)));
                deltas.push(piece(Some(call.id.clone()), None, String::new()));
                index += 1;
            }
            Part::Native(native) => deltas.push(Delta::Native(native.clone())),
            _ => {}
        }
    }
    deltas.extend(response.usage.map(Delta::Usage));
    deltas.push(Delta::End(response.stop.clone()));
    deltas
}

fn cut(text: &str) -> impl Iterator<Item = String> {
    let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (one, other) = text.split_at(half);
    [one.to_owned(), other.to_owned()].into_iter().filter(|piece| !piece.is_empty())
}
