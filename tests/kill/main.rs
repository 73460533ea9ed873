//! `kill -9`: a server over one SQLite file is killed again and again while it writes, and after each
//! time everything that it had acknowledged is there.
//!
//! `make kill` does it a hundred times to the release build; a debug build needs a second for each start.
//!
//! - `KILLS`: how often (20)
//! - `PATCHBAY_BINARY`: whom
//! - `KILL_SEED`: when
//! - `KEEP`: the database and the log stay

#![expect(
    clippy::expect_used,
    reason = "a test fails with the reason; clippy sees tests only in functions marked so"
)]

#[path = "../support/process.rs"]
mod process;
#[path = "../support/product.rs"]
mod product;
#[path = "../support/stand_in.rs"]
mod stand_in;

mod check;
mod load;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::{Client, redirect::Policy};
use tokio::{task::JoinSet, time::sleep};

use load::Load;
use process::{Folder, Program, free_port, number, until_ready};
use stand_in::StandIn;

const PATIENCE: Duration = Duration::from_secs(60);
/// How long the last entries of the audit log may take to be sealed.
const SEALED: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_moment_loses_nothing_that_was_acknowledged() {
    let kills = number("KILLS", 20);
    let seed = number("KILL_SEED", 20_261_127);
    let mut random = StdRng::seed_from_u64(seed);
    let folder = Folder::new("kill");
    let http = client();
    let nango = StandIn::start(&folder.0, &http, None).await;
    let database = format!("sqlite://{}", folder.0.join("patchbay.db").display());
    let port = free_port();
    let base = format!("http://127.0.0.1:{port}");
    let mut server = server(&folder, &database, port, &nango);
    server.start();
    let ready = until_ready(&http, &base, PATIENCE).await;
    assert!(ready.is_some(), "{}", server.log());

    let load = Arc::new(Load::new(http.clone(), base.clone()));
    let mut writing = JoinSet::new();
    for account in load.connect(&nango).await {
        writing.spawn(load.clone().rename(account));
    }
    for number in 0..2 {
        writing.spawn(load.clone().sign_in(number));
        writing.spawn(load.clone().click(number));
    }
    let began = Instant::now();
    let mut starts = Vec::new();
    for kill in 0..kills {
        sleep(Duration::from_millis(random.random_range(5..=300))).await;
        server.kill();
        if kill % 10 == 9 {
            // Once more, while it starts.
            server.start();
            sleep(Duration::from_millis(random.random_range(5..=300))).await;
            server.kill();
        }
        server.start();
        let took = until_ready(&http, &base, PATIENCE).await;
        starts.push(took.unwrap_or_else(|| panic!("kill {kill}: {}", server.log())));
        let missing = check::missing(&database, &load).await;
        assert!(
            missing.is_empty(),
            "kill {kill}, KILL_SEED={seed}: {missing:#?}"
        );
    }
    let took = began.elapsed();
    writing.shutdown().await;
    let missing = check::missing(&database, &load).await;
    assert!(
        missing.is_empty(),
        "at the end, KILL_SEED={seed}: {missing:#?}"
    );
    check::sealed(&database, SEALED).await;
    assert!(server.signal("TERM"));
    let status = loop {
        match server.ended() {
            Some(status) => break status,
            None => sleep(Duration::from_millis(10)).await,
        }
    };
    assert!(status.success(), "{status}: {}", server.log());
    let (is_whole, said) = server.run(&["audit", "verify"], &[]);
    assert!(is_whole, "{said}");
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    starts.sort_unstable();
    println!(
        "kill -9: {kills} times in {:.1} s, seed {seed}: {}; ready again after {} ms (median), {} ms (longest)",
        took.as_secs_f64(),
        load.told(),
        starts[starts.len() / 2].as_millis(),
        starts[starts.len() - 1].as_millis(),
    );
    let told = load.count();
    assert!(
        u64::try_from(told).expect("a number") > 2 * kills,
        "{told} writes are no load"
    );
}

fn server(folder: &Folder, database: &str, port: u16, nango: &StandIn) -> Program {
    let mut settings = vec![
        ("DATABASE_URL", database.to_owned()),
        ("LISTEN_ADDR", format!("127.0.0.1:{port}")),
    ];
    settings.extend(StandIn::settings(nango.port));
    settings.extend(product::settings());
    Program::new(&folder.0, "server", &["serve"], &settings)
}

fn client() -> Client {
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .expect("a client")
}
