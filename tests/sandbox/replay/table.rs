//! Which recordings are played, in which order, and which of their steps are not.

mod calls;
mod windows;

/// The recordings, in the order in which they were made: each depends on those before it.
pub fn covered() -> impl Iterator<Item = (&'static str, &'static [Part])> {
    windows::RECORDINGS.iter().chain(calls::RECORDINGS).copied()
}

/// One thing to do.
pub enum Part {
    /// Play what stands at this place of the recording: a step, a list of steps, or a flow.
    Play(&'static str),
    /// The same, where the token exchange fails.
    PlayFailing(&'static str),
    /// Make the session that the recording uses without showing how it was made.
    Session(&'static str, &'static str),
    /// The same for a reconnect session.
    Reconnect(&'static str, &'static str),
    /// Make a connection that the recording uses: its id there, integration, session.
    Connect(&'static str, &'static str, &'static str),
    Break(&'static str),
    /// Nango gives up on a connection, as the recording forced it to.
    Exhaust(&'static str),
    /// As on a server that was just set up.
    DeleteIntegrations,
    /// In all that follows of this recording, a header that it left out.
    With(&'static str, &'static str),
    Mend(&'static str),
    /// Change the environment's webhook settings, as its dashboard does.
    Webhooks(&'static str),
    /// Rotate the signing key, as this step does.
    Rotated(&'static str),
    /// A flow with this integration that nobody is told of.
    NoWebhook(&'static str),
    /// What a socket says of so many flows with its id.
    Socket(&'static str, usize),
    /// Receivers that answer as recorded, and how often they are tried.
    Retries(&'static str),
    /// A flow with this session and integration, up to the provider's answer.
    Begun(&'static str, &'static str),
    /// The person allows what is being asked.
    Allowed,
    /// So many minutes pass.
    Wait(i64),
    /// Play the callback that stands at the first place; the webhooks stand at the second.
    CallBack(&'static str, &'static str),
    /// Use up the minute of the secret key.
    SpendTheMinute,
    /// In all that follows of this recording, other words for what the sandbox refuses.
    Say(&'static str, &'static str),
}

/// Steps that are not played, and why. The product makes none of these calls.
pub const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        "33-connection-get",
        "/steps/13",
        "comes with the key of another environment, and the sandbox has one",
    ),
    (
        "42-outbound-policy-loopback",
        "/runs/0/flows/3",
        "fails at the address of the provider's tokens, and the pretend provider has none to deny",
    ),
    (
        "42-outbound-policy-loopback",
        "/runs/1/flows/3",
        "fails at the address of the provider's tokens, and the pretend provider has none to deny",
    ),
    (
        "45-rate-limit",
        "/steps/2",
        "comes with the key of another environment, and the sandbox has one",
    ),
];
