//! Where a request comes from: `Host`, `Origin` and `Sec-Fetch-Site`.

use std::{cell::Cell, net::IpAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use patchbay::server::http::guard;
use proptest::{prelude::*, test_runner::TestCaseError};
use url::Url;

use crate::{fuzz, mangled, share};

/// What a browser would take for its own machine.
fn is_this_machine(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.parse::<IpAddr>().map_or_else(
        |_| host == "localhost" || host.ends_with(".localhost"),
        |address| address.is_loopback(),
    )
}

const HOSTS: &[&str] = &[
    "127.0.0.1:3000",
    "localhost:3000",
    "[::1]:3000",
    "app.example",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "evil.example#localhost",
    "a.localhost",
];
const ORIGINS: &[&str] = &[
    "http://127.0.0.1:3000",
    "http://localhost:3000",
    "http://[::1]:3000",
    "https://app.example",
    "null",
    "http://localhost.evil.example",
    "http://evil.example/localhost",
    "http://localhost@evil.example",
    "file://",
];

#[test]
fn only_this_machine_is_taken_for_it() {
    let cases = (
        mangled::bytes(HOSTS),
        mangled::bytes(ORIGINS),
        prop::option::weighted(
            0.2,
            prop::sample::select(
                &[
                    "forwarded",
                    "via",
                    "x-forwarded-for",
                    "x-forwarded-host",
                    "x-forwarded-proto",
                    "x-real-ip",
                ][..],
            ),
        ),
        any::<bool>(),
    );
    fuzz(
        "Host and Origin",
        share::HOST,
        cases,
        |(host, origin, proxy, modern)| {
            let mut headers = HeaderMap::new();
            let mut texts = Vec::new();
            for (name, bytes) in [(header::HOST, &host), (header::ORIGIN, &origin)] {
                if let Ok(value) = HeaderValue::from_bytes(bytes) {
                    texts.push(value.to_str().unwrap_or_default().to_owned());
                    headers.insert(name, value);
                }
            }
            if let Some(name) = proxy {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
            }
            let version = if modern {
                Version::HTTP_11
            } else {
                Version::HTTP_10
            };
            if guard::is_loopback(version, &headers) {
                prop_assert!(modern && proxy.is_none() && texts.len() == 2);
                prop_assert!(
                    is_this_machine(&format!("http://{}/", texts[0])),
                    "{:?}",
                    texts
                );
                prop_assert!(is_this_machine(&texts[1]), "{:?}", texts);
            }
            Ok(())
        },
    );
}

/// Host and port of an authority, as a browser understands them; as they stand where it would not
/// take them for one.
fn place(authority: &str) -> (String, Option<u16>) {
    match Url::parse(&format!("x://{authority}/")) {
        Ok(url) if url.has_host() && url.path() == "/" => {
            let host = url.host_str().unwrap_or_default();
            (host.to_ascii_lowercase(), url.port())
        }
        _ => (authority.to_ascii_lowercase(), None),
    }
}

/// Scheme and authority of an origin.
fn parts(origin: &str) -> Option<(&str, &str)> {
    origin
        .split_once("://")
        .filter(|(_, authority)| !authority.is_empty())
}

#[test]
fn no_other_host_is_taken_for_our_own() {
    let sites: &'static [&'static str] = &[
        "same-origin",
        "none",
        "same-site",
        "cross-site",
        "Same-Origin",
        "same-origin, cross-site",
        "same-origin ",
        "",
        "x",
    ];
    let ours: &'static [&'static str] = &[
        "http://app.example",
        "https://app.example",
        "http://127.0.0.1:3000",
        "https://app.example:8443",
    ];
    let hosts = mangled::bytes(&[
        "app.example",
        "app.example:8443",
        "app.example:443",
        "127.0.0.1:3000",
        "[::1]:3000",
        "inner:3000",
        "APP.EXAMPLE",
        "",
    ]);
    let origins = mangled::bytes(&[
        "http://app.example",
        "https://app.example",
        "https://app.example:8443",
        "http://127.0.0.1:3000",
        "http://[::1]:3000",
        "https://inner:3000",
        "null",
        "",
        "https://app.example.evil.example",
        "https://app.example@evil.example",
        "https://evil.example/app.example",
        "file://",
        "http://",
    ]);
    // Every other one has the host in its origin: by chance the two would hardly ever be the same.
    let pair = (hosts, origins, any::<bool>()).prop_map(|(host, origin, same)| {
        let origin = if same {
            [b"https://", &host[..]].concat()
        } else {
            origin
        };
        (Some(host), Some(origin))
    });
    let cases = (
        prop::option::weighted(0.3, prop::sample::select(sites)),
        pair,
        (0_u8..8, 0_u8..8),
        prop::sample::select(ours),
    );
    let counts = Cell::new((0_u32, 0_u32));
    fuzz(
        "Origin",
        share::ORIGIN,
        cases,
        |(site, (host, origin), absent, ours)| {
            let mut headers = HeaderMap::new();
            let mut put = |name, value: Option<Vec<u8>>| {
                let value = value.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok())?;
                headers.insert(name, value.clone());
                Some(value.to_str().unwrap_or("?").to_owned())
            };
            let site = put(
                HeaderName::from_static("sec-fetch-site"),
                site.map(Into::into),
            );
            let host = put(header::HOST, host.filter(|_| absent.0 > 0));
            let origin = put(header::ORIGIN, origin.filter(|_| absent.1 > 0));
            let found = guard::is_same_origin(&headers, ours);
            let (yes, no) = counts.get();
            counts.set((yes + u32::from(found), no + u32::from(!found)));
            match (site, origin) {
                // The browser's own word.
                (Some(site), _) => prop_assert_eq!(found, site == "same-origin" || site == "none"),
                // No browser: there is no cookie that anybody could abuse.
                (None, None) => prop_assert!(found),
                (None, Some(origin)) if found => {
                    let Some((scheme, authority)) = parts(&origin) else {
                        return Err(TestCaseError::fail(origin));
                    };
                    let (our_scheme, our_authority) = parts(ours).expect("an origin");
                    let scheme = scheme.to_ascii_lowercase();
                    prop_assert!(scheme == "https" || our_scheme == "http", "{}", origin);
                    let theirs = place(authority);
                    let asked = host.as_deref().filter(|host| !host.is_empty()).map(place);
                    prop_assert!(
                        theirs == place(our_authority) || Some(theirs) == asked,
                        "{} of {:?}",
                        origin,
                        host
                    );
                }
                (None, Some(origin)) => {
                    prop_assert!(!origin.eq_ignore_ascii_case(ours), "{}", origin)
                }
            }
            Ok(())
        },
    );
    let (yes, no) = counts.get();
    assert!(yes > 0 && no > 0, "{yes} and {no}");
}
