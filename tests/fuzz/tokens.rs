//! Bearer tokens: the header first, then the token's own text.

use axum::http::{HeaderMap, HeaderValue, header};
use patchbay::server::http::session::bearer;
use proptest::prelude::*;

use crate::{Verdict, fuzz, mangled, share};

/// Header, claims and signature of HS256; the same with RS256 and with none.
const JWTS: &[&str] = &[
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL3Byb2R1Y3QuZXhhbXBsZSIsImF1ZCI6InBhdGNoYmF5Iiwic3ViIjoiMSIsImV4cCI6NDEwMjQ0NDgwMH0.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlc2lnbmE",
    "eyJhbGciOiJSUzI1NiIsImtpZCI6IjIwMjYtMTEifQ.eyJzdWIiOiIxIn0.AAAA",
    "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL3Byb2R1Y3QuZXhhbXBsZSIsInN1YiI6IjEifQ.",
    "e30.e30.",
    "..",
];

#[test]
fn any_authorization_is_a_bearer_token_or_refused() {
    let samples: Vec<String> = JWTS.iter().map(|jwt| format!("Bearer {jwt}")).collect();
    let mut samples: Vec<&str> = samples.iter().map(String::as_str).collect();
    samples.extend([
        "bearer x",
        "Basic dXNlcjpwYXNz",
        "Bearer",
        "Bearer ",
        "Digest username=\"x\"",
        "",
    ]);
    fuzz(
        "Authorization",
        share::AUTHORIZATION,
        mangled::bytes(&samples),
        |bytes| {
            let Ok(value) = HeaderValue::from_bytes(&bytes) else {
                return Ok(());
            };
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value);
            match bearer(&headers) {
                Ok(Some(token)) => {
                    prop_assert!(!token.0.is_empty() && token.0.trim() == token.0);
                    let text = String::from_utf8(bytes.clone()).expect("visible letters");
                    prop_assert!(text.trim_end().ends_with(token.0));
                    prop_assert!(
                        text.get(..7)
                            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")),
                        "{}",
                        text
                    );
                }
                // Whoever sends something is never passed over as somebody who sent nothing.
                Ok(None) => prop_assert!(false, "passed over"),
                Err(error) => prop_assert_eq!(
                    (error.problem.status, &*error.problem.code),
                    (401, "token_invalid")
                ),
            }
            Ok(())
        },
    );
}

#[test]
fn no_token_that_nobody_signed_is_accepted() {
    fuzz("JWT", share::JWT, mangled::text(JWTS), |text| {
        unsigned(&text)
    });
}

/// What nobody has signed names nobody.
fn unsigned(text: &str) -> Verdict {
    let Ok(value) = HeaderValue::from_str(&format!("Bearer {text}")) else {
        return Ok(());
    };
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    if let Ok(found) = bearer(&headers) {
        prop_assert_eq!(found.map(|token| token.0), Some(text.trim()));
    }
    Ok(())
}
