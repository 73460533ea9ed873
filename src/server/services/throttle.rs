//! How often a sign-in may fail: for each account, and for each address, whoever asks for it.
//!
//! An unknown e-mail address is counted like any other: a refusal tells nothing.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::{ServiceError, core::Core, origin};
use crate::{
    domain::{problem::Problem, timestamp::Timestamp},
    server::db::{
        DbError, Tx,
        throttle::{self, Limit},
    },
};

const WINDOW_MS: i64 = 15 * 60 * 1000;

/// Wrong passwords of one account.
const OF_ACCOUNT: Limit = Limit {
    failures: 5,
    window_ms: WINDOW_MS,
};
/// Wrong passwords from one address, of whichever accounts: an office may share one.
const OF_ADDRESS: Limit = Limit {
    failures: 20,
    window_ms: WINDOW_MS,
};

/// What an attempt is counted under.
#[derive(Clone, Debug)]
pub struct Keys {
    account: String,
    /// `None`: nobody knows from where it comes, and strangers do not share a count.
    address: Option<String>,
}

impl Keys {
    /// Somebody signs in with this e-mail address.
    pub fn sign_in(email: &str) -> Self {
        Self::of("account", email, "address")
    }

    /// The account alone, whoever asks.
    pub fn account_of(email: &str) -> Self {
        Self {
            account: key("account", email),
            address: None,
        }
    }

    /// Somebody who is signed in proves once more who they are. Counted apart: whoever sits at an
    /// open page must not be able to lock its owner out elsewhere.
    pub fn present_password(user_id: uuid::Uuid) -> Self {
        Self::of("present", &user_id.to_string(), "address")
    }

    /// Somebody wants an account.
    pub fn sign_up(email: &str) -> Self {
        Self::of("sign_up", email, "sign_up_address")
    }

    fn of(kind: &str, value: &str, address_kind: &str) -> Self {
        let address = origin::current().and_then(|origin| origin.address);
        Self {
            account: key(kind, value),
            address: address.map(|address| key(address_kind, &network(&address))),
        }
    }
}

fn key(kind: &str, value: &str) -> String {
    format!("{:x}", Sha256::digest(format!("{kind}\0{value}")))
}

/// Of IPv6 everybody has a whole network (RFC 6177): its first 64 bits stand for all of it.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(ip) => ip.to_string(),
        Err(_) => address.to_owned(),
    }
}

/// Counts an attempt, or says when the next one is looked at. Committed at once: a request that
/// breaks off later was an attempt too.
pub async fn take(core: &Core, keys: &Keys) -> Result<(), ServiceError> {
    let now = core.clock.now();
    let mut tx = core.db.write().await?;
    // What is refused is counted nowhere: the transaction ends with it.
    if let Some(address) = &keys.address {
        allowed(
            throttle::take(&mut tx, address, OF_ADDRESS, now).await?,
            now,
        )?;
    }
    allowed(
        throttle::take(&mut tx, &keys.account, OF_ACCOUNT, now).await?,
        now,
    )?;
    tx.commit().await?;
    Ok(())
}

fn allowed(until: Option<Timestamp>, now: Timestamp) -> Result<(), ServiceError> {
    let Some(until) = until else {
        return Ok(());
    };
    let ms = u64::try_from(until.0 - now.0).unwrap_or_default();
    Err(ServiceError::Later {
        problem: Box::new(too_many_attempts()),
        seconds: ms.div_ceil(1000).max(1),
    })
}

/// The attempt succeeded: the account's failures are forgotten, and the address has one less.
pub async fn succeeded(tx: &mut Tx, keys: &Keys) -> Result<(), DbError> {
    if let Some(address) = &keys.address {
        throttle::give_back(tx, address).await?;
    }
    throttle::clear(tx, &keys.account).await
}

/// The attempt was not looked at.
pub async fn forgive(core: &Core, keys: &Keys) -> Result<(), DbError> {
    let mut tx = core.db.write().await?;
    for key in [Some(&keys.account), keys.address.as_ref()]
        .into_iter()
        .flatten()
    {
        throttle::give_back(&mut tx, key).await?;
    }
    tx.commit().await
}

/// The attempt failed. Nothing is left to count; it takes as long as if there were.
pub async fn failed(tx: &mut Tx, keys: &Keys) -> Result<(), DbError> {
    throttle::touch(tx, &keys.account).await
}

/// Forgets what was counted of a person, as part of forgetting the person: under their e-mail
/// addresses, and under their id. What was counted from an address belongs to everybody there.
pub async fn forget(
    tx: &mut Tx,
    user_id: uuid::Uuid,
    emails: impl Iterator<Item = String>,
) -> Result<(), DbError> {
    let mut keys = vec![Keys::present_password(user_id)];
    for email in emails {
        keys.extend([Keys::account_of(&email), Keys::sign_up(&email)]);
    }
    for keys in keys {
        throttle::clear(tx, &keys.account).await?;
    }
    Ok(())
}

/// Removes what counts no longer.
pub async fn sweep(core: &Core) -> Result<u64, DbError> {
    let now = core.clock.now();
    let mut tx = core.db.write().await?;
    let gone = throttle::delete_old(&mut tx, Timestamp(now.0 - WINDOW_MS), now).await?;
    tx.commit().await?;
    Ok(gone)
}

fn too_many_attempts() -> Problem {
    Problem::new(
        429,
        "too_many_attempts",
        "There were too many attempts.",
        "Wait a quarter of an hour, then try again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one() {
        assert_eq!(network("2001:db8:1:2:3::9"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:203.0.113.9"), "203.0.113.9");
        assert_ne!(network("203.0.113.9"), network("203.0.113.8"));
    }

    #[test]
    fn a_key_tells_neither_what_nor_whose_it_is() {
        let keys = Keys::sign_in("ada@example.com");
        assert_eq!(keys.account.len(), 64);
        assert_ne!(keys.account, Keys::sign_up("ada@example.com").account);
        assert_ne!(keys.account, Keys::sign_in("eve@example.com").account);
        assert_eq!(keys.address, None, "nobody knows");
    }
}
