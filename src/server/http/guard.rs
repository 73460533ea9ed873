//! What stands before every handler: requests of other sites are told and refused.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use url::Url;

use super::{
    limits::{brings_a_signature, is_safe},
    problem::ApiError,
};
use crate::{domain::problem::Problem, server::state::AppState};

/// Refuses what another site makes a browser send: every unsafe method must come from a page of
/// ours. Browsers say so in `Sec-Fetch-Site`, older ones in `Origin`; other clients send neither
/// and hold no cookie that a page could abuse. What proves itself by a signature or a token is let
/// through.
pub async fn same_origin(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if is_safe(request.method())
        || is_same_origin(request.headers(), &state.web.origin)
        || brings_a_signature(&request)
        || brings_a_token(&request)
    {
        return next.run(request).await;
    }
    refuse(request.uri().path(), request.headers()).into_response()
}

/// The refusal, with a line in the log that says why.
pub fn refuse(path: &str, headers: &HeaderMap) -> ApiError {
    let said = |name| headers.get(name).map(shown);
    tracing::warn!(
        path,
        sec_fetch_site = said(SEC_FETCH_SITE),
        origin = said(header::ORIGIN),
        "refused: the request came from another site"
    );
    ApiError::from(Problem::new(
        403,
        "cross_site",
        "This request came from another site.",
        "Do it from a page of this server.",
    ))
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A header as the log may show it: whoever sent it may have written anything.
fn shown(value: &HeaderValue) -> String {
    let text = value.to_str().unwrap_or("?");
    text.chars().take(100).collect()
}

/// A page of the host product may post its token here: the handler looks where it comes from.
pub const TOKEN_FORM: &str = "/sign-in/token";

/// No browser sends a bearer token by itself (other schemes it does, once somebody has asked), and
/// beside one the cookie does not count.
fn brings_a_token(request: &Request) -> bool {
    let value = request.headers().get(header::AUTHORIZATION);
    let scheme = value.and_then(|value| value.as_bytes().get(..7));
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
        || request.uri().path() == TOKEN_FORM
}

/// The page's origin is ours where it is the one that people type, or the host that was asked: a
/// server has other names too, and a proxy may change the host on the way. Under https a page that
/// came without it is not ours, whatever it calls itself.
pub fn is_same_origin(headers: &HeaderMap, ours: &str) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or_default());
    if let Some(site) = text(SEC_FETCH_SITE) {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else {
        return true;
    };
    let host = text(header::HOST).unwrap_or_default();
    let is_host = origin.split_once("://").is_some_and(|(scheme, authority)| {
        (scheme == "https" || !ours.starts_with("https:"))
            && !authority.is_empty()
            && authority.eq_ignore_ascii_case(host)
    });
    is_host || origin.eq_ignore_ascii_case(ours)
}

/// Whether a browser would have kept our cookie to itself: the page is of another site. Where it does
/// not say how far away that is, it may be.
pub fn comes_without_cookies(headers: &HeaderMap, ours: &str) -> bool {
    let site = headers.get(SEC_FETCH_SITE);
    !is_same_origin(headers, ours) && site.is_none_or(|site| site != "same-site")
}

/// What proxies add to a request.
const PROXY_HEADERS: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Whether the request was made on this very machine: both the address it was sent to and the page
/// that sent it are loopback, and nothing tells of a proxy. No browser speaks HTTP/1.0; some
/// proxies do, towards the server behind them.
pub fn is_loopback(version: Version, headers: &HeaderMap) -> bool {
    if version < Version::HTTP_11 || PROXY_HEADERS.iter().any(|name| headers.contains_key(*name)) {
        return false;
    }
    let host = headers
        .get(header::HOST)
        .and_then(|value| Url::parse(&format!("http://{}/", value.to_str().ok()?)).ok());
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|value| Url::parse(value.to_str().ok()?).ok());
    host.is_some_and(|url| is_loopback_host(&url))
        && origin.is_some_and(|url| is_loopback_host(&url))
}

fn is_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn tells_other_sites_apart() {
        for (pairs, expected) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "same-site")], false),
            (
                vec![("origin", "http://a.example"), ("host", "a.example")],
                true,
            ),
            (
                vec![("origin", "http://b.example"), ("host", "a.example")],
                false,
            ),
            (
                vec![("origin", "http://a.example:81"), ("host", "a.example")],
                false,
            ),
            // A proxy has changed the host; people see another one.
            (
                vec![("origin", "http://seen.example"), ("host", "inner:3000")],
                true,
            ),
            (
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://seen.example"),
                ],
                false,
            ),
            (vec![("origin", "null"), ("host", "a.example")], false),
            (vec![("origin", "null"), ("host", "null")], false),
            (vec![("origin", ""), ("host", "")], false),
            (vec![("origin", "file://"), ("host", "")], false),
            (vec![("origin", "http://")], false),
            (vec![("origin", "null")], false),
            (vec![("host", "a.example")], true),
        ] {
            let found = is_same_origin(&headers(&pairs), "http://seen.example");
            assert_eq!(found, expected, "{pairs:?}");
        }
        for (origin, expected) in [
            ("https://a.example", true),
            ("http://a.example", false),
            ("https://seen.example", true),
            ("http://seen.example", false),
        ] {
            let headers = headers(&[("origin", origin), ("host", "a.example")]);
            let found = is_same_origin(&headers, "https://seen.example");
            assert_eq!(found, expected, "{origin}");
        }
    }

    #[test]
    fn a_proxy_does_not_look_like_loopback() {
        for (host, origin, expected) in [
            ("127.0.0.1:3000", "http://127.0.0.1:3000", true),
            ("localhost:3000", "http://localhost:3000", true),
            ("[::1]:3000", "http://[::1]:3000", true),
            ("127.0.0.1:3000", "https://app.example", false),
            ("app.example", "http://127.0.0.1:3000", false),
            ("localhost.example", "http://localhost.example", false),
            ("127.0.0.1:3000", "null", false),
        ] {
            let headers = headers(&[("host", host), ("origin", origin)]);
            assert_eq!(
                is_loopback(Version::HTTP_11, &headers),
                expected,
                "{host} {origin}"
            );
        }
        assert!(!is_loopback(
            Version::HTTP_11,
            &headers(&[("host", "127.0.0.1:3000")])
        ));
        let ours = [
            ("host", "127.0.0.1:3000"),
            ("origin", "http://127.0.0.1:3000"),
        ];
        assert!(!is_loopback(Version::HTTP_10, &headers(&ours)));
        for name in PROXY_HEADERS {
            let mut forwarded = headers(&ours);
            forwarded.insert(name, HeaderValue::from_static("203.0.113.9"));
            assert!(!is_loopback(Version::HTTP_11, &forwarded), "{name}");
        }
    }
}
