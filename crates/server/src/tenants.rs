//! [`Tenants`]: each tenant's part of the service.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adjutant::Adjutant;
use adjutant_core::Result;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long to wait before runs are driven again, where the store did not let them be.
const PAUSE: Duration = Duration::from_secs(1);

/// Each tenant's part of the service, whose runs are driven from when it is first asked for.
pub(crate) struct Tenants {
    first: Adjutant,
    open: Mutex<HashMap<Arc<str>, Adjutant>>,
    driving: TaskTracker,
    stop: CancellationToken,
}

impl Tenants {
    pub(crate) fn new(first: Adjutant) -> Self {
        Self { first, open: Mutex::default(), driving: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// What the service was made of: the tenant that the project names.
    pub(crate) fn first(&self) -> &Adjutant {
        &self.first
    }

    /// The part of one tenant. Only who is known to be of a tenant may be given it.
    pub(crate) fn of(&self, tenant: &str) -> Result<Adjutant> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(adjutant) = open.get(tenant) {
            return Ok(adjutant.clone());
        }
        let adjutant = self.first.of_tenant(tenant)?;
        open.insert(tenant.into(), adjutant.clone());
        if !self.stop.is_cancelled() {
            self.driving.spawn(drive(adjutant.clone(), self.stop.clone()));
        }
        Ok(adjutant)
    }

    /// Every part that is open.
    pub(crate) fn all(&self) -> Vec<Adjutant> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Lets go of all runs: what waits stays as it is, and what is at work is left at its last record, for whoever drives it next.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        self.driving.close();
        self.driving.wait().await;
    }
}

/// Drives the runs of a tenant. Where the store fails, it is tried again after a while: the service stays up and says so.
async fn drive(adjutant: Adjutant, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = adjutant.serve(stop.clone()).await {
            tracing::error!(target: "adjutant::service", tenant = &*adjutant.scope().tenant, %error, "runs cannot be driven");
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}
