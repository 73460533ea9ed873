//! Everything about a person, as JSON.

use serde_json::{Value, json};
use uuid::Uuid;

use super::PersonalError;
use crate::server::{
    clock::Clock,
    db::{
        Db, DbError, Tx, attempt,
        audit::{Asked, Told, by_actor_on_others, of_user},
        connection, connector, local_account, owed_deletion, session, user,
    },
};

/// Read at once.
const PAGE: i64 = 500;

/// Everything about a person: their row, what they have connected and tried to, what Nango must still
/// forget, their history with all that stands beside it, what they did to others, their sessions. No
/// session's id, nothing secret, and of others nothing but ids.
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
    let owed = owed_deletion::of_user(&mut tx, id).await?;
    let history = history(&mut tx, id).await?;
    let on_others = on_others(&mut tx, id).await?;
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
    let owed: Vec<Value> = owed
        .into_iter()
        .map(|row| {
            json!({
                "nango_connection_id": row.nango_connection_id,
                "provider_config_key": row.provider_config_key,
                "reason": row.reason,
                "tries": row.tries,
                "next_try_at": row.next_try_at,
                "created_at": row.created_at,
            })
        })
        .collect();
    let told = |told: &Told| told_json(told, id, slug(told.event.connector_id.unwrap_or_default()));
    let audit: Vec<Value> = history.iter().map(told).collect();
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
        "owed_deletions": owed,
        "sessions": sessions.into_iter().map(session_json).collect::<Vec<_>>(),
        "audit": audit,
        "audit_on_others": on_others.iter().map(told).collect::<Vec<_>>(),
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

async fn on_others(tx: &mut Tx, id: Uuid) -> Result<Vec<Told>, DbError> {
    let mut all: Vec<Told> = Vec::new();
    loop {
        let before = all.last().map(|told| told.event.id);
        let page = by_actor_on_others(tx, id, before, PAGE).await?;
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
        "about": event.user_id,
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
