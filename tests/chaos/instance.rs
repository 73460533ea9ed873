//! One server of several: its process, its ports, and whoever starts it again when it has gone away
//! by itself, as an operator's service manager would.
//!
//! May import `plan`, `process` and `proxy` beside it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::Client;
use tokio::time::sleep;

use crate::{
    process::Program,
    proxy::{Ear, Proxy, deaf},
};

/// How long a server may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(30);

/// Reads like the reconciler's first page of Nango's whole list.
const WHOLE_LIST: &[u8] = b"GET /connections?limit=2000&page=0";

pub struct Instance {
    pub number: usize,
    pub base: String,
    pub database: Proxy,
    /// Only listens.
    _nango: Proxy,
    program: Mutex<Program>,
    /// When it began to compare with Nango's whole list, which only the lease's holder does.
    reconciled: Arc<Mutex<Vec<Instant>>>,
    /// It ended, and nobody had asked it to; or it did not, though it was asked to.
    amiss: Mutex<Vec<String>>,
    /// Nobody else starts or ends it meanwhile.
    wanted: Mutex<bool>,
}

pub struct Ports {
    pub own: u16,
    pub database: u16,
    pub nango: u16,
    pub to_database: u16,
    pub to_nango: u16,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Instance {
    /// The program's settings name the proxies' ports.
    pub fn new(number: usize, ports: &Ports, program: Program) -> Arc<Self> {
        let reconciled: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let heard = reconciled.clone();
        let ear: Ear = Arc::new(move |bytes| {
            if bytes.starts_with(WHOLE_LIST) {
                lock(&heard).push(Instant::now());
            }
        });
        let instance = Arc::new(Self {
            number,
            base: format!("http://127.0.0.1:{}", ports.own),
            database: Proxy::start(ports.database, ports.to_database, deaf()),
            _nango: Proxy::start(ports.nango, ports.to_nango, ear),
            program: Mutex::new(program),
            reconciled,
            amiss: Mutex::default(),
            wanted: Mutex::new(false),
        });
        tokio::spawn(instance.clone().keep());
        instance
    }

    pub fn start(&self) {
        lock(&self.program).start();
        *lock(&self.wanted) = true;
    }

    pub fn kill(&self) {
        *lock(&self.wanted) = false;
        lock(&self.program).kill();
    }

    pub fn pause(&self) {
        lock(&self.program).signal("STOP");
    }

    pub fn resume(&self) {
        lock(&self.program).signal("CONT");
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(&self, http: &Client) {
        *lock(&self.wanted) = false;
        // One that has only just been started may not know yet what SIGTERM means.
        let url = format!("{}/health/live", self.base);
        let live = http.get(url).timeout(Duration::from_secs(2)).send().await;
        let is_up = live.is_ok();
        if !lock(&self.program).signal("TERM") {
            return;
        }
        let asked = Instant::now();
        while asked.elapsed() < GRACE {
            let ended = lock(&self.program).ended();
            if let Some(status) = ended {
                if is_up && !status.success() {
                    self.note(format!("SIGTERM ended it with {status}"));
                }
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        self.note(format!("it did not end within {} s", GRACE.as_secs()));
        self.kill();
    }

    fn note(&self, what: String) {
        lock(&self.amiss).push(format!("instance {}: {what}", self.number));
    }

    /// Starts it again where it went away by itself.
    async fn keep(self: Arc<Self>) {
        loop {
            sleep(Duration::from_millis(300)).await;
            if !*lock(&self.wanted) {
                continue;
            }
            let Some(status) = lock(&self.program).ended() else {
                continue;
            };
            self.note(format!("it went away by itself: {status}"));
            sleep(Duration::from_secs(1)).await;
            if *lock(&self.wanted) {
                self.start();
            }
        }
    }

    pub fn amiss(&self) -> Vec<String> {
        lock(&self.amiss).clone()
    }

    pub fn reconciled(&self) -> Vec<Instant> {
        lock(&self.reconciled).clone()
    }

    pub fn log(&self) -> String {
        lock(&self.program).log()
    }

    pub fn run(&self, args: &[&str], other: &[(&str, &str)]) -> (bool, String) {
        lock(&self.program).run(args, other)
    }
}
