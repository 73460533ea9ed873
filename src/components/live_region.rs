//! What screen readers are told, and the word that the event stream is down; and the island's
//! listening to that stream. May import `browser`, `domain` and what components share.

use leptos::prelude::*;

use super::{
    element::{Dynamic, dynamic, el},
    use_connections::{Connections, use_connections},
};
use crate::browser::{
    history,
    live::{self, Message},
    popup,
    timers::spawn,
};

/// Announcements; once in an island that changes connections.
#[component]
pub fn LiveRegion() -> impl IntoView {
    let connections = use_connections();
    let followed = connections.clone();
    spawn(async move { follow(&followed) });
    announcements(connections, true)
}

/// The announcements; those of the page are silent behind an open dialog, which has its own.
pub fn announcements(connections: Connections, of_page: bool) -> Dynamic {
    dynamic(move || {
        connections.0.with(|store| {
            let offline = of_page.then(|| {
                el("p")
                    .class("offline")
                    .attr("role", "status")
                    .attr("hidden", !store.down)
                    .child("Reconnecting…")
            });
            el("div")
                .child(offline)
                .child(announcement("status", &store.said))
                .child(announcement("alert", &store.alarm))
        })
    })
}

fn announcement(role: &'static str, words: &str) -> super::element::Element {
    el("div")
        .class("unseen")
        .attr("role", role)
        .child(words.to_owned())
}

/// Feeds the store from the stream and from the windows' messages. Runs in the browser only.
fn follow(connections: &Connections) {
    let hinted = connections.clone();
    popup::on_hint(move |slug, failure| hinted.finish(&slug, None, failure));
    let fed = connections.clone();
    live::follow(move |message| match message {
        Message::Event(event) => fed.apply(event),
        // The page of someone who is signed out leads to the sign-in.
        Message::Bye => history::reload(),
        Message::Down(down) => {
            if fed.0.with_untracked(|store| store.down) != down {
                fed.change(|store| store.down = down);
            }
        }
    });
}
