//! [`Hosts`]: which hosts a sandbox may reach. Pure.

use std::fmt;
use std::net::IpAddr;

use adjutant_core::{Code, Error, Result};
use url::Host;

use crate::http::{Reach, is_allowed};

/// The ports of a host that is listed without one: those of HTTP and HTTPS.
const PORTS: [u16; 2] = [80, 443];

/// The hosts that a sandbox may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Hosts(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    who: Who,
    /// The usual ones where none is listed.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    /// That host.
    Name(String),
    /// Every host below that domain.
    Below(String),
    /// That address.
    Address(IpAddr),
}

/// Where somebody wants to go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    /// The name in lower case, or the address.
    pub(super) host: Host,
    pub(super) port: u16,
}

/// Whether a host can be listed. Fails with [`Code::ToolInvalid`], saying how one is written.
pub fn host_is_valid(host: &str) -> Result<()> {
    Rule::read(host).map(drop)
}

impl Hosts {
    /// Reads a list such as `example.org`, `*.example.org`, `example.org:8443`, `10.1.2.3` and `[::1]:80`. Fails with
    /// [`Code::ToolInvalid`].
    pub(in crate::sandbox) fn read(hosts: &[String]) -> Result<Self> {
        hosts.iter().map(|host| Rule::read(host)).collect::<Result<_>>().map(Self)
    }

    /// Whether nothing may be reached.
    pub(in crate::sandbox) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this machine itself is listed.
    pub(in crate::sandbox) fn has_loopback(&self) -> bool {
        self.0.iter().any(|rule| match &rule.who {
            Who::Name(name) => name == "localhost",
            Who::Below(_) => false,
            Who::Address(address) => address.is_loopback(),
        })
    }

    /// Whether a target is listed.
    pub(super) fn lists(&self, target: &Target) -> bool {
        self.0.iter().any(|rule| rule.covers_port(target.port) && rule.who.covers(&target.host))
    }

    /// Whether a connection to `address` may be made for a target that is listed: to the public internet, to an address
    /// that is itself listed, or to this machine where `localhost` is asked for. A name that leads into a private
    /// network is refused, whoever has made it do so.
    pub(super) fn reaches(&self, target: &Target, address: IpAddr) -> bool {
        let reach = match &target.host {
            Host::Domain(name) if name == "localhost" => Reach::Loopback,
            _ => Reach::Public,
        };
        let address = address.to_canonical();
        is_allowed(address, reach)
            || self.0.iter().any(|rule| rule.covers_port(target.port) && rule.who == Who::Address(address))
    }
}

impl Rule {
    fn read(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(Code::ToolInvalid, format!("`{text}` is no host that a sandbox can reach")).with_help(
                "write `example.org`, `*.example.org`, `example.org:8443` or an address, `10.1.2.3:8080`",
            )
        };
        // An IPv6 address has colons of its own.
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { who: Who::Address(address.to_canonical()), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port = port.map(|port| port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(wrong));
        let (domain, below) = match host.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (host, false),
        };
        let who = match (host_of(domain).ok_or_else(wrong)?, below) {
            (Host::Domain(name), false) => Who::Name(name),
            (Host::Domain(name), true) => Who::Below(name),
            (_, true) => return Err(wrong()),
            (address, false) => Who::Address(address_of(&address).ok_or_else(wrong)?),
        };
        Ok(Self { who, port: port.transpose()? })
    }

    fn covers_port(&self, port: u16) -> bool {
        self.port.map_or_else(|| PORTS.contains(&port), |own| own == port)
    }
}

impl Who {
    fn covers(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Name(name), Host::Domain(host)) => name == host,
            (Self::Below(domain), Host::Domain(host)) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|below| below.len() > 1 && below.ends_with('.')),
            (Self::Address(address), host) => address_of(host) == Some(*address),
            _ => false,
        }
    }
}

impl Target {
    /// Reads a host and a port as they stand in a request.
    pub(super) fn read(host: &str, port: u16) -> Option<Self> {
        host_of(host).map(|host| Self { host, port })
    }

    /// The address, where it is asked for by address.
    pub(super) fn address(&self) -> Option<IpAddr> {
        address_of(&self.host)
    }

    /// The host and, where it is not the one of HTTP, the port: the header `Host`.
    pub(super) fn authority(&self) -> String {
        if self.port == 80 { self.host.to_string() } else { self.to_string() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A host as URLs are read: in lower case, in ASCII, and every way to write an address as that address.
fn host_of(text: &str) -> Option<Host> {
    let text = text.strip_suffix('.').unwrap_or(text);
    Host::parse(text).ok().filter(|host| !matches!(host, Host::Domain(name) if name.contains('*')))
}

fn address_of(host: &Host) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address).to_canonical()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(list: &[&str]) -> Hosts {
        Hosts::read(&list.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_what_is_listed_is_covered() {
        let hosts = hosts(&[
            "shop.test",
            "*.example.org",
            "api.example.com:8443",
            "10.1.2.3:80",
            "[::1]:9",
            "bücher.example",
        ]);
        let yes = [
            ("shop.test", 443),
            ("Shop.test", 80),
            ("shop.test.", 443),
            ("a.b.example.org", 443),
            ("api.example.com", 8443),
            ("10.1.2.3", 80),
            ("0xa.1.2.3", 80),
            ("[::ffff:10.1.2.3]", 80),
            ("[::1]", 9),
            ("xn--bcher-kva.example", 443),
        ];
        let no = [
            ("shop.test", 22),
            ("shop.test.evil.net", 443),
            ("xshop.test", 443),
            ("example.org", 443),
            ("xexample.org", 443),
            (".example.org", 443),
            ("api.example.com", 443),
            ("10.1.2.3", 443),
            ("10.1.2.4", 80),
            ("127.0.0.1", 9),
            ("[::1]", 80),
            ("a.10.1.2.3", 80),
        ];
        for (host, port) in yes {
            assert!(Target::read(host, port).is_some_and(|target| hosts.lists(&target)), "{host}:{port}");
        }
        for (host, port) in no {
            assert!(!Target::read(host, port).is_some_and(|target| hosts.lists(&target)), "{host}:{port}");
        }
    }

    #[test]
    fn a_name_leads_to_the_public_internet_alone() {
        let reaches = |list: &[&str], name: &str, port, address: &str| {
            hosts(list).reaches(&Target::read(name, port).unwrap(), address.parse().unwrap())
        };
        assert!(reaches(&["a.org"], "a.org", 443, "1.1.1.1"));
        for private in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"] {
            assert!(!reaches(&["a.org"], "a.org", 443, private), "{private}");
        }
        assert!(reaches(&["localhost:1"], "localhost", 1, "127.0.0.1"));
        assert!(!reaches(&["localhost:1"], "localhost", 1, "10.0.0.1"));
        assert!(reaches(&["a.org", "10.0.0.1"], "a.org", 443, "10.0.0.1"));
        assert!(!reaches(&["a.org:8443", "10.0.0.1"], "a.org", 8443, "10.0.0.1"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for host in [
            "",
            "*",
            "a.*.org",
            "https://a.org",
            "a.org:0",
            "a.org:99999",
            "a.org:x",
            "*.10.0.0.1",
            "a b",
            "a.org/x",
            "me@a.org",
        ] {
            let error = Hosts::read(&[host.to_owned()]).unwrap_err();
            assert_eq!(error.code(), Code::ToolInvalid, "{host}");
        }
    }
}
