//! Other people's word on who somebody is: OpenID Connect providers, and the host product's own
//! token.
//!
//! May import `domain` and `server::clock`. Nothing here writes a code, a token or a secret
//! anywhere: errors carry words of ours, and what a specification names.

pub mod http;
pub mod kept;
pub mod provider;
pub mod token;

/// Who somebody is, as an issuer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub issuer: String,
    pub subject: String,
    /// To be shown; neither tells anybody apart.
    pub name: Option<String>,
    pub email: Option<String>,
}

/// Everybody whose word counts here.
#[derive(Debug, Default)]
pub struct Identity {
    /// In the order of the sign-in page.
    pub providers: Vec<provider::Provider>,
    pub token: Option<token::Verifier>,
    /// Pages elsewhere that may post a token.
    pub origins: Vec<String>,
}

/// So long is a name at the most, in characters.
const LONGEST_NAME: usize = 80;
/// RFC 5321, section 4.5.3.1.
const LONGEST_EMAIL: usize = 254;

/// A name as it may be shown: one line that is not too long. `None` where nothing is left.
fn shown(name: &str) -> Option<String> {
    let clean = name.chars().filter(|c| !c.is_control());
    let short: String = clean.take(LONGEST_NAME).collect();
    let short = short.trim();
    (!short.is_empty()).then(|| short.to_owned())
}

fn shown_email(email: &str) -> Option<String> {
    let fine = email.contains('@')
        && email.len() <= LONGEST_EMAIL
        && !email.chars().any(|c| c.is_control() || c.is_whitespace());
    fine.then(|| email.to_owned())
}

/// A subject that can be told apart: OpenID Connect Core, section 2, allows 255 ASCII characters;
/// other issuers' may be anything that has no invisible characters.
fn is_subject(subject: &str) -> bool {
    !subject.trim().is_empty() && subject.len() <= 255 && !subject.chars().any(char::is_control)
}
