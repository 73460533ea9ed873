//! `/attempts/{id}`: an attempt without scripts: a link to the sign-in, "I've finished", Cancel.
//! May import `domain`, `server_fns`, `components`.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use uuid::Uuid;

use super::frame::{framed, problem_page};
use crate::{
    app::{Flash, StatusSetter},
    components::flow_note::NOT_TOLD,
    domain::{
        attempt::{AttemptKind, AttemptState},
        connector::Auth,
        page::AttemptPage,
        problem::Problem,
    },
    server_fns::pages::attempt_page,
};

#[component]
pub fn Attempt() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let asked = use_query_map().with_untracked(|query| query.get("asked").is_some());
    let status = use_context::<StatusSetter>();
    let Flash(refused, _) = use_context().unwrap_or_default();
    let page = OnceResource::new_blocking(async move {
        match Uuid::parse_str(&id) {
            Ok(id) => attempt_page(id).await,
            Err(_) => Err(Problem::new(
                404,
                "attempt_unknown",
                "There is no such attempt.",
                "Go back to the connector and connect again.",
            )),
        }
    });
    view! {
        <Suspense>
            {move || {
                let (status, refused) = (status.clone(), refused.clone());
                Suspend::new(async move {
                    match page.await {
                        Err(problem) => problem_page(&problem, status.as_ref()),
                        Ok(page) => {
                            let title = format!("Connect {}", page.connector.name);
                            let content = content(&page, asked, refused.as_ref());
                            framed(Some(page.frame), &title, content)
                        }
                    }
                })
            }}
        </Suspense>
    }
}

/// The connector's form, about the account of this attempt.
fn form_url(page: &AttemptPage) -> String {
    let slug = &page.connector.slug;
    format!(
        "/connectors/{slug}?connection_id={}",
        page.attempt.connection.id
    )
}

/// `asked`: the person said they had finished, and Nango knew nothing of it.
fn content(page: &AttemptPage, asked: bool, refused: Option<&Problem>) -> AnyView {
    let name = &page.connector.name;
    let attempt = &page.attempt;
    let (heading, words) = match attempt.state {
        AttemptState::Open if page.connector.auth == Auth::Credentials => {
            (format!("Connect {name}"), NOT_TOLD.to_owned())
        }
        AttemptState::Open if asked => (
            format!("Connect {name}"),
            "Nothing has arrived yet. Finish signing in in the other tab, then come back here."
                .to_owned(),
        ),
        AttemptState::Open => (
            format!("Connect {name}"),
            format!("{name} opens in a new tab. Come back here when you have signed in."),
        ),
        AttemptState::Succeeded if attempt.connection.is_awaiting_approval() => (
            format!("Waiting for approval at {name}."),
            "It is connected as soon as somebody there approves it.".to_owned(),
        ),
        AttemptState::Succeeded => (format!("{name} is connected."), String::new()),
        AttemptState::Failed => (format!("{name} was not connected."), String::new()),
        AttemptState::Expired => (
            format!("{name} was not connected."),
            "The sign-in took too long.".to_owned(),
        ),
        AttemptState::Cancelled => (
            format!("{name} was not connected."),
            "It was cancelled.".to_owned(),
        ),
    };
    let words = attempt.error.clone().unwrap_or(words);
    let actions = match attempt.state {
        AttemptState::Open => open_actions(page),
        AttemptState::Succeeded => {
            view! { <a class="button loud" href="/connectors">"All connectors"</a> }.into_any()
        }
        _ => again_actions(page),
    };
    view! {
        <section class="plain">
            <h1>{heading}</h1>
            {refused.map(|problem| view! { <p class="note bad" role="alert">{problem.sentence()}</p> })}
            <p>{words}</p>
            <div class="stack">{actions}</div>
        </section>
    }
    .into_any()
}

fn open_actions(page: &AttemptPage) -> AnyView {
    let base = format!("/attempts/{}", page.attempt.attempt_id);
    let name = &page.connector.name;
    let windowless = page.connector.auth == Auth::Credentials;
    let (finish, class) = if windowless {
        ("Check now", "button loud")
    } else {
        ("I've finished", "button")
    };
    let open = (!windowless).then(|| {
        view! {
            <a class="button loud" href=format!("{base}/open") target="_blank" rel="noopener">
                {format!("Continue to {name}")}
            </a>
        }
    });
    let again =
        windowless.then(|| view! { <a class="button" href=form_url(page)>"Type it again"</a> });
    view! {
        {open}
        <form method="post" action=format!("{base}/finish")>
            <button class=class>{finish}</button>
        </form>
        {again}
        <form method="post" action=format!("{base}/cancel")>
            <button class="button quiet">"Cancel"</button>
        </form>
    }
    .into_any()
}

fn again_actions(page: &AttemptPage) -> AnyView {
    let base = format!("/connectors/{}", page.connector.slug);
    let verb = match page.attempt.kind {
        AttemptKind::Connect => "connect",
        AttemptKind::Reconnect => "reconnect",
    };
    let again = if page.connector.asks_first {
        view! { <a class="button loud" href=form_url(page)>"Start again"</a> }.into_any()
    } else {
        view! {
            <form method="post" action=format!("{base}/{verb}")>
                <input
                    type="hidden"
                    name="connection_id"
                    value=page.attempt.connection.id.to_string()
                />
                <button class="button loud">"Start again"</button>
            </form>
        }
        .into_any()
    };
    view! {
        {again}
        <a class="button quiet" href="/connectors">"All connectors"</a>
    }
    .into_any()
}
