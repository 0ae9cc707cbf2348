//! Clients that connect to addresses that were checked, and to no others.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{Reach, is_allowed};

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A host whose addresses may not be asked, or that has none.
#[derive(Debug)]
pub(crate) enum Unreachable {
    /// There is no such host.
    Unknown(std::io::Error),
    /// It has no address.
    Empty,
    /// One of its addresses may not be asked: a name with one private address is not to be trusted.
    Refused(IpAddr),
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(error) => error.fmt(f),
            Self::Empty => f.write_str("it has no address"),
            Self::Refused(address) => write!(f, "its address {address} is not on the public internet"),
        }
    }
}

impl std::error::Error for Unreachable {}

/// The addresses of a name, if all of them may be asked.
pub(crate) async fn addresses(name: &str, port: u16, reach: Reach) -> Result<Vec<SocketAddr>, Unreachable> {
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host((name, port)).await.map_err(Unreachable::Unknown)?.collect();
    match found.iter().find(|address| !is_allowed(address.ip(), reach)) {
        Some(refused) => Err(Unreachable::Refused(refused.ip())),
        None if found.is_empty() => Err(Unreachable::Empty),
        None => Ok(found),
    }
}

/// What every client has: no redirects of its own, no proxy (it would resolve names itself), our name.
pub(crate) fn builder() -> ClientBuilder {
    // reqwest panics without a provider; a second one changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .user_agent(concat!("adjutant/", env!("CARGO_PKG_VERSION")))
}

/// A client for many calls: it resolves names itself, and connects to the addresses that it checked. Hosts that are
/// written as addresses are not resolved: whoever sends checks them.
pub(crate) fn guarded(reach: Reach) -> Result<reqwest::Client, reqwest::Error> {
    builder().dns_resolver(Guard(reach)).build()
}

/// The same for calls with a long time between them: no connection is kept. One that the server has closed meanwhile
/// would take the next call with it.
pub(crate) fn guarded_once(reach: Reach) -> Result<reqwest::Client, reqwest::Error> {
    builder().dns_resolver(Guard(reach)).pool_max_idle_per_host(0).build()
}

struct Guard(Reach);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = addresses(name.as_str(), 0, reach).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
