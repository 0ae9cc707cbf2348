//! The reference page, `/docs`: the OpenAPI document as people read it.
//!
//! One page that loads nothing: its style and its few lines of script stand in it, and a browser runs those alone, by their hashes.

mod page;
mod shape;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::Value;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page, made once.
#[derive(Clone)]
pub(crate) struct Reference {
    text: bytes::Bytes,
    policy: HeaderValue,
}

impl Reference {
    /// The page of a document.
    pub(crate) fn of(document: &Value) -> Self {
        let text = page::page(document, STYLE, SCRIPT).into();
        let (style, script) = (hash(STYLE), hash(SCRIPT));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        let nothing = HeaderValue::from_static("default-src 'none'");
        Self { text, policy: HeaderValue::from_str(&policy).unwrap_or(nothing) }
    }
}

/// What a browser knows a piece of a page by.
fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

impl IntoResponse for Reference {
    fn into_response(self) -> Response {
        let mut response = self.text.into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, self.policy);
        response
    }
}
