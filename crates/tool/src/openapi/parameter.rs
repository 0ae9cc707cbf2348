//! Parameters of an operation.

use adjutant_core::Result;
use serde_json::Value;

use super::document::{Document, within};

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Location {
    Path,
    Query,
    Header,
    Cookie,
}

impl Location {
    /// The word for it in documents and in the names of arguments.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

/// How lists and objects are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Simple,
    Label,
    Matrix,
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
    /// As JSON text.
    Json,
}

/// How one value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) style: Style,
    pub(super) explode: bool,
    /// Whether characters with a meaning of their own stay as they are.
    pub(super) reserved: bool,
}

impl Form {
    /// The form that a node says, for values at a place.
    pub(super) fn of(node: &Value, location: Location) -> Self {
        let usual = match location {
            Location::Path | Location::Header => Style::Simple,
            Location::Query | Location::Cookie => Style::Form,
        };
        let style = match node.get("style").and_then(Value::as_str) {
            Some("simple") => Style::Simple,
            Some("label") => Style::Label,
            Some("matrix") => Style::Matrix,
            Some("form") => Style::Form,
            Some("spaceDelimited") => Style::SpaceDelimited,
            Some("pipeDelimited") => Style::PipeDelimited,
            Some("deepObject") => Style::DeepObject,
            _ => usual,
        };
        let flag = |key: &str| node.get(key).and_then(Value::as_bool);
        let explode = flag("explode").unwrap_or(style == Style::Form);
        Self { style, explode, reserved: flag("allowReserved").unwrap_or(false) }
    }

    /// As JSON text.
    pub(super) const JSON: Self = Self { style: Style::Json, explode: false, reserved: false };
}

/// A parameter of an operation.
#[derive(Clone, Debug)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a str,
    pub(super) location: Location,
    pub(super) required: bool,
    pub(super) description: Option<&'a str>,
    pub(super) form: Form,
    /// The schema and its place.
    pub(super) schema: Option<(&'a Value, String)>,
}

/// Headers that a parameter cannot set: OpenAPI says that they are ignored.
const IGNORED: [&str; 3] = ["accept", "content-type", "authorization"];

/// The parameters of an operation: its own, and those of its path that it does not replace.
pub(super) fn read<'a>(
    document: &'a Document,
    path_item: (&'a Value, &str),
    operation: (&'a Value, &str),
) -> Result<Vec<Parameter<'a>>> {
    let mut parameters: Vec<Parameter<'a>> = Vec::new();
    for (node, at) in [operation, path_item] {
        let at = within(at, "parameters");
        let list = match node.get("parameters") {
            None => continue,
            Some(Value::Array(list)) => list,
            Some(_) => return Err(document.fault(&at, "must be a list")),
        };
        for (place, node) in list.iter().enumerate() {
            let parameter = one(document, node, &within(&at, &place.to_string()))?;
            let is_same =
                |other: &Parameter<'_>| other.location == parameter.location && other.name == parameter.name;
            let is_ignored = parameter.location == Location::Header
                && IGNORED.iter().any(|name| parameter.name.eq_ignore_ascii_case(name));
            if !is_ignored && !parameters.iter().any(is_same) {
                parameters.push(parameter);
            }
        }
    }
    parameters.sort_by_key(|parameter| parameter.location);
    Ok(parameters)
}

fn one<'a>(document: &'a Document, node: &'a Value, at: &str) -> Result<Parameter<'a>> {
    let (node, at) = document.resolve(node, at)?;
    let text = |key: &str| node.get(key).and_then(Value::as_str);
    let name = text("name").ok_or_else(|| document.fault(&at, "a parameter must have a `name`"))?;
    let location = match text("in") {
        Some("path") => Location::Path,
        Some("query") => Location::Query,
        Some("header") => Location::Header,
        Some("cookie") => Location::Cookie,
        _ => {
            let why = "`in` must be `path`, `query`, `header` or `cookie`";
            return Err(document.fault(&within(&at, "in"), why));
        }
    };
    let content = node.get("content").and_then(Value::as_object).and_then(|content| content.iter().next());
    let (schema, form) = match content {
        Some((media_type, inner)) => {
            let at = within(&within(&within(&at, "content"), media_type), "schema");
            (inner.get("schema").map(|schema| (schema, at)), Form::JSON)
        }
        None => (node.get("schema").map(|schema| (schema, within(&at, "schema"))), Form::of(node, location)),
    };
    let required = location == Location::Path || node.get("required") == Some(&Value::Bool(true));
    Ok(Parameter { name, location, required, description: text("description"), form, schema })
}
