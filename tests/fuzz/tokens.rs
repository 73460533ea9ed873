//! Bearer tokens: the header first, then the token's own text, then tokens that are well made and
//! say what they should not.

use std::cell::Cell;

use axum::http::{HeaderMap, HeaderValue, header};
use futures::executor::block_on;
use jsonwebtoken::Algorithm;
use patchbay::{
    domain::timestamp::Timestamp,
    server::{
        clock::Clock,
        http::session::bearer,
        identity::{
            http::Http,
            token::{Keys, Refused, Settings, Verified, Verifier},
        },
    },
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;

use crate::{
    Verdict, fuzz,
    jwt::{self, AUDIENCE, Fields, ISSUER, NOW, changed},
    mangled, share,
};

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

/// What both sides of a shared secret know: long enough for each of the three algorithms.
const SECRET: &str = "b7f2e1c0-9d4a-4c63-8f5e-1a2b3c4d5e6f-0123456789abcdef0123456789abcdef";

pub fn verifier(keys: Keys, algorithms: &[Algorithm]) -> Verifier {
    let settings = Settings {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        keys,
        algorithms: algorithms.to_vec(),
        name_claim: "name".to_owned(),
    };
    let http = Http::new().expect("a client");
    Verifier::new(settings, http, Clock::fixed(Timestamp(NOW * 1000)))
}

fn with_the_secret() -> Verifier {
    let algorithms = [Algorithm::HS256, Algorithm::HS512];
    verifier(Keys::Secret(SECRET.into()), &algorithms)
}

#[test]
fn no_token_that_nobody_signed_is_accepted() {
    let verifier = with_the_secret();
    fuzz("JWT", share::JWT, mangled::text(JWTS), |text| {
        let found = block_on(verifier.verify(&text));
        prop_assert!(matches!(found, Err(Refused::Token(_))), "{:?}", found);
        Ok(())
    });
}

/// Nothing but what the claims say, and nothing of it that could not be shown.
fn says_what_it_said(found: &Verified, claims: &Fields) -> Verdict {
    let texts = |name: &str| -> Vec<Value> {
        let all = claims.iter().filter(|(known, _)| *known == name);
        all.filter_map(|(_, text)| serde_json::from_str(text).ok())
            .collect()
    };
    let person = &found.person;
    prop_assert_eq!(&person.issuer, ISSUER);
    prop_assert!(texts("sub").iter().any(|sub| *sub == *person.subject));
    if let Some(name) = &person.name {
        prop_assert!(!name.trim().is_empty() && name.chars().count() <= 80);
        prop_assert!(!name.chars().any(char::is_control), "{:?}", name);
    }
    if let Some(email) = &person.email {
        prop_assert!(texts("email").iter().any(|said| *said == **email));
        prop_assert!(email.contains('@') && email.len() <= 254);
        prop_assert!(!email.chars().any(|c| c.is_control() || c.is_whitespace()));
    }
    prop_assert!(found.expires_at.0 > NOW * 1000, "it is over");
    Ok(())
}

const CLAIMS: &[&str] = &[
    "iss", "aud", "sub", "exp", "nbf", "iat", "name", "email", "jti",
];
const HEADERS: &[&str] = &[
    "alg", "typ", "kid", "crit", "jwk", "jku", "x5u", "x5c", "cty", "zip", "b64",
];

/// A good one half of the time.
fn algorithm(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just(names[0]), 1 => select(names)]
}

#[test]
fn a_signed_token_is_accepted_for_what_it_says_only() {
    let verifier = with_the_secret();
    let hmac: &[&str] = &["HS256", "HS384", "HS512"];
    let named: &[&str] = &[
        "HS256", "HS384", "HS512", "hs256", "none", "None", "RS256", "ES256", "EdDSA", "",
    ];
    let edits = prop_oneof![6 => Just(Vec::new()), 1 => vec(mangled::edit(), 1..3)];
    let keys = prop_oneof![
        10 => Just(SECRET),
        1 => select(vec!["", "another secret of more than thirty-two bytes", &SECRET[..32]]),
    ];
    let cases = (
        (algorithm(hmac), algorithm(named), any::<bool>(), keys),
        jwt::changes(HEADERS, 1),
        jwt::changes(CLAIMS, 3),
        edits,
    );
    let accepted = Cell::new(0_u32);
    fuzz(
        "token of a secret",
        share::TOKEN_SECRET,
        cases,
        |((signed, named, honest, key), more, changes, edits)| {
            let named = if honest { signed } else { named };
            let header = vec![("alg", format!("{named:?}")), ("typ", "\"JWT\"".to_owned())];
            let header = changed(header, &more);
            let claims = changed(jwt::claims(), &changes);
            let parts = [&header, &claims].map(|fields| jwt::base64(jwt::json(fields).as_bytes()));
            let text = parts.join(".");
            let whole = format!("{text}.{}", jwt::mac(signed, key.as_bytes(), &text));
            let mut sent = whole.clone().into_bytes();
            for edit in &edits {
                mangled::apply(&mut sent, edit, &[JWTS[0].into()]);
            }
            let sent = String::from_utf8_lossy(&sent).into_owned();
            let algorithms = ["HS256", "HS512"].contains(&signed);
            let good = sent == whole && key == SECRET && algorithms;
            match block_on(verifier.verify(&sent)) {
                Ok(found) => {
                    prop_assert!(good, "signed with another key, or changed");
                    let alg = format!("{signed:?}");
                    prop_assert!(
                        header
                            .iter()
                            .all(|(name, value)| *name != "alg" || *value == alg)
                    );
                    let critical = |value: &str| value != "null";
                    prop_assert!(!header.iter().any(|(n, v)| *n == "crit" && critical(v)));
                    prop_assert!(jwt::may_be_accepted(&claims), "{}", jwt::json(&claims));
                    accepted.set(accepted.get() + 1);
                    says_what_it_said(&found, &claims)?;
                }
                Err(Refused::Token(reason)) => {
                    let fine = good && named == signed && more.is_empty();
                    prop_assert!(
                        !fine || !jwt::must_be_accepted(&claims, sent.len()),
                        "{}: {}",
                        reason,
                        jwt::json(&claims)
                    );
                }
                Err(Refused::Keys(error)) => prop_assert!(false, "{}", error),
            }
            Ok(())
        },
    );
    assert!(accepted.get() > 0, "all were refused");
}
