//! Who a person is. The first form of signing in: one demo user, on loopback addresses only.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::{ServiceError, audit, core::Core};
use crate::{
    domain::{problem::Problem, timestamp::Timestamp, user::User},
    server::db::{
        Tx,
        user::{self, NewUser, Row},
    },
};

#[derive(Clone)]
pub struct Accounts(pub(super) Arc<Core>);

/// Somebody who was let in just now; their session is still to be written.
#[derive(Clone, Debug)]
pub struct Entered {
    pub user: User,
    /// The person's `sessions_valid_from` as their own row said it when they were let in (0: none).
    /// Whatever ends their sessions before this one is written, ends it too.
    pub valid_from: Timestamp,
}

impl Entered {
    /// Whoever this row is, unless an operator has closed the door.
    pub fn of(row: &Row) -> Result<Self, ServiceError> {
        Ok(Self {
            user: admitted(row)?,
            valid_from: row.sessions_valid_from.unwrap_or(Timestamp(0)),
        })
    }
}

impl Accounts {
    /// The demo user, made on first sight. `loopback` says whether the request itself came to and
    /// from a loopback address: a proxy in front of a loopback listener must not open this door.
    /// `name` tells several demo users apart.
    pub async fn demo(&self, loopback: bool, name: &str) -> Result<Entered, ServiceError> {
        if !self.0.demo {
            return Err(Problem::new(
                403,
                "demo_unavailable",
                "There is no demo user here.",
                "Choose another way on the sign-in page.",
            )
            .into());
        }
        if !loopback {
            return Err(Problem::new(
                403,
                "demo_unavailable",
                "The demo user exists on a local address only.",
                "Open the server at its loopback address, for example http://127.0.0.1:3000.",
            )
            .into());
        }
        let mut tx = self.0.db.write().await?;
        let new = NewUser {
            id: self.0.clock.new_id(),
            issuer: "demo",
            subject: name,
            display_name: if name == "demo" { "Ada Demo" } else { name },
            email: None,
        };
        let entered = self.enter(&mut tx, &new).await?;
        tx.commit().await?;
        Ok(entered)
    }

    /// Somebody has proved who they are, whichever way: their row is made or brought up to date,
    /// and they are let in unless an operator has closed the door.
    pub(super) async fn enter(
        &self,
        tx: &mut Tx,
        new: &NewUser<'_>,
    ) -> Result<Entered, ServiceError> {
        let row = user::upsert(tx, new, self.0.clock.now()).await?;
        let entered = Entered::of(&row)?;
        audit::account(&self.0, tx, "sign_in", row.id).await?;
        Ok(entered)
    }

    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// How long a session lives without being used.
    pub fn session_idle(&self) -> Duration {
        self.0.session_idle
    }

    /// Whether somebody who signed in then need not sign in again yet.
    pub fn session_lasts(&self, signed_in_at: Timestamp) -> bool {
        let lifetime = self.0.session_lifetime.as_millis();
        let age = self.0.clock.now().0.saturating_sub(signed_in_at.0);
        u128::try_from(age).map_or(true, |age| age < lifetime)
    }

    /// The person of a session; `None` where they may no longer come in.
    pub async fn by_id(&self, id: Uuid) -> Result<Option<User>, ServiceError> {
        let user = user::look_up(&self.0.db, id).await?;
        Ok(user.filter(Row::is_active).map(|row| row.user()))
    }
}

/// Takes the person's lock, and looks whether they are still let in: between a click and its writing
/// an operator may have closed the door, or erased them.
pub async fn lock(tx: &mut Tx, id: Uuid) -> Result<(), ServiceError> {
    user::lock(tx, id).await?;
    match user::get(tx, id).await? {
        Some(row) => admitted(&row).map(drop),
        None => Ok(()),
    }
}

/// Whoever has signed in may come in, unless an operator has closed the door.
pub fn admitted(row: &Row) -> Result<User, ServiceError> {
    if row.is_active() {
        return Ok(row.user());
    }
    Err(Problem::new(
        403,
        "account_disabled",
        "This account is switched off.",
        "Ask whoever runs this server.",
    )
    .into())
}
