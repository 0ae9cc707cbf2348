//! A request made of the arguments of a call. Pure.

mod content;
mod multipart;
mod style;

use adjutant_core::{Code, Error, Result};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

use super::inputs::{Inputs, Placed};
use super::parameter::Location;

/// What is sent, without what shows who asks.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
}

/// Where an operation is.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) method: Method,
    /// The address that all paths are added to; its path ends without `/`.
    pub(super) base: Url,
    pub(super) path: String,
}

fn wrong(why: impl Into<String>) -> Error {
    Error::new(Code::ToolArguments, why)
}

/// Makes the request of a call. Fails with [`Code::ToolArguments`].
pub(super) fn prepare(target: &Target, inputs: &Inputs, arguments: &Map<String, Value>) -> Result<Request> {
    let given = |placed: &Placed| arguments.get(&placed.argument).filter(|value| !value.is_null());
    let at = |location: Location| {
        inputs
            .parameters
            .iter()
            .filter(move |placed| placed.location == location)
            .filter_map(|placed| Some((placed, given(placed)?)))
    };
    let mut path = target.path.clone();
    for (placed, value) in at(Location::Path) {
        path = path.replace(&format!("{{{}}}", placed.name), &segment(placed, value)?);
    }
    let mut url = address(&target.base, &path)?;
    let pairs: Vec<String> = at(Location::Query)
        .flat_map(|(placed, value)| style::query(&placed.name, value, placed.form))
        .collect();
    if !pairs.is_empty() {
        url.set_query(Some(&pairs.join("&")));
    }
    let mut headers = HeaderMap::new();
    for (placed, value) in at(Location::Header) {
        let name = HeaderName::try_from(placed.name.as_str())
            .map_err(|_| wrong(format!("`{}` cannot be the name of a header", placed.name)))?;
        let value = HeaderValue::from_str(&style::header(value, placed.form))
            .map_err(|_| wrong(format!("`{}` holds characters that no header may hold", placed.argument)))?;
        headers.append(name, value);
    }
    let cookies: Vec<String> = at(Location::Cookie)
        .flat_map(|(placed, value)| style::query(&placed.name, value, placed.form))
        .collect();
    if let Ok(cookies) = HeaderValue::from_str(&cookies.join("; "))
        && !cookies.is_empty()
    {
        headers.insert(COOKIE, cookies);
    }
    let mut body = None;
    if let Some(content) = &inputs.body
        && let Some((media_type, bytes)) = content::write(content, arguments)?
    {
        if let Ok(media_type) = HeaderValue::from_str(&media_type) {
            headers.insert(CONTENT_TYPE, media_type);
        }
        body = Some(bytes);
    }
    Ok(Request { method: target.method.clone(), url, headers, body })
}

/// A value within the path. It stays one step of it: `..` would lead elsewhere, and nothing would leave it out.
fn segment(placed: &Placed, value: &Value) -> Result<String> {
    let text = style::path(&placed.name, value, placed.form);
    let plain = style::text(value);
    if text.is_empty() || matches!(plain.as_str(), "." | "..") {
        return Err(wrong(format!("`{}` cannot be {value} in a path", placed.argument)));
    }
    Ok(text)
}

/// The address of a path, which must lie below the base.
fn address(base: &Url, path: &str) -> Result<Url> {
    let outside =
        || wrong(format!("`{}` leads out of the service", path.chars().take(200).collect::<String>()));
    let base_text = base.as_str().trim_end_matches('/');
    let url = Url::parse(&format!("{base_text}{path}")).map_err(|_| outside())?;
    let below = url.path().starts_with(base.path().trim_end_matches('/'));
    // What a document writes behind its path is none of our arguments.
    if url.origin() != base.origin() || !below || url.fragment().is_some() || !url.username().is_empty() {
        return Err(outside());
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
