//! What is measured, in which order.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use crate::{
    Result, Settings,
    client::{BROTLI, Client, get},
    fill, load,
    load::Target,
    process,
    server::Server,
    streams,
    table::{self, Line},
};

/// So many people click.
const PEOPLE: usize = 500;

/// The address, what a browser takes, and what to call it.
const PAGES: [(&str, &str, &str); 4] = [
    ("/connectors", "identity", "catalogue"),
    ("/connectors", BROTLI, "catalogue, compressed"),
    (
        "/connectors?status=connected",
        "identity",
        "catalogue, filtered",
    ),
    ("/api/v1/connections", "identity", "GET /api/v1/connections"),
];

pub async fn run(binary: &str, postgres: &str, settings: &Settings) -> Result<()> {
    let binary = std::fs::canonicalize(binary)?;
    let folder = std::env::temp_dir().join(format!("patchbay-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = measure(&binary, &folder, postgres, settings).await;
    drop(std::fs::remove_dir_all(&folder));
    done
}

async fn measure(binary: &Path, folder: &Path, postgres: &str, settings: &Settings) -> Result<()> {
    println!(
        "binary: {:.1} MB",
        std::fs::metadata(binary)?.len() as f64 / 1e6
    );
    let sqlite = folder.join("patchbay.db").display().to_string();
    drop(Server::start(binary, folder, &sqlite).await?);
    let server = Server::start(binary, folder, &sqlite).await?;
    println!(
        "ready with an existing SQLite database after {} ms",
        server.ready_after.as_millis()
    );
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!(
        "memory at rest: {:.1} MB",
        process::memory(server.pid()) as f64 / 1e6
    );
    drop(server);

    let name = format!("patchbay_bench_{}", std::process::id());
    let database = fill::create(postgres, &name)?;
    let mut server = Server::start(binary, folder, &database).await?;
    let people = server.people(PEOPLE).await?;
    let mut lines = Vec::new();
    for rows in &settings.rows {
        println!("filling: {rows} connections");
        fill::connections(&database, *rows)?;
        for (path, encoding, what) in PAGES {
            let what = format!("{what}, {rows} connections");
            lines.push(line(&server, &people, path, encoding, what, settings.each).await?);
        }
    }
    table::print(&lines);
    drop(server);
    server = Server::start(binary, folder, &database).await?;
    println!(
        "ready with an existing PostgreSQL database after {} ms",
        server.ready_after.as_millis()
    );
    let cost = streams::open(&server, &people, settings.streams).await;
    match cost {
        Ok(cost) => println!(
            "{} open event streams: {:.0} MB in all, {:.1} kB each (before: {:.0} MB)",
            cost.open,
            cost.after as f64 / 1e6,
            (cost.after.saturating_sub(cost.before)) as f64 / 1e3 / cost.open as f64,
            cost.before as f64 / 1e6,
        ),
        Err(error) => println!("event streams: {error}"),
    }
    drop(server);
    fill::drop_it(postgres, &name)
}

/// Machines are not the same from one second to the next: what stands in the table is the median of so
/// many rounds.
const ROUNDS: u32 = 5;

/// In each round the bare route, the page and the bare route again, so that what else the machine does
/// falls on all three; then the page at 80 % of what it did just now.
async fn line(
    server: &Server,
    people: &[String],
    path: &str,
    encoding: &str,
    what: String,
    each: Duration,
) -> Result<Line> {
    let requests: Vec<_> = people
        .iter()
        .map(|cookie| get(path, cookie, encoding))
        .collect();
    let mut client = Client::connect(server.address).await?;
    let answer = client.fetch(&requests[0]).await?;
    if answer.status != 200 {
        return Err(format!("{path}: {}", answer.head).into());
    }
    let file = server.folder.join("bytes");
    std::fs::write(&file, &answer.body)?;
    let bare = Bare::start(
        &file,
        answer.header("content-type").unwrap_or("text/html"),
        answer.header("content-encoding").unwrap_or("identity"),
    )?;
    let target = Target {
        address: server.address,
        requests: Arc::new(requests),
    };
    let bare_target = Target {
        address: bare.address,
        requests: Arc::new(vec![get("/", "", "identity")]),
    };
    let each = each / ROUNDS;
    // Warm, both of them.
    load::closed(&bare_target, each).await?;
    load::closed(&target, each).await?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let (before, bare_cost) = costed(&bare_target, bare.child.id(), each / 2).await?;
        let (page, cost) = costed(&target, server.pid(), each).await?;
        let (after, _) = costed(&bare_target, bare.child.id(), each / 2).await?;
        let calm = load::open(&target, each, page.per_second * 0.8).await?;
        rounds.push(Round {
            per_second: page.per_second,
            bare: (before.per_second + after.per_second) / 2.0,
            p50: calm.ms(0.5),
            p99: calm.ms(0.99),
            cost,
            bare_cost,
        });
    }
    let line = Line {
        what,
        bytes: answer.body.len(),
        per_second: median(&rounds, |round| round.per_second),
        bare: median(&rounds, |round| round.bare),
        ratio: median(&rounds, |round| round.bare / round.per_second),
        p50: median(&rounds, |round| round.p50),
        p99: median(&rounds, |round| round.p99),
        cost: median(&rounds, |round| round.cost),
        bare_cost: median(&rounds, |round| round.bare_cost),
    };
    println!("  {}: 1/{:.1}", line.what, line.ratio);
    Ok(line)
}

struct Round {
    per_second: f64,
    bare: f64,
    p50: f64,
    p99: f64,
    cost: f64,
    bare_cost: f64,
}

fn median(rounds: &[Round], of: impl Fn(&Round) -> f64) -> f64 {
    let mut all: Vec<f64> = rounds.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// The load, and the processor time a request took in that process, in microseconds.
async fn costed(target: &Target, pid: u32, each: Duration) -> Result<(load::Measured, f64)> {
    let before = process::processor(pid);
    let measured = load::closed(target, each).await?;
    let spent = process::processor(pid).saturating_sub(before);
    let cost = spent.as_micros() as f64 / measured.waits.len() as f64;
    Ok((measured, cost))
}

struct Bare {
    address: SocketAddr,
    child: Child,
}

impl Bare {
    fn start(file: &Path, mime: &str, encoding: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("bare")
            .arg(file)
            .args([mime, encoding])
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("no stdout")?;
        let mut address = String::new();
        BufReader::new(out).read_line(&mut address)?;
        Ok(Self {
            address: address.trim().parse()?,
            child,
        })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
