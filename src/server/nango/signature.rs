//! The signature of Nango's webhooks: `X-Nango-Hmac-Sha256`, the hex HMAC-SHA256 of the raw body
//! with the webhook signing key. The legacy `X-Nango-Signature` is not looked at.
//!
//! May import nothing of ours.

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The header that holds it.
pub const HEADER: &str = "x-nango-hmac-sha256";
const BYTES: usize = 32;

/// Whether `header` signs exactly this body with this key. The comparison takes the same time
/// wherever the two differ.
pub fn verify(key: &SecretString, body: &[u8], header: &str) -> bool {
    let (Some(given), Some(mac)) = (decode(header), mac(key, body)) else {
        return false;
    };
    mac.verify_slice(&given).is_ok()
}

/// What Nango would send with this body: for the test that one sends oneself.
pub fn sign(key: &SecretString, body: &[u8]) -> String {
    mac(key, body).map_or_else(String::new, |mac| {
        let mut hex = String::with_capacity(BYTES * 2);
        for byte in mac.finalize().into_bytes() {
            for half in [byte >> 4, byte & 15] {
                hex.extend(char::from_digit(half.into(), 16));
            }
        }
        hex
    })
}

fn mac(key: &SecretString, body: &[u8]) -> Option<Hmac<Sha256>> {
    let key = key.expose_secret();
    // With an empty key anybody could sign.
    if key.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(body);
    Some(mac)
}

/// Sixty-four lower-case digits, as every real sender writes them, and nothing around them.
fn decode(hex: &str) -> Option<[u8; BYTES]> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != BYTES {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

const fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}
