//! Addresses and cookies.

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, header},
};
use futures::executor::block_on;
use patchbay::server::{
    db::session,
    http::{
        assets,
        callback::{self, Asked},
    },
    services::pages::local_path,
};
use proptest::prelude::*;
use tower_sessions::session::Id;
use url::{Url, form_urlencoded};

use crate::{fuzz, mangled, share};

const QUERIES: &[&str] = &[
    "state=0c9f4b1e-8a37&code=4%2F0Adeu5B&scope=email%20profile",
    "error=access_denied&error_description=The+user+said+no&state=0c9f",
    "payload=eyJhIjoxfQ%3D%3D",
    "customField=%7B%22a%22%3A1%7D",
    "attempt=01a219f9-d729-70fd-8172-ead32f87e9d7",
    "installation_id=1&setup_action=install",
    "",
];

#[test]
fn a_callback_is_handed_on_to_nango_and_nowhere_else() {
    fuzz(
        "callback query",
        share::CALLBACK,
        mangled::text(QUERIES),
        |query| {
            let names: Vec<_> = form_urlencoded::parse(query.as_bytes())
                .map(|(name, _)| name.into_owned())
                .collect();
            let for_nango = names
                .iter()
                .any(|name| matches!(name.as_str(), "state" | "payload" | "customField"));
            let ours = names.iter().any(|name| name == "attempt");
            match callback::asked(&query) {
                Asked::Forward => prop_assert!(for_nango),
                Asked::Attempt(_) => prop_assert!(ours && !for_nango),
                Asked::Nothing => prop_assert!(!ours && !for_nango),
            }
            let base = "https://nango.example/oauth/callback";
            if let Some(location) = callback::location(base, &query) {
                let bytes = location.as_bytes();
                let whole = format!("{base}?{query}");
                prop_assert_eq!(bytes, whole.as_bytes());
                prop_assert!(
                    !bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)),
                    "another header"
                );
                if let Ok(text) = location.to_str() {
                    let url = Url::parse(text).expect("an address");
                    prop_assert_eq!(
                        (url.scheme(), url.host_str(), url.path()),
                        ("https", Some("nango.example"), "/oauth/callback")
                    );
                }
            }
            Ok(())
        },
    );
}

const PATHS: &[&str] = &[
    "/connectors",
    "/connectors/gmail?q=a%26b#top",
    "/attempts/01a219f9-d729-70fd-8172-ead32f87e9d7",
    "//evil.example",
    "/\\evil.example",
    "https://evil.example/",
    "/..//evil.example",
    "/.//evil.example",
    "/%2f/evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "\\\\evil.example",
    "/@evil.example",
    "http:evil.example",
    " /connectors",
    "",
];

#[test]
fn nobody_is_sent_away_after_signing_in() {
    let base = Url::parse("https://patchbay.example/sign-in?next=x").expect("an address");
    fuzz(
        "next page",
        share::LOCAL_PATH,
        mangled::text(PATHS),
        |next| {
            let path = local_path(&next);
            prop_assert!(path == next || path == "/connectors");
            prop_assert!(
                path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/\\"),
                "{}",
                path
            );
            prop_assert!(!path.chars().any(char::is_control), "{:?}", path);
            // As a browser reads the Location header.
            let url = base.join(path);
            prop_assert!(
                url.as_ref().is_ok_and(|url| url.origin() == base.origin()),
                "{} leads to {:?}",
                path,
                url
            );
            Ok(())
        },
    );
}

#[test]
fn a_cookie_is_a_sessions_id_or_nothing() {
    let samples = [
        "q83vASNFZ4mrze8BI0Vnig",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "",
        "q83vASNFZ4mrze8BI0Vnig==",
        "../../etc/passwd",
    ];
    fuzz(
        "session cookie",
        share::COOKIE,
        mangled::text(&samples),
        |value| {
            let digest = session::digest(&value);
            prop_assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
            if let Ok(id) = value.parse::<Id>() {
                // One session has one name: no second cookie opens it.
                prop_assert_eq!(id.to_string(), value);
            }
            Ok(())
        },
    );
}

#[test]
fn no_address_of_a_file_leads_out_of_the_site() {
    let paths = mangled::text(&[
        "pkg/patchbay.js",
        "favicon.svg",
        "../Cargo.toml",
        "..%2f..%2fCargo.toml",
        "/etc/passwd",
        "pkg/patchbay.wasm.br",
        "",
    ]);
    let accepts = mangled::bytes(&[
        "br, gzip",
        "gzip, deflate, br;q=0.9, *;q=0.1",
        "identity",
        "",
    ]);
    fuzz(
        "files",
        share::ASSET,
        (mangled::text(&["0123456789ab", "x"]), paths, accepts),
        |(version, path, accepts)| {
            let mut headers = HeaderMap::new();
            for name in [header::ACCEPT_ENCODING, header::IF_NONE_MATCH] {
                if let Ok(value) = HeaderValue::from_bytes(&accepts) {
                    headers.insert(name, value);
                }
            }
            let response = block_on(assets::versioned(Path((version, path.clone())), headers));
            let status = response.status().as_u16();
            prop_assert!(matches!(status, 200 | 304 | 404), "{} {}", status, path);
            if status != 404 {
                prop_assert!(!path.contains("..") && !path.starts_with('/'), "{}", path);
            }
            Ok(())
        },
    );
}
