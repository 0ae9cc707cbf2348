//! [`Document`]: the OpenAPI 3.1 description of the endpoints, made of the types of their handlers.

use adjutant_core::Code;
use adjutant_core::role::{Right, Role};
use http::StatusCode;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::body::Body;
use super::operation::Operation;
use crate::problem::{self, Problem};

/// What every operation may fail with, whoever asks.
const ALWAYS: &[Code] = &[Code::InputInvalid, Code::TooLarge, Code::Overloaded, Code::Internal];
/// What those may fail with beside it that need somebody.
const GUARDED: &[Code] = &[Code::Unauthenticated, Code::Forbidden, Code::TooManyRequests];

/// What those may answer that look at what they were asked: it fits this document, and makes no sense here.
const OF_SENSE: &[StatusCode] = &[StatusCode::UNPROCESSABLE_ENTITY];

/// Whether it is asked who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Guarded,
    Open,
}

/// The description of the endpoints (OpenAPI 3.1.1).
pub(crate) struct Document {
    paths: Map<String, Value>,
    generator: SchemaGenerator,
}

impl Default for Document {
    fn default() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self { paths: Map::new(), generator: settings.into_generator() }
    }
}

impl Document {
    /// Describes one operation.
    pub(super) fn add<P: JsonSchema, Q: JsonSchema, B: Body, A: Answer>(
        &mut self,
        operation: &Operation,
        access: Access,
    ) {
        let generator = &mut self.generator;
        let mut parameters = parameters("path", P::json_schema(generator));
        parameters.extend(parameters_of_query(Q::json_schema(generator)));
        let body = B::describe(generator);
        let mut described = json!({
            "operationId": operation.id,
            "tags": [operation.tag],
            "summary": operation.summary,
            "parameters": parameters,
            "responses": responses::<A>(operation, access, body.is_some(), generator),
        });
        let mut set = |key: &str, value: Value| {
            if let Some(described) = described.as_object_mut() {
                described.insert(key.to_owned(), value);
            }
        };
        let needs = (access == Access::Guarded).then(|| roles(operation.needs));
        let said = [Some(operation.description.to_owned()).filter(|said| !said.is_empty()), needs];
        set("description", said.into_iter().flatten().collect::<Vec<_>>().join("\n\n").into());
        if access == Access::Open {
            set("security", json!([]));
        }
        if let Some((media, schema, required)) = body {
            set("requestBody", json!({ "required": required, "content": { media: { "schema": schema } } }));
        }
        // Here a part that is a path of its own is a part like any other.
        let path = self.paths.entry(operation.path.replace("{*", "{")).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.verb.to_owned(), described);
        }
    }

    /// Takes in what describes other endpoints.
    pub(super) fn merge(&mut self, mut other: Self) {
        for (path, operations) in other.paths {
            match (self.paths.get_mut(&path).and_then(Value::as_object_mut), operations) {
                (Some(here), Value::Object(more)) => here.extend(more),
                (_, operations) => {
                    self.paths.insert(path, operations);
                }
            }
        }
        let here = self.generator.definitions_mut();
        for (name, schema) in other.generator.take_definitions(true) {
            let there = here.insert(name.clone(), schema.clone());
            debug_assert!(there.is_none_or(|there| there == schema), "there are two schemas called `{name}`");
        }
    }

    /// The whole document.
    pub(super) fn finish(mut self) -> Value {
        self.generator.subschema_for::<Problem>();
        json!({
            "openapi": "3.1.1",
            "info": {
                "title": "Adjutant",
                "version": env!("CARGO_PKG_VERSION"),
                "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
                "description": "The service of one project: its agents and workflows, their runs, and what people decide. \
                    Times are milliseconds since 1970-01-01T00:00:00Z unless they say otherwise. Lists are given in pages: \
                    `next` is the cursor of the page that follows.",
            },
            "security": [{ "key": [] }],
            "paths": self.paths,
            "components": {
                "securitySchemes": {
                    "key": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "A key of `adjutant keys create`, or a token of the identity provider that the project names.",
                    },
                },
                "schemas": self.generator.take_definitions(true),
            },
        })
    }
}

/// Who may, in words.
fn roles(needs: Right) -> String {
    let roles: Vec<_> =
        Role::ALL.iter().filter(|role| role.may(needs)).map(|role| format!("`{role}`")).collect();
    format!("Roles: {}.", roles.join(", "))
}

/// The members of a schema as parameters.
fn parameters(place: &str, schema: Schema) -> Vec<Value> {
    let schema = Value::from(schema);
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        json!({
            "name": name,
            "in": place,
            "required": place == "path" || required.contains(&name.as_str()),
            "description": about.unwrap_or_default(),
            "schema": schema,
        })
    };
    members.map(parameter).collect()
}

/// The members of a query: what is left out is not `null`.
fn parameters_of_query(schema: Schema) -> Vec<Value> {
    let mut parameters = parameters("query", schema);
    for schema in parameters.iter_mut().filter_map(|parameter| parameter.get_mut("schema")) {
        if let Some(kinds) = schema.get_mut("type")
            && let Some(list) = kinds.as_array_mut()
        {
            list.retain(|kind| kind != "null");
            if let [only] = list.as_slice() {
                *kinds = only.clone();
            }
        }
        let alternatives = schema.get("anyOf").and_then(Value::as_array).cloned().unwrap_or_default();
        if let [only, null] = alternatives.as_slice()
            && null.get("type").is_some_and(|kind| kind == "null")
        {
            *schema = only.clone();
        }
    }
    parameters
}

/// What an operation answers, well or badly.
fn responses<A: Answer>(
    operation: &Operation,
    access: Access,
    body: bool,
    generator: &mut SchemaGenerator,
) -> Value {
    let mut responses = Map::new();
    for shape in A::shapes(generator) {
        let answer = responses
            .entry(shape.status.as_u16().to_string())
            .or_insert_with(|| json!({ "description": shape.about }));
        if let (Some(answer), Some((media, schema))) = (answer.as_object_mut(), shape.body) {
            let content = answer.entry("content").or_insert_with(|| json!({}));
            if let Some(content) = content.as_object_mut() {
                content.insert(media.to_owned(), json!({ "schema": schema }));
            }
        }
    }
    let (guarded, read) = match access {
        Access::Guarded => (GUARDED, OF_SENSE),
        Access::Open => (&[][..], &[][..]),
    };
    let problem = generator.subschema_for::<Problem>();
    let codes = ALWAYS.iter().chain(guarded).chain(&operation.errors);
    let media = body.then_some(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for status in codes.map(|code| problem::status(*code)).chain(read.iter().copied()).chain(media) {
        responses.entry(status.as_u16().to_string()).or_insert_with(|| {
            json!({
                "description": status.canonical_reason().unwrap_or("Error"),
                "headers": headers(status),
                "content": { problem::MEDIA_TYPE: { "schema": problem } },
            })
        });
    }
    Value::Object(responses)
}

/// The headers that say what to do about a status.
fn headers(status: StatusCode) -> Value {
    let header =
        |name: &str, about: &str| json!({ name: { "description": about, "schema": { "type": "string" } } });
    match status {
        StatusCode::UNAUTHORIZED => header("WWW-Authenticate", "How to say who asks."),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            header("Retry-After", "After how many seconds it can be tried again.")
        }
        _ => json!({}),
    }
}
