//! Which addresses are on the public internet. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Which addresses may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those of the public internet.
    Public,
    /// Those, and this machine's own.
    Loopback,
    /// All of them: a person named the host and said that it stands in a private network.
    Anything,
}

/// Whether an address may be asked.
pub(crate) fn is_allowed(address: IpAddr, reach: Reach) -> bool {
    if reach == Reach::Anything {
        return true;
    }
    let loopback = reach == Reach::Loopback;
    match address {
        IpAddr::V4(address) => is_public_v4(address) || (loopback && address.is_loopback()),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(inner) => is_allowed(IpAddr::V4(inner), reach),
            None => is_public_v6(address) || (loopback && address.is_loopback()),
        },
    }
}

/// Checks what no resolver sees: the scheme, and hosts that are written as addresses.
pub(crate) fn check(url: &Url, reach: Reach) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{url}` is neither http nor https"));
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        _ => None,
    };
    match address.filter(|address| !is_allowed(*address, reach)) {
        Some(address) => Err(format!("its address {address} is not on the public internet")),
        None => Ok(()),
    }
}

/// Whether what goes there stays on this machine, by the name of the host alone.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// By the IANA registry of special-purpose IPv4 addresses: everything in it is refused.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let refused = match address.octets() {
        [0 | 10 | 127, ..] => true,
        [100, 64..=127, ..] => true,
        // With the metadata services of clouds.
        [169, 254, ..] => true,
        [172, 16..=31, ..] => true,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [192, 168, ..] => true,
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        [224..=255, ..] => true,
        _ => false,
    };
    !refused
}

/// Of IPv6, only the part that is given out to networks (2000::/3), without tunnels and examples.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] => false,
        [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped (`::ffff:0:0/96`), or translated (`64:ff9b::/96`).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_allowed() {
        let public = ["1.1.1.1", "93.184.216.34", "172.15.0.1", "2606:4700:4700::1111", "64:ff9b::1.1.1.1"];
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.100.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.31.0.1",
            "192.168.1.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "::127.0.0.1",
            "fd00:ec2::254",
        ];
        for address in public {
            assert!(is_allowed(address.parse().unwrap(), Reach::Public), "{address}");
        }
        for address in private {
            assert!(!is_allowed(address.parse().unwrap(), Reach::Public), "{address}");
        }
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(is_allowed(address.parse().unwrap(), Reach::Loopback), "{address}");
        }
        assert!(!is_allowed("10.0.0.1".parse().unwrap(), Reach::Loopback));
        assert!(is_allowed("10.0.0.1".parse().unwrap(), Reach::Anything));
    }
}
