//! A request as the body of a POST.

use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value};

use super::content::{self, Speaker};
use super::generation::{Generation, Traits};
use super::place::Place;
use super::{schema, tools};
use crate::request::{Effort, Request};
use crate::sampling::{Names, untold};

/// What of the configuration the body depends on.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    pub(super) place: Place,
    pub(super) speaker: Speaker,
    pub(super) traits: Traits,
    pub(super) effort: Option<Effort>,
    pub(super) provider_tools: Vec<Value>,
    pub(super) extra: Map<String, Value>,
}

/// What only the request itself decides, and what changes the form of the answer. Google takes fields in either spelling.
const OWN: [&str; 8] = [
    "/contents",
    "/tools",
    "/systemInstruction",
    "/system_instruction",
    "/generationConfig/candidateCount",
    "/generationConfig/candidate_count",
    "/toolConfig/functionCallingConfig/streamFunctionCallArguments",
    "/toolConfig/functionCallingConfig/stream_function_call_arguments",
];

/// The most texts that end an answer (ai.google.dev/api/generate-content, "stopSequences").
const MOST_STOPS: usize = 5;

/// The body. Fails with `model-unsupported` where the model or the wire cannot do what is asked, and with `input-invalid`
/// where the request contradicts itself.
pub(super) fn encode(dialect: &Dialect, request: &Request) -> Result<Value> {
    let mut body = Map::new();
    body.insert("contents".into(), content::turns(&dialect.speaker, &request.messages)?.into());
    let fields = [
        ("systemInstruction", content::instruction(&request.messages)?),
        ("tools", all_tools(dialect, request)?),
        ("toolConfig", tool_config(dialect, request)?),
        ("generationConfig", generation_config(dialect, request)?),
    ];
    body.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    for extra in [&dialect.extra, &request.extra] {
        check_extra(extra)?;
        overlay(&mut body, extra);
    }
    Ok(Value::Object(body))
}

fn all_tools(dialect: &Dialect, request: &Request) -> Result<Option<Value>> {
    let hosted = &dialect.provider_tools;
    if request.tools.is_empty() {
        return Ok((!hosted.is_empty()).then(|| hosted.clone().into()));
    }
    if !hosted.is_empty() && dialect.traits.generation == Generation::Second {
        return Err(unsupported(
            dialect,
            "takes no tools of Google's own beside others",
            "take `provider_tools` out, or use a model from Gemini 3 on",
        ));
    }
    let functions = tools::declarations(&request.tools)?;
    Ok(Some([functions].into_iter().chain(hosted.iter().cloned()).collect()))
}

fn tool_config(dialect: &Dialect, request: &Request) -> Result<Option<Value>> {
    let mut config = Map::new();
    if request.tools.is_empty() {
        return Ok(None);
    }
    if request.single_call {
        return Err(untold(&dialect.speaker.model, "parallel_tool_calls"));
    }
    if let Some(choice) = tools::choice(request)? {
        config.insert("functionCallingConfig".into(), choice);
    }
    // Google's own tools beside others are run only where their calls are shown
    // (ai.google.dev/gemini-api/docs/generate-content/tool-combination).
    if !dialect.provider_tools.is_empty() && dialect.place == Place::Studio {
        config.insert("includeServerSideToolInvocations".into(), true.into());
    }
    Ok((!config.is_empty()).then(|| config.into()))
}

fn generation_config(dialect: &Dialect, request: &Request) -> Result<Option<Value>> {
    let mut config = Map::new();
    if let Some(thinking) = dialect.traits.thinking_config(request.effort.or(dialect.effort)) {
        config.insert("thinkingConfig".into(), thinking);
    }
    if let Some(output) = &request.output {
        config.insert("responseMimeType".into(), "application/json".into());
        config.insert("responseJsonSchema".into(), schema::subset(&output.schema));
    }
    if let Some(most) = request.max_output_tokens {
        config.insert("maxOutputTokens".into(), most.into());
    }
    if let Some(temperature) = request.temperature {
        if dialect.traits.generation == Generation::Latest {
            return Err(unsupported(dialect, "takes no temperature", "leave `temperature` out"));
        }
        config.insert("temperature".into(), decimal(temperature));
    }
    let names = Names {
        top_p: Some("topP"),
        top_k: Some("topK"),
        seed: Some("seed"),
        presence_penalty: Some("presencePenalty"),
        frequency_penalty: Some("frequencyPenalty"),
    };
    for (key, value) in request.sampling.named(&dialect.speaker.model, names)? {
        config.insert(key.to_owned(), value);
    }
    if request.stop.len() > MOST_STOPS {
        let what = format!(
            "takes at most {MOST_STOPS} texts that end an answer, and {} are given",
            request.stop.len()
        );
        return Err(unsupported(dialect, &what, "leave some out"));
    }
    if !request.stop.is_empty() {
        config.insert("stopSequences".into(), request.stop.clone().into());
    }
    Ok((!config.is_empty()).then(|| config.into()))
}

fn unsupported(dialect: &Dialect, what: &str, help: &str) -> Error {
    Error::new(Code::ModelUnsupported, format!("the model `{}` {what}", dialect.speaker.model))
        .with_help(help)
}

/// The number that the caller wrote: 0.2, not the 0.20000000298... that lies next to it in double precision.
fn decimal(number: f32) -> Value {
    number.to_string().parse::<f64>().ok().and_then(serde_json::Number::from_f64).into()
}

fn check_extra(extra: &Map<String, Value>) -> Result<()> {
    let find = |path: &&&str| {
        let mut keys = path.split('/').skip(1);
        let first = extra.get(keys.next()?)?;
        keys.try_fold(first, |value, key| value.get(key))
    };
    match OWN.iter().find(|path| find(path).is_some()) {
        None => Ok(()),
        Some(path) => {
            let path = path.trim_start_matches('/').replace('/', ".");
            let message = format!("the extra parameter `{path}` of the model cannot be set");
            Err(Error::new(Code::InputInvalid, message).with_help("the run itself decides it: take it out"))
        }
    }
}

/// Lays parameters over the body: objects into objects, and `null` takes out (RFC 7396).
fn overlay(body: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (key, value) in extra {
        match (body.get_mut(key), value) {
            (_, Value::Null) => drop(body.remove(key)),
            (Some(Value::Object(inner)), Value::Object(more)) => overlay(inner, more),
            (_, value) => drop(body.insert(key.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::Message;
    use adjutant_core::tool::{Effect, ToolSpec};
    use serde_json::json;

    use super::*;
    use crate::request::{OutputSchema, ToolChoice};

    fn dialect(model: &str) -> Dialect {
        let traits = Traits::of(model);
        Dialect {
            place: Place::Studio,
            speaker: Speaker { provider: "gemini", model: model.into(), generation: traits.generation },
            traits,
            effort: None,
            provider_tools: Vec::new(),
            extra: Map::new(),
        }
    }

    fn look() -> ToolSpec {
        ToolSpec {
            name: "look".into(),
            description: "Looks.".into(),
            parameters: json!({"type": "object"}),
            effect: Effect::Pure,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: adjutant_core::tool::Flow::default(),
        }
    }

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn hi(request: Request) -> Request {
        Request { messages: vec![Message::user("hi").into()], ..request }
    }

    /// The body without the one message that every body has.
    fn rest(dialect: &Dialect, request: Request) -> Value {
        let mut body = encode(dialect, &hi(request)).unwrap();
        let contents = body.as_object_mut().unwrap().remove("contents");
        assert_eq!(contents, Some(json!([{"role": "user", "parts": [{"text": "hi"}]}])));
        body
    }

    #[test]
    fn each_wish_has_its_field() {
        let old = || dialect("gemini-2.0-flash");
        let new = || dialect("gemini-4-argon");
        let shown = json!({"includeThoughts": true});
        let tools = json!([{"functionDeclarations": [{"name": "look", "description": "Looks.", "parametersJsonSchema": {"type": "object"}}]}]);
        let with_tools = |tool_choice| Request { tools: [look()].into(), tool_choice, ..Request::default() };
        let calling =
            |config: Value| json!({"tools": tools, "toolConfig": {"functionCallingConfig": config}});
        let output = OutputSchema {
            name: "a".into(),
            schema: json!({"type": "object", "minProperties": 1}),
            strict: true,
        };
        let hosted = || vec![json!({"googleSearch": {}})];
        let cases = [
            (old(), Request::default(), json!({})),
            (new(), Request::default(), json!({"generationConfig": {"thinkingConfig": shown}})),
            (
                new(),
                Request { effort: Some(Effort::High), ..Request::default() },
                json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true, "thinkingLevel": "high"}}}),
            ),
            (
                Dialect { effort: Some(Effort::Low), ..new() },
                Request { max_output_tokens: Some(7), stop: vec!["x".into()], ..Request::default() },
                json!({"generationConfig": {"maxOutputTokens": 7, "stopSequences": ["x"],
                    "thinkingConfig": {"includeThoughts": true, "thinkingLevel": "low"}}}),
            ),
            (
                old(),
                Request { temperature: Some(0.2), ..Request::default() },
                json!({"generationConfig": {"temperature": 0.2}}),
            ),
            (
                old(),
                Request { output: Some(output), ..Request::default() },
                json!({"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object", "description": "must also fit this JSON schema: {\"minProperties\":1}"}}}),
            ),
            (old(), with_tools(ToolChoice::Auto), json!({"tools": tools})),
            (old(), with_tools(ToolChoice::None), calling(json!({"mode": "NONE"}))),
            (old(), with_tools(ToolChoice::Required), calling(json!({"mode": "ANY"}))),
            (
                old(),
                with_tools(ToolChoice::Named("look".into())),
                calling(json!({"mode": "ANY", "allowedFunctionNames": ["look"]})),
            ),
            (
                Dialect { provider_tools: hosted(), ..old() },
                Request::default(),
                json!({"tools": [{"googleSearch": {}}]}),
            ),
            (
                Dialect { provider_tools: hosted(), ..new() },
                with_tools(ToolChoice::Auto),
                json!({"tools": [tools[0], {"googleSearch": {}}], "toolConfig": {"includeServerSideToolInvocations": true},
                    "generationConfig": {"thinkingConfig": shown}}),
            ),
            (
                Dialect { provider_tools: hosted(), place: Place::Vertex, ..new() },
                with_tools(ToolChoice::Auto),
                json!({"tools": [tools[0], {"googleSearch": {}}], "generationConfig": {"thinkingConfig": shown}}),
            ),
            // Parameters of the model's owner are laid into the body, those of the request over them.
            (
                Dialect {
                    extra: map(&json!({"serviceTier": "flex", "generationConfig": {"topK": 3, "seed": 1}})),
                    ..new()
                },
                Request {
                    extra: map(
                        &json!({"generationConfig": {"seed": 2, "thinkingConfig": {"includeThoughts": null}}}),
                    ),
                    ..Request::default()
                },
                json!({"serviceTier": "flex", "generationConfig": {"topK": 3, "seed": 2, "thinkingConfig": {}}}),
            ),
        ];
        for (dialect, request, expected) in cases {
            assert_eq!(rest(&dialect, request.clone()), expected, "{request:?}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_reason() {
        let new = || dialect("gemini-4-argon");
        let extra = |value: Value| Request { extra: map(&value), ..Request::default() };
        let cases = [
            (
                new(),
                Request { temperature: Some(0.0), ..Request::default() },
                Code::ModelUnsupported,
                "the model `gemini-4-argon` takes no temperature",
            ),
            (
                new(),
                Request { stop: vec!["x".into(); 6], ..Request::default() },
                Code::ModelUnsupported,
                "the model `gemini-4-argon` takes at most 5 texts that end an answer, and 6 are given",
            ),
            (
                Dialect { provider_tools: vec![json!({"codeExecution": {}})], ..dialect("gemini-2.5-pro") },
                Request { tools: [look()].into(), ..Request::default() },
                Code::ModelUnsupported,
                "the model `gemini-2.5-pro` takes no tools of Google's own beside others",
            ),
            (
                new(),
                Request {
                    tools: [look()].into(),
                    tool_choice: ToolChoice::Named("x".into()),
                    ..Request::default()
                },
                Code::InputInvalid,
                "the model must call `x`, which is not among its tools",
            ),
            (
                new(),
                extra(json!({"contents": []})),
                Code::InputInvalid,
                "the extra parameter `contents` of the model cannot be set",
            ),
            (
                new(),
                extra(json!({"system_instruction": null})),
                Code::InputInvalid,
                "the extra parameter `system_instruction` of the model cannot be set",
            ),
            (
                new(),
                extra(json!({"generationConfig": {"candidateCount": 2}})),
                Code::InputInvalid,
                "the extra parameter `generationConfig.candidateCount` of the model cannot be set",
            ),
            (
                Dialect {
                    extra: map(
                        &json!({"toolConfig": {"functionCallingConfig": {"streamFunctionCallArguments": true}}}),
                    ),
                    ..new()
                },
                Request::default(),
                Code::InputInvalid,
                "the extra parameter `toolConfig.functionCallingConfig.streamFunctionCallArguments` of the model cannot be set",
            ),
        ];
        for (dialect, request, code, why) in cases {
            let error = encode(&dialect, &hi(request)).unwrap_err();
            assert_eq!((error.code(), error.message()), (code, why));
        }
    }
}
