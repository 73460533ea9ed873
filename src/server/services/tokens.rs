//! The host product's own token: `Authorization: Bearer`, a JWT (RFC 7519) that names a person.

use std::sync::Arc;

use super::{
    ServiceError,
    accounts::{self, Accounts, Entered},
    audit,
    core::Core,
};
use crate::{
    domain::{problem::Problem, timestamp::Timestamp, user::User},
    server::{
        clock,
        db::user::{self, NewUser, Row},
        identity::{Person, token},
    },
};

/// A token as it came. Never printed.
#[derive(Clone, Copy)]
pub struct Bearer<'a>(pub &'a str);

#[derive(Clone)]
pub struct Tokens(pub(super) Arc<Core>);

impl Tokens {
    /// Whose token it is, and until when it is valid.
    pub async fn verify(&self, token: Bearer<'_>) -> Result<(User, Timestamp), ServiceError> {
        let Some(verifier) = &self.0.identity.token else {
            return Err(logged("no token is accepted: [token] is not set up").into());
        };
        let verified = match verifier.verify(token.0).await {
            Ok(verified) => verified,
            Err(token::Refused::Token(why)) => return Err(logged(why).into()),
            Err(token::Refused::Keys(error)) => {
                let mut problem = keys_unavailable();
                let reference = clock::reference();
                tracing::error!(reference, %error, "the keys of TOKEN_JWKS_URL");
                problem.reference = Some(reference);
                return Err(problem.into());
            }
        };
        let user = self.user(&verified.person).await?;
        Ok((user, verified.expires_at))
    }

    /// The token of this person is exchanged for a session.
    pub async fn signed_in(&self, user: &User) -> Result<Entered, ServiceError> {
        let mut tx = self.0.db.write().await?;
        user::lock(&mut tx, user.id).await?;
        let row = user::get(&mut tx, user.id).await?.ok_or_else(refused)?;
        let entered = Entered::of(&row)?;
        audit::account(&self.0, &mut tx, "sign_in", user.id).await?;
        tx.commit().await?;
        Ok(entered)
    }

    /// Whether a page of this origin may post a token here.
    pub fn welcomes(&self, origin: &str) -> bool {
        self.0.identity.origins.iter().any(|own| own == origin)
    }

    /// The person's row; it is written when they are new, or called otherwise than before. Most
    /// requests only look.
    async fn user(&self, person: &Person) -> Result<User, ServiceError> {
        let mut tx = self.0.db.read().await?;
        let found = user::by_subject(&mut tx, &person.issuer, &person.subject).await?;
        tx.commit().await?;
        if let Some(row) = &found
            && (!row.is_active() || !changes(row, person))
        {
            return accounts::admitted(row);
        }
        let known = found.as_ref();
        let email = person.email.as_deref();
        let name = person
            .name
            .as_deref()
            .or(known.map(|row| &*row.display_name));
        let new = NewUser {
            id: self.0.clock.new_id(),
            issuer: &person.issuer,
            subject: &person.subject,
            display_name: name.or(email).unwrap_or(NOBODYS_NAME),
            email: email.or(known.and_then(|row| row.email.as_deref())),
        };
        let mut tx = self.0.db.write().await?;
        let user = if known.is_some() {
            accounts::admitted(&user::upsert(&mut tx, &new, self.0.clock.now()).await?)?
        } else {
            Accounts(self.0.clone()).enter(&mut tx, &new).await?.user
        };
        tx.commit().await?;
        Ok(user)
    }
}

/// What somebody is called of whom nobody says more.
pub(super) const NOBODYS_NAME: &str = "New user";

/// What a token does not say stays as it is.
fn changes(row: &Row, person: &Person) -> bool {
    let name = person.name.as_ref();
    let email = person.email.as_ref();
    name.is_some_and(|name| *name != row.display_name)
        || email.is_some_and(|email| Some(email) != row.email.as_ref())
}

/// The refusal, with what the log says more.
fn logged(why: &'static str) -> Problem {
    let reference = clock::reference();
    tracing::warn!(reference, why, "a bearer token is refused");
    let mut problem = refused();
    problem.reference = Some(reference);
    problem
}

/// The same whatever is wrong with it: the log says more.
pub fn refused() -> Problem {
    Problem::new(
        401,
        "token_invalid",
        "The token is not accepted.",
        "Send a valid token of the product you come from, or sign in.",
    )
}

/// Nobody can say whether the token is good.
fn keys_unavailable() -> Problem {
    Problem::new(
        503,
        "token_keys_unavailable",
        "The token cannot be checked right now.",
        "Try again in a minute.",
    )
}
