//! `settle`: the one place where an attempt ends, whichever way its outcome came. The first
//! outcome wins, later ones change nothing, and what is left over at Nango is deleted.
//!
//! One transaction, no network in it. A connection of Nango comes in only as a [`Confirmed`]: its
//! entry was read from Nango's list and carries this attempt's own tags.

use std::collections::BTreeMap;

use serde_json::json;
use tracing::Instrument;
use uuid::Uuid;

use super::{ServiceError, audit as log, condition::Condition, core::Core};
use crate::{
    domain::{
        attempt::{AttemptKind, AttemptState},
        connection::Status,
        timestamp::Timestamp,
    },
    server::{
        db::{DbError, Tx, attempt, connection, owed_deletion, user},
        manifest::Manifest,
        metrics::outcomes::Way,
        nango::wire::ListedConnection,
        request::TRACED,
    },
};

/// The tag that carries the attempt's id through Nango.
pub const TAG_ATTEMPT: &str = "attempt_id";
/// The tag that carries the person's id; Nango shows it in its own dashboard.
pub const TAG_USER: &str = "end_user_id";

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The account is connected.
    Connected(Confirmed),
    /// The person said no, or left: back to disconnected, with the reason.
    Denied(String),
    /// Something broke: a credential, an exchange of tokens.
    Failed(String),
    /// Nobody finished it.
    Expired,
    /// The person called it off.
    Cancelled,
}

/// An entry of Nango's list that belongs to an attempt: integration, attempt and person agree.
#[derive(Clone, Debug)]
pub struct Confirmed {
    nango_connection_id: String,
    condition: Condition,
    waiting: bool,
}

impl Confirmed {
    /// `None` where the entry is somebody else's, whatever a message said.
    pub fn new(attempt: &attempt::Row, entry: &ListedConnection) -> Option<Self> {
        let same = entry.provider_config_key == attempt.provider_config_key
            && entry.tag(TAG_ATTEMPT) == Some(attempt.id.to_string().as_str())
            && entry.tag(TAG_USER) == Some(attempt.user_id.to_string().as_str());
        same.then(|| Self {
            nango_connection_id: entry.connection_id.clone(),
            condition: Condition::of(entry),
            waiting: false,
        })
    }

    /// The installation waits for somebody's approval: connected, but not yet of use.
    #[must_use]
    pub fn waiting(mut self, waiting: bool) -> Self {
        self.waiting = waiting;
        self
    }

    pub fn nango_connection_id(&self) -> &str {
        &self.nango_connection_id
    }
}

const EXPIRED: &str = "Signing in was not finished in time. Connect again when you are ready.";
const CANCELLED: &str = "You cancelled before it was connected. Connect again when you are ready.";
const BROKEN: &str = "The account was connected, but its access does not work. Reconnect it.";

/// Ends an attempt, or changes nothing if it has ended already. Returns whether it changed. `way`: how
/// the outcome came.
pub async fn settle(
    core: &Core,
    attempt_id: Uuid,
    outcome: Outcome,
    way: Way,
) -> Result<bool, ServiceError> {
    let span = tracing::info_span!(
        target: TRACED,
        "settle",
        patchbay.attempt.id = %attempt_id,
        patchbay.attempt.outcome = outcome.word(),
        patchbay.attempt.way = way.word(),
    );
    end(core, attempt_id, outcome, way).instrument(span).await
}

async fn end(
    core: &Core,
    attempt_id: Uuid,
    outcome: Outcome,
    way: Way,
) -> Result<bool, ServiceError> {
    let now = core.clock.now();
    let mut tx = core.db.write().await?;
    let Some(attempt) = attempt::get(&mut tx, attempt_id).await? else {
        return Ok(false);
    };
    user::lock(&mut tx, attempt.user_id).await?;
    let Some(attempt) = attempt::get(&mut tx, attempt_id).await? else {
        return Ok(false);
    };
    let Some(found) = connection::get(&mut tx, attempt.connection_id).await? else {
        return Ok(false);
    };
    let mut row = found.row;
    let changed = match &outcome {
        Outcome::Connected(confirmed) => {
            connected(core, &mut tx, &attempt, &mut row, confirmed, now).await?
        }
        other => ended(&mut tx, &attempt, &mut row, other, now).await?,
    };
    let announcement = if changed {
        let entry = log::Entry {
            attempt_id: Some(attempt.id),
            reason: outcome.reason().or(row.last_error.as_deref()),
            ..about(outcome.word(), outcome.actor(&attempt), &row)
        };
        log::write(&core.clock, &mut tx, entry).await?;
        core.announce(&mut tx, row.id).await?
    } else {
        None
    };
    tx.commit().await?;
    if let Some(announcement) = announcement {
        core.publish(announcement);
    }
    if !changed && matches!(outcome, Outcome::Connected(_)) {
        // Only now does the other side see what is owed.
        core.watch.deletion_owed();
    }
    if changed {
        core.watch.settled(attempt_id);
        core.metrics.outcomes.attempt_ended(outcome.word(), way);
        tracing::info!(attempt = %attempt_id, outcome = outcome.word(), way = way.word(), "settled");
    }
    Ok(changed)
}

impl Outcome {
    const fn word(&self) -> &'static str {
        match self {
            Self::Connected(_) => "connected",
            Self::Denied(_) => "denied",
            Self::Failed(_) => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Connected(_) => None,
            Self::Denied(reason) | Self::Failed(reason) => Some(reason),
            Self::Expired => Some(EXPIRED),
            Self::Cancelled => Some(CANCELLED),
        }
    }

    /// Who brought it about, as far as it is known: the rest is what Nango tells.
    const fn actor(&self, attempt: &attempt::Row) -> Option<Uuid> {
        match self {
            Self::Cancelled => Some(attempt.user_id),
            _ => None,
        }
    }
}

async fn connected(
    core: &Core,
    tx: &mut Tx,
    attempt: &attempt::Row,
    row: &mut connection::Row,
    confirmed: &Confirmed,
    now: Timestamp,
) -> Result<bool, ServiceError> {
    let nango_id = &confirmed.nango_connection_id;
    let bound = connection::by_nango_id(tx, nango_id).await?;
    if let Some(bound) = &bound
        && bound.id != row.id
    {
        // Bound to another row: neither taken over nor deleted.
        return Ok(false);
    }
    let bindable = match attempt.kind {
        AttemptKind::Connect => row.nango_connection_id.is_none(),
        // It keeps its id; after a disconnect there is nothing left to reconnect.
        AttemptKind::Reconnect => row.nango_connection_id.as_deref() == Some(nango_id),
    };
    // It was taken for vanished, and is there after all.
    let found_again =
        row.nango_connection_id.is_none() && row.lost_connection_id.as_deref() == Some(nango_id);
    let open_or_late = [AttemptState::Open, AttemptState::Expired];
    let won = bindable
        && attempt::compare_and_set(
            tx,
            attempt.id,
            &open_or_late,
            AttemptState::Succeeded,
            None,
            now,
        )
        .await?;
    if won || found_again {
        // An expired attempt came in late while a newer one is open: that one is answered too.
        if let Some(newer) = attempt::open_of(tx, row.id).await? {
            let open = [AttemptState::Open];
            attempt::compare_and_set(tx, newer.id, &open, AttemptState::Cancelled, None, now)
                .await?;
        }
        let broken = confirmed.condition == Condition::Broken;
        row.status = match (broken, confirmed.waiting) {
            (true, _) => Status::Error,
            (false, true) => Status::Pending,
            (false, false) => Status::Connected,
        };
        row.last_error = broken.then(|| BROKEN.to_owned());
        row.error_count = if broken { row.error_count + 1 } else { 0 };
        row.nango_connection_id = Some(nango_id.clone());
        row.lost_connection_id = None;
        row.provider_config_key = Some(attempt.provider_config_key.clone());
        let manifest = core.registry.by_id(attempt.connector_id);
        let called = |config| manifest.and_then(|manifest| account(manifest, config));
        // A name that the inputs do not explain is its owner's own.
        let own = attempt.kind == AttemptKind::Reconnect && row.account != called(&row.config);
        if won && !own {
            row.account = called(&attempt.config);
        }
        if won {
            row.config.clone_from(&attempt.config);
            row.connected_at = Some(now);
        }
        row.disconnected_at = None;
        write(tx, row, now).await?;
        return Ok(true);
    }
    // A reconnect that was called off or given up, and then finished after all: the same
    // connection, and it works again.
    if attempt.kind == AttemptKind::Reconnect
        && bound.is_some()
        && row.status == Status::Error
        && confirmed.condition != Condition::Broken
    {
        row.status = Status::Connected;
        row.last_error = None;
        row.error_count = 0;
        row.connected_at = Some(now);
        write(tx, row, now).await?;
        return Ok(true);
    }
    // Not ours to keep: a cancelled connect, a second success, one after a disconnect.
    if bound.is_none() {
        let owed = owed_deletion::Row {
            id: core.clock.new_id(),
            user_id: Some(attempt.user_id),
            nango_connection_id: nango_id.clone(),
            provider_config_key: attempt.provider_config_key.clone(),
            reason: format!("orphan of a {} attempt", attempt.state.as_str()),
            tries: 0,
            next_try_at: now,
            created_at: now,
        };
        owed_deletion::owe(tx, &owed).await?;
    }
    Ok(false)
}

async fn ended(
    tx: &mut Tx,
    attempt: &attempt::Row,
    row: &mut connection::Row,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<bool, DbError> {
    let (state, status, reason) = match outcome {
        Outcome::Denied(reason) => (AttemptState::Failed, Status::Disconnected, reason.as_str()),
        Outcome::Failed(reason) => (AttemptState::Failed, Status::Error, reason.as_str()),
        Outcome::Expired => (AttemptState::Expired, Status::Disconnected, EXPIRED),
        Outcome::Cancelled => (AttemptState::Cancelled, Status::Disconnected, CANCELLED),
        Outcome::Connected(_) => return Ok(false),
    };
    let open = [AttemptState::Open];
    if !attempt::compare_and_set(tx, attempt.id, &open, state, Some(reason), now).await? {
        return Ok(false);
    }
    // A failed reconnect changes nothing but the attempt; the row's version still moves, so that
    // pages learn that the attempt is over.
    if attempt.kind == AttemptKind::Connect && row.nango_connection_id.is_none() {
        row.status = status;
        row.last_error = Some(reason.to_owned());
        if status == Status::Error {
            row.error_count += 1;
        }
        if row.connected_at.is_some() && status == Status::Disconnected {
            row.disconnected_at = row.disconnected_at.or(Some(now));
        }
    }
    write(tx, row, now).await?;
    Ok(true)
}

/// What tells this account from another: the first input with what stands around it.
pub fn account(manifest: &Manifest, config: &BTreeMap<String, String>) -> Option<String> {
    let field = manifest.inputs.first()?;
    let value = config.get(&field.name)?;
    let suffix = field.suffix.as_deref().unwrap_or_default();
    Some(format!("{value}{suffix}"))
}

/// Writes a row that was read in the same transaction.
pub async fn write(tx: &mut Tx, row: &mut connection::Row, now: Timestamp) -> Result<(), DbError> {
    if connection::update(tx, row, now).await? {
        Ok(())
    } else {
        // Every change of a person's rows holds that person's lock, so this is a defect of ours.
        // Rolled back rather than written over somebody's change.
        Err(DbError::Conflict)
    }
}

/// One entry of the audit log, in the same transaction as the change. `actor`: the person who did it;
/// none for the system.
pub async fn audit(
    core: &Core,
    tx: &mut Tx,
    action: &str,
    actor: Option<Uuid>,
    row: &connection::Row,
    attempt_id: Option<Uuid>,
) -> Result<(), DbError> {
    let entry = log::Entry {
        attempt_id,
        reason: row.last_error.as_deref(),
        ..about(action, actor, row)
    };
    log::write(&core.clock, tx, entry).await
}

/// An entry about a connection.
fn about<'a>(action: &'a str, actor: Option<Uuid>, row: &'a connection::Row) -> log::Entry<'a> {
    log::Entry {
        connector_id: Some(row.connector_id),
        connection_id: Some(row.id),
        detail: json!({ "status": row.status.as_str() }),
        account: row.account.as_deref(),
        ..log::Entry::of(action, row.user_id, actor)
    }
}
