//! A PostgreSQL of this test's own, because it is stopped, started and cut off: `scripts/postgres.sh`
//! has one that others use at the same time.
//!
//! May import `process` beside it.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::process::{free_port, signal};

pub struct Cluster {
    pub port: u16,
    folder: PathBuf,
    bin: PathBuf,
    password: String,
}

impl Cluster {
    /// `password` is drawn by the caller.
    pub fn start(password: String) -> Self {
        let bin = binaries().unwrap_or_else(|| {
            panic!(
                "PostgreSQL's initdb is neither in /usr/lib/postgresql/*/bin nor in PATH: install it (Debian: apt-get install postgresql), or run `make test`, which does"
            )
        });
        let name = format!("patchbay-chaos-postgres-{}", std::process::id());
        let folder = parent().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let cluster = Self {
            port: free_port(),
            folder,
            bin,
            password,
        };
        cluster.make();
        cluster.pg_ctl(&["-w", "-t", "60", "start"]);
        cluster
    }

    fn make(&self) {
        let secret = self.folder.join("password");
        let mut file = std::fs::File::create(&secret).expect("a file");
        writeln!(file, "{}", self.password).expect("a line");
        if is_root() {
            let mut chown = Command::new("chown");
            ok(chown.args(["-R", "postgres:"]).arg(&self.folder), "chown");
        }
        let (data, secret) = (self.data(), secret.display().to_string());
        // A debug build reckons for a long time at SCRAM's thousands of rounds, and connects often.
        let pwfile = format!("--pwfile={secret}");
        let initdb = self.bin.join("initdb").display().to_string();
        let args = ["-D", &data, "-U", "postgres", "-A", "md5", &pwfile];
        let more = ["-E", "UTF8", "--locale=C", "--no-sync"];
        ok(as_owner(&initdb).args(args).args(more), "initdb");
        // What a commit has told must outlive the processes, and need not outlive the machine: so
        // `fsync` is off, and `synchronous_commit` is not.
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\nmax_connections = 100\nshared_buffers = 32MB\nfsync = off\nlog_min_messages = warning\n",
            self.port
        );
        let conf = self.folder.join("data/postgresql.conf");
        let mut conf = std::fs::OpenOptions::new()
            .append(true)
            .open(conf)
            .expect("its settings");
        conf.write_all(settings.as_bytes()).expect("its settings");
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    fn pg_ctl(&self, args: &[&str]) {
        let program = self.bin.join("pg_ctl").display().to_string();
        let log = self.folder.join("server.log").display().to_string();
        let mut command = as_owner(&program);
        command
            .args(["-s", "-D", &self.data(), "-l", &log])
            .args(args);
        // It hands its own outputs on to the server, so nobody waits for them.
        let status = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status();
        assert!(
            status.expect("pg_ctl").success(),
            "pg_ctl {args:?}: see {log}"
        );
    }

    /// At this port: its own, or a proxy's.
    pub fn url(&self, port: u16) -> String {
        format!(
            "postgres://postgres:{}@127.0.0.1:{port}/postgres",
            self.password
        )
    }

    /// As after a crash of all its processes: it recovers from its log. Blocks until it answers.
    pub fn restart(&self) {
        self.pg_ctl(&["-m", "immediate", "-w", "-t", "60", "restart"]);
    }

    /// None of its processes does anything until [`Cluster::resume`].
    pub fn pause(&self) {
        // First the one that makes the others.
        signal("STOP", self.processes().get(..1).unwrap_or_default());
        signal("STOP", &self.processes());
    }

    pub fn resume(&self) {
        signal("CONT", &self.processes());
    }

    /// The postmaster, then its children.
    fn processes(&self) -> Vec<u32> {
        let file = self.folder.join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let Some(first) = text.lines().next().and_then(|line| line.parse().ok()) else {
            return Vec::new();
        };
        let mut all = vec![first];
        let entries = std::fs::read_dir("/proc").expect("/proc");
        let pids = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        all.extend(pids.filter(|pid: &u32| parent_of(*pid) == Some(first)));
        all
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.resume();
        let program = self.bin.join("pg_ctl").display().to_string();
        let stop = ["-s", "-D", &self.data(), "-m", "immediate", "-w", "stop"];
        drop(as_owner(&program).args(stop).output());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// From `/proc/PID/stat`: what stands after the name, which is in brackets and may hold anything.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.trim_ascii() == b"0"
}

/// `initdb` refuses root: then everything is Debian's user's.
fn as_owner(program: &str) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", program]);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

fn ok(command: &mut Command, what: &str) {
    let Output { status, stderr, .. } = command.output().unwrap_or_else(|e| panic!("{what}: {e}"));
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{what}: {said}");
}

fn binaries() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found: Vec<PathBuf> = installed.flatten().map(|e| e.path().join("bin")).collect();
    found.sort();
    found.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    found
        .into_iter()
        .find(|bin| bin.join("initdb").exists() && bin.join("pg_ctl").exists())
}

/// In memory where there is room, and where its owner can reach it.
fn parent() -> PathBuf {
    let df = Command::new("df")
        .args(["--output=avail", "-BM", "/dev/shm"])
        .output();
    let text = df.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let free = text.ok().and_then(|text| {
        let last = text.lines().last()?.trim().trim_end_matches('M').to_owned();
        last.parse::<u64>().ok()
    });
    if free.is_some_and(|free| free >= 2048) {
        Path::new("/dev/shm").to_owned()
    } else if is_root() {
        Path::new("/tmp").to_owned()
    } else {
        std::env::temp_dir()
    }
}
