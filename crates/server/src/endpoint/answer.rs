//! [`Answer`]: what comes back, with the status that says how it went.

use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

/// One form that an answer may have.
pub(crate) struct Shape {
    pub(crate) status: StatusCode,
    pub(crate) about: &'static str,
    /// Media type and schema; none where there is no body.
    pub(crate) body: Option<(&'static str, Schema)>,
}

/// The forms that an answer may have.
pub(crate) type Shapes = Vec<Shape>;

/// What comes back.
pub(crate) trait Answer: IntoResponse + Send {
    /// The forms that it may have.
    fn shapes(generator: &mut SchemaGenerator) -> Shapes;
}

fn json<T: JsonSchema>(generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
    Some(("application/json", generator.subschema_for::<T>()))
}

/// What was asked for.
pub(crate) struct Found<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Found<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: Serialize + JsonSchema + Send> Answer for Found<T> {
    fn shapes(generator: &mut SchemaGenerator) -> Shapes {
        vec![Shape { status: StatusCode::OK, about: "What was asked for", body: json::<T>(generator) }]
    }
}

/// Something that is on record and will be done, and where it can be watched.
pub(crate) struct Accepted<T>(pub(crate) String, pub(crate) T);

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        at(&self.0, (StatusCode::ACCEPTED, axum::Json(self.1)).into_response())
    }
}

impl<T: Serialize + JsonSchema + Send> Answer for Accepted<T> {
    fn shapes(generator: &mut SchemaGenerator) -> Shapes {
        vec![Shape {
            status: StatusCode::ACCEPTED,
            about: "It is on record and will be done",
            body: json::<T>(generator),
        }]
    }
}

/// It is done, and there is nothing to say.
pub(crate) struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Answer for Done {
    fn shapes(_: &mut SchemaGenerator) -> Shapes {
        vec![Shape { status: StatusCode::NO_CONTENT, about: "It is done", body: None }]
    }
}

/// Says where something is.
fn at(place: &str, mut response: Response) -> Response {
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}
