//! Messages from outside begin runs.

use adjutant::{Received, TriggerMessage};
use adjutant_core::{Code, Error};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::endpoint;
use crate::problem::Refusal;
use crate::service::Service;

/// The longest message, in bytes.
const LONGEST: usize = 1 << 20;

/// Takes a message for the trigger of that path, of the tenant that the project names. Who sends it is known by its signature.
pub(crate) async fn receive(
    State(service): State<Service>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    match received(&service, &path, request).await {
        // What was passed over was heard: it must not come again.
        Ok(received @ Received::Skipped { .. }) => axum::Json(received).into_response(),
        Ok(received @ Received::Began { .. }) => (StatusCode::ACCEPTED, axum::Json(received)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn received(service: &Service, path: &str, request: Request) -> Result<Received, Refusal> {
    if service.draining().is_cancelled() {
        return Err(Error::new(Code::Overloaded, "the service is about to stop").into());
    }
    let (parts, body) = request.into_parts();
    let taken = endpoint::taken(service, &parts.headers, body, LONGEST).await?;
    let headers: Vec<(&str, &str)> = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let message = TriggerMessage { path, headers: &headers, body: &taken.bytes };
    let received = service.tenants().first().triggers().receive(&message).await;
    Ok(received.map_err(|error| {
        if error.code() == Code::Overloaded {
            tracing::error!(target: "adjutant::service", %error, path, "a message from outside was not taken");
            // What is wrong with the secret is for whoever runs the service.
            return Error::new(Code::Overloaded, "messages cannot be checked here now");
        }
        error
    })?)
}
