//! `GET /v1/models`: what can be named as a model.

use adjutant_core::role::Right;
use adjutant_core::{Code, Error};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::gateway::{Given, Tells, Vendor, failed, no_models, reaches, take};
use crate::service::Service;
use crate::wire::Fault;

/// Something that can be named as a model, and whose it is.
struct Named {
    id: String,
    owner: String,
}

pub(super) async fn list(State(service): State<Service>, request: Request) -> Response {
    let vendor = vendor(&request);
    let listed = async {
        let given = take(service, request, Right::View).await?;
        let all = all(&given);
        let body = match vendor {
            Vendor::OpenAi => {
                json!({"object": "list", "data": all.iter().map(of_openai).collect::<Vec<_>>()})
            }
            Vendor::Anthropic => json!({
                "data": all.iter().map(of_anthropic).collect::<Vec<_>>(),
                "has_more": false,
                "first_id": all.first().map(|named| &named.id),
                "last_id": all.last().map(|named| &named.id),
            }),
        };
        Ok::<_, Fault>(crate::gateway::json(&body, &Tells::default()))
    };
    listed.await.unwrap_or_else(|fault| failed(vendor, &fault))
}

pub(super) async fn show(
    State(service): State<Service>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let vendor = vendor(&request);
    let shown = async {
        let given = take(service, request, Right::View).await?;
        let found = all(&given).into_iter().find(|named| named.id == id);
        let named = found.ok_or_else(|| {
            Error::new(Code::ModelUnknown, format!("there is no model `{id}`"))
                .with_help("`/v1/models` lists them")
        })?;
        let body = if vendor == Vendor::OpenAi { of_openai(&named) } else { of_anthropic(&named) };
        Ok::<_, Fault>(crate::gateway::json(&body, &Tells::default()))
    };
    shown.await.unwrap_or_else(|fault| failed(vendor, &fault))
}

/// Whose client asks: Anthropic's say which version of its interface they speak.
fn vendor(request: &Request) -> Vendor {
    match request.headers().contains_key("anthropic-version") {
        true => Vendor::Anthropic,
        false => Vendor::OpenAi,
    }
}

/// What the caller may ask: the roles and ids of models, and agents.
fn all(given: &Given) -> Vec<Named> {
    let adjutant = given.caller.adjutant();
    let mut all: Vec<Named> = Vec::new();
    for choice in adjutant.gateway().models() {
        for id in [choice.name, choice.id] {
            if !all.iter().any(|named| named.id == id)
                && reaches(given, &id).and_then(|()| no_models(given)).is_ok()
            {
                all.push(Named { id, owner: choice.provider.clone() });
            }
        }
    }
    let project = adjutant.project();
    let agents = project.agents().map(|agent| agent.name.clone());
    let reached = agents.filter(|name| given.caller.reach(&format!("agent:{name}")).is_ok());
    all.extend(reached.map(|name| Named { id: format!("agent/{name}"), owner: "adjutant".into() }));
    all
}

/// The time is when the first of these models came to be: nobody keeps it, and clients want one.
fn of_openai(named: &Named) -> Value {
    json!({"id": named.id, "object": "model", "created": 1_700_000_000, "owned_by": named.owner})
}

fn of_anthropic(named: &Named) -> Value {
    json!({
        "id": named.id,
        "type": "model",
        "display_name": named.id,
        "created_at": "2023-11-14T22:13:20Z",
    })
}
