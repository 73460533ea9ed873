//! Signing in by an OpenID Connect provider: the way there, and what comes back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    ServiceError,
    accounts::{Accounts, Entered},
    core::Core,
    dictionary,
    tokens::NOBODYS_NAME,
};
use crate::{
    domain::{page::SignInProvider, problem::Problem, timestamp::Timestamp},
    server::{
        clock,
        db::user::NewUser,
        identity::{
            Person,
            http::FetchError,
            provider::{Provider, Refused, Secrets},
        },
    },
};

/// So long may it take to come back from the provider.
const LIFETIME: i64 = 10 * 60_000;
/// So many tabs may be on their way at once.
const AT_ONCE: usize = 5;

/// A sign-in that has begun. It waits in the session of whoever began it, so that nobody else can
/// end it, and never leaves this server but for `state`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Pending {
    provider: String,
    state: String,
    nonce: String,
    verifier: String,
    pub next: String,
    since: i64,
}

/// What the provider sends people back with.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    pub state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

#[derive(Clone)]
pub struct Oidc(pub(super) Arc<Core>);

impl Oidc {
    /// The providers for the sign-in page.
    pub fn providers(&self) -> Vec<SignInProvider> {
        let all = self.0.identity.providers.iter();
        all.map(|provider| {
            let settings = &provider.settings;
            SignInProvider {
                id: settings.id.clone(),
                name: settings.name.clone(),
            }
        })
        .collect()
    }

    /// Where to send the person, and what to keep meanwhile.
    pub async fn begin(&self, id: &str, next: &str) -> Result<(Url, Pending), ServiceError> {
        let provider = self.provider(id)?;
        let (url, secrets) = provider
            .start()
            .await
            .map_err(|refused| told(provider, &refused))?;
        let pending = Pending {
            provider: id.to_owned(),
            state: secrets.state,
            nonce: secrets.nonce,
            verifier: secrets.verifier,
            next: next.to_owned(),
            since: self.0.clock.now().0,
        };
        Ok((url, pending))
    }

    /// Adds one to those that are on their way; what is too old, or too much, is forgotten.
    pub fn keep(&self, waiting: &mut Vec<Pending>, new: Pending) {
        let now = self.0.clock.now();
        waiting.retain(|pending| pending.lives(now));
        waiting.push(new);
        let surplus = waiting.len().saturating_sub(AT_ONCE);
        waiting.drain(..surplus);
    }

    /// Takes the one that an answer belongs to; it counts once.
    pub fn take(&self, waiting: &mut Vec<Pending>, id: &str, answer: &Answer) -> Option<Pending> {
        let now = self.0.clock.now();
        waiting.retain(|pending| pending.lives(now));
        let state = Sha256::digest(answer.state.as_deref()?);
        // Digests are compared: how long that takes tells nothing of the state itself.
        let place = waiting.iter().position(|pending| {
            pending.provider == id && Sha256::digest(&pending.state) == state
        })?;
        Some(waiting.remove(place))
    }

    /// Lets the person in that the provider names.
    pub async fn finish(&self, pending: &Pending, answer: Answer) -> Result<Entered, ServiceError> {
        let provider = self.provider(&pending.provider)?;
        let refused = |refused: Refused| told(provider, &refused);
        let iss = answer.iss.as_deref();
        provider.is_answer_of(iss).await.map_err(refused)?;
        if let Some(word) = &answer.error {
            return Err(declined(provider, word).into());
        }
        let code = answer.code.ok_or(Refused::Answer("it holds no code"));
        let secrets = Secrets {
            state: pending.state.clone(),
            nonce: pending.nonce.clone(),
            verifier: pending.verifier.clone(),
        };
        let person = provider.finish(code.map_err(refused)?, &secrets).await;
        self.enter(pending, &person.map_err(refused)?).await
    }

    async fn enter(&self, pending: &Pending, person: &Person) -> Result<Entered, ServiceError> {
        let email = person.email.as_deref();
        let name = person.name.as_deref().or(email);
        let new = NewUser {
            id: self.0.clock.new_id(),
            issuer: &person.issuer,
            subject: &person.subject,
            display_name: name.unwrap_or(NOBODYS_NAME),
            email,
        };
        let mut tx = self.0.db.write().await?;
        let entered = Accounts(self.0.clone()).enter(&mut tx, &new).await?;
        // The provider may have been asked minutes ago. All sessions were ended since: so is this way
        // to another one.
        if pending.since < entered.valid_from.0 {
            return Err(lost(&pending.provider).into());
        }
        tx.commit().await?;
        Ok(entered)
    }

    fn provider(&self, id: &str) -> Result<&Provider, Problem> {
        let mut all = self.0.identity.providers.iter();
        all.find(|provider| provider.settings.id == id)
            .ok_or_else(unknown)
    }
}

impl Pending {
    const fn lives(&self, now: Timestamp) -> bool {
        let age = now.0 - self.since;
        age >= 0 && age < LIFETIME
    }
}

/// What went wrong, for the person; the log says more, under the same reference.
fn told(provider: &Provider, refused: &Refused) -> Problem {
    let name = &provider.settings.name;
    let mut problem = match refused {
        Refused::Fetch(FetchError::Timeout | FetchError::Unreachable(_)) => Problem::new(
            503,
            "provider_unreachable",
            &format!("{name} can't be reached right now."),
            "Try again in a minute, or sign in another way.",
        ),
        Refused::Exchange(_) => Problem::new(
            502,
            "provider_refused",
            &format!("{name} did not confirm the sign-in."),
            "Sign in again; if it stays so, tell whoever runs this server.",
        ),
        Refused::Time(_) => Problem::new(
            502,
            "provider_clock",
            &format!("By this server's clock, the answer of {name} is not valid now."),
            "Sign in again; if it stays so, tell whoever runs this server.",
        ),
        Refused::Fetch(_) | Refused::Document(_) | Refused::Answer(_) => Problem::new(
            502,
            "provider_failed",
            &format!("{name} gave an answer that can't be used."),
            "Try again in a minute; if it stays so, tell whoever runs this server.",
        ),
        Refused::Token(_) | Refused::MixUp => Problem::new(
            401,
            "provider_answer_invalid",
            &format!("The answer of {name} does not belong to this sign-in."),
            "Sign in again from here; if it stays so, tell whoever runs this server.",
        ),
    };
    let reference = clock::reference();
    let id = provider.settings.id.as_str();
    let why = dictionary::one_line(&refused.to_string(), 300);
    tracing::warn!(
        reference,
        provider = id,
        code = problem.code,
        why,
        "a sign-in failed"
    );
    problem.reference = Some(reference);
    problem
}

/// The provider came back with an error in OAuth's words.
fn declined(provider: &Provider, word: &str) -> Problem {
    let entry = dictionary::flow_failure(word, "");
    let person = matches!(entry.blame, dictionary::Blame::Person);
    let next = if person {
        "Sign in again, or another way."
    } else {
        "Try again in a minute; if it stays so, tell whoever runs this server."
    };
    let mut problem = Problem::new(403, "sign_in_declined", entry.sentence, next);
    let reference = clock::reference();
    let id = provider.settings.id.as_str();
    let word = dictionary::one_line(word, 60);
    tracing::warn!(
        reference,
        provider = id,
        code = entry.code,
        word,
        "a sign-in was declined"
    );
    problem.reference = Some(reference);
    problem
}

/// An answer that nobody waits for: too late, used before, or begun in another browser.
pub fn lost(id: &str) -> Problem {
    let mut problem = Problem::new(
        400,
        "sign_in_over",
        "This sign-in was not begun here, or it is over already.",
        "Sign in again from here, within ten minutes.",
    );
    let reference = clock::reference();
    let provider = dictionary::one_line(id, 40);
    tracing::warn!(
        reference,
        provider,
        "an answer belongs to no sign-in that waits"
    );
    problem.reference = Some(reference);
    problem
}

fn unknown() -> Problem {
    Problem::new(
        404,
        "provider_unknown",
        "This way of signing in does not exist here.",
        "Choose one of those on the sign-in page.",
    )
}
