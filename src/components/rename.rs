//! An account's own name, given by its owner: a form that opens beside the account. May import
//! `domain`, `browser` and what components share.

use uuid::Uuid;

use super::{
    element::{Element, el},
    stage::Stage,
    use_connections::Connections,
};
use crate::{
    browser::{api, document, timers::spawn},
    domain::{connection::Connection, event::Event},
};

/// What the form's id begins with; the account's follows.
pub const NAME_FORM: &str = "name-";

/// `about`: the account as it is called now.
pub fn rename_view(connection: &Connection, about: &str) -> Element {
    let id = connection.id;
    let input = el("input")
        .attr("name", "account")
        .attr("value", connection.account.clone())
        .attr("maxlength", "80")
        .attr("autocomplete", "off")
        .attr("aria-label", format!("New name of {about}"));
    let form = el("form")
        .attr("id", format!("{NAME_FORM}{id}"))
        .attr("method", "post")
        .attr("action", format!("/connections/{id}/name"))
        .child(el("div").class("box").child(input))
        .child(el("button").class("button").child("Save"));
    let summary = el("summary")
        .attr("aria-label", format!("Rename {about}"))
        .child("Rename");
    el("details")
        .class("rename")
        .attr("id", format!("re{NAME_FORM}{id}"))
        .child(summary)
        .child(form)
}

impl Connections {
    /// Sends the name that stands in the account's form; none where it is empty.
    pub fn rename(&self, id: Uuid) {
        let typed = document::value_of(&format!("#{NAME_FORM}{id} input"));
        let connections = self.clone();
        self.hush();
        spawn(async move {
            let known = connections.all_untracked().into_iter();
            let slug = known.filter(|c| c.id == id).map(|c| c.connector).next();
            let slug = slug.unwrap_or_default();
            let answer = api::rename(id, typed.trim()).await;
            let flow = connections.flow_untracked(&slug);
            match answer {
                Ok(connection) => {
                    connections.apply(Event::Connection(Box::new(connection)));
                    // The name that was refused before is none any more.
                    if flow.is_some_and(|flow| flow.stage == Stage::Refused) {
                        connections.end_flow(&slug);
                    }
                    connections.say("Renamed.".to_owned());
                    let details = format!("#re{NAME_FORM}{id}");
                    // Before it folds: what is hidden with the focus on it loses it only later.
                    document::focus(&format!("{details}:focus-within summary"));
                    document::fold(&details);
                }
                // What is under way keeps its own words and its place.
                Err(problem) if connections.busy(&slug) => connections.alarm(problem.sentence()),
                Err(problem) => {
                    let attempt = flow.and_then(|flow| flow.attempt);
                    connections.stage(&slug, attempt, Stage::Refused, Some(problem));
                }
            }
        });
    }
}
