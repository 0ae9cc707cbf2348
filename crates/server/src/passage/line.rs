//! [`Line`]: one request as the log and the measures have it.

use std::time::Instant;

use adjutant_core::Code;
use adjutant_core::error::Kind;
use axum::extract::MatchedPath;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, Request};

use super::id;
use super::witness::Witness;
use crate::metrics::Asked;
use crate::service::Service;

/// The header of an answer that names the run which was begun.
pub(crate) const RUN: &str = "x-adjutant-run";

/// What stands for the status of an answer for which nobody waited any more.
const CLIENT_GONE: u16 = 499;

/// What stands for the route of a request for what there is not.
const NOWHERE: &str = "none";

/// One request as the log and the measures have it: where it went and how it ended, and nothing of what was said. It is written
/// when it is dropped, so also of a request whose client went away.
pub(super) struct Line<'a> {
    service: &'a Service,
    witness: &'a Witness,
    began: Instant,
    asked: Asked,
    trace: Option<String>,
    run: Option<HeaderValue>,
    status: u16,
    code: Option<Code>,
}

impl<'a> Line<'a> {
    pub(super) fn begin<B>(service: &'a Service, witness: &'a Witness, request: &Request<B>) -> Self {
        let route = request.extensions().get::<MatchedPath>().map_or(NOWHERE, MatchedPath::as_str);
        let asked = Asked { method: method(request.method()), route: route.to_owned() };
        let headers: &HeaderMap = request.headers();
        let trace = id::trace(headers).map(str::to_owned);
        service.metrics().began();
        Self {
            service,
            witness,
            began: Instant::now(),
            asked,
            trace,
            run: None,
            status: CLIENT_GONE,
            code: None,
        }
    }

    pub(super) fn is_answered(&mut self, response: &Response) {
        self.status = response.status().as_u16();
        self.run = response.headers().get(RUN).cloned();
        self.code = response.extensions().get::<Code>().copied();
        if self.code.is_some_and(|code| code.kind() == Kind::Store) {
            self.service.metrics().store_failed();
        }
    }
}

/// A method by a name that is one of a few: what is counted by it must stay bounded.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        _ => "other",
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let Self { witness, asked, status, .. } = self;
        self.service.metrics().ended(asked, *status, took);
        let who = witness.who();
        tracing::info!(
            target: "adjutant::request",
            request = witness.id.to_str().unwrap_or_default(),
            trace = self.trace.as_deref(),
            address = %witness.peer.address,
            tenant = who.map(|who| who.tenant.as_ref()),
            principal = who.map(|who| who.name.as_str()),
            run = self.run.as_ref().and_then(|run| run.to_str().ok()),
            method = asked.method,
            route = asked.route,
            status = *status,
            code = self.code.map(Code::as_str),
            ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
    }
}
