//! Where a request comes from, as far as it can be believed.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use actix_web::http::header::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose word is taken for where a request comes from: addresses and networks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(Vec<Network>);

/// An address, or all addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    /// As an IPv6 address; one of IPv4 is mapped.
    beginning: u128,
    bits: u32,
}

impl TrustedProxies {
    fn contains(&self, address: IpAddr) -> bool {
        let address = number(address);
        self.0.iter().any(|network| masked(address, network.bits) == network.beginning)
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidTrustedProxies;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',')
            .map(str::trim)
            .filter(|network| !network.is_empty())
            .map(|network| {
                let invalid = || InvalidTrustedProxies { network: network.to_owned() };
                Network::parse(network).ok_or_else(invalid)
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse::<u32>().ok().filter(|length| *length <= most)?
            }
            Some(_) => return None,
            None => most,
        };
        let bits = 128 - most + length;
        let beginning = number(address);
        // Bits behind the length are a slip of the hand; what was meant cannot be known.
        (masked(beginning, bits) == beginning).then_some(Self { beginning, bits })
    }
}

/// A text that names no addresses or networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{network}' is no address, and no network such as 10.0.0.0/8 or fd00::/8")]
pub struct InvalidTrustedProxies {
    /// What could not be read.
    network: String,
}

/// What a client without a key is counted by: its address, or the /64 that it has of IPv6, of which one customer has all.
///
/// Each proxy adds to the end of the list from whom it heard, so that the nearest hop that is not a proxy of ours is the last
/// one that somebody we believe has seen; whatever stands before it the client may have made up.
pub(crate) fn client_network(
    peer: Option<SocketAddr>,
    headers: &HeaderMap,
    trusted: &TrustedProxies,
) -> IpAddr {
    let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
    network_of(nearest_stranger(peer, headers, trusted))
}

fn nearest_stranger(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    if !trusted.contains(peer) {
        return peer;
    }
    // Not `Forwarded`: most proxies hand on what a client made up there.
    let hops: Vec<Option<IpAddr>> = headers
        .get_all(X_FORWARDED_FOR)
        .flat_map(|line| line.to_str().unwrap_or_default().split(','))
        .map(hop)
        .collect();
    let mut nearest = peer;
    for hop in hops.into_iter().rev() {
        // Behind what cannot be read nothing can be believed.
        let Some(hop) = hop else { break };
        nearest = hop;
        if !trusted.contains(hop) {
            break;
        }
    }
    nearest
}

/// An address as proxies write it: with or without a port, quotes and brackets.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let address = text
        .parse()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .or_else(|_| text.trim_matches(['[', ']']).parse::<IpAddr>());
    address.ok().map(|address| address.to_canonical())
}

fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(masked(address.to_bits(), 64))),
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

const fn masked(address: u128, bits: u32) -> u128 {
    match u128::MAX.checked_shl(128 - bits) {
        Some(mask) => address & mask,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn seen(peer: &str, trusted: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
        client_network(Some(peer), &map, &trusted.parse().unwrap()).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let forged = [("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4")];

        assert_eq!(seen("192.0.2.7", "", &forged), "192.0.2.7");
        assert_eq!(seen("192.0.2.7", "10.0.0.0/8", &forged), "192.0.2.7");
        assert_eq!(seen("::ffff:192.0.2.7", "", &forged), "192.0.2.7");
    }

    #[test]
    fn the_nearest_hop_that_is_no_proxy_counts() {
        let trusted = "10.0.0.0/8, fd00::/8";

        for (header, value, expected) in [
            ("x-forwarded-for", "1.1.1.1, 192.0.2.7", "192.0.2.7"),
            ("x-forwarded-for", "1.1.1.1, 192.0.2.7, 10.9.9.9", "192.0.2.7"),
            ("x-forwarded-for", "10.1.1.1, 10.2.2.2", "10.1.1.1"),
            ("x-forwarded-for", "1.1.1.1, nonsense", "10.0.0.1"),
            ("x-forwarded-for", "192.0.2.7:8080", "192.0.2.7"),
            ("x-forwarded-for", "[2001:db8:1:2:3:4:5:6]:80", "2001:db8:1:2::"),
            ("x-forwarded-for", "unknown", "10.0.0.1"),
            ("forwarded", "for=1.1.1.1", "10.0.0.1"),
        ] {
            assert_eq!(seen("10.0.0.1", trusted, &[(header, value)]), expected, "{value}");
        }
        assert_eq!(seen("10.0.0.1", trusted, &[]), "10.0.0.1");
        let unreadable = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "é, 192.0.2.7")];
        assert_eq!(seen("10.0.0.1", trusted, &unreadable), "10.0.0.1");
    }

    #[test]
    fn addresses_of_one_ipv6_customer_count_together() {
        assert_eq!(seen("2001:db8:1:2::1", "", &[]), seen("2001:db8:1:2:ffff::9", "", &[]));
        assert_ne!(seen("2001:db8:1:2::1", "", &[]), seen("2001:db8:1:3::1", "", &[]));
    }

    #[test]
    fn reads_addresses_and_networks_and_nothing_else() {
        for right in ["", "127.0.0.1", "10.0.0.0/8,::1", "0.0.0.0/0", "::/0", "fd00::/8"] {
            assert!(right.parse::<TrustedProxies>().is_ok(), "{right}");
        }
        for wrong in
            ["proxy", "10.0.0.0/33", "10.0.0.1/8", "::1/129", "10.0.0.0/", "10/8", "1.1.1.1/+8"]
        {
            assert!(wrong.parse::<TrustedProxies>().is_err(), "{wrong}");
        }
        let all: TrustedProxies = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()));
        assert!(!all.contains("2001:db8::1".parse().unwrap()));
    }
}
