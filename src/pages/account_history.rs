//! A person's own history: the section of a page. May import `domain`.

use leptos::prelude::*;

use crate::domain::{audit::HistoryEntry, timestamp::Timestamp};

/// The section; `named`: the entries are about different connectors.
pub fn history_view(entries: &[HistoryEntry], named: bool) -> AnyView {
    let lines: Vec<_> = entries.iter().map(|entry| line(entry, named)).collect();
    let none = lines.is_empty();
    view! {
        <section id="history" class="panel" aria-labelledby="history-title">
            <div class="details">
                <h2 id="history-title">"History"</h2>
                {none.then(|| view! { <p>"Nothing has happened yet."</p> })}
                <ul>{lines}</ul>
            </div>
        </section>
    }
    .into_any()
}

fn line(entry: &HistoryEntry, named: bool) -> AnyView {
    let about: Vec<&str> = [
        entry.connector_name.as_deref().filter(|_| named),
        // A name's own sentence has the name in it.
        entry
            .account
            .as_deref()
            .filter(|_| entry.action != "rename"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let sentence = if about.is_empty() {
        entry.sentence.clone()
    } else {
        format!("{}: {}", about.join(", "), entry.sentence)
    };
    let from = entry.from.as_ref().map(|from| format!(" · {from}"));
    view! {
        <li>
            <p>{sentence}</p>
            <small>
                <time datetime=entry.at.to_rfc3339()>{moment(entry.at)}</time>
                {from}
            </small>
        </li>
    }
    .into_any()
}

/// `21 Nov 2026, 13:34 UTC`
fn moment(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    format!("{}, {} UTC", at.day(), text.get(11..16).unwrap_or_default())
}
