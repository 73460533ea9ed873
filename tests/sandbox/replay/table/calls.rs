//! The recordings from 28 on: typed credentials, connections, refreshes, limits.

use super::Part::{
    self, Allowed, Begun, Break, CallBack, Connect, Exhaust, Mend, NoWebhook, Play, PlayFailing,
    Reconnect, Retries, Say, Session, SpendTheMinute, Wait, Webhooks, With,
};

const PROVIDER_TAKES_OTHERS: Part = Say("\"sk-bad", "\"sk-wrong");

pub const RECORDINGS: &[(&str, &[Part])] = &[
    (
        "28-api-key",
        &[
            PROVIDER_TAKES_OTHERS,
            Play("/sessionCreate"),
            Play("/steps"),
            Play("/connection"),
        ],
    ),
    (
        "29-api-key-reconnect",
        &[PROVIDER_TAKES_OTHERS, Play("/steps")],
    ),
    (
        "30-basic",
        &[
            Say("\"bad\"", "\"wrong\""),
            Play("/sessionCreate"),
            Play("/steps"),
            Play("/connection"),
        ],
    ),
    ("31-connections-import", &[Play("/steps")]),
    (
        "32-connections-list",
        &[
            Connect(
                "108e9ae5-a23c-4d40-ad0f-6626c9e10111",
                "github",
                r#"{"end_user": {"id": "List-User", "email": "l@example.com"}, "organization": {"id": "List-Org"}}"#,
            ),
            Play("/steps"),
        ],
    ),
    // Without the last step: see DIFFERENT.
    (
        "33-connection-get",
        &[
            Play("/steps/0"),
            Play("/steps/1"),
            Play("/steps/2"),
            Play("/steps/3"),
            Play("/steps/4"),
            Play("/steps/5"),
            Play("/steps/6"),
            Play("/steps/7"),
            Play("/steps/8"),
            Play("/steps/9"),
            Play("/steps/10"),
            Play("/steps/11"),
            Play("/steps/12"),
        ],
    ),
    // The recorded server was patched to allow loopback webhooks: see 42.
    (
        "34-connection-patch",
        &[
            Say("\"http://127.0.0.1:9998", "\"https://hooks.example.com"),
            Play("/steps"),
        ],
    ),
    (
        "35-metadata",
        &[With("provider-config-key", "google-mail"), Play("/steps")],
    ),
    (
        "36-refresh-failed",
        &[
            Connect(
                "84f772ef-0c87-4f38-9546-a6d9e1cad6d0",
                "hubspot",
                r#"{"tags": {"end_user_id": "Refresh-1"}}"#,
            ),
            With("connection-id", "84f772ef-0c87-4f38-9546-a6d9e1cad6d0"),
            With("provider-config-key", "hubspot"),
            Play("/steps/0"),
            Break("84f772ef-0c87-4f38-9546-a6d9e1cad6d0"),
            Play("/steps/1"),
            Play("/steps/2"),
            Play("/steps/3"),
            Play("/steps/4"),
            Play("/steps/5"),
            Mend("84f772ef-0c87-4f38-9546-a6d9e1cad6d0"),
            Play("/steps/6"),
        ],
    ),
    ("37-connection-delete", &[Play("/steps")]),
    ("38-not-found-and-methods", &[Play("/steps")]),
    (
        "39-refresh-500-and-exhausted",
        &[
            Connect(
                "43212654-aa23-4421-ac77-ad3ae9caba6e",
                "hubspot",
                r#"{"tags": {"end_user_id": "Refresh-2"}}"#,
            ),
            With("connection-id", "43212654-aa23-4421-ac77-ad3ae9caba6e"),
            With("provider-config-key", "hubspot"),
            Break("43212654-aa23-4421-ac77-ad3ae9caba6e"),
            Play("/steps/0"),
            Exhaust("43212654-aa23-4421-ac77-ad3ae9caba6e"),
            Play("/steps/1"),
            Play("/steps/2"),
            Play("/steps/3"),
            Reconnect(
                "nango_connect_session_428222e1588076769b8573b263540c7383109893f8dccd5e8b375744cbb9dd8d",
                r#"{"connection_id": "43212654-aa23-4421-ac77-ad3ae9caba6e", "integration_id": "hubspot", "tags": {"end_user_id": "Refresh-2"}}"#,
            ),
            Play("/reconnect"),
            Play("/steps/4"),
        ],
    ),
    ("41-webhook-retries", &[Retries("/results")]),
    // Without the last step of each run: see DIFFERENT. The second run is a server that was told to
    // allow private addresses.
    (
        "42-outbound-policy-loopback",
        &[
            Say("\"sk-good\"", "\"sk-wrong\""),
            Webhooks(r#"{"allow_loopback": false}"#),
            Play("/runs/0/webhookUrlOverride"),
            Session(
                "nango_connect_session_7a1b587b74b3cd3e361b90f5e97c9f0634088fc4f9da7859c3f71f9a9c24107a",
                r#"{"tags": {"a": "b"}}"#,
            ),
            Play("/runs/0/flows/0"),
            Play("/runs/0/flows/1"),
            Play("/runs/0/flows/2"),
            NoWebhook("github"),
            Webhooks(r#"{"allow_private": true}"#),
            Play("/runs/1/webhookUrlOverride"),
            Session(
                "nango_connect_session_c4e063e18cf32c02cf6c8d3c613418ff7506f335802104071efe7d21da6d80ce",
                r#"{"tags": {"a": "b"}}"#,
            ),
            Play("/runs/1/flows/0"),
            Play("/runs/1/flows/1"),
            Play("/runs/1/flows/2"),
            NoWebhook("github"),
            Webhooks(r#"{"allow_loopback": true, "allow_private": false}"#),
        ],
    ),
    (
        "44-misc-sessions",
        &[
            Play("/steps"),
            Play("/deprecatedWebhookUrlFlow"),
            Session(
                "nango_connect_session_ca7ed75a88ebc9555b0c403c442cf10b2fe78e9aea5f6cf6b13083a862781796",
                r#"{"tags": {"a/b.c-d_e": "x y", "uni": "Ünïcode ✓ \"quoted\" <b>&"}, "allowed_integrations": ["github"]}"#,
            ),
            Play("/oddTagsFlow"),
            Session(
                "nango_connect_session_2f29d6d2b63cfc7a3f14a081f147d019db2185931e288c1cd1686b8d303bb39b",
                r#"{"tags": {"mid": "deleted"}, "allowed_integrations": ["github"]}"#,
            ),
            Begun(
                "nango_connect_session_2f29d6d2b63cfc7a3f14a081f147d019db2185931e288c1cd1686b8d303bb39b",
                "github",
            ),
            Play("/sessionDeletedInMidFlow/delete"),
            CallBack(
                "/sessionDeletedInMidFlow/callback",
                "/sessionDeletedInMidFlow/webhooks",
            ),
        ],
    ),
    // Without step 2: see DIFFERENT.
    (
        "45-rate-limit",
        &[
            SpendTheMinute,
            Play("/steps/0"),
            Play("/steps/1"),
            Play("/steps/3"),
            Play("/steps/4"),
            Play("/steps/5"),
        ],
    ),
    (
        "48-edge-cases",
        &[
            Session(
                "nango_connect_session_c244f8189c4b66bf213a72fca629b845477ae8ee63eee6f4d95b0fbd45b313a8",
                r#"{"tags": {"mid": "expired"}, "allowed_integrations": ["github"]}"#,
            ),
            Play("/steps/0"),
            Allowed,
            Wait(31),
            CallBack("/steps/1", "/webhooksOfExpiredMidFlow"),
            Play("/steps/2"),
            Reconnect(
                "nango_connect_session_8eeee5fa4b46ccba5e821c246d851693167185946bf531aad42f25b5df765f42",
                r#"{"connection_id": "3861f96f-2d4c-4856-b98a-319e60169f3d", "integration_id": "google-mail"}"#,
            ),
            PlayFailing("/reconnectTokenExchangeFails"),
        ],
    ),
];
