//! How a bound connection fares, and the one place where a row learns it: what Nango's list says of
//! it, wherever that was read (webhook, reconciler, late reconnect).

use super::{
    ServiceError,
    core::Core,
    settle::{self, audit},
};
use crate::{
    domain::{connection::Status, timestamp::Timestamp},
    server::{
        db::{attempt, connection, user},
        nango::wire::ListedConnection,
    },
};

/// Of `GET /connections`, field `errors`: `auth` says that the credential does not work, anything
/// else that what Nango does with it fails.
const AUTH: &str = "auth";

const BROKEN: &str =
    "Access to the account has stopped working: the provider no longer accepts it. Reconnect it.";
const SYNC_FAILING: &str = "Reading data from the account fails at the moment. It is tried again by itself; if it stays so, ask whoever runs this server.";
const VANISHED: &str = "The connection is gone at Nango: it was deleted there. Connect it again.";

/// How a connection fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Well,
    /// The credential works; a sync fails.
    SyncFailing,
    /// The credential does not work any more.
    Broken,
    /// Nango no longer has it.
    Vanished,
}

impl Condition {
    pub fn of(entry: &ListedConnection) -> Self {
        if entry.errors.iter().any(|fault| fault.kind == AUTH) {
            Self::Broken
        } else if entry.errors.is_empty() {
            Self::Well
        } else {
            Self::SyncFailing
        }
    }

    /// Whether a row in this state has anything to learn: most have not, and need no transaction.
    pub fn is_news(self, status: Status, note: Note) -> bool {
        match (self, status) {
            (Self::Vanished, _) => true,
            (Self::Broken, status) => status != Status::Error,
            // An installation that waits for its approval stays as it is.
            (_, Status::Pending) => false,
            (_, Status::Error | Status::Disconnected) => true,
            // What a webhook told of a sync, only the next one takes back.
            (Self::Well, Status::Connected) => note == Note::OfTheList,
            (Self::SyncFailing, Status::Connected) => note == Note::None,
        }
    }
}

/// Where a row's `last_error` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    None,
    /// A failing sync that Nango's list told of.
    OfTheList,
    Other,
}

impl Note {
    pub fn of(last_error: Option<&str>) -> Self {
        match last_error {
            None => Self::None,
            Some(SYNC_FAILING) => Self::OfTheList,
            Some(_) => Self::Other,
        }
    }
}

/// What was seen of a connection, and how it is to be told.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    pub nango_connection_id: &'a str,
    pub provider_config_key: &'a str,
    pub condition: Condition,
    /// Why, where more is known than the condition itself.
    pub reason: Option<String>,
    /// The row as it was before Nango was asked: one that changed meanwhile knows better.
    pub version: Option<i64>,
}

/// Brings the row of a connection up to what was seen of it. Returns whether it changed: a row
/// that is bound to something else by now does not.
pub async fn observe(core: &Core, seen: Seen<'_>) -> Result<bool, ServiceError> {
    change(core, seen.nango_connection_id, |row, now| {
        let same = row.provider_config_key.as_deref() == Some(seen.provider_config_key);
        let note = Note::of(row.last_error.as_deref());
        let stale = seen.version.is_some_and(|version| row.version != version);
        if !same || stale || !seen.condition.is_news(row.status, note) {
            return None;
        }
        Some(apply(row, seen.condition, seen.reason.clone(), now))
    })
    .await
}

/// An installation was approved.
pub async fn approved(core: &Core, nango_connection_id: &str) -> Result<bool, ServiceError> {
    change(core, nango_connection_id, |row, now| {
        (row.status == Status::Pending).then(|| {
            row.status = Status::Connected;
            row.connected_at = Some(now);
            row.last_error = None;
            Some("approved")
        })
    })
    .await
}

/// A sync has ended, well or not. Nango gives a time of its own for a failure only.
pub async fn synced(
    core: &Core,
    nango_connection_id: &str,
    failure: Option<String>,
    failed_at: Option<Timestamp>,
) -> Result<bool, ServiceError> {
    change(core, nango_connection_id, |row, now| {
        match (&failure, row.status) {
            // A broken credential says more than the sync that fails for it.
            (Some(_), Status::Error) => None,
            // Told late, or told twice.
            (Some(_), _) if failed_at.is_some() && row.last_synced_at >= failed_at => None,
            (Some(reason), _) if row.last_error.as_ref() == Some(reason) => None,
            (Some(reason), _) => {
                row.last_error = Some(reason.clone());
                row.error_count += 1;
                Some(Some("sync_failed"))
            }
            (None, status) => {
                row.last_synced_at = row.last_synced_at.max(Some(now));
                if status == Status::Connected {
                    row.last_error = None;
                    row.error_count = 0;
                }
                // It happens all the time, and nobody did it.
                Some(None)
            }
        }
    })
    .await
}

/// Changes the row that is bound to this connection, with all that belongs to a change: the
/// person's lock, the audit log (where `f` names an action), the announcement. `f` returns `None`
/// to leave it as it is.
async fn change(
    core: &Core,
    nango_connection_id: &str,
    f: impl Fn(&mut connection::Row, Timestamp) -> Option<Option<&'static str>>,
) -> Result<bool, ServiceError> {
    let now = core.clock.now();
    let mut tx = core.db.write().await?;
    let Some(bound) = connection::by_nango_id(&mut tx, nango_connection_id).await? else {
        return Ok(false);
    };
    user::lock(&mut tx, bound.user_id).await?;
    let Some(mut row) = connection::by_nango_id(&mut tx, nango_connection_id).await? else {
        return Ok(false);
    };
    let Some(action) = f(&mut row, now) else {
        return Ok(false);
    };
    if row.nango_connection_id.is_none() {
        attempt::cancel_of(&mut tx, row.id, now).await?;
    }
    settle::write(&mut tx, &mut row, now).await?;
    if let Some(action) = action {
        audit(core, &mut tx, action, None, &row, None).await?;
    }
    let announcement = core.announce(&mut tx, row.id).await?;
    tx.commit().await?;
    if let Some(announcement) = announcement {
        core.publish(announcement);
    }
    if let Some(action) = action {
        core.metrics.outcomes.condition_changed(action);
        tracing::info!(connection = %row.id, action, "a connection's condition changed");
    }
    Ok(true)
}

/// The row as the condition makes it; the word for the audit log.
fn apply(
    row: &mut connection::Row,
    condition: Condition,
    reason: Option<String>,
    now: Timestamp,
) -> Option<&'static str> {
    match condition {
        Condition::Well => {
            let was_broken = row.status != Status::Connected;
            row.status = Status::Connected;
            row.last_error = None;
            row.error_count = 0;
            was_broken.then_some("recovered")
        }
        Condition::SyncFailing => {
            row.status = Status::Connected;
            row.last_error = Some(reason.unwrap_or_else(|| SYNC_FAILING.to_owned()));
            row.error_count += 1;
            Some("sync_failed")
        }
        Condition::Broken => {
            row.status = Status::Error;
            row.last_error = Some(reason.unwrap_or_else(|| BROKEN.to_owned()));
            row.error_count += 1;
            Some("broken")
        }
        Condition::Vanished => {
            row.status = Status::Disconnected;
            row.lost_connection_id = row.nango_connection_id.take();
            row.disconnected_at = Some(now);
            row.last_error = Some(reason.unwrap_or_else(|| VANISHED.to_owned()));
            Some("vanished")
        }
    }
}
