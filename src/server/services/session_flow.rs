//! One flow at Nango: the session it is started with, and the answer to typed credentials.

use std::{collections::BTreeMap, time::Duration};

use super::{
    ServiceError,
    core::Core,
    dictionary, error,
    settle::{self, Outcome, TAG_ATTEMPT, TAG_USER},
};
use crate::server::{
    db::attempt,
    manifest::Manifest,
    metrics::outcomes::Way,
    nango::{
        NangoError,
        sessions::{Flow, Session},
        socket::Socket,
        wire::Created,
    },
};

/// Connect never waits longer for the socket; without it, polling finds the outcome.
const SOCKET_LIMIT: Duration = Duration::from_millis(800);

/// The session and, for a popup, the socket: asked for at the same time. `passing` are inputs that
/// are kept nowhere: they go to Nango with the session, and into no address.
pub async fn flow(
    core: &Core,
    attempt: &attempt::Row,
    passing: &BTreeMap<String, String>,
    reconnect: Option<&str>,
    popup: bool,
) -> Result<(Session, Option<Socket>), NangoError> {
    let Ok(nango) = core.nango() else {
        return Err(NangoError::Unreachable {
            reason: "connecting is off".to_owned(),
        });
    };
    let mut connection_config = attempt.config.clone();
    connection_config.extend(passing.clone());
    let flow = Flow {
        provider_config_key: &attempt.provider_config_key,
        tags: BTreeMap::from([
            (TAG_ATTEMPT.to_owned(), attempt.id.to_string()),
            (TAG_USER.to_owned(), attempt.user_id.to_string()),
        ]),
        connection_config: &connection_config,
        params: &attempt.config,
        reconnect,
        webhook_url_override: core.webhooks.url_override.as_deref(),
    };
    let socket = async {
        if !popup || nango.paused().is_some() {
            return None;
        }
        nango
            .open_socket(SOCKET_LIMIT)
            .await
            .inspect_err(|error| tracing::info!(%error, "no socket; polling will find the outcome"))
            .ok()
    };
    let (session, socket) = tokio::join!(nango.create_connection(flow), socket);
    Ok((session?, socket))
}

/// Settles an attempt by Nango's answer to typed credentials.
pub async fn typed(
    core: &Core,
    attempt: &attempt::Row,
    answer: Result<Created, NangoError>,
) -> Result<(), ServiceError> {
    // An installation from the provider's side waits there for its end.
    let manifest = core.registry.by_id(attempt.connector_id);
    let outbound = manifest.is_some_and(Manifest::is_outbound);
    let error = match answer {
        Ok(created) => {
            // Nango has it. If its list cannot be read just now the poll will find it there.
            let confirmed = core
                .watch
                .confirm(core, attempt, &created.connection_id, outbound, Way::Answer)
                .await;
            if let Err(error) = confirmed {
                tracing::warn!(%error, attempt = %attempt.id, "confirming is left to the poll");
                core.watch.hurry(attempt.id);
            }
            return Ok(());
        }
        Err(error) => error,
    };
    match &error {
        _ if error.is_credential_refusal() => refused(core, attempt, &error, Outcome::Failed).await,
        // Whether Nango has made it is not known: the attempt stays open and is watched.
        NangoError::Unreachable { .. }
        | NangoError::Failed { .. }
        | NangoError::Unreadable { .. } => {
            // Nango may have waited in vain for the provider: that says nothing about Nango itself.
            tracing::warn!(%error, attempt = %attempt.id, "typed credentials: no clear answer");
            Err(error::outcome_unknown().into())
        }
        NangoError::Refused { status, .. } if *status != 401 => {
            refused(core, attempt, &error, Outcome::Failed).await
        }
        // Nothing is wrong with what was typed: no error of the connection's own.
        _ => refused(core, attempt, &error, Outcome::Denied).await,
    }
}

/// Ends the attempt with Nango's refusal, and tells the person the same, with one reference.
async fn refused(
    core: &Core,
    attempt: &attempt::Row,
    error: &NangoError,
    outcome: fn(String) -> Outcome,
) -> Result<(), ServiceError> {
    let mut problem = error::nango(error);
    let reference = dictionary::attempt_reference(attempt.id);
    tracing::warn!(
        attempt = %attempt.id,
        reference,
        code = problem.code,
        nango_code = error.code().unwrap_or_default(),
        "typed credentials were refused"
    );
    problem.reference = Some(reference);
    let outcome = outcome(problem.sentence());
    settle::settle(core, attempt.id, outcome, Way::Answer).await?;
    Err(problem.into())
}
