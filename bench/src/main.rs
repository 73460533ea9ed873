//! `make bench`: how fast Patchbay answers, as a ratio against a bare axum route that returns the
//! same bytes in the same run, and what it costs at rest.
//!
//!   patchbay-bench PATCHBAY POSTGRES_URL     the whole table
//!   patchbay-bench bare FILE TYPE ENCODING   the bare route alone, which the table starts itself
//!
//! The generator, the server and PostgreSQL share the machine, so that absolute figures say little;
//! ratios and the processor time that each process took say more. `BENCH_SECONDS` (10) is how long
//! each line is measured, `BENCH_ROWS` (10000,1000000) with how many connections in the database.

use std::{env, process::ExitCode, time::Duration};

mod bare;
mod client;
mod fill;
mod load;
mod plan;
mod process;
mod server;
mod streams;
mod table;

/// What goes wrong here is told and ends the run: nothing hangs on it.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["bare", file, mime, encoding] => bare::serve(file, mime, encoding).await,
        [binary, postgres] => plan::run(binary, postgres, &settings()).await,
        _ => Err("use: patchbay-bench PATCHBAY POSTGRES_URL".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the environment asks for.
struct Settings {
    each: Duration,
    rows: Vec<u64>,
    streams: usize,
}

fn settings() -> Settings {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse().ok());
    let rows = env::var("BENCH_ROWS").unwrap_or_else(|_| "10000,1000000".to_owned());
    Settings {
        each: Duration::from_secs(number("BENCH_SECONDS").unwrap_or(10)),
        rows: rows
            .split(',')
            .filter_map(|n| n.trim().parse().ok())
            .collect(),
        streams: number("BENCH_STREAMS").unwrap_or(10_000) as usize,
    }
}
