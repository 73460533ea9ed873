//! The chain over the audit log: what a hash covers, and how a walk along it finds the first thing
//! that does not fit. No database here; `docs/AUDIT.md` describes the same for other programs.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    domain::timestamp::Timestamp,
    server::db::audit::{
        Event, Personal,
        chain::{Seal, Sealed},
    },
};

/// What comes before the first entry.
pub const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// No other use of SHA-256 hashes what begins like this.
const DOMAIN: &[u8] = b"patchbay audit chain\0";
/// Of the encoding: another one gets another number.
const VERSION: u8 = 1;
/// The length of a field that is not there.
const ABSENT: u32 = u32::MAX;

/// The hash of an entry at its place.
pub fn hash(prev: &str, seq: i64, event: &Event) -> String {
    let id = |id: Option<Uuid>| id.map(|id| id.to_string());
    let fields = [
        Some(prev.to_owned()),
        Some(seq.to_string()),
        Some(event.id.to_string()),
        Some(event.at.to_rfc3339()),
        id(event.user_id),
        id(event.actor_id),
        id(event.connector_id),
        id(event.connection_id),
        id(event.attempt_id),
        Some(event.action.clone()),
        Some(canonical(&event.detail)),
        event.personal_digest.clone(),
    ];
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update([VERSION]);
    // Each with its length, so that nothing moves from one field to the next.
    for field in fields {
        match field {
            None => hasher.update(ABSENT.to_be_bytes()),
            Some(text) => {
                let length = u32::try_from(text.len()).unwrap_or(ABSENT - 1);
                hasher.update(length.to_be_bytes());
                hasher.update(text.as_bytes());
            }
        }
    }
    format!("{:x}", hasher.finalize())
}

/// The digest that an entry keeps of what stands beside it.
pub fn personal_digest(personal: &Personal) -> String {
    let mut hasher = Sha256::new();
    hasher.update(personal.salt.as_bytes());
    hasher.update(personal.data.as_bytes());
    format!("{:x}", hasher.finalize())
}

/// JSON without spaces, the keys of each object sorted: PostgreSQL keeps them in an order of its own.
fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, to: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            to.push('{');
            for (place, key) in keys.into_iter().enumerate() {
                if place > 0 {
                    to.push(',');
                }
                let _ = write!(to, "{}:", Value::from(key.as_str()));
                write_canonical(map.get(key).unwrap_or(&Value::Null), to);
            }
            to.push('}');
        }
        Value::Array(all) => {
            to.push('[');
            for (place, one) in all.iter().enumerate() {
                if place > 0 {
                    to.push(',');
                }
                write_canonical(one, to);
            }
            to.push(']');
        }
        plain => {
            let _ = write!(to, "{plain}");
        }
    }
}

/// The seal of the entry that comes after this one.
pub fn next(head: Option<&Seal>, event: &Event) -> Seal {
    // A number that somebody put at the very end is taken: nothing more is sealed, and it shows.
    let (seq, prev) = head.map_or((1, START), |head| {
        (head.seq.saturating_add(1), head.hash.as_str())
    });
    Seal {
        seq,
        event_id: event.id,
        hash: hash(prev, seq, event),
    }
}

/// What was the chain's end once, kept elsewhere: `1234:<64 hex digits>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: i64,
    pub hash: String,
}

impl Head {
    pub fn parse(text: &str) -> Option<Self> {
        let (seq, hash) = text.trim().split_once(':')?;
        let plain = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let seq = seq.parse().ok().filter(|seq| *seq > 0)?;
        plain.then(|| Self {
            seq,
            hash: hash.to_ascii_lowercase(),
        })
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// The first thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Break {
    #[error(
        "Where number {expected} should follow, the next is {found}: entries were cut out, or put in."
    )]
    Gap { expected: i64, found: i64 },
    #[error("Entry {event_id} (number {seq}) is gone; only its seal is left.")]
    EntryMissing { seq: i64, event_id: Uuid },
    #[error(
        "Entry {event_id} (number {seq}) does not fit its hash: it, its seal or its place was changed."
    )]
    EntryChanged { seq: i64, event_id: Uuid },
    #[error(
        "The personal data beside entry {event_id} (number {seq}) do not fit its digest: they were changed."
    )]
    PersonalChanged { seq: i64, event_id: Uuid },
    #[error(
        "The personal data beside entry {event_id} (number {seq}) are gone, and the person whose they were has not been erased: somebody deleted them."
    )]
    PersonalMissing { seq: i64, event_id: Uuid },
    #[error(
        "Entry {event_id} of {at} has no seal. A server seals within about a second: either none has run since, or the seal was removed."
    )]
    Unsealed { event_id: Uuid, at: String },
    #[error(
        "The chain ends before number {seq}, where --head says it had come to: its end is cut off."
    )]
    CutOff { seq: i64 },
    #[error("At number {seq} the hash is another than --head says: the chain was written anew.")]
    Rewritten { seq: i64 },
}

impl Break {
    pub fn unsealed(event: &Event) -> Self {
        Self::Unsealed {
            event_id: event.id,
            at: event.at.to_rfc3339(),
        }
    }
}

/// A walk along the chain, from its start.
#[derive(Debug)]
pub struct Walk {
    wanted: Option<Head>,
    pub last: Option<Head>,
    pub personal: u64,
    pub erased: u64,
}

impl Walk {
    pub const fn new(wanted: Option<Head>) -> Self {
        Self {
            wanted,
            last: None,
            personal: 0,
            erased: 0,
        }
    }

    /// The next step; what does not fit ends the walk.
    pub fn step(&mut self, sealed: &Sealed) -> Result<(), Break> {
        let Seal {
            seq,
            event_id,
            hash: stored,
        } = &sealed.seal;
        let (seq, event_id) = (*seq, *event_id);
        let (expected, prev) = self
            .last
            .as_ref()
            .map_or((1, START), |last| (last.seq + 1, last.hash.as_str()));
        if seq != expected {
            return Err(Break::Gap {
                expected,
                found: seq,
            });
        }
        let Some(event) = &sealed.event else {
            return Err(Break::EntryMissing { seq, event_id });
        };
        if hash(prev, seq, event) != *stored {
            return Err(Break::EntryChanged { seq, event_id });
        }
        match (&event.personal_digest, &sealed.personal) {
            (None, None) => {}
            (Some(_), None) if sealed.owner_erased => self.erased += 1,
            (Some(_), None) => return Err(Break::PersonalMissing { seq, event_id }),
            (Some(digest), Some(personal)) if personal_digest(personal) == *digest => {
                self.personal += 1;
            }
            (_, Some(_)) => return Err(Break::PersonalChanged { seq, event_id }),
        }
        if let Some(wanted) = &self.wanted
            && wanted.seq == seq
            && wanted.hash != *stored
        {
            return Err(Break::Rewritten { seq });
        }
        self.last = Some(Head {
            seq,
            hash: stored.clone(),
        });
        Ok(())
    }

    /// The chain has no more.
    pub fn end(&self) -> Result<(), Break> {
        let reached = self.last.as_ref().map_or(0, |last| last.seq);
        match &self.wanted {
            Some(wanted) if wanted.seq > reached => Err(Break::CutOff { seq: wanted.seq }),
            _ => Ok(()),
        }
    }
}

/// What a walk has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    pub ok: bool,
    /// How far it fits.
    pub entries: i64,
    /// To be kept elsewhere: given to the next walk, it shows whether the end was cut off since.
    pub head: Option<String>,
    /// Entries with personal data that fit.
    pub personal: u64,
    /// Entries whose personal data were erased, as they may be.
    pub erased: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<Break>,
}

impl Verification {
    pub fn of(walk: &Walk, found: Result<(), Break>) -> Self {
        let broken = found.err();
        Self {
            ok: broken.is_none(),
            entries: walk.last.as_ref().map_or(0, |last| last.seq),
            head: walk.last.as_ref().map(Head::to_string),
            personal: walk.personal,
            erased: walk.erased,
            broken,
        }
    }
}

/// Older than this, an entry without a seal is a finding.
pub const SEALED_WITHIN_MS: i64 = 60_000;

/// Before then every entry has its seal.
pub const fn sealed_before(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(SEALED_WITHIN_MS))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Event {
        Event {
            id: Uuid::from_u128(1),
            at: Timestamp(1_795_354_490_000),
            user_id: Some(Uuid::from_u128(2)),
            actor_id: None,
            connector_id: None,
            connection_id: None,
            attempt_id: None,
            action: "sign_in".to_owned(),
            detail: json!({"b": [1, null, "é\""], "a": {"z": 1, "y": true}}),
            personal_digest: None,
        }
    }

    /// Made with another program, from the description in docs/AUDIT.md: it must never change.
    #[test]
    fn the_hash_is_the_documented_one() {
        assert_eq!(
            canonical(&event().detail),
            r#"{"a":{"y":true,"z":1},"b":[1,null,"é\""]}"#
        );
        assert_eq!(
            hash(START, 1, &event()),
            "044148ab5d2e35be080ae8f9798a392756616d0bf29f634728757dc412a26ca3"
        );
    }

    #[test]
    fn every_field_counts_and_nothing_moves_to_its_neighbour() {
        let id = Some(Uuid::from_u128(3));
        let changes: [fn(&mut Event); 10] = [
            |e| e.id = Uuid::from_u128(9),
            |e| e.at.0 += 1,
            |e| e.user_id = None,
            |e| e.actor_id = Some(Uuid::from_u128(2)),
            |e| e.connector_id = Some(Uuid::from_u128(3)),
            |e| e.connection_id = Some(Uuid::from_u128(3)),
            |e| e.attempt_id = Some(Uuid::from_u128(3)),
            |e| e.action.push('s'),
            |e| e.detail = json!({}),
            |e| e.personal_digest = Some(String::new()),
        ];
        let mut seen = vec![
            hash(START, 1, &event()),
            hash(START, 2, &event()),
            hash(&START.replace('0', "1"), 1, &event()),
        ];
        for change in changes {
            let mut event = event();
            change(&mut event);
            seen.push(hash(START, 1, &event));
        }
        seen.push(hash(
            START,
            1,
            &Event {
                actor_id: id,
                ..event()
            },
        ));
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let head = Head {
            seq: 12,
            hash: START.replace('0', "a"),
        };
        assert_eq!(Head::parse(&head.to_string()), Some(head.clone()));
        assert_eq!(Head::parse(&head.to_string().to_uppercase()), Some(head));
        for wrong in [
            "",
            "12",
            "12:ab",
            "x:00",
            &format!("0:{START}"),
            &format!("-1:{START}"),
        ] {
            assert_eq!(Head::parse(wrong), None, "{wrong}");
        }
    }
}
