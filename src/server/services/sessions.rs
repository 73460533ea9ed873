//! A person's sessions: where they are signed in, and ending that.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{ServiceError, audit, core::Core, place};
use crate::{
    domain::{page::SessionLine, timestamp::Timestamp, user::User},
    server::{
        db::{DbError, Tx, notify, session, user},
        live::Message,
    },
};

/// How a session is named: never by the cookie's value, which would open it.
pub use crate::server::db::session::digest;

/// The entry that decides whether what ends all sessions of the person ends this one too. It is not
/// a time of its own: how long a session lasts is counted from [`SIGNED_IN_AT`].
pub use crate::server::db::session::VALID_FROM;

/// The entry with the person as they were when the session was read.
pub use crate::server::db::session::PERSON;

/// Does something that shows all of the person's connections: they are read along with the session.
pub use crate::server::db::session::along::scope as with_connections;

/// Entries of a session's data, written when it begins: when (milliseconds since 1970), from which
/// address, with which program. They end with the session.
pub const SIGNED_IN_AT: &str = "signed_in_at";
pub const ADDRESS: &str = "address";
pub const USER_AGENT: &str = "user_agent";

/// So many sessions has a person at the most.
const MOST: i64 = 100;

/// After so long the browser that signs in has the answer.
const COOKIE_ARRIVES: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub struct Sessions(pub(super) Arc<Core>);

impl Sessions {
    /// All that live, this one first, then the latest.
    pub async fn list(&self, person: &User, this: &str) -> Result<Vec<SessionLine>, ServiceError> {
        let mut tx = self.0.db.read().await?;
        let found = session::of_user(&mut tx, person.id, self.0.clock.now()).await?;
        tx.commit().await?;
        let mut lines: Vec<_> = found.into_iter().map(|owned| line(owned, this)).collect();
        lines.sort_by_key(|line| (!line.this, std::cmp::Reverse(line.signed_in_at)));
        Ok(lines)
    }

    /// So that nobody's pile up without end: of those a person has, the latest stay, and there is
    /// room for one more.
    pub async fn make_room(&self, person: &User) -> Result<(), ServiceError> {
        let mut tx = self.0.db.write().await?;
        if session::delete_oldest(&mut tx, person.id, MOST - 1).await? == 0 {
            return Ok(());
        }
        audit::account(&self.0, &mut tx, "sessions_ended", person.id).await?;
        announce(&mut tx, person.id).await?;
        tx.commit().await?;
        publish(&self.0, person.id);
        Ok(())
    }

    /// Ends one of a person's sessions; one that is not theirs, or is over, stays as it is.
    pub async fn end(&self, person: &User, digest: &str) -> Result<(), ServiceError> {
        self.end_one(person.id, digest, "sessions_ended").await
    }

    /// Ends the session that another one takes the place of. Its pages hear of it a moment later: one
    /// that came back before the browser has the new cookie would stand at the sign-in.
    pub async fn give_way(&self, person: Uuid, this: &str) -> Result<(), ServiceError> {
        let mut tx = self.0.db.write().await?;
        if !session::delete_one(&mut tx, person, this).await? {
            return Ok(());
        }
        audit::account(&self.0, &mut tx, "sign_out", person).await?;
        tx.commit().await?;
        let sessions = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(COOKIE_ARRIVES).await;
            if let Err(error) = sessions.tell(person).await {
                // The streams look for themselves, within seconds.
                tracing::debug!(%error, "the end of a session was not announced");
            }
        });
        Ok(())
    }

    async fn tell(&self, person: Uuid) -> Result<(), ServiceError> {
        let mut tx = self.0.db.write().await?;
        announce(&mut tx, person).await?;
        tx.commit().await?;
        publish(&self.0, person);
        Ok(())
    }

    /// Ends the session that asks for it.
    pub async fn sign_out(&self, person: Uuid, this: &str) -> Result<(), ServiceError> {
        self.end_one(person, this, "sign_out").await
    }

    async fn end_one(&self, person: Uuid, digest: &str, action: &str) -> Result<(), ServiceError> {
        let mut tx = self.0.db.write().await?;
        if !session::delete_one(&mut tx, person, digest).await? {
            return Ok(());
        }
        audit::account(&self.0, &mut tx, action, person).await?;
        announce(&mut tx, person).await?;
        tx.commit().await?;
        publish(&self.0, person);
        Ok(())
    }

    /// Ends all of a person's sessions but this one.
    pub async fn end_others(&self, person: &User, this: &str) -> Result<(), ServiceError> {
        let mut tx = self.0.db.write().await?;
        let (ended, _) = end_all(&self.0, &mut tx, person.id, this).await?;
        if ended > 0 {
            audit::account(&self.0, &mut tx, "sessions_ended", person.id).await?;
        }
        tx.commit().await?;
        publish(&self.0, person.id);
        Ok(())
    }
}

fn line(owned: session::Owned, this: &str) -> SessionLine {
    let text = |name: &str| entry(&owned.data, name).and_then(Value::as_str);
    let signed_in_at = entry(&owned.data, SIGNED_IN_AT).and_then(Value::as_i64);
    SessionLine {
        this: owned.id == this,
        browser: place::program(text(USER_AGENT).unwrap_or_default()),
        address: text(ADDRESS).map(str::to_owned),
        signed_in_at: signed_in_at.map(Timestamp),
        id: owned.id,
    }
}

fn entry<'d>(data: &'d HashMap<String, Value>, name: &str) -> Option<&'d Value> {
    data.get(name)
}

/// What the other instances are told, as part of the transaction that ends sessions.
#[derive(Debug, Serialize, Deserialize)]
pub struct SessionsEnded {
    /// Of this person. Which sessions is not said: each stream looks for itself.
    pub sessions_ended: Uuid,
}

/// Ends all of a person's sessions, but for the one with this digest, and with them whatever is
/// being let in at this moment and has no session yet. Returns how many there were, and what
/// [`VALID_FROM`] is now.
pub async fn end_all(
    core: &Core,
    tx: &mut Tx,
    user_id: Uuid,
    but: &str,
) -> Result<(u64, Timestamp), DbError> {
    // First, since it holds the person's row: whoever is being let in waits, or is out.
    let from = user::end_sessions(tx, user_id, core.clock.now()).await?;
    let ended = session::delete_of_user(tx, user_id, but).await?;
    session::keep(tx, user_id, but, from).await?;
    announce(tx, user_id).await?;
    Ok((ended, from))
}

/// Tells the other instances that sessions of a person have ended.
pub async fn announce(tx: &mut Tx, user_id: Uuid) -> Result<(), DbError> {
    let ended = SessionsEnded {
        sessions_ended: user_id,
    };
    match serde_json::to_string(&ended) {
        Ok(payload) => notify::announce(tx, &payload).await,
        Err(_) => Ok(()),
    }
}

/// Tells this instance's own streams, once it is committed.
pub fn publish(core: &Core, user_id: Uuid) {
    core.hub.publish(user_id, Message::SessionsEnded);
}
