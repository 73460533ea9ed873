//! A person's connections, read along with their session: whoever shows all of them looks at the
//! database once in place of twice.
//!
//! A task's own value, set around the requests that show them, as the session is read long before
//! it is known what else is wanted, and by a store that is told nothing but its id. A task that is
//! spawned meanwhile (Leptos' resources are) does not see it. Whoever finds nothing here asks by
//! themselves. May import `db` and `domain`.

use std::{cell::RefCell, future::Future};

use sqlx::FromRow;
use uuid::Uuid;

use super::{
    super::{
        DbError, Tx,
        connection::{RawWithAttempt, WithAttempt},
        stored,
    },
    store::Raw,
};
use crate::domain::timestamp::Timestamp;

type Found = (Uuid, Vec<WithAttempt>);

tokio::task_local! {
    static ALONG: RefCell<Option<Found>>;
}

/// Does something that will want them.
pub async fn scope<T>(work: impl Future<Output = T>) -> T {
    ALONG.scope(RefCell::default(), work).await
}

/// What was read of this person, as [`super::super::connection::of_user`] has it. Once: whoever asks
/// again wants to know what has changed.
pub fn take(user_id: Uuid) -> Option<Vec<WithAttempt>> {
    let found = ALONG.try_with(|along| along.borrow_mut().take());
    let (owner, connections) = found.ok().flatten()?;
    (owner == user_id).then_some(connections)
}

pub(super) fn is_wanted() -> bool {
    ALONG.try_with(|_| ()).is_ok()
}

/// Where a word in them is unknown, whoever asks for them by themselves will hear of it.
pub(super) fn keep(raw: &Raw, connections: Vec<RawWithAttempt>) {
    let Some(person) = raw.person() else {
        return;
    };
    let found: Result<_, DbError> = connections.into_iter().map(TryInto::try_into).collect();
    if let Ok(found) = found {
        let _outside = ALONG.try_with(|along| along.replace(Some((person.id, found))));
    }
}

/// The session stands in each row, of which people have few. Public because a test asks both databases
/// for its plan.
pub const LOAD: &str = concat!(
    "SELECT ",
    columns_with_person!(),
    ", ",
    columns_with_attempt!(),
    " FROM session LEFT JOIN \"user\" person ON person.id = session.user_id \
     LEFT JOIN user_connector_connection c ON c.user_id = session.user_id AND ",
    at_any_connector!(),
    join_attempt!(),
    "WHERE ",
    valid!(),
    " AND session.id = $1 AND session.expires_at > $2 ",
    in_order!()
);

pub(super) async fn load(
    tx: &mut Tx,
    id: &str,
    now: Timestamp,
) -> Result<Option<(Raw, Vec<RawWithAttempt>)>, DbError> {
    let kept = tx.keeps_statements();
    Ok(on_db!(tx, c => sqlx::query(LOAD)
        .persistent(kept)
        .bind(id)
        .bind(stored(now))
        .fetch_all(c)
        .await
        .and_then(|rows| read(&rows)))?)
}

fn read<'r, R>(rows: &'r [R]) -> Result<Option<(Raw, Vec<RawWithAttempt>)>, sqlx::Error>
where
    R: sqlx::Row,
    Raw: FromRow<'r, R>,
    Id: FromRow<'r, R>,
    RawWithAttempt: FromRow<'r, R>,
{
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut connections = Vec::with_capacity(rows.len());
    for row in rows {
        // Whoever has none has a row of their session all the same.
        if Id::from_row(row)?.id.is_some() {
            connections.push(RawWithAttempt::from_row(row)?);
        }
    }
    Ok(Some((Raw::from_row(first)?, connections)))
}

#[derive(FromRow)]
struct Id {
    id: Option<Uuid>,
}
