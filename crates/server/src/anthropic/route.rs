//! Answers messages.

use adjutant::model::token;
use adjutant_core::role::Right;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use serde_json::json;

use super::answer::whole;
use super::request::{read, read_to_count};
use super::stream::Events;
use crate::gateway::{Asks, Talk, Target, Tells, Vendor, failed, no_models, pump, reaches, streamed, take};
use crate::openai::chat::Head;
use crate::service::Service;
use crate::wire::Fault;

/// Anthropic's routes.
pub(crate) fn routes() -> Router<Service> {
    Router::new().route("/v1/messages", post(create)).route("/v1/messages/count_tokens", post(count))
}

async fn create(State(service): State<Service>, request: Request) -> Response {
    answer(service, request).await.unwrap_or_else(|fault| failed(Vendor::Anthropic, &fault))
}

async fn answer(service: Service, request: Request) -> Result<Response, Fault> {
    let given = take(service, request, Right::Run).await?;
    let mut asked = read(&given.body)?;
    let target = Target::of(&asked.model);
    if let Target::Agent(_) = target {
        // The format demands it of everybody, so it says nothing of what a client wants of an agent.
        asked.request.max_output_tokens = None;
    }
    let gateway = given.caller.adjutant().gateway();
    let id = gateway.id()?;
    let head = Head { id: format!("msg_{id}"), created: gateway.now().0 / 1_000, model: asked.model.clone() };
    let asks =
        Asks { target, request: asked.request, user: asked.user, session: None, streamed: asked.stream };
    if !asked.stream {
        let heard = Talk::begin(&given, asks).await?.whole().await?;
        let body = whole(&head, &heard.response, asked.shows_thinking);
        return Ok(crate::gateway::json(&body, &heard.tells()));
    }
    let place = given.service.stream()?;
    let talk = Talk::begin(&given, asks).await?;
    let (tells, sent) = (talk.tells(), talk.sent());
    let pieces = pump(talk, Events::new(head, sent, asked.shows_thinking), place);
    Ok(streamed(pieces, given.service.settings().heartbeat, &tells))
}

/// The tokens of a request, by our estimate: the same for all models, and no provider is asked.
async fn count(State(service): State<Service>, request: Request) -> Response {
    let counted = async {
        let given = take(service, request, Right::Run).await?;
        let asked = read_to_count(&given.body)?;
        match Target::of(&asked.model) {
            Target::Model(name) => {
                reaches(&given, &name)?;
                no_models(&given)?;
                drop(given.caller.adjutant().gateway().choice(&name)?);
            }
            Target::Agent(name) => {
                given.caller.reach(&format!("agent:{}", adjutant::version_of(&name).0))?;
                drop(given.caller.adjutant().choose(Some(&name))?);
            }
        }
        let body = json!({"input_tokens": token::estimate_request(&asked.request)});
        let tells = Tells::default();
        Ok::<_, Fault>(crate::gateway::json(&body, &tells))
    };
    counted.await.unwrap_or_else(|fault| failed(Vendor::Anthropic, &fault))
}
