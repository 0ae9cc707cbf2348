//! `auth` of a server of the Model Context Protocol: how a token for it is come by.

use adjutant_agent::definition::document::Table;
use adjutant_tool::mcp::oauth::{Config, Grant};
use adjutant_tool::vault::Vault;
use url::Url;

/// The words for `type`.
const GRANTS: [(&str, Grant); 2] = [("oauth", Grant::Person), ("client_credentials", Grant::Client)];

/// Reads `auth`: a word, or a table that says more. None where what is there is wrong.
pub(super) fn read(server: &Table<'_>, vault: &Vault) -> Option<Option<Config>> {
    let Some(node) = server.value("auth") else { return Some(None) };
    if node.as_text().is_some() {
        // A client of its own right cannot be told by a word alone.
        let grant = server.choice("auth", &[("oauth", Grant::Person)])?;
        return Some(Some(Config { grant, ..Config::new(vault.clone()) }));
    }
    let table = server.table("auth")?;
    table.require("type", "add `type = \"oauth\"`, or `type = \"client_credentials\"`");
    // Without the type nothing is known of the other keys.
    let grant = table.choice("type", &GRANTS)?;
    let text = |key: &'static str| table.text(key).map(str::to_owned);
    let mut config = Config { grant, ..Config::new(vault.clone()) };
    if grant == Grant::Client {
        table.require("client_id", "add `client_id = \"name\"`");
        table.require("client_secret", "add `client_secret = \"name\"`, a name under `[secrets]`");
    } else {
        config.client_metadata = address(&table, "client_metadata");
        config.redirect_port = table.integer("redirect_port", 1..=u16::MAX);
    }
    config.client_id = text("client_id");
    config.client_secret = text("client_secret");
    config.issuer = text("issuer");
    config.private = table.flag("private").unwrap_or(false);
    let scopes = table.texts("scopes").unwrap_or_default();
    config.scopes = scopes.into_iter().map(|(scope, _)| scope.to_owned()).collect();
    table.finish();
    let is_whole = grant == Grant::Person || (config.client_id.is_some() && config.client_secret.is_some());
    is_whole.then_some(Some(config))
}

fn address(table: &Table<'_>, key: &'static str) -> Option<Url> {
    let text = table.text(key)?;
    let url = Url::parse(text).ok();
    if url.is_none() {
        let place = table.value(key).map_or(table.place(), |node| node.place);
        let message = format!("`{}` is no address", table.name_of(key));
        table.problems().report_with(place, message, "write it as `https://example.org/client.json`");
    }
    url
}
