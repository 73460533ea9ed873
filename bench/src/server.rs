//! The server under test: the lone binary in an empty folder, and people who are signed in.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    Result,
    client::{Client, get},
};

pub struct Server {
    pub address: SocketAddr,
    pub folder: PathBuf,
    child: Child,
    /// From the start of the process to its first answer that says "ready".
    pub ready_after: Duration,
}

impl Server {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts it with this database and waits until it can work.
    pub async fn start(binary: &Path, folder: &Path, database: &str) -> Result<Self> {
        let address = free()?;
        let began = Instant::now();
        let child = Command::new(binary)
            .arg("serve")
            .current_dir(folder)
            .env_clear()
            .env("DATABASE_URL", database)
            .env("LISTEN_ADDR", address.to_string())
            .env("SANDBOX_LISTEN_ADDR", free()?.to_string())
            .env("SANDBOX_STATE_FILE", folder.join("sandbox.json"))
            // Everybody here comes from one address; the gate stays in the way.
            .env("LIMITS_REQUESTS_PER_SECOND", "1000000")
            .env("LIMITS_REQUESTS_BURST", "1000000")
            .env("NANGO_RECONCILE_SECONDS", "86400")
            .env("LOG_FILTER", "warn")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self {
            address,
            folder: folder.to_owned(),
            child,
            ready_after: Duration::ZERO,
        };
        while began.elapsed() < Duration::from_secs(60) {
            if server.is_ready().await {
                server.ready_after = began.elapsed();
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Err("the server does not become ready".into())
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut client) = Client::connect(self.address).await else {
            return false;
        };
        let asked = client.ask(&get("/health/ready", "", "identity")).await;
        matches!(asked, Ok(200))
    }

    /// Signs in demo users; returns their cookies.
    pub async fn people(&self, count: usize) -> Result<Vec<String>> {
        let mut client = Client::connect(self.address).await?;
        let mut cookies = Vec::with_capacity(count);
        for number in 0..count {
            let body = format!("name={}", name(number));
            let request = format!(
                "POST /sign-in/demo HTTP/1.1\r\nhost: {0}\r\norigin: http://{0}\r\n\
                 content-type: application/x-www-form-urlencoded\r\ncontent-length: {1}\r\n\r\n{body}",
                self.address,
                body.len()
            );
            let answer = client.fetch(request.as_bytes()).await?;
            let cookie = answer
                .header("set-cookie")
                .and_then(|c| c.split(';').next());
            let Some(cookie) = cookie else {
                return Err(format!("signing in: {}", answer.head).into());
            };
            cookies.push(cookie.to_owned());
        }
        Ok(cookies)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A demo user's name has letters only.
fn name(mut number: usize) -> String {
    let mut text = String::from("b");
    for _ in 0..6 {
        text.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or(0)));
        number /= 26;
    }
    text
}

fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
