//! [`Routes`]: endpoints and what is said of them.

use std::future::Future;
use std::sync::Arc;

use adjutant_core::Result;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::answer::Answer;
use super::body::{self, Body};
use super::call::{self, Call, Nothing};
use super::document::{Access, Document};
use super::operation::Operation;
use super::strict::Strict;
use crate::problem::Refusal;
use crate::service::Service;

/// Endpoints, and the document that describes them.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<Service>,
    document: Document,
}

impl Routes {
    /// Answers an operation by a handler.
    pub(crate) fn on<P, Q, B, A, F>(
        mut self,
        operation: Operation,
        handler: impl Fn(Call<P, Q, B>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        P: DeserializeOwned + JsonSchema + Send + 'static,
        Q: DeserializeOwned + JsonSchema + Send + 'static,
        B: Body + 'static,
        A: Answer,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        self.document.add::<P, Q, B, A>(&operation, Access::Guarded);
        let (method, path) = (operation.method, operation.path);
        let known = Arc::new((operation, Strict::of::<B>()));
        let answer = move |State(service): State<Service>, request: Request| {
            let (known, handler) = (Arc::clone(&known), handler.clone());
            async move {
                match answer(service, &known.0, &known.1, request, handler).await {
                    Ok(answer) => answer.into_response(),
                    Err(refusal) => refusal.into_response(),
                }
            }
        };
        self.router = self.router.route(path, on(method, answer));
        self
    }

    /// Answers an operation for everybody, without asking who it is. It gives nothing of any tenant.
    pub(crate) fn open<A, F>(
        mut self,
        operation: &Operation,
        handler: impl Fn(Service) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        A: Answer,
        F: Future<Output = Result<A>> + Send + 'static,
    {
        self.document.add::<Nothing, Nothing, Nothing, A>(operation, Access::Open);
        let answer = move |State(service): State<Service>| {
            let handler = handler.clone();
            async move {
                match handler(service).await {
                    Ok(answer) => answer.into_response(),
                    Err(error) => Refusal::from(error).into_response(),
                }
            }
        };
        self.router = self.router.route(operation.path, on(operation.method, answer));
        self
    }

    /// Adds other endpoints.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.document.merge(other.document);
        self
    }

    /// The endpoints, and the document that describes them.
    pub(crate) fn finish(self) -> (Router<Service>, serde_json::Value) {
        (self.router, self.document.finish())
    }
}

/// Answers one request: who asks and whether they may comes before anything that they say is looked at.
async fn answer<P, Q, B, A, F>(
    service: Service,
    operation: &Operation,
    strict: &Strict,
    request: Request,
    handler: impl Fn(Call<P, Q, B>) -> F,
) -> Result<Response, Refusal>
where
    P: DeserializeOwned,
    Q: DeserializeOwned,
    B: Body,
    A: Answer,
    F: Future<Output = Result<A>>,
{
    let (mut parts, body) = request.into_parts();
    let caller = service.identify(&parts).await?;
    caller.must(operation.needs)?;
    if !operation.for_own {
        caller.oversee()?;
    }
    let path = call::path(&mut parts).await?;
    let query = call::query(&parts)?;
    let most = operation.largest.unwrap_or(service.largest_body());
    let taken = body::take(&service, &parts.headers, body, most).await?;
    let (body, _room) = (B::read(&parts.headers, &taken.bytes)?, taken.room);
    strict.check(&taken.bytes)?;
    let call = Call { caller, service, path, query, body, parts };
    Ok(handler(call).await.map_err(Refusal::of_sense)?.into_response())
}
