//! Whether the service is there and can work.

use adjutant_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::Serialize;

use crate::endpoint::{Found, Operation, Routes};
use crate::service::Service;

/// How the service is.
#[derive(JsonSchema, Serialize)]
struct Health {
    /// `ok`.
    status: &'static str,
    /// The version of Adjutant.
    version: &'static str,
}

const OK: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

pub(super) fn routes() -> Routes {
    Routes::default()
        .open(&Operation::look("/api/health/live", "live", "Whether the process answers").of("Health"), live)
        .open(
            &Operation::look("/api/health/ready", "ready", "Whether it takes work")
                .of("Health")
                .said("It does not while it stops, and while its store cannot be written to.")
                .fails(&[Code::Overloaded, Code::StoreUnavailable, Code::StoreFull]),
            ready,
        )
}

async fn live(_: Service) -> Result<Found<Health>> {
    Ok(Found(OK))
}

async fn ready(service: Service) -> Result<Found<Health>> {
    if service.leaving().is_cancelled() {
        return Err(Error::new(Code::Overloaded, "the service is about to stop"));
    }
    service.tenants().first().runs(1).await?;
    Ok(Found(OK))
}
