//! What is counted, told to whoever watches over the service.

use std::collections::BTreeMap;

use adjutant_core::role::Role;
use adjutant_core::{Code, Error, Result};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;

use super::measures::Now;
use crate::problem::Refusal;
use crate::service::Service;

/// The type of the answer: OpenMetrics, which Prometheus reads.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a key must be confined to that is for this and nothing else.
const SCOPE: &str = "service:metrics";

/// Answers on the service's own address: somebody of the project's own tenant, with a key for this, or an administrator. What is
/// counted is of all tenants together.
pub(crate) async fn guarded(State(service): State<Service>, parts: Parts) -> Response {
    let told = async {
        let caller = service.identify(&parts).await?;
        let (who, own) = (caller.who(), service.tenants().first().scope());
        let may =
            who.role == Role::Admin && who.scopes.is_empty() || who.scopes.iter().any(|scope| scope == SCOPE);
        if who.tenant != own.tenant || !may {
            let message = format!("`{}` may not see what is counted of the service", who.name);
            let help =
                format!("make a key for it: `adjutant keys create NAME --role viewer --scope {SCOPE}`");
            return Err(Error::new(Code::Forbidden, message).with_help(help));
        }
        tell(&service).await
    };
    told.await.unwrap_or_else(|error| Refusal::from(error).into_response())
}

/// Answers on an address of its own, to everybody who reaches it.
pub(crate) async fn open(State(service): State<Service>) -> Response {
    tell(&service).await.unwrap_or_else(|error| Refusal::from(error).into_response())
}

async fn tell(service: &Service) -> Result<Response> {
    let mut runs = BTreeMap::<&'static str, u64>::new();
    let tenants = service.tenants().all();
    for tenant in &tenants {
        for (state, number) in tenant.engine().tally().await? {
            *runs.entry(state.as_str()).or_default() += number;
        }
    }
    let now = Now {
        streams: service.streams(),
        tenants: tenants.len(),
        draining: service.draining().is_cancelled(),
        runs: runs.into_iter().collect(),
    };
    let text = service
        .metrics()
        .write(&now)
        .map_err(|error| Error::new(Code::Internal, "what is counted cannot be written").caused_by(&error))?;
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], text).into_response())
}
