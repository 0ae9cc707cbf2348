//! `POST /v1/embeddings`.

use adjutant_core::role::Right;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::gateway::{Tells, Vendor, failed, no_models, reaches, take};
use crate::service::Service;
use crate::wire::How::{Read, Refused};
use crate::wire::{Fault, Node, Parameter, check};

/// The parameters: those of `CreateEmbeddingRequest` in OpenAI's API description.
pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "input",
        how: Read(
            "a text, or up to 2048 texts; numbers of tokens are refused, which each model has its own of",
        ),
    },
    Parameter { name: "model", how: Read("a model of the project that makes vectors, by its role or id") },
    Parameter { name: "encoding_format", how: Read("`float` or `base64`") },
    Parameter {
        name: "user",
        how: Read("who asks, as the record of the call says it; the provider is not told"),
    },
    Parameter { name: "dimensions", how: Refused("how many there are is set with the model") },
];

/// The most texts of a request.
const MOST: usize = 2_048;

pub(super) async fn embed(State(service): State<Service>, request: Request) -> Response {
    answer(service, request).await.unwrap_or_else(|fault| failed(Vendor::OpenAi, &fault))
}

async fn answer(service: Service, request: Request) -> Result<Response, Fault> {
    let given = take(service, request, Right::Run).await?;
    let (model, texts, packed, user) = read(&given.body)?;
    let gateway = given.caller.adjutant().gateway();
    let asker = given.asker(user);
    reaches(&given, &model)?;
    no_models(&given)?;
    let (id, made, usage) = gateway.embed(&asker, &model, texts, CancellationToken::new()).await?;
    let vector = |vector: &Vec<f32>| match packed {
        true => Value::from(
            BASE64.encode(vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()),
        ),
        false => json!(vector),
    };
    let data: Vec<Value> = (0_u64..)
        .zip(&made.vectors)
        .map(|(index, made)| json!({"object": "embedding", "index": index, "embedding": vector(made)}))
        .collect();
    let used = json!({"prompt_tokens": usage.input, "total_tokens": usage.input});
    let body = json!({"object": "list", "data": data, "model": model, "usage": used});
    let tells = Tells { model: Some(id), ..Tells::default() };
    Ok(crate::gateway::json(&body, &tells))
}

type Asked = (String, Vec<String>, bool, Option<String>);

fn read(body: &Value) -> Result<Asked, Fault> {
    let body = Node::body(body);
    check(&body, PARAMETERS)?;
    let model = body.need("model")?.text()?.to_owned();
    let input = body.need("input")?;
    let texts = match input.value() {
        Value::String(text) => vec![text.clone()],
        _ => input.texts()?,
    };
    if texts.is_empty() || texts.len() > MOST {
        return Err(input.wrong("invalid_value", format!("`input` has 1 to {MOST} texts")));
    }
    let packed = body
        .get("encoding_format")
        .map(|form| form.word(&[("float", false), ("base64", true)]))
        .transpose()?;
    let user = body.get("user").map(|user| user.text().map(str::to_owned)).transpose()?;
    Ok((model, texts, packed.unwrap_or(false), user))
}
