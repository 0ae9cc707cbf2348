//! [`Settings`]: within which bounds a service works.

use std::net::SocketAddr;
use std::time::Duration;

use adjutant::project::{Oidc, ServerSettings};
use adjutant_core::network::Network;
use adjutant_core::role::Role;

use crate::connection::Certificate;
use crate::limits::Rate;

/// How long a connection is kept over which nothing is asked: clients keep theirs for half as long or less.
const IDLE: Duration = Duration::from_secs(120);

/// How much longer an answer may take to begin than a request may wait for the end of a run.
const MARGIN: Duration = Duration::from_secs(60);

/// How much longer than the deadline letting go of everything may take.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Within which bounds a service works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most connections at a time; further ones wait to be taken.
    pub most_connections: usize,
    /// The most requests that are answered at a time, streams aside; further ones are told to come again.
    pub most_requests: usize,
    /// The most streams at a time.
    pub most_streams: usize,
    /// The most runs that wait for their turn; further ones are not begun.
    pub most_queued: u64,
    /// The largest head of a request, in bytes.
    pub largest_head: usize,
    /// The largest body of a request, in bytes.
    pub largest_body: usize,
    /// The most bytes of bodies at a time; whoever sends more is told to come again.
    pub largest_bodies: usize,
    /// How long a client may take to send the head of a request, and to begin it where a connection is kept.
    pub head_patience: Duration,
    /// How long a connection stays over which nothing is asked.
    pub idle_patience: Duration,
    /// How long a client may take to send the body of a request.
    pub body_patience: Duration,
    /// How long a request may wait for the end of a run.
    pub longest_wait: Duration,
    /// How long an answer may take to begin.
    pub answer_patience: Duration,
    /// How long a client may take nothing of what is sent to it.
    pub write_patience: Duration,
    /// How often a stream in which nothing happens shows that it is there.
    pub heartbeat: Duration,
    /// How often somebody with one key may ask; as often as they like where none is given.
    pub rate: Option<Rate>,
    /// How often may be asked from one address without a key, or with a bad one.
    pub strangers: Rate,
    /// What everybody may do who brings no key; nothing where none is given.
    pub anonymous: Option<Role>,
    /// The identity provider whose tokens are taken beside keys.
    pub oidc: Option<Oidc>,
    /// Hosts in private networks that may be asked.
    pub private_hosts: Vec<String>,
    /// The origins whose pages may ask, such as `https://app.example`; `*` stands for all.
    pub origins: Vec<String>,
    /// Who is believed when they say for whom they ask: the proxies before the service.
    pub proxies: Vec<Network>,
    /// The certificate with which it is spoken in secret; in the open where none is given.
    pub tls: Option<Certificate>,
    /// Where what is counted is told to everybody, beside `/metrics`, where a key is asked for.
    pub metrics: Option<SocketAddr>,
    /// Whether changed files of the project are noticed, and hold from then on.
    pub reload: bool,
    /// How long the service says that it is about to stop before it takes nothing more, so that whoever spreads requests sends them
    /// elsewhere.
    pub notice: Duration,
    /// How long the service finishes what it has, once it takes nothing more. The store of its project is to be as patient
    /// ([`adjutant::StoreOptions::patience`]), or calls that could be made again are given up at once.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            most_connections: 20_000,
            most_requests: 1_000,
            most_streams: 15_000,
            most_queued: 10_000,
            largest_head: 64 << 10,
            largest_body: 16 << 20,
            largest_bodies: 512 << 20,
            head_patience: Duration::from_secs(10),
            idle_patience: IDLE,
            body_patience: Duration::from_secs(60),
            longest_wait: Duration::from_secs(600),
            answer_patience: Duration::from_secs(600) + MARGIN,
            write_patience: Duration::from_secs(60),
            heartbeat: Duration::from_secs(15),
            rate: None,
            strangers: Rate::per_minute(120),
            anonymous: None,
            oidc: None,
            private_hosts: Vec::new(),
            origins: Vec::new(),
            proxies: Vec::new(),
            tls: None,
            metrics: None,
            reload: false,
            notice: Duration::ZERO,
            drain: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// What a project says of how it is served.
    pub fn of(project: &ServerSettings) -> Self {
        let minute = Duration::from_secs(60);
        let share = f64::from(project.burst) / f64::from(project.requests_per_minute.max(1));
        let tls = project.tls.as_ref();
        Self {
            most_connections: project.most_connections,
            most_requests: project.most_requests,
            most_streams: project.most_streams,
            most_queued: project.most_queued as u64,
            largest_head: project.largest_head,
            largest_body: project.largest_body,
            head_patience: project.head_timeout,
            idle_patience: IDLE,
            body_patience: project.body_timeout,
            longest_wait: project.wait_timeout,
            answer_patience: project.wait_timeout + MARGIN,
            heartbeat: project.heartbeat,
            rate: Some(Rate { times: project.burst, within: minute.mul_f64(share) }),
            strangers: Rate::per_minute(project.strangers_per_minute),
            anonymous: project.anonymous,
            oidc: project.oidc.clone(),
            private_hosts: project.private_hosts.clone(),
            origins: project.cors.clone(),
            proxies: project.trusted_proxies.clone(),
            tls: tls.map(|tls| Certificate { chain: tls.certificate.clone(), key: tls.key.clone() }),
            metrics: project.metrics,
            reload: project.reload,
            notice: project.notice,
            drain: project.drain,
            ..Self::default()
        }
    }
}
