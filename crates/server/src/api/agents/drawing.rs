//! Workflows are drawn.

use adjutant_core::role::Right;
use adjutant_core::{Code, Result};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::{AgentPath, TAG};
use crate::endpoint::{Answer, Call, Operation, Routes, Shape, Shapes};

/// A picture loads nothing and runs nothing.
const ALONE: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

pub(super) fn routes() -> Routes {
    Routes::default().on(
        Operation::get(
            "/api/workflows/{agent}/drawing",
            "drawWorkflow",
            "A workflow as a flowchart",
            Right::View,
        )
        .of(TAG)
        .said("Or who hands a conversation over to whom, for an agent that has handoffs.")
        .fails(&[Code::NotFound]),
        draw,
    )
}

/// What it is drawn in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Drawn {
    /// A picture, or text in Mermaid, which Markdown pages show; that where it is not given.
    format: Option<Format>,
}

/// What is drawn in.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "DrawingFormat", inline)]
enum Format {
    /// Text in Mermaid.
    Mermaid,
    /// A picture in SVG.
    Svg,
}

/// A drawing.
struct Drawing {
    media_type: &'static str,
    text: String,
}

async fn draw(call: Call<AgentPath, Drawn>) -> Result<Drawing> {
    let project = call.caller.adjutant().project();
    let drawing = project.drawing(call.path.seen(&call.caller)?)?;
    Ok(match call.query.format.unwrap_or(Format::Mermaid) {
        Format::Mermaid => Drawing { media_type: "text/plain; charset=utf-8", text: drawing.mermaid() },
        Format::Svg => Drawing { media_type: "image/svg+xml", text: drawing.svg() },
    })
}

impl IntoResponse for Drawing {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::OK, self.text).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(ALONE));
        response
    }
}

impl Answer for Drawing {
    fn shapes(_: &mut SchemaGenerator) -> Shapes {
        let text = || Schema::from(serde_json::Map::from_iter([("type".to_owned(), "string".into())]));
        let shape =
            |media| Shape { status: StatusCode::OK, about: "The drawing", body: Some((media, text())) };
        vec![shape("text/plain"), shape("image/svg+xml")]
    }
}
