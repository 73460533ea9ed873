//! JSON Web Tokens as the host product would make them, and as it would not.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// What both sides of a shared secret know: `TOKEN_SECRET`.
pub const SECRET: &str = "b7f2e1c0-9d4a-4c63-8f5e-1a2b3c4d5e6f-0123456789";
pub const ISSUER: &str = "https://product.example";
pub const AUDIENCE: &str = "patchbay";

/// Claims that are all in order.
pub fn claims(subject: &str, now_ms: i64) -> Value {
    let now = now_ms / 1000;
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 600 })
}

/// The same but for one.
pub fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

/// Signed with HS256.
pub fn signed(claims: &Value, secret: &[u8]) -> String {
    let text = unsigned("HS256", claims);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key");
    mac.update(text.as_bytes());
    format!("{text}.{}", base64(&mac.finalize().into_bytes()))
}

/// `alg: none`, without a signature.
pub fn none(claims: &Value) -> String {
    format!("{}.", unsigned("none", claims))
}

fn unsigned(algorithm: &str, claims: &Value) -> String {
    let header = json!({ "alg": algorithm, "typ": "JWT", "kid": KEY_ID });
    format!(
        "{}.{}",
        base64(header.to_string().as_bytes()),
        base64(claims.to_string().as_bytes())
    )
}

/// Base64url without padding (RFC 7515, appendix C).
fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

const KEY_ID: &str = "2026-11";

/// A public key as a provider publishes it (RFC 7517, appendix A.1).
pub fn key_set() -> Value {
    json!({ "keys": [{ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": MODULUS, "e": "AQAB" }] })
}

/// The texts of that key that somebody might take for a secret.
pub fn public_texts() -> [String; 3] {
    [
        MODULUS.to_owned(),
        key_set()["keys"][0].to_string(),
        key_set().to_string(),
    ]
}

const MODULUS: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
