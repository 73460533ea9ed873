//! `/account`: sessions and the password.

use scraper::{Html, Selector};
use serde_json::json;

use crate::{
    app::TestApp,
    local_accounts::{ANOTHER, PASSWORD, account, enter, refused, try_in},
    person::{Answer, Person},
};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// What the page says of each session, and the digest by which it can be ended.
fn sessions(page: &Answer) -> Vec<(String, Option<String>)> {
    let html = Html::parse_document(&page.text);
    let item = Selector::parse(".accounts > li").expect("a selector");
    let id = Selector::parse("input[name=id]").expect("a selector");
    html.select(&item)
        .map(|item| {
            let text = item.text().collect::<Vec<_>>().join("|");
            let id = item
                .select(&id)
                .next()
                .and_then(|input| input.attr("value"));
            (text, id.map(str::to_owned))
        })
        .collect()
}

async fn from_firefox(app: &TestApp, email: &str) -> Person {
    let fields = [("email", email), ("password", PASSWORD)];
    let answer = app
        .nobody()
        .form("/sign-in/password", &fields, &[("user-agent", FIREFOX)])
        .await;
    Person::new(app, &answer.cookie().expect("a cookie"))
}

on_both! {
    async fn the_page_tells_who_one_is_and_where_one_is_signed_in(db: &TestDb) {
        let app = TestApp::frozen(db).await;
        assert_eq!(app.get("/account").await.redirect(303), "/sign-in?next=%2Faccount");
        account(&app, "ada@example.com").await;
        let firefox = from_firefox(&app, "ada@example.com").await;
        app.clock.advance(2 * 3_600_000);
        let here = enter(&app, "ada@example.com", PASSWORD).await;
        let page = here.get("/account").await;
        for words in ["Ada Local", "ada@example.com", "e-mail address and your password", "Change your password"] {
            assert!(page.text.contains(words), "{words}: {}", page.text);
        }
        let listed = sessions(&page);
        assert_eq!(listed.len(), 2, "{listed:?}");
        assert!(listed[0].0.contains("This one, signed in just now") && listed[0].1.is_none(), "{listed:?}");
        assert!(listed[1].0.contains("Firefox on Linux|Signed in 2 h ago"), "{listed:?}");
        // The cookie's value is nowhere; its digest opens nothing.
        for cookie in [&here.cookie, &firefox.cookie] {
            let (_, value) = cookie.split_once('=').expect("a cookie");
            assert!(!page.text.contains(value));
        }
        // Every page leads there.
        assert!(here.get("/connectors").await.text.contains(r#"href="/account""#));
        // A demo user has no password to change.
        let demo = app.sign_in("grace").await;
        let page = demo.get("/account").await;
        assert!(page.text.contains("demo user") && !page.text.contains("Change your password"));
        assert_eq!(sessions(&page).len(), 1);
        refused(&demo.form("/account/password", &[("present", PASSWORD), ("new", ANOTHER)], &[]).await, 409, "does not sign in with a password here");
    }

    async fn a_session_is_ended_from_another_and_so_is_its_stream(db: &TestDb) {
        let app = TestApp::start(db).await;
        account(&app, "ada@example.com").await;
        account(&app, "eve@example.com").await;
        let (there, here) = (from_firefox(&app, "ada@example.com").await, enter(&app, "ada@example.com", PASSWORD).await);
        let eve = enter(&app, "eve@example.com", PASSWORD).await;
        let (mut ends, mut stays) = (there.events().await, here.events().await);
        assert!(ends.next().await.is_some() && stays.next().await.is_some());
        let listed = sessions(&here.get("/account").await);
        let id = listed[1].1.clone().expect("a digest");

        // Not hers to end.
        let answer = eve.form("/account/sessions/end", &[("id", &id)], &[]).await;
        assert_eq!(answer.redirect(303), "/account?done=sessions");
        assert_eq!(there.get("/api/v1/connections").await.status, 200);
        let answer = here.form("/account/sessions/end", &[("id", &id)], &[]).await;
        assert_eq!(answer.redirect(303), "/account?done=sessions");
        assert!(here.get("/account?done=sessions").await.text.contains("Signed out there."));
        there.get("/api/v1/connections").await.problem(401, "signed_out");
        assert_eq!(ends.next().await, Some(("bye".to_owned(), json!({}))));
        let started = here.connect("gmail").await;
        assert_eq!(stays.next().await.expect("a change").1, started["connection"]);

        let more = [enter(&app, "ada@example.com", PASSWORD).await, enter(&app, "ada@example.com", PASSWORD).await];
        let answer = here.form("/account/sessions/end", &[("id", "others")], &[]).await;
        assert_eq!(answer.redirect(303), "/account?done=sessions");
        for other in more {
            other.get("/api/v1/connections").await.problem(401, "signed_out");
        }
        assert_eq!(sessions(&here.get("/account").await).len(), 1);
        assert_eq!(eve.get("/api/v1/connections").await.status, 200);
        // One's own, by its digest: signed out.
        let own = patchbay::server::services::sessions::digest(here.cookie.split_once('=').expect("a cookie").1);
        assert_eq!(here.form("/account/sessions/end", &[("id", &own)], &[]).await.redirect(303), "/sign-in");
        here.get("/api/v1/connections").await.problem(401, "signed_out");
        let nobody = here.form("/account/sessions/end", &[("id", "others")], &[]).await;
        assert_eq!(nobody.redirect(303), "/sign-in");
    }

    async fn another_password_ends_what_began_by_the_old_one(db: &TestDb) {
        let app = TestApp::start(db).await;
        account(&app, "ada@example.com").await;
        let (there, here) = (from_firefox(&app, "ada@example.com").await, enter(&app, "ada@example.com", PASSWORD).await);
        let mut ends = there.events().await;
        assert!(ends.next().await.is_some());
        for (present, new, words) in [
            (ANOTHER, "some other password", "This is not your present password."),
            (PASSWORD, "too short", "A password has 12 characters at least."),
            (PASSWORD, "ada@example.com", "must not be the e-mail address"),
        ] {
            let answer = here.form("/account/password", &[("present", present), ("new", new)], &[]).await;
            refused(&answer, 422, words);
            assert!(answer.text.contains(r#"aria-invalid="true""#), "{}", answer.text);
            let html = Html::parse_document(&answer.text);
            let typed = Selector::parse("input[type=password][value]").expect("a selector");
            assert_eq!(html.select(&typed).count(), 0, "nothing is shown again");
        }
        let fields = [("present", PASSWORD), ("new", ANOTHER), ("username", "ada@example.com")];
        let answer = here.form("/account/password", &fields, &[]).await;
        assert_eq!(answer.redirect(303), "/account?done=password");
        let renewed = Person::new(&app, &answer.cookie().expect("a new cookie"));
        assert_ne!(renewed.cookie, here.cookie);
        for old in [&here, &there] {
            old.get("/api/v1/connections").await.problem(401, "signed_out");
        }
        assert_eq!(ends.next().await, Some(("bye".to_owned(), json!({}))));
        let page = renewed.get("/account?done=password").await;
        assert!(page.text.contains("Your password is changed"), "{}", page.text);
        let listed = sessions(&page);
        assert_eq!(listed.len(), 1);
        assert!(listed[0].0.contains("This one, signed in"), "{listed:?}");
        assert_eq!(try_in(&app, "ada@example.com", PASSWORD).await.status, 401);
        enter(&app, "ada@example.com", ANOTHER).await;
    }

    /// Whoever sits at an open page guesses no more often than anybody, and locks nobody out.
    async fn the_present_password_cannot_be_guessed_at_an_open_page(db: &TestDb) {
        let app = TestApp::start(db).await;
        account(&app, "ada@example.com").await;
        let here = enter(&app, "ada@example.com", PASSWORD).await;
        let guess = [("present", "a wrong guess"), ("new", ANOTHER)];
        for _ in 0..5 {
            refused(&here.form("/account/password", &guess, &[]).await, 422, "This is not your present password.");
        }
        let right = [("present", PASSWORD), ("new", ANOTHER)];
        let answer = here.form("/account/password", &right, &[]).await;
        refused(&answer, 429, "There were too many attempts.");
        assert!(!answer.header("retry-after").is_empty());
        enter(&app, "ada@example.com", PASSWORD).await;
    }
}

/// Two instances behind a proxy: what is ended at one ends at the other at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_at_one_instance_ends_at_the_other() {
    let db = crate::support::db::TestDb::postgres().await;
    let one = TestApp::start(&db).await;
    let two = one.twin().await;
    account(&one, "ada@example.com").await;
    let there = from_firefox(&one, "ada@example.com").await.at(&two);
    let here = enter(&one, "ada@example.com", PASSWORD).await;
    let mut ends = there.events().await;
    assert!(ends.next().await.is_some());
    here.form("/account/sessions/end", &[("id", "others")], &[])
        .await;
    // The look that every stream takes by itself comes after 15 seconds.
    let last = ends.within(std::time::Duration::from_secs(5)).await;
    assert_eq!(last, Some(("bye".to_owned(), json!({}))));
}
