//! The way of a request through the service.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use adjutant_core::{Code, Error, Result};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::StatusCode;
use tokio::time::timeout;

use super::line::Line;
use super::peer::Peer;
use super::witness::Witness;
use super::{cors, dress, id};
use crate::access::credential;
use crate::gateway::{Vendor, failed};
use crate::problem::Refusal;
use crate::service::Service;
use crate::wire::Fault;

/// Where it is asked whether the service is there: by whoever watches over it, often, and without a key.
const HEALTH: &str = "/api/health/";

/// Where messages come from outside. They bring no key: each is signed, and counts only where its signature is wrong.
const HOOKS: &str = "/hooks/";

/// Lets a request through to what answers it, within the bounds of the service, and dresses the answer.
pub(crate) async fn pass(State(service): State<Service>, mut request: Request, next: Next) -> Response {
    let settings = service.settings();
    // Only a test has no connection.
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::NOBODY);
    let peer = peer.behind(&settings.proxies, request.headers());
    let witness = Arc::new(Witness::new(id::of(request.headers()), peer));
    let mut line = Line::begin(&service, &witness, &request);
    request.extensions_mut().insert(Arc::clone(&witness));
    let origin = cors::origin(&settings.origins, request.headers()).cloned();
    let beforehand = cors::asks_beforehand(request.method(), request.headers());
    let vendor = Vendor::at(request.uri().path());
    let mut response = match beforehand {
        true if origin.is_some() => StatusCode::NO_CONTENT.into_response(),
        true => refuse(vendor, page_refused()),
        false => {
            let answered = answer(&service, &witness, request, next).await;
            answered.unwrap_or_else(|error| refuse(vendor, error))
        }
    };
    dress::dress(response.headers_mut(), &witness);
    if vendor == Some(Vendor::Anthropic) {
        response.headers_mut().insert(id::ANTHROPIC, witness.id.clone());
    }
    if !settings.origins.is_empty() {
        cors::vary(response.headers_mut());
    }
    if let Some(origin) = origin {
        cors::allow(origin, beforehand, response.headers_mut());
    }
    line.is_answered(&response);
    response
}

/// What is answered, unless the service has no room for it, or something in it goes wrong.
async fn answer(service: &Service, witness: &Witness, request: Request, next: Next) -> Result<Response> {
    let is_health = request.uri().path().starts_with(HEALTH);
    if !is_health && service.draining().is_cancelled() {
        return Err(Error::new(Code::Overloaded, "the service is about to stop"));
    }
    let is_signed = request.uri().path().starts_with(HOOKS);
    if !is_health && matches!(credential(request.headers()), Ok(None)) {
        let (traffic, network) = (service.traffic(), witness.network());
        let standing = if is_signed { traffic.stranger(network) } else { traffic.count_stranger(network) };
        if let Some(wait) = standing.wait {
            witness.stands(standing);
            return Err(Error::new(
                Code::TooManyRequests,
                "too much was asked from this address without a key",
            )
            .with_retry_after(wait));
        }
    }
    let _place = if is_health { None } else { Some(service.traffic().begin()?) };
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
    match timeout(service.settings().answer_patience, answered).await {
        Ok(Ok(response)) => {
            if is_signed && response.status() == StatusCode::UNAUTHORIZED {
                service.traffic().count_stranger(witness.network());
            }
            Ok(response)
        }
        Ok(Err(_)) => Err(Error::new(Code::Internal, "the service failed at this request")),
        Err(_) => Err(Error::new(Code::Overloaded, "the service did not come to an answer in time")),
    }
}

/// Says no in the format of whose route it is.
fn refuse(vendor: Option<Vendor>, error: Error) -> Response {
    match vendor {
        Some(vendor) => failed(vendor, &Fault::from(error)),
        None => Refusal::from(error).into_response(),
    }
}

fn page_refused() -> Error {
    Error::new(Code::Forbidden, "pages of this origin may not ask")
        .with_help("list it in `server.cors`, if it is yours")
}
