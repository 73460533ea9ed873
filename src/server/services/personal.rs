//! A person's data: everything at once, as JSON ([`export`]), and forgetting it. For the command line:
//! no request may do this, and no running server is needed.

mod export;

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{
    audit::{self, Entry},
    core::Nango,
    password_rules, sessions,
    settle::TAG_USER,
    throttle,
};
use crate::{
    domain::problem::Problem,
    server::{
        clock::Clock,
        db::{
            Db, DbError, attempt, audit::erase_personal, connection, local_account, owed_deletion,
            session, user,
        },
        nango::{NangoError, NangoService},
    },
};

pub use export::export;

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
    let erased = Erased {
        at_nango: 0,
        connections: connection::erase_of_user(&mut tx, id, now).await?,
        attempts: attempt::erase_of_user(&mut tx, id, now).await?,
        sessions: session::delete_of_user(&mut tx, id, "").await?,
        audit_entries: erase_personal(&mut tx, id).await?,
        again: row.erased_at.is_some(),
    };
    // As it was kept, and as anybody would type it who signs in another way.
    let local = local_account::of_user(&mut tx, id).await?;
    let emails = [
        local.map(|account| account.email),
        row.email.as_deref().and_then(password_rules::email),
    ];
    throttle::forget(&mut tx, id, emails.into_iter().flatten()).await?;
    local_account::delete(&mut tx, id).await?;
    if !erased.again {
        user::erase(&mut tx, id, now).await?;
        audit::write(clock, &mut tx, Entry::of("user_erased", id, None)).await?;
    }
    sessions::announce(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Some(erased))
}

/// Where Nango stands for a command that finds none.
pub fn unavailable(reason: &str) -> Nango {
    let problem = Problem::new(503, "nango_unreachable", reason, "");
    Nango::Off(Box::new(problem))
}
