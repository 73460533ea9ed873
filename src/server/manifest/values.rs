//! What a person typed for a connector's fields: accepted whole, or refused field by field.

use std::{borrow::Cow, collections::BTreeMap};

use secrecy::{ExposeSecret, SecretString};

use super::{Form, Registry, form::FormField};
use crate::domain::problem::FieldError;

/// Inputs end up in addresses: nothing there is longer.
const LONGEST_INPUT: usize = 255;
/// Keys may be whole tokens.
const LONGEST_CREDENTIAL: usize = 4096;
/// A certificate comes with those that vouch for it.
const LONGEST_LINES: usize = 16 * 1024;

impl Registry {
    /// The connection configuration, trimmed; optional fields left empty are left out.
    pub fn check_inputs(
        form: &Form,
        inputs: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, Vec<FieldError>> {
        let typed = inputs.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let accepted = check(form, &form.inputs, typed.collect(), LONGEST_INPUT)?;
        Ok(accepted
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into_owned()))
            .collect())
    }

    /// The credentials as they go to Nango: secret ones exactly as they were typed, save that a
    /// line ends alike everywhere; the others trimmed. No message repeats a value.
    pub fn check_credentials(
        form: &Form,
        credentials: &BTreeMap<String, SecretString>,
    ) -> Result<BTreeMap<String, SecretString>, Vec<FieldError>> {
        let typed = credentials
            .iter()
            .map(|(n, v)| (n.as_str(), v.expose_secret()));
        let accepted = check(form, &form.credentials, typed.collect(), LONGEST_CREDENTIAL)?;
        Ok(accepted
            .into_iter()
            .map(|(name, value)| (name.to_owned(), SecretString::from(value.into_owned())))
            .collect())
    }
}

/// Names and values.
type Accepted<'a> = Vec<(&'a str, Cow<'a, str>)>;

fn check<'a>(
    form: &Form,
    fields: &'a [FormField],
    values: BTreeMap<&'a str, &'a str>,
    longest: usize,
) -> Result<Accepted<'a>, Vec<FieldError>> {
    let mut accepted = Vec::new();
    let mut errors = Vec::new();
    for known in fields {
        let field = &known.field;
        let typed = values.get(field.name.as_str()).copied().unwrap_or("");
        let value = if field.multiline {
            // Browsers send forms with one kind of line end and scripts with another.
            Cow::Owned(typed.replace("\r\n", "\n").replace('\r', "\n"))
        } else if field.secret {
            Cow::Borrowed(typed)
        } else {
            Cow::Borrowed(typed.trim())
        };
        if value.trim().is_empty() {
            if !field.optional {
                errors.push(refused(&field.name, field.refusal("")));
            }
        } else if let Some(message) = fault(known, &value, longest) {
            errors.push(refused(&field.name, message));
        } else {
            accepted.push((field.name.as_str(), value));
        }
    }
    for name in values.keys() {
        if !fields.iter().any(|known| known.field.name == *name) {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            let message = format!("{} does not ask for this.", form.name);
            errors.push(refused(&shown, message));
        }
    }
    if errors.is_empty() {
        Ok(accepted)
    } else {
        Err(errors)
    }
}

fn fault(known: &FormField, value: &str, longest: usize) -> Option<String> {
    let FormField { field, regex } = known;
    let lines = |c: char| field.multiline && matches!(c, '\n' | '\t');
    if value.chars().any(|c| c.is_control() && !lines(c)) {
        let what = if field.multiline {
            "a character"
        } else {
            "a line break or another character"
        };
        return Some(format!(
            "{} has {what} that can’t be seen in it.",
            field.label
        ));
    }
    let longest = if field.multiline {
        LONGEST_LINES
    } else {
        longest
    };
    if value.chars().count() > longest {
        return Some(format!(
            "{} is longer than {longest} characters.",
            field.label
        ));
    }
    if !field.options.is_empty() && !field.options.iter().any(|option| option == value) {
        return Some(format!(
            "{}: choose one of {}.",
            field.label,
            field.options.join(", ")
        ));
    }
    (!regex.as_ref()?.is_match(value)).then(|| field.refusal(value))
}

fn refused(field: &str, message: String) -> FieldError {
    FieldError {
        field: field.to_owned(),
        message,
    }
}
