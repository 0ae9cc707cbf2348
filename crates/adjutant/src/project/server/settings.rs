//! [`ServerSettings`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use adjutant_core::network::Network;
use adjutant_core::role::Role;
use adjutant_durable::WhenBusy;
use url::Url;

use super::oidc::Oidc;
use super::webhook::OutgoingWebhook;

/// How a project is served.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How others reach it, where that is not where it listens.
    pub public_url: Option<Url>,
    /// What everybody may do who brings no key; nothing where none is given. Only on an address of this machine.
    pub anonymous: Option<Role>,
    /// The certificate with which it shows who it is; it speaks HTTP without one.
    pub tls: Option<Tls>,
    /// Whose tokens it takes beside its own keys.
    pub oidc: Option<Oidc>,
    /// The origins whose pages may ask it, such as `https://app.example.com`; none where it is empty.
    pub cors: Vec<String>,
    /// The proxies before it, which are believed when they say for whom they ask.
    pub trusted_proxies: Vec<Network>,
    /// How many requests one key may make in a minute.
    pub requests_per_minute: u32,
    /// How many of them it may make at once.
    pub burst: u32,
    /// How many requests without a key, or with a bad one, may come from one address in a minute.
    pub strangers_per_minute: u32,
    /// Where what is counted is told to everybody, beside `/metrics`, where a key is asked for.
    pub metrics: Option<SocketAddr>,
    /// The most connections at a time; further ones wait to be taken.
    pub most_connections: usize,
    /// The most requests that are answered at a time, streams aside; further ones are told to come again.
    pub most_requests: usize,
    /// The most streams at a time.
    pub most_streams: usize,
    /// The most runs that wait for their turn; further ones are not begun.
    pub most_queued: usize,
    /// The largest body of a request, in bytes.
    pub largest_body: usize,
    /// The largest head of a request, in bytes.
    pub largest_head: usize,
    /// How long a client may take to send the head of a request.
    pub head_timeout: Duration,
    /// How long a client may take to send the body of a request.
    pub body_timeout: Duration,
    /// How long a request may wait for the end of a run.
    pub wait_timeout: Duration,
    /// How often a stream in which nothing happens shows that it is there.
    pub heartbeat: Duration,
    /// How long it says that it is about to stop before it takes nothing more.
    pub notice: Duration,
    /// How long it finishes what it has, once it is told to stop.
    pub drain: Duration,
    /// What happens when something is said in a session whose turn is under way, where the request does not say it.
    pub when_busy: WhenBusy,
    /// How its log is written.
    pub log: LogFormat,
    /// Whether it notices that the project's files have changed.
    pub reload: bool,
    /// Hosts in private networks that it may ask in the name of a client.
    pub private_hosts: Vec<String>,
    /// Who is told of what happens.
    pub webhooks: Vec<OutgoingWebhook>,
}

/// A certificate and its key, each a file in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, with those that lead to its authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line that a person reads.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl LogFormat {
    /// The words for each.
    pub const WORDS: [(&'static str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];
}
