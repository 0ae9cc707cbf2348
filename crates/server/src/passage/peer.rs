//! [`Peer`]: who is at the other end of a connection, and of the proxies before it.

use std::net::{IpAddr, SocketAddr};

use adjutant_core::network::Network;
use http::HeaderMap;

/// The header in which proxies say for whom they ask, each adding whom it heard of.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The header in which a proxy says how it was asked itself.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// Whether what is said over it is encrypted.
    pub(crate) secure: bool,
}

impl Peer {
    /// Somebody of whom nothing is known.
    pub(crate) const NOBODY: Self =
        Self { address: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), secure: false };

    pub(crate) fn new(address: SocketAddr, secure: bool) -> Self {
        Self { address: address.ip().to_canonical(), secure }
    }

    /// Who asks over this connection: where it comes from a proxy that is trusted, whom that names. What anybody else says of
    /// themselves counts for nothing, so of a list the last address counts that is no trusted proxy's.
    pub(crate) fn behind(self, proxies: &[Network], headers: &HeaderMap) -> Self {
        let is_trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
        if !is_trusted(self.address) {
            return self;
        }
        let mut address = self.address;
        let said = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let said: Vec<_> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
        for said in said.into_iter().rev() {
            // Whatever stands before something that is no address was not said by a proxy of ours.
            let Some(before) = read(said) else { break };
            address = before;
            if !is_trusted(address) {
                break;
            }
        }
        let secure = headers.get(FORWARDED_PROTO).is_some_and(|said| said == "https");
        Self { address, secure: self.secure || secure }
    }
}

/// An address as proxies write it: alone, with a port, or in brackets.
fn read(text: &str) -> Option<IpAddr> {
    let alone = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = alone.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trusted_proxy_is_believed_and_nobody_else() {
        let proxies: Vec<Network> =
            ["10.0.0.0/8", "fd00::/8"].iter().map(|text| text.parse().unwrap()).collect();
        let check = |from: &str, said: &[&str], expected: &str| {
            let mut headers = HeaderMap::new();
            for said in said {
                headers.append(FORWARDED_FOR, said.parse().unwrap());
            }
            let peer = Peer { address: from.parse().unwrap(), secure: false };
            assert_eq!(peer.behind(&proxies, &headers).address.to_string(), expected, "{from} {said:?}");
        };
        check("1.2.3.4", &["9.9.9.9"], "1.2.3.4");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["9.9.9.9"], "9.9.9.9");
        check("10.0.0.1", &["6.6.6.6, 9.9.9.9"], "9.9.9.9");
        check("10.0.0.1", &["6.6.6.6", "9.9.9.9, 10.0.0.2"], "9.9.9.9");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
        check("10.0.0.1", &["9.9.9.9, nonsense"], "10.0.0.1");
        check("10.0.0.1", &["9.9.9.9:1234"], "9.9.9.9");
        check("fd00::1", &["[2606:4700::1]:443"], "2606:4700::1");
        check("fd00::1", &["[2606:4700::1]"], "2606:4700::1");
    }

    #[test]
    fn only_a_trusted_proxy_says_that_it_was_asked_in_secret() {
        let headers: HeaderMap =
            [(FORWARDED_PROTO.parse().unwrap(), "https".parse().unwrap())].into_iter().collect();
        let secure = |from: &str| {
            let peer = Peer { address: from.parse().unwrap(), secure: false };
            peer.behind(&["10.0.0.0/8".parse().unwrap()], &headers).secure
        };
        assert!(secure("10.0.0.1") && !secure("1.2.3.4"));
    }
}
