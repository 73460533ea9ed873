//! A button that works on both sides of hydration: without JavaScript it sends the page's empty
//! `act` form somewhere, with it the island's one listener takes the click. May import what
//! components share.

use leptos::prelude::*;
use uuid::Uuid;

use super::element::{Element, el};

/// What a button says and does.
#[derive(Clone, Debug, Default)]
pub struct Control {
    pub label: &'static str,
    /// What it is about, for those who hear the label alone: `Gmail`.
    pub about: String,
    /// `data-do`
    pub action: &'static str,
    pub slug: String,
    pub connection: Option<Uuid>,
    /// The connection's name in the form; `connection_id` where this is empty.
    pub field: &'static str,
    pub class: &'static str,
    /// Where the form goes without JavaScript.
    pub url: String,
    pub post: bool,
    /// Why it does nothing; such a button stays focusable and says so.
    pub refused: Option<String>,
    pub busy: bool,
}

impl Control {
    pub fn view(self) -> Element {
        let off = (self.refused.is_some() || self.busy).then_some("true");
        let field = if self.field.is_empty() {
            "connection_id"
        } else {
            self.field
        };
        el("button")
            .class(format!("button {}", self.class))
            .attr("form", "act")
            .attr("formaction", self.url)
            .attr("formmethod", if self.post { "post" } else { "get" })
            .attr("name", self.connection.map(|_| field))
            .attr("value", self.connection.map(|id| id.to_string()))
            .attr("data-do", self.action)
            .attr("data-slug", self.slug)
            .attr("aria-label", format!("{} {}", self.label, self.about))
            .attr("aria-disabled", off)
            .attr("title", self.refused)
            .child(self.label)
    }
}

/// The form that `Control`s send; once on a page.
pub fn act_form() -> impl IntoView {
    view! { <form id="act" method="post"></form> }
}
