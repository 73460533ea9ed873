//! What a person calls their accounts.

use std::sync::Arc;

use uuid::Uuid;

use super::{ServiceError, accounts, core::Core, error, rows, settle, to_the_end};
use crate::{
    domain::{
        connection::Connection,
        problem::{FieldError, Problem},
        user::User,
    },
    server::db::connection,
};

/// So long is a name at the most, in characters.
pub const LONGEST_NAME: usize = 80;

#[derive(Clone)]
pub struct Names(pub(super) Arc<Core>);

impl Names {
    /// Names an account; without a name it is called as it was before anybody named it.
    pub async fn rename(
        &self,
        person: &User,
        id: Uuid,
        name: Option<&str>,
    ) -> Result<Connection, ServiceError> {
        let name = name.map(checked).transpose()?;
        let (core, person) = (self.0.clone(), person.clone());
        to_the_end(async move { write(&core, &person, id, name).await }).await
    }
}

/// The name without the space around it.
fn checked(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    let reason = if name.is_empty() {
        "A name is needed.".to_owned()
    } else if name.chars().count() > LONGEST_NAME {
        format!("The name is longer than {LONGEST_NAME} characters.")
    } else if name.chars().any(char::is_control) {
        "The name has a line break or another character that can’t be seen in it.".to_owned()
    } else {
        return Ok(name.to_owned());
    };
    let mut problem = Problem::new(422, "name_invalid", &reason, "");
    problem.errors.push(FieldError {
        field: "account".to_owned(),
        message: reason,
    });
    Err(problem)
}

async fn write(
    core: &Core,
    person: &User,
    id: Uuid,
    name: Option<String>,
) -> Result<Connection, ServiceError> {
    let now = core.clock.now();
    let mut tx = core.db.write().await?;
    accounts::lock(&mut tx, person.id).await?;
    let found = connection::get(&mut tx, id)
        .await?
        .filter(|found| found.row.user_id == person.id)
        .ok_or_else(error::connection_unknown)?;
    let mut row = found.row;
    if row.connected_at.is_none() {
        return Err(not_connected_yet().into());
    }
    let manifest = core.registry.by_id(row.connector_id);
    let name = name.or_else(|| settle::account(manifest?, &row.config));
    let mut announcement = None;
    if row.account != name {
        row.account = name;
        settle::write(&mut tx, &mut row, now).await?;
        settle::audit(core, &mut tx, "rename", Some(person.id), &row, None).await?;
        announcement = core.announce(&mut tx, id).await?;
    }
    let found = connection::get(&mut tx, id)
        .await?
        .ok_or_else(error::connection_unknown)?;
    tx.commit().await?;
    if let Some(announcement) = announcement {
        core.publish(announcement);
    }
    Ok(rows::connection(&core.registry, found))
}

/// What was never connected is called by what was typed; connecting names it anew.
fn not_connected_yet() -> Problem {
    Problem::new(
        409,
        "not_connected",
        "This account is not connected yet.",
        "Name it once it is connected.",
    )
}
