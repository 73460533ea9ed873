//! The reconciler: compares what is bound here with Nango's whole list. It finds connections that
//! broke, recovered or vanished, and outcomes that every other way has lost.
//!
//! What vanished must be missing twice, and is then asked for by name: pages of the list move while
//! they are read. If very much vanishes at once, nothing is changed: a key of another environment
//! looks just so.

use std::{
    collections::{HashMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    ServiceError,
    condition::{self, Condition, Note, Seen},
    core::Core,
    look::confirmed,
    settle::{self, Outcome, TAG_ATTEMPT},
};
use crate::{
    domain::connection::Status,
    server::{
        db::{attempt, connection},
        metrics::outcomes::Way,
        nango::{NangoError, wire::ListedConnection},
        request::TRACED,
    },
};

/// Rows read at once.
const ROWS: i64 = 1000;
/// Entries of Nango's list read at once: its maximum.
const PAGE: u16 = 2000;
const SMALLEST_PAGE: u16 = 50;
/// More than a tenth, and at least so many, do not vanish at once.
const ALARM: usize = 10;
/// Installations that wait for their approval, looked at in one go, and how often.
const WAITING: i64 = 20;
const WAITING_EVERY: Duration = Duration::from_secs(60);
/// Between two looks whether there is anything to do.
const TICK: Duration = Duration::from_secs(2);

/// What one run found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows bound to a connection of Nango.
    pub bound: usize,
    /// Entries of Nango's list.
    pub listed: usize,
    /// Rows that learned something of their connection.
    pub changed: usize,
    /// Rows whose connection is gone at Nango.
    pub vanished: usize,
    /// Rows not in the list, vanished in this run or not yet.
    pub missing: usize,
    /// Lost outcomes that were found.
    pub found: usize,
    /// Too many are missing to be true.
    pub alarm: bool,
}

/// What a run leaves for the next one.
#[derive(Debug, Default)]
pub struct Memory {
    missing: Mutex<HashSet<String>>,
    last: Mutex<Option<Report>>,
    /// The last row whose approval was asked for.
    asked_until: Mutex<String>,
}

#[derive(Clone)]
pub struct Reconcile(pub(super) Arc<Core>);

/// A bound row in a few bytes: there may be a million.
struct Bound {
    status: Status,
    note: Note,
    version: i64,
    listed: bool,
}

impl Reconcile {
    /// Compares once.
    pub async fn run(&self) -> Result<Report, ServiceError> {
        let span = tracing::info_span!(target: TRACED, "reconcile");
        let result = self.compare_all().instrument(span).await;
        self.0.metrics.background.reconciled(result.is_ok());
        result
    }

    async fn compare_all(&self) -> Result<Report, ServiceError> {
        let core = &*self.0;
        let mut report = Report::default();
        let hasher = RandomState::new();
        // First the rows, then the list: what is bound in between is met as an outcome and found
        // settled, never as something missing.
        let mut bound = HashMap::new();
        let mut rows = Rows::default();
        while let Some(page) = rows.next(core).await? {
            for row in page {
                if let Some(id) = &row.nango_connection_id {
                    let about = Bound {
                        status: row.status,
                        note: Note::of(row.last_error.as_deref()),
                        version: row.version,
                        listed: false,
                    };
                    bound.insert(hasher.hash_one(id), about);
                }
            }
        }
        report.bound = bound.len();
        let nango = core.nango()?.background();
        let mut failures = Failures::default();
        let (mut size, mut page) = (PAGE, 0);
        loop {
            let entries = match nango.list_connections(size, page).await {
                Ok(entries) => entries,
                // What others keep with their connections makes pages longer than we read.
                Err(NangoError::Unreadable { .. }) if size > SMALLEST_PAGE => {
                    (size, page) = (size / 2, page * 2);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            page += 1;
            report.listed += entries.len();
            for entry in &entries {
                match bound.get_mut(&hasher.hash_one(&entry.connection_id)) {
                    Some(about) => {
                        about.listed = true;
                        let changed = compare(core, about, entry).await;
                        report.changed += usize::from(failures.note(changed));
                    }
                    None => report.found += usize::from(failures.note(recover(core, entry).await)),
                }
            }
            if entries.len() < usize::from(size) {
                break;
            }
        }
        // One that could not be compared may stand for more: nothing is taken for vanished.
        failures.end()?;
        let unlisted = bound.values().filter(|about| !about.listed).count();
        report.missing = unlisted;
        report.alarm = unlisted >= ALARM && unlisted * 10 > report.bound;
        if report.alarm {
            tracing::error!(
                missing = unlisted,
                bound = report.bound,
                "ALARM: Nango lists far fewer connections than are bound here. Nothing was changed. Is NANGO_SECRET_KEY the key of the right environment?"
            );
        } else if unlisted > 0 {
            let unlisted = |id: &str| {
                let about = bound.get(&hasher.hash_one(id));
                about.is_some_and(|about| !about.listed)
            };
            let mut missing = HashSet::new();
            let mut rows = Rows::default();
            while let Some(page) = rows.next(core).await? {
                for row in page {
                    let Some(id) = row.nango_connection_id.filter(|id| unlisted(id)) else {
                        continue;
                    };
                    if self.is_gone(&id).await? {
                        let key = row.provider_config_key.unwrap_or_default();
                        report.vanished += usize::from(vanish(core, &id, &key, row.version).await?);
                    } else {
                        missing.insert(id);
                    }
                }
            }
            *lock(&core.reconcile.missing) = missing;
        } else {
            lock(&core.reconcile.missing).clear();
        }
        let before = lock(&core.reconcile.last).replace(report);
        if before != Some(report) {
            tracing::info!(?report, "reconciled with Nango");
        }
        Ok(report)
    }

    /// What the last run found.
    pub fn last(&self) -> Option<Report> {
        *lock(&self.0.reconcile.last)
    }

    /// It was missing before, and Nango does not know it by name either.
    async fn is_gone(&self, nango_connection_id: &str) -> Result<bool, ServiceError> {
        if !lock(&self.0.reconcile.missing).contains(nango_connection_id) {
            return Ok(false);
        }
        let nango = self.0.nango()?.background();
        let entry = nango.listed_connection(nango_connection_id).await?;
        Ok(entry.is_none())
    }

    /// Looks after installations that wait for somebody's approval, a few at a time: Nango's
    /// webhook of it may be lost.
    pub async fn approvals(&self) -> Result<(), ServiceError> {
        let core = &*self.0;
        let after = lock(&core.reconcile.asked_until).clone();
        let mut tx = core.db.read().await?;
        let rows = connection::waiting_after(&mut tx, &after, WAITING).await?;
        tx.commit().await?;
        // After the last page the first one comes again.
        let last = rows.last().filter(|_| rows.len() as i64 == WAITING);
        let next = last.and_then(|row| row.nango_connection_id.clone());
        *lock(&core.reconcile.asked_until) = next.unwrap_or_default();
        for row in rows {
            approval(core, &row).await?;
        }
        Ok(())
    }
}

/// Asks whether an installation was approved.
pub async fn approval(core: &Core, row: &connection::Row) -> Result<(), ServiceError> {
    let (Some(id), Some(key)) = (&row.nango_connection_id, &row.provider_config_key) else {
        return Ok(());
    };
    match core.nango()?.background().connection_state(id, key).await {
        Ok(state) if !state.pending => {
            condition::approved(core, id).await?;
        }
        Ok(_) => {}
        // One that cannot be read is the big comparison's.
        Err(error) => tracing::debug!(%error, "an approval cannot be looked for"),
    }
    Ok(())
}

/// What failed on the way; one row must not keep the others from being compared.
#[derive(Default)]
struct Failures(Option<ServiceError>);

impl Failures {
    fn note(&mut self, result: Result<bool, ServiceError>) -> bool {
        result.unwrap_or_else(|error| {
            tracing::warn!(%error, "a connection cannot be compared");
            self.0.get_or_insert(error);
            false
        })
    }

    fn end(self) -> Result<(), ServiceError> {
        self.0.map_or(Ok(()), Err)
    }
}

/// An entry of a connection that is bound here.
async fn compare(
    core: &Core,
    about: &Bound,
    entry: &ListedConnection,
) -> Result<bool, ServiceError> {
    let condition = Condition::of(entry);
    if !condition.is_news(about.status, about.note) {
        return Ok(false);
    }
    let seen = Seen {
        nango_connection_id: &entry.connection_id,
        provider_config_key: &entry.provider_config_key,
        condition,
        reason: None,
        version: Some(about.version),
    };
    condition::observe(core, seen).await
}

/// An entry that nothing here is bound to: an outcome that was lost, an orphan, or none of ours.
async fn recover(core: &Core, entry: &ListedConnection) -> Result<bool, ServiceError> {
    let id = entry
        .tag(TAG_ATTEMPT)
        .and_then(|id| Uuid::parse_str(id).ok());
    let Some(id) = id else { return Ok(false) };
    let mut tx = core.db.read().await?;
    let attempt = attempt::get(&mut tx, id).await?;
    tx.commit().await?;
    let Some(attempt) = attempt else {
        return Ok(false);
    };
    match confirmed(core, &core.nango()?.background(), &attempt, entry, false).await? {
        Some(confirmed) => {
            let outcome = Outcome::Connected(confirmed);
            settle::settle(core, id, outcome, Way::Reconciler).await
        }
        None => Ok(false),
    }
}

async fn vanish(core: &Core, id: &str, key: &str, version: i64) -> Result<bool, ServiceError> {
    let seen = Seen {
        nango_connection_id: id,
        provider_config_key: key,
        condition: Condition::Vanished,
        reason: None,
        version: Some(version),
    };
    condition::observe(core, seen).await
}

/// Every bound row, a page at a time.
#[derive(Default)]
struct Rows {
    after: String,
}

impl Rows {
    async fn next(&mut self, core: &Core) -> Result<Option<Vec<connection::Row>>, ServiceError> {
        let mut tx = core.db.read().await?;
        let rows = connection::bound_after(&mut tx, &self.after, ROWS).await?;
        tx.commit().await?;
        let last = rows.last().and_then(|row| row.nango_connection_id.clone());
        Ok(last.map(|last| {
            self.after = last;
            rows
        }))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For ever, as long as this instance holds the lease.
pub async fn keep(core: Arc<Core>) {
    let this = Reconcile(core.clone());
    // Soon, but whoever comes first after a start goes first.
    let mut next = Instant::now() + core.reconcile_every / 10;
    let mut approvals = Instant::now() + TICK;
    loop {
        sleep(TICK).await;
        if !core.lease.held() || core.nango().is_err() {
            // Whoever holds the lease now knows better what is amiss.
            *lock(&core.reconcile.last) = None;
            core.metrics.background.reconciler_off_duty();
            continue;
        }
        core.metrics.background.reconciler_on_duty();
        if Instant::now() >= approvals {
            approvals = Instant::now() + WAITING_EVERY;
            if let Err(error) = this.approvals().await {
                tracing::warn!(%error, "approvals are not looked for");
            }
        }
        if Instant::now() >= next {
            next = Instant::now() + core.reconcile_every;
            if let Err(error) = this.run().await {
                tracing::warn!(%error, "reconciling broke off; nothing is taken for vanished");
            }
        }
    }
}
