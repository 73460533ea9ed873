//! Who there is: what an administrator and an operator may know and do about people.

use std::sync::Arc;

use uuid::Uuid;

use super::{ServiceError, audit, core::Core, local::ISSUER, password_rules, sessions};
use crate::{
    domain::{
        problem::Problem,
        user::{Person, Role},
    },
    server::db::{
        Tx, local_account,
        user::{self, Row},
    },
};

/// So many come at once at the most.
pub const LARGEST_PAGE: i64 = 200;

#[derive(Clone)]
pub struct People(pub(super) Arc<Core>);

impl People {
    /// People by id, from after this one.
    pub async fn page(&self, after: Uuid, limit: i64) -> Result<Vec<Person>, ServiceError> {
        let limit = limit.clamp(1, LARGEST_PAGE);
        let mut tx = self.0.db.read().await?;
        let found = user::after(&mut tx, after, limit).await?;
        tx.commit().await?;
        Ok(found.into_iter().map(person).collect())
    }

    /// By id, or by the e-mail address of a local account.
    pub async fn find(&self, id_or_email: &str) -> Result<Person, ServiceError> {
        let mut tx = self.0.db.read().await?;
        let id = if let Ok(id) = Uuid::parse_str(id_or_email) {
            Some(id)
        } else if let Some(email) = password_rules::email(id_or_email) {
            let account = local_account::by_email(&mut tx, &email).await?;
            account.map(|account| account.user_id)
        } else {
            None
        };
        let row = get(&mut tx, id.ok_or_else(unknown)?).await?;
        tx.commit().await?;
        Ok(person(row))
    }

    /// Keeps somebody out from now on, and ends their sessions. `by` is who does it, where it is
    /// not an operator at the command line.
    pub async fn disable(&self, id: Uuid, by: Option<Uuid>) -> Result<Person, ServiceError> {
        if by == Some(id) {
            return Err(own_account().into());
        }
        let core = &*self.0;
        let mut tx = core.db.write().await?;
        user::lock(&mut tx, id).await?;
        if get(&mut tx, id).await?.disabled_at.is_none() {
            user::set_disabled(&mut tx, id, Some(core.clock.now())).await?;
            audit::account_by(core, &mut tx, "user_disabled", id, by).await?;
        }
        sessions::end_all(core, &mut tx, id, "").await?;
        let row = get(&mut tx, id).await?;
        tx.commit().await?;
        sessions::publish(core, id);
        Ok(person(row))
    }

    /// Lets somebody in again.
    pub async fn enable(&self, id: Uuid, by: Option<Uuid>) -> Result<Person, ServiceError> {
        let core = &*self.0;
        let mut tx = core.db.write().await?;
        user::lock(&mut tx, id).await?;
        if get(&mut tx, id).await?.disabled_at.is_some() {
            user::set_disabled(&mut tx, id, None).await?;
            audit::account_by(core, &mut tx, "user_enabled", id, by).await?;
        }
        let row = get(&mut tx, id).await?;
        tx.commit().await?;
        Ok(person(row))
    }

    /// What somebody may do from their next request on.
    pub async fn set_role(
        &self,
        id: Uuid,
        role: Role,
        by: Option<Uuid>,
    ) -> Result<Person, ServiceError> {
        let core = &*self.0;
        let mut tx = core.db.write().await?;
        user::lock(&mut tx, id).await?;
        if get(&mut tx, id).await?.role != role {
            user::set_role(&mut tx, id, role).await?;
            audit::account_by(core, &mut tx, "role_changed", id, by).await?;
        }
        let row = get(&mut tx, id).await?;
        tx.commit().await?;
        Ok(person(row))
    }
}

async fn get(tx: &mut Tx, id: Uuid) -> Result<Row, ServiceError> {
    let row = user::get(tx, id).await?;
    Ok(row.ok_or_else(unknown)?)
}

/// As it is shown to those who may see it.
pub fn person(row: Row) -> Person {
    Person {
        id: row.id,
        name: row.display_name,
        email: row.email,
        local: row.issuer == ISSUER,
        issuer: row.issuer,
        role: row.role,
        created_at: row.created_at,
        disabled_at: row.disabled_at,
        erased_at: row.erased_at,
    }
}

pub fn unknown() -> Problem {
    Problem::new(
        404,
        "user_unknown",
        "There is no such person.",
        "The list of people has their ids.",
    )
}

fn own_account() -> Problem {
    Problem::new(
        409,
        "own_account",
        "Nobody can switch off their own account.",
        "Ask another administrator.",
    )
}
