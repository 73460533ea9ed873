//! The recordings up to 27: keys, integrations, sessions, and the flows through a window.

use super::Part::{
    self, DeleteIntegrations, NoWebhook, Play, PlayFailing, Reconnect, Rotated, Session, Socket,
    Webhooks,
};

pub const RECORDINGS: &[(&str, &[Part])] = &[
    ("01-auth-errors", &[Play("/steps")]),
    (
        "03-integrations-create",
        &[DeleteIntegrations, Play("/steps")],
    ),
    ("04-integrations-read", &[Play("/steps")]),
    // The recorded server was patched to allow loopback webhooks; 42 is about one that was not.
    (
        "05-webhook-settings-and-initial-key",
        &[
            Webhooks(r#"{"url": "http://127.0.0.1:9998/hook", "allow_loopback": true}"#),
            Play("/steps/0"),
            NoWebhook("github"),
            Webhooks(r#"{"on_auth_creation": true, "on_auth_refresh_error": true}"#),
            Play("/steps/1"),
            Play("/flowWithFlagsOn"),
        ],
    ),
    (
        "06-signing-key-rotation",
        &[
            Rotated("/steps/0"),
            Session(
                "nango_connect_session_513fc921173b0256725bcfc24afa10916e381d004b174b1010e68ca9911f2368",
                r#"{"tags": {"phase": "rotated-key"}, "allowed_integrations": ["github"]}"#,
            ),
            Play("/flowAfterRotation"),
        ],
    ),
    ("07-connect-sessions-ok", &[Play("/steps")]),
    ("08-connect-sessions-errors", &[Play("/steps")]),
    ("09-connect-sessions-tag-rules", &[Play("/steps")]),
    (
        "10-connect-session-get-delete",
        &[
            Session(
                "nango_connect_session_575de1690fb4c622beb2ea80e230715fcdb551e52fe76ac30a34749dc30021ff",
                r#"{"tags": {"a": "b"}, "allowed_integrations": ["google-mail", "slack"]}"#,
            ),
            Session(
                "nango_connect_session_c9fe9f533cea093b0fbde21573769d0fec8e88180a1460c1234e0d1f27eec85d",
                r#"{"end_user": {"id": "eu-1", "email": "eu1@example.com", "display_name": "Eu One", "tags": {"plan": "Pro"}}, "organization": {"id": "org-1", "display_name": "Org One"}}"#,
            ),
            Session(
                "nango_connect_session_3f9fb33f1f9a2a1164babf06d8c876026ef64ed5d177061129b90d2480bbacc7",
                r#"{"tags": {"a": "b"}, "allowed_integrations": ["zendesk"], "integrations_config_defaults": {"zendesk": {"user_scopes": "read", "authorization_params": {"foo": "bar"}, "connection_config": {"subdomain": "acme"}}}}"#,
            ),
            Play("/steps"),
        ],
    ),
    (
        "11-oauth-success-google-mail",
        &[Play("/sessionCreate"), Play(""), Play("/afterwards")],
    ),
    ("12-oauth-same-token-second-integration", &[Play("")]),
    (
        "13-oauth-success-end-user",
        &[Play("/sessionCreate"), Play("")],
    ),
    (
        "14-oauth-webhook-url-override",
        &[Play("/sessionCreate"), Play("")],
    ),
    (
        "15-oauth-connection-config",
        &[
            Play("/sessionCreate"),
            Play("/missing"),
            Play("/invalidPattern"),
            Play("/ok"),
        ],
    ),
    (
        "16-oauth-config-defaults",
        &[Play("/sessionCreate"), Play(""), Play("/connection")],
    ),
    (
        "17-oauth-denied",
        &[Play("/sessionCreate"), Play(""), Play("/sessionStillValid")],
    ),
    ("18-oauth-retry-after-denied", &[Play("")]),
    (
        "19-oauth-token-exchange-fails",
        &[
            Session(
                "nango_connect_session_b25745e262c68b7d11853a4fc07e0ff0e16014d3a6b72e3ae470222873a6c780",
                r#"{"tags": {"a": "b"}, "allowed_integrations": ["google-mail"]}"#,
            ),
            PlayFailing(""),
        ],
    ),
    (
        "20-oauth-connect-errors",
        &[
            Session(
                "nango_connect_session_120bc34ea61b987fc38168a6b6a54f29fab7f76b5eeb94bec56744364859648d",
                r#"{"tags": {"a": "b"}, "allowed_integrations": ["github", "sendgrid"]}"#,
            ),
            Play("/steps"),
        ],
    ),
    (
        "21-oauth-callback-errors",
        &[
            Session(
                "nango_connect_session_afe2d2713563ff30f945c62e4e9ee4e4e7f1732e5d55837f30a896202d48f356",
                r#"{"tags": {"end_user_id": "cb"}, "allowed_integrations": ["github"]}"#,
            ),
            Play("/steps"),
            Play("/callbackWithoutStateCookie"),
            Play("/flowWithoutWebSocket"),
        ],
    ),
    ("22-websocket", &[Socket("/log", 0)]),
    ("23-websocket-id-reused", &[Socket("/log", 2)]),
    (
        "24-reconnect-ok",
        &[
            Play("/steps/0"),
            Play("/flowWithoutTags"),
            Play("/steps/3"),
            Play("/steps/1"),
            Play("/steps/2"),
            Play("/flowWithTags"),
            Play("/steps/4"),
            Play("/otherIntegrationWithReconnectToken"),
        ],
    ),
    (
        "25-reconnect-denied",
        &[
            Reconnect(
                "nango_connect_session_f69c39aef8fa71e08040c90740a2e0d448a78678b8f0a887934a37b66e5a14e1",
                r#"{"connection_id": "3861f96f-2d4c-4856-b98a-319e60169f3d", "integration_id": "google-mail"}"#,
            ),
            Play(""),
            Play("/connectionAfter"),
        ],
    ),
    // The other half renews a connection of 14, and takes its own address away.
    (
        "26-reconnect-end-user-and-override-url",
        &[
            Play("/steps/0"),
            Play("/endUserFlow"),
            Play("/steps/1"),
            Play("/overrideUrlFlow"),
        ],
    ),
    ("27-reconnect-errors", &[Play("/steps")]),
];
