//! All that can be asked, and what every answer passes.

use adjutant_core::{Code, Error};
use axum::Router;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};

use crate::gateway::{Vendor, failed};
use crate::problem::Refusal;
use crate::reference::Reference;
use crate::service::Service;
use crate::{api, gateway, metrics, passage, webhook};

/// The description of the service's own interface (OpenAPI 3.1).
pub fn openapi() -> serde_json::Value {
    api::routes().finish().1
}

/// All that can be asked of a service.
pub(crate) fn router(service: &Service) -> Router {
    let (router, document) = api::routes().finish();
    let reference = Reference::of(&document);
    let description = move || std::future::ready(axum::Json(document.clone()));
    router
        .merge(gateway::routes())
        .route("/hooks/{path}", axum::routing::post(webhook::receive))
        .route("/api/openapi.json", axum::routing::get(description))
        .route("/metrics", axum::routing::get(metrics::guarded))
        .route("/docs", axum::routing::get(move || std::future::ready(reference)))
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown)
        .layer(axum::middleware::from_fn_with_state(service.clone(), passage::pass))
        .with_state(service.clone())
}

/// What is counted, for an address of its own.
pub(crate) fn measures(service: &Service) -> Router {
    Router::new().route("/metrics", axum::routing::get(metrics::open)).with_state(service.clone())
}

async fn unknown(uri: Uri) -> Response {
    let error = Error::new(Code::NotFound, format!("there is nothing at `{}`", uri.path()))
        .with_help("`/api/openapi.json` says what there is");
    refused(&uri, StatusCode::NOT_FOUND, error)
}

async fn wrong_method(method: http::Method, uri: Uri) -> Response {
    let error = Error::new(Code::InputInvalid, format!("`{}` cannot be asked with {method}", uri.path()))
        .with_help("`/api/openapi.json` says with what it can");
    refused(&uri, StatusCode::METHOD_NOT_ALLOWED, error)
}

/// Says no in the format of whose path it is.
fn refused(uri: &Uri, status: StatusCode, error: Error) -> Response {
    match Vendor::at(uri.path()) {
        None => Refusal::with(status, error).into_response(),
        Some(vendor) => {
            let mut response = failed(vendor, &error.into());
            *response.status_mut() = status;
            response
        }
    }
}
