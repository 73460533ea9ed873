//! A proxy of bytes with a hand on it: it cuts, hangs, refuses, delays, or loses the other side
//! without a word. In front of each instance's database, of each instance's Nango, and, passing
//! everything on to whoever lives, in front of all instances.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    time::sleep,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Connections open, and nothing goes either way.
    Hang,
    /// Nobody listens; what is open stays so.
    Refuse,
    /// So long later, each way.
    Slow(Duration),
}

#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    /// How often everything was cut.
    cuts: u64,
    /// How often the other side was lost.
    losses: u64,
}

/// Sees the beginning of what comes from the client.
pub type Ear = Arc<dyn Fn(&[u8]) + Send + Sync>;

pub struct Proxy(watch::Sender<State>);

impl Proxy {
    pub fn start(port: u16, to: u16, ear: Ear) -> Self {
        let (state, watched) = watch::channel(State {
            mode: Mode::Pass,
            cuts: 0,
            losses: 0,
        });
        tokio::spawn(accept(port, to, watched, ear));
        Self(state)
    }

    pub fn set(&self, mode: Mode) {
        self.0.send_modify(|state| state.mode = mode);
    }

    /// Every open connection ends, for both sides.
    pub fn cut(&self) {
        self.0.send_modify(|state| state.cuts += 1);
    }

    /// The other side of every open connection is gone, and nobody tells this one: it may talk for
    /// ever. New connections are as they were.
    pub fn lose(&self) {
        self.0.send_modify(|state| state.losses += 1);
    }
}

pub fn deaf() -> Ear {
    Arc::new(|_| {})
}

async fn listen(port: u16) -> TcpListener {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn accept(port: u16, to: u16, mut state: watch::Receiver<State>, ear: Ear) {
    loop {
        let open = |state: &State| state.mode != Mode::Refuse;
        if state.wait_for(open).await.is_err() {
            return;
        }
        let listener = listen(port).await;
        let mut refusing = state.clone();
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Ok((client, _)) = accepted {
                    tokio::spawn(connection(client, to, state.clone(), ear.clone()));
                },
                _ = refusing.wait_for(|state| state.mode == Mode::Refuse) => break,
            }
        }
    }
}

async fn connection(client: TcpStream, to: u16, mut state: watch::Receiver<State>, ear: Ear) {
    let State { cuts, losses, .. } = *state.borrow();
    let is_cut = move |state: &State| state.cuts != cuts;
    let is_lost = move |state: &State| state.losses != losses;
    let mut of_cut = state.clone();
    let (mut from_client, mut to_client) = client.into_split();
    let both = async {
        if state
            .wait_for(|state| state.mode != Mode::Hang)
            .await
            .is_err()
        {
            return false;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else {
            return false;
        };
        let _ = server.set_nodelay(true);
        let (mut from_server, mut to_server) = server.into_split();
        let (mut of_loss, nobody) = (state.clone(), deaf());
        tokio::select! {
            () = pump(&mut from_client, &mut to_server, state.clone(), &ear) => false,
            () = pump(&mut from_server, &mut to_client, state.clone(), &nobody) => false,
            lost = of_loss.wait_for(is_lost) => lost.is_ok(),
        }
    };
    let lost = tokio::select! {
        lost = both => lost,
        _ = of_cut.wait_for(is_cut) => return,
    };
    if lost {
        let mut nobody_reads = [0; 4096];
        tokio::select! {
            () = async { while from_client.read(&mut nobody_reads).await.is_ok_and(|n| n > 0) {} } => {}
            _ = of_cut.wait_for(is_cut) => {}
        }
    }
}

/// One way, until somebody has closed.
async fn pump(
    from: &mut tcp::OwnedReadHalf,
    to: &mut tcp::OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    ear: &Ear,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        ear(&buffer[..read]);
        let mode = state.borrow().mode;
        if let Mode::Slow(latency) = mode {
            sleep(latency).await;
        }
        // What was read before a hang goes on after it.
        let passes = |state: &State| state.mode != Mode::Hang;
        if state.wait_for(passes).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// The load balancer: each connection goes to the next one that takes it.
pub async fn front(port: u16, to: Vec<u16>) {
    let listener = listen(port).await;
    let mut turn = 0;
    loop {
        let Ok((mut client, _)) = listener.accept().await else {
            continue;
        };
        turn += 1;
        let to: Vec<u16> = to
            .iter()
            .cycle()
            .skip(turn)
            .take(to.len())
            .copied()
            .collect();
        tokio::spawn(async move {
            for port in to {
                if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
                    drop(copy_bidirectional(&mut client, &mut server).await);
                    return;
                }
            }
        });
    }
}
