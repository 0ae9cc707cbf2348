//! Servers of the Model Context Protocol: their tools become tools of the project.

use std::collections::BTreeMap;
use std::path::Path;

use adjutant_agent::definition::document::Table;
use adjutant_core::nearest;
use adjutant_core::tool::Effect;
use adjutant_tool::command::Variable;
use adjutant_tool::mcp::{Config, Http, Process, Transport};
use adjutant_tool::sandbox::{self, Isolation, Limits};
use adjutant_tool::vault::Vault;
use url::Url;

use super::command::{EFFECTS, environment, words};
use super::login;
use super::sandbox::of_tool;
use crate::project::secrets::SecretSource;

/// What a server may send and receive through the proxy of its sandbox where nothing else is said, in bytes: it lives for
/// many calls.
const NETWORK_BYTES: u64 = 64 << 30;

/// Reads the table of a server. Paths are relative to `folder`, and a server that is a process runs there.
pub(super) fn read(
    name: &str,
    table: &Table<'_>,
    folder: &Path,
    secrets: &BTreeMap<String, SecretSource>,
    vault: &Vault,
    sandbox: &sandbox::Config,
) -> Option<Config> {
    let transport = match (table.has("command"), table.has("url")) {
        (true, false) => process(table, folder, sandbox),
        (false, true) => http(table, vault),
        (given, _) => {
            let (message, help) = match given {
                true => (
                    "has both `command` and `url`",
                    "a server is a process or at an address; keep one of them",
                ),
                false => (
                    "says neither `command` nor `url`",
                    "add `command = [\"program\", \"argument\"]` or `url = \"https://..\"`",
                ),
            };
            table.problems().report_with(table.place(), format!("`{}` {message}", table.path()), help);
            None
        }
    };
    let mut config = Config::new(name, transport?);
    config.timeout = table.duration("timeout").unwrap_or(config.timeout);
    config.start_timeout = table.duration("start_timeout").unwrap_or(config.start_timeout);
    config.concurrency = table.integer("concurrency", 1..=1_000);
    config.output_limit = table.integer("output_limit", 1..=16 << 20).unwrap_or(config.output_limit);
    config.resources = table.flag("resources").unwrap_or(config.resources);
    config.prompts = table.flag("prompts").unwrap_or(config.prompts);
    config.effects = effects(table);
    if let Some(prefix) = table.text("prefix") {
        config.prefix = prefix.to_owned();
    }
    known_secrets(table, &config, secrets).then_some(config)
}

fn process(table: &Table<'_>, folder: &Path, defaults: &sandbox::Config) -> Option<Transport> {
    let command = words(table, "command", folder);
    let environment = environment(table, "env");
    let working_directory =
        table.text("working_directory").map_or(folder.to_owned(), |path| folder.join(path));
    // Somebody else's program, which is trusted with nothing that is not written.
    let mut sandbox = match table.has("sandbox") {
        true => of_tool(table, folder, defaults)?,
        false => defaults.clone(),
    };
    // What is meant for one call is little for a server.
    if sandbox.limits.network_bytes == Limits::default().network_bytes {
        sandbox.limits.network_bytes = NETWORK_BYTES;
    }
    let sandbox = Some(sandbox).filter(|sandbox| sandbox.isolation == Isolation::Sandbox);
    let working_directory = Some(working_directory);
    Some(Transport::Process(Process { command: command?, environment, working_directory, sandbox }))
}

fn http(table: &Table<'_>, vault: &Vault) -> Option<Transport> {
    let text = table.text("url")?;
    let headers = environment(table, "headers");
    let bearer = table.text("bearer").map(str::to_owned);
    let auth = login::read(table, vault);
    match Url::parse(text) {
        Ok(url) => Some(Transport::Http(Http { url, headers, bearer, auth: auth?.map(Box::new) })),
        Err(error) => {
            let place = table.value("url").map_or(table.place(), |node| node.place);
            let message = format!("`{}` is no address: {error}", table.name_of("url"));
            table.problems().report_with(place, message, "write it as `https://example.org/mcp`");
            None
        }
    }
}

/// What happens if a tool is called twice, in place of what the server says.
fn effects(table: &Table<'_>) -> BTreeMap<String, Effect> {
    let mut effects = BTreeMap::new();
    for entry in table.named("effects") {
        // To look a key up takes a command of its own, which no server has.
        let known = EFFECTS.iter().filter(|(_, effect)| *effect != Effect::Reconcile);
        let typed = entry.value.as_text().unwrap_or_default();
        match known.clone().find(|(word, _)| *word == typed) {
            Some((_, effect)) => drop(effects.insert(entry.key.clone(), *effect)),
            None => {
                let help = match nearest(typed, known.map(|(word, _)| *word)) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => "write `pure`, `idempotent` or `at_most_once`".to_owned(),
                };
                let path = format!("{}.{}", table.name_of("effects"), entry.key);
                let message = format!("`{path}` cannot be {}", entry.value.content);
                table.problems().report_with(entry.value.place, message, help);
            }
        }
    }
    effects
}

/// Whether every secret that a server is given is one.
fn known_secrets(table: &Table<'_>, config: &Config, secrets: &BTreeMap<String, SecretSource>) -> bool {
    let (key, variables, bearer, auth) = match &config.transport {
        Transport::Process(process) => ("env", &process.environment, None, None),
        Transport::Http(http) => ("headers", &http.headers, http.bearer.as_ref(), http.auth.as_ref()),
    };
    let named = variables.iter().filter_map(|(name, variable)| match variable {
        Variable::Secret(secret) => Some((format!("{}.{name}", table.name_of(key)), secret)),
        _ => None,
    });
    let named = named.chain(bearer.map(|secret| (table.name_of("bearer"), secret)));
    let client = auth.and_then(|auth| auth.client_secret.as_ref());
    let named =
        named.chain(client.map(|secret| (format!("{}.client_secret", table.name_of("auth")), secret)));
    let unknown: Vec<_> = named.filter(|(_, secret)| !secrets.contains_key(*secret)).collect();
    for (path, secret) in &unknown {
        table.problems().report_with(
            table.place(),
            format!("`{path}` names the secret `{secret}`, which is not there"),
            format!("add it: `[secrets]` and `{secret} = {{ env = \"NAME\" }}`"),
        );
    }
    unknown.is_empty()
}
