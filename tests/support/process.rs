//! The program itself: started as an operator starts it, signalled, its log in a file.
//!
//! May import nothing of the crate.

use std::{
    fs::{File, OpenOptions},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A server, or a sandbox, that can be ended and started again with the same settings.
#[derive(Debug)]
pub struct Program {
    args: Vec<String>,
    settings: Vec<(String, String)>,
    folder: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Program {
    /// Nothing of this process' own environment reaches it. `name` is its log's, in this folder.
    pub fn new(folder: &Path, name: &str, args: &[&str], settings: &[(&str, String)]) -> Self {
        let empty = folder.join("empty.toml");
        std::fs::write(&empty, "").expect("a file");
        let mut all = vec![
            ("PATCHBAY_CONFIG".to_owned(), empty.display().to_string()),
            ("LOG_FORMAT".to_owned(), "json".to_owned()),
        ];
        let settings = settings.iter().cloned();
        all.extend(settings.map(|(name, value)| (name.to_owned(), value)));
        Self {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            settings: all,
            folder: folder.to_owned(),
            log: folder.join(format!("{name}.log")),
            child: None,
        }
    }

    fn command(&self, args: &[String]) -> Command {
        // Another build of it, such as the release.
        let binary = std::env::var_os("PATCHBAY_BINARY").filter(|name| !name.is_empty());
        let mut command =
            Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_patchbay").into()));
        command
            .args(args)
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    pub fn start(&mut self) {
        let mut open = OpenOptions::new();
        let log: File = open
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("a log");
        let child = self
            .command(&self.args)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program");
        self.child = Some(child);
    }

    /// Another command with the same settings, to its end: whether it went well, and what it said.
    pub fn run(&self, args: &[&str], other: &[(&str, &str)]) -> (bool, String) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut command = self.command(&args);
        let output = command.envs(other.iter().copied()).output();
        let output = output.expect("the program");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.success(), said)
    }

    /// Sends a signal by its name; false where nothing runs.
    pub fn signal(&self, name: &str) -> bool {
        self.child
            .as_ref()
            .inspect(|child| signal(name, &[child.id()]))
            .is_some()
    }

    /// It has ended by itself, or by a signal, with this.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("its state")?;
        self.child = None;
        Some(status)
    }

    /// `kill -9`, and gone when this returns.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            child.wait().expect("its end");
        }
    }

    /// All that it has logged in all its lives.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// By the shell's own `kill`: no system call of this process could be made without `unsafe`.
pub fn signal(name: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
    let order = format!("kill -{name} {}", pids.join(" "));
    let sent = Command::new("sh").args(["-c", &order]).output();
    // Whoever has ended meanwhile needs none.
    drop(sent.expect("a shell"));
}

/// A port that nobody has, below those that the system gives out by itself: it stays free while its
/// server is down.
pub fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).expect("a small number");
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed) + first;
        let port = 20_000 + next % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A folder of a test's own, gone with this.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let id = std::process::id();
        let path = std::env::temp_dir().join(format!("patchbay_{name}_{id}"));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a failure left to read stays where somebody asks for it.
        if std::env::var_os("KEEP").is_none() {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }
}

/// Asks every few milliseconds until it is ready: how long that took, or none within `limit`.
pub async fn until_ready(http: &reqwest::Client, base: &str, limit: Duration) -> Option<Duration> {
    let start = Instant::now();
    let url = format!("{base}/health/ready");
    while start.elapsed() < limit {
        let request = http.get(&url).timeout(Duration::from_secs(2));
        if let Ok(answer) = request.send().await
            && answer.status() == 200
        {
            return Some(start.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    None
}

/// A number of the environment.
pub fn number(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) if !text.is_empty() => text
            .parse()
            .unwrap_or_else(|e| panic!("{variable}={text}: {e}")),
        _ => otherwise,
    }
}
