//! Signing in and up with an e-mail address and a password.

use patchbay::server::{
    db::{audit, local_account},
    services::{
        local::NewAccount,
        origin::{self, Origin},
    },
};
use secrecy::SecretString;

use crate::{
    app::{TestApp, log_text},
    person::{Answer, Person},
};

pub const PASSWORD: &str = "a horse, correctly stapled";
pub const ANOTHER: &str = "two batteries of that kind";

/// An account as its operator makes it.
pub async fn account(app: &TestApp, email: &str) -> uuid::Uuid {
    let new = NewAccount {
        email: email.to_owned(),
        name: "Ada Local".to_owned(),
        password: SecretString::from(PASSWORD),
    };
    app.services()
        .local
        .create(&new)
        .await
        .expect("an account")
        .id
}

/// Fills in the form.
pub async fn try_in(app: &TestApp, email: &str, password: &str) -> Answer {
    let fields = [("email", email), ("password", password)];
    app.nobody().form("/sign-in/password", &fields, &[]).await
}

/// Signs in.
pub async fn enter(app: &TestApp, email: &str, password: &str) -> Person {
    let answer = try_in(app, email, password).await;
    assert_eq!(answer.redirect(303), "/connectors");
    Person::new(app, &answer.cookie().expect("a cookie"))
}

/// A page that was refused: its status and what it says.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(
        answer.header("content-type").starts_with("text/html"),
        "{:?}",
        answer.headers
    );
    assert!(
        answer.text.contains(r#"role="alert""#) && answer.text.contains(words),
        "{}",
        answer.text
    );
    assert_eq!(answer.cookie(), None, "no session");
}

/// What is the page's own: around it, nonces differ each time.
fn main_of(answer: &Answer) -> String {
    let (_, main) = answer.text.split_once("<main").expect("a page");
    main.split("</main>").next().unwrap_or_default().to_owned()
}

const WRONG: &str = "The e-mail address or the password is wrong.";
const TOO_MANY: &str = "There were too many attempts.";

async fn actions(app: &TestApp, user_id: uuid::Uuid) -> Vec<String> {
    let mut tx = app.db.read().await.expect("a transaction");
    let asked = audit::Asked {
        user_id,
        connector_id: None,
        before: None,
        limit: 100,
    };
    let told = audit::of_user(&mut tx, &asked).await.expect("events");
    told.into_iter()
        .rev()
        .map(|told| told.event.action)
        .collect()
}

on_both! {
    async fn an_account_is_made_and_let_in(db: &TestDb) {
        let app = TestApp::with(db, &[("AUTH_SIGN_UP", "true")]).await;
        let page = app.get("/sign-in?next=%2Fconnectors%2Fgmail").await;
        assert!(page.text.contains(r#"href="/sign-up?next=%2Fconnectors%2Fgmail""#), "{}", page.text);
        assert!(app.get("/sign-up").await.text.contains("Make an account"));
        let fields = [
            ("email", "Grace@Example.com"), ("name", "Grace"), ("password", PASSWORD), ("next", "/connectors/gmail"),
        ];
        let answer = app.nobody().form("/sign-up", &fields, &[]).await;
        assert_eq!(answer.redirect(303), "/connectors/gmail");
        let grace = Person::new(&app, &answer.cookie().expect("a cookie"));
        let page = grace.get("/account").await;
        assert!(page.text.contains("grace@example.com") && page.text.contains("Change your password"));
        assert_eq!(grace.get("/sign-up").await.redirect(303), "/connectors");
        assert_eq!(grace.form("/sign-out", &[], &[]).await.redirect(303), "/sign-in");
        grace.get("/api/v1/connections").await.problem(401, "signed_out");

        // The address is written as one likes; the password is not.
        let again = enter(&app, " GRACE@example.com", PASSWORD).await;
        assert_ne!(again.cookie, grace.cookie);
        assert_eq!(again.get("/api/v1/connections").await.status, 200);
        let answer = try_in(&app, "grace@example.com", &PASSWORD.to_uppercase()).await;
        refused(&answer, 401, WRONG);
        assert!(answer.text.contains(r#"value="grace@example.com""#), "{}", answer.text);
        let log = log_text();
        for secret in [PASSWORD, &PASSWORD.to_uppercase(), "argon2id$"] {
            assert!(!answer.text.contains(secret) && !page.text.contains(secret));
            assert!(!log.contains(secret), "a secret in the log");
        }
        let evil = [("email", "grace@example.com"), ("password", PASSWORD), ("next", "//evil.example")];
        let answer = app.nobody().form("/sign-in/password", &evil, &[]).await;
        assert_eq!(answer.redirect(303), "/connectors");
        // As it is kept, a person is no e-mail address.
        let mut tx = app.db.read().await.expect("a transaction");
        let account = local_account::by_email(&mut tx, "grace@example.com").await.expect("a query").expect("an account");
        assert!(account.password_hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let row = patchbay::server::db::user::get(&mut tx, account.user_id).await.expect("a query").expect("a person");
        assert_eq!((row.issuer.as_str(), uuid::Uuid::parse_str(&row.subject).is_ok()), ("local", true));
        drop(tx);
        let expected = ["user_created", "sign_in", "sign_out", "sign_in", "sign_in_refused", "sign_in"];
        assert_eq!(actions(&app, account.user_id).await, expected);
    }

    /// The same words, the same status, and as much work; what differs is the log of an account.
    async fn nobody_learns_which_addresses_have_an_account(db: &TestDb) {
        let app = TestApp::start(db).await;
        let ada = account(&app, "ada@example.com").await;
        let checked = || app.services().local.passwords_checked();
        let start = checked();
        let wrong = try_in(&app, "ada@example.com", ANOTHER).await;
        assert_eq!(checked(), start + 1);
        let unknown = try_in(&app, "eva@example.com", ANOTHER).await;
        assert_eq!(checked(), start + 2, "a password is looked at in any case");
        refused(&wrong, 401, WRONG);
        assert_eq!(unknown.status, wrong.status);
        assert_eq!(main_of(&unknown).replace("eva@", "ada@"), main_of(&wrong));
        let names = |answer: &Answer| answer.headers.keys().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&unknown), names(&wrong));
        let odd = try_in(&app, "no address at all", "x").await;
        refused(&odd, 401, WRONG);
        assert_eq!(checked(), start + 3);
        assert_eq!(actions(&app, ada).await, ["user_created", "sign_in_refused"]);
        for bad in [vec![("email", "a@b.c")], vec![("email", "a@b.c"), ("password", "x"), ("admin", "1")]] {
            app.nobody().form("/sign-in/password", &bad, &[]).await.problem(400, "body_invalid");
        }
    }

    async fn five_failures_and_an_account_rests(db: &TestDb) {
        let app = TestApp::frozen(db).await;
        account(&app, "ada@example.com").await;
        for _ in 0..4 {
            refused(&try_in(&app, "ada@example.com", ANOTHER).await, 401, WRONG);
        }
        // A success clears the count.
        enter(&app, "ada@example.com", PASSWORD).await;
        for email in ["ada@example.com", "nobody@example.com"] {
            for _ in 0..5 {
                refused(&try_in(&app, email, ANOTHER).await, 401, WRONG);
            }
            app.clock.advance(1000);
            let checked = app.services().local.passwords_checked();
            let answer = try_in(&app, email, PASSWORD).await;
            refused(&answer, 429, TOO_MANY);
            assert_eq!(answer.header("retry-after"), "899");
            assert_eq!(app.services().local.passwords_checked(), checked, "nothing is looked at");
        }
        assert_eq!(app.services().local.sweep().await.expect("a sweep"), 0);
        app.clock.advance(15 * 60 * 1000);
        enter(&app, "ada@example.com", PASSWORD).await;
        assert_eq!(app.services().local.sweep().await.expect("a sweep"), 1, "only the other's is left");
    }

    async fn another_instance_knows_which_accounts_rest(db: &TestDb) {
        if db.db.kind() != "PostgreSQL" {
            return;
        }
        let app = TestApp::frozen(db).await;
        account(&app, "ada@example.com").await;
        for _ in 0..5 {
            refused(&try_in(&app, "ada@example.com", ANOTHER).await, 401, WRONG);
        }
        let twin = app.twin().await;
        refused(&try_in(&twin, "ada@example.com", PASSWORD).await, 429, TOO_MANY);
    }

    async fn twenty_failures_from_an_address_and_it_rests(db: &TestDb) {
        let app = TestApp::start(db).await;
        account(&app, "ada@example.com").await;
        let local = &app.services().local;
        let from = async |address: &str, email: &str, password: &str| {
            let origin = Origin { address: Some(address.to_owned()), user_agent: None };
            let password = SecretString::from(password);
            let done = origin::scope(origin, local.sign_in(email, &password)).await;
            done.map(|entered| entered.user).map_err(|error| patchbay::domain::problem::Problem::from(error).code)
        };
        for number in 0..19 {
            let email = format!("user{number}@example.com");
            assert_eq!(from("203.0.113.9", &email, ANOTHER).await, Err("sign_in_refused".to_owned()));
        }
        // A success is no failure.
        for _ in 0..3 {
            assert!(from("203.0.113.9", "ada@example.com", PASSWORD).await.is_ok());
        }
        assert_eq!(from("203.0.113.9", "last@example.com", ANOTHER).await, Err("sign_in_refused".to_owned()));
        let too_many = Err("too_many_attempts".to_owned());
        for _ in 0..6 {
            assert_eq!(from("203.0.113.9", "ada@example.com", PASSWORD).await, too_many);
        }
        // What was not looked at does not count against the account.
        assert!(from("203.0.113.8", "ada@example.com", PASSWORD).await.is_ok());
        assert!(from("2001:db8::1", "ada@example.com", PASSWORD).await.is_ok());
        enter(&app, "ada@example.com", PASSWORD).await;
    }

    async fn no_more_are_looked_at_than_may_fail_however_many_come_at_once(db: &TestDb) {
        let app = TestApp::start(db).await;
        account(&app, "ada@example.com").await;
        let all = (0..12).map(|_| try_in(&app, "ada@example.com", ANOTHER));
        let answers = futures::future::join_all(all).await;
        let of = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((of(401), of(429)), (5, 7));
        assert_eq!(app.services().local.passwords_checked(), 5);
    }

    async fn signing_up_says_no_more_than_it_must(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        account(&app, "ada@example.com").await;
        let form = [("email", "eve@example.com"), ("name", "Eve"), ("password", PASSWORD)];
        assert!(!app.get("/sign-in").await.text.contains("/sign-up"));
        assert_eq!(app.get("/sign-up").await.redirect(303), "/sign-in");
        let closed = app.nobody().form("/sign-up", &form, &[]).await;
        refused(&closed, 403, "This account can’t be made here.");
        app.stop().await;

        let app = TestApp::with(db, &[("AUTH_SIGN_UP", "true")]).await;
        let taken = [("email", "ADA@example.com"), ("name", "Eve"), ("password", ANOTHER)];
        let answer = app.nobody().form("/sign-up", &taken, &[]).await;
        refused(&answer, 403, "This account can’t be made here.");
        assert!(answer.text.contains("ADA@example.com") && !answer.text.contains(ANOTHER));
        enter(&app, "ada@example.com", PASSWORD).await;
        // What is wrong with the fields is said of both alike.
        for email in ["ada@example.com", "new@example.com"] {
            let weak = [("email", email), ("name", " "), ("password", "password1234")];
            let answer = app.nobody().form("/sign-up", &weak, &[]).await;
            refused(&answer, 422, "Some fields need another look.");
            assert!(answer.text.contains("one of the first that anybody would try") && answer.text.contains("A name is needed"));
            assert_eq!(answer.text.matches(r#"aria-invalid="true""#).count(), 2, "{}", answer.text);
            assert!(!answer.text.contains("password1234"));
        }
        // Trying out which addresses are taken ends soon, for each of them.
        for _ in 0..4 {
            refused(&app.nobody().form("/sign-up", &taken, &[]).await, 403, "This account can’t be made here.");
        }
        refused(&app.nobody().form("/sign-up", &taken, &[]).await, 429, TOO_MANY);
    }

    async fn local_accounts_can_be_switched_off(db: &TestDb) {
        let mut app = TestApp::start(db).await;
        account(&app, "ada@example.com").await;
        let ada = enter(&app, "ada@example.com", PASSWORD).await;
        app.stop().await;
        let app = TestApp::with(db, &[("AUTH_LOCAL", "false")]).await;
        let page = app.get("/sign-in").await;
        assert!(!page.text.contains("/sign-in/password") && page.text.contains("Continue as demo user"));
        refused(&try_in(&app, "ada@example.com", PASSWORD).await, 403, "Nobody signs in with a password here.");
        let ada = ada.at(&app);
        assert!(!ada.get("/account").await.text.contains("Change your password"));
        let fields = [("present", PASSWORD), ("new", ANOTHER)];
        let answer = ada.form("/account/password", &fields, &[]).await;
        refused(&answer, 409, "does not sign in with a password here");
    }

    async fn whoever_is_disabled_is_told_so_by_their_own_password_only(db: &TestDb) {
        let app = TestApp::start(db).await;
        let id = account(&app, "ada@example.com").await;
        app.services().people.disable(id, None).await.expect("disabled");
        refused(&try_in(&app, "ada@example.com", ANOTHER).await, 401, WRONG);
        refused(&try_in(&app, "ada@example.com", PASSWORD).await, 403, "This account is switched off.");
        app.services().people.enable(id, None).await.expect("enabled");
        enter(&app, "ada@example.com", PASSWORD).await;
    }

    /// Parameters go up with the years: a sign-in is when the password is at hand.
    async fn an_outdated_hash_is_replaced_at_the_next_sign_in(db: &TestDb) {
        use argon2::{Argon2, CustomizedPasswordHasher, Params};
        let app = TestApp::start(db).await;
        let id = account(&app, "ada@example.com").await;
        let params = Params::new(1024, 1, 1, None).expect("parameters");
        let old = Argon2::default()
            .hash_password_with_params(PASSWORD.as_bytes(), b"a salt of old days", params)
            .expect("a hash")
            .to_string();
        let mut tx = app.db.write().await.expect("a transaction");
        local_account::rehash(&mut tx, id, &old).await.expect("written");
        tx.commit().await.expect("a commit");
        let hash = async || {
            let mut tx = app.db.read().await.expect("a transaction");
            local_account::of_user(&mut tx, id).await.expect("a query").expect("an account").password_hash
        };
        refused(&try_in(&app, "ada@example.com", ANOTHER).await, 401, WRONG);
        assert_eq!(hash().await, old);
        enter(&app, "ada@example.com", PASSWORD).await;
        let new = hash().await;
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        enter(&app, "ada@example.com", PASSWORD).await;
        assert_eq!(hash().await, new);
    }
}
