//! The program with what it exports and logs.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{app::SIGNING_KEY, nango::KEY, program, support::db::TestDb};

pub struct Program {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Program {
    pub fn start(db: &TestDb, settings: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("NANGO_SECRET_KEY", KEY),
            ("NANGO_WEBHOOK_SIGNING_KEY", SIGNING_KEY),
        ];
        all.extend(settings);
        let mut child = program::serve(&db.url, "127.0.0.1:0", &all);
        let log = Arc::new(Mutex::new(String::new()));
        let (to, from) = (log.clone(), child.stderr.take().expect("a pipe"));
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let mut log = to.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, log }
    }

    pub fn log(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.clone()
    }

    /// Waits until this is in its log; the word that comes after it.
    pub async fn until(&mut self, what: &str) -> String {
        // A debug build on a machine that builds others meanwhile takes its time to start.
        let began = std::time::Instant::now();
        loop {
            let log = self.log();
            if let Some((_, rest)) = log.split_once(what)
                && let Some(end) = rest.find(|c: char| c.is_whitespace() || c == '"')
            {
                return rest[..end].to_owned();
            }
            assert!(
                began.elapsed() < Duration::from_secs(90),
                "no “{what}”: {log}"
            );
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Asks it to end, and waits until it has.
    pub async fn end(&mut self) {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(asked.expect("kill").success());
        let began = std::time::Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                break status;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
