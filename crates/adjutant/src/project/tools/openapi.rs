//! OpenAPI documents: their operations become tools of the project.

use std::collections::BTreeMap;
use std::path::Path;

use adjutant_agent::definition::document::{Entry, Table};
use adjutant_core::hash::Digest;
use adjutant_core::nearest;
use adjutant_core::tool::Effect;
use adjutant_tool::command::Variable;
use adjutant_tool::openapi::{Auth, Config, HeaderText, Keep, KeyPlace, Source};
use url::Url;

use super::command::{EFFECTS, environment};
use crate::project::secrets::SecretSource;

/// Where documents are kept that come from an address, within the folder of the project.
const KEPT: &str = ".adjutant/documents";

/// The tool that reads the rest of answers that are kept.
const READER: &str = "read_answer";

/// Reads the table of a document. Paths are relative to `folder`.
pub(super) fn read(
    name: &str,
    table: &Table<'_>,
    folder: &Path,
    secrets: &BTreeMap<String, SecretSource>,
    work: &Path,
) -> Option<Config> {
    table.require("document", "add `document = \"api.yaml\"`, a file or an address: OpenAPI 3.0 or 3.1");
    let document = table.text("document").and_then(|text| source(name, table, text, folder));
    // Everything is read, also where something is missing: what nobody asks for is taken for a mistake.
    let mut is_whole = document.is_some();
    let mut config = Config::new(document.unwrap_or_else(|| Source::file("")));
    if table.entry("base_url").is_some() {
        config.base_url = address(table, "base_url");
        is_whole &= config.base_url.is_some();
    }
    if let Some(operations) = table.texts("operations") {
        if operations.is_empty() {
            let place = table.value("operations").map_or(table.place(), |node| node.place);
            let message = format!("`{}` names no operation", table.name_of("operations"));
            table.problems().report_with(place, message, "leave it out for all of them");
        }
        config.operations = operations.into_iter().map(|(typed, _)| typed.to_owned()).collect();
    }
    if table.entry("auth").is_some() {
        let auth = table.table("auth").and_then(read_auth);
        is_whole &= auth.is_some();
        config.auth = auth.unwrap_or(Auth::None);
    }
    config.headers = headers(table);
    config.idempotency_header = table.text("idempotency_header").map(str::to_owned);
    config.effects = table.named("effects").iter().filter_map(|entry| effect(table, entry)).collect();
    config.timeout = table.duration("timeout").unwrap_or(config.timeout);
    config.concurrency = table.integer("concurrency", 1..=1_000).or(config.concurrency);
    config.bytes = table.integer("bytes", 1_000..=100_000_000).unwrap_or(config.bytes);
    config.characters = table.integer("characters", 1_000..=10_000_000).unwrap_or(config.characters);
    config.private = table.flag("private").unwrap_or(config.private);
    // With the prefix a name must still be one.
    let prefix = table.text("prefix").unwrap_or_default();
    config.longest_name = config.longest_name.saturating_sub(prefix.len()).max(16);
    // Another document has such a tool, too.
    let tool = if prefix.is_empty() { format!("{name}_{READER}") } else { READER.to_owned() };
    config.keep = Some(Keep { work: work.to_owned(), tool });
    (known_secrets(table, &config, secrets) && is_whole).then_some(config)
}

fn source(name: &str, table: &Table<'_>, text: &str, folder: &Path) -> Option<Source> {
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Some(Source::file(folder.join(text)));
    }
    let url = address(table, "document")?;
    // Another address is another document.
    let file = format!("{name}-{}.json", Digest::of(text.as_bytes()).short());
    Some(Source::address(url, folder.join(KEPT).join(file)))
}

fn address(table: &Table<'_>, key: &'static str) -> Option<Url> {
    let text = table.text(key)?;
    let place = table.value(key).map_or(table.place(), |node| node.place);
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
        _ => {
            let message = format!("`{}` is no address", table.name_of(key));
            table.problems().report_with(place, message, "write it as `https://api.example.org/v1`");
            None
        }
    }
}

fn read_auth(table: Table<'_>) -> Option<Auth> {
    const KINDS: [(&str, &str); 4] = [
        ("key", "key"),
        ("bearer", "bearer"),
        ("basic", "basic"),
        ("client_credentials", "client_credentials"),
    ];
    table.require("type", "add `type = \"bearer\"`, or `key`, `basic`, `client_credentials`");
    table.require("secret", "add `secret = \"name\"`, a name under `[secrets]`");
    let kind = table.choice("type", &KINDS);
    let secret = table.text("secret").map(str::to_owned);
    let auth = match kind {
        Some("key") => {
            table.require(
                "name",
                "add `name = \"X-Api-Key\"`: what the header, parameter or cookie is called",
            );
            let places =
                [("header", KeyPlace::Header), ("query", KeyPlace::Query), ("cookie", KeyPlace::Cookie)];
            let place = if table.entry("in").is_some() {
                table.choice("in", &places)
            } else {
                Some(KeyPlace::Header)
            };
            let name = table.text("name").map(str::to_owned);
            place.zip(name).zip(secret).map(|((place, name), secret)| Auth::Key { place, name, secret })
        }
        Some("basic") => {
            table.require("user", "add `user = \"name\"`");
            let user = table.text("user").map(str::to_owned);
            user.zip(secret).map(|(user, secret)| Auth::Basic { user, secret })
        }
        Some("client_credentials") => {
            table.require("token_url", "add `token_url = \"https://...\"`: who gives the token");
            table.require("client_id", "add `client_id = \"name\"`");
            let token_url = if table.has("token_url") { address(&table, "token_url") } else { None };
            let client_id = table.text("client_id").map(str::to_owned);
            let scopes = table.texts("scopes").unwrap_or_default();
            let scopes = scopes.into_iter().map(|(scope, _)| scope.to_owned()).collect();
            let in_body = table.flag("in_body").unwrap_or(false);
            token_url.zip(client_id).zip(secret).map(|((token_url, client_id), secret)| {
                Auth::ClientCredentials { token_url, client_id, secret, scopes, in_body }
            })
        }
        Some(_) => secret.map(|secret| Auth::Bearer { secret }),
        None => None,
    };
    // Without the type nothing is known of the other keys.
    if kind.is_some() {
        table.finish();
    }
    auth
}

fn headers(table: &Table<'_>) -> BTreeMap<String, HeaderText> {
    let mut headers = BTreeMap::new();
    for (name, value) in environment(table, "headers") {
        match value {
            Variable::Text(text) => drop(headers.insert(name, HeaderText::Text(text))),
            Variable::Secret(secret) => drop(headers.insert(name, HeaderText::Secret(secret))),
            Variable::Inherit => {
                let place = table.value("headers").map_or(table.place(), |node| node.place);
                let message = format!("`{}.{name}` cannot be inherited", table.name_of("headers"));
                table.problems().report_with(place, message, "write `\"value\"` or `{ secret = \"name\" }`");
            }
        }
    }
    headers
}

/// What happens if an operation is called twice, in place of what its method says.
fn effect(table: &Table<'_>, entry: &Entry) -> Option<(String, Effect)> {
    // To look a key up takes an operation of its own, which nothing here knows.
    let known = EFFECTS.iter().filter(|(_, effect)| *effect != Effect::Reconcile);
    let typed = entry.value.as_text().unwrap_or_default();
    if let Some((_, effect)) = known.clone().find(|(word, _)| *word == typed) {
        return Some((entry.key.clone(), *effect));
    }
    let help = match nearest(typed, known.map(|(word, _)| *word)) {
        Some(word) => format!("did you mean `{word}`?"),
        None => "write `pure`, `idempotent` or `at_most_once`".to_owned(),
    };
    let path = format!("{}.{}", table.name_of("effects"), entry.key);
    let message = format!("`{path}` cannot be {}", entry.value.content);
    table.problems().report_with(entry.value.place, message, help);
    None
}

/// Whether every secret that calls need is one.
fn known_secrets(table: &Table<'_>, config: &Config, secrets: &BTreeMap<String, SecretSource>) -> bool {
    let mut unknown: Vec<&str> =
        config.secrets().into_iter().filter(|secret| !secrets.contains_key(*secret)).collect();
    unknown.dedup();
    for secret in &unknown {
        let message = format!("`{}` names the secret `{secret}`, which is not there", table.path());
        let help = format!("add it: `[secrets]` and `{secret} = {{ env = \"NAME\" }}`");
        table.problems().report_with(table.place(), message, help);
    }
    unknown.is_empty()
}
