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
        "nothing was erased: Nango still has of this person what has to be deleted there first (connected: {connected}, owed a deletion already: {owed}), and it is not available. {why}"
    )]
    NangoOff {
        connected: usize,
        owed: usize,
        why: String,
    },
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
    /// The person was kept out, and nothing keeps them out any longer.
    pub was_disabled: bool,
    /// The person tried to connect accounts, and Nango was not there to be asked what came of it.
    pub unasked: bool,
}

/// Whoever connects faster than this can delete is left alone.
const ROUNDS: usize = 5;

/// Forgets a person: at Nango first, then here in one transaction. Where Nango can't be reached,
/// nothing is forgotten here. Where it is switched off, whoever has nothing there that is known of is
/// forgotten all the same. Safe to repeat.
pub async fn erase(
    db: &Db,
    nango: &Nango,
    clock: &Clock,
    id: Uuid,
) -> Result<Erased, PersonalError> {
    let mut deleted = BTreeSet::new();
    for _ in 0..ROUNDS {
        let Known { connected, owed } = known(db, id).await?;
        match nango {
            Nango::On { service, .. } => {
                delete(service, id, [connected, owed].concat(), &mut deleted).await?;
            }
            Nango::Off(_) if connected.is_empty() && owed.is_empty() => {}
            Nango::Off(problem) => {
                return Err(PersonalError::NangoOff {
                    connected: connected.len(),
                    owed: owed.len(),
                    why: problem.sentence(),
                });
            }
        }
        if let Some(erased) = forget(db, clock, id, &deleted).await? {
            return Ok(Erased {
                at_nango: deleted.len(),
                unasked: matches!(nango, Nango::Off(_)) && erased.attempts > 0,
                ..erased
            });
        }
    }
    Err(PersonalError::Busy)
}

/// A connection at Nango: its id and its integration's key.
type AtNango = (String, String);

/// What is known to be at Nango of a person, or to have been.
struct Known {
    /// By the person's rows.
    connected: Vec<AtNango>,
    /// Bound to no row, and not deleted yet.
    owed: Vec<AtNango>,
}

async fn known(db: &Db, id: Uuid) -> Result<Known, PersonalError> {
    let mut tx = db.read().await?;
    if user::get(&mut tx, id).await?.is_none() {
        return Err(PersonalError::Unknown(id));
    }
    let rows = connection::of_user(&mut tx, id).await?;
    let owed = owed_deletion::of_user(&mut tx, id).await?;
    tx.commit().await?;
    let mut connected = Vec::new();
    for connection::WithAttempt { row, .. } in rows {
        let key = row.provider_config_key.unwrap_or_default();
        let ids = [row.nango_connection_id, row.lost_connection_id];
        connected.extend(ids.into_iter().flatten().map(|id| (id, key.clone())));
    }
    let owed = owed.into_iter();
    let owed = owed.map(|row| (row.nango_connection_id, row.provider_config_key));
    Ok(Known {
        connected,
        owed: owed.collect(),
    })
}

/// Deletes at Nango what is known, and whatever else carries this person's tag: what no row knows of.
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

/// All that is here, in one transaction. `None`: something came to Nango meanwhile. Attempts that are
/// cancelled here stay watched: what comes of them is deleted as an orphan.
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
    let bound = rows.into_iter().map(|found| found.row);
    let bound = bound.flat_map(|row| [row.nango_connection_id, row.lost_connection_id]);
    let owed = owed_deletion::of_user(&mut tx, id).await?.into_iter();
    let owed = owed.map(|row| Some(row.nango_connection_id));
    let mut left = bound.chain(owed).flatten();
    if left.any(|id| !deleted.contains(&id)) {
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
        was_disabled: row.disabled_at.is_some(),
        unasked: false,
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
