//! What the service does without being asked.

use std::time::Duration;

use crate::service::Service;

/// How often it is written down what was used.
const SETTLE: Duration = Duration::from_secs(5);

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

/// Writes down what clients have used of models, now and then.
pub(crate) async fn settle(service: Service) {
    loop {
        tokio::time::sleep(SETTLE).await;
        for adjutant in service.tenants().all() {
            // What cannot be written is written the next time.
            let _ = adjutant.gateway().settle().await;
        }
    }
}
