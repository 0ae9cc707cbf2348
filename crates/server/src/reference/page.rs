//! The page as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::shape;

/// One operation, as it stands in the document.
struct Operation<'a> {
    id: &'a str,
    verb: &'a str,
    path: &'a str,
    about: &'a Value,
}

impl Operation<'_> {
    /// What it is found by.
    fn words(&self) -> String {
        let text = |key: &str| self.about.get(key).and_then(Value::as_str).unwrap_or_default();
        let words = [self.id, self.verb, self.path, text("summary"), text("description")].join(" ");
        escaped(&words.to_lowercase())
    }
}

/// The page of a document.
pub(super) fn page(document: &Value, style: &str, script: &str) -> String {
    let info = |key: &str| {
        escaped(document.pointer(&format!("/info/{key}")).and_then(Value::as_str).unwrap_or_default())
    };
    let (title, version, about) = (info("title"), info("version"), prose(&info("description")));
    let (mut nav, mut main) = (String::new(), String::new());
    for (tag, operations) in by_tag(document) {
        let tag = escaped(tag);
        let _ = write!(nav, "<h2>{tag}</h2><ul>");
        let _ = write!(main, "<section><h2>{tag}</h2>");
        for operation in operations {
            let (id, verb, path, words) =
                (escaped(operation.id), escaped(operation.verb), escaped(operation.path), operation.words());
            let summary = text(operation.about, "summary");
            let _ = write!(nav, "<li data-words=\"{words}\"><a href=\"#{id}\">{summary}</a></li>");
            let _ = write!(
                main,
                "<article id=\"{id}\" data-words=\"{words}\"><h3><span class=\"verb\">{verb}</span> \
                 <span class=\"path\">{path}</span></h3><p><b>{summary}</b></p>{}{}</article>",
                paragraphs(&text(operation.about, "description")),
                details(document, operation.about),
            );
        }
        nav.push_str("</ul>");
        main.push_str("</section>");
    }
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title} {version}</title><style>{style}</style></head><body>\
         <nav><input id=\"search\" type=\"search\" placeholder=\"Search (/)\" aria-label=\"Search\" autocomplete=\"off\">{nav}</nav>\
         <main><h1>{title} <span class=\"faint\">{version}</span></h1><p>{about}</p>\
         <p><a href=\"/api/openapi.json\">OpenAPI document</a></p>{main}</main><script>{script}</script></body></html>"
    )
}

/// The operations under what they belong to.
fn by_tag(document: &Value) -> BTreeMap<&str, Vec<Operation<'_>>> {
    let mut tags: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    for (path, operations) in paths {
        for (verb, about) in operations.as_object().into_iter().flatten() {
            let tag = about.pointer("/tags/0").and_then(Value::as_str).unwrap_or_default();
            let id = about.get("operationId").and_then(Value::as_str).unwrap_or_default();
            tags.entry(tag).or_default().push(Operation { id, verb, path, about });
        }
    }
    tags
}

/// What it takes and what it answers.
fn details(document: &Value, operation: &Value) -> String {
    let mut out = String::new();
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let rows = parameters.map(|parameter| {
        let place = text(parameter, "in");
        let kind = parameter.get("schema").map(shape::kind).unwrap_or_default();
        format!(
            "<tr><td><code>{}</code></td><td class=\"faint\">{place}, {}</td><td>{}</td></tr>",
            text(parameter, "name"),
            escaped(&kind),
            prose(&text(parameter, "description"))
        )
    });
    let rows: String = rows.collect();
    if !rows.is_empty() {
        let _ = write!(out, "<table>{rows}</table>");
    }
    if let Some((media, schema)) = operation.get("requestBody").and_then(content) {
        let shape = shape::render(document, schema);
        let _ =
            write!(out, "<details><summary>Body, <code>{}</code></summary>{shape}</details>", escaped(media));
    }
    for (status, answer) in operation.get("responses").and_then(Value::as_object).into_iter().flatten() {
        let (status, about) = (escaped(status), text(answer, "description"));
        // Problems look alike everywhere.
        match content(answer).filter(|_| status.starts_with('2')) {
            Some((media, schema)) => {
                let (media, shape) = (escaped(media), shape::render(document, schema));
                let _ = write!(
                    out,
                    "<details><summary>{status} {about}, <code>{media}</code></summary>{shape}</details>"
                );
            }
            None => {
                let _ = write!(out, "<p class=\"faint\">{status} {about}</p>");
            }
        }
    }
    out
}

/// The first form of a body.
fn content(of: &Value) -> Option<(&str, &Value)> {
    let (media, form) = of.get("content")?.as_object()?.iter().next()?;
    Some((media, form.get("schema")?))
}

/// A text of the document, as it may stand in a page.
fn text(of: &Value, key: &str) -> String {
    escaped(of.get(key).and_then(Value::as_str).unwrap_or_default())
}

fn paragraphs(escaped: &str) -> String {
    escaped
        .split("\n\n")
        .filter(|text| !text.is_empty())
        .map(|text| format!("<p>{}</p>", prose(text)))
        .collect()
}

/// What stands between backticks is code.
pub(super) fn prose(escaped: &str) -> String {
    let parts = escaped.split('`').enumerate();
    let parts = parts.map(|(number, part)| match number % 2 {
        1 => format!("<code>{part}</code>"),
        _ => part.to_owned(),
    });
    parts.collect()
}

/// A text in which nothing is markup.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
