//! The product that people come from: the token that it gives them, and the settings of a server that
//! takes it.
//!
//! May import the crate's clock.

use jsonwebtoken::{EncodingKey, Header, encode};
use patchbay::server::clock::Clock;
use serde_json::json;

pub const ISSUER: &str = "https://product.example";
const AUDIENCE: &str = "patchbay";
const SECRET: &str = "2f6c1d0b-9a84-4e57-8c3d-5b7e0f1a6d42";

/// Everybody in a test comes from one address, and none of them sleeps: so there are no limits.
pub fn settings() -> Vec<(&'static str, String)> {
    let settings = [
        ("TOKEN_ISSUER", ISSUER),
        ("TOKEN_AUDIENCE", AUDIENCE),
        ("TOKEN_SECRET", SECRET),
        ("LIMITS_REQUESTS_PER_SECOND", "0"),
        ("LIMITS_CHANGES_PER_SECOND", "0"),
    ];
    settings
        .map(|(name, value)| (name, value.to_owned()))
        .into()
}

/// For two hours.
pub fn token(subject: &str) -> String {
    let now = Clock::system().now().0 / 1000;
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": now + 7200, "iat": now,
    });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), &claims, &key).expect("a token")
}
