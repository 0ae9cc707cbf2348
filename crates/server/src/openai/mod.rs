//! OpenAI's formats: chat completions and Responses, as its clients of November 2026 speak them (Python 3.54).

pub(crate) mod chat;
mod content;
mod effort;
pub(crate) mod embeddings;
mod fault;
mod models;
pub(crate) mod responses;
mod tool;

pub(crate) use content::no_uploads;
pub(crate) use fault::{body as fault_body, status as fault_status};

use axum::Router;
use axum::routing::{get, post};

use crate::service::Service;

/// OpenAI's routes.
pub(crate) fn routes() -> Router<Service> {
    Router::new()
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/embeddings", post(embeddings::embed))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::show))
        .merge(responses::routes())
}
