//! `adjutant triggers list`.

use adjutant::Adjutant;
use adjutant::project::{TriggerSettings, TriggerSource};
use serde_json::json;

use super::log::fate;
use crate::exit::{Ended, Exit};
use crate::screen::{Output, Table, local_time};

pub(super) async fn execute(adjutant: &Adjutant, output: Output) -> Ended {
    let triggers = adjutant.triggers();
    let all = triggers.all();
    let mut rows = Vec::new();
    for (name, trigger) in &all {
        rows.push((name, trigger, triggers.upcoming(trigger), triggers.log(Some(name), 1).await?.pop()));
    }
    if output.json {
        let rows = rows.iter().map(|(name, trigger, upcoming, last)| {
            json!({
                "name": name, "run": trigger.run, "source": source(trigger), "enabled": trigger.enabled,
                "next": upcoming, "last": last,
            })
        });
        output.json(&rows.collect::<Vec<_>>())?;
        return Ok(Exit::Success);
    }
    if rows.is_empty() {
        output.talk("the project has no triggers; write one: `[triggers.NAME]` in adjutant.toml");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["trigger", "runs", "on", "next", "last"]);
    for (name, trigger, upcoming, last) in rows {
        let next = match (trigger.enabled, upcoming) {
            (false, _) => "off".to_owned(),
            (true, next) => next.map(local_time).unwrap_or_default(),
        };
        let last = last.map(|last| format!("{} {}", local_time(last.due), fate(&last.fate)));
        table.row([name, &trigger.run, &source(trigger), &next, &last.unwrap_or_default()]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

/// Where the occurrences of a trigger come from, in a few words.
fn source(trigger: &TriggerSettings) -> String {
    match &trigger.source {
        TriggerSource::Cron { schedule, .. } => schedule.text().to_owned(),
        TriggerSource::Folder { shown, pattern, .. } => format!("{shown}/{pattern}"),
        TriggerSource::Webhook { path, .. } => format!("messages at {path}"),
    }
}
