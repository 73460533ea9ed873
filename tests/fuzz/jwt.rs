//! Tokens that are put together by hand, so that everything in them can be wrong, and the rule by
//! which one of them may be accepted. None of it asks the code that is tried.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fmt::Write;

use hmac::{Hmac, Mac};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;
use sha2::{Sha256, Sha384, Sha512};

pub const ISSUER: &str = "https://product.example";
pub const AUDIENCE: &str = "patchbay";
/// The time at which every token is looked at.
pub const NOW: i64 = 1_790_000_000;
/// How far two clocks may be apart.
const LEEWAY: f64 = 30.0;
const LONGEST: usize = 8 * 1024;

/// A change of an object's text.
#[derive(Clone, Debug)]
pub enum Change {
    Set(&'static str, String),
    Gone(&'static str),
    /// The same name once more.
    Again(&'static str, String),
}

/// An object as names and the JSON of their values, in order: names may be there twice.
pub type Fields = Vec<(&'static str, String)>;

pub fn claims() -> Fields {
    vec![
        ("iss", format!("{ISSUER:?}")),
        ("aud", format!("{AUDIENCE:?}")),
        ("sub", "\"1\"".to_owned()),
        ("iat", NOW.to_string()),
        ("exp", (NOW + 600).to_string()),
        ("name", "\"Ada\"".to_owned()),
        ("email", "\"ada@example.com\"".to_owned()),
    ]
}

pub fn changed(mut fields: Fields, changes: &[Change]) -> Fields {
    for change in changes {
        match change {
            Change::Gone(name) => fields.retain(|(known, _)| known != name),
            Change::Again(name, value) => fields.push((name, value.clone())),
            Change::Set(name, value) => match fields.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => old.clone_from(value),
                None => fields.push((name, value.clone())),
            },
        }
    }
    fields
}

pub fn json(fields: &Fields) -> String {
    let mut text = "{".to_owned();
    for (at, (name, value)) in fields.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{name:?}:{value}");
    }
    text + "}"
}

/// Values as they stand in a text: some are no JSON at all.
const VALUES: &[&str] = &[
    "null",
    "true",
    "{}",
    "[]",
    "[[]]",
    "[null]",
    "{\"a\":1}",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"a\\nb\"",
    "\"\u{202e}1\"",
    "\"日本 🙂\"",
    "\"1\"",
    "\"local\"",
    "\"https://product.example\"",
    "\"https://product.example/\"",
    "\"HTTPS://PRODUCT.EXAMPLE\"",
    "\"https://pr\u{43e}duct.example\"",
    "\"https:\\/\\/product.example\"",
    "[\"https://product.example\"]",
    "\"patchbay\"",
    "\"patchbay \"",
    "\"Patchbay\"",
    "\"patchbay2\"",
    "[\"patchbay\"]",
    "[\"other\",\"patchbay\"]",
    "[\"other\"]",
    "[\"patchbay\",1]",
    "[[\"patchbay\"]]",
    "{\"patchbay\":true}",
    "\"ada@example.com\"",
    "\"ada @example.com\"",
    "0",
    "-1",
    "-0.0",
    "1.5",
    "1e9",
    "1.79e9",
    "4e9",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "-1e308",
    "1e999",
    "NaN",
    "Infinity",
    "\"4102444800\"",
];

fn value() -> impl Strategy<Value = String> {
    let near = (-130_i64..130).prop_map(|half| format!("{}.{}", NOW + half / 2, 5 * (half & 1)));
    let whole = (-70_i64..70).prop_map(|second| (NOW + second).to_string());
    let long = select(&[79_usize, 81, 254, 255, 256, 8000][..])
        .prop_map(|length| format!("\"{}\"", "a".repeat(length)));
    prop_oneof![
        8 => select(VALUES).prop_map(str::to_owned),
        3 => near,
        3 => whole,
        1 => long,
        1 => any::<String>().prop_map(|text| Value::from(text).to_string()),
        1 => (1_usize..200).prop_map(|deep| "[".repeat(deep) + &"]".repeat(deep)),
    ]
}

/// Changes, up to so many.
pub fn changes(names: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<Change>> {
    let one = prop_oneof![
        8 => (select(names), value()).prop_map(|(name, value)| Change::Set(name, value)),
        1 => select(names).prop_map(Change::Gone),
        1 => (select(names), value()).prop_map(|(name, value)| Change::Again(name, value)),
    ];
    vec(one, 0..=most)
}

/// Base64url without padding (RFC 7515, appendix C).
pub fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The MAC of a text in base64; `alg` is one of the three of shared secrets.
pub fn mac(alg: &str, key: &[u8], text: &str) -> String {
    macro_rules! with {
        ($hash:ty) => {{
            let mut mac = Hmac::<$hash>::new_from_slice(key).expect("any key is one");
            mac.update(text.as_bytes());
            base64(&mac.finalize().into_bytes())
        }};
    }
    match alg {
        "HS384" => with!(Sha384),
        "HS512" => with!(Sha512),
        _ => with!(Sha256),
    }
}

/// All values of that name; `None` where one of them is no JSON.
fn all(fields: &Fields, name: &str) -> Option<Vec<Value>> {
    let found = fields.iter().filter(|(known, _)| *known == name);
    found
        .map(|(_, text)| serde_json::from_str(text).ok())
        .collect()
}

/// What the specifications demand of the claims, and we do. Each name that is there twice has to be
/// good both times.
pub fn may_be_accepted(claims: &Fields) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "it fits")]
    let now = NOW as f64;
    let every = |name: &str, needed: bool, good: &dyn Fn(&Value) -> bool| {
        all(claims, name).is_some_and(|all| (!needed || !all.is_empty()) && all.iter().all(good))
    };
    every("iss", true, &|iss| iss == ISSUER)
        && every("aud", true, &|aud| match aud {
            Value::Array(all) => all.iter().any(|one| one == AUDIENCE),
            one => one == AUDIENCE,
        })
        && every("sub", true, &|sub| {
            sub.as_str().is_some_and(|sub| {
                !sub.trim().is_empty() && sub.len() <= 255 && !sub.chars().any(char::is_control)
            })
        })
        && every("exp", true, &|exp| {
            exp.as_f64()
                .is_some_and(|exp| exp.is_finite() && now < exp + LEEWAY)
        })
        && every("nbf", false, &|nbf| {
            nbf.is_null() || nbf.as_f64().is_some_and(|nbf| nbf <= now + LEEWAY)
        })
        && claims.iter().all(|(name, _)| all(claims, name).is_some())
}

/// What nobody could object to: each name once, times within reason, lists of texts.
pub fn must_be_accepted(claims: &Fields, length: usize) -> bool {
    let once = |name: &str| claims.iter().filter(|(known, _)| *known == name).count() == 1;
    let one = |name: &str| all(claims, name).and_then(|all| all.into_iter().next());
    may_be_accepted(claims)
        && length <= LONGEST
        && claims.iter().all(|(name, _)| once(name))
        && one("exp").and_then(|exp| exp.as_f64()).is_some_and(|exp| exp < 1e12)
        && one("aud").is_some_and(|aud| {
            aud.is_string() || aud.as_array().is_some_and(|all| all.iter().all(Value::is_string))
        })
        // Deeper than readers of JSON go.
        && claims.iter().all(|(_, text)| !text.contains(&"[".repeat(100)))
}
