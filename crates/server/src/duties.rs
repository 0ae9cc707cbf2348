//! What the service does without being asked.

use std::time::Duration;

use adjutant::Watcher;
use serde_json::Value;

use crate::service::Service;

/// How often it is written down what was used.
const SETTLE: Duration = Duration::from_secs(5);

/// How often it is looked whether a trigger is due.
const LOOK: Duration = Duration::from_secs(1);

/// How often the runs are counted that wait for their turn.
const COUNT: Duration = Duration::from_millis(250);

/// Who does what the service does by itself, in the audit log.
const SERVICE: &str = "service";

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

/// Counts the runs that wait for their turn.
pub(crate) async fn watch_queue(service: Service) {
    loop {
        // A store that cannot be read says so to whoever asks it for something.
        let _ = service.count_queued().await;
        tokio::time::sleep(COUNT).await;
    }
}

/// Lets files of the project hold that have changed. Where something is wrong with them, what held before goes on holding.
pub(crate) async fn watch_files(service: Service) {
    let project = service.tenants().first();
    let mut watcher = Watcher::new(&project.project());
    loop {
        let (next, changed) = watcher.changed().await;
        watcher = next;
        let now = project.project();
        let within =
            |path: &std::path::PathBuf| path.strip_prefix(now.folder()).unwrap_or(path).display().to_string();
        let files: Vec<_> = changed.iter().map(within).collect();
        let files = files.join(", ");
        let reloaded = project.reload_files().await;
        let what = if reloaded.is_ok() { "files.taken" } else { "files.refused" };
        // Where the store does not take it, the log has it.
        let _ = project.audit().record(SERVICE, what, &files, Value::Null).await;
        match reloaded {
            Ok(_) => tracing::info!(target: "adjutant::service", files, "changed files of the project hold now"),
            Err(errors) => errors.iter().for_each(|error| {
                tracing::error!(target: "adjutant::service", files, %error, "changed files of the project do not hold");
            }),
        }
    }
}
