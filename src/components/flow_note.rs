//! What a flow has to say in its row or in the details: a question, a blocked window, a problem.
//! May import `domain` and what components share.

use uuid::Uuid;

use super::{
    control::Control,
    element::{Element, el},
    stage::{Flow, Stage, attempt_of, open_one},
};
use crate::domain::{
    connection::Connection,
    connector::{Auth, Connector},
};

/// An open attempt without a window: Nango was asked, and the person can only ask again.
pub const NOT_TOLD: &str = "Nango has not said yet whether it worked.";

/// The note, or nothing.
pub fn flow_note(
    connector: &Connector,
    ours: &[Connection],
    flow: Option<&Flow>,
) -> Option<Element> {
    let open = open_one(ours, flow);
    let attempt = open.and_then(attempt_of);
    let stage = flow.map(|flow| flow.stage);
    // It keeps its place, and so the focus, while it does nothing.
    let busy = stage == Some(Stage::Checking);
    let problem = flow.and_then(|flow| flow.problem.as_ref());
    let control = |label, action, url: String, post| Control {
        label,
        action,
        url,
        post,
        class: "small",
        about: connector.name.clone(),
        slug: connector.slug.clone(),
        ..Control::default()
    };
    let windowless = connector.auth == Auth::Credentials;
    let finish = || {
        let url = attempt.map_or_else(String::new, |id| format!("/attempts/{id}/finish"));
        let action = if busy { "wait" } else { "finish" };
        Control {
            connection: attempt,
            field: "attempt",
            busy,
            ..control(
                if windowless {
                    "Check now"
                } else {
                    "I've finished"
                },
                action,
                url,
                true,
            )
        }
    };
    let again = || Control {
        connection: open.map(|open| open.id),
        ..control(
            "Start again",
            "restart",
            format!("/connectors/{}/reconnect", connector.slug),
            true,
        )
    };
    let mut words = match stage {
        Some(Stage::Cancelling) => "",
        None | Some(Stage::NotYet | Stage::Asking | Stage::Refused)
            if windowless && attempt.is_some() =>
        {
            NOT_TOLD
        }
        Some(Stage::NotYet) if attempt.is_some() => {
            "Nothing has arrived yet. Finish signing in in the other window, or start again."
        }
        Some(stage) if attempt.is_some() || busy => stage.words(),
        None if attempt.is_some() => Stage::Waiting.words(),
        _ => "",
    }
    .to_owned();
    let controls = match (stage, attempt) {
        (None | Some(Stage::Asking | Stage::NotYet | Stage::Refused), Some(_)) => {
            let mut controls = vec![finish()];
            // Typing it again stands where the window would be opened.
            controls.extend((!windowless).then(again));
            controls
        }
        (Some(Stage::Blocked | Stage::Waiting | Stage::Checking), Some(_)) => vec![finish()],
        _ => Vec::new(),
    };
    let blocked = stage == Some(Stage::Blocked);
    let link = blocked.then_some(attempt).flatten();
    if let Some(problem) = problem {
        words = problem.sentence();
    }
    if words.is_empty() {
        return None;
    }
    let note = el("div")
        .class(if problem.is_some() {
            "note bad"
        } else {
            "note"
        })
        .attr("data-note", connector.slug.clone())
        .child(el("span").child(words))
        .child(link.map(|id| link_view(id, &connector.name)))
        .children(controls.into_iter().map(Control::view));
    Some(note)
}

/// What the blocked window would have done.
fn link_view(attempt: Uuid, name: &str) -> Element {
    el("a")
        .attr("href", format!("/attempts/{attempt}/open"))
        .attr("target", "_blank")
        .attr("rel", "noopener")
        .child(format!("Sign in to {name}"))
}

#[cfg(test)]
mod tests {
    use leptos::prelude::RenderHtml;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        attempt::{AttemptKind, OpenAttempt},
        connection::Status,
        timestamp::Timestamp,
    };

    fn shown(auth: Auth, stage: Option<Stage>) -> String {
        let connector = Connector {
            auth,
            slug: "resend".to_owned(),
            ..Connector::default()
        };
        let at = Timestamp(0);
        let id = Uuid::from_u128(7);
        let open = Connection {
            id,
            connector_id: Uuid::nil(),
            connector: "resend".into(),
            status: Status::Pending,
            account: None,
            connected_at: None,
            disconnected_at: None,
            last_synced_at: None,
            last_error: None,
            error_count: 0,
            created_at: at,
            updated_at: at,
            version: 1,
            attempt: Some(OpenAttempt {
                id,
                kind: AttemptKind::Connect,
                expires_at: at,
            }),
        };
        let flow = stage.map(|stage| Flow {
            slug: "resend".to_owned(),
            stage,
            attempt: Some(id),
            connection: None,
            inputs: Vec::new(),
            problem: None,
        });
        let note = flow_note(&connector, &[open], flow.as_ref());
        note.map(RenderHtml::to_html).unwrap_or_default()
    }

    #[test]
    fn without_a_window_there_is_none_to_go_back_to() {
        for stage in [None, Some(Stage::NotYet), Some(Stage::Refused)] {
            let note = shown(Auth::Credentials, stage);
            assert!(note.contains(NOT_TOLD), "{note}");
            assert!(note.contains(">Check now<"), "{note}");
            assert!(!note.contains("window"), "{note}");
            assert!(!note.contains("Start again"), "{note}");
        }
        let note = shown(Auth::Popup, Some(Stage::NotYet));
        assert!(note.contains("in the other window"), "{note}");
        assert!(note.contains(">Start again<"), "{note}");
    }
}
