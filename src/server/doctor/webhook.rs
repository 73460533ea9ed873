//! A webhook that the doctor sends to the server itself, signed as Nango signs.
//!
//! May import `config` and `nango`'s signature.

use super::{
    Check,
    probe::{Answer, Probe},
    settings::is_loopback,
};
use crate::server::config::Config;
use crate::server::nango::signature::HEADER;
pub use crate::server::nango::signature::sign as signature;

/// Of a type that every receiver has to take and to pass over.
const BODY: &str = r#"{"from":"nango","type":"patchbay.doctor"}"#;
const PATH: [&str; 4] = ["api", "v1", "webhooks", "nango"];
const ID: &str = "webhook.delivery";

pub async fn check(probe: &Probe, config: &Config) -> Check {
    let address = probe.url(&PATH, &[]);
    let Some(key) = &config.nango.webhook_signing_key else {
        return Check::ok(ID, "not tried: there is no signing key");
    };
    let right = signature(key, BODY.as_bytes());
    let wrong: String = right.chars().rev().collect();
    let taken = probe.post_signed(&PATH, BODY, (HEADER, &right)).await;
    let refused = probe.post_signed(&PATH, BODY, (HEADER, &wrong)).await;
    let (taken, refused) = match (taken, refused) {
        (Ok(taken), Ok(refused)) => (taken, refused),
        (Err(reason), _) | (_, Err(reason)) => {
            return Check::warning(
                ID,
                format!("{address} does not answer: {reason}"),
                "Webhooks do not arrive; outcomes still come by the socket and by asking. Look at the proxy before the server.",
            );
        }
    };
    judge(
        &taken,
        &refused,
        address.as_str(),
        is_loopback(&config.server.public_url),
    )
}

fn judge(taken: &Answer, refused: &Answer, address: &str, local: bool) -> Check {
    if (200..300).contains(&refused.status) {
        return Check::failed(
            ID,
            format!("{address} takes a webhook with a wrong signature"),
            "Anybody can forge webhooks there: let nothing but this server answer that address.",
        );
    }
    match taken.status {
        200 if refused.status == 401 && local => Check::ok(
            ID,
            "a signed webhook is taken and a forged one refused; Nango itself does not deliver to a loopback address, so outcomes come by the socket and by asking",
        ),
        200 if refused.status == 401 => {
            Check::ok(ID, "a signed webhook is taken and a forged one refused")
        }
        200 => Check::warning(
            ID,
            format!(
                "a forged webhook is answered {} instead of 401",
                refused.named()
            ),
            "Look at the proxy before the server: it should pass this address on unchanged.",
        ),
        401 => Check::failed(
            ID,
            "the server refuses a webhook signed with NANGO_WEBHOOK_SIGNING_KEY",
            "Restart the server with the same key as here; if it has it, a proxy changes the body on the way.",
        ),
        503 => Check::failed(
            ID,
            format!("the server takes no webhooks ({})", taken.named()),
            "Restart it: it runs without NANGO_WEBHOOK_SIGNING_KEY.",
        ),
        _ => Check::failed(
            ID,
            format!("{address} answers a webhook with {}", taken.named()),
            "Let the proxy pass POST on to this path, with bodies of up to 1 MB, and asking for no password.",
        ),
    }
}
