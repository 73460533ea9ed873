//! `/sign-up`: an account of one's own, where everybody may make one. May import `domain`,
//! `server_fns`.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::{
    form_field::{FormField, alert, next_field},
    frame::problem_page,
};
use crate::{
    app::{Flash, StatusSetter},
    components::address,
    domain::{
        page::{PASSWORD_HELP, PASSWORD_LENGTH, SignInPage},
        problem::Problem,
    },
    server_fns::pages::sign_in_page,
};

#[component]
pub fn SignUp() -> impl IntoView {
    let next = use_query_map().with_untracked(|query| query.get("next").unwrap_or_default());
    let status = use_context::<StatusSetter>();
    let Flash(refused, values) = use_context().unwrap_or_default();
    let typed = move |name: &str| values.get(name).cloned().unwrap_or_default();
    let (email, name) = (typed("email"), typed("name"));
    let page = OnceResource::new_blocking(sign_in_page(next));
    view! {
        <Suspense>
            {move || {
                let (status, refused) = (status.clone(), refused.clone());
                let (email, name) = (email.clone(), name.clone());
                Suspend::new(async move {
                    match page.await {
                        Err(problem) => problem_page(&problem, status.as_ref()),
                        Ok(page) => content(&page, email, name, refused.as_ref()),
                    }
                })
            }}
        </Suspense>
    }
}

fn content(page: &SignInPage, email: String, name: String, refused: Option<&Problem>) -> AnyView {
    let name = FormField {
        name: "name",
        label: "Name",
        kind: "text",
        autocomplete: "name",
        help: "",
        value: name,
        length: Some((1, 80)),
    };
    let email = FormField {
        name: "email",
        label: "E-mail address",
        kind: "email",
        autocomplete: "username",
        help: "You sign in with it. No mail is sent to it.",
        value: email,
        length: None,
    };
    let password = FormField {
        name: "password",
        label: "Password",
        kind: "password",
        autocomplete: "new-password",
        help: PASSWORD_HELP,
        value: String::new(),
        length: Some(PASSWORD_LENGTH),
    };
    let href = address::with_next("/sign-in", &page.next);
    view! {
        <Title text="Sign up · Patchbay"/>
        <main id="main" class="sign-in">
            <h1>"Make an account"</h1>
            {alert(refused)}
            <form class="way" method="post" action="/sign-up">
                {next_field(&page.next)}
                {name.view(refused)}
                {email.view(refused)}
                {password.view(refused)}
                <button class="button loud">"Sign up"</button>
                <p class="help">"Have one already? " <a href=href>"Sign in"</a></p>
            </form>
        </main>
    }
    .into_any()
}
