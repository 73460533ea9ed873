//! What Nango tells by itself: signed webhooks. Each is a hint in a hurry: what it leads to is read
//! from Nango's list, so a repeated, late or lost one changes nothing in the end.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{sleep, timeout},
};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    ServiceError,
    condition::{self, Condition, Seen},
    core::Core,
    dictionary::{self, Entry},
    error, reconcile,
    settle::TAG_ATTEMPT,
    to_the_end,
};
use crate::{
    domain::{
        attempt::{AttemptKind, AttemptState},
        connection::Status,
        problem::Problem,
        timestamp::Timestamp,
    },
    server::{
        db::{attempt, connection},
        metrics::outcomes::Way,
        nango::{
            signature,
            webhook::{Auth, Fault, Operation, Sync, Webhook},
        },
        request::TRACED,
    },
};

pub use crate::server::nango::signature::HEADER as SIGNATURE_HEADER;

/// Handled at the same time: fewer than the database has connections, which people want too.
pub const AT_ONCE: usize = 8;
/// So many wait for that, and no longer than this; others are asked to come again, which Nango does
/// twice.
pub const WAITING: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);
const COME_AGAIN_SECONDS: u64 = 5;
/// Bodies that are read at the same time, of whomever they are: each may have 1 MB.
pub const READ_AT_ONCE: usize = 128;
/// For a place among them; Nango comes again where it is told that there was none.
const PLACE: Duration = Duration::from_secs(2);
/// A failed refresh may be told a moment before the list shows it.
const LIST_PAUSES_MS: [u64; 3] = [0, 300, 1000];

#[derive(Clone)]
pub struct Webhooks(pub(super) Arc<Core>);

impl Webhooks {
    /// Whether a webhook with this signature is worth reading at all.
    pub fn expects(&self, signature: Option<&str>) -> Result<(), ServiceError> {
        let (outcome, problem) = if self.0.webhooks.signing_key.is_none() {
            ("off", error::webhooks_off())
        } else if signature.is_none() {
            ("bad_signature", error::webhook_signature_invalid())
        } else {
            return Ok(());
        };
        self.0.metrics.outcomes.webhook("unknown", outcome);
        Err(problem.into())
    }

    /// A place among those whose bodies are read.
    pub async fn reading(&self) -> Result<OwnedSemaphorePermit, ServiceError> {
        let reading = self.0.webhooks.reading.clone().acquire_owned();
        match timeout(PLACE, reading).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(busy()),
        }
    }

    /// Checks the signature over the raw body, then does what the webhook asks for. What is of no
    /// concern here is taken and ignored.
    pub async fn receive(&self, signature: Option<&str>, body: &[u8]) -> Result<(), ServiceError> {
        let outcomes = &self.0.metrics.outcomes;
        let webhook = self.read(signature, body).inspect_err(|(outcome, _)| {
            outcomes.webhook("unknown", outcome);
        });
        let webhook = webhook.map_err(|(_, problem)| *problem)?;
        let kind = kind(&webhook);
        let span = tracing::info_span!(target: TRACED, "webhook", patchbay.webhook.type = kind);
        let taken = self.take(webhook).instrument(span).await;
        let outcome = match &taken {
            Ok(Taken::Accepted) => "accepted",
            Ok(Taken::Duplicate) => "duplicate",
            Ok(Taken::Ignored) => "ignored",
            Err(_) => "failed",
        };
        outcomes.webhook(kind, outcome);
        taken.map(drop)
    }

    fn read(
        &self,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<Webhook, (&'static str, Box<Problem>)> {
        let key = self.0.webhooks.signing_key.as_ref();
        let key = key.ok_or_else(|| ("off", Box::new(error::webhooks_off())))?;
        if !signature.is_some_and(|given| signature::verify(key, body, given)) {
            let problem = error::webhook_signature_invalid();
            return Err(("bad_signature", Box::new(problem)));
        }
        Webhook::parse(body).map_err(|reason| {
            tracing::warn!(%reason, "a webhook cannot be read");
            ("unreadable", Box::new(error::webhook_unreadable()))
        })
    }

    async fn take(&self, webhook: Webhook) -> Result<Taken, ServiceError> {
        let core = &self.0;
        if let Webhook::Other { kind } = &webhook {
            tracing::debug!(kind, "a webhook of no concern");
            return Ok(Taken::Ignored);
        }
        core.nango()?;
        let _waiting = core.webhooks.room.try_acquire().map_err(|_| busy())?;
        let place = timeout(PATIENCE, core.webhooks.places.clone().acquire_owned())
            .await
            .map_err(|_| busy())?
            .map_err(|_| busy())?;
        let core = core.clone();
        to_the_end(async move {
            let _place = place;
            match webhook {
                Webhook::Auth(auth) => authorised(&core, &auth).await,
                Webhook::Sync(sync) => synced(&core, &sync).await,
                Webhook::Other { .. } => Ok(Taken::Ignored),
            }
        })
        .await
    }
}

fn busy() -> ServiceError {
    ServiceError::Later {
        problem: Box::new(error::webhooks_busy()),
        seconds: COME_AGAIN_SECONDS,
    }
}

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Accepted,
    /// Of no concern: another type, somebody else's connection.
    Ignored,
    /// It says what is known already.
    Duplicate,
}

impl Taken {
    const fn if_changed(changed: bool) -> Self {
        if changed {
            Self::Accepted
        } else {
            Self::Duplicate
        }
    }
}

/// Nango's types, and one word for what may come next.
fn kind(webhook: &Webhook) -> &'static str {
    match webhook {
        Webhook::Auth(_) => "auth",
        Webhook::Sync(_) => "sync",
        Webhook::Other { kind } => match kind.as_str() {
            "forward" => "forward",
            "async_action" => "async_action",
            _ => "other",
        },
    }
}

async fn authorised(core: &Core, auth: &Auth) -> Result<Taken, ServiceError> {
    tracing::debug!(operation = ?auth.operation, success = auth.success, "webhook");
    match (&auth.operation, auth.success) {
        (Operation::Refresh, _) => refreshed(core, auth).await,
        (Operation::Creation | Operation::Override, true) => succeeded(core, auth).await,
        (Operation::Creation | Operation::Override, false) => failed(core, auth).await,
        (Operation::Other(_), _) => Ok(Taken::Ignored),
    }
}

/// A creation or an override: the attempt in the tags is over.
async fn succeeded(core: &Core, auth: &Auth) -> Result<Taken, ServiceError> {
    let id = auth.tags.as_ref().and_then(|tags| tags.get(TAG_ATTEMPT));
    // Somebody else's connection, or a session that was deleted under its flow.
    let Some(id) = id.and_then(|id| Uuid::parse_str(id).ok()) else {
        return Ok(Taken::Ignored);
    };
    let mut tx = core.db.read().await?;
    let attempt = attempt::get(&mut tx, id).await?;
    let bound = connection::by_nango_id(&mut tx, &auth.connection_id).await?;
    tx.commit().await?;
    let Some(attempt) = attempt else {
        return Ok(Taken::Ignored);
    };
    if attempt.state == AttemptState::Succeeded
        && let Some(row) = bound
    {
        // Told once more: an installation was approved, or the same thing arrived twice.
        return match row.status {
            Status::Pending => reconcile::approval(core, &row)
                .await
                .map(|()| Taken::Accepted),
            _ => Ok(Taken::Duplicate),
        };
    }
    let confirmed = core
        .watch
        .confirm(core, &attempt, &auth.connection_id, false, Way::Webhook)
        .await;
    if let Err(error) = &confirmed {
        tracing::warn!(%error, attempt = %attempt.id, "a webhook's outcome is left to the poll");
        core.watch.hurry(attempt.id);
    }
    // One that is left to the poll has been of use all the same.
    Ok(Taken::if_changed(confirmed.unwrap_or(true)))
}

/// A failed creation has no tags and names a connection that never was; a failed reconnect names
/// the connection, which is as it was, and not the attempt: a late one must not end a later attempt.
/// So nothing ends here. Whoever waits is looked for at once.
async fn failed(core: &Core, auth: &Auth) -> Result<Taken, ServiceError> {
    let mut tx = core.db.read().await?;
    let open = match connection::by_nango_id(&mut tx, &auth.connection_id).await? {
        Some(row)
            if row.provider_config_key.as_deref() == Some(auth.provider_config_key.as_str()) =>
        {
            attempt::open_of(&mut tx, row.id).await?
        }
        _ => None,
    };
    tx.commit().await?;
    let Some(attempt) = open.filter(|attempt| attempt.kind == AttemptKind::Reconnect) else {
        return Ok(Taken::Ignored);
    };
    core.watch.hurry(attempt.id);
    Ok(Taken::Accepted)
}

/// Tokens were renewed, or could not be.
async fn refreshed(core: &Core, auth: &Auth) -> Result<Taken, ServiceError> {
    let mut tx = core.db.read().await?;
    let bound = connection::by_nango_id(&mut tx, &auth.connection_id).await?;
    tx.commit().await?;
    let Some(row) = bound else {
        return Ok(Taken::Ignored);
    };
    for pause in LIST_PAUSES_MS {
        sleep(Duration::from_millis(pause)).await;
        // A provider that is down fails thousands at once, and nobody waits for them here.
        let nango = core.nango()?.background();
        let entry = nango.listed_connection(&auth.connection_id).await?;
        // One that is gone is the reconciler's: it looks twice.
        let Some(entry) = entry else {
            return Ok(Taken::Ignored);
        };
        let condition = Condition::of(&entry);
        if condition != Condition::Broken && !auth.success {
            continue;
        }
        let reason = (condition == Condition::Broken).then(|| {
            let (kind, description) = words(auth.error.as_ref());
            let entry = dictionary::refresh_failure(kind, description);
            told(&row, entry, kind, description)
        });
        let seen = Seen {
            nango_connection_id: &entry.connection_id,
            provider_config_key: &entry.provider_config_key,
            condition,
            reason,
            version: Some(row.version),
        };
        let changed = condition::observe(core, seen).await?;
        return Ok(Taken::if_changed(changed));
    }
    Ok(Taken::Duplicate)
}

async fn synced(core: &Core, sync: &Sync) -> Result<Taken, ServiceError> {
    let mut tx = core.db.read().await?;
    let bound = connection::by_nango_id(&mut tx, &sync.connection_id).await?;
    tx.commit().await?;
    let Some(row) = bound else {
        return Ok(Taken::Ignored);
    };
    let failure = (!sync.success).then(|| {
        let (kind, description) = words(sync.error.as_ref());
        told(&row, dictionary::sync_failure(), kind, description)
    });
    let failed_at = sync.failed_at.as_deref().and_then(Timestamp::parse);
    let changed = condition::synced(core, &sync.connection_id, failure, failed_at).await?;
    Ok(Taken::if_changed(changed))
}

/// The sentence for the person; the log keeps Nango's own words beside the same reference.
fn told(row: &connection::Row, entry: &Entry, kind: &str, description: &str) -> String {
    tracing::warn!(
        connection = %row.id,
        reference = dictionary::attempt_reference(row.id),
        code = entry.code,
        error_type = dictionary::one_line(kind, 60),
        description = dictionary::one_line(description, 500),
        "a connection failed at Nango"
    );
    entry.told(row.id)
}

/// Nango's words for what failed: the type and the description.
fn words(error: Option<&Fault>) -> (&str, &str) {
    error.map_or(("unknown", ""), |fault| (&fault.kind, &fault.description))
}
