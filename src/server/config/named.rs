//! Sections that are there once for each name, as in `[oidc.google]`, and the variables above them,
//! as in `OIDC_GOOGLE_ISSUER`.

use super::{
    effective::Origin,
    source::{Setting, Source},
};

/// Stands for the name in a [`Setting`] of a named section.
const NAME: &str = "NAME";

/// A kind of named sections.
#[derive(Debug)]
pub(super) struct Section {
    /// The section above them, with the setting that lists the names.
    pub parent: &'static str,
    pub list: &'static str,
    /// Each with `NAME` in its section and in its variable.
    pub settings: &'static [Setting<'static>],
}

impl Section {
    pub(super) fn section(&self, name: &str) -> String {
        format!("{}.{name}", self.parent)
    }
}

/// The named sections below this one.
pub(super) fn below(parent: &str) -> Option<&'static Section> {
    [&super::sign_in::PROVIDER]
        .into_iter()
        .find(|section| section.parent == parent)
}

/// Refuses a name that could not stand in an address or in a variable.
pub(super) fn checked(name: &str) -> Result<(), String> {
    let fine = name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if fine {
        return Ok(());
    }
    Err(
        "is not named with up to 32 small letters, digits and _, beginning with a letter"
            .to_owned(),
    )
}

/// A setting of one named section.
pub(super) struct Named {
    section: String,
    env: String,
    of: Setting<'static>,
}

impl Named {
    pub(super) fn new(of: &Setting<'static>, name: &str) -> Self {
        Self {
            section: of.section.replacen(NAME, name, 1),
            env: of.env.replacen(NAME, &name.to_ascii_uppercase(), 1),
            of: *of,
        }
    }

    fn setting(&self) -> Setting<'_> {
        Setting {
            section: &self.section,
            env: &self.env,
            ..self.of
        }
    }

    pub(super) fn get<T>(
        &self,
        source: &mut Source<'_>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        source.get(&self.setting(), parse)
    }

    /// Notes a value that was made of others, where nobody wrote one.
    pub(super) fn derived(&self, source: &mut Source<'_>, text: &str) {
        if !source.has(&self.setting()) {
            source.used(&self.setting(), Some(text), Origin::Derived);
        }
    }

    /// The value of a setting without a default; where it is missing, `at` is refused with how to
    /// write it.
    pub(super) fn required<T>(
        &self,
        source: &mut Source<'_>,
        at: &Setting<'_>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if source.has(&self.setting()) {
            return self.get(source, parse);
        }
        let reason = format!("needs [{}] {} or {}", self.section, self.of.key, self.env);
        source.refuse(at, reason);
        None
    }
}
