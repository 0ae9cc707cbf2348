//! Answers chat completions.

use axum::extract::{Request, State};
use axum::response::Response;

use super::answer::{Head, whole};
use super::request::read;
use super::stream::Chunks;
use crate::gateway::{Asks, Talk, Target, Vendor, failed, json, pump, streamed, take};
use crate::service::Service;
use crate::wire::Fault;

pub(in crate::openai) async fn complete(State(service): State<Service>, request: Request) -> Response {
    answer(service, request).await.unwrap_or_else(|fault| failed(Vendor::OpenAi, &fault))
}

async fn answer(service: Service, request: Request) -> Result<Response, Fault> {
    let given = take(service, request, adjutant_core::role::Right::Run).await?;
    let asked = read(&given.body)?;
    let gateway = given.caller.adjutant().gateway();
    let id = gateway.id()?;
    let head =
        Head { id: format!("chatcmpl-{id}"), created: gateway.now().0 / 1_000, model: asked.model.clone() };
    let target = Target::of(&asked.model);
    let asks =
        Asks { target, request: asked.request, user: asked.user, session: None, streamed: asked.stream };
    if !asked.stream {
        let heard = Talk::begin(&given, asks).await?.whole().await?;
        return Ok(json(&whole(&head, &heard.response), &heard.tells()));
    }
    let place = given.service.stream()?;
    let talk = Talk::begin(&given, asks).await?;
    let tells = talk.tells();
    let pieces = pump(talk, Chunks::new(head, asked.usage), place);
    Ok(streamed(pieces, given.service.settings().heartbeat, &tells))
}
