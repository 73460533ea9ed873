//! Webhooks: whatever the body, and whoever signed it.

use hmac::{Hmac, Mac};
use patchbay::server::nango::{
    signature,
    webhook::{Webhook, WebhookError},
};
use proptest::prelude::*;
use sha2::Sha256;

use crate::{fuzz, mangled, share};

const BODIES: &[&str] = &[
    r#"{"from":"nango","type":"auth","operation":"creation","connectionId":"0b1f2c3d","authMode":"OAUTH2","providerConfigKey":"google-mail","provider":"google-mail","environment":"DEV","success":true,"tags":{"end_user_id":"01a2","attempt_id":"01a3"}}"#,
    r#"{"from":"nango","type":"auth","operation":"refresh","connectionId":"0b1f2c3d","authMode":"OAUTH2","providerConfigKey":"slack","provider":"slack","environment":"PROD","success":false,"error":{"type":"refresh_token_external_error","description":"invalid_grant"}}"#,
    r#"{"from":"nango","type":"auth","operation":"override","connectionId":"x","providerConfigKey":"y","success":true}"#,
    r#"{"from":"nango","type":"sync","connectionId":"0b1f","providerConfigKey":"slack","syncName":"messages","model":"Message","success":true,"modifiedAfter":"2026-11-22T13:34:50.000Z","responseResults":{"added":1,"updated":0,"deleted":0}}"#,
    r#"{"from":"slack","type":"forward","connectionId":"0b1f","payload":{"event":[1,2,{"a":null}]}}"#,
    "{}",
    "[]",
];
const KEY: &str = "a1d5c8f2-7b0e-4c39-9d66-0e2f4a8b1c73";

#[test]
fn any_body_is_read_or_refused() {
    fuzz(
        "webhook body",
        share::WEBHOOK,
        mangled::bytes(BODIES),
        |body| {
            let object = serde_json::from_slice::<serde_json::Value>(&body)
                .is_ok_and(|body| body.is_object());
            match Webhook::parse(&body) {
                // What is acted on names its connection.
                Ok(Webhook::Auth(auth)) => {
                    prop_assert!(
                        !auth.connection_id.is_empty() && !auth.provider_config_key.is_empty()
                    );
                }
                Ok(Webhook::Sync(sync)) => {
                    prop_assert!(
                        !sync.connection_id.is_empty() && !sync.provider_config_key.is_empty()
                    );
                }
                Ok(Webhook::Other { kind }) => {
                    prop_assert!(object && kind != "auth" && kind != "sync")
                }
                Err(WebhookError::NotAnObject) => prop_assert!(!object),
                Err(WebhookError::Missing(_)) => prop_assert!(object),
            }
            Ok(())
        },
    );
}

/// What anybody can make.
fn with_an_empty_key(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"").expect("any key is one");
    mac.update(body);
    format!("{:x}", mac.finalize().into_bytes())
}

#[test]
fn only_the_signature_of_these_bytes_is_one() {
    let right = "0123456789abcdef".repeat(4);
    let given = mangled::text(&[&right, "", "sha256=0", "null"]);
    let cases = (
        mangled::bytes(BODIES),
        given,
        any::<prop::sample::Index>(),
        0_u32..8,
    );
    fuzz(
        "webhook signature",
        share::SIGNATURE,
        cases,
        |(body, given, at, bit)| {
            let key = KEY.into();
            let signed = signature::sign(&key, &body);
            prop_assert!(signature::verify(&key, &body, &signed));
            prop_assert!(
                !signature::verify(&"".into(), &body, &with_an_empty_key(&body)),
                "an empty key proves nothing"
            );
            prop_assert_eq!(signature::verify(&key, &body, &given), given == signed);
            let mut changed = body.clone();
            if body.is_empty() {
                changed.push(0);
            } else {
                changed[at.index(body.len())] ^= 1 << bit;
            }
            prop_assert!(!signature::verify(&key, &changed, &signed));
            Ok(())
        },
    );
}
