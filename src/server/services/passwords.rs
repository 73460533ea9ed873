//! Hashing passwords, a few at a time.
//!
//! Argon2id is slow and takes memory on purpose: on a thread where nothing else waits for it, and
//! behind a semaphore, so that a flood of sign-ins cannot take all the memory there is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ServiceError;
use crate::domain::problem::Problem;

// OWASP, Password Storage Cheat Sheet, "Argon2id": m=19456 (19 MiB), t=2, p=1.
/// Memory, in KiB.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// So many are hashed at once: 76 MiB.
const AT_ONCE: usize = 4;
/// So long a sign-in waits for its turn.
const WAIT: Duration = Duration::from_secs(3);
/// When another try may find a place.
const RETRY_SECONDS: u64 = 5;

/// What is looked at where there is no account: as much work as any, and nobody's password.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdC4uLg\
    $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and checks.
#[derive(Debug)]
pub struct Passwords {
    places: Arc<Semaphore>,
    wait: Duration,
    checked: AtomicU64,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            wait: WAIT,
            checked: AtomicU64::new(0),
        }
    }
}

impl Passwords {
    /// As a PHC string, with a salt of its own: argon2 draws it from the system's random source.
    pub async fn hash(&self, password: &SecretString) -> Result<String, ServiceError> {
        let password = password.clone();
        self.run(move || {
            let hash = argon2()?.hash_password(password.expose_secret().as_bytes())?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether it is this hash's password. `None`, as there is no account: it never is, and takes
    /// as long.
    pub async fn verify(
        &self,
        password: &SecretString,
        hash: Option<&str>,
    ) -> Result<bool, ServiceError> {
        let password = password.clone();
        let hash = hash.unwrap_or(NOBODYS).to_owned();
        let fits = self
            .run(move || {
                let hash = PasswordHash::new(&hash)?;
                let password = password.expose_secret().as_bytes();
                // The parameters are the hash's own; the comparison takes the same time always.
                match argon2()?.verify_password(password, &hash) {
                    Ok(()) => Ok(true),
                    Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                    Err(error) => Err(error),
                }
            })
            .await?;
        self.checked.fetch_add(1, Ordering::Relaxed);
        Ok(fits)
    }

    /// How many passwords were looked at.
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, argon2::password_hash::Error> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let place = self.place().await?;
        let done = tokio::task::spawn_blocking(move || {
            // Held until the work is done, even if whoever asked has gone.
            let _place = place;
            work()
        })
        .await;
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                tracing::error!(%error, "a password could not be hashed");
                Err(Problem::internal().into())
            }
            Err(error) => {
                tracing::error!(%error, "hashing a password broke off");
                Err(Problem::internal().into())
            }
        }
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, ServiceError> {
        let place = self.places.clone().acquire_owned();
        match tokio::time::timeout(self.wait, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(ServiceError::Later {
                problem: Box::new(busy()),
                seconds: RETRY_SECONDS,
            }),
        }
    }
}

fn argon2() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let params = Params::new(MEMORY, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Whether this hash was made in another way than those of today.
pub fn is_outdated(hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        return true;
    };
    let same = Params::try_from(&hash).is_ok_and(|params| {
        (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY, PASSES, LANES)
    });
    !same
        || hash.algorithm != Algorithm::Argon2id.ident()
        || hash.version != Some(Version::V0x13.into())
}

fn busy() -> Problem {
    Problem::new(
        503,
        "sign_in_busy",
        "Too many people are signing in right now.",
        "Try again in a few seconds.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn a_hash_says_how_it_was_made_and_fits_its_own_password_only() {
        let passwords = Passwords::default();
        let password = secret("correct horse battery");
        let hash = passwords.hash(&password).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert_ne!(hash, passwords.hash(&password).await.unwrap(), "a salt");
        assert!(passwords.verify(&password, Some(&hash)).await.unwrap());
        let other = secret("correct horse batterz");
        assert!(!passwords.verify(&other, Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&other, None).await.unwrap());
        assert_eq!(passwords.checked(), 3);
        assert!(!is_outdated(&hash));
    }

    #[test]
    fn nobodys_hash_takes_as_much_work_as_any_other() {
        assert!(!is_outdated(NOBODYS));
        assert!(PasswordHash::new(NOBODYS).unwrap().hash.is_some());
    }

    #[test]
    fn hashes_of_other_days_are_known() {
        for old in [
            NOBODYS.replace("m=19456", "m=12288"),
            NOBODYS.replace("t=2", "t=3"),
            NOBODYS.replace("p=1", "p=2"),
            NOBODYS.replace("argon2id", "argon2i"),
            NOBODYS.replace("v=19", "v=16"),
            "plain".to_owned(),
        ] {
            assert!(is_outdated(&old), "{old}");
        }
    }

    #[tokio::test]
    async fn who_finds_no_place_is_told_to_come_back() {
        let passwords = Passwords {
            wait: Duration::from_millis(20),
            ..Passwords::default()
        };
        let all = u32::try_from(AT_ONCE).unwrap();
        let held = passwords
            .places
            .clone()
            .acquire_many_owned(all)
            .await
            .unwrap();
        let refused = passwords.hash(&secret("whatever it may be")).await;
        let Err(ServiceError::Later { problem, seconds }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(
            (problem.code.as_str(), problem.status),
            ("sign_in_busy", 503)
        );
        assert_eq!(seconds, RETRY_SECONDS);
        drop(held);
        assert!(passwords.place().await.is_ok());
    }
}
