//! `[models]` of `adjutant.toml`.

use adjutant_core::nearest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adjutant_agent::definition::document::{Entry, Place, Table};
use adjutant_model::provider::Provider;

use super::endpoint::{self, Endpoint};

/// What stands for one role.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelSettings {
    /// What another role has, or a model id: `fast = "main"`, `fast = "openai/gpt-4.1-mini"`.
    Same(String, Place),
    /// The built-in model.
    Offline,
    /// A model of a provider.
    Endpoint(Box<Endpoint>),
    /// A model in a folder of this machine, which makes vectors.
    Local(LocalModel),
}

/// A model in a folder of this machine, which makes vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalModel {
    /// What the model is called here: `local/all-minilm-l6-v2`.
    pub id: String,
    /// The folder of its files.
    pub folder: PathBuf,
    /// How many numbers a vector shall have.
    pub dimensions: Option<usize>,
}

/// What stands for a provider where the model is in a folder of this machine.
const LOCAL: &str = "local";

/// Reads `[models]`. What is wrong is noted and left out.
pub(in crate::project) fn read(root: &Table<'_>, folder: &Path) -> BTreeMap<String, ModelSettings> {
    let mut roles = BTreeMap::new();
    for entry in root.named("models") {
        if let Some(settings) = read_role(root, entry, folder) {
            if !is_role(&entry.key) {
                root.problems().report_with(
                    entry.place,
                    format!("`{}` cannot be the name of a role", entry.key),
                    "use letters, digits, - and _, as in `main` or `fast`",
                );
            }
            roles.insert(entry.key.clone(), settings);
        }
    }
    check_ids(root, &roles);
    check_references(root, &roles);
    roles
}

fn is_role(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name != Provider::OFFLINE
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn read_role(root: &Table<'_>, entry: &Entry, folder: &Path) -> Option<ModelSettings> {
    if let Some(text) = entry.value.as_text() {
        return Some(ModelSettings::Same(text.trim().to_owned(), entry.value.place));
    }
    let table = Table::new(&entry.value, format!("models.{}", entry.key), root.problems())?;
    table.require(
        "provider",
        "add `provider = \"openai\"`: whoever speaks its interface is reached with a `base_url`",
    );
    let settings = match table.text("provider") {
        Some(Provider::OFFLINE) => {
            table.finish();
            return Some(ModelSettings::Offline);
        }
        Some(LOCAL) => {
            let local = read_local(&table, folder);
            table.finish();
            return local.map(ModelSettings::Local);
        }
        Some(name) => match Provider::named(name) {
            Some(provider) => endpoint::read(&table, provider, folder),
            None => {
                unknown_provider(&table, name);
                endpoint::read(&table, Provider::ALL.first().copied()?, folder);
                None
            }
        },
        None => {
            // The other keys are looked at all the same, so that everything is reported together.
            endpoint::read(&table, Provider::ALL.first().copied()?, folder);
            None
        }
    };
    table.finish();
    settings.map(|endpoint| ModelSettings::Endpoint(Box::new(endpoint)))
}

fn read_local(table: &Table<'_>, folder: &Path) -> Option<LocalModel> {
    table.require(
        "folder",
        "add `folder = \"...\"`: where `config.json` and `model.safetensors` of the model are",
    );
    let dimensions = endpoint::read_dimensions(table);
    let id = table.text("id").map(|id| id.trim().to_owned());
    let path = folder.join(table.text("folder")?);
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    Some(LocalModel { id: id.unwrap_or_else(|| format!("{LOCAL}/{name}")), folder: path, dimensions })
}

fn unknown_provider(table: &Table<'_>, name: &str) {
    let place = table.value("provider").map_or(table.place(), |node| node.place);
    let help = match nearest(name, Provider::names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "known are {}; any other that speaks OpenAI's interface is reached with `provider = \"openai\"` and its \
             `base_url`",
            Provider::names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    table.problems().report_with(place, format!("there is no provider `{name}`"), help);
}

/// Two models of one id could not be told apart in a journal.
fn check_ids(root: &Table<'_>, roles: &BTreeMap<String, ModelSettings>) {
    let mut seen: BTreeMap<&str, (&str, &Endpoint)> = BTreeMap::new();
    for (role, settings) in roles {
        let ModelSettings::Endpoint(endpoint) = settings else { continue };
        if let Some((other, same)) = seen.get(endpoint.id.as_str()) {
            if *same != endpoint.as_ref() {
                root.problems().report_with(
                    place_of(root, role),
                    format!(
                        "the roles `{other}` and `{role}` have different models of the same id `{}`",
                        endpoint.id
                    ),
                    format!("give one of them another `id`, such as `id = \"{role}/{}\"`", endpoint.model),
                );
            }
        } else {
            seen.insert(&endpoint.id, (role, endpoint));
        }
    }
}

fn check_references(root: &Table<'_>, roles: &BTreeMap<String, ModelSettings>) {
    for (role, settings) in roles {
        let mut visited = vec![role.as_str()];
        let mut next = Some(settings);
        while let Some(ModelSettings::Same(name, _)) = next {
            let is_circle = visited.contains(&name.as_str());
            visited.push(name);
            if is_circle {
                let message = format!("the role `{role}` leads to no model: {}", visited.join(" -> "));
                root.problems().report(place_of(root, role), message);
                break;
            }
            next = roles.get(name);
        }
    }
}

fn place_of(root: &Table<'_>, role: &str) -> Place {
    root.named("models").iter().find(|entry| entry.key == role).map_or(root.place(), |entry| entry.place)
}
