//! What an e-mail address, a name and a password of a local account must be. Pure.
//!
//! NIST SP 800-63B, section 3.1.1.2: long, no rules of composition, and not what everybody tries
//! first.

use secrecy::{ExposeSecret, SecretString};

use crate::domain::{
    page::PASSWORD_LENGTH,
    problem::{FieldError, Problem},
};

const SHORTEST: usize = PASSWORD_LENGTH.0;
const LONGEST: usize = PASSWORD_LENGTH.1;
/// RFC 5321 lets none be longer.
const LONGEST_EMAIL: usize = 254;
const LONGEST_NAME: usize = 80;

/// Of those that are long enough, the ones that are guessed first.
const COMMONEST: [&str; 40] = [
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789012345",
    "1234567890123456",
    "0123456789ab",
    "0987654321234567890",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u8i",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "abcdefghijkl",
    "abcdefghijklmnop",
    "abcdefghijklmnopqrstuvwxyz",
    "administrator",
    "changemeplease",
    "changemechangeme",
    "correct horse battery staple",
    "correcthorsebatterystaple",
    "iloveyou1234",
    "iloveyouforever",
    "letmeinletmein",
    "letmeinplease",
    "passw0rd1234",
    "password1234",
    "password12345",
    "password123456",
    "password1234567890",
    "password!123",
    "password@123",
    "password@1234",
    "passwordpassword",
    "patchbaypatchbay",
    "q1w2e3r4t5y6",
    "qazwsxedcrfv",
    "qwerty123456",
    "qwertyqwerty",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopasdfghjklzxcvbnm",
];

/// The address as it is kept: in small letters. `None`: it is none.
pub fn email(typed: &str) -> Option<String> {
    let email = typed.trim().to_lowercase();
    let (local, domain) = email.rsplit_once('@')?;
    let fine = !local.is_empty()
        && !domain.is_empty()
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && email.len() <= LONGEST_EMAIL
        && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    fine.then_some(email)
}

/// What is wrong with a new account's fields, all at once.
pub fn account(typed_email: &str, name: &str, password: &SecretString) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let kept = email(typed_email);
    if kept.is_none() {
        wrong.push(field(
            "email",
            "This is no e-mail address, such as ada@example.com.",
        ));
    }
    wrong.extend(display_name(name));
    wrong.extend(new_password(
        "password",
        password,
        kept.as_deref().unwrap_or_default(),
    ));
    wrong
}

fn display_name(name: &str) -> Option<FieldError> {
    let name = name.trim();
    let reason = if name.is_empty() {
        "A name is needed: it is shown to you, and to whoever runs this server.".to_owned()
    } else if name.chars().count() > LONGEST_NAME {
        format!("The name is longer than {LONGEST_NAME} characters.")
    } else if name.chars().any(char::is_control) {
        "The name has a line break or another character that can’t be seen in it.".to_owned()
    } else {
        return None;
    };
    Some(field("name", &reason))
}

/// What is wrong with a password that somebody wants to have. `name` is the form's field.
pub fn new_password(name: &str, password: &SecretString, email: &str) -> Option<FieldError> {
    let password = password.expose_secret();
    let small = password.to_lowercase();
    let length = password.chars().count();
    let first = password.chars().next();
    let reason = if length < SHORTEST {
        format!("A password has {SHORTEST} characters at least.")
    } else if length > LONGEST {
        format!("A password has {LONGEST} characters at the most.")
    } else if !email.is_empty() && small.trim() == email {
        "The password must not be the e-mail address.".to_owned()
    } else if COMMONEST.contains(&small.as_str()) || password.chars().all(|c| Some(c) == first) {
        "This password is one of the first that anybody would try.".to_owned()
    } else {
        return None;
    };
    Some(field(name, &reason))
}

fn field(name: &str, message: &str) -> FieldError {
    FieldError {
        field: name.to_owned(),
        message: message.to_owned(),
    }
}

/// Refuses, unless nothing is wrong.
pub fn check(wrong: Vec<FieldError>) -> Result<(), Problem> {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(super::error::input_invalid(wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(password: &str) -> bool {
        let password = SecretString::from(password);
        new_password("password", &password, "ada.lovelace@example.com").is_some()
    }

    #[test]
    fn long_passwords_of_any_characters_are_taken() {
        for fine in [
            "twelve chars",
            "ÄÖÜäöüßéèêñç",
            "correct horse",
            "            x",
        ] {
            assert!(!refused(fine), "{fine}");
        }
        assert!(!refused(&"ab".repeat(64)));
    }

    #[test]
    fn short_overlong_and_first_guesses_are_refused() {
        for bad in [
            "",
            "eleven char",
            "ÄÖÜäöüßéèêñ",
            "Ada.Lovelace@Example.com",
            "Password1234",
            "aaaaaaaaaaaa",
        ] {
            assert!(refused(bad), "{bad}");
        }
        assert!(refused(&"ab".repeat(65)));
        assert!(COMMONEST.iter().all(|common| refused(common)));
        assert!(
            COMMONEST
                .iter()
                .all(|c| c.chars().count() >= SHORTEST && c.to_lowercase() == *c)
        );
    }

    #[test]
    fn an_address_is_kept_in_small_letters() {
        assert_eq!(
            email(" Ada@Example.COM "),
            Some("ada@example.com".to_owned())
        );
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a da@example.com",
            "ada@.com",
            "a\n@b.c",
        ] {
            assert_eq!(email(bad), None, "{bad}");
        }
        assert_eq!(email(&format!("{}@example.com", "a".repeat(250))), None);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let short = SecretString::from("short");
        let wrong = account("nobody", " ", &short);
        let fields: Vec<_> = wrong.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["email", "name", "password"]);
        let problem = check(wrong).unwrap_err();
        assert_eq!((problem.status, problem.errors.len()), (422, 3));
        let fine = SecretString::from("quite long enough");
        assert!(check(account("ada@example.com", "Ada", &fine)).is_ok());
    }
}
