//! A TCP proxy that stands between a server and its database and does what networks do: refuses,
//! breaks off, and falls silent.
//!
//! May import nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Pass,
    /// Takes connections, and passes nothing on.
    Hang,
    /// Takes none; those there were are broken off.
    Refuse,
}

pub struct Proxy {
    port: u16,
    mode: watch::Sender<Mode>,
    /// Connections with a lower number are broken off, or silent for ever.
    cut: watch::Sender<u64>,
    frozen: watch::Sender<u64>,
    next: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Before the server of this address.
    pub async fn before(url: &str) -> Self {
        Self::start(url, Mode::Pass).await
    }

    /// The same, and at first there is nobody.
    pub async fn absent(url: &str) -> Self {
        Self::start(url, Mode::Refuse).await
    }

    async fn start(url: &str, mode: Mode) -> Self {
        let url = url::Url::parse(url).expect("an address");
        let host = url.host_str().expect("a host").to_owned();
        let to = format!("{host}:{}", url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (mode, modes) = watch::channel(mode);
        let (cut, cuts) = watch::channel(0);
        let (frozen, freezes) = watch::channel(0);
        let next = Arc::new(AtomicU64::new(0));
        let numbers = next.clone();
        let task = tokio::spawn(async move {
            let mut modes = modes;
            let mut listener = Some(listener);
            loop {
                let mode = *modes.borrow_and_update();
                if mode == Mode::Refuse {
                    listener = None;
                    if modes.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
                if listener.is_none() {
                    listener = TcpListener::bind(("127.0.0.1", port)).await.ok();
                }
                let Some(listener) = &listener else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = modes.changed() => continue,
                };
                let Ok((client, _)) = accepted else { continue };
                let number = numbers.fetch_add(1, Ordering::SeqCst);
                let (to, modes) = (to.clone(), modes.clone());
                let (cuts, freezes) = (cuts.clone(), freezes.clone());
                tokio::spawn(carry(client, to, number, modes, cuts, freezes));
            }
        });
        Self {
            port,
            mode,
            cut,
            frozen,
            next,
            task,
        }
    }

    /// The same address by way of the proxy.
    pub fn url(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).expect("an address");
        url.set_port(Some(self.port)).expect("a port");
        url.to_string()
    }

    pub fn pass(&self) {
        self.mode.send_replace(Mode::Pass);
    }

    pub fn hang(&self) {
        self.mode.send_replace(Mode::Hang);
    }

    pub fn refuse(&self) {
        self.mode.send_replace(Mode::Refuse);
    }

    /// Breaks off what is connected; who comes anew is let through.
    pub fn cut(&self) {
        self.cut.send_replace(self.next.load(Ordering::SeqCst));
    }

    /// What is connected falls silent for ever, without breaking; who comes anew is let through.
    pub fn freeze(&self) {
        self.frozen.send_replace(self.next.load(Ordering::SeqCst));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    client: TcpStream,
    to: String,
    number: u64,
    modes: watch::Receiver<Mode>,
    mut cuts: watch::Receiver<u64>,
    freezes: watch::Receiver<u64>,
) {
    let ended = {
        let mut modes = modes.clone();
        async move {
            tokio::select! {
                _ = modes.wait_for(|mode| *mode == Mode::Refuse) => {}
                _ = cuts.wait_for(|cut| number < *cut) => {}
            }
        }
    };
    let work = async move {
        let mut open = modes.clone();
        drop(open.wait_for(|mode| *mode == Mode::Pass).await);
        let Ok(server) = TcpStream::connect(to).await else {
            return;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::join!(
            pump(
                from_client,
                to_server,
                number,
                modes.clone(),
                freezes.clone()
            ),
            pump(from_server, to_client, number, modes, freezes),
        );
    };
    tokio::select! {
        () = ended => {}
        () = work => {}
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    number: u64,
    mut modes: watch::Receiver<Mode>,
    mut freezes: watch::Receiver<u64>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read) = from.read(&mut buffer).await else {
            return;
        };
        if number < *freezes.borrow_and_update() {
            std::future::pending::<()>().await;
        }
        drop(modes.wait_for(|mode| *mode == Mode::Pass).await);
        if read == 0 {
            drop(to.shutdown().await);
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
