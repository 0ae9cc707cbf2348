//! Reading `[server]`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use adjutant_agent::definition::document::{Content, Table};
use adjutant_core::nearest;
use adjutant_core::network::Network;
use adjutant_core::role::Role;
use adjutant_core::time::parse_duration;
use adjutant_durable::WhenBusy;
use url::Url;

use super::oidc::Oidc;
use super::settings::{LogFormat, ServerSettings, Tls};
use super::webhook::OutgoingWebhook;
use crate::project::layers::default_of;
use crate::project::secrets::SecretSource;

/// Where a number may be no bound at all, it is at most this.
const MOST: usize = 1 << 40;

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], usual_number("server.listen"))),
            public_url: None,
            anonymous: None,
            tls: None,
            oidc: None,
            cors: Vec::new(),
            trusted_proxies: Vec::new(),
            requests_per_minute: usual_number("server.requests_per_minute"),
            burst: usual_number("server.burst"),
            strangers_per_minute: usual_number("server.strangers_per_minute"),
            metrics: None,
            most_connections: usual_number("server.most_connections"),
            most_requests: usual_number("server.most_requests"),
            most_streams: usual_number("server.most_streams"),
            most_queued: usual_number("server.most_queued"),
            largest_body: usual_number("server.largest_body"),
            largest_head: usual_number("server.largest_head"),
            head_timeout: usual_time("server.head_timeout"),
            body_timeout: usual_time("server.body_timeout"),
            wait_timeout: usual_time("server.wait_timeout"),
            heartbeat: usual_time("server.heartbeat"),
            notice: usual_time("server.notice"),
            drain: usual_time("server.drain"),
            when_busy: WhenBusy::default(),
            log: LogFormat::default(),
            reload: true,
            private_hosts: Vec::new(),
            webhooks: Vec::new(),
        }
    }
}

/// What the table of settings says of a number; of an address, that of its port.
fn usual_number<T: std::str::FromStr + Default>(path: &str) -> T {
    let text = default_of(path).unwrap_or_default();
    text.rsplit(':').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn usual_time(path: &str) -> Duration {
    default_of(path).and_then(parse_duration).unwrap_or_default()
}

impl ServerSettings {
    /// Reads the table. What is wrong is noted and left out; relative paths begin at `folder`.
    pub(in crate::project) fn read(
        table: Table<'_>,
        folder: &Path,
        secrets: &BTreeMap<String, SecretSource>,
    ) -> Self {
        let usual = Self::default();
        let roles = Role::ALL.map(|role| (role.as_str(), role));
        let texts = |key| -> Vec<String> {
            table.texts(key).unwrap_or_default().into_iter().map(|(text, _)| text.to_owned()).collect()
        };
        let most = |key, usual| table.integer(key, 1..=MOST).unwrap_or(usual);
        let time = |key, usual| table.duration(key).unwrap_or(usual);
        let settings = Self {
            listen: listen(&table, "listen").unwrap_or(usual.listen),
            public_url: table.has("public_url").then(|| address(&table, "public_url", false)).flatten(),
            anonymous: table.choice("anonymous", &roles),
            tls: table.table("tls").and_then(|tls| read_tls(tls, folder)),
            oidc: table.table("oidc").and_then(|oidc| Oidc::read(oidc, folder)),
            cors: origins(&table),
            trusted_proxies: networks(&table, "trusted_proxies"),
            requests_per_minute: table
                .integer("requests_per_minute", 1..=100_000_000)
                .unwrap_or(usual.requests_per_minute),
            burst: table.integer("burst", 1..=100_000_000).unwrap_or(usual.burst),
            strangers_per_minute: table
                .integer("strangers_per_minute", 1..=100_000_000)
                .unwrap_or(usual.strangers_per_minute),
            metrics: listen(&table, "metrics"),
            most_connections: most("most_connections", usual.most_connections),
            most_requests: most("most_requests", usual.most_requests),
            most_streams: most("most_streams", usual.most_streams),
            most_queued: most("most_queued", usual.most_queued),
            largest_body: table.integer("largest_body", 1_024..=1 << 30).unwrap_or(usual.largest_body),
            largest_head: table.integer("largest_head", 4_096..=1 << 20).unwrap_or(usual.largest_head),
            head_timeout: time("head_timeout", usual.head_timeout),
            body_timeout: time("body_timeout", usual.body_timeout),
            wait_timeout: time("wait_timeout", usual.wait_timeout),
            heartbeat: time("heartbeat", usual.heartbeat),
            notice: time("notice", usual.notice),
            drain: time("drain", usual.drain),
            when_busy: table.choice("when_busy", &WhenBusy::WORDS).unwrap_or_default(),
            log: table.choice("log", &LogFormat::WORDS).unwrap_or_default(),
            reload: table.flag("reload").unwrap_or(usual.reload),
            private_hosts: texts("private_hosts"),
            webhooks: webhooks(&table, secrets),
        };
        if let Some(node) = table.value("anonymous").filter(|_| !settings.listen.ip().is_loopback()) {
            let message = format!(
                "`{}` lets everybody in, and `{}` is reached from other machines",
                table.name_of("anonymous"),
                settings.listen
            );
            let help = "listen on `127.0.0.1`, or leave it out and make keys: `adjutant keys create`";
            table.problems().report_with(node.place, message, help);
        }
        table.finish();
        settings
    }
}

fn listen(table: &Table<'_>, key: &'static str) -> Option<SocketAddr> {
    let text = table.text(key)?;
    let address = text.parse().ok();
    if address.is_none()
        && let Some(node) = table.value(key)
    {
        table.wrong(key, node, "an address and a port", "write it as `127.0.0.1:8642` or `[::]:8642`");
    }
    address
}

/// Addresses and networks.
fn networks(table: &Table<'_>, key: &'static str) -> Vec<Network> {
    let listed = table.texts(key).unwrap_or_default().into_iter();
    let read = listed.filter_map(|(text, place)| match text.parse::<Network>() {
        Ok(network) => Some(network),
        Err(error) => {
            table.problems().report_with(place, error.message().to_owned(), error.help().unwrap_or_default());
            None
        }
    });
    read.collect()
}

fn read_tls(table: Table<'_>, folder: &Path) -> Option<Tls> {
    table.require("certificate", "add `certificate = \"server.pem\"`");
    table.require("key", "add `key = \"server-key.pem\"`");
    let path = |key| table.text(key).map(|path| folder.join(path));
    let (certificate, key) = (path("certificate"), path("key"));
    table.finish();
    Some(Tls { certificate: certificate?, key: key? })
}

/// The origins of `cors`: an origin is a scheme, a host and a port, and nothing else.
fn origins(table: &Table<'_>) -> Vec<String> {
    let listed = table.texts("cors").unwrap_or_default().into_iter();
    let read = listed.filter_map(|(text, place)| {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let origin = url.map(|url| url.origin().ascii_serialization());
        if origin.as_deref() != Some(text.trim_end_matches('/')) {
            let message = format!("`{text}` is no origin");
            let help = "write it as `https://app.example.com`; `*` would let every page ask with the rights of its visitor";
            table.problems().report_with(place, message, help);
        }
        origin
    });
    read.collect()
}

fn webhooks(table: &Table<'_>, secrets: &BTreeMap<String, SecretSource>) -> Vec<OutgoingWebhook> {
    let Some(node) = table.value("webhook") else { return Vec::new() };
    let Content::List(items) = &node.content else {
        table.wrong("webhook", node, "a list of tables", "write `[[server.webhook]]`");
        return Vec::new();
    };
    let mut read: Vec<OutgoingWebhook> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let name = table.name_of(&format!("webhook[{index}]"));
        let Some(hook) = OutgoingWebhook::read(item, name, table, secrets) else { continue };
        if read.iter().any(|before| before.url == hook.url) {
            // How far an address has heard is known by the address.
            let message = "this address stands in a `[[server.webhook]]` before".to_owned();
            table.problems().report_with(item.place, message, "name all of its `events` in one");
            continue;
        }
        read.push(hook);
    }
    read
}

/// An address of the web; one that must be secure where it is not on this machine.
pub(super) fn address(table: &Table<'_>, key: &'static str, must_be_secure: bool) -> Option<Url> {
    let text = table.text(key)?;
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let place = table.value(key).map_or(table.place(), |node| node.place);
    let Some(url) = url else {
        let message = format!("`{}` is no address of the web", table.name_of(key));
        table.problems().report_with(place, message, "write it as `https://example.com/`");
        return None;
    };
    let is_here = url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    if must_be_secure && url.scheme() != "https" && !is_here {
        let message = format!("`{}` must be an `https` address", table.name_of(key));
        table.problems().report_with(place, message, "what goes there may be read and changed on the way");
        return None;
    }
    Some(url)
}

/// The name of a secret, which must be there.
pub(in crate::project) fn secret(
    table: &Table<'_>,
    key: &'static str,
    secrets: &BTreeMap<String, SecretSource>,
) -> Option<String> {
    let name = table.text(key)?;
    if !secrets.contains_key(name) {
        let place = table.value(key).map_or(table.place(), |node| node.place);
        let help = match nearest(name, secrets.keys().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("say where it is: `{name} = {{ env = \"NAME\" }}` under `[secrets]`"),
        };
        let message = format!("`{}` names `{name}`, which is not under `[secrets]`", table.name_of(key));
        table.problems().report_with(place, message, help);
    }
    Some(name.to_owned())
}
