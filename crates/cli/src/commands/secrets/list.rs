//! `adjutant secrets list`.

use std::collections::BTreeSet;

use adjutant::Project;
use adjutant::project::SecretSource;
use clap::Args;
use serde_json::json;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, Table};

/// Lists the secrets by their names: where each is, and whether it is there. What they are is told nowhere.
#[derive(Args, Debug)]
pub(super) struct Arguments {}

/// One secret.
struct Listed {
    name: String,
    place: String,
    missing: Option<String>,
}

pub(super) fn execute(_: &Arguments, project: &Project, output: Output) -> Ended {
    let places = project.secret_places();
    let mut listed: Vec<Listed> = places
        .named()
        .map(|(name, source)| Listed {
            name: name.to_owned(),
            place: source.to_string(),
            missing: places.at(source).err().map(|error| error.message().to_owned()),
        })
        .collect();
    let in_vault = places.named().filter_map(|(_, source)| match source {
        SecretSource::Vault(name) => Some(name.as_str()),
        _ => None,
    });
    let named: BTreeSet<&str> = in_vault.collect();
    // Who keeps nothing yet needs no key.
    for name in
        project.kept_secrets().unwrap_or_default().into_iter().filter(|name| !named.contains(name.as_str()))
    {
        let place = format!("`{name}` in the vault of the project, not named under `[secrets]`");
        listed.push(Listed { name, place, missing: None });
    }
    if output.json {
        let listed = listed
            .iter()
            .map(|secret| json!({ "name": secret.name, "place": secret.place, "missing": secret.missing }));
        output.json(&listed.collect::<Vec<_>>())?;
        return Ok(Exit::Success);
    }
    if listed.is_empty() {
        output.talk("there are no secrets; `adjutant secrets set NAME` keeps one");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["secret", "place", "state"]);
    for secret in &listed {
        table.row([secret.name.as_str(), &secret.place, secret.missing.as_deref().unwrap_or("there")]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}
