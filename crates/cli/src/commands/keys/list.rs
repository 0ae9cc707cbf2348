//! `adjutant keys list`.

use adjutant::durable::KeyInfo;
use adjutant::{Keys, SystemClock};
use adjutant_core::time::{Clock, Timestamp};
use clap::Args;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, Table, local_time};

/// Lists the keys, the newest first: who made them, what may be done with them, and when they were last used.
#[derive(Args, Debug, Default)]
pub(super) struct Arguments {
    /// Those too that are over or were taken back.
    #[arg(long)]
    all: bool,
}

pub(super) async fn execute(arguments: &Arguments, keys: &Keys, output: Output) -> Ended {
    let now = SystemClock.now();
    let mut listed = keys.list().await?;
    listed.retain(|key| arguments.all || key.holds(now));
    if output.json {
        output.json(&listed)?;
        return Ok(Exit::Success);
    }
    if listed.is_empty() {
        output.talk("there is no key; `adjutant keys create NAME --role ROLE` makes one");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["key", "name", "role", "scopes", "state", "by", "made", "used"]);
    for key in &listed {
        table.row([
            key.id.as_str(),
            &key.name,
            key.role.as_str(),
            &key.scopes.join(" "),
            &state(key, now),
            &key.by,
            &local_time(key.created),
            &key.used.map(local_time).unwrap_or_default(),
        ]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

/// How a key stands, in a few words.
fn state(key: &KeyInfo, now: Timestamp) -> String {
    let replaced = key.replaced_by.as_ref().map(|by| format!(", replaced by {by}")).unwrap_or_default();
    match (&key.revoked, key.expires) {
        (Some(revoked), _) => format!("taken back by {} at {}", revoked.by, local_time(revoked.at)),
        (None, Some(expires)) if expires <= now => format!("over{replaced}"),
        (None, Some(expires)) => format!("until {}{replaced}", local_time(expires)),
        (None, None) => "holds".to_owned(),
    }
}
