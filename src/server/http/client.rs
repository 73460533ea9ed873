//! Who is at the other end: the client's address, past the proxies that are trusted.
//!
//! Only `X-Forwarded-For` counts, and only from a trusted proxy: every proxy in use writes it, and
//! to believe `Forwarded` as well would let a client choose, where the proxy knows but one of them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName},
    middleware::Next,
    response::Response,
};
use ipnet::IpNet;

use crate::server::state::AppState;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A request's client; `None` where nobody knows, as in a test without a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client(pub Option<IpAddr>);

/// Finds out for everything that comes after.
pub async fn tell(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let client = peer.map(|ConnectInfo(peer)| {
        let trusted = &state.web.trusted_proxies;
        address(peer.ip(), request.headers(), trusted)
    });
    request.extensions_mut().insert(Client(client));
    next.run(request).await
}

/// The rightmost address that is no trusted proxy's. What stands left of it, the client may have
/// made up; so where an entry cannot be read, the proxy that passed it on is all that is known.
fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut known = peer.to_canonical();
    let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    let entries = lines
        .into_iter()
        .rev()
        .flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    for entry in entries {
        if !is_trusted(&known) {
            return known;
        }
        match read(entry.trim()) {
            Some(address) => known = address,
            None => return known,
        }
    }
    known
}

/// Whether a request comes from a proxy that is trusted, so that what it adds counts.
pub fn is_from_proxy(request: &Request, trusted: &[IpNet]) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| {
        let peer = peer.ip().to_canonical();
        trusted.iter().any(|net| net.contains(&peer))
    })
}

/// Some proxies write the port too.
fn read(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|e| e.strip_suffix(']'));
    bare.unwrap_or(entry)
        .parse()
        .ok()
        .or_else(|| entry.parse().ok().map(|address: SocketAddr| address.ip()))
        .map(|address: IpAddr| address.to_canonical())
}

/// What counts as one address: of IPv6, everybody has at least a /64 to himself.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn found(peer: &str, lines: &[&'static str]) -> String {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "192.0.2.1/32", "2001:db8:ffff::/48"]
            .map(|net| net.parse().unwrap())
            .into();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_client() {
        for (peer, lines, client) in [
            ("203.0.113.5", vec![], "203.0.113.5"),
            // Nobody's word counts but a proxy's.
            ("203.0.113.5", vec!["198.51.100.7"], "203.0.113.5"),
            ("10.1.2.3", vec!["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.1.2.3", vec!["198.51.100.7"], "198.51.100.7"),
            ("10.1.2.3", vec!["::ffff:198.51.100.7"], "198.51.100.7"),
            // What the client wrote itself stands further left.
            ("10.1.2.3", vec!["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            ("10.1.2.3", vec!["1.1.1.1", "198.51.100.7"], "198.51.100.7"),
            (
                "10.1.2.3",
                vec!["1.1.1.1, 198.51.100.7, 192.0.2.1"],
                "198.51.100.7",
            ),
            ("10.1.2.3", vec!["10.0.0.9"], "10.0.0.9"),
            ("10.1.2.3", vec![], "10.1.2.3"),
            ("10.1.2.3", vec!["198.51.100.7:51234"], "198.51.100.7"),
            ("2001:db8:ffff::1", vec!["[2001:db8::7]:443"], "2001:db8::7"),
            ("2001:db8:ffff::1", vec!["[2001:db8::7]"], "2001:db8::7"),
            // What cannot be read ends the search where it is still known.
            ("10.1.2.3", vec!["198.51.100.7, unknown"], "10.1.2.3"),
            ("10.1.2.3", vec!["198.51.100.7, "], "10.1.2.3"),
            (
                "10.1.2.3",
                vec!["198.51.100.7, evil, 192.0.2.1"],
                "192.0.2.1",
            ),
        ] {
            assert_eq!(found(peer, &lines), client, "{peer} {lines:?}");
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        for (address, counts_as) in [
            ("203.0.113.5", "203.0.113.5"),
            ("::ffff:203.0.113.5", "203.0.113.5"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
        ] {
            let address = neighbourhood(address.parse().unwrap());
            assert_eq!(address.to_string(), counts_as);
        }
    }
}
