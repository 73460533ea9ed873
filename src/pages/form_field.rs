//! A field of a plain form, with what is wrong with it. May import `domain`.

use leptos::prelude::*;

use crate::domain::problem::Problem;

/// What a field is.
pub struct FormField {
    pub name: &'static str,
    pub label: &'static str,
    /// `email`, `password`, `text`
    pub kind: &'static str,
    /// What the browser may fill in: `username`, `current-password`, `new-password` …
    pub autocomplete: &'static str,
    pub help: &'static str,
    /// What was typed before; never a password.
    pub value: String,
    /// The browser's own check: (shortest, longest), in characters.
    pub length: Option<(usize, usize)>,
}

impl FormField {
    /// `refused` is why the form came back, if it did.
    pub fn view(self, refused: Option<&Problem>) -> AnyView {
        let id = format!("field-{}", self.name);
        let (error_id, help_id) = (format!("{id}-error"), format!("{id}-help"));
        let error = refused.and_then(|problem| {
            let mut errors = problem.errors.iter();
            errors.find(|error| error.field == self.name)
        });
        let error = error.map(|error| error.message.clone());
        let value = (self.kind != "password").then_some(self.value);
        view! {
            <div class="field">
                <label for=id.clone()>{self.label}</label>
                <div class="box">
                    <input
                        id=id
                        name=self.name
                        type=self.kind
                        value=value
                        autocomplete=self.autocomplete
                        autocapitalize="none"
                        spellcheck="false"
                        required
                        minlength=self.length.map(|(shortest, _)| shortest.to_string())
                        maxlength=self.length.map(|(_, longest)| longest.to_string())
                        aria-invalid=error.is_some().then_some("true")
                        aria-describedby=format!("{error_id} {help_id}")
                    />
                </div>
                <p class="error" id=error_id>{error}</p>
                <p class="help" id=help_id>{self.help}</p>
            </div>
        }
        .into_any()
    }
}

/// What a person is told above a form that came back.
pub fn alert(refused: Option<&Problem>) -> Option<AnyView> {
    let problem = refused?;
    let text = problem.sentence();
    Some(view! { <p class="note bad" role="alert">{text}</p> }.into_any())
}

/// Where to go afterwards, on the way through a form.
pub fn next_field(next: &str) -> AnyView {
    let next = next.to_owned();
    view! { <input type="hidden" name="next" value=next/> }.into_any()
}
