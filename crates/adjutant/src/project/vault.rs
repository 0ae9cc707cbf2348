//! `[vault]`: where the key of what is kept encrypted is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adjutant_agent::definition::document::Table;
use adjutant_store::SystemClock;
use adjutant_tool::vault::{KeyPlace, Vault};

use super::environment::Environment;
use super::load::Project;
use super::secrets::SecretSource;

/// The folder of the vault, within that of the project.
const FOLDER: &str = ".adjutant/vault";

impl Project {
    /// Where its vault is; none of a project without files.
    pub(crate) fn vault_folder(&self) -> Option<PathBuf> {
        self.has_files.then(|| self.folder.join(FOLDER))
    }
}

/// Reads `[vault]`. Where it says nothing, the key is a file in this user's folder of configurations.
pub(super) fn read(
    root: &Table<'_>,
    folder: &Path,
    environment: &Environment,
    secrets: &BTreeMap<String, SecretSource>,
) -> Vault {
    let mut previous = Vec::new();
    let named = root.table("vault").and_then(|table| {
        let key = table.text("key").map(str::to_owned);
        if let Some(secret) = key.as_ref().filter(|secret| !secrets.contains_key(*secret)) {
            let place = table.value("key").map_or(table.place(), |node| node.place);
            let message = format!("`vault.key` names the secret `{secret}`, which is not there");
            let help = format!("add it: `[secrets]` and `{secret} = {{ env = \"NAME\" }}`");
            table.problems().report_with(place, message, help);
        }
        for (secret, place) in table.texts("previous").unwrap_or_default() {
            if !secrets.contains_key(secret) {
                let message = format!("`vault.previous` names the secret `{secret}`, which is not there");
                table.problems().report(place, message);
            }
            previous.push(secret.to_owned());
        }
        let kept = key.iter().chain(&previous).filter(|name| {
            let source = secrets.get(name.as_str());
            matches!(source, Some(SecretSource::Vault(_)))
        });
        for name in kept {
            let message = format!("the key of the vault, `{name}`, cannot be in the vault");
            let help = format!("say another place: `{name} = {{ file = \"...\" }}` under `[secrets]`");
            table.problems().report_with(table.place(), message, help);
        }
        table.finish();
        key
    });
    match named {
        Some(secret) => vault(folder, KeyPlace::Secret(secret)).with_previous(previous),
        None => default_in(folder, environment),
    }
}

/// The vault where nothing is said of it: its key is a file in this user's folder of configurations.
pub(super) fn default_in(folder: &Path, environment: &Environment) -> Vault {
    vault(
        folder,
        own_folder(environment).map_or(KeyPlace::Nowhere, |own| KeyPlace::File(own.join("vault.key"))),
    )
}

fn vault(folder: &Path, key: KeyPlace) -> Vault {
    Vault::new(folder.join(FOLDER), key, Arc::new(SystemClock))
}

/// Where the configuration of this user stands (XDG Base Directory).
fn own_folder(environment: &Environment) -> Option<PathBuf> {
    let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let configurations = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(configurations.join("adjutant"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stands_where_this_user_keeps_configurations() {
        for (variables, expected) in [
            (vec![("HOME", "/home/ada")], Some("/home/ada/.config/adjutant")),
            (vec![("HOME", "/home/ada"), ("XDG_CONFIG_HOME", "/c")], Some("/c/adjutant")),
            (vec![("HOME", "/home/ada"), ("XDG_CONFIG_HOME", "c")], Some("/home/ada/.config/adjutant")),
            (vec![], None),
        ] {
            let environment: Environment = variables.into_iter().collect();
            assert_eq!(own_folder(&environment), expected.map(PathBuf::from));
        }
    }
}
