//! A server of a test's own, on a free port, that talks to a sandbox as to a real Nango.
//!
//! May import the crate's public parts, `db` and `nango` beside it.

use std::{
    future::Future,
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use patchbay::server::{
    clock::Clock,
    config::Config,
    db::{Db, session::Store, user},
    nango::signature,
    services::{Services, reconcile::Report},
    startup::{
        self,
        serve::{Limits, serve as listen},
    },
};
use reqwest::{Client, Method, redirect::Policy};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use uuid::Uuid;

use crate::{
    nango::{KEY, Pretend},
    person::{Answer, Person},
    support::db::TestDb,
};

/// The key that webhooks are signed with.
pub const SIGNING_KEY: &str = "a1d5c8f2-7b0e-4c39-9d66-0e2f4a8b1c73";

/// How long a test waits for what happens in the background.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct TestApp {
    /// `http://127.0.0.1:<port>`
    pub base: String,
    pub clock: Clock,
    pub nango: Arc<Pretend>,
    pub http: Client,
    pub db: Db,
    settings: Vec<(String, String)>,
    serving: Option<Serving>,
    folder: Arc<Folder>,
}

struct Serving {
    task: JoinHandle<()>,
    app: startup::App,
}

/// Gone with the last server that used it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl TestApp {
    /// A server with a sandbox of its own.
    pub async fn start(db: &TestDb) -> Self {
        Self::with(db, &[]).await
    }

    /// The same, with more settings, named as in the environment.
    pub async fn with(db: &TestDb, settings: &[(&str, &str)]) -> Self {
        let nango = Arc::new(Pretend::start().await);
        Self::at(db, nango, Clock::system(), settings).await
    }

    /// Time moves only when the test says so, here and at the sandbox.
    pub async fn frozen(db: &TestDb) -> Self {
        let clock = Clock::fixed(Clock::system().now());
        let nango = Arc::new(Pretend::start_at(clock.clone()).await);
        Self::at(db, nango, clock, &[]).await
    }

    /// A server before this Nango, beside others if need be.
    pub async fn at(
        db: &TestDb,
        nango: Arc<Pretend>,
        clock: Clock,
        settings: &[(&str, &str)],
    ) -> Self {
        log_text();
        let name = format!("patchbay_api_{}", clock.random_id().simple());
        let folder = Folder(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&folder.0).expect("a folder");
        let empty = folder.0.join("Leptos.toml");
        std::fs::write(&empty, "").expect("a file");
        let sandbox_state = folder.0.join("sandbox.json");
        let mut all: Vec<(String, String)> = [
            ("PATCHBAY_CONFIG", empty.display().to_string()),
            ("DATABASE_URL", db.url.clone()),
            ("NANGO_SECRET_KEY", KEY.to_owned()),
            ("NANGO_BASE_URL", nango.base.clone()),
            ("NANGO_WEBHOOK_SIGNING_KEY", SIGNING_KEY.to_owned()),
            // Only when a test asks for it.
            ("NANGO_RECONCILE_SECONDS", "86400".to_owned()),
            // Everybody in a test comes from one address, and none of them sleeps.
            ("LIMITS_REQUESTS_PER_SECOND", "0".to_owned()),
            ("LIMITS_CHANGES_PER_SECOND", "0".to_owned()),
            ("SANDBOX_LISTEN_ADDR", "127.0.0.1:0".to_owned()),
            ("SANDBOX_STATE_FILE", sandbox_state.display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        // An empty value takes a setting away.
        for (name, value) in settings {
            all.retain(|(n, _)| n != name);
            all.push(((*name).to_owned(), (*value).to_owned()));
        }
        let (serving, base) = serve(&all, &clock).await;
        Self {
            base,
            db: serving.app.db.clone(),
            clock,
            nango,
            http: client(),
            settings: all,
            serving: Some(serving),
            folder: Arc::new(folder),
        }
    }

    /// Another instance on the same database.
    pub async fn twin(&self) -> Self {
        let (serving, base) = serve(&self.settings, &self.clock).await;
        Self {
            base,
            db: serving.app.db.clone(),
            clock: self.clock.clone(),
            nango: self.nango.clone(),
            http: client(),
            settings: self.settings.clone(),
            serving: Some(serving),
            folder: self.folder.clone(),
        }
    }

    /// Nothing of this server runs any more.
    pub async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.task.abort();
            serving.app.stop().await;
        }
    }

    /// Stops, and starts again on the same database.
    pub async fn restart(&mut self) {
        self.stop().await;
        *self = self.twin().await;
    }

    /// Where Prometheus asks: `http://127.0.0.1:<port>/metrics`.
    pub fn metrics_url(&self) -> String {
        let serving = self.serving.as_ref().expect("a running server");
        let address = serving.app.metrics_addr.expect("METRICS_ADDR");
        format!("http://{address}/metrics")
    }

    /// The server's own services, for what no request asks for.
    pub fn services(&self) -> &Services {
        let serving = self.serving.as_ref().expect("a running server");
        &serving.app.services
    }

    /// The settings that it runs with, for a command on the same database.
    pub fn config(&self) -> Config {
        let env = |name: &str| {
            let found = self.settings.iter().find(|(n, _)| n == name);
            found.map(|(_, value)| value.clone())
        };
        Config::load(None, &env).unwrap_or_else(|e| panic!("{e}"))
    }

    /// What the background does, done now.
    pub async fn reconcile(&self) -> Report {
        let serving = self.serving.as_ref().expect("a running server");
        let reconcile = &serving.app.services.reconcile;
        reconcile.approvals().await.expect("approvals");
        reconcile.run().await.expect("a report")
    }

    /// A webhook as Nango signs it.
    pub async fn webhook(&self, body: &Value) -> Answer {
        let text = body.to_string();
        let key = SIGNING_KEY.to_owned().into();
        let signature = signature::sign(&key, text.as_bytes());
        let headers = [("x-nango-hmac-sha256", signature.as_str())];
        let body = Some(("application/json", text));
        let path = "/api/v1/webhooks/nango";
        self.nobody()
            .request(Method::POST, path, &headers, body)
            .await
    }

    /// Signs in as a demo user.
    pub async fn sign_in(&self, name: &str) -> Person {
        let answer = self
            .nobody()
            .form(
                "/sign-in/demo",
                &[("name", name)],
                &[("origin", self.base.as_str())],
            )
            .await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let cookie = answer.cookie().expect("a session's cookie");
        Person::new(self, &cookie)
    }

    /// A signed-in person where no demo user may sign in: their session is written as it would be.
    pub async fn session_of(&self, name: &str, cookie: &str) -> Person {
        let id = self.user_id(name).await;
        let store = Arc::new(Store::new(self.db.clone(), self.clock.clone()));
        let session = tower_sessions::Session::new(None, store, None);
        session.insert("user_id", id).await.expect("an entry");
        let now = self.clock.now().0;
        session.insert("signed_in_at", now).await.expect("an entry");
        session.save().await.expect("a session");
        let key = session.id().expect("an id");
        Person::new(self, &format!("{cookie}={key}"))
    }

    /// The id of a demo user.
    pub async fn user_id(&self, name: &str) -> Uuid {
        let new = user::NewUser {
            id: self.clock.new_id(),
            issuer: "demo",
            subject: name,
            display_name: name,
            email: None,
        };
        let mut tx = self.db.write().await.expect("a transaction");
        let user = user::upsert(&mut tx, &new, self.clock.now()).await;
        tx.commit().await.expect("a commit");
        user.expect("a user").id
    }

    /// Somebody without a session.
    pub fn nobody(&self) -> Person {
        Person::new(self, "")
    }

    /// A request without a session.
    pub async fn get(&self, path: &str) -> Answer {
        self.nobody().request(Method::GET, path, &[], None).await
    }
}

async fn serve(settings: &[(String, String)], clock: &Clock) -> (Serving, String) {
    let env = |name: &str| {
        let found = settings.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.clone())
    };
    let config = Config::load(None, &env).unwrap_or_else(|e| panic!("{e}"));
    let app = startup::build(&config, clock.clone())
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let router = app.router.clone();
    let task = tokio::spawn(async move {
        listen(listener, router, Limits::default(), std::future::pending()).await;
    });
    (Serving { task, app }, base)
}

pub fn client() -> Client {
    Client::builder()
        .redirect(Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a client")
}

/// Looks again and again until there is something.
pub async fn eventually<T, Found>(what: &str, mut look: impl FnMut() -> Found) -> T
where
    Found: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

#[derive(Clone)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything this process has logged, as a curious operator would have it: our own code at
/// `trace`, the rest as far down as telemetry lets anybody ask.
pub fn log_text() -> String {
    static LINES: OnceLock<Lines> = OnceLock::new();
    let lines = LINES.get_or_init(|| {
        let lines = Lines(Arc::default());
        let writer = lines.clone();
        tracing_subscriber::fmt()
            .with_env_filter("info,patchbay=trace,axum=trace,tower_http=trace,sqlx=debug")
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .try_init()
            .expect("the only subscriber");
        lines
    });
    let bytes = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&bytes).into_owned()
}
