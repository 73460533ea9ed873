//! Looking for the outcomes of attempts in Nango's own list: one shared page for those that connect,
//! a query of its own for each that reconnects.

use std::collections::HashMap;

use tracing::Instrument;

use super::{
    ServiceError,
    core::Core,
    settle::{self, Confirmed, Outcome, TAG_ATTEMPT},
};
use crate::{
    domain::attempt::{AttemptKind, AttemptState},
    server::{
        db::{attempt, connection, owed_deletion},
        metrics::outcomes::Way,
        nango::{NangoError, NangoService, wire::ListedConnection},
        request::TRACED,
    },
};

/// Entries in one page of the shared list, newest first, and how many pages at the most.
const PAGE: u16 = 100;
const MAX_PAGES: u16 = 5;
/// How far Nango's clock may be behind ours.
const SKEW_MS: i64 = 120_000;

/// So long after the click, somebody most likely waits for the outcome.
const AWAITED_MS: i64 = 120_000;

/// Looks for these attempts in Nango's list now.
pub async fn look(core: &Core, attempts: &[attempt::Row]) -> Result<(), ServiceError> {
    let span = tracing::info_span!(target: TRACED, "look", patchbay.attempts = attempts.len());
    look_at(core, attempts).instrument(span).await
}

async fn look_at(core: &Core, attempts: &[attempt::Row]) -> Result<(), ServiceError> {
    let now = core.clock.now();
    let awaited = |attempt: &attempt::Row| {
        attempt.state == AttemptState::Open && now.0 - attempt.created_at.0 < AWAITED_MS
    };
    // What nobody waits for yields to people.
    let mut nango = core.nango()?.clone();
    if !attempts.iter().any(awaited) {
        nango = nango.background();
    }
    let (connects, reconnects): (Vec<_>, Vec<_>) = attempts
        .iter()
        .partition(|attempt| attempt.kind == AttemptKind::Connect);
    let entries = newest(&nango, &connects).await?;
    let mut outcome = bind(core, &nango, &connects, entries, Way::Poll).await;
    for attempt in reconnects {
        // Whatever fails for one must not keep the others from their outcome.
        let found = by_tag(core, &nango, attempt, Way::Poll).await;
        outcome = outcome.and(found);
    }
    outcome
}

/// Looks for one attempt: its person asks.
pub async fn one(core: &Core, attempt: &attempt::Row) -> Result<(), ServiceError> {
    by_tag(core, core.nango()?, attempt, Way::Hint).await
}

async fn by_tag(
    core: &Core,
    nango: &NangoService,
    attempt: &attempt::Row,
    way: Way,
) -> Result<(), ServiceError> {
    let id = attempt.id.to_string();
    let entries = nango.connections_tagged(TAG_ATTEMPT, &id).await?;
    bind(core, nango, &[attempt], entries, way).await
}

/// Settles each attempt whose connection is among the entries; the first failure is told at the
/// end.
async fn bind(
    core: &Core,
    nango: &NangoService,
    attempts: &[&attempt::Row],
    entries: Vec<ListedConnection>,
    way: Way,
) -> Result<(), ServiceError> {
    let by_id: HashMap<String, &attempt::Row> = attempts
        .iter()
        .map(|attempt| (attempt.id.to_string(), *attempt))
        .collect();
    let mut outcome = Ok(());
    for entry in entries {
        let attempt = entry.tag(TAG_ATTEMPT).and_then(|id| by_id.get(id));
        let Some(attempt) = attempt else { continue };
        // Looked at again and again for an hour: most of the time it is the bound one.
        if attempt.state == AttemptState::Succeeded && is_bound(core, &entry.connection_id).await? {
            continue;
        }
        // An orphan that waits to be deleted. Settled again with each look, a long row of them would
        // hold up those that people wait for.
        let awaited = matches!(attempt.state, AttemptState::Open | AttemptState::Expired);
        if !awaited && is_owed(core, &entry.connection_id).await? {
            continue;
        }
        let settled = match confirmed(core, nango, attempt, &entry, false).await {
            Ok(None) => continue,
            Ok(Some(confirmed)) => {
                let outcome = Outcome::Connected(confirmed);
                settle::settle(core, attempt.id, outcome, way).await
            }
            Err(error) => Err(error),
        };
        outcome = outcome.and(settled.map(drop));
    }
    outcome
}

/// The entry, where it belongs to the attempt. An installed app (auth mode CUSTOM, or installed from
/// the provider's side) may wait for an approval, and only the connection itself says so; where it
/// cannot be read, nothing is settled yet.
pub async fn confirmed(
    core: &Core,
    nango: &NangoService,
    attempt: &attempt::Row,
    entry: &ListedConnection,
    waiting: bool,
) -> Result<Option<Confirmed>, ServiceError> {
    let Some(confirmed) = Confirmed::new(attempt, entry) else {
        return Ok(None);
    };
    let manifest = core.registry.by_id(attempt.connector_id);
    let installed = manifest.is_some_and(|m| m.nango.auth_mode == "CUSTOM" || m.is_outbound());
    if !waiting && !installed {
        return Ok(Some(confirmed));
    }
    let state = nango
        .connection_state(&entry.connection_id, &entry.provider_config_key)
        .await;
    let pending = match state {
        Ok(state) => state.pending,
        // The key has not the scope for it: then Nango's own word is all there is.
        Err(NangoError::Forbidden { .. }) => waiting,
        Err(error) => return Err(error.into()),
    };
    Ok(Some(confirmed.waiting(pending)))
}

async fn is_bound(core: &Core, nango_connection_id: &str) -> Result<bool, ServiceError> {
    let mut tx = core.db.read().await?;
    let bound = connection::by_nango_id(&mut tx, nango_connection_id).await?;
    tx.commit().await?;
    Ok(bound.is_some())
}

async fn is_owed(core: &Core, nango_connection_id: &str) -> Result<bool, ServiceError> {
    let mut tx = core.db.read().await?;
    let owed = owed_deletion::is_owed(&mut tx, nango_connection_id).await?;
    tx.commit().await?;
    Ok(owed)
}

/// The shared poll: newest first, back to the oldest of these attempts.
async fn newest(
    nango: &NangoService,
    attempts: &[&attempt::Row],
) -> Result<Vec<ListedConnection>, NangoError> {
    let Some(oldest) = attempts.iter().map(|a| a.created_at.0 - SKEW_MS).min() else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for page in 0..MAX_PAGES {
        let entries = nango.list_connections(PAGE, page).await?;
        let last = entries.len() < usize::from(PAGE)
            || entries
                .last()
                .and_then(|entry| chrono::DateTime::parse_from_rfc3339(&entry.created).ok())
                .is_some_and(|created| created.timestamp_millis() < oldest);
        found.extend(entries);
        if last {
            break;
        }
    }
    Ok(found)
}
