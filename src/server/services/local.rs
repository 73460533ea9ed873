//! Local accounts: who signs in here itself, by e-mail address and password.
//!
//! An unknown address and a wrong password are one and the same from outside: neither the answer nor
//! the work of hashing tells them apart.

use std::sync::Arc;

use secrecy::SecretString;
use uuid::Uuid;

use super::{
    ServiceError,
    accounts::{Accounts, Entered},
    audit,
    core::Core,
    password_rules as rules, passwords, sessions,
    throttle::{self, Keys},
};
use crate::{
    domain::{
        problem::{FieldError, Problem},
        timestamp::Timestamp,
        user::User,
    },
    server::db::{
        Tx,
        local_account::{self, Row},
        user::{self, NewUser},
    },
};

/// The issuer of everybody who has a local account; the subject is an id of their own, never the
/// e-mail address.
pub const ISSUER: &str = "local";

#[derive(Clone)]
pub struct Local(pub(super) Arc<Core>);

/// An account as somebody wants to have it.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub email: String,
    pub name: String,
    pub password: SecretString,
}

impl Local {
    pub async fn sign_in(
        &self,
        email: &str,
        password: &SecretString,
    ) -> Result<Entered, ServiceError> {
        let core = &*self.0;
        if !core.local.on {
            return Err(off().into());
        }
        let known = rules::email(email);
        let typed = known.clone();
        let keys = Keys::sign_in(&typed.unwrap_or_else(|| email.trim().to_lowercase()));
        throttle::take(core, &keys).await?;
        let mut tx = core.db.read().await?;
        let found = match &known {
            Some(email) => local_account::by_email(&mut tx, email).await?,
            // Nobody's: a database may not even take it.
            None => None,
        };
        tx.commit().await?;
        let fits = self.verify(password, found.as_ref(), &keys).await?;
        match found {
            Some(account) if fits => self.let_in(&account, password, &keys).await,
            found => Err(self
                .refuse(found.map(|account| account.user_id), &keys)
                .await),
        }
    }

    /// A password that was not looked at, since too many are, was no attempt.
    async fn verify(
        &self,
        password: &SecretString,
        account: Option<&Row>,
        keys: &Keys,
    ) -> Result<bool, ServiceError> {
        let hash = account.map(|account| account.password_hash.as_str());
        let checked = self.0.passwords.verify(password, hash).await;
        if checked.is_err() {
            throttle::forgive(&self.0, keys).await?;
        }
        checked
    }

    async fn let_in(
        &self,
        account: &Row,
        password: &SecretString,
        keys: &Keys,
    ) -> Result<Entered, ServiceError> {
        let core = &*self.0;
        let better = if passwords::is_outdated(&account.password_hash) {
            // Where there is no place to hash it now, there is at the next sign-in.
            core.passwords.hash(password).await.ok()
        } else {
            None
        };
        let mut tx = core.db.write().await?;
        user::lock(&mut tx, account.user_id).await?;
        // The password may have been changed while it was looked at.
        let still = local_account::of_user(&mut tx, account.user_id).await?;
        let row = user::get(&mut tx, account.user_id).await?;
        let (true, Some(row)) = (still.as_ref() == Some(account), row) else {
            return Err(refused().into());
        };
        let person = NewUser {
            id: row.id,
            issuer: &row.issuer,
            subject: &row.subject,
            display_name: &row.display_name,
            email: row.email.as_deref(),
        };
        let accounts = Accounts(self.0.clone());
        let entered = accounts.enter(&mut tx, &person).await?;
        throttle::succeeded(&mut tx, keys).await?;
        if let Some(better) = better {
            local_account::rehash(&mut tx, account.user_id, &better).await?;
        }
        tx.commit().await?;
        Ok(entered)
    }

    /// The refusal. Whether there is such an account is said nowhere but in its own audit log.
    async fn refuse(&self, user_id: Option<Uuid>, keys: &Keys) -> ServiceError {
        let written = async {
            let mut tx = self.0.db.write().await?;
            throttle::failed(&mut tx, keys).await?;
            if let Some(user_id) = user_id {
                // Whoever it was, it need not have been the person.
                audit::account_by(&self.0, &mut tx, audit::REFUSED, user_id, None).await?;
            }
            tx.commit().await
        };
        match written.await {
            Ok(()) => refused().into(),
            Err(error) => error.into(),
        }
    }

    /// Whether anybody may make an account for themselves.
    pub fn is_sign_up_open(&self) -> bool {
        self.0.local.on && self.0.local.sign_up
    }

    /// Makes an account for whoever asks, and lets them in.
    pub async fn sign_up(&self, new: &NewAccount) -> Result<Entered, ServiceError> {
        let core = &*self.0;
        if !self.is_sign_up_open() {
            return Err(sign_up_refused().into());
        }
        let email = checked(new)?;
        throttle::take(core, &Keys::sign_up(&email)).await?;
        let hash = core.passwords.hash(&new.password).await?;
        let mut tx = core.db.write().await?;
        let Some(person) = self.make(&mut tx, &email, new, hash, true).await? else {
            return Err(sign_up_refused().into());
        };
        tx.commit().await?;
        Entered::of(&person)
    }

    /// Makes an account for somebody else, as an operator does.
    pub async fn create(&self, new: &NewAccount) -> Result<user::Row, ServiceError> {
        let email = checked(new)?;
        let hash = self.0.passwords.hash(&new.password).await?;
        let mut tx = self.0.db.write().await?;
        let Some(person) = self.make(&mut tx, &email, new, hash, false).await? else {
            return Err(email_taken().into());
        };
        tx.commit().await?;
        Ok(person)
    }

    /// The person with their account; `None` where the address has one already.
    async fn make(
        &self,
        tx: &mut Tx,
        email: &str,
        new: &NewAccount,
        password_hash: String,
        enters: bool,
    ) -> Result<Option<user::Row>, ServiceError> {
        let core = &*self.0;
        if local_account::by_email(tx, email).await?.is_some() {
            return Ok(None);
        }
        let now = core.clock.now();
        let person = NewUser {
            id: core.clock.new_id(),
            issuer: ISSUER,
            subject: &core.clock.random_id().to_string(),
            display_name: new.name.trim(),
            email: Some(email),
        };
        let row = user::upsert(tx, &person, now).await?;
        let account = Row {
            user_id: row.id,
            email: email.to_owned(),
            password_hash,
            changed_at: now,
        };
        // Somebody else may have been quicker; the person's row is then rolled back with it.
        if !local_account::insert(tx, &account).await? {
            return Ok(None);
        }
        audit::account(core, tx, "user_created", row.id).await?;
        if enters {
            Accounts(self.0.clone()).enter(tx, &person).await?;
        }
        Ok(Some(row))
    }

    /// Gives a signed-in person another password, and ends all their other sessions. `session` is
    /// the digest of the one that stays; what comes back is its new [`sessions::VALID_FROM`].
    pub async fn change_password(
        &self,
        person: &User,
        present: &SecretString,
        new: &SecretString,
        session: &str,
    ) -> Result<Timestamp, ServiceError> {
        let core = &*self.0;
        let mut tx = core.db.read().await?;
        let account = local_account::of_user(&mut tx, person.id).await?;
        tx.commit().await?;
        let account = account.filter(|_| core.local.on).ok_or_else(no_password)?;
        rules::check(
            rules::new_password("new", new, &account.email)
                .into_iter()
                .collect(),
        )?;
        let keys = Keys::present_password(person.id);
        throttle::take(core, &keys).await?;
        if !self.verify(present, Some(&account), &keys).await? {
            let mut tx = core.db.write().await?;
            audit::account(core, &mut tx, "sign_in_refused", person.id).await?;
            tx.commit().await?;
            return Err(super::error::input_invalid(vec![present_wrong()]).into());
        }
        let hash = core.passwords.hash(new).await?;
        let mut tx = core.db.write().await?;
        user::lock(&mut tx, person.id).await?;
        if local_account::of_user(&mut tx, person.id).await?.as_ref() != Some(&account) {
            return Err(super::error::input_invalid(vec![present_wrong()]).into());
        }
        let from = set_password(core, &mut tx, person.id, &hash, session).await?;
        throttle::succeeded(&mut tx, &keys).await?;
        tx.commit().await?;
        sessions::publish(core, person.id);
        Ok(from)
    }

    /// Gives somebody another password, as an operator does, and ends all their sessions.
    pub async fn reset_password(
        &self,
        user_id: Uuid,
        new: &SecretString,
    ) -> Result<(), ServiceError> {
        let core = &*self.0;
        let mut tx = core.db.read().await?;
        let account = local_account::of_user(&mut tx, user_id).await?;
        tx.commit().await?;
        let account = account.ok_or_else(no_password)?;
        rules::check(
            rules::new_password("password", new, &account.email)
                .into_iter()
                .collect(),
        )?;
        let hash = core.passwords.hash(new).await?;
        let mut tx = core.db.write().await?;
        user::lock(&mut tx, user_id).await?;
        set_password(core, &mut tx, user_id, &hash, "").await?;
        // Whoever had forgotten it may be waiting for the next try.
        throttle::succeeded(&mut tx, &Keys::account_of(&account.email)).await?;
        tx.commit().await?;
        sessions::publish(core, user_id);
        Ok(())
    }

    /// How many passwords were looked at since the start.
    pub fn passwords_checked(&self) -> u64 {
        self.0.passwords.checked()
    }

    /// Removes the counts of failures that are over.
    pub async fn sweep(&self) -> Result<u64, ServiceError> {
        Ok(throttle::sweep(&self.0).await?)
    }
}

/// The new password, with the end of the sessions that began by the old one, but for `session`.
async fn set_password(
    core: &Core,
    tx: &mut Tx,
    user_id: Uuid,
    hash: &str,
    session: &str,
) -> Result<Timestamp, ServiceError> {
    local_account::set_password(tx, user_id, hash, core.clock.now()).await?;
    let (_, from) = sessions::end_all(core, tx, user_id, session).await?;
    audit::account(core, tx, "password_changed", user_id).await?;
    Ok(from)
}

/// The e-mail address as it is kept, where nothing is wrong with any field.
fn checked(new: &NewAccount) -> Result<String, Problem> {
    rules::check(rules::account(&new.email, &new.name, &new.password))?;
    Ok(rules::email(&new.email).unwrap_or_default())
}

fn off() -> Problem {
    Problem::new(
        403,
        "local_accounts_off",
        "Nobody signs in with a password here.",
        "Choose another way on the sign-in page.",
    )
}

/// Whatever was wrong.
fn refused() -> Problem {
    Problem::new(
        401,
        "sign_in_refused",
        "The e-mail address or the password is wrong.",
        "Try again, or ask whoever runs this server for a new password.",
    )
}

/// Taken, closed, or otherwise impossible.
fn sign_up_refused() -> Problem {
    Problem::new(
        403,
        "sign_up_refused",
        "This account can’t be made here.",
        "If you have one already, sign in. Otherwise ask whoever runs this server.",
    )
}

fn email_taken() -> Problem {
    Problem::new(
        409,
        "email_taken",
        "This e-mail address has an account already.",
        "Reset its password, or use another address.",
    )
}

fn no_password() -> Problem {
    Problem::new(
        409,
        "no_password",
        "This person does not sign in with a password here.",
        "Change it where the person signs in.",
    )
}

fn present_wrong() -> FieldError {
    FieldError {
        field: "present".to_owned(),
        message: "This is not your present password.".to_owned(),
    }
}
