//! What a connector asks for: the manifest's fields, and what Nango says where they say less.
//!
//! May import `domain` and the manifest's own modules.

use regex::Regex;
use serde_json::Value;

use super::{
    Manifest,
    mode::{self, Asks},
    pattern,
};
use crate::domain::connector::{ConnectorDetails, Field};

/// What a manifest said about a field in so many words; the rest is a guess, and Nango knows better.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    label: bool,
    secret: bool,
    optional: bool,
}

impl Said {
    /// Reads it from the field's JSON.
    pub(super) fn of(field: &Value) -> Self {
        let says = |key| field.get(key).is_some();
        Self {
            label: says("label"),
            secret: says("secret"),
            optional: says("optional"),
        }
    }

    /// Guesses what was not said of a field.
    pub(super) fn complete(self, field: &mut Field, credential: bool) {
        if !self.label {
            field.label = mode::label(&field.name);
        }
        if !self.secret {
            field.secret = credential && !mode::is_public(&field.name);
        }
        field.multiline |= credential && mode::is_multiline(&field.name);
    }
}

/// A field as somebody else describes it: Nango.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    pub name: String,
    pub title: Option<String>,
    pub description: Option<String>,
    pub example: Option<String>,
    pub pattern: Option<String>,
    pub prefix: Option<String>,
    pub suffix: Option<String>,
    pub secret: bool,
    pub optional: bool,
    pub options: Vec<String>,
}

/// A provider's fields as Nango describes them, in its order.
#[derive(Clone, Debug, Default)]
pub struct Offers {
    pub inputs: Vec<Offer>,
    pub credentials: Vec<Offer>,
}

/// One field with what its value must match.
#[derive(Clone, Debug)]
pub(super) struct FormField {
    pub(super) field: Field,
    pub(super) regex: Option<Regex>,
}

/// The fields of a connector.
#[derive(Clone, Debug)]
pub struct Form {
    /// The connector's name, for what is said about fields.
    pub(super) name: String,
    pub(super) inputs: Vec<FormField>,
    pub(super) credentials: Vec<FormField>,
    /// False where only Nango knows what to ask for and has not said it.
    known: bool,
}

impl Form {
    /// Whether it is known what to ask for.
    pub const fn is_known(&self) -> bool {
        self.known
    }

    /// Whether an input may be kept nowhere.
    pub fn asks_in_secret(&self) -> bool {
        self.inputs.iter().any(|input| input.field.secret)
    }

    /// Whether there is anything to fill in.
    pub fn asks(&self) -> bool {
        !self.known || !self.inputs.is_empty() || !self.credentials.is_empty()
    }

    /// Puts the fields into a connector's details.
    pub fn show(&self, details: &mut ConnectorDetails) {
        let plain = |fields: &[FormField]| fields.iter().map(|f| f.field.clone()).collect();
        details.connector.asks_first = self.asks();
        details.inputs = plain(&self.inputs);
        details.credentials = plain(&self.credentials);
    }

    /// Whether an input of that name may be kept and shown again.
    pub fn is_open(&self, input: &str) -> bool {
        let mut inputs = self.inputs.iter();
        inputs.any(|known| known.field.name == input && !known.field.secret)
    }
}

impl Manifest {
    /// What it asks for. The manifest's word counts; what it leaves out is taken from `offers`.
    pub fn form(&self, offers: Option<&Offers>) -> Form {
        let asks = mode::asks(&self.nango.auth_mode).unwrap_or(Asks::Nothing);
        let typed = matches!(asks, Asks::Any | Asks::Names { .. });
        // Who names credentials has made a choice: only what Nango can't do without is added.
        let all = typed && self.credentials.is_empty();
        let none = Offers::default();
        let offers = offers.unwrap_or(&none);
        let inputs = self.merge(&self.inputs, &offers.inputs, all, false);
        let takes = |name: &str| match asks {
            Asks::Any => true,
            Asks::Names { known, .. } => known.contains(&name),
            Asks::Window | Asks::Nothing => false,
        };
        let offered: Vec<Offer> = offers
            .credentials
            .iter()
            .filter(|offer| takes(&offer.name))
            .cloned()
            .collect();
        let mut credentials = self.merge(&self.credentials, &offered, all, true);
        if credentials.is_empty() {
            let usual = mode::usual(&self.nango.auth_mode).into_iter();
            credentials = usual
                .map(|(name, optional)| {
                    let offer = Offer {
                        name: name.to_owned(),
                        optional,
                        ..Offer::default()
                    };
                    whole(&offer, true)
                })
                .collect();
        }
        Form {
            name: self.name.clone(),
            known: !typed || !credentials.is_empty(),
            inputs,
            credentials,
        }
    }

    fn merge(
        &self,
        own: &[Field],
        offers: &[Offer],
        all: bool,
        credential: bool,
    ) -> Vec<FormField> {
        let mut merged: Vec<FormField> = own
            .iter()
            .map(|field| {
                let mut field = FormField {
                    field: field.clone(),
                    regex: self.patterns.get(&field.name).cloned(),
                };
                let offer = offers.iter().find(|offer| offer.name == field.field.name);
                if let Some(offer) = offer {
                    let said = self.said.get(&field.field.name).copied();
                    fill(&mut field, offer, said.unwrap_or_default(), credential);
                }
                field
            })
            .collect();
        let lacking = offers
            .iter()
            .filter(|offer| all || !offer.optional)
            .filter(|offer| own.iter().all(|field| field.name != offer.name));
        merged.extend(lacking.map(|offer| whole(offer, credential)));
        merged
    }
}

/// A field that the manifest does not have.
fn whole(offer: &Offer, credential: bool) -> FormField {
    let mut field = Field {
        name: offer.name.clone(),
        ..Field::default()
    };
    let said = Said::default();
    said.complete(&mut field, credential);
    let mut field = FormField { field, regex: None };
    fill(&mut field, offer, said, credential);
    field
}

fn fill(into: &mut FormField, offer: &Offer, said: Said, credential: bool) {
    let FormField { field, regex } = into;
    let or = |own: &mut Option<String>, theirs: &Option<String>| {
        if own.is_none() {
            own.clone_from(theirs);
        }
    };
    if !said.label
        && let Some(title) = &offer.title
    {
        field.label.clone_from(title);
    }
    if !said.secret {
        // Nango's “no” may be mere silence: a credential stays one unless its name is harmless.
        field.secret = offer.secret || (credential && !mode::is_public(&field.name));
    }
    if !said.optional {
        field.optional = offer.optional;
    }
    or(&mut field.help, &offer.description);
    or(&mut field.example, &offer.example);
    if field.options.is_empty() {
        field.options.clone_from(&offer.options);
    }
    // What stands around a field belongs to what may be typed into it.
    if field.pattern.is_none() && field.prefix.is_none() && field.suffix.is_none() {
        field.prefix.clone_from(&offer.prefix);
        field.suffix.clone_from(&offer.suffix);
    }
    if field.pattern.is_none()
        && !field.multiline
        && let Some(text) = &offer.pattern
        && let Some((foreign, portable)) = pattern::foreign(text)
    {
        let shown = field.example.iter().chain(&field.options);
        let mut fits = shown.map(|value| foreign.is_match(value));
        // A manifest that shows other values knows of an exception.
        if fits.all(|fits| fits) {
            field.pattern = portable.then(|| text.clone());
            *regex = Some(foreign);
        }
    }
}
