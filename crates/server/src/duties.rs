//! What the service does without being asked.

use std::time::Duration;

use crate::service::Service;

/// How often it is looked whether a trigger is due.
const LOOK: Duration = Duration::from_secs(1);

/// Begins the runs of triggers that come due, for the tenant that the project names.
pub(crate) async fn watch_triggers(service: Service) {
    let triggers = service.tenants().first().triggers();
    let mut watch = triggers.watch();
    loop {
        // What fails is recorded with the trigger, and tried again.
        let _ = watch.look().await;
        tokio::time::sleep(LOOK).await;
    }
}
