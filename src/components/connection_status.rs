//! ConnectionStatus: a dot and a word, and which account. May import `domain` and what components
//! share.

use leptos::prelude::*;

use super::{
    element::{Element, dynamic, el},
    use_connections::use_connections,
};
use crate::domain::{
    catalogue,
    connection::{Connection, Shown},
};

/// The status of a connector, followed live.
#[component]
pub fn ConnectionStatus(slug: String) -> impl IntoView {
    let ours = use_connections().of(&slug);
    dynamic(move || ours.with(|ours| summary_view(&ours.connections)))
}

/// What all of these come to.
pub fn summary_view(ours: &[Connection]) -> Element {
    let waiting = foremost(ours).is_some_and(Connection::is_awaiting_approval);
    status_view(catalogue::shown(ours), waiting, accounts(ours))
}

/// The connection that stands for the connector in its row: the one that matters most.
pub fn foremost(ours: &[Connection]) -> Option<&Connection> {
    let shown = catalogue::shown(ours);
    ours.iter().find(|connection| connection.shown() == shown)
}

/// The line under the status word.
fn accounts(ours: &[Connection]) -> Option<String> {
    let first = foremost(ours)?;
    let count = |wanted: &[Shown]| {
        let of = ours.iter().filter(|one| wanted.contains(&one.shown()));
        of.count()
    };
    let all = count(&[Shown::Connected, Shown::Error, Shown::Pending]);
    if all > 1 {
        return Some(match count(&[Shown::Error]) {
            0 => format!("{all} accounts"),
            1 => format!("{all} accounts, 1 needs attention"),
            broken => format!("{all} accounts, {broken} need attention"),
        });
    }
    match first.shown() {
        Shown::Pending if first.is_awaiting_approval() => Some("waiting for approval".to_owned()),
        Shown::Pending => Some("waiting for you".to_owned()),
        Shown::Connected | Shown::Error => first.account.clone(),
        Shown::Disconnected | Shown::NotConnected => None,
    }
}

/// A dot and a word, never colour alone. `waiting`: for somebody else, so that nothing moves.
pub fn status_view(shown: Shown, waiting: bool, below: Option<String>) -> Element {
    let still = if waiting { " is-waiting" } else { "" };
    el("span")
        .class(format!("status is-{}{still}", shown.as_str()))
        .child(el("i").class("dot").attr("aria-hidden", "true"))
        .child(el("span").class("word").child(shown.word()))
        .child(el("small").child(below))
}

#[cfg(test)]
mod tests {
    use leptos::prelude::RenderHtml;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{connection::Status, timestamp::Timestamp};

    fn connection(status: Status, account: Option<&str>) -> Connection {
        Connection {
            id: Uuid::nil(),
            connector_id: Uuid::nil(),
            connector: "gmail".into(),
            status,
            account: account.map(str::to_owned),
            connected_at: None,
            disconnected_at: None,
            last_synced_at: None,
            last_error: None,
            error_count: 0,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            version: 1,
            attempt: None,
        }
    }

    #[test]
    fn a_row_sums_its_accounts_up() {
        use Status::{Connected, Disconnected, Error, Pending};
        for (statuses, words) in [
            (&[Connected][..], Some("ada")),
            (&[Disconnected], None),
            (&[Connected, Disconnected], Some("ada")),
            (&[Connected, Connected], Some("2 accounts")),
            (&[Error, Connected], Some("2 accounts, 1 needs attention")),
            (
                &[Error, Error, Connected],
                Some("3 accounts, 2 need attention"),
            ),
            // No attempt is open: it is somebody else's turn.
            (&[Pending], Some("waiting for approval")),
        ] {
            let ours = statuses.iter().map(|s| connection(*s, Some("ada")));
            let ours: Vec<Connection> = ours.collect();
            assert_eq!(accounts(&ours).as_deref(), words, "{statuses:?}");
        }
    }

    #[test]
    fn nothing_turns_while_somebody_else_has_to_act() {
        let still = status_view(Shown::Pending, true, None).to_html();
        assert!(still.contains("is-pending is-waiting"), "{still}");
        let turning = status_view(Shown::Pending, false, None).to_html();
        assert!(!turning.contains("is-waiting"), "{turning}");
    }
}
