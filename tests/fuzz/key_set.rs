//! Tokens that are checked with a key set: only the key that a token names, and only what that key
//! is for.

use std::cell::Cell;

use axum::{Json, Router, routing::get};
use jsonwebtoken::{Algorithm, EncodingKey, crypto, jwk::Jwk};
use p256::pkcs8::EncodePrivateKey;
use patchbay::server::identity::token::{Keys, Refused};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use crate::{
    fuzz,
    jwt::{self, changed},
    share,
    tokens::verifier,
};

/// Whoever signs: the names that are theirs in the set, but for the stranger's, who is not in it.
const SIGNERS: [&str; 7] = [
    "ec", "ed", "encrypts", "misnamed", "signs", "shared", "stranger",
];

struct Signer {
    name: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
    /// As it is published.
    public: Option<Value>,
}

/// Always the same pairs.
fn signer(at: u8, name: &'static str) -> Signer {
    let (algorithm, key) = match name {
        "ed" => {
            let mut der =
                b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
            der.extend([at + 1; 32]);
            (Algorithm::EdDSA, EncodingKey::from_ed_der(&der))
        }
        "shared" => (Algorithm::HS256, EncodingKey::from_secret(&[at + 1; 48])),
        _ => {
            let pair = p256::SecretKey::from_slice(&[at + 1; 32]).expect("a key");
            let der = pair.to_pkcs8_der().expect("DER");
            (Algorithm::ES256, EncodingKey::from_ec_der(der.as_bytes()))
        }
    };
    let mut jwk = if name == "shared" {
        json!({ "kty": "oct", "k": jwt::base64(&[at + 1; 48]) })
    } else {
        let jwk = Jwk::from_encoding_key(&key, algorithm).expect("a JWK");
        serde_json::to_value(jwk).expect("JSON")
    };
    jwk["kid"] = json!(name);
    jwk["use"] = json!(if name == "encrypts" { "enc" } else { "sig" });
    match name {
        "misnamed" => jwk["alg"] = json!("ES384"),
        "signs" => jwk["key_ops"] = json!(["sign"]),
        _ => {}
    }
    Signer {
        name,
        algorithm,
        key,
        public: (name != "stranger").then_some(jwk),
    }
}

const CLAIMS: &[&str] = &["iss", "aud", "sub", "exp", "nbf"];

#[test]
fn only_the_named_key_opens_and_only_for_what_it_is_for() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let signers: Vec<Signer> = (0..)
        .zip(SIGNERS)
        .map(|(at, name)| signer(at, name))
        .collect();
    let mut set: Vec<Value> = signers
        .iter()
        .filter_map(|one| one.public.clone())
        .collect();
    set.push(json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "new", "pub": "AAAA" }));
    let body = json!({ "keys": set });
    let base = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route("/keys", get(|| async { Json(body) }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/keys")
    });
    let url = base.parse().expect("an address");
    let verifier = verifier(Keys::Jwks(url), &[Algorithm::ES256, Algorithm::EdDSA]);
    let kids: &[&str] = &["new", "", "EC", "ec ", "ec\u{0}", "none"];
    let algorithms: &[&str] = &["ES256", "EdDSA", "HS256", "ES384", "RS256", "none"];
    let cases = (
        // The two good ones more often.
        prop_oneof![2 => 0..2_usize, 1 => 0..SIGNERS.len()],
        prop_oneof![
            4 => Just(None),
            2 => select(&SIGNERS[..]).prop_map(|name| Some(Some(name))),
            1 => select(kids).prop_map(|name| Some(Some(name))),
            1 => Just(Some(None)),
        ],
        prop_oneof![4 => Just(None), 1 => select(algorithms).prop_map(Some)],
        any::<bool>(),
        prop_oneof![2 => Just(Vec::new()), 1 => jwt::changes(CLAIMS, 2)],
    );
    let accepted = Cell::new(0_u32);
    fuzz(
        "token of a key set",
        share::TOKEN_KEY_SET,
        cases,
        |(signer, other_kid, other_algorithm, brings_a_key, changes)| {
            let signer = &signers[signer];
            let kid = other_kid.unwrap_or(Some(signer.name));
            let own = format!("{:?}", signer.algorithm);
            let named = other_algorithm.unwrap_or(&own);
            let mut header = vec![("alg", json!(named).to_string())];
            header.extend(kid.map(|kid| ("kid", json!(kid).to_string())));
            if brings_a_key && let Some(key) = &signer.public {
                header.push(("jwk", key.to_string()));
                header.push(("jku", json!(base).to_string()));
            }
            let claims = changed(jwt::claims(), &changes);
            let parts = [&header, &claims].map(|fields| jwt::base64(jwt::json(fields).as_bytes()));
            let text = parts.join(".");
            let signature = crypto::sign(text.as_bytes(), &signer.key, signer.algorithm);
            let sent = format!("{text}.{}", signature.expect("a signature"));
            let good = matches!(signer.name, "ec" | "ed")
                && named == own
                && kid.is_none_or(|kid| kid == signer.name);
            match runtime.block_on(verifier.verify(&sent)) {
                Ok(_) => {
                    prop_assert!(good, "{} {:?} {}", signer.name, kid, named);
                    prop_assert!(jwt::may_be_accepted(&claims), "{}", jwt::json(&claims));
                    accepted.set(accepted.get() + 1);
                }
                Err(Refused::Token(reason)) => prop_assert!(
                    !good || !jwt::must_be_accepted(&claims, sent.len()),
                    "{}: {} {:?} {}",
                    reason,
                    signer.name,
                    kid,
                    named
                ),
                Err(Refused::Keys(error)) => prop_assert!(false, "{}", error),
            }
            Ok(())
        },
    );
    assert!(accepted.get() > 0, "all were refused");
}
