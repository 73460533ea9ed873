//! A person's data: everything at once, as JSON, and forgetting it. For the command line: no request
//! may do this, and no running server is needed.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    audit::{self, Entry},
    core::Nango,
    sessions,
    settle::TAG_USER,
};
use crate::{
    domain::problem::Problem,
    server::{
        clock::Clock,
        db::{
            Db, DbError, Tx, attempt,
            audit::{Asked, Told, erase_personal, of_user},
            connection, connector, local_account, owed_deletion, session, user,
        },
        nango::{NangoError, NangoService},
    },
};

/// Why nothing was exported, or nothing erased.
#[derive(Debug, thiserror::Error)]
pub enum PersonalError {
    #[error("there is nobody with the id {0}")]
    Unknown(Uuid),
    #[error(
        "nothing was erased: accounts are connected, and Nango, where they have to be deleted first, is not available. {0}"
    )]
    NangoOff(String),
    #[error(
        "nothing was erased: Nango, where the accounts have to be deleted first, did not do it. {0}. Try again later; what is deleted already stays deleted."
    )]
    Nango(#[from] NangoError),
    #[error(
        "nothing was erased: the person keeps connecting accounts. Switch the account off, then try again."
    )]
    Busy,
    #[error("the database: {0}")]
    Db(#[from] DbError),
}

/// What was forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Connections that were deleted at Nango.
    pub at_nango: usize,
    pub connections: u64,
    pub attempts: u64,
    pub sessions: u64,
    /// Entries of the audit log that now hold ids only.
    pub audit_entries: u64,
    /// The person had been erased before.
    pub again: bool,
}

/// Whoever connects faster than this can delete is left alone.
const ROUNDS: usize = 5;

/// Forgets a person: at Nango first, then here in one transaction. Where Nango can't be reached,
/// nothing is forgotten here. Safe to repeat.
pub async fn erase(
    db: &Db,
    nango: &Nango,
    clock: &Clock,
    id: Uuid,
) -> Result<Erased, PersonalError> {
    let mut deleted = BTreeSet::new();
    for _ in 0..ROUNDS {
        let bound = bound(db, id).await?;
        match nango {
            Nango::On { service, .. } => delete(service, id, bound, &mut deleted).await?,
            Nango::Off(problem) if !bound.is_empty() => {
                return Err(PersonalError::NangoOff(problem.sentence()));
            }
            Nango::Off(_) => {}
        }
        if let Some(erased) = forget(db, clock, id, &deleted).await? {
            return Ok(Erased {
                at_nango: deleted.len(),
                ..erased
            });
        }
    }
    Err(PersonalError::Busy)
}

/// A connection at Nango: its id and its integration's key.
type AtNango = (String, String);

/// What the person's rows say is at Nango, or was.
async fn bound(db: &Db, id: Uuid) -> Result<Vec<AtNango>, PersonalError> {
    let mut tx = db.read().await?;
    if user::get(&mut tx, id).await?.is_none() {
        return Err(PersonalError::Unknown(id));
    }
    let rows = connection::of_user(&mut tx, id).await?;
    tx.commit().await?;
    let mut found = Vec::new();
    for connection::WithAttempt { row, .. } in rows {
        let key = row.provider_config_key.unwrap_or_default();
        let ids = [row.nango_connection_id, row.lost_connection_id];
        found.extend(ids.into_iter().flatten().map(|id| (id, key.clone())));
    }
    Ok(found)
}

/// Deletes at Nango what is bound, and whatever else carries this person's tag: what is owed a
/// deletion, and what no row knows of.
async fn delete(
    nango: &NangoService,
    person: Uuid,
    mut all: Vec<AtNango>,
    deleted: &mut BTreeSet<String>,
) -> Result<(), PersonalError> {
    let tag = person.to_string();
    for entry in nango.connections_tagged(TAG_USER, &tag).await? {
        if entry.tag(TAG_USER) == Some(tag.as_str()) {
            all.push((entry.connection_id, entry.provider_config_key));
        }
    }
    for (id, key) in all {
        if !deleted.contains(&id) {
            nango.delete_connection(&id, &key).await?;
            deleted.insert(id);
        }
    }
    Ok(())
}

/// All that is here, in one transaction. `None`: something was connected meanwhile.
async fn forget(
    db: &Db,
    clock: &Clock,
    id: Uuid,
    deleted: &BTreeSet<String>,
) -> Result<Option<Erased>, PersonalError> {
    let now = clock.now();
    let mut tx = db.write().await?;
    user::lock(&mut tx, id).await?;
    let row = user::get(&mut tx, id)
        .await?
        .ok_or(PersonalError::Unknown(id))?;
    let rows = connection::of_user(&mut tx, id).await?;
    let mut left = rows
        .iter()
        .filter_map(|r| r.row.nango_connection_id.as_ref());
    if left.any(|id| !deleted.contains(id)) {
        return Ok(None);
    }
    for gone in deleted {
        owed_deletion::forget(&mut tx, gone).await?;
    }
    // A sign-in that is being answered leaves nothing behind either.
    user::end_sessions(&mut tx, id, now).await?;
    let erased = Erased {
        at_nango: 0,
        connections: connection::erase_of_user(&mut tx, id, now).await?,
        attempts: attempt::erase_of_user(&mut tx, id, now).await?,
        sessions: session::delete_of_user(&mut tx, id, "").await?,
        audit_entries: erase_personal(&mut tx, id).await?,
        again: row.erased_at.is_some(),
    };
    local_account::delete(&mut tx, id).await?;
    if !erased.again {
        user::erase(&mut tx, id, now).await?;
        audit::write(clock, &mut tx, Entry::of("user_erased", id, None)).await?;
    }
    sessions::announce(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Some(erased))
}

/// Read at once.
const PAGE: i64 = 500;

/// Everything about a person: their row, what they have connected and tried to, their history with
/// all that stands beside it, their sessions. No session's id, nothing secret.
pub async fn export(db: &Db, clock: &Clock, id: Uuid) -> Result<Value, PersonalError> {
    let now = clock.now();
    let mut tx = db.read().await?;
    let row = user::get(&mut tx, id)
        .await?
        .ok_or(PersonalError::Unknown(id))?;
    let slugs = connector::slugs(&mut tx).await?;
    let slug = |id: Uuid| slugs.get(&id).cloned();
    let connections = connection::of_user(&mut tx, id).await?;
    let attempts = attempt::of_user(&mut tx, id).await?;
    let sessions = session::of_user(&mut tx, id, now).await?;
    let history = history(&mut tx, id).await?;
    let local = local_account::of_user(&mut tx, id).await?;
    tx.commit().await?;
    let connections: Vec<Value> = connections
        .into_iter()
        .map(|found| found.row)
        .map(|row| {
            json!({
                "id": row.id,
                "connector": slug(row.connector_id),
                "connector_id": row.connector_id,
                "status": row.status.as_str(),
                "account": row.account,
                "config": row.config,
                "nango_connection_id": row.nango_connection_id,
                "lost_connection_id": row.lost_connection_id,
                "provider_config_key": row.provider_config_key,
                "connected_at": row.connected_at,
                "disconnected_at": row.disconnected_at,
                "last_synced_at": row.last_synced_at,
                "last_error": row.last_error,
                "error_count": row.error_count,
                "created_at": row.created_at,
                "updated_at": row.updated_at,
            })
        })
        .collect();
    let attempts: Vec<Value> = attempts
        .into_iter()
        .map(|row| {
            json!({
                "id": row.id,
                "connector": slug(row.connector_id),
                "connection_id": row.connection_id,
                "kind": row.kind.as_str(),
                "state": row.state.as_str(),
                "error": row.error,
                "config": row.config,
                "created_at": row.created_at,
                "expires_at": row.expires_at,
                "settled_at": row.settled_at,
            })
        })
        .collect();
    let audit: Vec<Value> = history
        .iter()
        .map(|told| told_json(told, id, slug(told.event.connector_id.unwrap_or_default())))
        .collect();
    Ok(json!({
        "format": "patchbay user export 1",
        "exported_at": now,
        "user": {
            "id": row.id,
            "issuer": row.issuer,
            "subject": row.subject,
            "display_name": row.display_name,
            "email": row.email,
            "role": row.role,
            "created_at": row.created_at,
            "disabled_at": row.disabled_at,
            "erased_at": row.erased_at,
            "sessions_valid_from": row.sessions_valid_from,
        },
        "local_account": local.map(|local| json!({
            "email": local.email,
            "password_changed_at": local.changed_at,
        })),
        "sign_ins": audit.iter().filter(|entry| entry["action"] == "sign_in").collect::<Vec<_>>(),
        "connections": connections,
        "attempts": attempts,
        "sessions": sessions.into_iter().map(session_json).collect::<Vec<_>>(),
        "audit": audit,
    }))
}

async fn history(tx: &mut Tx, id: Uuid) -> Result<Vec<Told>, DbError> {
    let mut all: Vec<Told> = Vec::new();
    loop {
        let asked = Asked {
            user_id: id,
            connector_id: None,
            before: all.last().map(|told| told.event.id),
            limit: PAGE,
        };
        let page = of_user(tx, &asked).await?;
        let last = i64::try_from(page.len()).is_ok_and(|len| len < PAGE);
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

fn told_json(told: &Told, person: Uuid, connector: Option<String>) -> Value {
    let event = &told.event;
    let personal: Option<Value> = told
        .personal
        .as_ref()
        .and_then(|personal| serde_json::from_str(&personal.data).ok());
    json!({
        "id": event.id,
        "at": event.at,
        "action": event.action,
        "by_themselves": event.actor_id == Some(person),
        "connector": connector,
        "connection_id": event.connection_id,
        "attempt_id": event.attempt_id,
        "detail": event.detail,
        "personal": personal,
    })
}

/// What of a session's data tells about the person. The rest serves signing in, and some of it is
/// secret.
const OF_A_SESSION: [&str; 6] = [
    "address",
    "created_at",
    "last_seen_at",
    "seen_on",
    "signed_in_at",
    "user_agent",
];

fn session_json(session: session::Owned) -> Value {
    let mut shown = serde_json::Map::new();
    shown.insert("expires_at".to_owned(), json!(session.expires_at));
    for key in OF_A_SESSION {
        if let Some(value) = session.data.get(key) {
            shown.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(shown)
}

/// Where Nango stands for a command that finds none.
pub fn unavailable(reason: &str) -> Nango {
    let problem = Problem::new(503, "nango_unreachable", reason, "");
    Nango::Off(Box::new(problem))
}
