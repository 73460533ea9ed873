//! Reading the audit log: its pages for administrators and for export, and the walk that checks it.

use std::sync::Arc;

use super::{
    ServiceError,
    audit_chain::{Break, Head, START, Verification, Walk, sealed_before},
    core::Core,
};
use crate::{
    domain::{
        audit::{AuditEntry, AuditPersonal},
        timestamp::Timestamp,
    },
    server::db::{
        Db, DbError,
        audit::{Personal, chain},
    },
};

/// Read at once: however long the log is, no more than this is in memory.
pub const PAGE: i64 = 1_000;

#[derive(Clone)]
pub struct AuditLog(pub(super) Arc<Core>);

impl AuditLog {
    /// The sealed entries from after this number on, with what stands beside them.
    pub async fn after(&self, seq: i64, limit: i64) -> Result<Vec<AuditEntry>, ServiceError> {
        Ok(page(&self.0.db, seq, limit, true).await?)
    }
}

/// The sealed entries from after this number on.
pub async fn page(
    db: &Db,
    after: i64,
    limit: i64,
    with_personal: bool,
) -> Result<Vec<AuditEntry>, DbError> {
    let mut tx = db.read().await?;
    let mut prev = match after {
        ..1 => START.to_owned(),
        seq => chain::hash_at(&mut tx, seq).await?.unwrap_or_default(),
    };
    let found = match after.checked_add(1) {
        Some(from) => chain::from(&mut tx, from, limit.clamp(1, PAGE)).await?,
        // After the last number there is none.
        None => Vec::new(),
    };
    tx.commit().await?;
    let mut entries = Vec::with_capacity(found.len());
    for sealed in found {
        let hash = sealed.seal.hash;
        let prev = std::mem::replace(&mut prev, hash.clone());
        // Where the entry is gone, `verify` is the one to say it.
        let Some(event) = sealed.event else {
            continue;
        };
        entries.push(AuditEntry {
            seq: sealed.seal.seq,
            prev,
            hash,
            id: event.id,
            at: event.at,
            user_id: event.user_id,
            actor_id: event.actor_id,
            connector_id: event.connector_id,
            connection_id: event.connection_id,
            attempt_id: event.attempt_id,
            action: event.action,
            detail: event.detail,
            personal_digest: event.personal_digest,
            personal: sealed
                .personal
                .filter(|_| with_personal)
                .map(|Personal { salt, data }| AuditPersonal { salt, data }),
        });
    }
    Ok(entries)
}

/// Walks the whole chain and looks for what has no place in it.
pub async fn verify(db: &Db, head: Option<Head>, now: Timestamp) -> Result<Verification, DbError> {
    let mut walk = Walk::new(head);
    let found = follow(db, &mut walk, now).await?;
    Ok(Verification::of(&walk, found))
}

async fn follow(db: &Db, walk: &mut Walk, now: Timestamp) -> Result<Result<(), Break>, DbError> {
    // From the lowest number there can be, not from 1: a seal that hides below would make its entry
    // look sealed.
    let mut from = Some(i64::MIN);
    while let Some(seq) = from {
        let mut tx = db.read().await?;
        let page = chain::from(&mut tx, seq, PAGE).await?;
        tx.commit().await?;
        from = page.last().and_then(|last| last.seal.seq.checked_add(1));
        for sealed in &page {
            if let Err(found) = walk.step(sealed) {
                return Ok(Err(found));
            }
        }
    }
    if let Err(found) = walk.end() {
        return Ok(Err(found));
    }
    let mut tx = db.read().await?;
    let unsealed = chain::unsealed_before(&mut tx, sealed_before(now), 1).await?;
    tx.commit().await?;
    Ok(unsealed
        .first()
        .map_or(Ok(()), |event| Err(Break::unsealed(event))))
}
