//! What a call takes: parameters and body as one schema of arguments, and where each of them goes.

use adjutant_core::Result;
use adjutant_core::tool::Effect;
use serde_json::{Map, Value, json};

use super::body::{self, Body, Media};
use super::config::{Auth, Config, KeyPlace};
use super::document::{Document, within};
use super::name::Arguments;
use super::operation::Operation;
use super::parameter::{self, Form, Location, Parameter};
use super::schema::{Writer, words};

/// How long the description of an argument may be, in characters.
const LONGEST_DESCRIPTION: usize = 400;

/// What a call takes.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    /// The JSON schema of the arguments.
    pub(super) schema: Value,
    pub(super) parameters: Vec<Placed>,
    pub(super) body: Option<Content>,
    /// The argument that asks for a part of the answer, where the call may be made again for it.
    pub(super) part: Option<String>,
}

/// A parameter and its argument.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) argument: String,
    pub(super) name: String,
    pub(super) location: Location,
    pub(super) form: Form,
}

/// The body and its arguments.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) media: Media,
    pub(super) media_type: String,
    /// Whether there is a body even where none of its arguments was given.
    pub(super) required: bool,
    pub(super) shape: Shape,
}

/// How the body is made of arguments.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// It is one argument.
    Whole(String),
    /// Its fields are arguments of their own.
    Fields(Vec<Field>),
}

/// A field of the body and its argument.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) argument: String,
    pub(super) name: String,
    pub(super) form: Form,
    /// The media type that the document names for it, in a multipart body.
    pub(super) media_type: Option<String>,
    /// Whether it is a file, or a list of files.
    pub(super) file: bool,
}

/// Collects the schema of the arguments.
#[derive(Default)]
struct Collected {
    names: Arguments,
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl Collected {
    fn add(&mut self, name: &str, place: &str, schema: Value, required: bool) -> String {
        let argument = self.names.take(name, place);
        self.properties.insert(argument.clone(), schema);
        if required {
            self.required.push(argument.clone());
        }
        argument
    }
}

/// What a call of an operation takes.
pub(super) fn of(document: &Document, operation: &Operation<'_>, config: &Config) -> Result<Inputs> {
    let mut collected = Collected::default();
    let mut writer = Writer::new(document);
    let item = (operation.item.0, operation.item.1.as_str());
    let read = parameter::read(document, item, (operation.node, &operation.at))?;
    let mut parameters = Vec::with_capacity(read.len());
    for parameter in read.iter().filter(|parameter| !is_ours(parameter, config)) {
        let schema = described(written(&mut writer, parameter.schema.as_ref())?, parameter.description);
        let argument = collected.add(parameter.name, parameter.location.as_str(), schema, parameter.required);
        let (name, location, form) = (parameter.name.to_owned(), parameter.location, parameter.form);
        parameters.push(Placed { argument, name, location, form });
    }
    if let Some(unnamed) = placeholders(operation.path)
        .find(|name| !parameters.iter().any(|p| p.location == Location::Path && p.name == **name))
    {
        let why = format!("the path has `{{{unnamed}}}`, and no parameter in `path` has that name");
        return Err(document.fault(&operation.at, why));
    }
    let body = match body::read(document, operation.node, &operation.at)? {
        Some(body) => Some(content(document, &mut writer, &mut collected, &body)?),
        None => None,
    };
    let part = (operation.effect(config) == Effect::Pure && operation.method != "HEAD").then(|| {
        let about = "Reads on where an earlier answer was cut: the text after `part` that stands there.";
        collected.add("part", "answer", json!({ "type": "string", "description": about }), false)
    });
    collected.required.sort_unstable();
    let mut schema = json!({
        "type": "object",
        "properties": collected.properties,
        "required": collected.required,
        "additionalProperties": false,
    });
    let definitions = writer.definitions();
    if let (false, Some(map)) = (definitions.is_empty(), schema.as_object_mut()) {
        map.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Ok(Inputs { schema, parameters, body, part })
}

/// The names in braces of a path.
pub(super) fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// Whether a parameter is set by the configuration, so that a model never sees it.
fn is_ours(parameter: &Parameter<'_>, config: &Config) -> bool {
    let is_header =
        |name: &str| parameter.location == Location::Header && parameter.name.eq_ignore_ascii_case(name);
    let is_key = match &config.auth {
        Auth::Key { place: KeyPlace::Header, name, .. } => is_header(name),
        Auth::Key { place: KeyPlace::Query, name, .. } => {
            parameter.location == Location::Query && parameter.name == name
        }
        Auth::Key { place: KeyPlace::Cookie, name, .. } => {
            parameter.location == Location::Cookie && parameter.name == name
        }
        _ => false,
    };
    is_key
        || config.headers.keys().any(|name| is_header(name))
        || config.idempotency_header.as_deref().is_some_and(is_header)
}

fn written(writer: &mut Writer<'_>, schema: Option<&(&Value, String)>) -> Result<Value> {
    match schema {
        Some((schema, at)) => writer.write(schema, at),
        None => Ok(json!({})),
    }
}

fn described(mut schema: Value, description: Option<&str>) -> Value {
    if let (Some(text), Some(map)) =
        (description.filter(|text| !text.trim().is_empty()), schema.as_object_mut())
    {
        map.insert("description".to_owned(), Value::String(words(text, LONGEST_DESCRIPTION)));
    }
    schema
}

fn content(
    document: &Document,
    writer: &mut Writer<'_>,
    collected: &mut Collected,
    body: &Body<'_>,
) -> Result<Content> {
    let (media, media_type) = (body.media, body.media_type.clone());
    let schema = match media {
        Media::Bytes => file(),
        Media::Text => json!({ "type": "string" }),
        Media::Json | Media::Form | Media::Multipart => written(writer, body.schema.as_ref())?,
    };
    let is_one_value = matches!(media, Media::Bytes | Media::Text);
    let Some(properties) = fields(&schema).filter(|_| !is_one_value) else {
        let schema = described(schema, body.description);
        let argument = collected.add("body", "request", schema, body.required);
        return Ok(Content { media, media_type, required: body.required, shape: Shape::Whole(argument) });
    };
    let is_required = |name: &str| {
        let names = schema.get("required").and_then(Value::as_array);
        body.required && names.is_some_and(|names| names.iter().any(|other| other == name))
    };
    let mut fields = Vec::with_capacity(properties.len());
    for (name, property) in properties {
        let files = if media == Media::Multipart { files(document, body, name) } else { None };
        let encoding = body.encoding.and_then(|encoding| encoding.get(name));
        let form = match encoding {
            Some(encoding) if encoding.get("style").is_some() || encoding.get("explode").is_some() => {
                Form::of(encoding, Location::Query)
            }
            _ => Form::of(&Value::Null, Location::Query),
        };
        let named = encoding.and_then(|encoding| encoding.get("contentType")).and_then(Value::as_str);
        let is_file = files.is_some();
        let schema = match files {
            Some(schema) => described(schema, property.get("description").and_then(Value::as_str)),
            None => property.clone(),
        };
        let argument = collected.add(name, "body", schema, is_required(name));
        let media_type = named.and_then(|list| list.split(',').next()).map(|first| first.trim().to_owned());
        fields.push(Field { argument, name: name.clone(), form, media_type, file: is_file });
    }
    Ok(Content { media, media_type, required: body.required, shape: Shape::Fields(fields) })
}

/// The fields of a body that can stand beside the parameters: those of a plain object that takes no others.
fn fields(schema: &Value) -> Option<&Map<String, Value>> {
    let map = schema.as_object()?;
    let is_open = matches!(map.get("additionalProperties"), Some(Value::Object(_) | Value::Bool(true)));
    let is_choice = ["anyOf", "allOf", "$ref", "not"].iter().any(|keyword| map.contains_key(*keyword));
    let is_object = match map.get("type") {
        Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
        Some(name) => name == "object",
        None => true,
    };
    if is_open || is_choice || !is_object {
        return None;
    }
    map.get("properties")?.as_object().filter(|properties| !properties.is_empty())
}

/// The schema of a field of a multipart body that is a file or a list of files.
fn files(document: &Document, body: &Body<'_>, name: &str) -> Option<Value> {
    let (schema, at) = body.schema.as_ref()?;
    let (schema, at) = document.resolve(schema, at).ok()?;
    let property = schema.get("properties")?.get(name)?;
    let (property, at) = document.resolve(property, &within(&at, name)).ok()?;
    if is_file(property) {
        return Some(file());
    }
    let items = property.get("items")?;
    let (items, _) = document.resolve(items, &within(&at, "items")).ok()?;
    is_file(items).then(|| json!({ "type": "array", "items": file() }))
}

fn is_file(schema: &Value) -> bool {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    text("format") == Some("binary")
        || (text("contentMediaType").is_some() && text("contentEncoding").is_none())
}

/// How a model gives a file.
fn file() -> Value {
    json!({
        "type": "object",
        "description": "A file, with its content as text or in base 64.",
        "properties": {
            "name": { "type": "string", "description": "Such as `invoice.pdf`." },
            "text": { "type": "string" },
            "base64": { "type": "string" },
            "media_type": { "type": "string", "description": "Such as `application/pdf`." },
        },
        "additionalProperties": false,
    })
}
